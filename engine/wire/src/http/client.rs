//! Requests to one host over connections that are kept alive. Polled, it never waits; [`HttpClient::call`] waits, for
//! helper threads and tools.

use super::HeaderError;
use super::request::Request;
use super::response::{Response, ResponseError, ResponseReader};
use crate::net::{Clock, Connected, Connecting, Endpoint, Line, Net, NetError, Received, Resolver, What};
use engine::time::Nanos;
use std::fmt;

/// How a client is set up.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Where it goes.
    pub endpoint: Endpoint,
    /// Connections, and so requests under way, at most.
    pub connections_max: usize,
    /// Connections that are kept open for requests to come, of those.
    pub spare_count: usize,
    /// Longest answer, bytes, its head included.
    pub response_bytes_max: usize,
    /// From the request to the whole answer, the way to a new connection included.
    pub answer_ns_max: Nanos,
}

/// Why there is no answer. Whether the peer acted on the request is not known once it was written.
#[derive(Clone, Debug, PartialEq)]
pub enum HttpError {
    /// The request cannot be written.
    Request(HeaderError),
    /// Every connection has a request under way.
    Busy,
    /// The connection; says host and port.
    Net(NetError),
    /// The answer is none.
    Response {
        /// Host and port.
        host: String,
        /// What is wrong with it.
        error: ResponseError,
    },
    /// No whole answer within so many milliseconds.
    Late {
        /// Host and port.
        host: String,
        /// Milliseconds.
        ms: u64,
    },
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => error.fmt(f),
            Self::Busy => f.write_str("every connection has a request under way"),
            Self::Net(error) => error.fmt(f),
            Self::Response { host, error } => write!(f, "{host}: {error}"),
            Self::Late { host, ms } => write!(f, "{host}: no whole answer within {ms} ms"),
        }
    }
}

impl std::error::Error for HttpError {}

/// A request under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    slot: usize,
    number: u64,
}

/// A client of one host.
pub struct HttpClient {
    config: HttpConfig,
    host: String,
    /// Host and port, for errors.
    place: String,
    resolver: Resolver,
    slots: Vec<Slot>,
    /// The slot that is looked at in the next turn also where it is spare.
    looked_at: usize,
    next_number: u64,
    /// No spare connection is begun before.
    spare_ns: Nanos,
    /// What [`HttpClient::call`] answered last.
    called: Option<Ticket>,
}

/// One connection and its request.
struct Slot {
    line: Line,
    reader: ResponseReader,
    unsent: Vec<u8>,
    sent: usize,
    job: Option<Job>,
}

struct Job {
    number: u64,
    until: Nanos,
    failure: Option<HttpError>,
}

impl HttpClient {
    /// A client; [`HttpClient::turn`] opens the spare connections.
    #[must_use]
    pub fn new(config: HttpConfig, resolver: Resolver) -> Self {
        let slot = || Slot {
            line: Line::Down,
            reader: ResponseReader::new(config.response_bytes_max),
            unsent: Vec::with_capacity(REQUEST_BYTES),
            sent: 0,
            job: None,
        };
        Self {
            host: config.endpoint.host_header(),
            place: format!("{}:{}", config.endpoint.host, config.endpoint.port),
            slots: (0..config.connections_max.max(1)).map(|_| slot()).collect(),
            config,
            resolver,
            looked_at: 0,
            next_number: 1,
            spare_ns: Nanos::default(),
            called: None,
        }
    }

    /// Begins a request, over an open connection if there is one. It leaves in the next turn.
    /// Err: [`HttpError::Request`], [`HttpError::Busy`].
    pub fn start(&mut self, request: &Request<'_>, now: Nanos) -> Result<Ticket, HttpError> {
        let rank = |slot: &Slot| match slot.line {
            Line::Up(_) => 0,
            Line::Connecting(_) => 1,
            Line::Down => 2,
        };
        let free = self.slots.iter_mut().enumerate().filter(|(_, slot)| slot.job.is_none());
        let (index, slot) = free.min_by_key(|(_, slot)| rank(slot)).ok_or(HttpError::Busy)?;
        slot.sent = 0;
        slot.unsent.clear();
        request.write(&self.host, &mut slot.unsent).map_err(HttpError::Request)?;
        slot.reader.begin(request.method);
        let number = self.next_number;
        self.next_number += 1;
        slot.job = Some(Job { number, until: now.plus(self.config.answer_ns_max), failure: None });
        Ok(Ticket { slot: index, number })
    }

    /// One turn for every connection that is at work, and for one of the others; never waits.
    pub fn turn(&mut self, net: &mut Net, clock: &impl Clock, now: Nanos) {
        for index in 0..self.slots.len() {
            // A spare connection can only end: one of them is looked at.
            let is_spare = |slot: &Slot| slot.job.is_none() && matches!(slot.line, Line::Up(_));
            if index == self.looked_at || !is_spare(&self.slots[index]) {
                self.turn_slot(index, net, clock, now);
            }
        }
        self.looked_at = if self.looked_at + 1 < self.slots.len() { self.looked_at + 1 } else { 0 };
        let spare = |slot: &&Slot| slot.job.is_none() && !matches!(slot.line, Line::Down);
        let spares = self.slots.iter().filter(spare).count();
        let is_down = |slot: &&mut Slot| slot.job.is_none() && matches!(slot.line, Line::Down);
        if spares < self.config.spare_count
            && now >= self.spare_ns
            && let Some(slot) = self.slots.iter_mut().find(is_down)
        {
            slot.line = Line::Connecting(Connecting::begin(self.config.endpoint.clone(), &self.resolver));
        }
    }

    /// The answer to a request, once there is one. None: not yet, or the ticket was given back.
    #[must_use]
    pub fn answer(&self, ticket: Ticket) -> Option<Result<Response<'_>, HttpError>> {
        let slot = self.slots.get(ticket.slot)?;
        let job = slot.job.as_ref().filter(|job| job.number == ticket.number)?;
        match &job.failure {
            Some(failure) => Some(Err(failure.clone())),
            None => slot.reader.response().map(Ok),
        }
    }

    /// Done with the answer, or not interested any more: the connection is free for the next request, or is closed
    /// where the answer is not whole or was its last.
    pub fn finish(&mut self, net: &mut Net, ticket: Ticket) {
        let Some(slot) = self.slots.get_mut(ticket.slot) else { return };
        if slot.job.as_ref().is_none_or(|job| job.number != ticket.number) {
            return;
        }
        if slot.reader.is_last() {
            slot.line.close(net);
        }
        slot.job = None;
        slot.reader.clear();
        slot.unsent.clear();
    }

    /// Sends a request and waits for its answer, with `pause` between the turns: for threads that may wait.
    /// Err: there is no answer; see [`HttpError`].
    pub fn call(
        &mut self,
        net: &mut Net,
        clock: &impl Clock,
        request: &Request<'_>,
        mut pause: impl FnMut(),
    ) -> Result<Response<'_>, HttpError> {
        if let Some(ticket) = self.called.take() {
            self.finish(net, ticket);
        }
        let ticket = self.start(request, clock.now())?;
        self.called = Some(ticket);
        loop {
            self.turn(net, clock, clock.now());
            if self.answer(ticket).is_some() {
                break;
            }
            pause();
        }
        self.answer(ticket).unwrap_or(Err(HttpError::Busy))
    }

    /// Connections that stand.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.slots.iter().filter(|slot| matches!(slot.line, Line::Up(_))).count()
    }

    /// Closes every connection; requests under way stay without an answer.
    pub fn close(&mut self, net: &mut Net) {
        for slot in &mut self.slots {
            slot.line.close(net);
            slot.job = None;
        }
    }

    fn turn_slot(&mut self, index: usize, net: &mut Net, clock: &impl Clock, now: Nanos) {
        let Self { config, slots, resolver, .. } = self;
        let slot = &mut slots[index];
        if slot.reader.response().is_some() || slot.job.as_ref().is_some_and(|job| job.failure.is_some()) {
            return;
        }
        if slot.job.as_ref().is_some_and(|job| now >= job.until) {
            let failure = HttpError::Late { host: self.place.clone(), ms: config.answer_ns_max.as_ms() };
            return slot.fail(net, failure);
        }
        match &mut slot.line {
            Line::Down if slot.job.is_some() => {
                slot.line = Line::Connecting(Connecting::begin(config.endpoint.clone(), resolver));
            }
            Line::Down => {}
            Line::Connecting(connecting) => match connecting.poll(net, now) {
                Ok(Connected::NotYet) => {}
                Ok(Connected::Yes(transport)) => slot.line = Line::Up(transport),
                Err(error) => {
                    self.spare_ns = now.plus(SPARE_RETRY_NS);
                    slot.fail(net, HttpError::Net(error));
                }
            },
            Line::Up(_) => {}
        }
        if let Err(failure) = slot.exchange(net, clock, &self.place) {
            slot.fail(net, failure);
        }
    }
}

impl Slot {
    /// Sends what is left of the request, and receives.
    fn exchange(&mut self, net: &mut Net, clock: &impl Clock, place: &str) -> Result<(), HttpError> {
        let Line::Up(transport) = &mut self.line else { return Ok(()) };
        loop {
            let unsent = self.unsent.get(self.sent..).unwrap_or_default();
            let count = transport.send(net, unsent).map_err(HttpError::Net)?;
            if count == 0 {
                break;
            }
            self.sent += count;
        }
        let broken = |error| HttpError::Response { host: place.to_owned(), error };
        match transport.recv(net, clock, self.reader.room()) {
            Ok((Received::Nothing, _)) => Ok(()),
            Ok((Received::Bytes(count), _)) => self.reader.received(count).map_err(broken),
            Ok((Received::End, _)) => self.end(net).map_err(broken),
            // Not every server says goodbye in TLS. An answer whose end is the connection's needs it, others do not.
            Err(NetError { what: What::Truncated, .. }) if self.job.is_none() => {
                self.end(net).map_err(broken)
            }
            Err(error) => Err(HttpError::Net(error)),
        }
    }

    /// The peer ended the connection.
    fn end(&mut self, net: &mut Net) -> Result<(), ResponseError> {
        self.line.close(net);
        self.reader.ended()
    }

    fn fail(&mut self, net: &mut Net, failure: HttpError) {
        self.line.close(net);
        self.reader.clear();
        if let Some(job) = &mut self.job {
            job.failure = Some(failure);
        }
    }
}

/// After a spare connection failed.
const SPARE_RETRY_NS: Nanos = Nanos::SECOND;

/// Memory for a usual request.
const REQUEST_BYTES: usize = 2 * 1024;
