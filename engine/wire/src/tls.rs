//! TLS 1.2 and 1.3 by rustls over aws-lc-rs, without a socket: ciphertext in, plaintext out, and the other way.
//!
//! rustls's unbuffered interface is used: one copy less than its buffered one. It takes memory for every record, in
//! both directions, and gives it back; nothing here adds to that.

use crate::net::What;
use crate::outbox::{Outbox, OutboxFull};
use rustls::client::UnbufferedClientConnection;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{ClientConfig, HandshakeKind, InvalidMessage, RootCertStore};
use std::fmt;
use std::sync::Arc;

/// Whom a client trusts, and the sessions that it can resume: those of all connections made with it or its clones.
#[derive(Clone)]
pub struct TlsConfig(Arc<ClientConfig>);

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsConfig")
    }
}

/// Why there are no roots to trust.
#[derive(Clone, Debug, PartialEq)]
pub enum TlsConfigError {
    /// Not PEM blocks of certificates, or none.
    Pem,
    /// rustls refused one, or the set-up.
    Refused(rustls::Error),
}

impl fmt::Display for TlsConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pem => f.write_str("no PEM block CERTIFICATE, or one that is broken"),
            Self::Refused(error) => write!(f, "a root certificate is refused: {error}"),
        }
    }
}

impl std::error::Error for TlsConfigError {}

impl TlsConfig {
    /// Trusts the roots that Mozilla's programme trusts, as compiled in.
    /// Err: [`TlsConfigError::Refused`].
    pub fn public() -> Result<Self, TlsConfigError> {
        Self::with(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() })
    }

    /// Trusts the certificates in `pem` alone: those of a simulated venue, or of a company's own authority.
    /// Err: see [`TlsConfigError`].
    pub fn trusting(pem: &[u8]) -> Result<Self, TlsConfigError> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| TlsConfigError::Pem)?;
            roots.add(certificate).map_err(TlsConfigError::Refused)?;
        }
        if roots.is_empty() { Err(TlsConfigError::Pem) } else { Self::with(roots) }
    }

    fn with(roots: RootCertStore) -> Result<Self, TlsConfigError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(TlsConfigError::Refused)?;
        Ok(Self(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
    }
}

/// One connection's TLS.
pub struct TlsStream {
    connection: UnbufferedClientConnection,
    /// Ciphertext that came and is not read: `start..end`.
    incoming: Box<[u8]>,
    start: usize,
    end: usize,
    outgoing: Outbox,
    is_handshaking: bool,
    is_peer_closed: bool,
    /// The peer has proved that it speaks TLS.
    is_greeted: bool,
}

impl TlsStream {
    /// A connection to the server called `host`, whose certificate must be for that name. Takes its memory here.
    /// Err: `host` can be in no certificate, or rustls refuses to begin.
    pub fn new(config: &TlsConfig, host: &str) -> Result<Self, What> {
        let invalid = |_| What::Tls(rustls::Error::General(format!("{host:?} can be in no certificate")));
        let name = ServerName::try_from(host.to_owned()).map_err(invalid)?;
        let connection = UnbufferedClientConnection::new(config.0.clone(), name).map_err(What::Tls)?;
        let mut stream = Self {
            connection,
            incoming: vec![0; INCOMING_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            outgoing: Outbox::new(OUTGOING_BYTES),
            is_handshaking: true,
            is_peer_closed: false,
            is_greeted: false,
        };
        stream.handshake()?;
        Ok(stream)
    }

    /// Whether no data can be sent yet.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.is_handshaking
    }

    /// Whether the handshake went on from an earlier session. None: it is not done.
    #[must_use]
    pub fn is_resumed(&self) -> Option<bool> {
        self.connection.handshake_kind().map(|kind| kind == HandshakeKind::Resumed)
    }

    /// The peer said goodbye: what came is complete.
    #[must_use]
    pub fn is_peer_closed(&self) -> bool {
        self.is_peer_closed
    }

    /// Where the next ciphertext goes: so little that its plaintext, with what came before, fits into `plain_bytes`.
    #[inline]
    pub fn room(&mut self, plain_bytes: usize) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.incoming.len() - self.end < RECORD_BYTES_MAX {
            self.incoming.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let last = self.incoming.len().min(self.start.saturating_add(plain_bytes)).max(self.end);
        &mut self.incoming[self.end..last]
    }

    /// `count` bytes were put at the start of the room.
    #[inline]
    pub fn received(&mut self, count: usize) {
        self.end = (self.end + count).min(self.incoming.len());
    }

    /// Decrypts every whole record that came into `plain`. Returns the bytes of plaintext.
    /// Err: the connection is over.
    #[inline]
    pub fn process(&mut self, plain: &mut [u8]) -> Result<usize, What> {
        let mut count = 0;
        while self.start < self.end {
            let UnbufferedStatus { mut discard, state } =
                self.connection.process_tls_records(&mut self.incoming[self.start..self.end]);
            let mut is_done = false;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(What::Tls)?;
                        let room = plain.get_mut(count..count + record.payload.len());
                        room.ok_or_else(no_room)?.copy_from_slice(record.payload);
                        count += record.payload.len();
                        discard += record.discard;
                    }
                }
                state => {
                    is_done =
                        step(state, &mut self.outgoing, &mut self.is_handshaking, &mut self.is_peer_closed)
                            .map_err(|error| self.failed(error))?;
                }
            }
            self.start += discard;
            if is_done {
                break;
            }
        }
        Ok(count)
    }

    /// Goes on with the handshake as far as what came allows.
    /// Err: the connection is over.
    pub fn handshake(&mut self) -> Result<(), What> {
        loop {
            let UnbufferedStatus { discard, state } =
                self.connection.process_tls_records(&mut self.incoming[self.start..self.end]);
            let is_done = match state {
                // Data behind the handshake: it waits for `process`, which has somewhere to put it.
                Ok(ConnectionState::ReadTraffic(_)) => {
                    self.is_handshaking = false;
                    true
                }
                state => step(state, &mut self.outgoing, &mut self.is_handshaking, &mut self.is_peer_closed)
                    .map_err(|error| self.failed(error))?,
            };
            self.start += discard;
            self.is_greeted |= discard > 0;
            if is_done || !self.is_handshaking {
                return Ok(());
            }
        }
    }

    /// Encrypts the beginning of `plain`, a record at most. Returns how many bytes; 0: what was written before has to
    /// leave first, or what came has to be read.
    /// Err: the connection is over.
    #[inline]
    pub fn write(&mut self, plain: &[u8]) -> Result<usize, What> {
        let plain = &plain[..plain.len().min(PLAIN_BYTES_MAX)];
        loop {
            let UnbufferedStatus { discard, state } =
                self.connection.process_tls_records(&mut self.incoming[self.start..self.end]);
            match state {
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    let written = self
                        .outgoing
                        .append(plain.len() + RECORD_OVERHEAD, |room| traffic.encrypt(plain, room));
                    self.start += discard;
                    return match written {
                        Ok(Ok(())) => Ok(plain.len()),
                        Ok(Err(error)) => Err(What::Tls(rustls::Error::General(error.to_string()))),
                        Err(OutboxFull) => Ok(0),
                    };
                }
                Ok(ConnectionState::ReadTraffic(_)) => return Ok(0),
                state => {
                    let is_done =
                        step(state, &mut self.outgoing, &mut self.is_handshaking, &mut self.is_peer_closed)
                            .map_err(|error| self.failed(error))?;
                    self.start += discard;
                    if is_done {
                        return Ok(0);
                    }
                }
            }
        }
    }

    /// Writes the goodbye, if there is room for it.
    pub fn say_goodbye(&mut self) {
        let UnbufferedStatus { discard, state } =
            self.connection.process_tls_records(&mut self.incoming[self.start..self.end]);
        self.start += discard;
        if let Ok(ConnectionState::WriteTraffic(mut traffic)) = state {
            // Without it the peer only learns less.
            let _ = self.outgoing.append(RECORD_OVERHEAD, |room| traffic.queue_close_notify(room));
        }
    }

    /// Ciphertext to send.
    #[inline]
    #[must_use]
    pub fn unsent(&self) -> &[u8] {
        self.outgoing.unsent()
    }

    /// The first `count` bytes of it are sent.
    #[inline]
    pub fn sent(&mut self, count: usize) {
        self.outgoing.sent(count);
    }

    #[cold]
    fn failed(&self, error: What) -> What {
        match error {
            What::Tls(rustls::Error::InvalidMessage(kind))
                if !self.is_greeted
                    && matches!(
                        kind,
                        InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion
                    ) =>
            {
                What::PlainText
            }
            error => error,
        }
    }
}

/// What is neither data to read nor a chance to write. True: nothing more can be done now.
#[cold]
fn step<Data>(
    state: Result<ConnectionState<'_, '_, Data>, rustls::Error>,
    outgoing: &mut Outbox,
    is_handshaking: &mut bool,
    is_peer_closed: &mut bool,
) -> Result<bool, What> {
    match state.map_err(What::Tls)? {
        ConnectionState::EncodeTlsData(mut data) => {
            let written = outgoing.append(RECORD_BYTES_MAX, |room| data.encode(room));
            let failed = |error: String| What::Tls(rustls::Error::General(error));
            written.map_err(|full| failed(full.to_string()))?.map_err(|error| failed(error.to_string()))?;
            Ok(false)
        }
        // It is in `outgoing`, before everything that is written from now on.
        ConnectionState::TransmitTlsData(data) => {
            data.done();
            Ok(false)
        }
        ConnectionState::PeerClosed => {
            *is_peer_closed = true;
            Ok(false)
        }
        ConnectionState::WriteTraffic(_) => {
            *is_handshaking = false;
            Ok(true)
        }
        _ => Ok(true),
    }
}

#[cold]
fn no_room() -> What {
    What::Tls(rustls::Error::General("more plaintext than room".to_owned()))
}

/// A record at most, on the wire: 2^14 bytes, 2,048 of expansion in TLS 1.2, a head of 5.
const RECORD_BYTES_MAX: usize = (1 << 14) + 2_048 + 5;

/// What encryption adds to a record of ours, at most.
const RECORD_OVERHEAD: usize = 128;

/// Plaintext of one record of ours.
const PLAIN_BYTES_MAX: usize = 1 << 14;

const INCOMING_BYTES: usize = 2 * RECORD_BYTES_MAX;

const OUTGOING_BYTES: usize = 4 * RECORD_BYTES_MAX;
