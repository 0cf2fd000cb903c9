//! The gateway's thread takes and frees no memory for an order, its answers, its events and its end. Over plain TCP: TLS
//! takes memory for each record inside rustls.

use super::counting::calls;
use super::managed::Managed;
use super::support::{PATIENCE, SimVenue, Terms};
use super::trader::{Given, Key, PAUSE};
use engine::instrument::ContractKind;
use engine::message::{Body, BookChanged, Execution, Kind, Message};
use engine::num::{Level, Price, Qty};
use engine::order::OrderState;
use engine::stage::Sink;
use engine::time::Nanos;
use std::time::Instant;

/// Orders open, as a strategy is told.
#[derive(Default)]
struct Open {
    open: i64,
    ended: u64,
}

impl Sink for Open {
    fn send(&mut self, message: Message<'_>) -> bool {
        if let Some(told) = message.body_as::<Execution>() {
            let is = |state: OrderState| told.state == state as u8;
            self.open += i64::from(is(OrderState::Open));
            if is(OrderState::Canceled) {
                self.open -= 1;
                self.ended += 1;
            }
        }
        true
    }
    fn has_room(&mut self) -> bool {
        true
    }
    fn settle(&mut self) -> u32 {
        0
    }
    fn advance(&mut self, _now: Nanos) -> u32 {
        0
    }
    fn is_settled(&self) -> bool {
        true
    }
    fn halt(&mut self) {}
}

/// Turns until so many orders are open.
fn until(run: &mut Managed, told: &mut Open, wanted: i64) {
    let began = Instant::now();
    while told.open != wanted {
        let level = |price| Level { price: Price(price), qty: Qty(10) };
        let book = BookChanged { bid: level(504_990), ask: level(505_010), ..BookChanged::default() };
        let head = run.head(Kind::BookChanged);
        while run.manager.hear(told) > 0 {}
        while run.manager.advance(head.recv_ns, told) > 0 {}
        run.manager.on_market(Message { head: &head, body: book.cells() }, told);
        assert!(began.elapsed() < PATIENCE, "{} open, not {wanted}", told.open);
        std::thread::sleep(PAUSE);
    }
}

#[test]
fn an_order_its_answers_and_its_end_leave_the_allocator_alone() {
    let opened = Nanos::from_ms(1_700_000_003_000);
    let venue = SimVenue::with(Terms { seed: 3, opened, crowd: false, tls: false, limits: false });
    let given = Given {
        tls: false,
        dead_man_ms: None,
        orders_max: 1_000_000,
        ..Given::new(ContractKind::Linear, Key::Ed25519)
    };
    let (mut run, _) = Managed::start_with(&venue, &given, 1);
    run.until("agreement with the venue", |run| !run.manager.is_reconciling());
    let mut told = Open::default();
    let mut cycle = |run: &mut Managed, price| {
        run.target((price, 5), (1_010_000 - price, 5));
        until(run, &mut told, 2);
        run.target((0, 0), (0, 0));
        until(run, &mut told, 0);
    };
    for price in 0..5 {
        cycle(&mut run, 500_000 + price);
    }
    let before = calls();
    for price in 0..20 {
        cycle(&mut run, 500_000 + price);
    }
    assert_eq!(calls() - before, 0);
    assert_eq!(told.ended, 50);
}
