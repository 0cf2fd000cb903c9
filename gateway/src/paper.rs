//! The paper exchange: a counterparty that answers approved orders from the recorded or live market.
//!
//! It takes post-only limit orders. An order that would take is rejected. A resting order is filled in full, at
//! its own price, when a trade goes through its price or the opposite touch reaches it: the queue in front of
//! it is taken to be the whole level. Answers have no latency. It sees every market message before the
//! strategy does.

use crate::client_order_id::{ClientOrderId, ClientOrderIds};
use crate::counterparty::{self, AnswerEvent, Counterparty, Request};
use engine::ids::InstrumentId;
use engine::message::{BookChanged, Kind, Message, Trade};
use engine::num::{Level, Side};
use engine::order::{Order, Tif};
use engine::risk::Approved;
use engine::time::Nanos;
use std::collections::VecDeque;

/// What the exchange says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The order rests.
    Accepted {
        /// Sequence of the client order id.
        seq: u64,
    },
    /// The order was not taken: it would have taken liquidity, or is of a kind this exchange does not know.
    Rejected {
        /// Sequence of the client order id.
        seq: u64,
    },
    /// The order is gone.
    Canceled {
        /// Sequence of the client order id.
        seq: u64,
    },
    /// There is no such order to cancel.
    CancelRefused {
        /// Sequence of the client order id.
        seq: u64,
    },
    /// The order traded.
    Filled {
        /// Sequence of the client order id.
        seq: u64,
        /// Price and quantity of the fill.
        fill: Level,
    },
}

/// The exchange.
pub struct PaperExchange {
    /// Best bid and ask by instrument; zero quantity: not known.
    touch: Vec<(Level, Level)>,
    resting: Vec<Order>,
    answers: VecDeque<Answer>,
    now: Nanos,
    ids: ClientOrderIds,
    written: Option<Written>,
}

enum Written {
    Place(Approved),
    Cancel(u64),
}

impl PaperExchange {
    /// An exchange for so many instruments and orders resting at once; an order beyond that is rejected.
    #[must_use]
    pub fn new(instrument_count: usize, orders_max: usize, ids: ClientOrderIds) -> Self {
        Self {
            touch: vec![Default::default(); instrument_count],
            resting: Vec::with_capacity(orders_max),
            // Everything that one input can lead to: each resting order filled, and one order answered.
            answers: VecDeque::with_capacity(2 * orders_max + 2),
            now: Nanos(0),
            ids,
            written: None,
        }
    }

    /// The touch moved; `None`: it is not known any more.
    #[inline]
    pub fn on_touch(&mut self, instrument: InstrumentId, touch: Option<(Level, Level)>) {
        let Some(slot) = self.touch.get_mut(instrument.index()) else { return };
        *slot = touch.unwrap_or_default();
        let (bid, ask) = *slot;
        self.fill_where(instrument, |order| match order.side {
            Side::Buy => ask.qty.0 > 0 && ask.price <= order.price(),
            Side::Sell => bid.qty.0 > 0 && bid.price >= order.price(),
        });
    }

    /// A trade was printed.
    #[inline]
    pub fn on_trade(&mut self, instrument: InstrumentId, trade: &Trade) {
        self.fill_where(instrument, |order| match order.side {
            Side::Buy => trade.price < order.price(),
            Side::Sell => trade.price > order.price(),
        });
    }

    /// An order arrives.
    pub fn place(&mut self, approved: &Approved) {
        let order = *approved.order();
        let touch = self.touch.get(order.instrument.index()).copied().unwrap_or_default();
        let (bid, ask) = touch;
        let known = bid.qty.0 > 0 && ask.qty.0 > 0;
        let takes = match order.side {
            Side::Buy => ask.price <= order.price(),
            Side::Sell => bid.price >= order.price(),
        };
        let has_room = self.resting.len() < self.resting.capacity();
        if order.tif != Tif::PostOnly || !known || takes || !has_room {
            self.answer(Answer::Rejected { seq: order.seq });
            return;
        }
        self.resting.push(order);
        self.answer(Answer::Accepted { seq: order.seq });
    }

    /// A cancel arrives.
    pub fn cancel(&mut self, seq: u64) {
        let before = self.resting.len();
        self.resting.retain(|order| order.seq != seq);
        let gone = self.resting.len() < before;
        self.answer(if gone { Answer::Canceled { seq } } else { Answer::CancelRefused { seq } });
    }

    /// The oldest answer, handed out once.
    #[inline]
    pub fn next_answer(&mut self) -> Option<Answer> {
        self.answers.pop_front()
    }

    /// Orders that rest.
    #[must_use]
    pub fn resting(&self) -> &[Order] {
        &self.resting
    }

    fn fill_where(&mut self, instrument: InstrumentId, is_filled: impl Fn(&Order) -> bool) {
        let answers = &mut self.answers;
        self.resting.retain(|order| {
            let filled = order.instrument == instrument && is_filled(order);
            if filled && answers.len() < answers.capacity() {
                answers.push_back(Answer::Filled { seq: order.seq, fill: order.level });
            }
            !filled
        });
    }

    fn answer(&mut self, answer: Answer) {
        debug_assert!(self.answers.len() < self.answers.capacity());
        if self.answers.len() < self.answers.capacity() {
            self.answers.push_back(answer);
        }
    }
}

impl Counterparty for PaperExchange {
    fn can_amend(&self, _open: &Order, _to: Level) -> bool {
        false
    }

    fn encode(&mut self, request: Request<'_>, _id: &ClientOrderId, _now: Nanos) -> bool {
        self.written = match request {
            Request::Place(approved) => Some(Written::Place(*approved)),
            Request::Cancel(order) => Some(Written::Cancel(order.seq)),
            Request::Amend(..) => None,
        };
        self.written.is_some()
    }

    fn send(&mut self, _now: Nanos) -> bool {
        match self.written.take() {
            Some(Written::Place(approved)) => self.place(&approved),
            Some(Written::Cancel(seq)) => self.cancel(seq),
            None => return false,
        }
        true
    }

    fn on_market(&mut self, message: Message<'_>) {
        let head = message.head;
        self.now = head.recv_ns;
        match head.kind() {
            Some(Kind::BookChanged) => {
                if let Some(book) = message.body_as::<BookChanged>() {
                    let touch = (book.state == 0).then_some((book.bid, book.ask));
                    self.on_touch(head.instrument, touch);
                }
            }
            Some(Kind::Trade) => {
                if let Some(trade) = message.body_as::<Trade>() {
                    self.on_trade(head.instrument, trade);
                }
            }
            _ => {}
        }
    }

    fn next_due(&self) -> Option<Nanos> {
        (!self.answers.is_empty()).then_some(self.now)
    }

    fn advance(&mut self, _now: Nanos) {}

    fn settle(&mut self, _now: Nanos) {}

    fn next_answer(&mut self, now: Nanos) -> Option<(Nanos, counterparty::Answer)> {
        let (seq, event) = match Self::next_answer(self)? {
            Answer::Accepted { seq } => (seq, AnswerEvent::Accepted),
            Answer::Rejected { seq } => (seq, AnswerEvent::Rejected),
            Answer::Canceled { seq } => (seq, AnswerEvent::Canceled),
            Answer::CancelRefused { seq } => (seq, AnswerEvent::CancelRefused),
            Answer::Filled { seq, fill } => (seq, AnswerEvent::Filled { fill, maker: true }),
        };
        Some((now, counterparty::Answer { id: self.ids.id(seq), event }))
    }
}
