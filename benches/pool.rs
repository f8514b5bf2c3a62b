//! What the thread pool costs, next to what one would write by hand and to no pool at all.
//!
//! ```text
//! cargo bench                 # all workloads, in less than a minute
//! cargo bench -- T2           # those whose name contains T2
//! cargo bench -- --test       # only checks the results, in about a second
//! ```
//!
//! The rows of a workload take turns, so that whatever disturbs the machine disturbs all of them;
//! a ratio compares rows of the same round. Every round checks its result. The workloads have the
//! numbers under which `docs/benchmarks.md` tells what they showed.

mod harness;

use concurrent_futures::{ThreadPoolExecutor, ThreadPoolHandle, as_completed};
use harness::{Bench, HAND_MADE, ONE_THREAD, row};
use std::hint::black_box;
use std::sync::mpsc;
use std::thread;

/// Some nanoseconds of work that cannot be left out.
fn tiny(n: u64) -> u64 {
    let mut mixed = n;
    for _ in 0..2 {
        mixed = mixed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
    }
    mixed
}

/// A checksum of results in order.
fn in_order(results: impl Iterator<Item = u64>) -> u64 {
    results.fold(0, |sum, result| sum.wrapping_mul(31).wrapping_add(result))
}

/// A checksum of results in any order.
fn in_any_order(results: impl Iterator<Item = u64>) -> u64 {
    results.fold(0, u64::wrapping_add)
}

fn is_prime(n: u64) -> bool {
    if n < 4 || n % 2 == 0 {
        return n == 2 || n == 3;
    }
    let mut divisor = 3;
    while divisor * divisor <= n {
        if n % divisor == 0 {
            return false;
        }
        divisor += 2;
    }
    true
}

fn fibonacci(n: u64) -> u64 {
    if n < 2 { n } else { fibonacci(black_box(n - 1)) + fibonacci(black_box(n - 2)) }
}

/// The same, with a task for one of the two terms.
fn nested_fibonacci(pool: &ThreadPoolHandle, n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let handle = pool.clone();
    let future = pool.spawn(move || nested_fibonacci(&handle, n - 1));
    let other = nested_fibonacci(pool, n - 2);
    future.result().expect("no task fails") + other
}

/// What one writes without a library: threads that take boxed closures from one channel, and a
/// channel for each result.
struct HandMade {
    jobs: Option<crossbeam_channel::Sender<Job>>,
    threads: Vec<thread::JoinHandle<()>>,
}

type Job = Box<dyn FnOnce() + Send>;

impl HandMade {
    fn new(workers: usize) -> Self {
        let (sender, jobs) = crossbeam_channel::unbounded::<Job>();
        let work = |jobs: crossbeam_channel::Receiver<Job>| jobs.iter().for_each(|job| job());
        let threads = (0..workers)
            .map(|_| {
                let jobs = jobs.clone();
                thread::spawn(move || work(jobs))
            })
            .collect();
        HandMade { jobs: Some(sender), threads }
    }

    fn execute(&self, job: impl FnOnce() + Send + 'static) {
        let jobs = self.jobs.as_ref().expect("it is there until the drop");
        jobs.send(Box::new(job)).expect("the threads receive until the drop");
    }

    fn submit<R: Send + 'static>(
        &self,
        function: impl FnOnce() -> R + Send + 'static,
    ) -> mpsc::Receiver<R> {
        let (sender, result) = mpsc::channel();
        self.execute(move || sender.send(function()).expect("the result is waited for"));
        result
    }
}

impl Drop for HandMade {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            thread.join().expect("no task panics");
        }
    }
}

fn round_trip(bench: &Bench, executor: &ThreadPoolExecutor, hand_made: &HandMade) {
    let count = bench.size(20_000, 100);
    let rows = vec![
        row("submit", || {
            in_order((0..count).map(|n| executor.submit(tiny, n).result().expect("none fails")))
        }),
        row(HAND_MADE, || {
            in_order((0..count).map(|n| hand_made.submit(move || tiny(n)).recv().expect("it runs")))
        }),
        row(ONE_THREAD, || in_order((0..count).map(|n| tiny(black_box(n))))),
    ];
    bench.run("T1 submit one task and wait for it", count, 15, rows);
}

fn many_tasks(bench: &Bench, executor: &ThreadPoolExecutor, hand_made: &HandMade) {
    let count = bench.size(1_000_000, 1_000);
    let rows = vec![
        row("submit", || {
            let futures: Vec<_> = (0..count).map(|n| executor.submit(tiny, n)).collect();
            in_order(futures.into_iter().map(|future| future.result().expect("none fails")))
        }),
        row("submit_all", || {
            let futures = executor.submit_all(tiny, 0..count);
            in_order(futures.into_iter().map(|future| future.result().expect("none fails")))
        }),
        row(HAND_MADE, || {
            let results: Vec<_> = (0..count).map(|n| hand_made.submit(move || tiny(n))).collect();
            in_order(results.into_iter().map(|result| result.recv().expect("it runs")))
        }),
        row(ONE_THREAD, || in_order((0..count).map(|n| tiny(black_box(n))))),
    ];
    bench.run("T2 many tiny tasks, handles kept, results in order", count, 7, rows);
}

fn map(bench: &Bench, executor: &ThreadPoolExecutor, hand_made: &HandMade) {
    const CHUNK: u64 = 1_000;
    let count = bench.size(1_000_000, 10_000);
    let rows = vec![
        row("map", || {
            let results = executor.map(is_prime, 0..count);
            in_order(results.map(|result| u64::from(result.expect("none fails"))))
        }),
        row(HAND_MADE, || {
            // Somebody had to find out that a thousand at a time is right.
            let chunk = |first| move || (first..first + CHUNK).map(is_prime).collect::<Vec<_>>();
            let chunks: Vec<_> = (0..count)
                .step_by(CHUNK as usize)
                .map(|first| hand_made.submit(chunk(first)))
                .collect();
            let results = chunks.into_iter().flat_map(|chunk| chunk.recv().expect("it runs"));
            in_order(results.map(u64::from))
        }),
        row(ONE_THREAD, || in_order((0..count).map(|n| u64::from(is_prime(black_box(n)))))),
    ];
    bench.run("T4 map of is_prime over a range", count, 15, rows);
}

fn nested(bench: &Bench, executor: &ThreadPoolExecutor) {
    let n = bench.size(24, 12);
    let tasks = fibonacci(n + 1) - 1;
    let rows = vec![
        row("submit, result", || {
            let handle = executor.handle();
            executor.spawn(move || nested_fibonacci(&handle, n)).result().expect("none fails")
        }),
        // A hand-made pool deadlocks here.
        row(ONE_THREAD, || fibonacci(black_box(n))),
    ];
    bench.run("T5 recursive Fibonacci, a task for every addition", tasks, 15, rows);
}

fn completion_order(bench: &Bench, executor: &ThreadPoolExecutor, hand_made: &HandMade) {
    let count = bench.size(100_000, 1_000);
    let rows = vec![
        row("as_completed", || {
            let futures: Vec<_> = (0..count).map(|n| (n, executor.submit(tiny, n))).collect();
            let completed = as_completed(futures);
            in_any_order(completed.map(|(n, future)| n ^ future.result().expect("none fails")))
        }),
        row("submit_all", || {
            let futures = (0..count).zip(executor.submit_all(tiny, 0..count));
            let completed = as_completed(futures);
            in_any_order(completed.map(|(n, future)| n ^ future.result().expect("none fails")))
        }),
        row(HAND_MADE, || {
            // Without handles: all results come through one channel.
            let (sender, results) = mpsc::channel();
            for n in 0..count {
                let sender = sender.clone();
                hand_made.execute(move || sender.send((n, tiny(n))).expect("it is waited for"));
            }
            drop(sender);
            in_any_order(results.iter().map(|(n, result)| n ^ result))
        }),
        row(ONE_THREAD, || in_any_order((0..count).map(|n| n ^ tiny(black_box(n))))),
    ];
    bench.run("T8 many tiny tasks in the order of completion", count, 15, rows);
}

fn main() {
    let bench = Bench::from_arguments();
    let executor = ThreadPoolExecutor::new(bench.workers).expect("there is at least one processor");
    let hand_made = HandMade::new(bench.workers);
    if !bench.is_test {
        println!("{} workers; medians; a speed above 1 is faster", bench.workers);
    }
    round_trip(&bench, &executor, &hand_made);
    many_tasks(&bench, &executor, &hand_made);
    map(&bench, &executor, &hand_made);
    nested(&bench, &executor);
    completion_order(&bench, &executor, &hand_made);
}
