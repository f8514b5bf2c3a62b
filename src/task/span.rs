//! A span of `tracing` for each task, from its submission to its end; nothing without that feature.

#[cfg(not(feature = "tracing"))]
pub(crate) use absent::TaskSpan;
#[cfg(feature = "tracing")]
pub(crate) use present::TaskSpan;

#[cfg(feature = "tracing")]
mod present {
    use crate::sync::global::Mutex;
    use tracing::field::Empty;
    use tracing::{Level, Span, info_span, span_enabled};

    /// The span of one task, as long as that has not ended.
    pub(crate) struct TaskSpan(Mutex<Option<Span>>);

    impl TaskSpan {
        /// Whether anybody wants to know.
        pub(crate) fn is_wanted() -> bool {
            span_enabled!(target: "concurrent_futures", Level::INFO, "task")
        }

        /// A child of the span that this thread is in.
        pub(crate) fn new(label: Option<&str>, function: &str, executor: Option<&str>) -> TaskSpan {
            let span = info_span!(
                target: "concurrent_futures",
                "task",
                executor,
                label,
                function = (!function.is_empty()).then_some(function),
                worker = Empty,
                process = Empty,
                ending = Empty,
            );
            TaskSpan(Mutex::new(Some(span)))
        }

        /// Runs the task's code on this thread.
        pub(crate) fn enter<R>(&self, code: impl FnOnce() -> R) -> R {
            let span = self.0.lock().clone().unwrap_or_else(Span::none);
            span.record("worker", std::thread::current().name());
            span.in_scope(code)
        }

        /// The task runs, or has run, in another process.
        pub(crate) fn runs_in(&self, worker: &str, process: u32) {
            if let Some(span) = &*self.0.lock() {
                span.record("worker", worker).record("process", process);
            }
        }

        pub(crate) fn end(&self, ending: &str) {
            let span = self.0.lock().take();
            if let Some(span) = span {
                span.record("ending", ending);
            }
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod absent {
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

        pub(crate) fn runs_in(&self, _worker: &str, _process: u32) {}

        pub(crate) fn end(&self, _ending: &str) {}
    }
}
