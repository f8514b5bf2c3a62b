//! Each attempt needs the argument.

use concurrent_futures::ThreadPoolExecutor;

struct Precious(usize);

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let future = executor.retrying(2).submit(|precious: Precious| precious.0, Precious(2));
    assert_eq!(future.result().unwrap(), 2);
}
