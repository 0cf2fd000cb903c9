//! Every signature that the dossier and the fixtures print, made again.

mod support;

use serde_json::Value;
use std::path::Path;
use support::{API_KEY, SECRET, ed25519_key, hmac_key};
use wire::sign::{HmacKey, Secret};

fn shared(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn hmac(key: &HmacKey, text: &str) -> String {
    String::from_utf8(key.sign(text.as_bytes()).unwrap().to_vec()).unwrap()
}

/// The vectors of the dossier's table: number, signed text, signature.
fn dossier_table(dossier: &str) -> Vec<(String, String, String)> {
    let rows = dossier.lines().filter(|line| line.starts_with("| ") && line.contains("` | `"));
    let rows = rows.filter_map(|line| {
        let cells: Vec<_> = line.split(" | ").collect();
        let [number, _, text, signature, _] = cells.as_slice() else { return None };
        let (text, signature) = (text.trim_matches('`'), signature.trim_matches('`'));
        let is_signature = signature.len() == 64 && signature.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = number.trim_start_matches("| ").to_owned();
        is_signature.then(|| (number, text.replace("<key>", API_KEY), signature.to_owned()))
    });
    rows.collect()
}

#[test]
fn the_dossiers_hmac_vectors() {
    let dossier = shared("venues/binance.md");
    assert!(dossier.contains(API_KEY) && dossier.contains(SECRET));
    let table = dossier_table(&dossier);
    let numbers: Vec<_> = table.iter().map(|(number, ..)| number.clone()).collect();
    assert_eq!(numbers, (1..=12).map(|number| number.to_string()).collect::<Vec<_>>());
    for (number, text, signature) in &table {
        assert_eq!(hmac(&hmac_key(), text), *signature, "vector {number}");
    }

    let futures = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9";
    let key = HmacKey::new(&Secret::new(futures.into()));
    let after = dossier.split_once(futures).expect("the key pair of the futures pages").1;
    let quoted: Vec<_> = after.split('`').skip(2).step_by(2).take(4).collect();
    let [order, order_signature, batch, batch_signature] = quoted[..] else { panic!("{quoted:?}") };
    assert!(order.starts_with("symbol=BTCUSDT") && batch.starts_with("batchOrders="));
    assert_eq!(hmac(&key, order), order_signature);
    assert_eq!(hmac(&key, batch), batch_signature);
}

#[test]
fn the_dossiers_ed25519_vectors() {
    let dossier = shared("venues/binance.md");
    let (key, table) = (ed25519_key(), dossier_table(&dossier));
    let vector = |number: &str| table.iter().find(|(n, ..)| n == number).unwrap().1.clone();
    let log_on = format!("apiKey={API_KEY}&timestamp=1649729878532");
    let log_on_within = format!("apiKey={API_KEY}&recvWindow=5000&timestamp=1649729878532");
    let rest =
        "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1&price=0.2&timestamp=1668481559918";
    for (text, signature) in [
        (log_on, "763GJeFgG09B/06V/dq24cLu6f0R57whgDMyOCubDex4CTTElmDgPSIQqLdOsvW5TBxyaaFotVCI8tUmQMChAA=="),
        (
            log_on_within,
            "CMKsZvJ1mu1ItCShmqOqHhPfx6lcMWc4gChfgTK7tHCfmUb94Mo/UZird5l0jXAoUxgrnW1fBYGpKYTTdG99AA==",
        ),
        (
            vector("5"),
            "Mg7eipLI1sQ9Xn/lVbtF5RK7zugzztn9Sw3eMI+R+64cqYNTBY/BLdwIyV212EbnutigNFGvPasbCi6XCX7lCg==",
        ),
        (
            vector("10"),
            "/RNKbCSA6iS23rmPP+v/A6061Gd8Cq3H5fR1YlWyOYP0CZ6Oq/+spQodx1F1B63EIhUSP2QmDaMDAMBFCTI+CQ==",
        ),
        (
            vector("9"),
            "mJbISGuwO1HHZrm+Wd32uD9KDBXb0zMml9SPA+kJZzlLwAppfT1j8D+5E0mSzU2uRqkNFQ97vh/w3oZgbhQPAg==",
        ),
        (
            rest.to_owned(),
            "y9aW/+h7Ht5RYUgJlwCrziJWVCQEAVswbfIWMUW+f+Qh0+7YURsnrZrwHST7Y8ZGRlCC4fmkbiGNSmN27XYgBw==",
        ),
    ] {
        assert!(dossier.contains(signature), "the dossier does not print {signature}");
        assert_eq!(key.sign(text.as_bytes()).unwrap(), signature.as_bytes(), "{text}");
    }
}

#[test]
fn the_fixtures_vectors() {
    let fixture: Value = serde_json::from_str(&shared("fixtures/binance/signing-vectors.json")).unwrap();
    let secret = fixture["credentials"]["secret"].as_str().unwrap();
    let key = HmacKey::new(&Secret::new(secret.into()));
    let vectors = fixture["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 27);
    for vector in vectors {
        let (text, expected) = (&vector["string_to_sign"], &vector["expected"]["signature"]);
        assert_eq!(hmac(&key, text.as_str().unwrap()), expected.as_str().unwrap(), "{}", vector["id"]);
    }
}
