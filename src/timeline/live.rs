//! What a timeline tells while it is written, at little cost.

use super::{Ending, Timeline};
use crate::sync::Arc;
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

impl Timeline {
    /// What the workers of this pool are at.
    pub(crate) fn at_work(&self, pool: &str) -> Vec<AtWork> {
        let mut lanes = self.shared.lanes.lock().clone();
        lanes.retain(|lane| lane.pool == pool);
        lanes.sort_by_key(|lane| lane.index);
        let now = self.now();
        let seen = lanes.iter().filter_map(|lane| {
            let (open, process_id) = lane.at_work()?;
            let task = open.map(|it| {
                let time = Duration::from_nanos(now.saturating_sub(it.since));
                (it.name.text(it.number).into_owned(), time)
            });
            Some(AtWork {
                worker: Arc::clone(&lane.name),
                process_id: (process_id != 0).then_some(process_id),
                task,
            })
        });
        seen.collect()
    }

    /// How many tasks of this pool did not end well, and the latest of them; and of any pool those that never
    /// began.
    pub(crate) fn failures(&self, pool: &str) -> (Vec<(Ending, usize)>, Vec<Failure>) {
        let now = self.now();
        let mut lanes = self.shared.lanes.lock().clone();
        lanes.retain(|lane| lane.pool == pool);
        let mut counts = [0; Ending::ALL.len()];
        let mut failures = Vec::new();
        for lane in lanes.iter().chain([&self.shared.nowhere]) {
            let has_begun = !Arc::ptr_eq(lane, &self.shared.nowhere);
            let (ended, latest) = lane.ended();
            if has_begun {
                counts.iter_mut().zip(ended).for_each(|(sum, count)| *sum += count);
            }
            failures.extend(latest.into_iter().map(|it| Failure {
                label: it.name.text(it.number).into_owned(),
                ending: it.ending,
                worker: has_begun.then(|| Arc::clone(&lane.name)),
                process_id: (it.process_id != 0).then_some(it.process_id),
                ago: Duration::from_nanos(now.saturating_sub(it.ended)),
            }));
        }
        let counts = Ending::ALL.into_iter().zip(counts);
        let told = counts.filter(|(it, count)| *it != Ending::Finished && *count > 0);
        (told.collect(), failures)
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
        lane.end_process(11);
        assert_eq!(workers(), []);
        let _next = timeline.lane_of_process("p", 0, 12);
        // Told late.
        lane.end_process(11);
        assert_eq!(workers(), [Some(12)]);
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
