//! From a symbol's text to a small number, without a comparison per known symbol: an open-addressing table,
//! built at start and at most a quarter full, of names of up to 32 bytes.

/// Names and the numbers they stand for.
#[derive(Clone, Debug)]
pub struct SymbolTable {
    slots: Box<[Slot]>,
    /// Names longer than [`NAME_BYTES_MAX`], compared one by one; no venue has any today.
    long: Vec<(Box<[u8]>, u32)>,
}

/// Bytes that a name in the table may have.
pub const NAME_BYTES_MAX: usize = 32;

type Words = [u64; NAME_BYTES_MAX / 8];

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    words: Words,
    /// 0: the slot is empty.
    len: u32,
    value: u32,
}

impl SymbolTable {
    /// A table of `names`; of equal names the last counts. An empty name is never found.
    #[must_use]
    pub fn new<'a>(names: impl IntoIterator<Item = (&'a str, u32)>) -> Self {
        let names: Vec<_> = names.into_iter().collect();
        let slots = vec![Slot::default(); (names.len() * 4).next_power_of_two().max(4)];
        let mut table = Self { slots: slots.into_boxed_slice(), long: Vec::new() };
        for (name, value) in names {
            if let Some(words) = words(name.as_bytes()) {
                let len = u32::try_from(name.len()).unwrap_or(u32::MAX);
                let index = table.probe(&words, len);
                table.slots[index] = Slot { words, len, value };
            } else {
                table.long.retain(|(known, _)| **known != *name.as_bytes());
                table.long.push((name.as_bytes().into(), value));
            }
        }
        table
    }

    /// The number of `name`. None: not in the table.
    #[inline]
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<u32> {
        let Some(words) = words(name) else { return self.find_long(name) };
        #[expect(clippy::cast_possible_truncation, reason = "at most 32")]
        let slot = self.slots.get(self.probe(&words, name.len() as u32))?;
        (slot.len != 0).then_some(slot.value)
    }

    #[cold]
    #[inline(never)]
    fn find_long(&self, name: &[u8]) -> Option<u32> {
        self.long.iter().find(|(known, _)| **known == *name).map(|(_, value)| *value)
    }

    /// The slot that holds the name, or the empty one where it would be. Ends, because slots stay empty.
    #[inline]
    fn probe(&self, words: &Words, len: u32) -> usize {
        let mask = self.slots.len() - 1;
        let mut index = hash(words) & mask;
        loop {
            let slot = &self.slots[index];
            // Word by word: as two arrays they would be compared in a vector register, which the words just made
            // would reach through memory.
            let differ = |word: usize| slot.words[word] ^ words[word];
            if slot.len == 0 || (slot.len == len && differ(0) | differ(1) | differ(2) | differ(3) == 0) {
                return index;
            }
            index = (index + 1) & mask;
        }
    }
}

/// The name's bytes as words: its first and its last, which overlap in the middle. With the length they say
/// the whole name, without a copy of so many bytes. None: longer than 32 bytes.
#[inline]
fn words(name: &[u8]) -> Option<Words> {
    let quarter = |bytes: Option<&[u8; 4]>| bytes.map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)));
    let half = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    Some(match name.len() {
        0..4 => [name.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)), 0, 0, 0],
        4..8 => [quarter(name.first_chunk()), quarter(name.last_chunk()), 0, 0],
        8..17 => [half(name.first_chunk()), half(name.last_chunk()), 0, 0],
        17..=NAME_BYTES_MAX => {
            let (front, back) = (name.first_chunk::<16>()?, name.last_chunk::<16>()?);
            [
                half(front.first_chunk()),
                half(front.last_chunk()),
                half(back.first_chunk()),
                half(back.last_chunk()),
            ]
        }
        _ => return None,
    })
}

/// Spreads the words over the table's index bits (the high half of a product knows every bit below it).
#[inline]
fn hash(words: &Words) -> usize {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let folded = words[0] ^ words[1].rotate_left(29) ^ words[2].rotate_left(41) ^ words[3].rotate_left(53);
    (folded.wrapping_mul(ODD) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_no_other() {
        let names: Vec<String> = (0..500)
            .map(|i| format!("{}{}", "X".repeat(i % 40), if i % 40 == 0 { i } else { i * 7 }))
            .collect();
        let table = SymbolTable::new(names.iter().map(String::as_str).zip(0..));
        for (name, value) in names.iter().zip(0..) {
            assert_eq!(table.find(name.as_bytes()), Some(value), "{name}");
            assert_eq!(table.find(format!("{name}\0").as_bytes()), None);
            assert_eq!(table.find(format!("_{name}").as_bytes()), None);
        }
        assert_eq!(table.find(b""), None);
        assert_eq!(SymbolTable::new([]).find(b"BTCUSDT"), None);
        assert_eq!(SymbolTable::new([("", 1)]).find(b""), None);
    }

    #[test]
    fn of_equal_names_the_last_counts() {
        let long = "L".repeat(33);
        let table = SymbolTable::new([("A", 1), ("A", 2), (&long, 3), (&long, 4)]);
        assert_eq!((table.find(b"A"), table.find(long.as_bytes())), (Some(2), Some(4)));
    }
}
