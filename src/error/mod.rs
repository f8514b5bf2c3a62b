//! Every error of the crate, one type for each thing that can go wrong.
//!
//! A task's failure is a [`TaskError`]: one word wide, cheap to clone, with the task's label and a
//! typed [`TaskErrorKind`]. A wait of the caller's that runs out of time is a different thing, and
//! so a different type: [`WaitTimeout`] gives back what was waited for.
//!
//! What an error says, and what stands behind it: `Display` is a whole sentence, with the text of the
//! error that it wraps, if any. `source` goes on where that text ends, with what the wrapped error
//! gives as its own source, as [`std::io::Error`] does it: so a report of the whole chain says nothing
//! twice. The wrapped error itself is found by a method or a field. `Debug`, which a `main` prints and
//! `unwrap`, is the sentence with its sources.
//!
//! Errors are plain values that take part in no protocol, so this folder uses the standard library's
//! `Arc` and `Mutex` directly and stands below everything else.

mod build;
mod output;
mod panic;
mod process;
mod refusal;
mod waits;

pub use build::{BuildError, ParseExecutorError};
pub(crate) use output::Captured;
pub use output::{TaskOutput, TaskUsage};
pub use panic::TaskPanic;
pub use process::{DeathCause, TransferError, TransferStage, WorkerDeath};
pub use refusal::{BrokenCause, Refusal, TrySubmitError};
pub use waits::{AllFailed, CompletionTimeout, WaitTimeout};

use std::error::Error;
use std::fmt;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

/// Why a task did not give a value.
///
/// `Display` is a whole sentence, which ends with what the task's own error says, if it had one. `source` goes
/// on from there, with the source of that error: a report of the whole chain, as by the `{:#}` of `anyhow`,
/// says nothing twice. The task's own error is found by [`failure`](Self::failure), every other cause by
/// [`kind`](Self::kind). `{:?}`, which is what a `main` prints that returns the error, adds the sources to the
/// sentence; `{:#?}` shows the fields.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{TaskErrorKind, TaskOptions, ThreadPoolExecutor};
///
/// let executor = ThreadPoolExecutor::new(1)?;
/// let error = executor
///     .with(TaskOptions::new().label("page 7"))
///     .spawn(|| -> u32 { panic!("no such page") })
///     .result()
///     .unwrap_err();
///
/// assert_eq!(error.label(), Some("page 7"));
/// let TaskErrorKind::Panicked(panic) = error.kind() else { unreachable!() };
/// assert_eq!(panic.message(), "no such page");
/// assert!(error.to_string().starts_with("task `page 7` panicked at "));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Python
///
/// The exceptions that `Future.result` raises: `CancelledError`, `BrokenExecutor`, the task's own.
#[derive(Clone)]
pub struct TaskError(Arc<Details>);

// A task is ended by whoever catches its panic, so nobody sees anything half done through this.
impl std::panic::UnwindSafe for TaskError {}
impl std::panic::RefUnwindSafe for TaskError {}

enum Details {
    OfTask {
        label: Option<Arc<str>>,
        kind: TaskErrorKind,
        output: Option<TaskOutput>,
    },
    /// Of one item of a `map`: what the task that it was in failed with.
    OfItem {
        item: usize,
        chunk: usize,
        error: TaskError,
    },
}

/// The kinds of failure that a [`TaskError`] can report.
///
/// `Display` says what happened as the end of a sentence whose beginning is up to you: "panicked at …", "was
/// cancelled before it gave a result".
///
/// # Examples
///
/// ```
/// use concurrent_futures::{TaskErrorKind, ThreadPoolExecutor};
///
/// let executor = ThreadPoolExecutor::new(1)?;
/// let error = executor.submit(|n: u32| 12 / n, 0).result().unwrap_err();
/// let told = match error.kind() {
///     TaskErrorKind::Panicked(panic) => panic.message().to_owned(),
///     other => format!("the division {other}"),
/// };
/// assert_eq!(told, "attempt to divide by zero");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum TaskErrorKind {
    /// The task was cancelled: before it began, or because it heeded a request to stop. That was somebody who had
    /// its future or its [`Group`](crate::Group), or who dropped its `map` or shut down its executor with
    /// `cancel_futures`; which of them is not recorded.
    Cancelled,
    /// The task's code panicked.
    Panicked(TaskPanic),
    /// The process that ran the task ended. Only this task is concerned, and
    /// the executor goes on, unless it was told to break then.
    WorkerDied(WorkerDeath),
    /// The function, its argument or its result could not be brought to a process, or back.
    NotTransferred(TransferError),
    /// The task had not begun within the [limit](crate::TaskOptions::begin_within) set for that.
    NotBegun {
        /// The limit, counted from the submission.
        limit: Duration,
    },
    /// The task ran longer than the limit set for it.
    TimedOut {
        /// The limit, counted from the moment the task began.
        limit: Duration,
    },
    /// The task returned an `Err` that [`Future::flatten`](crate::Future::flatten) turned into a
    /// failure, or a [`Promise`](crate::Promise) was given this error.
    Failed(Box<dyn Error + Send + Sync>),
    /// The executor did not take the task.
    Refused(Refusal),
    /// The executor broke after it had taken the task, and can run nothing any more.
    Broken(BrokenCause),
    /// The promise behind the future was dropped without being kept.
    PromiseDropped,
    /// The deadline given to `map` passed before this result was ready.
    DeadlinePassed {
        /// The time that was given, counted from the call.
        limit: Duration,
    },
}

impl TaskError {
    /// A failure of the given kind, for whoever keeps a [`Promise`](crate::Promise).
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{Promise, TaskError, TaskErrorKind};
    ///
    /// let (mut promise, future) = Promise::<u32>::new();
    /// promise.set_exception(TaskError::new(TaskErrorKind::Cancelled))?;
    /// assert!(future.result().unwrap_err().is_cancelled());
    /// # Ok::<(), concurrent_futures::InvalidStateError>(())
    /// ```
    pub fn new(kind: TaskErrorKind) -> Self {
        TaskError::labelled(kind, None)
    }

    pub(crate) fn labelled(kind: TaskErrorKind, label: Option<Arc<str>>) -> Self {
        TaskError::with_output(kind, label, None)
    }

    pub(crate) fn with_output(
        kind: TaskErrorKind,
        label: Option<Arc<str>>,
        output: Option<TaskOutput>,
    ) -> Self {
        TaskError(Arc::new(Details::OfTask { label, kind, output }))
    }

    /// The same, of one item of a `map`; so many items failed together.
    pub(crate) fn of_item(self, item: usize, chunk: usize) -> Self {
        TaskError(Arc::new(Details::OfItem { item, chunk, error: self }))
    }

    /// What went wrong.
    pub fn kind(&self) -> &TaskErrorKind {
        match &*self.0 {
            Details::OfTask { kind, .. } => kind,
            Details::OfItem { error, .. } => error.kind(),
        }
    }

    /// The label of the task, if it was given one.
    pub fn label(&self) -> Option<&str> {
        match &*self.0 {
            Details::OfTask { label, .. } => label.as_deref(),
            Details::OfItem { error, .. } => error.label(),
        }
    }

    /// Which item of a `map` this is the error of, counted from zero in the order of the input.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ThreadPoolExecutor;
    ///
    /// let executor = ThreadPoolExecutor::new(2)?;
    /// let errors: Vec<_> = executor.map(|n: u32| 12 / n, [3, 2, 0, 1]).filter_map(Result::err).collect();
    /// assert_eq!(errors[0].item(), Some(2));
    /// assert!(errors[0].to_string().starts_with("item 2 of the map panicked at "));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn item(&self) -> Option<usize> {
        match &*self.0 {
            Details::OfTask { .. } => None,
            Details::OfItem { item, .. } => Some(*item),
        }
    }

    /// What the task had written to standard output and standard error when it failed, if its pool
    /// [captures](crate::ProcessPoolBuilder::capture_output) that, and the task had begun.
    ///
    /// If a worker died, or was too slow, the error's text ends with the last line of its standard error.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ProcessPoolExecutor;
    ///
    /// fn dies(_: ()) {
    ///     eprintln!("the disk is full");
    ///     std::process::abort();
    /// }
    ///
    /// let executor = ProcessPoolExecutor::builder().max_workers(1).capture_output(1 << 20).build()?;
    /// let error = executor.submit(dies, ()).result().unwrap_err();
    /// assert_eq!(error.output().unwrap().stderr(), "the disk is full\n");
    /// assert!(error.to_string().ends_with("; its last words: the disk is full"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn output(&self) -> Option<&TaskOutput> {
        match &*self.0 {
            Details::OfTask { output, .. } => output.as_ref(),
            Details::OfItem { error, .. } => error.output(),
        }
    }

    /// The last words of a task that could say nothing else.
    fn last_words(&self) -> Option<String> {
        match self.kind() {
            TaskErrorKind::WorkerDied(_) | TaskErrorKind::TimedOut { .. } => {
                self.output()?.last_words()
            }
            _ => None,
        }
    }

    /// Whether the task was cancelled.
    ///
    /// # Examples
    ///
    /// See [`Future::cancel`](crate::Future::cancel).
    pub fn is_cancelled(&self) -> bool {
        matches!(self.kind(), TaskErrorKind::Cancelled)
    }

    /// Whether the task panicked.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ThreadPoolExecutor;
    ///
    /// let executor = ThreadPoolExecutor::new(1)?;
    /// assert!(executor.submit(|n: u32| 12 / n, 0).result().unwrap_err().is_panic());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_panic(&self) -> bool {
        matches!(self.kind(), TaskErrorKind::Panicked(_))
    }

    /// Whether the task exceeded its own time limit. A wait that ran out of time is a
    /// [`WaitTimeout`] instead.
    ///
    /// # Examples
    ///
    /// See [`TaskOptions`](crate::TaskOptions).
    pub fn is_timed_out(&self) -> bool {
        matches!(self.kind(), TaskErrorKind::TimedOut { .. })
    }

    /// How the process ended that ran the task, if that is why it failed.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ProcessPoolExecutor;
    ///
    /// let executor = ProcessPoolExecutor::new(1)?;
    /// let result: Result<(), _> = executor.spawn(|| std::process::abort()).result();
    /// let error = result.unwrap_err();
    /// if let Some(death) = error.worker_death() {
    ///     println!("process {} {}", death.process_id(), death.cause());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn worker_death(&self) -> Option<&WorkerDeath> {
        match self.kind() {
            TaskErrorKind::WorkerDied(death) => Some(death),
            _ => None,
        }
    }

    /// Whether the executor refused the task.
    ///
    /// # Examples
    ///
    /// See [`Refusal`].
    pub fn is_refused(&self) -> bool {
        matches!(self.kind(), TaskErrorKind::Refused(_))
    }

    /// Whether the executor is broken: it broke after it had taken the task, or before, and so
    /// refused it.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ThreadPoolExecutor;
    ///
    /// let builder = ThreadPoolExecutor::builder().max_workers(1);
    /// let executor = builder.try_initializer(|| "no number".parse::<u32>()).build()?;
    /// assert!(executor.spawn(|| ()).result().unwrap_err().is_broken());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_broken(&self) -> bool {
        matches!(self.kind(), TaskErrorKind::Broken(_) | TaskErrorKind::Refused(Refusal::Broken(_)))
    }

    /// The task's own error, if it failed with an `Err` of type `E`.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ThreadPoolExecutor;
    ///
    /// let executor = ThreadPoolExecutor::new(1)?;
    /// let future = executor.submit(str::parse::<u32>, "seven").flatten();
    /// let error = future.result().unwrap_err();
    /// assert!(error.failure::<std::num::ParseIntError>().is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn failure<E: Error + 'static>(&self) -> Option<&E> {
        match self.kind() {
            TaskErrorKind::Failed(error) => error.downcast_ref(),
            _ => None,
        }
    }

    /// Goes on with the task's panic on this thread, as if it had happened here; any other error
    /// is given back.
    ///
    /// # Panics
    ///
    /// With the task's own payload if the task panicked (or with its message, if another clone of
    /// this error has used the payload already).
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ThreadPoolExecutor;
    ///
    /// let executor = ThreadPoolExecutor::new(1).unwrap();
    /// let error = executor.spawn(|| -> u32 { panic!("over there") }).result().unwrap_err();
    /// let here = std::thread::spawn(|| error.resume_panic()).join();
    /// assert_eq!(here.unwrap_err().downcast_ref(), Some(&"over there"));
    /// ```
    pub fn resume_panic(self) -> Self {
        if let TaskErrorKind::Panicked(panic) = self.kind() {
            std::panic::resume_unwind(panic.take_payload());
        }
        self
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.item(), self.label()) {
            (Some(item), Some(label)) => write!(f, "item {item} of the map `{label}` ")?,
            (Some(item), None) => write!(f, "item {item} of the map ")?,
            (None, Some(label)) => write!(f, "task `{label}` ")?,
            (None, None) => f.write_str("task ")?,
        }
        write!(f, "{}", self.kind())?;
        if let Details::OfItem { chunk: 2.., .. } = &*self.0
            && let TaskErrorKind::WorkerDied(_) | TaskErrorKind::TimedOut { .. } = self.kind()
        {
            f.write_str(", with its chunk; a `chunksize` of one keeps items apart")?;
        }
        match self.last_words() {
            Some(words) => write!(f, "; its last words: {words}"),
            None => Ok(()),
        }
    }
}

/// What is said of the task: a sentence without its subject.
impl fmt::Display for TaskErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TaskErrorKind::Cancelled => f.write_str("was cancelled before it gave a result"),
            TaskErrorKind::Panicked(panic) => write!(f, "{panic}"),
            TaskErrorKind::WorkerDied(death) => write!(f, "was lost while it ran: {death}"),
            TaskErrorKind::NotTransferred(error) => write!(f, "could not be transferred: {error}"),
            TaskErrorKind::NotBegun { limit } => {
                write!(f, "had not begun within its limit of {limit:?}")
            }
            TaskErrorKind::TimedOut { limit } => {
                write!(f, "ran longer than its timeout of {limit:?}")
            }
            TaskErrorKind::Failed(error) => write!(f, "failed: {error}"),
            TaskErrorKind::Refused(refusal) => write!(f, "was refused: {refusal}"),
            TaskErrorKind::Broken(cause) => {
                write!(f, "was lost because its executor broke (build a new one): {cause}")
            }
            TaskErrorKind::PromiseDropped => {
                f.write_str("will never finish: its promise was dropped without a result")
            }
            TaskErrorKind::DeadlinePassed { limit } => {
                write!(f, "was not ready within the {limit:?} given to the whole map")
            }
        }
    }
}

/// The sentence and its sources; with `{:#?}` the fields.
impl fmt::Debug for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return fmt_with_sources(self, f);
        }
        let mut debug = f.debug_struct("TaskError");
        if let Some(label) = self.label() {
            debug.field("label", &label);
        }
        if let Some(item) = self.item() {
            debug.field("item", &item);
        }
        debug.field("kind", self.kind());
        if let Some(output) = self.output() {
            debug.field("output", output);
        }
        debug.finish()
    }
}

impl Error for TaskError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.kind() {
            TaskErrorKind::Failed(error) => error.source(),
            TaskErrorKind::Broken(cause) => cause.source(),
            TaskErrorKind::Refused(refusal) => refusal.source(),
            _ => None,
        }
    }
}

/// An error's text, and after it those of its sources.
fn fmt_with_sources(error: &dyn Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{error}")?;
    iter::successors(error.source(), |source| (*source).source())
        .try_for_each(|source| write!(f, "; caused by: {source}"))
}

/// A promise was asked for a step that its state does not allow.
///
/// # Python
///
/// `InvalidStateError`.
///
/// # Examples
///
/// See [`Promise::set_result`](crate::Promise::set_result).
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a promise cannot {step} when its future is {state:?}")]
pub struct InvalidStateError {
    /// What was asked.
    pub(crate) step: &'static str,
    /// The state that the future was in.
    pub(crate) state: FutureState,
}

impl fmt::Debug for InvalidStateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_with_sources(self, f)
    }
}

impl InvalidStateError {
    /// The state that the future was in.
    ///
    /// # Examples
    ///
    /// See [`Promise::set_result`](crate::Promise::set_result).
    pub fn state(&self) -> FutureState {
        self.state
    }
}

/// Where a future stands.
///
/// # Examples
///
/// See [`Future::state`](crate::Future::state).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FutureState {
    /// No worker has begun the task.
    Pending,
    /// A worker has begun the task and has not returned from it.
    Running,
    /// The task gave a value.
    Finished,
    /// The task failed: it panicked, timed out, was refused, or gave an error.
    Failed,
    /// The task was cancelled.
    Cancelled,
}
