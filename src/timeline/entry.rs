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
    submitted: u64,
    seat: Mutex<Seat>,
}

enum Seat {
    Waiting,
    At(Arc<Lane>),
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
            submitted: timeline.now(),
            timeline: timeline.clone(),
            name,
            seat: Mutex::new(Seat::Waiting),
        }
    }

    /// The calling thread begins the task.
    pub(crate) fn begin_here(&self) {
        self.sent_to(&self.timeline.lane_here());
    }

    /// The task has been sent to the worker with this lane, who begins it when it can.
    pub(crate) fn sent_to(&self, lane: &Arc<Lane>) {
        let mut seat = self.seat.lock();
        if !matches!(*seat, Seat::Waiting) {
            return;
        }
        lane.open(Open {
            number: self.number,
            name: self.name.clone(),
            submitted: self.submitted,
            since: self.timeline.now(),
        });
        *seat = Seat::At(Arc::clone(lane));
    }

    /// The worker that the task was sent to does not begin it.
    pub(crate) fn taken_back(&self) {
        let mut seat = self.seat.lock();
        if let Seat::At(lane) = &*seat {
            lane.withdraw(self.number);
            *seat = Seat::Waiting;
        }
    }

    /// The task ends: now, or then.
    pub(crate) fn end(&self, ending: Ending, at: Option<Span>) {
        let mut seat = self.seat.lock();
        let lane = match &mut *seat {
            Seat::Waiting => Arc::clone(&self.timeline.shared.nowhere),
            Seat::At(lane) => Arc::clone(lane),
            Seat::Over(lane, before) => {
                let before = std::mem::replace(before, ending);
                if before != ending {
                    self.timeline.amend(lane, self.number, before, ending);
                }
                return;
            }
        };
        self.record(&lane, ending, at);
        *seat = Seat::Over(lane, ending);
    }

    /// An attempt has ended, and another one will follow.
    pub(crate) fn retry(&self, at: Option<Span>) {
        let mut seat = self.seat.lock();
        if let Seat::At(lane) = &*seat {
            self.record(lane, Ending::Retried, at);
            *seat = Seat::Waiting;
        }
    }

    fn record(&self, lane: &Arc<Lane>, ending: Ending, at: Option<Span>) {
        let now = self.timeline.now();
        let record = Record {
            number: self.number,
            name: self.name.clone(),
            submitted: self.submitted,
            begun: NEVER,
            ended: now,
            process_id: 0,
            ending,
        };
        // Another process says so, so nothing is believed but that they are times.
        let told = at.map(|(begun, duration)| {
            let begun = self.timeline.since_origin(begun);
            let duration = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
            let ended = begun.saturating_add(duration);
            (begun.clamp(self.submitted, now), ended.clamp(self.submitted, now))
        });
        self.timeline.keep(lane, record, told);
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry").field("number", &self.number).field("name", &self.name).finish()
    }
}
