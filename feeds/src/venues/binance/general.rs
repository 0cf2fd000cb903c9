//! Binance messages of any shape that JSON allows: any order of keys, extra keys, white space, escapes.
//! The truth about what a message says; the scanners only say it sooner.
//!
//! A key that a message must have is required, in its type, once. Keys that the engine does not use are
//! passed over, whatever they hold.

use super::Product;
use crate::codec::{DecodeError, DecodeErrorKind, Decoded, Event, LEVELS_MAX};
use crate::json::{Elements, Fields, Value};
use crate::venues::{Carried, CarriedTable};
use engine::message::{Depth, Kline, MarkPrice, Ticker, Trade};
use engine::num::{Level, Price, Qty, Step};
use engine::time::Nanos;

/// Amounts finer than ticks and units: mark prices, funding rates, quote volumes.
const E8: Step = Step::of_digits(8);

/// What the event kinds are told apart by.
const ENVELOPE: [&str; 10] =
    ["stream", "data", "e", "lastUpdateId", "u", "B", "result", "id", "error", "code"];

/// Decodes the message in `root`, raw or wrapped.
pub(super) fn message(
    product: Product,
    instruments: &CarriedTable,
    root: Value<'_>,
    out: &mut Decoded,
) -> Result<Event, DecodeError> {
    if root.is_array() {
        return Ok(Event::Other); // the all-market streams
    }
    if !root.is_object() {
        return Err(root.error(DecodeErrorKind::UnknownShape));
    }
    let fields = root.fields(&ENVELOPE)?;
    let reader = Reader { product, instruments };
    let (Some(stream), Some(data)) = (fields.optional("stream"), fields.optional("data")) else {
        if fields.optional("lastUpdateId").is_some() {
            return reader.snapshot(root, out);
        }
        return reader.event(root, &fields, out);
    };
    let stream = stream.text()?;
    if data.is_array() {
        return Ok(Event::Other);
    }
    let fields = data.fields(&ENVELOPE)?;
    let is_update = fields.optional("e").is_some_and(|event| event.text() == Ok("depthUpdate"));
    if fields.optional("lastUpdateId").is_some() || (is_update && is_partial_book(stream)) {
        return Ok(Event::Other); // the top few levels: a whole book of another depth, not a change of ours
    }
    reader.event(data, &fields, out)
}

/// Whether a stream sends the top of the book, or a book with other orders in it, in frames that look like
/// changes of the book: `btcusdt@depth20@100ms`, `btcusdt@rpiDepth@500ms`.
fn is_partial_book(stream: &str) -> bool {
    stream.split('@').nth(1).is_some_and(|kind| matches!(kind, "depth5" | "depth10" | "depth20" | "rpiDepth"))
}

/// What every message is read with.
#[derive(Clone, Copy)]
struct Reader<'a> {
    product: Product,
    instruments: &'a CarriedTable,
}

impl<'a> Reader<'a> {
    fn event(
        self,
        data: Value<'_>,
        fields: &Fields<'_, 10>,
        out: &mut Decoded,
    ) -> Result<Event, DecodeError> {
        let Some(event) = fields.optional("e") else {
            if fields.optional("u").is_some() && fields.optional("B").is_some() && !self.product.is_futures()
            {
                return self.ticker(data, out); // the only one without a name
            }
            let answer = ["result", "id", "error", "code"].iter().any(|key| fields.optional(key).is_some());
            return if answer { Ok(Event::Other) } else { Err(data.error(DecodeErrorKind::UnknownShape)) };
        };
        match event.text()? {
            "depthUpdate" => self.depth(data, out),
            "bookTicker" if self.product.is_futures() => self.ticker(data, out),
            "bookTicker" => Err(event.error(DecodeErrorKind::UnknownShape)),
            "trade" => self.trade(data, out),
            "aggTrade" => self.aggregate_trade(data, out),
            "markPriceUpdate" => self.mark_price(data, out),
            "kline" => self.kline(data, out),
            _ => Ok(Event::Other),
        }
    }

    fn carried(self, symbol: Value<'_>) -> Result<&'a Carried, DecodeError> {
        let name = symbol.text()?;
        let found = self.instruments.find(name.as_bytes());
        found.ok_or_else(|| symbol.error(DecodeErrorKind::UnknownSymbol))
    }

    /// `key`, which futures messages have and spot messages do not.
    fn futures_only<'t, const N: usize>(
        self,
        fields: &Fields<'t, N>,
        key: &'static str,
    ) -> Result<Option<Value<'t>>, DecodeError> {
        if self.product.is_futures() {
            return fields.required(key).map(Some);
        }
        fields.optional(key).map_or(Ok(None), |value| Err(value.error(DecodeErrorKind::UnknownShape)))
    }

    fn depth(self, data: Value<'_>, out: &mut Decoded) -> Result<Event, DecodeError> {
        let fields = data.fields(&["E", "T", "s", "U", "u", "pu", "b", "a"])?;
        let carried = self.carried(fields.required("s")?)?;
        let depth = Depth {
            first_id: fields.required("U")?.uint()?,
            last_id: fields.required("u")?.uint()?,
            prev_id: self.futures_only(&fields, "pu")?.map_or(Ok(0), |value| value.uint())?,
            venue_ns: fields.required("E")?.millis()?,
            transact_ns: self.futures_only(&fields, "T")?.map_or(Ok(Nanos(0)), |value| value.millis())?,
            ..Depth::default()
        };
        levels(depth, carried, fields.required("b")?, fields.required("a")?, out)?;
        out.instrument = carried.id;
        Ok(Event::Delta)
    }

    /// The answer to a REST depth request. Spot and USD-M do not say whose book it is: then it belongs to the
    /// connection's only instrument.
    fn snapshot(self, root: Value<'_>, out: &mut Decoded) -> Result<Event, DecodeError> {
        let fields = root.fields(&["lastUpdateId", "E", "T", "symbol", "bids", "asks"])?;
        let carried = match (fields.optional("symbol"), self.instruments.only()) {
            (Some(symbol), _) => self.carried(symbol)?,
            (None, Some(only)) => only,
            (None, None) => {
                let missing = root.missing("symbol");
                return Err(DecodeError { kind: DecodeErrorKind::UnknownSymbol, ..missing });
            }
        };
        let id = fields.required("lastUpdateId")?.uint()?;
        let depth = Depth {
            first_id: id,
            last_id: id,
            venue_ns: self.futures_only(&fields, "E")?.map_or(Ok(Nanos(0)), |value| value.millis())?,
            transact_ns: self.futures_only(&fields, "T")?.map_or(Ok(Nanos(0)), |value| value.millis())?,
            ..Depth::default()
        };
        levels(depth, carried, fields.required("bids")?, fields.required("asks")?, out)?;
        out.instrument = carried.id;
        Ok(Event::Snapshot)
    }

    fn ticker(self, data: Value<'_>, out: &mut Decoded) -> Result<Event, DecodeError> {
        let fields = data.fields(&["E", "T", "s", "u", "b", "B", "a", "A"])?;
        let carried = self.carried(fields.required("s")?)?;
        let level = |price, qty| -> Result<Level, DecodeError> {
            Ok(Level {
                price: Price(fields.required(price)?.decimal(carried.tick)?),
                qty: Qty(fields.required(qty)?.decimal(carried.unit)?),
            })
        };
        out.ticker = Ticker {
            update_id: fields.required("u")?.uint()?,
            bid: level("b", "B")?,
            ask: level("a", "A")?,
            venue_ns: self.futures_only(&fields, "E")?.map_or(Ok(Nanos(0)), |value| value.millis())?,
            transact_ns: self.futures_only(&fields, "T")?.map_or(Ok(Nanos(0)), |value| value.millis())?,
            reserved: 0,
        };
        out.instrument = carried.id;
        Ok(Event::Ticker)
    }

    /// A trade of the market. Futures also report transfers of the insurance fund and of auto-deleveraging
    /// here (`X` other than `MARKET`): no order met another, so they are not trades to us.
    fn trade(self, data: Value<'_>, out: &mut Decoded) -> Result<Event, DecodeError> {
        let fields = data.fields(&["E", "T", "s", "t", "p", "q", "m", "X"])?;
        let carried = self.carried(fields.required("s")?)?;
        if let Some(origin) = fields.optional("X")
            && origin.text()? != "MARKET"
        {
            return Ok(Event::Other);
        }
        let id = fields.required("t")?.uint()?;
        self.push_trade(&fields, carried, id..=id, false, out)
    }

    fn aggregate_trade(self, data: Value<'_>, out: &mut Decoded) -> Result<Event, DecodeError> {
        let fields = data.fields(&["E", "T", "s", "f", "l", "p", "q", "m"])?;
        let carried = self.carried(fields.required("s")?)?;
        let ids = fields.required("f")?.uint()?..=fields.required("l")?.uint()?;
        self.push_trade(&fields, carried, ids, true, out)
    }

    fn push_trade(
        self,
        fields: &Fields<'_, 8>,
        carried: &Carried,
        ids: std::ops::RangeInclusive<u64>,
        aggregate: bool,
        out: &mut Decoded,
    ) -> Result<Event, DecodeError> {
        let trade = Trade {
            first_id: *ids.start(),
            last_id: *ids.end(),
            price: Price(fields.required("p")?.decimal(carried.tick)?),
            qty: Qty(fields.required("q")?.decimal(carried.unit)?),
            venue_ns: fields.required("E")?.millis()?,
            trade_ns: fields.required("T")?.millis()?,
            // `m`: the buyer is the maker, so the taker sold.
            taker: u32::from(fields.required("m")?.bool()?),
            aggregate: u32::from(aggregate),
            reserved: 0,
        };
        out.trades.push(trade);
        out.instrument = carried.id;
        Ok(Event::Trades)
    }

    /// Mark price. Dated contracts send an empty rate, or a zero one with `T` zero: they have no funding.
    fn mark_price(self, data: Value<'_>, out: &mut Decoded) -> Result<Event, DecodeError> {
        let fields = data.fields(&["E", "s", "p", "i", "P", "r", "T"])?;
        let carried = self.carried(fields.required("s")?)?;
        let optional = |key| fields.optional(key).map_or(Ok(0), |value| value.decimal(E8));
        let funding_ns = fields.optional("T").map_or(Ok(Nanos(0)), |value| value.millis())?;
        let rate = match fields.optional("r") {
            Some(rate) if !rate.text()?.is_empty() => rate.signed_decimal(E8)?,
            _ => 0,
        };
        out.mark_price = MarkPrice {
            mark_e8: fields.required("p")?.decimal(E8)?,
            index_e8: optional("i")?,
            settle_e8: optional("P")?,
            funding_rate_e8: if funding_ns.0 == 0 { 0 } else { rate },
            funding_ns,
            venue_ns: fields.required("E")?.millis()?,
            reserved: [0; 2],
        };
        out.instrument = carried.id;
        Ok(Event::MarkPrice)
    }

    fn kline(self, data: Value<'_>, out: &mut Decoded) -> Result<Event, DecodeError> {
        let outer = data.fields(&["E", "s", "k"])?;
        let carried = self.carried(outer.required("s")?)?;
        let k = outer
            .required("k")?
            .fields(&["t", "i", "f", "L", "o", "c", "h", "l", "v", "n", "x", "q", "V", "Q"])?;
        let price = |key| k.required(key)?.decimal(carried.tick).map(Price);
        let qty = |key| k.required(key)?.decimal(carried.unit).map(Qty);
        let trade_id = |key| Ok(k.required(key)?.uint_or_none()?.unwrap_or(u64::MAX));
        let interval = k.required("i")?;
        let length = interval_ns(interval.text()?);
        out.kline = Kline {
            open_time: k.required("t")?.millis()?,
            length: length.ok_or_else(|| interval.error(DecodeErrorKind::UnknownShape))?,
            open: price("o")?,
            high: price("h")?,
            low: price("l")?,
            close: price("c")?,
            volume: qty("v")?,
            taker_buy_volume: qty("V")?,
            quote_volume_e8: k.required("q")?.decimal(E8)?,
            taker_buy_quote_volume_e8: k.required("Q")?.decimal(E8)?,
            first_trade_id: trade_id("f")?,
            last_trade_id: trade_id("L")?,
            trades: k.required("n")?.uint()?,
            venue_ns: outer.required("E")?.millis()?,
            closed: u64::from(k.required("x")?.bool()?),
            reserved: 0,
        };
        out.instrument = carried.id;
        Ok(Event::Kline)
    }
}

/// Writes both sides and the head.
fn levels(
    depth: Depth,
    carried: &Carried,
    bids: Value<'_>,
    asks: Value<'_>,
    out: &mut Decoded,
) -> Result<(), DecodeError> {
    let (bid_rows, ask_rows) = (bids.elements()?, asks.elements()?);
    let (bid_count, ask_count) = (bid_rows.count_left(), ask_rows.count_left());
    let room = out.depth.levels_mut();
    if bid_count > LEVELS_MAX {
        return Err(bids.error(DecodeErrorKind::TooMany));
    }
    if bid_count + ask_count > LEVELS_MAX {
        return Err(asks.error(DecodeErrorKind::TooMany));
    }
    let (bid_room, ask_room) = room.split_at_mut(bid_count);
    side(bid_rows, carried, bid_room)?;
    side(ask_rows, carried, ask_room)?;
    #[expect(clippy::cast_possible_truncation, reason = "at most LEVELS_MAX")]
    let counts = (bid_count as u32, ask_count as u32);
    *out.depth.depth_mut() = Depth { bid_count: counts.0, ask_count: counts.1, ..depth };
    Ok(())
}

fn side(rows: Elements<'_>, carried: &Carried, room: &mut [Level]) -> Result<(), DecodeError> {
    for (row, level) in rows.zip(room) {
        let mut pair = row.elements()?;
        let (Some(price), Some(qty), None) = (pair.next(), pair.next(), pair.next()) else {
            return Err(row.error(DecodeErrorKind::WrongType));
        };
        *level = Level { price: Price(price.decimal(carried.tick)?), qty: Qty(qty.decimal(carried.unit)?) };
    }
    Ok(())
}

/// Length of a kline interval such as `1m`; zero for the calendar month. None: not an interval.
fn interval_ns(text: &str) -> Option<Nanos> {
    let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count = count.parse::<u64>().ok().filter(|count| (1..=60).contains(count))?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        "M" => return Some(Nanos(0)),
        _ => return None,
    };
    Some(Nanos(count * seconds * Nanos::SECOND.0))
}
