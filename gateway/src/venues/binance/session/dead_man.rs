//! The venue's own timer: it cancels everything of a symbol that was not heard of for so long. Futures alone have it
//! (`countdownCancelAll`); it is set again well before it runs out, and left to run out when the session ends.

use super::ledger::Ledger;
use super::rest::{Asking, Question, Rest, encoded};
use crate::throttle::Priority;
use engine::time::Nanos;
use wire::http::Method;
use wire::net::Net;

pub(super) struct DeadMan {
    symbols: Vec<String>,
    /// After so long without us the venue cancels, ms.
    countdown_ms: u32,
    /// The symbol whose timer is set next, and when.
    next: usize,
    due: Nanos,
    under_way: Option<Asking>,
}

/// Weight of one setting.
const WEIGHT: u32 = 10;
/// After a setting that failed.
const RETRY_NS: Nanos = Nanos::SECOND;

impl DeadMan {
    pub(super) const fn new(symbols: Vec<String>, countdown_ms: u32) -> Self {
        Self { symbols, countdown_ms, next: 0, due: Nanos(0), under_way: None }
    }

    /// Sets the timers of all symbols one after the other, four times in a countdown.
    pub(super) fn turn(&mut self, rest: &mut Rest, net: &mut Net, ledger: &mut Ledger, now: Nanos) {
        if let Some(asking) = self.under_way {
            let Some(answer) = rest.answer(asking, ledger, now) else { return };
            let is_set = answer.is_some_and(|response| response.status == 200);
            rest.finish(net, asking);
            self.under_way = None;
            if is_set {
                ledger.counts.timers_set += 1;
                self.next += 1;
            } else {
                self.due = now.plus(RETRY_NS);
            }
            if self.next >= self.symbols.len() {
                self.next = 0;
                self.due = now.plus(Nanos::from_ms(u64::from(self.countdown_ms) / 4));
            }
        }
        let Some(symbol) = self.symbols.get(self.next).filter(|_| now >= self.due) else { return };
        let parameters = format!("symbol={}&countdownTime={}", encoded(symbol), self.countdown_ms);
        let question = Question {
            what: "the venue's own timer",
            method: Method::Post,
            path: "/fapi/v1/countdownCancelAll",
            parameters: &parameters,
        };
        self.under_way = rest.ask(question, (Priority::Cancel, WEIGHT), ledger, now);
        if self.under_way.is_none() {
            self.due = now.plus(RETRY_NS);
        }
    }
}
