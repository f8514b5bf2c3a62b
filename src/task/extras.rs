//! What only some tasks have: settings, which they share, and what belongs to one of them alone.

use super::settings::TaskSettings;
use super::span::TaskSpan;
use super::task_ref::TaskRef;
use crate::error::{TaskErrorKind, TaskOutput, TaskUsage};
use crate::sync::{Arc, Mutex};
use crate::timeline::{Ending, Entry};

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

/// What tasks have besides their closures. As long as it holds nothing but settings, tasks share it.
pub(crate) struct Extras {
    pub(crate) settings: Arc<TaskSettings>,
    /// Who watches this task.
    pub(crate) watch: Option<Watch>,
    /// Where such a report goes, if the pool asks for one. Another form of the task has the same.
    pub(crate) report: Option<Arc<Mutex<Report>>>,
    /// Forgotten when the source is done, so that a chain of tasks does not keep its beginning.
    pub(crate) source: Mutex<Option<Source>>,
}

impl Extras {
    pub(crate) fn new(settings: Arc<TaskSettings>) -> Extras {
        Extras { settings, watch: None, report: None, source: Mutex::default() }
    }

    /// For a task that is made from another.
    pub(crate) fn made_from(self, source: Source) -> Arc<Extras> {
        Arc::new(Extras { source: Mutex::new(Some(source)), ..self })
    }

    /// What a task has that is submitted by a handle with these, and whose function is called so: the same,
    /// unless somebody watches it.
    #[inline]
    pub(crate) fn for_task(
        of_handle: &Option<Arc<Extras>>,
        function: &'static str,
    ) -> Option<Arc<Extras>> {
        let extras = of_handle.as_ref()?;
        Some(if extras.is_watched() {
            Arc::new(extras.of_task(function))
        } else {
            Arc::clone(extras)
        })
    }

    #[inline]
    fn is_watched(&self) -> bool {
        self.settings.timeline.is_some() || TaskSpan::is_wanted()
    }

    /// What a task of its own has that is submitted by a handle with these.
    #[cold]
    pub(crate) fn of_task(&self, function: &'static str) -> Extras {
        // Who watches, and what is reported, is each task's own.
        let Extras { settings, watch: _, report: _, source } = self;
        let TaskSettings { label, timeline, executor, .. } = &**settings;
        let entry = || Some(Entry::new(timeline.as_ref()?, settings.name(function)));
        let span = || TaskSpan::new(label.as_deref(), function, executor.as_deref());
        let watch = || Watch { entry: entry(), span: TaskSpan::is_wanted().then(span) };
        Extras {
            settings: Arc::clone(settings),
            watch: self.is_watched().then(watch),
            report: None,
            source: Mutex::new(source.lock().clone()),
        }
    }
}

impl std::fmt::Debug for Extras {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Extras").field("settings", &self.settings).finish_non_exhaustive()
    }
}
