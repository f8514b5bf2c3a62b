//! A future with several readers.

use super::wait_for;
use crate::error::{FutureState, TaskError};
use crate::sync::Arc;
use crate::sync::deadline_after;
use crate::sync::global::{AtomicU32, Ordering};
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
pub struct SharedFuture<T> {
    shared: Arc<Shared<T>>,
    /// Tells the wakers of different readers apart.
    reader: u32,
}

struct Shared<T> {
    handle: Handle<T>,
    readers: AtomicU32,
}

impl<T> SharedFuture<T> {
    pub(super) fn new(handle: Handle<T>) -> Self {
        SharedFuture { shared: Arc::new(Shared { handle, readers: AtomicU32::new(1) }), reader: 0 }
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
        // ORDERING: relaxed; the number only has to differ from the others.
        let reader = self.shared.readers.fetch_add(1, Ordering::Relaxed);
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
    }
}

impl<T> fmt::Debug for SharedFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::debug(f, "SharedFuture", self.state(), self.label())
    }
}
