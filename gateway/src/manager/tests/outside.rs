//! A venue outside the process: what it says is taken when it is heard, and a repetition that is told the same at the
//! same places decides alike, record by record.

use super::*;
use crate::counterparty::{Charge, ChargeAsset, Paid};
use crate::heard::{Heard, RecordedVenue};
use crate::venues::binance::{Authentication, BinanceCodec, RecvWindow};
use engine::commands::{Action, CommandBody, OrderWish};
use engine::order::{OrderKind, Tif};
use proptest::prelude::*;
use std::path::Path;

/// A venue that answers as the test says, and is heard.
struct Outside {
    venue: Venue,
    paid: VecDeque<(Nanos, Paid)>,
    has_reconnected: bool,
    /// Every so many requests one does not leave.
    loses_every: u64,
    /// The next requests that leave and do not arrive.
    lost_on_the_way: u64,
    requests: u64,
}

impl Outside {
    fn new(loses_every: u64) -> Self {
        let venue = Venue::new(false);
        let paid = VecDeque::new();
        Self { venue, paid, has_reconnected: false, loses_every, lost_on_the_way: 0, requests: 0 }
    }
}

impl Counterparty for Outside {
    fn can_amend(&self, open: &Order, to: Level) -> bool {
        self.venue.can_amend(open, to)
    }
    fn encode(&mut self, request: Request<'_>, id: &ClientOrderId, now: Nanos) -> bool {
        self.venue.encode(request, id, now)
    }
    fn send(&mut self, now: Nanos) -> bool {
        self.requests += 1;
        if self.requests.is_multiple_of(self.loses_every) {
            return false;
        }
        match self.lost_on_the_way.checked_sub(1) {
            Some(left) => self.lost_on_the_way = left,
            None => return self.venue.send(now),
        }
        true
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
        // At a halt time passes here alone, and everything is answered.
        if inputs == u64::MAX {
            self.venue.now = self.venue.now.plus(Nanos::from_ms(10));
            self.venue.answer(0, false);
        }
        self.venue.now
    }
    fn next_answer(&mut self, now: Nanos) -> Option<(Nanos, Answer)> {
        self.venue.next_answer(now)
    }
    fn take_paid(&mut self) -> Option<(Nanos, Paid)> {
        self.paid.pop_front()
    }
    fn has_reconnected(&mut self) -> bool {
        std::mem::take(&mut self.has_reconnected)
    }
}

/// What happens, in order.
#[derive(Clone, Copy, Debug)]
enum Op {
    Market(u32, i64),
    Target(u32, u16, i64, i64),
    Pass(u64),
    Answer(usize, bool),
    Fill(usize, i64),
    /// On what is held of the first instrument.
    Paid(i64),
    Reconnect,
    Hear,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0_u32..2, 990_i64..1010).prop_map(|(instrument, mid)| Op::Market(instrument, mid)),
        4 => (0_u32..2, 1_u16..3, 980_i64..1000, 1000_i64..1020)
            .prop_map(|(instrument, strategy, bid, ask)| Op::Target(instrument, strategy, bid, ask)),
        2 => (1_u64..2_000).prop_map(Op::Pass),
        4 => (0_usize..8, proptest::bool::weighted(0.2)).prop_map(|(at, refuses)| Op::Answer(at, refuses)),
        3 => (0_usize..8, 1_i64..4).prop_map(|(at, qty)| Op::Fill(at, qty)),
        1 => (-500_i64..500).prop_map(Op::Paid),
        1 => Just(Op::Reconnect),
        6 => Just(Op::Hear),
    ]
}

/// A manager with its gateway lane on the disk.
struct Kept<X> {
    manager: OrderManager<X>,
    control: Arc<Control>,
    now: Nanos,
    causes: u64,
    journal: Journal,
}

impl<X: Counterparty> Kept<X> {
    fn new(dir: &Path, exchange: X) -> Self {
        let sizes =
            Options { feed_segment_bytes: 1 << 16, segment_bytes: 1 << 20, ..Options::new(1, [0; 32]) };
        let mut journal = Journal::create(dir, sizes).unwrap();
        let writer = journal.writer(Lane::Gateway).unwrap();
        let control = Arc::new(Control::default());
        let counters =
            &mut Counters::create(None, &engine::counters::Run { id: 1, start: Nanos(0) }, 2048).unwrap();
        let setup = ManagerSetup {
            instruments: &table(),
            strategies: STRATEGIES,
            limits: limits().check().unwrap(),
            fees: FeesConfig { maker_bps: decimal("2"), taker_bps: decimal("5") }.check().unwrap(),
            answer_timeout: Nanos::from_ms(1000),
            ids: ClientOrderIds::new(3, 4),
            log: StageLog::new(writer, Arc::clone(&control), 1 << 16),
            latency: Latency::register(StampClock::off(), counters).unwrap(),
            control: Arc::clone(&control),
        };
        let manager = OrderManager::new(setup, exchange).unwrap();
        Self { manager, control, now: Nanos(5_000_000_000), causes: 0, journal }
    }

    /// As the stage does: what the run had heard before the next input is taken before it.
    fn hear_owed(&mut self) {
        while self.manager.is_owed() && self.manager.hear(&mut Nowhere) > 0 {}
    }

    fn input(&mut self, kind: Kind, instrument: u32) -> Head {
        loop {
            self.hear_owed();
            if self.manager.advance(self.now, &mut Nowhere) == 0 {
                break;
            }
        }
        self.hear_owed();
        self.manager.count_input();
        self.causes += 1;
        let cause = Cause::new(Lane::Strategy, self.causes);
        Head { instrument: InstrumentId(instrument), recv_ns: self.now, cause, ..Head::new(kind) }
    }

    /// What does not come from the venue. True: it was that.
    fn take(&mut self, op: Op) -> bool {
        match op {
            Op::Market(instrument, mid) => {
                let book = BookChanged {
                    bid: level(mid - 1, 10),
                    ask: level(mid + 1, 10),
                    ..BookChanged::default()
                };
                let head = self.input(Kind::BookChanged, instrument);
                self.manager.on_market(Message { head: &head, body: book.cells() }, &mut Nowhere);
            }
            Op::Target(instrument, strategy, bid, ask) => {
                let mut quotes = one((bid, 5), (ask, 5));
                quotes.first.strategy = StrategyId(strategy);
                let head = self.input(Kind::Target, instrument);
                let head = Head { strategy: StrategyId(strategy), ..head };
                self.manager.on_target(Message { head: &head, body: quotes.used_cells() }, &mut Nowhere);
            }
            Op::Pass(ms) => self.now = self.now.plus(Nanos::from_ms(ms)),
            _ => return false,
        }
        true
    }

    /// The lane's records: kind, cause, time, body.
    fn records(self, dir: &Path) -> Vec<(u16, Cause, Nanos, Vec<u8>)> {
        drop(self.manager);
        self.journal.close().unwrap();
        let reader = Reader::open(dir).unwrap();
        let (mut cursor, mut records) = (reader.cursor(Lane::Gateway), Vec::new());
        while let Some(view) = cursor.next().unwrap() {
            records.push((view.entry.kind, view.entry.cause, view.entry.recv_ns, view.body.to_vec()));
        }
        records
    }
}

impl Kept<Outside> {
    fn venue(&mut self, op: Op) {
        // The venue is heard a little later than the market.
        self.manager.exchange.venue.now = self.now.plus(Nanos(17));
        let outside = &mut self.manager.exchange;
        match op {
            Op::Answer(at, refuses) => outside.venue.answer(at, refuses),
            Op::Fill(at, qty) => outside.venue.fill(at, qty),
            Op::Paid(amount) => {
                let amount = Decimal { mantissa: amount.into(), exponent: 6, digits: 0 };
                let paid = Paid { instrument: InstrumentId(0), amount };
                outside.paid.push_back((outside.venue.now, paid));
            }
            Op::Reconnect => outside.has_reconnected = true,
            _ => _ = self.manager.hear(&mut Nowhere),
        }
    }
}

fn repeats(ops: &[Op], loses_every: u64) -> Result<usize, TestCaseError> {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut run = Kept::new(dirs[0].path(), Outside::new(loses_every));
    for op in ops {
        if !run.take(*op) {
            run.venue(*op);
        }
    }
    let (stopped, report) = (run.control.stopped(), run.manager.report());
    let records = run.records(dirs[0].path());

    let ids = ClientOrderIds::new(3, 4);
    let heard = |records: &[(u16, Cause, Nanos, Vec<u8>)]| {
        let read = |(kind, _, at, body): &(u16, Cause, Nanos, Vec<u8>)| {
            // The instrument of a payment.
            let instrument = InstrumentId(0);
            Heard::read(*kind, instrument, *at, body, &ids).map(Result::unwrap)
        };
        records.iter().filter_map(read).collect::<Vec<_>>().into_iter()
    };
    // On spot only a smaller quantity is amended, and here all are alike: neither amends.
    let mut instruments = Vec::new();
    for instrument in table().iter() {
        instruments.push(Instrument { kind: ContractKind::Spot, ..instrument.clone() });
    }
    let window = RecvWindow::from_ms(5_000).unwrap();
    let codec = BinanceCodec::new(&instruments, Authentication::Session, window).unwrap();
    let said = RecordedVenue::new(codec, heard(&records), heard(&records));
    let mut again = Kept::new(dirs[1].path(), said);
    for op in ops {
        again.take(*op);
    }
    again.hear_owed();
    let repeated = (again.control.stopped(), again.manager.report());
    prop_assert_eq!(repeated.0, stopped);
    for (one, other) in report.positions.iter().zip(&repeated.1.positions) {
        prop_assert_eq!(one, other);
    }
    let repeated = again.records(dirs[1].path());
    for (at, (one, other)) in records.iter().zip(&repeated).enumerate() {
        prop_assert_eq!(one, other, "record {}", at + 1);
    }
    prop_assert_eq!(records.len(), repeated.len());
    Ok(records.len())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn a_repetition_that_is_told_the_same_at_the_same_places_decides_alike(
        ops in proptest::collection::vec(op(), 1..120), loses_every in 2_u64..9
    ) {
        repeats(&ops, loses_every)?;
    }
}

#[test]
fn funding_is_shared_out_by_what_strategies_hold_and_nothing_of_it_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Kept::new(dir.path(), Outside::new(u64::MAX));
    for op in [
        Op::Market(0, 1000),
        Op::Target(0, 1, 990, 1010),
        Op::Target(0, 2, 989, 1011),
        Op::Answer(0, false),
        Op::Answer(0, false),
        Op::Answer(0, false),
        Op::Answer(0, false),
        Op::Hear,
    ] {
        if !run.take(op) {
            run.venue(op);
        }
    }
    let bids: Vec<usize> = (0..run.manager.exchange.venue.open.len())
        .filter(|at| run.manager.exchange.venue.open[*at].side == Side::Buy)
        .collect();
    assert_eq!(bids.len(), 2, "{:?}", run.manager.exchange.venue.open);
    run.venue(Op::Fill(bids[1], 2));
    run.venue(Op::Fill(bids[0], 1));
    run.venue(Op::Hear);
    run.venue(Op::Paid(-100));
    run.venue(Op::Hear);
    let positions = run.manager.report().positions;
    let paid: Vec<i128> = positions.iter().map(|one| one.position.funding).collect();
    // 0.0001 USDT in 10^-8, of three units held two by one strategy and one by the other.
    assert_eq!(paid.iter().sum::<i128>(), -10_000, "{paid:?}");
    assert!(paid.contains(&-3_333) || paid.contains(&-3_334), "{paid:?}");
    // A venue's own charge is what the fill cost, also where it was kept back of what was bought.
    let id = run.manager.ids.id(run.manager.exchange.venue.open[bids[0]].seq);
    let fee = Some(Charge { amount: decimal("0.001"), asset: ChargeAsset::Settle });
    let event = AnswerEvent::Filled { fill: level(990, 1), maker: true, fee };
    let at = run.now;
    run.manager.exchange.venue.answers.push_back((at, Answer { id, event, filled: None }));
    let before: i128 = run.manager.report().positions.iter().map(|one| one.position.fees).sum();
    run.venue(Op::Hear);
    let after: i128 = run.manager.report().positions.iter().map(|one| one.position.fees).sum();
    assert_eq!(after - before, 100_000);
}

#[test]
fn funding_of_positions_that_cancel_out_is_the_last_holders() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Kept::new(dir.path(), Outside::new(u64::MAX));
    for op in [
        Op::Market(0, 1000),
        Op::Target(0, 1, 990, 1010),
        Op::Target(0, 2, 989, 1011),
        Op::Answer(0, false),
        Op::Answer(0, false),
        Op::Answer(0, false),
        Op::Answer(0, false),
        Op::Hear,
    ] {
        if !run.take(op) {
            run.venue(op);
        }
    }
    for (strategy, side) in [(1, Side::Buy), (2, Side::Sell)] {
        let open = &run.manager.exchange.venue.open;
        let is_its = |order: &Order| (order.strategy.0, order.side) == (strategy, side);
        let at = open.iter().position(is_its).unwrap();
        run.venue(Op::Fill(at, 2));
    }
    run.venue(Op::Hear);
    run.venue(Op::Paid(-100));
    run.venue(Op::Hear);
    assert_eq!(run.control.stopped(), None, "{:?}", run.control.detail());
    let positions = run.manager.report().positions;
    let paid: Vec<_> = positions.iter().map(|one| (one.position.qty.0, one.position.funding)).collect();
    assert_eq!(paid[..2], [(2, 0), (-2, -10_000)]);
}

#[test]
fn a_halt_ends_a_stop_whose_first_cancel_was_lost_and_of_which_nobody_can_be_asked() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Kept::new(dir.path(), Outside::new(u64::MAX));
    run.take(Op::Market(0, 1000));
    run.manager.exchange.venue.is_secretive = true;
    let order = OrderWish {
        trigger: Price(995),
        qty: Qty(4),
        side: Side::Sell as u8,
        kind: OrderKind::Stop as u8,
        tif: Tif::Ioc as u8,
        ..OrderWish::default()
    };
    let command = CommandBody::new(Action::Order, StrategyId::MANUAL, InstrumentId(0));
    let command = CommandBody { order, ..command };
    let head = Head { strategy: StrategyId::MANUAL, ..run.input(Kind::Command, 0) };
    run.manager.on_command(Message { head: &head, body: command.cells() }, &mut Nowhere);
    run.venue(Op::Answer(0, false));
    run.venue(Op::Hear);
    assert_eq!(run.manager.exchange.venue.open.len(), 1);
    run.manager.exchange.lost_on_the_way = 1;
    assert!(run.manager.cancel_all(&head));
    assert_eq!(run.manager.exchange.venue.open, []);
}
