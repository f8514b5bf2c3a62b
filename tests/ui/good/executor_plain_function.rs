//! A closure that captures nothing is a plain function; what it needs is its argument.

use concurrent_futures::{Executor, Future};

fn scaled(executor: &impl Executor, factor: u64) -> Future<u64> {
    executor.submit(|(n, factor): (u64, u64)| n * factor, (2, factor))
}

fn main() {
    let executor = concurrent_futures::ThreadPoolExecutor::new(1).unwrap();
    assert_eq!(scaled(&executor, 3).result().unwrap(), 6);
}
