//! `stat`'s accounts: profit and loss by strategy and instrument, in market units.

use engine::ids::StrategyId;
use engine::num::Decimal;
use serde_json::{Value, json};

use crate::accounts::{Account, Accounts, MARKOUTS, Markout};
use crate::context::Facts;
use crate::filter::Filter;
use crate::output::{Out, Stop};

/// A line or an object for each strategy and instrument; nothing where nothing was filled.
pub(crate) fn show(
    accounts: &Accounts,
    filter: &Filter,
    facts: &Facts,
    as_json: bool,
    out: &mut Out,
) -> Result<(), Stop> {
    for (strategy, account) in accounts.iter() {
        if !filter.takes_fills_of(account.instrument.id) {
            continue;
        }
        let shown = Shown::of(accounts, facts, strategy, account);
        if as_json { out.line(shown.json())? } else { shown.text(out)? }
    }
    Ok(())
}

struct Shown<'a> {
    account: &'a Account,
    strategy: String,
    pnl: Option<Decimal>,
    inventory: Option<Decimal>,
    spread: Decimal,
    fees: Decimal,
    net: Option<Decimal>,
}

impl<'a> Shown<'a> {
    fn of(accounts: &Accounts, facts: &Facts, strategy: StrategyId, account: &'a Account) -> Self {
        let instrument = &account.instrument;
        let pnl_x2 = account.pnl_x2(accounts.touch(instrument.id));
        let halved = |amount_x2| halved(account, amount_x2);
        let funding_x2 = account.funding().saturating_mul(2);
        let inventory_x2 =
            pnl_x2.and_then(|pnl| pnl.checked_sub(account.spread_x2())?.checked_sub(funding_x2));
        let net_x2 = pnl_x2.and_then(|pnl| pnl.checked_sub(account.fees().checked_mul(2)?));
        Self {
            account,
            strategy: facts.strategy(strategy),
            pnl: pnl_x2.map(halved),
            inventory: inventory_x2.map(halved),
            spread: halved(account.spread_x2()),
            fees: instrument.amount(account.fees()),
            net: net_x2.map(halved),
        }
    }

    fn text(&self, out: &mut Out) -> Result<(), Stop> {
        let Self { account, strategy, .. } = self;
        let instrument = &account.instrument;
        let (asset, position) = (instrument.settle(), &account.position);
        let qty = |qty: i128| instrument.qty_unit.decimal(qty);
        out.line("")?;
        out.line(format_args!("{} by {strategy}, amounts in {asset}", instrument.full_name()))?;
        let row = |out: &mut Out, label: &str, value: String| out.line(format_args!("  {label:<11} {value}"));
        let known = |amount: Option<Decimal>| amount.map_or_else(|| "unknown".to_owned(), |a| a.to_string());
        row(
            out,
            "fills",
            format!(
                "{}, of them maker {:.1} %; bought {}, sold {}, value {}",
                position.fills,
                100.0 * ratio(account.maker_fills.into(), position.fills.into()),
                qty(position.bought),
                qty(position.sold),
                instrument.amount(account.volume),
            ),
        )?;
        if account.opening_qty().0 != 0 {
            row(
                out,
                "before",
                format!("{} held when the journal begins", qty(account.opening_qty().0.into())),
            )?;
        }
        let cash = instrument.amount(position.cash);
        row(out, "position", format!("{}, cash {cash}", qty(position.qty.0.into())))?;
        let untouched = match account.untouched_fills {
            0 => String::new(),
            fills => format!(" ({fills} fills without a touch count as nothing)"),
        };
        row(out, "spread", format!("{}{untouched}", self.spread))?;
        row(out, "inventory", known(self.inventory))?;
        if account.funding() != 0 {
            row(out, "funding", instrument.amount(account.funding()).to_string())?;
        }
        row(out, "profit", format!("{} before fees", known(self.pnl)))?;
        row(out, "fees", self.fees.to_string())?;
        row(out, "net", known(self.net))?;
        for (markout, after) in account.markouts.iter().zip(MARKOUTS) {
            let label = format!("after {} s", after.0 / 1_000_000_000);
            let unpriced = match markout.unpriced {
                0 => String::new(),
                fills => format!(", {fills} without a sound touch then"),
            };
            let bps = bps(markout).map_or_else(|| "no value".to_owned(), |bps| format!("{bps:+.3} bps"));
            let sum = halved(account, markout.sum_x2);
            row(out, &label, format!("{bps}, {sum} over {} fills{unpriced}", markout.fills))?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let Self { account, .. } = self;
        let instrument = &account.instrument;
        let position = &account.position;
        let qty = |qty: i128| instrument.qty_unit.decimal(qty).to_string();
        let known = |amount: Option<Decimal>| amount.map(|amount| amount.to_string());
        let markout = |(markout, after): (&Markout, engine::time::Nanos)| {
            json!({
                "after_s": after.0 / 1_000_000_000, "fills": markout.fills, "unpriced": markout.unpriced,
                "sum": halved(account, markout.sum_x2).to_string(), "bps": bps(markout),
            })
        };
        json!({
            "report": "pnl",
            "strategy": self.strategy,
            "instrument": instrument.full_name(),
            "asset": instrument.settle(),
            "fills": position.fills,
            "maker_fills": account.maker_fills,
            "maker_ratio": ratio(account.maker_fills.into(), position.fills.into()),
            "opening_position": qty(account.opening_qty().0.into()),
            "bought": qty(position.bought),
            "sold": qty(position.sold),
            "value": instrument.amount(account.volume).to_string(),
            "position": qty(position.qty.0.into()),
            "cash": instrument.amount(position.cash).to_string(),
            "spread": self.spread.to_string(),
            "untouched_fills": account.untouched_fills,
            "inventory": known(self.inventory),
            "pnl": known(self.pnl),
            "fees": self.fees.to_string(),
            "funding": instrument.amount(account.funding()).to_string(),
            "net": known(self.net),
            "markouts": account.markouts.iter().zip(MARKOUTS).map(markout).collect::<Vec<_>>(),
        })
    }
}

/// Half of an amount, exactly: one more digit.
fn halved(account: &Account, amount_x2: i128) -> Decimal {
    let exponent = account.instrument.amount_exponent() + 1;
    Decimal { mantissa: amount_x2.saturating_mul(5), exponent, digits: 0 }
}

/// The mean of a markout's fills, in hundredths of a percent of their value. None: no value.
fn bps(markout: &Markout) -> Option<f64> {
    (markout.volume > 0).then(|| 5_000.0 * ratio(markout.sum_x2, markout.volume))
}

#[expect(clippy::cast_precision_loss, reason = "ratios for people")]
fn ratio(part: i128, whole: i128) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
