//! Three kinds of "too late", and calls that are tried again.
//!
//! A wait that runs out of time says nothing about the task, and gives the future back. A task that
//! runs out of its own time fails. And a task's own error may be about time as well. In Python all
//! three are a `TimeoutError`.
//!
//! ```text
//! cargo run --release --example timeouts_and_retries
//! ```

use concurrent_futures::{
    TaskErrorKind, TaskOptions, ThreadPoolExecutor, as_completed_timeout, cancellation_requested,
};
use std::error::Error;
use std::io;
use std::thread;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

fn slow(ms: u32) -> u32 {
    thread::sleep(ms * MS); // Stands in for work.
    ms
}

fn endless(page: u32) -> u32 {
    while !cancellation_requested() {
        thread::sleep(MS); // Stands in for one step of the work.
    }
    page
}

fn main() -> Result<(), Box<dyn Error>> {
    let executor = ThreadPoolExecutor::new(2)?;

    println!("A wait that runs out of time loses nothing:");
    let mut future = executor.submit(slow, 50);
    let ms = loop {
        match future.result_timeout(20 * MS) {
            Ok(result) => break result?,
            Err(timeout) => {
                println!("  {timeout}");
                future = timeout.pending;
            }
        }
    };
    println!("  done, after {ms} ms of work");
    assert_eq!(ms, 50);

    println!("\nA task with a time limit and a label:");
    let options = TaskOptions::new().label("page 7").timeout(20 * MS);
    let error = executor.with(options).submit(endless, 7).result().unwrap_err();
    println!("  {error}");
    assert!(error.is_timed_out());

    println!("\nA task's own error that is about time:");
    let connect = |()| Err::<(), _>(io::Error::new(io::ErrorKind::TimedOut, "no answer from host"));
    let error = executor.submit(connect, ()).flatten().result().unwrap_err();
    println!("  {error}");
    let own = error.failure::<io::Error>().map(io::Error::kind);
    println!("  its own kind is {own:?}, and is_timed_out() is {}", error.is_timed_out());
    assert!(own == Some(io::ErrorKind::TimedOut) && !error.is_timed_out());

    println!("\nOne deadline for many:");
    let futures = [10, 500, 20].map(|ms| executor.submit(slow, ms));
    for completed in as_completed_timeout(futures, 150 * MS) {
        match completed {
            Ok(future) => println!("  {} ms of work are done", future.result()?),
            Err(timeout) => println!("  {timeout}"),
        }
    }

    println!("\nA service that is busy twice, tried up to 4 times:");
    let mut attempts = 0;
    let flaky = move |name: &str| {
        attempts += 1;
        println!("  attempt {attempts}");
        if attempts < 3 { Err("busy") } else { Ok(format!("hello {name}")) }
    };
    let greeting = executor.retrying(3).try_call(flaky, "world").result()?;
    println!("  {greeting}");
    assert_eq!(greeting, "hello world");

    println!("\nOne that never works:");
    let broken = |number: &str| number.parse::<u32>();
    let error = executor.retrying(3).try_call(broken, "seven").result().unwrap_err();
    println!("  {error}");

    println!("\nA panic is an error of that one task (the hook reports it as ever):");
    let options = TaskOptions::new().label("division");
    let error = executor.with(options).submit(|n: u32| 1 / n, 0).result().unwrap_err();
    if let TaskErrorKind::Panicked(panic) = error.kind() {
        println!("  label {:?}, message {:?}", error.label(), panic.message());
        assert_eq!(panic.message(), "attempt to divide by zero");
    }
    Ok(())
}
