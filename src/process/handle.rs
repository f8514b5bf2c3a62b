//! Submitting: everything that a pool can be asked to do, by whoever has a handle.

use super::payload::Arrived;
use super::pool::job::{Call, Job, JobOf, decode_result};
use super::pool::settings::MAX_WORKERS;
use super::pool::view::WorkerInfo;
use super::pool::{Pool, Refused, Terms};
use super::wire::code;
use super::wire::message::Code;
use crate::error::{BuildError, TaskErrorKind, TransferError, TrySubmitError};
use crate::executor::{
    Executor, Map, MapOptions, Patience, Portable, Stats, TaskOptions, check_workers,
};
use crate::future::Future;
use crate::sync::Arc;
use crate::task::{self, Extras, promised};
#[cfg(feature = "monitor")]
use crate::timeline::Timeline;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::error::Error;
use std::fmt;
use std::marker::PhantomData;

/// What a timeline calls a task without a label: its function is a pointer here, and has no name.
const UNNAMED: &str = "";

/// A way to submit tasks to a [`ProcessPoolExecutor`](crate::ProcessPoolExecutor).
///
/// Cheap to clone, and can be sent anywhere. It does not keep the executor going: once that has been
/// shut down, or dropped, tasks are refused. A handle can carry [options](TaskOptions) for all that
/// is submitted through it, see [`with`](Self::with).
///
/// # What can be submitted
///
/// Functions, associated functions, generic functions with their types chosen, and closures that
/// capture nothing: whatever is a plain `fn(A) -> R`. Argument and result are owned values that
/// `serde` can encode and decode; several arguments travel as a tuple. A function that borrows is
/// called through a closure: `submit(|text: String| parse(&text), text)`. What is large and only read travels as
/// [`SharedData`](crate::SharedData).
///
/// # Python
///
/// In Python the executor itself is passed around.
///
/// # Examples
///
/// ```
/// use concurrent_futures::ProcessPoolExecutor;
///
/// fn greet(name: String) -> String {
///     format!("hello {name}, from process {}", std::process::id())
/// }
///
/// let executor = ProcessPoolExecutor::new(1)?;
/// let greeting = executor.submit(greet, "world".to_owned()).result()?;
/// assert!(greeting.starts_with("hello world"));
/// assert!(!greeting.ends_with(&std::process::id().to_string()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ProcessPoolHandle<S = ()> {
    pool: Arc<Pool>,
    pub(super) options: TaskOptions,
    pub(super) extras: Option<Arc<Extras>>,
    retries: u32,
    patience: Patience,
    state: PhantomData<fn(&mut S)>,
}

// A task is ended by whoever catches its panic, so nobody sees anything half done through this.
impl<S> std::panic::UnwindSafe for ProcessPoolHandle<S> {}
impl<S> std::panic::RefUnwindSafe for ProcessPoolHandle<S> {}

impl<S: 'static> ProcessPoolHandle<S> {
    pub(super) fn new(pool: Arc<Pool>) -> Self {
        let extras = extras_for(&pool, &TaskOptions::new());
        ProcessPoolHandle {
            pool,
            options: TaskOptions::new(),
            extras,
            retries: 0,
            patience: Patience::Policy,
            state: PhantomData,
        }
    }

    /// A handle whose submissions wait for room for as long as it takes.
    pub(super) fn patient(&self) -> Self {
        ProcessPoolHandle { patience: Patience::Always, ..self.clone() }
    }

    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// A handle whose tasks all have these options, and those of this handle that are not among them.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{ProcessPoolExecutor, TaskOptions};
    /// use std::time::Duration;
    ///
    /// let executor = ProcessPoolExecutor::new(1)?;
    /// let options = TaskOptions::new().label("endless").timeout(Duration::from_millis(20));
    /// let endless = executor.with(options).submit(|()| -> u32 { loop {} }, ());
    /// assert!(endless.result().unwrap_err().is_timed_out());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with(&self, options: TaskOptions) -> ProcessPoolHandle<S> {
        let options = options.or(&self.options);
        let extras = extras_for(&self.pool, &options);
        ProcessPoolHandle { extras, options, ..self.clone() }
    }

    /// A handle whose tasks are tried again, up to `retries` times each, if they panic or their
    /// worker dies; a [`try_call`](Self::try_call) also if it returns an `Err`.
    ///
    /// A task is tried again before others that wait, with the same argument, on any worker;
    /// [`attempt`](crate::attempt) tells it how often it has been begun. The last failure is the one
    /// that counts. A task that was asked to stop is not tried again, and its timeout begins anew
    /// with each attempt. Items of a [`map`](Self::map) are tried again only if their worker dies.
    ///
    /// A pool of threads has the same methods `submit` and `try_call` behind
    /// [`retrying`](crate::ThreadPoolHandle::retrying), and no others: it repeats closures, which
    /// have to be callable more than once, at once and on the same worker, within one timeout.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{ProcessPoolExecutor, attempt};
    ///
    /// fn crashes_at_first(n: u32) -> u32 {
    ///     if attempt() == 1 {
    ///         std::process::abort();
    ///     }
    ///     n + attempt()
    /// }
    ///
    /// let executor = ProcessPoolExecutor::new(1)?;
    /// assert_eq!(executor.retrying(1).submit(crashes_at_first, 40).result()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn retrying(&self, retries: u32) -> ProcessPoolHandle<S> {
        ProcessPoolHandle { retries, ..self.clone() }
    }

    /// Submits the call `function(argument)`.
    ///
    /// The argument is encoded here and now, on this thread. Blocks only if the queue is bounded and
    /// full, as its policy says. Never panics, unless a context hook does, and never loses a task: one
    /// that is refused, or whose argument cannot be encoded, comes back as a future that has failed already.
    ///
    /// # Python
    ///
    /// `submit(fn, *args)`. An argument that cannot be encoded is an error at once.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ProcessPoolExecutor::new(1)?;
    /// let future = executor.submit(|(base, exponent)| u64::pow(base, exponent), (3, 4));
    /// assert_eq!(future.result()?, 81);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn submit<A, R>(&self, function: fn(A) -> R, argument: A) -> Future<R>
    where
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        self.send(code::call(function), &argument)
    }

    /// Submits the call `function(argument)`, which has failed if it returns an `Err`: with
    /// [retries](Self::retrying) it is tried again then too. The future is
    /// [flattened](Future::flatten): the last `Err` is its failure.
    ///
    /// Otherwise as [`submit`](Self::submit). The error has to travel as well: an `io::Error` does
    /// not, a `String` or an enum of your own does.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ProcessPoolExecutor::new(1)?;
    /// use concurrent_futures::attempt;
    ///
    /// fn flaky(name: String) -> Result<String, String> {
    ///     if attempt() < 3 { Err("busy".to_owned()) } else { Ok(format!("hello {name}")) }
    /// }
    ///
    /// let future = executor.retrying(2).try_call(flaky, "world".to_owned());
    /// assert_eq!(future.result()?, "hello world");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_call<A, R, E>(&self, function: fn(A) -> Result<R, E>, argument: A) -> Future<R>
    where
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned + Send + 'static,
        E: Serialize + DeserializeOwned + Into<Box<dyn Error + Send + Sync>> + Send + 'static,
    {
        let future: Future<Result<R, E>> = self.send(code::try_call(function), &argument);
        future.flatten()
    }

    /// Submits the call `function()`; otherwise as [`submit`](Self::submit).
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ProcessPoolExecutor::new(1)?;
    /// let process = executor.spawn(std::process::id).result()?;
    /// assert_ne!(process, std::process::id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn<R>(&self, function: fn() -> R) -> Future<R>
    where
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        self.send(code::call_without_argument(function), &())
    }

    /// Submits the call `function(argument)`, or gives both back if it is refused. Never blocks.
    ///
    /// # Errors
    ///
    /// [`TrySubmitError`] with the reason, function and argument: the executor has been shut down or
    /// is broken, or its queue is full.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{ProcessPoolExecutor, Refusal};
    /// let executor = ProcessPoolExecutor::new(1)?;
    /// executor.shutdown(true, false);
    /// let refused = executor.try_submit(|text: String| text.len(), "precious".to_owned());
    /// assert_eq!(refused.unwrap_err().argument, "precious");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[allow(clippy::type_complexity)] // The type of the function is a part of it.
    pub fn try_submit<A, R>(
        &self,
        function: fn(A) -> R,
        argument: A,
    ) -> Result<Future<R>, TrySubmitError<fn(A) -> R, A>>
    where
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        if let Some(reason) = self.pool.refusal() {
            return Err(TrySubmitError { reason, function, argument });
        }
        let call = match self.encode(code::call(function), &argument) {
            Ok(call) => call,
            Err(error) => return Ok(self.failed(error)),
        };
        self.enqueue(call, Patience::None, decode_result).map_err(|(refused, _)| TrySubmitError {
            reason: refused.refusal,
            function,
            argument,
        })
    }

    /// Submits a call of `function` with each of `arguments`. The futures come in the order of the
    /// arguments.
    ///
    /// As [`submit`](Self::submit) for each of them.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ProcessPoolExecutor::new(1)?;
    /// let futures = executor.submit_all(|n| n * n, [1, 2, 3]);
    /// let squares: Result<Vec<u32>, _> = futures.into_iter().map(|it| it.result()).collect();
    /// assert_eq!(squares?, [1, 4, 9]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn submit_all<A, R>(
        &self,
        function: fn(A) -> R,
        arguments: impl IntoIterator<Item = A>,
    ) -> Vec<Future<R>>
    where
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        arguments.into_iter().map(|argument| self.submit(function, argument)).collect()
    }

    /// Submits the call `function(state, argument)`, where `state` is what the
    /// [initializer](crate::ProcessPoolBuilder::initializer) made in the worker that runs it.
    ///
    /// # Examples
    ///
    /// See [`initializer`](crate::ProcessPoolBuilder::initializer).
    pub fn submit_with_state<A, R>(&self, function: fn(&mut S, A) -> R, argument: A) -> Future<R>
    where
        A: Serialize + DeserializeOwned,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        self.send(code::call_with_state(function), &argument)
    }

    /// Submits a call of code that takes this argument.
    fn send<A, R>(&self, code: Result<Code, TransferError>, argument: &A) -> Future<R>
    where
        A: Serialize,
        R: DeserializeOwned + Send + 'static,
    {
        match self.encode(code, argument) {
            Ok(call) => self.enqueue_or_fail(call, decode_result),
            Err(error) => self.failed(error),
        }
    }

    pub(super) fn enqueue_or_fail<R, D>(&self, call: Call, decode: D) -> Future<R>
    where
        R: Send + 'static,
        D: FnOnce(&Arrived<'_>) -> Result<R, TransferError> + Send + 'static,
    {
        match self.enqueue(call, self.patience, decode) {
            Ok(future) => future,
            Err((Refused { refusal, mut job }, future)) => {
                job.fail(TaskErrorKind::Refused(refusal));
                future
            }
        }
    }

    fn enqueue<R, D>(
        &self,
        call: Call,
        patience: Patience,
        decode: D,
    ) -> Result<Future<R>, (Refused, Future<R>)>
    where
        R: Send + 'static,
        D: FnOnce(&Arrived<'_>) -> Result<R, TransferError> + Send + 'static,
    {
        let (producer, handle) = promised(self.pool.id, self.extras_of_task());
        let job = JobOf::boxed(call, producer, decode);
        match self.enqueue_job(job, patience) {
            Ok(()) => Ok(Future::new(handle)),
            Err(refused) => Err((refused, Future::new(handle))),
        }
    }

    /// What one task has besides its call. Most tasks share it.
    fn extras_of_task(&self) -> Option<Arc<Extras>> {
        if self.pool.settings.wants_reports() {
            Some(Arc::new(self.own_extras()))
        } else {
            Extras::for_task(&self.extras, UNNAMED)
        }
    }

    /// The same for a task that shares it with no other.
    pub(super) fn own_extras(&self) -> Extras {
        let extras = self.extras.as_deref().map(|it| it.of_task(UNNAMED));
        let report = self.pool.settings.wants_reports().then(Arc::default);
        Extras { report, ..extras.unwrap_or_else(|| Extras::new(Arc::default())) }
    }

    pub(super) fn enqueue_job(&self, job: Job, patience: Patience) -> Result<(), Refused> {
        let terms =
            Terms { priority: self.options.priority.unwrap_or_default(), retries: self.retries };
        self.pool.submit(job, terms, patience)
    }

    /// A future that has failed.
    pub(super) fn failed<R: Send + 'static>(&self, kind: TaskErrorKind) -> Future<R> {
        let (mut producer, handle) = promised(task::OwnerId::NOBODY, self.extras_of_task());
        let error = producer.task().error(kind);
        let _ = producer.conclude(Err(error));
        Future::new(handle)
    }

    /// What is recorded of it, and under which name.
    #[cfg(feature = "monitor")]
    pub(crate) fn recorded(&self) -> Option<(&Timeline, &str)> {
        let settings = &self.pool.settings;
        Some((settings.timeline.as_ref()?, &settings.name))
    }

    /// What the executor is doing, in numbers. Blocks no longer than it takes to read them. A task
    /// counts as running until just after its future is done; see [`Stats`].
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ProcessPoolExecutor::new(1)?;
    /// executor.submit(|n| n + 1, 1).result()?;
    /// assert_eq!(executor.stats().submitted(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stats(&self) -> Stats {
        self.pool.stats()
    }

    /// Every worker: its process, and what it is doing.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ProcessPoolExecutor::new(1)?;
    /// let process = executor.submit(|()| std::process::id(), ()).result()?;
    /// assert_eq!(executor.workers()[0].process_id, Some(process));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn workers(&self) -> Vec<WorkerInfo> {
        self.pool.workers()
    }

    /// How many workers run tasks at once; see [`resize`](Self::resize).
    pub fn max_workers(&self) -> usize {
        self.pool.max_workers()
    }

    /// Changes how many workers run tasks at once. Never blocks and loses no task: new workers start
    /// as they are needed, and workers that are too many end after the task they are at.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if it is zero, or too many; then nothing changes.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ProcessPoolExecutor::new(1)?;
    /// executor.resize(3)?;
    /// assert_eq!(executor.max_workers(), 3);
    /// assert!(executor.resize(0).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resize(&self, max_workers: usize) -> Result<(), BuildError> {
        self.pool.resize(check_workers(max_workers, MAX_WORKERS)?);
        Ok(())
    }
}

fn extras_for(pool: &Pool, options: &TaskOptions) -> Option<Arc<Extras>> {
    let settings = &pool.settings;
    let (timeline, hook) = (settings.timeline.as_ref(), settings.on_unobserved.as_ref());
    options.settings(&settings.name, timeline, hook).shared()
}

impl<S: 'static> Executor for ProcessPoolHandle<S> {
    fn submit_with<A: Portable, R: Portable>(
        &self,
        options: &TaskOptions,
        function: fn(A) -> R,
        argument: A,
    ) -> Future<R> {
        self.with(options.clone()).submit(function, argument)
    }

    fn submit<A: Portable, R: Portable>(&self, function: fn(A) -> R, argument: A) -> Future<R> {
        ProcessPoolHandle::submit(self, function, argument)
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
        ProcessPoolHandle::map_with(self, options, function, items)
    }

    fn shutdown(&self, wait: bool, cancel_futures: bool) {
        ProcessPoolHandle::shutdown(self, wait, cancel_futures);
    }
}

impl<S> Clone for ProcessPoolHandle<S> {
    fn clone(&self) -> Self {
        ProcessPoolHandle {
            pool: Arc::clone(&self.pool),
            options: self.options.clone(),
            extras: self.extras.clone(),
            retries: self.retries,
            patience: self.patience,
            state: PhantomData,
        }
    }
}

impl<S> fmt::Debug for ProcessPoolHandle<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessPoolHandle")
            .field("options", &self.options)
            .field("stats", &self.pool.stats())
            .finish_non_exhaustive()
    }
}
