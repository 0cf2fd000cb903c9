//! How many requests a venue still takes: several counters at once, each over a window of time that begins at
//! multiples of its length, as venues count. Asking takes one step a counter, of which there are a handful.
//!
//! The venue counts a request when it arrives, by its own clock. What is sent within [`GUARD_NS`] of a window's
//! border is therefore counted in both windows, so that a delay or a clock error below it exceeds nothing. The venue's
//! own counts, which come with its answers, correct ours: upwards always, downwards only where they can be of the same
//! moment.
//!
//! Urgent requests may use all of a limit, others a part of it, so that there is room for a cancel when quoting has
//! used up its share.

use engine::time::Nanos;

/// What a request is for: who may use how much of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Takes risk away: all of the limit.
    Cancel = 0,
    /// Covers a risk that is there: nine tenths.
    Hedge = 1,
    /// A new quote: eight tenths.
    New = 2,
    /// A look at something that can wait: six tenths.
    Poll = 3,
}

impl Priority {
    /// Tenths of a limit that it may use.
    const fn tenths(self) -> u64 {
        match self {
            Self::Cancel => 10,
            Self::Hedge => 9,
            Self::New => 8,
            Self::Poll => 6,
        }
    }
}

/// What a request costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Request weight.
    pub weight: u32,
    /// Orders placed.
    pub orders: u32,
}

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Request weight.
    Weight,
    /// Orders placed.
    Orders,
}

/// A limit, as the venue states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What it counts.
    pub counted: Counted,
    /// Length of its windows, ns.
    pub window_ns: Nanos,
    /// How much a window takes.
    pub max: u64,
}

/// A request that may leave; given back when it is answered or given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "what is not given back is taken for being under way"]
pub struct Pass {
    number: u64,
    cost: Cost,
}

/// The counters of one venue and account. Times are the venue's, as well as its clock is known.
#[derive(Clone, Debug)]
pub struct Throttle {
    counters: Vec<Counter>,
    /// The last pass.
    last: u64,
    /// Nothing may be sent before.
    all_paused_until: Nanos,
    /// No order may be placed before.
    orders_paused_until: Nanos,
    /// The venue counts the weight of each way to it apart.
    has_ways_apart: bool,
}

#[derive(Clone, Copy, Debug)]
struct Counter {
    limit: Limit,
    /// When the window begins.
    start: Nanos,
    used: u64,
    /// Of that, what the window after it may have to count too.
    also_next: u64,
    /// Sent and not answered.
    under_way: u64,
}

/// Half of what around a window's border is counted in both windows.
pub const GUARD_NS: Nanos = Nanos::from_ms(500);

impl Throttle {
    /// Counters for these limits, at most one for each kind and length. Nothing is used yet.
    #[must_use]
    pub fn new(limits: &[Limit]) -> Self {
        let counter =
            |limit: &Limit| Counter { limit: *limit, start: Nanos(0), used: 0, also_next: 0, under_way: 0 };
        Self {
            counters: limits.iter().filter(|limit| limit.window_ns.0 > 0).map(counter).collect(),
            last: 0,
            all_paused_until: Nanos(0),
            orders_paused_until: Nanos(0),
            has_ways_apart: false,
        }
    }

    /// For a venue that counts weight by the way that a request came, and says only of that way how much is used:
    /// ours counts all ways together, and its weight is never corrected downwards.
    #[must_use]
    pub const fn with_ways_apart(mut self) -> Self {
        self.has_ways_apart = true;
        self
    }

    /// Asks to send a request now. Err: not before this time, and then ask again.
    #[inline]
    pub fn ask(&mut self, priority: Priority, cost: Cost, now: Nanos) -> Result<Pass, Nanos> {
        let mut from = self.all_paused_until;
        if cost.orders > 0 {
            from = from.max(self.orders_paused_until);
        }
        for counter in &mut self.counters {
            counter.turn(now);
            let amount = cost.of(counter.limit.counted);
            // A limit below ten would leave nothing of some shares.
            let share = (counter.limit.max * priority.tenths() / 10).max(1).min(counter.limit.max);
            if amount > 0 && counter.used.saturating_add(amount) > share {
                from = from.max(counter.turns_at());
            }
        }
        if from > now {
            return Err(from);
        }
        for counter in &mut self.counters {
            counter.add(cost.of(counter.limit.counted), now);
        }
        self.last += 1;
        Ok(Pass { number: self.last, cost })
    }

    /// The request of `pass` was answered at `now`, and with it came the venue's counts, as far as it says them.
    pub fn answered(&mut self, pass: Pass, counts: impl Iterator<Item = (Limit, u64)>, now: Nanos) {
        self.give_up(pass);
        let (is_newest, has_ways_apart) = (pass.number == self.last, self.has_ways_apart);
        for (limit, used) in counts {
            let Some(counter) = self.counter(limit.counted, limit.window_ns) else { continue };
            counter.turn(now);
            if limit.max > 0 {
                counter.limit.max = limit.max;
            }
            let may_fall = is_newest && !(has_ways_apart && limit.counted == Counted::Weight);
            counter.correct(used, may_fall, now);
        }
    }

    /// As [`Self::answered`], of one counter, and not in the answer to a pass: it is never corrected downwards.
    /// `limit.max` 0: the venue did not say it, as in a header.
    pub fn corrected(&mut self, limit: Limit, used: u64, now: Nanos) {
        if let Some(counter) = self.counter(limit.counted, limit.window_ns) {
            counter.turn(now);
            if limit.max > 0 {
                counter.limit.max = limit.max;
            }
            counter.correct(used, false, now);
        }
    }

    /// Nothing more is to be heard of the request: it stays counted.
    pub fn give_up(&mut self, pass: Pass) {
        for counter in &mut self.counters {
            let amount = pass.cost.of(counter.limit.counted);
            counter.under_way = counter.under_way.saturating_sub(amount);
        }
    }

    /// The venue refuses everything until then: cancels too, because going on leads to a ban.
    pub fn pause(&mut self, until: Nanos) {
        self.all_paused_until = self.all_paused_until.max(until);
    }

    /// The venue refuses new orders until then; cancels may go on.
    pub fn pause_orders(&mut self, until: Nanos) {
        self.orders_paused_until = self.orders_paused_until.max(until);
    }

    /// Until when everything waits; in the past: nothing does.
    #[must_use]
    pub const fn paused_until(&self) -> Nanos {
        self.all_paused_until
    }

    /// When a refusal that says no time is over: the end of the shortest window of that kind, beyond the guard. None:
    /// nothing is counted of it.
    #[must_use]
    pub fn turns_at(&self, counted: Counted, now: Nanos) -> Option<Nanos> {
        let of_kind = self.counters.iter().filter(|counter| counter.limit.counted == counted);
        let turn = |counter: &Counter| {
            let start = Nanos(now.0 - now.0 % counter.limit.window_ns.0);
            start.plus(counter.limit.window_ns).plus(GUARD_NS)
        };
        of_kind.map(turn).min()
    }

    /// How much of each limit is used at `now`.
    pub fn usage(&mut self, now: Nanos) -> impl Iterator<Item = (Limit, u64)> + '_ {
        self.counters.iter_mut().map(move |counter| {
            counter.turn(now);
            (counter.limit, counter.used)
        })
    }

    fn counter(&mut self, counted: Counted, window_ns: Nanos) -> Option<&mut Counter> {
        self.counters
            .iter_mut()
            .find(|counter| counter.limit.counted == counted && counter.limit.window_ns == window_ns)
    }
}

impl Cost {
    const fn of(self, counted: Counted) -> u64 {
        match counted {
            Counted::Weight => self.weight as u64,
            Counted::Orders => self.orders as u64,
        }
    }
}

impl Counter {
    const fn end(&self) -> Nanos {
        self.start.plus(self.limit.window_ns)
    }

    /// When the next window is surely the venue's too.
    const fn turns_at(&self) -> Nanos {
        self.end().plus(GUARD_NS)
    }

    /// Goes to the window of `now`. A clock that steps back stays in the window that it was in.
    #[inline]
    fn turn(&mut self, now: Nanos) {
        if now < self.turns_at() {
            return;
        }
        let ago = now.since(GUARD_NS);
        let start = Nanos(ago.0 - ago.0 % self.limit.window_ns.0);
        self.used = if start == self.end() { self.also_next } else { 0 };
        (self.start, self.also_next) = (start, 0);
    }

    #[inline]
    fn add(&mut self, amount: u64, now: Nanos) {
        self.used = self.used.saturating_add(amount);
        self.under_way = self.under_way.saturating_add(amount);
        if now.plus(GUARD_NS) >= self.end() {
            self.also_next = self.also_next.saturating_add(amount);
        }
    }

    /// The venue's count. It can be lower than ours where requests cost less than they might, or orders that traded
    /// are given back; lower it counts only from the answer to the newest request, and what is under way is added.
    fn correct(&mut self, used: u64, may_fall: bool, now: Nanos) {
        let is_this_window = now >= self.start.plus(GUARD_NS) && now.plus(GUARD_NS) < self.end();
        if !is_this_window {
            // Of which window it is cannot be told.
            return;
        }
        let used = used.saturating_add(self.under_way);
        self.used = if may_fall { used } else { self.used.max(used) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const TEN_S: Nanos = Nanos::from_ms(10_000);
    const MINUTE: Nanos = Nanos::from_ms(60_000);
    const NONE: std::iter::Empty<(Limit, u64)> = std::iter::empty();

    fn orders(max: u64) -> Limit {
        Limit { counted: Counted::Orders, window_ns: TEN_S, max }
    }

    fn weight(max: u64) -> Limit {
        Limit { counted: Counted::Weight, window_ns: MINUTE, max }
    }

    const fn at(ms: u64) -> Nanos {
        Nanos::from_ms(1_700_000_000_000 + ms)
    }

    const ORDER: Cost = Cost { weight: 1, orders: 1 };
    const LOOK: Cost = Cost { weight: 1, orders: 0 };

    #[test]
    fn the_urgent_get_through_where_others_wait_for_the_window_to_turn() {
        let mut throttle = Throttle::new(&[weight(20), orders(100)]);
        let mut count = |priority| {
            let mut left = 0;
            while throttle.ask(priority, LOOK, at(20_000)).is_ok() {
                left += 1;
            }
            (left, throttle.ask(priority, LOOK, at(20_000)).unwrap_err())
        };
        // Windows of a minute begin 20 s after this time's last one.
        let turns = at(40_000).plus(GUARD_NS);
        assert_eq!(count(Priority::Poll), (12, turns));
        assert_eq!(count(Priority::New), (4, turns));
        assert_eq!(count(Priority::Hedge), (2, turns));
        assert_eq!(count(Priority::Cancel), (2, turns));
        assert!(throttle.ask(Priority::Poll, LOOK, turns).is_ok());
    }

    #[test]
    fn what_leaves_at_the_border_counts_in_both_windows() {
        let mut throttle = Throttle::new(&[orders(10)]);
        for _ in 0..8 {
            assert!(throttle.ask(Priority::New, ORDER, at(9_800)).is_ok());
        }
        assert_eq!(throttle.ask(Priority::New, ORDER, at(10_400)), Err(at(10_500)));
        assert_eq!(
            throttle.ask(Priority::New, ORDER, at(10_500)),
            Err(at(20_500)),
            "they may have been late"
        );
        assert!(throttle.ask(Priority::Cancel, ORDER, at(10_500)).is_ok());
        assert!(throttle.ask(Priority::New, ORDER, at(20_500)).is_ok());
    }

    #[test]
    fn the_venues_count_corrects_ours() {
        let mut throttle = Throttle::new(&[orders(10)]);
        let first = throttle.ask(Priority::New, ORDER, at(2_000)).unwrap();
        let second = throttle.ask(Priority::New, ORDER, at(2_000)).unwrap();
        let used = |throttle: &mut Throttle| throttle.usage(at(3_000)).next().unwrap().1;
        // Somebody else trades on the account: more is used, and one request is still under way.
        throttle.answered(first, [(orders(20), 5)].into_iter(), at(3_000));
        assert_eq!((used(&mut throttle), throttle.usage(at(3_000)).next().unwrap().0.max), (6, 20));
        // Fills gave some back.
        throttle.answered(second, [(orders(20), 1)].into_iter(), at(3_000));
        assert_eq!(used(&mut throttle), 1);
        // An answer that is older than what is known, and a header, make it no less.
        throttle.corrected(orders(0), 0, at(3_000));
        assert_eq!(used(&mut throttle), 1);
        throttle.corrected(orders(0), 7, at(3_000));
        assert_eq!(used(&mut throttle), 7);
        // At a border nobody knows which window is meant.
        throttle.corrected(orders(0), 9, at(10_100));
        assert_eq!(used(&mut throttle), 7);
        throttle.corrected(Limit { window_ns: MINUTE, ..orders(0) }, 9, at(3_000));
        assert_eq!((used(&mut throttle), throttle.usage(at(3_000)).next().unwrap().0.max), (7, 20));
        throttle.corrected(orders(30), 7, at(3_000));
        assert_eq!(throttle.usage(at(3_000)).next().unwrap(), (orders(30), 7));
    }

    #[test]
    fn a_count_of_one_way_alone_takes_nothing_from_what_another_used() {
        for (mut throttle, expected) in
            [(Throttle::new(&[weight(100)]), 2), (Throttle::new(&[weight(100)]).with_ways_apart(), 31)]
        {
            let other = throttle.ask(Priority::Poll, Cost { weight: 30, orders: 0 }, at(20_000)).unwrap();
            throttle.answered(other, NONE, at(20_000));
            let newest = throttle.ask(Priority::Cancel, LOOK, at(20_000)).unwrap();
            throttle.answered(newest, [(weight(100), 2)].into_iter(), at(20_000));
            assert_eq!(throttle.usage(at(20_000)).next().unwrap().1, expected);
        }
    }

    #[test]
    fn a_pause_is_kept_to_its_end_and_one_of_orders_lets_cancels_pass() {
        let mut throttle = Throttle::new(&[weight(6_000), orders(100)]);
        throttle.pause_orders(at(5_000));
        assert_eq!(throttle.ask(Priority::Hedge, ORDER, at(4_000)), Err(at(5_000)));
        assert!(throttle.ask(Priority::Cancel, LOOK, at(4_000)).is_ok());
        throttle.pause(at(9_000));
        throttle.pause(at(1_000));
        assert_eq!(throttle.ask(Priority::Cancel, LOOK, at(8_999)), Err(at(9_000)));
        assert!(throttle.ask(Priority::Cancel, LOOK, at(9_000)).is_ok());
        assert_eq!(throttle.turns_at(Counted::Orders, at(9_000)), Some(at(10_500)));
        assert_eq!(Throttle::new(&[]).turns_at(Counted::Orders, at(0)), None);
    }

    proptest! {
        /// Whatever is asked for and however late or early (within the guard) it is counted, no window of the venue
        /// ever holds more than the limit. The venue's counts come back with some of the answers.
        #[test]
        fn no_sequence_exceeds_the_venues_limit(
            max in 1_u64..30,
            steps in proptest::collection::vec(
                (0_u64..4_000, -500_i64..500, 0_usize..4, any::<bool>(), any::<bool>()), 1..300
            )
        ) {
            let mut throttle = Throttle::new(&[orders(max), weight(2 * max)]);
            let (mut now, mut counted) = (1_700_000_003_000_u64, BTreeMap::<(u64, u64), u64>::new());
            for (step, delay, priority, is_order, is_told) in steps {
                now += step / 8;
                let priority = [Priority::Cancel, Priority::Hedge, Priority::New, Priority::Poll][priority];
                let cost = if is_order { ORDER } else { LOOK };
                match throttle.ask(priority, cost, Nanos::from_ms(now)) {
                    Err(from) => prop_assert!(from > Nanos::from_ms(now)),
                    Ok(pass) => {
                        let arrives = now.saturating_add_signed(delay);
                        let mut told = Vec::new();
                        for (limit, amount) in [(orders(max), cost.orders), (weight(2 * max), cost.weight)] {
                            let window = limit.window_ns.as_ms();
                            let count = counted.entry((window, arrives / window)).or_default();
                            *count += u64::from(amount);
                            prop_assert!(*count <= limit.max, "{} of {} in {} ms", count, limit.max, window);
                            told.push((limit, *count));
                        }
                        if is_told && delay == 0 {
                            throttle.answered(pass, told.into_iter(), Nanos::from_ms(now));
                        } else {
                            throttle.answered(pass, NONE, Nanos::from_ms(now));
                        }
                    }
                }
            }
        }
    }
}
