//! Signed requests over REST: what the WebSocket API of futures has no method for, asked alike on spot; and, while that
//! API is down, orders. Whatever answer comes, what it says of the limits is taken to the throttle first.

use super::super::sign::SIGNATURE_BYTES_MAX;
use super::super::{Authentication, RecvWindow};
use super::VenueOffset;
use super::ledger::Ledger;
use crate::throttle::{Cost, Pass, Priority};
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

/// A request under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking {
    ticket: Ticket,
    what: &'static str,
    /// None: whoever asked gives it back.
    pass: Option<Pass>,
}

/// What is asked for.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    /// For people.
    pub(super) what: &'static str,
    pub(super) method: Method,
    pub(super) path: &'a str,
    /// Without time stamp and signature.
    pub(super) parameters: &'a str,
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

    /// Whether a connection stands over which a request leaves at once.
    pub(super) fn is_warm(&self) -> bool {
        self.client.open_count() > 0
    }

    /// Asks, signed, if the throttle lets it. None: it could not be asked now.
    pub(super) fn ask(
        &mut self,
        question: Question<'_>,
        (priority, weight): (Priority, u32),
        ledger: &mut Ledger,
        now: Nanos,
    ) -> Option<Asking> {
        let cost = Cost { weight, orders: 0 };
        let pass = ledger.throttle.ask(priority, cost, self.offset.venue_time(now)).ok()?;
        match self.begin(question, now) {
            Some(asking) => Some(Asking { pass: Some(pass), ..asking }),
            None => {
                ledger.throttle.give_up(pass);
                None
            }
        }
    }

    /// As [`Self::ask`], of which the throttle was asked already.
    pub(super) fn begin(&mut self, question: Question<'_>, now: Nanos) -> Option<Asking> {
        let Question { what, method, path, parameters } = question;
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
        let ticket = self.client.start(&request, now).ok()?;
        Some(Asking { ticket, what, pass: None })
    }

    pub(super) fn turn(&mut self, net: &mut Net, clock: &impl Clock, now: Nanos) {
        self.client.turn(net, clock, now);
    }

    /// What came of it: the answer, or that there is none; to be asked once, because it is counted then. None: not
    /// yet.
    pub(super) fn answer(
        &self,
        asking: Asking,
        ledger: &mut Ledger,
        now: Nanos,
    ) -> Option<Option<Response<'_>>> {
        let answer = self.client.answer(asking.ticket)?.ok();
        if let Some(pass) = asking.pass {
            ledger.throttle.give_up(pass);
            if let Some(response) = &answer {
                ledger.on_rest(response, asking.what, now, self.offset.venue_time(now));
            }
        }
        Some(answer)
    }

    /// As [`Self::answer`], for whoever keeps no count of limits.
    pub(super) fn bare_answer(&self, asking: Asking) -> Option<Option<Response<'_>>> {
        self.client.answer(asking.ticket).map(Result::ok)
    }

    pub(super) fn finish(&mut self, net: &mut Net, asking: Asking) {
        self.client.finish(net, asking.ticket);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::net::TcpListener;
    use wire::http::HttpConfig;
    use wire::net::{Backend, Endpoint, NetOptions, Resolver};
    use wire::sign::HmacKey;

    /// A venue that takes connections and says nothing, and a client of four of them that waits ten seconds.
    pub(in super::super) fn mute() -> (TcpListener, Rest, Net) {
        let venue = TcpListener::bind("127.0.0.1:0").unwrap();
        let config = HttpConfig {
            endpoint: Endpoint::new("127.0.0.1", venue.local_addr().unwrap().port(), None),
            connections_max: 4,
            spare_count: 0,
            response_bytes_max: 1 << 12,
            answer_ns_max: Nanos::from_ms(10_000),
        };
        let key = HmacKey::new(&Secret::new(vec![1]));
        let client = HttpClient::new(config, Resolver::start().unwrap());
        let (signs, window) =
            (Authentication::Hmac { api_key: "key".into(), key }, RecvWindow::from_ms(2_000).unwrap());
        let net = Net::new(NetOptions { backend: Backend::Busy, busy_poll_us: 0 });
        (venue, Rest::new(client, signs, window, VenueOffset::default()), net)
    }

    /// How many requests more can be begun; afterwards none.
    pub(in super::super) fn free_connections(rest: &mut Rest, now: Nanos) -> usize {
        let more = Question { what: "more", method: Method::Get, path: "/", parameters: "" };
        std::iter::from_fn(|| rest.begin(more, now)).count()
    }
}
