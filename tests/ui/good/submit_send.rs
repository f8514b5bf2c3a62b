//! What can be sent can be captured.

use concurrent_futures::ThreadPoolExecutor;
use std::sync::Arc;

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let shared = Arc::new(1);
    let future = executor.submit(move |n: i32| n + *shared, 1);
    assert_eq!(future.result().unwrap(), 2);
}
