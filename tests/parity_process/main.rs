//! CPython's own tests of process pools, for this crate.
//!
//! Each test has the name of its original, so that the two lists can be held side by side. The
//! table of all of them, and why some are missing, is in `docs/parity.md`.

#![cfg(target_os = "linux")]

#[path = "../common/mod.rs"]
mod common;

mod as_completed;
mod deadlock;
mod executor;
mod init;
mod process_pool;
mod shutdown;
mod wait;

use common::{FarGate, FarLatch};
use concurrent_futures::{Future, ProcessPoolExecutor};
use std::num::NonZeroUsize;

fn items(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

/// A pool of so many processes.
fn pool(max_workers: usize) -> ProcessPoolExecutor {
    ProcessPoolExecutor::new(max_workers).expect("this executable can be started again")
}

/// What the tests of `map` calculate: panics where `divisor` is zero.
fn quotient((dividend, divisor): (u32, u32)) -> u32 {
    dividend / divisor
}

fn multiply((a, b): (u32, u32)) -> u32 {
    a * b
}

fn raise(message: String) -> u32 {
    panic!("{message}");
}

fn process_id(_: ()) -> u32 {
    std::process::id()
}

/// A task that waits at a gate, and gives a number.
fn pass(latch: FarLatch) -> u32 {
    latch.pass();
    0
}

/// Keeps so many processes busy until the gate is opened, and returns when they are.
fn occupy(executor: &ProcessPoolExecutor, workers: usize) -> (FarGate, Vec<Future<u32>>) {
    let gate = FarGate::new();
    let futures = (0..workers).map(|_| executor.submit(pass, gate.latch())).collect();
    gate.await_arrivals(workers);
    (gate, futures)
}

/// Whether there is a process with this number that has not ended.
fn is_alive(process: u32) -> bool {
    std::path::Path::new(&format!("/proc/{process}")).exists()
}

/// The processes of a pool.
fn processes(executor: &ProcessPoolExecutor) -> Vec<u32> {
    executor.workers().iter().filter_map(|worker| worker.process_id).collect()
}
