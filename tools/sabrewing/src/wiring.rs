//! How a run was put together, as its journal keeps it: which instruments each connection carries, and which stages
//! share a thread.

use engine::ids::InstrumentId;
use engine::placement::{Placement, StageId};
use serde::Deserialize;
use std::fmt::Write;

/// The body of a `Wiring` record: TOML text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wiring {
    /// Ids of instruments, by connection.
    connections: Vec<Vec<u32>>,
    /// The stages of each thread.
    threads: Vec<Vec<StageId>>,
}

impl Wiring {
    /// How this run is put together.
    pub(crate) fn new(of_connection: &[Vec<InstrumentId>], placement: &Placement) -> Self {
        Self {
            connections: of_connection.iter().map(|ids| ids.iter().map(|id| id.0).collect()).collect(),
            threads: placement.threads.iter().map(|thread| thread.stages.clone()).collect(),
        }
    }

    /// Reads the body of a record. Err: not such a text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    /// The body of the record.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("connections = {:?}\nthreads = [", self.connections);
        for (index, thread) in self.threads.iter().enumerate() {
            let names: Vec<&str> = thread.iter().map(|stage| stage.name()).collect();
            // Writing to a string does not fail.
            let _ = write!(text, "{}{names:?}", if index > 0 { ", " } else { "" });
        }
        text + "]\n"
    }

    /// The instruments that each connection carries.
    pub(crate) fn of_connection(&self) -> Vec<Vec<InstrumentId>> {
        let ids = |ids: &Vec<u32>| ids.iter().copied().map(InstrumentId).collect();
        self.connections.iter().map(ids).collect()
    }

    /// Whether the gateway takes the strategy's messages from a ring.
    pub(crate) fn gateway_heads(&self) -> bool {
        !self
            .threads
            .iter()
            .any(|thread| thread.contains(&StageId::Gateway) && thread.contains(&StageId::Strategy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wiring_is_read_as_it_was_written() {
        let cores: Vec<usize> = (0..8).collect();
        let of_connection = [vec![InstrumentId(0)], vec![InstrumentId(0), InstrumentId(1)]];
        let heads =
            [Placement::one(&cores), Placement::two(&cores), Placement::five(&cores)].map(|placement| {
                let wiring = Wiring::new(&of_connection, &placement);
                assert_eq!(Wiring::parse(&wiring.text()), Ok(wiring.clone()), "{}", wiring.text());
                assert_eq!(wiring.of_connection(), of_connection);
                wiring.gateway_heads()
            });
        assert_eq!(heads, [false, false, true]);
        assert!(Wiring::parse("connections = [[0]]\nthreads = [[\"fed\"]]").unwrap_err().contains("fed"));
    }
}
