//! Every documented refusal and the one thing to do about it. The table is the documentation too:
//! `docs/binance-errors.md` is written from it, and a test holds the two together.
//!
//! Codes are stable, messages are not: a row asks for words only where one code means several things. Spot and
//! futures use the same numbers for different things, so a row says whose it is. The first row that fits counts. What
//! no row knows leaves it open whether the request was carried out: it is asked about, never repeated.
//!
//! Source: <https://developers.binance.com/docs/binance-spot-api-docs/errors>,
//! <https://developers.binance.com/docs/derivatives/usds-margined-futures/error-code> (from the project's dossier of
//! 21 Nov 2026, section 10).

use super::heard::Refusal;
use engine::instrument::ContractKind;

/// What to do about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorAction {
    /// It was not carried out, and the same may be taken later. Nothing is sent again for it.
    Retry,
    /// It was not carried out because the clock is off: measure it again. Nothing is sent again for it.
    SignAgain,
    /// Whether it was carried out is not known, or the order is another than thought: ask what became of it.
    Resolve,
    /// It was not carried out and never will be.
    Reject,
    /// Too much was asked: what the counter counts waits until its window turns, or as long as the answer says.
    Pause,
    /// Nothing may be traded before somebody has looked: keys, permissions, bans, restrictions.
    Stop,
    /// It is already so.
    Done,
}

impl ErrorAction {
    /// Every action.
    pub const ALL: [Self; 7] =
        [Self::Retry, Self::SignAgain, Self::Resolve, Self::Reject, Self::Pause, Self::Stop, Self::Done];

    /// For people and counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::SignAgain => "sign again",
            Self::Resolve => "resolve",
            Self::Reject => "reject",
            Self::Pause => "pause",
            Self::Stop => "stop",
            Self::Done => "done",
        }
    }

    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Self::Retry => "It was not carried out; the same may be taken later.",
            Self::SignAgain => "It was not carried out. The clock is off: it is measured again at once.",
            Self::Resolve => {
                "Whether it was carried out is not known: the order is asked about, never sent again."
            }
            Self::Reject => "It was not carried out and never will be.",
            Self::Pause => {
                "What the counter counts waits until the window turns, or as long as the answer says."
            }
            Self::Stop => "Nothing is traded before somebody has looked.",
            Self::Done => "It is already so.",
        }
    }
}

/// Whose code it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorScope {
    /// Both products'.
    Both,
    /// Spot's.
    Spot,
    /// The futures'.
    Futures,
}

impl ErrorScope {
    const fn holds(self, kind: ContractKind) -> bool {
        match self {
            Self::Both => true,
            Self::Spot => matches!(kind, ContractKind::Spot),
            Self::Futures => !matches!(kind, ContractKind::Spot),
        }
    }

    /// For people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Spot => "spot",
            Self::Futures => "futures",
        }
    }
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorRule {
    /// Whose it is.
    pub scope: ErrorScope,
    /// First and last HTTP status or WebSocket API status. Both zero: any.
    pub statuses: (u16, u16),
    /// Codes from the first down to the last. Both zero: any, or none at all.
    pub codes: (i32, i32),
    /// Words that the message must have. Empty: any.
    pub words: &'static str,
    /// What to do.
    pub action: ErrorAction,
    /// What it means.
    pub meaning: &'static str,
}

impl ErrorRule {
    fn fits(&self, kind: ContractKind, status: u16, code: i32, message: &[u8]) -> bool {
        let (first, last) = self.statuses;
        let status_fits = self.statuses == (0, 0) || (first..=last).contains(&status);
        let code_fits = self.codes == (0, 0) || (self.codes.1..=self.codes.0).contains(&code);
        let words = self.words.as_bytes();
        let words_fit = words.is_empty() || message.windows(words.len()).any(|window| window == words);
        self.scope.holds(kind) && status_fits && code_fits && words_fit
    }
}

/// What to do about the refusal `code` with `message`, in an answer of this status. `code` 0: the answer has none.
#[cold]
#[must_use]
pub fn action(kind: ContractKind, status: u16, code: i32, message: &[u8]) -> ErrorAction {
    let rule = RULES.iter().find(|rule| rule.fits(kind, status, code, message));
    rule.map_or(Resolve, |rule| rule.action)
}

/// As [`action`], of a refusal that was read.
#[cold]
#[must_use]
pub fn action_of(kind: ContractKind, status: u16, refusal: &Refusal<'_>) -> ErrorAction {
    action(kind, status, refusal.code, refusal.message)
}

use ErrorAction::{Done, Pause, Reject, Resolve, Retry, SignAgain, Stop};
use ErrorScope::{Both, Futures, Spot};

const fn codes(
    scope: ErrorScope,
    codes: (i32, i32),
    action: ErrorAction,
    meaning: &'static str,
) -> ErrorRule {
    ErrorRule { scope, statuses: (0, 0), codes, words: "", action, meaning }
}

const fn code(scope: ErrorScope, code: i32, action: ErrorAction, meaning: &'static str) -> ErrorRule {
    codes(scope, (code, code), action, meaning)
}

const fn said(
    scope: ErrorScope,
    code: i32,
    words: &'static str,
    action: ErrorAction,
    meaning: &'static str,
) -> ErrorRule {
    ErrorRule { scope, statuses: (0, 0), codes: (code, code), words, action, meaning }
}

const fn statuses(first: u16, last: u16, action: ErrorAction, meaning: &'static str) -> ErrorRule {
    ErrorRule { scope: Both, statuses: (first, last), codes: (0, 0), words: "", action, meaning }
}

const fn unavailable(words: &'static str, meaning: &'static str) -> ErrorRule {
    ErrorRule { scope: Futures, statuses: (503, 503), codes: (0, 0), words, action: Retry, meaning }
}

/// All of them, by product and code; the first that fits counts.
pub const RULES: &[ErrorRule] = &[
    statuses(418, 418, Stop, "banned for a time, after going on against 429"),
    // Before the codes: whatever the code, nobody knows what became of the request.
    unavailable("Service Unavailable", "not carried out"),
    unavailable("unable to process your request", "not carried out"),
    unavailable("Request throttled by system-level protection", "not carried out"),
    code(Both, -1008, Retry, "overloaded or throttled; not carried out and not counted"),
    statuses(500, 599, Resolve, "outcome unknown"),
    statuses(408, 408, Resolve, "outcome unknown"),
    codes(Both, (-1000, -1001), Resolve, "internal error"),
    code(Both, -1002, Stop, "the key may not do this"),
    code(Both, -1003, Pause, "request weight used up"),
    code(Spot, -1004, Retry, "server busy"),
    codes(Both, (-1006, -1007), Resolve, "no answer from the engine in time: outcome unknown"),
    code(Futures, -1010, Reject, "the message cannot be read"),
    code(Futures, -1011, Stop, "this address may not use the key"),
    code(Spot, -1013, Reject, "a filter of the instrument; not sent to the engine"),
    code(Both, -1014, Reject, "unsupported combination of parameters"),
    code(Both, -1015, Pause, "too many orders in a window; cancels may go on"),
    code(Both, -1016, Retry, "the server is about to close"),
    code(Both, -1020, Reject, "unsupported operation"),
    code(Both, -1021, SignAgain, "time stamp outside the receive window"),
    code(Both, -1022, Stop, "wrong signature"),
    codes(Spot, (-1033, -1035), Reject, "FIX session"),
    codes(Both, (-1100, -1108), Reject, "a parameter is malformed, missing or too many"),
    code(Both, -1111, Reject, "more decimals than the instrument has"),
    code(Both, -1112, Reject, "no orders on the book"),
    codes(Both, (-1114, -1120), Reject, "time in force, type, side, id or interval"),
    codes(Both, (-1121, -1122), Reject, "symbol unknown, or its status another: read the instruments again"),
    code(Futures, -1125, Retry, "the listen key is gone: a new one, a new connection, then reconcile"),
    code(Both, -1127, Reject, "time span too long"),
    codes(Both, (-1128, -1130), Reject, "combination or value of a parameter"),
    codes(Both, (-1134, -1136), Reject, "a parameter's value"),
    code(Spot, -1145, Reject, "cancel restriction unknown"),
    codes(Spot, (-1151, -1168), Reject, "binary schema, symbol twice, pegs: the request is wrong"),
    codes(Spot, (-1169, -1191), Reject, "FIX message"),
    codes(Spot, (-1192, -1219), Reject, "a parameter's value or combination"),
    code(Both, -1220, Reject, "symbol status does not match: read the instruments again"),
    said(Spot, -2010, "Duplicate order", Resolve, "the id is in use: most likely the request of before"),
    said(Spot, -2010, "not permitted for this account", Stop, "the account may not trade the symbol"),
    said(Spot, -2010, "disabled on this account", Stop, "the account may not do this"),
    code(
        Spot,
        -2010,
        Reject,
        "the engine refused: balance, would take, would trigger, closed market, no liquidity",
    ),
    code(Futures, -2010, Reject, "the engine refused the order"),
    said(Both, -2011, "restrictions", Reject, "kept by a cancel restriction: the order is where it was"),
    code(Both, -2011, Resolve, "no such open order: mostly filled"),
    code(Both, -2012, Resolve, "cancel-all refused"),
    code(Both, -2013, Resolve, "no such order; a copy may lag behind by a second"),
    codes(Both, (-2014, -2015), Stop, "the key is malformed, unknown, or lacks address or permission"),
    code(Both, -2008, Stop, "the key is unknown"),
    code(Both, -2016, Reject, "no trading window"),
    code(Futures, -2017, Stop, "the keys are locked"),
    codes(Futures, (-2018, -2019), Reject, "balance or margin does not suffice"),
    code(Futures, -2020, Reject, "cannot be filled"),
    code(Spot, -2021, Resolve, "cancel-replace half done: both halves are in the answer"),
    code(Futures, -2021, Reject, "the stop would trigger at once"),
    code(Spot, -2022, Resolve, "cancel-replace failed: both halves are in the answer"),
    code(Futures, -2022, Reject, "reduce-only, and nothing to reduce: look at positions and orders"),
    code(Futures, -2023, Stop, "the account is being liquidated"),
    code(Futures, -2024, Reject, "the position is smaller"),
    code(Futures, -2025, Reject, "too many open orders"),
    code(Spot, -2026, Resolve, "archived: no fills, older than 90 days"),
    code(Futures, -2026, Reject, "order type not allowed with reduce-only"),
    codes(Futures, (-2027, -2028), Reject, "position limit of the leverage, or leverage below the margin"),
    code(Spot, -2035, Done, "user events are subscribed already"),
    code(Spot, -2036, Retry, "user events are not subscribed: subscribe again, then reconcile"),
    said(Spot, -2038, "change no state", Done, "the amendment changes nothing"),
    code(Spot, -2038, Resolve, "amendment refused"),
    code(Spot, -2039, Reject, "the two ids are not of one order"),
    code(Spot, -2042, Retry, "subscription numbers used up: a new connection"),
    code(Spot, -2043, Reject, "no reference price"),
    codes(Futures, (-4001, -4002), Reject, "price below zero or above the maximum"),
    codes(Futures, (-4003, -4005), Reject, "quantity outside its bounds"),
    codes(Futures, (-4013, -4014), Reject, "price below the minimum or between two ticks"),
    code(Futures, -4015, Reject, "client order id not allowed"),
    code(Futures, -4016, Reject, "price above the band"),
    code(Futures, -4021, Reject, "depth limit not allowed"),
    codes(Futures, (-4023, -4024), Reject, "quantity between two steps, or price below the band"),
    code(Futures, -4028, Reject, "leverage not allowed"),
    code(Futures, -4045, Reject, "too many conditional orders"),
    code(Futures, -4046, Done, "margin type is so already"),
    codes(Futures, (-4047, -4048), Reject, "margin type cannot change with open orders or a position"),
    codes(Futures, (-4050, -4051), Reject, "balance does not suffice"),
    code(Futures, -4059, Done, "position mode is so already"),
    codes(Futures, (-4060, -4061), Stop, "position side does not match the account's mode"),
    code(Futures, -4062, Reject, "reduce-only with another parameter"),
    codes(Futures, (-4067, -4068), Reject, "position mode cannot change with open orders or a position"),
    codes(Futures, (-4087, -4088), Stop, "the account may only reduce, or not trade"),
    code(Futures, -4109, Stop, "the account is not active"),
    code(Futures, -4116, Resolve, "the id is in use: the first attempt arrived"),
    code(Futures, -4117, Resolve, "the stop is triggering"),
    code(Futures, -4118, Reject, "reduce-only against open orders"),
    code(Futures, -4120, Reject, "conditional orders have a method of their own"),
    code(Futures, -4131, Reject, "market order beyond the band"),
    codes(Futures, (-4137, -4138), Reject, "close-position with another parameter"),
    codes(Futures, (-4140, -4141), Reject, "symbol not open: read the instruments again"),
    code(Futures, -4142, Reject, "the stop would trigger at once"),
    code(Futures, -4161, Reject, "leverage cannot go down with an isolated position"),
    code(Futures, -4164, Reject, "below the least value"),
    codes(Futures, (-4167, -4168), Reject, "multi-assets mode and isolated margin exclude each other"),
    code(Futures, -4171, Done, "asset mode is so already"),
    codes(Futures, (-4183, -4184), Reject, "price or stop outside the band"),
    code(Futures, -4192, Stop, "cooling-off period"),
    codes(Futures, (-4210, -4211), Reject, "stop outside the band"),
    codes(Futures, (-4400, -4403), Stop, "restricted by trading rules or region"),
    code(Futures, -4531, Stop, "position mode held by the other product"),
    code(Futures, -5021, Reject, "fill-or-kill could not be filled; not recorded"),
    code(Futures, -5022, Reject, "post-only would have taken; not recorded"),
    codes(Futures, (-5024, -5026), Reject, "cannot be amended: the order stays"),
    code(Futures, -5027, Done, "the amendment changes nothing"),
    code(Futures, -5028, SignAgain, "too late for the engine's receive window"),
    code(Futures, -5029, Reject, "below the least value after the amendment"),
    codes(Futures, (-5037, -5041), Reject, "price match, self-trade prevention or good-till date"),
    code(Futures, -5043, Retry, "another amendment of the order is under way"),
    // Answers without a code that is known.
    statuses(401, 401, Stop, "the session was logged out: key revoked or permission lost"),
    statuses(403, 403, Pause, "the firewall refused: too fast, or words that it does not like"),
    statuses(429, 429, Pause, "a limit was exceeded"),
];

/// The page of the table.
#[must_use]
pub fn page() -> String {
    let mut text = String::from(HEAD);
    for action in ErrorAction::ALL {
        text.push_str(&format!("| {} | {} |\n", action.name(), action.meaning()));
    }
    text.push_str(
        "\n| product | status | code | message has | action | meaning |\n|---|---|---|---|---|---|\n",
    );
    let span = |first: i64, last: i64| match (first, last) {
        (0, 0) => String::new(),
        _ if first == last => first.to_string(),
        _ => format!("{first} to {last}"),
    };
    for ErrorRule { scope, statuses, codes, words, action, meaning } in RULES {
        let (statuses, codes) =
            (span(statuses.0.into(), statuses.1.into()), span(codes.0.into(), codes.1.into()));
        let row = [scope.name(), &statuses, &codes, words, action.name(), meaning];
        text.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    text
}

const HEAD: &str = "# Binance's refusals, and what is done about them

Written from `gateway/src/venues/binance/errors.rs`, which is what runs; `UPDATE=1 cargo test -p gateway errors` writes this
page again. The first row that fits counts. A refusal that no row knows leaves open whether the request was carried out: it
is resolved.

| action | what it means |
|---|---|
";

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_page_is_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/binance-errors.md");
        if std::env::var_os("UPDATE").is_some() {
            fs::write(path, page()).unwrap();
        }
        let written = fs::read_to_string(path).unwrap();
        assert!(written == page(), "{path} is older than the table: run again with UPDATE=1");
    }

    #[test]
    fn a_code_means_what_its_product_means_by_it() {
        let spot = |code, message: &str| action(ContractKind::Spot, 400, code, message.as_bytes());
        let linear = |code, message: &str| action(ContractKind::Linear, 400, code, message.as_bytes());
        assert_eq!((spot(-2021, ""), linear(-2021, "")), (Resolve, Reject));
        assert_eq!((spot(-2022, ""), linear(-2022, "")), (Resolve, Reject));
        assert_eq!((spot(-2026, ""), linear(-2026, "")), (Resolve, Reject));
        assert_eq!(spot(-2010, "Account has insufficient balance for requested action."), Reject);
        assert_eq!(spot(-2010, "Duplicate order sent."), Resolve);
        assert_eq!(spot(-2010, "This action is disabled on this account."), Stop);
        assert_eq!(spot(-2011, "Unknown order sent."), Resolve);
        assert_eq!(spot(-2011, "Order was not canceled due to cancel restrictions."), Reject);
        assert_eq!(linear(-5022, ""), Reject);
        assert_eq!((linear(-1021, ""), linear(-5028, "")), (SignAgain, SignAgain));
        assert_eq!((spot(-1013, "Filter failure: LOT_SIZE"), spot(-1022, "")), (Reject, Stop));
        assert_eq!((linear(-4046, ""), linear(-5027, ""), spot(-2035, "")), (Done, Done, Done));
    }

    #[test]
    fn what_no_row_knows_and_what_fails_inside_the_venue_is_asked_about() {
        for (status, code, message, expected) in [
            (400, -9_999, "", Resolve),
            (500, 0, "<html>", Resolve),
            (503, 0, "Unknown error, please check your request or try again later.", Resolve),
            (503, 0, "Service Unavailable.", Retry),
            (503, 0, "Internal error; unable to process your request. Please try again.", Retry),
            (
                503,
                -1008,
                "Request throttled by system-level protection. Reduce-only/close-position orders are exempt.",
                Retry,
            ),
            (504, -1007, "", Resolve),
            (400, -1007, "", Resolve),
            (418, -1003, "", Stop),
            (429, -1003, "", Pause),
            (429, -1015, "", Pause),
            (429, 0, "", Pause),
            (403, 0, "", Pause),
            (401, -2015, "", Stop),
        ] {
            assert_eq!(
                action(ContractKind::Linear, status, code, message.as_bytes()),
                expected,
                "{status} {code} {message}"
            );
        }
    }

    /// Every code that the dossier's section on errors names, for both products where it says nothing else.
    #[test]
    fn every_documented_code_has_a_row() {
        let dossier = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/venues/binance.md");
        let dossier = fs::read_to_string(dossier).unwrap();
        let section = dossier.split("## 10. Errors and what to do").nth(1).unwrap();
        let section = section.split("## 11.").next().unwrap();
        let mut count = 0;
        for row in section.lines().filter(|line| line.starts_with('|')) {
            let first = row.split('|').nth(1).unwrap_or_default();
            for span in first.split('`').skip(1).step_by(2).flat_map(|span| span.split(',')) {
                let ends: Vec<i32> = span.split('…').filter_map(|end| end.trim().parse().ok()).collect();
                let (Some(from), Some(to)) = (ends.first(), ends.last()) else { continue };
                for code in *to..=*from {
                    count += 1;
                    let knows = |rule: &&ErrorRule| {
                        rule.codes != (0, 0) && (rule.codes.1..=rule.codes.0).contains(&code)
                    };
                    assert!(RULES.iter().any(|rule| knows(&rule)), "{code}, of the row {row}");
                }
            }
        }
        assert!(count > 120, "{count} codes found");
    }

    #[test]
    fn no_row_stands_behind_one_that_takes_all_of_it() {
        for (place, rule) in RULES.iter().enumerate() {
            let (first, last) = rule.codes;
            for kind in [ContractKind::Spot, ContractKind::Linear] {
                if !rule.scope.holds(kind) {
                    continue;
                }
                for code in [first, last] {
                    let found = RULES
                        .iter()
                        .position(|one| one.fits(kind, rule.statuses.0, code, rule.words.as_bytes()));
                    assert_eq!(found, Some(place), "{rule:?} is hidden");
                }
            }
        }
    }
}
