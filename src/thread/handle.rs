//! Submitting: everything that a pool can be asked to do, by whoever has a handle.

use super::call::{Call, Carried, Returnable};
use super::pool::Pool;
use super::retry::Retrying;
use super::scope::{Scope, run_scope};
use super::settings::MAX_WORKERS;
use super::worker;
use crate::error::{BuildError, TrySubmitError};
use crate::executor::{
    self, Chunk, Executor, Map, MapOptions, Patience, Portable, Stats, TaskOptions,
};
use crate::future::Future;
use crate::sync::Arc;
use crate::task::{self, Extras, Fresh, Handle, TaskRef, TaskSettings};
#[cfg(feature = "monitor")]
use crate::timeline::Timeline;
use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;

/// A way to submit tasks to a [`ThreadPoolExecutor`](crate::ThreadPoolExecutor).
///
/// Cheap to clone, and can be sent anywhere, into tasks too. It does not keep the executor going:
/// once that has been shut down, or dropped, tasks are refused. A handle can carry
/// [options](TaskOptions) for all that is submitted through it, see [`with`](Self::with).
///
/// # Submitting
///
/// [`submit`](Self::submit) and its relatives never panic and never lose a task: one that is refused
/// comes back as a future that has failed already, with the reason. [`try_submit`](Self::try_submit)
/// gives function and argument back instead.
///
/// All that the submitting thread did before happens before the task, and all that the task did
/// happens before whoever sees that it is done.
///
/// # Python
///
/// In Python the executor itself is passed around.
///
/// # Examples
///
/// ```
/// use concurrent_futures::ThreadPoolExecutor;
///
/// let executor = ThreadPoolExecutor::new(1)?;
/// let handle = executor.handle();
/// // A task that submits another and waits for it, on a single worker:
/// let future = executor.spawn(move || handle.submit(|n| n + 1, 41).result());
/// assert_eq!(future.result()??, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ThreadPoolHandle<S = ()> {
    pub(super) pool: Arc<Pool>,
    pub(super) extras: Option<Arc<Extras>>,
    pub(super) options: TaskOptions,
    patience: Patience,
    state: PhantomData<fn(&mut S)>,
}

// A task is ended by whoever catches its panic, so nobody sees anything half done through this.
impl<S> std::panic::UnwindSafe for ThreadPoolHandle<S> {}
impl<S> std::panic::RefUnwindSafe for ThreadPoolHandle<S> {}

impl<S: 'static> ThreadPoolHandle<S> {
    pub(super) fn new(pool: Arc<Pool>) -> Self {
        let extras = extras_for(&pool, &TaskOptions::new());
        let patience = Patience::Policy;
        let options = TaskOptions::new();
        ThreadPoolHandle { pool, extras, options, patience, state: PhantomData }
    }

    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// A handle whose tasks all have these options, and those of this handle that are not among them.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{TaskOptions, ThreadPoolExecutor};
    /// use std::time::Duration;
    ///
    /// let executor = ThreadPoolExecutor::new(1)?;
    /// let limited = executor.with(TaskOptions::new().timeout(Duration::from_millis(20)));
    /// let named = limited.with(TaskOptions::new().label("endless"));
    /// let endless = named.spawn(|| while !concurrent_futures::cancellation_requested() {});
    /// assert_eq!(endless.label(), Some("endless"));
    /// assert!(endless.result().unwrap_err().is_timed_out());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with(&self, options: TaskOptions) -> ThreadPoolHandle<S> {
        let options = options.or(&self.options);
        let extras = extras_for(&self.pool, &options);
        ThreadPoolHandle { extras, options, ..self.clone() }
    }

    /// The priority of its tasks.
    pub(super) fn priority(&self) -> i32 {
        self.options.priority.unwrap_or_default()
    }

    /// A way to submit calls that are repeated, up to `retries` times each, if they fail; see
    /// [`Retrying`].
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// use concurrent_futures::attempt;
    ///
    /// let future = executor.retrying(2).submit(|least| assert!(attempt() >= least, "not yet"), 3);
    /// assert!(future.result().is_ok()); // at the third attempt
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn retrying(&self, retries: u32) -> Retrying<S> {
        Retrying::new(self.clone(), retries)
    }

    /// Submits the call `function(argument)`.
    ///
    /// Takes any function or closure that can be sent to another thread. Several arguments travel as
    /// a tuple, or are captured; see [`spawn`](Self::spawn) for none. Blocks only if the queue is
    /// bounded and full, as its policy says.
    ///
    /// # Python
    ///
    /// `submit(fn, *args)`.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// let future = executor.submit(|(base, exponent)| u64::pow(base, exponent), (3, 4));
    /// assert_eq!(future.result()?, 81);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn submit<F, A, R>(&self, function: F, argument: A) -> Future<R>
    where
        F: FnOnce(A) -> R + Send + 'static,
        A: Send + 'static,
        R: Send + 'static,
    {
        self.submit_as(type_name::<F>(), function, argument)
    }

    /// As [`submit`](Self::submit), for a function that goes by another name.
    pub(super) fn submit_as<F, A, R>(
        &self,
        name: &'static str,
        function: F,
        argument: A,
    ) -> Future<R>
    where
        F: FnOnce(A) -> R + Send + 'static,
        A: Send + 'static,
        R: Send + 'static,
    {
        let (entry, handle) = self.call(name, Call { function, argument });
        self.pool.enqueue_new(entry, handle.task(), self.priority(), self.patience);
        Future::new(handle)
    }

    /// Submits a closure that takes nothing; otherwise as [`submit`](Self::submit).
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// let words = vec!["many", "words"];
    /// let future = executor.spawn(move || words.concat());
    /// assert_eq!(future.result()?, "manywords");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn<F, R>(&self, function: F) -> Future<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.submit_as(type_name::<F>(), move |()| function(), ())
    }

    /// Submits the call `function(argument)`, or gives both back if it is refused. Never blocks.
    ///
    /// # Errors
    ///
    /// [`TrySubmitError`] with the reason, function and argument: the executor has been shut down or
    /// is broken, its queue is full, or it has no thread and could start none.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{ThreadPoolExecutor, Refusal};
    /// let executor = ThreadPoolExecutor::new(1)?;
    /// executor.shutdown(true, false);
    /// let refused = executor.try_submit(str::len, "precious").unwrap_err();
    /// assert!(matches!(refused.reason, Refusal::ShutDown));
    /// assert_eq!(refused.argument, "precious");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_submit<F, A, R>(
        &self,
        function: F,
        argument: A,
    ) -> Result<Future<R>, TrySubmitError<F, A>>
    where
        F: FnOnce(A) -> R + Send + 'static,
        A: Send + 'static,
        R: Send + 'static,
    {
        if let Some(reason) = self.pool.refusal() {
            return Err(TrySubmitError { reason, function, argument });
        }
        let name = type_name::<F>();
        let call = Call { function, argument };
        match &self.pool.settings.context {
            None => self.try_enqueue(self.task(name, call)),
            Some(capture) => self.try_enqueue(self.task(name, Carried { call, carry: capture() })),
        }
    }

    fn try_enqueue<B, F, A, R>(&self, fresh: Fresh<B>) -> Result<Future<R>, TrySubmitError<F, A>>
    where
        B: Returnable<F, A, Output = R>,
    {
        let entry = fresh.entry();
        let Err(reason) = self.pool.enqueue(entry.clone(), false, self.priority(), Patience::None)
        else {
            return Ok(Future::new(fresh.split().1));
        };
        let reclaimed = fresh.reclaim();
        if reclaimed.is_ok() && entry.snapshot().is_queued() {
            self.pool.count_stale();
        }
        self.pool.clean_up(&reason);
        match reclaimed {
            Ok(body) => {
                let Call { function, argument } = body.into_call();
                Err(TrySubmitError { reason, function, argument })
            }
            // A worker came for it after all.
            Err(handle) => Ok(Future::new(handle)),
        }
    }

    /// Submits a call of `function` with each of `arguments`, and wakes as many workers as that
    /// takes, once. The futures come in the order of the arguments.
    ///
    /// As [`submit`](Self::submit) for each of them, and faster for many. The closure is shared by
    /// the tasks.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(2)?;
    /// let futures = executor.submit_all(|n| n * n, [1, 2, 3]);
    /// let squares: Result<Vec<u32>, _> = futures.into_iter().map(|it| it.result()).collect();
    /// assert_eq!(squares?, [1, 4, 9]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn submit_all<F, A, R>(
        &self,
        function: F,
        arguments: impl IntoIterator<Item = A>,
    ) -> Vec<Future<R>>
    where
        F: Fn(A) -> R + Send + Sync + 'static,
        A: Send + 'static,
        R: Send + 'static,
    {
        let name = type_name::<F>();
        let shared = Arc::new(function);
        let function = move || {
            let function = Arc::clone(&shared);
            move |argument| function(argument)
        };
        if self.pool.is_bounded() || self.pool.settings.context.is_some() {
            // Each task has to find room, or a context, of its own.
            let submit = |argument| self.submit_as(name, function(), argument);
            return arguments.into_iter().map(submit).collect();
        }
        // All are made before the first is queued: in groups of 64, which the workers have run before
        // the next is there, it took 206 ns a task instead of 111.
        let (entries, futures): (Vec<_>, Vec<_>) = arguments
            .into_iter()
            .map(|argument| self.task(name, Call { function: function(), argument }).split())
            .map(|(entry, handle)| (entry, Future::new(handle)))
            .unzip();
        if let Err(refusal) = self.pool.enqueue_all(entries.into_iter(), self.priority()) {
            let tasks = futures.iter().filter_map(Future::task);
            tasks.for_each(|task| self.pool.refuse(task, &refusal));
            self.pool.clean_up(&refusal);
        }
        futures
    }

    /// Submits the call `function(state, argument)`, where `state` is what the
    /// [initializer](crate::ThreadPoolBuilder::initializer) made on the worker that runs it.
    ///
    /// The state is lent to one task at a time: while a task that has it waits for another that
    /// needs it, that one runs on another worker, or on a spare one.
    ///
    /// `map` and `submit_all` have no form with a state: many calls are submitted one by one.
    ///
    /// # Examples
    ///
    /// See [`initializer`](crate::ThreadPoolBuilder::initializer).
    pub fn submit_with_state<F, A, R>(&self, function: F, argument: A) -> Future<R>
    where
        F: FnOnce(&mut S, A) -> R + Send + 'static,
        A: Send + 'static,
        R: Send + 'static,
    {
        let settings = TaskSettings { needs_state: true, ..(*self.settings()).clone() };
        let stateful = self.with_extras(settings.shared());
        let call = move |argument| worker::with_state(|state| function(state, argument));
        stateful.submit_as(type_name::<F>(), call, argument)
    }

    /// Calls `function` with every item, and gives the results in the order of the items; see
    /// [`Map`] for what happens when.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(2)?;
    /// let lengths: Result<Vec<_>, _> = executor.map(str::len, ["a", "few", "words"]).collect();
    /// assert_eq!(lengths?, [1, 3, 5]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map<F, A, R, I>(&self, function: F, items: I) -> Map<I::IntoIter, R>
    where
        F: Fn(A) -> R + Send + Sync + 'static,
        A: Send + 'static,
        R: Send + 'static,
        I: IntoIterator<Item = A>,
    {
        self.map_with(MapOptions::new(), function, items)
    }

    /// Like [`map`](Self::map), in the way that the options say.
    ///
    /// Blocks if the options ask for [`eager`](MapOptions::eager) submission and the queue is bounded and full;
    /// the iterator's `next` blocks until a result is there.
    ///
    /// # Python
    ///
    /// `map(fn, *iterables, timeout=, chunksize=, buffersize=)`. There is one input, which the caller zips;
    /// without options it is read as results are taken, and the size of chunks is found by measuring.
    ///
    /// # Examples
    ///
    /// See [`MapOptions`].
    pub fn map_with<F, A, R, I>(
        &self,
        options: MapOptions,
        function: F,
        items: I,
    ) -> Map<I::IntoIter, R>
    where
        F: Fn(A) -> R + Send + Sync + 'static,
        A: Send + 'static,
        R: Send + 'static,
        I: IntoIterator<Item = A>,
    {
        // A map keeps what it has in flight within bounds itself, so it waits for room.
        let handle = ThreadPoolHandle { patience: Patience::Always, ..self.clone() };
        let function = Arc::new(function);
        let submit = move |chunk: Chunk<A>| {
            let function = Arc::clone(&function);
            let call = move |chunk| executor::run_chunk(chunk, |item| function(item));
            handle.submit_as(type_name::<F>(), call, chunk)
        };
        Map::new(options, self.max_workers(), items.into_iter(), submit)
    }

    /// Runs `body` with a [`Scope`] in which tasks can borrow from the caller's stack; see there.
    ///
    /// Blocks until `body` and all tasks of the scope are done. On a worker of this executor, tasks
    /// of the scope that have not begun are run here meanwhile.
    ///
    /// # Panics
    ///
    /// If `body` does: then tasks that have not begun are cancelled, the others waited for. And at
    /// the end, if a task failed (it panicked, or the executor refused it) and nobody looked at its
    /// result.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(2)?;
    /// let numbers = vec![1, 2, 3, 4];
    /// let (left, right) = numbers.split_at(2);
    /// let total = executor.scope(|scope| {
    ///     let sum = scope.spawn(|| left.iter().sum::<u32>());
    ///     right.iter().sum::<u32>() + sum.result().unwrap()
    /// });
    /// assert_eq!(total, 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn scope<'env, T>(
        &self,
        body: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
    ) -> T {
        run_scope(&self.pool, self.priority(), self.extras.as_deref(), |_| false, body)
    }

    /// Like [`scope`](Self::scope), for a body that returns a `Result`: an `Err` also cancels the
    /// tasks that have not begun.
    ///
    /// # Errors
    ///
    /// The body's own.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// let numbers = ["1", "2", "three"];
    /// let sum = executor.try_scope(|scope| {
    ///     let futures = numbers.map(|text| scope.spawn(move || text.parse::<u32>()));
    ///     let mut sum = 0;
    ///     for future in futures {
    ///         sum += future.result().expect("no task panics")?;
    ///     }
    ///     Ok::<_, std::num::ParseIntError>(sum)
    /// });
    /// assert!(sum.is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    ///
    /// As [`scope`](Self::scope).
    pub fn try_scope<'env, T, E>(
        &self,
        body: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> Result<T, E>,
    ) -> Result<T, E> {
        run_scope(&self.pool, self.priority(), self.extras.as_deref(), Result::is_err, body)
    }

    /// What is recorded of it, and under which name.
    #[cfg(feature = "monitor")]
    pub(crate) fn recorded(&self) -> Option<(&Timeline, &str)> {
        let settings = &self.pool.settings;
        Some((settings.timeline.as_ref()?, &settings.thread_name_prefix))
    }

    /// What the executor is doing, in numbers. Blocks no longer than it takes to read them. A task
    /// counts as running until just after its future is done; see [`Stats`].
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// executor.spawn(|| 1).result()?;
    /// assert_eq!(executor.stats().submitted(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stats(&self) -> Stats {
        self.pool.stats()
    }

    /// How many threads run tasks at once.
    ///
    /// # Examples
    ///
    /// See [`resize`](Self::resize).
    pub fn max_workers(&self) -> usize {
        self.pool.crew.limit()
    }

    /// Changes how many threads run tasks at once. Never blocks and loses no task: new threads
    /// start as they are needed, and threads that are too many end after the task they are at.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if there cannot be so many, or none; then nothing changes.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// executor.resize(3)?;
    /// assert_eq!(executor.max_workers(), 3);
    /// assert!(executor.resize(0).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resize(&self, max_workers: usize) -> Result<(), BuildError> {
        self.pool.resize(executor::check_workers(max_workers, MAX_WORKERS)?);
        Ok(())
    }

    pub(super) fn settings(&self) -> Arc<TaskSettings> {
        self.extras.as_ref().map(|it| Arc::clone(&it.settings)).unwrap_or_default()
    }

    pub(super) fn with_extras(&self, extras: Option<Arc<Extras>>) -> Self {
        ThreadPoolHandle { extras, ..self.clone() }
    }

    /// A task for the call, within the context of this thread if the pool carries one.
    pub(super) fn call<F, A, R>(&self, name: &'static str, call: Call<F, A>) -> (TaskRef, Handle<R>)
    where
        F: FnOnce(A) -> R + Send + 'static,
        A: Send + 'static,
        R: Send + 'static,
    {
        match &self.pool.settings.context {
            None => self.task(name, call).split(),
            Some(capture) => self.task(name, Carried { call, carry: capture() }).split(),
        }
    }

    fn task<B>(&self, name: &'static str, body: B) -> Fresh<B>
    where
        B: task::Body + Send + 'static,
        B::Output: Send + 'static,
    {
        Fresh::new(body, self.pool.id, Extras::for_task(&self.extras, name))
    }
}

fn extras_for(pool: &Pool, options: &TaskOptions) -> Option<Arc<Extras>> {
    let settings = &pool.settings;
    let (timeline, hook) = (settings.timeline.as_ref(), settings.on_unobserved.as_ref());
    options.settings(&settings.thread_name_prefix, timeline, hook).shared()
}

impl<S: 'static> Executor for ThreadPoolHandle<S> {
    fn submit_with<A: Portable, R: Portable>(
        &self,
        options: &TaskOptions,
        function: fn(A) -> R,
        argument: A,
    ) -> Future<R> {
        self.with(options.clone()).submit(function, argument)
    }

    fn submit<A: Portable, R: Portable>(&self, function: fn(A) -> R, argument: A) -> Future<R> {
        ThreadPoolHandle::submit(self, function, argument)
    }

    fn map_with<A, R, I>(
        &self,
        options: MapOptions,
        function: fn(A) -> R,
        items: I,
    ) -> Map<I::IntoIter, R>
    where
        A: Portable,
        R: Portable,
        I: IntoIterator<Item = A>,
    {
        ThreadPoolHandle::map_with(self, options, function, items)
    }

    fn shutdown(&self, wait: bool, cancel_futures: bool) {
        ThreadPoolHandle::shutdown(self, wait, cancel_futures);
    }
}

impl<S> Clone for ThreadPoolHandle<S> {
    fn clone(&self) -> Self {
        ThreadPoolHandle {
            pool: Arc::clone(&self.pool),
            extras: self.extras.clone(),
            options: self.options.clone(),
            patience: self.patience,
            state: PhantomData,
        }
    }
}

impl<S> fmt::Debug for ThreadPoolHandle<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolHandle")
            .field("extras", &self.extras)
            .field("stats", &self.pool.stats())
            .finish_non_exhaustive()
    }
}
