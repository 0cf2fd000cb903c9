//! A venue's end of a connection, as small as it can be: HTTP until it becomes a WebSocket, looked at in turns.

use crate::child::say_ready;
use std::io;
use std::net::TcpListener;
use venue_sim::server::{Accepted, Certificates, Request, Response};

/// One connection.
pub(crate) struct Link {
    pub(crate) bytes: Accepted,
    inbound: Vec<u8>,
    /// Path of the WebSocket; empty: it is none.
    pub(crate) path: String,
    pub(crate) is_over: bool,
}

/// What a client said.
pub(crate) enum Said {
    Request(Request),
    Text(String),
}

impl Link {
    /// Looks once for bytes; `received` is called when there are some.
    pub(crate) fn turn(&mut self, received: impl FnOnce()) {
        let is_open = self.bytes.read(&mut self.inbound, received);
        self.is_over |= !is_open.unwrap_or(false) || self.bytes.flush().is_err();
    }

    /// Bytes of the next frame, head included, once the whole of it is there.
    pub(crate) fn frame_bytes(&self) -> Option<usize> {
        let head = Head::read(&self.inbound)?;
        (self.inbound.len() >= head.end).then_some(head.end)
    }

    /// The next thing that was said. Pings are answered.
    pub(crate) fn said(&mut self) -> Option<Said> {
        if self.path.is_empty() {
            let (request, taken) = Request::parse(&self.inbound).expect("a request")?;
            self.inbound.drain(..taken);
            if let Some(key) = &request.web_socket_key {
                self.path = format!("{}?{}", request.path, request.query);
                self.send(&Response::upgrade(key).bytes(false));
            }
            return Some(Said::Request(request));
        }
        loop {
            let head = Head::read(&self.inbound).filter(|head| self.inbound.len() >= head.end)?;
            let mut payload: Vec<u8> = self.inbound[head.payload..head.end].to_vec();
            for (byte, mask) in payload.iter_mut().zip(head.mask.iter().cycle()) {
                *byte ^= mask;
            }
            self.inbound.drain(..head.end);
            match head.opcode {
                1 => return Some(Said::Text(String::from_utf8(payload).expect("text"))),
                8 => self.is_over = true,
                9 => {
                    let mut pong = vec![0x8A, u8::try_from(payload.len()).expect("a short ping")];
                    pong.append(&mut payload);
                    self.send(&pong);
                }
                _ => {}
            }
        }
    }

    /// Sends bytes as they are. An error is found by the next turn.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.bytes.write(bytes).and_then(|()| self.bytes.flush());
    }

    /// Sends a text message.
    pub(crate) fn text(&mut self, text: &str) {
        let mut frame = Vec::with_capacity(text.len() + 4);
        write_frame(text, &mut frame);
        self.send(&frame);
    }
}

/// Appends a text message as a server sends it.
pub(crate) fn write_frame(text: &str, out: &mut Vec<u8>) {
    out.push(0x81);
    match u16::try_from(text.len()) {
        Ok(short @ ..126) => out.push(short.to_le_bytes()[0]),
        Ok(length) => {
            out.push(126);
            out.extend(length.to_be_bytes());
        }
        Err(_) => {
            out.push(127);
            out.extend((text.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(text.as_bytes());
}

/// Head of a client's frame.
struct Head {
    opcode: u8,
    mask: [u8; 4],
    payload: usize,
    end: usize,
}

impl Head {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (first, second) = (*bytes.first()?, *bytes.get(1)?);
        assert!(first & 0x80 != 0 && second & 0x80 != 0, "a client's frame is whole and masked");
        let (length, at) = match second & 0x7F {
            126 => (usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)), 4),
            127 => panic!("a request of more than 64 KiB"),
            short => (usize::from(short), 2),
        };
        let mask = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(Self { opcode: first & 0x0F, mask, payload: at + 4, end: at + 4 + length })
    }
}

/// The child's side of loopback.
pub(crate) struct Listening {
    listener: TcpListener,
    certificates: Option<Certificates>,
    pub(crate) links: Vec<Link>,
}

impl Listening {
    /// Listens, over TLS or not, and says where.
    pub(crate) fn open(tls: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("an option");
        let names = ["localhost".to_owned()];
        let certificates = tls.then(|| Certificates::make(&names).expect("certificates"));
        let port = listener.local_addr().expect("an address").port();
        say_ready(&[port], certificates.as_ref().map(|made| made.root_pem.as_str()));
        Self { listener, certificates, links: Vec::new() }
    }

    /// Takes whoever has come, and lets go who has gone.
    pub(crate) fn accept(&mut self) {
        self.links.retain(|link| !link.is_over);
        match self.listener.accept() {
            Ok((socket, _)) => {
                let tls = self.certificates.as_ref().map(|made| made.valid.clone());
                let bytes = Accepted::new(socket, tls).expect("a connection");
                self.links.push(Link { bytes, inbound: Vec::new(), path: String::new(), is_over: false });
            }
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}"),
        }
    }

    /// The link whose path begins so.
    pub(crate) fn on(&mut self, path: &str) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.path.starts_with(path))
    }
}
