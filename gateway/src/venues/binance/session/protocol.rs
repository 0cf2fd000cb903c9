//! What Binance's two kinds of connections say to their sessions.

use super::super::heard::{Answer, Outcome};
use super::super::template::{Field, Prepared, Values};
use super::super::{Authentication, LogOn, MESSAGE_BYTES_MAX};
use super::VenueOffset;
use crate::codec::Request;
use engine::time::Nanos;
use wire::session::{Heard, Protocol};

/// The WebSocket API: logs on where the key allows, and subscribes user events or asks for a listen key.
pub struct ApiProtocol {
    log_on: Option<LogOn>,
    events: Events,
    offset: VenueOffset,
    /// The id of the session's own request that is not answered.
    awaited: Option<u64>,
    /// When the connection was opened.
    now: Nanos,
    listen_key: Option<String>,
}

/// How user events are had.
pub(super) enum Events {
    /// Over this connection, which is logged on.
    Subscribed,
    /// Over this connection, with a signature of their own.
    Signed(Box<Prepared>, Authentication),
    /// Over another, by a listen key; the public half of the key.
    ListenKey(String),
}

impl ApiProtocol {
    pub(super) const fn new(log_on: Option<LogOn>, events: Events, offset: VenueOffset) -> Self {
        Self { log_on, events, offset, awaited: None, now: Nanos(0), listen_key: None }
    }

    /// The listen key that came with the last opening, once.
    pub(super) fn take_listen_key(&mut self) -> Option<String> {
        self.listen_key.take()
    }
}

impl Protocol for ApiProtocol {
    fn log_on(&mut self, id: u64, now: Nanos, out: &mut Vec<u8>) -> bool {
        (self.now, self.awaited) = (now, None);
        let Some(log_on) = &self.log_on else { return false };
        let mut message = [0; MESSAGE_BYTES_MAX];
        let request = Request { id, now: self.offset.venue_time(now) };
        // Left empty where it cannot be signed: the step is then late, and said to be.
        if let Ok(text) = log_on.encode(request, &mut message) {
            out.extend_from_slice(text);
        }
        self.awaited = Some(id);
        true
    }

    fn subscribe(&mut self, batch: usize, id: u64, out: &mut Vec<u8>) -> bool {
        if batch > 0 {
            return false;
        }
        match &self.events {
            Events::Subscribed => {
                let text = format!("{{\"id\":\"{id}\",\"method\":\"userDataStream.subscribe\"}}");
                out.extend_from_slice(text.as_bytes());
            }
            Events::Signed(prepared, authentication) => {
                let (mut values, mut message) = (Values::new(), [0; MESSAGE_BYTES_MAX]);
                values.text(Field::RequestId).set_number(id);
                values.text(Field::Timestamp).set_number(self.offset.venue_time(self.now).as_ms());
                let scratch = &mut [0; MESSAGE_BYTES_MAX];
                if let Ok(text) = prepared.write(&mut values, authentication, scratch, &mut message) {
                    out.extend_from_slice(text);
                }
            }
            Events::ListenKey(api_key) => {
                out.extend_from_slice(listen_key_request(id, "start", api_key).as_bytes());
            }
        }
        self.awaited = Some(id);
        true
    }

    #[inline]
    fn hear(&mut self, frame: &[u8]) -> Heard {
        let Some(awaited) = self.awaited else {
            return if is_shutdown(frame) { Heard::Shutdown } else { Heard::Data };
        };
        let Ok(Some(answer)) = Answer::read(frame) else { return Heard::Data };
        if answer.id.is_some_and(|id| id != awaited) {
            return Heard::Data;
        }
        match answer.outcome {
            Outcome::Done(result) => {
                self.awaited = None;
                let fields = result.fields(&["listenKey"]).ok();
                let key =
                    fields.and_then(|fields| fields.optional("listenKey")).and_then(|key| key.text().ok());
                if let Some(key) = key.and_then(|key| std::str::from_utf8(key).ok()) {
                    self.listen_key = Some(key.to_owned());
                }
                Heard::Ack { id: awaited }
            }
            Outcome::Refused(refusal) => Heard::Refused { id: answer.id, code: i64::from(refusal.code) },
        }
    }
}

/// A user stream: everything on it is an event.
pub struct StreamProtocol;

impl Protocol for StreamProtocol {
    #[inline]
    fn hear(&mut self, frame: &[u8]) -> Heard {
        if is_shutdown(frame) { Heard::Shutdown } else { Heard::Data }
    }
}

/// `userDataStream.start` and `.ping`, which take the key's public half and no signature.
pub(super) fn listen_key_request(id: u64, what: &str, api_key: &str) -> String {
    format!(
        "{{\"id\":\"{id}\",\"method\":\"userDataStream.{what}\",\"params\":{{\"apiKey\":\"{api_key}\"}}}}"
    )
}

/// `serverShutdown` is among the shortest events.
#[inline]
fn is_shutdown(frame: &[u8]) -> bool {
    const NAME: &[u8] = b"\"serverShutdown\"";
    frame.len() < 160 && frame.windows(NAME.len()).any(|window| window == NAME)
}
