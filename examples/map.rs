//! `map`: results in the order of the input, in the order of completion, from an endless input, and
//! with an error in between.
//!
//! ```text
//! cargo run --release --example map
//! ```

use concurrent_futures::{MapOptions, TaskError, ThreadPoolExecutor};
use std::cell::Cell;
use std::error::Error;
use std::num::NonZeroUsize;
use std::thread;
use std::time::{Duration, Instant};

/// Takes as long as it is told.
fn wait_and_tell(ms: u64) -> u64 {
    thread::sleep(Duration::from_millis(ms)); // Stands in for work.
    ms
}

fn items(count: usize) -> Result<NonZeroUsize, Box<dyn Error>> {
    Ok(NonZeroUsize::try_from(count)?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let executor = ThreadPoolExecutor::new(4)?;

    println!("Results come in the order of the input, as soon as they can:");
    let begun = Instant::now();
    let mut order = Vec::new();
    for result in executor.map(wait_and_tell, [10, 40, 20, 30]) {
        order.push(result?);
        println!("  {:>3} ms  {:?}", begun.elapsed().as_millis(), order);
    }
    assert_eq!(order, [10, 40, 20, 30]);

    println!("\nUnordered: whatever is done comes first:");
    let begun = Instant::now();
    let options = MapOptions::new().unordered().chunksize(items(1)?);
    for result in executor.map_with(options, wait_and_tell, [10, 40, 20, 30]) {
        println!("  {:>3} ms  {}", begun.elapsed().as_millis(), result?);
    }

    println!("\nAll or nothing, in a line: collect into a `Result`:");
    let squares: Result<Vec<u32>, TaskError> = executor.map(|n| n * n, 1..=9).collect();
    let squares = squares?;
    println!("  {squares:?}");
    assert_eq!(squares, [1, 4, 9, 16, 25, 36, 49, 64, 81]);

    println!("\nAn endless input, at most 8 of it on the way at any time:");
    let taken = Cell::new(0);
    let numbers = (1_u64..).inspect(|_| taken.set(taken.get() + 1));
    let options = MapOptions::new().buffersize(items(8)?);
    let cubes = executor.map_with(options, |n| n * n * n, numbers);
    let first: Result<Vec<_>, _> = cubes.take(10).collect();
    println!("  {:?}", first?);
    println!("  {} numbers were taken for 10 results", taken.get());
    assert!(taken.get() <= 18);

    println!("\nAn error stands at its position, and the rest goes on:");
    let words = ["1", "2", "three", "4"];
    for (word, result) in words.iter().zip(executor.map(|it: &str| it.parse::<u32>(), words)) {
        match result? {
            Ok(number) => println!("  {word}: {number}"),
            Err(error) => println!("  {word}: {error}"),
        }
    }

    println!("\nSo does a panic (which the panic hook reports as ever):");
    for (n, result) in (0..3).zip(executor.map(|n: u32| 12 / n, 0..3)) {
        match result {
            Ok(quotient) => println!("  12 / {n} is {quotient}"),
            Err(error) => println!("  12 / {n}: is_panic() is {}", error.is_panic()),
        }
    }

    println!("\nA deadline for the whole iteration:");
    let options = MapOptions::new().timeout(Duration::from_millis(100));
    for result in executor.map_with(options, wait_and_tell, [10, 20, 400, 10]) {
        match result {
            Ok(ms) => println!("  {ms} ms"),
            Err(error) => println!("  {error}"),
        }
    }
    Ok(())
}
