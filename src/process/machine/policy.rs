//! What the machine is told once, and how many deaths of workers are too many.

use crate::queue::Order;
use std::collections::VecDeque;
use std::time::Duration;

/// What the machine is told once.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) order: Order,
    pub(crate) start_all: bool,
    pub(crate) max_tasks_per_worker: Option<usize>,
    pub(crate) on_worker_death: OnWorkerDeath,
    /// Whether idle workers are told to leave, after a time that the pool knows.
    pub(crate) retires_idle: bool,
}

/// What a process pool does when one of its workers dies.
///
/// # Examples
///
/// See [`on_worker_death`](crate::ProcessPoolBuilder::on_worker_death).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnWorkerDeath {
    /// The task that the worker was running fails, and another worker takes its place. The default,
    /// with 1,000 deaths within 10 seconds.
    ///
    /// Workers that the pool itself ended (because a task was aborted or timed out, say) do not
    /// count.
    Replace {
        /// With more deaths than this…
        most: usize,
        /// … within this time, the pool is broken.
        within: Duration,
    },
    /// The pool is broken, as it is in Python: everything that it has taken fails.
    Break,
}

impl Default for OnWorkerDeath {
    fn default() -> Self {
        OnWorkerDeath::Replace { most: 1000, within: Duration::from_secs(10) }
    }
}

/// So many workers in a row may die before they have been up.
pub(super) const STILLBIRTHS: usize = 5;

/// Counts the workers that died without having been ended by the pool.
#[derive(Debug, Default)]
pub(super) struct Deaths {
    times: VecDeque<Duration>,
    /// Those in a row that had never been up.
    stillbirths: usize,
}

impl Deaths {
    /// A worker is up.
    pub(super) fn birth(&mut self) {
        self.stillbirths = 0;
    }

    /// A worker has died. Whether that is one too many.
    pub(super) fn death(&mut self, was_up: bool, now: Duration, policy: OnWorkerDeath) -> bool {
        if !was_up {
            self.stillbirths += 1;
        }
        let are_too_many = match policy {
            OnWorkerDeath::Break => true,
            OnWorkerDeath::Replace { most, within } => {
                self.times.push_back(now);
                while self.times.front().is_some_and(|at| now.saturating_sub(*at) > within) {
                    self.times.pop_front();
                }
                self.times.len() > most
            }
        };
        are_too_many || self.stillbirths >= STILLBIRTHS
    }
}
