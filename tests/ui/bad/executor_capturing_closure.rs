//! Code for every executor submits plain functions: a closure that captures could not go to a
//! process.

use concurrent_futures::{Executor, Future};

fn scaled(executor: &impl Executor, factor: u64) -> Future<u64> {
    executor.submit(|n: u64| n * factor, 2)
}

fn main() {
    let executor = concurrent_futures::ThreadPoolExecutor::new(1).unwrap();
    assert_eq!(scaled(&executor, 3).result().unwrap(), 6);
}
