//! Every way to end a pool.

use super::ThreadPoolHandle;
use crate::executor::ShutdownReport;
use crate::sync::deadline_after;
use std::time::Duration;

impl<S: 'static> ThreadPoolHandle<S> {
    /// Stops taking tasks.
    ///
    /// With `cancel_futures`, tasks that have not begun are cancelled, on this thread; otherwise
    /// they still run. Tasks that have begun go on. With `wait`, blocks until all workers have
    /// ended. Called on a worker of this executor it does not wait, since that would be waiting for
    /// itself; the executor ends all the same.
    ///
    /// It can be called any number of times, from any thread; each call only adds to what earlier
    /// ones asked for.
    ///
    /// # Python
    ///
    /// `shutdown(wait=True, *, cancel_futures=False)`. A weaker call never undoes a stronger one,
    /// and a waiting call always waits.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// let future = executor.spawn(|| "taken before");
    /// executor.shutdown(true, false);
    /// assert_eq!(future.result()?, "taken before");
    /// let error = executor.spawn(|| "too late").result().unwrap_err();
    /// assert!(error.is_refused());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown(&self, wait: bool, cancel_futures: bool) {
        self.pool().close(cancel_futures);
        if wait {
            self.pool().wait_until_gone(None);
        }
    }

    /// Stops taking tasks, and ends the executor step by step: it waits for all tasks for as long as
    /// `drain`; then cancels those that have not begun and asks the running ones to stop; then waits
    /// for these for as long as `grace`. What it had to do, and what it had to leave, is in the
    /// report.
    ///
    /// Blocks for `drain` and `grace` together at most. Called on a worker of this executor it does
    /// all this without waiting. Dropping the executor afterwards still waits for what is left: where
    /// that may never end, leak the executor ([`forget`](std::mem::forget)), or end the program.
    ///
    /// # Python
    ///
    /// There is no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{ThreadPoolExecutor, cancellation_requested};
    /// use std::time::Duration;
    ///
    /// let executor = ThreadPoolExecutor::new(1)?;
    /// let (started, has_started) = std::sync::mpsc::channel();
    /// executor.spawn(move || {
    ///     started.send(()).unwrap();
    ///     while !cancellation_requested() { std::thread::yield_now() }
    /// });
    /// has_started.recv()?;
    /// let report = executor.shutdown_timeout(Duration::ZERO, Duration::from_secs(60));
    /// assert_eq!((report.asked, report.running), (1, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown_timeout(&self, drain: Duration, grace: Duration) -> ShutdownReport {
        let pool = self.pool();
        pool.close(false);
        if pool.wait_until_gone(deadline_after(drain)) {
            return ShutdownReport::default();
        }
        let cancelled_before = pool.cancelled();
        pool.close(true);
        // Before they hear of it: one that heeds at once is gone.
        let asked = pool.stats().running;
        pool.stop();
        let running =
            if pool.wait_until_gone(deadline_after(grace)) { 0 } else { pool.stats().running };
        let cancelled = pool.cancelled() - cancelled_before;
        ShutdownReport { cancelled, asked, running }
    }
}
