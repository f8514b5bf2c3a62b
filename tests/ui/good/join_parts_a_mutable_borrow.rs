//! Each half can have its own part.

use concurrent_futures::{ThreadPoolExecutor, join};

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let mut counts = [0, 0];
    let [one, other] = &mut counts;
    executor.join(|| *one += 1, || *other += 1);
    let [one, other] = &mut counts;
    join(|| *one += 1, || *other += 1);
    assert_eq!(counts, [2, 2]);
}
