//! An executor whose kind is chosen when the program runs.

use crate::error::{BuildError, ParseExecutorError};
use crate::executor::{Executor, Map, MapOptions, Portable, Stats, TaskOptions};
use crate::future::Future;
#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
use crate::process::ProcessPoolExecutor;
use crate::thread::ThreadPoolExecutor;
use std::str::FromStr;

/// An executor of any kind, which can be parsed from a text: `threads:4`, `processes:4`, or
/// `threads` and `processes` for one worker on every processor that this process may use.
///
/// For programs whose users choose, in a configuration file or on the command line. What it can do
/// is in the trait [`Executor`].
///
/// # Python
///
/// There is no counterpart.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{AnyExecutor, Executor};
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
    /// A pool of threads.
    ///
    /// # Errors
    ///
    /// As [`ThreadPoolExecutor::new`].
    pub fn threads(max_workers: usize) -> Result<Self, BuildError> {
        ThreadPoolExecutor::new(max_workers).map(AnyExecutor::Threads)
    }

    /// A pool of processes.
    ///
    /// # Errors
    ///
    /// As [`ProcessPoolExecutor::new`].
    #[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
    pub fn processes(max_workers: usize) -> Result<Self, BuildError> {
        ProcessPoolExecutor::new(max_workers).map(AnyExecutor::Processes)
    }

    /// How many workers run tasks at once.
    pub fn max_workers(&self) -> usize {
        with!(self, executor => executor.max_workers())
    }

    /// What the executor is doing, in numbers.
    pub fn stats(&self) -> Stats {
        with!(self, executor => executor.stats())
    }
}

impl FromStr for AnyExecutor {
    type Err = ParseExecutorError;

    fn from_str(text: &str) -> Result<Self, ParseExecutorError> {
        let (kind, workers) = match text.split_once(':') {
            None => (text, None),
            Some((kind, workers)) => match workers.trim().parse() {
                Ok(workers) => (kind, Some(workers)),
                Err(error) => {
                    return Err(ParseExecutorError::Workers { text: text.to_owned(), error });
                }
            },
        };
        let built = match kind.trim() {
            "threads" => {
                let builder = ThreadPoolExecutor::builder();
                let builder = match workers {
                    Some(workers) => builder.max_workers(workers),
                    None => builder,
                };
                builder.build().map(AnyExecutor::Threads)
            }
            #[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
            "processes" => {
                let builder = ProcessPoolExecutor::builder();
                let builder = match workers {
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
        with!(self, executor => executor.submit(function, argument))
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
        with!(self, executor => executor.map_with(options, function, items))
    }

    fn shutdown(&self, wait: bool, cancel_futures: bool) {
        with!(self, executor => executor.shutdown(wait, cancel_futures));
    }
}
