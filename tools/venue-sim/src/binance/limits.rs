//! Rate limits: windows aligned to the clock, counted by address and by account, refused with 429 and then 418.
//!
//! Rules: developers.binance.com, "Limits" of spot and USD-M, read 2026-11-21.

use engine::ids::AccountId;
use engine::time::Nanos;
use std::collections::BTreeMap;
use std::net::IpAddr;

use super::failure::Failure;
use super::json::Json;
use crate::exchange::Product;

/// What a product allows. Zero turns a limit off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LimitTerms {
    /// Request weight of an address a minute.
    pub(crate) weight_per_minute: u32,
    /// Orders of an account in 10 s.
    pub orders_per_10s: u32,
    /// Orders of an account in the long window: a day on spot, a minute on futures.
    pub(crate) orders_long: u32,
    /// Requests of an address after a 429, in the same window, before it is banned.
    pub(crate) refusals_before_ban: u32,
}

impl LimitTerms {
    /// The venue's, of autumn 2026.
    #[must_use]
    pub(crate) const fn of_venue(product: Product) -> Self {
        match product {
            Product::Spot => Self {
                weight_per_minute: 6_000,
                orders_per_10s: 100,
                orders_long: 200_000,
                refusals_before_ban: 10,
            },
            Product::Futures => Self {
                weight_per_minute: 2_400,
                orders_per_10s: 300,
                orders_long: 1_200,
                refusals_before_ban: 10,
            },
        }
    }

    /// None at all: for measurements.
    pub(crate) const OFF: Self =
        Self { weight_per_minute: 0, orders_per_10s: 0, orders_long: 0, refusals_before_ban: 0 };
}

/// A count in windows aligned to the clock.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    index: u64,
    used: u32,
}

impl Window {
    fn at(&mut self, now: Nanos, length: Nanos) -> &mut u32 {
        let index = now.0 / length.0;
        if index != self.index {
            *self = Self { index, used: 0 };
        }
        &mut self.used
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Address {
    weight: Window,
    refused: Window,
    banned_until: Nanos,
    bans: u32,
}

/// The counters of one product.
pub(crate) struct Limits {
    product: Product,
    /// What it allows; may be changed while it runs.
    pub(crate) terms: LimitTerms,
    addresses: BTreeMap<IpAddr, Address>,
    accounts: BTreeMap<AccountId, [Window; 2]>,
}

impl Limits {
    /// Nothing counted yet.
    #[must_use]
    pub(crate) const fn new(product: Product, terms: LimitTerms) -> Self {
        Self { product, terms, addresses: BTreeMap::new(), accounts: BTreeMap::new() }
    }

    /// Counts `weight` of an address. Err: 429 beyond the limit, 418 while it is banned.
    pub(crate) fn spend(&mut self, now: Nanos, ip: IpAddr, weight: u32) -> Result<(), Failure> {
        let terms = self.terms;
        let address = self.addresses.entry(ip).or_default();
        if now < address.banned_until {
            return Err(banned(address.banned_until));
        }
        let used = address.weight.at(now, MINUTE);
        *used = used.saturating_add(weight);
        if terms.weight_per_minute == 0 || *used <= terms.weight_per_minute {
            return Ok(());
        }
        let refused = address.refused.at(now, MINUTE);
        *refused += 1;
        if *refused > terms.refusals_before_ban {
            // 2 minutes, then twice as long each time, up to 3 days.
            let length = (2 * MINUTE.0) << address.bans.min(11);
            address.bans += 1;
            address.banned_until = Nanos(now.0 + length.min(3 * DAY.0));
            return Err(banned(address.banned_until));
        }
        let text = format!(
            "Too much request weight used; current limit is {} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.",
            terms.weight_per_minute
        );
        let next = (now.0 / MINUTE.0 + 1) * MINUTE.0;
        Err(Failure { retry_at_ms: Some(Nanos(next).as_ms()), ..Failure::saying(429, -1003, text) })
    }

    /// Gives back the weight of a request that costs nothing because it succeeded.
    pub(crate) fn give_back(&mut self, now: Nanos, ip: IpAddr, weight: u32) {
        let used = self.addresses.entry(ip).or_default().weight.at(now, MINUTE);
        *used = used.saturating_sub(weight);
    }

    /// Counts `orders` of an account. Err: 429 with `-1015`; then none is counted.
    pub(crate) fn order(&mut self, now: Nanos, account: AccountId, orders: u32) -> Result<(), Failure> {
        let long = self.long_window();
        let windows = self.accounts.entry(account).or_default();
        let terms = self.terms;
        let [short_used, long_used] =
            [*windows[0].at(now, TEN_SECONDS), *windows[1].at(now, long)].map(|used| used + orders);
        let over = |limit: u32, used: u32| limit > 0 && used > limit;
        let text = match self.product {
            _ if over(terms.orders_per_10s, short_used) => Some((terms.orders_per_10s, "10 SECOND")),
            Product::Spot if over(terms.orders_long, long_used) => Some((terms.orders_long, "1 DAY")),
            Product::Futures if over(terms.orders_long, long_used) => Some((terms.orders_long, "1 MINUTE")),
            _ => None,
        };
        if let Some((limit, window)) = text {
            let text = format!("Too many new orders; current limit is {limit} orders per {window}.");
            return Err(Failure::saying(429, -1015, text));
        }
        windows[0].used = short_used;
        windows[1].used = long_used;
        Ok(())
    }

    /// The first fill of an order gives `orders` back (spot counts unfilled orders).
    pub(crate) fn filled(&mut self, now: Nanos, account: AccountId, orders: u32) {
        let long = self.long_window();
        let windows = self.accounts.entry(account).or_default();
        for (window, length) in windows.iter_mut().zip([TEN_SECONDS, long]) {
            let used = window.at(now, length);
            *used = used.saturating_sub(orders);
        }
    }

    /// The headers that every answer carries.
    pub(crate) fn headers(
        &mut self,
        now: Nanos,
        ip: IpAddr,
        account: Option<AccountId>,
    ) -> Vec<(&'static str, String)> {
        let weight = *self.addresses.entry(ip).or_default().weight.at(now, MINUTE);
        let mut headers = vec![("X-MBX-USED-WEIGHT-1M", weight.to_string())];
        if self.product == Product::Spot {
            headers.push(("X-MBX-USED-WEIGHT", weight.to_string()));
        }
        if let Some(account) = account {
            let [short, long] = self.used(now, account);
            headers.push(("X-MBX-ORDER-COUNT-10S", short.to_string()));
            let name =
                if self.product == Product::Spot { "X-MBX-ORDER-COUNT-1D" } else { "X-MBX-ORDER-COUNT-1M" };
            headers.push((name, long.to_string()));
        }
        headers
    }

    /// The `rateLimits` list of a WebSocket answer: orders of `account` when given, then weight.
    pub(crate) fn list(&mut self, now: Nanos, ip: IpAddr, account: Option<AccountId>) -> String {
        let mut json = Json::list();
        if let Some(account) = account {
            self.orders_into(now, Some(account), &mut json);
        }
        let used = *self.addresses.entry(ip).or_default().weight.at(now, MINUTE);
        limit_into(&mut json, "REQUEST_WEIGHT", "MINUTE", 1, self.terms.weight_per_minute, Some(used));
        json.done_list()
    }

    /// The order limits alone, with counts.
    pub(crate) fn order_list(&mut self, now: Nanos, account: AccountId) -> String {
        let mut json = Json::list();
        self.orders_into(now, Some(account), &mut json);
        json.done_list()
    }

    /// The `rateLimits` list of `exchangeInfo`, without counts.
    #[must_use]
    pub(crate) fn described(&mut self) -> String {
        let mut json = Json::list();
        limit_into(&mut json, "REQUEST_WEIGHT", "MINUTE", 1, self.terms.weight_per_minute, None);
        self.orders_into(Nanos(0), None, &mut json);
        if self.product == Product::Spot {
            limit_into(&mut json, "RAW_REQUESTS", "MINUTE", 5, 300_000, None);
        }
        json.done_list()
    }

    fn orders_into(&mut self, now: Nanos, account: Option<AccountId>, json: &mut Json) {
        let used = account.map(|account| self.used(now, account));
        let (interval, count) = if self.product == Product::Spot { ("DAY", 1) } else { ("MINUTE", 1) };
        limit_into(json, "ORDERS", "SECOND", 10, self.terms.orders_per_10s, used.map(|[short, _]| short));
        limit_into(json, "ORDERS", interval, count, self.terms.orders_long, used.map(|[_, long]| long));
    }

    fn used(&mut self, now: Nanos, account: AccountId) -> [u32; 2] {
        let long = self.long_window();
        let windows = self.accounts.entry(account).or_default();
        [*windows[0].at(now, TEN_SECONDS), *windows[1].at(now, long)]
    }

    const fn long_window(&self) -> Nanos {
        match self.product {
            Product::Spot => DAY,
            Product::Futures => MINUTE,
        }
    }
}

fn limit_into(json: &mut Json, kind: &str, interval: &str, intervals: u32, limit: u32, used: Option<u32>) {
    json.item_open().text("rateLimitType", kind).text("interval", interval).int("intervalNum", intervals);
    json.int("limit", limit);
    if let Some(used) = used {
        json.int("count", used);
    }
    json.close();
}

fn banned(until: Nanos) -> Failure {
    let ms = until.as_ms();
    let text = format!(
        "Way too much request weight used; IP banned until {ms}. Please use WebSocket Streams for live updates to avoid bans."
    );
    Failure { retry_at_ms: Some(ms), ..Failure::saying(418, -1003, text) }
}

const TEN_SECONDS: Nanos = Nanos(10 * Nanos::SECOND.0);
const MINUTE: Nanos = Nanos(60 * Nanos::SECOND.0);
const DAY: Nanos = Nanos(24 * Nanos::HOUR.0);

#[cfg(test)]
mod tests {
    use super::*;

    const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn weight_beyond_the_minute_is_refused_and_going_on_leads_to_a_ban_that_grows() {
        let terms = LimitTerms { weight_per_minute: 10, refusals_before_ban: 2, ..LimitTerms::OFF };
        let mut limits = Limits::new(Product::Spot, terms);
        let status = |limits: &mut Limits, seconds: u64| {
            limits.spend(Nanos(seconds * Nanos::SECOND.0), IP, 5).map_or_else(|e| e.status, |()| 200)
        };
        let answers: Vec<_> = (0..6).map(|_| status(&mut limits, 30)).collect();
        assert_eq!(answers, [200, 200, 429, 429, 418, 418]);
        assert_eq!(status(&mut limits, 149), 418);
        assert_eq!(status(&mut limits, 150), 200);
        let answers: Vec<_> = (0..4).map(|_| status(&mut limits, 151)).collect();
        assert_eq!(answers, [200, 429, 429, 418]);
        assert_eq!((status(&mut limits, 390), status(&mut limits, 391)), (418, 200));
    }

    #[test]
    fn a_refusal_says_when_the_window_turns() {
        let terms = LimitTerms { weight_per_minute: 1, refusals_before_ban: 2, ..LimitTerms::OFF };
        let mut limits = Limits::new(Product::Futures, terms);
        let refused = limits.spend(Nanos::from_ms(61_500), IP, 2).unwrap_err();
        assert_eq!((refused.code, refused.retry_at_ms), (-1003, Some(120_000)));
        assert_eq!(limits.headers(Nanos::from_ms(61_500), IP, None)[0].1, "2");
    }

    #[test]
    fn orders_are_counted_by_account_in_both_windows_and_fills_give_back() {
        let terms = LimitTerms { orders_per_10s: 2, orders_long: 3, ..LimitTerms::OFF };
        let mut limits = Limits::new(Product::Spot, terms);
        let (one, two) = (AccountId(1), AccountId(2));
        let place = |limits: &mut Limits, ms, account| limits.order(Nanos::from_ms(ms), account, 1).is_ok();
        assert!(place(&mut limits, 0, one) && place(&mut limits, 1, one) && !place(&mut limits, 2, one));
        assert!(place(&mut limits, 2, two));
        assert!(place(&mut limits, 10_000, one) && !place(&mut limits, 10_001, one));
        limits.filled(Nanos::from_ms(10_002), one, 1);
        assert!(place(&mut limits, 10_003, one));
        let list = limits.order_list(Nanos::from_ms(10_004), one);
        assert!(list.contains(r#""intervalNum":10,"limit":2,"count":1"#), "{list}");
    }
}
