//! The strategy's copy of the features that it subscribed to.

use engine::message::{Body, Cell, Features, Message};
use engine::time::Nanos;

/// What [`Features`] messages have said so far, of one instrument. Of fixed size; nothing is allocated.
#[derive(Clone, Debug)]
pub struct FeatureMirror {
    touch_age: Nanos,
    defined: u64,
    changed: u64,
    values: [f64; Features::SLOTS_MAX],
}

impl Default for FeatureMirror {
    fn default() -> Self {
        Self { touch_age: Nanos(0), defined: 0, changed: 0, values: [0.0; Features::SLOTS_MAX] }
    }
}

impl FeatureMirror {
    /// Takes a `Features` message. False: its cells are not those it speaks of (never from this process); nothing
    /// is changed then.
    #[inline]
    pub fn apply(&mut self, message: &Message<'_>) -> bool {
        let Some(features) = message.body_as::<Features>() else { return false };
        let mut told = features.changed & features.defined;
        let words = message.body.get(1..).unwrap_or_default();
        if words.len() != Features::value_cells(told) {
            return false;
        }
        let mut words = words.iter().flat_map(|cell| cell.0);
        while told != 0 {
            let slot = told.trailing_zeros() as usize;
            told &= told - 1;
            if let (Some(value), Some(bits)) = (self.values.get_mut(slot), words.next()) {
                *value = f64::from_bits(bits);
            }
        }
        (self.touch_age, self.changed, self.defined) =
            (features.touch_age, features.changed, features.defined);
        true
    }

    /// How old the touch is.
    #[inline]
    #[must_use]
    pub const fn touch_age(&self) -> Nanos {
        self.touch_age
    }

    /// The value of a slot, if it has one now.
    #[inline]
    #[must_use]
    pub fn value(&self, slot: usize) -> Option<f64> {
        let is_defined = slot < Features::SLOTS_MAX && self.defined >> slot & 1 == 1;
        if is_defined { self.values.get(slot).copied() } else { None }
    }

    /// Whether the message taken last changed this slot.
    #[inline]
    #[must_use]
    pub const fn changed(&self, slot: usize) -> bool {
        slot < Features::SLOTS_MAX && self.changed >> slot & 1 == 1
    }
}

/// Writes the body of a `Features` message into `cells` and returns it. `values` are those of all slots.
#[inline]
pub(super) fn encode<'a>(
    features: &Features,
    values: &[f64; Features::SLOTS_MAX],
    cells: &'a mut [Cell; Features::CELLS_MAX],
) -> &'a [Cell] {
    let (first, rest) = cells.split_at_mut(1);
    first.copy_from_slice(features.cells());
    let mut told = features.changed & features.defined;
    let used = Features::value_cells(told);
    for cell in rest.iter_mut().take(used) {
        for word in &mut cell.0 {
            // The rest of the last cell becomes zero: no stale bytes travel.
            *word = if told == 0 { 0 } else { values[told.trailing_zeros() as usize].to_bits() };
            told &= told.wrapping_sub(1);
        }
    }
    &cells[..1 + used]
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::message::{Head, Kind};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_sent_is_what_is_mirrored(
            steps in prop::collection::vec((any::<u64>(), any::<u64>(), any::<u32>()), 1..20),
        ) {
            let mut mirror = FeatureMirror::default();
            let mut expected = [None; Features::SLOTS_MAX];
            let mut cells = [Cell([u64::MAX; 8]); Features::CELLS_MAX];
            for (changed, noise, seed) in steps {
                // What was not changed stays as defined as it was.
                let mut defined = noise & changed;
                for (slot, value) in expected.iter().enumerate() {
                    defined |= u64::from(value.is_some() && changed >> slot & 1 == 0) << slot;
                }
                let values = std::array::from_fn(|slot| f64::from(seed) + slot as f64 / 64.0);
                for slot in 0..Features::SLOTS_MAX {
                    if changed >> slot & 1 == 1 {
                        expected[slot] = (defined >> slot & 1 == 1).then_some(values[slot]);
                    }
                }
                let features = Features { touch_age: Nanos(seed.into()), changed, defined, ..Features::default() };
                let head = Head::new(Kind::Features);
                let body = encode(&features, &values, &mut cells).to_vec();
                let taken = mirror.apply(&Message { head: &head, body: &body });
                prop_assert!(taken);
                for (slot, value) in expected.iter().enumerate() {
                    prop_assert_eq!(mirror.value(slot), *value);
                    prop_assert_eq!(mirror.changed(slot), changed >> slot & 1 == 1);
                }
                prop_assert_eq!((mirror.touch_age(), mirror.value(64)), (Nanos(seed.into()), None));
                let short = &body[..body.len() - 1];
                let taken = mirror.apply(&Message { head: &head, body: short });
                prop_assert!(!taken);
            }
        }
    }
}
