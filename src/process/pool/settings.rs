//! What a pool is told once, when it is built.

use crate::executor::WhenFull;
use crate::process::machine::OnWorkerDeath;
use crate::process::shared::References;
use crate::process::wire::message::Code;
use crate::queue::Order;
use crate::sync::Arc;
use crate::task::Unobserved;
use crate::timeline::Timeline;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Captures what a call is to be made within.
pub(crate) type CaptureContext =
    Box<dyn Fn() -> Result<(Arc<[u8]>, References), String> + Send + Sync>;
pub(crate) type EnvironmentOf = Box<dyn Fn(usize) -> Vec<(OsString, OsString)> + Send + Sync>;
pub(crate) type AffinityOf = Box<dyn Fn(usize) -> Vec<usize> + Send + Sync>;

/// Most workers that can be asked for.
pub(crate) const MAX_WORKERS: usize = 1 << 14;

pub(crate) struct Settings {
    pub(crate) max_workers: usize,
    pub(crate) name: Arc<str>,
    pub(crate) start_all: bool,
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) max_tasks_per_child: Option<usize>,
    pub(crate) on_worker_death: OnWorkerDeath,
    pub(crate) grace: Duration,
    pub(crate) start_timeout: Duration,
    pub(crate) max_message: usize,
    /// How many pools stand above this process.
    pub(crate) depth: usize,
    pub(crate) max_depth: usize,
    pub(crate) capacity: Option<usize>,
    pub(crate) when_full: WhenFull,
    pub(crate) order: Order,
    /// With what its argument refers to, as workers are started as long as the pool exists.
    pub(crate) initializer: Option<(Code, Vec<u8>, References)>,
    pub(crate) finalizer: Option<Code>,
    pub(crate) context: Option<(Code, CaptureContext)>,
    pub(crate) environment: Vec<(OsString, OsString)>,
    pub(crate) environment_of: Option<EnvironmentOf>,
    pub(crate) current_dir: Option<PathBuf>,
    pub(crate) niceness: Option<i32>,
    pub(crate) affinity: Option<AffinityOf>,
    pub(crate) address_space: Option<u64>,
    pub(crate) memory: Option<u64>,
    pub(crate) timeline: Option<Timeline>,
    /// So many bytes of each stream are kept of each task.
    pub(crate) output: Option<usize>,
    pub(crate) measures: bool,
    pub(crate) on_unobserved: Option<Unobserved>,
    pub(crate) cancel_on_unwind: bool,
}

impl Settings {
    /// Whether workers tell more of a task than its outcome.
    pub(crate) fn wants_reports(&self) -> bool {
        self.output.is_some() || self.measures
    }
}
