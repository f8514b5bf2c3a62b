//! How a task reaches the pool that it is queued in, without a reference to it.
//!
//! A pool wants to know when one of its queued tasks is cancelled, or asked to stop. A reference
//! from each task to its pool would cost two contended atomic operations a task; a number costs
//! nothing, and the rare events look the pool up here.

use super::task_ref::TaskRef;
use crate::sync::Weak;
use crate::sync::global::{AtomicU32, Ordering, RwLock};
use std::collections::BTreeMap;

/// A pool, as its tasks see it.
pub(crate) trait Owner: Send + Sync {
    /// A task of this pool was cancelled before it began. Its entry may still be queued.
    fn task_cancelled(&self, task: &TaskRef);

    /// A task of this pool that has begun was asked to stop.
    fn stop_requested(&self, task: &TaskRef);

    /// Runs a ready task of this pool on the calling thread, which is no worker and is about to wait
    /// for it. False if it may not, or if somebody else has begun the task.
    fn help(&self, _task: &TaskRef) -> bool {
        false
    }

    /// Keeps a worker from beginning a task that is lent to it. False if the worker has begun it;
    /// then the task is running when this returns.
    fn take_back(&self, _task: &TaskRef) -> bool {
        true
    }

    /// What a thread should do that is about to wait for a task. It may be asked to attend only if it
    /// `offers_time`.
    fn advise(&self, _task: &TaskRef, _offers_time: bool) -> Advice {
        Advice::Look
    }

    /// Finds out whether a task that is lent to a worker has begun; if so it is running when this
    /// returns.
    fn look_after(&self, _task: &TaskRef) {}
}

/// What a thread should do that waits for a task.
pub(crate) enum Advice {
    /// Sleep at once: it would take the processor from tasks that come first.
    Sleep,
    /// Look for a moment whether the task is done, and then sleep.
    Look,
    /// The same, and do meanwhile what is to be done for it.
    Attend(Box<dyn Attendance>),
}

/// What a thread does for the task that it waits for, as long as it has not fallen asleep.
pub(crate) trait Attendance {
    /// Does what there is to do, if anything. True if the task is about to end: it does when this value
    /// is dropped, if it has not before.
    fn look(&self) -> bool;
}

/// The number of a pool; zero for a task that belongs to none. It is odd if the pool lets callers
/// help, so that whoever waits need not look the pool up to learn that it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OwnerId(u32);

impl OwnerId {
    pub(crate) const NOBODY: OwnerId = OwnerId(0);

    /// Whether threads from outside may run tasks of this pool that they wait for.
    pub(super) fn lets_callers_help(self) -> bool {
        self.0 % 2 == 1
    }

    /// Calls `tell` with the pool, unless it is gone.
    pub(super) fn with<R>(self, tell: impl FnOnce(&dyn Owner) -> R) -> Option<R> {
        if self == OwnerId::NOBODY {
            return None;
        }
        let owner = OWNERS.read().get(&self.0).and_then(Weak::upgrade)?;
        Some(tell(&*owner))
    }
}

static OWNERS: RwLock<BTreeMap<u32, Weak<dyn Owner>>> = RwLock::new(BTreeMap::new());
static NEXT: AtomicU32 = AtomicU32::new(2);

/// Gives a pool its number.
pub(crate) fn register(owner: Weak<dyn Owner>, lets_callers_help: bool) -> OwnerId {
    let mut owners = OWNERS.write();
    loop {
        // ORDERING: relaxed; the lock orders the numbers, the counter only makes them differ.
        let even = NEXT.fetch_add(2, Ordering::Relaxed);
        let number = even + u32::from(lets_callers_help);
        if number != OwnerId::NOBODY.0 && !owners.contains_key(&number) {
            owners.insert(number, owner);
            return OwnerId(number);
        }
    }
}

/// Takes the number back when the pool is gone.
pub(crate) fn unregister(owner: OwnerId) {
    let forgotten = OWNERS.write().remove(&owner.0);
    drop(forgotten);
}
