//! One client: a socket, TLS where it is on, and what is spoken on it, HTTP until it becomes a WebSocket.

use super::http::{Request, RequestError, Response};
use crate::outbox::Payload;
use mio::net::TcpStream;
use rustls::{ServerConfig, ServerConnection};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode};
use tungstenite::{Message, WebSocket};

/// A client that lets so much pile up is let go.
const OUTBOUND_BYTES_MAX: usize = 32 << 20;
/// Longest message of a client, bytes.
const MESSAGE_BYTES_MAX: usize = 64 << 10;
const READ_BYTES: usize = 16 << 10;

/// What a client said.
#[derive(Debug)]
pub enum Said {
    /// A request.
    Http(Request),
    /// Bytes that are no request; the connection ends after the answer.
    Malformed(RequestError),
    /// A text message.
    Text(String),
    /// A binary message.
    Binary,
    /// A ping, answered already.
    Ping,
    /// A pong.
    Pong,
}

/// A client's connection.
pub struct Connection {
    socket: TcpStream,
    /// Where the client is.
    pub peer: IpAddr,
    tls: Option<Box<ServerConnection>>,
    /// Plain bytes not yet taken by HTTP.
    inbound: Vec<u8>,
    /// Bytes for the socket.
    outbound: VecDeque<u8>,
    web_socket: Option<Box<WebSocket<Pipe>>>,
    is_stalled: bool,
    ends_when_sent: bool,
    half_closes_when_sent: bool,
    /// Over: the server drops it.
    pub is_over: bool,
}

/// The two ends of what `tungstenite` reads and writes.
#[derive(Debug, Default)]
struct Pipe {
    inbound: VecDeque<u8>,
    outbound: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.inbound.is_empty() {
            Err(io::ErrorKind::WouldBlock.into())
        } else {
            self.inbound.read(buffer)
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outbound.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Connection {
    /// A connection that was just accepted; `tls` None: plain text. Err: TLS cannot begin.
    pub fn new(socket: TcpStream, peer: IpAddr, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        let tls = match tls {
            None => None,
            Some(config) => {
                let mut tls = ServerConnection::new(config).map_err(io::Error::other)?;
                tls.set_buffer_limit(None);
                Some(Box::new(tls))
            }
        };
        Ok(Self {
            socket,
            peer,
            tls,
            inbound: Vec::new(),
            outbound: VecDeque::new(),
            web_socket: None,
            is_stalled: false,
            ends_when_sent: false,
            half_closes_when_sent: false,
            is_over: false,
        })
    }

    /// The socket, to register it.
    pub const fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// Reads what has come, until the socket has no more.
    pub fn fill(&mut self) {
        let mut buffer = [0; READ_BYTES];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => {
                    self.is_over = true;
                    return;
                }
                Ok(len) => self.take(&buffer[..len]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.is_over |= error.kind() != io::ErrorKind::WouldBlock;
                    return;
                }
            }
            if self.is_over {
                return;
            }
        }
    }

    fn take(&mut self, mut bytes: &[u8]) {
        let Some(tls) = &mut self.tls else {
            self.take_plain(bytes);
            return;
        };
        let mut plain = Vec::new();
        while !bytes.is_empty() {
            // Reading from a slice cannot fail; what TLS will not buffer it says in `process_new_packets`.
            let Ok(1..) = tls.read_tls(&mut bytes) else { break };
            let state = tls.process_new_packets();
            // Whatever is refused, an alert may have to go out, and what came before counts.
            let _ = tls.reader().read_to_end(&mut plain);
            if state.is_err() {
                self.ends_when_sent = true;
                break;
            }
        }
        self.take_plain(&plain);
        self.encrypt();
        self.flush();
    }

    fn take_plain(&mut self, bytes: &[u8]) {
        match &mut self.web_socket {
            Some(web_socket) => web_socket.get_mut().inbound.extend(bytes),
            None => self.inbound.extend_from_slice(bytes),
        }
    }

    /// The next thing that the client said. None: nothing whole.
    pub fn said(&mut self) -> Option<Said> {
        if self.ends_when_sent {
            return None;
        }
        let Some(web_socket) = &mut self.web_socket else {
            return match Request::parse(&self.inbound) {
                _ if self.inbound.is_empty() => None,
                Ok(None) => None,
                Ok(Some((request, taken))) => {
                    self.inbound.drain(..taken);
                    Some(Said::Http(request))
                }
                Err(error) => Some(Said::Malformed(error)),
            };
        };
        let said = match web_socket.read() {
            Ok(Message::Text(text)) => Some(Said::Text(text.as_str().to_owned())),
            Ok(Message::Binary(_)) => Some(Said::Binary),
            Ok(Message::Ping(_)) => Some(Said::Ping),
            Ok(Message::Pong(_)) => Some(Said::Pong),
            Ok(Message::Close(_) | Message::Frame(_)) => {
                self.ends_when_sent = true;
                None
            }
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(_) => {
                self.ends_when_sent = true;
                None
            }
        };
        // Answers to pings and closes that `tungstenite` has written.
        self.send_web_socket(None);
        said
    }

    /// Turns the connection into a WebSocket after `response` is sent.
    pub fn upgrade(&mut self, response: &Response) {
        self.send_plain(&response.bytes(false));
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX))
            .write_buffer_size(0);
        let pipe = Pipe { inbound: self.inbound.drain(..).collect(), outbound: Vec::new() };
        self.web_socket = Some(Box::new(WebSocket::from_raw_socket(pipe, Role::Server, Some(config))));
    }

    /// Sends or does what `payload` says.
    pub fn send(&mut self, payload: Payload) {
        match payload {
            Payload::Text(text) => self.send_web_socket(Some(Message::Text(text))),
            Payload::Ping => {
                self.send_web_socket(Some(Message::Ping(tungstenite::Bytes::from_static(b"venue"))));
            }
            Payload::Http(response) => self.send_plain(&response.bytes(self.ends_when_sent)),
            Payload::Raw(bytes) => self.send_plain(&bytes),
            Payload::Close(reason) => {
                if let Some(web_socket) = &mut self.web_socket {
                    let frame = CloseFrame { code: CloseCode::Policy, reason: reason.into() };
                    // An error says that it is closing already.
                    let _ = web_socket.close(Some(frame));
                    self.send_web_socket(None);
                }
                self.ends_when_sent = true;
            }
            Payload::HalfClose => self.half_closes_when_sent = true,
            Payload::Reset => {
                reset_on_close(&self.socket);
                self.is_over = true;
            }
            Payload::Stall => self.is_stalled = true,
            Payload::Resume => self.is_stalled = false,
        }
        self.flush();
    }

    /// Ends after what is to be sent was sent.
    pub fn end_when_sent(&mut self) {
        self.ends_when_sent = true;
        self.flush();
    }

    fn send_web_socket(&mut self, message: Option<Message>) {
        let Some(web_socket) = &mut self.web_socket else { return };
        if let Some(message) = message {
            // An error says that the client has said good-bye.
            let _ = web_socket.write(message);
        }
        let _ = web_socket.flush();
        let bytes = std::mem::take(&mut web_socket.get_mut().outbound);
        if !bytes.is_empty() {
            self.send_plain(&bytes);
        }
    }

    fn send_plain(&mut self, bytes: &[u8]) {
        match &mut self.tls {
            Some(tls) => {
                // The buffer has no limit, so that it takes everything.
                let _ = tls.writer().write_all(bytes);
                self.encrypt();
            }
            None => self.outbound.extend(bytes),
        }
        self.flush();
    }

    fn encrypt(&mut self) {
        let Some(tls) = &mut self.tls else { return };
        while tls.wants_write() {
            if tls.write_tls(&mut self.outbound).is_err() {
                break;
            }
        }
    }

    /// Writes what the socket takes.
    pub fn flush(&mut self) {
        if self.is_over || self.is_stalled {
            self.is_over |= self.outbound.len() > OUTBOUND_BYTES_MAX;
            return;
        }
        while !self.outbound.is_empty() {
            let (front, _) = self.outbound.as_slices();
            match self.socket.write(front) {
                Ok(0) => {
                    self.is_over = true;
                    return;
                }
                Ok(len) => {
                    self.outbound.drain(..len);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let blocked = error.kind() == io::ErrorKind::WouldBlock;
                    self.is_over |= !blocked || self.outbound.len() > OUTBOUND_BYTES_MAX;
                    return;
                }
            }
        }
        if self.half_closes_when_sent {
            self.half_closes_when_sent = false;
            // Errors when the client is gone, which the next read finds out.
            let _ = self.socket.shutdown(Shutdown::Write);
        }
        self.is_over |= self.ends_when_sent;
    }
}

/// Makes the kernel answer the client with a reset instead of an orderly end.
fn reset_on_close(socket: &TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let size = libc::socklen_t::try_from(size_of::<libc::linger>()).unwrap_or(0);
    // SAFETY: the descriptor is open, `linger` is what SO_LINGER reads, and its size is given.
    let _ = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            std::ptr::from_ref(&linger).cast(),
            size,
        )
    };
}
