//! Tasks that are cancelled as one.

use super::Waitable;
use crate::sync::Mutex;
use crate::task::{Cancelled, Stop, TaskRef};

/// Tasks that can be stopped together.
///
/// A group holds no results and keeps no task from being detached; it only remembers which tasks
/// belong together, from any executor. Tasks that are done are forgotten as others are added. A
/// group can be shared between threads by reference.
///
/// # Python
///
/// There is no counterpart but a loop over the futures.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{Group, Promise};
///
/// let group = Group::new();
/// let pending: Vec<_> = (0..3).map(|_| Promise::<u32>::new()).collect();
/// pending.iter().for_each(|(_, future)| group.add(future));
/// assert_eq!(group.cancel(), 3);
/// assert!(pending.iter().all(|(_, future)| future.cancelled()));
/// ```
#[derive(Debug, Default)]
pub struct Group {
    members: Mutex<Members>,
}

#[derive(Debug, Default)]
struct Members {
    tasks: Vec<TaskRef>,
    /// How many tasks there were after the last clean-up.
    kept: usize,
    /// What happens to a task that is added now.
    stopping: Option<Stop>,
}

/// What [`Group::abort`] did.
///
/// # Examples
///
/// See [`Group::abort`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Stopped {
    /// Tasks that had not begun and never will.
    pub cancelled: usize,
    /// Running tasks that were asked to stop.
    pub asked: usize,
}

impl Group {
    /// An empty group.
    pub fn new() -> Self {
        Group::default()
    }

    /// Adds the task of a future. In a group that has been cancelled or aborted, the same happens
    /// to the new task at once. Never blocks.
    pub fn add(&self, future: &impl Waitable) {
        if let Some(task) = future.awaited().task() {
            self.add_task(task.clone());
        }
    }

    pub(crate) fn add_task(&self, task: TaskRef) {
        let mut members = self.members.lock();
        if let Some(stop) = members.stopping {
            drop(members);
            stop_task(&task, stop, &mut Stopped::default());
            return;
        }
        let full = members.tasks.len() >= 2 * members.kept.max(16);
        let mut done = Vec::new();
        if full {
            // Taken out under the lock, dropped outside of it.
            done = members.tasks.extract_if(.., |task| task.snapshot().is_done()).collect();
            members.kept = members.tasks.len();
        }
        members.tasks.push(task);
        drop(members);
        drop(done);
    }

    /// Cancels every task that has not begun, also those added from now on; how many it stopped.
    /// Never blocks; callbacks of the tasks run on this thread.
    pub fn cancel(&self) -> usize {
        self.stop(Stop::Cancel).cancelled
    }

    /// Cancels every task that has not begun and asks the running ones to stop, also those added
    /// from now on. Never blocks.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurrent_futures::{Group, ThreadPoolExecutor, cancellation_requested};
    ///
    /// let executor = ThreadPoolExecutor::new(1)?;
    /// let endless = executor.spawn(|| while !cancellation_requested() { std::thread::yield_now() });
    /// while !endless.running() { std::thread::yield_now() }
    /// let waiting = executor.spawn(|| ());
    /// let group = Group::new();
    /// group.add(&endless);
    /// group.add(&waiting);
    /// let stopped = group.abort();
    /// assert_eq!((stopped.cancelled, stopped.asked), (1, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn abort(&self) -> Stopped {
        self.stop(Stop::Abort)
    }

    fn stop(&self, stop: Stop) -> Stopped {
        let tasks = {
            let mut members = self.members.lock();
            members.stopping = members.stopping.max(Some(stop));
            // A group that is only cancelled may still be aborted.
            members.tasks.clone()
        };
        let mut stopped = Stopped::default();
        // Nobody is asked before all are cancelled that can be: a worker whose task heeds the
        // request would go on with the next one of this very group.
        for task in &tasks {
            stop_task(task, Stop::Cancel, &mut stopped);
        }
        if stop == Stop::Abort {
            for task in &tasks {
                stop_task(task, stop, &mut stopped);
            }
        }
        stopped
    }

    /// Lets go of all tasks.
    pub(crate) fn forget_all(&self) {
        let forgotten = std::mem::take(&mut self.members.lock().tasks);
        drop(forgotten);
    }

    /// The tasks that are not done, oldest first.
    pub(crate) fn unfinished(&self) -> Vec<TaskRef> {
        let members = self.members.lock();
        members.tasks.iter().filter(|task| !task.snapshot().is_done()).cloned().collect()
    }
}

fn stop_task(task: &TaskRef, stop: Stop, stopped: &mut Stopped) {
    match task.try_cancel() {
        Cancelled::Now => stopped.cancelled += 1,
        Cancelled::Before => {}
        Cancelled::No => {
            if stop == Stop::Abort && task.abort() {
                stopped.asked += 1;
            }
        }
    }
}
