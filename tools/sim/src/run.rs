//! A seed from its first frame to the verdict.

use crate::bug::Bug;
use crate::check::{self, Evidence, Journalled, Violation};
use crate::feed::{DURATION, Market};
use crate::life::{Circumstances, ENGINE};
use crate::link::{SentKind, VenueEvent, World};
use crate::plan::Plan;
use clap::ValueEnum;
use engine::data_dir::DataDir;
use engine::num::Qty;
use engine::time::Nanos;
use gateway::counterparty::{Answer, AnswerEvent};
use sabrewing::config::Config;
use sabrewing::pipeline::paper_venue;
use serde::Serialize;
use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// What a seed came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// Lives of the engine; all but the last ended by a crash.
    pub lives: u64,
    /// Frames that the engine took.
    pub frames: u64,
    /// Orders that left.
    pub orders: u64,
    /// Fills at the venue.
    pub fills: u64,
    /// Queries about unknown orders.
    pub queries: u64,
    /// Breaks of a market stream.
    pub breaks: u64,
    /// Private streams that broke and were opened again.
    pub reconnects: u64,
    /// Restarts that refused to trade, because records of the journal were gone.
    pub refusals: u64,
    /// Everything that happened between engine and venue, as one number: equal seeds, equal numbers.
    pub digest: u64,
    /// What must not be.
    #[serde(skip)]
    pub violations: Vec<Violation>,
}

impl Outcome {
    /// Adds another seed's counts.
    pub fn add(&mut self, other: &Self) {
        self.lives += other.lives;
        self.frames += other.frames;
        self.orders += other.orders;
        self.fills += other.fills;
        self.queries += other.queries;
        self.breaks += other.breaks;
        self.reconnects += other.reconnects;
        self.refusals += other.refusals;
        self.digest = self.digest.rotate_left(7) ^ other.digest;
    }
}

/// Runs a seed in the empty directory `dir`, with a bug or without. Err: it could not be run.
pub fn seed(seed: u64, dir: &Path, bug: Option<Bug>) -> Result<Outcome, String> {
    let plan = Plan::of_seed(seed);
    let strict = config(CONFIG)?;
    let loose = match bug {
        Some(Bug::LooseLimit) => config(
            &CONFIG
                .replace("position_notional_max = \"500\"", "position_notional_max = \"5000\"")
                .replace("position_notional_max = \"400\"", "position_notional_max = \"4000\""),
        )?,
        Some(Bug::OldBook) => config(&CONFIG.replace("book_age_ms_max = 20 ", "book_age_ms_max = 60000 "))?,
        _ => strict.clone(),
    };
    let (source, table) = sabrewing::demo::generated(seed, plan.instruments, DURATION)?;
    let market = Market::new(source, seed, table.len(), plan.frames);
    let world = World::new(paper_venue(&loose, &table)?, seed, plan.link, bug);
    let circumstances = Circumstances {
        config: loose,
        table,
        market: Arc::new(Mutex::new(market)),
        world: Arc::new(Mutex::new(world)),
        bug,
    };
    let data = DataDir::open(dir, ENGINE).map_err(|e| e.to_string())?;
    let mut lives = vec![];
    loop {
        let crash = plan.crashes.get(lives.len());
        let life = circumstances.live(&data, lives.len(), crash)?;
        let goes_on = life.has_crashed;
        lives.push(life);
        if !goes_on {
            break;
        }
        if let Some(crash) = crash {
            circumstances.market.lock().unwrap_or_else(PoisonError::into_inner).pass(crash.away_frames);
        }
    }
    let mut world = circumstances.world.lock().unwrap_or_else(PoisonError::into_inner);
    let account = world.account(Nanos::MAX);
    let journals = lives.iter().map(Journalled::read).collect::<Result<Vec<_>, _>>()?;
    let evidence = Evidence {
        config: &strict,
        table: &circumstances.table,
        lives: &lives,
        journals: &journals,
        events: &world.events,
        account: &account,
    };
    let violations = check::all(&evidence);
    Ok(Outcome { reconnects: world.reconnects, violations, ..counted(&evidence) })
}

/// Runs a seed in a directory of its own that is gone afterwards: in memory, where the machine has a place for that.
/// Err: as [`seed`].
pub fn seed_and_forget(number: u64, bug: Option<Bug>) -> Result<Outcome, String> {
    let memory = Path::new("/dev/shm");
    let dir = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).map_err(|e| e.to_string())?;
    seed(number, dir.path(), bug)
}

/// The command that repeats a seed.
#[must_use]
pub fn repeat(seed: u64, bug: Option<Bug>) -> String {
    let bug = bug.and_then(|bug| bug.to_possible_value()).map(|bug| format!(" --bug {}", bug.get_name()));
    format!("cargo run -p sim -- run --seed {seed}{}", bug.unwrap_or_default())
}

fn counted(evidence: &Evidence<'_>) -> Outcome {
    let mut outcome = Outcome { lives: evidence.lives.len() as u64, ..Outcome::default() };
    let mut fills: HashSet<(Vec<u8>, Qty)> = HashSet::new();
    for event in evidence.events {
        let text = format!("{event:?}");
        for byte in text.bytes() {
            // FNV-1a, 64 bits.
            outcome.digest = (outcome.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        match event {
            VenueEvent::Sent { kind: SentKind::Place, .. } => outcome.orders += 1,
            VenueEvent::Sent { kind: SentKind::Query, .. } => outcome.queries += 1,
            VenueEvent::Said(Answer { id, event: AnswerEvent::Filled { .. }, filled: Some(filled) }) => {
                fills.insert((id.as_bytes().to_vec(), *filled));
            }
            _ => {}
        }
    }
    outcome.fills = fills.len() as u64;
    for journal in evidence.journals {
        let of = |kind| journal.feed.iter().filter(|record| record.kind == kind).count() as u64;
        outcome.frames += of(engine::journal::schema::RecordKind::Frame);
        outcome.breaks += of(engine::journal::schema::RecordKind::StreamStale);
    }
    outcome.refusals = evidence.lives.iter().filter(|life| life.refused).count() as u64;
    outcome
}

fn config(text: &str) -> Result<Config, String> {
    Config::parse("sim.toml (shipped)".into(), text.into()).map_err(|e| e.to_string())
}

/// What a simulated engine runs with.
const CONFIG: &str = include_str!("../configs/sim.toml");
