//! What can be called again, with an argument that can be cloned, can be tried again.

use concurrent_futures::ThreadPoolExecutor;

#[derive(Clone)]
struct Precious(usize);

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let words = vec!["used", "again"];
    let future = executor.retrying(2).submit(move |()| words.iter().count(), ());
    assert_eq!(future.result().unwrap(), 2);
    let future = executor.retrying(2).submit(|precious: Precious| precious.0, Precious(2));
    assert_eq!(future.result().unwrap(), 2);
}
