//! What the tests share.
//!
//! No test sleeps until something has probably happened. It waits for the event itself, and the
//! bound on that wait is so generous that only something which never happens can exceed it.

#![allow(dead_code, unused_imports)] // Each test program uses some of it.

mod bounds;
mod drops;
mod errors;
#[cfg(target_os = "linux")]
mod far;
mod futures;
mod gate;
#[cfg(target_os = "linux")]
mod held;
mod panics;
mod pools;
mod processes;
#[cfg(target_os = "linux")]
pub(crate) mod workers;

pub(crate) use bounds::{BOUND, eventually, let_others_get_on, within};
pub(crate) use drops::{Drops, DropsAtGate, PanicsOnDrop, Tells, Token};
pub(crate) use errors::{is_no_worker, is_queue_full, is_shut_down};
#[cfg(target_os = "linux")]
pub(crate) use far::{Address, FarGate, FarLatch, Mailbox};
pub(crate) use futures::{OutOfPaper, cancelled, failed, finished, running};
pub(crate) use gate::{Gate, Latch};
#[cfg(target_os = "linux")]
pub(crate) use held::{Held, shared_memory};
pub(crate) use panics::{Deliberate, hush, panic_quietly};
pub(crate) use pools::{Occupied, begun, occupy, occupy_one, pool, until_idle};
pub(crate) use processes::{in_child, in_limited_child, printed};
#[cfg(target_os = "linux")]
pub(crate) use processes::{processes_of_this_child, threads_named};
