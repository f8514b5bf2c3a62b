//! Workers of which nothing is heard for a while.

use crate::common::workers::{Folder, note, noted, pool};
use crate::common::{FarGate, FarLatch, within};
use concurrent_futures::ProcessPoolExecutor;
use std::thread::sleep;
use std::time::Duration;

/// Several times as long as a worker may say nothing until that is looked at.
const A_WHILE: Duration = Duration::from_millis(60);

fn pass(latch: FarLatch) {
    latch.pass();
}

/// Whoever had heard nothing of a worker for long did not mind the time any more. When that worker
/// then began a long call, what had been sent ahead behind it stayed there, while the other worker
/// was given newer tasks all the time.
#[test]
fn what_lies_behind_a_long_call_is_run_elsewhere_after_an_idle_pause() {
    within(|| {
        let folder = Folder::new();
        let executor = pool(2);
        // Only to a worker that has returned something is anything sent ahead.
        let gate = FarGate::new();
        let both = executor.submit_all(pass, [gate.latch(), gate.latch()]);
        gate.await_arrivals(2);
        gate.open();
        both.into_iter().for_each(|it| it.result().unwrap());
        // The pause that this is about.
        sleep(A_WHILE);

        let (long_gate, mut other_gate) = (FarGate::new(), FarGate::new());
        let long = executor.submit(pass, long_gate.latch());
        long_gate.await_arrivals(1);
        let mut other = executor.submit(pass, other_gate.latch());
        other_gate.await_arrivals(1);
        let behind = executor.submit(note, folder.path("behind"));
        // The other one is never without a call, so nobody asks for what lies ready elsewhere.
        while !behind.done() {
            let gate = FarGate::new();
            let next = executor.submit(pass, gate.latch());
            other_gate.open();
            other.result().unwrap();
            (other, other_gate) = (next, gate);
        }
        assert!(long.running(), "it went before a call that is still running");
        assert_eq!(noted(&folder.path("behind")), [behind.result().unwrap()]);
        other_gate.open();
        other.result().unwrap();
        long_gate.open();
        long.result().unwrap();
    });
}

/// That nothing was heard of a worker kept calls from it until it returned one. It had none.
#[test]
fn a_worker_that_takes_its_time_to_start_gets_calls_when_it_is_up() {
    fn begins_slowly(_: ()) {
        sleep(A_WHILE);
    }
    within(|| {
        let builder = ProcessPoolExecutor::builder().max_workers(2);
        let executor = builder.start_all().initializer(begins_slowly, ()).build().unwrap();
        let gate = FarGate::new();
        // Both are needed.
        let futures = executor.submit_all(pass, [gate.latch(), gate.latch()]);
        gate.await_arrivals(2);
        gate.open();
        futures.into_iter().for_each(|it| it.result().unwrap());
    });
}

/// The same for one that had nothing to do for a while.
#[test]
fn a_worker_that_was_idle_for_a_while_gets_calls() {
    within(|| {
        let executor = pool(1);
        for _ in 0..3 {
            assert_eq!(executor.submit(|n: u32| n, 7).result().unwrap(), 7);
            // The pause that this is about.
            sleep(A_WHILE);
        }
    });
}
