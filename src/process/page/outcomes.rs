//! How small outcomes come from a worker without a system call for each.
//!
//! The worker puts whole frames into a ring. An outcome there outlives its worker: when that dies, the
//! parent still finds what was put before. So a worker may go on to its next call before the parent has
//! been told of the last one, and a death still costs no other call than the one that was running.
//!
//! # When the parent looks
//!
//! Frames in the ring wake nobody: waking the parent for each of many short calls would take the
//! processor away from them. The worker rings (by an empty frame on the link) when it runs out of calls,
//! and after a call that took [`LONG`], where it hardly counts. So what was put in without a ring was
//! short, and had a call behind it.
//!
//! As long as a worker has a call behind another, as far as the parent knows, the parent looks by itself:
//! [`FIRST_LOOK`] after the last thing it heard, then after twice that time, and so on, but at least each
//! [`SILENCE`]. So an outcome that was not rung for is found about as long after it was put in as its call
//! took, even if the next one takes an hour. When the parent knows of no call behind another, either the
//! worker is at its last one, and will ring, or has none, and has rung.
//!
//! # When somebody looks anyway
//!
//! A thread that waits for a call may attend to its worker: it looks all the time, for a short time, and
//! the worker need not ring when it runs out of calls.
//!
//! ```text
//!   attending thread                    worker that has run out of calls
//!   ----------------                    --------------------------------
//!   attended = 0                        put the outcome in
//!   FENCE                               FENCE
//!   look once more                      attended is 0: ring
//! ```
//!
//! One of the fences is first. If it is the worker's, the last look finds the outcome. If it is the
//! other one, the worker sees that nobody attends any more, and rings.

use super::ring::{Overfull, Ring};
use crate::sync::atomic::{AtomicUsize, Ordering, fence};
use std::time::Duration;

/// After a call of this length a worker rings at once.
pub(crate) const LONG: Duration = Duration::from_millis(5);

/// The parent looks this time after it has heard something.
pub(crate) const FIRST_LOOK: Duration = Duration::from_millis(2);

/// After this time without a word, what lies ready behind a worker's call is taken back.
pub(crate) const SILENCE: Duration = Duration::from_millis(20);

/// Outcomes on their way to the parent, as they lie in shared memory. All zeros is none.
#[derive(Debug)]
#[repr(C, align(128))]
pub(crate) struct Outcomes {
    /// Not zero while a thread of the parent looks all the time.
    attended: AtomicUsize,
    ring: Ring,
}

impl Outcomes {
    #[cfg(concurrent_futures_loom)]
    pub(crate) fn new() -> Self {
        Outcomes { attended: AtomicUsize::new(0), ring: Ring::new() }
    }

    /// Puts a frame in, given in two parts; false if there is no room. For the worker only.
    #[must_use]
    pub(crate) fn put(&self, head: &[u8], rest: &[u8]) -> bool {
        self.ring.put(head, rest)
    }

    /// Whether somebody will find what was put in before. For the worker only.
    pub(crate) fn is_attended(&self) -> bool {
        // ORDERING: sequentially consistent; pairs with the fence in `leave`.
        fence(Ordering::SeqCst);
        // ORDERING: relaxed; the fence orders it, see the head of this file.
        self.attended.load(Ordering::Relaxed) != 0
    }

    /// From now on this thread looks all the time, until it [leaves](Outcomes::leave).
    pub(crate) fn attend(&self) {
        // ORDERING: relaxed; at worst the worker rings in vain.
        self.attended.store(1, Ordering::Relaxed);
    }

    /// This thread looks once more from here on, and then no longer.
    pub(crate) fn leave(&self) {
        // ORDERING: relaxed; the fence orders it, see the head of this file.
        self.attended.store(0, Ordering::Relaxed);
        // ORDERING: sequentially consistent; pairs with the fence in `is_attended`.
        fence(Ordering::SeqCst);
    }

    /// How many bytes have come. For the parent only.
    pub(crate) fn len(&self) -> Result<usize, Overfull> {
        self.ring.len()
    }

    /// Takes out what has come, as far as it fits. For the parent only.
    pub(crate) fn take(&self, into: &mut [u8]) -> Result<usize, Overfull> {
        self.ring.take(into)
    }
}
