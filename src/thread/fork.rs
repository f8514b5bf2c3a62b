//! Forks: the halves of [`join`](super::join()) that another worker may take, and how it comes to them.
//!
//! A fork is a closure on the stack of the worker that made it. It is *private* at first: nobody
//! else knows of it, and making it and taking it back are a few plain writes to the worker's own
//! [`Desk`]. Only when somebody has use for it does the worker *share* it: as a [`Part`], which is a
//! task like any other, whose body is a pointer to the fork. No atomic is written before that.
//!
//! ```text
//!             pop, newest first                   begin (a worker, or the waiter below)
//!  PRIVATE ----------------------> run here    +-----------------------------------------> TAKEN
//!     |                                        |                                             |
//!     +--- share, oldest first ---> SHARED ----+                                             | over
//!                                              |    cancel (whoever made it, or the pool)    v
//!                                              +------------------------------> run here    DONE
//! ```
//!
//! # When a fork is shared
//!
//! At each fork the worker reads two words, and shares its oldest private fork, which is the largest
//! as a rule, if
//!
//! - the crew's word says that a worker is idle or might be started; or
//! - somebody waits for the part that this worker runs, and has asked for a part of it; or
//! - it has no private fork yet. Nobody may want it now; but this worker may not fork again for
//!   long, and should a worker become idle meanwhile, it finds the part in the queue.
//!
//! A worker also shares all of them before it blocks. If one was shared in vain, for its maker came
//! back before anybody else came for it, or because it was over in no time, it lets some time pass
//! before the next, so that many small forks in a row cost little, however many workers are idle.
//!
//! # Waiting for a part
//!
//! The maker of a fork comes back for it. It cancels the part, if nobody has begun it, and runs the
//! fork itself. Otherwise it waits; and meanwhile it runs parts of that part, and nothing else: the
//! part cannot be done before they are, so this needs no lock and no stack that waiting for them
//! would not need. It asks the worker that runs the part by a word of it, which that worker reads at
//! each of its forks:
//!
//! ```text
//!  maker (waits)                              runner (forks)
//!  -------------                              --------------
//!  word: NOTHING --> ASKED                    reads ASKED: makes a part of its oldest private fork,
//!  spins, then parks                            puts it into `gift`; word: ASKED --> GIVEN; unpark
//!  reads GIVEN: takes it, runs it, asks       ends: OVER; unpark
//! ```
//!
//! Only the maker writes `ASKED`, only the runner answers it. The parker keeps a token that comes
//! before the maker sleeps, and the maker looks at both words after each token, so no wake-up is
//! lost. What is given may be taken back by the runner in the meantime, like any part: then the maker
//! finds it cancelled, and asks again.
//!
//! # Why nobody waits for ever
//!
//! Who waits for a part waits for a thread that has begun it. That one runs, or waits for a part
//! that was made later within it; there is no circle in "made within". What a worker piles upon its
//! stack while it waits was made within what it waits for. And a worker that blocks says so to the
//! crew, as at any wait.
//!
//! # Why nobody touches a fork that is gone
//!
//! The fork lives until its maker has taken it back, or has seen `OVER`. It is reached through the
//! body of its part only, by the one that has won `begin`; the maker has it back if it wins `cancel`
//! instead, and the task's word lets only one of them win. `OVER` is set by the guard of the task,
//! which is dropped after the body has run or has been dropped, on every path; nothing of the part
//! touches the fork after that.
//!
//! # Segments
//!
//! A worker that runs a task, or a part, upon another has the forks of both at its desk. Those of
//! the upper one form a *segment*, and only they are shared while it runs: just these are parts of
//! what it runs. A part runs as what its maker was when it forked: with its task as the current one,
//! which is asked to stop, has a label, and so on. It is the same for all forks of a segment, but for
//! callbacks that come in between; so they are shared only by who is still the same.

use super::call::{Carry, within};
use super::part::{Ended, Part};
use super::pool::Pool;
use crate::sync::thread::const_thread_local;
use crate::sync::{Arc, Parker, Spin};
use crate::task::{self, AbortOnUnwind, Blocking, Body, Cancelled, Fresh, Standing, TaskRef};
use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::time::{Duration, Instant};

/// How many forks a worker can have at once; what is forked beyond them is run in order. A balanced
/// recursion needs one for each level.
const PLACES: usize = 256;

/// How deep a worker runs tasks within tasks that wait for them, as long as half of its stack is
/// free. Beyond this it blocks instead, and a spare thread goes on with a stack of its own.
const HELP_DEPTH: usize = 128;

/// What the standard library gives a thread unless it is told otherwise. A program that is told to
/// use larger stacks by `RUST_MIN_STACK` helps less deep than it could.
const DEFAULT_STACK: usize = 2 << 20;

/// Roughly how far the stack has grown.
#[cfg(not(concurrent_futures_loom))]
fn stack_position() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&here)).addr()
}

/// The model's threads have stacks of another kind, and no deep ones.
#[cfg(concurrent_futures_loom)]
fn stack_position() -> usize {
    0
}

/// A fork that is back sooner than this was shared in vain: to share it, and perhaps to wake somebody,
/// takes some microseconds.
const WORTHWHILE: Duration = Duration::from_micros(10);

/// For how long a worker shares nothing more for a reason for which it has done so in vain.
#[cfg(not(concurrent_futures_loom))]
const QUIET: Duration = Duration::from_micros(100);
#[cfg(concurrent_futures_loom)]
const QUIET: Duration = Duration::ZERO;

/// How many occasions to share pass in a quiet time before the clock is looked at again.
const LEFT_OUT: u32 = 7;

/// A fork on the stack of its maker: where it is, and how to run it.
#[derive(Clone, Copy)]
pub(super) struct Fork {
    pub(super) place: NonNull<()>,
    /// To be called once, while the maker keeps the fork, by whoever has the right to it.
    pub(super) run: unsafe fn(NonNull<()>),
}

/// The body of a part.
struct Stolen {
    fork: Fork,
    part: Arc<Part>,
    standing: Standing,
    carry: Option<Carry>,
    ended: Option<Ended>,
}

// SAFETY: the closure of the fork can be sent, by the bounds of `join`; whose standing it is lives on
// as long as the fork, see `Standing`; all else can be sent anyway.
unsafe impl Send for Stolen {}

impl Body for Stolen {
    type Output = ();
    type Guard = Option<Ended>;

    fn guard(&mut self) -> Option<Ended> {
        self.ended.take()
    }

    fn run(self) {
        let Stolen { fork, part, standing, carry, ended: _ } = self;
        let run = || {
            // SAFETY: a body is run once, by who has won `begin`; the fork is kept until `Ended`,
            // the guard of this body, is dropped, which is after it has run.
            unsafe { (fork.run)(fork.place) };
            // Not before: a context hook may panic instead of calling this.
            part.note_run();
        };
        let run = || match carry {
            None => run(),
            Some(carry) => within(carry, run),
        };
        // SAFETY: the standing is that of the maker of the fork, and inside of what it was then; so
        // its task is kept until the fork is.
        let run = || unsafe { task::stand_in_for(standing, run) };
        Desk::with(|desk| match desk {
            Some(desk) => desk.segment(&part, run),
            None => run(),
        });
    }
}

/// Why a fork was shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// Somebody was idle.
    Idle,
    /// Somebody might be, later.
    First,
    /// Somebody asked for it.
    Asked,
    /// Its maker was about to block.
    Blocking,
}

/// A fork that was shared, as its maker remembers it.
struct Shared {
    task: TaskRef,
    part: Arc<Part>,
    reason: Reason,
    since: Instant,
}

/// Where a thread keeps its forks: a worker, or one that works for a pool while it calls
/// [`ThreadPoolHandle::join`](super::ThreadPoolHandle::join). Only the thread itself ever sees it.
pub(super) struct Desk {
    /// How many forks there are, shared ones included.
    top: Cell<usize>,
    /// The oldest private fork of the present segment; `top` if there is none.
    oldest: Cell<usize>,
    /// The part that this thread runs.
    part: Cell<NonNull<Part>>,
    pool: Arc<Pool>,
    /// How many tasks it runs within tasks, and where its stack begins, as far as it knows.
    depth: Cell<usize>,
    stack: usize,
    is_worker: bool,
    /// Who made the forks of the present segment.
    standing: Cell<Standing>,
    /// So many occasions to share are to be left out.
    leave_out: Cell<u32>,
    /// The shared ones, the newest last.
    shared: RefCell<Vec<Shared>>,
    parker: Arc<Parker>,
    /// Its waits for parts.
    spin: Spin,
    /// What stands for a part where the worker runs none: nobody asks for it.
    none: Arc<Part>,
    /// Empty in a pool with a context hook: there a fork is shared when it is made or not at all, for
    /// that is the moment whose context it carries.
    places: Box<[Cell<Option<Fork>>]>,
}

const_thread_local! { static DESK: Cell<Option<NonNull<Desk>>> = Cell::new(None) }

const_thread_local! {
    /// For each reason, when this thread last shared a fork in vain.
    static IN_VAIN: Cell<[Option<Instant>; 4]> = Cell::new([None; 4])
}

impl Desk {
    pub(super) fn of_worker(pool: Arc<Pool>) -> Self {
        Self::new(pool, true)
    }

    pub(super) fn of_caller(pool: Arc<Pool>) -> Self {
        Self::new(pool, false)
    }

    fn new(pool: Arc<Pool>, is_worker: bool) -> Self {
        let parker = Arc::new(Parker::new());
        let none = Arc::new(Part::new(&parker));
        let places = if pool.settings.context.is_some() { 0 } else { PLACES };
        Desk {
            top: Cell::new(0),
            oldest: Cell::new(0),
            part: Cell::new(NonNull::from(&*none)),
            pool,
            depth: Cell::new(0),
            stack: stack_position(),
            is_worker,
            standing: Cell::new(Standing::default()),
            leave_out: Cell::new(0),
            shared: RefCell::default(),
            parker,
            spin: Spin::new(),
            none,
            places: (0..places).map(|_| Cell::new(None)).collect(),
        }
    }

    /// Makes this the desk of this thread while `code` runs.
    pub(super) fn open<R>(&self, code: impl FnOnce() -> R) -> R {
        struct Closed(Option<NonNull<Desk>>);
        impl Drop for Closed {
            fn drop(&mut self) {
                DESK.with(|desk| desk.set(self.0));
            }
        }
        let _closed = Closed(DESK.with(|desk| desk.replace(Some(NonNull::from(self)))));
        code()
    }

    /// Calls `code` with the desk of this thread, if it has one.
    #[inline]
    pub(super) fn with<R>(code: impl FnOnce(Option<&Desk>) -> R) -> R {
        // SAFETY: the pointer is there while `open` is on this thread's stack, and borrows the desk;
        // this call ends before that one does.
        code(DESK.with(Cell::get).map(|desk| unsafe { &*desk.as_ptr() }))
    }

    pub(super) fn is_of(&self, pool: &Arc<Pool>) -> bool {
        Arc::ptr_eq(&self.pool, pool)
    }

    /// Runs `code` as a segment of its own: a part, or a task upon another.
    fn segment<R>(&self, part: &Part, code: impl FnOnce() -> R) -> R {
        struct Closed<'a> {
            desk: &'a Desk,
            part: NonNull<Part>,
            oldest: usize,
            standing: Standing,
        }
        impl Drop for Closed<'_> {
            fn drop(&mut self) {
                self.desk.part.set(self.part);
                self.desk.oldest.set(self.oldest);
                self.desk.standing.set(self.standing);
            }
        }
        let _closed = Closed {
            desk: self,
            part: self.part.replace(NonNull::from(part)),
            oldest: self.oldest.replace(self.top.get()),
            standing: self.standing.get(),
        };
        code()
    }

    /// Whether there is stack for one more task within a task.
    pub(super) fn has_room(&self) -> bool {
        let size = self.pool.settings.stack_size.unwrap_or(DEFAULT_STACK);
        self.depth.get() < HELP_DEPTH && self.stack.abs_diff(stack_position()) < size / 2
    }

    /// Runs a task upon whatever this thread runs.
    pub(super) fn within_another<R>(&self, task: impl FnOnce() -> R) -> R {
        self.depth.set(self.depth.get() + 1);
        let result = self.open(|| self.segment(&self.none, task));
        self.depth.set(self.depth.get() - 1);
        result
    }

    // ---- forking ----------------------------------------------------------------------------

    /// Puts a fork on the desk; none if there is no place for it.
    ///
    /// It has to be kept until [`take_back`](Self::take_back), or [`recover`](Self::recover) after
    /// that, has returned.
    #[inline]
    pub(super) fn put(&self, fork: Fork) -> Option<usize> {
        let place = self.top.get();
        self.places.get(place)?.set(Some(fork));
        self.top.set(place + 1);
        Some(place)
    }

    /// Shares a fork if somebody wants one. Called after each fork.
    #[inline]
    pub(super) fn share_if_wanted(&self, place: usize) {
        // SAFETY: who opened the segment holds the part; see `segment`.
        let is_asked = unsafe { self.part.get().as_ref() }.is_asked();
        if place == self.oldest.get() || is_asked || self.pool.crew.may_want_work() {
            self.consider_sharing();
        }
    }

    /// Takes the newest fork back; false if it has been shared and must be
    /// [recovered](Self::recover).
    #[inline]
    pub(super) fn take_back(&self, place: usize) -> bool {
        self.top.set(place);
        self.oldest.get() <= place
    }

    #[cold]
    #[inline(never)]
    fn consider_sharing(&self) {
        if self.oldest.get() + 1 == self.top.get() {
            self.standing.set(task::standing());
        }
        // SAFETY: as in `share_if_wanted`.
        let part = unsafe { self.part.get().as_ref() };
        match self.occasion(part) {
            Some(Reason::Asked) => {
                if let Some(task) = self.share_oldest(Reason::Asked) {
                    part.give(task);
                }
            }
            Some(reason) => _ = self.offer_oldest(reason),
            None => {}
        }
    }

    /// Why it is time to share another fork, if it is.
    fn occasion(&self, part: &Part) -> Option<Reason> {
        let leave_out = self.leave_out.get();
        if leave_out > 0 {
            self.leave_out.set(leave_out - 1);
            return None;
        }
        let reason = if part.is_asked() {
            Reason::Asked
        } else if self.pool.crew.may_want_work() {
            Reason::Idle
        } else {
            Reason::First
        };
        // With whoever is idle one at a time: who takes it will fork itself, and share what that makes.
        let is_taken = |it: &Shared| !it.task.snapshot().is_pending();
        if reason != Reason::Asked
            && (!self.shared.borrow().last().is_none_or(is_taken) || !self.may_offer())
        {
            return None;
        }
        if IN_VAIN.with(Cell::get)[reason as usize].is_some_and(|when| when.elapsed() < QUIET) {
            self.leave_out.set(LEFT_OUT);
            return None;
        }
        Some(reason)
    }

    /// Whether the pool runs parts. A worker of a closed pool looks at the queue before it leaves; to
    /// other threads nobody has promised to come.
    fn may_offer(&self) -> bool {
        let crew = &self.pool.crew;
        if self.is_worker { !crew.is_cancelling() } else { !crew.is_closed() }
    }

    fn share_oldest(&self, reason: Reason) -> Option<TaskRef> {
        let oldest = self.oldest.get();
        if oldest == self.top.get() || self.standing.get() != task::standing() {
            return None;
        }
        let fork = self.places.get(oldest)?.get()?;
        self.oldest.set(oldest + 1);
        Some(self.share(fork, None, reason))
    }

    /// False if there is none.
    fn offer_oldest(&self, reason: Reason) -> bool {
        match self.share_oldest(reason) {
            Some(task) => {
                self.pool.offer(task);
                true
            }
            None => false,
        }
    }

    fn share(&self, fork: Fork, carry: Option<Carry>, reason: Reason) -> TaskRef {
        let part = Arc::new(Part::new(&self.parker));
        let body = Stolen {
            fork,
            part: Arc::clone(&part),
            standing: task::standing(),
            carry,
            ended: Some(Ended(Arc::clone(&part))),
        };
        let extras = Arc::clone(&self.pool.part_extras);
        // SAFETY: what the body borrows, the fork, is kept until its guard, `Ended`, has been
        // dropped, as the head of this file argues. The handle is dropped here.
        let fresh = unsafe { Fresh::borrowing(body, self.pool.id, Some(extras)) };
        let (task, _) = fresh.split();
        let since = Instant::now();
        self.shared.borrow_mut().push(Shared { task: task.clone(), part, reason, since });
        task
    }

    /// In a pool with a context hook: why a fork is to be shared when it is made, and the context that
    /// it carries. None if it is not to be shared.
    pub(super) fn capture(&self) -> Option<(Reason, Carry)> {
        let capture = self.pool.settings.context.as_ref()?;
        let reason = self.occasion(&self.none)?;
        Some((reason, capture()))
    }

    /// Shares a fork that has no place at the desk. It has to be kept until
    /// [`recover`](Self::recover) has returned.
    pub(super) fn share_at_once(&self, fork: Fork, (reason, carry): (Reason, Carry)) {
        self.pool.offer(self.share(fork, Some(carry), reason));
    }

    /// This worker is about to block: others may have what it cannot come to.
    pub(super) fn share_all(&self) {
        while self.may_offer() && self.offer_oldest(Reason::Blocking) {}
    }

    /// Ends the sharing of the newest fork: true if it has been run, false if it is the caller's to
    /// run. Blocks while somebody else runs it.
    #[cold]
    #[inline(never)]
    pub(super) fn recover(&self) -> bool {
        self.oldest.set(self.top.get());
        let Some(Shared { task, part, reason, since }) = self.shared.borrow_mut().pop() else {
            unreachable!("a fork that is not private has been shared");
        };
        if task.try_cancel() == Cancelled::Now {
            self.note_in_vain(reason);
            self.pool.sweep();
            return false;
        }
        // Were this to unwind, the part would outlive the fork.
        let no_unwinding = AbortOnUnwind;
        self.wait_for(&part);
        std::mem::forget(no_unwinding);
        if since.elapsed() < WORTHWHILE {
            self.note_in_vain(reason);
        }
        part.has_run()
    }

    fn note_in_vain(&self, reason: Reason) {
        IN_VAIN.with(|it| {
            let mut in_vain = it.get();
            in_vain[reason as usize] = Some(Instant::now());
            it.set(in_vain);
        });
    }

    fn wait_for(&self, part: &Part) {
        // A thread that unwinds runs no more of other people's code than it must.
        if !std::thread::panicking() {
            part.ask();
        }
        let is_there = || part.is_over() || part.is_given();
        while !part.is_over() {
            if part.is_given() {
                let gift = part.take_gift();
                // Without room for it on this stack there is no use in asking again.
                let has_room = self.has_room();
                if has_room && let Some(begun) = gift.as_ref().and_then(TaskRef::begin) {
                    self.within_another(|| begun.run());
                }
                if has_room { part.ask() } else { part.decline() }
            }
            if let Err(asleep) = self.spin.until(is_there, || false) {
                task::while_blocked(Blocking::Waiting, || {
                    while !is_there() {
                        self.parker.park();
                    }
                });
                self.spin.slept(asleep);
            }
        }
    }
}
