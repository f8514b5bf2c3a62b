//! What is seen of executors at one moment, and what has to be remembered for that.

use super::sources::Look;
use crate::executor::Stats;
use crate::sync::Arc;
use crate::timeline::{Ending, Failure};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The rate is that of this time, so that it does not jump about.
const SMOOTH: Duration = Duration::from_secs(2);

/// How many rates are drawn, one for each second.
pub(super) const RATES: usize = 30;

/// How many failures are told.
pub(super) const FAILURES: usize = 6;

/// All that is shown.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    pub(super) elapsed: Duration,
    pub(super) executors: Vec<Executor>,
    /// The latest comes first.
    pub(super) failures: Vec<Failure>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Executor {
    pub(super) name: String,
    pub(super) stats: Stats,
    /// Tasks in a second.
    pub(super) rate: f64,
    /// The same for each of the last seconds.
    pub(super) rates: Vec<u64>,
    /// How many ended in another way than well.
    pub(super) endings: Vec<(Ending, usize)>,
    pub(super) workers: Vec<Worker>,
    /// Whether it has a timeline.
    pub(super) is_recorded: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Worker {
    pub(super) name: Arc<str>,
    pub(super) process_id: Option<u32>,
    /// What it is at.
    pub(super) task: Option<String>,
    pub(super) busy_for: Option<Duration>,
}

/// What has been seen before.
pub(super) struct History {
    begun: Instant,
    executors: Vec<Past>,
}

struct Past {
    name: String,
    /// How many tasks were done at which time.
    done: VecDeque<(Instant, usize)>,
    rates: VecDeque<u64>,
    /// When the last second was over, and what was done by then.
    second: (Instant, usize),
}

impl History {
    pub(super) fn new(names: Vec<String>) -> Self {
        let begun = Instant::now();
        let past =
            |name| Past { name, done: VecDeque::new(), rates: VecDeque::new(), second: (begun, 0) };
        History { begun, executors: names.into_iter().map(past).collect() }
    }

    /// Looks at all executors.
    pub(super) fn look<'a>(&mut self, sources: impl Iterator<Item = &'a dyn Look>) -> View {
        let mut view = View { elapsed: self.begun.elapsed(), ..View::default() };
        for (past, source) in self.executors.iter_mut().zip(sources) {
            let stats = source.stats();
            let (rate, rates) = past.rates(stats.done());
            let mut executor =
                Executor { name: past.name.clone(), stats, rate, rates, ..Executor::default() };
            match source.timeline() {
                None => executor.workers = source.workers(),
                Some((timeline, pool)) => {
                    executor.is_recorded = true;
                    executor.workers = timeline
                        .at_work(pool)
                        .into_iter()
                        .map(|it| Worker {
                            name: it.worker,
                            process_id: it.process_id,
                            busy_for: it.task.as_ref().map(|it| it.1),
                            task: it.task.map(|it| it.0),
                        })
                        .collect();
                    let (endings, failures) = timeline.failures(pool);
                    executor.endings = endings;
                    view.failures.extend(failures);
                }
            }
            view.executors.push(executor);
        }
        view.failures.sort_by_key(|it| it.ago);
        view.failures.dedup();
        view.failures.truncate(FAILURES);
        view
    }
}

impl Past {
    fn rates(&mut self, done: usize) -> (f64, Vec<u64>) {
        let now = Instant::now();
        self.done.push_back((now, done));
        while self.done.len() > 2 && now - self.done[1].0 >= SMOOTH {
            self.done.pop_front();
        }
        let (first, before) = self.done[0];
        let seconds = (now - first).as_secs_f64();
        let rate = if seconds > 0.0 { done.saturating_sub(before) as f64 / seconds } else { 0.0 };
        let since = (now - self.second.0).as_secs_f64();
        if since >= 1.0 {
            self.rates.push_back((done.saturating_sub(self.second.1) as f64 / since) as u64);
            self.second = (now, done);
        }
        while self.rates.len() > RATES {
            self.rates.pop_front();
        }
        (rate, self.rates.iter().copied().collect())
    }
}
