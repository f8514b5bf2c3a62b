//! The bound of a queue: how many tasks may wait, and what happens to one more.
//!
//! Only pools that were given a capacity have one of these. Whether there is room is looked at, and
//! the task pushed, under one lock, so the bound is never exceeded. Whoever takes a task out of the
//! count (a worker, a helper, a cancellation) passes through the lock too and wakes one submitter.

use crate::sync::{Condvar, Mutex, deadline_after};
use crate::task::{Blocking, while_blocked};
use std::time::Duration;

/// What [`submit`](crate::ThreadPoolHandle::submit) does when the queue of a bounded executor is
/// full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhenFull {
    /// It blocks until there is room. The default.
    #[default]
    Block,
    /// It blocks for this long at most, and then refuses the task.
    BlockFor(Duration),
    /// It refuses the task at once.
    Refuse,
}

#[derive(Debug)]
pub(super) struct Bound {
    pub(super) capacity: usize,
    policy: WhenFull,
    gate: Mutex<()>,
    room: Condvar,
}

/// What came of asking for room.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Admission {
    /// There was room, and the task has been pushed.
    Admitted,
    Full,
    Closed,
}

impl Bound {
    pub(super) fn new(capacity: usize, policy: WhenFull) -> Self {
        Bound { capacity, policy, gate: Mutex::new(()), room: Condvar::new() }
    }

    /// Calls `push` once there is room, if that is before patience and pool are at an end. `patient`
    /// says whether the policy may block at all.
    pub(super) fn admit(
        &self,
        patient: bool,
        queued: impl Fn() -> usize,
        is_closed: impl Fn() -> bool,
        push: impl FnOnce(),
    ) -> Admission {
        let mut push = Some(push);
        let mut attempt = || {
            if is_closed() {
                Some(Admission::Closed)
            } else if queued() < self.capacity {
                push.take().map(|push| {
                    push();
                    Admission::Admitted
                })
            } else {
                None
            }
        };
        let guard = self.gate.lock();
        if let Some(admission) = attempt() {
            return admission;
        }
        drop(guard);
        let deadline = match self.policy {
            _ if !patient => return Admission::Full,
            WhenFull::Refuse => return Admission::Full,
            WhenFull::Block => None,
            WhenFull::BlockFor(limit) => deadline_after(limit),
        };
        while_blocked(Blocking::Waiting, || {
            let mut guard = self.gate.lock();
            let mut timed_out = false;
            loop {
                if let Some(admission) = attempt() {
                    return admission;
                }
                if timed_out {
                    return Admission::Full;
                }
                (guard, timed_out) = self.room.wait_until(guard, deadline);
            }
        })
    }

    /// There is room for one more.
    pub(super) fn release(&self) {
        drop(self.gate.lock());
        self.room.notify_one();
    }

    /// The pool has closed: whoever waits for room waits in vain.
    pub(super) fn close(&self) {
        drop(self.gate.lock());
        self.room.notify_all();
    }
}
