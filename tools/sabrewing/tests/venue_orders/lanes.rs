//! One order manager on both products at once.

use super::managed::Managed;
use super::support::SimVenue;
use super::trader::{Bob, Given, Key, RealSession, Trader};
use engine::ids::InstrumentId;
use engine::instrument::ContractKind;
use engine::message::Kind;
use engine::num::{Qty, Side};
use engine::runner::StopReason;
use gateway::lanes::Lanes;

const SPOT: InstrumentId = InstrumentId(0);
const LINEAR: InstrumentId = InstrumentId(1);

fn both(venue: &SimVenue, run: u32) -> Managed<Lanes<RealSession>> {
    // Each product by its own kind of key.
    let begin =
        |id: InstrumentId, kind, key| Trader::begin(venue, &Given { id: id.0, ..Given::new(kind, key) });
    let spot = begin(SPOT, ContractKind::Spot, Key::Hmac);
    let linear = begin(LINEAR, ContractKind::Linear, Key::Ed25519);
    let lanes = Lanes::new(vec![(spot.session, [SPOT]), (linear.session, [LINEAR])]).unwrap();
    Managed::over(lanes, vec![spot.instrument, linear.instrument], run)
}

#[test]
fn one_order_manager_trades_spot_and_futures_at_once_and_leaves_nothing_open() {
    let venue = SimVenue::start();
    let mut run = both(&venue, 1);
    run.target_of(SPOT, (5_000_000, 1_000), (5_100_000, 1_000));
    run.target_of(LINEAR, (500_000, 10), (510_000, 10));
    run.until("trading", |run| !run.manager.is_reconciling());
    run.until("quotes on both", |_| (venue.open("spot").len(), venue.open("futures").len()) == (2, 2));
    Bob(&venue).trades(Side::Sell, "50000.0", "0.004");
    Bob(&venue).trades_spot(Side::Buy, "51000.00", "0.00300");
    run.until("a fill of each", |run| (run.position_of(0), run.position_of(1)) == (Qty(-300), Qty(4)));
    assert_eq!((venue.position().as_str(), venue.spot("BTC").as_str()), ("0.004", "99.99700000"));
    // One product's streams are cut, and a fill of it happens meanwhile; the other goes on.
    venue.admin("POST", "disconnect?product=futures", "");
    Bob(&venue).trades(Side::Sell, "50000.0", "0.006");
    run.until("the fill that nobody told", |run| run.position_of(1) == Qty(10));
    run.until("as many orders here as there", |run| {
        run.open() == venue.open("spot").len() + venue.open("futures").len()
    });
    run.target_of(SPOT, (0, 0), (0, 0));
    run.target_of(LINEAR, (0, 0), (0, 0));
    run.until("the ends", |run| {
        (run.open(), venue.open("spot").len(), venue.open("futures").len()) == (0, 0, 0)
    });
    let head = run.head(Kind::Timer);
    assert!(run.manager.cancel_all(&head), "everything is confirmed to be gone");
    assert_eq!((run.position_of(0), run.position_of(1)), (Qty(-300), Qty(10)));
    assert_eq!((venue.position().as_str(), run.control.stopped()), ("0.010", None));
    drop(run);

    // What either product holds and the journal does not know keeps both from trading.
    let mut next = both(&venue, 2);
    next.target_of(SPOT, (5_000_000, 1_000), (5_100_000, 1_000));
    next.until("the stop", |next| next.control.stopped().is_some());
    assert_eq!(next.control.stopped(), Some(StopReason::Unreconciled));
    assert!(venue.open("spot").is_empty());
}
