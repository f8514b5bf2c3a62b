//! A future with several readers.

use super::wait_for;
use crate::error::{FutureState, TaskError, TaskOutput, TaskUsage, WaitTimeout};
use crate::sync::Arc;
use crate::sync::deadline_after;
use crate::sync::global::Mutex;
use crate::task::{Handle, Phase, TaskRef};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// A [`Future`](super::Future) that can be cloned; every reader gets a clone of the result.
///
/// Made by [`Future::shared`](super::Future::shared). The task is detached when the last clone is
/// dropped. Methods of the same name do the same as those of `Future`.
///
/// # Python
///
/// This is what every future is in Python, where `result()` can be called again and again.
///
/// # Examples
///
/// ```
/// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
/// let first = executor.spawn(|| "read twice".to_owned()).shared();
/// let second = first.clone();
/// assert_eq!(first.result()?, second.result()?);
///
/// let failed = executor.submit(|n: u32| 12 / n, 0).shared();
/// failed.add_done_callback(|outcome| println!("failed: {}", outcome.is_err()));
/// failed.wait();
/// assert!(failed.done() && !failed.running() && !failed.cancelled());
/// assert!(failed.peek().is_some() && failed.exception().is_some_and(|it| it.is_panic()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The examples of `Future`'s methods hold for those of the same name.
pub struct SharedFuture<T> {
    shared: Arc<Shared<T>>,
    /// Tells the wakers of different readers apart.
    reader: u32,
}

// A task is ended by whoever catches its panic, so nobody sees anything half done through this.
impl<T> std::panic::UnwindSafe for SharedFuture<T> {}
impl<T> std::panic::RefUnwindSafe for SharedFuture<T> {}

struct Shared<T> {
    handle: Handle<T>,
    readers: Mutex<Readers>,
}

/// The numbers of the readers that there are. Those of the readers that are gone are used again: a
/// loop that clones and drops does not come to the end of them, nor back to one that is in use.
#[derive(Default)]
struct Readers {
    issued: u32,
    free: Vec<u32>,
}

impl Readers {
    fn issue(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            let number = self.issued;
            self.issued = number.checked_add(1).expect("a future has at most 2^32 - 1 readers");
            number
        })
    }
}

impl<T> SharedFuture<T> {
    pub(super) fn new(handle: Handle<T>) -> Self {
        let mut readers = Readers::default();
        let reader = readers.issue();
        let shared = Arc::new(Shared { handle, readers: Mutex::new(readers) });
        SharedFuture { shared, reader }
    }

    pub(super) fn task(&self) -> &TaskRef {
        self.shared.handle.task()
    }

    /// Waits for the task and gives a clone of its result. Blocks like `Future::result`.
    ///
    /// # Errors
    ///
    /// The task's failure; the same for every reader.
    pub fn result(&self) -> Result<T, TaskError>
    where
        T: Clone,
    {
        self.wait();
        self.cloned()
    }

    /// Like [`result`](Self::result), for `limit` at most, counted from the call; zero polls. The
    /// error says only that time ran out, since this reader stays.
    ///
    /// # Errors
    ///
    /// [`WaitTimeout`]; inside, the task's own failure.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::Promise;
    /// use std::time::Duration;
    ///
    /// let (mut promise, future) = Promise::new();
    /// let reader = future.shared();
    /// assert!(reader.result_timeout(Duration::from_millis(1)).is_err());
    /// promise.set_result("kept")?;
    /// assert_eq!(reader.result_timeout(Duration::ZERO)??, "kept");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn result_timeout(&self, limit: Duration) -> Result<Result<T, TaskError>, WaitTimeout<()>>
    where
        T: Clone,
    {
        if self.wait_timeout(limit) {
            Ok(self.cloned())
        } else {
            Err(WaitTimeout { pending: (), limit })
        }
    }

    fn cloned(&self) -> Result<T, TaskError>
    where
        T: Clone,
    {
        match self.peek() {
            Some(outcome) => outcome.cloned(),
            None => unreachable!("only a future that is done is cloned from"),
        }
    }

    /// Waits for the task and tells how it failed, if it did.
    ///
    /// Blocks as [`result`](Self::result) does.
    pub fn exception(&self) -> Option<TaskError> {
        self.wait();
        self.peek()?.err()
    }

    /// Waits until the task is done.
    pub fn wait(&self) {
        wait_for(self.task(), Phase::Done, None);
    }

    /// Waits for `limit` at most. Whether the task is done.
    pub fn wait_timeout(&self, limit: Duration) -> bool {
        wait_for(self.task(), Phase::Done, Some(deadline_after(limit)))
    }

    /// Looks at the outcome; `None` while the task is not done.
    ///
    /// Never blocks.
    pub fn peek(&self) -> Option<Result<&T, TaskError>> {
        self.shared.handle.peek()
    }

    /// Cancels the task, for all readers, if it has not begun.
    pub fn cancel(&self) -> bool {
        self.task().cancel()
    }

    /// Cancels the task, for all readers, or asks it to stop.
    pub fn abort(&self) -> bool {
        self.task().abort()
    }

    /// Whether the task was cancelled.
    pub fn cancelled(&self) -> bool {
        self.task().snapshot().is_cancelled()
    }

    /// Whether a worker has begun the task and not ended it.
    pub fn running(&self) -> bool {
        self.task().is_running()
    }

    /// Whether the task is done.
    pub fn done(&self) -> bool {
        self.task().snapshot().is_done()
    }

    /// Where the task stands, in one look.
    pub fn state(&self) -> FutureState {
        if self.running() { FutureState::Running } else { self.task().snapshot().public() }
    }

    /// The label that the task was given.
    pub fn label(&self) -> Option<&str> {
        self.task().label().map(|label| &**label)
    }

    /// What the task wrote, once it is done; see [`Future::output`](super::Future::output).
    pub fn output(&self) -> Option<TaskOutput> {
        self.task().reported_at_end(|it| it.output.clone())
    }

    /// What the task needed, once it is done; see [`Future::usage`](super::Future::usage).
    pub fn usage(&self) -> Option<TaskUsage> {
        self.task().reported_at_end(|it| it.usage)
    }

    /// Calls `callback` with the outcome when the task is done; see
    /// [`Future::add_done_callback`](super::Future::add_done_callback).
    pub fn add_done_callback<F>(&self, callback: F)
    where
        F: FnOnce(Result<&T, &TaskError>) + Send + 'static,
        T: Sync,
    {
        self.shared.handle.add_callback(callback);
    }
}

impl<T> Clone for SharedFuture<T> {
    fn clone(&self) -> Self {
        let reader = self.shared.readers.lock().issue();
        SharedFuture { shared: Arc::clone(&self.shared), reader }
    }
}

impl<T: Clone> std::future::Future for SharedFuture<T> {
    type Output = Result<T, TaskError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let task = self.task();
        if !task.snapshot().is_settled() && task.set_waker(self.reader, context.waker()) {
            return Poll::Pending;
        }
        Poll::Ready(self.cloned())
    }
}

impl<T> Drop for SharedFuture<T> {
    fn drop(&mut self) {
        self.task().remove_waker(self.reader);
        // Only now, for the next one to have this number may register a waker at once.
        self.shared.readers.lock().free.push(self.reader);
    }
}

impl<T> fmt::Debug for SharedFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::debug(f, "SharedFuture", self.state(), self.label())
    }
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use crate::Promise;

    #[test]
    fn a_reader_has_a_number_of_its_own() {
        let (_promise, future) = Promise::<u32>::new();
        let readers = vec![future.shared(); 3];
        let numbers: Vec<_> = readers.iter().map(|it| it.reader).collect();
        assert!(numbers[0] != numbers[1] && numbers[1] != numbers[2] && numbers[2] != numbers[0]);
    }

    #[test]
    fn a_reader_that_goes_leaves_its_number_to_another() {
        let (_promise, future) = Promise::<u32>::new();
        let shared = future.shared();
        let number = shared.clone().reader;
        assert_eq!(shared.clone().reader, number);
    }
}
