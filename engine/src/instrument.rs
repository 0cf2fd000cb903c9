//! What can be traded, and by which rules: everything that the venue's instrument endpoint says and the
//! engine needs, in the instrument's own integers.

use crate::ids::{InstrumentId, VenueId};
use crate::num::{Decimal, NumError, Price, Qty, Step};

/// How quantity and price make an amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractKind {
    /// Quantity is in the base asset, amounts in the quote asset; the balance is the position.
    Spot,
    /// A future whose profit is in the quote asset: `qty x contract_size x price`.
    Linear,
    /// A future whose profit is in the base asset: `qty x contract_size / price`.
    Inverse,
}

impl ContractKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Spot, Self::Linear, Self::Inverse];

    /// `spot`, `linear` or `inverse`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::Linear => "linear",
            Self::Inverse => "inverse",
        }
    }
}

/// What the venue lets one do with the instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Orders and cancels.
    Trading,
    /// Cancels only.
    CancelOnly,
    /// Nothing.
    Halted,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Trading, Self::CancelOnly, Self::Halted];

    /// `trading`, `cancel-only` or `halted`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trading => "trading",
            Self::CancelOnly => "cancel-only",
            Self::Halted => "halted",
        }
    }
}

/// Which prices an order may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceRule {
    /// The finest price step the venue prints.
    pub tick: Step,
    /// Where the step grows with the price: at most so many significant figures, whole numbers always
    /// allowed (Hyperliquid: 5).
    pub significant_figures: Option<u8>,
}

impl PriceRule {
    /// The step between order prices around `price`, in ticks; at least 1.
    #[must_use]
    pub fn step_at(&self, price: Price) -> i64 {
        let Some(figures) = self.significant_figures else { return 1 };
        // One whole unit of the quote asset in ticks; coarser steps are never required.
        let Some(whole) = 10_i64.checked_pow(u32::from(self.tick.exponent())) else { return 1 };
        let scaled = price.0.unsigned_abs().saturating_mul(self.tick.mantissa().unsigned_abs());
        let digits = scaled.checked_ilog10().map_or(1, |log| log + 1);
        let step = 10_i64.checked_pow(digits.saturating_sub(u32::from(figures))).unwrap_or(whole);
        (step.min(whole) / self.tick.mantissa()).max(1)
    }

    /// The highest order price not above `price`.
    #[must_use]
    pub fn floor(&self, price: Price) -> Price {
        let step = self.step_at(price);
        Price(price.0.div_euclid(step) * step)
    }

    /// The lowest order price not below `price`.
    #[must_use]
    pub fn ceil(&self, price: Price) -> Price {
        let step = self.step_at(price);
        Price(
            price
                .0
                .div_euclid(step)
                .saturating_add(i64::from(price.0.rem_euclid(step) != 0))
                .saturating_mul(step),
        )
    }

    /// Whether an order may have this price.
    #[must_use]
    pub fn allows(&self, price: Price) -> bool {
        price.0 > 0 && price.0 % self.step_at(price) == 0
    }
}

/// One instrument of one venue. Built at start, never changed while running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// Its index in the run's table.
    pub id: InstrumentId,
    /// Its venue's index; the venue's name is `venue`.
    pub venue_id: VenueId,
    /// Venue with product, such as `binance-usdm`.
    pub venue: String,
    /// The venue's own symbol, such as `BTCUSDT`.
    pub symbol: String,
    /// Base asset.
    pub base: String,
    /// Quote asset.
    pub quote: String,
    /// How quantity and price make money.
    pub kind: ContractKind,
    /// Order prices.
    pub price_rule: PriceRule,
    /// What one count of `Qty` is worth, in base asset or contracts: the finest amount the venue prints.
    pub qty_unit: Step,
    /// Order step in quantity units.
    pub lot: Qty,
    /// Smallest order, in quantity units; at least one lot.
    pub qty_min: Qty,
    /// Largest order, in quantity units.
    pub qty_max: Qty,
    /// Smallest order value in the quote asset; zero where the venue has none.
    pub notional_min: Decimal,
    /// Base asset of one contract (linear) or quote asset of one contract (inverse); one for spot.
    pub contract_size: Step,
    /// What the venue allows now.
    pub status: Status,
    /// Where these values come from, for the journal and for people.
    pub source: String,
}

/// Digits that amounts of inverse contracts are kept to: a division has to end somewhere, and venues book
/// at 8.
pub const INVERSE_AMOUNT_EXPONENT: u8 = 18;

/// Digits that amounts of spot and linear instruments have at least: venues charge fees to so many, far below the value
/// of one step of price and quantity.
pub const AMOUNT_EXPONENT_MIN: u8 = 8;

/// Powers of ten up to [`AMOUNT_EXPONENT_MIN`].
const TENS: [i128; AMOUNT_EXPONENT_MIN as usize + 1] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];

impl Instrument {
    /// The asset that amounts (notional, cash, profit) of this instrument are counted in.
    #[must_use]
    pub fn settle(&self) -> &str {
        if self.kind == ContractKind::Inverse { &self.base } else { &self.quote }
    }

    /// The power of ten that amounts of this instrument are scaled by.
    #[must_use]
    pub const fn amount_exponent(&self) -> u8 {
        match self.kind {
            ContractKind::Inverse => INVERSE_AMOUNT_EXPONENT,
            ContractKind::Spot | ContractKind::Linear => {
                let exact = self.value_exponent();
                if exact > AMOUNT_EXPONENT_MIN { exact } else { AMOUNT_EXPONENT_MIN }
            }
        }
    }

    /// The power of ten that price times quantity comes in.
    const fn value_exponent(&self) -> u8 {
        self.price_rule.tick.exponent() + self.qty_unit.exponent() + self.contract_size.exponent()
    }

    /// Value of `qty` at `price` in the settlement asset, in units of 10^-[`Self::amount_exponent`]. Exact for
    /// spot and linear; for inverse contracts rounded towards minus infinity at 18 digits.
    /// Err: overflow; a price of zero or below on an inverse contract.
    pub fn notional(&self, price: Price, qty: Qty) -> Result<i128, NumError> {
        let (tick, unit, size) = (self.price_rule.tick, self.qty_unit, self.contract_size);
        let contracts = i128::from(qty.0) * i128::from(unit.mantissa());
        let contracts = contracts.checked_mul(i128::from(size.mantissa())).ok_or(NumError::Overflow)?;
        let price_scaled = i128::from(price.0) * i128::from(tick.mantissa());
        match self.kind {
            ContractKind::Spot | ContractKind::Linear => {
                let more = AMOUNT_EXPONENT_MIN.saturating_sub(self.value_exponent());
                let factor = TENS.get(usize::from(more)).ok_or(NumError::Overflow)?;
                let value = contracts.checked_mul(price_scaled).ok_or(NumError::Overflow)?;
                value.checked_mul(*factor).ok_or(NumError::Overflow)
            }
            ContractKind::Inverse => {
                if price_scaled <= 0 {
                    return Err(NumError::ZeroPrice);
                }
                // contracts x 10^-(unit+size) / (price x 10^-tick), in units of 10^-18
                let up = INVERSE_AMOUNT_EXPONENT + tick.exponent();
                let down = unit.exponent() + size.exponent();
                let shift = u32::from(up.checked_sub(down).ok_or(NumError::Overflow)?);
                let factor = 10_i128.checked_pow(shift).ok_or(NumError::Overflow)?;
                Ok(contracts.checked_mul(factor).ok_or(NumError::Overflow)?.div_euclid(price_scaled))
            }
        }
    }

    /// The value of an order in the *quote* asset (what limits and minimums are written in), as an exact
    /// decimal. Err: overflow.
    pub fn quote_value(&self, price: Price, qty: Qty) -> Result<Decimal, NumError> {
        let (unit, size) = (self.qty_unit, self.contract_size);
        if self.kind == ContractKind::Inverse {
            let contracts = i128::from(qty.0) * i128::from(unit.mantissa());
            let mantissa = contracts.checked_mul(i128::from(size.mantissa())).ok_or(NumError::Overflow)?;
            return Ok(Decimal { mantissa, exponent: unit.exponent() + size.exponent(), digits: 0 });
        }
        Ok(Decimal { mantissa: self.notional(price, qty)?, exponent: self.amount_exponent(), digits: 0 })
    }

    /// The largest whole number of lots whose quote value at `price` is not above `quote_amount` (rounded
    /// down; may be zero). Err: overflow; a price of zero or below.
    pub fn lots_for_quote_floor(&self, quote_amount: Decimal, price: Price) -> Result<Qty, NumError> {
        let one_lot = self.quote_value(price, self.lot)?;
        if one_lot.mantissa <= 0 {
            return Err(NumError::ZeroPrice);
        }
        let exponent = one_lot.exponent.max(quote_amount.exponent);
        let lots = quote_amount.rescaled(exponent)?.div_euclid(one_lot.rescaled(exponent)?);
        let lots = i64::try_from(lots).map_err(|_| NumError::Overflow)?;
        lots.checked_mul(self.lot.0).map(Qty).ok_or(NumError::Overflow)
    }

    /// An amount of the settlement asset for printing.
    #[must_use]
    pub const fn amount(&self, amount: i128) -> Decimal {
        Decimal { mantissa: amount, exponent: self.amount_exponent(), digits: 0 }
    }

    /// `venue:symbol`, the name that is unique in a run.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}:{}", self.venue, self.symbol)
    }
}

/// The instruments of a run, indexed by [`InstrumentId`].
#[derive(Clone, Debug, Default)]
pub struct InstrumentTable {
    instruments: Vec<Instrument>,
    venues: Vec<String>,
}

impl InstrumentTable {
    /// Adds `instrument`, gives it its ids, and returns its id. One that is there already (same venue and
    /// symbol) is replaced and keeps its id.
    pub fn add(&mut self, mut instrument: Instrument) -> InstrumentId {
        let venue_index = self.venues.iter().position(|v| *v == instrument.venue).unwrap_or_else(|| {
            self.venues.push(instrument.venue.clone());
            self.venues.len() - 1
        });
        instrument.venue_id = VenueId(u16::try_from(venue_index).unwrap_or(u16::MAX));
        let found = self.find(&instrument.venue, &instrument.symbol).map(|known| known.id);
        let id = found.unwrap_or(InstrumentId(u32::try_from(self.instruments.len()).unwrap_or(u32::MAX)));
        instrument.id = id;
        match found {
            Some(id) => self.instruments[id.index()] = instrument,
            None => self.instruments.push(instrument),
        }
        id
    }

    /// The instrument of a venue and its symbol.
    #[must_use]
    pub fn find(&self, venue: &str, symbol: &str) -> Option<&Instrument> {
        self.instruments.iter().find(|i| i.venue == venue && i.symbol == symbol)
    }

    /// The instrument with this id.
    #[must_use]
    pub fn get(&self, id: InstrumentId) -> Option<&Instrument> {
        self.instruments.get(id.index())
    }

    /// All of them, in the order of their ids.
    pub fn iter(&self) -> std::slice::Iter<'_, Instrument> {
        self.instruments.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.instruments.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.instruments.is_empty()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An instrument with round numbers for the tests of other modules.
    pub(crate) fn instrument(kind: ContractKind, tick: &str, unit: &str, size: &str) -> Instrument {
        let step = |text: &str| Step::parse(text.as_bytes()).unwrap();
        Instrument {
            id: InstrumentId(0),
            venue_id: VenueId(0),
            venue: "test".into(),
            symbol: "BTCUSDT".into(),
            base: "BTC".into(),
            quote: "USDT".into(),
            kind,
            price_rule: PriceRule { tick: step(tick), significant_figures: None },
            qty_unit: step(unit),
            lot: Qty(1),
            qty_min: Qty(1),
            qty_max: Qty(i64::MAX),
            notional_min: Decimal::ZERO,
            contract_size: step(size),
            status: Status::Trading,
            source: "test".into(),
        }
    }

    #[test]
    fn linear_amounts_are_exact_and_overflow_is_an_error() {
        let btc = instrument(ContractKind::Linear, "0.10", "0.001", "1");
        let amount = btc.notional(Price(618_002), Qty(14)).unwrap();
        assert_eq!(btc.amount(amount).to_string(), "865.2028");
        assert_eq!(btc.settle(), "USDT");
        let coarse = instrument(ContractKind::Linear, "100000000", "1", "1000000000");
        assert_eq!(coarse.notional(Price(i64::MAX), Qty(i64::MAX)), Err(NumError::Overflow));
    }

    #[test]
    fn inverse_amounts_are_in_base_and_rounded_down() {
        let perp = instrument(ContractKind::Inverse, "0.1", "1", "100");
        // 3 contracts of 100 USD at 60,000 = 0.005 BTC; at 70,000 it never ends
        assert_eq!(perp.amount(perp.notional(Price(600_000), Qty(3)).unwrap()).to_string(), "0.005");
        assert_eq!(perp.notional(Price(700_000), Qty(1)).unwrap(), 1_428_571_428_571_428);
        assert_eq!(perp.notional(Price(700_000), Qty(-1)).unwrap(), -1_428_571_428_571_429);
        assert_eq!(perp.notional(Price(0), Qty(1)), Err(NumError::ZeroPrice));
        assert_eq!(perp.quote_value(Price(700_000), Qty(7)).unwrap().to_string(), "700");
        assert_eq!(perp.settle(), "BTC");
    }

    #[test]
    fn a_quote_amount_buys_whole_lots_rounded_down() {
        let mut spot = instrument(ContractKind::Spot, "0.01", "0.00000001", "1");
        spot.lot = Qty(1_000);
        let hundred = Decimal::parse("100").unwrap();
        // 100 / 61,837.63 = 0.0016171..., in lots of 0.00001
        assert_eq!(spot.lots_for_quote_floor(hundred, Price(6_183_763)), Ok(Qty(161_000)));
        assert_eq!(spot.lots_for_quote_floor(hundred, Price(0)), Err(NumError::ZeroPrice));
        let perp = instrument(ContractKind::Inverse, "0.1", "1", "100");
        assert_eq!(perp.lots_for_quote_floor(Decimal::parse("250").unwrap(), Price(1)), Ok(Qty(2)));
    }

    #[test]
    fn significant_figures_coarsen_the_step_but_never_beyond_whole_numbers() {
        let rule = PriceRule { tick: Step::parse(b"0.1").unwrap(), significant_figures: Some(5) };
        assert_eq!(rule.step_at(Price(1_050_551)), 10); // 105055.1: whole numbers only
        assert_eq!(rule.step_at(Price(35_001)), 1); // 3500.1 has five figures
        assert_eq!(rule.step_at(Price(350_012)), 10);
        assert_eq!(
            (rule.floor(Price(1_050_551)), rule.ceil(Price(1_050_551))),
            (Price(1_050_550), Price(1_050_560))
        );
        assert!(rule.allows(Price(1_050_550)) && !rule.allows(Price(1_050_551)) && !rule.allows(Price(0)));
        let fine = PriceRule { tick: Step::parse(b"0.000001").unwrap(), significant_figures: Some(5) };
        assert_eq!(fine.step_at(Price(43_423)), 1); // 0.043423
        assert_eq!(fine.step_at(Price(3_500_123)), 100); // 3.500123 -> 3.5001
    }

    #[test]
    fn the_table_finds_by_venue_and_symbol_and_replaces_in_place() {
        let mut table = InstrumentTable::default();
        let spot =
            table.add(Instrument { venue: "a-spot".into(), ..instrument(ContractKind::Spot, "1", "1", "1") });
        let perp = table
            .add(Instrument { venue: "a-perp".into(), ..instrument(ContractKind::Linear, "1", "1", "1") });
        assert_eq!((spot, perp), (InstrumentId(0), InstrumentId(1)));
        assert_eq!(table.get(perp).unwrap().venue_id, VenueId(1));
        let again =
            table.add(Instrument { venue: "a-spot".into(), ..instrument(ContractKind::Spot, "5", "1", "1") });
        assert_eq!((again, table.len()), (spot, 2));
        assert_eq!(table.find("a-spot", "BTCUSDT").unwrap().price_rule.tick.mantissa(), 5);
        assert!(table.find("a-spot", "ETHUSDT").is_none());
    }
}
