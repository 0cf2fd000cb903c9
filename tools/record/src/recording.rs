//! A recording on its way: the recorder in a feed stage, turned until it is told to end, and what it came to.

use crate::file::{Captures, Written};
use crate::recorder::Recorder;
use crate::{Args, say, wall_now};
use engine::ids::Lane;
use engine::instrument::InstrumentTable;
use engine::journal::Writer;
use engine::runner::{Control, Source, Step};
use engine::stage::Nowhere;
use engine::stage_log::StageLog;
use engine::time::{Nanos, StampClock};
use feeds::live::fetch::Fetchers;
use feeds::live::{LivePlan, LiveSource, Notice, Venues};
use feeds::stage::{Connection, FeedConfig, FeedReport, FeedStage};
use feeds::sync::SyncCounts;
use feeds::venues::AnyCodec;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};
use wire::net::{Backend, NetOptions};

/// What turns, and what it tells.
pub(crate) struct Recording {
    stage: FeedStage<Recorder, AnyCodec>,
    fetchers: Fetchers,
    notices: Receiver<Notice>,
    remarks: Receiver<String>,
    failures: Receiver<String>,
    report: Receiver<FeedReport>,
    written: Arc<Written>,
}

impl Recording {
    /// Everything that is needed to record the instruments of `table`. Connections begin with the first turn.
    /// Err: a venue without a decoder, a URL that is none, no thread to be had.
    pub(crate) fn start(args: &Args, venues: &Venues, table: &InstrumentTable) -> Result<Self, String> {
        let plan = venues.plan(table)?;
        let codecs = || codecs(&plan, table).ok_or_else(|| format!("{}: no decoder", args.venue));
        let ((notice, notices), (remark, remarks)) = (sync_channel(256), sync_channel(256));
        let (snapshots, fetchers) = venues.start_fetching(&plan, CLOCK_EVERY, &remark)?;
        let options = venues.options(NetOptions { backend: Backend::Mio, busy_poll_us: 0 }, wall_now().0);
        let source = LiveSource::new(&plan, &options, snapshots, notice)?;
        let written = Arc::new(Written::default());
        let captures = table
            .iter()
            .map(|one| Captures::new(&args.out, &one.venue, &one.symbol, args.every, Arc::clone(&written)));
        let (failed, failures) = sync_channel(1);
        let recorder = Recorder::new(source, &plan, codecs()?, table, captures.collect(), failed);

        // One venue is recorded, which every instrument has.
        let venue = table.iter().next().map(|one| one.venue_id).unwrap_or_default();
        let connections = codecs()?.into_iter().map(|codec| Connection { codec, venue }).collect();
        let config =
            FeedConfig { timer_ns: Nanos::from_ms(100), resync_buffer_bytes: 4 << 20, renew_ns: Nanos(0) };
        let log = StageLog::new(Writer::off(Lane::Feed), Arc::new(Control::default()), 0);
        let (done, report) = sync_channel(1);
        let stage = FeedStage::new(recorder, connections, table, config, log, StampClock::off(), done)
            .watching(plan.subscriptions);
        Ok(Self { stage, fetchers, notices, remarks, failures, report, written })
    }

    /// Records until `interrupted`, for as long as the arguments say, or until the disk refuses. Returns what it came
    /// to, as text or JSON. Err: why it ended.
    pub(crate) fn run(mut self, args: &Args, interrupted: &AtomicBool) -> Result<String, String> {
        let started = Instant::now();
        let mut shown = started;
        loop {
            match self.stage.step(&mut Nowhere) {
                Step::Worked => {}
                Step::Idle => std::thread::sleep(Duration::from_micros(100)),
                Step::Ended => return self.end(args.json),
            }
            let is_over =
                args.duration.is_some_and(|length| started.elapsed() >= Duration::from_nanos(length.0));
            if is_over || interrupted.load(Ordering::Relaxed) {
                self.stage.stop_reading();
            }
            if shown.elapsed() >= Duration::from_secs(1) {
                shown = Instant::now();
                self.say_progress(started, args.json);
            }
        }
    }

    /// What happened since the last time, and how far it is.
    fn say_progress(&self, started: Instant, json: bool) {
        self.notices.try_iter().for_each(|notice| say(&format!("{} {notice}", notice.at)));
        self.remarks.try_iter().for_each(|remark| say(&remark));
        if !json {
            say(&format!("{} s, {} lines", started.elapsed().as_secs(), self.written.lines()));
        }
    }

    /// Closes the files. Err: the disk's.
    fn end(self, json: bool) -> Result<String, String> {
        let Self { stage, fetchers, failures, report, written, .. } = self;
        drop((stage, fetchers));
        if let Ok(what) = failures.try_recv() {
            return Err(what);
        }
        let report = report.recv().map_err(|error| error.to_string())?;
        Ok(page(json, &report, &written))
    }
}

/// How often the venue is asked for its time.
const CLOCK_EVERY: Nanos = Nanos(60 * Nanos::SECOND.0);

/// A decoder for each connection. None: there is none for the venue.
fn codecs(plan: &LivePlan, table: &InstrumentTable) -> Option<Vec<AnyCodec>> {
    let carried = plan.connections.iter().map(|connection| {
        let ids = connection.instruments.iter();
        let carried: Vec<_> = ids.filter_map(|id| Some((*id, table.get(*id)?))).collect();
        AnyCodec::new(&connection.venue, &carried)
    });
    carried.collect()
}

/// What the recording is worth.
fn page(json: bool, report: &FeedReport, written: &Written) -> String {
    let (lines, files, without_start) = (written.lines(), written.files(), written.without_start());
    let sum = |count: fn(&SyncCounts) -> u64| report.sync.iter().map(count).sum::<u64>();
    let (gaps, cuts, resyncs) = (sum(|c| c.gaps), sum(|c| c.cuts), sum(|c| c.resyncs));
    let FeedReport { frames, decode_errors, lost, copies, .. } = report;
    if json {
        let page = serde_json::json!({
            "frames": frames, "lines": lines, "files": files, "without_snapshot": without_start,
            "decode_errors": decode_errors, "lost": lost, "copies": copies,
            "gaps": gaps, "cuts": cuts, "resyncs": resyncs,
        });
        return format!("{page}\n");
    }
    let mut page = format!(
        "{frames} frames, {lines} lines in {files} files, {decode_errors} decode errors\n\
         {lost} connections lost or streams silent; books: {gaps} gaps, {cuts} cut, {resyncs} resynchronised\n"
    );
    for name in without_start {
        page += &format!("{name}: no snapshot that its updates follow; alone it replays without a book\n");
    }
    page
}
