//! What lives outside of the scope can be borrowed, and changed.

use concurrent_futures::ThreadPoolExecutor;

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let outside = String::from("outside");
    let mut length = 0;
    executor.scope(|scope| {
        scope.spawn(|| length = outside.len());
    });
    assert_eq!((length, outside.len()), (7, 7));
}
