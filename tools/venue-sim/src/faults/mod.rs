//! Faults on purpose: what is sent is dropped, delayed, doubled, spoiled, by rules that a script or a test installs,
//! and by a seed where a rule leaves it to chance.
//!
//! Faults act between the dialect and the sockets, so that the venue itself stays right: its books and accounts are
//! the truth that a client's are compared with.

use engine::time::Nanos;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

use crate::outbox::{ConnId, Outgoing, Payload, Topic};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// A message is not sent. Public streams, unless the rule names a topic.
    Drop,
    /// A message is sent `ms` later; others may pass it. Everything, unless the rule names a topic.
    Delay,
    /// A message is sent twice. Public streams and user data, unless the rule names a topic.
    Duplicate,
    /// A message is sent after the next one to the same client. Public streams and user data, unless the rule names a
    /// topic.
    Reorder,
    /// Depth messages are lost: the chain of update ids breaks.
    Gap,
    /// Nothing leaves to a client for `ms`, then everything.
    Stall,
    /// The venue ends its side of a connection and goes on reading.
    HalfClose,
    /// A connection is reset.
    Reset,
    /// A message is replaced by text that is no JSON; `raw`: by bytes that are no frame.
    Garbage,
    /// A message of `bytes` bytes comes before the right one.
    Oversized,
    /// New connections meet a certificate that ran out.
    ExpiredCertificate,
    /// The venue's clock shows `ms` more (or less) than it is: in answers, in events, in the windows of requests.
    WrongClock,
    /// The answer to a request that placed, changed or ended an order is not sent. The request was carried out.
    LostAck,
    /// Fills come `ms` later on user data streams.
    LateFill,
    /// After `ms` of notice (`serverShutdown` on spot) every connection ends, and nothing is served.
    Maintenance,
    /// Connections to the WebSocket API end, and none is taken; streams and REST go on.
    NoApi,
    /// Connections of streams end, and none is taken; the WebSocket API and REST go on.
    NoStreams,
}

impl FaultKind {
    /// Whether it is something that holds for a time, and nothing that happens to a message.
    const fn is_state(self) -> bool {
        matches!(
            self,
            Self::ExpiredCertificate | Self::WrongClock | Self::Maintenance | Self::NoApi | Self::NoStreams
        )
    }
}

/// A group of messages, as rules name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TopicName {
    /// Depth changes and partial books.
    Depth,
    /// Other public streams.
    Market,
    /// User data, fills included.
    User,
    /// Fills.
    Fill,
    /// Answers to requests that place, change or end orders.
    OrderAnswer,
    /// All answers.
    Answer,
    /// Everything.
    Any,
}

impl TopicName {
    const fn holds(self, topic: Topic) -> bool {
        match self {
            Self::Depth => matches!(topic, Topic::Depth),
            Self::Market => matches!(topic, Topic::Market),
            Self::User => matches!(topic, Topic::User | Topic::Fill),
            Self::Fill => matches!(topic, Topic::Fill),
            Self::OrderAnswer => matches!(topic, Topic::OrderAnswer),
            Self::Answer => matches!(topic, Topic::Answer | Topic::OrderAnswer),
            Self::Any => !matches!(topic, Topic::Control),
        }
    }
}

/// One rule, as a script writes it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What goes wrong.
    pub kind: FaultKind,
    /// When it begins, ms after the rule was installed.
    #[serde(default)]
    pub after_ms: u64,
    /// How long it may happen, ms; not given: for good.
    pub for_ms: Option<u64>,
    /// How likely it is for a message, in 0..=1.
    #[serde(default = "always")]
    pub probability: f64,
    /// How often at most; not given: without end.
    pub count: Option<u64>,
    /// To which messages; not given: as the kind says.
    pub topic: Option<TopicName>,
    /// How long or how far off, ms, as the kind says.
    #[serde(default)]
    pub ms: i64,
    /// How large, bytes.
    #[serde(default = "four_mebibytes")]
    pub bytes: usize,
    /// Below the frames.
    #[serde(default)]
    pub raw: bool,
}

const fn always() -> f64 {
    1.0
}

const fn four_mebibytes() -> usize {
    4 << 20
}

/// Rules, as a file holds them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The rules, in order: the first that holds for a message decides.
    #[serde(default)]
    pub fault: Vec<Rule>,
}

impl Script {
    /// Reads TOML. Err: place and reason.
    pub fn parse(text: &str) -> Result<Self, String> {
        let script: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for rule in &script.fault {
            rule.check()?;
        }
        Ok(script)
    }

    /// Reads a file. Err: file, place and reason.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }
}

impl Rule {
    /// Reads JSON. Err: place and reason.
    pub fn parse(json: &str) -> Result<Self, String> {
        let rule: Self = serde_json::from_str(json).map_err(|error| error.to_string())?;
        rule.check()?;
        Ok(rule)
    }

    fn check(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.probability) {
            return Err(format!("probability {} is not in 0..=1", self.probability));
        }
        if self.bytes > BYTES_MAX {
            return Err(format!("bytes {} is more than {BYTES_MAX}", self.bytes));
        }
        if self.ms < 0 && self.kind != FaultKind::WrongClock {
            return Err(format!("ms {} is below 0", self.ms));
        }
        Ok(())
    }

    fn topic(&self) -> TopicName {
        self.topic.unwrap_or(match self.kind {
            FaultKind::Gap => TopicName::Depth,
            FaultKind::LostAck => TopicName::OrderAnswer,
            FaultKind::LateFill => TopicName::Fill,
            FaultKind::Drop => TopicName::Market,
            _ => TopicName::Any,
        })
    }

    fn holds(&self, topic: Topic) -> bool {
        let own = self.topic.is_none();
        match self.kind {
            FaultKind::Drop if own => matches!(topic, Topic::Depth | Topic::Market),
            FaultKind::Duplicate | FaultKind::Reorder if own => {
                matches!(topic, Topic::Depth | Topic::Market | Topic::User | Topic::Fill)
            }
            kind if kind.is_state() => false,
            _ => self.topic().holds(topic),
        }
    }
}

const BYTES_MAX: usize = 64 << 20;

struct Active {
    rule: Rule,
    from: Nanos,
    until: Nanos,
    left: u64,
}

/// The rules that are installed, and what they hold back.
pub struct Faults {
    rules: Vec<Active>,
    random: SplitMix,
    /// Held back until a time, in the order of time and then of sending.
    later: BTreeMap<(Nanos, u64), Outgoing>,
    sent: u64,
    /// Held back until the next message to the same client.
    swapped: BTreeMap<ConnId, Outgoing>,
}

impl Faults {
    /// No rules; chance comes from `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            rules: Vec::new(),
            random: SplitMix(seed),
            later: BTreeMap::new(),
            sent: 0,
            swapped: BTreeMap::new(),
        }
    }

    /// Installs a rule at `now`.
    pub fn add(&mut self, rule: Rule, now: Nanos) {
        let from = now.plus(Nanos::from_ms(rule.after_ms));
        let until = rule.for_ms.map_or(Nanos::MAX, |ms| from.plus(Nanos::from_ms(ms)));
        let left = rule.count.unwrap_or(u64::MAX);
        self.rules.push(Active { rule, from, until, left });
    }

    /// Takes all rules away. What is held back still leaves in its time.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// How many rules can still act at or after `now`.
    #[must_use]
    pub fn count(&self, now: Nanos) -> usize {
        self.rules.iter().filter(|active| active.left > 0 && now < active.until).count()
    }

    /// Whether new connections meet the certificate that ran out.
    #[must_use]
    pub fn has_expired_certificate(&self, now: Nanos) -> bool {
        self.state(FaultKind::ExpiredCertificate, now).is_some()
    }

    /// Whether the WebSocket API (`is_api`) or streams are closed.
    #[must_use]
    pub(crate) fn is_closed(&self, is_api: bool, now: Nanos) -> bool {
        self.state(if is_api { FaultKind::NoApi } else { FaultKind::NoStreams }, now).is_some()
    }

    /// What the venue's clock is off by, ms.
    #[must_use]
    pub fn clock_shift_ms(&self, now: Nanos) -> i64 {
        self.state(FaultKind::WrongClock, now).map_or(0, |active| active.rule.ms)
    }

    /// Maintenance: None, or whether its notice is over.
    #[must_use]
    pub fn maintenance(&self, now: Nanos) -> Option<bool> {
        let active = self.state(FaultKind::Maintenance, now)?;
        Some(now.0 - active.from.0 >= ms(active.rule.ms).0)
    }

    fn state(&self, kind: FaultKind, now: Nanos) -> Option<&Active> {
        self.rules.iter().find(|active| active.rule.kind == kind && active.from <= now && now < active.until)
    }

    /// What really leaves at `now` of what is sent, in order.
    pub fn pass(&mut self, now: Nanos, sent: Vec<Outgoing>) -> Vec<Outgoing> {
        let mut out = Vec::with_capacity(sent.len());
        self.due(now, &mut out);
        if self.rules.is_empty() && self.swapped.is_empty() {
            out.extend(sent);
            return out;
        }
        for message in sent {
            let conn = message.conn;
            self.one(now, message, &mut out);
            // Whoever waited for this message follows it, even if it was dropped.
            if self.swapped.get(&conn).is_some_and(|_| out.last().is_some_and(|last| last.conn == conn)) {
                out.extend(self.swapped.remove(&conn));
            }
        }
        out
    }

    fn due(&mut self, now: Nanos, out: &mut Vec<Outgoing>) {
        while let Some(entry) = self.later.first_entry().filter(|entry| entry.key().0 <= now) {
            out.push(entry.remove());
        }
    }

    fn one(&mut self, now: Nanos, message: Outgoing, out: &mut Vec<Outgoing>) {
        let Some(rule) = self.chosen(now, message.topic) else {
            out.push(message);
            return;
        };
        let conn = message.conn;
        let act = |payload| Outgoing { conn, topic: Topic::Control, payload };
        match rule.kind {
            FaultKind::Drop | FaultKind::Gap | FaultKind::LostAck => {}
            FaultKind::Delay | FaultKind::LateFill => self.hold(now.plus(ms(rule.ms)), message),
            FaultKind::Duplicate => out.extend([message.clone(), message]),
            FaultKind::Reorder => {
                // A second one to wait pushes the first one out.
                out.extend(self.swapped.insert(conn, message));
            }
            FaultKind::Stall => {
                out.extend([act(Payload::Stall), message]);
                self.hold(now.plus(ms(rule.ms)), act(Payload::Resume));
            }
            FaultKind::HalfClose => out.extend([message, act(Payload::HalfClose)]),
            FaultKind::Reset => out.extend([message, act(Payload::Reset)]),
            FaultKind::Garbage => {
                let noise: Vec<u8> = (0..40).map(|_| self.random.next().to_le_bytes()[0]).collect();
                out.push(act(if rule.raw {
                    // 0xff is no head of a frame: reserved bits are set.
                    Payload::Raw([&[0xff, 0xff], &noise[..]].concat())
                } else {
                    let text: String = noise.iter().map(|byte| char::from(b'!' + byte % 90)).collect();
                    Payload::Text(format!("}}{text}").into())
                }));
            }
            FaultKind::Oversized => {
                out.extend([act(Payload::Text("a".repeat(rule.bytes).into())), message]);
            }
            FaultKind::ExpiredCertificate
            | FaultKind::WrongClock
            | FaultKind::Maintenance
            | FaultKind::NoApi
            | FaultKind::NoStreams => out.push(message),
        }
    }

    /// The first rule that holds for a message and that chance lets act.
    fn chosen(&mut self, now: Nanos, topic: Topic) -> Option<Rule> {
        for active in &mut self.rules {
            let may = active.left > 0 && active.from <= now && now < active.until && active.rule.holds(topic);
            if may && self.random.chance(active.rule.probability) {
                active.left -= 1;
                return Some(active.rule.clone());
            }
        }
        None
    }

    fn hold(&mut self, until: Nanos, message: Outgoing) {
        self.sent += 1;
        self.later.insert((until, self.sent), message);
    }

    /// When something that is held back leaves next.
    #[must_use]
    pub fn next_due(&self) -> Nanos {
        self.later.first_key_value().map_or(Nanos::MAX, |((at, _), _)| *at)
    }

    /// A client is gone, and so is what was held back for it.
    pub fn forget(&mut self, conn: ConnId) {
        self.later.retain(|_, message| message.conn != conn);
        self.swapped.remove(&conn);
    }
}

fn ms(ms: i64) -> Nanos {
    Nanos::from_ms(u64::try_from(ms).unwrap_or(0))
}

/// Steele, Lea and Flood's SplitMix64: one state word, one answer a step.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 53 bits of the next word against a probability.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    fn chance(&mut self, probability: f64) -> bool {
        const SCALE: f64 = 1.0 / (1_u64 << 53) as f64;
        (self.next() >> 11) as f64 * SCALE < probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn messages(topics: &[Topic]) -> Vec<Outgoing> {
        let message = |(index, topic): (usize, &Topic)| Outgoing {
            conn: ConnId(1),
            topic: *topic,
            payload: Payload::Text(index.to_string().into()),
        };
        topics.iter().enumerate().map(message).collect()
    }

    fn texts(out: &[Outgoing]) -> Vec<String> {
        let shown = |message: &Outgoing| match &message.payload {
            Payload::Text(text) => text.to_string(),
            other => format!("{other:?}"),
        };
        out.iter().map(shown).collect()
    }

    fn with(rule: &str, topics: &[Topic]) -> (Faults, Vec<String>) {
        let mut faults = Faults::new(1);
        faults.add(Rule::parse(rule).unwrap(), Nanos(0));
        let out = faults.pass(Nanos(0), messages(topics));
        (faults, texts(&out))
    }

    const STREAM: [Topic; 3] = [Topic::Depth, Topic::Market, Topic::Depth];

    #[test]
    fn without_a_rule_everything_passes_in_order() {
        assert_eq!(texts(&Faults::new(1).pass(Nanos(0), messages(&STREAM))), ["0", "1", "2"]);
    }

    #[test]
    fn a_gap_takes_depth_alone_and_a_lost_ack_the_answer_alone() {
        assert_eq!(with(r#"{"kind":"gap","count":1}"#, &STREAM).1, ["1", "2"]);
        let api = [Topic::Answer, Topic::OrderAnswer, Topic::Fill];
        assert_eq!(with(r#"{"kind":"lost-ack"}"#, &api).1, ["0", "2"]);
        assert_eq!(with(r#"{"kind":"drop"}"#, &api).1, ["0", "1", "2"]);
        assert_eq!(with(r#"{"kind":"drop"}"#, &STREAM).1.len(), 0);
    }

    #[test]
    fn what_is_late_leaves_in_its_time_and_what_is_doubled_twice() {
        let (mut faults, now) = with(r#"{"kind":"late-fill","ms":5}"#, &[Topic::Fill, Topic::User]);
        assert_eq!((now, faults.next_due()), (vec!["1".to_owned()], Nanos::from_ms(5)));
        assert!(faults.pass(Nanos::from_ms(4), vec![]).is_empty());
        assert_eq!(texts(&faults.pass(Nanos::from_ms(5), vec![])), ["0"]);
        assert_eq!(with(r#"{"kind":"duplicate","count":1}"#, &STREAM).1, ["0", "0", "1", "2"]);
        assert_eq!(with(r#"{"kind":"reorder","count":1}"#, &STREAM).1, ["1", "0", "2"]);
    }

    #[test]
    fn a_stall_holds_back_and_lets_go() {
        let (mut faults, now) = with(r#"{"kind":"stall","ms":7,"count":1}"#, &STREAM);
        assert_eq!(now, ["Stall", "0", "1", "2"]);
        assert_eq!(texts(&faults.pass(Nanos::from_ms(7), vec![])), ["Resume"]);
    }

    #[test]
    fn connections_are_spoiled_where_the_rule_says() {
        assert_eq!(with(r#"{"kind":"reset","count":1}"#, &STREAM).1, ["0", "Reset", "1", "2"]);
        assert_eq!(with(r#"{"kind":"half-close","count":1}"#, &STREAM).1[1], "HalfClose");
        let garbage = &with(r#"{"kind":"garbage","count":1}"#, &STREAM).1[0];
        assert!(serde_json::from_str::<serde_json::Value>(garbage).is_err());
        assert_eq!(with(r#"{"kind":"oversized","count":1,"bytes":9}"#, &STREAM).1[0], "aaaaaaaaa");
    }

    #[test]
    fn states_hold_between_their_times() {
        let mut faults = Faults::new(1);
        for rule in [
            r#"{"kind":"wrong-clock","ms":-5000,"after_ms":10,"for_ms":10}"#,
            r#"{"kind":"expired-certificate","for_ms":10}"#,
            r#"{"kind":"maintenance","ms":5,"for_ms":20}"#,
            r#"{"kind":"no-api","for_ms":20}"#,
        ] {
            faults.add(Rule::parse(rule).unwrap(), Nanos(0));
        }
        let at = |ms: u64| Nanos::from_ms(ms);
        assert_eq!([9, 10, 19, 20].map(|ms| faults.clock_shift_ms(at(ms))), [0, -5_000, -5_000, 0]);
        assert_eq!([9, 10].map(|ms| faults.has_expired_certificate(at(ms))), [true, false]);
        assert_eq!([19, 20].map(|ms| faults.is_closed(true, at(ms))), [true, false]);
        assert!(!faults.is_closed(false, at(1)));
        assert_eq!([4, 5, 20].map(|ms| faults.maintenance(at(ms))), [Some(false), Some(true), None]);
    }

    #[test]
    fn one_seed_makes_one_choice() {
        let run = |seed| {
            let mut faults = Faults::new(seed);
            faults.add(Rule::parse(r#"{"kind":"drop","probability":0.5}"#).unwrap(), Nanos(0));
            texts(&faults.pass(Nanos(0), messages(&[Topic::Market; 100])))
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        assert!((30..70).contains(&run(7).len()));
    }

    #[test]
    fn a_script_is_read_or_refused_with_its_place() {
        let script = Script::parse("[[fault]]\nkind = 'gap'\nafter_ms = 5\ncount = 1\n").unwrap();
        assert_eq!(script.fault[0].kind, FaultKind::Gap);
        for (text, says) in [
            ("[[fault]]\nkind = 'gone'\n", "line 2"),
            ("[[fault]]\nkind = 'gap'\nevery = 1\n", "every"),
            ("[[fault]]\nkind = 'drop'\nprobability = 1.5\n", "1.5"),
            ("[[fault]]\nkind = 'delay'\nms = -1\n", "-1"),
        ] {
            let error = Script::parse(text).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    proptest! {
        #[test]
        fn text_of_any_kind_is_a_rule_in_its_ranges_or_refused(text in ".{0,120}") {
            if let Ok(rule) = Rule::parse(&text) {
                prop_assert!((0.0..=1.0).contains(&rule.probability));
            }
            let _ = Script::parse(&text);
        }
    }
}
