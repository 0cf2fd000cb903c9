//! One side of a book of orders: price levels in pages of 256 neighbouring prices, a bit for each occupied level.
//!
//! A page's memory comes from a slab and returns to it when its last level empties, so any price is legal and costs
//! what is there, not how far it is. Pages are found through a small direct-mapped table; a miss asks a tree, which
//! also knows the next occupied page when one empties.
//!
//! Prices are kept as *keys* of which the highest is the best: a bid's price, an ask's price negated.

use std::collections::BTreeMap;

/// Nothing: no page, no node.
pub(super) const NIL: u32 = u32::MAX;
const PAGE_BITS: u32 = 8;
const PAGE_LEVELS: usize = 1 << PAGE_BITS;
const WORDS: usize = PAGE_LEVELS / 64;
/// Places of the table that finds pages: 16,384 prices around the touch without a look at the tree.
const FINDER: usize = 64;

/// One price level: a queue of nodes, oldest first, and their sum.
#[derive(Clone, Copy)]
pub(super) struct Level {
    pub(super) qty: i64,
    pub(super) head: u32,
    pub(super) tail: u32,
}

const EMPTY: Level = Level { qty: 0, head: NIL, tail: NIL };

struct Page {
    number: i64,
    words: [u64; WORDS],
    levels: [Level; PAGE_LEVELS],
}

/// The levels of one side.
pub(super) struct Ladder {
    pages: Vec<Page>,
    free: Vec<u32>,
    by_number: BTreeMap<i64, u32>,
    finder: [(i64, u32); FINDER],
    /// Key of the best level and its page; `NIL`: the side is empty.
    best: i64,
    best_page: u32,
}

impl Ladder {
    pub(super) fn new() -> Self {
        Self {
            pages: Vec::new(),
            free: Vec::new(),
            by_number: BTreeMap::new(),
            finder: [(0, NIL); FINDER],
            best: i64::MIN,
            best_page: NIL,
        }
    }

    /// Key and level of the best price.
    #[inline]
    pub(super) fn best(&self) -> Option<(i64, &Level)> {
        let page = self.pages.get(self.best_page as usize)?;
        Some((self.best, &page.levels[slot(self.best)]))
    }

    /// The best level's page, to change it in place; only after `best` said that there is one.
    #[inline]
    pub(super) fn best_page(&self) -> u32 {
        self.best_page
    }

    /// The level of `key` in `page`.
    #[inline]
    pub(super) fn level(&mut self, page: u32, key: i64) -> &mut Level {
        &mut self.pages[page as usize].levels[slot(key)]
    }

    /// The quantity at `key`.
    pub(super) fn qty(&self, key: i64) -> i64 {
        let page = self.by_number.get(&(key >> PAGE_BITS));
        page.map_or(0, |page| self.pages[*page as usize].levels[slot(key)].qty)
    }

    /// Makes the level of `key` occupied and returns its page: the caller gives it a node.
    #[inline]
    pub(super) fn occupy(&mut self, key: i64) -> u32 {
        let page = self.page(key >> PAGE_BITS);
        let slot = slot(key);
        self.pages[page as usize].words[slot / 64] |= 1 << (slot % 64);
        if self.best_page == NIL || key > self.best {
            (self.best, self.best_page) = (key, page);
        }
        page
    }

    /// Marks the level of `key`, which has no node left, as empty.
    #[inline]
    pub(super) fn vacate(&mut self, page: u32, key: i64) {
        let slot = slot(key);
        let here = &mut self.pages[page as usize];
        here.levels[slot] = EMPTY;
        here.words[slot / 64] &= !(1 << (slot % 64));
        if key == self.best && page == self.best_page {
            match here.below(slot) {
                Some(next) => self.best = key_at(key >> PAGE_BITS, next),
                None => {
                    self.drop_page(page);
                    self.best_of_tree();
                }
            }
        } else if here.words == [0; WORDS] {
            self.drop_page(page);
        }
    }

    /// The occupied levels from the best on.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, &Level)> {
        self.by_number.iter().rev().flat_map(|(number, page)| {
            let page = &self.pages[*page as usize];
            (0..WORDS).rev().flat_map(move |word| {
                let mut bits = page.words[word];
                std::iter::from_fn(move || {
                    let bit = bits.checked_ilog2()?;
                    bits ^= 1 << bit;
                    let slot = word * 64 + bit as usize;
                    Some((key_at(*number, slot), &page.levels[slot]))
                })
            })
        })
    }

    #[inline]
    fn page(&mut self, number: i64) -> u32 {
        let (known, page) = self.finder[place(number)];
        if known == number && page != NIL { page } else { self.page_of_tree(number) }
    }

    #[cold]
    fn page_of_tree(&mut self, number: i64) -> u32 {
        let page = match self.by_number.get(&number) {
            Some(page) => *page,
            None => {
                let page = self.free.pop().unwrap_or_else(|| {
                    self.pages.push(Page { number, words: [0; WORDS], levels: [EMPTY; PAGE_LEVELS] });
                    u32::try_from(self.pages.len() - 1).unwrap_or(NIL)
                });
                self.pages[page as usize].number = number;
                self.by_number.insert(number, page);
                page
            }
        };
        self.finder[place(number)] = (number, page);
        page
    }

    #[cold]
    fn drop_page(&mut self, page: u32) {
        let number = self.pages[page as usize].number;
        self.by_number.remove(&number);
        self.free.push(page);
        let found = &mut self.finder[place(number)];
        if found.0 == number {
            found.1 = NIL;
        }
    }

    #[cold]
    fn best_of_tree(&mut self) {
        let last = self.by_number.last_key_value();
        let best = last.and_then(|(number, page)| {
            let slot = self.pages[*page as usize].below(PAGE_LEVELS)?;
            Some((key_at(*number, slot), *page))
        });
        (self.best, self.best_page) = best.unwrap_or((i64::MIN, NIL));
    }
}

impl Page {
    /// The highest occupied level below `slot`.
    #[inline]
    fn below(&self, slot: usize) -> Option<usize> {
        let (mut word, bit) = (slot / 64, slot % 64);
        let mut bits = if word < WORDS { self.words[word] & ((1 << bit) - 1) } else { 0 };
        while bits == 0 {
            word = word.checked_sub(1)?;
            bits = self.words[word];
        }
        Some(word * 64 + 63 - bits.leading_zeros() as usize)
    }
}

#[inline]
#[allow(clippy::cast_possible_truncation, reason = "the low bits are what is asked for")]
const fn slot(key: i64) -> usize {
    key.cast_unsigned() as usize & (PAGE_LEVELS - 1)
}

#[inline]
#[allow(clippy::cast_possible_wrap, reason = "a slot is below 256")]
const fn key_at(number: i64, slot: usize) -> i64 {
    (number << PAGE_BITS) + slot as i64
}

#[inline]
#[allow(clippy::cast_possible_truncation, reason = "the low bits are what is asked for")]
const fn place(number: i64) -> usize {
    number.cast_unsigned() as usize & (FINDER - 1)
}
