//! Instruments from Binance `exchangeInfo` answers. The filters:
//! <https://developers.binance.com/docs/binance-spot-api-docs/filters> (from the project's dossier of 21 Nov 2026).
//!
//! The quantity unit is the finest amount the venue prints: on spot `baseAssetPrecision` digits (books hold
//! quantities off the order step), on futures `quantityPrecision` digits, or the order step's if those are more.

use super::Product;
use crate::instruments::{InstrumentError, checked};
use engine::ids::{InstrumentId, VenueId};
use engine::instrument::{ContractKind, Instrument, PriceRule, Status};
use engine::num::{Decimal, NumError, Qty, Step};
use engine::time::Nanos;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExchangeInfo {
    server_time: Option<u64>,
    symbols: Vec<Symbol>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Symbol {
    symbol: String,
    #[serde(alias = "contractStatus")]
    status: String,
    base_asset: String,
    quote_asset: String,
    base_asset_precision: Option<u8>,
    quantity_precision: Option<u8>,
    /// A number, the only one here that is no string.
    contract_size: Option<serde_json::Number>,
    #[serde(default)]
    filters: Vec<Filter>,
}

/// Any filter; those of unknown types are passed over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    filter_type: String,
    tick_size: Option<String>,
    step_size: Option<String>,
    min_qty: Option<String>,
    max_qty: Option<String>,
    /// Spot.
    min_notional: Option<String>,
    /// Futures.
    notional: Option<String>,
}

/// A limit that a venue states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatedLimit {
    /// Orders are counted, and not the weights of requests.
    pub counts_orders: bool,
    /// Over how long; windows begin at multiples of it since 1970.
    pub window: Nanos,
    /// How much may be used in a window.
    pub max: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Limits {
    rate_limits: Vec<LimitRow>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LimitRow {
    rate_limit_type: String,
    interval: String,
    interval_num: u64,
    limit: u64,
}

/// Reads the limits of an `exchangeInfo` answer (`rateLimits`); what it limits besides orders and weights is passed over.
/// Err: not such an answer; a window of an unknown unit, or of no length.
pub fn parse_rate_limits(text: &[u8]) -> Result<Vec<StatedLimit>, InstrumentError> {
    let error = |what: String| InstrumentError::new("", what);
    let limits: Limits = serde_json::from_slice(text).map_err(|problem| error(problem.to_string()))?;
    let mut stated = Vec::new();
    for row in limits.rate_limits {
        let counts_orders = match row.rate_limit_type.as_str() {
            "ORDERS" => true,
            "REQUEST_WEIGHT" => false,
            _ => continue,
        };
        let unit = match row.interval.as_str() {
            "SECOND" => Nanos::SECOND,
            "MINUTE" => Nanos::from_ms(60_000),
            "HOUR" => Nanos::HOUR,
            "DAY" => Nanos::from_ms(86_400_000),
            other => return Err(error(format!("rateLimits: interval {other:?}"))),
        };
        let window = unit.0.checked_mul(row.interval_num).filter(|window| *window > 0);
        let window = window.ok_or_else(|| error(format!("rateLimits: intervalNum {}", row.interval_num)))?;
        // A limit of nothing is none: a test venue that counts nothing says so.
        if row.limit > 0 {
            stated.push(StatedLimit { counts_orders, window: Nanos(window), max: row.limit });
        }
    }
    Ok(stated)
}

/// Reads the answer of the product's `exchangeInfo`.
/// Err: not such an answer; a symbol without the filters, or with a value that is no number, by name.
pub fn parse_exchange_info(text: &[u8], product: Product) -> Result<Vec<Instrument>, InstrumentError> {
    parse_chosen(text, product, |_| true)
}

/// Reads what the answer says of `symbols`; the others, of which a venue lists hundreds, are passed over.
/// Err: as [`parse_exchange_info`], of the chosen ones.
pub fn parse_exchange_info_of(
    text: &[u8],
    product: Product,
    symbols: &[String],
) -> Result<Vec<Instrument>, InstrumentError> {
    parse_chosen(text, product, |symbol| symbols.iter().any(|chosen| chosen == symbol))
}

fn parse_chosen(
    text: &[u8],
    product: Product,
    is_chosen: impl Fn(&str) -> bool,
) -> Result<Vec<Instrument>, InstrumentError> {
    let info: ExchangeInfo =
        serde_json::from_slice(text).map_err(|e| InstrumentError::new("exchangeInfo", e.to_string()))?;
    let source = match info.server_time {
        Some(ms) => format!("exchangeInfo of {}", Nanos::from_ms(ms)),
        None => "exchangeInfo".to_owned(),
    };
    let chosen = info.symbols.iter().filter(|symbol| is_chosen(&symbol.symbol));
    chosen.map(|symbol| symbol.instrument(product, &source)).collect()
}

/// Which product's answer it is: only COIN-M symbols have a contract size, only futures a contract type.
pub(crate) fn product_of(answer: &Value) -> Product {
    let first = &answer["symbols"][0];
    if first.get("contractSize").is_some() {
        Product::CoinM
    } else if first.get("contractType").is_some() {
        Product::UsdM
    } else {
        Product::Spot
    }
}

impl Symbol {
    fn instrument(&self, product: Product, source: &str) -> Result<Instrument, InstrumentError> {
        let error = |what: String| InstrumentError::new(self.symbol.clone(), what);
        let value = |filter: &str, key: &str, read: fn(&Filter) -> &Option<String>| {
            let found =
                self.filters.iter().find(|f| f.filter_type == filter).and_then(|f| read(f).as_deref());
            found.ok_or_else(|| error(format!("no filter {filter} with {key}")))
        };
        let number = |key: &str, text: &str, e: NumError| error(format!("{key} \"{text}\": {e}"));

        let tick_text = value("PRICE_FILTER", "tickSize", |f| &f.tick_size)?;
        let tick = Step::parse(tick_text.as_bytes()).map_err(|e| number("tickSize", tick_text, e))?;
        let lot_text = value("LOT_SIZE", "stepSize", |f| &f.step_size)?;
        let lot_step = Step::parse(lot_text.as_bytes()).map_err(|e| number("stepSize", lot_text, e))?;
        let (venue, kind, digits) = match product {
            Product::Spot => ("binance-spot", ContractKind::Spot, self.base_asset_precision),
            Product::UsdM => ("binance-usdm", ContractKind::Linear, self.quantity_precision),
            Product::CoinM => ("binance-coinm", ContractKind::Inverse, self.quantity_precision),
        };
        let qty_unit = Step::of_digits(digits.unwrap_or(0).max(lot_step.exponent()));
        let qty =
            |key: &str, text: &str| Qty::parse(text.as_bytes(), qty_unit).map_err(|e| number(key, text, e));
        let lot = qty("stepSize", lot_text)?;
        let qty_min = qty("minQty", value("LOT_SIZE", "minQty", |f| &f.min_qty)?)?;
        let qty_max = qty("maxQty", value("LOT_SIZE", "maxQty", |f| &f.max_qty)?)?;
        let notional_text = match product {
            Product::Spot => Some(
                value("NOTIONAL", "minNotional", |f| &f.min_notional)
                    .or_else(|_| value("MIN_NOTIONAL", "minNotional", |f| &f.min_notional))?,
            ),
            Product::UsdM => Some(value("MIN_NOTIONAL", "notional", |f| &f.notional)?),
            Product::CoinM => None, // it has none
        };
        let notional_min = notional_text.map_or(Ok(Decimal::ZERO), |text| {
            Decimal::parse(text).map_err(|e| number("minimum notional", text, e))
        })?;
        let contract_size = match (product, &self.contract_size) {
            (Product::Spot | Product::UsdM, _) => Step::ONE,
            (Product::CoinM, None) => return Err(error("no contractSize".into())),
            (Product::CoinM, Some(size)) => {
                let text = size.to_string();
                Step::parse(text.as_bytes()).map_err(|e| number("contractSize", &text, e))?
            }
        };
        checked(Instrument {
            id: InstrumentId(0),
            venue_id: VenueId(0),
            venue: venue.into(),
            symbol: self.symbol.clone(),
            base: self.base_asset.clone(),
            quote: self.quote_asset.clone(),
            kind,
            price_rule: PriceRule { tick, significant_figures: None },
            qty_unit,
            lot,
            qty_min: qty_min.max(lot),
            qty_max: if qty_max.0 == 0 { Qty(i64::MAX) } else { qty_max }, // zero switches the rule off
            notional_min,
            contract_size,
            status: match self.status.as_str() {
                "TRADING" => Status::Trading,
                "CANCEL_ONLY" => Status::CancelOnly,
                _ => Status::Halted, // breaks, settlement, delivery, and whatever comes to be
            },
            source: source.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instruments::parse;
    use serde_json::json;

    fn filters() -> Value {
        json!([
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000"},
            {"filterType": "SOMETHING_NEW", "limit": 5},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": true},
        ])
    }

    fn spot(filters: &Value) -> Value {
        json!({"timezone": "UTC", "serverTime": 1_723_161_255_000_u64, "symbols": [{
            "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "baseAssetPrecision": 8,
            "quoteAsset": "USDT", "quotePrecision": 8, "filters": filters,
        }]})
    }

    #[test]
    fn limits_are_those_of_orders_and_weight_that_are_any() {
        let row = |kind: &str, unit: &str, count: u64, limit: u64| json!({"rateLimitType": kind, "interval": unit, "intervalNum": count, "limit": limit});
        let read = |rows: Vec<Value>| {
            parse_rate_limits(json!({"rateLimits": rows, "symbols": []}).to_string().as_bytes())
        };
        let rows = vec![
            row("REQUEST_WEIGHT", "MINUTE", 1, 6_000),
            row("ORDERS", "SECOND", 10, 100),
            row("ORDERS", "DAY", 1, 0),
            row("RAW_REQUESTS", "MINUTE", 5, 61_000),
        ];
        let stated = |counts_orders, ms, max| StatedLimit { counts_orders, window: Nanos::from_ms(ms), max };
        assert_eq!(read(rows), Ok(vec![stated(false, 60_000, 6_000), stated(true, 10_000, 100)]));
        assert!(read(vec![row("ORDERS", "FORTNIGHT", 1, 5)]).unwrap_err().what.contains("FORTNIGHT"));
        assert!(read(vec![row("ORDERS", "SECOND", 0, 5)]).unwrap_err().what.contains("intervalNum"));
        assert!(parse_rate_limits(b"{}").is_err());
    }

    #[test]
    fn a_spot_answer_gives_its_filters() {
        let btc = parse(spot(&filters()).to_string().as_bytes()).unwrap().remove(0);
        assert_eq!(
            (btc.venue.as_str(), btc.kind, btc.status),
            ("binance-spot", ContractKind::Spot, Status::Trading)
        );
        assert_eq!(
            (btc.price_rule.tick.to_string(), btc.qty_unit.to_string()),
            ("0.01000000".into(), "0.00000001".into())
        );
        assert_eq!((btc.lot, btc.qty_min, btc.qty_max), (Qty(1_000), Qty(1_000), Qty(900_000_000_000)));
        assert_eq!(btc.notional_min.to_string(), "5.00000000");
        assert_eq!(btc.source, "exchangeInfo of 2024-08-08T23:54:15.000000000Z");
    }

    #[test]
    fn futures_answers_give_theirs_and_the_contract_size() {
        let symbol = |kind: &str, more: Value| {
            let mut symbol = json!({
                "symbol": "BTCUSD", "pair": "BTCUSD", "contractType": "PERPETUAL", "baseAsset": "BTC",
                "quoteAsset": "USD", "marginAsset": kind, "pricePrecision": 2, "filters": [
                    {"filterType": "PRICE_FILTER", "tickSize": "0.10"},
                    {"filterType": "LOT_SIZE", "minQty": "2", "maxQty": "0", "stepSize": "1"},
                    {"filterType": "MIN_NOTIONAL", "notional": "100"},
                ],
            });
            symbol.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({"symbols": [symbol]}).to_string()
        };
        let usdm = parse(symbol("USD", json!({"status": "SETTLING", "quantityPrecision": 3})).as_bytes());
        let usdm = usdm.unwrap().remove(0);
        assert_eq!(
            (usdm.venue.as_str(), usdm.kind, usdm.status),
            ("binance-usdm", ContractKind::Linear, Status::Halted)
        );
        assert_eq!(
            (usdm.qty_unit.to_string(), usdm.lot, usdm.qty_min),
            ("0.001".into(), Qty(1_000), Qty(2_000))
        );
        assert_eq!((usdm.qty_max, usdm.notional_min.to_string()), (Qty(i64::MAX), "100".into()));
        let inverse = json!({"contractStatus": "TRADING", "contractSize": 100, "quantityPrecision": 0});
        let coinm = parse(symbol("BTC", inverse).as_bytes()).unwrap().remove(0);
        assert_eq!((coinm.kind, coinm.contract_size.to_string()), (ContractKind::Inverse, "100".into()));
        assert_eq!((coinm.notional_min, coinm.status), (Decimal::ZERO, Status::Trading));
        let unsized_inverse = symbol("BTC", json!({"contractStatus": "TRADING"}));
        let error = parse_exchange_info(unsized_inverse.as_bytes(), Product::CoinM).unwrap_err();
        assert_eq!(error.to_string(), "BTCUSD: no contractSize");
    }

    #[test]
    fn a_symbol_without_its_filters_is_an_error_that_names_it() {
        let path = "/../../shared/fixtures/binance/spot/http_json/exchange_info_response.json";
        let fixture = std::fs::read(format!("{}{path}", env!("CARGO_MANIFEST_DIR"))).expect("fixture");
        let error = parse(&fixture).unwrap_err().to_string();
        assert_eq!(error, "ETHBTC: no filter PRICE_FILTER with tickSize");
        let others = parse_exchange_info_of(&fixture, Product::Spot, &["LTCBTC".to_owned()]).unwrap();
        assert!(others.is_empty(), "what was not asked for cannot fail");
        for (missing, what) in [
            (0, "BTCUSDT: no filter PRICE_FILTER with tickSize"),
            (1, "BTCUSDT: no filter LOT_SIZE with stepSize"),
            (3, "BTCUSDT: no filter MIN_NOTIONAL with minNotional"),
        ] {
            let mut filters = filters();
            filters.as_array_mut().unwrap().remove(missing);
            assert_eq!(parse(spot(&filters).to_string().as_bytes()).unwrap_err().to_string(), what);
        }
        let mut bad = filters();
        bad[0]["tickSize"] = "0.00000000".into();
        let error = parse(spot(&bad).to_string().as_bytes()).unwrap_err().to_string();
        assert_eq!(error, "BTCUSDT: tickSize \"0.00000000\": number out of range");
        let error = parse_exchange_info(b"{}", Product::Spot).unwrap_err().to_string();
        assert!(error.starts_with("exchangeInfo: missing field `symbols`"), "{error}");
    }
}
