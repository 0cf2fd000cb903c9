//! A stage that panics ends the run safely: the intact gateway cancels what is open, in each placement.

mod pipeline;

use engine::book::Book;
use engine::book_stage::BookTap;
use engine::ids::InstrumentId;
use engine::message::{Depth, Head};
use engine::runner::{self, StopReason};
use engine::time::StampClock;
use pipeline::{Market, placements, prepare};
use std::sync::Arc;

/// Panics inside the book stage after so many updates.
struct PanicAfter(u32);

impl BookTap for PanicAfter {
    fn applied(&mut self, _: &Head, _: &Depth, _: &Book) {
        self.0 -= 1;
        assert!(self.0 > 0, "planted");
    }
    fn replacing(&mut self, _: InstrumentId, _: &Book) {}
    fn ended(&mut self, _: InstrumentId, _: &Book) {}
}

#[test]
fn when_a_stage_panics_every_order_is_canceled_and_the_run_stops() {
    let market = Arc::new(Market::usdm(20_000));
    for (name, placement) in placements() {
        let run = prepare(&market, &placement, PanicAfter(600), &mut None, &StampClock::off());
        let threads = runner::run(run.threads, &run.control, || ()).unwrap();
        assert_eq!(run.control.stopped(), Some(StopReason::StagePanicked), "{name}");
        assert!(run.control.detail().is_some_and(|detail| detail.contains("planted")), "{name}");
        assert!(run.control.is_canceled(), "{name}: the gateway did not confirm");
        assert_eq!(threads.iter().filter(|thread| thread.panicked.is_some()).count(), 1, "{name}");
        let gateway = run.reports.gateway.recv().unwrap();
        assert!(gateway.orders.placed > 0, "{name}: there was something to cancel");
        let orders = gateway.orders;
        assert_eq!(gateway.positions[0].open_orders, 0, "{name}");
        assert_eq!(orders.placed, orders.canceled + orders.filled + orders.rejected, "{name}: {orders:?}");
    }
}
