//! The strategy stage: hands the market and executions to the strategies, journals the targets they state, and
//! passes both on. It has several inputs, and journals the order in which it took them.

use crate::registry::StrategyConfig;
use crate::script::{Due, Script};
use crate::signal::Subscriptions;
use crate::strategy::{
    Context, Event, Holding, MarketView, NEVER, Own, ParamDesc, Slot, Strategy, Touch, What,
};
use engine::commands::{Action, CommandInput, Outcome, Param, Taken};
use engine::counters::{Counter, Counters, CountersError, Desc, Unit};
use engine::decisions::{COMMANDS_INPUT, EXECUTIONS_INPUT, MARKET_INPUT};
use engine::ids::{AccountId, Cause, InstrumentId, StrategyId};
use engine::instrument::{Instrument, InstrumentTable};
use engine::journal::schema::{ParamChange, RecordKind};
use engine::message::{
    BookChanged, ClosedCandle, Execution, Head, Kind, Message, QuoteReason, Quotes, Trade, i128_of,
};
use engine::order::OrderState;
use engine::ring::{BATCH_MAX, RingReceiver, is_end};
use engine::stage::{Nowhere, Sink, Stage};
use engine::stage_log::StageLog;
use engine::time::Nanos;
use std::ops::ControlFlow;

/// The fourth stage.
pub struct StrategyStage {
    hosts: Vec<Host>,
    /// By instrument.
    market: Vec<MarketView>,
    /// Who trades it, by instrument.
    routes: Vec<Box<[Route]>>,
    /// Executions from the gateway.
    executions: RingReceiver,
    /// What operators ask for.
    commands: Option<CommandInput>,
    /// Some strategy's answer to executions waits for room.
    unanswered: bool,
    /// Time passes before a message: what operators ask for waits until that is here, so that it lies between two
    /// messages and never between two moments, of which nothing keeps the order.
    is_advancing: bool,
    /// The last input from the market.
    last: Head,
    /// The market has ended: what is stated from here on reaches no gateway.
    ended: bool,
    settled: bool,
    /// In which order to take inputs, where a recorded run is repeated.
    script: Option<Box<Script>>,
    log: StageLog,
}

/// A strategy and what the stage keeps for it.
struct Host {
    name: String,
    strategy: Box<dyn Strategy>,
    own: Own,
    params: &'static [ParamDesc],
    check: fn(&[i64]) -> Result<(), &'static str>,
    param_counters: Vec<Counter>,
    is_started: bool,
}

/// Which slot of which strategy an instrument belongs to.
#[derive(Clone, Copy)]
struct Route {
    host: usize,
    slot: usize,
}

/// Commands taken at once: there is room for what one leads to.
const COMMANDS_MAX: u32 = 1;

impl StrategyStage {
    /// The strategies in the order of the configuration, numbered from 1. What they want to see is added to
    /// `subscriptions`.
    /// Err: a strategy's instrument that the run does not have; a feature that nobody computes.
    pub fn new(
        table: &InstrumentTable,
        configs: &[StrategyConfig],
        subscriptions: &mut Subscriptions,
        executions: RingReceiver,
        log: StageLog,
    ) -> Result<Self, String> {
        let hosts =
            (1..).zip(configs).map(|(id, config)| Host::new(StrategyId(id), config, table, subscriptions));
        let hosts = hosts.collect::<Result<Vec<_>, _>>()?;
        let route = |instrument: InstrumentId| {
            let of_host = |(host, one): (usize, &Host)| {
                let slot = one.own.slots.iter().position(|slot| slot.instrument.id == instrument)?;
                Some(Route { host, slot })
            };
            hosts.iter().enumerate().filter_map(of_host).collect()
        };
        let routes = table.iter().map(|instrument| route(instrument.id)).collect();
        let market = table.iter().map(|_| MarketView::default()).collect();
        let last = Head::new(Kind::Timer);
        let (commands, script, unanswered, is_advancing) = (None, None, false, false);
        let (ended, settled) = (false, false);
        Ok(Self {
            hosts,
            market,
            routes,
            executions,
            commands,
            unanswered,
            is_advancing,
            last,
            ended,
            settled,
            script,
            log,
        })
    }

    /// Publishes why each strategy is not quoting, and its parameters. Err: the counters are full.
    pub fn counting(mut self, counters: &mut Counters) -> Result<Self, CountersError> {
        let reasons = QuoteReason::ALL.map(QuoteReason::name);
        for host in &mut self.hosts {
            for slot in &mut host.own.slots {
                let name = slot.instrument.full_name();
                let desc = Desc::reason("not_quoting", "Why it is not quoting", &reasons);
                let desc = desc.of_strategy(&host.name).on_instrument(&name);
                let mut reason = counters.register("strategy", &desc)?;
                reason.set(QuoteReason::NoData as u64);
                slot.reason = Some(reason);
            }
            for (param, value) in host.params.iter().zip(&host.own.params) {
                let name = format!("param_{}", param.name);
                let help = format!("{}; in 10^-{}", param.help, param.digits);
                let desc = Desc::gauge(&name, Unit::Count, &help).of_strategy(&host.name);
                let mut counter = counters.register("strategy", &desc)?;
                counter.set_signed(*value);
                host.param_counters.push(counter);
            }
        }
        Ok(self)
    }

    /// Quotes that can be stated at once at most: one for each instrument of each strategy.
    #[must_use]
    pub fn slot_count(&self) -> usize {
        self.hosts.iter().map(|host| host.own.slots.len()).sum()
    }

    /// Takes commands too.
    #[must_use]
    pub fn taking(self, commands: CommandInput) -> Self {
        Self { commands: Some(commands), ..self }
    }

    /// Takes its inputs in the order in which a recorded run took them, commands included. `executions` comes from the
    /// gateway in the place of the ring it was made with.
    #[must_use]
    pub fn repeating(self, script: Script, executions: RingReceiver) -> Self {
        Self { script: Some(Box::new(script)), executions, commands: None, ..self }
    }

    /// The stage's journal lane.
    pub fn log_mut(&mut self) -> &mut StageLog {
        &mut self.log
    }

    /// Does what operators ask for, at the last input's time.
    #[cold]
    fn command<S: Sink>(&mut self, command: &Taken<'_>, out: &mut S) -> (Outcome, Cause) {
        // What is for the gateway does not reach it once the market has ended.
        let is_passed_on =
            matches!(command.body.action(), Some(Action::Order | Action::Cancel | Action::Flatten));
        if self.settled || self.ended && is_passed_on {
            return (Outcome::TooLate, Cause::NONE);
        }
        let head = Head { kind_code: command.head.kind_code, cause: command.head.cause, ..self.last };
        let Self { hosts, market, log, .. } = self;
        log.took(COMMANDS_INPUT, &head);
        log.flush_took();
        let Some(journal) = log.record(RecordKind::Command, &head, command.cells) else {
            return (Outcome::NotJournalled, Cause::NONE);
        };
        let head = Head { cause: journal, ..head };
        let body = command.body;
        match body.action() {
            Some(action @ (Action::Pause | Action::Resume)) => {
                for host in hosts.iter_mut().filter(|host| body.is_for(host.own.id)) {
                    host.own.is_paused = action == Action::Pause;
                    host.own.state_anew();
                    host.state(&head, log, out);
                }
            }
            Some(Action::CancelAll) => {
                for host in &mut *hosts {
                    host.own.want_none(|instrument| body.is_on(instrument));
                    host.state(&head, log, out);
                }
                // What no target knows of is the gateway's to cancel.
                pass_on(&head, command, out);
            }
            Some(Action::Order | Action::Cancel) => pass_on(&head, command, out),
            Some(Action::Flatten) => {
                // Whoever quotes an instrument concerned takes all quotes back before its position is closed.
                for host in hosts.iter_mut().filter(|host| body.is_for(host.own.id)) {
                    if host.own.slots.iter().any(|slot| body.is_on(slot.instrument.id)) {
                        host.own.is_paused = true;
                        host.own.state_anew();
                        host.state(&head, log, out);
                    }
                }
                pass_on(&head, command, out);
            }
            Some(Action::Set) => {
                let Some(host) = host_of(hosts, body.strategy) else {
                    return (Outcome::Conflicting, journal);
                };
                match host.set_params(command.params, &head, market, log) {
                    Outcome::Accepted => host.state(&head, log, out),
                    refused => return (refused, journal),
                }
            }
            None => return (Outcome::Conflicting, journal),
        }
        (Outcome::Accepted, journal)
    }

    /// Takes up to `max` executions and tells the strategies. Returns how many there were, the end included.
    #[inline]
    fn execute(&mut self, max: u32) -> u32 {
        let Self { hosts, market, executions, unanswered, settled, log, .. } = self;
        executions.take(max, |message| {
            let head = message.head;
            if is_end(head) {
                log.flush_took();
                *settled = true;
                return ControlFlow::Break(());
            }
            log.took(EXECUTIONS_INPUT, head);
            if let (Some(execution), Some(host)) =
                (message.body_as::<Execution>(), host_of(hosts, head.strategy))
                && let Some(index) = host.own.slots.iter().position(|s| s.instrument.id == head.instrument)
            {
                let slot = &mut host.own.slots[index];
                slot.holding = Holding {
                    position: execution.position,
                    cash: i128_of(execution.cash),
                    pnl: i128_of(execution.pnl),
                    fees: i128_of(execution.fees),
                };
                // One event at a time, so that nothing depends on how many came together.
                host.tell(index, What::Execution(execution), head.recv_ns, market);
                if execution.state == OrderState::Filled as u8 {
                    host.own.state_again(index);
                }
                *unanswered |= host.own.answer_to(head);
            }
            ControlFlow::Continue(())
        })
    }

    /// Takes what came from behind and from operators since the last call. Returns how many there were.
    #[inline]
    fn take_from_behind<S: Sink>(&mut self, out: &mut S) -> u32 {
        if self.script.is_some() {
            return self.catch_up(out);
        }
        let mut commanded = 0;
        let is_asked = self.commands.as_ref().is_some_and(|commands| !commands.is_empty());
        if is_asked && !self.is_advancing && out.has_room() {
            if self.unanswered {
                self.answer(out);
            }
            if let Some(mut commands) = self.commands.take() {
                commanded = commands.take(COMMANDS_MAX, |command| self.command(&command, out));
                self.commands = Some(commands);
            }
        }
        if self.executions.is_empty() && !self.unanswered {
            return commanded;
        }
        let taken = self.execute(BATCH_MAX);
        if self.unanswered && out.has_room() {
            self.answer(out);
        }
        commanded + taken
    }

    /// In a repeated run: whether a message of the market comes when the script says so. What was to be taken before
    /// it has been, as far as it was there.
    #[cold]
    fn follow<S: Sink>(&mut self, head: &Head, out: &mut S) -> bool {
        self.catch_up(out);
        let Some(script) = &mut self.script else { return true };
        if is_end(head) {
            script.market_ended(self.last.recv_ns);
            return true;
        }
        script.takes_market(head.recv_ns)
    }

    /// In a repeated run: takes the executions and commands that the script has next, as far as they are there.
    #[cold]
    fn catch_up<S: Sink>(&mut self, out: &mut S) -> u32 {
        let Some(mut script) = self.script.take() else { return 0 };
        let mut work = 0;
        while let Some(due) = script.due() {
            match due {
                Due::Executions(count) => {
                    let taken = self.execute(count);
                    work += taken;
                    if self.settled {
                        script.executions_ended(self.last.recv_ns);
                    } else if script.took_executions(taken) && self.unanswered {
                        self.answer(out);
                    }
                    if taken < count {
                        break;
                    }
                }
                Due::Command if self.is_advancing => break,
                Due::Command => {
                    work += 1;
                    script.command(|command| _ = self.command(command, out));
                }
            }
        }
        if self.executions.is_behind() {
            script.fell_behind(self.last.recv_ns);
        }
        if script.has_stopped() || self.ended && script.is_at_its_end() {
            // Nothing more is decided; the way back must not fill up.
            let (executions, settled) = (&mut self.executions, &mut self.settled);
            work += executions.take(BATCH_MAX, |message| {
                *settled |= is_end(message.head);
                if !is_end(message.head) {
                    script.unknown_execution(message.head.recv_ns);
                }
                ControlFlow::Continue(())
            });
            self.log.flush_took();
        }
        self.script = Some(script);
        work
    }
}

/// Parameters that a strategy can have.
pub const PARAMS_MAX: usize = 64;

impl Stage for StrategyStage {
    const NAME: &'static str = "strategy";

    #[inline]
    fn on_message<S: Sink>(&mut self, message: Message<'_>, out: &mut S) {
        let head = message.head;
        self.is_advancing = false;
        if self.script.is_some() && !self.follow(head, out) {
            return;
        }
        if self.unanswered {
            // What executions led to comes before the next input, so that only their order counts.
            self.answer(out);
        }
        match head.kind() {
            Some(Kind::BookChanged) => {
                // The exchange sees the market before what a strategy makes of it.
                out.send(message);
                self.log.took(MARKET_INPUT, head);
                self.wake_before(head, out);
                if let Some(book) = message.body_as::<BookChanged>()
                    && let Some(view) = self.market.get_mut(head.instrument.index())
                {
                    let (bid, ask, state) = (book.bid, book.ask, book.state);
                    let touch = Touch { bid, ask, state, confirmed: head.recv_ns };
                    view.touch = touch;
                    self.tell(head, What::Book(touch), out);
                }
            }
            Some(Kind::Features) => {
                self.log.took(MARKET_INPUT, head);
                if let Some(view) = self.market.get_mut(head.instrument.index()) {
                    view.features.apply(&message);
                }
                self.tell(head, What::Features, out);
                self.wake(head, out);
            }
            Some(Kind::Trade) => {
                out.send(message);
                self.log.took(MARKET_INPUT, head);
                self.wake_before(head, out);
                if let Some(trade) = message.body_as::<Trade>() {
                    self.tell(head, What::Trade(trade), out);
                }
            }
            Some(Kind::Candle) => {
                self.log.took(MARKET_INPUT, head);
                if let Some(candle) = message.body_as::<ClosedCandle>() {
                    self.tell(head, What::Candle(candle), out);
                }
            }
            Some(Kind::Timer) => {
                out.send(message);
                self.log.took(MARKET_INPUT, head);
                self.last = *head;
                self.wake(head, out);
            }
            Some(Kind::End) => {
                // The end counts as an input: what is taken after it is told from what is taken before.
                if self.script.as_ref().is_none_or(|script| script.has_end()) {
                    self.log.took(MARKET_INPUT, &Head { recv_ns: self.last.recv_ns, ..*head });
                }
                self.log.flush_took();
                self.ended = true;
                out.send(message);
            }
            _ => {
                out.send(message);
                self.log.took(MARKET_INPUT, head);
            }
        }
    }

    /// Executions are always taken, so that the gateway is never kept waiting by a full ring that only this
    /// stage can empty; what they lead to waits until there is room for it.
    #[inline]
    fn advance<S: Sink>(&mut self, _now: Nanos, _out: &mut S) -> u32 {
        self.is_advancing = true;
        0
    }

    #[inline]
    fn settle<S: Sink>(&mut self, out: &mut S) -> u32 {
        if self.ended { self.take_from_behind(&mut Nowhere) } else { self.take_from_behind(out) }
    }

    fn halt(&mut self) {
        // Up to here the journal then says in which order the inputs were taken.
        self.log.flush_took();
    }

    #[inline]
    fn has_room(&mut self) -> bool {
        self.log.has_room()
    }

    fn is_settled(&self) -> bool {
        self.settled
    }
}

impl StrategyStage {
    /// Hands an event of an input to every strategy that trades the instrument.
    #[inline]
    fn tell<S: Sink>(&mut self, head: &Head, what: What<'_>, out: &mut S) {
        self.last = *head;
        let Some(routes) = self.routes.get(head.instrument.index()) else { return };
        for route in routes {
            let Some(host) = self.hosts.get_mut(route.host) else { continue };
            if !host.is_started {
                host.is_started = true;
                for index in 0..host.own.slots.len() {
                    host.tell(index, What::Started, head.recv_ns, &self.market);
                }
            }
            host.tell(route.slot, what, head.recv_ns, &self.market);
            host.state(head, &mut self.log, out);
        }
    }

    /// Deadlines that had come by the last input and that nothing of that input met.
    #[inline]
    fn wake_before<S: Sink>(&mut self, head: &Head, out: &mut S) {
        if head.recv_ns > self.last.recv_ns {
            let due = self.last.recv_ns;
            self.wake_due(due, head, out);
        }
    }

    /// Deadlines that have come with this input, which is complete.
    #[inline]
    fn wake<S: Sink>(&mut self, head: &Head, out: &mut S) {
        self.wake_due(head.recv_ns, head, out);
    }

    #[inline]
    fn wake_due<S: Sink>(&mut self, due: Nanos, head: &Head, out: &mut S) {
        for host in &mut self.hosts {
            if host.own.wake_at <= due {
                host.wake(due, head.recv_ns, &self.market);
                host.state(head, &mut self.log, out);
            }
        }
    }

    /// Passes on what executions led to, and says in the journal after which.
    fn answer<S: Sink>(&mut self, out: &mut S) {
        self.unanswered = false;
        let last = self.last;
        self.log.flush_took();
        for host in &mut self.hosts {
            host.state(&last, &mut self.log, out);
        }
    }
}

/// Hands a command on to the gateway, behind the targets that it led to.
fn pass_on<S: Sink>(head: &Head, command: &Taken<'_>, out: &mut S) {
    let (instrument, strategy) = (command.body.instrument, command.body.strategy);
    out.send(Message { head: &Head { instrument, strategy, ..*head }, body: command.cells });
}

/// The strategy of a number.
#[inline]
fn host_of(hosts: &mut [Host], strategy: StrategyId) -> Option<&mut Host> {
    hosts.get_mut(strategy.index().checked_sub(1)?)
}

impl Host {
    fn new(
        id: StrategyId,
        config: &StrategyConfig,
        table: &InstrumentTable,
        subscriptions: &mut Subscriptions,
    ) -> Result<Self, String> {
        let instruments = config.instruments_of(table)?;
        let strategy = (config.kind.make)(&instruments);
        let mut declare = |instrument: &Instrument| {
            let declared = subscriptions.declare(instrument, strategy.features());
            declared.map_err(|error| format!("[[strategy]] name = {:?}: {error}", config.name))
        };
        if config.kind.params.len() > PARAMS_MAX {
            return Err(format!("strategy {}: more than {PARAMS_MAX} parameters", config.kind.name));
        }
        let mut stated = Quotes::none(QuoteReason::NoData);
        stated.first.strategy = id;
        let slot = |instrument: Instrument| -> Result<Slot, String> {
            let features = declare(&instrument)?;
            Ok(Slot {
                instrument,
                holding: Holding::default(),
                wanted: Quotes::none(QuoteReason::NoData),
                stated,
                is_filled: false,
                is_dirty: false,
                wake_at: NEVER,
                features,
                reason: None,
                because: None,
            })
        };
        let slots = instruments.into_iter().map(slot).collect::<Result<Vec<_>, _>>()?;
        let own = Own {
            id,
            params: config.values.clone(),
            dirty: Vec::with_capacity(slots.len()),
            slots,
            wake_at: NEVER,
            is_paused: false,
        };
        let (params, check) = (config.kind.params, config.kind.check);
        let (name, param_counters) = (config.name.clone(), Vec::with_capacity(params.len()));
        Ok(Self { name, strategy, own, params, check, param_counters, is_started: false })
    }

    /// One virtual call.
    #[inline]
    fn tell(&mut self, index: usize, what: What<'_>, now: Nanos, market: &[MarketView]) {
        self.strategy.on_events(&[Event { index, what }], &mut Context::new(now, market, &mut self.own));
    }

    /// Hands out the deadlines that lie at or before `due`.
    fn wake(&mut self, due: Nanos, now: Nanos, market: &[MarketView]) {
        self.own.wake_at = NEVER;
        for index in 0..self.own.slots.len() {
            let Some(slot) = self.own.slots.get_mut(index) else { continue };
            if slot.wake_at <= due {
                slot.wake_at = NEVER;
                self.tell(index, What::Timer, now, market);
            }
            if let Some(slot) = self.own.slots.get(index) {
                self.own.wake_at = self.own.wake_at.min(slot.wake_at);
            }
        }
    }

    /// Sets parameters, all or none, and tells the strategy at one event.
    #[cold]
    fn set_params(
        &mut self,
        changes: &[Param],
        head: &Head,
        market: &[MarketView],
        log: &mut StageLog,
    ) -> Outcome {
        let mut values = [0; PARAMS_MAX];
        let Some(values) = values.get_mut(..self.own.params.len()) else { return Outcome::Conflicting };
        values.copy_from_slice(&self.own.params);
        for change in changes {
            let index = change.index as usize;
            let (Some(value), Some(param)) = (values.get_mut(index), self.params.get(index)) else {
                return Outcome::Conflicting;
            };
            if !(param.min..=param.max).contains(&change.value) {
                return Outcome::Conflicting;
            }
            *value = change.value;
        }
        if (self.check)(values).is_err() {
            return Outcome::Conflicting;
        }
        for change in changes {
            let index = u16::try_from(change.index).unwrap_or(u16::MAX);
            let body = ParamChange { strategy: self.own.id.0, index, reserved: 0, value: change.value };
            let head = Head { strategy: self.own.id, ..*head };
            if log.record(RecordKind::Param, &head, &body).is_none() {
                return Outcome::NotJournalled;
            }
        }
        self.own.params.copy_from_slice(values);
        for (counter, value) in self.param_counters.iter_mut().zip(values) {
            counter.set_signed(*value);
        }
        for index in 0..self.own.slots.len() {
            self.tell(index, What::Params, head.recv_ns, market);
        }
        Outcome::Accepted
    }

    /// Journals and passes on the quotes that are others than those stated before.
    #[inline]
    fn state<S: Sink>(&mut self, input: &Head, log: &mut StageLog, out: &mut S) {
        while let Some(index) = self.own.dirty.pop() {
            if let Some(slot) = self.own.slots.get_mut(index) {
                slot.state(self.own.id, self.own.is_paused, input, log, out);
            }
        }
    }
}

impl Own {
    /// Everything may have to be stated anew.
    fn state_anew(&mut self) {
        for index in 0..self.slots.len() {
            self.mark(index);
        }
    }

    /// A quote was filled whole: what is wanted is stated again, the same too, because only then does the gateway
    /// place it anew.
    #[inline]
    fn state_again(&mut self, index: usize) {
        if let Some(slot) = self.slots.get_mut(index) {
            slot.is_filled = true;
            self.mark(index);
        }
    }

    #[inline]
    fn mark(&mut self, index: usize) {
        if let Some(slot) = self.slots.get_mut(index).filter(|slot| !slot.is_dirty) {
            slot.is_dirty = true;
            self.dirty.push(index); // as much room as there are slots
        }
    }

    /// Forgets what is wanted on some instruments; the strategy may want the same again with its next event.
    fn want_none(&mut self, on: impl Fn(InstrumentId) -> bool) {
        for slot in self.slots.iter_mut().filter(|slot| on(slot.instrument.id)) {
            slot.wanted = Quotes::none(QuoteReason::NotWanted);
        }
        self.state_anew();
    }

    /// Notes which execution the quotes that wait are an answer to. True: some wait.
    fn answer_to(&mut self, execution: &Head) -> bool {
        for index in &self.dirty {
            if let Some(slot) = self.slots.get_mut(*index) {
                slot.because = Some(*execution);
            }
        }
        !self.dirty.is_empty()
    }
}

impl Slot {
    /// Journals the target and passes it on, when it is another. One that cannot be journalled is not stated.
    #[inline]
    fn state<S: Sink>(
        &mut self,
        strategy: StrategyId,
        is_paused: bool,
        input: &Head,
        log: &mut StageLog,
        out: &mut S,
    ) {
        self.is_dirty = false;
        let because = self.because.take();
        let mut target = if is_paused { Quotes::none(QuoteReason::Stopped) } else { self.wanted };
        target.first.strategy = strategy;
        let is_again = std::mem::take(&mut self.is_filled) && !target.is_empty();
        if target == self.stated && !is_again {
            return;
        }
        if let Some(counter) = &mut self.reason {
            counter.set(target.reason() as u64);
        }
        let input = because.as_ref().unwrap_or(input);
        let instrument = self.instrument.id;
        let mut head = Head { instrument, strategy, account: AccountId(0), ..input.derive(Kind::Target) };
        let Some(cause) = log.record(RecordKind::Target, &head, target.used_cells()) else { return };
        head.cause = cause;
        out.send(Message { head: &head, body: target.used_cells() });
        self.stated = target;
    }
}
