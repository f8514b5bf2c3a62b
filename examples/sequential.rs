//! Not everything gains: twenty steps, each of which needs the one before.
//!
//! f(x) = x² − x + 1, applied twenty times to 3. As a loop, and as twenty tasks chained with
//! `then`. The pool can never run two of them at once, so all it adds is what a task costs.
//!
//! ```text
//! cargo run --release --example sequential
//! ```

use concurrent_futures::{TaskError, ThreadPoolExecutor};
use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

const STEPS: usize = 20;
const ROUNDS: usize = 101;

/// x² − x + 1. The true number doubles its length with every step; its last five digits depend on
/// the last five digits only, and those are kept.
fn f(x: u64) -> u64 {
    (x * x - x + 1) % 100_000
}

fn as_loop() -> u64 {
    (0..STEPS).fold(black_box(3), |x, _| f(x))
}

fn as_tasks(executor: &ThreadPoolExecutor) -> Result<u64, TaskError> {
    let mut future = executor.submit(f, 3);
    for _ in 1..STEPS {
        future = executor.then(future, f);
    }
    future.result()
}

fn median_time(mut work: impl FnMut()) -> Duration {
    let mut times = [Duration::ZERO; ROUNDS];
    for time in &mut times {
        let begun = Instant::now();
        work();
        *time = begun.elapsed();
    }
    times.sort();
    times[ROUNDS / 2]
}

fn main() -> Result<(), Box<dyn Error>> {
    let executor = ThreadPoolExecutor::new(STEPS)?;
    let (looped, chained) = (as_loop(), as_tasks(&executor)?);
    println!("last five digits, as a loop           {looped}");
    println!("last five digits, as {STEPS} tasks         {chained}");
    assert_eq!((looped, chained), (35443, 35443));

    let loop_time = median_time(|| {
        black_box(as_loop());
    });
    let mut outcome = Ok(0);
    let task_time = median_time(|| outcome = as_tasks(&executor));
    outcome?;
    println!("\nas a loop     {loop_time:>9.1?}");
    println!("as {STEPS} tasks   {task_time:>9.1?}   (medians of {ROUNDS})");
    println!("\nThe pool has {STEPS} workers, and nothing for more than one to do.");
    Ok(())
}
