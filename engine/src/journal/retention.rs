//! Which left segments go when a journal has grown too large or too old: never one that recovery would read. That is the
//! runner's first, which holds configuration and instruments, and of a lane whose stage tells its whole state now and
//! then, all from the one in which the last telling began (`Writer::needed_from`).

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use crate::ids::Lane;

use super::header::Retention;

/// A segment that its writer has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) lane: Lane,
    pub(super) number: u32,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    /// Since the helper's start.
    pub(super) left_at: Duration,
}

impl Kept {
    /// Whether recovery would read it, where it reads this lane from segment `from` on.
    fn is_needed_to_recover(&self, from: u32) -> bool {
        self.lane == Lane::Runner && self.number == 1 || self.number >= from
    }
}

/// Takes out of `kept`, which is in the order of leaving, what `rule` no longer keeps: the longest left
/// first. `in_use_bytes` is what the lanes' current and prepared segments take besides; `needed_from` says from which
/// segment on recovery reads a lane, `u32::MAX` where it does not.
pub(super) fn expire(
    kept: &mut VecDeque<Kept>,
    in_use_bytes: u64,
    rule: &Retention,
    now: Duration,
    needed_from: impl Fn(Lane) -> u32,
) -> Vec<Kept> {
    let mut total_bytes = in_use_bytes + kept.iter().map(|segment| segment.bytes).sum::<u64>();
    let mut expired = Vec::new();
    let mut index = 0;
    while let Some(segment) = kept.get(index) {
        let too_old = now.saturating_sub(segment.left_at) > rule.age;
        if !too_old && total_bytes <= rule.bytes {
            break;
        }
        if segment.is_needed_to_recover(needed_from(segment.lane)) {
            index += 1;
        } else if let Some(segment) = kept.remove(index) {
            total_bytes -= segment.bytes;
            expired.push(segment);
        }
    }
    expired
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(entries: &[(Lane, u32, u64, u64)]) -> VecDeque<Kept> {
        let entry = |&(lane, number, bytes, left_at): &(Lane, u32, u64, u64)| Kept {
            lane,
            number,
            path: PathBuf::from(format!("{}-{number}", lane.name())),
            bytes,
            left_at: Duration::from_secs(left_at),
        };
        entries.iter().map(entry).collect()
    }

    /// Recovery reads no lane but the runner's first segment.
    fn none(_: Lane) -> u32 {
        u32::MAX
    }

    fn numbers(segments: &[Kept]) -> Vec<(Lane, u32)> {
        segments.iter().map(|segment| (segment.lane, segment.number)).collect()
    }

    #[test]
    fn bytes_push_out_the_longest_left_but_never_the_runners_first() {
        let mut segments = kept(&[
            (Lane::Runner, 1, 10, 0),
            (Lane::Feed, 1, 50, 1),
            (Lane::Book, 1, 20, 2),
            (Lane::Feed, 2, 50, 3),
        ]);
        let rule = Retention { bytes: 120, age: Duration::MAX };
        let expired = expire(&mut segments, 30, &rule, Duration::from_secs(9), none);
        assert_eq!(numbers(&expired), [(Lane::Feed, 1)]);
        let expired = expire(&mut segments, 120, &rule, Duration::from_secs(9), none);
        assert_eq!(numbers(&expired), [(Lane::Book, 1), (Lane::Feed, 2)]);
        assert_eq!(numbers(&segments.into_iter().collect::<Vec<_>>()), [(Lane::Runner, 1)]);
    }

    #[test]
    fn age_pushes_out_what_was_left_longer_ago_than_it() {
        let mut segments = kept(&[(Lane::Feed, 1, 50, 0), (Lane::Feed, 2, 50, 10), (Lane::Feed, 3, 50, 20)]);
        let rule = Retention { bytes: u64::MAX, age: Duration::from_secs(5) };
        let mut at = |second| numbers(&expire(&mut segments, 0, &rule, Duration::from_secs(second), none));
        assert_eq!(at(15), [(Lane::Feed, 1)]);
        assert_eq!(at(16), [(Lane::Feed, 2)]);
    }

    #[test]
    fn what_recovery_reads_stays_whatever_its_size_and_age() {
        let left = [(Lane::Gateway, 1, 50, 0), (Lane::Gateway, 2, 50, 1), (Lane::Gateway, 3, 50, 2)];
        let rule = Retention { bytes: 1, age: Duration::from_secs(5) };
        let expired = |from| {
            let needed = |lane| if lane == Lane::Gateway { from } else { u32::MAX };
            numbers(&expire(&mut kept(&left), 0, &rule, Duration::from_secs(60), needed))
        };
        assert_eq!(expired(1), []);
        assert_eq!(expired(3), [(Lane::Gateway, 1), (Lane::Gateway, 2)]);
        assert_eq!(expired(u32::MAX).len(), 3);
    }
}
