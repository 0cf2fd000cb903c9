//! Signatures over texts, as venues ask for them: HMAC-SHA256 in hexadecimal, Ed25519 in base64. No venue is
//! known here: what is signed, and where the signature goes, is the venue's room.
//!
//! Keys are prepared once, at start. aws-lc-rs does the arithmetic, because TLS brings it anyway and because
//! RustCrypto's `sha2` becomes a hundred times slower when the target has AVX and the SHA instructions.

mod ed25519;
mod hmac;
mod secret;
mod text;

pub use ed25519::{Ed25519Key, KeyError, SIGNATURE_BASE64_BYTES};
pub use hmac::{HmacKey, SIGNATURE_HEX_BYTES};
pub use secret::Secret;
pub(crate) use text::base64;

/// The library could not sign: nothing was written, nothing may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignFailed;
