//! What the runner wrote at the start of the run, which turns ids and ticks into symbols and decimals.

use engine::ids::{InstrumentId, Lane};
use engine::instrument::ContractKind;
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
    /// Empty where the journal does not say, as the two below.
    #[serde(default)]
    base: String,
    #[serde(default)]
    quote: String,
    #[serde(default)]
    kind: String,
    tick: String,
    qty_unit: String,
    amount_digits: u8,
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
            for step in [&shown.tick, &shown.qty_unit] {
                Step::parse(step.as_bytes())
                    .map_err(|error| format!("{}: `{step}`: {error}", shown.symbol))?;
            }
        }
        Ok(Self { instruments: read.instrument })
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
        let is_inverse = |shown: &Shown| shown.kind == ContractKind::Inverse.name();
        let known = self.shown(id).filter(|shown| !shown.base.is_empty() && !shown.quote.is_empty());
        known.map_or(unknown, |shown| MarketUnits::new(&shown.base, &shown.quote, is_inverse(shown)))
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

#[cfg(test)]
mod tests {
    use engine::ids::VenueId;
    use engine::instrument::{ContractKind, Instrument, InstrumentTable, PriceRule, Status};
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
        assert_eq!(context.amount(id, -12_345), "-1.2345");
        assert_eq!(context.find("BTCUSDT"), Ok(vec![id]));
        assert_eq!(context.units(id), MarketUnits { value: "USDT", qty: "BTC" });
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
