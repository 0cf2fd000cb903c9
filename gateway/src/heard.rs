//! What a venue said, as the journal keeps it, and a venue that says it again: the counterparty of a repeated run.

use crate::client_order_id::{ClientOrderId, ClientOrderIds};
use crate::counterparty::{
    Account, Answer, AnswerEvent, Charge, ChargeAsset, Counterparty, Paid, Request, Standing, VenueOrder,
    VenueState,
};
use crate::venues::binance::BinanceCodec;
use engine::ids::InstrumentId;
use engine::journal::schema::{
    AccountBody, AccountOrder, AnsweredBody, HeardBody, PaidBody, RecordKind, UnsentBody,
};
use engine::message::{Message, i128_of, words_of};
use engine::num::{Decimal, Level, Qty, Side};
use engine::order::Order;
use engine::time::Nanos;
use zerocopy::{FromBytes, IntoBytes};

/// An answer, heard after so many inputs.
pub(crate) fn answered_body(after: u64, answer: &Answer, ids: &ClientOrderIds) -> AnsweredBody {
    let (run, order_seq) = ids.run_and_seq(&answer.id).unwrap_or((0, 0));
    let mut body = AnsweredBody {
        after,
        order_seq,
        run,
        filled: answer.filled.unwrap_or(Qty(-1)),
        ..AnsweredBody::default()
    };
    body.event = match answer.event {
        AnswerEvent::Accepted => 0,
        AnswerEvent::Rejected => 1,
        AnswerEvent::Canceled => 2,
        AnswerEvent::CancelRefused => 3,
        AnswerEvent::Amended(level) => {
            body.level = level;
            4
        }
        AnswerEvent::AmendRefused => 5,
        AnswerEvent::Expired => 6,
        AnswerEvent::Filled { fill, maker, fee } => {
            (body.level, body.maker) = (fill, u8::from(maker));
            if let Some(Charge { amount, asset }) = fee {
                (body.fee, body.fee_exponent) = (words_of(amount.mantissa), amount.exponent);
                body.fee_asset = asset as u8 + 1;
            }
            7
        }
        AnswerEvent::Standing(standing) => {
            body.standing = match standing {
                Standing::Unknown => 0,
                Standing::Absent => 1,
                Standing::Exists { state, filled } => {
                    body.standing_filled = filled;
                    match state {
                        VenueState::Open(level) => {
                            body.level = level;
                            2
                        }
                        VenueState::Filled => 3,
                        VenueState::Canceled => 4,
                        VenueState::Rejected => 5,
                        VenueState::Expired => 6,
                    }
                }
            };
            8
        }
        AnswerEvent::Triggered => AnsweredBody::TRIGGERED,
    };
    body
}

/// The answer of a record. None: it holds what no answer is.
fn answer_of(body: &AnsweredBody, ids: &ClientOrderIds) -> Option<Answer> {
    let fee = match body.fee_asset {
        0 => None,
        asset => Some(Charge {
            amount: Decimal { mantissa: i128_of(body.fee), exponent: body.fee_exponent, digits: 0 },
            asset: *ChargeAsset::ALL.get(usize::from(asset) - 1)?,
        }),
    };
    let exists = |state| Standing::Exists { state, filled: body.standing_filled };
    let event = match body.event {
        0 => AnswerEvent::Accepted,
        1 => AnswerEvent::Rejected,
        2 => AnswerEvent::Canceled,
        3 => AnswerEvent::CancelRefused,
        4 => AnswerEvent::Amended(body.level),
        5 => AnswerEvent::AmendRefused,
        6 => AnswerEvent::Expired,
        7 => AnswerEvent::Filled { fill: body.level, maker: body.maker == 1, fee },
        AnsweredBody::TRIGGERED => AnswerEvent::Triggered,
        8 => AnswerEvent::Standing(match body.standing {
            0 => Standing::Unknown,
            1 => Standing::Absent,
            2 => exists(VenueState::Open(body.level)),
            3 => exists(VenueState::Filled),
            4 => exists(VenueState::Canceled),
            5 => exists(VenueState::Rejected),
            6 => exists(VenueState::Expired),
            _ => return None,
        }),
        _ => return None,
    };
    let id = match body.order_seq {
        // Any that is nobody's: what it was called made no difference.
        0 => ClientOrderId::from_bytes(b"-")?,
        seq => ids.of_run(body.run).id(seq),
    };
    Some(Answer { id, event, filled: Some(body.filled).filter(|filled| filled.0 >= 0) })
}

/// Funding that was paid, heard after so many inputs.
pub(crate) fn paid_body(after: u64, paid: &Paid) -> PaidBody {
    let Decimal { mantissa, exponent, .. } = paid.amount;
    PaidBody { after, amount: words_of(mantissa), exponent: u64::from(exponent) }
}

/// An account, heard after so many inputs, and what was there before any run. Takes memory: it is asked for once in a
/// restart.
pub(crate) fn account_body(after: u64, account: &Account, baselines: &[Qty]) -> Vec<u8> {
    let count = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
    let head =
        AccountBody { after, open: count(account.open.len()), positions: count(account.positions.len()) };
    let mut bytes = head.as_bytes().to_vec();
    for order in &account.open {
        let mut id = [0; 40];
        let text = order.id.as_bytes();
        if let Some(place) = id.get_mut(..text.len()) {
            place.copy_from_slice(text);
        }
        let row = AccountOrder {
            level: order.level,
            filled: order.filled,
            instrument: order.instrument.0,
            side: order.side as u8,
            id_len: u8::try_from(text.len()).unwrap_or(0),
            reserved: 0,
            id,
        };
        bytes.extend_from_slice(row.as_bytes());
    }
    bytes.extend_from_slice(account.positions.as_bytes());
    for place in 0..account.positions.len() {
        bytes.extend_from_slice(baselines.get(place).copied().unwrap_or(Qty(-1)).as_bytes());
    }
    bytes
}

/// What was there before any run of the engine, as an `Account` record says. None: it holds what no account is.
pub(crate) fn baselines_of(body: &[u8]) -> Option<Vec<Qty>> {
    account_of(body).map(|(_, _, baselines)| baselines)
}

/// The account of a record. None: it holds what no account is.
fn account_of(body: &[u8]) -> Option<(u64, Account, Vec<Qty>)> {
    let (head, mut rest) = AccountBody::read_from_prefix(body).ok()?;
    let mut account = Account::default();
    for _ in 0..head.open {
        let (row, behind) = AccountOrder::read_from_prefix(rest).ok()?;
        rest = behind;
        account.open.push(VenueOrder {
            id: ClientOrderId::from_bytes(row.id.get(..usize::from(row.id_len))?)?,
            instrument: InstrumentId(row.instrument),
            side: Side::BOTH.into_iter().find(|side| *side as u8 == row.side)?,
            level: row.level,
            filled: row.filled,
        });
    }
    let mut baselines = Vec::new();
    for of in [&mut account.positions, &mut baselines] {
        for _ in 0..head.positions {
            let (qty, behind) = Qty::read_from_prefix(rest).ok()?;
            rest = behind;
            of.push(qty);
        }
    }
    rest.is_empty().then_some((head.after, account, baselines))
}

/// One thing that a venue said in a recorded run, or a request that did not leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Inputs that the gateway had taken before; of a request, its number.
    after: u64,
    at: Nanos,
    /// Of the answer to a placement; zero: something else.
    round_trip_ns: u32,
    what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Answer(Answer),
    Paid(Paid),
    /// With what was there before any run.
    Account(Account, Vec<Qty>),
    Reconnected,
    Unsent,
}

impl Heard {
    /// What a record of the gateway's lane says that a venue said. `ids` are the run's. None: another kind of record.
    /// Err: it does not hold what its kind says.
    pub fn read(
        kind: u16,
        instrument: InstrumentId,
        at: Nanos,
        body: &[u8],
        ids: &ClientOrderIds,
    ) -> Option<Result<Self, HeardError>> {
        let kind = RecordKind::from_u16(kind)?;
        let mut round_trip_ns = 0;
        let read = match kind {
            RecordKind::Answered => AnsweredBody::read_from_bytes(body).ok().and_then(|body| {
                round_trip_ns = body.round_trip_ns;
                Some((body.after, What::Answer(answer_of(&body, ids)?)))
            }),
            RecordKind::Unsent => {
                UnsentBody::read_from_bytes(body).ok().map(|body| (body.request, What::Unsent))
            }
            RecordKind::Reconnected => {
                HeardBody::read_from_bytes(body).ok().map(|body| (body.after, What::Reconnected))
            }
            RecordKind::Account => {
                account_of(body).map(|(after, account, before)| (after, What::Account(account, before)))
            }
            RecordKind::Paid => PaidBody::read_from_bytes(body).ok().and_then(|body| {
                let exponent = u8::try_from(body.exponent).ok()?;
                let amount = Decimal { mantissa: i128_of(body.amount), exponent, digits: 0 };
                Some((body.after, What::Paid(Paid { instrument, amount })))
            }),
            _ => return None,
        };
        Some(read.map(|(after, what)| Self { after, at, round_trip_ns, what }).ok_or(HeardError))
    }
}

/// A record does not hold what its kind says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeardError;

impl std::fmt::Display for HeardError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it does not hold what its kind says")
    }
}

impl std::error::Error for HeardError {}

/// A venue that says again what the venue of a recorded run said, each thing at its place among the gateway's inputs,
/// whatever it is asked.
pub struct RecordedVenue {
    codec: BinanceCodec,
    /// What was said, in order, without the requests that did not leave.
    said: Box<dyn Iterator<Item = Heard> + Send>,
    next: Option<Heard>,
    /// The requests that did not leave, in order.
    unsent: Box<dyn Iterator<Item = Heard> + Send>,
    next_unsent: Option<Heard>,
    requests: u64,
    inputs: u64,
    round_trip_ns: u32,
    baselines: Vec<Qty>,
}

impl RecordedVenue {
    /// A venue that goes through what was heard, which is read twice: once for what was said, once for what did not
    /// leave. `codec` says what could be amended there.
    #[must_use]
    pub fn new<H: Iterator<Item = Heard> + Send + 'static>(codec: BinanceCodec, heard: H, again: H) -> Self {
        let mut said: Box<dyn Iterator<Item = Heard> + Send> =
            Box::new(heard.filter(|heard| heard.what != What::Unsent));
        let mut unsent: Box<dyn Iterator<Item = Heard> + Send> =
            Box::new(again.filter(|heard| heard.what == What::Unsent));
        let (next, next_unsent) = (said.next(), unsent.next());
        Self {
            codec,
            said,
            next,
            unsent,
            next_unsent,
            requests: 0,
            inputs: 0,
            round_trip_ns: 0,
            baselines: Vec::new(),
        }
    }

    /// What is said next, where it is this and its place has come.
    fn take<T>(&mut self, this: impl FnOnce(&What) -> Option<T>) -> Option<(Nanos, T)> {
        let next = self.next.as_ref().filter(|next| next.after <= self.inputs)?;
        let taken = (next.at, this(&next.what)?);
        self.round_trip_ns = next.round_trip_ns;
        self.next = self.said.next();
        Some(taken)
    }

    /// One more request. False: it did not leave.
    fn asked(&mut self) -> bool {
        self.requests += 1;
        let is_unsent = self.next_unsent.as_ref().is_some_and(|next| next.after == self.requests);
        if is_unsent {
            self.next_unsent = self.unsent.next();
        }
        !is_unsent
    }
}

impl Counterparty for RecordedVenue {
    fn can_amend(&self, open: &Order, to: Level) -> bool {
        self.codec.can_amend(open, to)
    }

    fn encode(&mut self, _request: Request<'_>, _id: &ClientOrderId, _now: Nanos) -> bool {
        true
    }

    fn send(&mut self, _now: Nanos) -> bool {
        self.asked()
    }

    fn on_market(&mut self, _message: Message<'_>) {}

    fn next_due(&self) -> Option<Nanos> {
        None
    }

    fn advance(&mut self, _now: Nanos) {}

    fn settle(&mut self, _now: Nanos) {}

    fn is_outside(&self) -> bool {
        true
    }

    fn poll(&mut self, inputs: u64) -> Nanos {
        self.inputs = inputs;
        // Once everything was said nothing is worth waiting for.
        if self.next.is_some() { Nanos(0) } else { Nanos::MAX }
    }

    fn is_owed(&self, inputs: u64) -> bool {
        self.next.as_ref().is_some_and(|next| next.after <= inputs)
    }

    fn next_answer(&mut self, _now: Nanos) -> Option<(Nanos, Answer)> {
        self.take(|what| if let What::Answer(answer) = what { Some(*answer) } else { None })
    }

    fn baselines(&self) -> Vec<Qty> {
        self.baselines.clone()
    }

    fn round_trip(&self) -> Option<Nanos> {
        (self.round_trip_ns > 0).then_some(Nanos(u64::from(self.round_trip_ns)))
    }

    fn take_paid(&mut self) -> Option<(Nanos, Paid)> {
        self.take(|what| if let What::Paid(paid) = what { Some(*paid) } else { None })
    }

    fn has_reconnected(&mut self) -> bool {
        self.take(|what| (*what == What::Reconnected).then_some(())).is_some()
    }

    fn ask_account(&mut self, _now: Nanos) -> bool {
        self.asked()
    }

    fn take_account(&mut self, _now: Nanos) -> Option<Account> {
        let said = self.take(|what| match what {
            What::Account(account, baselines) => Some((account.clone(), baselines.clone())),
            _ => None,
        });
        let (_, (account, baselines)) = said?;
        self.baselines = baselines;
        Some(account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::num::Price;
    use proptest::prelude::*;

    fn level() -> impl Strategy<Value = Level> {
        (any::<i64>(), any::<i64>()).prop_map(|(price, qty)| Level { price: Price(price), qty: Qty(qty) })
    }

    fn standing() -> impl Strategy<Value = Standing> {
        let state = prop_oneof![
            level().prop_map(VenueState::Open),
            Just(VenueState::Filled),
            Just(VenueState::Canceled),
            Just(VenueState::Rejected),
            Just(VenueState::Expired),
        ];
        let exists = (state, any::<i64>());
        prop_oneof![
            Just(Standing::Unknown),
            Just(Standing::Absent),
            exists.prop_map(|(state, filled)| Standing::Exists { state, filled: Qty(filled) }),
        ]
    }

    fn event() -> impl Strategy<Value = AnswerEvent> {
        let charge = (any::<i128>(), 0_u8..20, 0_usize..3).prop_map(|(mantissa, exponent, asset)| Charge {
            amount: Decimal { mantissa, exponent, digits: 0 },
            asset: ChargeAsset::ALL[asset],
        });
        let fill = (level(), any::<bool>(), proptest::option::of(charge));
        prop_oneof![
            Just(AnswerEvent::Accepted),
            Just(AnswerEvent::Rejected),
            Just(AnswerEvent::Canceled),
            Just(AnswerEvent::CancelRefused),
            level().prop_map(AnswerEvent::Amended),
            Just(AnswerEvent::AmendRefused),
            Just(AnswerEvent::Expired),
            Just(AnswerEvent::Triggered),
            fill.prop_map(|(fill, maker, fee)| AnswerEvent::Filled { fill, maker, fee }),
            standing().prop_map(AnswerEvent::Standing),
        ]
    }

    fn ids() -> ClientOrderIds {
        ClientOrderIds::new(7, 3)
    }

    fn read(kind: RecordKind, body: &[u8]) -> Result<Heard, HeardError> {
        Heard::read(kind as u16, InstrumentId(2), Nanos(9), body, &ids()).unwrap()
    }

    fn venue(heard: &[Heard]) -> RecordedVenue {
        let window = crate::venues::binance::RecvWindow::from_ms(5_000).unwrap();
        let none: [&engine::instrument::Instrument; 0] = [];
        let session = crate::venues::binance::Authentication::Session;
        let codec = BinanceCodec::new(none, session, window).unwrap();
        let (heard, again) = (heard.to_vec(), heard.to_vec());
        RecordedVenue::new(codec, heard.into_iter(), again.into_iter())
    }

    proptest! {
        #[test]
        fn an_answer_is_read_as_it_was_written(
            event in event(), filled in proptest::option::of(0_i64..), run in 1_u32..5, seq in 1_u64..1 << 62
        ) {
            let id = ids().of_run(run).id(seq);
            let answer = Answer { id, event, filled: filled.map(Qty) };
            let body = AnsweredBody { round_trip_ns: 7, ..answered_body(4, &answer, &ids()) };
            let expected = Heard { after: 4, at: Nanos(9), round_trip_ns: 7, what: What::Answer(answer) };
            prop_assert_eq!(read(RecordKind::Answered, body.as_bytes()), Ok(expected));
        }

        #[test]
        fn bytes_that_are_no_record_are_refused_and_never_panic(
            kind in prop_oneof![Just(43_u16), Just(44), Just(45), Just(46), Just(47)],
            body in proptest::collection::vec(any::<u8>(), 0..200)
        ) {
            let read = Heard::read(kind, InstrumentId(0), Nanos(0), &body, &ids());
            prop_assert!(read.is_some());
        }
    }

    #[test]
    fn an_account_is_read_as_it_was_written() {
        let order = VenueOrder {
            id: ClientOrderId::from_bytes(b"sb7-3-12").unwrap(),
            instrument: InstrumentId(1),
            side: Side::Sell,
            level: Level { price: Price(5), qty: Qty(6) },
            filled: Qty(2),
        };
        let account = Account { open: vec![order, order], positions: vec![Qty(-3), Qty(0), Qty(8)] };
        let bytes = account_body(11, &account, &[Qty(7)]);
        let before = vec![Qty(7), Qty(-1), Qty(-1)];
        assert_eq!(baselines_of(&bytes), Some(before.clone()));
        let expected =
            Heard { after: 11, at: Nanos(9), round_trip_ns: 0, what: What::Account(account, before) };
        assert_eq!(read(RecordKind::Account, &bytes), Ok(expected));
        assert_eq!(read(RecordKind::Account, &bytes[..bytes.len() - 1]), Err(HeardError));
        assert!(Heard::read(RecordKind::Fill as u16, InstrumentId(0), Nanos(0), &[], &ids()).is_none());
    }

    #[test]
    fn each_thing_is_said_again_once_its_place_among_the_inputs_has_come() {
        let answer = |seq| Answer { id: ids().id(seq), event: AnswerEvent::Accepted, filled: None };
        let heard = |after, what| Heard { after, at: Nanos(after), round_trip_ns: 0, what };
        let mut venue = venue(&[
            heard(2, What::Answer(answer(1))),
            heard(2, What::Unsent),
            heard(3, What::Reconnected),
            heard(3, What::Answer(answer(2))),
        ]);
        venue.poll(1);
        assert!(!venue.is_owed(1) && venue.next_answer(Nanos::MAX).is_none());
        assert!(venue.is_owed(2) && venue.poll(2) == Nanos(0));
        assert_eq!(venue.next_answer(Nanos::MAX), Some((Nanos(2), answer(1))));
        assert!(venue.next_answer(Nanos::MAX).is_none() && !venue.has_reconnected() && !venue.is_owed(2));
        venue.poll(3);
        assert!(venue.next_answer(Nanos::MAX).is_none(), "what was said before it comes first");
        assert!(venue.has_reconnected() && !venue.has_reconnected());
        assert_eq!(venue.next_answer(Nanos::MAX), Some((Nanos(3), answer(2))));
        assert_eq!(venue.poll(4), Nanos::MAX, "nothing more is worth waiting for");
        assert_eq!(
            [venue.send(Nanos(0)), venue.send(Nanos(0)), venue.ask_account(Nanos(0))],
            [true, false, true]
        );
    }
}
