//! What an order does beside side, price, quantity and time in force.

use crate::num::Price;

/// What an order does beside its price and quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OrderKind {
    /// Trades at its price or better.
    Limit = 0,
    /// Takes at any price; what it does not find at once is canceled.
    Market = 1,
    /// Waits for its trigger and is a market order from then on.
    Stop = 2,
    /// Waits for its trigger and is a limit order from then on.
    StopLimit = 3,
}

impl OrderKind {
    /// Every kind, by its number.
    pub const ALL: [Self; 4] = [Self::Limit, Self::Market, Self::Stop, Self::StopLimit];

    /// The kind of a stored number. None: written by a later version.
    #[must_use]
    pub fn from_u8(value: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == value)
    }

    /// Whether it waits for a trigger.
    #[must_use]
    pub const fn is_stop(self) -> bool {
        matches!(self, Self::Stop | Self::StopLimit)
    }

    /// Whether it has a limit price, now or once it is triggered.
    #[must_use]
    pub const fn has_limit(self) -> bool {
        matches!(self, Self::Limit | Self::StopLimit)
    }

    /// For people and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Market => "market",
            Self::Stop => "stop",
            Self::StopLimit => "stop-limit",
        }
    }
}

/// The terms of an order beside side, price, quantity and time in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Terms {
    /// What it does now: a stop that was triggered is a market or a limit order.
    pub kind: OrderKind,
    /// The price that triggers it: a buy at or above, a sell at or below. Zero: it was never a stop.
    pub trigger: Price,
    /// It only ever reduces the position.
    pub reduce_only: bool,
}

impl Terms {
    /// A plain limit order.
    pub const LIMIT: Self = Self { kind: OrderKind::Limit, trigger: Price(0), reduce_only: false };
    /// A plain market order.
    pub const MARKET: Self = Self { kind: OrderKind::Market, ..Self::LIMIT };

    /// A stop that becomes a market order.
    #[must_use]
    pub const fn stop(trigger: Price) -> Self {
        Self { kind: OrderKind::Stop, trigger, ..Self::LIMIT }
    }

    /// A stop that becomes a limit order.
    #[must_use]
    pub const fn stop_limit(trigger: Price) -> Self {
        Self { kind: OrderKind::StopLimit, trigger, ..Self::LIMIT }
    }

    /// The same, but reducing only.
    #[must_use]
    pub const fn reducing(self) -> Self {
        Self { reduce_only: true, ..self }
    }

    /// What it is once its trigger is met.
    pub(super) const fn triggered(self) -> Self {
        let kind = match self.kind {
            OrderKind::Stop => OrderKind::Market,
            OrderKind::StopLimit => OrderKind::Limit,
            kind => kind,
        };
        Self { kind, ..self }
    }
}
