#![doc = include_str!("README.md")]

mod builder;
mod call;
mod crew;
mod fork;
mod guest;
mod handle;
mod join;
mod part;
mod pool;
mod retry;
mod roster;
mod scope;
mod seat;
mod settings;
mod shutdown;
mod then;
mod worker;

#[cfg(all(test, concurrent_futures_loom))]
mod bound_model_tests;
#[cfg(all(test, concurrent_futures_loom))]
mod fork_model_tests;
#[cfg(all(test, concurrent_futures_loom))]
mod model_tests;

pub use builder::ThreadPoolBuilder;
pub use handle::ThreadPoolHandle;
pub use join::join;
pub use retry::Retrying;
pub use scope::{Scope, ScopedFuture};

use crate::error::BuildError;
use crate::executor::{Executor, Map, MapOptions, Portable, TaskOptions};
use crate::future::Future;
use crate::sync::Arc;
use pool::Pool;
use std::ops::Deref;

/// A pool of threads that runs submitted calls.
///
/// The executor owns its threads. They are started on demand, up to `max_workers`, and idle ones are
/// used again. What can be submitted, and how, stands with [`ThreadPoolHandle`], to which the
/// executor dereferences; [`handle`](Self::handle) gives one that can be sent elsewhere.
///
/// Dropping the executor is leaving Python's `with` block: it stops taking tasks, finishes those
/// that it took, and waits for its threads. Dropped because of a panic, it cancels what has not
/// begun, unless [told otherwise](ThreadPoolBuilder::cancel_on_unwind). Dropped by one of its own
/// tasks, it does not wait. One that is leaked leaves its threads asleep, which does not keep the
/// program from ending.
///
/// `S` is the state that the [initializer](ThreadPoolBuilder::initializer) makes for each worker.
///
/// # Python
///
/// `concurrent.futures.ThreadPoolExecutor`.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{ThreadPoolExecutor, as_completed};
///
/// fn is_prime(n: u64) -> bool {
///     n >= 2 && (2..).take_while(|d| d * d <= n).all(|d| n % d != 0)
/// }
///
/// let executor = ThreadPoolExecutor::new(4)?;
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
pub struct ThreadPoolExecutor<S: 'static = ()> {
    handle: ThreadPoolHandle<S>,
}

// A task is ended by whoever catches its panic, so nobody sees anything half done through this.
impl<S> std::panic::UnwindSafe for ThreadPoolExecutor<S> {}
impl<S> std::panic::RefUnwindSafe for ThreadPoolExecutor<S> {}

impl ThreadPoolExecutor {
    /// A pool of up to `max_workers` threads, with everything else at its default.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if `max_workers` is zero, or too many.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ThreadPoolExecutor;
    /// assert!(ThreadPoolExecutor::new(2).is_ok());
    /// let error = ThreadPoolExecutor::new(0).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "a pool needs at least 1 worker, and max_workers is 0; \
    ///      left out, it is the number of processors"
    /// );
    /// ```
    pub fn new(max_workers: usize) -> Result<Self, BuildError> {
        Self::builder().max_workers(max_workers).build()
    }

    /// Collects the settings of a pool; see [`ThreadPoolBuilder`].
    pub fn builder() -> ThreadPoolBuilder {
        ThreadPoolBuilder::new()
    }
}

impl<S: 'static> ThreadPoolExecutor<S> {
    fn owning(pool: Arc<Pool>) -> Self {
        ThreadPoolExecutor { handle: ThreadPoolHandle::new(pool) }
    }

    /// A handle that can be cloned and sent elsewhere, into tasks for instance. It does not keep the
    /// executor going.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// let handle = executor.handle();
    /// let elsewhere = std::thread::spawn(move || handle.submit(|n| n + 1, 41).result());
    /// assert_eq!(elsewhere.join().unwrap()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn handle(&self) -> ThreadPoolHandle<S> {
        self.handle.clone()
    }
}

// These have namesakes in the trait `Executor`, which would hide those of the handle wherever
// the trait is in scope.
impl<S: 'static> ThreadPoolExecutor<S> {
    /// Submits the call `function(argument)`; see [`ThreadPoolHandle::submit`].
    pub fn submit<F, A, R>(&self, function: F, argument: A) -> Future<R>
    where
        F: FnOnce(A) -> R + Send + 'static,
        A: Send + 'static,
        R: Send + 'static,
    {
        self.handle.submit(function, argument)
    }

    /// Calls `function` with every item, and gives the results in the order of the items; see
    /// [`ThreadPoolHandle::map`].
    pub fn map<F, A, R, I>(&self, function: F, items: I) -> Map<I::IntoIter, R>
    where
        F: Fn(A) -> R + Send + Sync + 'static,
        A: Send + 'static,
        R: Send + 'static,
        I: IntoIterator<Item = A>,
    {
        self.handle.map(function, items)
    }

    /// Like [`map`](Self::map), in the way that the options say.
    pub fn map_with<F, A, R, I>(
        &self,
        options: MapOptions,
        function: F,
        items: I,
    ) -> Map<I::IntoIter, R>
    where
        F: Fn(A) -> R + Send + Sync + 'static,
        A: Send + 'static,
        R: Send + 'static,
        I: IntoIterator<Item = A>,
    {
        self.handle.map_with(options, function, items)
    }

    /// Stops taking tasks, and ends; see [`ThreadPoolHandle::shutdown`].
    pub fn shutdown(&self, wait: bool, cancel_futures: bool) {
        self.handle.shutdown(wait, cancel_futures);
    }
}

impl Default for ThreadPoolExecutor {
    /// A pool with a thread for every processor that this process may use.
    ///
    /// # Python
    ///
    /// `ThreadPoolExecutor()`, whose default is four more than that, and 32 at most.
    ///
    /// # Examples
    ///
    /// ```
    /// let executor = concurrent_futures::ThreadPoolExecutor::default();
    /// assert!(executor.max_workers() >= 1);
    /// ```
    fn default() -> Self {
        match Self::builder().build() {
            Ok(executor) => executor,
            Err(error) => unreachable!("the default settings are valid: {error}"),
        }
    }
}

impl<S: 'static> Deref for ThreadPoolExecutor<S> {
    type Target = ThreadPoolHandle<S>;

    fn deref(&self) -> &ThreadPoolHandle<S> {
        &self.handle
    }
}

impl<S: 'static> Executor for ThreadPoolExecutor<S> {
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

impl<S: 'static> Drop for ThreadPoolExecutor<S> {
    fn drop(&mut self) {
        let is_unwinding = std::thread::panicking();
        let cancel = is_unwinding && self.handle.pool().settings.cancel_on_unwind;
        self.handle.shutdown(true, cancel);
    }
}
