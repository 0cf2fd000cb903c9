//! A simulated venue on a thread of the test, and what its operator may do. Taken in by path wherever a test meets a
//! venue over real sockets.

#![allow(dead_code, reason = "each user needs a part of it")]

use engine::time::Nanos;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use venue_sim::server::{Certificates, Server};
use venue_sim::venue::{Venue, VenueConfig};

/// Far longer than anything takes; what never comes fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until `is_so`; fails with `what` when it never is.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What differs between the venues of tests.
#[derive(Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) seed: u64,
    /// The venue's time at its opening.
    pub(crate) opened: Nanos,
    /// Others trade too.
    pub(crate) crowd: bool,
    /// Clients speak TLS.
    pub(crate) tls: bool,
    /// It counts requests and orders.
    pub(crate) limits: bool,
}

/// A venue of spot and futures on a thread of its own, until it is dropped.
pub(crate) struct SimVenue {
    pub(crate) clients: SocketAddr,
    operators: SocketAddr,
    /// The root that signs its certificate.
    pub(crate) root_pem: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl SimVenue {
    /// Of BTCUSDT, spot and futures.
    pub(crate) fn with(terms: Terms) -> Self {
        Self::listing(terms, &["BTCUSDT"])
    }

    /// Of spot BTCUSDT, and these futures.
    pub(crate) fn listing(terms: Terms, futures: &[&str]) -> Self {
        let futures = futures.iter().map(|symbol| (*symbol).to_owned()).collect();
        let (tell, told) = mpsc::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let config = VenueConfig {
                spot: vec!["BTCUSDT".into()],
                futures,
                seed: terms.seed,
                opened: terms.opened,
                accounts: None,
                faults: None,
                limits: terms.limits,
                flow: terms.crowd,
            };
            let venue = Venue::open(&config, Nanos(0)).unwrap();
            let certificates = Certificates::make(&["localhost".to_owned()]).unwrap();
            let root = certificates.root_pem.clone();
            let any = "127.0.0.1:0".parse().unwrap();
            let certificates = terms.tls.then_some(certificates);
            let mut server = Server::listen(any, any, certificates, venue, Instant::now()).unwrap();
            tell.send((server.addresses().unwrap(), root)).unwrap();
            server.run(&stopped).unwrap();
        });
        let ([clients, operators], root_pem) = told.recv().unwrap();
        Self { clients, operators, root_pem, stop, thread: Some(thread) }
    }

    /// Asks the operator's port.
    pub(crate) fn admin(&self, method: &str, target: &str, text: &str) -> Value {
        let mut stream = TcpStream::connect(self.operators).unwrap();
        let length = text.len();
        let request = format!(
            "{method} /admin/{target} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{text}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        body(&mut stream)
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.admin("GET", "state", "")["now_ms"].as_u64().unwrap()
    }

    pub(crate) fn fault(&self, rule: &str) {
        assert!(self.admin("POST", "fault", rule)["now_ms"].is_u64(), "{rule}");
    }

    pub(crate) fn clear_faults(&self) {
        self.admin("POST", "faults/clear", "");
    }

    /// The venue's time runs so many times as fast as the machine's.
    pub(crate) fn speed(&self, times: u32) {
        self.admin("POST", &format!("clock?speed={times}"), "");
    }

    /// Time passes at once.
    pub(crate) fn leap(&self, ms: u64) {
        self.admin("POST", &format!("clock?leapMs={ms}"), "");
    }

    /// Stops the venue's time at a moment at which its streams have told all that happened.
    pub(crate) fn stand_still(&self) {
        self.speed(0);
        self.leap(100 - self.now_ms() % 100);
    }
}

impl Drop for SimVenue {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(std::thread::panicking() || ended.is_ok(), "the venue panicked");
        }
    }
}

/// The body of an answer over a connection that ends with it.
pub(crate) fn body(stream: &mut impl Read) -> Value {
    let mut text = Vec::new();
    // A peer that ends without saying so has said all the same.
    let _ = stream.read_to_end(&mut text);
    let text = String::from_utf8(text).unwrap();
    serde_json::from_str(text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}")).1).unwrap()
}
