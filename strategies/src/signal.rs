//! The signal stage: passes the market on and adds what strategies subscribed to. Now: the age of the touch.

use engine::ids::InstrumentId;
use engine::instrument::InstrumentTable;
use engine::message::{Body, Features, Head, Kind, Message};
use engine::stage::{Sink, Stage};
use engine::time::Nanos;

/// The third stage.
pub struct SignalStage {
    /// Time of the last input that confirmed each instrument's touch; zero: none yet.
    confirmed: Vec<Nanos>,
}

impl SignalStage {
    /// A stage for these instruments.
    #[must_use]
    pub fn new(instruments: &InstrumentTable) -> Self {
        Self { confirmed: vec![Nanos::default(); instruments.len()] }
    }
}

impl Stage for SignalStage {
    const NAME: &'static str = "signal";

    #[inline]
    fn on_message<S: Sink>(&mut self, message: Message<'_>, out: &mut S) {
        out.send(message);
        match message.head.kind() {
            Some(Kind::BookChanged) => {
                if let Some(confirmed) = self.confirmed.get_mut(message.head.instrument.index()) {
                    *confirmed = message.head.recv_ns;
                    let features = Features::new(Nanos::default());
                    out.send(Message { head: &message.head.derive(Kind::Features), body: features.cells() });
                }
            }
            Some(Kind::Timer) => self.age(message.head, out),
            _ => {}
        }
    }
}

impl SignalStage {
    /// Time passed without a frame: every touch is that much older.
    fn age<S: Sink>(&self, head: &Head, out: &mut S) {
        for (instrument, confirmed) in (0_u32..).zip(&self.confirmed) {
            if confirmed.0 > 0 {
                let features = Features::new(head.recv_ns.since(*confirmed));
                let head = Head { instrument: InstrumentId(instrument), ..head.derive(Kind::Features) };
                out.send(Message { head: &head, body: features.cells() });
            }
        }
    }
}
