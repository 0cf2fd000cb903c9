//! Perpetuals from Hyperliquid's `meta` answer. Sizes have `szDecimals` digits; prices five significant
//! figures and at most `6 - szDecimals` digits, whole numbers always allowed:
//! <https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/tick-and-lot-size> (from the project's
//! dossier of 21 Nov 2026). The minimum order value, 10 USDC, is the venue's rule and in no answer.

use super::PRICE_FIGURES;
use crate::instruments::{InstrumentError, checked};
use engine::ids::{InstrumentId, VenueId};
use engine::instrument::{ContractKind, Instrument, PriceRule, Status};
use engine::num::{Decimal, Qty, Step};
use serde::Deserialize;

#[derive(Deserialize)]
struct Meta {
    universe: Vec<Asset>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asset {
    name: String,
    sz_decimals: u8,
    is_delisted: Option<bool>,
}

const PRICE_DIGITS_MAX: u8 = 6;
const NOTIONAL_MIN: Decimal = Decimal { mantissa: 10, exponent: 0, digits: 0 };

/// Reads a `meta` answer. Err: not such an answer; an asset whose sizes have more digits than prices may.
pub fn parse_meta(text: &[u8]) -> Result<Vec<Instrument>, InstrumentError> {
    let meta: Meta = serde_json::from_slice(text).map_err(|e| InstrumentError::new("meta", e.to_string()))?;
    meta.universe.into_iter().map(Asset::instrument).collect()
}

impl Asset {
    fn instrument(self) -> Result<Instrument, InstrumentError> {
        let Some(price_digits) = PRICE_DIGITS_MAX.checked_sub(self.sz_decimals) else {
            return Err(InstrumentError::new(
                self.name,
                format!("szDecimals {} is above 6", self.sz_decimals),
            ));
        };
        checked(Instrument {
            id: InstrumentId(0),
            venue_id: VenueId(0),
            venue: "hyperliquid".into(),
            symbol: self.name.clone(),
            base: self.name,
            quote: "USDC".into(),
            kind: ContractKind::Linear,
            price_rule: PriceRule {
                tick: Step::of_digits(price_digits),
                significant_figures: Some(PRICE_FIGURES),
            },
            qty_unit: Step::of_digits(self.sz_decimals),
            lot: Qty(1),
            qty_min: Qty(1),
            qty_max: Qty(i64::MAX),
            notional_min: NOTIONAL_MIN,
            contract_size: Step::ONE,
            status: if self.is_delisted == Some(true) { Status::Halted } else { Status::Trading },
            source: "meta answer; minimum order value: the venue's published rule".into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instruments::parse;

    #[test]
    fn a_meta_answer_gives_ticks_and_lots() {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../shared/fixtures/hyperliquid/http_meta_perp_sample.json"
        );
        let all = parse(&std::fs::read(path).expect("fixture")).unwrap();
        let of = |i: usize| {
            let i: &Instrument = &all[i];
            (i.symbol.clone(), i.price_rule.tick.to_string(), i.qty_unit.to_string(), i.status)
        };
        assert_eq!(of(0), ("BTC".into(), "0.1".into(), "0.00001".into(), Status::Trading));
        assert_eq!(of(1), ("ETH".into(), "0.01".into(), "0.0001".into(), Status::Trading));
        assert_eq!(of(2), ("ATOM".into(), "0.0001".into(), "0.01".into(), Status::Trading));
        let delisted = parse(br#"{"universe":[{"name":"X","szDecimals":0,"isDelisted":true}]}"#).unwrap();
        assert_eq!(delisted[0].status, Status::Halted);
        let error = parse(br#"{"universe":[{"name":"X","szDecimals":7}]}"#).unwrap_err().to_string();
        assert_eq!(error, "X: szDecimals 7 is above 6");
    }
}
