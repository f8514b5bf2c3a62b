//! How an executable that was started as a worker becomes one, instead of running its `main`.
//!
//! A pointer to [`hook`] stands among the executable's initializers, which the system's loader calls
//! before `main`. It looks at one environment variable. In an ordinary process that is all. In a
//! process that a pool has started, it calls the initializers that stand behind it (constructors of
//! statically linked C++ code, for instance, which the first task may need), and then is the worker
//! until its end: `main` never runs.

use super::worker;
use crate::sync::global::{AtomicUsize, Ordering};
use crate::sys::fault;
use crate::sys::initializers::{Initializer, run_those_after};
use crate::task;
use std::ffi::{c_char, c_int};
use std::fmt;

/// The environment variable that marks a worker. Its value is a [`Mark`].
pub(super) const VARIABLE: &str = concat!(
    "CONCURRENT_FUTURES_WORKER_",
    env!("CARGO_PKG_VERSION_MAJOR"),
    "_",
    env!("CARGO_PKG_VERSION_MINOR"),
    "_",
    env!("CARGO_PKG_VERSION_PATCH"),
);

/// Who has marked this process as its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) parent: u32,
    /// The descriptor of the page that they share, in the parent.
    pub(super) page: i32,
}

impl Mark {
    fn found() -> Option<Mark> {
        let value = std::env::var(VARIABLE).ok()?;
        let read = |(parent, page): (&str, &str)| {
            Some(Mark { parent: parent.parse().ok()?, page: page.parse().ok()? })
        };
        // With another value it is a worker nevertheless, of nobody.
        Some(value.split_once(' ').and_then(read).unwrap_or(Mark { parent: 0, page: -1 }))
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.parent, self.page)
    }
}

/// Whether this process has been marked as a worker. In a worker the mark is removed before
/// anything else runs, so that its own children are ordinary processes.
pub(super) fn is_marked() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// One if the hook has run in this process, or [`init`] was called: then it will in its workers.
static PASSED: AtomicUsize = AtomicUsize::new(0);

pub(super) fn has_passed() -> bool {
    // ORDERING: relaxed; written before `main`, or by whoever called `init` first.
    PASSED.load(Ordering::Relaxed) != 0
}

// SAFETY: the linker collects the pointers in this section as the executable's initializers, and
// the loader calls each once, before `main`, with these arguments.
#[unsafe(link_section = ".init_array")]
#[used]
static HOOK: Initializer = hook;

extern "C" fn hook(
    count: c_int,
    arguments: *const *const c_char,
    environment: *const *const c_char,
) {
    pass(|| run_those_after(hook, count, arguments, environment));
}

fn pass(prepare: impl FnOnce()) {
    // ORDERING: relaxed; see `has_passed`.
    PASSED.store(1, Ordering::Relaxed);
    let Some(mark) = Mark::found() else { return };
    fault!(Marked);
    prepare();
    // SAFETY: in a worker nothing else runs yet, or it runs in a `main` that calls `init` first, as
    // its documentation demands: no other thread looks at the environment.
    unsafe { std::env::remove_var(VARIABLE) };
    // A panic must not leave a function that C code has called.
    task::contain(|| worker::main(mark));
    std::process::abort();
}

/// Becomes a worker, if this process was started as one; otherwise does nothing.
///
/// Nobody has to call this: a hook that runs before `main` does the same. It is for programs that
/// would rather choose the moment, or are linked in a way that drops the hook (then building a pool
/// fails with an error that says so). Call it first in `main`, before other threads are started: in
/// a worker everything before it runs once more, and nothing after it ever does.
///
/// # Python
///
/// `multiprocessing.freeze_support`, and the need for `if __name__ == "__main__"`.
///
/// # Examples
///
/// ```
/// concurrent_futures::init(); // first in `main`
/// ```
pub fn init() {
    pass(|| {});
}
