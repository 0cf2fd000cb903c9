//! What the runner wrote at the start of the run, which turns ids and ticks into symbols and decimals.

use engine::fees::{FeeRates, FeesConfig};
use engine::ids::{InstrumentId, Lane, StrategyId, VenueId};
use engine::instrument::{ContractKind, Instrument, PriceRule, Status};
use engine::journal::Reader;
use engine::journal::schema::RecordKind;
use engine::num::{Decimal, Price, Qty, Step};
use engine::risk::MarketUnits;
use serde::Deserialize;

/// The run's instruments; empty where the journal does not say.
#[derive(Debug, Default)]
pub(crate) struct Context {
    instruments: Vec<Shown>,
}

/// One instrument, as far as showing needs it.
#[derive(Debug, Deserialize)]
pub(crate) struct Shown {
    id: u32,
    venue: String,
    symbol: String,
    tick: String,
    qty_unit: String,
    amount_digits: u8,
    /// How fills make money; without these four there are no accounts.
    base: Option<String>,
    quote: Option<String>,
    kind: Option<String>,
    contract_size: Option<String>,
}

impl Shown {
    /// None: the journal does not say.
    fn units(&self) -> Option<MarketUnits<'_>> {
        let is_inverse = self.kind.as_deref() == Some(ContractKind::Inverse.name());
        Some(MarketUnits::new(self.base.as_deref()?, self.quote.as_deref()?, is_inverse))
    }
}

#[derive(Deserialize)]
struct Instruments {
    #[serde(default)]
    instrument: Vec<Shown>,
}

impl Context {
    /// From the first records of the runner's lane. Err: the text in them is not what it should be.
    pub(crate) fn read(reader: &Reader) -> Result<Self, String> {
        let mut cursor = reader.cursor(Lane::Runner);
        // Damage is reported when the lane's records are shown.
        while let Ok(Some(view)) = cursor.next() {
            if view.entry.kind == RecordKind::Instruments as u16 {
                return Self::parse(&String::from_utf8_lossy(view.body))
                    .map_err(|error| format!("the instruments of record runner:{}: {error}", view.seq));
            }
        }
        Ok(Self::default())
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let read: Instruments = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        for shown in &read.instrument {
            for step in [&shown.tick, &shown.qty_unit].into_iter().chain(&shown.contract_size) {
                Step::parse(step.as_bytes())
                    .map_err(|error| format!("{}: `{step}`: {error}", shown.symbol))?;
            }
        }
        Ok(Self { instruments: read.instrument })
    }

    /// The instrument as far as fills, fees and profit need it; rules on orders are not in it.
    /// Err: the journal does not name it, or not how its fills make money.
    pub(crate) fn instrument(&self, id: InstrumentId) -> Result<Instrument, String> {
        let fail = || format!("the journal does not say how fills of {} make money", self.name(id));
        let shown = self.shown(id).ok_or_else(fail)?;
        let kinds = [ContractKind::Spot, ContractKind::Linear, ContractKind::Inverse];
        let kind = kinds.into_iter().find(|kind| Some(kind.name()) == shown.kind.as_deref());
        let step = |text: &str| Step::parse(text.as_bytes()).map_err(|_| fail());
        Ok(Instrument {
            id,
            venue_id: VenueId::default(),
            venue: shown.venue.clone(),
            symbol: shown.symbol.clone(),
            base: shown.base.clone().ok_or_else(fail)?,
            quote: shown.quote.clone().ok_or_else(fail)?,
            kind: kind.ok_or_else(fail)?,
            price_rule: PriceRule { tick: step(&shown.tick)?, significant_figures: None },
            qty_unit: step(&shown.qty_unit)?,
            lot: Qty(1),
            qty_min: Qty(1),
            qty_max: Qty(i64::MAX),
            notional_min: Decimal::ZERO,
            contract_size: step(shown.contract_size.as_deref().ok_or_else(fail)?)?,
            status: Status::Halted,
            source: String::new(),
        })
    }

    /// Whether the journal names no instrument.
    pub(crate) const fn is_empty(&self) -> bool {
        self.instruments.is_empty()
    }

    fn shown(&self, id: InstrumentId) -> Option<&Shown> {
        self.instruments.iter().find(|shown| shown.id == id.0)
    }

    /// `venue:symbol`, or `#id` where the journal does not name it.
    pub(crate) fn name(&self, id: InstrumentId) -> String {
        self.shown(id).map_or_else(|| format!("#{id}"), |shown| format!("{}:{}", shown.venue, shown.symbol))
    }

    /// The price in the instrument's digits; the count of ticks where they are unknown.
    pub(crate) fn price(&self, id: InstrumentId, price: Price) -> String {
        self.scaled(id, i128::from(price.0), "ticks", |shown| &shown.tick)
    }

    /// The price tick. None: the journal does not say.
    pub(crate) fn tick(&self, id: InstrumentId) -> Option<Step> {
        self.shown(id).and_then(|shown| Step::parse(shown.tick.as_bytes()).ok())
    }

    /// The quantity in the instrument's digits; the count of units where they are unknown.
    pub(crate) fn qty(&self, id: InstrumentId, qty: Qty) -> String {
        self.scaled(id, i128::from(qty.0), "units", |shown| &shown.qty_unit)
    }

    /// An amount of money of the instrument.
    pub(crate) fn amount(&self, id: InstrumentId, amount: i128) -> String {
        match self.shown(id) {
            Some(shown) => Decimal { mantissa: amount, exponent: shown.amount_digits, digits: 0 }.to_string(),
            None => format!("{amount} amount units"),
        }
    }

    /// What an instrument's prices, values and quantities are counted in.
    pub(crate) fn units(&self, id: InstrumentId) -> MarketUnits<'_> {
        let unknown = MarketUnits { value: "of the quote asset", qty: "of the quantity unit" };
        self.shown(id).and_then(Shown::units).unwrap_or(unknown)
    }

    fn scaled(&self, id: InstrumentId, count: i128, unit: &str, step: impl Fn(&Shown) -> &String) -> String {
        let step = self.shown(id).and_then(|shown| Step::parse(step(shown).as_bytes()).ok());
        step.map_or_else(|| format!("{count} {unit}"), |step| step.decimal(count).to_string())
    }

    /// Ids of the instruments called `name`: symbol, `venue:symbol`, or `#id`. Err: none is.
    pub(crate) fn find(&self, name: &str) -> Result<Vec<InstrumentId>, String> {
        if let Some(id) = name.strip_prefix('#').and_then(|id| id.parse().ok()) {
            return Ok(vec![InstrumentId(id)]);
        }
        let ids: Vec<_> = self
            .instruments
            .iter()
            .filter(|shown| shown.symbol == name || format!("{}:{}", shown.venue, shown.symbol) == name)
            .map(|shown| InstrumentId(shown.id))
            .collect();
        if ids.is_empty() {
            let known: Vec<_> = self.instruments.iter().map(|shown| shown.symbol.as_str()).collect();
            return Err(format!("no instrument `{name}` in this journal; it names: {}", known.join(", ")));
        }
        Ok(ids)
    }
}

/// What the runner wrote of the run itself.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    strategies: Vec<String>,
    /// What fills cost; None: the configuration does not say.
    pub(crate) fees: Option<FeeRates>,
    order_id_prefix: Option<String>,
}

#[derive(Deserialize)]
struct Configured {
    fees: Option<FeesConfig>,
    #[serde(default)]
    strategy: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Build {
    order_id_prefix: Option<String>,
}

impl Facts {
    /// From the runner's lane. Err: the text of a record is not what it should be, with the record.
    pub(crate) fn read(reader: &Reader) -> Result<Self, String> {
        let mut facts = Self::default();
        let mut cursor = reader.cursor(Lane::Runner);
        // Damage is reported when the lane's records are shown.
        while let Ok(Some(view)) = cursor.next() {
            let text = String::from_utf8_lossy(view.body);
            let at = |error: &dyn std::fmt::Display| format!("record runner:{}: {error}", view.seq);
            match RecordKind::from_u16(view.entry.kind) {
                Some(RecordKind::Config) => {
                    let read: Configured = toml::from_str(&text).map_err(|error| at(&error.message()))?;
                    facts.strategies = read.strategy.into_iter().map(|strategy| strategy.name).collect();
                    facts.fees = read.fees.map(FeesConfig::check).transpose().map_err(|error| at(&error))?;
                }
                Some(RecordKind::Build) => {
                    let read: Build = toml::from_str(&text).map_err(|error| at(&error.message()))?;
                    facts.order_id_prefix = read.order_id_prefix;
                    break;
                }
                _ => {}
            }
        }
        Ok(facts)
    }

    /// The strategy's name; its number where the configuration names none.
    pub(crate) fn strategy(&self, id: StrategyId) -> String {
        if id == StrategyId::MANUAL {
            return StrategyId::MANUAL_NAME.to_owned();
        }
        let name = usize::from(id.0).checked_sub(1).and_then(|index| self.strategies.get(index));
        name.cloned().unwrap_or_else(|| format!("#{}", id.0))
    }

    /// The client order id as the venue saw it; the sequence alone where the journal does not say.
    pub(crate) fn client_order_id(&self, order_seq: u64) -> String {
        format!("{}{order_seq}", self.order_id_prefix.as_deref().unwrap_or_default())
    }

    /// The sequence of an order as people type it: its client order id, or its sequence.
    /// Err: another run's id, or none.
    pub(crate) fn order_seq(&self, typed: &str) -> Result<u64, String> {
        let prefix = self.order_id_prefix.as_deref().unwrap_or_default();
        let digits = typed.strip_prefix(prefix).unwrap_or(typed);
        let seq = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
        seq.ok_or_else(|| {
            format!("`{typed}` is no order of this run: they are called {prefix}1 and so on, or 1")
        })
    }
}

#[cfg(test)]
mod tests {
    use engine::instrument::InstrumentTable;
    use engine::journal::instruments_text;

    use super::*;

    #[test]
    fn what_the_engine_writes_of_its_instruments_is_understood() {
        let step = |text: &str| Step::parse(text.as_bytes()).unwrap();
        let mut table = InstrumentTable::default();
        let id = table.add(Instrument {
            id: InstrumentId(0),
            venue_id: VenueId(0),
            venue: "binance-usdm".to_owned(),
            symbol: "BTCUSDT".to_owned(),
            base: "BTC".to_owned(),
            quote: "USDT".to_owned(),
            kind: ContractKind::Linear,
            price_rule: PriceRule { tick: step("0.10"), significant_figures: None },
            qty_unit: step("0.001"),
            lot: Qty(1),
            qty_min: Qty(1),
            qty_max: Qty(1_000_000),
            notional_min: Decimal::ZERO,
            contract_size: Step::ONE,
            status: Status::Trading,
            source: "a \"quoted\" file\\name\n".to_owned(),
        });
        let context = Context::parse(&instruments_text(&table)).unwrap();
        assert_eq!(context.name(id), "binance-usdm:BTCUSDT");
        assert_eq!(context.price(id, Price(601_234)), "60123.40");
        assert_eq!(context.qty(id, Qty(-1_500)), "-1.500");
        assert_eq!(context.amount(id, -123_450_000), "-1.2345");
        assert_eq!(context.find("BTCUSDT"), Ok(vec![id]));
        let read = context.instrument(id).unwrap();
        assert_eq!((read.settle(), read.amount_exponent()), ("USDT", 8));
        assert!(context.instrument(InstrumentId(7)).unwrap_err().contains("#7"));
        assert_eq!(context.units(id), MarketUnits { value: "USDT", qty: "BTC" });
    }

    #[test]
    fn an_order_is_found_by_its_client_order_id_or_its_sequence() {
        let facts = Facts { order_id_prefix: Some("sb0-3-".to_owned()), ..Facts::default() };
        assert_eq!((facts.order_seq("sb0-3-12"), facts.order_seq("12")), (Ok(12), Ok(12)));
        assert_eq!(facts.client_order_id(12), "sb0-3-12");
        for other in ["sb0-4-12", "sb0-3-", "+12", "", "twelve"] {
            assert!(facts.order_seq(other).unwrap_err().contains("sb0-3-1"), "{other}");
        }
    }

    #[test]
    fn without_the_instruments_ids_and_counts_are_shown_as_such() {
        let context = Context::parse("").unwrap();
        let id = InstrumentId(3);
        assert_eq!((context.name(id), context.price(id, Price(7))), ("#3".to_owned(), "7 ticks".to_owned()));
        assert_eq!(context.find("#3"), Ok(vec![id]));
        assert!(context.find("BTCUSDT").is_err());
        assert!(Context::parse("[[instrument]]\nid = 1\n").is_err());
    }
}
