//! Tasks that are tried again, and their limits of time.

use crate::common::{FarGate, FarLatch, within};
use concurrent_futures::{Order, ProcessPoolExecutor, TaskErrorKind, TaskOptions, attempt};
use std::panic::resume_unwind;
use std::time::{Duration, Instant};

fn pass(latch: FarLatch) {
    latch.pass();
}

/// A task whose first attempt comes to nothing, by a panic.
fn panics_once(latch: FarLatch) {
    latch.pass();
    if attempt() == 1 {
        // Without the hook, which may take its time.
        resume_unwind(Box::new("wanted"));
    }
}

/// A task whose first attempt comes to nothing, by the end of its process.
fn dies_once(latch: FarLatch) {
    latch.pass();
    if attempt() == 1 {
        std::process::abort();
    }
}

/// Lets a task with this limit fail, and keeps it waiting to be tried again for longer than that.
/// Whether it still waits then; `None` if this machine was so slow that the first attempt was too long.
fn waits_for_long(fails_once: fn(FarLatch), limit: Duration) -> Option<bool> {
    let builder = ProcessPoolExecutor::builder().max_workers(1).order(Order::Priority);
    let executor = builder.build().unwrap();
    let (gate, urgent_gate) = (FarGate::new(), FarGate::new());
    let begun = Instant::now();
    let limited = executor.with(TaskOptions::new().timeout(limit)).retrying(1);
    let future = limited.submit(fails_once, gate.latch());
    gate.await_arrivals(1);
    let urgent = executor.with(TaskOptions::new().priority(1));
    let urgent = urgent.submit(pass, urgent_gate.latch());
    gate.open();
    urgent_gate.await_arrivals(1);
    if begun.elapsed() >= limit {
        return None;
    }
    // So much later an alarm goes off that was set after that of the first attempt.
    let later = executor.with(TaskOptions::new().priority(-1).begin_within(limit * 2));
    let error = later.submit(|()| (), ()).result().unwrap_err();
    assert!(matches!(error.kind(), TaskErrorKind::NotBegun { .. }), "{error}");
    assert!(urgent.running());
    Some(!future.done())
}

/// The same with ever longer limits, until this machine is fast enough.
fn may_wait_for_long(fails_once: fn(FarLatch)) -> bool {
    let limits = (0..).map(|doublings| Duration::from_millis(100 << doublings));
    limits.filter_map(|limit| waits_for_long(fails_once, limit)).next().unwrap()
}

/// The alarm that had been set for the first attempt went off while the task waited for the second.
#[test]
fn the_time_of_a_task_that_has_failed_begins_anew_when_it_is_tried_again() {
    within(|| assert!(may_wait_for_long(panics_once)));
}

/// The same after a death: only what has failed and come back is asked for its alarms.
#[test]
fn the_time_of_a_task_whose_worker_has_died_begins_anew_when_it_is_tried_again() {
    within(|| assert!(may_wait_for_long(dies_once)));
}
