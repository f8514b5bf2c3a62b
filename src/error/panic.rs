//! A panic of a task, as a value.

use std::any::Any;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// A panic of a task: what it said, where, and the payload to go on with it.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{TaskErrorKind, ThreadPoolExecutor};
///
/// let executor = ThreadPoolExecutor::new(1)?;
/// let error = executor.spawn(|| -> u32 { panic!("no such page") }).result().unwrap_err();
/// let TaskErrorKind::Panicked(panic) = error.kind() else { unreachable!("{error}") };
/// assert_eq!(panic.message(), "no such page");
/// if let (Some(location), Some(backtrace)) = (panic.location(), panic.backtrace()) {
///     println!("at {location}:\n{backtrace}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TaskPanic {
    message: String,
    location: Option<String>,
    backtrace: Option<String>,
    payload: Mutex<Option<Box<dyn Any + Send>>>,
}

impl TaskPanic {
    pub(crate) fn new(
        payload: Box<dyn Any + Send>,
        location: Option<String>,
        backtrace: Option<String>,
    ) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a payload that is not text".to_owned());
        TaskPanic { message, location, backtrace, payload: Mutex::new(Some(payload)) }
    }

    /// The panic's message, if its payload was text.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// File, line and column, as `src/main.rs:7:5`. Unknown if the program has replaced the panic
    /// hook since its first executor was built, or the panic was resumed rather than raised.
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    /// The backtrace, if backtraces are enabled (`RUST_BACKTRACE=1`).
    pub fn backtrace(&self) -> Option<&str> {
        self.backtrace.as_deref()
    }

    /// A panic that happened in another process.
    pub(crate) fn remote(
        message: String,
        location: Option<String>,
        backtrace: Option<String>,
    ) -> Self {
        TaskPanic { message, location, backtrace, payload: Mutex::new(None) }
    }

    pub(crate) fn into_payload(self) -> Box<dyn Any + Send> {
        self.take_payload()
    }

    pub(crate) fn take_payload(&self) -> Box<dyn Any + Send> {
        let mut payload = self.payload.lock().unwrap_or_else(PoisonError::into_inner);
        payload.take().unwrap_or_else(|| Box::new(self.message.clone()))
    }
}

impl fmt::Display for TaskPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(location) => write!(f, "panicked at {location}: {}", self.message),
            None => write!(f, "panicked: {}", self.message),
        }
    }
}

impl fmt::Debug for TaskPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskPanic")
            .field("message", &self.message)
            .field("location", &self.location)
            .finish_non_exhaustive()
    }
}
