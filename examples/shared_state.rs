//! A counter that many tasks add to, in five ways, of which the first is wrong.
//!
//! Rust does not compile two threads that write one variable. What remains is the race that one
//! writes oneself: to read, and then write back what may not be true any more.
//!
//! ```text
//! cargo run --release --example shared_state
//! ```

use concurrent_futures::{Future, TaskError, ThreadPoolExecutor};
use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

const TASKS: u64 = 20;
const STEPS: u64 = 1_000;

fn wait_for_all(futures: Vec<Future<()>>) -> Result<(), TaskError> {
    futures.into_iter().try_for_each(Future::result)
}

/// Loses whatever others add between the read and the write.
fn read_then_write(executor: &ThreadPoolExecutor) -> Result<u64, TaskError> {
    let counter = Arc::new(AtomicU64::new(0));
    let shared = Arc::clone(&counter);
    let work = move |_| {
        for _ in 0..STEPS {
            let now = shared.load(Ordering::Relaxed);
            thread::yield_now(); // Stands in for finding out what to add.
            shared.store(now + 1, Ordering::Relaxed);
        }
    };
    wait_for_all(executor.submit_all(work, 0..TASKS))?;
    Ok(counter.load(Ordering::Relaxed))
}

fn mutex(executor: &ThreadPoolExecutor) -> Result<u64, TaskError> {
    let counter = Arc::new(Mutex::new(0));
    let shared = Arc::clone(&counter);
    let work = move |_| {
        for _ in 0..STEPS {
            *shared.lock().expect("no task panics with the lock") += 1;
        }
    };
    wait_for_all(executor.submit_all(work, 0..TASKS))?;
    Ok(*counter.lock().expect("no task panics with the lock"))
}

/// An atomic addition cannot be interrupted. Within a scope, tasks borrow it: no `Arc`, no clone.
fn atomic(executor: &ThreadPoolExecutor) -> u64 {
    let counter = AtomicU64::new(0);
    executor.scope(|scope| {
        for _ in 0..TASKS {
            scope.spawn(|| {
                for _ in 0..STEPS {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    counter.into_inner()
}

/// Each worker has a counter of its own, which is merged into the total when the worker ends.
fn state_of_each_worker(workers: usize) -> Result<u64, Box<dyn Error>> {
    let total = Arc::new(AtomicU64::new(0));
    let merged = Arc::clone(&total);
    let executor = ThreadPoolExecutor::builder()
        .max_workers(workers)
        .initializer(|| 0_u64)
        .finalizer(move |own| {
            merged.fetch_add(own, Ordering::Relaxed);
        })
        .build()?;
    for _ in 0..TASKS {
        executor.submit_with_state(|own, steps| (0..steps).for_each(|_| *own += 1), STEPS);
    }
    drop(executor); // Finishes the tasks, then ends the workers, as Python's `with` block does.
    Ok(total.load(Ordering::Relaxed))
}

/// Nothing is shared: every task returns its part.
fn results(executor: &ThreadPoolExecutor) -> Result<u64, TaskError> {
    executor.map(|steps| (0..steps).map(|_| 1).sum::<u64>(), vec![STEPS; TASKS as usize]).sum()
}

fn main() -> Result<(), Box<dyn Error>> {
    let executor = ThreadPoolExecutor::new(4)?;
    let expected = TASKS * STEPS;
    println!("{TASKS} tasks add 1 to a counter, {STEPS} times each\n");
    let wrong = read_then_write(&executor)?;
    println!("read, then write   {wrong:>7}   {} lost", expected - wrong);
    for (name, count) in [
        ("mutex", mutex(&executor)?),
        ("atomic, in a scope", atomic(&executor)),
        ("worker state", state_of_each_worker(4)?),
        ("results, summed up", results(&executor)?),
    ] {
        assert_eq!(count, expected);
        println!("{name:18} {count:>7}");
    }
    Ok(())
}
