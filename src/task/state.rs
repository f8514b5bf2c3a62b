//! The state word of a task: its life, who still refers to it, and who is to be told.
//!
//! Every change is one read-modify-write of one word, so all changes of a task stand in one
//! order and no sequential consistency is needed: whoever registers as waiter either sees that the
//! task is done, or the one that ends it sees the waiter. The transitions are methods; what the
//! caller must do next is their return value. The diagram is in the folder's README.

use crate::error::FutureState;
use crate::sync::atomic::{AtomicUsize, Ordering, exclusive};

/// A worker, or a helping waiter, has begun the task. Stays set in a task that timed out until
/// its code returns.
const RUNNING: usize = 1 << 0;
/// The outcome is in the slot.
const FINISHED: usize = 1 << 1;
/// Cancelled; there is no outcome in the slot.
const CANCELLED: usize = 1 << 2;
/// Timed out while running; there is no outcome in the slot.
const EXPIRED: usize = 1 << 3;
/// The outcome in the slot is an error. Only with `FINISHED`.
const FAILED: usize = 1 << 4;
/// The runner is still showing the outcome to callbacks; nobody may take it. Only with `FINISHED`.
const SETTLING: usize = 1 << 5;
/// Somebody registered as waiter and has not been collected.
const WAITED: usize = 1 << 6;
/// The handle exists: the outcome, once there, is the handle's.
const HANDLE: usize = 1 << 7;
/// Somebody asked the running task to stop.
const STOP: usize = 1 << 8;
/// The task was told so when it asked.
const HEEDED: usize = 1 << 9;
/// Somebody has looked at the failure.
const OBSERVED: usize = 1 << 10;
/// The task stands in its pool's queue, or has stood there: whoever runs tasks may begin it.
const QUEUED: usize = 1 << 11;
/// The task lies with a worker that may begin it at any moment without this word: whoever wants to
/// end it before it begins has to ask its owner.
const LENT: usize = 1 << 12;
/// One reference to the allocation; the count fills the rest of the word.
const REFERENCE: usize = 1 << 13;

const DONE: usize = FINISHED | CANCELLED | EXPIRED;
const BEGUN_OR_DONE: usize = RUNNING | DONE;
const MAX_REFERENCES: usize = usize::MAX / REFERENCE / 2;

/// The word as it was at one moment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Snapshot(usize);

impl Snapshot {
    fn has(self, flags: usize) -> bool {
        self.0 & flags != 0
    }

    pub(crate) fn is_pending(self) -> bool {
        !self.has(BEGUN_OR_DONE)
    }

    /// Pending and in a queue, so that anyone of its pool may begin it.
    pub(crate) fn is_ready(self) -> bool {
        self.is_pending() && self.has(QUEUED)
    }

    pub(crate) fn is_queued(self) -> bool {
        self.has(QUEUED)
    }

    /// Pending, as far as this word knows; its owner knows better.
    pub(crate) fn is_lent(self) -> bool {
        self.is_pending() && self.has(LENT)
    }

    pub(crate) fn is_running(self) -> bool {
        self.has(RUNNING) && !self.has(DONE)
    }

    pub(crate) fn is_done(self) -> bool {
        self.has(DONE)
    }

    /// Running, or done after it had been.
    pub(crate) fn has_begun(self) -> bool {
        self.has(RUNNING | FINISHED | EXPIRED | HEEDED)
    }

    /// Done, and the outcome (if there is one) may be taken.
    pub(crate) fn is_settled(self) -> bool {
        self.has(DONE) && !self.has(SETTLING)
    }

    pub(crate) fn is_finished(self) -> bool {
        self.has(FINISHED)
    }

    pub(crate) fn is_cancelled(self) -> bool {
        self.has(CANCELLED)
    }

    pub(crate) fn is_expired(self) -> bool {
        self.has(EXPIRED)
    }

    /// Done with a failure other than cancellation.
    pub(crate) fn is_failed(self) -> bool {
        self.has(FAILED | EXPIRED)
    }

    pub(crate) fn is_stop_requested(self) -> bool {
        self.has(STOP)
    }

    /// The task was told to stop when it asked.
    pub(crate) fn has_heeded(self) -> bool {
        self.has(HEEDED)
    }

    pub(crate) fn is_observed(self) -> bool {
        self.has(OBSERVED)
    }

    pub(crate) fn has_handle(self) -> bool {
        self.has(HANDLE)
    }

    pub(crate) fn is_waited(self) -> bool {
        self.has(WAITED)
    }

    fn references(self) -> usize {
        self.0 / REFERENCE
    }

    /// The state in the words that users know.
    pub(crate) fn public(self) -> FutureState {
        if self.is_cancelled() {
            FutureState::Cancelled
        } else if self.is_failed() {
            FutureState::Failed
        } else if self.is_finished() {
            FutureState::Finished
        } else if self.is_running() {
            FutureState::Running
        } else {
            FutureState::Pending
        }
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.public())?;
        for (flag, name) in [
            (SETTLING, "settling"),
            (WAITED, "waited"),
            (HANDLE, "handle"),
            (STOP, "stop"),
            (HEEDED, "heeded"),
            (OBSERVED, "observed"),
        ] {
            if self.has(flag) {
                write!(f, "+{name}")?;
            }
        }
        write!(f, " x{}", self.references())
    }
}

/// What the runner must do after it has ended a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Finish {
    /// Nothing: the outcome is the handle's.
    Handed,
    /// Somebody waits: show the outcome, then [`State::settle`].
    Deliver,
    /// The handle is gone: drop the outcome.
    Unwanted,
    /// The task heeded a request to stop and is cancelled: drop the outcome, and tell the waiters
    /// if there are any.
    Heeded { waited: bool },
    /// The task had timed out: drop the outcome; everyone has been told already.
    Late,
}

/// What came of an attempt to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Cancel {
    /// The caller has cancelled it: drop the closure, tell the waiters if there are any, and the
    /// pool if it was in its queue.
    Won { waited: bool, queued: bool },
    /// It was cancelled before.
    Already,
    /// It is lent to a worker: its owner has to take it back first.
    Lent,
    /// It has begun, or is done.
    TooLate,
}

/// What the handle must do when it is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum DropHandle {
    /// The outcome is in the slot and the handle's: drop it, then [`State::release_handle`].
    OwnsOutcome,
    /// The task timed out: see whether that is to be reported, then [`State::release_handle`].
    Expired,
    /// The handle's reference is gone; free the allocation if it was the last.
    Released { last: bool },
}

#[derive(Debug)]
pub(crate) struct State(AtomicUsize);

impl State {
    /// The word, when the last reference is gone.
    pub(crate) fn last(&mut self) -> Snapshot {
        Snapshot(exclusive(&mut self.0))
    }

    /// A pending task with its handle and one more reference, for whoever will run it.
    pub(crate) fn new() -> Self {
        State(AtomicUsize::new(HANDLE + 2 * REFERENCE))
    }

    pub(crate) fn load(&self) -> Snapshot {
        // ORDERING: acquire pairs with the release of the transition that is seen, so that what
        // was written before it (the outcome, say) is visible.
        Snapshot(self.0.load(Ordering::Acquire))
    }

    /// Applies `change` until it succeeds or declines; gives the word as it was before.
    fn update(&self, change: impl Fn(Snapshot) -> Option<usize>) -> Result<Snapshot, Snapshot> {
        // ORDERING: acquire-release. Release publishes what this side wrote to the slot or the
        // waiters; acquire sees what the previous owner of that right wrote. Each pairs with the
        // other transitions of this same word, and with `load`.
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| change(Snapshot(word)))
            .map(Snapshot)
            .map_err(Snapshot)
    }

    /// The task is about to be put into its pool's queue; false if it has been cancelled and should
    /// not be.
    #[must_use]
    pub(crate) fn enqueue(&self) -> bool {
        self.update(|now| now.is_pending().then_some(now.0 | QUEUED)).is_ok()
    }

    /// As [`enqueue`](Self::enqueue), for a task that nobody else has heard of yet: a plain store
    /// does.
    #[inline]
    pub(crate) fn enqueue_unknown(&self) {
        // ORDERING: relaxed for both; whoever hears of the task hears of it from this thread, which
        // hands it over with a release of its own.
        self.0.store(self.0.load(Ordering::Relaxed) | QUEUED, Ordering::Relaxed);
    }

    /// Pending to running. The caller owns the closure if this is true.
    #[inline]
    #[must_use]
    pub(crate) fn begin(&self) -> bool {
        // As nearly every task is when a worker takes it from the queue. To look first would fetch
        // the word from the submitter's processor for reading, and then once more for writing.
        const USUAL: usize = HANDLE + 2 * REFERENCE + QUEUED;
        // ORDERING: acquire-release on success, as in `update`; on failure `update` looks itself.
        let begun =
            self.0.compare_exchange(USUAL, USUAL | RUNNING, Ordering::AcqRel, Ordering::Relaxed);
        begun.is_ok() || self.update(|now| now.is_pending().then_some(now.0 | RUNNING)).is_ok()
    }

    /// As [`begin`](Self::begin), for a task that may not be in a queue yet.
    #[inline]
    #[must_use]
    pub(crate) fn begin_ready(&self) -> bool {
        self.update(|now| now.is_ready().then_some(now.0 | RUNNING)).is_ok()
    }

    /// The task is about to be sent to a worker that begins it by a word of its own; false if it is
    /// not pending any more and should not be sent.
    #[must_use]
    pub(crate) fn lend(&self) -> bool {
        self.update(|now| now.is_pending().then_some(now.0 | LENT)).is_ok()
    }

    /// The worker has been kept from beginning the task: this word decides again.
    pub(crate) fn end_lending(&self) {
        let _ = self.update(|now| Some(now.0 & !LENT));
    }

    /// Pending to cancelled. The caller owns the closure if it won.
    pub(crate) fn cancel(&self) -> Cancel {
        let change = |now: Snapshot| {
            (now.is_pending() && !now.is_lent()).then_some((now.0 & !WAITED) | CANCELLED)
        };
        match self.update(change) {
            Ok(before) => Cancel::Won { waited: before.is_waited(), queued: before.is_queued() },
            Err(now) if now.is_cancelled() => Cancel::Already,
            Err(now) if now.is_lent() => Cancel::Lent,
            Err(_) => Cancel::TooLate,
        }
    }

    /// Running to finished, or to cancelled if the task heeded a request to stop. The outcome must
    /// be in the slot.
    ///
    /// If nothing is left to be done with the task then ([`Finish::Handed`]) and the runner `releases`
    /// it, its reference goes in the same change: it must not touch the task any more.
    #[inline]
    pub(crate) fn finish(&self, failed: bool, releases: bool) -> Finish {
        let outcome = if failed { FINISHED | FAILED } else { FINISHED };
        let change = |now: Snapshot| {
            let rest = now.0 & !RUNNING;
            Some(if now.has(EXPIRED) {
                rest
            } else if now.has(HEEDED) {
                (rest & !WAITED) | CANCELLED
            } else if now.has(WAITED) {
                (rest & !WAITED) | outcome | SETTLING
            } else if now.has(HANDLE) && releases {
                // Never the last one: the handle has its own.
                (rest | outcome) - REFERENCE
            } else {
                rest | outcome
            })
        };
        let before = match self.update(change) {
            Ok(before) | Err(before) => before,
        };
        assert!(before.has(RUNNING), "finish of a task that is not running: {before:?}");
        if before.has(EXPIRED) {
            Finish::Late
        } else if before.has(HEEDED) {
            Finish::Heeded { waited: before.is_waited() }
        } else if before.has(WAITED) {
            Finish::Deliver
        } else if before.has(HANDLE) {
            Finish::Handed
        } else {
            Finish::Unwanted
        }
    }

    /// Ends the time in which callbacks look at the outcome. From now on it is the handle's; if
    /// there is no handle any more, it is the caller's to drop.
    pub(crate) fn settle(&self) -> Snapshot {
        let before = match self.update(|now| Some(now.0 & !(SETTLING | WAITED))) {
            Ok(before) | Err(before) => before,
        };
        assert!(before.has(SETTLING), "settle of a task that is not settling: {before:?}");
        before
    }

    /// Running to timed out, which also asks the task to stop. The state before, if it was so.
    #[must_use]
    pub(crate) fn expire(&self) -> Option<Snapshot> {
        self.update(|now| now.is_running().then_some((now.0 & !WAITED) | EXPIRED | STOP)).ok()
    }

    /// Asks a running task to stop; false if it is not running.
    #[must_use]
    pub(crate) fn request_stop(&self) -> bool {
        self.update(|now| now.is_running().then_some(now.0 | STOP)).is_ok()
    }

    /// Called by the running task itself, or a part of it: whether it has been asked to stop, by
    /// `also` or by a request. Remembers that it was told.
    pub(crate) fn heed(&self, also: bool) -> bool {
        let now = self.load();
        if !(also || now.is_stop_requested()) {
            return false;
        }
        if !now.has(HEEDED) {
            // ORDERING: relaxed; read back in `finish`, by this same thread or by one that has waited
            // for it.
            self.0.fetch_or(STOP | HEEDED, Ordering::Relaxed);
        }
        true
    }

    /// Announces a waiter for the moment `reached` describes; false if that moment has passed.
    #[must_use]
    pub(crate) fn announce_waiter(&self, reached: impl Fn(Snapshot) -> bool) -> bool {
        self.update(|now| (!reached(now)).then_some(now.0 | WAITED)).is_ok()
    }

    /// Remembers that somebody has seen the failure, so that nobody reports it as unseen.
    pub(crate) fn observe(&self) {
        // ORDERING: relaxed; a mark that guards no memory.
        self.0.fetch_or(OBSERVED, Ordering::Relaxed);
    }

    /// One more reference.
    pub(crate) fn acquire(&self) {
        // ORDERING: relaxed; made from an existing reference, which keeps the memory.
        let before = Snapshot(self.0.fetch_add(REFERENCE, Ordering::Relaxed));
        if before.references() > MAX_REFERENCES {
            std::process::abort();
        }
    }

    /// Whether the caller's reference is the only one, so that nobody else can touch the task, and
    /// nobody can come by a reference.
    #[must_use]
    pub(crate) fn is_sole(&self) -> bool {
        // ORDERING: acquire pairs with the release of every other reference, as in `subtract`.
        Snapshot(self.0.load(Ordering::Acquire)).references() == 1
    }

    /// One reference less; true if it was the last, and the allocation is the caller's to free.
    #[must_use]
    pub(crate) fn release(&self) -> bool {
        self.subtract(REFERENCE)
    }

    /// The handle and its reference are gone, after the outcome was taken or dropped by it.
    #[must_use]
    pub(crate) fn release_handle(&self) -> bool {
        self.subtract(HANDLE + REFERENCE)
    }

    fn subtract(&self, amount: usize) -> bool {
        // ORDERING: release pairs with the acquire of whoever is last: all that was done through
        // this reference comes before the memory is freed.
        let before = Snapshot(self.0.fetch_sub(amount, Ordering::Release));
        let last = before.references() == 1;
        if last {
            // ORDERING: acquire pairs with the release of every other reference, see above. A fence
            // would do as well, but thread sanitizers do not follow fences.
            self.0.load(Ordering::Acquire);
        }
        last
    }

    pub(crate) fn drop_handle(&self) -> DropHandle {
        let has_business =
            |now: Snapshot| now.is_expired() || (now.is_finished() && now.is_settled());
        match self.update(|now| (!has_business(now)).then(|| now.0 - HANDLE - REFERENCE)) {
            Ok(before) => DropHandle::Released { last: before.references() == 1 },
            Err(now) if now.is_expired() => DropHandle::Expired,
            Err(_) => DropHandle::OwnsOutcome,
        }
    }
}
