//! With an outcome that is `Sync` they can.

use concurrent_futures::ThreadPoolExecutor;

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let shared = executor.spawn(|| 1).shared();
    let other = shared.clone();
    let reader = std::thread::spawn(move || other.result().unwrap());
    assert_eq!(shared.result().unwrap() + reader.join().unwrap(), 2);
}
