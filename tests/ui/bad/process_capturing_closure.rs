//! A closure that captures cannot go to another process.

use concurrent_futures::ProcessPoolExecutor;

fn main() {
    let executor = ProcessPoolExecutor::new(1).unwrap();
    let factor = 3;
    let future = executor.submit(|n: u64| n * factor, 2);
    assert_eq!(future.result().unwrap(), 6);
}
