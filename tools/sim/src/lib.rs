//! Parts of the engine under circumstances of which everything is known.

pub mod parity;
