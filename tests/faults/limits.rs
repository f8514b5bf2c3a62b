//! Tasks that are cancelled, stopped, or given only so much time.

use crate::common::workers::{Folder, note, noted, pool};
use crate::common::{Deliberate, FarGate, FarLatch, hush, occupy};
use crate::postconditions::{Ledger, ends, goes_on_and_ends, scenario};
use concurrent_futures::{
    Future, ProcessPoolExecutor, TaskOptions, ThreadPoolExecutor, as_completed_timeout,
};
use std::panic::panic_any;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

const A_MOMENT: Duration = Duration::from_millis(10);
const AN_HOUR: Duration = Duration::from_secs(3600);

fn pass(latch: FarLatch) -> u32 {
    latch.pass();
    7
}

fn impatient(max_workers: usize) -> ProcessPoolExecutor {
    let builder = ProcessPoolExecutor::builder().max_workers(max_workers);
    builder.grace(Duration::ZERO).build().unwrap()
}

fn spins(micros: u64) -> u64 {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_micros(micros) {}
    micros
}

/// The catalogue wants 100 000 rounds; each may cost a process here.
#[test]
fn s092_an_abort_that_races_with_the_end_hits_no_other_task() {
    const ROUNDS: u64 = 400;
    scenario(|ledger| {
        let executor = impatient(2);
        let (mut done, mut cancelled) = (0, 0);
        for round in 0..ROUNDS {
            let aborted = ledger.watch(executor.submit(spins, 20));
            let next = ledger.watch_all(executor.submit_all(spins, [1; 3]));
            spins(round * 7 % 120);
            let was_aborted = aborted.abort();
            match aborted.result() {
                Ok(_) => done += 1,
                Err(error) => {
                    assert!(was_aborted && error.is_cancelled(), "{error}");
                    cancelled += 1;
                }
            }
            assert!(next.into_iter().all(|it| it.result().unwrap() == 1));
        }
        assert_eq!(done + cancelled, ROUNDS);
        goes_on_and_ends(executor);
    });
}

#[test]
fn s097_a_limit_that_races_with_the_result_gives_one_of_both() {
    scenario(|ledger| {
        let executor = pool(2);
        for round in 0..300 {
            let limit = Duration::from_micros(150 + round % 100);
            let limited = executor.with(TaskOptions::new().timeout(limit));
            let future = ledger.watch(limited.submit(spins, 200));
            let next = ledger.watch(executor.submit(spins, 1));
            match future.result() {
                Ok(value) => assert_eq!(value, 200),
                Err(error) => assert!(error.is_timed_out(), "{error}"),
            }
            assert_eq!(next.result().unwrap(), 1);
        }
        goes_on_and_ends(executor);
    });
}

#[test]
fn s100_thousands_of_cancellations_hold_up_nobody() {
    scenario(|ledger| {
        let executor = pool(2);
        let gate = FarGate::new();
        let running = ledger.watch(executor.submit(pass, gate.latch()));
        gate.await_arrivals(1);
        let folder = Folder::new();
        std::thread::scope(|scope| {
            // The other worker goes on all the time.
            let works = scope.spawn(|| {
                for n in 0..500 {
                    assert_eq!(executor.submit(|n: u32| n, n).result().unwrap(), n);
                }
            });
            let arguments = std::iter::repeat_with(|| folder.path("ran")).take(5000);
            let futures: Vec<Future<u32>> =
                ledger.watch_all(executor.submit_all(note as fn(PathBuf) -> u32, arguments));
            let cancelled = futures.iter().filter(|it| it.cancel()).count();
            let ran = futures.into_iter().filter_map(|it| it.result().ok()).count();
            assert_eq!(cancelled + ran, 5000);
            // Cancelled ones have never begun.
            assert_eq!(noted(&folder.path("ran")).len(), ran);
            works.join().unwrap();
        });
        gate.open();
        assert_eq!(running.result().unwrap(), 7);
        goes_on_and_ends(executor);
    });
}

/// That none is late by more than a bound is what each test sees to.
#[test]
fn s101_no_wait_with_a_limit_ends_before_it() {
    scenario(|_| {
        let threads = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&threads, 1);
        let processes = pool(1);
        let far_gate = FarGate::new();
        let waits: [(&str, &dyn Fn()); 6] = [
            ("result", &|| assert!(threads.spawn(|| 1).result_timeout(A_MOMENT).is_err())),
            ("result of another process", &|| {
                let future = processes.submit(pass, far_gate.latch());
                assert!(future.result_timeout(A_MOMENT).is_err());
            }),
            ("wait", &|| assert!(!threads.spawn(|| 1).wait_timeout(A_MOMENT))),
            ("as_completed", &|| {
                let futures = [threads.spawn(|| 1), processes.submit(|n: u32| n, 1)];
                let mut completed = as_completed_timeout(futures, A_MOMENT);
                assert!(completed.next().is_some_and(|it| it.is_err()));
            }),
            ("begin_within", &|| {
                let late = processes.with(TaskOptions::new().begin_within(A_MOMENT));
                assert!(late.submit(|n: u32| n, 1).result().is_err());
            }),
            ("map", &|| {
                let options = concurrent_futures::MapOptions::new().timeout(A_MOMENT);
                assert!(threads.map_with(options, |n: u32| n, [1]).next().unwrap().is_err());
            }),
        ];
        for (name, waits) in waits {
            let begun = Instant::now();
            waits();
            assert!(begun.elapsed() >= A_MOMENT, "{name}: {:?}", begun.elapsed());
        }
        gate.open();
        far_gate.open();
        ends(processes);
    });
}

/// There is no pause between two attempts in which a cancellation could come; it comes while the task waits
/// for a worker to be tried again.
#[test]
fn s102_a_task_that_is_stopped_between_two_attempts_is_not_tried_again() {
    fn panics((latch, attempts): (FarLatch, PathBuf)) {
        hush();
        note(attempts);
        latch.pass();
        panic_any(Deliberate(Box::new(())));
    }
    fn tries(ledger: &Ledger, executor: &ProcessPoolExecutor, folder: &Folder, round: u32) {
        let (gate, path) = (FarGate::new(), folder.path(&round.to_string()));
        let often = executor.retrying(1000);
        let future = ledger.watch(often.submit(panics, (gate.latch(), path.clone())));
        gate.await_arrivals(1);
        // From now on it is tried again and again.
        gate.open();
        (0..round).for_each(|_| std::thread::yield_now());
        assert!(future.abort() || future.done());
        let error = future.result().unwrap_err();
        assert!(error.is_cancelled() || error.is_panic(), "{error}");
        // Whatever had been sent has been read by now.
        assert_eq!(executor.submit(|n: u32| n, round).result().unwrap(), round);
        let attempts = noted(&path).len();
        assert_eq!(executor.submit(|n: u32| n, round).result().unwrap(), round);
        assert_eq!(noted(&path).len(), attempts);
    }
    scenario(|ledger| {
        let builder = ProcessPoolExecutor::builder().max_workers(1);
        let executor = builder.grace(AN_HOUR).build().unwrap();
        let folder = Folder::new();
        (0..40).for_each(|round| tries(ledger, &executor, &folder, round));
        goes_on_and_ends(executor);
    });
}

#[test]
fn s103_a_panic_in_a_callback_of_a_cancelled_task_costs_nobody_anything() {
    scenario(|ledger| {
        hush();
        let executor = pool(1);
        let gate = FarGate::new();
        let running = ledger.watch(executor.submit(pass, gate.latch()));
        gate.await_arrivals(1);
        let (says, said) = mpsc::channel();
        let cancelled = ledger.watch(executor.submit(|n: u32| n, 1));
        for number in 0..3 {
            let says = says.clone();
            cancelled.add_done_callback(move |_| {
                says.send(number).unwrap();
                panic_any(Deliberate(Box::new(())));
            });
        }
        let neighbour = ledger.watch(executor.submit(|n: u32| n, 2));
        assert!(cancelled.cancel());
        assert_eq!(said.try_iter().collect::<Vec<_>>(), [0, 1, 2]);
        gate.open();
        assert_eq!((running.result().unwrap(), neighbour.result().unwrap()), (7, 2));
        goes_on_and_ends(executor);
    });
}
