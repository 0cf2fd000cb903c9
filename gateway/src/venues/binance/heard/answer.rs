//! Answers: to requests over the WebSocket API, and the refusals of REST.

use super::order::OrderReport;
use super::{Listing, RateLimit};
use wire::json::{JsonError, JsonErrorKind, Value};

/// The answer to a request over the WebSocket API.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'t> {
    /// The request's id. None: it is about the session (`null`), or no id of ours.
    pub id: Option<u64>,
    /// HTTP's status numbers; from 500 on nobody knows what became of the request.
    pub status: u16,
    /// What came of it.
    pub outcome: Outcome<'t>,
    limits: Option<Value<'t>>,
}

/// What came of a request.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'t> {
    /// It was done.
    Done(Value<'t>),
    /// It was not done, or not wholly.
    Refused(Refusal<'t>),
}

/// A refusal.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'t> {
    /// The venue's code: together with the product it says what to do.
    pub code: i32,
    /// The message, as it stands.
    pub message: &'t [u8],
    /// When to ask again at the earliest, milliseconds since 1970.
    pub retry_after_ms: Option<u64>,
    data: Option<Value<'t>>,
}

/// What came of `order.cancelReplace`, which can be half done.
#[derive(Clone, Copy, Debug)]
pub struct Replaced<'t> {
    /// The order that was to go.
    pub canceled: ReplacedHalf<'t>,
    /// The order that was to come.
    pub placed: ReplacedHalf<'t>,
}

/// One half of it.
#[derive(Clone, Copy, Debug)]
pub enum ReplacedHalf<'t> {
    /// Done.
    Done(OrderReport),
    /// Refused.
    Refused(Refusal<'t>),
    /// The other half failed before.
    NotAttempted,
}

impl<'t> Answer<'t> {
    /// Whether a frame's object is an answer rather than an event: it says a `status`.
    /// Err: not such an object.
    pub fn read(frame: &'t [u8]) -> Result<Option<Self>, JsonError> {
        let fields = Value::root(frame).fields(&["id", "status", "result", "error", "rateLimits"])?;
        let Some(status) = fields.optional("status") else { return Ok(None) };
        let outcome = match (fields.optional("result"), fields.optional("error")) {
            (Some(result), None) => Outcome::Done(result),
            (None, Some(error)) => Outcome::Refused(Refusal::read(error)?),
            (None, None) => return Err(fields.missing("result")),
            (Some(_), Some(error)) => return Err(error.error(JsonErrorKind::Unknown)),
        };
        Ok(Some(Self {
            id: fields.present("id").and_then(request_id),
            status: u16::try_from(status.uint()?).map_err(|_| status.error(JsonErrorKind::Number))?,
            outcome,
            limits: fields.present("rateLimits"),
        }))
    }

    /// What is left of the limits, as far as the answer says. Err: not an array.
    pub fn limits(&self) -> Result<impl Iterator<Item = Result<RateLimit, JsonError>> + 't, JsonError> {
        let rows = self.limits.map(|rows| rows.elements()).transpose()?;
        Ok(rows.into_iter().flatten().map(|row| row.and_then(RateLimit::read)))
    }
}

/// Our ids are decimals in a text; a number is taken too.
fn request_id(id: Value<'_>) -> Option<u64> {
    match id.text() {
        Ok(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        Err(_) => id.uint().ok(),
    }
}

impl<'t> Refusal<'t> {
    /// The object with `code` and `msg`. Err: see [`JsonError`].
    pub fn read(error: Value<'t>) -> Result<Self, JsonError> {
        let fields = error.fields(&["code", "msg", "data"])?;
        let code = fields.required("code")?;
        let data = fields.present("data");
        let after = data.filter(Value::is_object).map(|data| data.fields(&["retryAfter"])).transpose()?;
        let after = after.and_then(|fields| fields.present("retryAfter"));
        Ok(Self {
            code: i32::try_from(code.int()?).map_err(|_| code.error(JsonErrorKind::Number))?,
            message: fields.required("msg")?.words()?,
            retry_after_ms: after.map(|after| after.uint()).transpose()?,
            data,
        })
    }

    /// A refusal without a code, such as a page of a proxy: its first words.
    pub(crate) fn wordless(body: &'t [u8]) -> Self {
        let message = body.get(..body.len().min(80)).unwrap_or_default();
        Self { code: 0, message, retry_after_ms: None, data: None }
    }

    /// Both halves of a cancel-replace that was not wholly done. None: neither was attempted.
    /// Err: see [`JsonError`].
    pub fn replaced(&self, listing: &Listing) -> Result<Option<Replaced<'t>>, JsonError> {
        self.data.map(|data| Replaced::read(data, listing)).transpose()
    }
}

/// The refusal in the body of a REST answer. None: it is none of the venue's own, such as a page of a proxy.
#[must_use]
pub fn rest_refusal(body: &[u8]) -> Option<Refusal<'_>> {
    Refusal::read(Value::root(body)).ok()
}

impl<'t> Replaced<'t> {
    /// The object with `cancelResult` and `newOrderResult`: a result, or the data of a refusal.
    /// Err: see [`JsonError`].
    pub fn read(value: Value<'t>, listing: &Listing) -> Result<Self, JsonError> {
        let fields =
            value.fields(&["cancelResult", "newOrderResult", "cancelResponse", "newOrderResponse"])?;
        let half = |result: &'static str, response: &'static str, is_cancel| {
            let response = fields.present(response).ok_or_else(|| fields.missing(response));
            Ok(match fields.required(result)?.text()? {
                b"SUCCESS" if is_cancel => {
                    ReplacedHalf::Done(OrderReport::read_canceled(response?, listing)?)
                }
                b"SUCCESS" => ReplacedHalf::Done(OrderReport::read(response?, listing)?),
                b"FAILURE" => ReplacedHalf::Refused(Refusal::read(response?)?),
                b"NOT_ATTEMPTED" => ReplacedHalf::NotAttempted,
                _ => return Err(fields.required(result)?.error(JsonErrorKind::Unknown)),
            })
        };
        Ok(Self {
            canceled: half("cancelResult", "cancelResponse", true)?,
            placed: half("newOrderResult", "newOrderResponse", false)?,
        })
    }
}
