//! Futures in the order in which they are done.
//!
//! Each future in the queue has a slot, and registers the slot's number with its task. A task that
//! is done puts that number into the inbox and wakes whoever waits there. So a completion costs the
//! same however many futures there are.

use super::Waitable;
use crate::sync::{Arc, Condvar, Mutex, deadline_after, thread};
use crate::task::{self, Blocking, Observer, Waiter};
use futures_core::Stream;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Wake-ups that follow each other faster than this are a burst: the thread that was woken lets the
/// others run once before it looks, so that one wake-up brings several completions. A completion
/// after a longer silence is handed out at once. On two busy processors this takes a burst of tiny
/// tasks from one context switch each to one for many.
#[cfg(not(concurrent_futures_loom))]
const BURST: Duration = Duration::from_micros(100);
/// The model has no clock, and tries every order anyway.
#[cfg(concurrent_futures_loom)]
const BURST: Duration = Duration::ZERO;

/// A queue that gives futures back in the order in which they are done, and can be added to while
/// it is being drained.
///
/// Takes whatever is [`Waitable`]: futures, references, shared futures, and pairs of a key and any
/// of these. Each completion costs the same, however many futures there are. Dropping the queue
/// drops what it holds, which detaches the tasks. As a [`Stream`] it ends when it is empty.
///
/// # Python
///
/// `as_completed` with a set of futures that may grow.
///
/// # Examples
///
/// ```
/// use concurrent_futures::CompletionQueue;
/// # let executor = concurrent_futures::ThreadPoolExecutor::new(2)?;
/// let mut queue = CompletionQueue::new();
/// queue.push((27_u64, executor.spawn(|| 27_u64)));
/// let mut steps = 0;
/// while let Some((start, future)) = queue.pop() {
///     match future.result()? {
///         1 => break,
///         n if n % 2 == 0 => queue.push((start, executor.spawn(move || n / 2))),
///         n => queue.push((start, executor.spawn(move || 3 * n + 1))),
///     }
///     steps += 1;
/// }
/// assert_eq!(steps, 111);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CompletionQueue<W: Waitable> {
    inbox: Arc<Inbox>,
    slots: Vec<Option<W>>,
    free: Vec<u32>,
    /// Numbers that were taken out of the inbox together.
    arrived: VecDeque<u32>,
    last_woken: Option<Instant>,
}

#[derive(Default)]
struct Inbox {
    state: Mutex<InboxState>,
    arrival: Condvar,
}

#[derive(Default)]
struct InboxState {
    arrived: VecDeque<u32>,
    waker: Option<Waker>,
    is_waited: bool,
}

impl Observer for Inbox {
    fn notify(&self, key: u32) -> Option<Waker> {
        let mut state = self.state.lock();
        state.arrived.push_back(key);
        let waker = state.waker.take();
        let is_waited = state.is_waited;
        drop(state);
        if is_waited {
            self.arrival.notify_one();
        }
        waker
    }
}

impl<W: Waitable> CompletionQueue<W> {
    /// An empty queue.
    pub fn new() -> Self {
        CompletionQueue {
            inbox: Arc::default(),
            slots: Vec::new(),
            free: Vec::new(),
            arrived: VecDeque::new(),
            last_woken: None,
        }
    }

    /// How many futures are in the queue, done or not.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{CompletionQueue, Promise};
    ///
    /// let (promises, futures): (Vec<_>, Vec<_>) = (0..3).map(|_| Promise::<u32>::new()).unzip();
    /// let mut queue = CompletionQueue::from_iter(futures);
    /// assert_eq!(queue.len(), 3);
    /// drop(promises); // all are done by that
    /// queue.pop();
    /// assert_eq!(queue.len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether there is nothing in the queue.
    ///
    /// # Examples
    ///
    /// See [`pop_timeout`](Self::pop_timeout).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a future. One that is done already comes after those that are done before. Never
    /// blocks.
    ///
    /// # Panics
    ///
    /// If there are 2³² − 1 futures in the queue.
    pub fn push(&mut self, item: W) {
        let key = self.free.pop().unwrap_or_else(|| {
            let key = u32::try_from(self.slots.len()).ok().filter(|key| *key < u32::MAX);
            self.slots.push(None);
            key.expect("a completion queue holds at most 2^32 - 1 futures")
        });
        // The slot is filled before anyone is told of it.
        let item = self.slots[key as usize].insert(item);
        let inbox = &self.inbox;
        let is_late = item.awaited().task().is_none_or(|task| {
            // Looked at first, since whoever ends a task gives the inbox up on another processor.
            task.snapshot().is_done()
                || task.add_waiter(Waiter::Done(Arc::<Inbox>::clone(inbox), key)).is_err()
        });
        if is_late && let Some(waker) = self.inbox.notify(key) {
            task::contain(|| waker.wake());
        }
    }

    /// Gives the next future that is done, and waits for it if there is none yet; `None` if the
    /// queue is empty.
    ///
    /// Blocks until a task is done. A worker does not begin any of several tasks here, for it could
    /// get stuck in one while another is done; only the last one left it runs itself.
    pub fn pop(&mut self) -> Option<W> {
        self.pop_until(None)
    }

    /// Like [`pop`](Self::pop), for `limit` at most: `None` also if nothing is done by then, which
    /// [`is_empty`](Self::is_empty) tells apart.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{CompletionQueue, Promise};
    /// use std::time::Duration;
    ///
    /// let (mut promise, future) = Promise::new();
    /// let mut queue = CompletionQueue::new();
    /// queue.push(future);
    /// assert!(queue.pop_timeout(Duration::from_millis(1)).is_none() && !queue.is_empty());
    /// promise.set_result(1)?;
    /// assert!(queue.try_pop().is_some() && queue.is_empty());
    /// # Ok::<(), concurrent_futures::InvalidStateError>(())
    /// ```
    pub fn pop_timeout(&mut self, limit: Duration) -> Option<W> {
        self.pop_until(Some(deadline_after(limit)))
    }

    /// Gives the next future that is done, if there is one now. Never blocks.
    ///
    /// # Examples
    ///
    /// See [`pop_timeout`](Self::pop_timeout).
    pub fn try_pop(&mut self) -> Option<W> {
        if self.arrived.is_empty() {
            std::mem::swap(&mut self.arrived, &mut self.inbox.state.lock().arrived);
        }
        let key = self.arrived.pop_front()?;
        Some(self.vacate(key))
    }

    fn vacate(&mut self, key: u32) -> W {
        self.free.push(key);
        match self.slots[key as usize].take() {
            Some(item) => item,
            None => unreachable!("a task is done once, and its slot is taken by that"),
        }
    }

    pub(super) fn pop_until(&mut self, deadline: Option<Option<Instant>>) -> Option<W> {
        loop {
            if let Some(item) = self.try_pop() {
                return Some(item);
            }
            if self.is_empty() {
                return None;
            }
            if deadline.is_none() && self.help() {
                continue;
            }
            if !self.sleep(deadline.flatten()) {
                return self.try_pop();
            }
        }
    }

    /// Waits until something arrives; false if the deadline comes first.
    fn sleep(&mut self, deadline: Option<Instant>) -> bool {
        let inbox = &self.inbox;
        let has_arrived = task::while_blocked(Blocking::Waiting, || {
            let mut state = inbox.state.lock();
            let mut timed_out = false;
            while state.arrived.is_empty() && !timed_out {
                state.is_waited = true;
                (state, timed_out) = inbox.arrival.wait_until(state, deadline);
            }
            state.is_waited = false;
            !state.arrived.is_empty()
        });
        let now = Instant::now();
        if self.last_woken.replace(now).is_some_and(|last| now - last < BURST) {
            thread::yield_now();
        }
        has_arrived
    }

    /// Runs the task here if it is the only one that is left. Of several, the one that is begun may
    /// need another to be done first, or something that this thread does when another is done.
    fn help(&self) -> bool {
        if self.len() > 1 || task::host_owner().is_none() {
            return false;
        }
        let last = self.slots.iter().flatten().next();
        last.and_then(|item| item.awaited().task()).is_some_and(task::help)
    }

    /// Everything that is left, done or not, in no particular order.
    pub(crate) fn into_items(mut self) -> Vec<W> {
        self.unregister();
        self.free.clear();
        std::mem::take(&mut self.slots).into_iter().flatten().collect()
    }

    /// What the tasks know of this queue.
    #[cfg(all(test, concurrent_futures_loom))]
    pub(super) fn inbox_for_test(&self) -> crate::sync::Weak<dyn Observer> {
        let observer: Arc<dyn Observer> = self.inbox.clone();
        Arc::downgrade(&observer)
    }

    fn unregister(&mut self) {
        let observer: Arc<dyn Observer> = self.inbox.clone();
        for (key, item) in self.slots.iter().enumerate() {
            if let Some(task) = item.as_ref().and_then(|item| item.awaited().task())
                && !task.snapshot().is_done()
            {
                // Slots are numbered by `u32`, see `push`.
                task.remove_observer(&observer, key as u32);
            }
        }
    }
}

impl<W: Waitable> Default for CompletionQueue<W> {
    fn default() -> Self {
        CompletionQueue::new()
    }
}

impl<W: Waitable> Drop for CompletionQueue<W> {
    fn drop(&mut self) {
        self.unregister();
    }
}

impl<W: Waitable> Extend<W> for CompletionQueue<W> {
    fn extend<I: IntoIterator<Item = W>>(&mut self, items: I) {
        items.into_iter().for_each(|item| self.push(item));
    }
}

impl<W: Waitable> FromIterator<W> for CompletionQueue<W> {
    fn from_iter<I: IntoIterator<Item = W>>(items: I) -> Self {
        let mut queue = CompletionQueue::new();
        queue.extend(items);
        queue
    }
}

impl<W: Waitable + Unpin> Stream for CompletionQueue<W> {
    type Item = W;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<W>> {
        if let Some(item) = self.try_pop() {
            return Poll::Ready(Some(item));
        }
        if self.is_empty() {
            return Poll::Ready(None);
        }
        // Cloned before the lock is taken: a waker is somebody else's code.
        let waker = context.waker().clone();
        let mut state = self.inbox.state.lock();
        let replaced = state.waker.replace(waker);
        let has_arrived = !state.arrived.is_empty();
        drop(state);
        drop(replaced);
        if has_arrived {
            return Poll::Ready(self.try_pop());
        }
        Poll::Pending
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), Some(self.len()))
    }
}

impl<W: Waitable> std::fmt::Debug for CompletionQueue<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompletionQueue").field("len", &self.len()).finish_non_exhaustive()
    }
}
