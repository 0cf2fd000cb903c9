//! The fast book against the naive one, equal after every step of random sequences that cross window edges,
//! the far store, capacity limits, snapshots, crossed books and both ends of the price range.

mod book_naive;

use book_naive::NaiveBook;
use engine::book::{Book, BookConfig, BookSide};
use engine::num::{Level, Price, Qty};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Delta(Vec<Level>, Vec<Level>),
    Snapshot(Vec<Level>, Vec<Level>),
    /// Prices of what follows lie around this one.
    Jump(i64),
    /// Removes the best levels of a side, so that the touch runs away.
    Eat(BookSide, usize),
    Clear,
}

/// Offsets from the centre: mostly near, some behind a small window, some anywhere.
fn price_offset() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => -40_i64..40,
        4 => -600_i64..600,
        3 => -6_000_i64..6_000,
        1 => any::<i64>(),
    ]
}

fn levels(most: usize) -> impl Strategy<Value = Vec<Level>> {
    let qty = prop_oneof![3 => Just(0_i64), 5 => 1_i64..1_000, 1 => any::<i64>()];
    prop::collection::vec(
        (price_offset(), qty).prop_map(|(price, qty)| Level { price: Price(price), qty: Qty(qty) }),
        0..most,
    )
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        24 => (levels(12), levels(12)).prop_map(|(bids, asks)| Step::Delta(bids, asks)),
        2 => (levels(120), levels(120)).prop_map(|(bids, asks)| Step::Delta(bids, asks)),
        1 => (levels(300), levels(300)).prop_map(|(bids, asks)| Step::Snapshot(bids, asks)),
        2 => prop_oneof![
            4 => -3_000_i64..3_000,
            1 => any::<i64>(),
            1 => prop_oneof![Just(1), Just(i64::MAX), Just(i64::MIN), Just(i64::MAX - 700)],
        ].prop_map(Step::Jump),
        3 => (any::<bool>(), 1_usize..200).prop_map(|(bid, count)| {
            Step::Eat(if bid { BookSide::Bid } else { BookSide::Ask }, count)
        }),
        1 => Just(Step::Clear),
    ]
}

/// Runs the steps through both books; panics at the first difference.
fn run(config: BookConfig, steps: &[Step]) {
    let mut book = Book::new(config);
    let mut naive = NaiveBook::new(config.capacity_per_side());
    let mut centre = 617_000_i64;
    let around = |centre: i64, levels: &[Level]| -> Vec<Level> {
        levels
            .iter()
            .map(|level| Level { price: Price(centre.wrapping_add(level.price.0)), ..*level })
            .collect()
    };
    for step in steps {
        match step {
            Step::Delta(bids, asks) => {
                let (bids, asks) = (around(centre, bids), around(centre, asks));
                let before = BookSide::BOTH.map(|side| book.levels(side).take(10).collect::<Vec<_>>());
                let applied = book.apply(&bids, &asks);
                let touched = naive.apply(&bids, &asks);
                if !book.state().is_truncated() {
                    assert_touched(applied.touched, touched, &before, &book);
                }
                for side in BookSide::BOTH {
                    let before = &before[side as usize];
                    let last = (before.len() == 10).then(|| before[9].price.0);
                    if !applied.reaches(side, last) {
                        assert!(
                            book.levels(side).take(10).eq(before.iter().copied()),
                            "top {side:?} changed"
                        );
                    }
                }
            }
            Step::Snapshot(bids, asks) => {
                let (bids, asks) = (around(centre, bids), around(centre, asks));
                book.load_snapshot(&bids, &asks);
                naive.load_snapshot(&bids, &asks);
            }
            Step::Jump(by) => centre = centre.wrapping_add(*by),
            Step::Eat(side, count) => {
                let eaten: Vec<Level> =
                    naive.levels(*side).take(*count).map(|level| Level { qty: Qty(0), ..level }).collect();
                let (bids, asks): (&[Level], &[Level]) =
                    if *side == BookSide::Bid { (&eaten, &[]) } else { (&[], &eaten) };
                book.apply(bids, asks);
                naive.apply(bids, asks);
            }
            Step::Clear => {
                book.clear();
                naive = NaiveBook::new(config.capacity_per_side());
            }
        }
        naive.assert_same(&book);
        for side in BookSide::BOTH {
            for level in naive.levels(side).step_by(7) {
                assert_eq!(book.quantity_at(side, level.price.0), level.qty.0);
            }
            for price in [centre, centre.wrapping_add(1), 0, i64::MAX, i64::MIN] {
                let held = naive.levels(side).find(|level| level.price.0 == price);
                assert_eq!(book.quantity_at(side, price), held.map_or(0, |level| level.qty.0));
            }
        }
    }
}

/// Without dropped levels both books name the same best changed price.
fn assert_touched(fast: [Option<i64>; 2], naive: [Option<i64>; 2], before: &[Vec<Level>; 2], book: &Book) {
    assert_eq!(fast, naive, "best price touched");
    for side in BookSide::BOTH {
        if fast[side as usize].is_none() {
            assert!(book.levels(side).take(10).eq(before[side as usize].iter().copied()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn equals_the_naive_book_with_the_smallest_window(steps in prop::collection::vec(step(), 1..60)) {
        run(BookConfig::new(256, 16_384).unwrap(), &steps);
    }

    #[test]
    fn equals_the_naive_book_when_capacity_binds(
        capacity in 1_usize..300, steps in prop::collection::vec(step(), 1..60),
    ) {
        run(BookConfig::new(512, capacity).unwrap(), &steps);
    }

    #[test]
    fn equals_the_naive_book_with_several_bitmap_groups(steps in prop::collection::vec(step(), 1..40)) {
        run(BookConfig::new(8_192, 1_000).unwrap(), &steps);
    }
}

#[test]
fn a_hostile_price_costs_neither_the_touch_nor_a_panic() {
    let config = BookConfig::default();
    let (mut book, mut naive) = (Book::new(config), NaiveBook::new(config.capacity_per_side()));
    let near: Vec<Level> =
        (0..2_000).map(|i| Level { price: Price(600_000 - i * 3), qty: Qty(i + 1) }).collect();
    book.load_snapshot(&near, &[]);
    naive.load_snapshot(&near, &[]);
    let mut step = |price, qty| {
        let hostile = [Level { price: Price(price), qty: Qty(qty) }];
        book.apply(&hostile, &hostile);
        naive.apply(&hostile, &hostile);
        naive.assert_same(&book);
    };
    let hostile = [i64::MAX, 1, i64::MAX - 1, i64::MIN, 0, -1, i64::MIN + 5_000, i64::MAX / 2, 616_384];
    for price in hostile {
        for qty in [i64::MAX, 1, 0] {
            step(price, qty);
        }
    }
    // The same, each left standing while the others come and go.
    for stays in hostile {
        step(stays, 1);
        for price in hostile {
            step(price, 7);
        }
        for price in hostile {
            step(price, 0);
        }
    }
}

#[test]
fn the_mark_beyond_the_snapshot_stays_until_the_next_one() {
    let level = |price, qty| Level { price: Price(price), qty: Qty(qty) };
    let mut book = Book::new(BookConfig::default());
    let load =
        |book: &mut Book| book.load_snapshot(&[level(100, 1), level(98, 1)], &[level(102, 1), level(105, 1)]);
    load(&mut book);
    book.apply(&[level(97, 5), level(100, 0)], &[level(110, 1)]);
    assert!(!book.state().is_beyond_snapshot(), "the touch is still covered");
    book.apply(&[level(98, 0)], &[]);
    assert!(book.state().is_beyond_snapshot(), "97 is under the lowest snapshot bid");
    book.apply(&[level(99, 1)], &[]);
    assert!(book.state().is_beyond_snapshot(), "and remains known to be doubtful");
    load(&mut book);
    assert!(!book.state().is_beyond_snapshot());
    book.apply(&[], &[level(102, 0), level(105, 0), level(106, 1)]);
    assert!(book.state().is_beyond_snapshot(), "106 is over the highest snapshot ask");
    book.clear();
    book.apply(&[level(1, 1)], &[]);
    assert!(!book.state().is_beyond_snapshot(), "without a snapshot nothing is covered");
}

#[test]
fn locked_and_crossed_are_two_states() {
    let level = |price, qty| Level { price: Price(price), qty: Qty(qty) };
    let mut book = Book::new(BookConfig::default());
    book.load_snapshot(&[level(100, 1)], &[level(101, 1)]);
    assert!(!book.state().is_crossed_or_locked());
    book.apply(&[level(101, 1)], &[]);
    assert!(book.state().is_locked() && !book.state().is_crossed() && book.state().is_crossed_or_locked());
    book.apply(&[level(102, 1)], &[]);
    assert!(book.state().is_crossed() && !book.state().is_locked() && book.state().is_crossed_or_locked());
}
