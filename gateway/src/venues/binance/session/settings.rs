//! What an account of USD-M must be like before it is traded on: one-way mode, which is asked for and never changed, and
//! the leverage and margin type that are configured, which are set. One question after the other, over REST.
//!
//! Source: the project's dossier of 21 Nov 2026, section 14.

use super::super::errors::{ErrorAction, action_of};
use super::super::heard::rest_refusal;
use super::ledger::Ledger;
use super::rest::{Asking, Question, Rest};
use crate::throttle::Priority;
use engine::instrument::ContractKind;
use engine::time::Nanos;
use wire::http::{Method, Response};
use wire::json::Value;
use wire::net::Net;
use wire::url::encoded;

/// What is set of every instrument of a session at start; futures alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FuturesSettings {
    /// Leverage, 1 to 125 as far as the instrument allows. None: as it is.
    pub leverage: Option<u8>,
    /// Margin type. None: as it is.
    pub margin: Option<MarginMode>,
}

/// What a position's margin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarginMode {
    /// The whole account.
    Cross,
    /// What was put aside for it.
    Isolated,
}

pub(super) struct Settings {
    kind: ContractKind,
    /// Those that are left, the next one last.
    left: Vec<Step>,
    asking: Option<Asking>,
    /// Not before.
    due: Nanos,
}

enum Step {
    OneWay,
    Margin(String, MarginMode),
    Leverage(String, u8),
}

/// Weight of the question for the position mode; what sets costs 1.
const MODE_WEIGHT: u32 = 30;
/// After one that came to nothing.
const RETRY_NS: Nanos = Nanos::SECOND;

impl Settings {
    pub(super) fn new(kind: ContractKind, symbols: &[String], wanted: FuturesSettings) -> Self {
        let mut steps = Vec::new();
        if kind == ContractKind::Linear {
            steps.push(Step::OneWay);
            for symbol in symbols {
                // The margin type first: with isolated margin and a position, leverage cannot go down.
                steps.extend(wanted.margin.map(|mode| Step::Margin(symbol.clone(), mode)));
                steps.extend(wanted.leverage.map(|leverage| Step::Leverage(symbol.clone(), leverage)));
            }
        }
        steps.reverse();
        Self { kind, left: steps, asking: None, due: Nanos(0) }
    }

    /// Whether the account is as it must be.
    #[inline]
    pub(super) const fn are_done(&self) -> bool {
        self.left.is_empty()
    }

    pub(super) fn turn(&mut self, rest: &mut Rest, net: &mut Net, ledger: &mut Ledger, now: Nanos) {
        let Some(step) = self.left.last() else { return };
        let Some(asking) = self.asking else {
            if now >= self.due && ledger.stopped.is_none() {
                self.asking = step.ask(rest, ledger, now);
                self.due = now.plus(RETRY_NS);
            }
            return;
        };
        let Some(answer) = rest.answer(asking, ledger, now) else { return };
        let is_so = answer.is_some_and(|response| step.is_so(self.kind, &response, ledger, now));
        rest.finish(net, asking);
        self.asking = None;
        self.due = now.plus(RETRY_NS);
        if is_so {
            self.left.pop();
            self.due = Nanos(0);
        }
    }
}

impl Step {
    fn ask(&self, rest: &mut Rest, ledger: &mut Ledger, now: Nanos) -> Option<Asking> {
        let what = self.name();
        let (method, path, parameters, weight) = match self {
            Self::OneWay => (Method::Get, "/fapi/v1/positionSide/dual", String::new(), MODE_WEIGHT),
            Self::Margin(symbol, mode) => {
                let mode = if *mode == MarginMode::Cross { "CROSSED" } else { "ISOLATED" };
                let parameters = format!("symbol={}&marginType={mode}", encoded(symbol));
                (Method::Post, "/fapi/v1/marginType", parameters, 1)
            }
            Self::Leverage(symbol, leverage) => {
                let parameters = format!("symbol={}&leverage={leverage}", encoded(symbol));
                (Method::Post, "/fapi/v1/leverage", parameters, 1)
            }
        };
        let question = Question { what, method, path, parameters: &parameters };
        rest.ask(question, (Priority::Hedge, weight), ledger, now)
    }

    /// Whether the answer says that the account is so. False: asked again, or nothing is traded.
    fn is_so(&self, kind: ContractKind, response: &Response<'_>, ledger: &mut Ledger, now: Nanos) -> bool {
        let body = Value::root(response.body);
        if response.status != 200 {
            return is_done(kind, response, ledger);
        }
        let said = body.fields(&["dualSidePosition", "leverage"]).ok();
        let said = |key: &'static str| said.as_ref().and_then(|fields| fields.optional(key));
        match self {
            Self::OneWay => match said("dualSidePosition").map(|dual| dual.bool()) {
                Some(Ok(false)) => true,
                Some(Ok(true)) => {
                    ledger.stop("the account is in hedge mode, and the engine trades in one-way mode");
                    ledger.remark(now, self.name(), None, "It is hedge mode: nothing is traded on it.");
                    false
                }
                _ => false,
            },
            Self::Margin(..) => true,
            Self::Leverage(_, wanted) => {
                said("leverage").and_then(|is| is.uint().ok()) == Some(u64::from(*wanted))
            }
        }
    }

    const fn name(&self) -> &'static str {
        match self {
            Self::OneWay => "the account's position mode",
            Self::Margin(..) => "the margin type",
            Self::Leverage(..) => "the leverage",
        }
    }
}

/// Whether a refusal says that it is so already. What it is about was told with the refusal; what will not be otherwise
/// when it is asked for again stops.
fn is_done(kind: ContractKind, response: &Response<'_>, ledger: &mut Ledger) -> bool {
    let refusal = rest_refusal(response.body);
    let action = refusal.map_or(ErrorAction::Resolve, |refusal| action_of(kind, response.status, &refusal));
    let is_for_good = match action {
        ErrorAction::Done => return true,
        ErrorAction::Reject | ErrorAction::Stop => true,
        ErrorAction::Resolve => response.status < 500,
        ErrorAction::Retry | ErrorAction::SignAgain | ErrorAction::Pause => false,
    };
    if is_for_good {
        ledger.stop("the account cannot be set as configured");
    }
    false
}
