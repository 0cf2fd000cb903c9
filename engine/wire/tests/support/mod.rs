//! A peer to talk to: a thread with a blocking socket, plain or TLS, and a certificate of its own.
#![allow(dead_code, reason = "each test uses a part")]

use engine::time::Nanos;
use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wire::net::{Backend, Net, NetOptions};
use wire::tls::TlsStream;

/// A server's identity, which signed itself.
pub(crate) struct Identity {
    /// The certificate, PEM: what a client trusts.
    pub(crate) pem: String,
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Identity {
    /// For `name`, valid now or not any more.
    pub(crate) fn new(name: &str, is_expired: bool) -> Self {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(if is_expired { 2021 } else { 2090 }, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { pem: certificate.pem(), certificate: certificate.der().clone(), key: key.serialize_der() }
    }

    /// What a TLS server with it needs.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        self.server_of(rustls::ALL_VERSIONS)
    }

    /// The same with these versions of TLS alone.
    pub(crate) fn server_of(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::try_from(self.key.clone()).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_protocol_versions(versions).unwrap().with_no_client_auth();
        Arc::new(builder.with_single_cert(vec![self.certificate.clone()], key).unwrap())
    }
}

/// A connection as the server sees it.
pub(crate) trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// Serves every connection with `serve`, one after the other, until the test ends. Returns the port.
pub(crate) fn serve(tls: Option<Arc<ServerConfig>>, serve: impl Fn(&mut dyn Stream) + Send + 'static) -> u16 {
    serve_tcp(move |mut stream| match &tls {
        None => serve(&mut stream),
        Some(config) => {
            let connection = ServerConnection::new(config.clone()).unwrap();
            serve(&mut StreamOwned::new(connection, stream));
        }
    })
}

/// The same on the bare socket.
pub(crate) fn serve_tcp(serve: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            stream.set_nodelay(true).unwrap();
            serve(stream);
        }
    });
    port
}

/// Time that passes only when it is told to: no test waits for a clock, and none is decided by one.
#[derive(Clone, Debug)]
pub(crate) struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_700_000_000_000_000_000)))
    }

    pub(crate) fn advance_ms(&self, ms: u64) {
        self.0.fetch_add(ms * 1_000_000, Ordering::Relaxed);
    }
}

impl wire::net::Clock for ManualClock {
    fn now(&self) -> Nanos {
        Nanos(self.0.load(Ordering::Relaxed))
    }
}

/// Sockets on that back end, which must be the one that is used.
pub(crate) fn net(backend: Backend) -> Net {
    let net = Net::new(NetOptions { backend, busy_poll_us: 0 });
    assert!(net.backend() == backend || !net.remarks().is_empty(), "a fallback without a word");
    net
}

/// Turns until `turn` has something.
pub(crate) fn until<T>(mut turn: impl FnMut() -> Option<T>) -> T {
    for _ in 0..TURNS_MAX {
        if let Some(found) = turn() {
            return found;
        }
        std::thread::yield_now();
    }
    panic!("nothing in {TURNS_MAX} turns");
}

/// Far more than any exchange needs; a hang becomes a failure.
const TURNS_MAX: u32 = 50_000_000;

/// Carries ciphertext both ways until neither side has any, `piece_bytes` at a time towards the client. Returns what
/// the client reads.
pub(crate) fn carry(client: &mut TlsStream, server: &mut ServerConnection, piece_bytes: usize) -> Vec<u8> {
    let (mut plain, mut read) = (vec![0; 64 * 1024], Vec::new());
    loop {
        let unsent = client.unsent().to_vec();
        client.sent(unsent.len());
        let mut left = &unsent[..];
        while !left.is_empty() {
            server.read_tls(&mut left).unwrap();
            server.process_new_packets().unwrap();
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        if unsent.is_empty() && bytes.is_empty() {
            return read;
        }
        for piece in bytes.chunks(piece_bytes) {
            let mut piece = piece;
            while !piece.is_empty() {
                let room = client.room(plain.len());
                let count = piece.len().min(room.len());
                room[..count].copy_from_slice(&piece[..count]);
                client.received(count);
                piece = &piece[count..];
                if client.is_handshaking() {
                    client.handshake().unwrap();
                }
                let count = client.process(&mut plain).unwrap();
                read.extend_from_slice(&plain[..count]);
            }
        }
    }
}
