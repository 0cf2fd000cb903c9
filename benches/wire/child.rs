//! The bench as its own child: another process, on another core where there is one.

use crate::samples::Samples;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// A child that serves on loopback.
pub(crate) struct Peer {
    child: Child,
    pub(crate) port: u16,
    /// Where its operator is asked, of a venue.
    pub(crate) operators: u16,
    /// The root of its certificate; empty: it speaks plain text.
    pub(crate) root_pem: String,
    is_over: Arc<AtomicBool>,
    /// What is measured has begun.
    pub(crate) is_measuring: Arc<AtomicBool>,
    reader: Option<JoinHandle<Samples>>,
}

impl Peer {
    /// Starts `role` with `args`, and waits until it listens.
    pub(crate) fn start(role: &str, args: &[String]) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("the bench's own path"))
            .arg(crate::PEER)
            .arg(role)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let (mut ports, mut root_pem) = (Vec::new(), String::new());
        loop {
            let line = lines.next().expect("the child listens").expect("a line");
            match line.split_once(' ') {
                Some(("port", port)) => ports.push(port.parse().expect("a port")),
                _ if line == "ready" => break,
                _ => root_pem.push_str(&(line + "\n")),
            }
        }
        let [is_over, is_measuring] = std::array::from_fn(|_| Arc::new(AtomicBool::new(false)));
        let (ended, begun) = (Arc::clone(&is_over), Arc::clone(&is_measuring));
        let reader = Some(std::thread::spawn(move || hear(lines, &ended, &begun)));
        let operators = ports.get(1).copied().unwrap_or(0);
        Self { child, port: ports[0], operators, root_pem, is_over, is_measuring, reader }
    }

    /// Whether it has said all it had to say.
    pub(crate) fn is_over(&self) -> bool {
        // Relaxed: what it said is read when its reader has ended.
        self.is_over.load(Ordering::Relaxed)
    }

    /// What it measured, once it has said so; then it may end.
    pub(crate) fn end(mut self) -> Samples {
        // It waits for the end of its input.
        drop(self.child.stdin.take());
        let samples = self.reader.take().expect("once").join().expect("lines");
        assert!(self.child.wait().expect("an end").success(), "the child failed");
        samples
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It has ended already unless the bench failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads to the end; the flags are set with the lines `over` and `measuring`.
fn hear(
    lines: std::io::Lines<BufReader<ChildStdout>>,
    is_over: &AtomicBool,
    is_measuring: &AtomicBool,
) -> Samples {
    let mut samples = Samples::default();
    for line in lines.map_while(Result::ok) {
        match line.as_str() {
            "over" => is_over.store(true, Ordering::Relaxed),
            "measuring" => is_measuring.store(true, Ordering::Relaxed),
            _ => samples.hear(&line),
        }
    }
    is_over.store(true, Ordering::Relaxed);
    samples
}

/// In the child: from now on it measures.
pub(crate) fn say_measuring() {
    println!("measuring");
}

/// In the child: says that all is measured, and waits until the bench has taken its own measure.
pub(crate) fn say_over() {
    println!("over");
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// In the child: says where it listens.
pub(crate) fn say_ready(ports: &[u16], root_pem: Option<&str>) {
    for port in ports {
        println!("port {port}");
    }
    if let Some(root_pem) = root_pem {
        println!("{}", root_pem.trim_end());
    }
    println!("ready");
}
