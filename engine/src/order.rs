//! Orders and their states. Only a venue's answer ends an order: a time-out makes it unknown, and an unknown
//! order keeps reserving exposure until the venue has said what became of it.

mod kind;

pub use kind::{OrderKind, Terms};

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
    /// Something was sent, no answer in time: it may be open.
    Unknown = 4,
    /// Wholly filled.
    Filled = 5,
    /// Canceled, perhaps after partial fills.
    Canceled = 6,
    /// Never accepted by the venue.
    Rejected = 7,
    /// Ended by the venue: time in force, contract end.
    Expired = 8,
    /// A new price or quantity was sent, not answered; it can fill at the old and at the new ones.
    PendingAmend = 9,
}

impl OrderState {
    /// Every state, by its number.
    pub const ALL: [Self; 10] = [
        Self::PendingCreate,
        Self::Open,
        Self::PartiallyFilled,
        Self::PendingCancel,
        Self::Unknown,
        Self::Filled,
        Self::Canceled,
        Self::Rejected,
        Self::Expired,
        Self::PendingAmend,
    ];

    /// Whether nothing can happen to the order any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Filled | Self::Canceled | Self::Rejected | Self::Expired)
    }

    /// Whether the venue owes an answer.
    #[must_use]
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::PendingCreate | Self::PendingCancel | Self::PendingAmend)
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
            Self::PendingAmend => "pending-amend",
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
    /// The venue took it, or says that it has it.
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
    /// Answers about it may have been lost.
    InDoubt,
    /// Another price or whole quantity was sent; more than what has filled.
    AmendSent(Level),
    /// The venue amended it: the price and whole quantity that it has now.
    Amended(Level),
    /// The venue refused the amendment: the order is where it was.
    AmendRefused,
    /// A stop's trigger was met: it is a market or a limit order now. Where it stands stays as it was.
    Triggered,
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
    /// Limit price, zero where its kind has none, and whole quantity.
    pub level: Level,
    /// What an amendment that is not answered would make of `level`; zero quantity: there is none.
    pub amend: Level,
    /// How long, and whether it may take; `Ioc` of a market order and of a stop that becomes one.
    pub tif: Tif,
    /// What it does beside that.
    pub terms: Terms,
    /// Traded so far.
    pub filled: Qty,
    /// Where it stands.
    pub state: OrderState,
}

impl Order {
    /// A plain limit order that only ever rests, before it is sent.
    #[must_use]
    pub const fn new(
        seq: u64,
        instrument: InstrumentId,
        strategy: StrategyId,
        side: Side,
        level: Level,
    ) -> Self {
        Self {
            seq,
            instrument,
            strategy,
            account: AccountId(0),
            side,
            level,
            amend: Level { price: Price(0), qty: Qty(0) },
            tif: Tif::PostOnly,
            terms: Terms::LIMIT,
            filled: Qty(0),
            state: OrderState::PendingCreate,
        }
    }

    /// Limit price; zero where its kind has none.
    #[must_use]
    pub const fn price(&self) -> Price {
        self.level.price
    }

    /// Whether it stands in the book, or will with its acknowledgement: other orders can meet it there. A stop that
    /// waits for its trigger does not, nor does a market order.
    #[must_use]
    pub const fn is_in_book(&self) -> bool {
        matches!(self.terms.kind, OrderKind::Limit)
    }

    /// What can still trade, of the larger of old and new quantity while an amendment is not answered; zero once
    /// it has ended.
    #[must_use]
    pub const fn remaining(&self) -> Qty {
        if self.state.is_final() { Qty(0) } else { Qty(self.qty_max().0 - self.filled.0) }
    }

    /// The price and whole quantity that the order has when everything that was sent succeeds.
    #[must_use]
    pub const fn sent_level(&self) -> Level {
        if self.amend.qty.0 > 0 { self.amend } else { self.level }
    }

    /// The largest whole quantity that the venue may hold it at.
    const fn qty_max(&self) -> Qty {
        if self.amend.qty.0 > self.level.qty.0 { self.amend.qty } else { self.level.qty }
    }

    /// Where the order stands when nothing but an amendment may be unanswered.
    const fn resting(&self) -> OrderState {
        match (self.amend.qty.0 > 0, self.filled.0 > 0) {
            (true, _) => OrderState::PendingAmend,
            (false, true) => OrderState::PartiallyFilled,
            (false, false) => OrderState::Open,
        }
    }

    /// Moves the order on.
    /// Err: the event cannot happen in this state, or fills more than there was; the order is unchanged.
    pub fn apply(&mut self, event: OrderEvent) -> Result<(), BadTransition> {
        use OrderState::{
            Canceled, Expired, Filled, Open, PartiallyFilled, PendingAmend, PendingCancel, PendingCreate,
            Rejected, Unknown,
        };
        let bad = BadTransition { from: self.state, event };
        if self.state.is_final() {
            return Err(bad);
        }
        let amends = self.amend.qty.0 > 0;
        let mut next = *self;
        next.state = match (event, self.state) {
            (OrderEvent::Accepted, PendingCreate) => self.resting(),
            // Which of the two levels it has stays open.
            (OrderEvent::Accepted, Unknown) => {
                if amends {
                    Unknown
                } else {
                    self.resting()
                }
            }
            // An answer that a fill or our own request has overtaken says nothing new.
            (OrderEvent::Accepted, state @ (PartiallyFilled | PendingCancel | PendingAmend)) => state,
            (OrderEvent::Rejected, PendingCreate | Unknown | PendingCancel)
                if self.filled.0 == 0 && !amends =>
            {
                Rejected
            }
            (OrderEvent::CancelSent, PendingCreate | Open | PartiallyFilled | PendingAmend | Unknown) => {
                PendingCancel
            }
            (OrderEvent::CancelRefused, PendingCancel | Unknown) => self.resting(),
            (OrderEvent::Canceled, _) => Canceled,
            (OrderEvent::Expired, _) => Expired,
            (OrderEvent::TimedOut, PendingCreate | PendingCancel | PendingAmend) => Unknown,
            (OrderEvent::InDoubt, _) => Unknown,
            (OrderEvent::Triggered, PendingCreate) if self.terms.kind.is_stop() => {
                next.terms = self.terms.triggered();
                self.resting()
            }
            (OrderEvent::Triggered, state) if self.terms.kind.is_stop() => {
                next.terms = self.terms.triggered();
                state
            }
            (OrderEvent::AmendSent(level), Open | PartiallyFilled) if level.qty > self.filled => {
                next.amend = level;
                PendingAmend
            }
            (OrderEvent::Amended(level), state @ (PendingAmend | PendingCancel | Unknown))
                if amends && level.qty >= self.filled && level.qty.0 > 0 =>
            {
                (next.level, next.amend) = (level, Level::default());
                next.after_amendment(state)
            }
            (OrderEvent::AmendRefused, state @ (PendingAmend | PendingCancel | Unknown)) if amends => {
                next.amend = Level::default();
                next.after_amendment(state)
            }
            (OrderEvent::Filled(qty), state) => {
                next.filled = Qty(self.filled.0.saturating_add(qty.0));
                if qty.0 <= 0 || next.filled > self.qty_max() {
                    return Err(bad);
                }
                // A fill can overtake the news that it was triggered.
                next.terms = self.terms.triggered();
                if next.filled > self.level.qty {
                    // Only the amendment can have made room for it.
                    next.level = self.amend;
                }
                match state {
                    _ if next.filled == self.qty_max() => Filled,
                    PendingCreate | Open => PartiallyFilled,
                    // A request stays unanswered, an unknown order unknown.
                    state => state,
                }
            }
            _ => return Err(bad),
        };
        if next.state.is_final() {
            next.amend = Level::default();
        }
        *self = next;
        Ok(())
    }

    /// Where the order stands once an amendment is answered.
    fn after_amendment(&self, before: OrderState) -> OrderState {
        match before {
            _ if self.filled == self.level.qty => OrderState::Filled,
            OrderState::PendingCancel => OrderState::PendingCancel,
            _ => self.resting(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn level(price: i64, qty: i64) -> Level {
        Level { price: Price(price), qty: Qty(qty) }
    }

    fn order() -> Order {
        Order {
            seq: 1,
            instrument: InstrumentId(0),
            strategy: StrategyId(1),
            account: AccountId(0),
            side: Side::Buy,
            level: level(100, 10),
            amend: Level::default(),
            tif: Tif::PostOnly,
            terms: Terms::LIMIT,
            filled: Qty(0),
            state: OrderState::PendingCreate,
        }
    }

    fn after(events: &[OrderEvent]) -> Result<Order, BadTransition> {
        let mut order = order();
        events.iter().try_for_each(|event| order.apply(*event))?;
        Ok(order)
    }

    fn state_after(events: &[OrderEvent]) -> Result<OrderState, BadTransition> {
        after(events).map(|order| order.state)
    }

    #[test]
    fn the_ways_of_an_order() {
        use OrderEvent::{Accepted, CancelRefused, CancelSent, Canceled, Filled, Rejected, TimedOut};
        assert_eq!(state_after(&[Accepted]), Ok(OrderState::Open));
        assert_eq!(state_after(&[Rejected]), Ok(OrderState::Rejected));
        assert_eq!(state_after(&[Accepted, Filled(Qty(4))]), Ok(OrderState::PartiallyFilled));
        assert_eq!(
            state_after(&[Filled(Qty(4)), Accepted]),
            Ok(OrderState::PartiallyFilled),
            "a fill overtakes its ack"
        );
        assert_eq!(state_after(&[Accepted, CancelSent, Filled(Qty(10))]), Ok(OrderState::Filled));
        assert_eq!(
            state_after(&[Accepted, CancelSent, Filled(Qty(4)), CancelRefused]),
            Ok(OrderState::PartiallyFilled)
        );
        assert_eq!(state_after(&[Accepted, CancelSent, Canceled]), Ok(OrderState::Canceled));
        assert_eq!(state_after(&[TimedOut, Accepted]), Ok(OrderState::Open), "the venue had it after all");
        assert_eq!(state_after(&[Accepted, CancelSent, TimedOut, Canceled]), Ok(OrderState::Canceled));
        assert_eq!(state_after(&[Accepted, CancelSent, TimedOut, CancelRefused]), Ok(OrderState::Open));
    }

    #[test]
    fn the_ways_of_an_amendment() {
        use OrderEvent::{Accepted, AmendRefused, AmendSent, Amended, CancelSent, Filled, TimedOut};
        let (more, less) = (level(101, 15), level(99, 5));
        let amended = after(&[Accepted, AmendSent(more), Amended(more)]).unwrap();
        assert_eq!((amended.state, amended.level, amended.remaining()), (OrderState::Open, more, Qty(15)));
        let asked = after(&[Accepted, AmendSent(less)]).unwrap();
        assert_eq!(
            (asked.state, asked.level, asked.sent_level(), asked.remaining()),
            (OrderState::PendingAmend, level(100, 10), less, Qty(10)),
            "the larger of both is reserved until the answer"
        );
        let refused = after(&[Accepted, AmendSent(more), AmendRefused]).unwrap();
        assert_eq!((refused.state, refused.level), (OrderState::Open, level(100, 10)));
        let overtaken = after(&[Accepted, AmendSent(more), Filled(Qty(12))]).unwrap();
        assert_eq!((overtaken.state, overtaken.level), (OrderState::PendingAmend, more));
        assert_eq!(overtaken.remaining(), Qty(3));
        assert_eq!(
            state_after(&[Accepted, AmendSent(more), Filled(Qty(12)), Amended(more)]),
            Ok(OrderState::PartiallyFilled),
            "a fill of the new quantity overtakes the answer"
        );
        let tied = [Accepted, AmendSent(more), Filled(Qty(10))];
        assert_eq!(state_after(&tied), Ok(OrderState::PendingAmend), "there may be more");
        assert_eq!(state_after(&[&tied[..], &[AmendRefused]].concat()), Ok(OrderState::Filled));
        assert_eq!(state_after(&[&tied[..], &[Amended(more)]].concat()), Ok(OrderState::PartiallyFilled));
        assert_eq!(
            state_after(&[Accepted, AmendSent(less), Filled(Qty(5)), Amended(less)]),
            Ok(OrderState::Filled)
        );
        assert_eq!(
            state_after(&[Accepted, AmendSent(less), TimedOut, Accepted]),
            Ok(OrderState::Unknown),
            "it is there, and nobody says at which level"
        );
        assert_eq!(state_after(&[Accepted, AmendSent(less), TimedOut, Amended(less)]), Ok(OrderState::Open));
        assert_eq!(
            state_after(&[Accepted, AmendSent(less), CancelSent, Amended(less)]),
            Ok(OrderState::PendingCancel)
        );
    }

    #[test]
    fn a_trigger_makes_another_kind_of_a_stop_and_leaves_it_where_it_stands() {
        use OrderEvent::{Accepted, CancelSent, Canceled, Filled, InDoubt, Triggered};
        let run = |terms: Terms, events: &[OrderEvent]| {
            let mut order = Order { terms, ..order() };
            events.iter().try_for_each(|event| order.apply(*event))?;
            Ok::<_, BadTransition>((order.terms.kind, order.state, order.is_in_book()))
        };
        let (stop, limit) = (Terms::stop(Price(105)), Terms::stop_limit(Price(105)));
        assert_eq!(run(limit, &[Accepted]), Ok((OrderKind::StopLimit, OrderState::Open, false)));
        assert_eq!(run(limit, &[Accepted, Triggered]), Ok((OrderKind::Limit, OrderState::Open, true)));
        assert_eq!(run(stop, &[Accepted, Triggered]), Ok((OrderKind::Market, OrderState::Open, false)));
        assert_eq!(
            run(stop, &[Triggered]),
            Ok((OrderKind::Market, OrderState::Open, false)),
            "it overtakes the ack"
        );
        let pending = Ok((OrderKind::Limit, OrderState::PendingCancel, true));
        assert_eq!(run(limit, &[Accepted, CancelSent, Triggered]), pending);
        assert_eq!(
            run(stop, &[Accepted, InDoubt, Triggered]),
            Ok((OrderKind::Market, OrderState::Unknown, false))
        );
        let filled = Ok((OrderKind::Market, OrderState::Filled, false));
        assert_eq!(run(stop, &[Accepted, Filled(Qty(10))]), filled, "a fill overtakes the trigger");
        let mut kept = Order { terms: stop.reducing(), ..order() };
        kept.apply(Triggered).unwrap();
        assert_eq!(kept.terms, Terms { trigger: Price(105), ..Terms::MARKET.reducing() });
        for (terms, events) in [
            (Terms::LIMIT, &[Accepted, Triggered][..]),
            (Terms::MARKET, &[Triggered]),
            (stop, &[Triggered, Triggered]),
            (stop, &[Canceled, Triggered]),
        ] {
            assert!(run(terms, events).is_err(), "{terms:?} {events:?}");
        }
    }

    #[test]
    fn what_cannot_happen_is_refused_and_changes_nothing() {
        use OrderEvent::{
            Accepted, AmendRefused, AmendSent, Amended, CancelRefused, CancelSent, Canceled, Filled,
            Rejected, TimedOut,
        };
        for events in [
            &[Accepted, Rejected][..],
            &[Accepted, Accepted],
            &[Accepted, Filled(Qty(11))],
            &[Accepted, Filled(Qty(0))],
            &[Rejected, Filled(Qty(1))],
            &[Accepted, Canceled, CancelSent],
            &[Accepted, CancelRefused],
            &[Accepted, TimedOut],
            &[AmendSent(level(99, 5))],
            &[Accepted, AmendRefused],
            &[Accepted, Amended(level(99, 5))],
            &[Accepted, Filled(Qty(5)), AmendSent(level(99, 5))],
            &[Accepted, AmendSent(level(99, 5)), AmendSent(level(98, 5))],
            &[Accepted, AmendSent(level(99, 5)), Filled(Qty(6)), Amended(level(99, 5))],
            &[Accepted, AmendSent(level(99, 12)), Filled(Qty(13))],
        ] {
            assert!(after(events).is_err(), "{events:?}");
        }
        let mut filled = order();
        filled.apply(Filled(Qty(9))).unwrap();
        let before = filled;
        assert!(filled.apply(Filled(Qty(2))).is_err());
        assert_eq!(filled, before);
    }

    /// The whole machine as a table, written down apart from the code: states with an amendment in flight
    /// (`+`) and without, against events. `!` refused, `=` stays, `r` resting (open, or partially filled).
    /// The fill is one that leaves something of every quantity.
    const TABLE: &str = "
        state              accepted rejected cancel refused canceled fill     expired timeout amend amended unamended doubt
        pending-create     r        R        pc     !       C        pf       E       ?       !     !       !         ?
        open               !        !        pc     !       C        pf       E       !       pa    !       !         ?
        partially-filled   =        !        pc     !       C        =        E       !       pa    !       !         ?
        pending-cancel     =        R0       !      r       C        =        E       ?       !     !       !         ?
        pending-cancel+    =        !        !      pa      C        =        E       ?       !     =       =         ?
        pending-amend+     =        !        pc     !       C        =        E       ?       !     r       r         ?
        unknown            r        R0       pc     r       C        =        E       !       !     !       !         ?
        unknown+           =        !        pc     pa      C        =        E       !       !     r       r         ?
        filled             !        !        !      !       !        !        !       !       !     !       !         !
        canceled           !        !        !      !       !        !        !       !       !     !       !         !
        rejected           !        !        !      !       !        !        !       !       !     !       !         !
        expired            !        !        !      !       !        !        !       !       !     !       !         !
    ";

    /// What the table says of an order before an event; None: refused.
    fn by_table(order: &Order, event: &str, filled_after: bool) -> Option<OrderState> {
        let mut lines = TABLE.trim().lines();
        let columns: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
        let plus = if order.amend.qty.0 > 0 { "+" } else { "" };
        let row = format!("{}{plus}", order.state.name());
        let cells: Vec<&str> = lines
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .find(|cells| cells[0] == row)
            .unwrap();
        let resting = if filled_after { OrderState::PartiallyFilled } else { OrderState::Open };
        match cells[columns.iter().position(|column| *column == event).unwrap()] {
            "!" => None,
            "=" => Some(order.state),
            "r" => Some(resting),
            "R" => Some(OrderState::Rejected),
            "R0" => (!filled_after).then_some(OrderState::Rejected),
            "C" => Some(OrderState::Canceled),
            "E" => Some(OrderState::Expired),
            "?" => Some(OrderState::Unknown),
            "pc" => Some(OrderState::PendingCancel),
            "pa" => Some(OrderState::PendingAmend),
            "pf" => Some(OrderState::PartiallyFilled),
            other => panic!("{other}"),
        }
    }

    fn event(number: u8) -> (&'static str, OrderEvent) {
        match number {
            0 => ("accepted", OrderEvent::Accepted),
            1 => ("rejected", OrderEvent::Rejected),
            2 => ("cancel", OrderEvent::CancelSent),
            3 => ("refused", OrderEvent::CancelRefused),
            4 => ("canceled", OrderEvent::Canceled),
            5 => ("expired", OrderEvent::Expired),
            6 => ("timeout", OrderEvent::TimedOut),
            7 => ("amend", OrderEvent::AmendSent(level(101, 900))),
            8 => ("amended", OrderEvent::Amended(level(101, 900))),
            9 => ("unamended", OrderEvent::AmendRefused),
            10 => ("doubt", OrderEvent::InDoubt),
            _ => ("fill", OrderEvent::Filled(Qty(1))),
        }
    }

    /// Every event, with every level and fill that makes a difference to an order of four.
    fn all_events() -> Vec<(&'static str, OrderEvent)> {
        let plain = [0, 1, 2, 3, 4, 5, 6, 9].map(event);
        let levels = [1, 2, 3, 4, 6].map(|qty| level(101, qty));
        let amends = levels.map(|level| ("amend", OrderEvent::AmendSent(level)));
        let amended = levels.map(|level| ("amended", OrderEvent::Amended(level)));
        let fills = (0..=7).map(|qty| ("fill", OrderEvent::Filled(Qty(qty))));
        plain.into_iter().chain(amends).chain(amended).chain(fills).collect()
    }

    /// What is to become of an order's state: the table's word, but for quantities that it does not know of.
    fn expected(order: &Order, name: &str, event: OrderEvent) -> Option<OrderState> {
        let most = order.level.qty.max(order.amend.qty);
        let filled = order.filled.0 + if let OrderEvent::Filled(qty) = event { qty.0 } else { 0 };
        let by_table = by_table(order, name, filled > 0)?;
        match event {
            OrderEvent::Filled(qty) if qty.0 == 0 || filled > most.0 => None,
            OrderEvent::Filled(_) if filled == most.0 => Some(OrderState::Filled),
            OrderEvent::AmendSent(level) if level.qty.0 <= filled => None,
            OrderEvent::Amended(level) if level.qty.0 < filled => None,
            OrderEvent::Amended(level) if level.qty.0 == filled => Some(OrderState::Filled),
            OrderEvent::AmendRefused if order.level.qty.0 == filled => Some(OrderState::Filled),
            _ => Some(by_table),
        }
    }

    #[test]
    fn every_event_in_every_state_that_an_order_can_reach_is_the_tables() {
        let mut reached = vec![Order { level: level(100, 4), ..order() }];
        let mut cells = std::collections::BTreeSet::new();
        let mut next = 0;
        while let Some(before) = reached.get(next).copied() {
            next += 1;
            for (name, event) in all_events() {
                let mut after = before;
                let applied = after.apply(event).ok().map(|()| after.state);
                assert_eq!(applied, expected(&before, name, event), "{event:?} in {before:?}");
                cells.insert((before.state.name(), before.amend.qty.0 > 0, name));
                if applied.is_none() {
                    assert_eq!(after, before, "{event:?} changed what it cannot");
                } else if !reached.contains(&after) {
                    reached.push(after);
                }
            }
        }
        // Twelve rows, eleven columns: none was left out.
        assert_eq!(cells.len(), 12 * 11, "{cells:?}");
        assert!(reached.len() > 100, "{}", reached.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Fills overtaking answers, fills during cancels and amendments, late answers and doubled ones: every
        /// step is the table's.
        #[test]
        fn every_transition_is_the_tables(events in proptest::collection::vec(0_u8..16, 0..60)) {
            let mut order = Order { level: level(100, 1000), ..order() };
            for number in events {
                let (name, event) = event(number);
                let filled_after = order.filled.0 > 0 || name == "fill";
                let expected = by_table(&order, name, filled_after);
                let before = order;
                prop_assert_eq!(order.apply(event).ok().map(|()| order.state), expected, "{} in {:?}", name, before);
                if expected.is_none() {
                    prop_assert_eq!(order, before);
                }
            }
        }

        #[test]
        fn fills_never_exceed_the_order_and_an_ended_order_stays_ended(
            events in proptest::collection::vec((0_u8..14, 1_i64..16), 0..40)
        ) {
            let mut order = order();
            for (number, qty) in events {
                let event = match event(number).1 {
                    OrderEvent::AmendSent(_) => OrderEvent::AmendSent(level(101, qty)),
                    OrderEvent::Amended(_) => OrderEvent::Amended(level(101, qty)),
                    OrderEvent::Filled(_) => OrderEvent::Filled(Qty(qty)),
                    event => event,
                };
                let before = order;
                if order.apply(event).is_err() || before.state.is_final() {
                    prop_assert_eq!(order, before);
                }
                prop_assert!(order.filled <= order.level.qty && order.remaining().0 >= 0);
                prop_assert!(order.filled >= before.filled && order.seq == before.seq);
                // What is reserved only ever shrinks by a fill, an answer or the end.
                let sent = matches!(event, OrderEvent::CancelSent | OrderEvent::TimedOut | OrderEvent::InDoubt | OrderEvent::AmendSent(_));
                prop_assert!(!sent || order.remaining() >= before.remaining());
                if order.state == OrderState::Filled {
                    prop_assert_eq!(order.filled, order.level.qty);
                }
                prop_assert!(order.state.is_final() || order.remaining().0 > 0);
            }
        }
    }
}
