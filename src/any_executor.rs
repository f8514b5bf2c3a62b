//! An executor whose kind is chosen when the program runs.

use crate::error::{BuildError, ParseExecutorError, TrySubmitError};
use crate::executor::{Executor, Map, MapOptions, Portable, ShutdownReport, Stats, TaskOptions};
use crate::future::Future;
#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
use crate::process::ProcessPoolExecutor;
use crate::thread::ThreadPoolExecutor;
use std::str::FromStr;
use std::time::Duration;

/// An executor of any kind, which can be parsed from a text: `threads:4`, `processes:4`, or
/// `threads` and `processes` for one worker on every processor that this process may use.
///
/// For programs whose users choose, in a configuration file or on the command line. For what only one
/// kind of executor can do, `match` on it.
/// Dropping it is dropping the executor inside: it finishes the tasks that it took, and waits.
///
/// # Python
///
/// There is no counterpart.
///
/// # Examples
///
/// ```
/// use concurrent_futures::AnyExecutor;
///
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// for kind in ["threads:2", "processes:2"] {
///     let executor: AnyExecutor = kind.parse()?;
///     let squares: Result<Vec<u64>, _> = executor.map(square, 1..=4).collect();
///     assert_eq!(squares?, [1, 4, 9, 16]);
/// }
///
/// let error = "fibres:4".parse::<AnyExecutor>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "`fibres:4` names no executor; say `threads:N` or `processes:N`, or leave `:N` out"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum AnyExecutor {
    /// A pool of threads.
    Threads(ThreadPoolExecutor),
    /// A pool of processes.
    #[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
    Processes(ProcessPoolExecutor),
}

/// Does the same with an executor of each kind.
macro_rules! with {
    ($any:expr, $executor:ident => $body:expr) => {
        match $any {
            AnyExecutor::Threads($executor) => $body,
            #[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
            AnyExecutor::Processes($executor) => $body,
        }
    };
}

impl AnyExecutor {
    /// A pool of up to `max_workers` threads.
    ///
    /// # Errors
    ///
    /// As [`ThreadPoolExecutor::new`].
    ///
    /// # Examples
    ///
    /// See [`spawn`](Self::spawn).
    pub fn threads(max_workers: usize) -> Result<Self, BuildError> {
        ThreadPoolExecutor::new(max_workers).map(AnyExecutor::Threads)
    }

    /// A pool of up to `max_workers` processes.
    ///
    /// # Errors
    ///
    /// As [`ProcessPoolExecutor::new`].
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::AnyExecutor;
    ///
    /// let executor = AnyExecutor::processes(1)?;
    /// assert_ne!(executor.spawn(std::process::id).result()?, std::process::id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
    pub fn processes(max_workers: usize) -> Result<Self, BuildError> {
        ProcessPoolExecutor::new(max_workers).map(AnyExecutor::Processes)
    }

    /// Submits the call `function(argument)`; see [`Executor::submit`].
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::AnyExecutor::threads(1)?;
    /// assert_eq!(executor.submit(|n: u32| n + 1, 41).result()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn submit<A: Portable, R: Portable>(&self, function: fn(A) -> R, argument: A) -> Future<R> {
        with!(self, executor => executor.submit(function, argument))
    }

    /// Calls `function` with every item, and gives the results in the order of the items; see
    /// [`Executor::map`].
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::AnyExecutor::threads(2)?;
    /// let squares: Result<Vec<u32>, _> = executor.map(|n| n * n, [1, 2, 3]).collect();
    /// assert_eq!(squares?, [1, 4, 9]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map<A, R, I>(&self, function: fn(A) -> R, items: I) -> Map<I::IntoIter, R>
    where
        A: Portable,
        R: Portable,
        I: IntoIterator<Item = A>,
    {
        with!(self, executor => executor.map(function, items))
    }

    /// Like [`map`](Self::map), in the way that the options say.
    ///
    /// # Examples
    ///
    /// See [`MapOptions`].
    pub fn map_with<A, R, I>(
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
        with!(self, executor => executor.map_with(options, function, items))
    }

    /// Stops taking tasks, and ends; see [`Executor::shutdown`].
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::AnyExecutor::threads(1)?;
    /// let future = executor.submit(|n: u32| n + 1, 41);
    /// executor.shutdown(true, false);
    /// assert!(future.done());
    /// assert!(executor.spawn(|| 1).result().unwrap_err().is_refused());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown(&self, wait: bool, cancel_futures: bool) {
        with!(self, executor => executor.shutdown(wait, cancel_futures));
    }

    /// Submits the call `function()`; otherwise as [`submit`](Self::submit).
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::AnyExecutor::threads(1)?;
    /// assert_eq!(executor.spawn(|| 6 * 7).result()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn<R: Portable>(&self, function: fn() -> R) -> Future<R> {
        with!(self, executor => executor.spawn(function))
    }

    /// Submits the call `function(argument)`, or gives both back if it is refused. Never blocks.
    ///
    /// # Errors
    ///
    /// [`TrySubmitError`] with the reason, function and argument.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::AnyExecutor::threads(1)?;
    /// executor.shutdown(true, false);
    /// let refused = executor.try_submit(|text: String| text.len(), "kept".to_owned()).unwrap_err();
    /// assert_eq!(refused.argument, "kept");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[allow(clippy::type_complexity)] // The type of the function is a part of it.
    pub fn try_submit<A: Portable, R: Portable>(
        &self,
        function: fn(A) -> R,
        argument: A,
    ) -> Result<Future<R>, TrySubmitError<fn(A) -> R, A>> {
        with!(self, executor => executor.try_submit(function, argument))
    }

    /// Submits a call of `function` with each of `arguments`. The futures come in the order of the
    /// arguments. Blocks as [`submit`](Self::submit) does, for each of them.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::AnyExecutor::threads(2)?;
    /// let futures = executor.submit_all(|n: u32| n * n, [1, 2, 3]);
    /// let squares: Result<Vec<u32>, _> = futures.into_iter().map(|it| it.result()).collect();
    /// assert_eq!(squares?, [1, 4, 9]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn submit_all<A: Portable, R: Portable>(
        &self,
        function: fn(A) -> R,
        arguments: impl IntoIterator<Item = A>,
    ) -> Vec<Future<R>> {
        with!(self, executor => executor.submit_all(function, arguments))
    }

    /// Submits a call of `function` with the value of `future`, once that is there; see
    /// [`ThreadPoolHandle::then`](crate::ThreadPoolHandle::then). Never blocks.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::AnyExecutor::threads(1)?;
    /// let length = executor.submit(|text: String| text.len(), "eight...".to_owned());
    /// let squared = executor.then(length, |n| n * n);
    /// assert_eq!(squared.result()?, 64);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn then<T: Portable, R: Portable>(
        &self,
        future: Future<T>,
        function: fn(T) -> R,
    ) -> Future<R> {
        with!(self, executor => executor.then(future, function))
    }

    /// How many workers run tasks at once.
    ///
    /// # Examples
    ///
    /// See [`resize`](Self::resize).
    pub fn max_workers(&self) -> usize {
        with!(self, executor => executor.max_workers())
    }

    /// Changes how many workers run tasks at once. Never blocks and loses no task.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if there cannot be so many, or none; then nothing changes.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::AnyExecutor::threads(1)?;
    /// executor.resize(3)?;
    /// assert_eq!(executor.max_workers(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resize(&self, max_workers: usize) -> Result<(), BuildError> {
        with!(self, executor => executor.resize(max_workers))
    }

    /// What the executor is doing, in numbers. Blocks no longer than it takes to read them. A task
    /// counts as running until just after its future is done; see [`Stats`].
    ///
    /// # Examples
    ///
    /// See [`Stats`].
    pub fn stats(&self) -> Stats {
        with!(self, executor => executor.stats())
    }

    /// Stops taking tasks, and ends the executor step by step within `drain` and `grace`; see
    /// [`ThreadPoolHandle::shutdown_timeout`](crate::ThreadPoolHandle::shutdown_timeout) and
    /// `ProcessPoolHandle::shutdown_timeout`, which kills what does not stop.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::AnyExecutor;
    /// use std::time::Duration;
    ///
    /// let executor = AnyExecutor::threads(2)?;
    /// let future = executor.spawn(|| 42);
    /// let report = executor.shutdown_timeout(Duration::from_secs(60), Duration::ZERO);
    /// assert!(report.is_clean());
    /// assert_eq!(future.result()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown_timeout(&self, drain: Duration, grace: Duration) -> ShutdownReport {
        with!(self, executor => executor.shutdown_timeout(drain, grace))
    }
}

impl FromStr for AnyExecutor {
    type Err = ParseExecutorError;

    fn from_str(text: &str) -> Result<Self, ParseExecutorError> {
        let (kind, workers) = match text.split_once(':') {
            None => (text, None),
            Some((kind, workers)) => (kind, Some(workers.trim())),
        };
        let workers = || match workers.map(str::parse).transpose() {
            Ok(workers) => Ok(workers),
            Err(error) => Err(ParseExecutorError::Workers { text: text.to_owned(), error }),
        };
        let built = match kind.trim() {
            "threads" => {
                let builder = ThreadPoolExecutor::builder();
                let builder = match workers()? {
                    Some(workers) => builder.max_workers(workers),
                    None => builder,
                };
                builder.build().map(AnyExecutor::Threads)
            }
            #[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
            "processes" => {
                let builder = ProcessPoolExecutor::builder();
                let builder = match workers()? {
                    Some(workers) => builder.max_workers(workers),
                    None => builder,
                };
                builder.build().map(AnyExecutor::Processes)
            }
            _ => return Err(ParseExecutorError::Kind { text: text.to_owned() }),
        };
        built.map_err(ParseExecutorError::Build)
    }
}

impl From<ThreadPoolExecutor> for AnyExecutor {
    fn from(executor: ThreadPoolExecutor) -> Self {
        AnyExecutor::Threads(executor)
    }
}

#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
impl From<ProcessPoolExecutor> for AnyExecutor {
    fn from(executor: ProcessPoolExecutor) -> Self {
        AnyExecutor::Processes(executor)
    }
}

impl Executor for AnyExecutor {
    fn submit_with<A: Portable, R: Portable>(
        &self,
        options: &TaskOptions,
        function: fn(A) -> R,
        argument: A,
    ) -> Future<R> {
        with!(self, executor => executor.submit_with(options, function, argument))
    }

    fn submit<A: Portable, R: Portable>(&self, function: fn(A) -> R, argument: A) -> Future<R> {
        AnyExecutor::submit(self, function, argument)
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
        AnyExecutor::map_with(self, options, function, items)
    }

    fn shutdown(&self, wait: bool, cancel_futures: bool) {
        AnyExecutor::shutdown(self, wait, cancel_futures);
    }
}
