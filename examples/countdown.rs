//! Two countdowns at once take half the time: the program that shows Python's global lock at work
//! shows here that there is none.
//!
//! First two that wait between their steps, which can be watched, and mix. Then two that only
//! count, each of which needs a processor for itself: on threads, and on processes.
//!
//! ```text
//! cargo run --release --example countdown
//! ```

#[path = "common/measure.rs"]
mod measure;

use concurrent_futures::{Executor, ProcessPoolExecutor, TaskError, ThreadPoolExecutor};
use measure::{sorted, timed};
use std::error::Error;
use std::hint::black_box;
use std::thread;
use std::time::Duration;

const FAR: u64 = 100_000_000;
const ROUNDS: usize = 5;

/// Waits after each step, and tells how many there were.
fn count_slowly((name, from): (String, u64)) -> u64 {
    for n in (1..=from).rev() {
        println!("  {name} {n}");
        thread::sleep(Duration::from_millis(100));
    }
    from
}

/// Does nothing but count, and tells how often. (Not inlined, so that it is the same code everywhere.)
#[inline(never)]
fn count(from: u64) -> u64 {
    let mut left = from;
    while left > 0 {
        left = black_box(left - 1); // So that the compiler does not see where it leads.
    }
    from
}

fn both_at_once(executor: &impl Executor) -> Result<u64, TaskError> {
    let (one, other) = (executor.submit(count, FAR), executor.submit(count, FAR));
    Ok(one.result()? + other.result()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let threads = ThreadPoolExecutor::new(2)?;
    let processes = ProcessPoolExecutor::builder().max_workers(2).start_all().build()?;

    println!("Two countdowns with a tenth of a second between the steps, at once:");
    let slow = ["A", "B"].map(|name| (name.to_owned(), 5));
    let (steps, time) = timed(|| threads.map(count_slowly, slow).sum::<Result<u64, _>>());
    assert_eq!(steps?, 10);
    println!("10 steps in {time:.0} ms");

    println!("\nTwo countdowns from {FAR} without a break:");
    let mut one_after_the_other = Vec::new();
    let (mut on_threads, mut on_processes) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (steps, alone) = timed(|| count(FAR) + count(FAR));
        assert_eq!(steps, 2 * FAR);
        one_after_the_other.push(alone);
        let (steps, together) = timed(|| both_at_once(&threads));
        assert_eq!(steps?, 2 * FAR);
        on_threads.push(alone / together);
        let (steps, together) = timed(|| both_at_once(&processes));
        assert_eq!(steps?, 2 * FAR);
        on_processes.push(alone / together);
    }
    println!("  one after the other  {:.0} ms", sorted(one_after_the_other)[ROUNDS / 2]);
    println!("  on two threads       {:.2} times as fast", sorted(on_threads)[ROUNDS / 2]);
    println!("  on two processes     {:.2} times as fast", sorted(on_processes)[ROUNDS / 2]);
    println!("(medians of {ROUNDS} rounds)");
    Ok(())
}
