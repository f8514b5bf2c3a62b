//! A future of a scope holds what its task borrowed; it cannot leave.

use concurrent_futures::ThreadPoolExecutor;

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let escaped = executor.scope(|scope| scope.spawn(|| 1));
    assert_eq!(escaped.result().unwrap(), 1);
}
