//! Rayon inside of workers: each process has its share of the processors, and rayon in it has so
//! many threads.
//!
//! Four workers that each start a thread for every processor would be in each other's way. So each
//! worker finds in its environment how many threads are its share (`RAYON_NUM_THREADS`,
//! `OMP_NUM_THREADS` and others), unless those are set already.
//!
//! ```text
//! cargo run --release --example interop_rayon
//! ```

use concurrent_futures::ProcessPoolExecutor;
use rayon::prelude::*;
use std::error::Error;

const LIMIT: u64 = 200_000;

fn is_prime(n: u64) -> bool {
    n >= 2 && (2..).take_while(|divisor| divisor * divisor <= n).all(|divisor| n % divisor != 0)
}

/// How many primes there are in a range, counted by all of rayon's threads; and how many those are.
fn count_primes(range: std::ops::Range<u64>) -> (usize, usize) {
    let primes = range.into_par_iter().filter(|n| is_prime(*n)).count();
    (primes, rayon::current_num_threads())
}

fn main() -> Result<(), Box<dyn Error>> {
    let processors = ProcessPoolExecutor::builder().build()?.max_workers();
    let set: Option<usize> = std::env::var("RAYON_NUM_THREADS").ok().and_then(|it| it.parse().ok());
    println!("The primes below {LIMIT}, in quarters, with {processors} processors:\n");
    println!("workers  threads in each  primes");
    for workers in [1, 2, 4] {
        let executor = ProcessPoolExecutor::new(workers)?;
        let quarters = (0..4).map(|n| n * LIMIT / 4..(n + 1) * LIMIT / 4);
        let counts: Vec<_> = executor.map(count_primes, quarters).collect::<Result<_, _>>()?;

        let primes: usize = counts.iter().map(|(primes, _)| primes).sum();
        let share = set.unwrap_or((processors / workers).max(1));
        println!("{workers:>7}  {share:>15}  {primes:>6}");
        assert_eq!(primes, 17_984);
        assert!(counts.iter().all(|(_, threads)| *threads == share));
    }
    Ok(())
}
