//! What an account's own streams say: `executionReport` and its kin on spot, `ORDER_TRADE_UPDATE` and its kin on
//! futures.
//!
//! Shapes: fixtures, else the examples of developers.binance.com, "User Data Streams", read 2026-11-21.

use engine::num::{Price, Qty};

use super::json::Json;
use super::order_text::{algo_status, order_type, self_trade, side, status, time_in_force, working_type};
use super::render::{Digits, money};
use crate::exchange::{
    AccountReason, AccountUpdate, Amount, AssetId, Execution, Expiry, Fill, OrderReport, Product, Size,
    Status,
};
use crate::outbox::Topic;

/// One event of an account.
pub(crate) struct UserEvent {
    /// What about.
    pub(crate) topic: Topic,
    /// The event.
    pub(crate) json: String,
}

/// What the events of one report need to know beside it.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// Symbol of the report's market.
    pub(crate) symbol: &'a str,
    /// Its digits.
    pub(crate) digits: Digits,
    /// Its quote asset.
    pub(crate) quote: &'a str,
    /// Names of assets, by number.
    pub(crate) assets: &'a [String],
    /// The event time, ms.
    pub(crate) event_ms: u64,
    /// Added to every other time, ms.
    pub(crate) shift_ms: i64,
}

impl Context<'_> {
    fn ms(&self, time: engine::time::Nanos) -> i64 {
        i64::try_from(time.as_ms()).unwrap_or(i64::MAX).saturating_add(self.shift_ms)
    }

    fn asset(&self, asset: AssetId) -> &str {
        self.assets.get(usize::from(asset.0)).map_or("", String::as_str)
    }
}

/// `executionReport`.
#[must_use]
pub(crate) fn execution_report(report: &OrderReport, cx: Context<'_>) -> UserEvent {
    let (order, digits) = (&report.order, cx.digits);
    let fill = filled(&report.execution);
    let (own, other) = match &report.execution {
        Execution::Canceled { request_id: Some(request) } => (request.as_str(), order.client_id.as_str()),
        Execution::Amended { client_id_before } => (order.client_id.as_str(), client_id_before.as_str()),
        _ => (order.client_id.as_str(), ""),
    };
    let kind = match &report.execution {
        Execution::New | Execution::Triggered => "NEW",
        Execution::Trade(_) => "TRADE",
        Execution::Canceled { .. } => "CANCELED",
        Execution::Amended { .. } => "REPLACED",
        Execution::Expired(_) => "EXPIRED",
        Execution::Prevented { .. } => "TRADE_PREVENTION",
        Execution::Rejected(_) => "REJECTED",
    };
    let mut json = Json::object();
    json.text("e", "executionReport").int("E", cx.event_ms).text("s", cx.symbol).text("c", own);
    json.text("S", side(order.side)).text("o", order_type(Product::Spot, order));
    json.text("f", time_in_force(Product::Spot, order)).shown("q", digits.qty(order.qty));
    json.shown("p", digits.price(order.kind.price().unwrap_or_default()));
    json.shown("P", digits.price(order.trigger.map(|trigger| trigger.price).unwrap_or_default()));
    json.shown("F", digits.qty(Qty(0))).int("g", -1).text("C", other).text("x", kind);
    json.text("X", status(order)).text("r", reject_reason(&report.execution)).int("i", order.id.0);
    json.shown("l", digits.qty(fill.map_or(Qty(0), |fill| fill.qty)));
    json.shown("z", digits.qty(order.filled));
    json.shown("L", digits.price(fill.map_or(Price(0), |fill| fill.price)));
    match fill {
        Some(fill) => json.shown("n", money(fill.fee)).text("N", cx.asset(fill.fee_asset)),
        None => json.text("n", "0").null("N"),
    };
    json.int("T", cx.ms(report.time));
    json.int("t", fill.map_or(-1, |fill| i64::try_from(fill.trade).unwrap_or(i64::MAX)));
    if let Execution::Prevented { match_id, .. } = report.execution {
        json.int("v", match_id);
    }
    json.int("I", report.execution_id).flag("w", order.is_in_book());
    json.flag("m", fill.is_some_and(|fill| fill.is_maker)).flag("M", fill.is_some());
    json.int("O", cx.ms(order.created)).shown("Z", digits.amount(order.filled_value));
    json.shown("Y", digits.amount(fill.map_or(Amount::ZERO, |fill| fill.value)));
    json.shown(
        "Q",
        digits.amount(match order.size {
            Size::Quote(amount) => amount,
            Size::Base(_) | Size::Position => Amount::ZERO,
        }),
    );
    if let Some(working) = order.working {
        json.int("W", cx.ms(working));
    }
    json.text("V", self_trade(order));
    if let Execution::Prevented { counter, price, qty, .. } = report.execution {
        json.shown("A", digits.qty(order.prevented)).shown("B", digits.qty(qty)).int("U", counter.0);
        json.shown("pL", digits.price(price));
    }
    if let Some(reason) = order.expiry.and_then(spot_expiry) {
        json.text("eR", reason);
    }
    UserEvent { topic: topic(fill), json: json.done() }
}

const fn filled(execution: &Execution) -> Option<&Fill> {
    match execution {
        Execution::Trade(fill) => Some(fill),
        _ => None,
    }
}

const fn topic(fill: Option<&Fill>) -> Topic {
    if fill.is_some() { Topic::Fill } else { Topic::User }
}

const fn reject_reason(execution: &Execution) -> &'static str {
    use crate::exchange::Reject;
    match execution {
        Execution::Rejected(Reject::InsufficientBalance { .. }) => "INSUFFICIENT_BALANCES",
        Execution::Rejected(Reject::WouldTake) => "WOULD_MATCH_IMMEDIATELY",
        Execution::Rejected(Reject::WouldTrigger) => "STOP_PRICE_WOULD_TRIGGER_IMMEDIATELY",
        _ => "NONE",
    }
}

/// `eR` and `expiryReason` on spot.
#[must_use]
pub(crate) const fn spot_expiry(expiry: Expiry) -> Option<&'static str> {
    match expiry {
        Expiry::IocRemainder => Some("UNFILLED_IOC_QUANTITY_EXPIRED"),
        Expiry::FokUnfilled => Some("UNFILLED_FOK_ORDER_EXPIRED"),
        Expiry::NoLiquidity => Some("INSUFFICIENT_LIQUIDITY"),
        Expiry::MarketClosed => Some("EXCHANGE_CANCELED"),
        Expiry::GoodTill | Expiry::SelfTrade | Expiry::ReduceOnly | Expiry::Liquidation => None,
    }
}

/// What an account update says on spot: `outboundAccountPosition`, and before it `balanceUpdate` for each deposit
/// or withdrawal.
#[must_use]
pub(crate) fn spot_account(update: &AccountUpdate, cx: Context<'_>) -> Vec<UserEvent> {
    let mut events = Vec::new();
    let is_transfer = matches!(update.reason, AccountReason::Deposit | AccountReason::Withdrawal);
    for balance in update.balances.iter().filter(|balance| is_transfer && balance.change != Amount::ZERO) {
        let mut json = Json::object();
        json.text("e", "balanceUpdate").int("E", cx.event_ms).text("a", cx.asset(balance.asset));
        json.shown("d", money(balance.change)).int("T", cx.ms(update.time));
        events.push(UserEvent { topic: Topic::User, json: json.done() });
    }
    let mut json = Json::object();
    json.text("e", "outboundAccountPosition")
        .int("E", cx.event_ms)
        .int("u", cx.ms(update.time))
        .open_list("B");
    for balance in &update.balances {
        json.item_open().text("a", cx.asset(balance.asset)).shown("f", money(balance.balance.free));
        json.shown("l", money(balance.balance.locked)).close();
    }
    json.close_list();
    events.push(UserEvent { topic: Topic::User, json: json.done() });
    events
}

/// What a report says on futures: `TRADE_LITE` before `ORDER_TRADE_UPDATE` for a fill; `ALGO_UPDATE` for an order
/// that waits for its trigger.
#[must_use]
pub(crate) fn futures_order(report: &OrderReport, cx: Context<'_>, modify_id: Option<u64>) -> Vec<UserEvent> {
    if report.order.trigger.is_some() {
        return vec![algo_update(report, cx)];
    }
    let fill = filled(&report.execution);
    let lite = fill.filter(|_| !report.order.is_liquidation).map(|fill| trade_lite(report, fill, cx));
    lite.into_iter().chain([order_trade_update(report, fill, cx, modify_id)]).collect()
}

fn trade_lite(report: &OrderReport, fill: &Fill, cx: Context<'_>) -> UserEvent {
    let (order, digits) = (&report.order, cx.digits);
    let mut json = Json::object();
    json.text("e", "TRADE_LITE").int("E", cx.event_ms).int("T", cx.ms(report.time)).text("s", cx.symbol);
    json.text("c", order.client_id.as_str()).text("S", side(order.side)).shown("q", digits.qty(order.qty));
    json.shown("p", digits.price(order.kind.price().unwrap_or_default())).int("i", order.id.0);
    json.shown("l", digits.qty(fill.qty)).shown("L", digits.price(fill.price)).int("t", fill.trade);
    json.flag("m", fill.is_maker);
    UserEvent { topic: Topic::Fill, json: json.done() }
}

fn order_trade_update(
    report: &OrderReport,
    fill: Option<&Fill>,
    cx: Context<'_>,
    modify_id: Option<u64>,
) -> UserEvent {
    let (order, digits) = (&report.order, cx.digits);
    let kind = match report.execution {
        Execution::New | Execution::Triggered => "NEW",
        Execution::Trade(_) if order.is_liquidation => "CALCULATED",
        Execution::Trade(_) => "TRADE",
        Execution::Canceled { .. } => "CANCELED",
        Execution::Amended { .. } => "AMENDMENT",
        Execution::Expired(_) | Execution::Prevented { .. } | Execution::Rejected(_) => "EXPIRED",
    };
    let order_kind = order_type(Product::Futures, order);
    let mut json = Json::object();
    json.text("e", "ORDER_TRADE_UPDATE").int("T", cx.ms(report.time)).int("E", cx.event_ms).open("o");
    json.text("s", cx.symbol).text("c", order.client_id.as_str()).text("S", side(order.side));
    json.text("o", order_kind).text("f", time_in_force(Product::Futures, order));
    json.shown("q", digits.qty(order.qty));
    json.shown("p", digits.price(order.kind.price().unwrap_or_default()));
    json.shown("ap", digits.mean_price(order.filled_value, order.filled)).text("sp", "0");
    json.text("x", kind).text("X", status(order)).int("i", order.id.0);
    json.shown("l", digits.qty(fill.map_or(Qty(0), |fill| fill.qty))).shown("z", digits.qty(order.filled));
    json.shown("L", digits.price(fill.map_or(Price(0), |fill| fill.price)));
    match fill {
        Some(fill) => json.text("N", cx.asset(fill.fee_asset)).shown("n", money(fill.fee)),
        None => json.text("N", cx.quote).text("n", "0"),
    };
    json.int("T", cx.ms(report.time)).int("t", fill.map_or(0, |fill| fill.trade));
    json.text("b", "0").text("a", "0").flag("m", fill.is_some_and(|fill| fill.is_maker));
    json.flag("R", order.reduce_only).text("wt", working_type(order)).text("ot", order_kind);
    json.text("ps", "BOTH").flag("cp", order.size == Size::Position).text("AP", "0").text("cr", "0");
    json.flag("pP", false).int("si", 0).int("ss", 0);
    json.shown("rp", money(fill.map_or(Amount::ZERO, |fill| fill.realised)));
    json.text("V", self_trade(order)).text("pm", "NONE");
    json.int("gtd", order.good_till.map_or(0, |until| cx.ms(until)));
    json.text("er", futures_expiry(order.expiry));
    if let Some(id) = modify_id {
        json.int("M", id);
    }
    json.close();
    UserEvent { topic: topic(fill), json: json.done() }
}

const fn futures_expiry(expiry: Option<Expiry>) -> &'static str {
    match expiry {
        None | Some(Expiry::GoodTill | Expiry::FokUnfilled) => "0",
        Some(Expiry::SelfTrade) => "1",
        Some(Expiry::IocRemainder) => "2",
        Some(Expiry::ReduceOnly) => "4",
        Some(Expiry::Liquidation) => "5",
        Some(Expiry::MarketClosed) => "7",
        Some(Expiry::NoLiquidity) => "9",
    }
}

fn algo_update(report: &OrderReport, cx: Context<'_>) -> UserEvent {
    let (order, digits) = (&report.order, cx.digits);
    let mut json = Json::object();
    json.text("e", "ALGO_UPDATE").int("T", cx.ms(report.time)).int("E", cx.event_ms).open("o");
    json.text("caid", order.client_id.as_str()).int("aid", order.id.0).text("at", "CONDITIONAL");
    json.text("o", order_type(Product::Futures, order)).text("s", cx.symbol).text("S", side(order.side));
    json.text("ps", "BOTH").text("f", time_in_force(Product::Futures, order));
    json.shown("q", digits.qty(order.qty)).text("X", algo_status(order));
    match order.child {
        Some(child) => json.shown("ai", child.0),
        None => json.text("ai", ""),
    };
    json.shown("ap", digits.mean_price(order.filled_value, order.filled));
    json.shown("aq", digits.qty(order.filled)).text("act", "0");
    json.shown("tp", digits.price(order.trigger.map(|trigger| trigger.price).unwrap_or_default()));
    json.shown("p", digits.price(order.kind.price().unwrap_or_default())).text("V", self_trade(order));
    json.text("wt", working_type(order)).text("pm", "NONE").flag("cp", order.size == Size::Position);
    json.flag("pP", false).flag("R", order.reduce_only);
    json.int("tt", if order.status == Status::Triggered { cx.ms(report.time) } else { 0 });
    json.int("gtd", order.good_till.map_or(0, |until| cx.ms(until)));
    let refused = match &report.execution {
        Execution::Rejected(reject) => super::failure::Failure::rejected(Product::Futures, reject).text,
        _ => "".into(),
    };
    json.text("rm", &refused).close();
    UserEvent { topic: Topic::User, json: json.done() }
}

/// A market that positions are shown on.
pub(crate) struct PositionMarket<'a> {
    /// Its symbol.
    pub(crate) symbol: &'a str,
    /// Its digits.
    pub(crate) digits: Digits,
}

/// `ACCOUNT_UPDATE`.
pub(crate) fn futures_account<'a>(
    update: &AccountUpdate,
    cx: Context<'_>,
    market: impl Fn(engine::ids::InstrumentId) -> Option<PositionMarket<'a>>,
) -> UserEvent {
    let reason = match update.reason {
        AccountReason::Order => "ORDER",
        AccountReason::Funding => "FUNDING_FEE",
        AccountReason::Deposit => "DEPOSIT",
        AccountReason::Withdrawal => "WITHDRAW",
        AccountReason::InsuranceClear => "INSURANCE_CLEAR",
    };
    let mut json = Json::object();
    json.text("e", "ACCOUNT_UPDATE").int("T", cx.ms(update.time)).int("E", cx.event_ms).open("a");
    json.text("m", reason);
    if update.reason == AccountReason::Funding {
        json.text("S", cx.symbol);
    }
    json.open_list("B");
    for balance in &update.balances {
        let wallet = money(balance.balance.total());
        json.item_open().text("a", cx.asset(balance.asset)).shown("wb", wallet).shown("cw", wallet);
        json.shown("bc", money(balance.change)).close();
    }
    json.close_list().open_list("P");
    // Funding of a crossed position shows balances alone.
    let positions = if update.reason == AccountReason::Funding { &[][..] } else { &update.positions };
    for entry in positions {
        let Some(here) = market(entry.market) else { continue };
        let position = entry.position;
        let entry_price = here.digits.mean_price(position.cost.abs(), Qty(position.qty.0.abs()));
        json.item_open().text("s", here.symbol).shown("pa", here.digits.qty(position.qty));
        json.shown("ep", entry_price).shown("bep", entry_price).shown("cr", money(position.realised));
        json.shown("up", money(entry.unrealised))
            .text("mt", "cross")
            .text("iw", "0")
            .text("ps", "BOTH")
            .close();
    }
    json.close_list().close();
    UserEvent { topic: Topic::User, json: json.done() }
}
