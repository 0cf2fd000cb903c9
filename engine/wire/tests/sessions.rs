//! Sessions as conversations in text: `tests/conversations/*.txt`. The inputs of a file are played against a session;
//! what comes out must be what the file says. `UPDATE=1` rewrites the files; the difference is read.
//!
//! | line | |
//! |---|---|
//! | `@ +5s` | time passes; what a timer does on the way stands behind `~ SECONDS` |
//! | `! start` | a command: `start`, `stop`, `rotate`, `send TEXT` |
//! | `+ 0` | link 0 is connected |
//! | `- 0` | link 0 is gone |
//! | `< 0 frame` | link 0 brings a text, `PING x`, `CLOSE code`, `RAW hex`, or an answer to the handshake: `101`, `429 seconds` |
//! | `> 0 frame` | out: the session sends |
//! | `= connect 0` | out: the driver must |
//! | `= frame 0 1 TEXT` | out: the reader gets, link and line first |
//! | `* event` | out: something happened |

use engine::time::Nanos;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use wire::net::{NetError, What};
use wire::session::{
    Action, Event, Failure, Heard, LinkId, Polled, Protocol, Session, SessionConfig, SessionTimes,
};
use wire::ws::handshake;

/// A venue whose answers look like Binance's.
struct Venue {
    has_log_on: bool,
    batches: usize,
}

impl Protocol for Venue {
    fn log_on(&mut self, id: u64, _now: Nanos, out: &mut Vec<u8>) -> bool {
        if self.has_log_on {
            out.extend_from_slice(format!(r#"{{"id":{id},"method":"session.logon"}}"#).as_bytes());
        }
        self.has_log_on
    }

    fn subscribe(&mut self, batch: usize, id: u64, out: &mut Vec<u8>) -> bool {
        if batch < self.batches {
            out.extend_from_slice(
                format!(r#"{{"id":{id},"method":"SUBSCRIBE","params":["s{batch}"]}}"#).as_bytes(),
            );
        }
        batch < self.batches
    }

    fn hear(&mut self, frame: &[u8]) -> Heard {
        let text = std::str::from_utf8(frame).unwrap();
        let number = |key: &str| {
            let rest = &text[text.find(key)? + key.len()..];
            rest[..rest.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(rest.len())]
                .parse::<i64>()
                .ok()
        };
        let id = number(r#""id":"#).and_then(|id| u64::try_from(id).ok());
        match (number(r#""code":"#), id) {
            _ if text.contains("serverShutdown") => Heard::Shutdown,
            (Some(code), id) => Heard::Refused { id, code },
            (None, Some(id)) if text.starts_with(r#"{"result""#) => Heard::Ack { id },
            _ => Heard::Data,
        }
    }
}

/// A session, the time, and what has been said.
struct Stage {
    session: Session<Venue>,
    now: Nanos,
    /// Bytes are given in pieces of so many.
    piece_bytes: usize,
    keys: [handshake::Key; 2],
    said: String,
}

#[test]
fn conversations_go_as_written_however_the_bytes_are_split() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conversations");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 10, "conversations are missing");
    for path in paths {
        let script = fs::read_to_string(&path).unwrap();
        let whole = play(&script, usize::MAX);
        for piece_bytes in [1, 2, 7, 64] {
            assert_eq!(play(&script, piece_bytes), whole, "{} in pieces of {piece_bytes}", path.display());
        }
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, &whole).unwrap();
            continue;
        }
        assert_eq!(
            whole,
            script,
            "{}: UPDATE=1 cargo test -p wire --test sessions rewrites it",
            path.display()
        );
    }
}

#[test]
fn what_a_connection_brought_before_it_broke_is_given_out_first() {
    let mut stage = begin("", usize::MAX);
    for line in ["! start", "+ 0", "< 0 101", r#"< 0 {"result":null,"id":1}"#] {
        stage.input(line);
    }
    let (link, now) = (LinkId(0), stage.now);
    let bytes = [&[0x81, 3][..], b"one", &[0x81, 3], b"two", &[0x81, 3], b"cu"].concat();
    stage.session.room(link)[..bytes.len()].copy_from_slice(&bytes);
    stage.session.received(link, bytes.len(), now);
    let error = Failure::Net(NetError::new("venue.test", 443, What::Closed));
    stage.session.ended(link, error.clone(), now.plus(Nanos::SECOND));
    for expected in [b"one", b"two"] {
        // It stays until it is consumed.
        for _ in 0..2 {
            let Polled::Frame(frame) = stage.session.poll() else { panic!("no frame") };
            assert_eq!((frame.bytes, frame.recv_ns), (&expected[..], now));
        }
        stage.session.consume();
    }
    let Polled::Event(Event::Lost { failure, .. }) = stage.session.poll() else { panic!("not lost") };
    assert_eq!(*failure, error);
}

fn play(script: &str, piece_bytes: usize) -> String {
    let mut stage = begin(script.lines().next().unwrap_or_default(), piece_bytes);
    for line in script.lines() {
        let is_input = line.is_empty() || line.starts_with(['#', '@', '!', '+', '-', '<']);
        if is_input {
            stage.said.push_str(line);
            stage.said.push('\n');
            stage.input(line);
        }
    }
    stage.said
}

/// A session of which the first line says what it has.
fn begin(first: &str, piece_bytes: usize) -> Stage {
    let has = |word: &str| first.contains(word);
    let lifetime_ms = if has("short life") { 20_000 } else { 3_600_000 };
    let times = SessionTimes { rotate_after_ns: Nanos::from_ms(lifetime_ms), ..SessionTimes::USUAL };
    let config = SessionConfig {
        host: "venue.test".into(),
        path: "/ws".into(),
        headers: vec![],
        message_bytes_max: 1_000,
        send_bytes_max: 4_000,
        times,
    };
    let batches = if has("two batches") { 2 } else { 1 };
    let venue = Venue { has_log_on: has("log-on"), batches };
    let (session, now) = (Session::new(config, venue, 7), Nanos::from_ms(1_000_000));
    Stage { session, now, piece_bytes, keys: [[0; 24]; 2], said: String::new() }
}

impl Stage {
    fn input(&mut self, line: &str) {
        let (sign, rest) = line.split_at(line.len().min(2));
        let (first, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let link = || LinkId(first.parse().unwrap());
        match sign.trim_end() {
            "@" => return self.wait(rest),
            "!" => match first {
                "start" => self.session.start(self.now),
                "stop" => self.session.stop(self.now),
                "rotate" => self.session.rotate(self.now),
                "send" => {
                    let sent = self.session.send_text(text.as_bytes());
                    writeln!(self.said, "= sent {sent:?}").unwrap();
                }
                other => panic!("no command {other}"),
            },
            "+" => self.session.connected(link(), self.now),
            "-" => {
                let error = NetError::new("venue.test", 443, What::Closed);
                self.session.ended(link(), Failure::Net(error), self.now);
            }
            "<" => return self.bring(link(), text),
            _ => return,
        }
        self.outputs();
    }

    /// Time passes up to `+5s`, `+250ms` or `+3h`, with a stop at everything that is due.
    fn wait(&mut self, text: &str) {
        let text = text.trim_start_matches('+');
        let (number, unit) = text.split_at(text.find(char::is_alphabetic).unwrap());
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "h" => 3_600_000,
            other => panic!("no unit {other}"),
        };
        let until = self.now.plus(Nanos::from_ms(number.parse::<u64>().unwrap() * unit_ms));
        while let Some(due) = self.session.deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            let before = self.said.len();
            let (stamp, deadline) = (self.now.as_ms() - 1_000_000, self.session.deadline());
            self.session.tick(self.now);
            self.outputs();
            if self.said.len() > before {
                self.said.insert_str(before, &format!("~ {}.{:03}\n", stamp / 1_000, stamp % 1_000));
            }
            assert!(
                self.session.deadline() != deadline || self.said.len() > before,
                "a deadline that does nothing"
            );
        }
        self.now = until;
        self.session.tick(self.now);
        self.outputs();
    }

    fn bring(&mut self, link: LinkId, text: &str) {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        let frame = |first: u8, payload: &[u8]| {
            let mut bytes = vec![first];
            if payload.len() > 125 {
                bytes.push(126);
                bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
            } else {
                bytes.push(u8::try_from(payload.len()).unwrap());
            }
            bytes.extend(payload);
            bytes
        };
        let bytes = match word {
            "101" => {
                let accept = handshake::accept(&self.keys[link.index()]);
                let accept = std::str::from_utf8(&accept).unwrap();
                format!("HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n")
                    .into_bytes()
            }
            "429" => format!("HTTP/1.1 429 S\r\nRetry-After: {rest}\r\n\r\n").into_bytes(),
            "PING" => frame(0x89, rest.as_bytes()),
            "PONG" => frame(0x8A, rest.as_bytes()),
            "CLOSE" => frame(0x88, &rest.parse::<u16>().unwrap().to_be_bytes()),
            "RAW" => rest.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect(),
            _ => frame(0x81, text.as_bytes()),
        };
        for piece in bytes.chunks(self.piece_bytes.min(bytes.len())) {
            self.session.room(link)[..piece.len()].copy_from_slice(piece);
            self.session.received(link, piece.len(), self.now);
            self.outputs();
        }
    }

    /// Says everything that comes out.
    fn outputs(&mut self) {
        loop {
            let before = self.said.len();
            while self.polled() {
                self.session.consume();
            }
            for link in LinkId::BOTH {
                self.sent(link);
            }
            while let Some(action) = self.session.action() {
                let (word, link) = match action {
                    Action::Connect(link) => ("connect", link),
                    Action::Close(link) => ("close", link),
                };
                writeln!(self.said, "= {word} {}", link.0).unwrap();
            }
            if self.said.len() == before {
                return;
            }
            // A driver's next turn.
            self.session.tick(self.now);
        }
    }

    fn polled(&mut self) -> bool {
        match self.session.poll() {
            Polled::Nothing => return false,
            Polled::Frame(frame) => {
                let text = String::from_utf8_lossy(frame.bytes);
                writeln!(self.said, "= frame {} {} {text}", frame.link.0, frame.line).unwrap();
            }
            Polled::Event(event) => {
                write!(self.said, "* {event}").unwrap();
                if let Event::Lost { retry_ns, .. } = event {
                    write!(self.said, "; next try in {} ms", retry_ns.since(self.now).as_ms()).unwrap();
                }
                self.said.push('\n');
            }
        }
        true
    }

    fn sent(&mut self, link: LinkId) {
        let mut bytes = self.session.unsent(link).to_vec();
        self.session.sent(link, bytes.len());
        if bytes.starts_with(b"GET ") {
            let request = String::from_utf8(bytes).unwrap();
            let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
            self.keys[link.index()] = key.as_bytes().try_into().unwrap();
            writeln!(self.said, "> {} {}", link.0, request.lines().next().unwrap()).unwrap();
            return;
        }
        while !bytes.is_empty() {
            let (start, length) = match bytes[1] & 0x7F {
                126 => (4, usize::from(u16::from_be_bytes([bytes[2], bytes[3]]))),
                short => (2, usize::from(short)),
            };
            assert!(bytes[1] & 0x80 != 0, "a client's frame is masked");
            let key: [u8; 4] = bytes[start..start + 4].try_into().unwrap();
            let frame: Vec<u8> = bytes.drain(..start + 4 + length).collect();
            let masked = frame[start + 4..].iter().zip(key.iter().cycle());
            let payload: Vec<u8> = masked.map(|(byte, key)| byte ^ key).collect();
            let text = String::from_utf8_lossy(&payload);
            let said = match frame[0] {
                0x81 => text.into_owned(),
                0x88 => format!("CLOSE {}", u16::from_be_bytes([payload[0], payload[1]])),
                0x89 => format!("PING {text}"),
                0x8A => format!("PONG {text}"),
                other => panic!("a frame {other:x}"),
            };
            writeln!(self.said, "> {} {}", link.0, said.trim_end()).unwrap();
        }
    }
}
