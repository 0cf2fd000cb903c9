//! Bugs that can be planted, each where a real one could be, so that the checks are seen to find them.

use clap::ValueEnum;

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Bug {
    /// An order leaves a second time, under another id, past the journal.
    UnjournalledOrder,
    /// A restart begins its ids again under the number of the run before.
    ReusedIds,
    /// A restart knows nothing of the run before, and trusts the venue's account to be empty.
    ForgottenRun,
    /// A late order is taken for one that never was.
    InventedAbsence,
    /// A fill is told twice, and nothing says that it is the same.
    FillToldTwice,
    /// The engine's position limit is ten times what was written down.
    LooseLimit,
    /// The engine trades on a book that nobody has confirmed for a minute, where a second was written down.
    OldBook,
    /// The gateway's lane loses the target that led to an order.
    LostCause,
}
