//! What is known of a book besides its levels: the marks that stop quoting, and what a delta touched.

use std::fmt;

use super::BookSide;

/// What holds of a book as a whole, one bit each.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct BookState(u8);

impl BookState {
    pub(super) const BIDS_EMPTY: u8 = 1;
    pub(super) const ASKS_EMPTY: u8 = 2;
    pub(super) const CROSSED: u8 = 4;
    pub(super) const LOCKED: u8 = 8;
    pub(super) const TRUNCATED: u8 = 16;
    pub(super) const BEYOND_SNAPSHOT: u8 = 32;
    const NAMES: [&'static str; 6] =
        ["bids-empty", "asks-empty", "crossed", "locked", "truncated", "beyond-snapshot"];

    pub(super) const fn from_parts(bits: u8) -> Self {
        Self(bits)
    }

    /// From the form that travels and is stored. None: a bit that no state has.
    #[inline]
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits < 1 << Self::NAMES.len() { Some(Self(bits)) } else { None }
    }

    /// The form that travels and is stored. 0: both sides are there, uncrossed, and nothing is missing.
    #[inline]
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// There is no bid.
    #[inline]
    #[must_use]
    pub const fn bids_empty(self) -> bool {
        self.0 & Self::BIDS_EMPTY != 0
    }

    /// There is no ask.
    #[inline]
    #[must_use]
    pub const fn asks_empty(self) -> bool {
        self.0 & Self::ASKS_EMPTY != 0
    }

    /// At least one side is empty.
    #[inline]
    #[must_use]
    pub const fn is_one_sided(self) -> bool {
        self.0 & (Self::BIDS_EMPTY | Self::ASKS_EMPTY) != 0
    }

    /// The best bid is above the best ask.
    #[inline]
    #[must_use]
    pub const fn is_crossed(self) -> bool {
        self.0 & Self::CROSSED != 0
    }

    /// The best bid is at the best ask.
    #[inline]
    #[must_use]
    pub const fn is_locked(self) -> bool {
        self.0 & Self::LOCKED != 0
    }

    /// The best bid is at or above the best ask: no place to quote between them.
    #[inline]
    #[must_use]
    pub const fn is_crossed_or_locked(self) -> bool {
        self.0 & (Self::CROSSED | Self::LOCKED) != 0
    }

    /// A level was dropped since the last snapshot because its side was full. `Book::truncated_at` says how
    /// near to the touch.
    #[inline]
    #[must_use]
    pub const fn is_truncated(self) -> bool {
        self.0 & Self::TRUNCATED != 0
    }

    /// Since the last snapshot the touch has been at a price that the snapshot did not cover (best bid under
    /// its lowest bid, or best ask over its highest ask): levels that did not change since may be missing
    /// there. Stays until the next snapshot.
    #[inline]
    #[must_use]
    pub const fn is_beyond_snapshot(self) -> bool {
        self.0 & Self::BEYOND_SNAPSHOT != 0
    }
}

impl fmt::Display for BookState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("sound");
        }
        let mut separator = "";
        for (bit, name) in Self::NAMES.iter().enumerate() {
            if self.0 >> bit & 1 == 1 {
                write!(f, "{separator}{name}")?;
                separator = ",";
            }
        }
        Ok(())
    }
}

impl fmt::Debug for BookState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What one delta changed: enough to know, without comparing levels, that the top of a side is as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Bid, ask: the best price whose quantity changed. None: the delta left the side as it was.
    pub touched: [Option<i64>; 2],
}

impl Applied {
    /// True when the delta may have changed a side's best N levels, the last of which was `last` before it
    /// (None: there were fewer than N, so that any change can be one of theirs).
    #[inline]
    #[must_use]
    pub fn reaches(&self, side: BookSide, last: Option<i64>) -> bool {
        match (self.touched[side as usize], last) {
            (Some(touched), Some(last)) => !side.is_better(last, touched),
            (Some(_), None) => true,
            (None, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_has_its_name_and_no_other_bit_is_accepted() {
        assert_eq!(BookState::default().to_string(), "sound");
        let all = BookState::from_bits(63).unwrap();
        assert_eq!(all.to_string(), "bids-empty,asks-empty,crossed,locked,truncated,beyond-snapshot");
        assert!(all.bids_empty() && all.asks_empty() && all.is_one_sided());
        assert!(all.is_crossed() && all.is_locked() && all.is_crossed_or_locked());
        assert!(all.is_truncated() && all.is_beyond_snapshot());
        assert_eq!(BookState::from_bits(64), None);
        for bit in 0..6 {
            let one = BookState::from_bits(1 << bit).unwrap();
            assert_eq!(one.to_string(), BookState::NAMES[bit]);
        }
    }

    #[test]
    fn a_delta_reaches_the_top_at_its_last_level_but_not_behind_it() {
        let applied = Applied { touched: [Some(100), None] };
        assert!(applied.reaches(BookSide::Bid, Some(100)));
        assert!(applied.reaches(BookSide::Bid, Some(99)));
        assert!(!applied.reaches(BookSide::Bid, Some(101)));
        assert!(applied.reaches(BookSide::Bid, None));
        assert!(!applied.reaches(BookSide::Ask, None));
        let applied = Applied { touched: [None, Some(100)] };
        assert!(applied.reaches(BookSide::Ask, Some(101)) && !applied.reaches(BookSide::Ask, Some(99)));
    }
}
