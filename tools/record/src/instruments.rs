//! The instruments of the captures in a directory, in a file beside them: what `replay --instruments` reads, so that a
//! recording is replayed by whoever has nothing but the directory.

use crate::file::stamp;
use engine::instrument::{ContractKind, Instrument, InstrumentTable};
use engine::num::Qty;
use engine::time::Nanos;
use feeds::instruments::parse;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Its name.
pub(crate) const FILE: &str = "instruments.json";

/// Adds the instruments of `table` to those that the file in `dir` lists already: captures of other recordings may be
/// there. Where a venue has changed what prices and quantities of an instrument count, captures of before need the
/// former file: it is put aside, and its new name returned.
/// Err: the disk's, or a file that is no list of instruments, with its path.
pub(crate) fn keep(dir: &Path, table: &InstrumentTable, now: Nanos) -> Result<Option<PathBuf>, String> {
    let path = dir.join(FILE);
    let at = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
    // Until the end of this function: another recorder may begin in this moment.
    let lock = File::open(dir).and_then(|dir| dir.lock().map(|()| dir)).map_err(|error| at(&error))?;
    let mut listed = match std::fs::read(&path) {
        Ok(text) => parse(&text).map_err(|error| at(&error))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(at(&error)),
    };
    let mut has_changed = false;
    for one in table.iter() {
        match listed.iter_mut().find(|known| known.venue == one.venue && known.symbol == one.symbol) {
            Some(known) => {
                has_changed |= counts(known) != counts(one);
                *known = one.clone();
            }
            None => listed.push(one.clone()),
        }
    }
    let aside = has_changed.then(|| dir.join(format!("instruments_until_{}.json", stamp(now))));
    if let Some(aside) = &aside {
        std::fs::rename(&path, aside).map_err(|error| at(&error))?;
    }
    write(&path, &listed).map_err(|error| at(&error))?;
    drop(lock);
    Ok(aside)
}

/// What the numbers in a capture are read with.
fn counts(one: &Instrument) -> (ContractKind, [(i64, u8); 3]) {
    let steps = [one.price_rule.tick, one.qty_unit, one.contract_size];
    (one.kind, steps.map(|step| (step.mantissa(), step.exponent())))
}

/// Writes the list: the former one, or all of this.
fn write(path: &Path, listed: &[Instrument]) -> io::Result<()> {
    let list = json!({ "instruments": listed.iter().map(row).collect::<Vec<_>>() });
    let part = path.with_extension("json.part");
    let mut file = File::create(&part)?;
    writeln!(file, "{list:#}")?;
    file.sync_all()?;
    std::fs::rename(part, path)
}

fn row(one: &Instrument) -> Value {
    let (venue, product) = one.venue.split_once('-').unwrap_or((&one.venue, "perp"));
    let qty = |qty: Qty| qty.display(one.qty_unit).to_string();
    let mut row = json!({
        "venue": venue,
        "product": product,
        "symbol": one.symbol,
        "base": one.base,
        "quote": one.quote,
        "tick": one.price_rule.tick.to_string(),
        "qty_unit": one.qty_unit.to_string(),
        "lot": qty(one.lot),
        "min_qty": qty(one.qty_min),
        "max_qty": qty(one.qty_max),
        "min_notional": one.notional_min.to_string(),
        "contract_size": one.contract_size.to_string(),
        "source": one.source,
    });
    if let Some(figures) = one.price_rule.significant_figures {
        row["price_significant_figures"] = figures.into();
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::ids::{InstrumentId, VenueId};
    use engine::num::Step;
    use venue_sim::exchange::Product;
    use venue_sim::markets::listing;

    fn instrument(product: Product, symbol: &str) -> Instrument {
        listing(product, symbol).unwrap().instrument
    }

    fn table(instruments: &[Instrument]) -> InstrumentTable {
        let mut table = InstrumentTable::default();
        for one in instruments {
            table.add(one.clone());
        }
        table
    }

    fn read(path: &Path) -> Vec<Instrument> {
        let mut read = parse(&std::fs::read(path).unwrap()).unwrap();
        // The table of a run gives these.
        read.iter_mut().for_each(|one| (one.id, one.venue_id) = (InstrumentId(0), VenueId(0)));
        read
    }

    #[test]
    fn what_is_written_reads_back_and_other_recordings_keep_theirs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let futures = ["BTCUSDT", "ETHUSDT"].map(|symbol| instrument(Product::Futures, symbol));
        let spot = instrument(Product::Spot, "BTCUSDT");
        assert_eq!(keep(dir.path(), &table(&futures), Nanos(1)), Ok(None));
        assert_eq!(read(&path), futures);
        assert_eq!(keep(dir.path(), &table(std::slice::from_ref(&spot)), Nanos(1)), Ok(None));
        let all = [&futures[..], &[spot]].concat();
        assert_eq!(read(&path), all);
        assert_eq!(keep(dir.path(), &table(&futures), Nanos(1)), Ok(None));
        assert_eq!((read(&path), std::fs::read_dir(dir.path()).unwrap().count()), (all, 1));
    }

    #[test]
    fn a_tick_that_a_venue_has_changed_leaves_the_former_file_for_the_captures_of_before() {
        let dir = tempfile::tempdir().unwrap();
        let before = instrument(Product::Futures, "BTCUSDT");
        let mut now = before.clone();
        now.price_rule.tick = Step::parse(b"0.01").unwrap();
        keep(dir.path(), &table(std::slice::from_ref(&before)), Nanos(1)).unwrap();
        let aside = keep(dir.path(), &table(std::slice::from_ref(&now)), Nanos::HOUR).unwrap().unwrap();
        assert_eq!(aside, dir.path().join("instruments_until_19700101T010000Z.json"));
        assert_eq!((read(&aside), read(&dir.path().join(FILE))), (vec![before], vec![now]));
    }

    #[test]
    fn a_file_that_is_no_list_is_left_as_it_is_and_said_with_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        std::fs::write(&path, "{\"instruments\": 1}").unwrap();
        let said = keep(dir.path(), &table(&[]), Nanos(1)).unwrap_err();
        assert_eq!(said, format!("{}: instruments: not a list", path.display()));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"instruments\": 1}");
        let gone = dir.path().join("gone");
        assert!(keep(&gone, &table(&[]), Nanos(1)).unwrap_err().starts_with(gone.to_str().unwrap()));
    }
}
