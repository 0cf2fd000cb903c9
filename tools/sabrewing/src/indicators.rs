//! `sabrewing indicators`: columns of indicators over a candle file, the catalogue, and a plot.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::same_file::is_same_file;
use clap::Args;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde_json::json;
use strategies::indicators::{Bar, Candles, Panel, Value, split_outside_parentheses};

use strategies::indicators::{catalogue_page, catalogue_schema, catalogue_text, plot};

/// Computes indicator columns over candles.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  sabrewing indicators BTC_USDT-5m.csv --columns ema_9,rsi_14
  sabrewing indicators candles.csv.gz --columns 'bb_20_2_u,ema_9(rsi_14)' --out columns.csv.gz --json
  sabrewing indicators candles.csv --columns-of earlier.csv --plot page.html --plot-last 500
  sabrewing indicators --list

Exit codes: 0 done; 1 a file could not be read to its end, or not be written; 2 usage, an unknown column included.")]
pub(crate) struct IndicatorsArgs {
    /// Candles: a CSV with the header open_time_ms,open,high,low,close,volume; packed when it ends in .gz.
    #[arg(required_unless_present_any = ["list", "markdown", "schema"])]
    candles: Option<PathBuf>,
    /// Columns by short name, separated by commas: ema_9,bb_20_2_u,ema_9(rsi_14).
    #[arg(long, value_name = "NAMES", conflicts_with = "columns_of")]
    columns: Option<String>,
    /// Takes the columns from the header of this CSV; its first column is the time.
    #[arg(long, value_name = "FILE")]
    columns_of: Option<PathBuf>,
    /// Feeds candle by candle (the same bits as --batch).
    #[arg(long, conflicts_with = "batch")]
    stream: bool,
    /// Feeds the whole table at once (default).
    #[arg(long)]
    batch: bool,
    /// Where the columns go; packed when it ends in .gz. Standard output without it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Draws price and columns; the file is SVG, or HTML when it ends in .html.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Draws only the last rows of the file.
    #[arg(long, value_name = "N", requires = "plot")]
    plot_last: Option<usize>,
    /// Prints the catalogue.
    #[arg(long)]
    list: bool,
    /// Prints the catalogue as the documentation page.
    #[arg(long)]
    markdown: bool,
    /// Prints the JSON schema of an indicator in configuration.
    #[arg(long)]
    schema: bool,
    /// One JSON object on standard output that says what was written.
    #[arg(long, requires = "out")]
    json: bool,
}

/// Runs the command. What fails is one line on standard error.
#[must_use]
pub(crate) fn run(args: &IndicatorsArgs) -> ExitCode {
    match execute(args) {
        Ok(()) => ExitCode::SUCCESS,
        // A reader that has seen enough (`| head`) is no failure.
        Err(Failure::Io { error, .. }) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("sabrewing indicators: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

fn execute(args: &IndicatorsArgs) -> Result<(), Failure> {
    let printed = [
        (args.list, catalogue_text as fn() -> String),
        (args.markdown, catalogue_page),
        (args.schema, catalogue_schema),
    ];
    if let Some((_, print)) = printed.iter().find(|(asked, _)| *asked) {
        return io::stdout()
            .write_all(print().as_bytes())
            .map_err(|error| Failure::io("standard output", error));
    }
    let Some(path) = &args.candles else { return Err(Failure::Nothing) };
    refuse_overwriting(args)?;
    let names = column_names(args)?;
    let mut panel =
        Panel::new(names.iter().map(String::as_str)).map_err(|error| Failure::Name(error.to_string()))?;
    let bars = read_candles(path)?;
    let columns = if args.stream { streamed(&mut panel, &bars) } else { batched(&mut panel, &bars) };
    if let Some(out) = &args.out {
        let file = File::create(out).map_err(|error| Failure::made(out, error))?;
        let written = if has_extension(out, "gz") {
            let mut packed = GzEncoder::new(BufWriter::new(file), Compression::default());
            write_columns(&mut packed, &names, &bars, &columns).and_then(|()| packed.finish()?.flush())
        } else {
            let mut plain = BufWriter::new(file);
            write_columns(&mut plain, &names, &bars, &columns).and_then(|()| plain.flush())
        };
        written.map_err(|error| Failure::io(out.display(), error))?;
    } else if args.plot.is_none() {
        let mut plain = BufWriter::new(io::stdout().lock());
        write_columns(&mut plain, &names, &bars, &columns)
            .and_then(|()| plain.flush())
            .map_err(|error| Failure::io("standard output", error))?;
    }
    if let Some(out) = &args.plot {
        let from = args.plot_last.map_or(0, |last| bars.len().saturating_sub(last));
        let shown: Vec<(&str, &[Value])> =
            names.iter().map(String::as_str).zip(columns.iter().map(|column| &column[from..])).collect();
        let title = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let svg = plot(&title, &bars[from..], &shown);
        let page = if has_extension(out, "html") {
            format!("<!doctype html>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n{svg}\n")
        } else {
            svg
        };
        let mut file = File::create(out).map_err(|error| Failure::made(out, error))?;
        file.write_all(page.as_bytes()).map_err(|error| Failure::io(out.display(), error))?;
    }
    if args.json {
        let shown = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let (out, plot) = (shown(&args.out), shown(&args.plot));
        let page = json!({ "rows": bars.len(), "columns": names, "out": out, "plot": plot });
        let written = io::stdout().write_all(format!("{page}\n").as_bytes());
        written.map_err(|error| Failure::io("standard output", error))?;
    }
    Ok(())
}

/// Err: a file would be written over one that is read, or over the other.
fn refuse_overwriting(args: &IndicatorsArgs) -> Result<(), Failure> {
    let written = [("--out", &args.out), ("--plot", &args.plot)];
    let written: Vec<_> =
        written.into_iter().filter_map(|(option, path)| Some((option, path.as_deref()?))).collect();
    for (index, (option, path)) in written.iter().enumerate() {
        let read = args.candles.iter().chain(&args.columns_of).map(PathBuf::as_path);
        let mut others = written[..index].iter().map(|(_, other)| *other).chain(read);
        if let Some(other) = others.find(|other| is_same_file(path, other)) {
            return Err(Failure::Overwritten { option, path: path.to_path_buf(), other: other.to_owned() });
        }
    }
    Ok(())
}

fn column_names(args: &IndicatorsArgs) -> Result<Vec<String>, Failure> {
    let header = match (&args.columns, &args.columns_of) {
        (Some(columns), _) => columns.clone(),
        (None, Some(path)) => {
            let mut header = String::new();
            reader(path)?.read_line(&mut header).map_err(|error| Failure::io(path.display(), error))?;
            let header = header.trim_end();
            match header.split_once(',') {
                Some(("open_time_ms", columns)) => columns.to_owned(),
                _ => return Err(Failure::header(path, "open_time_ms, then columns", header)),
            }
        }
        (None, None) => return Err(Failure::Nothing),
    };
    Ok(split_outside_parentheses(&header).into_iter().map(|name| name.trim().to_owned()).collect())
}

fn streamed(panel: &mut Panel, bars: &[Bar]) -> Vec<Vec<Value>> {
    let mut columns = vec![Vec::with_capacity(bars.len()); panel.column_count()];
    let mut row = vec![Value::UNDEFINED; panel.column_count()];
    for bar in bars {
        panel.update(bar, &mut row);
        for (column, value) in columns.iter_mut().zip(&row) {
            column.push(*value);
        }
    }
    columns
}

fn batched(panel: &mut Panel, bars: &[Bar]) -> Vec<Vec<Value>> {
    let candles: Candles = bars.iter().copied().collect();
    panel.batch(candles.columns())
}

fn write_columns(
    out: &mut impl Write,
    names: &[String],
    bars: &[Bar],
    columns: &[Vec<Value>],
) -> io::Result<()> {
    out.write_all(b"open_time_ms")?;
    for name in names {
        write!(out, ",{name}")?;
    }
    out.write_all(b"\n")?;
    for (row, bar) in bars.iter().enumerate() {
        write!(out, "{}", bar.open_time_ms)?;
        for column in columns {
            write!(out, ",{}", column[row])?;
        }
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Reads a candle file. Err: place and value of the first cell that is no finite number, of the first
/// row with too few or too many cells, of the first time that does not follow the one before.
fn read_candles(path: &Path) -> Result<Vec<Bar>, Failure> {
    let mut bars: Vec<Bar> = Vec::new();
    for (index, line) in reader(path)?.lines().enumerate() {
        let line = line.map_err(|error| Failure::io(path.display(), error))?;
        let line = line.trim_end();
        if index == 0 {
            if line != HEADER {
                return Err(Failure::header(path, HEADER, line));
            }
            continue;
        }
        if line.is_empty() {
            continue;
        }
        let row = |what: String| Failure::Row { path: path.to_owned(), line: index + 1, what };
        let bar = bar(line).map_err(row)?;
        if let Some(last) = bars.last().filter(|last| last.open_time_ms >= bar.open_time_ms) {
            let what = format!("open_time_ms {} does not follow {}", bar.open_time_ms, last.open_time_ms);
            return Err(row(what));
        }
        bars.push(bar);
    }
    Ok(bars)
}

fn bar(line: &str) -> Result<Bar, String> {
    let cells: Vec<&str> = line.split(',').collect();
    let [time, open, high, low, close, volume] = cells[..] else {
        return Err(format!("{} cells where 6 are expected", cells.len()));
    };
    let number = |name: &str, cell: &str| match cell.parse::<f64>() {
        Ok(x) if x.is_finite() => Ok(x),
        _ => Err(format!("{name} `{cell}` is no finite number")),
    };
    Ok(Bar {
        open_time_ms: time.parse().map_err(|_| format!("open_time_ms `{time}` is no whole number"))?,
        open: number("open", open)?,
        high: number("high", high)?,
        low: number("low", low)?,
        close: number("close", close)?,
        volume: number("volume", volume)?,
    })
}

fn reader(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    let file = File::open(path).map_err(|error| Failure::io(path.display(), error))?;
    let plain: Box<dyn Read> =
        if has_extension(path, "gz") { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    Ok(Box::new(BufReader::new(plain)))
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

const HEADER: &str = "open_time_ms,open,high,low,close,volume";

#[derive(Debug)]
enum Failure {
    Nothing,
    Name(String),
    Header {
        path: PathBuf,
        expected: &'static str,
        found: String,
    },
    Row {
        path: PathBuf,
        line: usize,
        what: String,
    },
    Io {
        place: String,
        error: io::Error,
    },
    /// A file that cannot be made: another was asked for.
    Made {
        place: String,
        error: io::Error,
    },
    Overwritten {
        option: &'static str,
        path: PathBuf,
        other: PathBuf,
    },
}

impl Failure {
    /// 1: what is read or written is at fault; 2: what was asked for.
    const fn code(&self) -> u8 {
        match self {
            Self::Header { .. } | Self::Row { .. } | Self::Io { .. } => 1,
            Self::Nothing | Self::Name(_) | Self::Made { .. } | Self::Overwritten { .. } => 2,
        }
    }

    fn made(path: &Path, error: io::Error) -> Self {
        Self::Made { place: path.display().to_string(), error }
    }

    fn io(place: impl fmt::Display, error: io::Error) -> Self {
        Self::Io { place: place.to_string(), error }
    }

    fn header(path: &Path, expected: &'static str, found: &str) -> Self {
        let found = found.chars().take(80).collect();
        Self::Header { path: path.to_owned(), expected, found }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => {
                write!(f, "name the columns: --columns NAMES or --columns-of FILE (--list shows them)")
            }
            Self::Name(error) => f.write_str(error),
            Self::Header { path, expected, found } => {
                write!(f, "{}: line 1: the header must be `{expected}`; it is `{found}`", path.display())
            }
            Self::Row { path, line, what } => write!(f, "{}: line {line}: {what}", path.display()),
            Self::Io { place, error } | Self::Made { place, error } => write!(f, "{place}: {error}"),
            Self::Overwritten { option, path, other } => {
                write!(f, "{}: {option} would overwrite {}", path.display(), other.display())
            }
        }
    }
}
