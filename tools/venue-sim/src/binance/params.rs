//! The parameters of one request, whichever way they came: query and form body, or the `params` of a JSON request.

use data_encoding::HEXLOWER_PERMISSIVE;
use engine::num::{Decimal, NumError};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

use super::failure::Failure;

/// Names and values in the order sent, decoded. A name that occurs twice counts as its first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a query and a form body, both percent-encoded; a name in both is the query's.
    /// Err: `-1101` a name twice in one of them; `-1100` percent-encoding that is none, or no UTF-8.
    pub fn from_forms(query: &str, body: &str) -> Result<Self, Failure> {
        let mut params = Self::default();
        for form in [query, body] {
            let before = params.0.len();
            for pair in form.split('&').filter(|pair| !pair.is_empty()) {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let (Some(name), Some(value)) = (decoded(name), decoded(value)) else {
                    return Err(Failure::illegal_characters(name));
                };
                if params.0[before..].iter().any(|(known, _)| *known == name) {
                    return Err(Failure::of(400, -1101, "Duplicate values for a parameter detected."));
                }
                params.0.push((name, value));
            }
        }
        Ok(params)
    }

    /// The `params` of a WebSocket request that was read as a whole already; else they are deserialized, to the same.
    #[must_use]
    pub fn from_json(params: &Map<String, Value>) -> Self {
        let text = |value: &Value| match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        Self(params.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect())
    }

    /// The value of `name`, not empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Whether `name` was sent, empty or not.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// The value of `name`. Err: `-1102` when it was not sent.
    pub fn need(&self, name: &str) -> Result<&str, Failure> {
        self.get(name).ok_or_else(|| Failure::missing(name))
    }

    /// A whole number from 0. Err: `-1100` when it is none.
    pub fn number(&self, name: &str) -> Result<Option<u64>, Failure> {
        let Some(text) = self.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Failure::illegal_characters(name))
    }

    /// A decimal. Err: `-1100` when it is none, `-1111` when it has more than 18 digits behind the point.
    pub fn decimal(&self, name: &str) -> Result<Option<Decimal>, Failure> {
        let Some(text) = self.get(name) else { return Ok(None) };
        Decimal::parse(text).map(Some).map_err(|error| match error {
            NumError::OffStep => Failure::precision(name),
            NumError::OutOfRange if text.find('.').is_some_and(|point| text.len() - point > 19) => {
                Failure::precision(name)
            }
            _ => Failure::illegal_characters(name),
        })
    }

    /// `true` or `false`, in any case. Err: `-1102` when it is neither.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Failure> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.to_ascii_lowercase().as_str() {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            _ => Err(Failure::malformed(name)),
        }
    }

    /// `name=value` of all but `signature`, by name, joined with `&` and nothing encoded: what a WebSocket request
    /// is signed over.
    #[must_use]
    pub fn signed_text(&self) -> String {
        let mut pairs: Vec<_> = self.0.iter().filter(|(name, _)| name != "signature").collect();
        pairs.sort();
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("&")
    }
}

/// The `params` of a WebSocket request. Values are strings, numbers, booleans or lists of them (which stay JSON);
/// `null` counts as not sent, and of a name that occurs twice the last value.
impl<'de> Deserialize<'de> for Params {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Params;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Params, A::Error> {
        let mut pairs: Vec<(String, String)> = Vec::with_capacity(PARAMS_USUAL);
        while let Some((name, Text(value))) = members.next_entry::<String, Text>()? {
            pairs.retain(|(known, _)| *known != name);
            pairs.extend(value.map(|value| (name, value)));
        }
        Ok(Params(pairs))
    }
}

/// Of a signed placement.
const PARAMS_USUAL: usize = 16;

/// A value as text. None: `null`.
struct Text(Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Text, E> {
        Ok(Text(None))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text(Some(text.to_owned())))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Text, E> {
        Ok(Text(Some(value.to_string())))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Text, E> {
        Ok(Text(Some(value.to_string())))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Text, E> {
        Ok(Text(Some(value.to_string())))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Text, E> {
        Ok(Text(Some(Value::from(value).to_string())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Text, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(items)).map(|value| Text(Some(value.to_string())))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Text, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(members)).map(|value| Text(Some(value.to_string())))
    }
}

/// What a REST request is signed over: `query` and `body` as they were sent, one after the other, without the
/// signature, and the signature, decoded. None: there is none, or it is no text.
#[must_use]
pub fn signed_parts(query: &str, body: &str) -> Option<(String, String)> {
    let (mut text, mut signature) = (String::new(), None);
    for form in [query, body] {
        let mut kept = Vec::new();
        for pair in form.split('&') {
            match pair.strip_prefix("signature=") {
                Some(value) => signature = signature.or(Some(decoded(value)?)),
                None => kept.push(pair),
            }
        }
        text.push_str(&kept.join("&"));
    }
    Some((text, signature?))
}

/// Undoes percent-encoding; `+` is a space. None: a `%` without two hex digits, or no UTF-8 in the end.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'%' => {
                let digits = rest.get(..2)?;
                bytes.extend(HEXLOWER_PERMISSIVE.decode(digits).ok()?);
                rest = &rest[2..];
            }
            b'+' => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_query_wins_over_the_body_and_a_name_twice_is_refused() {
        let params = Params::from_forms("a=1&b=%20x%2F", "a=2&c=3").unwrap();
        assert_eq!((params.get("a"), params.get("b"), params.get("c")), (Some("1"), Some(" x/"), Some("3")));
        assert_eq!(Params::from_forms("a=1&a=2", "").unwrap_err().code, -1101);
        assert_eq!(Params::from_forms("a=%zz", "").unwrap_err().code, -1100);
        assert_eq!(Params::from_forms("a=%ff", "").unwrap_err().code, -1100);
    }

    #[test]
    fn the_signature_is_taken_out_wherever_it_stands_and_nothing_else_changes() {
        let (text, signature) = signed_parts("b=%2F&signature=x%3D&a=1", "c=3").unwrap();
        assert_eq!((text.as_str(), signature.as_str()), ("b=%2F&a=1c=3", "x="));
        assert_eq!(signed_parts("a=1", ""), None);
    }

    #[test]
    fn a_web_socket_request_is_signed_by_name_with_its_numbers_as_sent() {
        let json = r#"{"b":"1.50","a":5,"signature":"s","c":true,"d":null}"#;
        let params: Params = serde_json::from_str(json).unwrap();
        assert_eq!(params.signed_text(), "a=5&b=1.50&c=true");
    }

    #[test]
    fn values_of_every_kind_read_as_their_json_and_of_a_name_twice_the_last_counts() {
        let json = r#"{"l":["a",1,null],"o":{"b":[]},"i":-5,"f":1.50,"e":1e3,"u":18446744073709551615,"a":1,"a":"2"}"#;
        let read: Params = serde_json::from_str(json).unwrap();
        let Value::Object(known) = serde_json::from_str(json).unwrap() else { panic!("an object") };
        let mut pairs = read.0;
        pairs.sort();
        assert_eq!(Params(pairs), Params::from_json(&known));
        let twice: Params = serde_json::from_str(r#"{"a":"1","a":null}"#).unwrap();
        assert!(!twice.has("a"));
        assert!(serde_json::from_str::<Params>("[1]").is_err());
    }

    proptest! {
        #[test]
        fn forms_of_any_text_give_parameters_or_a_parameter_error(query in ".{0,80}", body in ".{0,40}") {
            match Params::from_forms(&query, &body) {
                Ok(params) => prop_assert!(params.0.len() <= query.len() + body.len()),
                Err(failure) => prop_assert!([-1100, -1101].contains(&failure.code)),
            }
            if let Some((text, _)) = signed_parts(&query, &body) {
                prop_assert!(!text.split('&').any(|pair| pair.starts_with("signature=")) || body.starts_with("signature=") || text.len() < query.len() + body.len());
            }
        }

        #[test]
        fn what_is_encoded_is_decoded_to_the_same_text(text in "\\PC{0,40}") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            prop_assert_eq!(decoded(&encoded), Some(text));
        }
    }
}
