//! Binance orders over the WebSocket API: spot, USD-M and COIN-M futures are values of one room.
//!
//! One JSON request a frame, `{"id":..,"method":..,"params":{..}}`, decimals as strings. Methods:
//!
//! | | spot | USD-M, COIN-M |
//! |---|---|---|
//! | place | `order.place`, post-only as `LIMIT_MAKER` | `order.place`, post-only as `GTX` |
//! | place a market order | `order.place` | `order.place` |
//! | place a stop | `order.place`, `STOP_LOSS`, `STOP_LOSS_LIMIT`, by the last price | `algoOrder.place`, `STOP_MARKET`, `STOP`, by the last price |
//! | reduce only | not there: the gate alone holds the order to the position | `reduceOnly` |
//! | cancel | `order.cancel` | `order.cancel`; before the trigger `algoOrder.cancel` |
//! | amend to less at the same price | `order.amend.keepPriority` | `order.modify`, to the back of the queue |
//! | amend otherwise | `order.cancelReplace`, a new order or neither | `order.modify`, to the back of the queue |
//!
//! <https://developers.binance.com/docs/binance-spot-api-docs/websocket-api/trading-requests>,
//! <https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/websocket-api> (from the project's
//! dossier of 21 Nov 2026, sections 5 to 7 and 13).

mod codec;
pub mod errors;
pub mod heard;
mod log_on;
pub mod session;
mod sign;
mod template;

pub use codec::{BinanceCodec, BinanceCodecError};
pub use log_on::LogOn;
pub use sign::Authentication;

/// Milliseconds after its time stamp at which the venue still takes a request, 1..=60,000. Short: a late order
/// shall die rather than trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvWindow(u32);

impl RecvWindow {
    /// None: outside 1..=60,000 ms.
    #[must_use]
    pub const fn from_ms(ms: u32) -> Option<Self> {
        if ms >= 1 && ms <= 60_000 { Some(Self(ms)) } else { None }
    }

    /// Milliseconds.
    #[must_use]
    pub const fn as_ms(self) -> u32 {
        self.0
    }
}

/// Bytes of the longest message: 36 of each id, an Ed25519 signature, a symbol of 32 bytes are about 700.
const MESSAGE_BYTES_MAX: usize = 1024;
