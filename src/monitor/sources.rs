//! What a monitor can look at.

use super::view::Worker;
use crate::any_executor::AnyExecutor;
use crate::executor::Stats;
#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
use crate::process::{ProcessPoolExecutor, ProcessPoolHandle, WorkerState};
use crate::sync::Arc;
use crate::thread::{ThreadPoolExecutor, ThreadPoolHandle};
use crate::timeline::Timeline;

/// One executor, as a monitor sees it.
pub(super) trait Look: Send {
    fn stats(&self) -> Stats;

    /// What is recorded of it, and under which name.
    fn timeline(&self) -> Option<(&Timeline, &str)>;

    /// Its workers, as far as they are known without a timeline.
    fn workers(&self) -> Vec<Worker> {
        Vec::new()
    }
}

/// Something to look at. For the crate's own use.
#[doc(hidden)]
pub struct Source(Box<dyn Look>);

impl Source {
    pub(super) fn as_look(&self) -> &dyn Look {
        &*self.0
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").finish_non_exhaustive()
    }
}

mod sealed {
    pub trait Sealed {}
}

/// Executors, and handles of them, that a [`Monitor`](super::Monitor) can show. Implemented for the crate's own
/// types only.
///
/// # Examples
///
/// See [`Monitor`](super::Monitor).
pub trait Watched: sealed::Sealed {
    /// For the crate's own use.
    #[doc(hidden)]
    fn source(&self) -> Source;
}

impl<S: 'static> Look for ThreadPoolHandle<S> {
    fn stats(&self) -> Stats {
        ThreadPoolHandle::stats(self)
    }

    fn timeline(&self) -> Option<(&Timeline, &str)> {
        self.recorded()
    }
}

impl<S: 'static> sealed::Sealed for ThreadPoolHandle<S> {}
impl<S: 'static> Watched for ThreadPoolHandle<S> {
    fn source(&self) -> Source {
        Source(Box::new(self.clone()))
    }
}

impl<S: 'static> sealed::Sealed for ThreadPoolExecutor<S> {}
impl<S: 'static> Watched for ThreadPoolExecutor<S> {
    fn source(&self) -> Source {
        Source(Box::new(self.handle()))
    }
}

#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
impl<S: 'static> Look for ProcessPoolHandle<S> {
    fn stats(&self) -> Stats {
        ProcessPoolHandle::stats(self)
    }

    fn timeline(&self) -> Option<(&Timeline, &str)> {
        self.recorded()
    }

    fn workers(&self) -> Vec<Worker> {
        let workers = ProcessPoolHandle::workers(self).into_iter();
        let seen = workers.map(|it| Worker {
            name: Arc::from(it.index.to_string()),
            process_id: it.process_id,
            task: match (it.state, it.label) {
                (WorkerState::Busy, label) => Some(label.unwrap_or_else(|| "a task".to_owned())),
                _ => None,
            },
            busy_for: None,
        });
        seen.collect()
    }
}

#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
impl<S: 'static> sealed::Sealed for ProcessPoolHandle<S> {}
#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
impl<S: 'static> Watched for ProcessPoolHandle<S> {
    fn source(&self) -> Source {
        Source(Box::new(self.clone()))
    }
}

#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
impl<S: 'static> sealed::Sealed for ProcessPoolExecutor<S> {}
#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
impl<S: 'static> Watched for ProcessPoolExecutor<S> {
    fn source(&self) -> Source {
        Source(Box::new(self.handle()))
    }
}

impl sealed::Sealed for AnyExecutor {}
impl Watched for AnyExecutor {
    fn source(&self) -> Source {
        match self {
            AnyExecutor::Threads(executor) => executor.source(),
            #[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
            AnyExecutor::Processes(executor) => executor.source(),
        }
    }
}
