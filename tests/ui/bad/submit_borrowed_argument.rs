//! Nor can its argument be borrowed from there.

use concurrent_futures::ThreadPoolExecutor;

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let word = String::from("borrowed");
    let future = executor.submit(str::len, word.as_str());
    assert_eq!(future.result().unwrap(), 8);
}
