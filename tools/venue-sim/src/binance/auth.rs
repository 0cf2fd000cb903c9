//! Who may ask: API keys, signatures and the time window of a signed request.
//!
//! Signing: developers.binance.com, "Request Security" (spot) and "General Info" (USD-M), read 2026-11-21. HMAC-SHA256
//! is hex in any case, Ed25519 and RSA (PKCS#1 v1.5, SHA-256) are base64.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use engine::ids::AccountId;
use engine::time::Nanos;
use std::collections::BTreeMap;

use super::failure::{AHEAD_OF_SERVER, BAD_KEY_FORMAT, BAD_SIGNATURE, Failure, INVALID_KEY, OUTSIDE_WINDOW};
use super::params::Params;

/// How a key's signatures are checked. Nothing prints it.
pub enum Verifier {
    /// The shared secret.
    Hmac(Box<hmac::Key>),
    /// The public key, 32 bytes.
    Ed25519([u8; 32]),
    /// The public key, DER of PKCS#1 or of SubjectPublicKeyInfo's bit string.
    Rsa(Vec<u8>),
}

impl Verifier {
    /// From a shared secret.
    #[must_use]
    pub fn hmac(secret: &str) -> Self {
        Self::Hmac(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())))
    }

    /// From a public key in PEM (`BEGIN PUBLIC KEY`), its base64 alone, or the 32 bytes of Ed25519 in hex.
    /// Err: none of these, or of an algorithm that the venue does not take.
    pub fn public_key(text: &str) -> Result<Self, KeyError> {
        if let Ok(raw) = HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()) {
            return raw.try_into().map(Self::Ed25519).map_err(|_| KeyError::NotAKey);
        }
        let base64: String = text.lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
        let der = BASE64.decode(base64.as_bytes()).map_err(|_| KeyError::NotAKey)?;
        if let Some(raw) = der.strip_prefix(&ED25519_SPKI) {
            return raw.try_into().map(Self::Ed25519).map_err(|_| KeyError::NotAKey);
        }
        // SEQUENCE { SEQUENCE { rsaEncryption, NULL }, BIT STRING { the key } }
        let rsa = der.windows(RSA_OID.len()).position(|window| window == RSA_OID);
        let Some(at) = rsa else { return Err(KeyError::Algorithm) };
        let bits = &der[at + RSA_OID.len()..];
        let ([0x05, 0x00, 0x03, 0x82, _, _, 0x00, key @ ..] | [0x05, 0x00, 0x03, 0x81, _, 0x00, key @ ..]) =
            bits
        else {
            return Err(KeyError::NotAKey);
        };
        Ok(Self::Rsa(key.to_vec()))
    }

    /// Whether `signature` is this key's of `text`.
    #[must_use]
    pub fn accepts(&self, text: &str, signature: &str) -> bool {
        match self {
            Self::Hmac(key) => HEXLOWER_PERMISSIVE
                .decode(signature.as_bytes())
                .is_ok_and(|tag| hmac::verify(key, text.as_bytes(), &tag).is_ok()),
            Self::Ed25519(key) => base64_accepts(&UnparsedPublicKey::new(&ED25519, key), text, signature),
            Self::Rsa(key) => {
                base64_accepts(&UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key), text, signature)
            }
        }
    }
}

fn base64_accepts<B: AsRef<[u8]>>(key: &UnparsedPublicKey<B>, text: &str, signature: &str) -> bool {
    let signature = BASE64.decode(signature.as_bytes());
    signature.is_ok_and(|signature| key.verify(text.as_bytes(), &signature).is_ok())
}

/// Why a text is no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Neither PEM, base64 nor hex of a key.
    NotAKey,
    /// A key of an algorithm other than Ed25519 and RSA.
    Algorithm,
}

impl std::fmt::Display for KeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotAKey => "not a public key: PEM, its base64, or 64 hex digits of Ed25519",
            Self::Algorithm => "a public key that is neither Ed25519 nor RSA",
        })
    }
}

impl std::error::Error for KeyError {}

/// One API key.
pub struct ApiKey {
    /// Whose.
    pub account: AccountId,
    /// How its signatures are checked.
    pub verifier: Verifier,
    /// Whether it may trade; if not, it may read.
    pub may_trade: bool,
}

/// All keys, by their text.
#[derive(Default)]
pub struct Keys(BTreeMap<String, ApiKey>);

impl Keys {
    /// Adds a key. Returns whether it is new.
    pub fn add(&mut self, text: String, key: ApiKey) -> bool {
        self.0.insert(text, key).is_none()
    }

    /// Takes a key away. Returns whether it was there.
    pub fn revoke(&mut self, text: &str) -> bool {
        self.0.remove(text).is_some()
    }

    /// The key of that text. Err: `-2014` no key looks like this; `-2015` there is none.
    pub fn find(&self, text: &str) -> Result<&ApiKey, Failure> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(BAD_KEY_FORMAT);
        }
        self.0.get(text).ok_or(INVALID_KEY)
    }

    /// The key of that text, after its signature of `signed` was checked.
    /// Err: as [`Self::find`]; `-1022` the signature is another's or of another text.
    pub fn check(&self, text: &str, signed: &str, signature: &str) -> Result<&ApiKey, Failure> {
        let key = self.find(text)?;
        if key.verifier.accepts(signed, signature) { Ok(key) } else { Err(BAD_SIGNATURE) }
    }
}

/// Whether a signed request comes in its time: not a second ahead of `now`, and not later than its window.
/// `timestamp` may be in microseconds. Err: `-1102` no timestamp, `-1131` a window above 60 s, `-1021` not in time.
pub fn check_time(params: &Params, now: Nanos) -> Result<(), Failure> {
    let timestamp = params.number("timestamp")?.ok_or_else(|| Failure::missing("timestamp"))?;
    let sent =
        if timestamp > MICROSECONDS_FROM { Nanos::from_us(timestamp) } else { Nanos::from_ms(timestamp) };
    let window = match params.decimal("recvWindow")? {
        None => Nanos::from_ms(5_000),
        Some(ms) => {
            let micros = ms.rescaled(3).map_err(|_| Failure::precision("recvWindow"))?;
            let micros = u64::try_from(micros).map_err(|_| Failure::illegal_characters("recvWindow"))?;
            if micros > 60_000_000 {
                return Err(Failure::of(400, -1131, "'recvWindow' must be less than 60000."));
            }
            Nanos::from_us(micros)
        }
    };
    if sent.0 >= now.0 + Nanos::SECOND.0 {
        return Err(AHEAD_OF_SERVER);
    }
    if now.0.saturating_sub(sent.0) > window.0 {
        return Err(OUTSIDE_WINDOW);
    }
    Ok(())
}

/// A timestamp above this (the year 5138 in milliseconds) is in microseconds.
const MICROSECONDS_FROM: u64 = 100_000_000_000_000;
/// What stands before the 32 bytes in the DER of an Ed25519 public key (RFC 8410).
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// 1.2.840.113549.1.1.1 in DER.
const RSA_OID: [u8; 11] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_from_a_second_ahead_to_the_end_of_its_window() {
        let now = Nanos::from_ms(1_700_000_000_000);
        let at = |form: &str| check_time(&Params::from_forms(form, "").unwrap(), now).map_err(|e| e.code);
        assert_eq!(at("timestamp=1700000000999"), Ok(()));
        assert_eq!(at("timestamp=1700000001000"), Err(-1021));
        assert_eq!(at("timestamp=1699999995000"), Ok(()));
        assert_eq!(at("timestamp=1699999994999"), Err(-1021));
        assert_eq!(at("timestamp=1699999999000&recvWindow=999.5"), Err(-1021));
        assert_eq!(at("timestamp=1699999999001000&recvWindow=999.5"), Ok(()));
        assert_eq!(at("timestamp=1699999999000&recvWindow=60001"), Err(-1131));
        assert_eq!(at("recvWindow=5"), Err(-1102));
    }

    #[test]
    fn a_public_key_is_the_same_in_hex_and_pem() {
        let hex = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let raw = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).unwrap();
        let der = [&ED25519_SPKI[..], &raw].concat();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(&der));
        for text in [hex, &pem] {
            assert!(matches!(Verifier::public_key(text), Ok(Verifier::Ed25519(key)) if key[..] == raw));
        }
        assert_eq!(Verifier::public_key("ZZZZ").err(), Some(KeyError::Algorithm));
        assert_eq!(Verifier::public_key("no key").err(), Some(KeyError::NotAKey));
    }
}
