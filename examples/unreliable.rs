//! Code that crashes, exits, leaks or hangs, in one pool of processes: every other task is done, and
//! each lost one says which task it was, in which process, and what happened to it.
//!
//! ```text
//! cargo run --release --example unreliable
//! ```

use concurrent_futures::{
    MapOptions, ProcessPoolExecutor, TaskError, TaskOptions, as_completed, cancellation_requested,
};
use std::collections::BTreeMap;
use std::error::Error;
use std::num::NonZeroUsize;
use std::time::Duration;

const TASKS: u64 = 100;

/// A parser of untrusted input, say: one input in ten is its end.
fn parse(input: u64) -> u64 {
    match input {
        3 | 53 => {
            let nowhere = std::hint::black_box(std::ptr::dangling_mut::<u64>());
            // SAFETY: there is none; this is what a fault in a C library looks like.
            unsafe { nowhere.write_volatile(0) };
        }
        13 | 63 => std::process::abort(),
        23 | 73 => std::process::exit(7),
        33 | 83 => {
            let mut leak = Vec::new();
            loop {
                leak.push(std::hint::black_box(vec![1_u8; 16 << 20]));
            }
        }
        43 | 93 => while !cancellation_requested() || input == 93 {},
        _ => {}
    }
    input * input
}

fn in_short(error: &TaskError) -> String {
    match error.worker_death() {
        Some(death) => death.cause().to_string(),
        None if error.is_timed_out() => "timed out".to_owned(),
        None => error.to_string(),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let executor = ProcessPoolExecutor::builder()
        .max_workers(4)
        .address_space_limit(256 << 20)
        .grace(Duration::from_millis(100))
        .build()?;

    let submit = |input| {
        let options =
            TaskOptions::new().label(format!("input {input}")).timeout(Duration::from_secs(5));
        (input, executor.with(options).submit(parse, input))
    };
    let futures: Vec<_> = (0..TASKS).map(submit).collect();

    let mut done = 0;
    let mut lost = BTreeMap::new();
    for (input, future) in as_completed(futures) {
        match future.result() {
            Ok(square) => {
                assert_eq!(square, input * input);
                done += 1;
            }
            Err(error) => drop(lost.insert(input, error)),
        }
    }
    println!("{done} of {TASKS} tasks are done; the others were lost:");
    for error in lost.values() {
        println!("  {error}");
    }
    assert_eq!(lost.keys().copied().collect::<Vec<_>>(), [3, 13, 23, 33, 43, 53, 63, 73, 83, 93]);
    let causes: Vec<_> = lost.values().map(in_short).collect();
    assert_eq!(causes[..5], causes[5..], "the same fault has the same end");

    // The pool is as good as new.
    let one = NonZeroUsize::MIN;
    let again = executor.map_with(MapOptions::new().chunksize(one), parse, (0..3).chain(4..13));
    assert_eq!(again.collect::<Result<Vec<_>, _>>()?.len(), 12);
    println!("\nand the pool goes on, with {} workers", executor.max_workers());
    executor.shutdown(true, false);
    let end = executor.stats();
    println!("in all, {} calls gave a value and {} failed", end.finished, end.failed);
    assert_eq!((end.finished, end.failed, end.cancelled), (102, 10, 0));
    Ok(())
}
