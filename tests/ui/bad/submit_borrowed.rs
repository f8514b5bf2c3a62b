//! A task may outlive the function that submits it, so it cannot borrow from it.

use concurrent_futures::ThreadPoolExecutor;

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let words = vec![String::from("borrowed")];
    let future = executor.submit(|index: usize| words[index].len(), 0);
    assert_eq!(future.result().unwrap(), 8);
}
