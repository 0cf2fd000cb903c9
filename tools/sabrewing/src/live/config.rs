//! What only a live run is configured with: `[live]` and the `[[venue]]` tables.

use super::account::{AccountConfig, AccountTable};
use crate::config::Mistakes;
use engine::journal::Retention;
use engine::time::Nanos;
use feeds::codec::Event;
use feeds::live::{Endpoints, LiveVenue, VenuePlan, Wanted, product_of, rotate_after};
use feeds::venues::binance::streams;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;
use wire::url::Url;

/// `[live]`, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LiveTable {
    mode: Mode,
    /// Names the engine in every client order id; 1..=65,535, another one for each engine of an account.
    engine: u16,
    /// Where runs are kept, a directory each.
    data_dir: PathBuf,
    /// `one`, `two`, `five`, or a placement file.
    placement: String,
    /// How sockets are waited for.
    sockets: Sockets,
    /// How long the kernel asks the network card in a receive before it says that there is nothing, us; 0: not at all.
    busy_poll_us: u32,
    /// Between two measurements of the venue's clock, s; 1..=3,600.
    clock_every_s: u64,
    /// Oldest journal segments go when a run's journal is larger than this, GiB; 1..=10,000.
    keep_gib: u64,
    /// Segments older than this go, hours; 1..=87,600.
    keep_hours: u64,
}

/// Whom orders go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// The paper exchange, fed by the venue's streams: no account, no keys.
    Paper,
    /// The venue's account, over sessions of its own.
    Live,
}

impl Mode {
    /// As in the file.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Live => "live",
        }
    }
}

/// How a busy thread asks its sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sockets {
    /// Plain calls, over and over: the lowest latency.
    BusyPoll,
    /// `epoll` by `mio`.
    Mio,
    /// `io_uring`, or plain calls where the kernel has none.
    IoUring,
}

/// One `[[venue]]`, as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VenueTable {
    name: String,
    symbols: Vec<String>,
    /// Base of REST requests; the venue's own when absent.
    rest: Option<String>,
    /// Base of streams; the venue's own when absent.
    stream: Option<String>,
    /// PEM file with the root that signs a test venue's certificate; the public roots when absent.
    root_certificate: Option<PathBuf>,
    streams: Vec<StreamKey>,
    /// Connections that carry each stream: 1, or 2 for an A/B pair.
    copies: u8,
    /// A live book is renewed from a fresh snapshot after so long, s; 5..=3,600.
    snapshot_every_s: u64,
    silence: SilenceTable,
    /// Part of the venue's request weight a minute that snapshots may use; 1..=100,000.
    request_weight_per_minute: u32,
    /// A connection is replaced by a new one after so long, s; 10 min before the venue ends it when absent.
    rotate_after_s: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StreamKey {
    Depth,
    Ticker,
    Trades,
    MarkPrice,
    Kline1m,
}

/// The longest that a stream may say nothing before its connection is opened anew, ms; 0: for ever.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SilenceTable {
    depth_ms: u64,
    ticker_ms: u64,
    trades_ms: u64,
    mark_price_ms: u64,
}

/// `[live]` and `[[venue]]`, checked.
#[derive(Clone, Debug)]
pub struct LiveConfig {
    /// Whom orders go to.
    pub(crate) mode: Mode,
    /// Names the engine in every client order id.
    pub(crate) engine: u16,
    /// Where runs are kept.
    pub(crate) data_dir: PathBuf,
    /// Which stages share which thread.
    pub(crate) placement: String,
    /// How sockets are waited for.
    pub(crate) sockets: Sockets,
    /// How long the kernel asks the network card in a receive, us.
    pub(crate) busy_poll_us: u32,
    /// Between two measurements of a venue's clock.
    pub(crate) clock_every: Nanos,
    /// What of the journal is kept.
    pub(crate) keep: Retention,
    /// The venues.
    pub(crate) venues: Vec<LiveVenue>,
    /// Whose orders are sent there.
    pub(crate) accounts: Vec<AccountConfig>,
}

impl LiveConfig {
    /// Err: every value that is out of range, with its table and key.
    pub(crate) fn check(
        run: &LiveTable,
        venues: &[VenueTable],
        accounts: &[AccountTable],
    ) -> Result<Self, Mistakes> {
        let mut wrong = Mistakes::default();
        wrong.check(run.engine > 0, || "[live] engine must be in 1..=65535".into());
        for (key, value, high) in [
            ("clock_every_s", run.clock_every_s, 3_600),
            ("keep_gib", run.keep_gib, 10_000),
            ("keep_hours", run.keep_hours, 87_600),
        ] {
            wrong.check((1..=high).contains(&value), || format!("[live] {key} must be in 1..={high}"));
        }
        wrong.check(!venues.is_empty(), || "[[venue]] is missing: a live run needs at least one".into());
        let mut checked = Vec::new();
        for (index, venue) in venues.iter().enumerate() {
            let name = &venue.name;
            let is_first = venues[..index].iter().all(|other| other.name != *name);
            wrong.check(is_first, || format!("[[venue]] name = \"{name}\" is there twice"));
            checked.extend(wrong.keep_all(venue.check()));
        }
        let mut of_accounts: Vec<AccountConfig> = Vec::new();
        for (index, account) in accounts.iter().enumerate() {
            let name = account.venue();
            let is_first = accounts[..index].iter().all(|other| other.venue() != name);
            wrong.check(is_first, || format!("[[account]] venue = \"{name}\" is there twice"));
            wrong.check(venues.iter().any(|venue| venue.name == name), || {
                format!("[[account]] venue = \"{name}\": there is no [[venue]] of this name")
            });
            of_accounts.extend(wrong.keep_all(account.check()));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Self {
            mode: run.mode,
            engine: run.engine,
            busy_poll_us: run.busy_poll_us,
            data_dir: run.data_dir.clone(),
            placement: run.placement.clone(),
            sockets: run.sockets,
            clock_every: Nanos(run.clock_every_s * Nanos::SECOND.0),
            keep: Retention { bytes: run.keep_gib << 30, age: Duration::from_secs(3_600 * run.keep_hours) },
            venues: checked,
            accounts: of_accounts,
        })
    }
}

impl VenueTable {
    /// Full names of its instruments.
    pub(crate) fn instruments(&self) -> impl Iterator<Item = String> {
        self.symbols.iter().map(|symbol| format!("{}:{symbol}", self.name))
    }

    fn check(&self) -> Result<LiveVenue, Mistakes> {
        let at = |what: String| format!("[[venue]] name = \"{}\", {what}", self.name);
        let mut wrong = Mistakes::default();
        let product = product_of(&self.name)
            .ok_or_else(|| at("name: there is binance-spot, binance-usdm, binance-coinm".into()));
        let product = wrong.keep(product);
        wrong.check(!self.symbols.is_empty(), || at("symbols: names none".into()));
        for (index, symbol) in self.symbols.iter().enumerate() {
            let is_first = !self.symbols[..index].contains(symbol);
            wrong.check(is_first, || at(format!("symbols: {symbol} is there twice")));
        }
        wrong.check((1..=2).contains(&self.copies), || at("copies must be 1 or 2".into()));
        wrong.check(self.streams.contains(&StreamKey::Depth), || {
            at("streams: depth is missing, and without it there is no book".into())
        });
        wrong.check((5..=3_600).contains(&self.snapshot_every_s), || {
            at("snapshot_every_s must be in 5..=3600".into())
        });
        wrong.check((1..=100_000).contains(&self.request_weight_per_minute), || {
            at("request_weight_per_minute must be in 1..=100000".into())
        });
        let silence = [
            self.silence.depth_ms,
            self.silence.ticker_ms,
            self.silence.trades_ms,
            self.silence.mark_price_ms,
        ];
        wrong.check(silence.iter().all(|ms| *ms <= 3_600_000), || at("silence: at most 3600000 ms".into()));
        let placed = product.map(|product| {
            let longest = rotate_after(product);
            let rotate_after =
                self.rotate_after_s.map_or(longest, |s| Nanos(s.saturating_mul(Nanos::SECOND.0)));
            wrong.check((Nanos(5 * Nanos::SECOND.0)..=longest).contains(&rotate_after), || {
                at(format!("rotate_after_s must be in 5..={}", longest.0 / Nanos::SECOND.0))
            });
            (streams::endpoints(product), rotate_after)
        });
        let rest = wrong.keep(
            base(self.rest.as_deref(), ["https://", "http://"]).map_err(|what| at(format!("rest: {what}"))),
        );
        let stream = wrong.keep(
            base(self.stream.as_deref(), ["wss://", "ws://"]).map_err(|what| at(format!("stream: {what}"))),
        );
        match (placed, rest, stream) {
            (Some((usual, rotate_after)), Some(rest), Some(stream)) if wrong.is_empty() => {
                let endpoints =
                    Endpoints { rest: rest.unwrap_or(usual.rest), stream: stream.unwrap_or(usual.stream) };
                let renewed_after = Nanos(self.snapshot_every_s * Nanos::SECOND.0);
                let streams = self.streams.iter().map(|key| self.event(*key));
                let events = streams.chain([(Event::Snapshot, renewed_after)]).collect();
                let wanted = Wanted { events, copies: self.copies };
                Ok(LiveVenue {
                    plan: VenuePlan { venue: self.name.clone(), endpoints, wanted },
                    symbols: self.symbols.clone(),
                    root_certificate: self.root_certificate.clone(),
                    request_weight_per_minute: self.request_weight_per_minute,
                    rotate_after,
                })
            }
            _ => Err(wrong),
        }
    }

    /// What a stream brings, and how long it may say nothing.
    fn event(&self, key: StreamKey) -> (Event, Nanos) {
        let SilenceTable { depth_ms, ticker_ms, trades_ms, mark_price_ms } = self.silence;
        let (event, ms) = match key {
            StreamKey::Depth => (Event::Delta, depth_ms),
            StreamKey::Ticker => (Event::Ticker, ticker_ms),
            StreamKey::Trades => (Event::Trades, trades_ms),
            StreamKey::MarkPrice => (Event::MarkPrice, mark_price_ms),
            StreamKey::Kline1m => (Event::Kline, 0),
        };
        (event, Nanos::from_ms(ms))
    }
}

/// The base of requests or streams, where one is given. Err: it is no URL of these schemes.
fn base(given: Option<&str>, schemes: [&str; 2]) -> Result<Option<String>, String> {
    let Some(given) = given else { return Ok(None) };
    if !schemes.iter().any(|scheme| given.starts_with(scheme)) {
        return Err(format!("{given:?} does not begin with {} or {}", schemes[0], schemes[1]));
    }
    Url::parse(given).map_err(|error| format!("{given:?} {error}"))?;
    Ok(Some(given.trim_end_matches('/').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn each_venues_books_are_renewed_as_often_as_its_table_says() {
        let text = include_str!("../../configs/binance-testnet.toml");
        let live = Config::parse("x.toml".into(), text.into()).unwrap().live.unwrap();
        let renewed = |venue: &LiveVenue| {
            let events = venue.plan.wanted.events.iter().filter(|(event, _)| *event == Event::Snapshot);
            events.map(|(_, after)| after.as_ms()).collect::<Vec<_>>()
        };
        assert_eq!(live.venues.iter().map(renewed).collect::<Vec<_>>(), [[30_000], [60_000]]);
    }
}
