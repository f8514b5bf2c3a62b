//! One worker: its loop, its state, and what the code that it runs can ask of it.

use super::crew::Rest;
use super::fork::Desk;
use super::pool::Pool;
use super::seat::Seat;
use crate::error::{BrokenCause, TaskError, TaskErrorKind, TaskPanic};
use crate::queue::{Lane, Tour};
use crate::sync::deadline_after;
use crate::sync::global::OnceLock;
use crate::sync::thread::const_thread_local;
use crate::sync::{Arc, Asleep, Spin, trap};
use crate::sys;
use crate::task::{self, Blocking, Host, OwnerId, TaskRef};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// How long a worker dozes while guests run the tasks: the time that a task may have to wait which
/// nobody waits for.
const DOZE_FOR_GUESTS: Duration = Duration::from_millis(1);

/// From how many guests on a worker dozes. To be woken for one now and then costs less.
const SEVERAL: usize = if cfg!(concurrent_futures_loom) { 1 } else { 4 };

/// How long a worker dozes whose waits are shorter than it takes to wake it; twice as long if another one
/// dozes already, and so on. A million tiny tasks took the same time with 50, 100, 200 and 400 µs.
const DOZE: Duration = Duration::from_micros(100);

/// How long it dozes at the most.
const LONGEST_DOZE: Duration = Duration::from_millis(1);

/// After so many tasks that came one by one, a worker sees whether they are a stream.
const STREAK: i32 = 16;

/// For so long: 1 µs here. Twice and four times that gained nothing more.
const PAUSE: usize = 40;

/// So many are one: more than callers that each wait for their result would have there.
const STREAM: usize = 4;

/// How many tasks it takes to see again: 1 µs in 80 tasks is not much even for those who wait for each.
const SELDOM: i32 = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// In the initializer: counted, and not yet able to run tasks.
    Initializing,
    Serving,
    /// In the finalizer: not counted any more.
    Leaving,
}

struct Worker {
    pool: Arc<Pool>,
    seat: Arc<Seat>,
    /// Its waits for work.
    spin: Spin,
    /// How many guests there had been when it last looked.
    received: Cell<usize>,
    /// How often in a row it found a task while it was looking.
    streak: Cell<i32>,
    desk: Desk,
    /// What the initializer made. It is lent to one task at a time.
    state: RefCell<Option<Box<dyn Any>>>,
    stage: Cell<Stage>,
    /// How many blocking calls it is in. They are nested, and the crew hears of the outermost.
    blocked: Cell<usize>,
}

const_thread_local! { static WORKER: RefCell<Option<Rc<Worker>>> = RefCell::new(None) }

const_thread_local! { static SERVES: Cell<Option<OwnerId>> = Cell::new(None) }

const_thread_local! {
    /// Where this thread puts what it submits, and the pool that this is good for.
    static LANE: Cell<Option<(OwnerId, Lane)>> = Cell::new(None)
}

/// The lane of this thread, if it serves the pool `owner`.
pub(super) fn lane_in(owner: OwnerId) -> Option<Lane> {
    LANE.with(Cell::get).filter(|(pool, _)| *pool == owner).map(|(_, lane)| lane)
}

/// Whether this thread is a worker of the pool `owner`, also when it has left and runs the
/// destructors of its thread-locals: it must not wait for its own end.
pub(super) fn serves(owner: OwnerId) -> bool {
    SERVES.with(Cell::get) == Some(owner)
}

/// The life of a worker thread.
pub(super) fn main(pool: Arc<Pool>) {
    SERVES.with(|serves| serves.set(Some(pool.id)));
    let seat = pool.crew.join();
    if let Err(panic) = task::catch(|| work(&pool, &seat)) {
        fall(&pool, &seat, panic);
    }
    pool.crew.depart(|| pool.end_timer());
}

/// What a worker does when it has panicked, and not a task of its: nobody waits for it any more, and the
/// pool is broken, for it may have left anything half done.
fn fall(pool: &Arc<Pool>, seat: &Arc<Seat>, panic: TaskPanic) {
    LANE.with(|own| own.set(None));
    // With the last of it goes its state, which is the user's.
    task::contain(|| {
        WORKER.with(|slot| drop(slot.replace(None)));
        task::set_host(None);
    });
    task::on_behalf_of(pool.id, || pool.collapse(panic));
    pool.crew.fall(seat);
}

fn work(pool: &Arc<Pool>, seat: &Arc<Seat>) {
    let settings = &pool.settings;
    let _place = settings.timeline.as_ref().map(|it| it.seat_thread(&settings.thread_name_prefix));
    let worker = Rc::new(Worker {
        pool: Arc::clone(pool),
        seat: Arc::clone(seat),
        spin: Spin::new(),
        received: Cell::new(0),
        streak: Cell::new(0),
        desk: Desk::of_worker(Arc::clone(pool)),
        state: RefCell::new(None),
        stage: Cell::new(Stage::Initializing),
        blocked: Cell::new(0),
    });
    task::set_host(Some(Rc::clone(&worker) as Rc<dyn Host>));
    WORKER.with(|slot| slot.replace(Some(Rc::clone(&worker))));
    if let Err(cause) = worker.initialize() {
        pool.break_down(cause);
    }
    worker.stage.set(Stage::Serving);
    let lane = pool.take_lane();
    LANE.with(|own| own.set(lane.map(|lane| (pool.id, lane))));
    worker.desk.open(|| worker.serve(Tour::along(lane)));
    LANE.with(|own| own.set(None));
    if let Some(lane) = lane {
        pool.return_lane(lane);
    }
    worker.stage.set(Stage::Leaving);
    worker.finalize();
    WORKER.with(|slot| drop(slot.replace(None)));
    task::set_host(None);
}

/// Lends the state of this worker to `code`.
///
/// # Panics
///
/// If this is no worker with a state of that type: only tasks that were submitted for it call this.
pub(super) fn with_state<S: 'static, R>(code: impl FnOnce(&mut S) -> R) -> R {
    let worker = WORKER.try_with(|slot| slot.borrow().clone()).ok().flatten();
    let Some(worker) = worker else {
        unreachable!("a task for a worker's state runs on a worker");
    };
    let mut state = worker.state.borrow_mut();
    match state.as_mut().and_then(|state| state.downcast_mut()) {
        Some(state) => code(state),
        None => unreachable!("a worker runs tasks only if its initializer made the state"),
    }
}

impl Worker {
    /// Whether the crew counts this worker.
    fn is_counted(&self) -> bool {
        self.stage.get() != Stage::Leaving
    }

    /// Runs the initializer, if there is one. Meanwhile the worker does not count as searching, for
    /// an initializer may take its time.
    fn initialize(&self) -> Result<(), BrokenCause> {
        const FAILED: &str = "the initializer of a worker failed";

        let Some(initializer) = &self.pool.settings.initializer else {
            self.state.replace(Some(Box::new(())));
            return Ok(());
        };
        self.pool.begin_initializing();
        let made = task::catch(initializer);
        self.pool.crew.end_initializing();
        match made {
            Ok(Ok(state)) => {
                self.state.replace(Some(state));
                Ok(())
            }
            Ok(Err(error)) => Err(BrokenCause::new(FAILED, error)),
            Err(panic) => {
                let label = Some("initializer".into());
                let panic = TaskErrorKind::Panicked(task::told(panic));
                Err(BrokenCause::new(FAILED, TaskError::labelled(panic, label)))
            }
        }
    }

    /// Hands the state to the finalizer, or drops it.
    fn finalize(&self) {
        let finalizer = self.pool.settings.finalizer.as_ref();
        if let Some(state) = self.state.take() {
            task::contain(|| match finalizer {
                Some(finalizer) => finalizer(state),
                None => drop(state),
            });
        }
    }

    /// Runs tasks until it is time to leave.
    fn serve(&self, mut tour: Tour) {
        let crew = &self.pool.crew;
        let mut is_searching = true;
        loop {
            if crew.may_be_too_many()
                && let Rest::Leave(_) = self.leave_if_too_many(is_searching)
            {
                return;
            }
            if let Some(task) = self.pool.next(&mut tour) {
                if is_searching {
                    is_searching = false;
                    let in_hand = InHand(&task);
                    trap!("found");
                    self.pool.found();
                    std::mem::forget(in_hand);
                }
                self.run(task);
                continue;
            }
            if !is_searching {
                is_searching = true;
                crew.search();
            }
            if self.doze() {
                continue;
            }
            let asleep = self.look().err();
            if self.pool.has_queued() {
                continue;
            }
            trap!("rest");
            match crew.rest(&self.seat, || !self.pool.has_queued()) {
                Rest::GoOn => {}
                Rest::Leave(others) => return self.leave(others),
                Rest::Sleep => {
                    if let Rest::Leave(others) = self.sleep() {
                        return self.leave(others);
                    }
                    if let Some(asleep) = asleep {
                        self.spin.slept(asleep);
                    }
                }
            }
        }
    }

    /// Sleeps for a while, still counted as searching, and looks again, where others run the tasks
    /// faster than this worker could be woken for them. Meanwhile nobody wakes it.
    fn doze(&self) -> bool {
        let crew = &self.pool.crew;
        if crew.is_closed() {
            return false;
        }
        if self.guests_come() {
            self.doze_for(DOZE_FOR_GUESTS);
            return true;
        }
        if !self.spin.is_worth_it() {
            return false;
        }
        let Some(dozing) = crew.begin_dozing(self.most_awake()) else { return false };
        let times = u32::try_from(dozing).unwrap_or(u32::MAX);
        self.doze_for(DOZE.saturating_mul(times).min(LONGEST_DOZE));
        crew.end_dozing();
        self.spin.dozed(self.pool.has_queued());
        true
    }

    fn doze_for(&self, time: Duration) {
        // In the model, where no time passes, it is over at once.
        if !cfg!(concurrent_futures_loom) {
            self.seat.parker.park_until(deadline_after(time));
        }
    }

    /// Where callers help: whether several have since this worker last looked, and no other dozes for
    /// them.
    fn guests_come(&self) -> bool {
        let crew = &self.pool.crew;
        if !self.pool.settings.caller_helps || crew.searching() > 1 {
            return false;
        }
        let received = crew.received();
        received.wrapping_sub(self.received.replace(received)) >= SEVERAL
    }

    /// How many workers stay awake to look for work: half of them, since each that finds a task
    /// summons the next (that is also Tokio's rule), and of the processors.
    fn most_awake(&self) -> usize {
        static PROCESSORS: OnceLock<usize> = OnceLock::new();

        match self.pool.settings.max_workers / 2 {
            0 | 1 => 1,
            half => half.min(PROCESSORS.get_or_init(sys::usable_processors) / 2).max(1),
        }
    }

    /// Looks for work for a moment, or for the end, unless enough others do.
    fn look(&self) -> Result<(), Asleep> {
        let crew = &self.pool.crew;
        let is_there = || self.pool.has_queued() || crew.is_closed();
        self.spin.until(is_there, || crew.awake() > self.most_awake())?;
        self.gather();
        Ok(())
    }

    /// Lets a stream of tasks get a little ahead. A worker that takes each of them the moment it comes, and is
    /// faster than their submitter, has every word that both write to fetched from the other's processor, task
    /// by task: 220 ns each instead of 130, with one worker. Where no stream is seen to come in a
    /// microsecond, one is not expected for a while.
    fn gather(&self) {
        let streak = self.streak.get() + 1;
        self.streak.set(streak);
        if streak < STREAK {
            return;
        }
        (0..PAUSE).for_each(|_| std::hint::spin_loop());
        let is_stream = self.pool.queued() >= STREAM;
        self.streak.set(if is_stream { STREAK } else { -SELDOM });
    }

    fn leave_if_too_many(&self, is_searching: bool) -> Rest {
        let rest = self.pool.crew.leave_if_too_many(&self.seat, is_searching);
        if let Rest::Leave(others) = rest {
            self.leave(others);
        }
        rest
    }

    /// The last thing that a worker does, when it is not counted any more.
    fn leave(&self, others: bool) {
        if others && self.pool.has_queued() {
            self.pool.summon_others();
        }
    }

    /// Sleeps until it is woken, for work or for the end, or until its keep-alive is over.
    fn sleep(&self) -> Rest {
        let crew = &self.pool.crew;
        let deadline = self.pool.settings.keep_alive.and_then(deadline_after);
        if !self.seat.parker.park_until(deadline) {
            match crew.retire(&self.seat, || !self.pool.has_queued()) {
                // Somebody has just woken it after all: take that token.
                Rest::Sleep => self.seat.parker.park(),
                rest => return rest,
            }
        }
        Rest::GoOn
    }

    fn run(&self, task: TaskRef) {
        if self.pool.crew.is_cancelling() {
            return self.pool.discard(&task);
        }
        self.begin(task);
    }

    /// Runs the task of an entry, unless it has been begun or ended meanwhile.
    fn begin(&self, task: TaskRef) -> bool {
        // A worker that drops the last reference drops the memory only: the closure is gone and
        // the outcome is the handle's, or gone too.
        match task.begin_last() {
            Ok(begun) => {
                self.pool.popped(begun.task());
                self.pool.run(&self.seat, begun);
                true
            }
            Err(_stale) => {
                self.pool.forget_stale();
                false
            }
        }
    }
}

/// A task that has been taken out of the queue, as long as a panic would lose it.
struct InHand<'a>(&'a TaskRef);

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        // What has begun and is not run ends.
        drop(self.0.begin());
    }
}

impl Host for Worker {
    fn owner(&self) -> OwnerId {
        self.pool.id
    }

    fn help(&self, task: &TaskRef) -> bool {
        let needs_state = task.settings().is_some_and(|it| it.needs_state);
        let is_state_lent = self.state.try_borrow_mut().is_err();
        let may_run = task.owner() == self.pool.id
            && self.stage.get() == Stage::Serving
            && self.desk.has_room();
        if !may_run || (needs_state && is_state_lent) {
            return false;
        }
        // Mostly it is what the running task has submitted last: then nothing is left in the queue.
        let newest = lane_in(self.pool.id).and_then(|lane| self.pool.take_newest(lane, task));
        if let Some(entry) = newest {
            return self.desk.within_another(|| self.begin(entry));
        }
        let Some(begun) = task.begin_ready() else {
            return false;
        };
        self.pool.count_stale();
        self.desk.within_another(|| self.pool.run(&self.seat, begun));
        true
    }

    fn begin_blocking(&self, why: Blocking) {
        let depth = self.blocked.replace(self.blocked.get() + 1);
        if depth == 0 && self.stage.get() == Stage::Initializing {
            self.pool.crew.pause_initializing(true);
        }
        if depth == 0 && self.is_counted() {
            self.desk.share_all();
            self.pool.begin_blocking(why);
        }
    }

    fn end_blocking(&self, why: Blocking) {
        let depth = self.blocked.get() - 1;
        self.blocked.set(depth);
        if depth == 0 && self.is_counted() {
            self.pool.end_blocking(why);
        }
        if depth == 0 && self.stage.get() == Stage::Initializing {
            self.pool.crew.pause_initializing(false);
        }
    }

    fn is_stopping(&self) -> bool {
        self.pool.is_stopping()
    }
}
