//! What waits for one or many tasks can end with, other than a result.

use super::{TaskError, fmt_with_sources};
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// A wait ran out of time. The tasks go on, and what was waited for is given back.
///
/// # Examples
///
/// ```
/// use concurrent_futures::Promise;
/// use std::time::Duration;
///
/// let (mut promise, future) = Promise::new();
/// let timeout = future.result_timeout(Duration::from_millis(1)).unwrap_err();
/// promise.set_result("late")?;
/// assert_eq!(timeout.pending.result()?, "late");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Python
///
/// `TimeoutError` of a wait, which cannot be told from one that the task has raised.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WaitTimeout<W> {
    /// What was waited for: still whole, and still to be waited for.
    pub pending: W,
    /// The time that was given.
    pub limit: Duration,
}

impl<W> fmt::Display for WaitTimeout<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not done within {:?}; the task goes on, and can be waited for again", self.limit)
    }
}

impl<W> fmt::Debug for WaitTimeout<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_with_sources(self, f)
    }
}

impl<W> Error for WaitTimeout<W> {}

/// Not all futures were done in time; those that were not are given back.
///
/// # Examples
///
/// See [`as_completed_timeout`](crate::as_completed_timeout).
pub struct CompletionTimeout<W> {
    /// The futures that were not done.
    pub pending: Vec<W>,
    /// How many futures there were in all.
    pub total: usize,
    /// The time that was given.
    pub limit: Duration,
}

impl<W> fmt::Display for CompletionTimeout<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unfinished, total, limit) = (self.pending.len(), self.total, self.limit);
        write!(f, "{unfinished} (of {total}) futures unfinished after {limit:?}")
    }
}

impl<W> fmt::Debug for CompletionTimeout<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_with_sources(self, f)
    }
}

impl<W> Error for CompletionTimeout<W> {}

/// Every one of several tasks failed, so that there is no first success.
///
/// # Examples
///
/// See [`first_success`](crate::first_success).
#[derive(Clone)]
pub struct AllFailed {
    /// The error of each task, in the order in which they failed.
    pub errors: Vec<TaskError>,
}

impl fmt::Display for AllFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errors.last() {
            Some(last) => write!(f, "all {} tasks failed; the last one: {last}", self.errors.len()),
            None => f.write_str("there were no tasks to succeed"),
        }
    }
}

/// The sentence; with `{:#?}` the errors.
impl fmt::Debug for AllFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return fmt_with_sources(self, f);
        }
        f.debug_struct("AllFailed").field("errors", &self.errors).finish()
    }
}

impl Error for AllFailed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.errors.last()?.source()
    }
}
