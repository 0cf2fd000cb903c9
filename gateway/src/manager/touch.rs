//! What the journal is told of an instrument's touch: enough to value every fill when it came and later, without
//! a record for every change of the book.

use engine::journal::schema::Touch;
use engine::message::BookChanged;
use engine::time::Nanos;

/// The touch of one instrument, now and as the journal has it.
pub(super) struct TouchSeries {
    now: Touch,
    told: Touch,
    told_at: Nanos,
}

impl Default for TouchSeries {
    fn default() -> Self {
        Self { now: Touch::UNSEEN, told: Touch::UNSEEN, told_at: Nanos(0) }
    }
}

impl TouchSeries {
    /// The book after a message. Returns the touch when the journal is to be told of it.
    #[inline]
    pub(super) fn see(&mut self, book: &BookChanged, at: Nanos) -> Option<Touch> {
        self.now = Touch::of(book);
        // A touch that is not the market's any more must not stand for it until the next one is due.
        let is_due = at.since(self.told_at) >= EVERY || self.now.is_sound() != self.told.is_sound();
        if is_due { self.untold(at) } else { None }
    }

    /// The touch, unless the journal was told the same last.
    #[inline]
    pub(super) fn untold(&mut self, at: Nanos) -> Option<Touch> {
        if self.now == self.told {
            return None;
        }
        (self.told, self.told_at) = (self.now, at);
        Some(self.now)
    }
}

/// Time between two records that nothing but a change calls for.
const EVERY: Nanos = Nanos::from_ms(100);

#[cfg(test)]
mod tests {
    use super::*;
    use engine::message::book_state;
    use engine::num::{Level, Price, Qty};

    fn book(bid: i64, state: u32) -> BookChanged {
        let level = |price| Level { price: Price(price), qty: Qty(1) };
        BookChanged { bid: level(bid), ask: level(bid + 1), state, ..BookChanged::default() }
    }

    #[test]
    fn a_change_is_told_ten_times_a_second_at_most_and_the_same_touch_never_again() {
        let mut series = TouchSeries::default();
        let mut told = Vec::new();
        for (ms, bid) in [(1_000, 100), (1_010, 101), (1_099, 102), (1_100, 102), (1_300, 102), (1_301, 103)]
        {
            told.extend(series.see(&book(bid, 0), Nanos::from_ms(ms)).map(|touch| (ms, touch.bid.0)));
        }
        assert_eq!(told, [(1_000, 100), (1_100, 102), (1_301, 103)]);
    }

    #[test]
    fn a_touch_that_turns_bad_or_good_and_one_that_is_asked_for_are_told_at_once() {
        let mut series = TouchSeries::default();
        let at = Nanos::from_ms;
        assert!(series.untold(at(1)).is_none(), "nothing has been seen");
        assert!(series.see(&book(100, 0), at(1_000)).is_some());
        assert!(series.see(&book(100, book_state::STALE), at(1_001)).is_some());
        assert!(series.see(&book(101, book_state::STALE), at(1_002)).is_none());
        assert!(series.see(&book(101, 0), at(1_003)).is_some());
        assert!(series.see(&book(102, 0), at(1_004)).is_none());
        assert_eq!(series.untold(at(1_004)).map(|touch| touch.bid), Some(Price(102)));
        assert!(series.untold(at(1_004)).is_none());
    }
}
