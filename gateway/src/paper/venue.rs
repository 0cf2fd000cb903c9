//! The paper exchange behind a venue's own encoder: what the order manager trades with in a replay, a demo and on
//! paper. Orders travel as the bytes that a venue would get, without a key: the session form.

use super::PaperExchange;
use super::funding::{FundingClock, FundingDue};
use crate::client_order_id::ClientOrderId;
use crate::codec::{OpenOrder, OrderCodec, Request as Envelope};
use crate::counterparty::{Account, Answer, Counterparty, Request};
use crate::venues::binance::BinanceCodec;
use engine::ids::{InstrumentId, VenueId};
use engine::instrument::InstrumentTable;
use engine::message::{BookChanged, Depth, Kind, MarkPrice, Message, Trade};
use engine::num::Level;
use engine::order::Order;
use engine::time::Nanos;

/// Encoder and exchange.
pub struct PaperVenue {
    codec: BinanceCodec,
    exchange: PaperExchange,
    /// By instrument.
    venues: Vec<VenueId>,
    requests: u64,
    message: [u8; BinanceCodec::MESSAGE_BYTES_MAX],
    /// What was written and has not left: its venue, and how much of `message` it is.
    written: Option<(VenueId, usize)>,
    /// A question that the venue's messages have no words for.
    question: Option<(InstrumentId, ClientOrderId)>,
    /// When the answer to what was asked of the account arrives.
    account_due: Option<Nanos>,
    /// By instrument.
    fundings: Vec<FundingClock>,
    /// What the last market message made due.
    funding: Option<FundingDue>,
}

impl PaperVenue {
    /// Joins the two, for these instruments.
    #[must_use]
    pub fn new(codec: BinanceCodec, exchange: PaperExchange, table: &InstrumentTable) -> Self {
        let venues = table.iter().map(|instrument| instrument.venue_id).collect();
        let message = [0; BinanceCodec::MESSAGE_BYTES_MAX];
        let (fundings, funding) = (vec![FundingClock::default(); table.len()], None);
        let (written, question, account_due) = (None, None, None);
        Self {
            codec,
            exchange,
            venues,
            requests: 0,
            message,
            written,
            question,
            account_due,
            fundings,
            funding,
        }
    }
}

impl Counterparty for PaperVenue {
    fn can_amend(&self, open: &Order, to: Level) -> bool {
        self.codec.can_amend(open, to)
    }

    #[inline]
    fn encode(&mut self, request: Request<'_>, id: &ClientOrderId, now: Nanos) -> bool {
        (self.written, self.question) = (None, None);
        if let Request::Query(order) = request
            && order.terms.kind.is_stop()
        {
            self.question = Some((order.instrument, *id));
            return true;
        }
        self.requests += 1;
        let envelope = Envelope { id: self.requests, now };
        let (instrument, bytes) = match request {
            Request::Place(approved) => (
                approved.order().instrument,
                self.codec.place(envelope, approved, id, &mut self.message).map(<[u8]>::len),
            ),
            Request::Amend(order, approved) => {
                let open = OpenOrder { order, id };
                let bytes = self.codec.amend(envelope, open, approved, id, &mut self.message);
                (order.instrument, bytes.map(<[u8]>::len))
            }
            Request::Query(order) => {
                (order.instrument, self.codec.query(envelope, order, id, &mut self.message).map(<[u8]>::len))
            }
            Request::Cancel(order) => {
                (order.instrument, self.codec.cancel(envelope, order, id, &mut self.message).map(<[u8]>::len))
            }
        };
        let venue = self.venues.get(instrument.index());
        self.written = bytes.ok().zip(venue).map(|(len_bytes, venue)| (*venue, len_bytes));
        self.written.is_some()
    }

    #[inline]
    fn send(&mut self, now: Nanos) -> bool {
        if let Some((instrument, id)) = self.question.take() {
            return self.exchange.ask(instrument, id, now);
        }
        let Some((venue, len_bytes)) = self.written.take() else { return false };
        let Some(bytes) = self.message.get(..len_bytes) else { return false };
        self.exchange.request(bytes, venue, now).is_ok()
    }

    #[inline]
    fn on_market(&mut self, message: Message<'_>) {
        let (instrument, now) = (message.head.instrument, message.head.recv_ns);
        match message.head.kind() {
            Some(kind @ (Kind::Snapshot | Kind::Delta)) => {
                let Some(depth) = message.body_as::<Depth>() else { return };
                let (bids, asks) = message.depth_levels(depth);
                if kind == Kind::Snapshot {
                    self.exchange.on_snapshot(instrument, bids, asks, now);
                } else {
                    self.exchange.on_delta(instrument, bids, asks, now);
                }
            }
            Some(Kind::Stale) => self.exchange.on_stale(instrument),
            Some(Kind::Trade) => {
                if let Some(trade) = message.body_as::<Trade>() {
                    self.exchange.on_trade(instrument, trade, now);
                }
            }
            Some(Kind::BookChanged) => {
                // The book itself came before; the ticker's touch is news.
                if let Some(book) = message.body_as::<BookChanged>()
                    && book.from_ticker == 1
                    && book.bid.qty.0 > 0
                    && book.ask.qty.0 > 0
                {
                    self.exchange.on_ticker(instrument, book.bid.price, book.ask.price, now);
                }
            }
            Some(Kind::MarkPrice) => {
                let clock = self.fundings.get_mut(instrument.index());
                let mark = message.body_as::<MarkPrice>();
                self.funding = clock.zip(mark).and_then(|(clock, mark)| clock.see(mark));
            }
            _ => {}
        }
    }

    #[inline]
    fn take_funding(&mut self) -> Option<FundingDue> {
        self.funding.take()
    }

    #[inline]
    fn next_due(&self) -> Option<Nanos> {
        match (self.exchange.next_due(), self.account_due) {
            (Some(answer), Some(account)) => Some(answer.min(account)),
            (answer, account) => answer.or(account),
        }
    }

    #[inline]
    fn advance(&mut self, now: Nanos) {
        self.exchange.advance(now);
    }

    #[inline]
    fn settle(&mut self, now: Nanos) {
        self.exchange.advance(now);
    }

    #[inline]
    fn next_answer(&mut self, now: Nanos) -> Option<(Nanos, Answer)> {
        self.exchange.next_answer(now)
    }

    fn has_lost_answers(&self) -> bool {
        self.exchange.has_overflowed()
    }

    fn ask_account(&mut self, now: Nanos) -> bool {
        self.account_due = Some(now.plus(self.exchange.round_trip()));
        true
    }

    fn take_account(&mut self, now: Nanos) -> Option<Account> {
        self.account_due.take_if(|due| *due <= now)?;
        Some(self.exchange.account())
    }
}
