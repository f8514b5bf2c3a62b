//! A timeline at one moment: all of its tasks, lane by lane.

use super::lane::{Lane, NEVER, Open, Record, View};
use super::lanes::Pool;
use super::{Ending, TaskRecord, Timeline};
use crate::sync::Arc;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// All that a timeline knows at one moment.
pub(super) struct Snapshot {
    /// In the order of pools and workers.
    pub(super) lanes: Vec<Row>,
    /// Of tasks that never began, in the order in which they ended.
    pub(super) not_begun: Vec<Task>,
    pub(super) dropped: usize,
}

/// What one worker did.
pub(super) struct Row {
    pub(super) pool: Arc<Pool>,
    pub(super) worker: Arc<str>,
    /// In the order in which they began; those within others after these.
    pub(super) tasks: Vec<Task>,
}

/// A task that has begun, or ended.
#[derive(Clone)]
pub(super) struct Task {
    record: Record,
    process_id: u32,
    is_running: bool,
}

impl Task {
    pub(super) fn name(&self) -> Cow<'_, str> {
        self.record.name.text(self.record.number)
    }

    /// `None` while it is running.
    pub(super) fn ending(&self) -> Option<Ending> {
        (!self.is_running).then_some(self.record.ending)
    }

    /// When it was submitted, or queued for another attempt.
    pub(super) fn queued(&self) -> u64 {
        self.record.queued
    }

    /// That of its end if it never began.
    pub(super) fn begun(&self) -> u64 {
        if self.record.begun == NEVER { self.record.ended } else { self.record.begun }
    }

    /// Now, if it is running.
    pub(super) fn ended(&self) -> u64 {
        self.record.ended
    }

    pub(super) fn has_begun(&self) -> bool {
        self.record.begun != NEVER
    }

    pub(super) fn process_id(&self) -> Option<u32> {
        (self.process_id != 0).then_some(self.process_id)
    }

    fn told(&self, worker: Option<&Arc<str>>) -> TaskRecord {
        TaskRecord {
            label: self.name().into_owned(),
            worker: worker.cloned(),
            process_id: self.process_id(),
            submitted: Duration::from_nanos(self.queued()),
            begun: self.has_begun().then(|| Duration::from_nanos(self.record.begun)),
            ended: (!self.is_running).then(|| Duration::from_nanos(self.ended())),
            ending: self.ending(),
        }
    }
}

impl Timeline {
    pub(super) fn snapshot(&self) -> Snapshot {
        let lanes = self.shared.lanes.lock().here.clone();
        let lanes = lanes.into_iter().chain([Arc::clone(&self.shared.nowhere)]);
        let now = self.now();
        let seen: Vec<(Arc<Lane>, View)> = lanes.map(|lane| (lane.clone(), lane.look())).collect();
        // After those, so that all are found: what was handed over in between is in both places.
        let (chunks, dropped) = {
            let kept = self.shared.kept.lock();
            (kept.chunks.clone(), kept.dropped)
        };
        let handed: HashMap<*const Lane, usize> =
            seen.iter().map(|(lane, view)| (Arc::as_ptr(lane), view.handed)).collect();
        let mut rows: BTreeMap<(u64, usize, Arc<str>), Row> = BTreeMap::new();
        let mut add = |lane: &Lane, records: &[Record], is_running| {
            let (number, index, name) = lane.key();
            let row = rows.entry((number, index, Arc::clone(name))).or_insert_with(|| Row {
                pool: Arc::clone(&lane.pool),
                worker: Arc::clone(name),
                tasks: Vec::new(),
            });
            let process_id = lane.process_id;
            let task = |record: &Record| Task { record: record.clone(), process_id, is_running };
            row.tasks.extend(records.iter().map(task));
        };
        for chunk in chunks {
            let seen = handed.get(&Arc::as_ptr(&chunk.lane));
            if seen.is_none_or(|handed| chunk.first < *handed) {
                add(&chunk.lane, &chunk.records, false);
            }
        }
        for (lane, view) in seen {
            add(&lane, &view.records, false);
            let running = |open: Open| {
                let Open { number, name, queued, since } = open;
                let ended = now.max(since);
                Record { number, name, queued, begun: since, ended, ending: Ending::Finished }
            };
            add(&lane, &view.open.into_iter().map(running).collect::<Vec<_>>(), true);
        }
        let mut rows: Vec<Row> = rows.into_values().collect();
        for row in &mut rows {
            row.tasks.sort_by_key(|task| (task.begun(), u64::MAX - task.ended()));
        }
        // It is there, and the last.
        let not_begun = rows.pop().map(|row| row.tasks).unwrap_or_default();
        Snapshot { lanes: rows, not_begun, dropped }
    }

    /// All tasks that have begun or ended, in the order in which they were submitted.
    ///
    /// # Examples
    ///
    /// See [`Timeline`].
    pub fn tasks(&self) -> Vec<TaskRecord> {
        let snapshot = self.snapshot();
        let mut told: Vec<(u64, TaskRecord)> = Vec::new();
        for row in &snapshot.lanes {
            let tell = |task: &Task| (task.record.number, task.told(Some(&row.worker)));
            told.extend(row.tasks.iter().map(tell));
        }
        told.extend(snapshot.not_begun.iter().map(|it| (it.record.number, it.told(None))));
        told.sort_by_key(|(number, task)| (*number, task.begun));
        told.into_iter().map(|(_, task)| task).collect()
    }

    /// The names of the workers that are there, and of those of which something is kept; those of one executor
    /// together.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{ThreadPoolExecutor, Timeline};
    ///
    /// let timeline = Timeline::new();
    /// let builder = ThreadPoolExecutor::builder().max_workers(1).thread_name_prefix("pages");
    /// let executor = builder.timeline(&timeline).build()?;
    /// executor.spawn(|| 1).result()?;
    /// assert_eq!(timeline.workers(), ["pages_0".into()]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn workers(&self) -> Vec<Arc<str>> {
        let mut lanes = self.shared.lanes.lock().here.clone();
        let nowhere = &self.shared.nowhere;
        lanes.extend(self.shared.kept.lock().chunks.iter().map(|it| Arc::clone(&it.lane)));
        lanes.retain(|lane| !Arc::ptr_eq(lane, nowhere));
        lanes.sort_by(|one, other| one.key().cmp(&other.key()));
        lanes.dedup_by(|one, other| one.key() == other.key());
        lanes.iter().map(|lane| Arc::clone(&lane.name)).collect()
    }
}
