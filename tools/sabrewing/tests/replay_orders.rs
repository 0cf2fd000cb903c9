//! The orders of `replay`: that the journal explains each of them, adds up to the summary, and repeats.

mod support;

use engine::ids::{Cause, Lane};
use engine::journal::schema::{OrderBody, RecordKind};
use engine::message::{Execution, QuoteReason, Quotes, Target, i128_of};
use engine::order::OrderState;
use std::sync::LazyLock;
use support::journal::{Journal, Record};
use support::market::Step::{D, Levels, S};
use support::market::{Product, Step, capture};
use support::{COINM, Dir, SPOT, USDM, arg, replay};

/// A capture replayed on one thread with a journal, and what its amounts are counted in.
struct Run {
    summary: serde_json::Value,
    journal: Journal,
    /// Line of the snapshot: before it there is no book.
    snapshot_line: u32,
    instrument: &'static str,
    asset: &'static str,
    /// Decimals of price and quantity; what a contract is worth in quote, on inverse ones.
    decimals: (u32, u32),
    inverse_size: Option<i128>,
}

fn run(name: &str, product: Product, snapshot_line: u32, decimals: (u32, u32)) -> Run {
    let (summary, journal) = replay_journalled(&arg(name));
    let (asset, inverse_size) = match product {
        Product::CoinM => ("BTC", Some(100)),
        _ => ("USDT", None),
    };
    Run { summary, journal, snapshot_line, instrument: product.full_name(), asset, decimals, inverse_size }
}

fn replay_journalled(file: &str) -> (serde_json::Value, Journal) {
    let dir = Dir::new();
    let run = dir.at("run");
    let ran = replay([file, "--json", "--journal", &run]).expect(0, &[]);
    (ran.json(), Journal::open(&run))
}

static RUNS: LazyLock<[Run; 3]> = LazyLock::new(|| {
    [
        run(SPOT, Product::Spot, 8, (2, 8)),
        run(USDM, Product::UsdM, 55, (1, 3)),
        run(COINM, Product::CoinM, 37, (1, 0)),
    ]
});

/// A decimal of the summary, in units of ten to the minus `decimals`.
fn units(text: &serde_json::Value, decimals: u32) -> i128 {
    let text = text.as_str().unwrap();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part = part.trim_end_matches('0');
    assert!(part.len() <= decimals as usize, "{text} has more than {decimals} digits");
    format!("{whole}{part:0<width$}", width = decimals as usize).parse().unwrap()
}

fn executions(journal: &Journal) -> Vec<Execution> {
    journal.of_kind(Lane::Gateway, RecordKind::Fill).map(Record::body).collect()
}

#[test]
fn the_fills_of_the_journal_add_up_to_position_cash_and_profit_of_the_summary() {
    for run in &*RUNS {
        let (price_digits, qty_digits) = run.decimals;
        let fills = executions(&run.journal);
        assert!(fills.len() > 100, "{}: {} fills", run.instrument, fills.len());
        let whole = fills.iter().filter(|fill| fill.filled == fill.order.qty).count();
        assert_eq!(run.summary["orders"]["filled"], whole, "orders that a fill completed");
        let (mut position, mut cash) = (0_i128, 0_i128);
        for fill in &fills {
            let (price, qty) = (i128::from(fill.fill.price.0), i128::from(fill.fill.qty.0));
            assert_eq!(fill.fill.price, fill.order.price, "what rests is filled at its price");
            assert!(fill.fill.qty.0 > 0 && fill.filled <= fill.order.qty, "{fill:?}");
            let bought = if fill.side == 0 { qty } else { -qty };
            position += bought;
            cash += match run.inverse_size {
                // Price and quantity come in fewer digits than amounts are kept to.
                None => -bought * price * 10_i128.pow(8_u32.saturating_sub(price_digits + qty_digits)),
                // Worth `size × qty / price` of base, in units of 1e-18, to the nearest; what is bought is owed.
                Some(size) => {
                    let dividend = size * qty * 10_i128.pow(price_digits + 18);
                    let value = dividend / price;
                    if fill.side == 0 { value } else { -value }
                }
            };
            assert_eq!(i128::from(fill.position.0), position, "the position after each fill");
        }
        assert_eq!(units(&run.summary["position"][run.instrument], qty_digits), position);
        let said = match run.inverse_size {
            None => units(&run.summary["cash"][run.asset], 8.max(price_digits + qty_digits)),
            Some(_) => units(&run.summary["cash"][run.asset], 18),
        };
        // Each value of an inverse fill is rounded once.
        let slack = run.inverse_size.map_or(0, |_| fills.len() as i128);
        assert!((said - cash).abs() <= slack, "{}: cash {said}, fills make {cash}", run.instrument);
        let last = fills.last().unwrap();
        let booked = i128_of(last.cash);
        assert_eq!(said, booked, "the last fill and the summary say the same cash");
        let orders = &run.summary["orders"];
        let exchange = orders["rejected"]["exchange"].as_u64().unwrap_or(0);
        let ended = orders["canceled"].as_u64().unwrap() + orders["filled"].as_u64().unwrap() + exchange;
        let open = run.summary["open_orders"].as_u64().unwrap();
        assert_eq!(orders["placed"].as_u64().unwrap(), ended + open, "every order placed ended or is open");
        assert_eq!(run.journal.of_kind(Lane::Gateway, RecordKind::Order).count() as u64, ended + open);
    }
}

#[test]
fn profit_is_the_cash_and_the_position_at_the_last_mid() {
    let run = &RUNS[1];
    let dir = Dir::new();
    let books = dir.at("rows");
    let ran = replay([&arg(USDM), "--json", "--books", &books, "--books-every", "1000000"]).expect(0, &[]);
    let summary = ran.json();
    assert_eq!((&summary["pnl"], &summary["cash"]), (&run.summary["pnl"], &run.summary["cash"]));
    let rows = support::text_of(books.as_ref());
    let row: serde_json::Value = serde_json::from_str(rows.lines().last().unwrap()).unwrap();
    let (bid, ask) = (units(&row["bids"][0][0], 1), units(&row["asks"][0][0], 1));
    let position = units(&summary["position"][run.instrument], 3);
    // Half a tick of a thousandth has five digits.
    let twice = 2 * units(&summary["cash"]["USDT"], 5) + 10 * position * (bid + ask);
    // The touch at the end may be the ticker's, newer than the last row by a few ticks.
    let slack = 2 * position.abs() * 10_000;
    assert!((2 * units(&summary["pnl"]["USDT"], 5) - twice).abs() <= slack, "{row} {summary}");
}

#[test]
fn every_order_was_asked_for_by_a_target_that_an_input_led_to() {
    for run in &*RUNS {
        let mut orders = 0;
        let snapshot = run.journal.of_kind(Lane::Feed, RecordKind::Frame);
        let snapshot = snapshot.into_iter().find(|frame| Journal::line(frame) == run.snapshot_line).unwrap();
        for order in run.journal.of_kind(Lane::Gateway, RecordKind::Order) {
            let target = run.journal.at(order.cause);
            assert_eq!(target.kind, RecordKind::Target, "{order:?}");
            let (body, wanted): (OrderBody, Quotes) = (order.body(), Quotes::read(&target.body).unwrap());
            let mut side = wanted.pairs().map(|(bid, ask)| if body.side == 0 { bid } else { ask });
            assert!(
                side.any(|level| (level.price, level.qty) == (body.price, body.qty)),
                "{order:?} {wanted:?}"
            );
            assert_ne!(target.cause, Cause::NONE);
            let input = run.journal.input_of(target);
            assert!(matches!(input.kind, RecordKind::Frame | RecordKind::Timer), "{input:?}");
            assert!(input.recv_ns <= order.recv_ns, "{input:?} {order:?}");
            // An update kept for the snapshot is older than it, what it leads to is not.
            assert!(order.recv_ns >= snapshot.recv_ns, "an order without a book: {order:?}");
            orders += 1;
        }
        assert!(orders > 100 && run.summary["orders"]["placed"] == orders, "{orders} {}", run.summary);
    }
}

#[test]
fn a_target_without_trust_in_the_book_wants_nothing() {
    for run in &*RUNS {
        let mut untrusted = 0;
        for target in run.journal.of_kind(Lane::Strategy, RecordKind::Target) {
            let body: Target = target.body();
            let quotes = [QuoteReason::Quoting, QuoteReason::PositionLong, QuoteReason::PositionShort]
                .iter()
                .any(|reason| *reason as u16 == body.reason);
            assert_eq!(quotes, body.bid.qty.0 > 0 || body.ask.qty.0 > 0, "{body:?}");
            untrusted += u32::from(!quotes);
        }
        assert!(untrusted > 0, "{} is trusted throughout", run.instrument);
    }
}

#[test]
fn every_synchronised_binance_capture_trades_with_the_shipped_configuration() {
    let spot = [arg(SPOT), arg("captures/spot/btcusdt_20240809.gz")];
    for files in [&spot[..], &[arg(USDM)], &[arg(COINM)]] {
        for placement in ["one", "five"] {
            let args = files.iter().map(String::as_str).chain(["--json", "--placement", placement]);
            let orders = replay(args.collect::<Vec<_>>()).expect(0, &[]).json()["orders"].clone();
            let [placed, filled] = ["placed", "filled"].map(|key| orders[key].as_u64().unwrap());
            assert!(placed >= 100 && filled > 0, "{files:?}, {placement}: {orders}");
        }
    }
}

/// Line and side of every order.
fn orders(journal: &Journal) -> Vec<(u32, u8)> {
    let order = |record| {
        let body: OrderBody = Record::body(record);
        (Journal::line(journal.input_of(record)), body.side)
    };
    journal.of_kind(Lane::Gateway, RecordKind::Order).map(order).collect()
}

/// Orders by line, and the lines whose frames led to cancels.
fn orders_of(steps: &[Step<'_>]) -> (Vec<(u32, u8)>, Vec<u32>, serde_json::Value) {
    let dir = Dir::new();
    let (summary, journal) = replay_journalled(&dir.file("capture", capture(Product::UsdM, steps)));
    let cancels = journal.of_kind(Lane::Gateway, RecordKind::Cancel);
    let cancels = cancels.map(|record| Journal::line(journal.input_of(record))).collect();
    (orders(&journal), cancels, summary)
}

#[test]
fn a_stale_book_has_no_orders_until_it_is_back() {
    // Line 3 follows the snapshot; line 4 is missing one before it; line 7 follows the second snapshot.
    let steps = [D(1), S(15), D(2), D(4), D(5), S(55), D(6), D(7)];
    let (orders, cancels, summary) = orders_of(&steps);
    // Two levels a side.
    assert_eq!(orders, [(3, 0), (3, 0), (3, 1), (3, 1), (7, 0), (7, 0), (7, 1), (7, 1)]);
    assert_eq!(cancels, [4; 4], "all orders are canceled by the frame that shows the gap");
    assert_eq!(summary["orders"]["canceled"], 4);
    assert_eq!(summary["open_orders"], 4);
}

#[test]
fn a_crossed_book_has_no_orders_and_neither_has_one_with_a_side_missing() {
    let crossing = Levels((21, 30, 20), &[("60002.0", "1")], &[]);
    let uncrossing = Levels((31, 40, 30), &[("60002.0", "0")], &[]);
    let emptying = Levels((41, 50, 40), &[], &[("60001.0", "0")]);
    let refilling = Levels((51, 60, 50), &[], &[("60001.0", "2")]);
    let (orders, cancels, summary) =
        orders_of(&[S(15), D(2), crossing, uncrossing, emptying, refilling, D(7)]);
    let lines: Vec<u32> = orders.iter().map(|(line, _)| *line).collect();
    assert!(lines.iter().all(|line| [2, 4, 6].contains(line)), "{orders:?}");
    for line in [2, 4, 6] {
        assert!(lines.contains(&line), "a sound book is quoted on: {orders:?}");
    }
    assert!(cancels.contains(&3) && cancels.contains(&5), "{cancels:?}");
    assert_eq!(summary["books"]["binance-usdm:BTCUSDT"]["state"], "valid");
}

#[test]
fn a_book_that_nothing_confirms_is_left_by_a_timer() {
    let dir = Dir::new();
    let text = capture(Product::UsdM, &[S(15), D(2), D(3)]);
    // The last line comes five seconds later than it did.
    let (before, last) = text.trim_end().rsplit_once('\n').unwrap();
    let (recv_ns, message) = last.split_once(' ').unwrap();
    let late = recv_ns.parse::<u64>().unwrap() + 5_000_000_000;
    let (summary, journal) = replay_journalled(&dir.file("late", format!("{before}\n{late} {message}\n")));
    let cancels: Vec<_> = journal.of_kind(Lane::Gateway, RecordKind::Cancel).collect();
    assert_eq!(cancels.len(), 4);
    for cancel in cancels {
        let timer = journal.input_of(cancel);
        assert_eq!(timer.kind, RecordKind::Timer);
        let age = timer.recv_ns - (recv_ns.parse::<u64>().unwrap() - 1_000_000);
        assert!((1_000_000_000..1_020_000_000).contains(&age), "after {age} ns, the limit is a second");
    }
    assert_eq!(summary["orders"]["placed"], 8, "quoted again once the book moves");
}

#[test]
fn two_runs_on_one_thread_decide_alike_record_by_record() {
    let (_, again) = replay_journalled(&arg(USDM));
    for lane in [Lane::Strategy, Lane::Gateway] {
        // What the clock measured is not decided.
        let measured = [RecordKind::Stamps, RecordKind::OrderStamps];
        let decided = |journal: &Journal| -> Vec<Record> {
            journal.lane(lane).iter().filter(|r| !measured.contains(&r.kind)).cloned().collect()
        };
        let (first, second) = (decided(&RUNS[1].journal), decided(&again));
        assert!(first.len() > 1000);
        assert!(first == second, "{lane:?} differs");
    }
    let frames = |journal: &Journal| journal.lane(Lane::Feed).to_vec();
    assert!(frames(&RUNS[1].journal) == frames(&again), "the inputs are the same");
}

#[test]
fn every_fill_has_before_it_a_target_an_approval_and_the_exchanges_word() {
    for run in &*RUNS {
        let (mut fills, mut acked) = (0, std::collections::BTreeSet::new());
        for record in run.journal.lane(Lane::Gateway) {
            match record.kind {
                RecordKind::OrderUpdate => {
                    let told: Execution = record.body();
                    if told.state == OrderState::Open as u8 {
                        acked.insert(told.order_seq);
                    }
                }
                RecordKind::Fill => {
                    let fill: Execution = record.body();
                    let order = run.journal.at(record.cause);
                    assert_eq!(order.kind, RecordKind::Order, "{record:?}");
                    let approved: OrderBody = order.body();
                    assert_eq!((approved.order_seq, approved.side), (fill.order_seq, fill.side));
                    assert!(order.recv_ns < record.recv_ns, "an answer takes its time");
                    assert!(acked.contains(&fill.order_seq), "it was taken before it filled: {record:?}");
                    let target = run.journal.at(order.cause);
                    assert_eq!(target.kind, RecordKind::Target);
                    assert!(target.recv_ns <= order.recv_ns);
                    fills += 1;
                }
                _ => {}
            }
        }
        assert!(fills > 0, "{}", run.instrument);
    }
}

#[test]
fn a_summary_says_the_last_refusal_of_each_rule_in_words_and_market_units() {
    let dir = Dir::new();
    let shipped = include_str!("../configs/replay.toml");
    let small = shipped.replace("order_notional_max = \"1000\"", "order_notional_max = \"400\"");
    assert_ne!(small, shipped);
    let config = dir.file("small.toml", small);
    let capture = dir.lines("short", support::lines_of(USDM).iter().take(5000));
    let ran = replay([&capture, "--json", "--config", &config]).expect(0, &[]);
    let orders = &ran.json()["orders"];
    assert!(orders["rejected"]["order_size"].as_u64().unwrap() > 0, "{orders}");
    let words = orders["rejected_last"]["order_size"].as_str().unwrap();
    assert!(words.starts_with("binance-usdm:BTCUSDT, order_size: value 4"), "{words}");
    assert!(words.ends_with(" USDT is above order_notional_max 400"), "{words}");
    let page = replay([&capture, "--config", &config]).expect(0, &[]).stdout;
    assert!(page.contains(&format!("by order_size, the last: {words}")), "{page}");
}
