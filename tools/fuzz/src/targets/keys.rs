//! Key files: a private key is the same as PEM and as DER, whatever the PEM's lines; what is shown of a key or of an
//! error says nothing of it; the same text has the same signature.
//!
//! Input: a file.

use crate::driver::Outcome;
use crate::truth::outcome;
use wire::print::{TEXT_BYTES_MAX, Text};
use wire::sign::{Ed25519Key, HmacKey, KeyError, Secret};
use wire::tls::TlsConfig;

/// Runs one input.
pub fn target(data: &[u8]) -> Outcome {
    let read = |bytes: Vec<u8>| Ed25519Key::from_pkcs8(&Secret::new(bytes));
    let key = read(data.to_vec());
    let wrapped = read(pem(data, 64));
    let is_pem = data.trim_ascii_start().starts_with(b"-----");
    match &key {
        Ok(key) => {
            let signature = key.sign(data).expect("signed");
            assert!(signature.ends_with(b"==") && key.sign(data) == Ok(signature));
            assert_eq!((key.public_key().len(), format!("{key:?}")), (32, "Ed25519Key".to_owned()));
            let from_pem = wrapped.as_ref().map(Ed25519Key::public_key).ok();
            assert_eq!(from_pem, (!is_pem).then(|| key.public_key()));
            let one_line = read(pem(data, usize::MAX));
            assert_eq!(one_line.as_ref().map(Ed25519Key::public_key).ok(), from_pem);
        }
        Err(error) => {
            assert!(is_pem || *error == KeyError::NotEd25519, "{error}");
            assert_eq!(wrapped.as_ref().err(), Some(&KeyError::NotEd25519), "PEM of what is no key");
        }
    }
    if TlsConfig::trusting(data).is_ok() {
        let text = String::from_utf8_lossy(data);
        assert!(text.contains("-----BEGIN CERTIFICATE-----"), "a root from nowhere");
    }
    let secret = Secret::new(data.to_vec());
    assert_eq!((secret.expose(), format!("{secret:?}")), (data, "Secret".to_owned()));
    let hmac = HmacKey::new(&secret);
    let signature = hmac.sign(data).expect("signed");
    assert!(signature.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    assert_eq!(hmac.sign(data), Ok(signature));
    let mut text = Text::EMPTY;
    let fits = text.set(data);
    assert_eq!(fits, data.len() <= TEXT_BYTES_MAX);
    assert_eq!(text.as_bytes(), if fits { data } else { b"" });
    outcome((key.as_ref().err().map(|error| *error as u8), is_pem, fits, data.len().min(90)))
}

/// `der` as a PEM block, by an encoder of its own: bits first, characters of six of them.
fn pem(der: &[u8], width: usize) -> Vec<u8> {
    const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u8> = der.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let six = |bits: &[u8]| (0..6).fold(0, |value, bit| value << 1 | bits.get(bit).copied().unwrap_or(0));
    let mut body: Vec<u8> = bits.chunks(6).map(|bits| CHARACTERS[usize::from(six(bits))]).collect();
    body.resize(body.len().next_multiple_of(4), b'=');
    let lines: Vec<&[u8]> = body.chunks(width.min(body.len().max(1))).collect();
    let head: &[u8] = b"-----BEGIN PRIVATE KEY-----";
    [&[head], &lines[..], &[b"-----END PRIVATE KEY-----"]].concat().join(&b'\n')
}
