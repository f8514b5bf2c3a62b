//! Python's `concurrent.futures`, for Rust: executors that run calls on a pool of workers and
//! return a [`Future`] for each of them.
//!
//! ```
//! use concurrent_futures::{ThreadPoolExecutor, as_completed};
//!
//! fn is_prime(n: u64) -> bool {
//!     n >= 2 && (2..).take_while(|d| d * d <= n).all(|d| n % d != 0)
//! }
//!
//! let executor = ThreadPoolExecutor::new(4)?;
//!
//! let future = executor.submit(is_prime, 1_000_003);          // a function and its argument
//! assert!(future.result()?);                                  // Result<bool, TaskError>
//!
//! let word = String::from("captured");
//! let future = executor.spawn(move || word.len());            // a closure
//! assert_eq!(future.result()?, 8);
//!
//! let futures = (1..5).map(|n| (n, executor.submit(is_prime, n)));
//! for (n, future) in as_completed(futures) {                  // in the order of completion
//!     println!("{n}: {}", future.result()?);
//! }
//!
//! let primes: Result<Vec<bool>, _> = executor.map(is_prime, 1..5).collect();  // in input order
//! assert_eq!(primes?, [false, true, true, false]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Code that may crash, leak or hang goes to worker processes, by the same call:
//!
//! ```
//! use concurrent_futures::ProcessPoolExecutor;
//!
//! fn parse(input: String) -> usize {
//!     if input == "evil" {
//!         std::process::abort();
//!     }
//!     input.len()
//! }
//!
//! let executor = ProcessPoolExecutor::new(2)?;
//! let evil = executor.submit(parse, "evil".to_owned());
//! let good = executor.submit(parse, "good".to_owned());
//! assert!(evil.result().unwrap_err().worker_death().is_some());
//! assert_eq!(good.result()?, 4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The guide in `docs/guide` tells it chapter by chapter; `cargo run --example primes` is a place to begin.
//!
//! # What to use
//!
//! | you want to | use |
//! | --- | --- |
//! | run a function somewhere and have its result later | [`submit`](ThreadPoolHandle::submit), [`spawn`](ThreadPoolHandle::spawn) |
//! | run it for every item of an input | [`map`](ThreadPoolHandle::map), with [`MapOptions`] |
//! | handle results as they come | [`as_completed`], [`CompletionQueue`] if more are added meanwhile |
//! | wait for some of several tasks, or all | [`wait`], [`first_success`] |
//! | borrow from the stack | [`scope`](ThreadPoolHandle::scope) |
//! | part work in two, again and again | [`join`](ThreadPoolHandle::join), and [`join`](join()) in tasks |
//! | submit from inside a task, or from elsewhere | [`handle`](ThreadPoolExecutor::handle), which can be cloned and moved |
//! | go on with a result on the pool | [`then`](ThreadPoolHandle::then) |
//! | await a result in asynchronous code | `.await` on the [`Future`], under any runtime |
//! | survive crashes, and kill what does not stop | [`ProcessPoolExecutor`], [`WorkerDeath`] |
//! | bear processes that leak, or die again and again | [`memory_limit`](ProcessPoolBuilder::memory_limit), [`max_tasks_per_child`](ProcessPoolBuilder::max_tasks_per_child), [`OnWorkerDeath`] |
//! | have the processes started before the first task | [`start_all`](ProcessPoolBuilder::start_all) |
//! | let the program's user choose | [`AnyExecutor`] |
//! | stop tasks | [`cancel`](Future::cancel), [`abort`](Future::abort), [`Group`], [`CancelOnDrop`], a [timeout](TaskOptions::timeout), a [limit on waiting](TaskOptions::begin_within) |
//! | try again | [`retrying`](ThreadPoolHandle::retrying) |
//! | keep producers from running ahead | [`queue_capacity`](ThreadPoolBuilder::queue_capacity) |
//! | use a connection or buffer per worker | [`initializer`](ThreadPoolBuilder::initializer) and [`submit_with_state`](ThreadPoolHandle::submit_with_state) |
//! | know which task an error is about | a [label](TaskOptions::label) |
//! | have some tasks begin before others | [`priority`](TaskOptions::priority) with [`Order::Priority`] |
//! | call something short, and wait for it, again and again | [`caller_helps`](ThreadPoolBuilder::caller_helps) |
//! | block in a task for something that is no future | [`block_in_place`] |
//! | carry a context to tasks (a trace's span) | [`context`](ThreadPoolBuilder::context) |
//! | have more workers, or fewer, later on | [`resize`](ThreadPoolHandle::resize) |
//! | let worker processes read a large table, or count together | `SharedData`, `SharedCounter`, `StopFlag` (Linux) |
//! | show progress | [`stats`](ThreadPoolHandle::stats); `Map::progress` (feature `progress`); `Monitor`, a live view (feature `monitor`) |
//! | see what the workers did | [`Timeline`], as a [picture](Timeline::save_svg) or a [trace](Timeline::save_trace); spans of `tracing` (feature `tracing`) |
//! | find what a task in a process printed, and what it needed | [`output`](Future::output), [`usage`](Future::usage) |
//! | hear of failures that nobody looked at | [`on_unobserved_failure`](ThreadPoolBuilder::on_unobserved_failure) |
//! | end a future yourself, in a test for instance | [`Promise`] |
//! | write code for any executor | the [`Executor`] trait |
//!
//! # For those who come from Python
//!
//! | Python | here |
//! | --- | --- |
//! | `ThreadPoolExecutor(max_workers=4)` | [`ThreadPoolExecutor::new(4)`](ThreadPoolExecutor::new) |
//! | `ProcessPoolExecutor(max_workers=4)` | [`ProcessPoolExecutor::new(4)`](ProcessPoolExecutor::new) |
//! | keyword arguments of the constructor | [`ThreadPoolExecutor::builder`], [`ProcessPoolExecutor::builder`] |
//! | `with` block | the executor's drop |
//! | `submit(fn, *args)` | [`submit(function, argument)`](ThreadPoolHandle::submit); several as a tuple, `submit(\|(a, b)\| f(a, b), (1, 2))`; none: [`spawn`](ThreadPoolHandle::spawn), which on threads also takes closures that capture |
//! | `map(fn, xs, chunksize=, buffersize=, timeout=)` | [`map`](ThreadPoolHandle::map), [`map_with`](ThreadPoolHandle::map_with) |
//! | `map(fn, xs, ys)` | one input, zipped: `map(\|(x, y)\| f(x, y), xs.into_iter().zip(ys))` |
//! | `shutdown(wait, cancel_futures=)` | [`shutdown`](ThreadPoolHandle::shutdown), [`shutdown_timeout`](ThreadPoolHandle::shutdown_timeout) |
//! | `future.result(timeout)` | [`result`](Future::result), [`result_timeout`](Future::result_timeout) |
//! | calling `result()` again | [`shared`](Future::shared) |
//! | `{future: url}` | a pair: `(url, future)` |
//! | `future.exception(timeout)` | [`exception`](Future::exception), after [`wait_timeout`](Future::wait_timeout) |
//! | `future.add_done_callback(fn)` | [`add_done_callback`](Future::add_done_callback), which is given the outcome |
//! | `as_completed(fs, timeout)` | [`as_completed`], [`as_completed_timeout`] |
//! | `wait(fs, timeout, return_when=FIRST_COMPLETED)` | [`wait(fs, ReturnWhen::FirstCompleted)`](wait), [`wait_timeout`] |
//! | `initializer=`, `initargs=` | [`initializer`](ThreadPoolBuilder::initializer), which captures them; for processes [`initializer(function, argument)`](ProcessPoolBuilder::initializer) |
//! | `mp_context=` | nothing: workers are always started anew, as by `spawn` |
//! | `if __name__ == "__main__"` | nothing; or [`init`] |
//! | `terminate_workers()`, `kill_workers()` | [`terminate_workers`](ProcessPoolHandle::terminate_workers), [`kill_workers`](ProcessPoolHandle::kill_workers) |
//! | `CancelledError`, `TimeoutError`, `BrokenExecutor` | [`TaskError`] and its [`TaskErrorKind`]; [`WaitTimeout`] |
//! | an exception in the task | a panic, which is [`TaskErrorKind::Panicked`] (and is printed by the panic hook, as any panic); or an `Err`, see [`flatten`](Future::flatten) |
//!
//! # Features
//!
//! All are off by default.
//!
//! | feature | what it adds | with |
//! | --- | --- | --- |
//! | `progress` | `Map::progress` and `AsCompleted::progress`: a progress bar | `indicatif` |
//! | `monitor` | `Monitor`: a live view of executors in the terminal | `ratatui` |
//! | `tracing` | a span for each task, at the level `INFO` and with the target `concurrent_futures`: below the span of its submitter, entered while the task's code runs on a thread, closed when the task has ended; with its label, function, executor, worker, process and ending | `tracing` |
//!
//! # What can be relied on
//!
//! - Every future ends when its task returns, is cancelled or times out, or is lost with its worker or
//!   executor.
//! - Tasks may submit tasks and wait for them, to any depth, on a single worker. (Tasks that wait for
//!   each other in a circle, or one that waits for itself, wait for ever, as they would anywhere.)
//! - A cancelled future is done for everyone at once; its closure and argument are dropped at once,
//!   by whoever cancelled it.
//! - None of your code (closures, their drops, callbacks, initializers) runs under a lock of this
//!   crate, and a panic in it never costs a worker; but one in an initializer, without which no task
//!   can run, breaks the executor.
//! - Refused work comes back, as a failed future or from `try_submit` with function and argument.
//! - What happens before a submission is seen by the task, and what the task did is seen by whoever
//!   finds its future done.
//!
//! # Cost
//!
//! One allocation for each task, of a header of 64 bytes and the larger of closure and outcome.
//! A [`join`](join()) allocates nothing while all workers are busy, and takes some nanoseconds.
//! Threads that find nothing to do look again, and yield in between, for some 50 microseconds at most,
//! as long as that has paid lately; then they sleep.

#![deny(unsafe_code)]
// What only the pool of processes needs, of which models explore no more than its shared memory.
#![cfg_attr(concurrent_futures_loom, allow(dead_code, unused_imports))]

mod any_executor;
/// The programs in the documents, which are compiled and run with the examples of the crate's documentation.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../docs/guide/src/begin.md")]
    mod begin {}
    #[doc = include_str!("../docs/guide/src/coming_from_python.md")]
    mod coming_from_python {}
    #[doc = include_str!("../docs/guide/src/choosing_a_pool.md")]
    mod choosing_a_pool {}
    #[doc = include_str!("../docs/guide/src/errors_and_retries.md")]
    mod errors_and_retries {}
    #[doc = include_str!("../docs/guide/src/stopping.md")]
    mod stopping {}
    #[doc = include_str!("../docs/guide/src/large_data.md")]
    mod large_data {}
    #[doc = include_str!("../docs/guide/src/async.md")]
    mod inside_async_programs {}
    #[doc = include_str!("../docs/guide/src/testing.md")]
    mod testing {}
    #[doc = include_str!("../docs/guide/src/watching.md")]
    mod watching {}
    #[doc = include_str!("../docs/guide/src/how_it_works.md")]
    mod how_it_works {}
}
mod error;
/// What the fuzzer (`fuzz/`) calls: no part of the crate in any other build.
#[cfg(all(fuzzing, target_os = "linux"))]
#[doc(hidden)]
pub mod fuzzing {
    macro_rules! call {
        ($($name:ident)*) => {$(
            pub fn $name(bytes: &[u8]) {
                crate::process::any_bytes::$name(bytes);
            }
        )*};
    }
    call! { frames values shared_values chunks }
}
mod executor;
mod future;
#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
#[allow(unsafe_code)]
mod process;
#[cfg(all(test, concurrent_futures_loom))]
#[allow(unsafe_code)]
mod process {
    //! What models explore of the pool of processes: the memory that a worker shares with its parent.
    mod page {
        mod inbox;
        mod loans;
        mod model_tests;
        mod outcomes;
        mod ring;
        mod slots;
    }
}
#[cfg(all(feature = "monitor", not(concurrent_futures_loom)))]
mod monitor;
mod queue;
#[cfg(all(test, target_os = "linux", not(concurrent_futures_loom)))]
#[path = "../tests/sweep/mod.rs"]
#[allow(unsafe_code)]
mod sweep;
mod sync;
#[allow(unsafe_code)]
mod sys;
#[allow(unsafe_code)]
mod task;
#[allow(unsafe_code)] // In `scope`, `fork` and `join`, which borrow from the stack.
mod thread;
mod timeline;

pub use any_executor::AnyExecutor;
pub use error::{
    AllFailed, BrokenCause, BuildError, CompletionTimeout, DeathCause, FutureState,
    InvalidStateError, ParseExecutorError, Refusal, TaskError, TaskErrorKind, TaskOutput,
    TaskPanic, TaskUsage, TransferError, TransferStage, TrySubmitError, WaitTimeout, WorkerDeath,
};
#[cfg(feature = "progress")]
pub use executor::Progress;
pub use executor::{
    Executor, Map, MapOptions, Portable, ShutdownReport, Stats, TaskOptions, WhenFull,
};
pub use future::{
    AsCompleted, AsCompletedTimeout, CancelOnDrop, CompletionQueue, Future, Group, Promise,
    ReturnWhen, SharedFuture, Stopped, Waitable, Waited, as_completed, as_completed_timeout,
    first_success, wait, wait_timeout,
};
#[cfg(all(feature = "monitor", not(concurrent_futures_loom)))]
pub use monitor::{Monitor, MonitorView, Watched};
#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
pub use process::{
    OnWorkerDeath, Plain, ProcessPoolBuilder, ProcessPoolExecutor, ProcessPoolHandle,
    SharedCounter, SharedData, StopFlag, WorkerInfo, WorkerState, init, worker_index,
};
pub use queue::Order;
pub use task::{attempt, block_in_place, cancellation_requested, current_label};
pub use thread::{
    Retrying, Scope, ScopedFuture, ThreadPoolBuilder, ThreadPoolExecutor, ThreadPoolHandle, join,
};
pub use timeline::{Ending, TaskRecord, Timeline};
