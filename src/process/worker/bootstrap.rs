//! How an executable that was started as a worker becomes one, instead of running its `main`.
//!
//! A pointer to [`hook`] stands among the executable's initializers, which the system's loader calls
//! before `main`. It looks at one environment variable. In an ordinary process that is all. In a
//! process that a pool has started, it calls the initializers that stand behind it (constructors of
//! statically linked C++ code, for instance, which the first task may need), and then is the worker
//! until its end: `main` never runs.

use crate::process::own;
use crate::sys::fault;
use crate::sys::initializers::{Initializer, run_those_after};
use crate::task;
use std::ffi::{c_char, c_int};

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
    let Some(mark) = own::look() else { return };
    fault!(Marked);
    prepare();
    // SAFETY: in a worker nothing else runs yet, or it runs in a `main` that calls `init` first, as
    // its documentation demands: no other thread looks at the environment.
    unsafe { std::env::remove_var(own::VARIABLE) };
    // A panic must not leave a function that C code has called.
    task::contain(|| super::main(mark));
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
