//! The session's machine.

use super::backoff::Backoff;
use super::config::{Protocol, SecretText, SessionConfig};
use super::event::{Action, Event, Failure, Frame, Heard, LinkId, Polled, Step};
use super::link::{Link, Request, Stage};
use crate::ws::{MessageKind, Next, SendError, Upgrade, WebSocket};
use engine::time::Nanos;
use std::collections::VecDeque;
use std::ops::Range;

/// A session: see the module.
pub struct Session<P> {
    protocol: P,
    config: SessionConfig,
    links: [Link; 2],
    is_wanted: bool,
    backoff: Backoff,
    /// No link is connected before.
    retry_ns: Nanos,
    /// Id of the next request of the session.
    next_id: u64,
    /// The link that is read first, so that neither starves the other.
    turn: usize,
    held: Option<Held>,
    events: VecDeque<Event>,
    actions: VecDeque<Action>,
    /// Where requests are put together.
    text: Vec<u8>,
}

#[derive(Clone)]
enum Held {
    Frame { link: usize, kind: MessageKind, range: Range<usize> },
    Event(Event),
}

impl<P: Protocol> Session<P> {
    /// A session that does nothing until [`Session::start`]. `seed` gives masks, nonces and jitter: another one for
    /// each session, and in a live process [`crate::random::unpredictable_seed`]. Takes its memory here.
    #[must_use]
    pub fn new(config: SessionConfig, protocol: P, seed: u64) -> Self {
        let link = |seed| Link::new(WebSocket::new(config.message_bytes_max, config.send_bytes_max, seed));
        Self {
            links: [link(seed ^ 0x5EED_0001), link(seed ^ 0x5EED_0002)],
            protocol,
            is_wanted: false,
            backoff: Backoff::new(seed),
            retry_ns: Nanos::default(),
            next_id: 1,
            turn: 0,
            held: None,
            events: VecDeque::with_capacity(QUEUE),
            actions: VecDeque::with_capacity(QUEUE),
            text: Vec::with_capacity(config.send_bytes_max),
            config,
        }
    }

    /// The venue's part.
    pub const fn protocol(&mut self) -> &mut P {
        &mut self.protocol
    }

    /// The path of the next connection.
    pub fn set_path(&mut self, path: SecretText) {
        self.config.path = path;
    }

    // Commands.

    /// Connects, and keeps connected, from `now` on.
    pub fn start(&mut self, now: Nanos) {
        self.is_wanted = true;
        self.tick(now);
    }

    /// Closes what is open, and stays so.
    pub fn stop(&mut self, now: Nanos) {
        self.is_wanted = false;
        for link in LinkId::BOTH {
            self.leave(link, now);
        }
    }

    /// Moves to a new connection: the one in service is left once the new one is live.
    pub fn rotate(&mut self, now: Nanos) {
        if let Some(link) = self.in_service().filter(|_| !self.links.iter().any(|link| link.is_leaving)) {
            self.begin_leaving(link, now);
        }
        self.tick(now);
    }

    /// Writes `text` to the link in service. Returns the link. Err: nothing was written.
    #[inline]
    pub fn send_text(&mut self, text: &[u8]) -> Result<LinkId, SendError> {
        let link = self.in_service().ok_or(SendError::NotOpen)?;
        self.links[link.index()].ws.send_text(text)?;
        Ok(link)
    }

    /// An id for a request of the reader's own, distinct from the session's.
    pub const fn request_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// The link that requests go over: the live one, and while the session moves the one that stays.
    #[inline]
    #[must_use]
    pub fn in_service(&self) -> Option<LinkId> {
        let live = |link: &&LinkId| self.links[link.index()].is_live();
        let stays = LinkId::BOTH.iter().filter(live).find(|link| !self.links[link.index()].is_leaving);
        stays.or_else(|| LinkId::BOTH.iter().find(live)).copied()
    }

    // Inputs of the driver.

    /// The connection that [`Action::Connect`] asked for stands.
    pub fn connected(&mut self, link: LinkId, now: Nanos) {
        let it = &mut self.links[link.index()];
        let Stage::Connecting { until } = it.stage else { return };
        let SessionConfig { host, path, headers, .. } = &self.config;
        let begun = it.ws.begin(&Upgrade { host, path: path.expose(), headers });
        it.heard_ns = now;
        match begun {
            Ok(()) => it.stage = Stage::Upgrading { until },
            Err(_) => self.lose(link, Failure::Request(Step::Opening), now),
        }
    }

    /// The connection of `link` failed or ended. What it brought before is still given out.
    pub fn ended(&mut self, link: LinkId, failure: Failure, now: Nanos) {
        let it = &mut self.links[link.index()];
        match it.stage {
            Stage::Down => {}
            Stage::Connecting { .. } => self.lose(link, failure, now),
            // Peers often end the connection without waiting for the last word.
            Stage::Closing { .. } => self.down(link),
            _ => {
                it.ended.get_or_insert((failure, now));
            }
        }
    }

    /// Where bytes that `link` brings go. Empty: read frames first.
    #[inline]
    pub fn room(&mut self, link: LinkId) -> &mut [u8] {
        self.links[link.index()].ws.room()
    }

    /// `count` bytes were put at the start of the room; they left the socket at `recv_ns`.
    #[inline]
    pub fn received(&mut self, link: LinkId, count: usize, recv_ns: Nanos) {
        let link = &mut self.links[link.index()];
        link.ws.received(count);
        (link.heard_ns, link.is_pinged) = (recv_ns, false);
    }

    /// Time passed: does what is due at `now`.
    pub fn tick(&mut self, now: Nanos) {
        for link in LinkId::BOTH {
            self.tick_link(link, now);
        }
        let is_served = self.links.iter().any(Link::is_wanted);
        let free = LinkId::BOTH.into_iter().find(|link| self.links[link.index()].stage == Stage::Down);
        if let Some(link) = free.filter(|_| self.is_wanted && !is_served && now >= self.retry_ns) {
            let it = &mut self.links[link.index()];
            it.stage = Stage::Connecting { until: now.plus(self.config.times.open_ns_max) };
            (it.is_leaving, it.ended) = (false, None);
            self.actions.push_back(Action::Connect(link));
        }
    }

    /// When [`Session::tick`] has something to do next. None: not before another input.
    #[must_use]
    pub fn deadline(&self) -> Option<Nanos> {
        let times = &self.config.times;
        let of_link = |link: &Link| {
            let step = link.step().map(|(_, until)| until);
            let request = match link.stage {
                Stage::Subscribing { request: Request::Due(at), .. } => Some(at),
                Stage::Closing { until, .. } => Some(until),
                _ => None,
            };
            let silence = if link.is_pinged { times.silence_ns_max } else { times.ping_after_ns };
            let silent = link.is_open().then(|| link.heard_ns.plus(silence));
            let rotation =
                (link.is_live() && !link.is_leaving).then(|| link.opened_ns.plus(times.rotate_after_ns));
            [step, request, silent, rotation].into_iter().flatten().min()
        };
        let links = self.links.iter().filter_map(of_link).min();
        let replaced = self.replaced_at();
        let is_served = self.links.iter().any(Link::is_wanted);
        let is_free = self.links.iter().any(|link| link.stage == Stage::Down);
        let retry = (self.is_wanted && !is_served && is_free).then_some(self.retry_ns);
        [links, replaced, retry].into_iter().flatten().min()
    }

    // Outputs.

    /// What the driver must do next.
    #[inline]
    pub fn action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Bytes to send over `link`.
    #[inline]
    #[must_use]
    pub fn unsent(&self, link: LinkId) -> &[u8] {
        self.links[link.index()].ws.unsent()
    }

    /// The first `count` of them are sent.
    #[inline]
    pub fn sent(&mut self, link: LinkId, count: usize) {
        self.links[link.index()].ws.sent(count);
    }

    /// Whether [`Session::poll`] has a frame or event to give.
    #[inline]
    pub fn has_output(&mut self) -> bool {
        if self.held.is_none() {
            self.held = self.advance();
        }
        self.held.is_some()
    }

    /// The next frame or event; the same one again until it is consumed.
    #[inline]
    pub fn poll(&mut self) -> Polled<'_> {
        let _ = self.has_output();
        match &self.held {
            None => Polled::Nothing,
            Some(Held::Event(event)) => Polled::Event(event),
            Some(Held::Frame { link: index, kind, range }) => {
                let link = &self.links[*index];
                Polled::Frame(Frame {
                    link: LinkId::BOTH[*index],
                    line: link.line,
                    recv_ns: link.heard_ns,
                    kind: *kind,
                    bytes: link.ws.payload(range.clone()),
                })
            }
        }
    }

    /// Done with what [`Session::poll`] gave.
    #[inline]
    pub fn consume(&mut self) {
        if let Some(Held::Frame { link, .. }) = self.held.take() {
            self.links[link].ws.consume();
            self.turn = 1 - link;
        }
    }

    /// Reads on until there is something to give out.
    #[inline]
    fn advance(&mut self) -> Option<Held> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(Held::Event(event));
            }
            let (first, second) = (self.turn, 1 - self.turn);
            if let Some(held) = self.advance_link(first).or_else(|| self.advance_link(second)) {
                return Some(held);
            }
            if self.events.is_empty() {
                return None;
            }
        }
    }

    #[inline]
    fn advance_link(&mut self, index: usize) -> Option<Held> {
        loop {
            let link = &mut self.links[index];
            if link.stage == Stage::Down {
                return None;
            }
            match link.ws.advance() {
                Ok(Next::Message(kind @ (MessageKind::Text | MessageKind::Binary), range))
                    if !matches!(link.stage, Stage::Closing { is_planned: false, .. }) =>
                {
                    link.line = link.line.wrapping_add(1);
                    self.hear(index, range.clone());
                    return Some(Held::Frame { link: index, kind, range });
                }
                Ok(Next::Message(..)) => link.ws.consume(),
                Ok(Next::Nothing) => {
                    let (failure, now) = link.ended.take()?;
                    self.lose(LinkId::BOTH[index], failure, now);
                }
                Ok(Next::Opened) => self.opened(index),
                Ok(Next::Closed(code)) => self.closed_by_peer(index, code),
                Err(error) => {
                    let now = link.heard_ns;
                    self.fail_politely(LinkId::BOTH[index], Failure::Ws(error), now);
                }
            }
        }
    }

    /// Lets the venue's part hear a frame, and acts on what it says.
    #[inline]
    fn hear(&mut self, index: usize, range: Range<usize>) {
        let heard = self.protocol.hear(self.links[index].ws.payload(range));
        if heard != Heard::Data {
            self.act_on(index, heard);
        }
    }

    #[cold]
    fn act_on(&mut self, index: usize, heard: Heard) {
        let (link, now) = (LinkId::BOTH[index], self.links[index].heard_ns);
        let awaited = self.links[index].awaited();
        match (heard, awaited) {
            (Heard::Ack { id }, Some((expected, step))) if id == expected => match step {
                Step::Subscription(batch) => self.subscribe(link, batch + 1, now),
                _ => self.subscribe(link, 0, now),
            },
            (Heard::Refused { id, code }, Some((expected, step))) if id.is_none_or(|id| id == expected) => {
                self.fail_politely(link, Failure::Refused { step, code }, now);
            }
            (Heard::Shutdown, _) => {
                self.begin_leaving(link, now);
                self.tick(now);
            }
            // Answers to requests of the reader.
            (Heard::Ack { .. } | Heard::Refused { .. } | Heard::Data, _) => {}
        }
    }

    #[cold]
    fn opened(&mut self, index: usize) {
        let (link, it) = (LinkId::BOTH[index], &mut self.links[index]);
        let now = it.heard_ns;
        it.opened_ns = now;
        self.events.push_back(Event::Opened(link));
        self.text.clear();
        let id = self.next_id;
        if !self.protocol.log_on(id, now, &mut self.text) {
            return self.subscribe(link, 0, now);
        }
        self.next_id += 1;
        let it = &mut self.links[index];
        it.stage = Stage::LoggingOn { id, until: now.plus(self.config.times.ack_ns_max) };
        it.requested_ns = now;
        if it.ws.send_text(&self.text).is_err() {
            self.lose(link, Failure::Request(Step::LogOn), now);
        }
    }

    /// Writes the `batch`-th subscription, or notes when it may be written. Where there is none, the link is live.
    fn subscribe(&mut self, link: LinkId, batch: usize, now: Nanos) {
        let (id, it) = (self.next_id, &mut self.links[link.index()]);
        self.text.clear();
        if !self.protocol.subscribe(batch, id, &mut self.text) {
            return self.live(link, now);
        }
        let due = it.requested_ns.plus(self.config.times.request_gap_ns);
        if it.requested_ns.0 > 0 && due > now {
            it.stage = Stage::Subscribing { batch, request: Request::Due(due) };
            return;
        }
        self.next_id += 1;
        it.requested_ns = now;
        let until = now.plus(self.config.times.ack_ns_max);
        it.stage = Stage::Subscribing { batch, request: Request::Sent { id, until } };
        if it.ws.send_text(&self.text).is_err() {
            self.lose(link, Failure::Request(Step::Subscription(batch)), now);
        }
    }

    #[cold]
    fn live(&mut self, link: LinkId, now: Nanos) {
        let it = &mut self.links[link.index()];
        (it.stage, it.live_ns) = (Stage::Live, now);
        self.events.push_back(Event::Live(link));
    }

    fn tick_link(&mut self, link: LinkId, now: Nanos) {
        let times = self.config.times;
        let it = &mut self.links[link.index()];
        if let Some((step, until)) = it.step()
            && now >= until
        {
            return self.lose(link, Failure::Late(step), now);
        }
        match it.stage {
            Stage::Subscribing { batch, request: Request::Due(at) } if now >= at => {
                self.subscribe(link, batch, now);
            }
            Stage::Closing { until, .. }
                if now >= until || (it.ws.is_closed() && it.ws.unsent().is_empty()) =>
            {
                return self.down(link);
            }
            _ => {}
        }
        let it = &mut self.links[link.index()];
        if !it.is_open() {
            return;
        }
        let silent = now.since(it.heard_ns);
        if silent >= times.silence_ns_max {
            return self.lose(link, Failure::Silent(silent), now);
        }
        if silent >= times.ping_after_ns && !it.is_pinged {
            it.is_pinged = true;
            self.text.clear();
            let is_text = self.protocol.ping(&mut self.text);
            // A full buffer is a peer that takes nothing: silence ends it.
            let _ = if is_text { it.ws.send_text(&self.text) } else { it.ws.ping() };
        }
        if it.is_live() && now.since(it.live_ns) >= times.stable_after_ns && !it.is_leaving {
            self.backoff.succeeded();
        }
        let it = &self.links[link.index()];
        if it.is_live() && !it.is_leaving && now.since(it.opened_ns) >= times.rotate_after_ns {
            self.begin_leaving(link, now);
        }
        if self.links[link.index()].is_leaving && self.replaced_at().is_some_and(|at| now >= at) {
            self.leave(link, now);
        }
    }

    /// When the link that is leaving has been replaced for long enough. None: none is, or nothing replaces it.
    fn replaced_at(&self) -> Option<Nanos> {
        let stays = self.links.iter().find(|link| link.is_live() && !link.is_leaving)?;
        self.links.iter().find(|link| link.is_leaving && link.is_open())?;
        Some(stays.live_ns.plus(self.config.times.overlap_ns))
    }

    /// The link is to be replaced.
    #[cold]
    fn begin_leaving(&mut self, link: LinkId, now: Nanos) {
        let (it, other) = (&self.links[link.index()], &self.links[1 - link.index()]);
        if !it.is_open() || it.is_leaving {
            return;
        }
        let is_live = it.is_live();
        if other.is_leaving && other.is_open() {
            // Both have to go: the one that serves stays until there is a third.
            let first = if is_live { LinkId::BOTH[1 - link.index()] } else { link };
            self.leave(first, now);
            if first == link {
                self.retry_ns = self.retry_ns.max(now.plus(self.backoff.failed(&self.config.times)));
                return;
            }
        }
        self.links[link.index()].is_leaving = true;
        self.events.push_back(Event::Leaving(link));
    }

    /// Closes the link as planned.
    #[cold]
    fn leave(&mut self, link: LinkId, now: Nanos) {
        let it = &mut self.links[link.index()];
        match it.stage {
            Stage::Down | Stage::Closing { .. } => {}
            Stage::Connecting { .. } | Stage::Upgrading { .. } => {
                it.is_leaving = true;
                it.stage = Stage::Closing { until: now, is_planned: true };
                self.down(link);
            }
            _ => {
                it.is_leaving = true;
                let _ = it.ws.close(1000);
                let until = now.plus(self.config.times.close_ns_max);
                it.stage = Stage::Closing { until, is_planned: true };
            }
        }
    }

    #[cold]
    fn closed_by_peer(&mut self, index: usize, code: u16) {
        let (link, now) = (LinkId::BOTH[index], self.links[index].heard_ns);
        match self.links[index].stage {
            Stage::Closing { .. } if self.links[index].ws.unsent().is_empty() => self.down(link),
            Stage::Closing { .. } => {}
            _ => self.fail_politely(link, Failure::ClosedByPeer(code), now),
        }
    }

    /// The link is lost; its close frame is sent if it can be.
    #[cold]
    fn fail_politely(&mut self, link: LinkId, failure: Failure, now: Nanos) {
        if let Failure::Ws(crate::ws::WsError::Handshake(error)) = &failure
            && let crate::ws::HandshakeError::Status { retry_after_s: Some(seconds), .. } = error
        {
            let after = now.plus(Nanos::from_ms(u64::from(*seconds).saturating_mul(1_000)));
            self.retry_ns = self.retry_ns.max(after);
        }
        let it = &mut self.links[link.index()];
        if it.ws.is_open() {
            let _ = it.ws.close(1000);
        }
        self.announce(link, failure, now);
        let it = &mut self.links[link.index()];
        if it.ws.unsent().is_empty() {
            return self.down(link);
        }
        it.stage = Stage::Closing { until: now.plus(self.config.times.close_ns_max), is_planned: false };
    }

    /// The link is lost at once.
    #[cold]
    fn lose(&mut self, link: LinkId, failure: Failure, now: Nanos) {
        self.announce(link, failure, now);
        self.down(link);
    }

    /// Says that the link is lost, and sets when the next attempt may be.
    fn announce(&mut self, link: LinkId, failure: Failure, now: Nanos) {
        // A link that was about to be left is missed by nobody once another one is live.
        let is_missed = !self.links.iter().any(|other| other.is_live() && !other.is_leaving)
            || !self.links[link.index()].is_leaving;
        if is_missed {
            self.retry_ns = self.retry_ns.max(now.plus(self.backoff.failed(&self.config.times)));
        }
        self.events.push_back(Event::Lost { link, failure, retry_ns: self.retry_ns });
        self.links[link.index()].stage = Stage::Closing { until: now, is_planned: false };
    }

    /// The link's connection is given up.
    #[cold]
    fn down(&mut self, link: LinkId) {
        let it = &mut self.links[link.index()];
        if let Stage::Closing { is_planned: true, .. } = it.stage {
            self.events.push_back(Event::Left(link));
        }
        let it = &mut self.links[link.index()];
        it.ws.end();
        (it.stage, it.is_leaving, it.ended, it.requested_ns) = (Stage::Down, false, None, Nanos::default());
        self.actions.push_back(Action::Close(link));
    }
}

/// Events and actions that wait, at most, in practice: a few for each link.
const QUEUE: usize = 32;
