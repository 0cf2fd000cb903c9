//! A simulated venue, wires to it that a test can cut, and `sabrewing run` on the other end, all over loopback.
#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod books;
pub(crate) mod venue;
pub(crate) mod wires;

use crate::support::{Dir, Ran};
use engine::counters::{Entry, Reader, Snapshot};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use venue::PATIENCE;
pub(crate) use venue::{SimVenue, wait_until};
use venue_sim::venue::TEST_LOG_ON_KEY;

/// Alice's key that signs, which is printed in public documentation.
pub(crate) const HMAC_KEY: (&str, &str) = (
    "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
    "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
);

/// How a run is configured: the shipped example with these values in place of its own.
pub(crate) struct Wanted<'a> {
    pub(crate) venue: &'a SimVenue,
    /// Where streams are: the venue's port, or that of wires to it.
    pub(crate) stream_port: u16,
    pub(crate) placement: &'a str,
    pub(crate) copies: i64,
    /// Replaces a key of every `[[venue]]`, TOML.
    pub(crate) more: &'a [(&'a str, toml::Value)],
    /// Real orders: alice's, whose futures key logs on and whose spot key signs.
    pub(crate) orders: bool,
    /// The first so many of futures and spot.
    pub(crate) products: usize,
}

impl<'a> Wanted<'a> {
    pub(crate) fn of(venue: &'a SimVenue) -> Self {
        let stream_port = venue.clients.port();
        Self { venue, stream_port, placement: "one", copies: 1, more: &[], orders: false, products: 2 }
    }

    /// Writes the configuration into `dir`.
    pub(crate) fn write(&self, dir: &Dir) -> String {
        let mut file = example();
        let root = dir.file("root.pem", &self.venue.root_pem);
        let live = file["live"].as_table_mut().unwrap();
        live.insert("data_dir".into(), dir.at("data").into());
        live.insert("placement".into(), dir.file("placement.toml", placement(self.placement)).into());
        live.insert("clock_every_s".into(), 1.into());
        // Whoever compiles beside the test is no stall of ours.
        file["run"].as_table_mut().unwrap().insert("stall_ms".into(), 60_000.into());
        let venues = file["venue"].as_array_mut().unwrap();
        venues.push(venues[0].clone());
        for (venue, name) in venues.iter_mut().zip(["binance-usdm", "binance-spot"]) {
            let venue = venue.as_table_mut().unwrap();
            venue.insert("name".into(), name.into());
            venue.insert("rest".into(), format!("https://localhost:{}", self.venue.clients.port()).into());
            venue.insert("stream".into(), format!("wss://localhost:{}", self.stream_port).into());
            venue.insert("root_certificate".into(), root.clone().into());
            venue.insert("copies".into(), self.copies.into());
            venue.insert("snapshot_every_s".into(), 5.into());
            venue.insert("request_weight_per_minute".into(), 100_000.into());
            for (key, value) in self.more {
                venue.insert((*key).to_owned(), value.clone());
            }
        }
        venues.truncate(self.products);
        if self.orders {
            file["live"].as_table_mut().unwrap().insert("mode".into(), "live".into());
            let accounts = [self.account(dir, "binance-usdm"), self.account(dir, "binance-spot")];
            file.insert("account".into(), accounts[..self.products].to_vec().into());
        }
        dir.file("run.toml", toml::to_string(&file).unwrap())
    }

    fn account(&self, dir: &Dir, venue: &str) -> toml::Value {
        let (kind, path, (api_key, secret)) = match venue {
            "binance-usdm" => ("ed25519", "/ws-fapi/v1", TEST_LOG_ON_KEY),
            _ => ("hmac", "/ws-api/v3", HMAC_KEY),
        };
        let file = dir.file(&format!("{venue}.key"), format!("{api_key}\n{secret}\n"));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let mut account = toml::Table::from_iter([
            ("venue".to_owned(), venue.into()),
            ("key".to_owned(), kind.into()),
            ("key_from".to_owned(), format!("file:{file}").into()),
            ("order_api".to_owned(), format!("wss://localhost:{}{path}", self.venue.clients.port()).into()),
            ("recv_window_ms".to_owned(), 1_000.into()),
        ]);
        if venue == "binance-usdm" {
            account.insert("dead_man_ms".into(), 60_000.into());
        }
        account.into()
    }
}

/// `one`, `two` or `five`, with threads that sleep while nothing comes: tests run beside each other.
fn placement(name: &str) -> String {
    let threads: &[&[&str]] = match name {
        "one" => &[&["feed", "book", "signal", "strategy", "gateway"]],
        "two" => &[&["feed", "book"], &["signal", "strategy", "gateway"]],
        _ => &[&["feed"], &["book"], &["signal"], &["strategy"], &["gateway"]],
    };
    threads.iter().map(|stages| format!("[[thread]]\nstages = {stages:?}\nidle = \"park\"\n")).collect()
}

/// The shipped configuration of a paper run.
pub(crate) fn example() -> toml::Table {
    include_str!("../../configs/binance-paper.toml").parse().unwrap()
}

/// `sabrewing run` on its way; ended with the test at the latest.
pub(crate) struct Running {
    child: Option<Child>,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
    /// The run's directory, once it has said which.
    pub(crate) dir: String,
    counters: Reader,
}

impl Running {
    /// Starts it and waits for its directory.
    pub(crate) fn start(config: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sabrewing"))
            .args(["run", "--json", "--config", config])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            stderr.lines().map_while(Result::ok).for_each(|line| kept.lock().unwrap().push(line));
        });
        let dir_of = |line: &String| {
            Some(line.split_once(": ")?.0.to_owned()).filter(|_| line.contains(" connections, "))
        };
        let mut dir = None;
        wait_until("the run's directory", || {
            dir = lines.lock().unwrap().iter().find_map(dir_of);
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}: {:?}", lines.lock().unwrap());
            dir.is_some()
        });
        let dir = dir.unwrap();
        let counters = Reader::open(format!("{dir}/counters").as_ref()).unwrap();
        Self { child: Some(child), lines, reader: Some(reader), dir, counters }
    }

    pub(crate) fn said(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The end of what it said, for a failure.
    fn last_words(&self) -> String {
        let said = self.said();
        said[said.len().saturating_sub(40)..].join("\n")
    }

    pub(crate) fn counters(&self) -> Snapshot {
        self.counters.snapshot().unwrap()
    }

    /// Waits until the counters are so.
    pub(crate) fn wait(&mut self, what: &str, is_so: impl Fn(&Snapshot) -> bool) {
        let started = Instant::now();
        while !is_so(&self.counters()) {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "it ended, {ended:?}, before {what}: {}", self.last_words());
            assert!(started.elapsed() < PATIENCE, "never: {what}; {}", self.last_words());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until every connection is open and every book valid.
    pub(crate) fn wait_live(&mut self) {
        self.wait("every connection open, every book valid", is_live);
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.as_ref().unwrap().id()).unwrap();
        // SAFETY: a plain system call about a child that was not waited for yet.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// Waits for its end.
    pub(crate) fn wait_end(mut self) -> Ran {
        let output = self.child.take().unwrap().wait_with_output().unwrap();
        self.reader.take().unwrap().join().unwrap();
        let mut ran = Ran::from(output);
        ran.stderr = self.said().join("\n");
        ran
    }

    /// Ctrl-C, and what it said at its end.
    pub(crate) fn end(self) -> Ran {
        self.signal(libc::SIGINT);
        self.wait_end()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Whether every connection is open and every book valid.
pub(crate) fn is_live(counters: &Snapshot) -> bool {
    let open = connections(counters, "open");
    let mut books = counters.counters.iter().filter(|entry| entry.owner == "book" && entry.name == "state");
    !open.is_empty() && open.iter().all(|open| *open == 1) && books.all(|book| book.reason() == Some("valid"))
}

/// A counter of every connection.
pub(crate) fn connections(counters: &Snapshot, name: &str) -> Vec<u64> {
    let is_it = |entry: &&Entry| entry.owner.starts_with("connection ") && entry.name == name;
    counters.counters.iter().filter(is_it).map(|entry| entry.value).collect()
}

/// A counter of the feed stage.
pub(crate) fn of_feed(counters: &Snapshot, name: &str) -> u64 {
    counters.find("feed", name).map_or(0, |entry| entry.value)
}

/// `sabrewing` to its end.
pub(crate) fn sabrewing<'a>(args: impl IntoIterator<Item = &'a str>) -> Ran {
    Command::new(env!("CARGO_BIN_EXE_sabrewing")).args(args).stdin(Stdio::null()).output().unwrap().into()
}
