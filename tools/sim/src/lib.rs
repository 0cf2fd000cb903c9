//! Parts of the engine, and all of it, under circumstances of which everything is known.

mod bug;
mod check;
mod feed;
mod life;
mod link;
pub mod parity;
mod plan;
pub mod run;

pub use bug::Bug;
pub use check::Violation;
