//! From the names and texts of a command to the numbers that a stage understands.

use super::by_hand::order_named;
use super::command::OWNER;
use super::hot::{ALL_INSTRUMENTS, ALL_STRATEGIES, Action, CommandBody, Param};
use super::{CommandKind, OrderWish, PARAMS_MAX};
use crate::ids::{InstrumentId, StrategyId};
use crate::instrument::Instrument;
use crate::num::{Decimal, NumError};
use std::fmt;

/// A value of a strategy that may change while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamDesc {
    /// As it is typed.
    pub name: &'static str,
    /// Power of ten that the value is scaled by: with 2, `0.5` is 50. 0..=18.
    pub digits: u8,
    /// Smallest value, scaled.
    pub min: i64,
    /// Largest value, scaled.
    pub max: i64,
    /// One sentence with the unit.
    pub help: &'static str,
}

impl ParamDesc {
    fn display(&self, value: i64) -> Decimal {
        Decimal { mantissa: value.into(), exponent: self.digits, digits: 0 }
    }

    /// Reads a value such as `0.5`. Err: not a decimal, finer than `digits`, outside `min..=max`.
    fn parse(&self, text: &str) -> Result<i64, ResolveError> {
        let fail = |error| ResolveError::Value { name: self.name, text: text.to_owned(), error };
        let number = Decimal::parse(text).map_err(fail)?;
        // Zeros behind the last digit that counts say nothing; `parse` reads 18 digits at most.
        let finer = number.exponent.saturating_sub(self.digits);
        let unit = 10_i128.pow(finer.into());
        if number.mantissa % unit != 0 {
            return Err(fail(NumError::OffStep));
        }
        let number =
            Decimal { mantissa: number.mantissa / unit, exponent: number.exponent - finer, ..number };
        let value = number.rescaled(self.digits).map_err(fail)?;
        let value = i64::try_from(value).map_err(|_| fail(NumError::OutOfRange))?;
        if (self.min..=self.max).contains(&value) {
            return Ok(value);
        }
        let (min, max) = (self.display(self.min), self.display(self.max));
        Err(ResolveError::Range { name: self.name, text: text.to_owned(), min, max })
    }
}

/// A strategy as commands name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StrategyDesc {
    /// Its number in the run.
    pub id: StrategyId,
    /// As it is typed.
    pub name: String,
    /// What may be set, by index.
    pub params: Vec<ParamDesc>,
}

/// Everything in a run that commands can name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Its strategies.
    pub strategies: Vec<StrategyDesc>,
    /// Its instruments as `venue:symbol`, by id.
    pub instruments: Vec<String>,
    /// What an order on each of them must fulfil, by id; empty: the run takes no order by hand.
    pub rules: Vec<Instrument>,
}

/// A command without names.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// What is asked; id and lane are zero.
    pub body: CommandBody,
    /// The values to set.
    pub params: Vec<Param>,
}

impl Names {
    /// Looks up what a command names. None: a kill, which is no stage's. Err: the name or value that is wrong.
    pub fn resolve(&self, kind: &CommandKind) -> Result<Option<Resolved>, ResolveError> {
        let body = |action, strategy, instrument| CommandBody::new(action, strategy, instrument);
        let (body, params) = match kind {
            CommandKind::Pause { strategy } => {
                (body(Action::Pause, self.strategy_or_all(strategy.as_deref())?, ALL_INSTRUMENTS), vec![])
            }
            CommandKind::Resume { strategy } => {
                (body(Action::Resume, self.strategy_or_all(strategy.as_deref())?, ALL_INSTRUMENTS), vec![])
            }
            CommandKind::CancelAll { instrument } => {
                let instrument = self.instrument_or_all(instrument.as_deref())?;
                (body(Action::CancelAll, ALL_STRATEGIES, instrument), vec![])
            }
            CommandKind::Set { strategy, params } => {
                let strategy = self.strategy(strategy)?;
                let params = params.iter().map(|(name, value)| strategy.param(name, value));
                let params = params.collect::<Result<Vec<_>, _>>()?;
                (body(Action::Set, strategy.id, ALL_INSTRUMENTS), params)
            }
            CommandKind::Order { instrument, terms } => {
                let instrument = self.instrument(instrument)?;
                let rules = self.rules.get(instrument.index()).ok_or(ResolveError::NoOrders)?;
                let owner = terms.iter().find(|(name, _)| name == OWNER);
                let strategy = self.owner(owner.map(|(_, strategy)| strategy.as_str()))?;
                for (name, _) in terms {
                    if !TERMS.contains(&name.as_str()) {
                        let known = TERMS.map(str::to_owned).to_vec();
                        return Err(ResolveError::Unknown { what: "term", name: name.clone(), known });
                    }
                }
                let order = OrderWish::read(terms, rules)?;
                (CommandBody { order, ..body(Action::Order, strategy, instrument) }, vec![])
            }
            CommandKind::Cancel { order } => {
                let (seq, of) = order_named(order).ok_or_else(|| ResolveError::NoOrder(order.clone()))?;
                let (engine, run) = of.unwrap_or_default();
                let order = OrderWish { seq, run, ..OrderWish::default() };
                let body = body(Action::Cancel, ALL_STRATEGIES, ALL_INSTRUMENTS);
                (CommandBody { order, engine, ..body }, vec![])
            }
            CommandKind::Flatten { instrument, strategy } => {
                let instrument = self.instrument_or_all(instrument.as_deref())?;
                let strategy = match strategy.as_deref() {
                    None => ALL_STRATEGIES,
                    owner => self.owner(owner)?,
                };
                (body(Action::Flatten, strategy, instrument), vec![])
            }
            CommandKind::Kill { .. } => return Ok(None),
        };
        debug_assert!(params.len() <= PARAMS_MAX);
        Ok(Some(Resolved { body, params }))
    }

    fn strategy(&self, name: &str) -> Result<&StrategyDesc, ResolveError> {
        let known = self.strategies.iter().find(|strategy| strategy.name == name);
        known.ok_or_else(|| {
            let known = self.strategies.iter().map(|strategy| strategy.name.clone()).collect();
            ResolveError::Unknown { what: "strategy", name: name.to_owned(), known }
        })
    }

    /// Whose an order is. None: whoever trades by hand.
    fn owner(&self, name: Option<&str>) -> Result<StrategyId, ResolveError> {
        match name {
            None | Some(StrategyId::MANUAL_NAME) => Ok(StrategyId::MANUAL),
            Some(name) => self.strategy(name).map(|strategy| strategy.id),
        }
    }

    fn strategy_or_all(&self, name: Option<&str>) -> Result<StrategyId, ResolveError> {
        name.map_or(Ok(ALL_STRATEGIES), |name| self.strategy(name).map(|strategy| strategy.id))
    }

    fn instrument_or_all(&self, name: Option<&str>) -> Result<InstrumentId, ResolveError> {
        name.map_or(Ok(ALL_INSTRUMENTS), |name| self.instrument(name))
    }

    fn instrument(&self, name: &str) -> Result<InstrumentId, ResolveError> {
        let index = self.instruments.iter().position(|known| known == name);
        let id = index.and_then(|index| u32::try_from(index).ok());
        id.map(InstrumentId).ok_or_else(|| {
            let known = self.instruments.clone();
            ResolveError::Unknown { what: "instrument", name: name.to_owned(), known }
        })
    }
}

/// Terms that an order by hand can have.
const TERMS: [&str; 7] = ["side", "qty", "limit", "trigger", "tif", "reduce_only", OWNER];

impl StrategyDesc {
    fn param(&self, name: &str, value: &str) -> Result<Param, ResolveError> {
        let found = self.params.iter().enumerate().find(|(_, desc)| desc.name == name);
        let Some((index, desc)) = found else {
            let known = self.params.iter().map(|desc| desc.name.to_owned()).collect();
            return Err(ResolveError::Unknown { what: "parameter", name: name.to_owned(), known });
        };
        let value = desc.parse(value)?;
        Ok(Param { index: u32::try_from(index).unwrap_or(u32::MAX), reserved: 0, value })
    }
}

/// What a command names is not there, or a value cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolveError {
    /// No such strategy, instrument or parameter.
    Unknown {
        /// Which of them.
        what: &'static str,
        /// As typed.
        name: String,
        /// The ones there are.
        known: Vec<String>,
    },
    /// Not a decimal, or finer than the parameter.
    Value {
        /// The parameter.
        name: &'static str,
        /// As typed.
        text: String,
        /// What is wrong.
        error: NumError,
    },
    /// A term of an order that cannot be.
    Term {
        /// The term.
        name: &'static str,
        /// As typed.
        text: String,
        /// What it must be.
        what: String,
    },
    /// Neither a sequence nor a client order id.
    NoOrder(String),
    /// The run takes no order by hand.
    NoOrders,
    /// Too small or too large.
    Range {
        /// The parameter.
        name: &'static str,
        /// As typed.
        text: String,
        /// Smallest.
        min: Decimal,
        /// Largest.
        max: Decimal,
    },
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { what, name, known } if known.is_empty() => {
                write!(f, "no {what} {name}: there is none")
            }
            Self::Unknown { what, name, known } => {
                write!(f, "no {what} {name}; there is {}", known.join(", "))
            }
            Self::Term { name, text, what } => write!(f, "{name}: {text} {what}"),
            Self::NoOrder(text) => {
                write!(
                    f,
                    "order {text:?}: must be a sequence such as 345, or a client order id such as sb7-12-345"
                )
            }
            Self::NoOrders => f.write_str("this run takes no order by hand"),
            Self::Value { name, text, error } => write!(f, "{name}: {text}: {error}"),
            Self::Range { name, text, min, max } => write!(f, "{name}: {text} is not in {min}..={max}"),
        }
    }
}

impl std::error::Error for ResolveError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let param = |name, digits, min, max| ParamDesc { name, digits, min, max, help: "A test's." };
        Names {
            strategies: vec![StrategyDesc {
                id: StrategyId(1),
                name: "quoter".into(),
                params: vec![param("levels", 0, 1, 20), param("skew_bps", 2, -1000, 1000)],
            }],
            instruments: vec!["binance-usdm:BTCUSDT".into(), "binance-usdm:ETHUSDT".into()],
            rules: vec![crate::instrument::tests::instrument(
                crate::instrument::ContractKind::Linear,
                "0.1",
                "0.001",
                "1",
            )],
        }
    }

    fn set(params: &[(&str, &str)]) -> CommandKind {
        let params = params.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        CommandKind::Set { strategy: "quoter".into(), params }
    }

    #[test]
    fn names_become_numbers_and_an_absent_name_is_all_of_them() {
        let fields = |kind: &CommandKind| {
            let body = names().resolve(kind).unwrap().unwrap().body;
            (body.action().unwrap(), body.strategy.0, body.instrument.0)
        };
        let (all, every) = (ALL_STRATEGIES.0, ALL_INSTRUMENTS.0);
        assert_eq!(fields(&CommandKind::Pause { strategy: None }), (Action::Pause, all, every));
        let quoter = Some("quoter".to_owned());
        assert_eq!(fields(&CommandKind::Resume { strategy: quoter }), (Action::Resume, 1, every));
        let eth = Some("binance-usdm:ETHUSDT".to_owned());
        assert_eq!(fields(&CommandKind::CancelAll { instrument: eth }), (Action::CancelAll, all, 1));
        assert!(names().resolve(&CommandKind::Kill { reason: String::new() }).unwrap().is_none());
    }

    #[test]
    fn orders_by_hand_become_numbers_and_have_an_owner() {
        let order = |instrument: &str, more: &[(&str, &str)]| {
            let terms = [&[("side", "sell"), ("qty", "0.5")], more].concat();
            let terms = terms.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
            names().resolve(&CommandKind::Order { instrument: instrument.into(), terms })
        };
        let body = order("binance-usdm:BTCUSDT", &[]).unwrap().unwrap().body;
        assert_eq!(
            (body.action(), body.strategy, body.instrument),
            (Some(Action::Order), StrategyId::MANUAL, InstrumentId(0))
        );
        assert_eq!((body.order.qty.0, body.order.price.0, body.order.side), (500, 0, 1));
        let body = order("binance-usdm:BTCUSDT", &[("limit", "100.1"), ("strategy", "quoter")])
            .unwrap()
            .unwrap()
            .body;
        assert_eq!((body.strategy, body.order.price.0), (StrategyId(1), 1001));
        let say = |result: Result<Option<Resolved>, ResolveError>| result.unwrap_err().to_string();
        assert_eq!(say(order("BTCUSDT", &[])).split(';').next(), Some("no instrument BTCUSDT"));
        assert_eq!(say(order("binance-usdm:ETHUSDT", &[])), "this run takes no order by hand");
        assert_eq!(
            say(order("binance-usdm:BTCUSDT", &[("strategy", "x")])),
            "no strategy x; there is quoter"
        );
        assert!(
            say(order("binance-usdm:BTCUSDT", &[("price", "1")]))
                .starts_with("no term price; there is side, ")
        );
        let cancel = |order: &str| names().resolve(&CommandKind::Cancel { order: order.into() });
        let body = cancel("sb7-12-345").unwrap().unwrap().body;
        assert_eq!(
            (body.action(), body.order.seq, body.order.run, body.engine),
            (Some(Action::Cancel), 345, 12, 7)
        );
        assert!(say(cancel("345x")).starts_with("order \"345x\": must be a sequence"));
        let flatten = |strategy: Option<&str>| {
            let kind = CommandKind::Flatten { instrument: None, strategy: strategy.map(Into::into) };
            names().resolve(&kind).unwrap().unwrap().body.strategy
        };
        let all = [None, Some("quoter"), Some("manual")].map(flatten);
        assert_eq!(all, [ALL_STRATEGIES, StrategyId(1), StrategyId::MANUAL]);
    }

    #[test]
    fn values_are_read_exactly_at_the_scale_of_their_parameter() {
        let params =
            names().resolve(&set(&[("skew_bps", "-0.50"), ("levels", "20.0")])).unwrap().unwrap().params;
        assert_eq!(params.iter().map(|p| (p.index, p.value)).collect::<Vec<_>>(), [(1, -50), (0, 20)]);
    }

    #[test]
    fn what_is_wrong_is_named_with_what_there_is() {
        let text = |kind: CommandKind| names().resolve(&kind).unwrap_err().to_string();
        let pause = CommandKind::Pause { strategy: Some("maker".into()) };
        assert_eq!(text(pause.clone()), "no strategy maker; there is quoter");
        assert_eq!(
            Names::default().resolve(&pause).unwrap_err().to_string(),
            "no strategy maker: there is none"
        );
        let cancel = CommandKind::CancelAll { instrument: Some("BTCUSDT".into()) };
        assert_eq!(
            text(cancel),
            "no instrument BTCUSDT; there is binance-usdm:BTCUSDT, binance-usdm:ETHUSDT"
        );
        assert_eq!(text(set(&[("level", "3")])), "no parameter level; there is levels, skew_bps");
        assert_eq!(text(set(&[("levels", "21")])), "levels: 21 is not in 1..=20");
        assert_eq!(text(set(&[("skew_bps", "-10.01")])), "skew_bps: -10.01 is not in -10..=10");
        assert_eq!(text(set(&[("levels", "1.5")])), "levels: 1.5: not a whole number of ticks or units");
        assert_eq!(text(set(&[("levels", "many")])), "levels: many: not a plain decimal number");
        assert_eq!(text(set(&[("skew_bps", "92233720368547758")])).split(':').next(), Some("skew_bps"));
    }
}
