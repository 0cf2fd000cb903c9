//! The sockets of one thread.

use super::uring::Uring;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, ErrorKind, Read};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::Duration;

/// How a thread learns that bytes came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Every socket is asked in every turn.
    Busy,
    /// Readiness from epoll, by `mio`.
    Mio,
    /// Receives stand in the kernel, by `io-uring`. Sends are plain calls: a submission would cost a call too.
    IoUring,
}

impl Backend {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Busy, Self::Mio, Self::IoUring];

    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Mio => "mio",
            Self::IoUring => "io-uring",
        }
    }
}

/// How a thread's sockets are set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetOptions {
    /// The back end that is wanted; [`Net::backend`] is the one there is.
    pub backend: Backend,
    /// `SO_BUSY_POLL`: how long the kernel asks the network card in a read before it says that there is nothing, us.
    /// 0: not at all. More than the system's own value needs `CAP_NET_ADMIN`.
    pub busy_poll_us: u32,
}

/// The sockets of one thread, on one back end.
pub struct Net {
    way: Way,
    options: NetOptions,
    sockets: Vec<Option<Entry>>,
    remarks: Vec<String>,
}

/// One of a [`Net`]'s sockets. Not cloned: who has it closes it.
#[derive(Debug, PartialEq, Eq)]
pub struct SocketId(usize);

/// What a receive gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// So many bytes, at least one, at the start of the room.
    Bytes(usize),
    /// Nothing now.
    Nothing,
    /// Nothing any more: the peer has ended its side.
    End,
}

enum Way {
    Busy,
    Mio(Epoll),
    IoUring(Box<Uring>),
}

struct Entry {
    socket: Socket,
    /// mio: bytes may be there. Edge-triggered: cleared only when a read found nothing.
    is_readable: bool,
    /// mio: it was asked since the last look at epoll.
    is_asked: bool,
}

struct Epoll {
    poll: Poll,
    events: Events,
}

impl Net {
    /// The sockets of a thread. A back end that this machine does not offer is replaced by the next simpler one, with a
    /// remark.
    #[must_use]
    pub fn new(options: NetOptions) -> Self {
        let mut remarks = Vec::new();
        let uring = (options.backend == Backend::IoUring).then(Uring::new);
        let uring = uring.and_then(|made| remark(made, "io-uring", "mio", &mut remarks));
        let is_polled = options.backend != Backend::Busy && uring.is_none();
        let epoll = is_polled.then(Epoll::new).and_then(|made| remark(made, "mio", "busy", &mut remarks));
        let way = match (uring, epoll) {
            (Some(uring), _) => Way::IoUring(Box::new(uring)),
            (None, Some(epoll)) => Way::Mio(epoll),
            (None, None) => Way::Busy,
        };
        Self { way, options, sockets: Vec::new(), remarks }
    }

    /// The back end in use.
    #[must_use]
    pub const fn backend(&self) -> Backend {
        match self.way {
            Way::Busy => Backend::Busy,
            Way::Mio(_) => Backend::Mio,
            Way::IoUring(_) => Backend::IoUring,
        }
    }

    /// What could not be had as asked for, each said once.
    #[must_use]
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Begins to connect to `address`. Err: the system refused at once.
    pub fn connect(&mut self, address: SocketAddr) -> io::Result<SocketId> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if self.options.busy_poll_us > 0
            && let Err(error) = socket.set_busy_poll(self.options.busy_poll_us)
        {
            let said = format!("SO_BUSY_POLL {} us: {error}; without it", self.options.busy_poll_us);
            if !self.remarks.contains(&said) {
                self.remarks.push(said);
            }
        }
        if let Err(error) = socket.connect(&address.into())
            && !is_on_its_way(&error)
        {
            return Err(error);
        }
        let at = self.sockets.iter().position(Option::is_none).unwrap_or(self.sockets.len());
        if at == self.sockets.len() {
            self.sockets.push(None);
        }
        match &mut self.way {
            Way::Busy => {}
            Way::Mio(epoll) => epoll.add(&socket, at)?,
            Way::IoUring(uring) => uring.add(at),
        }
        self.sockets[at] = Some(Entry { socket, is_readable: true, is_asked: false });
        Ok(SocketId(at))
    }

    /// Whether it stands. Err: it does not, and will not.
    pub fn is_connected(&mut self, id: &SocketId) -> io::Result<bool> {
        let Entry { socket, .. } = entry(&mut self.sockets, id)?;
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        match socket.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            // What Linux says of a socket whose connection was refused and whose error has been told.
            Err(error) => Err(error),
        }
    }

    /// Receives into `room`, which is not empty, what has come. Err: the connection is over.
    #[inline]
    pub fn recv(&mut self, id: &SocketId, room: &mut [u8]) -> io::Result<Received> {
        match &mut self.way {
            Way::Busy => recv(&entry(&mut self.sockets, id)?.socket, room),
            Way::IoUring(uring) => uring.recv(id.0, &entry(&mut self.sockets, id)?.socket, room),
            Way::Mio(epoll) => {
                let it = entry(&mut self.sockets, id)?;
                if !it.is_readable {
                    // One look serves all sockets: the next is due when one asks for the second time.
                    if it.is_asked {
                        epoll.look(&mut self.sockets)?;
                    }
                    let it = entry(&mut self.sockets, id)?;
                    it.is_asked = true;
                    if !it.is_readable {
                        return Ok(Received::Nothing);
                    }
                }
                let it = entry(&mut self.sockets, id)?;
                let received = recv(&it.socket, room)?;
                it.is_readable = received != Received::Nothing;
                Ok(received)
            }
        }
    }

    /// Sends what the system takes of `bytes`. Returns how many that was; 0: none now.
    /// Err: the connection is over.
    #[inline]
    pub fn send(&mut self, id: &SocketId, bytes: &[u8]) -> io::Result<usize> {
        match entry(&mut self.sockets, id)?.socket.send_with_flags(bytes, libc::MSG_NOSIGNAL) {
            Err(error) if is_empty_handed(&error) => Ok(0),
            sent => sent,
        }
    }

    /// Closes the connection.
    #[allow(clippy::needless_pass_by_value, reason = "who gives the id away cannot use it again")]
    pub fn close(&mut self, id: SocketId) {
        let Some(slot) = self.sockets.get_mut(id.0) else { return };
        let Some(Entry { socket, .. }) = slot.take() else { return };
        // A peer that is gone already is no news.
        let _ = socket.shutdown(Shutdown::Both);
        match &mut self.way {
            Way::Busy => {}
            Way::Mio(epoll) => epoll.remove(&socket),
            Way::IoUring(uring) => uring.remove(id.0),
        }
    }
}

impl Epoll {
    fn new() -> io::Result<Self> {
        Ok(Self { poll: Poll::new()?, events: Events::with_capacity(EVENTS) })
    }

    fn add(&self, socket: &Socket, at: usize) -> io::Result<()> {
        self.poll.registry().register(&mut SourceFd(&socket.as_raw_fd()), Token(at), Interest::READABLE)
    }

    fn remove(&self, socket: &Socket) {
        // Closing the socket removes it too.
        let _ = self.poll.registry().deregister(&mut SourceFd(&socket.as_raw_fd()));
    }

    fn look(&mut self, sockets: &mut [Option<Entry>]) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        for it in sockets.iter_mut().flatten() {
            it.is_asked = false;
        }
        for event in &self.events {
            if let Some(Some(it)) = sockets.get_mut(event.token().0) {
                it.is_readable = true;
            }
        }
        Ok(())
    }
}

#[inline]
fn recv(socket: &Socket, room: &mut [u8]) -> io::Result<Received> {
    match (&mut &*socket).read(room) {
        Ok(0) => Ok(Received::End),
        Ok(count) => Ok(Received::Bytes(count)),
        Err(error) if is_empty_handed(&error) => Ok(Received::Nothing),
        Err(error) => Err(error),
    }
}

#[inline]
fn entry<'a>(sockets: &'a mut [Option<Entry>], id: &SocketId) -> io::Result<&'a mut Entry> {
    sockets.get_mut(id.0).and_then(Option::as_mut).ok_or_else(|| ErrorKind::NotConnected.into())
}

fn is_empty_handed(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn is_on_its_way(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINPROGRESS) || is_empty_handed(error)
}

/// What was made; else a remark that `instead` is used.
fn remark<T>(made: io::Result<T>, name: &str, instead: &str, remarks: &mut Vec<String>) -> Option<T> {
    made.map_err(|error| remarks.push(format!("{name} is not to be had ({error}); {instead} instead"))).ok()
}

/// Sockets that one look at epoll can tell of.
const EVENTS: usize = 64;
