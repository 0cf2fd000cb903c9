//! How a counter describes itself.

use super::CountersError;
use super::layout;

/// What a counter is, for people and exporters. Made by one constructor a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Desc<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    pub(super) unit: Unit,
    pub(super) help: &'a str,
    pub(super) reasons: &'a [&'a str],
    pub(super) strategy: &'a str,
    pub(super) instrument: &'a str,
}

impl<'a> Desc<'a> {
    /// A number that only grows: `frames`. Names are `a-z`, `0-9` and `_`; `help` is one sentence.
    #[must_use]
    pub const fn counter(name: &'a str, unit: Unit, help: &'a str) -> Self {
        Self { name, kind: Kind::Counter, unit, help, reasons: &[], strategy: "", instrument: "" }
    }

    /// A number that moves both ways and may be negative: `position`.
    #[must_use]
    pub const fn gauge(name: &'a str, unit: Unit, help: &'a str) -> Self {
        Self { kind: Kind::Gauge, ..Self::counter(name, unit, help) }
    }

    /// The largest value seen: `turn_max`.
    #[must_use]
    pub const fn max(name: &'a str, unit: Unit, help: &'a str) -> Self {
        Self { kind: Kind::Max, ..Self::counter(name, unit, help) }
    }

    /// The one reason that holds now: the value is an index into `reasons`. By custom reason 0 is that all is
    /// well.
    #[must_use]
    pub const fn reason(name: &'a str, help: &'a str, reasons: &'a [&'a str]) -> Self {
        Self { kind: Kind::Reason, reasons, ..Self::counter(name, Unit::Count, help) }
    }

    /// The UTC time at which the owning thread last said that it turns.
    #[must_use]
    pub const fn heartbeat() -> Self {
        let help = "When the thread last said that it turns";
        Self { kind: Kind::Heartbeat, ..Self::counter("heartbeat", Unit::UtcNanos, help) }
    }

    /// A latency histogram, ns: see [`crate::histogram`]. Takes the room of 209 counters.
    #[must_use]
    pub const fn histogram(name: &'a str, help: &'a str) -> Self {
        Self { kind: Kind::Histogram, ..Self::counter(name, Unit::Nanos, help) }
    }

    /// Labels it as one strategy's.
    #[must_use]
    pub const fn of_strategy(self, strategy: &'a str) -> Self {
        Self { strategy, ..self }
    }

    /// Labels it as one instrument's.
    #[must_use]
    pub const fn on_instrument(self, instrument: &'a str) -> Self {
        Self { instrument, ..self }
    }

    pub(super) fn check(&self, owner: &str) -> Result<(), CountersError> {
        let texts = [owner, self.help, self.strategy, self.instrument];
        let refused = if !layout::is_name(self.name) {
            Some(self.name)
        } else if owner.is_empty() {
            Some(owner)
        } else {
            texts.into_iter().chain(self.reasons.iter().copied()).find(|text| !layout::is_plain(text))
        };
        match refused {
            Some(text) => Err(CountersError::Text { text: text.to_owned() }),
            None if self.kind == Kind::Reason && self.reasons.is_empty() => {
                Err(CountersError::NoReasons { name: self.full_name() })
            }
            None => Ok(()),
        }
    }

    /// Words that the value takes.
    pub(super) const fn words(&self) -> u32 {
        match self.kind {
            Kind::Histogram => layout::HISTOGRAM_WORDS,
            _ => 1,
        }
    }

    pub(super) fn full_name(&self) -> String {
        [self.name, self.strategy, self.instrument].join(" ").trim_end().to_owned()
    }
}

/// How a value behaves, and how to read its 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Kind {
    /// Only grows within a run.
    Counter = 1,
    /// Moves both ways; two's complement.
    Gauge = 2,
    /// The largest value seen.
    Max = 3,
    /// Index into the counter's reasons.
    Reason = 4,
    /// A gauge of UTC ns that tells whether the owning thread still turns.
    Heartbeat = 5,
    /// Counts by bucket of [`crate::histogram`], then the largest value.
    Histogram = 6,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Counter, Self::Gauge, Self::Max, Self::Reason, Self::Heartbeat, Self::Histogram];

    /// The kind's name on screens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Max => "max",
            Self::Reason => "reason",
            Self::Heartbeat => "heartbeat",
            Self::Histogram => "histogram",
        }
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Unit {
    /// Things.
    Count = 1,
    /// A length of time, ns.
    Nanos = 2,
    /// An instant, ns since 1970 UTC.
    UtcNanos = 3,
    /// Memory or file size.
    Bytes = 4,
    /// A share, parts per million.
    Ppm = 5,
    /// A price, ticks of the instrument.
    Ticks = 6,
    /// A quantity, quantity units of the instrument.
    Quantity = 7,
}

impl Unit {
    /// Every unit.
    pub const ALL: [Self; 7] =
        [Self::Count, Self::Nanos, Self::UtcNanos, Self::Bytes, Self::Ppm, Self::Ticks, Self::Quantity];

    /// The unit's name on screens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Nanos => "ns",
            Self::UtcNanos => "utc_ns",
            Self::Bytes => "bytes",
            Self::Ppm => "ppm",
            Self::Ticks => "ticks",
            Self::Quantity => "quantity",
        }
    }
}
