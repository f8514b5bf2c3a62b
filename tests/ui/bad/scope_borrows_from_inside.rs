//! What lives within the scope's body is gone before the scope's tasks are.

use concurrent_futures::ThreadPoolExecutor;

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    executor.scope(|scope| {
        let inside = String::from("inside");
        scope.spawn(|| inside.len());
    });
}
