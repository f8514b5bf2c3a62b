//! Callbacks run on the thread beside a worker, which has other things to do as well.

use crate::common::{FarGate, FarLatch, Gate, eventually, within};
use concurrent_futures::ProcessPoolExecutor;
use std::sync::mpsc;
use std::time::Duration;

fn pass(latch: FarLatch) {
    latch.pass();
}

fn pool(max_workers: usize) -> ProcessPoolExecutor {
    ProcessPoolExecutor::new(max_workers).expect("this executable can be started again")
}

/// What was sent to the worker lay unwritten until the callback had returned.
#[test]
fn a_callback_does_not_hold_up_the_next_call_of_its_worker() {
    within(|| {
        let executor = pool(1);
        let gate = Gate::new();
        let latch = gate.latch();
        let (first_gate, third_gate) = (FarGate::new(), FarGate::new());
        let first = executor.submit(pass, first_gate.latch());
        // Behind the first; the third cannot be written before one of the two has come back.
        let second = executor.submit(|n: u32| n, 2);
        let third = executor.submit(pass, third_gate.latch());
        first.add_done_callback(move |_| latch.pass());
        first_gate.open();
        eventually(|| third.running());
        third_gate.open();
        gate.open();
        first.result().unwrap();
        assert_eq!(second.result().unwrap(), 2);
        third.result().unwrap();
    });
}

/// It took the wait that it had to leave out for one that was over, and killed what was running.
#[test]
fn a_shutdown_with_a_deadline_in_a_callback_kills_nothing_that_ends() {
    within(|| {
        let executor = pool(2);
        let gate = FarGate::new();
        let running = executor.submit(pass, gate.latch());
        eventually(|| running.running());
        let (sender, receiver) = mpsc::channel();
        let handle = executor.handle();
        let patience = Duration::from_secs(1000);
        executor.submit(|n: u32| n, 1).add_done_callback(move |_| {
            sender.send(handle.shutdown_timeout(patience, patience)).unwrap();
        });
        let report = receiver.recv().unwrap();
        assert_eq!((report.asked, report.running), (1, 1));
        gate.open();
        running.result().unwrap();
    });
}
