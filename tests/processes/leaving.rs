//! Workers that have been told to leave, and do not.

use crate::common::workers::{is_alive, process_of, until_gone};
use crate::common::{FarGate, FarLatch, eventually, within};
use concurrent_futures::{ProcessPoolBuilder, ProcessPoolExecutor, WorkerState};
use std::time::Duration;

/// Longer than any test.
const AN_HOUR: Duration = Duration::from_secs(3600);

fn pass(latch: FarLatch) {
    latch.pass();
}

/// A pool whose workers wait at a gate before they leave.
fn reluctant(gate: &FarGate, max_workers: usize) -> ProcessPoolBuilder<FarLatch> {
    let builder = ProcessPoolExecutor::builder().max_workers(max_workers);
    builder.initializer(|latch: FarLatch| latch, gate.latch()).finalizer(pass)
}

#[test]
fn a_worker_that_was_told_to_leave_keeps_its_place_until_it_is_gone() {
    within(|| {
        let gate = FarGate::new();
        let executor = reluctant(&gate, 1).max_tasks_per_child(1).build().unwrap();
        let first = process_of(&executor);
        gate.await_arrivals(1);
        let next = executor.submit(|()| std::process::id(), ());
        let workers = executor.workers();
        assert_eq!(workers.len(), 1);
        assert_eq!((workers[0].process_id, workers[0].state), (Some(first), WorkerState::Leaving));
        assert!(!next.running() && !next.done());
        gate.open();
        assert_ne!(next.result().unwrap(), first);
    });
}

#[test]
fn a_worker_too_many_that_does_not_leave_holds_up_nobody_else() {
    within(|| {
        let gate = FarGate::new();
        let executor = reluctant(&gate, 2).start_all().build().unwrap();
        eventually(|| executor.stats().idle == 2);
        executor.resize(1).unwrap();
        gate.await_arrivals(1);
        let futures = executor.submit_all(|n: u32| n, 0..20);
        assert!((0..).zip(futures).all(|(n, it)| it.result().unwrap() == n));
        assert_eq!(executor.stats().workers, 2);
        gate.open();
        eventually(|| executor.stats().workers == 1);
    });
}

#[test]
fn a_shutdown_with_a_deadline_ends_workers_that_do_not_leave() {
    within(|| {
        let gate = FarGate::new();
        let executor = reluctant(&gate, 1).build().unwrap();
        let process = process_of(&executor);
        let report = executor.shutdown_timeout(Duration::ZERO, Duration::ZERO);
        assert_eq!((report.cancelled, report.asked, report.running), (0, 0, 0));
        assert!(!is_alive(process));
    });
}

#[test]
fn killing_the_workers_ends_those_that_do_not_leave_and_a_shutdown_that_waits_for_them() {
    within(|| {
        let gate = FarGate::new();
        // Nobody is ended for want of heeding a request.
        let executor = reluctant(&gate, 1).grace(AN_HOUR).build().unwrap();
        let process = process_of(&executor);
        std::thread::scope(|scope| {
            scope.spawn(|| executor.shutdown(true, false));
            gate.await_arrivals(1);
            executor.kill_workers();
        });
        until_gone(process);
    });
}
