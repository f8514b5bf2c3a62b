//! Faults that were found once, and must not come back: one test for each, with its story.

#[path = "../common/mod.rs"]
mod common;

mod attack;
#[cfg(target_os = "linux")]
mod attending;
mod blocking;
mod bounded_queue;
mod chains;
mod dozing;
mod helping;
mod initializer;
mod leaks;
mod map;
mod mixture;
mod order;
#[cfg(target_os = "linux")]
mod process_callbacks;
mod refused_threads;
mod retries;
#[cfg(target_os = "linux")]
mod series;
mod shutdown;
mod support;
mod thread_locals;
mod timers;
mod wakers;
