//! What can go wrong before there is an executor.

use super::{TransferError, fmt_with_sources};
use std::fmt;

/// The executor could not be built, or resized, as asked.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{BuildError, ThreadPoolExecutor};
///
/// let error = ThreadPoolExecutor::builder().max_workers(0).build().unwrap_err();
/// assert!(matches!(error, BuildError::ZeroWorkers));
/// ```
///
/// # Python
///
/// `ValueError` of the constructor.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// `max_workers` was zero, so that no task could ever run.
    #[error(
        "a pool needs at least 1 worker, and max_workers is 0; left out, it is the number of processors"
    )]
    ZeroWorkers,
    /// `max_workers` was more than a pool of this kind can have.
    #[error("max_workers is {asked}, but at most {most} are possible")]
    TooManyWorkers {
        /// What was asked for.
        asked: usize,
        /// The most there can be.
        most: usize,
    },
    /// The queue's capacity was zero, so that no task could ever be taken.
    #[error("queue_capacity must be at least 1")]
    ZeroCapacity,
    /// The thread name prefix holds a NUL, which no thread name can.
    #[error("thread_name_prefix must not contain a NUL character")]
    NulInThreadName,
    /// A setting that counts something was zero.
    #[error("{setting} must be at least 1")]
    Zero {
        /// The setting.
        setting: &'static str,
    },
    /// An environment variable that no process can have.
    #[error("the environment variable `{name}` cannot be set: {reason}")]
    InvalidVariable {
        /// Its name.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// This process was started as a worker, but became an ordinary program.
    #[error(
        "this process was started as a worker but has run as an ordinary program: the hook that \
         runs before `main` is missing. Call `concurrent_futures::init()` first in `main`"
    )]
    NotBootstrapped,
    /// The executable of this process does not contain this crate, so that it cannot be started
    /// again as a worker.
    #[error(
        "a worker cannot be started from this executable: this crate is part of a shared library \
         that was loaded later. Build the pool in the program itself, or call \
         `concurrent_futures::init()` first in its `main`"
    )]
    NotInExecutable,
    /// Pools within workers of pools are nested too deeply.
    #[error(
        "this process is a worker at depth {depth} and may not have workers of its own, since \
         `max_depth` is {most}"
    )]
    TooDeep {
        /// How many levels of workers this process is below the first program.
        depth: usize,
        /// How many there may be.
        most: usize,
    },
    /// The function, or the argument, of an initializer or finalizer cannot be sent to a worker.
    #[error("the {hook} cannot be sent to workers: {error}")]
    NotTransferable {
        /// Which of them.
        hook: &'static str,
        /// Why.
        error: TransferError,
    },
}

impl fmt::Debug for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_with_sources(self, f)
    }
}

/// A text does not say which executor is wanted.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{AnyExecutor, ParseExecutorError};
///
/// let error = "fibres:4".parse::<AnyExecutor>().unwrap_err();
/// assert!(matches!(error, ParseExecutorError::Kind { .. }));
/// let error = "threads:many".parse::<AnyExecutor>().unwrap_err();
/// assert!(error.to_string().starts_with("`threads:many` has no number of workers after the colon"));
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ParseExecutorError {
    /// It names no kind of executor.
    #[error("`{text}` names no executor; say `threads:N` or `processes:N`, or leave `:N` out")]
    Kind {
        /// The whole text.
        text: String,
    },
    /// What stands after the colon is not a number of workers.
    #[error("`{text}` has no number of workers after the colon: {error}")]
    Workers {
        /// The whole text.
        text: String,
        /// Why it is no number.
        error: std::num::ParseIntError,
    },
    /// The text is clear, but such an executor cannot be built.
    #[error(transparent)]
    Build(BuildError),
}

impl fmt::Debug for ParseExecutorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_with_sources(self, f)
    }
}
