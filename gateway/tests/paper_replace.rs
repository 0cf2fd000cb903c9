//! A spot order is re-priced by one message: what the codec writes for it, the paper exchange carries out as the venue
//! does, the old order's end and the new order, or neither.

mod support;

use engine::book::BookConfig;
use engine::ids::{InstrumentId, VenueId};
use engine::instrument::{Instrument, InstrumentTable};
use engine::num::{Level, Price, Qty, Side};
use engine::order::{Order, OrderEvent, Tif};
use engine::time::Nanos;
use gateway::client_order_id::{ClientOrderId, ClientOrderIds};
use gateway::codec::{OpenOrder, OrderCodec, Request};
use gateway::counterparty::AnswerEvent;
use gateway::paper::matching::FillModel;
use gateway::paper::queue::QueueModel;
use gateway::paper::{PaperConfig, PaperExchange};
use gateway::venues::binance::{Authentication, BinanceCodec, RecvWindow};
use support::{approved, instruments, order};

const I: InstrumentId = InstrumentId(0);

/// An exchange with one market, and who writes to it.
struct Room {
    spot: Instrument,
    codec: BinanceCodec,
    exchange: PaperExchange,
    ids: ClientOrderIds,
    buffer: Vec<u8>,
}

impl Room {
    fn new() -> Self {
        let [spot, ..] = instruments();
        let mut table = InstrumentTable::default();
        table.add(spot.clone());
        let codec =
            BinanceCodec::new(table.iter(), Authentication::Session, RecvWindow::from_ms(5000).unwrap());
        let config = PaperConfig {
            queue: QueueModel::RiskAverse,
            fills: FillModel::Full,
            entry_latency_us: 0,
            response_latency_us: 0,
        };
        let book = BookConfig::new(256, 1024).unwrap();
        let mut exchange = PaperExchange::new(config, &table, book, 8);
        let level = |price| Level { price: Price(price), qty: Qty(5) };
        exchange.on_snapshot(I, &[level(1000)], &[level(1001)], Nanos(0));
        let buffer = vec![0; BinanceCodec::MESSAGE_BYTES_MAX];
        Self { spot, codec: codec.unwrap(), exchange, ids: ClientOrderIds::new(0, 1), buffer }
    }

    fn order(seq: u64, price: i64) -> Order {
        Order { seq, ..order(0, Side::Buy, Tif::PostOnly, price, 50) }
    }

    fn place(&mut self, order: Order) {
        let (approved, id) = (approved(order, &self.spot), self.ids.id(order.seq));
        let request = Request { id: order.seq, now: Nanos(1) };
        let bytes = self.codec.place(request, &approved, &id, &mut self.buffer).unwrap();
        self.exchange.request(bytes, VenueId(0), Nanos(1)).unwrap();
    }

    fn replace(&mut self, open: &Order, wanted: Order) {
        let (open_id, id) = (self.ids.id(open.seq), self.ids.id(wanted.seq));
        let (approved, request) = (approved(wanted, &self.spot), Request { id: 99, now: Nanos(1) });
        let open = OpenOrder { order: open, id: &open_id };
        let bytes = self.codec.amend(request, open, &approved, &id, &mut self.buffer).unwrap();
        assert!(bytes.windows(19).any(|part| part == b"order.cancelReplace"));
        self.exchange.request(bytes, VenueId(0), Nanos(1)).unwrap();
    }

    fn answers(&mut self) -> Vec<(ClientOrderId, AnswerEvent)> {
        std::iter::from_fn(|| self.exchange.next_answer(Nanos(1)))
            .map(|(_, answer)| (answer.id, answer.event))
            .collect()
    }
}

#[test]
fn one_message_ends_the_open_order_and_places_the_new_one() {
    let mut room = Room::new();
    let mut open = Room::order(1, 999);
    room.place(open);
    open.apply(OrderEvent::Accepted).unwrap();
    room.replace(&open, Room::order(2, 1000));
    let [first, second] = [1, 2].map(|seq| room.ids.id(seq));
    let expected =
        [(first, AnswerEvent::Accepted), (first, AnswerEvent::Canceled), (second, AnswerEvent::Accepted)];
    assert_eq!(room.answers(), expected);
    assert_eq!(room.exchange.resting_count(), 1);
}

#[test]
fn the_new_order_is_turned_away_by_its_own_rules_and_the_old_one_is_gone_all_the_same() {
    let mut room = Room::new();
    let mut open = Room::order(1, 999);
    room.place(open);
    open.apply(OrderEvent::Accepted).unwrap();
    // Post-only, and it would take.
    room.replace(&open, Room::order(2, 1001));
    let [first, second] = [1, 2].map(|seq| room.ids.id(seq));
    let expected =
        [(first, AnswerEvent::Accepted), (first, AnswerEvent::Canceled), (second, AnswerEvent::Rejected)];
    assert_eq!(room.answers(), expected);
    assert_eq!(room.exchange.resting_count(), 0);
}

#[test]
fn there_is_no_new_order_beside_one_that_is_gone() {
    let mut room = Room::new();
    let mut open = Room::order(1, 999);
    open.apply(OrderEvent::Accepted).unwrap();
    room.replace(&open, Room::order(2, 1000));
    let [first, second] = [1, 2].map(|seq| room.ids.id(seq));
    assert_eq!(room.answers(), [(first, AnswerEvent::CancelRefused), (second, AnswerEvent::Rejected)]);
    assert_eq!(room.exchange.resting_count(), 0);
}
