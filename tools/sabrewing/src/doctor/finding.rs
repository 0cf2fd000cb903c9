//! What a check reports: a stable id, a state, the value found and the value wanted.

use serde::Serialize;
use serde_json::Value;

/// The outcome of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// As wanted, or nothing is wanted.
    Ok,
    /// Not as recommended; the configuration does not require it.
    Warn,
    /// Not as the configuration requires.
    Fail,
    /// Could not be found out; `why` says what stood in the way.
    Unknown,
}

impl State {
    /// The state's name on screens and in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        }
    }
}

/// One check of the host. Ids are `area.property` and do not change between releases.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) id: &'static str,
    pub(crate) state: State,
    /// Whether the configuration requires `wanted`; otherwise it is a recommendation.
    pub(crate) required: bool,
    /// What was found, in words; empty when unknown.
    pub(crate) value: String,
    /// What is wanted, in words; empty when the check only informs.
    pub(crate) wanted: String,
    /// Why it matters here, or why it is unknown; empty when ok.
    pub(crate) why: String,
    /// Commands that bring the host to what is wanted; lines starting with `#` explain.
    pub(crate) advice: Vec<String>,
    /// What was found, for programs; shape by id, null when unknown.
    pub(crate) data: Value,
}

impl Finding {
    /// A check whose value is `good` or not.
    pub(crate) fn judged(id: &'static str, wanted: Wanted, good: bool, value: impl Into<String>) -> Self {
        let state = match (good, wanted.required) {
            (true, _) => State::Ok,
            (false, true) => State::Fail,
            (false, false) => State::Warn,
        };
        Self::new(id, wanted, state, value.into(), String::new())
    }

    /// A check that only informs.
    pub(crate) fn told(id: &'static str, value: impl Into<String>) -> Self {
        let wanted = Wanted { text: String::new(), required: false };
        Self::new(id, wanted, State::Ok, value.into(), String::new())
    }

    /// A check that could not be made.
    pub(crate) fn unknown(id: &'static str, wanted: Wanted, why: impl Into<String>) -> Self {
        Self::new(id, wanted, State::Unknown, String::new(), why.into())
    }

    fn new(id: &'static str, wanted: Wanted, state: State, value: String, why: String) -> Self {
        let Wanted { text, required } = wanted;
        Self { id, state, required, value, wanted: text, why, advice: Vec::new(), data: Value::Null }
    }

    /// Adds why the wanted value matters, kept only where it was not found; an unknown value has its reason.
    pub(crate) fn because(mut self, why: impl Into<String>) -> Self {
        if matches!(self.state, State::Warn | State::Fail) {
            self.why = why.into();
        }
        self
    }

    /// Adds commands, kept only when there is something to mend.
    pub(crate) fn advise<S: Into<String>>(mut self, lines: impl IntoIterator<Item = S>) -> Self {
        if matches!(self.state, State::Warn | State::Fail) {
            self.advice = lines.into_iter().map(Into::into).collect();
        }
        self
    }

    /// Adds the value for programs.
    pub(crate) fn with_data(mut self, data: Value) -> Self {
        self.data = data;
        self
    }

    /// Whether the configuration requires this and the host does not show it. A requirement that cannot be
    /// verified is unmet: a host is not taken for tuned because its `/sys` is hidden.
    pub(crate) fn is_unmet(&self) -> bool {
        self.required && self.state != State::Ok
    }
}

/// The value wanted, and who wants it.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    text: String,
    required: bool,
}

impl Wanted {
    /// Wanted by the configuration when `required`, otherwise recommended.
    pub(crate) fn new(required: bool, text: impl Into<String>) -> Self {
        Self { text: text.into(), required }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_required_check_can_fail_and_be_unmet() {
        let of = |required, good| Finding::judged("a.b", Wanted::new(required, "x"), good, "y");
        assert_eq!(of(true, false).state, State::Fail);
        assert_eq!(of(false, false).state, State::Warn);
        assert!(of(true, false).is_unmet());
        assert!(!of(false, false).is_unmet());
        assert!(!of(true, true).is_unmet());
    }

    #[test]
    fn a_requirement_that_cannot_be_verified_is_unmet() {
        assert!(Finding::unknown("a.b", Wanted::new(true, "x"), "hidden").is_unmet());
        assert!(!Finding::unknown("a.b", Wanted::new(false, "x"), "hidden").is_unmet());
    }

    #[test]
    fn a_check_that_is_ok_carries_no_advice() {
        let ok = Finding::judged("a.b", Wanted::new(false, "x"), true, "x").advise(["do"]);
        assert!(ok.advice.is_empty());
    }
}
