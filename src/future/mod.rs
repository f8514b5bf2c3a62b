//! Futures: the caller's end of a task, and the ways to wait for one or many.
//!
//! A [`Future`] is the handle of one task. A [`Promise`] is the other end, for whoever makes
//! results without a pool. [`wait`](crate::wait), [`as_completed`](crate::as_completed) and
//! [`CompletionQueue`] collect many.
//! Nothing here knows a pool: a worker that waits here runs the awaited task itself, or is replaced
//! while it waits, by way of what its pool left in the thread (`task::context`).

mod as_completed;
mod cancel_on_drop;
mod completion_queue;
mod first_success;
mod flatten;
mod group;
mod promise;
mod shared;
mod wait;

#[cfg(all(test, concurrent_futures_loom))]
mod model_tests;

pub use as_completed::{AsCompleted, AsCompletedTimeout, as_completed, as_completed_timeout};
pub use cancel_on_drop::CancelOnDrop;
pub use completion_queue::CompletionQueue;
pub use first_success::first_success;
pub use group::{Group, Stopped};
pub use promise::Promise;
pub use shared::SharedFuture;
pub use wait::{ReturnWhen, Waitable, Waited, wait, wait_timeout};

use wait::wait_for;
pub(crate) use wait::{Awaited, sealed};

use crate::error::{FutureState, TaskError, TaskOutput, TaskUsage, WaitTimeout};
use crate::sync::deadline_after;
use crate::task::{Handle, Phase, TaskRef};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// The one waker slot that a plain future uses.
const ONLY_HANDLE: u32 = 0;

/// The handle of a submitted task, and the right to its result.
///
/// A future comes from an executor's `submit`, or from [`Promise::new`]. There is one per task.
/// Its result is taken by [`result`](Self::result) or by `.await`, under any runtime; it can be
/// looked at before by [`peek`](Self::peek). Dropping a future detaches the task: it runs all the
/// same, and its result is dropped. [`cancel_on_drop`](Self::cancel_on_drop) is for the opposite
/// wish, [`shared`](Self::shared) for several readers.
///
/// All that the task did happens before whatever follows a call that found it done.
///
/// The name is also that of the standard library's trait, which programs of edition 2024 have in scope:
/// where the compiler expects a type and finds that trait, or the other way round, an import of
/// `concurrent_futures::Future`, or a path, is what is missing.
///
/// # Waiting
///
/// A wait stays awake for some microseconds before it blocks, if that has been worth it lately; it yields
/// the processor meanwhile. On a thread that is no worker it begins nothing, unless the executor [lets
/// callers help](crate::ThreadPoolBuilder::caller_helps).
///
/// # Waiting on a worker
///
/// Called by a task on a worker of the same pool, the blocking methods without a timeout run the
/// awaited task right there if nobody has begun it, and nothing else; so tasks can submit tasks and
/// wait for them to any depth on a single worker. A worker that has to block nevertheless is
/// replaced by a spare thread if all the others are blocked too. Waiting for *any* of several
/// futures begins none of them, unless only one is left. An executor of asynchronous code that
/// blocks a worker (`block_on`, say) cannot be seen by the pool: wrap it in
/// [`block_in_place`](crate::block_in_place).
///
/// # Python
///
/// `concurrent.futures.Future`, with three differences: the result is moved out, so that it can be
/// had once (see [`shared`](Self::shared)); a cancelled future is done for everyone at once,
/// without an executor's acknowledgement; and `.await` works.
///
/// # Examples
///
/// ```
/// use concurrent_futures::ThreadPoolExecutor;
///
/// let executor = ThreadPoolExecutor::new(2)?;
/// let future = executor.submit(str::len, "four");
/// assert_eq!(future.result()?, 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Future<T> {
    /// Absent once `.await` has taken the result.
    handle: Option<Handle<T>>,
}

// A task is ended by whoever catches its panic, so nobody sees anything half done through this.
impl<T> std::panic::UnwindSafe for Future<T> {}
impl<T> std::panic::RefUnwindSafe for Future<T> {}

impl<T> Future<T> {
    pub(crate) fn new(handle: Handle<T>) -> Self {
        Future { handle: Some(handle) }
    }

    pub(crate) fn task(&self) -> Option<&TaskRef> {
        self.handle.as_ref().map(Handle::task)
    }

    pub(crate) fn into_handle(mut self) -> Handle<T> {
        match self.handle.take() {
            Some(handle) => handle,
            None => panic!("the result of this future has been taken by `.await` already"),
        }
    }

    /// Waits for the task and gives its result.
    ///
    /// Blocks the thread until the task is done and its callbacks have returned, since they look at
    /// the result. A task that was cancelled or timed out has none for them to look at: then it
    /// returns as soon as the task is done.
    ///
    /// # Errors
    ///
    /// The task's failure, see [`TaskErrorKind`](crate::TaskErrorKind).
    ///
    /// # Panics
    ///
    /// If the result has been taken by `.await` before.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// assert_eq!(executor.spawn(|| 6 * 7).result()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn result(self) -> Result<T, TaskError> {
        let handle = self.into_handle();
        wait_for(handle.task(), Phase::Settled, None);
        handle.take()
    }

    /// Like [`result`](Self::result), but gives the future back if it is not done in time.
    ///
    /// Blocks for `limit` at most, counted from the call; zero polls. A task's own timeout, or an
    /// error of its own that is about time, is inside: only the outer error is this wait's.
    ///
    /// # Errors
    ///
    /// [`WaitTimeout`] with the future; inside, the task's own failure.
    ///
    /// # Panics
    ///
    /// If the result has been taken by `.await` before.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// let future = executor.spawn(move || receiver.recv());
    ///
    /// let Err(timeout) = future.result_timeout(Duration::from_millis(1)) else { unreachable!() };
    /// sender.send("now it can finish")?;
    /// assert_eq!(timeout.pending.result()??, "now it can finish");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn result_timeout(
        self,
        limit: Duration,
    ) -> Result<Result<T, TaskError>, WaitTimeout<Future<T>>> {
        let handle = self.into_handle();
        if wait_for(handle.task(), Phase::Settled, Some(deadline_after(limit))) {
            Ok(handle.take())
        } else {
            Err(WaitTimeout { pending: Future::new(handle), limit })
        }
    }

    /// Waits for the task and tells how it failed, if it did. The result stays.
    ///
    /// Blocks like [`wait`](Self::wait).
    ///
    /// # Python
    ///
    /// A cancelled future gives the cancellation as an error here instead of raising it.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// let future = executor.spawn(|| 1);
    /// assert!(future.exception().is_none());
    /// assert_eq!(future.result()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn exception(&self) -> Option<TaskError> {
        self.wait();
        self.peek()?.err()
    }

    /// Waits until the task is done. The result stays.
    ///
    /// Blocks the thread; callbacks may still be running when it returns.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// let future = executor.spawn(|| 1);
    /// future.wait();
    /// assert!(future.done());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait(&self) {
        if let Some(task) = self.task() {
            wait_for(task, Phase::Done, None);
        }
    }

    /// Like [`wait`](Self::wait), for `limit` at most. Whether the task is done.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// let (promise, future) = concurrent_futures::Promise::<u32>::new();
    /// assert!(!future.wait_timeout(Duration::from_millis(1)));
    /// # drop(promise);
    /// ```
    pub fn wait_timeout(&self, limit: Duration) -> bool {
        match self.task() {
            Some(task) => wait_for(task, Phase::Done, Some(deadline_after(limit))),
            None => true,
        }
    }

    /// Looks at the outcome without taking it; `None` while the task is not done, or when `.await`
    /// has taken it. Never blocks.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// let future = executor.spawn(|| String::from("here"));
    /// future.wait();
    /// assert_eq!(future.peek().unwrap()?, "here");
    /// assert_eq!(future.result()?, "here");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn peek(&self) -> Option<Result<&T, TaskError>> {
        self.handle.as_ref()?.peek()
    }

    /// Cancels the task if it has not begun. Never blocks.
    ///
    /// True if the task is cancelled, now or before: it never runs, its function and argument have
    /// been dropped, and the future is done for everyone. False if it has begun or is done; then
    /// nothing has changed. Callbacks run on this thread before `cancel` returns.
    ///
    /// # Examples
    ///
    /// ```
    /// let (promise, future) = concurrent_futures::Promise::<u32>::new();
    /// assert!(future.cancel());
    /// assert!(future.cancelled() && future.done());
    /// # drop(promise);
    /// ```
    pub fn cancel(&self) -> bool {
        self.task().is_some_and(TaskRef::cancel)
    }

    /// Cancels the task if it has not begun, and asks it to stop if it is running. Never blocks.
    ///
    /// A running task learns of it when it calls
    /// [`cancellation_requested`](crate::cancellation_requested), and its future ends as cancelled
    /// when it then returns. On a thread, a task that never asks runs to its end and gives its value;
    /// in a worker process it is ended together with its process after a grace time (the builder's
    /// `grace`), and its future ends as cancelled then. False if the task is done without having been
    /// cancelled.
    ///
    /// # Python
    ///
    /// There is no counterpart.
    ///
    /// # Examples
    ///
    /// See [`cancellation_requested`](crate::cancellation_requested).
    pub fn abort(&self) -> bool {
        self.task().is_some_and(TaskRef::abort)
    }

    /// Whether the task was cancelled.
    ///
    /// # Examples
    ///
    /// See [`cancel`](Self::cancel).
    pub fn cancelled(&self) -> bool {
        self.task().is_some_and(|task| task.snapshot().is_cancelled())
    }

    /// Whether a worker has begun the task and not ended it.
    ///
    /// # Examples
    ///
    /// See [`done`](Self::done).
    pub fn running(&self) -> bool {
        self.task().is_some_and(TaskRef::is_running)
    }

    /// Whether the task is done: it gave a value, failed, or was cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// let (mut promise, future) = concurrent_futures::Promise::new();
    /// assert!(!future.running() && !future.done());
    /// promise.set_running_or_notify_cancel()?;
    /// assert!(future.running() && !future.done());
    /// promise.set_result(1)?;
    /// assert!(!future.running() && future.done());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn done(&self) -> bool {
        self.task().is_none_or(|task| task.snapshot().is_done())
    }

    /// Where the task stands, in one look.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{FutureState, Promise};
    /// let (mut promise, future) = Promise::new();
    /// assert_eq!(future.state(), FutureState::Pending);
    /// promise.set_result(1)?;
    /// assert_eq!(future.state(), FutureState::Finished);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn state(&self) -> FutureState {
        match self.task() {
            Some(task) if task.is_running() => FutureState::Running,
            Some(task) => task.snapshot().public(),
            None => FutureState::Finished,
        }
    }

    /// The label that the task was given.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{TaskOptions, ThreadPoolExecutor};
    ///
    /// let executor = ThreadPoolExecutor::new(1)?;
    /// let future = executor.with(TaskOptions::new().label("page 7")).spawn(|| 7);
    /// assert_eq!(future.label(), Some("page 7"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn label(&self) -> Option<&str> {
        self.task()?.label().map(|label| &**label)
    }

    /// What the task wrote to standard output and standard error, once it is done; none if its pool does not
    /// [capture](crate::ProcessPoolBuilder::capture_output) that, or the task never began.
    ///
    /// Never blocks. It goes with the future: ask before [`result`](Self::result) consumes that. What a task
    /// wrote that failed is also in its [error](TaskError::output). That of a task which has timed out is
    /// what it had written by then, and becomes all of it when its process has come back from it, or has
    /// ended. Of several attempts it is the last one's.
    ///
    /// # Examples
    ///
    /// See [`TaskOutput`].
    pub fn output(&self) -> Option<TaskOutput> {
        self.task()?.reported_at_end(|it| it.output.clone())
    }

    /// What the task needed, once it is done; none if its pool does not
    /// [measure](crate::ProcessPoolBuilder::measure_usage) that, or the task did not come back: its worker
    /// died, or it never began. Never blocks.
    ///
    /// # Examples
    ///
    /// See [`TaskUsage`].
    pub fn usage(&self) -> Option<TaskUsage> {
        self.task()?.reported_at_end(|it| it.usage)
    }

    /// Calls `callback` with the outcome when the task is done.
    ///
    /// Callbacks run once, in the order in which they were added, on the thread that ends the task:
    /// the worker, or whoever cancels it; or here and now if the task is done already. By then the
    /// future is done for everyone and whoever waits has been woken, but the result can be *taken*
    /// only when the callbacks have returned, since they look at it; the error of a task that was
    /// cancelled or timed out can be had at once. No lock is held: a callback may submit, cancel or
    /// shut down. But it must not wait for the result of its own future, which is waiting for it. A
    /// panic in one is reported by the panic hook and goes no further.
    ///
    /// # Python
    ///
    /// The callback is given the outcome instead of the future.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// let future = executor.spawn(|| 42);
    /// future.add_done_callback(move |outcome| sender.send(outcome.copied().ok()).unwrap());
    /// assert_eq!(receiver.recv()?, Some(42));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn add_done_callback<F>(&self, callback: F)
    where
        F: FnOnce(Result<&T, &TaskError>) + Send + 'static,
        T: Sync,
    {
        if let Some(handle) = &self.handle {
            handle.add_callback(callback);
        }
    }

    /// A form for several readers, each of which gets a clone of the result.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// let one = executor.spawn(|| String::from("for all")).shared();
    /// let other = one.clone();
    /// assert_eq!(one.result()?, other.result()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shared(self) -> SharedFuture<T> {
        SharedFuture::new(self.into_handle())
    }

    /// A form that aborts the task when it is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// let (mut promise, future) = concurrent_futures::Promise::<u32>::new();
    /// drop(future.cancel_on_drop());
    /// assert!(promise.set_result(1).is_err()); // cancelled by then
    /// ```
    pub fn cancel_on_drop(self) -> CancelOnDrop<T> {
        CancelOnDrop::new(self)
    }
}

impl<T> std::future::Future for Future<T> {
    type Output = Result<T, TaskError>;

    /// # Panics
    ///
    /// If it is polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(handle) = &self.handle else {
            panic!("`Future` polled after it was ready");
        };
        let task = handle.task();
        if !task.snapshot().is_settled() && task.set_waker(ONLY_HANDLE, context.waker()) {
            return Poll::Pending;
        }
        match self.handle.take() {
            Some(handle) => Poll::Ready(handle.take()),
            None => Poll::Pending,
        }
    }
}

impl<T> Unpin for Future<T> {}

impl<T> Drop for Future<T> {
    fn drop(&mut self) {
        if let Some(task) = self.task() {
            task.remove_waker(ONLY_HANDLE);
        }
    }
}

impl<T> fmt::Debug for Future<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(f, "Future", self.state(), self.label())
    }
}

fn debug(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    state: FutureState,
    label: Option<&str>,
) -> fmt::Result {
    let mut debug = f.debug_struct(name);
    debug.field("state", &state);
    if let Some(label) = label {
        debug.field("label", &label);
    }
    debug.finish()
}
