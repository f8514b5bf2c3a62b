//! What the workers and handles of one pool share: the queue, the crew, and the rules.
//!
//! A task comes in through [`Pool::enqueue`], goes out through [`Pool::next`], and is run by
//! [`Pool::run`]. When the pool is over, whatever is left in the queue is ended by
//! [`Pool::end_queued`]. User code (a closure's drop, a callback) is never called under a lock.

mod ending;

use super::crew::{Crew, Summons};
use super::guest;
use super::seat::Seat;
use super::settings::Settings;
use super::worker;
use crate::error::{BrokenCause, Refusal, TaskErrorKind};
use crate::executor::{Admission, BeginLimits, Bound, Patience, Stats, apart, expire, timer_of};
use crate::queue::{Lane, Queue, Tour};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Arc, Mutex, Timer, Weak, deadline_after, trap};
use crate::task::{
    self, Advice, Begun, Blocking, End, Extras, Owner, OwnerId, TaskRef, TaskSettings,
};

/// So many tasks of one submission are put into the queue at once, under one lock that workers need as well.
const GROUP: usize = 64;

/// Fewer stale entries than this are left where they are: some 100 KiB at the most.
const SWEEP: usize = 1024;

pub(super) struct Pool {
    pub(super) id: OwnerId,
    pub(super) settings: Settings,
    queue: Queue<TaskRef>,
    pub(super) crew: Crew,
    bound: Option<Bound>,
    /// Entries of the queue whose task was cancelled or helped. One that is popped before its
    /// canceller has counted it makes this wrap for a moment.
    stale: AtomicUsize,
    /// Tasks that were cancelled before they began.
    cancelled: AtomicUsize,
    /// Tasks that ended without having been begun by a worker, with an error.
    failed: AtomicUsize,
    /// Running tasks are asked to stop.
    stopping: AtomicUsize,
    broken: Mutex<Option<BrokenCause>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Held by whoever joins threads that have left.
    joining: Mutex<()>,
    timer: Timer,
    begin_limits: BeginLimits,
    /// Those of a part of a task that runs.
    pub(super) part_extras: Arc<Extras>,
    this: Weak<Pool>,
}

/// Parts of tasks that run are in the queue as well, but in no number that users see.
fn is_part(task: &TaskRef) -> bool {
    task.settings().is_some_and(|it| it.is_part)
}

impl Pool {
    pub(super) fn new(settings: Settings) -> Arc<Pool> {
        let of_parts = TaskSettings { is_part: true, ..TaskSettings::default() };
        Arc::new_cyclic(|this: &Weak<Pool>| Pool {
            id: task::register(this.clone(), settings.caller_helps),
            queue: Queue::new(settings.order, settings.lanes()),
            crew: Crew::new(settings.max_workers),
            bound: settings.capacity.map(|capacity| Bound::new(capacity, settings.when_full)),
            stale: AtomicUsize::new(0),
            cancelled: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            stopping: AtomicUsize::new(0),
            broken: Mutex::new(None),
            threads: Mutex::new(Vec::new()),
            joining: Mutex::new(()),
            timer: timer_of(this.clone(), Pool::collapse),
            begin_limits: BeginLimits::default(),
            part_extras: Arc::new(Extras::new(Arc::new(of_parts))),
            this: this.clone(),
            settings,
        })
    }

    // ---- in ---------------------------------------------------------------------------------

    /// Why the pool takes nothing, if it does not.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        if !self.crew.is_closed() {
            return None;
        }
        Some(self.broken().map_or(Refusal::ShutDown, Refusal::Broken))
    }

    fn broken(&self) -> Option<BrokenCause> {
        self.broken.lock().clone()
    }

    /// Puts a task into the queue and sees that somebody comes for it. `is_known` says whether
    /// anyone but the caller has heard of it yet, and `patience` how long it may block if the queue
    /// is full.
    ///
    /// On an error the task may still stand in the queue, and it is the caller's to end it, and then
    /// to [`clean_up`](Self::clean_up). It may even have been begun by a worker that came late; then
    /// it has not been refused after all.
    pub(super) fn enqueue(
        &self,
        task: TaskRef,
        is_known: bool,
        priority: i32,
        patience: Patience,
    ) -> Result<(), Refusal> {
        let is_closed = || self.crew.is_closed() && !self.may_continue(patience);
        if is_closed() {
            return Err(self.refusal().unwrap_or(Refusal::ShutDown));
        }
        let is_watched = self.watch_begin(&task)?;
        let push = || {
            let is_pending = Self::mark_queued(&task, is_known || is_watched);
            if is_pending {
                self.queue.push(task, priority, worker::lane_in(self.id));
            }
            is_pending
        };
        match &self.bound {
            None => drop(push()),
            Some(bound) => match bound.admit(patience, is_closed, push) {
                Admission::Admitted => {}
                Admission::Full => {
                    return Err(Refusal::QueueFull { capacity: bound.capacity });
                }
                Admission::Closed => {
                    return Err(self.refusal().unwrap_or(Refusal::ShutDown));
                }
            },
        }
        self.summon()
    }

    /// Makes a task ready, just before it is pushed; false if it has ended and should not be.
    fn mark_queued(task: &TaskRef, is_known: bool) -> bool {
        if !is_known {
            task.enqueue_unknown();
        }
        !is_known || task.enqueue()
    }

    /// Puts a task that nobody else has heard of into the queue; one that is refused ends with the
    /// reason. `task` is another reference to it, its handle's for instance.
    pub(super) fn enqueue_new(
        &self,
        entry: TaskRef,
        task: &TaskRef,
        priority: i32,
        patience: Patience,
    ) {
        let result = self.enqueue(entry, false, priority, patience);
        self.end_refused(task, result);
    }

    /// The same for a task that others may have heard of.
    pub(super) fn enqueue_known(&self, task: TaskRef, priority: i32, patience: Patience) {
        let result = self.enqueue(task.clone(), true, priority, patience);
        self.end_refused(&task, result);
    }

    #[inline]
    fn end_refused(&self, task: &TaskRef, result: Result<(), Refusal>) {
        if let Err(refusal) = result {
            self.refuse(task, &refusal);
            self.clean_up(&refusal);
        }
    }

    /// Puts a part of what the calling thread runs into the queue, for whoever is idle. If nobody
    /// comes, the caller will; so a closed pool takes it too.
    ///
    /// If the queue knows priorities, it comes before all that has not begun. It needs no room, and
    /// counts as stale all the time: nobody has submitted it.
    pub(super) fn offer(&self, part: TaskRef) {
        // ORDERING: relaxed; a count that guards nothing.
        self.stale.fetch_add(1, Ordering::Relaxed);
        let is_pending = part.enqueue();
        debug_assert!(is_pending, "only the caller could have cancelled it");
        self.queue.push(part, i32::MAX, worker::lane_in(self.id));
        self.summon_others();
    }

    /// Whether a closed pool still takes this: what goes on with a task that one of its own workers
    /// is at, as long as it runs what is queued. That worker looks at the queue before it leaves.
    fn may_continue(&self, patience: Patience) -> bool {
        patience == Patience::Continuation
            && !self.crew.is_cancelling()
            && task::host_owner() == Some(self.id)
    }

    /// Puts many tasks that nobody else has heard of into the queue and wakes as many workers as
    /// they need, once.
    pub(super) fn enqueue_all(
        &self,
        tasks: impl Iterator<Item = TaskRef>,
        priority: i32,
    ) -> Result<(), Refusal> {
        if let Some(refusal) = self.refusal() {
            return Err(refusal);
        }
        let lane = worker::lane_in(self.id);
        let mut group = Vec::with_capacity(GROUP);
        for task in tasks {
            let is_watched = self.watch_begin(&task)?;
            if Self::mark_queued(&task, is_watched) {
                group.push(task);
            }
            if group.len() == GROUP {
                self.queue.push_all(&mut group, priority, lane);
            }
        }
        self.queue.push_all(&mut group, priority, lane);
        self.summon()
    }

    /// Sees that the task fails in time if it has to begin within some time and does not. Whether
    /// there is such a time.
    #[inline]
    fn watch_begin(&self, task: &TaskRef) -> Result<bool, Refusal> {
        match task.settings() {
            Some(settings) if settings.begin_within.is_some() => self.limit_waiting(task),
            _ => Ok(false),
        }
    }

    #[cold]
    fn limit_waiting(&self, task: &TaskRef) -> Result<bool, Refusal> {
        let pool = self.this.clone();
        let give_up = move |late: &TaskRef| {
            if let Some(pool) = pool.upgrade() {
                pool.give_up_waiting(late);
            }
        };
        self.begin_limits
            .watch(&self.timer, task, give_up)
            .map(|()| true)
            .map_err(|error| Refusal::NoWorker(Arc::new(error)))
    }

    /// The time is over within which the task was to begin.
    fn give_up_waiting(&self, task: &TaskRef) {
        self.begin_limits.met(&self.timer, task);
        let limit = task.settings().and_then(|it| it.begin_within).unwrap_or_default();
        let Some(pool) = self.this.upgrade() else { return };
        let late = task.clone();
        // Dropping the call, and telling whoever waits, is other people's code.
        apart("not begun", move || {
            let Some(begun) = late.begin() else { return };
            trap!("not begun, threads");
            // First, so that whoever sees that it is over sees it counted.
            // ORDERING: relaxed; a count that guards nothing.
            pool.failed.fetch_add(1, Ordering::Relaxed);
            if late.snapshot().is_queued() {
                pool.count_stale();
            }
            begun.fail(late.error(TaskErrorKind::NotBegun { limit }));
        });
    }

    pub(super) fn is_bounded(&self) -> bool {
        self.bound.is_some()
    }

    /// Sees that somebody comes for what lies in the queue.
    fn summon(&self) -> Result<(), Refusal> {
        self.answer(self.crew.summon(|| self.to_be_run()))
    }

    /// How many workers the queue could occupy. Stale entries occupy none; but their count may be
    /// ahead of the queue for a moment, so it never says that nobody is needed while there is an entry.
    fn to_be_run(&self) -> usize {
        // ORDERING: relaxed; a count that guards nothing.
        let stale = self.stale.load(Ordering::Relaxed);
        let length = self.queue.len();
        if stale > isize::MAX as usize {
            length
        } else {
            length.saturating_sub(stale).max(length.min(1))
        }
    }

    /// Wakes and starts the threads that were summoned.
    #[inline]
    fn answer(&self, summons: Summons) -> Result<(), Refusal> {
        if summons.is_nobody() { Ok(()) } else { self.call_for(summons) }
    }

    #[cold]
    fn call_for(&self, summons: Summons) -> Result<(), Refusal> {
        for seat in summons.wake {
            seat.parker.unpark();
        }
        if summons.is_stranded {
            return Err(self.refusal().unwrap_or(Refusal::ShutDown));
        }
        let mut refused = None;
        for _ in 0..summons.start {
            if let Err(error) = self.start_thread() {
                let is_deserted = self.crew.start_failed();
                refused = is_deserted.then(|| Refusal::NoWorker(Arc::new(error)));
            }
        }
        refused.map_or(Ok(()), Err)
    }

    fn start_thread(&self) -> std::io::Result<()> {
        let Some(pool) = self.this.upgrade() else {
            return Ok(());
        };
        let index = self.crew.next_index();
        let name = format!("{}_{index}", self.settings.thread_name_prefix);
        let body = move || worker::main(pool);
        let thread = thread::spawn(name, self.settings.stack_size, body)?;
        // A thread that has returned may still be in destructors of its thread-locals: nobody who
        // submits should wait for those, so it is let go and not joined.
        let mut threads = self.threads.lock();
        threads.retain(|it| !thread::is_finished(it));
        threads.push(thread);
        Ok(())
    }

    // ---- out --------------------------------------------------------------------------------

    /// The next entry of the queue. It may be stale, as whoever begins it will see: to look at it
    /// here would only bring it to this processor twice.
    pub(super) fn next(&self, tour: &mut Tour) -> Option<TaskRef> {
        self.queue.pop(tour)
    }

    /// The entry of a task, if it is the newest in this lane.
    pub(super) fn take_newest(&self, lane: Lane, task: &TaskRef) -> Option<TaskRef> {
        self.queue.pop_newest(lane, |entry| entry.address() == task.address())
    }

    /// A lane of the queue for a worker that is about to serve.
    pub(super) fn take_lane(&self) -> Option<Lane> {
        self.queue.take_lane()
    }

    pub(super) fn return_lane(&self, lane: Lane) {
        self.queue.return_lane(lane);
    }

    pub(super) fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    /// An entry was popped whose task had been cancelled or helped.
    pub(super) fn forget_stale(&self) {
        // ORDERING: relaxed; a count that guards nothing.
        self.stale.fetch_sub(1, Ordering::Relaxed);
    }

    /// The task of an entry that stays in the queue was cancelled or helped.
    ///
    /// Stale entries go when they are popped; but a pool whose workers are busy with tasks that
    /// cancel, or help, would gather them without end. So they are swept when they are the greater
    /// part of the queue, which makes the cost of it constant for each.
    pub(super) fn count_stale(&self) {
        // ORDERING: relaxed; a count that guards nothing.
        self.stale.fetch_add(1, Ordering::Relaxed);
        self.sweep();
        self.release_room();
    }

    /// Takes out stale entries, if they are too many.
    pub(super) fn sweep(&self) {
        // ORDERING: relaxed; a count that guards nothing.
        let stale = self.stale.load(Ordering::Relaxed);
        if stale >= SWEEP && stale <= isize::MAX as usize && stale > self.queue.len() / 2 {
            let swept = self.queue.sweep(|task| !task.snapshot().is_pending());
            // ORDERING: relaxed, as above.
            self.stale.fetch_sub(swept.len(), Ordering::Relaxed);
        }
    }

    /// One task less waits.
    pub(super) fn release_room(&self) {
        if let Some(bound) = &self.bound {
            bound.release(1);
        }
    }

    /// A worker has begun a task that it has popped: one less waits.
    pub(super) fn popped(&self, task: &TaskRef) {
        if is_part(task) { self.forget_stale() } else { self.release_room() }
    }

    /// Runs a task that this thread has begun, on behalf of a worker.
    pub(super) fn run(&self, seat: &Seat, begun: Begun<'_>) -> End {
        match begun.task().settings() {
            None => {
                seat.count_begun();
                trap!("run");
                let end = begun.run();
                seat.count_end(end);
                end
            }
            Some(settings) if settings.is_part => begun.run(),
            Some(_) => self.run_within_limits(seat, begun),
        }
    }

    fn run_within_limits(&self, seat: &Seat, begun: Begun<'_>) -> End {
        seat.count_begun();
        let task = begun.task();
        trap!("run");
        self.begin_limits.met(&self.timer, task);
        let alarm = match task.settings().and_then(|it| it.timeout).map(deadline_after) {
            Some(Some(at)) => {
                let late = task.clone();
                match self.timer.set(at, move || expire(&late)) {
                    Ok(alarm) => Some(alarm),
                    Err(error) => {
                        let refusal = Refusal::NoWorker(Arc::new(error));
                        let error = task.error(TaskErrorKind::Refused(refusal));
                        begun.fail(error);
                        seat.count_end(End::Failed);
                        return End::Failed;
                    }
                }
            }
            _ => None,
        };
        let end = begun.run();
        if let Some(alarm) = alarm {
            self.timer.cancel(alarm);
        }
        seat.count_end(end);
        end
    }

    /// A searching worker has found a task; if it was the last one that searched, it sees that
    /// somebody comes for the rest.
    pub(super) fn found(&self) {
        if self.crew.found() && self.has_queued() {
            self.summon_others();
        }
    }

    /// Sees that somebody comes for what lies in the queue, where nobody is to be told of a
    /// refusal: a thread that cannot be started is then no worse than a busy one, for this worker
    /// will look again itself, or has just ended what was queued.
    pub(super) fn summon_others(&self) {
        let _ = self.summon();
    }

    pub(super) fn begin_initializing(&self) {
        let summons = self.crew.begin_initializing(|| self.to_be_run());
        let _ = self.answer(summons);
    }

    /// The last worker has left a closed pool: nothing can time out any more.
    pub(super) fn end_timer(&self) {
        self.timer.close();
    }

    /// How many tasks have been cancelled before they began.
    pub(super) fn cancelled(&self) -> usize {
        // ORDERING: relaxed; a count that guards nothing.
        self.cancelled.load(Ordering::Relaxed)
    }

    pub(super) fn end_blocking(&self, why: Blocking) {
        if let Some(spare) = self.crew.end_blocking(why) {
            spare.parker.unpark();
        }
    }

    pub(super) fn begin_blocking(&self, why: Blocking) {
        let summons = self.crew.begin_blocking(why, || self.to_be_run());
        let _ = self.answer(summons);
    }

    /// Sets how many threads should run tasks at once.
    pub(super) fn resize(&self, limit: usize) {
        for seat in self.crew.resize(limit) {
            seat.parker.unpark();
        }
        self.summon_others();
    }

    pub(super) fn queued(&self) -> usize {
        // ORDERING: relaxed; a count that guards nothing.
        let stale = self.stale.load(Ordering::Relaxed);
        // Both are read at different moments, and `stale` may have wrapped.
        let queued = self.queue.len().wrapping_sub(stale);
        if queued > isize::MAX as usize { 0 } else { queued }
    }

    pub(super) fn stats(&self) -> Stats {
        let (tally, workers, idle) = self.crew.tally();
        // ORDERING: relaxed; counts that guard nothing.
        let cancelled = self.cancelled.load(Ordering::Relaxed);
        // ORDERING: relaxed, as above.
        let failed = self.failed.load(Ordering::Relaxed);
        let ended = tally.finished + tally.failed + tally.cancelled;
        Stats {
            queued: self.queued(),
            running: tally.begun.saturating_sub(ended),
            finished: tally.finished,
            failed: tally.failed + failed,
            cancelled: tally.cancelled + cancelled,
            workers,
            idle,
        }
    }
}

impl Owner for Pool {
    fn task_cancelled(&self, task: &TaskRef) {
        if is_part(task) {
            return;
        }
        self.begin_limits.met(&self.timer, task);
        // ORDERING: relaxed; a count that guards nothing.
        self.cancelled.fetch_add(1, Ordering::Relaxed);
        self.count_stale();
    }

    fn help(&self, task: &TaskRef) -> bool {
        self.this.upgrade().is_some_and(|pool| guest::help(pool, task))
    }

    /// If several tasks are queued, no processor is idle.
    fn advise(&self, _task: &TaskRef, _offers_time: bool) -> Advice {
        if self.queued() > 1 { Advice::Sleep } else { Advice::Look }
    }

    fn stop_requested(&self, _task: &TaskRef) {
        // The task sees the request itself when it asks.
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        task::unregister(self.id);
        // Nobody is left to come for what is queued, if anything is.
        while let Some(task) = self.queue.pop(&mut Tour::default()) {
            self.lose(&task, &Refusal::ShutDown);
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
