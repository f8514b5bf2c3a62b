//! A counter that many tasks add to: a race, and five ways without one.
//!
//! Rust does not compile two threads that write one variable. What remains is the race that one
//! writes oneself: to read, and then to write back what may not be true any more.
//!
//! ```text
//! cargo run --release --example shared_counter
//! ```

use concurrent_futures::{ProcessPoolExecutor, SharedCounter, TaskError, ThreadPoolExecutor};
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

const TASKS: u64 = 20;
const STEPS: u64 = 1_000;

/// Calls `add` so many times in each of so many tasks, which borrow it.
fn in_tasks(executor: &ThreadPoolExecutor, add: impl Fn() + Sync) {
    executor.scope(|scope| {
        for _ in 0..TASKS {
            scope.spawn(|| (0..STEPS).for_each(|_| add()));
        }
    });
}

/// Loses whatever others add between the read and the write.
fn read_then_write(executor: &ThreadPoolExecutor) -> u64 {
    let counter = AtomicU64::new(0);
    in_tasks(executor, || {
        let now = counter.load(Ordering::Relaxed);
        thread::yield_now(); // Stands in for finding out what to add.
        counter.store(now + 1, Ordering::Relaxed);
    });
    counter.into_inner()
}

/// Nobody else reads or writes while one task holds the lock.
fn mutex(executor: &ThreadPoolExecutor) -> Result<u64, Box<dyn Error>> {
    let counter = Mutex::new(0);
    in_tasks(executor, || *counter.lock().expect("no task panics with the lock") += 1);
    Ok(counter.into_inner()?)
}

/// Reading and writing in one step, which nothing can come between.
fn atomic(executor: &ThreadPoolExecutor) -> u64 {
    let counter = AtomicU64::new(0);
    in_tasks(executor, || _ = counter.fetch_add(1, Ordering::Relaxed));
    counter.into_inner()
}

/// Each worker has a counter of its own, which is added to the total when the worker ends.
fn state_of_each_worker() -> Result<u64, Box<dyn Error>> {
    let total = Arc::new(AtomicU64::new(0));
    let sum = Arc::clone(&total);
    let executor = ThreadPoolExecutor::builder()
        .max_workers(4)
        .initializer(|| 0)
        .finalizer(move |own| _ = sum.fetch_add(own, Ordering::Relaxed))
        .build()?;
    for _ in 0..TASKS {
        executor.submit_with_state(|own, steps| (0..steps).for_each(|_| *own += 1), STEPS);
    }
    drop(executor); // Finishes the tasks, then ends the workers, as Python's `with` block does.
    Ok(total.load(Ordering::Relaxed))
}

/// Nothing is shared: every task returns its part.
fn results(executor: &ThreadPoolExecutor) -> Result<u64, TaskError> {
    let count = |steps| (0..steps).fold(0, |count, _| count + 1);
    executor.map(count, [STEPS; TASKS as usize]).sum()
}

/// A counter in memory that processes share, which travels to them as an argument.
fn processes() -> Result<u64, Box<dyn Error>> {
    let counter = SharedCounter::new()?;
    let executor = ProcessPoolExecutor::new(4)?;
    let add = |(counter, steps): (SharedCounter, u64)| (0..steps).for_each(|_| _ = counter.add(1));
    for future in executor.submit_all(add, (0..TASKS).map(|_| (counter.clone(), STEPS))) {
        future.result()?;
    }
    Ok(counter.get())
}

fn main() -> Result<(), Box<dyn Error>> {
    let executor = ThreadPoolExecutor::new(4)?;
    let expected = TASKS * STEPS;
    println!("{TASKS} tasks add 1 to a counter, {STEPS} times each:");
    let wrong = read_then_write(&executor);
    assert!(wrong <= expected, "a race may lose, and may not invent");
    println!("  read, then write      {wrong:>6}, {} lost", expected - wrong);
    for (name, count) in [
        ("mutex", mutex(&executor)?),
        ("atomic", atomic(&executor)),
        ("state of each worker", state_of_each_worker()?),
        ("results, added up", results(&executor)?),
        ("shared by processes", processes()?),
    ] {
        println!("  {name:20}  {count:>6}");
        assert_eq!(count, expected);
    }
    Ok(())
}
