//! What keeps an executor from taking a task, or from running those that it has taken.

use super::fmt_with_sources;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Why an executor did not take a task.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{Refusal, TaskErrorKind, ThreadPoolExecutor};
///
/// let executor = ThreadPoolExecutor::new(1)?;
/// executor.shutdown(true, false);
/// let error = executor.spawn(|| "too late").result().unwrap_err();
/// assert!(matches!(error.kind(), TaskErrorKind::Refused(Refusal::ShutDown)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum Refusal {
    /// The executor has been shut down.
    ShutDown,
    /// The bounded queue is full.
    QueueFull {
        /// How many tasks may wait.
        capacity: usize,
    },
    /// There is no worker, and the operating system refused to start one.
    NoWorker(Arc<std::io::Error>),
    /// The executor is broken.
    Broken(BrokenCause),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::ShutDown => f.write_str(
                "the executor has been shut down; submit before `shutdown`, or to another executor",
            ),
            Refusal::QueueFull { capacity } => write!(
                f,
                "the executor's queue is full (its capacity is {capacity}); try again later, or \
                 choose `WhenFull::Block`"
            ),
            Refusal::NoWorker(error) => {
                write!(f, "no worker could be started: {error}{}", advice_about(error))
            }
            Refusal::Broken(cause) => {
                write!(f, "the executor is broken: {cause}; build a new one")
            }
        }
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_with_sources(self, f)
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Refusal::NoWorker(error) => error.source(),
            Refusal::Broken(cause) => cause.source(),
            Refusal::ShutDown | Refusal::QueueFull { .. } => None,
        }
    }
}

/// What helps against a limit is of no use where something does not exist, or is not allowed.
fn advice_about(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind::{InvalidInput, NotADirectory, NotFound, PermissionDenied};
    match error.kind() {
        NotFound | NotADirectory | PermissionDenied | InvalidInput => "",
        _ => "; if that is a limit of the system, raise it or have fewer workers",
    }
}

/// What broke an executor.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{TaskErrorKind, ThreadPoolExecutor};
///
/// let builder = ThreadPoolExecutor::builder().max_workers(1);
/// let executor = builder.try_initializer(|| "no number".parse::<u32>()).build()?;
/// // Taken before the worker failed, or refused after that.
/// let error = executor.spawn(|| ()).result().unwrap_err();
/// if let TaskErrorKind::Broken(cause) = error.kind() {
///     assert!(cause.cause().is::<std::num::ParseIntError>());
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct BrokenCause {
    what: &'static str,
    cause: Arc<dyn Error + Send + Sync>,
}

impl BrokenCause {
    /// `what` says what happened, as the beginning of a sentence that `cause` ends.
    pub(crate) fn new(what: &'static str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        BrokenCause { what, cause: Arc::from(cause.into()) }
    }

    /// A thread of the executor's own panics at this moment.
    pub(crate) fn of_panicking_thread() -> Self {
        BrokenCause::new(BrokenCause::OWN_PANIC, "its message has been printed where it panicked")
    }

    pub(crate) const OWN_PANIC: &str = "a thread of the executor's own panicked";

    /// The cause itself: an initializer's error, or a [`TaskError`](crate::TaskError) if it panicked.
    pub fn cause(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.cause
    }
}

impl fmt::Display for BrokenCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.cause)
    }
}

impl Error for BrokenCause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

/// A task that was refused by `try_submit`, with its function and argument.
///
/// # Examples
///
/// See [`try_submit`](crate::ThreadPoolHandle::try_submit).
#[derive(Clone)]
pub struct TrySubmitError<F, A> {
    /// Why it was refused.
    pub reason: Refusal,
    /// The function, as it was handed in.
    pub function: F,
    /// The argument, as it was handed in.
    pub argument: A,
}

impl<F, A> fmt::Debug for TrySubmitError<F, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_with_sources(self, f)
    }
}

impl<F, A> fmt::Display for TrySubmitError<F, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the task was refused: {}", self.reason)
    }
}

impl<F, A> Error for TrySubmitError<F, A> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason.source()
    }
}
