//! The bookkeeping of the pool, apart from bytes, clocks and threads: events go in, actions come
//! out.
//!
//! Each event is a method; what is to be done about it is read with
//! [`next_action`](Machine::next_action) until there is nothing more. Times are given by the caller.
//!
//! # Where a task is
//!
//! ```text
//!                          dispatch
//!   submit ----> QUEUED ----------------> SENT, to one worker,  ----> over: returned
//!                  |  ^                   in one slot           ----> over: lost
//!                  |  |                        |
//!                  |  +------------------------+
//!                  |    taken back before it had begun; its worker died before it had begun;
//!                  |    failed, or its worker died, and it has retries
//!                  v
//!                over: cancelled, stopped while it waits to be tried again, given up
//! ```
//!
//! `Task::sent` says which of the two, and `Worker::sent` says it once more, from the other side.
//! Only [`Worker::send`] and [`Worker::unsend`] change the latter, and a task leaves `tasks` in the
//! very step that leaves it out of both places, so it is over once and is in one place until then.
//! Whether a sent call has begun is decided by a word that the worker shares (see
//! [`slots`](super::page::slots)), never here: the machine asks with `TakeBack`, and believes the answer.
//! So a task that is queued again has not begun where it was, or that worker is dead, or has failed
//! it and said so.
//!
//! # How far a worker is
//!
//! ```text
//!   start ----> STARTING ----> UP ----> RETIRED ----> gone
//!                  |           |          ^  told to leave, with nothing on its way
//!                  |           +----------+--------> gone: died, or was ended
//!                  +-------------------------------> gone: refused, or died
//! ```
//!
//! A worker that is not to stay (there is one too many; it has served its time, grown too large or
//! been idle for too long; its process is being ended) is sent nothing more, what it has not begun
//! is taken back, and it is told to leave as soon as it has nothing on its way. That also goes for
//! one whose process was asked to end and does not heed it. It counts until it is gone: there are
//! never more processes than workers were asked for, but when fewer are asked for.
//!
//! # Why nothing is left lying
//!
//! After any event, and when all actions have been read, the machine looks at the whole
//! ([`conclude`](Machine::conclude)), until there is nothing to be done about it:
//!
//! 1. *A queued task beside a worker with room:* it is sent there. When the pool is winding up, it is
//!    ended instead, so whoever puts a task back need not ask.
//! 2. *A task behind a long one beside an idle worker:* half of what lies ready at the fullest one is
//!    asked back. An answer sends a call to an idle worker, or shows that one has begun; either can
//!    happen only so often, so the asking ends.
//!    A task behind a call of which nothing is heard for long is asked back in any case, and so is
//!    all that lies behind a call elsewhere, so that the queue's order decides.
//! 3. *A task that waits while there could be more workers:* one is started for each that waits,
//!    queued or behind another, up to what was asked. A process that the system refuses is not asked
//!    for again until a worker is gone, or nobody is left and a task comes; when nobody is left, the
//!    queue is given up.
//! 4. *Whoever is idle and not needed leaves.* When the pool is closed that is everyone who is idle,
//!    for by 1 and 2 nothing waits. A worker with a call on its way leaves after that call.

mod calls;
mod crew;
mod dispatch;
mod policy;
mod task;
mod worker;

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;

pub use policy::OnWorkerDeath;
pub(crate) use policy::Rules;
pub(crate) use task::TaskId;
pub(crate) use worker::{WorkerId, WorkerView};

use super::page::slots::Ticket;
use super::wire::message::Return;
use policy::Deaths;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, VecDeque};
use task::{Key, Task};
use worker::{Stage, Worker};

/// What is to be done. The pool does these things in this order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action<J> {
    /// Start a process, for a worker with this index.
    Start { worker: WorkerId, index: usize },
    /// Send the call. `attempt` counts from one.
    Send { task: TaskId, worker: WorkerId, ticket: Ticket, attempt: u32 },
    /// Try to keep the worker from beginning the call, and say whether that was so, with
    /// [`taken_back`](Machine::taken_back) or [`begun`](Machine::begun).
    TakeBack { task: TaskId, worker: WorkerId, ticket: Ticket },
    /// Tell the worker to leave; nothing more is sent to it.
    Retire { worker: WorkerId },
    /// Ask the running call to stop, and come back with `grace_is_over` after the grace time.
    AskToStop { task: TaskId, worker: WorkerId, ticket: Ticket },
    /// Come back with `grace_is_over` when an outcome that is there must have been heard of.
    AwaitOutcome { task: TaskId, worker: WorkerId, ticket: Ticket },
    /// End the worker's process; if not `hard`, come back with `grace_is_over`.
    End { task: Option<TaskId>, worker: WorkerId, ticket: Option<Ticket>, hard: bool },
    /// Come back with `idle_time_is_over` after the idle time.
    WatchIdle { worker: WorkerId, since: usize },
    /// The task is over: its worker died.
    Lose { job: J },
    /// The task is over: cancelled.
    Cancel { job: J },
    /// The task is over: nothing can run it any more. The pool knows why.
    GiveUp { job: J },
    /// Workers have died too often. Takes no more tasks; what was queued is given up.
    Broken,
}

/// What becomes of a call that came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict<J> {
    /// The task is over, with this outcome.
    Over(J),
    /// It failed, and is tried again.
    Again,
    /// There is no such call: the worker talks nonsense.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Closed,
}

/// What belongs to a task and is nothing to the bookkeeping is a `J`, kept with it until it is over.
#[derive(Debug)]
pub(crate) struct Machine<J> {
    rules: Rules,
    max_workers: usize,
    phase: Phase,
    is_broken: bool,
    is_cancelling: bool,
    /// The system refused a process: no more are tried until a worker is gone, or a task comes and
    /// nobody is left.
    is_refused: bool,
    tasks: FxHashMap<TaskId, Task<J>>,
    queue: BTreeMap<Key, TaskId>,
    workers: BTreeMap<WorkerId, Worker>,
    sequence: i64,
    next_worker: u64,
    deaths: Deaths,
    actions: VecDeque<Action<J>>,
    /// Something has happened since the whole was last looked at.
    is_unsettled: bool,
}

impl<J> Machine<J> {
    pub(crate) fn new(rules: Rules, max_workers: usize) -> Self {
        Machine {
            rules,
            max_workers,
            phase: Phase::Open,
            is_broken: false,
            is_cancelling: false,
            is_refused: false,
            tasks: FxHashMap::default(),
            queue: BTreeMap::new(),
            workers: BTreeMap::new(),
            sequence: 0,
            next_worker: 0,
            deaths: Deaths::default(),
            actions: VecDeque::new(),
            is_unsettled: true,
        }
    }

    /// What is to be done next.
    pub(crate) fn next_action(&mut self) -> Option<Action<J>> {
        loop {
            match self.actions.pop_front() {
                // Asked twice for the same call: the first answer counts.
                Some(Action::TakeBack { task, worker, ticket })
                    if self.lent(task) != Some((worker, ticket)) => {}
                Some(action) => return Some(action),
                None if self.is_unsettled => self.conclude(),
                None => return None,
            }
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Closed, and every worker is gone.
    pub(crate) fn is_gone(&self) -> bool {
        self.phase == Phase::Closed && self.workers.is_empty()
    }

    /// Whether, although closed, it runs what has not begun.
    pub(crate) fn may_continue(&self) -> bool {
        !self.is_winding_up()
    }

    /// Whether what has not begun is not to begin any more.
    fn is_winding_up(&self) -> bool {
        self.is_broken || self.is_cancelling
    }

    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn max_workers(&self) -> usize {
        self.max_workers
    }

    /// The call that is on its way, if the task is sent and not known to have begun.
    pub(crate) fn lent(&self, task: TaskId) -> Option<(WorkerId, Ticket)> {
        self.tasks.get(&task).filter(|task| !task.begun)?.sent
    }

    /// The worker that the task has been sent to, and the call.
    pub(crate) fn sent(&self, task: TaskId) -> Option<(WorkerId, Ticket)> {
        self.tasks.get(&task)?.sent
    }

    pub(crate) fn job(&self, task: TaskId) -> Option<&J> {
        self.tasks.get(&task).map(|task| &task.job)
    }

    pub(crate) fn job_mut(&mut self, task: TaskId) -> Option<&mut J> {
        self.tasks.get_mut(&task).map(|task| &mut task.job)
    }

    /// The tasks that have been sent.
    pub(crate) fn all_sent(&self) -> impl Iterator<Item = TaskId> {
        self.workers.values().flat_map(|worker| worker.sent.iter().map(|(_, task)| *task))
    }

    /// The task that a worker speaks of.
    pub(crate) fn task_of(&self, worker: WorkerId, ticket: Ticket) -> Option<TaskId> {
        let worker = self.workers.get(&worker)?;
        worker.sent.iter().find(|(it, _)| *it == ticket).map(|(_, task)| *task)
    }

    /// Whether the worker has a call behind another.
    pub(crate) fn has_ahead(&self, worker: WorkerId) -> bool {
        self.workers.get(&worker).is_some_and(|it| it.waiting() > 0)
    }

    /// Whether the last call of this worker came back in no time.
    pub(crate) fn is_quick(&self, worker: WorkerId) -> bool {
        self.workers.get(&worker).is_some_and(|it| it.is_quick)
    }

    /// Whether the pool itself is ending the worker's process.
    pub(crate) fn is_ending(&self, worker: WorkerId) -> bool {
        self.workers.get(&worker).is_some_and(|it| it.is_ending)
    }

    pub(crate) fn workers(&self) -> impl Iterator<Item = WorkerView> {
        self.workers.iter().map(|(id, it)| WorkerView {
            id: *id,
            index: it.index,
            is_up: it.stage == Stage::Up,
            is_leaving: !it.is_staying(),
            sent: it.sent.iter().copied().collect(),
        })
    }
}
