//! Which of its outcomes' memory a worker may write to again.
//!
//! A worker encodes a large outcome into memory that it keeps for one outcome after the other, and the
//! parent decodes it there. One word for each such memory, in what the two share, says whose turn it is:
//!
//! ```text
//!            lend (worker, before it says that the call is done)
//!   FREE --------------------------------------------------------> LENT
//!    ^                                                               |
//!    +---------------------------------------------------------------+
//!            give back (parent, when it has decoded, or will not)
//! ```
//!
//! The worker writes only while it is free, the parent reads only while it is lent. A worker that has
//! lost its mind may write at any time: so the parent copies bytes before it looks at them.

use crate::sync::atomic::{AtomicUsize, Ordering};

/// How many outcomes may lie with the parent at once: one that it decodes, and the next.
pub(crate) const LOANS: usize = 2;

const FREE: usize = 0;
const LENT: usize = 1;

/// The shared words. All zeros: everything is free.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Loans([AtomicUsize; LOANS]);

impl Loans {
    #[cfg(all(test, concurrent_futures_loom))]
    pub(crate) fn new() -> Self {
        Loans(std::array::from_fn(|_| AtomicUsize::new(FREE)))
    }

    fn word(&self, number: u32) -> Option<&AtomicUsize> {
        self.0.get(usize::try_from(number).ok()?)
    }

    /// For the worker, before it tells the parent.
    pub(crate) fn lend(&self, number: u32) {
        if let Some(word) = self.word(number) {
            // ORDERING: relaxed; the parent learns of it by the frame that follows.
            word.store(LENT, Ordering::Relaxed);
        }
    }

    /// For the worker: whether the parent may still read.
    pub(crate) fn is_lent(&self, number: u32) -> bool {
        // ORDERING: acquire pairs with the release in `give_back`: what the parent has read comes
        // before what is written next.
        self.word(number).is_some_and(|word| word.load(Ordering::Acquire) != FREE)
    }

    /// For the parent: it will read no more.
    pub(crate) fn give_back(&self, number: u32) {
        if let Some(word) = self.word(number) {
            // ORDERING: release pairs with the acquire in `is_lent`.
            word.store(FREE, Ordering::Release);
        }
    }
}
