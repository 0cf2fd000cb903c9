//! Live market data: which connections carry what, the sockets that the feed thread polls, and the cold helper that
//! fetches snapshots and the venue's time.

pub mod fetch;
mod plan;
mod source;
mod venues;

pub use plan::{
    ConnectionPlan, ConnectionRole, Endpoints, LiveLimits, LivePlan, PlanError, StreamName, VenuePlan,
    Wanted, product_of,
};
pub use source::{LiveOptions, LiveSource, Notice};
pub use venues::{LiveVenue, Venues, rotate_after};
