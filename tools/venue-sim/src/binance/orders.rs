//! Requests for orders: the venue's parameters into the exchange's, each refused as the venue refuses it.
//!
//! Parameters: developers.binance.com, "New order" of spot and USD-M, read 2026-11-21.

use engine::ids::InstrumentId;
use engine::instrument::Instrument;
use engine::num::{Decimal, Price, Qty, Side, Step};
use engine::order::Tif;
use engine::time::Nanos;

use super::failure::{Failure, INVALID_SYMBOL, NO_SUCH_ORDER};
use super::params::Params;
use crate::exchange::{
    Amount, ClientId, Kind, NewOrder, OrderId, OrderRef, Product, SelfTrade, Size, Trigger, TriggerKind,
    TriggerSource,
};

/// How much of an order its answer shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// That it was taken.
    Ack,
    /// What became of it.
    Result,
    /// And each fill.
    Full,
}

/// A market as requests see it.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    /// Spot or futures.
    pub(crate) product: Product,
    /// Its number.
    pub(crate) market: InstrumentId,
    /// Its units.
    pub(crate) instrument: &'a Instrument,
}

/// Reads a new order. `now` bounds `goodTillDate`.
/// Err: the venue's refusal of the first parameter that is wrong.
pub(crate) fn new_order(target: Target<'_>, params: &Params, now: Nanos) -> Result<NewOrder, Failure> {
    let side = match params.need("side")? {
        "BUY" => Side::Buy,
        "SELL" => Side::Sell,
        _ => return Err(Failure::of(400, -1117, "Invalid side.")),
    };
    if let Some(name) = NOT_OFFERED.into_iter().find(|name| params.get(name).is_some()) {
        return Err(Failure::not_required(name));
    }
    if params.get("priceMatch").is_some_and(|mode| mode != "NONE") {
        return Err(Failure::of(400, -5037, "Invalid price match."));
    }
    if params.flag("priceProtect")? == Some(true) {
        return Err(Failure::not_required("priceProtect"));
    }
    let shape = shape(target.product, params.need("type")?)?;
    let (kind, good_till) = kind(target, params, &shape, now)?;
    let trigger = trigger(target, params, &shape)?;
    let size = size(target, params, &shape)?;
    let reduce_only = params.flag("reduceOnly")?.unwrap_or(false);
    if target.product == Product::Futures {
        one_way(params)?;
        if shape.trigger.is_some() != (params.get("algoType") == Some("CONDITIONAL")) {
            let text = "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.";
            return Err(Failure::of(400, -4120, text));
        }
    } else if params.has("reduceOnly") {
        return Err(Failure::not_required("reduceOnly"));
    }
    let client_name = if shape.trigger.is_some() && target.product == Product::Futures {
        "clientAlgoId"
    } else {
        "newClientOrderId"
    };
    Ok(NewOrder {
        market: target.market,
        side,
        kind,
        size,
        trigger,
        reduce_only,
        self_trade: self_trade(target.product, params)?,
        client_id: client_id(target.product, params, client_name)?,
        good_till,
    })
}

/// Parameters of orders that this venue does not have: an order must not pass for less than it asks for.
const NOT_OFFERED: [&str; 8] = [
    "icebergQty",
    "trailingDelta",
    "pegPriceType",
    "pegOffsetType",
    "pegOffsetValue",
    "activatePrice",
    "activationPrice",
    "callbackRate",
];

/// What a `type` stands for.
struct Shape {
    is_limit: bool,
    is_post_only: bool,
    trigger: Option<TriggerKind>,
}

fn shape(product: Product, name: &str) -> Result<Shape, Failure> {
    let of = |is_limit, trigger| Ok(Shape { is_limit, is_post_only: false, trigger });
    let (stop, take) = (Some(TriggerKind::Stop), Some(TriggerKind::TakeProfit));
    match (product, name) {
        (_, "LIMIT") => of(true, None),
        (_, "MARKET") => of(false, None),
        (Product::Spot, "LIMIT_MAKER") => Ok(Shape { is_limit: true, is_post_only: true, trigger: None }),
        (Product::Spot, "STOP_LOSS") | (Product::Futures, "STOP_MARKET") => of(false, stop),
        (Product::Spot, "STOP_LOSS_LIMIT") | (Product::Futures, "STOP") => of(true, stop),
        (Product::Spot, "TAKE_PROFIT") | (Product::Futures, "TAKE_PROFIT_MARKET") => of(false, take),
        (Product::Spot, "TAKE_PROFIT_LIMIT") | (Product::Futures, "TAKE_PROFIT") => of(true, take),
        _ => Err(Failure::of(400, -1116, "Invalid orderType.")),
    }
}

fn kind(
    target: Target<'_>,
    params: &Params,
    shape: &Shape,
    now: Nanos,
) -> Result<(Kind, Option<Nanos>), Failure> {
    let invalid_tif = Failure::of(400, -1115, "Invalid timeInForce.");
    if !shape.is_limit {
        for name in ["price", "timeInForce"] {
            // Conditional market orders on futures may say a time in force.
            if params.get(name).is_some() && !(shape.trigger.is_some() && name == "timeInForce") {
                return Err(Failure::not_required(name));
            }
        }
        return Ok((Kind::Market, None));
    }
    let (mut tif, mut good_till) = (Tif::PostOnly, None);
    if shape.is_post_only {
        if params.get("timeInForce").is_some() {
            return Err(Failure::not_required("timeInForce"));
        }
    } else {
        let default = (target.product == Product::Futures && shape.trigger.is_some()).then_some("GTC");
        let name = params.get("timeInForce").or(default).ok_or_else(|| Failure::missing("timeInForce"))?;
        tif = match (target.product, name) {
            (_, "GTC") | (Product::Futures, "GTD") => Tif::Gtc,
            (_, "IOC") => Tif::Ioc,
            (_, "FOK") => Tif::Fok,
            (Product::Futures, "GTX") => Tif::PostOnly,
            _ => return Err(invalid_tif),
        };
        if name == "GTD" {
            let until = params.number("goodTillDate")?.ok_or_else(|| Failure::missing("goodTillDate"))?;
            // Seconds precision.
            let until = Nanos::from_ms(until / 1_000 * 1_000);
            if until.0 < now.0 + 600 * Nanos::SECOND.0 {
                let text = "The goodTillDate timestamp must be greater than the current time plus 600 seconds and smaller than 253402300799000";
                return Err(Failure::of(400, -5040, text));
            }
            good_till = Some(until);
        } else if params.get("goodTillDate").is_some_and(|text| text != "0") {
            return Err(Failure::of(400, -5040, "The goodTillDate is only for timeInForce GTD."));
        }
    }
    let price = price(target, params, "price")?.ok_or_else(|| Failure::missing("price"))?;
    Ok((Kind::Limit { price, tif }, good_till))
}

fn trigger(target: Target<'_>, params: &Params, shape: &Shape) -> Result<Option<Trigger>, Failure> {
    let name = if target.product == Product::Spot { "stopPrice" } else { "triggerPrice" };
    let Some(kind) = shape.trigger else {
        return if params.get(name).is_some() { Err(Failure::not_required(name)) } else { Ok(None) };
    };
    let price = price(target, params, name)?.ok_or_else(|| Failure::missing(name))?;
    let source = match params.get("workingType") {
        None | Some("CONTRACT_PRICE") => TriggerSource::Last,
        Some("MARK_PRICE") if target.product == Product::Futures => TriggerSource::Mark,
        Some(_) => return Err(Failure::of(400, -4144, "Invalid workingType.")),
    };
    Ok(Some(Trigger { price, source, kind }))
}

fn size(target: Target<'_>, params: &Params, shape: &Shape) -> Result<Size, Failure> {
    let is_spot = target.product == Product::Spot;
    let closes = params.flag("closePosition")?.unwrap_or(false);
    if closes {
        if is_spot || shape.is_limit || shape.trigger.is_none() {
            return Err(Failure::of(400, -4136, "Target strategy invalid for orderType with closePosition."));
        }
        if params.get("quantity").is_some() {
            return Err(Failure::of(400, -4137, "Quantity must be zero with closePosition equals true."));
        }
        return Ok(Size::Position);
    }
    if let Some(amount) = params.decimal("quoteOrderQty")? {
        if !is_spot || shape.is_limit || shape.trigger.is_some() || params.get("quantity").is_some() {
            return Err(Failure::not_required("quoteOrderQty"));
        }
        return Amount::from_decimal(amount)
            .map(Size::Quote)
            .map_err(|_| Failure::precision("quoteOrderQty"));
    }
    let qty = qty(target, params, "quantity")?.ok_or_else(|| Failure::missing("quantity"))?;
    Ok(Size::Base(qty))
}

/// Positions have one side here: hedge mode is not offered.
fn one_way(params: &Params) -> Result<(), Failure> {
    match params.get("positionSide") {
        None | Some("BOTH") => Ok(()),
        Some("LONG" | "SHORT") => {
            Err(Failure::of(400, -4061, "Order's position side does not match user's setting."))
        }
        Some(_) => Err(Failure::of(400, -4060, "Invalid position side.")),
    }
}

fn self_trade(product: Product, params: &Params) -> Result<Option<SelfTrade>, Failure> {
    match params.get("selfTradePreventionMode") {
        None => Ok(None),
        Some("NONE") if product == Product::Spot => Ok(Some(SelfTrade::Allow)),
        Some("EXPIRE_TAKER") => Ok(Some(SelfTrade::ExpireTaker)),
        Some("EXPIRE_MAKER") => Ok(Some(SelfTrade::ExpireMaker)),
        Some("EXPIRE_BOTH") => Ok(Some(SelfTrade::ExpireBoth)),
        Some(_) if product == Product::Spot => Err(Failure::of(
            400,
            -1013,
            "This symbol does not allow the specified self-trade prevention mode.",
        )),
        Some(_) => Err(Failure::of(400, -5038, "Invalid selfTradePreventionMode.")),
    }
}

/// Reads a price. Err: `-1100` no decimal; finer than a tick as the product says it.
pub(crate) fn price(
    target: Target<'_>,
    params: &Params,
    name: &'static str,
) -> Result<Option<Price>, Failure> {
    let tick = target.instrument.price_rule.tick;
    counted(params, name, tick, || match target.product {
        Product::Spot => Failure::filter("PRICE_FILTER"),
        Product::Futures => Failure::of(400, -4014, "Price not increased by tick size."),
    })
    .map(|count| count.map(Price))
}

/// Reads a quantity. Err: `-1100` no decimal; finer than a unit as the product says it.
pub(crate) fn qty(target: Target<'_>, params: &Params, name: &'static str) -> Result<Option<Qty>, Failure> {
    counted(params, name, target.instrument.qty_unit, || Failure::precision(name)).map(|count| count.map(Qty))
}

fn counted(
    params: &Params,
    name: &'static str,
    step: Step,
    between: impl Fn() -> Failure,
) -> Result<Option<i64>, Failure> {
    let Some(value) = params.decimal(name)? else { return Ok(None) };
    // More digits than the step is written with are too precise before they are off it.
    let fine = |value: Decimal| value.rescaled(18).ok().zip(step.decimal(1).rescaled(18).ok());
    let Some((value, one)) = fine(value) else { return Err(Failure::illegal_characters(name)) };
    if value % 10_i128.pow(18 - u32::from(step.digits().max(step.exponent()))) != 0 {
        return Err(Failure::precision(name));
    }
    if value % one != 0 {
        return Err(between());
    }
    i64::try_from(value / one).map(Some).map_err(|_| Failure::illegal_characters(name))
}

/// Reads a client's name of something. Err: `-1100` on spot and `-4015` on futures when it has characters or a
/// length that the product does not take.
pub(crate) fn client_id(
    product: Product,
    params: &Params,
    name: &'static str,
) -> Result<Option<ClientId>, Failure> {
    let Some(text) = params.get(name) else { return Ok(None) };
    let extra: &[u8] = if product == Product::Spot { b"-_" } else { b".:/_-" };
    let is_valid = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || extra.contains(&byte));
    let refused = || match product {
        Product::Spot => Failure::saying(
            400,
            -1100,
            format!(
                "Illegal characters found in parameter '{name}'; legal range is '^[a-zA-Z0-9-_]{{1,36}}$'."
            ),
        ),
        Product::Futures => Failure::of(400, -4015, "Client order id is not valid."),
    };
    ClientId::new(text).filter(|_| is_valid).map(Some).ok_or_else(refused)
}

/// Which order a request means: `id_name`, `client_name` or both.
/// Err: `-1102` neither; `-2013` a client id that no order can have.
pub(crate) fn order_ref(
    params: &Params,
    id_name: &'static str,
    client_name: &'static str,
) -> Result<OrderRef, Failure> {
    let id = params.number(id_name)?.map(OrderId);
    let client = match params.get(client_name) {
        None => None,
        Some(text) => Some(ClientId::new(text).ok_or(NO_SUCH_ORDER)?),
    };
    match (id, client) {
        (Some(id), Some(client)) => Ok(OrderRef::Both(id, client)),
        (Some(id), None) => Ok(OrderRef::Id(id)),
        (None, Some(client)) => Ok(OrderRef::Client(client)),
        (None, None) => {
            let text =
                format!("Param '{client_name}' or '{id_name}' must be sent, but both were empty/null!");
            Err(Failure::saying(400, -1128, text)).map_err(|failure| Failure { code: -1102, ..failure })
        }
    }
}

/// How much the answer shows. Err: `-1100` no such kind of answer on this product.
pub(crate) fn detail(product: Product, params: &Params) -> Result<Detail, Failure> {
    let has_fills = matches!(params.get("type"), Some("LIMIT" | "MARKET"));
    match (product, params.get("newOrderRespType")) {
        (Product::Spot, None) => Ok(if has_fills { Detail::Full } else { Detail::Ack }),
        (Product::Futures, None) | (_, Some("ACK")) => Ok(Detail::Ack),
        (_, Some("RESULT")) => Ok(Detail::Result),
        (Product::Spot, Some("FULL")) => Ok(Detail::Full),
        _ => Err(Failure::illegal_characters("newOrderRespType")),
    }
}

/// The market of `symbol`. Err: `-1102` not sent, `-1121` no such market.
pub(crate) fn symbol<T>(params: &Params, find: impl Fn(&str) -> Option<T>) -> Result<T, Failure> {
    find(params.need("symbol")?).ok_or(INVALID_SYMBOL)
}
