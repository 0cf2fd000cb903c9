//! Features by name: `spread`, `imbalance(5)`, `vpin(20,10)`, `candle(1s)`, `rsi(14)@1m`.
//!
//! ```text
//! feature  = name [ "(" parameter { "," parameter } ")" ]
//!          | column "@" time frame                         of closed candles
//! column   = open | high | low | close | volume | hl2 | ... | an indicator of the registry
//! ```
//! What the book and the trades say is in the instrument's own counts: prices in ticks, quantities in quantity
//! units. What candles say is in market units, as in a candle file, so that research and trading see one number.

use crate::candles::TimeFrame;
use crate::indicators::{Field, NameError, Request, entry, nearest};
use engine::book_stage::TOP_SLOTS;
use engine::instrument::Instrument;
use engine::num::Decimal;
use engine::time::Nanos;
use std::ops::RangeInclusive;

/// Something that a strategy can subscribe to.
#[derive(Clone, Debug)]
pub enum Feature {
    /// Ask less bid of the book, ticks.
    Spread,
    /// Middle of the book, ticks.
    Mid,
    /// The book's best prices weighted by the quantities of the other side, ticks.
    MicroPrice,
    /// As `Spread`, of the touch: the newer of book and best-quote ticker.
    TouchSpread,
    /// As `Mid`, of the touch.
    TouchMid,
    /// As `MicroPrice`, of the touch.
    TouchMicroPrice,
    /// Imbalance of the best `levels` levels, -1..=1.
    Imbalance {
        /// 1..=10.
        levels: usize,
    },
    /// Imbalance of the best 10 levels, level i weighing `decay`^i.
    DecayedImbalance {
        /// Above 0, at most 1.
        decay: f64,
    },
    /// Quantity that takers bought in the window of receive time, quantity units.
    TakerBuy {
        /// 1 ms to 24 h.
        window: Nanos,
    },
    /// Quantity that takers sold, likewise.
    TakerSell {
        /// 1 ms to 24 h.
        window: Nanos,
    },
    /// (bought - sold)/(bought + sold) in the window.
    TradeFlowImbalance {
        /// 1 ms to 24 h.
        window: Nanos,
    },
    /// Mean of |buy - sell|/volume over the last full buckets.
    Vpin(VpinBuckets),
    /// Buckets of the same filled since the start.
    VpinBuckets(VpinBuckets),
    /// The square root of the sum of squared log returns of the mid sampled at whole seconds.
    RealisedVol {
        /// Seconds, 1..=3600.
        returns: usize,
    },
    /// Exponential mean by time of the touch's squared log returns, per √second.
    InstantVol {
        /// 1 ms to 24 h.
        half_life: Nanos,
    },
    /// Order-flow imbalance of the touch in the window (Cont, Kukanov, Stoikov), quantity units.
    OrderFlow {
        /// 1 ms to 24 h; it leaves in tenths.
        window: Nanos,
    },
    /// Exponential mean by time of the touch's imbalance.
    QueueImbalance {
        /// 1 ms to 24 h.
        half_life: Nanos,
    },
    /// Exponential mean by time of the touch's spread, ticks.
    SpreadMean {
        /// 1 ms to 24 h.
        half_life: Nanos,
    },
    /// Roll's implied spread over the last trades, ticks.
    RollSpread {
        /// 2..=1000.
        trades: usize,
    },
    /// The close of the last closed candle; the candles themselves are sent as they close.
    Candle {
        /// Its interval.
        frame: TimeFrame,
    },
    /// A column over closed candles.
    Column {
        /// Their interval.
        frame: TimeFrame,
        /// What of them.
        column: Column,
    },
}

/// Which buckets of volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VpinBuckets {
    /// Full buckets that the mean is over, 1..=10,000.
    pub count: usize,
    /// Volume of one, in the venue's unit of quantity; above 0. Without trailing zeros.
    pub volume: Decimal,
}

/// A number that each closed candle gives.
#[derive(Clone, Debug)]
pub enum Column {
    /// One that the candle itself holds.
    Field(Field),
    /// An indicator of the registry.
    Indicator(Request),
}

impl Feature {
    /// Reads a name. Err: what is wrong with it, and the nearest that would be right.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match text.rsplit_once('@') {
            Some((column, frame)) => column_over(text, column, frame),
            None => event_feature(text),
        }
    }

    /// The bucket's volume in the instrument's quantity units. None: not a whole number of them.
    pub(super) fn bucket_units(buckets: VpinBuckets, instrument: &Instrument) -> Option<i64> {
        let unit = instrument.qty_unit;
        let scaled = buckets.volume.rescaled(unit.exponent()).ok()?;
        let mantissa = i128::from(unit.mantissa());
        (scaled % mantissa == 0).then(|| i64::try_from(scaled / mantissa).ok())?.filter(|units| *units > 0)
    }

    /// Do both name the same feature?
    pub(super) fn is_same(&self, other: &Self) -> bool {
        use Feature::{
            Candle, Column, DecayedImbalance, Imbalance, InstantVol, OrderFlow, QueueImbalance, RealisedVol,
            RollSpread, SpreadMean, TakerBuy, TakerSell, TradeFlowImbalance, Vpin, VpinBuckets,
        };
        match (self, other) {
            (Imbalance { levels: a }, Imbalance { levels: b })
            | (RealisedVol { returns: a }, RealisedVol { returns: b })
            | (RollSpread { trades: a }, RollSpread { trades: b }) => a == b,
            (DecayedImbalance { decay: a }, DecayedImbalance { decay: b }) => a.to_bits() == b.to_bits(),
            (TakerBuy { window: a }, TakerBuy { window: b })
            | (TakerSell { window: a }, TakerSell { window: b })
            | (TradeFlowImbalance { window: a }, TradeFlowImbalance { window: b })
            | (OrderFlow { window: a }, OrderFlow { window: b })
            | (InstantVol { half_life: a }, InstantVol { half_life: b })
            | (QueueImbalance { half_life: a }, QueueImbalance { half_life: b })
            | (SpreadMean { half_life: a }, SpreadMean { half_life: b }) => a == b,
            (Vpin(a), Vpin(b)) | (VpinBuckets(a), VpinBuckets(b)) => a == b,
            (Candle { frame: a }, Candle { frame: b }) => a == b,
            (Column { frame: a, column: x }, Column { frame: b, column: y }) => a == b && x.is_same(y),
            _ => std::mem::discriminant(self) == std::mem::discriminant(other) && self.has_no_parameter(),
        }
    }

    /// The time frame whose candles it needs.
    pub(super) const fn frame(&self) -> Option<TimeFrame> {
        match self {
            Self::Candle { frame } | Self::Column { frame, .. } => Some(*frame),
            _ => None,
        }
    }

    const fn has_no_parameter(&self) -> bool {
        matches!(
            self,
            Self::Spread
                | Self::Mid
                | Self::MicroPrice
                | Self::TouchSpread
                | Self::TouchMid
                | Self::TouchMicroPrice
        )
    }
}

impl Column {
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Field(a), Self::Field(b)) => a == b,
            (Self::Indicator(a), Self::Indicator(b)) => a.output() == b.output() && a.shares_study_with(b),
            _ => false,
        }
    }
}

/// Every name with its parameters, for errors and for people; columns over candles come on top.
pub const FEATURES: &[(&str, &str)] = &[
    ("spread", ""),
    ("mid", ""),
    ("micro_price", ""),
    ("touch_spread", ""),
    ("touch_mid", ""),
    ("touch_micro_price", ""),
    ("imbalance", "levels 1..=10"),
    ("decayed_imbalance", "decay, above 0, at most 1"),
    ("taker_buy", "window, as in 10s"),
    ("taker_sell", "window, as in 10s"),
    ("trade_flow_imbalance", "window, as in 10s"),
    ("vpin", "buckets 1..=10000, volume of one"),
    ("vpin_buckets", "buckets 1..=10000, volume of one"),
    ("realised_vol", "window in whole seconds, 1s..=1h"),
    ("instant_vol", "half-life, as in 5s"),
    ("order_flow", "window, as in 1s"),
    ("queue_imbalance", "half-life, as in 1s"),
    ("spread_mean", "half-life, as in 60s"),
    ("roll_spread", "trades 2..=1000"),
    ("candle", "time frame, as in 1m"),
];

fn event_feature(text: &str) -> Result<Feature, NameError> {
    let (name, inside) = match text.split_once('(') {
        None => (text, None),
        Some((name, rest)) => match rest.strip_suffix(')') {
            Some(inside) if !inside.contains(['(', ')']) => (name, Some(inside)),
            _ => return Err(NameError::new(text, "parentheses do not match".into(), None)),
        },
    };
    let Some((name, wanted)) = FEATURES.iter().find(|(known, _)| *known == name) else {
        return Err(unknown(text, name));
    };
    let given: Vec<&str> = inside.map_or_else(Vec::new, |inside| inside.split(',').map(str::trim).collect());
    let parameters = Parameters { text, name, wanted, given };
    parameters.count(match *name {
        "vpin" | "vpin_buckets" => 2,
        _ if wanted.is_empty() => 0,
        _ => 1,
    })?;
    Ok(match *name {
        "spread" => Feature::Spread,
        "mid" => Feature::Mid,
        "micro_price" => Feature::MicroPrice,
        "touch_spread" => Feature::TouchSpread,
        "touch_mid" => Feature::TouchMid,
        "touch_micro_price" => Feature::TouchMicroPrice,
        "imbalance" => Feature::Imbalance { levels: parameters.whole(0, 1..=TOP_SLOTS)? },
        "decayed_imbalance" => Feature::DecayedImbalance { decay: parameters.decay(0)? },
        "taker_buy" => Feature::TakerBuy { window: parameters.length(0)? },
        "taker_sell" => Feature::TakerSell { window: parameters.length(0)? },
        "trade_flow_imbalance" => Feature::TradeFlowImbalance { window: parameters.length(0)? },
        "vpin" => Feature::Vpin(parameters.buckets()?),
        "vpin_buckets" => Feature::VpinBuckets(parameters.buckets()?),
        "realised_vol" => Feature::RealisedVol { returns: parameters.seconds(0)? },
        "instant_vol" => Feature::InstantVol { half_life: parameters.length(0)? },
        "order_flow" => Feature::OrderFlow { window: parameters.length(0)? },
        "queue_imbalance" => Feature::QueueImbalance { half_life: parameters.length(0)? },
        "spread_mean" => Feature::SpreadMean { half_life: parameters.length(0)? },
        "roll_spread" => Feature::RollSpread { trades: parameters.whole(0, 2..=1_000)? },
        _ => Feature::Candle { frame: parameters.frame(0)? },
    })
}

fn unknown(text: &str, name: &str) -> NameError {
    let is_column = Field::named(name).is_some() || entry(name).is_some() || Request::parse(name).is_ok();
    if is_column {
        let what = format!("it is computed over candles and needs a time frame, as in `{text}@1m`");
        return NameError::new(text, what, None);
    }
    let near = nearest(name, FEATURES.iter().map(|(known, _)| *known));
    NameError::new(text, "there is no such feature".into(), near)
}

/// The parameters that a name was given.
struct Parameters<'a> {
    text: &'a str,
    name: &'static str,
    /// What they must be, for people.
    wanted: &'static str,
    given: Vec<&'a str>,
}

impl Parameters<'_> {
    fn wrong(&self) -> NameError {
        let what = if self.wanted.is_empty() {
            format!("`{}` takes no parameters", self.name)
        } else {
            format!("`{}` takes {}", self.name, self.wanted)
        };
        NameError::new(self.text, what, None)
    }

    fn count(&self, wanted: usize) -> Result<(), NameError> {
        if self.given.len() == wanted { Ok(()) } else { Err(self.wrong()) }
    }

    fn get(&self, index: usize) -> &str {
        self.given.get(index).copied().unwrap_or("")
    }

    fn whole(&self, index: usize, range: RangeInclusive<usize>) -> Result<usize, NameError> {
        self.get(index).parse().ok().filter(|n| range.contains(n)).ok_or_else(|| self.wrong())
    }

    fn decay(&self, index: usize) -> Result<f64, NameError> {
        self.get(index).parse().ok().filter(|x| *x > 0.0 && *x <= 1.0).ok_or_else(|| self.wrong())
    }

    fn length(&self, index: usize) -> Result<Nanos, NameError> {
        let within = |length: &Nanos| (1_000_000..=24 * Nanos::HOUR.0).contains(&length.0);
        duration(self.get(index)).filter(within).ok_or_else(|| self.wrong())
    }

    fn seconds(&self, index: usize) -> Result<usize, NameError> {
        let length = self.length(index)?;
        let seconds = usize::try_from(length.0 / Nanos::SECOND.0).unwrap_or(usize::MAX);
        let is_whole = length.0.is_multiple_of(Nanos::SECOND.0) && (1..=3_600).contains(&seconds);
        if is_whole { Ok(seconds) } else { Err(self.wrong()) }
    }

    fn buckets(&self) -> Result<VpinBuckets, NameError> {
        let count = self.whole(0, 1..=10_000)?;
        let volume = Decimal::parse(self.get(1)).ok().filter(|volume| volume.mantissa > 0);
        let mut volume = volume.ok_or_else(|| self.wrong())?;
        while volume.exponent > 0 && volume.mantissa % 10 == 0 {
            volume = Decimal { mantissa: volume.mantissa / 10, exponent: volume.exponent - 1, ..volume };
        }
        Ok(VpinBuckets { count, volume: Decimal { digits: 0, ..volume } })
    }

    fn frame(&self, index: usize) -> Result<TimeFrame, NameError> {
        frame_of(self.text, self.get(index))
    }
}

/// `500ms`, `10s`, `1m`, `2h`.
fn duration(text: &str) -> Option<Nanos> {
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = text.split_at(at);
    let unit_ns = match unit {
        "ms" => 1_000_000,
        "s" => Nanos::SECOND.0,
        "m" => 60 * Nanos::SECOND.0,
        "h" => Nanos::HOUR.0,
        _ => return None,
    };
    count.parse::<u64>().ok()?.checked_mul(unit_ns).map(Nanos)
}

fn frame_of(text: &str, frame: &str) -> Result<TimeFrame, NameError> {
    frame
        .parse()
        .map_err(|error: crate::candles::TimeFrameError| NameError::new(text, error.to_string(), None))
}

fn column_over(text: &str, column: &str, frame: &str) -> Result<Feature, NameError> {
    let frame = frame_of(text, frame)?;
    if let Some(field) = Field::named(column) {
        return Ok(Feature::Column { frame, column: Column::Field(field) });
    }
    let request = Request::parse(&short_name(column))?;
    if request.allocates_once() {
        let what = format!(
            "`{}` takes memory when its warm-up ends, which the signal stage must not",
            request.entry().name
        );
        return Err(NameError::new(text, what, None));
    }
    Ok(Feature::Column { frame, column: Column::Indicator(request) })
}

/// `macd(12,26,9).signal` as the registry spells it: `macd_12_26_9_signal`. Other texts as they are.
fn short_name(column: &str) -> String {
    let parts = column.split_once('(').and_then(|(name, rest)| {
        let (inside, tail) = rest.split_once(')')?;
        let are_numbers = inside.split(',').all(|part| part.trim().parse::<f64>().is_ok());
        let output = if tail.is_empty() { Some("") } else { tail.strip_prefix('.') };
        are_numbers.then_some((name, inside, output?))
    });
    let Some((name, inside, output)) = parts else { return column.to_owned() };
    let mut short = name.to_owned();
    for part in inside.split(',').map(str::trim).chain(Some(output).filter(|output| !output.is_empty())) {
        short.push('_');
        short.push_str(part);
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Feature::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn names_are_read_with_their_parameters() {
        assert!(matches!(Feature::parse("imbalance(5)"), Ok(Feature::Imbalance { levels: 5 })));
        assert!(matches!(
            Feature::parse("taker_buy(500ms)"),
            Ok(Feature::TakerBuy { window: Nanos(500_000_000) })
        ));
        assert!(matches!(Feature::parse("realised_vol(1m)"), Ok(Feature::RealisedVol { returns: 60 })));
        for (a, b) in [
            ("vpin(20,3)", "vpin( 20, 3.00)"),
            ("candle(60s)", "candle(1m)"),
            ("rsi(14)@1m", "rsi_14@1m"),
            ("macd(12,26,9).signal@1h", "macd_12_26_9_signal@60m"),
            ("ema_9(rsi_14)@1m", "ema_9(rsi_14)@1m"),
            ("high@1m", "high@1m"),
            ("spread", "spread"),
        ] {
            assert!(Feature::parse(a).unwrap().is_same(&Feature::parse(b).unwrap()), "{a} {b}");
        }
        for (a, b) in [
            ("imbalance(5)", "imbalance(6)"),
            ("candle(1m)", "close@1m"),
            ("spread", "mid"),
            ("rsi(14)@1m", "rsi(14)@2m"),
            ("macd_12_26_9@1m", "macd_12_26_9_signal@1m"),
            ("vpin(20,3)", "vpin_buckets(20,3)"),
        ] {
            assert!(!Feature::parse(a).unwrap().is_same(&Feature::parse(b).unwrap()), "{a} {b}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_what_would_be_right() {
        assert_eq!(error("sprad"), "`sprad`: there is no such feature; did you mean `spread`?");
        assert_eq!(error("imbalance(11)"), "`imbalance(11)`: `imbalance` takes levels 1..=10");
        assert_eq!(error("spread(1)"), "`spread(1)`: `spread` takes no parameters");
        assert!(error("rsi(14)").contains("as in `rsi(14)@1m`"), "{}", error("rsi(14)"));
        assert!(error("rsj(14)@1m").contains("did you mean `rsi`"), "{}", error("rsj(14)@1m"));
        assert!(error("candle(1x)").contains("a time frame is a count"));
        assert!(error("imbalance(5").contains("parentheses"));
        for text in [
            "",
            "imbalance",
            "imbalance(0)",
            "taker_buy(0s)",
            "taker_buy(10)",
            "taker_buy(25h)",
            "taker_buy(99999999999999999999s)",
            "realised_vol(1500ms)",
            "realised_vol(2h)",
            "vpin(20)",
            "vpin(0,3)",
            "vpin(20,0)",
            "vpin(20,-3)",
            "decayed_imbalance(nan)",
            "decayed_imbalance(0)",
            "rsi@",
            "@1m",
            "((@1m",
            "a)(@1m",
        ] {
            assert!(Feature::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_indicator_that_would_allocate_while_running_is_refused() {
        let refused = crate::indicators::catalogue()
            .map(|(_, entry)| entry.name)
            .find(|name| Request::parse(name).is_ok_and(|request| request.allocates_once()));
        let name = refused.expect("a wrapped function with memory");
        assert!(error(&format!("{name}@1m")).contains("takes memory"), "{name}");
    }
}
