//! The order's states against a venue: a model of the other side that has the order, gets requests late and whose
//! answers come late, answers apart from fills. Whatever it says, in whatever order a venue can say it, the order
//! takes it; what the order reserves is never less than what the venue could still fill; and when everything was
//! said, both agree.

use engine::ids::{AccountId, InstrumentId, StrategyId};
use engine::num::{Level, Price, Qty, Side};
use engine::order::{Order, OrderEvent, OrderState, Terms, Tif};
use proptest::prelude::*;
use std::collections::VecDeque;

/// What was sent to the venue.
#[derive(Clone, Copy, Debug)]
enum Request {
    Create,
    Cancel,
    Amend(Level),
}

/// The order as the venue has it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum There {
    NotYet,
    Open { level: Level, filled: i64 },
    Gone { how: OrderState, filled: i64 },
}

struct Venue {
    there: There,
    requests: VecDeque<Request>,
    /// Answers to requests, and what the venue says by itself (fills, expiry): two ways, each in order.
    answers: VecDeque<OrderEvent>,
    news: VecDeque<OrderEvent>,
}

impl Venue {
    /// What can still trade of it, what is on its way to it included.
    fn exposure(&self) -> i64 {
        let (most, filled) = match self.there {
            There::NotYet => (10, 0),
            There::Open { level, filled } => (level.qty.0, filled),
            There::Gone { .. } => return 0,
        };
        let on_their_way = self.requests.iter().map(|request| match request {
            Request::Amend(level) => level.qty.0,
            _ => 0,
        });
        on_their_way.fold(most, i64::max) - filled
    }

    /// Takes the oldest request.
    fn take(&mut self, refuses: bool) {
        let Some(request) = self.requests.pop_front() else { return };
        let answer = match (request, self.there) {
            (Request::Create, _) if refuses => {
                self.there = There::Gone { how: OrderState::Rejected, filled: 0 };
                OrderEvent::Rejected
            }
            (Request::Create, _) => {
                self.there = There::Open { level: level(100, 10), filled: 0 };
                OrderEvent::Accepted
            }
            (Request::Cancel, There::Open { filled, .. }) if !refuses => {
                self.there = There::Gone { how: OrderState::Canceled, filled };
                OrderEvent::Canceled
            }
            (Request::Amend(to), There::Open { filled, .. }) if !refuses && to.qty.0 > filled => {
                self.there = There::Open { level: to, filled };
                OrderEvent::Amended(to)
            }
            (Request::Cancel, _) => OrderEvent::CancelRefused,
            (Request::Amend(_), _) => OrderEvent::AmendRefused,
        };
        self.answers.push_back(answer);
    }

    fn fill(&mut self, qty: i64) {
        if let There::Open { level, filled } = self.there {
            let qty = qty.min(level.qty.0 - filled);
            let filled = filled + qty;
            self.news.push_back(OrderEvent::Filled(Qty(qty)));
            self.there = if filled == level.qty.0 {
                There::Gone { how: OrderState::Filled, filled }
            } else {
                There::Open { level, filled }
            };
        }
    }

    fn expire(&mut self) {
        if let There::Open { filled, .. } = self.there {
            self.there = There::Gone { how: OrderState::Expired, filled };
            self.news.push_back(OrderEvent::Expired);
        }
    }
}

const fn level(price: i64, qty: i64) -> Level {
    Level { price: Price(price), qty: Qty(qty) }
}

/// The engine's side: one request at a time, and what it does not know it does not act on.
struct Engine {
    order: Order,
    /// Fills that came, whatever the order made of them.
    filled: i64,
    /// An answer was overdue once: another one may have told where the order stands before it came.
    timed_out: bool,
}

impl Engine {
    /// Takes what came. The end may overtake an answer or a fill, never the other way round; what comes after it
    /// changes nothing but is not lost: the manager counts late answers, and a late fill stops trading.
    fn hear(&mut self, event: OrderEvent) -> Result<(), TestCaseError> {
        if let OrderEvent::Filled(qty) = event {
            self.filled += qty.0;
        }
        let before = self.order;
        if self.order.apply(event).is_err() {
            let says_nothing =
                matches!(event, OrderEvent::Accepted | OrderEvent::CancelRefused | OrderEvent::AmendRefused);
            let is_old = self.timed_out && says_nothing;
            prop_assert!(before.state.is_final() || is_old, "{:?} refused in {:?}", event, before);
            prop_assert!(!matches!(event, OrderEvent::Filled(_)), "{:?} after {:?}", event, before);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn an_order_takes_whatever_a_venue_can_say_and_reserves_what_it_could_fill(
        steps in proptest::collection::vec((0_u8..12, 1_i64..8, any::<bool>()), 1..60)
    ) {
        let order = Order {
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
        };
        let mut engine = Engine { order, filled: 0, timed_out: false };
        let mut venue = Venue {
            there: There::NotYet,
            requests: VecDeque::from([Request::Create]),
            answers: VecDeque::new(),
            news: VecDeque::new(),
        };
        // At the end everything that is on its way arrives.
        let rest = (0..200).map(|index| ([0, 1, 2][index % 3], 1, false));
        for (what, qty, flag) in steps.into_iter().chain(rest) {
            match what {
                0 | 7 => venue.take(flag && qty < 3),
                // An end is only told when the fills before it were: the news of one order come in order, and an
                // answer that ends it waits for them.
                1 | 8 => {
                    let ends = matches!(venue.answers.front(), Some(OrderEvent::Canceled));
                    if (!ends || venue.news.is_empty())
                        && let Some(answer) = venue.answers.pop_front()
                    {
                        engine.hear(answer)?;
                    }
                }
                2 | 9 => {
                    if let Some(news) = venue.news.pop_front() {
                        engine.hear(news)?;
                    }
                }
                3 => venue.fill(qty),
                4 if flag && qty == 1 => venue.expire(),
                5 => {
                    let level = level(100 + qty, 2 * qty);
                    if engine.order.apply(OrderEvent::AmendSent(level)).is_ok() {
                        venue.requests.push_back(Request::Amend(level));
                    }
                }
                // A cancel goes out over whatever else is unanswered, as at a halt.
                6 if qty == 1 && engine.order.apply(OrderEvent::CancelSent).is_ok() => {
                    venue.requests.push_back(Request::Cancel);
                }
                10 if qty == 1 => {
                    engine.timed_out |= engine.order.apply(OrderEvent::TimedOut).is_ok();
                }
                _ => {}
            }
            // Fills that are on their way are the venue's past and the engine's future.
            let on_their_way: i64 = venue
                .news
                .iter()
                .map(|news| if let OrderEvent::Filled(qty) = news { qty.0 } else { 0 })
                .sum();
            prop_assert!(
                engine.order.remaining().0 >= venue.exposure() + on_their_way,
                "{:?} against {:?}", engine.order, venue.there
            );
            prop_assert_eq!(engine.order.filled.0, engine.filled);
        }
        match venue.there {
            There::Gone { how, filled } => {
                prop_assert_eq!((engine.order.state, engine.order.filled.0), (how, filled));
            }
            There::Open { level, filled } => {
                prop_assert_eq!((engine.order.level, engine.order.filled.0), (level, filled));
                prop_assert!(!engine.order.state.is_final() && !engine.order.state.is_pending());
            }
            There::NotYet => prop_assert!(false, "the request never arrived"),
        }
    }
}
