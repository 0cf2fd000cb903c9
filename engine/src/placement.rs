//! Which stages share which thread, and on which core it is pinned. Configuration, not code: the same stages
//! run on one core or on five and decide alike.

use serde::Deserialize;
use std::fmt;

/// The five stages, in the order of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StageId {
    /// Decodes and synchronises.
    Feed,
    /// Builds books.
    Book,
    /// Computes features.
    Signal,
    /// Decides.
    Strategy,
    /// Checks, keeps order state, sends.
    Gateway,
}

impl StageId {
    /// All of them, in the order of the data.
    pub const ALL: [Self; 5] = [Self::Feed, Self::Book, Self::Signal, Self::Strategy, Self::Gateway];

    /// The stage's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Feed => "feed",
            Self::Book => "book",
            Self::Signal => "signal",
            Self::Strategy => "strategy",
            Self::Gateway => "gateway",
        }
    }
}

/// What a thread does when a turn found no work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Idle {
    /// Never leaves the core. Only with a free core for every such thread.
    Spin,
    /// Spins for a few microseconds, then yields the core at every idle turn.
    #[default]
    SpinThenYield,
    /// Spins, yields, then sleeps 50 us at a time: for machines that do other work too.
    Park,
}

/// One thread.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThreadPlan {
    /// Its stages. Neighbours in the order of the data are joined without a ring.
    pub stages: Vec<StageId>,
    /// The core it is pinned to. Absent: not pinned.
    pub core: Option<usize>,
    /// What it does when there is no work.
    #[serde(default)]
    pub idle: Idle,
}

impl ThreadPlan {
    /// The thread's name: its stages, or first and last of many (the kernel keeps 15 bytes).
    #[must_use]
    pub fn name(&self) -> String {
        match self.stages.as_slice() {
            [] => String::from("none"),
            [only] => only.name().into(),
            [first, .., last] => format!("{}-{}", first.name(), last.name()),
        }
    }

    /// The stages as runs of neighbours, each a chain of its own.
    #[must_use]
    pub fn chains(&self) -> Vec<Vec<StageId>> {
        let mut chains: Vec<Vec<StageId>> = Vec::new();
        for &stage in &self.stages {
            match chains.last_mut() {
                Some(run) if run.last().is_some_and(|last| *last as u8 + 1 == stage as u8) => run.push(stage),
                _ => chains.push(vec![stage]),
            }
        }
        chains
    }
}

/// The highest core number that a set of cores has a place for; `core_affinity` ends the process beyond it.
const CORE_MAX: usize = libc::CPU_SETSIZE as usize - 1;

/// The threads of a run, as written in a placement file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// One table a thread.
    #[serde(rename = "thread")]
    pub threads: Vec<ThreadPlan>,
}

/// Why a placement cannot run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlacementError {
    /// A stage that no thread has.
    Missing(StageId),
    /// A stage that is named twice.
    Twice(StageId),
    /// A thread without stages, counted from 1.
    EmptyThread(usize),
    /// A thread whose stages are not in the order of the data, counted from 1.
    OutOfOrder(usize),
    /// A core number that no kernel has.
    NoSuchCore(usize),
    /// More threads that only spin than cores to spin on: each would starve the others for whole time slices.
    TooManySpinners {
        /// Threads with `idle = "spin"`.
        spinners: usize,
        /// Cores that this process may use.
        cores: usize,
    },
}

impl fmt::Display for PlacementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(stage) => write!(f, "placement: no thread runs stage `{}`", stage.name()),
            Self::Twice(stage) => write!(f, "placement: stage `{}` is named twice", stage.name()),
            Self::EmptyThread(n) => write!(f, "placement: thread {n} has no stages"),
            Self::OutOfOrder(n) => write!(
                f,
                "placement: the stages of thread {n} must follow the data: feed, book, signal, strategy, gateway"
            ),
            Self::NoSuchCore(core) => {
                write!(f, "placement: core = {core}: cores are numbered 0 to {CORE_MAX}")
            }
            Self::TooManySpinners { spinners, cores } => write!(
                f,
                "placement: {spinners} threads with idle = \"spin\" on {cores} core(s); use \"spin-then-yield\""
            ),
        }
    }
}

impl std::error::Error for PlacementError {}

impl Placement {
    fn built_in(threads: &[&[StageId]], cores: &[usize]) -> Self {
        let plan = |(index, stages): (usize, &&[StageId])| ThreadPlan {
            stages: stages.to_vec(),
            core: (!cores.is_empty()).then(|| cores[index % cores.len()]),
            idle: Idle::SpinThenYield,
        };
        Self { threads: threads.iter().enumerate().map(plan).collect() }
    }

    /// Everything on one thread: no ring on the way, the fastest choice on few cores.
    #[must_use]
    pub fn one(cores: &[usize]) -> Self {
        Self::built_in(&[&StageId::ALL], cores)
    }

    /// Market data on one thread, decisions on the other.
    #[must_use]
    pub fn two(cores: &[usize]) -> Self {
        Self::built_in(&[&StageId::ALL[..2], &StageId::ALL[2..]], cores)
    }

    /// A thread for each stage. With fewer than five cores they share and yield.
    #[must_use]
    pub fn five(cores: &[usize]) -> Self {
        let [feed, book, signal, strategy, gateway] = &StageId::ALL;
        let single = std::slice::from_ref;
        Self::built_in(
            &[single(feed), single(book), single(signal), single(strategy), single(gateway)],
            cores,
        )
    }

    /// Refuses what cannot run on `cores`, the number of cores that this process may use.
    pub fn check(&self, cores: usize) -> Result<(), PlacementError> {
        for (index, thread) in self.threads.iter().enumerate() {
            if thread.stages.is_empty() {
                return Err(PlacementError::EmptyThread(index + 1));
            }
            if let Some(core) = thread.core.filter(|core| *core > CORE_MAX) {
                return Err(PlacementError::NoSuchCore(core));
            }
            if !thread.stages.is_sorted() {
                return Err(PlacementError::OutOfOrder(index + 1));
            }
        }
        for stage in StageId::ALL {
            match self.threads.iter().flat_map(|t| &t.stages).filter(|s| **s == stage).count() {
                0 => return Err(PlacementError::Missing(stage)),
                1 => {}
                _ => return Err(PlacementError::Twice(stage)),
            }
        }
        let spinners = self.threads.iter().filter(|t| t.idle == Idle::Spin).count();
        let others_need = usize::from(spinners < self.threads.len());
        if spinners > 0 && spinners + others_need > cores {
            return Err(PlacementError::TooManySpinners { spinners, cores });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(stages: &[StageId]) -> ThreadPlan {
        ThreadPlan { stages: stages.to_vec(), core: None, idle: Idle::SpinThenYield }
    }

    #[test]
    fn the_built_in_placements_run_every_stage_once() {
        for cores in [&[][..], &[0], &[0, 1], &[2, 3, 4, 5, 6]] {
            for (placement, threads) in
                [(Placement::one(cores), 1), (Placement::two(cores), 2), (Placement::five(cores), 5)]
            {
                assert_eq!(placement.check(cores.len()), Ok(()));
                assert_eq!(placement.threads.len(), threads);
            }
        }
        assert_eq!(Placement::five(&[4, 7]).threads[2].core, Some(4));
        assert_eq!(Placement::two(&[0]).threads[1].name(), "signal-gateway");
    }

    #[test]
    fn a_thread_with_distant_stages_has_a_chain_for_each_run() {
        use StageId::{Book, Feed, Gateway, Strategy};
        assert_eq!(thread(&[Feed, Book, Gateway]).chains(), [vec![Feed, Book], vec![Gateway]]);
        assert_eq!(thread(&[Strategy, Gateway]).chains(), [vec![Strategy, Gateway]]);
    }

    #[test]
    fn what_cannot_run_is_refused_with_the_reason() {
        use StageId::{Book, Feed, Gateway, Signal, Strategy};
        let check = |threads: Vec<ThreadPlan>| Placement { threads }.check(2);
        assert_eq!(
            check(vec![thread(&[Feed, Book, Signal, Strategy])]),
            Err(PlacementError::Missing(Gateway))
        );
        let twice = vec![thread(&StageId::ALL), thread(&[Book])];
        assert_eq!(check(twice), Err(PlacementError::Twice(Book)));
        assert_eq!(check(vec![thread(&StageId::ALL), thread(&[])]), Err(PlacementError::EmptyThread(2)));
        assert_eq!(check(vec![thread(&[Book, Feed])]), Err(PlacementError::OutOfOrder(1)));
        let nowhere = ThreadPlan { core: Some(1024), ..thread(&StageId::ALL) };
        assert_eq!(check(vec![nowhere]), Err(PlacementError::NoSuchCore(1024)));
        let spin = |stages: &[StageId]| ThreadPlan { idle: Idle::Spin, ..thread(stages) };
        let spinners = vec![spin(&[Feed, Book]), spin(&[Signal]), spin(&[Strategy, Gateway])];
        assert_eq!(check(spinners), Err(PlacementError::TooManySpinners { spinners: 3, cores: 2 }));
        let mixed = vec![spin(&[Feed]), spin(&[Book]), thread(&[Signal, Strategy, Gateway])];
        assert_eq!(check(mixed), Err(PlacementError::TooManySpinners { spinners: 2, cores: 2 }));
        let fits = vec![spin(&[Feed, Book]), spin(&[Signal, Strategy, Gateway])];
        assert_eq!(check(fits), Ok(()));
    }
}
