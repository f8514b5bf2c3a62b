#![doc = include_str!("README.md")]

#[cfg(any(test, fuzzing))]
pub(crate) mod any_bytes;
mod builder;
mod encoding;
mod handle;
mod machine;
mod map;
mod own;
mod page;
mod payload;
mod pool;
mod shared;
mod shutdown;
mod then;
mod wire;
mod worker;

pub use builder::ProcessPoolBuilder;
pub use handle::ProcessPoolHandle;
pub use machine::OnWorkerDeath;
pub use own::worker_index;
pub use pool::view::{WorkerInfo, WorkerState};
pub use shared::{Plain, SharedCounter, SharedData, StopFlag};
pub use worker::bootstrap::init;

use crate::error::BuildError;
use crate::executor::{Executor, Map, MapOptions, Portable, TaskOptions};
use crate::future::Future;
use crate::sync::Arc;
use pool::Pool;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ops::Deref;

/// A pool of processes that runs submitted calls.
///
/// A task that crashes, is killed, or runs beyond its [timeout](crate::TaskOptions::timeout) costs its
/// own future and nothing else: the worker is replaced, and every other task goes on. (Of a `map`, a
/// [chunk](crate::MapOptions::chunksize) is one task.) The workers are started from this very executable, on
/// demand and up to `max_workers`; nothing has to be registered, and no `main` has to be prepared
/// for it. What can be submitted, and how, stands with [`ProcessPoolHandle`], to which the executor
/// dereferences.
///
/// Dropping the executor is leaving Python's `with` block: it stops taking tasks, finishes those
/// that it took, and waits for its workers. Dropped because of a panic, it cancels what has not
/// begun, unless [told otherwise](ProcessPoolBuilder::cancel_on_unwind). Workers end when this
/// process ends, in whichever way.
///
/// `S` is the state that the [initializer](ProcessPoolBuilder::initializer) makes in each worker.
///
/// # Python
///
/// `concurrent.futures.ProcessPoolExecutor`. A lost worker is replaced, instead of breaking the
/// pool; `OnWorkerDeath::Break` is Python's way.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{ProcessPoolExecutor, as_completed};
///
/// fn is_prime(n: u64) -> bool {
///     n >= 2 && (2..).take_while(|d| d * d <= n).all(|d| n % d != 0)
/// }
///
/// let executor = ProcessPoolExecutor::new(2)?;
/// let futures: Vec<_> = (2..30).map(|n| (n, executor.submit(is_prime, n))).collect();
/// let mut primes = Vec::new();
/// for (n, future) in as_completed(futures) {
///     if future.result()? {
///         primes.push(n);
///     }
/// }
/// primes.sort();
/// assert_eq!(primes, [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ProcessPoolExecutor<S: 'static = ()> {
    handle: ProcessPoolHandle<S>,
}

// A task is ended by whoever catches its panic, so nobody sees anything half done through this.
impl<S> std::panic::UnwindSafe for ProcessPoolExecutor<S> {}
impl<S> std::panic::RefUnwindSafe for ProcessPoolExecutor<S> {}

impl ProcessPoolExecutor {
    /// A pool of up to `max_workers` processes, with everything else at its default.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if `max_workers` is zero or too many, or if this executable cannot be started
    /// as a worker.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{BuildError, ProcessPoolExecutor};
    ///
    /// assert_eq!(ProcessPoolExecutor::new(2)?.max_workers(), 2);
    /// assert!(matches!(ProcessPoolExecutor::new(0), Err(BuildError::ZeroWorkers)));
    /// # Ok::<(), BuildError>(())
    /// ```
    pub fn new(max_workers: usize) -> Result<Self, BuildError> {
        Self::builder().max_workers(max_workers).build()
    }

    /// Collects the settings of a pool; see [`ProcessPoolBuilder`].
    pub fn builder() -> ProcessPoolBuilder {
        ProcessPoolBuilder::new()
    }
}

impl<S: 'static> ProcessPoolExecutor<S> {
    fn owning(pool: Arc<Pool>) -> Self {
        ProcessPoolExecutor { handle: ProcessPoolHandle::new(pool) }
    }

    /// A handle that can be cloned and sent elsewhere. It does not keep the executor going.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ProcessPoolExecutor::new(1)?;
    /// let handle = executor.handle();
    /// let elsewhere = std::thread::spawn(move || handle.submit(|n| n + 1, 41).result());
    /// assert_eq!(elsewhere.join().unwrap()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handle(&self) -> ProcessPoolHandle<S> {
        self.handle.clone()
    }
}

// These have namesakes in the trait `Executor`, which would hide those of the handle wherever the
// trait is in scope.
impl<S: 'static> ProcessPoolExecutor<S> {
    /// Submits the call `function(argument)`; see [`ProcessPoolHandle::submit`].
    pub fn submit<A, R>(&self, function: fn(A) -> R, argument: A) -> Future<R>
    where
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        self.handle.submit(function, argument)
    }

    /// Calls `function` with every item, and gives the results in the order of the items; see
    /// [`ProcessPoolHandle::map`].
    pub fn map<A, R, I>(&self, function: fn(A) -> R, items: I) -> Map<I::IntoIter, R>
    where
        A: Serialize + DeserializeOwned + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
        I: IntoIterator<Item = A>,
    {
        self.handle.map(function, items)
    }

    /// Like [`map`](Self::map), in the way that the options say.
    pub fn map_with<A, R, I>(
        &self,
        options: MapOptions,
        function: fn(A) -> R,
        items: I,
    ) -> Map<I::IntoIter, R>
    where
        A: Serialize + DeserializeOwned + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
        I: IntoIterator<Item = A>,
    {
        self.handle.map_with(options, function, items)
    }

    /// Stops taking tasks, and ends; see [`ProcessPoolHandle::shutdown`].
    pub fn shutdown(&self, wait: bool, cancel_futures: bool) {
        self.handle.shutdown(wait, cancel_futures);
    }
}

impl<S: 'static> Deref for ProcessPoolExecutor<S> {
    type Target = ProcessPoolHandle<S>;

    fn deref(&self) -> &ProcessPoolHandle<S> {
        &self.handle
    }
}

impl<S: 'static> Executor for ProcessPoolExecutor<S> {
    fn submit_with<A: Portable, R: Portable>(
        &self,
        options: &TaskOptions,
        function: fn(A) -> R,
        argument: A,
    ) -> Future<R> {
        self.handle.submit_with(options, function, argument)
    }

    fn submit<A: Portable, R: Portable>(&self, function: fn(A) -> R, argument: A) -> Future<R> {
        self.handle.submit(function, argument)
    }

    fn map_with<A, R, I>(
        &self,
        options: MapOptions,
        function: fn(A) -> R,
        items: I,
    ) -> Map<I::IntoIter, R>
    where
        A: Portable,
        R: Portable,
        I: IntoIterator<Item = A>,
    {
        self.handle.map_with(options, function, items)
    }

    fn shutdown(&self, wait: bool, cancel_futures: bool) {
        self.handle.shutdown(wait, cancel_futures);
    }
}

impl<S: 'static> Drop for ProcessPoolExecutor<S> {
    fn drop(&mut self) {
        let is_unwinding = std::thread::panicking();
        let cancel = is_unwinding && self.handle.pool().settings.cancel_on_unwind;
        self.handle.shutdown(true, cancel);
    }
}
