//! What a pool is told once, when it is built.

use super::call::Carry;
use super::crew::MAX_THREADS;
use crate::executor::WhenFull;
use crate::queue::Order;
use crate::sync::Arc;
use crate::task::Unobserved;
use crate::timeline::Timeline;
use std::any::Any;
use std::error::Error;
use std::time::Duration;

pub(super) type Initializer =
    Box<dyn Fn() -> Result<Box<dyn Any>, Box<dyn Error + Send + Sync>> + Send + Sync>;
pub(super) type Finalizer = Box<dyn Fn(Box<dyn Any>) + Send + Sync>;
pub(super) type Context = Box<dyn Fn() -> Carry + Send + Sync>;

/// Most workers that can be asked for; the rest of what can be counted is for spares.
pub(super) const MAX_WORKERS: usize = MAX_THREADS / 2;

pub(super) struct Settings {
    pub(super) max_workers: usize,
    pub(super) thread_name_prefix: Arc<str>,
    pub(super) stack_size: Option<usize>,
    pub(super) keep_alive: Option<Duration>,
    pub(super) capacity: Option<usize>,
    pub(super) when_full: WhenFull,
    pub(super) order: Order,
    pub(super) initializer: Option<Initializer>,
    pub(super) finalizer: Option<Finalizer>,
    pub(super) context: Option<Context>,
    pub(super) timeline: Option<Timeline>,
    pub(super) on_unobserved: Option<Unobserved>,
    pub(super) cancel_on_unwind: bool,
    pub(super) caller_helps: bool,
}

impl Settings {
    /// How many workers have a lane of their own for what they submit. None in a pool of one, whose
    /// tasks then begin in one order, whoever submits them; nor if each has to pass the bound anyway.
    pub(super) fn lanes(&self) -> usize {
        if self.max_workers == 1 || self.capacity.is_some() { 0 } else { self.max_workers }
    }
}
