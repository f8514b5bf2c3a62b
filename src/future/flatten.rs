//! A task's `Err` as a failure of its future.

use super::Future;
use crate::error::{TaskError, TaskErrorKind};
use crate::sync::Arc;
use crate::task::{Extras, OwnerId, Source, TaskSettings, promised};
use std::error::Error;

impl<T, E> Future<Result<T, E>>
where
    T: Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
{
    /// Turns an `Err` that the task returns into a failure of the future.
    ///
    /// Then one `?` is enough for both, and [`wait`](crate::wait) with
    /// [`FirstException`](super::ReturnWhen::FirstException) sees it. The task's error is kept as
    /// the [source](std::error::Error::source) and can be had by
    /// [`TaskError::failure`](crate::TaskError::failure). The new future stands for the same work:
    /// it is running when that is, and cancelling it cancels that. Never blocks.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// let future = executor.submit(str::parse::<u32>, "42").flatten();
    /// assert_eq!(future.result()?, 42);
    ///
    /// let future = executor.submit(str::parse::<u32>, "no number").flatten();
    /// assert_eq!(future.result().unwrap_err().to_string(), "task failed: invalid digit found in string");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flatten(self) -> Future<T> {
        let handle = self.into_handle();
        let task = handle.task().clone();
        let settings = TaskSettings {
            label: task.label().cloned(),
            on_unobserved: task.settings().and_then(|it| it.on_unobserved.clone()),
            ..TaskSettings::default()
        };
        let report = task.extras().and_then(|it| it.report.clone());
        let extras = Extras { report, ..Extras::new(Arc::new(settings)) };
        let extras = extras.made_from(Source::Same(task.clone()));
        let (mut producer, flat) = promised(OwnerId::NOBODY, Some(extras));
        handle.on_settled(move |outcome| {
            let outcome = outcome.and_then(|result| {
                result.map_err(|error| match error.into().downcast::<TaskError>() {
                    // The failure of another task is passed on as it is.
                    Ok(error) => *error,
                    Err(error) => task.error(TaskErrorKind::Failed(error)),
                })
            });
            let failure = outcome.as_ref().err().cloned();
            if producer.conclude(outcome).is_err()
                && let Some(error) = failure.filter(|error| !error.is_cancelled())
            {
                // The flattened future was cancelled meanwhile.
                task.report_unobserved(&error);
            }
            producer.task().forget_source();
        });
        Future::new(flat)
    }
}
