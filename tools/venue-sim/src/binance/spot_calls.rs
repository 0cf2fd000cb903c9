//! Calls of an account on spot.

use super::desk::{Asked, Desk, shifted};
use super::failure::{Failure, NO_SUCH_ORDER};
use super::json::Json;
use super::orders::{client_id, detail, new_order, order_ref, qty};
use super::public_calls::limit;
use super::render::money;
use crate::exchange::{
    AccountFill, Amend, Cancel, CancelOnly, CancelScope, ClientId, Event, Execution, Fill, OrderId, OrderRef,
    OrderReport, Product, Reject,
};
use engine::ids::InstrumentId;
use engine::time::Nanos;

impl Desk {
    pub(super) fn spot_place(&mut self, asked: Asked<'_>) -> Result<String, Failure> {
        let market = self.market_of(asked.params)?;
        let order = new_order(self.target(market)?, asked.params, asked.now)?;
        let detail = detail(self.product, asked.params)?;
        self.limits.order(asked.now, asked.account, 1)?;
        let placed = self.exchange.place(asked.now, asked.account, &order, &mut self.events);
        let id = placed.map_err(|reject| self.refused(&reject))?;
        self.spot_placed(asked, market, id, detail)
    }

    fn spot_placed(
        &self,
        asked: Asked<'_>,
        market: InstrumentId,
        id: OrderId,
        detail: super::orders::Detail,
    ) -> Result<String, Failure> {
        let order =
            self.exchange.order(asked.account, market, OrderRef::Id(id)).map_err(|_| NO_SUCH_ORDER)?;
        let fills = self.reports(id).filter_map(|report| match &report.execution {
            Execution::Trade(fill) => Some(fill),
            _ => None,
        });
        let asset = |fill: &Fill| self.exchange.assets()[usize::from(fill.fee_asset.0)].clone();
        Ok(self.shown(order).spot_placed(detail, asked.server_ms(), fills, asset))
    }

    /// What was just reported of an order.
    fn reports(&self, id: OrderId) -> impl Iterator<Item = &OrderReport> {
        self.events.iter().filter_map(move |event| match event {
            Event::Order(report) if report.order.id == id => Some(&**report),
            _ => None,
        })
    }

    pub(super) fn order_test(&self, asked: Asked<'_>) -> Result<String, Failure> {
        let market = self.market_of(asked.params)?;
        new_order(self.target(market)?, asked.params, asked.now)?;
        Ok("{}".to_owned())
    }

    pub(super) fn spot_cancel(&mut self, asked: Asked<'_>) -> Result<String, Failure> {
        let market = self.market_of(asked.params)?;
        let order = order_ref(asked.params, "orderId", "origClientOrderId")?;
        let request_id = self.cancel_name(asked, "newClientOrderId")?;
        let cancel = Cancel { market, order, request_id: Some(request_id), only: restriction(asked)? };
        let canceled = self.exchange.cancel(asked.now, asked.account, &cancel, &mut self.events);
        let id = canceled.map_err(|reject| self.refused(&reject))?;
        self.spot_canceled(asked, market, id, &request_id)
    }

    fn spot_canceled(
        &self,
        asked: Asked<'_>,
        market: InstrumentId,
        id: OrderId,
        name: &ClientId,
    ) -> Result<String, Failure> {
        let order =
            self.exchange.order(asked.account, market, OrderRef::Id(id)).map_err(|_| NO_SUCH_ORDER)?;
        Ok(self.shown(order).spot_canceled(name.as_str(), asked.server_ms()))
    }

    /// The client's name of a cancel, or one that the venue makes.
    fn cancel_name(&mut self, asked: Asked<'_>, name: &'static str) -> Result<ClientId, Failure> {
        if let Some(id) = client_id(self.product, asked.params, name)? {
            return Ok(id);
        }
        self.names_given += 1;
        // Letters and digits, always valid.
        ClientId::new(&format!("venuecancel{:0>11}", self.names_given)).ok_or(NO_SUCH_ORDER)
    }

    pub(super) fn spot_cancel_all(&mut self, asked: Asked<'_>) -> Result<String, Failure> {
        let market = self.market_of(asked.params)?;
        let (now, account) = (asked.now, asked.account);
        let all = self.exchange.cancel_all(now, account, market, CancelScope::All, &mut self.events);
        let ids = all.map_err(|reject| self.refused(&reject))?;
        if ids.is_empty() {
            return Err(super::failure::UNKNOWN_ORDER);
        }
        let mut json = Json::list();
        for id in ids {
            let name = self.cancel_name(asked, "newClientOrderId")?;
            json.item(self.spot_canceled(asked, market, id, &name)?);
        }
        Ok(json.done_list())
    }

    pub(super) fn spot_cancel_replace(&mut self, asked: Asked<'_>) -> Result<String, Failure> {
        let params = asked.params;
        let market = self.market_of(params)?;
        let goes_on = match params.need("cancelReplaceMode")? {
            "STOP_ON_FAILURE" => false,
            "ALLOW_FAILURE" => true,
            _ => return Err(Failure::illegal_characters("cancelReplaceMode")),
        };
        let order = new_order(self.target(market)?, params, asked.now)?;
        let detail = detail(self.product, params)?;
        let name = self.cancel_name(asked, "cancelNewClientOrderId")?;
        let wanted = order_ref(params, "cancelOrderId", "cancelOrigClientOrderId")?;
        let cancel = Cancel { market, order: wanted, request_id: Some(name), only: restriction(asked)? };
        let (now, account) = (asked.now, asked.account);
        if let Err(over) = self.limits.order(now, account, 1) {
            if params.get("orderRateLimitExceededMode") != Some("CANCEL_ONLY") {
                return Err(over);
            }
            let canceled = self.exchange.cancel(now, account, &cancel, &mut self.events);
            let canceled = canceled.map_err(|reject| self.refused(&reject));
            let canceled = canceled.and_then(|id| self.spot_canceled(asked, market, id, &name));
            return Err(halves(canceled, Some(Err(over))));
        }
        let done = self.exchange.cancel_replace(now, account, &cancel, goes_on, &order, &mut self.events);
        let done = done.map_err(|reject| self.refused(&reject))?;
        let half = |result: Result<OrderId, Reject>| result.map_err(|reject| self.refused(&reject));
        let canceled = half(done.canceled).and_then(|id| self.spot_canceled(asked, market, id, &name));
        let placed =
            done.placed.map(|placed| half(placed).and_then(|id| self.spot_placed(asked, market, id, detail)));
        match (canceled, placed) {
            (Ok(canceled), Some(Ok(placed))) => {
                let mut json = Json::object();
                json.text("cancelResult", "SUCCESS").text("newOrderResult", "SUCCESS");
                json.raw("cancelResponse", &canceled).raw("newOrderResponse", &placed);
                Ok(json.done())
            }
            (canceled, placed) => Err(halves(canceled, placed)),
        }
    }

    pub(super) fn spot_amend(&mut self, asked: Asked<'_>) -> Result<String, Failure> {
        let params = asked.params;
        let market = self.market_of(params)?;
        let order = order_ref(params, "orderId", "origClientOrderId")?;
        let qty = qty(self.target(market)?, params, "newQty")?.ok_or_else(|| Failure::missing("newQty"))?;
        let client_id = match client_id(self.product, params, "newClientOrderId")? {
            Some(id) => id,
            None => self.cancel_name(asked, "newClientOrderId")?,
        };
        let amend = Amend { price: None, qty, client_id: Some(client_id), keeps_place: true };
        let before = self.exchange.order(asked.account, market, order).map(|order| order.client_id);
        let amended = self.exchange.amend(asked.now, asked.account, market, order, &amend, &mut self.events);
        let id = amended.map_err(|reject| self.refused(&reject))?;
        let order =
            self.exchange.order(asked.account, market, OrderRef::Id(id)).map_err(|_| NO_SUCH_ORDER)?;
        let execution = self.reports(id).last().map_or(0, |report| report.execution_id);
        let before = before.unwrap_or(client_id);
        Ok(self.shown(order).spot_amended(before.as_str(), execution, asked.server_ms()))
    }

    pub(super) fn query(&self, asked: Asked<'_>) -> Result<String, Failure> {
        let market = self.market_of(asked.params)?;
        let order = order_ref(asked.params, "orderId", "origClientOrderId")?;
        let found = self.exchange.order(asked.account, market, order).map_err(|reject| match reject {
            Reject::NamesDisagree if self.product == Product::Spot => self.refused(&reject),
            _ => NO_SUCH_ORDER,
        })?;
        Ok(self.queried(found))
    }

    pub(super) fn queried(&self, order: &crate::exchange::Order) -> String {
        match self.product {
            Product::Spot => self.shown(order).spot_queried(),
            Product::Futures => self.shown(order).futures_queried(),
        }
    }

    pub(super) fn open_orders(&self, asked: Asked<'_>) -> Result<String, Failure> {
        let market = self.market_if(asked.params)?;
        let mut json = Json::list();
        for order in self.exchange.open_orders(asked.account, market) {
            // Conditional futures orders are asked for elsewhere.
            if self.product == Product::Spot || order.trigger.is_none() {
                json.item(self.queried(order));
            }
        }
        Ok(json.done_list())
    }

    pub(super) fn all_orders(&self, asked: Asked<'_>) -> Result<String, Failure> {
        let market = self.market_of(asked.params)?;
        let from = asked.params.number("orderId")?.map(OrderId);
        let mut json = Json::list();
        let limit = limit(asked, 500, 1_000)?;
        let orders = match asked.params.number("startTime")? {
            Some(ms) if from.is_none() => {
                self.exchange.orders_since(asked.account, market, Nanos::from_ms(ms), limit)
            }
            _ => self.exchange.orders(asked.account, market, from, limit),
        };
        for order in orders {
            if self.product == Product::Spot || order.trigger.is_none() {
                json.item(self.queried(order));
            }
        }
        Ok(json.done_list())
    }

    pub(super) fn spot_account(&self, asked: Asked<'_>) -> Result<String, Failure> {
        let account = self.exchange.account(asked.account).ok_or(super::failure::INVALID_KEY)?;
        let omits_zero = asked.params.flag("omitZeroBalances")?.unwrap_or(false);
        let rates =
            self.exchange.markets().first().and_then(|market| self.exchange.commission(market.instrument.id));
        let [maker, taker] = rates.map_or([crate::exchange::Rate(0); 2], |rates| [rates.maker, rates.taker]);
        let mut json = Json::object();
        // Commissions are hundredths of a percent.
        json.int("makerCommission", maker.0 / 10_000).int("takerCommission", taker.0 / 10_000);
        json.int("buyerCommission", 0).int("sellerCommission", 0).open("commissionRates");
        json.shown("maker", maker.decimal()).shown("taker", taker.decimal());
        json.text("buyer", "0.00000000").text("seller", "0.00000000").close();
        json.flag("canTrade", true).flag("canWithdraw", true).flag("canDeposit", true);
        json.flag("brokered", false).flag("requireSelfTradePrevention", false).flag("preventSor", false);
        json.int("updateTime", asked.server_ms()).text("accountType", "SPOT").open_list("balances");
        for (name, balance) in self.exchange.assets().iter().zip(account.balances()) {
            if omits_zero && balance.total() == crate::exchange::Amount::ZERO {
                continue;
            }
            json.item_open().text("asset", name).shown("free", money(balance.free));
            json.shown("locked", money(balance.locked)).close();
        }
        json.close_list().open_list("permissions").item_text("SPOT").close_list();
        json.int("uid", asked.account.0);
        Ok(json.done())
    }

    /// The fills of an account that are asked for: from a number on, of an order or since a time, else the newest.
    pub(super) fn account_fills(
        &self,
        asked: Asked<'_>,
        market: InstrumentId,
    ) -> Result<Vec<AccountFill>, Failure> {
        let from = asked.params.number("fromId")?;
        let since = asked.params.number("startTime")?.map(Nanos::from_ms);
        let of = asked.params.number("orderId")?.map(OrderId);
        let limit = limit(asked, 500, 1_000)?;
        if from.is_some() {
            let mut fills = self.exchange.fills(asked.account, market, from, usize::MAX);
            fills.retain(|fill| of.is_none_or(|order| order == fill.order));
            fills.truncate(limit);
            return Ok(fills);
        }
        if (since, of) == (None, None) {
            return Ok(self.exchange.fills(asked.account, market, None, limit));
        }
        Ok(self.exchange.fills_since(asked.account, market, (since.unwrap_or_default(), of), limit))
    }

    pub(super) fn spot_trades(&self, asked: Asked<'_>) -> Result<String, Failure> {
        let market = self.market_of(asked.params)?;
        let digits = self.digits(market);
        let symbol = self.instrument(market).map_or("", |instrument| &instrument.symbol);
        let mut json = Json::list();
        for fill in self.account_fills(asked, market)? {
            json.item_open().text("symbol", symbol).int("id", fill.fill.trade).int("orderId", fill.order.0);
            json.int("orderListId", -1).shown("price", digits.price(fill.fill.price));
            json.shown("qty", digits.qty(fill.fill.qty)).shown("quoteQty", digits.amount(fill.fill.value));
            json.shown("commission", money(fill.fill.fee));
            json.text("commissionAsset", &self.exchange.assets()[usize::from(fill.fill.fee_asset.0)]);
            json.int("time", shifted(fill.time, asked.shift_ms));
            json.flag("isBuyer", fill.side == engine::num::Side::Buy).flag("isMaker", fill.fill.is_maker);
            json.flag("isBestMatch", true).close();
        }
        Ok(json.done_list())
    }

    pub(super) fn spot_commission(&self, asked: Asked<'_>) -> Result<String, Failure> {
        let market = self.market_of(asked.params)?;
        let rates = self.exchange.commission(market).ok_or(super::failure::INVALID_SYMBOL)?;
        let symbol = self.instrument(market).map_or("", |instrument| &instrument.symbol);
        let mut json = Json::object();
        json.text("symbol", symbol);
        let zero = crate::exchange::Rate(0);
        for (name, maker, taker) in [
            ("standardCommission", rates.maker, rates.taker),
            ("specialCommission", zero, zero),
            ("taxCommission", zero, zero),
        ] {
            json.open(name).shown("maker", maker.decimal()).shown("taker", taker.decimal());
            json.shown("buyer", zero.decimal()).shown("seller", zero.decimal()).close();
        }
        json.open("discount").flag("enabledForAccount", false).flag("enabledForSymbol", false);
        json.text("discountAsset", "BNB").text("discount", "0.75000000").close();
        Ok(json.done())
    }

    pub(super) fn order_counts(&mut self, asked: Asked<'_>) -> String {
        self.limits.order_list(asked.now, asked.account)
    }
}

/// The answer when a half of a cancel-replace failed.
fn halves(canceled: Result<String, Failure>, placed: Option<Result<String, Failure>>) -> Failure {
    let is_partly = canceled.is_ok() || matches!(placed, Some(Ok(_)));
    let word = |result: &Result<String, Failure>| if result.is_ok() { "SUCCESS" } else { "FAILURE" };
    let mut json = Json::object();
    json.text("cancelResult", word(&canceled));
    json.text("newOrderResult", placed.as_ref().map_or("NOT_ATTEMPTED", word));
    let text = |result: Result<String, Failure>| result.unwrap_or_else(|failure| failure.json());
    json.raw("cancelResponse", &text(canceled));
    json.raw("newOrderResponse", &placed.map_or_else(|| "null".to_owned(), text));
    let failure = if is_partly {
        Failure::of(409, -2021, "Order cancel-replace partially failed.")
    } else {
        Failure::of(400, -2022, "Order cancel-replace failed.")
    };
    Failure { data: Some(json.done()), ..failure }
}

fn restriction(asked: Asked<'_>) -> Result<CancelOnly, Failure> {
    match asked.params.get("cancelRestrictions") {
        None => Ok(CancelOnly::Any),
        Some("ONLY_NEW") => Ok(CancelOnly::New),
        Some("ONLY_PARTIALLY_FILLED") => Ok(CancelOnly::PartiallyFilled),
        Some(_) => Err(Failure::of(400, -1145, "Invalid cancelRestrictions")),
    }
}
