//! Callbacks run on the thread beside a worker, which has other things to do as well.

use crate::common::{
    Address, FarGate, FarLatch, Gate, Latch, Mailbox, eventually, threads_named, within,
};
use crate::support::survives;
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

/// The same with a call that had been sent ahead, and lay behind two that had been written.
#[test]
fn a_callback_does_not_hold_up_a_call_that_was_sent_ahead() {
    within(|| {
        let executor = pool(1);
        // So that several calls are sent ahead.
        executor.submit_all(|_: u32| (), 0..40).into_iter().for_each(|it| it.result().unwrap());
        for _ in 0..10 {
            let (gate, held_up) = (FarGate::new(), Gate::new());
            let latch = held_up.latch();
            let first = executor.submit(pass, gate.latch());
            first.add_done_callback(move |_| latch.pass());
            let second = executor.submit(|n: u32| n, 2);
            let third = executor.submit(|n: u32| n, 3);
            let last_gate = FarGate::new();
            let last = executor.submit(pass, last_gate.latch());
            gate.open();
            last_gate.await_arrivals(1);
            last_gate.open();
            held_up.open();
            first.result().unwrap();
            assert_eq!((second.result().unwrap(), third.result().unwrap()), (2, 3));
            last.result().unwrap();
        }
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

/// A call that a callback submitted was left to the thread beside its worker to be written, which was
/// the one that the callback ran on.
#[test]
fn what_a_callback_submits_begins_while_the_callback_goes_on() {
    within(|| {
        let executor = pool(1);
        let (gate, mail) = (FarGate::new(), Mailbox::new());
        let address = mail.address();
        let first = executor.submit(pass, gate.latch());
        let handle = executor.handle();
        let (sender, receiver) = mpsc::channel();
        first.add_done_callback(move |_| {
            let second = handle.submit(|address: Address| address.send("begun"), address);
            // Not a wait of this crate, which would let somebody else write.
            assert_eq!(mail.next(), "begun");
            sender.send(second).unwrap();
        });
        gate.open();
        receiver.recv().unwrap().result().unwrap();
    });
}

/// A task that is tried again is cancelled instead if the pool is being shut down, which ends its future
/// in the midst of the bookkeeping. When a callback of that future had waited, and a stand-in had taken
/// the line over, the first thread went on serving it all the same.
#[test]
fn a_thread_that_was_relieved_in_the_midst_of_bookkeeping_leaves() {
    const NAME: &str =
        "process_callbacks::a_thread_that_was_relieved_in_the_midst_of_bookkeeping_leaves";
    fn fails(latch: FarLatch) {
        latch.pass();
        panic!("wanted");
    }
    survives(NAME, || {
        let leaving = FarGate::new();
        let builder = ProcessPoolExecutor::builder().max_workers(1);
        let builder = builder.initializer(|latch: FarLatch| latch, leaving.latch());
        let executor = builder.finalizer(pass).build().unwrap();
        // So that several calls are sent ahead.
        executor.submit_all(|_: u32| (), 0..40).into_iter().for_each(|it| it.result().unwrap());
        // The thread beside the worker is named after it; the list leaves one out now and then.
        let line = loop {
            if let Some(name) = threads_named("").into_iter().find(|it| it.ends_with("_0")) {
                break name;
            }
        };
        let threads = || threads_named(&line).len();

        let (first_gate, second_gate, last_gate) = (FarGate::new(), FarGate::new(), FarGate::new());
        let (held_up, waits) = (Gate::new(), Latch::new());
        let (latch, is_waiting) = (held_up.latch(), waits.clone());
        let (said, is_held_up) = mpsc::channel();
        let first = executor.submit(pass, first_gate.latch());
        let again = executor.retrying(1).submit(fails, second_gate.latch());
        let last = executor.submit(pass, last_gate.latch());
        first.add_done_callback(move |_| {
            said.send(()).unwrap();
            latch.pass();
        });
        again.add_done_callback(move |_| {
            is_waiting.open();
            last.result().unwrap();
        });
        first_gate.open();
        is_held_up.recv().unwrap();
        second_gate.open();
        // The second has failed by then, which nobody has heard: the line is held up.
        last_gate.await_arrivals(1);
        executor.shutdown(false, true);
        held_up.open();
        waits.pass();
        eventually(|| threads() == 2);
        last_gate.open();
        // The worker is about to leave, and its line goes on.
        leaving.await_arrivals(1);
        eventually(|| threads() == 1);
        assert!(again.result().unwrap_err().is_cancelled());
        leaving.open();
        executor.shutdown(true, false);
    });
}
