//! Waiting: for one task, and for several until some or all of them are done.

use super::{CancelOnDrop, CompletionQueue, Future, SharedFuture};
use crate::sync::thread::{const_thread_local, thread_local};
use crate::sync::{Arc, Parker, Spin, deadline_after, is_imminent};
use crate::task::{self, Advice, Blocking, Observer, Phase, Snapshot, TaskRef, Waiter};
use std::cell::OnceCell;
use std::collections::HashSet;
use std::time::{Duration, Instant};

thread_local! {
    /// Where this thread sleeps while it waits for one task.
    static PARKER: Arc<Parker> = Arc::new(Parker::new());
}

const_thread_local! {
    /// How long this thread waited for single tasks lately.
    static SPIN: Spin = Spin::new()
}

/// Blocks until the task has reached `phase`; false if the deadline came first. No deadline at all
/// means that this thread may run the task itself; a deadline of `None` is one that never comes.
///
/// It stays awake for a moment, if that has been worth it lately, before it enters the task's list of
/// waiters: then nobody has to wake it.
///
/// Why no wake-up is lost: the waiter is registered before the last look, and a task that is done
/// by then refuses it; a token that comes between the look and the sleep is kept by the parker. A
/// token of an earlier wait may end the sleep too soon, so the loop looks again.
pub(crate) fn wait_for(task: &TaskRef, phase: Phase, deadline: Option<Option<Instant>>) -> bool {
    let reached = |now: Snapshot| match phase {
        Phase::Done => now.is_done(),
        Phase::Settled => now.is_settled(),
    };
    if reached(task.snapshot()) {
        return true;
    }
    if deadline.is_none() && task::help(task) && reached(task.snapshot()) {
        return true;
    }
    let advice = OnceCell::new();
    let is_unwelcome = || {
        let ask = || task::advise(task, deadline.is_none());
        is_imminent(deadline.flatten()) || matches!(advice.get_or_init(ask), Advice::Sleep)
    };
    let is_there = || match advice.get() {
        Some(Advice::Attend(attendance)) if attendance.look() => true,
        _ => reached(task.snapshot()),
    };
    let asleep = SPIN.with(|spin| spin.until(is_there, is_unwelcome)).err();
    // What it has found is told now.
    drop(advice);
    if asleep.is_none() && reached(task.snapshot()) {
        return true;
    }
    // The thread may be ending, and this thread-local gone: then it waits at a place of its own.
    let parker = PARKER.try_with(Arc::clone).unwrap_or_else(|_| Arc::new(Parker::new()));
    let observer: Arc<dyn Observer> = parker.clone();
    let waiter = match phase {
        Phase::Done => Waiter::Done(Arc::clone(&observer), 0),
        Phase::Settled => Waiter::Settled(Arc::clone(&observer), 0),
    };
    if task.add_waiter(waiter).is_err() {
        return true;
    }
    let is_reached = task::while_blocked(Blocking::Waiting, || {
        while !reached(task.snapshot()) {
            if !parker.park_until(deadline.flatten()) && !reached(task.snapshot()) {
                task.remove_observer(&observer, 0);
                return reached(task.snapshot());
            }
        }
        true
    });
    if let Some(asleep) = asleep {
        SPIN.with(|spin| spin.slept(asleep));
    }
    is_reached
}

/// Something that can be waited for together with others of its kind: a future, a reference to
/// one, or a pair of a key and a future.
///
/// The pair `(key, future)` is the counterpart of Python's dictionary from future to whatever it
/// was made for: the key comes back with the future. Implemented for the crate's own types only.
///
/// # Examples
///
/// See [`as_completed`](crate::as_completed).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a future that can be waited for",
    note = "futures, references to them, and pairs of a key and a future are: `(key, future)`, the key first"
)]
pub trait Waitable: sealed::Sealed {
    /// Whether the same task may come twice, which only references and shared futures can.
    #[doc(hidden)]
    const MAY_REPEAT: bool;

    /// The task behind it. For the crate's own use.
    #[doc(hidden)]
    fn awaited(&self) -> Awaited<'_>;
}

/// The task behind something to wait for. For the crate's own use.
#[doc(hidden)]
#[derive(Debug)]
pub struct Awaited<'a>(Option<&'a TaskRef>);

impl<'a> Awaited<'a> {
    /// None if its result has been taken, which is as good as done.
    pub(crate) fn task(&self) -> Option<&'a TaskRef> {
        self.0
    }
}

pub(crate) mod sealed {
    /// Only the crate's own types can be waited for.
    pub trait Sealed {}
}

impl<T> sealed::Sealed for Future<T> {}
impl<T> Waitable for Future<T> {
    const MAY_REPEAT: bool = false;

    fn awaited(&self) -> Awaited<'_> {
        Awaited(self.task())
    }
}

impl<T> sealed::Sealed for CancelOnDrop<T> {}
impl<T> Waitable for CancelOnDrop<T> {
    const MAY_REPEAT: bool = false;

    fn awaited(&self) -> Awaited<'_> {
        Awaited(self.task())
    }
}

impl<T> sealed::Sealed for SharedFuture<T> {}
impl<T> Waitable for SharedFuture<T> {
    const MAY_REPEAT: bool = true;

    fn awaited(&self) -> Awaited<'_> {
        Awaited(Some(self.task()))
    }
}

impl<W: Waitable> sealed::Sealed for &W {}
impl<W: Waitable> Waitable for &W {
    const MAY_REPEAT: bool = true;

    fn awaited(&self) -> Awaited<'_> {
        (**self).awaited()
    }
}

impl<K, W: Waitable> sealed::Sealed for (K, W) {}
impl<K, W: Waitable> Waitable for (K, W) {
    const MAY_REPEAT: bool = W::MAY_REPEAT;

    fn awaited(&self) -> Awaited<'_> {
        self.1.awaited()
    }
}

/// Leaves out every item whose task has come before.
pub(super) fn distinct<W: Waitable>(items: impl IntoIterator<Item = W>) -> Vec<W> {
    let items = items.into_iter();
    if !W::MAY_REPEAT {
        return items.collect();
    }
    let mut seen = HashSet::new();
    items
        .filter(|item| item.awaited().task().is_none_or(|task| seen.insert(task.address())))
        .collect()
}

/// When [`wait`] returns.
///
/// # Examples
///
/// See [`wait`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ReturnWhen {
    /// As soon as one task is done, in whichever way.
    FirstCompleted,
    /// As soon as one task has failed, or all are done. A cancelled task has not failed.
    FirstException,
    /// When all tasks are done.
    #[default]
    AllCompleted,
}

/// What [`wait`] was given, in two parts, each in the order given.
///
/// # Examples
///
/// See [`wait`].
#[derive(Debug)]
pub struct Waited<W> {
    /// Those that are done: with a value, a failure, or cancelled.
    pub done: Vec<W>,
    /// Those that are not.
    pub not_done: Vec<W>,
}

/// Waits for several tasks, and parts them into those that are done and those that are not.
///
/// Takes futures, references to futures, shared futures, or pairs of a key and any of these; of
/// several items for the same task only the first is kept. Blocks until the condition holds, with
/// an empty input not at all. Cancels nothing.
///
/// # Python
///
/// `wait(fs, return_when=…)`, where cancelled futures count as done at once, whoever cancelled
/// them.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{ReturnWhen, wait};
/// # let executor = concurrent_futures::ThreadPoolExecutor::new(2)?;
/// let futures = executor.submit_all(|n| n * n, 1..=3);
/// let waited = wait(futures, ReturnWhen::AllCompleted);
/// assert!(waited.not_done.is_empty());
/// let squares: Result<Vec<u32>, _> = waited.done.into_iter().map(|it| it.result()).collect();
/// assert_eq!(squares?, [1, 4, 9]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn wait<W: Waitable>(
    futures: impl IntoIterator<Item = W>,
    return_when: ReturnWhen,
) -> Waited<W> {
    wait_until(distinct(futures), return_when, None)
}

/// Like [`wait`], for `limit` at most, counted from the call. Running out of time is no error: what
/// is not done is in the other part.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{Promise, ReturnWhen, wait_timeout};
/// use std::time::Duration;
/// let (promise, future) = Promise::<u32>::new();
/// let waited = wait_timeout([&future], ReturnWhen::AllCompleted, Duration::from_millis(1));
/// assert_eq!((waited.done.len(), waited.not_done.len()), (0, 1));
/// # drop(promise);
/// ```
pub fn wait_timeout<W: Waitable>(
    futures: impl IntoIterator<Item = W>,
    return_when: ReturnWhen,
    limit: Duration,
) -> Waited<W> {
    let deadline = deadline_after(limit);
    wait_until(distinct(futures), return_when, Some(deadline))
}

fn wait_until<W: Waitable>(
    items: Vec<W>,
    return_when: ReturnWhen,
    deadline: Option<Option<Instant>>,
) -> Waited<W> {
    let is_done = |item: &W| item.awaited().task().is_none_or(|task| task.snapshot().is_done());
    let is_failed = |item: &W| item.awaited().task().is_some_and(|it| it.snapshot().is_failed());
    match return_when {
        ReturnWhen::AllCompleted => {
            // One after the other, oldest first: every one of them is needed.
            for task in items.iter().filter_map(|item| item.awaited().task()) {
                if !wait_for(task, Phase::Done, deadline) {
                    break;
                }
            }
        }
        ReturnWhen::FirstCompleted | ReturnWhen::FirstException => {
            let enough = |item: &W| {
                is_done(item) && (return_when == ReturnWhen::FirstCompleted || is_failed(item))
            };
            if !items.iter().any(enough) {
                let mut queue: CompletionQueue<&W> = items.iter().collect();
                while let Some(item) = queue.pop_until(deadline) {
                    if enough(item) {
                        break;
                    }
                }
            }
        }
    }
    let (done, not_done) = items.into_iter().partition(is_done);
    Waited { done, not_done }
}
