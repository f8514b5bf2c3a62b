//! What only some tasks have: shared by all tasks of one setting, absent from the others.

use super::task_ref::TaskRef;
use crate::error::TaskError;
use crate::sync::Arc;
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

#[derive(Clone, Default)]
pub(crate) struct Extras {
    pub(crate) label: Option<Arc<str>>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) on_unobserved: Option<Unobserved>,
    /// The task borrows the state of the worker that runs it.
    pub(crate) needs_state: bool,
    pub(crate) source: Option<Source>,
}

impl Extras {
    /// Shared extras, or none if all of it is at its default.
    pub(crate) fn shared(self) -> Option<Arc<Extras>> {
        let plain = self.label.is_none()
            && self.timeout.is_none()
            && self.on_unobserved.is_none()
            && !self.needs_state
            && self.source.is_none();
        (!plain).then(|| Arc::new(self))
    }
}

impl std::fmt::Debug for Extras {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Extras")
            .field("label", &self.label)
            .field("timeout", &self.timeout)
            .field("needs_state", &self.needs_state)
            .finish_non_exhaustive()
    }
}
