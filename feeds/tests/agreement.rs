//! The scanners say what the general decoder says: on every message of every capture, and on messages that
//! were changed in ways that venues, proxies and faulty recorders change them.

mod support;

use engine::ids::InstrumentId;
use engine::message::{Depth, Kline, MarkPrice, Ticker, Trade};
use engine::num::Level;
use feeds::codec::{DecodeError, DecodeErrorKind, Decoded, Event, FeedCodec};
use feeds::venues::binance::{BinanceCodec, Product};
use std::collections::BTreeSet;
use support::{CAPTURES, Random, instrument, messages, product_of, with_steps};

/// Everything that a frame was decoded to.
#[derive(Debug, PartialEq)]
struct Contents {
    event: Event,
    instrument: InstrumentId,
    depth: Option<(Depth, Vec<Level>)>,
    ticker: Option<Ticker>,
    trades: Vec<Trade>,
    mark_price: Option<MarkPrice>,
    kline: Option<Kline>,
}

fn contents(event: Result<Event, DecodeError>, out: &mut Decoded) -> Result<Option<Contents>, DecodeError> {
    let event = event?;
    if event == Event::Other {
        return Ok(None);
    }
    let depth = *out.depth.depth();
    let levels = (depth.bid_count + depth.ask_count) as usize;
    let of = |kind: Event| event == kind;
    Ok(Some(Contents {
        event,
        instrument: out.instrument,
        depth: (of(Event::Delta) || of(Event::Snapshot))
            .then(|| (depth, out.depth.levels_mut()[..levels].to_vec())),
        ticker: of(Event::Ticker).then_some(out.ticker),
        trades: out.trades.clone(),
        mark_price: of(Event::MarkPrice).then_some(out.mark_price),
        kline: of(Event::Kline).then_some(out.kline),
    }))
}

/// A codec as used, and one of which only the general decoder is asked.
struct Both {
    scanning: BinanceCodec,
    general: BinanceCodec,
    out: [Decoded; 2],
}

impl Both {
    fn new(venue: &str, symbol: &str) -> Self {
        let ours = instrument(venue, symbol);
        let other = with_steps(venue, "ETHUSDT", ours.kind, "0.25", "0.002");
        let instruments = [(InstrumentId(3), &ours), (InstrumentId(9), &other)];
        let codec = || BinanceCodec::new(product_of(venue), &instruments);
        Self { scanning: codec(), general: codec(), out: [Decoded::new(), Decoded::new()] }
    }

    /// What `frame` decodes to, which both must agree on.
    fn decode(&mut self, frame: &[u8]) -> Result<Option<Contents>, DecodeError> {
        let [scanned, general] = &mut self.out;
        let event = self.scanning.decode(frame, scanned);
        let scanned = contents(event, scanned);
        let event = self.general.decode_general(frame, general);
        let general = contents(event, general);
        assert_eq!(scanned, general, "{}", String::from_utf8_lossy(frame));
        general
    }
}

#[test]
fn scanners_and_general_decoder_agree_on_every_message_of_every_capture() {
    for (path, venue, symbol) in CAPTURES.iter().filter(|(_, venue, _)| *venue != "hyperliquid") {
        let ours = instrument(venue, symbol);
        let mut both = Both::new(venue, symbol);
        // The snapshot of a connection with one instrument.
        let codec = || BinanceCodec::new(product_of(venue), &[(InstrumentId(3), &ours)]);
        (both.scanning, both.general) = (codec(), codec());
        let mut snapshots = 0;
        for message in messages(path) {
            let contents = both.decode(&message).unwrap().unwrap();
            snapshots += u64::from(contents.event == Event::Snapshot);
        }
        assert_eq!(
            both.scanning.general_count(),
            snapshots,
            "{path}: only snapshots are left to the general decoder"
        );
    }
}

#[test]
fn scanners_and_general_decoder_agree_on_changed_messages() {
    let mut random = Random(0x5AB2_E317);
    let (mut decoded, mut scanned) = (0, 0);
    let mut kinds = BTreeSet::new();
    for (path, venue, symbol) in CAPTURES.iter().filter(|(_, venue, _)| *venue != "hyperliquid") {
        let mut both = Both::new(venue, symbol);
        let messages = messages(path);
        let mut few: Vec<_> = messages.iter().filter(|m| m.len() < 700).step_by(29).cloned().collect();
        few.truncate(600);
        few.extend(messages.iter().filter(|m| m.len() >= 700).step_by(400).take(6).cloned());
        few.extend(unrecorded(product_of(venue), symbol));
        for _ in 0..28_000 {
            let mut frame = random.of(&few).clone();
            for _ in 0..=random.below(2) {
                change(&mut frame, &mut random);
            }
            let before = both.scanning.general_count();
            match both.decode(&frame) {
                Ok(_) => {
                    decoded += 1;
                    scanned += u64::from(both.scanning.general_count() == before);
                }
                Err(error) => {
                    kinds.insert(error.kind as u8);
                }
            }
        }
    }
    // The changes are worth something: many frames still decode, by both ways, and the others fail in many ways.
    assert!(decoded > 20_000 && scanned > 5_000 && decoded - scanned > 5_000, "{decoded} {scanned}");
    let expected = [
        DecodeErrorKind::NotJson,
        DecodeErrorKind::UnknownShape,
        DecodeErrorKind::MissingKey,
        DecodeErrorKind::DuplicateKey,
        DecodeErrorKind::WrongType,
        DecodeErrorKind::BadNumber,
        DecodeErrorKind::OffStep,
        DecodeErrorKind::UnknownSymbol,
    ];
    assert_eq!(kinds, expected.iter().map(|kind| *kind as u8).collect());
}

#[test]
fn scanners_know_the_shapes_that_the_captures_do_not_have() {
    for (_, venue, symbol) in CAPTURES.iter().filter(|(_, venue, _)| *venue != "hyperliquid") {
        let mut both = Both::new(venue, symbol);
        for frame in unrecorded(product_of(venue), symbol) {
            both.decode(&frame).unwrap().unwrap();
            assert_eq!(both.scanning.general_count(), 0, "{}", String::from_utf8_lossy(&frame));
        }
    }
}

/// Frames that the captures do not have, as the venue sends them, raw and wrapped. Since 2026 futures say which of
/// them it is, and USD-M's tickers have their times at another place.
fn unrecorded(product: Product, symbol: &str) -> Vec<Vec<u8>> {
    let frames = if product == Product::Spot {
        vec![format!(
            r#"{{"e":"aggTrade","E":1723161255343,"s":"{symbol}","a":12,"p":"61837.63000000","q":"0.02000000","f":100,"l":105,"T":1723161255342,"m":true,"M":true}}"#
        )]
    } else {
        let aggregate = format!(
            r#"{{"e":"aggTrade","E":1723161255343,"a":12,"s":"{symbol}","p":"61837.60","q":"2","f":100,"l":105,"T":1723161255342,"m":false"#
        );
        let ticker = format!(
            r#"{{"e":"bookTicker","u":4009002170000,"E":1723161255343,"T":1723161255342,"s":"{symbol}","b":"61837.50","B":"3","a":"61837.60","A":"4""#
        );
        let depth = format!(
            r#"{{"e":"depthUpdate","E":1723161255343,"T":1723161255342,"s":"{symbol}","ps":"{symbol}","st":1,"U":157,"u":160,"pu":149,"b":[["61837.50","1"]],"a":[]}}"#
        );
        vec![
            format!("{aggregate}}}"),
            format!(r#"{aggregate},"st":1}}"#),
            format!(r#"{ticker},"st":1,"ps":"{symbol}"}}"#),
            format!("{ticker}}}"),
            depth,
        ]
    };
    let wrapped = frames.iter().map(|frame| format!(r#"{{"stream":"x@depth","data":{frame}}}"#));
    wrapped.chain(frames.iter().cloned()).map(String::into_bytes).collect()
}

/// Changes a frame a little.
fn change(frame: &mut Vec<u8>, random: &mut Random) {
    if frame.len() < 8 {
        return;
    }
    let at = random.below(frame.len());
    match random.below(20) {
        0 => frame[at] ^= 1 << random.below(8),
        1 => frame[at] = *random.of(b"\"{}[]:,.0123456789eE+-\\ \n\0ntf"),
        2 => frame.insert(at, *random.of(b"\"{}[]:,.0123456789eE+-\\ \n\0ntf")),
        3 => drop(frame.remove(at)),
        4 => frame.truncate(at.max(1)),
        5 => {
            let tails: [&[u8]; 6] = [b" ", b"}", b"\n", b"x", b"{}", b"\r\n"];
            frame.extend_from_slice(tails[random.below(6)]);
        }
        6 => {
            let piece = frame[at..(at + 12).min(frame.len())].to_vec();
            frame.splice(at..at, piece);
        }
        7..=9 => {
            // A digit becomes other digits, signs or exponents.
            let digits = places(frame, |byte| byte.is_ascii_digit());
            let digit = *random.of(&digits);
            let texts: [&[u8]; 12] = [
                b"0",
                b"7",
                b"00",
                b"-1",
                b"+1",
                b"1e3",
                b"1E-2",
                b".",
                b"1.5",
                b"999999999",
                b"0000000000000",
                b"",
            ];
            frame.splice(digit..=digit, random.of(&texts).iter().copied());
        }
        10 | 11 => {
            // White space where JSON allows it, and where it does not.
            let marks = places(frame, |byte| b",:{}[]".contains(&byte));
            let mark = *random.of(&marks);
            frame.insert(mark + random.below(2), *random.of(b" \t\n\r"));
        }
        12 | 13 => {
            // Two members change places, or one comes twice, or goes.
            let members = members(frame);
            let (first, second) = (random.of(&members).clone(), random.of(&members).clone());
            if first.end < second.start {
                let (one, two) = (frame[first.clone()].to_vec(), frame[second.clone()].to_vec());
                match random.below(3) {
                    0 => {
                        frame.splice(second, one);
                        frame.splice(first, two);
                    }
                    1 => drop(frame.splice(first.start..first.start, [two, b",".to_vec()].concat())),
                    _ => drop(frame.drain(first.start..(first.end + 1).min(frame.len()))),
                }
            }
        }
        14 => {
            let members = members(frame);
            let member = random.of(&members).clone();
            let extra: [&[u8]; 5] =
                [b"\"zz\":1,", b"\"ps\":\"A\",", b"\"st\":1,", b"\"T\":5,", b"\"x\":{\"y\":[1,{}]},"];
            frame.splice(member.start..member.start, random.of(&extra).iter().copied());
        }
        15 => {
            // A letter written as an escape.
            let letters = places(frame, |byte| byte.is_ascii_alphabetic());
            let letter = *random.of(&letters);
            let escape = format!("\\u{:04x}", frame[letter]);
            frame.splice(letter..=letter, escape.into_bytes());
        }
        16 => {
            replace(frame, random, &[b"BTCUSDT", b"BTCUSD_PERP"], &[b"ETHUSDT", b"BTCUSD", b"", b"\xc3\xa9"]);
        }
        17 => replace(
            frame,
            random,
            &[b"true", b"false", b"MARKET"],
            &[b"null", b"1", b"true", b"NA", b"\"true\""],
        ),
        18 => {
            // A number with another number of digits behind the point.
            let points = places(frame, |byte| byte == b'.');
            let after = *random.of(&points) + 1;
            if points[0] > 0 && after < frame.len() {
                match random.below(3) {
                    0 => frame.insert(after, b'0'),
                    1 => drop(frame.remove(after)),
                    _ => drop(frame.splice(after..after, *b"50")),
                }
            }
        }
        _ => replace(frame, random, &[b"@depth"], &[b"@depth20", b"@rpiDepth", b"@x", b"@depth@depth5"]),
    }
}

/// Where the bytes of a kind are; the front when there are none.
fn places(frame: &[u8], is: impl Fn(u8) -> bool) -> Vec<usize> {
    let places: Vec<_> = (0..frame.len()).filter(|at| is(frame[*at])).collect();
    if places.is_empty() { vec![0] } else { places }
}

/// Replaces the first of `old` that is there by one of `new`.
fn replace(frame: &mut Vec<u8>, random: &mut Random, old: &[&[u8]], new: &[&[u8]]) {
    for old in old {
        if let Some(at) = frame.windows(old.len()).position(|window| window == *old) {
            frame.splice(at..at + old.len(), random.of(new).iter().copied());
            return;
        }
    }
}

/// Where the members of the frame's objects are, from the quote of the key to the end of a plain value.
fn members(frame: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut members = Vec::new();
    for start in 0..frame.len() {
        let key = frame[start] == b'"' && start > 0 && b"{,".contains(&frame[start - 1]);
        let text = &frame[start..];
        let Some(colon) = text.iter().take(16).position(|byte| *byte == b':').filter(|_| key) else {
            continue;
        };
        if let Some(len) = text[colon..].iter().position(|byte| b",}[{".contains(byte)).filter(|len| *len > 1)
        {
            members.push(start..start + colon + len);
        }
    }
    if members.is_empty() { std::iter::once(0..0).collect() } else { members }
}
