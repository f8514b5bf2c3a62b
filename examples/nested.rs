//! Tasks that submit tasks and wait for them, to any depth, on a single worker.
//!
//! In Python this program hangs: the one worker waits for a task that only it could run. Here a
//! worker that waits for a task which nobody has begun runs it itself.
//!
//! ```text
//! cargo run --release --example nested
//! ```

use concurrent_futures::{TaskError, ThreadPoolExecutor, ThreadPoolHandle};
use std::error::Error;
use std::time::Instant;

/// The recursive definition, with a task for one of the two terms.
fn fibonacci(pool: &ThreadPoolHandle, n: u64) -> Result<u64, TaskError> {
    if n < 2 {
        return Ok(n);
    }
    let handle = pool.clone();
    let before = pool.spawn(move || fibonacci(&handle, n - 1));
    let before_that = fibonacci(pool, n - 2)?;
    Ok(before.result()?? + before_that)
}

/// Sorts by merging halves, one of which is sorted by a task that borrows it.
fn merge_sort(pool: &ThreadPoolHandle, numbers: &mut [u32]) {
    if numbers.len() < 32 {
        return numbers.sort();
    }
    let (left, right) = numbers.split_at_mut(numbers.len() / 2);
    pool.scope(|scope| {
        scope.spawn(|| merge_sort(pool, left));
        merge_sort(pool, right);
    });
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    while let (Some(one), Some(other)) = (left.peek(), right.peek()) {
        merged.extend(if one <= other { left.next() } else { right.next() });
    }
    merged.extend(left.chain(right));
    numbers.copy_from_slice(&merged);
}

fn main() -> Result<(), Box<dyn Error>> {
    for workers in [1, 2] {
        let executor = ThreadPoolExecutor::new(workers)?;
        println!("{workers} worker{}:", if workers == 1 { "" } else { "s" });

        let begun = Instant::now();
        let handle = executor.handle();
        let answer = executor.spawn(move || fibonacci(&handle, 24)).result()??;
        let (tasks, time) = (executor.stats().finished, begun.elapsed());
        println!("  fibonacci(24) is {answer}, by {tasks} tasks in {time:.1?}");
        assert_eq!(answer, 46_368);

        let mut numbers: Vec<u32> =
            (0..100_000).map(|n: u32| n.wrapping_mul(2_654_435_761)).collect();
        let begun = Instant::now();
        merge_sort(&executor, &mut numbers);
        let (tasks, time) = (executor.stats().finished - tasks, begun.elapsed());
        println!("  {} numbers sorted, by {tasks} tasks in {time:.1?}", numbers.len());
        assert!(numbers.is_sorted());
    }
    Ok(())
}
