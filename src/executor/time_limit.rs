//! What happens when the time of a task is up: the time to run, or the time to begin.

use crate::error::TaskPanic;
use crate::sync::{Alarm, Arc, Mutex, Timer, Weak, deadline_after, thread};
use crate::task::TaskRef;
use std::collections::HashMap;

/// Lets a task time out, on the timer's thread, which must not be held up by other people's code.
pub(crate) fn expire(task: &TaskRef) {
    if let Some(rest) = task.expire() {
        apart("timed out", rest);
    }
}

/// The timer of a pool, which collapses if an alarm panics: what that was to do has perhaps not been done.
pub(crate) fn timer_of<P: Send + Sync + 'static>(
    pool: Weak<P>,
    collapse: fn(&P, TaskPanic),
) -> Timer {
    Timer::new(move |payload| {
        if let Some(pool) = pool.upgrade() {
            let panic = TaskPanic::new(payload, None, None);
            apart("break-down", move || collapse(&pool, panic));
        }
    })
}

/// Does something that may take its time on a thread of its own, or here if there is none to be
/// had.
pub(crate) fn apart(name: &str, work: impl FnOnce() + Send + 'static) {
    // Shared, so that it can still be done here.
    let work = Arc::new(Mutex::new(Some(work)));
    let finish = move || {
        let work = work.lock().take();
        if let Some(work) = work {
            work();
        }
    };
    if thread::spawn(name.to_owned(), None, finish.clone()).is_err() {
        finish();
    }
}

/// The alarms of tasks that have to begin within some time, and have not.
#[derive(Debug, Default)]
pub(crate) struct BeginLimits(Mutex<HashMap<usize, Alarm>>);

impl BeginLimits {
    /// Lets `give_up` happen when the time is up within which the task should begin, if it has such
    /// a limit, unless that is [`met`](Self::met) before. Fails if there is no thread for it.
    pub(crate) fn watch(
        &self,
        timer: &Timer,
        task: &TaskRef,
        give_up: impl FnOnce(&TaskRef) + Send + 'static,
    ) -> std::io::Result<()> {
        let limit = task.settings().and_then(|it| it.begin_within);
        let Some(at) = limit.and_then(deadline_after) else { return Ok(()) };
        let late = task.clone();
        // Held until the alarm is known here, since it may go off at once.
        let mut alarms = self.0.lock();
        let alarm = timer.set(at, move || give_up(&late))?;
        alarms.insert(task.address(), alarm);
        Ok(())
    }

    /// The task has begun, or is over.
    pub(crate) fn met(&self, timer: &Timer, task: &TaskRef) {
        if task.settings().is_some_and(|it| it.begin_within.is_some())
            && let Some(alarm) = self.0.lock().remove(&task.address())
        {
            timer.cancel(alarm);
        }
    }
}
