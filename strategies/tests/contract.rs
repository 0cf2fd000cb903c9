//! What every indicator of the catalogue promises, checked on every indicator of the catalogue.

mod support;

use proptest::prelude::*;
use strategies::indicators::{Args, Bar, Entry, Request, Study, Value, catalogue};
use support::{bars, candles};

fn default_of(entry: &'static Entry) -> Box<dyn Study> {
    Request::parse(entry.name).unwrap_or_else(|error| panic!("{error}")).build()
}

fn batch(study: &mut dyn Study, outputs: usize, bars: &[Bar]) -> Vec<Vec<Value>> {
    let table = candles(bars);
    let mut columns = vec![vec![Value::UNDEFINED; bars.len()]; outputs];
    let mut views: Vec<&mut [Value]> = columns.iter_mut().map(Vec::as_mut_slice).collect();
    study.batch(table.columns(), &mut views);
    columns
}

/// Streams `bars` through every indicator and holds each row against batch, peek, reset, and a batch over
/// the first part that is continued candle by candle.
fn holds(bars: &[Bar]) {
    for (_, entry) in catalogue() {
        let outputs = entry.outputs.len();
        let mut study = default_of(entry);
        let whole = batch(&mut *study, outputs, bars);
        study.reset();
        assert!(
            !study.is_ready() && study.values().iter().all(|value| !value.is_defined()),
            "{}",
            entry.name
        );
        let half = bars.len() / 2;
        let mut continued = default_of(entry);
        batch(&mut *continued, outputs, &bars[..half]);
        for (row, bar) in bars.iter().enumerate() {
            let expected: Vec<Value> = whole.iter().map(|column| column[row]).collect();
            assert_eq!(study.peek(bar), expected, "{} row {row}: peek against batch", entry.name);
            assert_eq!(study.update(bar), expected, "{} row {row}: stream against batch", entry.name);
            if row >= half {
                assert_eq!(continued.update(bar), expected, "{} row {row}: batch, then stream", entry.name);
            }
        }
    }
}

#[test]
fn streaming_batch_peek_reset_and_warm_start_agree_on_recorded_candles() {
    for file in ["ALT_BTC-1m_satoshi", "ETH_BTC-5m"] {
        holds(&bars(file)[..700]);
    }
}

#[test]
fn one_row_and_no_row_are_ordinary_inputs() {
    let bar = Bar { open_time_ms: 0, open: 1.0, high: 2.0, low: 0.5, close: 1.5, volume: 3.0 };
    holds(&[bar]);
    holds(&[]);
}

#[test]
fn flat_prices_without_volume_never_give_a_value_that_is_not_finite() {
    let flat =
        |i: i64| Bar { open_time_ms: i * 60_000, open: 0.1, high: 0.1, low: 0.1, close: 0.1, volume: 0.0 };
    let bars: Vec<Bar> = (0..400).map(flat).collect();
    holds(&bars);
    let zero: Vec<Bar> = (0..400).map(|i| Bar { open_time_ms: i * 60_000, ..Bar::default() }).collect();
    holds(&zero);
}

#[test]
fn a_candle_that_is_not_finite_is_refused_and_leaves_no_trace() {
    let bars = &bars("BTC_USDT-5m")[..300];
    for (_, entry) in catalogue() {
        let (mut clean, mut dirty) = (default_of(entry), default_of(entry));
        for (row, bar) in bars.iter().enumerate() {
            if row % 7 == 3 {
                let nan = if row % 2 == 0 { f64::NAN } else { f64::INFINITY };
                let bad = Bar { open: nan, high: nan, low: nan, close: nan, volume: nan, ..*bar };
                assert!(dirty.peek(&bad).iter().all(|value| !value.is_defined()), "{} peek", entry.name);
                assert!(dirty.update(&bad).iter().all(|value| !value.is_defined()), "{}", entry.name);
            }
            assert_eq!(clean.update(bar), dirty.update(bar), "{} row {row}", entry.name);
        }
    }
}

#[test]
fn the_stated_warm_up_is_the_first_row_on_which_every_output_has_been_defined() {
    let bars = bars("BTC_USDT-5m");
    for (_, entry) in catalogue() {
        let mut study = default_of(entry);
        let Some(warm_up) = study.warm_up() else { continue };
        // The second indicator's probe walks in hours: what waits for days is measured elsewhere.
        if entry.formula.contains("day") || entry.formula.contains("week") {
            continue;
        }
        let ready = bars.iter().position(|bar| {
            study.update(bar);
            study.is_ready()
        });
        assert_eq!(ready.map(|row| row + 1), Some(warm_up), "{}", entry.name);
    }
}

#[test]
fn chained_and_sourced_indicators_keep_the_contract() {
    let bars = &bars("ETH_USDT-1d")[..];
    let table = candles(bars);
    for name in [
        "ema_9(rsi_14)",
        "bb_20_2_u(macd_12_26_9_hist)",
        "sma_5(hl2)",
        "vwma_10(hlc3,volume)",
        "rsi_14(sma_3(ema_4(open)))",
    ] {
        let request = Request::parse(name).unwrap();
        let mut study = request.build();
        let outputs = request.entry().outputs.len();
        let mut columns = vec![vec![Value::UNDEFINED; bars.len()]; outputs];
        let mut views: Vec<&mut [Value]> = columns.iter_mut().map(Vec::as_mut_slice).collect();
        study.batch(table.columns(), &mut views);
        let first = columns[request.output()].iter().position(|value| value.is_defined());
        assert_eq!(first.map(|row| row + 1), study.warm_up(), "{name}");
        study.reset();
        for (row, bar) in bars.iter().enumerate() {
            let peeked = study.peek(bar)[request.output()];
            let updated = study.update(bar)[request.output()];
            assert_eq!(
                (peeked, updated),
                (columns[request.output()][row], columns[request.output()][row]),
                "{name} row {row}"
            );
        }
    }
}

#[test]
fn the_same_indicator_is_asked_for_by_parts_and_by_short_name() {
    let short = Request::parse("ppo_5_10_sma_signal_4(ema_3(high))").unwrap();
    let params = [("slow", "10"), ("fast", "5"), ("kind", "sma"), ("signal", "4")];
    let parts = Request::from_parts("ppo", &params, "signal", "ema_3(high)").unwrap();
    assert!(short.shares_study_with(&parts) && short.output() == parts.output());
    let wrong = Request::from_parts("ppo", &[("fst", "5")], "", "").unwrap_err();
    assert_eq!(wrong.nearest(), Some("fast"));
}

#[test]
fn a_name_that_is_none_suggests_the_nearest() {
    for (given, nearest) in [
        ("emma_9", Some("ema")),
        ("supertrnd_10_3", Some("supertrend")),
        ("macd_12_26_9_singal", Some("signal")),
        ("ppo_12_26_emaa", Some("ema")),
        ("qqqqqqqqqq", None),
        ("ema_0", None),
        ("ema_9_9", None),
        ("macd_26_12_9", None),
        ("ema_9(", None),
        ("ema_9()", None),
        ("atr_14(close)", None),
        ("", None),
        ("ema_1e400", None),
        ("ema_9.5", None),
    ] {
        let error = Request::parse(given).unwrap_err();
        assert_eq!(error.nearest(), nearest, "{error}");
        assert!(error.to_string().starts_with(&format!("`{given}`: ")));
    }
}

/// Candles of a hostile market: any finite numbers, consistent or not, with gaps and standing still.
fn hostile() -> impl Strategy<Value = Vec<Bar>> {
    let number = prop_oneof![
        4 => (-5..5_i32).prop_map(f64::from),
        2 => -1e-3..1e-3_f64,
        1 => Just(0.0),
        1 => Just(1e300),
        1 => Just(-1e300),
        1 => Just(1e-300),
        1 => Just(f64::MAX),
        1 => Just(f64::MIN_POSITIVE),
        1 => Just(f64::NAN),
    ];
    let bar = (0..3_i64, [number.clone(), number.clone(), number.clone(), number.clone(), number]);
    prop::collection::vec(bar, 0..120).prop_map(|rows| {
        let mut time = 0;
        rows.into_iter()
            .map(|(gap, [open, high, low, close, volume])| {
                time += 60_000 + gap * gap * 40_000_000;
                Bar { open_time_ms: time, open, high, low, close, volume }
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_candles_make_an_indicator_panic_or_break_the_contract(bars in hostile()) {
        holds(&bars);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[a-z0-9_.(),]{0,40}") {
        let _ = Request::parse(&text);
    }

    #[test]
    fn parameters_at_their_limits_build(pick in any::<prop::sample::Index>(), high in any::<bool>()) {
        let entries: Vec<_> = catalogue().map(|(_, entry)| entry).collect();
        let entry = entries[pick.index(entries.len())];
        let limits: Vec<(&str, String)> = entry.params.iter().map(|param| (param.name, limit(param.kind, high))).collect();
        let given: Vec<(&str, &str)> = limits.iter().map(|(name, value)| (*name, value.as_str())).collect();
        if let Ok(request) = Request::from_parts(entry.name, &given, "", "") {
            prop_assert!(request.args() != &Args::defaults(entry) || entry.params.is_empty() || !high);
            let mut study = request.build();
            let bar = Bar { open_time_ms: 0, open: 1.0, high: 2.0, low: 0.5, close: 1.5, volume: 3.0 };
            for _ in 0..5 {
                study.update(&bar);
            }
        }
    }
}

fn limit(kind: strategies::indicators::Kind, high: bool) -> String {
    use strategies::indicators::Kind;
    match kind {
        Kind::Whole(from, to) => if high { to } else { from }.to_string(),
        Kind::Real(from, to) => if high { to } else { from }.to_string(),
        Kind::Choice(words) => if high { words[words.len() - 1] } else { words[0] }.to_owned(),
    }
}
