//! The files of rows that a replay was asked for: `--books`, `--signals`, `--candles`.

use super::ReplayArgs;
use super::books::BooksTap;
use super::rows::RowFile;
use super::signals::{CANDLE_HEADER, CandleRows, SignalRows, SignalTaps, Slots};
use crate::same_file::is_same_file;
use engine::ids::InstrumentId;
use engine::instrument::{Instrument, InstrumentTable};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use strategies::candles::{TimeFrame, TimeFrameError};
use strategies::signal::Subscriptions;

/// What writes rows while the stages run.
pub(crate) struct Taps {
    pub(crate) books: Option<BooksTap>,
    pub(crate) signals: Option<(InstrumentId, SignalTaps)>,
    /// Lines of a file between two that the feed marks; 0: none.
    pub(crate) mark_every: u32,
    /// What went wrong with a file later.
    pub(crate) failed: Receiver<String>,
}

/// A file of rows, by the option that asked for it.
pub(crate) struct Wanted<'a> {
    option: &'static str,
    path: &'a Path,
    /// What the file has before its first row.
    header: String,
}

/// Every file of rows. Err: a time frame that is none; a file that would overwrite another or an input.
pub(crate) fn wanted(args: &ReplayArgs) -> Result<Vec<Wanted<'_>>, String> {
    let books = args.books.iter().map(|path| ("--books", path.as_path(), String::new()));
    let header = SignalRows::header(args.files.len());
    let signals = args.signals.iter().map(|path| ("--signals", path.as_path(), header.clone()));
    let candles = frames(args)?;
    let candles = candles.into_iter().map(|(_, _, path)| ("--candles", path, CANDLE_HEADER.to_owned()));
    let files = books.chain(signals).chain(candles);
    let files: Vec<_> = files.map(|(option, path, header)| Wanted { option, path, header }).collect();
    for (index, file) in files.iter().enumerate() {
        let earlier = files.iter().take(index).map(|file| file.path);
        let inputs = args.files.iter().chain(&args.config).chain(&args.instruments).map(PathBuf::as_path);
        if let Some(other) = earlier.chain(inputs).find(|other| is_same_file(file.path, other)) {
            let (option, path) = (file.option, file.path.display());
            return Err(format!("{path}: {option} would overwrite {}", other.display()));
        }
    }
    Ok(files)
}

/// The files of a replay that found nothing to write into them: whoever reads them finds those of this run.
pub(crate) fn create_without_rows(files: &[Wanted<'_>]) -> Result<(), String> {
    files.iter().try_for_each(|file| RowFile::create_without_rows(file.path, &file.header))
}

impl Taps {
    /// Makes the files. `instrument` is the one they are of; what it needs is added to `subscriptions`.
    /// Err: a file that cannot be made; a bucket's volume that does not fit the instrument.
    pub(crate) fn open(
        args: &ReplayArgs,
        of_file: &[Vec<InstrumentId>],
        instrument: Option<&Instrument>,
        subscriptions: &mut Subscriptions,
    ) -> Result<Self, String> {
        let frames = frames(args)?;
        let (tx, failed) = sync_channel(2 + frames.len());
        let mut taps = Self { books: None, signals: None, mark_every: 0, failed };
        let Some(instrument) = instrument else { return Ok(taps) };
        let file_of_connection = file_numbers(of_file, instrument.id);
        if let Some(path) = &args.books {
            let out = RowFile::create(path, "", tx.clone())?;
            let files = file_of_connection.iter().map(|file| file.unwrap_or(0)).collect();
            taps.books = Some(BooksTap::new(out, instrument.clone(), args.books_every, files));
        }
        let signals = match &args.signals {
            Some(path) => {
                let slots = Slots::watch(subscriptions, instrument, args.vpin_bucket.as_deref());
                let slots = slots.map_err(|error| format!("--vpin-bucket: {error}"))?;
                let header = SignalRows::header(file_of_connection.iter().flatten().count());
                let out = RowFile::create(path, &header, tx.clone())?;
                taps.mark_every = args.signals_every_line;
                Some(SignalRows::new(out, instrument.clone(), slots, file_of_connection))
            }
            None => None,
        };
        let candle_rows = |(text, frame, path): (&str, TimeFrame, &Path)| {
            let watched = subscriptions.watch(instrument, [format!("candle({text})")]);
            watched.map_err(|error| format!("--candles: {error}"))?;
            let out = RowFile::create(path, CANDLE_HEADER, tx.clone())?;
            Ok(CandleRows::new(out, frame, instrument.clone()))
        };
        let candles = frames.into_iter().map(candle_rows).collect::<Result<Vec<_>, String>>()?;
        if signals.is_some() || !candles.is_empty() {
            taps.signals = Some((instrument.id, SignalTaps { signals, candles }));
        }
        Ok(taps)
    }
}

/// The instrument that rows are of. None: no rows are wanted, and none was named.
/// Err: the files are of several and none is chosen, or none of them is.
pub(crate) fn instrument<'a>(
    args: &ReplayArgs,
    table: &'a InstrumentTable,
    wanted: &[Wanted<'_>],
) -> Result<Option<&'a Instrument>, String> {
    let name = args.instrument.as_deref();
    let Some(option) = wanted.first().map(|file| file.option).or_else(|| name.map(|_| "--books")) else {
        return Ok(None);
    };
    let names = || table.iter().map(Instrument::full_name).collect::<Vec<_>>().join(", ");
    let mut fits = table.iter().filter(|i| name.is_none_or(|name| i.symbol == name || i.full_name() == name));
    match (fits.next(), fits.next()) {
        (Some(only), None) => Ok(Some(only)),
        (None, _) => Err(format!("--instrument {}: the files are of {}", name.unwrap_or(""), names())),
        (Some(_), Some(_)) => {
            Err(format!("the files are of {}: choose the one for {option} with --instrument", names()))
        }
    }
}

/// The pairs of `--candles`. Err: a time frame that is none.
fn frames(args: &ReplayArgs) -> Result<Vec<(&str, TimeFrame, &Path)>, String> {
    let pairs = args.candles.chunks_exact(2).map(|pair| {
        let [text, path] = pair else { return Err("--candles takes a time frame and a file".to_owned()) };
        let frame = text.parse().map_err(|error: TimeFrameError| format!("--candles {text}: {error}"))?;
        Ok((text.as_str(), frame, Path::new(path)))
    });
    pairs.collect()
}

/// Which file of the instrument's stream each file is; none: of another instrument.
fn file_numbers(of_file: &[Vec<InstrumentId>], instrument: InstrumentId) -> Vec<Option<usize>> {
    let mut next = 0..;
    of_file.iter().map(|ids| ids.contains(&instrument).then(|| next.next()).flatten()).collect()
}
