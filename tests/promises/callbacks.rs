//! Callbacks: what they may do, and that nothing they do hurts anyone else (G12, G13).

use crate::common::{Gate, occupy, within};
use concurrent_futures::{TaskOptions, ThreadPoolExecutor, cancellation_requested};
use std::sync::mpsc;
use std::time::Duration;

/// G12: a callback on the only worker may submit to its own pool.
#[test]
fn a_callback_may_submit() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let (handle, (sender, receiver)) = (executor.handle(), mpsc::channel());
        let future = executor.spawn(|| 20);
        future.add_done_callback(move |outcome| {
            let value = *outcome.unwrap();
            sender.send(handle.spawn(move || value + 1)).unwrap();
        });
        gate.open();
        assert_eq!(receiver.recv().unwrap().result().unwrap(), 21);
    });
}

/// G12: a callback may submit and wait for the result.
#[test]
fn a_callback_may_submit_and_wait() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let (handle, (sender, receiver)) = (executor.handle(), mpsc::channel());
        let future = executor.spawn(|| 20);
        future.add_done_callback(move |_| sender.send(handle.spawn(|| 21).result()).unwrap());
        gate.open();
        assert_eq!(receiver.recv().unwrap().unwrap(), 21);
    });
}

/// G12: a callback may cancel other tasks of its pool.
#[test]
fn a_callback_may_cancel() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let first = executor.spawn(|| ());
        let second = executor.spawn(|| ()).shared();
        let (sender, receiver) = mpsc::channel();
        let victim = second.clone();
        first.add_done_callback(move |_| sender.send(victim.cancel()).unwrap());
        gate.open();
        assert!(receiver.recv().unwrap());
        assert!(second.cancelled());
    });
}

/// G12: a callback on a worker may shut its own pool down, waiting or not.
#[test]
fn a_callback_may_shut_down() {
    within(|| {
        for wait in [false, true] {
            let executor = ThreadPoolExecutor::new(1).unwrap();
            let gate = occupy(&executor, 1);
            let (handle, (sender, receiver)) = (executor.handle(), mpsc::channel());
            let future = executor.spawn(|| ());
            future.add_done_callback(move |_| {
                handle.shutdown(wait, false);
                sender.send(()).unwrap();
            });
            gate.open();
            receiver.recv().unwrap();
            executor.shutdown(true, false);
        }
    });
}

/// G12: a callback that the canceller runs may cancel and submit in turn.
#[test]
fn a_callback_of_a_cancelled_task_may_submit() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let (handle, (sender, receiver)) = (executor.handle(), mpsc::channel());
        let future = executor.spawn(|| 1);
        future.add_done_callback(move |_| sender.send(handle.spawn(|| 2)).unwrap());
        assert!(future.cancel());
        gate.open();
        assert_eq!(receiver.recv().unwrap().result().unwrap(), 2);
    });
}

/// G12: a callback may add another callback to a future, its own included.
#[test]
fn a_callback_may_add_a_callback() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let future = executor.spawn(|| 1).shared();
        let (again, (sender, receiver)) = (future.clone(), mpsc::channel());
        future.add_done_callback(move |_| {
            again.add_done_callback(move |outcome| sender.send(*outcome.unwrap()).unwrap());
        });
        gate.open();
        assert_eq!(receiver.recv().unwrap(), 1);
    });
}

/// G13: a callback that panics skips none of the others.
#[test]
fn a_panicking_callback_skips_no_other() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let future = executor.spawn(|| ());
        let (sender, receiver) = mpsc::channel();
        for number in 0..4 {
            let sender = sender.clone();
            future.add_done_callback(move |_| {
                sender.send(number).unwrap();
                assert!(number % 2 == 1, "callback {number} panics");
            });
        }
        drop(sender);
        gate.open();
        assert_eq!(receiver.iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
    });
}

/// G13: nor does it cost the worker that runs it.
#[test]
fn a_panicking_callback_costs_no_worker() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let worker = executor.spawn(|| std::thread::current().id()).result().unwrap();
        let gate = occupy(&executor, 1);
        executor.spawn(|| ()).add_done_callback(|_| panic!("a callback that panics"));
        gate.open();
        assert_eq!(executor.spawn(|| std::thread::current().id()).result().unwrap(), worker);
    });
}

/// G12, G04: a callback of a task that timed out may wait for another task that has yet to time
/// out: no such callback keeps the other timeouts from going off.
#[test]
fn a_callback_of_a_timeout_holds_up_no_other_timeout() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let gate = Gate::new();
        let (latch, (sender, receiver)) = (gate.latch(), mpsc::channel());
        let limit = |millis| TaskOptions::new().timeout(Duration::from_millis(millis));
        let late = executor.with(limit(50)).spawn(|| {
            while !cancellation_requested() {
                std::thread::yield_now();
            }
        });
        let early = executor.with(limit(1)).spawn(move || latch.pass());
        early.add_done_callback(move |_| {
            late.wait();
            sender.send(()).unwrap();
        });
        receiver.recv().unwrap();
    });
}
