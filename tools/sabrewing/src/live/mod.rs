//! Live runs: real market data over sockets, orders to the paper exchange or the venue.

pub(crate) mod account;
pub(crate) mod check;
pub mod config;
pub(crate) mod orders;
pub(crate) mod run;
mod schema;
mod screen;
pub(crate) mod venue_books;

use crate::config::Config;
use crate::run::{Refused, input, usage};
use config::{LiveConfig, Mode};
use engine::instrument::InstrumentTable;
use feeds::live::fetch::AskError;
use feeds::live::{LivePlan, VenuePlan, Venues};
use feeds::watch::Subscription;
use std::path::Path;

/// A venue that was asked for what it does not have is a mistake of the configuration; one that does not answer is none.
fn asked_in_vain(error: AskError) -> Refused {
    match error {
        AskError::Request(what) => usage(what),
        AskError::Answer(what) => input(what),
    }
}

/// The run's instruments, as the venues state them. Err: a venue does not answer, or does not list one.
pub(crate) fn ask_instruments(venues: &Venues) -> Result<InstrumentTable, Refused> {
    venues.ask_instruments().map_err(asked_in_vain)
}

/// Err: orders would go where real money is, or nobody says whose they are.
fn refuse_mode(live: &LiveConfig) -> Result<(), Refused> {
    match live.mode {
        Mode::Paper => Ok(()),
        Mode::Live => orders::refuse_real_money(live).map_err(|wrong| usage(wrong.text())),
    }
}

/// The run's instruments, from a file. Err: unreadable; one of them is not in it.
fn instruments_of(venues: &Venues, path: &Path) -> Result<InstrumentTable, Refused> {
    let at = |what: String| usage(format!("{}: {what}", path.display()));
    let text = std::fs::read(path).map_err(|error| at(error.to_string()))?;
    let known = feeds::instruments::parse(&text).map_err(|error| at(error.to_string()))?;
    venues.choose(&known).map_err(at)
}

/// What a configuration's run subscribes to: nothing where it is none of a live run. Err: its instruments and venues do
/// not go together.
pub(crate) fn watched(config: &Config, table: &InstrumentTable) -> Result<Vec<Subscription>, Refused> {
    let Some(live) = &config.live else { return Ok(Vec::new()) };
    let plans: Vec<VenuePlan> = live.venues.iter().map(|venue| venue.plan.clone()).collect();
    LivePlan::new(table, &plans).map(|plan| plan.subscriptions).map_err(usage)
}
