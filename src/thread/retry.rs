//! Calls that are repeated if they fail.

use super::ThreadPoolHandle;
use crate::future::Future;
use crate::task::{self, cancellation_requested};
use std::any::type_name;
use std::error::Error;
use std::panic::resume_unwind;

/// Submits calls that are repeated if they fail; from
/// [`retrying`](ThreadPoolHandle::retrying).
///
/// A call is repeated at once, on the same worker, until it succeeds or its retries are used up;
/// the last failure is the one that counts. [`attempt`](crate::attempt) tells it how often it has
/// been begun. All attempts together are one task, with one timeout. A call that has been asked to
/// stop, by its timeout for instance, is not repeated. What is repeated must be callable more than
/// once, with a clone of its argument each time, which the compiler checks.
///
/// # Python
///
/// There is no counterpart.
///
/// # Examples
///
/// See [`retrying`](ThreadPoolHandle::retrying).
#[derive(Debug, Clone)]
pub struct Retrying<S = ()> {
    handle: ThreadPoolHandle<S>,
    retries: u32,
}

impl<S: 'static> Retrying<S> {
    pub(super) fn new(handle: ThreadPoolHandle<S>, retries: u32) -> Self {
        Retrying { handle, retries }
    }

    /// Submits the call `function(argument)`, which is repeated if it panics. Blocks only if the
    /// queue is bounded and full, as its policy says.
    ///
    /// # Examples
    ///
    /// See [`retrying`](ThreadPoolHandle::retrying).
    pub fn submit<F, A, R>(&self, mut function: F, argument: A) -> Future<R>
    where
        F: FnMut(A) -> R + Send + 'static,
        A: Clone + Send + 'static,
        R: Send + 'static,
    {
        let retries = self.retries;
        let repeated = move |argument| repeat(retries, &mut function, argument, |_| false);
        self.handle.submit_as(type_name::<F>(), repeated, argument)
    }

    /// Submits the call `function(argument)`, which is repeated if it returns an `Err` or panics.
    /// The future is [flattened](Future::flatten): the last `Err` is its failure. Otherwise as
    /// [`submit`](Self::submit).
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// let mut answers = ["busy", "busy", "42"].into_iter();
    /// let future = executor.retrying(5).try_call(move |()| answers.next().unwrap().parse::<u32>(), ());
    /// assert_eq!(future.result()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_call<F, A, R, E>(&self, mut function: F, argument: A) -> Future<R>
    where
        F: FnMut(A) -> Result<R, E> + Send + 'static,
        A: Clone + Send + 'static,
        R: Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
    {
        let retries = self.retries;
        let repeated = move |argument| repeat(retries, &mut function, argument, Result::is_err);
        self.handle.submit_as(type_name::<F>(), repeated, argument).flatten()
    }
}

fn repeat<A: Clone, R>(
    retries: u32,
    mut function: impl FnMut(A) -> R,
    argument: A,
    has_failed: impl Fn(&R) -> bool,
) -> R {
    for attempt in 1..=retries {
        let call = || task::at_attempt(attempt, || function(argument.clone()));
        match task::catch(call) {
            Ok(result) if !has_failed(&result) || cancellation_requested() => return result,
            Err(panic) if cancellation_requested() => resume_unwind(panic.into_payload()),
            Ok(result) => discard(result),
            Err(panic) => discard(panic),
        }
    }
    task::at_attempt(retries.saturating_add(1), || function(argument))
}

/// Drops a failure that another try follows. It is the caller's own, and may panic as it goes; the
/// other try follows all the same.
fn discard<T>(failure: T) {
    task::contain(|| drop(failure));
}
