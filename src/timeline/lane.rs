//! The lanes of a timeline: what one worker is at, and what it has done.

use super::lanes::Pool;
use super::{Ending, Name};
use crate::sync::Arc;
use crate::sync::global::Mutex;
use std::collections::VecDeque;

/// So many records a lane gathers before it hands them over.
pub(super) const CHUNK: usize = 256;

/// The pool of those who are no workers and run what they wait for.
pub(super) const CALLERS: &str = "callers";

/// Of a task that never began.
pub(super) const NEVER: u64 = u64::MAX;

/// A task that is over. Times are nanoseconds since the timeline was made.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) number: u64,
    pub(super) name: Name,
    pub(super) queued: u64,
    pub(super) begun: u64,
    pub(super) ended: u64,
    pub(super) ending: Ending,
}

/// A task that a worker is at, or has been sent.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) number: u64,
    pub(super) name: Name,
    pub(super) queued: u64,
    /// When it was begun, or sent.
    pub(super) since: u64,
}

/// What one worker does, from when it comes until it goes.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(super) pool: Arc<Pool>,
    pub(super) index: usize,
    pub(super) name: Arc<str>,
    /// Zero for a thread.
    pub(super) process_id: u32,
    work: Mutex<Work>,
}

#[derive(Debug, Default)]
struct Work {
    /// The worker has gone.
    has_left: bool,
    /// Of a thread, tasks within each other, the innermost last; of a process, the one that it is at, and
    /// those that were sent ahead.
    open: VecDeque<Open>,
    last_end: u64,
    /// How many records it has handed over.
    handed: usize,
    records: Vec<Record>,
}

/// Records that a lane has handed over.
#[derive(Clone)]
pub(super) struct Chunk {
    pub(super) lane: Arc<Lane>,
    /// How many the lane had handed over before.
    pub(super) first: usize,
    pub(super) records: Vec<Record>,
}

/// What a lane has done and not handed over, and what it is at.
pub(super) struct View {
    pub(super) handed: usize,
    pub(super) records: Vec<Record>,
    pub(super) open: Vec<Open>,
}

impl Lane {
    pub(super) fn new(pool: Arc<Pool>, index: usize, name: String, process_id: u32) -> Self {
        Lane { pool, index, name: name.into(), process_id, work: Mutex::default() }
    }

    /// Lanes with the same are shown as one. In the order in which they are shown.
    pub(super) fn key(&self) -> (u64, usize, &Arc<str>) {
        (self.pool.number, self.index, &self.name)
    }

    pub(super) fn open(&self, task: Open) {
        self.work.lock().open.push_back(task);
    }

    /// The task is not here any more. Whether nothing is.
    pub(super) fn withdraw(&self, number: u64) -> bool {
        let mut work = self.work.lock();
        self.take(&mut work, number);
        work.is_over()
    }

    /// A task is over that is open here. It ran from when to when `told` says, or began when it did here. Hands
    /// over what has been gathered if that is enough, so that nobody finds it neither here nor there. Whether
    /// nothing is here any more.
    pub(super) fn close(
        self: &Arc<Self>,
        number: u64,
        (now, ending): (u64, Ending),
        told: Option<(u64, u64)>,
        hand_over: impl FnOnce(Chunk),
    ) -> bool {
        let mut work = self.work.lock();
        if let Some(open) = self.take(&mut work, number) {
            // Another task of this lane may have ended since it was looked at the clock.
            let begun = self.begun(&work, &open).min(now);
            let (begun, ended) = told.unwrap_or((begun, now));
            let Open { number, name, queued, since: _ } = open;
            let record = Record { number, name, queued, begun, ended, ending };
            work.last_end = work.last_end.max(ended);
            self.keep(&mut work, record, hand_over);
        }
        work.is_over()
    }

    /// A task is over that was open nowhere.
    pub(super) fn put(self: &Arc<Self>, record: Record, hand_over: impl FnOnce(Chunk)) -> bool {
        let mut work = self.work.lock();
        self.keep(&mut work, record, hand_over);
        work.is_over()
    }

    fn keep(self: &Arc<Self>, work: &mut Work, record: Record, hand_over: impl FnOnce(Chunk)) {
        #[cfg(feature = "monitor")]
        self.count(&record);
        work.records.push(record);
        if work.has_left || work.records.len() >= CHUNK {
            self.hand_over(work, hand_over);
        }
    }

    fn hand_over(self: &Arc<Self>, work: &mut Work, hand_over: impl FnOnce(Chunk)) {
        let most = if work.has_left { 0 } else { CHUNK };
        let mut records = std::mem::replace(&mut work.records, Vec::with_capacity(most));
        records.shrink_to_fit();
        let first = work.handed;
        work.handed += records.len();
        hand_over(Chunk { lane: Arc::clone(self), first, records });
    }

    /// The task that has just ended did so in another way than was thought. Gives its record, unless that has
    /// been handed over.
    pub(super) fn amend(&self, number: u64, ending: Ending) -> Option<Record> {
        amend(&mut self.work.lock().records, number, ending)
    }

    /// Its worker has gone: what has been gathered is handed over, and what is still to come at once. Whether
    /// nothing is here any more.
    pub(super) fn leave(self: &Arc<Self>, hand_over: impl FnOnce(Chunk)) -> bool {
        let mut work = self.work.lock();
        work.has_left = true;
        if !work.records.is_empty() {
            self.hand_over(&mut work, hand_over);
        }
        work.is_over()
    }

    /// What its worker is at, and since when, if that is there.
    #[cfg(feature = "monitor")]
    pub(super) fn at_work(&self) -> Option<Option<Open>> {
        let work = self.work.lock();
        (!work.has_left).then(|| self.running(&work).pop())
    }

    pub(super) fn look(&self) -> View {
        let work = self.work.lock();
        View { handed: work.handed, records: work.records.clone(), open: self.running(&work) }
    }

    fn take(&self, work: &mut Work, number: u64) -> Option<Open> {
        let is_it = |it: &Open| it.number == number;
        // The innermost ends first, and so does the one that was sent first.
        let at = if self.process_id == 0 {
            work.open.iter().rposition(is_it)
        } else {
            work.open.iter().position(is_it)
        };
        at.and_then(|at| work.open.remove(at))
    }

    fn running(&self, work: &Work) -> Vec<Open> {
        let most = if self.process_id == 0 { usize::MAX } else { 1 };
        let begun = |it: &Open| Open { since: self.begun(work, it), ..it.clone() };
        work.open.iter().take(most).map(begun).collect()
    }

    /// When it began, as far as that is known here: a process begins a call when it is there, and the one
    /// before has ended.
    fn begun(&self, work: &Work, task: &Open) -> u64 {
        if self.process_id == 0 { task.since } else { task.since.max(work.last_end) }
    }
}

impl Work {
    fn is_over(&self) -> bool {
        self.has_left && self.open.is_empty()
    }
}

impl Chunk {
    /// The same for what was handed over.
    pub(super) fn amend(&mut self, number: u64, ending: Ending) -> Option<Record> {
        amend(&mut self.records, number, ending)
    }

    pub(super) fn holds(&self, number: u64) -> bool {
        self.records.iter().any(|it| it.number == number)
    }
}

/// The last one, for an earlier one was an attempt that was followed by others.
fn amend(records: &mut [Record], number: u64, ending: Ending) -> Option<Record> {
    let record = records.iter_mut().rfind(|it| it.number == number)?;
    record.ending = ending;
    Some(record.clone())
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_as_many_bytes_as_is_said() {
        assert_eq!(size_of::<Record>(), 64);
    }
}
