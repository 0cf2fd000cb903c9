//! `sabrewing check`: says what is wrong with a configuration before anything starts, or prints its schema.

use super::config::{LiveConfig, Mode};
use super::instruments_of;
use crate::config::{Config, Mistakes};
use crate::run::{PlacementText, Refused, say, usage};
use crate::run_files::wall_now;
use clap::Args;
use feeds::live::{ConnectionRole, LivePlan, Venues};
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Checks a live configuration without connecting anywhere: every key, value, placement, file and stream.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  sabrewing check --config tools/sabrewing/configs/binance-paper.toml
  sabrewing check --config mine.toml --json
  sabrewing check --schema > run.schema.json

Exit codes: 0 a run could start with it; 2 it could not, and why, a line for each mistake.")]
pub(crate) struct CheckArgs {
    /// The configuration.
    #[arg(long, required_unless_present = "schema")]
    config: Option<PathBuf>,
    /// Instruments of a file instead of those that the venue will be asked for: `exchangeInfo` answers, or a list.
    #[arg(long)]
    instruments: Option<PathBuf>,
    /// Prints the JSON schema of configurations and does nothing else.
    #[arg(long, conflicts_with = "config")]
    schema: bool,
    /// One JSON object on stdout instead of text.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &CheckArgs) -> ExitCode {
    let page = if args.schema { super::schema::text() } else { check(args) };
    match page {
        Ok(page) => {
            // A reader that closed the pipe has seen what it wanted.
            let _ = std::io::stdout().write_all(page.as_bytes());
            ExitCode::SUCCESS
        }
        Err(Refused(code, what)) => {
            say(&format!("sabrewing check: {what}"));
            ExitCode::from(code)
        }
    }
}

fn check(args: &CheckArgs) -> Result<String, Refused> {
    let config = Config::load(args.config.as_deref()).map_err(usage)?;
    let live = config.live.as_ref().ok_or_else(|| usage(format!("{}: [live] is missing", config.name)))?;
    // None of these keeps the others from being looked at.
    let mut wrong = Mistakes::default();
    let mut keep = |refused: Refused| wrong.note(refused.1);
    let Ok(placement) = live.placement.parse::<PlacementText>();
    let placement = placement.load().map_err(&mut keep).ok();
    super::refuse_mode(live).unwrap_or_else(&mut keep);
    let plan = match Venues::new(live.venues.clone(), wall_now()).map_err(usage) {
        Ok(venues) => args.instruments.as_ref().map(|path| plan_of(live, &venues, path)),
        Err(refused) => Some(Err(refused)),
    };
    let plan = plan.transpose().map_err(&mut keep).ok();
    let (Some(placement), Some(plan)) = (placement, plan) else { return Err(usage(wrong.text())) };
    if !wrong.is_empty() {
        return Err(usage(wrong.text()));
    }
    let named = live.venues.iter().flat_map(|venue| &venue.symbols).count();
    let threads = placement.threads.len();
    if args.json {
        let connections = plan.as_ref().map(|plan| plan.connections.len());
        let page = json!({
            "config": config.name, "mode": live.mode.name(), "instruments": named, "threads": threads,
            "strategies": config.strategies.len(), "connections": connections,
        });
        return Ok(format!("{page}\n"));
    }
    let mut page = format!("{}: a run could start with it\n", config.name);
    // Writing to a string does not fail.
    let _ = writeln!(page, "{:<14} {}", "mode", live.mode.name());
    let _ = writeln!(
        page,
        "{:<14} {named} named, {} strategies, {threads} threads",
        "instruments",
        config.strategies.len()
    );
    for venue in &live.venues {
        let endpoints = &venue.plan.endpoints;
        let _ = writeln!(page, "{:<14} {} {}", venue.plan.venue, endpoints.stream, endpoints.rest);
    }
    if let Some(plan) = plan {
        page += &connections(&plan);
    }
    Ok(page)
}

/// What would be connected to for the instruments of a file. Err: as [`instruments_of`]; or an account could not tell
/// their positions apart.
fn plan_of(live: &LiveConfig, venues: &Venues, path: &Path) -> Result<LivePlan, Refused> {
    let table = instruments_of(venues, path)?;
    if live.mode == Mode::Live {
        super::orders::refuse_shared_assets(live, &table).map_err(usage)?;
    }
    venues.plan(&table).map_err(usage)
}

/// A line for each connection.
fn connections(plan: &LivePlan) -> String {
    let line = |(index, connection): (usize, &feeds::live::ConnectionPlan)| match &connection.role {
        ConnectionRole::Streams { url, names } => {
            format!("connection {index:<3} {url} {}\n", names.join(" "))
        }
        ConnectionRole::Snapshots { url, weight } => format!("connection {index:<3} {url} weighs {weight}\n"),
    };
    plan.connections.iter().enumerate().map(line).collect()
}
