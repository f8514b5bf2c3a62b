//! The prime factors of 10,000 random numbers, in ten batches: one after the other, and on a pool of
//! processes.
//!
//! In batches, because a number takes only some microseconds. Two processors cannot quite halve the
//! time: the parent, which needs one of them too, makes 10,000 lists of what comes back.
//!
//! ```text
//! cargo run --release --example prime_factors
//! ```

#[path = "common/measure.rs"]
mod measure;

use concurrent_futures::{ProcessPoolExecutor, TaskError};
use measure::{sorted, timed};
use std::error::Error;

const NUMBERS: usize = 10_000;
const BATCHES: usize = 10;
const ROUNDS: usize = 15;

/// The prime factors of `n` by trial division, each as often as it divides `n`.
fn prime_factors(mut n: u64) -> Vec<u64> {
    let mut factors = Vec::new();
    let mut divisor = 2;
    while divisor * divisor <= n {
        while n % divisor == 0 {
            factors.push(divisor);
            n /= divisor;
        }
        divisor += 1;
    }
    if n > 1 {
        factors.push(n);
    }
    factors
}

fn factors_of_batch(numbers: Vec<u64>) -> Vec<Vec<u64>> {
    numbers.into_iter().map(prime_factors).collect()
}

fn one_after_the_other(batches: &[Vec<u64>]) -> Vec<Vec<u64>> {
    batches.iter().cloned().flat_map(factors_of_batch).collect()
}

fn on_processes(
    executor: &ProcessPoolExecutor,
    batches: &[Vec<u64>],
) -> Result<Vec<Vec<u64>>, TaskError> {
    let mut all = Vec::new();
    for future in executor.submit_all(factors_of_batch, batches.iter().cloned()) {
        all.extend(future.result()?);
    }
    Ok(all)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut random = fastrand::Rng::with_seed(42); // The same numbers in every run.
    let numbers: Vec<u64> = (0..NUMBERS).map(|_| random.u64(20_000..=100_000_000)).collect();
    let batches: Vec<_> = numbers.chunks(NUMBERS / BATCHES).map(<[u64]>::to_vec).collect();
    let executor = ProcessPoolExecutor::builder().build()?;
    println!("{NUMBERS} numbers, {} processes, {ROUNDS} rounds\n", executor.max_workers());

    let mut factors = on_processes(&executor, &batches)?;
    let (mut alone, mut together, mut speed_ups) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (expected, time_alone) = timed(|| one_after_the_other(&batches));
        let (result, time_together) = timed(|| on_processes(&executor, &batches));
        factors = result?;
        assert_eq!(factors, expected);
        alone.push(time_alone);
        together.push(time_together);
        speed_ups.push(time_alone / time_together);
    }

    for (number, factors) in numbers.iter().zip(&factors) {
        assert_eq!(factors.iter().product::<u64>(), *number);
    }
    for (number, factors) in numbers.iter().zip(&factors).take(3) {
        let factors: Vec<_> = factors.iter().map(u64::to_string).collect();
        println!("{number:8} = {}", factors.join(" · "));
    }
    println!("… and all the others, whose factors multiply back\n");

    let (alone, together, speed_ups) = (sorted(alone), sorted(together), sorted(speed_ups));
    let (slowest, fastest) = (speed_ups[0], speed_ups[ROUNDS - 1]);
    println!("one after the other {:6.1} ms (medians of the rounds)", alone[ROUNDS / 2]);
    println!("on processes        {:6.1} ms", together[ROUNDS / 2]);
    println!("speed-up            {:6.2} ({slowest:.2} to {fastest:.2})", speed_ups[ROUNDS / 2]);
    Ok(())
}
