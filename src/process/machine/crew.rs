//! What happens to workers: they start, die, are ended, and become more or fewer.

use super::task::TaskId;
use super::worker::{Stage, Worker, WorkerId};
use super::{Action, Machine, OnWorkerDeath, Phase};
use crate::process::page::slots::Ticket;
use std::cmp::Reverse;
use std::time::Duration;

impl<J> Machine<J> {
    /// The worker can take calls.
    pub(crate) fn started(&mut self, worker: WorkerId) {
        if let Some(it) = self.workers.get_mut(&worker)
            && it.stage == Stage::Starting
        {
            it.stage = Stage::Up;
            self.deaths.birth();
        }
        self.is_unsettled = true;
    }

    /// No process could be started for the worker.
    pub(crate) fn refused(&mut self, worker: WorkerId) {
        if self.workers.remove(&worker).is_none() {
            return;
        }
        self.is_refused = true;
        if self.workers.is_empty() {
            // Nobody is left to come for what is queued; a later submission tries again.
            self.give_up_queued();
        }
        self.fit();
        self.is_unsettled = true;
    }

    /// The worker's process has ended. `has_begun` says which of its calls had.
    pub(crate) fn died(
        &mut self,
        worker: WorkerId,
        has_begun: impl Fn(Ticket) -> bool,
        now: Duration,
    ) {
        let Some(dead) = self.workers.remove(&worker) else { return };
        self.is_refused = false;
        for (ticket, task) in &dead.sent {
            let Some(it) = self.tasks.get_mut(task) else { continue };
            let had_begun = it.begun || has_begun(*ticket);
            if had_begun && !it.may_retry() {
                let lost = self.tasks.remove(task);
                self.actions.extend(lost.map(|it| Action::Lose { job: it.job }));
                continue;
            }
            if had_begun {
                it.retry();
            }
            self.put_back(*task);
        }
        let was_told = dead.is_ending || (dead.stage == Stage::Retired && !dead.is_expelled);
        if !was_told {
            let was_up = dead.stage != Stage::Starting;
            let policy = self.rules.on_worker_death;
            if self.deaths.death(was_up, now, policy) {
                self.actions.push_back(Action::Broken);
                self.break_down(policy == OnWorkerDeath::Break);
            }
        }
        self.fit();
        self.is_unsettled = true;
    }

    /// Ends the process of a worker that breaks the rules.
    pub(crate) fn expel(&mut self, worker: WorkerId) {
        if let Some(it) = self.workers.get_mut(&worker) {
            it.is_expelled = true;
            self.actions.push_back(Action::End { task: None, worker, ticket: None, hard: true });
        }
        self.is_unsettled = true;
    }

    /// Ends a worker's process, for the sake of this call if there is one. What it has not begun has
    /// been asked for by then.
    pub(super) fn end(&mut self, worker: WorkerId, call: Option<(TaskId, Ticket)>, hard: bool) {
        if let Some(it) = self.workers.get_mut(&worker) {
            it.is_ending = true;
            let (task, ticket) = (call.map(|(task, _)| task), call.map(|(_, ticket)| ticket));
            self.actions.push_back(Action::End { task, worker, ticket, hard });
        }
        self.is_unsettled = true;
    }

    /// Ends every worker's process.
    pub(crate) fn end_all(&mut self, hard: bool) {
        for worker in self.all() {
            self.end(worker, None, hard);
        }
    }

    /// Nothing has been heard of the worker for long, while it has calls. What lies ready behind such
    /// a call does not wait for it; and so that it keeps its place, all that lies behind a call
    /// elsewhere is asked back too, and the queue's order decides.
    ///
    /// The first call stays with its worker even if it has not begun: a worker without calls would
    /// seem to be free, and be sent the same ones again, each time that it has said nothing for long.
    pub(crate) fn fell_silent(&mut self, worker: WorkerId) {
        let Some(it) = self.workers.get_mut(&worker) else { return };
        // One that has nothing to do is right to say nothing.
        if it.sent.is_empty() {
            return;
        }
        it.is_silent = true;
        if it.waiting() > 0 {
            let workers: Vec<WorkerId> = self.workers.keys().copied().collect();
            workers.into_iter().for_each(|worker| self.withdraw_behind(worker, 1));
        }
        self.is_unsettled = true;
    }

    /// The idle time is over that was watched in this round.
    pub(crate) fn idle_time_is_over(&mut self, worker: WorkerId, since: usize) {
        if let Some(it) = self.workers.get_mut(&worker)
            && it.is_idle()
            && it.rounds == since
        {
            it.is_worn = true;
        }
        self.is_unsettled = true;
    }

    pub(crate) fn resize(&mut self, max_workers: usize) {
        self.max_workers = max_workers;
        self.is_refused = false;
        self.fit();
        self.is_unsettled = true;
    }

    /// Stops taking tasks. With `cancel`, what has not begun is cancelled.
    pub(crate) fn close(&mut self, cancel: bool) {
        self.phase = Phase::Closed;
        if cancel {
            // What is queued, and what is taken back, has nowhere to go: see `dispatch`.
            self.is_cancelling = true;
            self.withdraw_from_all();
        }
        self.is_unsettled = true;
    }

    /// The pool is broken: it takes nothing more, and gives up what is queued. What has begun goes
    /// on, unless `ends_all`.
    pub(crate) fn break_down(&mut self, ends_all: bool) {
        self.is_broken = true;
        self.phase = Phase::Closed;
        self.withdraw_from_all();
        if ends_all {
            self.end_all(true);
        }
        self.is_unsettled = true;
    }

    /// What the books say is not to be trusted any more: forgets all of it, and gives what it had.
    pub(crate) fn abandon(&mut self) -> Vec<J> {
        self.is_broken = true;
        self.phase = Phase::Closed;
        self.queue.clear();
        self.workers.clear();
        self.is_unsettled = false;
        let over = self.actions.drain(..).filter_map(|action| match action {
            Action::Lose { job } | Action::Cancel { job } | Action::GiveUp { job } => Some(job),
            _ => None,
        });
        over.chain(self.tasks.drain().map(|(_, task)| task.job)).collect()
    }

    fn withdraw_from_all(&mut self) {
        for worker in self.all() {
            self.withdraw_from(worker);
        }
    }

    fn all(&self) -> Vec<WorkerId> {
        self.workers.keys().copied().collect()
    }

    /// Sees that as many workers are to stay as were asked for, if there are so many.
    fn fit(&mut self) {
        let staying = self.workers.values().filter(|it| it.is_staying()).count();
        let kept = self.workers.values().filter(|it| !it.is_surplus).count();
        let surplus = staying.saturating_sub(self.max_workers);
        let missing = self.max_workers.saturating_sub(kept);
        if surplus == 0 && missing == 0 {
            return;
        }
        // The idle leave first, and among them the youngest.
        let mut workers: Vec<(bool, Reverse<WorkerId>)> = self
            .workers
            .iter()
            .filter(|(_, it)| it.could_stay() && it.is_surplus == (missing > 0))
            .map(|(id, it)| (!it.sent.is_empty(), Reverse(*id)))
            .collect();
        workers.sort();
        if missing > 0 {
            workers.reverse();
        }
        for (_, Reverse(id)) in workers.into_iter().take(surplus.max(missing)) {
            if let Some(worker) = self.workers.get_mut(&id) {
                worker.is_surplus = surplus > 0;
            }
            if surplus > 0 {
                self.withdraw_from(id);
            }
        }
    }

    pub(super) fn start_one(&mut self) {
        let used: Vec<usize> = self.workers.values().map(|it| it.index).collect();
        let index = (0..).find(|index| !used.contains(index)).unwrap_or_default();
        self.next_worker += 1;
        let worker = WorkerId(self.next_worker);
        self.workers.insert(worker, Worker::new(index));
        self.actions.push_back(Action::Start { worker, index });
    }
}
