//! The files of a run: journal and counters in one directory, or neither.

use crate::config::Config;
use crate::replay::pace::Pace;
use crate::wiring::Wiring;
use engine::counters::{Counters, Run};
use engine::ids::{Cause, InstrumentId, Lane};
use engine::instrument::InstrumentTable;
use engine::journal::schema::{ClockAnchor, RecordKind};
use engine::journal::{AppendError, Entry, Journal, Options, Writer, instruments_text};
use engine::time::{Nanos, StampClock};
use gateway::client_order_id::ClientOrderIds;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use zerocopy::IntoBytes;

/// Room for the counters of a run.
const COUNTERS_MAX: u32 = 4096;

/// What the configuration does not say of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunFacts {
    /// The command that started it.
    pub(crate) command: &'static str,
    /// How fast its frames come.
    pub(crate) pace: Pace,
    /// What its orders are called.
    pub(crate) ids: ClientOrderIds,
}

/// Journal and counters of one run.
pub(crate) struct RunFiles {
    journal: Option<Journal>,
    runner: Writer,
    counters: Counters,
    clock: StampClock,
    run_id: u64,
}

impl RunFiles {
    /// Makes `dir` with a journal and counters in it, or keeps nothing where there is no directory.
    /// Err: the directory exists and is not empty, or cannot be made or written.
    pub(crate) fn create(
        dir: Option<&Path>,
        config: &Config,
        table: &InstrumentTable,
        wiring: &Wiring,
        facts: RunFacts,
    ) -> Result<Self, String> {
        let run = Run { id: wall_now().0, start: wall_now() };
        let Some(dir) = dir else {
            let counters = Counters::create(None, &run, COUNTERS_MAX).map_err(|e| e.to_string())?;
            return Ok(Self {
                journal: None,
                runner: Writer::off(Lane::Runner),
                counters,
                clock: StampClock::on(),
                run_id: run.id,
            });
        };
        let fail = |error: std::io::Error| format!("{}: {error}", dir.display());
        std::fs::create_dir_all(dir).map_err(fail)?;
        if std::fs::read_dir(dir).map_err(fail)?.next().is_some() {
            return Err(format!("{}: not empty; --journal takes a new directory", dir.display()));
        }
        let options = Options {
            feed_segment_bytes: config.feed_segment_bytes,
            segment_bytes: config.segment_bytes,
            durability: config.durability,
            retention: config.live.as_ref().map(|live| live.keep),
            ..Options::new(run.id, config.sha256())
        };
        let mut journal = Journal::create(&dir.join("journal"), options).map_err(|e| e.to_string())?;
        let runner = journal.writer(Lane::Runner).map_err(|e| e.to_string())?;
        let counters =
            Counters::create(Some(&dir.join("counters")), &run, COUNTERS_MAX).map_err(|e| e.to_string())?;
        let mut files =
            Self { journal: Some(journal), runner, counters, clock: StampClock::on(), run_id: run.id };
        let RunFacts { command, pace, ids } = facts;
        let build = format!(
            "version = \"{}\"\ncommand = \"{command}\"\npace = \"{pace}\"\nlatency = \"{}\"\norder_id_prefix = \"{:?}\"\n",
            env!("CARGO_PKG_VERSION"),
            pace.measured().name(),
            ids.prefix(),
        );
        files.record(RecordKind::Config, config.text.as_bytes())?;
        files.record(RecordKind::Instruments, instruments_text(table).as_bytes())?;
        files.record(RecordKind::Wiring, wiring.text().as_bytes())?;
        files.record(RecordKind::Build, build.as_bytes())?;
        files.anchor();
        Ok(files)
    }

    /// The counters, and what hands out the writers of lanes: ones that keep nothing where there is no journal.
    pub(crate) fn split(&mut self) -> (&mut Counters, impl FnMut(Lane) -> Result<Writer, String>) {
        let journal = &mut self.journal;
        let writer = |lane| match journal {
            Some(journal) => journal.writer(lane).map_err(|e| e.to_string()),
            None => Ok(Writer::off(lane)),
        };
        (&mut self.counters, writer)
    }

    /// Waits until the journal's helper has written ahead for every lane: it would compete with a run that has
    /// just started. Err: it has failed.
    pub(crate) fn wait_prepared(&self) -> Result<(), String> {
        self.journal.as_ref().map_or(Ok(()), |journal| journal.wait_prepared().map_err(|e| e.to_string()))
    }

    /// The run's counters.
    pub(crate) const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The run's counters, to add to them.
    pub(crate) const fn counters_mut(&mut self) -> &mut Counters {
        &mut self.counters
    }

    /// Names the run to those who command it.
    pub(crate) const fn run_id(&self) -> u64 {
        self.run_id
    }

    /// Keeps a command as it was taken. Err: the journal's.
    pub(crate) fn command(&mut self, text: &str) -> Result<Cause, String> {
        self.record(RecordKind::OperatorCommand, text.as_bytes())
    }

    /// Keeps what became of a thread. Err: the journal's.
    pub(crate) fn thread_lost(&mut self, text: &str) -> Result<Cause, String> {
        self.record(RecordKind::ThreadLost, text.as_bytes())
    }

    /// The last record of a run that a thread would not end: it may still write to its lane and its counters, so
    /// neither is taken away from it before the process ends.
    pub(crate) fn abandon(mut self, how: &str) {
        if let Err(error) = self.record(RecordKind::RunEnd, how.as_bytes()) {
            crate::run::say(&error);
        }
        std::mem::forget(self);
    }

    /// Wall clock and the CPU's counter at one moment.
    pub(crate) fn anchor(&mut self) {
        let body = ClockAnchor { wall_ns: wall_now().0, ticks: self.clock.now().0 };
        // A missed anchor costs display precision only; the stages' own lanes stop a run that cannot write.
        let _ = self.record(RecordKind::ClockAnchor, body.as_bytes());
    }

    /// The last record, and the orderly end of the journal. Err: the disk's.
    pub(crate) fn close(mut self, how: &str) -> Result<(), String> {
        self.record(RecordKind::RunEnd, how.as_bytes())?;
        let Self { journal, runner, .. } = self;
        drop(runner);
        journal.map_or(Ok(()), |journal| journal.close().map_err(|e| e.to_string()))
    }

    fn record(&mut self, kind: RecordKind, body: &[u8]) -> Result<Cause, String> {
        let entry =
            Entry { kind: kind as u16, instrument: InstrumentId(0), recv_ns: wall_now(), ..Entry::default() };
        let appended = self.runner.append(entry, body);
        appended.map_err(|error: AppendError| format!("journal, {} record: {error}", kind.name()))
    }
}

/// The wall clock.
pub(crate) fn wall_now() -> Nanos {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Nanos(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}
