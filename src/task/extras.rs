//! What only some tasks have: shared by all tasks of one setting, absent from the others.

use super::span::TaskSpan;
use super::task_ref::TaskRef;
use crate::error::{TaskError, TaskErrorKind, TaskOutput, TaskUsage};
use crate::sync::{Arc, Mutex};
#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
use crate::timeline::Lane;
use crate::timeline::{Ending, Entry, Name, Timeline};
use std::time::Duration;

/// Told of a failure that nobody looked at.
pub(crate) type Unobserved = Arc<dyn Fn(&TaskError) + Send + Sync>;

/// The task that another one is made from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// Both stand for the same work: the other form of one future.
    Same(TaskRef),
    /// This one begins when the source is done.
    Before(TaskRef),
}

/// Who is told what becomes of a task.
pub(crate) struct Watch {
    pub(crate) entry: Option<Entry>,
    pub(crate) span: Option<TaskSpan>,
}

impl Watch {
    /// Runs the task's code on this thread.
    pub(super) fn run<R>(&self, code: impl FnOnce() -> R) -> R {
        if let Some(entry) = &self.entry {
            entry.begin_here();
        }
        match &self.span {
            None => code(),
            Some(span) => span.enter(code),
        }
    }

    /// The task has been sent to a process, the worker with this index of that pool.
    #[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
    pub(crate) fn sent_to(&self, lane: Option<&Arc<Lane>>, pool: &str, index: usize, process: u32) {
        if let (Some(entry), Some(lane)) = (&self.entry, lane) {
            entry.sent_to(lane);
        }
        if let Some(span) = &self.span {
            span.is_sent_to(pool, index, process);
        }
    }

    pub(super) fn end(&self, ending: Ending) {
        if let Some(entry) = &self.entry {
            entry.end(ending, None);
        }
        if let Some(span) = &self.span {
            span.end(ending.word());
        }
    }
}

/// What a worker process has told of a task besides its outcome.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) output: Option<TaskOutput>,
    pub(crate) usage: Option<TaskUsage>,
}

/// How a task ends that has this failure.
pub(crate) fn ending_with(failure: &TaskErrorKind) -> Ending {
    match failure {
        TaskErrorKind::Cancelled => Ending::Cancelled,
        TaskErrorKind::TimedOut { .. } | TaskErrorKind::NotBegun { .. } => Ending::TimedOut,
        TaskErrorKind::WorkerDied(_) | TaskErrorKind::Broken(_) => Ending::Lost,
        _ => Ending::Failed,
    }
}

#[derive(Default)]
pub(crate) struct Extras {
    pub(crate) label: Option<Arc<str>>,
    pub(crate) timeout: Option<Duration>,
    /// How long it may wait for a worker.
    pub(crate) begin_within: Option<Duration>,
    pub(crate) on_unobserved: Option<Unobserved>,
    /// Where to record what becomes of its tasks.
    pub(crate) timeline: Option<Timeline>,
    /// The pool, as spans call it. Nobody asks without them.
    pub(crate) executor: Option<Arc<str>>,
    /// Who watches this task.
    pub(crate) watch: Option<Watch>,
    /// The task borrows the state of the worker that runs it.
    pub(crate) needs_state: bool,
    /// It is a part of a task that runs, and that is counted already.
    pub(crate) is_part: bool,
    /// Where such a report goes, if the pool asks for one: then the task shares its extras with no other,
    /// unless that is another form of it.
    pub(crate) report: Option<Arc<Mutex<Report>>>,
    /// Forgotten when the source is done, so that a chain of tasks does not keep its beginning.
    pub(crate) source: Mutex<Option<Source>>,
}

impl Extras {
    /// The same settings, for another task.
    pub(crate) fn settings(&self) -> Extras {
        Extras {
            label: self.label.clone(),
            timeout: self.timeout,
            begin_within: self.begin_within,
            on_unobserved: self.on_unobserved.clone(),
            timeline: self.timeline.clone(),
            executor: self.executor.clone(),
            watch: None,
            needs_state: self.needs_state,
            is_part: self.is_part,
            report: None,
            source: Mutex::default(),
        }
    }

    /// The same settings, for a task that is made from another.
    pub(crate) fn made_from(self, source: Source) -> Arc<Extras> {
        Arc::new(Extras { source: Mutex::new(Some(source)), ..self })
    }

    /// What a task has that is submitted with these settings, and whose function is called so: the settings
    /// themselves, unless somebody watches it.
    #[inline]
    pub(crate) fn for_task(
        settings: &Option<Arc<Extras>>,
        function: &'static str,
    ) -> Option<Arc<Extras>> {
        let settings = settings.as_ref()?;
        Some(if settings.is_watched() {
            Arc::new(settings.of_task(function))
        } else {
            Arc::clone(settings)
        })
    }

    #[inline]
    fn is_watched(&self) -> bool {
        self.timeline.is_some() || TaskSpan::is_wanted()
    }

    /// What a task of its own has that is submitted with these settings.
    #[cold]
    pub(crate) fn of_task(&self, function: &'static str) -> Extras {
        let name = || match &self.label {
            Some(label) => Name::Label(Arc::clone(label)),
            None => Name::Function(function),
        };
        let span = || TaskSpan::new(self.label.as_deref(), function, self.executor.as_deref());
        let watch = || Watch {
            entry: self.timeline.as_ref().map(|timeline| Entry::new(timeline, name())),
            span: TaskSpan::is_wanted().then(span),
        };
        Extras {
            watch: self.is_watched().then(watch),
            source: Mutex::new(self.source.lock().clone()),
            label: self.label.clone(),
            on_unobserved: self.on_unobserved.clone(),
            timeout: self.timeout,
            begin_within: self.begin_within,
            needs_state: self.needs_state,
            is_part: self.is_part,
            // The entry has it. To count it twice would cost as much as all the rest.
            timeline: None,
            executor: None,
            report: None,
        }
    }

    /// Shared settings, or none if all of them are at their default.
    pub(crate) fn shared(self) -> Option<Arc<Extras>> {
        let is_plain = self.label.is_none()
            && self.timeout.is_none()
            && self.begin_within.is_none()
            && self.on_unobserved.is_none()
            && self.timeline.is_none()
            && !cfg!(feature = "tracing")
            && !self.needs_state
            && self.report.is_none();
        (!is_plain).then(|| Arc::new(self))
    }
}

impl std::fmt::Debug for Extras {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Extras")
            .field("label", &self.label)
            .field("timeout", &self.timeout)
            .field("begin_within", &self.begin_within)
            .field("needs_state", &self.needs_state)
            .finish_non_exhaustive()
    }
}
