//! What the handles and lines of one pool share: the bookkeeping, the jobs, and the carrying out of
//! what the bookkeeping decides.
//!
//! One lock guards the [`Machine`] and what belongs to it. What follows from an event is decided
//! under the lock, and whatever could block, or is code of the user's, is done after it has been
//! released: see [`Effects`].

use super::frame::Kind;
use super::job::Job;
use super::line::{Line, Piece};
use super::machine::{Action, Machine, Return, Rules, TaskId, Verdict, WorkerId, WorkerView};
use super::message::{CallHead, DoneHead, Outcome, bytes_of};
use super::serving;
use super::settings::Settings;
use super::slots::Ticket;
use crate::error::{BrokenCause, DeathCause, Refusal, TaskErrorKind, WorkerDeath};
use crate::executor::{Admission, Bound, Patience, Stats, expire};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Alarm, Arc, Condvar, Mutex, MutexGuard, Timer, Weak, deadline_after};
use crate::sys::child::Signal;
use crate::task::{self, Blocking, Owner, OwnerId, TaskRef};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

pub(super) struct Pool {
    pub(super) id: OwnerId,
    pub(super) settings: Settings,
    core: Mutex<Core>,
    gone: Condvar,
    bound: Option<Bound>,
    timer: Timer,
    threads: Mutex<Vec<JoinHandle<()>>>,
    begun_at: Instant,
    this: Weak<Pool>,
}

struct Core {
    machine: Machine,
    jobs: HashMap<TaskId, Entry>,
    lines: HashMap<WorkerId, Arc<Line>>,
    /// Workers that are to be ended as soon as they have a process.
    doomed: HashSet<WorkerId>,
    broken: Option<BrokenCause>,
    /// Why the last process could not be started.
    refused: Option<Arc<std::io::Error>>,
    /// The worker whose death is being dealt with.
    death: Option<WorkerDeath>,
    finished: usize,
    failed: usize,
    cancelled: usize,
}

struct Entry {
    job: Job,
    /// It counts in the bound of the queue.
    has_room: bool,
    /// The parent knows that it has begun.
    has_begun: bool,
    alarms: Vec<Alarm>,
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
}

/// What the bookkeeping wants to be told after a while.
#[derive(Clone, Copy)]
enum Reminder {
    Grace(TaskId, WorkerId, Ticket),
    Idle(WorkerId, usize),
}

/// Arguments up to this length are copied into their frame.
const COPIED: usize = 16 << 10;

impl Pool {
    pub(super) fn new(settings: Settings) -> Arc<Pool> {
        let rules = Rules {
            order: settings.order,
            start_all: settings.start_all,
            max_tasks_per_worker: settings.max_tasks_per_child,
            on_worker_death: settings.on_worker_death,
            retires_idle: settings.keep_alive.is_some(),
        };
        let pool = Arc::new_cyclic(|this: &Weak<Pool>| Pool {
            id: task::register(this.clone()),
            core: Mutex::new(Core {
                machine: Machine::new(rules, settings.max_workers),
                jobs: HashMap::new(),
                lines: HashMap::new(),
                doomed: HashSet::new(),
                broken: None,
                refused: None,
                death: None,
                finished: 0,
                failed: 0,
                cancelled: 0,
            }),
            gone: Condvar::new(),
            bound: settings.capacity.map(|capacity| Bound::new(capacity, settings.when_full)),
            timer: Timer::new(),
            threads: Mutex::new(Vec::new()),
            begun_at: Instant::now(),
            this: this.clone(),
            settings,
        });
        pool.act(pool.core.lock());
        pool
    }

    // ---- in ---------------------------------------------------------------------------------

    /// Takes a job, or gives it back with the reason.
    pub(super) fn submit(
        &self,
        job: Job,
        priority: i32,
        retries: u32,
        begin_within: Option<Duration>,
        patience: Patience,
    ) -> Result<(), (Refusal, Job)> {
        let id = job.task().address();
        let task = job.task().clone();
        let mut entry = Some(Entry {
            job,
            has_room: self.bound.is_some(),
            has_begun: false,
            alarms: Vec::new(),
        });
        // Set before it is queued, so that whoever begins it finds the alarm to be cancelled.
        if let Some(at) = begin_within.and_then(deadline_after) {
            let (late, limit) = (task.clone(), begin_within.unwrap_or_default());
            let pool = self.this.clone();
            let alarm = self.timer.set(at, move || {
                if let Some(pool) = pool.upgrade() {
                    pool.give_up_waiting(&late, limit);
                }
            });
            match (alarm, &mut entry) {
                (Ok(alarm), Some(entry)) => entry.alarms.push(alarm),
                (Ok(_), None) => {}
                (Err(error), _) => {
                    return Err(take(entry, Refusal::NoWorker(Arc::new(error))));
                }
            }
        }
        let mut push = || {
            let mut core = self.core.lock();
            if !core.machine.is_open() {
                return false;
            }
            let is_pending = task.enqueue();
            if is_pending && let Some(entry) = entry.take() {
                core.jobs.insert(id, entry);
                core.machine.submit(id, priority, retries);
                self.act(core);
            }
            is_pending
        };
        match &self.bound {
            None => drop(push()),
            Some(bound) => match bound.admit(patience, || self.refusal().is_some(), &mut push) {
                Admission::Admitted | Admission::Closed => {}
                Admission::Full => {
                    let refusal = Refusal::QueueFull { capacity: bound.capacity };
                    return Err(self.hand_back(entry, refusal));
                }
            },
        }
        if entry.is_some() {
            let refusal = self.refusal().unwrap_or(Refusal::ShutDown);
            return Err(self.hand_back(entry, refusal));
        }
        Ok(())
    }

    fn hand_back(&self, entry: Option<Entry>, refusal: Refusal) -> (Refusal, Job) {
        if let Some(entry) = &entry {
            entry.alarms.iter().for_each(|alarm| self.timer.cancel(*alarm));
        }
        take(entry, refusal)
    }

    /// Why the pool takes nothing, if it does not.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        let core = self.core.lock();
        if core.machine.is_open() {
            return None;
        }
        Some(core.broken.clone().map_or(Refusal::ShutDown, Refusal::Broken))
    }

    /// The time is over within which the task was to begin.
    fn give_up_waiting(&self, task: &TaskRef, limit: Duration) {
        if !self.take_back(task) {
            return;
        }
        let mut core = self.core.lock();
        let id = task.address();
        if core.machine.lent(id).is_some() || task.snapshot().is_running() {
            return;
        }
        let Some(entry) = core.jobs.remove(&id) else { return };
        core.machine.forget(id);
        core.failed += 1;
        self.act(core);
        self.end_entry(entry, TaskErrorKind::NotBegun { limit });
    }

    /// Ends a job that is in no table any more, apart from the timer's thread.
    fn end_entry(&self, entry: Entry, kind: TaskErrorKind) {
        if entry.has_room
            && let Some(bound) = &self.bound
        {
            bound.release();
        }
        crate::executor::apart("not begun", move || entry.job.fail(kind));
    }

    // ---- events from workers ----------------------------------------------------------------

    /// Starts to serve a worker whose process has been started. False if it is not wanted any more.
    pub(super) fn connected(&self, line: &Arc<Line>) {
        let mut core = self.core.lock();
        core.lines.insert(line.worker, Arc::clone(line));
        if core.doomed.remove(&line.worker) {
            drop(core);
            line.signal(Signal::Kill);
        }
    }

    /// No process could be started.
    pub(super) fn refused(&self, worker: WorkerId, error: std::io::Error) {
        let mut core = self.core.lock();
        core.refused = Some(Arc::new(error));
        core.doomed.remove(&worker);
        core.machine.refused(worker);
        self.act(core);
    }

    /// A worker can take calls.
    pub(super) fn ready(&self, worker: WorkerId) {
        let mut core = self.core.lock();
        core.machine.started(worker);
        self.act(core);
    }

    /// The pool cannot go on.
    pub(super) fn break_down(&self, cause: BrokenCause) {
        let mut core = self.core.lock();
        core.broken.get_or_insert(cause);
        core.machine.break_down(false);
        self.act(core);
        if let Some(bound) = &self.bound {
            bound.close();
        }
    }

    /// A call has begun that was to be announced. False if there is no such call.
    pub(super) fn begun(&self, worker: WorkerId, ticket: Ticket) -> bool {
        let mut core = self.core.lock();
        let Some(id) = core.machine.task_of(worker, ticket) else {
            return false;
        };
        core.machine.begun(id);
        let Some(entry) = core.jobs.get_mut(&id) else { return false };
        entry.begin();
        // The limit on waiting has been kept, and that on running begins.
        entry.alarms.drain(..).for_each(|alarm| self.timer.cancel(alarm));
        let limit = entry.job.timeout.and_then(deadline_after);
        if let Some(at) = limit {
            let (pool, task) = (self.this.clone(), entry.job.task().clone());
            let alarm = self.timer.set(at, move || {
                expire(&task);
                if let Some(pool) = pool.upgrade() {
                    pool.stop(&task);
                }
            });
            if let Ok(alarm) = alarm {
                entry.alarms.push(alarm);
            }
        }
        true
    }

    /// A call came back. False if there is no such call.
    pub(super) fn done(&self, worker: WorkerId, head: DoneHead, result: &[u8]) -> bool {
        let how = match head.outcome {
            Outcome::Panicked(_) => Return::Failed,
            _ => Return::Succeeded,
        };
        let ticket = Ticket::of_parts(head.ticket);
        let duration = Duration::from_nanos(head.nanoseconds);
        let mut core = self.core.lock();
        let verdict = core.machine.returned(worker, ticket, how, duration, head.is_too_large);
        let over = match verdict {
            Verdict::Unknown => return false,
            Verdict::Again => None,
            Verdict::Over(id) => core.jobs.remove(&id),
        };
        if over.is_some() {
            match head.outcome {
                Outcome::Value => core.finished += 1,
                Outcome::Cancelled => core.cancelled += 1,
                _ => core.failed += 1,
            }
        }
        self.act(core);
        if let Some(entry) = over {
            entry.alarms.iter().for_each(|alarm| self.timer.cancel(*alarm));
            entry.job.conclude(head, result);
        }
        true
    }

    /// Ends a worker that breaks the rules.
    pub(super) fn accuse(&self, line: &Line, fault: String) {
        line.accuse(fault);
        let mut core = self.core.lock();
        core.machine.expel(line.worker);
        self.act(core);
    }

    /// A worker's process has ended.
    pub(super) fn died(&self, line: &Line) {
        let was_ended = self.core.lock().machine.is_ending(line.worker);
        let death = line.bury(was_ended);
        let now = self.begun_at.elapsed();
        let mut core = self.core.lock();
        core.lines.remove(&line.worker);
        core.death = Some(death);
        let has_begun = |ticket| line.page.slots().has_begun(ticket);
        core.machine.died(line.worker, has_begun, now);
        self.act(core);
    }

    // ---- what follows -----------------------------------------------------------------------

    /// Carries out what the bookkeeping has decided.
    fn act(&self, mut core: MutexGuard<'_, Core>) {
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
                    super::frame::put(&mut frame, Kind::Retire, &[], 0);
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
                if let Some(entry) = core.jobs.remove(&task) {
                    // Aborted: it was to end like this.
                    let was_stopped = entry.job.task().snapshot().is_stop_requested();
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
                    core.broken
                        .get_or_insert_with(|| BrokenCause::new("a worker process died", death));
                }
                if let Some(bound) = &self.bound {
                    bound.close();
                }
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
        });
        let argument = &job.call.argument;
        let mut frame = Vec::new();
        super::frame::put(&mut frame, Kind::Call, &head, argument.len());
        if argument.len() <= COPIED {
            frame.extend_from_slice(argument);
            line.push(Piece::Own(frame));
        } else {
            line.push(Piece::Own(frame));
            line.push(Piece::Shared(Arc::clone(argument)));
        }
        if !effects.flush.iter().any(|it| Arc::ptr_eq(it, line)) {
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

    /// Remembers a thread, so that it is waited for at the end.
    pub(super) fn keep(&self, thread: JoinHandle<()>) {
        let mut threads = self.threads.lock();
        threads.retain(|it| !thread::is_finished(it));
        threads.push(thread);
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
                Reminder::Idle(worker, since) => core.machine.is_still_idle(worker, since),
            }
            pool.act(core);
        };
        // Without a timer there is no time to give.
        if self.timer.set(at, remind.clone()).is_err() && matches!(reminder, Reminder::Grace(..)) {
            remind();
        }
    }

    /// Wants a process to be up within the time for that.
    pub(super) fn expect(&self, line: &Arc<Line>) -> Option<Alarm> {
        let limit = self.settings.start_timeout;
        let (pool, line) = (self.this.clone(), Arc::downgrade(line));
        let alarm = self.timer.set(deadline_after(limit)?, move || {
            if let (Some(pool), Some(line)) = (pool.upgrade(), line.upgrade()) {
                pool.accuse(&line, format!("saying nothing for {limit:?} after it was started"));
            }
        });
        alarm.ok()
    }

    pub(super) fn forget_alarm(&self, alarm: Option<Alarm>) {
        if let Some(alarm) = alarm {
            self.timer.cancel(alarm);
        }
    }

    fn stop(&self, task: &TaskRef) {
        let mut core = self.core.lock();
        core.machine.stop(task.address());
        self.act(core);
    }

    // ---- over -------------------------------------------------------------------------------

    /// Stops taking tasks. With `cancel`, what has not begun is cancelled, on this thread.
    pub(super) fn close(&self, cancel: bool) {
        let mut core = self.core.lock();
        core.machine.close(cancel);
        self.act(core);
        if let Some(bound) = &self.bound {
            bound.close();
        }
    }

    /// Ends all processes.
    pub(super) fn end_all(&self, hard: bool) {
        let mut core = self.core.lock();
        core.machine.end_all(hard);
        self.act(core);
    }

    /// Asks all running tasks to stop, and ends their processes if they do not.
    pub(super) fn stop_all(&self) {
        let mut core = self.core.lock();
        let running: Vec<TaskRef> = core
            .jobs
            .values()
            .map(|entry| entry.job.task().clone())
            .filter(|task| core.machine.sent(task.address()).is_some())
            .collect();
        for task in &running {
            core.machine.stop(task.address());
        }
        self.act(core);
        drop(running);
    }

    pub(super) fn resize(&self, max_workers: usize) {
        let mut core = self.core.lock();
        core.machine.resize(max_workers);
        self.act(core);
    }

    /// Blocks until every worker is gone, or the deadline comes. Called by a callback of this very
    /// pool it does not wait, for a line would wait for itself; false then too.
    pub(super) fn wait_until_gone(&self, deadline: Option<Instant>) -> bool {
        if task::host_owner() == Some(self.id) {
            return false;
        }
        let is_gone = task::while_blocked(Blocking::Waiting, || {
            let mut core = self.core.lock();
            loop {
                if core.machine.is_gone() {
                    return true;
                }
                let (guard, timed_out) = self.gone.wait_until(core, deadline);
                core = guard;
                if timed_out {
                    return core.machine.is_gone();
                }
            }
        });
        if is_gone {
            let threads = std::mem::take(&mut *self.threads.lock());
            for thread in threads {
                let _ = thread.join();
            }
        }
        is_gone
    }

    pub(super) fn stats(&self) -> Stats {
        let core = self.core.lock();
        let mut stats = Stats {
            finished: core.finished,
            failed: core.failed,
            cancelled: core.cancelled,
            ..Stats::default()
        };
        let mut sent = 0;
        for worker in core.machine.workers() {
            stats.workers += 1;
            stats.idle += usize::from(worker.is_up && worker.sent.is_empty());
            sent += worker.sent.len();
            stats.running += usize::from(core.running(worker.id, &worker.sent).is_some());
        }
        stats.queued = core.machine.queued() + sent - stats.running;
        stats
    }

    pub(super) fn max_workers(&self) -> usize {
        self.core.lock().machine.max_workers()
    }

    /// What every worker is at.
    pub(super) fn workers(&self) -> Vec<WorkerInfo> {
        let core = self.core.lock();
        let info = |worker: WorkerView| {
            let running = core.running(worker.id, &worker.sent);
            let label = running
                .and_then(|task| core.jobs.get(&task))
                .and_then(|entry| entry.job.task().label().map(|label| label.to_string()));
            WorkerInfo {
                index: worker.index,
                process_id: core.lines.get(&worker.id).map(|line| line.process_id()),
                state: match (worker.is_leaving, worker.is_up, running) {
                    (true, ..) => WorkerState::Leaving,
                    (_, false, _) => WorkerState::Starting,
                    (_, _, Some(_)) => WorkerState::Busy,
                    (_, _, None) => WorkerState::Idle,
                },
                label,
            }
        };
        core.machine.workers().map(info).collect()
    }
}

/// A worker of a process pool, from [`workers`](crate::ProcessPoolHandle::workers).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// Its number within the pool, from zero.
    pub index: usize,
    /// The number of its process in the operating system, if that has been started.
    pub process_id: Option<u32>,
    /// What it is doing.
    pub state: WorkerState,
    /// The label of the task that it is running.
    pub label: Option<String>,
}

/// What a worker of a process pool is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerState {
    /// Its process is being started, or is in the initializer.
    Starting,
    /// It waits for a task.
    Idle,
    /// It runs a task.
    Busy,
    /// It is about to end, and takes no more tasks.
    Leaving,
}

impl Core {
    /// The task that a worker is at.
    fn running(&self, worker: WorkerId, sent: &[(Ticket, TaskId)]) -> Option<TaskId> {
        let line = self.lines.get(&worker)?;
        sent.iter().find(|(ticket, _)| line.page.slots().has_begun(*ticket)).map(|(_, task)| *task)
    }

    fn count(&mut self, kind: &TaskErrorKind) {
        match kind {
            TaskErrorKind::Cancelled => self.cancelled += 1,
            _ => self.failed += 1,
        }
    }
}

impl Entry {
    fn begin(&mut self) {
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

fn take(entry: Option<Entry>, refusal: Refusal) -> (Refusal, Job) {
    match entry {
        Some(entry) => (refusal, entry.job),
        None => unreachable!("a job that was not taken is still here"),
    }
}

impl Owner for Pool {
    fn task_cancelled(&self, task: &TaskRef) {
        let mut core = self.core.lock();
        core.cancelled += 1;
        let entry = core.jobs.remove(&task.address());
        core.machine.forget(task.address());
        self.act(core);
        if let Some(entry) = entry {
            entry.alarms.iter().for_each(|alarm| self.timer.cancel(*alarm));
            if entry.has_room
                && let Some(bound) = &self.bound
            {
                bound.release();
            }
        }
    }

    fn stop_requested(&self, task: &TaskRef) {
        self.stop(task);
    }

    fn take_back(&self, task: &TaskRef) -> bool {
        let mut core = self.core.lock();
        let id = task.address();
        if let Some((worker, ticket)) = core.machine.lent(id) {
            let line = core.lines.get(&worker);
            if !line.is_some_and(|line| line.page.slots().take_back(ticket)) {
                core.machine.begun(id);
                if let Some(entry) = core.jobs.get_mut(&id) {
                    entry.begin();
                }
                return false;
            }
            core.machine.withdrawn(id);
        }
        task.end_lending();
        true
    }

    fn look_after(&self, task: &TaskRef) {
        let mut core = self.core.lock();
        let id = task.address();
        if let Some((worker, ticket)) = core.machine.lent(id)
            && core.lines.get(&worker).is_some_and(|it| it.page.slots().has_begun(ticket))
        {
            core.machine.begun(id);
            if let Some(entry) = core.jobs.get_mut(&id) {
                entry.begin();
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        task::unregister(self.id);
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
