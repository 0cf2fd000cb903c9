//! Which instruments a replay is of: what its captures say, looked up in what is known.

use super::ReplayArgs;
use engine::ids::InstrumentId;
use engine::instrument::{Instrument, InstrumentTable};
use feeds::detect::{DetectError, Detected, detect};
use feeds::instruments::{Description, parse};
use std::path::Path;

/// The instruments that ship with the program, each with its source.
pub(crate) const SHIPPED: &str = include_str!("../../configs/instruments.toml");

/// The instruments of a run, and which one each file is of.
pub(crate) struct Resolved {
    pub(crate) table: InstrumentTable,
    pub(crate) of_file: Vec<InstrumentId>,
    /// What was assumed about an instrument described on the command line.
    pub(crate) assumed: Vec<String>,
}

/// What is wrong: with the input (exit 1) or with what was asked for (exit 2).
pub(crate) enum ResolveError {
    Input(String),
    Usage(String),
}

/// Looks into every file and finds its instrument.
pub(crate) fn resolve(args: &ReplayArgs) -> Result<Resolved, ResolveError> {
    let mut known =
        parse(SHIPPED.as_bytes()).map_err(|e| ResolveError::Usage(format!("shipped instruments: {e}")))?;
    if let Some(path) = &args.instruments {
        let fail = |what: String| ResolveError::Usage(format!("{}: {what}", path.display()));
        let text = std::fs::read(path).map_err(|e| fail(e.to_string()))?;
        let added = parse(&text).map_err(|e| fail(e.to_string()))?;
        known.retain(|old| !added.iter().any(|new| new.venue == old.venue && new.symbol == old.symbol));
        known.extend(added);
    }
    let (mut table, mut of_file, mut assumed) = (InstrumentTable::default(), Vec::new(), Vec::new());
    for path in &args.files {
        let found = look_into(args, path)?;
        if let Some(listed) = table.find(found.venue, &found.symbol) {
            of_file.push(listed.id);
            continue;
        }
        let instrument = find(args, path, &found, &known, &mut assumed)?;
        of_file.push(table.add(instrument));
    }
    if args.tick.is_some() && table.len() > 1 {
        let names: Vec<String> = table.iter().map(Instrument::full_name).collect();
        let what = format!(
            "--tick and --lot describe one instrument, the files are of {}: give --instruments FILE",
            names.join(", ")
        );
        return Err(ResolveError::Usage(what));
    }
    Ok(Resolved { table, of_file, assumed })
}

/// What a file is of. A capture that never names its symbol is of the one that `--instrument` names.
fn look_into(args: &ReplayArgs, path: &Path) -> Result<Detected, ResolveError> {
    let fail = |what: &dyn std::fmt::Display| ResolveError::Input(format!("{}: {what}", path.display()));
    match (detect(path, args.venue.map(VenueArg::name)), &args.instrument) {
        (Ok(found), _) => Ok(found),
        (Err(DetectError::Undecided { lines: line_number @ 1.., venue: Some(venue) }), Some(name)) => {
            let symbol = name.strip_prefix(venue).and_then(|rest| rest.strip_prefix(':')).unwrap_or(name);
            Ok(Detected { venue, symbol: symbol.to_owned(), qty_digits: None, line_number })
        }
        // A capture's own error names the file already.
        (Err(DetectError::Capture(error)), _) => Err(ResolveError::Input(error.to_string())),
        (Err(other), _) => Err(fail(&other)),
    }
}

fn find(
    args: &ReplayArgs,
    path: &Path,
    found: &Detected,
    known: &[Instrument],
    assumed: &mut Vec<String>,
) -> Result<Instrument, ResolveError> {
    let name = format!("{}:{}", found.venue, found.symbol);
    let fail =
        |what: String| ResolveError::Usage(format!("{}, line {}: {what}", path.display(), found.line_number));
    match (&args.tick, &args.lot) {
        (Some(tick), Some(lot)) => {
            let description = Description {
                venue: found.venue,
                symbol: &found.symbol,
                tick,
                lot,
                qty_unit: args.qty_unit.as_deref(),
                contract_size: args.contract_size.as_deref(),
                qty_digits: found.qty_digits,
            };
            let (instrument, lines) = description.instrument().map_err(|e| fail(e.to_string()))?;
            assumed.extend(lines.into_iter().map(|line| format!("{name}: {line}")));
            Ok(instrument)
        }
        _ => {
            let same = |i: &&Instrument| i.venue == found.venue && i.symbol == found.symbol;
            known.iter().find(same).cloned().ok_or_else(|| {
                let size = if found.venue == "binance-coinm" { " --contract-size" } else { "" };
                fail(format!(
                    "unknown instrument {name}: describe it with --tick and --lot{size}, or give --instruments FILE \
                     (an exchangeInfo answer, or a list)"
                ))
            })
        }
    }
}

/// `--venue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum VenueArg {
    BinanceSpot,
    BinanceUsdm,
    BinanceCoinm,
    Hyperliquid,
}

impl VenueArg {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::BinanceSpot => "binance-spot",
            Self::BinanceUsdm => "binance-usdm",
            Self::BinanceCoinm => "binance-coinm",
            Self::Hyperliquid => "hyperliquid",
        }
    }
}
