//! What a live run asks of a venue by REST, from a cold thread for each venue: snapshots, first for books that wait for
//! one and then for those that are to be renewed, and the venue's time. The feed thread asks and takes by rings; it
//! neither waits nor allocates for them.

use super::plan::{ConnectionPlan, ConnectionRole};
use crate::codec::FRAME_BYTES_MAX;
use crate::venues::binance::{Product, streams};
use engine::ids::InstrumentId;
use engine::time::{Nanos, Stamp, WallClock};
use rtrb::{Consumer, Producer, RingBuffer};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;
use wire::http::{HttpClient, HttpConfig, Method, Request};
use wire::net::{Backend, Net, NetOptions, Resolver};
use wire::url::Url;

/// One venue's helper: where it asks, and how much it may.
pub struct FetchPlan {
    /// The venue.
    pub product: Product,
    /// The client's set-up: host, TLS, times.
    pub http: HttpConfig,
    /// The snapshot request of each instrument of the venue: path and weight.
    pub snapshots: BTreeMap<InstrumentId, (String, u32)>,
    /// Request weight that it may use in a minute.
    pub weight_per_minute: u32,
    /// Between two measurements of the venue's clock.
    pub clock_every: Nanos,
}

impl FetchPlan {
    /// The snapshot requests of a venue's connections. Err: a URL that is none.
    pub fn snapshots_of<'a>(
        connections: impl IntoIterator<Item = &'a ConnectionPlan>,
    ) -> Result<BTreeMap<InstrumentId, (String, u32)>, String> {
        let mut snapshots = BTreeMap::new();
        for connection in connections {
            if let ConnectionRole::Snapshots { url, weight } = &connection.role {
                let parsed = Url::parse(url).map_err(|error| format!("{url}: {error}"))?;
                for instrument in &connection.instruments {
                    snapshots.insert(*instrument, (parsed.path().to_owned(), *weight));
                }
            }
        }
        Ok(snapshots)
    }
}

/// What the helper knows of the venue's clock.
#[derive(Debug, Default)]
pub struct VenueClock {
    offset_ns: AtomicI64,
    round_trip_ns: AtomicU64,
    /// What is known is wrong, and is to be measured anew.
    is_doubted: AtomicBool,
}

impl VenueClock {
    /// The venue's time less ours, ns, and the round trip that it was measured with. None: not measured yet.
    #[must_use]
    pub fn offset(&self) -> Option<(i64, Nanos)> {
        // Acquire pairs with the Release in `set`: the offset is at least as new as the round trip.
        let round_trip = self.round_trip_ns.load(Ordering::Acquire);
        (round_trip > 0).then(|| (self.offset_ns.load(Ordering::Relaxed), Nanos(round_trip)))
    }

    /// What is known is wrong, as where the venue refuses a time stamp: it is measured at once, and nothing that was
    /// measured before is believed any more.
    pub fn doubt(&self) {
        // Alone: the helper only has to see it.
        self.is_doubted.store(true, Ordering::Relaxed);
    }

    fn is_doubted(&self) -> bool {
        self.is_doubted.load(Ordering::Relaxed)
    }

    fn set(&self, sample: ClockSample) {
        self.offset_ns.store(sample.offset_ns, Ordering::Relaxed);
        self.round_trip_ns.store(sample.round_trip_ns.max(1), Ordering::Release);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ClockSample {
    offset_ns: i64,
    round_trip_ns: u64,
}

/// The last measurements; the one with the shortest round trip is believed, since the way back may have been anything up
/// to the whole of it.
#[derive(Debug, Default)]
struct ClockFilter(VecDeque<ClockSample>);

impl ClockFilter {
    /// The venue said `venue` between `sent` and `received`. Returns what is believed now.
    fn add(&mut self, sent: Nanos, received: Nanos, venue: Nanos) -> ClockSample {
        let round_trip_ns = received.since(sent).0;
        let middle = sent.0 + round_trip_ns / 2;
        let offset_ns = i64::try_from(i128::from(venue.0) - i128::from(middle)).unwrap_or(i64::MAX);
        let sample = ClockSample { offset_ns, round_trip_ns };
        if self.0.len() == CLOCK_SAMPLES {
            self.0.pop_front();
        }
        self.0.push_back(sample);
        self.0.iter().copied().min_by_key(|sample| sample.round_trip_ns).unwrap_or(sample)
    }
}

const CLOCK_SAMPLES: usize = 8;

/// A snapshot that came, or did not.
pub(super) struct Arrived {
    pub(super) instrument: InstrumentId,
    pub(super) recv_ns: Nanos,
    pub(super) received: Stamp,
    /// The answer; None: there was none, and it may be asked for again.
    pub(super) body: Option<Vec<u8>>,
}

/// The feed thread's ends of the rings.
pub struct Fetched {
    venues: Vec<Ends>,
    /// The venue of each instrument.
    venue_of: Vec<usize>,
    /// Whether the instrument's snapshot is on its way.
    is_asked: Vec<bool>,
    waits: Waits,
    pub(super) held: Option<Arrived>,
}

/// By instrument, whether its book waits for the snapshot that was asked for, and is not only to be renewed. It says
/// what is fetched first and nothing else, so that the helper may see it late.
type Waits = Arc<[AtomicBool]>;

struct Ends {
    wanted: Producer<InstrumentId>,
    arrived: Consumer<Arrived>,
    /// Answers that were read go back, so that the feed thread frees no memory.
    spent: Producer<Vec<u8>>,
}

/// The helpers. Dropped, they end.
pub struct Fetchers {
    is_over: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
    /// What each knows of its venue's clock, in the order of the plans.
    pub clocks: Vec<Arc<VenueClock>>,
}

impl Drop for Fetchers {
    fn drop(&mut self) {
        // Relaxed: nothing else is published with it.
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Starts a helper for each plan. What goes wrong is said to `remarks`. Err: a thread could not be started.
pub fn start(
    plans: Vec<FetchPlan>,
    resolver: &Resolver,
    clock: &WallClock,
    remarks: &SyncSender<String>,
) -> io::Result<(Fetched, Fetchers)> {
    let is_over = Arc::new(AtomicBool::new(false));
    let last = plans.iter().filter_map(|plan| plan.snapshots.keys().next_back()).max();
    let instruments = last.map_or(0, |id| id.index() + 1);
    let mut fetched = Fetched {
        venues: Vec::new(),
        venue_of: vec![usize::MAX; instruments],
        is_asked: vec![false; instruments],
        waits: waits_of(instruments),
        held: None,
    };
    let mut fetchers = Fetchers { is_over: Arc::clone(&is_over), threads: Vec::new(), clocks: Vec::new() };
    for (venue, plan) in plans.into_iter().enumerate() {
        for instrument in plan.snapshots.keys() {
            if let Some(of) = fetched.venue_of.get_mut(instrument.index()) {
                *of = venue;
            }
        }
        // An instrument is asked for once until it is answered.
        let capacity = plan.snapshots.len().max(1);
        let (wanted, asked) = RingBuffer::new(capacity);
        let (answers, arrived) = RingBuffer::new(capacity);
        let (spent, returned) = RingBuffer::new(capacity + 1);
        fetched.venues.push(Ends { wanted, arrived, spent });
        let venue_clock = Arc::new(VenueClock::default());
        fetchers.clocks.push(Arc::clone(&venue_clock));
        let helper = Helper {
            client: HttpClient::new(plan.http.clone(), resolver.clone()),
            net: Net::new(NetOptions { backend: Backend::Mio, busy_poll_us: 0 }),
            clock: clock.clone(),
            venue_clock,
            filter: ClockFilter::default(),
            clock_due: Nanos(0),
            budget: Budget { left: plan.weight_per_minute, since: Nanos(0) },
            paused_until: Nanos(0),
            failures: 0,
            waits: Arc::clone(&fetched.waits),
            asked,
            answers,
            returned,
            remarks: remarks.clone(),
            plan,
        };
        let is_over = Arc::clone(&is_over);
        let thread = std::thread::Builder::new().name("fetch".into());
        fetchers.threads.push(thread.spawn(move || helper.run(&is_over))?);
    }
    Ok((fetched, fetchers))
}

impl Fetched {
    /// No venue to ask: for sources without snapshots.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            venues: Vec::new(),
            venue_of: Vec::new(),
            is_asked: Vec::new(),
            waits: waits_of(0),
            held: None,
        }
    }

    /// Asks for an instrument's snapshot, once until it is answered. `waits`: its book has none, and goes before those
    /// that are to be renewed; a renewal that was asked for becomes such a request.
    #[inline]
    pub(super) fn want(&mut self, instrument: InstrumentId, waits: bool) {
        let Some(is_asked) = self.is_asked.get_mut(instrument.index()) else { return };
        if let Some(flag) = self.waits.get(instrument.index()).filter(|_| waits || !*is_asked) {
            // Relaxed, like the load in `next_of`: the request itself goes through the ring.
            flag.store(waits, Ordering::Relaxed);
        }
        let venue = self.venue_of.get(instrument.index()).copied().unwrap_or(usize::MAX);
        if !*is_asked && let Some(ends) = self.venues.get_mut(venue) {
            *is_asked = ends.wanted.push(instrument).is_ok();
        }
    }

    /// Takes the next snapshot that came. False: none.
    #[inline]
    pub(super) fn next(&mut self) -> bool {
        for ends in &mut self.venues {
            let Ok(arrived) = ends.arrived.pop() else { continue };
            if arrived.body.is_some() {
                self.held = Some(arrived);
                return true;
            }
            if let Some(is_asked) = self.is_asked.get_mut(arrived.instrument.index()) {
                *is_asked = false;
            }
        }
        false
    }

    /// Done with the snapshot that was taken.
    pub(super) fn consume(&mut self) {
        let Some(Arrived { instrument, body, .. }) = self.held.take() else { return };
        if let Some(is_asked) = self.is_asked.get_mut(instrument.index()) {
            *is_asked = false;
        }
        let venue = self.venue_of.get(instrument.index()).copied().unwrap_or(usize::MAX);
        if let (Some(ends), Some(body)) = (self.venues.get_mut(venue), body) {
            // Full only when the helper has ended; then it does not matter who frees it.
            let _ = ends.spent.push(body);
        }
    }
}

/// Request weight that is left of the running minute.
struct Budget {
    left: u32,
    since: Nanos,
}

impl Budget {
    /// Takes `weight` out of the minute that `now` is in. False: it must wait.
    fn take(&mut self, weight: u32, per_minute: u32, now: Nanos) -> bool {
        if now.since(self.since) >= MINUTE_NS {
            *self = Self { left: per_minute, since: now };
        }
        // A single request above the budget is not starved for ever.
        if weight > self.left && self.left < per_minute {
            return false;
        }
        self.left = self.left.saturating_sub(weight);
        true
    }
}

const MINUTE_NS: Nanos = Nanos(60 * 1_000_000_000);

struct Helper {
    plan: FetchPlan,
    client: HttpClient,
    net: Net,
    clock: WallClock,
    venue_clock: Arc<VenueClock>,
    filter: ClockFilter,
    clock_due: Nanos,
    budget: Budget,
    /// The venue told us to wait, or it failed.
    paused_until: Nanos,
    failures: u32,
    waits: Waits,
    asked: Consumer<InstrumentId>,
    answers: Producer<Arrived>,
    returned: Consumer<Vec<u8>>,
    remarks: SyncSender<String>,
}

impl Helper {
    fn run(mut self, is_over: &AtomicBool) {
        let mut waiting = VecDeque::new();
        while !is_over.load(Ordering::Relaxed) {
            while let Ok(instrument) = self.asked.pop() {
                waiting.push_back(instrument);
            }
            while let Ok(spent) = self.returned.pop() {
                drop(spent);
            }
            let (now, _) = self.clock.read();
            if now >= self.paused_until {
                // Before any snapshot: until then no order is taken.
                if self.venue_clock.is_doubted() {
                    self.filter = ClockFilter::default();
                    self.ask_time(is_over);
                    continue;
                }
                if let Some((place, instrument)) = next_of(&waiting, &self.waits) {
                    let (path, weight) = self.plan.snapshots.get(&instrument).cloned().unwrap_or_default();
                    if self.budget.take(weight, self.plan.weight_per_minute, now) {
                        waiting.remove(place);
                        self.snapshot(instrument, &path, is_over);
                        continue;
                    }
                } else if now >= self.clock_due {
                    self.clock_due = now.plus(self.plan.clock_every);
                    self.ask_time(is_over);
                    continue;
                }
            }
            let clock = || self.clock.read().0;
            self.client.turn(&mut self.net, &clock, now);
            pause();
        }
        self.client.close(&mut self.net);
    }

    fn snapshot(&mut self, instrument: InstrumentId, path: &str, is_over: &AtomicBool) {
        let answer = self.get(path, is_over);
        let (recv_ns, received) = self.clock.read();
        let body = match answer {
            Ok(body) => Some(body),
            Err(what) => {
                self.say(format!("snapshot {path}: {what}"));
                None
            }
        };
        // The ring holds an answer for every instrument.
        let _ = self.answers.push(Arrived { instrument, recv_ns, received, body });
    }

    fn ask_time(&mut self, is_over: &AtomicBool) {
        let path = streams::time_path(self.plan.product);
        let sent = self.clock.read().0;
        let answer = self.get(path, is_over);
        let received = self.clock.read().0;
        match answer.map(|body| streams::server_time(&body)) {
            Ok(Some(venue)) => {
                self.venue_clock.set(self.filter.add(sent, received, venue));
                self.venue_clock.is_doubted.store(false, Ordering::Relaxed);
            }
            Ok(None) => self.say(format!("{path}: the answer holds no time")),
            Err(what) => self.say(format!("{path}: {what}")),
        }
    }

    /// Err: no answer, or one that refuses; the helper pauses as the venue asks for, or for ever longer.
    fn get(&mut self, path: &str, is_over: &AtomicBool) -> Result<Vec<u8>, String> {
        let clock = || self.clock.read().0;
        let wait = || if is_over.load(Ordering::Relaxed) { std::thread::yield_now() } else { pause() };
        let answer = self.client.call(&mut self.net, &clock, &Request::new(Method::Get, path), wait);
        let (what, wait_s) = match answer {
            Ok(response) if response.status == 200 => {
                self.failures = 0;
                return Ok(response.body.to_vec());
            }
            Ok(response) => {
                let text =
                    String::from_utf8_lossy(response.body.get(..200).unwrap_or(response.body)).into_owned();
                // 429: too fast. 418: banned for it. Both say for how long.
                let wait_s = response.number("Retry-After").filter(|_| matches!(response.status, 418 | 429));
                (format!("status {}: {text}", response.status), wait_s)
            }
            Err(error) => (error.to_string(), None),
        };
        self.failures = (self.failures + 1).min(FAILURES_MAX);
        let backoff = Nanos::from_ms(250 << self.failures.min(7));
        let pause = wait_s.map_or(backoff, |s| Nanos(s.max(1).saturating_mul(Nanos::SECOND.0)));
        self.paused_until = clock().plus(pause);
        Err(format!("{what}; next try in {} ms", pause.as_ms()))
    }

    fn say(&self, what: String) {
        // Nobody need watch.
        let _ = self.remarks.try_send(what);
    }
}

fn waits_of(instruments: usize) -> Waits {
    (0..instruments).map(|_| AtomicBool::new(false)).collect()
}

/// What is fetched next: the first whose book waits for it, else the first. With its place.
fn next_of(asked: &VecDeque<InstrumentId>, waits: &[AtomicBool]) -> Option<(usize, InstrumentId)> {
    let is_waiting = |id: &InstrumentId| {
        // Pairs with the store in `want`.
        waits.get(id.index()).is_some_and(|flag| flag.load(Ordering::Relaxed))
    };
    let place = asked.iter().position(is_waiting).unwrap_or(0);
    asked.get(place).map(|id| (place, *id))
}

const FAILURES_MAX: u32 = 30;

#[expect(clippy::disallowed_methods, reason = "a cold helper waits")]
fn pause() {
    std::thread::sleep(Duration::from_micros(200));
}

/// Why a venue was asked in vain, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskError {
    /// It was asked for what it does not have, such as a symbol that it does not list: what is configured is wrong.
    Request(String),
    /// It did not answer, or not so that it can be read.
    Answer(String),
}

impl AskError {
    /// The same, of this venue.
    pub(super) fn of(self, venue: &str) -> Self {
        match self {
            Self::Request(what) => Self::Request(format!("{venue}: {what}")),
            Self::Answer(what) => Self::Answer(format!("{venue}: {what}")),
        }
    }
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Request(what) | Self::Answer(what)) = self;
        f.write_str(what)
    }
}

impl std::error::Error for AskError {}

/// What a venue answers to a request that names a symbol it does not list.
const BAD_REQUEST: u16 = 400;

/// One request that waits for its answer, for the start of a run. Err: no answer with status 200.
pub fn get(
    http: HttpConfig,
    resolver: &Resolver,
    clock: &WallClock,
    path: &str,
) -> Result<Vec<u8>, AskError> {
    let mut net = Net::new(NetOptions { backend: Backend::Mio, busy_poll_us: 0 });
    let place = format!("{}:{}", http.endpoint.host, http.endpoint.port);
    let mut client = HttpClient::new(http, resolver.clone());
    let now = || clock.read().0;
    let answer = client.call(&mut net, &now, &Request::new(Method::Get, path), pause);
    match answer {
        Ok(response) if response.status == 200 => Ok(response.body.to_vec()),
        Ok(response) => {
            let text =
                String::from_utf8_lossy(response.body.get(..200).unwrap_or(response.body)).into_owned();
            let what = format!("{place}{path}: status {}: {text}", response.status);
            Err(if response.status == BAD_REQUEST { AskError::Request(what) } else { AskError::Answer(what) })
        }
        Err(error) => Err(AskError::Answer(error.to_string())),
    }
}

/// The client's set-up for a venue's REST endpoint.
#[must_use]
pub fn http_config(endpoint: wire::net::Endpoint) -> HttpConfig {
    HttpConfig {
        endpoint,
        connections_max: 2,
        spare_count: 1,
        response_bytes_max: 16 * FRAME_BYTES_MAX,
        answer_ns_max: Nanos::from_ms(10_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_round_trip_tells_the_venues_time_until_it_is_old() {
        let mut filter = ClockFilter::default();
        let ms = Nanos::from_ms;
        assert_eq!(filter.add(ms(1_000), ms(1_010), ms(2_005)).offset_ns, 1_000_000_000);
        let believed = filter.add(ms(3_000), ms(3_100), ms(4_090));
        assert_eq!((believed.offset_ns, believed.round_trip_ns), (1_000_000_000, 10_000_000));
        assert_eq!(filter.add(ms(5_000), ms(5_002), ms(4_001)).offset_ns, -1_000_000_000);
        for _ in 0..CLOCK_SAMPLES {
            filter.add(ms(6_000), ms(6_004), ms(7_002));
        }
        assert_eq!(filter.add(ms(6_000), ms(6_004), ms(7_002)).offset_ns, 1_000_000_000);
    }

    #[test]
    fn a_minute_gives_so_much_weight_and_no_more() {
        let mut budget = Budget { left: 0, since: Nanos(0) };
        let at = |s: u64| Nanos((100 + s) * Nanos::SECOND.0);
        assert!(
            budget.take(250, 600, at(0)) && budget.take(250, 600, at(1)) && !budget.take(250, 600, at(59))
        );
        assert!(budget.take(250, 600, at(60)));
        let mut small = Budget { left: 0, since: Nanos(0) };
        assert!(
            small.take(250, 100, at(0)) && !small.take(250, 100, at(1)),
            "once a minute, whatever it weighs"
        );
    }

    fn fetched(ends: Ends, instruments: usize) -> Fetched {
        Fetched {
            venues: vec![ends],
            venue_of: vec![0; instruments],
            is_asked: vec![false; instruments],
            waits: waits_of(instruments),
            held: None,
        }
    }

    #[test]
    fn books_that_wait_go_before_renewals_and_one_that_begins_to_wait_moves_up() {
        let (wanted, mut asked) = RingBuffer::new(4);
        let (_answers, arrived) = RingBuffer::new(4);
        let (spent, _returned) = RingBuffer::new(5);
        let mut fetched = fetched(Ends { wanted, arrived, spent }, 4);
        for (id, waits) in [(0, false), (1, false), (2, true), (3, true)] {
            fetched.want(InstrumentId(id), waits);
        }
        let queue: VecDeque<InstrumentId> = std::iter::from_fn(|| asked.pop().ok()).collect();
        assert_eq!(next_of(&queue, &fetched.waits), Some((2, InstrumentId(2))), "in the order asked");
        fetched.want(InstrumentId(2), false);
        fetched.want(InstrumentId(1), true);
        assert!(asked.pop().is_err(), "each is on its way already");
        let mut order = Vec::new();
        let mut queue = queue;
        while let Some((place, id)) = next_of(&queue, &fetched.waits) {
            queue.remove(place);
            order.push(id.0);
        }
        assert_eq!(order, [1, 2, 3, 0]);
    }

    #[test]
    fn an_instrument_is_asked_for_once_until_it_is_answered() {
        let (wanted, mut asked) = RingBuffer::new(1);
        let (mut answers, arrived) = RingBuffer::new(1);
        let (spent, mut returned) = RingBuffer::new(2);
        let ends = Ends { wanted, arrived, spent };
        let mut fetched = fetched(ends, 1);
        let id = InstrumentId(0);
        fetched.want(id, true);
        fetched.want(id, true);
        fetched.want(InstrumentId(7), true);
        assert!(asked.pop().is_ok() && asked.pop().is_err());
        let answer = |body| Arrived { instrument: id, recv_ns: Nanos(1), received: Stamp(1), body };
        answers.push(answer(None)).unwrap_or_default();
        assert!(!fetched.next(), "a failure is no frame");
        fetched.want(id, true);
        assert!(asked.pop().is_ok());
        answers.push(answer(Some(vec![1]))).unwrap_or_default();
        assert!(fetched.next());
        fetched.consume();
        assert_eq!(returned.pop().ok(), Some(vec![1]), "its memory goes back");
    }
}
