//! Momentum functions of the ta-lib crate.

use ta_lib::MAType;

use crate::indicators::registry::{
    Cost, Entry, length, length_from_2, on_candle, on_value, out, real, whole,
};
use crate::indicators::wrapped::{
    ITSELF, OfCandle, OfValue, from_ta_lib, from_ta_lib_fixed, from_ta_lib_transcendental, int, wrap,
};

wrap!(AoStream: ao_open, ao_lookback, [high, low] -> 1, a => [int(a, 0), int(a, 1)]);
wrap!(AcStream: ac_open, ac_lookback, [high, low] -> 1, a => [int(a, 0), int(a, 1), int(a, 2)]);
wrap!(TsiStream: tsi_open, tsi_lookback, [value] -> 1, a => [int(a, 0), int(a, 1)]);
wrap!(FisherStream: fisher_open, fisher_lookback, [high, low] -> 2, a => [int(a, 0)]);
wrap!(KdjStream: kdj_open, kdj_lookback, [high, low, close] -> 3, a => [int(a, 0), int(a, 1), MAType::RMA, int(a, 2), MAType::RMA]);
wrap!(CoppockStream: coppock_open, coppock_lookback, [value] -> 1, a => [int(a, 0), int(a, 1), int(a, 2)]);
wrap!(SqzmomStream: sqzmom_open, sqzmom_lookback, [high, low, close] -> 2, a => [int(a, 0), a.real(1), int(a, 2), a.real(3), a.real(4), a.real(5)]);
wrap!(CrsiStream: crsi_open, crsi_lookback, [value] -> 1, a => [int(a, 0), int(a, 1), int(a, 2)]);
wrap!(StcStream: stc_open, stc_lookback, [value] -> 1, a => [int(a, 0), int(a, 1), int(a, 2)]);
wrap!(SmiStream: smi_open, smi_lookback, [high, low, close] -> 2, a => [int(a, 0), int(a, 1), int(a, 2), int(a, 3)]);
wrap!(PsoStream: pso_open, pso_lookback, [high, low, close] -> 1, a => [int(a, 0), int(a, 1)]);
wrap!(DoscStream: dosc_open, dosc_lookback, [value] -> 1, a => [int(a, 0), int(a, 1), int(a, 2), int(a, 3)]);
wrap!(BopStream: bop_open, bop_lookback, [open, high, low, close] -> 1);
wrap!(CgStream: cg_open, cg_lookback, [value] -> 1, a => [int(a, 0)]);
wrap!(DpoStream: dpo_open, dpo_lookback, [value] -> 1, a => [int(a, 0)]);
wrap!(ErStream: er_open, er_lookback, [value] -> 1, a => [int(a, 0)]);
wrap!(FoscStream: fosc_open, fosc_lookback, [value] -> 1, a => [int(a, 0)]);
wrap!(IbsStream: ibs_open, ibs_lookback, [high, low, close] -> 1);
wrap!(ImiStream: imi_open, imi_lookback, [open, close] -> 1, a => [int(a, 0)]);
wrap!(QstickStream: qstick_open, qstick_lookback, [open, close] -> 1, a => [int(a, 0)]);
wrap!(RvirStream: rvir_open, rvir_lookback, [high, low] -> 1, a => [int(a, 0), int(a, 1)]);
wrap!(PercentrankStream: percentrank_open, percentrank_lookback, [value] -> 1, a => [int(a, 0)]);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_candle(
        "ao",
        "Williams' awesome oscillator",
        "sma(hl2, fast) - sma(hl2, slow)",
        &[whole("fast", 5, 1, 10_000), whole("slow", 34, 2, 10_000)],
        |a, _| on_candle(OfCandle::<ta_lib::AoStream, 2, 1>::new(a)),
    )
    .origin(from_ta_lib("ao"))
    .compared(ITSELF),
    Entry::of_candle(
        "ac",
        "Williams' accelerator",
        "awesome oscillator - its mean",
        &[whole("fast", 5, 1, 10_000), whole("slow", 34, 2, 10_000), whole("signal", 5, 1, 10_000)],
        |a, _| on_candle(OfCandle::<ta_lib::AcStream, 2, 1>::new(a)),
    )
    .also(&["acosc"])
    .origin(from_ta_lib("ac"))
    .compared(ITSELF),
    Entry::of_value(
        "tsi",
        "True strength",
        "100 ema(ema(change))/ema(ema(|change|))",
        &[whole("first", 25, 1, 10_000), whole("second", 13, 1, 10_000)],
        |a, s| on_value(OfValue::<ta_lib::TsiStream, 1>::new(a), s),
    )
    .origin(from_ta_lib_fixed("tsi"))
    .compared(ITSELF),
    Entry::of_candle(
        "fisher",
        "Ehlers' Fisher transform and its trigger",
        "half the log of (1 + v)/(1 - v), v the smoothed place of hl2 in its range; trigger: one candle before",
        &[length_from_2(10)],
        |a, _| on_candle(OfCandle::<ta_lib::FisherStream, 2, 2>::new(a)),
    )
    .outputs(&[out(""), out("trigger")])
    .origin(from_ta_lib_transcendental("fisher"))
    .compared(ITSELF),
    Entry::of_candle(
        "kdj",
        "KDJ",
        "stochastic with Wilder averages; J = 3 K - 2 D",
        &[length(9), whole("k", 3, 1, 10_000), whole("d", 3, 1, 10_000)],
        |a, _| on_candle(OfCandle::<ta_lib::KdjStream, 3, 3>::new(a)),
    )
    .outputs(&[out("k"), out("d"), out("j")])
    .origin(from_ta_lib("kdj"))
    .compared(ITSELF)
    .differs("jesse smooths with simple averages"),
    Entry::of_value(
        "coppock",
        "Coppock curve",
        "wma(roc1 + roc2)",
        &[whole("wma", 10, 2, 10_000), whole("roc1", 11, 1, 10_000), whole("roc2", 14, 1, 10_000)],
        |a, s| on_value(OfValue::<ta_lib::CoppockStream, 1>::new(a), s),
    )
    .also(&["cc"])
    .origin(from_ta_lib("coppock"))
    .compared(ITSELF),
    Entry::of_candle(
        "squeeze_momentum",
        "LazyBear's squeeze momentum and the state of the squeeze",
        "linear regression of the close against the middle of range and mean; state: how many Keltner widths enclose the Bollinger bands",
        &[
            whole("bb", 20, 2, 10_000),
            real("deviations", 2.0, 0.0, 100.0),
            whole("kc", 20, 2, 10_000),
            real("wide", 2.0, 0.0, 100.0),
            real("normal", 1.5, 0.0, 100.0),
            real("narrow", 1.0, 0.0, 100.0),
        ],
        |a, _| on_candle(OfCandle::<ta_lib::SqzmomStream, 3, 2>::new(a)),
    )
    .outputs(&[out(""), out("squeeze")])
    .also(&["sqzmom", "ttm_squeeze"])
    .origin(from_ta_lib("sqzmom"))
    .compared(ITSELF),
    Entry::of_value(
        "crsi",
        "Connors' RSI",
        "mean of RSI, RSI of the streak, percent rank of the change",
        &[whole("rsi", 3, 2, 10_000), whole("streak", 2, 2, 10_000), whole("rank", 100, 2, 10_000)],
        |a, s| on_value(OfValue::<ta_lib::CrsiStream, 1>::new(a), s),
    )
    .cost(Cost::Window)
    .origin(from_ta_lib("crsi"))
    .compared(ITSELF),
    Entry::of_value(
        "stc",
        "Schaff trend cycle",
        "MACD passed twice through a stochastic, each pass smoothed by half",
        &[whole("fast", 23, 2, 10_000), whole("slow", 50, 2, 10_000), whole("cycle", 10, 2, 10_000)],
        |a, s| on_value(OfValue::<ta_lib::StcStream, 1>::new(a), s),
    )
    .origin(from_ta_lib("stc"))
    .compared(ITSELF),
    Entry::of_candle(
        "smi",
        "Stochastic momentum index and its signal",
        "distance of the close from the middle of its range, twice smoothed, in half ranges",
        &[length_from_2(13), whole("fast", 2, 1, 10_000), whole("slow", 25, 1, 10_000), whole("signal", 9, 1, 10_000)],
        |a, _| on_candle(OfCandle::<ta_lib::SmiStream, 3, 2>::new(a)),
    )
    .outputs(&[out(""), out("signal")])
    .origin(from_ta_lib("smi"))
    .compared(ITSELF),
    Entry::of_candle(
        "pso",
        "Premier stochastic oscillator",
        "the stochastic, twice smoothed, squashed to -1..1",
        &[length_from_2(8), whole("ema", 5, 1, 10_000)],
        |a, _| on_candle(OfCandle::<ta_lib::PsoStream, 3, 1>::new(a)),
    )
    .origin(from_ta_lib_transcendental("pso"))
    .compared(ITSELF),
    Entry::of_value(
        "derivative_oscillator",
        "Brown's derivative oscillator",
        "ema(ema(rsi)) - its mean",
        &[length_from_2(14), whole("first", 5, 1, 10_000), whole("second", 3, 1, 10_000), whole("signal", 9, 1, 10_000)],
        |a, s| on_value(OfValue::<ta_lib::DoscStream, 1>::new(a), s),
    )
    .origin(from_ta_lib("dosc"))
    .compared(ITSELF),
    Entry::of_candle("bop", "Balance of power", "(close - open)/(high - low); 0 without a range", &[], |a, _| {
        on_candle(OfCandle::<ta_lib::BopStream, 4, 1>::new(a))
    })
    .origin(from_ta_lib_fixed("bop"))
    .compared(ITSELF),
    Entry::of_value("cg", "Ehlers' centre of gravity", "-Σ (i + 1) x[i]/Σ x[i]", &[length(10)], |a, s| {
        on_value(OfValue::<ta_lib::CgStream, 1>::new(a), s)
    })
    .cost(Cost::Window)
    .origin(from_ta_lib("cg"))
    .compared(ITSELF),
    Entry::of_value("dpo", "Detrended price oscillator", "x - sma[n/2 + 1]", &[length_from_2(20)], |a, s| {
        on_value(OfValue::<ta_lib::DpoStream, 1>::new(a), s)
    })
    .origin(from_ta_lib("dpo"))
    .compared(ITSELF),
    Entry::of_value("er", "Kaufman's efficiency ratio", "|x - x[n]|/Σ|changes|", &[length_from_2(10)], |a, s| {
        on_value(OfValue::<ta_lib::ErStream, 1>::new(a), s)
    })
    .also(&["efficiency_ratio"])
    .origin(from_ta_lib("er"))
    .compared(ITSELF),
    Entry::of_value("fosc", "Forecast oscillator", "100 (x - tsf[1])/x", &[length_from_2(5)], |a, s| {
        on_value(OfValue::<ta_lib::FoscStream, 1>::new(a), s)
    })
    .origin(from_ta_lib("fosc"))
    .compared(ITSELF),
    Entry::of_candle("ibs", "Internal bar strength", "(close - low)/(high - low)", &[], |a, _| {
        on_candle(OfCandle::<ta_lib::IbsStream, 3, 1>::new(a))
    })
    .origin(from_ta_lib_fixed("ibs"))
    .compared(ITSELF),
    Entry::of_candle("imi", "Intraday momentum", "100 Σ up bodies/Σ bodies", &[length_from_2(14)], |a, _| {
        on_candle(OfCandle::<ta_lib::ImiStream, 2, 1>::new(a))
    })
    .origin(from_ta_lib("imi"))
    .compared(ITSELF),
    Entry::of_candle("qstick", "Qstick", "mean of close - open", &[length(10)], |a, _| {
        on_candle(OfCandle::<ta_lib::QstickStream, 2, 1>::new(a))
    })
    .origin(from_ta_lib("qstick"))
    .compared(ITSELF),
    Entry::of_candle(
        "rvi_volatility_revised",
        "Relative volatility index, Dorsey's revision",
        "mean of the index of highs and of lows",
        &[length(14), whole("stddev", 10, 2, 10_000)],
        |a, _| on_candle(OfCandle::<ta_lib::RvirStream, 2, 1>::new(a)),
    )
    .origin(from_ta_lib("rvir"))
    .compared(ITSELF),
    Entry::of_value(
        "percent_rank",
        "Percent of the last n values below this one",
        "100 · (how many of the n before are below)/n",
        &[length(100)],
        |a, s| on_value(OfValue::<ta_lib::PercentrankStream, 1>::new(a), s),
    )
    .cost(Cost::Window)
    .origin(from_ta_lib("percentrank"))
    .compared(ITSELF),
];
