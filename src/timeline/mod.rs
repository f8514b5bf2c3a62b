//! What each worker did, and when: recorded while it works, and shown afterwards.
//!
//! This room knows no task and no pool. A task that is to be recorded has an [`Entry`], which is told
//! who begins it, and how it ends; what has ended is kept with the [`Lane`] of its worker, so that
//! workers do not meet. `snapshot` puts it all together, for those who show it: `trace` and `svg`.

mod entry;
mod lane;
mod lanes;
#[cfg(feature = "monitor")]
mod live;
mod names;
mod place;
mod snapshot;
mod svg;
pub(crate) mod text;
mod trace;

pub(crate) use entry::{Entry, Span};
pub(crate) use lane::Lane;
#[cfg(feature = "monitor")]
pub(crate) use live::Failure;
pub(crate) use names::Name;
pub(crate) use place::Place;

use crate::sync::Arc;
use crate::sync::global::{AtomicUsize, Mutex, Ordering};
use lane::{Chunk, Record};
use lanes::{Lanes, Pool};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How many tasks are kept unless somebody says otherwise.
const CAPACITY: usize = 1_000_000;

/// Records what the workers of executors did: which task, on which worker, from when to when, and how it
/// ended.
///
/// Given to [one](crate::ThreadPoolBuilder::timeline) or several executors when they are built; clones are
/// the same timeline. It can be looked at at any time, also while tasks run.
///
/// What has ended stands in it before its future is done. Tasks that have not begun are not in it, until
/// they are cancelled, say.
///
/// # Cost
///
/// An executor without a timeline pays for it with a look at a pointer that it has anyway. With one, a task of a
/// pool of threads takes between 300 and 500 ns more: three looks at the clock, which are a third of that, and an
/// allocation of its own. That is nothing to tasks of a millisecond, and `map` makes one task of many small
/// items.
///
/// 64 bytes are kept for each task that has ended, besides its label; of the last million, unless another
/// [capacity](Self::with_capacity) is asked for. A worker that has gone takes some 300 bytes more, for as
/// long as one of its tasks is kept.
///
/// # Python
///
/// There is no counterpart.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{Ending, TaskOptions, ThreadPoolExecutor, Timeline};
///
/// let timeline = Timeline::new();
/// let builder = ThreadPoolExecutor::builder().max_workers(1).thread_name_prefix("pages");
/// let executor = builder.timeline(&timeline).build()?;
/// executor.with(TaskOptions::new().label("page 7")).submit(|page| page * 2, 7).result()?;
///
/// let tasks = timeline.tasks();
/// assert_eq!(tasks[0].label, "page 7");
/// assert_eq!(tasks[0].worker.as_deref(), Some("pages_0"));
/// assert_eq!(tasks[0].ending, Some(Ending::Finished));
/// assert!(tasks[0].submitted <= tasks[0].begun.unwrap());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Timeline {
    shared: Arc<Shared>,
}

struct Shared {
    origin: Instant,
    capacity: usize,
    submitted: AtomicUsize,
    lanes: Mutex<Lanes>,
    /// Of tasks that ended without having been begun.
    nowhere: Arc<Lane>,
    kept: Mutex<Kept>,
}

/// Records that their lanes have handed over, the oldest first.
#[derive(Default)]
struct Kept {
    chunks: VecDeque<Arc<Chunk>>,
    tasks: usize,
    dropped: usize,
}

impl Timeline {
    /// A timeline that keeps the last million tasks.
    pub fn new() -> Self {
        Self::with_capacity(CAPACITY)
    }

    /// A timeline that keeps the last so many tasks, and up to 256 more for each worker. The oldest are
    /// dropped, and [counted](Self::dropped).
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{ThreadPoolExecutor, Timeline};
    ///
    /// let timeline = Timeline::with_capacity(1000);
    /// let executor = ThreadPoolExecutor::builder().max_workers(1).timeline(&timeline).build()?;
    /// executor.submit_all(|n| n + 1, 0..5000);
    /// executor.shutdown(true, false);
    /// assert!((1000..=1256).contains(&timeline.tasks().len()));
    /// assert_eq!(timeline.dropped() + timeline.tasks().len(), 5000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_capacity(tasks: usize) -> Self {
        Timeline {
            shared: Arc::new(Shared {
                origin: Instant::now(),
                capacity: tasks,
                submitted: AtomicUsize::new(0),
                lanes: Mutex::default(),
                nowhere: Arc::new(Lane::new(Pool::new("", u64::MAX), 0, "not begun".into(), 0)),
                kept: Mutex::default(),
            }),
        }
    }

    /// How many tasks have been dropped because there were more than the timeline keeps.
    ///
    /// # Examples
    ///
    /// See [`with_capacity`](Self::with_capacity).
    pub fn dropped(&self) -> usize {
        self.shared.kept.lock().dropped
    }

    /// A place for a thread that is a worker of this pool, until that is dropped.
    pub(crate) fn seat_thread(&self, pool: &str) -> Place {
        let mut lanes = self.shared.lanes.lock();
        let index = lanes.free_index(|lane| lane.pool.name == pool);
        let lane = lanes.add(pool, index, format!("{pool}_{index}"), 0);
        drop(lanes);
        Place::take(self, lane)
    }

    /// The lane of the calling thread. One that is no worker, and helps, has a lane of its own from then on,
    /// until it ends.
    fn lane_here(&self) -> Arc<Lane> {
        Place::here(self).unwrap_or_else(|| {
            let name = std::thread::current().name().unwrap_or("caller").to_owned();
            let mut lanes = self.shared.lanes.lock();
            let is_its = |lane: &Lane| lane.pool.name == lane::CALLERS && *lane.name == *name;
            let index = lanes.free_index(is_its);
            let lane = lanes.add(lane::CALLERS, index, name, 0);
            drop(lanes);
            Place::keep(self, Arc::clone(&lane), true);
            lane
        })
    }

    /// The lane of a process that is the worker with this index of a pool, until it [leaves](Self::leave).
    pub(crate) fn lane_of_process(&self, pool: &str, index: usize, process_id: u32) -> Arc<Lane> {
        self.shared.lanes.lock().add(pool, index, format!("{pool}_{index}"), process_id)
    }

    /// The worker of this lane has gone.
    pub(crate) fn leave(&self, lane: &Arc<Lane>) {
        self.shared.leave(lane);
    }

    fn now(&self) -> u64 {
        self.since_origin(Instant::now())
    }

    /// In nanoseconds, of which there are enough for centuries.
    fn since_origin(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.shared.origin).as_nanos() as u64
    }

    /// The number of the next task, from one.
    fn next_number(&self) -> u64 {
        // ORDERING: relaxed; the numbers only have to differ.
        self.shared.submitted.fetch_add(1, Ordering::Relaxed) as u64 + 1
    }

    /// A task has ended in another way than its lane was told.
    fn amend(&self, lane: &Arc<Lane>, number: u64, before: Ending, ending: Ending) {
        let amended = lane.amend(number, ending);
        let amended = amended.or_else(|| self.shared.kept.lock().amend(lane, number, ending));
        #[cfg(feature = "monitor")]
        lane.recount(number, before, ending, amended.as_ref());
        #[cfg(not(feature = "monitor"))]
        let (_, _) = (before, amended);
    }
}

impl Shared {
    fn leave(&self, lane: &Arc<Lane>) {
        self.of_lane(lane, |keep| lane.leave(keep));
    }

    /// A task is over that the worker of this lane was at; from when to when it ran, if somebody knows better.
    fn close(&self, lane: &Arc<Lane>, number: u64, end: (u64, Ending), told: Option<(u64, u64)>) {
        self.of_lane(lane, |keep| lane.close(number, end, told, keep));
    }

    /// The worker of this lane does not begin a task that was sent to it.
    fn withdraw(&self, lane: &Arc<Lane>, number: u64) {
        self.of_lane(lane, |_| lane.withdraw(number));
    }

    /// A task is over that never began.
    fn never_began(&self, record: Record) {
        self.of_lane(&self.nowhere, |keep| self.nowhere.put(record, keep));
    }

    /// Keeps what a lane hands over, and removes the lane if it says that nothing is there any more.
    fn of_lane(&self, lane: &Arc<Lane>, act: impl FnOnce(&mut dyn FnMut(Chunk)) -> bool) {
        let mut dropped = Vec::new();
        let is_over = act(&mut |chunk| dropped = self.kept.lock().add(chunk, self.capacity));
        if is_over {
            self.lanes.lock().remove(lane);
        }
        // Without a lock, for there may be many labels.
        drop(dropped);
    }
}

impl Kept {
    /// What is dropped to make room.
    fn add(&mut self, chunk: Chunk, capacity: usize) -> Vec<Arc<Chunk>> {
        self.tasks += chunk.records.len();
        self.chunks.push_back(Arc::new(chunk));
        let mut dropped = Vec::new();
        while let Some(oldest) = self.chunks.front().map(|it| it.records.len())
            && self.tasks - oldest >= capacity
        {
            self.tasks -= oldest;
            self.dropped += oldest;
            dropped.extend(self.chunks.pop_front());
        }
        dropped
    }

    fn amend(&mut self, lane: &Arc<Lane>, number: u64, ending: Ending) -> Option<Record> {
        /// It has ended just now, and others of its lane can hardly have filled more meanwhile.
        const MOST: usize = 4;
        let of_lane = self.chunks.iter_mut().rev().filter(|it| Arc::ptr_eq(&it.lane, lane));
        let chunk = of_lane.take(MOST).find(|it| it.holds(number))?;
        // A snapshot may have it.
        Arc::make_mut(chunk).amend(number, ending)
    }
}

impl Default for Timeline {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Timeline {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl std::fmt::Debug for Timeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Timeline")
            .field("workers", &self.shared.lanes.lock().here.len())
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}

/// How a task ended, as a [`Timeline`] tells it.
///
/// # Examples
///
/// See [`Timeline`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Ending {
    /// It returned, an `Err` too.
    Finished,
    /// It panicked, was refused, or its argument or result could not be transferred.
    Failed,
    /// It took too long, to begin or to end.
    TimedOut,
    /// It was cancelled, or heeded a request to stop.
    Cancelled,
    /// Its worker died, or its executor broke.
    Lost,
    /// An attempt failed, or its worker died, and the task was queued once more.
    Retried,
}

impl Ending {
    pub(crate) const ALL: [Ending; 6] = [
        Ending::Finished,
        Ending::Failed,
        Ending::TimedOut,
        Ending::Cancelled,
        Ending::Lost,
        Ending::Retried,
    ];

    #[cfg(feature = "monitor")]
    fn is_failure(self) -> bool {
        matches!(self, Ending::Failed | Ending::TimedOut | Ending::Lost)
    }

    /// In the words that users read.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Ending::Finished => "finished",
            Ending::Failed => "failed",
            Ending::TimedOut => "timed out",
            Ending::Cancelled => "cancelled",
            Ending::Lost => "lost",
            Ending::Retried => "retried",
        }
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// One task, or one attempt at it, as a [`Timeline`] tells it. Times count from when the timeline was made.
///
/// # Examples
///
/// See [`Timeline`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskRecord {
    /// The task's label; otherwise the name of its function, or a number in the order of submission.
    pub label: String,
    /// The worker that ran it; `None` if it never began.
    pub worker: Option<Arc<str>>,
    /// The process that ran it, if it was another one.
    pub process_id: Option<u32>,
    /// When it was submitted; if this is no first attempt, when it was queued once more.
    pub submitted: Duration,
    /// When it began, if it did. Of a task that was lost with its process, the earliest moment that this can
    /// have been.
    pub begun: Option<Duration>,
    /// When it ended; `None` if it is running.
    pub ended: Option<Duration>,
    /// How it ended; `None` if it is running.
    pub ending: Option<Ending>,
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::lane::Open;
    use super::*;
    use std::thread;

    #[test]
    fn a_thread_that_helped_keeps_no_timeline() {
        let timeline = Timeline::new();
        timeline.lane_here();
        assert!(Arc::ptr_eq(&timeline.lane_here(), &timeline.lane_here()));
        let shared = Arc::downgrade(&timeline.shared);
        drop(timeline);
        assert!(shared.upgrade().is_none());
    }

    #[test]
    fn threads_that_help_leave_their_lanes_to_others_of_their_name() {
        let timeline = Timeline::new();
        for name in ["one", "two", "one", "one", "two"] {
            let its = timeline.clone();
            let helper = thread::Builder::new().name(name.to_owned());
            helper.spawn(move || do_a_task(&its)).unwrap().join().unwrap();
        }
        assert_eq!(timeline.workers(), ["one".into(), "two".into()]);
        assert_eq!(timeline.tasks().len(), 5);
    }

    fn do_a_task(timeline: &Timeline) {
        let entry = Entry::new(timeline, Name::Function(""));
        entry.begin_here();
        entry.end(Ending::Finished, None);
    }

    #[test]
    fn of_pools_without_end_no_more_is_kept_than_of_their_tasks() {
        let timeline = Timeline::with_capacity(10);
        for index in 0..200 {
            let place = timeline.seat_thread(&format!("pool {index}"));
            do_a_task(&timeline);
            drop(place);
            let its = timeline.clone();
            let helper = thread::Builder::new().name(format!("helper {index}"));
            helper.spawn(move || do_a_task(&its)).unwrap().join().unwrap();
            let lane = timeline.lane_of_process(&format!("far {index}"), 0, 7);
            timeline.leave(&lane);
        }
        assert_eq!(timeline.tasks().len(), 10);
        assert_eq!(timeline.workers().len(), 10);
        let lanes = timeline.shared.lanes.lock();
        assert_eq!(lanes.here.len(), 0);
        assert!(lanes.pools() < 100, "{}", lanes.pools());
        let kept = timeline.shared.kept.lock();
        let room: usize = kept.chunks.iter().map(|it| it.records.capacity()).sum();
        assert_eq!(room, 10);
    }

    #[test]
    fn a_task_that_ends_after_its_worker_has_gone_is_running_until_then() {
        let timeline = Timeline::new();
        let lane = timeline.lane_of_process("pool", 0, 7);
        let entry = Entry::new(&timeline, Name::Function(""));
        entry.sent_to(&lane);
        timeline.leave(&lane);
        assert_eq!(timeline.tasks()[0].ending, None);
        entry.end(Ending::Lost, None);
        assert_eq!(timeline.tasks()[0].ending, Some(Ending::Lost));
        assert_eq!(timeline.shared.lanes.lock().here.len(), 0);
    }

    #[test]
    fn two_pools_of_one_name_keep_their_processes_apart() {
        let timeline = Timeline::new();
        let lanes = [7, 8].map(|id| timeline.lane_of_process("pool", 0, id));
        for lane in &lanes {
            let entry = Entry::new(&timeline, Name::Function(""));
            entry.sent_to(lane);
            entry.end(Ending::Finished, None);
        }
        let processes: Vec<_> = timeline.tasks().iter().map(|it| it.process_id).collect();
        assert_eq!(processes, [Some(7), Some(8)]);
        assert_eq!(timeline.workers(), ["pool_0".into()]);
    }

    #[test]
    fn an_attempt_waits_from_when_the_task_is_queued_once_more() {
        let timeline = Timeline::new();
        let lane = timeline.lane_of_process("pool", 0, 7);
        let entry = Entry::new(&timeline, Name::Function(""));
        entry.sent_to(&lane);
        entry.retry(None);
        entry.sent_to(&lane);
        entry.end(Ending::Finished, None);
        let [first, second] = &timeline.tasks()[..] else { panic!("there are two attempts") };
        assert_eq!(Some(second.submitted), first.ended);
    }

    #[test]
    fn a_task_that_ended_before_another_does_not_begin_after_its_own_end() {
        let timeline = Timeline::new();
        let lane = timeline.lane_of_process("pool", 0, 7);
        let open = |number| Open { number, name: Name::Function(""), queued: 1, since: 2 };
        lane.open(open(1));
        lane.open(open(2));
        // Each looks at the clock first, and comes to the lane in the other order.
        timeline.shared.close(&lane, 2, (20, Ending::Finished), None);
        timeline.shared.close(&lane, 1, (10, Ending::Finished), None);
        let spans: Vec<_> = timeline.tasks().iter().map(|it| (it.begun, it.ended)).collect();
        let nanos = |at| Some(Duration::from_nanos(at));
        assert_eq!(spans, [(nanos(10), nanos(10)), (nanos(2), nanos(20))]);
    }

    #[test]
    fn what_a_lane_has_handed_over_can_still_turn_out_otherwise() {
        let timeline = Timeline::new();
        let lane = timeline.lane_of_process("pool", 0, 7);
        let entries: Vec<_> = (0..600).map(|_| Entry::new(&timeline, Name::Function(""))).collect();
        for entry in &entries {
            entry.sent_to(&lane);
            entry.end(Ending::Finished, None);
        }
        let before = timeline.tasks();
        entries.iter().for_each(|entry| entry.end(Ending::Failed, None));
        assert!(before.iter().all(|it| it.ending == Some(Ending::Finished)));
        let after = timeline.tasks();
        assert_eq!(after.len(), 600);
        assert!(after.iter().all(|it| it.ending == Some(Ending::Failed)));
    }
}
