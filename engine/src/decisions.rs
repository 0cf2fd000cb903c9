//! The decisions of a run as a listing: what two runs must have in common to have decided alike.
//!
//! One line a decision, in the order in which the strategy stage lived through them: targets and parameter
//! changes as it stated them, gate answers, orders, answers and fills as it took them. A line holds what was
//! decided and when, relative to the first input; it holds no stamp, no record sequence, no file, no
//! placement, and of a client order id the sequence alone. The SHA-256 of the listing is the run's
//! `decisions_sha256`; whether it is made while the run goes on or from the journal afterwards, it is the same.
//!
//! The order comes from the strategy lane's `Took` records: so many executions were taken there before the
//! next target. Every `GateRefused` (but that of a cancel, which no strategy is told of), `OrderUpdate` and `Fill` of
//! the gateway lane is one execution; its orders, amendments and cancels stand before the execution that followed
//! them. An `order` or `amend` line is also the gate's approval: neither is ever written without it.

use crate::ids::{InstrumentId, Lane};
use crate::journal::schema::{GateRefusal, OrderBody, ParamChange, RecordKind, Took};
use crate::message::{Execution, Quotes, i128_of};
use crate::num::Level;
use crate::order::OrderKind;
use crate::risk::RiskRule;
use crate::time::Nanos;
use std::collections::VecDeque;
use std::fmt::Write;
use zerocopy::FromBytes;

/// One record, as the journal or a running stage has it.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The stage that wrote it.
    pub lane: Lane,
    /// `RecordKind` as a number.
    pub kind: u16,
    /// What it is about.
    pub instrument: InstrumentId,
    /// The time of the input being handled.
    pub recv_ns: Nanos,
    /// What it says.
    pub body: &'a [u8],
}

/// Whether a record takes part in the listing.
#[must_use]
pub const fn is_listed(lane: Lane, kind: RecordKind) -> bool {
    match lane {
        Lane::Strategy => {
            matches!(kind, RecordKind::Took | RecordKind::Target | RecordKind::Param)
        }
        Lane::Gateway => matches!(
            kind,
            RecordKind::GateRefused
                | RecordKind::Order
                | RecordKind::Amend
                | RecordKind::Cancel
                | RecordKind::OrderUpdate
                | RecordKind::Fill
        ),
        _ => false,
    }
}

/// Puts the two lanes' records into one order. Each lane's records come in the lane's order; between the lanes
/// any order will do.
#[derive(Debug, Default)]
pub struct Decisions {
    base: Option<Nanos>,
    strategy: VecDeque<Step>,
    /// Lines of the gateway lane that the strategy stage has not taken yet.
    gateway: VecDeque<Line>,
    /// Executions that it has taken and whose lines have not come yet.
    owed: u64,
}

#[derive(Debug)]
enum Step {
    Stated(Line),
    TookExecutions(u32),
}

#[derive(Debug)]
struct Line {
    at: Nanos,
    text: String,
    /// An execution; otherwise it stands before the next one.
    is_execution: bool,
}

/// Input of the strategy stage that the market comes by: `Took::input`.
pub const MARKET_INPUT: u32 = 0;
/// Input that executions come by.
pub const EXECUTIONS_INPUT: u32 = 1;
/// Input that commands come by.
pub const COMMANDS_INPUT: u32 = 2;

impl Decisions {
    /// Takes one record; what is in order by then goes to `out`, a line at a time, line feed included.
    /// Err: a record that does not hold what its kind says, with kind and length.
    pub fn record(&mut self, record: &Record<'_>, out: &mut impl FnMut(&str)) -> Result<(), String> {
        let Some(kind) = RecordKind::from_u16(record.kind).filter(|kind| is_listed(record.lane, *kind))
        else {
            return Ok(());
        };
        let malformed = || format!("a {} record of {} bytes cannot be read", kind.name(), record.body.len());
        if kind == RecordKind::Took {
            let took = Took::read_from_bytes(record.body).map_err(|_| malformed())?;
            match took.input {
                EXECUTIONS_INPUT => self.strategy.push_back(Step::TookExecutions(took.count)),
                // The stage's first input from the market is the run's first: times count from there.
                MARKET_INPUT => _ = self.base.get_or_insert(record.recv_ns),
                _ => {}
            }
        } else {
            let text = line_of(kind, record).ok_or_else(malformed)?;
            let is_execution = match kind {
                RecordKind::GateRefused => GateRefusal::read_from_bytes(record.body)
                    .is_ok_and(|refusal| refusal.rule != RiskRule::CancelRate as u16),
                RecordKind::OrderUpdate | RecordKind::Fill => true,
                _ => false,
            };
            let line = Line { at: record.recv_ns, text, is_execution };
            match record.lane {
                Lane::Strategy => self.strategy.push_back(Step::Stated(line)),
                _ => self.gateway.push_back(line),
            }
        }
        // Times count from the first input of the market: nothing is said before that is known.
        if self.base.is_some() {
            self.put_in_order(out);
        }
        Ok(())
    }

    /// The lane whose next record brings the listing on: read in this order, the lanes need no memory.
    #[must_use]
    pub const fn next_lane(&self) -> Lane {
        if self.owed > 0 { Lane::Gateway } else { Lane::Strategy }
    }

    /// The end of both lanes: what the strategy stage never took comes last, in the gateway's order.
    pub fn finish(&mut self, out: &mut impl FnMut(&str)) {
        self.put_in_order(out);
        let (stated, rest) = (std::mem::take(&mut self.strategy), std::mem::take(&mut self.gateway));
        for line in rest {
            self.say(&line, out);
        }
        for step in stated {
            if let Step::Stated(line) = step {
                self.say(&line, out);
            }
        }
    }

    fn put_in_order(&mut self, out: &mut impl FnMut(&str)) {
        loop {
            while self.owed > 0 {
                let Some(line) = self.gateway.pop_front() else { return };
                self.owed -= u64::from(line.is_execution);
                self.say(&line, out);
            }
            match self.strategy.pop_front() {
                None => return,
                Some(Step::Stated(line)) => self.say(&line, out),
                Some(Step::TookExecutions(count)) => self.owed += u64::from(count),
            }
        }
    }

    fn say(&self, line: &Line, out: &mut impl FnMut(&str)) {
        let after = line.at.since(self.base.unwrap_or(line.at));
        out(&format!("{} {}\n", after.0, line.text));
    }
}

/// What a listed record says, in the instrument's integers. None: it does not hold what its kind says, or its kind
/// has no line.
#[must_use]
pub fn line_of(kind: RecordKind, record: &Record<'_>) -> Option<String> {
    let (name, instrument, body) = (kind.name(), record.instrument, record.body);
    let mut line = String::new();
    match kind {
        RecordKind::Target => {
            let quotes = Quotes::read(body)?;
            let first = &quotes.first;
            write!(
                line,
                "{name} instrument={instrument} strategy={} reason={} tolerance={},{}",
                first.strategy, first.reason, first.price_tolerance_ticks, first.qty_tolerance_bps
            )
            .ok()?;
            for (bid, ask) in quotes.pairs() {
                write!(line, " {}/{}", level(bid), level(ask)).ok()?;
            }
        }
        RecordKind::GateRefused => {
            let refused = GateRefusal::read_from_bytes(body).ok()?;
            let GateRefusal { price, qty, limit, value, exponents, rule, side, kind, strategy } = refused;
            write!(
                line,
                "{name} instrument={instrument} strategy={strategy} side={side} {} rule={rule} limit={}e-{} value={}e-{}",
                level(Level { price, qty }),
                i128_of(limit),
                exponents[0],
                i128_of(value),
                exponents[1]
            )
            .ok()?;
            if kind != OrderKind::Limit as u8 {
                write!(line, " kind={kind}").ok()?;
            }
        }
        RecordKind::Param => {
            let ParamChange { strategy, index, value, .. } = ParamChange::read_from_bytes(body).ok()?;
            write!(line, "{name} strategy={strategy} index={index} value={value}").ok()?;
        }
        RecordKind::Order | RecordKind::Amend | RecordKind::Cancel => {
            let order = OrderBody::read_from_bytes(body).ok()?;
            write!(
                line,
                "{name} instrument={instrument} strategy={} account={} order={} side={} tif={} {}",
                order.strategy,
                order.account,
                order.order_seq,
                order.side,
                order.time_in_force,
                level(Level { price: order.price, qty: order.qty })
            )
            .ok()?;
            // Of a plain limit order these three say nothing.
            let OrderBody { kind, trigger, reduce_only, .. } = order;
            if (kind, trigger.0, reduce_only) != (OrderKind::Limit as u8, 0, 0) {
                write!(line, " kind={kind} trigger={} reduce={reduce_only}", trigger.0).ok()?;
            }
        }
        RecordKind::OrderUpdate | RecordKind::Fill => {
            let update = Execution::read_from_bytes(body).ok()?;
            write!(
                line,
                "{name} instrument={instrument} strategy={} order={} side={} {} state={} filled={} fill={} maker={} position={} cash={} fees={}",
                update.strategy,
                update.order_seq,
                update.side,
                level(update.order),
                update.state,
                update.filled.0,
                level(update.fill),
                update.maker,
                update.position.0,
                i128_of(update.cash),
                i128_of(update.fees)
            )
            .ok()?;
        }
        _ => return None,
    }
    Some(line)
}

fn level(level: Level) -> String {
    format!("{}x{}", level.price.0, level.qty.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::QuoteReason;
    use crate::num::{Price, Qty};
    use proptest::prelude::*;
    use zerocopy::IntoBytes;

    /// A record with its body.
    #[derive(Clone, Debug)]
    struct Owned(Lane, RecordKind, u64, Vec<u8>);

    impl Owned {
        fn as_record(&self) -> Record<'_> {
            let Self(lane, kind, at, body) = self;
            let instrument = InstrumentId(0);
            Record { lane: *lane, kind: *kind as u16, instrument, recv_ns: Nanos(*at), body }
        }
    }

    fn took(input: u32, count: u32, at: u64) -> Owned {
        Owned(Lane::Strategy, RecordKind::Took, at, Took { input, count }.as_bytes().to_vec())
    }

    fn target(price: i64, at: u64) -> Owned {
        let level = Level { price: Price(price), qty: Qty(2) };
        let quotes = Quotes::new(level, Level::default(), QuoteReason::PositionShort);
        Owned(Lane::Strategy, RecordKind::Target, at, quotes.used_cells().as_bytes().to_vec())
    }

    fn order(order_seq: u64, at: u64) -> Owned {
        let body = OrderBody { order_seq, price: Price(100), qty: Qty(2), ..OrderBody::default() };
        Owned(Lane::Gateway, RecordKind::Order, at, body.as_bytes().to_vec())
    }

    fn update(order_seq: u64, at: u64) -> Owned {
        let body = Execution { order_seq, state: 1, ..Execution::default() };
        Owned(Lane::Gateway, RecordKind::OrderUpdate, at, body.as_bytes().to_vec())
    }

    fn listing<'a>(records: impl IntoIterator<Item = &'a Owned>) -> String {
        let (mut decisions, mut text) = (Decisions::default(), String::new());
        let mut out = |line: &str| text.push_str(line);
        for record in records {
            decisions.record(&record.as_record(), &mut out).unwrap();
        }
        decisions.finish(&mut out);
        text
    }

    fn strategy_lane() -> Vec<Owned> {
        vec![took(0, 1, 1000), target(100, 1000), took(1, 1, 1010), target(101, 1010), took(0, 5, 1100)]
    }

    fn gateway_lane() -> Vec<Owned> {
        vec![order(1, 1000), update(1, 1005), order(2, 1010), update(2, 1200)]
    }

    #[test]
    fn times_count_from_the_first_input_of_the_market_whichever_lane_is_read_first() {
        let strategy = [took(EXECUTIONS_INPUT, 1, 0), took(MARKET_INPUT, 1, 40)];
        let gateway = [update(7, 60)];
        let strategy_first = listing(strategy.iter().chain(&gateway));
        assert_eq!(strategy_first, listing(gateway.iter().chain(&strategy)));
        assert_eq!(strategy_first, listing([&strategy[0], &gateway[0], &strategy[1]]));
        assert!(strategy_first.starts_with("20 order-update "), "{strategy_first}");
    }

    #[test]
    fn decisions_stand_where_the_strategy_lived_through_them() {
        let kinds: Vec<String> = listing(strategy_lane().iter().chain(&gateway_lane()))
            .lines()
            .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
            .collect();
        let expected = ["0 target", "0 order", "5 order-update", "10 target", "10 order", "200 order-update"];
        assert_eq!(kinds, expected, "the last two were never taken");
    }

    #[test]
    fn parameters_and_amendments_are_decisions_and_a_refused_cancel_is_no_execution() {
        let change = ParamChange { strategy: 1, index: 3, reserved: 0, value: -5 };
        let param = Owned(Lane::Strategy, RecordKind::Param, 1000, change.as_bytes().to_vec());
        let stop =
            OrderBody { order_seq: 8, kind: 2, trigger: Price(90), reduce_only: 1, ..OrderBody::default() };
        let stop = Owned(Lane::Gateway, RecordKind::Order, 1000, stop.as_bytes().to_vec());
        let amend = Owned(Lane::Gateway, RecordKind::Amend, 1000, order(7, 0).3);
        let refused = |rule: RiskRule, at| {
            let body = GateRefusal { rule: rule as u16, ..GateRefusal::default() };
            Owned(Lane::Gateway, RecordKind::GateRefused, at, body.as_bytes().to_vec())
        };
        let (cancel, placed) = (refused(RiskRule::CancelRate, 1001), refused(RiskRule::OrderRate, 1002));
        let strategy = [took(0, 2, 1000), param, took(1, 1, 1002), target(3, 1003)];
        let text = listing(strategy.iter().chain(&[amend, stop, cancel, placed, update(7, 1004)]));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "0 param strategy=1 index=3 value=-5");
        assert_eq!(lines[1], "0 amend instrument=0 strategy=0 account=0 order=7 side=0 tif=0 100x2");
        let stop =
            "0 order instrument=0 strategy=0 account=0 order=8 side=0 tif=0 0x0 kind=2 trigger=90 reduce=1";
        assert_eq!(lines[2], stop);
        let kinds: Vec<_> =
            lines.iter().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(kinds[3..], ["1 gate-refused", "2 gate-refused", "3 target", "4 order-update"]);
    }

    #[test]
    fn a_command_before_the_market_does_not_set_the_time() {
        let command =
            Owned(Lane::Strategy, RecordKind::Took, 0, Took { input: 2, count: 1 }.as_bytes().to_vec());
        let records = [command, took(0, 1, 500), target(1, 600)];
        assert!(listing(&records).starts_with("100 target "));
    }

    #[test]
    fn a_record_that_lies_about_its_kind_is_an_error() {
        let cut = Owned(Lane::Gateway, RecordKind::Fill, 1, vec![0; 127]);
        let error = Decisions::default().record(&cut.as_record(), &mut |_| ()).unwrap_err();
        assert_eq!(error, "a fill record of 127 bytes cannot be read");
    }

    proptest! {
        /// Whichever lane is read first, the listing is the same.
        #[test]
        fn the_listing_does_not_depend_on_how_the_lanes_interleave(choices in proptest::collection::vec(any::<bool>(), 9)) {
            let (mut strategy, mut gateway) = (strategy_lane().into_iter(), gateway_lane().into_iter());
            let mut records = Vec::new();
            for from_strategy in choices {
                records.extend(if from_strategy { strategy.next() } else { gateway.next() });
            }
            records.extend(strategy);
            records.extend(gateway);
            prop_assert_eq!(listing(&records), listing(strategy_lane().iter().chain(&gateway_lane())));
        }
    }
}
