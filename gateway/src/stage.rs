//! The gateway stage: the last of the five. One risk domain, one gateway.

use crate::manager::{GatewayReport, OrderManager};
use engine::journal::schema::RecordKind;
use engine::message::{BookChanged, FIRST_OF_FRAME, Head, Kind, Message, Target, Trade};
use engine::risk::Market;
use engine::runner::Control;
use engine::stage::{Sink, Stage};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// The last stage. What it sends goes back to the strategy stage.
pub struct GatewayStage {
    manager: OrderManager,
    control: Arc<Control>,
    /// The last input: what a halt is dated by.
    last: Head,
    done: SyncSender<GatewayReport>,
}

impl GatewayStage {
    /// The stage around a manager. The report goes to `done` when the stage is dropped.
    #[must_use]
    pub fn new(manager: OrderManager, control: Arc<Control>, done: SyncSender<GatewayReport>) -> Self {
        Self { manager, control, last: Head::new(Kind::Timer), done }
    }

    /// The latency of a frame that got here, once a frame.
    #[inline]
    fn stamp(&mut self, head: &Head) {
        if head.received.0 == 0 || head.flags & FIRST_OF_FRAME == 0 {
            return;
        }
        let stamps = self.manager.latency_mut().frame(head);
        self.manager.log_mut().record(RecordKind::Stamps, head, &stamps);
    }
}

impl Stage for GatewayStage {
    const NAME: &'static str = "gateway";

    #[inline]
    fn on_message<S: Sink>(&mut self, message: Message<'_>, out: &mut S) {
        let head = message.head;
        match head.kind() {
            Some(Kind::BookChanged) => {
                let Some(book) = message.body_as::<BookChanged>() else { return };
                self.last = *head;
                let market =
                    Market { bid: book.bid, ask: book.ask, state: book.state, confirmed: head.recv_ns };
                self.manager.on_market(head, market, out);
                self.stamp(head);
            }
            Some(Kind::Trade) => {
                let Some(trade) = message.body_as::<Trade>() else { return };
                self.last = *head;
                self.manager.on_trade(head, trade, out);
                self.stamp(head);
            }
            Some(Kind::Target) => {
                let Some(target) = message.body_as::<Target>() else { return };
                self.manager.on_target(head, target, out);
            }
            Some(Kind::End) => {
                out.send(message);
            }
            _ => self.stamp(head),
        }
    }

    #[inline]
    fn has_room(&mut self) -> bool {
        self.manager.has_room()
    }

    fn halt(&mut self) {
        if self.manager.cancel_all(&self.last) {
            self.control.confirm_canceled();
        }
    }
}

impl Drop for GatewayStage {
    fn drop(&mut self) {
        // The receiver is gone only when nobody wants the report.
        let _ = self.done.send(self.manager.report());
    }
}
