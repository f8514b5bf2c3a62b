//! Producer and consumer, in both directions.
//!
//! First a fast producer and slow consumers: a bounded queue makes `submit` wait, so the producer
//! is held back and memory stays small. Then results that lead to more work: a `CompletionQueue`
//! is added to while it is drained.
//!
//! ```text
//! cargo run --release --example producer_consumer
//! ```

use concurrent_futures::{CompletionQueue, ThreadPoolExecutor, WhenFull};
use std::collections::BTreeSet;
use std::error::Error;
use std::thread;
use std::time::{Duration, Instant};

/// Two consumers for a producer that would never wait of its own accord.
fn back_pressure() -> Result<(), Box<dyn Error>> {
    println!("A queue for 3, 2 consumers, 20 ms for each item:");
    let executor =
        ThreadPoolExecutor::builder().max_workers(2).queue_capacity(3, WhenFull::Block).build()?;
    let consume = |item: u32| {
        thread::sleep(Duration::from_millis(20)); // Stands in for work.
        item
    };
    let begun = Instant::now();
    let mut futures = Vec::new();
    for item in 1..=12 {
        futures.push(executor.submit(consume, item)); // Waits while the queue is full.
        let waiting = executor.stats().queued;
        println!("  {:>3} ms  item {item:2} is in, {waiting} wait", begun.elapsed().as_millis());
    }
    let consumed = futures.into_iter().map(|future| future.result());
    let total: u32 = consumed.sum::<Result<_, _>>()?;
    println!("  {:>3} ms  all consumed, the sum is {total}", begun.elapsed().as_millis());
    assert_eq!(total, 78);
    Ok(())
}

/// A small web: each page links to two others.
fn links(page: u32) -> [u32; 2] {
    thread::sleep(Duration::from_millis(5)); // Stands in for a download.
    [page * 3 % 20, (page * 7 + 1) % 20]
}

/// Follows links until there are no new ones. Nobody knows beforehand how many tasks there will be.
fn crawl() -> Result<(), Box<dyn Error>> {
    println!("\nA crawl from page 1, with 4 workers:");
    let executor = ThreadPoolExecutor::new(4)?;
    let mut known = BTreeSet::from([1]);
    let mut queue = CompletionQueue::new();
    queue.push((1, executor.submit(links, 1)));
    while let Some((page, future)) = queue.pop() {
        let mut new = Vec::new();
        for link in future.result()? {
            if known.insert(link) {
                queue.push((link, executor.submit(links, link)));
                new.push(link);
            }
        }
        println!("  page {page:2} leads to {new:?}, {} on the way", queue.len());
    }
    println!("  {} pages found: {known:?}", known.len());
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    back_pressure()?;
    crawl()
}
