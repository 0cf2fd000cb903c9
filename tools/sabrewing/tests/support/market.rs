//! Small made-up markets: messages as Binance writes them, with update ids chosen by the test.

use std::fmt::Write;

/// Which of Binance's synchronisation rules a market follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Product {
    Spot,
    UsdM,
    CoinM,
}

impl Product {
    pub(crate) const ALL: [Self; 3] = [Self::Spot, Self::UsdM, Self::CoinM];

    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::CoinM => "BTCUSD_PERP",
            _ => "BTCUSDT",
        }
    }

    pub(crate) fn full_name(self) -> &'static str {
        match self {
            Self::Spot => "binance-spot:BTCUSDT",
            Self::UsdM => "binance-usdm:BTCUSDT",
            Self::CoinM => "binance-coinm:BTCUSD_PERP",
        }
    }
}

/// A message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'a> {
    /// The REST snapshot with this last update id.
    S(u64),
    /// The n-th of a chain of updates: ids `10 n - 9` to `10 n`.
    D(u64),
    /// An update of these ids, `(first, last, the last before)`, with bids and asks.
    Levels((u64, u64, u64), &'a [(&'a str, &'a str)], &'a [(&'a str, &'a str)]),
}

fn levels(levels: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = levels.iter().map(|(price, qty)| format!("[\"{price}\",\"{qty}\"]")).collect();
    format!("[{}]", pairs.join(","))
}

/// A message as the venue writes it.
pub(crate) fn message(product: Product, step: Step<'_>) -> String {
    let symbol = product.symbol();
    match step {
        Step::S(id) => {
            let (times, names) = match product {
                Product::Spot => ("", ""),
                Product::UsdM => (r#""E":1700000000000,"T":1700000000000,"#, ""),
                Product::CoinM => {
                    (r#""E":1700000000000,"T":1700000000000,"#, r#""symbol":"BTCUSD_PERP","pair":"BTCUSD","#)
                }
            };
            let (bids, asks) = (levels(&[("60000.0", "5"), ("59999.0", "7")]), levels(&[("60001.0", "5")]));
            format!(r#"{{"lastUpdateId":{id},{times}{names}"bids":{bids},"asks":{asks}}}"#)
        }
        Step::D(n) => {
            let first = 10 * n - 9;
            message(product, Step::Levels((first, 10 * n, first - 1), &[("59990.0", "3")], &[]))
        }
        Step::Levels((first, last, before), bids, asks) => {
            let (bids, asks) = (levels(bids), levels(asks));
            let (time, pair, previous) = match product {
                Product::Spot => ("", "", String::new()),
                Product::UsdM => (r#""T":1700000000000,"#, "", format!(r#""pu":{before},"#)),
                Product::CoinM => {
                    (r#""T":1700000000000,"#, r#""ps":"BTCUSD","#, format!(r#""pu":{before},"#))
                }
            };
            format!(
                r#"{{"stream":"x@depth","data":{{"e":"depthUpdate","E":1700000000000,{time}"s":"{symbol}",{pair}"U":{first},"u":{last},{previous}"b":{bids},"a":{asks}}}}}"#
            )
        }
    }
}

/// A capture of these messages, a millisecond apart.
pub(crate) fn capture(product: Product, steps: &[Step<'_>]) -> String {
    let mut text = String::new();
    for (index, step) in steps.iter().enumerate() {
        let recv_ns = 1_700_000_000_000_000_000_u64 + index as u64 * 1_000_000;
        writeln!(text, "{recv_ns} {}", message(product, *step)).unwrap();
    }
    text
}
