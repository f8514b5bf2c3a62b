//! The members of a pool: who there is, who sleeps, and what follows for everybody else.

use super::crew::MAX_THREADS;
use super::seat::{Seat, Tally};
use crate::sync::Arc;

/// Another thread may be started.
pub(super) const GROW: usize = 1 << 0;
/// There are more threads than there should be: whoever has nothing begun leaves.
pub(super) const SHRINK: usize = 1 << 1;
/// The pool takes no more tasks; workers leave when the queue is empty.
pub(super) const CLOSED: usize = 1 << 2;
/// Queued tasks are cancelled instead of run.
pub(super) const CANCEL: usize = 1 << 3;
pub(super) const FLAGS: usize = GROW | SHRINK | CLOSED | CANCEL;

/// The members of a pool, counted.
#[derive(Debug)]
pub(super) struct Roster {
    /// How many threads should run tasks at once.
    pub(super) limit: usize,
    /// Threads that serve the queue, or have been counted and are being started.
    pub(super) threads: usize,
    /// Of these, how many are in the initializer: they will come, but it may take them long.
    pub(super) initializing: usize,
    /// Threads that serve no longer and have not ended yet, and guests.
    pub(super) leaving: usize,
    /// Of these, how many are guests.
    pub(super) guests: usize,
    /// How many guests there have been.
    pub(super) received: usize,
    /// How many of the threads wait for a task.
    pub(super) waiting: usize,
    /// And how many of them have said that they are blocked.
    pub(super) in_place: usize,
    /// Threads that sleep; the last to fall asleep is the first to be woken.
    pub(super) sleepers: Vec<Arc<Seat>>,
    /// Every thread that has come to work.
    pub(super) seats: Vec<Arc<Seat>>,
    /// What those that have left did.
    pub(super) left: Tally,
    pub(super) next_index: usize,
    pub(super) closed: bool,
    pub(super) cancel: bool,
}

impl Roster {
    pub(super) fn runnable(&self) -> usize {
        self.threads.saturating_sub(self.waiting + self.in_place)
    }

    pub(super) fn may_grow(&self) -> bool {
        let working = self.threads.saturating_sub(self.in_place);
        self.threads < MAX_THREADS && (working < self.limit || self.runnable() == 0)
    }

    pub(super) fn vacate(&mut self, seat: &Arc<Seat>) {
        self.seats.retain(|other| !Arc::ptr_eq(other, seat));
        self.left.add(seat.tally());
    }

    pub(super) fn flags(&self) -> usize {
        let mut flags = 0;
        if self.may_grow() {
            flags |= GROW;
        }
        if self.runnable() > self.limit {
            flags |= SHRINK;
        }
        if self.closed {
            flags |= CLOSED;
        }
        if self.cancel {
            flags |= CANCEL;
        }
        flags
    }
}
