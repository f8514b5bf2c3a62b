//! Pools of threads: ours, the peers, and what they do.
//!
//! [`pool`] says what a pool is to the race, [`peers`] makes one of every peer, and the other files
//! hold the workloads.

pub(crate) mod compute;
pub(crate) mod growth;
pub(crate) mod latency;
mod peers;
mod pool;
pub(crate) mod throughput;

pub(crate) use peers::limit_global_pool;
