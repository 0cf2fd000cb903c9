//! Who wants what: features get their slots at start, from what strategies declare, instrument by instrument.

use super::feature::Feature;
use engine::ids::InstrumentId;
use engine::instrument::Instrument;
use engine::message::Features;
use std::fmt;

/// The subscriptions of a run.
#[derive(Clone, Debug)]
pub struct Subscriptions {
    of: Vec<Subscription>,
    window_trades_max: usize,
}

/// What is computed for one instrument.
#[derive(Clone, Debug, Default)]
pub(super) struct Subscription {
    /// By slot.
    pub(super) features: Vec<Feature>,
    /// Slots that are sent to strategies; the others are computed for taps alone.
    pub(super) sent: u64,
}

impl Default for Subscriptions {
    fn default() -> Self {
        Self { of: Vec::new(), window_trades_max: WINDOW_TRADES_MAX }
    }
}

/// Trades that a window of time holds unless it is told otherwise: 6,500 a second in one of ten seconds. A window
/// with more has no value until it is over, and the trades are counted. 16 bytes each.
pub const WINDOW_TRADES_MAX: usize = 1 << 16;

impl Subscriptions {
    /// Nothing is wanted yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Windows of time hold this many trades; at least 1.
    #[must_use]
    pub fn window_trades_max(self, trades: usize) -> Self {
        Self { window_trades_max: trades.max(1), ..self }
    }

    /// A strategy wants these features of an instrument; answers their slots in the same order. A feature that
    /// was declared before, by whomever, keeps its slot.
    /// Err: a name that is none; a bucket that is no whole number of quantity units; too many features.
    pub fn declare<T: AsRef<str>>(
        &mut self,
        instrument: &Instrument,
        names: impl IntoIterator<Item = T>,
    ) -> Result<Vec<usize>, SubscribeError> {
        self.add(instrument, names, true)
    }

    /// As [`Self::declare`] for a tap: computed, and not sent to strategies. Declare what strategies want first:
    /// their slots are then the same with and without taps.
    pub fn watch<T: AsRef<str>>(
        &mut self,
        instrument: &Instrument,
        names: impl IntoIterator<Item = T>,
    ) -> Result<Vec<usize>, SubscribeError> {
        self.add(instrument, names, false)
    }

    fn add<T: AsRef<str>>(
        &mut self,
        instrument: &Instrument,
        names: impl IntoIterator<Item = T>,
        sent: bool,
    ) -> Result<Vec<usize>, SubscribeError> {
        let index = instrument.id.index();
        if self.of.len() <= index {
            self.of.resize_with(index + 1, Subscription::default);
        }
        let Some(of) = self.of.get_mut(index) else { return Ok(Vec::new()) };
        names.into_iter().map(|name| of.slot(instrument, name.as_ref(), sent)).collect()
    }

    /// What is wanted of an instrument. None: nothing.
    pub(super) fn of(&self, instrument: InstrumentId) -> Option<&Subscription> {
        self.of.get(instrument.index()).filter(|of| !of.features.is_empty())
    }

    pub(super) fn trades_max(&self) -> usize {
        self.window_trades_max
    }
}

impl Subscription {
    fn slot(&mut self, instrument: &Instrument, name: &str, sent: bool) -> Result<usize, SubscribeError> {
        let fail = |what: String| SubscribeError { instrument: instrument.full_name(), what };
        let feature = Feature::parse(name).map_err(|error| fail(error.to_string()))?;
        if let Feature::Vpin(buckets) | Feature::VpinBuckets(buckets) = feature
            && Feature::bucket_units(buckets, instrument).is_none()
        {
            let unit = instrument.qty_unit;
            return Err(fail(format!("`{name}`: the bucket's volume must be a whole number of {unit}")));
        }
        let known = self.features.iter().position(|known| known.is_same(&feature));
        let slot = known.unwrap_or(self.features.len());
        if slot >= Features::SLOTS_MAX {
            return Err(fail(format!(
                "`{name}`: an instrument has at most {} features",
                Features::SLOTS_MAX
            )));
        }
        if known.is_none() {
            if let Some(frame) = feature.frame()
                && !self.features.iter().any(|other| other.frame() == Some(frame))
                && self.frames() == FRAMES_MAX
            {
                return Err(fail(format!("`{name}`: an instrument has at most {FRAMES_MAX} time frames")));
            }
            self.features.push(feature);
        }
        self.sent |= u64::from(sent) << slot;
        Ok(slot)
    }

    /// Different time frames in use.
    fn frames(&self) -> usize {
        let frames: std::collections::HashSet<_> = self.features.iter().filter_map(Feature::frame).collect();
        frames.len()
    }
}

/// Time frames of one instrument: a trade can close a candle of each, and the ring behind the stage must hold them.
pub const FRAMES_MAX: usize = 8;

/// A subscription that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeError {
    instrument: String,
    what: String,
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.instrument, self.what)
    }
}

impl std::error::Error for SubscribeError {}

#[cfg(test)]
mod tests {
    use super::super::tests::instrument;
    use super::*;

    #[test]
    fn slots_follow_the_declarations_and_the_same_feature_has_one() {
        let mut all = Subscriptions::new();
        let of = instrument();
        assert_eq!(all.declare(&of, ["spread", "rsi(14)@1m", "spread"]).unwrap(), [0, 1, 0]);
        assert_eq!(all.watch(&of, ["mid", "rsi_14@60s", "taker_buy(10s)"]).unwrap(), [2, 1, 3]);
        assert_eq!(all.declare(&of, ["taker_buy(10s)"]).unwrap(), [3]);
        assert_eq!(all.of(of.id).unwrap().sent, 0b1011);
        assert!(all.of(InstrumentId(7)).is_none());
    }

    #[test]
    fn what_cannot_be_had_is_said_with_its_instrument() {
        let mut all = Subscriptions::new();
        let of = instrument();
        let mut error = |name: &str| all.declare(&of, [name]).unwrap_err().to_string();
        assert!(error("sprad").starts_with("test:BTCUSDT: `sprad`"), "{}", error("sprad"));
        assert!(error("vpin(20,0.0001)").ends_with("a whole number of 0.001"));
        for n in 1..=60 {
            all.declare(&of, [format!("taker_buy({n}s)")]).unwrap();
        }
        let frames: Vec<String> = (1..=9).map(|n| format!("candle({n}m)")).collect();
        assert!(all.clone().declare(&of, &frames[..4]).is_ok());
        assert!(all.clone().declare(&of, &frames[..5]).unwrap_err().to_string().contains("at most 64"));
        let mut few = Subscriptions::new();
        few.declare(&of, &frames[..8]).unwrap();
        few.declare(&of, ["rsi_14@8m"]).unwrap();
        assert!(few.declare(&of, &frames).unwrap_err().to_string().contains("at most 8 time frames"));
    }
}
