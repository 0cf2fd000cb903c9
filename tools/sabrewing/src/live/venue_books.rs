//! Whether the venue's own books say what the engine's do: orders, fills, positions, fees, what was earned and spent,
//! and the wallet, as the venue answers them before a run and after it.

use super::orders::Accounts;
use engine::fees::FeeRates;
use engine::instrument::{ContractKind, Instrument};
use engine::num::{Decimal, NumError, Qty};
use engine::position::Position;
use gateway::client_order_id::ClientOrderIds;
use gateway::manager::GatewayReport;
use gateway::recovery::Recovered;
use gateway::venues::binance::session::{BookedTrade, OrderEnds, Statement};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What was compared after a run, row by row.
#[derive(Debug, Serialize)]
pub(crate) struct VenueBooks {
    /// All of it is equal.
    pub(crate) equal: bool,
    rows: Vec<Row>,
}

/// One number of both.
#[derive(Debug, Serialize)]
struct Row {
    what: String,
    engine: String,
    venue: String,
    equal: bool,
}

/// The engine's side of the comparison.
pub(crate) struct EngineBooks<'a> {
    /// What the gateway reported.
    pub(crate) gateway: &'a GatewayReport,
    /// What the run began with.
    pub(crate) recovered: &'a Recovered,
    /// What its orders are called.
    pub(crate) ids: ClientOrderIds,
    /// What fills cost where the venue charges them in another asset.
    pub(crate) rates: FeeRates,
}

/// What each account has before the run. Err: a venue that does not answer.
pub(crate) fn before(accounts: &Accounts<'_>) -> Result<Vec<Statement>, String> {
    accounts.statements()?.iter_mut().map(|(_, books)| books.take()).collect()
}

/// Compares the books of every account after a run with the engine's. Err: a venue that does not answer; an overflow.
pub(crate) fn compare(
    accounts: &Accounts<'_>,
    before: &[Statement],
    engine: &EngineBooks<'_>,
) -> Result<VenueBooks, String> {
    // An order of the run before may have traded before this one began, and is booked in this one all the same: what was
    // traded is then of no one run, and what is held and open is compared alone.
    let is_whole = engine.recovered.orders.is_empty();
    let mut rows = Rows::default();
    let mut ends = OrderEnds::default();
    let mut open_orders = 0;
    for ((instruments, mut books), before) in accounts.statements()?.into_iter().zip(before) {
        let after = books.take()?;
        open_orders += after.open_orders;
        let mut earned: BTreeMap<&str, Earned> = BTreeMap::new();
        for instrument in instruments {
            let trades = books.trades_since(instrument, before.at)?;
            let of_it = books.orders_since(instrument, &engine.ids, before.at)?;
            ends.filled += of_it.filled;
            ends.canceled += of_it.canceled;
            ends.expired += of_it.expired;
            let change = Change::of(engine, instrument).map_err(|error| error.to_string())?;
            if instrument.kind != ContractKind::Spot {
                let there = after.positions.get(&instrument.id).copied().unwrap_or_default();
                let unit = instrument.qty_unit;
                rows.add(named("position", instrument), &change.held.display(unit), &there.display(unit));
            }
            if is_whole {
                rows.of_trades(instrument, &change, &trades, engine.rates)
                    .map_err(|error| error.to_string())?;
                change.earn(instrument, &mut earned).map_err(|error| error.to_string())?;
            }
        }
        rows.of_wallet(before, &after, &earned)?;
    }
    let counts = &engine.gateway.orders;
    let open_here: usize = engine.gateway.positions.iter().map(|position| position.open_orders).sum();
    rows.add("open orders".into(), &open_here, &open_orders);
    if is_whole {
        rows.add("orders filled".into(), &counts.filled, &ends.filled);
        rows.add("orders canceled".into(), &counts.canceled, &ends.canceled);
        rows.add("orders expired".into(), &counts.expired, &ends.expired);
    }
    let rows = rows.0;
    Ok(VenueBooks { equal: rows.iter().all(|row| row.equal), rows })
}

fn named(what: &str, instrument: &Instrument) -> String {
    format!("{what} {}", instrument.full_name())
}

/// What a run did to all strategies' positions in an instrument. Amounts in units of its amount exponent.
struct Change {
    /// Held now.
    held: Qty,
    /// Bought less sold, what was kept back as fees left out.
    moved: i128,
    /// Earned by selling less spent by buying, funding left out.
    cash: i128,
    fees: i128,
    funding: i128,
    realised: i128,
    fills: u64,
}

/// What an account's wallet should have gained of an asset, and how many fills that was rounded at.
#[derive(Default)]
struct Earned {
    amount: Option<Decimal>,
    fills: u64,
}

impl Change {
    fn of(engine: &EngineBooks<'_>, instrument: &Instrument) -> Result<Self, NumError> {
        let mut change = Self { held: Qty(0), moved: 0, cash: 0, fees: 0, funding: 0, realised: 0, fills: 0 };
        let now = engine.gateway.positions.iter().filter(|one| one.instrument == instrument.id);
        for report in now {
            let began = engine.recovered.positions.iter();
            let mut began =
                began.filter(|one| (one.instrument, one.strategy) == (report.instrument, report.strategy));
            let began = began.next().map_or_else(Position::default, |one| one.position);
            let now = &report.position;
            change.held.0 = change.held.0.checked_add(now.qty.0).ok_or(NumError::Overflow)?;
            change.moved += i128::from(now.qty.0) - i128::from(began.qty.0);
            change.cash += now.cash - began.cash - now.funding;
            change.fees += now.fees - began.fees;
            change.funding += now.funding;
            change.realised += now.realised()? - began.realised()?;
            change.fills += now.fills - began.fills;
        }
        Ok(change)
    }

    /// What the wallet gains by it: of spot, both assets change hands; of a linear contract, what was realised.
    fn earn<'a>(
        &self,
        instrument: &'a Instrument,
        earned: &mut BTreeMap<&'a str, Earned>,
    ) -> Result<(), NumError> {
        let mut add = |asset: &'a str, amount: Decimal, fills: u64| {
            let of = earned.entry(asset).or_default();
            of.amount = Some(of.amount.unwrap_or(Decimal::ZERO).checked_add(amount)?);
            of.fills += fills;
            Ok::<_, NumError>(())
        };
        if instrument.kind == ContractKind::Spot {
            add(&instrument.base, instrument.qty_unit.decimal(self.moved), 0)?;
            return add(&instrument.quote, instrument.amount(self.cash - self.fees), 0);
        }
        add(instrument.settle(), instrument.amount(self.realised - self.fees), self.fills)
    }
}

#[derive(Default)]
struct Rows(Vec<Row>);

impl Rows {
    fn add<T: PartialEq + ToString>(&mut self, what: String, engine: &T, venue: &T) {
        let equal = engine == venue;
        self.0.push(Row { what, engine: engine.to_string(), venue: venue.to_string(), equal });
    }

    /// The venue's trades against the fills that were booked.
    fn of_trades(
        &mut self,
        instrument: &Instrument,
        change: &Change,
        trades: &[BookedTrade],
        rates: FeeRates,
    ) -> Result<(), NumError> {
        let (mut cash, mut fees) = (0_i128, 0_i128);
        for trade in trades {
            cash = cash.checked_add(trade.cash(instrument)?).ok_or(NumError::Overflow)?;
            let (in_kind, fee) = fee_of(instrument, trade, rates)?;
            // What was kept back counts as sold at the fill's price.
            cash = cash.checked_add(in_kind).ok_or(NumError::Overflow)?;
            fees = fees.checked_add(fee).ok_or(NumError::Overflow)?;
        }
        let asset = instrument.settle();
        self.add(named("fills", instrument), &change.fills, &(trades.len() as u64));
        let amount = |amount| format!("{} {asset}", instrument.amount(amount));
        self.add(named("sold less bought", instrument), &amount(change.cash), &amount(cash));
        self.add(named("fees", instrument), &amount(change.fees), &amount(fees));
        Ok(())
    }

    /// What the wallet gained against what was earned. Both sides round each fill that closes something.
    fn of_wallet(
        &mut self,
        before: &Statement,
        after: &Statement,
        earned: &BTreeMap<&str, Earned>,
    ) -> Result<(), String> {
        for (asset, earned) in earned {
            let at = |statement: &Statement| statement.balances.get(*asset).copied().unwrap_or(Decimal::ZERO);
            let less = |from: Decimal, other: Decimal| {
                from.checked_add(Decimal { mantissa: -other.mantissa, ..other })
                    .map_err(|error| error.to_string())
            };
            let gained = less(at(after), at(before))?;
            let here = earned.amount.unwrap_or(Decimal::ZERO);
            let apart = less(gained, here)?;
            let units =
                apart.floor_to(WALLET_DIGITS).rescaled(WALLET_DIGITS).map_err(|error| error.to_string())?;
            self.0.push(Row {
                what: format!("wallet {asset}"),
                engine: signed(here),
                venue: signed(gained),
                equal: units.unsigned_abs() <= u128::from(earned.fills),
            });
        }
        Ok(())
    }
}

/// Digits that venues keep wallets to.
const WALLET_DIGITS: u8 = 8;

fn signed(amount: Decimal) -> String {
    format!("{}{amount}", if amount.mantissa < 0 { "" } else { "+" })
}

/// What a trade cost in the settlement asset: what of it was kept back of the purchase, and all of it.
fn fee_of(instrument: &Instrument, trade: &BookedTrade, rates: FeeRates) -> Result<(i128, i128), NumError> {
    let exponent = instrument.amount_exponent();
    if trade.fee_asset.is_empty() || trade.fee_asset == instrument.settle() {
        return Ok((0, trade.fee.ceil_at(exponent)?));
    }
    if instrument.kind == ContractKind::Spot && trade.fee_asset == instrument.base {
        let unit = instrument.qty_unit;
        let units = trade.fee.ceil_at(unit.exponent())?.checked_div(i128::from(unit.mantissa()));
        let units = units.and_then(|units| i64::try_from(units).ok()).ok_or(NumError::Overflow)?;
        let value = instrument.notional(trade.level.price, Qty(units))?;
        return Ok((value, value));
    }
    Ok((0, rates.fee_ceil(instrument, trade.level.price, trade.level.qty, trade.maker)?))
}

impl VenueBooks {
    /// For people: one line where all is equal, else the rows that are not.
    pub(crate) fn text(&self) -> String {
        if self.equal {
            return format!(
                "the venue's books are the engine's: {} of {} numbers\n",
                self.rows.len(),
                self.rows.len()
            );
        }
        let mut text = String::from("the venue's books are NOT the engine's:\n");
        for row in self.rows.iter().filter(|row| !row.equal) {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {}: the engine says {}, the venue {}", row.what, row.engine, row.venue);
        }
        text
    }
}
