//! What operators ask the gateway for: an order beside the quotes, an order's end, a position's end. Everything passes
//! the gate and is journalled like what strategies want; what came of each is a record of its own, caused by the command.
//!
//! An order by hand has a place of its own, which no quote wants and no plan looks at. A position is closed step by
//! step: no quotes, everything of the book canceled, and once nothing is open a reduce-only market order; what that
//! leaves is tried again for as long as each order takes something off it. Own orders at the touch that it would take
//! from are taken back first, whosever they are, and that side is not quoted on until the position is closed. Positions of several strategies in one
//! instrument are closed one after the other, so that none meets the other's orders. Where theirs stand against each
//! other the venue holds too little to reduce: the order is then a plain one, for no more than the strategy's own.

use super::OrderManager;
use super::answers::Told;
use super::book::{BESIDE_MAX, Closing};
use super::orders::Ending;
use super::pursue::{Leaving, crosses};
use crate::counterparty::Counterparty;
use engine::commands::{ALL_STRATEGIES, Action, OrderWish, Taken};
use engine::instrument::ContractKind;
use engine::journal::schema::{CommandResult, GateRefusal, HandResult, RecordKind};
use engine::message::{Head, Kind, Message, QUOTES_MAX};
use engine::num::{Level, Qty, Side};
use engine::order::{Order, OrderState, Terms, Tif};
use engine::risk::{Proposal, Refusal};
use engine::stage::Sink;
use engine::time::{Nanos, Stamp};

/// Why an order beside the quotes did not leave.
enum NotPlaced {
    /// There is no room for it, or it could not be journalled.
    NoRoom,
    /// The gate refused it.
    Refused(Refusal),
    /// The order of this sequence could not be sent.
    Unsent(u64),
}

impl<X: Counterparty> OrderManager<X> {
    /// An operator asks for something.
    #[cold]
    pub fn on_command<S: Sink>(&mut self, message: Message<'_>, out: &mut S) {
        let Some(command) = Taken::read(&message) else { return };
        let body = command.body;
        self.now = self.now.max(message.head.recv_ns);
        // Nobody waits for a frame here: no stamps.
        let head = Head { received: Stamp::default(), ..*message.head };
        match body.action() {
            Some(Action::Order) => self.order_by_hand(&head, &body.order, out),
            Some(Action::Cancel) => self.cancel_by_hand(&head, &body.order, body.engine),
            Some(Action::CancelAll) => {
                for place in 0..self.orders.room() {
                    let Some(live) = self.orders.at(place).copied() else { continue };
                    // The others are quotes, and no longer wanted.
                    if live.slot >= QUOTES_MAX && body.is_on(live.order.instrument) {
                        self.take_back(&head, live.book, &live.order);
                    }
                }
            }
            Some(Action::Flatten) => {
                let chosen = |manager: &Self, index: usize| {
                    let Some(traded) = manager.traded(index) else { return false };
                    body.is_for(manager.strategy_of(index)) && body.is_on(traded.instrument.id)
                };
                let count = (0..self.books.len()).filter(|index| chosen(self, *index)).count();
                self.say(&head, HandResult::Closing, count as u64, Qty(0));
                for index in 0..self.books.len() {
                    if chosen(self, index) {
                        self.begin_closing(&head, index);
                    }
                }
            }
            _ => return,
        }
        self.exchange.settle(self.now);
        self.take_answers(out);
        self.pursue_dirty(None, out);
        self.tell_touch(&head);
    }

    fn order_by_hand<S: Sink>(&mut self, head: &Head, wish: &OrderWish, out: &mut S) {
        let (Some(index), Some((side, level, tif, terms))) = (self.book_of(head), wish.order()) else {
            return self.say(head, HandResult::NoOrder, 0, Qty(0));
        };
        if self.halted || self.reconciling.is_some() {
            return self.say(head, HandResult::NotTrading, 0, Qty(0));
        }
        let (result, seq) = match self.place_beside(head, index, side, level, tif, terms, out) {
            Ok(seq) => (HandResult::Left, seq),
            Err(NotPlaced::NoRoom) => (HandResult::NoRoom, 0),
            Err(NotPlaced::Refused(_)) => (HandResult::Refused, 0),
            Err(NotPlaced::Unsent(seq)) => (HandResult::NotSent, seq),
        };
        self.say(head, result, seq, level.qty);
    }

    /// An order in a place of its own. Returns its sequence. Err: why it did not leave.
    #[expect(clippy::too_many_arguments, reason = "one order, whole")]
    fn place_beside<S: Sink>(
        &mut self,
        head: &Head,
        index: usize,
        side: Side,
        level: Level,
        tif: Tif,
        terms: Terms,
        out: &mut S,
    ) -> Result<u64, NotPlaced> {
        let free = self.books.get(index).and_then(|book| book.beside.iter().position(|seq| *seq == 0));
        let (Some(place), Some(seq)) = (free, self.orders.next_seq()) else {
            return Err(NotPlaced::NoRoom);
        };
        let order = Order { tif, terms, ..Order::new(seq, head.instrument, head.strategy, side, level) };
        let exposure = self.exposure(index, side);
        let Some(traded) = self.instruments.get(head.instrument.index()) else {
            return Err(NotPlaced::NoRoom);
        };
        let proposal = Proposal::New(order);
        match self.gate.approve(proposal, &traded.instrument, &traded.market, &exposure, self.now) {
            Ok(approved) => {
                let mut entered = Stamp::default();
                let slot = QUOTES_MAX + place;
                match self.leave(head, index, slot, None, &approved, &mut entered, out) {
                    Leaving::Left => Ok(seq),
                    Leaving::Unsent => Err(NotPlaced::Unsent(seq)),
                    Leaving::NotJournalled => Err(NotPlaced::NoRoom),
                }
            }
            Err(refusal) => {
                let order = Order { state: OrderState::Rejected, ..order };
                self.count_refusal(refusal.rule);
                let record =
                    self.log.record(RecordKind::GateRefused, head, &GateRefusal::new(&order, &refusal));
                let head = Head { cause: record.unwrap_or(head.cause), ..*head };
                self.tell(&head, index, &order, Level::default(), Told::Refused(refusal.rule), out);
                Err(NotPlaced::Refused(refusal))
            }
        }
    }

    fn cancel_by_hand(&mut self, head: &Head, wish: &OrderWish, engine: u16) {
        let is_meant =
            |run: u32| (wish.run, engine) == (0, 0) || (wish.run, engine) == (run, self.ids.engine());
        let found = self.orders.get(wish.seq).copied().filter(|live| is_meant(live.run));
        let is_asked = found.is_some_and(|live| {
            live.order.state == OrderState::PendingCancel || self.take_back(head, live.book, &live.order)
        });
        let ending = self.orders.get(wish.seq).map(|live| live.ending);
        let result = match ending {
            _ if !is_asked => HandResult::NoOrder,
            Some(Ending::Unsent) => HandResult::NotSent,
            _ => HandResult::Left,
        };
        self.say(head, result, wish.seq, found.map_or(Qty(0), |live| live.order.remaining()));
    }

    /// Cancels an order because of a command.
    fn take_back(&mut self, head: &Head, book: usize, order: &Order) -> bool {
        let head = Head { cause: head.cause, ..self.told_head(order, self.now) };
        self.cancel(&head, book, order, true)
    }

    /// Everything beside the quotes is canceled, and what is held is closed once nothing is open.
    fn begin_closing(&mut self, head: &Head, index: usize) {
        let Some(instrument) = self.traded(index).map(|traded| traded.instrument.id) else { return };
        let head = Head { instrument, strategy: self.strategy_of(index), ..*head };
        if self.halted || self.reconciling.is_some() {
            return self.say(&head, HandResult::NotTrading, 0, Qty(0));
        }
        let Some(book) = self.books.get_mut(index) else { return };
        let beside = book.beside;
        // A second command goes on where the first one is; its answer is the second's.
        book.closing = Some(Closing { head, tried_at: None, order_seq: 0, not_before: Nanos(0) });
        for seq in beside.into_iter().filter(|seq| *seq != 0) {
            if let Some(order) = self.orders.get(seq).map(|live| live.order) {
                self.take_back(&head, index, &order);
            }
        }
        self.mark(index);
    }

    /// One step of closing a position. True: something was sent.
    #[cold]
    pub(super) fn close<S: Sink>(&mut self, index: usize, out: &mut S) -> bool {
        let (Some(book), Some(traded)) = (self.books.get(index), self.traded(index)) else { return false };
        let (Some(closing), held, net) = (book.closing, book.position.qty, traded.net) else { return false };
        let instrument = &traded.instrument;
        let is_open = |book| Side::BOTH.into_iter().any(|side| self.live(book, side).next().is_some());
        if is_open(index) {
            return self.take_back_beside(index, &closing);
        }
        let most = held.0.saturating_abs().min(instrument.qty_max.0);
        let qty = Qty(most - most % instrument.lot.0.max(1));
        let head = Head { recv_ns: self.now, ..closing.head };
        if held.0 == 0 {
            return self.end_closing(index, &head, HandResult::Flat);
        }
        let closes = |other: &usize| self.books.get(*other).is_some_and(|book| book.closing.is_some());
        if self.books_of(instrument.id.index()).filter(closes).any(is_open) {
            return false;
        }
        if self.now < closing.not_before {
            return false;
        }
        // The order before took nothing off it, or less than a lot is left.
        if closing.tried_at == Some(held) || qty < instrument.qty_min.max(Qty(1)) {
            return self.end_closing(index, &head, HandResult::GaveUp);
        }
        let side = if held.0 > 0 { Side::Sell } else { Side::Buy };
        if self.is_in_the_way(index, side) {
            return self.clear_the_way(index, side, &closing);
        }
        let has_enough = side.opposite().signed(net) >= qty || instrument.kind == ContractKind::Spot;
        let terms = if has_enough { Terms::MARKET.reducing() } else { Terms::MARKET };
        let level = Level { qty, ..Level::default() };
        match self.place_beside(&head, index, side, level, Tif::Ioc, terms, out) {
            Ok(seq) => {
                if let Some(book) = self.books.get_mut(index) {
                    book.closing = Some(Closing { tried_at: Some(held), order_seq: seq, ..closing });
                }
                true
            }
            // Time alone lifts it.
            Err(NotPlaced::Refused(refusal)) if refusal.until < Nanos::MAX => {
                self.close_later(index, refusal.until)
            }
            Err(NotPlaced::Unsent(_)) => self.close_later(index, self.now.plus(self.answer_timeout)),
            Err(_) => self.end_closing(index, &head, HandResult::GaveUp),
        }
    }

    /// Whether a market order would meet an own order at the touch.
    fn is_in_the_way(&self, index: usize, side: Side) -> bool {
        let Some(touch) = self.touch_of(index, side) else { return false };
        let mut others = self.books_of(index.checked_div(self.strategies).unwrap_or_default());
        let meets = |order: &Order| order.is_in_book() && crosses(side, touch, order);
        others.any(|other| self.live(other, side.opposite()).any(meets))
    }

    /// What a market order on `side` takes from; none: there is nothing.
    fn touch_of(&self, index: usize, side: Side) -> Option<Level> {
        let market = self.traded(index)?.market;
        let touch = if side == Side::Buy { market.ask } else { market.bid };
        (touch.qty.0 > 0).then_some(touch)
    }

    /// Takes back what stands in the way of closing a position with an order on `side`: quotes by wanting none there,
    /// other orders one by one. True: something was sent.
    fn clear_the_way(&mut self, index: usize, side: Side, closing: &Closing) -> bool {
        let opposite = side.opposite();
        let Some(touch) = self.touch_of(index, side) else { return false };
        let mut moved = false;
        for other in self.books_of(index.checked_div(self.strategies).unwrap_or_default()) {
            let Some(book) = self.books.get_mut(other).filter(|book| book.closing.is_none()) else {
                continue;
            };
            if !std::mem::replace(&mut book.yields[opposite as usize], true) {
                self.mark(other);
            }
            for place in 0..BESIDE_MAX {
                let seq = self.books.get(other).and_then(|book| book.beside.get(place)).copied().unwrap_or(0);
                let Some(order) = self.orders.get(seq).map(|live| live.order) else { continue };
                let rests = matches!(order.state, OrderState::Open | OrderState::PartiallyFilled);
                let meets = order.side == opposite && order.is_in_book() && crosses(side, touch, &order);
                if rests && meets {
                    moved |= self.take_back(&closing.head, other, &order);
                }
            }
        }
        // The end of what was in the way brings it here again; so does a touch that has moved away from it.
        let at = self.now.plus(self.answer_timeout);
        self.retry(index, at);
        moved
    }

    /// Whatever is closed in the instrument may find its way cleared.
    #[cold]
    pub(super) fn mark_closing(&mut self, index: usize) {
        for other in self.books_of(index.checked_div(self.strategies).unwrap_or_default()) {
            if self.books.get(other).is_some_and(|book| book.closing.is_some()) {
                self.mark(other);
            }
        }
    }

    fn close_later(&mut self, index: usize, at: Nanos) -> bool {
        if let Some(book) = self.books.get_mut(index) {
            book.closing = book.closing.map(|closing| Closing { not_before: at, ..closing });
        }
        self.retry(index, at);
        false
    }

    /// The book is pursued again at that time.
    fn retry(&mut self, index: usize, at: Nanos) {
        if let Some(book) = self.books.get_mut(index) {
            book.retry_at = book.retry_at.min(at);
        }
        self.next_retry = self.next_retry.min(at);
    }

    /// Takes back what rests beside the quotes of a position that is being closed: its cancel was refused or lost, or it
    /// came later. No plan does it. True: a cancel left.
    fn take_back_beside(&mut self, index: usize, closing: &Closing) -> bool {
        let mut moved = false;
        for place in 0..BESIDE_MAX {
            let seq = self.books.get(index).and_then(|book| book.beside.get(place)).copied().unwrap_or(0);
            let Some(order) = self.orders.get(seq).map(|live| live.order) else { continue };
            let rests = matches!(order.state, OrderState::Open | OrderState::PartiallyFilled);
            if rests && seq != closing.order_seq {
                moved |= self.take_back(&closing.head, index, &order);
            }
        }
        moved
    }

    fn end_closing(&mut self, index: usize, head: &Head, result: HandResult) -> bool {
        let Some(book) = self.books.get_mut(index) else { return false };
        let closing = book.closing.take();
        let (left, seq) = (book.position.qty, closing.map_or(0, |closing| closing.order_seq));
        self.say(head, result, seq, left);
        // What was not quoted while it went on may be wanted again, and the next position may be closed.
        let books = self.books_of(index.checked_div(self.strategies).unwrap_or_default());
        let is_over = !books.clone().any(|other| self.books.get(other).is_some_and(|b| b.closing.is_some()));
        for other in books {
            if let Some(book) = self.books.get_mut(other).filter(|_| is_over) {
                book.yields = [false; 2];
            }
            self.mark(other);
        }
        false
    }

    /// What came of a command.
    fn say(&mut self, head: &Head, result: HandResult, order_seq: u64, qty: Qty) {
        let strategy = if head.strategy == ALL_STRATEGIES { 0 } else { head.strategy.0 };
        let body = CommandResult { order_seq, qty, strategy, result: result as u16, reserved: 0 };
        let head = Head { body_cells: 0, ..head.derive(Kind::Execution) };
        self.log.record(RecordKind::CommandResult, &head, &body);
    }
}
