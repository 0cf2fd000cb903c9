//! What all positions would be worth with every open order filled: by instrument, and summed up by portfolio,
//! venue and base asset. A change of one instrument moves its three sums by the difference.

use crate::ids::InstrumentId;
use crate::num::NumError;

/// Which sums an instrument belongs to: portfolio, its venue, its base asset.
pub(super) const SCOPES: usize = 3;

/// Worst values of one instrument, or of a group of them, in the gate's common unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Everything bought that is open to buy; negative when still short then.
    pub(super) long: i128,
    /// Everything sold that is open to sell; positive when still long then.
    pub(super) short: i128,
    /// The larger of both, absolute, summed over instruments.
    pub(super) gross: i128,
}

impl Held {
    /// One instrument's.
    pub(super) fn of(long: i128, short: i128) -> Self {
        Self { long, short, gross: long.abs().max(short.abs()) }
    }

    fn moved(&self, from: &Self, to: &Self) -> Option<Self> {
        let moved = |sum: i128, from: i128, to: i128| sum.checked_sub(from)?.checked_add(to);
        Some(Self {
            long: moved(self.long, from.long, to.long)?,
            short: moved(self.short, from.short, to.short)?,
            gross: moved(self.gross, from.gross, to.gross)?,
        })
    }
}

/// Instruments and the sums over them.
#[derive(Clone, Debug)]
pub(super) struct Exposures {
    held: Vec<Held>,
    groups: Vec<Held>,
    /// By instrument, the groups it belongs to.
    groups_of: Vec<[usize; SCOPES]>,
    /// By instrument: something is held that has no value yet. It is in no sum, so that no sum over it is known; and
    /// each instrument is in the portfolio's.
    is_unvalued: Vec<bool>,
    /// Instruments of which that is so.
    unvalued: u32,
}

impl Exposures {
    /// Nothing held. `of` names each instrument's groups.
    pub(super) fn new(of: Vec<[usize; SCOPES]>) -> Self {
        let groups = of.iter().flatten().max().map_or(0, |last| last + 1);
        Self {
            held: vec![Held::default(); of.len()],
            groups: vec![Held::default(); groups],
            is_unvalued: vec![false; of.len()],
            unvalued: 0,
            groups_of: of,
        }
    }

    /// Instruments that hold something without a value.
    #[inline]
    pub(super) const fn unvalued(&self) -> u32 {
        self.unvalued
    }

    /// What an instrument holds has no value, until [`Self::hold`] says one; or it has.
    #[cold]
    pub(super) fn set_unvalued(&mut self, instrument: InstrumentId, is_unvalued: bool) {
        if let Some(place) = self.is_unvalued.get_mut(instrument.index())
            && *place != is_unvalued
        {
            *place = is_unvalued;
            self.unvalued = if is_unvalued { self.unvalued + 1 } else { self.unvalued - 1 };
        }
    }

    /// What an instrument holds.
    #[inline]
    pub(super) fn at(&self, instrument: InstrumentId) -> Held {
        self.held.get(instrument.index()).copied().unwrap_or_default()
    }

    /// The sums that an instrument belongs to, as they would be with `held` in it: before and after.
    /// Err: overflow, or no such instrument.
    #[inline]
    pub(super) fn with(
        &self,
        instrument: InstrumentId,
        held: &Held,
    ) -> Result<[(Held, Held); SCOPES], NumError> {
        let mut sums = [Default::default(); SCOPES];
        let of = self.groups_of.get(instrument.index()).ok_or(NumError::OutOfRange)?;
        let from = self.at(instrument);
        for (sum, group) in sums.iter_mut().zip(of) {
            let before = self.groups.get(*group).copied().ok_or(NumError::OutOfRange)?;
            *sum = (before, before.moved(&from, held).ok_or(NumError::Overflow)?);
        }
        Ok(sums)
    }

    /// An instrument holds this now. Err: as `with`; nothing changed.
    #[inline]
    pub(super) fn hold(&mut self, instrument: InstrumentId, held: Held) -> Result<(), NumError> {
        if self.unvalued > 0 {
            self.set_unvalued(instrument, false);
        }
        if self.at(instrument) == held {
            return Ok(());
        }
        let sums = self.with(instrument, &held)?;
        let of = self.groups_of.get(instrument.index()).copied().ok_or(NumError::OutOfRange)?;
        for (group, (_, after)) in of.into_iter().zip(sums) {
            if let Some(sum) = self.groups.get_mut(group) {
                *sum = after;
            }
        }
        if let Some(place) = self.held.get_mut(instrument.index()) {
            *place = held;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against sums made anew after every step.
        #[test]
        fn the_sums_are_those_of_all_instruments(
            steps in proptest::collection::vec((0_u32..4, -1000_i128..1000, 0_i128..1000), 1..60)
        ) {
            let of = vec![[0, 1, 3], [0, 1, 4], [0, 2, 3], [0, 2, 5]];
            let mut exposures = Exposures::new(of.clone());
            let mut all = [Held::default(); 4];
            for (index, short, more) in steps {
                let held = Held::of(short + more, short);
                all[index as usize] = held;
                exposures.hold(InstrumentId(index), held).unwrap();
                for (group, sum) in exposures.groups.iter().enumerate() {
                    let members = || all.iter().zip(&of).filter(|(_, of)| of.contains(&group)).map(|(held, _)| held);
                    prop_assert_eq!(sum.gross, members().map(|held| held.gross).sum::<i128>());
                    prop_assert_eq!(sum.long, members().map(|held| held.long).sum::<i128>());
                    prop_assert_eq!(sum.short, members().map(|held| held.short).sum::<i128>());
                }
            }
        }
    }

    #[test]
    fn an_overflow_changes_nothing() {
        let mut exposures = Exposures::new(vec![[0, 1, 2], [0, 1, 2]]);
        exposures.hold(InstrumentId(0), Held::of(i128::MAX / 2, 0)).unwrap();
        let before = exposures.groups.clone();
        assert!(exposures.hold(InstrumentId(1), Held::of(i128::MAX / 2 + 2, 0)).is_err());
        assert_eq!(exposures.groups, before);
        assert!(exposures.hold(InstrumentId(2), Held::default()).is_ok(), "nothing in nothing");
        assert!(exposures.hold(InstrumentId(2), Held::of(1, 1)).is_err());
    }
}
