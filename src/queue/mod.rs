//! The order of work: which queued entry a worker gets next.
//!
//! A queue stores entries and never looks into them. It does not block and does not wake anyone;
//! that is the pool's business. Whatever is pushed is popped exactly once, or dropped with the
//! queue.

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Channel, Mutex};
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

/// The order in which queued tasks begin.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{Order, TaskOptions, ThreadPoolExecutor};
///
/// let executor = ThreadPoolExecutor::builder()
///     .max_workers(1)
///     .order(Order::Priority)
///     .build()?;
/// let urgent = executor.with(TaskOptions::new().priority(10));
/// let future = urgent.spawn(|| "first in line");
/// assert_eq!(future.result()?, "first in line");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Order {
    /// First in, first out: the order of submission. The default.
    #[default]
    Fifo,
    /// Last in, first out: the newest task begins first.
    Lifo,
    /// The highest priority first, and first in, first out among equals.
    Priority,
}

/// A queue in one of the three orders.
#[derive(Debug)]
pub(crate) enum Queue<T> {
    Fifo(Channel<T>),
    Lifo(Locked<Vec<T>>),
    Priority(Locked<BTreeMap<Reverse<i32>, VecDeque<T>>>),
}

/// A collection under a lock, with its length outside so that looking needs no lock.
#[derive(Debug)]
pub(crate) struct Locked<C> {
    entries: Mutex<C>,
    length: AtomicUsize,
}

impl<C: Default> Locked<C> {
    fn new() -> Self {
        Locked { entries: Mutex::new(C::default()), length: AtomicUsize::new(0) }
    }

    fn push(&self, put: impl FnOnce(&mut C)) {
        let mut entries = self.entries.lock();
        put(&mut entries);
        // ORDERING: relaxed; the lock orders the entries, and whoever decides to sleep by this
        // number stands behind a sequentially consistent fence, as the pusher does afterwards.
        self.length.fetch_add(1, Ordering::Relaxed);
    }

    fn pop<T>(&self, take: impl FnOnce(&mut C) -> Option<T>) -> Option<T> {
        if self.len() == 0 {
            return None;
        }
        let mut entries = self.entries.lock();
        let entry = take(&mut entries)?;
        // ORDERING: relaxed, as in `push`.
        self.length.fetch_sub(1, Ordering::Relaxed);
        Some(entry)
    }

    fn len(&self) -> usize {
        // ORDERING: relaxed, as in `push`.
        self.length.load(Ordering::Relaxed)
    }
}

impl<T> Queue<T> {
    pub(crate) fn new(order: Order) -> Self {
        match order {
            Order::Fifo => Queue::Fifo(Channel::new()),
            Order::Lifo => Queue::Lifo(Locked::new()),
            Order::Priority => Queue::Priority(Locked::new()),
        }
    }

    /// Adds an entry; `priority` counts only in [`Order::Priority`].
    pub(crate) fn push(&self, entry: T, priority: i32) {
        match self {
            Queue::Fifo(channel) => channel.push(entry),
            Queue::Lifo(stack) => stack.push(|entries| entries.push(entry)),
            Queue::Priority(levels) => levels.push(|levels| {
                levels.entry(Reverse(priority)).or_default().push_back(entry);
            }),
        }
    }

    pub(crate) fn pop(&self) -> Option<T> {
        match self {
            Queue::Fifo(channel) => channel.pop(),
            Queue::Lifo(stack) => stack.pop(Vec::pop),
            Queue::Priority(levels) => levels.pop(|levels| {
                let mut highest = levels.first_entry()?;
                let entry = highest.get_mut().pop_front();
                if highest.get().is_empty() {
                    highest.remove();
                }
                entry
            }),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Queue::Fifo(channel) => channel.len(),
            Queue::Lifo(stack) => stack.len(),
            Queue::Priority(levels) => levels.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;

    fn drained(queue: &Queue<u32>) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn fifo_pops_in_the_order_of_pushing() {
        let queue = Queue::new(Order::Fifo);
        (0..5).for_each(|n| queue.push(n, n as i32));
        assert_eq!(drained(&queue), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn lifo_pops_the_newest_first() {
        let queue = Queue::new(Order::Lifo);
        (0..5).for_each(|n| queue.push(n, n as i32));
        assert_eq!(drained(&queue), [4, 3, 2, 1, 0]);
    }

    #[test]
    fn priority_pops_the_highest_first_and_equals_in_the_order_of_pushing() {
        let queue = Queue::new(Order::Priority);
        for (entry, priority) in [(0, 1), (1, 5), (2, 1), (3, 5), (4, -3)] {
            queue.push(entry, priority);
        }
        assert_eq!(drained(&queue), [1, 3, 0, 2, 4]);
    }

    #[test]
    fn length_counts_what_was_pushed_and_not_popped() {
        for order in [Order::Fifo, Order::Lifo, Order::Priority] {
            let queue = Queue::new(order);
            assert!(queue.is_empty() && queue.pop().is_none());
            queue.push(1, 0);
            queue.push(2, 0);
            assert_eq!(queue.len(), 2);
            queue.pop();
            assert_eq!(queue.len(), 1);
        }
    }
}
