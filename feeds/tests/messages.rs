//! What each kind of message says, and what is wrong with those that say nothing: by venue, with key and byte.

mod support;

use engine::ids::InstrumentId;
use engine::instrument::ContractKind;
use engine::message::{Kline, MarkPrice, Ticker, Trade};
use engine::num::{Level, Price, Qty};
use engine::time::Nanos;
use feeds::codec::{
    Chain, DecodeError, DecodeErrorKind, Decoded, Event, FRAME_BYTES_MAX, FeedCodec, LEVELS_MAX, SyncState,
    TRADES_MAX,
};
use feeds::venues::{AnyCodec, VENUES};
use std::collections::BTreeSet;
use support::{shared, with_steps};

/// A codec that carries one or two instruments with fine steps.
fn codec(venue: &str, symbols: &[&str]) -> AnyCodec {
    let of = |symbol: &&str| with_steps(venue, symbol, ContractKind::Linear, "0.0001", "0.001");
    let instruments: Vec<_> = symbols.iter().map(of).collect();
    let numbered: Vec<_> = (1..).map(InstrumentId).zip(&instruments).collect();
    AnyCodec::new(venue, &numbered).unwrap()
}

fn decode(venue: &str, frame: impl AsRef<[u8]>) -> (Result<Event, DecodeError>, Decoded) {
    let symbols: &[&str] = match venue {
        "binance-coinm" => &["BTCUSD_PERP"],
        "hyperliquid" => &["BTC"],
        _ => &["BTCUSDT"],
    };
    let mut out = Decoded::new();
    (codec(venue, symbols).decode(frame.as_ref(), &mut out), out)
}

fn level(price: i64, qty: i64) -> Level {
    Level { price: Price(price), qty: Qty(qty) }
}

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(shared("fixtures").join(name)).unwrap()
}

#[test]
fn the_public_fixtures_decode_to_what_they_say() {
    let file = |kind: &str| fixture(&format!("binance/futures/market_data_json/{kind}_stream.json"));
    let (event, mut out) = decode("binance-usdm", file("depth_update"));
    assert_eq!((event, out.instrument), (Ok(Event::Delta), InstrumentId(1)));
    let depth = *out.depth.depth();
    assert_eq!((depth.first_id, depth.last_id, depth.prev_id), (157, 160, 149));
    assert_eq!(
        (depth.venue_ns, depth.transact_ns),
        (Nanos::from_ms(123_456_789), Nanos::from_ms(123_456_788))
    );
    assert_eq!((depth.bid_count, depth.ask_count, depth.complete), (1, 1, 0));
    assert_eq!(out.depth.levels_mut()[..2], [level(24, 10_000), level(26, 100_000)]);

    let trade = Trade {
        first_id: 5_933_014,
        last_id: 5_933_014,
        price: Price(10),
        qty: Qty(100_000),
        venue_ns: Nanos::from_ms(123_456_789),
        trade_ns: Nanos::from_ms(123_456_785),
        taker: 1,
        ..Trade::default()
    };
    let (event, out) = decode("binance-usdm", file("trade"));
    assert_eq!((event, &out.trades[..]), (Ok(Event::Trades), &[trade][..]));
    let (event, out) = decode("binance-usdm", file("agg_trade"));
    let aggregate = Trade { first_id: 100, last_id: 105, aggregate: 1, ..trade };
    assert_eq!((event, &out.trades[..]), (Ok(Event::Trades), &[aggregate][..]));

    let (event, out) = decode("binance-usdm", file("mark_price"));
    let mark = MarkPrice {
        mark_e8: 1_179_415_000_000,
        index_e8: 1_178_462_659_091,
        settle_e8: 1_178_425_641_265,
        funding_rate_e8: 38_167,
        funding_ns: Nanos::from_ms(1_562_306_400_000),
        venue_ns: Nanos::from_ms(1_562_305_380_000),
        ..MarkPrice::default()
    };
    assert_eq!((event, out.mark_price), (Ok(Event::MarkPrice), mark));

    let (event, out) =
        decode("binance-usdm", fixture("binance/futures/market_data_json/kline_stream_closed.json"));
    let kline = Kline {
        open_time: Nanos::from_ms(1_638_747_660_000),
        length: Nanos(60 * Nanos::SECOND.0),
        open: Price(10),
        high: Price(25),
        low: Price(10),
        close: Price(20),
        volume: Qty(1_000_000),
        taker_buy_volume: Qty(500_000),
        quote_volume_e8: 100_000_000,
        taker_buy_quote_volume_e8: 50_000_000,
        first_trade_id: 100,
        last_trade_id: 200,
        trades: 100,
        venue_ns: Nanos::from_ms(1_638_747_660_000),
        closed: 1,
        reserved: 0,
    };
    assert_eq!((event, out.kline), (Ok(Event::Kline), kline));
    assert_eq!(decode("binance-usdm", file("ticker")).0, Ok(Event::Other), "24 h statistics");

    let mut usdm = codec("binance-usdm", &["BNBUSDT"]);
    let mut out = Decoded::new();
    let ticker = Ticker {
        update_id: 400_900_217,
        bid: level(253_519, 31_210),
        ask: level(253_652, 40_660),
        venue_ns: Nanos::from_ms(1_568_014_460_893),
        transact_ns: Nanos::from_ms(1_568_014_460_891),
        reserved: 0,
    };
    assert_eq!((usdm.decode(&file("book_ticker"), &mut out), out.ticker), (Ok(Event::Ticker), ticker));

    // Prices of millionths.
    let fine = with_steps("binance-spot", "LTCBTC", ContractKind::Spot, "0.000001", "0.00000001");
    let mut spot = AnyCodec::new("binance-spot", &[(InstrumentId(1), &fine)]).unwrap();
    let event = spot.decode(&fixture("binance/spot/http_json/depth_response.json"), &mut out);
    assert_eq!((event, out.depth.depth().last_id), (Ok(Event::Snapshot), 1_027_024));
    assert_eq!(out.depth.levels_mut()[1], level(4_000_002, 1_200_000_000));

    let (event, mut out) = decode("hyperliquid", fixture("hyperliquid/ws_book_data.json"));
    let depth = *out.depth.depth();
    assert_eq!((event, depth.bid_count, depth.ask_count, depth.complete), (Ok(Event::Snapshot), 5, 5, 1));
    assert_eq!((depth.last_id, depth.venue_ns), (0, Nanos::from_ms(1_703_875_200_000)));
    assert_eq!(out.depth.levels_mut()[5], level(984_510_000, 1_500));
    assert_eq!(
        decode("hyperliquid", fixture("hyperliquid/http_l2_book_snapshot.json")).0,
        Ok(Event::Snapshot)
    );
    for other in ["ws_allmids.json", "ws_all_dexs_asset_ctxs.json"] {
        assert_eq!(decode("hyperliquid", fixture(&format!("hyperliquid/{other}"))).0, Ok(Event::Other));
    }
}

#[test]
fn messages_that_the_engine_does_not_use_are_other() {
    for frame in [
        r#"{"result":null,"id":1}"#,
        r#"{"result":["btcusdt@depth"],"id":3}"#,
        r#"{"code":2,"msg":"Invalid request","id":null}"#,
        r#"{"error":{"code":1,"msg":"x"},"id":1}"#,
        r#"{"e":"serverShutdown","E":1}"#,
        r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}"#,
        r#"{"e":"forceOrder","E":1,"o":{"s":"BTCUSDT"}}"#,
        r#"{"e":"referencePrice","s":"XXX","r":null,"t":5}"#,
        r#"[{"e":"markPriceUpdate","s":"BTCUSDT"}]"#,
        r#"{"stream":"!markPrice@arr","data":[{"e":"markPriceUpdate","s":"BTCUSDT"}]}"#,
        // Partial books look like changes, or like snapshots, and are neither.
        r#"{"stream":"btcusdt@depth20@100ms","data":{"lastUpdateId":5,"bids":[],"asks":[]}}"#,
        r#"{"stream":"btcusdt@depth5","data":{"e":"depthUpdate","E":1,"T":1,"s":"BTCUSDT","U":1,"u":2,"pu":0,"b":[],"a":[]}}"#,
        r#"{"stream":"btcusdt@rpiDepth@500ms","data":{"e":"depthUpdate","E":1,"T":1,"s":"BTCUSDT","U":1,"u":2,"pu":0,"b":[],"a":[]}}"#,
        // No order of the market met another.
        r#"{"e":"trade","E":1,"T":1,"s":"BTCUSDT","t":1,"p":"0","q":"0","X":"NA","m":true}"#,
    ] {
        assert_eq!(decode("binance-usdm", frame).0, Ok(Event::Other), "{frame}");
    }
    for frame in [
        r#"{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":{"type":"trades"}}}"#,
        r#"{"channel":"pong"}"#,
        r#"{"channel":"error","data":"Already subscribed: {}"}"#,
        r#"{"channel":"trades","data":[]}"#,
        r#"{"channel":"bbo","data":{"coin":"BTC","time":1,"bbo":[null,null]}}"#,
    ] {
        assert_eq!(decode("hyperliquid", frame).0, Ok(Event::Other), "{frame}");
    }
}

#[test]
fn marks_without_funding_and_candles_without_trades_say_so() {
    let frame = r#"{"e":"markPriceUpdate","E":1,"s":"BTCUSDT","p":"100.12345678","r":"","T":0}"#;
    let (event, out) = decode("binance-usdm", frame);
    assert_eq!(
        (event, out.mark_price.funding_ns, out.mark_price.index_e8),
        (Ok(Event::MarkPrice), Nanos(0), 0)
    );
    let frame = r#"{"e":"markPriceUpdate","E":1,"s":"BTCUSDT","p":"1","r":"-0.00010000","T":5}"#;
    let (_, out) = decode("binance-usdm", frame);
    assert_eq!((out.mark_price.funding_rate_e8, out.mark_price.funding_ns), (-10_000, Nanos::from_ms(5)));
    let kline = |i: &str| {
        let frame = format!(
            r#"{{"e":"kline","E":1,"s":"BTCUSDT","k":{{"t":0,"T":1,"s":"BTCUSDT","i":"{i}","f":-1,"L":-1,"o":"1","c":"1","h":"1","l":"1","v":"0","n":0,"x":false,"q":"0","V":"0","Q":"0","B":"0"}}}}"#
        );
        decode("binance-spot", frame)
    };
    let (event, out) = kline("1h");
    assert_eq!(
        (event, out.kline.first_trade_id, out.kline.last_trade_id),
        (Ok(Event::Kline), u64::MAX, u64::MAX)
    );
    assert_eq!((out.kline.length, out.kline.closed), (Nanos::HOUR, 0));
    for (i, hours) in [("12h", 12), ("3d", 72), ("1w", 168), ("1M", 0)] {
        assert_eq!(kline(i).1.kline.length.0, hours * Nanos::HOUR.0, "{i}");
    }
    for bad in ["", "h", "0m", "1x", "61m", "-1m"] {
        assert_eq!(kline(bad).0.unwrap_err().kind, DecodeErrorKind::UnknownShape, "{bad}");
    }
}

#[test]
fn hyperliquid_trades_name_the_takers_side() {
    let row = |side: &str, coin: &str| {
        format!(
            r#"{{"coin":"{coin}","side":"{side}","px":"1.5","sz":"2","hash":"0x","time":7,"tid":9,"users":["a","b"]}}"#
        )
    };
    let frame = |rows: &[String]| format!(r#"{{"channel":"trades","data":[{}]}}"#, rows.join(","));
    let (event, out) = decode("hyperliquid", frame(&[row("B", "BTC"), row("A", "BTC")]));
    assert_eq!((event, out.trades.len()), (Ok(Event::Trades), 2));
    assert_eq!((out.trades[0].taker, out.trades[1].taker), (0, 1));
    assert_eq!((out.trades[0].first_id, out.trades[0].trade_ns), (9, Nanos::from_ms(7)));
    let mut two = codec("hyperliquid", &["BTC", "ETH"]);
    let mut out = Decoded::new();
    let error = two.decode(frame(&[row("B", "BTC"), row("B", "ETH")]).as_bytes(), &mut out).unwrap_err();
    assert_eq!((error.kind, error.key), (DecodeErrorKind::UnknownShape, "coin"));
    assert_eq!(two.decode(frame(&[row("B", "ETH")]).as_bytes(), &mut out), Ok(Event::Trades));
    assert_eq!((out.instrument, out.trades.len()), (InstrumentId(2), 1), "the room was cleared");
}

#[test]
fn a_snapshot_belongs_to_the_symbol_it_names_or_to_the_only_one() {
    let nameless = r#"{"lastUpdateId":5,"E":1,"T":1,"bids":[["1","2"]],"asks":[]}"#;
    let named = r#"{"lastUpdateId":5,"E":1,"T":1,"symbol":"B","pair":"B","bids":[["1","2"]],"asks":[]}"#;
    let mut out = Decoded::new();
    let mut one = codec("binance-coinm", &["A"]);
    assert_eq!(one.decode(nameless.as_bytes(), &mut out), Ok(Event::Snapshot));
    let error = one.decode(named.as_bytes(), &mut out).unwrap_err();
    assert_eq!((error.kind, error.key, error.offset), (DecodeErrorKind::UnknownSymbol, "symbol", 40));
    let mut two = codec("binance-coinm", &["A", "B"]);
    let error = two.decode(nameless.as_bytes(), &mut out).unwrap_err();
    assert_eq!((error.kind, error.key), (DecodeErrorKind::UnknownSymbol, "symbol"));
    assert_eq!(
        (two.decode(named.as_bytes(), &mut out), out.instrument),
        (Ok(Event::Snapshot), InstrumentId(2))
    );
}

#[test]
fn the_symbol_in_the_data_decides_and_not_the_streams_name() {
    let data = r#"{"e":"depthUpdate","E":1,"s":"ETHUSDT","U":1,"u":2,"b":[],"a":[]}"#;
    let frame = format!(r#"{{"stream":"btcusdt@depth@100ms","data":{data}}}"#);
    let mut out = Decoded::new();
    let mut two = codec("binance-spot", &["BTCUSDT", "ETHUSDT"]);
    assert_eq!((two.decode(frame.as_bytes(), &mut out), out.instrument), (Ok(Event::Delta), InstrumentId(2)));
    let error = decode("binance-spot", &frame).0.unwrap_err();
    assert_eq!((error.kind, error.key), (DecodeErrorKind::UnknownSymbol, "s"));
    assert_eq!(&frame[error.offset as usize..error.offset as usize + 7], "ETHUSDT");
}

/// `{"e":"trade",..}` of spot with one member replaced.
fn trade(old: &str, new: &str) -> String {
    let frame = r#"{"e":"trade","E":1,"s":"BTCUSDT","t":7,"p":"1.5","q":"2","T":1,"m":true,"M":true}"#;
    assert!(frame.contains(old));
    frame.replacen(old, new, 1)
}

#[test]
fn every_kind_of_error_comes_with_its_key_and_place() {
    use DecodeErrorKind::{
        BadNumber, DuplicateKey, MissingKey, NotJson, OffStep, TooLong, TooMany, UnknownShape, UnknownSymbol,
        WrongType,
    };
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    let levels = |count: usize| vec![r#"["1","2"]"#; count].join(",");
    let depth = |bids: usize, asks: usize| {
        let (bids, asks) = (levels(bids), levels(asks));
        format!(r#"{{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[{bids}],"a":[{asks}]}}"#)
    };
    assert_eq!(
        decode("binance-spot", depth(LEVELS_MAX - 1, 1)).0,
        Ok(Event::Delta),
        "as many as there is room for"
    );
    let rows = r#"{"coin":"BTC","side":"B","px":"1","sz":"2","time":7,"tid":9}"#;
    let many_trades = format!(r#"{{"channel":"trades","data":[{}]}}"#, vec![rows; TRADES_MAX + 1].join(","));
    let long = format!(r#"{{"id":1{}}}"#, " ".repeat(FRAME_BYTES_MAX));
    let mut kinds = BTreeSet::new();
    for (venue, frame, kind, key, text) in [
        ("binance-spot", String::new(), NotJson, "", Some("")),
        ("binance-spot", "nonsense".into(), NotJson, "", Some("")),
        ("binance-spot", trade("true}", "true"), NotJson, "", None),
        ("binance-spot", trade("true}", "true}x"), NotJson, "", None),
        ("binance-spot", trade("true}", "true}{}"), NotJson, "", None),
        ("binance-spot", trade("\"t\":7", "\"t\":truth"), NotJson, "", Some("truth")),
        ("binance-spot", "5".into(), UnknownShape, "", Some("")),
        ("binance-spot", "{}".into(), UnknownShape, "", Some("")),
        ("binance-spot", deep, UnknownShape, "", Some("[[[[[[[[1]")),
        (
            "binance-spot",
            trade("\"e\":\"trade\"", "\"e\":\"bookTicker\""),
            UnknownShape,
            "e",
            Some("bookTicker"),
        ),
        ("binance-spot", trade("\"T\":1,", ""), MissingKey, "T", None),
        ("binance-spot", trade("\"T\":1", "\"T\":1,\"T\":1"), DuplicateKey, "T", Some("T\":1,\"m")),
        ("binance-spot", trade("\"t\":7", "\"t\":\"7\""), WrongType, "t", Some("7\"")),
        ("binance-spot", trade("\"p\":\"1.5\"", "\"p\":1.5"), WrongType, "p", Some("p\":1.5")),
        ("binance-spot", trade("\"m\":true", "\"m\":null"), WrongType, "m", None),
        ("binance-spot", trade("\"t\":7", "\"t\":-7"), BadNumber, "t", None),
        ("binance-spot", trade("\"t\":7", "\"t\":7.0"), BadNumber, "t", None),
        ("binance-spot", trade("\"t\":7", "\"t\":7e2"), BadNumber, "t", None),
        ("binance-spot", trade("\"t\":7", "\"t\":9223372036854775808"), BadNumber, "t", None),
        ("binance-spot", trade("\"t\":7", "\"t\":99999999999999999999"), BadNumber, "", None),
        ("binance-spot", trade("\"t\":7", "\"t\":07"), BadNumber, "", None),
        ("binance-spot", trade("\"E\":1", "\"E\":18446744073709552"), BadNumber, "E", None),
        ("binance-spot", trade("1.5", "1.5e1"), BadNumber, "p", None),
        ("binance-spot", trade("1.5", "-1.5"), BadNumber, "p", None),
        ("binance-spot", trade("1.5", "922337203685477580.8"), BadNumber, "p", None),
        ("binance-spot", trade("1.5", "1.50001"), OffStep, "p", Some("1.50001")),
        ("binance-spot", trade("\"q\":\"2\"", "\"q\":\"0.0001\""), OffStep, "q", None),
        ("binance-spot", trade("BTCUSDT", "ETHUSDT"), UnknownSymbol, "s", Some("ETHUSDT")),
        ("binance-spot", trade("BTCUSDT", ""), UnknownSymbol, "s", Some("\",")),
        ("binance-spot", depth(1, 0).replace("\"2\"]", "\"2\",\"3\"]"), WrongType, "b", None),
        ("binance-spot", depth(0, 1).replace(",\"2\"]", "]"), WrongType, "a", None),
        ("binance-spot", depth(1, 0).replace("[\"1\",\"2\"]", "\"1\""), WrongType, "b", Some("1\"")),
        ("binance-spot", depth(LEVELS_MAX, 1), TooMany, "a", None),
        ("binance-spot", depth(LEVELS_MAX + 1, 0), TooMany, "b", None),
        ("hyperliquid", many_trades, TooMany, "data", None),
        ("binance-spot", long.clone(), TooLong, "", None),
        ("hyperliquid", long, TooLong, "", None),
        ("hyperliquid", "[]".into(), UnknownShape, "", Some("")),
        ("hyperliquid", r#"{"e":"trade"}"#.into(), UnknownShape, "", Some("")),
        ("hyperliquid", r#"{"channel":"l2Book"}"#.into(), MissingKey, "data", Some("")),
        ("hyperliquid", rows_frame(r#""side":"B""#, r#""side":"C""#), UnknownShape, "side", None),
        ("hyperliquid", rows_frame(r#""tid":9"#, r#""tid":"9""#), WrongType, "tid", None),
        ("hyperliquid", rows_frame(r#""px":"1""#, r#""px":1"#), WrongType, "px", None),
        (
            "hyperliquid",
            r#"{"channel":"l2Book","data":{"coin":"BTC","time":1,"levels":[[]]}}"#.into(),
            WrongType,
            "levels",
            None,
        ),
    ] {
        let shown = &frame[..frame.len().min(120)];
        let error = decode(venue, &frame).0.expect_err(shown);
        assert_eq!((error.kind, error.key), (kind, key), "{shown}: {error}");
        let there = frame.get(error.offset as usize..).unwrap_or_default();
        assert!(text.is_none_or(|text| there.starts_with(text)), "{shown}: {error}");
        assert!(error.offset as usize <= frame.len(), "{shown}: {error}");
        kinds.insert(error.kind as u8);
    }
    let error = feeds::capture::split_line(b"{}").unwrap_err();
    kinds.insert(error.kind as u8);
    assert_eq!(kinds.len(), DecodeErrorKind::ALL.len(), "every kind was provoked");
    for kind in DecodeErrorKind::ALL {
        let error = DecodeError { kind, key: "p", offset: 3 };
        assert_eq!(error.to_string(), format!("{} `p` at byte 3", kind.name()));
    }
}

/// Hyperliquid trades with one member replaced.
fn rows_frame(old: &str, new: &str) -> String {
    let frame =
        r#"{"channel":"trades","data":[{"coin":"BTC","side":"B","px":"1","sz":"2","time":7,"tid":9}]}"#;
    assert!(frame.contains(old));
    frame.replacen(old, new, 1)
}

#[test]
fn a_product_refuses_the_messages_of_another() {
    let spot_depth = r#"{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[],"a":[]}"#;
    let futures_depth = r#"{"e":"depthUpdate","E":1,"T":1,"s":"BTCUSDT","U":1,"u":2,"pu":0,"b":[],"a":[]}"#;
    assert_eq!(decode("binance-spot", spot_depth).0, Ok(Event::Delta));
    assert_eq!(decode("binance-usdm", futures_depth).0, Ok(Event::Delta));
    let error = decode("binance-usdm", spot_depth).0.unwrap_err();
    assert_eq!((error.kind, error.key), (DecodeErrorKind::MissingKey, "pu"));
    let error = decode("binance-spot", futures_depth).0.unwrap_err();
    assert_eq!((error.kind, error.key), (DecodeErrorKind::UnknownShape, "pu"));
    let spot_ticker = r#"{"u":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1"}"#;
    assert_eq!(decode("binance-spot", spot_ticker).0, Ok(Event::Ticker));
    assert_eq!(decode("binance-usdm", spot_ticker).0.unwrap_err().kind, DecodeErrorKind::UnknownShape);
    assert!(decode("hyperliquid", spot_depth).0.is_err());
}

#[test]
fn there_is_a_codec_for_each_venue_and_no_other() {
    for venue in VENUES {
        assert_eq!(codec(venue, &[]).general_count(), 0);
    }
    assert!(AnyCodec::new("binance", &[]).is_none());
    let update = engine::message::Depth::default();
    assert_eq!(codec("hyperliquid", &[]).chain(&SyncState::default(), &update), Chain::Gap);
}

#[test]
fn what_no_scanner_knows_is_counted_and_still_decoded() {
    let mut spot = codec("binance-spot", &["BTCUSDT"]);
    let mut out = Decoded::new();
    assert_eq!(spot.decode(trade("7", "7").as_bytes(), &mut out), Ok(Event::Trades));
    assert_eq!(spot.general_count(), 0);
    assert_eq!(spot.decode(trade("7", " 7").as_bytes(), &mut out), Ok(Event::Trades));
    assert_eq!((spot.general_count(), out.trades[0].first_id), (1, 7));
    // The same key, the same symbol, written with escapes.
    let escaped = trade("\"s\":\"BTC", "\"\\u0073\":\"\\u0042TC");
    assert_eq!(spot.decode(escaped.as_bytes(), &mut out), Ok(Event::Trades));
    assert_eq!(spot.general_count(), 2);
    // Whether a price has trailing zeros changes neither the way nor the value.
    for text in ["1.5", "1.50", "1.5000", "1.50000000000000000"] {
        assert_eq!(spot.decode(trade("1.5", text).as_bytes(), &mut out), Ok(Event::Trades));
        assert_eq!((out.trades[0].price, spot.general_count()), (Price(15_000), 2), "{text}");
    }
}
