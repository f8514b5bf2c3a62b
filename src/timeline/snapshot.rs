//! A timeline at one moment: all of its tasks, lane by lane.

use super::lane::{Lane, NEVER, Record, View};
use super::{Ending, TaskRecord, Timeline};
use crate::sync::Arc;
use std::borrow::Cow;
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
    pub(super) lane: Arc<Lane>,
    /// In the order in which they began; those within others after these.
    pub(super) tasks: Vec<Task>,
}

/// A task that has begun, or ended.
#[derive(Clone)]
pub(super) struct Task {
    record: Record,
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

    pub(super) fn submitted(&self) -> u64 {
        self.record.submitted
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
        (self.record.process_id != 0).then_some(self.record.process_id)
    }

    fn told(&self, worker: Option<&Arc<str>>) -> TaskRecord {
        TaskRecord {
            label: self.name().into_owned(),
            worker: worker.cloned(),
            process_id: self.process_id(),
            submitted: Duration::from_nanos(self.submitted()),
            begun: self.has_begun().then(|| Duration::from_nanos(self.record.begun)),
            ended: (!self.is_running).then(|| Duration::from_nanos(self.ended())),
            ending: self.ending(),
        }
    }
}

impl Timeline {
    pub(super) fn snapshot(&self) -> Snapshot {
        let mut lanes = self.shared.lanes.lock().clone();
        // Those of one pool together, and the pools in the order in which they came.
        let order: Vec<String> = lanes.iter().map(|lane| lane.pool.clone()).collect();
        lanes.sort_by_key(|lane| (order.iter().position(|it| *it == lane.pool), lane.index));

        lanes.push(Arc::clone(&self.shared.nowhere));

        let now = self.now();
        let views: Vec<View> = lanes.iter().map(|lane| lane.look()).collect();
        // After those, so that all are found: what was handed over in between is in both places.
        let (chunks, dropped) = {
            let kept = self.shared.kept.lock();
            (kept.chunks.clone(), kept.dropped)
        };
        let mut rows: Vec<Row> =
            lanes.into_iter().map(|lane| Row { lane, tasks: Vec::new() }).collect();
        let over = |record: &Record| Task { record: record.clone(), is_running: false };
        for chunk in chunks {
            let row = rows.iter().position(|row| Arc::ptr_eq(&row.lane, &chunk.lane));
            if let Some(at) = row.filter(|at| chunk.first < views[*at].handed) {
                rows[at].tasks.extend(chunk.records.iter().map(over));
            }
        }
        for (row, view) in rows.iter_mut().zip(views) {
            row.tasks.extend(view.records.iter().map(over));
            row.tasks.extend(view.open.into_iter().map(|open| Task {
                record: Record {
                    number: open.number,
                    name: open.name,
                    submitted: open.submitted,
                    begun: open.since,
                    ended: now.max(open.since),
                    process_id: view.process_id,
                    ending: Ending::Finished,
                },
                is_running: true,
            }));
            row.tasks.sort_by_key(|task| (task.begun(), u64::MAX - task.ended()));
        }
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
            let tell = |task: &Task| (task.record.number, task.told(Some(&row.lane.name)));
            told.extend(row.tasks.iter().map(tell));
        }
        told.extend(snapshot.not_begun.iter().map(|it| (it.record.number, it.told(None))));
        told.sort_by_key(|(number, task)| (*number, task.begun));
        told.into_iter().map(|(_, task)| task).collect()
    }

    /// The names of all workers that have been there, those of one executor together.
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
        self.snapshot().lanes.into_iter().map(|row| Arc::clone(&row.lane.name)).collect()
    }
}
