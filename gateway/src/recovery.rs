//! What a run that ended leaves to the next one, read from its journal: the last sequence of its client order ids,
//! the orders that had not ended, and what its strategies hold. It makes no difference how the run ended; an
//! unfinished last record is as if it had never been begun.
//!
//! The gateway's lane alone says all of it, from the last time on that the run told all that it held and had open (`Begun`):
//! what lies before may be gone. Positions are booked again fill by fill and must come out as each record says, and so
//! must what is told again while the run goes on; what does not is an error, and never repaired.

use crate::heard::baselines_of;
use engine::data_dir::DataDir;
use engine::ids::{AccountId, InstrumentId, Lane, StrategyId};
use engine::instrument::InstrumentTable;
use engine::journal::schema::{
    AnsweredBody, BegunBody, CarriedBody, FundingBody, OpeningBody, OrderBody, RecordKind,
};
use engine::journal::{Cursor, Problem, Reader, Stand, Trouble, View, instruments_text};
use engine::message::{Execution, i128_of};
use engine::num::{Level, Qty, Side};
use engine::order::{Order, OrderEvent, OrderState, Tif};
use engine::position::Position;
use engine::time::Nanos;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use zerocopy::FromBytes;

/// What a run left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// The last sequence that an order had; 0: there was none.
    pub last_seq: u64,
    /// Orders that had not ended, as they were last known, by sequence.
    pub orders: Vec<CarriedOrder>,
    /// What strategies hold, and what they had traded.
    pub positions: Vec<HeldPosition>,
    /// Time of the last record.
    pub at: Nanos,
    /// By instrument id, what the account had before any run traded it; below zero or missing: not known.
    pub baselines: Vec<Qty>,
}

/// An order that had not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarriedOrder {
    /// The run that its client order id is of.
    pub run: u32,
    /// The order, unknown: price and quantity as last known, an amendment that was not answered beside them.
    pub order: Order,
}

/// A strategy's position in an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldPosition {
    /// The instrument.
    pub instrument: InstrumentId,
    /// The strategy.
    pub strategy: StrategyId,
    /// What it holds.
    pub position: Position,
}

/// Why nothing can be recovered. Trading must not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecoveryError {
    /// The engine's directory cannot be read.
    DataDir(String),
    /// The journal cannot be read to its end.
    Journal(Problem),
    /// Another process is writing it.
    StillRunning,
    /// The run ended before it had begun: it sent nothing, and does not say what the one before left.
    NotBegun,
    /// The journal's instruments are missing, or other than this run's.
    Instruments,
    /// Records of the gateway's lane are gone, and none behind them says all that was held and open.
    Incomplete,
    /// A record of the gateway's lane does not hold what its kind says, or does not follow from those before it: its
    /// sequence, and what is wrong.
    Record(u64, &'static str),
}

impl fmt::Display for RecoveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DataDir(what) => f.write_str(what),
            Self::Journal(problem) => problem.fmt(f),
            Self::StillRunning => f.write_str("the run is still being written"),
            Self::NotBegun => f.write_str("the run ended before it had begun"),
            Self::Instruments => {
                f.write_str("the journal's instruments are missing, or not those of this run")
            }
            Self::Incomplete => {
                f.write_str("records of the gateway are gone that nothing behind them replaces")
            }
            Self::Record(seq, what) => write!(f, "gateway record {seq}: {what}"),
        }
    }
}

impl std::error::Error for RecoveryError {}

impl From<Problem> for RecoveryError {
    fn from(problem: Problem) -> Self {
        Self::Journal(problem)
    }
}

impl Recovered {
    /// What the last run of an engine that had begun left; nothing where none had. `table` as for [`Self::read`].
    /// Err: see [`RecoveryError`].
    pub fn latest(data: &DataDir, table: &InstrumentTable) -> Result<Self, RecoveryError> {
        let last = data.last_run().map_err(|error| RecoveryError::DataDir(error.to_string()))?;
        for number in (1..=last.map_or(0, |run| run.number)).rev() {
            match Self::read(&data.run(number).path, number, table) {
                // It had no journal yet, or not its beginning.
                Err(RecoveryError::NotBegun) => {}
                Err(RecoveryError::Journal(problem)) if is_missing(&problem) => {}
                found => return found,
            }
        }
        Ok(Self::default())
    }

    /// What a run began with, as its own journal at `path` says: what the run before it had left.
    /// Err: see [`RecoveryError`]; the run ended before it had begun.
    pub fn at_start(path: &Path, table: &InstrumentTable) -> Result<(Self, BegunBody), RecoveryError> {
        let reader = Reader::open(path)?;
        let mut reading = Reading::new(table, 0);
        let mut cursor = reader.cursor(Lane::Gateway);
        while let Some(view) = next(&mut cursor)? {
            reading.take(&view).map_err(|what| RecoveryError::Record(view.seq, what))?;
            if reading.has_begun {
                let at_record = |_| RecoveryError::Record(view.seq, MALFORMED);
                let (begun, _) = BegunBody::read_from_prefix(view.body).map_err(at_record)?;
                return Ok((reading.into_recovered(), begun));
            }
        }
        Err(RecoveryError::NotBegun)
    }

    /// What run number `run`, whose directory or journal lies at `path`, left. `table` is the instruments of the run
    /// that is to go on, which must be the same. Err: see [`RecoveryError`].
    pub fn read(path: &Path, run: u32, table: &InstrumentTable) -> Result<Self, RecoveryError> {
        let reader = Reader::open(path)?;
        if reader.is_being_written().unwrap_or(true) {
            return Err(RecoveryError::StillRunning);
        }
        if !has_begun(&reader)? {
            return Err(RecoveryError::NotBegun);
        }
        same_instruments(&reader, table)?;
        let mut reading = Reading::new(table, run);
        let mut cursor = reader.cursor(Lane::Gateway);
        let mut last_seq = 0;
        while let Some(view) = next(&mut cursor)? {
            if view.seq != last_seq + 1 {
                reading.forget(true);
            }
            last_seq = view.seq;
            reading.take(&view).map_err(|what| RecoveryError::Record(view.seq, what))?;
        }
        if !reading.has_begun {
            return Err(RecoveryError::Incomplete);
        }
        Ok(reading.into_recovered())
    }
}

/// The next record; none behind an unfinished last one.
fn next(cursor: &mut Cursor) -> Result<Option<View<'_>>, Problem> {
    match cursor.step() {
        Ok(Stand::Record) => Ok(cursor.current()),
        Ok(Stand::Tail | Stand::Closed) => Ok(None),
        Err(_) if cursor.is_torn() => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// Whether all that the run before left was written down.
fn has_begun(reader: &Reader) -> Result<bool, RecoveryError> {
    let mut cursor = reader.cursor(Lane::Gateway);
    while let Some(view) = next(&mut cursor)? {
        if view.entry.kind == RecordKind::Begun as u16 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// There is no journal, or no directory.
fn is_missing(problem: &Problem) -> bool {
    matches!(problem.what, Trouble::NoJournal | Trouble::Read(std::io::ErrorKind::NotFound))
}

/// What makes an instrument the one that it was: its number, its name, and what its prices, quantities and amounts count.
/// What a venue allows of it, and where that was read, may be another every day.
fn contracts(text: &str) -> impl Iterator<Item = &str> {
    const KEYS: [&str; 8] =
        ["id", "venue", "symbol", "kind", "tick", "qty_unit", "contract_size", "amount_digits"];
    text.lines().filter(|line| line.split_once(" = ").is_some_and(|(key, _)| KEYS.contains(&key)))
}

/// Instruments are numbered at start: another table would make another market of each number.
fn same_instruments(reader: &Reader, table: &InstrumentTable) -> Result<(), RecoveryError> {
    let mut cursor = reader.cursor(Lane::Runner);
    while let Some(view) = next(&mut cursor)? {
        if view.entry.kind == RecordKind::Instruments as u16 {
            let recorded = std::str::from_utf8(view.body).map_err(|_| RecoveryError::Instruments)?;
            let same = contracts(recorded).eq(contracts(&instruments_text(table)));
            return same.then_some(()).ok_or(RecoveryError::Instruments);
        }
    }
    Err(RecoveryError::Instruments)
}

/// The lane as far as it was read.
struct Reading<'a> {
    run: u32,
    table: &'a InstrumentTable,
    /// All that was held and open is known: a `Begun` has said so.
    has_begun: bool,
    /// `Opening` and `Carried` records since the last record of another kind.
    listed: u64,
    /// Records are missing right before those.
    is_cut: bool,
    last_seq: u64,
    /// By sequence.
    orders: BTreeMap<u64, CarriedOrder>,
    /// By instrument and strategy.
    positions: BTreeMap<(u32, u16), Position>,
    at: Nanos,
    baselines: Vec<Qty>,
}

impl<'a> Reading<'a> {
    fn new(table: &'a InstrumentTable, run: u32) -> Self {
        let (orders, positions) = (BTreeMap::new(), BTreeMap::new());
        let (has_begun, listed, is_cut, last_seq) = (false, 0, false, 0);
        let baselines = Vec::new();
        Self { run, table, has_begun, listed, is_cut, last_seq, orders, positions, at: Nanos(0), baselines }
    }

    /// Nothing is known until all is told; `is_cut`: records are missing before the next one.
    fn forget(&mut self, is_cut: bool) {
        *self = Self { at: self.at, is_cut, ..Self::new(self.table, self.run) };
    }

    fn into_recovered(self) -> Recovered {
        let Self { last_seq, orders, positions, at, baselines, .. } = self;
        let held = |((instrument, strategy), position): ((u32, u16), Position)| HeldPosition {
            instrument: InstrumentId(instrument),
            strategy: StrategyId(strategy),
            position,
        };
        let positions = positions.into_iter().map(held).collect();
        Recovered { last_seq, orders: orders.into_values().collect(), positions, at, baselines }
    }

    fn take(&mut self, view: &View<'_>) -> Result<(), &'static str> {
        self.at = self.at.max(view.entry.recv_ns);
        let instrument = view.entry.instrument;
        let kind = RecordKind::from_u16(view.entry.kind).ok_or("a kind of a later version")?;
        match kind {
            RecordKind::Opening | RecordKind::Carried => self.listed += 1,
            RecordKind::Begun => {}
            // Nothing was sent before all was told.
            _ if !self.has_begun => {
                self.forget(false);
                return Ok(());
            }
            _ => self.listed = 0,
        }
        match kind {
            RecordKind::Opening => {
                let body = OpeningBody::read_from_bytes(view.body).map_err(|_| MALFORMED)?;
                self.holds((instrument.0, body.strategy), body.position())?;
            }
            RecordKind::Account => self.baselines = baselines_of(view.body).ok_or(MALFORMED)?,
            RecordKind::Carried => {
                let body = CarriedBody::read_from_bytes(view.body).map_err(|_| MALFORMED)?;
                let order = order_of(&body.order, instrument).ok_or(MALFORMED)?;
                let order = Order { amend: body.amend, filled: body.filled, ..order };
                self.has_open(CarriedOrder { run: body.run, order })?;
            }
            RecordKind::Begun => self.begins(view.body)?,
            RecordKind::Order => {
                let body = OrderBody::read_from_bytes(view.body).map_err(|_| MALFORMED)?;
                let order = order_of(&body, instrument).ok_or(MALFORMED)?;
                self.insert(CarriedOrder { run: self.run, order })?;
            }
            RecordKind::Amend => {
                let body = OrderBody::read_from_bytes(view.body).map_err(|_| MALFORMED)?;
                let carried = self.orders.get_mut(&body.order_seq).ok_or(NO_ORDER)?;
                carried.order.amend = Level { price: body.price, qty: body.qty };
            }
            RecordKind::OrderUpdate | RecordKind::Fill => {
                let told = Execution::read_from_bytes(view.body).map_err(|_| MALFORMED)?;
                if told.order_seq > 0 {
                    self.told(instrument, &told)?;
                }
            }
            RecordKind::Answered => {
                let body = AnsweredBody::read_from_bytes(view.body).map_err(|_| MALFORMED)?;
                let carried = self.orders.get_mut(&body.order_seq).filter(|carried| carried.run == body.run);
                if let Some(carried) = carried
                    && body.event == AnsweredBody::TRIGGERED
                {
                    triggered(&mut carried.order);
                }
            }
            RecordKind::Funding => {
                let body = FundingBody::read_from_bytes(view.body).map_err(|_| MALFORMED)?;
                let of = self.table.get(instrument).ok_or("an instrument that the run does not have")?;
                let position = self.positions.entry((instrument.0, body.strategy)).or_default();
                let (by, told) = ((body.mark_e8, body.rate_e8), i128_of(body.received));
                let received = position.fund_as_told(of, by, told).map_err(|_| UNBOOKED)?;
                let booked = (position.qty, received, position.cash);
                if booked != (body.qty, i128_of(body.received), i128_of(body.cash)) {
                    return Err(UNBOOKED);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// What a strategy holds.
    fn holds(&mut self, of: (u32, u16), position: Position) -> Result<(), &'static str> {
        if !self.has_begun {
            self.positions.insert(of, position);
            return Ok(());
        }
        // What funding came to is in the cash, and not told apart there.
        let known = self.positions.get(&of).map(|known| Position { funding: 0, ..*known });
        if known == Some(position) { Ok(()) } else { Err(RETOLD) }
    }

    /// An order that has not ended.
    fn has_open(&mut self, carried: CarriedOrder) -> Result<(), &'static str> {
        if !self.has_begun {
            return self.insert(carried);
        }
        let known = self.orders.get_mut(&carried.order.seq).ok_or(RETOLD)?;
        // A fill that overtook an amendment's answer looks like that answer until now; and of a stop at a paper exchange,
        // whose answers are not journalled, nothing said that it was triggered.
        (known.order.amend, known.order.terms) = (carried.order.amend, carried.order.terms);
        if *known == carried { Ok(()) } else { Err(RETOLD) }
    }

    /// All that was held and open stands before.
    fn begins(&mut self, body: &[u8]) -> Result<(), &'static str> {
        let (head, rest) = BegunBody::read_from_prefix(body).map_err(|_| MALFORMED)?;
        let BegunBody { records, last_seq, .. } = head;
        let (baselines, rest) = rest.as_chunks::<8>();
        let baselines: Vec<Qty> = baselines.iter().map(|qty| Qty(i64::from_le_bytes(*qty))).collect();
        if !rest.is_empty() {
            return Err(MALFORMED);
        }
        let listed = std::mem::take(&mut self.listed);
        if self.has_begun {
            let held = self.positions.values().filter(|position| **position != Position::default()).count();
            let known = (held + self.orders.len()) as u64;
            let same = (listed, known) == (records, records) && baselines == self.baselines;
            return if same { Ok(()) } else { Err(RETOLD) };
        }
        match listed == records {
            true => {
                (self.has_begun, self.last_seq) = (true, self.last_seq.max(last_seq));
                self.baselines = baselines;
            }
            false if self.is_cut => self.forget(false),
            false => return Err("not all that it counts stands before it"),
        }
        Ok(())
    }

    fn insert(&mut self, carried: CarriedOrder) -> Result<(), &'static str> {
        self.last_seq = self.last_seq.max(carried.order.seq);
        match self.orders.insert(carried.order.seq, carried) {
            None => Ok(()),
            Some(_) => Err("an order sequence twice"),
        }
    }

    /// An answer, and what it made of the order and of what is held.
    fn told(&mut self, instrument: InstrumentId, told: &Execution) -> Result<(), &'static str> {
        let state = OrderState::ALL.into_iter().find(|state| *state as u8 == told.state).ok_or(MALFORMED)?;
        let carried = self.orders.get_mut(&told.order_seq).ok_or(NO_ORDER)?;
        let order = &mut carried.order;
        if told.filled.0 != order.filled.0.saturating_add(told.fill.qty.0) {
            return Err("a fill is missing before it");
        }
        (order.level, order.filled) = (told.order, told.filled);
        if matches!(state, OrderState::Open | OrderState::PartiallyFilled) {
            order.amend = Level::default();
        }
        if told.fill.qty.0 > 0 {
            // A fill can overtake the news that it was triggered.
            triggered(order);
        }
        let side = order.side;
        if state.is_final() {
            self.orders.remove(&told.order_seq);
        }
        let position = self.positions.entry((instrument.0, told.strategy.0)).or_default();
        if told.fill.qty.0 > 0 {
            let of = self.table.get(instrument).ok_or("an instrument that the run does not have")?;
            let fee = i128_of(told.fees).checked_sub(position.fees).ok_or(UNBOOKED)?;
            position.fill_charged(of, side, told.fill, fee, told.fee_qty).map_err(|_| UNBOOKED)?;
        }
        let booked = (position.qty, position.cash, position.fees);
        if booked == (told.position, i128_of(told.cash), i128_of(told.fees)) { Ok(()) } else { Err(UNBOOKED) }
    }
}

const MALFORMED: &str = "it does not hold what its kind says";
const NO_ORDER: &str = "it is about an order that was never placed, or has ended";
const RETOLD: &str = "what it says is held or open is not what the records before it come to";
const UNBOOKED: &str = "the position after it is not what the fills come to";

/// A stop's trigger was met: from now on the venue knows it as another kind of order, by which it is asked about and
/// canceled. Of an order that waits for none it says nothing.
fn triggered(order: &mut Order) {
    let _ = order.apply(OrderEvent::Triggered);
}

/// The order that a record announced: nobody knows yet what became of it.
fn order_of(body: &OrderBody, instrument: InstrumentId) -> Option<Order> {
    Some(Order {
        seq: body.order_seq,
        instrument,
        strategy: StrategyId(body.strategy),
        account: AccountId(body.account),
        side: Side::BOTH.into_iter().find(|side| *side as u8 == body.side)?,
        level: Level { price: body.price, qty: body.qty },
        amend: Level::default(),
        tif: Tif::ALL.into_iter().find(|tif| *tif as u8 == body.time_in_force)?,
        terms: body.terms()?,
        filled: Qty(0),
        state: OrderState::Unknown,
    })
}
