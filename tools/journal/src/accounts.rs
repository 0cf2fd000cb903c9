//! Profit and loss from the journal alone: every fill is booked anew, and must come to the position, cash and
//! fees that the engine wrote behind it.
//!
//! ```text
//! profit    = cash + what is held at the last mid
//! spread    = of each fill, what it was worth at the mid of its moment, less its price
//! inventory = profit - spread - funding: what the market did to what was held
//! markout   = of each fill, what it was worth at the mid so much later, less its price
//! ```
//!
//! Profit counts from the journal's start: what a run took over from the one before is valued at its first touch, and
//! what was held before a journal whose start is gone at the touch of its first fill.
//!
//! A mid is the mean of the values at bid and ask. Sums are of both values, so that they stay whole: twice the
//! amount, in units of the instrument's amount exponent.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use engine::fees::FeeRates;
use engine::ids::{InstrumentId, Lane, StrategyId};
use engine::instrument::Instrument;
use engine::journal::View;
use engine::journal::schema::{FundingBody, OpeningBody, RecordKind, Touch};
use engine::message::{Execution, i128_of};
use engine::num::{Level, NumError, Qty, Side};
use engine::position::Position;
use engine::time::Nanos;
use zerocopy::FromBytes;

use crate::context::Context;

/// Times after a fill at which it is valued.
pub(crate) const MARKOUTS: [Nanos; 3] = [Nanos(1_000_000_000), Nanos(10_000_000_000), Nanos(60_000_000_000)];

/// The accounts of a run, by strategy and instrument.
#[derive(Default)]
pub(crate) struct Accounts {
    /// Whether the first record is the lane's first; None: there was none yet.
    begins_with_run: Option<bool>,
    fees: Option<FeeRates>,
    accounts: BTreeMap<(StrategyId, InstrumentId), Account>,
    touches: BTreeMap<InstrumentId, Touch>,
    /// Valuations that are still to come, by horizon: each in the order of its time.
    pending: [VecDeque<Pending>; MARKOUTS.len()],
    now: Nanos,
}

/// One strategy in one instrument.
pub(crate) struct Account {
    pub(crate) instrument: Instrument,
    pub(crate) position: Position,
    /// What was held before the journal's first fill.
    opening: Opening,
    pub(crate) maker_fills: u64,
    /// Value of all fills.
    pub(crate) volume: i128,
    /// Twice the spread captured.
    spread_x2: i128,
    /// Fills without a touch at their moment: their spread counts as nothing.
    pub(crate) untouched_fills: u64,
    pub(crate) markouts: [Markout; MARKOUTS.len()],
}

/// Zero where nothing was held.
#[derive(Clone, Copy, Debug, Default)]
struct Opening {
    held: Position,
    /// Twice cash and value at a mid. None: there was no touch yet.
    worth_x2: Option<i128>,
}

/// Fills valued some time later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Markout {
    pub(crate) fills: u64,
    /// Twice their sum.
    pub(crate) sum_x2: i128,
    /// Value of these fills.
    pub(crate) volume: i128,
    /// Fills that the run went on long enough for, but without a sound touch then.
    pub(crate) unpriced: u64,
}

/// One fill as it was booked.
pub(crate) struct Booked {
    pub(crate) execution: Execution,
    pub(crate) side: Side,
    /// In the settlement asset.
    pub(crate) value: i128,
    pub(crate) fee: i128,
}

struct Pending {
    due: Nanos,
    account: (StrategyId, InstrumentId),
    /// The fill alone.
    position: Position,
    value: i128,
}

impl Accounts {
    /// Empty. `fees` is what fills cost; None: the configuration does not say, and no fill can be booked.
    pub(crate) fn new(fees: Option<FeeRates>) -> Self {
        Self { fees, ..Self::default() }
    }

    /// Takes the next record of the gateway's lane, and returns the fill that it is.
    /// Err: the fill cannot be booked, or comes to something else than the engine wrote.
    pub(crate) fn take(&mut self, view: &View<'_>, context: &Context) -> Result<Option<Booked>, String> {
        if view.lane != Lane::Gateway {
            return Ok(None);
        }
        self.begins_with_run.get_or_insert(view.seq == 1);
        self.time_passes(view.entry.recv_ns);
        let malformed =
            || format!("record gateway:{}: {} bytes are no such record", view.seq, view.body.len());
        match RecordKind::from_u16(view.entry.kind) {
            Some(RecordKind::Touch) => {
                let touch = Touch::read_from_bytes(view.body).map_err(|_| malformed())?;
                self.touch_is(view.entry.instrument, touch);
                Ok(None)
            }
            Some(RecordKind::Opening) => {
                let body = OpeningBody::read_from_bytes(view.body).map_err(|_| malformed())?;
                let at = |what: String| format!("record gateway:{}: {what}", view.seq);
                self.open(view.entry.instrument, &body, context).map_err(at)?;
                Ok(None)
            }
            Some(RecordKind::Fill) => {
                let execution = Execution::read_from_bytes(view.body).map_err(|_| malformed())?;
                let at = |what: String| format!("record gateway:{}: {what}", view.seq);
                self.fill(view.entry.instrument, &execution, context).map(Some).map_err(at)
            }
            Some(RecordKind::Funding) => {
                let body = FundingBody::read_from_bytes(view.body).map_err(|_| malformed())?;
                let at = |what: String| format!("record gateway:{}: {what}", view.seq);
                self.fund(view.entry.instrument, &body).map_err(at)?;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// What a strategy holds where the lane says so. Err: the journal's fills come to something else.
    fn open(&mut self, id: InstrumentId, body: &OpeningBody, context: &Context) -> Result<(), String> {
        let touch = self.touch(id);
        match self.accounts.entry((StrategyId(body.strategy), id)) {
            Entry::Occupied(entry) => {
                let account = entry.get();
                account.check(body.qty, i128_of(body.cash), i128_of(body.fees))
            }
            Entry::Vacant(entry) => {
                entry.insert(Account::new(context.instrument(id)?)).open_with(&body.position(), touch)
            }
        }
    }

    /// The market is there from now on; what was held before is worth what it says.
    fn touch_is(&mut self, id: InstrumentId, touch: Touch) {
        self.touches.insert(id, touch);
        if touch.has_both_sides() {
            let of = self.accounts.iter_mut().filter(|((_, of), _)| *of == id);
            of.for_each(|(_, account)| account.value_opening(&touch));
        }
    }

    /// Funding on what is held. Of what was held before a journal whose start is gone nothing is known yet.
    fn fund(&mut self, id: InstrumentId, body: &FundingBody) -> Result<(), String> {
        let Some(account) = self.accounts.get_mut(&(StrategyId(body.strategy), id)) else {
            let begins = self.begins_with_run == Some(true);
            return if begins { Err("funding of a position that no fill opened".into()) } else { Ok(()) };
        };
        let (by, told) = ((body.mark_e8, body.rate_e8), i128_of(body.received));
        let received = account.position.fund_as_told(&account.instrument, by, told);
        let received = received.map_err(|error| error.to_string())?;
        let position = &account.position;
        if (position.qty, received, position.cash) == (body.qty, i128_of(body.received), i128_of(body.cash)) {
            return Ok(());
        }
        let amount = |amount| account.instrument.amount(amount);
        Err(format!(
            "the journal's funding comes to {}, cash {}; the engine wrote {}, cash {}",
            amount(received),
            amount(position.cash),
            amount(i128_of(body.received)),
            amount(i128_of(body.cash)),
        ))
    }

    /// The lane has ended: valuations that were due until then are done.
    pub(crate) fn finish(&mut self) {
        self.time_passes(Nanos(self.now.0.saturating_add(1)));
        self.pending = Default::default();
    }

    /// By strategy and instrument.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (StrategyId, &Account)> {
        self.accounts.iter().map(|((strategy, _), account)| (*strategy, account))
    }

    /// The last touch of an instrument, in doubt or not.
    pub(crate) fn touch(&self, id: InstrumentId) -> Option<Touch> {
        self.touches.get(&id).copied().filter(Touch::has_both_sides)
    }

    fn fill(&mut self, id: InstrumentId, execution: &Execution, context: &Context) -> Result<Booked, String> {
        let side = Side::BOTH.into_iter().find(|side| *side as u8 == execution.side).ok_or("no such side")?;
        let touch = self.touch(id);
        let key = (execution.strategy, id);
        let fill = execution.fill;
        let arithmetic = |error: NumError| error.to_string();
        let account = match self.accounts.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Account::new(context.instrument(id)?)),
        };
        let instrument = &account.instrument;
        let value = instrument.notional(fill.price, fill.qty).map_err(arithmetic)?;
        let fee = if execution.is_charged == 1 {
            i128::from(execution.fee)
        } else {
            let rates = self.fees.ok_or("the configuration does not say what fills cost: no [fees]")?;
            rates.fee_ceil(instrument, fill.price, fill.qty, execution.maker == 1).map_err(arithmetic)?
        };
        let alone = account.alone(side, fill)?;
        if account.position.fills == 0 && self.begins_with_run == Some(false) {
            account.open_before(execution, side, fee, touch)?;
        }
        account
            .position
            .fill_charged(&account.instrument, side, fill, fee, execution.fee_qty)
            .map_err(arithmetic)?;
        account.check(execution.position, i128_of(execution.cash), i128_of(execution.fees))?;
        account.maker_fills += u64::from(execution.maker == 1);
        account.volume = sum(account.volume, value)?;
        match touch {
            Some(touch) => account.spread_x2 = sum(account.spread_x2, account.worth_x2(&alone, &touch)?)?,
            None => account.untouched_fills += 1,
        }
        for (pending, after) in self.pending.iter_mut().zip(MARKOUTS) {
            pending.push_back(Pending { due: self.now.plus(after), account: key, position: alone, value });
        }
        Ok(Booked { execution: *execution, side, value, fee })
    }

    /// A record of this time comes next: what was due before it is valued at the touch until then.
    fn time_passes(&mut self, now: Nanos) {
        for (horizon, pending) in self.pending.iter_mut().enumerate() {
            while let Some(due) = pending.pop_front_if(|next| next.due < now) {
                let Some(account) = self.accounts.get_mut(&due.account) else { continue };
                let touch = self.touches.get(&due.account.1).filter(|touch| touch.is_sound());
                let worth = touch.and_then(|touch| account.worth_x2(&due.position, touch).ok());
                let markout = &mut account.markouts[horizon];
                match worth.and_then(|worth| markout.sum_x2.checked_add(worth)) {
                    Some(sum_x2) => {
                        let volume = markout.volume.saturating_add(due.value);
                        *markout = Markout { fills: markout.fills + 1, sum_x2, volume, ..*markout };
                    }
                    None => markout.unpriced += 1,
                }
            }
        }
        self.now = self.now.max(now);
    }
}

impl Account {
    fn new(instrument: Instrument) -> Self {
        Self {
            instrument,
            position: Position::default(),
            opening: Opening { held: Position::default(), worth_x2: Some(0) },
            maker_fills: 0,
            volume: 0,
            spread_x2: 0,
            untouched_fills: 0,
            markouts: Default::default(),
        }
    }

    /// What was there before the first fill of a journal whose start is gone: what the engine wrote, less the fill.
    fn open_before(
        &mut self,
        first: &Execution,
        side: Side,
        fee: i128,
        touch: Option<Touch>,
    ) -> Result<(), String> {
        let mut alone = Position::default();
        let charged = alone.fill_charged(&self.instrument, side, first.fill, fee, first.fee_qty);
        charged.map_err(|error| error.to_string())?;
        let overflow = || NumError::Overflow.to_string();
        let held = Position {
            qty: Qty(first.position.0.checked_sub(alone.qty.0).ok_or_else(overflow)?),
            cash: i128_of(first.cash).checked_sub(alone.cash).ok_or_else(overflow)?,
            fees: i128_of(first.fees).checked_sub(alone.fees).ok_or_else(overflow)?,
            ..Position::default()
        };
        self.open_with(&held, touch)
    }

    /// Begins with what is held already. Its fills and volumes are not this journal's.
    fn open_with(&mut self, held: &Position, touch: Option<Touch>) -> Result<(), String> {
        self.position = Position {
            qty: held.qty,
            cash: held.cash,
            fees: held.fees,
            cost: held.cost,
            ..Position::default()
        };
        let worth_x2 = match touch {
            Some(touch) => Some(self.worth_x2(&self.position, &touch)?),
            None if held.qty.0 == 0 => held.cash.checked_mul(2),
            None => None,
        };
        self.opening = Opening { held: self.position, worth_x2 };
        Ok(())
    }

    /// The first touch there is values what was held. A fill before it has no touch to be valued at.
    fn value_opening(&mut self, touch: &Touch) {
        if self.opening.worth_x2.is_none() {
            self.opening.worth_x2 = self.worth_x2(&self.opening.held, touch).ok();
        }
    }

    /// The fill as a position of its own, without its fee.
    fn alone(&self, side: Side, fill: Level) -> Result<Position, String> {
        let mut position = Position::default();
        position.fill(&self.instrument, side, fill.price, fill.qty, 0).map_err(|error| error.to_string())?;
        Ok(position)
    }

    /// Twice what a position and its cash are worth at a touch's mid.
    fn worth_x2(&self, position: &Position, touch: &Touch) -> Result<i128, String> {
        let at = |price| position.pnl_at(&self.instrument, price).map_err(|error| error.to_string());
        sum(at(touch.bid)?, at(touch.ask)?)
    }

    /// Err: the engine wrote something else.
    fn check(&self, qty: Qty, cash: i128, fees: i128) -> Result<(), String> {
        let Position { qty: own_qty, cash: own_cash, fees: own_fees, .. } = self.position;
        if (own_qty, own_cash, own_fees) == (qty, cash, fees) {
            return Ok(());
        }
        let say = |qty: Qty, cash: i128, fees: i128| {
            format!(
                "position {}, cash {}, fees {}",
                qty.display(self.instrument.qty_unit),
                self.instrument.amount(cash),
                self.instrument.amount(fees)
            )
        };
        Err(format!(
            "the journal's fills come to {}, the engine wrote {}",
            say(own_qty, own_cash, own_fees),
            say(qty, cash, fees),
        ))
    }

    /// Fees paid for the journal's fills.
    pub(crate) fn fees(&self) -> i128 {
        self.position.fees.saturating_sub(self.opening.held.fees)
    }

    /// Funding received on what the journal's fills left; negative: paid.
    pub(crate) const fn funding(&self) -> i128 {
        self.position.funding
    }

    /// What was held when the journal begins.
    pub(crate) const fn opening_qty(&self) -> Qty {
        self.opening.held.qty
    }

    /// Twice the spread captured.
    pub(crate) const fn spread_x2(&self) -> i128 {
        self.spread_x2
    }

    /// Twice the profit since the journal's start, fees not included. None: something is held and there is
    /// no touch to value it at; overflow.
    pub(crate) fn pnl_x2(&self, touch: Option<Touch>) -> Option<i128> {
        let flat = || (self.position.qty.0 == 0).then(|| self.position.cash.checked_mul(2)).flatten();
        let worth = match touch {
            Some(touch) => self.worth_x2(&self.position, &touch).ok(),
            None => flat(),
        };
        worth?.checked_sub(self.opening.worth_x2?)
    }
}

fn sum(one: i128, other: i128) -> Result<i128, String> {
    one.checked_add(other).ok_or_else(|| NumError::Overflow.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::fees::FeesConfig;
    use engine::journal::Entry;
    use engine::message::words_of;
    use engine::num::{Decimal, Price};
    use proptest::prelude::*;
    use zerocopy::IntoBytes;

    const INSTRUMENTS: &str = r#"
[[instrument]]
id = 0
venue = "binance-usdm"
symbol = "BTCUSDT"
base = "BTC"
quote = "USDT"
kind = "linear"
tick = "0.10"
qty_unit = "0.001"
contract_size = "1"
amount_digits = 8

[[instrument]]
id = 1
venue = "binance-coinm"
symbol = "BTCUSD_PERP"
base = "BTC"
quote = "USD"
kind = "inverse"
tick = "0.1"
qty_unit = "1"
contract_size = "100"
amount_digits = 18
"#;

    /// A record of the gateway's lane.
    #[derive(Clone, Debug)]
    struct Record(RecordKind, u32, u64, Vec<u8>);

    /// A gateway that adds up by hand: `value x qty` of linear contracts, `100 x qty / price` of inverse ones.
    #[derive(Default)]
    struct Naive {
        position: i64,
        cash: i128,
        fees: i128,
    }

    impl Naive {
        /// What the gateway writes of a fill of so many units (negative: sold) at so many ticks.
        fn fill(&mut self, instrument: u32, price: i64, signed: i64, maker: bool) -> Execution {
            let qty = i128::from(signed.abs());
            let value = match instrument {
                // Price and quantity come in four digits, amounts in eight.
                0 => i128::from(price) * qty * 10_000,
                _ => qty * 100 * 10_i128.pow(19) / i128::from(price),
            };
            // 2 and 5 hundredths of a percent, rounded up.
            let rate = if maker { 2 } else { 5 };
            // Every third fill is charged what the venue says, whatever the rates are.
            let is_charged = price % 3 == 0;
            let fee = if is_charged { i128::from(price) } else { (value * rate + 9_999) / 10_000 };
            self.fees += fee;
            let spends = (signed > 0) == (instrument == 0);
            // What is sold of an inverse contract is owed: floor of the value below zero.
            let value = match instrument {
                1 if signed < 0 && qty * 100 * 10_i128.pow(19) % i128::from(price) != 0 => value + 1,
                _ => value,
            };
            self.cash += if spends { -value } else { value };
            self.position += signed;
            Execution {
                order_seq: 1,
                fill: Level { price: Price(price), qty: Qty(signed.abs()) },
                side: u8::from(signed < 0),
                maker: u8::from(maker),
                strategy: StrategyId(1),
                position: Qty(self.position),
                cash: words_of(self.cash),
                fees: words_of(self.fees),
                fee: i64::try_from(fee).unwrap(),
                is_charged: u8::from(is_charged),
                ..Execution::default()
            }
        }
    }

    fn touch(instrument: u32, ms: u64, bid: i64, ask: i64) -> Record {
        let body = Touch { bid: Price(bid), ask: Price(ask), state: 0, from_ticker: 0 };
        Record(RecordKind::Touch, instrument, ms, body.as_bytes().to_vec())
    }

    fn filled(instrument: u32, ms: u64, told: &Execution) -> Record {
        Record(RecordKind::Fill, instrument, ms, told.as_bytes().to_vec())
    }

    fn accounts(first_seq: u64, records: &[Record]) -> Result<Accounts, String> {
        let context = Context::parse(INSTRUMENTS).unwrap();
        let bps = |text| Decimal::parse(text).unwrap();
        let fees = FeesConfig { maker_bps: bps("2"), taker_bps: bps("5") }.check().unwrap();
        let mut accounts = Accounts::new(Some(fees));
        for (seq, Record(kind, instrument, ms, body)) in (first_seq..).zip(records) {
            let recv_ns = Nanos::from_ms(1_000_000 + *ms);
            let instrument = InstrumentId(*instrument);
            let entry = Entry { kind: *kind as u16, instrument, recv_ns, ..Entry::default() };
            accounts.take(&View { lane: Lane::Gateway, seq, entry, body }, &context)?;
        }
        accounts.finish();
        Ok(accounts)
    }

    fn only(accounts: &Accounts) -> &Account {
        accounts.iter().next().unwrap().1
    }

    #[test]
    fn spread_inventory_and_markouts_are_those_of_a_market_worked_out_by_hand() {
        let mut gateway = Naive::default();
        let records = [
            touch(0, 0, 600_000, 600_010),
            filled(0, 0, &gateway.fill(0, 600_000, 1_000, true)), // half a dollar below the mid
            touch(0, 900, 600_020, 600_030),
            touch(0, 1_001, 600_900, 600_910),
            touch(0, 5_000, 600_040, 600_060),
            filled(0, 6_000, &gateway.fill(0, 600_060, -400, false)), // a dollar above the mid
            touch(0, 10_000, 600_100, 600_110),
        ];
        let accounts = accounts(1, &records).unwrap();
        let account = only(&accounts);
        let dollars = |ticks_x2: i128| ticks_x2 * 10_000_000; // of one coin, twice, in 10^-8
        assert_eq!(account.spread_x2(), dollars(10) + dollars(20) * 4 / 10);
        let pnl_x2 = account.pnl_x2(accounts.touch(InstrumentId(0))).unwrap();
        // Held: one coin from 60,000.50 to 60,005, then 0.6 of it to 60,010.50.
        assert_eq!(pnl_x2 - account.spread_x2(), dollars(90) + dollars(110) * 6 / 10);
        let [after_1_s, after_10_s, after_60_s] = account.markouts;
        // The first at 60,002.50, the touch a second after it; the second at its own touch, still there.
        assert_eq!((after_1_s.fills, after_1_s.sum_x2), (2, dollars(50) + dollars(20) * 4 / 10));
        assert_eq!((after_10_s.fills, after_10_s.sum_x2), (1, dollars(210)));
        assert_eq!(after_60_s, Markout::default());
        assert_eq!((account.maker_fills, account.position.fills), (1, 2));
    }

    #[test]
    fn a_moment_without_a_sound_touch_has_no_markout() {
        let mut gateway = Naive::default();
        let stale = Touch { state: 2, ..Touch::default() };
        let records = [
            touch(0, 0, 600_000, 600_010),
            filled(0, 0, &gateway.fill(0, 600_000, 1, true)),
            Record(RecordKind::Touch, 0, 500, stale.as_bytes().to_vec()),
            touch(0, 20_000, 600_000, 600_010),
        ];
        let [after_1_s, ..] = only(&accounts(1, &records).unwrap()).markouts;
        assert_eq!(after_1_s, Markout { unpriced: 1, ..Markout::default() });
    }

    #[test]
    fn a_journal_whose_start_is_gone_begins_with_what_was_held_and_one_that_is_whole_does_not() {
        let mut gateway = Naive::default();
        let before = gateway.fill(0, 600_000, 1_000, true);
        let after = gateway.fill(0, 601_000, -400, true);
        let records = [touch(0, 0, 600_990, 601_010), filled(0, 1, &after)];
        let cut = accounts(700, &records).unwrap();
        let account = only(&cut);
        assert_eq!((account.opening_qty(), account.position.qty), (before.position, after.position));
        // Sold at the mid at which what was held is taken over: nothing was earned.
        assert_eq!(account.pnl_x2(cut.touch(InstrumentId(0))), Some(0));
        assert_eq!(account.fees(), i128_of(after.fees) - i128_of(before.fees));
        let error = accounts(1, &records).err().unwrap();
        assert!(error.contains("record gateway:2") && error.contains("position -0.400"), "{error}");
    }

    #[test]
    fn a_run_that_goes_on_begins_with_what_the_one_before_left_and_counts_from_its_first_touch() {
        let mut gateway = Naive::default();
        gateway.fill(0, 590_000, 1_000, true); // of the run before
        let left = Position {
            qty: Qty(gateway.position),
            cash: gateway.cash,
            cost: -gateway.cash,
            fees: gateway.fees,
            fills: 7,
            bought: 3_000,
            sold: 2_000,
            funding: 0,
        };
        let opening = OpeningBody::new(StrategyId(1), &left);
        let opened = |body: &OpeningBody| Record(RecordKind::Opening, 0, 0, body.as_bytes().to_vec());
        let market = [touch(0, 1, 599_990, 600_010), touch(0, 2, 600_090, 600_110)];
        let fees = gateway.fees;
        let sold = filled(0, 2, &gateway.fill(0, 600_100, -400, true));
        let records = [opened(&opening), market[0].clone(), market[1].clone(), sold.clone()];
        let booked = accounts(1, &records).unwrap();
        let account = only(&booked);
        assert_eq!((account.opening_qty(), account.position.qty), (Qty(1_000), Qty(600)));
        let Position { fills, bought, sold: sold_qty, .. } = account.position;
        assert_eq!((fills, bought, sold_qty), (1, 0, 400), "the fills of the run before are not counted");
        assert_eq!(account.fees(), gateway.fees - fees);
        // One coin from 60,000 to 60,010, where the fill was at the mid: ten dollars, whatever was paid for it before.
        assert_eq!(account.pnl_x2(booked.touch(InstrumentId(0))), Some(2 * 1_000_000_000));
        let wrong = OpeningBody { qty: Qty(999), ..opening };
        let error = accounts(1, &[opened(&wrong), market[0].clone(), sold]).err().unwrap();
        assert!(error.contains("record gateway:3") && error.contains("position 0.599"), "{error}");
        // What is said again while the run goes on must be what the fills come to.
        let again = OpeningBody { qty: account.position.qty, ..opening };
        let error = accounts(1, &[&records[..], &[opened(&again)]].concat()).err().unwrap();
        assert!(error.contains("record gateway:5"), "the cash is another: {error}");
    }

    #[test]
    fn funding_is_booked_beside_spread_and_inventory_and_must_be_what_the_gateway_wrote() {
        let mut gateway = Naive::default();
        let opened = filled(0, 0, &gateway.fill(0, 600_000, 1_000, true));
        // One coin at 60,001, of it 0.01 %: 6.0001 dollars.
        let received = -600_010_000;
        gateway.cash += received;
        let body = FundingBody {
            qty: Qty(1_000),
            mark_e8: 6_000_100_000_000,
            rate_e8: 10_000,
            received: words_of(received),
            cash: words_of(gateway.cash),
            strategy: 1,
            ..FundingBody::default()
        };
        let funded = |body: &FundingBody| Record(RecordKind::Funding, 0, 5, body.as_bytes().to_vec());
        let closed = filled(0, 9, &gateway.fill(0, 600_010, -1_000, true));
        let records = [touch(0, 0, 600_000, 600_010), opened.clone(), funded(&body), closed.clone()];
        let booked = accounts(1, &records).unwrap();
        assert_eq!((only(&booked).funding(), only(&booked).position.cash), (received, gateway.cash));
        let wrong = FundingBody { received: words_of(received + 1), ..body };
        let records = [touch(0, 0, 600_000, 600_010), opened, funded(&wrong), closed];
        let error = accounts(1, &records).err().unwrap();
        assert!(error.contains("record gateway:3") && error.contains("-6.0001"), "{error}");
    }

    proptest! {
        /// The journal's fills come to the gateway's position, cash and fees after every fill, and to no other.
        #[test]
        fn fills_come_to_what_the_gateway_wrote(
            fills in proptest::collection::vec((0_u32..2, 1_000_i64..2_000_000, -5_000_i64..5_000, any::<bool>(), 1_i64..100), 1..40),
            spoilt in any::<prop::sample::Index>(),
            field in 0_usize..3,
        ) {
            let mut gateways = [Naive::default(), Naive::default()];
            let (mut records, mut places) = (Vec::new(), Vec::new());
            // Of the linear contract, twice: what each position earned from one mid to the next.
            let (mut inventory_x2, mut held, mut mid_x2) = (0_i128, 0_i128, None::<i128>);
            for (ms, (instrument, price, signed, maker, width)) in (0..).zip(&fills) {
                let signed = if *signed == 0 { 1 } else { *signed };
                let gateway = &mut gateways[*instrument as usize];
                records.push(touch(*instrument, ms, *price, price + width));
                places.push(records.len());
                records.push(filled(*instrument, ms, &gateway.fill(*instrument, *price, signed, *maker)));
                if *instrument == 0 {
                    let mid = i128::from(2 * price + width);
                    inventory_x2 += held * (mid - mid_x2.unwrap_or(mid));
                    (held, mid_x2) = (held + i128::from(signed) * 10_000, Some(mid));
                }
            }
            let booked = accounts(1, &records).unwrap();
            for (_, account) in booked.iter() {
                let gateway = &gateways[account.instrument.id.index()];
                prop_assert_eq!(account.position.qty, Qty(gateway.position));
                prop_assert_eq!((account.position.cash, account.fees()), (gateway.cash, gateway.fees));
                if account.instrument.id == InstrumentId(0) {
                    let pnl_x2 = account.pnl_x2(booked.touch(InstrumentId(0))).unwrap();
                    prop_assert_eq!(pnl_x2 - account.spread_x2(), inventory_x2);
                }
            }
            // Position, cash and fees behind the fill: where an execution has them.
            let place = *spoilt.get(&places);
            records[place].3[[56, 64, 96][field]] ^= 1;
            let error = accounts(1, &records).err().unwrap();
            let record = format!("record gateway:{}", place + 1);
            prop_assert!(error.contains(&record), "{} in {}", record, error);
        }
    }
}
