//! Many instruments at a high rate on two cores: a child on one sends a market at fixed times, the engine on the other
//! keeps every book, trades on all of them at the paper exchange, and writes its journal. A message is late from when it
//! was due, not from when the child came to send it.

use crate::child::{Peer, say_measuring, say_over};
use crate::engine::Engine;
use crate::link::{Listening, write_frame};
use crate::market::{Heard, Quoted, serve, wall_ns};
use crate::samples::{Samples, Spinning};
use crate::verdict::verdict;
use crate::{Cores, pin, yields};
use feeds::codec::Event;
use sabrewing::config::Config;
use sabrewing::pipeline::paper_venue;
use std::cell::Cell;
use std::time::{Duration, Instant};

const INSTRUMENTS: usize = 50;
/// From when a message was due until all stages were done with it, ns.
const P50_NS_MAX: f64 = 60_000.0;
/// Of a hundred messages so many are trades, and so many change the depth; the others are tickers.
const TRADES: u64 = 22;
const DEPTHS: u64 = 8;
/// Levels of a depth message, a side.
const LEVELS: u64 = 8;
/// Not measured: books, caches, the first orders.
const WARM_UP_S: u64 = 2;
/// The child looks at its sockets for answers so often.
const SERVE_EVERY: u64 = 10_000;

fn symbol(index: usize) -> String {
    format!("COIN{index:02}USDT")
}

/// Prints the rows.
pub(crate) fn rows(cores: &Cores, per_s: u64, seconds: u64) {
    let args = [cores.peer_text(), per_s.to_string(), seconds.to_string()];
    let peer = Peer::start("load", &args);
    let config = Config::load(None).expect("the shipped configuration");
    let symbols: Vec<String> = (0..INSTRUMENTS).map(symbol).collect();
    let engine = Engine::new(&peer, false, config, &symbols, &[Event::Delta, Event::Ticker, Event::Trades]);
    let exchange = paper_venue(&engine.config, &engine.table).expect("a paper exchange");
    // What is on its way when the child has sent everything is waited for.
    let over_at = Cell::new(None);
    let ran = engine.run(cores, exchange, || {
        if peer.is_over() && over_at.get().is_none() {
            over_at.set(Some(Instant::now()));
        }
        over_at.get().is_some_and(|at: Instant| at.elapsed() > Duration::from_millis(500))
    });
    let said = peer.end();
    let (sent, snapshots) = (said.fact("sent"), said.fact("snapshots"));
    let counts = &ran.feed.sync;
    let sum = |of: fn(&feeds::sync::SyncCounts) -> u64| counts.iter().map(of).sum::<u64>();
    let taken = ran.watched.frames - snapshots;
    let dropped = sent - taken.min(sent) + ran.feed.refused + ran.book.lost + ran.book.dropped_levels;
    let stale = sum(|one| one.gaps + one.cuts)
        + ran.book.disagreed
        + ran.book.crossed
        + ran.book.states.iter().filter(|state| **state != 0).count() as u64;
    let word = |is_zero: bool| if is_zero { "ok (0)" } else { "MISSED (0)" };
    println!("{INSTRUMENTS} instruments, {per_s} messages a second for {seconds} s");
    println!(
        "  messages {sent}, of which depth {}, tickers {}, trades {}; orders placed {}, amended {}, filled {}",
        sum(|one| one.applied),
        ran.feed.events[Event::Ticker as usize],
        ran.feed.events[Event::Trades as usize],
        ran.gateway.orders.placed,
        ran.gateway.orders.amended,
        ran.gateway.orders.filled,
    );
    println!(
        "  dropped {dropped} {}; stale or doubted books {stale} {}",
        word(dropped == 0),
        word(stale == 0)
    );
    let latency = &ran.watched.latency;
    let at = |percentile: f64| latency.value_at_percentile(percentile);
    println!(
        "  ns from due to done: min {} p50 {} p99 {} p99.9 {} max {} of {} messages; p50 {}",
        latency.min(),
        at(50.0),
        at(99.0),
        at(99.9),
        latency.max(),
        latency.len(),
        verdict(at(50.0) as f64, P50_NS_MAX),
    );
    println!(
        "  gaps of the engine's thread {}, of the child's {}; the child was late by {} us at most",
        ran.watched.gaps,
        said.gaps,
        said.fact("late_max_us"),
    );
    // What the smoke test shows: everything that was sent was taken, and every book stands.
    assert_eq!((dropped, stale), (0, 0), "{counts:?} {:?}", ran.book);
}

/// In the child: the market.
pub(crate) fn load(args: &[String]) {
    pin(&args[0]);
    let (per_s, seconds): (u64, u64) =
        (args[1].parse().expect("a rate"), args[2].parse().expect("a duration"));
    let mut quoted: Vec<Quoted> = (0..INSTRUMENTS).map(|index| Quoted::new(&symbol(index))).collect();
    let (mut listening, mut heard) = (Listening::open(false), Heard::default());
    let mut sent = 0;
    // Depth and tickers are on one path, trades on another; 50 names are in a request.
    let is_subscribed = |heard: &Heard, listening: &mut Listening| {
        heard.subscriptions >= 3 && listening.on("/market").is_some()
    };
    while !is_subscribed(&heard, &mut listening) {
        serve(&mut listening, &quoted, &mut heard);
        std::thread::yield_now();
    }
    // Every book asks for its snapshot with its first depth message.
    for one in &mut quoted {
        let text = one.delta(wall_ns(), LEVELS);
        listening.on("/public").expect("the stream").text(&text);
        sent += 1;
    }
    while heard.snapshots < INSTRUMENTS {
        serve(&mut listening, &quoted, &mut heard);
        std::thread::yield_now();
    }
    let mut spinning = Spinning::new(yields(&args[0]));
    let start_ns = wall_ns() + 10_000_000;
    let (total, warm_up) = ((WARM_UP_S + seconds) * per_s, WARM_UP_S * per_s);
    let (mut public, mut market, mut late_max_ns) = (Vec::new(), Vec::new(), 0);
    let mut next = 0;
    while next < total {
        let due = |index: u64| start_ns + index * 1_000_000_000 / per_s;
        // What is due is sent in one go, as a venue's socket brings it.
        let now = wall_ns();
        spinning.look();
        while next < total && due(next) <= now {
            late_max_ns = late_max_ns.max(if next >= warm_up { now - due(next) } else { 0 });
            let one = &mut quoted[usize::try_from(next * 31 % INSTRUMENTS as u64).expect("below 50")];
            match next % 100 {
                kind if kind < DEPTHS => write_frame(&one.delta(due(next), LEVELS), &mut public),
                kind if kind < DEPTHS + TRADES => write_frame(&one.trade(due(next)), &mut market),
                _ => write_frame(&one.ticker(due(next)), &mut public),
            }
            sent += 1;
            next += 1;
            if next == warm_up {
                say_measuring();
                spinning.gaps = crate::samples::Gaps::default();
            }
            if next.is_multiple_of(SERVE_EVERY) {
                serve(&mut listening, &quoted, &mut heard);
            }
        }
        for (path, frames) in [("/public", &mut public), ("/market", &mut market)] {
            let link = listening.on(path).expect("the stream");
            if !frames.is_empty() {
                link.send(frames);
                frames.clear();
            } else {
                // What a full socket left.
                let _ = link.bytes.flush();
            }
        }
    }
    for path in ["/public", "/market"] {
        let link = listening.on(path).expect("the stream");
        while !link.bytes.flush().expect("a socket") {
            std::thread::yield_now();
        }
    }
    let facts = [("sent", sent), ("snapshots", heard.snapshots as u64), ("late_max_us", late_max_ns / 1_000)];
    let facts = facts.map(|(name, value)| (name.to_owned(), value)).to_vec();
    Samples { ns: Vec::new(), gaps: spinning.gaps, facts }.say();
    say_over();
}
