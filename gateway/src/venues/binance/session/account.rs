//! Everything that an account holds, asked for over REST: open orders of each instrument, and positions or balances.

use super::super::heard::{Listing, open_orders, positions, spot_balances};
use super::ledger::Ledger;
use super::rest::{Asking, Question, Rest};
use crate::counterparty::{Account, VenueOrder};
use crate::throttle::Priority;
use engine::instrument::{ContractKind, Instrument};
use engine::num::{Decimal, Level, Qty, Step};
use engine::time::Nanos;
use wire::http::Method;
use wire::json::{JsonError, Value};
use wire::net::Net;
use wire::url::encoded;

/// One question after the other, so that all of it fits beside what else is asked.
pub(super) struct AccountInquiry {
    kind: ContractKind,
    /// What is asked about.
    held: Vec<Held>,
    /// Not before: a request of an earlier process could still be taken.
    from: Nanos,
    state: State,
}

struct Held {
    place: usize,
    symbol: String,
    base: String,
    unit: Step,
    /// Spot: what the account had of the base asset when it was first asked for, which is not the engine's.
    before: Option<Qty>,
}

enum State {
    Idle,
    /// The question at hand, of those that there are, and what was answered so far.
    Asking {
        question: usize,
        asking: Option<Asking>,
        so_far: Account,
    },
    Done(Account),
}

impl AccountInquiry {
    pub(super) fn new(kind: ContractKind, instruments: &[Instrument], from: Nanos) -> Self {
        let held = instruments.iter().map(|one| Held {
            place: one.id.index(),
            symbol: one.symbol.clone(),
            base: one.base.clone(),
            unit: one.qty_unit,
            before: None,
        });
        Self { kind, held: held.collect(), from, state: State::Idle }
    }

    /// What was there before any run, by instrument id, where an earlier run has found it.
    pub(super) fn begins_at(&mut self, baselines: &[Qty]) {
        for held in &mut self.held {
            held.before = baselines.get(held.place).copied().filter(|before| before.0 >= 0);
        }
    }

    /// The same as it is known now.
    pub(super) fn baselines(&self) -> Vec<Qty> {
        let places = self.held.iter().map(|held| held.place + 1).max().unwrap_or(0);
        let mut baselines = vec![Qty(-1); places];
        for held in &self.held {
            if let (Some(place), Some(before)) = (baselines.get_mut(held.place), held.before) {
                *place = before;
            }
        }
        baselines
    }

    /// Begins, unless it is under way: whoever asks again because no answer has come yet would else throw away what was
    /// answered, and with each question a connection that nobody gives back. Each question ends with the time that the
    /// client gives an answer, and one that is not answered ends the inquiry. False: too early.
    pub(super) fn ask(&mut self, now: Nanos) -> bool {
        if now < self.from {
            return false;
        }
        if matches!(self.state, State::Asking { .. }) {
            return true;
        }
        let places = self.held.iter().map(|held| held.place + 1).max().unwrap_or(0);
        let so_far = Account { open: Vec::new(), positions: vec![Qty(0); places] };
        self.state = State::Asking { question: 0, asking: None, so_far };
        true
    }

    /// The answer, once.
    pub(super) fn take(&mut self) -> Option<Account> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Done(account) => Some(account),
            other => {
                self.state = other;
                None
            }
        }
    }

    pub(super) fn turn(&mut self, rest: &mut Rest, net: &mut Net, ledger: &mut Ledger, now: Nanos) {
        let Self { kind, held, state, .. } = self;
        let State::Asking { question, asking, so_far } = state else { return };
        let Some(asked) = asking else {
            let (path, parameters, weight) = question_of(*kind, held, *question);
            let what = "the account";
            let of = Question { what, method: Method::Get, path, parameters: &parameters };
            *asking = rest.ask(of, (Priority::Hedge, weight), ledger, now);
            return;
        };
        let asked = *asked;
        let Some(answer) = rest.answer(asked, ledger, now) else { return };
        let is_refused = answer.is_some_and(|response| response.status != 200);
        let body = answer.filter(|response| response.status == 200).map(|response| response.body);
        let read = body.map(|body| {
            let value = Value::root(body);
            match (held.get(*question), *kind) {
                (Some(_), _) => add_orders(value, &ledger.listing, so_far),
                (None, ContractKind::Spot) => {
                    if !may_trade(value) {
                        ledger.stop("the account may not trade");
                        ledger.remark(now, "the account", None, "It may not trade: nothing is traded on it.");
                    }
                    add_balances(value, held, so_far)
                }
                (None, _) => add_positions(value, &ledger.listing, so_far),
            }
        });
        let is_last = *question == held.len();
        rest.finish(net, asked);
        *state = match (read, std::mem::replace(state, State::Idle)) {
            (Some(Ok(())), State::Asking { so_far, .. }) if is_last => State::Done(so_far),
            (Some(Ok(())), State::Asking { question, so_far, .. }) => {
                State::Asking { question: question + 1, asking: None, so_far }
            }
            // Whoever asked asks again.
            _ => {
                ledger.counts.unreadable += u64::from(!is_refused);
                State::Idle
            }
        };
    }
}

/// Path, parameters and weight of a question: the open orders of each instrument, then what is held.
fn question_of(kind: ContractKind, held: &[Held], question: usize) -> (&'static str, String, u32) {
    match (held.get(question), kind) {
        (Some(of), ContractKind::Spot) => {
            ("/api/v3/openOrders", format!("symbol={}", encoded(&of.symbol)), 6)
        }
        (Some(of), _) => ("/fapi/v1/openOrders", format!("symbol={}", encoded(&of.symbol)), 1),
        (None, ContractKind::Spot) => ("/api/v3/account", "omitZeroBalances=true".to_owned(), 20),
        (None, _) => ("/fapi/v3/positionRisk", String::new(), 5),
    }
}

fn add_orders(value: Value<'_>, listing: &Listing, account: &mut Account) -> Result<(), JsonError> {
    for report in open_orders(value, listing)? {
        let report = report?;
        let (side, level, filled) = match report.reported {
            Some(reported) => (reported.side, reported.level, reported.filled),
            None => (engine::num::Side::Buy, Level::default(), Qty(0)),
        };
        let order = VenueOrder { id: report.id, instrument: report.instrument, side, level, filled };
        account.open.push(order);
    }
    Ok(())
}

fn add_positions(value: Value<'_>, listing: &Listing, account: &mut Account) -> Result<(), JsonError> {
    for position in positions(value, listing)? {
        let position = position?;
        let place = position.instrument.and_then(|id| account.positions.get_mut(id.index()));
        if let Some(place) = place {
            place.0 = place.0.saturating_add(position.qty.0);
        }
    }
    Ok(())
}

/// Whether the answer to `account` of spot says so, or says nothing of it.
fn may_trade(value: Value<'_>) -> bool {
    let said = value.fields(&["canTrade"]).ok().and_then(|fields| fields.optional("canTrade"));
    said.is_none_or(|said| said.bool().unwrap_or(true))
}

/// What there is of each base asset beyond what was there first.
fn add_balances(value: Value<'_>, held: &mut [Held], account: &mut Account) -> Result<(), JsonError> {
    let mut now = vec![Decimal::ZERO; held.len()];
    for balance in spot_balances(value)? {
        let balance = balance?;
        for (of, sum) in held.iter().zip(&mut now).filter(|(of, _)| of.base.as_bytes() == balance.asset) {
            debug_assert!(!of.symbol.is_empty());
            *sum = balance
                .free
                .checked_add(balance.locked)
                .map_err(|_| value.error(wire::json::JsonErrorKind::Number))?;
        }
    }
    for (of, sum) in held.iter_mut().zip(now) {
        let qty = floor_count(sum, of.unit);
        let before = *of.before.get_or_insert(qty);
        if let Some(place) = account.positions.get_mut(of.place) {
            *place = Qty(qty.0.saturating_sub(before.0));
        }
    }
    Ok(())
}

/// `amount` in whole units, towards minus infinity; saturates.
fn floor_count(amount: Decimal, unit: Step) -> Qty {
    let scale = amount.exponent.max(unit.exponent());
    let count = match (amount.rescaled(scale), unit.decimal(1).rescaled(scale)) {
        (Ok(amount), Ok(unit)) if unit > 0 => amount.div_euclid(unit),
        _ => i128::MAX,
    };
    Qty(i64::try_from(count).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::super::ledger::tests::{AT, instrument, ledger};
    use super::super::rest::tests::{free_connections, mute};
    use super::*;

    /// Asked by an order manager that hears nothing, once a second.
    #[test]
    fn who_asks_again_leaves_a_question_under_way_and_one_that_nobody_answers_ends() {
        let (_mute, mut rest, mut net) = mute();
        let mut ledger = ledger();
        let mut inquiry = AccountInquiry::new(ContractKind::Linear, &[instrument()], AT);
        assert!(!inquiry.ask(Nanos(AT.0 - 1)), "too early");
        let (mut now, mut begun) = (AT, 0);
        for _ in 0..60 {
            begun += u32::from(matches!(inquiry.state, State::Idle));
            assert!(inquiry.ask(now));
            rest.turn(&mut net, &|| now, now);
            inquiry.turn(&mut rest, &mut net, &mut ledger, now);
            now = now.plus(Nanos::SECOND);
        }
        assert!((5..=7).contains(&begun), "{begun} times in a minute, each for ten seconds");
        assert!(free_connections(&mut rest, now) >= 3, "one question is under way at most");
    }
}
