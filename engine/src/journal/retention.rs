//! Which left segments go when a journal has grown too large or too old.

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
    /// Recovery starts from the runner's first segment: it holds configuration and instruments.
    fn is_needed_to_recover(&self) -> bool {
        self.lane == Lane::Runner && self.number == 1
    }
}

/// Takes out of `kept`, which is in the order of leaving, what `rule` no longer keeps: the longest left
/// first. `in_use_bytes` is what the lanes' current and prepared segments take besides.
pub(super) fn expire(
    kept: &mut VecDeque<Kept>,
    in_use_bytes: u64,
    rule: &Retention,
    now: Duration,
) -> Vec<Kept> {
    let mut total_bytes = in_use_bytes + kept.iter().map(|segment| segment.bytes).sum::<u64>();
    let mut expired = Vec::new();
    let mut index = 0;
    while let Some(segment) = kept.get(index) {
        let too_old = now.saturating_sub(segment.left_at) > rule.age;
        if !too_old && total_bytes <= rule.bytes {
            break;
        }
        if segment.is_needed_to_recover() {
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
        let expired = expire(&mut segments, 30, &rule, Duration::from_secs(9));
        assert_eq!(numbers(&expired), [(Lane::Feed, 1)]);
        let expired = expire(&mut segments, 120, &rule, Duration::from_secs(9));
        assert_eq!(numbers(&expired), [(Lane::Book, 1), (Lane::Feed, 2)]);
        assert_eq!(numbers(&segments.into_iter().collect::<Vec<_>>()), [(Lane::Runner, 1)]);
    }

    #[test]
    fn age_pushes_out_what_was_left_longer_ago_than_it() {
        let mut segments = kept(&[(Lane::Feed, 1, 50, 0), (Lane::Feed, 2, 50, 10), (Lane::Feed, 3, 50, 20)]);
        let rule = Retention { bytes: u64::MAX, age: Duration::from_secs(5) };
        assert_eq!(numbers(&expire(&mut segments, 0, &rule, Duration::from_secs(15))), [(Lane::Feed, 1)]);
        assert_eq!(numbers(&expire(&mut segments, 0, &rule, Duration::from_secs(16))), [(Lane::Feed, 2)]);
    }
}
