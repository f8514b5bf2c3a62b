//! How a pool of threads comes to its end: it closes, or breaks, and what is queued is ended.

use super::{Pool, is_part};
use crate::error::{BrokenCause, Refusal, TaskErrorKind, TaskPanic};
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
        // A later cause is somebody else's error, and is dropped without the lock. It may panic then.
        task::contain(|| drop(cause));
        self.close_gate(true);
        let refusal = Refusal::Broken(first);
        self.end_queued(move |pool, task| pool.lose(task, &refusal));
    }

    /// A thread of the pool's own has panicked, which is a fault of this crate. What others run goes on.
    pub(in crate::thread) fn collapse(&self, panic: TaskPanic) {
        let panic = task::panicked(task::told(panic));
        self.break_down(BrokenCause::new(BrokenCause::OWN_PANIC, panic));
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

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    //! Each thread that a pool of threads has for itself panics at a place where others depend on it.

    use crate::error::TaskError;
    use crate::executor::TaskOptions;
    use crate::sync::{Arc, traps};
    use crate::thread::ThreadPoolExecutor;
    use std::sync::mpsc::{self, Sender};
    use std::time::{Duration, Instant};

    const BOUND: Duration = Duration::from_secs(60);

    fn pool(name: &str, max_workers: usize) -> ThreadPoolExecutor {
        let builder = ThreadPoolExecutor::builder().max_workers(max_workers);
        builder.thread_name_prefix(name).build().unwrap()
    }

    /// Keeps one worker busy until what this gives is dropped.
    fn occupy(pool: &ThreadPoolExecutor) -> (crate::future::Future<u32>, Sender<()>) {
        let (begins, has_begun) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let future = pool.spawn(move || {
            begins.send(()).unwrap();
            let _ = released.recv();
            7
        });
        has_begun.recv_timeout(BOUND).unwrap();
        (future, release)
    }

    #[track_caller]
    fn says_so(error: &TaskError) {
        let text = error.to_string();
        assert!(
            error.is_broken() && text.contains("thread of the executor's own panicked"),
            "{text}"
        );
    }

    /// The pool says that it is broken, and why; and then nothing is left of it.
    #[track_caller]
    fn is_broken_and_ends(pool: ThreadPoolExecutor) {
        let begun = Instant::now();
        // The task may be told before the pool is.
        while !pool.spawn(|| ()).result().is_err_and(|it| it.is_refused() && it.is_broken()) {
            assert!(begun.elapsed() < BOUND, "the pool goes on");
        }
        says_so(&pool.spawn(|| ()).result().unwrap_err());
        pool.shutdown(true, false);
        let stats = pool.stats();
        assert_eq!((stats.queued, stats.workers), (0, 0), "{stats:?}");
        let inner = Arc::downgrade(pool.handle.pool());
        drop(pool);
        while inner.strong_count() > 0 {
            assert!(begun.elapsed() < BOUND, "somebody still holds the pool");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_panic_of_a_worker_with_a_task_in_hand_ends_what_has_not_begun() {
        for place in ["found", "run"] {
            let name = format!("collapse-{place}");
            let pool = pool(&name, 2);
            let (running, release) = occupy(&pool);
            traps::set(place, &name);
            let futures: Vec<_> = (0..20).map(|_| pool.spawn(|| 1)).collect();
            let mut refused = 0;
            for future in futures {
                match future.result() {
                    // Run before the other worker was there.
                    Ok(value) => assert_eq!(value, 1),
                    Err(error) => {
                        says_so(&error);
                        refused += 1;
                    }
                }
            }
            assert!(refused > 0, "{place}");
            // What others run goes on.
            drop(release);
            assert_eq!(running.result().unwrap(), 7);
            is_broken_and_ends(pool);
        }
    }

    #[test]
    fn a_panic_of_a_worker_that_has_nothing_to_do_breaks_the_pool() {
        traps::set("rest", "collapse-rest");
        let pool = pool("collapse-rest", 2);
        // It may be seen to be done before.
        assert_eq!(pool.spawn(|| 1).result().unwrap(), 1);
        is_broken_and_ends(pool);
    }

    #[test]
    fn a_panic_of_the_timers_thread_breaks_the_pool() {
        let pool = pool("collapse-timer", 1);
        let (running, release) = occupy(&pool);
        let queued: Vec<_> = (0..20).map(|_| pool.spawn(|| ())).collect();
        pool.handle.pool().timer.set(Instant::now(), || panic!("an alarm")).unwrap();
        queued.into_iter().for_each(|it| says_so(&it.result().unwrap_err()));
        drop(release);
        assert_eq!(running.result().unwrap(), 7);
        is_broken_and_ends(pool);
    }

    #[test]
    fn a_panic_of_the_thread_that_gives_a_task_up_ends_that_task_and_the_pool_goes_on() {
        let pool = pool("collapse-late", 1);
        let (running, release) = occupy(&pool);
        traps::set("not begun, threads", "not begun");
        let options = TaskOptions::new().begin_within(Duration::from_millis(1));
        says_so(&pool.with(options).spawn(|| ()).result().unwrap_err());
        drop(release);
        assert_eq!(running.result().unwrap(), 7);
        assert_eq!(pool.spawn(|| 1).result().unwrap(), 1);
    }

    #[test]
    fn a_panic_of_a_stand_in_leaves_nothing_undone() {
        let pool = pool("collapse-series", 1);
        let (running, release) = occupy(&pool);
        let mut futures: Vec<_> = (0..20).map(|_| pool.spawn(|| ())).collect();
        let (last, first) = (futures.pop().unwrap(), futures.remove(0));
        let (says, said) = mpsc::channel();
        first.add_done_callback(move |_| {
            traps::set("series", "stand-in");
            says.send(last.result().unwrap_err()).unwrap();
        });
        pool.shutdown(false, true);
        assert!(said.recv_timeout(BOUND).unwrap().is_cancelled());
        futures.into_iter().for_each(|it| assert!(it.result().unwrap_err().is_cancelled()));
        drop(release);
        assert_eq!(running.result().unwrap(), 7);
    }
}
