//! Where volume was traded: VWAP with bands, anchored and rolling, and the volume profile.

use crate::indicators::answer::indicators;
use crate::indicators::bar::Bar;
use crate::indicators::blocks::{Ring, state};
use crate::indicators::registry::{Cost, Entry, Output, length, on_candle, out, real, whole};

state! {
    /// Weighted mean and variance, added to one price at a time (West 1979): no difference of large sums.
    #[derive(Debug, Default)]
    struct Weighted {
        weight: f64,
        mean: f64,
        squares: f64,
    }
}

impl Weighted {
    #[inline]
    fn add(&mut self, price: f64, volume: f64) {
        if volume <= 0.0 {
            return;
        }
        self.weight += volume;
        let distance = price - self.mean;
        let step = distance * volume / self.weight;
        self.mean += step;
        self.squares += (self.weight - volume) * distance * step;
    }

    #[inline]
    fn bands(&self, k: f64) -> Option<[f64; 3]> {
        if self.weight <= 0.0 {
            return None;
        }
        let away = k * (self.squares / self.weight).sqrt();
        Some([self.mean, self.mean + away, self.mean - away])
    }
}

state! {
    /// VWAP from an instant on, with bands of volume-weighted deviations.
    #[derive(Debug)]
    pub struct AnchoredVwap {
        anchor_ms: f64,
        k: f64,
        sums: Weighted,
    }
}

impl AnchoredVwap {
    /// From the first candle that opens at or after `anchor_ms`, ms since 1970; bands `k` deviations away.
    #[must_use]
    pub fn new(anchor_ms: f64, k: f64) -> Self {
        Self { anchor_ms, k, sums: Weighted::default() }
    }

    /// Adds a candle: VWAP, upper, lower.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<[f64; 3]> {
        if (bar.open_time_ms as f64) < self.anchor_ms {
            return None;
        }
        self.sums.add(bar.hlc3(), bar.volume);
        self.sums.bands(self.k)
    }
}

state! {
    /// VWAP of sessions of equal length, with bands.
    #[derive(Debug)]
    pub struct SessionVwapBands {
        length_ms: i64,
        session: Option<i64>,
        k: f64,
        sums: Weighted,
    }
}

impl SessionVwapBands {
    /// Sessions of `hours` from UTC midnight of 1970 on.
    #[must_use]
    pub fn new(hours: usize, k: f64) -> Self {
        let length_ms = 3_600_000 * i64::try_from(hours.max(1)).unwrap_or(i64::MAX / 3_600_000);
        Self { length_ms, session: None, k, sums: Weighted::default() }
    }

    /// Adds a candle: VWAP, upper, lower.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<[f64; 3]> {
        let session = bar.open_time_ms.div_euclid(self.length_ms);
        if self.session.replace(session) != Some(session) {
            self.sums = Weighted::default();
        }
        self.sums.add(bar.hlc3(), bar.volume);
        self.sums.bands(self.k)
    }
}

state! {
    /// VWAP of the last n candles, with bands.
    #[derive(Debug)]
    pub struct RollingVwap {
        prices: Ring,
        volumes: Ring,
        k: f64,
    }
}

impl RollingVwap {
    /// Over `n` candles, bands `k` deviations away.
    #[must_use]
    pub fn new(n: usize, k: f64) -> Self {
        Self { prices: Ring::new(n), volumes: Ring::new(n), k }
    }

    /// Adds a candle: VWAP, upper, lower; undefined while the window holds no volume.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<[f64; 3]> {
        self.prices.push(bar.hlc3());
        self.volumes.push(bar.volume);
        if !self.prices.is_full() {
            return None;
        }
        let mut sums = Weighted::default();
        for (price, volume) in self.prices.iter().zip(self.volumes.iter()) {
            sums.add(price, volume);
        }
        sums.bands(self.k)
    }
}

state! {
    /// Volume by price over the last n candles: the point of control and the value area.
    ///
    /// The range of the window is cut into equal bins, each candle's volume spread evenly over the bins
    /// that its range touches. The value area grows from the point of control to the heavier neighbour
    /// until it holds the share.
    #[derive(Debug)]
    pub struct VolumeProfile {
        highs: Ring,
        lows: Ring,
        volumes: Ring,
        bins: Box<[f64]>,
        share: f64,
    }
}

impl VolumeProfile {
    /// Over `n` candles in `bins` bins; the value area holds `share` of the volume.
    #[must_use]
    pub fn new(n: usize, bins: usize, share: f64) -> Self {
        Self {
            highs: Ring::new(n),
            lows: Ring::new(n),
            volumes: Ring::new(n),
            bins: vec![0.0; bins].into_boxed_slice(),
            share,
        }
    }

    /// Adds a candle: point of control (middle of its bin), value area high and low (edges of bins).
    /// Undefined while the window holds no volume.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<[f64; 3]> {
        self.highs.push(bar.high);
        self.lows.push(bar.low);
        self.volumes.push(bar.volume.max(0.0));
        if !self.highs.is_full() {
            return None;
        }
        let top = self.highs.held().iter().fold(f64::NEG_INFINITY, |top, x| top.max(*x));
        let bottom = self.lows.held().iter().fold(f64::INFINITY, |bottom, x| bottom.min(*x));
        let total: f64 = self.volumes.iter().sum();
        if total <= 0.0 {
            return None;
        }
        if top <= bottom {
            return Some([bottom, bottom, bottom]);
        }
        let count = self.bins.len();
        let width = (top - bottom) / count as f64;
        self.bins.fill(0.0);
        for ((high, low), volume) in self.highs.iter().zip(self.lows.iter()).zip(self.volumes.iter()) {
            let (from, to) =
                (bin(low.min(high), bottom, width, count), bin(high.max(low), bottom, width, count));
            for cell in &mut self.bins[from..=to] {
                *cell += volume / (to - from + 1) as f64;
            }
        }
        let control = (0..count).fold(0, |best, i| if self.bins[i] > self.bins[best] { i } else { best });
        let (mut from, mut to, mut held) = (control, control, self.bins[control]);
        while held < self.share * total && (from > 0 || to + 1 < count) {
            let below = if from > 0 { self.bins[from - 1] } else { -1.0 };
            let above = if to + 1 < count { self.bins[to + 1] } else { -1.0 };
            if above >= below {
                to += 1;
                held += above;
            } else {
                from -= 1;
                held += below;
            }
        }
        let edge = |i: usize| bottom + width * i as f64;
        Some([edge(control) + 0.5 * width, edge(to + 1), edge(from)])
    }
}

/// The bin of a price; prices on an edge belong to the bin above, the top one to the last.
#[inline]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 or more, and capped below")]
fn bin(price: f64, bottom: f64, width: f64, count: usize) -> usize {
    (((price - bottom) / width) as usize).min(count - 1)
}

indicators!(Bar: AnchoredVwap => 3, SessionVwapBands => 3, RollingVwap => 3, VolumeProfile => 3);

const BANDS: &[Output] = &[out(""), out("u"), out("l")];

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_candle(
        "vwap_anchored",
        "VWAP from an instant on, with bands",
        "Σ hlc3·volume/Σ volume since the first candle at or after `anchor_ms`; ± k volume-weighted deviations",
        &[real("anchor_ms", 0.0, 0.0, 1e15), real("k", 2.0, 0.0, 100.0)],
        |a, _| on_candle(AnchoredVwap::new(a.real(0), a.real(1))),
    )
    .outputs(BANDS),
    Entry::of_candle(
        "vwap_session",
        "VWAP of sessions, with bands",
        "Σ hlc3·volume/Σ volume since the session's start (sessions of `hours` from midnight UTC); ± k volume-weighted deviations",
        &[whole("hours", 24, 1, 8_760), real("k", 2.0, 0.0, 100.0)],
        |a, _| on_candle(SessionVwapBands::new(a.whole(0), a.real(1))),
    )
    .outputs(BANDS),
    Entry::of_candle(
        "vwap_rolling",
        "VWAP of the last n candles, with bands",
        "Σ hlc3·volume/Σ volume over n; ± k volume-weighted deviations; undefined without volume",
        &[length(20), real("k", 2.0, 0.0, 100.0)],
        |a, _| on_candle(RollingVwap::new(a.whole(0), a.real(1))),
    )
    .outputs(BANDS)
    .cost(Cost::Window),
    Entry::of_candle(
        "volume_profile",
        "Volume profile: point of control, value area high and low",
        "volume of n candles spread over the bins of their ranges; the area grows from the heaviest bin to the heavier neighbour until it holds `share`",
        &[length(100), whole("bins", 24, 1, 1_000), real("share", 0.7, 0.0, 1.0)],
        |a, _| on_candle(VolumeProfile::new(a.whole(0), a.whole(1), a.real(2))),
    )
    .outputs(&[out("poc"), out("vah"), out("val")])
    .cost(Cost::Window),
];
