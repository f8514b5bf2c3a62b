//! placeholder
#![deny(unsafe_code)]
mod error;
mod executor;
mod future;
mod queue;
mod sync;
mod sys;
#[allow(unsafe_code)]
mod task;
#[allow(unsafe_code)] // In `scope` only.
mod thread;

pub use error::{
    AllFailed, BrokenCause, BuildError, FutureState, InvalidStateError, Refusal, TaskError,
    TaskErrorKind, TaskPanic, TrySubmitError, WaitTimeout,
};
pub use executor::{Executor, Map, MapOptions, Portable, TaskOptions};
pub use future::{
    AsCompleted, AsCompletedTimeout, CancelOnDrop, CompletionQueue, CompletionTimeout, Future,
    Group, Promise, ReturnWhen, SharedFuture, Stopped, Waitable, Waited, as_completed,
    as_completed_timeout, first_success, wait, wait_timeout,
};
pub use queue::Order;
pub use task::{block_in_place, cancellation_requested, current_label};
pub use thread::{
    Retrying, Scope, ScopedFuture, ShutdownReport, Stats, ThreadPoolBuilder, ThreadPoolExecutor,
    ThreadPoolHandle, WhenFull,
};
