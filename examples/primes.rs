//! Which of the 500 numbers from 10^13 are prime? One after the other, on a pool of threads, and on
//! a pool of processes.
//!
//! ```text
//! cargo run --release --example primes
//! ```

use concurrent_futures::{Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed};
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

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let result = work();
    (result, begun.elapsed())
}

fn median<T: PartialOrd + Copy>(values: &mut [T]) -> T {
    values.sort_by(|one, other| one.partial_cmp(other).expect("times can be compared"));
    values[values.len() / 2]
}

/// What one pool has shown.
#[derive(Default)]
struct Shown {
    /// In the order of completion, in the last round.
    found: Vec<u64>,
    times: Vec<Duration>,
    speed_ups: Vec<f64>,
}

impl Shown {
    fn round(&mut self, executor: &impl Executor, alone: Duration) -> Result<(), Box<dyn Error>> {
        let (found, together) = timed(|| on_pool(executor));
        self.found = found?;
        self.times.push(together);
        self.speed_ups.push(alone.as_secs_f64() / together.as_secs_f64());
        Ok(())
    }

    fn print(mut self, name: &str) {
        let time = median(&mut self.times).as_secs_f64() * 1e3;
        let speed_up = median(&mut self.speed_ups);
        let (slowest, fastest) = (self.speed_ups[0], self.speed_ups[ROUNDS - 1]);
        println!("{name:21}{time:8.1} ms    {speed_up:.2}   ({slowest:.2} to {fastest:.2})");
        let order: Vec<_> = self.found.iter().map(|n| format!("+{}", n - FIRST)).collect();
        println!("    found in the order {}", order.join(" "));
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let threads = ThreadPoolExecutor::builder().build()?;
    let processes = ProcessPoolExecutor::builder().build()?;
    let workers = threads.max_workers();
    println!("{NUMBERS} numbers from 10^13, {workers} workers, {ROUNDS} rounds");

    let mut sequential_times = Vec::new();
    let mut on_threads = Shown::default();
    let mut on_processes = Shown::default();
    let expected = one_after_the_other();
    for _ in 0..ROUNDS {
        let (sequential, alone) = timed(one_after_the_other);
        assert_eq!(sequential, expected);
        sequential_times.push(alone);
        on_threads.round(&threads, alone)?;
        on_processes.round(&processes, alone)?;
        for shown in [&on_threads, &on_processes] {
            let mut in_order = shown.found.clone();
            in_order.sort();
            assert_eq!(in_order, expected, "every pool must find the same primes");
        }
    }

    println!("\n{} primes, the same in every way:", expected.len());
    for prime in &expected {
        println!("  {prime}");
    }
    println!(
        "\n                         median    speed-up: median of the rounds, each against its own"
    );
    println!("                           time    time alone (slowest to fastest)");
    let alone = median(&mut sequential_times).as_secs_f64() * 1e3;
    println!("one after the other  {alone:8.1} ms");
    on_threads.print(&format!("on {workers} threads"));
    on_processes.print(&format!("on {workers} processes"));
    Ok(())
}
