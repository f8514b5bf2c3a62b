//! Which of the 500 numbers from 10^13 are prime? One after the other, on a pool of threads, and on
//! a pool of processes; and in which order the answers come.
//!
//! ```text
//! cargo run --release --example primes
//! ```

#[path = "common/measure.rs"]
mod measure;

use concurrent_futures::{Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed};
use measure::{sorted, timed};
use std::error::Error;

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
fn on_pool(executor: &impl Executor) -> Result<Vec<u64>, Box<dyn Error>> {
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

fn offsets(primes: &[u64]) -> String {
    primes.iter().map(|n| format!("+{}", n - FIRST)).collect::<Vec<_>>().join(" ")
}

/// The times of a pool, and the median of the speed-ups, each against the time alone of its round.
fn print_row(name: &str, times: &[f64], alone: &[f64]) {
    let speed_ups = sorted(alone.iter().zip(times).map(|(alone, time)| alone / time).collect());
    let median_time = sorted(times.to_vec())[ROUNDS / 2];
    let (median, slowest, fastest) = (speed_ups[ROUNDS / 2], speed_ups[0], speed_ups[ROUNDS - 1]);
    println!("{name:20} {median_time:8.1} ms  {median:.2} ({slowest:.2} to {fastest:.2})");
}

fn main() -> Result<(), Box<dyn Error>> {
    let threads = ThreadPoolExecutor::builder().build()?;
    let processes = ProcessPoolExecutor::builder().build()?;
    let workers = threads.max_workers();
    println!("{NUMBERS} numbers from 10^13, {workers} workers, {ROUNDS} rounds\n");

    let expected = one_after_the_other();
    let mut orders = [Vec::new(), Vec::new()];
    let (mut alone, mut on_threads, mut on_processes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (primes, time) = timed(one_after_the_other);
        assert_eq!(primes, expected);
        alone.push(time);
        let (primes_of_threads, time) = timed(|| on_pool(&threads));
        on_threads.push(time);
        let (primes_of_processes, time) = timed(|| on_pool(&processes));
        on_processes.push(time);
        orders = [primes_of_threads?, primes_of_processes?];
        for found in &orders {
            let mut in_order = found.clone();
            in_order.sort();
            assert_eq!(in_order, expected, "every pool must find the same primes");
        }
    }

    println!("{} primes, the same in every way; 10^13 and, in the order", expected.len());
    println!("  of the input       {}", offsets(&expected));
    println!("  found by threads   {}", offsets(&orders[0]));
    println!("  found by processes {}", offsets(&orders[1]));
    println!("\nmedian of the rounds     time     speed-up (slowest to fastest)");
    print_row("one after the other", &alone, &alone);
    print_row(&format!("on {workers} threads"), &on_threads, &alone);
    print_row(&format!("on {workers} processes"), &on_processes, &alone);
    assert_eq!(
        offsets(&expected),
        "+37 +51 +99 +129 +183 +259 +267 +273 +279 +283 +313 +343 +391 +411 +433 +453"
    );
    Ok(())
}
