//! The markets that the venue lists when nobody says otherwise, with the steps, filters, fees and brackets that
//! Binance published for them in August 2024. The venue's own choice, not what a client may assume: clients ask it.

use crate::exchange::{
    Amount, Bracket, ExchangeConfig, Filters, FuturesTerms, Listing, PercentPrice, Product, Rate, SelfTrade,
};
use engine::ids::{InstrumentId, VenueId};
use engine::instrument::{ContractKind, Instrument, PriceRule, Status};
use engine::num::{Decimal, NumError, Price, Qty, Step};
use engine::time::Nanos;

/// Symbol | base | spot tick | spot lot | futures tick | futures lot | price to begin with. Quoted in USDT.
const MARKETS: &[[&str; 7]] = &[
    ["BTCUSDT", "BTC", "0.01", "0.00001", "0.10", "0.001", "60000"],
    ["ETHUSDT", "ETH", "0.01", "0.0001", "0.01", "0.001", "2600"],
    ["BNBUSDT", "BNB", "0.10", "0.001", "0.010", "0.01", "500"],
    ["SOLUSDT", "SOL", "0.01", "0.001", "0.0100", "1", "150"],
    ["XRPUSDT", "XRP", "0.0001", "1", "0.0001", "0.1", "0.6"],
    ["DOGEUSDT", "DOGE", "0.00001", "1", "0.000010", "1", "0.1"],
];

/// Trades and fills that are remembered, a market and an account; ended orders of all accounts.
const KEPT: usize = 10_000;

/// The symbols that are known.
pub fn symbols() -> impl Iterator<Item = &'static str> {
    MARKETS.iter().map(|row| row[0])
}

/// A venue of these symbols. None: one is not known.
#[must_use]
pub fn config(product: Product, symbols: &[&str], opened: Nanos) -> Option<ExchangeConfig> {
    let listings = symbols.iter().map(|symbol| listing(product, symbol)).collect::<Option<Vec<_>>>()?;
    let other_assets = if product == Product::Spot { vec!["BNB".into()] } else { Vec::new() };
    Some(ExchangeConfig {
        product,
        listings,
        other_assets,
        opened,
        ended_orders_kept: KEPT,
        trades_kept: KEPT,
    })
}

/// One market. None: the symbol is not known.
#[must_use]
pub fn listing(product: Product, symbol: &str) -> Option<Listing> {
    let row = MARKETS.iter().find(|row| row[0] == symbol)?;
    // The table is ours: a test reads every row.
    match product {
        Product::Spot => spot(row).ok(),
        Product::Futures => futures(row).ok(),
    }
}

/// The price that a market begins with. None: the symbol is not known.
#[must_use]
pub fn first_price(product: Product, symbol: &str) -> Option<Price> {
    let row = MARKETS.iter().find(|row| row[0] == symbol)?;
    Price::parse(row[6].as_bytes(), listing(product, symbol)?.instrument.price_rule.tick).ok()
}

fn instrument(row: &[&str; 7], product: Product) -> Result<Instrument, NumError> {
    let [symbol, base, spot_tick, spot_lot, futures_tick, futures_lot, _] = *row;
    let (venue, kind, tick, unit, lot, notional_min) = match product {
        Product::Spot => ("binance-spot", ContractKind::Spot, spot_tick, "0.00000001", spot_lot, "5"),
        Product::Futures => {
            ("binance-usdm", ContractKind::Linear, futures_tick, futures_lot, futures_lot, "100")
        }
    };
    let unit = Step::parse(unit.as_bytes())?;
    let lot = Qty::parse(lot.as_bytes(), unit)?;
    Ok(Instrument {
        id: InstrumentId(0),
        venue_id: VenueId(0),
        venue: venue.into(),
        symbol: symbol.into(),
        base: base.into(),
        quote: "USDT".into(),
        kind,
        price_rule: PriceRule { tick: Step::parse(tick.as_bytes())?, significant_figures: None },
        qty_unit: unit,
        lot,
        qty_min: lot,
        qty_max: Qty(lot.0.saturating_mul(LOTS_MAX)),
        notional_min: Decimal::parse(notional_min)?,
        contract_size: Step::ONE,
        status: Status::Trading,
        source: "venue-sim".into(),
    })
}

/// Largest order, and largest market order, lots.
const LOTS_MAX: i64 = 1_000_000;
const MARKET_LOTS_MAX: i64 = 120_000;

fn spot(row: &[&str; 7]) -> Result<Listing, NumError> {
    let instrument = instrument(row, Product::Spot)?;
    let filters = Filters {
        price_min: Price(1),
        price_max: Price(instrument.price_rule.tick.count(b"1000000")?),
        market_qty_max: Qty(instrument.lot.0.saturating_mul(MARKET_LOTS_MAX)),
        notional_max: Amount::parse("9000000")?,
        notional_min_to_market: true,
        percent_price: Some(PercentPrice {
            bid_up: Rate::parse("5")?,
            bid_down: Rate::parse("0.2")?,
            ask_up: Rate::parse("5")?,
            ask_down: Rate::parse("0.2")?,
            average_minutes: 5,
        }),
        orders_max: 200,
        conditional_orders_max: 5,
        amends_max: 10,
        ..Filters::default()
    };
    let (maker_fee, taker_fee) = (Rate::from_bps(10), Rate::from_bps(10));
    Ok(Listing {
        instrument,
        filters,
        maker_fee,
        taker_fee,
        self_trade: SelfTrade::ExpireMaker,
        futures: None,
    })
}

fn futures(row: &[&str; 7]) -> Result<Listing, NumError> {
    let instrument = instrument(row, Product::Futures)?;
    let filters = Filters {
        price_min: Price(1),
        price_max: Price(instrument.price_rule.tick.count(b"1000000")?),
        market_qty_max: Qty(instrument.lot.0.saturating_mul(MARKET_LOTS_MAX)),
        notional_min_to_market: true,
        percent_price: Some(PercentPrice {
            bid_up: Rate::parse("1.05")?,
            bid_down: Rate(0),
            ask_up: Rate(i64::MAX),
            ask_down: Rate::parse("0.95")?,
            average_minutes: 0,
        }),
        orders_max: 200,
        conditional_orders_max: 200,
        amends_max: 10_000,
        ..Filters::default()
    };
    let (maker_fee, taker_fee) = (Rate::from_bps(2), Rate::from_bps(5));
    let self_trade = SelfTrade::ExpireMaker;
    Ok(Listing { instrument, filters, maker_fee, taker_fee, self_trade, futures: Some(futures_terms()?) })
}

fn futures_terms() -> Result<FuturesTerms, NumError> {
    let brackets = BRACKETS.iter().map(|(notional_cap, leverage_max, rate, deduction)| {
        Ok(Bracket {
            notional_cap: Amount::parse(notional_cap)?,
            leverage_max: *leverage_max,
            maintenance_rate: Rate::parse(rate)?,
            maintenance_deduction: Amount::parse(deduction)?,
        })
    });
    Ok(FuturesTerms {
        brackets: brackets.collect::<Result<_, NumError>>()?,
        leverage: 20,
        funding_interval: Nanos(8 * Nanos::HOUR.0),
        interest: Rate::from_bps(1),
        funding_rate_max: Rate::parse("0.003")?,
        liquidation_fee: Rate::parse("0.0125")?,
        mark_interval: Nanos::SECOND,
    })
}

/// Notional up to | leverage | maintenance rate | deduction: BTCUSDT's table, which the other markets share.
const BRACKETS: &[(&str, u32, &str, &str)] = &[
    ("50000", 125, "0.004", "0"),
    ("600000", 100, "0.005", "50"),
    ("3000000", 75, "0.0065", "950"),
    ("12000000", 50, "0.01", "11450"),
    ("70000000", 25, "0.02", "131450"),
    ("100000000", 20, "0.025", "481450"),
    ("230000000", 10, "0.05", "2981450"),
    ("480000000", 5, "0.1", "14481450"),
    ("600000000", 4, "0.125", "26481450"),
    ("800000000", 3, "0.15", "41481450"),
    ("1200000000", 2, "0.25", "121481450"),
    ("1800000000", 1, "0.5", "421481450"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Exchange;

    #[test]
    fn every_market_of_the_table_can_be_opened_on_both_products() {
        let all: Vec<&str> = symbols().collect();
        for product in [Product::Spot, Product::Futures] {
            let exchange = Exchange::new(&config(product, &all, Nanos(0)).unwrap()).unwrap();
            assert_eq!(exchange.markets().len(), all.len());
            assert!(all.iter().all(|symbol| first_price(product, symbol).unwrap().0 > 0));
        }
        assert!(config(Product::Spot, &["XYZ"], Nanos(0)).is_none());
    }

    #[test]
    fn maintenance_margin_does_not_jump_between_brackets() {
        for pair in futures_terms().unwrap().brackets.windows(2) {
            let margin = |bracket: &Bracket| {
                bracket.maintenance_rate.of_floor(pair[0].notional_cap) - bracket.maintenance_deduction
            };
            assert_eq!(margin(&pair[0]), margin(&pair[1]), "at {:?}", pair[0].notional_cap);
        }
    }
}
