//! From a `bookTicker` on the wire to order bytes on the wire, and a bare echo of the same sizes beside it.
//!
//! ```text
//! child (another process and core)                 the bench
//!   stamp, send ticker ──── market stream ──────▶  live source, decoder, sync, book, signal, strategy, gate, journal
//!   stamp ◀──────────────── WebSocket API ───────  Binance session: order encoded, framed, sent
//!   answers, off the clock ─────────────────────▶  acknowledged before the next ticker
//! ```
//!
//! Times are those of the child: before the ticker's bytes enter the socket, after the first of the order's left it.
//! Its own encryption is outside, on both sides alike.

use crate::child::{Peer, say_measuring, say_over};
use crate::engine::Engine;
use crate::link::{Listening, write_frame};
use crate::market::{Heard, Quoted, answer_all, serve, wall_ns};
use crate::samples::{Gaps, Samples, Spinning};
use crate::{Cores, MINIMAL_ROUNDS, pin, yields};
use engine::time::Nanos;
use wire::net::{Backend, Connected, Connecting, Endpoint, Net, NetOptions, ROOM_BYTES, Received, Resolver};
use wire::tls::TlsConfig;

/// Between two tickers: the order's acknowledgement is taken meanwhile, and the gate lets as many orders through.
const EVERY_NS: u64 = 250_000;
/// A ticker moves a bid and an ask.
const QUOTES: usize = 2;
/// Longest wait for both.
const BOTH_NS_MAX: u64 = 1_000_000_000;
/// Not measured: caches, branch predictors, the first orders.
const WARM_UP: usize = 500;

/// What one kind of socket is measured against.
pub(crate) struct Target {
    /// Beyond the echo's median, ns.
    pub(crate) p50_more_ns: f64,
    /// Times the echo's 99th percentile.
    pub(crate) p99_times: f64,
}

/// Prints the rows of one kind of socket.
pub(crate) fn rows(cores: &Cores, tls: bool, ticks: usize, target: &Target) {
    let rounds = if ticks > 1_000 { 5 } else { MINIMAL_ROUNDS };
    let (mut orders, mut echo, mut engine_gaps) = (Samples::default(), Samples::default(), Gaps::default());
    // In turns, so that what the host does to both cores meanwhile meets both.
    for _ in 0..rounds {
        let (samples, gaps) = orders_of(cores, tls, ticks / rounds);
        engine_gaps.add(gaps);
        let sizes = [samples.fact("ticker_bytes"), samples.fact("order_bytes")];
        orders.add(samples);
        echo.add(cores.on_engine(|| echo_of(cores, tls, ticks / rounds, sizes)));
    }
    let kind = if tls { "TLS 1.3" } else { "TCP" };
    let sizes = format!("{} B, {} B back", orders.fact("ticker_bytes"), orders.fact("order_bytes"));
    let row = |what: String, samples: &Samples, said: String| {
        let [min, p50, p99, p999] = samples.shares([0, 500, 990, 999]);
        println!("{what:<58} {min:>7} {p50:>7} {p99:>8} {p999:>9} {:>7}  {said}", samples.ns.len());
    };
    row(format!("bare echo, {kind}, {sizes}"), &echo, format!("gaps {}", echo.gaps));
    let [p50, p99] = orders.shares([500, 990]).map(|ns| ns as f64);
    let [echo_p50, echo_p99] = echo.shares([500, 990]).map(|ns| ns as f64);
    let odd: u64 = orders.facts.iter().filter(|(name, _)| name == "odd").map(|(_, count)| count).sum();
    if odd > 0 {
        println!("{odd} tickers did not lead to {QUOTES} orders within {} ms", BOTH_NS_MAX / 1_000_000);
    }
    let said = format!(
        "p50 {}, p99 {}; echo {:+.0} ns, x{:.2}; p99 x{:.2}; gaps {}, engine {engine_gaps}",
        crate::verdict::verdict(p50, echo_p50 + target.p50_more_ns),
        crate::verdict::verdict(p99, echo_p99 * target.p99_times),
        p50 - echo_p50,
        p50 / echo_p50,
        p99 / echo_p99,
        orders.gaps,
    );
    row(format!("bookTicker to order bytes, {kind} + WebSocket"), &orders, said);
}

fn args(cores: &Cores, tls: bool, count: usize, more: &[u64]) -> Vec<String> {
    let flag = |is: bool| u64::from(is).to_string();
    let mut args = vec![cores.peer_text(), flag(tls), count.to_string()];
    args.extend(more.iter().map(u64::to_string));
    args
}

/// The engine against the child's venue: what the child measured, and the gaps of the engine's thread.
fn orders_of(cores: &Cores, tls: bool, count: usize) -> (Samples, Gaps) {
    let peer = Peer::start("ticks", &args(cores, tls, count, &[]));
    let engine = Engine::requoting(&peer, tls);
    let ran = engine.run(cores, engine.session(), || peer.is_over());
    (peer.end(), ran.watched.gaps)
}

/// In the child: a venue that sends a ticker and waits for the order that it leads to.
pub(crate) fn ticks(args: &[String]) {
    let (mut quoted, mut heard) = ([Quoted::new("BTCUSDT")], Heard::default());
    pin(&args[0]);
    let (tls, count): (bool, usize) = (args[1] == "1", args[2].parse().expect("a count"));
    let mut listening = Listening::open(tls);
    let yields = yields(&args[0]);
    let mut spinning = Spinning::new(yields);
    let mut samples = Samples::default();
    let mut order_bytes = Vec::new();
    // Until the book is known, the session is live, and a ticker leads to an order.
    while heard.orders == 0 {
        let delta = quoted[0].delta(wall_ns(), 3);
        let ticker = quoted[0].ticker(wall_ns());
        if let Some(market) = listening.on("/public/stream").filter(|_| heard.subscriptions > 0) {
            market.text(&delta);
            market.text(&ticker);
        }
        let until = wall_ns() + 20_000_000;
        while wall_ns() < until {
            serve(&mut listening, &quoted, &mut heard);
            std::thread::yield_now();
        }
    }
    let (mut frame, mut orders_wanted, mut odd) = (Vec::new(), 0, 0);
    for round in 0..WARM_UP + count {
        let started = spinning.now();
        // Both quotes have moved before the next ticker: what comes behind it is because of it.
        while spinning.ns(started, spinning.now()) < EVERY_NS
            || (heard.orders < orders_wanted && spinning.ns(started, spinning.now()) < BOTH_NS_MAX)
        {
            serve(&mut listening, &quoted, &mut heard);
            if yields {
                std::thread::yield_now();
            }
        }
        odd += u64::from(heard.orders != orders_wanted && orders_wanted > 0);
        orders_wanted = heard.orders + QUOTES;
        if round == WARM_UP {
            say_measuring();
        }
        frame.clear();
        write_frame(&quoted[0].ticker(wall_ns()), &mut frame);
        let market = listening.on("/public/stream").expect("the market stream");
        market.bytes.write(&frame).expect("a socket");
        spinning.resume();
        let gaps_before = spinning.gaps;
        let sent = spinning.now();
        market.bytes.flush().expect("a socket");
        let api = listening.on("/ws-fapi").expect("the WebSocket API");
        let mut came = None;
        while came.is_none() && spinning.ns(sent, spinning.now()) < BOTH_NS_MAX {
            let clock = &spinning;
            api.turn(|| came = Some(clock.now()));
            spinning.look();
            assert!(!api.is_over, "the session has gone");
        }
        order_bytes.extend(api.frame_bytes());
        answer_all(api, &quoted, &mut heard);
        if let Some(came) = came.filter(|_| round >= WARM_UP) {
            samples.ns.push(spinning.ns(sent, came));
        } else {
            spinning.gaps = gaps_before;
        }
    }
    order_bytes.sort_unstable();
    let usual = order_bytes.get(order_bytes.len() / 2).copied().unwrap_or(0);
    samples.gaps = spinning.gaps;
    let facts = [("ticker_bytes", frame.len() as u64), ("order_bytes", usual as u64), ("odd", odd)];
    samples.facts = facts.map(|(name, value)| (name.to_owned(), value)).to_vec();
    samples.say();
    say_over();
}

/// A bare echo over the same kind of socket: `sizes` there and back.
fn echo_of(cores: &Cores, tls: bool, count: usize, sizes: [u64; 2]) -> Samples {
    let peer = Peer::start("echo", &args(cores, tls, count, &sizes));
    let trust = tls.then(|| TlsConfig::trusting(peer.root_pem.as_bytes()).expect("the child's root"));
    let endpoint = Endpoint::new("localhost", peer.port, trust);
    let resolver = Resolver::start().expect("a thread");
    let mut net = Net::new(NetOptions { backend: Backend::Busy, busy_poll_us: 0 });
    let mut connecting = Connecting::begin(endpoint, &resolver);
    let mut transport = loop {
        match connecting.poll(&mut net, Nanos(wall_ns())).expect("a connection") {
            Connected::Yes(transport) => break transport,
            Connected::NotYet => std::thread::yield_now(),
        }
    };
    let [there, back] = sizes.map(|bytes| usize::try_from(bytes).expect("a size"));
    let (mut room, reply, mut have) = (vec![0; ROOM_BYTES], vec![b'x'; back], 0);
    let clock = || Nanos(0);
    let mut spinning = Spinning::new(cores.is_alone());
    while !peer.is_over() {
        match transport.recv(&mut net, &clock, &mut room).expect("an echo") {
            (Received::Bytes(count), _) => have += count,
            (Received::Nothing, _) => {}
            (Received::End, _) => break,
        }
        if have >= there {
            have -= there;
            let mut left = &reply[..];
            while !left.is_empty() {
                left = &left[transport.send(&mut net, left).expect("a socket")..];
            }
        }
        spinning.look();
    }
    transport.close(&mut net);
    let mut samples = peer.end();
    samples.gaps.add(spinning.gaps);
    samples
}

/// In the child: sends so many bytes and waits for the others.
pub(crate) fn echo(args: &[String]) {
    pin(&args[0]);
    let number = |at: usize| args[at].parse::<usize>().expect("a number");
    let (tls, count, there, back) = (args[1] == "1", number(2), number(3), number(4));
    let mut listening = Listening::open(tls);
    while listening.links.is_empty() {
        listening.accept();
        std::thread::yield_now();
    }
    let link = &mut listening.links[0].bytes;
    let (text, mut heard) = (vec![b'x'; there], Vec::with_capacity(back));
    let mut spinning = Spinning::new(yields(&args[0]));
    let mut samples = Samples::default();
    for round in 0..WARM_UP + count {
        let started = spinning.now();
        let gaps_before = spinning.gaps;
        while spinning.ns(started, spinning.now()) < EVERY_NS {
            // TLS has its own things to say at first.
            assert!(link.read(&mut heard, || ()).expect("a socket"), "the echo has gone");
        }
        heard.clear();
        link.write(&text).expect("a socket");
        spinning.resume();
        let sent = spinning.now();
        link.flush().expect("a socket");
        let mut came = None;
        while heard.len() < back {
            let clock = &spinning;
            let is_open = link.read(&mut heard, || came = came.or(Some(clock.now()))).expect("a socket");
            assert!(is_open, "the echo has gone");
            spinning.look();
        }
        if let Some(came) = came.filter(|_| round >= WARM_UP) {
            samples.ns.push(spinning.ns(sent, came));
        } else {
            spinning.gaps = gaps_before;
        }
    }
    samples.gaps = spinning.gaps;
    samples.say();
    say_over();
}
