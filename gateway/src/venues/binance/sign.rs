//! How requests prove whose they are.

use crate::codec::EncodeError;
use std::fmt;
use wire::sign::{Ed25519Key, HmacKey, SIGNATURE_BASE64_BYTES, SIGNATURE_HEX_BYTES};

/// The account's key, and who signs with it.
pub enum Authentication {
    /// Every request is signed by HMAC-SHA256.
    Hmac {
        /// The public half.
        api_key: String,
        /// The secret half.
        key: HmacKey,
    },
    /// Every request is signed by Ed25519.
    Ed25519 {
        /// The venue's name of the key.
        api_key: String,
        /// The private key.
        key: Ed25519Key,
    },
    /// The connection has logged on with [`super::LogOn`]: requests carry neither key nor signature. Also for the
    /// paper exchange, which knows no keys.
    Session,
}

/// Characters of the longest signature.
pub(super) const SIGNATURE_BYTES_MAX: usize = SIGNATURE_BASE64_BYTES;

impl Authentication {
    /// The key's public half, where requests carry it.
    pub(super) fn api_key(&self) -> Option<&str> {
        match self {
            Self::Hmac { api_key, .. } | Self::Ed25519 { api_key, .. } => Some(api_key),
            Self::Session => None,
        }
    }

    /// Whether the key's public half can stand in JSON and in signed text as it is: letters and digits.
    pub(super) fn has_plain_key(&self) -> bool {
        self.api_key()
            .is_none_or(|key| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    }

    /// Writes the signature of `text` to the front of `out`, and says how long it is.
    #[inline]
    pub(super) fn sign(
        &self,
        text: &[u8],
        out: &mut [u8; SIGNATURE_BYTES_MAX],
    ) -> Result<usize, EncodeError> {
        match self {
            Self::Hmac { key, .. } => {
                out[..SIGNATURE_HEX_BYTES]
                    .copy_from_slice(&key.sign(text).map_err(|_| EncodeError::Signing)?);
                Ok(SIGNATURE_HEX_BYTES)
            }
            Self::Ed25519 { key, .. } => {
                *out = key.sign(text).map_err(|_| EncodeError::Signing)?;
                Ok(SIGNATURE_BASE64_BYTES)
            }
            Self::Session => Ok(0),
        }
    }
}

/// The way only: nothing of any key.
impl fmt::Debug for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hmac { .. } => "Hmac",
            Self::Ed25519 { .. } => "Ed25519",
            Self::Session => "Session",
        })
    }
}
