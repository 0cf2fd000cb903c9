//! The way of a live run's orders: sessions with the venues, one for each account, and the venues' own books of them.

use super::account::{AccountConfig, refused_host};
use super::asked_in_vain;
use super::config::LiveConfig;
use crate::config::Mistakes;
use crate::run::{Refused, usage};
use engine::instrument::{ContractKind, Instrument, InstrumentTable};
use engine::time::{Nanos, WallClock};
use feeds::live::Venues;
use feeds::live::fetch::VenueClock;
use feeds::venues::binance::instruments::StatedLimit;
use gateway::lanes::Lanes;
use gateway::recovery::Recovered;
use gateway::throttle::{Counted, Limit};
use gateway::venues::binance::session::{
    BinanceSession, Credentials, Remark, Routes, SessionSetup, SessionWatch, Statements, VenueOffset,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;
use wire::driver::Driver;
use wire::http::{HttpClient, HttpConfig};
use wire::net::{Clock, Endpoint, Net, NetOptions};
use wire::session::{Protocol, Session, SessionConfig, SessionTimes};
use wire::url::Url;

/// The clock of a run's inputs, which requests are dated by too.
#[derive(Clone)]
pub(crate) struct RequestClock(WallClock);

impl Clock for RequestClock {
    #[inline]
    fn now(&self) -> Nanos {
        self.0.read().0
    }
}

/// What answers the orders of a live run.
pub(crate) type LiveLanes = Lanes<BinanceSession<RequestClock>>;

/// The accounts of a run, with their keys, and what their venues allow.
pub(crate) struct Accounts<'a> {
    venues: &'a Venues,
    accounts: Vec<Account<'a>>,
}

struct Account<'a> {
    config: &'a AccountConfig,
    credentials: Credentials,
    instruments: Vec<Instrument>,
    limits: Vec<Limit>,
    /// How far the venue's clock is ahead.
    offset: VenueOffset,
    /// What its session tells.
    watch: SessionWatch,
    remarks: Receiver<Remark>,
    /// Where its REST is.
    rest: Endpoint,
    /// Where its user stream is.
    stream: Url,
}

/// An account's instruments, and the venue's books of it.
type AccountBooks<'a> = (&'a [Instrument], Statements<RequestClock>);

/// Largest message of a session: an account with many orders comes over REST.
const MESSAGE_BYTES_MAX: usize = 1 << 18;
/// Lines of a session that wait to be said.
const REMARKS_MAX: usize = 256;
/// Ten seconds for the first measurement of a venue's clock.
const CLOCK_WAITS_MAX: u32 = 1_000;
const CLOCK_WAIT: Duration = Duration::from_millis(10);
/// Largest answer of REST: a page of a thousand orders.
const ANSWER_BYTES_MAX: usize = 1 << 21;

impl<'a> Accounts<'a> {
    /// Reads the keys, and asks each venue what it allows. Err: instruments that one account cannot trade together; a key
    /// that is missing; a venue or its answer.
    pub(crate) fn open(
        live: &'a LiveConfig,
        venues: &'a Venues,
        table: &InstrumentTable,
    ) -> Result<Self, Refused> {
        refuse_shared_assets(live, table).map_err(usage)?;
        let account = |config: &'a AccountConfig| {
            let venue = live.venues.iter().find(|venue| venue.plan.venue == config.venue);
            let venue = venue.ok_or_else(|| {
                usage(format!("[[account]] venue = \"{}\": no such [[venue]]", config.venue))
            })?;
            let of_it = table.iter().filter(|instrument| instrument.venue == config.venue);
            let url = |text: &str| {
                Url::parse(text).map_err(|error| usage(format!("{}: {text}: {error}", config.venue)))
            };
            // What is wrong here is said before a venue is asked.
            let credentials = config.credentials().map_err(usage)?;
            let stated = venues.ask_rate_limits(&config.venue).map_err(asked_in_vain)?;
            let (remark, remarks) = sync_channel(REMARKS_MAX);
            Ok::<_, Refused>(Account {
                watch: SessionWatch::new(remark),
                remarks,
                config,
                credentials,
                instruments: of_it.cloned().collect(),
                limits: stated.iter().map(limit).collect(),
                offset: VenueOffset::default(),
                rest: venues.endpoint(&config.venue, &url(&venue.plan.endpoints.rest)?),
                stream: config.user_stream.clone().map_or_else(|| url(&venue.plan.endpoints.stream), Ok)?,
            })
        };
        Ok(Self { venues, accounts: live.accounts.iter().map(account).collect::<Result<_, _>>()? })
    }

    /// What each session is like, in a word.
    pub(crate) fn states(&self) -> String {
        let state = |account: &Account<'_>| {
            let is_live = if account.watch.is_live() { "orders live" } else { "no orders yet" };
            format!("{} {is_live}", account.config.venue)
        };
        self.accounts.iter().map(state).collect::<Vec<_>>().join(", ")
    }

    /// Lines that the sessions have told since the last call.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for account in &self.accounts {
            let told = account.remarks.try_iter();
            lines.extend(told.map(|remark| format!("{} {}, {remark}", remark.at, account.config.venue)));
        }
        lines
    }

    /// Tells the sessions how far their venues' clocks are ahead, as `clocks` say, which are those of `live.venues`. Where
    /// a venue has refused a time stamp its clock is measured again. False: one was not measured yet.
    pub(crate) fn set_clocks(&self, live: &LiveConfig, clocks: &[Arc<VenueClock>]) -> bool {
        self.accounts.iter().all(|account| {
            let place = live.venues.iter().position(|venue| venue.plan.venue == account.config.venue);
            let Some(clock) = place.and_then(|place| clocks.get(place)) else { return false };
            if account.watch.take_clock_off() {
                clock.doubt();
            }
            clock.offset().map(|(ahead_ns, _)| account.offset.set_ns(ahead_ns)).is_some()
        })
    }

    /// Waits until every venue's clock was measured: requests that are dated wrongly are refused.
    /// Err: one does not say what time it is.
    pub(crate) fn wait_for_clocks(
        &self,
        live: &LiveConfig,
        clocks: &[Arc<VenueClock>],
    ) -> Result<(), String> {
        for _ in 0..CLOCK_WAITS_MAX {
            if self.set_clocks(live, clocks) {
                return Ok(());
            }
            std::thread::sleep(CLOCK_WAIT);
        }
        Err("a venue does not say what time it is".into())
    }

    /// The sessions, going on from what the run before left. They begin to connect once they are polled. `seed`: another
    /// number for every process. Err: a key that is none of its kind; an instrument that cannot be sent.
    pub(crate) fn sessions(
        &self,
        net: NetOptions,
        seed: u64,
        recovered: &Recovered,
    ) -> Result<LiveLanes, String> {
        let mut lanes = Vec::new();
        for (account, number) in self.accounts.iter().zip(0_u64..) {
            let setup = SessionSetup {
                instruments: &account.instruments,
                credentials: &account.credentials,
                recv_window: account.config.recv_window,
                limits: &account.limits,
                dead_man_ms: account.config.dead_man_ms,
                settings: account.config.settings,
                offset: account.offset.clone(),
                net: Net::new(net),
                clock: self.clock(),
            };
            let seed = seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let order_api = &account.config.order_api;
            let routes = Routes {
                api: |protocol| self.driver(account, order_api, order_api.path(), protocol, seed),
                // The path comes with the listen key.
                stream: |protocol| self.driver(account, &account.stream, "/private/ws/none", protocol, !seed),
                rest: self.rest(account, 4),
            };
            let session = BinanceSession::new(setup, routes)
                .map_err(|error| format!("[[account]] venue = \"{}\": {error}", account.config.venue))?;
            let session = session.watched_by(account.watch.clone()).begun_at(&recovered.baselines);
            let instruments: Vec<_> = account.instruments.iter().map(|instrument| instrument.id).collect();
            lanes.push((session, instruments));
        }
        Lanes::new(lanes).map_err(|error| error.to_string())
    }

    /// The venues' own books, one account after the other. Err: as [`Self::sessions`].
    pub(crate) fn statements(&self) -> Result<Vec<AccountBooks<'_>>, String> {
        let of = |account: &'_ Account<'a>| {
            let net = Net::new(NetOptions { backend: wire::net::Backend::Mio, busy_poll_us: 0 });
            Statements::new(
                &account.instruments,
                &account.credentials,
                account.config.recv_window,
                account.offset.clone(),
                self.rest(account, 1),
                (net, self.clock()),
            )
        };
        self.accounts.iter().map(|account| Ok((&account.instruments[..], of(account)?))).collect()
    }

    fn clock(&self) -> RequestClock {
        RequestClock(self.venues.clock().clone())
    }

    fn rest(&self, account: &Account<'_>, connections_max: usize) -> HttpClient {
        let config = HttpConfig {
            endpoint: account.rest.clone(),
            connections_max,
            spare_count: 1,
            response_bytes_max: ANSWER_BYTES_MAX,
            answer_ns_max: Nanos::from_ms(10_000),
        };
        HttpClient::new(config, self.venues.resolver().clone())
    }

    fn driver<P: Protocol>(
        &self,
        account: &Account<'_>,
        url: &Url,
        path: &str,
        protocol: P,
        seed: u64,
    ) -> Driver<P> {
        let endpoint = self.venues.endpoint(&account.config.venue, url);
        let config = SessionConfig {
            host: endpoint.host_header(),
            path: path.into(),
            headers: Vec::new(),
            message_bytes_max: MESSAGE_BYTES_MAX,
            send_bytes_max: 1 << 18,
            times: SessionTimes::USUAL,
        };
        Driver::new(Session::new(config, protocol, seed), endpoint, self.venues.resolver().clone())
    }
}

const fn limit(stated: &StatedLimit) -> Limit {
    let counted = if stated.counts_orders { Counted::Orders } else { Counted::Weight };
    Limit { counted, window_ns: stated.window, max: stated.max }
}

/// What a spot account holds of an instrument is told by the balance of its base asset alone. Err: two instruments of one
/// account that both move such a balance: neither position could be told from it, and every restart would refuse to trade.
pub(crate) fn refuse_shared_assets(live: &LiveConfig, table: &InstrumentTable) -> Result<(), String> {
    for account in &live.accounts {
        let is_its = |one: &&Instrument| one.venue == account.venue && one.kind == ContractKind::Spot;
        let spot: Vec<&Instrument> = table.iter().filter(is_its).collect();
        if let Some((one, other, asset)) = shared_asset(&spot) {
            return Err(format!(
                "[live] mode = \"live\", [[account]] venue = \"{}\": {} and {} both move the balance of {asset}, by \
                 which positions are told: an account trades one of them",
                account.venue, one.symbol, other.symbol
            ));
        }
    }
    Ok(())
}

/// The first two of these spot instruments of which the base asset of one is base or quote of the other, and that asset.
fn shared_asset<'i>(spot: &[&'i Instrument]) -> Option<(&'i Instrument, &'i Instrument, &'i str)> {
    spot.iter().enumerate().find_map(|(place, one)| {
        spot.iter().take(place).find_map(|other| {
            let asset = if other.base == one.base || other.base == one.quote {
                Some(&other.base)
            } else {
                (one.base == other.quote).then_some(&one.base)
            };
            asset.map(|asset| (*other, *one, asset.as_str()))
        })
    })
}

/// Err: orders would go to hosts that are no test network, or venues have no account.
pub(crate) fn refuse_real_money(live: &LiveConfig) -> Result<(), Mistakes> {
    let mut wrong = Mistakes::default();
    for venue in &live.venues {
        let name = &venue.plan.venue;
        let Some(account) = live.accounts.iter().find(|account| account.venue == *name) else {
            wrong.note(format!(
                "[live] mode = \"live\": [[venue]] name = \"{name}\" has no [[account]] to trade on"
            ));
            continue;
        };
        let url = |text: &str| Url::parse(text).map_err(|error| format!("{name}: {text}: {error}"));
        let endpoints = &venue.plan.endpoints;
        let user_stream = account.user_stream.clone().map_or_else(|| url(&endpoints.stream), Ok);
        let mut refused = BTreeSet::new();
        for url in [url(&endpoints.rest), Ok(account.order_api.clone()), user_stream] {
            refused.extend(wrong.keep(url).as_ref().and_then(refused_host));
        }
        refused.iter().for_each(|why| wrong.note(format!("[live] mode = \"live\", {name}: {why}")));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::ids::{InstrumentId, VenueId};
    use engine::instrument::{PriceRule, Status};
    use engine::num::{Decimal, Qty, Step};

    fn spot(base: &str, quote: &str) -> Instrument {
        Instrument {
            id: InstrumentId(0),
            venue_id: VenueId(0),
            venue: "binance-spot".into(),
            symbol: format!("{base}{quote}"),
            base: base.into(),
            quote: quote.into(),
            kind: ContractKind::Spot,
            price_rule: PriceRule { tick: Step::parse(b"0.01").unwrap(), significant_figures: None },
            qty_unit: Step::parse(b"0.00001").unwrap(),
            lot: Qty(1),
            qty_min: Qty(1),
            qty_max: Qty(1_000),
            notional_min: Decimal::ZERO,
            contract_size: Step::ONE,
            status: Status::Trading,
            source: "test".into(),
        }
    }

    #[test]
    fn spot_instruments_that_move_one_balance_are_found_and_those_with_one_quote_are_not() {
        for (those, found) in [
            (&[("BTC", "USDT"), ("ETH", "USDT"), ("BNB", "FDUSD")][..], None),
            (&[("BTC", "USDT"), ("ETH", "USDT"), ("BTC", "FDUSD")], Some(("BTCUSDT", "BTCFDUSD", "BTC"))),
            (&[("BTC", "USDT"), ("ETH", "BTC")], Some(("BTCUSDT", "ETHBTC", "BTC"))),
            (&[("ETH", "BTC"), ("BTC", "USDT")], Some(("ETHBTC", "BTCUSDT", "BTC"))),
            (&[("BTC", "USDT")], None),
        ] {
            let instruments: Vec<_> = those.iter().map(|(base, quote)| spot(base, quote)).collect();
            let each: Vec<_> = instruments.iter().collect();
            let shared = shared_asset(&each).map(|(one, other, asset)| (&*one.symbol, &*other.symbol, asset));
            assert_eq!(shared, found, "{those:?}");
        }
    }
}
