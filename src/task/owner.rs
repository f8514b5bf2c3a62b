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

    /// Keeps a worker from beginning a task that is lent to it. False if the worker has begun it;
    /// then the task is running when this returns.
    fn take_back(&self, _task: &TaskRef) -> bool {
        true
    }

    /// A thread outside of the pool is about to wait for a task, and offers its time until then.
    fn attend(&self, _task: &TaskRef) -> Option<Box<dyn Attendance>> {
        None
    }

    /// Finds out whether a task that is lent to a worker has begun; if so it is running when this
    /// returns.
    fn look_after(&self, _task: &TaskRef) {}
}

/// What a thread does for the task that it waits for, as long as it has not fallen asleep.
pub(crate) trait Attendance {
    /// Does what there is to do, if anything. May run callbacks of the awaited task.
    fn look(&self);
}

/// The number of a pool; zero for a task that belongs to none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OwnerId(u32);

impl OwnerId {
    pub(crate) const NOBODY: OwnerId = OwnerId(0);

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
static NEXT: AtomicU32 = AtomicU32::new(1);

/// Gives a pool its number.
pub(crate) fn register(owner: Weak<dyn Owner>) -> OwnerId {
    let mut owners = OWNERS.write();
    loop {
        // ORDERING: relaxed; the lock orders the numbers, the counter only makes them differ.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
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
