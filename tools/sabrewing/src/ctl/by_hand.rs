//! `ctl order`, `cancel`, `flatten`: the command as it is typed, and afterwards what the gateway made of it, read from
//! the run's journal.

use crate::replay::recorded::Beginning;
use clap::{ArgGroup, Args, ValueEnum};
use engine::commands::{Answer, CommandKind};
use engine::ids::{Cause, InstrumentId, Lane, StrategyId};
use engine::instrument::{Instrument, InstrumentTable};
use engine::journal::schema::{CommandResult, GateRefusal, HandResult, OrderBody, RecordKind};
use engine::journal::{Cursor, Reader, View};
use engine::message::Execution;
use engine::num::Side;
use engine::order::{OrderKind, OrderState};
use engine::risk::MarketUnits;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use zerocopy::FromBytes;

/// An order as it is typed.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("kind").required(true).multiple(true).args(["market", "limit", "stop"])))]
pub(crate) struct OrderArgs {
    side: OrderSide,
    /// In units of the base asset, or contracts; a multiple of the lot.
    qty: String,
    /// `venue:symbol`.
    instrument: String,
    /// Takes at any price; what it does not find at once is canceled.
    #[arg(long, conflicts_with_all = ["limit", "stop"])]
    market: bool,
    /// Trades at this price or better; with --stop once that was reached.
    #[arg(long, value_name = "PRICE")]
    limit: Option<String>,
    /// GTC, IOC, FOK or post-only; GTC when absent.
    #[arg(long, requires = "limit")]
    tif: Option<String>,
    /// Waits until the market trades there, a buy above it and a sell below; then takes, or rests with --limit.
    #[arg(long, value_name = "TRIGGER")]
    stop: Option<String>,
    /// Only ever reduces the position of its owner.
    #[arg(long)]
    reduce_only: bool,
    /// Whose order it is; `manual` when absent.
    #[arg(long)]
    strategy: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OrderSide {
    Buy,
    Sell,
}

impl OrderArgs {
    pub(super) fn command(&self) -> CommandKind {
        let side = if matches!(self.side, OrderSide::Buy) { "buy" } else { "sell" };
        let mut terms = vec![("side".to_owned(), side.to_owned()), ("qty".to_owned(), self.qty.clone())];
        let more = [
            ("limit", &self.limit),
            ("trigger", &self.stop),
            ("tif", &self.tif),
            ("strategy", &self.strategy),
        ];
        terms.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))));
        terms.extend(self.reduce_only.then(|| ("reduce_only".to_owned(), "1".to_owned())));
        CommandKind::Order { instrument: self.instrument.clone(), terms }
    }
}

/// Which positions are closed.
#[derive(Args, Debug)]
pub(crate) struct FlattenArgs {
    /// Its quotes, its orders, its positions; every strategy, and what was traded by hand, when absent.
    #[arg(long)]
    strategy: Option<String>,
    /// `venue:symbol`; every instrument when absent.
    #[arg(long)]
    instrument: Option<String>,
}

impl FlattenArgs {
    pub(super) fn command(&self) -> CommandKind {
        CommandKind::Flatten { instrument: self.instrument.clone(), strategy: self.strategy.clone() }
    }
}

/// The gateway's lane, from before a command was sent.
pub(super) struct Follower {
    cursor: Cursor,
    table: InstrumentTable,
    strategies: Vec<String>,
}

/// What the gateway made of a command.
#[derive(Default)]
pub(super) struct Told {
    /// It did what was asked, as far as it has said.
    pub(super) done: bool,
    pub(super) lines: Vec<String>,
    pub(super) json: Vec<Value>,
    /// Why not.
    pub(super) refusal: Option<String>,
}

impl Told {
    /// Of a command that was accepted and cannot be followed, as `why` says.
    pub(super) fn nothing(why: &str) -> Self {
        let mut told = Self::default();
        told.problem(why);
        told
    }

    fn problem(&mut self, why: &str) {
        let what = format!("it was sent; what came of it cannot be followed: {why}");
        self.line(what.clone(), json!({ "problem": what }));
    }

    fn line(&mut self, line: String, json: Value) {
        self.lines.push(line);
        self.json.push(json);
    }
}

impl Follower {
    /// At the gateway's newest segment: the lane holds a record of every frame, days of them, and who flattens must not
    /// wait until they were read. Of what was written before the command nothing is caused by it.
    /// Err: the journal cannot be read.
    pub(super) fn open(run_dir: &Path) -> Result<Self, String> {
        let reader = Reader::open(run_dir).map_err(|problem| problem.to_string())?;
        let Beginning { config, table, .. } = Beginning::read(&reader)?;
        let cursor = reader.newest(Lane::Gateway).map_err(|problem| problem.to_string())?;
        let strategies = config.strategies.into_iter().map(|strategy| strategy.name).collect();
        Ok(Self { cursor, table, strategies })
    }

    /// Reads on until everything was said of the command that `journal` holds, or `patience` is over.
    pub(super) fn follow(&mut self, kind: &CommandKind, answer: &Answer, patience: Duration) -> Told {
        let mut watch = Watch { command: answer.journal, order: None, left: None, told: Told::default() };
        let deadline = Instant::now() + patience;
        loop {
            match self.cursor.next() {
                Ok(Some(view)) => {
                    if watch.take(&view, &self.table, &self.strategies, kind) {
                        return watch.told;
                    }
                }
                Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(2)),
                Ok(None) => {
                    let what = "the gateway has said no more in time; the journal goes on".to_owned();
                    watch.told.line(what.clone(), json!({ "late": what }));
                    watch.told.done = watch.left.is_some() || watch.order.is_some();
                    return watch.told;
                }
                Err(problem) => {
                    watch.told.problem(&problem.to_string());
                    return watch.told;
                }
            }
        }
    }
}

struct Watch {
    /// The strategy lane's record of the command.
    command: Cause,
    /// The order that it is about.
    order: Option<u64>,
    /// Results that are still to come.
    left: Option<u64>,
    told: Told,
}

impl Watch {
    /// True: nothing more is to come.
    fn take(
        &mut self,
        view: &View<'_>,
        table: &InstrumentTable,
        strategies: &[String],
        kind: &CommandKind,
    ) -> bool {
        let is_caused = view.entry.cause == self.command;
        let instrument = table.get(view.entry.instrument);
        match RecordKind::from_u16(view.entry.kind) {
            Some(RecordKind::GateRefused) if is_caused => {
                let refusal = GateRefusal::read_from_bytes(view.body).ok().and_then(|body| body.refusal());
                if let (Some(refusal), Some(instrument)) = (refusal, instrument) {
                    self.told.refusal = Some(refusal.in_words(MarketUnits::of(instrument)).to_string());
                }
            }
            Some(RecordKind::Order) if is_caused => {
                if let (Ok(body), Some(instrument)) = (OrderBody::read_from_bytes(view.body), instrument) {
                    let (line, json) = order_line(&body, instrument, strategies);
                    self.told.line(line, json);
                }
            }
            Some(RecordKind::OrderUpdate | RecordKind::Fill) => {
                let execution = Execution::read_from_bytes(view.body).ok();
                let own = execution.zip(instrument).filter(|(told, _)| Some(told.order_seq) == self.order);
                if let Some((told, instrument)) = own {
                    return self.on_execution(&told, instrument, kind);
                }
            }
            Some(RecordKind::CommandResult) if is_caused => {
                if let Ok(body) = CommandResult::read_from_bytes(view.body) {
                    return self.on_result(&body, view.entry.instrument, table, strategies, kind);
                }
            }
            _ => {}
        }
        false
    }

    fn on_execution(&mut self, told: &Execution, instrument: &Instrument, kind: &CommandKind) -> bool {
        let Some(state) = OrderState::ALL.into_iter().find(|state| *state as u8 == told.state) else {
            return false;
        };
        let qty = |qty: engine::num::Qty| qty.display(instrument.qty_unit).to_string();
        let price = told.fill.price.display(instrument.price_rule.tick).to_string();
        let fill =
            if told.fill.qty.0 > 0 { format!(", {} at {price}", qty(told.fill.qty)) } else { String::new() };
        let line = format!(
            "order {} is {}, filled {} of {}{fill}",
            told.order_seq,
            state.name(),
            qty(told.filled),
            qty(told.order.qty)
        );
        let json = json!({
            "order": told.order_seq, "state": state.name(), "filled": qty(told.filled), "qty": qty(told.order.qty),
        });
        self.told.line(line, json);
        if state == OrderState::Rejected {
            self.told.refusal = Some("the exchange rejected it".to_owned());
        }
        self.told.done = state != OrderState::Rejected;
        // An order is followed until it rests or has ended, a cancel until it has ended.
        let rests = matches!(state, OrderState::Open | OrderState::PartiallyFilled);
        state.is_final() || rests && matches!(kind, CommandKind::Order { .. }) && !self.takes_at_once(kind)
    }

    /// Whether an order of the command ends by itself.
    fn takes_at_once(&self, kind: &CommandKind) -> bool {
        let CommandKind::Order { terms, .. } = kind else { return false };
        let find =
            |name: &str| terms.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        match (find("limit"), find("trigger"), find("tif")) {
            (None, None, _) => true,
            (_, None, Some(tif)) => tif.eq_ignore_ascii_case("IOC") || tif.eq_ignore_ascii_case("FOK"),
            _ => false,
        }
    }

    fn on_result(
        &mut self,
        body: &CommandResult,
        instrument: InstrumentId,
        table: &InstrumentTable,
        strategies: &[String],
        kind: &CommandKind,
    ) -> bool {
        let Some(result) = HandResult::from_u16(body.result) else { return false };
        match result {
            HandResult::Closing => {
                self.left = Some(body.order_seq);
                self.told.done = true;
                return body.order_seq == 0;
            }
            HandResult::Left => {
                self.order = Some(body.order_seq);
                self.told.done = true;
                if matches!(kind, CommandKind::Cancel { .. }) {
                    let line = format!("the cancel of order {} left", body.order_seq);
                    self.told.line(line, json!({ "order": body.order_seq, "result": result.name() }));
                }
                return false;
            }
            _ => {}
        }
        if let (Some(left), Some(instrument)) = (self.left, table.get(instrument)) {
            let owner = owner_of(body.strategy, strategies);
            let (name, held) = (instrument.full_name(), body.qty.display(instrument.qty_unit).to_string());
            let line = match result {
                HandResult::Flat if body.order_seq > 0 => {
                    Some(format!("{owner} {name}: closed, nothing is held"))
                }
                HandResult::Flat => None,
                HandResult::NotTrading => Some(format!("{owner} {name}: trading has stopped or not begun")),
                _ => {
                    self.told.done = false;
                    Some(format!("{owner} {name}: {held} could not be closed"))
                }
            };
            let json =
                json!({ "strategy": owner, "instrument": name, "result": result.name(), "held": held });
            match line {
                Some(line) => self.told.line(line, json),
                None => self.told.json.push(json),
            }
            self.left = Some(left.saturating_sub(1));
            return left <= 1;
        }
        self.told.done = false;
        let reason = match result {
            HandResult::NoOrder => "no such order is open",
            HandResult::NoRoom => "too many orders are open beside quotes",
            HandResult::NotTrading => "trading has stopped or not begun",
            HandResult::NotSent => "it could not be sent: the venue is not reached, or takes no more for now",
            _ => "the gate refused it",
        };
        self.told.refusal.get_or_insert_with(|| reason.to_owned());
        true
    }
}

fn order_line(body: &OrderBody, instrument: &Instrument, strategies: &[String]) -> (String, Value) {
    let tick = instrument.price_rule.tick;
    let side = Side::BOTH.into_iter().find(|side| *side as u8 == body.side).map_or("unknown", Side::name);
    let kind = OrderKind::from_u8(body.kind).map_or("unknown", OrderKind::name);
    let (qty, owner) =
        (body.qty.display(instrument.qty_unit).to_string(), owner_of(body.strategy, strategies));
    let price = (body.price.0 > 0).then(|| body.price.display(tick).to_string());
    let trigger = (body.trigger.0 > 0).then(|| body.trigger.display(tick).to_string());
    let mut line =
        format!("order {} of {owner}: {side} {qty} {}, {kind}", body.order_seq, instrument.full_name());
    for (name, price) in [("at", &price), ("when the market reaches", &trigger)] {
        if let Some(price) = price {
            line += &format!(" {name} {price}");
        }
    }
    if body.reduce_only == 1 {
        line += ", reducing only";
    }
    let json = json!({
        "order": body.order_seq, "strategy": owner, "side": side, "qty": qty, "instrument": instrument.full_name(),
        "kind": kind, "price": price, "trigger": trigger, "reduce_only": body.reduce_only == 1,
    });
    (line, json)
}

fn owner_of(strategy: u16, strategies: &[String]) -> String {
    if strategy == StrategyId::MANUAL.0 {
        return StrategyId::MANUAL_NAME.to_owned();
    }
    let name = usize::from(strategy).checked_sub(1).and_then(|index| strategies.get(index));
    name.cloned().unwrap_or_else(|| format!("strategy {strategy}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::replay::SHIPPED_INSTRUMENTS;
    use crate::wiring::Wiring;
    use engine::journal::{
        Entry, Journal, Options, SEGMENT_HEADER_BYTES, Writer, instruments_text, record_bytes,
    };
    use engine::placement::Placement;
    use zerocopy::IntoBytes;

    const COMMAND: Cause = Cause::new(Lane::Strategy, 7);

    /// A run's journal as its runner begins it, in small segments.
    fn begun(run_dir: &Path) -> Journal {
        let config = Config::load(None).unwrap();
        let mut table = InstrumentTable::default();
        table.add(feeds::instruments::parse(SHIPPED_INSTRUMENTS.as_bytes()).unwrap().remove(0));
        let wiring = Wiring::new(&[vec![InstrumentId(0)]], &Placement::one(&[0]));
        let options = Options { segment_bytes: 8192, ..Options::new(7, config.sha256()) };
        let mut journal = Journal::create(&run_dir.join("journal"), options).unwrap();
        let mut runner = journal.writer(Lane::Runner).unwrap();
        for (kind, text) in [
            (RecordKind::Config, config.text.clone()),
            (RecordKind::Instruments, instruments_text(&table)),
            (RecordKind::Wiring, wiring.text()),
        ] {
            append(&journal, &mut runner, kind, Cause::NONE, text.as_bytes());
        }
        journal
    }

    fn append(journal: &Journal, writer: &mut Writer, kind: RecordKind, cause: Cause, body: &[u8]) {
        journal.room().wait(record_bytes(body.len())).unwrap();
        writer.append(Entry { kind: kind as u16, cause, ..Entry::default() }, body).unwrap();
    }

    #[test]
    fn a_command_is_followed_from_the_newest_segment_whatever_lies_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = begun(dir.path());
        let mut gateway = journal.writer(Lane::Gateway).unwrap();
        while gateway.segment_number() < 3 {
            append(&journal, &mut gateway, RecordKind::Stamps, Cause::NONE, &[0; 64]);
        }
        // Nobody has to read what is gigabytes in a run of days.
        std::fs::write(dir.path().join("journal/gateway-000001.seg"), "damaged").unwrap();
        let mut follower = Follower::open(dir.path()).unwrap();
        let result = CommandResult { result: HandResult::Closing as u16, ..CommandResult::default() };
        append(&journal, &mut gateway, RecordKind::CommandResult, COMMAND, result.as_bytes());
        let kind = CommandKind::Flatten { instrument: None, strategy: None };
        let told = follower.follow(&kind, &Answer::accepted(COMMAND), Duration::from_secs(60));
        assert!(told.done && told.lines.is_empty(), "{:?}", told.lines);
    }

    #[test]
    fn a_lane_that_is_damaged_where_the_answer_would_be_is_told_and_is_no_answer() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = begun(dir.path());
        let mut gateway = journal.writer(Lane::Gateway).unwrap();
        append(&journal, &mut gateway, RecordKind::Stamps, Cause::NONE, &[0; 64]);
        let path = dir.path().join("journal/gateway-000001.seg");
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"!", SEGMENT_HEADER_BYTES as u64 + 50).unwrap();
        let mut follower = Follower::open(dir.path()).unwrap();
        let kind = CommandKind::Cancel { order: "7".into() };
        let told = follower.follow(&kind, &Answer::accepted(COMMAND), Duration::from_secs(60));
        assert!(!told.done && told.refusal.is_none());
        assert!(
            told.lines[0].starts_with("it was sent; what came of it cannot be followed: "),
            "{:?}",
            told.lines
        );
    }
}
