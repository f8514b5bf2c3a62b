//! The bound of a queue: how many tasks may wait, and what happens to one more.
//!
//! Only pools that were given a capacity have one of these. Whether there is room is looked at, and
//! the task pushed and counted, under one lock, so the bound is never exceeded. Whoever begins or
//! ends a waiting task (a worker, a helper, a cancellation) takes it out of the count once, under
//! that lock, and wakes one submitter.

use crate::sync::{Condvar, Mutex, deadline_after};
use crate::task::{Blocking, while_blocked};
use std::time::Duration;

/// What [`submit`](crate::ThreadPoolHandle::submit) does when the queue of a bounded executor is
/// full.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{Refusal, TaskErrorKind, ThreadPoolExecutor, WhenFull};
///
/// let builder = ThreadPoolExecutor::builder().max_workers(1);
/// let executor = builder.queue_capacity(1, WhenFull::Refuse).build()?;
/// let (release, is_released) = std::sync::mpsc::channel::<()>();
/// let first = executor.spawn(move || is_released.recv().is_ok());
/// while !first.running() { std::thread::yield_now() }
/// let second = executor.spawn(|| true);
/// let error = executor.spawn(|| true).result().unwrap_err();
/// assert!(matches!(error.kind(), TaskErrorKind::Refused(Refusal::QueueFull { capacity: 1 })));
/// release.send(())?;
/// assert!(first.result()? && second.result()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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

/// How long a submission may wait for room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Not at all.
    None,
    /// As the pool's policy says.
    Policy,
    /// For as long as it takes.
    Always,
    /// It needs none: it goes on with what had room before.
    Continuation,
}

#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) capacity: usize,
    policy: WhenFull,
    /// How many tasks wait: pushed, and neither begun nor ended.
    waiting: Mutex<usize>,
    room: Condvar,
}

/// What came of asking for room.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Admission {
    /// There was room, and the task has been pushed.
    Admitted,
    Full,
    Closed,
}

impl Bound {
    pub(crate) fn new(capacity: usize, policy: WhenFull) -> Self {
        Bound { capacity, policy, waiting: Mutex::new(0), room: Condvar::new() }
    }

    /// Calls `push` once there is room, if that is before patience and pool are at an end. `push`
    /// says whether there is one more now.
    pub(crate) fn admit(
        &self,
        patience: Patience,
        is_closed: impl Fn() -> bool,
        push: impl FnOnce() -> bool,
    ) -> Admission {
        let mut push = Some(push);
        let mut attempt = |waiting: &mut usize| {
            if is_closed() {
                return Some(Admission::Closed);
            }
            if *waiting >= self.capacity && patience != Patience::Continuation {
                return None;
            }
            push.take().map(|push| {
                if push() {
                    *waiting += 1;
                } else {
                    // It has no use for the room that it may have been woken for.
                    self.room.notify_one();
                }
                Admission::Admitted
            })
        };
        if let Some(admission) = attempt(&mut self.waiting.lock()) {
            return admission;
        }
        let deadline = match (patience, self.policy) {
            (Patience::None, _) | (Patience::Policy, WhenFull::Refuse) => return Admission::Full,
            (Patience::Policy, WhenFull::BlockFor(limit)) => deadline_after(limit),
            _ => None,
        };
        while_blocked(Blocking::Waiting, || {
            let mut waiting = self.waiting.lock();
            let mut timed_out = false;
            loop {
                if let Some(admission) = attempt(&mut waiting) {
                    return admission;
                }
                if timed_out {
                    return Admission::Full;
                }
                (waiting, timed_out) = self.room.wait_until(waiting, deadline);
            }
        })
    }

    /// So many tasks have been begun or have ended: there is room for others.
    pub(crate) fn release(&self, count: usize) {
        if count > 0 {
            *self.waiting.lock() -= count;
            (0..count).for_each(|_| self.room.notify_one());
        }
    }

    /// The pool has closed: whoever waits for room waits in vain.
    pub(crate) fn close(&self) {
        drop(self.waiting.lock());
        self.room.notify_all();
    }
}
