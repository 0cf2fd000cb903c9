//! What a market tells, written as the venue writes it: the frames of Binance USD-M futures, with the keys, their
//! order, their types and the digits of the recorded ones (the tests compare them).

use super::market::{Market, Told, What};
use engine::book::BookSide;
use engine::instrument::Instrument;
use engine::num::{Level, Side, Step};

/// Levels of a side in a snapshot.
pub(super) const SNAPSHOT_LEVELS_MAX: usize = 1_000;
/// Room for the longest frame: as many changes as are told at once, on both sides, 24 bytes each.
pub(super) const FRAME_BYTES_MAX: usize = 2 * super::resting::CHANGES_MAX * 24 + 512;

/// Writes the frames of one instrument.
#[derive(Debug)]
pub(super) struct FrameWriter {
    symbol: String,
    stream: String,
    tick: Step,
    qty_unit: Step,
}

impl FrameWriter {
    pub(super) fn new(instrument: &Instrument) -> Self {
        Self {
            symbol: instrument.symbol.clone(),
            stream: instrument.symbol.to_lowercase(),
            tick: instrument.price_rule.tick,
            qty_unit: instrument.qty_unit,
        }
    }

    /// Writes the frame of `told` in place of what is in `frame`. `venue_ms`: the venue's clock, ms since 1970.
    /// Takes no memory where `frame` has room for [`FRAME_BYTES_MAX`].
    pub(super) fn write(&self, told: &Told, market: &mut Market, venue_ms: u64, frame: &mut Vec<u8>) {
        frame.clear();
        match told.what {
            What::Snapshot { update_id } => self.snapshot(update_id, market, venue_ms, frame),
            What::Depth { first_id, last_id, prev_id } => {
                self.open(b"depth@0ms", frame);
                text(b"{\"e\":\"depthUpdate\",\"E\":", frame);
                uint(venue_ms, frame);
                text(b",\"T\":", frame);
                uint(venue_ms, frame);
                self.write_symbol(frame);
                for (key, id) in [(&b",\"U\":"[..], first_id), (b",\"u\":", last_id), (b",\"pu\":", prev_id)]
                {
                    text(key, frame);
                    uint(id, frame);
                }
                text(b",\"b\":[", frame);
                self.levels(market.changes(BookSide::Bid), frame);
                text(b"],\"a\":[", frame);
                self.levels(market.changes(BookSide::Ask), frame);
                text(b"]}}", frame);
            }
            What::Touch { update_id, bid, ask } => {
                self.open(b"bookTicker", frame);
                text(b"{\"e\":\"bookTicker\",\"u\":", frame);
                uint(update_id, frame);
                self.write_symbol(frame);
                for (keys, level) in
                    [([&b",\"b\":\""[..], b"\",\"B\":\""], bid), ([b"\",\"a\":\"", b"\",\"A\":\""], ask)]
                {
                    text(keys[0], frame);
                    decimal(level.price.0, self.tick, frame);
                    text(keys[1], frame);
                    decimal(level.qty.0, self.qty_unit, frame);
                }
                text(b"\",\"T\":", frame);
                uint(venue_ms, frame);
                text(b",\"E\":", frame);
                uint(venue_ms, frame);
                text(b"}}", frame);
            }
            What::Trade { id, price, qty, taker } => {
                self.open(b"trade", frame);
                text(b"{\"e\":\"trade\",\"E\":", frame);
                uint(venue_ms, frame);
                text(b",\"T\":", frame);
                uint(venue_ms, frame);
                self.write_symbol(frame);
                text(b",\"t\":", frame);
                uint(id, frame);
                text(b",\"p\":\"", frame);
                decimal(price.0, self.tick, frame);
                text(b"\",\"q\":\"", frame);
                decimal(qty.0, self.qty_unit, frame);
                // `m`: the buyer is the maker, so the taker sold.
                let buyer_is_maker = if taker == Side::Sell { &b"true"[..] } else { b"false" };
                text(b"\",\"X\":\"MARKET\",\"m\":", frame);
                text(buyer_is_maker, frame);
                text(b"}}", frame);
            }
        }
    }

    /// The answer to a REST depth request, which names no symbol.
    fn snapshot(&self, update_id: u64, market: &Market, venue_ms: u64, frame: &mut Vec<u8>) {
        for (key, number) in
            [(&b"{\"lastUpdateId\":"[..], update_id), (b",\"E\":", venue_ms), (b",\"T\":", venue_ms)]
        {
            text(key, frame);
            uint(number, frame);
        }
        for (key, side) in [(&b",\"bids\":["[..], BookSide::Bid), (b"],\"asks\":[", BookSide::Ask)] {
            text(key, frame);
            self.levels(market.levels(side).take(SNAPSHOT_LEVELS_MAX), frame);
        }
        text(b"]}", frame);
    }

    fn open(&self, stream: &[u8], frame: &mut Vec<u8>) {
        text(b"{\"stream\":\"", frame);
        text(self.stream.as_bytes(), frame);
        text(b"@", frame);
        text(stream, frame);
        text(b"\",\"data\":", frame);
    }

    fn write_symbol(&self, frame: &mut Vec<u8>) {
        text(b",\"s\":\"", frame);
        text(self.symbol.as_bytes(), frame);
        text(b"\"", frame);
    }

    fn levels(&self, levels: impl Iterator<Item = Level>, frame: &mut Vec<u8>) {
        for (index, level) in levels.enumerate() {
            text(if index == 0 { b"[\"" } else { b",[\"" }, frame);
            decimal(level.price.0, self.tick, frame);
            text(b"\",\"", frame);
            decimal(level.qty.0, self.qty_unit, frame);
            text(b"\"]", frame);
        }
    }
}

fn text(text: &[u8], frame: &mut Vec<u8>) {
    frame.extend_from_slice(text);
}

fn uint(value: u64, frame: &mut Vec<u8>) {
    digits(value, 1, frame);
}

/// `count` steps, not negative, with the step's digits; takes no memory, which `Step::decimal` printed would.
fn decimal(count: i64, step: Step, frame: &mut Vec<u8>) {
    let value = count.unsigned_abs() * step.mantissa().unsigned_abs();
    let exponent = usize::from(step.exponent());
    digits(value, exponent + 1, frame);
    let shown = usize::from(step.digits());
    if shown > 0 {
        frame.insert(frame.len() - exponent, b'.');
    }
    frame.resize(frame.len() + shown - exponent, b'0');
}

/// A number with at least so many digits.
fn digits(mut value: u64, digits_min: usize, frame: &mut Vec<u8>) {
    let mut room = [b'0'; 20];
    let mut at = room.len();
    while value > 0 || room.len() - at < digits_min.min(room.len()) {
        at -= 1;
        room[at] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    frame.extend_from_slice(&room[at..]);
}

#[cfg(test)]
mod tests {
    use super::super::MAX_START;
    use super::super::source::DemoSource;
    use super::super::tests::source;
    use super::*;
    use engine::book::{Book, BookConfig};
    use engine::ids::InstrumentId;
    use engine::message::Depth;
    use engine::time::Nanos;
    use feeds::capture::{CaptureReader, Next, split_line};
    use feeds::codec::{Chain, Decoded, Event, FeedCodec, SyncState};
    use feeds::stage::{FrameSource, SourcePoll};
    use feeds::venues::binance::{BinanceCodec, Product};
    use sha2::{Digest, Sha256};
    use std::collections::BTreeSet;

    const CAPTURE: &str =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/captures/usdm/btcusdt_20240808.gz");

    /// A frame with numbers, flags and lists reduced to what they are: `0` for digits (as many as there are behind
    /// a point), `false`, one level for all.
    fn shape(frame: &[u8]) -> String {
        let (mut shape, mut behind_point) = (String::new(), false);
        for byte in frame {
            let digit = byte.is_ascii_digit();
            if !digit || behind_point || !shape.ends_with('0') {
                shape.push(if digit { '0' } else { char::from(*byte) });
            }
            behind_point = *byte == b'.' || (behind_point && digit);
        }
        let level = r#"["0.00","0.000"]"#;
        let twice = format!("{level},{level}");
        while shape.contains(&twice) {
            shape = shape.replace(&twice, level);
        }
        shape.replace("true", "false")
    }

    fn frames(mut source: DemoSource, mut seen: impl FnMut(Nanos, &[u8], &DemoSource)) -> u64 {
        let mut count = 0;
        loop {
            let (recv_ns, frame) = match source.poll() {
                SourcePoll::Ready(frame) => (frame.recv_ns, frame.bytes.unwrap().to_vec()),
                SourcePoll::Timer(_)
                | SourcePoll::Time(_)
                | SourcePoll::Connection(..)
                | SourcePoll::NotYet => continue,
                SourcePoll::End => return count,
            };
            seen(recv_ns, &frame, &source);
            count += 1;
            source.consume();
        }
    }

    #[test]
    fn every_kind_of_frame_has_the_shape_of_a_recorded_one() {
        let mut recorded = BTreeSet::new();
        let mut reader = CaptureReader::open(CAPTURE).unwrap_or_else(|e| panic!("{CAPTURE}: {e}"));
        while let Next::Line(line) = reader.wait() {
            recorded.insert(shape(split_line(line.bytes).unwrap().1));
        }
        let mut generated = BTreeSet::new();
        frames(source(1, 1, 60).0, |_, frame, _| _ = generated.insert(shape(frame)));
        let unknown: Vec<_> = generated.difference(&recorded).collect();
        assert!(unknown.is_empty(), "{unknown:#?}");
        for kind in ["lastUpdateId", "depthUpdate", "bookTicker", "\"trade\""] {
            assert!(generated.iter().any(|shape| shape.contains(kind)), "{kind}: {generated:#?}");
        }
    }

    #[test]
    fn every_frame_is_decoded_alike_by_both_decoders_and_the_books_are_equal() {
        for seed in [1, 2] {
            let (source, table) = source(seed, 1, 60);
            let instrument = table.get(InstrumentId(0)).unwrap();
            let mut codec = BinanceCodec::new(Product::UsdM, &[(InstrumentId(0), instrument)]);
            let (mut scanned, mut general) = (Box::<Decoded>::default(), Box::<Decoded>::default());
            let mut book = Book::new(BookConfig::new(32_768, 16_384).unwrap());
            let mut state = SyncState::default();
            let mut counts = [0_u64; Event::COUNT];
            let total = frames(source, |_, frame, source| {
                let event = codec.decode(frame, &mut scanned).unwrap();
                assert_eq!(codec.decode_general(frame, &mut general), Ok(event));
                counts[event as usize] += 1;
                match event {
                    Event::Ticker => assert_eq!(scanned.ticker, general.ticker),
                    Event::Trades => assert_eq!(scanned.trades, general.trades),
                    Event::Delta | Event::Snapshot => {
                        let depth = *scanned.depth.depth();
                        assert_eq!(depth, *general.depth.depth());
                        let levels = (depth.bid_count + depth.ask_count) as usize;
                        assert_eq!(
                            scanned.depth.levels_mut()[..levels],
                            general.depth.levels_mut()[..levels]
                        );
                        follow(&codec, &mut state, &mut book, event, &depth, scanned.depth.levels_mut());
                        if state.last_id > 0 {
                            same_book(&book, source.market(0));
                        }
                    }
                    other => panic!("{other:?}"),
                }
            });
            // The scanners know every shape but the snapshot's, which is the general decoder's.
            assert_eq!((counts[Event::Snapshot as usize], codec.general_count()), (1, 1));
            assert_eq!(counts.iter().sum::<u64>(), total);
            assert!(counts[Event::Delta as usize] > 1_000 && state.first_applied, "{counts:?}");
            assert_eq!(book.state().bits(), 0);
        }
    }

    /// The venue's rule: updates before the snapshot are passed over, the first after it spans it, none is missed.
    fn follow(
        codec: &BinanceCodec,
        state: &mut SyncState,
        book: &mut Book,
        event: Event,
        depth: &Depth,
        levels: &[Level],
    ) {
        let (bids, asks) =
            levels[..(depth.bid_count + depth.ask_count) as usize].split_at(depth.bid_count as usize);
        if event == Event::Snapshot {
            book.load_snapshot(bids, asks);
            *state = SyncState { snapshot_id: depth.last_id, last_id: depth.last_id, first_applied: false };
        } else if state.last_id > 0 {
            assert_eq!(codec.chain(state, depth), Chain::Apply);
            book.apply(bids, asks);
            (state.last_id, state.first_applied) = (depth.last_id, true);
        }
    }

    fn same_book(book: &Book, market: &Market) {
        for side in BookSide::BOTH {
            assert!(book.levels(side).eq(market.levels(side)), "{side:?}");
        }
    }

    #[test]
    fn a_seed_is_the_same_bytes_on_every_machine() {
        let mut hash = Sha256::new();
        let (source, _) = source(7, 2, 20);
        let mut last = Nanos::default();
        let count = frames(source, |recv_ns, frame, _| {
            assert!(
                recv_ns >= last && recv_ns >= MAX_START && recv_ns.since(MAX_START) < Nanos(20_000_000_000)
            );
            last = recv_ns;
            hash.update(recv_ns.0.to_le_bytes());
            hash.update(frame);
        });
        let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            (count, hex.as_str()),
            (27_566, "caedcd437127f7df3f17f619c67e46379fafb2ce486da9868eae8aa4c2c9ee3b")
        );
    }

    #[test]
    fn decimals_have_the_digits_of_their_step() {
        for (count, step, text) in [
            (618_002, "0.10", "61800.20"),
            (5, "0.001", "0.005"),
            (1_234, "0.001", "1.234"),
            (0, "0.10", "0.00"),
            (3, "0.25", "0.75"),
            (7, "1", "7"),
            (7, "5.0", "35.0"),
        ] {
            let mut frame = b"x".to_vec();
            let step = Step::parse(step.as_bytes()).unwrap();
            decimal(count, step, &mut frame);
            assert_eq!(String::from_utf8(frame).unwrap(), format!("x{text}"));
            assert_eq!(step.decimal(i128::from(count)).to_string(), text);
        }
    }
}
