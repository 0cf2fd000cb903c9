//! The registry: what exists, under which name, with which parameters and outputs.
//!
//! Each family has one declarative table of [`Entry`]; everything else about names (parsing, errors
//! with the nearest valid spelling, the docs page, the JSON schema, `--list`) is generated from them.

use super::contract::{Indicator, Pair, Running, Study, WholeCandle};
use super::source::{Closes, Field, Source};
use super::{Bar, features, momentum, patterns, trend, volatility, volume};

/// One indicator of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name in configuration and in column names.
    pub name: &'static str,
    /// Other spellings that mean the same.
    pub aliases: &'static [&'static str],
    /// One line: what it is.
    pub title: &'static str,
    /// How it is computed.
    pub formula: &'static str,
    /// What it reads.
    pub reads: Reads,
    /// Parameters in the order of the short name.
    pub params: &'static [Param],
    /// Outputs; the first is meant when a name gives none.
    pub outputs: &'static [Output],
    /// Work per update.
    pub cost: Cost,
    /// Whose code runs.
    pub origin: Origin,
    /// What its numbers were compared with; empty: no other program.
    pub compared: &'static str,
    /// How other libraries differ; empty: no difference is known.
    pub differs: &'static str,
    /// Tells what is wrong with the parameters taken together.
    pub check: fn(&Args) -> Option<&'static str>,
    /// Makes it. `Args` have passed `params` and `check`.
    pub build: fn(&Args, [Source; 2]) -> Box<dyn Study>,
}

/// What an indicator reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// One value, this field unless configured otherwise.
    Value(Field),
    /// Whole candles.
    Candle,
    /// Two values, these fields unless configured otherwise.
    Pair(Field, Field),
}

/// A parameter.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name in configuration.
    pub name: &'static str,
    /// Value when none is given; of a choice, the index of the word.
    pub default: f64,
    /// What is allowed.
    pub kind: Kind,
}

/// What a parameter allows.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A whole number from..=to.
    Whole(u32, u32),
    /// A number from..=to.
    Real(f64, f64),
    /// One of these words.
    Choice(&'static [&'static str]),
}

/// An output.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// Its suffix in column names; empty for the only output, or the plain one.
    pub name: &'static str,
    /// The parameter that a number behind the suffix sets, as in `pvo_12_26_ema_signal_9`.
    pub param: Option<usize>,
}

/// Work per update, n being the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Bounded whatever the parameters (amortised over a window where sums are taken anew).
    Constant,
    /// O(log n).
    Logarithmic,
    /// Walks one window of n.
    Window,
}

/// Whose code runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Written here.
    Own,
    /// The stream of this function of the ta-lib crate.
    TaLib {
        /// Its name there.
        function: &'static str,
        /// Does it call the system's transcendental functions? Then its bits may differ across platforms.
        transcendental: bool,
        /// Does opening it, at the end of the warm-up, allocate?
        allocates_once: bool,
    },
}

/// Parameter values in the order of [`Entry::params`], all within their ranges.
#[derive(Clone, Debug, PartialEq)]
pub struct Args(Vec<f64>);

impl Args {
    /// The defaults of `entry`.
    #[must_use]
    pub fn defaults(entry: &Entry) -> Self {
        Self(entry.params.iter().map(|param| param.default).collect())
    }

    pub(crate) fn set(&mut self, index: usize, value: f64) {
        self.0[index] = value;
    }

    /// Parameter `index` as a number.
    #[must_use]
    pub fn real(&self, index: usize) -> f64 {
        self.0[index]
    }

    /// Parameter `index` as a count.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole, 0..=u32::MAX: checked"
    )]
    pub fn whole(&self, index: usize) -> usize {
        self.0[index] as usize
    }
}

/// All entries, family by family.
pub fn catalogue() -> impl Iterator<Item = (&'static str, &'static Entry)> {
    FAMILIES.iter().flat_map(|(family, tables)| {
        tables.iter().flat_map(move |table| table.iter().map(move |entry| (*family, entry)))
    })
}

/// The entry of that name or alias.
#[must_use]
pub fn entry(name: &str) -> Option<&'static Entry> {
    catalogue().map(|(_, entry)| entry).find(|entry| entry.name == name || entry.aliases.contains(&name))
}

const FAMILIES: &[(&str, &[&[Entry]])] = &[
    ("trend", trend::TABLES),
    ("momentum", momentum::TABLES),
    ("volatility", volatility::TABLES),
    ("volume", volume::TABLES),
    ("patterns", patterns::TABLES),
    ("features", features::TABLES),
];

impl Entry {
    /// An indicator of one value per candle, the close unless configured otherwise.
    pub(crate) const fn of_value(
        name: &'static str,
        title: &'static str,
        formula: &'static str,
        params: &'static [Param],
        build: fn(&Args, [Source; 2]) -> Box<dyn Study>,
    ) -> Self {
        Self {
            name,
            aliases: &[],
            title,
            formula,
            reads: Reads::Value(Field::Close),
            params,
            outputs: PLAIN,
            cost: Cost::Constant,
            origin: Origin::Own,
            compared: "",
            differs: "",
            check: |_| None,
            build,
        }
    }

    /// An indicator of whole candles.
    pub(crate) const fn of_candle(
        name: &'static str,
        title: &'static str,
        formula: &'static str,
        params: &'static [Param],
        build: fn(&Args, [Source; 2]) -> Box<dyn Study>,
    ) -> Self {
        Self { reads: Reads::Candle, ..Self::of_value(name, title, formula, params, build) }
    }

    /// An indicator of two values per candle.
    pub(crate) const fn of_pair(
        name: &'static str,
        title: &'static str,
        formula: &'static str,
        params: &'static [Param],
        build: fn(&Args, [Source; 2]) -> Box<dyn Study>,
    ) -> Self {
        Self {
            reads: Reads::Pair(Field::High, Field::Low),
            ..Self::of_value(name, title, formula, params, build)
        }
    }

    pub(crate) const fn reading(self, reads: Reads) -> Self {
        Self { reads, ..self }
    }

    pub(crate) const fn also(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    pub(crate) const fn outputs(self, outputs: &'static [Output]) -> Self {
        Self { outputs, ..self }
    }

    pub(crate) const fn cost(self, cost: Cost) -> Self {
        Self { cost, ..self }
    }

    pub(crate) const fn origin(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    pub(crate) const fn compared(self, compared: &'static str) -> Self {
        Self { compared, ..self }
    }

    pub(crate) const fn differs(self, differs: &'static str) -> Self {
        Self { differs, ..self }
    }

    pub(crate) const fn check(self, check: fn(&Args) -> Option<&'static str>) -> Self {
        Self { check, ..self }
    }
}

/// A whole parameter.
pub(crate) const fn whole(name: &'static str, default: u32, from: u32, to: u32) -> Param {
    Param { name, default: default as f64, kind: Kind::Whole(from, to) }
}

/// The length of a window: 1..=10,000.
pub(crate) const fn length(default: u32) -> Param {
    whole("n", default, 1, 10_000)
}

/// The length of a window that needs two points.
pub(crate) const fn length_from_2(default: u32) -> Param {
    whole("n", default, 2, 10_000)
}

/// A real parameter.
pub(crate) const fn real(name: &'static str, default: f64, from: f64, to: f64) -> Param {
    Param { name, default, kind: Kind::Real(from, to) }
}

/// One of several words; the first is the default.
pub(crate) const fn choice(name: &'static str, words: &'static [&'static str]) -> Param {
    Param { name, default: 0.0, kind: Kind::Choice(words) }
}

/// An output by its suffix.
pub(crate) const fn out(name: &'static str) -> Output {
    Output { name, param: None }
}

/// An output whose suffix may carry the value of parameter `param`.
pub(crate) const fn out_with(name: &'static str, param: usize) -> Output {
    Output { name, param: Some(param) }
}

pub(crate) const PLAIN: &[Output] = &[out("")];

/// Refuses a fast length that is not below the slow one; parameters 0 and 1.
pub(crate) fn fast_below_slow(args: &Args) -> Option<&'static str> {
    (args.real(0) >= args.real(1)).then_some("`fast` must be below `slow`")
}

/// Puts an indicator of values behind its source.
pub(crate) fn on_value<I: Indicator<Input = f64>>(indicator: I, [source, _]: [Source; 2]) -> Box<dyn Study> {
    match source {
        Source::Field(Field::Close) => Box::new(Running::new(indicator, Closes)),
        source => Box::new(Running::new(indicator, source)),
    }
}

/// Puts an indicator of candles to work.
pub(crate) fn on_candle<I: Indicator<Input = Bar>>(indicator: I) -> Box<dyn Study> {
    Box::new(Running::new(indicator, WholeCandle))
}

/// Puts an indicator of pairs behind its two sources.
pub(crate) fn on_pair<I: Indicator<Input = Pair>>(indicator: I, sources: [Source; 2]) -> Box<dyn Study> {
    Box::new(Running::new(indicator, sources))
}

/// What golden columns were compared with.
pub(crate) const GOLDEN: &str = "TA-Lib 0.8.1, every row of five candle files";

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_name_is_given_twice_and_every_default_is_in_range() {
        let mut names = HashSet::new();
        for (_, entry) in catalogue() {
            for name in std::iter::once(&entry.name).chain(entry.aliases) {
                assert!(names.insert(*name), "{name} is given twice");
                assert!(
                    name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
                    "{name}"
                );
            }
            assert!(
                !entry.outputs.is_empty() && !entry.title.is_empty() && !entry.formula.is_empty(),
                "{}",
                entry.name
            );
            let outputs: HashSet<_> = entry.outputs.iter().map(|output| output.name).collect();
            assert_eq!(outputs.len(), entry.outputs.len(), "{}: outputs", entry.name);
            for param in entry.params {
                let inside = match param.kind {
                    Kind::Whole(from, to) => (f64::from(from)..=f64::from(to)).contains(&param.default),
                    Kind::Real(from, to) => (from..=to).contains(&param.default),
                    Kind::Choice(words) => param.default < words.len() as f64,
                };
                assert!(inside, "{} {}", entry.name, param.name);
            }
            assert_eq!((entry.check)(&Args::defaults(entry)), None, "{}", entry.name);
        }
    }
}
