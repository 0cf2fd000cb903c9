//! Volatility functions of the ta-lib crate.

use crate::indicators::registry::{
    Cost, Entry, Reads, length, length_from_2, on_candle, on_pair, on_value, out, real, whole,
};
use crate::indicators::source::Field;
use crate::indicators::wrapped::{
    ITSELF, OfCandle, OfPair, OfValue, from_ta_lib, from_ta_lib_transcendental, int, wrap,
};

wrap!(AccbandsStream: accbands_open, accbands_lookback, [high, low, close] -> 3, a => [int(a, 0)]);
wrap!(AdrStream: adr_open, adr_lookback, [high, low] -> 1, a => [int(a, 0)]);
wrap!(AvgdevStream: avgdev_open, avgdev_lookback, [value] -> 1, a => [int(a, 0)]);
wrap!(BetaStream: beta_open, beta_lookback, [first, second] -> 1, a => [int(a, 0)]);
wrap!(CorrelStream: correl_open, correl_lookback, [first, second] -> 1, a => [int(a, 0)]);
wrap!(ChopStream: chop_open, chop_lookback, [high, low, close] -> 1, a => [int(a, 0)]);
wrap!(CkspStream: cksp_open, cksp_lookback, [high, low, close] -> 2, a => [int(a, 0), a.real(1), int(a, 2)]);
wrap!(CviStream: cvi_open, cvi_lookback, [high, low] -> 1, a => [int(a, 0), int(a, 1)]);
wrap!(KurtosisStream: kurtosis_open, kurtosis_lookback, [value] -> 1, a => [int(a, 0)]);
wrap!(MassiStream: massi_open, massi_lookback, [high, low] -> 1, a => [int(a, 0), int(a, 1)]);
wrap!(MedianStream: median_open, median_lookback, [value] -> 1, a => [int(a, 0)]);
wrap!(PercentileStream: percentile_open, percentile_lookback, [value] -> 1, a => [int(a, 0), a.real(1)]);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_candle(
        "accbands",
        "Acceleration bands",
        "mean of high (1 + 4 (high - low)/(high + low)) and of low (1 - …), mean of the close between",
        &[length_from_2(20)],
        |a, _| on_candle(OfCandle::<ta_lib::AccbandsStream, 3, 3>::new(a)),
    )
    .outputs(&[out("u"), out("m"), out("l")])
    .origin(from_ta_lib("accbands"))
    .compared(ITSELF),
    Entry::of_candle("adr", "Average range", "mean of high - low", &[length(14)], |a, _| {
        on_candle(OfCandle::<ta_lib::AdrStream, 2, 1>::new(a))
    })
    .origin(from_ta_lib("adr"))
    .compared(ITSELF),
    Entry::of_value("mean_ad", "Mean absolute deviation", "mean |x - mean|", &[length_from_2(14)], |a, s| {
        on_value(OfValue::<ta_lib::AvgdevStream, 1>::new(a), s)
    })
    .also(&["avgdev"])
    .cost(Cost::Window)
    .origin(from_ta_lib("avgdev"))
    .compared(ITSELF),
    Entry::of_pair(
        "beta",
        "Beta of one value to another",
        "covariance of the returns over the variance of the second's",
        &[length(5)],
        |a, s| on_pair(OfPair::<ta_lib::BetaStream, 1>::new(a), s),
    )
    .reading(Reads::Pair(Field::High, Field::Low))
    .origin(from_ta_lib("beta"))
    .compared(ITSELF),
    Entry::of_pair(
        "correl",
        "Correlation of two values",
        "Pearson's r of the levels",
        &[length_from_2(30)],
        |a, s| on_pair(OfPair::<ta_lib::CorrelStream, 1>::new(a), s),
    )
    .origin(from_ta_lib("correl"))
    .compared(ITSELF),
    Entry::of_candle(
        "chop",
        "Choppiness",
        "100 log(Σ range/(highest - lowest))/log n",
        &[length_from_2(14)],
        |a, _| on_candle(OfCandle::<ta_lib::ChopStream, 3, 1>::new(a)),
    )
    .cost(Cost::Window)
    .origin(from_ta_lib_transcendental("chop"))
    .compared(ITSELF),
    Entry::of_candle(
        "cksp",
        "Chande Kroll stop, long and short",
        "extremes less multiplier·ATR, then the extreme of those",
        &[length(10), real("multiplier", 1.0, 0.0, 100.0), whole("stop", 9, 1, 10_000)],
        |a, _| on_candle(OfCandle::<ta_lib::CkspStream, 3, 2>::new(a)),
    )
    .outputs(&[out("long"), out("short")])
    .origin(from_ta_lib("cksp"))
    .compared(ITSELF),
    Entry::of_candle(
        "cvi",
        "Chaikin's volatility",
        "rate of change of ema(high - low)",
        &[length(10), whole("roc", 10, 1, 10_000)],
        |a, _| on_candle(OfCandle::<ta_lib::CviStream, 2, 1>::new(a)),
    )
    .origin(from_ta_lib("cvi"))
    .compared(ITSELF),
    Entry::of_value(
        "kurtosis",
        "Kurtosis",
        "fourth moment over the variance squared, as the crate defines it",
        &[whole("n", 30, 4, 10_000)],
        |a, s| on_value(OfValue::<ta_lib::KurtosisStream, 1>::new(a), s),
    )
    .cost(Cost::Window)
    .origin(from_ta_lib("kurtosis"))
    .compared(ITSELF),
    Entry::of_candle(
        "mass",
        "Mass index",
        "Σ ema(range)/ema(ema(range))",
        &[whole("fast", 9, 1, 10_000), whole("slow", 25, 2, 10_000)],
        |a, _| on_candle(OfCandle::<ta_lib::MassiStream, 2, 1>::new(a)),
    )
    .origin(from_ta_lib("massi"))
    .compared(ITSELF),
    Entry::of_value("median", "Median", "of the last n values", &[length_from_2(30)], |a, s| {
        on_value(OfValue::<ta_lib::MedianStream, 1>::new(a), s)
    })
    .cost(Cost::Window)
    .origin(from_ta_lib("median"))
    .compared(ITSELF),
    Entry::of_value(
        "percentile",
        "Percentile",
        "the value that p percent of the last n do not exceed",
        &[length_from_2(100), real("p", 50.0, 0.0, 100.0)],
        |a, s| on_value(OfValue::<ta_lib::PercentileStream, 1>::new(a), s),
    )
    .cost(Cost::Window)
    .origin(from_ta_lib("percentile"))
    .compared(ITSELF),
];
