//! A future whose outcome is not `Sync` has everything but callbacks.

use concurrent_futures::ThreadPoolExecutor;
use std::cell::Cell;

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let future = executor.spawn(|| 1);
    future.add_done_callback(|outcome| assert_eq!(outcome.copied().ok(), Some(1)));
    let future = executor.spawn(|| Cell::new(1));
    assert_eq!(future.result().unwrap().get(), 1);
}
