//! The engine's desk for operators: takes what the lanes and the kill latch bring, on the supervisor's thread.
//!
//! Every command becomes a record of the runner's lane. A kill is carried out here, before anything else is
//! done about it; the others have their names resolved and go on to the stage that takes commands, whose
//! record the answer then names.

use engine::commands::{
    Answer, Answered, Command, CommandKind, CommandOutput, CommandReader, Found, KillLatch, KillRecord,
    Names, Outcome, Ticket,
};
use engine::ids::Cause;
use engine::runner::{Control, StopReason};
use engine::time::Nanos;
use std::io::Write;
use std::path::Path;

/// Commands to one run.
pub(crate) struct CommandDesk {
    reader: CommandReader,
    latches: Vec<KillLatch>,
    names: Names,
    /// The stage that takes commands; none: this run has none.
    stage: Option<CommandOutput>,
    /// Trading was killed: the latch need not be looked at again.
    is_killed: bool,
}

/// Writes a record of the runner's lane.
type Journal<'a> = &'a mut dyn FnMut(&str) -> Result<Cause, String>;

impl CommandDesk {
    /// Makes `commands/` in the new directory of run `run_id`. Err: it cannot be made.
    pub(crate) fn open(
        run_dir: &Path,
        run_id: u64,
        names: Names,
        stage: Option<CommandOutput>,
    ) -> Result<Self, String> {
        let dir = run_dir.join("commands");
        let reader = CommandReader::create(&dir, run_id);
        let reader = reader.map_err(|error| format!("{}: {error}", dir.display()))?;
        Ok(Self { reader, latches: KillLatch::of_run(run_dir), names, stage, is_killed: false })
    }

    /// One look at lanes, latch and answers; `now` by the wall clock.
    pub(crate) fn tick(&mut self, now: Nanos, journal: Journal<'_>, control: &Control) {
        for found in self.reader.poll(now) {
            match found {
                Found::Problem(problem) => say(&problem.to_string()),
                Found::Refused(ticket, refusal) => self.refuse(ticket, None, &refusal.to_string(), journal),
                Found::Command(ticket, command) => self.take(ticket, &command, journal, control),
            }
        }
        if !self.is_killed
            && let Some(record) = self.latches.iter().find_map(KillLatch::check)
        {
            // Answered to nobody: who sets the latch sees the run end.
            self.kill(&record, "latch", journal, control);
        }
        self.pass_answers(journal);
    }

    /// The threads have ended: answers whatever is left.
    pub(crate) fn finish(mut self, now: Nanos, journal: Journal<'_>, control: &Control) {
        self.pass_answers(journal);
        // The stage is gone: what it has not answered by now it never will.
        for ticket in self.stage.take().map(|mut stage| stage.orphaned()).unwrap_or_default() {
            self.refuse(ticket, None, Outcome::TooLate.reason(), journal);
        }
        for found in self.reader.poll(now) {
            match found {
                Found::Problem(problem) => say(&problem.to_string()),
                Found::Refused(ticket, refusal) => self.refuse(ticket, None, &refusal.to_string(), journal),
                Found::Command(ticket, command) if matches!(command.kind, CommandKind::Kill { .. }) => {
                    self.take(ticket, &command, journal, control);
                }
                Found::Command(ticket, command) => {
                    self.refuse(ticket, Some(&command), Outcome::TooLate.reason(), journal);
                }
            }
        }
    }

    fn take(&mut self, ticket: Ticket, command: &Command, journal: Journal<'_>, control: &Control) {
        let resolved = match self.names.resolve(&command.kind) {
            Err(error) => return self.refuse(ticket, Some(command), &error.to_string(), journal),
            Ok(Some(resolved)) => resolved,
            Ok(None) => {
                let CommandKind::Kill { reason } = &command.kind else { return };
                let record =
                    KillRecord { author: command.author.clone(), at: command.issued, reason: reason.clone() };
                let journalled = self.kill(&record, &ticket.to_string(), journal, control);
                return self.reader.answer(ticket, &Answer::accepted(journalled));
            }
        };
        let Some(stage) = &mut self.stage else {
            return self.refuse(ticket, Some(command), "this run takes no command but kill", journal);
        };
        // What is not in the journal does not happen.
        let cause = match journal(&text_of(ticket, command)) {
            Ok(cause) => cause,
            Err(error) => return self.reader.answer(ticket, &Answer::refused(error, Cause::NONE)),
        };
        if !stage.send(ticket, resolved.body, &resolved.params, cause) {
            self.refuse(ticket, None, "too many commands await their answers", journal);
        }
    }

    /// Stops trading, then latches, then keeps a record. Returns the record, where there is one.
    fn kill(&mut self, record: &KillRecord, source: &str, journal: Journal<'_>, control: &Control) -> Cause {
        control.stop_with(StopReason::OperatorKill, record.to_string());
        self.is_killed = true;
        for latch in &self.latches {
            if let Err(error) = latch.set(record) {
                say(&format!("{}: the kill could not be latched: {error}", latch.path().display()));
            }
        }
        journal(&format!("{source} {record}")).unwrap_or_else(|error| {
            say(&error);
            Cause::NONE
        })
    }

    fn refuse(&mut self, ticket: Ticket, command: Option<&Command>, reason: &str, journal: Journal<'_>) {
        let text = command.map_or_else(|| ticket.to_string(), |command| text_of(ticket, command));
        let cause = journal(&format!("{text}: refused: {reason}")).unwrap_or_else(|error| {
            say(&error);
            Cause::NONE
        });
        self.reader.answer(ticket, &Answer::refused(reason, cause));
    }

    /// Passes on what the stage answered. What it turned away without a record has one here.
    fn pass_answers(&mut self, journal: Journal<'_>) {
        while let Some(answered) = self.stage.as_mut().and_then(CommandOutput::answered) {
            let Answered { ticket, outcome, journal: record } = answered;
            match outcome {
                Outcome::Accepted => self.reader.answer(ticket, &Answer::accepted(record)),
                outcome if record == Cause::NONE => self.refuse(ticket, None, outcome.reason(), journal),
                outcome => self.reader.answer(ticket, &Answer::refused(outcome.reason(), record)),
            }
        }
    }
}

/// A command in the journal: `0.3 bob: set quoter levels=3`.
fn text_of(ticket: Ticket, command: &Command) -> String {
    format!("{ticket} {}: {}", command.author, command.kind)
}

/// A line for whoever watches; nobody need.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "sabrewing: {line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::commands::{Action, CommandInput, CommandWriter, ParamDesc, StrategyDesc, channel};
    use engine::ids::{Lane, StrategyId};
    use std::path::PathBuf;

    const NOW: Nanos = Nanos(1_723_161_255_000_000_000);

    struct Room {
        dir: tempfile::TempDir,
        desk: CommandDesk,
        stage: CommandInput,
        writer: CommandWriter,
        control: Control,
        journal: Vec<String>,
    }

    impl Room {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let (output, stage) = channel();
            let levels = ParamDesc { name: "levels", digits: 0, min: 1, max: 9, help: "A test's." };
            let quoter = StrategyDesc { id: StrategyId(1), name: "quoter".into(), params: vec![levels] };
            let names = Names {
                strategies: vec![quoter],
                instruments: vec!["binance-usdm:BTCUSDT".into()],
                rules: vec![],
            };
            let run_dir = Self::run_dir(&dir);
            std::fs::create_dir(&run_dir).unwrap();
            let desk = CommandDesk::open(&run_dir, 7, names, Some(output)).unwrap();
            let writer = CommandWriter::create(&run_dir.join("commands"), NOW).unwrap();
            Self { dir, desk, stage, writer, control: Control::default(), journal: Vec::new() }
        }

        fn run_dir(dir: &tempfile::TempDir) -> PathBuf {
            dir.path().join("run")
        }

        fn send(&mut self, kind: CommandKind) -> u64 {
            let command = Command { author: "bob".into(), issued: NOW, ttl: Nanos::SECOND, run_id: 7, kind };
            self.writer.send(&command).unwrap()
        }

        fn tick(&mut self, now: Nanos) {
            let Self { desk, control, journal, .. } = self;
            let mut keep = |text: &str| {
                journal.push(text.to_owned());
                Ok(Cause::new(Lane::Runner, journal.len() as u64))
            };
            desk.tick(now, &mut keep, control);
        }

        fn answer(&self, id: u64) -> String {
            self.writer.answer(id).unwrap().map_or_else(String::new, |answer| answer.to_string())
        }
    }

    fn set(value: &str) -> CommandKind {
        CommandKind::Set { strategy: "quoter".into(), params: vec![("levels".into(), value.into())] }
    }

    #[test]
    fn a_command_goes_by_the_journal_to_the_stage_and_its_answer_back() {
        let mut room = Room::new();
        let id = room.send(set("3"));
        room.tick(NOW);
        assert_eq!(
            (room.answer(id), &room.journal[..]),
            (String::new(), &["0.1 bob: set quoter levels=3".into()][..])
        );
        let taken = room.stage.take(9, |command| {
            assert_eq!((command.body.action(), command.body.strategy), (Some(Action::Set), StrategyId(1)));
            assert_eq!((command.params[0].index, command.params[0].value), (0, 3));
            assert_eq!(command.head.cause, Cause::new(Lane::Runner, 1));
            (Outcome::Accepted, Cause::new(Lane::Strategy, 123))
        });
        room.tick(NOW);
        assert_eq!((taken, room.answer(id)), (1, "accepted, journal strategy:123".into()));
        let conflicting = room.send(set("4"));
        room.tick(NOW);
        room.stage.take(9, |_| (Outcome::Conflicting, Cause::NONE));
        room.tick(NOW);
        assert_eq!(room.answer(conflicting), "refused: these values do not go together");
    }

    #[test]
    fn what_cannot_be_is_refused_and_kept_and_reaches_no_stage() {
        let mut room = Room::new();
        let (wrong, late) = (room.send(set("10")), room.send(set("9")));
        room.tick(NOW);
        assert_eq!(room.answer(wrong), "refused: levels: 10 is not in 1..=9");
        assert_eq!(room.journal[0], "0.1 bob: set quoter levels=10: refused: levels: 10 is not in 1..=9");
        assert_eq!(room.stage.take(9, |_| (Outcome::Accepted, Cause::NONE)), 1);
        room.tick(NOW);
        assert_eq!(room.answer(late), "accepted");
        let expired = room.send(set("9"));
        room.tick(NOW.plus(Nanos::SECOND));
        assert_eq!(room.answer(expired), "refused: expired: issued 1000 ms ago, to live 1000 ms");
        assert!(room.stage.is_empty() && room.journal.len() == 3, "{:?}", room.journal);
    }

    #[test]
    fn what_the_journal_does_not_take_reaches_no_stage() {
        let mut room = Room::new();
        let id = room.send(set("3"));
        room.desk.tick(NOW, &mut |_| Err("the disk is full".into()), &room.control);
        assert_eq!((room.answer(id), room.stage.is_empty()), ("refused: the disk is full".into(), true));
    }

    #[test]
    fn a_kill_stops_and_latches_even_where_the_journal_does_not_take_it() {
        let mut room = Room::new();
        let id = room.send(CommandKind::Kill { reason: "too odd".into() });
        room.desk.tick(NOW, &mut |_| Err("the disk is full".into()), &room.control);
        assert_eq!(
            (room.answer(id), room.control.stopped()),
            ("accepted".into(), Some(StopReason::OperatorKill))
        );
        let said = "killed 2024-08-08T23:54:15.000000000Z by bob: too odd";
        assert_eq!(room.control.detail(), Some(said));
        for dir in [room.dir.path(), &Room::run_dir(&room.dir)] {
            assert_eq!(KillLatch::of(dir).check().unwrap().to_string(), said);
        }
    }

    #[test]
    fn either_latch_stops_a_run_whose_lanes_say_nothing() {
        for above in [false, true] {
            let mut room = Room::new();
            let dir = if above { room.dir.path().to_owned() } else { Room::run_dir(&room.dir) };
            room.tick(NOW);
            assert_eq!(room.control.stopped(), None);
            std::fs::write(dir.join("KILL"), "").unwrap();
            room.tick(NOW);
            room.tick(NOW);
            assert_eq!(room.control.stopped(), Some(StopReason::OperatorKill));
            assert_eq!(room.journal, ["latch killed: the latch's file says nothing readable"], "once");
        }
    }

    #[test]
    fn at_the_end_every_command_has_its_answer() {
        let mut room = Room::new();
        let (answered, taken, sent) = (room.send(set("1")), room.send(set("2")), room.send(set("3")));
        room.tick(NOW);
        room.stage.take(1, |_| (Outcome::Accepted, Cause::NONE));
        let late = room.send(set("4"));
        let Room { desk, stage, writer, control, .. } = room;
        drop(stage);
        desk.finish(NOW, &mut |_| Ok(Cause::NONE), &control);
        let answer = |id| writer.answer(id).unwrap().unwrap().to_string();
        assert_eq!(answer(answered), "accepted");
        for id in [taken, sent, late] {
            assert_eq!(answer(id), "refused: the run is ending");
        }
    }
}
