//! Messages prepared at start: fixed text with holes, filled by copying. One list of parameters makes both the
//! JSON request and the text that is signed: `name=value` sorted by name, joined by `&`, not percent-encoded.
//!
//! ```text
//! {"id":"[RequestId]","method":"order.cancel","params":{..,"symbol":"BTCUSDT","origClientOrderId":"[OpenId]",..
//! apiKey=..&origClientOrderId=[OpenId]&recvWindow=2000&symbol=BTCUSDT&timestamp=[Timestamp]
//! ```

use super::MESSAGE_BYTES_MAX;
use super::sign::{Authentication, SIGNATURE_BYTES_MAX};
use crate::codec::EncodeError;
use std::fmt::Write;
use wire::print::{TEXT_BYTES_MAX, Text};

/// What differs from message to message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    RequestId = 0,
    /// The order's id; in an amendment the id from then on.
    ClientOrderId = 1,
    /// The id of the order that is canceled or amended.
    OpenId = 2,
    Price = 3,
    Qty = 4,
    /// Milliseconds since 1970.
    Timestamp = 5,
    /// The price that triggers a stop.
    Trigger = 6,
    Signature = 7,
}

/// The values of one message. Kept and overwritten.
pub(super) struct Values {
    texts: [Text; 7],
    signature: [u8; SIGNATURE_BYTES_MAX],
    signature_len: usize,
}

impl Values {
    pub(super) const fn new() -> Self {
        Self { texts: [Text::EMPTY; 7], signature: [0; SIGNATURE_BYTES_MAX], signature_len: 0 }
    }

    /// The text of a field that is no signature.
    #[inline]
    pub(super) fn text(&mut self, field: Field) -> &mut Text {
        &mut self.texts[(field as usize).min(Field::Trigger as usize)]
    }

    #[inline]
    fn get(&self, field: Field) -> &[u8] {
        match self.texts.get(field as usize) {
            Some(text) => text.as_bytes(),
            None => self.signature.get(..self.signature_len).unwrap_or_default(),
        }
    }
}

/// A request, and the text that is signed of it.
pub(super) struct Prepared {
    request: Template,
    /// None: the session is authenticated, or the method needs no authentication.
    signed: Option<Template>,
}

/// The value of a parameter.
pub(super) enum Value {
    Text(String),
    Number(u32),
    Field(Field),
}

impl Prepared {
    /// The request `method` with `parameters`; key, time stamp and signature are added as `authentication` needs.
    /// None: it could be longer than [`MESSAGE_BYTES_MAX`].
    pub(super) fn new(
        method: &str,
        mut parameters: Vec<(&'static str, Value)>,
        authentication: &Authentication,
    ) -> Option<Self> {
        parameters.extend(authentication.api_key().map(|key| ("apiKey", Value::Text(key.to_owned()))));
        parameters.push(("timestamp", Value::Field(Field::Timestamp)));
        parameters.sort_by_key(|(name, _)| *name);
        let mut text = Template::default();
        for (index, (name, value)) in parameters.iter().enumerate() {
            text.push(if index == 0 { "" } else { "&" }, name);
            text.push("=", "");
            text.push_value(value);
        }
        if authentication.api_key().is_some() {
            parameters.push(("signature", Value::Field(Field::Signature)));
        }
        // JSON is free in its order: what is fixed stands together, to be copied at once; the signature last.
        parameters.sort_by_key(|(_, value)| matches!(value, Value::Field(_)));
        let mut request = Template::default();
        request.push("{\"id\":\"", "");
        request.push_value(&Value::Field(Field::RequestId));
        request.push("\",\"method\":\"", method);
        for (index, (name, value)) in parameters.iter().enumerate() {
            request.push(if index == 0 { "\",\"params\":{\"" } else { ",\"" }, name);
            let quote = match value {
                Value::Number(_) | Value::Field(Field::Timestamp) => "",
                Value::Text(_) | Value::Field(_) => "\"",
            };
            request.push("\":", quote);
            request.push_value(value);
            request.push(quote, "");
        }
        request.push("}}", "");
        let signed = authentication.api_key().map(|_| text);
        let fits = [Some(&request), signed.as_ref()].into_iter().flatten().all(Template::fits);
        fits.then_some(Self { request, signed })
    }

    /// Writes the request with `values`, signed over `scratch`.
    #[inline]
    pub(super) fn write<'o>(
        &self,
        values: &mut Values,
        authentication: &Authentication,
        scratch: &mut [u8; MESSAGE_BYTES_MAX],
        out: &'o mut [u8],
    ) -> Result<&'o [u8], EncodeError> {
        if let Some(signed) = &self.signed {
            let text = signed.fill(values, scratch)?;
            values.signature_len = authentication.sign(text, &mut values.signature)?;
        }
        self.request.fill(values, out)
    }
}

/// Fixed text with holes.
#[derive(Default)]
struct Template {
    /// The fixed texts, one behind the other.
    fixed: String,
    /// Where the fixed text before each hole ends, and what goes into the hole.
    holes: Vec<(usize, Field)>,
}

impl Template {
    fn push(&mut self, text: &str, more: &str) {
        self.fixed.push_str(text);
        self.fixed.push_str(more);
    }

    fn push_value(&mut self, value: &Value) {
        match value {
            Value::Text(text) => self.fixed.push_str(text),
            // Writing to a string cannot fail.
            Value::Number(number) => drop(write!(self.fixed, "{number}")),
            Value::Field(field) => self.holes.push((self.fixed.len(), *field)),
        }
    }

    /// Whether the longest message fits.
    fn fits(&self) -> bool {
        let longest = |(_, field): &(usize, Field)| match field {
            Field::Signature => SIGNATURE_BYTES_MAX,
            _ => TEXT_BYTES_MAX,
        };
        self.fixed.len() + self.holes.iter().map(longest).sum::<usize>() <= MESSAGE_BYTES_MAX
    }

    /// Writes it to the front of `out`. Err: no room.
    #[inline]
    fn fill<'o>(&self, values: &Values, out: &'o mut [u8]) -> Result<&'o [u8], EncodeError> {
        let (fixed, mut from, mut at) = (self.fixed.as_bytes(), 0, 0);
        for (to, field) in &self.holes {
            at = put(out, at, fixed.get(from..*to).unwrap_or_default())?;
            at = put(out, at, values.get(*field))?;
            from = *to;
        }
        at = put(out, at, fixed.get(from..).unwrap_or_default())?;
        out.get(..at).ok_or(EncodeError::Room)
    }
}

/// Copies `text` to `out` at `at`, and says where it ends.
#[inline]
fn put(out: &mut [u8], at: usize, text: &[u8]) -> Result<usize, EncodeError> {
    let end = at + text.len();
    out.get_mut(at..end).ok_or(EncodeError::Room)?.copy_from_slice(text);
    Ok(end)
}
