//! Hyperliquid messages: `{"channel":..,"data":..}` from the socket, and the bare book that the REST request
//! `l2Book` answers with.

use crate::codec::{DecodeError, DecodeErrorKind, Decoded, Event, LEVELS_MAX, TRADES_MAX};
use crate::json::{Elements, Value};
use crate::venues::{Carried, CarriedTable};
use engine::message::{Depth, Trade};
use engine::num::{Level, Price, Qty, Side};

/// Decodes the message in `root`.
pub(super) fn message(
    instruments: &CarriedTable,
    root: Value<'_>,
    out: &mut Decoded,
) -> Result<Event, DecodeError> {
    if !root.is_object() {
        return Err(root.error(DecodeErrorKind::UnknownShape));
    }
    let fields = root.fields(&["channel", "data", "coin", "levels"])?;
    let Some(channel) = fields.optional("channel") else {
        if fields.optional("coin").is_some() && fields.optional("levels").is_some() {
            return book(instruments, root, out);
        }
        return Err(root.error(DecodeErrorKind::UnknownShape));
    };
    match channel.text()? {
        "l2Book" => book(instruments, fields.required("data")?, out),
        "trades" => trades(instruments, fields.required("data")?, out),
        _ => Ok(Event::Other),
    }
}

fn carried<'a>(instruments: &'a CarriedTable, coin: Value<'_>) -> Result<&'a Carried, DecodeError> {
    let found = instruments.find(coin.text()?.as_bytes());
    found.ok_or_else(|| coin.error(DecodeErrorKind::UnknownSymbol))
}

/// The whole book, bids then asks, best first.
fn book(instruments: &CarriedTable, data: Value<'_>, out: &mut Decoded) -> Result<Event, DecodeError> {
    let fields = data.fields(&["coin", "time", "levels"])?;
    let carried = carried(instruments, fields.required("coin")?)?;
    let venue_ns = fields.required("time")?.millis()?;
    let levels = fields.required("levels")?;
    let mut sides = levels.elements()?;
    let (Some(bids), Some(asks), None) = (sides.next(), sides.next(), sides.next()) else {
        return Err(levels.error(DecodeErrorKind::WrongType));
    };
    let (bid_rows, ask_rows) = (bids.elements()?, asks.elements()?);
    let (bid_count, ask_count) = (bid_rows.count_left(), ask_rows.count_left());
    if bid_count.saturating_add(ask_count) > LEVELS_MAX {
        return Err(levels.error(DecodeErrorKind::TooMany));
    }
    let (bid_room, ask_room) = out.depth.levels_mut().split_at_mut(bid_count);
    side(bid_rows, carried, bid_room)?;
    side(ask_rows, carried, ask_room)?;
    #[expect(clippy::cast_possible_truncation, reason = "at most LEVELS_MAX")]
    let counts = (bid_count as u32, ask_count as u32);
    *out.depth.depth_mut() =
        Depth { venue_ns, bid_count: counts.0, ask_count: counts.1, complete: 1, ..Depth::default() };
    out.instrument = carried.id;
    Ok(Event::Snapshot)
}

fn side(rows: Elements<'_>, carried: &Carried, room: &mut [Level]) -> Result<(), DecodeError> {
    for (row, level) in rows.zip(room) {
        let fields = row.fields(&["px", "sz"])?;
        let price = fields.required("px")?.decimal(carried.tick)?;
        let qty = fields.required("sz")?.decimal(carried.unit)?;
        *level = Level { price: Price(price), qty: Qty(qty) };
    }
    Ok(())
}

/// The trades of one coin. `side` is the taker's: `B` bought, `A` sold.
fn trades(instruments: &CarriedTable, data: Value<'_>, out: &mut Decoded) -> Result<Event, DecodeError> {
    let rows = data.elements()?;
    if rows.count_left() > TRADES_MAX {
        return Err(data.error(DecodeErrorKind::TooMany));
    }
    let mut instrument = None;
    for row in rows {
        let fields = row.fields(&["coin", "side", "px", "sz", "tid", "time"])?;
        let coin = fields.required("coin")?;
        let carried = carried(instruments, coin)?;
        if *instrument.get_or_insert(carried.id) != carried.id {
            return Err(coin.error(DecodeErrorKind::UnknownShape)); // a subscription is for one coin
        }
        let id = fields.required("tid")?.uint()?;
        let taker = fields.required("side")?;
        let time = fields.required("time")?.millis()?;
        out.trades.push(Trade {
            first_id: id,
            last_id: id,
            price: Price(fields.required("px")?.decimal(carried.tick)?),
            qty: Qty(fields.required("sz")?.decimal(carried.unit)?),
            venue_ns: time,
            trade_ns: time,
            taker: match taker.text()? {
                "B" => Side::Buy as u32,
                "A" => Side::Sell as u32,
                _ => return Err(taker.error(DecodeErrorKind::UnknownShape)),
            },
            aggregate: 0,
            reserved: 0,
        });
    }
    match instrument {
        Some(instrument) => {
            out.instrument = instrument;
            Ok(Event::Trades)
        }
        None => Ok(Event::Other), // nothing traded
    }
}
