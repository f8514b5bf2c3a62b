//! Both halves cannot change the same value.

use concurrent_futures::ThreadPoolExecutor;

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let mut count = 0;
    executor.join(|| count += 1, || count += 1);
}
