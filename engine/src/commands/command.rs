//! A command and its answer, and the bytes that they are in a lane.
//!
//! ```text
//! command  issued_ns u64, ttl_ns u64, run_id u64, kind u8, author text, subject text, count u8, (name, value)...
//! answer   accepted u8, journal u64, reason text16
//! ```
//!
//! A text is its length, one byte, and UTF-8 without control characters (a terminal shows it); `text16` has two.
//! The subject is the strategy, the instrument or the reason that the kind speaks of; empty: all, or none.

use crate::ids::Cause;
#[cfg(doc)]
use crate::ids::StrategyId;
use crate::time::Nanos;
use std::fmt;

/// Longest author, bytes.
pub const AUTHOR_BYTES_MAX: usize = 64;
/// Longest name of a strategy, an instrument or a parameter, bytes.
pub const NAME_BYTES_MAX: usize = 64;
/// Longest value of a parameter, bytes.
pub const VALUE_BYTES_MAX: usize = 40;
/// Longest reason of a kill, bytes.
pub const REASON_BYTES_MAX: usize = 200;
/// Most parameters that one command sets.
pub const PARAMS_MAX: usize = 16;
/// Longest time to live.
pub const TTL_MAX: Nanos = Nanos::HOUR;

/// One command as its writer states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Who asks, 1..=[`AUTHOR_BYTES_MAX`] bytes. For people: the file's owner is what the system vouches for.
    pub author: String,
    /// When, UTC.
    pub issued: Nanos,
    /// How long after `issued` it may be taken; above zero, at most [`TTL_MAX`].
    pub ttl: Nanos,
    /// The run it is meant for.
    pub run_id: u64,
    /// What is asked.
    pub kind: CommandKind,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandKind {
    /// Take the quotes back and place nothing new.
    Pause {
        /// None: every strategy.
        strategy: Option<String>,
    },
    /// Undo `Pause`.
    Resume {
        /// None: every strategy.
        strategy: Option<String>,
    },
    /// Cancel every open order now.
    CancelAll {
        /// `venue:symbol`. None: every instrument.
        instrument: Option<String>,
    },
    /// Change parameters, all of them at one event or none.
    Set {
        /// Whose.
        strategy: String,
        /// Name and value, 1..=[`PARAMS_MAX`], each name once.
        params: Vec<(String, String)>,
    },
    /// Place an order.
    Order {
        /// `venue:symbol`.
        instrument: String,
        /// Name and value, 1..=[`PARAMS_MAX`], each name once: `side` (buy, sell), `qty`, and where it has them
        /// `limit`, `trigger`, `tif`, `reduce_only` (1), `strategy`; the latter absent: [`StrategyId::MANUAL`].
        terms: Vec<(String, String)>,
    },
    /// Cancel one order, whoever's it is.
    Cancel {
        /// Its sequence or client order id.
        order: String,
    },
    /// Pause strategies, cancel their orders and close what they hold.
    Flatten {
        /// `venue:symbol`. None: every instrument.
        instrument: Option<String>,
        /// None: every strategy, and what was traded by hand.
        strategy: Option<String>,
    },
    /// Stop trading, cancel everything, stay stopped over restarts until released.
    Kill {
        /// For people; may be empty.
        reason: String,
    },
}

impl CommandKind {
    /// The word on the command line.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
            Self::CancelAll { .. } => "cancel-all",
            Self::Set { .. } => "set",
            Self::Order { .. } => "order",
            Self::Cancel { .. } => "cancel",
            Self::Flatten { .. } => "flatten",
            Self::Kill { .. } => "kill",
        }
    }
}

impl fmt::Display for CommandKind {
    /// As on the command line: `set quoter levels=3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Pause { strategy: Some(subject) }
            | Self::Resume { strategy: Some(subject) }
            | Self::CancelAll { instrument: Some(subject) }
            | Self::Cancel { order: subject } => write!(f, " {subject}"),
            Self::Pause { strategy: None }
            | Self::Resume { strategy: None }
            | Self::CancelAll { instrument: None } => Ok(()),
            Self::Flatten { instrument, strategy } => {
                instrument.iter().try_for_each(|subject| write!(f, " {subject}"))?;
                strategy.iter().try_for_each(|strategy| write!(f, " strategy={strategy}"))
            }
            Self::Set { strategy: subject, params } | Self::Order { instrument: subject, terms: params } => {
                write!(f, " {subject}")?;
                params.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
            }
            Self::Kill { reason } if reason.is_empty() => Ok(()),
            Self::Kill { reason } => write!(f, " {reason}"),
        }
    }
}

/// Why bytes are no command, or a command cannot be written: a field is too long, empty, out of range, has
/// control characters, or what follows it makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Which field.
    pub field: &'static str,
    /// Its first byte in the command.
    pub at: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed {} (byte {})", self.field, self.at)
    }
}

impl std::error::Error for Malformed {}

impl Command {
    /// The bytes in a lane. Err: a field that `decode` would refuse.
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        let owner: Vec<(String, String)> = match &self.kind {
            CommandKind::Flatten { strategy: Some(strategy), .. } => {
                vec![(OWNER.to_owned(), strategy.clone())]
            }
            _ => Vec::new(),
        };
        let (code, subject, params): (u8, &str, &[(String, String)]) = match &self.kind {
            CommandKind::Pause { strategy } => (1, strategy.as_deref().unwrap_or_default(), &[]),
            CommandKind::Resume { strategy } => (2, strategy.as_deref().unwrap_or_default(), &[]),
            CommandKind::CancelAll { instrument } => (3, instrument.as_deref().unwrap_or_default(), &[]),
            CommandKind::Set { strategy, params } => (4, strategy, params),
            CommandKind::Kill { reason } => (5, reason, &[]),
            CommandKind::Order { instrument, terms } => (6, instrument, terms),
            CommandKind::Cancel { order } => (7, order, &[]),
            CommandKind::Flatten { instrument, .. } => (8, instrument.as_deref().unwrap_or_default(), &owner),
        };
        let mut bytes = Vec::new();
        for word in [self.issued.0, self.ttl.0, self.run_id] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.push(code);
        push_text(&mut bytes, &self.author, "author")?;
        push_text(&mut bytes, subject, "subject")?;
        let at = bytes.len();
        bytes.push(u8::try_from(params.len()).map_err(|_| Malformed { field: "parameter count", at })?);
        for (name, value) in params {
            push_text(&mut bytes, name, "parameter")?;
            push_text(&mut bytes, value, "value")?;
        }
        // One place says what a command is; `Some("")` would read back as `None`.
        match Self::decode(&bytes) {
            Ok(same) if same == *self => Ok(bytes),
            Ok(_) => Err(Malformed { field: "subject", at: 0 }),
            Err(malformed) => Err(malformed),
        }
    }

    /// The command of a lane's bytes. Err: the first field that is not right.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields { bytes, at: 0 };
        let issued = Nanos(fields.word("issue time")?);
        let at = fields.at;
        let ttl = Nanos(fields.word("time to live")?);
        if ttl.0 == 0 || ttl > TTL_MAX {
            return Err(Malformed { field: "time to live", at });
        }
        let run_id = fields.word("run")?;
        let code_at = fields.at;
        let code = fields.byte("kind")?;
        let author = fields.text("author", 1, AUTHOR_BYTES_MAX)?;
        let (least, most) = match code {
            1..=3 | 8 => (0, NAME_BYTES_MAX),
            4 | 6 | 7 => (1, NAME_BYTES_MAX),
            5 => (0, REASON_BYTES_MAX),
            _ => return Err(Malformed { field: "kind", at: code_at }),
        };
        let subject = fields.text("subject", least, most)?;
        let params = fields.params(match code {
            4 | 6 => 1..=PARAMS_MAX,
            8 => 0..=1,
            _ => 0..=0,
        })?;
        let all_or = |subject: String| Some(subject).filter(|subject| !subject.is_empty());
        let kind = match code {
            1 => CommandKind::Pause { strategy: all_or(subject) },
            2 => CommandKind::Resume { strategy: all_or(subject) },
            3 => CommandKind::CancelAll { instrument: all_or(subject) },
            4 => CommandKind::Set { strategy: subject, params },
            5 => CommandKind::Kill { reason: subject },
            6 => CommandKind::Order { instrument: subject, terms: params },
            7 => CommandKind::Cancel { order: subject },
            _ => {
                let mut params = params.into_iter();
                let strategy = match params.next() {
                    None => None,
                    Some((name, strategy)) if name == OWNER => Some(strategy),
                    Some(_) => return Err(Malformed { field: "parameter", at: fields.at }),
                };
                CommandKind::Flatten { instrument: all_or(subject), strategy }
            }
        };
        fields.end()?;
        Ok(Self { author, issued, ttl, run_id, kind })
    }
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether it was done.
    pub accepted: bool,
    /// Why it was not; cut after [`Answer::REASON_BYTES_MAX`].
    pub reason: String,
    /// The journal record that holds it; `Cause::NONE` where there is none.
    pub journal: Cause,
}

impl Answer {
    /// Longest reason, bytes.
    pub const REASON_BYTES_MAX: usize = 400;

    /// It was done, as that record says.
    #[must_use]
    pub const fn accepted(journal: Cause) -> Self {
        Self { accepted: true, reason: String::new(), journal }
    }

    /// It was not done.
    #[must_use]
    pub fn refused(reason: impl Into<String>, journal: Cause) -> Self {
        Self { accepted: false, reason: reason.into(), journal }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let end = self.reason.floor_char_boundary(Self::REASON_BYTES_MAX);
        let reason: String = self.reason[..end].chars().filter(|c| !c.is_control()).collect();
        let mut bytes = vec![u8::from(self.accepted)];
        bytes.extend(self.journal.raw().to_le_bytes());
        // Bounded above, far below 2^16.
        bytes.extend(u16::try_from(reason.len()).unwrap_or(0).to_le_bytes());
        bytes.extend(reason.as_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Fields { bytes, at: 0 };
        let accepted = match fields.byte("state")? {
            0 => false,
            1 => true,
            _ => return Err(Malformed { field: "state", at: 0 }),
        };
        let journal = Cause::from_raw(fields.word("journal")?);
        let len_bytes = u16::from_le_bytes(fields.array("reason")?);
        let reason = fields.text_of(len_bytes.into(), "reason", 0, Self::REASON_BYTES_MAX)?;
        fields.end()?;
        Ok(Self { accepted, reason, journal })
    }
}

impl fmt::Display for Answer {
    /// `accepted, journal strategy:123` or `refused: reason`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.accepted, self.journal) {
            (true, Cause::NONE) => f.write_str("accepted"),
            (true, record) => write!(f, "accepted, journal {record}"),
            (false, _) => write!(f, "refused: {}", self.reason),
        }
    }
}

/// The name of the term that says whose an order is.
pub(super) const OWNER: &str = "strategy";

fn push_text(bytes: &mut Vec<u8>, text: &str, field: &'static str) -> Result<(), Malformed> {
    let len_bytes = u8::try_from(text.len()).map_err(|_| Malformed { field, at: bytes.len() })?;
    bytes.push(len_bytes);
    bytes.extend(text.as_bytes());
    Ok(())
}

/// Whether a terminal can show it: a control character could move its cursor or end a line early.
pub(super) fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Fields<'_> {
    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], Malformed> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let array = *rest.first_chunk().ok_or(Malformed { field, at: self.at })?;
        self.at += N;
        Ok(array)
    }

    fn word(&mut self, field: &'static str) -> Result<u64, Malformed> {
        self.array(field).map(u64::from_le_bytes)
    }

    fn byte(&mut self, field: &'static str) -> Result<u8, Malformed> {
        self.array(field).map(|[byte]| byte)
    }

    fn text(&mut self, field: &'static str, least: usize, most: usize) -> Result<String, Malformed> {
        let len_bytes = self.byte(field)?;
        self.text_of(len_bytes.into(), field, least, most)
    }

    fn text_of(
        &mut self,
        len_bytes: usize,
        field: &'static str,
        least: usize,
        most: usize,
    ) -> Result<String, Malformed> {
        let malformed = Malformed { field, at: self.at };
        let bytes = self.bytes.get(self.at..self.at + len_bytes).ok_or(malformed)?;
        let text = std::str::from_utf8(bytes).map_err(|_| malformed)?;
        if !(least..=most).contains(&len_bytes) || !is_plain(text) {
            return Err(malformed);
        }
        self.at += len_bytes;
        Ok(text.to_owned())
    }

    fn params(
        &mut self,
        counts: std::ops::RangeInclusive<usize>,
    ) -> Result<Vec<(String, String)>, Malformed> {
        let at = self.at;
        let count = usize::from(self.byte("parameter count")?);
        if !counts.contains(&count) {
            return Err(Malformed { field: "parameter count", at });
        }
        let mut params: Vec<(String, String)> = Vec::with_capacity(count);
        for _ in 0..count {
            let at = self.at;
            let name = self.text("parameter", 1, NAME_BYTES_MAX)?;
            if params.iter().any(|(before, _)| *before == name) {
                return Err(Malformed { field: "parameter", at });
            }
            params.push((name, self.text("value", 1, VALUE_BYTES_MAX)?));
        }
        Ok(params)
    }

    fn end(&self) -> Result<(), Malformed> {
        let at = self.at;
        if at == self.bytes.len() { Ok(()) } else { Err(Malformed { field: "end", at }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Lane;
    use proptest::prelude::*;

    fn kind() -> impl Strategy<Value = CommandKind> {
        let name = || "[a-z:A-Z0-9_ é]{1,30}";
        let some = move || proptest::option::of(name());
        let params = proptest::collection::btree_map("[a-z_]{1,20}", "[0-9.-]{1,20}", 1..=PARAMS_MAX);
        let terms = proptest::collection::btree_map("[a-z_]{1,20}", "[0-9.-]{1,20}", 1..=PARAMS_MAX);
        prop_oneof![
            (name(), terms).prop_map(|(instrument, terms)| CommandKind::Order {
                instrument,
                terms: terms.into_iter().collect()
            }),
            name().prop_map(|order| CommandKind::Cancel { order }),
            (some(), some()).prop_map(|(instrument, strategy)| CommandKind::Flatten { instrument, strategy }),
            some().prop_map(|strategy| CommandKind::Pause { strategy }),
            some().prop_map(|strategy| CommandKind::Resume { strategy }),
            some().prop_map(|instrument| CommandKind::CancelAll { instrument }),
            "[a-z ]{0,100}".prop_map(|reason| CommandKind::Kill { reason }),
            (name(), params).prop_map(|(strategy, params)| CommandKind::Set {
                strategy,
                params: params.into_iter().collect()
            }),
        ]
    }

    fn command(kind: CommandKind) -> Command {
        Command { author: "bob".into(), issued: Nanos(5), ttl: Nanos::SECOND, run_id: 7, kind }
    }

    proptest! {
        #[test]
        fn a_command_reads_back_as_it_was_written(kind in kind(), run_id: u64, ttl in 1..=TTL_MAX.0) {
            let command = Command { run_id, ttl: Nanos(ttl), ..command(kind) };
            let bytes = command.encode().unwrap();
            prop_assert!(bytes.len() <= super::super::layout::COMMAND_BYTES_MAX);
            prop_assert_eq!(Command::decode(&bytes), Ok(command));
            for end in 0..bytes.len() {
                prop_assert!(Command::decode(&bytes[..end]).is_err(), "cut after {}", end);
            }
        }

        #[test]
        fn what_is_read_from_any_bytes_is_written_as_those_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            if let Ok(command) = Command::decode(&bytes) {
                prop_assert_eq!(command.encode(), Ok(bytes));
            }
        }
    }

    #[test]
    fn the_largest_command_fits_its_slot() {
        let text = |bytes| "x".repeat(bytes);
        let params = (0..PARAMS_MAX).map(|i| (format!("{i:0>NAME_BYTES_MAX$}"), text(VALUE_BYTES_MAX)));
        let kind = CommandKind::Set { strategy: text(NAME_BYTES_MAX), params: params.collect() };
        let large = Command { author: text(AUTHOR_BYTES_MAX), ..command(kind) };
        assert!(large.encode().unwrap().len() <= super::super::layout::COMMAND_BYTES_MAX);
    }

    #[test]
    fn each_field_that_is_not_right_is_named() {
        let field = |change: &dyn Fn(&mut Command)| {
            let mut command = command(CommandKind::Pause { strategy: Some("quoter".into()) });
            change(&mut command);
            command.encode().unwrap_err().field
        };
        assert_eq!(field(&|c| c.author.clear()), "author");
        assert_eq!(field(&|c| c.author = "a\nb".into()), "author");
        assert_eq!(field(&|c| c.author = "x".repeat(300)), "author");
        assert_eq!(field(&|c| c.ttl = Nanos(0)), "time to live");
        assert_eq!(field(&|c| c.ttl = TTL_MAX.plus(Nanos(1))), "time to live");
        assert_eq!(field(&|c| c.kind = CommandKind::Pause { strategy: Some(String::new()) }), "subject");
        let set = |params: &[(&str, &str)]| CommandKind::Set {
            strategy: "s".into(),
            params: params.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(),
        };
        assert_eq!(field(&|c| c.kind = set(&[])), "parameter count");
        assert_eq!(field(&|c| c.kind = set(&[("a", "1"); 17])), "parameter count");
        assert_eq!(field(&|c| c.kind = set(&[("a", "1"), ("a", "2")])), "parameter");
        assert_eq!(field(&|c| c.kind = set(&[("a", "")])), "value");
        let mut bytes = command(CommandKind::Kill { reason: String::new() }).encode().unwrap();
        bytes[24] = 9;
        assert_eq!(Command::decode(&bytes), Err(Malformed { field: "kind", at: 24 }));
        bytes[24] = 5;
        bytes.push(0);
        assert_eq!(Command::decode(&bytes).unwrap_err().field, "end");
    }

    #[test]
    fn an_answer_reads_back_and_a_long_reason_is_cut() {
        let answer = Answer::accepted(Cause::new(Lane::Strategy, 123));
        assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
        let long = Answer::refused("é".repeat(300), Cause::NONE);
        let read = Answer::decode(&long.encode()).unwrap();
        assert_eq!((read.accepted, read.reason), (false, "é".repeat(200)));
        assert!(Answer::decode(&[2]).is_err() && Answer::decode(&[]).is_err());
    }

    #[test]
    fn a_command_prints_as_it_is_typed() {
        let params = vec![("levels".into(), "3".into()), ("skew".into(), "0.5".into())];
        let set = CommandKind::Set { strategy: "quoter".into(), params };
        assert_eq!(set.to_string(), "set quoter levels=3 skew=0.5");
        assert_eq!(CommandKind::CancelAll { instrument: None }.to_string(), "cancel-all");
        assert_eq!(CommandKind::Kill { reason: "too odd".into() }.to_string(), "kill too odd");
        let terms = vec![("side".into(), "buy".into()), ("qty".into(), "0.5".into())];
        let order = CommandKind::Order { instrument: "binance-usdm:BTCUSDT".into(), terms };
        assert_eq!(order.to_string(), "order binance-usdm:BTCUSDT side=buy qty=0.5");
        assert_eq!(CommandKind::Cancel { order: "sb7-1-34".into() }.to_string(), "cancel sb7-1-34");
        let flatten = |instrument: Option<&str>, strategy: Option<&str>| {
            let (instrument, strategy) = (instrument.map(Into::into), strategy.map(Into::into));
            CommandKind::Flatten { instrument, strategy }.to_string()
        };
        assert_eq!(flatten(None, None), "flatten");
        assert_eq!(flatten(Some("v:S"), Some("mm")), "flatten v:S strategy=mm");
    }
}
