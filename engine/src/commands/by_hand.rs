//! Orders by hand: what a person types, and the numbers that it becomes.

use super::ResolveError;
use crate::instrument::Instrument;
use crate::num::{Level, NumError, Price, Qty, Side, Step};
use crate::order::{OrderKind, Terms, Tif};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// An order, or which order, in a [`CommandBody`](super::CommandBody). All zero where a command is about none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct OrderWish {
    /// Of a cancel: the sequence of the order.
    pub seq: u64,
    /// Limit price; zero: none.
    pub price: Price,
    /// The price that triggers it; zero: none.
    pub trigger: Price,
    /// Quantity.
    pub qty: Qty,
    /// Of a cancel by client order id: the run that it names.
    pub run: u32,
    /// `Side`.
    pub side: u8,
    /// `OrderKind`.
    pub kind: u8,
    /// `Tif`.
    pub tif: u8,
    /// 1: it only reduces the position.
    pub reduce_only: u8,
}
const _: () = assert!(size_of::<OrderWish>() == 40);

impl OrderWish {
    /// Side, price and quantity, time in force and terms. None: a number that is none (never from this process).
    #[must_use]
    pub fn order(&self) -> Option<(Side, Level, Tif, Terms)> {
        let side = Side::BOTH.into_iter().find(|side| *side as u8 == self.side)?;
        let tif = Tif::ALL.into_iter().find(|tif| *tif as u8 == self.tif)?;
        let kind = OrderKind::from_u8(self.kind)?;
        let terms = Terms { kind, trigger: self.trigger, reduce_only: self.reduce_only == 1 };
        Some((side, Level { price: self.price, qty: self.qty }, tif, terms))
    }

    /// Reads the terms of an order on `instrument`: `side`, `qty`, `limit`, `trigger`, `tif`, `reduce_only`. With
    /// neither limit nor trigger it is a market order. Terms of other names are left to the caller.
    /// Err: the term that is wrong, and what it must be.
    pub(super) fn read(terms: &[(String, String)], instrument: &Instrument) -> Result<Self, ResolveError> {
        let find =
            |name: &str| terms.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let wrong = |name: &'static str, text: &str, what: String| {
            Err(ResolveError::Term { name, text: text.to_owned(), what })
        };
        let side = match find("side").unwrap_or_default() {
            "buy" => Side::Buy,
            "sell" => Side::Sell,
            text => return wrong("side", text, "must be buy or sell".into()),
        };
        let qty = quantity(find("qty").unwrap_or_default(), instrument)?;
        let limit = find("limit").map(|text| price("limit", text, instrument)).transpose()?;
        let trigger = find("trigger").map(|text| price("trigger", text, instrument)).transpose()?;
        let kind = match (limit, trigger) {
            (None, None) => OrderKind::Market,
            (Some(_), None) => OrderKind::Limit,
            (None, Some(_)) => OrderKind::Stop,
            (Some(_), Some(_)) => OrderKind::StopLimit,
        };
        let tif = match (find("tif"), kind) {
            (None, OrderKind::Limit | OrderKind::StopLimit) => Tif::Gtc,
            (None, OrderKind::Market | OrderKind::Stop) => Tif::Ioc,
            (Some(text), OrderKind::Market | OrderKind::Stop) => {
                return wrong("tif", text, "goes with a limit price".into());
            }
            (Some(text), kind) => {
                match Tif::ALL.into_iter().find(|tif| tif.name().eq_ignore_ascii_case(text)) {
                    Some(Tif::PostOnly) if kind == OrderKind::StopLimit => {
                        return wrong("tif", text, "is of no order that waits for a trigger".into());
                    }
                    Some(tif) => tif,
                    None => return wrong("tif", text, "must be GTC, IOC, FOK or post-only".into()),
                }
            }
        };
        let reduce_only = match find("reduce_only") {
            None => false,
            Some("1") => true,
            Some(text) => return wrong("reduce_only", text, "must be 1 or not there".into()),
        };
        Ok(Self {
            seq: 0,
            price: limit.unwrap_or_default(),
            trigger: trigger.unwrap_or_default(),
            qty,
            run: 0,
            side: side as u8,
            kind: kind as u8,
            tif: tif as u8,
            reduce_only: u8::from(reduce_only),
        })
    }
}

/// Which order a cancel names: a sequence, or a client order id as `sb7-12-345`; engine and run of the latter.
/// None: neither.
pub(super) fn order_named(text: &str) -> Option<(u64, Option<(u16, u32)>)> {
    let number = |text: &str| {
        let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u64>().ok().filter(|_| is_plain && (text == "0" || !text.starts_with('0')))
    };
    let Some(named) = text.strip_prefix("sb") else {
        return Some((number(text).filter(|seq| *seq > 0)?, None));
    };
    let mut parts = named.split('-').map(number);
    let (engine, run, seq) = (parts.next()??, parts.next()??, parts.next()??);
    let is_whole = parts.next().is_none() && seq > 0;
    let of = (u16::try_from(engine).ok()?, u32::try_from(run).ok()?);
    is_whole.then_some((seq, Some(of)))
}

fn price(name: &'static str, text: &str, instrument: &Instrument) -> Result<Price, ResolveError> {
    let tick = instrument.price_rule.tick;
    let wrong = |what: String| ResolveError::Term { name, text: text.to_owned(), what };
    let price = Price::parse(text.as_bytes(), tick).map_err(|error| wrong(finer(error, "tick", tick)))?;
    match () {
        () if price.0 <= 0 => Err(wrong("must be above zero".into())),
        () if !instrument.price_rule.allows(price) => {
            let step = tick.decimal(i128::from(instrument.price_rule.step_at(price)));
            Err(wrong(format!("is no multiple of {step}, the step of prices there")))
        }
        () => Ok(price),
    }
}

fn quantity(text: &str, instrument: &Instrument) -> Result<Qty, ResolveError> {
    let (unit, lot) = (instrument.qty_unit, instrument.lot);
    let wrong = |what: String| ResolveError::Term { name: "qty", text: text.to_owned(), what };
    let lot_text = lot.display(unit);
    let qty = Qty::parse(text.as_bytes(), unit).map_err(|error| match error {
        NumError::OffStep => wrong(format!("is no multiple of the lot, {lot_text}")),
        error => wrong(unreadable(error)),
    })?;
    let least = instrument.qty_min.max(lot);
    match () {
        () if qty < least => Err(wrong(format!("is below the smallest order, {}", least.display(unit)))),
        () if lot.0 > 0 && qty.0 % lot.0 != 0 => Err(wrong(format!("is no multiple of the lot, {lot_text}"))),
        () if qty > instrument.qty_max => {
            Err(wrong(format!("is above the largest order, {}", instrument.qty_max.display(unit))))
        }
        () => Ok(qty),
    }
}

fn finer(error: NumError, what: &str, step: Step) -> String {
    match error {
        NumError::OffStep => format!("is no multiple of the {what}, {}", step.decimal(1)),
        error => unreadable(error),
    }
}

fn unreadable(error: NumError) -> String {
    if error == NumError::NotADecimal { "is no plain decimal number" } else { "is out of range" }.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::ContractKind;
    use crate::instrument::tests::instrument;

    fn btc() -> Instrument {
        let btc = instrument(ContractKind::Linear, "0.1", "0.001", "1");
        Instrument { lot: Qty(2), qty_min: Qty(4), qty_max: Qty(1000), ..btc }
    }

    fn read(terms: &[(&str, &str)]) -> Result<OrderWish, String> {
        let terms: Vec<_> = terms.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        OrderWish::read(&terms, &btc()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_typed_becomes_an_order_of_its_kind() {
        let order = |more: &[(&str, &str)]| {
            let terms = [&[("side", "buy"), ("qty", "0.010")], more].concat();
            let (side, level, tif, terms) = read(&terms).unwrap().order().unwrap();
            assert_eq!((side, level.qty), (Side::Buy, Qty(10)));
            (level.price, tif, terms)
        };
        let (limit, trigger) = (("limit", "60000.5"), ("trigger", "60010"));
        assert_eq!(order(&[]), (Price(0), Tif::Ioc, Terms::MARKET));
        assert_eq!(order(&[limit]), (Price(600_005), Tif::Gtc, Terms::LIMIT));
        assert_eq!(order(&[limit, ("tif", "post-only")]), (Price(600_005), Tif::PostOnly, Terms::LIMIT));
        assert_eq!(order(&[limit, ("tif", "fok")]).1, Tif::Fok);
        assert_eq!(order(&[trigger]), (Price(0), Tif::Ioc, Terms::stop(Price(600_100))));
        let stop_limit = (Price(600_005), Tif::Gtc, Terms::stop_limit(Price(600_100)));
        assert_eq!(order(&[trigger, limit]), stop_limit);
        assert_eq!(order(&[("reduce_only", "1")]).2, Terms::MARKET.reducing());
    }

    #[test]
    fn what_cannot_be_ordered_is_named_with_what_it_must_be() {
        let wrong = |name: &str, text: &str| {
            let mut terms = vec![("side", "buy"), ("qty", "0.010"), ("limit", "60000.5")];
            terms.retain(|(known, _)| *known != name);
            terms.push((name, text));
            read(&terms).unwrap_err()
        };
        for (name, text, expected) in [
            ("side", "up", "side: up must be buy or sell"),
            ("qty", "0.003", "qty: 0.003 is below the smallest order, 0.004"),
            ("qty", "0.005", "qty: 0.005 is no multiple of the lot, 0.002"),
            ("qty", "0.0045", "qty: 0.0045 is no multiple of the lot, 0.002"),
            ("qty", "1.002", "qty: 1.002 is above the largest order, 1.000"),
            ("qty", "-1", "qty: -1 is no plain decimal number"),
            ("limit", "60000.55", "limit: 60000.55 is no multiple of the tick, 0.1"),
            ("limit", "0", "limit: 0 must be above zero"),
            ("limit", "6e4", "limit: 6e4 is no plain decimal number"),
            ("trigger", "1.01", "trigger: 1.01 is no multiple of the tick, 0.1"),
            ("tif", "GTT", "tif: GTT must be GTC, IOC, FOK or post-only"),
            ("reduce_only", "yes", "reduce_only: yes must be 1 or not there"),
        ] {
            assert_eq!(wrong(name, text), expected);
        }
        let market = read(&[("side", "sell"), ("qty", "1"), ("tif", "GTC")]).unwrap_err();
        assert_eq!(market, "tif: GTC goes with a limit price");
        let waiting =
            [("side", "sell"), ("qty", "1"), ("limit", "1"), ("trigger", "1"), ("tif", "post-only")];
        assert_eq!(read(&waiting).unwrap_err(), "tif: post-only is of no order that waits for a trigger");
    }

    #[test]
    fn an_order_is_named_by_its_sequence_or_its_client_order_id() {
        assert_eq!(order_named("345"), Some((345, None)));
        assert_eq!(order_named("sb7-12-345"), Some((345, Some((7, 12)))));
        for wrong in
            ["", "0", "-1", "+1", "01", "x", "sb7-12", "sb7-12-", "sb7-12-0", "sb7-12-3-4", "sb70000-1-1"]
        {
            assert_eq!(order_named(wrong), None, "{wrong}");
        }
    }
}
