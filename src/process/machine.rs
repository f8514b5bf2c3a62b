//! The bookkeeping of the pool, apart from bytes, clocks and threads: events go in, actions come
//! out.
//!
//! Every task is in exactly one place (queued, or sent to one worker) until it is over, and every
//! worker is starting, up, or gone. Each event is a method; what is to be done about it is read with
//! [`next_action`](Machine::next_action) until there is nothing more. Times are given by the caller.

use super::slots::{SLOTS, Ticket};
use crate::queue::Order;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

pub(super) type TaskId = usize;

/// One worker process; a number is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct WorkerId(pub(super) u64);

/// What the machine is told once.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) order: Order,
    pub(super) start_all: bool,
    pub(super) max_tasks_per_worker: Option<usize>,
    pub(super) on_worker_death: OnWorkerDeath,
    /// Idle workers are told to leave after this time.
    pub(super) retires_idle: bool,
}

/// What a process pool does when one of its workers dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnWorkerDeath {
    /// The task that the worker was running fails, and another worker takes its place. The default,
    /// with 1,000 deaths within 10 seconds.
    ///
    /// Workers that the pool itself ended (because a task was aborted or timed out, say) do not
    /// count.
    Replace {
        /// With more deaths than this…
        most: usize,
        /// … within this time, the pool is broken.
        within: Duration,
    },
    /// The pool is broken, as it is in Python: everything that it has taken fails.
    Break,
}

impl Default for OnWorkerDeath {
    fn default() -> Self {
        OnWorkerDeath::Replace { most: 1000, within: Duration::from_secs(10) }
    }
}

/// So many workers in a row may die before they have been up.
pub(super) const STILLBIRTHS: usize = 5;

/// What is to be done. The pool does these things in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// Start a process, for a worker with this index.
    Start { worker: WorkerId, index: usize },
    /// Send the call. `attempt` counts from one.
    Send { task: TaskId, worker: WorkerId, ticket: Ticket, attempt: u32 },
    /// Try to keep the worker from beginning the call, and say whether that was so.
    TakeBack { task: TaskId, worker: WorkerId, ticket: Ticket },
    /// Tell the worker to leave; nothing more is sent to it.
    Retire { worker: WorkerId },
    /// Ask the running call to stop, and come back with `grace_is_over` after the grace time.
    AskToStop { task: TaskId, worker: WorkerId, ticket: Ticket },
    /// End the worker's process; if not `hard`, come back with `grace_is_over`.
    End { task: Option<TaskId>, worker: WorkerId, ticket: Option<Ticket>, hard: bool },
    /// Come back with `is_still_idle` after the idle time.
    WatchIdle { worker: WorkerId, since: usize },
    /// The task is over: its worker died.
    Lose { task: TaskId },
    /// The task is over: cancelled.
    Cancel { task: TaskId },
    /// The task is over: nothing can run it any more. The pool knows why.
    GiveUp { task: TaskId },
    /// Workers have died too often. Takes no more tasks; what was queued is given up.
    Broken,
}

/// How a call came back from its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Return {
    Succeeded,
    Failed,
}

/// What becomes of a call that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The task is over, with this outcome.
    Over(TaskId),
    /// It failed, and is tried again.
    Again,
    /// There is no such call: the worker talks nonsense.
    Unknown,
}

/// Where a task stands in the queue: least first.
type Key = (Reverse<i32>, i64);

#[derive(Debug)]
struct Task {
    key: Key,
    retries: u32,
    /// How often it has been begun.
    attempt: u32,
    sent: Option<(WorkerId, Ticket)>,
    /// Whether it is known to have begun.
    begun: bool,
    stop: Stop,
}

/// How far the attempt to stop a running task has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stop {
    No,
    Asked,
    Ended,
    Killed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Starting,
    Up,
    /// It was told to leave.
    Retired,
    /// Its process is being ended.
    Ending,
}

#[derive(Debug)]
struct Worker {
    index: usize,
    stage: Stage,
    /// The calls on their way, in the order in which they were sent.
    sent: VecDeque<(Ticket, TaskId)>,
    next_number: u32,
    window: usize,
    /// Smoothed duration of its calls, in microseconds.
    pace: f64,
    done: usize,
    /// It takes nothing more: it is one too many, or has grown too large, or is about to be ended.
    is_leaving: bool,
    /// The running call was asked to stop, so the process may end soon: nothing is sent ahead.
    on_notice: Option<Ticket>,
    /// How many calls had been done when its idle time was last watched.
    watched: Option<usize>,
}

impl Worker {
    fn room(&self, rules: &Rules) -> usize {
        if self.stage != Stage::Up || self.is_leaving || self.on_notice.is_some() {
            return 0;
        }
        let left = rules
            .max_tasks_per_worker
            .map_or(usize::MAX, |most| most.saturating_sub(self.done + self.sent.len()));
        self.window.saturating_sub(self.sent.len()).min(left)
    }

    fn is_idle(&self) -> bool {
        self.stage == Stage::Up && self.sent.is_empty()
    }

    fn ticket(&mut self) -> Option<Ticket> {
        let used = self.sent.iter().fold(0_u64, |used, (ticket, _)| used | 1 << ticket.slot);
        let slot = used.trailing_ones() as usize;
        if slot >= SLOTS {
            return None;
        }
        // Two bits of the word say how far the call has come; zero is no number.
        self.next_number = (self.next_number + 1) & (u32::MAX >> 2);
        self.next_number = self.next_number.max(1);
        Some(Ticket { slot: slot as u8, number: self.next_number })
    }
}

/// As many calls are sent ahead as take about this long: four times what a worker waits for its
/// next call otherwise.
const AHEAD_MICROSECONDS: f64 = 400.0;
/// One that runs, and one that lies ready.
const LEAST_WINDOW: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Closed,
}

#[derive(Debug)]
pub(super) struct Machine {
    rules: Rules,
    max_workers: usize,
    phase: Phase,
    is_broken: bool,
    is_cancelling: bool,
    /// The system refused a process while others work: no more are tried until one of those is gone.
    is_refused: bool,
    tasks: HashMap<TaskId, Task>,
    queue: BTreeMap<Key, TaskId>,
    workers: BTreeMap<WorkerId, Worker>,
    sequence: i64,
    next_worker: u64,
    /// When workers died that the pool did not end itself.
    deaths: VecDeque<Duration>,
    stillbirths: usize,
    actions: VecDeque<Action>,
}

impl Machine {
    pub(super) fn new(rules: Rules, max_workers: usize) -> Self {
        let mut machine = Machine {
            rules,
            max_workers,
            phase: Phase::Open,
            is_broken: false,
            is_cancelling: false,
            is_refused: false,
            tasks: HashMap::new(),
            queue: BTreeMap::new(),
            workers: BTreeMap::new(),
            sequence: 0,
            next_worker: 0,
            deaths: VecDeque::new(),
            stillbirths: 0,
            actions: VecDeque::new(),
        };
        machine.start_workers();
        machine
    }

    /// What is to be done next.
    pub(super) fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    // ---- tasks ------------------------------------------------------------------------------

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    pub(super) fn submit(&mut self, task: TaskId, priority: i32, retries: u32) {
        self.sequence += 1;
        let key = match self.rules.order {
            Order::Lifo => (Reverse(0), -self.sequence),
            Order::Priority => (Reverse(priority), self.sequence),
            _ => (Reverse(0), self.sequence),
        };
        let fresh = Task { key, retries, attempt: 0, sent: None, begun: false, stop: Stop::No };
        self.tasks.insert(task, fresh);
        self.queue.insert(key, task);
        self.dispatch();
    }

    /// The task was cancelled while it was queued, or should not be sent after all.
    pub(super) fn forget(&mut self, task: TaskId) {
        let Some(gone) = self.tasks.remove(&task) else { return };
        self.queue.remove(&gone.key);
        if let Some((worker, ticket)) = gone.sent
            && let Some(worker) = self.workers.get_mut(&worker)
        {
            worker.sent.retain(|(it, _)| *it != ticket);
        }
        self.dispatch();
        self.settle();
    }

    /// The call that is on its way, if the task is sent and not known to have begun.
    pub(super) fn lent(&self, task: TaskId) -> Option<(WorkerId, Ticket)> {
        self.tasks.get(&task).filter(|task| !task.begun)?.sent
    }

    /// The worker that the task has been sent to, and the call.
    pub(super) fn sent(&self, task: TaskId) -> Option<(WorkerId, Ticket)> {
        self.tasks.get(&task)?.sent
    }

    /// The worker was kept from beginning the call, or was not.
    pub(super) fn taken_back(&mut self, task: TaskId, was_kept: bool) {
        if !was_kept {
            return self.begun(task);
        }
        self.put_back(task);
        self.dispatch();
        self.settle();
    }

    /// The same, for a task that is about to be cancelled and should not be sent again.
    pub(super) fn withdrawn(&mut self, task: TaskId) {
        self.put_back(task);
    }

    fn put_back(&mut self, task: TaskId) {
        let Some(it) = self.tasks.get_mut(&task) else { return };
        if let Some((worker, ticket)) = it.sent.take()
            && let Some(worker) = self.workers.get_mut(&worker)
        {
            worker.sent.retain(|(other, _)| *other != ticket);
        }
        it.begun = false;
        it.stop = Stop::No;
        self.queue.insert(it.key, task);
    }

    /// The task has begun.
    pub(super) fn begun(&mut self, task: TaskId) {
        if let Some(task) = self.tasks.get_mut(&task) {
            task.begun = true;
        }
    }

    /// The task that a worker speaks of.
    pub(super) fn task_of(&self, worker: WorkerId, ticket: Ticket) -> Option<TaskId> {
        let worker = self.workers.get(&worker)?;
        worker.sent.iter().find(|(it, _)| *it == ticket).map(|(_, task)| *task)
    }

    /// A call came back. `again` says whether a failure may be tried again; `is_too_large`, that the
    /// worker should be replaced.
    pub(super) fn returned(
        &mut self,
        worker: WorkerId,
        ticket: Ticket,
        how: Return,
        duration: Duration,
        is_too_large: bool,
    ) -> Verdict {
        let Some(task) = self.task_of(worker, ticket) else {
            return Verdict::Unknown;
        };
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.sent.retain(|(it, _)| *it != ticket);
            worker.on_notice = worker.on_notice.filter(|it| *it != ticket);
            worker.done += 1;
            let micros = duration.as_secs_f64() * 1e6;
            worker.pace += (micros - worker.pace) / 8.0;
            worker.window = (AHEAD_MICROSECONDS / worker.pace.max(1.0)) as usize;
            worker.window = worker.window.clamp(LEAST_WINDOW, SLOTS);
            worker.is_leaving |= is_too_large
                || self.rules.max_tasks_per_worker.is_some_and(|most| worker.done >= most);
        }
        let verdict = match self.tasks.get_mut(&task) {
            Some(it) if how == Return::Failed && it.retries > 0 && it.stop == Stop::No => {
                it.retries -= 1;
                self.put_back(task);
                Verdict::Again
            }
            _ => {
                self.tasks.remove(&task);
                Verdict::Over(task)
            }
        };
        if is_too_large {
            self.withdraw_from(worker);
        }
        self.dispatch();
        self.settle();
        verdict
    }

    /// Somebody wants a running task to stop.
    pub(super) fn stop(&mut self, task: TaskId) {
        let Some(it) = self.tasks.get_mut(&task) else { return };
        let Some((worker, ticket)) = it.sent else { return };
        if it.stop == Stop::No {
            it.stop = Stop::Asked;
            if let Some(worker) = self.workers.get_mut(&worker) {
                worker.on_notice = Some(ticket);
            }
            self.actions.push_back(Action::AskToStop { task, worker, ticket });
            // Those behind it should not be lost with it.
            self.withdraw_from(worker);
        }
    }

    /// The grace time is over that was given to this call.
    pub(super) fn grace_is_over(&mut self, task: TaskId, worker: WorkerId, ticket: Ticket) {
        let Some(it) = self.tasks.get_mut(&task) else { return };
        if it.sent != Some((worker, ticket)) {
            return;
        }
        let hard = match it.stop {
            Stop::No | Stop::Killed => return,
            Stop::Asked => false,
            Stop::Ended => true,
        };
        it.stop = if hard { Stop::Killed } else { Stop::Ended };
        self.end(worker, Some((task, ticket)), hard);
    }

    fn end(&mut self, worker: WorkerId, call: Option<(TaskId, Ticket)>, hard: bool) {
        if let Some(it) = self.workers.get_mut(&worker) {
            it.stage = Stage::Ending;
            let (task, ticket) = (call.map(|(task, _)| task), call.map(|(_, ticket)| ticket));
            self.actions.push_back(Action::End { task, worker, ticket, hard });
        }
    }

    // ---- workers ----------------------------------------------------------------------------

    /// The worker can take calls.
    pub(super) fn started(&mut self, worker: WorkerId) {
        self.stillbirths = 0;
        if let Some(it) = self.workers.get_mut(&worker)
            && it.stage == Stage::Starting
        {
            it.stage = Stage::Up;
        }
        self.dispatch();
        self.settle();
    }

    /// No process could be started for the worker.
    pub(super) fn refused(&mut self, worker: WorkerId) {
        self.workers.remove(&worker);
        self.is_refused = !self.workers.is_empty();
        if self.workers.is_empty() {
            // Nobody is left to come for what is queued; a later submission tries again.
            self.give_up_queued();
        }
    }

    /// The worker's process has ended. `has_begun` says which of its calls had.
    pub(super) fn died(
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
            let may_retry = it.retries > 0 && it.stop == Stop::No;
            if had_begun && !may_retry {
                self.tasks.remove(task);
                self.actions.push_back(Action::Lose { task: *task });
            } else {
                if had_begun {
                    it.retries -= 1;
                }
                self.put_back(*task);
            }
        }
        if matches!(dead.stage, Stage::Starting | Stage::Up) {
            self.count_death(dead.stage == Stage::Starting, now);
        }
        self.dispatch();
        self.settle();
    }

    fn count_death(&mut self, was_starting: bool, now: Duration) {
        if was_starting {
            self.stillbirths += 1;
        }
        let is_enough = match self.rules.on_worker_death {
            OnWorkerDeath::Break => true,
            OnWorkerDeath::Replace { most, within } => {
                self.deaths.push_back(now);
                while self.deaths.front().is_some_and(|at| now.saturating_sub(*at) > within) {
                    self.deaths.pop_front();
                }
                self.deaths.len() > most
            }
        };
        if is_enough || self.stillbirths >= STILLBIRTHS {
            let ends_all = self.rules.on_worker_death == OnWorkerDeath::Break;
            self.actions.push_back(Action::Broken);
            self.break_down(ends_all);
        }
    }

    /// The pool is broken: it takes nothing more, and gives up what is queued. What has begun goes
    /// on, unless `ends_all`.
    pub(super) fn break_down(&mut self, ends_all: bool) {
        self.is_broken = true;
        self.phase = Phase::Closed;
        self.give_up_queued();
        let workers: Vec<WorkerId> = self.workers.keys().copied().collect();
        for worker in workers {
            self.withdraw_from(worker);
            if ends_all {
                self.end(worker, None, true);
            }
        }
        self.settle();
    }

    fn give_up_queued(&mut self) {
        for (_, task) in std::mem::take(&mut self.queue) {
            self.tasks.remove(&task);
            self.actions.push_back(Action::GiveUp { task });
        }
    }

    /// Stops taking tasks. With `cancel`, what has not begun is cancelled.
    pub(super) fn close(&mut self, cancel: bool) {
        self.phase = Phase::Closed;
        if cancel {
            for (_, task) in std::mem::take(&mut self.queue) {
                self.tasks.remove(&task);
                self.actions.push_back(Action::Cancel { task });
            }
            // What is taken back has nowhere to go but to be cancelled: see `dispatch`.
            self.is_cancelling = true;
            let workers: Vec<WorkerId> = self.workers.keys().copied().collect();
            workers.into_iter().for_each(|worker| self.withdraw_from(worker));
        }
        self.settle();
    }

    /// Ends every worker's process.
    pub(super) fn end_all(&mut self, hard: bool) {
        let workers: Vec<WorkerId> = self.workers.keys().copied().collect();
        workers.into_iter().for_each(|worker| self.end(worker, None, hard));
    }

    /// Ends the process of a worker that breaks the rules.
    pub(super) fn expel(&mut self, worker: WorkerId) {
        if let Some(it) = self.workers.get_mut(&worker) {
            // Not `Ending`, for this death counts.
            it.is_leaving = true;
            self.actions.push_back(Action::End { task: None, worker, ticket: None, hard: true });
        }
    }

    pub(super) fn resize(&mut self, max_workers: usize) {
        self.max_workers = max_workers;
        self.is_refused = false;
        let mut surplus = self.present().saturating_sub(max_workers);
        // The idle first, and among them the youngest.
        let mut workers: Vec<(bool, WorkerId)> =
            self.workers.iter().map(|(id, it)| (!it.sent.is_empty(), *id)).collect();
        workers.sort_by_key(|(is_busy, id)| (*is_busy, Reverse(*id)));
        for (_, id) in workers {
            if surplus > 0
                && let Some(worker) = self.workers.get_mut(&id)
                && !worker.is_leaving
            {
                worker.is_leaving = true;
                surplus -= 1;
                self.withdraw_from(id);
            }
        }
        self.start_workers();
        self.dispatch();
        self.settle();
    }

    /// The idle time is over that was watched since then.
    pub(super) fn is_still_idle(&mut self, worker: WorkerId, since: usize) {
        if let Some(it) = self.workers.get_mut(&worker)
            && it.is_idle()
            && it.done == since
        {
            it.is_leaving = true;
            self.settle();
        }
    }

    // ---- what follows -----------------------------------------------------------------------

    /// Workers that stay.
    fn present(&self) -> usize {
        self.workers.values().filter(|it| !it.is_leaving && it.stage != Stage::Ending).count()
    }

    fn start_workers(&mut self) {
        if self.rules.start_all && self.is_open() {
            while self.present() < self.max_workers {
                self.start_one();
            }
        }
    }

    fn start_one(&mut self) {
        let used: Vec<usize> = self.workers.values().map(|it| it.index).collect();
        let index = (0..).find(|index| !used.contains(index)).unwrap_or_default();
        self.next_worker += 1;
        let worker = WorkerId(self.next_worker);
        let fresh = Worker {
            index,
            stage: Stage::Starting,
            sent: VecDeque::new(),
            next_number: 0,
            window: LEAST_WINDOW,
            pace: AHEAD_MICROSECONDS / LEAST_WINDOW as f64,
            done: 0,
            is_leaving: false,
            on_notice: None,
            watched: None,
        };
        self.workers.insert(worker, fresh);
        self.actions.push_back(Action::Start { worker, index });
    }

    /// Takes back from a worker what it has not begun.
    fn withdraw_from(&mut self, worker: WorkerId) {
        self.withdraw_last(worker, usize::MAX);
    }

    /// The same, for the last `most` calls only.
    fn withdraw_last(&mut self, worker: WorkerId, most: usize) {
        let Some(it) = self.workers.get(&worker) else { return };
        let unbegun = it.sent.iter().rev().filter(|(_, task)| self.lent(*task).is_some());
        let actions: Vec<Action> = unbegun
            .take(most)
            .map(|(ticket, task)| Action::TakeBack { task: *task, worker, ticket: *ticket })
            .collect();
        self.actions.extend(actions);
    }

    /// Sends what is queued to workers that have room, and sees that there are enough workers.
    fn dispatch(&mut self) {
        if self.is_cancelling || self.is_broken {
            for (_, task) in std::mem::take(&mut self.queue) {
                self.tasks.remove(&task);
                self.actions.push_back(if self.is_broken {
                    Action::GiveUp { task }
                } else {
                    Action::Cancel { task }
                });
            }
            return;
        }
        loop {
            if self.queue.is_empty() {
                return self.share();
            }
            let emptiest = self
                .workers
                .iter()
                .filter(|(_, worker)| worker.room(&self.rules) > 0)
                .min_by_key(|(_, worker)| worker.sent.len())
                .map(|(id, worker)| (*id, worker.sent.len()));
            // Somebody who has nothing to do is better than somebody who is busy.
            if emptiest.is_none_or(|(_, sent)| sent > 0) {
                let starting =
                    self.workers.values().filter(|it| it.stage == Stage::Starting).count();
                if self.present() < self.max_workers
                    && starting < self.queue.len()
                    && !self.is_refused
                {
                    self.start_one();
                    continue;
                }
            }
            let Some((worker, _)) = emptiest else { return };
            if !self.send_first(worker) {
                return;
            }
        }
    }

    fn send_first(&mut self, id: WorkerId) -> bool {
        let Some(worker) = self.workers.get_mut(&id) else { return false };
        let Some(ticket) = worker.ticket() else { return false };
        let Some((_, task)) = self.queue.pop_first() else { return false };
        let Some(it) = self.tasks.get_mut(&task) else { return true };
        it.attempt += 1;
        it.sent = Some((id, ticket));
        it.begun = false;
        it.stop = Stop::No;
        worker.sent.push_back((ticket, task));
        self.actions.push_back(Action::Send { task, worker: id, ticket, attempt: it.attempt });
        true
    }

    /// Nothing is queued: an idle worker gets half of what lies ready at the fullest one.
    fn share(&mut self) {
        let is_free = |it: &Worker| it.is_idle() && it.room(&self.rules) > 0;
        if !self.workers.values().any(is_free) {
            return;
        }
        let is_on_its_way = self.actions.iter().any(|it| matches!(it, Action::TakeBack { .. }));
        if is_on_its_way {
            return;
        }
        let fullest = self
            .workers
            .iter()
            .map(|(id, it)| {
                let unbegun = it.sent.iter().skip(1).filter(|(_, task)| self.lent(*task).is_some());
                (unbegun.count(), *id)
            })
            .max();
        if let Some((unbegun, worker)) = fullest
            && unbegun > 0
        {
            self.withdraw_last(worker, unbegun.div_ceil(2));
        }
    }

    /// Lets workers leave that are to leave and have nothing on their way, and watches idle ones.
    fn settle(&mut self) {
        let is_over = self.phase == Phase::Closed && self.queue.is_empty();
        for (id, worker) in &mut self.workers {
            if !worker.is_idle() {
                continue;
            }
            let has_served =
                self.rules.max_tasks_per_worker.is_some_and(|most| worker.done >= most);
            if worker.is_leaving || has_served || is_over {
                worker.stage = Stage::Retired;
                self.actions.push_back(Action::Retire { worker: *id });
            } else if self.rules.retires_idle && worker.watched != Some(worker.done) {
                worker.watched = Some(worker.done);
                self.actions.push_back(Action::WatchIdle { worker: *id, since: worker.done });
            }
        }
    }

    // ---- what there is ----------------------------------------------------------------------

    /// Closed, and every worker is gone.
    pub(super) fn is_gone(&self) -> bool {
        self.phase == Phase::Closed && self.workers.is_empty()
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn max_workers(&self) -> usize {
        self.max_workers
    }

    /// Whether the pool itself is ending the worker's process.
    pub(super) fn is_ending(&self, worker: WorkerId) -> bool {
        self.workers.get(&worker).is_some_and(|it| it.stage == Stage::Ending)
    }

    pub(super) fn workers(&self) -> impl Iterator<Item = WorkerView> {
        self.workers.iter().map(|(id, it)| WorkerView {
            id: *id,
            index: it.index,
            is_up: it.stage == Stage::Up,
            is_leaving: it.is_leaving || matches!(it.stage, Stage::Retired | Stage::Ending),
            sent: it.sent.iter().copied().collect(),
        })
    }
}

/// A worker, for whoever wants to know.
pub(super) struct WorkerView {
    pub(super) id: WorkerId,
    pub(super) index: usize,
    pub(super) is_up: bool,
    pub(super) is_leaving: bool,
    pub(super) sent: Vec<(Ticket, TaskId)>,
}
