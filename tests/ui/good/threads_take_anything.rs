//! Threads themselves take what is `Send`.

use concurrent_futures::ThreadPoolExecutor;

struct Opaque(u64);

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let factor = 3;
    let future = executor.submit(move |opaque: Opaque| opaque.0 * factor, Opaque(2));
    assert_eq!(future.result().unwrap(), 6);
}
