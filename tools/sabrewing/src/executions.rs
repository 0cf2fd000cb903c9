//! What the gateway says of orders, counted on its way back to the strategies: what a person who watches a run
//! wants to know first.

use engine::counters::{Counter, Counters, CountersError, Desc, Unit};
use engine::instrument::{Instrument, InstrumentTable};
use engine::message::{Execution, Message, i128_of};
use engine::ring::RingSender;
use engine::stage::Sink;
use engine::time::Nanos;

/// The gateway's end of the ring of executions. It publishes what it hands over.
pub struct Executions {
    ring: RingSender,
    /// By instrument.
    numbers: Vec<Numbers>,
}

/// One instrument.
struct Numbers {
    orders: Counter,
    /// The youngest order counted.
    last_seq: u64,
    fills: Counter,
    position: Counter,
    pnl: Counter,
}

impl Executions {
    /// Publishes the executions that enter `ring`. Err: the counters are full, or have them already.
    pub(crate) fn publishing(
        ring: RingSender,
        table: &InstrumentTable,
        counters: &mut Counters,
    ) -> Result<Self, CountersError> {
        let numbers = table
            .iter()
            .map(|instrument| Numbers::register(instrument, counters))
            .collect::<Result<_, _>>()?;
        Ok(Self { ring, numbers })
    }

    /// The same through another ring, that of a repeated run.
    pub(crate) fn through(self, ring: RingSender) -> Self {
        Self { ring, ..self }
    }

    /// The same around what `change` makes of the ring.
    pub(crate) fn try_map<E>(
        self,
        change: impl FnOnce(RingSender) -> Result<RingSender, E>,
    ) -> Result<Self, E> {
        Ok(Self { ring: change(self.ring)?, ..self })
    }
}

impl Numbers {
    fn register(instrument: &Instrument, counters: &mut Counters) -> Result<Self, CountersError> {
        let name = instrument.full_name();
        let mut register = |desc: Desc<'_>| counters.register("gateway", &desc.on_instrument(&name));
        Ok(Self {
            orders: register(Desc::counter("orders", Unit::Count, "Orders that the exchange answered"))?,
            last_seq: 0,
            fills: register(Desc::counter("fills", Unit::Count, "Fills, partial ones included"))?,
            position: register(Desc::gauge("position", Unit::Quantity, "Position after the last execution"))?,
            pnl: register(Desc::gauge(
                "pnl",
                Unit::Count,
                "Profit after the last execution, fees not included, 10^-amount exponent of the settlement asset",
            ))?,
        })
    }

    fn publish(&mut self, execution: &Execution) {
        if execution.order_seq > self.last_seq {
            self.last_seq = execution.order_seq;
            self.orders.add(1);
        }
        self.fills.add(u64::from(execution.fill.qty.0 > 0));
        self.position.set_signed(execution.position.0);
        // A profit beyond 64 bits is shown as the largest there is.
        let pnl = i128_of(execution.pnl);
        self.pnl.set_signed(i64::try_from(pnl).unwrap_or(if pnl < 0 { i64::MIN } else { i64::MAX }));
    }
}

impl Sink for Executions {
    #[inline]
    fn send(&mut self, message: Message<'_>) -> bool {
        if let Some(execution) = message.body_as::<Execution>()
            && let Some(numbers) = self.numbers.get_mut(message.head.instrument.index())
        {
            numbers.publish(execution);
        }
        self.ring.send(message)
    }

    #[inline]
    fn has_room(&mut self) -> bool {
        self.ring.has_room()
    }

    #[inline]
    fn settle(&mut self) -> u32 {
        self.ring.settle()
    }

    #[inline]
    fn advance(&mut self, now: Nanos) -> u32 {
        self.ring.advance(now)
    }

    fn is_settled(&self) -> bool {
        self.ring.is_settled()
    }

    fn halt(&mut self) {
        self.ring.halt();
    }
}
