//! A callback looks at the outcome while its owner may look too, so the outcome must be `Sync`.

use concurrent_futures::ThreadPoolExecutor;
use std::cell::Cell;

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let future = executor.spawn(|| Cell::new(1));
    future.add_done_callback(|outcome| drop(outcome.map(Cell::get)));
}
