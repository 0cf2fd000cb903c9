//! Frames of a WebSocket: one of a server read in place, one of ours masked and written. Beside them, in the same run,
//! what tungstenite takes for the same.
//!
//! `cargo bench -p wire --bench websocket`. Run by `cargo test`, it only shows that it runs.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads clocks")]

use std::hint::black_box;
use std::io::{self, Cursor, Read, Write};
use std::time::Instant;
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket as TheirSocket};
use wire::ws::frame::{client_frame_bytes, write_frame};
use wire::ws::{Opcode, Reader};

/// Frames a round.
const FRAMES: usize = 128;

fn main() {
    let rounds = if std::env::args().any(|argument| argument == "--bench") { 5_001 } else { 1 };
    println!("{:<44} {:>8} {:>8} {:>8}", "ns a frame", "min", "p50", "p99");
    let ticker: Vec<u8> = format!(r#"{{"u":1,"pad":"{}"}}"#, "7".repeat(190 - 16)).into_bytes();
    let frame: Vec<u8> = [&[0x81, 126, 0, 190][..], &ticker].concat();
    assert_eq!(frame.len(), 194);
    let many = frame.repeat(FRAMES);

    let mut reader = Reader::new(1 << 16);
    row("read a server's frame of 190 bytes", rounds, || {
        reader.room()[..many.len()].copy_from_slice(&many);
        reader.received(many.len());
        let started = Instant::now();
        for _ in 0..FRAMES {
            let message = reader.poll().ok().flatten().map(|message| message.payload.len());
            assert_eq!(black_box(message), Some(190));
            reader.consume();
        }
        started.elapsed().as_nanos()
    });
    row("the same by tungstenite", rounds, || {
        let memory = Memory { to_read: Cursor::new(many.clone()), written: 0 };
        let mut socket = TheirSocket::from_raw_socket(memory, Role::Client, None);
        let started = Instant::now();
        for _ in 0..FRAMES {
            assert_eq!(black_box(socket.read()).map_or(0, |message| message.len()), 190);
        }
        started.elapsed().as_nanos()
    });

    let order = vec![b'o'; 300];
    let mut out = vec![0; FRAMES * client_frame_bytes(order.len())];
    row("mask and write 300 bytes", rounds, || {
        let (mut at, mut key) = (0, 0x9E37_79B9_u32);
        let started = Instant::now();
        for _ in 0..FRAMES {
            key = key.wrapping_mul(0x0019_660D).wrapping_add(1);
            at +=
                write_frame(&mut out[at..], Opcode::Text, key.to_ne_bytes(), black_box(&order)).unwrap_or(0);
        }
        assert_eq!(black_box(at), out.len());
        started.elapsed().as_nanos()
    });
    let text = String::from_utf8(order).expect("ASCII");
    let memory = Memory { to_read: Cursor::new(vec![]), written: 0 };
    let mut socket = TheirSocket::from_raw_socket(memory, Role::Client, None);
    row("the same by tungstenite", rounds, || {
        let started = Instant::now();
        for _ in 0..FRAMES {
            socket.write(Message::text(black_box(&text).as_str())).expect("memory takes all");
        }
        socket.flush().expect("memory takes all");
        started.elapsed().as_nanos()
    });
}

/// A connection in memory that counts what is written.
struct Memory {
    to_read: Cursor<Vec<u8>>,
    written: usize,
}

impl Read for Memory {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.to_read.read(room)
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One row; `work` handles [`FRAMES`] frames and says how long that took, ns.
fn row(name: &str, rounds: usize, mut work: impl FnMut() -> u128) {
    let mut times: Vec<f64> = (0..rounds).map(|_| work() as f64 / FRAMES as f64).collect();
    times.sort_by(f64::total_cmp);
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!("{name:<44} {:>8.1} {:>8.1} {:>8.1}", at(0), at(50), at(99));
}
