//! A session over sockets takes no memory for a frame, whatever the back end: receiving, pings, sending. Over TLS the
//! library takes some for each record, and nothing here adds to that. First shown: that the counter counts.

mod support;

use engine::time::Nanos;
use rustls::client::UnbufferedClientConnection;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{ClientConfig, RootCertStore, ServerConnection};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write;
use std::sync::Arc;
use support::{Identity, ManualClock, carry, net, serve};
use tungstenite::{Bytes, Message};
use wire::driver::Driver;
use wire::net::{Backend, Clock, Endpoint, Resolver};
use wire::session::{Event, Heard, Polled, Protocol, Session, SessionConfig, SessionTimes};
use wire::tls::{TlsConfig, TlsStream};

thread_local! {
    /// Calls to the allocator on this thread. Const and without a destructor, so that it needs no memory itself.
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller's promises are the ones needed.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller's promises are the ones needed.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Calls to the allocator that `work` makes.
fn calls(work: impl FnOnce()) -> u64 {
    let before = CALLS.get();
    work();
    CALLS.get() - before
}

struct Quiet;

impl Protocol for Quiet {
    fn hear(&mut self, _frame: &[u8]) -> Heard {
        Heard::Data
    }
}

fn main() {
    assert_eq!(calls(|| drop(std::hint::black_box(vec![1_u8]))), 2, "the counter counts");
    for backend in Backend::ALL {
        over_sockets(backend);
    }
    over_tls();
}

/// Frames of every kind from a server in another thread, and answers to some of them.
fn over_sockets(backend: Backend) {
    let port = serve(None, |stream| {
        let mut socket = tungstenite::accept(stream).unwrap();
        // The client says when it is ready.
        socket.read().unwrap();
        for at in 0..FRAMES {
            let message = match at % 100 {
                7 => Message::Ping(Bytes::from_static(b"1700000000000")),
                8 => Message::text("x".repeat(60_000)),
                _ => Message::text(format!(r#"{{"u":{at},"s":"BTCUSDT","b":"61837.63","B":"0.014"}}"#)),
            };
            socket.send(message).unwrap();
        }
        while socket.read().is_ok() {}
    });
    let (mut net, clock) = (net(backend), ManualClock::new());
    let endpoint = Endpoint::new("127.0.0.1", port, None);
    let config = SessionConfig {
        host: endpoint.host_header(),
        path: "/".into(),
        headers: vec![],
        message_bytes_max: 1 << 18,
        send_bytes_max: 1 << 16,
        times: SessionTimes::USUAL,
    };
    let mut driver = Driver::new(Session::new(config, Quiet, 1), endpoint, Resolver::start().unwrap());
    driver.session().start(clock.now());
    loop {
        let is_live = matches!(driver.poll(&mut net, &clock, clock.now()), Polled::Event(Event::Live(_)));
        driver.consume();
        if is_live {
            break;
        }
    }
    driver.send_text(&mut net, clock.now(), b"go").unwrap();
    let (mut frames, mut bytes) = (0, 0);
    let made = calls(|| {
        while frames < FRAMES - FRAMES / 100 {
            match driver.poll(&mut net, &clock, clock.now()) {
                Polled::Nothing => {
                    std::hint::spin_loop();
                    continue;
                }
                Polled::Frame(frame) => (frames, bytes) = (frames + 1, bytes + frame.bytes.len()),
                Polled::Event(event) => panic!("{event}"),
            }
            driver.consume();
            if frames % 10 == 0 {
                driver.send_text(&mut net, Nanos(clock.now().0), &[b'o'; 300]).unwrap();
            }
        }
    });
    println!(
        "{} (asked for {}): {frames} frames, {bytes} bytes, {made} calls to the allocator",
        net.backend().name(),
        backend.name()
    );
    assert_eq!(made, 0, "{backend:?}");
}

/// As many calls as rustls alone makes for the same records.
fn over_tls() {
    let identity = Identity::new("localhost", false);
    let config = TlsConfig::trusting(identity.pem.as_bytes()).unwrap();
    let mut client = TlsStream::new(&config, "localhost").unwrap();
    let mut server = ServerConnection::new(identity.server()).unwrap();
    carry(&mut client, &mut server, usize::MAX);
    let ciphertext = |server: &mut ServerConnection| {
        let mut bytes = Vec::new();
        server.writer().write_all(&[b'x'; 250]).unwrap();
        server.write_tls(&mut bytes).unwrap();
        bytes
    };
    let (mut plain, mut ours) = (vec![0; 64 * 1024], [0; 2]);
    for _ in 0..RECORDS {
        let bytes = ciphertext(&mut server);
        ours[0] += calls(|| {
            client.room(plain.len())[..bytes.len()].copy_from_slice(&bytes);
            client.received(bytes.len());
            assert_eq!(client.process(&mut plain), Ok(250));
        });
        ours[1] += calls(|| {
            assert_eq!(client.write(&[b'y'; 300]), Ok(300));
            client.sent(usize::MAX);
        });
    }

    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(identity.pem.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
    let name = ServerName::try_from("localhost").unwrap();
    let mut alone = UnbufferedClientConnection::new(config, name).unwrap();
    let mut server = ServerConnection::new(identity.server()).unwrap();
    let mut incoming = Vec::new();
    let mut out = vec![0; 64 * 1024];
    let (mut theirs, mut records) = ([0; 2], 0);
    while records < RECORDS {
        let UnbufferedStatus { mut discard, state } = alone.process_tls_records(&mut incoming);
        match state.unwrap() {
            ConnectionState::EncodeTlsData(mut data) => {
                let count = data.encode(&mut out).unwrap();
                server.read_tls(&mut &out[..count]).unwrap();
                server.process_new_packets().unwrap();
            }
            ConnectionState::TransmitTlsData(data) => data.done(),
            ConnectionState::BlockedHandshake => {
                while server.wants_write() {
                    server.write_tls(&mut incoming).unwrap();
                }
            }
            ConnectionState::WriteTraffic(mut traffic) => {
                theirs[1] += calls(|| assert!(traffic.encrypt(&[b'y'; 300], &mut out).is_ok()));
                incoming.drain(..discard);
                while server.wants_write() {
                    server.write_tls(&mut incoming).unwrap();
                }
                let mut bytes = ciphertext(&mut server);
                incoming.append(&mut bytes);
                theirs[0] += calls(|| {
                    let UnbufferedStatus { discard: first, state } = alone.process_tls_records(&mut incoming);
                    discard = first;
                    if let ConnectionState::ReadTraffic(mut traffic) = state.unwrap() {
                        let record = traffic.next_record().unwrap().unwrap();
                        assert_eq!(record.payload.len(), 250);
                        discard += record.discard;
                        records += 1;
                    }
                });
            }
            _ => {}
        }
        incoming.drain(..discard);
    }
    println!(
        "TLS, {RECORDS} records: decrypt {} calls, rustls alone {}; encrypt {}, alone {}",
        ours[0], theirs[0], ours[1], theirs[1]
    );
    assert!(ours[0] <= theirs[0] && ours[1] <= theirs[1], "{ours:?}, {theirs:?}");
}

const FRAMES: usize = 10_000;

const RECORDS: u64 = 500;
