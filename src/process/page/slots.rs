//! Who begins a call that was sent ahead: the worker by claiming it, or nobody, because the parent
//! took it back first.
//!
//! A worker and its parent share memory with two words for each call that can be on its way. The first says how far that call has come:
//!
//! ```text
//!            claim (worker)
//!   SENT --------------------> BEGUN
//!     \
//!      \----------------------> TAKEN BACK
//!            take back (parent)
//! ```
//!
//! Both arrows start from the same value of one word, so one of them wins, and the loser sees it:
//! a call that was taken back never runs there, and one that has begun is not sent anywhere else.
//! The word also holds the number of the call, so that a slot can be used again at once: whatever
//! the worker still reads about an older call in it has another number, and claims nothing.
//!
//! The second word asks the call with that number to stop.

use crate::sync::atomic::{AtomicUsize, Ordering};
use serde::{Deserialize, Serialize};

/// How many calls can be on their way to one worker. Of tiny ones, with all their handles kept, each costs 1.4 µs,
/// and 2.5 µs of all processors' time; with 64 it was 1.8 and 3.1, since workers and threads slept and woke three
/// times as often.
#[cfg(not(concurrent_futures_loom))]
pub(crate) const SLOTS: usize = 1024;
/// A model needs no more.
#[cfg(concurrent_futures_loom)]
pub(crate) const SLOTS: usize = 1;

const SENT: usize = 1;
const BEGUN: usize = 2;
const TAKEN_BACK: usize = 3;
/// The number of the call stands above the two bits that say how far it has come.
const SHIFT: u32 = 2;

/// One call on its way to one worker: its number, which says which slot it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Ticket(pub(crate) u32);

impl Ticket {
    /// Comes before the first call.
    pub(crate) const NONE: Ticket = Ticket(0);

    /// The ticket of the next call. They come round, as two bits of the word are not the number's.
    pub(crate) fn next(self) -> Ticket {
        Ticket(((self.0 + 1) & Self::MOST).max(1))
    }

    /// How many calls later than another one it is, at least.
    pub(crate) fn since(self, other: Ticket) -> usize {
        (self.0.wrapping_sub(other.0) & Self::MOST) as usize
    }

    const MOST: u32 = u32::MAX >> SHIFT;

    fn word(self, state: usize) -> usize {
        ((self.0 as usize) << SHIFT) | state
    }

    fn index(self) -> usize {
        self.0 as usize % SLOTS
    }
}

/// The shared words. The worker's process may write anything there, so nothing is believed but that
/// a word has some value.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Slots {
    states: [AtomicUsize; SLOTS],
    stops: [AtomicUsize; SLOTS],
}

impl Slots {
    #[cfg(test)]
    pub(crate) fn new() -> Self {
        Slots {
            states: std::array::from_fn(|_| AtomicUsize::new(0)),
            stops: std::array::from_fn(|_| AtomicUsize::new(0)),
        }
    }

    /// The parent is about to send the call.
    pub(crate) fn offer(&self, ticket: Ticket) {
        // ORDERING: release pairs with the acquire in `claim`; the words of an older call in this
        // slot come before.
        self.states[ticket.index()].store(ticket.word(SENT), Ordering::Release);
    }

    /// The worker is about to begin the call; false if the parent has taken it back.
    #[must_use]
    pub(crate) fn claim(&self, ticket: Ticket) -> bool {
        self.advance(ticket, BEGUN)
    }

    /// The parent wants the call back; false if the worker has begun it.
    #[must_use]
    pub(crate) fn take_back(&self, ticket: Ticket) -> bool {
        self.advance(ticket, TAKEN_BACK)
    }

    fn advance(&self, ticket: Ticket, to: usize) -> bool {
        let word = &self.states[ticket.index()];
        // ORDERING: acquire-release; pairs with the other side's attempt on the same word, and with
        // the store in `offer`.
        word.compare_exchange(
            ticket.word(SENT),
            ticket.word(to),
            Ordering::AcqRel,
            Ordering::Acquire,
        )
        .is_ok()
    }

    /// Whether the worker has begun the call.
    pub(crate) fn has_begun(&self, ticket: Ticket) -> bool {
        // ORDERING: acquire pairs with the release of `claim`.
        self.states[ticket.index()].load(Ordering::Acquire) == ticket.word(BEGUN)
    }

    /// Asks the call to stop. The word is never zero, as no call has the number zero.
    pub(crate) fn request_stop(&self, ticket: Ticket) {
        // ORDERING: release pairs with the acquire in `is_stop_requested`.
        self.stops[ticket.index()].store(ticket.0 as usize, Ordering::Release);
    }

    /// Whether the call was asked to stop.
    pub(crate) fn is_stop_requested(&self, ticket: Ticket) -> bool {
        // ORDERING: acquire pairs with the release in `request_stop`.
        self.stops[ticket.index()].load(Ordering::Acquire) == ticket.0 as usize
    }
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;

    const FIRST: Ticket = Ticket(1);
    const LATER_IN_ITS_SLOT: Ticket = Ticket(1 + SLOTS as u32);

    #[test]
    fn a_call_that_was_taken_back_cannot_be_claimed() {
        let slots = Slots::new();
        slots.offer(FIRST);
        assert!(slots.take_back(FIRST));
        assert!(!slots.claim(FIRST));
        assert!(!slots.has_begun(FIRST));
    }

    #[test]
    fn a_call_that_was_claimed_cannot_be_taken_back() {
        let slots = Slots::new();
        slots.offer(FIRST);
        assert!(slots.claim(FIRST));
        assert!(!slots.take_back(FIRST));
        assert!(slots.has_begun(FIRST));
    }

    #[test]
    fn an_older_call_in_the_same_slot_claims_nothing() {
        let slots = Slots::new();
        slots.offer(FIRST);
        assert!(slots.take_back(FIRST));
        slots.offer(LATER_IN_ITS_SLOT);
        assert!(!slots.claim(FIRST));
        assert!(slots.claim(LATER_IN_ITS_SLOT));
    }

    #[test]
    fn a_request_to_stop_concerns_one_call_only() {
        let slots = Slots::new();
        slots.request_stop(FIRST);
        assert!(slots.is_stop_requested(FIRST));
        assert!(!slots.is_stop_requested(LATER_IN_ITS_SLOT));
    }

    #[test]
    fn tickets_come_round_without_meeting_in_a_slot() {
        let last = Ticket(Ticket::MOST);
        assert_eq!(last.next(), FIRST);
        assert_eq!(FIRST.since(last), 2, "zero is left out");
        assert_eq!(LATER_IN_ITS_SLOT.since(FIRST), SLOTS);
        assert_ne!(last.index(), last.next().index());
    }
}
