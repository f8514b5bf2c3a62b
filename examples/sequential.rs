//! Not everything gains: twenty steps, each of which needs the one before.
//!
//! f(x) = x² − x + 1, applied twenty times to 3, with integers of any length: the last has
//! more than 400,000 digits. As a loop, and as twenty tasks chained with `then`, on a pool of twenty workers.
//! The pool can never run two of them at once. It does no harm either: a task costs some
//! microseconds.
//!
//! ```text
//! cargo run --release --example sequential
//! ```

#[path = "common/measure.rs"]
mod measure;

use concurrent_futures::{TaskError, ThreadPoolExecutor};
use measure::{sorted, timed};
use num_bigint::BigUint;
use std::error::Error;

const STEPS: usize = 20;
const ROUNDS: usize = 15;

/// x² − x + 1.
fn f(x: BigUint) -> BigUint {
    &x * &x - x + 1_u32
}

fn as_loop() -> BigUint {
    (0..STEPS).fold(BigUint::from(3_u32), |x, _| f(x))
}

fn as_tasks(executor: &ThreadPoolExecutor) -> Result<BigUint, TaskError> {
    let mut future = executor.submit(f, BigUint::from(3_u32));
    for _ in 1..STEPS {
        future = executor.then(future, f);
    }
    future.result()
}

fn main() -> Result<(), Box<dyn Error>> {
    let executor = ThreadPoolExecutor::new(STEPS)?;
    let (mut loop_times, mut task_times, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (looped, loop_time) = timed(as_loop);
        let (chained, task_time) = timed(|| as_tasks(&executor));
        for x in [looped, chained?] {
            assert_eq!(x % 100_000_u32, BigUint::from(35_443_u32));
        }
        loop_times.push(loop_time);
        task_times.push(task_time);
        ratios.push(task_time / loop_time);
    }

    let digits = f64::from(u32::try_from(as_loop().bits())?) * 2_f64.log10();
    println!("f applied {STEPS} times to 3 has {digits:.0} digits, of which the last are 35443");
    println!("as a loop    {:5.1} ms", sorted(loop_times)[ROUNDS / 2]);
    println!("as {STEPS} tasks  {:5.1} ms", sorted(task_times)[ROUNDS / 2]);
    let ratio = sorted(ratios)[ROUNDS / 2];
    println!("The pool takes {ratio:.3} times as long (medians of {ROUNDS} rounds).");
    Ok(())
}
