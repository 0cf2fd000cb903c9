//! The venue on sockets: one thread and one `mio` loop for all clients, the operator's port and the venue itself.

mod accepted;
mod certificates;
mod connection;
mod http;

use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use engine::time::Nanos;

use crate::outbox::{ConnId, Outbox, Payload};
use crate::venue::{Answer, Venue};

pub use accepted::Accepted;
pub use certificates::{CertificateError, Certificates};
pub use connection::{Connection, Said};
pub use http::{Request, RequestError, Response};

const CLIENTS: Token = Token(0);
const OPERATORS: Token = Token(1);
/// Connections have tokens from here on, never used again.
const FIRST: u64 = 2;
/// A signal is seen after this at the latest.
const WAIT_MAX: Duration = Duration::from_millis(50);

/// The sockets and the venue behind them.
pub struct Server {
    poll: Poll,
    clients: TcpListener,
    operators: TcpListener,
    certificates: Option<Certificates>,
    venue: Venue,
    started: Instant,
    connections: BTreeMap<u64, Connection>,
    /// Those of the operator's port.
    operator_tokens: Vec<u64>,
    next: u64,
    out: Outbox,
}

impl Server {
    /// Listens for clients and operators. `certificates` None: clients speak plain text.
    /// Err: an address that cannot be listened on.
    pub fn listen(
        clients: SocketAddr,
        operators: SocketAddr,
        certificates: Option<Certificates>,
        venue: Venue,
        started: Instant,
    ) -> io::Result<Self> {
        let named = |address: SocketAddr| {
            move |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"))
        };
        let poll = Poll::new()?;
        let mut clients_socket = TcpListener::bind(clients).map_err(named(clients))?;
        let mut operators_socket = TcpListener::bind(operators).map_err(named(operators))?;
        poll.registry().register(&mut clients_socket, CLIENTS, Interest::READABLE)?;
        poll.registry().register(&mut operators_socket, OPERATORS, Interest::READABLE)?;
        Ok(Self {
            poll,
            clients: clients_socket,
            operators: operators_socket,
            certificates,
            venue,
            started,
            connections: BTreeMap::new(),
            operator_tokens: Vec::new(),
            next: FIRST,
            out: Outbox::default(),
        })
    }

    /// Where clients and operators connect to.
    pub fn addresses(&self) -> io::Result<[SocketAddr; 2]> {
        Ok([self.clients.local_addr()?, self.operators.local_addr()?])
    }

    /// Serves until `stop` is set. Err: the poll itself fails.
    pub fn run(&mut self, stop: &AtomicBool) -> io::Result<()> {
        let mut events = Events::with_capacity(1_024);
        while !stop.load(Ordering::Relaxed) {
            let due = self.venue.next_due().0.saturating_sub(self.real().0);
            match self.poll.poll(&mut events, Some(Duration::from_nanos(due).min(WAIT_MAX))) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result?,
            }
            let real = self.real();
            self.venue.advance(real, &mut self.out);
            self.deliver();
            for event in &events {
                match event.token() {
                    CLIENTS => self.accept(false)?,
                    OPERATORS => self.accept(true)?,
                    Token(token) => self.serve(token as u64, event.is_readable(), event.is_writable()),
                }
                self.deliver();
            }
            self.sweep();
        }
        Ok(())
    }

    fn real(&self) -> Nanos {
        Nanos(u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn accept(&mut self, is_operator: bool) -> io::Result<()> {
        loop {
            let listener = if is_operator { &self.operators } else { &self.clients };
            let (socket, peer) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // The client has gone again, or there are no descriptors left: others are served on.
                Err(_) => return Ok(()),
            };
            let expired = self.venue.has_expired_certificate();
            let tls = self.certificates.as_ref().filter(|_| !is_operator);
            let tls = tls.map(|made| if expired { made.expired.clone() } else { made.valid.clone() });
            let Ok(mut connection) = Connection::new(socket, peer.ip(), tls) else { continue };
            let token = self.next;
            self.next += 1;
            let interest = Interest::READABLE | Interest::WRITABLE;
            let mio_token = Token(usize::try_from(token).unwrap_or(usize::MAX));
            self.poll.registry().register(connection.socket(), mio_token, interest)?;
            self.connections.insert(token, connection);
            if is_operator {
                self.operator_tokens.push(token);
            }
        }
    }

    fn serve(&mut self, token: u64, is_readable: bool, is_writable: bool) {
        let is_operator = self.operator_tokens.contains(&token);
        let Some(connection) = self.connections.get_mut(&token) else { return };
        if is_writable {
            connection.flush();
        }
        if !is_readable {
            return;
        }
        connection.fill();
        let (conn, peer) = (ConnId(token), connection.peer);
        while let Some(said) = self.connections.get_mut(&token).and_then(Connection::said) {
            match said {
                Said::Http(request) if is_operator => {
                    let response = self.venue.admin(&request, &mut self.out);
                    self.send(token, Payload::Http(response));
                    if request.closes {
                        self.end(token);
                    }
                }
                Said::Http(request) => match self.venue.http(conn, peer, &request, &mut self.out) {
                    Answer::Upgrade(response) => {
                        if let Some(connection) = self.connections.get_mut(&token) {
                            connection.upgrade(&response);
                        }
                        continue;
                    }
                    Answer::Sent if !request.closes => {}
                    Answer::Sent | Answer::Last => {
                        self.deliver();
                        self.end(token);
                    }
                },
                Said::Malformed(error) => {
                    self.send(token, Payload::Http(error.response()));
                    self.end(token);
                }
                Said::Text(text) => self.venue.text(conn, &text, &mut self.out),
                Said::Pong => self.venue.control_frame(conn, true, &mut self.out),
                Said::Ping | Said::Binary => self.venue.control_frame(conn, false, &mut self.out),
            }
            self.deliver();
        }
    }

    fn end(&mut self, token: u64) {
        if let Some(connection) = self.connections.get_mut(&token) {
            connection.end_when_sent();
        }
    }

    fn send(&mut self, token: u64, payload: Payload) {
        if let Some(connection) = self.connections.get_mut(&token) {
            connection.send(payload);
        }
    }

    fn deliver(&mut self) {
        for message in self.venue.pass(&mut self.out) {
            self.send(message.conn.0, message.payload);
        }
    }

    /// Drops connections that are over.
    fn sweep(&mut self) {
        let over =
            self.connections.iter().filter(|(_, connection)| connection.is_over).map(|(token, _)| *token);
        for token in over.collect::<Vec<_>>() {
            if let Some(mut connection) = self.connections.remove(&token) {
                // Gone from the poll with its descriptor anyway.
                let _ = self.poll.registry().deregister(connection.socket());
            }
            self.operator_tokens.retain(|known| *known != token);
            self.venue.closed(ConnId(token));
        }
    }
}
