//! One life of the engine: five stages on one thread, from its start, which may be a restart, to its crash or its end.

use crate::bug::Bug;
use crate::feed::{FaultyFeed, Market};
use crate::link::{Death, FaultyLink, World};
use crate::plan::{Crash, Tail};
use engine::book::Book;
use engine::book_stage::BookTap;
use engine::counters::{Counters, Run};
use engine::data_dir::{DataDir, RunDir};
use engine::ids::{InstrumentId, Lane};
use engine::instrument::InstrumentTable;
use engine::journal::schema::RecordKind;
use engine::journal::{Entry, Journal, Options, Reader, Stand, instruments_text};
use engine::message::{Depth, Head};
use engine::placement::Placement;
use engine::runner::{Chain, Control, Turn};
use engine::time::{Nanos, StampClock};
use gateway::client_order_id::ClientOrderIds;
use gateway::manager::GatewayReport;
use gateway::recovery::{Recovered, RecoveryError};
use sabrewing::config::Config;
use sabrewing::pipeline::{Party, Setup, assemble_with, build};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use strategies::signal::Subscriptions;

/// What a life left besides its journal.
pub(crate) struct Life {
    pub(crate) run: RunDir,
    /// Its gateway lane lost records that had been written.
    pub(crate) lost_tail: bool,
    pub(crate) has_crashed: bool,
    /// Why it stopped trading, if it did.
    pub(crate) stopped: Option<String>,
    /// It refused to trade because journal and venue did not agree.
    pub(crate) refused: bool,
    /// What the gateway reported at its end.
    pub(crate) report: GatewayReport,
}

/// What lives share.
pub(crate) struct Circumstances {
    pub(crate) config: Config,
    pub(crate) table: InstrumentTable,
    pub(crate) market: Arc<Mutex<Market>>,
    pub(crate) world: Arc<Mutex<World>>,
    pub(crate) bug: Option<Bug>,
}

/// Nobody looks at the books.
struct NoTap;

impl BookTap for NoTap {
    fn applied(&mut self, _head: &Head, _depth: &Depth, _book: &Book) {}
    fn replacing(&mut self, _instrument: InstrumentId, _book: &Book) {}
    fn ended(&mut self, _instrument: InstrumentId, _book: &Book) {}
}

/// The engine's id in every simulated client order id.
pub(crate) const ENGINE: u16 = 9;

impl Circumstances {
    /// The so many-th life, from 0; `crash`: how it is to end. Err: it could not begin.
    pub(crate) fn live(&self, data: &DataDir, life: usize, crash: Option<&Crash>) -> Result<Life, String> {
        let recovered = match self.bug {
            Some(Bug::ForgottenRun) => Recovered::default(),
            _ => Recovered::latest(data, &self.table).map_err(|e: RecoveryError| e.to_string())?,
        };
        let run = data.begin_run().map_err(|e| e.to_string())?;
        let ids = match self.bug {
            Some(Bug::ReusedIds) => ClientOrderIds::new(ENGINE, 1),
            _ => ClientOrderIds::new(ENGINE, run.number),
        };
        let recovered = match self.bug {
            Some(Bug::ReusedIds) => Recovered { last_seq: 0, orders: vec![], ..recovered },
            _ => recovered,
        };
        let tails: Arc<Mutex<Vec<(PathBuf, u64)>>> = Arc::default();
        let death = crash.map(|crash| {
            let (tails, dir) = (Arc::clone(&tails), run.path.clone());
            let witness = Box::new(move || {
                *tails.lock().unwrap_or_else(PoisonError::into_inner) = tails_of(&dir);
            });
            Death { request: crash.request, is_sent: crash.is_sent, witness }
        });
        self.world().begin_life(life, death);

        let options = Options {
            feed_segment_bytes: FEED_SEGMENT_BYTES,
            segment_bytes: SEGMENT_BYTES,
            ..Options::new(u64::from(run.number), [0; 32])
        };
        let mut journal = Journal::create(&run.path.join("journal"), options).map_err(|e| e.to_string())?;
        let mut runner = journal.writer(Lane::Runner).map_err(|e| e.to_string())?;
        let entry = Entry { kind: RecordKind::Instruments as u16, ..Entry::default() };
        runner.append(entry, instruments_text(&self.table).as_bytes()).map_err(|e| e.to_string())?;

        let control = Arc::new(Control::default());
        let (report, is_over) = {
            let mut counters = Counters::create(None, &Run { id: 1, start: Nanos(0) }, COUNTERS_MAX)
                .map_err(|e| e.to_string())?;
            let clock = StampClock::off();
            let of_connection: Vec<_> = self.table.iter().map(|one| vec![one.id]).collect();
            let setup = Setup {
                config: &self.config,
                table: &self.table,
                of_connection: &of_connection,
                subscriptions: &Subscriptions::new(),
                clock: &clock,
                control: &control,
            };
            let feed = FaultyFeed::new(Arc::clone(&self.market), of_connection.len());
            let party = Party { exchange: FaultyLink::new(Arc::clone(&self.world)), ids };
            let writer = |lane| journal.writer(lane).map_err(|e| e.to_string());
            let (mut stages, reports) =
                assemble_with(&setup, feed, NoTap, &mut counters, writer, party, Some(&recovered))?;
            stages.gateway.tell_state_every(STATE_EVERY);
            let placement = Placement::one(&[0]);
            let threads = build(stages, &placement, self.table.len(), &clock, &mut counters)
                .map_err(|e| e.to_string())?;
            let mut chains: Vec<Box<dyn Chain>> =
                threads.into_iter().flat_map(|thread| thread.chains).collect();
            let is_over = self.turn(&mut chains, &control, crash.map_or(u64::MAX, |crash| crash.frames));
            drop(chains);
            let report = reports.gateway.recv().map_err(|_| "the gateway ended without a report")?;
            (report, is_over)
        };
        drop((runner, journal));
        let tails = std::mem::take(&mut *tails.lock().unwrap_or_else(PoisonError::into_inner));
        cut(&tails).map_err(|e| e.to_string())?;
        let has_crashed = !is_over;
        let lost_tail = match crash {
            Some(crash) if has_crashed => damage(&run.path, crash.tail).map_err(|e| e.to_string())?,
            _ => false,
        };
        if self.bug == Some(Bug::LostCause) {
            forget_a_target(&run.path).map_err(|e| e.to_string())?;
        }
        let stopped = control.stopped().map(|reason| {
            let detail = control.detail().unwrap_or_default();
            format!("{}: {detail}", reason.name())
        });
        let refused = control.stopped() == Some(engine::runner::StopReason::Unreconciled);
        Ok(Life { run, lost_tail, has_crashed, stopped, refused, report })
    }

    /// Turns until the frames are over (true), or the life is: by its crash, or after so many turns.
    fn turn(&self, chains: &mut [Box<dyn Chain>], control: &Control, turns_max: u64) -> bool {
        let mut turns = 0;
        loop {
            let mut is_finished = true;
            for chain in &mut *chains {
                is_finished &= matches!(chain.turn(), Turn::Finished);
            }
            turns += 1;
            if control.stopped().is_some() {
                if !self.world().is_dead {
                    chains.iter_mut().for_each(|chain| chain.halt());
                }
                return true;
            }
            if is_finished {
                return true;
            }
            if self.world().is_dead || turns * INPUTS_A_TURN > turns_max {
                return false;
            }
            let is_over = self.market.lock().unwrap_or_else(PoisonError::into_inner).is_over();
            if is_over {
                self.world().is_healed = true;
            }
        }
    }

    fn world(&self) -> std::sync::MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Inputs that one turn of a chain takes, about.
const INPUTS_A_TURN: u64 = engine::ring::BATCH_MAX as u64;
/// Little more than what a lane asks room for; the feed's holds the longest life, so that no crash meets its border.
const SEGMENT_BYTES: u64 = (1 << 20) + (1 << 18);
const FEED_SEGMENT_BYTES: u64 = 3 << 20;
/// Records of the gateway's lane between two tellings of what is held and open: many in a life, so that each is compared
/// with what the records before it come to.
const STATE_EVERY: u64 = 100;
/// Counters of a life.
const COUNTERS_MAX: u32 = 2048;
const LANES: [Lane; 3] = [Lane::Feed, Lane::Strategy, Lane::Gateway];

/// File and offset behind the last record of every lane.
fn tails_of(run: &Path) -> Vec<(PathBuf, u64)> {
    let Ok(reader) = Reader::open(run) else { return vec![] };
    let tail = |lane| {
        let mut cursor = reader.cursor(lane);
        while matches!(cursor.step(), Ok(Stand::Record)) {}
        cursor.place().map(|(path, at)| (path.to_owned(), at))
    };
    LANES.into_iter().filter_map(tail).collect()
}

/// Takes back what was written behind these places.
fn cut(tails: &[(PathBuf, u64)]) -> std::io::Result<()> {
    tails.iter().try_for_each(|(path, at)| zero(path, *at))
}

fn zero(path: &Path, from: u64) -> std::io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    let len = file.metadata()?.len().saturating_sub(from);
    file.write_all_at(&vec![0; usize::try_from(len.min(ZEROED_MAX)).unwrap_or_default()], from)
}

/// More than a turn writes.
const ZEROED_MAX: u64 = 1 << 19;

/// Makes the end of the gateway's lane look as the crash left it. True: records are gone.
fn damage(run: &Path, tail: Tail) -> std::io::Result<bool> {
    let Ok(reader) = Reader::open(run) else { return Ok(false) };
    let mut cursor = reader.cursor(Lane::Gateway);
    let mut places = vec![];
    while matches!(cursor.step(), Ok(Stand::Record)) {
        places.extend(cursor.place().map(|(path, at)| (path.to_owned(), at)));
    }
    let Some((path, at)) = cursor.place() else { return Ok(false) };
    match tail {
        Tail::Whole => Ok(false),
        Tail::Torn => {
            // Everything of a record but its sequence, which is stored last.
            let file: File = OpenOptions::new().write(true).open(path)?;
            file.write_all_at(&[0xA5; 100], at + 8)?;
            Ok(false)
        }
        Tail::Cut(byte) => {
            let Some((last_path, last_at)) = places.last().filter(|(last_path, _)| last_path == path) else {
                return Ok(false);
            };
            zero(last_path, last_at + byte % (at - last_at))?;
            Ok(true)
        }
        Tail::Lost(records) => {
            let kept = places.len().saturating_sub(usize::try_from(records).unwrap_or(usize::MAX));
            let Some((path, at)) = places.get(kept) else { return Ok(false) };
            zero(path, *at)?;
            Ok(true)
        }
    }
}

/// A planted bug: the strategy's lane ends before its last target.
fn forget_a_target(run: &Path) -> std::io::Result<()> {
    let Ok(reader) = Reader::open(run) else { return Ok(()) };
    let mut cursor = reader.cursor(Lane::Strategy);
    let mut targets = vec![];
    while matches!(cursor.step(), Ok(Stand::Record)) {
        let is_target = cursor.current().is_some_and(|view| view.entry.kind == RecordKind::Target as u16);
        if is_target {
            targets.extend(cursor.place().map(|(path, at)| (path.to_owned(), at)));
        }
    }
    targets.get(targets.len() / 2).map_or(Ok(()), |(path, at)| zero(path, *at))
}
