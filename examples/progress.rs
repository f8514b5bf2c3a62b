//! Long work that shows how far it has come: by a bar for `map`, and one for what completes in any order.
//!
//! ```sh
//! cargo run --release --features progress --example progress
//! ```
//!
//! Where there is no terminal, nothing is drawn, and all else is the same.

use concurrent_futures::{TaskError, ThreadPoolExecutor, as_completed};
use std::error::Error;
use std::thread::sleep;
use std::time::Duration;

/// How many steps it takes to come to 1: twice as many, or one more, or half as many.
fn collatz(n: u64) -> u64 {
    sleep(Duration::from_micros(500));
    let step = |n: &u64| (*n > 1).then(|| if n % 2 == 0 { n / 2 } else { 3 * n + 1 });
    std::iter::successors(Some(n), step).count() as u64 - 1
}

fn main() -> Result<(), Box<dyn Error>> {
    let executor = ThreadPoolExecutor::new(4)?;

    // The bar knows how many there are, because the input does.
    let steps: Result<Vec<u64>, TaskError> =
        executor.map(collatz, 1..=5_000).progress().label("collatz").collect();
    let (most, number) = steps?.into_iter().zip(1..).max().unwrap_or_default();
    println!("the longest way to 1 is that of {number}: {most} steps");
    assert_eq!((number, most), (3711, 237));

    // Some fail, which the bar tells as well. What is printed meanwhile goes through it.
    let futures: Vec<_> = (1..=300)
        .map(|n: u64| (n, executor.submit(|n| collatz(n) / u64::from(n % 100 != 0), n)))
        .collect();
    let completed = as_completed(futures).progress().label("quotients");
    let bar = completed.bar();
    let mut failed = Vec::new();
    std::panic::set_hook(Box::new(|_| ()));
    for (n, future) in completed {
        if future.result().is_err() {
            bar.suspend(|| println!("{n} has failed"));
            failed.push(n);
        }
    }
    failed.sort();
    assert_eq!(failed, [100, 200, 300]);
    Ok(())
}
