//! Futures that can be awaited: from any async runtime, without one of our own.
//!
//! A `Future` is a `std::future::Future`, and a `CompletionQueue` is a `Stream`, which is to async
//! code what `as_completed` is to a loop. Here `block_on` of the crate `futures` drives them; under
//! another runtime the same lines work. Blocking code runs on the pool, so async code never blocks.
//!
//! ```text
//! cargo run --release --example interop_futures
//! ```

use concurrent_futures::{CompletionQueue, Promise, TaskError, ThreadPoolExecutor};
use futures::StreamExt;
use futures::executor::block_on;
use futures::future::{join, try_join_all};
use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

/// Blocking code, as most libraries have it.
fn read_sensor(number: u64) -> f64 {
    thread::sleep(Duration::from_millis(10 * (4 - number))); // Stands in for a slow device.
    20.0 + number as f64 / 4.0
}

async fn average(executor: &ThreadPoolExecutor) -> Result<f64, TaskError> {
    let readings = try_join_all((1..=3).map(|sensor| executor.submit(read_sensor, sensor))).await?;
    Ok(readings.iter().sum::<f64>() / readings.len() as f64)
}

fn main() -> Result<(), Box<dyn Error>> {
    let executor = ThreadPoolExecutor::new(4)?;

    block_on(async {
        println!("One result:");
        println!("  the answer is {}", executor.submit(|n| 6 * n, 7).await?);

        println!("\nTwo at the same time:");
        let begun = Instant::now();
        let (one, other) =
            join(executor.submit(read_sensor, 1), executor.submit(read_sensor, 2)).await;
        let elapsed = begun.elapsed().as_millis();
        println!("  {}° and {}° after {elapsed} ms, not 50", one?, other?);

        println!("\nAll or the first error:");
        let average = average(&executor).await?;
        println!("  {average}° on average");
        assert_eq!(average, 20.5);

        println!("\nA stream, in the order of completion:");
        let futures = [1, 2, 3].map(|sensor| (sensor, executor.submit(read_sensor, sensor)));
        let mut readings = CompletionQueue::from_iter(futures);
        let mut sum = 0.0;
        while let Some((sensor, future)) = readings.next().await {
            let degrees = future.await?;
            println!("  sensor {sensor}: {degrees}°");
            sum += degrees;
        }
        assert_eq!(sum, 61.5);

        println!("\nA promise, kept by whoever likes: a callback of some library, say:");
        let (mut promise, future) = Promise::new();
        executor.spawn(move || promise.set_result("kept"));
        let kept = future.await?;
        println!("  {kept}");
        assert_eq!(kept, "kept");
        Ok(())
    })
}
