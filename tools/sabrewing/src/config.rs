//! The configuration of a run: one TOML file, checked before anything starts, unknown keys refused.

use crate::doctor::HostRequirements;
use crate::live::account::AccountTable;
use crate::live::config::{LiveConfig, LiveTable, VenueTable};
use engine::book::BookConfig;
use engine::fees::{FeeRates, FeesConfig};
use engine::journal::Durability;
use engine::placement::{Placement, PlacementError};
use engine::risk::{PartLimits, RiskConfig, RiskLimits};
use engine::time::Nanos;
use feeds::stage::FeedConfig;
use gateway::paper::PaperConfig;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use strategies::registry::{KINDS, StrategyConfig, StrategyTable};

/// The file that a replay runs with unless it is given another.
const REPLAY: &str = include_str!("../configs/replay.toml");
/// What messages call it.
const REPLAY_NAME: &str = "replay.toml (shipped)";

/// The file's tables.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    risk: RiskConfig,
    #[serde(default)]
    limit: Vec<PartLimits>,
    fees: FeesConfig,
    gateway: GatewayTable,
    paper: PaperConfig,
    #[serde(default)]
    strategy: Vec<StrategyTable>,
    feed: FeedTable,
    book: BookTable,
    run: RunTable,
    latency: LatencyTable,
    journal: JournalTable,
    /// What the host must be like; see `doctor`.
    host: Option<HostRequirements>,
    /// A live run; see `run`.
    live: Option<LiveTable>,
    #[serde(default)]
    venue: Vec<VenueTable>,
    #[serde(default)]
    account: Vec<AccountTable>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GatewayTable {
    /// After so long without an answer an order is unknown, ms; 1..=60,000.
    answer_timeout_ms: u64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FeedTable {
    /// Time between timers while nothing comes, ms; 1..=1,000.
    timer_ms: u64,
    /// Memory for updates that wait for a snapshot, MiB per instrument; 1..=256.
    resync_buffer_mib: usize,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BookTable {
    window_ticks: usize,
    capacity_per_side: usize,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RunTable {
    /// A thread without a turn for so long is stalled, ms; 100..=60,000.
    stall_ms: u64,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LatencyTable {
    /// Whether every hop of every frame is measured.
    stamps: bool,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct JournalTable {
    /// Size of the feed lane's segments, MiB; 1..=4,096.
    feed_segment_mib: u64,
    /// Size of the other lanes' segments, MiB; 1..=4,096.
    segment_mib: u64,
    durability: DurabilityKey,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DurabilityKey {
    Process,
    MsyncMs(u32),
    SyncBeforeSend,
}

/// A configuration that was checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file's name, for summaries.
    pub name: String,
    /// The file's text, for the journal.
    pub text: String,
    /// The gate's limits.
    pub limits: RiskLimits,
    /// What trading costs.
    pub fees: FeeRates,
    /// After so long without an answer an order is unknown.
    pub answer_timeout: Nanos,
    /// The paper exchange.
    pub paper: PaperConfig,
    /// What trades; none: the run only rebuilds.
    pub strategies: Vec<StrategyConfig>,
    /// The feed stage.
    pub feed: FeedConfig,
    /// Books.
    pub book: BookConfig,
    /// A thread without a turn for so long is stalled.
    pub stall_after: Duration,
    /// Whether every hop of every frame is measured.
    pub stamps: bool,
    /// Size of the feed lane's journal segments.
    pub feed_segment_bytes: u64,
    /// Size of the other lanes' journal segments.
    pub segment_bytes: u64,
    /// What survives what.
    pub durability: Durability,
    /// What the host must be like.
    pub host: Option<HostRequirements>,
    /// What a live run connects to; None: the file is none of a live run.
    pub live: Option<LiveConfig>,
}

/// What is wrong with a configuration, with its file: a line for each mistake.
#[derive(Debug)]
pub struct ConfigError {
    file: String,
    /// At least one.
    mistakes: Vec<String>,
}

impl ConfigError {
    fn new(file: impl Into<String>, what: impl fmt::Display) -> Self {
        Self { file: file.into(), mistakes: vec![what.to_string()] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.mistakes.iter().map(|what| format!("{}: {what}", self.file)).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// What was found wrong so far: whoever corrects a file wants to know all of it.
#[derive(Default)]
pub(crate) struct Mistakes(Vec<String>);

impl Mistakes {
    /// Notes what is not as it must be.
    pub(crate) fn check(&mut self, is_right: bool, what: impl FnOnce() -> String) {
        if !is_right {
            self.0.push(what());
        }
    }

    /// Notes one.
    pub(crate) fn note(&mut self, what: impl Into<String>) {
        self.0.push(what.into());
    }

    /// What was checked. None: its mistake is noted.
    pub(crate) fn keep<T>(&mut self, checked: Result<T, String>) -> Option<T> {
        checked.map_err(|what| self.0.push(what)).ok()
    }

    /// What was checked. None: its mistakes are noted.
    pub(crate) fn keep_all<T>(&mut self, checked: Result<T, Self>) -> Option<T> {
        checked.map_err(|mistakes| self.0.extend(mistakes.0)).ok()
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A line for each.
    pub(crate) fn text(&self) -> String {
        self.0.join("\n")
    }
}

impl Config {
    /// The file at `path`, or the shipped replay configuration. Err: unreadable, or what is wrong in it.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        match path {
            None => Self::parse(REPLAY_NAME.into(), REPLAY.into()),
            Some(path) => {
                let name = path.display().to_string();
                match std::fs::read_to_string(path) {
                    Ok(text) => Self::parse(name, text),
                    Err(error) => Err(ConfigError::new(name, error)),
                }
            }
        }
    }

    /// SHA-256 of the file's text.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.text.as_bytes()).into()
    }

    /// This configuration with what `run` says of a live run, which may be nothing, in place of its own: what was subscribed
    /// to, on which connections, is a fact of what is replayed, and what replays it cannot choose. The text becomes what
    /// is run with, so that a journal of it can be replayed in turn.
    /// Err: the two do not go together.
    pub(crate) fn with_live_tables_of(self, run: Option<&Self>) -> Result<Self, ConfigError> {
        let fail = |what: String| ConfigError::new(&self.name, what);
        let parse = |text: &str| text.parse::<toml::Table>().map_err(|error| fail(error.to_string()));
        let (own, run) = (parse(&self.text)?, parse(run.map_or("", |run| &run.text))?);
        let mut both = own.clone();
        for name in LIVE_TABLES {
            both.remove(name);
            both.extend(run.get(name).map(|table| (name.to_owned(), table.clone())));
        }
        if both == own {
            return Ok(self);
        }
        let text = toml::to_string(&both).map_err(|error| fail(error.to_string()))?;
        Self::parse(self.name, text)
    }

    /// A file's text under the name that messages call it by. Err: what is wrong in it: of what is no configuration at
    /// all the first mistake, otherwise those of every table.
    pub fn parse(name: String, text: String) -> Result<Self, ConfigError> {
        // The parser's message has line, column, and the line itself with a mark under the key.
        let file: File =
            toml::from_str(&text).map_err(|error| ConfigError::new(&name, error.to_string().trim_end()))?;
        let mut wrong = Mistakes::default();
        let limits = wrong.keep(file.risk.check().map_err(|what| format!("[risk] {what}")));
        let fees = wrong.keep(file.fees.check().map_err(|what| format!("[fees] {what}")));
        wrong.check((1..=60_000).contains(&file.gateway.answer_timeout_ms), || {
            "[gateway] answer_timeout_ms must be in 1..=60000".into()
        });
        wrong.keep(file.paper.check().map_err(|what| format!("[paper] {what}")));
        let of_run = || file.venue.iter().flat_map(VenueTable::instruments).collect::<Vec<_>>();
        let of_run = file.live.is_some().then(of_run);
        let strategies = wrong.keep_all(strategies(&file.strategy, of_run.as_deref()));
        let limits = match (limits, &strategies) {
            (Some(limits), Some(strategies)) => {
                let names: Vec<_> = strategies.iter().map(|strategy| strategy.name.as_str()).collect();
                wrong.keep_all(with_parts(limits, file.limit, &names, of_run.as_deref()))
            }
            (limits, _) => limits,
        };
        wrong
            .check((1..=1000).contains(&file.feed.timer_ms), || "[feed] timer_ms must be in 1..=1000".into());
        wrong.check((1..=256).contains(&file.feed.resync_buffer_mib), || {
            "[feed] resync_buffer_mib must be in 1..=256".into()
        });
        let book = BookConfig::new(file.book.window_ticks, file.book.capacity_per_side);
        let book = wrong.keep(book.map_err(|error| format!("[book] {error}")));
        wrong.check((100..=60_000).contains(&file.run.stall_ms), || {
            "[run] stall_ms must be in 100..=60000".into()
        });
        let JournalTable { feed_segment_mib, segment_mib, durability } = file.journal;
        for (key, mib) in [("feed_segment_mib", feed_segment_mib), ("segment_mib", segment_mib)] {
            wrong.check((1..=4096).contains(&mib), || format!("[journal] {key} must be in 1..=4096"));
        }
        let durability = match durability {
            DurabilityKey::Process => Durability::Process,
            DurabilityKey::SyncBeforeSend => Durability::SyncBeforeSend,
            DurabilityKey::MsyncMs(every_ms) => {
                wrong.check((1..=60_000).contains(&every_ms), || {
                    "[journal] durability.msync_ms must be in 1..=60000".into()
                });
                Durability::Msync { every_ms }
            }
        };
        let live = match &file.live {
            Some(live) => wrong.keep_all(LiveConfig::check(live, &file.venue, &file.account)),
            None => {
                wrong.check(file.venue.is_empty() && file.account.is_empty(), || {
                    "[[venue]] and [[account]] are of a live run, and there is no [live]".into()
                });
                None
            }
        };
        match (limits, fees, strategies, book) {
            (Some(limits), Some(fees), Some(strategies), Some(book)) if wrong.is_empty() => Ok(Self {
                limits,
                fees,
                answer_timeout: Nanos::from_ms(file.gateway.answer_timeout_ms),
                paper: file.paper,
                strategies,
                feed: FeedConfig {
                    timer_ns: Nanos::from_ms(file.feed.timer_ms),
                    resync_buffer_bytes: file.feed.resync_buffer_mib << 20,
                    // Each venue of a live run says for itself (`live`).
                    renew_ns: Nanos(0),
                },
                book,
                stall_after: Duration::from_millis(file.run.stall_ms),
                stamps: file.latency.stamps,
                feed_segment_bytes: feed_segment_mib << 20,
                segment_bytes: segment_mib << 20,
                durability,
                host: file.host,
                live,
                name,
                text,
            }),
            _ => Err(ConfigError { file: name, mistakes: wrong.0 }),
        }
    }
}

/// The strategies of a file. `instruments`: full names of those of a live run; None: the file does not say.
/// Err: the first mistake of each.
fn strategies(
    tables: &[StrategyTable],
    instruments: Option<&[String]>,
) -> Result<Vec<StrategyConfig>, Mistakes> {
    let mut wrong = Mistakes::default();
    for table in tables {
        let strategy = wrong.keep(StrategyConfig::new(KINDS, table));
        if let (Some(strategy), Some(names)) = (strategy, instruments) {
            wrong.keep(strategy.check_instruments(names));
        }
    }
    let all = if wrong.is_empty() { wrong.keep(StrategyConfig::all(KINDS, tables)) } else { None };
    all.ok_or(wrong)
}

/// The limits with those of parts. `strategies`: the names of all; `instruments` as of [`strategies`].
/// Err: the first mistake, or every venue and instrument that the run does not have: a limit of it would hold nothing.
fn with_parts(
    limits: RiskLimits,
    parts: Vec<PartLimits>,
    strategies: &[&str],
    instruments: Option<&[String]>,
) -> Result<RiskLimits, Mistakes> {
    let mut wrong = Mistakes::default();
    for (number, part) in (1..).zip(&parts) {
        let Some(names) = instruments else { break };
        let venue_of = |name: &String| name.split_once(':').map(|(venue, _)| venue.to_owned());
        let has_venue =
            part.venue.iter().all(|venue| names.iter().any(|name| venue_of(name).as_ref() == Some(venue)));
        let has_instrument = part.instrument.iter().all(|instrument| names.contains(instrument));
        let none = |what: &str, given: &Option<String>| {
            let given = given.as_deref().unwrap_or_default();
            format!("[[limit]] no. {number}: {what}: the run has no {given}; it has {}", names.join(", "))
        };
        wrong.check(has_venue, || none("venue", &part.venue));
        wrong.check(has_instrument, || none("instrument", &part.instrument));
    }
    let limits = limits.with_parts(parts, strategies).map_err(|what| format!("[[limit]] {what}"));
    let limits = wrong.keep(limits).filter(|_| wrong.is_empty());
    limits.ok_or(wrong)
}

/// The tables that only a live run has.
const LIVE_TABLES: [&str; 3] = ["live", "venue", "account"];

/// `one`, `two`, `five`, or a placement file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlacementChoice {
    /// Everything on one thread.
    One,
    /// Market data on one thread, decisions on the other.
    Two,
    /// A thread for each stage.
    Five,
    /// As the file says.
    File(PathBuf),
}

impl From<&str> for PlacementChoice {
    fn from(text: &str) -> Self {
        match text {
            "one" => Self::One,
            "two" => Self::Two,
            "five" => Self::Five,
            path => Self::File(path.into()),
        }
    }
}

impl PlacementChoice {
    /// The placement on `cores`, those that this process may use. Err: an unreadable file, or a placement that
    /// cannot run.
    pub fn load(&self, cores: &[usize]) -> Result<Placement, ConfigError> {
        let placement = match self {
            Self::One => Placement::one(cores),
            Self::Two => Placement::two(cores),
            Self::Five => Placement::five(cores),
            Self::File(path) => {
                let fail = |what: String| ConfigError::new(path.display().to_string(), what);
                let text = std::fs::read_to_string(path).map_err(|error| {
                    fail(format!("{error}; --placement takes one, two, five, or a placement file"))
                })?;
                toml::from_str(&text).map_err(|error| fail(error.to_string().trim_end().into()))?
            }
        };
        let name = match self {
            Self::File(path) => path.display().to_string(),
            _ => "--placement".into(),
        };
        placement.check(cores.len()).map_err(|error: PlacementError| ConfigError::new(name, error))?;
        Ok(placement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use feeds::codec::Event;

    fn error(change: impl Fn(&str) -> String) -> String {
        Config::parse("x.toml".into(), change(REPLAY)).unwrap_err().to_string()
    }

    #[test]
    fn the_shipped_configuration_is_valid_and_names_itself() {
        let config = Config::load(None).unwrap();
        assert!(config.strategies.len() == 1 && config.name.starts_with("replay.toml"));
    }

    #[test]
    fn what_is_wrong_is_said_with_file_line_and_key() {
        let unknown = error(|text| text.replace("collar_bps", "collar_bsp"));
        assert!(
            unknown.starts_with("x.toml: TOML parse error at line 16") && unknown.contains("collar_bsp"),
            "{unknown}"
        );
        let missing = error(|text| text.replace("open_orders_max = 16", ""));
        assert!(missing.contains("missing field `open_orders_max`"), "{missing}");
        let float = error(|text| text.replace("\"1000\"", "1000.5"));
        assert!(float.contains("decimal in quotes"), "{float}");
        let range = error(|text| text.replace("timer_ms = 10 ", "timer_ms = 0 "));
        assert_eq!(range, "x.toml: [feed] timer_ms must be in 1..=1000");
        let limit = error(|text| text.replace("order_notional_max = \"1000\"", "order_notional_max = \"0\""));
        assert_eq!(limit, "x.toml: [risk] order_notional_max must be above 0");
        let part = |part: &str| error(|text| format!("{text}\n[[limit]]\n{part}\n"));
        assert_eq!(
            part("strategy = \"maker\"\ncollar_bps = 100"),
            "x.toml: [[limit]] no. 1: no strategy maker; there is mm, and manual"
        );
        assert_eq!(
            part("asset = \"BTC\"\ncollar_bps = 201"),
            "x.toml: [[limit]] no. 1: collar_bps must be above 0 and at most 200, the limit for everything"
        );
        let fees = error(|text| text.replace("maker_bps = \"2.0\"", "maker_bps = \"200\""));
        assert!(fees.starts_with("x.toml: [fees] maker_bps must be in -100..=100"), "{fees}");
        let timeout = error(|text| text.replace("answer_timeout_ms = 1000", "answer_timeout_ms = 0"));
        assert_eq!(timeout, "x.toml: [gateway] answer_timeout_ms must be in 1..=60000");
        let stall = error(|text| text.replace("stall_ms = 2000", "stall_ms = 99"));
        assert_eq!(stall, "x.toml: [run] stall_ms must be in 100..=60000");
        let synced = REPLAY.replace("durability = \"process\"", "durability = \"sync_before_send\"");
        let synced = Config::parse("x.toml".into(), synced).unwrap().durability;
        assert_eq!(synced, Durability::SyncBeforeSend);
        let durability =
            error(|text| text.replace("durability = \"process\"", "durability = { msync_ms = 0 }"));
        assert_eq!(durability, "x.toml: [journal] durability.msync_ms must be in 1..=60000");
    }

    #[test]
    fn the_mistakes_of_all_tables_are_said_at_once() {
        let paper = include_str!("../configs/binance-paper.toml");
        let mut text = paper.to_owned();
        for (from, to) in [
            ("keep_gib = 20", "keep_gib = 0"),
            ("copies = 1", "copies = 3"),
            ("snapshot_every_s = 30", "snapshot_every_s = 1"),
            ("[\"*\"]              # all of the run", "[\"binance-usdm:ETHUSDT\"] #"),
            ("timer_ms = 10 ", "timer_ms = 0 "),
            ("segment_mib = 8", "segment_mib = 0"),
            ("maker_bps = \"2.0\"", "maker_bps = \"200\""),
            ("# rest = \"https://fapi.binance.com\"", "rest = \"https://bad host\""),
        ] {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        let said = Config::parse("x.toml".into(), text).unwrap_err().to_string();
        let venue = "x.toml: [[venue]] name = \"binance-usdm\", ";
        let lines = [
            "x.toml: [fees] maker_bps must be in -100..=100, with at most 4 digits behind the point".to_owned(),
            "x.toml: [[strategy]] name = \"mm\", instruments: the run has no \"binance-usdm:ETHUSDT\"; did you mean \"binance-usdm:BTCUSDT\"?".to_owned(),
            "x.toml: [feed] timer_ms must be in 1..=1000".to_owned(),
            "x.toml: [journal] segment_mib must be in 1..=4096".to_owned(),
            "x.toml: [live] keep_gib must be in 1..=10000".to_owned(),
            format!("{venue}copies must be 1 or 2"),
            format!("{venue}snapshot_every_s must be in 5..=3600"),
            format!("{venue}rest: \"https://bad host\" has no host, or one that is none"),
        ];
        assert_eq!(said.lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn without_a_strategy_there_is_none() {
        let start = REPLAY.find("[[strategy]]").unwrap();
        let end = REPLAY.find("[feed]").unwrap();
        let text = format!("{}{}", &REPLAY[..start], &REPLAY[end..]);
        assert!(Config::parse("x".into(), text).unwrap().strategies.is_empty());
    }

    #[test]
    fn a_strategy_that_is_not_understood_is_refused_with_its_key_and_the_nearest_name() {
        let refused = |from: &str, to: &str| error(|text| text.replace(from, to));
        let mm = "x.toml: [[strategy]] name = \"mm\", ";
        for (from, to, what) in [
            (
                "\"market_maker\"",
                "\"market_making\"",
                "kind: no such strategy \"market_making\"; did you mean \"market_maker\"?",
            ),
            (
                "skew_ticks",
                "skew_tick",
                "skew_tick: market_maker has no such parameter; did you mean \"skew_ticks\"?",
            ),
            ("levels = 2", "levels = 9", "levels: must be in 1..=8"),
            ("levels = 2", "levels = \"1.5\"", "levels: must have at most 0 digits behind the point"),
            ("levels = 2", "", "levels: is missing: bids, and asks"),
            ("= \"500\"", "= \"abc\"", "quote_notional: \"abc\": not a plain decimal number"),
            (
                "= \"500\"",
                "= \"4000.01\"",
                "position_notional_max: position_notional_max must be at least quote_notional",
            ),
            ("instruments = [\"*\"]", "instruments = []", "instruments: names none; \"*\" is all of the run"),
        ] {
            assert_eq!(refused(from, to), format!("{mm}{what}"), "{to}");
        }
        assert!(refused("= \"500\"", "= 1.5").contains("decimal in quotes"));
        assert!(refused("name = \"mm\"", "name = \"M M\"").ends_with("name: must be 1 to 24 of a-z, 0-9, _"));
        let start = REPLAY.find("[[strategy]]").unwrap();
        let table = &REPLAY[start..REPLAY.find("[feed]").unwrap()];
        assert!(error(|text| format!("{text}\n{table}")).ends_with("name: is there twice"));
    }

    #[test]
    fn what_is_replayed_says_what_was_subscribed_to_and_no_other_file_does() {
        let parse = |text: &str| Config::parse("x.toml".into(), text.into()).unwrap();
        let paper = include_str!("../configs/binance-paper.toml");
        let (plain, live) = (parse(&REPLAY.replace("levels = 2", "levels = 1")), parse(paper));
        let other = parse(
            &paper
                .replace("copies = 1", "copies = 2")
                .replace("snapshot_every_s = 30", "snapshot_every_s = 60"),
        );
        let subscribed = |config: &Config| {
            let wanted = &config.live.as_ref().unwrap().venues[0].plan.wanted;
            let renewed = wanted.events.iter().find(|(event, _)| *event == Event::Snapshot);
            (renewed.map(|(_, after)| after.as_ms()), wanted.copies)
        };
        // Another file, and an example without live tables, take those of the run.
        for (config, levels) in [(&plain, 1), (&other, 2)] {
            let mixed = config.clone().with_live_tables_of(Some(&live)).unwrap();
            assert_eq!(subscribed(&mixed), (Some(30_000), 1));
            let at = mixed.strategies[0].kind.params.iter().position(|param| param.name == "levels").unwrap();
            assert_eq!((mixed.strategies[0].values[at], mixed.name.as_str()), (levels, "x.toml"));
            // What its journal says comes to the same.
            let again = parse(&mixed.text);
            assert_eq!((subscribed(&again), again.sha256()), (subscribed(&mixed), mixed.sha256()));
        }
        // A recording without connections has none, whatever the file says.
        for run in [None, Some(&plain)] {
            let bare = live.clone().with_live_tables_of(run).unwrap();
            assert!(bare.live.is_none());
        }
        // What is the same stays the same text.
        let same = live.clone().with_live_tables_of(Some(&live)).unwrap();
        assert_eq!(
            (same.sha256(), plain.clone().with_live_tables_of(None).unwrap().text),
            (live.sha256(), plain.text)
        );
    }

    #[test]
    fn a_placement_file_is_read_and_checked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.toml");
        std::fs::write(&path, "[[thread]]\nstages = [\"feed\", \"book\"]\ncore = 0\n\n[[thread]]\nstages = [\"signal\", \"strategy\", \"gateway\"]\nidle = \"park\"\n").unwrap();
        let placement = PlacementChoice::File(path.clone()).load(&[0, 1]).unwrap();
        assert_eq!((placement.threads.len(), placement.threads[0].core), (2, Some(0)));
        std::fs::write(&path, "[[thread]]\nstages = [\"feed\"]\n").unwrap();
        let error = PlacementChoice::File(path).load(&[0]).unwrap_err().to_string();
        assert!(error.ends_with("placement: no thread runs stage `book`"), "{error}");
        let missing = PlacementChoice::from("three").load(&[0]).unwrap_err().to_string();
        assert!(missing.contains("one, two, five"), "{missing}");
    }
}
