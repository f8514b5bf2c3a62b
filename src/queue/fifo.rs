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

use super::{Apart, Locked};
use crate::sync::Mutex;
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

/// First in, first out. Each line keeps the memory of the longest that it has been, a word for an entry.
#[derive(Debug)]
pub(crate) struct Fifo<T> {
    /// The queue for all, and then the lanes.
    lines: Box<[Apart<Locked<VecDeque<T>>>]>,
    /// Lanes that no worker has.
    free: Mutex<Vec<Lane>>,
}

impl<T> Fifo<T> {
    pub(super) fn new(lanes: usize) -> Self {
        Fifo {
            lines: (0..=lanes).map(|_| Apart(Locked::new())).collect(),
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
        self.line(lane).push(|entries| entries.push_back(entry));
    }

    pub(super) fn push_all(&self, group: &mut Vec<T>, lane: Option<Lane>) {
        self.line(lane).push_all(group);
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
            .or_else(|| (0..self.lanes().len()).find_map(|at| self.pop_lane(own + at)))
    }

    /// Takes the newest entry out of a lane, if it is the one that is sought.
    pub(super) fn pop_newest(&self, lane: Lane, is_sought: impl FnOnce(&T) -> bool) -> Option<T> {
        self.lanes()[lane.0].0.pop(|entries| {
            if entries.back().is_some_and(is_sought) { entries.pop_back() } else { None }
        })
    }

    fn pop_shared(&self) -> Option<T> {
        self.shared().pop(VecDeque::pop_front)
    }

    /// Takes from a lane; they are numbered all around.
    fn pop_lane(&self, lane: usize) -> Option<T> {
        let lanes = self.lanes();
        lanes.get(lane % lanes.len().max(1))?.0.pop(VecDeque::pop_front)
    }

    pub(super) fn sweep(&self, is_stale: impl Fn(&T) -> bool) -> Vec<T> {
        let sweep =
            |line: &Apart<Locked<_>>| line.0.sweep(|entries| super::take_out(entries, &is_stale));
        self.lines.iter().flat_map(sweep).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.lines.iter().map(|line| line.0.len()).sum()
    }

    /// Where what comes from this lane is put.
    fn line(&self, lane: Option<Lane>) -> &Locked<VecDeque<T>> {
        lane.map_or(self.shared(), |Lane(own)| &self.lanes()[own].0)
    }

    fn shared(&self) -> &Locked<VecDeque<T>> {
        &self.lines[0].0
    }

    fn lanes(&self) -> &[Apart<Locked<VecDeque<T>>>] {
        &self.lines[1..]
    }
}
