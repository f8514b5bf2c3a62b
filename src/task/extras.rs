//! What only some tasks have: shared by all tasks of one setting, absent from the others.

use super::task_ref::TaskRef;
use crate::error::{TaskError, TaskOutput, TaskUsage};
use crate::sync::{Arc, Mutex};
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

/// What a worker process has told of a task besides its outcome.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) output: Option<TaskOutput>,
    pub(crate) usage: Option<TaskUsage>,
}

#[derive(Default)]
pub(crate) struct Extras {
    pub(crate) label: Option<Arc<str>>,
    pub(crate) timeout: Option<Duration>,
    /// How long it may wait for a worker.
    pub(crate) begin_within: Option<Duration>,
    pub(crate) on_unobserved: Option<Unobserved>,
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

    /// Shared settings, or none if all of them are at their default.
    pub(crate) fn shared(self) -> Option<Arc<Extras>> {
        let is_plain = self.label.is_none()
            && self.timeout.is_none()
            && self.begin_within.is_none()
            && self.on_unobserved.is_none()
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
