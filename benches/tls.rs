//! TLS 1.3 records through our stream, beside rustls's unbuffered connection alone, in turns within one run: 250 bytes
//! decrypted, as a ticker has, and 300 bytes encrypted, as an order has.
//!
//! `cargo bench -p wire --bench tls`. Run by `cargo test`, it only shows that it runs.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads clocks")]

#[path = "../engine/wire/tests/support/mod.rs"]
mod support;

use rustls::client::UnbufferedClientConnection;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{ClientConfig, RootCertStore, ServerConnection};
use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;
use support::{Identity, carry};
use wire::tls::{TlsConfig, TlsStream};

/// Records a round.
const RECORDS: usize = 64;

const DECRYPTED_BYTES: usize = 250;

const ENCRYPTED_BYTES: usize = 300;

fn main() {
    let rounds = if std::env::args().any(|argument| argument == "--bench") { 2_001 } else { 1 };
    let identity = Identity::new("localhost", false);
    let config = TlsConfig::trusting(identity.pem.as_bytes()).expect("a certificate");
    let mut ours = TlsStream::new(&config, "localhost").expect("a name");
    let mut our_server = ServerConnection::new(identity.server()).expect("a server");
    carry(&mut ours, &mut our_server, usize::MAX);
    let mut alone = Alone::new(&identity);

    let (mut plain, order) = (vec![0; 64 * 1024], vec![b'o'; ENCRYPTED_BYTES]);
    let mut times: [Vec<f64>; 4] = std::array::from_fn(|_| Vec::with_capacity(rounds));
    for _ in 0..rounds {
        let bytes = records(&mut our_server);
        ours.room(plain.len())[..bytes.len()].copy_from_slice(&bytes);
        ours.received(bytes.len());
        let started = Instant::now();
        let count = ours.process(&mut plain);
        times[0].push(per_record(started));
        assert_eq!(black_box(count), Ok(RECORDS * DECRYPTED_BYTES));

        let mut bytes = records(&mut alone.server);
        let started = Instant::now();
        let count = alone.decrypt(&mut bytes);
        times[1].push(per_record(started));
        assert_eq!(black_box(count), RECORDS * DECRYPTED_BYTES);

        let started = Instant::now();
        for _ in 0..RECORDS {
            assert_eq!(ours.write(black_box(&order)), Ok(ENCRYPTED_BYTES));
        }
        times[2].push(per_record(started));
        ours.sent(usize::MAX);

        let started = Instant::now();
        for _ in 0..RECORDS {
            alone.encrypt(black_box(&order));
        }
        times[3].push(per_record(started));
    }
    println!("{:<44} {:>8} {:>8} {:>8}", "ns a record", "min", "p50", "p99");
    let mut medians = [0.0; 4];
    let names = ["decrypt 250 bytes", "rustls alone", "encrypt 300 bytes", "rustls alone"];
    for ((name, times), median) in names.iter().zip(&mut times).zip(&mut medians) {
        times.sort_by(f64::total_cmp);
        let at = |share: usize| times[(times.len() - 1) * share / 100];
        *median = at(50);
        println!("{name:<44} {:>8.1} {:>8.1} {:>8.1}", at(0), at(50), at(99));
    }
    println!(
        "ours to alone, p50: decrypt {:.3}, encrypt {:.3}",
        medians[0] / medians[1],
        medians[2] / medians[3]
    );
}

fn per_record(started: Instant) -> f64 {
    started.elapsed().as_nanos() as f64 / RECORDS as f64
}

/// Ciphertext of [`RECORDS`] records of a server.
fn records(server: &mut ServerConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..RECORDS {
        server.writer().write_all(&[b'x'; DECRYPTED_BYTES]).expect("memory takes all");
        while server.wants_write() {
            server.write_tls(&mut bytes).expect("memory takes all");
        }
    }
    bytes
}

/// rustls without anything around it.
struct Alone {
    client: UnbufferedClientConnection,
    server: ServerConnection,
    out: Vec<u8>,
}

impl Alone {
    fn new(identity: &Identity) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(identity.pem.as_bytes()).expect("PEM")).expect("a root");
        let provider: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.expect("versions").with_root_certificates(roots);
        let name = ServerName::try_from("localhost").expect("a name");
        let client = UnbufferedClientConnection::new(Arc::new(builder.with_no_client_auth()), name);
        let server = ServerConnection::new(identity.server()).expect("a server");
        let mut alone = Self { client: client.expect("a client"), server, out: vec![0; 64 * 1024] };
        alone.shake_hands();
        alone
    }

    fn shake_hands(&mut self) {
        let mut incoming = Vec::new();
        loop {
            let UnbufferedStatus { discard, state } = self.client.process_tls_records(&mut incoming);
            let mut is_done = false;
            match state.expect("a handshake") {
                ConnectionState::EncodeTlsData(mut data) => {
                    let count = data.encode(&mut self.out).expect("room");
                    self.server.read_tls(&mut &self.out[..count]).expect("memory gives all");
                    self.server.process_new_packets().expect("a handshake");
                }
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::WriteTraffic(_) => is_done = !self.server.wants_write(),
                _ => {}
            }
            incoming.drain(..discard);
            while self.server.wants_write() {
                self.server.write_tls(&mut incoming).expect("memory takes all");
            }
            if is_done && incoming.is_empty() {
                return;
            }
        }
    }

    fn decrypt(&mut self, bytes: &mut [u8]) -> usize {
        let (mut start, mut count) = (0, 0);
        while start < bytes.len() {
            let UnbufferedStatus { mut discard, state } =
                self.client.process_tls_records(&mut bytes[start..]);
            if let ConnectionState::ReadTraffic(mut traffic) = state.expect("records") {
                while let Some(record) = traffic.next_record() {
                    let record = record.expect("a record");
                    count += black_box(record.payload).len();
                    discard += record.discard;
                }
            }
            start += discard;
        }
        count
    }

    fn encrypt(&mut self, plain: &[u8]) {
        let UnbufferedStatus { state, .. } = self.client.process_tls_records(&mut []);
        if let ConnectionState::WriteTraffic(mut traffic) = state.expect("a connection") {
            assert!(black_box(traffic.encrypt(plain, &mut self.out)).is_ok());
        }
    }
}
