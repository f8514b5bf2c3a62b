//! A task's own entry in a timeline, from its submission to its end.

use super::lane::{Lane, NEVER, Open, Record};
use super::{Ending, Name, Timeline};
use crate::sync::Arc;
use crate::sync::global::Mutex;
use std::time::{Duration, Instant};

/// What a timeline wants to know of one task.
///
/// ```text
///            begin_here, sent_to              end
///   WAITING ---------------------> AT ----------------> OVER
///      ^                           |                     ^
///      +------ taken_back, retry --+                     |
///      +-------------------------------------------------+
///                             end
/// ```
///
/// Whoever ends it first says when; whoever says it last knows best how.
pub(crate) struct Entry {
    timeline: Timeline,
    number: u64,
    name: Name,
    seat: Mutex<Seat>,
}

struct Seat {
    /// When it was submitted, or queued once more.
    queued: u64,
    at: At,
}

enum At {
    Waiting,
    Worker(Arc<Lane>),
    /// It stands in this lane.
    Over(Arc<Lane>, Ending),
}

/// When a worker began something, and how long it took.
pub(crate) type Span = (Instant, Duration);

impl Entry {
    /// The task is being submitted.
    pub(crate) fn new(timeline: &Timeline, name: Name) -> Entry {
        Entry {
            number: timeline.next_number(),
            seat: Mutex::new(Seat { queued: timeline.now(), at: At::Waiting }),
            timeline: timeline.clone(),
            name,
        }
    }

    /// The calling thread begins the task.
    pub(crate) fn begin_here(&self) {
        self.sent_to(&self.timeline.lane_here());
    }

    /// The task has been sent to the worker with this lane, who begins it when it can.
    pub(crate) fn sent_to(&self, lane: &Arc<Lane>) {
        let mut seat = self.seat.lock();
        if !matches!(seat.at, At::Waiting) {
            return;
        }
        lane.open(Open {
            number: self.number,
            name: self.name.clone(),
            queued: seat.queued,
            since: self.timeline.now(),
        });
        seat.at = At::Worker(Arc::clone(lane));
    }

    /// The worker that the task was sent to does not begin it.
    pub(crate) fn taken_back(&self) {
        let mut seat = self.seat.lock();
        if let At::Worker(lane) = &seat.at {
            self.timeline.shared.withdraw(lane, self.number);
            seat.at = At::Waiting;
        }
    }

    /// The task ends: now, or then.
    pub(crate) fn end(&self, ending: Ending, at: Option<Span>) {
        let mut seat = self.seat.lock();
        let queued = seat.queued;
        let shared = &self.timeline.shared;
        let lane = match &mut seat.at {
            At::Waiting => {
                let (number, name, ended) = (self.number, self.name.clone(), self.timeline.now());
                shared.never_began(Record { number, name, queued, begun: NEVER, ended, ending });
                Arc::clone(&shared.nowhere)
            }
            At::Worker(lane) => {
                self.close(lane, queued, ending, at);
                Arc::clone(lane)
            }
            At::Over(lane, before) => {
                let before = std::mem::replace(before, ending);
                if before != ending {
                    self.timeline.amend(lane, self.number, before, ending);
                }
                return;
            }
        };
        seat.at = At::Over(lane, ending);
    }

    /// An attempt has ended, and the task is queued once more.
    pub(crate) fn retry(&self, at: Option<Span>) {
        let mut seat = self.seat.lock();
        if let At::Worker(lane) = &seat.at {
            let now = self.close(lane, seat.queued, Ending::Retried, at);
            *seat = Seat { queued: now, at: At::Waiting };
        }
    }

    /// Gives what time it is.
    fn close(&self, lane: &Arc<Lane>, queued: u64, ending: Ending, at: Option<Span>) -> u64 {
        let now = self.timeline.now();
        // Another process says so, so nothing is believed but that they are times.
        let told = at.map(|(begun, duration)| {
            let begun = self.timeline.since_origin(begun);
            let duration = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
            let ended = begun.saturating_add(duration);
            (begun.clamp(queued, now), ended.clamp(queued, now))
        });
        self.timeline.shared.close(lane, self.number, (now, ending), told);
        now
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("number", &self.number).field("name", &self.name).finish()
    }
}
