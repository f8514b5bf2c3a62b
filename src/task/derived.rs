//! Tasks that are made from others: another form of the same work, or what comes after it.
//!
//! A chain of such tasks can be of any length, so nothing here calls itself for the next link.

use super::extras::Source;
use super::task_ref::{Cancelled, TaskRef};

/// How far a task is to be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    Cancel,
    Abort,
}

/// A task's work: the one that is not just another form of some other.
struct Work {
    task: TaskRef,
    /// The forms through which it was reached, the outermost first.
    forms: Vec<TaskRef>,
}

impl Work {
    fn of(mut task: TaskRef) -> Work {
        let mut forms = Vec::new();
        while !task.snapshot().is_done()
            && let Some(Source::Same(source)) = task.source()
        {
            forms.push(std::mem::replace(&mut task, source));
        }
        Work { task, forms }
    }

    /// The task that has to be done before this one can begin.
    fn before(&self) -> Option<TaskRef> {
        match self.task.source() {
            Some(Source::Before(source)) => Some(source),
            _ => None,
        }
    }

    /// Cancels the work in all its forms. Forms are told by the work itself, but on the thread that
    /// has cancelled it, and not before its closure has been dropped there: this call may come
    /// between.
    fn cancel(&self) -> Cancelled {
        let cancelled = self.task.cancel_own();
        if cancelled != Cancelled::No {
            for form in self.forms.iter().rev() {
                form.cancel_own();
            }
        }
        cancelled
    }
}

impl TaskRef {
    /// The task that this one is made from.
    fn source(&self) -> Option<Source> {
        self.extras()?.source.lock().clone()
    }

    /// Whether this task is made from another that is not done.
    pub(super) fn is_derived(&self) -> bool {
        self.source().is_some()
    }

    /// The task that this one is made from is done, and no concern of it any more.
    pub(crate) fn forget_source(&self) {
        let source = self.extras().and_then(|extras| extras.source.lock().take());
        drop(source);
    }

    /// Whether a worker has begun this task, or the work that it is another form of, and this task
    /// is not done. Between the moments at which the two are done, it still is.
    pub(crate) fn is_running(&self) -> bool {
        let now = self.current_snapshot();
        if now.is_done() {
            return false;
        }
        let work = Work::of(self.clone());
        if work.forms.is_empty() {
            now.is_running()
        } else {
            work.task.current_snapshot().has_begun()
        }
    }

    /// Cancels the task if it has not begun: its closure is dropped at once, on this thread, and
    /// everybody who waits is told. What has to come before it is cancelled too, if it can be.
    pub(crate) fn try_cancel(&self) -> Cancelled {
        self.stop(Stop::Cancel).0
    }

    /// Whether the task is cancelled now, by this call or before.
    pub(crate) fn cancel(&self) -> bool {
        self.try_cancel() != Cancelled::No
    }

    /// Cancels the task, or asks it to stop if it is running; and what has to come before it. False
    /// if it is done otherwise.
    pub(crate) fn abort(&self) -> bool {
        self.stop(Stop::Abort).1
    }

    /// What came of it for this task: cancelled or not, stopped or not.
    fn stop(&self, stop: Stop) -> (Cancelled, bool) {
        let mut result = None;
        let mut next = Some(self.clone());
        while let Some(task) = next.take() {
            let work = Work::of(task);
            let before = work.before();
            let cancelled = work.cancel();
            let stopped = match stop {
                Stop::Cancel => cancelled == Cancelled::Now,
                Stop::Abort => cancelled != Cancelled::No || work.task.request_stop(),
            };
            result.get_or_insert((cancelled, stopped));
            if stopped {
                next = before;
            }
        }
        result.unwrap_or((Cancelled::No, false))
    }

    /// The tasks that have to run so that this one is done, in that order; those that are queued
    /// need nothing before them any more.
    pub(super) fn chain(&self) -> Vec<TaskRef> {
        let mut chain = Vec::new();
        let mut next = Some(self.clone());
        while let Some(task) = next.take() {
            let work = Work::of(task);
            if !work.task.snapshot().is_queued() {
                next = work.before();
            }
            chain.push(work.task);
        }
        chain.reverse();
        chain
    }
}
