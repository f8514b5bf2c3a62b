//! Producers and consumers with a bounded queue between them: whoever is too fast waits, and memory
//! stays small.
//!
//! First the pool's own queue, in which `submit` waits for room: a task is an item, and a worker a
//! consumer. Then producers and consumers that are tasks themselves, with a channel in between.
//!
//! ```text
//! cargo run --release --example producer_consumer
//! ```

use concurrent_futures::{ThreadPoolExecutor, WhenFull};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

const CAPACITY: usize = 3;

fn consume(item: u32) -> u32 {
    thread::sleep(Duration::from_millis(20)); // Stands in for work.
    item
}

fn queue_of_the_pool() -> Result<(), Box<dyn Error>> {
    println!("A pool with room for {CAPACITY} tasks, 2 workers, 20 ms for each item:");
    let executor = ThreadPoolExecutor::builder()
        .max_workers(2)
        .queue_capacity(CAPACITY, WhenFull::Block)
        .build()?;
    let begun = Instant::now();
    let mut futures = Vec::new();
    for item in 1..=12 {
        futures.push(executor.submit(consume, item)); // Waits while the queue is full.
        let waiting = executor.stats().queued;
        println!("  {:>3} ms  item {item:2} is in, {waiting} wait", begun.elapsed().as_millis());
        assert!(waiting <= CAPACITY);
    }
    let sum: u32 = futures.into_iter().map(|future| future.result()).sum::<Result<_, _>>()?;
    println!("  {:>3} ms  all consumed, the sum is {sum}", begun.elapsed().as_millis());
    assert_eq!(sum, 78);
    Ok(())
}

/// Sends its items, and tells how long the queue was at most.
fn produce(items: std::ops::Range<u32>, queue: Sender<u32>) -> usize {
    let mut longest = 0;
    for item in items {
        if queue.send(item).is_err() {
            break; // There is no consumer any more.
        }
        longest = longest.max(queue.len());
    }
    longest
}

/// Takes items until all producers are gone, and gives their number and sum.
fn consume_all(queue: Receiver<u32>) -> (usize, u32) {
    queue.iter().map(consume).fold((0, 0), |(count, sum), item| (count + 1, sum + item))
}

fn channel_between_tasks() -> Result<(), Box<dyn Error>> {
    println!("\n2 producers and 3 consumers, with a channel for {CAPACITY} items:");
    // A worker for each of them, or producers could wait for consumers that have not begun.
    let executor = ThreadPoolExecutor::new(5)?;
    let (sender, receiver) = bounded(CAPACITY);
    let producers = [0..20, 20..50].map(|items| {
        let queue = sender.clone();
        executor.spawn(move || produce(items, queue))
    });
    let consumers = [(); 3].map(|()| executor.submit(consume_all, receiver.clone()));
    drop(sender); // The consumers end when the last producer has dropped its own.

    for (name, future) in ["first", "second"].iter().zip(producers) {
        let longest = future.result()?;
        println!("  the {name} producer saw {longest} items in the queue at most");
        assert!(longest <= CAPACITY);
    }
    let (mut items, mut total) = (0, 0);
    for future in consumers {
        let (count, sum) = future.result()?;
        println!("  a consumer took {count} items");
        (items, total) = (items + count, total + sum);
    }
    println!("  {items} items in all, the sum is {total}");
    assert_eq!((items, total), (50, (0..50).sum()));
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    queue_of_the_pool()?;
    channel_between_tasks()
}
