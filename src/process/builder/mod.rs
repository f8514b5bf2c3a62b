//! The builder, which collects the settings of a pool and checks them.
//!
//! Here are those of the pool itself, and what the user's code does before, after and around the tasks; in
//! [`workers`] what each worker process is, and what is told of it.

mod workers;

use crate::error::{BuildError, TaskError, TransferError, TransferStage};
use crate::executor::{WhenFull, check_workers};
use crate::process::ProcessPoolExecutor;
use crate::process::machine::OnWorkerDeath;
use crate::process::own;
use crate::process::pool::Pool;
use crate::process::pool::settings::{MAX_WORKERS, Settings};
use crate::process::shared::for_call;
use crate::process::wire::message::Code;
use crate::process::wire::{code, value};
use crate::process::worker::bootstrap;
use crate::queue::Order;
use crate::sync::Arc;
use crate::sync::global::{AtomicUsize, Ordering};
use crate::sys::{self, image};
use crate::task;
use crate::timeline::Timeline;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::time::Duration;

/// Collects the settings of a [`ProcessPoolExecutor`]; from [`ProcessPoolExecutor::builder`].
///
/// # Examples
///
/// ```
/// use concurrent_futures::ProcessPoolExecutor;
///
/// let executor = ProcessPoolExecutor::builder()
///     .max_workers(2)
///     .max_tasks_per_child(100)
///     .env("LANG", "C")
///     .build()?;
/// assert_eq!(executor.submit(|()| std::env::var("LANG").ok(), ()).result()?.as_deref(), Some("C"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct ProcessPoolBuilder<S = ()> {
    max_workers: Option<usize>,
    settings: Settings,
    /// The first of the settings that cannot be.
    error: Option<BuildError>,
    state: PhantomData<fn() -> S>,
}

impl ProcessPoolBuilder<()> {
    pub(super) fn new() -> Self {
        ProcessPoolBuilder {
            max_workers: None,
            settings: Settings {
                max_workers: 1,
                name: Arc::default(),
                start_all: false,
                keep_alive: None,
                max_tasks_per_child: None,
                on_worker_death: OnWorkerDeath::default(),
                grace: Duration::from_millis(500),
                start_timeout: Duration::from_secs(60),
                max_message: 1 << 30,
                depth: 0,
                max_depth: 2,
                capacity: None,
                when_full: WhenFull::Block,
                order: Order::Fifo,
                initializer: None,
                finalizer: None,
                context: None,
                environment: Vec::new(),
                environment_of: None,
                current_dir: None,
                niceness: None,
                affinity: None,
                address_space: None,
                memory: None,
                timeline: None,
                output: None,
                measures: false,
                on_unobserved: None,
                cancel_on_unwind: true,
            },
            error: None,
            state: PhantomData,
        }
    }
}

impl<S: 'static> ProcessPoolBuilder<S> {
    /// How many workers run tasks at once. Default: the processors that this process may use, with
    /// its affinity mask and its control group's quota respected, rounded down.
    pub fn max_workers(mut self, max_workers: usize) -> Self {
        self.max_workers = Some(max_workers);
        self
    }

    /// Starts all workers when the pool is built, and replaces each that ends, instead of starting
    /// them as they are needed. Idle workers stay then, whatever [`keep_alive`](Self::keep_alive)
    /// says.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ProcessPoolExecutor;
    ///
    /// let executor = ProcessPoolExecutor::builder().max_workers(2).start_all().build()?;
    /// assert_eq!(executor.stats().workers, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start_all(mut self) -> Self {
        self.settings.start_all = true;
        self
    }

    /// Lets a worker end that has had nothing to do for this long. Default: idle workers stay.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ProcessPoolExecutor;
    /// use std::time::Duration;
    ///
    /// // A pool that is used now and then need not keep its processes in between.
    /// let builder = ProcessPoolExecutor::builder().max_workers(2);
    /// let executor = builder.keep_alive(Duration::from_secs(60)).build()?;
    /// assert_eq!(executor.spawn(|| 6 * 7).result()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn keep_alive(mut self, keep_alive: Duration) -> Self {
        self.settings.keep_alive = Some(keep_alive);
        self
    }

    /// Replaces each worker after so many tasks; a chunk of a `map` is one. Default: workers stay.
    ///
    /// Zero is a [`BuildError`] of [`build`](Self::build).
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ProcessPoolExecutor;
    ///
    ///
    /// let executor = ProcessPoolExecutor::builder().max_workers(1).max_tasks_per_child(1).build()?;
    /// let first = executor.spawn(std::process::id).result()?;
    /// let second = executor.spawn(std::process::id).result()?;
    /// assert_ne!(first, second);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Python
    ///
    /// `max_tasks_per_child`, which there rules out the start method `fork`.
    pub fn max_tasks_per_child(mut self, tasks: usize) -> Self {
        self.settings.max_tasks_per_child = Some(tasks);
        self
    }

    /// What happens when a worker dies. Default: the task that it was running fails, and it is
    /// replaced.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{OnWorkerDeath, ProcessPoolExecutor};
    ///
    /// let builder = ProcessPoolExecutor::builder().max_workers(1);
    /// let executor = builder.on_worker_death(OnWorkerDeath::Break).build()?;
    /// let fatal = executor.submit(|()| std::process::exit(3), ());
    /// let result: Result<(), _> = fatal.result();
    /// assert!(result.unwrap_err().worker_death().is_some());
    /// assert!(executor.spawn(String::new).result().unwrap_err().is_broken());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_worker_death(mut self, policy: OnWorkerDeath) -> Self {
        self.settings.on_worker_death = policy;
        self
    }

    /// How long a task that was asked to stop may take to do so before its process is asked to
    /// terminate, and how long the process may take for that before it is killed. Default: half a
    /// second.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{ProcessPoolExecutor, TaskOptions};
    /// use std::time::Duration;
    ///
    /// let builder = ProcessPoolExecutor::builder().max_workers(1);
    /// let executor = builder.grace(Duration::from_millis(10)).build()?;
    /// let limited = executor.with(TaskOptions::new().timeout(Duration::from_millis(10)));
    /// let endless = limited.submit(|()| loop { std::thread::yield_now() }, ());
    /// let result: Result<(), _> = endless.result();
    /// assert!(result.unwrap_err().is_timed_out()); // and the process is gone soon after
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// How long a process may take from its start to its first message, which comes before the
    /// initializer. Default: a minute.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ProcessPoolExecutor;
    /// use std::time::Duration;
    ///
    /// let builder = ProcessPoolExecutor::builder().max_workers(1);
    /// let executor = builder.start_timeout(Duration::from_secs(10)).build()?;
    /// assert_eq!(executor.spawn(|| 6 * 7).result()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn start_timeout(mut self, limit: Duration) -> Self {
        self.settings.start_timeout = limit;
        self
    }

    /// How many bytes an encoded argument, or result, may have. Default: 1 GiB.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ProcessPoolExecutor;
    ///
    ///
    /// let executor = ProcessPoolExecutor::builder().max_workers(1).max_message(1000).build()?;
    /// let error = executor.submit(|text: String| text.len(), "long".repeat(1000)).result().unwrap_err();
    /// assert!(error.to_string().contains("1000 is the limit"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn max_message(mut self, bytes: usize) -> Self {
        self.settings.max_message = bytes;
        self
    }

    /// How many levels of workers there may be below the first program that builds a pool: with 1,
    /// tasks cannot have pools of processes of their own. A limit set further up holds too.
    /// Default: 2.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ProcessPoolExecutor;
    ///
    /// /// Would like to have workers of its own.
    /// fn nested() -> bool {
    ///     ProcessPoolExecutor::new(1).is_ok()
    /// }
    ///
    /// let executor = ProcessPoolExecutor::builder().max_workers(1).max_depth(1).build()?;
    /// assert!(!executor.spawn(nested).result()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn max_depth(mut self, levels: usize) -> Self {
        self.settings.max_depth = levels;
        self
    }

    /// How many tasks may wait in the queue, and what `submit` does about one more. Tasks that have
    /// been sent to a worker do not wait any more, even if it has not begun them yet. Default: there
    /// is no bound.
    ///
    /// Zero is a [`BuildError`] of [`build`](Self::build).
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{ProcessPoolExecutor, WhenFull};
    ///
    /// let builder = ProcessPoolExecutor::builder().max_workers(1);
    /// let executor = builder.queue_capacity(100, WhenFull::Block).build()?;
    /// // Reads no further ahead than the queue is long.
    /// let futures: Vec<_> = (0..1000).map(|n| executor.submit(|n| n + 1, n)).collect();
    /// assert_eq!(futures.into_iter().filter_map(|it| it.result().ok()).sum::<u32>(), 500_500);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn queue_capacity(mut self, tasks: usize, when_full: WhenFull) -> Self {
        self.settings.capacity = Some(tasks);
        self.settings.when_full = when_full;
        self
    }

    /// In which order queued tasks are sent to workers. Default: [`Order::Fifo`].
    ///
    /// # Examples
    ///
    /// See [`Order`].
    pub fn order(mut self, order: Order) -> Self {
        self.settings.order = order;
        self
    }

    /// Runs once in each worker before its first task, with a copy of `argument`, and makes the
    /// worker's state.
    ///
    /// The state is lent to the tasks that ask for it
    /// ([`submit_with_state`](crate::ProcessPoolHandle::submit_with_state)): a model, a connection, a
    /// parser. It stays in its process, so it need not be encodable. A panic breaks the executor: all
    /// that is queued, and every later submission, fails with the cause. Replaces an earlier
    /// initializer and its finalizer. A `Result` is a state like any other: for one that can fail, see
    /// [`try_initializer`](Self::try_initializer).
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ProcessPoolExecutor;
    ///
    /// let executor = ProcessPoolExecutor::builder()
    ///     .max_workers(1)
    ///     .initializer(|first: u32| vec![first], 7)
    ///     .build()?;
    /// let future = executor.submit_with_state(|list, n| { list.push(n); list.len() }, 8);
    /// assert_eq!(future.result()?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn initializer<N, A>(self, initializer: fn(A) -> N, argument: A) -> ProcessPoolBuilder<N>
    where
        N: 'static,
        A: Serialize + DeserializeOwned,
    {
        self.initialized_by(code::plain_initializer(initializer), &argument)
    }

    /// Like [`initializer`](Self::initializer), for one that can fail; its error breaks the
    /// executor, and its text is found in the [`BrokenCause`](crate::BrokenCause) in every affected
    /// future.
    ///
    /// The error travels as its text (by `{:#}`, which for `anyhow` has the causes), so it need not be
    /// encodable. An initializer that needs no argument is given `()`, as
    /// `try_initializer(|()| connect(), ())`.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ProcessPoolExecutor;
    ///
    ///
    /// let executor = ProcessPoolExecutor::builder()
    ///     .max_workers(1)
    ///     .try_initializer(|text: String| text.parse::<u32>(), "seven".to_owned())
    ///     .build()?;
    /// let error = executor.submit_with_state(|number, n: u32| *number + n, 1).result().unwrap_err();
    /// assert!(error.to_string().contains("the initializer failed: invalid digit found in string"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_initializer<N, A, E>(
        self,
        initializer: fn(A) -> Result<N, E>,
        argument: A,
    ) -> ProcessPoolBuilder<N>
    where
        N: 'static,
        A: Serialize + DeserializeOwned,
        E: Display + 'static,
    {
        self.initialized_by(code::initializer(initializer), &argument)
    }

    fn initialized_by<N, A: Serialize>(
        mut self,
        code: Result<Code, TransferError>,
        argument: &A,
    ) -> ProcessPoolBuilder<N> {
        let (encoded, references) = for_call(|| value::encoded(argument));
        let encoded =
            encoded.map_err(|error| TransferError::new(TransferStage::EncodeArgument, error));
        match code.and_then(|code| encoded.map(|bytes| (code, bytes))) {
            Ok((code, bytes)) => self.settings.initializer = Some((code, bytes, references)),
            Err(error) => self.refuse("initializer", error),
        }
        self.settings.finalizer = None;
        ProcessPoolBuilder {
            max_workers: self.max_workers,
            settings: self.settings,
            error: self.error,
            state: PhantomData,
        }
    }

    /// Is given each worker's state when its process leaves in peace. Default: the state is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{ProcessPoolExecutor, SharedCounter};
    ///
    /// let tally = SharedCounter::new()?;
    /// let executor = ProcessPoolExecutor::builder()
    ///     .max_workers(2)
    ///     .initializer(|tally| (tally, 0), tally.clone())
    ///     .finalizer(|(tally, count): (SharedCounter, u64)| _ = tally.add(count))
    ///     .build()?;
    /// for _ in 0..10 {
    ///     executor.submit_with_state(|(_, count), ()| *count += 1, ());
    /// }
    /// drop(executor);
    /// assert_eq!(tally.get(), 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn finalizer(mut self, finalizer: fn(S)) -> Self {
        match code::finalizer(finalizer) {
            Ok(code) => self.settings.finalizer = Some(code),
            Err(error) => self.refuse("finalizer", error),
        }
        self
    }

    /// Carries a context from whoever submits to the task, as data: an identifier of the current
    /// request, say.
    ///
    /// `capture` runs on the submitting thread; `restore` in the worker, where it is given what was
    /// captured and the task, which it must call once. A panic of `capture` goes through whoever
    /// submits; one of `restore` is the task's.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ProcessPoolExecutor;
    /// use std::cell::Cell;
    ///
    /// thread_local! { static REQUEST: Cell<u32> = const { Cell::new(0) } }
    ///
    /// let executor = ProcessPoolExecutor::builder()
    ///     .max_workers(1)
    ///     .context(
    ///         || REQUEST.get(),
    ///         |request, task| { REQUEST.set(request); task(); REQUEST.set(0) },
    ///     )
    ///     .build()?;
    /// REQUEST.set(42);
    /// assert_eq!(executor.submit(|()| REQUEST.get(), ()).result()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn context<C, G>(mut self, capture: G, restore: fn(C, &mut dyn FnMut())) -> Self
    where
        C: Serialize + DeserializeOwned,
        G: Fn() -> C + Send + Sync + 'static,
    {
        match code::context(restore) {
            Ok(code) => {
                let capture = move || {
                    let captured = capture();
                    let (encoded, references) = for_call(|| value::encoded(&captured));
                    encoded.map(|bytes| (Arc::from(bytes), references))
                };
                self.settings.context = Some((code, Box::new(capture)));
            }
            Err(error) => self.refuse("context", error),
        }
        self
    }

    /// Records in a [`Timeline`] what the workers do. Default: nothing is recorded.
    ///
    /// Tasks without a label have numbers there, because the name of a function does not travel with it. When
    /// they began and ended is told by their workers.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{Ending, ProcessPoolExecutor, Timeline};
    ///
    /// let timeline = Timeline::new();
    /// let executor = ProcessPoolExecutor::builder().max_workers(1).timeline(&timeline).build()?;
    /// let crash = executor.submit(|()| -> u32 { std::process::abort() }, ());
    /// assert!(crash.result().is_err());
    /// assert_eq!(timeline.tasks()[0].ending, Some(Ending::Lost));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn timeline(mut self, timeline: &Timeline) -> Self {
        self.settings.timeline = Some(timeline.clone());
        self
    }

    /// Is told of every failure that nobody looked at: the future was dropped, before or after the
    /// task failed, and nothing was asked of it. Cancellation is no failure. Runs on the thread that
    /// drops the future or ends the task. Default: nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ProcessPoolExecutor;
    /// use std::sync::mpsc;
    ///
    /// let (failures, has_failed) = mpsc::channel();
    /// let executor = ProcessPoolExecutor::builder()
    ///     .max_workers(1)
    ///     .on_unobserved_failure(move |error| drop(failures.send(error.to_string())))
    ///     .build()?;
    /// drop(executor.submit(|()| -> u32 { panic!("nobody looks") }, ()));
    /// assert!(has_failed.recv()?.ends_with("nobody looks"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_unobserved_failure(
        mut self,
        hook: impl Fn(&TaskError) + Send + Sync + 'static,
    ) -> Self {
        self.settings.on_unobserved = Some(Arc::new(hook));
        self
    }

    /// Whether an executor that is dropped because of a panic cancels what has not begun (the
    /// default), or drains its queue as at a normal end.
    ///
    /// # Examples
    ///
    /// See [`ThreadPoolBuilder::cancel_on_unwind`](crate::ThreadPoolBuilder::cancel_on_unwind).
    pub fn cancel_on_unwind(mut self, cancel: bool) -> Self {
        self.settings.cancel_on_unwind = cancel;
        self
    }

    fn refuse(&mut self, hook: &'static str, error: TransferError) {
        self.error.get_or_insert(BuildError::NotTransferable { hook, error });
    }

    /// Builds the executor. Processes are started by the first submissions, unless it is to
    /// [start all](Self::start_all) at once.
    ///
    /// # Errors
    ///
    /// A [`BuildError`] that names the setting which cannot be, or says why this executable cannot
    /// be started as a worker.
    ///
    /// # Examples
    ///
    /// See [`ProcessPoolBuilder`].
    pub fn build(mut self) -> Result<ProcessPoolExecutor<S>, BuildError> {
        static POOLS: AtomicUsize = AtomicUsize::new(0);

        if let Some(error) = self.error {
            return Err(error);
        }
        if own::is_marked() {
            return Err(BuildError::NotBootstrapped);
        }
        if !own::has_looked() || image::offset_of(bootstrap::init as fn() as usize).is_none() {
            return Err(BuildError::NotInExecutable);
        }
        let settings = &mut self.settings;
        let (depth, most) = own::depth();
        settings.max_depth = settings.max_depth.min(most);
        if depth >= settings.max_depth {
            return Err(BuildError::TooDeep { depth, most: settings.max_depth });
        }
        settings.depth = depth;
        let processors = sys::usable_processors();
        settings.max_workers =
            check_workers(self.max_workers.unwrap_or(processors.min(MAX_WORKERS)), MAX_WORKERS)?;
        if settings.capacity == Some(0) {
            return Err(BuildError::ZeroCapacity);
        }
        if settings.output == Some(0) {
            return Err(BuildError::Zero { setting: "capture_output" });
        }
        if settings.max_tasks_per_child == Some(0) {
            return Err(BuildError::Zero { setting: "max_tasks_per_child" });
        }
        // ORDERING: relaxed; the number only has to differ from the others.
        settings.name = format!("ProcessPool-{}", POOLS.fetch_add(1, Ordering::Relaxed)).into();
        task::install_hook();
        Ok(ProcessPoolExecutor::owning(Pool::new(self.settings)))
    }
}

impl<S> fmt::Debug for ProcessPoolBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProcessPoolBuilder")
            .field("max_workers", &self.max_workers)
            .field("order", &self.settings.order)
            .field("queue_capacity", &self.settings.capacity)
            .finish_non_exhaustive()
    }
}
