//! The lanes of a timeline: what one worker is at, and what it has done.

use super::{Ending, Name, Shared, Timeline};
use crate::sync::global::Mutex;
use crate::sync::thread::const_thread_local;
use crate::sync::{Arc, Weak};
use std::cell::RefCell;

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
    pub(super) submitted: u64,
    pub(super) begun: u64,
    pub(super) ended: u64,
    /// Zero if it was this one.
    pub(super) process_id: u32,
    pub(super) ending: Ending,
}

/// A task that a worker is at, or has been sent.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) number: u64,
    pub(super) name: Name,
    pub(super) submitted: u64,
    /// When it was begun, or sent.
    pub(super) since: u64,
}

/// What one worker does. A worker that replaces another goes on with its lane.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(super) pool: String,
    pub(super) name: Arc<str>,
    pub(super) index: usize,
    work: Mutex<Work>,
}

#[derive(Debug)]
struct Work {
    is_taken: bool,
    /// Zero for a thread.
    process_id: u32,
    /// Of a thread, tasks within each other, the innermost last; of a process, the one that it is at, and
    /// those that were sent ahead.
    open: Vec<Open>,
    last_end: u64,
    /// How many records it has handed over.
    handed: usize,
    records: Vec<Record>,
    #[cfg(feature = "monitor")]
    counts: [usize; Ending::ALL.len()],
    /// The latest of them that did not end well.
    #[cfg(feature = "monitor")]
    failures: std::collections::VecDeque<Record>,
}

/// So many failures a lane remembers.
#[cfg(feature = "monitor")]
const FAILURES: usize = 6;

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
    pub(super) process_id: u32,
}

impl Lane {
    pub(super) fn new(pool: &str, name: String, index: usize) -> Self {
        Lane {
            pool: pool.to_owned(),
            name: name.into(),
            index,
            work: Mutex::new(Work {
                is_taken: true,
                process_id: 0,
                open: Vec::new(),
                last_end: 0,
                handed: 0,
                records: Vec::new(),
                #[cfg(feature = "monitor")]
                counts: [0; Ending::ALL.len()],
                #[cfg(feature = "monitor")]
                failures: Default::default(),
            }),
        }
    }

    /// Whether it was free, and is not any more.
    pub(super) fn take(&self) -> bool {
        !std::mem::replace(&mut self.work.lock().is_taken, true)
    }

    /// A process is the worker from now on.
    pub(super) fn begin_process(&self, process_id: u32, now: u64) {
        let mut work = self.work.lock();
        work.is_taken = true;
        work.process_id = process_id;
        work.last_end = now;
    }

    pub(super) fn open(&self, task: Open) {
        self.work.lock().open.push(task);
    }

    /// The task is not here any more.
    pub(super) fn withdraw(&self, number: u64) {
        self.work.lock().take(number);
    }

    /// A task is over. It ran from when to when `told` says, or began when it did here. Hands over what has been
    /// gathered if that is enough, so that nobody finds it neither here nor there.
    pub(super) fn close(
        self: &Arc<Self>,
        record: Record,
        told: Option<(u64, u64)>,
        hand_over: impl FnOnce(Chunk),
    ) {
        let mut work = self.work.lock();
        let open = work.take(record.number);
        // Another task of this lane may have ended since it was looked at the clock.
        let begun = open.map_or(NEVER, |it| work.begun(&it).min(record.ended));
        let (begun, ended) = told.unwrap_or((begun, record.ended));
        let record = Record { begun, ended, process_id: work.process_id, ..record };
        work.last_end = work.last_end.max(record.ended);
        #[cfg(feature = "monitor")]
        work.count(&record);
        work.records.push(record);
        if work.records.len() >= CHUNK {
            let records = std::mem::replace(&mut work.records, Vec::with_capacity(CHUNK));
            hand_over(Chunk { lane: Arc::clone(self), first: work.handed, records });
            work.handed += CHUNK;
        }
    }

    /// The task that has just ended did so in another way than was thought. False if its record has been
    /// handed over.
    pub(super) fn amend(&self, number: u64, before: Ending, ending: Ending) -> bool {
        let mut work = self.work.lock();
        #[cfg(feature = "monitor")]
        work.recount(number, before, ending);
        #[cfg(not(feature = "monitor"))]
        let _ = before;
        amend(&mut work.records, number, ending)
    }

    /// The process is gone; perhaps another one is here already.
    pub(crate) fn end_process(&self, process_id: u32) {
        let mut work = self.work.lock();
        work.is_taken &= work.process_id != process_id;
    }

    /// It has no worker any more.
    fn leave(&self) {
        self.work.lock().is_taken = false;
    }

    /// What it is at, and since when, and in which process.
    #[cfg(feature = "monitor")]
    pub(super) fn at_work(&self) -> Option<(Option<Open>, u32)> {
        let work = self.work.lock();
        work.is_taken.then(|| (work.running().pop(), work.process_id))
    }

    /// How many tasks have ended in each way, and the latest that did not end well.
    #[cfg(feature = "monitor")]
    pub(super) fn ended(&self) -> ([usize; Ending::ALL.len()], Vec<Record>) {
        let work = self.work.lock();
        (work.counts, work.failures.iter().cloned().collect())
    }

    pub(super) fn look(&self) -> View {
        let work = self.work.lock();
        let Work { handed, process_id, .. } = *work;
        View { handed, records: work.records.clone(), open: work.running(), process_id }
    }
}

impl Chunk {
    /// The same for what was handed over.
    pub(super) fn amend(&mut self, number: u64, ending: Ending) -> bool {
        amend(&mut self.records, number, ending)
    }

    pub(super) fn holds(&self, number: u64) -> bool {
        self.records.iter().any(|it| it.number == number)
    }
}

/// Whether it is among these. The last one, for an earlier one was an attempt that was followed by others.
fn amend(records: &mut [Record], number: u64, ending: Ending) -> bool {
    let record = records.iter_mut().rev().find(|it| it.number == number);
    record.map(|it| it.ending = ending).is_some()
}

impl Work {
    #[cfg(feature = "monitor")]
    fn count(&mut self, record: &Record) {
        self.counts[record.ending as usize] += 1;
        if record.ending.is_failure() {
            self.failures.truncate(FAILURES - 1);
            self.failures.push_front(record.clone());
        }
    }

    /// A task that was counted has ended in another way.
    #[cfg(feature = "monitor")]
    fn recount(&mut self, number: u64, before: Ending, ending: Ending) {
        self.counts[before as usize] -= 1;
        self.failures.retain(|it| it.number != number);
        match self.records.iter().rfind(|it| it.number == number) {
            Some(record) => self.count(&Record { ending, ..record.clone() }),
            None => self.counts[ending as usize] += 1,
        }
    }

    fn take(&mut self, number: u64) -> Option<Open> {
        let is_it = |it: &Open| it.number == number;
        // The innermost ends first, and so does the one that was sent first.
        let at = if self.process_id == 0 {
            self.open.iter().rposition(is_it)
        } else {
            self.open.iter().position(is_it)
        };
        at.map(|at| self.open.remove(at))
    }

    fn running(&self) -> Vec<Open> {
        let most = if self.process_id == 0 { usize::MAX } else { 1 };
        let begun = |it: &Open| Open { since: self.begun(it), ..it.clone() };
        self.open.iter().take(most).map(begun).collect()
    }

    /// When it began, as far as that is known here: a process begins a call when it is there, and the one
    /// before has ended.
    fn begun(&self, task: &Open) -> u64 {
        if self.process_id == 0 { task.since } else { task.since.max(self.last_end) }
    }
}

const_thread_local! {
    /// The lanes of this thread, one for each timeline that it has to do with.
    static LANES: RefCell<Vec<Kept>> = RefCell::new(Vec::new())
}

/// A lane of this thread. It does not keep the timeline: the thread may live longer than everybody who wants
/// to look at that.
struct Kept {
    timeline: Weak<Shared>,
    lane: Arc<Lane>,
    /// The thread is no worker, and leaves its lane to others when it ends.
    is_callers: bool,
}

impl Kept {
    fn is_of(&self, timeline: &Timeline) -> bool {
        self.timeline.as_ptr() == Arc::as_ptr(&timeline.shared)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.is_callers {
            self.lane.leave();
        }
    }
}

/// What makes a thread a worker's, in the eyes of a timeline.
#[derive(Debug)]
pub(crate) struct Place {
    timeline: Timeline,
    lane: Arc<Lane>,
}

impl Place {
    pub(super) fn take(timeline: &Timeline, lane: Arc<Lane>) -> Place {
        Place::keep(timeline, Arc::clone(&lane), false);
        Place { timeline: timeline.clone(), lane }
    }

    /// From now on this is the thread's lane.
    pub(super) fn keep(timeline: &Timeline, lane: Arc<Lane>, is_callers: bool) {
        let kept = Kept { timeline: Arc::downgrade(&timeline.shared), lane, is_callers };
        let _ = LANES.try_with(|lanes| {
            let mut lanes = lanes.borrow_mut();
            lanes.retain(|it| it.timeline.strong_count() > 0);
            lanes.push(kept);
        });
    }

    pub(super) fn here(timeline: &Timeline) -> Option<Arc<Lane>> {
        let find = |lanes: &RefCell<Vec<Kept>>| {
            let lanes = lanes.borrow();
            lanes.iter().find(|it| it.is_of(timeline)).map(|it| Arc::clone(&it.lane))
        };
        LANES.try_with(find).ok().flatten()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let forgotten = LANES.try_with(|lanes| {
            let mut lanes = lanes.borrow_mut();
            let at = lanes.iter().position(|it| it.is_of(&self.timeline));
            at.map(|at| lanes.remove(at))
        });
        drop(forgotten);
        self.lane.leave();
    }
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_as_many_bytes_as_is_said() {
        assert_eq!(size_of::<Record>(), 64);
    }
}
