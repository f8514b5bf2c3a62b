//! Under tokio: what blocks or computes runs on a pool, and is awaited.
//!
//! tokio's own `spawn_blocking` has up to 512 threads, and what runs there goes on even if nobody
//! waits for it any more. A pool has as many workers as one chooses, threads or processes; with
//! `cancel_on_drop` its task ends with the interest in it. All on one thread of tokio's, to show
//! that nothing holds it up.
//!
//! ```text
//! cargo run --release --example interop_tokio
//! ```

use concurrent_futures::{
    CompletionQueue, ProcessPoolExecutor, ThreadPoolExecutor, cancellation_requested,
};
use futures::StreamExt;
use std::error::Error;
use std::thread;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{interval, sleep, timeout};

/// Computes for a while, which would hold up every other task of an async program.
fn smallest_factor(n: u64) -> u64 {
    (2..).take_while(|divisor| divisor * divisor <= n).find(|divisor| n % divisor == 0).unwrap_or(n)
}

/// Would never end, and looks whether it should.
fn endless() {
    while !cancellation_requested() {
        thread::sleep(Duration::from_millis(1)); // Stands in for one step of the work.
    }
}

/// Something else that the program has to do all the time.
async fn tick(ticks: &mut u32) {
    let mut interval = interval(Duration::from_millis(5));
    loop {
        interval.tick().await;
        *ticks += 1;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let threads = ThreadPoolExecutor::new(2)?;
    let processes = ProcessPoolExecutor::new(2)?;

    let mut ticks = 0;
    let n = 99_999_989_u64.pow(2);
    let factor = tokio::select! {
        factor = threads.submit(smallest_factor, n) => factor?,
        () = tick(&mut ticks) => unreachable!("this never ends"),
    };
    println!(
        "{factor} is the smallest factor of {n}; the program did {ticks} other things meanwhile"
    );
    assert!(factor == 99_999_989 && ticks > 0);

    println!("Several at once, in processes, in the order of completion:");
    let numbers = [9_637_529_763_296_797, 427_920_331, 157 * 157];
    let futures = numbers.map(|n| (n, processes.submit(smallest_factor, n)));
    let mut factors = CompletionQueue::from_iter(futures);
    while let Some((n, future)) = factors.next().await {
        println!("  {} is the smallest factor of {n}", future.await?);
    }

    let running = threads.spawn(endless).cancel_on_drop();
    let outcome = timeout(Duration::from_millis(50), running).await;
    println!("An endless task, given up after 50 ms: {}", outcome.unwrap_err());

    let tokio = Handle::current();
    let nap = threads.spawn(move || {
        let nap = async {
            sleep(Duration::from_millis(10)).await;
            "slept well"
        };
        tokio.block_on(nap) // Blocks a worker of the pool, as anything may there.
    });
    println!("A task that needs async code: {}", nap.await?);

    threads.shutdown(true, false); // Blocks until the endless task has ended too, which it does.
    let stats = threads.stats();
    println!("Threads: {} tasks finished, {} cancelled", stats.finished, stats.cancelled);
    assert_eq!((stats.finished, stats.cancelled), (2, 1));
    Ok(())
}
