//! The sockets of a live run as a source of frames. The feed thread polls it; it waits for nothing, and takes no memory
//! once its connections stand.

use super::fetch::{Arrived, Fetched};
use super::plan::{ConnectionRole, LivePlan, product_of};
use crate::codec::FRAME_BYTES_MAX;
use crate::stage::{Frame, FrameSource, SourcePoll};
use crate::venues::binance::streams::{self, StreamProtocol};
use engine::counters::{Counter, Counters, CountersError, Desc, Unit};
use engine::ids::{ConnectionId, InstrumentId};
use engine::time::{Nanos, Stamp, WallClock};
use std::cell::Cell;
use std::fmt;
use std::sync::mpsc::SyncSender;
use wire::driver::Driver;
use wire::net::{Clock, Endpoint, Net, NetOptions, Resolver};
use wire::session::{Event, Polled, Session, SessionConfig, SessionTimes};
use wire::tls::TlsConfig;
use wire::url::Url;

/// How sockets are opened.
pub struct LiveOptions<'a> {
    /// Which back end the thread's sockets use.
    pub net: NetOptions,
    /// Where names are resolved.
    pub resolver: &'a Resolver,
    /// Whom the connections of a venue trust, by the venue's name.
    pub tls: Box<dyn Fn(&str) -> TlsConfig + 'a>,
    /// After how long a connection to a venue is replaced by a new one.
    pub rotate_after: Box<dyn Fn(&str) -> Nanos + 'a>,
    /// What masks, nonces and jitter come from: another number for every process.
    pub seed: u64,
    /// The time of inputs.
    pub clock: WallClock,
}

/// What happened to a connection, for whoever watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The connection.
    pub connection: ConnectionId,
    /// When.
    pub at: Nanos,
    /// What, in words.
    pub what: String,
    /// It was lost, and is not tried again before this.
    pub retry_ns: Option<Nanos>,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {}: {}", self.connection, self.what)
    }
}

/// Frames of sockets and snapshots.
pub struct LiveSource {
    net: Net,
    clock: ReceiveClock,
    sockets: Vec<Socket>,
    snapshots: Fetched,
    /// The connection of each instrument's snapshots.
    snapshot_connection: Vec<ConnectionId>,
    /// The socket that is asked next, so that none starves the others.
    turn: usize,
    held: Held,
    /// Frames of a snapshot connection so far, by instrument.
    snapshot_lines: Vec<u32>,
    /// Receive time of the frame before.
    last_ns: Nanos,
    notices: SyncSender<Notice>,
}

/// What `poll` gave and `consume` is to take back.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    Nothing,
    Socket(usize),
    Snapshot,
}

struct Socket {
    id: ConnectionId,
    driver: Driver<StreamProtocol>,
    is_open: bool,
    /// A change of `is_open` that the stage has not been told.
    is_untold: bool,
    counters: Option<SocketCounters>,
    /// Frames taken.
    lines: u32,
    /// Of its last receive: further frames of it wait while other sockets receive.
    received: Stamp,
}

struct SocketCounters {
    is_open: Counter,
    frames: Counter,
    losses: Counter,
}

/// Reads the time of a receive once, for the frame and for the latency of what it leads to.
struct ReceiveClock {
    wall: WallClock,
    received: Cell<Stamp>,
}

impl Clock for ReceiveClock {
    #[inline]
    fn now(&self) -> Nanos {
        let (now, stamp) = self.wall.read();
        self.received.set(stamp);
        now
    }
}

impl LiveSource {
    /// Sockets for every connection of `plan` that is one; they begin to connect with the first poll. `snapshots` is
    /// where the helper's answers come from; what happens to connections goes to `notices`, and is lost when
    /// nobody takes it away.
    /// Err: a URL that is none, with the connection.
    pub fn new(
        plan: &LivePlan,
        options: &LiveOptions<'_>,
        snapshots: Fetched,
        notices: SyncSender<Notice>,
    ) -> Result<Self, String> {
        let (now, _) = options.clock.read();
        let mut sockets = Vec::new();
        let mut snapshot_connection = Vec::new();
        for (id, connection) in (0..).map(ConnectionId).zip(&plan.connections) {
            match &connection.role {
                ConnectionRole::Snapshots { .. } => snapshot_connection.push(id),
                ConnectionRole::Streams { url, names } => {
                    let product = product_of(&connection.venue)
                        .ok_or_else(|| format!("{}: no live market data", connection.venue))?;
                    let url = Url::parse(url).map_err(|error| format!("connection {id}: {url}: {error}"))?;
                    let tls = url.is_secure().then(|| (options.tls)(&connection.venue));
                    let endpoint = Endpoint::new(url.host(), url.port(), tls);
                    let limits = streams::limits(product);
                    let config = SessionConfig {
                        host: endpoint.host_header(),
                        path: url.path().into(),
                        headers: Vec::new(),
                        message_bytes_max: FRAME_BYTES_MAX,
                        send_bytes_max: 1 << 16,
                        times: SessionTimes {
                            request_gap_ns: limits.message_interval_ns,
                            ping_after_ns: Nanos(limits.idle_ns.0 / 2),
                            silence_ns_max: limits.idle_ns,
                            rotate_after_ns: (options.rotate_after)(&connection.venue),
                            ..SessionTimes::USUAL
                        },
                    };
                    let protocol = StreamProtocol::new(product, names.clone());
                    let seed = options.seed.wrapping_add(u64::from(id.0).wrapping_mul(0x9E37_79B9_7F4A_7C15));
                    let mut session = Session::new(config, protocol, seed);
                    session.start(now);
                    sockets.push(Socket {
                        id,
                        driver: Driver::new(session, endpoint, options.resolver.clone()),
                        is_open: false,
                        is_untold: false,
                        counters: None,
                        lines: 0,
                        received: Stamp::default(),
                    });
                }
            }
        }
        Ok(Self {
            net: Net::new(options.net),
            clock: ReceiveClock { wall: options.clock.clone(), received: Cell::default() },
            sockets,
            snapshots,
            snapshot_lines: vec![0; snapshot_connection.len()],
            snapshot_connection,
            turn: 0,
            held: Held::Nothing,
            last_ns: Nanos(0),
            notices,
        })
    }

    /// Publishes each connection's state. Err: the counters are full, or have them already.
    pub fn counting(mut self, counters: &mut Counters) -> Result<Self, CountersError> {
        for socket in &mut self.sockets {
            let owner = format!("connection {}", socket.id);
            let mut register = |desc: Desc<'_>| counters.register(&owner, &desc);
            socket.counters = Some(SocketCounters {
                is_open: register(Desc::gauge("open", Unit::Count, "1: subscribed and live"))?,
                frames: register(Desc::counter("frames", Unit::Count, "Frames received"))?,
                losses: register(Desc::counter("losses", Unit::Count, "Times that it was lost"))?,
            });
        }
        Ok(self)
    }

    /// The back end in use, and what could not be had as asked for.
    #[must_use]
    pub fn remarks(&self) -> (&'static str, &[String]) {
        (self.net.backend().name(), self.net.remarks())
    }

    /// Asks the sockets until one has a frame, which `poll` gives next, or was opened or lost: which, and when. None: no
    /// change comes before the next frame.
    #[inline]
    pub fn next_change(&mut self) -> Option<(ConnectionId, bool, Nanos)> {
        if self.held != Held::Nothing {
            return None;
        }
        let (now, _) = self.clock.wall.read();
        let index = self.ready(now)?;
        let socket = &mut self.sockets[index];
        if std::mem::take(&mut socket.is_untold) {
            return Some((socket.id, socket.is_open, now));
        }
        self.held = Held::Socket(index);
        None
    }

    /// The socket that has a frame, or a change to tell. Each is asked once, the one after the last first.
    #[inline]
    fn ready(&mut self, now: Nanos) -> Option<usize> {
        let count = self.sockets.len();
        for step in 0..count {
            let index = (self.turn + step) % count;
            let socket = &mut self.sockets[index];
            if socket.is_untold || socket.turn(&mut self.net, &self.clock, now, &self.notices) {
                self.turn = index;
                return Some(index);
            }
        }
        None
    }
}

impl Socket {
    /// One turn. True: there is a frame, or a change to tell.
    #[inline]
    fn turn(
        &mut self,
        net: &mut Net,
        clock: &ReceiveClock,
        now: Nanos,
        notices: &SyncSender<Notice>,
    ) -> bool {
        loop {
            clock.received.set(Stamp::default());
            let polled = self.driver.poll(net, clock, now);
            if clock.received.get().0 != 0 {
                self.received = clock.received.get();
            }
            match polled {
                Polled::Nothing => return false,
                Polled::Frame(_) => return true,
                Polled::Event(event) => {
                    let event = event.clone();
                    self.driver.consume();
                    if self.event(&event, now, notices) {
                        return true;
                    }
                }
            }
        }
    }

    /// Something happened to the connection. True: the stage is to be told.
    #[cold]
    fn event(&mut self, event: &Event, now: Nanos, notices: &SyncSender<Notice>) -> bool {
        let is_open = self.driver.session().in_service().is_some();
        if let (Event::Lost { .. }, Some(counters)) = (event, &mut self.counters) {
            counters.losses.add(1);
        }
        let retry_ns = match event {
            Event::Lost { retry_ns, .. } => Some(*retry_ns),
            _ => None,
        };
        // Nobody need watch, and a watcher that lags misses some.
        let notice = Notice { connection: self.id, at: now, what: event.to_string(), retry_ns };
        let _ = notices.try_send(notice);
        let is_change = is_open != self.is_open;
        self.is_open = is_open;
        self.is_untold |= is_change;
        if let Some(counters) = &mut self.counters {
            counters.is_open.set(u64::from(is_open));
        }
        self.is_untold
    }
}

impl FrameSource for LiveSource {
    #[inline]
    fn poll(&mut self) -> SourcePoll<'_> {
        if let Some((connection, is_open, now)) = self.next_change() {
            return SourcePoll::Connection(connection, is_open, now);
        }
        if self.held == Held::Nothing {
            if !self.snapshots.next() {
                return SourcePoll::Time(self.clock.wall.read().0);
            }
            self.held = Held::Snapshot;
        }
        // Sockets are read one after the other: a frame that waited in one is no older than what was taken meanwhile.
        let last_ns = self.last_ns;
        match self.held {
            Held::Socket(index) => {
                let socket = &mut self.sockets[index];
                let behind_ns = self.clock.wall.elapsed_ns(socket.received);
                match socket.driver.poll(&mut self.net, &self.clock, Nanos(0)) {
                    Polled::Frame(frame) => {
                        self.last_ns = frame.recv_ns.max(last_ns);
                        SourcePoll::Ready(Frame {
                            connection: socket.id,
                            line: socket.lines.saturating_add(1),
                            recv_ns: self.last_ns,
                            behind_ns,
                            clock_fault: false,
                            bytes: Ok(frame.bytes),
                        })
                    }
                    _ => SourcePoll::NotYet,
                }
            }
            Held::Snapshot => {
                let Some(Arrived { instrument, recv_ns, received, body: Some(body) }) = &self.snapshots.held
                else {
                    return SourcePoll::NotYet;
                };
                self.last_ns = (*recv_ns).max(last_ns);
                let index = instrument.index();
                SourcePoll::Ready(Frame {
                    connection: self.snapshot_connection.get(index).copied().unwrap_or_default(),
                    line: self.snapshot_lines.get(index).copied().unwrap_or(0).saturating_add(1),
                    recv_ns: self.last_ns,
                    behind_ns: self.clock.wall.elapsed_ns(*received),
                    clock_fault: false,
                    bytes: Ok(body),
                })
            }
            Held::Nothing => SourcePoll::NotYet,
        }
    }

    #[inline]
    fn consume(&mut self) {
        match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Socket(index) => {
                let socket = &mut self.sockets[index];
                socket.driver.consume();
                socket.lines = socket.lines.saturating_add(1);
                if let Some(counters) = &mut socket.counters {
                    counters.frames.set(u64::from(socket.lines));
                }
                self.turn = index + 1;
            }
            Held::Snapshot => {
                let instrument = self.snapshots.held.as_ref().map(|held| held.instrument);
                if let Some(line) = instrument.and_then(|id| self.snapshot_lines.get_mut(id.index())) {
                    *line = line.saturating_add(1);
                }
                self.snapshots.consume();
            }
            Held::Nothing => {}
        }
    }

    fn want_snapshot(&mut self, instrument: InstrumentId) {
        self.snapshots.want(instrument, true);
    }

    fn want_renewal(&mut self, instrument: InstrumentId) {
        self.snapshots.want(instrument, false);
    }

    fn reopen(&mut self, connection: ConnectionId) {
        let now = self.clock.wall.read().0;
        if let Some(socket) = self.sockets.iter_mut().find(|socket| socket.id == connection) {
            socket.driver.session().rotate(now);
        }
    }
}
