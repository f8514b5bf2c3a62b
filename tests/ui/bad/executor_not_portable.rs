//! What goes to any executor must be encodable.

use concurrent_futures::{Executor, Future};

struct Opaque(u64);

fn opened(executor: &impl Executor) -> Future<u64> {
    executor.submit(|opaque: Opaque| opaque.0, Opaque(1))
}

fn main() {
    let executor = concurrent_futures::ThreadPoolExecutor::new(1).unwrap();
    assert_eq!(opened(&executor).result().unwrap(), 1);
}
