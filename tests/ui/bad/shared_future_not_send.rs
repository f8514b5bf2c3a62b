//! Readers on several threads see one outcome, which must be `Sync`.

use concurrent_futures::ThreadPoolExecutor;
use std::cell::Cell;

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let shared = executor.spawn(|| Cell::new(1)).shared();
    let other = shared.clone();
    std::thread::spawn(move || other.wait());
    shared.wait();
}
