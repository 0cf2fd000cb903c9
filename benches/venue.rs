//! Order requests a second through the simulated venue: placements and cancels in turn, as JSON, with filters, balances
//! and answers; in process, and over TLS with eight clients on loopback. Rate limits are off.
//!
//! `cargo bench -p venue-sim --bench venue`. Without cargo's `--bench` a small pass shows that every request is
//! answered with success.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use data_encoding::{BASE64, HEXLOWER};
use engine::time::Nanos;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tungstenite::{Message, WebSocket};
use venue_sim::outbox::{ConnId, Outbox, Payload};
use venue_sim::server::{Certificates, Request, Server};
use venue_sim::venue::{Answer, Venue, VenueConfig};

const KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
const SESSION: &str = "aliceEd25519aliceEd25519aliceEd25519aliceEd25519aliceEd25519alic";
/// Test 1 of RFC 8032.
const PRIVATE: &str = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";
const OPENED_MS: u64 = 1_700_000_000_000;
const CLIENTS: usize = 8;
/// Requests of a client that are under way at once.
const WINDOW: usize = 16;

fn main() {
    let pairs = if std::env::args().any(|argument| argument == "--bench") { 50_000 } else { 50 };
    let row = |what: String, rate: u128, of_cpu: Option<u128>, target_min: Option<u128>| {
        let verdict = target_min.map_or("reported".to_owned(), |target| {
            let is_met = if rate >= target { "ok" } else { "MISSED" };
            format!("{is_met} (>= {target})")
        });
        let of_cpu = of_cpu.map_or(String::new(), |rate| rate.to_string());
        println!("{what:<28} {rate:>9} {of_cpu:>22}  {verdict}");
    };
    println!("{:<28} {:>9} {:>22}", "placements and cancels in turn", "a second", "a second of CPU time");
    let [rate, of_cpu] = in_process(pairs, false);
    row("in process, session".into(), rate, Some(of_cpu), Some(200_000));
    let [rate, of_cpu] = in_process(pairs, true);
    row("in process, signed (HMAC)".into(), rate, Some(of_cpu), None);
    row(format!("TLS, {CLIENTS} clients, session"), over_tls(pairs / CLIENTS), None, Some(20_000));
}

/// CPU time of this thread, ns: what a busy machine takes away is not in it.
fn cpu_ns() -> u128 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a plain system call that fills the struct it is given.
    let code = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(code, 0, "Linux has this clock");
    u128::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u128::try_from(time.tv_nsec).unwrap_or(0)
}

fn venue() -> Venue {
    let config = VenueConfig {
        spot: vec!["BTCUSDT".into()],
        futures: Vec::new(),
        seed: 1,
        opened: Nanos::from_ms(OPENED_MS),
        accounts: None,
        faults: None,
        limits: false,
        flow: false,
    };
    Venue::open(&config, Nanos(0)).expect("the test accounts are accounts")
}

/// Names and values of a placement (even `index`) or of the cancel of the one before, sorted by name.
fn params(index: usize, client: usize) -> Vec<(&'static str, String)> {
    let id = format!("\"c{client}-{}\"", index / 2);
    let text = |text: &str| format!("\"{text}\"");
    let stamp = ("timestamp", OPENED_MS.to_string());
    if index.is_multiple_of(2) {
        vec![
            ("newClientOrderId", id),
            ("newOrderRespType", text("ACK")),
            ("price", format!("\"{}.00\"", 59_000 + index / 2 % 50)),
            ("quantity", text("0.01000")),
            ("recvWindow", "60000".into()),
            ("side", text("BUY")),
            ("symbol", text("BTCUSDT")),
            ("timeInForce", text("GTC")),
            stamp,
            ("type", text("LIMIT")),
        ]
    } else {
        vec![("origClientOrderId", id), ("recvWindow", "60000".into()), ("symbol", text("BTCUSDT")), stamp]
    }
}

fn request(index: usize, client: usize, is_signed: bool) -> String {
    let mut params = params(index, client);
    if is_signed {
        params.insert(0, ("apiKey", format!("\"{KEY}\"")));
        let pairs: Vec<_> =
            params.iter().map(|(name, value)| format!("{name}={}", value.trim_matches('"'))).collect();
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let tag = hmac::sign(&key, pairs.join("&").as_bytes());
        params.push(("signature", format!("\"{}\"", HEXLOWER.encode(tag.as_ref()))));
    }
    let members: Vec<_> = params.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    let method = if index.is_multiple_of(2) { "order.place" } else { "order.cancel" };
    format!("{{\"id\":{index},\"method\":\"{method}\",\"params\":{{{}}}}}", members.join(","))
}

fn logon() -> String {
    let der = BASE64.decode(PRIVATE.as_bytes()).expect("base64");
    let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).expect("a key");
    let text = format!("apiKey={SESSION}&recvWindow=60000&timestamp={OPENED_MS}");
    let signature = BASE64.encode(key.sign(text.as_bytes()).as_ref());
    format!(
        "{{\"id\":0,\"method\":\"session.logon\",\"params\":{{\"apiKey\":\"{SESSION}\",\"recvWindow\":60000,\"timestamp\":{OPENED_MS},\"signature\":\"{signature}\"}}}}"
    )
}

/// Requests a second, by the clock and by this thread's CPU time.
fn in_process(pairs: usize, is_signed: bool) -> [u128; 2] {
    let mut venue = venue();
    let conn = ConnId(1);
    let upgrade = Request {
        method: "GET".into(),
        path: "/ws-api/v3".into(),
        web_socket_key: Some("key".into()),
        ..Request::default()
    };
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut out = Outbox::default();
    assert!(matches!(venue.http(conn, ip, &upgrade, &mut out), Answer::Upgrade(_)));
    venue.text(conn, &logon(), &mut out);
    let requests: Vec<_> = (0..2 * pairs).map(|index| request(index, 0, is_signed)).collect();
    out.0.clear();
    let (started, cpu_before) = (Instant::now(), cpu_ns());
    for text in &requests {
        venue.text(conn, text, &mut out);
        for sent in out.0.drain(..) {
            let Payload::Text(answer) = &sent.payload else { panic!("{sent:?}") };
            assert!(answer.contains("\"status\":200"), "{answer}");
        }
    }
    [started.elapsed().as_nanos(), cpu_ns() - cpu_before]
        .map(|ns| requests.len() as u128 * 1_000_000_000 / ns.max(1))
}

fn over_tls(pairs: usize) -> u128 {
    let (tell, told) = mpsc::channel();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let server = std::thread::spawn(move || {
        let certificates = Certificates::make(&["localhost".to_owned()]).expect("certificates");
        let root = certificates.root_pem.clone();
        let any = "127.0.0.1:0".parse().expect("an address");
        let mut server =
            Server::listen(any, any, Some(certificates), venue(), Instant::now()).expect("a free port");
        tell.send((server.addresses().expect("addresses"), root)).expect("the bench waits");
        server.run(&stopped).expect("sockets");
    });
    let ([address, _], root) = told.recv().expect("the server starts");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.as_bytes()).expect("PEM")).expect("a root");
    let trust = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let trust = Arc::new(trust);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let socket = TcpStream::connect(address).expect("a connection");
            socket.set_nodelay(true).expect("an option");
            let name = ServerName::try_from("localhost").expect("a name");
            let tls = ClientConnection::new(Arc::clone(&trust), name).expect("TLS");
            let stream = StreamOwned::new(tls, socket);
            let (mut socket, _) =
                tungstenite::client("wss://localhost/ws-api/v3", stream).expect("a WebSocket");
            socket.send(Message::text(logon())).expect("sent");
            answered(&mut socket);
            (socket, (0..2 * pairs).map(|index| request(index, client, false)).collect::<Vec<_>>())
        })
        .collect();
    let started = Instant::now();
    let threads: Vec<_> = clients
        .into_iter()
        .map(|(mut socket, requests)| {
            std::thread::spawn(move || {
                for window in requests.chunks(WINDOW) {
                    for text in window {
                        socket.write(Message::text(text.as_str())).expect("sent");
                    }
                    socket.flush().expect("sent");
                    for _ in window {
                        answered(&mut socket);
                    }
                }
                requests.len()
            })
        })
        .collect();
    let count: usize = threads.into_iter().map(|thread| thread.join().expect("a client")).sum();
    let elapsed = started.elapsed().as_nanos().max(1);
    stop.store(true, Ordering::Relaxed);
    server.join().expect("the server");
    count as u128 * 1_000_000_000 / elapsed
}

fn answered(socket: &mut WebSocket<StreamOwned<ClientConnection, TcpStream>>) {
    loop {
        if let Message::Text(answer) = socket.read().expect("an answer") {
            assert!(answer.contains("\"status\":200"), "{answer}");
            return;
        }
    }
}
