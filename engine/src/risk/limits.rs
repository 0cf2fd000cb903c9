//! The limits as the configuration writes them.

use crate::ids::StrategyId;
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

/// Stricter limits for part of the trading, as written in the configuration: for the orders of one strategy, venue,
/// base asset or instrument, or of those that all the given ones have in common. At least one of these and at least
/// one limit. Of several that fit an order the strictest applies; none is looser than the one for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartLimits {
    /// A strategy's name, or `manual`: orders by hand.
    pub strategy: Option<String>,
    /// A venue's name.
    pub venue: Option<String>,
    /// A base asset.
    pub asset: Option<String>,
    /// An instrument's full name, `venue:symbol`.
    pub instrument: Option<String>,
    /// As [`RiskConfig::order_notional_max`].
    pub order_notional_max: Option<Decimal>,
    /// As [`RiskConfig::order_lots_max`].
    pub order_lots_max: Option<u64>,
    /// As [`RiskConfig::position_notional_max`].
    pub position_notional_max: Option<Decimal>,
    /// As [`RiskConfig::position_lots_max`].
    pub position_lots_max: Option<u64>,
    /// Of a venue or an asset alone, as [`RiskConfig::venue_gross_max`] and [`RiskConfig::asset_gross_max`].
    pub gross_max: Option<Decimal>,
    /// Likewise, longs less shorts.
    pub net_max: Option<Decimal>,
    /// As [`RiskConfig::collar_bps`].
    pub collar_bps: Option<u32>,
    /// As [`RiskConfig::book_age_ms_max`].
    pub book_age_ms_max: Option<u64>,
    /// As [`RiskConfig::open_orders_max`].
    pub open_orders_max: Option<u32>,
    /// Orders and amendments of this part that may leave in any second.
    pub orders_per_s_max: Option<u32>,
    /// As [`RiskConfig::duplicate_ns`]; stricter is longer.
    pub duplicate_ns: Option<u64>,
}

/// Parts that can have limits of their own.
pub const PARTS_MAX: usize = 64;

/// Limits that were checked: what the gate runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RiskLimits {
    config: RiskConfig,
    parts: Vec<(Option<StrategyId>, PartLimits)>,
    /// How many strategies there are, numbered from 1.
    strategies: u16,
}

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
        Ok(RiskLimits { config: self, parts: Vec::new(), strategies: 0 })
    }
}

impl RiskLimits {
    /// The values.
    #[must_use]
    pub const fn config(&self) -> &RiskConfig {
        &self.config
    }

    /// With stricter limits for parts. `strategies` are the names of those that trade, numbered from 1 in this order.
    /// Err: which part (from 1), the key, and what it must be.
    pub fn with_parts(mut self, parts: Vec<PartLimits>, strategies: &[&str]) -> Result<Self, String> {
        if parts.len() > PARTS_MAX {
            return Err(format!("{} parts; at most {PARTS_MAX} can have limits of their own", parts.len()));
        }
        self.strategies = u16::try_from(strategies.len()).map_err(|_| "too many strategies".to_owned())?;
        for (number, part) in (1..).zip(parts) {
            let of = |what: String| format!("no. {number}: {what}");
            let strategy = part.strategy.as_deref().map(|name| number_of(name, strategies)).transpose();
            let strategy = strategy.map_err(of)?;
            part.check(&self.config).map_err(of)?;
            self.parts.push((strategy, part));
        }
        Ok(self)
    }

    /// How many strategies have limits of their own, numbered from 1. Orders of others are held to the limits of
    /// [`StrategyId::MANUAL`].
    pub(super) const fn strategies(&self) -> u16 {
        self.strategies
    }

    /// The limits of a strategy's orders on an instrument: of all that fit, the strictest.
    pub(super) fn of(&self, strategy: StrategyId, instrument: &Instrument) -> RiskConfig {
        let mut limits = self.config.clone();
        for (_, part) in self.fitting(strategy, instrument) {
            let lower = |limit: &mut Decimal, other: Option<Decimal>| {
                if let Some(other) = other.filter(|other| at_least(*limit, *other)) {
                    *limit = other;
                }
            };
            lower(&mut limits.order_notional_max, part.order_notional_max);
            lower(&mut limits.position_notional_max, part.position_notional_max);
            let lots = |limit: Option<u64>, other: Option<u64>| limit.into_iter().chain(other).min();
            limits.order_lots_max = lots(limits.order_lots_max, part.order_lots_max);
            limits.position_lots_max = lots(limits.position_lots_max, part.position_lots_max);
            limits.collar_bps = limits.collar_bps.min(part.collar_bps.unwrap_or(u32::MAX));
            limits.book_age_ms_max = limits.book_age_ms_max.min(part.book_age_ms_max.unwrap_or(u64::MAX));
            limits.open_orders_max = limits.open_orders_max.min(part.open_orders_max.unwrap_or(u32::MAX));
            limits.duplicate_ns = limits.duplicate_ns.max(part.duplicate_ns.unwrap_or(0));
        }
        limits
    }

    /// The parts that a strategy's orders on an instrument belong to, with their places, from 0.
    pub(super) fn fitting(
        &self,
        strategy: StrategyId,
        instrument: &Instrument,
    ) -> impl Iterator<Item = (usize, &PartLimits)> {
        let full_name = instrument.full_name();
        let fits = move |(whose, part): &(Option<StrategyId>, PartLimits)| {
            whose.is_none_or(|whose| whose == strategy)
                && part.venue.as_ref().is_none_or(|venue| *venue == instrument.venue)
                && part.asset.as_ref().is_none_or(|asset| *asset == instrument.base)
                && part.instrument.as_ref().is_none_or(|name| *name == full_name)
        };
        self.parts
            .iter()
            .enumerate()
            .filter(move |(_, part)| fits(part))
            .map(|(place, (_, part))| (place, part))
    }

    /// By part, in their order: how many orders may leave in a second.
    pub(super) fn part_rates(&self) -> impl Iterator<Item = Option<u32>> + '_ {
        self.parts.iter().map(|(_, part)| part.orders_per_s_max)
    }

    /// Gross and net limit of all instruments of one venue.
    pub(super) fn of_venue(&self, venue: &str) -> (Decimal, Decimal) {
        let of = |part: &PartLimits| part.venue.as_deref() == Some(venue);
        self.sums((self.config.venue_gross_max, self.config.venue_net_max), of)
    }

    /// Gross and net limit of all instruments of one base asset.
    pub(super) fn of_asset(&self, asset: &str) -> (Decimal, Decimal) {
        let of = |part: &PartLimits| part.asset.as_deref() == Some(asset);
        self.sums((self.config.asset_gross_max, self.config.asset_net_max), of)
    }

    fn sums(&self, base: (Decimal, Decimal), of: impl Fn(&PartLimits) -> bool) -> (Decimal, Decimal) {
        let lower = |limit: Decimal, other: Option<Decimal>| {
            other.filter(|other| at_least(limit, *other)).unwrap_or(limit)
        };
        self.parts
            .iter()
            .filter(|(_, part)| of(part))
            .fold(base, |(gross, net), (_, part)| (lower(gross, part.gross_max), lower(net, part.net_max)))
    }

    /// Whether the lists let an instrument be traded.
    #[must_use]
    pub fn lists(&self, instrument: &Instrument) -> bool {
        let full_name = instrument.full_name();
        let names: [&str; 6] =
            ["*", &full_name, &instrument.symbol, &instrument.venue, &instrument.base, &instrument.quote];
        let has = |list: &[String]| list.iter().any(|entry| names.contains(&entry.as_str()));
        has(&self.config.whitelist) && !has(&self.config.blacklist)
    }
}

impl PartLimits {
    /// Err: the key, and what it must be.
    fn check(&self, all: &RiskConfig) -> Result<(), String> {
        let require = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_owned()) };
        let Self { strategy, venue, asset, instrument, .. } = self;
        let named = [strategy, venue, asset, instrument].into_iter().flatten().count();
        require(named > 0, "must name a strategy, a venue, an asset or an instrument")?;
        let empty = Self {
            strategy: strategy.clone(),
            venue: venue.clone(),
            asset: asset.clone(),
            instrument: instrument.clone(),
            ..Self::default()
        };
        require(*self != empty, "must limit something")?;
        let amount = |key: &str, limit: Option<Decimal>, most: Decimal| {
            let fits = limit.is_none_or(|limit| limit.mantissa > 0 && at_least(most, limit));
            require(fits, &format!("{key} must be above 0 and at most {most}, the limit for everything"))
        };
        let count = |key: &str, limit: Option<u64>, most: Option<u64>| {
            let fits = limit.is_none_or(|limit| limit > 0 && most.is_none_or(|most| limit <= most));
            let most = most
                .map_or_else(String::new, |most| format!(" and at most {most}, the limit for everything"));
            require(fits, &format!("{key} must be above 0{most}"))
        };
        amount("order_notional_max", self.order_notional_max, all.order_notional_max)?;
        amount("position_notional_max", self.position_notional_max, all.position_notional_max)?;
        count("order_lots_max", self.order_lots_max, all.order_lots_max)?;
        count("position_lots_max", self.position_lots_max, all.position_lots_max)?;
        count("collar_bps", self.collar_bps.map(u64::from), Some(all.collar_bps.into()))?;
        count("book_age_ms_max", self.book_age_ms_max, Some(all.book_age_ms_max))?;
        count("open_orders_max", self.open_orders_max.map(u64::from), Some(all.open_orders_max.into()))?;
        count("orders_per_s_max", self.orders_per_s_max.map(u64::from), Some(all.orders_per_s_max.into()))?;
        let longest = Nanos::SECOND.0;
        require(
            self.duplicate_ns.is_none_or(|ns| (all.duplicate_ns..=longest).contains(&ns)),
            &format!("duplicate_ns must be in {}..={longest}, from the one for everything", all.duplicate_ns),
        )?;
        if self.gross_max.is_some() || self.net_max.is_some() {
            let sums = match (venue, asset) {
                (Some(_), None) => (all.venue_gross_max, all.venue_net_max),
                (None, Some(_)) => (all.asset_gross_max, all.asset_net_max),
                _ => return Err("gross_max and net_max are of a venue or of an asset".into()),
            };
            require(named == 1, "gross_max and net_max are of a venue or of an asset alone")?;
            amount("gross_max", self.gross_max, sums.0)?;
            amount("net_max", self.net_max, sums.1)?;
        }
        Ok(())
    }
}

/// The number of the strategy of that name. Err: there is none.
fn number_of(name: &str, strategies: &[&str]) -> Result<StrategyId, String> {
    if name == StrategyId::MANUAL_NAME {
        return Ok(StrategyId::MANUAL);
    }
    let known = (1..).zip(strategies).find(|(_, known)| **known == name);
    known.map(|(number, _)| StrategyId(number)).ok_or_else(|| {
        let known = if strategies.is_empty() { "none".into() } else { strategies.join(", ") };
        format!("no strategy {name}; there is {known}, and {}", StrategyId::MANUAL_NAME)
    })
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

    fn part(change: impl FnOnce(&mut PartLimits)) -> PartLimits {
        let mut part = PartLimits { strategy: Some("mm".into()), ..PartLimits::default() };
        change(&mut part);
        part
    }

    #[test]
    fn of_the_limits_that_fit_an_order_the_strictest_applies() {
        let btc = instrument(ContractKind::Linear, "0.1", "0.001", "1");
        let parts = vec![
            part(|p| (p.order_notional_max, p.duplicate_ns) = (Some(decimal("500")), Some(2_000_000))),
            part(|p| {
                (p.strategy, p.venue) = (None, Some(btc.venue.clone()));
                (p.order_notional_max, p.collar_bps) = (Some(decimal("600.50")), Some(50));
                (p.gross_max, p.net_max) = (Some(decimal("100")), Some(decimal("90")));
            }),
            part(|p| (p.asset, p.open_orders_max) = (Some("DOGE".into()), Some(1))),
            part(|p| {
                (p.strategy, p.instrument) = (Some("manual".into()), Some(btc.full_name()));
                (p.order_lots_max, p.position_lots_max, p.book_age_ms_max) = (Some(3), Some(6), Some(10));
                p.position_notional_max = Some(decimal("700"));
            }),
        ];
        let limits = config().check().unwrap().with_parts(parts, &["other", "mm"]).unwrap();
        let of = |strategy| {
            let of = limits.of(strategy, &btc);
            (of.order_notional_max, of.order_lots_max, of.collar_bps, of.open_orders_max, of.duplicate_ns)
        };
        assert_eq!(of(StrategyId(2)), (decimal("500"), Some(15), 50, 4, 2_000_000));
        assert_eq!(of(StrategyId(1)), (decimal("600.50"), Some(15), 50, 4, 1_000_000));
        assert_eq!(of(StrategyId::MANUAL), (decimal("600.50"), Some(3), 50, 4, 1_000_000));
        let manual = limits.of(StrategyId::MANUAL, &btc);
        let expected = (decimal("700"), Some(6), 10);
        let seen = (manual.position_notional_max, manual.position_lots_max, manual.book_age_ms_max);
        assert_eq!(seen, expected);
        assert_eq!(limits.of_venue(&btc.venue), (decimal("100"), decimal("90")));
        assert_eq!(limits.of_venue("another"), (decimal("9000"), decimal("7000")));
        assert_eq!(limits.of_asset("BTC"), (decimal("6000"), decimal("5000")));
    }

    #[test]
    fn a_part_that_limits_nothing_or_less_than_everything_is_refused() {
        let wrong = |change: fn(&mut PartLimits)| {
            config().check().unwrap().with_parts(vec![part(change)], &["mm"]).unwrap_err()
        };
        for (change, what) in [
            (
                (|p| p.strategy = None) as fn(&mut PartLimits),
                "must name a strategy, a venue, an asset or an instrument",
            ),
            (|_| (), "must limit something"),
            (
                |p| (p.strategy, p.collar_bps) = (Some("maker".into()), Some(1)),
                "no strategy maker; there is mm, and manual",
            ),
            (
                |p| p.order_notional_max = Some(decimal("1000.01")),
                "order_notional_max must be above 0 and at most 1000, the limit for everything",
            ),
            (
                |p| p.order_lots_max = Some(16),
                "order_lots_max must be above 0 and at most 15, the limit for everything",
            ),
            (
                |p| p.orders_per_s_max = Some(0),
                "orders_per_s_max must be above 0 and at most 10, the limit for everything",
            ),
            (
                |p| p.duplicate_ns = Some(999_999),
                "duplicate_ns must be in 1000000..=1000000000, from the one for everything",
            ),
            (|p| p.gross_max = Some(decimal("1")), "gross_max and net_max are of a venue or of an asset"),
            (
                |p| (p.venue, p.net_max) = (Some("binance".into()), Some(decimal("1"))),
                "gross_max and net_max are of a venue or of an asset alone",
            ),
        ] {
            assert_eq!(wrong(change), format!("no. 1: {what}"));
        }
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
