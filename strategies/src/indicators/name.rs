//! Short names: `ema_9`, `bb_20_2_u`, `macd_12_26_9_signal`, `ema_9(hl2)`, `ema_9(rsi_14)`.
//!
//! ```text
//! column  = name { "_" parameter } [ "_" output ] [ "(" source ")" ]
//! source  = field | column           two, with a comma, where an indicator reads pairs
//! ```
//! Parameters left out keep their defaults; an output left out is the first. A source in parentheses
//! replaces the field an indicator reads by default: an indicator there is chaining.

use std::fmt;

use super::contract::Study;
use super::registry::{Args, Entry, Kind, Origin, Param, Reads, catalogue, entry};
use super::source::{Field, Source};

/// A column asked for by name, resolved against the registry.
#[derive(Clone, Debug)]
pub struct Request {
    entry: &'static Entry,
    args: Args,
    output: usize,
    sources: Vec<SourceRequest>,
}

/// A source asked for by name.
#[derive(Clone, Debug)]
enum SourceRequest {
    Field(Field),
    Column(Request),
}

impl Request {
    /// Reads a short name. Err: what is wrong with it, and the nearest thing that would be right.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        Self::parse_at(text, 0)
    }

    /// From configuration: a name, parameters by name, an output (empty: the first) and a source (empty:
    /// the indicator's own). Err: as for [`Request::parse`].
    pub fn from_parts(
        name: &str,
        params: &[(&str, &str)],
        output: &str,
        source: &str,
    ) -> Result<Self, NameError> {
        let entry = entry(name).ok_or_else(|| unknown_indicator(name, name))?;
        let mut args = Args::defaults(entry);
        for (given, value) in params {
            let index = entry.params.iter().position(|param| param.name == *given).ok_or_else(|| {
                let known = entry.params.iter().map(|param| param.name);
                NameError::new(
                    name,
                    format!("`{}` has no parameter `{given}`", entry.name),
                    nearest(given, known),
                )
            })?;
            args.set(index, param_value(name, &entry.params[index], value)?);
        }
        let found = entry.outputs.iter().position(|known| known.name == output || output.is_empty());
        let output = found.ok_or_else(|| unknown_output(name, entry, output))?;
        checked(name, entry, &args)?;
        let sources = sources(name, entry, source, 0)?;
        Ok(Self { entry, args, output, sources })
    }

    /// Output 0 of `entry` with these parameters and its default sources.
    pub(crate) fn of(entry: &'static Entry, args: Args) -> Self {
        Self { entry, args, output: 0, sources: Vec::new() }
    }

    /// The indicator.
    #[must_use]
    pub fn entry(&self) -> &'static Entry {
        self.entry
    }

    /// Which of its outputs.
    #[must_use]
    pub fn output(&self) -> usize {
        self.output
    }

    /// Its parameters.
    #[must_use]
    pub fn args(&self) -> &Args {
        &self.args
    }

    /// Do both ask for the same indicator, so that one computation serves both?
    #[must_use]
    pub fn shares_study_with(&self, other: &Self) -> bool {
        self.entry.name == other.entry.name
            && self.args == other.args
            && same_sources(&self.sources, &other.sources)
    }

    /// Does it, or an indicator that it reads, allocate once, at the end of its warm-up?
    #[must_use]
    pub fn allocates_once(&self) -> bool {
        let own = matches!(self.entry.origin, Origin::TaLib { allocates_once: true, .. });
        own || self.sources.iter().any(|source| match source {
            SourceRequest::Field(_) => false,
            SourceRequest::Column(request) => request.allocates_once(),
        })
    }

    /// Makes the indicator. Its output for this request is [`Request::output`].
    #[must_use]
    pub fn build(&self) -> Box<dyn Study> {
        let mut sources = self.sources.iter().map(SourceRequest::build);
        let fallback = |field| Source::Field(field);
        let (first, second) = match self.entry.reads {
            Reads::Value(field) => (field, field),
            Reads::Candle => (Field::Close, Field::Close),
            Reads::Pair(first, second) => (first, second),
        };
        let pair = [
            sources.next().unwrap_or_else(|| fallback(first)),
            sources.next().unwrap_or_else(|| fallback(second)),
        ];
        (self.entry.build)(&self.args, pair)
    }

    fn parse_at(text: &str, depth: usize) -> Result<Self, NameError> {
        if depth > DEPTH_MAX {
            return Err(NameError::new(text, format!("chained more than {DEPTH_MAX} deep"), None));
        }
        let (head, source) = match text.split_once('(') {
            None => (text, ""),
            Some((head, rest)) => match rest.strip_suffix(')') {
                Some(source) if !source.is_empty() => (head, source),
                _ => return Err(NameError::new(text, "parentheses do not match".to_owned(), None)),
            },
        };
        let (entry, rest) = split_name(head).ok_or_else(|| unknown_indicator(text, head))?;
        let (args, output) = split_rest(text, entry, rest)?;
        checked(text, entry, &args)?;
        Ok(Self { entry, args, output, sources: sources(text, entry, source, depth)? })
    }
}

impl SourceRequest {
    fn build(&self) -> Source {
        match self {
            Self::Field(field) => Source::Field(*field),
            Self::Column(request) => Source::Study {
                study: request.build(),
                output: request.output,
                output_count: request.entry.outputs.len(),
            },
        }
    }
}

fn same_sources(a: &[SourceRequest], b: &[SourceRequest]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|pair| match pair {
            (SourceRequest::Field(x), SourceRequest::Field(y)) => x == y,
            (SourceRequest::Column(x), SourceRequest::Column(y)) => {
                x.output == y.output && x.shares_study_with(y)
            }
            _ => false,
        })
}

/// The longest prefix, cut at underscores, that is a name; and what follows it.
fn split_name(head: &str) -> Option<(&'static Entry, &str)> {
    let cuts = std::iter::once(head.len()).chain(head.rmatch_indices('_').map(|(at, _)| at));
    cuts.into_iter().find_map(|cut| {
        let found = entry(&head[..cut])?;
        Some((found, head[cut..].strip_prefix('_').unwrap_or("")))
    })
}

/// Parameters in order, then the output.
fn split_rest(text: &str, entry: &'static Entry, rest: &str) -> Result<(Args, usize), NameError> {
    let mut args = Args::defaults(entry);
    let mut rest = rest;
    for (index, param) in entry.params.iter().enumerate() {
        let (token, after) = rest.split_once('_').unwrap_or((rest, ""));
        let looks_right = match param.kind {
            Kind::Choice(words) => words.contains(&token),
            Kind::Whole(..) | Kind::Real(..) => token.parse::<f64>().is_ok(),
        };
        if token.is_empty() || !looks_right {
            continue;
        }
        args.set(index, param_value(text, param, token)?);
        rest = after;
    }
    if let Some(output) = entry.outputs.iter().position(|output| output.name == rest) {
        return Ok((args, output));
    }
    if rest.is_empty() {
        return Ok((args, 0));
    }
    let (name, number) = rest.rsplit_once('_').unwrap_or((rest, ""));
    let with_param = entry.outputs.iter().position(|output| output.name == name);
    if let Some((output, param)) = with_param.and_then(|output| Some((output, entry.outputs[output].param?)))
    {
        args.set(param, param_value(text, &entry.params[param], number)?);
        return Ok((args, output));
    }
    if rest.split('_').next().is_some_and(|token| token.parse::<f64>().is_ok()) {
        let known: Vec<_> = entry.params.iter().map(|param| param.name).collect();
        let what = if known.is_empty() {
            format!("`{}` takes no parameters", entry.name)
        } else {
            format!("`{}` takes {} parameters ({})", entry.name, known.len(), known.join(", "))
        };
        return Err(NameError::new(text, format!("{what}; `{rest}` is left over"), None));
    }
    Err(unknown_output(text, entry, rest))
}

fn param_value(text: &str, param: &Param, token: &str) -> Result<f64, NameError> {
    let wrong = |range: String| {
        Err(NameError::new(text, format!("`{}` must be {range}; it is `{token}`", param.name), None))
    };
    let number = token.parse::<f64>().ok();
    match param.kind {
        Kind::Choice(words) => match words.iter().position(|word| *word == token) {
            Some(index) => Ok(index as f64),
            None => Err(NameError::new(
                text,
                format!("`{}` must be one of {}; it is `{token}`", param.name, words.join(", ")),
                nearest(token, words.iter().copied()),
            )),
        },
        Kind::Whole(from, to) => match number {
            Some(x) if x.fract() == 0.0 && (f64::from(from)..=f64::from(to)).contains(&x) => Ok(x),
            _ => wrong(format!("a whole number from {from} to {to}")),
        },
        Kind::Real(from, to) => match number {
            Some(x) if (from..=to).contains(&x) => Ok(x),
            _ => wrong(format!("a number from {from} to {to}")),
        },
    }
}

fn checked(text: &str, entry: &Entry, args: &Args) -> Result<(), NameError> {
    match (entry.check)(args) {
        None => Ok(()),
        Some(wrong) => Err(NameError::new(text, wrong.to_owned(), None)),
    }
}

fn sources(text: &str, entry: &Entry, source: &str, depth: usize) -> Result<Vec<SourceRequest>, NameError> {
    if source.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = match entry.reads {
        Reads::Candle => {
            let wrong = format!("`{}` reads whole candles: it takes no source", entry.name);
            return Err(NameError::new(text, wrong, None));
        }
        Reads::Value(_) => 1,
        Reads::Pair(..) => 2,
    };
    let parts = split_outside_parentheses(source);
    if parts.len() != wanted {
        let wrong = format!("`{}` reads {wanted} sources, {} are given", entry.name, parts.len());
        return Err(NameError::new(text, wrong, None));
    }
    parts
        .into_iter()
        .map(|part| match Field::named(part) {
            Some(field) => Ok(SourceRequest::Field(field)),
            None => Request::parse_at(part, depth + 1).map(SourceRequest::Column),
        })
        .collect()
}

/// Splits at commas that no parenthesis encloses.
#[must_use]
pub fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0_i32, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(&text[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[from..]);
    parts
}

/// Why a name is not one, and what was perhaps meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError {
    given: String,
    wrong: String,
    nearest: Option<String>,
}

impl NameError {
    pub(crate) fn new(given: &str, wrong: String, nearest: Option<&'static str>) -> Self {
        Self { given: given.to_owned(), wrong, nearest: nearest.map(str::to_owned) }
    }

    /// The nearest valid spelling, if one is near.
    #[must_use]
    pub fn nearest(&self) -> Option<&str> {
        self.nearest.as_deref()
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.given, self.wrong)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for NameError {}

fn unknown_indicator(text: &str, head: &str) -> NameError {
    let names = || {
        catalogue().flat_map(|(_, entry)| std::iter::once(entry.name).chain(entry.aliases.iter().copied()))
    };
    // A misspelt name is followed by parameters: compare with the letters before the first number too.
    let stem = head.split_once(['_', '(']).map_or(head, |(stem, _)| stem);
    let words =
        head.split('_').take_while(|token| token.parse::<f64>().is_err()).collect::<Vec<_>>().join("_");
    let near = nearest(&words, names()).or_else(|| nearest(stem, names()));
    NameError::new(text, "there is no such indicator".to_owned(), near)
}

fn unknown_output(text: &str, entry: &'static Entry, given: &str) -> NameError {
    let names: Vec<_> =
        entry.outputs.iter().map(|output| output.name).filter(|name| !name.is_empty()).collect();
    let wrong = if names.is_empty() {
        format!("`{}` has one output, without a name; `{given}` is left over", entry.name)
    } else {
        format!("`{}` has no output `{given}` (it has {})", entry.name, names.join(", "))
    };
    let words = entry.params.iter().flat_map(|param| match param.kind {
        Kind::Choice(words) => words,
        Kind::Whole(..) | Kind::Real(..) => &[],
    });
    NameError::new(text, wrong, nearest(given, names.into_iter().chain(words.copied())))
}

/// The nearest of `known` by edits, if it is at most a third of the word away.
pub(crate) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_ascii_lowercase();
    known
        .map(|name| (edits(given.as_bytes(), name.as_bytes()), name))
        .min()
        .filter(|(distance, name)| *distance <= (name.len().max(given.len()) / 3).max(1))
        .map(|(_, name)| name)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn edits(a: &[u8], b: &[u8]) -> usize {
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

const DEPTH_MAX: usize = 8;
