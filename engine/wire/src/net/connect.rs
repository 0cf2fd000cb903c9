//! The way to a connection: the name, its addresses one after the other, TLS.

use super::transport::Transport;
use super::{Lookup, Net, NetError, Resolver, SocketId, What};
use crate::tls::{TlsConfig, TlsStream};
use engine::time::Nanos;
use std::net::SocketAddr;

/// Where a connection goes.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Name or address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// TLS; without it the connection is plain.
    pub tls: Option<TlsConfig>,
    /// Longest wait for one address.
    pub connect_ns_max: Nanos,
    /// Longest wait for the TLS handshake.
    pub tls_ns_max: Nanos,
}

impl Endpoint {
    /// An endpoint with 3 s for an address and 5 s for TLS.
    #[must_use]
    pub fn new(host: &str, port: u16, tls: Option<TlsConfig>) -> Self {
        let (connect_ns_max, tls_ns_max) = (Nanos::from_ms(3_000), Nanos::from_ms(5_000));
        Self { host: host.to_owned(), port, tls, connect_ns_max, tls_ns_max }
    }

    /// The `Host` header: with the port where it is not the scheme's own.
    #[must_use]
    pub fn host_header(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let usual = if self.tls.is_some() { 443 } else { 80 };
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
    }
}

/// A connection on its way.
pub struct Connecting {
    endpoint: Endpoint,
    at: At,
}

/// What one turn of [`Connecting::poll`] gave.
pub enum Connected {
    /// Not yet.
    NotYet,
    /// The connection stands.
    Yes(Transport),
}

/// A connection at any point of its life.
#[derive(Default)]
pub enum Line {
    /// There is none.
    #[default]
    Down,
    /// On its way.
    Connecting(Connecting),
    /// It stands.
    Up(Transport),
}

impl Line {
    /// Closes it, however far it is.
    pub fn close(&mut self, net: &mut Net) {
        match std::mem::take(self) {
            Self::Down => {}
            Self::Connecting(connecting) => connecting.close(net),
            Self::Up(transport) => transport.close(net),
        }
    }
}

enum At {
    Resolving(Lookup),
    /// The address that is tried, those left, and until when.
    Trying {
        socket: SocketId,
        left: Vec<SocketAddr>,
        until: Nanos,
    },
    Securing {
        transport: Box<Transport>,
        until: Nanos,
    },
    /// It stands, or failed.
    Done,
}

impl Connecting {
    /// Begins. Does not wait.
    #[must_use]
    pub fn begin(endpoint: Endpoint, resolver: &Resolver) -> Self {
        let lookup = resolver.lookup(&endpoint.host, endpoint.port);
        Self::begin_with(endpoint, lookup)
    }

    /// Begins with the answer of `lookup`, whatever the endpoint's host is called.
    #[must_use]
    pub const fn begin_with(endpoint: Endpoint, lookup: Lookup) -> Self {
        Self { endpoint, at: At::Resolving(lookup) }
    }

    /// One turn; never waits. Err: it failed, and was given up.
    pub fn poll(&mut self, net: &mut Net, now: Nanos) -> Result<Connected, NetError> {
        match std::mem::replace(&mut self.at, At::Done) {
            At::Done => Err(self.failed(What::Closed)),
            At::Resolving(mut lookup) => match lookup.poll() {
                None => {
                    self.at = At::Resolving(lookup);
                    Ok(Connected::NotYet)
                }
                Some(Err(reason)) => Err(self.failed(What::Resolve(reason))),
                Some(Ok(mut left)) => {
                    // Taken from the end.
                    left.reverse();
                    self.try_next(net, left, What::Resolve("it has no address".to_owned()), now)
                }
            },
            At::Trying { socket, left, until } => match net.is_connected(&socket) {
                Ok(true) => self.secure(net, socket, now),
                Ok(false) if now < until => {
                    self.at = At::Trying { socket, left, until };
                    Ok(Connected::NotYet)
                }
                Ok(false) => {
                    net.close(socket);
                    self.try_next(net, left, What::ConnectTimeout(self.endpoint.connect_ns_max.as_ms()), now)
                }
                Err(error) => {
                    net.close(socket);
                    self.try_next(net, left, What::Connect(error.to_string()), now)
                }
            },
            At::Securing { mut transport, until } => match transport.handshake(net) {
                Ok(true) => Ok(Connected::Yes(*transport)),
                Ok(false) if now < until => {
                    self.at = At::Securing { transport, until };
                    Ok(Connected::NotYet)
                }
                Ok(false) => {
                    transport.close(net);
                    Err(self.failed(What::TlsTimeout(self.endpoint.tls_ns_max.as_ms())))
                }
                Err(error) => {
                    transport.close(net);
                    Err(error)
                }
            },
        }
    }

    /// Gives up.
    pub fn close(self, net: &mut Net) {
        match self.at {
            At::Resolving(_) | At::Done => {}
            At::Trying { socket, .. } => net.close(socket),
            At::Securing { transport, .. } => transport.close(net),
        }
    }

    /// Tries the next address; `what` is what the last one failed with.
    fn try_next(
        &mut self,
        net: &mut Net,
        mut left: Vec<SocketAddr>,
        what: What,
        now: Nanos,
    ) -> Result<Connected, NetError> {
        let mut what = what;
        while let Some(address) = left.pop() {
            match net.connect(address) {
                Ok(socket) => {
                    self.at = At::Trying { socket, left, until: now.plus(self.endpoint.connect_ns_max) };
                    return Ok(Connected::NotYet);
                }
                Err(error) => what = What::Connect(error.to_string()),
            }
        }
        Err(self.failed(what))
    }

    fn secure(&mut self, net: &mut Net, socket: SocketId, now: Nanos) -> Result<Connected, NetError> {
        let Endpoint { host, port, tls, tls_ns_max, .. } = &self.endpoint;
        let Some(tls) = tls else { return Ok(Connected::Yes(Transport::new(socket, None, host, *port))) };
        match TlsStream::new(tls, host) {
            Ok(stream) => {
                let transport = Box::new(Transport::new(socket, Some(Box::new(stream)), host, *port));
                self.at = At::Securing { transport, until: now.plus(*tls_ns_max) };
                Ok(Connected::NotYet)
            }
            Err(what) => {
                net.close(socket);
                Err(self.failed(what))
            }
        }
    }

    fn failed(&self, what: What) -> NetError {
        NetError::new(&self.endpoint.host, self.endpoint.port, what)
    }
}
