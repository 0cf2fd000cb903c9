//! One market while it runs: its rules, its book, what it remembers.

use super::amount::{Amount, Rate};
use super::event::{AssetId, Quote};
use super::filters::Filters;
use super::funding::MarkState;
use super::listing::{ConfigError, FuturesTerms, Listing, Product};
use super::matcher::Matcher;
use super::order::SelfTrade;
use super::stops::Stops;
use super::tape::Tape;
use engine::book::BookSide;
use engine::ids::InstrumentId;
use engine::instrument::{ContractKind, Instrument, Status};
use engine::num::{Decimal, NumError, Price, Qty};
use engine::time::Nanos;

/// One market.
pub struct Market {
    /// Names, units and status.
    pub instrument: Instrument,
    /// What orders must keep to.
    pub filters: Filters,
    /// Futures: leverage and funding.
    pub futures: Option<FuturesTerms>,
    /// What fills need to know.
    pub(super) terms: Terms,
    /// When an order does not say.
    pub(super) self_trade: SelfTrade,
    pub(super) notional_min: Amount,
    pub(super) matcher: Matcher,
    pub(super) stops: Stops,
    pub(super) mark: MarkState,
    pub(super) tape: Tape,
    pub(super) update_id: u64,
    pub(super) quote: Quote,
    pub(super) prevented_id: u64,
    /// Levels that this request changed.
    pub(super) changed: Vec<(BookSide, Price)>,
}

/// What the settlement of a fill needs of a market.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) id: InstrumentId,
    pub(super) base: AssetId,
    pub(super) quote: AssetId,
    pub(super) is_futures: bool,
    pub(super) maker_fee: Rate,
    pub(super) taker_fee: Rate,
    /// Base asset of one quantity unit.
    unit: i128,
    /// Quote asset of one quantity unit at a price of one tick.
    tick_unit: i128,
}

impl Terms {
    /// What `qty` at `price` is worth. Both were checked by the filters, or are what such orders traded at.
    pub(super) fn value(&self, price: Price, qty: Qty) -> Amount {
        Amount(i128::from(price.0) * i128::from(qty.0) * self.tick_unit)
    }

    /// As `value`. None: beyond what an order may be worth.
    pub(super) fn value_checked(&self, price: Price, qty: Qty) -> Option<Amount> {
        let product = i128::from(price.0) * i128::from(qty.0);
        product.checked_mul(self.tick_unit).map(Amount).filter(|value| value.abs() <= VALUE_MAX)
    }

    /// `qty` of the base asset.
    pub(super) fn base_amount(&self, qty: Qty) -> Amount {
        Amount(i128::from(qty.0) * self.unit)
    }

    /// The largest multiple of `lot` whose value at `price` is within `value`.
    pub(super) fn lots_within(&self, value: Amount, price: Price, lot: Qty) -> Qty {
        let units = value.0.div_euclid((i128::from(price.0) * self.tick_unit).max(1));
        Qty(i64::try_from(units).unwrap_or(i64::MAX)).floor_to_lot(lot)
    }
}

/// Largest value of one order: 10^12 of the quote asset.
pub(super) const VALUE_MAX: Amount = Amount(10_i128.pow(30));

impl Market {
    /// Err: what the listing says does not go together.
    pub(super) fn new(
        product: Product,
        id: InstrumentId,
        listing: &Listing,
        [base, quote]: [AssetId; 2],
        opened: Nanos,
        trades_kept: usize,
    ) -> Result<Self, ConfigError> {
        let mut instrument = listing.instrument.clone();
        instrument.id = id;
        let wrong = |what| ConfigError { symbol: listing.instrument.symbol.clone(), what };
        let kind = match product {
            Product::Spot => ContractKind::Spot,
            Product::Futures => ContractKind::Linear,
        };
        if instrument.kind != kind {
            return Err(wrong("spot exchanges list spot instruments, futures exchanges linear contracts"));
        }
        if (product == Product::Futures) != listing.futures.is_some() {
            return Err(wrong(
                "futures terms belong to the markets of a futures exchange, and to all of them",
            ));
        }
        if instrument.lot.0 <= 0 || instrument.qty_min.0 <= 0 {
            return Err(wrong("lot and smallest quantity must be above zero"));
        }
        let futures = listing.futures.clone();
        if let Some(terms) = &futures {
            terms.check().map_err(wrong)?;
        }
        let too_fine = |_: NumError| wrong("tick, quantity unit and contract size have more than 18 digits");
        let amount = |mantissa: i64, exponent: u8| {
            Amount::from_decimal(Decimal { mantissa: mantissa.into(), exponent, digits: 0 })
        };
        let (tick, unit, size) = (instrument.price_rule.tick, instrument.qty_unit, instrument.contract_size);
        let unit_mantissa =
            unit.mantissa().checked_mul(size.mantissa()).ok_or(NumError::Overflow).map_err(too_fine)?;
        let unit_exponent = unit.exponent() + size.exponent();
        let tick_mantissa =
            unit_mantissa.checked_mul(tick.mantissa()).ok_or(NumError::Overflow).map_err(too_fine)?;
        let terms = Terms {
            id,
            base,
            quote,
            is_futures: product == Product::Futures,
            maker_fee: listing.maker_fee,
            taker_fee: listing.taker_fee,
            unit: amount(unit_mantissa, unit_exponent).map_err(too_fine)?.0,
            tick_unit: amount(tick_mantissa, unit_exponent + tick.exponent()).map_err(too_fine)?.0,
        };
        let notional_min = Amount::from_decimal(instrument.notional_min).map_err(too_fine)?;
        let minutes = listing.filters.percent_price.map_or(0, |band| band.average_minutes);
        Ok(Self {
            filters: listing.filters.clone(),
            terms,
            self_trade: listing.self_trade,
            notional_min,
            matcher: Matcher::new(),
            stops: Stops::default(),
            mark: MarkState::new(futures.as_ref(), opened),
            tape: Tape::new(id, trades_kept, minutes),
            update_id: 0,
            quote: Quote { market: id, time: opened, update_id: 0, bid: None, ask: None },
            prevented_id: 0,
            changed: Vec::new(),
            instrument,
            futures,
        })
    }

    /// Whether orders are taken.
    #[must_use]
    pub fn is_trading(&self) -> bool {
        self.instrument.status == Status::Trading
    }

    /// Linear contracts rather than spot.
    #[must_use]
    pub fn is_futures(&self) -> bool {
        self.terms.is_futures
    }

    /// The asset bought and sold.
    #[must_use]
    pub fn base(&self) -> AssetId {
        self.terms.base
    }

    /// The asset that prices, and on futures margin and profit, are in.
    #[must_use]
    pub fn quote_asset(&self) -> AssetId {
        self.terms.quote
    }

    /// What `qty` at `price` is worth in the quote asset.
    #[must_use]
    pub fn value(&self, price: Price, qty: Qty) -> Amount {
        self.terms.value(price, qty)
    }

    /// The last trade's price.
    #[must_use]
    pub fn last_price(&self) -> Option<Price> {
        self.tape.last_price
    }

    /// The touch, with the id of the last level change.
    #[must_use]
    pub fn quote(&self) -> Quote {
        self.quote
    }

    /// The mean price that spot filters refer to, of the trades of the last minutes.
    #[must_use]
    pub fn mean_price(&self, now: Nanos) -> Option<Price> {
        self.tape.mean.price(now)
    }

    /// What percentages and values of market orders refer to: the mark price on futures, the mean price on spot;
    /// before there is one the last price, then the middle of the touch.
    #[must_use]
    pub fn reference_price(&self, now: Nanos) -> Option<Price> {
        let own = if self.is_futures() { self.mark.price } else { self.tape.mean.price(now) };
        own.or(self.tape.last_price).or_else(|| self.mid_floor())
    }

    /// What positions are valued at: the mark price; before there is one the last price, then the middle of the touch.
    #[must_use]
    pub fn valuation_price(&self) -> Option<Price> {
        self.mark.price.or(self.tape.last_price).or_else(|| self.mid_floor())
    }

    /// The middle of the touch, rounded down to a tick. None: a side is empty.
    #[must_use]
    pub fn mid_floor(&self) -> Option<Price> {
        let (bid, ask) = (self.matcher.best(BookSide::Bid)?, self.matcher.best(BookSide::Ask)?);
        Some(Price((bid.price.0 + ask.price.0).div_euclid(2)))
    }
}
