//! Ed25519 (RFC 8032), in base64.

use super::text::{base64, base64_decode};
use super::{Secret, SignFailed};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use std::fmt;

/// Characters of a signature.
pub const SIGNATURE_BASE64_BYTES: usize = 88;

/// A private key. The library wipes it when it is dropped.
pub struct Ed25519Key(Ed25519KeyPair);

/// Why bytes are no key. Says nothing of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The PEM block is encrypted; only plain ones are read.
    Encrypted,
    /// Begins as PEM, and is not one block `PRIVATE KEY` with base64 in it.
    Pem,
    /// Not an Ed25519 private key in PKCS#8, or its public half is another's.
    NotEd25519,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encrypted => "the private key is encrypted: decrypt it first (openssl pkey)",
            Self::Pem => "not one PEM block \"PRIVATE KEY\" with base64 in it",
            Self::NotEd25519 => "not an Ed25519 private key in PKCS#8 (openssl genpkey -algorithm ed25519)",
        })
    }
}

impl std::error::Error for KeyError {}

impl Ed25519Key {
    /// The private key in `secret`: PKCS#8, version 1 or 2, as PEM or as the bare DER.
    /// Err: see [`KeyError`]; an HMAC secret is never taken for a key.
    pub fn from_pkcs8(secret: &Secret) -> Result<Self, KeyError> {
        let bytes = secret.expose();
        let der = if bytes.trim_ascii_start().starts_with(b"-----") { &pem_body(bytes)? } else { secret };
        Ed25519KeyPair::from_pkcs8(der.expose()).map(Self).map_err(|_| KeyError::NotEd25519)
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    /// The signature of `text`, base64. The library takes memory for each signature and gives it back: this is for
    /// log-ons; orders are better sent by a session that has logged on, or signed by HMAC.
    /// Err: the library failed; nothing was signed.
    #[inline]
    pub fn sign(&self, text: &[u8]) -> Result<[u8; SIGNATURE_BASE64_BYTES], SignFailed> {
        let signature = self.0.try_sign(text).map_err(|_| SignFailed)?;
        let bytes: &[u8; 64] = signature.as_ref().try_into().map_err(|_| SignFailed)?;
        Ok(base64(bytes))
    }
}

impl fmt::Debug for Ed25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ed25519Key")
    }
}

/// What the only PEM block of `text` holds (RFC 7468).
#[cold]
fn pem_body(text: &[u8]) -> Result<Secret, KeyError> {
    let text = text.trim_ascii();
    if text.starts_with(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") {
        return Err(KeyError::Encrypted);
    }
    let body = text.strip_prefix(b"-----BEGIN PRIVATE KEY-----").ok_or(KeyError::Pem)?;
    let body = body.strip_suffix(b"-----END PRIVATE KEY-----").ok_or(KeyError::Pem)?;
    base64_decode(body).map(Secret::new).ok_or(KeyError::Pem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    /// RFC 8032, section 7.1, test 1.
    const RFC_8032: &str = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";

    fn pem(label: &str, body: &str) -> Secret {
        Secret::new(format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n").into_bytes())
    }

    fn der() -> Vec<u8> {
        base64_decode(RFC_8032.as_bytes()).unwrap()
    }

    #[test]
    fn pem_and_der_are_the_same_key_and_it_signs_as_the_rfc_says() {
        let keys = [pem("PRIVATE KEY", RFC_8032), Secret::new(der())];
        let keys = keys.map(|secret| Ed25519Key::from_pkcs8(&secret).unwrap());
        for key in &keys {
            assert_eq!(format!("{key:?}"), "Ed25519Key");
            assert_eq!(key.public_key()[..4], [0xD7, 0x5A, 0x98, 0x01]);
            let empty = base64_decode(&key.sign(b"").unwrap()).unwrap();
            assert_eq!((empty[..4].to_vec(), empty[63]), (vec![0xE5, 0x56, 0x43, 0x00], 0x0B));
            let signature = base64_decode(&key.sign(b"text").unwrap()).unwrap();
            let public = UnparsedPublicKey::new(&ED25519, key.public_key());
            assert!(
                public.verify(b"text", &signature).is_ok() && public.verify(b"texT", &signature).is_err()
            );
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_shown() {
        let error = |secret: Secret| Ed25519Key::from_pkcs8(&secret).unwrap_err();
        assert_eq!(error(pem("ENCRYPTED PRIVATE KEY", RFC_8032)), KeyError::Encrypted);
        assert_eq!(error(pem("PUBLIC KEY", RFC_8032)), KeyError::Pem);
        assert_eq!(error(pem("PRIVATE KEY", &RFC_8032[1..])), KeyError::Pem);
        assert_eq!(error(pem("PRIVATE KEY", "")), KeyError::NotEd25519);
        assert_eq!(error(pem("PRIVATE KEY", &RFC_8032[..60])), KeyError::NotEd25519);
        assert_eq!(error(Secret::new(b"-----BEGIN PRIVATE KEY-----".to_vec())), KeyError::Pem);
        // An HMAC secret is base64 too.
        let hmac = b"NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
        assert_eq!(error(Secret::new(hmac.to_vec())), KeyError::NotEd25519);
        let mut of_another_kind = der();
        of_another_kind[11] ^= 1; // the OID's last byte: Ed448
        assert_eq!(error(Secret::new(of_another_kind)), KeyError::NotEd25519);
        assert!(KeyError::Encrypted.to_string().contains("openssl"));
    }
}
