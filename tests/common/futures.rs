//! Futures in every state.

use concurrent_futures::{Future, Promise};

/// A future whose promise has begun.
pub(crate) fn running() -> (Promise<u32>, Future<u32>) {
    let (mut promise, future) = Promise::new();
    assert_eq!(promise.set_running_or_notify_cancel(), Ok(true));
    (promise, future)
}

/// A future that is done with a value.
pub(crate) fn finished(value: u32) -> Future<u32> {
    let (mut promise, future) = Promise::new();
    promise.set_result(value).expect("it is pending");
    future
}

/// A future that has failed with an [`OutOfPaper`].
pub(crate) fn failed() -> Future<u32> {
    let (mut promise, future) = Promise::new();
    promise.set_exception(OutOfPaper).expect("it is pending");
    future
}

/// A future that was cancelled.
pub(crate) fn cancelled() -> Future<u32> {
    let (_promise, future) = Promise::new();
    assert!(future.cancel());
    future
}

/// An error that only these tests have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutOfPaper;

impl std::fmt::Display for OutOfPaper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("out of paper")
    }
}

impl std::error::Error for OutOfPaper {}
