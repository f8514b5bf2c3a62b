//! The prime factors of 10,000 random numbers: one after the other, a task for each, and `map`.
//!
//! A number takes some microseconds, which is little for a task of its own. `map` finds out, and
//! gives its workers many numbers at a time.
//!
//! ```text
//! cargo run --release --example factors
//! ```

use concurrent_futures::{TaskError, ThreadPoolExecutor};
use std::error::Error;
use std::time::{Duration, Instant};

const NUMBERS: usize = 10_000;
const ROUNDS: usize = 9;

type Factors = Vec<u64>;

/// The prime factors of `n` by trial division, each as often as it divides `n`.
fn prime_factors(mut n: u64) -> Factors {
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

/// Numbers from 20,000 to 100,000,000 that look random and are the same in every run.
fn random_numbers(count: usize) -> Vec<u64> {
    let mut state = 42_u64;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15); // The generator is called splitmix64.
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        20_000 + (mixed ^ (mixed >> 31)) % (100_000_000 - 20_000 + 1)
    };
    (0..count).map(|_| next()).collect()
}

fn one_after_the_other(numbers: &[u64]) -> Vec<Factors> {
    numbers.iter().map(|n| prime_factors(*n)).collect()
}

fn submit_each(executor: &ThreadPoolExecutor, numbers: &[u64]) -> Result<Vec<Factors>, TaskError> {
    let futures: Vec<_> = numbers.iter().map(|n| executor.submit(prime_factors, *n)).collect();
    futures.into_iter().map(|future| future.result()).collect()
}

fn map(executor: &ThreadPoolExecutor, numbers: &[u64]) -> Result<Vec<Factors>, TaskError> {
    executor.map(prime_factors, numbers.iter().copied()).collect()
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
    let numbers = random_numbers(NUMBERS);
    println!("{NUMBERS} numbers, {} threads, {ROUNDS} rounds\n", executor.max_workers());

    let mut alone = Vec::new();
    let mut submitted = Vec::new();
    let mut mapped = Vec::new();
    let expected = one_after_the_other(&numbers);
    for _ in 0..ROUNDS {
        let (sequential, time) = timed(|| one_after_the_other(&numbers));
        assert_eq!(sequential, expected);
        alone.push(time);
        let (factors, time) = timed(|| submit_each(&executor, &numbers));
        assert_eq!(factors?, expected);
        submitted.push(time);
        let (factors, time) = timed(|| map(&executor, &numbers));
        assert_eq!(factors?, expected);
        mapped.push(time);
    }

    for (number, factors) in numbers.iter().zip(&expected).take(3) {
        let product: Vec<_> = factors.iter().map(u64::to_string).collect();
        println!("{number} = {}", product.join(" · "));
    }
    println!("… and all the others, the same in all three ways\n");

    let speed_up = |times: &[Duration]| {
        let pairs = alone.iter().zip(times);
        let mut ratios: Vec<_> =
            pairs.map(|(alone, time)| alone.as_secs_f64() / time.as_secs_f64()).collect();
        (median(&mut ratios), ratios[0], ratios[ROUNDS - 1])
    };
    println!("                         median   speed-up (slowest to fastest round)");
    for (name, times) in
        [("one after the other", &alone), ("submit, a task for each", &submitted), ("map", &mapped)]
    {
        let (ratio, slowest, fastest) = speed_up(times);
        let time = median(&mut times.clone());
        println!("{name:23} {time:>8.1?}   {ratio:.2} ({slowest:.2} to {fastest:.2})");
    }
    Ok(())
}
