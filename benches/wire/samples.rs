//! Times, the gaps beside them, and how both travel from the child to the bench.

use engine::time::{Stamp, StampClock};

/// A thread that spins and sees no progress of its clock for longer was not running.
pub(crate) const GAP_NS: u64 = 20_000;

/// Scheduling gaps of a thread that spins.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gaps {
    pub(crate) count: u64,
    pub(crate) longest_ns: u64,
}

impl Gaps {
    /// So long passed between two looks.
    pub(crate) fn see(&mut self, ns: u64) {
        if ns > GAP_NS {
            self.count += 1;
            self.longest_ns = self.longest_ns.max(ns);
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.longest_ns = self.longest_ns.max(other.longest_ns);
    }
}

impl std::fmt::Display for Gaps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (max {} us)", self.count, self.longest_ns / 1_000)
    }
}

/// The clock of a thread that spins, which counts its gaps.
pub(crate) struct Spinning {
    clock: StampClock,
    looked: Stamp,
    pub(crate) gaps: Gaps,
    /// Other threads want this core: it is given away between two looks.
    yields: bool,
}

impl Spinning {
    pub(crate) fn new(yields: bool) -> Self {
        let clock = StampClock::on();
        Self { looked: clock.now(), clock, gaps: Gaps::default(), yields }
    }

    pub(crate) fn now(&self) -> Stamp {
        self.clock.now()
    }

    /// Time from one stamp to a later one, ns.
    pub(crate) fn ns(&self, from: Stamp, to: Stamp) -> u64 {
        self.clock.nanos_of(to.lap_since(from))
    }

    /// Looks at the clock, and counts a gap since the look before.
    pub(crate) fn look(&mut self) -> Stamp {
        let now = self.clock.now();
        self.gaps.see(self.ns(self.looked, now));
        self.looked = now;
        if self.yields {
            std::thread::yield_now();
        }
        now
    }

    /// The next look follows work that is no gap.
    pub(crate) fn resume(&mut self) {
        self.looked = self.clock.now();
    }
}

/// What a child measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples {
    pub(crate) ns: Vec<u64>,
    pub(crate) gaps: Gaps,
    /// What else it said: a name and a number.
    pub(crate) facts: Vec<(String, u64)>,
}

impl Samples {
    /// Says all of it on stdout.
    pub(crate) fn say(&self) {
        let texts: Vec<String> = self.ns.iter().map(u64::to_string).collect();
        for (name, value) in &self.facts {
            println!("{name} {value}");
        }
        println!("gaps {} {}", self.gaps.count, self.gaps.longest_ns);
        println!("samples {}", texts.join(" "));
    }

    /// Takes a line of [`Self::say`].
    pub(crate) fn hear(&mut self, line: &str) {
        let mut words = line.split(' ');
        let name = words.next().unwrap_or_default();
        let mut numbers = words.filter_map(|word| word.parse().ok());
        match name {
            "samples" => self.ns.extend(numbers),
            "gaps" => {
                let mut next = || numbers.next().unwrap_or(0);
                self.gaps.add(Gaps { count: next(), longest_ns: next() });
            }
            _ => self.facts.extend(numbers.next().map(|value| (name.to_owned(), value))),
        }
    }

    /// A number that the child said. Panics where it did not.
    pub(crate) fn fact(&self, name: &str) -> u64 {
        let found = self.facts.iter().rev().find(|(known, _)| known == name);
        found.unwrap_or_else(|| panic!("the child said no {name}: {:?}", self.facts)).1
    }

    /// Adds what another child measured.
    pub(crate) fn add(&mut self, other: Self) {
        self.ns.extend(other.ns);
        self.gaps.add(other.gaps);
        self.facts.extend(other.facts);
    }

    /// Minimum, and the given shares per mille.
    pub(crate) fn shares<const N: usize>(&self, permille: [usize; N]) -> [u64; N] {
        let mut sorted = self.ns.clone();
        sorted.sort_unstable();
        permille.map(|share| sorted[(sorted.len() - 1) * share / 1000])
    }
}
