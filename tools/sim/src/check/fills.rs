//! Every fill has a target or a command, an approval, its order and the venue's acknowledgement before it, and is booked exactly
//! once: positions, cash and fees are what the venue's own fills come to.

use super::{Evidence, Journalled, Record, Violation, shown};
use crate::link::VenueEvent;
use engine::ids::{InstrumentId, Lane};
use engine::journal::schema::{CarriedBody, OrderBody, RecordKind};
use engine::message::Execution;
use engine::num::Side;
use gateway::client_order_id::ClientOrderId;
use gateway::counterparty::AnswerEvent;
use std::collections::{HashMap, HashSet};

pub(super) fn caused(evidence: &Evidence<'_>, found: &mut Vec<Violation>) {
    for (life, journal) in evidence.journals.iter().enumerate() {
        for (place, record) in journal.gateway.iter().enumerate() {
            if record.kind != RecordKind::Fill {
                continue;
            }
            if let Err(why) = chain(journal, place, record) {
                let what = format!("life {}: the fill of gateway record {} {why}", life + 1, record.seq);
                found.push(Violation { check: "causes", what });
            }
        }
    }
    let mut acknowledged = HashSet::new();
    for event in evidence.events {
        let VenueEvent::Said(answer) = event else { continue };
        match answer.event {
            AnswerEvent::Accepted => _ = acknowledged.insert(answer.id),
            AnswerEvent::Filled { .. } if !acknowledged.contains(&answer.id) => {
                let what = format!("{:?} filled and was never acknowledged", answer.id);
                found.push(Violation { check: "causes", what });
            }
            _ => {}
        }
    }
}

/// From a fill back to the target, or to the command of whoever trades by hand.
fn chain(journal: &Journalled, place: usize, fill: &Record) -> Result<(), &'static str> {
    let told = fill.body_as::<Execution>().ok_or("cannot be read")?;
    let order = journal
        .gateway
        .iter()
        .take(place)
        .find(|record| fill.cause.lane() == Some(Lane::Gateway) && record.seq == fill.cause.seq())
        .ok_or("has no order before it")?;
    match order.kind {
        // Its target is in the journal of an earlier run.
        RecordKind::Carried => {
            let body = order.body_as::<CarriedBody>().ok_or("has an order that cannot be read")?;
            (body.order.order_seq == told.order_seq).then_some(()).ok_or("is of another order")
        }
        RecordKind::Order => {
            let body = order.body_as::<OrderBody>().ok_or("has an order that cannot be read")?;
            if body.order_seq != told.order_seq {
                return Err("is of another order");
            }
            if order.cause.lane() != Some(Lane::Strategy) {
                return Err("is of an order that no strategy led to");
            }
            let target = journal.strategy.iter().find(|record| record.seq == order.cause.seq());
            match target {
                Some(record) if matches!(record.kind, RecordKind::Target | RecordKind::Command) => Ok(()),
                _ => Err("is of an order without a target"),
            }
        }
        _ => Err("is not caused by an order"),
    }
}

/// One strategy's account of an instrument. Amounts in units of its amount exponent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Account {
    qty: i64,
    cash: i128,
    fees: i128,
}

pub(super) fn booked(evidence: &Evidence<'_>, found: &mut Vec<Violation>) {
    // After a loss of records the engine refuses to trade: what it holds is for people to say.
    if evidence.lives.iter().any(|life| life.refused) {
        return;
    }
    let mut fail = |what: String| found.push(Violation { check: "books", what });
    let orders: HashMap<ClientOrderId, (InstrumentId, u16, Side)> = evidence
        .events
        .iter()
        .filter_map(|event| match event {
            VenueEvent::Sent { id, order, .. } => {
                Some((*id, (order.instrument, order.strategy.0, order.side)))
            }
            VenueEvent::Said(_) => None,
        })
        .collect();
    let mut accounts: HashMap<(InstrumentId, u16), Account> = HashMap::new();
    let mut counted = HashSet::new();
    for event in evidence.events {
        let VenueEvent::Said(answer) = event else { continue };
        let (AnswerEvent::Filled { fill, maker, .. }, Some(total)) = (answer.event, answer.filled) else {
            continue;
        };
        // Queries have fills told again.
        if !counted.insert((answer.id, total)) {
            continue;
        }
        let Some((instrument, strategy, side)) = orders.get(&answer.id) else { continue };
        let Some(of) = evidence.table.get(*instrument) else { continue };
        let value = of.notional(fill.price, fill.qty).unwrap_or_default();
        let fee = evidence.config.fees.fee_ceil(of, fill.price, fill.qty, maker).unwrap_or_default();
        let account = accounts.entry((*instrument, *strategy)).or_default();
        account.qty += side.signed(fill.qty).0;
        account.cash += if *side == Side::Buy { -value } else { value };
        account.fees += fee;
    }
    let Some(last) = evidence.lives.last() else { return };
    // What was bought and sold again in records that are gone shows in no position.
    let lost = evidence.lives.iter().any(|life| life.lost_tail);
    for held in &last.report.positions {
        let venue = accounts.get(&(held.instrument, held.strategy.0)).copied().unwrap_or_default();
        let position = &held.position;
        let engine = Account { qty: position.qty.0, cash: position.cash, fees: position.fees };
        if engine.qty != venue.qty || (engine != venue && !lost) {
            let (here, there) =
                (shown(evidence, held.instrument, engine.qty), shown(evidence, held.instrument, venue.qty));
            fail(format!(
                "the engine holds {here}, cash {}, fees {}; the venue's fills come to {there}, cash {}, fees {}",
                engine.cash, engine.fees, venue.cash, venue.fees
            ));
        }
    }
    let mut by_instrument: HashMap<u32, i64> = HashMap::new();
    for ((instrument, _), account) in &accounts {
        *by_instrument.entry(instrument.0).or_default() += account.qty;
    }
    for (place, qty) in (0_u32..).zip(&evidence.account.positions) {
        if by_instrument.get(&place).copied().unwrap_or(0) != qty.0 {
            fail(format!("the venue says it holds {}", shown(evidence, InstrumentId(place), qty.0)));
        }
    }
}
