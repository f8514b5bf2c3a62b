//! What a pool is told once, when it is built.

use super::machine::OnWorkerDeath;
use super::message::Code;
use super::shared::Kept;
use crate::executor::WhenFull;
use crate::queue::Order;
use crate::sync::Arc;
use crate::task::Unobserved;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Captures what a call is to be made within.
pub(super) type Capture = Box<dyn Fn() -> Result<(Arc<[u8]>, Kept), String> + Send + Sync>;
pub(super) type EnvironmentOf = Box<dyn Fn(usize) -> Vec<(OsString, OsString)> + Send + Sync>;
pub(super) type AffinityOf = Box<dyn Fn(usize) -> Vec<usize> + Send + Sync>;

/// Most workers that can be asked for.
pub(super) const MAX_WORKERS: usize = 1 << 14;

pub(super) struct Settings {
    pub(super) max_workers: usize,
    pub(super) name: String,
    pub(super) start_all: bool,
    pub(super) keep_alive: Option<Duration>,
    pub(super) max_tasks_per_child: Option<usize>,
    pub(super) on_worker_death: OnWorkerDeath,
    pub(super) grace: Duration,
    pub(super) start_timeout: Duration,
    pub(super) max_message: usize,
    /// How many pools stand above this process.
    pub(super) depth: usize,
    pub(super) max_depth: usize,
    pub(super) capacity: Option<usize>,
    pub(super) when_full: WhenFull,
    pub(super) order: Order,
    /// With what its argument refers to, as workers are started as long as the pool exists.
    pub(super) initializer: Option<(Code, Vec<u8>, Kept)>,
    pub(super) finalizer: Option<Code>,
    pub(super) context: Option<(Code, Capture)>,
    pub(super) environment: Vec<(OsString, OsString)>,
    pub(super) environment_of: Option<EnvironmentOf>,
    pub(super) current_dir: Option<PathBuf>,
    pub(super) niceness: Option<i32>,
    pub(super) affinity: Option<AffinityOf>,
    pub(super) address_space: Option<u64>,
    pub(super) memory: Option<u64>,
    pub(super) on_unobserved: Option<Unobserved>,
    pub(super) cancel_on_unwind: bool,
}
