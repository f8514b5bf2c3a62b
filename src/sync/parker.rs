//! A place where one thread sleeps until another wakes it.
//!
//! `std::thread::park` is not used because its token belongs to the thread: the caller's own code
//! may be using it too.
//!
//! # Protocol
//!
//! ```text
//!            park                      unpark
//!  EMPTY ----------> PARKED ----------------------+
//!    |                  ^  |                      v
//!    |                  |  +---- woken -----> NOTIFIED --- park returns ---> EMPTY
//!    +---- unpark --------------------------------^
//! ```
//!
//! A token that arrives before the thread parks is kept, one at most; so a waiter that publishes
//! itself, looks once more and then parks cannot miss its wake-up. Between the sleeper's step to
//! `PARKED` and its wait on the condition variable it holds the lock, and the waker takes the lock
//! before it notifies: the notification cannot fall into that gap.

use super::atomic::{AtomicUsize, Ordering};
use super::{Condvar, Mutex};
use std::time::Instant;

const EMPTY: usize = 0;
const PARKED: usize = 1;
const NOTIFIED: usize = 2;

#[derive(Debug)]
pub(crate) struct Parker {
    state: AtomicUsize,
    lock: Mutex<()>,
    woken: Condvar,
}

impl Parker {
    pub(crate) fn new() -> Self {
        Parker { state: AtomicUsize::new(EMPTY), lock: Mutex::new(()), woken: Condvar::new() }
    }

    /// Sleeps until there is a token, and takes it. Only one thread may park at a time.
    pub(crate) fn park(&self) {
        self.park_until(None);
    }

    /// Like [`park`](Self::park), but returns `false` when `deadline` passes first.
    pub(crate) fn park_until(&self, deadline: Option<Instant>) -> bool {
        if self.take_token() {
            return true;
        }
        let mut guard = self.lock.lock();
        // ORDERING: relaxed on success, nothing is published by going to sleep; on failure the
        // token is taken with acquire below.
        if self.state.compare_exchange(EMPTY, PARKED, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return self.take_token();
        }
        loop {
            let (reacquired, timed_out) = self.woken.wait_until(guard, deadline);
            guard = reacquired;
            if self.take_token() {
                return true;
            }
            if timed_out {
                // ORDERING: acquire pairs with `unpark`, should its token have come just now.
                return self.state.swap(EMPTY, Ordering::Acquire) == NOTIFIED;
            }
        }
    }

    /// Leaves a token, and wakes the thread that sleeps here.
    pub(crate) fn unpark(&self) {
        // ORDERING: release pairs with the acquire of whoever takes the token.
        if self.state.swap(NOTIFIED, Ordering::Release) == PARKED {
            drop(self.lock.lock());
            self.woken.notify_one();
        }
    }

    fn take_token(&self) -> bool {
        // ORDERING: acquire on success pairs with the release in `unpark`.
        self.state.compare_exchange(NOTIFIED, EMPTY, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }
}
