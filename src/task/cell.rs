//! The one allocation of a task: a header that is the same for all, and a slot that holds the
//! closure until the task begins and its outcome once it is done.
//!
//! A cell is created by [`allocate`] and freed by whoever releases the last reference. Everything
//! that depends on the types goes through the header's [`Table`]; everything that depends on the
//! moment is decided by the [`State`].
//!
//! # Who may touch the slot
//!
//! | state | the slot holds | who may touch it |
//! | --- | --- | --- |
//! | pending | the closure | nobody |
//! | running, just begun | the closure | whoever won `begin`, who moves it out |
//! | running | nothing | the same |
//! | cancelled | the closure, then nothing | whoever won `cancel`, who drops it |
//! | finished, settling | the outcome | everybody with a callback, for looking |
//! | finished, settled | the outcome | the handle; the runner if there is no handle |
//! | timed out | nothing, for all but the runner | the runner |

use super::context;
use super::deliver;
use super::extras::{Extras, Report, Watch, ending_with};
use super::owner::OwnerId;
use super::panic;
use super::settings::TaskSettings;
use super::state::{Finish, Snapshot, State};
use super::task_ref::TaskRef;
use super::waiters::Waiters;
use crate::error::{TaskError, TaskErrorKind};
use crate::sync::{Arc, Tracked, UnsafeCell};
use crate::timeline::Ending;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// What a task does.
pub(crate) trait Body {
    type Output;

    /// Something that is dropped only when the task's code, its captures and, if nobody wants it,
    /// its outcome are gone: whatever the task's path was.
    type Guard;

    fn guard(&mut self) -> Self::Guard;
    fn run(self) -> Self::Output;
}

/// How the run of a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Finished,
    Failed,
    /// It heeded a request to stop.
    Cancelled,
    /// It had timed out before it returned.
    Late,
}

/// The part of a task that is the same for all types.
#[repr(C)]
pub(crate) struct Header {
    pub(super) state: State,
    pub(super) table: &'static Table,
    pub(super) extras: Option<Arc<Extras>>,
    pub(super) waiters: Waiters,
    pub(super) owner: OwnerId,
    _tracked: Tracked,
}

/// What can be done to a task without knowing its types. Each function's obligation is that the
/// pointer is that of a live cell of the table's own type, and the one given beside it.
pub(super) struct Table {
    /// The caller has won `begin`. If the flag is set, a reference of the caller's is given up.
    pub(super) run: unsafe fn(NonNull<Header>, bool) -> End,
    /// The caller has won `begin`.
    pub(super) fail: unsafe fn(NonNull<Header>, TaskError),
    /// The caller has won `cancel`; the flag says whether there were waiters.
    pub(super) cancelled: unsafe fn(NonNull<Header>, bool),
    /// Where the outcome is; reading it is for whoever may touch the slot.
    pub(super) outcome: unsafe fn(NonNull<Header>) -> NonNull<()>,
    /// The outcome is the caller's to drop. The flag says whether a failure that nobody looked at
    /// is to be reported.
    pub(super) drop_outcome: unsafe fn(NonNull<Header>, bool),
    /// The caller has released the last reference.
    pub(super) free: unsafe fn(NonNull<Header>),
}

impl Header {
    #[inline]
    pub(crate) fn settings(&self) -> Option<&TaskSettings> {
        Some(&self.extras.as_ref()?.settings)
    }

    pub(crate) fn label(&self) -> Option<&Arc<str>> {
        self.settings()?.label.as_ref()
    }

    #[inline]
    fn watch(&self) -> Option<&Watch> {
        self.extras.as_ref()?.watch.as_ref()
    }

    /// Called by the running task itself, see [`State::heed`].
    pub(super) fn heed(&self, also: bool) -> bool {
        self.state.heed(also)
    }

    pub(super) fn error(&self, kind: TaskErrorKind) -> TaskError {
        TaskError::with_output(kind, self.label().cloned(), self.reported(|it| it.output.clone()))
    }

    /// A part of what its worker has told of it.
    pub(super) fn reported<T>(&self, part: impl FnOnce(&Report) -> Option<T>) -> Option<T> {
        part(&self.extras.as_ref()?.report.as_ref()?.lock())
    }

    /// The error of a task that is done and has no outcome in its slot.
    pub(super) fn error_without_outcome(&self, now: Snapshot) -> TaskError {
        if now.is_expired() {
            let limit = self.settings().and_then(|it| it.timeout);
            self.error(TaskErrorKind::TimedOut { limit: limit.unwrap_or_default() })
        } else {
            self.error(TaskErrorKind::Cancelled)
        }
    }

    /// How a task ends that is about to have this outcome.
    fn ending(&self, error: Option<&TaskError>) -> Ending {
        let now = self.state.load();
        if now.is_expired() {
            return Ending::TimedOut;
        }
        if now.has_heeded() {
            return Ending::Cancelled;
        }
        error.map_or(Ending::Finished, |error| ending_with(error.kind()))
    }

    /// Reports a failure that nobody looked at, if somebody wants to know.
    pub(super) fn report_unobserved(&self, error: &TaskError) {
        let hook = self.settings().and_then(|it| it.on_unobserved.as_ref());
        if let Some(hook) = hook {
            panic::contain(|| hook(error));
        }
    }
}

impl std::fmt::Debug for Header {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task")
            .field("state", &self.state.load())
            .field("extras", &self.extras)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

/// `repr(C)`, so that both are at its start.
#[repr(C)]
union Slot<B: Body> {
    body: ManuallyDrop<B>,
    outcome: ManuallyDrop<Result<B::Output, TaskError>>,
}

#[repr(C)]
struct Cell<B: Body> {
    header: Header,
    slot: UnsafeCell<Slot<B>>,
}

impl<B: Body> Cell<B> {
    const TABLE: Table = Table {
        run: run::<B>,
        fail: fail::<B>,
        cancelled: cancelled::<B>,
        outcome: outcome::<B>,
        drop_outcome: drop_outcome::<B>,
        free: free::<B>,
    };
}

/// A pending task with two references: the handle's, and that of whoever will run it.
pub(super) fn allocate<B: Body>(
    body: B,
    owner: OwnerId,
    extras: Option<Arc<Extras>>,
) -> NonNull<Header> {
    let cell = Box::new(Cell {
        header: Header {
            state: State::new(),
            table: const { &Cell::<B>::TABLE },
            extras,
            waiters: Waiters::default(),
            owner,
            _tracked: Tracked::new(),
        },
        slot: UnsafeCell::new(Slot { body: ManuallyDrop::new(body) }),
    });
    // The header is the first field of a `repr(C)` struct, so both have the same address.
    NonNull::from(Box::leak(cell)).cast()
}

/// Moves the body out of the slot.
///
/// # Safety
///
/// `task` is a live `Cell<B>`, and the caller has won `begin` or `cancel` and not done this yet.
pub(super) unsafe fn take_body<B: Body>(task: NonNull<Header>) -> B {
    // SAFETY: the caller vouches for a live cell of this type.
    let cell = unsafe { task.cast::<Cell<B>>().as_ref() };
    cell.slot.with_mut(|slot| {
        // SAFETY: the slot holds the body, which by the caller's word nobody else may touch and
        // nobody has moved out; it is not read from here again.
        let body = unsafe { std::ptr::read(slot.cast::<ManuallyDrop<B>>()) };
        ManuallyDrop::into_inner(body)
    })
}

/// Puts the outcome into the slot and ends the task with it. Says how it ended, and whether a
/// reference of the caller's went with it, which it may if the caller `releases` one.
///
/// # Safety
///
/// `task` is a live `Cell<B>`; the caller has won `begin`, has moved the body out, and holds a
/// reference until this returns.
pub(super) unsafe fn conclude<B: Body>(
    task: NonNull<Header>,
    outcome: Result<B::Output, TaskError>,
    releases: bool,
) -> (End, bool) {
    // SAFETY: the caller vouches for a live cell of this type.
    let cell = unsafe { task.cast::<Cell<B>>().as_ref() };
    let failed = outcome.is_err();
    if let Some(watch) = cell.header.watch() {
        // Before anybody else learns that it is over.
        watch.end(cell.header.ending(outcome.as_ref().err()));
    }
    cell.slot.with_mut(|slot| {
        // SAFETY: while the task is running the slot is the runner's, and it is empty.
        unsafe { slot.write(Slot { outcome: ManuallyDrop::new(outcome) }) };
    });
    let finish = cell.header.state.finish(failed, releases);
    match finish {
        // If the reference has gone, so may the cell.
        Finish::Handed => {}
        // SAFETY: the task is settling and this is its runner.
        Finish::Deliver => unsafe { deliver::ended(task, true) },
        // SAFETY: there is no handle, so the outcome is the runner's.
        Finish::Unwanted => unsafe { drop_contained(task, true) },
        Finish::Heeded { .. } | Finish::Late => {
            if let (Finish::Late, Some(watch)) = (finish, cell.header.watch()) {
                watch.end(Ending::TimedOut);
            }
            // SAFETY: a task that ends like this has no outcome for anyone but its runner.
            unsafe { drop_contained(task, false) };
        }
    }
    if finish == (Finish::Heeded { waited: true }) {
        // SAFETY: the task is done, has no outcome, and is kept alive by the caller.
        unsafe { deliver::ended(task, false) };
    }
    let end = match finish {
        Finish::Heeded { .. } => End::Cancelled,
        Finish::Late => End::Late,
        _ if failed => End::Failed,
        _ => End::Finished,
    };
    (end, releases && finish == Finish::Handed)
}

/// Drops the outcome on a thread that must not see a panic of it.
///
/// # Safety
///
/// As for [`Table::drop_outcome`].
pub(super) unsafe fn drop_contained(task: NonNull<Header>, report: bool) {
    panic::contain(|| {
        // SAFETY: the caller vouches for a live task whose outcome is its own.
        let header = unsafe { task.as_ref() };
        // SAFETY: as above; the table is the cell's own.
        unsafe { (header.table.drop_outcome)(task, report) };
    });
}

unsafe fn run<B: Body>(task: NonNull<Header>, releases: bool) -> End {
    // SAFETY: the caller has won `begin` on a live cell of this type.
    let mut body = unsafe { take_body::<B>(task) };
    let guard = body.guard();
    // SAFETY: the caller keeps the task alive.
    let watch = unsafe { task.as_ref() }.watch();
    let outcome = context::enter(task, || match watch {
        None => panic::catch(|| body.run()),
        Some(watch) => watch.run(|| panic::catch(|| body.run())),
    });
    let outcome = outcome.map_err(|panic| {
        // SAFETY: the caller keeps the task alive.
        let header = unsafe { task.as_ref() };
        header.error(TaskErrorKind::Panicked(panic))
    });
    // SAFETY: begun by the caller, and the body has been moved out.
    let (end, is_released) = unsafe { conclude::<B>(task, outcome, releases) };
    drop(guard);
    if releases && !is_released {
        // SAFETY: the caller's reference is to be given up, and has not been yet.
        drop(unsafe { TaskRef::from_counted(task) });
    }
    end
}

unsafe fn fail<B: Body>(task: NonNull<Header>, error: TaskError) {
    // SAFETY: the caller has won `begin` on a live cell of this type.
    let mut body = unsafe { take_body::<B>(task) };
    let guard = body.guard();
    panic::contain(|| drop(body));
    // SAFETY: begun by the caller, and the body has been moved out.
    unsafe { conclude::<B>(task, Err(error), false) };
    drop(guard);
}

unsafe fn cancelled<B: Body>(task: NonNull<Header>, waited: bool) {
    // SAFETY: the caller keeps the task alive.
    if let Some(watch) = unsafe { task.as_ref() }.watch() {
        watch.end(Ending::Cancelled);
    }
    // SAFETY: the caller has won `cancel` on a live cell of this type.
    let mut body = unsafe { take_body::<B>(task) };
    let guard = body.guard();
    panic::contain(|| drop(body));
    if waited {
        // SAFETY: the caller keeps the task alive.
        let waiters = unsafe { task.as_ref() }.waiters.take();
        // SAFETY: as above, and the task is done and has no outcome.
        unsafe { deliver::without_outcome(task, waiters) };
    }
    drop(guard);
}

unsafe fn outcome<B: Body>(task: NonNull<Header>) -> NonNull<()> {
    // SAFETY: the caller vouches for a live cell of this type.
    let cell = unsafe { task.cast::<Cell<B>>().as_ref() };
    let slot = cell.slot.with(|slot| slot.cast_mut());
    // The outcome is a field of a `repr(C)` union, and so at its start.
    NonNull::new(slot).map_or(NonNull::dangling(), NonNull::cast)
}

unsafe fn drop_outcome<B: Body>(task: NonNull<Header>, report: bool) {
    // SAFETY: the caller vouches for a live cell of this type.
    let cell = unsafe { task.cast::<Cell<B>>().as_ref() };
    let outcome = cell.slot.with_mut(|slot| {
        // SAFETY: the slot holds the outcome, which is the caller's to drop; it is moved out here
        // and not touched again.
        unsafe { std::ptr::read(slot.cast::<ManuallyDrop<Result<B::Output, TaskError>>>()) }
    });
    let outcome = ManuallyDrop::into_inner(outcome);
    if let Err(error) = &outcome
        && report
        && !cell.header.state.load().is_observed()
    {
        cell.header.report_unobserved(error);
    }
    drop(outcome);
}

unsafe fn free<B: Body>(task: NonNull<Header>) {
    // SAFETY: the pointer came from a leaked box of this type, and the last reference is gone.
    let mut cell = unsafe { Box::from_raw(task.cast::<Cell<B>>().as_ptr()) };
    if cell.header.state.last().is_pending() {
        // SAFETY: pending, so the body is still in the slot, and nobody else can reach it.
        let body = unsafe { take_body::<B>(task) };
        panic::contain(|| drop(body));
    }
    // Otherwise what the slot held has been moved out, and the union drops nothing itself.
    drop(cell);
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_header_fits_one_cache_line() {
        assert!(size_of::<Header>() <= 64, "{} bytes", size_of::<Header>());
    }
}
