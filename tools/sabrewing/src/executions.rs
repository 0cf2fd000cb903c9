//! What the gateway says of orders, counted on its way back to the strategies: what a person who watches a run
//! wants to know first.

use engine::counters::{Counter, Counters, CountersError, Desc, Unit};
use engine::ids::{InstrumentId, StrategyId};
use engine::instrument::{Instrument, InstrumentTable};
use engine::message::{Execution, Message, QUOTES_MAX, i128_of};
use engine::order::OrderState;
use engine::ring::RingSender;
use engine::stage::Sink;
use engine::time::Nanos;
use gateway::manager::BESIDE_MAX;
use strategies::registry::StrategyConfig;

/// The gateway's end of the ring of executions. It publishes what it hands over.
pub struct Executions {
    ring: RingSender,
    /// By instrument, and within it by strategy, whoever trades by hand last.
    numbers: Vec<Numbers>,
    strategies: usize,
}

/// One strategy in one instrument.
struct Numbers {
    orders: Counter,
    open_orders: Counter,
    /// Orders that were answered and have not ended; zero: no order.
    open: [u64; OPEN_MAX],
    fills: Counter,
    position: Counter,
    pnl: Counter,
    fees: Counter,
}

/// Orders that a strategy can have in an instrument: one for each quote, and those beside them.
const OPEN_MAX: usize = 2 * QUOTES_MAX + BESIDE_MAX;

impl Executions {
    /// Publishes the executions that enter `ring`. Err: the counters are full, or have them already.
    pub(crate) fn publishing(
        ring: RingSender,
        table: &InstrumentTable,
        strategies: &[StrategyConfig],
        counters: &mut Counters,
    ) -> Result<Self, CountersError> {
        let owners = || strategies.iter().map(|one| one.name.as_str()).chain([StrategyId::MANUAL_NAME]);
        let pairs = table.iter().flat_map(|instrument| owners().map(move |owner| (instrument, owner)));
        let numbers = pairs.map(|(instrument, owner)| Numbers::register(instrument, owner, counters));
        Ok(Self { ring, numbers: numbers.collect::<Result<_, _>>()?, strategies: strategies.len() + 1 })
    }

    fn numbers_of(&mut self, execution: &Execution, instrument: InstrumentId) -> Option<&mut Numbers> {
        let manual = self.strategies - 1;
        let strategy = match execution.strategy {
            StrategyId::MANUAL => manual,
            strategy => strategy.index().checked_sub(1).filter(|index| *index < manual)?,
        };
        self.numbers.get_mut(instrument.index() * self.strategies + strategy)
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
    fn register(
        instrument: &Instrument,
        strategy: &str,
        counters: &mut Counters,
    ) -> Result<Self, CountersError> {
        let name = instrument.full_name();
        let mut register =
            |desc: Desc<'_>| counters.register("gateway", &desc.of_strategy(strategy).on_instrument(&name));
        let amount = format!("10^-{} {}", instrument.amount_exponent(), instrument.settle());
        let mut money = |name, what: &str| {
            register(Desc::gauge(name, Unit::Count, &format!("{what} after the last execution, {amount}")))
        };
        let (pnl, fees) = (money("pnl", "Profit, fees not included,")?, money("fees", "Fees paid")?);
        Ok(Self {
            orders: register(Desc::counter("orders", Unit::Count, "Orders that the exchange answered"))?,
            open_orders: register(Desc::gauge("open_orders", Unit::Count, "Orders answered and not ended"))?,
            open: [0; OPEN_MAX],
            fills: register(Desc::counter("fills", Unit::Count, "Fills, partial ones included"))?,
            position: register(Desc::gauge("position", Unit::Quantity, "Position after the last execution"))?,
            pnl,
            fees,
        })
    }

    fn publish(&mut self, execution: &Execution) {
        // What the gate refused was no order.
        if execution.order_seq > 0 && execution.rule == 0 {
            self.count_order(execution);
        }
        self.fills.add(u64::from(execution.fill.qty.0 > 0));
        self.position.set_signed(execution.position.0);
        self.pnl.set_signed(shown(i128_of(execution.pnl)));
        self.fees.set_signed(shown(i128_of(execution.fees)));
    }

    fn count_order(&mut self, execution: &Execution) {
        let ended = OrderState::ALL.get(usize::from(execution.state)).is_some_and(|state| state.is_final());
        let known = self.open.iter_mut().find(|seq| **seq == execution.order_seq);
        match (known, ended) {
            (Some(seq), true) => *seq = 0,
            (Some(_), false) => return,
            (None, ended) => {
                self.orders.add(1);
                if !ended && let Some(free) = self.open.iter_mut().find(|seq| **seq == 0) {
                    *free = execution.order_seq;
                }
            }
        }
        let open = self.open.iter().filter(|seq| **seq != 0).count();
        self.open_orders.set(open as u64);
    }
}

/// An amount beyond 64 bits is shown as the largest there is.
fn shown(amount: i128) -> i64 {
    i64::try_from(amount).unwrap_or(if amount < 0 { i64::MIN } else { i64::MAX })
}

impl Sink for Executions {
    #[inline]
    fn send(&mut self, message: Message<'_>) -> bool {
        if let Some(execution) = message.body_as::<Execution>()
            && let Some(numbers) = self.numbers_of(execution, message.head.instrument)
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

#[cfg(test)]
mod tests {
    use super::*;
    use engine::counters::Run;
    use engine::message::{Body, Head, Kind, words_of};
    use engine::num::{Level, Qty};

    #[test]
    fn each_strategy_has_numbers_of_its_own_on_each_instrument() {
        let config = crate::config::Config::load(None).unwrap();
        let mut second = config.strategies[0].clone();
        second.name = "other".into();
        let strategies = [config.strategies[0].clone(), second];
        let mut table = InstrumentTable::default();
        let parsed = feeds::instruments::parse(crate::replay::SHIPPED_INSTRUMENTS.as_bytes()).unwrap();
        for instrument in parsed.into_iter().take(2) {
            table.add(instrument);
        }
        let mut counters = Counters::create(None, &Run { id: 1, start: Nanos(0) }, 256).unwrap();
        let ring = engine::ring::ring(256, 4, 4).0;
        let mut out = Executions::publishing(ring, &table, &strategies, &mut counters).unwrap();
        let mut tell = |strategy, order_seq, state: OrderState, fill, position| {
            let head = Head { instrument: InstrumentId(1), ..Head::new(Kind::Execution) };
            let execution = Execution {
                order_seq,
                state: state as u8,
                fill: Level { qty: Qty(fill), ..Level::default() },
                strategy: StrategyId(strategy),
                position: Qty(position),
                pnl: words_of(i128::from(position) * -7),
                fees: words_of(i128::MAX),
                ..Execution::default()
            };
            out.send(Message { head: &head, body: execution.cells() });
        };
        tell(1, 3, OrderState::Open, 0, 0);
        tell(2, 2, OrderState::Open, 0, 0);
        tell(2, 1, OrderState::Rejected, 0, 0);
        tell(2, 4, OrderState::Open, 0, 0);
        tell(2, 4, OrderState::PartiallyFilled, 2, 2);
        tell(2, 2, OrderState::Filled, 5, 7);
        let all = counters.snapshot().unwrap();
        let of = |strategy: &str, name: &str| {
            let mut found = all.counters.iter().filter(|c| {
                c.strategy == strategy
                    && c.name == name
                    && c.instrument == table.get(InstrumentId(1)).unwrap().full_name()
            });
            let (one, none) = (found.next().unwrap(), found.next());
            assert!(none.is_none());
            one.signed()
        };
        let numbers = |strategy| {
            ["orders", "open_orders", "fills", "position", "pnl", "fees"].map(|name| of(strategy, name))
        };
        assert_eq!(numbers("mm"), [1, 1, 0, 0, 0, i64::MAX]);
        assert_eq!(numbers("other"), [3, 1, 2, 7, -49, i64::MAX]);
    }
}
