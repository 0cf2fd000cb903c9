//! What a request to the paper exchange says: a parser of its own for the venue's order messages, written from the
//! dossier and not from the encoder. It takes any key order and refuses what it does not know.
//!
//! ```text
//! {"id":"7","method":"order.place","params":{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTX",
//!  "quantity":"0.010","price":"61653.4","newClientOrderId":"sb0-1-7","timestamp":1723161256493}}
//! ```

use crate::client_order_id::ClientOrderId;
use engine::ids::{InstrumentId, VenueId};
use engine::instrument::{ContractKind, Instrument, InstrumentTable};
use engine::num::{Price, Qty, Side};
use engine::order::Tif;
use std::fmt;

/// A request that was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// What it trades.
    pub instrument: InstrumentId,
    /// The order it is about.
    pub id: ClientOrderId,
    /// What it wants.
    pub wants: Wants,
}

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// `order.place`, and on futures `algoOrder.place`.
    Place(NewOrder),
    /// `order.cancelReplace`: an open order's end, and a new order in one message.
    Replace {
        /// The order that ends.
        open: ClientOrderId,
        /// The order that comes.
        new: NewOrder,
        /// There is no new order beside one that could not be canceled (`STOP_ON_FAILURE`).
        stops: bool,
    },
    /// `order.cancel`.
    Cancel,
    /// `algoOrder.cancel`: an order that waits for its trigger. It names no symbol: the instrument is
    /// [`NO_INSTRUMENT`].
    CancelWaiting,
    /// `order.status`.
    Query,
    /// `order.modify`: another price, another whole quantity; it loses its place.
    Modify {
        /// The new limit.
        price: Price,
        /// The new whole quantity, what is filled included.
        qty: Qty,
    },
    /// `order.amend.keepPriority`: less to trade, in its place.
    Shrink {
        /// The new whole quantity, what is filled included.
        qty: Qty,
    },
}

/// A new order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Buys or sells.
    pub side: Side,
    /// Its limit; none: at any price.
    pub limit: Option<Price>,
    /// Quantity.
    pub qty: Qty,
    /// How long, and whether it may take.
    pub tif: Tif,
    /// The price that it waits for; none: it waits for none.
    pub trigger: Option<Price>,
    /// It only ever reduces the position.
    pub reduces: bool,
}

/// Of a request that names no symbol.
pub const NO_INSTRUMENT: InstrumentId = InstrumentId(u32::MAX);

/// Why a request was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestError {
    /// What is wrong.
    pub kind: RequestErrorKind,
    /// Byte of the message where it was noticed.
    pub offset: usize,
}

/// What is wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestErrorKind {
    /// Not JSON, or deeper than a request is.
    Syntax,
    /// `method` is missing or none that the exchange has.
    Method,
    /// A parameter that the method needs is not there.
    Missing(&'static str),
    /// A parameter is there twice.
    Twice,
    /// A parameter's value is none that it can have.
    Value(&'static str),
    /// No instrument of the venue has this symbol.
    Symbol,
    /// As many requests are on their way as the exchange keeps.
    TooMany,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            RequestErrorKind::Syntax => write!(f, "no request at byte {}", self.offset),
            RequestErrorKind::Method => write!(f, "unknown method at byte {}", self.offset),
            RequestErrorKind::Missing(key) => write!(f, "`{key}` is missing"),
            RequestErrorKind::Twice => write!(f, "a key twice at byte {}", self.offset),
            RequestErrorKind::Value(key) => write!(f, "impossible `{key}` at byte {}", self.offset),
            RequestErrorKind::Symbol => write!(f, "unknown symbol at byte {}", self.offset),
            RequestErrorKind::TooMany => f.write_str("too many requests on their way"),
        }
    }
}

impl std::error::Error for RequestError {}

/// Reads one request to `venue`. Err: the kind and the byte.
pub fn parse(bytes: &[u8], venue: VenueId, table: &InstrumentTable) -> Result<Request, RequestError> {
    let mut scan = Scan { bytes, at: 0 };
    let (mut method, mut params, mut has_params) = (None, Params::default(), None);
    scan.object(|scan, key| match key.text {
        b"method" => set(&mut method, scan.value()?, key.offset),
        b"params" => set(&mut has_params, (), key.offset).and_then(|()| {
            scan.object(|scan, key| {
                let slot = KEYS.iter().position(|known| known.as_bytes() == key.text);
                let value = scan.value()?;
                // What the exchange does not need (timestamp, key, signature, answer type) it does not look at.
                slot.map_or(Ok(()), |slot| set(&mut params.0[slot], value, key.offset))
            })
        }),
        _ => scan.value().map(drop),
    })?;
    scan.end()?;
    let method = method.ok_or(RequestError { kind: RequestErrorKind::Method, offset: 0 })?;
    if method.text == b"algoOrder.cancel" {
        let id = params.id("clientAlgoId")?;
        return Ok(Request { instrument: NO_INSTRUMENT, id, wants: Wants::CancelWaiting });
    }
    let symbol = params.need("symbol")?;
    let instrument =
        table.iter().find(|known| known.venue_id == venue && known.symbol.as_bytes() == symbol.text);
    let instrument =
        instrument.ok_or(RequestError { kind: RequestErrorKind::Symbol, offset: symbol.offset })?;
    let (id_key, wants) = match method.text {
        b"order.place" => ("newClientOrderId", Wants::Place(params.place(instrument, false)?)),
        b"algoOrder.place" => ("clientAlgoId", Wants::Place(params.place(instrument, true)?)),
        b"order.cancelReplace" => {
            let new = params.place(instrument, false)?;
            let (open, stops) = (params.id("cancelOrigClientOrderId")?, params.stops()?);
            ("newClientOrderId", Wants::Replace { open, new, stops })
        }
        b"order.cancel" => ("origClientOrderId", Wants::Cancel),
        b"order.status" => ("origClientOrderId", Wants::Query),
        b"order.modify" => {
            let (price, qty) = (params.price("price", instrument)?, params.qty("quantity", instrument)?);
            ("origClientOrderId", Wants::Modify { price, qty })
        }
        b"order.amend.keepPriority" => {
            ("origClientOrderId", Wants::Shrink { qty: params.qty("newQty", instrument)? })
        }
        _ => return Err(RequestError { kind: RequestErrorKind::Method, offset: method.offset }),
    };
    Ok(Request { instrument: instrument.id, id: params.id(id_key)?, wants })
}

/// Parameters that the exchange looks at.
const KEYS: [&str; 17] = [
    "symbol",
    "side",
    "type",
    "timeInForce",
    "quantity",
    "price",
    "newClientOrderId",
    "origClientOrderId",
    "newQty",
    "cancelOrigClientOrderId",
    "cancelReplaceMode",
    "reduceOnly",
    "stopPrice",
    "triggerPrice",
    "algoType",
    "workingType",
    "clientAlgoId",
];

/// The parameters of a request, by the place of their key in `KEYS`.
#[derive(Default)]
struct Params<'a>([Option<Text<'a>>; KEYS.len()]);

impl<'a> Params<'a> {
    fn find(&self, key: &str) -> Option<Text<'a>> {
        let slot = KEYS.iter().position(|known| *known == key)?;
        self.0[slot]
    }

    fn need(&self, key: &'static str) -> Result<Text<'a>, RequestError> {
        self.find(key).ok_or(RequestError { kind: RequestErrorKind::Missing(key), offset: 0 })
    }

    fn id(&self, key: &'static str) -> Result<ClientOrderId, RequestError> {
        let id = self.need(key)?;
        let known = ClientOrderId::from_bytes(id.text);
        known.ok_or(RequestError { kind: RequestErrorKind::Value(key), offset: id.offset })
    }

    /// What becomes of a new order when the open one could not be canceled.
    fn stops(&self) -> Result<bool, RequestError> {
        const KEY: &str = "cancelReplaceMode";
        let mode = self.need(KEY)?;
        match mode.text {
            b"STOP_ON_FAILURE" => Ok(true),
            b"ALLOW_FAILURE" => Ok(false),
            _ => Err(RequestError { kind: RequestErrorKind::Value(KEY), offset: mode.offset }),
        }
    }

    /// A new order; `is_algo`: among the conditional orders of futures, which alone wait there.
    fn place(&self, instrument: &Instrument, is_algo: bool) -> Result<NewOrder, RequestError> {
        let spot = instrument.kind == ContractKind::Spot;
        let fail = |key, offset| Err(RequestError { kind: RequestErrorKind::Value(key), offset });
        let side = self.need("side")?;
        let side = match side.text {
            b"BUY" => Side::Buy,
            b"SELL" => Side::Sell,
            _ => return fail("side", side.offset),
        };
        let kind = self.need("type")?;
        let (is_limit, waits) = match (kind.text, is_algo) {
            (b"LIMIT" | b"LIMIT_MAKER", false) => (true, false),
            (b"MARKET", false) => (false, false),
            (b"STOP_LOSS", false) if spot => (false, true),
            (b"STOP_LOSS_LIMIT", false) if spot => (true, true),
            (b"STOP_MARKET", true) => (false, true),
            (b"STOP", true) => (true, true),
            _ => return fail("type", kind.offset),
        };
        let tif = match kind.text {
            b"LIMIT_MAKER" => Tif::PostOnly,
            _ if is_limit => {
                let tif = self.need("timeInForce")?;
                match tif.text {
                    b"GTC" => Tif::Gtc,
                    b"IOC" => Tif::Ioc,
                    b"FOK" => Tif::Fok,
                    b"GTX" if !waits => Tif::PostOnly,
                    _ => return fail("timeInForce", tif.offset),
                }
            }
            _ => Tif::Ioc,
        };
        if is_algo {
            for (key, wanted) in [("algoType", &b"CONDITIONAL"[..]), ("workingType", b"CONTRACT_PRICE")] {
                let value = self.need(key)?;
                if value.text != wanted {
                    return fail(key, value.offset);
                }
            }
        }
        let limit = is_limit.then(|| self.price("price", instrument)).transpose()?;
        let key = if is_algo { "triggerPrice" } else { "stopPrice" };
        let trigger = waits.then(|| self.price(key, instrument)).transpose()?;
        let reduces = match self.find("reduceOnly") {
            None => false,
            Some(Text { text: b"true", .. }) if !spot => true,
            Some(Text { text: b"false", .. }) if !spot => false,
            Some(text) => return fail("reduceOnly", text.offset),
        };
        Ok(NewOrder { side, limit, qty: self.qty("quantity", instrument)?, tif, trigger, reduces })
    }

    fn price(&self, key: &'static str, instrument: &Instrument) -> Result<Price, RequestError> {
        let text = self.need(key)?;
        let price = Price::parse(text.text, instrument.price_rule.tick).ok().filter(|price| price.0 > 0);
        price.ok_or(RequestError { kind: RequestErrorKind::Value(key), offset: text.offset })
    }

    fn qty(&self, key: &'static str, instrument: &Instrument) -> Result<Qty, RequestError> {
        let text = self.need(key)?;
        let qty = Qty::parse(text.text, instrument.qty_unit).ok().filter(|qty| qty.0 > 0);
        qty.ok_or(RequestError { kind: RequestErrorKind::Value(key), offset: text.offset })
    }
}

/// A string without its quotes, or a number, and where it begins.
#[derive(Clone, Copy)]
struct Text<'a> {
    text: &'a [u8],
    offset: usize,
}

fn set<T>(slot: &mut Option<T>, value: T, offset: usize) -> Result<(), RequestError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(RequestError { kind: RequestErrorKind::Twice, offset }),
    }
}

/// The little JSON that requests are: objects of strings, numbers and words, without escapes.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Text<'a>) -> Result<(), RequestError>,
    ) -> Result<(), RequestError> {
        self.expect(b'{')?;
        if self.peek() == Some(b'}') {
            return self.expect(b'}');
        }
        loop {
            let key = self.string()?;
            self.expect(b':')?;
            member(self, key)?;
            if self.peek() == Some(b'}') {
                return self.expect(b'}');
            }
            self.expect(b',')?;
        }
    }

    fn value(&mut self) -> Result<Text<'a>, RequestError> {
        if self.peek() == Some(b'"') {
            return self.string();
        }
        let offset = self.at;
        let rest = self.bytes.get(offset..).unwrap_or_default();
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
        let len = rest.iter().take_while(|byte| is_plain(byte)).count();
        if len == 0 {
            return self.fail();
        }
        self.at += len;
        Ok(Text { text: &rest[..len], offset })
    }

    fn string(&mut self) -> Result<Text<'a>, RequestError> {
        self.expect(b'"')?;
        let offset = self.at;
        let rest = self.bytes.get(offset..).unwrap_or_default();
        // Nothing that a request says needs an escape, a control character or more than ASCII.
        let ends = |byte: &u8| *byte == b'"' || *byte == b'\\' || !(b' '..=b'~').contains(byte);
        let Some(len) = rest.iter().position(ends) else { return self.fail() };
        self.at += len;
        self.take(b'"')?;
        Ok(Text { text: &rest[..len], offset })
    }

    /// The byte after white space.
    fn peek(&mut self) -> Option<u8> {
        while self.bytes.get(self.at).is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn expect(&mut self, wanted: u8) -> Result<(), RequestError> {
        self.peek();
        self.take(wanted)
    }

    fn take(&mut self, wanted: u8) -> Result<(), RequestError> {
        if self.bytes.get(self.at) != Some(&wanted) {
            return self.fail();
        }
        self.at += 1;
        Ok(())
    }

    fn end(&mut self) -> Result<(), RequestError> {
        if self.peek().is_some() { self.fail() } else { Ok(()) }
    }

    fn fail<T>(&self) -> Result<T, RequestError> {
        Err(RequestError { kind: RequestErrorKind::Syntax, offset: self.at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paper::tests::table;
    use proptest::prelude::*;

    const VENUE: VenueId = VenueId(0);

    fn read(text: &str) -> Result<Request, RequestError> {
        parse(text.as_bytes(), VENUE, &table())
    }

    /// The dossier's own messages, with this table's symbol.
    #[test]
    fn the_dossiers_messages_say_what_they_say() {
        let new = NewOrder {
            side: Side::Buy,
            limit: Some(Price(431_870)),
            qty: Qty(100),
            tif: Tif::PostOnly,
            trigger: None,
            reduces: false,
        };
        let post_only = Wants::Place(new);
        let placed = read(r#"{"id":"u1","method":"order.place","params":{"apiKey":"K","symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTX","price":"43187.00","quantity":"0.1","newClientOrderId":"b1","positionSide":"BOTH","timestamp":1702555533821,"signature":"00"}}"#).unwrap();
        assert_eq!((placed.id.as_bytes(), placed.wants), (&b"b1"[..], post_only));
        let maker = read(r#"{"id":"3","method":"order.place","params":{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT_MAKER","price":"43187.00","quantity":"0.1","newClientOrderId":"a2","timestamp":1645423376533}}"#).unwrap();
        assert_eq!(maker.wants, post_only);
        let market = read(r#"{"id":"u5","method":"order.place","params":{"symbol":"BTCUSDT","side":"SELL","type":"MARKET","quantity":"0.1","newClientOrderId":"b3"}}"#).unwrap();
        assert_eq!(
            market.wants,
            Wants::Place(NewOrder { side: Side::Sell, limit: None, tif: Tif::Ioc, ..new })
        );
        let reduces = read(r#"{"id":"u4","method":"order.place","params":{"symbol":"BTCUSDT","side":"SELL","type":"LIMIT","timeInForce":"IOC","price":"43100.00","quantity":"0.1","reduceOnly":"true","newClientOrderId":"b2"}}"#).unwrap();
        let (side, limit, tif) = (Side::Sell, Some(Price(431_000)), Tif::Ioc);
        assert_eq!(reduces.wants, Wants::Place(NewOrder { side, limit, tif, reduces: true, ..new }));
        let stop = r#"{"id":"u6","method":"algoOrder.place","params":{"algoType":"CONDITIONAL","symbol":"BTCUSDT","side":"SELL","type":"STOP_MARKET","triggerPrice":"40000.00","workingType":"CONTRACT_PRICE","quantity":"0.1","clientAlgoId":"s1"}}"#;
        let waiting = NewOrder { trigger: Some(Price(400_000)), limit: None, side, tif, ..new };
        let read_stop = read(stop).unwrap();
        assert_eq!((read_stop.id.as_bytes(), read_stop.wants), (&b"s1"[..], Wants::Place(waiting)));
        let limited = stop.replace("STOP_MARKET", r#"STOP","timeInForce":"GTC","price":"39990.0"#);
        let (limit, tif) = (Some(Price(399_900)), Tif::Gtc);
        assert_eq!(read(&limited).unwrap().wants, Wants::Place(NewOrder { limit, tif, ..waiting }));
        for (from, to, expected) in [
            ("CONTRACT_PRICE", "MARK_PRICE", "impossible `workingType` at byte"),
            ("STOP_MARKET", "LIMIT", "impossible `type` at byte"),
            ("algoOrder", "order", "impossible `type` at byte"),
            (r#""algoType":"CONDITIONAL","#, "", "`algoType` is missing"),
            ("40000.00", "40000.05", "impossible `triggerPrice` at byte"),
        ] {
            let said = read(&stop.replace(from, to)).unwrap_err().to_string();
            assert!(said.starts_with(expected), "{said}");
        }
        let cancel =
            read(r#"{"id":"u7","method":"algoOrder.cancel","params":{"clientAlgoId":"s1"}}"#).unwrap();
        assert_eq!((cancel.instrument, cancel.wants), (NO_INSTRUMENT, Wants::CancelWaiting));
        let cancel =
            read(r#" {"params" : {"origClientOrderId":"b1","symbol":"BTCUSDT"}, "method":"order.cancel"} "#)
                .unwrap();
        assert_eq!((cancel.id.as_bytes(), cancel.wants), (&b"b1"[..], Wants::Cancel));
        let modify = read(r#"{"id":"u2","method":"order.modify","params":{"symbol":"BTCUSDT","side":"BUY","origClientOrderId":"b1","price":"43180.00","quantity":"0.1","modifyId":7}}"#).unwrap();
        assert_eq!(modify.wants, Wants::Modify { price: Price(431_800), qty: Qty(100) });
        let shrink = read(r#"{"id":"7","method":"order.amend.keepPriority","params":{"symbol":"BTCUSDT","origClientOrderId":"a4","newClientOrderId":"a4","newQty":"0.005"}}"#).unwrap();
        assert_eq!(shrink.wants, Wants::Shrink { qty: Qty(5) });
        let replace = r#"{"id":"6","method":"order.cancelReplace","params":{"symbol":"BTCUSDT","cancelReplaceMode":"ALLOW_FAILURE","cancelOrigClientOrderId":"a4","side":"BUY","type":"LIMIT_MAKER","price":"43187.00","quantity":"0.1","newClientOrderId":"a5"}}"#;
        let replaced = read(replace).unwrap();
        let wants = Wants::Replace { open: ClientOrderId::from_bytes(b"a4").unwrap(), new, stops: false };
        assert_eq!((replaced.id.as_bytes(), replaced.wants), (&b"a5"[..], wants));
        for (from, to, expected) in [
            ("ALLOW_FAILURE", "NEVER", "impossible `cancelReplaceMode` at byte"),
            (r#""cancelOrigClientOrderId":"a4","#, "", "`cancelOrigClientOrderId` is missing"),
            (r#""cancelReplaceMode":"ALLOW_FAILURE","#, "", "`cancelReplaceMode` is missing"),
        ] {
            let said = read(&replace.replace(from, to)).unwrap_err().to_string();
            assert!(said.starts_with(expected), "{said}");
        }
    }

    #[test]
    fn what_cannot_be_a_request_is_refused_with_its_place() {
        let good = r#"{"id":"1","method":"order.place","params":{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC","price":"10.0","quantity":"0.1","newClientOrderId":"b1"}}"#;
        assert!(read(good).is_ok());
        // What is changed into what; what is said; and before which text the byte lies.
        for (from, to, expected, before) in [
            ("order.place", "order.test", "unknown method at byte {}", "order.test"),
            ("BTCUSDT", "ETHUSDT", "unknown symbol at byte {}", "ETHUSDT"),
            (r#""side":"BUY","#, "", "`side` is missing", ""),
            ("BUY", "buy", "impossible `side` at byte {}", "buy"),
            ("LIMIT", "STOP", "impossible `type` at byte {}", "STOP"),
            ("GTC", "GTT", "impossible `timeInForce` at byte {}", "GTT"),
            ("10.0", "10.05", "impossible `price` at byte {}", "10.05"),
            ("\"10.0\"", "0", "impossible `price` at byte {}", "0,\"quantity"),
            ("0.1", "-0.1", "impossible `quantity` at byte {}", "-0.1"),
            ("b1", "", "impossible `newClientOrderId` at byte {}", "\"}}"),
            ("\"side\"", "\"symbol\":\"X\",\"side\"", "a key twice at byte {}", "symbol\":\"X"),
            ("}}", "},\"params\":{}}", "a key twice at byte {}", "params\":{}"),
            ("}}", "} x", "no request at byte {}", "x"),
            ("}}", "}}x", "no request at byte {}", "x"),
            ("b1", "b\\u0031", "no request at byte {}", "\\u0031"),
        ] {
            let bad = good.replace(from, to);
            let expected = expected.replace("{}", &bad.find(before).unwrap().to_string());
            assert_eq!(read(&bad).unwrap_err().to_string(), expected, "{from} -> {to}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, VENUE, &table());
        }
    }
}
