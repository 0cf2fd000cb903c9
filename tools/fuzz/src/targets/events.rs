//! Event files of `sim parity`: every row is read or refused with its line, and what was read lets a run go to its
//! end, with no order filled beyond what it has.
//!
//! Input: an events file, behind the name of a queue model and a line feed.

use crate::driver::Outcome;
use crate::scratch;
use crate::truth::outcome;
use sim::parity::{Run, Settings, load_events, parse_events};

/// Runs one input.
pub fn target(data: &[u8]) -> Outcome {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (model, text) = (String::from_utf8_lossy(&data[..end]), data.get(end + 1..).unwrap_or_default());
    let settings = serde_json::json!({
        "tick_size": 0.1, "lot_size": 0.001, "maker_fee_rate": 0.0002, "order_entry_latency_ns": 3,
        "order_response_latency_ns": 2, "queue_model": model, "exchange_model": "PartialFillExchange",
        "step_ns": 10, "warm_up_steps_without_quotes": 1, "half_spread_ticks": 0, "order_qty": 0.002,
        "max_position": 0.004, "start_local_ns": 0,
    });
    let settings_path = scratch::file("settings.json", settings.to_string().as_bytes());
    let events_path = scratch::file("events.csv", text);
    let settings = match Settings::load(&settings_path) {
        Ok(settings) => settings,
        Err(error) => {
            assert!(error.is_usage() && error.to_string().contains("queue_model"), "{error}");
            return outcome("settings");
        }
    };
    let is_plain = !text.starts_with(&[0x1f, 0x8b]);
    let (parsed, loaded) = (parse_events(text, 1, 3), load_events(&events_path, &settings));
    if is_plain {
        assert_eq!(
            parsed.as_ref().map(sim::parity::Events::len).ok(),
            loaded.as_ref().map(sim::parity::Events::len).ok()
        );
    }
    let events = match loaded {
        Ok(events) => events,
        Err(error) => {
            assert!(!error.is_usage() && error.to_string().contains("events"), "{error}");
            return outcome("refused");
        }
    };
    let mut run = Run::new(&settings);
    let (mut steps, mut filled) = (0, 0);
    // Times may lie centuries apart: a run of so many steps is cut.
    while steps < 64 && run.step(&events) {
        steps += 1;
        filled += run.decide().iter().filter(|row| row.contains("FILLED")).count();
        let position = run.state_row().split(',').nth(3).and_then(|text| text.parse::<f64>().ok());
        // At most the limit, and one order that was on its way on each side.
        assert!(position.is_some_and(|position| position.abs() < 0.0085), "{position:?}");
    }
    outcome((steps.min(3), filled.min(3)))
}
