//! The feed stage: frames in, numbered messages out. It journals each frame as it came, decodes it, keeps
//! every depth stream in sequence, and turns silence into timer messages.

use crate::arbiter::Arbiter;
use crate::codec::{Chain, DecodeError, Decoded, Event, FeedCodec, SyncState};
use crate::renewal::Merger;
use crate::sync::{Sync, SyncCounts, SyncSink};
use crate::watch::{Subscription, Watch};
use engine::counters::{Counter, Counters, CountersError, Desc, Unit};
use engine::ids::{ConnectionId, InstrumentId, VenueId};
use engine::instrument::{Instrument, InstrumentTable};
use engine::journal::schema::{ConnectionChange, FrameHead, RecordKind, StreamBreak};
use engine::message::{Body, Cell, Depth, FIRST_OF_FRAME, Head, Kind, Message};
use engine::runner::{Source, Step};
use engine::stage::{Sink, Stamping};
use engine::stage_log::StageLog;
use engine::time::{Nanos, Stamp, StampClock};
use std::io::Write;
use std::sync::mpsc::SyncSender;

/// Where frames come from: captures, a journal, sockets.
pub trait FrameSource: Send {
    /// The next frame; the same one again until it is consumed.
    fn poll(&mut self) -> SourcePoll<'_>;
    /// Done with the frame that `poll` gave.
    fn consume(&mut self);
    /// The instrument's book waits for a snapshot. Asked again while it does; a source that has no way to get
    /// one does nothing.
    fn want_snapshot(&mut self, _instrument: InstrumentId) {}
    /// The instrument's book is to be renewed from a snapshot; those that wait for one come first.
    fn want_renewal(&mut self, instrument: InstrumentId) {
        self.want_snapshot(instrument);
    }
    /// A stream of the connection is silent: it is to be opened anew.
    fn reopen(&mut self, _connection: ConnectionId) {}
}

/// Whether a source has a frame.
#[derive(Clone, Copy, Debug)]
pub enum SourcePoll<'a> {
    /// It has this one.
    Ready(Frame<'a>),
    /// Time has passed until then without a frame: a journal says so. Such a source is run without timers of the
    /// stage's own.
    Timer(Nanos),
    /// None now.
    NotYet,
    /// None now, and it is this time.
    Time(Nanos),
    /// A connection was opened (true) or lost (false) at this time.
    Connection(ConnectionId, bool, Nanos),
    /// None any more.
    End,
}

/// One inbound frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Where it came from.
    pub connection: ConnectionId,
    /// Its number on that connection, from 1; the line of a capture.
    pub line: u32,
    /// When it left the socket; never before that of the frame before.
    pub recv_ns: Nanos,
    /// The recorded receive time stepped back, or forward over an hour, and was not believed.
    pub clock_fault: bool,
    /// How long ago it was due, ns: its latency begins there. 0 where frames are due when they are taken.
    pub behind_ns: u64,
    /// The frame. Err: a capture's line that is none.
    pub bytes: Result<&'a [u8], DecodeError>,
}

/// One connection: its decoder, and the venue it speaks to.
pub struct Connection<C> {
    /// The decoder.
    pub codec: C,
    /// The venue.
    pub venue: VenueId,
}

/// How the feed stage is set up.
#[derive(Clone, Copy, Debug)]
pub struct FeedConfig {
    /// A timer message is due when this much time passed without one. Zero: no timers.
    pub timer_ns: Nanos,
    /// Memory for updates that wait for a snapshot, bytes per instrument.
    pub resync_buffer_bytes: usize,
    /// A live book is renewed from a fresh snapshot after this long, so that the range it is known for follows the
    /// price, unless a subscription to the instrument's snapshots says how long. Zero: never.
    pub renew_ns: Nanos,
}

/// What the feed stage saw, sent when the stage ends.
#[derive(Clone, Debug, Default)]
pub struct FeedReport {
    /// Frames taken.
    pub frames: u64,
    /// Well-formed frames by [`Event`].
    pub events: [u64; Event::COUNT],
    /// Frames that could not be used.
    pub decode_errors: u64,
    /// The first of them: connection, line, what was wrong.
    pub first_errors: Vec<(ConnectionId, u32, DecodeError)>,
    /// Frames that no scanner knew.
    pub general_decoder: u64,
    /// Receive times that stepped back, or forward over an hour.
    pub clock_steps: u64,
    /// Timer messages sent.
    pub timers: u64,
    /// Messages that a full ring refused.
    pub refused: u64,
    /// Connections lost, and streams found silent.
    pub lost: u64,
    /// Messages that were had before: from another connection, or trades of an earlier subscription.
    pub copies: u64,
    /// Depth streams by instrument.
    pub sync: Vec<SyncCounts>,
}

/// Details of decode errors that are kept for the report.
pub const FIRST_ERRORS_MAX: usize = 8;

/// The first stage.
pub struct FeedStage<F, C: FeedCodec> {
    source: F,
    connections: Vec<Connection<C>>,
    decoded: Box<Decoded>,
    streams: Vec<Stream>,
    config: FeedConfig,
    watch: Watch,
    merger: Merger,
    /// Time of the last message: timers count from it.
    last_ns: Nanos,
    /// When silent streams were last looked for.
    looked_ns: Nanos,
    log: StageLog,
    clock: StampClock,
    stopping: bool,
    rest: Option<Rest>,
    /// Checksum of the last frame's record.
    frame_crc32c: u32,
    /// A mark follows every frame whose number is a multiple of it; 0: none.
    mark_every: u32,
    /// The mark that follows the frame taken last.
    mark: Option<Head>,
    report: FeedReport,
    counters: Option<FeedCounters>,
    done: SyncSender<FeedReport>,
}

struct Stream {
    sync: Sync,
    arbiter: Arbiter,
    /// After how long the book is renewed; zero: never.
    renew_ns: Nanos,
    /// When the book was last asked to be renewed, or came to life.
    renewed_ns: Nanos,
    /// The connection whose end or silence leaves the book without its stream; the next step says so.
    cut: Option<ConnectionId>,
    /// Number of the instrument's next message.
    seq: u32,
}

impl<F: FrameSource, C: FeedCodec + Send> FeedStage<F, C> {
    /// The stage over `source`, whose frames name `connections` by index. The report goes to `done` when the
    /// stage is dropped, whatever ended it.
    pub fn new(
        source: F,
        connections: Vec<Connection<C>>,
        instruments: &InstrumentTable,
        config: FeedConfig,
        log: StageLog,
        clock: StampClock,
        done: SyncSender<FeedReport>,
    ) -> Self {
        let resends_trades =
            |venue| connections.iter().any(|one| one.venue == venue && one.codec.resends_trades());
        let stream = |instrument: &Instrument| Stream {
            sync: Sync::new(config.resync_buffer_bytes),
            arbiter: Arbiter::new(resends_trades(instrument.venue_id)),
            renew_ns: config.renew_ns,
            renewed_ns: Nanos(0),
            cut: None,
            seq: 0,
        };
        let streams = instruments.iter().map(stream).collect();
        let report =
            FeedReport { first_errors: Vec::with_capacity(FIRST_ERRORS_MAX), ..FeedReport::default() };
        Self {
            source,
            connections,
            decoded: Box::default(),
            streams,
            config,
            watch: Watch::default(),
            merger: Merger::new(config.renew_ns.0 > 0),
            last_ns: Nanos::default(),
            looked_ns: Nanos::default(),
            log,
            clock,
            stopping: false,
            rest: None,
            frame_crc32c: 0,
            mark_every: 0,
            mark: None,
            report,
            counters: None,
            done,
        }
    }

    /// Sends [`Kind::Mark`] behind every frame whose number on its connection is a multiple of `every`: for taps
    /// that count frames, those included that lead to no message. 0: no marks.
    pub fn mark_every(&mut self, every: u32) {
        self.mark_every = every;
    }

    /// The stage's journal lane.
    pub fn log_mut(&mut self) -> &mut StageLog {
        &mut self.log
    }

    /// Watches what was subscribed to: a silent stream's book is not trusted, and its connection is opened anew.
    /// The first copy of each message counts: a pair of connections, or a session that moves to a new one, brings two.
    /// A subscription to snapshots is ours to fulfil: its silence is ended by asking for one.
    #[must_use]
    pub fn watching(mut self, mut subscriptions: Vec<Subscription>) -> Self {
        for one in &subscriptions {
            if let Some(stream) = self.streams.get_mut(one.instrument.index()) {
                stream.arbiter.go_live();
                if one.event == Event::Snapshot {
                    stream.renew_ns = one.silence_ns;
                }
            }
        }
        self.merger = Merger::new(self.streams.iter().any(|stream| stream.renew_ns.0 > 0));
        subscriptions.retain(|one| one.event != Event::Snapshot);
        self.watch = Watch::new(subscriptions);
        self
    }

    /// Publishes the stage's numbers. Err: the counters are full, or have them already.
    pub fn counting(mut self, counters: &mut Counters) -> Result<Self, CountersError> {
        self.counters = Some(FeedCounters::register(counters)?);
        Ok(self)
    }
}

/// The stage's numbers in the counters file.
struct FeedCounters {
    frames: Counter,
    decode_errors: Counter,
    general_decoder: Counter,
    clock_steps: Counter,
    timers: Counter,
    lost: Counter,
    copies: Counter,
    breaks: Counter,
    renewals: Counter,
}

impl FeedCounters {
    fn register(counters: &mut Counters) -> Result<Self, CountersError> {
        let mut register = |name, help| counters.register("feed", &Desc::counter(name, Unit::Count, help));
        Ok(Self {
            frames: register("frames", "Frames taken")?,
            decode_errors: register("decode_errors", "Frames that could not be used")?,
            general_decoder: register("general_decoder", "Frames that no scanner knew")?,
            clock_steps: register("clock_steps", "Receive times that stepped back, or forward over an hour")?,
            timers: register("timers", "Timer messages sent")?,
            lost: register("lost", "Connections lost, and streams found silent")?,
            copies: register(
                "copies",
                "Messages that were had before: from another connection, or trades of an earlier subscription",
            )?,
            breaks: register(
                "breaks",
                "Times that a book lost its stream: a gap, a lost connection, silence",
            )?,
            renewals: register("renewals", "Books that were renewed from a later snapshot")?,
        })
    }

    fn set(&mut self, report: &FeedReport, streams: &[Stream]) {
        self.frames.set(report.frames);
        self.decode_errors.set(report.decode_errors);
        self.general_decoder.set(report.general_decoder);
        self.clock_steps.set(report.clock_steps);
        self.timers.set(report.timers);
        self.lost.set(report.lost);
        let sum = |count: fn(&Stream) -> u64| streams.iter().map(count).sum();
        self.copies.set(sum(|stream| stream.arbiter.copies()));
        self.breaks.set(sum(|stream| stream.sync.counts().gaps + stream.sync.counts().cuts));
        self.renewals.set(sum(|stream| stream.sync.counts().renewals));
    }
}

/// Between two looks for silent streams and aged books.
const LOOK_AFTER_NS: Nanos = Nanos(50_000_000);

/// Frames between two publications of the counters.
const PUBLISH_EVERY: u64 = 64;

impl<F: FrameSource, C: FeedCodec + Send> Source for FeedStage<F, C> {
    fn step<S: Sink>(&mut self, out: &mut S) -> Step {
        let mut parts = Parts {
            connections: &mut self.connections,
            decoded: &mut self.decoded,
            streams: &mut self.streams,
            watch: &mut self.watch,
            merger: &mut self.merger,
            log: &mut self.log,
            report: &mut self.report,
            rest: &mut self.rest,
            frame_crc32c: &mut self.frame_crc32c,
        };
        // What the last frame still has to say, a message a step: a step never sends more than one.
        if parts.rest.is_some() {
            parts.go_on(&mut Stamping { out, clock: &self.clock, lap: 0 });
            return Step::Worked;
        }
        if let Some(head) = self.mark.take() {
            self.report.refused += u64::from(!out.send(Message { head: &head, body: &[] }));
            return Step::Worked;
        }
        if self.stopping {
            return end(out);
        }
        if parts.cut_next(self.last_ns, out) {
            return Step::Worked;
        }
        let frame = match self.source.poll() {
            SourcePoll::Ready(frame) => frame,
            SourcePoll::Timer(at) => {
                self.source.consume();
                self.last_ns = at;
                parts.time_passed(at, out);
                parts.look_after(at, &mut self.looked_ns, &mut self.source);
                return Step::Worked;
            }
            SourcePoll::NotYet => return Step::Idle,
            SourcePoll::Time(now) => {
                let next_ns = self.last_ns.plus(self.config.timer_ns);
                if self.config.timer_ns.0 == 0 || now < next_ns {
                    return Step::Idle;
                }
                // A thread that was held up has missed timers that nobody waits for any more.
                self.last_ns =
                    if self.last_ns.0 == 0 { now } else { next_ns.max(now.since(self.config.timer_ns)) };
                parts.time_passed(self.last_ns, out);
                parts.look_after(self.last_ns, &mut self.looked_ns, &mut self.source);
                return Step::Worked;
            }
            SourcePoll::Connection(connection, is_open, now) => {
                self.source.consume();
                self.last_ns = self.last_ns.max(now);
                parts.connection(connection, is_open, self.last_ns);
                return Step::Worked;
            }
            SourcePoll::End => {
                self.stopping = true;
                return end(out);
            }
        };
        // Silence first: the frame waits until every timer that was due before it has been an input of its own.
        // An hour or more is no silence of the market but a pause of the recording (`RecvClock`): one timer at its
        // end stands for all, where a wrong line that leaps centuries would make more than a run can ever send.
        let next_ns = self.last_ns.plus(self.config.timer_ns);
        let paused = frame.recv_ns.since(self.last_ns) > Nanos::HOUR;
        let timer_ns = if paused { next_ns.max(frame.recv_ns.since(self.config.timer_ns)) } else { next_ns };
        if self.config.timer_ns.0 > 0 && self.last_ns.0 > 0 && timer_ns < frame.recv_ns {
            self.last_ns = timer_ns;
            parts.time_passed(timer_ns, out);
            parts.look_after(timer_ns, &mut self.looked_ns, &mut self.source);
            return Step::Worked;
        }
        self.last_ns = frame.recv_ns;
        if self.mark_every > 0 && frame.line.is_multiple_of(self.mark_every) {
            let Frame { connection, line, recv_ns, .. } = frame;
            self.mark = Some(Head { connection, line, recv_ns, ..Head::new(Kind::Mark) });
        }
        // What was due earlier has waited since then: its latency begins there.
        let received = self.clock.before(self.clock.now(), frame.behind_ns);
        let unsynced = parts.take(&frame, received, &mut Stamping { out, clock: &self.clock, lap: 0 });
        self.source.consume();
        if let Some(instrument) = unsynced {
            self.source.want_snapshot(instrument);
        }
        parts.look_after(self.last_ns, &mut self.looked_ns, &mut self.source);
        if self.report.frames.is_multiple_of(PUBLISH_EVERY)
            && let Some(counters) = &mut self.counters
        {
            counters.set(&self.report, &self.streams);
        }
        Step::Worked
    }

    #[inline]
    fn has_room(&mut self) -> bool {
        self.log.has_room()
    }

    fn stop_reading(&mut self) {
        self.stopping = true;
    }
}

impl<F, C: FeedCodec> Drop for FeedStage<F, C> {
    fn drop(&mut self) {
        let mut report = std::mem::take(&mut self.report);
        report.general_decoder =
            self.connections.iter().map(|connection| connection.codec.general_count()).sum();
        report.copies = self.streams.iter().map(|stream| stream.arbiter.copies()).sum();
        if let Some(counters) = &mut self.counters {
            counters.set(&report, &self.streams);
        }
        report.sync = self.streams.iter().map(|stream| stream.sync.counts()).collect();
        // The receiver is gone only when nobody wants the report.
        let _ = self.done.send(report);
    }
}

fn end<S: Sink>(out: &mut S) -> Step {
    out.send(Message { head: &Head::new(Kind::End), body: &[] });
    Step::Ended
}

/// The stage without its source, whose frame is in hand.
struct Parts<'a, C> {
    connections: &'a mut [Connection<C>],
    decoded: &'a mut Decoded,
    streams: &'a mut [Stream],
    watch: &'a mut Watch,
    merger: &'a mut Merger,
    log: &'a mut StageLog,
    report: &'a mut FeedReport,
    rest: &'a mut Option<Rest>,
    frame_crc32c: &'a mut u32,
}

/// What a frame still has to say after its first message.
#[derive(Clone, Copy, Debug)]
enum Rest {
    /// Updates kept while the snapshot was awaited, on the connection and for the instrument of `head`.
    Updates { head: Head },
    /// The trades of the frame from this one on.
    Trades { head: Head, next: usize },
}

impl<C: FeedCodec> Parts<'_, C> {
    fn time_passed<S: Sink>(&mut self, at: Nanos, out: &mut S) {
        let mut head = Head { recv_ns: at, ..Head::new(Kind::Timer) };
        let Some(cause) = self.log.record(RecordKind::Timer, &head, &()) else { return };
        head.cause = cause;
        self.report.timers += 1;
        self.report.refused += u64::from(!out.send(Message { head: &head, body: &[] }));
    }

    /// Time is `now`: finds silent streams, and books that are to be renewed.
    #[inline]
    fn look_after(&mut self, now: Nanos, looked_ns: &mut Nanos, source: &mut impl FrameSource) {
        let is_due = now.since(*looked_ns) >= LOOK_AFTER_NS;
        if is_due && (self.merger.is_needed() || !self.watch.is_empty()) {
            *looked_ns = now;
            self.look_round(now, source);
        }
    }

    fn look_round(&mut self, now: Nanos, source: &mut impl FrameSource) {
        while let Some(silent) = self.watch.next_silent(now) {
            self.report.lost += 1;
            source.reopen(silent.connection);
            self.leave(silent.connection, silent.instrument, silent.event);
        }
        for (instrument, stream) in (0..).map(InstrumentId).zip(&mut *self.streams) {
            let is_aged = stream.renew_ns.0 > 0 && now.since(stream.renewed_ns) > stream.renew_ns;
            if is_aged && stream.sync.is_proven() {
                stream.renewed_ns = now;
                stream.sync.renew();
                source.want_renewal(instrument);
            }
        }
    }

    /// A connection was opened or lost: an input of its own in the journal.
    #[cold]
    fn connection(&mut self, connection: ConnectionId, is_open: bool, now: Nanos) {
        let head = Head { connection, recv_ns: now, ..Head::new(Kind::Stale) };
        let body = ConnectionChange { connection: connection.0, is_open: u16::from(is_open), reserved: 0 };
        self.log.record(RecordKind::Connection, &head, &body);
        if is_open {
            return self.watch.opened(connection, now);
        }
        self.report.lost += 1;
        self.watch.lost(connection);
        for place in 0.. {
            let Some(one) = self.watch.subscription(connection, place) else { break };
            self.leave(connection, one.instrument, one.event);
        }
    }

    /// A connection brings an instrument's event no more. Unless another one does, its ids are forgotten, and a book
    /// without its updates is cut. So is one that waits for a snapshot and loses its tickers, whose last would outrank
    /// every id of a venue that counts from the beginning again.
    fn leave(&mut self, connection: ConnectionId, instrument: InstrumentId, event: Event) {
        if self.watch.is_carried(instrument, event, connection) {
            return;
        }
        let Some(stream) = self.streams.get_mut(instrument.index()) else { return };
        stream.arbiter.forget(event);
        if event == Event::Delta || (event == Event::Ticker && !stream.sync.is_live()) {
            stream.cut = Some(connection);
        }
    }

    /// Says of one book that its stream is gone. False: of none.
    #[inline]
    fn cut_next<S: Sink>(&mut self, now: Nanos, out: &mut S) -> bool {
        if self.watch.is_empty() {
            return false;
        }
        for (instrument, stream) in (0..).map(InstrumentId).zip(&mut *self.streams) {
            let Some(connection) = stream.cut.take() else { continue };
            let Some(Connection { codec, venue }) = self.connections.get(connection.index()) else {
                continue;
            };
            let head = Head { instrument, connection, venue: *venue, recv_ns: now, ..Head::new(Kind::Stale) };
            let mut emitter = Emitter { out, codec, log: self.log, seq: &mut stream.seq, refused: 0 };
            stream.sync.cut(&head, &mut emitter);
            self.report.refused += emitter.refused;
            return true;
        }
        false
    }

    /// Journals a frame, decodes it, and sends on what it says. Returns the instrument whose book waits for a
    /// snapshot after it.
    #[inline]
    fn take<S: Sink>(&mut self, frame: &Frame<'_>, received: Stamp, out: &mut S) -> Option<InstrumentId> {
        self.report.frames += 1;
        self.report.clock_steps += u64::from(frame.clock_fault);
        let mut head = Head {
            line: frame.line,
            connection: frame.connection,
            recv_ns: frame.recv_ns,
            received,
            flags: FIRST_OF_FRAME,
            ..Head::new(Kind::Delta)
        };
        let clockless = u16::from(frame.bytes.is_err());
        let before_crc32c = *self.frame_crc32c;
        let frame_head =
            FrameHead { line: frame.line, connection: frame.connection.0, clockless, before_crc32c };
        let prefix: [u8; size_of::<FrameHead>()] = zerocopy::transmute!(frame_head);
        let bytes = frame.bytes.unwrap_or_default();
        let cause = self.log.bytes(RecordKind::Frame, &head, prefix, bytes)?;
        *self.frame_crc32c = self.log.last_crc32c();
        head.cause = cause;
        let connection = self.connections.get_mut(head.connection.index())?;
        head.venue = connection.venue;
        let event = match frame.bytes.and_then(|bytes| connection.codec.decode(bytes, self.decoded)) {
            Ok(event) => event,
            Err(error) => {
                self.refuse(&head, error);
                return None;
            }
        };
        self.report.events[event as usize] += 1;
        head.instrument = self.decoded.instrument;
        self.watch.heard(head.connection, head.instrument, event, head.recv_ns);
        let stream = self.streams.get_mut(head.instrument.index())?;
        let codec = &connection.codec;
        let mut emitter = Emitter { out, codec, log: self.log, seq: &mut stream.seq, refused: 0 };
        let mut unsynced = None;
        match event {
            Event::Delta => {
                let depth = *self.decoded.depth.depth();
                stream.sync.on_delta(&head, &depth, self.decoded.depth.body(), &mut emitter);
                unsynced = (!stream.sync.is_live()).then_some(head.instrument);
            }
            Event::Snapshot => {
                let depth = *self.decoded.depth.depth();
                stream.sync.on_snapshot(&head, &depth, self.decoded.depth.body(), self.merger, &mut emitter);
                *self.rest = stream.sync.is_behind().then_some(Rest::Updates { head });
                stream.renewed_ns = head.recv_ns;
            }
            Event::Ticker => {
                if stream.arbiter.ticker(&self.decoded.ticker) {
                    emitter.emit(Kind::Ticker, &head, self.decoded.ticker.cells());
                }
            }
            Event::Trades => {
                if let Some(trade) = self.decoded.trades.first()
                    && stream.arbiter.trade(trade)
                {
                    emitter.emit(Kind::Trade, &head, trade.cells());
                    head.flags &= !FIRST_OF_FRAME;
                }
                let more = self.decoded.trades.len() > 1;
                *self.rest = more.then_some(Rest::Trades { head, next: 1 });
            }
            Event::MarkPrice => {
                if stream.arbiter.mark_price(&self.decoded.mark_price) {
                    emitter.emit(Kind::MarkPrice, &head, self.decoded.mark_price.cells());
                }
            }
            Event::Kline => emitter.emit(Kind::Kline, &head, self.decoded.kline.cells()),
            Event::Other => {}
        }
        self.report.refused += emitter.refused;
        unsynced
    }

    /// Sends the next message of the last frame.
    fn go_on<S: Sink>(&mut self, out: &mut S) {
        let Some(rest) = self.rest.take() else { return };
        let (Rest::Updates { mut head } | Rest::Trades { mut head, .. }) = rest;
        let Some(connection) = self.connections.get_mut(head.connection.index()) else { return };
        let Some(stream) = self.streams.get_mut(head.instrument.index()) else { return };
        let codec = &connection.codec;
        let mut emitter = Emitter { out, codec, log: self.log, seq: &mut stream.seq, refused: 0 };
        match rest {
            Rest::Updates { .. } => {
                stream.sync.catch_up(&mut emitter);
                *self.rest = stream.sync.is_behind().then_some(rest);
            }
            Rest::Trades { next, .. } => {
                if let Some(trade) = self.decoded.trades.get(next)
                    && stream.arbiter.trade(trade)
                {
                    emitter.emit(Kind::Trade, &head, trade.cells());
                    head.flags &= !FIRST_OF_FRAME;
                }
                let more = next + 1 < self.decoded.trades.len();
                *self.rest = more.then_some(Rest::Trades { head, next: next + 1 });
            }
        }
        self.report.refused += emitter.refused;
    }

    /// Counts the frame, keeps the first few for the report, and says in the journal what was wrong with it.
    #[cold]
    fn refuse(&mut self, head: &Head, error: DecodeError) {
        self.report.decode_errors += 1;
        if self.report.first_errors.len() < FIRST_ERRORS_MAX {
            self.report.first_errors.push((head.connection, head.line, error));
        }
        let mut text = [0; DecodeError::TEXT_MAX];
        let unused = {
            let mut rest = &mut text[..];
            // Cannot fail: the longest text fits.
            let _ = write!(rest, "{error}");
            rest.len()
        };
        let length = text.len() - unused;
        self.log.bytes(RecordKind::DecodeError, head, [], text.get(..length).unwrap_or_default());
    }
}

/// Numbers what an instrument's stream lets through, and sends it on.
struct Emitter<'a, S, C> {
    out: &'a mut S,
    codec: &'a C,
    log: &'a mut StageLog,
    seq: &'a mut u32,
    refused: u64,
}

impl<S: Sink, C: FeedCodec> SyncSink for Emitter<'_, S, C> {
    #[inline]
    fn emit(&mut self, kind: Kind, head: &Head, body: &[Cell]) {
        *self.seq = self.seq.wrapping_add(1);
        let head = Head { seq: *self.seq, ..head.derive(kind) };
        self.refused += u64::from(!self.out.send(Message { head: &head, body }));
    }

    #[inline]
    fn chain(&self, state: &SyncState, update: &Depth) -> Chain {
        self.codec.chain(state, update)
    }

    fn broke(&mut self, head: &Head, expected: u64, update: &Depth) {
        let body = StreamBreak { expected, first_id: update.first_id, last_id: update.last_id };
        self.log.record(RecordKind::StreamStale, head, &body);
    }

    fn resynced(&mut self, head: &Head, snapshot_id: u64, update: &Depth) {
        let body = StreamBreak { expected: snapshot_id, first_id: update.first_id, last_id: update.last_id };
        self.log.record(RecordKind::StreamResync, head, &body);
    }
}
