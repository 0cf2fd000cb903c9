//! The command from the outside: golden columns through files, errors with their place.

use std::io::{Read, Write};
use std::process::{Command, Output};

fn shared(path: &str) -> String {
    format!("{}/../../../shared/{path}", env!("CARGO_MANIFEST_DIR"))
}

fn sabrewing(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sabrewing")).arg("indicators").args(args).output().expect("it starts")
}

fn unpacked(path: &str) -> String {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text).expect("gzip text");
    text
}

#[test]
fn the_columns_of_a_golden_file_come_back_equal_streamed_and_in_batch() {
    let dir = tempfile::tempdir().expect("a directory");
    let golden = shared("indicators/BTC_USDT-2h.csv.gz");
    let mut written = Vec::new();
    for (mode, file) in [("--stream", "stream.csv.gz"), ("--batch", "batch.csv")] {
        let out = dir.path().join(file);
        let out = out.to_str().expect("a plain path");
        let candles = shared("candles/BTC_USDT-2h.csv");
        let run = sabrewing(&[&candles, "--columns-of", &golden, mode, "--out", out]);
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        written.push(if file.ends_with(".gz") {
            unpacked(out)
        } else {
            std::fs::read_to_string(out).expect("text")
        });
    }
    assert!(written[0] == written[1], "stream and batch differ");
    let expected = unpacked(&golden);
    let (mut got, mut want) = (written[0].lines(), expected.lines());
    assert_eq!(got.next(), want.next(), "the header");
    let (got, want): (Vec<_>, Vec<_>) = (got.collect(), want.collect());
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(&want) {
        let same_holes = got.split(',').zip(want.split(',')).all(|(a, b)| a.is_empty() == b.is_empty());
        assert!(same_holes && got.split(',').next() == want.split(',').next(), "{want}\n{got}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_the_nearest_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let candles = dir.path().join("candles.csv");
    let header = "open_time_ms,open,high,low,close,volume\n";
    let good = "1000,1,2,0.5,1.5,3\n";
    for (rows, columns, code, said) in [
        (good.to_owned(), "emma_9", 2, "`emma_9`: there is no such indicator; did you mean `ema`?"),
        (good.to_owned(), "ema_0", 2, "`n` must be a whole number from 1 to 10000; it is `0`"),
        (format!("{good}2000,1,x,0.5,1.5,3\n"), "ema_9", 1, "line 3: high `x` is no finite number"),
        (format!("{good}2000,1,2,0.5,NaN,3\n"), "ema_9", 1, "line 3: close `NaN` is no finite number"),
        (format!("{good}2000,1,2,0.5\n"), "ema_9", 1, "line 3: 4 cells where 6 are expected"),
        (format!("{good}{good}"), "ema_9", 1, "line 3: open_time_ms 1000 does not follow 1000"),
    ] {
        std::fs::write(&candles, format!("{header}{rows}")).expect("written");
        let run = sabrewing(&[candles.to_str().expect("a plain path"), "--columns", columns]);
        let told = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.code() == Some(code) && told.contains(said), "{said}\n{told}");
    }
    std::fs::write(&candles, "time,open\n").expect("written");
    let refused = |args: &[&str], code, said: &str| {
        let run = sabrewing(args);
        let told = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.code() == Some(code) && told.contains(said), "{said}\n{run:?}");
    };
    let path = candles.to_str().expect("a plain path");
    refused(&[path, "--columns", "ema_9"], 1, "line 1: the header must be");
    refused(&["/nowhere.csv", "--columns", "ema_9"], 1, "/nowhere.csv");
    refused(&[path], 2, "name the columns");
    refused(&[path, "--columns", "ema_9", "--json"], 2, "--out");
    // Packed, and cut off.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let rows: String = (1..1000).map(|row| format!("{row},1,2,0.5,1.{row},3\n")).collect();
    packed.write_all(format!("{header}{rows}").as_bytes()).expect("packed");
    let packed = packed.finish().expect("packed");
    let cut = dir.path().join("cut.csv.gz");
    std::fs::write(&cut, &packed[..packed.len() / 2]).expect("written");
    refused(&[cut.to_str().expect("a plain path"), "--columns", "ema_9"], 1, "cut.csv.gz");
    // A file that cannot be made is another one's to choose.
    std::fs::write(&candles, format!("{header}{good}")).expect("written");
    for option in ["--out", "--plot"] {
        refused(&[path, "--columns", "ema_9", option, "/proc/none"], 2, "/proc/none");
    }
}

#[test]
fn nothing_is_written_over_what_is_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name).to_str().expect("a plain path").to_owned();
    let text = "open_time_ms,open,high,low,close,volume\n1000,1,2,0.5,1.5,3\n";
    let [candles, columns, link, out] = ["candles.csv", "columns.csv", "link.csv", "out.csv"].map(at);
    std::fs::write(&candles, text).expect("written");
    std::fs::write(&columns, "open_time_ms,ema_1\n").expect("written");
    std::os::unix::fs::symlink(&candles, &link).expect("a link");
    for (more, option) in [
        (&["--out", candles.as_str()][..], "--out"),
        (&["--out", &link], "--out"),
        (&["--out", &columns], "--out"),
        (&["--plot", &candles], "--plot"),
        (&["--out", &out, "--plot", &out], "--plot"),
    ] {
        let args = [candles.as_str(), "--columns-of", &columns].into_iter().chain(more.iter().copied());
        let run = sabrewing(&args.collect::<Vec<_>>());
        let told = String::from_utf8_lossy(&run.stderr);
        assert!(
            run.status.code() == Some(2) && told.contains(&format!("{option} would overwrite ")),
            "{told}"
        );
    }
    assert_eq!(std::fs::read_to_string(&candles).expect("still there"), text);
    assert!(!std::path::Path::new(&out).exists(), "nothing was begun");
}

#[test]
fn a_program_is_told_what_was_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let at = |name: &str| dir.path().join(name).to_str().expect("a plain path").to_owned();
    let (candles, out) = (at("candles.csv"), at("columns.csv"));
    let rows = "1000,1,2,0.5,1.5,3\n2000,1,2,0.5,1.5,3\n";
    std::fs::write(&candles, format!("open_time_ms,open,high,low,close,volume\n{rows}")).expect("written");
    let run = sabrewing(&[&candles, "--columns", "ema_1(hl2),rsi_14", "--out", &out, "--json"]);
    let said: serde_json::Value = serde_json::from_slice(&run.stdout).expect("JSON");
    let expected =
        serde_json::json!({ "rows": 2, "columns": ["ema_1(hl2)", "rsi_14"], "out": out, "plot": null });
    assert_eq!((run.status.code(), said), (Some(0), expected));
    assert_eq!(std::fs::read_to_string(&out).expect("written").lines().count(), 3);
}

#[test]
fn one_row_gives_one_row_and_a_plot_is_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let (candles, plot) = (dir.path().join("candles.csv"), dir.path().join("plot.html"));
    std::fs::write(&candles, "open_time_ms,open,high,low,close,volume\n1000,1,2,0.5,1.5,3\n")
        .expect("written");
    let candles = candles.to_str().expect("a plain path");
    let run = sabrewing(&[candles, "--columns", "ema_1(hl2),rsi_14,ad"]);
    assert_eq!(String::from_utf8_lossy(&run.stdout), "open_time_ms,ema_1(hl2),rsi_14,ad\n1000,1.25,,1\n");
    let run =
        sabrewing(&[candles, "--columns", "ema_1,rsi_14", "--plot", plot.to_str().expect("a plain path")]);
    assert!(run.status.success());
    assert!(std::fs::read_to_string(&plot).expect("a page").contains("<svg"));
}

#[test]
fn the_schema_is_json_and_the_list_has_every_family() {
    let schema = sabrewing(&["--schema"]).stdout;
    let schema: serde_json::Value = serde_json::from_slice(&schema).expect("JSON");
    assert!(schema["oneOf"].as_array().is_some_and(|variants| variants.len() > 200));
    let list = String::from_utf8(sabrewing(&["--list"]).stdout).expect("text");
    for family in ["trend", "momentum", "volatility", "volume", "patterns", "features", "microstructure"] {
        assert!(list.lines().any(|line| line.starts_with(family)), "{family}");
    }
}
