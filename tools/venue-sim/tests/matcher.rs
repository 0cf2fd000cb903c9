//! The matcher against a book that sorts a list, equal after every operation.

use engine::book::BookSide;
use engine::num::{Level, Price, Qty, Side};
use proptest::prelude::*;
use venue_sim::exchange::{Handle, Matcher, Meet};

/// What can be asked of both.
#[derive(Clone, Copy, Debug)]
enum Operation {
    Add {
        side: Side,
        price: i64,
        qty: i64,
    },
    Remove {
        which: usize,
    },
    Shrink {
        which: usize,
        qty: i64,
    },
    Take {
        side: Side,
        limit: i64,
        qty: i64,
    },
    /// Every third order that is met leaves without a trade.
    TakeSome {
        side: Side,
        qty: i64,
    },
}

/// All resting orders in the order of their arrival.
#[derive(Default)]
struct Naive {
    orders: Vec<Order>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Order {
    tag: u32,
    side: Side,
    price: i64,
    qty: i64,
}

impl Naive {
    /// The orders of a side, best price and oldest first.
    fn queue(&self, side: Side) -> Vec<Order> {
        let mut queue: Vec<Order> = self.orders.iter().filter(|order| order.side == side).copied().collect();
        queue.sort_by_key(|order| if side == Side::Buy { -order.price } else { order.price });
        queue
    }

    fn levels(&self, side: Side) -> Vec<(i64, i64)> {
        let mut levels: Vec<(i64, i64)> = Vec::new();
        for order in self.queue(side) {
            match levels.last_mut() {
                Some((price, qty)) if *price == order.price => *qty += order.qty,
                _ => levels.push((order.price, order.qty)),
            }
        }
        levels
    }

    fn set(&mut self, tag: u32, qty: i64) {
        let place = self.orders.iter().position(|order| order.tag == tag).unwrap();
        if qty == 0 {
            self.orders.remove(place);
        } else {
            self.orders[place].qty = qty;
        }
    }
}

/// Both books and how the matcher calls the orders.
#[derive(Default)]
struct Pair {
    matcher: Matcher,
    naive: Naive,
    handles: Vec<(u32, Handle)>,
    next_tag: u32,
}

impl Pair {
    fn run(&mut self, operation: Operation) {
        match operation {
            Operation::Add { side, price, qty } => {
                self.next_tag += 1;
                let tag = self.next_tag;
                self.naive.orders.push(Order { tag, side, price, qty });
                self.handles.push((tag, self.matcher.add(side, Price(price), Qty(qty), tag)));
            }
            Operation::Remove { which } if !self.handles.is_empty() => {
                let (tag, handle) = self.handles.remove(which % self.handles.len());
                self.matcher.remove(handle);
                self.naive.set(tag, 0);
            }
            Operation::Shrink { which, qty } if !self.handles.is_empty() => {
                let (tag, handle) = self.handles[which % self.handles.len()];
                let now = self.naive.orders.iter().find(|order| order.tag == tag).unwrap().qty;
                let qty = 1 + qty % now;
                self.matcher.shrink(handle, Qty(qty));
                self.naive.set(tag, qty);
            }
            Operation::Remove { .. } | Operation::Shrink { .. } => {}
            Operation::Take { side, limit, qty } => self.take(side, limit, qty, u32::MAX),
            Operation::TakeSome { side, qty } => {
                self.take(side, if side == Side::Buy { i64::MAX } else { -i64::MAX }, qty, 3);
            }
        }
        self.compare();
    }

    fn take(&mut self, side: Side, limit: i64, qty: i64, removes_each: u32) {
        let mut left = qty;
        let mut met = Vec::new();
        self.matcher.take(side, Price(limit), |resting| {
            let what = if left == 0 {
                Meet::Stop
            } else if resting.tag.is_multiple_of(removes_each) {
                Meet::Remove
            } else {
                Meet::Trade(Qty(left.min(resting.qty.0)))
            };
            if let Meet::Trade(qty) = what {
                left -= qty.0;
            }
            met.push((resting.tag, resting.price.0, resting.qty.0, what));
            what
        });
        let (mut left, mut expected) = (qty, Vec::new());
        for order in self.naive.queue(side.opposite()) {
            let in_reach = if side == Side::Buy { order.price <= limit } else { order.price >= limit };
            if !in_reach {
                break;
            }
            let (tag, traded) = (order.tag, left.min(order.qty));
            let what = match (left, tag.is_multiple_of(removes_each)) {
                (0, _) => Meet::Stop,
                (_, true) => Meet::Remove,
                (_, false) => Meet::Trade(Qty(traded)),
            };
            expected.push((tag, order.price, order.qty, what));
            match what {
                Meet::Stop => break,
                Meet::Remove => self.naive.set(tag, 0),
                Meet::Trade(_) => {
                    left -= traded;
                    self.naive.set(tag, order.qty - traded);
                    if traded < order.qty {
                        // Partly traded: it is met once more, and nothing is left for it.
                        expected.push((tag, order.price, order.qty - traded, Meet::Stop));
                        break;
                    }
                }
            }
        }
        assert_eq!(met, expected);
        let resting: Vec<u32> = self.naive.orders.iter().map(|order| order.tag).collect();
        self.handles.retain(|(tag, _)| resting.contains(tag));
    }

    fn compare(&self) {
        for (side, book_side) in [(Side::Buy, BookSide::Bid), (Side::Sell, BookSide::Ask)] {
            let orders =
                self.matcher.orders(side).map(|resting| (resting.tag, resting.price.0, resting.qty.0));
            let expected =
                self.naive.queue(side).into_iter().map(|order| (order.tag, order.price, order.qty));
            assert!(orders.eq(expected), "orders of {side:?}");
            let level = |level: Level| (level.price.0, level.qty.0);
            let levels: Vec<_> = self.matcher.levels(book_side).map(level).collect();
            assert_eq!(levels, self.naive.levels(side));
            assert_eq!(self.matcher.best(book_side).map(level), levels.first().copied());
            for (price, qty) in levels {
                assert_eq!(self.matcher.level_qty(book_side, Price(price)), Qty(qty));
                assert!(self.matcher.would_take(side.opposite(), Price(price)));
            }
        }
        assert_eq!(self.matcher.len(), self.naive.orders.len());
        assert_eq!(self.matcher.is_empty(), self.naive.orders.is_empty());
    }
}

fn side() -> impl Strategy<Value = Side> {
    any::<bool>().prop_map(|buy| if buy { Side::Buy } else { Side::Sell })
}

/// Near prices, across page boundaries, and far ones.
fn price() -> impl Strategy<Value = i64> {
    prop_oneof![4 => 250..262_i64, 2 => 1..2_000_i64, 1 => 1..i64::MAX / 2]
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        6 => (side(), price(), 1..100_i64).prop_map(|(side, price, qty)| Operation::Add { side, price, qty }),
        3 => any::<usize>().prop_map(|which| Operation::Remove { which }),
        1 => (any::<usize>(), 0..100_i64).prop_map(|(which, qty)| Operation::Shrink { which, qty }),
        2 => (side(), price(), 1..300_i64).prop_map(|(side, limit, qty)| Operation::Take { side, limit, qty }),
        1 => (side(), 1..300_i64).prop_map(|(side, qty)| Operation::TakeSome { side, qty }),
    ]
}

proptest! {
    #[test]
    fn it_equals_a_sorted_list_after_every_operation(
        operations in prop::collection::vec(operation(), 1..120)
    ) {
        let mut pair = Pair::default();
        for operation in operations {
            pair.run(operation);
        }
    }
}

#[test]
fn it_equals_a_sorted_list_through_a_long_run_near_one_price() {
    let mut pair = Pair::default();
    let mut state = 1_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for _ in 0..4_000 {
        let side = if random(2) == 0 { Side::Buy } else { Side::Sell };
        let price = 256 + random(9).cast_signed() * if side == Side::Buy { -1 } else { 1 };
        let (qty, which) = (1 + random(20).cast_signed(), usize::try_from(random(1 << 20)).unwrap());
        pair.run(match random(10) {
            0..=4 => Operation::Add { side, price, qty },
            5..=7 => Operation::Remove { which },
            8 => Operation::Shrink { which, qty },
            _ => Operation::Take { side, limit: price + 8, qty },
        });
    }
    assert!(pair.next_tag > 1_000);
}
