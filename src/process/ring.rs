//! How small outcomes come from a worker without a system call for each.
//!
//! A ring of bytes in the memory that worker and parent share. The worker puts whole frames in, the
//! parent takes whole frames out. Two counters say how much was ever put in and taken out; each is
//! written by one side only:
//!
//! ```text
//!            taken                put
//!              |                   |
//!   ...........|###################|..............   bytes, at their count modulo the capacity
//!               the parent's        the worker's
//! ```
//!
//! An outcome in the ring outlives its worker: when that dies, the parent still finds what was put
//! before. So a worker may go on to its next call before the parent has been told of the last one,
//! and a death still costs no other call than the one that was running.
//!
//! # When the parent looks
//!
//! Frames in the ring wake nobody: waking the parent for each of many short calls would take the
//! processor away from them. The worker rings (by an empty frame on the link) when it runs out of calls,
//! and after a call that took [`LONG`], where it hardly counts. So what was put in without a ring was
//! short, and had a call behind it.
//!
//! As long as a worker has a call behind another, as far as the parent knows, the parent looks by itself:
//! [`FIRST_LOOK`] after the last thing it heard, then after twice that time, and so on, but at least each
//! [`SILENCE`]. So an outcome that was not rung for is found about as long after it was put in as its call
//! took, even if the next one takes an hour. When the parent knows of no call behind another, either the
//! worker is at its last one, and will ring, or has none, and has rung.

use crate::sync::UnsafeCell;
use crate::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// After a call of this length a worker rings at once.
pub(super) const LONG: Duration = Duration::from_millis(5);

/// The parent looks this time after it has heard something.
pub(super) const FIRST_LOOK: Duration = Duration::from_millis(1);

/// After this time without a word, what lies ready behind a worker's call is taken back.
pub(super) const SILENCE: Duration = Duration::from_millis(20);

#[cfg(not(concurrent_futures_loom))]
pub(super) const CAPACITY: usize = 64 << 10;
/// Small enough for the model to come round.
#[cfg(concurrent_futures_loom)]
pub(super) const CAPACITY: usize = 4;

/// There is more in the ring than it holds: its worker has lost its mind.
#[derive(Debug)]
pub(super) struct Overfull;

/// A counter that does not share a cache line with the other.
#[derive(Debug)]
#[repr(C, align(128))]
struct Counter(AtomicUsize);

/// The ring, as it lies in shared memory. All zeros is an empty one.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Ring {
    put: Counter,
    taken: Counter,
    bytes: [UnsafeCell<u8>; CAPACITY],
}

// SAFETY: the bytes between the two counters are only read by the parent, the others only written by
// the worker; a counter moves after that, by release, and is read by acquire. (A worker that has lost
// its mind may write anywhere: so the parent copies bytes before it looks at them, and believes
// none.)
unsafe impl Sync for Ring {}

impl Ring {
    #[cfg(test)]
    pub(super) fn new() -> Self {
        Ring {
            put: Counter(AtomicUsize::new(0)),
            taken: Counter(AtomicUsize::new(0)),
            bytes: std::array::from_fn(|_| UnsafeCell::new(0)),
        }
    }

    /// Puts a frame in, given in two parts; false if there is no room. For the worker only.
    #[must_use]
    pub(super) fn put(&self, head: &[u8], rest: &[u8]) -> bool {
        // ORDERING: relaxed; only this side writes it.
        let put = self.put.0.load(Ordering::Relaxed);
        // ORDERING: acquire pairs with the release in `take`: those bytes have been copied.
        let taken = self.taken.0.load(Ordering::Acquire);
        let room = CAPACITY - put.wrapping_sub(taken).min(CAPACITY);
        if head.len() + rest.len() > room {
            return false;
        }
        self.write(put, head);
        self.write(put.wrapping_add(head.len()), rest);
        let put = put.wrapping_add(head.len() + rest.len());
        // ORDERING: release pairs with the acquire in `take`: the bytes come before.
        self.put.0.store(put, Ordering::Release);
        true
    }

    fn write(&self, count: usize, bytes: &[u8]) {
        let (first, second) = self.cells(count, bytes.len());
        let (before, behind) = bytes.split_at(first.len());
        for (cells, bytes) in [(first, before), (second, behind)] {
            for (cell, byte) in cells.iter().zip(bytes) {
                cell.with_mut(|cell| {
                    // SAFETY: the room was checked, so the byte is the worker's until the counter
                    // moves.
                    unsafe { cell.write(*byte) };
                });
            }
        }
    }

    /// The bytes with these counts, in two pieces.
    fn cells(&self, count: usize, len: usize) -> (&[UnsafeCell<u8>], &[UnsafeCell<u8>]) {
        let (second, first) = self.bytes.split_at(count % CAPACITY);
        let first = &first[..len.min(first.len())];
        (first, &second[..len - first.len()])
    }

    /// Takes out all that is in. For the parent only.
    pub(super) fn take(&self, into: &mut Vec<u8>) -> Result<(), Overfull> {
        // ORDERING: relaxed; only this side writes it.
        let taken = self.taken.0.load(Ordering::Relaxed);
        // ORDERING: acquire pairs with the release in `put`: the bytes are there.
        let put = self.put.0.load(Ordering::Acquire);
        let count = put.wrapping_sub(taken);
        if count == 0 {
            return Ok(());
        }
        if count > CAPACITY {
            return Err(Overfull);
        }
        into.reserve(count);
        let (first, second) = self.cells(taken, count);
        for cells in [first, second] {
            into.extend(cells.iter().map(|cell| {
                cell.with(|cell| {
                    // SAFETY: put and not taken, so the byte is the parent's until the counter moves.
                    unsafe { cell.read() }
                })
            }));
        }
        // ORDERING: release pairs with the acquire in `put`: the bytes have been copied.
        self.taken.0.store(put, Ordering::Release);
        Ok(())
    }
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_put_in_comes_out(
            steps in prop::collection::vec((0..9_000_usize, 0..9_000_usize, any::<bool>()), 0..24),
        ) {
            let ring = Box::new(Ring::new());
            let (mut put, mut taken) = (Vec::new(), Vec::new());
            for (step, (head, rest, takes)) in steps.into_iter().enumerate() {
                let (head, rest) = (vec![step as u8; head], vec![!step as u8; rest]);
                let room = CAPACITY - (put.len() - taken.len());
                let fits = head.len() + rest.len() <= room;
                prop_assert_eq!(ring.put(&head, &rest), fits);
                if fits {
                    put.extend(head);
                    put.extend(rest);
                }
                if takes {
                    ring.take(&mut taken).unwrap();
                    prop_assert_eq!(&put, &taken);
                }
            }
        }
    }

    #[test]
    fn a_ring_that_holds_more_than_it_can_is_a_violation() {
        let ring = Box::new(Ring::new());
        // ORDERING: relaxed; one thread.
        ring.put.0.store(CAPACITY + 1, Ordering::Relaxed);
        assert!(ring.take(&mut Vec::new()).is_err());
    }

    #[test]
    fn threads_hand_over_every_byte() {
        const FRAMES: usize = 20_000;
        let ring = Box::new(Ring::new());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for frame in 0..FRAMES {
                    while !ring.put(&frame.to_le_bytes(), &[7; 3]) {
                        std::thread::yield_now();
                    }
                }
            });
            let mut taken = Vec::new();
            while taken.len() < FRAMES * 11 {
                ring.take(&mut taken).unwrap();
                std::thread::yield_now();
            }
            for (frame, bytes) in taken.chunks(11).enumerate() {
                assert_eq!(bytes[..8], frame.to_le_bytes());
                assert_eq!(bytes[8..], [7; 3]);
            }
        });
    }
}
