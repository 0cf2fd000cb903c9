//! How a segment gets from the helper thread to the writer: a slot that holds one pointer.
//!
//! The helper fills an empty slot; the writer takes what is in it, moves over, and only then empties it. So
//! an empty slot tells the helper two things at once: the writer no longer touches the segment it had before,
//! and wants a next one. Each side only ever stores what the other waits for; no swap, no lock.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// An atomic pointer; the model checker brings its own.
pub(super) trait PtrCell<T> {
    fn load(&self, order: Ordering) -> *mut T;
    fn store(&self, value: *mut T, order: Ordering);
}

impl<T> PtrCell<T> for AtomicPtr<T> {
    #[inline]
    fn load(&self, order: Ordering) -> *mut T {
        Self::load(self, order)
    }

    #[inline]
    fn store(&self, value: *mut T, order: Ordering) {
        Self::store(self, value, order);
    }
}

/// One helper puts, one writer takes.
pub(super) struct Slot<P>(P);

impl<P> Slot<P> {
    pub(super) const fn new(cell: P) -> Self {
        Self(cell)
    }

    /// Whether a segment waits to be taken. Either side, or a third.
    #[inline]
    pub(super) fn is_full<T>(&self) -> bool
    where
        P: PtrCell<T>,
    {
        // Pairs with the Release in `take`: a helper that finds the slot empty sees all that the writer
        // stored in its former segment.
        !self.0.load(Ordering::Acquire).is_null()
    }

    /// Helper: fills the slot, which `is_full` has shown empty.
    pub(super) fn put<T>(&self, next: *mut T)
    where
        P: PtrCell<T>,
    {
        // Pairs with the Acquire in `take`: the writer sees a finished segment.
        self.0.store(next, Ordering::Release);
    }

    /// Writer: calls `move_over` with what is in the slot, then empties it. False: the slot is empty.
    pub(super) fn take<T>(&self, move_over: impl FnOnce(*mut T)) -> bool
    where
        P: PtrCell<T>,
    {
        let next = self.0.load(Ordering::Acquire);
        if next.is_null() {
            return false;
        }
        move_over(next);
        // Pairs with the Acquire in `is_full`.
        self.0.store(ptr::null_mut(), Ordering::Release);
        true
    }
}
