//! Scanners for the messages that make up nearly all traffic, in the shapes in which the venue sends them.
//!
//! A scanner goes through a frame once, comparing what must be there and reading what may differ. It reads the
//! whole frame exactly as the general decoder does, or gives the frame up; it never reports an error.

use super::Product;
use crate::codec::{Decoded, Event, LEVELS_MAX};
use crate::venues::{Carried, CarriedTable};
use engine::ids::InstrumentId;
use engine::message::{Depth, Ticker, Trade};
use engine::num::{Level, Price, Qty};
use engine::time::Nanos;
use wire::cursor::Cursor;
use wire::decimal::DecimalFormat;
use wire::pairs::{PairEnds, PairFormat};

/// The scanners of one connection.
#[derive(Debug)]
pub(super) struct Scanner {
    futures: bool,
    /// In the order of the instruments carried.
    formats: Box<[Formats]>,
    ends: PairEnds,
    lens: Lens,
}

/// Usual lengths of whole numbers.
#[derive(Clone, Copy, Debug)]
struct Lens {
    millis: u8,
    update_id: u8,
    trade_id: u8,
}

/// How an instrument's numbers are printed: at first as its steps suggest, then as they were seen.
#[derive(Clone, Copy, Debug)]
struct Formats {
    id: InstrumentId,
    levels: PairFormat,
    price: DecimalFormat,
    qty: DecimalFormat,
}

impl Formats {
    fn new(product: Product, carried: &Carried) -> Self {
        let digits = |of_step| if product.is_futures() { of_step } else { SPOT_DIGITS };
        let price = DecimalFormat::new(carried.tick, digits(carried.tick.digits()));
        let qty = DecimalFormat::new(carried.unit, digits(carried.unit.digits()));
        Self { id: carried.id, levels: PairFormat::new(price, qty), price, qty }
    }
}

/// Spot prints every number with as many digits.
const SPOT_DIGITS: u8 = 8;

impl Scanner {
    pub(super) fn new(product: Product, instruments: &CarriedTable) -> Self {
        let formats = instruments.all().iter().map(|carried| Formats::new(product, carried));
        let ends = PairEnds::new(LEVELS_MAX);
        Self {
            futures: product.is_futures(),
            formats: formats.collect(),
            ends,
            lens: Lens { millis: 13, update_id: 13, trade_id: 10 },
        }
    }

    /// Decodes `frame`. None: not one of the shapes known here, or not a frame that decodes.
    #[inline]
    pub(super) fn scan(
        &mut self,
        instruments: &CarriedTable,
        frame: &[u8],
        out: &mut Decoded,
    ) -> Option<Event> {
        let mut at = Cursor::new(frame);
        let wrapped = at.literal(b"{\"stream\":\"").is_some();
        let mut stream = &b""[..];
        if wrapped {
            stream = at.text()?;
            at.literal(b",\"data\":{")?;
        } else {
            at.go_to(0);
            at.literal(b"{")?;
        }
        let mut scan = Scan {
            at,
            wrapped,
            futures: self.futures,
            instruments,
            formats: &mut self.formats,
            lens: &mut self.lens,
        };
        match scan.at.rest().get(..6)? {
            b"\"e\":\"d" if is_changes(stream) => scan.depth(&mut self.ends, out),
            b"\"e\":\"b" if self.futures => scan.futures_ticker(out),
            b"\"e\":\"t" if self.futures => scan.futures_trade(out),
            b"\"e\":\"t" => scan.spot_trade(out),
            b"\"e\":\"a" => scan.aggregate_trade(out),
            [b'"', b'u', ..] => scan.ticker(out),
            _ => None,
        }
    }
}

/// Whether a stream sends changes of the book; no name means a raw frame, which cannot tell.
#[inline]
fn is_changes(stream: &[u8]) -> bool {
    stream.is_empty()
        || [&b"@depth"[..], b"@depth@0ms", b"@depth@100ms", b"@depth@250ms", b"@depth@500ms"]
            .iter()
            .any(|name| stream.ends_with(name))
}

/// One frame being scanned.
struct Scan<'f, 's> {
    at: Cursor<'f>,
    wrapped: bool,
    futures: bool,
    instruments: &'s CarriedTable,
    formats: &'s mut [Formats],
    lens: &'s mut Lens,
}

impl<'s> Scan<'_, 's> {
    #[inline]
    fn depth(&mut self, ends: &mut PairEnds, out: &mut Decoded) -> Option<Event> {
        self.at.literal(b"\"e\":\"depthUpdate\",\"E\":")?;
        let venue_ns = self.millis()?;
        let mut transact_ns = Nanos(0);
        if self.futures {
            self.at.literal(b",\"T\":")?;
            transact_ns = self.millis()?;
        }
        self.at.literal(b",\"s\":\"")?;
        let index = self.instrument()?;
        self.pair()?;
        self.at.literal(b",\"U\":")?;
        let first_id = self.at.usual_uint(&mut self.lens.update_id)?;
        self.at.literal(b",\"u\":")?;
        let last_id = self.at.usual_uint(&mut self.lens.update_id)?;
        let mut prev_id = 0;
        if self.futures {
            self.at.literal(b",\"pu\":")?;
            prev_id = self.at.usual_uint(&mut self.lens.update_id)?;
        }
        self.at.literal(b",\"b\":[")?;

        let frame_rest = self.at;
        let formats = self.formats.get_mut(index)?;
        let (bid_count, ask_count) = match levels(&mut self.at, &formats.levels, ends, out) {
            Some(counts) => counts,
            None => {
                // Perhaps only the number of digits is another.
                self.at = frame_rest;
                formats.levels = formats_like(&self.at, &formats.levels)?;
                levels(&mut self.at, &formats.levels, ends, out)?
            }
        };
        out.instrument = formats.id;
        self.end()?;
        *out.depth.depth_mut() = Depth {
            first_id,
            last_id,
            prev_id,
            venue_ns,
            transact_ns,
            bid_count,
            ask_count,
            ..Depth::default()
        };
        Some(Event::Delta)
    }

    /// `{"e":"bookTicker","u":..`
    #[inline]
    fn futures_ticker(&mut self, out: &mut Decoded) -> Option<Event> {
        self.at.literal(b"\"e\":\"bookTicker\",\"u\":")?;
        let update_id = self.at.usual_uint(&mut self.lens.update_id)?;
        self.ticker_body(update_id, out)
    }

    /// `{"u":..`: spot; COIN-M names the event behind it.
    #[inline]
    fn ticker(&mut self, out: &mut Decoded) -> Option<Event> {
        self.at.literal(b"\"u\":")?;
        let update_id = self.at.usual_uint(&mut self.lens.update_id)?;
        if self.futures {
            self.at.literal(b",\"e\":\"bookTicker\"")?;
        }
        self.ticker_body(update_id, out)
    }

    #[inline(always)]
    fn ticker_body(&mut self, update_id: u64, out: &mut Decoded) -> Option<Event> {
        let (mut venue_ns, mut transact_ns) = (Nanos(0), Nanos(0));
        // Since 2026 USD-M has its times here.
        let is_timed = self.futures && self.at.rest().starts_with(b",\"E\":");
        if is_timed {
            self.at.literal(b",\"E\":")?;
            venue_ns = self.millis()?;
            self.at.literal(b",\"T\":")?;
            transact_ns = self.millis()?;
        }
        self.at.literal(b",\"s\":\"")?;
        let index = self.instrument()?;
        self.pair()?;
        self.at.literal(b",\"b\":\"")?;
        let bid_price = self.price(index)?;
        self.at.literal(b",\"B\":\"")?;
        let bid_qty = self.qty(index)?;
        self.at.literal(b",\"a\":\"")?;
        let ask_price = self.price(index)?;
        self.at.literal(b",\"A\":\"")?;
        let ask_qty = self.qty(index)?;
        if self.futures && !is_timed {
            self.at.literal(b",\"T\":")?;
            transact_ns = self.millis()?;
            self.at.literal(b",\"E\":")?;
            venue_ns = self.millis()?;
        }
        if is_timed {
            self.which_future()?;
            self.pair()?;
        }
        self.end()?;
        out.instrument = self.formats.get(index)?.id;
        out.ticker = Ticker {
            update_id,
            bid: Level { price: bid_price, qty: bid_qty },
            ask: Level { price: ask_price, qty: ask_qty },
            venue_ns,
            transact_ns,
            reserved: 0,
        };
        Some(Event::Ticker)
    }

    #[inline]
    fn futures_trade(&mut self, out: &mut Decoded) -> Option<Event> {
        self.at.literal(b"\"e\":\"trade\",\"E\":")?;
        let venue_ns = self.millis()?;
        self.at.literal(b",\"T\":")?;
        let trade_ns = self.millis()?;
        self.at.literal(b",\"s\":\"")?;
        let index = self.instrument()?;
        self.at.literal(b",\"t\":")?;
        let id = self.at.usual_uint(&mut self.lens.trade_id)?;
        self.at.literal(b",\"p\":\"")?;
        let price = self.price(index)?;
        self.at.literal(b",\"q\":\"")?;
        let qty = self.qty(index)?;
        self.at.literal(b",\"X\":\"MARKET\",\"m\":")?;
        let taker = u32::from(self.bool()?);
        self.end()?;
        let trade = Trade { first_id: id, last_id: id, price, qty, venue_ns, trade_ns, taker, ..NO_TRADE };
        self.trade(index, trade, out)
    }

    #[inline]
    fn spot_trade(&mut self, out: &mut Decoded) -> Option<Event> {
        self.at.literal(b"\"e\":\"trade\",\"E\":")?;
        let venue_ns = self.millis()?;
        self.at.literal(b",\"s\":\"")?;
        let index = self.instrument()?;
        self.at.literal(b",\"t\":")?;
        let id = self.at.usual_uint(&mut self.lens.trade_id)?;
        self.at.literal(b",\"p\":\"")?;
        let price = self.price(index)?;
        self.at.literal(b",\"q\":\"")?;
        let qty = self.qty(index)?;
        self.at.literal(b",\"T\":")?;
        let trade_ns = self.millis()?;
        self.at.literal(b",\"m\":")?;
        let taker = u32::from(self.bool()?);
        self.at.literal(b",\"M\":")?;
        self.bool()?;
        self.end()?;
        let trade = Trade { first_id: id, last_id: id, price, qty, venue_ns, trade_ns, taker, ..NO_TRADE };
        self.trade(index, trade, out)
    }

    /// Spot names the symbol before the aggregate's id, futures behind it.
    #[inline]
    fn aggregate_trade(&mut self, out: &mut Decoded) -> Option<Event> {
        self.at.literal(b"\"e\":\"aggTrade\",\"E\":")?;
        let venue_ns = self.millis()?;
        let index = if self.futures {
            self.at.literal(b",\"a\":")?;
            self.at.uint()?;
            self.at.literal(b",\"s\":\"")?;
            self.instrument()?
        } else {
            self.at.literal(b",\"s\":\"")?;
            let index = self.instrument()?;
            self.at.literal(b",\"a\":")?;
            self.at.uint()?;
            index
        };
        self.at.literal(b",\"p\":\"")?;
        let price = self.price(index)?;
        self.at.literal(b",\"q\":\"")?;
        let qty = self.qty(index)?;
        self.at.literal(b",\"f\":")?;
        let first_id = self.at.usual_uint(&mut self.lens.update_id)?;
        self.at.literal(b",\"l\":")?;
        let last_id = self.at.usual_uint(&mut self.lens.update_id)?;
        self.at.literal(b",\"T\":")?;
        let trade_ns = self.millis()?;
        self.at.literal(b",\"m\":")?;
        let taker = u32::from(self.bool()?);
        if self.futures {
            self.which_future()?;
        } else {
            self.at.literal(b",\"M\":")?;
            self.bool()?;
        }
        self.end()?;
        let trade =
            Trade { first_id, last_id, price, qty, venue_ns, trade_ns, taker, aggregate: 1, ..NO_TRADE };
        self.trade(index, trade, out)
    }

    #[inline(always)]
    fn trade(&self, index: usize, trade: Trade, out: &mut Decoded) -> Option<Event> {
        out.instrument = self.formats.get(index)?.id;
        out.trades.push(trade);
        Some(Event::Trades)
    }

    /// The symbol, as the place of its instrument.
    #[inline(always)]
    fn instrument(&mut self) -> Option<usize> {
        self.instruments.index(self.at.text()?)
    }

    /// Keys of futures that nobody uses: the pair, and since 2026 which of the two futures it is.
    #[inline(always)]
    fn pair(&mut self) -> Option<()> {
        if self.futures && self.at.rest().starts_with(b",\"ps\":\"") {
            self.at.literal(b",\"ps\":\"")?;
            self.at.text()?;
            self.which_future()?;
        }
        Some(())
    }

    /// `st`, since 2026.
    #[inline(always)]
    fn which_future(&mut self) -> Option<()> {
        if self.at.rest().starts_with(b",\"st\":") {
            self.at.literal(b",\"st\":")?;
            self.at.uint()?;
        }
        Some(())
    }

    #[inline(always)]
    fn price(&mut self, index: usize) -> Option<Price> {
        self.at.decimal(&mut self.formats.get_mut(index)?.price).map(Price)
    }

    #[inline(always)]
    fn qty(&mut self, index: usize) -> Option<Qty> {
        self.at.decimal(&mut self.formats.get_mut(index)?.qty).map(Qty)
    }

    #[inline(always)]
    fn millis(&mut self) -> Option<Nanos> {
        self.at.usual_uint(&mut self.lens.millis)?.checked_mul(1_000_000).map(Nanos)
    }

    #[inline(always)]
    fn bool(&mut self) -> Option<bool> {
        let value = self.at.rest().starts_with(b"true");
        if value {
            self.at.literal(b"true")?;
        } else {
            self.at.literal(b"false")?;
        }
        Some(value)
    }

    #[inline(always)]
    fn end(&mut self) -> Option<()> {
        if self.wrapped {
            self.at.literal(b"}}")?;
        } else {
            self.at.literal(b"}")?;
        }
        self.at.is_at_end().then_some(())
    }
}

const NO_TRADE: Trade = Trade {
    first_id: 0,
    last_id: 0,
    price: Price(0),
    qty: Qty(0),
    venue_ns: Nanos(0),
    trade_ns: Nanos(0),
    taker: 0,
    aggregate: 0,
    reserved: 0,
};

/// Reads both sides, from behind `"b":[` to behind the `]` of the asks, into the depth's levels.
#[inline]
fn levels(
    at: &mut Cursor<'_>,
    format: &PairFormat,
    ends: &mut PairEnds,
    out: &mut Decoded,
) -> Option<(u32, u32)> {
    if !ends.find(at.frame(), at.at()) {
        return None;
    }
    let (ends, room) = (ends.ends(), out.depth.levels_mut());
    let (bid_count, behind_bids) = format.read(at.frame(), at.at(), ends, room)?;
    at.go_to(behind_bids);
    at.literal(b",\"a\":[")?;
    let (ends, room) = (ends.get(bid_count..)?, room.get_mut(bid_count..)?);
    let (ask_count, behind_asks) = format.read(at.frame(), at.at(), ends, room)?;
    at.go_to(behind_asks);
    #[expect(clippy::cast_possible_truncation, reason = "at most LEVELS_MAX")]
    Some((bid_count as u32, ask_count as u32))
}

/// The format of the first level there is. None: there is none, or it is the format known.
#[cold]
fn formats_like(at: &Cursor<'_>, known: &PairFormat) -> Option<PairFormat> {
    let rest = at.rest();
    let rest = if rest.starts_with(b"]") { rest.strip_prefix(b"],\"a\":[")? } else { rest };
    let mut parts = rest.splitn(5, |byte| *byte == b'"');
    let (price, qty) = (parts.nth(1)?, parts.nth(1)?);
    let (price, qty) = (known.price().like(price), known.qty().like(qty));
    let same = price.digits() == known.price().digits() && qty.digits() == known.qty().digits();
    (!same).then(|| PairFormat::new(price, qty))
}
