//! One record as a line of text or of JSON: symbols, decimals and UTC instead of ids, ticks and nanoseconds.

use std::borrow::Cow;
use std::fmt::Write;

use engine::commands::CommandBody;
use engine::ids::InstrumentId;
use engine::journal::schema::{
    AccountBody, AnsweredBody, BegunBody, CarriedBody, ClockAnchor, CommandResult, ConnectionChange,
    FrameHead, FundingBody, GateRefusal, HandResult, HeardBody, OpeningBody, OrderBody, OrderStamps,
    PaidBody, ParamChange, RecordKind, Stamps, StreamBreak, Took, Touch, UnsentBody,
};
use engine::journal::{Entry, View};
use engine::message::{Execution, Quotes, book_state, i128_of};
use engine::num::{Decimal, Level, Side};
use engine::order::{OrderKind, OrderState, Tif};
use engine::risk::RiskRule;
use engine::time::Nanos;
use serde_json::{Map, Value};
use zerocopy::FromBytes;

use crate::context::Context;

/// The instrument that a record is about; None for kinds about none or several.
pub(crate) fn instrument_of(entry: &Entry) -> Option<InstrumentId> {
    use RecordKind as K;
    let is_about_one = matches!(
        RecordKind::from_u16(entry.kind)?,
        K::StreamStale
            | K::StreamResync
            | K::Target
            | K::GateRefused
            | K::Order
            | K::Amend
            | K::Cancel
            | K::OrderUpdate
            | K::Fill
            | K::Funding
            | K::Opening
            | K::Carried
            | K::Touch
    );
    is_about_one.then_some(entry.instrument)
}

/// The name of a kind; its number where a later version wrote it.
pub(crate) fn kind_name(kind: u16) -> Cow<'static, str> {
    RecordKind::from_u16(kind).map_or_else(|| Cow::Owned(format!("kind-{kind}")), |kind| kind.name().into())
}

/// One line of text.
pub(crate) fn text(view: &View<'_>, context: &Context) -> String {
    let instrument = instrument_of(&view.entry).map_or_else(|| "-".to_owned(), |id| context.name(id));
    let mut line = format!(
        "{} {}:{} {} {instrument} <-{}",
        view.entry.recv_ns,
        view.lane.name(),
        view.seq,
        kind_name(view.entry.kind),
        view.entry.cause,
    );
    for (name, value) in body(view, context) {
        // Writing to a string does not fail.
        let _ = match value {
            Value::String(text) if text.contains([' ', '"', '\n']) => write!(line, " {name}={text:?}"),
            Value::String(text) => write!(line, " {name}={text}"),
            value => write!(line, " {name}={value}"),
        };
    }
    line
}

/// One line of JSON; `body` holds what the kind says, by name.
pub(crate) fn json(view: &View<'_>, context: &Context) -> Value {
    let entry = &view.entry;
    let cause = (entry.cause.raw() != 0).then(|| entry.cause.to_string());
    serde_json::json!({
        "lane": view.lane.name(),
        "seq": view.seq,
        "kind": kind_name(entry.kind),
        "instrument": instrument_of(entry).map(|id| context.name(id)),
        "cause": cause,
        "recv": entry.recv_ns.to_string(),
        "recv_ns": entry.recv_ns.0,
        "body": body(view, context).into_iter().collect::<Map<_, _>>(),
    })
}

/// Names and values, in the order in which they are shown.
pub(crate) type Fields = Vec<(String, Value)>;

/// The body's fields; the bytes themselves where they are not what the kind says.
pub(crate) fn body(view: &View<'_>, context: &Context) -> Fields {
    RecordKind::from_u16(view.entry.kind)
        .and_then(|kind| known(kind, view, context))
        .unwrap_or_else(|| vec![raw(view.body)])
}

fn known(kind: RecordKind, view: &View<'_>, context: &Context) -> Option<Fields> {
    let (id, bytes) = (view.entry.instrument, view.body);
    Some(match kind {
        RecordKind::Config
        | RecordKind::Instruments
        | RecordKind::Build
        | RecordKind::RunEnd
        | RecordKind::OperatorCommand
        | RecordKind::Wiring
        | RecordKind::ThreadLost => fields([("text", text_of(bytes)?)]),
        RecordKind::DecodeError => fields([("reason", text_of(bytes)?)]),
        RecordKind::Timer | RecordKind::Halt => fields([]),
        RecordKind::ClockAnchor => {
            let anchor = ClockAnchor::read_from_bytes(bytes).ok()?;
            fields([("wall", Nanos(anchor.wall_ns).to_string().into()), ("ticks", anchor.ticks.into())])
        }
        RecordKind::Frame => {
            let (head, frame) = FrameHead::read_from_prefix(bytes).ok()?;
            let mut shown =
                fields([("connection", head.connection.to_string().into()), ("line", head.line.into())]);
            if head.clockless != 0 {
                shown.push(("clockless".to_owned(), true.into()));
            }
            shown.push(("bytes".to_owned(), frame.len().into()));
            shown.push(text_of(frame).map_or_else(|| raw(frame), |text| ("frame".to_owned(), text)));
            shown
        }
        RecordKind::StreamStale | RecordKind::StreamResync => {
            let ids = StreamBreak::read_from_bytes(bytes).ok()?;
            let had = if kind == RecordKind::StreamStale { "had" } else { "snapshot" };
            fields([(had, ids.expected.into()), ("first", ids.first_id.into()), ("last", ids.last_id.into())])
        }
        RecordKind::Connection => {
            let change = ConnectionChange::read_from_bytes(bytes).ok()?;
            let state = if change.is_open == 1 { "opened" } else { "lost" };
            fields([("connection", change.connection.to_string().into()), ("state", state.into())])
        }
        RecordKind::Took => {
            let took = Took::read_from_bytes(bytes).ok()?;
            fields([("input", took.input.into()), ("count", took.count.into())])
        }
        RecordKind::Target => {
            let quotes = Quotes::read(bytes)?;
            let (bids, asks): (Vec<Value>, Vec<Value>) =
                quotes.pairs().map(|(bid, ask)| (level(context, id, bid), level(context, id, ask))).unzip();
            fields([
                ("bids", bids.into()),
                ("asks", asks.into()),
                ("strategy", quotes.first.strategy.0.into()),
                ("reason", quotes.reason().name().into()),
            ])
        }
        RecordKind::Command => {
            let (command, _) = CommandBody::read_from_prefix(bytes).ok()?;
            fields([
                ("action", format!("{:?}", command.action()?).to_lowercase().into()),
                ("strategy", command.strategy.0.into()),
                ("instrument", command.instrument.0.into()),
                ("params", command.param_count.into()),
            ])
        }
        RecordKind::Param => {
            let change = ParamChange::read_from_bytes(bytes).ok()?;
            fields([
                ("strategy", change.strategy.into()),
                ("param", change.index.into()),
                ("value", change.value.into()),
            ])
        }
        RecordKind::GateRefused => {
            let body = GateRefusal::read_from_bytes(bytes).ok()?;
            let refusal = body.refusal()?;
            fields([
                ("kind", OrderKind::from_u8(body.kind)?.name().into()),
                ("side", side(body.side.into())?),
                ("price", context.price(id, body.price).into()),
                ("qty", context.qty(id, body.qty).into()),
                ("rule", refusal.rule.name().into()),
                ("limit", refusal.limit.to_string().into()),
                ("value", refusal.value.to_string().into()),
                ("reason", refusal.in_words(context.units(id)).to_string().into()),
                ("strategy", body.strategy.into()),
            ])
        }
        RecordKind::Order | RecordKind::Amend | RecordKind::Cancel => {
            let order = OrderBody::read_from_bytes(bytes).ok()?;
            fields([
                ("order", order.order_seq.into()),
                ("kind", order.terms()?.kind.name().into()),
                ("tif", tif(order.time_in_force)?),
                ("side", side(order.side.into())?),
                ("price", context.price(id, order.price).into()),
                ("trigger", trigger(context, id, &order)),
                ("qty", context.qty(id, order.qty).into()),
                ("reduce_only", (order.reduce_only == 1).into()),
                ("strategy", order.strategy.into()),
                ("account", order.account.into()),
            ])
        }
        RecordKind::OrderUpdate | RecordKind::Fill => execution(context, id, bytes)?,
        RecordKind::Opening => {
            let body = OpeningBody::read_from_bytes(bytes).ok()?;
            fields([
                ("strategy", body.strategy.into()),
                ("position", context.qty(id, body.qty).into()),
                ("cash", context.amount(id, i128_of(body.cash)).into()),
                ("fees", context.amount(id, i128_of(body.fees)).into()),
                ("fills", body.fills.into()),
            ])
        }
        RecordKind::Begun => {
            let (body, _) = BegunBody::read_from_prefix(bytes).ok()?;
            fields([
                ("engine", body.engine.into()),
                ("run", body.run.into()),
                ("last_order", body.last_seq.into()),
                ("listed", body.records.into()),
                ("answers", if body.is_outside == 1 { "venue" } else { "paper" }.into()),
            ])
        }
        RecordKind::Answered => {
            let body = AnsweredBody::read_from_bytes(bytes).ok()?;
            let mut shown = fields([
                ("order", body.order_seq.into()),
                ("run", body.run.into()),
                ("said", body.name()?.into()),
                ("at", level(context, id, body.level)),
                ("filled", (body.filled.0 >= 0).then(|| context.qty(id, body.filled)).into()),
            ]);
            if body.fee_asset > 0 {
                let fee = Decimal { mantissa: i128_of(body.fee), exponent: body.fee_exponent, digits: 0 };
                shown.push(("fee".to_owned(), fee.to_string().into()));
            }
            shown.push(("after".to_owned(), body.after.into()));
            shown
        }
        RecordKind::Unsent => fields([("request", UnsentBody::read_from_bytes(bytes).ok()?.request.into())]),
        RecordKind::Reconnected => fields([("after", HeardBody::read_from_bytes(bytes).ok()?.after.into())]),
        RecordKind::Account => {
            let (body, _) = AccountBody::read_from_prefix(bytes).ok()?;
            fields([
                ("open", body.open.into()),
                ("positions", body.positions.into()),
                ("after", body.after.into()),
            ])
        }
        RecordKind::Paid => {
            let body = PaidBody::read_from_bytes(bytes).ok()?;
            let exponent = u8::try_from(body.exponent).ok()?;
            let amount = Decimal { mantissa: i128_of(body.amount), exponent, digits: 0 };
            fields([("received", amount.to_string().into()), ("after", body.after.into())])
        }
        RecordKind::Funding => {
            let body = FundingBody::read_from_bytes(bytes).ok()?;
            let e8 =
                |mantissa: i64| Decimal { mantissa: mantissa.into(), exponent: 8, digits: 0 }.to_string();
            fields([
                ("strategy", body.strategy.into()),
                ("position", context.qty(id, body.qty).into()),
                ("mark", e8(body.mark_e8).into()),
                ("rate", e8(body.rate_e8).into()),
                ("received", context.amount(id, i128_of(body.received)).into()),
                ("cash", context.amount(id, i128_of(body.cash)).into()),
            ])
        }
        RecordKind::Carried => {
            let CarriedBody { order, amend, filled, run, .. } = CarriedBody::read_from_bytes(bytes).ok()?;
            fields([
                ("order", order.order_seq.into()),
                ("run", run.into()),
                ("kind", order.terms()?.kind.name().into()),
                ("tif", tif(order.time_in_force)?),
                ("side", side(order.side.into())?),
                ("price", context.price(id, order.price).into()),
                ("trigger", trigger(context, id, &order)),
                ("qty", context.qty(id, order.qty).into()),
                ("amend", level(context, id, amend)),
                ("filled", context.qty(id, filled).into()),
                ("strategy", order.strategy.into()),
            ])
        }
        RecordKind::CommandResult => {
            let body = CommandResult::read_from_bytes(bytes).ok()?;
            fields([
                ("result", HandResult::from_u16(body.result)?.name().into()),
                ("order", body.order_seq.into()),
                ("qty", context.qty(id, body.qty).into()),
                ("strategy", body.strategy.into()),
            ])
        }
        RecordKind::OrderStamps => {
            let stamps = OrderStamps::read_from_bytes(bytes).ok()?;
            fields([
                ("signalled_ns", stamps.signalled.into()),
                ("decided_ns", stamps.decided.into()),
                ("entered_ns", stamps.entered.into()),
                ("approved_ns", stamps.approved.into()),
                ("encoded_ns", stamps.encoded.into()),
                ("sent_ns", stamps.sent.into()),
            ])
        }
        RecordKind::Touch => {
            let touch = Touch::read_from_bytes(bytes).ok()?;
            let price = |price| touch.has_both_sides().then(|| context.price(id, price));
            fields([
                ("bid", price(touch.bid).into()),
                ("ask", price(touch.ask).into()),
                ("book", book_state::name(touch.state).into()),
                ("from", if touch.from_ticker == 1 { "ticker" } else { "book" }.into()),
            ])
        }
        RecordKind::Stamps => {
            let stamps = Stamps::read_from_bytes(bytes).ok()?;
            fields([
                ("decoded_ns", stamps.decoded.into()),
                ("booked_ns", stamps.booked.into()),
                ("signalled_ns", stamps.signalled.into()),
                ("decided_ns", stamps.decided.into()),
            ])
        }
    })
}

fn execution(context: &Context, id: InstrumentId, bytes: &[u8]) -> Option<Fields> {
    let execution = Execution::read_from_bytes(bytes).ok()?;
    let state = OrderState::ALL.into_iter().find(|state| *state as u8 == execution.state)?;
    let mut shown = fields([
        ("order", execution.order_seq.into()),
        ("side", side(execution.side.into())?),
        ("price", context.price(id, execution.order.price).into()),
        ("qty", context.qty(id, execution.order.qty).into()),
        ("state", state.name().into()),
        ("filled", context.qty(id, execution.filled).into()),
        ("fill", level(context, id, execution.fill)),
        ("position", context.qty(id, execution.position).into()),
        ("cash", context.amount(id, i128_of(execution.cash)).into()),
        ("pnl", context.amount(id, i128_of(execution.pnl)).into()),
        ("fees", context.amount(id, i128_of(execution.fees)).into()),
        ("strategy", execution.strategy.0.into()),
    ]);
    if execution.fill.qty.0 > 0 {
        shown.push(("maker".to_owned(), (execution.maker == 1).into()));
    }
    if let Some(rule) = RiskRule::ALL.into_iter().find(|rule| *rule as u16 == u16::from(execution.rule)) {
        shown.push(("rule".to_owned(), rule.name().into()));
    }
    Some(shown)
}

fn fields<const N: usize>(pairs: [(&str, Value); N]) -> Fields {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn level(context: &Context, id: InstrumentId, level: Level) -> Value {
    if level.qty.0 == 0 {
        return Value::Null;
    }
    format!("{}@{}", context.qty(id, level.qty), context.price(id, level.price)).into()
}

/// The price that triggers an order; nothing of one that was never a stop.
fn trigger(context: &Context, id: InstrumentId, order: &OrderBody) -> Value {
    if order.trigger.0 == 0 { Value::Null } else { context.price(id, order.trigger).into() }
}

fn tif(number: u8) -> Option<Value> {
    Tif::ALL.into_iter().find(|tif| *tif as u8 == number).map(|tif| tif.name().into())
}

fn side(number: u16) -> Option<Value> {
    Side::BOTH.into_iter().find(|side| *side as u16 == number).map(|side| side.name().into())
}

fn text_of(bytes: &[u8]) -> Option<Value> {
    std::str::from_utf8(bytes).ok().map(|text| text.trim_end().into())
}

fn raw(bytes: &[u8]) -> (String, Value) {
    let hex = bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    ("hex".to_owned(), hex.into())
}

/// A length of time in the unit it is read in.
pub(crate) fn length(ns: u64) -> String {
    let (unit, digits) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => ("us", 3),
        1_000_000..1_000_000_000 => ("ms", 6),
        _ => ("s", 9),
    };
    // Three digits behind the point, rounded down.
    let shown = Decimal { mantissa: ns.into(), exponent: digits, digits: 3 }.floor_to(3);
    format!("{shown} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_said_in_the_unit_they_are_read_in() {
        let said: Vec<_> = [0, 999, 1_234, 200_000, 12_345_678, 61_000_000_009].map(length).into();
        assert_eq!(said, ["0 ns", "999 ns", "1.234 us", "200.000 us", "12.345 ms", "61.000 s"]);
    }
}
