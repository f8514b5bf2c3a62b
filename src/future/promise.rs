//! The producing end of a future that belongs to no pool.

use super::Future;
use crate::error::{InvalidStateError, TaskError, TaskErrorKind};
use crate::sync::Arc;
use crate::task::{Extras, OwnerId, Producer, Snapshot, TaskSettings, promised};
use std::error::Error;

/// The producing side of a [`Future`]: for whoever writes an executor, or a test.
///
/// The steps are those of an executor: [`set_running_or_notify_cancel`] when the work begins, then
/// [`set_result`] or [`set_exception`]. The first step may be left out. None of the methods blocks;
/// callbacks of the future run within them. A promise that is dropped without a result fails its
/// future, so nobody waits for ever.
///
/// [`set_running_or_notify_cancel`]: Self::set_running_or_notify_cancel
/// [`set_result`]: Self::set_result
/// [`set_exception`]: Self::set_exception
///
/// # Python
///
/// In Python these are methods of the future itself. A wrong step is a typed error here, and the
/// first result always stays.
///
/// # Examples
///
/// ```
/// use concurrent_futures::Promise;
///
/// let (mut promise, future) = Promise::new();
/// std::thread::spawn(move || {
///     if promise.set_running_or_notify_cancel().is_ok_and(|go_on| go_on) {
///         promise.set_result("made elsewhere").expect("nobody else keeps this promise");
///     }
/// });
/// assert_eq!(future.result()?, "made elsewhere");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Promise<T> {
    producer: Producer<T>,
}

impl<T: Send + 'static> Promise<T> {
    /// A promise and its future.
    #[allow(clippy::new_ret_no_self)] // The pair is what a promise is good for.
    pub fn new() -> (Promise<T>, Future<T>) {
        Self::with_extras(None)
    }

    /// A promise and its future, with a label for errors and `Debug`.
    ///
    /// # Examples
    ///
    /// ```
    /// let (promise, future) = concurrent_futures::Promise::<u32>::labelled("answer");
    /// drop(promise);
    /// let message = future.result().unwrap_err().to_string();
    /// assert!(message.starts_with("task `answer` will never finish"));
    /// ```
    pub fn labelled(label: impl Into<String>) -> (Promise<T>, Future<T>) {
        let label = Some(Arc::from(label.into()));
        Self::with_extras(TaskSettings { label, ..TaskSettings::default() }.shared())
    }

    fn with_extras(extras: Option<Arc<Extras>>) -> (Promise<T>, Future<T>) {
        let (producer, handle) = promised(OwnerId::NOBODY, extras);
        (Promise { producer }, Future::new(handle))
    }

    /// Says that the work begins. `Ok(false)` if the future was cancelled: then there is nothing to
    /// do, and everybody has been told.
    ///
    /// # Errors
    ///
    /// If it has begun before, or is done otherwise.
    pub fn set_running_or_notify_cancel(&mut self) -> Result<bool, InvalidStateError> {
        match self.producer.begin() {
            Ok(()) => Ok(true),
            Err(now) if now.is_cancelled() => Ok(false),
            Err(now) => Err(invalid("begin", now)),
        }
    }

    /// Gives the result.
    ///
    /// # Errors
    ///
    /// If the future is done already: cancelled, or by an earlier result, which stays.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{FutureState, Promise};
    ///
    /// let (mut promise, future) = Promise::new();
    /// promise.set_result(1).unwrap();
    /// let error = promise.set_result(2).unwrap_err();
    /// assert_eq!(error.state(), FutureState::Finished);
    /// assert_eq!(future.result().unwrap(), 1);
    /// ```
    pub fn set_result(&mut self, value: T) -> Result<(), InvalidStateError> {
        self.producer.conclude(Ok(value)).map_err(|now| invalid("take a result", now))
    }

    /// Fails the future with an error; a [`TaskError`] is passed on as it is.
    ///
    /// # Errors
    ///
    /// If the future is done already: cancelled, or by an earlier result, which stays.
    ///
    /// # Examples
    ///
    /// ```
    /// let (mut promise, future) = concurrent_futures::Promise::<u32>::new();
    /// promise.set_exception("no such page")?;
    /// assert_eq!(future.result().unwrap_err().to_string(), "task failed: no such page");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_exception(
        &mut self,
        error: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Result<(), InvalidStateError> {
        let error = match error.into().downcast::<TaskError>() {
            Ok(error) => *error,
            Err(error) => self.producer.task().error(TaskErrorKind::Failed(error)),
        };
        self.producer.conclude(Err(error)).map_err(|now| invalid("take an error", now))
    }

    /// Whether the future's owner has asked for the work to stop, after it had begun.
    ///
    /// # Examples
    ///
    /// See [`set_cancelled`](Self::set_cancelled).
    pub fn cancellation_requested(&self) -> bool {
        self.producer.task().snapshot().is_stop_requested()
    }

    /// Ends the future as cancelled, after the work has heeded a request to stop.
    ///
    /// # Errors
    ///
    /// If the future is done already.
    ///
    /// # Examples
    ///
    /// ```
    /// let (mut promise, future) = concurrent_futures::Promise::<u32>::new();
    /// promise.set_running_or_notify_cancel()?;
    /// assert!(future.abort() && promise.cancellation_requested());
    /// promise.set_cancelled()?;
    /// assert!(future.cancelled());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_cancelled(&mut self) -> Result<(), InvalidStateError> {
        let error = self.producer.task().error(TaskErrorKind::Cancelled);
        self.producer.conclude(Err(error)).map_err(|now| invalid("be cancelled", now))
    }
}

fn invalid(step: &'static str, now: Snapshot) -> InvalidStateError {
    InvalidStateError { step, state: now.public() }
}

impl<T> std::fmt::Debug for Promise<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let task = self.producer.task();
        super::debug(f, "Promise", task.snapshot().public(), task.label().map(|label| &**label))
    }
}
