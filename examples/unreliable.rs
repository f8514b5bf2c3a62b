//! Code that crashes, exits, leaks or hangs, in one pool of processes: every other task is done, and
//! each lost one says which task it was, in which process, and what happened to it.
//!
//! What a worker writes when it crashes goes to standard error.
//!
//! ```text
//! cargo run --release --example unreliable
//! ```

use concurrent_futures::{
    ProcessPoolExecutor, TaskError, TaskOptions, as_completed, cancellation_requested,
};
use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

const TASKS: u64 = 100;

/// A parser of untrusted input, say: one input in ten is its end.
fn parse(input: u64) -> u64 {
    match input {
        3 | 53 => {
            let nowhere = black_box(std::ptr::dangling_mut::<u64>());
            // SAFETY: there is none; this is what a fault in a C library looks like.
            unsafe { nowhere.write_volatile(0) };
        }
        13 | 63 => std::process::abort(),
        23 | 73 => std::process::exit(7),
        33 | 83 => {
            let mut leak = Vec::new();
            loop {
                leak.push(black_box(Vec::<u8>::with_capacity(16 << 20)));
            }
        }
        43 => while !cancellation_requested() {},
        93 => while black_box(true) {},
        _ => {}
    }
    input * input
}

fn what_it_did(input: u64) -> &'static str {
    match input {
        3 | 53 => "wrote where nothing is",
        13 | 63 => "called abort",
        23 | 73 => "called exit",
        33 | 83 => "took ever more memory",
        43 => "hung, and would stop if asked",
        93 => "hung, and would not stop",
        _ => "nothing wrong",
    }
}

fn what_became_of_it(error: &TaskError) -> String {
    match error.worker_death() {
        Some(death) => format!("process {} {}", death.process_id(), death.cause()),
        None if error.is_timed_out() => "ran out of its time".to_owned(),
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
        let options = TaskOptions::new().label(format!("input {input}"));
        let limited = executor.with(options.timeout(Duration::from_secs(3)));
        (input, limited.submit(parse, input))
    };

    let mut lost = BTreeMap::new();
    for (input, future) in as_completed((0..TASKS).map(submit)) {
        match future.result() {
            Ok(square) => assert_eq!(square, input * input),
            Err(error) => drop(lost.insert(input, error)),
        }
    }

    println!("{} of {TASKS} tasks are done; the others were lost:\n", TASKS - lost.len() as u64);
    println!("  task      what it did                    what became of it");
    for (input, error) in &lost {
        let (label, did) = (error.label().unwrap_or_default(), what_it_did(*input));
        println!("  {label:9} {did:30} {}", what_became_of_it(error));
    }
    assert!(lost.keys().copied().eq((3..TASKS).step_by(10)));
    for (input, error) in &lost {
        assert_eq!(error.is_timed_out(), [43, 93].contains(input), "{error}");
    }

    let more: Result<Vec<u64>, _> = executor.map(parse, 100..200).collect();
    println!("\nThe pool goes on: {} more tasks are done.", more?.len());
    Ok(())
}
