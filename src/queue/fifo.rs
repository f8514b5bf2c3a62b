//! First in, first out: one queue for all, and lanes for what the workers submit themselves.
//!
//! # Lanes
//!
//! A worker that submits puts the entry into its own lane, and takes from there first: so workers
//! that feed themselves neither write to the same memory, nor fetch what another processor has just
//! written. A lane is no hiding place. Any worker that finds nothing elsewhere takes from it, always
//! the oldest entry, and [`len`](Fifo::len) counts all lanes; so what is argued of the one queue
//! about sleep and wake-ups holds of all of them.
//!
//! *Order.* What one thread submits goes one way, and begins in that order: a worker keeps its lane
//! for as long as it serves. Between several submitters there is no order to keep, but nobody may
//! wait for ever: each worker looks first into the queue for all, and into the lanes of the others,
//! once in every [`ROUND`] turns.
//!
//! *Whose lane it is* matters only for what is fast. A worker that leaves returns its lane, with what
//! is in it, for others to empty, or for the next worker to go on with.

use super::Locked;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Channel, Mutex};
use std::collections::VecDeque;

/// Once in so many turns a worker looks elsewhere before it looks into its own lane: seldom enough
/// to cost nothing that can be measured.
const ROUND: usize = 64;

/// The lane of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lane(usize);

/// Which way a worker goes through the queue.
#[derive(Debug, Default)]
pub(crate) struct Tour {
    lane: Option<Lane>,
    turn: usize,
}

impl Tour {
    pub(crate) fn along(lane: Option<Lane>) -> Self {
        Tour { lane, turn: 0 }
    }
}

/// First in, first out: a channel, and in front of it what is left of entries that were swept.
///
/// A channel gives entries only from its head, so a sweep takes all of them out, and the live ones
/// wait in front of it from then on. Those come first, so the order stays.
///
/// # Why nobody overlooks an entry that is being swept
///
/// `waiting` is raised before the first entry is taken out of the channel, and [`len`](Fifo::len)
/// reads the channel before it. Whoever finds an entry missing from the channel has seen a change
/// that came after the raise, and so sees `waiting`. Poppers that see it wait for the lock. One that
/// looked just before the raise goes to the channel, and may get an entry that is newer than some
/// that the sweep holds at that moment: then those begin after it, by the length of a sweep.
#[derive(Debug)]
pub(crate) struct Fifo<T> {
    channel: Channel<T>,
    front: Mutex<VecDeque<T>>,
    /// How many entries stand in front; at least one during a sweep.
    waiting: AtomicUsize,
    lanes: Box<[Apart<Locked<VecDeque<T>>>]>,
    /// Lanes that no worker has.
    free: Mutex<Vec<Lane>>,
}

/// Shares no line of the processor's memory with its neighbours, which belong to other threads. Two
/// lines, because processors fetch them in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Apart<T>(T);

impl<T> Fifo<T> {
    pub(super) fn new(lanes: usize) -> Self {
        Fifo {
            channel: Channel::new(),
            front: Mutex::new(VecDeque::new()),
            waiting: AtomicUsize::new(0),
            lanes: (0..lanes).map(|_| Apart(Locked::new())).collect(),
            free: Mutex::new((0..lanes).rev().map(Lane).collect()),
        }
    }

    pub(super) fn take_lane(&self) -> Option<Lane> {
        self.free.lock().pop()
    }

    pub(super) fn return_lane(&self, lane: Lane) {
        self.free.lock().push(lane);
    }

    pub(super) fn push(&self, entry: T, lane: Option<Lane>) {
        match lane {
            Some(Lane(own)) => self.lanes[own].0.push(|entries| entries.push_back(entry)),
            None => self.channel.push(entry),
        }
    }

    pub(super) fn pop(&self, tour: &mut Tour) -> Option<T> {
        tour.turn = tour.turn.wrapping_add(1);
        let own = tour.lane.map_or(0, |lane| lane.0);
        let early = match tour.turn % ROUND {
            0 => self.pop_shared(),
            1 => self.pop_lane(own + tour.turn / ROUND),
            _ => None,
        };
        early
            .or_else(|| tour.lane.and_then(|_| self.pop_lane(own)))
            .or_else(|| self.pop_shared())
            .or_else(|| (0..self.lanes.len()).find_map(|at| self.pop_lane(own + at)))
    }

    /// Takes from a lane; they are numbered all around.
    fn pop_lane(&self, lane: usize) -> Option<T> {
        let lane = &self.lanes.get(lane % self.lanes.len().max(1))?.0;
        lane.pop(VecDeque::pop_front)
    }

    fn pop_shared(&self) -> Option<T> {
        loop {
            // ORDERING: acquire pairs with the release in `sweep`.
            if self.waiting.load(Ordering::Acquire) > 0 {
                let mut front = self.front.lock();
                let entry = front.pop_front();
                // ORDERING: release pairs with the acquire above and in `len`.
                self.waiting.store(front.len(), Ordering::Release);
                if entry.is_some() {
                    return entry;
                }
            }
            let entry = self.channel.pop();
            // ORDERING: acquire, as above: if a sweep has just emptied the channel, look again.
            if entry.is_some() || self.waiting.load(Ordering::Acquire) == 0 {
                return entry;
            }
        }
    }

    pub(super) fn sweep(&self, is_stale: impl Fn(&T) -> bool) -> Vec<T> {
        let mut stale = self.sweep_shared(&is_stale);
        for lane in &self.lanes {
            stale.extend(lane.0.sweep(|entries| super::take_out(entries, &is_stale)));
        }
        stale
    }

    fn sweep_shared(&self, is_stale: impl Fn(&T) -> bool) -> Vec<T> {
        let mut front = self.front.lock();
        // ORDERING: release; made visible by the channel's own changes, see the type.
        self.waiting.store(front.len() + 1, Ordering::Release);
        let mut stale = Vec::new();
        let mut live = VecDeque::new();
        // What is pushed from now on stays behind.
        let swept = self.channel.len();
        let entries = front.drain(..).chain(std::iter::from_fn(|| self.channel.pop()).take(swept));
        for entry in entries {
            if is_stale(&entry) { stale.push(entry) } else { live.push_back(entry) }
        }
        *front = live;
        // ORDERING: release pairs with the acquire in `pop_shared` and `len`.
        self.waiting.store(front.len(), Ordering::Release);
        stale
    }

    pub(super) fn len(&self) -> usize {
        let in_channel = self.channel.len();
        // ORDERING: acquire; and after the channel was read, see the type.
        let in_front = self.waiting.load(Ordering::Acquire);
        in_channel + in_front + self.lanes.iter().map(|lane| lane.0.len()).sum::<usize>()
    }
}
