//! Iterating over futures in the order in which they are done.

use super::wait::distinct;
use super::{CompletionQueue, Waitable};
use crate::error::CompletionTimeout;
use crate::sync::deadline_after;
use std::iter::FusedIterator;
use std::time::{Duration, Instant};

/// Gives futures back in the order in which they are done.
///
/// Takes futures, references, shared futures, or pairs of a key and any of these; of several items
/// for the same task only the first is kept. Those that are done already come first. The call
/// itself does not block; the iterator's `next` does, until another task is done. Asynchronous code
/// takes [`into_stream`](AsCompleted::into_stream). Nothing is kept of a future that has been given
/// out. To add futures while iterating, use a [`CompletionQueue`].
///
/// # Python
///
/// `as_completed(fs)`. Where Python keeps a dictionary from future to key, a pair does it here.
///
/// # Examples
///
/// ```
/// use concurrent_futures::as_completed;
/// # let executor = concurrent_futures::ThreadPoolExecutor::new(2)?;
/// let words = ["a", "few", "words"];
/// let futures = words.map(|word| (word, executor.submit(str::len, word)));
/// for (word, future) in as_completed(futures) {
///     println!("{word}: {}", future.result()?);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn as_completed<W: Waitable>(futures: impl IntoIterator<Item = W>) -> AsCompleted<W> {
    AsCompleted { queue: distinct(futures).into_iter().collect() }
}

/// The iterator of [`as_completed`].
///
/// # Examples
///
/// See [`as_completed`].
#[derive(Debug)]
#[must_use = "nothing is waited for until it is iterated"]
pub struct AsCompleted<W: Waitable> {
    queue: CompletionQueue<W>,
}

impl<W: Waitable> Iterator for AsCompleted<W> {
    type Item = W;

    fn next(&mut self) -> Option<W> {
        self.queue.pop()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.queue.len(), Some(self.queue.len()))
    }
}

impl<W: Waitable> ExactSizeIterator for AsCompleted<W> {}
impl<W: Waitable> FusedIterator for AsCompleted<W> {}

impl<W: Waitable> AsCompleted<W> {
    /// The same as a [`Stream`](futures_core::Stream), for asynchronous code. It is a value of
    /// another type, because methods such as `next` and `map` would otherwise mean two things.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::as_completed;
    /// use futures::{StreamExt, executor::block_on};
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(2)?;
    /// let mut stream = as_completed(executor.submit_all(|n| n * n, [1, 2, 3])).into_stream();
    /// let mut sum = 0;
    /// while let Some(future) = block_on(stream.next()) {
    ///     sum += block_on(future)?;
    /// }
    /// assert_eq!(sum, 14);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn into_stream(self) -> CompletionQueue<W> {
        self.queue
    }
}

/// Like [`as_completed`], with one deadline for all of it, counted from this call.
///
/// When it passes, the iterator gives one error with every future that is left, and ends. A future
/// that is done by then is given out first, even after the deadline. Nothing is cancelled.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{Promise, as_completed_timeout};
/// use std::time::Duration;
///
/// let (mut kept, done) = Promise::new();
/// let (promise, pending) = Promise::new();
/// kept.set_result(1)?;
/// let mut completed = as_completed_timeout([done, pending], Duration::from_millis(1));
/// assert_eq!(completed.next().unwrap()?.result()?, 1);
/// let timeout = completed.next().unwrap().unwrap_err();
/// assert_eq!(timeout.to_string(), "1 (of 2) futures unfinished after 1ms");
/// assert!(completed.next().is_none());
/// # drop(promise);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn as_completed_timeout<W: Waitable>(
    futures: impl IntoIterator<Item = W>,
    limit: Duration,
) -> AsCompletedTimeout<W> {
    let deadline = deadline_after(limit);
    let queue: CompletionQueue<W> = distinct(futures).into_iter().collect();
    AsCompletedTimeout { total: queue.len(), queue: Some(queue), deadline, limit }
}

/// The iterator of [`as_completed_timeout`].
///
/// # Examples
///
/// See [`as_completed_timeout`].
#[derive(Debug)]
#[must_use = "nothing is waited for until it is iterated"]
pub struct AsCompletedTimeout<W: Waitable> {
    /// Absent once the time has run out.
    queue: Option<CompletionQueue<W>>,
    total: usize,
    deadline: Option<Instant>,
    limit: Duration,
}

impl<W: Waitable> Iterator for AsCompletedTimeout<W> {
    type Item = Result<W, CompletionTimeout<W>>;

    fn next(&mut self) -> Option<Self::Item> {
        let queue = self.queue.as_mut()?;
        if let Some(item) = queue.pop_until(Some(self.deadline)) {
            return Some(Ok(item));
        }
        if queue.is_empty() {
            return None;
        }
        let pending = self.queue.take()?.into_items();
        Some(Err(CompletionTimeout { pending, total: self.total, limit: self.limit }))
    }
}

impl<W: Waitable> FusedIterator for AsCompletedTimeout<W> {}
