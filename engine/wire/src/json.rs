//! JSON of any shape, read where it lies: no copy, no memory, one pass for each object that is opened. What an
//! object holds beside the keys asked for is passed over, but it must be JSON too.
//!
//! Texts are lent as they stand in the frame. Those that hold an escape are refused where they mean something (keys,
//! symbols, ids, numbers), and shown as they stand where they are for people ([`Value::words`]).

use engine::num::{Decimal, NumError, Step};
use engine::time::Nanos;
use std::fmt;

/// A JSON value in a frame, with the key it was found under.
#[derive(Clone, Copy, Debug)]
pub struct Value<'t> {
    frame: &'t [u8],
    /// Where its first byte stands.
    start: usize,
    key: &'static str,
    /// Nothing but white space may follow it.
    is_root: bool,
}

/// Why a frame does not say what it should: Copy, for counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// The key whose value it is about; empty: the frame itself.
    pub key: &'static str,
    /// Byte of the frame.
    pub offset: usize,
}

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JsonErrorKind {
    /// Not JSON.
    Syntax,
    /// Deeper than any message is.
    TooDeep,
    /// An escape where a text is compared.
    Escape,
    /// A key that the message must have is not there.
    Missing,
    /// A key is there twice.
    Twice,
    /// A value is of another type.
    Type,
    /// A number that is none, or beyond its range.
    Number,
    /// Between two ticks or units.
    OffStep,
    /// A text that none of the known ones is.
    Unknown,
}

impl JsonErrorKind {
    /// Every kind, for counters.
    pub const ALL: [Self; 9] = [
        Self::Syntax,
        Self::TooDeep,
        Self::Escape,
        Self::Missing,
        Self::Twice,
        Self::Type,
        Self::Number,
        Self::OffStep,
        Self::Unknown,
    ];

    /// For people and counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syntax => "not JSON",
            Self::TooDeep => "nested too deeply",
            Self::Escape => "an escape in a text that is compared",
            Self::Missing => "is missing",
            Self::Twice => "is there twice",
            Self::Type => "is of another type",
            Self::Number => "is no number in range",
            Self::OffStep => "is between two ticks or units",
            Self::Unknown => "is none of the known values",
        }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "`{}`: ", self.key)?;
        }
        write!(f, "{} at byte {}", self.kind.name(), self.offset)
    }
}

impl std::error::Error for JsonError {}

impl<'t> Value<'t> {
    /// The value that a frame is. Nothing is read yet: what is wrong is found by whoever opens it.
    #[must_use]
    pub fn root(frame: &'t [u8]) -> Self {
        Self { frame, start: space(frame, 0), key: "", is_root: true }
    }

    /// An error about this value.
    #[must_use]
    pub const fn error(&self, kind: JsonErrorKind) -> JsonError {
        JsonError { kind, key: self.key, offset: self.start }
    }

    fn first(&self) -> Option<u8> {
        self.frame.get(self.start).copied()
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.first() == Some(b'{')
    }

    /// Whether it is an array.
    #[must_use]
    pub fn is_array(&self) -> bool {
        self.first() == Some(b'[')
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.first() == Some(b'n')
    }

    /// Checks the whole value, whatever it holds, and where it is a frame's that nothing follows.
    /// Err: not JSON.
    pub fn check(&self) -> Result<(), JsonError> {
        let end = skip(self.frame, self.start, 0)?;
        self.ends_at(end)
    }

    fn ends_at(&self, end: usize) -> Result<(), JsonError> {
        if self.is_root && space(self.frame, end) != self.frame.len() {
            return Err(JsonError { kind: JsonErrorKind::Syntax, key: "", offset: space(self.frame, end) });
        }
        Ok(())
    }

    /// A text for people: as it stands, escapes and all. Err: not a text.
    pub fn words(&self) -> Result<&'t [u8], JsonError> {
        if self.first() != Some(b'"') {
            return Err(self.error(JsonErrorKind::Type));
        }
        let end = skip_text(self.frame, self.start)?;
        Ok(self.frame.get(self.start + 1..end - 1).unwrap_or_default())
    }

    /// A text. Err: not a text; an escape in it.
    pub fn text(&self) -> Result<&'t [u8], JsonError> {
        let text = self.words()?;
        if text.contains(&b'\\') { Err(self.error(JsonErrorKind::Escape)) } else { Ok(text) }
    }

    /// One of the texts of `named`. Err: not a text; none of them.
    pub fn named<T>(&self, named: impl Fn(&[u8]) -> Option<T>) -> Result<T, JsonError> {
        named(self.text()?).ok_or_else(|| self.error(JsonErrorKind::Unknown))
    }

    /// Err: not a boolean.
    pub fn bool(&self) -> Result<bool, JsonError> {
        let rest = self.frame.get(self.start..).unwrap_or_default();
        match rest {
            [b't', b'r', b'u', b'e', ..] => Ok(true),
            [b'f', b'a', b'l', b's', b'e', ..] => Ok(false),
            _ => Err(self.error(JsonErrorKind::Type)),
        }
    }

    /// A whole number. Err: not a number; a fraction or an exponent; beyond `i64`.
    pub fn int(&self) -> Result<i64, JsonError> {
        let rest = self.frame.get(self.start..).unwrap_or_default();
        let (is_negative, rest) = match rest.strip_prefix(b"-") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        if !rest.first().is_some_and(u8::is_ascii_digit) {
            return Err(self.error(JsonErrorKind::Type));
        }
        let bad = || self.error(JsonErrorKind::Number);
        let (mut value, mut len) = (0_i64, 0);
        for byte in rest.iter().take_while(|byte| byte.is_ascii_digit()) {
            // Counted below zero, so that the least number has room.
            let digit = i64::from(byte - b'0');
            value = value.checked_mul(10).and_then(|value| value.checked_sub(digit)).ok_or_else(bad)?;
            len += 1;
        }
        let is_whole = !matches!(rest.get(len), Some(b'.' | b'e' | b'E'));
        // `-0` is another number in JSON than `0`.
        if !is_whole || (rest.first() == Some(&b'0') && (len > 1 || is_negative)) {
            return Err(bad());
        }
        if is_negative { Ok(value) } else { value.checked_neg().ok_or_else(bad) }
    }

    /// A whole number from zero on. Err: as [`Self::int`]; below zero.
    pub fn uint(&self) -> Result<u64, JsonError> {
        u64::try_from(self.int()?).map_err(|_| self.error(JsonErrorKind::Number))
    }

    /// A whole number, of which -1 means none. Err: as [`Self::int`]; below -1.
    pub fn uint_or_none(&self) -> Result<Option<u64>, JsonError> {
        match self.int()? {
            -1 => Ok(None),
            _ => self.uint().map(Some),
        }
    }

    /// Milliseconds since 1970. Err: as [`Self::uint`]; beyond the year 2554.
    pub fn millis(&self) -> Result<Nanos, JsonError> {
        let nanos = self.uint()?.checked_mul(1_000_000);
        nanos.map(Nanos).ok_or_else(|| self.error(JsonErrorKind::Number))
    }

    /// A decimal in a text, from zero on, as a count of `step`. Err: not a text; not a plain decimal; between two
    /// steps.
    pub fn count(&self, step: Step) -> Result<i64, JsonError> {
        step.count(self.text()?).map_err(|error| self.numeral(error))
    }

    /// As [`Self::count`], with an optional minus sign.
    pub fn signed_count(&self, step: Step) -> Result<i64, JsonError> {
        let text = self.text()?;
        let counted = match text.strip_prefix(b"-") {
            Some(body) => step.count(body).map(|count| -count),
            None => step.count(text),
        };
        counted.map_err(|error| self.numeral(error))
    }

    /// An amount of money in a text, exactly, with an optional minus sign. Err: not a text; not a plain decimal.
    pub fn amount(&self) -> Result<Decimal, JsonError> {
        let text = std::str::from_utf8(self.text()?).map_err(|_| self.error(JsonErrorKind::Number))?;
        Decimal::parse(text).map_err(|error| self.numeral(error))
    }

    const fn numeral(&self, error: NumError) -> JsonError {
        self.error(match error {
            NumError::OffStep => JsonErrorKind::OffStep,
            _ => JsonErrorKind::Number,
        })
    }

    /// The elements of an array, in order. Err: not an array.
    pub fn elements(&self) -> Result<Elements<'t>, JsonError> {
        if !self.is_array() {
            return Err(self.error(JsonErrorKind::Type));
        }
        Ok(Elements { of: *self, at: self.start + 1, is_first: true, is_done: false })
    }

    /// The values of those `keys` that an object has; others are passed over. The whole object is checked.
    /// Err: not an object; not JSON; one of `keys` twice.
    pub fn fields<const N: usize>(
        &self,
        keys: &'static [&'static str; N],
    ) -> Result<Fields<'t, N>, JsonError> {
        if !self.is_object() {
            return Err(self.error(JsonErrorKind::Type));
        }
        let mut fields = Fields { of: *self, keys, values: [None; N], end: 0 };
        let (frame, mut likely) = (self.frame, 0);
        let end = members(frame, self.start, 0, |name, offset, start| {
            if name.contains(&b'\\') {
                return Err(JsonError { kind: JsonErrorKind::Escape, key: "", offset });
            }
            // Messages mostly have their keys in the order in which they are asked for.
            let is_it = |index: &usize| keys.get(*index).is_some_and(|key| key.as_bytes() == name);
            let Some(index) = (likely..N).find(is_it).or_else(|| (0..likely).find(is_it)) else {
                return Ok(());
            };
            likely = index + 1;
            let key = keys.get(index).copied().unwrap_or_default();
            match fields.values.get_mut(index) {
                Some(place @ None) => *place = Some(Self { frame, start, key, is_root: false }),
                _ => return Err(JsonError { kind: JsonErrorKind::Twice, key, offset }),
            }
            Ok(())
        })?;
        fields.end = end;
        self.ends_at(end)?;
        Ok(fields)
    }
}

/// The elements of an array, in order; ends behind the first that is not JSON.
#[derive(Clone, Debug)]
pub struct Elements<'t> {
    of: Value<'t>,
    at: usize,
    is_first: bool,
    is_done: bool,
}

impl<'t> Iterator for Elements<'t> {
    type Item = Result<Value<'t>, JsonError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let step = self.step();
        self.is_done = !matches!(step, Ok(Some(_)));
        step.transpose()
    }
}

impl<'t> Elements<'t> {
    fn step(&mut self) -> Result<Option<Value<'t>>, JsonError> {
        let frame = self.of.frame;
        let mut at = space(frame, self.at);
        match frame.get(at) {
            Some(b']') => {
                self.of.ends_at(at + 1)?;
                return Ok(None);
            }
            Some(b',') if !self.is_first => at = space(frame, at + 1),
            Some(_) if self.is_first => {}
            _ => return Err(JsonError { kind: JsonErrorKind::Syntax, key: self.of.key, offset: at }),
        }
        self.is_first = false;
        self.at = skip(frame, at, 0)?;
        Ok(Some(Value { frame, start: at, key: self.of.key, is_root: false }))
    }
}

/// The values of an object under known keys.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'t, const N: usize> {
    of: Value<'t>,
    keys: &'static [&'static str; N],
    values: [Option<Value<'t>>; N],
    /// Behind the object.
    end: usize,
}

impl<'t, const N: usize> Fields<'t, N> {
    /// The value of `key`, one of the keys asked for. None: the object does not have it.
    #[must_use]
    pub fn optional(&self, key: &'static str) -> Option<Value<'t>> {
        let index = self.keys.iter().position(|known| *known == key);
        debug_assert!(index.is_some(), "`{key}` was not asked for");
        self.values.get(index?).copied().flatten()
    }

    /// As [`Self::optional`]; `null` is none too.
    #[must_use]
    pub fn present(&self, key: &'static str) -> Option<Value<'t>> {
        self.optional(key).filter(|value| !value.is_null())
    }

    /// The value of `key`, one of the keys asked for. Err: the object does not have it.
    pub fn required(&self, key: &'static str) -> Result<Value<'t>, JsonError> {
        self.optional(key).ok_or_else(|| self.missing(key))
    }

    /// An error about a key that should be there: at the object's end.
    #[must_use]
    pub const fn missing(&self, key: &'static str) -> JsonError {
        JsonError { kind: JsonErrorKind::Missing, key, offset: self.end }
    }

    /// The object itself.
    #[must_use]
    pub const fn object(&self) -> Value<'t> {
        self.of
    }
}

/// Nesting that a frame may have: twice what any message needs.
const DEPTH_MAX: u32 = 16;

/// Where white space ends.
fn space(frame: &[u8], mut at: usize) -> usize {
    while frame.get(at).is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
        at += 1;
    }
    at
}

const fn broken<T>(offset: usize) -> Result<T, JsonError> {
    Err(JsonError { kind: JsonErrorKind::Syntax, key: "", offset })
}

/// Passes over the value at `at`; says where it ends.
fn skip(frame: &[u8], at: usize, depth: u32) -> Result<usize, JsonError> {
    match frame.get(at) {
        Some(b'"') => skip_text(frame, at),
        Some(b'{') => members(frame, at, depth, |_, _, _| Ok(())),
        Some(b'[') => {
            deeper(at, depth)?;
            let mut end = space(frame, at + 1);
            if frame.get(end) == Some(&b']') {
                return Ok(end + 1);
            }
            loop {
                end = space(frame, skip(frame, space(frame, end), depth + 1)?);
                match frame.get(end) {
                    Some(b',') => end += 1,
                    Some(b']') => return Ok(end + 1),
                    _ => return broken(end),
                }
            }
        }
        Some(b't') => literal(frame, at, b"true"),
        Some(b'f') => literal(frame, at, b"false"),
        Some(b'n') => literal(frame, at, b"null"),
        _ => skip_number(frame, at),
    }
}

const fn deeper(at: usize, depth: u32) -> Result<(), JsonError> {
    if depth < DEPTH_MAX {
        Ok(())
    } else {
        Err(JsonError { kind: JsonErrorKind::TooDeep, key: "", offset: at })
    }
}

/// Hands each member of the object at `at` to `member`: the key's text and place, and the value's place. Says where
/// the object ends.
fn members<'t>(
    frame: &'t [u8],
    at: usize,
    depth: u32,
    mut member: impl FnMut(&'t [u8], usize, usize) -> Result<(), JsonError>,
) -> Result<usize, JsonError> {
    deeper(at, depth)?;
    let mut end = space(frame, at + 1);
    if frame.get(end) == Some(&b'}') {
        return Ok(end + 1);
    }
    loop {
        let key = space(frame, end);
        if frame.get(key) != Some(&b'"') {
            return broken(key);
        }
        let key_end = skip_text(frame, key)?;
        let colon = space(frame, key_end);
        if frame.get(colon) != Some(&b':') {
            return broken(colon);
        }
        let start = space(frame, colon + 1);
        let value_end = skip(frame, start, depth + 1)?;
        member(frame.get(key + 1..key_end - 1).unwrap_or_default(), key, start)?;
        end = space(frame, value_end);
        match frame.get(end) {
            Some(b',') => end += 1,
            Some(b'}') => return Ok(end + 1),
            _ => return broken(end),
        }
    }
}

/// Passes over the text whose opening quote is at `at`.
fn skip_text(frame: &[u8], at: usize) -> Result<usize, JsonError> {
    let mut end = at + 1;
    loop {
        let rest = frame.get(end..).unwrap_or_default();
        let is_mark = |byte: &u8| *byte == b'"' || *byte == b'\\' || *byte < b' ';
        let Some(plain) = rest.iter().position(is_mark) else { return broken(frame.len()) };
        end += plain;
        match (frame.get(end), frame.get(end + 1)) {
            (Some(b'"'), _) => return Ok(end + 1),
            (Some(b'\\'), Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')) => end += 2,
            (Some(b'\\'), Some(b'u')) => {
                let digits = frame.get(end + 2..end + 6);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return broken(end);
                }
                end += 6;
            }
            _ => return broken(end),
        }
    }
}

fn literal(frame: &[u8], at: usize, word: &[u8]) -> Result<usize, JsonError> {
    let end = at + word.len();
    if frame.get(at..end) == Some(word) { Ok(end) } else { broken(at) }
}

/// Passes over a number as JSON writes it.
fn skip_number(frame: &[u8], at: usize) -> Result<usize, JsonError> {
    let digits = |from: usize| {
        let rest = frame.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let start = at + usize::from(frame.get(at) == Some(&b'-'));
    let mut end = digits(start);
    if end == start || (end > start + 1 && frame.get(start) == Some(&b'0')) {
        return broken(at);
    }
    if frame.get(end) == Some(&b'.') {
        let fraction = end + 1;
        end = digits(fraction);
        if end == fraction {
            return broken(at);
        }
    }
    if matches!(frame.get(end), Some(b'e' | b'E')) {
        let power = end + 1 + usize::from(matches!(frame.get(end + 1), Some(b'+' | b'-')));
        end = digits(power);
        if end == power {
            return broken(at);
        }
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error<T: fmt::Debug>(result: Result<T, JsonError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn fields_are_found_in_any_order_with_white_space_and_others_between() {
        let frame = br#" { "x" : [1, {"b": "no"}, "\"b\":2"] , "b":"7.50" ,"a" : -12,"t":true,"n":null } "#;
        let fields = Value::root(frame).fields(&["a", "b", "n", "t", "z"]).unwrap();
        assert_eq!(fields.required("a").unwrap().int(), Ok(-12));
        assert_eq!(fields.required("b").unwrap().count(Step::parse(b"0.25").unwrap()), Ok(30));
        assert_eq!(fields.required("b").unwrap().amount().unwrap().to_string(), "7.50");
        assert_eq!(fields.required("t").unwrap().bool(), Ok(true));
        assert!(fields.optional("n").is_some() && fields.present("n").is_none());
        assert_eq!(error(fields.required("z")), format!("`z`: is missing at byte {}", frame.len() - 1));
        assert!(fields.optional("z").is_none() && fields.object().is_object());
    }

    #[test]
    fn what_is_wrong_is_said_with_key_and_byte() {
        let open = |text: &'static str| Value::root(text.as_bytes()).fields(&["a", "b"]);
        assert_eq!(error(open("[]")), "is of another type at byte 0");
        assert_eq!(error(open("")), "is of another type at byte 0");
        assert_eq!(error(open(r#"{"a":1,"a":2}"#)), "`a`: is there twice at byte 7");
        assert_eq!(error(open(r#"{"a":1} x"#)), "not JSON at byte 8");
        assert_eq!(error(open(r#"{"a":01}"#)), "not JSON at byte 5");
        assert_eq!(error(open(r#"{"a":tru}"#)), "not JSON at byte 5");
        assert_eq!(error(open(r#"{"a":1"#)), "not JSON at byte 6");
        assert_eq!(error(open(r#"{"a":"1"#)), "not JSON at byte 7");
        assert_eq!(error(open(r#"{"\u0061":1}"#)), "an escape in a text that is compared at byte 1");
        let deep = format!("{{\"a\":{}", "[".repeat(20));
        assert_eq!(Value::root(deep.as_bytes()).check().unwrap_err().kind, JsonErrorKind::TooDeep);
        let fields = open(r#"{"a":"x\n","b":1.5}"#).unwrap();
        let (a, b) = (fields.required("a").unwrap(), fields.required("b").unwrap());
        assert_eq!(error(a.text()), "`a`: an escape in a text that is compared at byte 5");
        assert_eq!(a.words(), Ok(&b"x\\n"[..]));
        assert_eq!(error(b.int()), "`b`: is no number in range at byte 15");
        assert_eq!(error(b.text()), "`b`: is of another type at byte 15");
        assert_eq!(error(a.bool()), "`a`: is of another type at byte 5");
        let fields = open(r#"{"a":"0.15","b":"BUY"}"#).unwrap();
        let (a, b) = (fields.required("a").unwrap(), fields.required("b").unwrap());
        assert_eq!(error(a.count(Step::of_digits(1))), "`a`: is between two ticks or units at byte 5");
        assert_eq!(error(b.named(|_| None::<u8>)), "`b`: is none of the known values at byte 16");
        assert!(JsonErrorKind::ALL.iter().all(|kind| !kind.name().is_empty()));
    }

    #[test]
    fn numbers_keep_their_range() {
        let of = |text: &'static str| Value::root(text.as_bytes());
        assert_eq!(of("9223372036854775807").int(), Ok(i64::MAX));
        assert_eq!(of("-9223372036854775808").int(), Ok(i64::MIN));
        assert!(of("9223372036854775808").int().is_err() && of("-1").uint().is_err());
        assert_eq!(of("-1").uint_or_none(), Ok(None));
        assert_eq!(of("1499405658657").millis(), Ok(Nanos::from_ms(1_499_405_658_657)));
        assert!(
            of("18446744073710").millis().is_err() && of("1e3").int().is_err() && of("-0").int().is_err()
        );
        assert_eq!(of("\"-0.25\"").signed_count(Step::of_digits(2)), Ok(-25));
    }

    #[test]
    fn elements_come_in_order_and_end_at_the_first_that_is_broken() {
        let read = |text: &str| -> Vec<Result<i64, JsonErrorKind>> {
            let elements = Value::root(text.as_bytes()).elements().unwrap();
            elements.map(|each| each.and_then(|value| value.int()).map_err(|error| error.kind)).collect()
        };
        assert_eq!(read(" [ 1 , -2,3 ] "), [Ok(1), Ok(-2), Ok(3)]);
        assert_eq!(read("[]"), []);
        assert_eq!(read("[1 2]"), [Ok(1), Err(JsonErrorKind::Syntax)]);
        assert_eq!(read("[1,]"), [Ok(1), Err(JsonErrorKind::Syntax)]);
        assert_eq!(read("[1]x"), [Ok(1), Err(JsonErrorKind::Syntax)]);
        assert_eq!(read("[,1]"), [Err(JsonErrorKind::Syntax)]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(text in "[\\[\\]{}\",:0-9a-z\\\\ .-]{0,60}|.{0,60}") {
            let value = Value::root(text.as_bytes());
            if let Err(error) = value.check() {
                prop_assert!(error.offset <= text.len());
            }
            let _ = value.fields(&["a", "b"]);
            let _ = value.elements().map(Iterator::count);
        }
    }
}
