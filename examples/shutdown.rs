//! Every way to end a pool, from patient to firm.
//!
//! ```text
//! cargo run --release --example shutdown
//! ```

use concurrent_futures::{ThreadPoolExecutor, cancellation_requested};
use std::error::Error;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);

fn work(ms: u32) -> u32 {
    thread::sleep(ms * MS); // Stands in for work that knows nothing of stopping.
    ms
}

fn work_until_asked(begun: mpsc::Sender<()>) {
    let _ = begun.send(());
    while !cancellation_requested() {
        thread::sleep(MS); // Stands in for one step of the work.
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("Dropping it finishes all that was submitted, as Python's `with` block does:");
    let executor = ThreadPoolExecutor::new(2)?;
    let futures = executor.submit_all(work, [10, 10, 10, 10]);
    let handle = executor.handle();
    drop(executor);
    println!("  all done: {}", futures.iter().all(|future| future.done()));
    assert!(futures.iter().all(|future| future.done()));
    let error = handle.submit(work, 10).result().unwrap_err();
    println!("  a task too late: {error}");
    assert!(error.is_refused());

    println!("\nshutdown(wait: true, cancel_futures: true) finishes only what has begun:");
    let executor = ThreadPoolExecutor::new(1)?;
    let (begun, has_begun) = mpsc::channel();
    let first = executor.spawn(move || {
        let _ = begun.send(());
        work(10)
    });
    let others = executor.submit_all(work, [10, 10, 10, 10]);
    has_begun.recv()?;
    executor.shutdown(true, true);
    let cancelled = others.iter().filter(|future| future.cancelled()).count();
    println!("  the first gave {}, {cancelled} of {} cancelled", first.result()?, others.len());
    assert!(others.iter().all(|future| future.done()));

    println!("\nshutdown_timeout(drain, grace) waits, then asks, then tells what it had to leave:");
    let executor = ThreadPoolExecutor::new(3)?;
    let (begun, has_begun) = mpsc::channel();
    let polite = [begun.clone(), begun.clone()];
    let _polite = polite.map(|begun| executor.submit(work_until_asked, begun));
    let _deaf = executor.spawn(move || {
        let _ = begun.send(());
        work(300)
    });
    let _queued = executor.submit_all(work, [10, 10, 10, 10, 10]);
    for _ in 0..3 {
        has_begun.recv()?;
    }
    let start = Instant::now();
    let report = executor.shutdown_timeout(50 * MS, 100 * MS);
    println!("  {} tasks had not begun in 50 ms and never will", report.cancelled);
    println!("  {} were running and asked to stop", report.asked);
    println!("  {} did not heed that within another 100 ms", report.running);
    assert!(report.asked >= 2, "two tasks end only if they are asked");
    println!("  a clean end: {}, after {} ms", report.is_clean(), start.elapsed().as_millis());
    drop(executor);
    println!("  and dropping it waited for the last one, until {} ms", start.elapsed().as_millis());
    Ok(())
}
