//! What a timeline tells while it is written, at little cost.

use super::lane::{Lane, NEVER, Record};
use super::{Ending, Timeline};
use crate::sync::Arc;
use std::collections::VecDeque;
use std::time::Duration;

/// A worker, and the task that it is at.
pub(crate) struct AtWork {
    pub(crate) worker: Arc<str>,
    pub(crate) process_id: Option<u32>,
    /// With how long it has been at it.
    pub(crate) task: Option<(String, Duration)>,
}

/// A task that did not end well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) label: String,
    pub(crate) ending: Ending,
    /// `None` if it never began.
    pub(crate) worker: Option<Arc<str>>,
    pub(crate) process_id: Option<u32>,
    pub(crate) ago: Duration,
}

/// So many failures a pool remembers.
const FAILURES: usize = 6;

/// Tasks of one pool that did not end well, which are few: those that did do not meet here.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: [usize; Ending::ALL.len()],
    /// The latest of them, with their workers.
    failures: VecDeque<(Record, Arc<str>, u32)>,
}

impl Tally {
    fn count(&mut self, ending: Ending, record: Option<(&Record, &Lane)>) {
        if ending == Ending::Finished {
            return;
        }
        self.counts[ending as usize] += 1;
        if let Some((record, lane)) = record.filter(|_| ending.is_failure()) {
            self.failures.truncate(FAILURES - 1);
            self.failures.push_front((record.clone(), Arc::clone(&lane.name), lane.process_id));
        }
    }
}

impl Lane {
    pub(super) fn count(&self, record: &Record) {
        if record.ending != Ending::Finished {
            self.pool.tally.lock().count(record.ending, Some((record, self)));
        }
    }

    /// A task that was counted has ended in another way. Its record, if that is kept yet.
    pub(super) fn recount(
        &self,
        number: u64,
        before: Ending,
        ending: Ending,
        record: Option<&Record>,
    ) {
        let mut tally = self.pool.tally.lock();
        if before != Ending::Finished {
            tally.counts[before as usize] -= 1;
            tally.failures.retain(|it| it.0.number != number);
        }
        tally.count(ending, record.map(|it| (it, self)));
    }
}

impl Timeline {
    /// What the workers of this pool are at.
    pub(crate) fn at_work(&self, pool: &str) -> Vec<AtWork> {
        let mut lanes = self.shared.lanes.lock().here.clone();
        lanes.retain(|lane| lane.pool.name == pool);
        lanes.sort_by_key(|lane| lane.index);
        let now = self.now();
        let seen = lanes.iter().filter_map(|lane| {
            let task = lane.at_work()?.map(|it| {
                let time = Duration::from_nanos(now.saturating_sub(it.since));
                (it.name.text(it.number).into_owned(), time)
            });
            Some(AtWork {
                worker: Arc::clone(&lane.name),
                process_id: (lane.process_id != 0).then_some(lane.process_id),
                task,
            })
        });
        seen.collect()
    }

    /// How many tasks of this pool did not end well, and the latest of them; and of any pool those that never
    /// began.
    pub(crate) fn failures(&self, pool: &str) -> (Vec<(Ending, usize)>, Vec<Failure>) {
        let now = self.now();
        let pool = self.shared.lanes.lock().find(pool);
        let told = |(record, worker, process_id): &(Record, Arc<str>, u32)| Failure {
            label: record.name.text(record.number).into_owned(),
            ending: record.ending,
            worker: (record.begun != NEVER).then(|| Arc::clone(worker)),
            process_id: (*process_id != 0).then_some(*process_id),
            ago: Duration::from_nanos(now.saturating_sub(record.ended)),
        };
        let (mut counts, mut failures) = (Vec::new(), Vec::new());
        if let Some(pool) = pool {
            let tally = pool.tally.lock();
            counts.extend(Ending::ALL.into_iter().zip(tally.counts).filter(|it| it.1 > 0));
            failures.extend(tally.failures.iter().map(told));
        }
        failures.extend(self.shared.nowhere.pool.tally.lock().failures.iter().map(told));
        (counts, failures)
    }
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;
    use crate::timeline::{Entry, Name};

    #[test]
    fn a_process_that_is_gone_is_no_worker_and_one_that_replaces_it_is() {
        let timeline = Timeline::new();
        let workers = || timeline.at_work("p").iter().map(|it| it.process_id).collect::<Vec<_>>();
        let lane = timeline.lane_of_process("p", 0, 11);
        timeline.leave(&lane);
        assert_eq!(workers(), []);
        let _next = timeline.lane_of_process("p", 0, 12);
        // Told late.
        timeline.leave(&lane);
        assert_eq!(workers(), [Some(12)]);
    }

    #[test]
    fn what_a_worker_that_has_gone_failed_at_is_not_forgotten() {
        let timeline = Timeline::new();
        let lane = timeline.lane_of_process("p", 0, 11);
        let entry = Entry::new(&timeline, Name::Label("page 7".into()));
        entry.sent_to(&lane);
        timeline.leave(&lane);
        entry.end(Ending::Lost, None);
        assert_eq!(timeline.failures("p").0, [(Ending::Lost, 1)]);
        assert_eq!(timeline.failures("p").1[0].process_id, Some(11));
    }

    #[test]
    fn a_task_that_turns_out_to_have_failed_is_among_the_failures() {
        let timeline = Timeline::new();
        let lane = timeline.lane_of_process("p", 0, 11);
        let entry = Entry::new(&timeline, Name::Label("page 7".into()));
        entry.sent_to(&lane);
        entry.end(Ending::Finished, None);
        entry.end(Ending::Failed, None);
        let (counts, failures) = timeline.failures("p");
        assert_eq!(counts, [(Ending::Failed, 1)]);
        assert_eq!(failures.len(), 1);
        assert_eq!((&*failures[0].label, failures[0].ending), ("page 7", Ending::Failed));
    }
}
