//! The codec: per instrument one prepared message for each method, side, kind of order and time in force.

use super::template::{Field, Prepared, Value, Values};
use super::{Authentication, MESSAGE_BYTES_MAX, RecvWindow};
use crate::client_order_id::ClientOrderId;
use crate::codec::{Amendment, EncodeError, OpenOrder, OrderCodec, Request};
use engine::ids::InstrumentId;
use engine::instrument::{ContractKind, Instrument};
use engine::num::{Level, Price, Qty, Side};
use engine::order::{Order, OrderKind, Tif};
use engine::risk::Approved;
use std::fmt;
use wire::print::DecimalPrinter;

/// Encodes the orders of one account at Binance.
pub struct BinanceCodec {
    /// By instrument id. None: not this codec's.
    instruments: Vec<Option<Messages>>,
    authentication: Authentication,
    values: Values,
    /// Where the text is put together that is signed.
    scratch: [u8; MESSAGE_BYTES_MAX],
}

/// Why there is no codec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BinanceCodecError {
    /// The key's public half is empty, has other characters than letters and digits, or is far too long.
    ApiKey,
    /// A symbol that cannot stand in JSON and signed text as it is, or is far too long.
    Symbol(String),
}

impl fmt::Display for BinanceCodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiKey => f.write_str("the API key must be letters and digits"),
            Self::Symbol(symbol) => write!(f, "symbol {symbol:?} cannot be sent"),
        }
    }
}

impl std::error::Error for BinanceCodecError {}

impl BinanceCodec {
    /// A codec for these instruments, whichever of the three products they are. Takes all the memory it will need.
    /// Err: see [`BinanceCodecError`].
    pub fn new<'a>(
        instruments: impl IntoIterator<Item = &'a Instrument>,
        authentication: Authentication,
        recv_window: RecvWindow,
    ) -> Result<Self, BinanceCodecError> {
        if !authentication.has_plain_key() {
            return Err(BinanceCodecError::ApiKey);
        }
        let mut messages = Vec::new();
        for instrument in instruments {
            let index = instrument.id.index();
            messages.resize_with(messages.len().max(index + 1), || None);
            messages[index] = Some(Messages::new(instrument, &authentication, recv_window)?);
        }
        Ok(Self {
            instruments: messages,
            authentication,
            values: Values::new(),
            scratch: [0; MESSAGE_BYTES_MAX],
        })
    }

    /// Whether an order can be amended to this price and whole quantity and keep its id.
    #[inline]
    pub(crate) fn can_amend(&self, open: &Order, to: Level) -> bool {
        let rest = Level { qty: Qty(to.qty.0 - open.filled.0), ..to };
        let amendment = self.amendment(open, rest);
        matches!(amendment, Ok(Amendment::KeepsPriority | Amendment::LosesPriority))
    }
}

/// How the codec authenticates; nothing of any key.
impl fmt::Debug for BinanceCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BinanceCodec").field("authentication", &self.authentication).finish_non_exhaustive()
    }
}

impl OrderCodec for BinanceCodec {
    const MESSAGE_BYTES_MAX: usize = MESSAGE_BYTES_MAX;

    #[inline]
    fn place<'o>(
        &mut self,
        request: Request,
        approved: &Approved,
        id: &ClientOrderId,
        out: &'o mut [u8],
    ) -> Result<&'o [u8], EncodeError> {
        let order = approved.order();
        let messages = messages(&self.instruments, order.instrument)?;
        set_request(&mut self.values, request);
        set_id(&mut self.values, Field::ClientOrderId, id)?;
        messages.set_qty(&mut self.values, order.level.qty)?;
        if order.terms.kind.has_limit() {
            messages.set_price(&mut self.values, Field::Price, order.level.price)?;
        }
        if order.terms.kind.is_stop() {
            messages.set_price(&mut self.values, Field::Trigger, order.terms.trigger)?;
        }
        let place = shape(order.side, order.terms.kind, order.tif, order.terms.reduce_only);
        let prepared = messages.place.get(place).and_then(Option::as_ref).ok_or(EncodeError::Kind)?;
        prepared.write(&mut self.values, &self.authentication, &mut self.scratch, out)
    }

    #[inline]
    fn cancel<'o>(
        &mut self,
        request: Request,
        order: &Order,
        id: &ClientOrderId,
        out: &'o mut [u8],
    ) -> Result<&'o [u8], EncodeError> {
        let messages = messages(&self.instruments, order.instrument)?;
        set_request(&mut self.values, request);
        set_id(&mut self.values, Field::OpenId, id)?;
        let waits = messages.cancel_waiting.as_ref().filter(|_| order.terms.kind.is_stop());
        waits.unwrap_or(&messages.cancel).write(
            &mut self.values,
            &self.authentication,
            &mut self.scratch,
            out,
        )
    }

    fn query<'o>(
        &mut self,
        request: Request,
        order: &Order,
        id: &ClientOrderId,
        out: &'o mut [u8],
    ) -> Result<&'o [u8], EncodeError> {
        let messages = messages(&self.instruments, order.instrument)?;
        // The WebSocket API of futures answers of no order that waits, and would deny that it is there.
        if messages.cancel_waiting.is_some() && order.terms.kind.is_stop() {
            return Err(EncodeError::Kind);
        }
        set_request(&mut self.values, request);
        set_id(&mut self.values, Field::OpenId, id)?;
        messages.query.write(&mut self.values, &self.authentication, &mut self.scratch, out)
    }

    #[inline]
    fn amendment(&self, open: &Order, to: Level) -> Result<Amendment, EncodeError> {
        let messages = messages(&self.instruments, open.instrument)?;
        if open.terms.kind != OrderKind::Limit {
            return Err(EncodeError::Kind);
        }
        if to.qty.0 <= 0 {
            return Err(EncodeError::Quantity);
        }
        let rests = Qty(open.level.qty.0 - open.filled.0);
        if (to.price, to.qty) == (open.level.price, rests) {
            return Err(EncodeError::NoChange);
        }
        Ok(match messages.amend {
            Amend::Futures { .. } => Amendment::LosesPriority,
            Amend::Spot { .. } if to.price == open.level.price && to.qty < rests => Amendment::KeepsPriority,
            Amend::Spot { .. } => Amendment::NewOrder,
        })
    }

    #[inline]
    fn amend<'o>(
        &mut self,
        request: Request,
        open: OpenOrder<'_>,
        approved: &Approved,
        id: &ClientOrderId,
        out: &'o mut [u8],
    ) -> Result<&'o [u8], EncodeError> {
        let (from, to) = (open.order, approved.order());
        let same = (from.instrument, from.side, from.tif, from.terms, from.strategy, from.account)
            == (to.instrument, to.side, to.tif, to.terms, to.strategy, to.account);
        if !same {
            return Err(EncodeError::OtherOrder);
        }
        let stays = id == open.id;
        let filled = if stays { from.filled } else { Qty(0) };
        let rests = Qty(to.level.qty.0.checked_sub(filled.0).ok_or(EncodeError::Quantity)?);
        let amendment = self.amendment(from, Level { qty: rests, ..to.level })?;
        if stays == (amendment == Amendment::NewOrder) {
            return Err(EncodeError::AmendedId);
        }
        let messages = messages(&self.instruments, to.instrument)?;
        set_request(&mut self.values, request);
        set_id(&mut self.values, Field::OpenId, open.id)?;
        set_id(&mut self.values, Field::ClientOrderId, id)?;
        messages.set_price(&mut self.values, Field::Price, to.level.price)?;
        messages.set_qty(&mut self.values, to.level.qty)?;
        let prepared = match &messages.amend {
            Amend::Futures { modify } => &modify[to.side as usize],
            Amend::Spot { shrink, .. } if stays => shrink,
            Amend::Spot { replace, .. } => &replace[to.side as usize][to.tif as usize],
        };
        prepared.write(&mut self.values, &self.authentication, &mut self.scratch, out)
    }
}

#[inline]
fn messages(all: &[Option<Messages>], instrument: InstrumentId) -> Result<&Messages, EncodeError> {
    all.get(instrument.index()).and_then(Option::as_ref).ok_or(EncodeError::UnknownInstrument)
}

#[inline]
fn set_request(values: &mut Values, request: Request) {
    values.text(Field::RequestId).set_number(request.id);
    values.text(Field::Timestamp).set_number(request.now.as_ms());
}

/// Spot takes `[a-zA-Z0-9-_]{1,36}`; futures take `.`, `:` and `/` too, which no id of ours has.
#[inline]
fn set_id(values: &mut Values, field: Field, id: &ClientOrderId) -> Result<(), EncodeError> {
    let bytes = id.as_bytes();
    let plain = bytes.iter().fold(true, |plain, byte| plain & ID_CHARACTERS[usize::from(*byte)]);
    (plain && !bytes.is_empty() && values.text(field).set(bytes))
        .then_some(())
        .ok_or(EncodeError::ClientOrderId)
}

const ID_CHARACTERS: [bool; 256] = {
    let (mut table, mut byte) = ([false; 256], 0_u8);
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        byte += 1;
    }
    table
};

/// The messages of one instrument, and how its numbers are printed.
struct Messages {
    price: DecimalPrinter,
    qty: DecimalPrinter,
    /// By [`shape`]. None: the venue has no such order.
    place: Box<[Option<Prepared>]>,
    cancel: Prepared,
    /// Futures: of an order that waits for its trigger.
    cancel_waiting: Option<Prepared>,
    query: Prepared,
    amend: Amend,
}

enum Amend {
    /// By side.
    Futures { modify: [Prepared; 2] },
    /// By side and time in force, where they stand in the message.
    Spot { shrink: Prepared, replace: Box<[[Prepared; 4]; 2]> },
}

impl Messages {
    fn new(
        instrument: &Instrument,
        authentication: &Authentication,
        recv_window: RecvWindow,
    ) -> Result<Self, BinanceCodecError> {
        let symbol = instrument.symbol.clone();
        // Other scripts are fine, sent and signed as UTF-8; what JSON would escape or a signed text be split by is not.
        let plain = |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '"' | '\\' | '&' | '=');
        if symbol.is_empty() || !symbol.chars().all(plain) {
            return Err(BinanceCodecError::Symbol(symbol));
        }
        let spot = instrument.kind == ContractKind::Spot;
        let maker = Maker { symbol, spot, authentication, recv_window };
        Ok(Self {
            price: DecimalPrinter::new(instrument.price_rule.tick),
            qty: DecimalPrinter::new(instrument.qty_unit),
            place: maker.place()?,
            cancel_waiting: if spot { None } else { Some(maker.cancel_waiting()?) },
            cancel: maker.make("order.cancel", vec![id("origClientOrderId", Field::OpenId)])?,
            query: maker.make("order.status", vec![id("origClientOrderId", Field::OpenId)])?,
            amend: if spot { maker.amend_spot()? } else { maker.amend_futures()? },
        })
    }

    #[inline]
    fn set_price(&self, values: &mut Values, field: Field, price: Price) -> Result<(), EncodeError> {
        let is_set = price.0 > 0 && self.price.print(price.0, values.text(field));
        if is_set { Ok(()) } else { Err(EncodeError::Price) }
    }

    #[inline]
    fn set_qty(&self, values: &mut Values, qty: Qty) -> Result<(), EncodeError> {
        let is_set = qty.0 > 0 && self.qty.print(qty.0, values.text(Field::Qty));
        if is_set { Ok(()) } else { Err(EncodeError::Quantity) }
    }
}

/// Prepares the messages of one instrument.
struct Maker<'a> {
    symbol: String,
    spot: bool,
    authentication: &'a Authentication,
    recv_window: RecvWindow,
}

/// What a message says, beside what every one does.
type Parameters = Vec<(&'static str, Value)>;

impl Maker<'_> {
    fn make(&self, method: &str, mut parameters: Parameters) -> Result<Prepared, BinanceCodecError> {
        parameters.push(("symbol", Value::Text(self.symbol.clone())));
        self.make_without_symbol(method, parameters)
    }

    fn make_without_symbol(
        &self,
        method: &str,
        mut parameters: Parameters,
    ) -> Result<Prepared, BinanceCodecError> {
        parameters.push(("recvWindow", Value::Number(self.recv_window.as_ms())));
        let prepared = Prepared::new(method, parameters, self.authentication);
        prepared.ok_or_else(|| BinanceCodecError::Symbol(self.symbol.clone()))
    }

    /// Every order that the venue has, by [`shape`].
    fn place(&self) -> Result<Box<[Option<Prepared>]>, BinanceCodecError> {
        let mut place: Vec<Option<Prepared>> = Vec::new();
        place.resize_with(SHAPES, || None);
        for (side, kind, tif, reduces) in every_shape() {
            let parameters = match kind {
                OrderKind::Limit => Some(self.limit(side, tif)),
                OrderKind::Market => market(self.spot, side, tif),
                OrderKind::Stop | OrderKind::StopLimit => stop(self.spot, side, kind, tif),
            };
            let Some(mut parameters) = parameters else { continue };
            // Spot has no such orders: there the gate alone holds them to the position.
            parameters.extend((reduces && !self.spot).then(|| fixed("reduceOnly", "true")));
            let method = if kind.is_stop() && !self.spot { "algoOrder.place" } else { "order.place" };
            place[shape(side, kind, tif, reduces)] = Some(self.make(method, parameters)?);
        }
        Ok(place.into())
    }

    fn limit(&self, side: Side, tif: Tif) -> Parameters {
        let mut parameters =
            vec![fixed("side", side_name(side)), id("newClientOrderId", Field::ClientOrderId)];
        parameters.extend(level("quantity"));
        parameters.extend(kind(self.spot, tif));
        // Spot answers with the fills by default, which the user stream brings anyway.
        parameters.extend(self.spot.then(|| fixed("newOrderRespType", "ACK")));
        parameters
    }

    /// The answer names no symbol, and the request needs none.
    fn cancel_waiting(&self) -> Result<Prepared, BinanceCodecError> {
        self.make_without_symbol("algoOrder.cancel", vec![id("clientAlgoId", Field::OpenId)])
    }

    fn amend_spot(&self) -> Result<Amend, BinanceCodecError> {
        let shrink = vec![
            id("origClientOrderId", Field::OpenId),
            // Without it the order would get a random id.
            id("newClientOrderId", Field::ClientOrderId),
            ("newQty", Value::Field(Field::Qty)),
        ];
        let replace = |side, tif| {
            let mut parameters = self.limit(side, tif);
            parameters.push(id("cancelOrigClientOrderId", Field::OpenId));
            // No new order beside one that could not be canceled, perhaps because it had filled.
            parameters.push(fixed("cancelReplaceMode", "STOP_ON_FAILURE"));
            self.make("order.cancelReplace", parameters)
        };
        Ok(Amend::Spot {
            shrink: self.make("order.amend.keepPriority", shrink)?,
            replace: by_kind(replace)?.into(),
        })
    }

    fn amend_futures(&self) -> Result<Amend, BinanceCodecError> {
        let modify = |side| {
            let mut parameters = vec![fixed("side", side_name(side)), id("origClientOrderId", Field::OpenId)];
            parameters.extend(level("quantity"));
            self.make("order.modify", parameters)
        };
        Ok(Amend::Futures { modify: [modify(Side::Buy)?, modify(Side::Sell)?] })
    }
}

/// Orders that differ in more than price, trigger and quantity.
const SHAPES: usize = 2 * 2 * OrderKind::ALL.len() * Tif::ALL.len();

/// Where the message of such an order lies.
#[inline]
const fn shape(side: Side, kind: OrderKind, tif: Tif, reduces: bool) -> usize {
    ((side as usize * 2 + reduces as usize) * OrderKind::ALL.len() + kind as usize) * Tif::ALL.len()
        + tif as usize
}

fn every_shape() -> impl Iterator<Item = (Side, OrderKind, Tif, bool)> {
    let sides = Side::BOTH.into_iter().flat_map(|side| [(side, false), (side, true)]);
    let kinds = sides.flat_map(|(side, reduces)| OrderKind::ALL.map(|kind| (side, kind, reduces)));
    kinds.flat_map(|(side, kind, reduces)| Tif::ALL.map(|tif| (side, kind, tif, reduces)))
}

/// A market order, which takes at once or not at all. None: another time in force.
fn market(spot: bool, side: Side, tif: Tif) -> Option<Parameters> {
    let mut parameters = vec![
        fixed("side", side_name(side)),
        id("newClientOrderId", Field::ClientOrderId),
        ("quantity", Value::Field(Field::Qty)),
        fixed("type", "MARKET"),
    ];
    parameters.extend(spot.then(|| fixed("newOrderRespType", "ACK")));
    (tif == Tif::Ioc).then_some(parameters)
}

/// An order that waits for its trigger, by the last price; futures have conditional orders beside the others, with
/// ids of their own. None: the venue has none of this time in force.
fn stop(spot: bool, side: Side, kind: OrderKind, tif: Tif) -> Option<Parameters> {
    let limit_tif = match (kind, tif) {
        (OrderKind::Stop, Tif::Ioc) => None,
        (OrderKind::StopLimit, Tif::Gtc) => Some("GTC"),
        (OrderKind::StopLimit, Tif::Ioc) => Some("IOC"),
        (OrderKind::StopLimit, Tif::Fok) => Some("FOK"),
        _ => return None,
    };
    let name = match (spot, limit_tif.is_some()) {
        (true, false) => "STOP_LOSS",
        (true, true) => "STOP_LOSS_LIMIT",
        (false, false) => "STOP_MARKET",
        (false, true) => "STOP",
    };
    let mut parameters =
        vec![fixed("side", side_name(side)), ("quantity", Value::Field(Field::Qty)), fixed("type", name)];
    if let Some(tif) = limit_tif {
        parameters.extend([("price", Value::Field(Field::Price)), fixed("timeInForce", tif)]);
    }
    let trigger = Value::Field(Field::Trigger);
    parameters.extend(if spot {
        vec![
            ("stopPrice", trigger),
            id("newClientOrderId", Field::ClientOrderId),
            fixed("newOrderRespType", "ACK"),
        ]
    } else {
        vec![
            ("triggerPrice", trigger),
            id("clientAlgoId", Field::ClientOrderId),
            fixed("algoType", "CONDITIONAL"),
            fixed("workingType", "CONTRACT_PRICE"),
        ]
    });
    Some(parameters)
}

/// One of each side and time in force, at their numbers.
fn by_kind<E>(make: impl Fn(Side, Tif) -> Result<Prepared, E>) -> Result<[[Prepared; 4]; 2], E> {
    let [gtc, ioc, fok, post_only] = Tif::ALL;
    let of = |side| Ok([make(side, gtc)?, make(side, ioc)?, make(side, fok)?, make(side, post_only)?]);
    let [buy, sell] = Side::BOTH;
    Ok([of(buy)?, of(sell)?])
}

const fn side_name(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

/// Order type and time in force.
fn kind(spot: bool, tif: Tif) -> Parameters {
    let (kind, tif) = match tif {
        Tif::Gtc => ("LIMIT", Some("GTC")),
        Tif::Ioc => ("LIMIT", Some("IOC")),
        Tif::Fok => ("LIMIT", Some("FOK")),
        Tif::PostOnly if spot => ("LIMIT_MAKER", None),
        Tif::PostOnly => ("LIMIT", Some("GTX")),
    };
    std::iter::once(fixed("type", kind)).chain(tif.map(|tif| fixed("timeInForce", tif))).collect()
}

fn level(qty: &'static str) -> [(&'static str, Value); 2] {
    [("price", Value::Field(Field::Price)), (qty, Value::Field(Field::Qty))]
}

fn id(name: &'static str, field: Field) -> (&'static str, Value) {
    (name, Value::Field(field))
}

fn fixed(name: &'static str, text: &str) -> (&'static str, Value) {
    (name, Value::Text(text.to_owned()))
}
