//! Runs are replayed from their journals and repeated: the capture may be gone, decisions have one hash whatever
//! the pace, and what was changed in a journal, or does not follow from it, is named.

mod support;

use engine::ids::Lane;
use engine::journal::schema::RecordKind;
use engine::journal::{Entry, Journal as Written, Options, Reader, record_bytes};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use support::journal::{Journal, listing};
use support::{Dir, Ran, SPOT, USDM, arg, command, lines_of, replay};

fn short(dir: &Dir, lines: usize) -> String {
    dir.lines("short", lines_of(USDM).iter().take(lines))
}

fn hash(summary: &Value) -> &str {
    let hash = summary["decisions_sha256"].as_str().unwrap();
    assert_eq!(hash.len(), 64, "{summary}");
    hash
}

/// The summary of a run that is repeated without a difference.
fn verified(run: &str) -> Value {
    let summary = replay([run, "--verify", "--json"]).expect(0, &[]).json();
    assert_eq!(summary["verified"]["difference"], Value::Null, "{summary}");
    summary
}

/// `lane:seq` and kind of the first record that differs, and all that is said of it.
fn difference(run: &str) -> (String, String) {
    let ran = replay([run, "--verify", "--json"]).expect(1, &["differs: the run has ", "; repeated it is "]);
    let difference = &ran.json()["verified"]["difference"];
    let text = |key: &str| difference[key].as_str().unwrap_or_else(|| panic!("{ran:?}")).to_owned();
    assert!(ran.stderr.contains(&format!("record {} ({}) differs", text("record"), text("kind"))), "{ran:?}");
    (format!("{} {}", text("record"), text("kind")), ran.stderr)
}

/// A record of a lane that is written anew.
struct Edited {
    entry: Entry,
    body: Vec<u8>,
}

/// Writes a run's journal again with `edit` done to the records of `lane`: checksums and sequences are right.
fn rewrite(run: &str, to: &str, lane: Lane, edit: impl FnOnce(&mut Vec<Edited>)) {
    let reader = Reader::open(run.as_ref()).unwrap();
    let info = reader.run().unwrap();
    let options = Options { feed_segment_bytes: 64 << 20, ..Options::new(info.run_id, info.config_hash) };
    let mut written = Written::create(&Path::new(to).join("journal"), options).unwrap();
    let mut edit = Some(edit);
    for of in reader.lanes() {
        let (mut cursor, mut records) = (reader.cursor(of), Vec::new());
        while let Some(view) = cursor.next().unwrap() {
            records.push(Edited { entry: view.entry, body: view.body.to_vec() });
        }
        if of == lane
            && let Some(edit) = edit.take()
        {
            edit(&mut records);
        }
        let mut writer = written.writer(of).unwrap();
        for Edited { entry, body } in records {
            written.room().wait(record_bytes(body.len())).unwrap();
            writer.append(entry, &body).unwrap();
        }
    }
    written.close().unwrap();
}

/// The n-th record of a kind.
fn nth(records: &[Edited], kind: RecordKind, n: usize) -> usize {
    let mut of_kind = records.iter().enumerate().filter(|(_, record)| record.entry.kind == kind as u16);
    of_kind.nth(n).unwrap().0
}

#[test]
fn decisions_have_one_hash_at_any_pace_with_a_journal_and_without() {
    let dir = Dir::new();
    let (file, run) = (short(&dir, 20_000), dir.at("run"));
    let whole = replay([&file, "--json", "--journal", &run]).expect(0, &[]).json();
    assert!(whole["orders"]["placed"].as_u64() > Some(100), "{whole}");
    // A pace holds frames back in the middle of a turn: the turns are of other sizes.
    for pace in ["max", "400000/s", "1000x"] {
        let again = replay([&file, "--json", "--pace", pace]).expect(0, &[]).json();
        assert_eq!(hash(&again), hash(&whole), "{pace}");
    }
    let part = dir.lines("part", lines_of(USDM).iter().take(19_000));
    assert_ne!(hash(&replay([&part, "--json"]).expect(0, &[]).json()), hash(&whole));
    assert_eq!(hash(&verified(&run)), hash(&whole));
    let listing = listing(&run);
    let listed: String = Sha256::digest(&listing).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash(&whole), listed, "{}", listing.lines().count());
    for what in ["target", "gate-refused", "order", "amend", "cancel", "order-update", "fill"] {
        assert!(listing.contains(&format!(" {what} ")), "{what}");
    }
    let text = replay([&file]).expect(0, &[]).stdout;
    assert!(text.contains(&format!("decisions          sha256 {}\n", hash(&whole))), "{text}");
}

#[test]
fn a_journal_is_replayed_though_its_captures_are_gone_and_gives_the_same_rows() {
    let dir = Dir::new();
    let rows = |name: &str| dir.at(name);
    let of_two = [short(&dir, 8000), dir.lines("spot", lines_of(SPOT).iter().take(4000))];
    // A line without a time, and one that says nothing.
    let broken = dir.at("short");
    let mut text = fs::read_to_string(&broken).unwrap();
    text.insert_str(text.len() / 2 + text[text.len() / 2..].find('\n').unwrap() + 1, "no time\n1 {}\n");
    fs::write(&broken, text).unwrap();
    let (run, usdm) = (dir.at("run"), "binance-usdm:BTCUSDT");
    let out = |name: &str| {
        let (books, signals) = (rows(&format!("books {name}")), rows(&format!("signals {name}")));
        let candles = rows(&format!("candles {name}"));
        [
            "--json",
            "--instrument",
            usdm,
            "--books",
            &books,
            "--signals",
            &signals,
            "--candles",
            "1s",
            &candles,
        ]
        .map(str::to_owned)
    };
    let first = of_two.iter().cloned().chain(out("a")).chain(["--journal".into(), run.clone()]);
    let first = replay(first).expect(0, &[]).json();
    assert!(first["decode_errors"] != 0 && first["orders"]["placed"] != 0, "{first}");
    of_two.iter().for_each(|file| fs::remove_file(file).unwrap());
    let again = replay([run.clone()].into_iter().chain(out("b"))).expect(0, &[]).json();
    for key in ["decisions_sha256", "messages", "books", "orders", "position", "pnl", "fees", "instruments"] {
        assert_eq!(again[key], first[key], "{key}");
    }
    assert_eq!(again["config"]["sha256"], first["config"]["sha256"]);
    assert_eq!(again["decode_errors"], first["decode_errors"]);
    for kind in ["books", "signals", "candles"] {
        let of = |name| fs::read_to_string(rows(&format!("{kind} {name}"))).unwrap();
        assert!(of("a").lines().count() > 3, "{kind}");
        assert_eq!(of("a"), of("b"), "{kind}");
    }
    // A journal of the journal's replay is one too.
    let second = dir.at("second");
    replay([&run, "--json", "--journal", &second]).expect(0, &[]);
    assert_eq!(hash(&verified(&second)), hash(&first));
    let five = replay([&run, "--json", "--placement", "five"]).expect(0, &[]).json();
    assert_eq!(five["messages"], first["messages"]);
}

#[test]
fn captures_lose_no_connection_whatever_the_configuration_says_of_them() {
    let dir = Dir::new();
    let of_two = [short(&dir, 8000), dir.lines("spot", lines_of(SPOT).iter().take(4000))];
    // It watches one of the two venues, and finds a stream silent after three seconds.
    let live = dir.file("live.toml", include_str!("../configs/binance-paper.toml"));
    let run = dir.at("run");
    let args: [&str; 7] = [&of_two[0], &of_two[1], "--json", "--config", &live, "--journal", &run];
    let ran = replay(args).expect(0, &[]);
    assert_eq!(ran.counts(["lost", "cuts", "copies", "renewals"]), [0; 4]);
    let again = verified(&run);
    for key in ["decisions_sha256", "books", "lost"] {
        assert_eq!(again[key], ran.json()[key], "{key}");
    }
}

#[test]
fn every_placement_is_repeated_on_one_thread() {
    let dir = Dir::new();
    let file = short(&dir, 30_000);
    let own = dir.file(
        "own.toml",
        "[[thread]]\nstages = [\"feed\", \"book\", \"signal\", \"strategy\"]\n\n[[thread]]\nstages = [\"gateway\"]\n",
    );
    let other = dir.file(
        "other.toml",
        "[[thread]]\nstages = [\"feed\", \"signal\"]\n\n[[thread]]\nstages = [\"book\", \"strategy\", \"gateway\"]\n",
    );
    for placement in ["one", "two", "five", &own, &other] {
        let run = dir.at(&format!("run {}", placement.replace('/', "_")));
        let ran = replay([&file, "--json", "--placement", placement, "--journal", &run]).expect(0, &[]);
        let summary = verified(&run);
        assert_eq!(hash(&summary), hash(&ran.json()), "{placement}");
        assert!(summary["verified"]["records"]["gateway"].as_u64() > Some(1000), "{summary}");
        assert_eq!(summary["verified"]["until"], "the end of the run");
    }
}

#[test]
fn a_changed_byte_is_named_though_every_checksum_fits() {
    let dir = Dir::new();
    let (file, run) = (short(&dir, 15_000), dir.at("run"));
    replay([&file, "--placement", "two", "--journal", &run]).expect(0, &[]);
    let changed = |name: &str, lane, edit: &dyn Fn(&mut Vec<Edited>)| {
        let to = dir.at(name);
        rewrite(&run, &to, lane, edit);
        difference(&to)
    };
    // A quantity of the book; and the venue's time, which decides nothing.
    for (name, what) in [("price", "\"a\":[[\""), ("time", "\"E\":")] {
        let (record, said) = changed(name, Lane::Feed, &|records| {
            let depth = |edited: &Edited| edited.body.windows(11).any(|part| part == b"depthUpdate");
            let frame = records.iter_mut().filter(|edited| depth(edited)).nth(300).unwrap();
            let at = frame.body.windows(what.len()).position(|part| part == what.as_bytes()).unwrap();
            let digit = at + what.len() + 4;
            frame.body[digit] = if frame.body[digit] == b'7' { b'8' } else { b'7' };
        });
        assert!(record.starts_with("feed:") && record.ends_with(" frame"), "{name}: {said}");
    }
    let (record, said) = changed("order", Lane::Gateway, &|records| {
        let index = nth(records, RecordKind::Order, 20);
        records[index].body[8] ^= 1; // its price
    });
    let journal = Journal::open(&run);
    let order = journal.of_kind(Lane::Gateway, RecordKind::Order).nth(20).unwrap();
    assert_eq!(record, format!("gateway:{} order", order.seq), "{said}");
    let (record, said) = changed("target", Lane::Strategy, &|records| {
        let index = nth(records, RecordKind::Target, 30);
        records.remove(index);
    });
    let target = journal.of_kind(Lane::Strategy, RecordKind::Target).nth(30).unwrap();
    assert!(record.starts_with(&format!("strategy:{} ", target.seq)), "{said}");
    // Frames that are gone, at the end too.
    let (record, said) = changed("frames", Lane::Feed, &|records| records.truncate(records.len() / 2));
    assert!(said.contains("none comes"), "{record}: {said}");
    assert_eq!(verified(&run)["verified"]["behind"], 0, "untouched it is alike");
}

/// A run that goes on, with commands to give it.
struct Running {
    child: Option<Child>,
    run: String,
}

impl Running {
    fn start(file: &str, run: &str, more: &[&str]) -> Self {
        let args = [file, "--json", "--journal", run].into_iter().chain(more.iter().copied());
        let child = command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut running = Self { child: Some(child), run: run.to_owned() };
        loop {
            assert!(running.child.as_mut().unwrap().try_wait().unwrap().is_none(), "it ended by itself");
            let reader = engine::counters::Reader::open(format!("{run}/counters").as_ref());
            let all = reader.ok().and_then(|reader| reader.snapshot().ok());
            if all.is_some_and(|all| all.find("feed", "frames").is_some_and(|frames| frames.value > 0)) {
                return running;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn ctl(&self, args: &str) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sabrewing"));
        // An overloaded machine may take its time: no clock decides here.
        command.args(["ctl", "--ttl", "60s", "--author", "a b: c", "--run", &self.run]).args(args.split(' '));
        command.output().unwrap().into()
    }

    /// As Ctrl-C does.
    fn interrupt(&self) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    }

    fn end(mut self) -> Ran {
        self.child.take().unwrap().wait_with_output().unwrap().into()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn commands_are_repeated_and_one_that_was_changed_or_dropped_is_named() {
    let dir = Dir::new();
    let (file, run) = (short(&dir, 40_000), dir.at("run"));
    // Long enough for any machine: it is ended once every command was answered.
    let running = Running::start(&file, &run, &["--placement", "five", "--pace", "500/s"]);
    for command in ["set mm levels=1", "pause mm", "resume", "set mm levels=2 skew_ticks=0.5", "cancel-all"] {
        let answer = running.ctl(command).expect(0, &[]).stdout;
        assert!(answer.starts_with("accepted, journal strategy:"), "{command}: {answer}");
    }
    running.ctl("set mm levels=99").expect(1, &[]);
    running.interrupt();
    let ran = running.end().expect(0, &[]);
    let summary = verified(&run);
    assert_eq!(hash(&summary), hash(&ran.json()));
    let journal = Journal::open(&run);
    let commands: Vec<_> = journal.of_kind(Lane::Strategy, RecordKind::Command).collect();
    assert_eq!(commands.len(), 5);
    let named = |index: usize, name: &str, edit: &dyn Fn(&mut Vec<Edited>, usize)| {
        let (to, seq) = (dir.at(name), commands[index].seq);
        rewrite(&run, &to, Lane::Strategy, |records| edit(records, usize::try_from(seq).unwrap() - 1));
        difference(&to)
    };
    // The parameter's value, the command's id, a byte that says nothing.
    for at in [64 + 8, 0, 50] {
        let (record, said) = named(0, &format!("byte {at}"), &|records, index| records[index].body[at] ^= 1);
        assert_eq!(record, format!("strategy:{} command", commands[0].seq), "{said}");
        assert!(said.contains("a b: c: set mm levels=1"), "{said}");
    }
    let (record, said) = named(4, "dropped", &|records, index| _ = records.remove(index));
    assert!(record.starts_with(&format!("strategy:{} ", commands[4].seq)), "{said}");
    // With the record that says when: nothing in the lane tells of it, but the runner's does.
    let (record, said) = named(4, "gone", &|records, index| _ = records.drain(index - 1..=index));
    assert!(
        record.starts_with("runner:") && said.contains("cancel-all\"; repeated it is never taken"),
        "{said}"
    );
    let (_, said) = named(0, "first gone", &|records, index| _ = records.drain(index - 1..=index));
    assert!(said.contains("set mm levels=1"), "{said}");
}

/// Small numbers that are the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }
}

#[test]
fn twenty_runs_on_five_threads_with_commands_at_random_moments_are_all_repeated() {
    const COMMANDS: [&str; 8] = [
        "pause",
        "pause mm",
        "resume",
        "resume mm",
        "set mm levels=1",
        "set mm levels=2 spread_min_ticks=3",
        "set mm skew_ticks=1.5 refresh_ms=5",
        "cancel-all",
    ];
    let dir = Dir::new();
    let file = short(&dir, 12_000);
    let mut taken = 0;
    for seed in 1..=20 {
        let (run, mut random) = (dir.at(&format!("run {seed}")), Random(seed));
        let running = Running::start(&file, &run, &["--placement", "five", "--pace", "60000/s"]);
        for _ in 0..2 + random.below(5) {
            std::thread::sleep(Duration::from_millis(random.below(20) as u64));
            // The run may be over by now.
            running.ctl(COMMANDS[random.below(COMMANDS.len())]);
        }
        let ran = running.end().expect(0, &[]);
        assert_eq!(hash(&verified(&run)), hash(&ran.json()), "seed {seed}");
        taken += Journal::open(&run).of_kind(Lane::Strategy, RecordKind::Command).count();
    }
    assert!(taken >= 20, "{taken} commands were taken");
}

#[test]
fn runs_that_were_stopped_interrupted_or_cut_off_are_repeated_up_to_there() {
    let dir = Dir::new();
    let file = arg(USDM);
    for placement in ["one", "five"] {
        let name = |what: &str| dir.at(&format!("{placement}/{what}"));
        let start = |what: &str| {
            let running =
                Running::start(&file, &name(what), &["--placement", placement, "--pace", "200000/s"]);
            std::thread::sleep(Duration::from_millis(60));
            running
        };
        let killed = start("killed");
        killed.ctl("set mm levels=1").expect(0, &[]);
        killed.ctl("kill").expect(0, &[]);
        killed.end().expect(3, &["", ""]);
        let summary = verified(&name("killed"));
        let until = summary["verified"]["until"].as_str().unwrap();
        assert!(until.starts_with("where trading was stopped (the operator killed trading"), "{until}");
        assert!(summary["verified"]["records"]["gateway"].as_u64() > Some(100), "{summary}");
        fs::remove_file(name("KILL")).unwrap();

        let interrupted = start("interrupted");
        let pid = interrupted.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let ran = interrupted.end().expect(0, &[]);
        let summary = verified(&name("interrupted"));
        assert_eq!(
            (hash(&summary), &summary["verified"]["until"]),
            (hash(&ran.json()), &"the end of the run".into())
        );

        let mut cut = start("cut");
        cut.child.as_mut().unwrap().kill().unwrap();
        cut.end();
        let summary = verified(&name("cut"));
        assert_eq!(summary["verified"]["until"], "where the process was cut off", "{summary}");
        assert!(summary["verified"]["records"]["strategy"].as_u64() > Some(10), "{summary}");
        let text = replay([&name("cut"), "--verify"]).expect(0, &[]).stdout;
        assert!(text.contains("verified           alike up to where the process was cut off: "), "{text}");
        replay([&name("cut"), "--json"]).expect(0, &[]);
    }
}

#[test]
fn what_a_killed_process_could_no_longer_say_is_no_difference() {
    let dir = Dir::new();
    let (file, run, cut) = (short(&dir, 15_000), dir.at("run"), dir.at("cut"));
    replay([&file, "--placement", "one", "--journal", &run]).expect(0, &[]);
    rewrite(&run, &cut, Lane::Runner, |records| {
        records.retain(|record| record.entry.kind != RecordKind::RunEnd as u16);
    });
    // The order of inputs is stated behind what they led to: the other lanes go on.
    for kept in [7, 60, 61, 62, 63, 150] {
        let lost = dir.at(&format!("kept {kept}"));
        rewrite(&cut, &lost, Lane::Strategy, |records| records.truncate(kept));
        let summary = verified(&lost);
        assert_eq!(summary["verified"]["until"], "where the process was cut off");
        let same = summary["verified"]["records"]["strategy"].as_u64().unwrap();
        assert!((kept as u64 - 1..=kept as u64).contains(&same), "{summary}");
        assert!(summary["verified"]["behind"].as_u64() > Some(100), "{summary}");
    }
}

#[test]
fn what_cannot_be_replayed_or_makes_no_sense_is_refused() {
    let dir = Dir::new();
    let (file, run) = (short(&dir, 200), dir.at("run"));
    replay([&file, "--journal", &run]).expect(0, &[]);
    replay([&file, "--verify"]).expect(2, &["--verify takes the directory of a run"]);
    replay([&run, &file]).expect(2, &["run: a run is replayed alone"]);
    replay([&run, "--tick", "0.1", "--lot", "1"]).expect(2, &["a run brings its instruments along"]);
    replay([&run, "--verify", "--config", "x.toml"]).expect(2, &["cannot be used with"]);
    replay([dir.path().to_str().unwrap()]).expect(1, &["journal"]);
    let emptied = |name: &str, kind: RecordKind| {
        let to = dir.at(name);
        rewrite(&run, &to, Lane::Runner, |records| records.retain(|record| record.entry.kind != kind as u16));
        to
    };
    replay([&emptied("a", RecordKind::Wiring)]).expect(1, &["the journal has no wiring"]);
    replay([&emptied("b", RecordKind::Instruments), "--verify"])
        .expect(1, &["the journal has no instruments"]);
    let to = dir.at("c");
    rewrite(&run, &to, Lane::Runner, |records| {
        let index = nth(records, RecordKind::Config, 0);
        records[index].body.extend(b"\nmore = 1\n");
    });
    replay([&to]).expect(1, &["record runner:1: ", "unknown field `more`"]);
    let with_another =
        dir.file("other.toml", include_str!("../configs/replay.toml").replace("levels = 2", "levels = 1"));
    let other = replay([&run, "--json", "--config", &with_another]).expect(0, &[]).json();
    assert_eq!(other["config"]["file"], with_another.as_str());
    let bytes = fs::read(format!("{run}/journal/feed-000001.seg")).unwrap();
    let mut damaged = bytes.clone();
    damaged[2000] ^= 1;
    fs::write(format!("{run}/journal/feed-000001.seg"), damaged).unwrap();
    replay([&run]).expect(1, &["feed-000001.seg"]);
}
