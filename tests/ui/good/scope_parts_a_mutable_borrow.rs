//! Each task can have its own part.

use concurrent_futures::ThreadPoolExecutor;

fn main() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let mut counts = [0, 0];
    executor.scope(|scope| {
        for count in &mut counts {
            scope.spawn(move || *count += 1);
        }
    });
    assert_eq!(counts, [1, 1]);
}
