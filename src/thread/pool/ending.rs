//! How a pool of threads comes to its end: it closes, or breaks, and what is queued is ended.

use super::{Pool, is_part};
use crate::error::{BrokenCause, Refusal, TaskErrorKind};
use crate::queue::Tour;
use crate::sync::atomic::Ordering;
use crate::sync::{Arc, Spin, thread};
use crate::task::{self, Blocking, TaskRef};
use crate::thread::worker;
use std::time::Instant;

impl Pool {
    /// Stops taking tasks. With `cancel`, what is queued is cancelled, on this thread.
    pub(in crate::thread) fn close(&self, cancel: bool) {
        self.close_gate(cancel);
        if cancel {
            self.end_queued(|pool, task| pool.discard(task));
        }
    }

    /// Tells submitters and sleeping workers that the pool is closed.
    pub(in crate::thread) fn close_gate(&self, cancel: bool) {
        for seat in self.crew.close(cancel) {
            seat.parker.unpark();
        }
        if let Some(bound) = &self.bound {
            bound.close();
        }
        // If workers have retired before, none is left to do it when it leaves.
        if self.crew.is_gone() {
            self.timer.close();
        }
    }

    /// Asks every running task to stop.
    pub(in crate::thread) fn stop(&self) {
        // ORDERING: release pairs with the acquire in `is_stopping`.
        self.stopping.store(1, Ordering::Release);
    }

    pub(in crate::thread) fn is_stopping(&self) -> bool {
        // ORDERING: acquire pairs with the release in `stop`.
        self.stopping.load(Ordering::Acquire) != 0
    }

    /// The pool can run nothing any more; everything that is queued fails.
    pub(in crate::thread) fn break_down(&self, cause: BrokenCause) {
        let first = self.broken.lock().get_or_insert_with(|| cause.clone()).clone();
        // A later cause is somebody else's error, and is dropped without the lock.
        drop(cause);
        self.close_gate(true);
        let refusal = Refusal::Broken(first);
        self.end_queued(move |pool, task| pool.lose(task, &refusal));
    }

    /// Ends every queued task. A callback of one may wait for another.
    fn end_queued(&self, end: impl Fn(&Pool, &TaskRef) + Send + Sync + 'static) {
        let Some(pool) = self.this.upgrade() else { return };
        let end = Arc::new(end);
        task::one_after_the_other(move || {
            let task = pool.queue.pop(&mut Tour::default())?;
            let (pool, end) = (Arc::clone(&pool), Arc::clone(&end));
            Some(move || end(&pool, &task))
        });
    }

    /// Fails a task that was taken and has just been popped, because it cannot be run any more.
    pub(in crate::thread) fn lose(&self, task: &TaskRef, refusal: &Refusal) {
        self.begin_limits.met(&self.timer, task);
        let Some(begun) = task.begin() else {
            return self.forget_stale();
        };
        begun.fail(task.error(match refusal {
            Refusal::Broken(cause) => TaskErrorKind::Broken(cause.clone()),
            _ => TaskErrorKind::Refused(refusal.clone()),
        }));
        if is_part(task) {
            return self.forget_stale();
        }
        // ORDERING: relaxed; a count that guards nothing.
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.release_room();
    }

    /// Fails a task that [`enqueue`](Self::enqueue) did not take, if nobody has begun it.
    pub(in crate::thread) fn refuse(&self, task: &TaskRef, refusal: &Refusal) {
        self.begin_limits.met(&self.timer, task);
        if let Some(begun) = task.begin() {
            begun.fail(task.error(TaskErrorKind::Refused(refusal.clone())));
            if task.snapshot().is_queued() {
                self.count_stale();
            }
        }
    }

    /// After a refusal: if nobody is left to come for what is queued, ends that too.
    pub(in crate::thread) fn clean_up(&self, refusal: &Refusal) {
        if self.crew.is_deserted() {
            let refusal = refusal.clone();
            self.end_queued(move |pool, task| pool.lose(task, &refusal));
        }
    }

    /// Ends a task that a worker has popped while the pool runs nothing more.
    pub(in crate::thread) fn discard(&self, task: &TaskRef) {
        match self.broken() {
            Some(cause) => self.lose(task, &Refusal::Broken(cause)),
            None => {
                // Cancelling counts the entry as stale; it has been popped, so it is not.
                task.try_cancel();
                self.forget_stale();
            }
        }
    }

    /// Blocks until every worker has left, or the deadline comes. Called by a worker of this very
    /// pool it does not wait, for the worker would wait for itself; false then too.
    pub(in crate::thread) fn wait_until_gone(&self, deadline: Option<Instant>) -> bool {
        if worker::serves(self.id) || task::host_owner() == Some(self.id) {
            return false;
        }
        task::while_blocked(Blocking::Waiting, || {
            if deadline.is_none() {
                // Each join is a wait by itself: to wait for the last to leave, and then to join
                // it, would be to sleep twice.
                self.join_threads();
            }
            let is_gone = self.crew.wait_until_gone(deadline);
            if is_gone {
                self.join_threads();
            }
            is_gone
        })
    }

    /// Joins all threads that there are. Whoever comes while somebody joins them waits for that: no
    /// waiting call is over before the last thread is.
    fn join_threads(&self) {
        let _joining = self.joining.lock();
        let next = || self.threads.lock().pop();
        while let Some(thread) = next() {
            let _ = Spin::new().until(|| thread::is_finished(&thread), || false);
            let _ = thread.join();
        }
    }
}
