//! Commands: no damage to a lane makes a command that was not sent, what is read is written as the same bytes,
//! names and values resolve inside their ranges, and whatever a latch holds kills.
//!
//! Input of `commands`: changes to a lane of three commands, one a line: `flip BIT`, `put AT VALUE BYTES`,
//! `cut BYTES`, `seal ID` (makes the checksum of a command fit again), `raw TEXT` (replaces the file). Of
//! `command`: a command's bytes. Of `kill`: the latch's file.

use crate::driver::Outcome;
use crate::scratch;
use crate::truth::{count_of, outcome};
use engine::commands::{
    ALL_STRATEGIES, Answer, Command, CommandKind, CommandReader, CommandWriter, Found, KillLatch, KillRecord,
    Names, ParamDesc, SLOTS, StrategyDesc,
};
use engine::ids::{Cause, StrategyId};
use engine::time::Nanos;
use std::os::unix::fs::PermissionsExt;
use std::sync::OnceLock;

const RUN: u64 = 7;
const NOW: Nanos = Nanos(1_723_161_255_000_000_000);
const SLOT_BYTES: usize = 320 * 8;
const FIRST_SLOT: usize = 128;

/// A lane, changed.
pub fn target(data: &[u8]) -> Outcome {
    let (sent, lane) = base();
    let (mut file, mut sealed) = (lane.clone(), false);
    for line in String::from_utf8_lossy(data).lines().take(64) {
        sealed |= change(&mut file, line);
    }
    let dir = scratch::path("commands");
    let _ = std::fs::remove_dir_all(&dir);
    let mut reader = CommandReader::create(&dir, RUN).unwrap_or_else(|error| panic!("{error}"));
    let path = dir.join("changed.lane");
    std::fs::write(&path, &file).unwrap_or_else(|error| panic!("{error}"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
        .unwrap_or_else(|error| panic!("{error}"));
    let found = reader.poll(NOW);
    let (mut problems, mut outcomes) = (0, Vec::new());
    for (index, one) in found.iter().enumerate() {
        match one {
            Found::Command(ticket, command) => {
                assert_eq!((ticket.lane, ticket.id), (0, index as u64 + 1), "in their order");
                let wanted = sent.get(index);
                assert!(sealed || wanted == Some(command), "a command that was not sent: {command:?}");
                let bytes = command.encode().unwrap_or_else(|error| panic!("{error}"));
                let at = FIRST_SLOT + index * SLOT_BYTES + 16;
                assert_eq!(bytes, &file[at..at + bytes.len()], "not what is stored");
                outcomes.push(command.kind.name().to_owned());
            }
            Found::Refused(ticket, refusal) => {
                assert!(sealed, "{refusal}: refused though it was sent as it should be");
                assert_eq!(ticket.id, index as u64 + 1);
                outcomes.push(refusal.to_string().chars().filter(|c| c.is_alphabetic()).take(18).collect());
            }
            Found::Problem(problem) => {
                assert_eq!((problem.path.as_path(), index + 1), (path.as_path(), found.len()));
                assert!(!problem.what.is_empty());
                problems += 1;
                outcomes.push(problem.what.chars().filter(|c| c.is_alphabetic()).collect());
            }
        }
    }
    let taken = found.len() as u64 - problems;
    assert!(problems == 1 || taken >= 3 || file != *lane, "nothing was changed, and something is missing");
    assert_eq!(reader.poll(NOW), [], "once");
    for id in 1..=taken {
        reader.answer(engine::commands::Ticket { lane: 0, id }, &Answer::accepted(Cause::NONE));
    }
    assert_eq!(reader.poll(NOW), []);
    assert_eq!(
        path.exists(),
        problems == 1,
        "its writer is gone: read and answered it goes, damaged it stays"
    );
    outcome(outcomes)
}

/// A command's bytes.
pub fn command(data: &[u8]) -> Outcome {
    let command = match Command::decode(data) {
        Ok(command) => command,
        Err(malformed) => {
            assert!(malformed.at <= data.len(), "{malformed}");
            return outcome((malformed.field, malformed.at.min(40)));
        }
    };
    assert_eq!(command.encode().as_deref(), Ok(data));
    let shown = format!("{} {}", command.author, command.kind);
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
    let names = names();
    match names.resolve(&command.kind) {
        Ok(None) => assert!(matches!(command.kind, CommandKind::Kill { .. })),
        Ok(Some(resolved)) => {
            assert!([StrategyId(1), StrategyId::MANUAL, ALL_STRATEGIES].contains(&resolved.body.strategy));
            assert!(resolved.body.order.qty.0 >= 0 && resolved.body.order.price.0 >= 0);
            let CommandKind::Set { params, .. } = &command.kind else {
                assert!(resolved.params.is_empty());
                return outcome(resolved.body.action_code);
            };
            assert_eq!(params.len(), resolved.params.len());
            for ((name, text), param) in params.iter().zip(&resolved.params) {
                let desc = &names.strategies[0].params[param.index as usize];
                assert!(desc.name == name && (desc.min..=desc.max).contains(&param.value));
                let (sign, text) = text.strip_prefix('-').map_or((1, text.as_str()), |text| (-1, text));
                assert_eq!(count_of(text.as_bytes(), desc.digits).map(|count| sign * count), Ok(param.value));
            }
        }
        Err(error) => {
            let said = error.to_string();
            assert!(!said.is_empty());
            return outcome(said.split(' ').take(2).collect::<Vec<_>>());
        }
    }
    outcome(command.kind.name())
}

/// A latch's file.
pub fn kill(data: &[u8]) -> Outcome {
    let dir = scratch::path("kill");
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir(&dir).unwrap_or_else(|error| panic!("{error}"));
    let latches = KillLatch::of_run(&dir);
    assert_eq!((latches.len(), latches[0].check()), (2, None));
    let latch = KillLatch::of(&dir);
    std::fs::write(latch.path(), data).unwrap_or_else(|error| panic!("{error}"));
    let record = latch.check().unwrap_or_else(|| panic!("{data:?} does not kill"));
    let shown = record.to_string();
    assert!(shown.starts_with("killed") && !shown.chars().any(char::is_control), "{shown:?}");
    assert!(latch.set(&KillRecord { author: "eve".into(), ..KillRecord::default() }).is_ok());
    assert_eq!(latch.check().as_ref(), Some(&record), "the first stays");
    assert_eq!(latches[0].release().unwrap_or_else(|error| panic!("{error}")), Some(record.clone()));
    assert_eq!(latch.check(), None);
    assert!(latch.set(&record).is_ok());
    assert_eq!(latch.check(), Some(record.clone()), "what is read is written as the same");
    outcome((record.author.is_empty(), record.at.0 == 0, record.reason.len().min(40)))
}

fn names() -> Names {
    let param = |name, digits, min, max| ParamDesc { name, digits, min, max, help: "A fuzz target's." };
    let params = vec![param("levels", 0, 1, 20), param("skew_bps", 2, -100_000, 100_000)];
    let quoter = StrategyDesc { id: StrategyId(1), name: "quoter".into(), params };
    Names {
        strategies: vec![quoter],
        instruments: vec!["binance-usdm:BTCUSDT".into()],
        rules: super::orders::TABLE.iter().cloned().collect(),
    }
}

/// What was sent, and the lane's file.
fn base() -> &'static (Vec<Command>, Vec<u8>) {
    static BASE: OnceLock<(Vec<Command>, Vec<u8>)> = OnceLock::new();
    BASE.get_or_init(|| {
        let dir = scratch::path("commands-base");
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir(&dir).unwrap_or_else(|error| panic!("{error}"));
        let mut writer = CommandWriter::create(&dir, NOW).unwrap_or_else(|error| panic!("{error}"));
        let params = vec![("levels".into(), "3".into()), ("skew_bps".into(), "-0.5".into())];
        let kinds = [
            CommandKind::Pause { strategy: None },
            CommandKind::Set { strategy: "quoter".into(), params },
            CommandKind::Kill { reason: "odd".into() },
        ];
        let ttl = Nanos::SECOND;
        let sent = kinds.map(|kind| Command { author: "bob".into(), issued: NOW, ttl, run_id: RUN, kind });
        for command in &sent {
            writer.send(command).unwrap_or_else(|error| panic!("{error}"));
        }
        (sent.into(), std::fs::read(writer.path()).unwrap_or_else(|error| panic!("{error}")))
    })
}

/// Makes one change; a line that is none changes nothing. Returns whether a checksum was made to fit.
fn change(file: &mut Vec<u8>, line: &str) -> bool {
    let mut words = line.split(' ');
    let verb = words.next().unwrap_or_default();
    let mut next = |bound: usize| {
        let value = words.next()?.parse::<u64>().ok()?;
        usize::try_from(value % bound.max(1) as u64).ok()
    };
    match verb {
        "flip" => {
            if let Some(bit) = next(file.len() * 8)
                && let Some(byte) = file.get_mut(bit / 8)
            {
                *byte ^= 1 << (bit % 8);
            }
        }
        "put" => {
            let (Some(at), Some(value), Some(len)) = (next(file.len()), next(usize::MAX), next(64)) else {
                return false;
            };
            let bytes = (value as u64).to_le_bytes().into_iter().chain(std::iter::repeat(0)).take(len);
            file.iter_mut().skip(at).zip(bytes).for_each(|(old, new)| *old = new);
        }
        "cut" => {
            if let Some(len) = next(file.len() + 1) {
                file.truncate(len);
            }
        }
        "raw" => *file = line.as_bytes().get(4..).unwrap_or_default().to_vec(),
        "seal" => return next(usize::MAX).is_some_and(|id| seal(file, id as u64)),
        _ => {}
    }
    false
}

/// Writes the checksum of the command's slot from its definition. False: it did fit, or there is no such slot.
fn seal(file: &mut [u8], id: u64) -> bool {
    let slot = usize::try_from(id.wrapping_sub(1) % SLOTS).unwrap_or(0);
    let at = FIRST_SLOT + slot * SLOT_BYTES;
    let Some(stored) = file.get(at..at + 2048) else { return false };
    let len = u32::from_le_bytes([stored[12], stored[13], stored[14], stored[15]]);
    let Some(bytes) = stored.get(16..16 + len as usize) else { return false };
    let words = [&file[16..32], &stored[..8], &u64::from(len).to_le_bytes(), bytes].concat();
    let crc = crc32c(&words).to_le_bytes();
    let changed = stored[8..12] != crc;
    file[at + 8..at + 12].copy_from_slice(&crc);
    changed
}

/// CRC-32C from its definition.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
        }
    }
    !crc
}
