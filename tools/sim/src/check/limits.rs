//! No limit was exceeded: computed again from what was sent and what traded, with the limits as they were written down.

use super::{Evidence, Violation, shown};
use crate::link::{SentKind, VenueEvent};
use engine::instrument::Instrument;
use engine::journal::schema::RecordKind;
use engine::num::{Decimal, Level, Side};
use engine::order::Order;
use gateway::client_order_id::ClientOrderId;
use gateway::counterparty::{AnswerEvent, Standing, VenueState};
use std::collections::{HashMap, VecDeque};

/// An order at the venue or on its way: the most that can still trade of it.
struct Open {
    order: Order,
    level_max: Level,
    filled: i64,
    /// The venue has said something of it.
    is_known: bool,
}

/// Position and everything open on one side filled, order by order as the venue knows it. An order that the engine
/// cannot know to have ended counts for the engine, so what the venue counts is never more.
pub(super) fn kept(evidence: &Evidence<'_>, found: &mut Vec<Violation>) {
    let mut open: HashMap<ClientOrderId, Open> = HashMap::new();
    let mut positions: HashMap<(u32, u16), i64> = HashMap::new();
    let mut fail = |what: String| found.push(Violation { check: "limits", what });
    let limits = evidence.config.limits.config();
    let mut placing = 0;
    for event in evidence.events {
        match *event {
            VenueEvent::Sent { kind: kind @ (SentKind::Place | SentKind::Amend), life, id, order, level } => {
                if life > placing {
                    // What was lost on its way before a restart, and by the journal too, never comes any more.
                    open.retain(|_, one| one.is_known);
                    placing = life;
                }
                let Some(instrument) = evidence.table.get(order.instrument) else { continue };
                let value = value(instrument, level.price.0, level.qty.0 - order.filled.0);
                if value > in_e12(limits.order_notional_max) {
                    fail(format!(
                        "{id:?} of {} is larger than an order may be",
                        shown(evidence, order.instrument, level.qty.0)
                    ));
                }
                // An amendment may come too late; the order that has ended stays ended.
                if kind == SentKind::Amend && !open.contains_key(&id) {
                    continue;
                }
                let entry = open.entry(id).or_insert(Open {
                    order,
                    level_max: level,
                    filled: order.filled.0,
                    is_known: false,
                });
                entry.level_max.qty = entry.level_max.qty.max(level.qty);
                let mine = |one: &&Open| {
                    (one.order.instrument, one.order.strategy) == (order.instrument, order.strategy)
                };
                let of_side = open.values().filter(mine).filter(|one| one.order.side == order.side);
                let can_trade: i64 = of_side.map(|one| one.level_max.qty.0 - one.filled).sum();
                let held = positions.get(&(order.instrument.0, order.strategy.0)).copied().unwrap_or(0);
                let worst = if order.side == Side::Buy { held + can_trade } else { can_trade - held };
                if kind == SentKind::Place
                    && value_of(instrument, level.price.0, worst) > in_e12(limits.position_notional_max)
                {
                    fail(format!(
                        "{id:?}: with it {} could be held, more than {}",
                        shown(evidence, order.instrument, worst),
                        limits.position_notional_max
                    ));
                }
                if open.values().filter(mine).count() > limits.open_orders_max as usize {
                    fail(format!("{id:?} is one open order too many"));
                }
            }
            VenueEvent::Sent { .. } => {}
            VenueEvent::Said(answer) => {
                let Some(known) = open.get_mut(&answer.id) else { continue };
                known.is_known = true;
                if let (AnswerEvent::Filled { .. }, Some(filled)) = (answer.event, answer.filled)
                    && filled.0 > known.filled
                {
                    let signed = known.order.side.signed(engine::num::Qty(filled.0 - known.filled)).0;
                    let of = (known.order.instrument.0, known.order.strategy.0);
                    *positions.entry(of).or_default() += signed;
                    known.filled = filled.0;
                }
                let has_ended = match answer.event {
                    AnswerEvent::Canceled | AnswerEvent::Expired | AnswerEvent::Rejected => true,
                    AnswerEvent::Filled { .. } => known.filled >= known.level_max.qty.0,
                    AnswerEvent::Amended(level) => {
                        known.level_max = level;
                        known.filled >= level.qty.0
                    }
                    AnswerEvent::Standing(Standing::Exists { state, .. }) => {
                        !matches!(state, VenueState::Open(_))
                    }
                    // Of one that never arrived; the engine is told only when it no longer can.
                    AnswerEvent::Standing(Standing::Absent) => true,
                    _ => false,
                };
                if has_ended {
                    open.remove(&answer.id);
                }
            }
        }
    }
    rates(evidence, &mut fail);
}

/// Orders and amendments that left in any second of a life.
fn rates(evidence: &Evidence<'_>, fail: &mut impl FnMut(String)) {
    let max = evidence.config.limits.config().orders_per_s_max as usize;
    for (life, journal) in evidence.journals.iter().enumerate() {
        let mut sent = VecDeque::new();
        for record in &journal.gateway {
            if !matches!(record.kind, RecordKind::Order | RecordKind::Amend) {
                continue;
            }
            sent.push_back(record.at_ns);
            while sent.front().is_some_and(|first| record.at_ns - first >= 1_000_000_000) {
                sent.pop_front();
            }
            if sent.len() > max {
                return fail(format!("life {}: {} orders in a second", life + 1, sent.len()));
            }
        }
    }
}

fn value_of(instrument: &Instrument, price: i64, qty: i64) -> i128 {
    if qty > 0 { value(instrument, price, qty) } else { 0 }
}

/// Price times quantity of a linear contract, in 10^-12.
fn value(instrument: &Instrument, price: i64, qty: i64) -> i128 {
    let tick = instrument.price_rule.tick.decimal(i128::from(price));
    let unit = instrument.qty_unit.decimal(i128::from(qty));
    in_e12(Decimal {
        mantissa: tick.mantissa * unit.mantissa,
        exponent: tick.exponent + unit.exponent,
        digits: 0,
    })
}

fn in_e12(value: Decimal) -> i128 {
    value.mantissa * 10_i128.pow(12_u32.saturating_sub(u32::from(value.exponent)))
}
