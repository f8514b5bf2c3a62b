//! Every way to stop tasks: `cancel`, `abort`, `Group`, `first_success` and `cancel_on_drop`.
//!
//! `cancel` is Python's: it stops what has not begun. A thread cannot be killed, so `abort` asks a
//! running task to stop, and the task looks for the request where stopping does no harm.
//!
//! ```text
//! cargo run --release --example cancel
//! ```

use concurrent_futures::{
    Future, Group, ThreadPoolExecutor, cancellation_requested, first_success,
};
use std::error::Error;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// A task that works in small steps until it is asked to stop, and the news that it has begun.
fn endless(executor: &ThreadPoolExecutor) -> (Future<()>, mpsc::Receiver<()>) {
    let (begun, has_begun) = mpsc::channel();
    let future = executor.spawn(move || {
        let _ = begun.send(());
        while !cancellation_requested() {
            thread::sleep(Duration::from_millis(1)); // Stands in for one step of the work.
        }
        println!("  (an endless task was asked to stop, and does)");
    });
    (future, has_begun)
}

/// Asks a mirror that takes `delay` to answer, or to refuse.
fn ask((mirror, delay, works): (&'static str, u64, bool)) -> Result<&'static str, String> {
    thread::sleep(Duration::from_millis(delay)); // Stands in for a slow answer.
    if works { Ok(mirror) } else { Err(format!("{mirror} is down")) }
}

fn main() -> Result<(), Box<dyn Error>> {
    let executor = ThreadPoolExecutor::new(1)?;

    println!("cancel: what runs goes on, what waits never begins");
    let (running, has_begun) = endless(&executor);
    let waiting = executor.submit(str::len, "never looked at");
    has_begun.recv()?;
    let (first, second) = (running.cancel(), waiting.cancel());
    println!("  cancel the running task: {first}");
    println!("  cancel the waiting task: {second}");
    println!("  its result: {}", waiting.result().unwrap_err());
    assert_eq!((first, second), (false, true));

    println!("\nabort: the running task is asked to stop");
    thread::sleep(Duration::from_millis(10)); // Time for some steps.
    println!("  abort the running task: {}", running.abort());
    let error = running.result().unwrap_err();
    println!("  its result: {error}");
    assert!(error.is_cancelled());

    println!("\nGroup: many at once");
    let group = Group::new();
    let (first, has_begun) = endless(&executor);
    group.add(&first);
    let others = executor.submit_all(|n: u32| n * n, 1..10);
    others.iter().for_each(|future| group.add(future));
    has_begun.recv()?;
    let stopped = group.abort();
    println!("  {} had not begun, {} asked to stop", stopped.cancelled, stopped.asked);
    println!("  all of them cancelled: {}", others.iter().all(Future::cancelled));
    assert_eq!((stopped.cancelled, stopped.asked), (9, 1));
    println!("  and the running one: {}", first.result().unwrap_err());

    println!("\nfirst_success: who answers first wins, the rest is aborted");
    executor.resize(3)?;
    let mirrors = [("north", 30, true), ("east", 5, false), ("south", 15, true)];
    let answer = first_success(mirrors.map(|mirror| executor.submit(ask, mirror).flatten()));
    let mirror = answer?;
    println!("  the answer comes from {mirror}");
    assert_ne!(mirror, "east");
    let mirrors = [("north", 3, false), ("east", 1, false)];
    let answer = first_success(mirrors.map(|mirror| executor.submit(ask, mirror).flatten()));
    println!("  {}", answer.unwrap_err());

    println!("\ncancel_on_drop: the task ends with the interest in it");
    let (future, has_begun) = endless(&executor);
    let future = future.cancel_on_drop();
    has_begun.recv()?;
    drop(future); // A return by `?` would do the same.
    executor.shutdown(true, false);
    let stats = executor.stats();
    println!("In all {} tasks finished, {} cancelled", stats.finished, stats.cancelled);
    Ok(())
}
