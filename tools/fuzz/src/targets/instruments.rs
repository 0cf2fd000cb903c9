//! Instruments files: what is read can be traded by its own rules, and written down as a list and read again
//! it is the same. Also the values that describe an instrument on the command line.
//!
//! Input of `target`: a file. Input of `described`: venue, symbol, tick, lot, quantity unit, contract size,
//! digits, one a line; the last three may be empty.

use crate::driver::Outcome;
use crate::truth::outcome;
use engine::ids::{InstrumentId, VenueId};
use engine::instrument::{ContractKind, Instrument, InstrumentTable, Status};
use engine::journal::instruments_text;
use engine::num::{NumError, Price, Qty, Step};
use feeds::instruments::{Description, parse};
use feeds::instruments_recorded::parse_recorded;
use feeds::venues::VENUES;
use feeds::venues::binance::Product;
use feeds::venues::binance::instruments::{parse_exchange_info, parse_exchange_info_of, parse_rate_limits};
use std::fmt::Write;

/// Runs one input.
pub fn target(data: &[u8]) -> Outcome {
    let read = parse(data);
    for product in [Product::Spot, Product::UsdM, Product::CoinM] {
        chosen(data, product);
    }
    match read {
        Ok(instruments) => {
            instruments.iter().for_each(check);
            // Who is halted cannot be written in a list, and the digits of a whole tick are not kept there.
            let traded: Vec<_> = instruments.iter().filter(|one| one.status == Status::Trading).collect();
            let list: String = traded.iter().map(|one| row(one)).collect();
            let again = if traded.is_empty() { Ok(Vec::new()) } else { parse(list.as_bytes()) };
            let again = again.unwrap_or_else(|error| panic!("{error}: written as\n{list}"));
            assert_eq!(traded, again.iter().collect::<Vec<_>>(), "written as\n{list}");
            journalled(&instruments);
            let kinds: Vec<_> = instruments.iter().take(3).map(|one| (&one.venue, one.lot.0 > 1)).collect();
            outcome((instruments.len().min(4), kinds))
        }
        Err(error) => {
            let text = error.to_string();
            assert!(!text.trim().is_empty(), "an error says something");
            outcome(words_of(&error.what))
        }
    }
}

/// What a venue says of some symbols is what it says of them among all.
fn chosen(data: &[u8], product: Product) {
    limits(data);
    let Ok(all) = parse_exchange_info(data, product) else { return };
    for one in all.iter().step_by(3) {
        let of_it: Vec<_> = all.iter().filter(|other| other.symbol == one.symbol).collect();
        let read = parse_exchange_info_of(data, product, std::slice::from_ref(&one.symbol));
        assert_eq!(read.as_ref().map(|read| read.iter().collect()), Ok(of_it), "{}", one.symbol);
    }
}

/// Limits are counted over some time, and are the same to whoever reads them again.
fn limits(data: &[u8]) {
    let Ok(stated) = parse_rate_limits(data) else { return };
    assert!(stated.iter().all(|limit| limit.window.0 > 0), "{stated:?}");
    assert_eq!(parse_rate_limits(data).as_ref(), Ok(&stated));
}

/// What kind of error it is, without the value.
fn words_of(what: &str) -> String {
    let last = what.lines().last().unwrap_or_default();
    let first = last.split(['`', '"', ':', '=']).next().unwrap_or_default();
    first.chars().filter(char::is_ascii_alphabetic).collect()
}

/// Runs one input.
pub fn described(data: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n').map(str::trim);
    let mut next = || lines.next().unwrap_or_default();
    let given = |text| Some(text).filter(|text: &&str| !text.is_empty());
    let description = Description {
        venue: next(),
        symbol: next(),
        tick: next(),
        lot: next(),
        qty_unit: given(next()),
        contract_size: given(next()),
        qty_digits: next().parse().ok(),
    };
    match description.instrument() {
        Ok((instrument, assumed)) => {
            check(&instrument);
            assert_eq!(instrument.symbol, description.symbol);
            let (unit, lot) = (instrument.qty_unit, description.lot.as_bytes());
            assert_eq!(unit.count(lot), Ok(instrument.lot.0), "the lot given");
            assert_eq!(
                assumed.iter().any(|line| line.starts_with("quantity unit")),
                description.qty_unit.is_none(),
                "what is assumed is said, and what is given is not: {assumed:?}"
            );
            journalled(&[instrument]);
            outcome((description.venue, unit.exponent(), assumed.len()))
        }
        Err(error) => {
            assert_eq!(error.place, description.symbol);
            outcome(error.what.split([' ', ':']).next())
        }
    }
}

/// What the engine relies on.
fn check(one: &Instrument) {
    assert!(VENUES.contains(&one.venue.as_str()), "{one:?}");
    assert!(one.lot.0 > 0 && one.qty_min >= one.lot && one.qty_max >= one.qty_min, "{one:?}");
    assert!(one.notional_min.mantissa >= 0, "a minimum below zero: {one:?}");
    assert!(one.price_rule.tick.mantissa() > 0 && one.qty_unit.mantissa() > 0, "{one:?}");
    assert!(!one.symbol.is_empty(), "an instrument without a symbol is never found: {one:?}");
    // Arithmetic is right or says that it cannot be, for prices and quantities of any size.
    for (price, qty) in
        [(Price(1), one.qty_min), (Price(1 << 40), Qty(1 << 40)), (Price(i64::MAX), one.qty_max)]
    {
        match (one.notional(price, qty), one.kind) {
            (Ok(amount), ContractKind::Inverse) => assert!(amount >= 0),
            (Ok(amount), _) => {
                // Amounts have the digits of wallets at least.
                let steps = [one.price_rule.tick, one.qty_unit, one.contract_size].map(Step::exponent);
                let more = one.amount_exponent() - steps.iter().sum::<u8>();
                let exact = i128::from(price.0)
                    .checked_mul(i128::from(one.price_rule.tick.mantissa()))
                    .and_then(|value| value.checked_mul(i128::from(qty.0)))
                    .and_then(|value| value.checked_mul(i128::from(one.qty_unit.mantissa())))
                    .and_then(|value| value.checked_mul(i128::from(one.contract_size.mantissa())))
                    .and_then(|value| value.checked_mul(10_i128.pow(more.into())));
                assert_eq!(Some(amount), exact);
            }
            (Err(error), _) => assert_eq!(error, NumError::Overflow),
        }
        assert!(one.price_rule.step_at(price) >= 1);
        assert!(one.price_rule.floor(price) <= price);
    }
}

/// The list's row of an instrument.
fn row(one: &Instrument) -> String {
    let (venue, product) = match one.venue.as_str() {
        "binance-spot" => ("binance", "spot"),
        "binance-usdm" => ("binance", "usdm"),
        "binance-coinm" => ("binance", "coinm"),
        _ => ("hyperliquid", "perp"),
    };
    let text = |value: &str| toml::Value::String(value.to_owned()).to_string();
    let mut row = format!(
        "[[instrument]]\nvenue = {}\nproduct = {}\nsymbol = {}\nbase = {}\nquote = {}\nsource = {}\n",
        text(venue),
        text(product),
        text(&one.symbol),
        text(&one.base),
        text(&one.quote),
        text(&one.source),
    );
    let unit = one.qty_unit;
    for (key, value) in [
        ("tick", one.price_rule.tick.to_string()),
        ("qty_unit", unit.to_string()),
        ("lot", one.lot.display(unit).to_string()),
        ("min_qty", one.qty_min.display(unit).to_string()),
        ("min_notional", one.notional_min.to_string()),
        ("contract_size", one.contract_size.to_string()),
    ] {
        let _ = writeln!(row, "{key} = \"{value}\"");
    }
    if one.qty_max.0 != i64::MAX {
        let _ = writeln!(row, "max_qty = \"{}\"", one.qty_max.display(unit));
    }
    if let Some(figures) = one.price_rule.significant_figures {
        let _ = writeln!(row, "price_significant_figures = {figures}");
    }
    row + "\n"
}

/// The text that goes into the journal says all of them again.
fn journalled(instruments: &[Instrument]) {
    let mut table = InstrumentTable::default();
    for one in instruments {
        table.add(Instrument { id: InstrumentId(0), venue_id: VenueId(0), ..one.clone() });
    }
    let text = instruments_text(&table);
    let again = parse_recorded(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(instruments_text(&again), text);
}

/// Runs one input: a journal's text of its instruments. What is read is written the same way again, and can be traded.
pub fn recorded(data: &[u8]) -> Outcome {
    let read = parse_recorded(&String::from_utf8_lossy(data));
    if let Ok(table) = &read {
        let text = instruments_text(table);
        let again = parse_recorded(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(instruments_text(&again), text);
        assert!(
            table.iter().all(|one| one.qty_max >= one.qty_min && one.qty_min >= one.lot && one.lot.0 > 0)
        );
    }
    outcome(read.map(|table| table.len().min(4)).map_err(|error| words_of(&error.what)))
}
