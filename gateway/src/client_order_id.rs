//! Client order ids: engine, run, sequence. Never random, never used again.
//!
//! ```text
//! sb7-12-345     engine 7, its 12th run, the run's 345th order
//! ```
//!
//! Every venue's charset takes lower-case letters, digits and `-`; the longest id has 36 characters, the
//! least that a venue here allows.

use std::fmt;

/// Longest id, bytes.
pub const LEN_MAX: usize = 36;

/// What venues know an order by: ASCII, 1 to [`LEN_MAX`] bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientOrderId {
    text: [u8; LEN_MAX],
    len: u8,
}

impl ClientOrderId {
    /// An id as a venue sent it. None: empty, longer than [`LEN_MAX`], or not printable ASCII.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut text = [0; LEN_MAX];
        text.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let printable = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_graphic);
        printable.then_some(Self { text, len: u8::try_from(bytes.len()).ok()? })
    }

    /// The id's text.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.text.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Debug for ClientOrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(self.as_bytes()).unwrap_or_default())
    }
}

/// Makes the ids of one run, and knows them again.
#[derive(Clone, Copy, Debug)]
pub struct ClientOrderIds {
    prefix: ClientOrderId,
    engine: u16,
    run: u32,
}

impl ClientOrderIds {
    /// Ids of this engine and run.
    #[must_use]
    pub fn new(engine: u16, run: u32) -> Self {
        let mut prefix = ClientOrderId { text: [0; LEN_MAX], len: 0 };
        prefix.push(b"sb");
        prefix.push_number(u64::from(engine));
        prefix.push(b"-");
        prefix.push_number(u64::from(run));
        prefix.push(b"-");
        Self { prefix, engine, run }
    }

    /// The run that the ids are of.
    #[must_use]
    pub const fn run(&self) -> u32 {
        self.run
    }

    /// The engine that the ids are of.
    #[must_use]
    pub const fn engine(&self) -> u16 {
        self.engine
    }

    /// The same engine's ids of another run.
    #[must_use]
    pub fn of_run(&self, run: u32) -> Self {
        Self::new(self.engine, run)
    }

    /// Run and sequence of an id of this engine, whichever run it is of. None: another engine's, or not ours at all.
    #[must_use]
    pub fn run_and_seq(&self, id: &ClientOrderId) -> Option<(u32, u64)> {
        if let Some(seq) = self.seq_of(id) {
            return Some((self.run, seq));
        }
        let run = id.as_bytes().split(|byte| *byte == b'-').nth(1)?;
        let run = std::str::from_utf8(run).ok()?.parse().ok()?;
        Some((run, self.of_run(run).seq_of(id)?))
    }

    /// What every id of the run begins with: all of it but the sequence.
    #[must_use]
    pub const fn prefix(&self) -> ClientOrderId {
        self.prefix
    }

    /// The id of order `seq`.
    #[inline]
    #[must_use]
    pub fn id(&self, seq: u64) -> ClientOrderId {
        let mut id = self.prefix;
        id.push_number(seq);
        id
    }

    /// The sequence of an id of this run. None: another run's, another engine's, or not ours at all.
    #[inline]
    #[must_use]
    pub fn seq_of(&self, id: &ClientOrderId) -> Option<u64> {
        let digits = id.as_bytes().strip_prefix(self.prefix.as_bytes())?;
        // No leading zero and no overflow: one order has one id.
        if digits.is_empty() || digits.len() > 19 || (digits[0] == b'0' && digits.len() > 1) {
            return None;
        }
        digits
            .iter()
            .try_fold(0_u64, |seq, digit| digit.is_ascii_digit().then(|| seq * 10 + u64::from(digit - b'0')))
    }
}

impl ClientOrderId {
    fn push(&mut self, bytes: &[u8]) {
        let start = usize::from(self.len);
        if let Some(room) = self.text.get_mut(start..start + bytes.len()) {
            room.copy_from_slice(bytes);
            #[expect(clippy::cast_possible_truncation, reason = "at most LEN_MAX")]
            (self.len += bytes.len() as u8);
        }
    }

    fn push_number(&mut self, mut number: u64) {
        let mut digits = [0_u8; 20];
        let mut start = digits.len();
        loop {
            start -= 1;
            digits[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.push(&digits[start..]);
    }
}

// The longest id: `sb` 65535 `-` 4294967295 `-` and 17 digits, more orders than a run can number (2^48).
const _: () = assert!(2 + 5 + 1 + 10 + 1 + 17 <= LEN_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_engine_run_and_sequence_and_is_known_again() {
        let ids = ClientOrderIds::new(7, 12);
        for seq in [0, 1, 9, 10, 345, (1 << 48) - 1] {
            let id = ids.id(seq);
            assert_eq!(id.as_bytes(), format!("sb7-12-{seq}").as_bytes());
            assert_eq!(ids.seq_of(&id), Some(seq));
        }
        let longest = ClientOrderIds::new(u16::MAX, u32::MAX);
        assert_eq!(longest.seq_of(&longest.id((1 << 48) - 1)), Some((1 << 48) - 1));
    }

    #[test]
    fn an_id_of_an_earlier_run_is_known_by_run_and_sequence() {
        let ids = ClientOrderIds::new(7, 12);
        assert_eq!(ids.run_and_seq(&ids.id(345)), Some((12, 345)));
        assert_eq!(ids.run_and_seq(&ids.of_run(3).id(9)), Some((3, 9)));
        for other in ["sb8-3-9", "sb7-03-9", "sb7-+3-9", "sb7-3-", "sb7-4294967296-1", "sb7", "web_1"] {
            assert_eq!(
                ids.run_and_seq(&ClientOrderId::from_bytes(other.as_bytes()).unwrap()),
                None,
                "{other}"
            );
        }
    }

    #[test]
    fn ids_of_others_are_not_ours() {
        let ids = ClientOrderIds::new(7, 12);
        for other in
            ["sb7-1-345", "sb7-12-", "sb7-12-01", "sb7-12-1x", "sb7-12-99999999999999999999", "web_1"]
        {
            assert_eq!(ids.seq_of(&ClientOrderId::from_bytes(other.as_bytes()).unwrap()), None, "{other}");
        }
        assert_eq!(ClientOrderId::from_bytes(b""), None);
        assert_eq!(ClientOrderId::from_bytes(&[b'a'; 37]), None);
        assert_eq!(ClientOrderId::from_bytes(b"a b"), None);
    }
}
