//! Which calls there are: by method and path on REST, by name on the WebSocket API, with what each costs and who may
//! make it.
//!
//! Names and weights: developers.binance.com, REST and WebSocket API of spot and USD-M, read 2026-11-21.

use super::desk::{Asked, Desk};
use super::failure::Failure;
use super::params::Params;
use crate::exchange::{CancelScope, Product};

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Ping,
    Time,
    ExchangeInfo,
    Depth,
    Trades,
    AggTrades,
    Klines,
    BookTicker,
    Price,
    Day,
    PremiumIndex,
    Place,
    PlaceTest,
    Cancel,
    CancelAll,
    CancelReplace,
    Amend,
    Query,
    OpenOrder,
    OpenOrders,
    AllOrders,
    Account,
    Fills,
    OrderCounts,
    Commission,
    Balance,
    PositionRisk,
    Leverage,
    LeverageBracket,
    MarginType,
    PositionSide,
    SetPositionSide,
    MultiAssets,
    SetMultiAssets,
    Countdown,
    ListenKey,
    KeepListenKey,
    CloseListenKey,
    AlgoCancel,
    AlgoCancelAll,
    AlgoQuery,
    OpenAlgos,
}

/// Who may make a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    /// Anybody.
    None,
    /// Who names a key.
    Key,
    /// Who signs.
    Signed,
    /// Who signs with a key that may trade.
    Trade,
}

/// What a call costs its address.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Weight {
    /// Always so much.
    Fixed(u32),
    /// So much with a symbol, so much without.
    BySymbol(u32, u32),
    /// By the number of levels.
    Depth,
    /// By the number of candles (futures).
    Klines,
    /// So much, and nothing if the call succeeds (spot orders since 2026-04-02).
    FreeIfDone(u32),
}

/// A call and the ways to it.
pub(crate) struct Endpoint {
    /// What it does.
    pub(crate) call: Call,
    /// Method and path on REST; empty: there is no way.
    pub(crate) rest: (&'static str, &'static str),
    /// Name on the WebSocket API; empty: there is no way.
    pub(crate) ws: &'static str,
    /// Who may.
    pub(crate) security: Security,
    /// What it costs.
    pub(crate) weight: Weight,
}

impl Endpoint {
    /// What the call costs with these parameters.
    #[must_use]
    pub(crate) fn weight_of(&self, product: Product, params: &Params) -> u32 {
        let limit = |default: u64| params.number("limit").ok().flatten().unwrap_or(default);
        match (self.weight, product) {
            (Fixed(weight) | FreeIfDone(weight), _) => weight,
            (BySymbol(one, all), _) => {
                if params.has("symbol") {
                    one
                } else {
                    all
                }
            }
            (Weight::Depth, Product::Spot) => match limit(100) {
                ..=100 => 5,
                101..=500 => 25,
                501..=1_000 => 50,
                _ => 250,
            },
            (Weight::Depth, Product::Futures) => match limit(500) {
                ..=50 => 2,
                51..=100 => 5,
                101..=500 => 10,
                _ => 20,
            },
            (Weight::Klines, _) => match limit(500) {
                ..=99 => 1,
                100..=499 => 2,
                500..=1_000 => 5,
                _ => 10,
            },
        }
    }

    /// Whether the call places, changes or ends orders.
    #[must_use]
    pub(crate) const fn is_order(&self) -> bool {
        matches!(
            self.call,
            Call::Place
                | Call::Cancel
                | Call::CancelAll
                | Call::CancelReplace
                | Call::Amend
                | Call::AlgoCancel
                | Call::AlgoCancelAll
        )
    }
}

/// The call of a REST request. Err: the path exists for other methods.
pub(crate) fn rest(product: Product, method: &str, path: &str) -> Result<Option<&'static Endpoint>, Failure> {
    let mut of_path = table(product).iter().filter(|endpoint| endpoint.rest.1 == path).peekable();
    if of_path.peek().is_none() {
        return Ok(None);
    }
    let found = of_path.find(|endpoint| endpoint.rest.0 == method);
    found.map(Some).ok_or(Failure::of(405, -1000, "Method not allowed."))
}

/// The call of a WebSocket request.
#[must_use]
pub(crate) fn ws(product: Product, method: &str) -> Option<&'static Endpoint> {
    table(product).iter().find(|endpoint| !endpoint.ws.is_empty() && endpoint.ws == method)
}

fn table(product: Product) -> &'static [Endpoint] {
    match product {
        Product::Spot => SPOT,
        Product::Futures => FUTURES,
    }
}

const fn row(
    call: Call,
    method: &'static str,
    path: &'static str,
    ws: &'static str,
    security: Security,
    weight: Weight,
) -> Endpoint {
    Endpoint { call, rest: (method, path), ws, security, weight }
}

use Security::{Key, None as Open, Signed, Trade};
use Weight::{BySymbol, Fixed, FreeIfDone};

#[rustfmt::skip]
const SPOT: &[Endpoint] = &[
    row(Call::Ping, "GET", "/api/v3/ping", "ping", Open, Fixed(1)),
    row(Call::Time, "GET", "/api/v3/time", "time", Open, Fixed(1)),
    row(Call::ExchangeInfo, "GET", "/api/v3/exchangeInfo", "exchangeInfo", Open, Fixed(20)),
    row(Call::Depth, "GET", "/api/v3/depth", "depth", Open, Weight::Depth),
    row(Call::Trades, "GET", "/api/v3/trades", "trades.recent", Open, Fixed(25)),
    row(Call::Trades, "GET", "/api/v3/historicalTrades", "trades.historical", Open, Fixed(25)),
    row(Call::AggTrades, "GET", "/api/v3/aggTrades", "trades.aggregate", Open, Fixed(4)),
    row(Call::Klines, "GET", "/api/v3/klines", "klines", Open, Fixed(2)),
    row(Call::BookTicker, "GET", "/api/v3/ticker/bookTicker", "ticker.book", Open, BySymbol(2, 4)),
    row(Call::Price, "GET", "/api/v3/ticker/price", "ticker.price", Open, BySymbol(2, 4)),
    row(Call::Day, "GET", "/api/v3/ticker/24hr", "ticker.24hr", Open, BySymbol(2, 80)),
    row(Call::Place, "POST", "/api/v3/order", "order.place", Trade, FreeIfDone(1)),
    row(Call::PlaceTest, "POST", "/api/v3/order/test", "order.test", Trade, Fixed(1)),
    row(Call::Cancel, "DELETE", "/api/v3/order", "order.cancel", Trade, FreeIfDone(1)),
    row(Call::CancelAll, "DELETE", "/api/v3/openOrders", "openOrders.cancelAll", Trade, FreeIfDone(1)),
    row(Call::CancelReplace, "POST", "/api/v3/order/cancelReplace", "order.cancelReplace", Trade, FreeIfDone(1)),
    row(Call::Amend, "PUT", "/api/v3/order/amend/keepPriority", "order.amend.keepPriority", Trade, Fixed(4)),
    row(Call::Query, "GET", "/api/v3/order", "order.status", Signed, Fixed(4)),
    row(Call::OpenOrders, "GET", "/api/v3/openOrders", "openOrders.status", Signed, BySymbol(6, 80)),
    row(Call::AllOrders, "GET", "/api/v3/allOrders", "allOrders", Signed, Fixed(20)),
    row(Call::Account, "GET", "/api/v3/account", "account.status", Signed, Fixed(20)),
    row(Call::Fills, "GET", "/api/v3/myTrades", "myTrades", Signed, Fixed(20)),
    row(Call::OrderCounts, "GET", "/api/v3/rateLimit/order", "account.rateLimits.orders", Signed, Fixed(40)),
    row(Call::Commission, "GET", "/api/v3/account/commission", "account.commission", Signed, Fixed(20)),
];

#[rustfmt::skip]
const FUTURES: &[Endpoint] = &[
    row(Call::Ping, "GET", "/fapi/v1/ping", "ping", Open, Fixed(1)),
    row(Call::Time, "GET", "/fapi/v1/time", "time", Open, Fixed(1)),
    row(Call::ExchangeInfo, "GET", "/fapi/v1/exchangeInfo", "", Open, Fixed(1)),
    row(Call::Depth, "GET", "/fapi/v1/depth", "depth", Open, Weight::Depth),
    row(Call::Trades, "GET", "/fapi/v1/trades", "", Open, Fixed(5)),
    row(Call::Trades, "GET", "/fapi/v1/historicalTrades", "", Key, Fixed(200)),
    row(Call::AggTrades, "GET", "/fapi/v1/aggTrades", "", Open, Fixed(20)),
    row(Call::Klines, "GET", "/fapi/v1/klines", "", Open, Weight::Klines),
    row(Call::BookTicker, "GET", "/fapi/v1/ticker/bookTicker", "ticker.book", Open, BySymbol(2, 5)),
    row(Call::Price, "GET", "/fapi/v2/ticker/price", "ticker.price", Open, BySymbol(1, 2)),
    row(Call::Price, "GET", "/fapi/v1/ticker/price", "", Open, BySymbol(1, 2)),
    row(Call::Day, "GET", "/fapi/v1/ticker/24hr", "", Open, BySymbol(1, 40)),
    row(Call::PremiumIndex, "GET", "/fapi/v1/premiumIndex", "", Open, BySymbol(1, 10)),
    row(Call::Place, "POST", "/fapi/v1/order", "order.place", Trade, Fixed(0)),
    row(Call::PlaceTest, "POST", "/fapi/v1/order/test", "", Trade, Fixed(0)),
    row(Call::Amend, "PUT", "/fapi/v1/order", "order.modify", Trade, Fixed(0)),
    row(Call::Cancel, "DELETE", "/fapi/v1/order", "order.cancel", Trade, Fixed(1)),
    row(Call::CancelAll, "DELETE", "/fapi/v1/allOpenOrders", "", Trade, Fixed(1)),
    row(Call::Query, "GET", "/fapi/v1/order", "order.status", Signed, Fixed(1)),
    row(Call::OpenOrder, "GET", "/fapi/v1/openOrder", "", Signed, Fixed(1)),
    row(Call::OpenOrders, "GET", "/fapi/v1/openOrders", "", Signed, BySymbol(1, 40)),
    row(Call::AllOrders, "GET", "/fapi/v1/allOrders", "", Signed, Fixed(5)),
    row(Call::Balance, "GET", "/fapi/v3/balance", "v2/account.balance", Signed, Fixed(5)),
    row(Call::Balance, "GET", "/fapi/v2/balance", "account.balance", Signed, Fixed(5)),
    row(Call::Account, "GET", "/fapi/v3/account", "v2/account.status", Signed, Fixed(5)),
    row(Call::Account, "GET", "/fapi/v2/account", "account.status", Signed, Fixed(5)),
    row(Call::PositionRisk, "GET", "/fapi/v3/positionRisk", "v2/account.position", Signed, Fixed(5)),
    row(Call::PositionRisk, "GET", "/fapi/v2/positionRisk", "account.position", Signed, Fixed(5)),
    row(Call::Fills, "GET", "/fapi/v1/userTrades", "", Signed, Fixed(5)),
    row(Call::OrderCounts, "GET", "/fapi/v1/rateLimit/order", "", Signed, Fixed(1)),
    row(Call::Commission, "GET", "/fapi/v1/commissionRate", "", Signed, Fixed(20)),
    row(Call::Leverage, "POST", "/fapi/v1/leverage", "", Trade, Fixed(1)),
    row(Call::LeverageBracket, "GET", "/fapi/v1/leverageBracket", "", Signed, Fixed(1)),
    row(Call::MarginType, "POST", "/fapi/v1/marginType", "", Trade, Fixed(1)),
    row(Call::PositionSide, "GET", "/fapi/v1/positionSide/dual", "", Signed, Fixed(30)),
    row(Call::SetPositionSide, "POST", "/fapi/v1/positionSide/dual", "", Trade, Fixed(1)),
    row(Call::MultiAssets, "GET", "/fapi/v1/multiAssetsMargin", "", Signed, Fixed(30)),
    row(Call::SetMultiAssets, "POST", "/fapi/v1/multiAssetsMargin", "", Trade, Fixed(1)),
    row(Call::Countdown, "POST", "/fapi/v1/countdownCancelAll", "", Trade, Fixed(10)),
    row(Call::ListenKey, "POST", "/fapi/v1/listenKey", "userDataStream.start", Key, Fixed(1)),
    row(Call::KeepListenKey, "PUT", "/fapi/v1/listenKey", "userDataStream.ping", Key, Fixed(1)),
    row(Call::CloseListenKey, "DELETE", "/fapi/v1/listenKey", "userDataStream.stop", Key, Fixed(1)),
    row(Call::Place, "POST", "/fapi/v1/algoOrder", "algoOrder.place", Trade, Fixed(0)),
    row(Call::AlgoCancel, "DELETE", "/fapi/v1/algoOrder", "algoOrder.cancel", Trade, Fixed(1)),
    row(Call::AlgoCancelAll, "DELETE", "/fapi/v1/algoOpenOrders", "", Trade, Fixed(1)),
    row(Call::AlgoQuery, "GET", "/fapi/v1/algoOrder", "", Signed, Fixed(1)),
    row(Call::OpenAlgos, "GET", "/fapi/v1/openAlgoOrders", "", Signed, BySymbol(1, 40)),
];

impl Desk {
    /// Makes a call and gives its result as JSON. Err: the venue's refusal; then nothing has changed.
    pub(crate) fn call(&mut self, call: Call, asked: Asked<'_>) -> Result<String, Failure> {
        match (call, self.product) {
            (Call::Ping, _) => Ok("{}".to_owned()),
            (Call::Time, _) => Ok(Self::time(asked)),
            (Call::ExchangeInfo, _) => self.exchange_info(asked),
            (Call::Depth, _) => self.depth_call(asked),
            (Call::Trades, _) => self.trades_call(asked),
            (Call::AggTrades, _) => self.agg_trades_call(asked),
            (Call::Klines, _) => self.klines_call(asked),
            (Call::BookTicker, _) => self.book_ticker_call(asked),
            (Call::Price, _) => self.price_call(asked),
            (Call::Day, _) => self.day_call(asked),
            (Call::PremiumIndex, _) => self.premium_index(asked),
            (Call::Place, Product::Spot) => self.spot_place(asked),
            (Call::Place, Product::Futures) => self.futures_place(asked),
            (Call::PlaceTest, _) => self.order_test(asked),
            (Call::Cancel, Product::Spot) => self.spot_cancel(asked),
            (Call::Cancel, Product::Futures) => self.futures_cancel(asked),
            (Call::CancelAll, Product::Spot) => self.spot_cancel_all(asked),
            (Call::CancelAll, Product::Futures) => self.futures_cancel_all(asked, CancelScope::InBook),
            (Call::CancelReplace, _) => self.spot_cancel_replace(asked),
            (Call::Amend, Product::Spot) => self.spot_amend(asked),
            (Call::Amend, Product::Futures) => self.futures_modify(asked),
            (Call::Query, _) => self.query(asked),
            (Call::OpenOrder, _) => self.open_order(asked),
            (Call::OpenOrders, _) => self.open_orders(asked),
            (Call::AllOrders, _) => self.all_orders(asked),
            (Call::Account, Product::Spot) => self.spot_account(asked),
            (Call::Account, Product::Futures) => self.futures_account(asked),
            (Call::Fills, Product::Spot) => self.spot_trades(asked),
            (Call::Fills, Product::Futures) => self.futures_trades(asked),
            (Call::OrderCounts, _) => Ok(self.order_counts(asked)),
            (Call::Commission, Product::Spot) => self.spot_commission(asked),
            (Call::Commission, Product::Futures) => self.commission_rate(asked),
            (Call::Balance, _) => Ok(self.balance(asked)),
            (Call::PositionRisk, _) => self.position_risk(asked),
            (Call::Leverage, _) => self.leverage(asked),
            (Call::LeverageBracket, _) => self.leverage_bracket(asked),
            (Call::MarginType, _) => self.margin_type(asked),
            (Call::PositionSide, _) => self.position_side(asked, false),
            (Call::SetPositionSide, _) => self.position_side(asked, true),
            (Call::MultiAssets, _) => Self::multi_assets(asked, false),
            (Call::SetMultiAssets, _) => Self::multi_assets(asked, true),
            (Call::Countdown, _) => self.countdown(asked),
            (Call::ListenKey, _) => Ok(self.listen_key(asked)),
            (Call::KeepListenKey, _) => self.keep_listen_key(asked),
            (Call::CloseListenKey, _) => Ok(self.close_listen_key(asked)),
            (Call::AlgoCancel, _) => self.algo_cancel(asked),
            (Call::AlgoCancelAll, _) => self.futures_cancel_all(asked, CancelScope::Waiting),
            (Call::AlgoQuery, _) => self.algo_query(asked),
            (Call::OpenAlgos, _) => self.open_algos(asked),
        }
    }
}
