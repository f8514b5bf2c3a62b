//! Faults that showed only when two things happened at just the wrong time: one test for each, with
//! its story. Each gives the wrong time many chances.

use crate::common::within;
use crate::support::{pool, send_signal};
use concurrent_futures::{OnWorkerDeath, ProcessPoolExecutor, TaskOptions, WhenFull};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// That a call with a timeout had begun came through the socket, and its outcome through the ring.
/// The parent looked at the socket, then both came, and then it looked at the ring: so it heard of
/// the beginning after the end, took that for nonsense, and ended the worker.
#[test]
fn an_outcome_may_overtake_the_news_that_its_call_has_begun() {
    within(|| {
        let executor = pool(2);
        let limited = executor.with(TaskOptions::new().timeout(Duration::from_secs(60)));
        for _ in 0..200 {
            for (n, future) in limited.submit_all(|n: u32| n, 0..500).into_iter().enumerate() {
                assert_eq!(future.result().unwrap() as usize, n);
            }
        }
    });
}

/// A submitter that was let into a bounded queue held its lock, and wanted the pool's. Whoever broke
/// the pool because of a worker's death held the pool's, and wanted that of the queue.
#[test]
fn a_pool_breaks_while_tasks_come_into_its_bounded_queue() {
    within(|| {
        for round in 1..=40 {
            let builder = ProcessPoolExecutor::builder().max_workers(2);
            let builder = builder.queue_capacity(8, WhenFull::Refuse);
            let executor = builder.on_worker_death(OnWorkerDeath::Break).build().unwrap();
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        let _ = executor.submit(|_| (), ()).result();
                        // Until it is broken.
                        while executor.stats().workers > 0 {
                            drop(executor.submit(|_| (), ()));
                            let _ = executor.submit(|_| (), ()).exception();
                        }
                    });
                }
                while executor.stats().finished < 100 * round {
                    std::thread::yield_now();
                }
                if let Some(process) = executor.workers().iter().find_map(|it| it.process_id) {
                    send_signal(process, libc::SIGKILL);
                }
            });
        }
    });
}

/// A callback that waits lets a stand-in take the line over. That one did not know that something
/// had just been heard, and so did not look once more for what the worker does not ring for: the
/// outcome that the callback waited for lay in the ring until the worker's next call was over.
#[test]
fn a_stand_in_looks_once_more_for_what_is_not_rung_for() {
    within(|| {
        fn spins(micros: u64) {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_micros(micros) {}
        }
        const LONG: Duration = Duration::from_secs(2);
        for round in 0..60 {
            let executor = pool(1);
            // So that several calls are sent ahead.
            executor.submit_all(spins, [5; 40]).into_iter().for_each(|it| it.result().unwrap());
            let first = executor.submit(spins, 300);
            let second = executor.submit(spins, 10 + round * 7 % 90);
            let long = executor.submit(std::thread::sleep, LONG);
            let begun = Instant::now();
            let (over, is_over) = mpsc::channel();
            first.add_done_callback(move |_| {
                second.result().unwrap();
                over.send(begun.elapsed()).unwrap();
            });
            assert!(is_over.recv().unwrap() < LONG / 2);
            executor.kill_workers();
            assert!(long.result().is_err());
        }
    });
}
