//! What can be seen of a pool while it works.

use super::Pool;
use crate::executor::Stats;
use crate::process::machine::WorkerView;

impl Pool {
    pub(crate) fn stats(&self) -> Stats {
        let state = self.state.lock();
        let mut stats = Stats {
            finished: state.finished,
            failed: state.failed,
            cancelled: state.cancelled,
            ..Stats::default()
        };
        let mut sent = 0;
        for worker in state.machine.workers() {
            stats.workers += 1;
            stats.idle += usize::from(worker.is_up && worker.sent.is_empty());
            sent += worker.sent.len();
            stats.running += usize::from(state.running(worker.id, &worker.sent).is_some());
        }
        stats.queued = state.machine.queued() + sent - stats.running;
        stats
    }

    /// What every worker is at.
    pub(crate) fn workers(&self) -> Vec<WorkerInfo> {
        let state = self.state.lock();
        let info = |worker: WorkerView| {
            let running = state.running(worker.id, &worker.sent);
            let label = running
                .and_then(|task| state.machine.job(task))
                .and_then(|job| job.task().label().map(|label| label.to_string()));
            WorkerInfo {
                index: worker.index,
                process_id: state.lines.get(&worker.id).map(|line| line.process_id()),
                state: match (worker.is_leaving, worker.is_up, running) {
                    (true, ..) => WorkerState::Leaving,
                    (_, false, _) => WorkerState::Starting,
                    (_, _, Some(_)) => WorkerState::Busy,
                    (_, _, None) => WorkerState::Idle,
                },
                label,
            }
        };
        state.machine.workers().map(info).collect()
    }
}

/// A worker of a process pool, from [`workers`](crate::ProcessPoolHandle::workers).
///
/// # Examples
///
/// See [`workers`](crate::ProcessPoolHandle::workers).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// Its number within the pool, from zero.
    pub index: usize,
    /// The number of its process in the operating system, if that has been started.
    pub process_id: Option<u32>,
    /// What it is doing.
    pub state: WorkerState,
    /// The label of the task that it is running.
    pub label: Option<String>,
}

/// What a worker of a process pool is doing.
///
/// # Examples
///
/// See [`workers`](crate::ProcessPoolHandle::workers).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkerState {
    /// Its process is being started, or is in the initializer.
    Starting,
    /// It waits for a task.
    Idle,
    /// It runs a task.
    Busy,
    /// It is about to end, and takes no more tasks.
    Leaving,
}
