//! The way to the venues of a live run: whom their connections trust, what they list, who fetches from them.

use super::fetch::{self, AskError, FetchPlan, Fetched, Fetchers, http_config};
use super::plan::{LivePlan, VenuePlan, product_of};
use super::source::LiveOptions;
use crate::venues::binance::instruments::{StatedLimit, parse_exchange_info_of, parse_rate_limits};
use crate::venues::binance::{Product, streams};
use engine::instrument::{Instrument, InstrumentTable};
use engine::time::{Nanos, WallClock};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use wire::net::{Endpoint, NetOptions, Resolver};
use wire::tls::TlsConfig;
use wire::url::Url;

/// A venue of a live run.
#[derive(Clone, Debug)]
pub struct LiveVenue {
    /// Where it is and what is wanted of it.
    pub plan: VenuePlan,
    /// What is watched there, by the venue's names.
    pub symbols: Vec<String>,
    /// PEM file with the root that signs its certificate; None: the public roots.
    pub root_certificate: Option<PathBuf>,
    /// Request weight a minute that snapshots may use.
    pub request_weight_per_minute: u32,
    /// A connection is replaced by a new one after this time, before the venue ends it. See [`rotate_after`].
    pub rotate_after: Nanos,
}

/// How long connections to a product serve where nothing else is wanted: 10 min less than the venue's limit.
#[must_use]
pub fn rotate_after(product: Product) -> Nanos {
    streams::limits(product).lifetime_ns.since(Nanos(10 * 60 * Nanos::SECOND.0))
}

/// The venues of a run, within reach.
pub struct Venues {
    venues: Vec<LiveVenue>,
    resolver: Resolver,
    clock: WallClock,
    public: TlsConfig,
    /// Of venues with a root of their own.
    own: BTreeMap<String, TlsConfig>,
}

impl Venues {
    /// Reads the roots and starts the resolver; the time of inputs starts at `wall`. Nothing is connected to.
    /// Err: a root that cannot be read or is none; no thread to be had.
    pub fn new(venues: Vec<LiveVenue>, wall: Nanos) -> Result<Self, String> {
        let mut own = BTreeMap::new();
        for venue in &venues {
            let Some(path) = &venue.root_certificate else { continue };
            let at = |what: String| format!("root_certificate {}: {what}", path.display());
            let pem = std::fs::read(path).map_err(|error| at(error.to_string()))?;
            let config = TlsConfig::trusting(&pem).map_err(|error| at(error.to_string()))?;
            own.insert(venue.plan.venue.clone(), config);
        }
        Ok(Self {
            venues,
            resolver: Resolver::start().map_err(|error| format!("the resolver's thread: {error}"))?,
            clock: WallClock::starting_at(wall),
            public: TlsConfig::public().map_err(|error| error.to_string())?,
            own,
        })
    }

    /// The time of inputs.
    #[must_use]
    pub const fn clock(&self) -> &WallClock {
        &self.clock
    }

    /// The connections for the instruments of `table`. Err: an instrument of none of the venues, or more connections
    /// than can be numbered.
    pub fn plan(&self, table: &InstrumentTable) -> Result<LivePlan, String> {
        let plans: Vec<VenuePlan> = self.venues.iter().map(|venue| venue.plan.clone()).collect();
        LivePlan::new(table, &plans).map_err(|error| error.to_string())
    }

    /// Asks each venue for the rules of its symbols, and waits for the answers. Err: which venue, and why in vain.
    pub fn ask_instruments(&self) -> Result<InstrumentTable, AskError> {
        let mut known = Vec::new();
        for venue in &self.venues {
            let (product, endpoint) = self.rest(venue).map_err(AskError::Request)?;
            let symbols: Vec<&str> = venue.symbols.iter().map(String::as_str).collect();
            let path = streams::instruments_path(product, &symbols);
            let name = &venue.plan.venue;
            let answer = fetch::get(http_config(endpoint), &self.resolver, &self.clock, &path)
                .map_err(|error| error.of(name))?;
            let listed = parse_exchange_info_of(&answer, product, &venue.symbols);
            known.extend(listed.map_err(|error| AskError::Answer(format!("{name}: {path}: {error}")))?);
        }
        self.choose(&known).map_err(AskError::Request)
    }

    /// Asks a venue for its limits, and waits for the answer. Err: why in vain; no venue has that name.
    pub fn ask_rate_limits(&self, name: &str) -> Result<Vec<StatedLimit>, AskError> {
        let venue = self.venues.iter().find(|venue| venue.plan.venue == name);
        let venue = venue.ok_or_else(|| AskError::Request(format!("{name}: no [[venue]] has this name")))?;
        let (product, endpoint) = self.rest(venue).map_err(AskError::Request)?;
        let symbols: Vec<&str> = venue.symbols.iter().take(1).map(String::as_str).collect();
        let path = streams::instruments_path(product, &symbols);
        let answer = fetch::get(http_config(endpoint), &self.resolver, &self.clock, &path)
            .map_err(|error| error.of(name))?;
        parse_rate_limits(&answer).map_err(|error| AskError::Answer(format!("{name}: {path}: {error}")))
    }

    /// Where a URL of a venue leads, and whom it trusts there.
    #[must_use]
    pub fn endpoint(&self, venue: &str, url: &Url) -> Endpoint {
        Endpoint::new(url.host(), url.port(), url.is_secure().then(|| self.tls(venue)))
    }

    /// Who looks up names.
    #[must_use]
    pub const fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    /// The instruments of the run among those `known`. Err: one that is not, by name.
    pub fn choose(&self, known: &[Instrument]) -> Result<InstrumentTable, String> {
        let mut table = InstrumentTable::default();
        for venue in &self.venues {
            let name = &venue.plan.venue;
            for symbol in &venue.symbols {
                let found = known.iter().find(|one| one.venue == *name && one.symbol == *symbol);
                table.add(
                    found.ok_or_else(|| format!("{name}:{symbol}: the venue does not list it"))?.clone(),
                );
            }
        }
        Ok(table)
    }

    /// Starts a helper for each venue. What goes wrong is said to `remarks`. Err: a URL that is none; no thread to be
    /// had.
    pub fn start_fetching(
        &self,
        plan: &LivePlan,
        clock_every: Nanos,
        remarks: &SyncSender<String>,
    ) -> Result<(Fetched, Fetchers), String> {
        let of_venue = |venue: &LiveVenue| {
            let (product, endpoint) = self.rest(venue)?;
            let name = &venue.plan.venue;
            let of_it = plan.connections.iter().filter(|connection| connection.venue == *name);
            Ok::<_, String>(FetchPlan {
                product,
                http: http_config(endpoint),
                snapshots: FetchPlan::snapshots_of(of_it)?,
                weight_per_minute: venue.request_weight_per_minute,
                clock_every,
            })
        };
        let plans = self.venues.iter().map(of_venue).collect::<Result<Vec<_>, _>>()?;
        fetch::start(plans, &self.resolver, &self.clock, remarks)
            .map_err(|error| format!("a helper's thread: {error}"))
    }

    /// What sockets are opened with. `seed`: another number for every process.
    #[must_use]
    pub fn options(&self, net: NetOptions, seed: u64) -> LiveOptions<'_> {
        LiveOptions {
            net,
            resolver: &self.resolver,
            tls: Box::new(|venue| self.tls(venue)),
            rotate_after: Box::new(|name| {
                let venue = self.venues.iter().find(|venue| venue.plan.venue == name);
                venue.map_or(Nanos::MAX, |venue| venue.rotate_after)
            }),
            seed,
            clock: self.clock.clone(),
        }
    }

    fn rest(&self, venue: &LiveVenue) -> Result<(Product, Endpoint), String> {
        let (name, rest) = (&venue.plan.venue, &venue.plan.endpoints.rest);
        let product = product_of(name).ok_or_else(|| format!("{name}: no live market data"))?;
        let url = Url::parse(rest).map_err(|error| format!("{name}: rest: {rest}: {error}"))?;
        let tls = url.is_secure().then(|| self.tls(name));
        Ok((product, Endpoint::new(url.host(), url.port(), tls)))
    }

    fn tls(&self, venue: &str) -> TlsConfig {
        self.own.get(venue).unwrap_or(&self.public).clone()
    }
}
