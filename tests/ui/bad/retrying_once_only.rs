//! What can be called only once cannot be tried again.

use concurrent_futures::ThreadPoolExecutor;

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let words = vec!["used", "up"];
    let future = executor.retrying(2).submit(move |()| words.into_iter().count(), ());
    assert_eq!(future.result().unwrap(), 2);
}
