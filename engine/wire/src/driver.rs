//! Joins a session with its connections. Polled from a busy thread it takes no memory of its own once its links are
//! up, and never waits; a tool polls the same driver from a thread that sleeps between the turns.

use crate::net::{Clock, Connected, Connecting, Endpoint, Line, Net, NetError, Received, Resolver, What};
use crate::session::{Action, Failure, LinkId, Polled, Protocol, Session};
use crate::ws::SendError;
use engine::time::Nanos;

/// A session and its connections.
pub struct Driver<P> {
    session: Session<P>,
    endpoint: Endpoint,
    resolver: Resolver,
    lines: [Line; 2],
}

impl<P: Protocol> Driver<P> {
    /// `session` over connections to `endpoint`.
    #[must_use]
    pub fn new(session: Session<P>, endpoint: Endpoint, resolver: Resolver) -> Self {
        Self { session, endpoint, resolver, lines: [Line::Down, Line::Down] }
    }

    /// The session: for its commands, and for what the venue's part knows.
    pub const fn session(&mut self) -> &mut Session<P> {
        &mut self.session
    }

    /// The next frame or event, the same one again until it is consumed. Where there is none, one turn: what is
    /// due is done, what waits is sent, and each link is asked once for bytes, whose receive time `clock` gives.
    /// `now` is the turn's time.
    #[inline]
    pub fn poll(&mut self, net: &mut Net, clock: &impl Clock, now: Nanos) -> Polled<'_> {
        if !self.session.has_output() {
            self.turn(net, clock, now);
        }
        self.session.poll()
    }

    /// Done with what [`Driver::poll`] gave.
    #[inline]
    pub fn consume(&mut self) {
        self.session.consume();
    }

    /// Writes `text` to the link in service, and hands it to the system at once if it takes it. Returns the link.
    /// Err: nothing was written.
    #[inline]
    pub fn send_text(&mut self, net: &mut Net, now: Nanos, text: &[u8]) -> Result<LinkId, SendError> {
        let link = self.session.send_text(text)?;
        self.flush(net, link, now);
        Ok(link)
    }

    /// Closes every connection at once, without a word over WebSocket. [`Session::stop`] and a few turns say it.
    pub fn close(&mut self, net: &mut Net) {
        for line in &mut self.lines {
            line.close(net);
        }
    }

    #[inline]
    fn turn(&mut self, net: &mut Net, clock: &impl Clock, now: Nanos) {
        self.session.tick(now);
        // First, so that nothing an old connection brings is taken for a new one's.
        self.act(net);
        for link in LinkId::BOTH {
            match &mut self.lines[link.index()] {
                Line::Down => {}
                Line::Connecting(_) => self.connect(net, link, now),
                Line::Up(transport) => {
                    let received = transport.recv(net, clock, self.session.room(link));
                    match received {
                        Ok((Received::Bytes(count), recv_ns)) => self.session.received(link, count, recv_ns),
                        Ok((Received::Nothing, _)) => {}
                        Ok((Received::End, _)) => {
                            let error = NetError::new(&self.endpoint.host, self.endpoint.port, What::Closed);
                            self.lost(net, link, error, now);
                        }
                        Err(error) => self.lost(net, link, error, now),
                    }
                    self.flush(net, link, now);
                }
            }
        }
    }

    /// Does what the session asks for.
    #[inline]
    fn act(&mut self, net: &mut Net) {
        while let Some(action) = self.session.action() {
            let (Action::Connect(link) | Action::Close(link)) = action;
            self.lines[link.index()].close(net);
            if let Action::Connect(_) = action {
                let connecting = Connecting::begin(self.endpoint.clone(), &self.resolver);
                self.lines[link.index()] = Line::Connecting(connecting);
            }
        }
    }

    /// Sends what waits on the link.
    #[inline]
    fn flush(&mut self, net: &mut Net, link: LinkId, now: Nanos) {
        let Line::Up(transport) = &mut self.lines[link.index()] else { return };
        loop {
            match transport.send(net, self.session.unsent(link)) {
                Ok(0) => return,
                Ok(count) => self.session.sent(link, count),
                Err(error) => return self.lost(net, link, error, now),
            }
        }
    }

    #[cold]
    fn connect(&mut self, net: &mut Net, link: LinkId, now: Nanos) {
        let Line::Connecting(connecting) = &mut self.lines[link.index()] else { return };
        match connecting.poll(net, now) {
            Ok(Connected::NotYet) => {}
            Ok(Connected::Yes(transport)) => {
                self.lines[link.index()] = Line::Up(transport);
                self.session.connected(link, now);
                self.flush(net, link, now);
            }
            Err(error) => self.lost(net, link, error, now),
        }
    }

    #[cold]
    fn lost(&mut self, net: &mut Net, link: LinkId, error: NetError, now: Nanos) {
        self.lines[link.index()].close(net);
        self.session.ended(link, Failure::Net(error), now);
    }
}

/// Made at start, polled on a pinned thread.
const _: () = {
    const fn moves_to_another_thread<T: Send>() {}
    moves_to_another_thread::<Net>();
    moves_to_another_thread::<Line>();
    moves_to_another_thread::<Resolver>();
    moves_to_another_thread::<crate::http::HttpClient>();
};
