//! What Binance says of orders and accounts: what the decoders read, another JSON parser finds under the same keys; a
//! binary message says what a slow reading of its bytes says; what is refused is refused with a place in the frame.
//!
//! Input: a byte that chooses the reading (spot, futures, binary, REST), then a frame.

use crate::driver::Outcome;
use crate::truth::{count_of, outcome};
use engine::ids::{InstrumentId, VenueId};
use engine::instrument::{ContractKind, Instrument, PriceRule, Status as Trading};
use engine::num::{Decimal, Qty, Side, Step};
use gateway::venues::binance::errors::action_of;
use gateway::venues::binance::heard::{
    Answer, Execution, Listing, OrderReport, OrderUpdate, Outcome as Came, Replaced, SbeMessage, SbeOutcome,
    Status, UserEvent, algo_id, futures_balances, open_orders, positions, rest_refusal, spot_balances,
    trades,
};
use serde_json::Value as Json;
use std::sync::LazyLock;
use wire::json::{JsonError, Value};

/// Runs one input.
pub fn target(data: &[u8]) -> Outcome {
    let Some((choice, frame)) = data.split_first() else { return outcome(()) };
    let listing = if choice % 4 == 1 { &*FUTURES } else { &*SPOT };
    match choice % 4 {
        0 | 1 => text(frame, listing, choice % 4 == 0),
        2 => binary(frame, listing),
        _ => rest(frame, listing),
    }
}

fn refused(frame: &[u8], error: JsonError) -> Outcome {
    assert!(error.offset <= frame.len(), "{error}");
    assert!(!error.to_string().is_empty());
    outcome((error.kind, error.key))
}

/// A frame of the WebSocket API or of a user stream.
fn text(frame: &[u8], listing: &Listing, is_spot: bool) -> Outcome {
    let json = serde_json::from_slice::<Json>(frame);
    match Answer::read(frame) {
        Err(error) => return refused(frame, error),
        Ok(Some(answer)) => {
            if let Ok(json) = &json {
                assert_eq!(json["status"].as_u64(), Some(u64::from(answer.status)));
                assert_eq!(
                    json["result"].is_null() && json.get("result").is_none(),
                    matches!(answer.outcome, Came::Refused(_))
                );
            }
            let limits = answer.limits().map(|rows| rows.flatten().count());
            let said = match answer.outcome {
                Came::Refused(refusal) => {
                    if let Ok(json) = &json {
                        assert_eq!(json["error"]["code"].as_i64(), Some(i64::from(refusal.code)));
                    }
                    let _ = refusal.replaced(listing);
                    format!("{:?}", action_of(kind(is_spot), answer.status, &refusal))
                }
                Came::Done(result) => {
                    let _ = Replaced::read(result, listing);
                    match OrderReport::read(result, listing) {
                        Err(error) => return refused(frame, error),
                        Ok(report) => {
                            if let Ok(json) = &json {
                                report_says(&report, &json["result"], "clientOrderId", is_spot);
                            }
                            format!("{:?}", report.reported.map(|reported| reported.status))
                        }
                    }
                }
            };
            return outcome((answer.id.is_some(), limits.ok(), said));
        }
        Ok(None) => {}
    }
    match UserEvent::read(frame, listing) {
        Err(error) => refused(frame, error),
        Ok(event) => {
            if let (UserEvent::Order(update), Ok(json)) = (&event, &json) {
                let inner = json.get("event").unwrap_or(json);
                let is_report = inner["e"] == "executionReport";
                update_says(update, if is_report { inner } else { &inner["o"] }, is_report);
            }
            outcome(match event {
                UserEvent::Order(update) => {
                    format!("{:?}", (update.execution, update.reported.status, update.fill.is_some()))
                }
                UserEvent::Balances { balances, .. } => format!("balances {}", balances.flatten().count()),
                UserEvent::Account { reason, positions: rows, .. } => {
                    let held = rows.map(|rows| positions(rows, listing).map(|rows| rows.flatten().count()));
                    format!("account {reason:?} {:?}", held.and_then(Result::ok))
                }
                other => format!("{other:?}").split([' ', '(']).next().unwrap_or_default().to_owned(),
            })
        }
    }
}

/// The body of a REST answer, read as everything that it may be.
fn rest(frame: &[u8], listing: &Listing) -> Outcome {
    let value = Value::root(frame);
    let is_json = value.check().is_ok();
    // Whatever this parser takes is JSON; it takes no text that is not UTF-8, which ours does not look at.
    if serde_json::from_slice::<Json>(frame).is_ok() {
        assert!(is_json || depth(frame) > 16, "refused: {:?}", value.check());
    }
    let rows = [
        open_orders(value, listing).map(|rows| rows.flatten().count()).ok(),
        trades(value, listing).map(|rows| rows.flatten().count()).ok(),
        positions(value, listing).map(|rows| rows.flatten().count()).ok(),
        futures_balances(value).map(|rows| rows.flatten().count()).ok(),
        spot_balances(value).map(|rows| rows.flatten().count()).ok(),
    ];
    let canceled = OrderReport::read_canceled(value, listing).is_ok();
    let algo = algo_id(value).is_ok_and(|id| id.is_some());
    outcome((is_json, rows, canceled, algo, rest_refusal(frame).is_some()))
}

fn binary(frame: &[u8], listing: &Listing) -> Outcome {
    let number = |at: usize| {
        let bytes = frame.get(8 + at..).and_then(|rest| rest.first_chunk());
        bytes.copied().map(i64::from_le_bytes)
    };
    match SbeMessage::read(frame, listing) {
        Err(error) => {
            assert!(error.offset <= frame.len() + 512, "{error}");
            outcome(error.kind)
        }
        Ok(SbeMessage::Order(update)) => {
            assert_eq!(number(35), i64::try_from(update.venue_order_id).ok());
            assert_eq!(
                update.fill.map(|fill| fill.trade_id),
                number(96).and_then(|id| u64::try_from(id).ok())
            );
            // A unit is 10^-8, and most frames print with eight digits.
            if frame.get(8 + 17) == Some(&(-8_i8).cast_unsigned()) {
                assert_eq!(number(112), Some(update.reported.filled.0));
            }
            outcome((update.execution, update.reported.status, update.reason.len().min(1)))
        }
        Ok(SbeMessage::Answer(answer)) => {
            let limits = answer.limits.flatten().count();
            outcome((
                limits,
                match answer.outcome {
                    SbeOutcome::Placed(_) => "placed",
                    SbeOutcome::Canceled(_) => "canceled",
                    SbeOutcome::Subscribed => "subscribed",
                    SbeOutcome::LoggedOn => "logged on",
                    SbeOutcome::Refused { .. } => "refused",
                    SbeOutcome::Other(_) => "other",
                },
            ))
        }
        Ok(SbeMessage::Balances { balances, .. }) => outcome(("balances", balances.flatten().count())),
        Ok(SbeMessage::Transfer { change, .. }) => outcome(("transfer", change.mantissa.signum())),
        Ok(other) => outcome(format!("{other:?}").split('(').next().unwrap_or_default().to_owned()),
    }
}

fn report_says(report: &OrderReport, json: &Json, id_key: &str, is_spot: bool) {
    assert_eq!(json[id_key].as_str().map(str::as_bytes), Some(report.id.as_bytes()));
    assert_eq!(json["orderId"].as_u64(), Some(report.venue_order_id));
    let Some(reported) = report.reported else { return assert!(json.get("status").is_none()) };
    let unit = if is_spot { 8 } else { 3 };
    let filled = json["executedQty"].as_str().unwrap_or_default();
    assert_eq!(count_of(filled.as_bytes(), unit).ok(), Some(reported.filled.0));
    assert_eq!(Status::named(json["status"].as_str().unwrap_or_default().as_bytes()), Some(reported.status));
    assert_eq!(json["side"].as_str() == Some("BUY"), reported.side == Side::Buy);
}

fn update_says(update: &OrderUpdate<'_>, json: &Json, is_report: bool) {
    assert_eq!(json["i"].as_u64(), Some(update.venue_order_id));
    let text = |key: &str| json[key].as_str().unwrap_or_default();
    // `ORDER_TRADE_UPDATE` knows no second id.
    let own = if !is_report || text("C").is_empty() { text("c") } else { text("C") };
    assert_eq!(own.as_bytes(), update.id.as_bytes());
    assert_eq!(Execution::named(text("x").as_bytes()), Some(update.execution));
    let unit = if update.instrument == InstrumentId(0) { 8 } else { 3 };
    assert_eq!(count_of(text("z").as_bytes(), unit).ok(), Some(update.reported.filled.0));
    if let Some(fill) = update.fill {
        assert_eq!(json["t"].as_u64(), Some(fill.trade_id));
        assert_eq!(count_of(text("l").as_bytes(), unit).ok(), Some(fill.level.qty.0));
        assert_eq!(count_of(text("L").as_bytes(), 2).ok(), Some(fill.level.price.0));
        assert_eq!(json["m"].as_bool(), Some(fill.maker));
    }
}

/// The deepest that brackets stand, those in texts counted too: no less than the nesting.
fn depth(frame: &[u8]) -> i32 {
    let step = |(depth, most): (i32, i32), byte: &u8| {
        let depth = depth + i32::from(matches!(byte, b'[' | b'{')) - i32::from(matches!(byte, b']' | b'}'));
        (depth, most.max(depth))
    };
    frame.iter().fold((0, 0), step).1
}

const fn kind(is_spot: bool) -> ContractKind {
    if is_spot { ContractKind::Spot } else { ContractKind::Linear }
}

static SPOT: LazyLock<Listing> = LazyLock::new(|| listing(0, ContractKind::Spot, "0.00000001"));
static FUTURES: LazyLock<Listing> = LazyLock::new(|| listing(1, ContractKind::Linear, "0.001"));

fn listing(id: u32, kind: ContractKind, unit: &str) -> Listing {
    let step = |text: &str| Step::parse(text.as_bytes()).unwrap_or(Step::ONE);
    Listing::new(&[Instrument {
        id: InstrumentId(id),
        venue_id: VenueId(0),
        venue: "binance".into(),
        symbol: "BTCUSDT".into(),
        base: "BTC".into(),
        quote: "USDT".into(),
        kind,
        price_rule: PriceRule { tick: step("0.01"), significant_figures: None },
        qty_unit: step(unit),
        lot: Qty(1),
        qty_min: Qty(1),
        qty_max: Qty(1_000_000),
        notional_min: Decimal::ZERO,
        contract_size: Step::ONE,
        status: Trading::Trading,
        source: "generated".into(),
    }])
}

/// Tokens of the format.
pub const WORDS: &[&str] = &[
    "{\"id\":\"1\",\"status\":200,\"result\":{",
    "\"error\":{\"code\":-2010,\"msg\":\"",
    "\"symbol\":\"BTCUSDT\"",
    "\"orderId\":7,",
    "\"clientOrderId\":\"a1\",",
    "\"origClientOrderId\":\"a1\",",
    "\"executedQty\":\"0.1\",",
    "\"status\":\"PARTIALLY_FILLED\",",
    "\"rateLimits\":[",
    "\"e\":\"executionReport\",",
    "\"e\":\"ORDER_TRADE_UPDATE\",",
    "\"e\":\"ACCOUNT_UPDATE\",",
    "\"x\":\"TRADE\",",
    "\"X\":\"FILLED\",",
    "\"C\":\"a1\",",
    "\"t\":-1,",
    "\"event\":{",
    "\"N\":null,",
    "\"result\":null",
    "-1",
    "0.001",
    "\\u0041",
];
