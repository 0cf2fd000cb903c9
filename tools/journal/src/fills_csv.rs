//! `dump --kind fill --csv`: the fills for the accountant, as RFC 4180 has it: a header, fields by commas, lines by
//! CRLF, quotes only around what needs them. Times in UTC; value and fee in the asset named beside them.

use std::borrow::Cow;

use engine::ids::Lane;
use engine::journal::Reader;

use crate::accounts::Accounts;
use crate::context::{Context, Facts};
use crate::filter::Filter;
use crate::output::{Out, Progress, Stop, input};

const COLUMNS: [&str; 14] = [
    "time_utc",
    "venue",
    "symbol",
    "strategy",
    "side",
    "price",
    "quantity",
    "value",
    "fee",
    "fee_asset",
    "liquidity",
    "client_order_id",
    "position_after",
    "record",
];

pub(crate) fn run(reader: &Reader, context: &Context, filter: &Filter, out: &mut Out) -> Result<(), Stop> {
    if !filter.is_fills() {
        return Err(Stop::Usage("--csv is of fills: it goes with --kind fill and no other kind".to_owned()));
    }
    let facts = Facts::read(reader).map_err(Stop::Input)?;
    let mut accounts = Accounts::new(facts.fees);
    let mut cursor = reader.cursor(Lane::Gateway);
    let (mut progress, mut read) = (Progress::new("records read"), 0);
    row(out, COLUMNS.map(Cow::from))?;
    while let Some(view) = cursor.next_whole().map_err(input)? {
        read += 1;
        progress.at(read);
        // Every fill is booked and checked, those not asked for too: what is fetched adds up.
        let Some(booked) = accounts.take(&view, context).map_err(Stop::Input)? else { continue };
        if !filter.takes(&view) {
            continue;
        }
        let id = view.entry.instrument;
        let instrument = context.instrument(id).map_err(Stop::Input)?;
        let fill = booked.execution.fill;
        let liquidity = if booked.execution.maker == 1 { "maker" } else { "taker" };
        row(
            out,
            [
                view.entry.recv_ns.to_string().into(),
                instrument.venue.as_str().into(),
                instrument.symbol.as_str().into(),
                facts.strategy(booked.execution.strategy).into(),
                booked.side.name().into(),
                context.price(id, fill.price).into(),
                context.qty(id, fill.qty).into(),
                context.amount(id, booked.value).into(),
                context.amount(id, booked.fee).into(),
                instrument.settle().into(),
                liquidity.into(),
                facts.client_order_id(booked.execution.order_seq).into(),
                context.qty(id, booked.execution.position).into(),
                format!("{}:{}", view.lane.name(), view.seq).into(),
            ],
        )?;
    }
    Ok(())
}

fn row(out: &mut Out, fields: [Cow<'_, str>; COLUMNS.len()]) -> Result<(), Stop> {
    let fields: Vec<_> = fields.into_iter().map(field).collect();
    out.line(format_args!("{}\r", fields.join(",")))
}

/// A field as it stands between commas.
fn field(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\"")).into()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_quoted_where_it_would_end_early() {
        assert_eq!(field("BTCUSDT".into()), "BTCUSDT");
        assert_eq!(field("a,b".into()), "\"a,b\"");
        assert_eq!(field("say \"a\"".into()), "\"say \"\"a\"\"\"");
    }
}
