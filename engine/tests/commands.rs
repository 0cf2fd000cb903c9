//! Lanes of commands as two processes meet them: answered, refused, full, left by a dead writer, damaged, hostile.

use engine::commands::{
    Answer, Command, CommandKind, CommandReader, CommandWriter, Found, KillLatch, KillRecord, LANES_MAX,
    Refusal, SLOTS, SendError, Ticket,
};
use engine::ids::{Cause, Lane};
use engine::time::Nanos;
use proptest::prelude::*;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

const RUN: u64 = 42;
const NOW: Nanos = Nanos(1_723_161_255_000_000_000);
const CHILD: &str = "SABREWING_TEST_COMMANDS_CHILD";

struct Run {
    dir: tempfile::TempDir,
    reader: CommandReader,
}

impl Run {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let reader = CommandReader::create(&dir.path().join("commands"), RUN).unwrap();
        Self { dir, reader }
    }

    fn commands(&self) -> PathBuf {
        self.dir.path().join("commands")
    }

    fn writer(&self) -> CommandWriter {
        CommandWriter::create(&self.commands(), NOW).unwrap()
    }

    fn files(&self) -> usize {
        fs::read_dir(self.commands()).unwrap().count()
    }
}

fn command(kind: CommandKind) -> Command {
    Command { author: "bob".into(), issued: NOW, ttl: Nanos::SECOND, run_id: RUN, kind }
}

fn pause(strategy: &str) -> Command {
    command(CommandKind::Pause { strategy: Some(strategy.into()) })
}

fn commands(found: &[Found]) -> Vec<(Ticket, &Command)> {
    let command = |found| match found {
        &Found::Command(ticket, ref command) => Some((ticket, command)),
        _ => None,
    };
    found.iter().filter_map(command).collect()
}

fn problems(found: &[Found]) -> Vec<String> {
    let problem = |found: &Found| match found {
        Found::Problem(problem) => Some(problem.to_string()),
        _ => None,
    };
    found.iter().filter_map(problem).collect()
}

#[test]
fn a_command_is_taken_once_and_its_answer_reaches_its_writer() {
    let mut run = Run::new();
    assert_eq!(run.reader.poll(NOW), []);
    let mut writer = run.writer();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(writer.path()), mode(&run.commands())), (0o600, 0o700));
    let set = CommandKind::Set { strategy: "quoter".into(), params: vec![("levels".into(), "3".into())] };
    let id = writer.send(&command(set.clone())).unwrap();
    assert_eq!((id, writer.answer(id)), (1, Ok(None)));
    let found = run.reader.poll(NOW.plus(Nanos(5)));
    let ticket = Ticket { lane: 0, id: 1 };
    assert_eq!(found, [Found::Command(ticket, command(set))]);
    assert_eq!(run.reader.poll(NOW), [], "once");
    let answer = Answer::accepted(Cause::new(Lane::Strategy, 123));
    run.reader.answer(ticket, &answer);
    assert_eq!(writer.answer(id), Ok(Some(answer.clone())));
    assert_eq!(answer.to_string(), "accepted, journal strategy:123");
    drop(writer);
    assert_eq!((run.reader.poll(NOW), run.files()), (vec![], 0));
}

#[test]
fn a_command_whose_writer_took_its_lane_away_is_withdrawn() {
    let mut run = Run::new();
    let mut writer = run.writer();
    // The lane is known, and its handle would still give what comes.
    assert_eq!(run.reader.poll(NOW), []);
    writer.send(&pause("s")).unwrap();
    drop(writer);
    assert_eq!(run.reader.poll(NOW), []);
    let mut next = run.writer();
    next.send(&pause("t")).unwrap();
    assert_eq!(commands(&run.reader.poll(NOW)), [(Ticket { lane: 1, id: 1 }, &pause("t"))]);
}

#[test]
fn commands_too_late_too_early_for_another_run_or_malformed_are_refused() {
    let mut run = Run::new();
    let mut writer = run.writer();
    let at = |issued: Nanos| Command { issued, ..pause("s") };
    writer.send(&at(Nanos(NOW.0 - Nanos::SECOND.0))).unwrap();
    writer.send(&at(Nanos(NOW.0 - Nanos::SECOND.0 + 1))).unwrap();
    writer.send(&at(NOW.plus(Nanos(6 * Nanos::SECOND.0)))).unwrap();
    writer.send(&Command { run_id: 41, ..pause("s") }).unwrap();
    let found = run.reader.poll(NOW);
    let refusal = |id: usize| match &found[id - 1] {
        Found::Refused(ticket, refusal) => (ticket.id, refusal.to_string()),
        found => panic!("{found:?}"),
    };
    assert_eq!(refusal(1), (1, "expired: issued 1000 ms ago, to live 1000 ms".into()));
    assert_eq!(commands(&found).len(), 1, "a nanosecond before its end it is still good");
    assert_eq!(refusal(3), (3, "issued 6000 ms in the future: the clocks disagree".into()));
    assert_eq!(refusal(4), (4, "addressed to run 41; this is run 42".into()));
    assert!(matches!(found[3], Found::Refused(_, Refusal::OtherRun { named: 41, this: RUN })));
    let malformed = writer.send(&Command { author: String::new(), ..pause("s") }).unwrap_err();
    assert_eq!(malformed.to_string(), "malformed author (byte 26)");
}

fn awaited(writer: &CommandWriter, id: u64) -> Answer {
    loop {
        match writer.answer(id).unwrap() {
            Some(answer) => return answer,
            None => std::thread::yield_now(),
        }
    }
}

#[test]
fn two_writers_at_once_each_get_their_own_answers_in_their_own_order() {
    let mut run = Run::new();
    let dir = run.commands();
    let writers = ["a", "b"].map(|name| {
        let dir = dir.clone();
        std::thread::spawn(move || {
            let mut writer = CommandWriter::create(&dir, NOW).unwrap();
            for count in 0..200 {
                let strategy = format!("{name}{count}");
                let id = loop {
                    match writer.send(&pause(&strategy)) {
                        Ok(id) => break id,
                        Err(error) => assert_eq!(error, SendError::Full),
                    }
                    std::thread::yield_now();
                };
                // Every third is awaited; the others run ahead as far as the lane has room.
                if count % 3 == 0 {
                    assert_eq!(awaited(&writer, id).reason, strategy);
                }
            }
            awaited(&writer, 200);
        })
    });
    let mut taken = [0_u64; 2];
    while !writers.iter().all(std::thread::JoinHandle::is_finished) {
        let found = run.reader.poll(NOW);
        assert_eq!(problems(&found), Vec::<String>::new());
        for (ticket, command) in commands(&found) {
            let CommandKind::Pause { strategy: Some(strategy) } = &command.kind else {
                panic!("{command:?}")
            };
            let lane = ticket.lane as usize;
            assert_eq!(ticket.id, taken[lane] + 1);
            assert!(strategy.ends_with(&taken[lane].to_string()), "{strategy} after {taken:?}");
            taken[lane] += 1;
            run.reader.answer(ticket, &Answer::refused(strategy.as_str(), Cause::NONE));
        }
    }
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    assert_eq!(taken, [200, 200]);
}

#[test]
fn a_full_lane_takes_no_command_until_its_oldest_is_answered() {
    let mut run = Run::new();
    let mut writer = run.writer();
    for _ in 0..SLOTS {
        writer.send(&pause("s")).unwrap();
    }
    assert_eq!(writer.send(&pause("s")), Err(SendError::Full));
    let found = run.reader.poll(NOW);
    assert_eq!(commands(&found).len() as u64, SLOTS);
    assert_eq!(writer.send(&pause("s")), Err(SendError::Full), "taken is not answered");
    run.reader.answer(Ticket { lane: 0, id: 1 }, &Answer::accepted(Cause::NONE));
    assert_eq!(writer.send(&pause("again")), Ok(SLOTS + 1));
    assert_eq!(writer.send(&pause("s")), Err(SendError::Full));
    assert_eq!(writer.answer(1), Ok(Some(Answer::accepted(Cause::NONE))), "until it is overwritten");
    assert_eq!(commands(&run.reader.poll(NOW))[0].1, &pause("again"));
}

/// The child of the next test: a lane with one whole command and half of another, then death.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let mut writer = CommandWriter::create(dir.as_ref(), NOW).unwrap();
    writer.send(&pause("whole")).unwrap();
    let whole = fs::read(writer.path()).unwrap();
    writer.send(&pause("half")).unwrap();
    // The second command without its id: what a writer leaves that dies before its last store.
    let mut bytes = fs::read(writer.path()).unwrap();
    let id = 128 + 320 * 8;
    assert_ne!(bytes[id..], whole[id..]);
    bytes[id..id + 8].fill(0);
    fs::write(writer.path(), bytes).unwrap();
    std::process::abort();
}

#[test]
fn a_writer_that_died_half_way_through_a_command_blocks_nobody() {
    let mut run = Run::new();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child", "--nocapture"]).env(CHILD, run.commands());
    let died = child.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(!died.success() && run.files() == 1, "{died}");
    let mut writer = run.writer();
    writer.send(&pause("living")).unwrap();
    let found = run.reader.poll(NOW);
    let mut seen: Vec<_> = commands(&found).into_iter().map(|(_, command)| command.clone()).collect();
    seen.sort_by_key(|command| format!("{command:?}"));
    assert_eq!(seen, [pause("living"), pause("whole")]);
    assert_eq!((problems(&found).len(), run.files()), (0, 2), "the dead one's command awaits its answer");
    for (ticket, _) in commands(&found) {
        run.reader.answer(ticket, &Answer::accepted(Cause::NONE));
    }
    assert_eq!((run.reader.poll(NOW), run.files()), (vec![], 1), "and then its lane goes");
    assert_eq!(writer.answer(1), Ok(Some(Answer::accepted(Cause::NONE))));
}

#[test]
fn files_that_are_no_lanes_are_reported_once_and_the_others_are_read() {
    let mut run = Run::new();
    let dir = run.commands();
    let mut writer = run.writer();
    let lane = fs::read(writer.path()).unwrap();
    let file = |name: &str, bytes: &[u8], mode: u32| {
        let path = dir.join(name);
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    };
    file("empty.lane", b"", 0o600);
    file("short.lane", &lane[..1000], 0o600);
    file("text.lane", &vec![b'x'; lane.len()], 0o600);
    file("open.lane", &lane, 0o666);
    file("notes.txt", b"not looked at", 0o644);
    let version: Vec<u8> = lane.iter().enumerate().map(|(at, b)| if at == 8 { 9 } else { *b }).collect();
    file("version.lane", &version, 0o600);
    let owner: Vec<u8> = lane.iter().enumerate().map(|(at, b)| if at == 20 { b ^ 1 } else { *b }).collect();
    file("owner.lane", &owner, 0o600);
    fs::create_dir(dir.join("dir.lane")).unwrap();
    symlink(writer.path(), dir.join("link.lane")).unwrap();
    writer.send(&pause("s")).unwrap();
    let found = run.reader.poll(NOW);
    assert_eq!(commands(&found).len(), 1, "{found:?}");
    let said = problems(&found);
    for (name, what) in [
        ("empty", "0 bytes long instead of 41088"),
        ("short", "1000 bytes long"),
        ("text", "not a lane of commands (byte 0)"),
        ("open", "mode 666"),
        ("version", "another version (byte 8)"),
        ("owner", "damaged header (byte 32)"),
        ("dir", "directory"),
        ("link", "symbolic link"),
    ] {
        let name = format!("{name}.lane: ");
        assert!(
            said.iter().any(|said| said.contains(&name) && said.contains(what)),
            "{name}{what}: {said:?}"
        );
    }
    assert_eq!((said.len(), run.reader.poll(NOW)), (8, vec![]), "once");
}

#[test]
fn a_lane_that_is_damaged_or_cut_while_it_is_read_is_given_up_and_the_others_go_on() {
    let mut run = Run::new();
    let (mut first, mut second, mut third) = (run.writer(), run.writer(), run.writer());
    assert_eq!(run.reader.poll(NOW), []);
    first.send(&pause("a")).unwrap();
    second.send(&pause("b")).unwrap();
    third.send(&pause("c")).unwrap();
    let mut bytes = fs::read(first.path()).unwrap();
    bytes[128 + 16 + 30] ^= 1;
    fs::write(first.path(), bytes).unwrap();
    fs::File::options().write(true).open(second.path()).unwrap().set_len(64).unwrap();
    let found = run.reader.poll(NOW);
    assert_eq!(commands(&found).iter().map(|(_, command)| *command).collect::<Vec<_>>(), [&pause("c")]);
    let said = problems(&found).join("\n");
    assert!(said.contains("command 1: wrong checksum (byte 136)"), "{said}");
    assert!(said.contains("command 1 cannot be read"), "{said}");
    assert_eq!(run.reader.poll(NOW), [], "said once");
    // Its mapping is cut under the second writer; that it must not touch it again is its own concern.
    std::mem::forget(second);
}

#[test]
fn more_lanes_than_are_read_wait_for_their_turn_and_it_is_said_once() {
    let mut run = Run::new();
    let mut writers: Vec<_> = (0..=LANES_MAX).map(|_| run.writer()).collect();
    for writer in &mut writers {
        writer.send(&pause("s")).unwrap();
    }
    let found = run.reader.poll(NOW);
    assert_eq!(commands(&found).len(), LANES_MAX);
    assert!(problems(&found)[0].ends_with("more than 64 lanes; the others wait"));
    for (ticket, _) in commands(&found) {
        run.reader.answer(ticket, &Answer::accepted(Cause::NONE));
    }
    assert_eq!(run.reader.poll(NOW), []);
    let waiting = writers.iter().position(|writer| writer.answer(1) == Ok(None)).unwrap();
    let last = writers.swap_remove(waiting);
    drop(writers);
    run.reader.poll(NOW);
    assert_eq!(commands(&run.reader.poll(NOW)).len(), 1, "{last:?}");
}

#[test]
fn kill_works_while_every_lane_is_broken_and_the_directory_is_gone() {
    let mut run = Run::new();
    let mut writer = run.writer();
    writer.send(&command(CommandKind::Kill { reason: String::new() })).unwrap();
    let mut bytes = fs::read(writer.path()).unwrap();
    bytes[128 + 8] ^= 1;
    fs::write(writer.path(), bytes).unwrap();
    assert_eq!(commands(&run.reader.poll(NOW)), []);
    fs::remove_dir_all(run.commands()).unwrap();
    assert_eq!(problems(&run.reader.poll(NOW)).len(), 1);
    assert!(CommandWriter::create(&run.commands(), NOW).is_err());
    let latches = KillLatch::of_run(run.dir.path());
    let record = KillRecord { author: "bob".into(), at: NOW, reason: "lanes".into() };
    latches[0].set(&record).unwrap();
    assert_eq!(latches[0].check(), Some(record));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Whatever bytes of a lane are changed, the reader never panics and never hands on a command that was not
    /// sent, nor one in another place.
    #[test]
    fn no_damage_makes_another_command(
        flips in proptest::collection::vec((0_usize..41_088 * 8, any::<bool>()), 1..6)
    ) {
        let mut run = Run::new();
        let mut writer = run.writer();
        let sent: Vec<Command> = ["a", "bb", "a longer name of a strategy"].map(pause).into();
        for command in &sent {
            writer.send(command).unwrap();
        }
        let mut bytes = fs::read(writer.path()).unwrap();
        for (bit, near) in flips {
            // Most of a lane is empty: half of the flips go where it is not.
            let used = [0..40 * 8, 128 * 8..240 * 8, 2688 * 8..2800 * 8, 5248 * 8..5360 * 8];
            let bit = if near { used.into_iter().flatten().nth(bit % 3000).unwrap_or(bit) } else { bit };
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        fs::write(writer.path(), bytes).unwrap();
        for _ in 0..3 {
            for found in run.reader.poll(NOW) {
                match found {
                    Found::Command(ticket, command) => {
                        prop_assert_eq!(Some(&command), sent.get(usize::try_from(ticket.id).unwrap() - 1));
                        run.reader.answer(ticket, &Answer::accepted(Cause::NONE));
                    }
                    Found::Refused(..) => prop_assert!(false, "{:?}", found),
                    Found::Problem(_) => {}
                }
            }
        }
    }
}
