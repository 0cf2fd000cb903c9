//! An approved order to the bytes that the venue reads: placed, amended, canceled, over an authenticated session,
//! signed by HMAC-SHA256, signed by Ed25519. Beside them, in the same run, what the bare signatures cost.
//!
//! `cargo bench -p gateway --bench encode`. Run by `cargo test`, it only shows that it runs.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads clocks")]

#[path = "../gateway/tests/support/mod.rs"]
mod support;
mod verdict;

use engine::num::{Level, Price, Qty, Side};
use engine::order::{Order, Tif};
use engine::time::Nanos;
use gateway::client_order_id::ClientOrderIds;
use gateway::codec::{OpenOrder, OrderCodec, Request};
use gateway::venues::binance::{Authentication, BinanceCodec, RecvWindow};
use std::hint::black_box;
use std::time::Instant;
use support::{API_KEY, approved, ed25519_key, hmac_key, instruments, order};
use verdict::verdict;

const ORDERS: usize = 1024;
/// An order for an authenticated session.
const SESSION_NS_MAX: f64 = 100.0;
/// An order signed by HMAC-SHA256.
const HMAC_NS_MAX: f64 = 400.0;

fn main() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let rounds = if is_bench { 101 } else { 1 };
    println!("{:<40} {:>8} {:>8} {:>8} {:>8}", "ns", "min", "p50", "p99", "bytes");

    let (hmac, ed25519, text) = (hmac_key(), ed25519_key(), [b'x'; 200]);
    row("bare HMAC-SHA256 of 200 bytes, hex", rounds, 1, None, |_| {
        black_box(hmac.sign(black_box(&text))).map_or(0, |signature| signature.len())
    });
    row("bare Ed25519 of 200 bytes, base64", rounds, 16, None, |_| {
        black_box(ed25519.sign(black_box(&text))).map_or(0, |signature| signature.len())
    });
    for (name, way, share, target_max) in [
        ("session", 0, 1, Some(SESSION_NS_MAX)),
        ("HMAC-SHA256", 1, 1, Some(HMAC_NS_MAX)),
        ("Ed25519", 2, 16, None),
    ] {
        let authentication = || match way {
            0 => Authentication::Session,
            1 => Authentication::Hmac { api_key: API_KEY.into(), key: hmac_key() },
            _ => Authentication::Ed25519 { api_key: API_KEY.into(), key: ed25519_key() },
        };
        orders(name, &authentication, rounds, share, target_max);
    }
}

/// Rows of one way to authenticate: a spot order, a future's, its amendment, its cancel.
fn orders(
    name: &str,
    authentication: &dyn Fn() -> Authentication,
    rounds: usize,
    share: usize,
    target_max: Option<f64>,
) {
    let instruments = instruments();
    let window = RecvWindow::from_ms(2000).expect("in range");
    let mut codec = BinanceCodec::new(&instruments, authentication(), window).expect("a codec");
    let mut out = [0; BinanceCodec::MESSAGE_BYTES_MAX];
    let ids = ClientOrderIds::new(7, 12);
    let request = |at: usize| Request { id: at as u64, now: Nanos::from_ms(1_763_683_200_000 + at as u64) };
    let many = |instrument: usize, price_step: i64| -> Vec<_> {
        let one = |at: usize| {
            let moved = i64::try_from(at).unwrap_or_default();
            let side = Side::BOTH[at % 2];
            let order = order(
                instruments[instrument].id.0,
                side,
                Tif::PostOnly,
                618_000 + moved * price_step,
                1_000 + moved,
            );
            (Order { seq: at as u64 + 1, ..order }, ids.id(at as u64 + 1))
        };
        (0..ORDERS).map(one).collect()
    };
    let spot: Vec<_> =
        many(0, 7).into_iter().map(|(order, id)| (approved(order, &instruments[0]), id)).collect();
    row(&format!("{name}: place, spot"), rounds, share, target_max, |at| {
        let (order, id) = &spot[at];
        codec.place(request(at), order, id, &mut out).map_or(0, |bytes| black_box(bytes).len())
    });
    let future: Vec<_> =
        many(1, 7).into_iter().map(|(order, id)| (approved(order, &instruments[1]), id)).collect();
    row(&format!("{name}: place, USD-M"), rounds, share, target_max, |at| {
        let (order, id) = &future[at];
        codec.place(request(at), order, id, &mut out).map_or(0, |bytes| black_box(bytes).len())
    });
    let moved: Vec<_> = many(1, 7)
        .into_iter()
        .map(|(open, id)| {
            let level = Level { price: Price(open.level.price.0 + 1), qty: Qty(open.level.qty.0) };
            (open, id, approved(Order { level, ..open }, &instruments[1]))
        })
        .collect();
    row(&format!("{name}: amend, USD-M"), rounds, share, target_max, |at| {
        let (open, id, to) = &moved[at];
        let open = OpenOrder { order: open, id };
        codec.amend(request(at), open, to, id, &mut out).map_or(0, |bytes| black_box(bytes).len())
    });
    row(&format!("{name}: cancel, USD-M"), rounds, share, target_max, |at| {
        let (open, id, _) = &moved[at];
        codec.cancel(request(at), open, id, &mut out).map_or(0, |bytes| black_box(bytes).len())
    });
}

/// Times rounds of calls, each with another order; `share` of a round's calls for slow ones. Percentiles are of the
/// rounds' means: a single call is too short for the clock.
fn row(
    name: &str,
    rounds: usize,
    share: usize,
    target_max: Option<f64>,
    mut call: impl FnMut(usize) -> usize,
) {
    let calls = ORDERS / share;
    let mut bytes = call(0);
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            for at in 0..calls {
                bytes = bytes.max(call(at));
            }
            start.elapsed().as_nanos() as f64 / calls as f64
        })
        .collect();
    times.sort_unstable_by(f64::total_cmp);
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    let verdict = verdict(at(50), target_max);
    println!("{name:<40} {:>8.1} {:>8.1} {:>8.1} {bytes:>8}  {verdict}", at(0), at(50), at(99));
}
