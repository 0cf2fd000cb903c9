//! `--signals` and `--candles`: rows of one instrument's signals after chosen lines, and its candles, written as the
//! stages run.

use super::rows::RowFile;
use engine::candle::Candle;
use engine::instrument::{ContractKind, Instrument};
use engine::message::Head;
use engine::num::{Decimal, Price, Step};
use std::fmt::Write as _;
use strategies::candles::TimeFrame;
use strategies::indicators::micro::{Level, Ratio};
use strategies::signal::{DEFAULT_FEATURES, Reading, SignalTap, Signals, SubscribeError, Subscriptions};

/// What writes rows of one instrument's signals.
pub(crate) struct SignalTaps {
    pub(crate) signals: Option<SignalRows>,
    pub(crate) candles: Vec<CandleRows>,
}

impl SignalTap for SignalTaps {
    fn line(&mut self, head: &Head, signals: &Signals) {
        if let Some(rows) = &mut self.signals {
            rows.line(head, signals);
        }
    }

    fn closed(&mut self, frame: TimeFrame, candle: &Candle) {
        for rows in self.candles.iter_mut().filter(|rows| rows.frame == frame) {
            rows.write(candle);
        }
    }

    fn forming(&mut self, frame: TimeFrame, candle: &Candle) {
        self.closed(frame, candle);
    }
}

/// Rows of `--signals`.
pub(crate) struct SignalRows {
    out: RowFile,
    instrument: Instrument,
    slots: Slots,
    /// Which file of the instrument's stream a connection is; none: of another instrument.
    file_of_connection: Vec<Option<usize>>,
}

/// Where the columns' features are.
pub(crate) struct Slots {
    plain: [usize; DEFAULT_FEATURES.len()],
    /// Buckets done, and the mean over the last ones.
    vpin: Option<[usize; 2]>,
}

impl Slots {
    /// Subscribes to the columns; `vpin_bucket` is the volume of a bucket.
    /// Err: a volume that no bucket can have.
    pub(crate) fn watch(
        subscriptions: &mut Subscriptions,
        instrument: &Instrument,
        vpin_bucket: Option<&str>,
    ) -> Result<Self, SubscribeError> {
        let all = subscriptions.watch(instrument, DEFAULT_FEATURES)?;
        let mut plain = [usize::MAX; DEFAULT_FEATURES.len()];
        plain.iter_mut().zip(all).for_each(|(slot, of)| *slot = of);
        let vpin = vpin_bucket.map(|bucket| {
            let names = [format!("vpin_buckets(20,{bucket})"), format!("vpin(20,{bucket})")];
            let slots = subscriptions.watch(instrument, names)?;
            Ok(std::array::from_fn(|index| slots.get(index).copied().unwrap_or(usize::MAX)))
        });
        Ok(Self { plain, vpin: vpin.transpose()? })
    }
}

impl SignalRows {
    /// Rows of `instrument` into `out`, after every line that the feed marks.
    pub(crate) fn new(
        out: RowFile,
        instrument: Instrument,
        slots: Slots,
        file_of_connection: Vec<Option<usize>>,
    ) -> Self {
        Self { out, instrument, slots, file_of_connection }
    }

    /// The header of a stream of so many files.
    pub(crate) fn header(files: usize) -> String {
        let file = if files > 1 { ",file" } else { "" };
        format!("{SIGNAL_COLUMNS}{file}\n")
    }

    fn line(&mut self, head: &Head, signals: &Signals) {
        let file = self.file_of_connection.get(head.connection.index()).copied().flatten();
        if let (Some(file), Some([bid, ask])) = (file, signals.best_levels()) {
            let row = self.row(head, file, bid, ask, signals);
            self.out.write(&row);
        }
    }

    fn row(&self, head: &Head, file: usize, bid: Level, ask: Level, signals: &Signals) -> String {
        let (tick, unit) = (self.instrument.price_rule.tick, self.instrument.qty_unit);
        let mut row = format!("{},{}", head.line, head.recv_ns.0);
        for level in [bid, ask] {
            if level.quantity > 0 {
                let (price, qty) = (Price(level.price).display(tick), unit.decimal(level.quantity.into()));
                // Writing into a string cannot fail.
                let _ = write!(row, ",{price},{qty}");
            } else {
                row.push_str(",,");
            }
        }
        let [spread, mid, micro_price, one, five, ten, bought, sold, flow, realised] =
            self.slots.plain.map(|slot| signals.read(slot));
        push(&mut row, exact(spread).map(|spread| tick.decimal(spread)));
        push(&mut row, exact(mid).map(|mid_x2| half(mid_x2, tick)));
        push_float(&mut row, in_quote(micro_price, tick));
        for ratio in [one, five, ten] {
            push_float(&mut row, ratio);
        }
        for volume in [bought, sold] {
            push(&mut row, exact(volume).map(|volume| sum(volume, unit)));
        }
        push_float(&mut row, flow);
        match self.slots.vpin.map(|slots| slots.map(|slot| signals.read(slot))) {
            Some([done, vpin]) => {
                push(&mut row, exact(done));
                push_float(&mut row, vpin);
            }
            None => row.push_str(",,"),
        }
        push_float(&mut row, realised);
        if self.file_of_connection.iter().flatten().count() > 1 {
            push(&mut row, Some(file));
        }
        row.push('\n');
        row
    }
}

/// Rows of `--candles`.
pub(crate) struct CandleRows {
    out: RowFile,
    frame: TimeFrame,
    instrument: Instrument,
}

impl CandleRows {
    /// Rows of `instrument`'s candles of `frame` into `out`.
    pub(crate) fn new(out: RowFile, frame: TimeFrame, instrument: Instrument) -> Self {
        Self { out, frame, instrument }
    }

    fn write(&mut self, candle: &Candle) {
        let Instrument { price_rule, qty_unit, contract_size, kind, .. } = &self.instrument;
        let tick = price_rule.tick;
        let mut row = candle.open_time.as_ms().to_string();
        for price in [candle.open, candle.high, candle.low, candle.close] {
            push(&mut row, Some(price.display(tick)));
        }
        // The digits of a product of what the venue prints.
        let digits = tick.digits() + qty_unit.digits() + contract_size.digits();
        let amount = |amount| {
            let amount = Decimal { digits, ..self.instrument.amount(amount) };
            let amount = if amount.mantissa == 0 { Decimal::ZERO } else { amount };
            (*kind != ContractKind::Inverse).then_some(amount)
        };
        push(&mut row, Some(sum(candle.volume.0.into(), *qty_unit)));
        push(&mut row, amount(candle.quote_volume));
        push(&mut row, Some(candle.trades));
        push(&mut row, Some(sum(candle.taker_buy_volume.0.into(), *qty_unit)));
        push(&mut row, amount(candle.taker_buy_quote_volume));
        push(&mut row, Some(candle.first_trade_id));
        push(&mut row, Some(candle.last_trade_id));
        row.push('\n');
        self.out.write(&row);
    }
}

/// The columns of `--candles`.
pub(crate) const CANDLE_HEADER: &str = "open_time_ms,open,high,low,close,volume,quote_volume,trades,\
taker_buy_volume,taker_buy_quote_volume,first_trade_id,last_trade_id\n";

/// The columns of `--signals`.
const SIGNAL_COLUMNS: &str = "line,recv_ns,bid_px,bid_qty,ask_px,ask_qty,spread,mid,microprice,imbalance_1,\
imbalance_5,imbalance_10,taker_buy_10s,taker_sell_10s,trade_flow_imbalance_10s,vpin_buckets_done,vpin_20,\
realised_vol_60s";

/// A cell; an empty one where there is nothing to say.
fn push(row: &mut String, cell: Option<impl std::fmt::Display>) {
    row.push(',');
    if let Some(cell) = cell {
        // Writing into a string cannot fail.
        let _ = write!(row, "{cell}");
    }
}

/// The shortest decimal that reads back as the same number.
fn push_float(row: &mut String, reading: Reading) {
    row.push(',');
    if let Some(number) = reading.value().get() {
        // Writing into a string cannot fail.
        let _ = write!(row, "{number:?}");
    }
}

/// The exact integer above the line.
fn exact(reading: Reading) -> Option<i128> {
    match reading {
        Reading::Exact(Ratio { numerator, denominator }) if denominator != 0 => Some(numerator),
        _ => None,
    }
}

/// Ticks as a price, rounded once.
fn in_quote(reading: Reading, tick: Step) -> Reading {
    let Reading::Exact(Ratio { numerator, denominator }) = reading else { return reading };
    let scale = 10_i128.pow(tick.exponent().into());
    let in_quote = numerator.checked_mul(tick.mantissa().into()).zip(denominator.checked_mul(scale));
    in_quote.map_or(reading, |(numerator, denominator)| Reading::Exact(Ratio { numerator, denominator }))
}

/// Half of so many ticks, exactly.
fn half(ticks: i128, tick: Step) -> Decimal {
    let mantissa = ticks.saturating_mul(i128::from(tick.mantissa()) * 5);
    Decimal { mantissa, exponent: tick.exponent() + 1, digits: tick.digits() }
}

/// A sum of quantities; nothing at all is a plain 0.
fn sum(units: i128, unit: Step) -> Decimal {
    if units == 0 { Decimal::ZERO } else { unit.decimal(units) }
}
