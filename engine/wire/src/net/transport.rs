//! A connection that stands: plain, or TLS.

use super::{Net, NetError, Received, SocketId, What};
use crate::tls::TlsStream;
use engine::time::Nanos;

/// The wall clock, as far as this crate reads one: for receive stamps and on threads that wait. A live process gives
/// one that never goes back.
pub trait Clock {
    /// The time.
    fn now(&self) -> Nanos;
}

impl<F: Fn() -> Nanos> Clock for F {
    #[inline]
    fn now(&self) -> Nanos {
        self()
    }
}

/// A connection to a peer. Plain and TLS are values of this one type.
pub struct Transport {
    socket: SocketId,
    tls: Option<Box<TlsStream>>,
    host: String,
    port: u16,
}

impl Transport {
    pub(super) fn new(socket: SocketId, tls: Option<Box<TlsStream>>, host: &str, port: u16) -> Self {
        Self { socket, tls, host: host.to_owned(), port }
    }

    /// Receives what has come into `room`, of at least [`super::ROOM_BYTES`] bytes. The second value is the
    /// time right after the system gave the bytes, before any of them was looked at; 0 where there are none.
    /// Err: the connection is over.
    #[inline]
    pub fn recv(
        &mut self,
        net: &mut Net,
        clock: &impl Clock,
        room: &mut [u8],
    ) -> Result<(Received, Nanos), NetError> {
        if room.is_empty() {
            return Ok((Received::Nothing, Nanos::default()));
        }
        let Some(tls) = &mut self.tls else {
            return match net.recv(&self.socket, room) {
                Ok(received @ Received::Bytes(_)) => Ok((received, clock.now())),
                Ok(received) => Ok((received, Nanos::default())),
                Err(error) => Err(self.failed(What::recv(&error))),
            };
        };
        let cipher_room = tls.room(room.len());
        if cipher_room.is_empty() {
            return Ok((Received::Nothing, Nanos::default()));
        }
        let received = match net.recv(&self.socket, cipher_room) {
            Ok(Received::Bytes(count)) => {
                let recv_ns = clock.now();
                tls.received(count);
                tls.process(room).map(|count| {
                    (if count > 0 { Received::Bytes(count) } else { Received::Nothing }, recv_ns)
                })
            }
            Ok(Received::Nothing) => Ok((Received::Nothing, Nanos::default())),
            Ok(Received::End) if tls.is_peer_closed() => Ok((Received::End, Nanos::default())),
            Ok(Received::End) => Err(What::Truncated),
            Err(error) => Err(What::recv(&error)),
        };
        received.map_err(|what| self.failed(what))
    }

    /// Sends what the system takes of `bytes`, once what TLS has to send itself is sent. Returns how many of them are
    /// taken over; 0: none now. Called with no bytes, it sends on what is left.
    /// Err: the connection is over.
    #[inline]
    pub fn send(&mut self, net: &mut Net, bytes: &[u8]) -> Result<usize, NetError> {
        let Some(tls) = &mut self.tls else {
            if bytes.is_empty() {
                return Ok(0);
            }
            return net.send(&self.socket, bytes).map_err(|error| self.failed(What::send(&error)));
        };
        let taken = if bytes.is_empty() { Ok(0) } else { tls.write(bytes) };
        let taken = taken.map_err(|what| NetError::new(&self.host, self.port, what))?;
        flush(net, &self.socket, tls).map_err(|what| self.failed(what))?;
        Ok(taken)
    }

    /// One turn of the TLS handshake. True: it is done, or there is none.
    pub(super) fn handshake(&mut self, net: &mut Net) -> Result<bool, NetError> {
        let Some(tls) = &mut self.tls else { return Ok(true) };
        let mut turn = || {
            flush(net, &self.socket, tls)?;
            match net.recv(&self.socket, tls.room(usize::MAX)) {
                Ok(Received::Bytes(count)) => tls.received(count),
                Ok(Received::Nothing) => {}
                Ok(Received::End) => return Err(What::Truncated),
                Err(error) => return Err(What::recv(&error)),
            }
            tls.handshake()?;
            flush(net, &self.socket, tls)?;
            Ok(!tls.is_handshaking())
        };
        turn().map_err(|what| NetError::new(&self.host, self.port, what))
    }

    /// Closes the connection, after a goodbye where it is TLS and the goodbye can leave at once.
    pub fn close(mut self, net: &mut Net) {
        if let Some(tls) = &mut self.tls {
            tls.say_goodbye();
            let _ = flush(net, &self.socket, tls);
        }
        net.close(self.socket);
    }

    #[cold]
    fn failed(&self, what: What) -> NetError {
        NetError::new(&self.host, self.port, what)
    }
}

fn flush(net: &mut Net, socket: &SocketId, tls: &mut TlsStream) -> Result<(), What> {
    while !tls.unsent().is_empty() {
        match net.send(socket, tls.unsent()) {
            Ok(0) => break,
            Ok(count) => tls.sent(count),
            Err(error) => return Err(What::send(&error)),
        }
    }
    Ok(())
}
