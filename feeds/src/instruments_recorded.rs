//! The instruments of a recorded run, from the text that its journal has of them
//! (`engine::journal::instruments_text`): ids, rules and units as they were, whatever the program ships by now.

use crate::instruments::{InstrumentError, checked};
use engine::ids::{InstrumentId, VenueId};
use engine::instrument::{ContractKind, Instrument, InstrumentTable, PriceRule, Status};
use engine::num::{Decimal, NumError, Qty, Step};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    instrument: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: u32,
    venue: String,
    symbol: String,
    base: String,
    quote: String,
    kind: String,
    tick: String,
    significant_figures: Option<u8>,
    qty_unit: String,
    lot: String,
    qty_min_units: i64,
    qty_max_units: i64,
    notional_min: String,
    contract_size: String,
    /// For whoever shows amounts; follows from the rest.
    amount_digits: u8,
    status: String,
    source: String,
}

/// Reads the body of an `Instruments` record.
/// Err: not such a text; the instrument and what is wrong with it, an id out of order included.
pub fn parse_recorded(text: &str) -> Result<InstrumentTable, InstrumentError> {
    let file: File =
        toml::from_str(text).map_err(|error| InstrumentError::new("", error.to_string().trim_end()))?;
    let mut table = InstrumentTable::default();
    for row in file.instrument {
        let (id, digits, symbol) = (row.id, row.amount_digits, row.symbol.clone());
        let error = |what: String| InstrumentError::new(symbol.clone(), what);
        let instrument = row.instrument()?;
        let given = table.add(instrument);
        if given.0 != id {
            return Err(error(format!("id = {id} where {given} follows, or it is there twice")));
        }
        let amount_digits = table.get(given).map(Instrument::amount_exponent);
        if amount_digits != Some(digits) {
            return Err(error(format!("amount_digits = {digits} do not follow from its steps")));
        }
    }
    Ok(table)
}

impl Row {
    fn instrument(self) -> Result<Instrument, InstrumentError> {
        let fail = |key: &str, text: &str, error: NumError| {
            InstrumentError::new(self.symbol.clone(), format!("{key} = \"{text}\": {error}"))
        };
        let unknown =
            |key: &str, text: &str| InstrumentError::new(self.symbol.clone(), format!("{key} = \"{text}\""));
        let step =
            |key: &str, text: &str| Step::parse(text.as_bytes()).map_err(|error| fail(key, text, error));
        let qty_unit = step("qty_unit", &self.qty_unit)?;
        let lot = Qty::parse(self.lot.as_bytes(), qty_unit).map_err(|error| fail("lot", &self.lot, error))?;
        if lot.0 <= 0 || self.qty_min_units < lot.0 {
            return Err(InstrumentError::new(
                self.symbol.clone(),
                "lot and smallest order do not fit together",
            ));
        }
        let kind = ContractKind::ALL.into_iter().find(|kind| kind.name() == self.kind);
        let status = Status::ALL.into_iter().find(|status| status.name() == self.status);
        let notional_min = Decimal::parse(&self.notional_min)
            .map_err(|error| fail("notional_min", &self.notional_min, error))?;
        let tick = step("tick", &self.tick)?;
        let contract_size = step("contract_size", &self.contract_size)?;
        checked(Instrument {
            id: InstrumentId(0),
            venue_id: VenueId(0),
            kind: kind.ok_or_else(|| unknown("kind", &self.kind))?,
            price_rule: PriceRule { tick, significant_figures: self.significant_figures },
            qty_unit,
            lot,
            qty_min: Qty(self.qty_min_units),
            qty_max: Qty(self.qty_max_units),
            notional_min,
            contract_size,
            status: status.ok_or_else(|| unknown("status", &self.status))?,
            venue: self.venue,
            base: self.base,
            quote: self.quote,
            source: self.source,
            symbol: self.symbol,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instruments::parse;
    use engine::journal::instruments_text;

    const LIST: &str = r#"
[[instrument]]
venue = "binance"
product = "coinm"
symbol = "BTCUSD_PERP"
base = "BTC"
quote = "USD"
tick = "0.1"
lot = "1"
contract_size = "100"
min_notional = "0.5"
source = "a \"quoted\" text"

[[instrument]]
venue = "hyperliquid"
product = "perp"
symbol = "ETH"
base = "ETH"
quote = "USDC"
price_decimals_max = 2
price_significant_figures = 5
lot = "0.01"
qty_unit = "0.0001"
max_qty = "1000"
source = "b"
"#;

    fn recorded() -> (InstrumentTable, String) {
        let mut table = InstrumentTable::default();
        for instrument in parse(LIST.as_bytes()).unwrap() {
            table.add(instrument);
        }
        let text = instruments_text(&table);
        (table, text)
    }

    #[test]
    fn what_a_run_wrote_of_its_instruments_is_the_same_table_again() {
        let (table, text) = recorded();
        let again = parse_recorded(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(again.iter().collect::<Vec<_>>(), table.iter().collect::<Vec<_>>());
    }

    #[test]
    fn what_is_wrong_is_said_with_the_instrument() {
        let (_, text) = recorded();
        let error = |from: &str, to: &str| {
            assert!(text.contains(from), "{text}");
            parse_recorded(&text.replace(from, to)).unwrap_err().to_string()
        };
        assert_eq!(error("id = 1", "id = 2"), "ETH: id = 2 where 1 follows, or it is there twice");
        assert_eq!(error("\"inverse\"", "\"other\""), "BTCUSD_PERP: kind = \"other\"");
        assert_eq!(error("lot = \"0.0100\"", "lot = \"0.00001\"").split(':').next(), Some("ETH"));
        assert!(error("qty_min_units = 1\n", "").contains("qty_min_units"));
        assert_eq!(
            error("amount_digits = 8", "amount_digits = 7"),
            "ETH: amount_digits = 7 do not follow from its steps"
        );
        assert!(parse_recorded("nonsense").is_err() && parse_recorded("").unwrap().is_empty());
    }
}
