//! What the venue has in its own books of an account, asked for over REST before a run and after it: what the engine's
//! are compared with. Cold: it waits for the answers.

use super::super::heard::{Listing, Status, futures_balances, open_orders, positions, spot_balances, trades};
use super::rest::{Question, Rest};
use super::{Credentials, VenueOffset};
use crate::client_order_id::ClientOrderIds;
use crate::venues::binance::RecvWindow;
use engine::ids::InstrumentId;
use engine::instrument::{ContractKind, Instrument};
use engine::num::{Decimal, Level, NumError, Qty, Side};
use engine::time::Nanos;
use std::collections::BTreeMap;
use std::time::Duration;
use wire::http::{HttpClient, Method};
use wire::json::Value;
use wire::net::{Clock, Net};
use wire::url::encoded;

/// An account's books.
pub struct Statements<C> {
    rest: Rest,
    net: Net,
    clock: C,
    kind: ContractKind,
    instruments: Vec<Instrument>,
    listing: Listing,
    offset: VenueOffset,
}

/// What an account has: by asset, in its units; open orders and positions apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// The wallet by asset: of spot, what is free and what orders hold.
    pub balances: BTreeMap<String, Decimal>,
    /// Positions of futures, by instrument id.
    pub positions: BTreeMap<InstrumentId, Qty>,
    /// Open orders of the instruments.
    pub open_orders: usize,
    /// The venue's time before the first question.
    pub at: Nanos,
}

/// A trade of the account in the venue's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookedTrade {
    /// Bought or sold.
    pub side: Side,
    /// Price and quantity.
    pub level: Level,
    /// The order rested before.
    pub maker: bool,
    /// What it cost, above zero where it was paid.
    pub fee: Decimal,
    /// In which asset.
    pub fee_asset: String,
    /// The venue's number.
    pub trade_id: u64,
}

/// How the orders of a run ended, as the venue lists them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderEnds {
    /// Wholly filled.
    pub filled: u64,
    /// Canceled.
    pub canceled: u64,
    /// Ended by the venue.
    pub expired: u64,
    /// Still open.
    pub open: u64,
}

/// Rows that a list is asked for at once, the venue's most.
const ROWS_MAX: usize = 1_000;
/// Pages of a list: more is no run to be compared row by row.
const PAGES_MAX: usize = 50;
const WAIT: Duration = Duration::from_millis(1);

impl<C: Clock> Statements<C> {
    /// The books of these instruments, which are of one product.
    /// Err: the secret is no key of its kind; no instrument.
    pub fn new(
        instruments: &[Instrument],
        credentials: &Credentials,
        recv_window: RecvWindow,
        offset: VenueOffset,
        client: HttpClient,
        (net, clock): (Net, C),
    ) -> Result<Self, String> {
        let kind = instruments.first().ok_or("no instrument")?.kind;
        let authentication = credentials.authentication().map_err(|error| error.to_string())?;
        Ok(Self {
            rest: Rest::new(client, authentication, recv_window, offset.clone()),
            net,
            clock,
            kind,
            listing: Listing::new(instruments),
            instruments: instruments.to_vec(),
            offset,
        })
    }

    /// What the account has now. Err: the question that was not answered, in words.
    pub fn take(&mut self) -> Result<Statement, String> {
        let mut statement =
            Statement { at: self.offset.venue_time(self.clock.now()), ..Statement::default() };
        let listing = self.listing.clone();
        for instrument in self.instruments.clone() {
            let path = if self.is_spot() { "/api/v3/openOrders" } else { "/fapi/v1/openOrders" };
            let text = self.ask(path, &format!("symbol={}", encoded(&instrument.symbol)))?;
            let rows = open_orders(Value::root(&text), &listing).map_err(|error| unread(path, &error))?;
            statement.open_orders += rows.count();
        }
        if self.is_spot() {
            let path = "/api/v3/account";
            let text = self.ask(path, "omitZeroBalances=true")?;
            for row in spot_balances(Value::root(&text)).map_err(|error| unread(path, &error))? {
                let row = row.map_err(|error| unread(path, &error))?;
                let sum = row.free.checked_add(row.locked).map_err(|error| unread(path, &error))?;
                statement.balances.insert(String::from_utf8_lossy(row.asset).into_owned(), sum);
            }
            return Ok(statement);
        }
        let path = "/fapi/v3/balance";
        let text = self.ask(path, "")?;
        for row in futures_balances(Value::root(&text)).map_err(|error| unread(path, &error))? {
            let row = row.map_err(|error| unread(path, &error))?;
            statement.balances.insert(String::from_utf8_lossy(row.asset).into_owned(), row.wallet);
        }
        let path = "/fapi/v3/positionRisk";
        let text = self.ask(path, "")?;
        for row in positions(Value::root(&text), &listing).map_err(|error| unread(path, &error))? {
            let row = row.map_err(|error| unread(path, &error))?;
            if let Some(id) = row.instrument {
                let held = statement.positions.entry(id).or_default();
                held.0 = held.0.saturating_add(row.qty.0);
            }
        }
        Ok(statement)
    }

    /// The account's trades in an instrument since a time of the venue's, oldest first.
    /// Err: a question that was not answered; more trades than are compared.
    pub fn trades_since(
        &mut self,
        instrument: &Instrument,
        since: Nanos,
    ) -> Result<Vec<BookedTrade>, String> {
        let path = if self.is_spot() { "/api/v3/myTrades" } else { "/fapi/v1/userTrades" };
        let listing = self.listing.clone();
        let mut found: Vec<BookedTrade> = Vec::new();
        for _ in 0..PAGES_MAX {
            let text =
                self.ask(path, &page(instrument, "fromId", found.last().map(|last| last.trade_id), since))?;
            let rows = trades(Value::root(&text), &listing).map_err(|error| unread(path, &error))?;
            let mut count = 0;
            for row in rows {
                let row = row.map_err(|error| unread(path, &error))?;
                count += 1;
                if found.last().is_none_or(|last| last.trade_id < row.trade_id) {
                    found.push(BookedTrade {
                        side: row.side,
                        level: row.level,
                        maker: row.maker,
                        fee: row.fee,
                        fee_asset: String::from_utf8_lossy(row.fee_asset).into_owned(),
                        trade_id: row.trade_id,
                    });
                }
            }
            if count < ROWS_MAX {
                return Ok(found);
            }
        }
        Err(format!("{path}: more than {} trades of {}", PAGES_MAX * ROWS_MAX, instrument.symbol))
    }

    /// How the orders of a run ended that were placed in an instrument since a time of the venue's.
    /// Err: as [`Self::trades_since`].
    pub fn orders_since(
        &mut self,
        instrument: &Instrument,
        ids: &ClientOrderIds,
        since: Nanos,
    ) -> Result<OrderEnds, String> {
        let path = if self.is_spot() { "/api/v3/allOrders" } else { "/fapi/v1/allOrders" };
        let (listing, mut ends, mut last) = (self.listing.clone(), OrderEnds::default(), None);
        for _ in 0..PAGES_MAX {
            let text = self.ask(path, &page(instrument, "orderId", last, since))?;
            let rows = open_orders(Value::root(&text), &listing).map_err(|error| unread(path, &error))?;
            let mut count = 0;
            for row in rows {
                let row = row.map_err(|error| unread(path, &error))?;
                count += 1;
                if last.is_some_and(|last| row.venue_order_id <= last) {
                    continue;
                }
                last = Some(row.venue_order_id);
                let Some(reported) = row.reported.filter(|_| ids.seq_of(&row.id).is_some()) else { continue };
                match reported.status {
                    Status::Filled => ends.filled += 1,
                    Status::Canceled => ends.canceled += 1,
                    Status::Expired | Status::ExpiredInMatch => ends.expired += 1,
                    Status::New | Status::PartiallyFilled | Status::PendingCancel => ends.open += 1,
                    Status::Rejected => {}
                }
            }
            if count < ROWS_MAX {
                return Ok(ends);
            }
        }
        Err(format!("{path}: more than {} orders of {}", PAGES_MAX * ROWS_MAX, instrument.symbol))
    }

    const fn is_spot(&self) -> bool {
        matches!(self.kind, ContractKind::Spot)
    }

    /// Asks, and waits for the answer. Err: the path, and what came instead.
    #[expect(
        clippy::disallowed_methods,
        reason = "before a run and after it, on the thread that waits for both"
    )]
    fn ask(&mut self, path: &str, parameters: &str) -> Result<Vec<u8>, String> {
        let Self { rest, net, clock, .. } = self;
        let mut asked = None;
        loop {
            let now = clock.now();
            rest.turn(net, clock, now);
            let Some(ticket) = asked else {
                let what = "the account's books";
                asked = rest.begin(Question { what, method: Method::Get, path, parameters }, now);
                continue;
            };
            let Some(answer) = rest.bare_answer(ticket) else {
                std::thread::sleep(WAIT);
                continue;
            };
            let read = match answer {
                Some(response) if response.status == 200 => Ok(response.body.to_vec()),
                Some(response) => {
                    let text = response.body.get(..200).unwrap_or(response.body);
                    Err(format!("{path}: status {}: {}", response.status, String::from_utf8_lossy(text)))
                }
                None => Err(format!("{path}: no answer")),
            };
            rest.finish(net, ticket);
            return read;
        }
    }
}

/// The first page of a list begins at a time, each other at the last row of the one before: the venue takes no time
/// beside a number.
fn page(instrument: &Instrument, key: &str, from: Option<u64>, since: Nanos) -> String {
    let symbol = encoded(&instrument.symbol);
    match from {
        Some(from) => format!("symbol={symbol}&{key}={from}&limit={ROWS_MAX}"),
        None => format!("symbol={symbol}&startTime={}&limit={ROWS_MAX}", since.as_ms()),
    }
}

fn unread(path: &str, error: &dyn std::fmt::Display) -> String {
    format!("{path}: the answer cannot be read: {error}")
}

impl BookedTrade {
    /// What the trade added to cash, fee left out, in units of the instrument's amount exponent. Err: overflow.
    pub fn cash(&self, instrument: &Instrument) -> Result<i128, NumError> {
        let value = instrument.notional(self.level.price, self.level.qty)?;
        Ok(if self.side == Side::Buy { -value } else { value })
    }
}
