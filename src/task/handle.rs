//! The typed ends of a task: the handle that owns its outcome, and the producer that makes it.

use super::cell::{self, Body, End, Header};
use super::extras::Extras;
use super::owner::OwnerId;
use super::state::{Cancel, DropHandle, Snapshot};
use super::task_ref::{Cancelled, TaskRef};
use super::waiters::Waiter;
use crate::error::{TaskError, TaskErrorKind};
use crate::sync::Arc;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

/// A task that has not been handed to anyone yet, with its type still known.
pub(crate) struct Fresh<B: Body> {
    handle: Handle<B::Output>,
    entry: TaskRef,
    _body: PhantomData<fn() -> B>,
}

impl<B: Body> Fresh<B> {
    /// Allocates a pending task.
    pub(crate) fn new(body: B, owner: OwnerId, extras: Option<Arc<Extras>>) -> Self
    where
        B: Send + 'static,
        B::Output: Send + 'static,
    {
        // SAFETY: neither body nor output borrows anything.
        unsafe { Self::borrowing(body, owner, extras) }
    }

    /// Allocates a pending task that may borrow. References to it have no lifetime, so the compiler
    /// cannot see how long it does.
    ///
    /// # Safety
    ///
    /// What the body and its output borrow must live until the body's guard has been dropped, and
    /// until the handle has.
    pub(crate) unsafe fn borrowing(body: B, owner: OwnerId, extras: Option<Arc<Extras>>) -> Self
    where
        B: Send,
        B::Output: Send,
    {
        let task = cell::allocate(body, owner, extras);
        // SAFETY: a new task counts two references; this is the first.
        let handle = unsafe { TaskRef::from_counted(task) };
        // SAFETY: and this is the second.
        let entry = unsafe { TaskRef::from_counted(task) };
        Fresh {
            handle: Handle { task: ManuallyDrop::new(handle), _output: PhantomData },
            entry,
            _body: PhantomData,
        }
    }

    /// The task to be queued, and the handle to be given to the caller.
    pub(crate) fn split(self) -> (TaskRef, Handle<B::Output>) {
        (self.entry, self.handle)
    }

    /// The task to be queued, while `self` can still take it back.
    pub(crate) fn entry(&self) -> TaskRef {
        self.entry.clone()
    }

    /// Takes the body back if nobody has begun the task; otherwise gives the handle.
    pub(crate) fn reclaim(self) -> Result<B, Handle<B::Output>> {
        let header = self.entry.header();
        // Cancelling is done here by hand, for the body is to be kept and not dropped.
        match header.state.cancel() {
            // SAFETY: `self` was made as a `Cell<B>`, and this call won `cancel`. Nobody waits: the
            // handle has not been given to anyone.
            Cancel::Won { .. } => Ok(unsafe { cell::take_body(self.entry.pointer()) }),
            _ => Err(self.handle),
        }
    }
}

/// The body of a task whose outcome comes from elsewhere.
pub(crate) struct Unkept<T>(PhantomData<fn() -> T>);

impl<T> Body for Unkept<T> {
    type Output = T;
    type Guard = ();

    fn guard(&mut self) {}

    fn run(self) -> T {
        unreachable!("a promised task is concluded by its producer and never run")
    }
}

/// A task without code of its own: whoever has the producer ends it.
pub(crate) fn promised<T: Send + 'static>(
    owner: OwnerId,
    extras: Option<Arc<Extras>>,
) -> (Producer<T>, Handle<T>) {
    let (task, handle) = Fresh::new(Unkept(PhantomData), owner, extras).split();
    (Producer { task, step: Step::Fresh, _output: PhantomData }, handle)
}

/// How far a producer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Fresh,
    Begun,
    Over,
}

/// The right, and the duty, to end a promised task. Made only by [`promised`] and never by the
/// type alone, so its task is known to be a `Cell<Unkept<T>>`.
pub(crate) struct Producer<T> {
    task: TaskRef,
    step: Step,
    _output: PhantomData<fn(T)>,
}

impl<T> Producer<T> {
    pub(crate) fn task(&self) -> &TaskRef {
        &self.task
    }

    /// Begins the task; the state that it is in if that cannot be.
    pub(crate) fn begin(&mut self) -> Result<(), Snapshot> {
        if self.step == Step::Fresh && self.task.header().state.begin() {
            self.step = Step::Begun;
            // What is left of the body has no contents; moving it out empties the slot.
            // SAFETY: the task is a `Cell<Unkept<T>>`, and `begin` was just won.
            let Unkept(_) = unsafe { cell::take_body::<Unkept<T>>(self.task.pointer()) };
            return Ok(());
        }
        Err(self.task.snapshot())
    }

    /// Ends the task; the state that it is in if it has ended already. A cancellation given as
    /// the error leaves the task cancelled.
    pub(crate) fn conclude(&mut self, outcome: Result<T, TaskError>) -> Result<(), Snapshot> {
        let is_cancelled = outcome.as_ref().is_err_and(TaskError::is_cancelled);
        if self.step == Step::Fresh {
            if is_cancelled && self.task.cancel_own() == Cancelled::Now {
                // In one step, so that nobody sees it running in between.
                self.step = Step::Over;
                return Ok(());
            }
            self.begin()?;
        }
        if self.step == Step::Over {
            return Err(self.task.snapshot());
        }
        self.step = Step::Over;
        if is_cancelled {
            self.task.header().state.heed(true);
        }
        // SAFETY: the task is a `Cell<Unkept<T>>`, begun by this producer and not concluded yet,
        // and `self` holds a reference.
        match unsafe { cell::conclude::<Unkept<T>>(self.task.pointer(), outcome, false) }.0 {
            End::Late => Err(self.task.snapshot()),
            _ => Ok(()),
        }
    }
}

impl<T> Drop for Producer<T> {
    fn drop(&mut self) {
        if self.step == Step::Over {
            return;
        }
        // If it was cancelled, everyone has been told already and nothing is left to do.
        let _ = self.conclude(Err(self.task.error(TaskErrorKind::PromiseDropped)));
    }
}

/// The right to the outcome of a task. There is one handle per task.
pub(crate) struct Handle<T> {
    task: ManuallyDrop<TaskRef>,
    _output: PhantomData<T>,
}

// SAFETY: the handle gives the outcome to the thread that has it, which is what `T: Send` allows.
unsafe impl<T: Send> Send for Handle<T> {}
// SAFETY: a shared handle gives `&T` to several threads, which is what `T: Sync` allows; `T: Send`
// because a shared handle may be what keeps the task, whose outcome another thread may drop.
unsafe impl<T: Send + Sync> Sync for Handle<T> {}

impl<T> Handle<T> {
    pub(crate) fn task(&self) -> &TaskRef {
        &self.task
    }

    /// Looks at the outcome; none while there is none.
    ///
    /// A handle that is shared between threads may look while callbacks do, which is why both ask
    /// for `T: Sync`; a handle that is not shared has no callbacks unless `T: Sync`.
    pub(crate) fn peek(&self) -> Option<Result<&T, TaskError>> {
        let now = self.task.snapshot();
        if now.is_finished() {
            // SAFETY: finished, and this handle exists and is borrowed: the outcome is in the slot
            // and nobody drops or moves it.
            let outcome = unsafe { outcome_of::<T>(self.task.pointer()) };
            return Some(match outcome {
                Ok(value) => Ok(value),
                Err(error) => {
                    self.task.observe();
                    Err(error.clone())
                }
            });
        }
        now.is_done().then(|| {
            self.task.observe();
            Err(self.task.header().error_without_outcome(now))
        })
    }

    /// Takes the outcome of a task that has settled.
    pub(crate) fn take(self) -> Result<T, TaskError> {
        let mut this = ManuallyDrop::new(self);
        let now = this.task.snapshot();
        assert!(now.is_settled(), "take of a task that is not settled: {now:?}");
        let outcome = if now.is_finished() {
            let table = this.task.header().table;
            // SAFETY: the cell is live and the table its own.
            let place = unsafe { (table.outcome)(this.task.pointer()) };
            let place = place.cast::<Result<T, TaskError>>();
            // SAFETY: settled, so the outcome is this handle's alone; the handle ends here, so it
            // is moved out once.
            unsafe { place.read() }
        } else {
            Err(this.task.header().error_without_outcome(now))
        };
        // SAFETY: `this` is never used again, nor dropped.
        unsafe { Self::release(&mut this.task) };
        outcome
    }

    /// Gives up the handle's reference.
    ///
    /// Whoever has the only reference frees without another change of the word.
    ///
    /// # Safety
    ///
    /// The outcome has been taken or dropped, and `task` is not used again.
    unsafe fn release(task: &mut ManuallyDrop<TaskRef>) {
        let free = task.header().table.free;
        let state = &task.header().state;
        if state.is_sole() || state.release_handle() {
            // SAFETY: that was the last reference, and the table is the cell's own.
            unsafe { free(task.pointer()) };
        }
    }

    /// Calls `look` with the outcome, on this thread if the task is done, otherwise on the thread
    /// that ends it.
    pub(crate) fn add_callback<F>(&self, look: F)
    where
        F: FnOnce(Result<&T, &TaskError>) + Send + 'static,
        T: Sync,
    {
        let callback = Waiter::Callback(Box::new(move |task: NonNull<Header>| {
            // SAFETY: whoever calls a callback keeps the task alive.
            let header = unsafe { task.as_ref() };
            let now = header.state.load();
            if now.is_failed() {
                header.state.observe();
            }
            if now.is_finished() {
                // SAFETY: finished, and either still settling, or the handle is borrowed by
                // `add_callback`: nobody moves or drops the outcome during the call. `T: Sync`,
                // because the handle's owner may look at the same time.
                look(unsafe { outcome_of::<T>(task) }.as_ref());
            } else {
                look(Err(&header.error_without_outcome(now)));
            }
        }));
        if let Err(Waiter::Callback(callback)) = self.task.add_waiter(callback) {
            super::panic::contain(|| callback(self.task.pointer()));
        }
    }

    /// Gives the outcome to `proceed`, on this thread if the task has settled, otherwise on the
    /// thread that ends it.
    pub(crate) fn on_settled(self, proceed: impl FnOnce(Result<T, TaskError>) + Send + 'static)
    where
        T: Send + 'static,
    {
        let task = TaskRef::clone(&self.task);
        let continuation = Waiter::Continuation(Box::new(move || proceed(self.take())));
        if let Err(Waiter::Continuation(proceed)) = task.add_waiter(continuation) {
            proceed();
        }
    }
}

/// Borrows the outcome.
///
/// # Safety
///
/// `task` is a live task whose outcome is of type `T`, it is finished, and nobody moves or drops
/// the outcome for as long as the reference is used.
unsafe fn outcome_of<'a, T>(task: NonNull<Header>) -> &'a Result<T, TaskError> {
    // SAFETY: the caller vouches that the task is live.
    let table = unsafe { task.as_ref() }.table;
    // SAFETY: the table is the cell's own.
    let place = unsafe { (table.outcome)(task) };
    // SAFETY: the caller vouches for the type, and that the outcome is there and stays.
    unsafe { place.cast::<Result<T, TaskError>>().as_ref() }
}

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        let header = self.task.header();
        let table = header.table;
        match header.state.drop_handle() {
            DropHandle::Expired => {
                let now = header.state.load();
                if !now.is_observed() {
                    header.report_unobserved(&header.error_without_outcome(now));
                }
                // SAFETY: there is no outcome, and the handle is being dropped.
                unsafe { Self::release(&mut self.task) };
            }
            DropHandle::OwnsOutcome => {
                struct Release<'a>(&'a mut ManuallyDrop<TaskRef>);
                impl Drop for Release<'_> {
                    fn drop(&mut self) {
                        // SAFETY: the outcome has been dropped, even if that panicked, and the
                        // handle is being dropped itself.
                        unsafe { Handle::<()>::release(self.0) };
                    }
                }
                let task = self.task.pointer();
                let _release = Release(&mut self.task);
                // SAFETY: the outcome is this handle's, and the table is the cell's own. A panic
                // of its drop goes on to whoever drops the handle.
                unsafe { (table.drop_outcome)(task, true) };
            }
            DropHandle::Released { last } => {
                if last {
                    // SAFETY: that was the last reference, and the table is the cell's own.
                    unsafe { (table.free)(self.task.pointer()) };
                }
            }
        }
    }
}
