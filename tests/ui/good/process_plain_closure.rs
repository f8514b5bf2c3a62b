//! A closure that captures nothing is a plain function; what it needs is its argument.

use concurrent_futures::ProcessPoolExecutor;

fn main() {
    let executor = ProcessPoolExecutor::new(1).unwrap();
    let factor = 3;
    let future = executor.submit(|(n, factor): (u64, u64)| n * factor, (2, factor));
    assert_eq!(future.result().unwrap(), 6);
}
