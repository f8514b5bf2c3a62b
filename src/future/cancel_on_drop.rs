//! A future whose task should not outlive the interest in it.

use super::Future;
use crate::error::{TaskError, WaitTimeout};
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// A [`Future`] that aborts its task when it is dropped before the task is done.
///
/// Made by [`Future::cancel_on_drop`]; everything else it does as the future that it holds. The
/// drop never blocks: a task that has not begun never will, a running one is asked to stop.
///
/// # Python
///
/// There is no counterpart.
///
/// # Examples
///
/// See [`Future::cancel_on_drop`].
#[derive(Debug)]
pub struct CancelOnDrop<T> {
    future: Option<Future<T>>,
}

impl<T> CancelOnDrop<T> {
    pub(super) fn new(future: Future<T>) -> Self {
        CancelOnDrop { future: Some(future) }
    }

    /// Waits for the task and gives its result; see [`Future::result`].
    ///
    /// # Errors
    ///
    /// The task's failure.
    pub fn result(self) -> Result<T, TaskError> {
        self.into_inner().result()
    }

    /// Like [`result`](Self::result), but gives the future back if it is not done in time; that one
    /// still aborts its task when it is dropped. See [`Future::result_timeout`].
    ///
    /// # Errors
    ///
    /// [`WaitTimeout`] with the future; inside, the task's own failure.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// let (mut promise, future) = concurrent_futures::Promise::<u32>::new();
    /// let timeout = future.cancel_on_drop().result_timeout(Duration::from_millis(1)).unwrap_err();
    /// drop(timeout); // and with it the future
    /// assert!(promise.set_result(1).is_err()); // cancelled by then
    /// ```
    pub fn result_timeout(
        self,
        limit: Duration,
    ) -> Result<Result<T, TaskError>, WaitTimeout<CancelOnDrop<T>>> {
        self.into_inner().result_timeout(limit).map_err(|WaitTimeout { pending, limit }| {
            WaitTimeout { pending: CancelOnDrop::new(pending), limit }
        })
    }

    /// The plain future, which does not abort its task any more.
    ///
    /// # Examples
    ///
    /// ```
    /// let (_promise, future) = concurrent_futures::Promise::<u32>::new();
    /// let guarded = future.cancel_on_drop();
    /// let future = guarded.into_inner();
    /// assert!(!future.cancelled());
    /// ```
    pub fn into_inner(mut self) -> Future<T> {
        match self.future.take() {
            Some(future) => future,
            None => unreachable!("the future is taken only when `self` ends"),
        }
    }
}

impl<T> Deref for CancelOnDrop<T> {
    type Target = Future<T>;

    fn deref(&self) -> &Future<T> {
        match &self.future {
            Some(future) => future,
            None => unreachable!("the future is taken only when `self` ends"),
        }
    }
}

impl<T> std::future::Future for CancelOnDrop<T> {
    type Output = Result<T, TaskError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.future {
            Some(future) => Pin::new(future).poll(context),
            None => unreachable!("the future is taken only when `self` ends"),
        }
    }
}

impl<T> Drop for CancelOnDrop<T> {
    fn drop(&mut self) {
        if let Some(future) = &self.future {
            future.abort();
        }
    }
}
