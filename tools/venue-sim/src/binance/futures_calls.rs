//! Calls of an account on USD-M futures.

use super::desk::{Asked, Desk, shifted};
use super::failure::{Failure, INVALID_KEY, INVALID_SYMBOL, NO_LISTEN_KEY, NO_SUCH_ORDER};
use super::json::Json;
use super::order_text::side;
use super::orders::{Detail, detail, new_order, order_ref, price, qty};
use super::render::money;
use crate::exchange::{
    Amend, Amount, AssetId, Cancel, CancelOnly, CancelScope, Margin, Order, OrderId, OrderRef, Position,
};
use engine::ids::InstrumentId;
use engine::num::Qty;
use engine::time::Nanos;

impl Desk {
    pub(super) fn futures_place(&mut self, asked: Asked<'_>) -> Result<String, Failure> {
        let market = self.market_of(asked.params)?;
        let order = new_order(self.target(market)?, asked.params, asked.now)?;
        let detail = detail(self.product, asked.params)?;
        self.limits.order(asked.now, asked.account, 1)?;
        let placed = self.exchange.place(asked.now, asked.account, &order, &mut self.events);
        let id = placed.map_err(|reject| self.refused(&reject))?;
        let placed = self.of_id(asked, market, id)?;
        if placed.trigger.is_some() {
            return Ok(self.shown(placed).algo());
        }
        if detail == Detail::Ack {
            // As it was taken: what it has traded since comes on the user's stream.
            let mut taken = *placed;
            (taken.status, taken.filled) = (crate::exchange::Status::New, Qty(0));
            return Ok(self.shown(&taken).futures_changed(None));
        }
        Ok(self.shown(placed).futures_changed(None))
    }

    fn of_id(&self, asked: Asked<'_>, market: InstrumentId, id: OrderId) -> Result<&Order, Failure> {
        self.exchange.order(asked.account, market, OrderRef::Id(id)).map_err(|_| NO_SUCH_ORDER)
    }

    pub(super) fn futures_modify(&mut self, asked: Asked<'_>) -> Result<String, Failure> {
        let params = asked.params;
        let market = self.market_of(params)?;
        let order = match order_ref(params, "orderId", "origClientOrderId")? {
            OrderRef::Both(id, _) => OrderRef::Id(id),
            other => other,
        };
        let target = self.target(market)?;
        let price = price(target, params, "price")?.ok_or_else(|| Failure::missing("price"))?;
        let qty = qty(target, params, "quantity")?.ok_or_else(|| Failure::missing("quantity"))?;
        let modify_id = params.number("modifyId")?;
        let standing = self.exchange.order(asked.account, market, order).map_err(|_| NO_SUCH_ORDER)?;
        if params.need("side")? != side(standing.side) {
            return Err(Failure::of(400, -1117, "Invalid side."));
        }
        self.limits.order(asked.now, asked.account, 1)?;
        let amend = Amend { price: Some(price), qty, client_id: None, keeps_place: false };
        let amended = self.exchange.amend(asked.now, asked.account, market, order, &amend, &mut self.events);
        let id = amended.map_err(|reject| self.refused(&reject))?;
        if let Some(modify_id) = modify_id {
            self.modify_ids.insert(id, modify_id);
        }
        Ok(self.shown(self.of_id(asked, market, id)?).futures_changed(modify_id))
    }

    pub(super) fn futures_cancel(&mut self, asked: Asked<'_>) -> Result<String, Failure> {
        let market = self.market_of(asked.params)?;
        let order = match order_ref(asked.params, "orderId", "origClientOrderId")? {
            OrderRef::Both(id, _) => OrderRef::Id(id),
            other => other,
        };
        let id = self.futures_cancel_ref(asked, market, order)?;
        Ok(self.shown(self.of_id(asked, market, id)?).futures_changed(None))
    }

    fn futures_cancel_ref(
        &mut self,
        asked: Asked<'_>,
        market: InstrumentId,
        order: OrderRef,
    ) -> Result<OrderId, Failure> {
        let cancel = Cancel { market, order, request_id: None, only: CancelOnly::Any };
        let canceled = self.exchange.cancel(asked.now, asked.account, &cancel, &mut self.events);
        canceled.map_err(|reject| self.refused(&reject))
    }

    pub(super) fn futures_cancel_all(
        &mut self,
        asked: Asked<'_>,
        scope: CancelScope,
    ) -> Result<String, Failure> {
        let market = self.market_of(asked.params)?;
        let all = self.exchange.cancel_all(asked.now, asked.account, market, scope, &mut self.events);
        all.map_err(|reject| self.refused(&reject))?;
        let mut json = Json::object();
        json.int("code", 200).text("msg", "The operation of cancel all open order is done.");
        Ok(json.done())
    }

    pub(super) fn open_order(&self, asked: Asked<'_>) -> Result<String, Failure> {
        let market = self.market_of(asked.params)?;
        let order = order_ref(asked.params, "orderId", "origClientOrderId")?;
        let found = self.exchange.order(asked.account, market, order).map_err(|_| NO_SUCH_ORDER)?;
        if found.status.is_open() { Ok(self.queried(found)) } else { Err(NO_SUCH_ORDER) }
    }

    /// The market and number of the conditional order that a request names; these requests name no symbol.
    fn algo_of(&self, asked: Asked<'_>) -> Result<&Order, Failure> {
        let wanted = order_ref(asked.params, "algoId", "clientAlgoId")?;
        let markets = self.exchange.markets().iter().map(|market| market.instrument.id);
        let mut found = markets.filter_map(|market| self.exchange.order(asked.account, market, wanted).ok());
        found.find(|order| order.trigger.is_some()).ok_or(NO_SUCH_ORDER)
    }

    pub(super) fn algo_cancel(&mut self, asked: Asked<'_>) -> Result<String, Failure> {
        let (market, id, name) = {
            let order = self.algo_of(asked).map_err(|_| super::failure::UNKNOWN_ORDER)?;
            (order.market, order.id, order.client_id)
        };
        self.futures_cancel_ref(asked, market, OrderRef::Id(id))?;
        let mut json = Json::object();
        json.int("algoId", id.0)
            .text("clientAlgoId", name.as_str())
            .text("code", "200")
            .text("msg", "success");
        Ok(json.done())
    }

    pub(super) fn algo_query(&self, asked: Asked<'_>) -> Result<String, Failure> {
        Ok(self.shown(self.algo_of(asked)?).algo())
    }

    pub(super) fn open_algos(&self, asked: Asked<'_>) -> Result<String, Failure> {
        let market = self.market_if(asked.params)?;
        let mut json = Json::list();
        for order in self.exchange.open_orders(asked.account, market) {
            if order.trigger.is_some() {
                json.item(self.shown(order).algo());
            }
        }
        Ok(json.done_list())
    }

    /// Assets that margin is held in.
    fn margin_assets(&self) -> Vec<(AssetId, &str)> {
        let mut assets = Vec::new();
        for market in self.exchange.markets() {
            let asset = market.quote_asset();
            if !assets.iter().any(|(known, _)| *known == asset) {
                assets.push((asset, market.instrument.quote.as_str()));
            }
        }
        assets
    }

    pub(super) fn balance(&self, asked: Asked<'_>) -> String {
        let mut json = Json::list();
        for (asset, name) in self.margin_assets() {
            let margin = self.exchange.margin(asked.account, asset);
            json.item_open().text("accountAlias", "SgsR").text("asset", name);
            json.shown("balance", money(margin.wallet)).shown("crossWalletBalance", money(margin.wallet));
            json.shown("crossUnPnl", money(margin.unrealised));
            json.shown("availableBalance", money(margin.available));
            json.shown("maxWithdrawAmount", money(withdrawable(&margin))).flag("marginAvailable", true);
            json.int("updateTime", asked.server_ms()).close();
        }
        json.done_list()
    }

    pub(super) fn futures_account(&self, asked: Asked<'_>) -> Result<String, Failure> {
        let assets = self.margin_assets();
        let margins: Vec<_> = assets.iter().map(|(id, _)| self.exchange.margin(asked.account, *id)).collect();
        // One settlement asset: its totals are the account's.
        let total = margins.first().copied().unwrap_or_default();
        let position_initial: Amount =
            self.held(asked)?.map(|(market, ..)| self.exchange.market_margin(asked.account, market).0).sum();
        let orders_initial = (total.initial - position_initial).or_zero();
        let mut json = Json::object();
        json.int("feeTier", 0).flag("canTrade", true).flag("canDeposit", true).flag("canWithdraw", true);
        json.int("updateTime", 0).flag("multiAssetsMargin", false).int("tradeGroupId", -1);
        json.shown("totalInitialMargin", money(total.initial));
        json.shown("totalMaintMargin", money(total.maintenance));
        json.shown("totalWalletBalance", money(total.wallet));
        json.shown("totalUnrealizedProfit", money(total.unrealised));
        json.shown("totalMarginBalance", money(total.wallet + total.unrealised));
        json.shown("totalPositionInitialMargin", money(position_initial));
        json.shown("totalOpenOrderInitialMargin", money(orders_initial));
        json.shown("totalCrossWalletBalance", money(total.wallet));
        json.shown("totalCrossUnPnl", money(total.unrealised));
        json.shown("availableBalance", money(total.available));
        json.shown("maxWithdrawAmount", money(withdrawable(&total))).open_list("assets");
        for ((_, name), margin) in assets.iter().zip(&margins) {
            json.item_open().text("asset", name).shown("walletBalance", money(margin.wallet));
            json.shown("unrealizedProfit", money(margin.unrealised));
            json.shown("marginBalance", money(margin.wallet + margin.unrealised));
            json.shown("maintMargin", money(margin.maintenance))
                .shown("initialMargin", money(margin.initial));
            json.shown("positionInitialMargin", money(position_initial));
            json.shown("openOrderInitialMargin", money(orders_initial));
            json.shown("crossWalletBalance", money(margin.wallet))
                .shown("crossUnPnl", money(margin.unrealised));
            json.shown("availableBalance", money(margin.available));
            json.shown("maxWithdrawAmount", money(withdrawable(margin))).flag("marginAvailable", true);
            json.int("updateTime", asked.server_ms()).close();
        }
        json.close_list().open_list("positions");
        for (market, position, leverage) in self.held(asked)? {
            let digits = self.digits(market);
            let (initial, maintenance) = self.exchange.market_margin(asked.account, market);
            let entry = digits.mean_price(position.cost.abs(), Qty(position.qty.0.abs()));
            json.item_open().text("symbol", self.symbol(market));
            json.shown("initialMargin", money(initial)).shown("maintMargin", money(maintenance));
            json.shown("unrealizedProfit", money(self.unrealised(market, position)));
            json.shown("positionInitialMargin", money(initial)).text("openOrderInitialMargin", "0");
            json.shown("leverage", leverage).flag("isolated", false).shown("entryPrice", entry);
            json.shown("maxNotional", self.max_notional(market, leverage).decimal(0));
            json.text("bidNotional", "0").text("askNotional", "0").text("positionSide", "BOTH");
            json.shown("positionAmt", digits.qty(position.qty)).int("updateTime", 0).close();
        }
        json.close_list();
        Ok(json.done())
    }

    /// Markets, positions and leverages of an account.
    fn held(&self, asked: Asked<'_>) -> Result<impl Iterator<Item = (InstrumentId, Position, u32)>, Failure> {
        let account = self.exchange.account(asked.account).ok_or(INVALID_KEY)?;
        let markets = self.exchange.markets().iter().map(|market| market.instrument.id);
        Ok(markets
            .zip(account.positions())
            .zip(account.leverages())
            .map(|((id, position), leverage)| (id, position, leverage)))
    }

    fn symbol(&self, market: InstrumentId) -> &str {
        self.instrument(market).map_or("", |instrument| &instrument.symbol)
    }

    fn unrealised(&self, market: InstrumentId, position: Position) -> Amount {
        let worth = self
            .exchange
            .market(market)
            .and_then(|market| market.valuation_price().map(|price| market.value(price, position.qty)));
        worth.map_or(Amount::ZERO, |worth| worth - position.cost)
    }

    fn max_notional(&self, market: InstrumentId, leverage: u32) -> Amount {
        let terms = self.exchange.market(market).and_then(|market| market.futures.as_ref());
        terms.map_or(Amount::ZERO, |terms| terms.notional_cap(leverage))
    }

    pub(super) fn position_risk(&self, asked: Asked<'_>) -> Result<String, Failure> {
        let wanted = self.market_if(asked.params)?;
        let mut json = Json::list();
        for (market, position, _) in self.held(asked)? {
            let has_orders = !self.exchange.open_orders(asked.account, Some(market)).is_empty();
            if wanted.is_some_and(|wanted| wanted != market) || (position.qty.0 == 0 && !has_orders) {
                continue;
            }
            let digits = self.digits(market);
            let here = self.exchange.market(market).ok_or(INVALID_SYMBOL)?;
            let mark = here.valuation_price().unwrap_or_default();
            let (initial, maintenance) = self.exchange.market_margin(asked.account, market);
            let entry = digits.mean_price(position.cost.abs(), Qty(position.qty.0.abs()));
            json.item_open().text("symbol", self.symbol(market)).text("positionSide", "BOTH");
            json.shown("positionAmt", digits.qty(position.qty)).shown("entryPrice", entry);
            json.shown("breakEvenPrice", entry).shown("markPrice", digits.price(mark));
            json.shown("unRealizedProfit", money(self.unrealised(market, position)));
            json.text("liquidationPrice", "0").text("isolatedMargin", "0");
            json.shown("notional", money(here.value(mark, position.qty)));
            json.text("marginAsset", &here.instrument.quote).text("isolatedWallet", "0");
            json.shown("initialMargin", money(initial)).shown("maintMargin", money(maintenance));
            json.shown("positionInitialMargin", money(initial)).text("openOrderInitialMargin", "0");
            json.int("adl", 0).text("bidNotional", "0").text("askNotional", "0");
            json.int("updateTime", asked.server_ms()).close();
        }
        Ok(json.done_list())
    }

    pub(super) fn leverage(&mut self, asked: Asked<'_>) -> Result<String, Failure> {
        let market = self.market_of(asked.params)?;
        let leverage = asked.params.number("leverage")?.ok_or_else(|| Failure::missing("leverage"))?;
        let leverage = u32::try_from(leverage).unwrap_or(u32::MAX);
        let set = self.exchange.set_leverage(asked.account, market, leverage);
        set.map_err(|reject| self.refused(&reject))?;
        let mut json = Json::object();
        json.int("leverage", leverage);
        json.shown("maxNotionalValue", self.max_notional(market, leverage).decimal(0));
        json.text("symbol", self.symbol(market));
        Ok(json.done())
    }

    pub(super) fn margin_type(&self, asked: Asked<'_>) -> Result<String, Failure> {
        self.market_of(asked.params)?;
        match asked.params.need("marginType")? {
            "CROSSED" => Err(Failure::of(400, -4046, "No need to change margin type.")),
            "ISOLATED" => Err(Failure::of(400, -4054, "Isolated margin is not offered by this venue.")),
            _ => Err(Failure::illegal_characters("marginType")),
        }
    }

    pub(super) fn leverage_bracket(&self, asked: Asked<'_>) -> Result<String, Failure> {
        let mut json = Json::list();
        for market in self.markets_of(asked.params)? {
            let Some(terms) = self.exchange.market(market).and_then(|market| market.futures.as_ref()) else {
                continue;
            };
            json.item_open().text("symbol", self.symbol(market)).int("notionalCoef", 1).open_list("brackets");
            let mut floor = Amount::ZERO;
            for (index, bracket) in terms.brackets.iter().enumerate() {
                json.item_open().int("bracket", index + 1).int("initialLeverage", bracket.leverage_max);
                json.int("notionalCap", bracket.notional_cap.decimal(0))
                    .int("notionalFloor", floor.decimal(0));
                json.int("maintMarginRatio", rate(bracket.maintenance_rate));
                json.int("cum", bracket.maintenance_deduction.decimal(0)).close();
                floor = bracket.notional_cap;
            }
            json.close_list().close();
        }
        Ok(json.done_list())
    }

    pub(super) fn futures_trades(&self, asked: Asked<'_>) -> Result<String, Failure> {
        let market = self.market_of(asked.params)?;
        let digits = self.digits(market);
        let quote = self.instrument(market).map_or("", |instrument| &instrument.quote);
        let mut json = Json::list();
        for fill in self.account_fills(asked, market)? {
            json.item_open().text("symbol", self.symbol(market)).int("id", fill.fill.trade);
            json.int("orderId", fill.order.0).text("side", side(fill.side)).text("positionSide", "BOTH");
            json.shown("price", digits.price(fill.fill.price)).shown("qty", digits.qty(fill.fill.qty));
            json.shown("quoteQty", digits.amount(fill.fill.value));
            json.shown("baseQty", digits.qty(fill.fill.qty)).text("marginAsset", quote);
            json.shown("realizedPnl", money(fill.fill.realised)).shown("commission", money(fill.fill.fee));
            json.text("commissionAsset", &self.exchange.assets()[usize::from(fill.fill.fee_asset.0)]);
            json.int("time", shifted(fill.time, asked.shift_ms));
            json.flag("buyer", fill.side == engine::num::Side::Buy).flag("maker", fill.fill.is_maker).close();
        }
        Ok(json.done_list())
    }

    pub(super) fn countdown(&mut self, asked: Asked<'_>) -> Result<String, Failure> {
        let market = self.market_of(asked.params)?;
        let ms = asked.params.number("countdownTime")?.ok_or_else(|| Failure::missing("countdownTime"))?;
        let key = (asked.account, market);
        if ms == 0 {
            self.countdowns.remove(&key);
        } else {
            self.countdowns.insert(key, asked.now.plus(Nanos::from_ms(ms)));
        }
        let mut json = Json::object();
        json.text("symbol", self.symbol(market)).shown("countdownTime", ms);
        Ok(json.done())
    }

    pub(super) fn listen_key(&mut self, asked: Asked<'_>) -> String {
        let key = self.listen_keys.start(asked.account, asked.now);
        let mut json = Json::object();
        json.text("listenKey", &key);
        json.done()
    }

    pub(super) fn keep_listen_key(&mut self, asked: Asked<'_>) -> Result<String, Failure> {
        let key = self.listen_keys.keep_alive(asked.account, asked.now).ok_or(NO_LISTEN_KEY)?;
        let mut json = Json::object();
        json.text("listenKey", key);
        Ok(json.done())
    }

    pub(super) fn close_listen_key(&mut self, asked: Asked<'_>) -> String {
        self.listen_keys.close(asked.account);
        "{}".to_owned()
    }

    pub(super) fn position_side(&self, asked: Asked<'_>, is_change: bool) -> Result<String, Failure> {
        if !is_change {
            let is_hedged = self.hedged.contains(&asked.account);
            return Ok(format!(r#"{{"dualSidePosition":{is_hedged}}}"#));
        }
        match asked.params.flag("dualSidePosition")? {
            None => Err(Failure::missing("dualSidePosition")),
            Some(false) => Err(Failure::of(400, -4059, "No need to change position side.")),
            Some(true) => Err(Failure::of(400, -4060, "Hedge mode is not offered by this venue.")),
        }
    }

    pub(super) fn multi_assets(asked: Asked<'_>, is_change: bool) -> Result<String, Failure> {
        if !is_change {
            return Ok(r#"{"multiAssetsMargin":false}"#.to_owned());
        }
        match asked.params.flag("multiAssetsMargin")? {
            None => Err(Failure::missing("multiAssetsMargin")),
            Some(false) => Err(Failure::of(400, -4171, "No need to change multi-assets margin mode.")),
            Some(true) => Err(Failure::of(400, -4168, "Multi-assets mode is not offered by this venue.")),
        }
    }

    pub(super) fn commission_rate(&self, asked: Asked<'_>) -> Result<String, Failure> {
        let market = self.market_of(asked.params)?;
        let rates = self.exchange.commission(market).ok_or(INVALID_SYMBOL)?;
        let mut json = Json::object();
        json.text("symbol", self.symbol(market)).shown("makerCommissionRate", rate(rates.maker));
        json.shown("takerCommissionRate", rate(rates.taker));
        Ok(json.done())
    }
}

/// A share with the digits it has.
fn rate(rate: crate::exchange::Rate) -> engine::num::Decimal {
    engine::num::Decimal { digits: 0, ..rate.decimal() }
}

fn withdrawable(margin: &Margin) -> Amount {
    margin.wallet.min(margin.available).or_zero()
}
