//! What a thread knows about itself: which worker it is, and which task it is running.
//!
//! A pool leaves a [`Host`] in each of its threads. Through it the rooms above can let a worker
//! run the task it waits for, or stand aside while it waits, without knowing any pool.

use super::cell::Header;
use super::deliver;
use super::owner::{Advice, OwnerId};
use super::series;
use super::task_ref::TaskRef;
use crate::sync::thread::const_thread_local;
use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::rc::Rc;

/// Why a worker is about to block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blocking {
    /// It waits for a task; it is replaced only if no other worker could go on.
    Waiting,
    /// It said that it will be busy with something else; it is replaced whenever there is work.
    InPlace,
}

/// A worker, as the code that it runs sees it.
pub(crate) trait Host {
    /// The pool that this worker belongs to.
    fn owner(&self) -> OwnerId;

    /// Runs a pending task here and now, if it is one of its own pool. False if it may not, or if
    /// somebody else has begun the task.
    fn help(&self, _task: &TaskRef) -> bool {
        false
    }

    fn begin_blocking(&self, _why: Blocking) {}
    fn end_blocking(&self, _why: Blocking) {}

    /// Whether the pool asks all its running tasks to stop.
    fn is_stopping(&self) -> bool {
        false
    }
}

const_thread_local! { static HOST: RefCell<Option<Rc<dyn Host>>> = RefCell::new(None) }
const_thread_local! { static CURRENT: Cell<Option<NonNull<Header>>> = Cell::new(None) }
const_thread_local! {
    /// Of a task that may be repeated: which it is, and how often it has been begun.
    static ATTEMPT: Cell<(Option<NonNull<Header>>, u32)> = Cell::new((None, 0))
}

/// Makes this thread a worker, or an ordinary thread again.
pub(crate) fn set_host(host: Option<Rc<dyn Host>>) {
    let previous = HOST.try_with(|slot| slot.replace(host));
    drop(previous);
}

/// None too when the thread is ending and its thread-locals are gone.
fn host() -> Option<Rc<dyn Host>> {
    HOST.try_with(|slot| slot.borrow().clone()).ok().flatten()
}

/// The pool whose worker this thread is.
pub(crate) fn host_owner() -> Option<OwnerId> {
    host().map(|host| host.owner())
}

/// Lets this thread run the task that it is about to wait for, if nobody has begun it: as a worker of
/// that task's pool, or as a thread that is no worker at all, if the pool lets callers help.
///
/// A task that is made from others is reached by way of those.
pub(crate) fn help(task: &TaskRef) -> bool {
    let host = host();
    let run = |task: &TaskRef| match &host {
        Some(host) => host.help(task),
        None if task.owner().lets_callers_help() => {
            task.owner().with(|owner| owner.help(task)).unwrap_or(false)
        }
        None => false,
    };
    if task.snapshot().is_ready() {
        return run(task);
    }
    if !task.is_derived() {
        return false;
    }
    task.chain().iter().fold(false, |_, link| link.snapshot().is_ready() && run(link))
}

/// What this thread should do while it waits for the task, if it is ready to attend. A worker has no time
/// to offer.
pub(crate) fn advise(task: &TaskRef, is_ready: bool) -> Advice {
    let offers_time = is_ready && host().is_none();
    task.owner().with(|owner| owner.advise(task, offers_time)).unwrap_or(Advice::Look)
}

/// Blocks in `wait`, telling the pool if this thread is a worker.
pub(crate) fn while_blocked<R>(why: Blocking, wait: impl FnOnce() -> R) -> R {
    struct Ended(Rc<dyn Host>, Blocking);
    impl Drop for Ended {
        fn drop(&mut self) {
            self.0.end_blocking(self.1);
        }
    }
    deliver::catch_up();
    series::hand_over();
    let _ended = host().map(|host| {
        host.begin_blocking(why);
        Ended(host, why)
    });
    wait()
}

/// Runs `code` with `task` as the current one.
pub(super) fn enter<R>(task: NonNull<Header>, code: impl FnOnce() -> R) -> R {
    let _left = Left(CURRENT.with(|current| current.replace(Some(task))));
    code()
}

/// Puts back what was the current task before.
struct Left(Option<NonNull<Header>>);

impl Drop for Left {
    #[inline]
    fn drop(&mut self) {
        CURRENT.with(|current| current.set(self.0));
    }
}

/// As what a thread runs its code: as which task, and at which attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Standing {
    current: Option<NonNull<Header>>,
    attempt: (Option<NonNull<Header>>, u32),
}

pub(crate) fn standing() -> Standing {
    Standing { current: CURRENT.with(Cell::get), attempt: ATTEMPT.with(Cell::get) }
}

/// Runs `code` as what another thread was when it had that standing.
///
/// # Safety
///
/// The other thread stays what it was until `code` has returned: so its task is kept.
pub(crate) unsafe fn stand_in_for<R>(standing: Standing, code: impl FnOnce() -> R) -> R {
    struct Before(Standing);
    impl Drop for Before {
        fn drop(&mut self) {
            stand(self.0);
        }
    }
    fn stand(standing: Standing) {
        CURRENT.with(|current| current.set(standing.current));
        ATTEMPT.with(|attempt| attempt.set(standing.attempt));
    }
    let _before = Before(self::standing());
    stand(standing);
    code()
}

/// Runs `code` that belongs to no task, though a task may have led to it: callbacks, for instance.
pub(super) fn outside<R>(code: impl FnOnce() -> R) -> R {
    let _left = Left(CURRENT.with(|current| current.replace(None)));
    code()
}

fn current<R>(look: impl FnOnce(&Header) -> R) -> Option<R> {
    let task = CURRENT.with(Cell::get)?;
    // SAFETY: the pointer was left by `enter` for as long as the task's code runs on this thread,
    // and whoever called `enter` holds a reference to the task all that time.
    Some(look(unsafe { task.as_ref() }))
}

/// Whether the running task has been asked to stop: by [`Future::abort`](crate::Future::abort),
/// by its timeout, or by an executor that is being shut down and has lost patience.
///
/// Long-running tasks call this now and then, wherever they are in their call stack, and return
/// early when it is true. A task that has been told so ends as cancelled, whatever it returns; a
/// task that never asks does all its work, and its value counts. Outside a task it is `false`.
/// Costs a few nanoseconds and never blocks.
///
/// # Python
///
/// There is no counterpart: a running task cannot be stopped.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{ThreadPoolExecutor, cancellation_requested};
///
/// let executor = ThreadPoolExecutor::new(1)?;
/// let (started, has_started) = std::sync::mpsc::channel();
/// let future = executor.spawn(move || {
///     started.send(()).unwrap();
///     while !cancellation_requested() {
///         std::thread::yield_now(); // one step of the work
///     }
/// });
/// has_started.recv()?;
/// assert!(future.abort());
/// assert!(future.result().unwrap_err().is_cancelled());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cancellation_requested() -> bool {
    let is_pool_stopping =
        || HOST.try_with(|slot| slot.borrow().as_ref().is_some_and(|it| it.is_stopping()));
    current(|task| task.heed(is_pool_stopping().unwrap_or(false))).unwrap_or(false)
}

/// The label of the task that this thread is running, if there is one.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{TaskOptions, ThreadPoolExecutor, current_label};
///
/// let executor = ThreadPoolExecutor::new(1)?;
/// let named = executor.with(TaskOptions::new().label("page 7"));
/// assert_eq!(named.spawn(current_label).result()?.as_deref(), Some("page 7"));
/// assert_eq!(current_label(), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn current_label() -> Option<String> {
    current(|task| task.label().map(|label| label.to_string())).flatten()
}

/// Runs `code` as such an attempt of the current task.
pub(crate) fn at_attempt<R>(attempt: u32, code: impl FnOnce() -> R) -> R {
    struct Before((Option<NonNull<Header>>, u32));
    impl Drop for Before {
        fn drop(&mut self) {
            ATTEMPT.with(|slot| slot.set(self.0));
        }
    }
    let now = (CURRENT.with(Cell::get), attempt);
    let _before = Before(ATTEMPT.with(|slot| slot.replace(now)));
    code()
}

/// How often the task that this thread is running has been begun, this time included: more than
/// one only for a task that is being [retried](crate::ThreadPoolHandle::retrying). Zero outside a
/// task.
///
/// # Python
///
/// There is no counterpart.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{ThreadPoolExecutor, attempt};
///
/// let executor = ThreadPoolExecutor::new(1)?;
/// let third_time = executor.retrying(2).submit(|()| { assert_eq!(attempt(), 3); attempt() }, ());
/// assert_eq!(third_time.result()?, 3);
/// assert_eq!(executor.spawn(attempt).result()?, 1);
/// assert_eq!(attempt(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn attempt() -> u32 {
    match (CURRENT.with(Cell::get), ATTEMPT.with(Cell::get)) {
        (None, _) => 0,
        (task, (of, attempt)) if task == of => attempt,
        _ => 1,
    }
}

/// Marks a long block within a task: while `code` runs, another thread may stand in for this
/// worker, so that tasks waiting in the queue go on.
///
/// For code that waits for something other than a processor: a lock that is held for long, a
/// device, a network. Waiting for a [`Future`](crate::Future) needs no mark. Runs `code` at once
/// on this very thread; outside a worker it does nothing else.
///
/// The stand-in is a thread beyond `max_workers`; it retires when this worker is back. Tokio's
/// function of the same name and Java's `ManagedBlocker` are where the idea comes from.
///
/// # Panics
///
/// If `code` does.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{ThreadPoolExecutor, block_in_place};
/// use std::sync::mpsc;
///
/// let executor = ThreadPoolExecutor::new(1)?;
/// let (sender, receiver) = mpsc::channel();
/// let waits = executor.spawn(move || block_in_place(|| receiver.recv()));
/// let sends = executor.spawn(move || sender.send("from the stand-in"));
/// assert_eq!(waits.result()??, "from the stand-in");
/// sends.result()??;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn block_in_place<R>(code: impl FnOnce() -> R) -> R {
    while_blocked(Blocking::InPlace, code)
}
