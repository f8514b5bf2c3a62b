//! How calls come to a worker without a system call for each.
//!
//! Frames for the worker are bytes in a ring, in the memory that it shares with its parent. The parent puts
//! in what there is room for, and the worker takes out what is there, however the frames are cut.
//!
//! # A worker that has nothing to do
//!
//! It says that it sleeps, looks once more, and sleeps on the very word in which it has said so. The
//! parent puts bytes in, and then reads the word:
//!
//! ```text
//!   parent                              worker
//!   ------                              ------
//!   put bytes in                        word = ASLEEP
//!   FENCE                               FENCE
//!   word is ASLEEP:                     the ring is empty:
//!     word = AWAKE, wake it               sleep while the word is ASLEEP
//! ```
//!
//! One of the fences is first. If it is the parent's, the worker sees the bytes and does not sleep. If it
//! is the worker's, the parent sees that it sleeps, or is about to; and the system compares the word
//! under its own lock before it puts a thread to sleep, so a wake-up that comes in between is not lost.
//!
//! # A ring that is full
//!
//! The parent says that it wants room, and tries once more. The worker takes bytes out, and then reads
//! whether room is wanted; if so, it rings. In between stand the same two fences: either the parent
//! finds the room, or the worker rings.
//!
//! A worker that has lost its mind may write anywhere here. Then calls may reach it in pieces, or not at
//! all; nothing that the parent does depends on what stands here but how much it puts in.

use super::ring::{Overfull, Ring};
use crate::sync::Futex;
use crate::sync::atomic::{AtomicUsize, Ordering, fence};
use std::time::Duration;

const AWAKE: u32 = 0;
const ASLEEP: u32 = 1;

/// Does not share a cache line with what the other side writes.
#[derive(Debug)]
#[repr(C, align(128))]
struct Apart<T>(T);

/// What is on its way to one worker, as it lies in shared memory. All zeros is an empty one.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Inbox {
    sleep: Apart<Futex>,
    /// Not zero if the parent wants to be told that there is room.
    wants_room: Apart<AtomicUsize>,
    ring: Ring,
}

impl Inbox {
    #[cfg(concurrent_futures_loom)]
    pub(crate) fn new() -> Self {
        Inbox {
            sleep: Apart(Futex::new(AWAKE)),
            wants_room: Apart(AtomicUsize::new(0)),
            ring: Ring::new(),
        }
    }

    /// Puts in as much as there is room for. If that is not all, the worker rings when it has made
    /// room. For the parent only, which [wakes](Inbox::wake) the worker afterwards.
    pub(crate) fn put(&self, bytes: &[u8]) -> usize {
        let count = self.ring.put_some(bytes);
        if count == bytes.len() {
            return count;
        }
        // ORDERING: relaxed; the fence orders it, see the head of this file.
        self.wants_room.0.store(1, Ordering::Relaxed);
        // ORDERING: sequentially consistent; pairs with the fence in `take`.
        fence(Ordering::SeqCst);
        count + self.ring.put_some(&bytes[count..])
    }

    /// Wakes the worker, if it sleeps, for what was put in. For the parent only.
    pub(crate) fn wake(&self) {
        // ORDERING: sequentially consistent; pairs with the fence in `sleep`.
        fence(Ordering::SeqCst);
        // ORDERING: relaxed, both; the fence orders them, see the head of this file.
        if self.sleep.0.load(Ordering::Relaxed) == ASLEEP
            && self.sleep.0.swap(AWAKE, Ordering::Relaxed) == ASLEEP
        {
            self.sleep.0.wake();
        }
    }

    /// Takes out as much as there is, and as fits. For the worker only. How much that was, and whether
    /// the parent is to be told that there is room.
    pub(crate) fn take(&self, into: &mut [u8]) -> Result<(usize, bool), Overfull> {
        let count = self.ring.take(into)?;
        if count == 0 {
            return Ok((0, false));
        }
        // ORDERING: sequentially consistent; pairs with the fence in `put`.
        fence(Ordering::SeqCst);
        // ORDERING: relaxed, both; the fence orders them, see the head of this file.
        let is_wanted = self.wants_room.0.load(Ordering::Relaxed) != 0;
        if is_wanted {
            self.wants_room.0.store(0, Ordering::Relaxed);
        }
        Ok((count, is_wanted))
    }

    /// Whether there is nothing to take.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.ring.len(), Ok(0))
    }

    /// Blocks until there is something to take, or the time is up; may also return for no reason. For
    /// the worker only.
    pub(crate) fn sleep(&self, limit: Option<Duration>) {
        // ORDERING: relaxed; the fence orders it, see the head of this file.
        self.sleep.0.store(ASLEEP, Ordering::Relaxed);
        // ORDERING: sequentially consistent; pairs with the fence in `wake`.
        fence(Ordering::SeqCst);
        if self.is_empty() {
            self.sleep.0.wait(ASLEEP, limit);
        }
        // ORDERING: relaxed; at worst the parent wakes somebody who does not sleep.
        self.sleep.0.store(AWAKE, Ordering::Relaxed);
    }
}
