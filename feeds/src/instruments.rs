//! Instruments from a file: a venue's own answer, or a list written by people.
//!
//! A list is TOML (`[[instrument]]` tables) or JSON (`{"instruments": [..]}`); both are read into one struct,
//! so that they cannot come apart. Unknown keys are refused; in JSON a key that begins with `_` is a remark.

use crate::venues::{binance, hyperliquid};
use engine::ids::{InstrumentId, VenueId};
use engine::instrument::{ContractKind, Instrument, PriceRule, Status};
use engine::num::{Decimal, NumError, Qty, Step};
use serde::Deserialize;
use serde_json::Value;
use std::fmt;

/// Why an instrument could not be read: where, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstrumentError {
    /// The symbol, the row, or the line.
    pub place: String,
    /// What is wrong.
    pub what: String,
}

impl InstrumentError {
    pub(crate) fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }
}

impl fmt::Display for InstrumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() {
            f.write_str(&self.what)
        } else {
            write!(f, "{}: {}", self.place, self.what)
        }
    }
}

impl std::error::Error for InstrumentError {}

/// Reads an instruments file of any form: Binance `exchangeInfo` (spot, USD-M or COIN-M), Hyperliquid `meta`,
/// or a list in JSON or TOML. Ids are given later, by the run's table.
/// Err: none of these; or the row and what is wrong with it.
pub fn parse(text: &[u8]) -> Result<Vec<Instrument>, InstrumentError> {
    let text = std::str::from_utf8(text).map_err(|e| InstrumentError::new("", e.to_string()))?;
    if !text.trim_start().starts_with('{') {
        let file: TomlFile =
            toml::from_str(text).map_err(|e| InstrumentError::new("", e.to_string().trim_end()))?;
        return file.instrument.into_iter().map(Row::instrument).collect();
    }
    let root: Value = serde_json::from_str(text).map_err(|e| InstrumentError::new("", e.to_string()))?;
    if root.get("symbols").is_some() {
        return binance::instruments::parse_exchange_info(
            text.as_bytes(),
            binance::instruments::product_of(&root),
        );
    }
    if root.get("universe").is_some() {
        return hyperliquid::instruments::parse_meta(text.as_bytes());
    }
    rows_of_json(root)?.into_iter().map(Row::instrument).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TomlFile {
    instrument: Vec<Row>,
}

/// One instrument as people write it. Numbers are decimal strings, as the venue writes them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// `binance` or `hyperliquid`.
    venue: String,
    /// `spot`, `usdm`, `coinm` (Binance), `perp` (Hyperliquid).
    product: String,
    symbol: String,
    base: String,
    quote: String,
    /// Finest price step the venue prints; or `price_decimals_max`.
    tick: Option<String>,
    price_decimals_max: Option<u8>,
    price_significant_figures: Option<u8>,
    /// Order step.
    lot: String,
    /// Finest quantity the venue prints; the lot where it is left out.
    qty_unit: Option<String>,
    /// Smallest and largest order; one lot and no limit where they are left out.
    min_qty: Option<String>,
    max_qty: Option<String>,
    /// Smallest order value; none where it is left out.
    min_notional: Option<String>,
    /// Base (linear) or quote (inverse) asset of one contract; required for inverse contracts, else one.
    contract_size: Option<String>,
    /// Where the values come from.
    source: String,
}

fn rows_of_json(root: Value) -> Result<Vec<Row>, InstrumentError> {
    let Value::Object(root) = root else { return Err(InstrumentError::new("", "not a JSON object")) };
    let mut rows = None;
    for (key, value) in root {
        match (key.as_str(), value) {
            ("instruments", Value::Array(values)) => rows = Some(values),
            ("instruments", _) => return Err(InstrumentError::new("instruments", "not a list")),
            (remark, _) if remark.starts_with('_') => {}
            (unknown, _) => return Err(InstrumentError::new("", format!("unknown key `{unknown}`"))),
        }
    }
    let rows = rows.ok_or_else(|| {
        InstrumentError::new("", "neither `symbols` (exchangeInfo), `universe` (meta) nor `instruments`")
    })?;
    let read = |(index, mut value): (usize, Value)| {
        if let Value::Object(object) = &mut value {
            object.retain(|key, _| !key.starts_with('_'));
        }
        let symbol = value.get("symbol").and_then(Value::as_str).map_or(String::new(), |s| format!(" ({s})"));
        serde_json::from_value(value)
            .map_err(|e| InstrumentError::new(format!("instruments[{index}]{symbol}"), e.to_string()))
    };
    rows.into_iter().enumerate().map(read).collect()
}

impl Row {
    fn instrument(self) -> Result<Instrument, InstrumentError> {
        let error = |what: String| InstrumentError::new(self.symbol.clone(), what);
        let (venue, kind) = match (self.venue.as_str(), self.product.as_str()) {
            ("binance", "spot") => ("binance-spot", ContractKind::Spot),
            ("binance", "usdm") => ("binance-usdm", ContractKind::Linear),
            ("binance", "coinm") => ("binance-coinm", ContractKind::Inverse),
            ("hyperliquid", "perp") => ("hyperliquid", ContractKind::Linear),
            (venue, product) => {
                return Err(error(format!("unknown venue `{venue}` with product `{product}`")));
            }
        };
        let step = |key: &str, text: &str| {
            Step::parse(text.as_bytes()).map_err(|e| error(format!("{key} = \"{text}\": {e}")))
        };
        let tick = match (&self.tick, self.price_decimals_max) {
            (Some(tick), None) => step("tick", tick)?,
            (None, Some(digits)) if digits <= 18 => Step::of_digits(digits),
            _ => return Err(error("needs either `tick` or `price_decimals_max` (at most 18)".into())),
        };
        let qty_unit = step("qty_unit", self.qty_unit.as_ref().unwrap_or(&self.lot))?;
        let qty = |key: &str, text: &str| -> Result<Qty, InstrumentError> {
            let qty = Qty::parse(text.as_bytes(), qty_unit);
            let qty = qty.map_err(|e| error(format!("{key} = \"{text}\" in units of {qty_unit}: {e}")))?;
            if qty.0 > 0 { Ok(qty) } else { Err(error(format!("{key} = \"{text}\" is zero"))) }
        };
        let lot = qty("lot", &self.lot)?;
        let contract_size = match &self.contract_size {
            Some(size) => step("contract_size", size)?,
            None if kind == ContractKind::Inverse => {
                return Err(error("an inverse contract needs `contract_size`".into()));
            }
            None => Step::ONE,
        };
        let notional_min = self.min_notional.as_ref().map_or(Ok(Decimal::ZERO), |text| {
            Decimal::parse(text)
                .and_then(|d| if d.mantissa < 0 { Err(NumError::OutOfRange) } else { Ok(d) })
                .map_err(|e| error(format!("min_notional = \"{text}\": {e}")))
        })?;
        checked(Instrument {
            id: InstrumentId(0),
            venue_id: VenueId(0),
            venue: venue.into(),
            base: self.base.clone(),
            quote: self.quote.clone(),
            kind,
            price_rule: PriceRule { tick, significant_figures: self.price_significant_figures },
            qty_unit,
            lot,
            qty_min: self.min_qty.as_ref().map_or(Ok(lot), |text| qty("min_qty", text))?.max(lot),
            qty_max: self.max_qty.as_ref().map_or(Ok(Qty(i64::MAX)), |text| qty("max_qty", text))?,
            notional_min,
            contract_size,
            status: Status::Trading,
            source: self.source.clone(),
            symbol: self.symbol,
        })
    }
}

/// The instrument, if it can be found by its symbol and some order keeps its rules. Err: which it is not.
pub(crate) fn checked(instrument: Instrument) -> Result<Instrument, InstrumentError> {
    let (unit, min, max) = (instrument.qty_unit, instrument.qty_min, instrument.qty_max);
    let what = if instrument.symbol.is_empty() {
        format!("an instrument of {} has no symbol", instrument.venue)
    } else if max < min {
        format!("the largest order {} is below the smallest {}", max.display(unit), min.display(unit))
    } else if instrument.notional_min.mantissa < 0 {
        format!("the smallest order value {} is below zero", instrument.notional_min)
    } else {
        return Ok(instrument);
    };
    Err(InstrumentError::new(instrument.symbol, what))
}

/// An instrument described on the command line, for a capture of one that no file knows.
#[derive(Clone, Copy, Debug)]
pub struct Description<'a> {
    /// One of `venues::VENUES`.
    pub venue: &'a str,
    /// The venue's symbol.
    pub symbol: &'a str,
    /// Finest price step (`--tick`).
    pub tick: &'a str,
    /// Order step (`--lot`).
    pub lot: &'a str,
    /// Finest quantity (`--qty-unit`), where it is given.
    pub qty_unit: Option<&'a str>,
    /// Contract size (`--contract-size`), where it is given.
    pub contract_size: Option<&'a str>,
    /// Digits behind the point that the venue's quantities have in the capture, where they were seen.
    pub qty_digits: Option<u8>,
}

impl Description<'_> {
    /// The instrument, and a line for each value that had to be assumed.
    /// Err: an unknown venue; a value that is no step; an inverse contract without its size.
    pub fn instrument(&self) -> Result<(Instrument, Vec<String>), InstrumentError> {
        let error = |what: String| InstrumentError::new(self.symbol, what);
        let step = |flag: &str, text: &str| {
            Step::parse(text.as_bytes()).map_err(|e| error(format!("{flag} {text}: {e}")))
        };
        let kind = match self.venue {
            "binance-spot" => ContractKind::Spot,
            "binance-usdm" | "hyperliquid" => ContractKind::Linear,
            "binance-coinm" => ContractKind::Inverse,
            unknown => return Err(error(format!("unknown venue `{unknown}`"))),
        };
        let mut assumed = vec!["status: trading".to_owned(), "minimum notional: 0".to_owned()];
        let lot_step = step("--lot", self.lot)?;
        let qty_unit = match (self.qty_unit, self.qty_digits) {
            (Some(unit), _) => step("--qty-unit", unit)?,
            (None, digits) => {
                let (digits, from) = match digits {
                    Some(digits) => (digits, "the digits the venue prints"),
                    None if kind == ContractKind::Spot => (8, "the digits Binance spot prints"),
                    None => (0, "the order step"),
                };
                let unit = Step::of_digits(digits.max(lot_step.exponent()));
                assumed.push(format!("quantity unit: {unit} (from {from})"));
                unit
            }
        };
        let lot = Qty::parse(self.lot.as_bytes(), qty_unit);
        let lot = lot.map_err(|e| error(format!("--lot {} in units of {qty_unit}: {e}", self.lot)))?;
        let contract_size = match self.contract_size {
            Some(size) => step("--contract-size", size)?,
            None if kind == ContractKind::Inverse => {
                return Err(error("an inverse contract needs --contract-size".into()));
            }
            None => Step::ONE,
        };
        if self.contract_size.is_none() && kind == ContractKind::Linear {
            assumed.push("contract size: 1".to_owned());
        }
        // A symbol does not tell where the base asset's name ends.
        let (base, quote) = match self.venue {
            "hyperliquid" => (self.symbol.to_owned(), "USDC".to_owned()),
            _ => (format!("{}.base", self.symbol), format!("{}.quote", self.symbol)),
        };
        assumed.push(format!("base asset: {base}"));
        assumed.push(format!("quote asset: {quote}"));
        let significant_figures = (self.venue == "hyperliquid").then_some(hyperliquid::PRICE_FIGURES);
        if let Some(figures) = significant_figures {
            assumed.push(format!("significant figures of an order price: {figures}"));
        }
        let instrument = Instrument {
            id: InstrumentId(0),
            venue_id: VenueId(0),
            venue: self.venue.into(),
            symbol: self.symbol.into(),
            base,
            quote,
            kind,
            price_rule: PriceRule { tick: step("--tick", self.tick)?, significant_figures },
            qty_unit,
            lot,
            qty_min: lot,
            qty_max: Qty(i64::MAX),
            notional_min: Decimal::ZERO,
            contract_size,
            status: Status::Trading,
            source: "described on the command line".into(),
        };
        Ok((checked(instrument)?, assumed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIPPED: &str = include_str!("../../tools/sabrewing/configs/instruments.toml");

    fn shared_list() -> Value {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/captures/instruments.json");
        serde_json::from_slice(&std::fs::read(path).expect("the shared instruments are missing")).unwrap()
    }

    #[test]
    fn the_shipped_instruments_are_those_of_the_captures() {
        let shipped = parse(SHIPPED.as_bytes()).unwrap();
        let listed = parse(shared_list().to_string().as_bytes()).unwrap();
        assert_eq!(shipped.len(), 4);
        for (shipped, listed) in shipped.iter().zip(&listed) {
            // The list does not say with how many digits the venue prints a price.
            let (tick, other) = (shipped.price_rule.tick, listed.price_rule.tick);
            assert_eq!((tick.mantissa(), tick.exponent()), (other.mantissa(), other.exponent()));
            let (source, price_rule) = (shipped.source.clone(), shipped.price_rule);
            assert_eq!(*shipped, Instrument { source, price_rule, ..listed.clone() });
        }
        let perp = &shipped[2];
        assert_eq!((perp.venue.as_str(), perp.kind), ("binance-coinm", ContractKind::Inverse));
        assert_eq!((perp.contract_size.to_string(), perp.qty_unit), ("100".into(), Step::ONE));
        let spot = &shipped[0];
        assert_eq!(
            (spot.lot, spot.qty_min, spot.notional_min.to_string()),
            (Qty(1_000), Qty(1_000), "5".into())
        );
        let hyperliquid = &shipped[3].price_rule;
        assert_eq!((hyperliquid.tick.to_string(), hyperliquid.significant_figures), ("0.1".into(), Some(5)));
    }

    #[test]
    fn an_instrument_that_cannot_be_found_or_whose_rules_no_order_keeps_is_refused() {
        for (key, line, what) in [
            ("symbol", "symbol = \"\"", "an instrument of binance-spot has no symbol"),
            (
                "lot",
                "lot = \"0.00001\"\nmax_qty = \"0.00000001\"",
                "BTCUSDT: the largest order 0.00000001 is below the smallest",
            ),
        ] {
            let error = with(key, line).unwrap_err().to_string();
            assert!(error.starts_with(what), "{error}");
        }
    }

    /// The shipped file with the one line of its first instrument that has `key` replaced.
    fn with(key: &str, line: &str) -> Result<Vec<Instrument>, InstrumentError> {
        let first = SHIPPED.split("[[instrument]]").nth(1).unwrap();
        let changed: String = first
            .lines()
            .map(|old| if old.starts_with(key) { line } else { old })
            .fold("[[instrument]]".into(), |text, line| format!("{text}{line}\n"));
        parse(changed.as_bytes())
    }

    #[test]
    fn a_wrong_row_is_refused_with_symbol_key_and_value() {
        for (key, line, what) in [
            ("tick", "tick = \"0\"", "BTCUSDT: tick = \"0\": number out of range"),
            ("tick", "tick = \"1e-2\"", "BTCUSDT: tick = \"1e-2\": not a plain decimal number"),
            ("tick", "", "BTCUSDT: needs either `tick` or `price_decimals_max` (at most 18)"),
            (
                "tick",
                "price_decimals_max = 19",
                "BTCUSDT: needs either `tick` or `price_decimals_max` (at most 18)",
            ),
            (
                "lot",
                "lot = \"0.000000001\"",
                "BTCUSDT: lot = \"0.000000001\" in units of 0.00000001: not a whole",
            ),
            ("lot", "lot = \"0.0\"", "BTCUSDT: lot = \"0.0\" is zero"),
            ("min_notional", "min_notional = \"-5\"", "BTCUSDT: min_notional = \"-5\": number out of range"),
            ("product", "product = \"coinm\"", "BTCUSDT: an inverse contract needs `contract_size`"),
            ("product", "product = \"perp\"", "BTCUSDT: unknown venue `binance` with product `perp`"),
        ] {
            let error = with(key, line).unwrap_err().to_string();
            assert!(error.starts_with(what), "{error}");
        }
        let error = with("source", "sauce = \"x\"").unwrap_err().to_string();
        assert!(error.contains("line 11") && error.contains("sauce"), "{error}");
        let error = with("source", "").unwrap_err().to_string();
        assert!(error.contains("missing field `source`"), "{error}");
    }

    #[test]
    fn remarks_are_allowed_in_json_and_unknown_keys_are_not() {
        let mut list = shared_list();
        list["instruments"][1]["_why"] = "a remark".into();
        assert_eq!(parse(list.to_string().as_bytes()).unwrap().len(), 4);
        list["instruments"][1]["lott"] = "1".into();
        let error = parse(list.to_string().as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("instruments[1] (BTCUSDT): unknown field `lott`"), "{error}");
        for (text, what) in [
            (r#"{"other": 1}"#, "unknown key `other`"),
            (r#"{"_other": 1}"#, "neither `symbols`"),
            (r#"{"instruments": 1}"#, "instruments: not a list"),
            (r#"{"instruments": "#, "EOF while parsing a value at line 1"),
            ("instrument = 1", "TOML parse error at line 1"),
            ("", "TOML parse error at line 1"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(what), "{error}");
        }
        assert!(parse(b"\xff").is_err());
    }

    const DESCRIPTION: Description<'static> = Description {
        venue: "binance-usdm",
        symbol: "ABUSDT",
        tick: "0.05",
        lot: "0.01",
        qty_unit: None,
        contract_size: None,
        qty_digits: Some(3),
    };

    #[test]
    fn a_described_instrument_says_what_was_assumed() {
        let (instrument, assumed) = DESCRIPTION.instrument().unwrap();
        assert_eq!((instrument.qty_unit.to_string(), instrument.lot), ("0.001".into(), Qty(10)));
        assert_eq!((instrument.status, instrument.notional_min), (Status::Trading, Decimal::ZERO));
        assert_eq!(instrument.contract_size, Step::ONE);
        let assumed = assumed.join("; ");
        for value in
            ["status: trading", "notional: 0", "unit: 0.001 (from the digits", "contract size: 1", "base"]
        {
            assert!(assumed.contains(value), "{assumed}");
        }
        let given = Description { qty_unit: Some("0.005"), contract_size: Some("1"), ..DESCRIPTION };
        let (instrument, assumed) = given.instrument().unwrap();
        assert_eq!((instrument.qty_unit.to_string(), instrument.lot), ("0.005".into(), Qty(2)));
        assert!(
            !assumed.iter().any(|line| line.contains("unit") || line.contains("contract")),
            "{assumed:?}"
        );
        let unseen = Description { qty_digits: None, ..DESCRIPTION };
        assert_eq!(unseen.instrument().unwrap().0.qty_unit.to_string(), "0.01");
        let spot = Description { venue: "binance-spot", ..unseen };
        assert_eq!(spot.instrument().unwrap().0.qty_unit.to_string(), "0.00000001");
    }

    #[test]
    fn an_inverse_contract_needs_its_size_and_wrong_values_are_named() {
        let inverse = Description { venue: "binance-coinm", lot: "1", ..DESCRIPTION };
        let error = inverse.instrument().unwrap_err().to_string();
        assert_eq!(error, "ABUSDT: an inverse contract needs --contract-size");
        let sized = Description { contract_size: Some("10"), ..inverse };
        assert_eq!(sized.instrument().unwrap().0.contract_size.to_string(), "10");
        for (bad, what) in [
            (Description { tick: "x", ..DESCRIPTION }, "--tick x"),
            (Description { lot: "0", ..DESCRIPTION }, "--lot 0"),
            (Description { qty_unit: Some("0.1"), ..DESCRIPTION }, "--lot 0.01 in units of 0.1"),
            (Description { venue: "nyse", ..DESCRIPTION }, "unknown venue `nyse`"),
        ] {
            let error = bad.instrument().unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}
