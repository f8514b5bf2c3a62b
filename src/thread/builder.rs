//! The builder, which collects the settings of a pool and checks them.

use super::ThreadPoolExecutor;
use super::pool::Pool;
use super::settings::{MAX_WORKERS, Settings};
use crate::error::{BuildError, TaskError};
use crate::executor::{WhenFull, check_workers};
use crate::queue::Order;
use crate::sync::Arc;
use crate::sync::global::{AtomicUsize, Ordering};
use crate::sys;
use crate::task;
use crate::timeline::Timeline;
use std::error::Error;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// Collects the settings of a [`ThreadPoolExecutor`]; from [`ThreadPoolExecutor::builder`].
///
/// # Examples
///
/// ```
/// use concurrent_futures::ThreadPoolExecutor;
/// use std::time::Duration;
///
/// let executor = ThreadPoolExecutor::builder()
///     .max_workers(4)
///     .thread_name_prefix("pages")
///     .keep_alive(Duration::from_secs(10))
///     .build()?;
/// let name = executor.spawn(|| std::thread::current().name().map(str::to_owned)).result()?;
/// assert_eq!(name.as_deref(), Some("pages_0"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct ThreadPoolBuilder<S = ()> {
    max_workers: Option<usize>,
    settings: Settings,
    state: PhantomData<fn() -> S>,
}

impl ThreadPoolBuilder<()> {
    pub(super) fn new() -> Self {
        ThreadPoolBuilder {
            max_workers: None,
            settings: Settings {
                max_workers: 1,
                thread_name_prefix: Arc::default(),
                stack_size: None,
                keep_alive: None,
                capacity: None,
                when_full: WhenFull::Block,
                order: Order::Fifo,
                initializer: None,
                finalizer: None,
                context: None,
                timeline: None,
                on_unobserved: None,
                cancel_on_unwind: true,
                caller_helps: false,
            },
            state: PhantomData,
        }
    }
}

impl<S: 'static> ThreadPoolBuilder<S> {
    /// How many threads run tasks at once. Default: the processors that this process may use, with
    /// its affinity mask and its control group's quota respected, rounded down.
    pub fn max_workers(mut self, max_workers: usize) -> Self {
        self.max_workers = Some(max_workers);
        self
    }

    /// Threads are named `prefix_0`, `prefix_1`, … Default: `ThreadPool-N`, with a number of the
    /// pool. The operating system shows the first 15 bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ThreadPoolExecutor;
    ///
    /// let executor = ThreadPoolExecutor::builder().thread_name_prefix("fetch").build()?;
    /// let name = executor.spawn(|| std::thread::current().name().map(str::to_owned)).result()?;
    /// assert_eq!(name.as_deref(), Some("fetch_0"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn thread_name_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.settings.thread_name_prefix = prefix.into().into();
        self
    }

    /// The size of each thread's stack in bytes. Default: the standard library's, 2 MiB.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ThreadPoolExecutor;
    ///
    /// /// As deep as its argument is large.
    /// fn depth(n: u32) -> u32 {
    ///     if n == 0 { 0 } else { depth(n - 1) + 1 }
    /// }
    ///
    /// let builder = ThreadPoolExecutor::builder().max_workers(1);
    /// let executor = builder.stack_size(64 << 20).build()?;
    /// assert_eq!(executor.submit(depth, 50_000).result()?, 50_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.settings.stack_size = Some(bytes);
        self
    }

    /// Lets a thread end that has had nothing to do for this long. Default: idle threads stay.
    pub fn keep_alive(mut self, keep_alive: Duration) -> Self {
        self.settings.keep_alive = Some(keep_alive);
        self
    }

    /// How many tasks may wait in the queue, and what `submit` does about one more. The bound is
    /// never exceeded, and a cancelled task does not count. Default: there is no bound.
    ///
    /// Zero is a [`BuildError`] of [`build`](Self::build).
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{ThreadPoolExecutor, WhenFull};
    ///
    /// let builder = ThreadPoolExecutor::builder().max_workers(1);
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

    /// In which order queued tasks begin. Default: [`Order::Fifo`].
    ///
    /// # Examples
    ///
    /// See [`Order`].
    pub fn order(mut self, order: Order) -> Self {
        self.settings.order = order;
        self
    }

    /// Runs once on each worker thread before its first task, and makes the worker's state.
    ///
    /// The state is lent to the tasks that ask for it
    /// ([`submit_with_state`](crate::ThreadPoolHandle::submit_with_state)): a connection, a buffer,
    /// a random generator. It stays on its thread, so it need not be `Send`. A panic breaks the
    /// executor: all that is queued, and every later submission, fails with the cause, while tasks
    /// that have begun end as usual. Replaces an earlier initializer and its finalizer. What it makes
    /// is a part of the executor's type: `ThreadPoolExecutor<N>`. A `Result` is a state like any other: for one that
    /// can fail, see [`try_initializer`](Self::try_initializer).
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ThreadPoolExecutor;
    ///
    /// let executor = ThreadPoolExecutor::builder().initializer(Vec::<u32>::new).build()?;
    /// let future = executor.submit_with_state(|buffer, n| { buffer.push(n); buffer.len() }, 7);
    /// assert_eq!(future.result()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn initializer<N, F>(self, initializer: F) -> ThreadPoolBuilder<N>
    where
        N: 'static,
        F: Fn() -> N + Send + Sync + 'static,
    {
        self.try_initializer(move || Ok::<N, TaskError>(initializer()))
    }

    /// Like [`initializer`](Self::initializer), for one that can fail; its error breaks the
    /// executor and is found as the [`BrokenCause`](crate::BrokenCause) in every affected future.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ThreadPoolExecutor;
    ///
    /// let builder = ThreadPoolExecutor::builder().max_workers(1);
    /// let executor = builder.try_initializer(|| "seven".parse::<u32>()).build()?;
    /// let error = executor.submit_with_state(|number, n| *number + n, 1).result().unwrap_err();
    /// assert!(error.is_broken());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_initializer<N, E, F>(mut self, initializer: F) -> ThreadPoolBuilder<N>
    where
        N: 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
        F: Fn() -> Result<N, E> + Send + Sync + 'static,
    {
        self.settings.initializer = Some(Box::new(move || match initializer() {
            Ok(state) => Ok(Box::new(state)),
            Err(error) => Err(error.into()),
        }));
        self.settings.finalizer = None;
        ThreadPoolBuilder {
            max_workers: self.max_workers,
            settings: self.settings,
            state: PhantomData,
        }
    }

    /// Is given each worker's state when its thread ends. A panic in it is reported by the panic
    /// hook and goes no further. Default: the state is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ThreadPoolExecutor;
    /// use std::sync::mpsc;
    ///
    /// let (counts, all_counts) = mpsc::channel();
    /// let executor = ThreadPoolExecutor::builder()
    ///     .max_workers(2)
    ///     .initializer(|| 0)
    ///     .finalizer(move |count: u32| drop(counts.send(count)))
    ///     .build()?;
    /// for _ in 0..10 {
    ///     executor.submit_with_state(|count, ()| *count += 1, ());
    /// }
    /// drop(executor);
    /// assert_eq!(all_counts.iter().sum::<u32>(), 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn finalizer(mut self, finalizer: impl Fn(S) + Send + Sync + 'static) -> Self {
        self.settings.finalizer = Some(Box::new(move |state| {
            if let Ok(state) = state.downcast::<S>() {
                finalizer(*state);
            }
        }));
        self
    }

    /// Carries a context from whoever submits to the task: the current span of a trace, say.
    ///
    /// `capture` runs on the submitting thread, `restore` on the worker; it is given what was
    /// captured and the task, which it must call once. A panic of `capture` goes through whoever
    /// submits; one of `restore` is the task's.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ThreadPoolExecutor;
    /// use std::cell::Cell;
    ///
    /// thread_local! { static REQUEST: Cell<u32> = const { Cell::new(0) } }
    ///
    /// let executor = ThreadPoolExecutor::builder()
    ///     .context(
    ///         || REQUEST.get(),
    ///         |request, task| { REQUEST.set(request); task(); REQUEST.set(0) },
    ///     )
    ///     .build()?;
    /// REQUEST.set(42);
    /// assert_eq!(executor.spawn(|| REQUEST.get()).result()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn context<C, G, P>(mut self, capture: G, restore: P) -> Self
    where
        C: Send + 'static,
        G: Fn() -> C + Send + Sync + 'static,
        P: Fn(C, &mut dyn FnMut()) + Send + Sync + 'static,
    {
        let restore = Arc::new(restore);
        self.settings.context = Some(Box::new(move || {
            let context = capture();
            let restore = Arc::clone(&restore);
            Box::new(move |task| restore(context, task))
        }));
        self
    }

    /// Records in a [`Timeline`] what the workers do. Default: nothing is recorded.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{ThreadPoolExecutor, Timeline};
    ///
    /// let timeline = Timeline::new();
    /// let executor = ThreadPoolExecutor::builder().timeline(&timeline).build()?;
    /// executor.submit(str::len, "some words").result()?;
    /// assert_eq!(timeline.tasks()[0].label, "len");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn timeline(mut self, timeline: &Timeline) -> Self {
        self.settings.timeline = Some(timeline.clone());
        self
    }

    /// Is told of every failure that nobody looked at: the future was dropped, before or after the
    /// task failed, and nothing was asked of it. Cancellation is no failure. Runs on the thread that
    /// drops the future or ends the task. Default: nothing, but panics are reported by the panic
    /// hook as ever.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ThreadPoolExecutor;
    /// use std::sync::mpsc;
    ///
    /// let (failures, has_failed) = mpsc::channel();
    /// let executor = ThreadPoolExecutor::builder()
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
    /// ```
    /// use concurrent_futures::ThreadPoolExecutor;
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use std::sync::Arc;
    ///
    /// let done = Arc::new(AtomicU32::new(0));
    /// let counter = Arc::clone(&done);
    /// let program = move || {
    ///     let builder = ThreadPoolExecutor::builder().max_workers(1);
    ///     let executor = builder.cancel_on_unwind(false).build().unwrap();
    ///     executor.submit_all(move |_| counter.fetch_add(1, Ordering::Relaxed), 0..100);
    ///     panic!("something else went wrong");
    /// };
    /// assert!(std::thread::spawn(program).join().is_err());
    /// assert_eq!(done.load(Ordering::Relaxed), 100); // all the same
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cancel_on_unwind(mut self, cancel: bool) -> Self {
        self.settings.cancel_on_unwind = cancel;
        self
    }

    /// Whether a thread that waits for a task, and is no worker of any pool, runs that task itself if
    /// nobody has begun it. Default: it does not.
    ///
    /// For callers that submit one short task at a time and wait for it: instead of being handed to
    /// another thread and back, it costs little more than a call. It holds for waits for one task, or
    /// for all of several ([`result`](crate::Future::result), [`wait`](crate::Future::wait) and the
    /// like), and for what the task itself waits for in its turn; not for waits with a timeout, nor for
    /// `.await` or any of several tasks.
    ///
    /// The task then is on the caller's thread: it sees that thread's name and thread-locals, and its
    /// stack. It counts in [`stats`](crate::ThreadPoolHandle::stats), can be aborted and keeps its label
    /// and [context](Self::context) as ever, and a shutdown waits for it; but it runs besides
    /// `max_workers` others, and the wait is not over before it returns. Therefore a task with a timeout
    /// of its own is left to the workers. So are all tasks of an executor with an
    /// [initializer](Self::initializer), which may rely on what that did to the thread, and all once it
    /// is shut down.
    ///
    /// While callers do help, a task that nobody waits for may have to wait a millisecond longer for its
    /// worker: submitting does not wake one then, but one looks that often by itself.
    ///
    /// This is what .NET calls task inlining.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ThreadPoolExecutor;
    ///
    /// let executor = ThreadPoolExecutor::builder().max_workers(1).caller_helps(true).build()?;
    /// let (gate, is_open) = std::sync::mpsc::channel::<()>();
    /// let busy = executor.spawn(move || is_open.recv().is_err());
    /// while !busy.running() { std::thread::yield_now() }
    /// // The only worker is busy, and yet:
    /// let here = executor.spawn(|| std::thread::current().id()).result()?;
    /// assert_eq!(here, std::thread::current().id());
    /// # drop(gate);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn caller_helps(mut self, helps: bool) -> Self {
        self.settings.caller_helps = helps;
        self
    }

    /// Builds the executor. Threads are started by the first submissions.
    ///
    /// # Errors
    ///
    /// A [`BuildError`] that names the setting which cannot be.
    ///
    /// # Examples
    ///
    /// See [`ThreadPoolBuilder`].
    pub fn build(mut self) -> Result<ThreadPoolExecutor<S>, BuildError> {
        static POOLS: AtomicUsize = AtomicUsize::new(0);

        // Asking the system takes as long as starting a thread.
        let processors = || sys::usable_processors().min(MAX_WORKERS);
        self.settings.max_workers =
            check_workers(self.max_workers.unwrap_or_else(processors), MAX_WORKERS)?;
        if self.settings.capacity == Some(0) {
            return Err(BuildError::ZeroCapacity);
        }
        if self.settings.thread_name_prefix.contains('\0') {
            return Err(BuildError::NulInThreadName);
        }
        if self.settings.thread_name_prefix.is_empty() {
            // ORDERING: relaxed; the number only has to differ from the others.
            let number = POOLS.fetch_add(1, Ordering::Relaxed);
            self.settings.thread_name_prefix = format!("ThreadPool-{number}").into();
        }
        self.settings.caller_helps &= self.settings.initializer.is_none();
        task::install_hook();
        Ok(ThreadPoolExecutor::owning(Pool::new(self.settings)))
    }
}

impl<S> fmt::Debug for ThreadPoolBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolBuilder")
            .field("max_workers", &self.max_workers)
            .field("thread_name_prefix", &self.settings.thread_name_prefix)
            .field("order", &self.settings.order)
            .field("queue_capacity", &self.settings.capacity)
            .finish_non_exhaustive()
    }
}
