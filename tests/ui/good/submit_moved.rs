//! It can own what it needs.

use concurrent_futures::ThreadPoolExecutor;

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let words = vec![String::from("borrowed")];
    let future = executor.submit(move |index: usize| words[index].len(), 0);
    assert_eq!(future.result().unwrap(), 8);
}
