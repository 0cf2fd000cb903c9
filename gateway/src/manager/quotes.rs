//! What it takes to get from the orders that are open to the quotes that are wanted, on one side of one instrument
//! for one strategy. A pure function: it sends nothing and keeps nothing.

use engine::message::QUOTES_MAX;
use engine::num::Level;
use engine::order::{Order, OrderState};

/// Orders that one side can have: as many as it can have quotes.
pub(super) type Slots<T> = [T; QUOTES_MAX];

/// How close an open order has to be to a wanted quote to stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tolerance {
    pub(super) price_ticks: u32,
    pub(super) qty_bps: u32,
}

/// What to do with one place for an order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing is there and nothing is wanted.
    #[default]
    Nothing,
    /// The order is a wanted quote, or will be when its answer comes.
    Keep,
    /// The order is in the way of a wanted quote, or not wanted, and owes an answer.
    Wait,
    /// An order at this level.
    Place(Level),
    /// The order, at this level.
    Amend(Level),
    /// The order's end. `must`: nothing is to take its place.
    Cancel { must: bool },
}

/// What to do with each place, written to `actions`, which says [`Action::Nothing`] everywhere; all three have as many
/// places, at most [`QUOTES_MAX`]. `wanted` has zero quantity where nothing is wanted; `can_amend` says whether the
/// counterparty can make a level of an order.
///
/// A wanted quote and an order belong together at most once: first orders that are what is wanted, or close enough;
/// then an order that can be moved takes the innermost quote left, and one that owes an answer keeps the next
/// quote waiting. So no quote ever has two orders, and one side never more orders than quotes.
#[inline]
pub(super) fn plan(
    wanted: &[Level],
    tolerance: Tolerance,
    open: &[Option<Order>],
    can_amend: impl Fn(&Order, Level) -> bool,
    actions: &mut [Action],
) {
    let (mut left, mut matched) = ([false; QUOTES_MAX], [false; QUOTES_MAX]);
    for (left, level) in left.iter_mut().zip(wanted) {
        *left = level.qty.0 > 0;
    }
    // Exact prices first, so that a tolerance never takes a quote from the order that is it.
    let rounds = if tolerance.price_ticks == 0 { 1 } else { 2 };
    for price_ticks in [0, tolerance.price_ticks].into_iter().take(rounds) {
        let tolerance = Tolerance { price_ticks, ..tolerance };
        for ((order, action), matched) in open.iter().zip(&mut *actions).zip(&mut matched) {
            let Some(order) =
                order.as_ref().filter(|order| order.state != OrderState::PendingCancel && !*matched)
            else {
                continue;
            };
            let nearest = wanted
                .iter()
                .zip(&mut left)
                .filter(|(level, left)| **left && is_close(order, **level, tolerance))
                .min_by_key(|(level, _)| level.price.0.abs_diff(order.sent_level().price.0));
            if let Some((_, left)) = nearest {
                (*left, *matched, *action) = (false, true, Action::Keep);
            }
        }
    }
    let mut next = || {
        let index = left.iter().position(|left| *left)?;
        left[index] = false;
        wanted.get(index).copied()
    };
    let rest = |order: &Order| matches!(order.state, OrderState::Open | OrderState::PartiallyFilled);
    for wants_rest in [true, false] {
        for ((order, action), matched) in open.iter().zip(&mut *actions).zip(&matched) {
            let Some(order) = order.as_ref().filter(|order| !*matched && rest(order) == wants_rest) else {
                continue;
            };
            *action = match next() {
                _ if !wants_rest => Action::Wait,
                // One that has partly filled is replaced: what is left of it then is known.
                Some(level) if order.filled.0 == 0 && can_amend(order, level) => Action::Amend(level),
                Some(_) => Action::Cancel { must: false },
                None => Action::Cancel { must: true },
            };
        }
    }
    for (order, action) in open.iter().zip(actions) {
        if order.is_none() {
            *action = next().map_or(Action::Nothing, Action::Place);
        }
    }
}

/// Whether an order is a wanted quote: sent for exactly it, or within the tolerance in price and in what can still
/// trade.
pub(super) fn is_close(order: &Order, wanted: Level, tolerance: Tolerance) -> bool {
    let sent = order.sent_level();
    if sent == wanted {
        return true;
    }
    // Of one that is filled, what was sent for the quote.
    let filled = if order.state == OrderState::Filled { 0 } else { order.filled.0 };
    let resting = sent.qty.0 - filled;
    let (far, off) = (sent.price.0.abs_diff(wanted.price.0), resting.abs_diff(wanted.qty.0));
    far <= u64::from(tolerance.price_ticks)
        && u128::from(off) * 10_000 <= u128::from(wanted.qty.0.unsigned_abs()) * u128::from(tolerance.qty_bps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::ids::{InstrumentId, StrategyId};
    use engine::num::{Price, Qty, Side};
    use proptest::prelude::*;

    fn level(price: i64, qty: i64) -> Level {
        Level { price: Price(price), qty: Qty(qty) }
    }

    fn order(price: i64, qty: i64, state: OrderState) -> Option<Order> {
        Some(Order { state, ..Order::new(1, InstrumentId(0), StrategyId(1), Side::Buy, level(price, qty)) })
    }

    fn slots<T: Copy + Default>(some: &[T]) -> Slots<T> {
        let mut all = [T::default(); QUOTES_MAX];
        all[..some.len()].copy_from_slice(some);
        all
    }

    fn planned(wanted: &[Level], tolerance: (u32, u32), open: &[Option<Order>]) -> Vec<Action> {
        let tolerance = Tolerance { price_ticks: tolerance.0, qty_bps: tolerance.1 };
        let mut all = [Action::Nothing; QUOTES_MAX];
        plan(&slots(wanted), tolerance, &slots(open), |_, level| level.qty.0 != 7, &mut all);
        let used = all.iter().rposition(|action| *action != Action::Nothing).map_or(0, |last| last + 1);
        all[..used].to_vec()
    }

    use Action::{Amend, Cancel, Keep, Place, Wait};
    use OrderState::{Open, PartiallyFilled, PendingCancel, PendingCreate, Unknown};

    #[test]
    fn a_ladder_that_moves_by_a_step_moves_one_order() {
        let open = [order(100, 5, Open), order(99, 5, Open), order(98, 5, Open)];
        let up = [level(101, 5), level(100, 5), level(99, 5)];
        assert_eq!(planned(&up, (0, 0), &open), [Keep, Keep, Amend(level(101, 5))]);
        let other_size = up.map(|wanted| level(wanted.price.0, 7));
        let cancel = Cancel { must: false };
        assert_eq!(
            planned(&other_size, (0, 0), &open),
            [cancel, cancel, cancel],
            "this one cannot amend to 7"
        );
        assert_eq!(planned(&[], (0, 0), &open), [Cancel { must: true }; 3]);
        assert_eq!(planned(&up[..1], (0, 0), &[]), [Place(up[0])]);
    }

    #[test]
    fn what_is_close_enough_stays() {
        let open = [order(100, 50, Open)];
        assert_eq!(planned(&[level(102, 50)], (2, 0), &open), [Keep]);
        assert_eq!(planned(&[level(103, 50)], (2, 0), &open), [Amend(level(103, 50))]);
        assert_eq!(planned(&[level(100, 51)], (0, 200), &open), [Keep], "one of 51 is less than 2 %");
        assert_eq!(planned(&[level(100, 52)], (0, 200), &open), [Amend(level(100, 52))]);
        let two = [order(101, 5, Open), order(100, 5, Open)];
        assert_eq!(planned(&[level(100, 5), level(98, 5)], (2, 0), &two), [Amend(level(98, 5)), Keep]);
        let mut part = order(100, 50, PartiallyFilled);
        if let Some(order) = &mut part {
            order.filled = Qty(20);
        }
        assert_eq!(planned(&[level(100, 50)], (0, 0), &[part]), [Keep], "it was sent for just this");
        assert_eq!(planned(&[level(100, 30)], (0, 0), &[part]), [Keep], "just this is left of it");
        assert_eq!(planned(&[level(100, 40)], (0, 0), &[part]), [Cancel { must: false }]);
    }

    #[test]
    fn an_order_that_owes_an_answer_keeps_one_quote_waiting() {
        for state in [PendingCreate, Unknown] {
            assert_eq!(planned(&[level(101, 5)], (0, 0), &[order(100, 5, state)]), [Wait]);
            assert_eq!(planned(&[level(100, 5)], (0, 0), &[order(100, 5, state)]), [Keep]);
        }
        let leaving = [order(100, 5, PendingCancel)];
        assert_eq!(planned(&[level(100, 5)], (0, 0), &leaving), [Wait], "it is going away");
        assert_eq!(planned(&[level(100, 5), level(99, 5)], (0, 0), &leaving), [Wait, Place(level(99, 5))]);
        assert_eq!(
            planned(&[level(101, 5)], (0, 0), &[leaving[0], order(99, 5, Open)]),
            [Wait, Amend(level(101, 5))],
            "what can move takes the quote first"
        );
        let mut moving = order(100, 5, OrderState::PendingAmend);
        if let Some(order) = &mut moving {
            order.amend = level(101, 5);
        }
        assert_eq!(planned(&[level(101, 5)], (0, 0), &[moving]), [Keep]);
        assert_eq!(planned(&[level(100, 5)], (0, 0), &[moving]), [Wait]);
    }

    proptest! {
        #[test]
        fn no_quote_has_two_orders_and_nothing_wanted_is_forgotten(
            wanted in proptest::collection::vec((90_i64..110, 0_i64..4), 0..=QUOTES_MAX),
            open in proptest::collection::vec((90_i64..110, 1_i64..4, 0_usize..6), 0..=QUOTES_MAX),
            tolerance in (0_u32..3, 0_u32..5000)
        ) {
            let wanted: Vec<Level> = wanted.into_iter().map(|(price, qty)| level(price, qty)).collect();
            let states = [Open, PartiallyFilled, PendingCreate, PendingCancel, Unknown];
            let open: Vec<Option<Order>> =
                open.into_iter().map(|(price, qty, state)| order(price, qty, *states.get(state)?)).collect();
            let count = wanted.iter().filter(|level| level.qty.0 > 0).count();
            let tolerance = Tolerance { price_ticks: tolerance.0, qty_bps: tolerance.1 };
            let can_amend = |order: &Order, _| order.level.qty.0 != 3;
            let mut actions = [Action::Nothing; QUOTES_MAX];
            plan(&slots(&wanted), tolerance, &slots(&open), can_amend, &mut actions);
            // Places where nothing is and nothing is wanted make no difference.
            let (places, mut few) = (wanted.len().max(open.len()), [Action::Nothing; QUOTES_MAX]);
            let (all_wanted, all_open) = (slots(&wanted), slots(&open));
            plan(&all_wanted[..places], tolerance, &all_open[..places], can_amend, &mut few[..places]);
            prop_assert_eq!(few, actions);
            let of = |wants: fn(&Action) -> bool| actions.iter().filter(|action| wants(action)).count();
            // Every quote is an order, on its way to one, or waits for one to go; none twice.
            let served = of(|a| matches!(a, Keep | Place(_) | Amend(_) | Cancel { must: false }));
            prop_assert!(served <= count);
            prop_assert!(served + of(|a| *a == Wait) >= count);
            for (order, action) in slots(&open).iter().zip(actions) {
                match action {
                    Place(level) => prop_assert!(order.is_none() && wanted.contains(&level)),
                    Action::Nothing => prop_assert!(order.is_none()),
                    Amend(level) => prop_assert!(order.is_some() && wanted.contains(&level)),
                    Cancel { .. } => {
                        prop_assert!(order.is_some_and(|order| matches!(order.state, Open | PartiallyFilled)));
                    }
                    Keep | Wait => prop_assert!(order.is_some()),
                }
            }
            let ends = of(|a| matches!(a, Place(_)));
            prop_assert!(ends == 0 || open.iter().flatten().count() + ends <= QUOTES_MAX);
        }
    }
}
