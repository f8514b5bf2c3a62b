//! Calls that go on with the value of another future.

use super::handle::ProcessPoolHandle;
use super::pool::job::{JobOf, decode_result};
use super::wire::code;
use crate::error::TaskErrorKind;
use crate::executor::Patience;
use crate::future::Future;
use crate::task::{Source, promised};
use serde::Serialize;
use serde::de::DeserializeOwned;

impl<S: 'static> ProcessPoolHandle<S> {
    /// Submits a call of `function` with the value of `future`, once that is there.
    ///
    /// The value comes to this process and goes out again from here: it is encoded on the thread
    /// that ends the first task. If the first fails, or is cancelled, so is the second, with the same
    /// error. Cancelling the second before it has begun cancels the first too, if that has not begun;
    /// aborting it also asks the first to stop. Never blocks, and takes no room in a bounded queue.
    /// The two may belong to different executors; if it is the same one, it also runs the second
    /// after a `shutdown` that came between them.
    ///
    /// # Python
    ///
    /// There is no counterpart but a callback that submits.
    ///
    /// # Examples
    ///
    /// ```
    /// # let executor = concurrent_futures::ProcessPoolExecutor::new(1)?;
    /// let page = executor.submit(|number| format!("page {number}"), 7);
    /// let length = executor.then(page, |page| page.len());
    /// assert_eq!(length.result()?, 6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn then<T, R>(&self, future: Future<T>, function: fn(T) -> R) -> Future<R>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        R: Serialize + DeserializeOwned + Send + 'static,
    {
        let context = match self.capture_context() {
            Ok(context) => context,
            Err(error) => return self.failed(error),
        };
        let first = future.into_handle();
        let before = first.task().clone();
        let extras = self.own_extras().made_from(Source::Before(before.clone()));
        let (mut producer, handle) = promised(self.pool().id, Some(extras));
        let second = self.clone();
        first.on_settled(move |outcome| {
            producer.task().forget_source();
            let value = match outcome {
                Ok(value) => value,
                Err(error) => {
                    let is_late = producer.conclude(Err(error.clone())).is_err();
                    if is_late && !error.is_cancelled() {
                        before.report_unobserved(&error);
                    }
                    return;
                }
            };
            match second.encode_bare(code::call(function), &value) {
                Ok(mut call) => {
                    context.add_to(&mut call);
                    let job = JobOf::boxed(call, producer, decode_result);
                    if let Err(mut refused) = second.enqueue_job(job, Patience::Continuation) {
                        refused.job.fail(TaskErrorKind::Refused(refused.refusal));
                    }
                }
                Err(kind) => {
                    let error = producer.task().error(kind);
                    // If it was cancelled meanwhile, that stands.
                    let _ = producer.conclude(Err(error));
                }
            }
        });
        Future::new(handle)
    }
}
