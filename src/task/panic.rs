//! Keeps a panic of user code from going any further, and remembers where it happened.
//!
//! `catch_unwind` tells what was thrown but not where. The location is known only to the panic hook,
//! so the first executor of a program wraps the hook that is there: while a task runs, the wrapper
//! notes the location and then calls the hook that it wraps, so that messages appear as ever.

use crate::error::{TaskError, TaskErrorKind, TaskPanic};
#[cfg(feature = "monitor")]
use crate::sync::global::Mutex;
use crate::sync::global::Once;
use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

struct Origin {
    /// What was said, if it was text. A panic that says something else was not raised there.
    message: Option<String>,
    location: Option<String>,
    backtrace: Option<String>,
}

thread_local! {
    static CATCHING: Cell<usize> = const { Cell::new(0) };
    /// Boxed, so that putting it aside for each task costs next to nothing.
    static LAST: RefCell<Option<Box<Origin>>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// Asked whether a panic is to be reported, and told whether it will become a value.
#[cfg(feature = "monitor")]
pub(crate) type Reporter = fn(bool) -> bool;

/// There is one while something is shown that a message would tear apart.
#[cfg(feature = "monitor")]
pub(crate) static REPORTER: Mutex<Option<Reporter>> = Mutex::new(None);

/// Wraps the program's panic hook, once.
pub(crate) fn install_hook() {
    // The hook cannot be changed by a thread that is panicking; a later executor will do it.
    if std::thread::panicking() {
        return;
    }
    HOOK.call_once(|| {
        let wrapped = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if CATCHING.get() > 0 {
                let backtrace = Backtrace::capture();
                let origin = Origin {
                    message: text_of(panic.payload()).map(str::to_owned),
                    location: panic.location().map(ToString::to_string),
                    backtrace: (backtrace.status() == BacktraceStatus::Captured)
                        .then(|| backtrace.to_string()),
                };
                LAST.with(|last| {
                    if let Ok(mut last) = last.try_borrow_mut() {
                        *last = Some(Box::new(origin));
                    }
                });
            }
            #[cfg(feature = "monitor")]
            {
                let reporter = *REPORTER.lock();
                if reporter.is_some_and(|is_to_be_told| !is_to_be_told(CATCHING.get() > 0)) {
                    return;
                }
            }
            wrapped(panic);
        }));
    });
}

/// Calls user code; a panic in it becomes a value.
pub(crate) fn catch<R>(code: impl FnOnce() -> R) -> Result<R, TaskPanic> {
    let before = LAST.take();
    CATCHING.set(CATCHING.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(code));
    CATCHING.set(CATCHING.get() - 1);
    let origin = LAST.replace(before);
    result.map_err(|payload| {
        // A task may catch one panic and then resume another, which the hook is not told of.
        let origin = origin.filter(|it| it.message.as_deref() == text_of(&*payload));
        let (location, backtrace) = origin.map_or((None, None), |it| (it.location, it.backtrace));
        TaskPanic::new(payload, location, backtrace)
    })
}

fn text_of(payload: &(dyn Any + Send)) -> Option<&str> {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

/// Goes on with a panic that was caught on another thread, from here.
pub(crate) fn resume(panic: TaskPanic) -> ! {
    let origin = Origin {
        message: Some(panic.message().to_owned()),
        location: panic.location().map(str::to_owned),
        backtrace: panic.backtrace().map(str::to_owned),
    };
    if CATCHING.get() > 0 {
        LAST.set(Some(Box::new(origin)));
    }
    resume_unwind(panic.into_payload())
}

/// Ends the program where a panic would leave others with memory that is gone.
pub(crate) struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        std::process::abort();
    }
}

/// The failure that a panic is.
pub(crate) fn panicked(panic: TaskPanic) -> TaskError {
    TaskError::new(TaskErrorKind::Panicked(panic))
}

/// What is told of a panic that breaks an executor. What was thrown, which nobody can get at there, ends
/// here: it may panic again when it is dropped.
pub(crate) fn told(panic: TaskPanic) -> TaskPanic {
    let text = |it: Option<&str>| it.map(str::to_owned);
    let (message, location) = (panic.message().to_owned(), text(panic.location()));
    let told = TaskPanic::remote(message, location, text(panic.backtrace()));
    contain(|| drop(panic));
    told
}

/// Calls user code whose panic has nowhere to go: the hook has reported it, and it ends here.
pub(crate) fn contain<R>(code: impl FnOnce() -> R) -> Option<R> {
    match catch_unwind(AssertUnwindSafe(code)) {
        Ok(value) => Some(value),
        Err(payload) => {
            // A payload may panic again when it is dropped; what that throws is forgotten.
            if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                std::mem::forget(again);
            }
            None
        }
    }
}
