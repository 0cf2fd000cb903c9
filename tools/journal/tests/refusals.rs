//! A refusal of the gate as `journal dump` shows it: rule, limit and value in words, in the units of the market where
//! the journal names them.

use engine::ids::{AccountId, InstrumentId, Lane, StrategyId};
use engine::journal::schema::{GateRefusal, RecordKind};
use engine::journal::{Entry, Journal, Options};
use engine::num::{Decimal, Level, Price, Qty, Side};
use engine::order::{Order, OrderState, Terms, Tif};
use engine::risk::{Refusal, RiskRule};
use engine::time::Nanos;
use serde_json::Value;
use std::process::Command;
use zerocopy::IntoBytes;

const UNNAMED: &str = "[[instrument]]\nid = 0\nvenue = \"v\"\nsymbol = \"BTCUSDT\"\ntick = \"0.10\"\n\
                       qty_unit = \"0.001\"\namount_digits = 4\n";
const NAMES: &str = "base = \"BTC\"\nquote = \"USDT\"\nkind = \"linear\"\n";

fn reason(instruments: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(&dir.path().join("journal"), Options::new(7, [3; 32])).unwrap();
    let mut runner = journal.writer(Lane::Runner).unwrap();
    let mut gateway = journal.writer(Lane::Gateway).unwrap();
    let entry = |kind: RecordKind| Entry { kind: kind as u16, ..Entry::default() };
    runner.append(entry(RecordKind::Instruments), instruments.as_bytes()).unwrap();
    let order = Order {
        seq: 1,
        instrument: InstrumentId(0),
        strategy: StrategyId(1),
        account: AccountId(0),
        side: Side::Buy,
        level: Level { price: Price(600_000), qty: Qty(20) },
        amend: Level::default(),
        tif: Tif::PostOnly,
        terms: Terms::LIMIT,
        filled: Qty(0),
        state: OrderState::Rejected,
    };
    let decimal = |text| Decimal::parse(text).unwrap();
    let (rule, until) = (RiskRule::OrderSize, Nanos::MAX);
    let refusal = Refusal { rule, limit: decimal("1000"), value: decimal("1200.5"), until };
    let body = GateRefusal::new(&order, &refusal);
    gateway.append(entry(RecordKind::GateRefused), body.as_bytes()).unwrap();
    drop((runner, gateway));
    journal.close().unwrap();
    let dump = ["dump", dir.path().to_str().unwrap(), "--kind", "gate-refused", "--json"];
    let output = Command::new(env!("CARGO_BIN_EXE_journal")).args(dump).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    shown["body"]["reason"].as_str().unwrap().to_owned()
}

#[test]
fn a_refusal_is_said_in_words_with_its_rule_limit_and_value() {
    let named = reason(&format!("{UNNAMED}{NAMES}"));
    assert_eq!(named, "order_size: value 1200.5 USDT is above order_notional_max 1000");
    let unnamed = reason(UNNAMED);
    assert_eq!(unnamed, "order_size: value 1200.5 of the quote asset is above order_notional_max 1000");
}
