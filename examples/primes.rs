//! Which of the 500 numbers from 10^13 are prime? One after the other, and on a pool of threads.
//!
//! ```text
//! cargo run --release --example primes
//! ```

use concurrent_futures::{ThreadPoolExecutor, as_completed};
use std::error::Error;
use std::time::{Duration, Instant};

const FIRST: u64 = 10_000_000_000_000;
const NUMBERS: u64 = 500;
const ROUNDS: usize = 15;

/// Trial division by the odd numbers up to the root.
fn is_prime(n: u64) -> bool {
    if n < 2 {
        return false;
    }
    if n % 2 == 0 {
        return n == 2;
    }
    let mut divisor = 3;
    while divisor * divisor <= n {
        if n % divisor == 0 {
            return false;
        }
        divisor += 2;
    }
    true
}

fn one_after_the_other() -> Vec<u64> {
    (FIRST..FIRST + NUMBERS).filter(|n| is_prime(*n)).collect()
}

/// The primes, in the order in which they were found.
fn on_threads(executor: &ThreadPoolExecutor) -> Result<Vec<u64>, Box<dyn Error>> {
    let futures: Vec<_> =
        (FIRST..FIRST + NUMBERS).map(|n| (n, executor.submit(is_prime, n))).collect();
    let mut primes = Vec::new();
    for (n, future) in as_completed(futures) {
        if future.result()? {
            primes.push(n);
        }
    }
    Ok(primes)
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let result = work();
    (result, begun.elapsed())
}

fn median<T: PartialOrd + Copy>(values: &mut [T]) -> T {
    values.sort_by(|one, other| one.partial_cmp(other).expect("times can be compared"));
    values[values.len() / 2]
}

fn main() -> Result<(), Box<dyn Error>> {
    let executor = ThreadPoolExecutor::builder().build()?;
    let workers = executor.max_workers();
    println!("{NUMBERS} numbers from 10^13, {workers} threads, {ROUNDS} rounds");

    let mut sequential_times = Vec::new();
    let mut thread_times = Vec::new();
    let mut speed_ups = Vec::new();
    let mut found = Vec::new();
    let expected = one_after_the_other();
    for _ in 0..ROUNDS {
        let (sequential, alone) = timed(one_after_the_other);
        let (completed, together) = timed(|| on_threads(&executor));
        found = completed?;
        let mut in_order = found.clone();
        in_order.sort();
        assert_eq!(sequential, expected);
        assert_eq!(in_order, expected, "the pool must find the same primes");
        sequential_times.push(alone);
        thread_times.push(together);
        speed_ups.push(alone.as_secs_f64() / together.as_secs_f64());
    }

    println!("\n{} primes, the same both ways:", expected.len());
    for prime in &expected {
        println!("  {prime}");
    }
    let order: Vec<_> = found.iter().map(|n| format!("+{}", n - FIRST)).collect();
    println!("\nin the order of completion: {}", order.join(" "));
    let milliseconds = |times: &mut [Duration]| median(times).as_secs_f64() * 1e3;
    println!("\none after the other  {:8.1} ms", milliseconds(&mut sequential_times));
    println!("on {workers} threads         {:8.1} ms", milliseconds(&mut thread_times));
    let speed_up = median(&mut speed_ups);
    let (slowest, fastest) = (speed_ups[0], speed_ups[ROUNDS - 1]);
    println!(
        "speed-up             {speed_up:8.2}    (median of {ROUNDS}; {slowest:.2} to {fastest:.2})"
    );
    Ok(())
}
