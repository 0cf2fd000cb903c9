//! Several counterparties behind one gateway: spot and USD-M at once, or several accounts. Each instrument of the run
//! belongs to one lane; the order manager sees one counterparty.
//!
//! ```text
//! a request ─▶ the lane of its instrument
//! answers   ◀─ of all lanes, in the order of their times
//! account   ◀─ once every lane has answered: trading begins on all of them or on none
//! ```
//!
//! A lane that has reconnected puts every order in doubt, those of the other lanes too, because the manager asks about
//! all of them: a query more a lane, and never one too few.

use crate::client_order_id::ClientOrderId;
use crate::counterparty::{Account, Answer, Counterparty, Paid, Request};
use crate::paper::funding::FundingDue;
use engine::ids::InstrumentId;
use engine::message::Message;
use engine::num::{Level, Qty};
use engine::order::Order;
use engine::time::Nanos;
use std::fmt;

/// Counterparties side by side.
pub struct Lanes<X> {
    lanes: Vec<Lane<X>>,
    /// By instrument; none: nobody trades it.
    lane_of: Vec<Option<usize>>,
    /// Whose request was written last.
    written: Option<usize>,
    /// Every lane was asked for its account since the last one was handed out.
    is_asked: bool,
    /// The lane that is asked for it first: the one that could not be asked the last time.
    first_asked: usize,
    /// Of the answer handed out last.
    round_trip: Option<Nanos>,
}

struct Lane<X> {
    it: X,
    /// Its oldest answer, while another lane's is older.
    next: Option<(Nanos, Answer)>,
    /// Of its request, where it is known.
    round_trip: Option<Nanos>,
    /// What it answered to the last wish for accounts.
    account: Option<Account>,
}

/// Why there are no lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LanesError {
    /// No lane, or one without instruments.
    Empty,
    /// An instrument in two of them.
    Twice(InstrumentId),
}

impl fmt::Display for LanesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a lane without instruments, or no lane"),
            Self::Twice(instrument) => write!(f, "instrument {instrument} is in two lanes"),
        }
    }
}

impl std::error::Error for LanesError {}

impl<X> Lanes<X> {
    /// These counterparties, each with the instruments that it trades. Err: see [`LanesError`].
    pub fn new(
        lanes: impl IntoIterator<Item = (X, impl IntoIterator<Item = InstrumentId>)>,
    ) -> Result<Self, LanesError> {
        let (mut made, mut lane_of) = (Vec::new(), Vec::new());
        for (it, instruments) in lanes {
            let mut is_empty = true;
            for instrument in instruments {
                let index = instrument.index();
                lane_of.resize(lane_of.len().max(index + 1), None);
                match lane_of.get_mut(index) {
                    Some(place @ None) => *place = Some(made.len()),
                    _ => return Err(LanesError::Twice(instrument)),
                }
                is_empty = false;
            }
            if is_empty {
                return Err(LanesError::Empty);
            }
            made.push(Lane { it, next: None, round_trip: None, account: None });
        }
        if made.is_empty() {
            return Err(LanesError::Empty);
        }
        Ok(Self { lanes: made, lane_of, written: None, is_asked: false, first_asked: 0, round_trip: None })
    }

    /// Each of them, in the order given.
    pub fn each(&self) -> impl Iterator<Item = &X> {
        self.lanes.iter().map(|lane| &lane.it)
    }

    /// Each of them, in the order given, for what is no trading.
    pub fn each_mut(&mut self) -> impl Iterator<Item = &mut X> {
        self.lanes.iter_mut().map(|lane| &mut lane.it)
    }

    #[inline]
    fn index_of(&self, instrument: InstrumentId) -> Option<usize> {
        self.lane_of.get(instrument.index()).copied().flatten()
    }

    #[inline]
    fn lane_mut(&mut self, instrument: InstrumentId) -> Option<&mut X> {
        let index = self.index_of(instrument)?;
        self.lanes.get_mut(index).map(|lane| &mut lane.it)
    }
}

impl<X: Counterparty> Lanes<X> {
    /// The lane with the oldest answer until `now`, and its time.
    #[inline]
    fn oldest(&mut self, now: Nanos) -> Option<usize> {
        let mut found: Option<(Nanos, usize)> = None;
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            if lane.next.is_none() {
                lane.next = lane.it.next_answer(now);
                lane.round_trip = lane.it.round_trip();
            }
            // Of two of the same time, the first lane's.
            if let Some((at, _)) = lane.next
                && at <= now
                && found.is_none_or(|(oldest, _)| at < oldest)
            {
                found = Some((at, index));
            }
        }
        found.map(|(_, index)| index)
    }
}

impl<X: Counterparty> Counterparty for Lanes<X> {
    fn can_amend(&self, open: &Order, to: Level) -> bool {
        let lane = self.index_of(open.instrument).and_then(|index| self.lanes.get(index));
        lane.is_some_and(|lane| lane.it.can_amend(open, to))
    }

    #[inline]
    fn encode(&mut self, request: Request<'_>, id: &ClientOrderId, now: Nanos) -> bool {
        let instrument = match request {
            Request::Place(approved) => approved.order().instrument,
            Request::Amend(order, _) | Request::Cancel(order) | Request::Query(order) => order.instrument,
        };
        self.written = self.index_of(instrument);
        self.lane_mut(instrument).is_some_and(|lane| lane.encode(request, id, now))
    }

    #[inline]
    fn send(&mut self, now: Nanos) -> bool {
        let written = self.written.take().and_then(|index| self.lanes.get_mut(index));
        written.is_some_and(|lane| lane.it.send(now))
    }

    fn cancel_all_of(&mut self, instrument: InstrumentId, now: Nanos) -> bool {
        self.lane_mut(instrument).is_some_and(|lane| lane.cancel_all_of(instrument, now))
    }

    #[inline]
    fn on_market(&mut self, message: Message<'_>) {
        if let Some(lane) = self.lane_mut(message.head.instrument) {
            lane.on_market(message);
        }
    }

    #[inline]
    fn next_due(&self) -> Option<Nanos> {
        // An answer that waits comes before whatever else the lane has, also where the clock says otherwise.
        let due = |lane: &Lane<X>| lane.next.map(|(at, _)| at).or_else(|| lane.it.next_due());
        self.lanes.iter().filter_map(due).min()
    }

    #[inline]
    fn advance(&mut self, now: Nanos) {
        for lane in self.each_mut() {
            lane.advance(now);
        }
    }

    fn settle(&mut self, now: Nanos) {
        for lane in self.each_mut() {
            lane.settle(now);
        }
    }

    fn is_outside(&self) -> bool {
        self.each().any(Counterparty::is_outside)
    }

    #[inline]
    fn poll(&mut self, inputs: u64) -> Nanos {
        let mut now = Nanos(0);
        for lane in self.each_mut() {
            now = now.max(lane.poll(inputs));
        }
        now
    }

    fn is_owed(&self, inputs: u64) -> bool {
        self.lanes.iter().any(|lane| lane.next.is_some() || lane.it.is_owed(inputs))
    }

    /// What one refuses stops all of them: their positions belong together.
    fn refusal(&self) -> Option<&'static str> {
        self.each().find_map(Counterparty::refusal)
    }

    fn baselines(&self) -> Vec<Qty> {
        let mut all = vec![Qty(-1); self.lane_of.len()];
        for (index, lane) in self.lanes.iter().enumerate() {
            let of_it = lane.it.baselines();
            for (place, _) in self.lane_of.iter().enumerate().filter(|(_, of)| **of == Some(index)) {
                if let (Some(all), Some(before)) = (all.get_mut(place), of_it.get(place)) {
                    *all = *before;
                }
            }
        }
        all
    }

    fn round_trip(&self) -> Option<Nanos> {
        self.round_trip
    }

    fn take_paid(&mut self) -> Option<(Nanos, Paid)> {
        self.each_mut().find_map(Counterparty::take_paid)
    }

    fn has_lost_answers(&self) -> bool {
        self.each().any(Counterparty::has_lost_answers)
    }

    #[inline]
    fn next_answer(&mut self, now: Nanos) -> Option<(Nanos, Answer)> {
        let oldest = self.oldest(now)?;
        let lane = self.lanes.get_mut(oldest)?;
        self.round_trip = lane.round_trip;
        lane.next.take()
    }

    fn take_funding(&mut self) -> Option<FundingDue> {
        self.each_mut().find_map(Counterparty::take_funding)
    }

    fn has_reconnected(&mut self) -> bool {
        // Every lane is asked: what one says is said once.
        let mut any = false;
        for lane in self.each_mut() {
            any |= lane.has_reconnected();
        }
        any
    }

    /// Asks every lane anew, so that all of them speak of about the same time. As long as one cannot be asked, no other is
    /// asked for an account that would be thrown away.
    fn ask_account(&mut self, now: Nanos) -> bool {
        self.is_asked = false;
        for step in 0..self.lanes.len() {
            let index = (self.first_asked + step) % self.lanes.len();
            let Some(lane) = self.lanes.get_mut(index) else { return false };
            lane.account = None;
            if !lane.it.ask_account(now) {
                self.first_asked = index;
                return false;
            }
        }
        self.is_asked = true;
        true
    }

    fn take_account(&mut self, now: Nanos) -> Option<Account> {
        if !self.is_asked {
            return None;
        }
        for lane in self.lanes.iter_mut().filter(|lane| lane.account.is_none()) {
            lane.account = lane.it.take_account(now);
        }
        if self.lanes.iter().any(|lane| lane.account.is_none()) {
            return None;
        }
        self.is_asked = false;
        let mut all = Account { open: Vec::new(), positions: vec![Qty(0); self.lane_of.len()] };
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let account = lane.account.take()?;
            all.open.extend(account.open);
            for (place, of) in self.lane_of.iter().enumerate().filter(|(_, of)| **of == Some(index)) {
                debug_assert!(of.is_some());
                if let (Some(all), Some(held)) = (all.positions.get_mut(place), account.positions.get(place))
                {
                    *all = *held;
                }
            }
        }
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counterparty::{AnswerEvent, VenueOrder};
    use engine::ids::{AccountId, StrategyId};
    use engine::num::{Price, Side};
    use engine::order::{OrderState, Terms, Tif};
    use std::collections::VecDeque;

    /// Says what it was given to say, and notes what it was asked.
    #[derive(Default)]
    struct Scripted {
        answers: VecDeque<(Nanos, Answer)>,
        asked: Vec<InstrumentId>,
        sent: u32,
        is_up: bool,
        account: Option<Account>,
        account_asked: u32,
        has_reconnected: bool,
    }

    impl Counterparty for Scripted {
        fn can_amend(&self, _open: &Order, _to: Level) -> bool {
            self.is_up
        }

        fn encode(&mut self, request: Request<'_>, _id: &ClientOrderId, _now: Nanos) -> bool {
            let Request::Cancel(order) = request else { return false };
            self.asked.push(order.instrument);
            self.is_up
        }

        fn send(&mut self, _now: Nanos) -> bool {
            self.sent += 1;
            true
        }

        fn on_market(&mut self, _message: Message<'_>) {}

        fn next_due(&self) -> Option<Nanos> {
            self.answers.front().map(|(at, _)| *at)
        }

        fn advance(&mut self, _now: Nanos) {}

        fn settle(&mut self, _now: Nanos) {}

        fn next_answer(&mut self, now: Nanos) -> Option<(Nanos, Answer)> {
            self.answers.pop_front_if(|(at, _)| *at <= now)
        }

        fn has_reconnected(&mut self) -> bool {
            std::mem::take(&mut self.has_reconnected)
        }

        fn ask_account(&mut self, _now: Nanos) -> bool {
            self.account_asked += 1;
            self.is_up
        }

        fn take_account(&mut self, _now: Nanos) -> Option<Account> {
            self.account.take()
        }
    }

    fn order(instrument: u32) -> Order {
        Order {
            seq: 1,
            instrument: InstrumentId(instrument),
            strategy: StrategyId(1),
            account: AccountId(0),
            side: Side::Buy,
            level: Level { price: Price(1), qty: Qty(1) },
            amend: Level::default(),
            tif: Tif::PostOnly,
            terms: Terms::LIMIT,
            filled: Qty(0),
            state: OrderState::Open,
        }
    }

    fn id(text: &str) -> ClientOrderId {
        ClientOrderId::from_bytes(text.as_bytes()).unwrap()
    }

    fn said(at: u64, text: &str) -> (Nanos, Answer) {
        (Nanos(at), Answer { id: id(text), event: AnswerEvent::Canceled, filled: None })
    }

    fn lanes(lanes: [Scripted; 2]) -> Lanes<Scripted> {
        let [first, second] = lanes;
        Lanes::new([(first, vec![InstrumentId(0), InstrumentId(3)]), (second, vec![InstrumentId(1)])])
            .unwrap()
    }

    fn up(answers: &[(u64, &str)]) -> Scripted {
        let answers = answers.iter().map(|(at, text)| said(*at, text)).collect();
        Scripted { answers, is_up: true, ..Scripted::default() }
    }

    #[test]
    fn a_request_goes_to_the_lane_of_its_instrument_alone() {
        let mut both = lanes([up(&[]), Scripted::default()]);
        let ask = |both: &mut Lanes<Scripted>, instrument| {
            both.encode(Request::Cancel(&order(instrument)), &id("a"), Nanos(0)) && both.send(Nanos(0))
        };
        assert!(ask(&mut both, 3) && ask(&mut both, 0));
        assert!(!ask(&mut both, 1), "that lane is down");
        assert!(!ask(&mut both, 2) && !both.send(Nanos(0)), "nobody trades it");
        let asked: Vec<_> = both.each().map(|lane| (lane.asked.clone(), lane.sent)).collect();
        assert_eq!(asked, [(vec![InstrumentId(3), InstrumentId(0)], 2), (vec![InstrumentId(1)], 0)]);
        assert!(both.can_amend(&order(0), Level::default()) && !both.can_amend(&order(1), Level::default()));
        assert!(!both.can_amend(&order(9), Level::default()));
    }

    #[test]
    fn answers_of_all_lanes_come_in_the_order_of_their_times() {
        let mut both = lanes([up(&[(1, "a"), (5, "b"), (9, "c")]), up(&[(2, "d"), (5, "e"), (20, "f")])]);
        assert_eq!(both.next_due(), Some(Nanos(1)));
        let heard: Vec<_> = std::iter::from_fn(|| both.next_answer(Nanos(9))).collect();
        let expected = [said(1, "a"), said(2, "d"), said(5, "b"), said(5, "e"), said(9, "c")];
        assert_eq!(heard, expected);
        assert_eq!(both.next_due(), Some(Nanos(20)));
        assert_eq!(both.next_answer(Nanos(20)), Some(said(20, "f")));
        assert_eq!(both.next_due(), None);
    }

    #[test]
    fn a_lane_whose_times_step_back_keeps_its_order_and_is_due_when_its_first_answer_is() {
        let mut both = lanes([up(&[(8, "a"), (4, "b")]), up(&[(1, "c"), (6, "d")])]);
        assert_eq!(both.next_answer(Nanos(8)), Some(said(1, "c")), "the first lane's waits now");
        assert_eq!(both.next_answer(Nanos(8)), Some(said(6, "d")));
        assert_eq!((both.next_answer(Nanos(4)), both.next_due()), (None, Some(Nanos(8))));
        assert_eq!(
            [both.next_answer(Nanos(8)), both.next_answer(Nanos(8))],
            [Some(said(8, "a")), Some(said(4, "b"))]
        );
    }

    #[test]
    fn accounts_are_one_once_every_lane_has_answered_to_the_same_wish() {
        let open = |text: &str, instrument| VenueOrder {
            id: id(text),
            instrument: InstrumentId(instrument),
            side: Side::Buy,
            level: Level::default(),
            filled: Qty(0),
        };
        let account = |open, positions: &[i64]| Account {
            open: vec![open],
            positions: positions.iter().map(|qty| Qty(*qty)).collect(),
        };
        let mut both = lanes([up(&[]), up(&[])]);
        both.lanes[0].it.account = Some(account(open("a", 0), &[7, 99, 0, -2]));
        assert_eq!(both.take_account(Nanos(0)), None, "nobody asked");
        assert!(both.ask_account(Nanos(0)));
        assert_eq!(both.take_account(Nanos(0)), None, "one has answered");
        // Asked again, the first must say it again.
        assert!(both.ask_account(Nanos(1)));
        both.lanes[1].it.account = Some(account(open("b", 1), &[98, 5]));
        assert_eq!(both.take_account(Nanos(1)), None);
        both.lanes[0].it.account = Some(account(open("a", 0), &[8, 99, 0, -2]));
        let all = both.take_account(Nanos(1)).unwrap();
        assert_eq!(all.open, [open("a", 0), open("b", 1)]);
        assert_eq!(all.positions, [Qty(8), Qty(5), Qty(0), Qty(-2)]);
        assert_eq!(both.take_account(Nanos(1)), None, "once");
        both.lanes[1].it.is_up = false;
        assert!(!both.ask_account(Nanos(2)), "one of them cannot tell");
        both.lanes[0].it.account = Some(account(open("a", 0), &[8]));
        assert_eq!(both.take_account(Nanos(2)), None);
    }

    #[test]
    fn while_one_lane_cannot_be_asked_for_its_account_the_others_are_left_in_peace() {
        let mut both = lanes([up(&[]), Scripted::default()]);
        for second in 0..10 {
            assert!(!both.ask_account(Nanos(second)));
        }
        let asked = |both: &Lanes<Scripted>| both.each().map(|lane| lane.account_asked).collect::<Vec<_>>();
        assert_eq!(asked(&both), [1, 10]);
        both.lanes[1].it.is_up = true;
        assert!(both.ask_account(Nanos(10)));
        assert_eq!(asked(&both), [2, 11], "of the same time");
        both.lanes[0].it.is_up = false;
        assert!(!both.ask_account(Nanos(11)) && !both.ask_account(Nanos(12)));
        assert_eq!(asked(&both), [4, 12]);
    }

    #[test]
    fn the_doubt_of_one_lane_is_told_once() {
        let mut both = lanes([up(&[]), up(&[])]);
        for lane in both.each_mut() {
            lane.has_reconnected = true;
        }
        assert!(both.has_reconnected() && !both.has_reconnected());
    }

    #[test]
    fn a_lane_without_instruments_and_an_instrument_with_two_lanes_are_refused() {
        let lane = |ids: &[u32]| (up(&[]), ids.iter().map(|id| InstrumentId(*id)).collect::<Vec<_>>());
        assert_eq!(Lanes::new([lane(&[0]), lane(&[1, 0])]).err(), Some(LanesError::Twice(InstrumentId(0))));
        assert_eq!(Lanes::new([lane(&[0]), lane(&[])]).err(), Some(LanesError::Empty));
        assert_eq!(
            Lanes::<Scripted>::new(Vec::<(Scripted, Vec<InstrumentId>)>::new()).err(),
            Some(LanesError::Empty)
        );
    }
}
