//! The kinds of strategies there are, and how a table of the configuration becomes one of them.
//!
//! ```toml
//! [[strategy]]
//! kind = "market_maker"
//! name = "mm"
//! instruments = ["*"]          # or venue:symbol
//! quote_notional = "500"       # and every other parameter of the kind: none has a default
//! ```

use crate::market_maker;
use crate::strategy::{ParamDesc, Strategy};
use engine::commands::{Names, StrategyDesc};
use engine::ids::StrategyId;
use engine::instrument::{Instrument, InstrumentTable};
use engine::num::Decimal;
use serde::{Deserialize, Deserializer, de};
use std::collections::BTreeMap;
use std::fmt;

/// A kind of strategy: its name in the configuration, its parameters, and who makes one.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The value of `kind`.
    pub name: &'static str,
    /// Its parameters, each of which the configuration has to give.
    pub params: &'static [ParamDesc],
    /// What the parameters must fulfil together. Err: the rule, beginning with a parameter's name.
    pub check: fn(&[i64]) -> Result<(), &'static str>,
    /// Makes one for these instruments.
    pub make: fn(&[Instrument]) -> Box<dyn Strategy>,
}

/// Every kind that ships. A new strategy is a line here.
pub const KINDS: &[Kind] = &[market_maker::KIND];

/// A strategy's table as it was read: nothing is known about it yet.
#[derive(Clone, Debug, Deserialize)]
pub struct StrategyTable {
    kind: String,
    name: String,
    instruments: Vec<String>,
    #[serde(flatten)]
    params: BTreeMap<String, Value>,
}

/// A strategy that was checked, but for its instruments.
#[derive(Clone, Debug)]
pub struct StrategyConfig {
    /// What it is.
    pub kind: Kind,
    /// What the run calls it.
    pub name: String,
    /// Full names of its instruments; `*` for all of the run.
    pub instruments: Vec<String>,
    /// Its parameters' values, in the order of the kind's.
    pub values: Vec<i64>,
}

impl StrategyConfig {
    /// A strategy of one of `kinds`. Err: the key that is wrong, with the nearest valid name.
    pub fn new(kinds: &[Kind], table: &StrategyTable) -> Result<Self, String> {
        let fail = |key: &str, what: String| format!("[[strategy]] name = {:?}, {key}: {what}", table.name);
        let is_word = |name: &str| {
            (1..=NAME_BYTES_MAX).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        if !is_word(&table.name) {
            return Err(fail("name", format!("must be 1 to {NAME_BYTES_MAX} of a-z, 0-9, _")));
        }
        if table.name == StrategyId::MANUAL_NAME {
            return Err(fail("name", "is that of whoever trades by hand".into()));
        }
        let kind = *kinds.iter().find(|kind| kind.name == table.kind).ok_or_else(|| {
            fail(
                "kind",
                format!(
                    "no such strategy {:?}{}",
                    table.kind,
                    nearest(&table.kind, kinds.iter().map(|k| k.name))
                ),
            )
        })?;
        let names = || kind.params.iter().map(|param| param.name);
        if let Some(unknown) = table.params.keys().find(|key| !names().any(|name| name == *key)) {
            return Err(fail(
                unknown,
                format!("{} has no such parameter{}", kind.name, nearest(unknown, names())),
            ));
        }
        let value = |param: &ParamDesc| {
            let value = table.params.get(param.name).ok_or_else(|| format!("is missing: {}", param.help));
            value.and_then(|value| value.read(param)).map_err(|what| fail(param.name, what))
        };
        let values = kind.params.iter().map(value).collect::<Result<Vec<_>, _>>()?;
        (kind.check)(&values)
            .map_err(|what| fail(what.split(' ').next().unwrap_or_default(), what.into()))?;
        if table.instruments.is_empty() {
            return Err(fail("instruments", "names none; \"*\" is all of the run".into()));
        }
        Ok(Self { kind, name: table.name.clone(), instruments: table.instruments.clone(), values })
    }

    /// The strategies of a configuration. Err: as [`Self::new`]; two of one name.
    pub fn all(kinds: &[Kind], tables: &[StrategyTable]) -> Result<Vec<Self>, String> {
        let all = tables.iter().map(|table| Self::new(kinds, table)).collect::<Result<Vec<_>, _>>()?;
        let twice = |index: usize, one: &Self| all[..index].iter().any(|other| other.name == one.name);
        match all.iter().enumerate().find(|(index, one)| twice(*index, one)) {
            Some((_, one)) => Err(format!("[[strategy]] name = {:?}, name: is there twice", one.name)),
            None => Ok(all),
        }
    }

    /// Err: an instrument that is not among `names`, the full names of the run's.
    pub fn check_instruments(&self, names: &[String]) -> Result<(), String> {
        let unknown = self.instruments.iter().find(|name| *name != ALL && !names.contains(name));
        unknown.map_or(Ok(()), |unknown| {
            let near = nearest(unknown, names.iter().map(String::as_str));
            Err(format!("[[strategy]] name = {:?}, instruments: the run has no {unknown:?}{near}", self.name))
        })
    }

    /// Its instruments in this run, in the run's order. Err: a name that the run does not have.
    pub fn instruments_of(&self, table: &InstrumentTable) -> Result<Vec<Instrument>, String> {
        let names: Vec<String> = table.iter().map(Instrument::full_name).collect();
        self.check_instruments(&names)?;
        let wanted =
            |one: &&Instrument| self.instruments.iter().any(|name| *name == ALL || *name == one.full_name());
        Ok(table.iter().filter(wanted).cloned().collect())
    }
}

/// Everything that commands can name: the strategies, numbered from 1, and the instruments of the run.
#[must_use]
pub fn names(strategies: &[StrategyConfig], table: &InstrumentTable) -> Names {
    let strategy = |(id, config): (u16, &StrategyConfig)| StrategyDesc {
        id: StrategyId(id),
        name: config.name.clone(),
        params: config.kind.params.to_vec(),
    };
    Names {
        strategies: (1..).zip(strategies).map(strategy).collect(),
        instruments: table.iter().map(Instrument::full_name).collect(),
        rules: table.iter().cloned().collect(),
    }
}

/// All instruments of the run.
const ALL: &str = "*";
const NAME_BYTES_MAX: usize = 24;

/// A parameter's value as it was written.
#[derive(Clone, Debug)]
enum Value {
    Whole(i64),
    Text(String),
}

impl Value {
    /// In 10^-digits of the parameter. Err: what it must be.
    fn read(&self, param: &ParamDesc) -> Result<i64, String> {
        let decimal = match self {
            Self::Whole(value) => Ok(Decimal { mantissa: i128::from(*value), exponent: 0, digits: 0 }),
            Self::Text(text) => Decimal::parse(text).map_err(|error| format!("{text:?}: {error}")),
        }?;
        let value =
            decimal.rescaled(param.digits.max(decimal.exponent)).map_err(|error| error.to_string())?;
        // Trailing zeros beyond the digits are no digits.
        let finer = 10_i128.pow(u32::from(decimal.exponent.saturating_sub(param.digits)));
        if value % finer != 0 {
            return Err(format!("must have at most {} digits behind the point", param.digits));
        }
        let value = i64::try_from(value / finer).ok().filter(|v| (param.min..=param.max).contains(v));
        value.ok_or_else(|| format!("must be in {}..={}", shown(param, param.min), shown(param, param.max)))
    }
}

/// A parameter's value for people.
fn shown(param: &ParamDesc, value: i64) -> Decimal {
    Decimal { mantissa: i128::from(value), exponent: param.digits, digits: 0 }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Value;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or a decimal in quotes")
            }
            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(Value::Whole(value))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
                i64::try_from(value).map(Value::Whole).map_err(E::custom)
            }
            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(Value::Text(value.to_owned()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// `; did you mean "..."?` with the name that takes the fewest changes, or nothing when none is near.
fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> String {
    let near = names.map(|name| (distance(wrong, name), name)).min();
    match near {
        Some((changes, name)) if changes <= 1 + wrong.len().max(name.len()) / 3 => {
            format!("; did you mean {name:?}?")
        }
        Some((_, name)) => format!("; the nearest is {name:?}"),
        None => String::new(),
    }
}

/// Letters to insert, delete or replace (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}
