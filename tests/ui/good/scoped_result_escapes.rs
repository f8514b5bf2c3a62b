//! Its result can leave.

use concurrent_futures::ThreadPoolExecutor;

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let result = executor.scope(|scope| scope.spawn(|| 1).result());
    assert_eq!(result.unwrap(), 1);
}
