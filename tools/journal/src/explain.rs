//! `explain`: why one order was sent, and what became of it: frame, book, features, target, gate, order, answers and
//! fills.
//!
//! Causes lead from a request to its target and from there to the input; everything that the gateway wrote of the
//! order follows. Book and features are rebuilt from the frames.

use std::collections::{BTreeMap, BTreeSet};

use engine::ids::{Cause, InstrumentId, Lane};
use engine::journal::schema::{OrderBody, RecordKind, Stamps, Touch};
use engine::journal::{Entry, Reader, View};
use engine::message::Execution;
use engine::time::Nanos;
use serde_json::Value;
use zerocopy::FromBytes;

use crate::context::{Context, Facts};
use crate::output::{Out, Stop, input};
use crate::rebuilt::{Rebuilt, rebuild};
use crate::render::{self, length};

/// A record that outlives its cursor.
#[derive(Clone)]
struct Kept {
    lane: Lane,
    seq: u64,
    entry: Entry,
    body: Vec<u8>,
}

/// A record of the order's story, and the touch when it was written.
struct Step {
    record: Kept,
    touch: Option<Kept>,
}

pub(crate) fn run(
    reader: &Reader,
    context: &Context,
    typed: &str,
    levels: usize,
    as_json: bool,
    out: &mut Out,
) -> Result<(), Stop> {
    let facts = Facts::read(reader).map_err(Stop::Input)?;
    let order_seq = facts.order_seq(typed).map_err(Stop::Usage)?;
    let own = own_records(reader, order_seq)?;
    let Some(first) = own.first() else {
        return Err(Stop::Input(format!(
            "{}: no order {} in this journal",
            reader.dir().display(),
            facts.client_order_id(order_seq)
        )));
    };
    let causes = causes_of(reader, own.iter().map(|step| step.record.entry.cause))?;
    let stamps = stamps_of(reader, &causes)?;
    let targets: Vec<u64> =
        causes.values().filter(|kept| kept.is_target()).map(|target| target.seq).collect();
    // The rest of the story is worth telling without them.
    let rebuilt = rebuild(reader.dir(), &targets).unwrap_or_else(|what| {
        eprintln!("journal: book and features cannot be rebuilt: {what}");
        BTreeMap::new()
    });
    let story = tell(own_with(&own, &causes), &stamps, &rebuilt, order_seq);
    // Times count from the input that led to the order.
    let start = story.first().map_or(first.record.entry.recv_ns, |line| line.record.entry.recv_ns);
    if !as_json {
        let order = OrderBody::read_from_bytes(&first.record.body[..]).unwrap_or_default();
        let tif = engine::order::Tif::ALL.into_iter().find(|tif| *tif as u8 == order.time_in_force);
        out.line(format_args!(
            "order {} of {}, {}, {}",
            facts.client_order_id(order_seq),
            facts.strategy(engine::ids::StrategyId(order.strategy)),
            context.name(first.record.entry.instrument),
            tif.map_or("of an unknown kind", engine::order::Tif::name),
        ))?;
    }
    for line in &story {
        if as_json {
            out.line(line.json(context, start, levels))?;
        } else {
            out.line(line.text(context, &facts, start, levels))?;
        }
    }
    Ok(())
}

/// What is shown of one record.
struct Line<'a> {
    record: &'a Kept,
    touch: Option<&'a Kept>,
    stamps: Option<&'a Kept>,
    /// What the strategy saw when it stated this target.
    rebuilt: Option<&'a Rebuilt>,
    /// The other order that it is about.
    other: Option<u64>,
}

/// Each record once, a cause before what it caused.
fn own_with<'a>(own: &'a [Step], causes: &'a BTreeMap<Cause, Kept>) -> Vec<(&'a Kept, Option<&'a Kept>)> {
    let (mut story, mut told) = (Vec::new(), BTreeSet::new());
    for step in own {
        let mut chain = Vec::new();
        let mut cause = step.record.entry.cause;
        while let Some(kept) = causes.get(&cause)
            && told.insert(cause)
        {
            chain.push((kept, None));
            cause = kept.entry.cause;
        }
        story.extend(chain.into_iter().rev());
        if told.insert(step.record.cause()) {
            story.push((&step.record, step.touch.as_ref()));
        }
    }
    story
}

/// Adds the stamps of frames and orders, what led to targets, and which other orders led to this one.
fn tell<'a>(
    story: Vec<(&'a Kept, Option<&'a Kept>)>,
    stamps: &'a BTreeMap<Cause, Kept>,
    rebuilt: &'a BTreeMap<u64, Rebuilt>,
    order_seq: u64,
) -> Vec<Line<'a>> {
    let line = |(record, touch): (&'a Kept, _)| Line {
        record,
        touch,
        stamps: stamps.get(&record.cause()),
        rebuilt: Some(record.seq).filter(|_| record.is_target()).and_then(|seq| rebuilt.get(&seq)),
        other: order_of(&record.view()).filter(|seq| *seq != order_seq),
    };
    story.into_iter().map(line).collect()
}

/// The order that a record is about. None: about none.
fn order_of(view: &View<'_>) -> Option<u64> {
    match RecordKind::from_u16(view.entry.kind)? {
        RecordKind::Order | RecordKind::Amend | RecordKind::Cancel => {
            OrderBody::read_from_bytes(view.body).ok().map(|order| order.order_seq)
        }
        RecordKind::OrderUpdate | RecordKind::Fill => {
            Execution::read_from_bytes(view.body).ok().map(|told| told.order_seq)
        }
        _ => None,
    }
}

/// What the gateway wrote of the order: requests, answers, fills.
fn own_records(reader: &Reader, order_seq: u64) -> Result<Vec<Step>, Stop> {
    let (mut own, mut touches) = (Vec::<Step>::new(), BTreeMap::<InstrumentId, Kept>::new());
    let mut cursor = reader.cursor(Lane::Gateway);
    while let Some(view) = cursor.next_whole().map_err(input)? {
        if view.entry.kind == RecordKind::Touch as u16 {
            let touch = Kept::of(&view);
            // Written behind the orders of its target, of the same moment.
            let moment = (view.entry.cause, view.entry.recv_ns);
            for step in &mut own {
                if (step.record.entry.cause, step.record.entry.recv_ns) == moment {
                    step.touch = Some(touch.clone());
                }
            }
            touches.insert(view.entry.instrument, touch);
        }
        if order_of(&view) == Some(order_seq) {
            let touch = touches.get(&view.entry.instrument).cloned();
            own.push(Step { record: Kept::of(&view), touch });
        }
    }
    Ok(own)
}

/// The records that causes name, and what caused those, down to the inputs.
fn causes_of(reader: &Reader, causes: impl Iterator<Item = Cause>) -> Result<BTreeMap<Cause, Kept>, Stop> {
    let mut found = BTreeMap::new();
    let mut wanted: BTreeSet<Cause> = causes.filter(|cause| *cause != Cause::NONE).collect();
    while !wanted.is_empty() {
        let mut next = BTreeSet::new();
        for lane in reader.lanes() {
            let last =
                wanted.iter().filter(|cause| cause.lane() == Some(lane)).map(|cause| cause.seq()).max();
            let Some(last) = last else { continue };
            let mut cursor = reader.cursor(lane);
            while let Some(view) = cursor.next_whole().map_err(input)?.filter(|view| view.seq <= last) {
                let kept = Cause::new(lane, view.seq);
                if wanted.contains(&kept) {
                    next.insert(view.entry.cause);
                    found.insert(kept, Kept::of(&view));
                }
            }
        }
        // What retention has deleted stays unknown.
        wanted =
            next.into_iter().filter(|cause| *cause != Cause::NONE && !found.contains_key(cause)).collect();
    }
    Ok(found)
}

/// Stamps of frames and orders, by the record that they are of.
fn stamps_of(reader: &Reader, causes: &BTreeMap<Cause, Kept>) -> Result<BTreeMap<Cause, Kept>, Stop> {
    let mut stamps = BTreeMap::new();
    let mut cursor = reader.cursor(Lane::Gateway);
    while let Some(view) = cursor.next_whole().map_err(input)? {
        let is_wanted = match RecordKind::from_u16(view.entry.kind) {
            Some(RecordKind::Stamps) => causes.contains_key(&view.entry.cause),
            Some(RecordKind::OrderStamps) => true,
            _ => false,
        };
        if is_wanted {
            stamps.insert(view.entry.cause, Kept::of(&view));
        }
    }
    Ok(stamps)
}

impl Kept {
    fn of(view: &View<'_>) -> Self {
        Self { lane: view.lane, seq: view.seq, entry: view.entry, body: view.body.to_vec() }
    }

    fn view(&self) -> View<'_> {
        View { lane: self.lane, seq: self.seq, entry: self.entry, body: &self.body }
    }

    fn is_target(&self) -> bool {
        self.lane == Lane::Strategy && self.entry.kind == RecordKind::Target as u16
    }

    /// What names this record in those that it caused.
    fn cause(&self) -> Cause {
        Cause::new(self.lane, self.seq)
    }
}

impl Line<'_> {
    fn json(&self, context: &Context, start: Nanos, levels: usize) -> Value {
        let mut shown = render::json(&self.record.view(), context);
        shown["after_ns"] = self.record.entry.recv_ns.since(start).0.into();
        if let Some(touch) = self.touch {
            shown["touch"] = render::json(&touch.view(), context);
        }
        if let Some(stamps) = self.stamps {
            shown["stamps"] = render::json(&stamps.view(), context)["body"].take();
        }
        if let Some(rebuilt) = self.rebuilt {
            shown["book"] = rebuilt.book_json(context, self.record.entry.instrument, levels);
            shown["features"] = rebuilt.features_json();
        }
        shown
    }

    fn text(&self, context: &Context, facts: &Facts, start: Nanos, levels: usize) -> String {
        let view = self.record.view();
        let kind = RecordKind::from_u16(view.entry.kind);
        let after = format!("+{}", length(view.entry.recv_ns.since(start).0));
        let place = format!("{}:{}", view.lane.name(), view.seq);
        let mut line = String::new();
        if let Some(rebuilt) = self.rebuilt {
            let book = rebuilt.book(context, self.record.entry.instrument, levels);
            let labels = ["book"].into_iter().chain(std::iter::repeat(""));
            for (label, text) in labels.zip(&book).chain([("features", &rebuilt.features())]) {
                line += &format!("{:>44}  {label:<12} {:<15} {text}\n", "", "");
            }
        }
        line += &format!(
            "{} {after:>12}  {:<12} {place:<15} {}{}",
            view.entry.recv_ns,
            label(kind, &view),
            self.other.map_or_else(String::new, |seq| format!("order {}: ", facts.client_order_id(seq))),
            said(kind, &view, context)
        );
        line.truncate(line.trim_end().len());
        let mut under = |text: String| line += &format!("\n{:>44}  {:<28} {text}", "", "");
        if let Some(text) = self.stamps.and_then(stamped) {
            under(text);
        }
        if let Some(touch) = self.touch {
            let age = view.entry.recv_ns.since(touch.entry.recv_ns);
            under(touched(touch, age, context));
        }
        line
    }
}

fn label(kind: Option<RecordKind>, view: &View<'_>) -> String {
    match kind {
        Some(RecordKind::Order) => "approved".to_owned(),
        Some(RecordKind::OrderUpdate) => "answer".to_owned(),
        _ => render::kind_name(view.entry.kind).into_owned(),
    }
}

/// What the record says; of a frame as much of its text as is read at a glance.
fn said(kind: Option<RecordKind>, view: &View<'_>, context: &Context) -> String {
    let fields = render::body(view, context);
    let text = |name: &str| {
        let found = fields.iter().find(|(field, _)| field == name);
        found.map_or_else(String::new, |(_, value)| plain(value))
    };
    match kind {
        Some(RecordKind::Frame) => {
            let frame = text("frame");
            let shown: String = frame.chars().take(FRAME_SHOWN).collect();
            let rest = if shown.len() < frame.len() { " ..." } else { "" };
            format!("connection {}, line {}: {shown}{rest}", text("connection"), text("line"))
        }
        Some(RecordKind::Target) => {
            format!("{}: bids {}; asks {}", text("reason"), text("bids"), text("asks"))
        }
        Some(RecordKind::Order | RecordKind::Amend | RecordKind::Cancel) => {
            format!("{} {} at {}", text("side"), text("qty"), text("price"))
        }
        Some(RecordKind::GateRefused) => {
            format!("{} {} at {}: {}", text("side"), text("qty"), text("price"), text("reason"))
        }
        Some(RecordKind::OrderUpdate) => {
            format!("{}, filled {} of {} at {}", text("state"), text("filled"), text("qty"), text("price"))
        }
        Some(RecordKind::Fill) => {
            let liquidity = if text("maker") == "true" { "maker" } else { "taker" };
            format!(
                "{liquidity} {}, {}: filled {} of {}; position {}, cash {}, fees {}",
                text("fill"),
                text("state"),
                text("filled"),
                text("qty"),
                text("position"),
                text("cash"),
                text("fees"),
            )
        }
        _ => fields
            .iter()
            .map(|(name, value)| format!("{name}={}", plain(value)))
            .collect::<Vec<_>>()
            .join(" "),
    }
}

/// Characters of a frame that are shown; `--json` has all of them.
const FRAME_SHOWN: usize = 300;

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => {
            let shown: Vec<_> = values.iter().filter(|value| !value.is_null()).map(plain).collect();
            if shown.is_empty() { "none".to_owned() } else { shown.join(" ") }
        }
        Value::Null => "none".to_owned(),
        value => value.to_string(),
    }
}

/// The way of a frame or an order, each step from the frame's receipt on.
fn stamped(stamps: &Kept) -> Option<String> {
    if stamps.entry.kind == RecordKind::Stamps as u16 {
        let Stamps { decoded, booked, signalled, .. } = Stamps::read_from_bytes(&stamps.body[..]).ok()?;
        let [decoded, booked, signalled] = [decoded, booked, signalled].map(|ns| length(ns.into()));
        return Some(format!("decoded +{decoded}, booked +{booked}, features +{signalled}"));
    }
    let stamps = engine::journal::schema::OrderStamps::read_from_bytes(&stamps.body[..]).ok()?;
    let [decided, approved, encoded, sent] =
        [stamps.decided, stamps.approved, stamps.encoded, stamps.sent].map(|ns| length(ns.into()));
    Some(format!("decided +{decided}, approved +{approved}, encoded +{encoded}, sent +{sent}"))
}

fn touched(touch: &Kept, age: Nanos, context: &Context) -> String {
    let Ok(said) = Touch::read_from_bytes(&touch.body[..]) else { return "touch unreadable".to_owned() };
    let state = engine::message::book_state::name(said.state);
    if !said.has_both_sides() {
        return format!("no touch, book {state}");
    }
    let price = |price| context.price(touch.entry.instrument, price);
    let age = if age.0 == 0 { String::new() } else { format!(", as journalled {} before", length(age.0)) };
    format!("touch {} / {}, book {state}{age}", price(said.bid), price(said.ask))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_tells_each_record_once_and_causes_first() {
        let kept = |lane, seq, cause| Kept {
            lane,
            seq,
            entry: Entry { cause, ..Entry::default() },
            body: Vec::new(),
        };
        let (frame, target) = (Cause::new(Lane::Feed, 7), Cause::new(Lane::Strategy, 3));
        let causes: BTreeMap<_, _> =
            [(frame, kept(Lane::Feed, 7, Cause::NONE)), (target, kept(Lane::Strategy, 3, frame))].into();
        let step = |seq, cause| Step { record: kept(Lane::Gateway, seq, cause), touch: None };
        let own = [step(9, target), step(12, Cause::new(Lane::Gateway, 9)), step(13, target)];
        let told: Vec<_> = own_with(&own, &causes).iter().map(|(kept, _)| (kept.lane, kept.seq)).collect();
        let expected = [
            (Lane::Feed, 7),
            (Lane::Strategy, 3),
            (Lane::Gateway, 9),
            (Lane::Gateway, 12),
            (Lane::Gateway, 13),
        ];
        assert_eq!(told, expected);
    }
}
