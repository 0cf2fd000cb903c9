//! One instrument's book of orders (L3): price, then time of arrival, decides who trades first.
//!
//! Orders are nodes in a slab, linked into one queue a price level; a node's place is its handle. The matcher knows
//! neither accounts nor rules: what happens when an order meets a resting one the caller says, one at a time.
//!
//! Cost: O(1) to add, cancel, shrink or trade; finding the next level once one empties looks at up to four words of
//! its page, and at a tree of the occupied pages when the page has emptied with it.

use super::ladder::{Ladder, NIL};
use engine::book::BookSide;
use engine::num::{Level, Price, Qty, Side};

/// A resting order's place. Valid until the order leaves the book; then it is given to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handle(u32);

/// A resting order, as it is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting {
    /// Its place.
    pub handle: Handle,
    /// What the caller called it.
    pub tag: u32,
    /// Its price.
    pub price: Price,
    /// What is left of it, above zero.
    pub qty: Qty,
}

/// What becomes of a resting order that an incoming one meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meet {
    /// So much of it trades: above zero, at most what is left of it.
    Trade(Qty),
    /// It leaves the book without a trade.
    Remove,
    /// Nothing; the incoming order is done.
    Stop,
}

/// A book of orders.
pub struct Matcher {
    nodes: Vec<Node>,
    /// Head of the list of free nodes, linked by `next`.
    free: u32,
    sides: [Ladder; 2],
    count: usize,
}

#[derive(Clone, Copy)]
struct Node {
    key: i64,
    qty: i64,
    prev: u32,
    next: u32,
    tag: u32,
    /// Page of its level; the highest bit: an ask.
    page: u32,
}

const ASK: u32 = 1 << 31;

impl Default for Matcher {
    fn default() -> Self {
        Self::new()
    }
}

impl Matcher {
    /// An empty book. Its memory grows with what rests in it.
    #[must_use]
    pub fn new() -> Self {
        Self { nodes: Vec::new(), free: NIL, sides: [Ladder::new(), Ladder::new()], count: 0 }
    }

    /// Puts an order at the back of its price's queue, without matching it. `qty` above zero; `price` any but
    /// `i64::MIN`; `tag` is told when the order is met.
    #[inline]
    pub fn add(&mut self, side: Side, price: Price, qty: Qty, tag: u32) -> Handle {
        debug_assert!(qty.0 > 0 && price.0 != i64::MIN);
        let (key, asks) = (key_of(side, price), side as u32 * ASK);
        let ladder = &mut self.sides[side as usize];
        let page = ladder.occupy(key);
        let level = ladder.level(page, key);
        let node = Node { key, qty: qty.0, prev: level.tail, next: NIL, tag, page: page | asks };
        let place = if self.free == NIL {
            self.nodes.push(node);
            u32::try_from(self.nodes.len() - 1).unwrap_or(NIL)
        } else {
            let place = self.free;
            let free = &mut self.nodes[place as usize];
            self.free = free.next;
            *free = node;
            place
        };
        match level.tail {
            NIL => level.head = place,
            tail => self.nodes[tail as usize].next = place,
        }
        level.tail = place;
        level.qty += qty.0;
        self.count += 1;
        Handle(place)
    }

    /// Takes an order out.
    #[inline]
    pub fn remove(&mut self, handle: Handle) {
        let node = self.nodes[handle.0 as usize];
        let (page, key) = (node.page & !ASK, node.key);
        let ladder = &mut self.sides[(node.page >> 31) as usize];
        if node.prev == NIL && node.next == NIL {
            ladder.vacate(page, key);
        } else {
            let level = ladder.level(page, key);
            level.qty -= node.qty;
            match node.prev {
                NIL => level.head = node.next,
                prev => self.nodes[prev as usize].next = node.next,
            }
            match node.next {
                NIL => level.tail = node.prev,
                next => self.nodes[next as usize].prev = node.prev,
            }
        }
        self.nodes[handle.0 as usize].next = self.free;
        self.free = handle.0;
        self.count -= 1;
    }

    /// Makes an order smaller; it keeps its place. `qty`: what is left of it, above zero and below what it is.
    pub fn shrink(&mut self, handle: Handle, qty: Qty) {
        let node = &mut self.nodes[handle.0 as usize];
        debug_assert!(qty.0 > 0 && qty.0 <= node.qty);
        let less = node.qty - qty.0;
        node.qty = qty.0;
        let (page, key) = (node.page, node.key);
        self.sides[(page >> 31) as usize].level(page & !ASK, key).qty -= less;
    }

    /// Lets an order of `side` meet the resting ones at `limit` or better, best price and oldest first, until `meet`
    /// says `Stop` or there is none left. Nothing of the incoming order is added.
    #[inline]
    pub fn take(&mut self, side: Side, limit: Price, mut meet: impl FnMut(Resting) -> Meet) {
        let makers = side.opposite();
        let worst = key_of(makers, limit);
        let ladder = &mut self.sides[makers as usize];
        while let Some((key, level)) = ladder.best().filter(|(key, _)| *key >= worst) {
            let (place, page) = (level.head, ladder.best_page());
            let node = &mut self.nodes[place as usize];
            let qty = Qty(node.qty);
            let traded = match meet(Resting {
                handle: Handle(place),
                tag: node.tag,
                price: price_of(makers, key),
                qty,
            }) {
                Meet::Stop => return,
                Meet::Remove => qty.0,
                Meet::Trade(traded) => traded.0,
            };
            debug_assert!(traded > 0 && traded <= node.qty);
            if traded < node.qty {
                node.qty -= traded;
                ladder.level(page, key).qty -= traded;
                continue;
            }
            let next = node.next;
            node.next = self.free;
            self.free = place;
            self.count -= 1;
            if next == NIL {
                ladder.vacate(page, key);
            } else {
                self.nodes[next as usize].prev = NIL;
                let level = ladder.level(page, key);
                level.head = next;
                level.qty -= traded;
            }
        }
    }

    /// The orders of `side`, best price and oldest first.
    pub fn orders(&self, side: Side) -> impl Iterator<Item = Resting> {
        self.sides[side as usize].iter().flat_map(move |(key, level)| {
            let mut place = level.head;
            std::iter::from_fn(move || {
                let node = self.nodes.get(place as usize)?;
                let handle = Handle(place);
                place = node.next;
                Some(Resting { handle, tag: node.tag, price: price_of(side, key), qty: Qty(node.qty) })
            })
        })
    }

    /// The levels of a side from the best on.
    pub fn levels(&self, side: BookSide) -> impl Iterator<Item = Level> {
        let orders = side_of(side);
        let level = move |(key, level): (i64, &super::ladder::Level)| Level {
            price: price_of(orders, key),
            qty: Qty(level.qty),
        };
        self.sides[orders as usize].iter().map(level)
    }

    /// The best level of a side.
    #[inline]
    #[must_use]
    pub fn best(&self, side: BookSide) -> Option<Level> {
        let orders = side_of(side);
        let (key, level) = self.sides[orders as usize].best()?;
        Some(Level { price: price_of(orders, key), qty: Qty(level.qty) })
    }

    /// The whole quantity at a price; zero where nothing rests.
    #[must_use]
    pub fn level_qty(&self, side: BookSide, price: Price) -> Qty {
        let orders = side_of(side);
        Qty(self.sides[orders as usize].qty(key_of(orders, price)))
    }

    /// Whether an order of `side` with this limit would meet a resting one.
    #[inline]
    #[must_use]
    pub fn would_take(&self, side: Side, limit: Price) -> bool {
        let makers = side.opposite();
        self.sides[makers as usize].best().is_some_and(|(key, _)| key >= key_of(makers, limit))
    }

    /// How many orders rest.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether none rests.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

#[inline]
const fn key_of(side: Side, price: Price) -> i64 {
    match side {
        Side::Buy => price.0,
        Side::Sell => -price.0,
    }
}

#[inline]
const fn price_of(side: Side, key: i64) -> Price {
    match side {
        Side::Buy => Price(key),
        Side::Sell => Price(-key),
    }
}

/// The side of the orders that rest there.
#[inline]
const fn side_of(side: BookSide) -> Side {
    match side {
        BookSide::Bid => Side::Buy,
        BookSide::Ask => Side::Sell,
    }
}
