//! The trading process.

fn main() {}
