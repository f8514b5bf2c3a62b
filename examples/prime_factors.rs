//! The prime factors of 10,000 random numbers, in ten batches: one after the other, and on a pool of
//! processes.
//!
//! In batches, because a number takes only some microseconds. A batch gives back one list, and not
//! one for each number: to make 10,000 lists once more would take the parent a twentieth of the
//! time, and it needs one of the processors for that.
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

/// Adds the prime factors of `n`, found by trial division, each as often as it divides `n`.
fn add_prime_factors(mut n: u64, factors: &mut Vec<u64>) {
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
}

/// The factors of the first number, then those of the second, and so on.
fn factors_of_batch(numbers: Vec<u64>) -> Vec<u64> {
    let mut factors = Vec::new();
    numbers.into_iter().for_each(|n| add_prime_factors(n, &mut factors));
    factors
}

fn one_after_the_other(batches: &[Vec<u64>]) -> Vec<Vec<u64>> {
    batches.iter().cloned().map(factors_of_batch).collect()
}

fn on_processes(
    executor: &ProcessPoolExecutor,
    batches: &[Vec<u64>],
) -> Result<Vec<Vec<u64>>, TaskError> {
    let futures = executor.submit_all(factors_of_batch, batches.iter().cloned());
    futures.into_iter().map(|future| future.result()).collect()
}

/// The factors that multiply to `n`, taken from the front of those of all numbers.
fn take_factors(n: u64, factors: &mut impl Iterator<Item = u64>) -> Vec<u64> {
    let mut own = Vec::new();
    for factor in factors {
        own.push(factor);
        if own.iter().product::<u64>() == n {
            break;
        }
    }
    own
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

    let mut factors = factors.into_iter().flatten();
    for (index, number) in numbers.iter().enumerate() {
        let own = take_factors(*number, &mut factors);
        assert_eq!(own.iter().product::<u64>(), *number);
        if index < 3 {
            let own: Vec<_> = own.iter().map(u64::to_string).collect();
            println!("{number:8} = {}", own.join(" · "));
        }
    }
    assert_eq!(factors.next(), None);
    println!("… and all the others, whose factors multiply back\n");

    let (alone, together, speed_ups) = (sorted(alone), sorted(together), sorted(speed_ups));
    let (slowest, fastest) = (speed_ups[0], speed_ups[ROUNDS - 1]);
    println!("one after the other {:6.1} ms (medians of the rounds)", alone[ROUNDS / 2]);
    println!("on processes        {:6.1} ms", together[ROUNDS / 2]);
    println!("speed-up            {:6.2} ({slowest:.2} to {fastest:.2})", speed_ups[ROUNDS / 2]);
    Ok(())
}
