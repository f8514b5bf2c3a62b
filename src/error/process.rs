//! What can go wrong with tasks in other processes.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// How a worker process ended.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{DeathCause, ProcessPoolExecutor};
///
/// let executor = ProcessPoolExecutor::new(1)?;
/// let result: Result<(), _> = executor.submit(|code| std::process::exit(code), 7).result();
/// let error = result.unwrap_err();
/// let death = error.worker_death().expect("its worker has ended");
/// assert_eq!(death.worker_index(), 0);
/// assert_eq!(death.cause(), &DeathCause::Exited { code: 7 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Python
///
/// `BrokenProcessPool`, which does not say which process ended, how, or at which task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerDeath {
    pub(crate) worker_index: usize,
    pub(crate) process_id: u32,
    pub(crate) cause: DeathCause,
    pub(crate) may_be_memory_kill: bool,
}

impl WorkerDeath {
    /// The worker's number within its pool.
    pub fn worker_index(&self) -> usize {
        self.worker_index
    }

    /// The number that the process had in the operating system.
    ///
    /// # Examples
    ///
    /// See [`TaskError::worker_death`](crate::TaskError::worker_death).
    pub fn process_id(&self) -> u32 {
        self.process_id
    }

    /// How it ended.
    pub fn cause(&self) -> &DeathCause {
        &self.cause
    }

    /// Whether it was killed from outside, and the system's memory killer has struck somewhere since
    /// the worker was started. The system does not say whom it killed, so this is a suspicion.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::ProcessPoolExecutor;
    ///
    /// let executor = ProcessPoolExecutor::new(1)?;
    /// let result: Result<(), _> = executor.spawn(|| std::process::abort()).result();
    /// let error = result.unwrap_err();
    /// let death = error.worker_death().expect("its worker has died");
    /// if death.may_be_memory_kill() {
    ///     println!("perhaps there are too many workers for this machine");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn may_be_memory_kill(&self) -> bool {
        self.may_be_memory_kill
    }
}

impl fmt::Display for WorkerDeath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (index, process) = (self.worker_index, self.process_id);
        write!(f, "worker {index} (process {process}) {}", self.cause)?;
        if self.may_be_memory_kill {
            f.write_str(
                "; the system's memory killer has ended a process since the worker was started, \
                 perhaps this one",
            )?;
        }
        Ok(())
    }
}

impl Error for WorkerDeath {}

/// How a process ended.
///
/// # Examples
///
/// See [`WorkerDeath`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeathCause {
    /// It exited: the task called `exit`, for instance.
    Exited {
        /// The exit code.
        code: i32,
    },
    /// A signal ended it: a segmentation fault, an abort, a kill from outside.
    Signalled {
        /// The signal's number.
        number: i32,
        /// The signal's name, as `SIGSEGV`, if it has one.
        name: Option<&'static str>,
        /// Whether the system wrote a core dump.
        core_dumped: bool,
    },
    /// The executor ended it: by `terminate_workers`, `kill_workers` or `shutdown_timeout`, or together
    /// with another worker's death.
    Ended,
    /// It was ended because it sent what no worker sends.
    BrokeProtocol(String),
    /// Something else in this program has fetched its exit status.
    Unknown,
}

impl fmt::Display for DeathCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeathCause::Exited { code } => write!(f, "exited with code {code}"),
            DeathCause::Signalled { number, name, core_dumped } => {
                write!(f, "was ended by signal {number}")?;
                if let Some(name) = name {
                    write!(f, " ({name})")?;
                }
                f.write_str(if *core_dumped { ", with a core dump," } else { "" })
            }
            DeathCause::Ended => f.write_str("was ended by the executor"),
            DeathCause::BrokeProtocol(what) => {
                write!(f, "was ended because it broke the protocol by {what}")
            }
            DeathCause::Unknown => f.write_str("ended in an unknown way"),
        }
    }
}

/// Why a call could not be brought to a process, or its result back.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{ProcessPoolExecutor, TaskErrorKind, TransferStage};
///
/// let builder = ProcessPoolExecutor::builder().max_workers(1);
/// let executor = builder.max_message(1000).build()?;
/// let error = executor.submit(|n| vec![0_u8; n], 5000).result().unwrap_err();
/// let TaskErrorKind::NotTransferred(error) = error.kind() else { panic!("{error}") };
/// assert_eq!(error.stage(), TransferStage::EncodeResult);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Python
///
/// `PicklingError`, and whatever else pickling raises.
#[derive(Debug, Clone)]
pub struct TransferError {
    stage: TransferStage,
    cause: Arc<str>,
}

/// Where on its way a call failed.
///
/// # Examples
///
/// See [`TransferError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransferStage {
    /// The function is not a part of the program's executable.
    Function,
    /// The argument could not be encoded, in this process.
    EncodeArgument,
    /// The argument could not be decoded, in the worker.
    DecodeArgument,
    /// The result could not be encoded, in the worker.
    EncodeResult,
    /// The result could not be decoded, in this process.
    DecodeResult,
}

impl TransferError {
    pub(crate) fn new(stage: TransferStage, cause: impl fmt::Display) -> Self {
        TransferError { stage, cause: Arc::from(cause.to_string()) }
    }

    /// Where it failed.
    pub fn stage(&self) -> TransferStage {
        self.stage
    }

    /// Why it failed, in the words of `serde` or of whoever said so.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{ProcessPoolExecutor, TaskErrorKind};
    ///
    /// let executor = ProcessPoolExecutor::builder().max_workers(1).max_message(1000).build()?;
    /// let error = executor.submit(|n| vec![0_u8; n], 5000).result().unwrap_err();
    /// let TaskErrorKind::NotTransferred(error) = error.kind() else { panic!("{error}") };
    /// assert!(error.cause().ends_with("1000 is the limit"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cause(&self) -> &str {
        &self.cause
    }
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.stage {
            TransferStage::Function => "its function cannot be called in another process: ",
            TransferStage::EncodeArgument => "its argument cannot be encoded: ",
            TransferStage::DecodeArgument => "its argument cannot be decoded in the worker: ",
            TransferStage::EncodeResult => "its result cannot be encoded in the worker: ",
            TransferStage::DecodeResult => "its result cannot be decoded: ",
        })?;
        f.write_str(&self.cause)
    }
}

impl Error for TransferError {}
