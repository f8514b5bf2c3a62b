//! A task, as the machine keeps it.

use super::worker::WorkerId;
use crate::process::page::slots::Ticket;
use crate::queue::Order;
use std::cmp::Reverse;

pub(crate) type TaskId = usize;

/// Where a task stands in the queue: least first. A task that comes back gets its old place.
pub(super) type Key = (Reverse<i32>, i64);

/// The place of the task that was submitted as the `sequence`th.
pub(super) fn key(order: Order, priority: i32, sequence: i64) -> Key {
    match order {
        Order::Lifo => (Reverse(0), -sequence),
        Order::Priority => (Reverse(priority), sequence),
        _ => (Reverse(0), sequence),
    }
}

/// How far the attempt to stop a task has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    No,
    /// It was asked to, or will be if it turns out to have begun.
    Asked,
    /// A call behind it has begun, so its outcome is on its way.
    Overtaken,
    /// Its worker was asked to end.
    Ended,
    /// Its worker was killed.
    Killed,
}

#[derive(Debug)]
pub(super) struct Task<J> {
    pub(super) job: J,
    pub(super) key: Key,
    pub(super) retries: u32,
    /// How often it was begun and is to be begun again.
    pub(super) failures: u32,
    /// The call on its way; a task without one is queued.
    pub(super) sent: Option<(WorkerId, Ticket)>,
    /// Whether that call is known to have begun.
    pub(super) begun: bool,
    pub(super) stop: Stop,
}

impl<J> Task<J> {
    pub(super) fn new(job: J, key: Key, retries: u32) -> Self {
        Task { job, key, retries, failures: 0, sent: None, begun: false, stop: Stop::No }
    }

    /// Whether it may be tried again after it has begun and come to nothing.
    pub(super) fn may_retry(&self) -> bool {
        self.retries > 0 && self.stop == Stop::No
    }

    /// It has begun, come to nothing, and is tried again.
    pub(super) fn retry(&mut self) {
        self.retries -= 1;
        self.failures += 1;
    }
}
