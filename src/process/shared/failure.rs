//! Why shared memory could not be encoded or decoded.
//!
//! `postcard` forgets what a value says about its failure, and so whoever encodes or decodes asks
//! here.

use std::cell::RefCell;

thread_local! {
    static FAILURE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Remembers the reason, and gives it as the error of the value.
pub(super) fn noted<E>(custom: fn(String) -> E, reason: String) -> E {
    // A thread that is about to end has no such variable any more.
    let _ = FAILURE.try_with(|it| it.replace(Some(reason.clone())));
    custom(reason)
}

/// The reason of the last failure on this thread since it was asked for.
pub(in crate::process) fn last_failure() -> Option<String> {
    FAILURE.try_with(|it| it.take()).ok().flatten()
}
