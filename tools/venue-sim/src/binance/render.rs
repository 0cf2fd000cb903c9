//! How the venue prints numbers: eight digits everywhere on spot, a market's own digits on futures.

use engine::instrument::Instrument;
use engine::num::{Decimal, Level, Price, Qty};

use super::json::Json;
use crate::exchange::{Amount, Product};

/// Digits behind the point that one market's numbers are printed with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digits {
    tick: engine::num::Step,
    unit: engine::num::Step,
    price: u8,
    qty: u8,
    product: Product,
}

impl Digits {
    /// Whole numbers: for a market that does not exist.
    pub(crate) const NONE: Self = Self {
        tick: engine::num::Step::ONE,
        unit: engine::num::Step::ONE,
        price: 0,
        qty: 0,
        product: Product::Spot,
    };

    /// Of a market.
    #[must_use]
    pub(crate) const fn of(product: Product, instrument: &Instrument) -> Self {
        let (tick, unit) = (instrument.price_rule.tick, instrument.qty_unit);
        let (price, qty) = match product {
            Product::Spot => (8, 8),
            Product::Futures => (tick.digits(), unit.digits()),
        };
        Self { tick, unit, price, qty, product }
    }

    /// A price.
    #[must_use]
    pub(crate) const fn price(&self, price: Price) -> Decimal {
        Decimal { digits: self.price, ..self.tick.decimal(price.0 as i128) }
    }

    /// A quantity.
    #[must_use]
    pub(crate) const fn qty(&self, qty: Qty) -> Decimal {
        Decimal { digits: self.qty, ..self.unit.decimal(qty.0 as i128) }
    }

    /// A value in the quote asset.
    #[must_use]
    pub(crate) fn amount(&self, amount: Amount) -> Decimal {
        let digits = match self.product {
            Product::Spot => 8,
            Product::Futures => self.price.max(2),
        };
        amount.decimal(digits).floor_to(8)
    }

    /// The mean price of `qty` for `value`, rounded down to eight digits, printed with the price's; zero without any.
    #[must_use]
    pub(crate) fn mean_price(&self, value: Amount, qty: Qty) -> Decimal {
        let size = self.unit.decimal(i128::from(qty.0));
        // value x 10^-18 / (size x 10^-e) in units of 10^-8: value x 10^(e - 10) / size
        let mantissa = if size.mantissa == 0 {
            0
        } else {
            let scaled = i32::from(size.exponent) - 10;
            let factor = 10_i128.pow(scaled.unsigned_abs());
            if scaled >= 0 { value.0 * factor / size.mantissa } else { value.0 / (factor * size.mantissa) }
        };
        Decimal { mantissa, exponent: 8, digits: self.price }
    }

    /// A list of `[price, quantity]` under `name`.
    pub(crate) fn levels(&self, json: &mut Json, name: &str, levels: &[Level]) {
        json.open_list(name);
        for level in levels {
            json.item_open_list().item_shown(self.price(level.price)).item_shown(self.qty(level.qty));
            json.close_list();
        }
        json.close_list();
    }
}

/// An amount of money outside a market: eight digits.
#[must_use]
pub(crate) fn money(amount: Amount) -> Decimal {
    amount.decimal(8).floor_to(8)
}
