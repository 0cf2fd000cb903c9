//! Microstructure indicators over whole captures against the recorded columns: exact where they are sums
//! and counts, within 1e-12 where they are quotients.

#[path = "support/capture.rs"]
mod capture;
mod support;

use capture::{PlainBook, Stream, lines, scaled, trade};
use engine::time::Nanos;
use strategies::indicators::Value;
use strategies::indicators::micro::{
    Level, Print, RealisedVolatility, Touch, TradeFlow, Vpin, imbalance, micro_price,
};
use support::text;

const STREAMS: [(Stream, &str); 3] = [
    (Stream { name: "usdm_btcusdt_20240808", files: &["usdm/btcusdt_20240808.gz"], futures: true }, "10"),
    (
        Stream { name: "cm_btcusd_perp_20240808", files: &["cm/btcusd_perp_20240808.gz"], futures: true },
        "200",
    ),
    (Stream { name: "spot_btcusdt_20240808", files: &["spot/btcusdt_20240808.gz"], futures: false }, "3"),
];

/// Prices and quantities are in units of 1e-8 here.
const UNIT: f64 = 1e8;

fn near(place: &str, got: Value, cell: &str, unit: f64) {
    match (got.get(), cell.is_empty()) {
        (None, true) => {}
        (Some(got), false) => {
            let expected: f64 = cell.parse().unwrap();
            let got = got / unit;
            assert!((got - expected).abs() <= 1e-12 * expected.abs(), "{place}: {got} for {expected}");
        }
        (got, _) => panic!("{place}: {got:?} for `{cell}`"),
    }
}

fn check(stream: &Stream, bucket: &str) {
    let table = text(&format!("microstructure/{}.csv", stream.name));
    let mut rows = table.lines();
    let header: Vec<&str> = rows.next().unwrap().split(',').collect();
    assert_eq!(header.len(), 18);
    let mut book = PlainBook::default();
    let mut flow = TradeFlow::new(Nanos(10_000_000_000), 1 << 16);
    let mut vpin = Vpin::new(scaled(bucket), 20);
    let mut volatility = RealisedVolatility::new(60);
    let mut compared = 0;
    for (index, (recv_ns, message)) in lines(stream).iter().enumerate() {
        let at = Nanos(*recv_ns);
        if let Some(trade) = trade(message) {
            let print =
                Print { at, price: trade.price.0, quantity: trade.quantity.0, taker_buys: trade.taker_buys };
            flow.trade(&print);
            vpin.trade(&print);
        }
        let changed = book.take(stream, message);
        let best = |side: Option<(&i64, &i64)>| {
            side.map(|(price, quantity)| Level { price: *price, quantity: *quantity })
        };
        let touch = best(book.bids.iter().next_back()).zip(best(book.asks.iter().next()));
        if let (true, Some((bid, ask))) = (changed, touch) {
            volatility.mid(at, Touch { bid, ask }.mid_x2());
        }
        flow.advance(at);
        volatility.advance(at);
        if (index + 1) % 100 != 0 || !book.is_synchronised() {
            continue;
        }
        let row: Vec<&str> = rows.next().unwrap().split(',').collect();
        let place = |column: usize| format!("{} line {} {}", stream.name, index + 1, header[column]);
        assert_eq!((row[0], row[1]), (&*(index + 1).to_string(), &*recv_ns.to_string()));
        let (bid, ask) = touch.unwrap();
        let touch = Touch { bid, ask };
        let exact = [bid.price, bid.quantity, ask.price, ask.quantity, touch.spread()];
        for (column, got) in (2..).zip(exact) {
            assert_eq!(got, scaled(row[column]), "{}", place(column));
        }
        assert_eq!(touch.mid_x2(), 2 * scaled(row[7]), "{}", place(7));
        near(&place(8), micro_price(&touch).value(), row[8], UNIT);
        let levels = |side: &mut dyn Iterator<Item = (&i64, &i64)>| -> Vec<Level> {
            side.take(10).map(|(price, quantity)| Level { price: *price, quantity: *quantity }).collect()
        };
        let (bids, asks) = (levels(&mut book.bids.iter().rev()), levels(&mut book.asks.iter()));
        for (column, k) in [(9, 1), (10, 5), (11, 10)] {
            near(&place(column), imbalance(&bids, &asks, k).value(), row[column], 1.0);
        }
        assert_eq!(flow.buys(), i128::from(scaled(row[12])), "{}", place(12));
        assert_eq!(flow.sells(), i128::from(scaled(row[13])), "{}", place(13));
        near(&place(14), flow.imbalance().value(), row[14], 1.0);
        assert_eq!(vpin.buckets_done().to_string(), row[15], "{}", place(15));
        near(&place(16), vpin.value().value(), row[16], 1.0);
        near(&place(17), volatility.value(), row[17], 1.0);
        compared += 1;
    }
    assert_eq!(rows.next(), None, "{compared} rows compared, more are recorded");
    assert_eq!(flow.dropped(), 0);
}

#[test]
fn usd_margined_futures_agree() {
    check(&STREAMS[0].0, STREAMS[0].1);
}

#[test]
fn coin_margined_futures_agree() {
    check(&STREAMS[1].0, STREAMS[1].1);
}

#[test]
fn spot_agrees() {
    check(&STREAMS[2].0, STREAMS[2].1);
}
