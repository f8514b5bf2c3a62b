//! A span of `tracing` for each task, from its submission to its end; nothing without that feature.

#[cfg(not(feature = "tracing"))]
pub(crate) use absent::TaskSpan;
#[cfg(feature = "tracing")]
pub(crate) use present::TaskSpan;

#[cfg(feature = "tracing")]
mod present {
    use crate::sync::Arc;
    use crate::sync::global::Mutex;
    use crate::task::panic::contain;
    use tracing::field::Empty;
    use tracing::span::Entered;
    use tracing::{Level, Span, info_span, span_enabled};

    /// The span of one task, as long as that has not ended.
    ///
    /// Whatever is done with a span calls the user's subscriber: with no lock held, and a panic of it ends
    /// there.
    pub(crate) struct TaskSpan(Mutex<Known>);

    struct Known {
        span: Option<Arc<Span>>,
        /// The worker and its process, if the task was sent to one.
        process: Option<(Arc<str>, usize, u32)>,
    }

    impl TaskSpan {
        /// Whether anybody wants to know.
        pub(crate) fn is_wanted() -> bool {
            span_enabled!(target: "concurrent_futures", Level::INFO, "task")
        }

        /// A child of the span that this thread is in.
        pub(crate) fn new(label: Option<&str>, function: &str, executor: Option<&str>) -> TaskSpan {
            let span = contain(|| {
                Arc::new(info_span!(
                    target: "concurrent_futures",
                    "task",
                    executor,
                    label,
                    function = (!function.is_empty()).then_some(function),
                    worker = Empty,
                    process = Empty,
                    ending = Empty,
                ))
            });
            TaskSpan(Mutex::new(Known { span, process: None }))
        }

        /// Runs the task's code on this thread.
        pub(crate) fn enter<R>(&self, code: impl FnOnce() -> R) -> R {
            struct Contained<'a>(Option<Entered<'a>>);
            impl Drop for Contained<'_> {
                fn drop(&mut self) {
                    contain(|| drop(self.0.take()));
                }
            }
            let span = self.0.lock().span.clone();
            let span = Leaving(span);
            let _entered = Contained(
                contain(|| {
                    let span = span.0.as_deref()?;
                    span.record("worker", std::thread::current().name());
                    Some(span.enter())
                })
                .flatten(),
            );
            code()
        }

        /// The task runs, or has run, in another process. That is told when it ends, for here locks are held.
        pub(crate) fn is_sent_to(&self, pool: &Arc<str>, index: usize, process: u32) {
            self.0.lock().process = Some((Arc::clone(pool), index, process));
        }

        pub(crate) fn end(&self, ending: &str) {
            let (span, process) = {
                let mut known = self.0.lock();
                (known.span.take(), known.process.take())
            };
            let span = Leaving(span);
            contain(|| {
                let Some(span) = &span.0 else { return };
                if let Some((pool, index, process)) = process {
                    span.record("worker", format!("{pool}_{index}")).record("process", process);
                }
                span.record("ending", ending);
            });
        }
    }

    /// A use of a span, with which that may be closed.
    struct Leaving(Option<Arc<Span>>);

    impl Drop for Leaving {
        fn drop(&mut self) {
            contain(|| drop(self.0.take()));
        }
    }

    impl Drop for Known {
        fn drop(&mut self) {
            contain(|| drop(self.span.take()));
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod absent {
    use crate::sync::Arc;

    pub(crate) struct TaskSpan;

    impl TaskSpan {
        pub(crate) fn is_wanted() -> bool {
            false
        }

        pub(crate) fn new(
            _label: Option<&str>,
            _function: &str,
            _executor: Option<&str>,
        ) -> TaskSpan {
            TaskSpan
        }

        pub(crate) fn enter<R>(&self, code: impl FnOnce() -> R) -> R {
            code()
        }

        pub(crate) fn is_sent_to(&self, _pool: &Arc<str>, _index: usize, _process: u32) {}

        pub(crate) fn end(&self, _ending: &str) {}
    }
}
