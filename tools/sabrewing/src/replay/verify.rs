//! `replay RUN --verify`: a recorded run is repeated on one thread, its inputs taken in the order in which the run
//! took them, and every record that comes of it is compared with the run's.

use super::recorded::{Recorded, Records, RunEnd};
use engine::commands::{CommandKind, Names, Ticket, command_cells};
use engine::decisions::{COMMANDS_INPUT, Record, line_of};
use engine::ids::{Cause, Lane};
use engine::journal::schema::{FrameHead, RecordKind, Took};
use engine::journal::{Entry, View};
use engine::message::Cell;
use engine::record_copies::Copied;
use engine::time::Nanos;
use serde::Serialize;
use std::collections::BTreeMap;
use strategies::script::{Parted, Step, Why};
use zerocopy::{FromBytes, IntoBytes};

/// What the repetition is made from: the frames, and what the run began with.
const INPUTS: [u16; 4] = [
    RecordKind::Frame as u16,
    RecordKind::Opening as u16,
    RecordKind::Carried as u16,
    RecordKind::Begun as u16,
];

/// The lanes that are compared, in the order of the data.
const LANES: [Lane; 3] = [Lane::Feed, Lane::Strategy, Lane::Gateway];

/// What a repetition found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Verified {
    /// Records that came out as in the run, by lane. The frames are what the repetition was made from.
    pub(crate) records: BTreeMap<&'static str, u64>,
    /// How far the run was repeated.
    pub(crate) until: String,
    /// Records of the run behind that, which nothing was compared with.
    pub(crate) behind: u64,
    /// The first record that differs.
    pub(crate) difference: Option<Difference>,
}

/// A record that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    /// `lane:seq`.
    pub(crate) record: String,
    /// Of the run's record; of the repetition's, where the run has none.
    pub(crate) kind: String,
    /// What the run has.
    pub(crate) expected: String,
    /// What the repetition has.
    pub(crate) actual: String,
    #[serde(skip)]
    at: Nanos,
    /// The repetition has a record there that only the end of its inputs led to.
    #[serde(skip)]
    is_of_end: bool,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { record, kind, expected, actual, .. } = self;
        write!(f, "record {record} ({kind}) differs: the run has {expected}; repeated it is {actual}")
    }
}

/// Compares the records of a repetition with those of the run, while they come.
pub(crate) struct Check {
    lanes: Vec<LaneCheck>,
}

struct LaneCheck {
    lane: Lane,
    records: Records,
    /// Where trading was stopped, the stages had not come equally far.
    stops_at_halt: bool,
    same: u64,
    /// The run has no more records to compare.
    is_over: bool,
    difference: Option<Difference>,
}

/// What a check found.
#[derive(Debug)]
pub(crate) struct Checked {
    same: BTreeMap<&'static str, u64>,
    behind: u64,
    differences: Vec<Difference>,
    /// Records of an orderly run that the repetition did not bring forth.
    missing: Vec<Difference>,
}

impl Check {
    /// Of this run. `is_outside`: a venue answered its orders.
    pub(crate) fn new(run: &Recorded, is_outside: bool) -> Self {
        // What a venue answers to the last cancels is not asked for again.
        let stops_at_halt = |lane| run.end != RunEnd::InOrder || is_outside && lane == Lane::Gateway;
        let lane = |lane| LaneCheck {
            lane,
            records: run.records(lane),
            stops_at_halt: stops_at_halt(lane),
            same: 0,
            is_over: false,
            difference: None,
        };
        Self { lanes: LANES.into_iter().map(lane).collect() }
    }

    /// Compares the next record of a lane. False: it differs.
    pub(crate) fn take(&mut self, copied: &Copied<'_>) -> bool {
        let Some(side) = self.lanes.iter_mut().find(|side| Some(side.lane) == copied.record.lane()) else {
            return true;
        };
        if side.difference.is_some() {
            return true;
        }
        let (lane, at, is_whole) = (side.lane, copied.entry.recv_ns, !side.stops_at_halt);
        let Copied { record, entry, body } = *copied;
        // Every input causes what it leads to; the last touches stand at the end of all inputs.
        let is_of_end = entry.kind == RecordKind::Touch as u16 && entry.cause == Cause::NONE;
        let differs = |record: Cause, kind, expected, actual| {
            Some(Difference {
                record: record.to_string(),
                kind: name_of(kind),
                expected,
                actual,
                at,
                is_of_end,
            })
        };
        let actual = || words(lane, &entry, body);
        let difference = match side.next() {
            Err(problem) => differs(record, entry.kind, problem, actual()),
            Ok(None) if is_whole => differs(record, entry.kind, "none".into(), actual()),
            Ok(None) => return true,
            Ok(Some(view)) if is_same(&view, copied) => None,
            Ok(Some(view)) => {
                differs(view.as_cause(), view.entry.kind, words(lane, &view.entry, view.body), actual())
            }
        };
        side.same += u64::from(difference.is_none());
        side.difference = difference;
        side.difference.is_none()
    }

    /// The repetition has ended.
    pub(crate) fn finish(mut self) -> Checked {
        let mut checked =
            Checked { same: BTreeMap::new(), behind: 0, differences: Vec::new(), missing: Vec::new() };
        for side in &mut self.lanes {
            checked.same.insert(side.lane.name(), side.same);
            if let Some(difference) = side.difference.take() {
                checked.differences.push(difference);
                continue;
            }
            let lane = side.lane;
            if let Ok(Some(view)) = side.next() {
                checked.behind += 1;
                checked.missing.push(Difference {
                    record: view.as_cause().to_string(),
                    kind: name_of(view.entry.kind),
                    expected: words(lane, &view.entry, view.body),
                    actual: "not there".into(),
                    at: view.entry.recv_ns,
                    is_of_end: false,
                });
            }
            while let Ok(Some(view)) = side.records.next() {
                checked.behind += u64::from(view.entry.kind != RecordKind::Frame as u16);
            }
        }
        checked
    }
}

impl LaneCheck {
    /// The run's next record that is not input. None: the lane is over, or trading was stopped there.
    fn next(&mut self) -> Result<Option<View<'_>>, String> {
        if self.is_over {
            return Ok(None);
        }
        loop {
            let kind = match self.records.next() {
                Ok(Some(view)) => view.entry.kind,
                Ok(None) => break,
                Err(problem) => return Err(problem.to_string()),
            };
            if self.stops_at_halt && kind == RecordKind::Halt as u16 {
                break;
            }
            if !INPUTS.contains(&kind) {
                return Ok(self.records.current());
            }
        }
        self.is_over = true;
        Ok(None)
    }
}

impl Verified {
    /// From what the comparison found and from where the stage left the run's order.
    pub(crate) fn new(run: &Recorded, checked: Checked, parted: Option<Parted>) -> Self {
        let Checked { same, behind, mut differences, missing } = checked;
        let is_in_order = run.end == RunEnd::InOrder;
        // A run that was cut off may have taken more than it could say: that it says nothing more is no difference,
        // nor is what the two did behind that.
        let is_over = |parted: &Parted| {
            !is_in_order && (parted.record.is_none() || matches!(parted.why, Why::MarketEnded(_)))
        };
        let over_at = parted.as_ref().filter(|parted| is_over(parted)).map(|parted| parted.at);
        differences.retain(|difference| over_at.is_none_or(|over_at| difference.at < over_at));
        let parted = parted.filter(|parted| !is_over(parted));
        // That the inputs of a repetition end earlier is told where they do.
        differences.retain(|difference| !difference.is_of_end || is_in_order && parted.is_none());
        // What is told of the order of inputs says more than the counts that come of it.
        let followed = parted.and_then(|parted| parted.record).map(|record| record.to_string());
        differences.retain(|difference| Some(&difference.record) != followed.as_ref());
        let last = || run.records(Lane::Strategy).last_seq();
        differences.extend(parted.map(|parted| Difference {
            record: parted.record.unwrap_or_else(|| Cause::new(Lane::Strategy, last().max(1))).to_string(),
            kind: RecordKind::Took.name().into(),
            expected: "this order of inputs".into(),
            actual: format!("another: {}", parted.why),
            at: parted.at,
            is_of_end: false,
        }));
        if differences.is_empty() && is_in_order {
            differences = missing;
        }
        // What was changed in the inputs is where all else comes from.
        let changed = check_frames(run).and_then(|()| check_commands(run)).err();
        let difference = changed.or_else(|| differences.into_iter().min_by_key(|difference| difference.at));
        let behind = if is_in_order { 0 } else { behind };
        Self { records: same, until: run.end.to_string(), behind, difference }
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let counts: Vec<String> =
            self.records.iter().map(|(lane, count)| format!("{count} {lane}")).collect();
        let behind = if self.behind > 0 {
            format!("; {} records behind it not compared", self.behind)
        } else {
            String::new()
        };
        match &self.difference {
            Some(difference) => difference.to_string(),
            None => format!("alike up to {}: {} records{behind}", self.until, counts.join(", ")),
        }
    }
}

/// The order in which a run's strategy stage took its inputs.
pub(crate) struct Steps {
    records: Records,
}

impl Steps {
    pub(crate) fn of(run: &Recorded) -> Self {
        Self { records: run.records(Lane::Strategy) }
    }
}

impl Iterator for Steps {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        // Damage was looked for before; what cannot be read is reported by `check_commands`.
        while let Ok(Some(view)) = self.records.next() {
            match RecordKind::from_u16(view.entry.kind) {
                Some(RecordKind::Took) => {
                    let Took { input, count } = Took::read_from_bytes(view.body).ok()?;
                    if input != COMMANDS_INPUT && count > 0 {
                        return Some(Step::Inputs { record: view.as_cause(), input, count });
                    }
                }
                Some(RecordKind::Command) => {
                    return Some(Step::Command { cause: view.entry.cause, cells: cells_of(view.body) });
                }
                _ => {}
            }
        }
        None
    }
}

/// Whether the frames are those that came: each holds the checksum of the one before. Nothing holds the last one's.
/// Err: the first that is not.
fn check_frames(run: &Recorded) -> Result<(), Difference> {
    let mut records = run.records(Lane::Feed);
    let mut before: Option<(Cause, Nanos, u32)> = None;
    while let Ok(Some(view)) = records.next() {
        if view.entry.kind != RecordKind::Frame as u16 {
            continue;
        }
        let Ok((head, _)) = FrameHead::read_from_prefix(view.body) else { continue };
        let (record, at) = (view.as_cause(), view.entry.recv_ns);
        if let Some((frame, at, crc32c)) = before.filter(|(.., crc32c)| *crc32c != head.before_crc32c) {
            return Err(Difference {
                record: frame.to_string(),
                kind: RecordKind::Frame.name().into(),
                expected: format!("a frame of checksum {:08x} there, as {record} says", head.before_crc32c),
                actual: format!("one of {crc32c:08x}"),
                at,
                is_of_end: false,
            });
        }
        before = Some((record, at, records.crc32c()));
    }
    Ok(())
}

/// Whether the commands that the strategy stage took are those that the runner was given.
/// Err: the first that is not, or that was never taken.
fn check_commands(run: &Recorded) -> Result<(), Difference> {
    let names = run.names();
    let differs = |view: &View<'_>, expected: String, actual: String| Difference {
        record: view.as_cause().to_string(),
        kind: name_of(view.entry.kind),
        expected,
        actual,
        at: view.entry.recv_ns,
        is_of_end: false,
    };
    let mut given = run.commands.iter().filter(|(seq, text)| is_for_stage(run, &names, *seq, text));
    let (mut records, mut is_announced) = (run.records(Lane::Strategy), false);
    while let Ok(Some(view)) = records.next() {
        let kind = RecordKind::from_u16(view.entry.kind);
        if is_announced && kind != Some(RecordKind::Command) {
            return Err(differs(&view, "a command before it".into(), "without one".into()));
        }
        is_announced = false;
        match kind {
            Some(RecordKind::Took) => {
                let Ok(Took { input, count }) = Took::read_from_bytes(view.body) else {
                    return Err(differs(&view, format!("{} bytes", view.body.len()), "not readable".into()));
                };
                is_announced = input == COMMANDS_INPUT && count > 0;
            }
            Some(RecordKind::Command) => {
                let actual = words(Lane::Strategy, &view.entry, view.body);
                let Some((seq, text)) = given.next() else {
                    return Err(differs(&view, actual, "commanded by nobody".into()));
                };
                let cause = Cause::new(Lane::Runner, *seq);
                let expected = command_of(text, &names);
                let same = view.entry.cause == cause
                    && expected.as_ref().is_some_and(|cells| cells.as_bytes() == view.body);
                if !same {
                    return Err(differs(&view, actual, format!("by record {cause} \"{text}\"")));
                }
            }
            _ => {}
        }
    }
    match given.next() {
        // One that came with the end of a run that was cut short may never have been taken.
        Some((seq, text)) if run.end == RunEnd::InOrder => Err(Difference {
            record: Cause::new(Lane::Runner, *seq).to_string(),
            kind: RecordKind::OperatorCommand.name().into(),
            expected: format!("\"{text}\""),
            actual: "never taken by the strategy stage".into(),
            at: Nanos(0),
            is_of_end: false,
        }),
        _ => Ok(()),
    }
}

/// Whether a command went on to the strategy stage and was not turned away there.
fn is_for_stage(run: &Recorded, names: &Names, seq: u64, text: &str) -> bool {
    let ticket = text.split(' ').next().unwrap_or_default();
    let refused = |text: &str| text.contains(": refused: ");
    let turned_away = format!("{ticket}: refused: ");
    let mut later = run.commands.iter().filter(|(later, _)| *later > seq);
    let is_turned_away = later.any(|(_, text)| text.starts_with(&turned_away));
    let is_kill = text.split(' ').nth(1) == Some("killed") && command_of(text, names).is_none();
    !refused(text) && !is_kill && !is_turned_away
}

/// The cells that a runner's record of a command stands for. None: it is not understood.
fn command_of(text: &str, names: &Names) -> Option<Vec<Cell>> {
    let (ticket, rest) = text.split_once(' ')?;
    let (lane, id) = ticket.split_once('.')?;
    let ticket = Ticket { lane: lane.parse().ok()?, id: id.parse().ok()? };
    let mut words = rest.rsplit_once(": ")?.1.split(' ');
    let (verb, subject) = (words.next()?, words.next().map(str::to_owned));
    let kind = match verb {
        "pause" => CommandKind::Pause { strategy: subject },
        "resume" => CommandKind::Resume { strategy: subject },
        "cancel-all" => CommandKind::CancelAll { instrument: subject },
        "set" => {
            let pair =
                |word: &str| word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
            CommandKind::Set { strategy: subject?, params: words.map(pair).collect::<Option<_>>()? }
        }
        "order" | "cancel" | "flatten" => by_hand(verb, subject, words)?,
        _ => return None,
    };
    let resolved = names.resolve(&kind).ok()??;
    Some(command_cells(ticket, resolved.body, &resolved.params))
}

/// A command to the gateway as the runner's record has it. None: it is not understood.
fn by_hand<'t>(
    verb: &str,
    subject: Option<String>,
    words: impl Iterator<Item = &'t str>,
) -> Option<CommandKind> {
    let pair = |word: &str| word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut terms: Vec<_> = words.map(pair).collect::<Option<_>>()?;
    Some(match verb {
        "order" => CommandKind::Order { instrument: subject?, terms },
        "cancel" => CommandKind::Cancel { order: subject? },
        _ => {
            // The instrument may be missing, and the strategy then comes first.
            let first = subject.as_deref().and_then(pair);
            let instrument = subject.filter(|_| first.is_none());
            terms.extend(first);
            CommandKind::Flatten { instrument, strategy: terms.pop().map(|(_, strategy)| strategy) }
        }
    })
}

/// Bytes as cells; what does not fill the last one is zero.
fn cells_of(bytes: &[u8]) -> Vec<Cell> {
    let mut cells = vec![Cell::default(); bytes.len().div_ceil(size_of::<Cell>())];
    cells.as_mut_bytes()[..bytes.len()].copy_from_slice(bytes);
    cells
}

/// Whether a record came out as it was. How long things took is another every time.
fn is_same(view: &View<'_>, copied: &Copied<'_>) -> bool {
    let is_measured =
        [RecordKind::Stamps, RecordKind::OrderStamps].map(|kind| kind as u16).contains(&view.entry.kind);
    view.as_cause() == copied.record
        && view.entry == copied.entry
        && (is_measured || view.body == copied.body)
}

fn name_of(kind: u16) -> String {
    RecordKind::from_u16(kind).map_or_else(|| format!("kind {kind}"), |kind| kind.name().to_owned())
}

/// A record in words: what it says, about what, when, and what led to it.
fn words(lane: Lane, entry: &Entry, body: &[u8]) -> String {
    let Entry { kind, instrument, cause, recv_ns } = *entry;
    let known = RecordKind::from_u16(kind);
    let line =
        known.and_then(|kind| line_of(kind, &Record { lane, kind: kind as u16, instrument, recv_ns, body }));
    let what = line.unwrap_or_else(|| {
        let name = name_of(kind);
        match (known, Took::read_from_bytes(body), std::str::from_utf8(body)) {
            (Some(RecordKind::Took), Ok(took), _) => {
                format!("{name} input={} count={}", took.input, took.count)
            }
            (Some(RecordKind::DecodeError), _, Ok(text)) => format!("{name} \"{text}\""),
            (Some(RecordKind::Stamps | RecordKind::OrderStamps | RecordKind::Timer), ..) => {
                format!("{name} instrument={instrument}")
            }
            _ => format!("{name} instrument={instrument} of {}", crate::decisions::hex(body)),
        }
    });
    format!("\"{what}\" at {recv_ns}, caused by {cause}")
}
