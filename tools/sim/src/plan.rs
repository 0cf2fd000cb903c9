//! What goes wrong under a seed: how often, how badly, and when the engine dies.

use engine::time::Nanos;
use sabrewing::demo::Random;

/// Chances in 10,000, times and places, all drawn from one seed.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) instruments: usize,
    pub(crate) frames: FrameFaults,
    pub(crate) link: LinkFaults,
    /// Where each life of the engine but the last ends.
    pub(crate) crashes: Vec<Crash>,
}

/// What happens to a frame on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FrameFaults {
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) swapped: u64,
    /// Many in a row are lost.
    pub(crate) gap: u64,
    /// The snapshot that comes after damage is an old one first.
    pub(crate) stale_snapshot: u64,
}

/// What happens to a request or an answer on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkFaults {
    pub(crate) request_lost: u64,
    pub(crate) answer_lost: u64,
    pub(crate) delayed: u64,
    pub(crate) delay_max: Nanos,
    /// The private stream breaks: every answer of a while is lost, and it is known.
    pub(crate) outage: u64,
}

/// The end of a life.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crash {
    /// At the so many-th request, counted over its life; a life of fewer ends with its frames.
    pub(crate) request: u64,
    /// Behind the request, not between its record and itself.
    pub(crate) is_sent: bool,
    /// At the latest after so many frames.
    pub(crate) frames: u64,
    pub(crate) tail: Tail,
    /// Frames that pass while it is dead.
    pub(crate) away_frames: u64,
}

/// What a crash makes of the end of the gateway's lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// It ends with its last record.
    Whole,
    /// A record was begun behind it.
    Torn,
    /// Its last record was cut at this byte, counted over its length again and again, as by a power loss: what it
    /// announced may have been sent.
    Cut(u64),
    /// So many records are gone, as after a power loss: what they announced may have been sent.
    Lost(u64),
}

impl Plan {
    pub(crate) fn of_seed(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x005e_ed0f_fa17);
        // Some seeds have no fault of a kind, so that each kind is also met alone.
        let mut chance = |max: u64| if random.coin() { random.below(max + 1) } else { 0 };
        let frames = FrameFaults {
            lost: chance(60),
            doubled: chance(100),
            swapped: chance(60),
            gap: chance(15),
            stale_snapshot: chance(5_000),
        };
        let link = LinkFaults {
            request_lost: chance(500),
            answer_lost: chance(500),
            delayed: chance(2_000),
            delay_max: Nanos::from_ms(5 + chance(300)),
            outage: chance(30),
        };
        let crash = |random: &mut Random| Crash {
            request: 1 + random.below(60),
            is_sent: random.coin(),
            frames: 100 + random.below(900),
            tail: match random.below(10) {
                0 => Tail::Lost(1 + random.below(6)),
                1..3 => Tail::Torn,
                3..5 => Tail::Cut(random.below(1 << 16)),
                _ => Tail::Whole,
            },
            away_frames: random.below(200),
        };
        let crashes = (0..random.below(4)).map(|_| crash(&mut random)).collect();
        Self { instruments: 1 + usize::from(random.coin()), frames, link, crashes }
    }
}

/// Whether something of so many chances in 10,000 happens.
pub(crate) const fn happens(random: &mut Random, chances: u64) -> bool {
    random.below(10_000) < chances
}
