//! The way of orders to the venue and of answers back: requests and answers are lost or late, the private stream
//! breaks, and the engine dies in the middle of a request. The venue outlives it, and what it did is written down here
//! as it happened, for the checks.

use crate::bug::Bug;
use crate::plan::{LinkFaults, happens};
use engine::message::Message;
use engine::num::{Level, Qty};
use engine::order::Order;
use engine::risk::Approved;
use engine::time::Nanos;
use gateway::client_order_id::{ClientOrderId, ClientOrderIds};
use gateway::counterparty::{Account, Answer, AnswerEvent, Counterparty, Request, Standing, VenueState};
use gateway::paper::venue::PaperVenue;
use sabrewing::demo::Random;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What was asked of the venue, or what it said, in the order in which it happened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum VenueEvent {
    /// The engine let a request leave, in its so many-th life.
    Sent { life: usize, kind: SentKind, id: ClientOrderId, order: Order, level: Level },
    /// The venue answered, whether the answer arrived or not.
    Said(Answer),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SentKind {
    Place,
    Amend,
    Cancel,
    Query,
}

#[derive(Clone, Copy)]
enum Owned {
    Place(Approved),
    Amend(Order, Approved),
    Cancel(Order),
    Query(Order),
}

/// Where the engine dies.
pub(crate) struct Death {
    /// At the so many-th request.
    pub(crate) request: u64,
    /// After it left.
    pub(crate) is_sent: bool,
    /// Told at that moment.
    pub(crate) witness: Box<dyn FnMut() + Send>,
}

/// The venue and the ways to and from it.
pub(crate) struct World {
    venue: PaperVenue,
    random: Random,
    faults: LinkFaults,
    bug: Option<Bug>,
    requests: BTreeMap<(Nanos, u64), (ClientOrderId, Owned)>,
    answers: BTreeMap<(Nanos, u64), Answer>,
    /// Until when a placement or an amendment of an order may arrive: its receive window.
    windows: HashMap<ClientOrderId, Nanos>,
    count: u64,
    clock: Nanos,
    outage_until: Option<Nanos>,
    pub(crate) events: Vec<VenueEvent>,
    pub(crate) is_healed: bool,
    pub(crate) life: usize,
    requests_of_life: u64,
    death: Option<Death>,
    pub(crate) is_dead: bool,
    pub(crate) reconnects: u64,
}

impl World {
    pub(crate) fn new(venue: PaperVenue, seed: u64, faults: LinkFaults, bug: Option<Bug>) -> Self {
        Self {
            venue,
            random: Random::new(seed ^ 0x114b),
            faults,
            bug,
            requests: BTreeMap::new(),
            answers: BTreeMap::new(),
            windows: HashMap::new(),
            count: 0,
            clock: Nanos(0),
            outage_until: None,
            events: Vec::new(),
            is_healed: false,
            life: 0,
            requests_of_life: 0,
            death: None,
            is_dead: false,
            reconnects: 0,
        }
    }

    /// The engine lives again. What was under way to it is lost.
    pub(crate) fn begin_life(&mut self, life: usize, death: Option<Death>) {
        self.answers.clear();
        self.outage_until = None;
        (self.life, self.requests_of_life, self.death, self.is_dead) = (life, 0, death, false);
    }

    pub(crate) fn account(&mut self, now: Nanos) -> Account {
        self.pump(now);
        self.venue.ask_account(Nanos(0));
        self.venue.take_account(Nanos::MAX).unwrap_or_default()
    }

    fn chance(&mut self, chances: u64) -> bool {
        !self.is_healed && happens(&mut self.random, chances)
    }

    /// How long something takes beyond what the venue's own latency is.
    fn delay(&mut self) -> Nanos {
        if self.chance(self.faults.delayed) {
            Nanos(self.random.below(self.faults.delay_max.0 + 1))
        } else {
            Nanos(0)
        }
    }

    fn next_number(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// Everything happens that is due by `now`, in the order of its time.
    fn pump(&mut self, now: Nanos) {
        loop {
            let request = self.requests.keys().next().map_or(Nanos::MAX, |(at, _)| *at);
            let venue = self.venue.next_due().unwrap_or(Nanos::MAX);
            let at = request.min(venue);
            if at > now {
                break;
            }
            if request <= venue {
                let Some((_, (id, owned))) = self.requests.pop_first() else { break };
                self.venue.settle(at);
                let request = match &owned {
                    Owned::Place(approved) => Request::Place(approved),
                    Owned::Amend(open, approved) => Request::Amend(open, approved),
                    Owned::Cancel(order) => Request::Cancel(order),
                    Owned::Query(order) => Request::Query(order),
                };
                if self.venue.encode(request, &id, at) {
                    self.venue.send(at);
                }
            } else {
                self.venue.settle(at);
                let mut told = false;
                while let Some((at, answer)) = self.venue.next_answer(at) {
                    told = true;
                    self.said(at, answer);
                }
                if !told && self.venue.next_due() == Some(venue) {
                    break;
                }
            }
        }
        self.clock = self.clock.max(now);
        self.venue.advance(now);
        while let Some((at, answer)) = self.venue.next_answer(now) {
            self.said(at, answer);
        }
    }

    /// The venue says something: whether and when it arrives.
    fn said(&mut self, at: Nanos, answer: Answer) {
        let mut answer = answer;
        let is_open = |state| matches!(state, VenueState::Open(_));
        let may_change = match answer.event {
            AnswerEvent::Standing(Standing::Exists { state, .. }) => is_open(state),
            event => event == AnswerEvent::Standing(Standing::Absent),
        };
        if may_change && self.windows.get(&answer.id).is_some_and(|until| at < *until) {
            // What is under way would still be taken.
            answer.event = AnswerEvent::Standing(Standing::Unknown);
        }
        self.events.push(VenueEvent::Said(answer));
        if self.bug == Some(Bug::InventedAbsence)
            && matches!(answer.event, AnswerEvent::Standing(_))
            && answer.filled.is_none()
        {
            answer.event = AnswerEvent::Standing(Standing::Absent);
        }
        if self.chance(self.faults.outage) && self.outage_until.is_none() {
            self.outage_until = Some(at.plus(Nanos::from_ms(1 + self.random.below(200))));
        }
        let is_lost = self.chance(self.faults.answer_lost) || self.outage_until.is_some();
        let arrives = at.plus(self.delay());
        if is_lost {
            return;
        }
        let number = self.next_number();
        let is_fill = matches!(answer.event, AnswerEvent::Filled { .. });
        if self.bug == Some(Bug::FillToldTwice) && is_fill {
            answer.filled = None;
            if number.is_multiple_of(5) {
                self.answers.insert((arrives, number), answer);
            }
            let number = self.next_number();
            self.answers.insert((arrives, number), answer);
        } else {
            self.answers.insert((arrives, number), answer);
        }
    }

    fn sends(&mut self, id: ClientOrderId, owned: Owned, now: Nanos) {
        let (kind, order, level) = match &owned {
            Owned::Place(approved) => (SentKind::Place, *approved.order(), approved.order().level),
            Owned::Amend(open, approved) => (SentKind::Amend, *open, approved.order().level),
            Owned::Cancel(order) => (SentKind::Cancel, *order, order.level),
            Owned::Query(order) => (SentKind::Query, *order, order.level),
        };
        self.events.push(VenueEvent::Sent { life: self.life, kind, id, order, level });
        if matches!(kind, SentKind::Place | SentKind::Amend) {
            self.windows.insert(id, now.plus(RECV_WINDOW));
        }
        let is_lost = self.chance(self.faults.request_lost);
        let delay = self.delay();
        // One that arrives behind its receive window is refused, and nobody hears of it.
        if is_lost || delay >= RECV_WINDOW {
            return;
        }
        let number = self.next_number();
        self.requests.insert((now.plus(delay), number), (id, owned));
    }

    fn dies(&mut self, is_sent: bool) -> bool {
        let at = self.requests_of_life;
        let Some(death) = self.death.as_mut().filter(|death| death.request == at && death.is_sent == is_sent)
        else {
            return false;
        };
        (death.witness)();
        self.is_dead = true;
        true
    }
}

/// A request that arrives so long after it was sent is refused.
const RECV_WINDOW: Nanos = Nanos::from_ms(200);

/// One life's end of the way.
pub(crate) struct FaultyLink {
    world: Arc<Mutex<World>>,
    written: Option<(ClientOrderId, Owned)>,
    asked_account: Option<Nanos>,
    /// When the account was first asked for.
    first_asked: Option<Nanos>,
}

impl FaultyLink {
    pub(crate) const fn new(world: Arc<Mutex<World>>) -> Self {
        Self { world, written: None, asked_account: None, first_asked: None }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counterparty for FaultyLink {
    fn can_amend(&self, open: &Order, to: Level) -> bool {
        self.world().venue.can_amend(open, to)
    }

    fn encode(&mut self, request: Request<'_>, id: &ClientOrderId, _now: Nanos) -> bool {
        let owned = match request {
            Request::Place(approved) => Owned::Place(*approved),
            Request::Amend(open, approved) => Owned::Amend(*open, *approved),
            Request::Cancel(order) => Owned::Cancel(*order),
            Request::Query(order) => Owned::Query(*order),
        };
        let mut world = self.world();
        world.requests_of_life += 1;
        world.dies(false);
        drop(world);
        self.written = Some((*id, owned));
        true
    }

    fn send(&mut self, now: Nanos) -> bool {
        let Some((id, owned)) = self.written.take() else { return false };
        let mut world = self.world();
        if world.is_dead {
            return true;
        }
        world.pump(now);
        if let (Owned::Place(_), Some(Bug::UnjournalledOrder)) = (&owned, world.bug) {
            let other = ClientOrderIds::new(u16::MAX, 1).id(world.count);
            world.sends(other, owned, now);
        }
        world.sends(id, owned, now);
        world.dies(true);
        true
    }

    fn on_market(&mut self, message: Message<'_>) {
        let mut world = self.world();
        if !world.is_dead {
            world.pump(message.head.recv_ns);
            world.venue.on_market(message);
            world.pump(message.head.recv_ns);
        }
    }

    fn next_due(&self) -> Option<Nanos> {
        let world = self.world();
        if world.is_dead {
            return None;
        }
        let request = world.requests.keys().next().map(|(at, _)| *at);
        let answer = world.answers.keys().next().map(|(at, _)| *at);
        [request, answer, world.venue.next_due(), world.outage_until, self.asked_account]
            .into_iter()
            .flatten()
            .min()
    }

    fn advance(&mut self, now: Nanos) {
        let mut world = self.world();
        if !world.is_dead {
            world.pump(now);
        }
    }

    fn settle(&mut self, now: Nanos) {
        self.advance(now);
    }

    fn next_answer(&mut self, now: Nanos) -> Option<(Nanos, Answer)> {
        let mut world = self.world();
        if world.is_dead {
            return None;
        }
        world.pump(now);
        let entry = world.answers.first_entry().filter(|entry| entry.key().0 <= now)?;
        let ((at, _), answer) = entry.remove_entry();
        Some((at, answer))
    }

    fn has_reconnected(&mut self) -> bool {
        let mut world = self.world();
        let now = world.clock;
        let is_over = world.outage_until.take_if(|until| *until <= now).is_some();
        world.reconnects += u64::from(is_over);
        is_over
    }

    fn ask_account(&mut self, now: Nanos) -> bool {
        let mut world = self.world();
        let chances = world.faults.request_lost;
        let is_lost = world.chance(chances);
        drop(world);
        // What an earlier life sent has arrived by then, or is refused.
        let settled = self.first_asked.get_or_insert(now).plus(RECV_WINDOW);
        self.asked_account = (!is_lost).then(|| now.plus(Nanos::from_us(400)).max(settled));
        true
    }

    fn take_account(&mut self, now: Nanos) -> Option<Account> {
        self.asked_account.take_if(|due| *due <= now)?;
        let mut world = self.world();
        if world.is_dead {
            return None;
        }
        if world.bug == Some(Bug::ForgottenRun) {
            return Some(Account { open: vec![], positions: vec![Qty(0); 2] });
        }
        Some(world.account(now))
    }
}
