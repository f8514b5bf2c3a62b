//! The order of work: which queued entry a worker gets next.
//!
//! A queue stores entries and never looks into them. It does not block and does not wake anyone;
//! that is the pool's business. Whatever is pushed is popped exactly once, or dropped with the
//! queue.

mod fifo;

pub(crate) use fifo::{Lane, Tour};

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering};
use fifo::Fifo;
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
    /// First in, first out: the order of submission, for each thread that submits. What tasks submit
    /// from within an executor of several workers may begin before what others have submitted; nobody
    /// waits for ever. The default.
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
    /// With so many lanes for workers, in the one order that has a use for them.
    pub(crate) fn new(order: Order, lanes: usize) -> Self {
        match order {
            Order::Fifo => Queue::Fifo(Fifo::new(lanes)),
            Order::Lifo => Queue::Lifo(Locked::new()),
            Order::Priority => Queue::Priority(Locked::new()),
        }
    }

    /// A lane for a worker, if there is one left.
    pub(crate) fn take_lane(&self) -> Option<Lane> {
        match self {
            Queue::Fifo(fifo) => fifo.take_lane(),
            Queue::Lifo(_) | Queue::Priority(_) => None,
        }
    }

    pub(crate) fn return_lane(&self, lane: Lane) {
        if let Queue::Fifo(fifo) = self {
            fifo.return_lane(lane);
        }
    }

    /// Adds an entry; `priority` counts only in [`Order::Priority`], and `lane` is the submitting
    /// worker's.
    #[inline]
    pub(crate) fn push(&self, entry: T, priority: i32, lane: Option<Lane>) {
        match self {
            Queue::Fifo(fifo) => fifo.push(entry, lane),
            Queue::Lifo(stack) => stack.push(|entries| entries.push(entry)),
            Queue::Priority(levels) => levels.push(|levels| {
                levels.entry(Reverse(priority)).or_default().push_back(entry);
            }),
        }
    }

    /// The next entry for a worker on such a tour.
    pub(crate) fn pop(&self, tour: &mut Tour) -> Option<T> {
        match self {
            Queue::Fifo(fifo) => fifo.pop(tour),
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

    /// Takes the newest entry out of a lane, if it is the one that is sought.
    pub(crate) fn pop_newest(&self, lane: Lane, is_sought: impl FnOnce(&T) -> bool) -> Option<T> {
        match self {
            Queue::Fifo(fifo) => fifo.pop_newest(lane, is_sought),
            Queue::Lifo(_) | Queue::Priority(_) => None,
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
                    stale.extend(take_out(entries, &is_stale));
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

/// Takes out what `is_stale` says; the others keep their order.
fn take_out<T>(entries: &mut VecDeque<T>, is_stale: impl Fn(&T) -> bool) -> Vec<T> {
    let (stale, kept): (VecDeque<T>, _) = std::mem::take(entries).into_iter().partition(is_stale);
    *entries = kept;
    stale.into()
}

/// Shares no line of the processor's memory with its neighbours, which belong to other threads. Two
/// lines, because processors fetch them in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Apart<T>(T);

/// A collection under a lock, with its length outside so that looking needs no lock.
#[derive(Debug)]
pub(crate) struct Locked<C> {
    entries: Mutex<C>,
    length: Apart<AtomicUsize>,
}

impl<C: Default> Locked<C> {
    fn new() -> Self {
        Locked { entries: Mutex::new(C::default()), length: Apart(AtomicUsize::new(0)) }
    }

    fn push(&self, put: impl FnOnce(&mut C)) {
        let mut entries = self.entries.lock();
        put(&mut entries);
        // ORDERING: relaxed; the lock orders the entries and these changes, and whoever decides to
        // sleep by this number stands behind a sequentially consistent fence, as the pusher does
        // afterwards.
        self.length.0.store(self.len() + 1, Ordering::Relaxed);
    }

    fn pop<T>(&self, take: impl FnOnce(&mut C) -> Option<T>) -> Option<T> {
        if self.len() == 0 {
            return None;
        }
        let mut entries = self.entries.lock();
        let entry = take(&mut entries)?;
        // ORDERING: relaxed, as in `push`.
        self.length.0.store(self.len() - 1, Ordering::Relaxed);
        Some(entry)
    }

    fn sweep<T>(&self, take: impl FnOnce(&mut C) -> Vec<T>) -> Vec<T> {
        let mut entries = self.entries.lock();
        let stale = take(&mut entries);
        // ORDERING: relaxed, as in `push`.
        self.length.0.store(self.len() - stale.len(), Ordering::Relaxed);
        stale
    }

    fn len(&self) -> usize {
        // ORDERING: relaxed, as in `push`.
        self.length.0.load(Ordering::Relaxed)
    }
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;

    fn drained(queue: &Queue<u32>) -> Vec<u32> {
        let mut tour = Tour::default();
        std::iter::from_fn(|| queue.pop(&mut tour)).collect()
    }

    #[test]
    fn fifo_pops_in_the_order_of_pushing() {
        let queue = Queue::new(Order::Fifo, 0);
        (0..5).for_each(|n| queue.push(n, n as i32, None));
        assert_eq!(drained(&queue), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn lifo_pops_the_newest_first() {
        let queue = Queue::new(Order::Lifo, 0);
        (0..5).for_each(|n| queue.push(n, n as i32, None));
        assert_eq!(drained(&queue), [4, 3, 2, 1, 0]);
    }

    #[test]
    fn priority_pops_the_highest_first_and_equals_in_the_order_of_pushing() {
        let queue = Queue::new(Order::Priority, 0);
        for (entry, priority) in [(0, 1), (1, 5), (2, 1), (3, 5), (4, -3)] {
            queue.push(entry, priority, None);
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
            let queue = Queue::new(order, 0);
            (0..8).for_each(|n| queue.push(n, n as i32, None));
            assert_eq!(queue.sweep(|n| n % 2 == 0).len(), 4);
            assert_eq!(queue.len(), 4);
            (10..14).for_each(|n| queue.push(n, n as i32, None));
            assert_eq!(queue.sweep(|n| n % 2 == 0).len(), 2);
            assert_eq!(drained(&queue), expected, "{order:?}");
            assert!(queue.is_empty());
        }
    }

    #[test]
    fn a_worker_takes_from_its_own_lane_then_from_the_queue_for_all_then_from_other_lanes() {
        let queue = Queue::new(Order::Fifo, 2);
        let (own, other) = (queue.take_lane(), queue.take_lane());
        assert!(own.is_some() && other.is_some() && queue.take_lane().is_none());
        for (entry, lane) in [(4, other), (2, None), (0, own), (5, other), (3, None), (1, own)] {
            queue.push(entry, 0, lane);
        }
        assert_eq!(queue.len(), 6);
        let mut tour = Tour::along(own);
        let popped: Vec<_> = std::iter::from_fn(|| queue.pop(&mut tour)).collect();
        assert_eq!(popped, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn no_lane_and_not_the_queue_for_all_waits_for_ever() {
        for mine in [true, false] {
            let queue = Queue::new(Order::Fifo, 2);
            let (own, other) = (queue.take_lane(), queue.take_lane());
            queue.push(1, 0, if mine { own } else { None });
            let mut tour = Tour::along(other);
            // Its own lane never becomes empty.
            let others = (0..10_000).filter(|_| {
                queue.push(0, 0, other);
                queue.pop(&mut tour) == Some(1)
            });
            assert_eq!(others.count(), 1);
        }
    }

    #[test]
    fn only_the_newest_entry_of_a_lane_is_taken_from_behind() {
        let queue = Queue::new(Order::Fifo, 1);
        let lane = queue.take_lane().unwrap();
        (0..3).for_each(|n| queue.push(n, 0, Some(lane)));
        assert_eq!(queue.pop_newest(lane, |n| *n == 1), None);
        assert_eq!(queue.pop_newest(lane, |n| *n == 2), Some(2));
        assert_eq!(queue.len(), 2);
        assert_eq!(drained(&queue), [0, 1]);
    }

    #[test]
    fn a_sweep_reaches_the_lanes() {
        let queue = Queue::new(Order::Fifo, 1);
        let lane = queue.take_lane();
        (0..8).for_each(|n| queue.push(n, 0, lane));
        assert_eq!(queue.sweep(|n| n % 2 == 0).len(), 4);
        assert_eq!(queue.len(), 4);
        assert_eq!(drained(&queue), [1, 3, 5, 7]);
    }

    #[test]
    fn length_counts_what_was_pushed_and_not_popped() {
        for order in [Order::Fifo, Order::Lifo, Order::Priority] {
            let queue = Queue::new(order, 0);
            assert!(queue.is_empty() && queue.pop(&mut Tour::default()).is_none());
            queue.push(1, 0, None);
            queue.push(2, 0, None);
            assert_eq!(queue.len(), 2);
            queue.pop(&mut Tour::default());
            assert_eq!(queue.len(), 1);
        }
    }
}
