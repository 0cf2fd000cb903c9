//! The gateway stage: the last of the five. One risk domain, one gateway.

use crate::counterparty::Counterparty;
use crate::manager::{GatewayReport, OrderManager};
use crate::paper::venue::PaperVenue;
use engine::journal::schema::RecordKind;
use engine::message::{FIRST_OF_FRAME, Head, Kind, Message};
use engine::runner::Control;
use engine::stage::{Sink, Stage};
use engine::stage_log::StageLog;
use engine::time::Nanos;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// The last stage. What it sends goes back to the strategy stage.
pub struct GatewayStage<X: Counterparty = PaperVenue> {
    manager: OrderManager<X>,
    control: Arc<Control>,
    /// The last input: what a halt is dated by.
    last: Head,
    done: SyncSender<GatewayReport>,
}

impl<X: Counterparty> GatewayStage<X> {
    /// The stage around a manager. The report goes to `done` when the stage is dropped.
    #[must_use]
    pub fn new(manager: OrderManager<X>, control: Arc<Control>, done: SyncSender<GatewayReport>) -> Self {
        Self { manager, control, last: Head::new(Kind::Timer), done }
    }

    /// The stage's journal lane.
    pub fn log_mut(&mut self) -> &mut StageLog {
        self.manager.log_mut()
    }

    /// In a repetition of a run: takes the answers that the run had taken before the next input.
    #[inline]
    fn hear_owed<S: Sink>(&mut self, out: &mut S) {
        while self.manager.is_owed() && self.manager.hear(out) > 0 {}
    }

    /// As [`OrderManager::tell_state_every`].
    pub const fn tell_state_every(&mut self, records: u64) {
        self.manager.tell_state_every(records);
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

impl<X: Counterparty> Stage for GatewayStage<X> {
    const NAME: &'static str = "gateway";

    #[inline]
    fn on_message<S: Sink>(&mut self, message: Message<'_>, out: &mut S) {
        let head = message.head;
        self.hear_owed(out);
        self.manager.count_input();
        self.manager.tell_state_when_due(head.recv_ns);
        match head.kind() {
            // The feed's depth goes to the exchange; the book that follows it is what the frame led to here.
            Some(Kind::Snapshot | Kind::Delta | Kind::Stale) => self.manager.on_market(message, out),
            Some(Kind::BookChanged | Kind::Trade) => {
                self.last = *head;
                self.manager.on_market(message, out);
                self.stamp(head);
            }
            Some(Kind::MarkPrice) => {
                self.manager.on_market(message, out);
                self.stamp(head);
            }
            Some(Kind::Target) => self.manager.on_target(message, out),
            Some(Kind::Command) => self.manager.on_command(message, out),
            Some(Kind::End) => {
                self.manager.finish();
                out.send(message);
            }
            _ => self.stamp(head),
        }
    }

    #[inline]
    fn has_room(&mut self) -> bool {
        self.manager.has_room()
    }

    #[inline]
    fn advance<S: Sink>(&mut self, now: Nanos, out: &mut S) -> u32 {
        self.hear_owed(out);
        self.manager.advance(now, out)
    }

    #[inline]
    fn settle<S: Sink>(&mut self, out: &mut S) -> u32 {
        if self.manager.has_room() && out.has_room() { self.manager.hear(out) } else { 0 }
    }

    fn halt(&mut self) {
        self.manager.log_mut().record(RecordKind::Halt, &self.last, &());
        if self.manager.cancel_all(&self.last) {
            self.control.confirm_canceled();
        }
        self.manager.finish();
    }
}

impl<X: Counterparty> Drop for GatewayStage<X> {
    fn drop(&mut self) {
        // The receiver is gone only when nobody wants the report.
        let _ = self.done.send(self.manager.report());
    }
}
