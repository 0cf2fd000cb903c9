//! What is connected to, for a list of instruments: a value, made from configuration alone, so that a run and the
//! replay of its journal number connections alike.

use crate::codec::Event;
use crate::venues::binance::{Product, streams};
use crate::watch::Subscription;
use engine::ids::{ConnectionId, InstrumentId};
use engine::instrument::{Instrument, InstrumentTable};
use engine::time::Nanos;
use std::collections::BTreeMap;
use std::fmt;

/// Where a venue's market data is: schemes, hosts, ports; paths are the venue's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// REST, such as `https://fapi.binance.com`.
    pub rest: String,
    /// Streams, such as `wss://fstream.binance.com`.
    pub stream: String,
}

/// What a venue bounds of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveLimits {
    /// Streams that one connection carries at most.
    pub streams_per_connection: usize,
    /// Streams that one subscription message names at most.
    pub streams_per_message: usize,
    /// Least time between two messages that we send.
    pub message_interval_ns: Nanos,
    /// The venue closes a connection after this time.
    pub lifetime_ns: Nanos,
    /// A connection that brings nothing at all for so long is dead.
    pub idle_ns: Nanos,
}

/// A stream by the venue's name for it, and the path of the connection that it belongs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamName {
    /// Path of the connection's URL.
    pub path: &'static str,
    /// The venue's name.
    pub name: String,
}

/// What is wanted of every instrument of a venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What the streams bring, and how long each may say nothing; zero: for ever. Events that the venue has no
    /// stream for are passed over. `Event::Snapshot`: after how long a live book is renewed from one.
    pub events: Vec<(Event, Nanos)>,
    /// Connections that carry each stream: 1, or 2 for an A/B pair.
    pub copies: u8,
}

/// A venue, where it is, and what is wanted of it.
#[derive(Clone, Debug)]
pub struct VenuePlan {
    /// Its name, product included.
    pub venue: String,
    /// Where it is.
    pub endpoints: Endpoints,
    /// What is wanted.
    pub wanted: Wanted,
}

/// What a connection is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionRole {
    /// A socket that brings these streams.
    Streams {
        /// Where it connects to, path included.
        url: String,
        /// The streams, by the venue's names.
        names: Vec<String>,
    },
    /// The snapshots of one instrument, fetched by the helper.
    Snapshots {
        /// The request, host and path.
        url: String,
        /// What it costs of the venue's request weight a minute.
        weight: u32,
    },
}

/// One connection; its place in the plan is its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionPlan {
    /// The venue, product included.
    pub venue: String,
    /// The instruments that its frames are about.
    pub instruments: Vec<InstrumentId>,
    /// What it is for.
    pub role: ConnectionRole,
}

/// Everything that a live run connects to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LivePlan {
    /// The connections, by id: sockets first, then the snapshots of each instrument in the table's order.
    pub connections: Vec<ConnectionPlan>,
    /// What they carry.
    pub subscriptions: Vec<Subscription>,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// The instrument's venue is not configured.
    NoVenue(String),
    /// The venue has no live market data here.
    NotLive(String),
    /// More connections than ids.
    TooMany,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVenue(instrument) => write!(f, "{instrument}: its venue has no [[venue]] table"),
            Self::NotLive(venue) => {
                write!(f, "{venue}: no live market data; there is binance-spot, binance-usdm, binance-coinm")
            }
            Self::TooMany => f.write_str("more than 65535 connections"),
        }
    }
}

impl std::error::Error for PlanError {}

/// The product that a venue's name stands for. None: no venue with live market data.
#[must_use]
pub fn product_of(venue: &str) -> Option<Product> {
    match venue {
        "binance-spot" => Some(Product::Spot),
        "binance-usdm" => Some(Product::UsdM),
        "binance-coinm" => Some(Product::CoinM),
        _ => None,
    }
}

impl LivePlan {
    /// The connections for all instruments of `table`. Err: an instrument of a venue that is not in `venues`, or that
    /// has no live market data.
    pub fn new(table: &InstrumentTable, venues: &[VenuePlan]) -> Result<Self, PlanError> {
        let mut plan = Self::default();
        for instrument in table.iter() {
            if !venues.iter().any(|venue| venue.venue == instrument.venue) {
                return Err(PlanError::NoVenue(instrument.full_name()));
            }
        }
        for venue in venues {
            let product = product_of(&venue.venue).ok_or_else(|| PlanError::NotLive(venue.venue.clone()))?;
            let of_venue: Vec<&Instrument> =
                table.iter().filter(|instrument| instrument.venue == venue.venue).collect();
            for _ in 0..venue.wanted.copies.max(1) {
                plan.sockets(venue, product, &of_venue)?;
            }
        }
        for instrument in table.iter() {
            let Some(venue) = venues.iter().find(|venue| venue.venue == instrument.venue) else { continue };
            let Some(product) = product_of(&venue.venue) else { continue };
            let (path, weight) = streams::snapshot_path(product, &instrument.symbol);
            let url = format!("{}{path}", venue.endpoints.rest);
            let id = u16::try_from(plan.connections.len()).map_err(|_| PlanError::TooMany)?;
            let renewals = venue.wanted.events.iter().filter(|(event, _)| *event == Event::Snapshot);
            plan.subscriptions.extend(renewals.map(|(event, silence_ns)| Subscription {
                connection: ConnectionId(id),
                instrument: instrument.id,
                event: *event,
                silence_ns: *silence_ns,
            }));
            plan.connections.push(ConnectionPlan {
                venue: venue.venue.clone(),
                instruments: vec![instrument.id],
                role: ConnectionRole::Snapshots { url, weight },
            });
        }
        u16::try_from(plan.connections.len()).map_err(|_| PlanError::TooMany)?;
        Ok(plan)
    }

    /// One copy of everything that is wanted of a venue: a socket for each path, more where one would be too full.
    fn sockets(
        &mut self,
        venue: &VenuePlan,
        product: Product,
        instruments: &[&Instrument],
    ) -> Result<(), PlanError> {
        let mut by_path: BTreeMap<&str, Vec<(String, InstrumentId, Event, Nanos)>> = BTreeMap::new();
        for instrument in instruments {
            for (event, silence_ns) in &venue.wanted.events {
                if let Some(stream) = streams::stream(product, &instrument.symbol, *event) {
                    let row = (stream.name, instrument.id, *event, *silence_ns);
                    by_path.entry(stream.path).or_default().push(row);
                }
            }
        }
        let limit = streams::limits(product).streams_per_connection;
        for (path, rows) in by_path {
            for rows in rows.chunks(limit) {
                let id = u16::try_from(self.connections.len()).map_err(|_| PlanError::TooMany)?;
                let connection = ConnectionId(id);
                let mut carried: Vec<InstrumentId> = rows.iter().map(|row| row.1).collect();
                carried.dedup();
                self.subscriptions.extend(rows.iter().map(|(_, instrument, event, silence_ns)| {
                    Subscription {
                        connection,
                        instrument: *instrument,
                        event: *event,
                        silence_ns: *silence_ns,
                    }
                }));
                self.connections.push(ConnectionPlan {
                    venue: venue.venue.clone(),
                    instruments: carried,
                    role: ConnectionRole::Streams {
                        url: format!("{}{path}", venue.endpoints.stream),
                        names: rows.iter().map(|row| row.0.clone()).collect(),
                    },
                });
            }
        }
        Ok(())
    }

    /// The connection that brings an instrument's snapshots. None: no such instrument.
    #[must_use]
    pub fn snapshots_of(&self, instrument: InstrumentId) -> Option<ConnectionId> {
        let index = self.connections.iter().position(|connection| {
            matches!(connection.role, ConnectionRole::Snapshots { .. })
                && connection.instruments.contains(&instrument)
        })?;
        u16::try_from(index).ok().map(ConnectionId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::instrument::{ContractKind, PriceRule, Status};
    use engine::num::{Decimal, Qty, Step};

    fn table(rows: &[(&str, &str)]) -> InstrumentTable {
        let mut table = InstrumentTable::default();
        for (venue, symbol) in rows {
            table.add(Instrument {
                id: InstrumentId(0),
                venue_id: engine::ids::VenueId(0),
                venue: (*venue).to_owned(),
                symbol: (*symbol).to_owned(),
                base: "BTC".into(),
                quote: "USDT".into(),
                kind: ContractKind::Linear,
                price_rule: PriceRule { tick: Step::of_digits(1), significant_figures: None },
                qty_unit: Step::of_digits(3),
                lot: Qty(1),
                qty_min: Qty(1),
                qty_max: Qty(1000),
                notional_min: Decimal::ZERO,
                contract_size: Step::ONE,
                status: Status::Trading,
                source: "a test".into(),
            });
        }
        table
    }

    fn venue(name: &str, copies: u8) -> VenuePlan {
        let events = [Event::Delta, Event::Ticker, Event::Trades, Event::MarkPrice];
        VenuePlan {
            venue: name.into(),
            endpoints: streams::endpoints(product_of(name).unwrap_or(Product::Spot)),
            wanted: Wanted { events: events.map(|event| (event, Nanos::SECOND)).to_vec(), copies },
        }
    }

    fn urls(plan: &LivePlan) -> Vec<String> {
        let url = |connection: &ConnectionPlan| match &connection.role {
            ConnectionRole::Streams { url, names } => format!("{url} {}", names.join(" ")),
            ConnectionRole::Snapshots { url, weight } => format!("{url} weighs {weight}"),
        };
        plan.connections.iter().map(url).collect()
    }

    #[test]
    fn each_path_of_a_venue_has_a_socket_and_each_instrument_its_snapshots() {
        let table = table(&[("binance-usdm", "BTCUSDT"), ("binance-spot", "ETHUSDT")]);
        let plan = LivePlan::new(&table, &[venue("binance-usdm", 1), venue("binance-spot", 1)]).unwrap();
        assert_eq!(
            urls(&plan),
            [
                "wss://fstream.binance.com/market/stream btcusdt@aggTrade btcusdt@markPrice@1s",
                "wss://fstream.binance.com/public/stream btcusdt@depth@100ms btcusdt@bookTicker",
                "wss://stream.binance.com:9443/stream ethusdt@depth@100ms ethusdt@bookTicker ethusdt@trade",
                "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000 weighs 20",
                "https://api.binance.com/api/v3/depth?symbol=ETHUSDT&limit=5000 weighs 250",
            ]
        );
        assert_eq!(plan.subscriptions.len(), 7, "a mark price is the futures' alone");
        assert_eq!(plan.snapshots_of(InstrumentId(1)), Some(ConnectionId(4)));
    }

    #[test]
    fn the_books_of_each_venue_are_renewed_as_often_as_it_says() {
        let table = table(&[("binance-usdm", "BTCUSDT"), ("binance-spot", "ETHUSDT")]);
        let renewed = |name, s: u64| {
            let mut venue = venue(name, 2);
            venue.wanted.events.push((Event::Snapshot, Nanos(s * Nanos::SECOND.0)));
            venue
        };
        let plan = LivePlan::new(&table, &[renewed("binance-usdm", 5), renewed("binance-spot", 60)]).unwrap();
        let of_snapshots = plan.subscriptions.iter().filter(|one| one.event == Event::Snapshot);
        let found: Vec<_> =
            of_snapshots.map(|one| (one.connection, one.instrument.0, one.silence_ns.as_ms())).collect();
        let rest = |instrument| plan.snapshots_of(InstrumentId(instrument)).unwrap();
        assert_eq!(found, [(rest(0), 0, 5_000), (rest(1), 1, 60_000)], "once, however many copies there are");
    }

    #[test]
    fn an_a_b_pair_carries_everything_twice_and_a_full_socket_gets_a_second() {
        let one = LivePlan::new(&table(&[("binance-usdm", "BTCUSDT")]), &[venue("binance-usdm", 2)]).unwrap();
        assert_eq!((one.connections.len(), one.subscriptions.len()), (5, 8));
        let names: Vec<String> = (0..120).map(|index| format!("A{index}USDT")).collect();
        let many: Vec<_> = names.iter().map(|name| ("binance-usdm", name.as_str())).collect();
        let plan = LivePlan::new(&table(&many), &[venue("binance-usdm", 1)]).unwrap();
        let sockets = plan.connections.iter().filter(|c| matches!(c.role, ConnectionRole::Streams { .. }));
        assert_eq!(sockets.count(), 4, "two paths, 240 streams each");
    }

    #[test]
    fn an_instrument_without_a_venue_and_a_venue_without_streams_are_named() {
        let error = LivePlan::new(&table(&[("binance-usdm", "BTCUSDT")]), &[]).unwrap_err();
        assert_eq!(error.to_string(), "binance-usdm:BTCUSDT: its venue has no [[venue]] table");
        let table = table(&[("hyperliquid", "BTC")]);
        let error = LivePlan::new(&table, &[venue("hyperliquid", 1)]).unwrap_err();
        assert!(error.to_string().starts_with("hyperliquid: no live market data"));
    }
}
