//! Two tasks cannot change the same value.

use concurrent_futures::ThreadPoolExecutor;

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let mut count = 0;
    executor.scope(|scope| {
        scope.spawn(|| count += 1);
        scope.spawn(|| count += 1);
    });
}
