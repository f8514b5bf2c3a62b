//! Tells everybody who waits for a task that it is done.
//!
//! # Order
//!
//! First whoever only wants to know that the task is done, then the callbacks in the order in
//! which they were added, then whoever wants to take the outcome: a callback looks at the outcome
//! by reference, so nobody may move it away meanwhile. No lock is held at any of this, and a panic
//! of one callback or waker costs neither the others nor this thread.

use super::cell::{Header, drop_contained};
use super::context::outside;
use super::panic::contain;
use super::task_ref::TaskRef;
use super::waiters::{List, Waiter};
use crate::sync::thread::{const_thread_local, thread_local};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ptr::NonNull;
use std::task::Waker;

/// A task that is done, and of which somebody else is to tell.
pub(crate) struct Delivery {
    task: TaskRef,
    has_outcome: bool,
}

impl Delivery {
    pub(crate) fn make(self) {
        let task = self.task.pointer();
        if self.has_outcome {
            // SAFETY: the task is settling, and is kept alive by this reference; its runner left it to
            // whoever has this, which is nobody else.
            unsafe { settling(task) };
        } else {
            let waiters = self.task.header().waiters.take();
            // SAFETY: the task is done without an outcome, and is kept alive by this reference.
            unsafe { without_outcome(task, waiters) };
        }
    }
}

/// The task whose delivery this thread leaves to others, and that delivery.
type Left = Option<(usize, Option<Delivery>)>;

const_thread_local! { static LEFT: RefCell<Left> = RefCell::new(None) }

/// Runs `code`, which ends the task at `address`. If others wait for it, it is done then, and they are still to be
/// told: for a thread that must not run other people's callbacks.
pub(crate) fn leaving_delivery_of(address: usize, code: impl FnOnce()) -> Option<Delivery> {
    let before = LEFT.try_with(|left| left.replace(Some((address, None))));
    code();
    let Ok(before) = before else { return None };
    LEFT.try_with(|left| left.replace(before)).ok().flatten().and_then(|(_, delivery)| delivery)
}

/// Tells everybody who waits for a task that has just ended, or leaves that to others.
///
/// # Safety
///
/// With an outcome as for [`settling`], else as for [`without_outcome`], and some have waited.
pub(super) unsafe fn ended(task: NonNull<Header>, has_outcome: bool) {
    // SAFETY: the caller vouches that the task is live.
    let header = unsafe { task.as_ref() };
    let leave = |left: &RefCell<Left>| match &mut *left.borrow_mut() {
        Some((address, delivery)) if *address == task.addr().get() => {
            header.state.acquire();
            // SAFETY: the reference has just been counted.
            let task = unsafe { TaskRef::from_counted(task) };
            *delivery = Some(Delivery { task, has_outcome });
            true
        }
        _ => false,
    };
    if LEFT.try_with(leave).unwrap_or(false) {
        return;
    }
    if has_outcome {
        // SAFETY: passed on to the caller.
        unsafe { settling(task) };
    } else {
        // SAFETY: passed on to the caller.
        unsafe { without_outcome(task, header.waiters.take()) };
    }
}

/// Delivers a task that has just finished with its outcome in the slot.
///
/// # Safety
///
/// `task` is live and settling, the caller is its runner and holds a reference until this returns.
unsafe fn settling(task: NonNull<Header>) {
    // SAFETY: the caller vouches that the task is live.
    let header = unsafe { task.as_ref() };
    outside(|| {
        let takers = announce(task, header.waiters.take());
        let before = header.state.settle();
        if !before.has_handle() {
            // SAFETY: the handle went while the task was settling, and left the outcome to its
            // runner.
            unsafe { drop_contained(task, true) };
        }
        admit(takers);
        if before.is_waited() {
            let late = announce(task, header.waiters.take());
            admit(late);
        }
    });
}

/// Tells the waiters of a task that was cancelled or has timed out.
///
/// # Safety
///
/// `task` is live and done without an outcome; the caller holds a reference until this returns.
pub(super) unsafe fn without_outcome(task: NonNull<Header>, waiters: List) {
    outside(|| admit(announce(task, waiters)));
}

/// Tells the observers and runs the callbacks; what remains wants to take the outcome. Nothing is
/// allocated for it: somebody who waits costs no more than nobody.
fn announce(task: NonNull<Header>, mut waiters: List) -> List {
    let is_done = |waiter: &Waiter| matches!(waiter, Waiter::Done(..));
    waiters.extract(is_done, |waiter| {
        if let Waiter::Done(observer, key) = waiter {
            wake(observer.notify(key));
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
        Waiter::Settled(observer, key) => wake(observer.notify(key)),
        Waiter::Waker(waker, _) => wake(Some(waker)),
        Waiter::Continuation(continuation) => proceed(continuation),
        Waiter::Done(..) | Waiter::Callback(_) => unreachable!("announced before"),
    });
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        contain(|| waker.wake());
    }
}

type Continuation = Box<dyn FnOnce() + Send>;

/// How many continuations may run within each other. One that ends a task may set off that task's
/// own, and so on along a chain of any length; the stack has an end.
const NESTING: usize = 64;

const_thread_local! { static NESTED: Cell<usize> = Cell::new(0) }

thread_local! {
    /// Continuations that are too deep to be run where they came up; the outermost one runs them.
    static DEFERRED: RefCell<VecDeque<Continuation>> = RefCell::new(VecDeque::new());
}

fn proceed(continuation: Continuation) {
    let depth = NESTED.with(Cell::get);
    if depth >= NESTING {
        let mut continuation = Some(continuation);
        let _ = DEFERRED.try_with(|deferred| deferred.borrow_mut().extend(continuation.take()));
        // If the thread is ending and the list is gone, deeper is all there is.
        if let Some(continuation) = continuation {
            contain(continuation);
        }
        return;
    }
    NESTED.with(|nested| nested.set(depth + 1));
    contain(continuation);
    NESTED.with(|nested| nested.set(depth));
    if depth == 0 {
        catch_up();
    }
}

/// Runs what was deferred. Called before this thread blocks too, for it may be about to wait for
/// just that; the task that blocks has no part in it.
pub(super) fn catch_up() {
    let depth = NESTED.with(Cell::get);
    let next = || DEFERRED.try_with(|deferred| deferred.borrow_mut().pop_front()).ok().flatten();
    while let Some(next) = next() {
        NESTED.with(|nested| nested.set(1));
        outside(|| contain(next));
        NESTED.with(|nested| nested.set(depth));
    }
}
