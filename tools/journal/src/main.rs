//! Reads a run's journal.

fn main() {}
