//! The key of the user stream of futures: when it is asked for, when it is told to go on living, and when the stream has
//! to follow it. Every answer about the key holds it, that to a ping too.

use engine::time::Nanos;

pub(super) struct ListenKey {
    /// Empty: none was heard yet.
    key: String,
    /// When it is told to go on living.
    keep_at: Nanos,
    /// Another one is not asked for before.
    ask_at: Nanos,
}

/// Below the hour that a key lives.
const KEEP_NS: Nanos = Nanos::from_ms(30 * 60_000);
/// Between two wishes for a key.
const ASK_NS: Nanos = Nanos::SECOND;

impl ListenKey {
    pub(super) const fn new() -> Self {
        Self { key: String::new(), keep_at: Nanos::MAX, ask_at: Nanos(0) }
    }

    /// A key was heard. True: the stream is to be opened with it, or moved to it; a stream that is up with this key stays
    /// where it is.
    pub(super) fn heard(&mut self, key: String, is_up: bool, now: Nanos) -> bool {
        self.keep_at = now.plus(KEEP_NS);
        let is_other = self.key != key;
        self.key = key;
        is_other || !is_up
    }

    /// Where the stream of the key is.
    pub(super) fn path(&self) -> String {
        format!("/private/ws/{}", self.key)
    }

    /// Whether it is time to ask for a key, because the stream is over.
    pub(super) fn may_ask(&self, now: Nanos) -> bool {
        now >= self.ask_at
    }

    pub(super) const fn was_asked_for(&mut self, now: Nanos) {
        self.ask_at = now.plus(ASK_NS);
    }

    /// Whether it is time to tell the key to go on living.
    pub(super) fn is_old(&self, now: Nanos) -> bool {
        now >= self.keep_at
    }

    pub(super) const fn was_kept(&mut self, now: Nanos) {
        self.keep_at = now.plus(KEEP_NS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_follows_a_key_that_is_another_or_that_it_is_not_up_with() {
        let mut key = ListenKey::new();
        let mut heard = |text: &str, is_up| key.heard(text.to_owned(), is_up, Nanos(0));
        assert!(heard("a", false), "the first");
        assert!(!heard("a", true), "the answer to a ping");
        assert!(heard("a", false), "the same again, and the stream is gone");
        assert!(heard("b", true), "the one before is over");
        assert!(!heard("b", true));
        assert_eq!(key.path(), "/private/ws/b");
    }

    #[test]
    fn a_key_is_kept_alive_from_when_it_was_heard_or_kept_and_asked_for_once_a_second() {
        let mut key = ListenKey::new();
        assert!(key.may_ask(Nanos(0)) && !key.is_old(Nanos(u64::MAX - 1)), "there is none yet");
        key.was_asked_for(Nanos(0));
        assert!(!key.may_ask(Nanos(ASK_NS.0 - 1)) && key.may_ask(ASK_NS));
        key.heard("a".to_owned(), false, Nanos(5));
        assert!(!key.is_old(KEEP_NS) && key.is_old(KEEP_NS.plus(Nanos(5))));
        key.was_kept(KEEP_NS);
        assert!(!key.is_old(KEEP_NS.plus(Nanos(5))));
    }
}
