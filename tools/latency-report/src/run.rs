//! What a run's files say of its latency: histograms rebuilt from the journal, and what to read them by.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;
use std::time::{Duration, Instant};

use engine::counters::{self, Snapshot};
use engine::ids::Lane;
use engine::journal::schema::{AnsweredBody, OrderStamps, RecordKind, Stamps};
use engine::journal::{Gap, Reader, Stand};
use engine::latency::{Hop, Hops, Measured};
use engine::time::Nanos;
use serde::Deserialize;
use zerocopy::FromBytes;

/// One run.
#[derive(Debug)]
pub(crate) struct Run {
    /// As it was named.
    pub(crate) name: String,
    pub(crate) hops: Hops,
    pub(crate) facts: Facts,
    /// By thread; empty where the run kept no counters.
    pub(crate) threads: Vec<Thread>,
}

/// What the run is.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) id: u64,
    pub(crate) started: Nanos,
    /// Receive times of the first and the last stamped frame.
    pub(crate) frames: Option<(Nanos, Nanos)>,
    /// `venue:symbol`.
    pub(crate) instruments: Vec<String>,
    pub(crate) build: Build,
    /// What it wrote of its end. None: it goes on, or was cut off.
    pub(crate) end: Option<String>,
    /// What the journal lacks of what was measured, where it does: the counters have all of it.
    pub(crate) lacks: Option<String>,
}

/// The `build` record.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Build {
    pub(crate) version: Option<String>,
    pub(crate) command: Option<String>,
    pub(crate) pace: Option<String>,
    latency: Option<String>,
}

/// Turns of one thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Thread {
    pub(crate) name: String,
    pub(crate) turns: u64,
    pub(crate) long_turns: u64,
    pub(crate) longest_ns: u64,
}

impl Facts {
    /// What the latencies are measured from. None: the journal does not say.
    pub(crate) fn measured(&self) -> Option<Measured> {
        let said = self.build.latency.as_deref()?;
        [Measured::Service, Measured::Response].into_iter().find(|measured| measured.name() == said)
    }

    /// The same for people.
    pub(crate) fn measured_name(&self) -> &'static str {
        self.measured().map_or("service or response time: the journal does not say which", Measured::name)
    }
}

impl Run {
    /// Reads a run directory, or the journal directory in it. An unfinished last record is none.
    /// Err: there is no journal, it is damaged, it holds no stamps, or it is whole and says something else than the
    /// run's counters; with file and place.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let reader = Reader::open(path).map_err(|problem| problem.to_string())?;
        let mut facts = facts(&reader)?;
        let hops = hops(&reader, &mut facts)?;
        if hops.of(Hop::Decode).count() == 0 {
            return Err(format!(
                "{}: no frame has stamps; the run's configuration has `stamps = false` under [latency], or no frame \
                 got to the gateway",
                reader.dir().display()
            ));
        }
        let counters = counters_of(&reader)?;
        if let Some(counters) = &counters
            && facts.end.is_some()
            && facts.lacks.is_none()
        {
            compare(&hops, counters).map_err(|what| format!("{}: {what}", reader.dir().display()))?;
        }
        let threads = counters.as_ref().map(threads).unwrap_or_default();
        Ok(Self { name: path.display().to_string(), hops, facts, threads })
    }
}

fn facts(reader: &Reader) -> Result<Facts, String> {
    #[derive(Deserialize)]
    struct Instruments {
        #[serde(default)]
        instrument: Vec<Named>,
    }
    #[derive(Deserialize)]
    struct Named {
        venue: String,
        symbol: String,
    }
    let mut facts = Facts::default();
    if let Some(run) = reader.run() {
        (facts.id, facts.started) = (run.run_id, run.anchor.wall_ns);
    }
    let mut cursor = reader.cursor(Lane::Runner);
    while let Some(view) = cursor.next_whole().map_err(|problem| problem.to_string())? {
        let text = String::from_utf8_lossy(view.body);
        let bad = |error: toml::de::Error| format!("record runner:{}: {}", view.seq, error.message());
        match RecordKind::from_u16(view.entry.kind) {
            Some(RecordKind::Instruments) => {
                let read: Instruments = toml::from_str(&text).map_err(bad)?;
                let name = |named: Named| format!("{}:{}", named.venue, named.symbol);
                facts.instruments = read.instrument.into_iter().map(name).collect();
            }
            Some(RecordKind::Build) => facts.build = toml::from_str(&text).map_err(bad)?,
            Some(RecordKind::RunEnd) => facts.end = Some(text.trim_end().to_owned()),
            _ => {}
        }
    }
    Ok(facts)
}

/// The same functions that filled the counters while the run went on fill these.
fn hops(reader: &Reader, facts: &mut Facts) -> Result<Hops, String> {
    let mut hops = Hops::default();
    let mut cursor = reader.cursor(Lane::Gateway);
    let started = Instant::now();
    let (mut records, mut shown) = (0_u64, false);
    while let Some(view) = cursor.next_whole().map_err(|problem| problem.to_string())? {
        let malformed = |_| format!("record gateway:{}: {} bytes are no stamps", view.seq, view.body.len());
        let at = view.entry.recv_ns;
        match RecordKind::from_u16(view.entry.kind) {
            Some(RecordKind::Stamps) => {
                hops.frame(&Stamps::read_from_bytes(view.body).map_err(|e| malformed(e.to_string()))?);
                let (first, _) = facts.frames.unwrap_or((at, at));
                facts.frames = Some((first, at));
            }
            Some(RecordKind::OrderStamps) => {
                hops.order(&OrderStamps::read_from_bytes(view.body).map_err(|e| malformed(e.to_string()))?);
            }
            Some(RecordKind::Answered) => {
                let body = AnsweredBody::read_from_bytes(view.body).map_err(|e| malformed(e.to_string()))?;
                if body.round_trip_ns > 0 {
                    hops.answered(body.round_trip_ns);
                }
            }
            _ => {}
        }
        records += 1;
        let is_slow = records.is_multiple_of(1 << 20) && started.elapsed() > Duration::from_secs(2);
        if is_slow && std::io::stderr().is_terminal() {
            eprint!("\r{records} records read");
            shown = true;
        }
    }
    if shown {
        eprint!("\r\x1b[K");
    }
    let gone = |gap: &Gap| format!("records {} to {}", gap.after_seq + 1, gap.next_seq - 1);
    let gone: Vec<_> = cursor.gaps().iter().map(gone).collect();
    // An orderly end closes every lane; one that is open may lack records that nothing tells of.
    let is_open = facts.end.is_some() && cursor.step() != Ok(Stand::Closed);
    facts.lacks = match (gone.is_empty(), is_open) {
        (true, false) => None,
        (true, true) => Some("the end of the gateway lane, which was not closed".to_owned()),
        (false, _) => Some(format!("{} of the gateway lane, which were not kept", gone.join(", "))),
    };
    Ok(hops)
}

/// None: the run kept none. Err: they are there and cannot be read.
fn counters_of(reader: &Reader) -> Result<Option<Snapshot>, String> {
    let path = reader.dir().parent().unwrap_or(Path::new(".")).join("counters");
    if !path.exists() {
        return Ok(None);
    }
    let read = counters::Reader::open(&path).and_then(|counters| counters.snapshot());
    read.map(Some).map_err(|error| error.to_string())
}

/// Err: a hop's live histogram is another than the journal's.
fn compare(hops: &Hops, counters: &Snapshot) -> Result<(), String> {
    for (hop, rebuilt) in hops.iter() {
        let live = counters.find("gateway", &format!("latency_{}", hop.name()));
        let Some(live) = live.and_then(|entry| entry.histogram.as_ref()) else { continue };
        if live != rebuilt {
            return Err(format!(
                "{}: the journal's stamps make {} values up to {} ns, the counters hold {} up to {} ns",
                hop.name(),
                rebuilt.count(),
                rebuilt.max_ns(),
                live.count(),
                live.max_ns()
            ));
        }
    }
    Ok(())
}

fn threads(counters: &Snapshot) -> Vec<Thread> {
    let mut threads = BTreeMap::<&str, Thread>::new();
    for entry in &counters.counters {
        let Some(name) = entry.owner.strip_prefix("thread ") else { continue };
        let thread = threads.entry(name).or_insert_with(|| Thread {
            name: name.to_owned(),
            turns: 0,
            long_turns: 0,
            longest_ns: 0,
        });
        match entry.name.as_str() {
            "turns" => thread.turns = entry.value,
            "long_turns" => thread.long_turns = entry.value,
            "turn_max" => thread.longest_ns = entry.value,
            _ => {}
        }
    }
    threads.into_values().collect()
}
