//! What the bookkeeping decides is carried out here.
//!
//! Under the pool's lock: what has to be in step with the bookkeeping (frames are put into a line's
//! outbox, calls are taken back). When it has been released: what could block, or is code of the
//! user's, see [`Effects`].

use super::job::{Finished, How, Job};
use super::line::Line;
use super::serving;
use super::state::State;
use super::{Cause, Pool};
use crate::error::{BrokenCause, DeathCause, TaskErrorKind};
use crate::process::machine::{Action, OnWorkerDeath, TaskId, WorkerId};
use crate::process::page::slots::Ticket;
use crate::process::wire::frame::Kind;
use crate::process::wire::message::CallHead;
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Arc, Mutex, MutexGuard, deadline_after};
use crate::sys::child::Signal;
use crate::sys::{fault, refusal};
use crate::task;
use crate::timeline::Ending;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;

/// What is in the memory of a worker has been looked at after this time, also on a busy machine.
const HEARING: Duration = Duration::from_secs(1);

/// What is to be done when the lock has been released.
#[derive(Default)]
#[must_use]
pub(crate) struct Effects {
    flush: Vec<Arc<Line>>,
    start: Vec<(WorkerId, usize)>,
    signal: Vec<(Arc<Line>, Signal)>,
    later: Vec<(Duration, Reminder)>,
    over: Vec<(Job, TaskErrorKind)>,
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

impl Effects {
    fn end(&mut self, state: &mut State, mut job: Job, kind: TaskErrorKind) {
        // Whatever comes of it then. As in `book`.
        let is_expired = job.task().snapshot().is_expired();
        // It begins, so that it cannot be cancelled before it ends as it is counted here.
        let is_cancelled =
            !is_expired && (matches!(kind, TaskErrorKind::Cancelled) || !job.begin());
        let (count, ending) = match is_cancelled {
            true => (&mut state.cancelled, Ending::Cancelled),
            false if is_expired => (&mut state.failed, Ending::TimedOut),
            false => (&mut state.failed, task::ending_with(&kind)),
        };
        *count += 1;
        if let Some(entry) = job.entry() {
            // Before another process goes on with the lane.
            entry.end(ending, None);
        }
        self.room += usize::from(std::mem::take(&mut job.has_room));
        self.over.push((job, kind));
    }

    fn flush(&mut self, line: &Arc<Line>) {
        if !self.flush.iter().any(|it| Arc::ptr_eq(it, line)) {
            self.flush.push(Arc::clone(line));
        }
    }
}

impl Pool {
    /// Carries out what the bookkeeping has decided.
    pub(crate) fn act(&self, state: MutexGuard<'_, State>) {
        self.act_upon(state, Cause::Other);
    }

    pub(crate) fn act_upon(&self, state: MutexGuard<'_, State>, cause: Cause) {
        let effects = self.decide_all(state, &cause);
        self.carry_out(effects);
    }

    /// Decides what follows from what has happened; it is still to be carried out.
    pub(crate) fn decide_all(&self, mut state: MutexGuard<'_, State>, cause: &Cause) -> Effects {
        let mut effects = Effects::default();
        while let Some(action) = state.machine.next_action() {
            self.decide(&mut state, action, cause, &mut effects);
        }
        let is_gone = state.is_gone();
        drop(state);
        if is_gone {
            self.say_that_it_is_gone();
        }
        effects
    }

    fn decide(&self, state: &mut State, action: Action<Job>, cause: &Cause, effects: &mut Effects) {
        match action {
            Action::Start { worker, index } => effects.start.push((worker, index)),
            Action::Send { task, worker, ticket, attempt } => {
                self.send(state, task, worker, ticket, attempt, effects);
            }
            Action::TakeBack { task, worker, ticket } => {
                // Several may be asked for the same call; the first decides.
                if state.machine.sent(task) == Some((worker, ticket))
                    && state.machine.lent(task).is_some()
                {
                    let line = state.lines.get(&worker);
                    let was_kept = line.is_some_and(|it| it.page.slots().take_back(ticket));
                    if was_kept {
                        state.take_back(task);
                        fault!(CallTakenBack);
                    } else {
                        self.book_begin(state, task);
                    }
                }
            }
            Action::Retire { worker } => {
                if let Some(line) = state.lines.get(&worker) {
                    line.push(Kind::Retire);
                    fault!(RetirePushed);
                    effects.flush(line);
                }
            }
            Action::AskToStop { task, worker, ticket } => {
                if let Some(line) = state.lines.get(&worker) {
                    line.page.slots().request_stop(ticket);
                }
                fault!(StopRequested);
                let reminder = Reminder::Grace(task, worker, ticket);
                effects.later.push((self.settings.grace, reminder));
            }
            Action::AwaitOutcome { task, worker, ticket } => {
                effects.later.push((HEARING, Reminder::Grace(task, worker, ticket)));
            }
            Action::End { task, worker, ticket, hard } => {
                let signal = if hard { Signal::Kill } else { Signal::Terminate };
                match state.lines.get(&worker) {
                    Some(line) => effects.signal.push((Arc::clone(line), signal)),
                    None => drop(state.doomed.insert(worker)),
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
            Action::Lose { mut job } => {
                // It had begun, and so cannot be cancelled any more.
                job.begin();
                let kind = loss(&job, cause);
                effects.end(state, job, kind);
            }
            Action::Cancel { job } => effects.end(state, job, TaskErrorKind::Cancelled),
            Action::GiveUp { job } => {
                let kind = state.why_given_up();
                effects.end(state, job, kind);
            }
            Action::Broken => {
                if let Cause::Death { death, was_up } = cause {
                    let what = match (was_up, self.settings.on_worker_death) {
                        (false, _) => "a worker process died before it could take a task",
                        (true, OnWorkerDeath::Break) => "a worker process died",
                        (true, OnWorkerDeath::Replace { .. }) => {
                            "more worker processes died than are to be replaced; the last one"
                        }
                    };
                    state.broken.get_or_insert_with(|| BrokenCause::new(what, death.clone()));
                }
                // Later: whoever is admitted to the queue holds its lock, and then takes this one.
                effects.closes_queue = true;
            }
        }
    }

    fn send(
        &self,
        state: &mut State,
        task: TaskId,
        worker: WorkerId,
        ticket: Ticket,
        attempt: u32,
        effects: &mut Effects,
    ) {
        let State { machine, lines, .. } = state;
        let (Some(job), Some(line)) = (machine.job_mut(task), lines.get(&worker)) else {
            unreachable!("only what is there is sent, and to workers that can be reached");
        };
        if !job.has_begun && !job.task().lend() {
            // It has just been cancelled, by somebody who is about to say so.
            if let Some(job) = machine.forget(task) {
                effects.end(state, job, TaskErrorKind::Cancelled);
            }
            return;
        }
        effects.room += usize::from(std::mem::take(&mut job.has_room));
        job.sent_to(line.lane.as_ref(), &self.settings.name, line.index, line.process_id());
        line.page.slots().offer(ticket);
        fault!(CallOffered);
        let context = job.call.context.as_ref();
        let head = CallHead {
            ticket,
            code: job.call.code,
            context: context.map(|(code, captured)| (*code, &**captured)),
            is_announced: job.is_limited(),
            attempt,
            label: job.task().label().map(|label| &**label),
            argument: job.call.argument.place(),
        };
        line.push_call(&head, &job.call.argument);
        fault!(CallPushed);
        if state.machine.has_ahead(worker) {
            line.mind();
        }
        effects.flush(line);
    }

    /// Leaves the futures that are to be ended to somebody else.
    pub(crate) fn put_off(&self, effects: &mut Effects, into: &mut VecDeque<Finished>) {
        for (mut job, kind) in effects.over.drain(..) {
            self.forget_alarms(&mut job);
            into.push_back(Finished { job, how: How::Failed(kind) });
        }
    }

    pub(crate) fn carry_out(&self, mut effects: Effects) {
        // First, so that a call that is seen to run takes no room any more.
        if let Some(bound) = &self.bound {
            bound.release(effects.room);
        }
        if effects.closes_queue {
            self.close_queue();
        }
        for line in effects.flush {
            line.flush();
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
        if effects.over.is_empty() {
            return;
        }
        for (job, _) in &mut effects.over {
            self.forget_alarms(job);
        }
        let over = Mutex::new(VecDeque::from(effects.over));
        // A callback of one may wait for another.
        task::one_after_the_other(move || {
            let next = over.lock().pop_front();
            next.map(|(mut job, kind)| move || job.fail(kind))
        });
    }

    fn start(&self, worker: WorkerId, index: usize) {
        let Some(pool) = self.this.upgrade() else { return };
        match start_line(pool, worker, index) {
            Ok(thread) => self.keep(thread),
            Err(error) => self.refused(worker, error),
        }
    }

    fn remind(&self, after: Duration, reminder: Reminder) {
        let Some(at) = deadline_after(after) else { return };
        let pool = self.this.clone();
        let remind = move || {
            let Some(pool) = pool.upgrade() else { return };
            let mut state = pool.state.lock();
            match reminder {
                Reminder::Grace(task, worker, ticket) => {
                    state.machine.grace_is_over(task, worker, ticket);
                }
                Reminder::Idle(worker, since) => state.machine.idle_time_is_over(worker, since),
            }
            pool.act(state);
        };
        // Without a timer there is no time to give.
        if self.timer.set(at, remind.clone()).is_err() && matches!(reminder, Reminder::Grace(..)) {
            remind();
        }
    }
}

/// Starts the thread beside a worker.
fn start_line(pool: Arc<Pool>, worker: WorkerId, index: usize) -> io::Result<JoinHandle<()>> {
    refusal!(ThreadStarting);
    fault!(ThreadStarting);
    let name = format!("{}_{index}", pool.settings.name);
    thread::spawn(name, None, move || serving::main(&pool, worker, index))
}

/// What becomes of a task whose worker has died while it ran.
fn loss(job: &Job, cause: &Cause) -> TaskErrorKind {
    let Cause::Death { death, .. } = cause else {
        unreachable!("a task is lost by a death");
    };
    // Aborted: it was to end like this. One that has timed out has failed.
    let now = job.task().snapshot();
    let was_stopped = now.is_stop_requested() && !now.is_expired();
    if was_stopped && death.cause == DeathCause::Ended {
        TaskErrorKind::Cancelled
    } else {
        TaskErrorKind::WorkerDied(death.clone())
    }
}
