//! Trend functions of the ta-lib crate.

use crate::indicators::registry::Reads;
use crate::indicators::registry::{
    Cost, Entry, length, length_from_2, on_candle, on_value, out, real, whole,
};
use crate::indicators::source::Field;
use crate::indicators::wrapped::{
    ITSELF, OfCandle, OfValue, from_ta_lib, from_ta_lib_fixed, from_ta_lib_transcendental, int, wrap,
};

wrap!(AlmaStream: alma_open, alma_lookback, [value] -> 1, a => [int(a, 0), a.real(1), a.real(2)]);
wrap!(MamaStream: mama_open, mama_lookback, [value] -> 2, a => [a.real(0), a.real(1)]);
wrap!(VidyaStream: vidya_open, vidya_lookback, [value] -> 1, a => [int(a, 0), int(a, 1)]);
wrap!(FramaStream: frama_open, frama_lookback, [high, low] -> 1, a => [int(a, 0)]);
wrap!(McgdStream: mcgd_open, mcgd_lookback, [value] -> 1, a => [int(a, 0)]);
wrap!(AroonStream: aroon_open, aroon_lookback, [high, low] -> 2, a => [int(a, 0)]);
wrap!(AroonoscStream: aroonosc_open, aroonosc_lookback, [high, low] -> 1, a => [int(a, 0)]);
wrap!(VortexStream: vortex_open, vortex_lookback, [high, low, close] -> 2, a => [int(a, 0)]);
wrap!(PlusDmStream: plus_dm_open, plus_dm_lookback, [high, low] -> 1, a => [int(a, 0)]);
wrap!(MinusDmStream: minus_dm_open, minus_dm_lookback, [high, low] -> 1, a => [int(a, 0)]);
wrap!(VhfStream: vhf_open, vhf_lookback, [value] -> 1, a => [int(a, 0)]);
wrap!(CtiStream: cti_open, cti_lookback, [value] -> 1, a => [int(a, 0)]);
wrap!(HtTrendlineStream: ht_trendline_open, ht_trendline_lookback, [value] -> 1);
wrap!(HtDcperiodStream: ht_dcperiod_open, ht_dcperiod_lookback, [value] -> 1);
wrap!(HtDcphaseStream: ht_dcphase_open, ht_dcphase_lookback, [value] -> 1);
wrap!(HtPhasorStream: ht_phasor_open, ht_phasor_lookback, [value] -> 2);
wrap!(HtSineStream: ht_sine_open, ht_sine_lookback, [value] -> 2);
wrap!(HtTrendmodeStream: ht_trendmode_open, ht_trendmode_lookback, [value] -> 1);
wrap!(MidpointStream: midpoint_open, midpoint_lookback, [value] -> 1, a => [int(a, 0)]);
wrap!(MidpriceStream: midprice_open, midprice_lookback, [high, low] -> 1, a => [int(a, 0)]);
wrap!(MinmaxStream: minmax_open, minmax_lookback, [value] -> 2, a => [int(a, 0)]);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_value(
        "alma",
        "Arnaud Legoux average",
        "Gaussian weights exp(-(i - offset (n-1))²/(2 (n/sigma)²))",
        &[length(9), real("sigma", 6.0, 1e-3, 1e3), real("offset", 0.85, 0.0, 1.0)],
        |a, s| on_value(OfValue::<ta_lib::AlmaStream, 1>::new(a), s),
    )
    .cost(Cost::Window)
    .origin(from_ta_lib_transcendental("alma"))
    .compared(ITSELF),
    Entry::of_value(
        "mama",
        "Ehlers' MESA adaptive average and its follower",
        "an EMA whose k follows the phase rate of the Hilbert transform, between the limits; FAMA follows at half of it",
        &[real("fast", 0.5, 0.01, 0.99), real("slow", 0.05, 0.01, 0.99)],
        |a, s| on_value(OfValue::<ta_lib::MamaStream, 2>::new(a), s),
    )
    .outputs(&[out(""), out("fama")])
    .origin(from_ta_lib_transcendental("mama"))
    .compared(ITSELF),
    Entry::of_value(
        "vidya",
        "Chande's variable index dynamic average",
        "an EMA whose k is scaled by |CMO|/100",
        &[length(12), whole("cmo", 9, 2, 10_000)],
        |a, s| on_value(OfValue::<ta_lib::VidyaStream, 1>::new(a), s),
    )
    .origin(from_ta_lib("vidya"))
    .compared(ITSELF),
    Entry::of_candle(
        "frama",
        "Ehlers' fractal adaptive average",
        "an EMA whose k is exp(-4.6 (D - 1)), D the fractal dimension of the window's ranges",
        &[whole("n", 16, 2, 10_000)],
        |a, _| on_candle(OfCandle::<ta_lib::FramaStream, 2, 1>::new(a)),
    )
    .check(|a| (a.whole(0) % 2 == 1).then_some("`n` must be even"))
    .cost(Cost::Window)
    .origin(from_ta_lib_transcendental("frama"))
    .compared(ITSELF),
    Entry::of_value(
        "mcginley",
        "McGinley's dynamic",
        "m += (x - m)/(n (x/m)⁴)",
        &[length(14)],
        |a, s| on_value(OfValue::<ta_lib::McgdStream, 1>::new(a), s),
    )
    .also(&["mcginley_dynamic", "mcgd"])
    .origin(from_ta_lib_fixed("mcgd"))
    .compared(ITSELF),
    Entry::of_candle(
        "aroon",
        "Aroon, down and up",
        "100 (n - candles since the lowest low, since the highest high)/n",
        &[length_from_2(14)],
        |a, _| on_candle(OfCandle::<ta_lib::AroonStream, 2, 2>::new(a)),
    )
    .outputs(&[out("down"), out("up")])
    .origin(from_ta_lib("aroon"))
    .compared(ITSELF),
    Entry::of_candle("aroonosc", "Aroon oscillator", "up - down", &[length_from_2(14)], |a, _| {
        on_candle(OfCandle::<ta_lib::AroonoscStream, 2, 1>::new(a))
    })
    .origin(from_ta_lib("aroonosc"))
    .compared(ITSELF),
    Entry::of_candle(
        "vortex",
        "Vortex, plus and minus",
        "Σ|high - low[1]| and Σ|low - high[1]| over Σ true range",
        &[length_from_2(14)],
        |a, _| on_candle(OfCandle::<ta_lib::VortexStream, 3, 2>::new(a)),
    )
    .outputs(&[out("plus"), out("minus")])
    .also(&["vi"])
    .origin(from_ta_lib("vortex"))
    .compared(ITSELF),
    Entry::of_candle("plus_dm", "Plus directional movement", "Wilder sum of +DM", &[length(14)], |a, _| {
        on_candle(OfCandle::<ta_lib::PlusDmStream, 2, 1>::new(a))
    })
    .also(&["dm_plus"])
    .origin(from_ta_lib_fixed("plus_dm"))
    .compared(ITSELF),
    Entry::of_candle("minus_dm", "Minus directional movement", "Wilder sum of -DM", &[length(14)], |a, _| {
        on_candle(OfCandle::<ta_lib::MinusDmStream, 2, 1>::new(a))
    })
    .also(&["dm_minus"])
    .origin(from_ta_lib_fixed("minus_dm"))
    .compared(ITSELF),
    Entry::of_value(
        "vhf",
        "Vertical horizontal filter",
        "(highest - lowest)/Σ|changes| over n",
        &[length_from_2(28)],
        |a, s| on_value(OfValue::<ta_lib::VhfStream, 1>::new(a), s),
    )
    .cost(Cost::Window)
    .origin(from_ta_lib("vhf"))
    .compared(ITSELF),
    Entry::of_value("cti", "Ehlers' correlation trend", "correlation with a straight line", &[length_from_2(20)], |a, s| {
        on_value(OfValue::<ta_lib::CtiStream, 1>::new(a), s)
    })
    .origin(from_ta_lib("cti"))
    .compared(ITSELF),
    Entry::of_value("ht_trendline", "Hilbert transform, trend line", "mean over the dominant cycle, smoothed", &[], |a, s| {
        on_value(OfValue::<ta_lib::HtTrendlineStream, 1>::new(a), s)
    })
    .cost(Cost::Window)
    .origin(from_ta_lib_transcendental("ht_trendline"))
    .compared(ITSELF),
    Entry::of_value("ht_dcperiod", "Hilbert transform, dominant cycle period", "homodyne discriminator", &[], |a, s| {
        on_value(OfValue::<ta_lib::HtDcperiodStream, 1>::new(a), s)
    })
    .origin(from_ta_lib_transcendental("ht_dcperiod"))
    .compared(ITSELF),
    Entry::of_value("ht_dcphase", "Hilbert transform, dominant cycle phase", "degrees", &[], |a, s| {
        on_value(OfValue::<ta_lib::HtDcphaseStream, 1>::new(a), s)
    })
    .cost(Cost::Window)
    .origin(from_ta_lib_transcendental("ht_dcphase"))
    .compared(ITSELF),
    Entry::of_value("ht_phasor", "Hilbert transform, phasor components", "in phase, quadrature", &[], |a, s| {
        on_value(OfValue::<ta_lib::HtPhasorStream, 2>::new(a), s)
    })
    .outputs(&[out("in_phase"), out("quadrature")])
    .origin(from_ta_lib_transcendental("ht_phasor"))
    .compared(ITSELF),
    Entry::of_value("ht_sine", "Hilbert transform, sine wave", "sine and lead sine of the cycle's phase", &[], |a, s| {
        on_value(OfValue::<ta_lib::HtSineStream, 2>::new(a), s)
    })
    .outputs(&[out("sine"), out("lead")])
    .cost(Cost::Window)
    .origin(from_ta_lib_transcendental("ht_sine"))
    .compared(ITSELF),
    Entry::of_value("ht_trendmode", "Hilbert transform, trend or cycle", "1 in a trend, 0 in a cycle", &[], |a, s| {
        on_value(OfValue::<ta_lib::HtTrendmodeStream, 1>::new(a), s)
    })
    .cost(Cost::Window)
    .origin(from_ta_lib_transcendental("ht_trendmode"))
    .compared(ITSELF),
    Entry::of_value("midpoint", "Middle of the extremes of a value", "(highest + lowest)/2", &[length_from_2(14)], |a, s| {
        on_value(OfValue::<ta_lib::MidpointStream, 1>::new(a), s)
    })
    .origin(from_ta_lib("midpoint"))
    .compared(ITSELF),
    Entry::of_candle("midprice", "Middle of the range", "(highest high + lowest low)/2", &[length_from_2(14)], |a, _| {
        on_candle(OfCandle::<ta_lib::MidpriceStream, 2, 1>::new(a))
    })
    .origin(from_ta_lib("midprice"))
    .compared(ITSELF),
    Entry::of_value("extremes", "Lowest and highest of a value", "over n", &[length_from_2(30)], |a, s| {
        on_value(OfValue::<ta_lib::MinmaxStream, 2>::new(a), s)
    })
    .reading(Reads::Value(Field::Close))
    .outputs(&[out("min"), out("max")])
    .origin(from_ta_lib("minmax"))
    .compared(ITSELF),
];
