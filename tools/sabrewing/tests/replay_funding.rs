//! Positions in perpetuals pay funding at the times that mark prices announce: booked once, exactly, into the journal
//! and the summary, and alike when the run is repeated.

mod support;

use engine::ids::Lane;
use engine::journal::schema::{FundingBody, RecordKind};
use engine::message::{Execution, i128_of};
use support::journal::{Journal, Record};
use support::{Dir, USDM, lines_of, replay};

/// A mark price that was made up.
#[derive(Clone, Copy)]
struct Mark {
    ms: u64,
    /// 10^-8.
    price: i128,
    /// 10^-8.
    rate: i128,
    funding_ms: u64,
}

/// Funding is paid so often.
const INTERVAL_MS: u64 = 20_000;

/// The recorded market with a mark price each second, and the mark prices.
fn market() -> (Vec<String>, Vec<Mark>) {
    let (mut lines, mut marks): (Vec<String>, Vec<Mark>) = (Vec::new(), Vec::new());
    for line in lines_of(USDM).into_iter().take(40_000) {
        let recv_ns: u64 = line.split_once(' ').unwrap().0.parse().unwrap();
        let ms = recv_ns / 1_000_000;
        if marks.last().is_none_or(|last| ms / 1_000 > last.ms / 1_000) {
            let funding_ms = (ms / INTERVAL_MS + 1) * INTERVAL_MS;
            let number = marks.len() as i128;
            let price = 6_100_000_000_000 + number * 7_919 % 1_000 * 12_345_678;
            let rate = (number * 104_729 % 20_001 - 10_000) * 7;
            marks.push(Mark { ms, price, rate, funding_ms });
            let decimal = |e8: i128| {
                let sign = if e8 < 0 { "-" } else { "" };
                format!("{sign}{}.{:08}", e8.abs() / 100_000_000, e8.abs() % 100_000_000)
            };
            let (price, rate) = (decimal(price), decimal(rate));
            lines.push(format!(
                r#"{recv_ns} {{"stream":"btcusdt@markPrice@1s","data":{{"e":"markPriceUpdate","E":{ms},"s":"BTCUSDT","p":"{price}","i":"{price}","P":"{price}","r":"{rate}","T":{funding_ms}}}}}"#
            ));
        }
        lines.push(line);
    }
    (lines, marks)
}

#[test]
fn what_is_held_at_a_funding_time_pays_the_announced_rate_of_its_value_once_and_a_repetition_pays_the_same() {
    let (lines, marks) = market();
    let (dir, mut fundings) = (Dir::new(), Vec::new());
    let capture = dir.lines("marks.txt", &lines);
    for placement in ["one", "five"] {
        let run = dir.at(placement);
        let args = [&capture, "--json", "--journal", &run, "--placement", placement, "--pace", "max"];
        let summary = replay(args).expect(0, &[]).json();
        let journal = Journal::open(&run);
        let gateway = journal.lane(Lane::Gateway);
        let (mut paid, mut cash) = (0_i128, 0_i128);
        let mut at_ends = Vec::new();
        for pair in marks.windows(2).filter(|pair| pair[1].ms >= pair[0].funding_ms) {
            let [before, after] = [pair[0], pair[1]];
            // All of it at this mark price's input: what was held is what the last execution before it left.
            let is_it = |record: &&Record| record.recv_ns / 1_000_000 == after.ms;
            let found: Vec<&Record> =
                gateway.iter().filter(|record| record.kind == RecordKind::Funding).filter(is_it).collect();
            let earlier = gateway.iter().filter(|record| record.kind == RecordKind::Fill);
            let held = match found.first() {
                Some(funding) => earlier.take_while(|fill| fill.seq < funding.seq).last(),
                None => earlier.take_while(|fill| fill.recv_ns / 1_000_000 < after.ms).last(),
            };
            let held = held.map_or(0, |fill| i128::from(fill.body::<Execution>().position.0));
            assert_eq!(found.len(), usize::from(held != 0), "at {}", after.ms);
            let Some(funding) = found.first() else { continue };
            let body: FundingBody = funding.body();
            // Thousandths of a coin, at 10^-8 dollars, of it 10^-8: in 10^-8 dollars, rounded down.
            let received = (-held * after.price * before.rate).div_euclid(10_i128.pow(3 + 8));
            assert_eq!(i128_of(body.received), received);
            assert_eq!(i128::from(body.qty.0), held);
            paid += received;
            at_ends.push((funding.recv_ns, held, received));
        }
        assert!(at_ends.len() >= 3, "{at_ends:?}");
        let records = gateway.iter().filter(|record| record.kind == RecordKind::Funding).count();
        assert_eq!(records, at_ends.len(), "nothing was paid at another time");
        for record in gateway {
            match record.kind {
                RecordKind::Fill => {
                    let fill = record.body::<Execution>();
                    let value = i128::from(fill.fill.price.0) * i128::from(fill.fill.qty.0) * 10_000;
                    cash += if fill.side == 0 { -value } else { value };
                    assert_eq!(cash, i128_of(fill.cash));
                }
                RecordKind::Funding => {
                    let funding = record.body::<FundingBody>();
                    cash += i128_of(funding.received);
                    assert_eq!(cash, i128_of(funding.cash));
                }
                _ => {}
            }
        }
        let in_summary = |amount: i128| {
            let sign = if amount < 0 { "-" } else { "" };
            let text = format!("{sign}{}.{:08}", amount.abs() / 100_000_000, amount.abs() % 100_000_000);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        assert_eq!(summary["funding"]["USDT"], in_summary(paid));
        assert_eq!(summary["cash"]["USDT"], in_summary(cash));
        let verified = replay([&run, "--verify", "--json"]).expect(0, &[]).json();
        assert_eq!(verified["verified"]["difference"], serde_json::Value::Null);
        assert_eq!(verified["funding"], summary["funding"]);
        fundings.push(at_ends);
    }
    assert!(!fundings[0].is_empty());
}
