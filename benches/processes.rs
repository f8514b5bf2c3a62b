//! What calls to other processes cost, next to calls to threads, and to bytes that go through a socket.
//!
//! ```text
//! cargo bench --bench processes                 # all workloads, in less than a minute
//! cargo bench --bench processes -- P1           # those whose name contains P1
//! cargo bench --bench processes -- --test       # only checks the results
//! ```

mod harness;

use concurrent_futures::{ProcessPoolExecutor, ThreadPoolExecutor};
use harness::{Bench, row};
use std::hint::black_box;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;

fn next(n: u64) -> u64 {
    n.wrapping_add(1)
}

fn sum(results: impl Iterator<Item = u64>) -> u64 {
    results.fold(0, u64::wrapping_add)
}

/// Answers every piece of `length` bytes with the same piece, until the other end is gone.
fn echo(mut stream: UnixStream, length: usize) {
    let mut bytes = vec![0; length];
    while stream.read_exact(&mut bytes).is_ok() {
        if stream.write_all(&bytes).is_err() {
            return;
        }
    }
}

fn round_trip(bench: &Bench, processes: &ProcessPoolExecutor, threads: &ThreadPoolExecutor) {
    let count = bench.size(5_000, 50);
    let (mut near, far) = UnixStream::pair().expect("there are sockets");
    let echoing = thread::spawn(move || echo(far, 8));
    let rows = vec![
        row("processes", || {
            sum((0..count).map(|n| processes.submit(next, n).result().expect("none fails")))
        }),
        row("threads", || {
            sum((0..count).map(|n| threads.submit(next, n).result().expect("none fails")))
        }),
        row("bare socket", || {
            sum((0..count).map(|n| {
                near.write_all(&n.to_le_bytes()).expect("it is read");
                let mut answer = [0; 8];
                near.read_exact(&mut answer).expect("it is answered");
                next(u64::from_le_bytes(answer))
            }))
        }),
    ];
    bench.run("P1 submit one task and wait for it", count, 15, rows);
    drop(near);
    echoing.join().expect("the echo ends");
}

fn tiny_tasks(bench: &Bench, processes: &ProcessPoolExecutor, threads: &ThreadPoolExecutor) {
    let count = bench.size(100_000, 500);
    let rows = vec![
        row("submit_all", || {
            let futures = processes.submit_all(next, 0..count);
            sum(futures.into_iter().map(|future| future.result().expect("none fails")))
        }),
        row("map", || sum(processes.map(next, 0..count).map(|it| it.expect("none fails")))),
        row("threads", || {
            let futures = threads.submit_all(next, 0..count);
            sum(futures.into_iter().map(|future| future.result().expect("none fails")))
        }),
    ];
    bench.run("P2 many tiny tasks", count, 9, rows);
}

fn payload(bench: &Bench, processes: &ProcessPoolExecutor, length: usize, name: &str, times: u64) {
    let count = bench.size(times, 2);
    let text = "x".repeat(length);
    let (mut near, far) = UnixStream::pair().expect("there are sockets");
    let echoing = thread::spawn(move || echo(far, length));
    let rows = vec![
        row("there", || {
            let one = |_| {
                let future = processes.submit(|text: String| text.len() as u64, text.clone());
                future.result().expect("none fails")
            };
            sum((0..count).map(one))
        }),
        row("and back", || {
            let one = |_| {
                let future = processes.submit(|text: String| text, text.clone());
                future.result().expect("none fails").len() as u64
            };
            sum((0..count).map(one))
        }),
        row("bare, and back", || {
            let one = |_| {
                let mut writing = near.try_clone().expect("it can be shared");
                let mut answer = vec![0; length];
                thread::scope(|scope| {
                    scope.spawn(|| writing.write_all(text.as_bytes()).expect("it is read"));
                    near.read_exact(&mut answer).expect("it is answered");
                });
                answer.len() as u64
            };
            sum((0..count).map(one))
        }),
        row("copied twice", || {
            let one = |_| black_box(black_box(&text).clone()).clone().len() as u64;
            sum((0..count).map(one))
        }),
    ];
    bench.run(&format!("P3 a payload of {name}"), count, 9, rows);
    drop(near);
    echoing.join().expect("the echo ends");
}

fn starting(bench: &Bench) {
    let count = bench.size(20, 1);
    let rows = vec![
        row("first result", || {
            sum((0..count).map(|n| {
                let pool = ProcessPoolExecutor::new(1).expect("it can be built");
                pool.submit(next, n).result().expect("it does not fail")
            }))
        }),
        row("after a death", || {
            let pool = ProcessPoolExecutor::new(1).expect("it can be built");
            sum((0..count).map(|n| {
                let dying = pool.submit(|()| std::process::exit(1), ());
                let next = pool.submit(next, n);
                let _: Result<(), _> = dying.result();
                next.result().expect("it does not fail")
            }))
        }),
        row("a thread", || {
            let one = |n| thread::spawn(move || next(n)).join().expect("it does not panic");
            sum((0..count).map(one))
        }),
    ];
    bench.run(
        "P4 time to the first result, and from a worker's death to the next",
        count,
        15,
        rows,
    );
}

/// What a worker process has for itself alone.
fn memory(bench: &Bench, processes: &ProcessPoolExecutor) {
    let private = |()| {
        let smaps = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
        let kib = |line: &str| line.split_whitespace().nth(1)?.parse::<u64>().ok();
        smaps.lines().filter(|line| line.starts_with("Private_")).filter_map(kib).sum::<u64>()
    };
    let kib = processes.submit(private, ()).result().expect("it does not fail");
    if !bench.is_test {
        println!("\nP5 memory that a worker has for itself: {kib} KiB");
    }
}

fn main() {
    let bench = Bench::from_arguments();
    let processes = ProcessPoolExecutor::new(bench.workers).expect("it can be built");
    let threads = ThreadPoolExecutor::new(bench.workers).expect("it can be built");
    if !bench.is_test {
        println!("{} workers; medians; a speed above 1 is faster", bench.workers);
    }
    round_trip(&bench, &processes, &threads);
    tiny_tasks(&bench, &processes, &threads);
    payload(&bench, &processes, 1 << 10, "1 KiB", 2_000);
    payload(&bench, &processes, 64 << 10, "64 KiB", 500);
    payload(&bench, &processes, 1 << 20, "1 MiB", 50);
    payload(&bench, &processes, 64 << 20, "64 MiB", 1);
    starting(&bench);
    memory(&bench, &processes);
}
