//! A recorded run, read from its journal: how it was configured and put together, how it ended, what it took in.

use crate::config::Config;
use crate::pipeline::order_codec;
use crate::run::{Refused, STOPPED, input, usage};
use crate::wiring::Wiring;
use engine::commands::Names;
use engine::ids::{InstrumentId, Lane};
use engine::instrument::InstrumentTable;
use engine::journal::schema::RecordKind;
use engine::journal::{Cursor, Entry, LaneEnd, LaneReport, Problem, Reader, View, verify};
use feeds::instruments_recorded::parse_recorded;
use gateway::client_order_id::ClientOrderIds;
use gateway::heard::{Heard, RecordedVenue};
use gateway::recovery::{Recovered, RecoveryError};
use std::fmt;
use std::path::Path;
use strategies::registry::names;

/// A run whose journal can be replayed from its start.
pub(crate) struct Recorded {
    reader: Reader,
    lanes: Vec<LaneReport>,
    /// What it was configured with.
    pub(crate) config: Config,
    /// Its instruments.
    pub(crate) table: InstrumentTable,
    /// How it was put together.
    pub(crate) wiring: Wiring,
    /// How it ended.
    pub(crate) end: RunEnd,
    /// Sequences and texts of the commands that the runner took up.
    pub(crate) commands: Vec<(u64, String)>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RunEnd {
    /// In order: everything it took in was taken to its end.
    InOrder,
    /// Trading was stopped.
    Stopped(String),
    /// Its process was killed, or lost its power.
    Cut,
}

impl fmt::Display for RunEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InOrder => f.write_str("the end of the run"),
            Self::Stopped(why) => write!(f, "where trading was stopped ({why})"),
            Self::Cut => f.write_str("where the process was cut off"),
        }
    }
}

impl Recorded {
    /// Reads every byte of the journal once, and what the runner wrote at the start.
    /// Err: no journal, one that is damaged, still written, without its start or without what a replay needs.
    pub(crate) fn open(dir: &Path) -> Result<Self, Refused> {
        let reader = Reader::open(dir).map_err(input)?;
        let fail = |what: &dyn fmt::Display| input(format!("{}: {what}", reader.dir().display()));
        if reader.is_being_written().map_err(|error| fail(&error))? {
            return Err(fail(&"the run is still going on"));
        }
        let lanes = verify(&reader, |_| ());
        for lane in &lanes {
            if let LaneEnd::Damaged(problem) = &lane.end {
                return Err(input(problem));
            }
            if lane.first_seq > 1 || !lane.gaps.is_empty() {
                return Err(fail(&format_args!(
                    "lane {} lacks records: a replay needs all",
                    lane.lane.name()
                )));
            }
        }
        let (mut beginning, mut end, mut commands) = (BeginningParts::default(), RunEnd::Cut, Vec::new());
        let mut runner = Records::of(&reader, &lanes, Lane::Runner);
        while let Some(view) = runner.next().map_err(input)? {
            let wrong = |what: &dyn fmt::Display| fail(&format_args!("record runner:{}: {what}", view.seq));
            let text = || std::str::from_utf8(view.body).map(str::to_owned).map_err(|error| wrong(&error));
            match RecordKind::from_u16(view.entry.kind) {
                Some(RecordKind::OperatorCommand) => commands.push((view.seq, text()?)),
                Some(RecordKind::RunEnd) => end = RunEnd::of(&text()?),
                _ => beginning.take(&reader, &view).map_err(|error| wrong(&error))?,
            }
        }
        let Beginning { config, table, wiring } = beginning.whole().map_err(|what| fail(&what))?;
        Ok(Self { config, table, wiring, end, commands, lanes, reader })
    }

    /// A lane's records, from the first to the last good one.
    pub(crate) fn records(&self, lane: Lane) -> Records {
        Records::of(&self.reader, &self.lanes, lane)
    }

    /// Whether the run took back at its end, in order, what was open: a live one does.
    pub(crate) fn cancels_at_end(&self) -> bool {
        let mut records = self.records(Lane::Gateway);
        let mut kinds = std::iter::from_fn(|| records.next().ok().flatten().map(|view| view.entry.kind));
        self.end == RunEnd::InOrder && kinds.any(|kind| kind == RecordKind::Halt as u16)
    }

    /// What the run began with, where it says: the run before it, and who answered its orders. None: it is of those that
    /// begin with nothing. Err: its journal does not hold what it should.
    pub(crate) fn began(&self) -> Result<Option<Began>, Refused> {
        match Recovered::at_start(self.reader.dir(), &self.table) {
            Ok((recovered, body)) => Ok(Some(Began {
                recovered,
                engine: body.engine,
                run: body.run,
                is_outside: body.is_outside == 1,
            })),
            Err(RecoveryError::NotBegun) => Ok(None),
            Err(error) => Err(input(format!("{}: {error}", self.reader.dir().display()))),
        }
    }

    /// The venue that answered the run's orders, as its journal has it. Err: an instrument that it cannot be asked about.
    pub(crate) fn venue(&self, began: &Began, table: &InstrumentTable) -> Result<RecordedVenue, Refused> {
        let codec = order_codec(table).map_err(usage)?;
        Ok(RecordedVenue::new(codec, self.heard(began), self.heard(began)))
    }

    /// What the run's venue said.
    fn heard(&self, began: &Began) -> impl Iterator<Item = Heard> + Send + use<> {
        let (mut records, ids) = (self.records(Lane::Gateway), began.ids());
        std::iter::from_fn(move || {
            // Damage was looked for before.
            while let Ok(Some(view)) = records.next() {
                let Entry { kind, instrument, recv_ns, .. } = view.entry;
                // One that cannot be read is left out: a difference that the comparison finds.
                if let Some(Ok(heard)) = Heard::read(kind, instrument, recv_ns, view.body, &ids) {
                    return Some(heard);
                }
            }
            None
        })
    }

    /// What commands of the run could name.
    pub(crate) fn names(&self) -> Names {
        names(&self.config.strategies, &self.table)
    }

    /// The instruments that each connection carries.
    pub(crate) fn of_connection(&self) -> Vec<Vec<InstrumentId>> {
        self.wiring.of_connection()
    }
}

/// What a run began with.
pub(crate) struct Began {
    /// What the run before it had left.
    pub(crate) recovered: Recovered,
    engine: u16,
    run: u32,
    /// A venue answered its orders.
    pub(crate) is_outside: bool,
}

impl Began {
    /// What the run's orders are called.
    pub(crate) fn ids(&self) -> ClientOrderIds {
        ClientOrderIds::new(self.engine, self.run)
    }
}

/// What the runner wrote before anything was taken in.
pub(crate) struct Beginning {
    /// What the run was configured with.
    pub(crate) config: Config,
    /// Its instruments.
    pub(crate) table: InstrumentTable,
    /// How it was put together.
    pub(crate) wiring: Wiring,
}

impl Beginning {
    /// Of a run that may still be going on. Err: what is missing or wrong.
    pub(crate) fn read(reader: &Reader) -> Result<Self, String> {
        let (mut parts, mut cursor) = (BeginningParts::default(), reader.cursor(Lane::Runner));
        let at = |what: String| format!("{}: {what}", reader.dir().display());
        while !parts.is_whole() {
            let Some(view) = cursor.next().map_err(|problem| problem.to_string())? else { break };
            let wrong = |what| at(format!("record runner:{}: {what}", view.seq));
            parts.take(reader, &view).map_err(wrong)?;
        }
        parts.whole().map_err(at)
    }
}

/// As far as it was read.
#[derive(Default)]
struct BeginningParts {
    config: Option<Config>,
    table: Option<InstrumentTable>,
    wiring: Option<Wiring>,
}

impl BeginningParts {
    /// Takes a record of the runner. Err: it is not what its kind says.
    fn take(&mut self, reader: &Reader, view: &View<'_>) -> Result<(), String> {
        let text = || std::str::from_utf8(view.body).map(str::to_owned).map_err(|error| error.to_string());
        match RecordKind::from_u16(view.entry.kind) {
            Some(RecordKind::Config) => {
                let name = format!("{} (configuration)", reader.dir().display());
                self.config = Some(Config::parse(name, text()?).map_err(|error| error.to_string())?);
            }
            Some(RecordKind::Instruments) => {
                self.table = Some(parse_recorded(&text()?).map_err(|error| error.to_string())?);
            }
            Some(RecordKind::Wiring) => self.wiring = Some(Wiring::parse(&text()?)?),
            _ => {}
        }
        Ok(())
    }

    const fn is_whole(&self) -> bool {
        self.config.is_some() && self.table.is_some() && self.wiring.is_some()
    }

    /// Err: what is missing, or does not go together.
    fn whole(self) -> Result<Beginning, String> {
        let missing = |what: &str| format!("the journal has no {what}");
        let table = self.table.ok_or_else(|| missing("instruments"))?;
        let wiring = self.wiring.ok_or_else(|| missing("wiring"))?;
        if let Some(unknown) =
            wiring.of_connection().into_iter().flatten().find(|id| table.get(*id).is_none())
        {
            return Err(format!("a connection carries instrument {unknown}, which is not there"));
        }
        let config = self.config.ok_or_else(|| missing("configuration"))?;
        Ok(Beginning { config, table, wiring })
    }
}

impl RunEnd {
    /// From the last record of the runner.
    fn of(text: &str) -> Self {
        text.strip_prefix(STOPPED).map_or(Self::InOrder, |why| Self::Stopped(why.to_owned()))
    }
}

/// One lane, up to its last good record.
pub(crate) struct Records {
    cursor: Cursor,
    last_seq: u64,
}

impl Records {
    fn of(reader: &Reader, lanes: &[LaneReport], lane: Lane) -> Self {
        let last_seq = lanes.iter().find(|report| report.lane == lane).map_or(0, |report| report.last_seq);
        Self { cursor: reader.cursor(lane), last_seq }
    }

    /// As far as they can be read, of a lane that nobody has checked.
    pub(crate) const fn unchecked(cursor: Cursor) -> Self {
        Self { cursor, last_seq: u64::MAX }
    }

    /// The next record. None: that was the last. Err: the journal has changed since it was checked.
    pub(crate) fn next(&mut self) -> Result<Option<View<'_>>, Problem> {
        if self.current().map_or(self.cursor.last_seq(), |view| view.seq) >= self.last_seq {
            return Ok(None);
        }
        self.cursor.next()
    }

    /// Sequence of the last good record; 0: there is none.
    pub(crate) const fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// The checksum of the record that `next` gave last.
    pub(crate) fn crc32c(&self) -> u32 {
        self.cursor.current_crc32c().unwrap_or(0)
    }

    /// The record that `next` gave last.
    pub(crate) fn current(&self) -> Option<View<'_>> {
        self.cursor.current()
    }
}
