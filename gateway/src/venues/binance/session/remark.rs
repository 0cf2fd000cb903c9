//! Lines for the operator: what the venue refused, in its own words, and what was done about it.

use engine::time::Nanos;
use std::collections::VecDeque;
use std::fmt;

/// One line. No key or signature is in it: what the venue says of ours is taken out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Remark {
    /// When.
    pub at: Nanos,
    /// What it is about: what was asked for, or a part of the session.
    pub what: &'static str,
    /// The venue's code; 0: it said none.
    pub code: i32,
    /// What was done about it.
    pub done: &'static str,
    message: [u8; MESSAGE_BYTES],
    len_bytes: usize,
}

/// Bytes of the venue's message that are kept.
const MESSAGE_BYTES: usize = 120;

impl Remark {
    pub(super) fn new(at: Nanos, what: &'static str, code: i32, done: &'static str) -> Self {
        Self { at, what, code, done, message: [0; MESSAGE_BYTES], len_bytes: 0 }
    }

    /// The venue's words, as far as there is room; empty: it said none.
    #[must_use]
    pub fn message(&self) -> &str {
        let text = self.message.get(..self.len_bytes).unwrap_or_default();
        // Written as ASCII.
        std::str::from_utf8(text).unwrap_or_default()
    }

    fn push(&mut self, byte: u8) {
        let byte = if matches!(byte, b' '..=b'~') { byte } else { b'?' };
        if let Some(place) = self.message.get_mut(self.len_bytes) {
            *place = byte;
            self.len_bytes += 1;
        }
    }
}

/// As one line.
impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)?;
        if self.code != 0 {
            write!(f, ": {}", self.code)?;
        }
        if self.len_bytes > 0 {
            write!(f, " \"{}\"", self.message())?;
        }
        write!(f, ". {}", self.done)
    }
}

impl fmt::Debug for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The lines that nobody has taken yet. Takes its memory at start.
pub(super) struct Remarks {
    waiting: VecDeque<Remark>,
    /// The key's public half, which no line shows.
    api_key: String,
    /// The last line kept: what, code and when.
    last: Option<(&'static str, i32, Nanos)>,
    /// Lines for which there was no room.
    pub(super) lost: u64,
}

/// The same is said again after so long.
const AGAIN_NS: Nanos = Nanos::from_ms(60_000);
/// Lines kept: those that come first say what began.
const REMARKS_MAX: usize = 64;

impl Remarks {
    pub(super) fn new(api_key: String) -> Self {
        Self { waiting: VecDeque::with_capacity(REMARKS_MAX), api_key, last: None, lost: 0 }
    }

    /// Keeps a line, with the venue's words, unless it was the last one and that lately.
    #[cold]
    pub(super) fn push(&mut self, remark: Remark, message: &[u8]) {
        let is_again = |(what, code, at): (&str, i32, Nanos)| {
            (what, code) == (remark.what, remark.code) && remark.at < at.plus(AGAIN_NS)
        };
        if !self.last.is_some_and(is_again) {
            self.tell(remark, message);
        }
    }

    /// Keeps a line whatever was said before it.
    #[cold]
    pub(super) fn tell(&mut self, mut remark: Remark, message: &[u8]) {
        if self.waiting.len() == REMARKS_MAX {
            self.lost += 1;
            return;
        }
        self.last = Some((remark.what, remark.code, remark.at));
        let (key, mut at) = (self.api_key.as_bytes(), 0);
        while let Some(byte) = message.get(at) {
            if !key.is_empty() && message.get(at..).is_some_and(|rest| rest.starts_with(key)) {
                b"(key)".iter().for_each(|byte| remark.push(*byte));
                at += key.len();
            } else {
                remark.push(*byte);
                at += 1;
            }
        }
        self.waiting.push_back(remark);
    }

    pub(super) fn take(&mut self) -> Option<Remark> {
        self.waiting.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_was_refused_why_and_what_was_done() {
        let mut remarks = Remarks::new("k1k1".into());
        remarks.push(
            Remark::new(Nanos(5), "a new order", -2019, "It is rejected."),
            b"Margin is\ninsufficient.",
        );
        remarks.push(Remark::new(Nanos(6), "the user stream", 0, "It is opened again."), b"");
        let line = remarks.take().unwrap();
        assert_eq!(line.to_string(), "a new order: -2019 \"Margin is?insufficient.\". It is rejected.");
        assert_eq!((line.at, format!("{line:?}")), (Nanos(5), line.to_string()));
        assert_eq!(remarks.take().unwrap().to_string(), "the user stream. It is opened again.");
        assert_eq!(remarks.take(), None);
    }

    #[test]
    fn the_same_is_said_once_a_minute() {
        let mut remarks = Remarks::new("k".into());
        let mut said = |ms, code| {
            remarks.push(Remark::new(Nanos::from_ms(ms), "x", code, "y"), b"");
            remarks.take().is_some()
        };
        assert_eq!(
            [(0, 1), (59_999, 1), (60_000, 1), (60_001, 2), (60_002, 1)].map(|(ms, code)| said(ms, code)),
            [true, false, true, true, true]
        );
    }

    #[test]
    fn a_key_in_the_venues_words_is_taken_out_and_a_full_queue_keeps_the_first() {
        let mut remarks = Remarks::new("k1k1".into());
        for code in 1..=70 {
            remarks.push(Remark::new(Nanos(0), "x", code, "y"), b"key k1k1 and k1k1k1k1, k1k");
        }
        assert_eq!(remarks.lost, 6);
        let line = remarks.take().unwrap();
        assert_eq!((line.code, line.message()), (1, "key (key) and (key)(key), k1k"));
        remarks.push(Remark::new(Nanos(0), "x", 1, "y"), &[b'a'; 500]);
        assert_eq!(std::iter::from_fn(|| remarks.take()).last().unwrap().message().len(), MESSAGE_BYTES);
    }
}
