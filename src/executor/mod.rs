//! What every executor can do, whatever its workers are.
//!
//! Code written against [`Executor`] moves from one pool to another by changing the constructor.
//! The pools' own methods take more: closures that capture, for instance, on threads.

mod bound;
mod map;
mod options;
#[cfg(feature = "progress")]
mod progress;
mod report;
mod time_limit;

pub use bound::WhenFull;
pub(crate) use bound::{Admission, Bound, Patience};
pub(crate) use map::{Chunk, run_chunk};
#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
pub(crate) use map::{ChunkOf, Each};
pub use map::{Map, MapOptions};
pub use options::TaskOptions;
#[cfg(feature = "progress")]
pub use progress::Progress;
pub use report::{ShutdownReport, Stats};
pub(crate) use time_limit::{BeginLimits, apart, expire, timer_of};

use crate::error::BuildError;
use crate::future::Future;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The number of workers, if a pool can have so many.
pub(crate) fn check_workers(max_workers: usize, most: usize) -> Result<usize, BuildError> {
    match max_workers {
        0 => Err(BuildError::ZeroWorkers),
        asked if asked > most => Err(BuildError::TooManyWorkers { asked, most }),
        asked => Ok(asked),
    }
}

/// A value that can go to a worker of any kind, and come back from it.
///
/// Implemented for every type that `serde` can encode and decode and that a thread can be given.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{AnyExecutor, Portable, TaskError};
///
/// /// What is computed, on whichever kind of pool.
/// fn all<A: Portable, R: Portable>(
///     executor: &AnyExecutor,
///     function: fn(A) -> R,
///     items: Vec<A>,
/// ) -> Result<Vec<R>, TaskError> {
///     executor.map(function, items).collect()
/// }
///
/// let executor = AnyExecutor::threads(2)?;
/// assert_eq!(all(&executor, |n: u32| n + 1, vec![1, 2])?, [2, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot go to a process",
    note = "what goes to a process is an owned type that implements `Serialize` and `DeserializeOwned`, of serde, and `Send`",
    note = "a pool of threads takes anything that is `Send`"
)]
pub trait Portable: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Portable for T {}

/// A pool of workers that runs calls.
///
/// The functions are plain `fn`s (a closure that captures nothing is one too), and what they take
/// and give is [`Portable`], so that the same program text runs on threads and on processes. Each
/// pool has methods of the same names that ask for less.
///
/// It cannot be a trait object, since its methods are generic. Where the kind of pool is chosen while the program runs,
/// take an [`AnyExecutor`](crate::AnyExecutor).
///
/// # Python
///
/// `concurrent.futures.Executor`.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{Executor, TaskError, ThreadPoolExecutor};
///
/// fn total(executor: &impl Executor, numbers: Vec<u64>) -> Result<u64, TaskError> {
///     executor.map(|n| n * n, numbers).sum()
/// }
///
/// assert_eq!(total(&ThreadPoolExecutor::new(2)?, vec![1, 2, 3])?, 14);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Executor {
    /// Submits the call `function(argument)` with the given options.
    ///
    /// Never panics, unless a context hook does, and never loses the task: one that is refused
    /// comes back as a future that has failed already. Blocks only if the executor has a bounded
    /// queue that is full, and its policy is to block.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{Executor, TaskOptions, ThreadPoolExecutor};
    ///
    /// let executor = ThreadPoolExecutor::new(1)?;
    /// let options = TaskOptions::new().label("page 7");
    /// let future = executor.submit_with(&options, |n: u32| n + 1, 41);
    /// assert_eq!(future.label(), Some("page 7"));
    /// assert_eq!(future.result()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn submit_with<A: Portable, R: Portable>(
        &self,
        options: &TaskOptions,
        function: fn(A) -> R,
        argument: A,
    ) -> Future<R>;

    /// Submits the call `function(argument)`; see [`submit_with`](Self::submit_with).
    fn submit<A: Portable, R: Portable>(&self, function: fn(A) -> R, argument: A) -> Future<R> {
        self.submit_with(&TaskOptions::new(), function, argument)
    }

    /// Calls `function` with every item, in the given way; see [`Map`].
    ///
    /// The iterator's `next` blocks until a result is there.
    fn map_with<A, R, I>(
        &self,
        options: MapOptions,
        function: fn(A) -> R,
        items: I,
    ) -> Map<I::IntoIter, R>
    where
        A: Portable,
        R: Portable,
        I: IntoIterator<Item = A>;

    /// Calls `function` with every item and gives the results in the order of the items; see
    /// [`Map`].
    ///
    /// # Examples
    ///
    /// See [`Executor`].
    fn map<A, R, I>(&self, function: fn(A) -> R, items: I) -> Map<I::IntoIter, R>
    where
        A: Portable,
        R: Portable,
        I: IntoIterator<Item = A>,
    {
        self.map_with(MapOptions::new(), function, items)
    }

    /// Stops taking tasks. With `cancel_futures`, tasks that have not begun are cancelled,
    /// otherwise they still run; with `wait`, blocks until all workers have ended.
    ///
    /// Calls only ever add to what earlier ones asked for.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// use concurrent_futures::Executor;
    ///
    /// fn finish(executor: &impl Executor) {
    ///     executor.shutdown(true, false);
    /// }
    ///
    /// let future = executor.spawn(|| "taken before");
    /// finish(&executor);
    /// assert_eq!(future.result()?, "taken before");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn shutdown(&self, wait: bool, cancel_futures: bool);
}
