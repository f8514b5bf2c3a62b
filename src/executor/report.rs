//! What an executor tells of itself, in numbers: what it is doing, and how it ended.

/// A pool's counts at one moment, from [`stats`](crate::ThreadPoolHandle::stats).
///
/// Cheap enough to be polled for a progress display. The counts are read one after the other while
/// the pool goes on, so a task that moves meanwhile may be counted twice or not at all; and a task
/// counts as running until just after its future is done: right after `result()` it may not be among the
/// finished yet. After `shutdown(true, …)` all counts are final.
///
/// # Examples
///
/// ```
/// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
/// let future = executor.submit(|n| n + 1, 1);
/// drop(future.result());
/// executor.shutdown(true, false);
/// let stats = executor.stats();
/// assert_eq!((stats.finished, stats.done(), stats.queued), (1, 1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Tasks that wait for a worker.
    pub queued: usize,
    /// Tasks that have begun and not returned, also if their future has timed out.
    pub running: usize,
    /// Tasks that returned, an `Err` too.
    pub finished: usize,
    /// Tasks that panicked, timed out, were lost with their worker, or were taken and could not be run.
    pub failed: usize,
    /// Tasks that were cancelled.
    pub cancelled: usize,
    /// Workers, spares included.
    pub workers: usize,
    /// Workers that have nothing to do.
    pub idle: usize,
}

impl Stats {
    /// Tasks that the executor has taken so far.
    ///
    /// # Examples
    ///
    /// See [`stats`](crate::ThreadPoolHandle::stats).
    pub fn submitted(&self) -> usize {
        self.queued + self.running + self.done()
    }

    /// Tasks that are over, in whichever way.
    pub fn done(&self) -> usize {
        self.finished + self.failed + self.cancelled
    }
}

/// What [`shutdown_timeout`](crate::ThreadPoolHandle::shutdown_timeout) had to do, and what it left.
///
/// # Examples
///
/// See [`shutdown_timeout`](crate::ThreadPoolHandle::shutdown_timeout).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Tasks that had not begun in time, and were cancelled.
    pub cancelled: usize,
    /// Tasks that were running at that time, and were asked to stop.
    pub asked: usize,
    /// Tasks that are still running, because they did not heed the request in time either.
    pub running: usize,
}

impl ShutdownReport {
    /// Whether every task came to its own end in time.
    ///
    /// # Examples
    ///
    /// See [`shutdown_timeout`](crate::ThreadPoolHandle::shutdown_timeout).
    pub fn is_clean(&self) -> bool {
        *self == ShutdownReport::default()
    }
}
