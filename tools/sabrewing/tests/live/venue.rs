//! A simulated venue on a thread of the test, and what its operator may do.

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
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Waits until `is_so`; fails with `what` when it never is.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A venue of spot and futures BTCUSDT on a thread of its own, until it is dropped.
pub(crate) struct SimVenue {
    pub(crate) clients: SocketAddr,
    operators: SocketAddr,
    /// The root that signs its certificate.
    pub(crate) root_pem: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl SimVenue {
    pub(crate) fn start() -> Self {
        Self::open(true, true)
    }

    /// `crowd`: others trade too. `tls`: clients speak TLS.
    pub(crate) fn open(crowd: bool, tls: bool) -> Self {
        let (tell, told) = mpsc::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let config = VenueConfig {
                spot: vec!["BTCUSDT".into()],
                futures: vec!["BTCUSDT".into()],
                seed: 5,
                opened: Nanos::from_ms(1_700_000_000_000),
                accounts: None,
                faults: None,
                limits: false,
                flow: crowd,
            };
            let venue = Venue::open(&config, Nanos(0)).unwrap();
            let certificates = Certificates::make(&["localhost".to_owned()]).unwrap();
            let root = certificates.root_pem.clone();
            let any = "127.0.0.1:0".parse().unwrap();
            let certificates = tls.then_some(certificates);
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
        let mut answer = Vec::new();
        // A peer that ends without saying so has said all the same.
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}")).1).unwrap()
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
        let now = self.admin("GET", "state", "")["now_ms"].as_u64().unwrap();
        self.leap(100 - now % 100);
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
