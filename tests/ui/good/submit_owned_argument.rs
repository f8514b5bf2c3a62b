//! An argument that is owned, or lives as long as the program, will do.

use concurrent_futures::ThreadPoolExecutor;

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let word = String::from("owned");
    let future = executor.submit(|word: String| word.len(), word);
    assert_eq!(future.result().unwrap(), 5);
    assert_eq!(executor.submit(str::len, "static").result().unwrap(), 6);
}
