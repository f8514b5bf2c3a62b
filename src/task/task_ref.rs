//! A counted reference to a task of any type: what queues, groups and timers hold.

use super::cell::{End, Header};
use super::context;
use super::deliver;
use super::extras::{Extras, Report};
use super::owner::OwnerId;
use super::settings::TaskSettings;
use super::state::{Cancel, Snapshot};
use super::waiters::{Observer, Phase, Waiter};
use crate::error::{BrokenCause, TaskError, TaskErrorKind};
use crate::sync::Arc;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::task::Waker;

/// What came of an attempt to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cancelled {
    /// This call cancelled it.
    Now,
    /// It was cancelled before.
    Before,
    /// It has begun, or is done.
    No,
}

/// A reference that keeps the task's memory. It gives no right to the outcome.
pub(crate) struct TaskRef(NonNull<Header>);

// SAFETY: everything that a `TaskRef` reaches is either atomic, behind a lock, immutable, or given
// to one thread by a transition of the state word; closures and outcomes are `Send` by the bounds
// of the functions that create tasks.
unsafe impl Send for TaskRef {}
// SAFETY: as above; no method gives shared access to the slot.
unsafe impl Sync for TaskRef {}

impl TaskRef {
    /// Takes over one reference that the state word already counts.
    ///
    /// # Safety
    ///
    /// `task` is live, and the reference is the caller's to give.
    pub(super) unsafe fn from_counted(task: NonNull<Header>) -> Self {
        TaskRef(task)
    }

    pub(super) fn header(&self) -> &Header {
        // SAFETY: this reference keeps the task alive.
        unsafe { self.0.as_ref() }
    }

    pub(super) fn pointer(&self) -> NonNull<Header> {
        self.0
    }

    /// Tells tasks apart while both are referred to.
    pub(crate) fn address(&self) -> usize {
        self.0.addr().get()
    }

    #[inline]
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.header().state.load()
    }

    #[inline]
    pub(crate) fn owner(&self) -> OwnerId {
        self.header().owner
    }

    #[inline]
    pub(crate) fn extras(&self) -> Option<&Arc<Extras>> {
        self.header().extras.as_ref()
    }

    /// What was asked for it, if anything was.
    #[inline]
    pub(crate) fn settings(&self) -> Option<&TaskSettings> {
        self.header().settings()
    }

    pub(crate) fn label(&self) -> Option<&Arc<str>> {
        self.header().label()
    }

    /// A part of what its worker process has told of it, if it is done.
    pub(crate) fn reported_at_end<T>(&self, part: impl FnOnce(&Report) -> Option<T>) -> Option<T> {
        if self.snapshot().is_done() { self.header().reported(part) } else { None }
    }

    /// Changes what is told of it besides its outcome, if that is asked for.
    pub(crate) fn report(&self, change: impl FnOnce(&mut Report)) {
        if let Some(report) = self.extras().and_then(|extras| extras.report.as_ref()) {
            change(&mut report.lock());
        }
    }

    /// An error of this task, with its label, and its output.
    pub(crate) fn error(&self, kind: TaskErrorKind) -> TaskError {
        self.header().error(kind)
    }

    /// The right to run the task, if nobody has begun or ended it.
    #[inline]
    pub(crate) fn begin(&self) -> Option<Begun<'_>> {
        self.header().state.begin().then(|| Begun::borrowed(self))
    }

    /// The same for a reference that is of no use afterwards: [`Begun::run`] gives it up, at less
    /// cost than a drop. Gives it back if somebody else has begun or ended the task.
    #[inline]
    pub(crate) fn begin_last(self) -> Result<Begun<'static>, TaskRef> {
        if !self.header().state.begin() {
            return Err(self);
        }
        Ok(Begun { task: ManuallyDrop::new(self), releases: true, _borrowed: PhantomData })
    }

    /// The right to run the task, if it is ready and nobody has begun it.
    #[inline]
    pub(crate) fn begin_ready(&self) -> Option<Begun<'_>> {
        self.header().state.begin_ready().then(|| Begun::borrowed(self))
    }

    /// Makes the task ready, just before it is put into its pool's queue; false if it has been
    /// cancelled and should not be.
    #[must_use]
    pub(crate) fn enqueue(&self) -> bool {
        self.header().state.enqueue()
    }

    /// As [`enqueue`](Self::enqueue), for a task that nobody but the caller has heard of yet.
    #[inline]
    pub(crate) fn enqueue_unknown(&self) {
        self.header().state.enqueue_unknown();
    }

    /// Cancels this one task if it has not begun; see [`derived`](super::derived) for what it is
    /// made from.
    pub(super) fn cancel_own(&self) -> Cancelled {
        loop {
            match self.header().state.cancel() {
                Cancel::Won { waited, queued } => {
                    // SAFETY: the cell is live and its own table is used; this call won `cancel`.
                    context::outside(|| unsafe { (self.header().table.cancelled)(self.0, waited) });
                    if queued {
                        self.owner().with(|owner| owner.task_cancelled(self));
                    }
                    return Cancelled::Now;
                }
                Cancel::Already => return Cancelled::Before,
                // An owner that is gone has ended all its tasks.
                Cancel::Lent => match self.owner().with(|owner| owner.take_back(self)) {
                    Some(true) => {}
                    Some(false) | None => return Cancelled::No,
                },
                Cancel::TooLate => return Cancelled::No,
            }
        }
    }

    /// Marks the task as lent to a worker that begins it by a word of its own; false if it is not
    /// pending any more.
    #[must_use]
    pub(crate) fn lend(&self) -> bool {
        self.header().state.lend()
    }

    /// The worker cannot begin the task any more.
    pub(crate) fn end_lending(&self) {
        self.header().state.end_lending();
    }

    /// The state, after its owner has been asked about a task that is lent to a worker.
    pub(super) fn current_snapshot(&self) -> Snapshot {
        let now = self.snapshot();
        if !now.is_lent() {
            return now;
        }
        self.owner().with(|owner| owner.look_after(self));
        self.snapshot()
    }

    /// Asks this one task to stop, if it is running.
    pub(super) fn request_stop(&self) -> bool {
        let asked = self.header().state.request_stop();
        if asked {
            self.owner().with(|owner| owner.stop_requested(self));
        }
        asked
    }

    /// Lets a running task time out: its future fails now, whoever blocks is woken, and the task is
    /// asked to stop. What is left to be done, if anything is, is other people's code (callbacks,
    /// wakers, hooks), which may take its time.
    pub(crate) fn expire(&self) -> Option<impl FnOnce() + Send + 'static> {
        let before = self.header().state.expire()?;
        let waiters = self.header().waiters.take().notify_observers();
        let is_unobserved = !before.has_handle();
        let has_hook = self.settings().is_some_and(|it| it.on_unobserved.is_some());
        if waiters.is_empty() && !(is_unobserved && has_hook) {
            return None;
        }
        let task = self.clone();
        Some(move || {
            // SAFETY: `task` is a reference, and the task has ended without an outcome.
            unsafe { deliver::without_outcome(task.pointer(), waiters) };
            if is_unobserved && !task.snapshot().is_observed() {
                let error = task.header().error_without_outcome(task.snapshot());
                task.header().report_unobserved(&error);
            }
        })
    }

    /// Registers a waiter, or gives it back if its moment has passed.
    pub(crate) fn add_waiter(&self, waiter: Waiter) -> Result<(), Waiter> {
        let header = self.header();
        let phase = waiter.phase();
        header.waiters.enter(waiter, || {
            header.state.announce_waiter(|now| match phase {
                Phase::Done => now.is_done(),
                Phase::Settled => now.is_settled(),
            })
        })
    }

    /// Registers the waker of one handle, in place of the one it registered before. False if the
    /// outcome can be taken now.
    pub(crate) fn set_waker(&self, handle: u32, waker: &Waker) -> bool {
        // Cloned before the lock is taken: a waker is somebody else's code.
        let waker = waker.clone();
        match self.header().waiters.replace_waker(handle, waker) {
            Ok(()) => true,
            Err(waker) => self.add_waiter(Waiter::Waker(waker, handle)).is_ok(),
        }
    }

    /// Forgets a waker, if it is still registered.
    pub(crate) fn remove_waker(&self, handle: u32) {
        if self.snapshot().is_waited() {
            drop(self.header().waiters.remove(|waiter| waiter.is_waker_of(handle)));
        }
    }

    /// Forgets an observer, if it is still registered.
    pub(crate) fn remove_observer(&self, observer: &Arc<dyn Observer>, key: u32) {
        drop(self.header().waiters.remove(|waiter| waiter.is_observer(observer, key)));
    }

    /// Reports a failure that this task handed to another one which had ended already.
    pub(crate) fn report_unobserved(&self, error: &TaskError) {
        self.header().report_unobserved(error);
    }

    /// Remembers that somebody has seen how the task failed.
    pub(crate) fn observe(&self) {
        self.header().state.observe();
    }
}

impl Clone for TaskRef {
    fn clone(&self) -> Self {
        self.header().state.acquire();
        TaskRef(self.0)
    }
}

impl Drop for TaskRef {
    fn drop(&mut self) {
        if self.header().state.release() {
            let free = self.header().table.free;
            // SAFETY: that was the last reference, and the table is the cell's own.
            unsafe { free(self.0) };
        }
    }
}

impl std::fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.header().fmt(f)
    }
}

/// The right, and the duty, to end a task that has begun. One that is dropped fails its task: its thread
/// has panicked between the two.
#[must_use]
pub(crate) struct Begun<'a> {
    /// Counted for `self` only if it `releases` it.
    task: ManuallyDrop<TaskRef>,
    releases: bool,
    _borrowed: PhantomData<&'a TaskRef>,
}

impl<'a> Begun<'a> {
    fn borrowed(task: &'a TaskRef) -> Self {
        let task = ManuallyDrop::new(TaskRef(task.0));
        Begun { task, releases: false, _borrowed: PhantomData }
    }

    pub(crate) fn task(&self) -> &TaskRef {
        &self.task
    }

    /// Runs the task's code on this thread.
    pub(crate) fn run(self) -> End {
        let this = ManuallyDrop::new(self);
        let run = this.task.header().table.run;
        // SAFETY: the cell is live, its own table is used, and holding `self` means that `begin`
        // was won and nothing has been done with it. A reference that is given up is `self`'s own,
        // which nobody uses after this.
        unsafe { run(this.task.pointer(), this.releases) }
    }

    /// Ends the task without running it.
    pub(crate) fn fail(self, error: TaskError) {
        ManuallyDrop::new(self).end(error);
    }

    /// To be called once, and nothing after it.
    fn end(&mut self, error: TaskError) {
        if error.is_cancelled() {
            self.task.header().state.heed(true);
        }
        let fail = self.task.header().table.fail;
        // SAFETY: as in `run`.
        context::outside(|| unsafe { fail(self.task.pointer(), error) });
        if self.releases {
            // SAFETY: the reference is `self`'s own, which nobody uses after this.
            unsafe { ManuallyDrop::drop(&mut self.task) };
        }
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let cause = BrokenCause::of_panicking_thread();
        self.end(self.task.error(TaskErrorKind::Broken(cause)));
    }
}
