//! Who of a pool works, who sleeps, who is to be woken, and when a thread is to be started.
//!
//! The folder's README has the protocol and the argument that no task is left lying while everybody
//! sleeps. This file is all of it: the pool pushes and pops, and asks here what else to do.

use super::roster::{CANCEL, CLOSED, FLAGS, GROW, Roster, SHRINK};
use super::seat::{Seat, Tally};
use crate::sync::atomic::{AtomicUsize, Ordering, fence};
use crate::sync::{Arc, Condvar, Mutex, MutexGuard};
use crate::task::Blocking;
use std::time::Instant;

/// How many threads a pool can have, spares included; both counts of the word must hold it.
pub(super) const MAX_THREADS: usize = (1 << 13) - 1;

/// One thread that is awake and looks for work, or has been started or woken to do so.
const SEARCHING: usize = 1 << 4;
/// One thread that sleeps and stands in the list of sleepers.
const SLEEPING: usize = 1 << 17;
const COUNT: usize = (1 << 13) - 1;

/// How often a submitter looks again before it wakes or starts a thread: some 100 ns, for something that
/// costs it 2 to 16 µs. A worker whose task has just been seen to be done is back at the queue by then.
/// Any look behind the fence is as good as the first.
const SECOND_LOOKS: usize = if cfg!(concurrent_futures_loom) { 0 } else { 4 };

/// What is to be done about work that lies in the queue.
#[derive(Debug, Default)]
#[must_use]
pub(super) struct Summons {
    /// Sleepers that were taken off the list and are to be woken.
    pub(super) wake: Vec<Arc<Seat>>,
    /// Threads that were counted and are to be started.
    pub(super) start: usize,
    /// The pool is closed and its last worker has left: nobody will ever look.
    pub(super) is_stranded: bool,
}

impl Summons {
    fn len(&self) -> usize {
        self.wake.len() + self.start
    }

    pub(super) fn is_nobody(&self) -> bool {
        self.len() == 0 && !self.is_stranded
    }
}

/// Whether a worker that wanted to leave, or to sleep, may.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Rest {
    /// It is on the list of sleepers and must park.
    Sleep,
    /// There is work: go on, as one that searches.
    GoOn,
    /// It is not counted any more and must end. With `true` there is work that somebody else has to
    /// be summoned for.
    Leave(bool),
}

/// A pool's threads: one word that submitters can read, and the roster behind it.
#[derive(Debug)]
pub(super) struct Crew {
    word: AtomicUsize,
    /// How many of those that search sleep for a time that they have chosen. A hint.
    dozing: AtomicUsize,
    roster: Mutex<Roster>,
    gone: Condvar,
}

fn searching(word: usize) -> usize {
    (word / SEARCHING) & COUNT
}

fn sleeping(word: usize) -> usize {
    (word / SLEEPING) & COUNT
}

impl Crew {
    pub(super) fn new(limit: usize) -> Self {
        let roster = Roster {
            limit,
            threads: 0,
            initializing: 0,
            leaving: 0,
            guests: 0,
            received: 0,
            waiting: 0,
            in_place: 0,
            sleepers: Vec::new(),
            seats: Vec::new(),
            left: Tally::default(),
            next_index: 0,
            closed: false,
            cancel: false,
        };
        Crew {
            word: AtomicUsize::new(roster.flags()),
            dozing: AtomicUsize::new(0),
            roster: Mutex::new(roster),
            gone: Condvar::new(),
        }
    }

    /// Brings the word in line with the roster, and moves its counts.
    fn publish(&self, roster: &MutexGuard<'_, Roster>, add: usize, subtract: usize) {
        let flags = roster.flags();
        let change = |word: usize| Some(((word & !FLAGS) | flags) + add - subtract);
        // ORDERING: acquire-release, so that the changes made under the lock reach whoever reads
        // the word. What decides between a submitter and a worker is the fence that each of them
        // has between its own write and its look at the other's.
        let _ = self.word.fetch_update(Ordering::AcqRel, Ordering::Relaxed, change);
    }

    #[inline]
    fn word(&self) -> usize {
        // ORDERING: relaxed; callers either stand behind a fence, or use the word as a hint.
        self.word.load(Ordering::Relaxed)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.word() & CLOSED != 0
    }

    pub(super) fn is_cancelling(&self) -> bool {
        self.word() & CANCEL != 0
    }

    /// How many threads look for work, the caller included if it does.
    pub(super) fn searching(&self) -> usize {
        searching(self.word())
    }

    /// A searching worker wants to doze, while `most` others stay awake. How many will doze then; none, if
    /// it may not.
    pub(super) fn begin_dozing(&self, most: usize) -> Option<usize> {
        // ORDERING: relaxed, here and below; a count that guards nothing. Of two that come at the same
        // time the second one sees the first.
        let dozing = self.dozing.fetch_add(1, Ordering::Relaxed) + 1;
        if self.searching() < most + dozing {
            self.end_dozing();
            return None;
        }
        Some(dozing)
    }

    /// How many look for work awake, the caller included if it does. A hint.
    pub(super) fn awake(&self) -> usize {
        // ORDERING: relaxed, as above.
        self.searching().saturating_sub(self.dozing.load(Ordering::Relaxed))
    }

    pub(super) fn end_dozing(&self) {
        // ORDERING: relaxed, as above.
        self.dozing.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether a thread is idle, or might be started. A hint.
    #[inline]
    pub(super) fn may_want_work(&self) -> bool {
        const IDLE: usize = COUNT * (SEARCHING + SLEEPING);
        self.word() & (IDLE | GROW) != 0
    }

    fn should_shrink(&self) -> bool {
        self.word() & SHRINK != 0
    }

    // ---- submitters -------------------------------------------------------------------------

    /// Called after tasks were pushed, by whoever pushed them: who is to come for them? `queued`
    /// looks at the length of the queue.
    pub(super) fn summon(&self, queued: impl Fn() -> usize) -> Summons {
        // ORDERING: sequentially consistent; pairs with the fences in `rest`, `found` and
        // `begin_blocking`: either this thread sees in the word what the worker has announced, or
        // the worker sees the task in its last look.
        fence(Ordering::SeqCst);
        let mut queued_now = 0;
        for _ in 0..=SECOND_LOOKS {
            let word = self.word();
            if word & (CLOSED | GROW) == 0 && sleeping(word) == 0 {
                // The length of the queue, which is on other processors' minds, does not matter.
                return Summons::default();
            }
            queued_now = queued();
            if word & CLOSED == 0 && searching(word) >= queued_now {
                return Summons::default();
            }
            std::hint::spin_loop();
        }
        self.summon_locked(&mut self.roster.lock(), queued_now)
    }

    fn summon_locked(&self, roster: &mut MutexGuard<'_, Roster>, queued: usize) -> Summons {
        // What goes on with the task of a guest is run, though all workers may have left before it ended.
        if roster.closed && roster.threads == 0 && roster.guests == 0 {
            return Summons { is_stranded: true, ..Summons::default() };
        }
        let mut summons = Summons::default();
        let missing = queued.saturating_sub(searching(self.word()));
        while summons.len() < missing {
            if let Some(seat) = roster.sleepers.pop() {
                summons.wake.push(seat);
                self.publish(roster, SEARCHING, SLEEPING);
            } else if roster.may_grow() && summons.len() + roster.initializing < missing {
                roster.threads += 1;
                summons.start += 1;
                self.publish(roster, SEARCHING, 0);
            } else {
                // All that may come are there, or on their way.
                break;
            }
        }
        summons
    }

    /// A thread that was to be started was refused by the system. True if the pool has no thread
    /// at all now.
    #[must_use]
    pub(super) fn start_failed(&self) -> bool {
        let mut roster = self.roster.lock();
        roster.threads -= 1;
        self.publish(&roster, 0, SEARCHING);
        self.gone.notify_all();
        roster.threads == 0
    }

    /// Whether every thread has ended.
    pub(super) fn is_gone(&self) -> bool {
        let roster = self.roster.lock();
        roster.threads + roster.leaving == 0
    }

    /// Whether there is no thread that could come for what is queued.
    pub(super) fn is_deserted(&self) -> bool {
        self.roster.lock().threads == 0
    }

    // ---- workers ----------------------------------------------------------------------------

    /// A started thread takes its seat. It counts as searching.
    pub(super) fn join(&self) -> Arc<Seat> {
        let seat = Arc::new(Seat::new());
        self.roster.lock().seats.push(Arc::clone(&seat));
        seat
    }

    /// The number that the next thread will have, for its name.
    pub(super) fn next_index(&self) -> usize {
        let mut roster = self.roster.lock();
        roster.next_index += 1;
        roster.next_index - 1
    }

    /// A started thread enters the initializer, and counts as searching no longer: sleepers should
    /// not wait for it. Whoever else has to come is summoned.
    pub(super) fn begin_initializing(&self, queued: impl Fn() -> usize) -> Summons {
        let mut roster = self.roster.lock();
        roster.initializing += 1;
        self.publish(&roster, 0, SEARCHING);
        // ORDERING: sequentially consistent; pairs with the one in `summon`, for a submitter that
        // relied on this worker because it still searched.
        fence(Ordering::SeqCst);
        let queued = queued();
        self.summon_locked(&mut roster, queued)
    }

    /// A worker blocks in its initializer, or goes on in it: while it is blocked, nobody may rely on
    /// it to come.
    pub(super) fn pause_initializing(&self, is_paused: bool) {
        let mut roster = self.roster.lock();
        if is_paused {
            roster.initializing -= 1;
        } else {
            roster.initializing += 1;
        }
    }

    /// The initializer is over, and the worker searches.
    pub(super) fn end_initializing(&self) {
        let mut roster = self.roster.lock();
        roster.initializing -= 1;
        self.publish(&roster, SEARCHING, 0);
    }

    /// A worker that was not searching begins to.
    pub(super) fn search(&self) {
        // ORDERING: relaxed; before it sleeps, `rest` announces the change with a fence.
        self.word.fetch_add(SEARCHING, Ordering::Relaxed);
    }

    /// A searching worker has found a task. Whether somebody else has to be summoned: the last one
    /// that searched must make sure that submitters who relied on it did so rightly.
    #[must_use]
    pub(super) fn found(&self) -> bool {
        // ORDERING: acquire-release keeps the count exact; the fence below does the rest.
        let before = self.word.fetch_sub(SEARCHING, Ordering::AcqRel);
        if searching(before) > 1 {
            return false;
        }
        // ORDERING: sequentially consistent; pairs with the one in `summon`: a submitter that still
        // saw this worker search has pushed its task before the caller looks at the queue.
        fence(Ordering::SeqCst);
        true
    }

    /// Whether a worker between two tasks should ask to [`leave_if_too_many`].
    ///
    /// [`leave_if_too_many`]: Self::leave_if_too_many
    pub(super) fn may_be_too_many(&self) -> bool {
        self.should_shrink()
    }

    /// Lets a worker leave if there are more than there should be; `is_searching` says how it
    /// counts now. The answer is `Leave` or `GoOn`, and in the latter case it counts as before.
    pub(super) fn leave_if_too_many(&self, seat: &Arc<Seat>, is_searching: bool) -> Rest {
        let mut roster = self.roster.lock();
        if roster.runnable() <= roster.limit {
            return Rest::GoOn;
        }
        self.strike(&mut roster, seat, if is_searching { SEARCHING } else { 0 });
        // ORDERING: sequentially consistent; pairs with the one in `summon`, for a submitter that
        // relied on this worker because it still searched.
        fence(Ordering::SeqCst);
        Rest::Leave(true)
    }

    fn strike(&self, roster: &mut MutexGuard<'_, Roster>, seat: &Arc<Seat>, subtract: usize) {
        roster.threads -= 1;
        roster.leaving += 1;
        roster.vacate(seat);
        self.publish(roster, 0, subtract);
    }

    /// A worker has panicked. If it was still counted, it is let go.
    pub(super) fn fall(&self, seat: &Arc<Seat>) {
        let mut roster = self.roster.lock();
        if roster.seats.iter().any(|it| Arc::ptr_eq(it, seat)) {
            // It may have counted as searching, which means nothing any more in a closed pool.
            self.strike(&mut roster, seat, 0);
        }
    }

    /// A worker that was let go has nothing left to do but to return.
    /// The last one of a closed pool does what is to be done by then.
    pub(super) fn depart(&self, last_wishes: impl FnOnce()) {
        self.end_leaving(self.roster.lock(), last_wishes);
    }

    fn end_leaving(&self, mut roster: MutexGuard<'_, Roster>, last_wishes: impl FnOnce()) {
        if roster.closed && roster.threads == 0 && roster.leaving == 1 {
            last_wishes();
        }
        roster.leaving -= 1;
        if roster.threads + roster.leaving == 0 {
            self.gone.notify_all();
        }
    }

    // ---- guests -----------------------------------------------------------------------------

    /// A thread from outside wants to run a task. It is refused if the pool is closed; otherwise the
    /// pool does not end before it is [seen off](Self::see_off).
    pub(super) fn receive(&self) -> Option<Arc<Seat>> {
        let seat = Arc::new(Seat::new());
        let mut roster = self.roster.lock();
        if roster.closed {
            return None;
        }
        roster.leaving += 1;
        roster.guests += 1;
        roster.received = roster.received.wrapping_add(1);
        roster.seats.push(Arc::clone(&seat));
        Some(seat)
    }

    /// A guest is done. If it is the last of a closed pool, it does what is to be done by then.
    pub(super) fn see_off(&self, seat: &Arc<Seat>, last_wishes: impl FnOnce()) {
        let mut roster = self.roster.lock();
        roster.guests -= 1;
        roster.vacate(seat);
        self.end_leaving(roster, last_wishes);
    }

    /// How many guests there have been.
    pub(super) fn received(&self) -> usize {
        self.roster.lock().received
    }

    // ---- workers that rest ------------------------------------------------------------------

    /// A searching worker has found nothing and wants to sleep, or to leave if the pool is closed.
    pub(super) fn rest(&self, seat: &Arc<Seat>, is_empty: impl Fn() -> bool) -> Rest {
        let mut roster = self.roster.lock();
        if roster.closed {
            // ORDERING: sequentially consistent; pairs with the one in `summon`. A submitter whose
            // task is not seen here will read the closed flag, take the lock, and find that this
            // worker has left.
            fence(Ordering::SeqCst);
            if !is_empty() {
                return Rest::GoOn;
            }
            self.strike(&mut roster, seat, SEARCHING);
            return Rest::Leave(false);
        }
        if roster.runnable() > roster.limit {
            self.strike(&mut roster, seat, SEARCHING);
            // ORDERING: sequentially consistent, as in `leave_if_too_many`.
            fence(Ordering::SeqCst);
            return Rest::Leave(true);
        }
        roster.sleepers.push(Arc::clone(seat));
        self.publish(&roster, SLEEPING, SEARCHING);
        drop(roster);
        // ORDERING: sequentially consistent; pairs with the one in `summon`. If the submitter's
        // came first, the look below sees its task; if this one did, the submitter sees a sleeper.
        fence(Ordering::SeqCst);
        if is_empty() || !self.rise(seat) { Rest::Sleep } else { Rest::GoOn }
    }

    /// Takes a worker off the list of sleepers, if nobody else has done so to wake it.
    fn rise(&self, seat: &Arc<Seat>) -> bool {
        let mut roster = self.roster.lock();
        let Some(position) = roster.sleepers.iter().rposition(|it| Arc::ptr_eq(it, seat)) else {
            return false;
        };
        roster.sleepers.remove(position);
        self.publish(&roster, SEARCHING, SLEEPING);
        true
    }

    /// A worker has slept for its keep-alive and wants to leave.
    pub(super) fn retire(&self, seat: &Arc<Seat>, is_empty: impl Fn() -> bool) -> Rest {
        let mut roster = self.roster.lock();
        let Some(position) = roster.sleepers.iter().rposition(|it| Arc::ptr_eq(it, seat)) else {
            // Woken at the last moment: the token is there, or is about to be.
            return Rest::Sleep;
        };
        roster.sleepers.remove(position);
        roster.threads -= 1;
        self.publish(&roster, 0, SLEEPING);
        // ORDERING: sequentially consistent; pairs with the one in `summon`. A submitter whose task
        // is not seen here sees a pool that may grow, for this worker is not counted any more.
        fence(Ordering::SeqCst);
        roster.threads += 1;
        if is_empty() {
            self.strike(&mut roster, seat, 0);
            Rest::Leave(false)
        } else {
            self.publish(&roster, SEARCHING, 0);
            Rest::GoOn
        }
    }

    /// A worker is about to block. Whoever has to come for queued tasks in its place is summoned.
    pub(super) fn begin_blocking(&self, why: Blocking, queued: impl Fn() -> usize) -> Summons {
        let mut roster = self.roster.lock();
        match why {
            Blocking::Waiting => roster.waiting += 1,
            Blocking::InPlace => roster.in_place += 1,
        }
        self.publish(&roster, 0, 0);
        // ORDERING: sequentially consistent; pairs with the one in `summon`: a submitter that did
        // not see that the pool may grow now has pushed its task before the look below.
        fence(Ordering::SeqCst);
        let queued = queued();
        if queued == 0 {
            return Summons::default();
        }
        self.summon_locked(&mut roster, queued)
    }

    /// A worker goes on. If there is one too many now and somebody sleeps, that one is to be woken,
    /// to leave.
    pub(super) fn end_blocking(&self, why: Blocking) -> Option<Arc<Seat>> {
        let mut roster = self.roster.lock();
        match why {
            Blocking::Waiting => roster.waiting -= 1,
            Blocking::InPlace => roster.in_place -= 1,
        }
        let spare = if roster.runnable() > roster.limit { roster.sleepers.pop() } else { None };
        let moved = usize::from(spare.is_some());
        self.publish(&roster, moved * SEARCHING, moved * SLEEPING);
        spare
    }

    // ---- the pool ---------------------------------------------------------------------------

    /// Closes the pool, if it is not closed yet, and calls everybody: sleepers, which are taken off
    /// their list, and whoever dozes. The others have no use for the token, for nobody sleeps in a
    /// closed pool. With `cancel`, queued tasks are to be cancelled from now on.
    pub(super) fn close(&self, cancel: bool) -> Vec<Arc<Seat>> {
        let mut roster = self.roster.lock();
        roster.closed = true;
        roster.cancel |= cancel;
        let _ = self.wake_all(&mut roster);
        roster.seats.clone()
    }

    fn wake_all(&self, roster: &mut MutexGuard<'_, Roster>) -> Vec<Arc<Seat>> {
        let woken = std::mem::take(&mut roster.sleepers);
        self.publish(roster, woken.len() * SEARCHING, woken.len() * SLEEPING);
        woken
    }

    /// Sets how many threads should run tasks at once, and calls sleepers that are too many.
    pub(super) fn resize(&self, limit: usize) -> Vec<Arc<Seat>> {
        let mut roster = self.roster.lock();
        roster.limit = limit;
        if roster.runnable() > limit {
            self.wake_all(&mut roster)
        } else {
            self.publish(&roster, 0, 0);
            Vec::new()
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.roster.lock().limit
    }

    /// Blocks until every thread has left; false if the deadline comes first.
    pub(super) fn wait_until_gone(&self, deadline: Option<Instant>) -> bool {
        let mut roster = self.roster.lock();
        while roster.threads + roster.leaving > 0 {
            let timed_out;
            (roster, timed_out) = self.gone.wait_until(roster, deadline);
            if timed_out {
                return roster.threads + roster.leaving == 0;
            }
        }
        true
    }

    /// What everyone has done, those that have left included; how many threads there are; and how
    /// many of them are idle.
    pub(super) fn tally(&self) -> (Tally, usize, usize) {
        let roster = self.roster.lock();
        let mut total = roster.left;
        for seat in &roster.seats {
            total.add(seat.tally());
        }
        (total, roster.threads, roster.sleepers.len())
    }
}
