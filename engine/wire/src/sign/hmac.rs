//! HMAC-SHA256 (RFC 2104), in hexadecimal.

use super::text::hex;
use super::{Secret, SignFailed};
use aws_lc_rs::hmac;
use std::fmt;

/// Characters of a signature.
pub const SIGNATURE_HEX_BYTES: usize = 64;

/// A secret that signs, its two padded blocks hashed ahead. aws-lc-rs wipes it when it is dropped; it does not move,
/// so that no copies of it stay behind.
pub struct HmacKey(Box<hmac::Key>);

impl HmacKey {
    /// The key of `secret`, whose bytes are used as they are.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        Self(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret.expose())))
    }

    /// The signature of `text`, lower-case hexadecimal. Takes no memory.
    /// Err: the library failed; nothing was signed.
    #[inline]
    pub fn sign(&self, text: &[u8]) -> Result<[u8; SIGNATURE_HEX_BYTES], SignFailed> {
        let mut signature = [0; SIGNATURE_HEX_BYTES / 2];
        hmac::sign_to_buffer(&self.0, text, &mut signature).map_err(|_| SignFailed)?;
        Ok(hex(&signature))
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test cases 1, 2 and 6 (a key longer than a block).
    #[test]
    fn the_signatures_of_rfc_4231() {
        for (secret, text, signature) in [
            (
                vec![0x0B; 20],
                &b"Hi There"[..],
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe".to_vec(),
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                vec![0xAA; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            let key = HmacKey::new(&Secret::new(secret));
            assert_eq!(key.sign(text).unwrap(), signature.as_bytes());
            assert_eq!(format!("{key:?}"), "HmacKey");
        }
    }
}
