//! What follows from what has happened: who gets which task, who is started, and who leaves.

use super::task::{Task, TaskId};
use super::worker::{Stage, Worker, WorkerId};
use super::{Action, Machine, Phase};
use crate::process::page::slots::Ticket;

impl<J> Machine<J> {
    /// Looks at the whole, when nothing is left to be done: see the argument of the
    /// [machine](super).
    pub(super) fn conclude(&mut self) {
        self.dispatch();
        if !self.actions.is_empty() || self.share() {
            return;
        }
        self.is_unsettled = false;
        self.start_workers();
        self.settle();
    }

    /// Sends what is queued to workers that have room.
    fn dispatch(&mut self) {
        if self.is_winding_up() {
            return self.give_up_queued();
        }
        while !self.queue.is_empty() {
            // Somebody who has nothing to do is better than somebody who is busy.
            let emptiest = self
                .workers
                .iter()
                .filter(|(_, worker)| worker.room(&self.rules) > 0)
                .min_by_key(|(_, worker)| worker.sent.len());
            match emptiest {
                Some((&id, worker)) if worker.is_idle() || self.is_complete() => {
                    self.send_first(id);
                }
                _ => return,
            }
        }
    }

    /// Whether every worker is up that there may be. Until then nothing is sent ahead, since one that
    /// has nothing to do will come.
    pub(super) fn is_complete(&self) -> bool {
        let is_up = |it: &Worker| it.stage == Stage::Up || !it.is_staying();
        self.is_refused
            || self.workers.len() >= self.max_workers && self.workers.values().all(is_up)
    }

    fn send_first(&mut self, id: WorkerId) {
        let Some((_, task)) = self.queue.pop_first() else { return };
        let Some(it) = self.tasks.get_mut(&task) else { return };
        let Some(ticket) = self.workers.get_mut(&id).map(|worker| worker.send(task)) else {
            return;
        };
        it.sent = Some((id, ticket));
        let attempt = it.failures + 1;
        self.actions.push_back(Action::Send { task, worker: id, ticket, attempt });
    }

    /// Ends what is queued: as cancelled, if that is why, or because nobody can run it.
    pub(super) fn give_up_queued(&mut self) {
        for (_, task) in std::mem::take(&mut self.queue) {
            let Some(Task { job, .. }) = self.tasks.remove(&task) else { continue };
            let is_cancelled = self.is_cancelling && !self.is_broken;
            self.actions.push_back(if is_cancelled {
                Action::Cancel { job }
            } else {
                Action::GiveUp { job }
            });
        }
    }

    /// Asks back half of what lies ready at the fullest worker, if another one is idle. False if
    /// there is nothing to ask for.
    fn share(&mut self) -> bool {
        let is_free = |it: &Worker| it.is_idle() && it.room(&self.rules) > 0;
        if self.is_winding_up() || !self.workers.values().any(is_free) {
            return false;
        }
        let fullest = self
            .workers
            .iter()
            .filter(|(_, it)| it.waiting() > 0)
            .map(|(id, it)| {
                let lent = it.sent.iter().skip(1).filter(|(_, task)| self.lent(*task).is_some());
                (lent.count(), *id)
            })
            .max();
        match fullest {
            Some((lent, worker)) if lent > 0 => {
                self.withdraw_next(worker, lent.div_ceil(2));
                true
            }
            _ => false,
        }
    }

    /// Takes back the calls that a worker would begin next, behind the one that it is at.
    fn withdraw_next(&mut self, worker: WorkerId, most: usize) {
        let Some(it) = self.workers.get(&worker) else { return };
        let next = it.sent.iter().skip(1).copied();
        self.take_back(
            worker,
            next.filter(|(_, task)| self.lent(*task).is_some()).take(most).collect(),
        );
    }

    /// Takes back from a worker what it has not begun, the last call first.
    pub(super) fn withdraw_from(&mut self, worker: WorkerId) {
        let Some(it) = self.workers.get(&worker) else { return };
        let all = it.sent.iter().rev().copied();
        self.take_back(worker, all.filter(|(_, task)| self.lent(*task).is_some()).collect());
    }

    /// The same but for the first so many calls, that which it is at, or comes to next, among them.
    pub(super) fn withdraw_behind(&mut self, worker: WorkerId, kept: usize) {
        let Some(it) = self.workers.get(&worker) else { return };
        let behind = it.sent.iter().skip(kept).rev().copied();
        let lent = behind.filter(|(_, task)| self.lent(*task).is_some()).collect();
        self.take_back(worker, lent);
    }

    fn take_back(&mut self, worker: WorkerId, calls: Vec<(Ticket, TaskId)>) {
        let action = |(ticket, task)| Action::TakeBack { task, worker, ticket };
        self.actions.extend(calls.into_iter().map(action));
    }

    /// Sees that somebody comes for each task that waits, as far as there may be so many workers.
    fn start_workers(&mut self) {
        if self.is_refused || self.is_winding_up() {
            return;
        }
        let behind: usize = self.workers.values().map(Worker::waiting).sum();
        let is_coming = |it: &&Worker| it.stage == Stage::Starting && it.is_staying();
        let starting = self.workers.values().filter(is_coming).count();
        let mut wanted = (self.queue.len() + behind).saturating_sub(starting);
        if self.rules.start_all && self.is_open() {
            wanted = usize::MAX;
        }
        let missing = self.max_workers.saturating_sub(self.workers.len());
        (0..wanted.min(missing)).for_each(|_| self.start_one());
    }

    /// Lets workers leave that are to leave and have nothing on their way, and watches idle ones.
    fn settle(&mut self) {
        let is_over = self.phase == Phase::Closed && self.queue.is_empty();
        // If all are started at once, all are there for good.
        let retires_idle = self.rules.retires_idle && !self.rules.start_all;
        for (id, worker) in &mut self.workers {
            if !worker.is_idle() || worker.is_expelled {
                continue;
            }
            if is_over || !worker.is_staying() {
                worker.stage = Stage::Retired;
                self.actions.push_back(Action::Retire { worker: *id });
            } else if retires_idle && worker.watched != Some(worker.rounds) {
                worker.watched = Some(worker.rounds);
                self.actions.push_back(Action::WatchIdle { worker: *id, since: worker.rounds });
            }
        }
    }
}
