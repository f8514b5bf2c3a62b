//! What the handles and lines of one pool share: the bookkeeping, and the jobs.
//!
//! One lock guards the [`Machine`] and what belongs to it. What follows from an event is decided
//! under the lock, and whatever could block, or is code of the user's, is done after it has been
//! released: see [`core`](super::core).

use super::core::{Core, Entry};
use super::job::Job;
use super::line::Line;
use super::machine::{Machine, Return, Rules, Verdict, WorkerId};
use super::message::{DoneHead, Outcome};
use super::settings::Settings;
use super::slots::Ticket;
use crate::error::{BrokenCause, Refusal, TaskErrorKind};
use crate::executor::{Admission, Bound, Patience, expire};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Alarm, Arc, Condvar, Mutex, Timer, Weak, deadline_after};
use crate::sys::SealedMapping;
use crate::sys::child::Signal;
use crate::task::{self, Blocking, Owner, OwnerId, TaskRef};
use std::time::{Duration, Instant};

pub(super) struct Pool {
    pub(super) id: OwnerId,
    pub(super) settings: Settings,
    pub(super) core: Mutex<Core>,
    pub(super) gone: Condvar,
    pub(super) bound: Option<Bound>,
    pub(super) timer: Timer,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Held by whoever joins threads.
    joining: Mutex<()>,
    begun_at: Instant,
    pub(super) this: Weak<Pool>,
}

/// What stands behind a worker's word that a call is done.
pub(super) enum Returned {
    /// The body of its frame, in which the result begins there.
    Body(Vec<u8>, usize),
    Mapped(SealedMapping),
}

/// A task that is over, and whose future is still to be told.
pub(super) struct Finished {
    entry: Entry,
    outcome: Outcome,
    returned: Returned,
}

impl Finished {
    /// Ends the future. Runs code of the user's.
    pub(super) fn conclude(self) {
        let result = match &self.returned {
            Returned::Body(body, begin) => &body[*begin..],
            Returned::Mapped(mapping) => mapping.bytes(),
        };
        self.entry.job.conclude(self.outcome, result);
    }
}

/// A job that was not taken.
pub(super) struct Refused {
    pub(super) refusal: Refusal,
    pub(super) job: Box<Job>,
}

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
            core: Mutex::new(Core::new(Machine::new(rules, settings.max_workers))),
            gone: Condvar::new(),
            bound: settings.capacity.map(|capacity| Bound::new(capacity, settings.when_full)),
            timer: Timer::new(),
            threads: Mutex::new(Vec::new()),
            joining: Mutex::new(()),
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
    ) -> Result<(), Refused> {
        let id = job.task().address();
        let task = job.task().clone();
        let mut entry = Some(Entry {
            job,
            has_room: self.bound.is_some(),
            has_begun: false,
            alarms: Vec::new(),
        });
        let mut no_timer = None;
        let mut push = || {
            let mut core = self.core.lock();
            if !self.takes(&core, patience) {
                return false;
            }
            // Under the lock, so that it goes off when the job is there, and is known to whoever
            // begins it.
            match (self.watch_begin(&task, begin_within), &mut entry) {
                (Ok(alarm), Some(entry)) => entry.alarms.extend(alarm),
                (Ok(_), None) => return false,
                (Err(error), _) => {
                    no_timer = Some(error);
                    return false;
                }
            }
            let is_pending = task.enqueue();
            if is_pending && let Some(entry) = entry.take() {
                core.jobs.insert(id, entry);
                core.machine.submit(id, priority, retries);
            }
            is_pending
        };
        match &self.bound {
            None => drop(push()),
            Some(bound) => {
                match bound.admit(patience, || !self.takes(&self.core.lock(), patience), &mut push)
                {
                    Admission::Admitted | Admission::Closed => {}
                    Admission::Full => {
                        let refusal = Refusal::QueueFull { capacity: bound.capacity };
                        return Err(self.hand_back(entry, refusal));
                    }
                }
            }
        }
        if entry.is_some() {
            let refusal = match no_timer {
                Some(error) => Refusal::NoWorker(Arc::new(error)),
                None => self.refusal().unwrap_or(Refusal::ShutDown),
            };
            return Err(self.hand_back(entry, refusal));
        }
        // Not within `push`, which runs under the lock of the bound.
        self.act(self.core.lock());
        Ok(())
    }

    /// Whether the pool takes one more. A closed one still takes what goes on with a task that has
    /// come back on this very thread, whose worker is not gone yet.
    fn takes(&self, core: &Core, patience: Patience) -> bool {
        let may_continue = patience == Patience::Continuation && self.is_own_thread();
        core.machine.is_open() || (may_continue && core.machine.may_continue())
    }

    /// Sees that the task fails in time if it has to begin within some time and does not.
    fn watch_begin(
        &self,
        task: &TaskRef,
        limit: Option<Duration>,
    ) -> std::io::Result<Option<Alarm>> {
        let Some((limit, at)) = limit.and_then(|it| Some((it, deadline_after(it)?))) else {
            return Ok(None);
        };
        let (pool, late) = (self.this.clone(), task.clone());
        let give_up = move || {
            if let Some(pool) = pool.upgrade() {
                pool.give_up_waiting(&late, limit);
            }
        };
        self.timer.set(at, give_up).map(Some)
    }

    fn hand_back(&self, entry: Option<Entry>, refusal: Refusal) -> Refused {
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
        let id = task.address();
        let mut core = loop {
            if !self.take_back(task) || !task.snapshot().is_pending() {
                return;
            }
            let core = self.core.lock();
            // It may have been sent again meanwhile.
            if core.machine.lent(id).is_none() {
                break core;
            }
        };
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

    /// The process of a worker has been started. One that is not wanted any more is killed.
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

    /// Nothing has been heard of a worker for long.
    pub(super) fn silent(&self, worker: WorkerId) {
        let mut core = self.core.lock();
        core.machine.fell_silent(worker);
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

    /// A call has begun that was to be announced. Nothing happens if it has come back already.
    pub(super) fn begun(&self, worker: WorkerId, ticket: Ticket) {
        let mut core = self.core.lock();
        let Some(id) = core.machine.task_of(worker, ticket) else { return };
        core.machine.begun(id);
        let Some(entry) = core.jobs.get_mut(&id) else { return };
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
    }

    /// A call came back: its task is over, or is tried again. False if there is no such call.
    ///
    /// What follows from it is left to [`settle`](Self::settle), once for many, and telling whoever
    /// waits to [`Finished::conclude`].
    pub(super) fn returned(&self, line: &Line, head: DoneHead, outcome: Returned) -> bool {
        let how = if head.has_failed { Return::Failed } else { Return::Succeeded };
        let ticket = Ticket::of_parts(head.ticket);
        let duration = Duration::from_nanos(head.nanoseconds);
        let mut core = self.core.lock();
        if let Some(id) = core.machine.task_of(line.worker, ticket)
            && let Some(entry) = core.jobs.get_mut(&id)
        {
            // Before it is in no table any more: whoever cancels it now comes too late.
            entry.begin();
            // Should it be tried again, its time begins anew.
            entry.alarms.drain(..).for_each(|alarm| self.timer.cancel(alarm));
        }
        let returned = core.machine.returned(line.worker, ticket, how, duration, head.is_too_large);
        let over = match returned {
            Verdict::Unknown => return false,
            Verdict::Again => return true,
            Verdict::Over(id) => core.jobs.remove(&id),
        };
        let Some(entry) = over else { return true };
        match head.outcome {
            _ if entry.job.task().snapshot().is_expired() => core.failed += 1,
            Outcome::Value(_) => core.finished += 1,
            Outcome::Cancelled => core.cancelled += 1,
            _ => core.failed += 1,
        }
        line.finished.lock().push_back(Finished {
            entry,
            outcome: head.outcome,
            returned: outcome,
        });
        true
    }

    /// Does what follows from everything that has happened.
    pub(super) fn settle(&self) {
        self.act(self.core.lock());
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
        let worker = core.machine.workers().find(|it| it.id == line.worker);
        core.was_up = worker.as_ref().is_some_and(|it| it.is_up);
        for (ticket, task) in worker.map(|it| it.sent).unwrap_or_default() {
            // As in `returned`.
            if has_begun(ticket)
                && let Some(entry) = core.jobs.get_mut(&task)
            {
                entry.begin();
            }
        }
        core.machine.died(line.worker, has_begun, now);
        self.act(core);
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

    /// Remembers a thread, so that it is waited for at the end.
    pub(super) fn keep(&self, thread: JoinHandle<()>) {
        let mut threads = self.threads.lock();
        threads.retain(|it| !thread::is_finished(it));
        threads.push(thread);
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

    /// Whether this thread serves one of the pool's lines, so that waiting for the pool would be
    /// waiting for itself.
    pub(super) fn is_own_thread(&self) -> bool {
        task::host_owner() == Some(self.id)
    }

    /// Blocks until every worker is gone, or the deadline comes. Called by a callback of this very
    /// pool it does not wait, for a line would wait for itself; false then too.
    pub(super) fn wait_until_gone(&self, deadline: Option<Instant>) -> bool {
        if self.is_own_thread() {
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
            // No waiting call is over before the last thread is, whoever joins it.
            let _joining = self.joining.lock();
            let threads = std::mem::take(&mut *self.threads.lock());
            for thread in threads {
                let _ = thread.join();
            }
        }
        is_gone
    }

    pub(super) fn max_workers(&self) -> usize {
        self.core.lock().machine.max_workers()
    }
}

fn take(entry: Option<Entry>, refusal: Refusal) -> Refused {
    match entry {
        Some(entry) => Refused { refusal, job: Box::new(entry.job) },
        None => unreachable!("a job that was not taken is still here"),
    }
}

impl Owner for Pool {
    fn task_cancelled(&self, task: &TaskRef) {
        let mut core = self.core.lock();
        let entry = core.jobs.remove(&task.address());
        // One that the pool cancels itself has been counted when it was taken out.
        core.cancelled += usize::from(entry.is_some());
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
            core.machine.taken_back(id, true);
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
