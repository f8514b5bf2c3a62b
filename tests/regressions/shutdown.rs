//! Shutting down.

use crate::common::{BOUND, within};
use concurrent_futures::ThreadPoolExecutor;
use std::time::Duration;

/// A worker had popped a task when the pool was closed, and cancelled it in place of whoever closed
/// the pool; the report counted only what the latter had found in the queue.
#[test]
fn a_shutdown_report_counts_all_that_was_cancelled() {
    within(|| {
        for round in 0..200 {
            let executor = ThreadPoolExecutor::new(2).unwrap();
            let futures = executor.submit_all(|_| std::hint::spin_loop(), 0..400);
            let report = executor.shutdown_timeout(Duration::ZERO, BOUND);
            let cancelled = futures.iter().filter(|it| it.cancelled()).count();
            assert_eq!(report.cancelled, cancelled, "in round {round}");
        }
    });
}

/// Of two threads that waited for the end of a pool, one joined its threads, and the other found none
/// that was left to be joined, and returned while one of them was still at a callback.
#[cfg(target_os = "linux")]
#[test]
fn every_wait_for_the_end_of_a_pool_of_processes_is_one_for_its_callbacks() {
    use crate::common::{Gate, Latch};
    use crate::support::Seen;
    use concurrent_futures::{ProcessPoolExecutor, block_in_place};
    use std::sync::mpsc;

    within(|| {
        let executor = ProcessPoolExecutor::new(1).unwrap();
        let (gate, called, is_over) = (Gate::new(), Latch::new(), Latch::new());
        let (latch, is_called, over) = (gate.latch(), called.clone(), is_over.clone());
        executor.submit(|()| (), ()).add_done_callback(move |_| {
            // So somebody else serves the worker to its end.
            block_in_place(|| {
                is_called.open();
                latch.pass();
            });
            over.open();
        });
        called.pass();
        std::thread::scope(|scope| {
            let (here, waiting) = mpsc::channel();
            for _ in 0..2 {
                let (here, executor, is_over) = (here.clone(), &executor, &is_over);
                scope.spawn(move || {
                    here.send(Seen::here()).unwrap();
                    executor.shutdown(true, false);
                    assert!(is_over.is_open(), "it waited for every thread");
                });
            }
            let both: Vec<_> = waiting.iter().take(2).collect();
            crate::common::eventually(|| executor.stats().workers == 0);
            both.iter().for_each(Seen::until_asleep);
            gate.open();
        });
    });
}
