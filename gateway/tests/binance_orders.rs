//! What the codec writes, read by another parser: every field is the one asked for, and the signature is that of
//! the parameters sorted by name.

mod support;

use engine::instrument::{ContractKind, Instrument};
use engine::num::{Level, Price, Qty, Side};
use engine::order::{Order, OrderKind, Terms, Tif};
use engine::time::Nanos;
use gateway::client_order_id::{ClientOrderId, ClientOrderIds};
use gateway::codec::{Amendment, EncodeError, OpenOrder, OrderCodec, Request};
use gateway::venues::binance::{Authentication, BinanceCodec, BinanceCodecError, LogOn, RecvWindow};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{API_KEY, approved, ed25519_key, hmac_key, instrument, instruments, order};

const NOW: Nanos = Nanos::from_ms(1_645_423_376_535);
const REQUEST: Request = Request { id: 7, now: NOW };

fn window(ms: u32) -> RecvWindow {
    RecvWindow::from_ms(ms).unwrap()
}

/// 0: HMAC, 1: Ed25519, 2: the session's.
fn authentication(way: u8) -> Authentication {
    match way {
        0 => Authentication::Hmac { api_key: API_KEY.into(), key: hmac_key() },
        1 => Authentication::Ed25519 { api_key: API_KEY.into(), key: ed25519_key() },
        _ => Authentication::Session,
    }
}

fn codec(way: u8) -> BinanceCodec {
    BinanceCodec::new(&instruments(), authentication(way), window(2000)).unwrap()
}

fn id(text: &str) -> ClientOrderId {
    ClientOrderId::from_bytes(text.as_bytes()).unwrap()
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The request with its signature tested and taken out, key and window too.
fn read(bytes: &[u8], way: u8) -> Value {
    let mut request: Value = serde_json::from_slice(bytes).unwrap();
    let parameters = request["params"].as_object_mut().unwrap();
    let signature = parameters.remove("signature");
    // serde_json sorts the keys of an object.
    let pairs: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={}", text_of(value))).collect();
    assert!(pairs.is_sorted());
    let text = pairs.join("&");
    let expected = match way {
        0 => Some(String::from_utf8(hmac_key().sign(text.as_bytes()).unwrap().to_vec()).unwrap()),
        1 => Some(String::from_utf8(ed25519_key().sign(text.as_bytes()).unwrap().to_vec()).unwrap()),
        _ => None,
    };
    assert_eq!(signature.map(|signature| text_of(&signature)), expected, "{text}");
    let key = parameters.remove("apiKey");
    assert_eq!(key, (way < 2).then(|| API_KEY.into()));
    assert_eq!(parameters.remove("recvWindow"), Some(2000.into()));
    request
}

fn decimal(value: Level, instrument: &Instrument) -> (Value, Value) {
    let price = value.price.display(instrument.price_rule.tick).to_string();
    (price.into(), value.qty.display(instrument.qty_unit).to_string().into())
}

fn merged(mut base: Value, more: &Value) -> Value {
    base.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    base
}

fn kind(tif: Tif, kind: ContractKind) -> Value {
    match (tif, kind) {
        (Tif::Gtc, _) => json!({"type": "LIMIT", "timeInForce": "GTC"}),
        (Tif::Ioc, _) => json!({"type": "LIMIT", "timeInForce": "IOC"}),
        (Tif::Fok, _) => json!({"type": "LIMIT", "timeInForce": "FOK"}),
        (Tif::PostOnly, ContractKind::Spot) => json!({"type": "LIMIT_MAKER"}),
        (Tif::PostOnly, _) => json!({"type": "LIMIT", "timeInForce": "GTX"}),
    }
}

/// The parameters of an order of any kind. None: the venue has no such order.
fn asked_for(order: &Order, instrument: &Instrument) -> Option<Value> {
    let Terms { kind: of, trigger, reduce_only } = order.terms;
    let spot = instrument.kind == ContractKind::Spot;
    let mut all = match of {
        OrderKind::Limit => placed(order, instrument, "s1"),
        _ => {
            let mut all = placed(&Order { tif: Tif::Gtc, ..*order }, instrument, "s1");
            let parameters = all.as_object_mut().unwrap();
            parameters.remove("timeInForce");
            if !of.has_limit() {
                parameters.remove("price");
            }
            all
        }
    };
    let tif = match order.tif {
        Tif::Gtc => "GTC",
        Tif::Ioc => "IOC",
        Tif::Fok => "FOK",
        Tif::PostOnly => "",
    };
    match of {
        OrderKind::Limit => {}
        OrderKind::Market | OrderKind::Stop if tif != "IOC" => return None,
        OrderKind::StopLimit if tif.is_empty() => return None,
        OrderKind::Market => all["type"] = "MARKET".into(),
        OrderKind::Stop => all["type"] = if spot { "STOP_LOSS" } else { "STOP_MARKET" }.into(),
        OrderKind::StopLimit => {
            all["type"] = if spot { "STOP_LOSS_LIMIT" } else { "STOP" }.into();
            all["timeInForce"] = tif.into();
        }
    }
    if of.is_stop() {
        let trigger = trigger.display(instrument.price_rule.tick).to_string();
        if spot {
            all["stopPrice"] = trigger.into();
        } else {
            all.as_object_mut().unwrap().remove("newClientOrderId");
            let more = json!({"triggerPrice": trigger, "clientAlgoId": "s1", "algoType": "CONDITIONAL", "workingType": "CONTRACT_PRICE"});
            all = merged(all, &more);
        }
    }
    if reduce_only && !spot {
        all["reduceOnly"] = "true".into();
    }
    Some(all)
}

/// The parameters of a new order.
fn placed(order: &Order, instrument: &Instrument, id: &str) -> Value {
    let (price, quantity) = decimal(order.level, instrument);
    let side = if order.side == Side::Buy { "BUY" } else { "SELL" };
    let mut parameters = json!({
        "symbol": instrument.symbol, "side": side, "price": price, "quantity": quantity,
        "newClientOrderId": id, "timestamp": NOW.as_ms(),
    });
    if instrument.kind == ContractKind::Spot {
        parameters["newOrderRespType"] = "ACK".into();
    }
    merged(parameters, &kind(order.tif, instrument.kind))
}

proptest! {
    #[test]
    fn every_field_is_the_one_asked_for(
        way in 0_u8..3, which in 0_u32..3, sell: bool, tif in 0_usize..4,
        price in 1_i64..100_000_000_000, qty in 1_i64..100_000_000_000, filled in 0_i64..100_000_000_000,
        seq in 0_u64..1 << 48, request: u64,
        to_price in 1_i64..100_000_000_000, to_qty in 1_i64..100_000_000_000, same_price: bool,
    ) {
        let instrument = &instruments()[which as usize];
        let side = if sell { Side::Sell } else { Side::Buy };
        let open = Order { seq, filled: Qty(filled % qty), ..order(which, side, Tif::ALL[tif], price, qty) };
        let (mut codec, ids) = (codec(way), ClientOrderIds::new(3, 4));
        let (open_id, request) = (ids.id(seq), Request { id: request, now: NOW });
        let open_text = format!("sb3-4-{seq}");
        let mut out = [0xFF; BinanceCodec::MESSAGE_BYTES_MAX];
        let message = |method: &str, parameters: Value| json!({
            "id": request.id.to_string(), "method": method, "params": parameters,
        });

        let bytes = codec.place(request, &approved(open, instrument), &open_id, &mut out).unwrap();
        prop_assert_eq!(read(bytes, way), message("order.place", placed(&open, instrument, &open_text)));

        let bytes = codec.cancel(request, &open, &open_id, &mut out).unwrap();
        let cancel = json!({"symbol": instrument.symbol, "origClientOrderId": open_text, "timestamp": NOW.as_ms()});
        prop_assert_eq!(read(bytes, way), message("order.cancel", cancel.clone()));
        let bytes = codec.query(request, &open, &open_id, &mut out).unwrap();
        prop_assert_eq!(read(bytes, way), message("order.status", cancel));

        let to = Level { price: Price(if same_price { price } else { to_price }), qty: Qty(to_qty) };
        let rests = qty - open.filled.0;
        let way_of_amending = codec.amendment(&open, to);
        if to == (Level { price: open.level.price, qty: Qty(rests) }) {
            prop_assert_eq!(way_of_amending, Err(EncodeError::NoChange));
            return Ok(());
        }
        let expected = match instrument.kind {
            ContractKind::Spot if to.price == open.level.price && to_qty < rests => Amendment::KeepsPriority,
            ContractKind::Spot => Amendment::NewOrder,
            _ => Amendment::LosesPriority,
        };
        prop_assert_eq!(way_of_amending, Ok(expected));
        let (wanted, wanted_text) = if expected == Amendment::NewOrder {
            (Order { seq: seq + 1, filled: Qty(0), level: to, ..open }, format!("sb3-4-{}", seq + 1))
        } else {
            let whole = Level { qty: Qty(to_qty + open.filled.0), ..to };
            (Order { level: whole, ..open }, open_text.clone())
        };
        let (amended, id) = (approved(wanted, instrument), ids.id(wanted.seq));
        let bytes = codec.amend(request, OpenOrder { order: &open, id: &open_id }, &amended, &id, &mut out);
        let (price, quantity) = decimal(wanted.level, instrument);
        let parameters = match expected {
            Amendment::KeepsPriority => json!({
                "symbol": instrument.symbol, "origClientOrderId": open_text, "newClientOrderId": open_text,
                "newQty": quantity, "timestamp": NOW.as_ms(),
            }),
            Amendment::LosesPriority => json!({
                "symbol": instrument.symbol, "origClientOrderId": open_text, "price": price, "quantity": quantity,
                "side": if sell { "SELL" } else { "BUY" }, "timestamp": NOW.as_ms(),
            }),
            Amendment::NewOrder => merged(placed(&wanted, instrument, &wanted_text), &json!({
                "cancelOrigClientOrderId": open_text, "cancelReplaceMode": "STOP_ON_FAILURE",
            })),
        };
        let method = match expected {
            Amendment::KeepsPriority => "order.amend.keepPriority",
            Amendment::LosesPriority => "order.modify",
            Amendment::NewOrder => "order.cancelReplace",
        };
        prop_assert_eq!(read(bytes.unwrap(), way), message(method, parameters));
    }

    /// Market orders and stops, with and without reduce-only, placed and canceled on each product.
    #[test]
    fn every_kind_says_what_it_is_and_nothing_else(
        way in 0_u8..3, which in 0_u32..3, sell: bool, kind in 0_usize..4, tif in 0_usize..4, reduces: bool,
        price in 1_i64..100_000_000_000, trigger in 2_i64..100_000_000_000, qty in 1_i64..100_000_000_000,
    ) {
        let instrument = &instruments()[which as usize];
        let (side, kind, tif) = (if sell { Side::Sell } else { Side::Buy }, OrderKind::ALL[kind], Tif::ALL[tif]);
        let price = match kind {
            OrderKind::Limit => price,
            OrderKind::StopLimit => trigger,
            OrderKind::Market | OrderKind::Stop => 0,
        };
        let trigger = if kind.is_stop() { Price(trigger) } else { Price(0) };
        let terms = Terms { kind, trigger, reduce_only: reduces };
        let order = Order { terms, ..order(which, side, tif, price, qty) };
        let (mut codec, mut out) = (codec(way), [0; BinanceCodec::MESSAGE_BYTES_MAX]);
        let bytes = codec.place(REQUEST, &approved(order, instrument), &id("s1"), &mut out);
        let Some(expected) = asked_for(&order, instrument) else {
            prop_assert_eq!(bytes, Err(EncodeError::Kind));
            return Ok(());
        };
        let (spot, waits) = (instrument.kind == ContractKind::Spot, kind.is_stop());
        let message = |method: &str, parameters: Value| json!({"id": "7", "method": method, "params": parameters});
        let method = if waits && !spot { "algoOrder.place" } else { "order.place" };
        prop_assert_eq!(read(bytes.unwrap(), way), message(method, expected));
        let known = |name: &str| json!({"symbol": instrument.symbol, name: "s1", "timestamp": NOW.as_ms()});
        let (mut triggered, mut cancel) = (order, message("order.cancel", known("origClientOrderId")));
        triggered.apply(engine::order::OrderEvent::Accepted).unwrap();
        if waits {
            triggered.apply(engine::order::OrderEvent::Triggered).unwrap();
        }
        let bytes = codec.cancel(REQUEST, &triggered, &id("s1"), &mut out).unwrap();
        prop_assert_eq!(read(bytes, way), cancel.clone());
        if waits && !spot {
            let algo = json!({"clientAlgoId": "s1", "timestamp": NOW.as_ms()});
            cancel = message("algoOrder.cancel", algo);
            prop_assert_eq!(codec.query(REQUEST, &order, &id("s1"), &mut out), Err(EncodeError::Kind));
        }
        let bytes = codec.cancel(REQUEST, &order, &id("s1"), &mut out).unwrap();
        prop_assert_eq!(read(bytes, way), cancel);
        if kind != OrderKind::Limit {
            let to = Level { price: Price(price + 1), qty: Qty(qty) };
            prop_assert_eq!(codec.amendment(&order, to), Err(EncodeError::Kind));
        }
    }

    #[test]
    fn a_buffer_too_short_for_the_message_is_an_error(way in 0_u8..3, which in 0_u32..3, short in 1_usize..800) {
        let instrument = &instruments()[which as usize];
        let order = approved(order(which, Side::Buy, Tif::PostOnly, 6_180_020, 1_000), instrument);
        let mut codec = codec(way);
        let mut out = [0; BinanceCodec::MESSAGE_BYTES_MAX];
        let whole = codec.place(REQUEST, &order, &id("a1"), &mut out).unwrap().to_vec();
        let mut exact = vec![0; whole.len()];
        prop_assert_eq!(codec.place(REQUEST, &order, &id("a1"), &mut exact), Ok(&whole[..]));
        let mut short = vec![0; whole.len().saturating_sub(short)];
        prop_assert_eq!(codec.place(REQUEST, &order, &id("a1"), &mut short), Err(EncodeError::Room));
    }
}

#[test]
fn the_dossiers_cancel_is_written_and_signed_byte_for_byte() {
    let (mut codec, mut out) = (codec(0), [0; 1024]);
    let bytes = codec.cancel(REQUEST, &order(0, Side::Buy, Tif::Gtc, 100, 10), &id("a1"), &mut out).unwrap();
    // Vector 11 of section 5.1.
    let signature = "3c226f4b6ac823f97d71a8448b2fde6d5b210a9bec9bcb4c33112687d3b53563";
    let expected = format!(
        "{{\"id\":\"7\",\"method\":\"order.cancel\",\"params\":{{\"apiKey\":\"{API_KEY}\",\"recvWindow\":2000,\
         \"symbol\":\"BTCUSDT\",\"origClientOrderId\":\"a1\",\"timestamp\":1645423376535,\
         \"signature\":\"{signature}\"}}}}"
    );
    assert_eq!(std::str::from_utf8(bytes).unwrap(), expected);
}

#[test]
fn a_log_on_is_signed_as_the_dossier_signs_it() {
    let log_on = LogOn::new(API_KEY.into(), ed25519_key(), window(5000)).unwrap();
    let (request, mut out) = (Request { id: 1, now: Nanos::from_ms(1_649_729_878_532) }, [0; 1024]);
    let message: Value = serde_json::from_slice(log_on.encode(request, &mut out).unwrap()).unwrap();
    let signature =
        "CMKsZvJ1mu1ItCShmqOqHhPfx6lcMWc4gChfgTK7tHCfmUb94Mo/UZird5l0jXAoUxgrnW1fBYGpKYTTdG99AA==";
    let parameters = json!({"apiKey": API_KEY, "recvWindow": 5000, "signature": signature, "timestamp": 1_649_729_878_532_u64});
    assert_eq!(message, json!({"id": "1", "method": "session.logon", "params": parameters}));
    assert_eq!(log_on.encode(request, &mut out[..200]), Err(EncodeError::Room));
    assert_eq!(format!("{log_on:?}"), "LogOn");
    let bad = LogOn::new("a&b".into(), ed25519_key(), window(5000));
    assert_eq!(bad.unwrap_err(), BinanceCodecError::ApiKey);
}

#[test]
fn what_cannot_be_sent_is_refused_by_name() {
    let [spot, usdm, _] = instruments();
    let (mut codec, mut out) = (codec(0), [0; 1024]);
    let sound = approved(order(0, Side::Buy, Tif::Gtc, 100, 10), &spot);
    let elsewhere = Instrument { id: engine::ids::InstrumentId(3), ..spot.clone() };
    let unknown = approved(order(3, Side::Buy, Tif::Gtc, 100, 10), &elsewhere);
    let refused = codec.place(REQUEST, &unknown, &id("a1"), &mut out);
    assert_eq!(refused, Err(EncodeError::UnknownInstrument));
    assert_eq!(
        codec.cancel(REQUEST, unknown.order(), &id("a1"), &mut out),
        Err(EncodeError::UnknownInstrument)
    );
    for foreign in ["a\"b", "a\\b", "a.b", "a/b", "a&b"] {
        assert_eq!(codec.place(REQUEST, &sound, &id(foreign), &mut out), Err(EncodeError::ClientOrderId));
        assert_eq!(
            codec.cancel(REQUEST, sound.order(), &id(foreign), &mut out),
            Err(EncodeError::ClientOrderId)
        );
    }

    let open = order(1, Side::Buy, Tif::PostOnly, 100, 10);
    let open = Order { filled: Qty(4), ..open };
    let mut amend = |from: &Order, to: Order, new_id: &str| {
        let instrument = if to.instrument == spot.id { &spot } else { &usdm };
        let open_id = id("a1");
        let open = OpenOrder { order: from, id: &open_id };
        codec.amend(REQUEST, open, &approved(to, instrument), &id(new_id), &mut out).map(drop)
    };
    let to = |price, qty| Order { level: Level { price: Price(price), qty: Qty(qty) }, ..open };
    assert_eq!(amend(&open, to(101, 10), "a1"), Ok(()));
    assert_eq!(amend(&open, to(100, 10), "a1"), Err(EncodeError::NoChange));
    assert_eq!(amend(&open, to(100, 4), "a1"), Err(EncodeError::Quantity), "all of it is filled");
    assert_eq!(amend(&open, to(100, 3), "a1"), Err(EncodeError::Quantity));
    assert_eq!(amend(&open, to(101, 10), "a2"), Err(EncodeError::AmendedId), "a future keeps its id");
    for other in [
        Order { side: Side::Sell, ..to(101, 10) },
        Order { tif: Tif::Gtc, ..to(101, 10) },
        Order { instrument: spot.id, ..to(101, 10) },
        Order { strategy: engine::ids::StrategyId(2), ..to(101, 10) },
        Order { account: engine::ids::AccountId(2), ..to(101, 10) },
    ] {
        assert_eq!(amend(&open, other, "a1"), Err(EncodeError::OtherOrder), "{other:?}");
    }
    let on_spot = |order: Order| Order { instrument: spot.id, ..order };
    assert_eq!(amend(&on_spot(open), on_spot(to(101, 10)), "a1"), Err(EncodeError::AmendedId));
    assert_eq!(amend(&on_spot(open), on_spot(to(101, 10)), "a2"), Ok(()));
    assert_eq!(amend(&on_spot(open), on_spot(to(100, 9)), "a1"), Ok(()), "less of the same");
}

#[test]
fn a_number_that_does_not_fit_is_refused() {
    let coarse = instrument(0, ContractKind::Inverse, "X", "0.1", "1000");
    let mut codec = BinanceCodec::new([&coarse], Authentication::Session, window(1)).unwrap();
    let mut out = [0; 1024];
    let dear = approved(order(0, Side::Buy, Tif::Gtc, 1, i64::MAX / 10), &coarse);
    assert_eq!(codec.place(REQUEST, &dear, &id("a"), &mut out), Err(EncodeError::Quantity));
}

#[test]
fn a_codec_is_made_of_what_can_be_sent_only_and_shows_no_key() {
    let make = |api_key: &str, symbol: &str| {
        let instrument = instrument(0, ContractKind::Spot, symbol, "0.01", "1");
        let authentication = Authentication::Hmac { api_key: api_key.into(), key: hmac_key() };
        BinanceCodec::new([&instrument], authentication, window(60_000))
    };
    let shown = format!("{:?}", make(API_KEY, "BTCUSDT").unwrap());
    assert_eq!(shown, "BinanceCodec { authentication: Hmac, .. }");
    for bad in ["", "a b", "a\"b", "k&symbol=X", &"k".repeat(2000)] {
        let error = make(bad, "BTCUSDT").unwrap_err();
        assert!(matches!(error, BinanceCodecError::ApiKey | BinanceCodecError::Symbol(_)), "{bad}");
        assert!(bad.is_empty() || !format!("{error} {error:?}").contains(bad));
    }
    for bad in ["", "A\"B", "A&B", "A=B", "A\\B", "A B", "A\nB", &"A".repeat(2000)] {
        assert_eq!(make(API_KEY, bad).unwrap_err(), BinanceCodecError::Symbol(bad.into()), "{bad}");
    }
    assert_eq!((RecvWindow::from_ms(0), RecvWindow::from_ms(60_001)), (None, None));
}

#[test]
fn symbols_of_other_scripts_are_signed_as_they_are() {
    let full_width = instrument(0, ContractKind::Spot, "１２３４５６", "0.00000001", "0.00000001");
    let mut codec = BinanceCodec::new([&full_width], authentication(0), window(2000)).unwrap();
    let order = approved(order(0, Side::Buy, Tif::Gtc, 10_000_000, 100_000_000), &full_width);
    let mut out = [0; 1024];
    let request = read(codec.place(REQUEST, &order, &id("a1"), &mut out).unwrap(), 0);
    assert_eq!(request["params"]["symbol"], "１２３４５６");
    assert_eq!(request["params"]["price"], "0.10000000");
}
