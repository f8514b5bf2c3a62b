//! What one task can ask for.

use crate::sync::Arc;
use crate::task::{TaskSettings, Unobserved};
use crate::timeline::Timeline;
use std::time::Duration;

/// What a task asks for beside its function and argument. Everything is optional.
///
/// Given to an executor's `with`, which makes a handle whose tasks all have these options, or to
/// [`Executor::submit_with`](super::Executor::submit_with). What is not said here is what the handle
/// has, if it has options already.
///
/// # Python
///
/// There is no counterpart.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{TaskOptions, ThreadPoolExecutor};
/// use std::time::Duration;
///
/// let executor = ThreadPoolExecutor::new(1)?;
/// let options = TaskOptions::new().label("page 7").timeout(Duration::from_secs(60));
/// let future = executor.with(options).submit(|page| page * 2, 7);
/// assert_eq!(future.label(), Some("page 7"));
/// assert_eq!(future.result()?, 14);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "options do nothing until they are given to an executor"]
pub struct TaskOptions {
    pub(crate) label: Option<String>,
    pub(crate) priority: Option<i32>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) begin_within: Option<Duration>,
}

impl TaskOptions {
    /// No label, priority 0, no timeout, no limit on waiting.
    pub fn new() -> Self {
        TaskOptions::default()
    }

    /// A name for errors, `Debug`, timelines, the monitor, spans, and [`current_label`](crate::current_label).
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Tasks with a higher priority begin first, in executors whose order is
    /// [`Order::Priority`](crate::Order::Priority); others take no notice of it.
    ///
    /// # Examples
    ///
    /// See [`Order`](crate::Order).
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = Some(priority);
        self
    }

    /// How long the task may run, counted from the moment it begins.
    ///
    /// When the time is up, the future fails at once with
    /// [`TimedOut`](crate::TaskErrorKind::TimedOut) and the task is asked to stop (see
    /// [`cancellation_requested`](crate::cancellation_requested)). A thread cannot be killed: its
    /// worker is busy until the task really returns. Callbacks of a task that timed out run on a
    /// thread of their own.
    ///
    /// A process can be killed: on a pool of processes, a task that does not heed the request is
    /// ended together with its process after a [grace time](crate::ProcessPoolBuilder::grace).
    ///
    /// In a `map` a chunk is one task: the limit is on the whole chunk, and if it is exceeded, all
    /// items of the chunk fail, those that had been computed too. Give a
    /// [`chunksize`](crate::MapOptions::chunksize) of one for a limit on each item.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How long the task may wait for a worker, counted from the submission.
    ///
    /// If no worker has begun it by then, it never begins, and its future fails with
    /// [`NotBegun`](crate::TaskErrorKind::NotBegun). No limit for a task that has begun.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{TaskErrorKind, TaskOptions, ThreadPoolExecutor};
    /// use std::time::Duration;
    ///
    /// let executor = ThreadPoolExecutor::new(1)?;
    /// let (release, is_released) = std::sync::mpsc::channel::<()>();
    /// let first = executor.spawn(move || is_released.recv());
    /// let hurried = executor.with(TaskOptions::new().begin_within(Duration::from_millis(1)));
    /// let error = hurried.spawn(|| "too late").result().unwrap_err();
    /// assert!(matches!(error.kind(), TaskErrorKind::NotBegun { .. }));
    /// release.send(())?;
    /// # first.result()??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn begin_within(mut self, limit: Duration) -> Self {
        self.begin_within = Some(limit);
        self
    }

    /// These, and from `others` what is not said here.
    pub(crate) fn or(self, others: &TaskOptions) -> TaskOptions {
        TaskOptions {
            label: self.label.or_else(|| others.label.clone()),
            priority: self.priority.or(others.priority),
            timeout: self.timeout.or(others.timeout),
            begin_within: self.begin_within.or(others.begin_within),
        }
    }

    /// The same for the tasks of an executor of this name.
    pub(crate) fn settings(
        &self,
        executor: &Arc<str>,
        timeline: Option<&Timeline>,
        on_unobserved: Option<&Unobserved>,
    ) -> TaskSettings {
        TaskSettings {
            label: self.label.as_deref().map(Arc::from),
            timeout: self.timeout,
            begin_within: self.begin_within,
            on_unobserved: on_unobserved.cloned(),
            timeline: timeline.cloned(),
            executor: Some(Arc::clone(executor)),
            ..TaskSettings::default()
        }
    }
}
