//! The venue's own timer: it cancels everything of a symbol that was not heard of for so long. Futures alone have it
//! (`countdownCancelAll`); it is set again well before it runs out, and left to run out when the session ends.

use super::ledger::Ledger;
use super::rest::{Asking, Question, Rest};
use crate::throttle::Priority;
use engine::time::Nanos;
use wire::http::Method;
use wire::net::Net;
use wire::url::encoded;

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

    /// Sets the timers of all symbols one after the other, four times in a countdown, while the session is up; what is
    /// under way when it is not is brought to its end, because others need the connection.
    pub(super) fn turn(
        &mut self,
        rest: &mut Rest,
        net: &mut Net,
        ledger: &mut Ledger,
        (is_up, now): (bool, Nanos),
    ) {
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
        let Some(symbol) = self.symbols.get(self.next).filter(|_| is_up && now >= self.due) else { return };
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

#[cfg(test)]
mod tests {
    use super::super::ledger::tests::{AT, ledger};
    use super::super::rest::tests::{free_connections, mute};
    use super::*;

    #[test]
    fn a_setting_under_way_gives_its_connection_back_when_the_session_is_not_up_any_more() {
        let (_mute, mut rest, mut net) = mute();
        let (mut ledger, mut dead_man) = (ledger(), DeadMan::new(vec!["BTCUSDT".into()], 60_000));
        let mut turn = |is_up, now| {
            rest.turn(&mut net, &|| now, now);
            dead_man.turn(&mut rest, &mut net, &mut ledger, (is_up, now));
            dead_man.under_way.is_some()
        };
        assert!(!turn(false, AT) && turn(true, AT));
        let late = AT.plus(Nanos::from_ms(10_000));
        assert!(!turn(false, late) && !turn(false, late.plus(Nanos::SECOND)));
        assert_eq!(free_connections(&mut rest, late), 4);
    }
}
