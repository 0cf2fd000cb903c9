//! The limits as the configuration writes them.

use crate::instrument::Instrument;
use crate::num::Decimal;
use crate::time::Nanos;
use serde::Deserialize;

/// Pre-trade limits, as written in the configuration. No `Default`: nobody trades on a limit they did not
/// write down. Amounts are in the quote asset, so that one table fits every instrument; sums over instruments
/// count every quote asset as one, so a run whose quote assets are worth different amounts needs a list that
/// keeps one of them out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskConfig {
    /// What may be traded: full names (`binance-usdm:BTCUSDT`), symbols, venues, assets; `*` is everything. Not empty.
    pub whitelist: Vec<String>,
    /// What may not be, whatever `whitelist` says; likewise.
    pub blacklist: Vec<String>,
    /// Largest value of a single order, quote asset; above zero. Reduce-only orders, no larger than the position, are
    /// not held to it.
    pub order_notional_max: Decimal,
    /// Largest quantity of a single order, lots; above zero. Absent: only the value counts.
    pub order_lots_max: Option<u64>,
    /// Largest absolute value of a strategy's position in an instrument with every open order filled, quote asset;
    /// at least `order_notional_max`.
    pub position_notional_max: Decimal,
    /// Largest absolute size of that position, lots; at least `order_lots_max`. Absent: only the value counts.
    pub position_lots_max: Option<u64>,
    /// Largest sum of the absolute values of all positions with every open order filled, quote asset.
    pub portfolio_gross_max: Decimal,
    /// Largest absolute value of their sum, longs less shorts, quote asset; at most `portfolio_gross_max`.
    pub portfolio_net_max: Decimal,
    /// The same over the instruments of one venue.
    pub venue_gross_max: Decimal,
    /// The same over the instruments of one venue; at most `venue_gross_max`.
    pub venue_net_max: Decimal,
    /// The same over the instruments of one base asset.
    pub asset_gross_max: Decimal,
    /// The same over the instruments of one base asset; at most `asset_gross_max`.
    pub asset_net_max: Decimal,
    /// How far from the touch a price may be, hundredths of a percent; 1..=10,000.
    pub collar_bps: u32,
    /// A book that no message confirmed for longer is not traded on, ms; 1..=60,000.
    pub book_age_ms_max: u64,
    /// Orders that a strategy may have open in an instrument; 1..=1,000.
    pub open_orders_max: u32,
    /// Orders and amendments that may leave in any second; 1..=10,000.
    pub orders_per_s_max: u32,
    /// Cancels that may leave in any second; 1..=10,000. Beyond it, quotes wait to be replaced; a quote that is
    /// not wanted at all is always taken back.
    pub cancels_per_s_max: u32,
    /// An order equal to one that left so shortly before (instrument, side, price, quantity) is a mistake, ns;
    /// 1..=1,000,000,000.
    pub duplicate_ns: u64,
}

/// Limits that were checked: what the gate runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RiskLimits(RiskConfig);

impl RiskConfig {
    /// The only maker of [`RiskLimits`]. Err: the key and what it must be.
    pub fn check(self) -> Result<RiskLimits, String> {
        let require = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
        require(!self.whitelist.is_empty(), "whitelist must name something; \"*\" is everything")?;
        require(self.order_notional_max.mantissa > 0, "order_notional_max must be above 0")?;
        require(self.order_lots_max != Some(0), "order_lots_max must be above 0")?;
        require(
            at_least(self.position_notional_max, self.order_notional_max),
            "position_notional_max must be at least order_notional_max",
        )?;
        if let Some(lots) = self.position_lots_max {
            require(
                lots > 0 && self.order_lots_max.is_none_or(|order| lots >= order),
                "position_lots_max must be above 0 and at least order_lots_max",
            )?;
        }
        for (scope, gross, net) in [
            ("portfolio", self.portfolio_gross_max, self.portfolio_net_max),
            ("venue", self.venue_gross_max, self.venue_net_max),
            ("asset", self.asset_gross_max, self.asset_net_max),
        ] {
            require(net.mantissa > 0, &format!("{scope}_net_max must be above 0"))?;
            require(at_least(gross, net), &format!("{scope}_gross_max must be at least {scope}_net_max"))?;
        }
        require((1..=10_000).contains(&self.collar_bps), "collar_bps must be in 1..=10000")?;
        require((1..=60_000).contains(&self.book_age_ms_max), "book_age_ms_max must be in 1..=60000")?;
        require((1..=1000).contains(&self.open_orders_max), "open_orders_max must be in 1..=1000")?;
        require((1..=10_000).contains(&self.orders_per_s_max), "orders_per_s_max must be in 1..=10000")?;
        require((1..=10_000).contains(&self.cancels_per_s_max), "cancels_per_s_max must be in 1..=10000")?;
        require(
            (1..=Nanos::SECOND.0).contains(&self.duplicate_ns),
            "duplicate_ns must be in 1..=1000000000",
        )?;
        Ok(RiskLimits(self))
    }
}

impl RiskLimits {
    /// The values.
    #[must_use]
    pub const fn config(&self) -> &RiskConfig {
        &self.0
    }

    /// Whether the lists let an instrument be traded.
    #[must_use]
    pub fn lists(&self, instrument: &Instrument) -> bool {
        let full_name = instrument.full_name();
        let names: [&str; 6] =
            ["*", &full_name, &instrument.symbol, &instrument.venue, &instrument.base, &instrument.quote];
        let has = |list: &[String]| list.iter().any(|entry| names.contains(&entry.as_str()));
        has(&self.0.whitelist) && !has(&self.0.blacklist)
    }
}

/// Whether `a >= b`; false where that cannot be told.
fn at_least(a: Decimal, b: Decimal) -> bool {
    let exponent = a.exponent.max(b.exponent);
    matches!((a.rescaled(exponent), b.rescaled(exponent)), (Ok(a), Ok(b)) if a >= b)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::instrument::ContractKind;
    use crate::instrument::tests::instrument;

    pub(crate) fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    pub(crate) fn config() -> RiskConfig {
        RiskConfig {
            whitelist: vec!["*".into()],
            blacklist: vec![],
            order_notional_max: decimal("1000"),
            order_lots_max: Some(15),
            position_notional_max: decimal("2500"),
            position_lots_max: Some(40),
            portfolio_gross_max: decimal("10000"),
            portfolio_net_max: decimal("8000"),
            venue_gross_max: decimal("9000"),
            venue_net_max: decimal("7000"),
            asset_gross_max: decimal("6000"),
            asset_net_max: decimal("5000"),
            collar_bps: 200,
            book_age_ms_max: 1000,
            open_orders_max: 4,
            orders_per_s_max: 10,
            cancels_per_s_max: 3,
            duplicate_ns: 1_000_000,
        }
    }

    #[test]
    fn limits_that_make_no_sense_are_refused_by_name() {
        let bad = |key: &str, change: fn(&mut RiskConfig)| {
            let mut config = config();
            change(&mut config);
            let what = config.check().unwrap_err();
            assert!(what.starts_with(key), "{what}");
        };
        bad("whitelist", |c| c.whitelist.clear());
        bad("order_notional_max", |c| c.order_notional_max = Decimal::ZERO);
        bad("order_lots_max", |c| c.order_lots_max = Some(0));
        bad("position_notional_max", |c| c.position_notional_max = decimal("999.99"));
        bad("position_lots_max", |c| c.position_lots_max = Some(14));
        bad("portfolio_gross_max", |c| c.portfolio_gross_max = decimal("7999"));
        bad("venue_gross_max", |c| c.venue_net_max = decimal("9000.1"));
        bad("asset_net_max", |c| c.asset_net_max = Decimal::ZERO);
        bad("collar_bps", |c| c.collar_bps = 0);
        bad("book_age_ms_max", |c| c.book_age_ms_max = 0);
        bad("open_orders_max", |c| c.open_orders_max = 0);
        bad("orders_per_s_max", |c| c.orders_per_s_max = 0);
        bad("cancels_per_s_max", |c| c.cancels_per_s_max = 10_001);
        bad("duplicate_ns", |c| c.duplicate_ns = 1_000_000_001);
    }

    #[test]
    fn lists_name_instruments_venues_and_assets() {
        let btc = instrument(ContractKind::Linear, "0.1", "0.001", "1");
        let allows = |white: &[&str], black: &[&str]| {
            let list = |names: &[&str]| names.iter().map(ToString::to_string).collect();
            let config = RiskConfig { whitelist: list(white), blacklist: list(black), ..config() };
            config.check().unwrap().lists(&btc)
        };
        assert!(allows(&["*"], &[]));
        for name in [&btc.full_name(), &btc.symbol, &btc.venue, &btc.base, &btc.quote] {
            assert!(allows(&[name], &["DOGE"]), "{name}");
            assert!(!allows(&["*"], &[name]), "{name}");
        }
        assert!(!allows(&["DOGE"], &[]));
    }
}
