//! What the bookkeeping decides is carried out here.
//!
//! Under the pool's lock: what has to be in step with the bookkeeping (frames are put into a line's
//! outbox, calls are taken back). When it has been released: what could block, or is code of the
//! user's, see [`Effects`].

use super::frame::{self, Kind};
use super::job::Job;
use super::line::{Line, Piece};
use super::machine::{Action, Machine, OnWorkerDeath, TaskId, WorkerId};
use super::message::{CallHead, bytes_of};
use super::payload::Payload;
use super::pool::Pool;
use super::serving;
use super::slots::Ticket;
use crate::error::{BrokenCause, DeathCause, Refusal, TaskErrorKind, WorkerDeath};
use crate::sync::{Alarm, Arc, MutexGuard, deadline_after, thread};
use crate::sys::child::Signal;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// What a pool's lock guards.
pub(super) struct Core {
    pub(super) machine: Machine,
    pub(super) jobs: HashMap<TaskId, Entry>,
    pub(super) lines: HashMap<WorkerId, Arc<Line>>,
    /// Workers that are to be ended as soon as they have a process.
    pub(super) doomed: HashSet<WorkerId>,
    pub(super) broken: Option<BrokenCause>,
    /// Why the last process could not be started.
    pub(super) refused: Option<Arc<std::io::Error>>,
    /// The worker whose death is being dealt with.
    pub(super) death: Option<WorkerDeath>,
    /// Whether it had been able to take calls.
    pub(super) was_up: bool,
    pub(super) finished: usize,
    pub(super) failed: usize,
    pub(super) cancelled: usize,
}

/// A job that the pool has taken.
pub(super) struct Entry {
    pub(super) job: Job,
    /// It counts in the bound of the queue.
    pub(super) has_room: bool,
    /// The parent knows that it has begun.
    pub(super) has_begun: bool,
    pub(super) alarms: Vec<Alarm>,
}

/// What is to be done when the lock has been released.
#[derive(Default)]
struct Effects {
    flush: Vec<Arc<Line>>,
    start: Vec<(WorkerId, usize)>,
    signal: Vec<(Arc<Line>, Signal)>,
    later: Vec<(Duration, Reminder)>,
    over: Vec<(Entry, TaskErrorKind)>,
    /// So many tasks less wait in the queue.
    room: usize,
    /// Whoever waits for room in the queue waits in vain.
    closes_queue: bool,
}

/// What the bookkeeping wants to be told after a while.
#[derive(Clone, Copy)]
enum Reminder {
    Grace(TaskId, WorkerId, Ticket),
    Idle(WorkerId, usize),
}

/// This many calls, and one that runs, are enough for a while.
const ENOUGH: usize = 1;

/// Arguments up to this length are copied into their frame.
const COPIED: usize = 16 << 10;

impl Core {
    pub(super) fn new(machine: Machine) -> Self {
        Core {
            machine,
            jobs: HashMap::new(),
            lines: HashMap::new(),
            doomed: HashSet::new(),
            broken: None,
            refused: None,
            death: None,
            was_up: false,
            finished: 0,
            failed: 0,
            cancelled: 0,
        }
    }

    fn count(&mut self, kind: &TaskErrorKind) {
        match kind {
            TaskErrorKind::Cancelled => self.cancelled += 1,
            _ => self.failed += 1,
        }
    }
}

impl Entry {
    pub(super) fn begin(&mut self) {
        if !std::mem::replace(&mut self.has_begun, true) {
            self.job.begin();
        }
    }
}

impl Effects {
    fn end(&mut self, mut entry: Entry, kind: TaskErrorKind) {
        if std::mem::take(&mut entry.has_room) {
            self.room += 1;
        }
        self.over.push((entry, kind));
    }
}

impl Pool {
    // ---- what follows -----------------------------------------------------------------------

    /// Carries out what the bookkeeping has decided.
    pub(super) fn act(&self, mut core: MutexGuard<'_, Core>) {
        let mut effects = Effects::default();
        while let Some(action) = core.machine.next_action() {
            self.decide(&mut core, action, &mut effects);
        }
        core.death = None;
        let is_gone = core.machine.is_gone();
        drop(core);
        if is_gone {
            self.timer.close();
            self.gone.notify_all();
        }
        self.carry_out(effects);
    }

    fn decide(&self, core: &mut Core, action: Action, effects: &mut Effects) {
        match action {
            Action::Start { worker, index } => effects.start.push((worker, index)),
            Action::Send { task, worker, ticket, attempt } => {
                self.send(core, task, worker, ticket, attempt, effects);
            }
            Action::TakeBack { task, worker, ticket } => {
                // Several may be asked for the same call; the first decides.
                if core.machine.sent(task) == Some((worker, ticket))
                    && core.machine.lent(task).is_some()
                {
                    let line = core.lines.get(&worker);
                    let was_kept = line.is_some_and(|it| it.page.slots().take_back(ticket));
                    if !was_kept && let Some(entry) = core.jobs.get_mut(&task) {
                        entry.begin();
                    }
                    core.machine.taken_back(task, was_kept);
                }
            }
            Action::Retire { worker } => {
                if let Some(line) = core.lines.get(&worker) {
                    let mut frame = Vec::new();
                    frame::put(&mut frame, Kind::Retire, &[], 0);
                    line.push(Piece::Own(frame));
                    effects.flush.push(Arc::clone(line));
                }
            }
            Action::AskToStop { task, worker, ticket } => {
                if let Some(line) = core.lines.get(&worker) {
                    line.page.slots().request_stop(ticket);
                }
                let reminder = Reminder::Grace(task, worker, ticket);
                effects.later.push((self.settings.grace, reminder));
            }
            Action::End { task, worker, ticket, hard } => {
                let signal = if hard { Signal::Kill } else { Signal::Terminate };
                match core.lines.get(&worker) {
                    Some(line) => effects.signal.push((Arc::clone(line), signal)),
                    None => drop(core.doomed.insert(worker)),
                }
                if let (false, Some(task), Some(ticket)) = (hard, task, ticket) {
                    let reminder = Reminder::Grace(task, worker, ticket);
                    effects.later.push((self.settings.grace, reminder));
                }
            }
            Action::WatchIdle { worker, since } => {
                let after = self.settings.keep_alive.unwrap_or(Duration::MAX);
                effects.later.push((after, Reminder::Idle(worker, since)));
            }
            Action::Lose { task } => {
                let kind = match &core.death {
                    Some(death) => TaskErrorKind::WorkerDied(death.clone()),
                    None => TaskErrorKind::PromiseDropped,
                };
                if let Some(mut entry) = core.jobs.remove(&task) {
                    // It had begun, and so cannot be cancelled any more.
                    entry.begin();
                    // Aborted: it was to end like this. One that has timed out has failed.
                    let now = entry.job.task().snapshot();
                    let was_stopped = now.is_stop_requested() && !now.is_expired();
                    let was_ended =
                        core.death.as_ref().is_some_and(|it| it.cause == DeathCause::Ended);
                    let kind =
                        if was_stopped && was_ended { TaskErrorKind::Cancelled } else { kind };
                    core.count(&kind);
                    effects.end(entry, kind);
                }
            }
            Action::Cancel { task } => {
                if let Some(entry) = core.jobs.remove(&task) {
                    core.count(&TaskErrorKind::Cancelled);
                    effects.end(entry, TaskErrorKind::Cancelled);
                }
            }
            Action::GiveUp { task } => {
                if let Some(entry) = core.jobs.remove(&task) {
                    let kind = match (&core.broken, &core.refused) {
                        (Some(cause), _) => TaskErrorKind::Broken(cause.clone()),
                        (None, Some(error)) => {
                            TaskErrorKind::Refused(Refusal::NoWorker(Arc::clone(error)))
                        }
                        (None, None) => TaskErrorKind::Cancelled,
                    };
                    core.count(&kind);
                    effects.end(entry, kind);
                }
            }
            Action::Broken => {
                if let Some(death) = core.death.clone() {
                    let what = match (core.was_up, self.settings.on_worker_death) {
                        (false, _) => "a worker process died before it could take a task",
                        (true, OnWorkerDeath::Break) => "a worker process died",
                        (true, OnWorkerDeath::Replace { .. }) => {
                            "more worker processes died than are to be replaced; the last one"
                        }
                    };
                    core.broken.get_or_insert_with(|| BrokenCause::new(what, death));
                }
                // Later: whoever is admitted to the queue holds its lock, and then takes this one.
                effects.closes_queue = true;
            }
        }
    }

    fn send(
        &self,
        core: &mut Core,
        task: TaskId,
        worker: WorkerId,
        ticket: Ticket,
        attempt: u32,
        effects: &mut Effects,
    ) {
        let (Some(entry), Some(line)) = (core.jobs.get_mut(&task), core.lines.get(&worker)) else {
            return core.machine.forget(task);
        };
        if !entry.has_begun && !entry.job.task().lend() {
            // It has just been cancelled, by somebody who is about to say so.
            return core.machine.forget(task);
        }
        if std::mem::take(&mut entry.has_room) {
            effects.room += 1;
        }
        line.page.slots().offer(ticket);
        let job = &entry.job;
        let context = job.call.context.as_ref();
        let head = bytes_of(&CallHead {
            ticket: ticket.parts(),
            code: job.call.code,
            context: context.map(|(code, captured)| (*code, &**captured)),
            is_announced: job.timeout.is_some() || !entry.alarms.is_empty(),
            attempt,
            label: job.task().label().map(|label| &**label),
            argument: job.call.argument.place(),
        });
        let mut frame = Vec::new();
        match &job.call.argument {
            Payload::File(_) => {
                frame::put(&mut frame, Kind::Call, &head, 0);
                line.push(Piece::Own(frame));
            }
            Payload::Bytes(argument) => {
                frame::put(&mut frame, Kind::Call, &head, argument.len());
                if argument.len() <= COPIED {
                    frame.extend_from_slice(argument);
                    line.push(Piece::Own(frame));
                } else {
                    line.push(Piece::Own(frame));
                    line.push(Piece::Shared(Arc::clone(argument)));
                }
            }
        }
        line.pushed(ticket);
        if core.machine.on_its_way(worker, 1).is_some() {
            line.mind();
        }
        // A worker that has been written enough to do gets it with what its own thread writes next,
        // which is when something has come back.
        let has_enough = core
            .machine
            .on_its_way(worker, ENOUGH)
            .is_some_and(|ticket| ticket.number <= line.last_written());
        if !has_enough && !effects.flush.iter().any(|it| Arc::ptr_eq(it, line)) {
            effects.flush.push(Arc::clone(line));
        }
    }

    fn carry_out(&self, effects: Effects) {
        for line in effects.flush {
            line.flush(serving::is_serving(&line));
        }
        for (line, signal) in effects.signal {
            line.signal(signal);
        }
        for (worker, index) in effects.start {
            self.start(worker, index);
        }
        for (after, reminder) in effects.later {
            self.remind(after, reminder);
        }
        if let Some(bound) = &self.bound {
            (0..effects.room).for_each(|_| bound.release());
            if effects.closes_queue {
                bound.close();
            }
        }
        for (entry, kind) in effects.over {
            entry.alarms.iter().for_each(|alarm| self.timer.cancel(*alarm));
            entry.job.fail(kind);
        }
    }

    fn start(&self, worker: WorkerId, index: usize) {
        let Some(pool) = self.this.upgrade() else { return };
        let name = format!("{}_{index}", self.settings.name);
        match thread::spawn(name, None, move || serving::main(&pool, worker, index)) {
            Ok(thread) => self.keep(thread),
            Err(error) => self.refused(worker, error),
        }
    }

    fn remind(&self, after: Duration, reminder: Reminder) {
        let Some(at) = deadline_after(after) else { return };
        let pool = self.this.clone();
        let remind = move || {
            let Some(pool) = pool.upgrade() else { return };
            let mut core = pool.core.lock();
            match reminder {
                Reminder::Grace(task, worker, ticket) => {
                    core.machine.grace_is_over(task, worker, ticket);
                }
                Reminder::Idle(worker, since) => core.machine.idle_time_is_over(worker, since),
            }
            pool.act(core);
        };
        // Without a timer there is no time to give.
        if self.timer.set(at, remind.clone()).is_err() && matches!(reminder, Reminder::Grace(..)) {
            remind();
        }
    }
}
