//! The venue's signature check against every vector that is known: those that others computed are the referee.

mod client;

use client::{ALICE, ALICE_PRIVATE, ALICE_SECRET, ed25519_base64};
use serde_json::Value;
use venue_sim::binance::auth::Verifier;
use venue_sim::binance::params::{Params, signed_parts};

#[test]
fn every_vector_of_the_fixture_file_is_accepted_and_any_other_signature_is_not() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/fixtures/binance/signing-vectors.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let key = Verifier::hmac(file["credentials"]["secret"].as_str().unwrap());
    let vectors = file["vectors"].as_array().unwrap();
    assert!(vectors.len() >= 27);
    for vector in vectors {
        let id = vector["id"].as_str().unwrap();
        let text = vector["string_to_sign"].as_str().unwrap();
        let signature = vector["expected"]["signature"].as_str().unwrap();
        // As a request carries them: in the query, and in a form body.
        for (query, body) in [
            (format!("{text}&signature={signature}"), ""),
            (String::new(), &*format!("{text}&signature={signature}")),
        ] {
            let (signed, sent) = signed_parts(&query, body).unwrap();
            assert!(key.accepts(&signed, &sent), "{id}");
            assert!(!key.accepts(&signed, &sent.replace(&sent[..4], "0000")), "{id}");
            assert!(!key.accepts(&format!("{signed}0"), &sent), "{id}");
            assert!(Params::from_forms(&query, body).is_ok(), "{id}");
        }
    }
}

/// Text and HMAC of the venue's documentation and of the dossier, section 5.1.
const HMAC: &[(&str, &str)] = &[
    (
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
        "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
    ),
    (
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTCquantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
        "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77",
    ),
    ("timestamp=1578963600000", "d84e6641b1e328e7b418fff030caed655c266299c9355e36ce801ed14631eed4"),
    (
        "symbol=%E8%BF%99%E6%98%AF%E6%B5%8B%E8%AF%95%E5%B8%81456&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1.00&price=0.10&recvWindow=5000&timestamp=1768460400000",
        "7f17b3c4677c98fdcdfcaa339931db58fc8a13d3072a43b703095d1e6dfa8fee",
    ),
    (
        "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
        "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
    ),
];

/// `params` of WebSocket requests without `apiKey`, and their HMAC.
const WEB_SOCKET: &[(&str, &str)] = &[
    (
        r#"{"newOrderRespType":"ACK","price":"52000.00","quantity":"0.01000000","recvWindow":100,"side":"SELL","symbol":"BTCUSDT","timeInForce":"GTC","timestamp":1645423376532,"type":"LIMIT"}"#,
        "cc15477742bd704c29492d96c7ead9414dfd8e0ec4a00f947bb5bb454ddbd08a",
    ),
    (r#"{"timestamp":1747385641636}"#, "681110a6057ad58657af22f5640fab9dd17418834cdfccdc81be8b0f7b2cde3e"),
    (
        r#"{"price":"43187.00","quantity":"0.1","recvWindow":5000,"side":"BUY","symbol":"BTCUSDT","timeInForce":"GTC","timestamp":1702555533821,"type":"LIMIT"}"#,
        "df68419003f4aeb9f65f34e963c5805ddad304df1a52d7be0575b4abde6cbddb",
    ),
    (
        r#"{"symbol":"１２３４５６","side":"BUY","type":"LIMIT","timeInForce":"GTC","quantity":"1.00000000","price":"0.10000000","recvWindow":5000,"timestamp":1645423376532}"#,
        "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd",
    ),
    (
        r#"{"symbol":"BTCUSDT","side":"SELL","type":"LIMIT","timeInForce":"GTC","quantity":"0.01000000","price":"52000.00","recvWindow":100,"timestamp":1645423376532}"#,
        "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24",
    ),
    (
        r#"{"origClientOrderId":"a1","recvWindow":2000,"symbol":"BTCUSDT","timestamp":1645423376535}"#,
        "3c226f4b6ac823f97d71a8448b2fde6d5b210a9bec9bcb4c33112687d3b53563",
    ),
    (
        r#"{"cancelOrigClientOrderId":"a2","cancelReplaceMode":"ALLOW_FAILURE","newClientOrderId":"a4","price":"51001.00","quantity":"0.01","side":"BUY","symbol":"BTCUSDT","timeInForce":"GTC","timestamp":1645423376536,"type":"LIMIT"}"#,
        "80be19f9efa312a8972f0a587c1974e7ef2ae3a12d6bcf8903d06aa8ca8f3bb3",
    ),
];

#[test]
fn every_vector_of_the_dossier_is_accepted_in_any_case_of_its_digits() {
    let key = Verifier::hmac(ALICE_SECRET);
    for (text, signature) in HMAC {
        assert!(key.accepts(text, signature) && key.accepts(text, &signature.to_uppercase()), "{text}");
    }
    for (params, signature) in WEB_SOCKET {
        let mut params: Value = serde_json::from_str(params).unwrap();
        params["apiKey"] = ALICE.into();
        params["signature"] = (*signature).into();
        let params = Params::from_json(params.as_object().unwrap());
        assert!(key.accepts(&params.signed_text(), signature), "{}", params.signed_text());
    }
}

#[test]
fn the_futures_vectors_are_accepted() {
    let key = Verifier::hmac("2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9");
    let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943";
    assert!(key.accepts(order, "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"));
    let batch = "batchOrders=%5B%7B%22symbol%22%3A%22BTCUSDT%22%2C%22side%22%3A%22BUY%22%2C%22type%22%3A%22LIMIT%22%2C%22quantity%22%3A%220.1%22%2C%22price%22%3A%2243000%22%2C%22timeInForce%22%3A%22GTX%22%2C%22newClientOrderId%22%3A%22c1%22%7D%5D&timestamp=1591702613943";
    assert!(key.accepts(batch, "e57e72b721469c28e830061f87c7a51e5d023e4eced77967162551d3388e6f31"));
}

#[test]
fn the_ed25519_vectors_are_accepted_plain_and_percent_encoded() {
    let key =
        Verifier::public_key("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap();
    let vectors = [
        (
            format!("apiKey={ALICE}&timestamp=1649729878532"),
            "763GJeFgG09B/06V/dq24cLu6f0R57whgDMyOCubDex4CTTElmDgPSIQqLdOsvW5TBxyaaFotVCI8tUmQMChAA==",
        ),
        (
            format!("apiKey={ALICE}&recvWindow=5000&timestamp=1649729878532"),
            "CMKsZvJ1mu1ItCShmqOqHhPfx6lcMWc4gChfgTK7tHCfmUb94Mo/UZird5l0jXAoUxgrnW1fBYGpKYTTdG99AA==",
        ),
        (
            format!("apiKey={ALICE}&timestamp=1747385641636"),
            "Mg7eipLI1sQ9Xn/lVbtF5RK7zugzztn9Sw3eMI+R+64cqYNTBY/BLdwIyV212EbnutigNFGvPasbCi6XCX7lCg==",
        ),
        (
            "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=1&price=0.2&timestamp=1668481559918"
                .to_owned(),
            "y9aW/+h7Ht5RYUgJlwCrziJWVCQEAVswbfIWMUW+f+Qh0+7YURsnrZrwHST7Y8ZGRlCC4fmkbiGNSmN27XYgBw==",
        ),
    ];
    for (text, signature) in &vectors {
        assert_eq!(ed25519_base64(ALICE_PRIVATE, text), *signature);
        assert!(key.accepts(text, signature), "{text}");
        let wire = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let (signed, sent) = signed_parts(&format!("{text}&signature={wire}"), "").unwrap();
        assert!(key.accepts(&signed, &sent), "{text}");
    }
    assert!(!key.accepts(&vectors[0].0, vectors[1].1));
}
