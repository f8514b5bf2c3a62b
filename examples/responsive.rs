//! Responsiveness is not speed: short questions need not wait behind a long one.
//!
//! Are these three numbers prime? The first takes a while. One after the other, the short ones wait
//! for it; on a pool they answer at once, and the program can say meanwhile what is going on. At
//! the end, a number that would take too long is given up.
//!
//! ```text
//! cargo run --release --example responsive
//! ```

use concurrent_futures::{
    CompletionQueue, TaskOptions, ThreadPoolExecutor, as_completed, cancellation_requested,
};
use std::error::Error;
use std::time::{Duration, Instant};

const NUMBERS: [u64; 3] = [9_637_529_763_296_797, 427_920_331, 157];
const FAR_TOO_LARGE: u64 = 18_446_744_073_709_551_557; // The largest prime below 2^64.

/// Trial division that now and then looks whether anybody still wants to know.
fn is_prime(n: u64) -> bool {
    if n < 4 || n % 2 == 0 {
        return n == 2 || n == 3;
    }
    let mut divisor = 3;
    while divisor <= n / divisor {
        if n % divisor == 0 {
            return false;
        }
        if divisor % (1 << 20) == 1 && cancellation_requested() {
            return false; // Nobody gets to see this: the future has ended already.
        }
        divisor += 2;
    }
    true
}

fn verdict(n: u64, is_prime: bool) -> String {
    format!("{n} is {}", if is_prime { "prime" } else { "not prime" })
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("One after the other:");
    let begun = Instant::now();
    for n in NUMBERS {
        let answer = verdict(n, is_prime(n));
        println!("  {:>4} ms  {answer}", begun.elapsed().as_millis());
    }

    println!("\nOn a pool, in the order of completion:");
    let executor = ThreadPoolExecutor::new(2)?;
    let begun = Instant::now();
    let futures = NUMBERS.map(|n| (n, executor.submit(is_prime, n)));
    for (n, future) in as_completed(futures) {
        let answer = verdict(n, future.result()?);
        println!("  {:>4} ms  {answer}", begun.elapsed().as_millis());
    }

    println!("\nThe same with news every 20 ms:");
    let begun = Instant::now();
    let mut queue: CompletionQueue<_> =
        NUMBERS.iter().map(|n| (n, executor.submit(is_prime, *n))).collect();
    while !queue.is_empty() {
        let news = match queue.pop_timeout(Duration::from_millis(20)) {
            Some((n, future)) => verdict(*n, future.result()?),
            None => {
                let stats = executor.stats();
                format!("… {} running, {} waiting", stats.running, stats.queued)
            }
        };
        println!("  {:>4} ms  {news}", begun.elapsed().as_millis());
    }

    println!("\nA number that would take much longer, given up after 200 ms:");
    let begun = Instant::now();
    let options = TaskOptions::new().label("too large").timeout(Duration::from_millis(200));
    let future = executor.with(options).submit(is_prime, FAR_TOO_LARGE);
    match future.result() {
        Ok(answer) => println!("  {}", verdict(FAR_TOO_LARGE, answer)),
        Err(error) => println!("  {:>4} ms  {error}", begun.elapsed().as_millis()),
    }
    drop(executor); // Waits for the task to heed the request, which does not take long.
    println!("  {:>4} ms  the pool has ended", begun.elapsed().as_millis());
    Ok(())
}
