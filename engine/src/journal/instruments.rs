//! The body of an `Instruments` record: what tools need to show ids, ticks and units as symbols and decimals, and
//! all that a run needs to be repeated.

use std::fmt::Write;

use crate::instrument::InstrumentTable;

/// The run's instruments as TOML, one `[[instrument]]` each, in the order of their ids.
#[must_use]
pub fn instruments_text(table: &InstrumentTable) -> String {
    let mut text = String::new();
    for instrument in table.iter() {
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "[[instrument]]\nid = {}\nvenue = {}\nsymbol = {}\nbase = {}\nquote = {}\nkind = {}\ntick = \"{}\"\n\
             qty_unit = \"{}\"\nlot = \"{}\"\nqty_min_units = {}\nqty_max_units = {}\nnotional_min = \"{}\"\n\
             contract_size = \"{}\"\namount_digits = {}\nstatus = {}\nsource = {}\n",
            instrument.id,
            quoted(&instrument.venue),
            quoted(&instrument.symbol),
            quoted(&instrument.base),
            quoted(&instrument.quote),
            quoted(instrument.kind.name()),
            instrument.price_rule.tick,
            instrument.qty_unit,
            instrument.lot.display(instrument.qty_unit),
            instrument.qty_min.0,
            instrument.qty_max.0,
            instrument.notional_min,
            instrument.contract_size,
            instrument.amount_exponent(),
            quoted(instrument.status.name()),
            quoted(&instrument.source),
        );
        if let Some(figures) = instrument.price_rule.significant_figures {
            let _ = writeln!(text, "significant_figures = {figures}");
        }
        text.push('\n');
    }
    text
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
