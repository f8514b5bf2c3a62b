//! Tells everybody who waits for a task that it is done.
//!
//! # Order
//!
//! First whoever only wants to know that the task is done, then the callbacks in the order in
//! which they were added, then whoever wants to take the outcome: a callback looks at the outcome
//! by reference, so nobody may move it away meanwhile. No lock is held at any of this, and a panic
//! of one callback or waker costs neither the others nor this thread.

use super::cell::{Header, drop_contained};
use super::panic::contain;
use super::waiters::{List, Waiter};
use std::ptr::NonNull;

/// Delivers a task that has just finished with its outcome in the slot.
///
/// # Safety
///
/// `task` is live and settling, the caller is its runner and holds a reference until this returns.
pub(super) unsafe fn settling(task: NonNull<Header>) {
    // SAFETY: the caller vouches that the task is live.
    let header = unsafe { task.as_ref() };
    let takers = announce(task, header.waiters.take());
    let before = header.state.settle();
    if !before.has_handle() {
        // SAFETY: the handle went while the task was settling, and left the outcome to the runner.
        unsafe { drop_contained(task, true) };
    }
    admit(takers);
    if before.is_waited() {
        let late = announce(task, header.waiters.take());
        admit(late);
    }
}

/// Tells the waiters of a task that was cancelled or has timed out.
///
/// # Safety
///
/// `task` is live and done without an outcome; the caller holds a reference until this returns.
pub(super) unsafe fn without_outcome(task: NonNull<Header>, waiters: List) {
    let takers = announce(task, waiters);
    admit(takers);
}

/// Tells the observers and runs the callbacks; what remains wants to take the outcome. Nothing is
/// allocated for it: somebody who waits costs no more than nobody.
fn announce(task: NonNull<Header>, mut waiters: List) -> List {
    let is_done = |waiter: &Waiter| matches!(waiter, Waiter::Done(..));
    waiters.extract(is_done, |waiter| {
        if let Waiter::Done(observer, key) = waiter {
            observer.notify(key);
        }
    });
    let is_callback = |waiter: &Waiter| matches!(waiter, Waiter::Callback(_));
    waiters.extract(is_callback, |waiter| {
        if let Waiter::Callback(callback) = waiter {
            contain(|| callback(task));
        }
    });
    waiters
}

fn admit(takers: List) {
    takers.for_each(|taker| match taker {
        Waiter::Settled(observer, key) => observer.notify(key),
        Waiter::Waker(waker, _) => drop(contain(|| waker.wake())),
        Waiter::Continuation(proceed) => drop(contain(proceed)),
        Waiter::Done(..) | Waiter::Callback(_) => unreachable!("announced before"),
    });
}
