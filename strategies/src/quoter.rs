//! The quoter: one bid and one ask at the touch, of a configured size, inside a position limit, and nothing on
//! a book that cannot be trusted.

use engine::instrument::Instrument;
use engine::message::{BookChanged, QuoteReason, Quotes};
use engine::num::{Decimal, Level, Price, Qty};
use engine::time::Nanos;
use serde::Deserialize;

/// The quoter's table in the configuration. Amounts in the quote asset, so that it fits any instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuoterConfig {
    /// Value of each quote, quote asset; above zero. Rounded down to whole lots.
    pub quote_notional: Decimal,
    /// No bid when the position's value, quote asset, is this far long, and no ask when it is this far short;
    /// at least `quote_notional`.
    pub position_notional_max: Decimal,
    /// Nothing is quoted on a touch that no message confirmed for longer, ms; 1..=60,000.
    pub touch_age_ms_max: u64,
}

impl QuoterConfig {
    /// Err: the key and what it must be.
    pub fn check(&self) -> Result<(), &'static str> {
        if self.quote_notional.mantissa <= 0 {
            return Err("quote_notional must be above 0");
        }
        if is_below(self.position_notional_max, self.quote_notional) {
            return Err("position_notional_max must be at least quote_notional");
        }
        if !(1..=60_000).contains(&self.touch_age_ms_max) {
            return Err("touch_age_ms_max must be in 1..=60000");
        }
        Ok(())
    }
}

/// The quoter on one instrument.
#[derive(Clone, Debug)]
pub struct Quoter {
    config: QuoterConfig,
    instrument: Instrument,
    bid: Level,
    ask: Level,
    state: u32,
    is_old: bool,
    seen: bool,
    /// Something that a decision rests on is another than at the last one.
    changed: bool,
    position: Qty,
    target: Quotes,
}

impl Quoter {
    /// A quoter that has seen nothing and wants nothing.
    #[must_use]
    pub fn new(config: QuoterConfig, instrument: Instrument) -> Self {
        Self {
            config,
            instrument,
            bid: Level::default(),
            ask: Level::default(),
            state: 0,
            is_old: false,
            seen: false,
            changed: true,
            position: Qty(0),
            target: Quotes::none(QuoteReason::NoData),
        }
    }

    /// The book after a message.
    #[inline]
    pub fn on_book(&mut self, book: &BookChanged) {
        // Quantities at the touch change nothing but whether there are any.
        let basis =
            |bid: Level, ask: Level, state| (bid.price, bid.qty.0 > 0, ask.price, ask.qty.0 > 0, state);
        self.changed |=
            !self.seen || basis(book.bid, book.ask, book.state) != basis(self.bid, self.ask, self.state);
        (self.bid, self.ask, self.state, self.seen) = (book.bid, book.ask, book.state, true);
    }

    /// The touch's age.
    #[inline]
    pub fn on_touch_age(&mut self, age: Nanos) {
        let is_old = age.as_ms() > self.config.touch_age_ms_max;
        self.changed |= is_old != self.is_old;
        self.is_old = is_old;
    }

    /// The position after a fill, a reject, a cancel.
    #[inline]
    pub fn on_position(&mut self, position: Qty) {
        self.changed |= position != self.position;
        self.position = position;
    }

    /// The target to state, when it is another than the last.
    #[inline]
    pub fn decide(&mut self) -> Option<Quotes> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let target = self.wanted();
        if target == self.target {
            return None;
        }
        self.target = target;
        Some(target)
    }

    /// Why it quotes or not.
    #[must_use]
    pub fn reason(&self) -> QuoteReason {
        self.target.reason()
    }

    fn wanted(&self) -> Quotes {
        if !self.seen {
            return Quotes::none(QuoteReason::NoData);
        }
        if self.state != 0 || self.bid.qty.0 <= 0 || self.ask.qty.0 <= 0 || self.bid.price >= self.ask.price {
            return Quotes::none(QuoteReason::BookInvalid);
        }
        if self.is_old {
            return Quotes::none(QuoteReason::BookOld);
        }
        let rule = self.instrument.price_rule;
        let bid = self.quote(rule.floor(self.bid.price));
        let ask = self.quote(rule.ceil(self.ask.price));
        if bid.qty.0 == 0 || ask.qty.0 == 0 {
            return Quotes::none(QuoteReason::SizeBelowMinimum);
        }
        // A limit that arithmetic cannot tell counts as reached.
        let long = self.position.0 > 0 && self.reaches_limit(bid);
        let short = self.position.0 < 0 && self.reaches_limit(ask);
        match (long, short) {
            (true, _) => Quotes::new(Level::default(), ask, QuoteReason::PositionLong),
            (_, true) => Quotes::new(bid, Level::default(), QuoteReason::PositionShort),
            _ => Quotes::new(bid, ask, QuoteReason::Quoting),
        }
    }

    /// The configured size at `price`; zero when it comes to less than the venue takes.
    fn quote(&self, price: Price) -> Level {
        let instrument = &self.instrument;
        let qty = instrument.lots_for_quote_floor(self.config.quote_notional, price).unwrap_or(Qty(0));
        let value = instrument.quote_value(price, qty);
        let too_small =
            qty < instrument.qty_min || value.is_ok_and(|value| is_below(value, instrument.notional_min));
        Level { price, qty: if too_small { Qty(0) } else { qty } }
    }

    /// Whether the position with one more quote would be beyond the limit.
    fn reaches_limit(&self, quote: Level) -> bool {
        let with_quote = self.position.0.checked_abs().and_then(|held| held.checked_add(quote.qty.0));
        let value = with_quote.and_then(|qty| self.instrument.quote_value(quote.price, Qty(qty)).ok());
        value.is_none_or(|value| is_below(self.config.position_notional_max, value))
    }
}

/// Whether `a` is below `b`; true when the two cannot be compared.
fn is_below(a: Decimal, b: Decimal) -> bool {
    let exponent = a.exponent.max(b.exponent);
    match (a.rescaled(exponent), b.rescaled(exponent)) {
        (Ok(a), Ok(b)) => a < b,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::ids::{InstrumentId, VenueId};
    use engine::instrument::{ContractKind, PriceRule, Status};
    use engine::message::book_state;
    use engine::num::Step;

    fn quoter() -> Quoter {
        let step = |text: &str| Step::parse(text.as_bytes()).unwrap();
        let instrument = Instrument {
            id: InstrumentId(0),
            venue_id: VenueId(0),
            venue: "test".into(),
            symbol: "BTCUSDT".into(),
            base: "BTC".into(),
            quote: "USDT".into(),
            kind: ContractKind::Linear,
            price_rule: PriceRule { tick: step("0.1"), significant_figures: None },
            qty_unit: step("0.001"),
            lot: Qty(1),
            qty_min: Qty(1),
            qty_max: Qty(1_000_000),
            notional_min: Decimal::parse("100").unwrap(),
            contract_size: Step::ONE,
            status: Status::Trading,
            source: "test".into(),
        };
        let config = QuoterConfig {
            quote_notional: Decimal::parse("650").unwrap(),
            position_notional_max: Decimal::parse("1300").unwrap(),
            touch_age_ms_max: 500,
        };
        Quoter::new(config, instrument)
    }

    fn aged(quoter: &mut Quoter, age_ms: u64) -> Option<Quotes> {
        quoter.on_touch_age(Nanos::from_ms(age_ms));
        quoter.decide()
    }

    fn holding(quoter: &mut Quoter, position: i64) -> Option<Quotes> {
        quoter.on_position(Qty(position));
        quoter.decide()
    }

    fn level(price: i64, qty: i64) -> Level {
        Level { price: Price(price), qty: Qty(qty) }
    }

    fn book(bid: Level, ask: Level, state: u32) -> BookChanged {
        BookChanged { bid, ask, state, ..BookChanged::default() }
    }

    #[test]
    fn it_quotes_the_touch_in_whole_lots_and_states_a_target_once() {
        let mut quoter = quoter();
        quoter.on_book(&book(level(600_000, 5), level(600_001, 5), 0));
        let target = aged(&mut quoter, 0).unwrap();
        assert_eq!((target.first.bid, target.first.ask), (level(600_000, 10), level(600_001, 10)));
        assert_eq!(aged(&mut quoter, 0), None);
        quoter.on_book(&book(level(600_000, 9), level(600_001, 1), 0));
        assert_eq!(aged(&mut quoter, 0), None, "other quantities at the same prices change nothing");
        quoter.on_book(&book(level(600_002, 9), level(600_003, 1), 0));
        assert_eq!(aged(&mut quoter, 0).unwrap().first.bid, level(600_002, 10));
        assert_eq!(quoter.reason(), QuoteReason::Quoting);
    }

    #[test]
    fn it_wants_nothing_on_a_book_that_cannot_be_trusted() {
        let (bid, ask) = (level(600_000, 5), level(600_001, 5));
        for (book, age_ms, reason) in [
            (book(bid, ask, book_state::STALE), 0, QuoteReason::BookInvalid),
            (book(bid, ask, book_state::CROSSED), 0, QuoteReason::BookInvalid),
            (book(bid, Level::default(), 0), 0, QuoteReason::BookInvalid),
            (book(ask, bid, 0), 0, QuoteReason::BookInvalid),
            (book(bid, ask, 0), 501, QuoteReason::BookOld),
            (book(level(5, 1), level(6, 1), 0), 0, QuoteReason::Quoting),
        ] {
            let mut quoter = quoter();
            quoter.on_book(&book);
            let target = aged(&mut quoter, age_ms).unwrap();
            assert_eq!(quoter.reason(), reason);
            assert_eq!(target.first.bid.qty.0 == 0, reason != QuoteReason::Quoting);
        }
    }

    #[test]
    fn a_position_at_the_limit_leaves_the_side_that_reduces_it() {
        let mut quoter = quoter();
        quoter.on_book(&book(level(600_000, 5), level(600_001, 5), 0));
        aged(&mut quoter, 0);
        assert_eq!(holding(&mut quoter, 11), None, "21 lots are 1260, within 1300");
        let long = holding(&mut quoter, 12).unwrap();
        assert_eq!(
            (long.first.bid.qty, long.first.ask.qty, quoter.reason()),
            (Qty(0), Qty(10), QuoteReason::PositionLong)
        );
        let short = holding(&mut quoter, -12).unwrap();
        assert_eq!(
            (short.first.bid.qty, short.first.ask.qty, quoter.reason()),
            (Qty(10), Qty(0), QuoteReason::PositionShort)
        );
        assert_eq!(
            holding(&mut quoter, i64::MIN).unwrap_or(short).first.ask.qty,
            Qty(0),
            "a limit nobody can compute is reached"
        );
    }

    #[test]
    fn a_size_below_the_venues_minimum_is_no_quote() {
        let mut quoter = quoter();
        quoter.config.quote_notional = Decimal::parse("99").unwrap();
        quoter.on_book(&book(level(600_000, 5), level(600_001, 5), 0));
        aged(&mut quoter, 0);
        assert_eq!(quoter.reason(), QuoteReason::SizeBelowMinimum);
    }

    #[test]
    fn settings_that_make_no_sense_are_refused_by_name() {
        let config = quoter().config;
        let zero = QuoterConfig { quote_notional: Decimal::ZERO, ..config };
        assert!(zero.check().unwrap_err().starts_with("quote_notional"));
        let tight = QuoterConfig { position_notional_max: Decimal::parse("649.99").unwrap(), ..config };
        assert!(tight.check().unwrap_err().starts_with("position_notional_max"));
        assert!(QuoterConfig { touch_age_ms_max: 0, ..config }.check().is_err());
        assert_eq!(config.check(), Ok(()));
    }
}
