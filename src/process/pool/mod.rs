//! What the handles and lines of one pool share, and the events that they tell it.
//!
//! One lock guards the [`State`]. What follows from an event is decided under the lock, and whatever
//! could block, or is code of the user's, is done after it has been released: see
//! [`effects`].

mod attending;
mod collapse;
mod effects;
pub(crate) mod job;
mod limits;
mod line;
mod serving;
pub(crate) mod settings;
mod starting;
mod state;
pub(crate) mod view;

use self::attending::Attending;
use self::job::{Finished, How, Job, Reply};
use self::line::Line;
use self::settings::Settings;
use self::state::State;
use crate::error::{BrokenCause, Refusal, TaskOutput, WorkerDeath};
use crate::executor::{Admission, Bound, Patience, timer_of};
use crate::process::machine::{Machine, Rules, TaskId, Verdict, WorkerId};
use crate::process::page::slots::Ticket;
use crate::process::payload::{KEEP, Store};
use crate::process::wire::message::{DoneHead, Outcome, Return};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Arc, Condvar, Mutex, MutexGuard, Timer, Weak, deadline_after};
use crate::sys::child::Signal;
use crate::sys::{self, fault};
use crate::task::{self, Advice, Blocking, Owner, OwnerId, Report, TaskRef};
use crate::timeline::{Ending, Span};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

pub(crate) struct Pool {
    pub(crate) id: OwnerId,
    pub(crate) settings: Settings,
    pub(crate) state: Mutex<State>,
    pub(crate) gone: Condvar,
    pub(crate) bound: Option<Bound>,
    pub(crate) timer: Timer,
    /// The memory for large arguments.
    pub(crate) values: Arc<Store>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Held by whoever joins threads.
    joining: Mutex<()>,
    begun_at: Instant,
    pub(crate) this: Weak<Pool>,
}

/// A call that has come back from its worker.
pub(crate) struct Returned {
    pub(crate) head: DoneHead,
    /// What else the head tells, once it has been had.
    pub(crate) report: Option<Report>,
    pub(crate) reply: Reply,
}

/// What has happened that decisions refer to.
pub(crate) enum Cause {
    /// A worker has died, and had been able to take calls or not.
    Death {
        death: WorkerDeath,
        was_up: bool,
    },
    Other,
}

/// A job that was not taken.
pub(crate) struct Refused {
    pub(crate) refusal: Refusal,
    pub(crate) job: Job,
}

/// How a job is to be treated while it waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) priority: i32,
    pub(crate) retries: u32,
}

/// How many large arguments may be on their way, so that descriptors are left for others.
const MOST_VALUES: usize = 128;

/// For so many of them for each worker memory is kept: one that it reads, and the next.
const SPARE_VALUES: usize = 2;

impl Pool {
    pub(crate) fn new(settings: Settings) -> Arc<Pool> {
        let rules = Rules {
            order: settings.order,
            start_all: settings.start_all,
            max_tasks_per_worker: settings.max_tasks_per_child,
            on_worker_death: settings.on_worker_death,
            retires_idle: settings.keep_alive.is_some(),
        };
        let pool = Arc::new_cyclic(|this: &Weak<Pool>| Pool {
            id: task::register(this.clone(), false),
            state: Mutex::new(State::new(Machine::new(rules, settings.max_workers))),
            gone: Condvar::new(),
            bound: settings.capacity.map(|capacity| Bound::new(capacity, settings.when_full)),
            timer: timer_of(this.clone(), Pool::collapse),
            values: Store::new(MOST_VALUES, SPARE_VALUES * settings.max_workers),
            threads: Mutex::new(Vec::new()),
            joining: Mutex::new(()),
            begun_at: Instant::now(),
            this: this.clone(),
            settings,
        });
        pool.act(pool.state.lock());
        pool
    }

    // ---- in ---------------------------------------------------------------------------------

    /// Takes a job, or gives it back with the reason.
    pub(crate) fn submit(
        &self,
        mut job: Job,
        terms: Terms,
        patience: Patience,
    ) -> Result<(), Refused> {
        let Some(bound) = &self.bound else {
            self.act(self.enter(job, terms, patience)?);
            return Ok(());
        };
        job.has_room = true;
        let mut outside = Some(job);
        let mut entered = Ok(());
        let admission = bound.admit(
            patience,
            || !self.takes(&self.state.lock(), patience),
            || {
                let enter = |job| self.enter(job, terms, patience).map(drop);
                entered = outside.take().map_or(Ok(()), enter);
                entered.is_ok()
            },
        );
        let refusal = match admission {
            Admission::Full => Refusal::QueueFull { capacity: bound.capacity },
            _ => self.refusal().unwrap_or(Refusal::ShutDown),
        };
        match outside {
            Some(job) => Err(Refused { refusal, job }),
            None => {
                entered?;
                // Not while it is admitted, for that holds the lock of the bound.
                self.act(self.state.lock());
                Ok(())
            }
        }
    }

    /// Puts a job into the books. What follows from it is still to be done.
    fn enter(
        &self,
        mut job: Job,
        terms: Terms,
        patience: Patience,
    ) -> Result<MutexGuard<'_, State>, Refused> {
        let mut state = self.state.lock();
        let refused = |refusal, job| Refused { refusal, job };
        if !self.takes(&state, patience) {
            return Err(refused(state.refusal().unwrap_or(Refusal::ShutDown), job));
        }
        // Under the lock, so that it goes off when the job is there, and is known to whoever
        // begins it.
        match self.watch_begin(&job) {
            Ok(alarm) => job.alarms.extend(alarm),
            Err(error) => return Err(refused(Refusal::NoWorker(Arc::new(error)), job)),
        }
        if !job.task().enqueue() {
            // Cancelled already, so nobody will read this.
            self.forget_alarms(&mut job);
            return Err(refused(Refusal::ShutDown, job));
        }
        let id = job.task().address();
        state.machine.submit(id, job, terms.priority, terms.retries);
        fault!(TaskEntered);
        Ok(state)
    }

    /// Whether the pool takes one more. A closed one still takes what goes on with a task that has
    /// come back on this very thread, whose worker is not gone yet.
    fn takes(&self, state: &State, patience: Patience) -> bool {
        let may_continue = patience == Patience::Continuation && self.is_own_thread();
        state.machine.is_open()
            || (may_continue && state.machine.may_continue() && !state.is_gone())
    }

    /// Why the pool takes nothing, if it does not.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.state.lock().refusal()
    }

    pub(crate) fn say_that_it_is_gone(&self) {
        self.timer.close();
        self.gone.notify_all();
    }

    /// Whoever waits for room in the queue waits in vain.
    pub(crate) fn close_queue(&self) {
        if let Some(bound) = &self.bound {
            bound.close();
        }
    }

    /// The job does not wait in the queue any more.
    pub(crate) fn release(&self, job: &Job) {
        if job.has_room
            && let Some(bound) = &self.bound
        {
            bound.release(1);
        }
    }

    /// Sees that the memory for large arguments goes back when it has not been used for long.
    pub(crate) fn mind_values(&self) {
        if self.values.wants_to_be_minded() {
            mind_values(self.this.clone(), &self.timer, KEEP);
        }
    }

    // ---- events from workers ----------------------------------------------------------------

    /// The process of a worker has been started. One that is not wanted any more is killed.
    pub(crate) fn connected(&self, line: &Arc<Line>) {
        let mut state = self.state.lock();
        state.lines.insert(line.worker, Arc::clone(line));
        if state.doomed.remove(&line.worker) {
            drop(state);
            line.signal(Signal::Kill);
        }
    }

    /// No process could be started.
    pub(crate) fn refused(&self, worker: WorkerId, error: std::io::Error) {
        let mut state = self.state.lock();
        state.refused = Some(Arc::new(error));
        state.doomed.remove(&worker);
        state.machine.refused(worker);
        self.act(state);
    }

    /// A worker can take calls.
    pub(crate) fn ready(&self, worker: WorkerId) {
        let mut state = self.state.lock();
        state.machine.started(worker);
        self.act(state);
    }

    /// Whether, as far as is known, the worker has a call behind another.
    pub(crate) fn has_calls_ahead(&self, worker: WorkerId) -> bool {
        self.state.lock().machine.has_ahead(worker)
    }

    /// Nothing has been heard of a worker for long.
    pub(crate) fn silent(&self, worker: WorkerId) {
        let mut state = self.state.lock();
        state.machine.fell_silent(worker);
        self.act(state);
    }

    /// The pool cannot go on.
    pub(crate) fn break_down(&self, cause: BrokenCause) {
        let mut state = self.state.lock();
        state.broken.get_or_insert(cause);
        state.machine.break_down(false);
        self.act(state);
        self.close_queue();
    }

    /// A call has begun that was to be announced. Nothing happens if it has come back already.
    pub(crate) fn begun(&self, worker: WorkerId, ticket: Ticket) {
        let mut state = self.state.lock();
        let Some(id) = state.machine.task_of(worker, ticket) else { return };
        self.book_begin(&mut state, id);
        self.act(state);
    }

    /// A call is known to have begun, from wherever: its worker may have been stopped before it could
    /// say so.
    pub(crate) fn book_begin(&self, state: &mut State, id: TaskId) {
        let is_news = state.machine.begun(id);
        let Some(job) = state.machine.job_mut(id) else { return };
        job.begin();
        if is_news {
            // The limit on waiting has been kept, and that on running begins.
            self.forget_alarms(job);
            job.alarms.extend(self.watch_end(job));
        }
    }

    /// Calls came back: each one's task is over, or is tried again. False if there is no such call.
    ///
    /// Whoever waits is told by [`Finished::conclude`].
    pub(crate) fn returned(&self, line: &Line, calls: Vec<Returned>) -> bool {
        let (are_known, state) = self.book_all(line, calls, &mut line.finished.lock());
        fault!(OutcomesBooked);
        self.act(state);
        are_known
    }

    /// What follows from it is still to be decided.
    pub(crate) fn book_all(
        &self,
        line: &Line,
        calls: Vec<Returned>,
        finished: &mut VecDeque<Finished>,
    ) -> (bool, MutexGuard<'_, State>) {
        let mut state = self.state.lock();
        let mut are_known = true;
        for call in calls {
            are_known &= self.book(&mut state, line.worker, call, finished);
        }
        (are_known, state)
    }

    fn book(
        &self,
        state: &mut State,
        worker: WorkerId,
        call: Returned,
        finished: &mut VecDeque<Finished>,
    ) -> bool {
        let Returned { head, report, reply } = call;
        let DoneHead { ticket, begun, nanoseconds, is_worn, has_failed, outcome, .. } = head;
        let how = if has_failed { Return::Failed } else { Return::Succeeded };
        let duration = Duration::from_nanos(nanoseconds);
        let task = state.machine.task_of(worker, ticket);
        if let Some(job) = task.and_then(|id| state.machine.job_mut(id)) {
            // Before it is in no table any more: whoever cancels it now comes too late.
            job.begin();
            // Should it be tried again, its time begins anew.
            self.forget_alarms(job);
        }
        let verdict = state.machine.returned(worker, ticket, how, duration, is_worn);
        let job = match verdict {
            Verdict::Unknown => return false,
            Verdict::Again => {
                if let Some(job) = task.and_then(|id| state.machine.job(id)) {
                    // Perhaps there is no other attempt, and then this was the last.
                    job.task().report(|it| *it = report.unwrap_or_default());
                    if let Some(entry) = job.entry() {
                        entry.retry(span_of(begun, duration));
                    }
                }
                return true;
            }
            Verdict::Over(job) => job,
        };
        // One that has timed out keeps what was known then. What an attempt before had told is not this one's.
        if report.is_some() || !job.task().snapshot().is_expired() {
            job.task().report(|it| *it = report.unwrap_or_default());
        }
        let (count, ending) = match outcome {
            _ if job.task().snapshot().is_expired() => (&mut state.failed, Ending::TimedOut),
            Outcome::Value(_) => (&mut state.finished, Ending::Finished),
            Outcome::Cancelled => (&mut state.cancelled, Ending::Cancelled),
            _ => (&mut state.failed, Ending::Failed),
        };
        *count += 1;
        if let Some(entry) = job.entry() {
            entry.end(ending, span_of(begun, duration));
        }
        finished.push_back(Finished { job, how: How::Returned(outcome, reply) });
        true
    }

    /// Ends a worker that breaks the rules.
    pub(crate) fn accuse(&self, line: &Line, of: String) {
        line.accuse(of);
        let mut state = self.state.lock();
        state.machine.expel(line.worker);
        self.act(state);
    }

    /// A worker's process has ended.
    pub(crate) fn died(&self, line: &Line) {
        let was_ended = self.state.lock().machine.is_ending(line.worker);
        let death = line.bury(was_ended);
        let output = line.transcript.as_ref().map(|it| TaskOutput::new(it.rest()));
        fault!(TranscriptRead);
        let now = self.begun_at.elapsed();
        let mut state = self.state.lock();
        state.lines.remove(&line.worker);
        let has_begun = |ticket| line.page.slots().has_begun(ticket);
        let worker = state.machine.workers().find(|it| it.id == line.worker);
        let was_up = worker.as_ref().is_some_and(|it| it.is_up);
        let sent = worker.map(|it| it.sent).unwrap_or_default();
        for (ticket, task) in sent.iter().copied() {
            let Some(job) = state.machine.job_mut(task) else { continue };
            // As in `book`.
            if has_begun(ticket) {
                job.begin();
                self.forget_alarms(job);
                // It was at one call, and all that is there belongs to that.
                job.task().report(|it| *it = Report { output: output.clone(), usage: None });
            } else if let Some(entry) = job.entry() {
                entry.taken_back();
            }
        }
        state.machine.died(line.worker, has_begun, now);
        for (_, task) in sent {
            // One that is still there is tried again.
            if let Some(entry) = state.machine.job(task).and_then(|job| job.entry()) {
                entry.retry(None);
            }
        }
        if let (Some(timeline), Some(lane)) = (&self.settings.timeline, &line.lane) {
            timeline.leave(lane);
        }
        fault!(DeathBooked);
        self.act_upon(state, Cause::Death { death, was_up });
    }

    /// A thread is about to hand its line on to a stand-in.
    pub(crate) fn relieve(&self) {
        self.state.lock().relieved += 1;
    }

    /// It has come back from its callback, and leaves.
    pub(crate) fn leave(&self) {
        let mut state = self.state.lock();
        state.relieved -= 1;
        self.act(state);
    }

    /// Remembers a thread, so that it is waited for at the end.
    pub(crate) fn keep(&self, thread: JoinHandle<()>) {
        let mut threads = self.threads.lock();
        threads.retain(|it| !thread::is_finished(it));
        threads.push(thread);
    }

    pub(crate) fn stop(&self, task: &TaskRef) {
        let mut state = self.state.lock();
        state.machine.stop(task.address());
        self.act(state);
    }

    // ---- over -------------------------------------------------------------------------------

    pub(crate) fn resize(&self, max_workers: usize) {
        let mut state = self.state.lock();
        state.machine.resize(max_workers);
        self.act(state);
    }

    /// Whether this thread serves one of the pool's lines, so that waiting for the pool would be
    /// waiting for itself.
    pub(crate) fn is_own_thread(&self) -> bool {
        task::host_owner() == Some(self.id)
    }

    /// Blocks until every worker is gone, or the deadline comes. Called by a callback of this very
    /// pool it does not wait, for a line would wait for itself; false then too.
    pub(crate) fn wait_until_gone(&self, deadline: Option<Instant>) -> bool {
        if self.is_own_thread() {
            return false;
        }
        fault!(AwaitingGone);
        let is_gone = task::while_blocked(Blocking::Waiting, || {
            let mut state = self.state.lock();
            loop {
                if state.is_gone() {
                    return true;
                }
                let (guard, timed_out) = self.gone.wait_until(state, deadline);
                state = guard;
                if timed_out {
                    return state.is_gone();
                }
            }
        });
        if is_gone {
            fault!(PoolGone);
            // No waiting call is over before the last thread is, whoever joins it.
            let _joining = self.joining.lock();
            let threads = std::mem::take(&mut *self.threads.lock());
            for thread in threads {
                let _ = thread.join();
            }
            fault!(ThreadsJoined);
        }
        is_gone
    }

    pub(crate) fn max_workers(&self) -> usize {
        self.state.lock().machine.max_workers()
    }
}

/// When a call began and how long it took, as its worker says.
fn span_of(begun: u64, duration: Duration) -> Option<Span> {
    Some((sys::instant_of(Duration::from_nanos(begun))?, duration))
}

/// Comes again as long as there is something to mind. Without a timer it stays as long as the pool.
fn mind_values(pool: Weak<Pool>, timer: &Timer, after: Duration) {
    let Some(at) = deadline_after(after) else { return };
    let mind = move || {
        if let Some(pool) = pool.upgrade()
            && let Some(after) = pool.values.give_back()
        {
            mind_values(pool.this.clone(), &pool.timer, after);
        }
    };
    let _ = timer.set(at, mind);
}

impl Owner for Pool {
    fn task_cancelled(&self, task: &TaskRef) {
        let mut state = self.state.lock();
        let job = state.machine.forget(task.address());
        // One that the pool cancels itself has been counted when it was taken out.
        state.cancelled += usize::from(job.is_some());
        self.act(state);
        if let Some(mut job) = job {
            self.forget_alarms(&mut job);
            self.release(&job);
        }
    }

    fn stop_requested(&self, task: &TaskRef) {
        self.stop(task);
    }

    fn take_back(&self, task: &TaskRef) -> bool {
        let mut state = self.state.lock();
        let id = task.address();
        if let Some((worker, ticket)) = state.machine.lent(id) {
            let line = state.lines.get(&worker);
            if !line.is_some_and(|line| line.page.slots().take_back(ticket)) {
                self.book_begin(&mut state, id);
                return false;
            }
            state.take_back(id);
        }
        task.end_lending();
        true
    }

    /// Who does not attend sleeps, or it would take the processor from the thread that does.
    fn advise(&self, task: &TaskRef, offers_time: bool) -> Advice {
        let pool = if offers_time { self.this.upgrade() } else { None };
        let attending = pool.and_then(|pool| Attending::begin(pool, task));
        attending.map_or(Advice::Sleep, |it| Advice::Attend(Box::new(it)))
    }

    fn look_after(&self, task: &TaskRef) {
        let mut state = self.state.lock();
        let id = task.address();
        if let Some((worker, ticket)) = state.machine.lent(id)
            && state.lines.get(&worker).is_some_and(|it| it.page.slots().has_begun(ticket))
        {
            self.book_begin(&mut state, id);
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
