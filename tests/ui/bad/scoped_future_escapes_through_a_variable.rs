//! Nor can it leave by being put into something outside.

use concurrent_futures::ThreadPoolExecutor;

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let mut kept = Vec::new();
    executor.scope(|scope| kept.push(scope.spawn(|| 1)));
    assert_eq!(kept.len(), 1);
}
