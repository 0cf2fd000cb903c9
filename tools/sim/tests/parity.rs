//! Every row of hftbacktest's six runs, from the paper exchange's own matching.

use sim::parity::{ORDERS_HEADER, Run, STATE_HEADER, Settings, load_events};
use std::path::PathBuf;

const RUNS: [&str; 6] = [
    "lat0_riskaverse",
    "lat0_touch_power3",
    "lat10_riskaverse",
    "lat10_riskaverse_wide",
    "lat10_touch_power3",
    "lat10_touch_riskaverse",
];

fn shared(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/hftbacktest").join(name);
    assert!(
        path.exists(),
        "{} is missing: the tests need the shared data beside the repository",
        path.display()
    );
    path
}

#[test]
fn every_order_and_every_state_of_six_runs_is_the_same() {
    let mut events = None;
    for run in RUNS {
        let file = |end: &str| shared(&format!("usdm_btcusdt_20240808_{run}_{end}"));
        let settings = Settings::load(&file("summary.json")).unwrap();
        let events = events.get_or_insert_with(|| {
            load_events(&shared("usdm_btcusdt_20240808_events.csv.gz"), &settings).unwrap()
        });
        assert_eq!(events.len(), 489_707);
        let (mut orders, mut states) = (vec![ORDERS_HEADER.to_owned()], vec![STATE_HEADER.to_owned()]);
        let mut engine = Run::new(&settings);
        while engine.step(events) {
            states.push(engine.state_row());
            orders.extend(engine.decide());
        }
        for (end, ours) in [("state.csv", &states), ("orders.csv", &orders)] {
            let theirs = std::fs::read_to_string(file(end)).unwrap();
            for (line, (ours, theirs)) in (1..).zip(ours.iter().zip(theirs.lines())) {
                assert_eq!(ours, theirs, "{run} {end}, line {line}");
            }
            assert_eq!(ours.len(), theirs.lines().count(), "{run} {end}");
        }
    }
}
