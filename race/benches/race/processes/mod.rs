//! Pools of processes: ours, the peers, and what they do.
//!
//! [`peers`] holds what answers from another process, [`python`] speaks to a program in Python, and
//! the other files hold the workloads.

pub(crate) mod growth;
pub(crate) mod latency;
pub(crate) mod lifetime;
mod peers;
mod python;
pub(crate) mod throughput;

pub(crate) use peers::run_as_worker;
