//! Names of public streams, and which path serves which.
//!
//! Names and speeds: developers.binance.com, "WebSocket Streams" of spot and "Websocket Market Streams" of USD-M, read
//! 2026-11-21. The futures host is split since 2026-03-06: a stream on the wrong path is acknowledged and silent.

use engine::ids::InstrumentId;

use super::candles::Interval;
use crate::exchange::Product;

/// A public stream of one market, or of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StreamKey {
    /// None: all of the product.
    pub(crate) market: Option<InstrumentId>,
    /// What it shows.
    pub(crate) kind: StreamKind,
}

impl StreamKey {
    /// Of one market.
    #[must_use]
    pub(crate) const fn of(market: InstrumentId, kind: StreamKind) -> Self {
        Self { market: Some(market), kind }
    }
}

/// What a public stream shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum StreamKind {
    /// Changed levels, every so many milliseconds.
    Depth {
        /// The period.
        every_ms: u32,
    },
    /// The best levels, every so many milliseconds.
    Partial {
        /// Levels a side: 5, 10 or 20.
        levels: u16,
        /// The period.
        every_ms: u32,
    },
    /// The touch, at every change.
    BookTicker,
    /// Every trade.
    Trade,
    /// Trades of one taking order at one price.
    AggTrade,
    /// The candle that forms.
    Kline(Interval),
    /// Mark price and funding.
    MarkPrice {
        /// The period.
        every_ms: u32,
    },
    /// Statistics of the last 24 hours.
    Ticker,
    /// Positions closed by force.
    ForceOrder,
}

/// The path that a stream connection was opened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Spot: everything.
    Spot,
    /// Futures `/public`: depth and touch.
    Public,
    /// Futures `/market`: the rest of the public streams.
    Market,
    /// Futures `/private`: user data.
    Private,
    /// Futures without a route: opens, and shows what `/public` shows.
    Unrouted,
}

impl Route {
    /// Spot or futures.
    #[must_use]
    pub(crate) const fn product(self) -> Product {
        match self {
            Self::Spot => Product::Spot,
            Self::Public | Self::Market | Self::Private | Self::Unrouted => Product::Futures,
        }
    }

    /// Whether streams of this kind come on this path.
    #[must_use]
    pub(crate) const fn serves(self, kind: StreamKind) -> bool {
        let is_public =
            matches!(kind, StreamKind::Depth { .. } | StreamKind::Partial { .. } | StreamKind::BookTicker);
        match self {
            Self::Spot => true,
            Self::Public | Self::Unrouted => is_public,
            Self::Market => !is_public,
            Self::Private => false,
        }
    }
}

/// The stream of that name. `market` finds a market by its symbol in upper case. None: no such stream, which the
/// venue acknowledges all the same.
pub(crate) fn parse(
    product: Product,
    name: &str,
    market: impl Fn(&str) -> Option<InstrumentId>,
) -> Option<StreamKey> {
    let is_futures = product == Product::Futures;
    let all = |kind| Some(StreamKey { market: None, kind });
    match name {
        "!bookTicker" if is_futures => return all(StreamKind::BookTicker),
        "!markPrice@arr" if is_futures => return all(StreamKind::MarkPrice { every_ms: 3_000 }),
        "!markPrice@arr@1s" if is_futures => return all(StreamKind::MarkPrice { every_ms: 1_000 }),
        "!ticker@arr" if is_futures => return all(StreamKind::Ticker),
        "!forceOrder@arr" if is_futures => return all(StreamKind::ForceOrder),
        _ => {}
    }
    let (symbol, rest) = name.split_once('@')?;
    if symbol.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let market = market(&symbol.to_uppercase())?;
    let (what, speed) = rest.split_once('@').map_or((rest, None), |(what, speed)| (what, Some(speed)));
    let default_ms = if is_futures { 250 } else { 1_000 };
    let depth_ms = match speed {
        None => Some(default_ms),
        Some("100ms") => Some(100),
        Some("500ms") if is_futures => Some(500),
        Some("250ms") if is_futures => Some(250),
        Some("1000ms") if !is_futures => Some(1_000),
        Some(_) => None,
    };
    let plain = |kind| speed.is_none().then_some(kind);
    let kind = match what {
        "depth" => StreamKind::Depth { every_ms: depth_ms? },
        "depth5" => StreamKind::Partial { levels: 5, every_ms: depth_ms? },
        "depth10" => StreamKind::Partial { levels: 10, every_ms: depth_ms? },
        "depth20" => StreamKind::Partial { levels: 20, every_ms: depth_ms? },
        "bookTicker" => plain(StreamKind::BookTicker)?,
        "trade" if !is_futures => plain(StreamKind::Trade)?,
        "aggTrade" => plain(StreamKind::AggTrade)?,
        "ticker" => plain(StreamKind::Ticker)?,
        "markPrice" if is_futures => match speed {
            None => StreamKind::MarkPrice { every_ms: 3_000 },
            Some("1s") => StreamKind::MarkPrice { every_ms: 1_000 },
            Some(_) => return None,
        },
        "forceOrder" if is_futures => plain(StreamKind::ForceOrder)?,
        _ => {
            let interval = Interval::parse(what.strip_prefix("kline_")?)?;
            plain(StreamKind::Kline(interval)).filter(|_| !is_futures || interval != Interval::SECOND)?
        }
    };
    Some(StreamKey { market: Some(market), kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(product: Product, name: &str) -> Option<StreamKind> {
        let market = |symbol: &str| (symbol == "BTCUSDT").then_some(InstrumentId(0));
        parse(product, name, market).map(|key| key.kind)
    }

    #[test]
    fn each_product_has_its_own_names_and_speeds() {
        use Product::{Futures, Spot};
        assert_eq!(kind(Spot, "btcusdt@depth"), Some(StreamKind::Depth { every_ms: 1_000 }));
        assert_eq!(kind(Futures, "btcusdt@depth"), Some(StreamKind::Depth { every_ms: 250 }));
        assert_eq!(kind(Futures, "btcusdt@depth@500ms"), Some(StreamKind::Depth { every_ms: 500 }));
        assert_eq!(
            kind(Spot, "btcusdt@depth20@100ms"),
            Some(StreamKind::Partial { levels: 20, every_ms: 100 })
        );
        assert_eq!(kind(Spot, "btcusdt@trade"), Some(StreamKind::Trade));
        assert_eq!(kind(Futures, "btcusdt@markPrice@1s"), Some(StreamKind::MarkPrice { every_ms: 1_000 }));
        for (product, name) in [
            (Spot, "btcusdt@depth@500ms"),
            (Spot, "BTCUSDT@depth"),
            (Spot, "ethusdt@depth"),
            (Futures, "btcusdt@trade"),
            (Futures, "btcusdt@kline_1s"),
            (Spot, "btcusdt@markPrice"),
            (Spot, "btcusdt@kline_7m"),
            (Spot, "btcusdt"),
        ] {
            assert_eq!(kind(product, name), None, "{name}");
        }
    }

    #[test]
    fn a_path_serves_its_own_streams_only() {
        let depth = StreamKind::Depth { every_ms: 100 };
        assert!(Route::Public.serves(depth) && !Route::Market.serves(depth) && Route::Unrouted.serves(depth));
        assert!(Route::Market.serves(StreamKind::AggTrade) && !Route::Public.serves(StreamKind::AggTrade));
        assert!(!Route::Private.serves(depth) && Route::Spot.serves(StreamKind::AggTrade));
    }
}
