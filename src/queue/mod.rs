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
    Fifo(Fifo<T>),
    Lifo(Locked<Vec<T>>),
    Priority(Locked<BTreeMap<Reverse<i32>, VecDeque<T>>>),
}

impl<T> Queue<T> {
    pub(crate) fn new(order: Order) -> Self {
        match order {
            Order::Fifo => Queue::Fifo(Fifo::new()),
            Order::Lifo => Queue::Lifo(Locked::new()),
            Order::Priority => Queue::Priority(Locked::new()),
        }
    }

    /// Adds an entry; `priority` counts only in [`Order::Priority`].
    pub(crate) fn push(&self, entry: T, priority: i32) {
        match self {
            Queue::Fifo(fifo) => fifo.channel.push(entry),
            Queue::Lifo(stack) => stack.push(|entries| entries.push(entry)),
            Queue::Priority(levels) => levels.push(|levels| {
                levels.entry(Reverse(priority)).or_default().push_back(entry);
            }),
        }
    }

    pub(crate) fn pop(&self) -> Option<T> {
        match self {
            Queue::Fifo(fifo) => fifo.pop(),
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

    /// Takes out the entries that `is_stale` says are of no use any more; the others keep their
    /// order. Costs time in proportion to the length, and holds up other poppers meanwhile.
    pub(crate) fn sweep(&self, is_stale: impl Fn(&T) -> bool) -> Vec<T> {
        match self {
            Queue::Fifo(fifo) => fifo.sweep(is_stale),
            Queue::Lifo(stack) => {
                stack.sweep(|entries| entries.extract_if(.., |it| is_stale(it)).collect())
            }
            Queue::Priority(levels) => levels.sweep(|levels| {
                let mut stale = Vec::new();
                levels.retain(|_, entries| {
                    let (old, kept) = std::mem::take(entries).into_iter().partition(&is_stale);
                    stale.extend::<VecDeque<T>>(old);
                    *entries = kept;
                    !entries.is_empty()
                });
                stale
            }),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Queue::Fifo(fifo) => fifo.len(),
            Queue::Lifo(stack) => stack.len(),
            Queue::Priority(levels) => levels.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// First in, first out: a channel, and in front of it what is left of entries that were swept.
///
/// A channel gives entries only from its head, so a sweep takes all of them out, and the live ones
/// wait in front of it from then on. Those come first, so the order stays.
///
/// # Why nobody overlooks an entry that is being swept
///
/// `waiting` is raised before the first entry is taken out of the channel, and [`len`](Fifo::len)
/// reads the channel before it. Whoever finds an entry missing from the channel has seen a change
/// that came after the raise, and so sees `waiting`. Poppers that see it wait for the lock. One that
/// looked just before the raise goes to the channel, and may get an entry that is newer than some
/// that the sweep holds at that moment: then those begin after it, by the length of a sweep.
#[derive(Debug)]
pub(crate) struct Fifo<T> {
    channel: Channel<T>,
    front: Mutex<VecDeque<T>>,
    /// How many entries stand in front; at least one during a sweep.
    waiting: AtomicUsize,
}

impl<T> Fifo<T> {
    fn new() -> Self {
        Fifo {
            channel: Channel::new(),
            front: Mutex::new(VecDeque::new()),
            waiting: AtomicUsize::new(0),
        }
    }

    fn pop(&self) -> Option<T> {
        loop {
            // ORDERING: acquire pairs with the release in `sweep`.
            if self.waiting.load(Ordering::Acquire) > 0 {
                let mut front = self.front.lock();
                let entry = front.pop_front();
                // ORDERING: release pairs with the acquire above and in `len`.
                self.waiting.store(front.len(), Ordering::Release);
                if entry.is_some() {
                    return entry;
                }
            }
            let entry = self.channel.pop();
            // ORDERING: acquire, as above: if a sweep has just emptied the channel, look again.
            if entry.is_some() || self.waiting.load(Ordering::Acquire) == 0 {
                return entry;
            }
        }
    }

    fn sweep(&self, is_stale: impl Fn(&T) -> bool) -> Vec<T> {
        let mut front = self.front.lock();
        // ORDERING: release; made visible by the channel's own changes, see the type.
        self.waiting.store(front.len() + 1, Ordering::Release);
        let mut stale = Vec::new();
        let mut live = VecDeque::new();
        // What is pushed from now on stays behind.
        let swept = self.channel.len();
        let entries = front.drain(..).chain(std::iter::from_fn(|| self.channel.pop()).take(swept));
        for entry in entries {
            if is_stale(&entry) { stale.push(entry) } else { live.push_back(entry) }
        }
        *front = live;
        // ORDERING: release pairs with the acquire in `pop` and `len`.
        self.waiting.store(front.len(), Ordering::Release);
        stale
    }

    fn len(&self) -> usize {
        let in_channel = self.channel.len();
        // ORDERING: acquire; and after the channel was read, see the type.
        in_channel + self.waiting.load(Ordering::Acquire)
    }
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

    fn sweep<T>(&self, take: impl FnOnce(&mut C) -> Vec<T>) -> Vec<T> {
        let mut entries = self.entries.lock();
        let stale = take(&mut entries);
        // ORDERING: relaxed, as in `push`.
        self.length.fetch_sub(stale.len(), Ordering::Relaxed);
        stale
    }

    fn len(&self) -> usize {
        // ORDERING: relaxed, as in `push`.
        self.length.load(Ordering::Relaxed)
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
    fn a_sweep_takes_out_what_is_stale_and_keeps_the_order_of_the_rest() {
        for (order, expected) in [
            (Order::Fifo, [1, 3, 5, 7, 11, 13]),
            (Order::Lifo, [13, 11, 7, 5, 3, 1]),
            (Order::Priority, [13, 11, 7, 5, 3, 1]),
        ] {
            let queue = Queue::new(order);
            (0..8).for_each(|n| queue.push(n, n as i32));
            assert_eq!(queue.sweep(|n| n % 2 == 0).len(), 4);
            assert_eq!(queue.len(), 4);
            (10..14).for_each(|n| queue.push(n, n as i32));
            assert_eq!(queue.sweep(|n| n % 2 == 0).len(), 2);
            assert_eq!(drained(&queue), expected, "{order:?}");
            assert!(queue.is_empty());
        }
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
