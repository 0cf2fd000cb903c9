//! WebSocket (RFC 6455), the client's side, over our own buffers: frames are parsed where they lie and lent.
//! Compression is never agreed on. Nothing here knows a socket or a clock.

pub mod client;
pub mod frame;
pub mod handshake;
pub mod reader;

pub use client::{Next, SendError, WebSocket, WsError};
pub use frame::{FrameError, Opcode};
pub use handshake::{HandshakeError, Upgrade};
pub use reader::{Message, MessageKind, Reader};
