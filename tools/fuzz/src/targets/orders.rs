//! Orders at the paper exchange: what its own parser takes, another parser of JSON reads alike, and what that one
//! does not take at all is refused.

use crate::driver::Outcome;
use crate::truth::{count_of, outcome};
use engine::ids::{InstrumentId, VenueId};
use engine::instrument::{ContractKind, Instrument, InstrumentTable, PriceRule, Status};
use engine::num::{Decimal, Price, Qty, Side, Step};
use engine::order::Tif;
use gateway::paper::request::{NO_INSTRUMENT, NewOrder, RequestErrorKind, Wants, parse};
use serde_json::Value;
use std::sync::LazyLock;

/// Runs one input: a request.
pub fn target(data: &[u8]) -> Outcome {
    let said = match parse(data, VenueId(0), &TABLE) {
        Err(error) => {
            assert!(error.offset <= data.len(), "{error}");
            assert!(!error.to_string().is_empty());
            match error.kind {
                RequestErrorKind::Syntax => "syntax",
                RequestErrorKind::Method => "method",
                RequestErrorKind::Missing(key) | RequestErrorKind::Value(key) => key,
                RequestErrorKind::Twice => "twice",
                RequestErrorKind::Symbol => "symbol",
                RequestErrorKind::TooMany => panic!("{error}: it was only read"),
            }
        }
        Ok(request) => {
            // Numbers like `+1` and words like `abc` may stand where the exchange does not look.
            let Ok(json) = serde_json::from_slice::<Value>(data) else { return outcome("not quite JSON") };
            let params = &json["params"];
            let text = |key: &str| match &params[key] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let count = |key: &str, exponent| count_of(text(key).as_bytes(), exponent).ok();
            if request.wants == Wants::CancelWaiting {
                assert_eq!(
                    (request.instrument, text("clientAlgoId").as_bytes()),
                    (NO_INSTRUMENT, request.id.as_bytes())
                );
                return outcome("cancel waiting");
            }
            assert_eq!((request.instrument, text("symbol").as_str()), (InstrumentId(0), "BTCUSDT"));
            let id = String::from_utf8_lossy(request.id.as_bytes()).into_owned();
            let method = json["method"].as_str().unwrap_or_default();
            let is_new = ["order.place", "algoOrder.place", "order.cancelReplace"].contains(&method);
            let id_key = match method {
                "algoOrder.place" => "clientAlgoId",
                _ if is_new => "newClientOrderId",
                _ => "origClientOrderId",
            };
            assert_eq!(text(id_key), id);
            match request.wants {
                Wants::Place(new) | Wants::Replace { new, .. } => {
                    let NewOrder { side, limit, qty, tif, trigger, reduces } = new;
                    assert_eq!((is_new, text("side")), (true, side.name().to_uppercase()));
                    if let Wants::Replace { open, stops, .. } = request.wants {
                        assert_eq!(text("cancelOrigClientOrderId").as_bytes(), open.as_bytes());
                        assert_eq!(stops, text("cancelReplaceMode") == "STOP_ON_FAILURE");
                    }
                    assert_eq!(Some(qty.0), count("quantity", 3));
                    assert_eq!(limit.map(|price| price.0), limit.and_then(|_| count("price", 1)));
                    let kind = text("type");
                    assert_eq!(limit.is_none(), ["MARKET", "STOP_MARKET"].contains(&kind.as_str()));
                    assert_eq!(trigger.is_some(), kind.starts_with("STOP"));
                    assert_eq!(trigger.map(|price| price.0), trigger.and_then(|_| count("triggerPrice", 1)));
                    assert_eq!(reduces, text("reduceOnly") == "true");
                    let post_only = text("type") == "LIMIT_MAKER" || text("timeInForce") == "GTX";
                    assert!(tif != Tif::PostOnly || post_only);
                    assert!(qty > Qty(0) && limit.is_none_or(|price| price > Price(0)));
                    if side == Side::Buy { "buy" } else { "sell" }
                }
                Wants::CancelWaiting => "cancel waiting",
                Wants::Cancel => {
                    assert_eq!(method, "order.cancel");
                    "cancel"
                }
                Wants::Query => {
                    assert_eq!(method, "order.status");
                    "query"
                }
                Wants::Modify { price, qty } => {
                    assert_eq!((Some(price.0), Some(qty.0)), (count("price", 1), count("quantity", 3)));
                    "modify"
                }
                Wants::Shrink { qty } => {
                    assert_eq!(Some(qty.0), count("newQty", 3));
                    "shrink"
                }
            }
        }
    };
    outcome(said)
}

pub(crate) static TABLE: LazyLock<InstrumentTable> = LazyLock::new(|| {
    let step = |text: &str| Step::parse(text.as_bytes()).unwrap_or(Step::ONE);
    let mut table = InstrumentTable::default();
    table.add(Instrument {
        id: InstrumentId(0),
        venue_id: VenueId(0),
        venue: "binance-usdm".into(),
        symbol: "BTCUSDT".into(),
        base: "BTC".into(),
        quote: "USDT".into(),
        kind: ContractKind::Linear,
        price_rule: PriceRule { tick: step("0.1"), significant_figures: None },
        qty_unit: step("0.001"),
        lot: Qty(1),
        qty_min: Qty(1),
        qty_max: Qty(1_000_000),
        notional_min: Decimal::ZERO,
        contract_size: Step::ONE,
        status: Status::Trading,
        source: "generated".into(),
    });
    table
});
