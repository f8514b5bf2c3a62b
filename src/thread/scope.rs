//! Tasks that borrow from the caller's stack.
//!
//! A scope counts its tasks by a guard in each of them, which is dropped when nothing of the task
//! is left that could touch a borrow: its code has run or been dropped, and its outcome has been
//! handed over or dropped. The scope returns only when all guards are gone. That is what makes it
//! sound to let the pool, which knows nothing of lifetimes, run the tasks; and the one `unsafe`
//! block in this file says so to the compiler.

use super::call::{Carry, within};
use super::pool::Pool;
use crate::error::{TaskError, WaitTimeout};
use crate::executor::Patience;
use crate::future::{Awaited, Future, Group, Waitable, sealed};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Parker};
use crate::task::{self, AbortOnUnwind, Blocking, Body, Extras, Fresh, TaskSettings};
use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

/// A place where tasks can borrow from the caller's stack; from
/// [`ThreadPoolHandle::scope`](super::ThreadPoolHandle::scope).
///
/// All tasks of the scope are done, and all that they captured is gone, when `scope` returns. At a
/// normal end they are waited for; if the scope's body panics (or, in `try_scope`, returns an
/// `Err`), those that have not begun are cancelled first. A task's timeout does not apply here: its
/// future could not end before the task does.
///
/// # Python
///
/// There is no counterpart; leaving a `with` block waits for tasks as well, but by then they may
/// have outlived what they work on.
///
/// # Examples
///
/// Tasks may borrow what lives outside of the scope:
///
/// ```
/// let executor = concurrent_futures::ThreadPoolExecutor::new(2)?;
/// let mut halves = [1, 2];
/// let [left, right] = &mut halves;
/// executor.scope(|scope| {
///     scope.spawn(|| *left *= 10);
///     scope.spawn(|| *right *= 10);
/// });
/// assert_eq!(halves, [10, 20]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// but nothing that lives inside of it, for that is gone before they are:
///
/// ```compile_fail,E0373
/// let executor = concurrent_futures::ThreadPoolExecutor::new(2).unwrap();
/// executor.scope(|scope| {
///     let inside = 1;
///     scope.spawn(|| inside + 1);
/// });
/// ```
///
/// unless they take it with them:
///
/// ```
/// let executor = concurrent_futures::ThreadPoolExecutor::new(2).unwrap();
/// executor.scope(|scope| {
///     let inside = 1;
///     scope.spawn(move || inside + 1);
/// });
/// ```
///
/// And neither the scope nor a future of it can leave:
///
/// ```compile_fail
/// let executor = concurrent_futures::ThreadPoolExecutor::new(2).unwrap();
/// let escaped = executor.scope(|scope| scope.spawn(|| 1));
/// ```
///
/// while a result can:
///
/// ```
/// let executor = concurrent_futures::ThreadPoolExecutor::new(2).unwrap();
/// let result = executor.scope(|scope| scope.spawn(|| 1).result());
/// assert_eq!(result?, 1);
/// # Ok::<(), concurrent_futures::TaskError>(())
/// ```
pub struct Scope<'scope, 'env: 'scope> {
    pool: &'scope Arc<Pool>,
    priority: i32,
    shared: Arc<Shared>,
    extras: Option<Arc<Extras>>,
    /// Invariant, as in the standard library's scope: without it, `'scope` could shrink to where
    /// the tasks are spawned.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// What the tasks share with their scope. It is counted, because the last task still touches it
/// when the scope may already have seen that all are gone.
pub(super) struct Shared {
    /// Guards that have not been dropped.
    tasks: AtomicUsize,
    parker: Parker,
    group: Group,
}

/// Held by a task for as long as anything of it may touch a borrow.
pub(super) struct Guard(Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        // ORDERING: release pairs with the acquire in `Shared::is_over`: all that the task did is
        // over when the scope sees the count.
        if self.0.tasks.fetch_sub(1, Ordering::Release) == 1 {
            self.0.parker.unpark();
        }
    }
}

impl Shared {
    pub(super) fn new() -> Self {
        Shared { tasks: AtomicUsize::new(0), parker: Parker::new(), group: Group::new() }
    }

    pub(super) fn guard(self: &Arc<Self>) -> Guard {
        // ORDERING: relaxed; made by the scope's body, or by a task that has a guard itself.
        self.tasks.fetch_add(1, Ordering::Relaxed);
        Guard(Arc::clone(self))
    }

    fn is_over(&self) -> bool {
        // ORDERING: acquire pairs with the release in `Guard::drop`.
        self.tasks.load(Ordering::Acquire) == 0
    }

    /// Blocks until all guards are gone. A worker of the tasks' pool runs those that nobody has
    /// begun: they are all awaited here, so this starts nothing that it does not need.
    pub(super) fn wait(&self) {
        loop {
            let pending = self.group.unfinished();
            let helped = pending.iter().filter(|task| task::help(task)).count();
            if helped == 0 {
                break;
            }
        }
        if self.is_over() {
            return;
        }
        task::while_blocked(Blocking::Waiting, || {
            while !self.is_over() {
                self.parker.park();
            }
        });
    }
}

struct Scoped<F> {
    function: F,
    /// The context of whoever spawned it, if the executor has a hook for that.
    carry: Option<Carry>,
    guard: Option<Guard>,
}

impl<F: FnOnce() -> R, R> Body for Scoped<F> {
    type Output = R;
    type Guard = Option<Guard>;

    fn guard(&mut self) -> Option<Guard> {
        self.guard.take()
    }

    fn run(self) -> R {
        match self.carry {
            None => (self.function)(),
            Some(carry) => within(carry, self.function),
        }
    }
}

impl<'scope> Scope<'scope, '_> {
    /// Submits a closure that may borrow from outside of the scope. Blocks only if the queue is
    /// bounded and full, as its policy says.
    ///
    /// The future may be dropped; the scope waits for the task all the same.
    pub fn spawn<F, R>(&'scope self, function: F) -> ScopedFuture<'scope, R>
    where
        F: FnOnce() -> R + Send + 'scope,
        R: Send + 'scope,
    {
        self.spawn_as(type_name::<F>(), function)
    }

    fn spawn_as<F, R>(&'scope self, name: &'static str, function: F) -> ScopedFuture<'scope, R>
    where
        F: FnOnce() -> R + Send + 'scope,
        R: Send + 'scope,
    {
        let carry = self.pool.settings.context.as_ref().map(|capture| capture());
        let extras = Extras::for_task(&self.extras, name);
        let body = Scoped { function, carry, guard: Some(self.shared.guard()) };
        // SAFETY: what body and output borrow lives for `'scope`, which does not end before
        // `run_scope` has seen every guard dropped; and the handle goes into a `ScopedFuture`, which
        // cannot outlive `'scope`.
        let fresh = unsafe { Fresh::borrowing(body, self.pool.id, extras) };
        let (entry, handle) = fresh.split();
        self.shared.group.add_task(entry.clone());
        self.pool.enqueue_known(entry, self.priority, Patience::Policy);
        ScopedFuture { future: Future::new(handle), scope: PhantomData }
    }

    /// Submits the call `function(argument)`; see [`spawn`](Self::spawn).
    pub fn submit<F, A, R>(&'scope self, function: F, argument: A) -> ScopedFuture<'scope, R>
    where
        F: FnOnce(A) -> R + Send + 'scope,
        A: Send + 'scope,
        R: Send + 'scope,
    {
        self.spawn_as(type_name::<F>(), move || function(argument))
    }

    /// Cancels every task of the scope that has not begun, also those spawned from now on; how many
    /// it stopped.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// let stopped = executor.scope(|scope| {
    ///     let first = scope.spawn(|| while !concurrent_futures::cancellation_requested() {});
    ///     while !first.running() { std::thread::yield_now() }
    ///     let _second = scope.spawn(|| ());
    ///     let stopped = scope.cancel();
    ///     first.abort();
    ///     stopped
    /// });
    /// assert_eq!(stopped, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel(&self) -> usize {
        self.shared.group.cancel()
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

/// The future of a task in a [`Scope`]; it cannot leave the scope.
///
/// What a [`Future`] offers for looking, waiting and cancelling it offers too.
///
/// # Examples
///
/// See [`scope`](crate::ThreadPoolHandle::scope).
#[derive(Debug)]
pub struct ScopedFuture<'scope, T> {
    future: Future<T>,
    scope: PhantomData<&'scope T>,
}

impl<T> ScopedFuture<'_, T> {
    /// Waits for the task and gives its result; see [`Future::result`].
    ///
    /// # Errors
    ///
    /// The task's failure.
    pub fn result(self) -> Result<T, TaskError> {
        self.future.result()
    }

    /// Like [`result`](Self::result), but gives the future back if it is not done in time; see
    /// [`Future::result_timeout`].
    ///
    /// # Errors
    ///
    /// [`WaitTimeout`] with the future; inside, the task's own failure.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// let (sender, receiver) = std::sync::mpsc::channel();
    /// let answer = executor.scope(|scope| {
    ///     let future = scope.spawn(|| receiver.into_iter().next());
    ///     let timeout = future.result_timeout(Duration::from_millis(1)).unwrap_err();
    ///     sender.send("now it can finish").unwrap();
    ///     timeout.pending.result()
    /// });
    /// assert_eq!(answer?, Some("now it can finish"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn result_timeout(
        self,
        limit: Duration,
    ) -> Result<Result<T, TaskError>, WaitTimeout<Self>> {
        let scope = self.scope;
        self.future.result_timeout(limit).map_err(|WaitTimeout { pending, limit }| WaitTimeout {
            pending: ScopedFuture { future: pending, scope },
            limit,
        })
    }
}

impl<T> Deref for ScopedFuture<'_, T> {
    type Target = Future<T>;

    fn deref(&self) -> &Future<T> {
        &self.future
    }
}

impl<T> sealed::Sealed for ScopedFuture<'_, T> {}
impl<T> Waitable for ScopedFuture<'_, T> {
    const MAY_REPEAT: bool = false;

    fn awaited(&self) -> Awaited<'_> {
        self.future.awaited()
    }
}

pub(super) fn run_scope<'env, T>(
    pool: &Arc<Pool>,
    priority: i32,
    extras: Option<&Extras>,
    is_failure: impl FnOnce(&T) -> bool,
    body: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
) -> T {
    let shared = Arc::new(Shared::new());
    // Tasks that failed and that nobody looked at. Counted apart from `shared`, whose group holds
    // the tasks: they hold this hook, and a hook that held the group would keep them for ever.
    let failed = Arc::new(AtomicUsize::new(0));
    let unobserved = Arc::clone(&failed);
    let of_handle = extras.map(|it| &*it.settings);
    let also = of_handle.and_then(|it| it.on_unobserved.clone());
    let settings = TaskSettings {
        label: of_handle.and_then(|it| it.label.clone()),
        begin_within: of_handle.and_then(|it| it.begin_within),
        on_unobserved: Some(Arc::new(move |error: &TaskError| {
            // ORDERING: relaxed; read after the scope has seen that the task is over.
            unobserved.fetch_add(1, Ordering::Relaxed);
            if let Some(also) = &also {
                also(error);
            }
        })),
        timeline: pool.settings.timeline.clone(),
        executor: Some(Arc::clone(&pool.settings.thread_name_prefix)),
        // No timeout: it would end the future before the task has let go of its borrows.
        ..TaskSettings::default()
    };
    let scope = Scope {
        pool,
        priority,
        shared: Arc::clone(&shared),
        extras: settings.shared(),
        scope: PhantomData,
        env: PhantomData,
    };
    let result = catch_unwind(AssertUnwindSafe(|| body(&scope)));
    if result.as_ref().map_or(true, is_failure) {
        shared.group.cancel();
    }
    // Were this to unwind, tasks would outlive what they borrow.
    let no_unwinding = AbortOnUnwind;
    shared.wait();
    std::mem::forget(no_unwinding);
    shared.group.forget_all();
    match result {
        Err(payload) => resume_unwind(payload),
        Ok(value) => {
            // ORDERING: relaxed; every task is over, which `wait` has seen with acquire.
            if failed.load(Ordering::Relaxed) > 0 {
                panic!("a task of the scope failed and nobody looked at its result");
            }
            value
        }
    }
}
