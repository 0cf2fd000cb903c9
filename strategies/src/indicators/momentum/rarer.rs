//! Rarer oscillators.

use crate::indicators::answer::indicators;
use crate::indicators::bar::Bar;
use crate::indicators::blocks::{Delay, Ema, Mean, Moments, Ring, Sum, TrueRange, Wilder, Wma, state};
use crate::indicators::contract::Pair;
use crate::indicators::momentum::Rsi;
use crate::indicators::registry::{
    Cost, Entry, Reads, length, length_from_2, on_candle, on_pair, on_value, out, real, whole,
};
use crate::indicators::source::Field;
use crate::indicators::volatility::log_ratio;

state! {
    /// Blau's directional trend index.
    #[derive(Debug)]
    struct DirectionalTrend {
        previous: Option<Bar>,
        net: [Ema; 3],
        gross: [Ema; 3],
    }
}

impl DirectionalTrend {
    #[inline]
    fn push(&mut self, bar: Bar) -> Option<f64> {
        let previous = self.previous.replace(bar)?;
        let move_now = (bar.high - previous.high).max(0.0) - (previous.low - bar.low).max(0.0);
        let through = |stages: &mut [Ema; 3], x: f64| stages.iter_mut().try_fold(x, |x, stage| stage.push(x));
        let (net, gross) = (through(&mut self.net, move_now), through(&mut self.gross, move_now.abs()));
        let (net, gross) = (net?, gross?);
        Some(if gross == 0.0 { 0.0 } else { 100.0 * net / gross })
    }
}

state! {
    /// Ehlers' Laguerre RSI, 0..=1.
    #[derive(Debug)]
    struct Laguerre {
        gamma: f64,
        stages: Option<[f64; 4]>,
    }
}

impl Laguerre {
    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        let g = self.gamma;
        let [a, b, c, d] = self.stages.unwrap_or([x; 4]);
        let first = (1.0 - g) * x + g * a;
        let second = -g * first + a + g * b;
        let third = -g * second + b + g * c;
        let fourth = -g * third + c + g * d;
        self.stages = Some([first, second, third, fourth]);
        let (mut up, mut down) = (0.0, 0.0);
        for step in [first - second, second - third, third - fourth] {
            up += step.max(0.0);
            down += (-step).max(0.0);
        }
        Some(if up + down > 0.0 { up / (up + down) } else { 0.0 })
    }
}

state! {
    /// Ehlers' inverse Fisher transform of the RSI.
    #[derive(Debug)]
    struct InverseFisher {
        rsi: Rsi,
        smooth: Wma,
    }
}

impl InverseFisher {
    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        let value = self.smooth.push(0.1 * (self.rsi.push(x)? - 50.0))?;
        Some(libm::tanh(value))
    }
}

state! {
    /// Hannula's polarised fractal efficiency.
    #[derive(Debug)]
    struct FractalEfficiency {
        previous: Option<f64>,
        past: Delay,
        path: Sum,
        smooth: Ema,
        n: f64,
    }
}

impl FractalEfficiency {
    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        let before = self.past.push(x);
        let step = x - self.previous.replace(x)?;
        let path = self.path.push((1.0 + step * step).sqrt());
        let direct = x - before?;
        let efficiency = 100.0 * (direct * direct + self.n * self.n).sqrt() / path?;
        self.smooth.push(if direct < 0.0 { -efficiency } else { efficiency })
    }
}

state! {
    /// Katsanos' stiffness: how often the value has stayed above its lower bound.
    #[derive(Debug)]
    struct Stiffness {
        moments: Moments,
        above: Sum,
        n: f64,
    }
}

impl Stiffness {
    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        let (mean, variance) = self.moments.push(x)?;
        let above = f64::from(u8::from(x > mean - 0.2 * variance.sqrt()));
        Some(100.0 * self.above.push(above)? / self.n)
    }
}

state! {
    /// Katsanos' relative strength: the smoothed change of the log of one value over another.
    #[derive(Debug)]
    struct RelativeStrength {
        past: Delay,
        smooth: Ema,
    }
}

impl RelativeStrength {
    #[inline]
    fn push(&mut self, [a, b]: Pair) -> Option<f64> {
        let log = log_ratio(a, b)?;
        Some(100.0 * self.smooth.push(log - self.past.push(log)?)?)
    }
}

state! {
    /// Jurik's RSX as published by others: the RSI with every average replaced by a smooth pair.
    #[derive(Debug)]
    struct Rsx {
        previous: Option<f64>,
        k: f64,
        net: [f64; 6],
        gross: [f64; 6],
        before: usize,
    }
}

impl Rsx {
    fn new(n: usize) -> Self {
        Self { previous: None, k: 3.0 / (n as f64 + 2.0), net: [0.0; 6], gross: [0.0; 6], before: n }
    }

    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        let change = 100.0 * (x - self.previous.replace(x)?);
        let k = self.k;
        let through = |state: &mut [f64; 6], x: f64| {
            let mut last = x;
            for pair in state.chunks_exact_mut(2) {
                pair[0] = (1.0 - k) * pair[0] + k * last;
                pair[1] = k * pair[0] + (1.0 - k) * pair[1];
                last = 1.5 * pair[0] - 0.5 * pair[1];
            }
            last
        };
        let (net, gross) = (through(&mut self.net, change), through(&mut self.gross, change.abs()));
        if self.before > 1 {
            self.before -= 1;
            return None;
        }
        Some(if gross > 0.0 { ((net / gross + 1.0) * 50.0).clamp(0.0, 100.0) } else { 50.0 })
    }
}

state! {
    /// Distance from the mean as a fraction of it.
    #[derive(Debug)]
    struct Bias {
        mean: Mean,
    }
}

impl Bias {
    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        Some(x / self.mean.push(x)? - 1.0)
    }
}

state! {
    /// Psychological line: percent of the last candles that rose.
    #[derive(Debug)]
    struct Psychological {
        previous: Option<f64>,
        rises: Mean,
    }
}

impl Psychological {
    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        let rise = x > self.previous.replace(x)?;
        Some(100.0 * self.rises.push(f64::from(u8::from(rise)))?)
    }
}

state! {
    /// Close in its range by relative volume and relative range, and the running total.
    #[derive(Debug)]
    struct Pressure {
        range: TrueRange,
        atr: Wilder,
        volume: Mean,
        total: f64,
    }
}

impl Pressure {
    #[inline]
    fn push(&mut self, bar: Bar) -> Option<[f64; 2]> {
        let volume = self.volume.push(bar.volume);
        let atr = self.range.push(&bar).and_then(|range| self.atr.push(range));
        let (volume, atr) = (volume?, atr?);
        let inside = (bar.close - bar.low) - (bar.high - bar.close);
        let now = if volume > 0.0 && atr > 0.0 { inside / atr * (bar.volume / volume) } else { 0.0 };
        self.total += now;
        Some([now, self.total])
    }
}

state! {
    /// Hurst's exponent from how the spread of differences grows with their lag.
    #[derive(Debug)]
    struct Hurst {
        window: Ring,
        logs: [f64; LAGS.len()],
    }
}

const LAGS: [usize; 8] = [2, 3, 4, 6, 8, 11, 15, 20];

impl Hurst {
    fn new(n: usize) -> Self {
        Self { window: Ring::new(n), logs: LAGS.map(|lag| libm::log(lag as f64)) }
    }

    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        self.window.push(x);
        if !self.window.is_full() {
            return None;
        }
        let (mut sx, mut sy, mut sxx, mut sxy) = (0.0, 0.0, 0.0, 0.0);
        for (lag, log_lag) in LAGS.iter().zip(&self.logs) {
            let differences =
                self.window.iter().skip(*lag).zip(self.window.iter()).map(|(late, early)| late - early);
            let count = (self.window.len() - lag) as f64;
            let mean = differences.clone().sum::<f64>() / count;
            let variance = differences.map(|d| (d - mean) * (d - mean)).sum::<f64>() / count;
            if variance <= 0.0 {
                return None;
            }
            let log_spread = 0.5 * libm::log(variance);
            sx += log_lag;
            sy += log_spread;
            sxx += log_lag * log_lag;
            sxy += log_lag * log_spread;
        }
        let n = LAGS.len() as f64;
        Some((n * sxy - sx * sy) / (n * sxx - sx * sx))
    }
}

state! {
    /// A candle in words: direction, size, body and shadows, each on a small scale.
    #[derive(Debug)]
    struct FuzzyCandle {
        sizes: Moments,
    }
}

impl FuzzyCandle {
    #[inline]
    fn push(&mut self, bar: Bar) -> Option<[f64; 5]> {
        let range = bar.range();
        let (mean, variance) = self.sizes.push(range)?;
        let deviation = variance.sqrt();
        let size = if range <= 0.0 {
            0.0
        } else {
            // 1 very small … 5 very large, by deviations from the mean range.
            [-1.5, -0.5, 0.5, 1.5]
                .iter()
                .fold(1.0, |size, edge| size + f64::from(u8::from(range > mean + edge * deviation)))
        };
        let scale = |part: f64| {
            if range <= 0.0 {
                return 0.0;
            }
            [0.0, 0.25, 0.5, 0.75]
                .iter()
                .fold(0.0, |scale, edge| scale + f64::from(u8::from(part / range > *edge)))
        };
        let body = bar.close - bar.open;
        Some([
            f64::from(i8::from(body > 0.0) - i8::from(body < 0.0)),
            size,
            scale(body.abs()),
            scale(bar.high - bar.open.max(bar.close)),
            scale(bar.open.min(bar.close) - bar.low),
        ])
    }
}

indicators!(f64: Laguerre => 1, InverseFisher => 1, FractalEfficiency => 1, Stiffness => 1, Rsx => 1, Bias => 1, Psychological => 1, Hurst => 1);
indicators!(Bar: DirectionalTrend => 1, Pressure => 2, FuzzyCandle => 5);
indicators!(Pair: RelativeStrength => 1);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_candle(
        "dti",
        "Blau's directional trend index",
        "100 ema³(up move - down move)/ema³(|…|)",
        &[whole("r", 14, 1, 10_000), whole("s", 10, 1, 10_000), whole("u", 5, 1, 10_000)],
        |a, _| {
            let stages = || [0, 1, 2].map(|i| Ema::new(a.whole(i)));
            on_candle(DirectionalTrend { previous: None, net: stages(), gross: stages() })
        },
    ),
    Entry::of_value("lrsi", "Ehlers' Laguerre RSI", "up/(up + down) of the steps between four Laguerre stages, of hl2; starts at the first value", &[real("alpha", 0.2, 0.001, 1.0)], |a, s| {
        on_value(Laguerre { gamma: 1.0 - a.real(0), stages: None }, s)
    })
    .reading(Reads::Value(Field::Hl2)),
    Entry::of_value("ift_rsi", "Inverse Fisher transform of the RSI", "tanh(wma((rsi - 50)/10))", &[whole("rsi", 5, 2, 10_000), whole("wma", 9, 1, 10_000)], |a, s| {
        on_value(InverseFisher { rsi: Rsi::new(a.whole(0)), smooth: Wma::new(a.whole(1)) }, s)
    }),
    Entry::of_value("pfe", "Polarised fractal efficiency", "ema(±100 √((x - x[n])² + n²)/Σ √(1 + Δ²))", &[length_from_2(10), whole("smooth", 5, 1, 10_000)], |a, s| {
        let n = a.whole(0);
        on_value(FractalEfficiency { previous: None, past: Delay::new(n), path: Sum::new(n), smooth: Ema::new(a.whole(1)), n: n as f64 }, s)
    }),
    Entry::of_value("stiffness", "Katsanos' stiffness", "percent of the last candles above sma - 0.2 deviations", &[length_from_2(100), whole("window", 60, 1, 10_000)], |a, s| {
        on_value(Stiffness { moments: Moments::new(a.whole(0)), above: Sum::new(a.whole(1)), n: a.real(1) }, s)
    }),
    Entry::of_pair("rsmk", "Katsanos' relative strength of one value to another", "100 ema(ln(a/b) - ln(a/b)[lookback])", &[whole("lookback", 90, 1, 10_000), whole("ema", 3, 1, 10_000)], |a, s| {
        on_pair(RelativeStrength { past: Delay::new(a.whole(0)), smooth: Ema::new(a.whole(1)) }, s)
    })
    .reading(Reads::Pair(Field::Close, Field::Open)),
    Entry::of_value("rsx", "Jurik's RSX, as published by others", "50 (net/gross + 1), each thrice smoothed in pairs by 3/(n + 2)", &[length_from_2(14)], |a, s| {
        on_value(Rsx::new(a.whole(0)), s)
    })
    .differs("the original is not published"),
    Entry::of_value("bias", "Distance from the mean, fraction of it", "x/sma - 1", &[length(14)], |a, s| on_value(Bias { mean: Mean::new(a.whole(0)) }, s)),
    Entry::of_value("psl", "Psychological line", "100 · share of the last n changes that rose", &[length(12)], |a, s| {
        on_value(Psychological { previous: None, rises: Mean::new(a.whole(0)) }, s)
    }),
    Entry::of_candle("pressure", "Pressure and its running total", "((c - l) - (h - c))/ATR · volume/mean volume", &[length(14)], |a, _| {
        let n = a.whole(0);
        on_candle(Pressure { range: TrueRange::default(), atr: Wilder::new(n), volume: Mean::new(n), total: 0.0 })
    })
    .outputs(&[out(""), out("total")]),
    Entry::of_value("hurst_exponent", "Hurst's exponent", "slope of ln deviation(x - x[lag]) on ln lag, lags 2..20", &[whole("n", 100, 30, 10_000)], |a, s| {
        on_value(Hurst::new(a.whole(0)), s)
    })
    .cost(Cost::Window),
    Entry::of_candle("fuzzy_candle", "A candle in words", "direction -1..1; size 0..5 by deviations from the mean range; body, upper and lower shadow 0..4 by quarters of the range", &[length_from_2(20)], |a, _| {
        on_candle(FuzzyCandle { sizes: Moments::new(a.whole(0)) })
    })
    .outputs(&[out("direction"), out("size"), out("body"), out("upper"), out("lower")]),
];
