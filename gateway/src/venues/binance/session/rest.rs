//! Signed questions over REST: what the WebSocket API of futures has no method for, asked alike on spot.

use super::super::sign::SIGNATURE_BYTES_MAX;
use super::super::{Authentication, RecvWindow};
use super::VenueOffset;
use engine::time::Nanos;
use std::fmt::Write;
use wire::http::{Header, HttpClient, Method, Request, Response, Ticket};
use wire::net::{Clock, Net};
use wire::sign::Secret;

pub(super) struct Rest {
    client: HttpClient,
    headers: Vec<Header>,
    authentication: Authentication,
    recv_window: RecvWindow,
    offset: VenueOffset,
}

impl Rest {
    pub(super) fn new(
        client: HttpClient,
        authentication: Authentication,
        recv_window: RecvWindow,
        offset: VenueOffset,
    ) -> Self {
        let key = authentication.api_key().unwrap_or_default();
        let headers = vec![Header::new("X-MBX-APIKEY", Secret::new(key.as_bytes().to_vec()))];
        Self { client, headers, authentication, recv_window, offset }
    }

    /// Asks for `path` with these parameters, signed. None: it could not be asked now.
    pub(super) fn get(&mut self, path: &str, parameters: &str, now: Nanos) -> Option<Ticket> {
        self.ask(Method::Get, path, parameters, now)
    }

    /// As [`Self::get`], by another method.
    pub(super) fn ask(&mut self, method: Method, path: &str, parameters: &str, now: Nanos) -> Option<Ticket> {
        let mut text = String::from(parameters);
        if !text.is_empty() {
            text.push('&');
        }
        let (window, at) = (self.recv_window.as_ms(), self.offset.venue_time(now).as_ms());
        // Writing to a string cannot fail.
        let _ = write!(text, "recvWindow={window}&timestamp={at}");
        let mut signature = [0; SIGNATURE_BYTES_MAX];
        let len = self.authentication.sign(text.as_bytes(), &mut signature).ok()?;
        text.push_str("&signature=");
        for byte in signature.get(..len)? {
            match byte {
                b'+' | b'/' | b'=' => drop(write!(text, "%{byte:02X}")),
                _ => text.push(char::from(*byte)),
            }
        }
        let path = format!("{path}?{text}");
        let request = Request { method, path: &path, headers: &self.headers, body: &[] };
        self.client.start(&request, now).ok()
    }

    pub(super) fn turn(&mut self, net: &mut Net, clock: &impl Clock, now: Nanos) {
        self.client.turn(net, clock, now);
    }

    /// What came of it: the answer, or that there is none. None: not yet.
    pub(super) fn answer(&self, ticket: Ticket) -> Option<Option<Response<'_>>> {
        self.client.answer(ticket).map(Result::ok)
    }

    pub(super) fn finish(&mut self, net: &mut Net, ticket: Ticket) {
        self.client.finish(net, ticket);
    }
}

/// A symbol as a query carries it (RFC 3986, 2.1).
pub(super) fn encoded(symbol: &str) -> String {
    let mut text = String::with_capacity(symbol.len());
    for byte in symbol.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(byte));
            }
            _ => drop(write!(text, "%{byte:02X}")),
        }
    }
    text
}
