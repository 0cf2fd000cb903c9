//! A stage that panics, stalls or loses its thread on command, any of the five, in each placement: trading stops, and
//! every order is canceled unless the gateway is what failed; then the run ends at once and says so.

mod pipeline;

use engine::placement::{Placement, StageId};
use engine::runner::{self, StopReason, ThreadReport};
use engine::watchdog::{Found, Loss};
use gateway::manager::GatewayReport;
use pipeline::fuse::{Fuse, Then, prepare_fused};
use pipeline::{Market, Prepared, placements};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const STAGES: [StageId; 5] =
    [StageId::Feed, StageId::Book, StageId::Signal, StageId::Strategy, StageId::Gateway];

/// Nothing is open, and every order has ended.
fn assert_all_canceled(gateway: &GatewayReport, what: &str) {
    let orders = gateway.orders;
    assert!(orders.placed > 0, "{what}: there was something to cancel");
    assert_eq!(gateway.positions[0].open_orders, 0, "{what}");
    let ended = orders.canceled + orders.filled + orders.rejected + orders.expired;
    assert_eq!(orders.placed, ended, "{what}: {orders:?}");
}

/// Whether the stage is on the gateway's thread.
fn is_beside_gateway(placement: &Placement, stage: StageId) -> bool {
    let plan = placement.threads.iter().find(|plan| plan.stages.contains(&stage)).unwrap();
    plan.stages.contains(&StageId::Gateway)
}

#[test]
fn when_a_stage_panics_every_order_is_canceled_and_the_run_stops() {
    let market = Arc::new(Market::usdm(20_000));
    for (name, placement) in placements() {
        for stage in STAGES {
            let what = format!("{} in placement {name}", stage.name());
            let run = prepare_fused(&market, &placement, &Fuse::new(stage, Then::Panic), &mut None);
            let threads = runner::run(run.threads, &run.control, || ()).unwrap();
            assert_eq!(run.control.stopped(), Some(StopReason::StagePanicked), "{what}");
            let plan = placement.threads.iter().find(|plan| plan.stages.contains(&stage)).unwrap();
            assert_eq!(run.control.detail(), Some(&*format!("thread {}: planted", plan.name())), "{what}");
            assert_eq!(threads.iter().filter(|thread| thread.panicked.is_some()).count(), 1, "{what}");
            assert!(threads.iter().all(|thread| !thread.is_lost), "{what}");
            let gateway = run.reports.gateway.recv().unwrap();
            if stage == StageId::Gateway {
                assert!(!run.control.is_canceled(), "{what}: nobody is left to confirm");
            } else {
                assert!(run.control.is_canceled(), "{what}: the gateway did not confirm");
                assert_all_canceled(&gateway, &what);
            }
        }
    }
}

/// Runs with a deadline; a stall stops trading, as in a run that trades. The threads, and what was found out.
fn watched(run: &mut Prepared) -> (Vec<ThreadReport>, Vec<Found>) {
    let mut all = Vec::new();
    let threads = std::mem::take(&mut run.threads);
    let control = Arc::clone(&run.control);
    let supervise = |found: &[Found]| {
        for found in found {
            if found.loss != Loss::Died {
                control.stop_with(StopReason::ThreadStalled, found.to_string());
            }
            all.push(found.clone());
        }
    };
    let reports = runner::run_watched(threads, &run.control, Duration::from_millis(500), supervise).unwrap();
    (reports, all)
}

#[test]
fn when_a_stage_stalls_the_others_stop_trading_and_the_gateways_thread_is_not_waited_for() {
    let market = Arc::new(Market::usdm(20_000));
    for (name, placement) in placements() {
        for stage in STAGES {
            let what = format!("{} in placement {name}", stage.name());
            let released = Arc::new(AtomicBool::new(false));
            let fuse = Fuse::new(stage, Then::Stall(Arc::clone(&released)));
            let mut run = prepare_fused(&market, &placement, &fuse, &mut None);
            let (threads, found) = watched(&mut run);
            let thread = placement.threads.iter().find(|plan| plan.stages.contains(&stage)).unwrap().name();
            assert!(found.iter().any(|found| found.thread == thread), "{what}: {found:?}");
            assert_eq!(run.control.stopped(), Some(StopReason::ThreadStalled), "{what}");
            assert!(threads.iter().any(|report| report.is_lost && report.name == thread), "{what}");
            let gateway_lost = is_beside_gateway(&placement, stage);
            assert_eq!(run.control.is_canceled(), !gateway_lost, "{what}");
            if !gateway_lost {
                assert_all_canceled(&run.reports.gateway.recv().unwrap(), &what);
                assert_eq!(threads.iter().filter(|report| report.is_lost).count(), 1, "{what}");
            }
            released.store(true, Ordering::Relaxed);
            // The threads that come back still write to them.
            std::mem::forget(run.counters);
        }
    }
}

#[test]
fn when_a_thread_is_gone_without_an_unwind_trading_stops_whatever_a_stall_leads_to() {
    let market = Arc::new(Market::usdm(20_000));
    for (name, placement) in placements() {
        for stage in [StageId::Feed, StageId::Strategy, StageId::Gateway] {
            let what = format!("{} in placement {name}", stage.name());
            let mut run = prepare_fused(&market, &placement, &Fuse::new(stage, Then::Die), &mut None);
            let threads = std::mem::take(&mut run.threads);
            let reports = runner::run(threads, &run.control, || ()).unwrap();
            assert_eq!(run.control.stopped(), Some(StopReason::ThreadDied), "{what}");
            assert!(run.control.detail().unwrap().ends_with(": it is gone without an end"), "{what}");
            let gateway_lost = is_beside_gateway(&placement, stage);
            assert_eq!(run.control.is_canceled(), !gateway_lost, "{what}");
            if !gateway_lost {
                assert_all_canceled(&run.reports.gateway.recv().unwrap(), &what);
            }
            assert!(reports.iter().any(|report| report.is_lost), "{what}");
            std::mem::forget(run.counters);
        }
    }
}
