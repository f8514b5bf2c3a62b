//! What is asked for tasks before they are submitted: shared by all tasks of one handle.

use super::extras::Extras;
use crate::error::TaskError;
use crate::sync::Arc;
use crate::timeline::{Name, Timeline};
use std::time::Duration;

/// Told of a failure that nobody looked at.
pub(crate) type Unobserved = Arc<dyn Fn(&TaskError) + Send + Sync>;

#[derive(Clone, Default)]
pub(crate) struct TaskSettings {
    pub(crate) label: Option<Arc<str>>,
    pub(crate) timeout: Option<Duration>,
    /// How long a task may wait for a worker.
    pub(crate) begin_within: Option<Duration>,
    pub(crate) on_unobserved: Option<Unobserved>,
    /// Where to record what becomes of the tasks.
    pub(crate) timeline: Option<Timeline>,
    /// The pool, as spans call it. Nobody asks without them.
    pub(crate) executor: Option<Arc<str>>,
    /// A task borrows the state of the worker that runs it.
    pub(crate) needs_state: bool,
    /// It is a part of a task that runs, and that is counted already.
    pub(crate) is_part: bool,
}

impl TaskSettings {
    /// What tasks have that are submitted with these settings: nothing if all of them are at their default.
    pub(crate) fn shared(self) -> Option<Arc<Extras>> {
        let is_plain = matches!(
            self,
            TaskSettings {
                label: None,
                timeout: None,
                begin_within: None,
                on_unobserved: None,
                timeline: None,
                executor: _,
                needs_state: false,
                is_part: false,
            }
        );
        (!is_plain || cfg!(feature = "tracing")).then(|| Arc::new(Extras::new(Arc::new(self))))
    }

    /// What a task is called whose function is called so.
    pub(super) fn name(&self, function: &'static str) -> Name {
        match &self.label {
            Some(label) => Name::Label(Arc::clone(label)),
            None => Name::Function(function),
        }
    }
}

impl std::fmt::Debug for TaskSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskSettings")
            .field("label", &self.label)
            .field("timeout", &self.timeout)
            .field("begin_within", &self.begin_within)
            .field("needs_state", &self.needs_state)
            .finish_non_exhaustive()
    }
}
