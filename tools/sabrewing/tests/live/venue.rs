//! The simulated venue of the live tests: with a crowd, and without limits.

#[path = "../../../venue-sim/tests/support/mod.rs"]
mod sim;

#[allow(unused_imports, reason = "each test binary uses its part")]
pub(crate) use sim::{PATIENCE, SimVenue, wait_until};

use engine::time::Nanos;
use sim::Terms;

impl SimVenue {
    pub(crate) fn start() -> Self {
        Self::open(true, true)
    }

    /// `crowd`: others trade too. `tls`: clients speak TLS.
    pub(crate) fn open(crowd: bool, tls: bool) -> Self {
        let opened = Nanos::from_ms(1_700_000_000_000);
        Self::with(Terms { seed: 5, opened, crowd, tls, limits: false })
    }
}
