//! How many threads stand in for a worker that is blocked.

use crate::common::{BOUND, Gate, within};
use crate::support::{Seen, workers_when_running};
use concurrent_futures::{Promise, ThreadPoolExecutor, block_in_place};
use std::sync::mpsc;
use std::time::Duration;

/// Submits tasks that stay until the gate is opened.
fn submit_held(executor: &ThreadPoolExecutor, tasks: usize, gate: &Gate) {
    for _ in 0..tasks {
        let latch = gate.latch();
        drop(executor.spawn(move || latch.pass()));
    }
}

/// A worker said ten times over, each time within the last, that it was blocked, and ten threads
/// came to stand in for it.
#[test]
fn a_worker_that_says_repeatedly_that_it_is_blocked_is_replaced_once() {
    fn in_place(levels: usize, code: &mut dyn FnMut()) {
        match levels {
            0 => code(),
            _ => block_in_place(|| in_place(levels - 1, code)),
        }
    }
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = Gate::new();
        let (latch, (blocked, is_blocked)) = (gate.latch(), mpsc::channel());
        let _outer = executor.spawn(move || {
            in_place(10, &mut || {
                blocked.send(()).unwrap();
                latch.pass();
            });
        });
        is_blocked.recv().unwrap();
        submit_held(&executor, 20, &gate);
        assert_eq!(workers_when_running(&executor, 2), 2, "one of which is blocked");
    });
}

/// A worker that had said that it was blocked, and then waited for a future, counted as two that
/// could not go on; so two stood in for it.
#[test]
fn a_wait_within_block_in_place_counts_once() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = Gate::new();
        let (promise, promised) = Promise::<()>::new();
        let (here, blocked) = mpsc::channel();
        let _outer = executor.spawn(move || {
            block_in_place(|| {
                here.send(Seen::here()).unwrap();
                promised.wait();
            });
        });
        blocked.recv().unwrap().until_asleep();
        submit_held(&executor, 5, &gate);
        assert_eq!(workers_when_running(&executor, 2), 2, "one of which is blocked");
        gate.open();
        drop(promise);
    });
}

/// A thread that had left, and was only in the finalizer, waited for a future there; it was counted
/// as a worker that is blocked, and another was blocked in its place: two ran in a pool of one.
#[test]
fn a_finalizer_that_waits_is_no_blocked_worker() {
    within(|| {
        let (promise, promised) = Promise::<()>::new();
        let promised = promised.shared();
        let (here, blocked) = mpsc::channel();
        let executor = ThreadPoolExecutor::builder()
            .max_workers(1)
            .finalizer(move |()| {
                // Later threads come when nobody looks any more.
                let _ = here.send(Seen::here());
                promised.wait();
            })
            .keep_alive(Duration::from_millis(1))
            .build()
            .unwrap();
        executor.spawn(|| ()).result().unwrap();
        blocked.recv_timeout(BOUND).unwrap().until_asleep();
        let gate = Gate::new();
        submit_held(&executor, 4, &gate);
        let workers = workers_when_running(&executor, 1);
        gate.open();
        drop(promise);
        assert_eq!(workers, 1);
    });
}
