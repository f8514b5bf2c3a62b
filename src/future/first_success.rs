//! The first of several tasks to succeed.

use super::{CompletionQueue, Future};
use crate::error::{AllFailed, TaskError};

/// Waits for the first task that succeeds, and aborts the others.
///
/// Blocks until then, or until all have failed. Those that have not begun never will; those that
/// are running are asked to stop, and are not waited for. For tasks that return a `Result`, see
/// [`Future::flatten`].
///
/// # Errors
///
/// [`AllFailed`] with each task's error, if none succeeds or there is none.
///
/// # Python
///
/// There is no counterpart.
///
/// # Examples
///
/// ```
/// use concurrent_futures::first_success;
/// # let executor = concurrent_futures::ThreadPoolExecutor::new(2)?;
/// let mirrors = ["bad", "42", "worse"];
/// let answer = first_success(mirrors.map(|text| executor.submit(str::parse::<u32>, text).flatten()));
/// assert_eq!(answer?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn first_success<T>(futures: impl IntoIterator<Item = Future<T>>) -> Result<T, AllFailed> {
    let mut queue: CompletionQueue<_> = futures.into_iter().map(Future::cancel_on_drop).collect();
    let mut errors: Vec<TaskError> = Vec::new();
    while let Some(future) = queue.pop() {
        match future.result() {
            Ok(value) => {
                // Before their drop asks the running ones to stop: a worker that is free by that
                // would begin the next of them.
                let losers = queue.into_items();
                for loser in &losers {
                    loser.cancel();
                }
                return Ok(value);
            }
            Err(error) => errors.push(error),
        }
    }
    Err(AllFailed { errors })
}
