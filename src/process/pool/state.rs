//! What a pool's lock guards.

use super::job::Job;
use super::line::Line;
use crate::error::{BrokenCause, Refusal, TaskErrorKind};
use crate::process::machine::{Machine, TaskId, WorkerId};
use crate::process::page::slots::Ticket;
use crate::sync::Arc;
use rustc_hash::{FxHashMap, FxHashSet};

/// The bookkeeping, with the jobs, and what belongs to it.
pub(crate) struct State {
    pub(crate) machine: Machine<Job>,
    pub(crate) lines: FxHashMap<WorkerId, Arc<Line>>,
    /// Workers that are to be ended as soon as they have a process.
    pub(crate) doomed: FxHashSet<WorkerId>,
    pub(crate) broken: Option<BrokenCause>,
    /// Why the last process could not be started.
    pub(crate) refused: Option<Arc<std::io::Error>>,
    /// How many threads have handed their line on, and are still in the callback that they run; or end
    /// the future that they have waited for.
    pub(crate) relieved: usize,
    pub(crate) finished: usize,
    pub(crate) failed: usize,
    pub(crate) cancelled: usize,
}

impl State {
    pub(crate) fn new(machine: Machine<Job>) -> Self {
        State {
            machine,
            lines: FxHashMap::default(),
            doomed: FxHashSet::default(),
            broken: None,
            refused: None,
            relieved: 0,
            finished: 0,
            failed: 0,
            cancelled: 0,
        }
    }

    /// Closed, and nobody is left who could begin, or go on with, anything.
    pub(crate) fn is_gone(&self) -> bool {
        self.machine.is_gone() && self.lines.is_empty() && self.relieved == 0
    }

    /// Why the pool takes nothing, if it does not.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        if self.machine.is_open() {
            return None;
        }
        Some(self.broken.clone().map_or(Refusal::ShutDown, Refusal::Broken))
    }

    /// Why nothing can run a task any more.
    pub(crate) fn why_given_up(&self) -> TaskErrorKind {
        let refusal = match (&self.broken, &self.refused) {
            (Some(cause), _) => return TaskErrorKind::Broken(cause.clone()),
            (None, Some(error)) => Refusal::NoWorker(Arc::clone(error)),
            (None, None) => Refusal::ShutDown,
        };
        TaskErrorKind::Refused(refusal)
    }

    pub(crate) fn count(&mut self, kind: &TaskErrorKind) {
        match kind {
            TaskErrorKind::Cancelled => self.cancelled += 1,
            _ => self.failed += 1,
        }
    }

    /// The call of a task has been kept from beginning.
    pub(crate) fn take_back(&mut self, task: TaskId) {
        if let Some(entry) = self.machine.job(task).and_then(|job| job.entry()) {
            entry.taken_back();
        }
        self.machine.taken_back(task);
    }

    /// The line of the worker that is at this task, and at no other as far as can be seen.
    pub(crate) fn line_of_running(&self, task: TaskId) -> Option<Arc<Line>> {
        let (worker, ticket) = self.machine.sent(task)?;
        let line = self.lines.get(&worker)?;
        let sent = self.machine.workers().find(|it| it.id == worker)?.sent;
        let is_alone = sent.iter().all(|it| line.page.slots().has_begun(it.0) == (it.0 == ticket));
        is_alone.then(|| Arc::clone(line))
    }

    /// The task that a worker is at.
    pub(crate) fn running(&self, worker: WorkerId, sent: &[(Ticket, TaskId)]) -> Option<TaskId> {
        let line = self.lines.get(&worker)?;
        sent.iter().find(|(ticket, _)| line.page.slots().has_begun(*ticket)).map(|(_, task)| *task)
    }
}
