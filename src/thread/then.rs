//! Calls that go on with the value of another future.

use super::call::Call;
use super::handle::ThreadPoolHandle;
use crate::executor::Patience;
use crate::future::Future;
use crate::sync::{Arc, Mutex};
use crate::task::{Extras, Source};
use std::any::type_name;

impl<S: 'static> ThreadPoolHandle<S> {
    /// Submits a call of `function` with the value of `future`, once that is there.
    ///
    /// The new task is queued when the first is done. If the first fails, or is cancelled, so is
    /// the second, with the same error, and `function` is dropped. Cancelling the second before it
    /// has begun cancels the first too, if that has not begun; aborting it also asks the first to
    /// stop. Never blocks, and takes no room in a bounded queue. The two may belong to different
    /// executors; if it is the same one, it also runs the second after a `shutdown` that came
    /// between them.
    ///
    /// # Python
    ///
    /// There is no counterpart but a callback that submits.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ThreadPoolExecutor::new(1)?;
    /// let page = executor.spawn(|| String::from("<p>text</p>"));
    /// let length = executor.then(page, |page| page.len());
    /// assert_eq!(length.result()?, 11);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn then<T, F, R>(&self, future: Future<T>, function: F) -> Future<R>
    where
        T: Send + 'static,
        F: FnOnce(T) -> R + Send + 'static,
        R: Send + 'static,
    {
        let first = future.into_handle();
        let extras = Extras::new(self.settings()).made_from(Source::Before(first.task().clone()));
        let second = self.with_extras(Some(extras));
        let value = Arc::new(Mutex::new(None));
        let input = Arc::clone(&value);
        let call = Call {
            function: move |()| {
                let value = input.lock().take();
                match value {
                    Some(value) => function(value),
                    None => unreachable!("the task is queued after its value has been put there"),
                }
            },
            argument: (),
        };
        let (entry, handle) = second.call(type_name::<F>(), call);
        let before = first.task().clone();
        first.on_settled(move |outcome| {
            entry.forget_source();
            match outcome {
                Ok(output) => {
                    *value.lock() = Some(output);
                    second.pool.enqueue_known(entry, second.priority(), Patience::Continuation);
                }
                Err(error) => match entry.begin() {
                    Some(begun) => begun.fail(error),
                    None if error.is_cancelled() => {}
                    None => before.report_unobserved(&error),
                },
            }
        });
        Future::new(handle)
    }
}
