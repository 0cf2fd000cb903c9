//! Orders as answers show them.
//!
//! Shapes: fixtures and captures where there are any, else the examples of developers.binance.com, read 2026-11-21.

use engine::num::{Qty, Side};
use engine::order::Tif;
use engine::time::Nanos;

use super::json::Json;
use super::orders::Detail;
use super::render::{Digits, money};
use crate::exchange::{Fill, Kind, Order, Product, SelfTrade, Size, Status, TriggerKind, TriggerSource};

/// `BUY` or `SELL`.
#[must_use]
pub(crate) const fn side(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

/// `type` of an order.
#[must_use]
pub(crate) const fn order_type(product: Product, order: &Order) -> &'static str {
    let is_limit = matches!(order.kind, Kind::Limit { .. });
    // On futures the order that a conditional one has become is a plain one.
    match (product, order.trigger) {
        (Product::Spot, None) if matches!(order.kind, Kind::Limit { tif: Tif::PostOnly, .. }) => {
            "LIMIT_MAKER"
        }
        (_, None) => {
            if is_limit {
                "LIMIT"
            } else {
                "MARKET"
            }
        }
        (Product::Spot, Some(trigger)) => match (trigger.kind, is_limit) {
            (TriggerKind::Stop, false) => "STOP_LOSS",
            (TriggerKind::Stop, true) => "STOP_LOSS_LIMIT",
            (TriggerKind::TakeProfit, false) => "TAKE_PROFIT",
            (TriggerKind::TakeProfit, true) => "TAKE_PROFIT_LIMIT",
        },
        (Product::Futures, Some(trigger)) => match (trigger.kind, is_limit) {
            (TriggerKind::Stop, false) => "STOP_MARKET",
            (TriggerKind::Stop, true) => "STOP",
            (TriggerKind::TakeProfit, false) => "TAKE_PROFIT_MARKET",
            (TriggerKind::TakeProfit, true) => "TAKE_PROFIT",
        },
    }
}

/// `timeInForce` of an order.
#[must_use]
pub(crate) const fn time_in_force(product: Product, order: &Order) -> &'static str {
    match (order.kind, product) {
        (Kind::Limit { tif: Tif::Ioc, .. }, _) => "IOC",
        (Kind::Limit { tif: Tif::Fok, .. }, _) => "FOK",
        (Kind::Limit { tif: Tif::PostOnly, .. }, Product::Futures) => "GTX",
        (Kind::Limit { .. }, Product::Futures) if order.good_till.is_some() => "GTD",
        _ => "GTC",
    }
}

/// `status` of an order.
#[must_use]
pub(crate) const fn status(order: &Order) -> &'static str {
    match order.status {
        Status::Waiting | Status::New => "NEW",
        Status::PartiallyFilled => "PARTIALLY_FILLED",
        Status::Filled => "FILLED",
        Status::Canceled => "CANCELED",
        Status::Expired | Status::Triggered => "EXPIRED",
        Status::ExpiredInMatch => "EXPIRED_IN_MATCH",
        Status::Rejected => "REJECTED",
    }
}

/// `selfTradePreventionMode` of an order.
#[must_use]
pub(crate) const fn self_trade(order: &Order) -> &'static str {
    match order.self_trade {
        SelfTrade::Allow => "NONE",
        SelfTrade::ExpireTaker => "EXPIRE_TAKER",
        SelfTrade::ExpireMaker => "EXPIRE_MAKER",
        SelfTrade::ExpireBoth => "EXPIRE_BOTH",
    }
}

/// `workingType` of an order.
#[must_use]
pub(crate) fn working_type(order: &Order) -> &'static str {
    match order.trigger.map(|trigger| trigger.source) {
        Some(TriggerSource::Mark) => "MARK_PRICE",
        _ => "CONTRACT_PRICE",
    }
}

/// An order and how its market prints it.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a> {
    /// The order.
    pub(crate) order: &'a Order,
    /// Its market's symbol.
    pub(crate) symbol: &'a str,
    /// Its market's digits.
    pub(crate) digits: Digits,
}

impl Shown<'_> {
    fn price(&self) -> engine::num::Decimal {
        self.digits.price(self.order.kind.price().unwrap_or_default())
    }

    fn stop_price(&self) -> engine::num::Decimal {
        self.digits.price(self.order.trigger.map(|trigger| trigger.price).unwrap_or_default())
    }

    fn quote_qty(&self) -> engine::num::Decimal {
        match self.order.size {
            Size::Quote(amount) => money(amount),
            Size::Base(_) | Size::Position => self.digits.amount(crate::exchange::Amount::ZERO),
        }
    }

    /// The answer to a placement on spot. `fills` are shown with [`Detail::Full`]; `asset` names what a fee was
    /// paid in.
    pub(crate) fn spot_placed<'f>(
        &self,
        detail: Detail,
        time_ms: u64,
        fills: impl Iterator<Item = &'f Fill>,
        asset: impl Fn(&Fill) -> String,
    ) -> String {
        let order = self.order;
        let mut json = Json::object();
        json.text("symbol", self.symbol).int("orderId", order.id.0).int("orderListId", -1);
        json.text("clientOrderId", order.client_id.as_str()).int("transactTime", time_ms);
        if detail == Detail::Ack {
            return json.done();
        }
        self.spot_amounts(&mut json);
        if order.trigger.is_some() {
            json.shown("stopPrice", self.stop_price());
        }
        if let Some(working) = order.working {
            json.int("workingTime", working.as_ms());
        }
        json.text("selfTradePreventionMode", self_trade(order));
        if detail == Detail::Full {
            json.open_list("fills");
            for fill in fills {
                json.item_open().shown("price", self.digits.price(fill.price));
                json.shown("qty", self.digits.qty(fill.qty)).shown("commission", money(fill.fee));
                json.text("commissionAsset", &asset(fill)).int("tradeId", fill.trade).close();
            }
            json.close_list();
        }
        json.done()
    }

    /// The answer to a cancel on spot. `request_id` is the name of the cancel.
    #[must_use]
    pub(crate) fn spot_canceled(&self, request_id: &str, time_ms: u64) -> String {
        let order = self.order;
        let mut json = Json::object();
        json.text("symbol", self.symbol).text("origClientOrderId", order.client_id.as_str());
        json.int("orderId", order.id.0).int("orderListId", -1).text("clientOrderId", request_id);
        json.int("transactTime", time_ms);
        self.spot_amounts(&mut json);
        if order.trigger.is_some() {
            json.shown("stopPrice", self.stop_price());
        }
        json.text("selfTradePreventionMode", self_trade(order));
        json.done()
    }

    fn spot_amounts(&self, json: &mut Json) {
        let order = self.order;
        json.shown("price", self.price()).shown("origQty", self.digits.qty(order.qty));
        json.shown("executedQty", self.digits.qty(order.filled));
        json.shown("origQuoteOrderQty", self.quote_qty());
        json.shown("cummulativeQuoteQty", self.digits.amount(order.filled_value));
        json.text("status", status(order)).text("timeInForce", time_in_force(Product::Spot, order));
        json.text("type", order_type(Product::Spot, order)).text("side", side(order.side));
    }

    /// An order as spot answers a question for it.
    #[must_use]
    pub(crate) fn spot_queried(&self) -> String {
        let order = self.order;
        let mut json = Json::object();
        json.text("symbol", self.symbol).int("orderId", order.id.0).int("orderListId", -1);
        json.text("clientOrderId", order.client_id.as_str());
        json.shown("price", self.price()).shown("origQty", self.digits.qty(order.qty));
        json.shown("executedQty", self.digits.qty(order.filled));
        json.shown("cummulativeQuoteQty", self.digits.amount(order.filled_value));
        json.text("status", status(order)).text("timeInForce", time_in_force(Product::Spot, order));
        json.text("type", order_type(Product::Spot, order)).text("side", side(order.side));
        json.shown("stopPrice", self.stop_price()).shown("icebergQty", self.digits.qty(Qty(0)));
        json.int("time", order.created.as_ms()).int("updateTime", order.updated.as_ms());
        json.flag("isWorking", order.working.is_some());
        json.int("workingTime", order.working.map_or(-1, |at| i64::try_from(at.as_ms()).unwrap_or(i64::MAX)));
        json.shown("origQuoteOrderQty", self.quote_qty()).text("selfTradePreventionMode", self_trade(order));
        json.done()
    }

    /// The answer to an amendment on spot. `before` is the client id that the order had.
    #[must_use]
    pub(crate) fn spot_amended(&self, before: &str, execution_id: u64, time_ms: u64) -> String {
        let order = self.order;
        let mut json = Json::object();
        json.int("transactTime", time_ms).int("executionId", execution_id).open("amendedOrder");
        json.text("symbol", self.symbol).int("orderId", order.id.0).int("orderListId", -1);
        json.text("origClientOrderId", before).text("clientOrderId", order.client_id.as_str());
        json.shown("price", self.price()).shown("qty", self.digits.qty(order.qty));
        json.shown("executedQty", self.digits.qty(order.filled));
        json.shown("preventedQty", self.digits.qty(order.prevented));
        json.shown("quoteOrderQty", self.quote_qty());
        json.shown("cumulativeQuoteQty", self.digits.amount(order.filled_value));
        json.text("status", status(order)).text("timeInForce", time_in_force(Product::Spot, order));
        json.text("type", order_type(Product::Spot, order)).text("side", side(order.side));
        json.int("workingTime", order.working.map_or(0, Nanos::as_ms));
        json.text("selfTradePreventionMode", self_trade(order)).close();
        json.done()
    }

    /// The answer to a placement, amendment or cancel on futures; `modify_id` is echoed.
    #[must_use]
    pub(crate) fn futures_changed(&self, modify_id: Option<u64>) -> String {
        let order = self.order;
        let mut json = Json::object();
        json.int("orderId", order.id.0).text("symbol", self.symbol).text("status", status(order));
        json.text("clientOrderId", order.client_id.as_str()).shown("price", self.price());
        json.shown("origQty", self.digits.qty(order.qty));
        json.shown("executedQty", self.digits.qty(order.filled))
            .shown("cumQty", self.digits.qty(order.filled));
        self.futures_terms(&mut json);
        json.int("updateTime", order.updated.as_ms());
        if let Some(id) = modify_id {
            json.int("modifyId", id);
        }
        json.done()
    }

    /// An order as futures answer a question for it.
    #[must_use]
    pub(crate) fn futures_queried(&self) -> String {
        let order = self.order;
        let mut json = Json::object();
        json.int("orderId", order.id.0).text("symbol", self.symbol).text("status", status(order));
        json.text("clientOrderId", order.client_id.as_str()).shown("price", self.price());
        json.shown("avgPrice", self.digits.mean_price(order.filled_value, order.filled));
        json.shown("origQty", self.digits.qty(order.qty));
        json.shown("executedQty", self.digits.qty(order.filled));
        json.shown("cumQuote", self.digits.amount(order.filled_value));
        self.futures_terms(&mut json);
        json.int("time", order.created.as_ms()).int("updateTime", order.updated.as_ms());
        json.done()
    }

    fn futures_terms(&self, json: &mut Json) {
        let order = self.order;
        json.text("timeInForce", time_in_force(Product::Futures, order));
        json.text("type", order_type(Product::Futures, order)).flag("reduceOnly", order.reduce_only);
        json.flag("closePosition", order.size == Size::Position).text("side", side(order.side));
        json.text("positionSide", "BOTH").shown("stopPrice", self.stop_price());
        json.text("workingType", working_type(order)).flag("priceProtect", false);
        json.text("origType", order_type(Product::Futures, order)).text("priceMatch", "NONE");
        json.text("selfTradePreventionMode", self_trade(order));
        json.int("goodTillDate", order.good_till.map_or(0, Nanos::as_ms));
    }

    /// A conditional futures order.
    #[must_use]
    pub(crate) fn algo(&self) -> String {
        let order = self.order;
        let mut json = Json::object();
        json.int("algoId", order.id.0).text("clientAlgoId", order.client_id.as_str());
        json.text("algoType", "CONDITIONAL").text("orderType", order_type(Product::Futures, order));
        json.text("symbol", self.symbol).text("side", side(order.side)).text("positionSide", "BOTH");
        json.text("timeInForce", time_in_force(Product::Futures, order));
        json.shown("quantity", self.digits.qty(order.qty)).text("algoStatus", algo_status(order));
        json.shown("triggerPrice", self.stop_price()).shown("price", self.price());
        json.text("selfTradePreventionMode", self_trade(order)).text("workingType", working_type(order));
        json.text("priceMatch", "NONE").flag("closePosition", order.size == Size::Position);
        json.flag("priceProtect", false).flag("reduceOnly", order.reduce_only);
        json.int("createTime", order.created.as_ms()).int("updateTime", order.updated.as_ms());
        json.int("triggerTime", order.working.map_or(0, Nanos::as_ms));
        json.int("goodTillDate", order.good_till.map_or(0, Nanos::as_ms));
        json.done()
    }
}

/// `algoStatus` of a conditional futures order.
#[must_use]
pub(crate) const fn algo_status(order: &Order) -> &'static str {
    match order.status {
        Status::Waiting | Status::New | Status::PartiallyFilled => "NEW",
        Status::Triggered => "TRIGGERED",
        Status::Filled => "FINISHED",
        Status::Canceled => "CANCELED",
        Status::Expired | Status::ExpiredInMatch => "EXPIRED",
        Status::Rejected => "REJECTED",
    }
}
