//! Client sockets that never block: three back ends behind one type, addresses tried one after the other, names
//! resolved by a thread of their own.
//!
//! | back end | a turn without data costs | |
//! |---|---|---|
//! | [`Backend::Busy`] | one `recv` a socket | fewest system calls where a thread has one or two sockets |
//! | [`Backend::Mio`] | one `epoll_wait` for all sockets | |
//! | [`Backend::IoUring`] | a look at the completion ring | one copy more; containers often forbid it |

/// Least room for one read of a socket, bytes: more than one TLS record holds.
pub const ROOM_BYTES: usize = 32 * 1024;

mod backend;
mod connect;
mod error;
mod resolve;
mod transport;
mod uring;

pub use backend::{Backend, Net, NetOptions, Received, SocketId};
pub use connect::{Connected, Connecting, Endpoint, Line};
pub use error::{NetError, What};
pub use resolve::{Lookup, Resolver};
pub use transport::{Clock, Transport};
