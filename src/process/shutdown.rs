//! Every way to end a pool.

use super::ProcessPoolHandle;
use super::pool::Pool;
use crate::executor::ShutdownReport;
use crate::sync::deadline_after;
use crate::sys::fault;
use std::time::Duration;

impl<S: 'static> ProcessPoolHandle<S> {
    /// Stops taking tasks.
    ///
    /// With `cancel_futures`, tasks that have not begun are cancelled, on this thread; otherwise
    /// they still run. Tasks that have begun go on. With `wait`, blocks until all worker processes
    /// have ended. Called by a callback of one of this executor's futures, on a thread of its own,
    /// it does not wait, since that would be waiting for itself; the executor ends all the same.
    ///
    /// It can be called any number of times, from any thread; each call only adds to what earlier
    /// ones asked for.
    ///
    /// # Python
    ///
    /// `shutdown(wait=True, *, cancel_futures=False)`.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ProcessPoolExecutor::new(1)?;
    /// let future = executor.submit(|()| "taken before".to_owned(), ());
    /// executor.shutdown(true, false);
    /// assert_eq!(future.result()?, "taken before");
    /// assert!(executor.submit(|()| (), ()).result().unwrap_err().is_refused());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown(&self, wait: bool, cancel_futures: bool) {
        self.pool().close(cancel_futures);
        if wait {
            self.pool().wait_until_gone(None);
        }
    }

    /// Stops taking tasks, and ends the executor step by step: it waits for all tasks for as long as
    /// `drain`; then cancels those that have not begun and asks the running ones to stop, as
    /// [`abort`](crate::Future::abort) does, which ends their processes after the
    /// [grace time](crate::ProcessPoolBuilder::grace); and waits for `grace` more. Whatever is still
    /// there then is killed.
    ///
    /// Blocks for `drain` and `grace` together, and for as long as the system takes to end processes
    /// that were killed. What it had to do is in the report. Called by a callback of one of this
    /// executor's futures, on a thread of its own, it waits for nothing, and kills only what does not
    /// stop when asked.
    ///
    /// # Python
    ///
    /// There is no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// # let executor = concurrent_futures::ProcessPoolExecutor::new(1)?;
    /// let future = executor.submit(|()| loop {}, ());
    /// while !future.running() { std::thread::yield_now() }
    /// let report = executor.shutdown_timeout(Duration::ZERO, Duration::ZERO);
    /// assert_eq!((report.asked, report.running), (1, 0));
    /// # let _: Result<(), _> = future.result();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown_timeout(&self, drain: Duration, grace: Duration) -> ShutdownReport {
        let pool = self.pool();
        pool.close(false);
        if pool.wait_until_gone(deadline_after(drain)) {
            return ShutdownReport::default();
        }
        let before = pool.stats();
        pool.close(true);
        let after = pool.stats();
        pool.stop_all();
        if !pool.is_own_thread() && !pool.wait_until_gone(deadline_after(grace)) {
            pool.end_all(true);
            pool.wait_until_gone(None);
        }
        ShutdownReport {
            cancelled: after.cancelled - before.cancelled,
            asked: after.running,
            running: pool.stats().running,
        }
    }

    /// Stops taking tasks, cancels what has not begun, and asks every worker process to terminate.
    /// Does not wait.
    ///
    /// Tasks that were running fail with [`WorkerDied`](crate::TaskErrorKind::WorkerDied).
    ///
    /// # Python
    ///
    /// `terminate_workers()`.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ProcessPoolExecutor::new(1)?;
    /// let future = executor.submit(|()| loop {}, ());
    /// while !future.running() { std::thread::yield_now() }
    /// executor.terminate_workers();
    /// let result: Result<(), _> = future.result();
    /// assert!(result.unwrap_err().worker_death().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn terminate_workers(&self) {
        self.pool().close(true);
        self.pool().end_all(false);
    }

    /// Like [`terminate_workers`](Self::terminate_workers), by a signal that cannot be ignored.
    ///
    /// # Python
    ///
    /// `kill_workers()`.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ProcessPoolExecutor::new(1)?;
    /// let future = executor.submit(|()| loop {}, ());
    /// while !future.running() { std::thread::yield_now() }
    /// executor.kill_workers();
    /// let result: Result<(), _> = future.result();
    /// assert!(result.unwrap_err().worker_death().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn kill_workers(&self) {
        self.pool().close(true);
        self.pool().end_all(true);
    }
}

impl Pool {
    /// Stops taking tasks. With `cancel`, what has not begun is cancelled, on this thread.
    pub(super) fn close(&self, cancel: bool) {
        let mut state = self.state.lock();
        state.machine.close(cancel);
        fault!(PoolClosed);
        self.act(state);
        self.close_queue();
    }

    /// Ends all processes.
    pub(super) fn end_all(&self, hard: bool) {
        let mut state = self.state.lock();
        state.machine.end_all(hard);
        self.act(state);
    }

    /// Asks all running tasks to stop, and ends their processes if they do not.
    pub(super) fn stop_all(&self) {
        let mut state = self.state.lock();
        for task in Vec::from_iter(state.machine.all_sent()) {
            state.machine.stop(task);
        }
        self.act(state);
    }
}
