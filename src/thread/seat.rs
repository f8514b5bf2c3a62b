//! One worker's place: where it sleeps, and what it has done.

use crate::sync::Parker;
use crate::sync::global::{AtomicUsize, Ordering};
use crate::task::End;

/// What one worker, or all of a pool, have done.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) begun: usize,
    pub(super) finished: usize,
    pub(super) failed: usize,
    pub(super) cancelled: usize,
}

impl Tally {
    pub(super) fn add(&mut self, other: Tally) {
        self.begun += other.begun;
        self.finished += other.finished;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
    }
}

/// A worker's place in its pool. Only the worker writes its counts.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) parker: Parker,
    begun: AtomicUsize,
    finished: AtomicUsize,
    failed: AtomicUsize,
    cancelled: AtomicUsize,
}

impl Seat {
    pub(super) fn new() -> Self {
        Seat {
            parker: Parker::new(),
            begun: AtomicUsize::new(0),
            finished: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            cancelled: AtomicUsize::new(0),
        }
    }

    pub(super) fn count_begun(&self) {
        increment(&self.begun);
    }

    pub(super) fn count_end(&self, end: End) {
        increment(match end {
            End::Finished => &self.finished,
            End::Failed | End::Late => &self.failed,
            End::Cancelled => &self.cancelled,
        });
    }

    /// The counts as they are now. Ends are read before beginnings, so that a task in between does
    /// not appear to have ended without having begun.
    pub(super) fn tally(&self) -> Tally {
        // ORDERING: acquire pairs with the release in `increment`: an end that is seen comes with
        // the beginning before it.
        let [finished, failed, cancelled] =
            [&self.finished, &self.failed, &self.cancelled].map(|it| it.load(Ordering::Acquire));
        // ORDERING: acquire, as above.
        let begun = self.begun.load(Ordering::Acquire);
        Tally { begun, finished, failed, cancelled }
    }
}

/// Adds one to a counter that only this thread writes: no read-modify-write is needed.
fn increment(counter: &AtomicUsize) {
    // ORDERING: relaxed for this thread's own value, release for whoever reads it in `tally`.
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Release);
}
