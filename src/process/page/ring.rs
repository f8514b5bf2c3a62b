//! A ring of bytes in the memory that a worker and its parent share: one side puts in, the other takes
//! out. Two counters say how much was ever put in and taken out; each is written by one side only:
//!
//! ```text
//!            taken                put
//!              |                   |
//!   ...........|###################|..............   bytes, at their count modulo the capacity
//!               of who takes        of who puts
//! ```

use crate::sync::UnsafeCell;
use crate::sync::atomic::{AtomicUsize, Ordering};

#[cfg(not(concurrent_futures_loom))]
pub(crate) const CAPACITY: usize = 64 << 10;
/// Small enough for the model to come round.
#[cfg(concurrent_futures_loom)]
pub(crate) const CAPACITY: usize = 4;

/// There is more in the ring than it holds: the other side has lost its mind.
#[derive(Debug)]
pub(crate) struct Overfull;

/// A counter that does not share a cache line with the other.
#[derive(Debug)]
#[repr(C, align(128))]
struct Counter(AtomicUsize);

/// The ring, as it lies in shared memory. All zeros is an empty one.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Ring {
    put: Counter,
    taken: Counter,
    bytes: [UnsafeCell<u8>; CAPACITY],
}

// SAFETY: the bytes between the two counters are only read by one side, the others only written by
// the other; a counter moves after that, by release, and is read by acquire. (A worker that has lost
// its mind may write anywhere: so the parent copies bytes before it looks at them, and believes
// none.)
unsafe impl Sync for Ring {}

impl Ring {
    #[cfg(test)]
    pub(crate) fn new() -> Self {
        Ring {
            put: Counter(AtomicUsize::new(0)),
            taken: Counter(AtomicUsize::new(0)),
            bytes: std::array::from_fn(|_| UnsafeCell::new(0)),
        }
    }

    /// Puts a frame in, given in two parts; false if there is no room. For the worker only.
    #[must_use]
    pub(crate) fn put(&self, head: &[u8], rest: &[u8]) -> bool {
        // ORDERING: relaxed; only this side writes it.
        let put = self.put.0.load(Ordering::Relaxed);
        // ORDERING: acquire pairs with the release in `take`: those bytes have been copied.
        let taken = self.taken.0.load(Ordering::Acquire);
        if head.len() + rest.len() > room(put, taken) {
            return false;
        }
        self.write(put, head);
        self.write(put.wrapping_add(head.len()), rest);
        let put = put.wrapping_add(head.len() + rest.len());
        // ORDERING: release pairs with the acquire in `take`: the bytes come before.
        self.put.0.store(put, Ordering::Release);
        true
    }

    /// Puts in as many of the bytes as there is room for. For the side that puts only.
    pub(crate) fn put_some(&self, bytes: &[u8]) -> usize {
        // ORDERING: relaxed; only this side writes it.
        let put = self.put.0.load(Ordering::Relaxed);
        // ORDERING: acquire pairs with the release in `take`: those bytes have been copied.
        let taken = self.taken.0.load(Ordering::Acquire);
        let count = bytes.len().min(room(put, taken));
        self.write(put, &bytes[..count]);
        // ORDERING: release pairs with the acquire in `take`: the bytes come before.
        self.put.0.store(put.wrapping_add(count), Ordering::Release);
        count
    }

    fn write(&self, count: usize, bytes: &[u8]) {
        let (first, second) = self.cells(count, bytes.len());
        let (before, behind) = bytes.split_at(first.len());
        for (cells, bytes) in [(first, before), (second, behind)] {
            for (cell, byte) in cells.iter().zip(bytes) {
                cell.with_mut(|cell| {
                    // SAFETY: the room was checked, so the byte is this side's until the counter
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

    /// How many bytes are in. For the side that takes only.
    pub(crate) fn len(&self) -> Result<usize, Overfull> {
        // ORDERING: relaxed; only this side writes it.
        let taken = self.taken.0.load(Ordering::Relaxed);
        // ORDERING: acquire pairs with the release in `put`: the bytes are there.
        let count = self.put.0.load(Ordering::Acquire).wrapping_sub(taken);
        if count > CAPACITY { Err(Overfull) } else { Ok(count) }
    }

    /// Takes out what is in, as far as it fits. For the side that takes only.
    pub(crate) fn take(&self, into: &mut [u8]) -> Result<usize, Overfull> {
        let count = self.len()?.min(into.len());
        if count == 0 {
            return Ok(0);
        }
        // ORDERING: relaxed; only this side writes it.
        let taken = self.taken.0.load(Ordering::Relaxed);
        let (first, second) = self.cells(taken, count);
        let (before, behind) = into[..count].split_at_mut(first.len());
        for (cells, bytes) in [(first, before), (second, behind)] {
            for (cell, byte) in cells.iter().zip(bytes) {
                *byte = cell.with(|cell| {
                    // SAFETY: put and not taken, so the byte is this side's until the counter moves.
                    unsafe { cell.read() }
                });
            }
        }
        // ORDERING: release pairs with the acquire in `put`: the bytes have been copied.
        self.taken.0.store(taken.wrapping_add(count), Ordering::Release);
        Ok(count)
    }
}

/// How many more bytes fit in.
fn room(put: usize, taken: usize) -> usize {
    CAPACITY - put.wrapping_sub(taken).min(CAPACITY)
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn take_all(ring: &Ring, into: &mut Vec<u8>) {
        let old = into.len();
        into.resize(old + ring.len().unwrap(), 0);
        let count = ring.take(&mut into[old..]).unwrap();
        into.truncate(old + count);
    }

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
                    take_all(&ring, &mut taken);
                    prop_assert_eq!(&put, &taken);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// Counters and bytes that somebody has written who has lost its mind.
        #[test]
        fn nothing_that_stands_in_a_ring_takes_more_out_of_it_than_it_holds(
            put in any::<usize>(),
            ahead in prop_oneof![0..2 * CAPACITY, any::<usize>()],
            spaces in prop::collection::vec(0..2 * CAPACITY, 0..5),
            frame in 0..2 * CAPACITY,
        ) {
            let ring = Box::new(Ring::new());
            // ORDERING: relaxed, both; one thread.
            ring.put.0.store(put, Ordering::Relaxed);
            ring.taken.0.store(put.wrapping_sub(ahead), Ordering::Relaxed);
            let mut taken = 0;
            for space in spaces {
                match ring.take(&mut vec![0; space]) {
                    Ok(count) => {
                        prop_assert!(count <= space);
                        taken += count;
                    }
                    Err(Overfull) => prop_assert!(ahead > CAPACITY),
                }
            }
            prop_assert!(taken <= ahead.min(CAPACITY));
            // Nor puts more in than there is room for.
            let frame = vec![0; frame];
            let room = CAPACITY - (ahead - taken).min(CAPACITY);
            prop_assert!(ring.put_some(&frame) <= room);
        }
    }

    #[test]
    fn a_ring_that_holds_more_than_it_can_is_a_violation() {
        let ring = Box::new(Ring::new());
        // ORDERING: relaxed; one thread.
        ring.put.0.store(CAPACITY + 1, Ordering::Relaxed);
        assert!(ring.take(&mut [0; 8]).is_err());
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
                take_all(&ring, &mut taken);
                std::thread::yield_now();
            }
            for (frame, bytes) in taken.chunks(11).enumerate() {
                assert_eq!(bytes[..8], frame.to_le_bytes());
                assert_eq!(bytes[8..], [7; 3]);
            }
        });
    }
}
