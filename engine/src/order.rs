//! Orders and their states. Only a venue's answer ends an order: a time-out makes it unknown, and an unknown
//! order keeps reserving exposure until the venue has said what became of it.

use crate::ids::{AccountId, InstrumentId, StrategyId};
use crate::num::{Level, Price, Qty, Side};

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OrderState {
    /// Sent, not answered.
    PendingCreate = 0,
    /// Resting, nothing filled.
    Open = 1,
    /// Resting, partly filled.
    PartiallyFilled = 2,
    /// Cancel sent, not answered; it can still fill.
    PendingCancel = 3,
    /// Sent, no answer in time: it may be open.
    Unknown = 4,
    /// Wholly filled.
    Filled = 5,
    /// Canceled, perhaps after partial fills.
    Canceled = 6,
    /// Never accepted by the venue.
    Rejected = 7,
    /// Ended by the venue: time in force, contract end.
    Expired = 8,
}

impl OrderState {
    /// Every state, by its number.
    pub const ALL: [Self; 9] = [
        Self::PendingCreate,
        Self::Open,
        Self::PartiallyFilled,
        Self::PendingCancel,
        Self::Unknown,
        Self::Filled,
        Self::Canceled,
        Self::Rejected,
        Self::Expired,
    ];

    /// Whether nothing can happen to the order any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Filled | Self::Canceled | Self::Rejected | Self::Expired)
    }

    /// For people and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PendingCreate => "pending-create",
            Self::Open => "open",
            Self::PartiallyFilled => "partially-filled",
            Self::PendingCancel => "pending-cancel",
            Self::Unknown => "unknown",
            Self::Filled => "filled",
            Self::Canceled => "canceled",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }
}

/// How long an order may stay, and whether it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Tif {
    /// Until canceled.
    Gtc = 0,
    /// Takes what is there, the rest is canceled.
    Ioc = 1,
    /// All at once or nothing.
    Fok = 2,
    /// Until canceled, and rejected when it would take.
    PostOnly = 3,
}

impl Tif {
    /// Every kind, by its number.
    pub const ALL: [Self; 4] = [Self::Gtc, Self::Ioc, Self::Fok, Self::PostOnly];

    /// For people and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gtc => "GTC",
            Self::Ioc => "IOC",
            Self::Fok => "FOK",
            Self::PostOnly => "post-only",
        }
    }
}

/// What happens to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderEvent {
    /// The venue took it.
    Accepted,
    /// The venue refused it.
    Rejected,
    /// A cancel was sent.
    CancelSent,
    /// The venue refused the cancel: the order is where it was, or has ended and says so itself.
    CancelRefused,
    /// The venue canceled it.
    Canceled,
    /// So much of it traded.
    Filled(Qty),
    /// The venue ended it.
    Expired,
    /// An answer is overdue.
    TimedOut,
}

/// An event that an order in this state cannot have: our own mistake or the venue's; trading on it stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadTransition {
    /// Where the order stood.
    pub from: OrderState,
    /// What was to happen to it.
    pub event: OrderEvent,
}

/// One order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Sequence of its client order id; never used again.
    pub seq: u64,
    /// What it trades.
    pub instrument: InstrumentId,
    /// Whose it is.
    pub strategy: StrategyId,
    /// On which account.
    pub account: AccountId,
    /// Buys or sells.
    pub side: Side,
    /// Limit price and whole quantity.
    pub level: Level,
    /// How long, and whether it may take.
    pub tif: Tif,
    /// Traded so far.
    pub filled: Qty,
    /// Where it stands.
    pub state: OrderState,
}

impl Order {
    /// Limit price.
    #[must_use]
    pub const fn price(&self) -> Price {
        self.level.price
    }

    /// What can still trade; zero once it has ended.
    #[must_use]
    pub const fn remaining(&self) -> Qty {
        if self.state.is_final() { Qty(0) } else { Qty(self.level.qty.0 - self.filled.0) }
    }

    /// Moves the order on.
    /// Err: the event cannot happen in this state, or fills more than there was; the order is unchanged.
    pub fn apply(&mut self, event: OrderEvent) -> Result<(), BadTransition> {
        use OrderState::{
            Canceled, Expired, Filled, Open, PartiallyFilled, PendingCancel, PendingCreate, Rejected, Unknown,
        };
        let bad = BadTransition { from: self.state, event };
        if self.state.is_final() {
            return Err(bad);
        }
        let resting = if self.filled.0 > 0 { PartiallyFilled } else { Open };
        self.state = match (event, self.state) {
            (OrderEvent::Accepted, PendingCreate | Unknown) => resting,
            // An answer that a fill or our own cancel has overtaken says nothing new.
            (OrderEvent::Accepted, state @ (PartiallyFilled | PendingCancel)) => state,
            (OrderEvent::Rejected, PendingCreate | Unknown | PendingCancel) if self.filled.0 == 0 => Rejected,
            (OrderEvent::CancelSent, PendingCreate | Open | PartiallyFilled | Unknown) => PendingCancel,
            (OrderEvent::CancelRefused, PendingCancel) => resting,
            (OrderEvent::Canceled, _) => Canceled,
            (OrderEvent::Expired, _) => Expired,
            (OrderEvent::TimedOut, PendingCreate | PendingCancel) => Unknown,
            (OrderEvent::Filled(qty), state) => {
                let filled = Qty(self.filled.0.saturating_add(qty.0));
                if qty.0 <= 0 || filled > self.level.qty {
                    return Err(bad);
                }
                self.filled = filled;
                match state {
                    _ if filled == self.level.qty => Filled,
                    PendingCancel => PendingCancel,
                    _ => PartiallyFilled,
                }
            }
            _ => return Err(bad),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn order() -> Order {
        Order {
            seq: 1,
            instrument: InstrumentId(0),
            strategy: StrategyId(1),
            account: AccountId(0),
            side: Side::Buy,
            level: Level { price: Price(100), qty: Qty(10) },
            tif: Tif::PostOnly,
            filled: Qty(0),
            state: OrderState::PendingCreate,
        }
    }

    fn after(events: &[OrderEvent]) -> Result<OrderState, BadTransition> {
        let mut order = order();
        events.iter().try_for_each(|event| order.apply(*event))?;
        Ok(order.state)
    }

    #[test]
    fn the_ways_of_an_order() {
        use OrderEvent::{Accepted, CancelRefused, CancelSent, Canceled, Filled, Rejected, TimedOut};
        assert_eq!(after(&[Accepted]), Ok(OrderState::Open));
        assert_eq!(after(&[Rejected]), Ok(OrderState::Rejected));
        assert_eq!(after(&[Accepted, Filled(Qty(4))]), Ok(OrderState::PartiallyFilled));
        assert_eq!(
            after(&[Filled(Qty(4)), Accepted]),
            Ok(OrderState::PartiallyFilled),
            "a fill overtakes its ack"
        );
        assert_eq!(after(&[Accepted, CancelSent, Filled(Qty(10))]), Ok(OrderState::Filled));
        assert_eq!(
            after(&[Accepted, CancelSent, Filled(Qty(4)), CancelRefused]),
            Ok(OrderState::PartiallyFilled)
        );
        assert_eq!(after(&[Accepted, CancelSent, Canceled]), Ok(OrderState::Canceled));
        assert_eq!(after(&[TimedOut, Accepted]), Ok(OrderState::Open), "the venue had it after all");
        assert_eq!(after(&[Accepted, CancelSent, TimedOut, Canceled]), Ok(OrderState::Canceled));
    }

    #[test]
    fn what_cannot_happen_is_refused_and_changes_nothing() {
        use OrderEvent::{Accepted, CancelRefused, CancelSent, Canceled, Filled, Rejected, TimedOut};
        for events in [
            &[Accepted, Rejected][..],
            &[Accepted, Accepted],
            &[Accepted, Filled(Qty(11))],
            &[Accepted, Filled(Qty(0))],
            &[Rejected, Filled(Qty(1))],
            &[Accepted, Canceled, CancelSent],
            &[Accepted, CancelRefused],
            &[Accepted, TimedOut],
        ] {
            assert!(after(events).is_err(), "{events:?}");
        }
        let mut filled = order();
        filled.apply(Filled(Qty(9))).unwrap();
        let before = filled;
        assert!(filled.apply(Filled(Qty(2))).is_err());
        assert_eq!(filled, before);
    }

    proptest! {
        #[test]
        fn fills_never_exceed_the_order_and_an_ended_order_stays_ended(events in proptest::collection::vec(0_u8..8, 0..40)) {
            let mut order = order();
            for event in events {
                let event = match event {
                    0 => OrderEvent::Accepted,
                    1 => OrderEvent::Rejected,
                    2 => OrderEvent::CancelSent,
                    3 => OrderEvent::CancelRefused,
                    4 => OrderEvent::Canceled,
                    5 => OrderEvent::Filled(Qty(3)),
                    6 => OrderEvent::Expired,
                    _ => OrderEvent::TimedOut,
                };
                let before = order;
                if order.apply(event).is_err() {
                    prop_assert_eq!(order, before);
                }
                if before.state.is_final() {
                    prop_assert_eq!(order, before);
                }
                prop_assert!(order.filled <= order.level.qty && order.remaining().0 >= 0);
                prop_assert_eq!(order.state == OrderState::Filled, order.filled == order.level.qty);
            }
        }
    }
}
