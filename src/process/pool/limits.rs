//! What is to happen at a given time: to a task that has not begun or not ended by then, and to a worker that
//! is not up.

use super::Pool;
use super::job::Job;
use super::line::Line;
use crate::error::{TaskErrorKind, TaskOutput};
use crate::executor::{apart, expire};
use crate::sync::{Alarm, Arc, deadline_after, trap};
use crate::task::{Owner, Report, TaskRef};
use std::time::Duration;

impl Pool {
    /// Sees that the task fails in time if it has to begin within some time and does not, and that the
    /// time can be minded for which it may run.
    pub(crate) fn watch_begin(&self, job: &Job) -> std::io::Result<Option<Alarm>> {
        if job.timeout().is_some() {
            self.timer.start()?;
        }
        let Some((limit, at)) = job.begin_within().and_then(|it| Some((it, deadline_after(it)?)))
        else {
            return Ok(None);
        };
        let (pool, late) = (self.this.clone(), job.task().clone());
        let give_up = move || {
            if let Some(pool) = pool.upgrade() {
                pool.give_up_waiting(&late, limit);
            }
        };
        self.timer.set(at, give_up).map(Some)
    }

    /// The time is over within which the task was to begin.
    fn give_up_waiting(&self, task: &TaskRef, limit: Duration) {
        let id = task.address();
        let mut state = loop {
            if !self.take_back(task) || !task.snapshot().is_pending() {
                return;
            }
            let state = self.state.lock();
            // It may have been sent again meanwhile, and may even have begun.
            if state.machine.job(id).is_none_or(|job| job.has_begun) {
                return;
            }
            if state.machine.sent(id).is_none() {
                break state;
            }
        };
        let Some(mut job) = state.machine.forget(id) else { return };
        let kind = TaskErrorKind::NotBegun { limit };
        // As where others are ended: see `Effects`.
        state.count(if job.begin() { &kind } else { &TaskErrorKind::Cancelled });
        self.act(state);
        self.release(&job);
        apart("not begun", move || {
            trap!("not begun, processes");
            job.fail(kind);
        });
    }

    /// Sees that the task is stopped in time if it may run only so long.
    pub(crate) fn watch_end(&self, job: &Job) -> Option<Alarm> {
        let at = job.timeout().and_then(deadline_after)?;
        let (pool, task) = (self.this.clone(), job.task().clone());
        let has_output = self.settings.output.is_some();
        let end = move || {
            let pool = pool.upgrade();
            if let Some(pool) = &pool {
                pool.report_so_far(&task);
            }
            expire(&task);
            if let Some(pool) = pool {
                pool.stop(&task);
            }
        };
        let alarm = self.timer.set(at, move || match has_output {
            // To read what may be long would make other tasks late.
            true => apart("timed out", end),
            false => end(),
        });
        alarm.ok()
    }

    /// Remembers what a task has written that is about to time out.
    fn report_so_far(&self, task: &TaskRef) {
        if self.settings.output.is_none() {
            return;
        }
        let id = task.address();
        let line = || {
            let state = self.state.lock();
            state.line_of_running(id).map(|line| (line, state))
        };
        let Some((found, state)) = line() else { return };
        drop(state);
        let output = found.transcript.as_ref().map(|it| TaskOutput::new(it.so_far()));
        // If the worker has gone on meanwhile, that was perhaps written by the next task. Under the lock, since
        // what the worker tells itself counts more.
        if let Some((same, _state)) = line()
            && Arc::ptr_eq(&same, &found)
        {
            task.report(|it| *it = Report { output, usage: None });
        }
    }

    /// Sees that a process is ended that is not up within the time for that.
    pub(crate) fn watch_start(&self, line: &Arc<Line>) -> Option<Alarm> {
        let limit = self.settings.start_timeout;
        let (pool, line) = (self.this.clone(), Arc::downgrade(line));
        let alarm = self.timer.set(deadline_after(limit)?, move || {
            if let (Some(pool), Some(line)) = (pool.upgrade(), line.upgrade()) {
                pool.accuse(&line, format!("saying nothing for {limit:?} after it was started"));
            }
        });
        alarm.ok()
    }

    pub(crate) fn forget_alarm(&self, alarm: Option<Alarm>) {
        if let Some(alarm) = alarm {
            self.timer.cancel(alarm);
        }
    }

    pub(crate) fn forget_alarms(&self, job: &mut Job) {
        job.alarms.drain(..).for_each(|alarm| self.timer.cancel(alarm));
    }
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use crate::executor::{TaskOptions, expire};
    use crate::process::{ProcessPoolExecutor, StopFlag};
    use crate::queue::Order;
    use crate::timeline::{Ending, Timeline};
    use std::time::Duration;

    fn waits_for(flag: StopFlag) {
        while !flag.is_set() {
            std::thread::yield_now();
        }
    }

    /// An alarm that has gone off is not called back: whoever was at it (to read what may be long, say) came
    /// when the task had failed and waited to be tried again, and then the pool counted it as cancelled.
    #[test]
    fn a_task_that_times_out_just_as_it_fails_counts_as_failed() {
        fn fails(flag: StopFlag) {
            waits_for(flag);
            std::panic::resume_unwind(Box::new("wanted"));
        }
        let timeline = Timeline::new();
        let builder = ProcessPoolExecutor::builder().max_workers(1).order(Order::Priority);
        let executor = builder.timeline(&timeline).build().unwrap();
        let (flag, urgent_flag) = (StopFlag::new().unwrap(), StopFlag::new().unwrap());
        let limited = executor.with(TaskOptions::new().timeout(Duration::from_secs(3600)));
        let future = limited.retrying(1).submit(fails, flag.clone());
        while !future.running() {
            std::thread::yield_now();
        }
        let urgent = executor.with(TaskOptions::new().priority(1));
        let urgent = urgent.submit(waits_for, urgent_flag.clone());
        flag.set();
        while !urgent.running() {
            std::thread::yield_now();
        }
        // As the alarm does.
        let task = future.task().unwrap();
        expire(task);
        executor.handle.pool().stop(task);
        urgent_flag.set();
        urgent.result().unwrap();
        executor.shutdown(true, false);
        let stats = executor.stats();
        assert_eq!((stats.finished, stats.failed, stats.cancelled), (1, 1, 0), "{stats:?}");
        assert!(future.result().unwrap_err().is_timed_out());
        let ended = timeline.tasks().into_iter().filter(|it| it.ending != Some(Ending::Retried));
        let endings: Vec<_> = ended.map(|it| it.ending).collect();
        assert_eq!(endings, [Some(Ending::TimedOut), Some(Ending::Finished)]);
    }
}
