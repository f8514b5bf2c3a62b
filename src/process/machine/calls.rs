//! What happens to tasks: they come, are cancelled, taken back, begun, stopped, and come back.

use super::task::{Stop, Task, TaskId, key};
use super::worker::{Worker, WorkerId};
use super::{Action, Machine, Return, Verdict};
use crate::process::page::slots::Ticket;
use std::collections::hash_map::Entry;
use std::time::Duration;

impl<J> Machine<J> {
    pub(crate) fn submit(&mut self, task: TaskId, job: J, priority: i32, retries: u32) {
        self.sequence += 1;
        let key = key(self.rules.order, priority, self.sequence);
        self.tasks.insert(task, Task::new(job, key, retries));
        self.queue.insert(key, task);
        if self.workers.is_empty() {
            self.is_refused = false;
        }
        // Where others wait already, nobody has room, and one more waits with them; but there may be
        // more workers for it.
        self.is_unsettled |= self.queue.len() == 1 || self.workers.len() < self.max_workers;
    }

    /// The task was cancelled while it was queued, or should not be sent after all.
    pub(crate) fn forget(&mut self, task: TaskId) -> Option<J> {
        let gone = self.tasks.remove(&task)?;
        self.queue.remove(&gone.key);
        self.unsend(gone.sent);
        self.is_unsettled = true;
        Some(gone.job)
    }

    /// The worker was kept from beginning the call.
    pub(crate) fn taken_back(&mut self, task: TaskId) {
        self.put_back(task);
    }

    /// The task has begun. Whether that was not known.
    pub(crate) fn begun(&mut self, task: TaskId) -> bool {
        let Some(it) = self.tasks.get_mut(&task) else { return false };
        let is_news = !std::mem::replace(&mut it.begun, true);
        if is_news
            && it.stop == Stop::Asked
            && let Some((worker, ticket)) = it.sent
        {
            self.ask_to_stop(task, worker, ticket);
        }
        is_news
    }

    /// A call came back. `is_too_large` says that the worker should be replaced.
    pub(crate) fn returned(
        &mut self,
        worker: WorkerId,
        ticket: Ticket,
        how: Return,
        duration: Duration,
        is_too_large: bool,
    ) -> Verdict<J> {
        let Some(task) = self.task_of(worker, ticket) else {
            return Verdict::Unknown;
        };
        if let Some(it) = self.workers.get_mut(&worker) {
            it.has_done(ticket, duration, &self.rules);
            it.is_worn |= is_too_large;
        }
        let verdict = match self.tasks.entry(task) {
            Entry::Vacant(_) => Verdict::Unknown,
            Entry::Occupied(mut it) if how == Return::Failed && it.get().may_retry() => {
                it.get_mut().retry();
                self.put_back(task);
                Verdict::Again
            }
            Entry::Occupied(it) => Verdict::Over(it.remove().job),
        };
        if is_too_large {
            self.withdraw_from(worker);
        } else if let Some(enough) = self.workers.get(&worker).and_then(Worker::enough) {
            self.withdraw_behind(worker, enough);
        }
        self.is_unsettled = true;
        verdict
    }

    /// Somebody wants a task to stop: one that is running, or has begun before and waits to be tried
    /// again.
    pub(crate) fn stop(&mut self, task: TaskId) {
        let Some(it) = self.tasks.get_mut(&task) else { return };
        if it.stop != Stop::No {
            return;
        }
        it.stop = Stop::Asked;
        let begun = it.begun;
        match it.sent {
            None => self.put_back(task),
            Some((worker, ticket)) if begun => self.ask_to_stop(task, worker, ticket),
            // The answer decides which of the two.
            Some((worker, ticket)) => {
                self.actions.push_back(Action::TakeBack { task, worker, ticket });
            }
        }
        self.is_unsettled = true;
    }

    fn ask_to_stop(&mut self, task: TaskId, worker: WorkerId, ticket: Ticket) {
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.give_notice(ticket);
        }
        self.actions.push_back(Action::AskToStop { task, worker, ticket });
        // Those behind it should not be lost with it.
        self.withdraw_from(worker);
    }

    /// The grace time is over that was given to this call.
    pub(crate) fn grace_is_over(&mut self, task: TaskId, worker: WorkerId, ticket: Ticket) {
        if self.sent(task) != Some((worker, ticket)) {
            return;
        }
        // If a call behind it has begun, it has come to its end, of which the pool is about to hear; or the
        // worker says what is not so.
        let sent = self.workers.get(&worker).into_iter().flat_map(|it| &it.sent);
        let mut behind = sent.skip_while(|(at, _)| *at != ticket).skip(1);
        let is_overtaken = behind.any(|(_, task)| self.tasks.get(task).is_some_and(|it| it.begun));
        let Some(it) = self.tasks.get_mut(&task) else { return };
        let hard = match it.stop {
            Stop::No | Stop::Killed => return,
            Stop::Asked if is_overtaken => {
                it.stop = Stop::Overtaken;
                return self.actions.push_back(Action::AwaitOutcome { task, worker, ticket });
            }
            Stop::Asked | Stop::Overtaken => false,
            Stop::Ended => true,
        };
        it.stop = if hard { Stop::Killed } else { Stop::Ended };
        self.end(worker, Some((task, ticket)), hard);
    }

    /// Puts a task into the queue that has not begun, or is tried again; but a task that was to stop
    /// is over.
    pub(super) fn put_back(&mut self, task: TaskId) {
        self.is_unsettled = true;
        let Some(it) = self.tasks.get_mut(&task) else { return };
        let sent = it.sent.take();
        it.begun = false;
        if it.stop == Stop::No {
            self.queue.insert(it.key, task);
        } else {
            self.queue.remove(&it.key);
            let gone = self.tasks.remove(&task);
            self.actions.extend(gone.map(|it| Action::Cancel { job: it.job }));
        }
        self.unsend(sent);
    }

    fn unsend(&mut self, sent: Option<(WorkerId, Ticket)>) {
        if let Some((worker, ticket)) = sent
            && let Some(worker) = self.workers.get_mut(&worker)
        {
            worker.unsend(ticket);
        }
    }
}
