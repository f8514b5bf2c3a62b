//! `cancel`, `abort` and `CancelOnDrop`.

use crate::common::{
    Drops, Gate, Tells, begun, failed, finished, occupy_one, pool, running, within,
};
use concurrent_futures::{
    FutureState, Promise, ReturnWhen, ThreadPoolExecutor, as_completed, cancellation_requested,
    wait,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;

/// Works until it is asked to stop.
fn until_asked() -> u32 {
    while !cancellation_requested() {
        std::thread::yield_now();
    }
    1
}

/// Works until the gate is open, and never asks.
fn without_asking(gate: &Gate) -> impl FnOnce() -> u32 + Send + use<> {
    let gate = gate.latch();
    move || {
        gate.pass();
        1
    }
}

#[test]
fn cancelling_drops_closure_and_argument_at_once_on_the_cancelling_thread() {
    within(|| {
        let executor = pool(1);
        let _occupied = occupy_one(&executor);
        let (sender, dropped_on) = channel();
        let (capture, argument) = (Tells(sender.clone()), Tells(sender));
        let future = executor.submit(move |_| drop(capture), argument);
        assert!(future.cancel());
        let here = std::thread::current().id();
        assert_eq!(dropped_on.try_iter().collect::<Vec<_>>(), [here, here]);
    });
}

#[test]
fn a_cancelled_task_never_runs() {
    within(|| {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        let ran = Arc::new(AtomicBool::new(false));
        let runs = Arc::clone(&ran);
        let future = executor.spawn(move || runs.store(true, Ordering::SeqCst));
        assert!(future.cancel());
        occupied.release();
        executor.shutdown(true, false);
        assert!(!ran.load(Ordering::SeqCst));
    });
}

/// A future whose task is still in the queue of a pool that cannot come to it.
fn cancelled_in_the_queue(executor: &ThreadPoolExecutor) -> concurrent_futures::Future<u32> {
    let future = executor.spawn(|| 1);
    assert!(future.cancel());
    future
}

#[test]
fn a_cancelled_future_is_done_for_wait_though_no_worker_has_seen_it() {
    within(|| {
        let executor = pool(1);
        let _occupied = occupy_one(&executor);
        let waited = wait([cancelled_in_the_queue(&executor)], ReturnWhen::AllCompleted);
        assert_eq!((waited.done.len(), waited.not_done.len()), (1, 0));
    });
}

#[test]
fn a_cancelled_future_is_done_for_as_completed_though_no_worker_has_seen_it() {
    within(|| {
        let executor = pool(1);
        let _occupied = occupy_one(&executor);
        assert_eq!(as_completed([cancelled_in_the_queue(&executor)]).count(), 1);
    });
}

#[test]
fn futures_cancelled_by_a_shutdown_are_done_for_everyone() {
    within(|| {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        let queued = executor.submit_all(|n| n, 0..3);
        executor.shutdown(false, true);
        let waited = wait(&queued, ReturnWhen::AllCompleted);
        assert_eq!(waited.done.len(), 3);
        assert!(queued.iter().all(|it| it.cancelled()));
        occupied.release();
    });
}

#[test]
fn whoever_waits_on_another_thread_is_told_of_a_cancellation() {
    within(|| {
        let (_promise, future) = Promise::<u32>::new();
        let future = future.shared();
        let waiter = std::thread::spawn({
            let future = future.clone();
            move || future.result()
        });
        assert!(future.cancel());
        assert!(waiter.join().unwrap().unwrap_err().is_cancelled());
    });
}

#[test]
fn cancelling_twice_is_true_twice() {
    let (_promise, future) = Promise::<u32>::new();
    assert!(future.cancel());
    assert!(future.cancel());
}

#[test]
fn cancelling_a_running_task_changes_nothing() {
    within(|| {
        let executor = pool(1);
        let gate = Gate::new();
        let (future, has_begun) = begun(&executor, without_asking(&gate));
        has_begun.recv().unwrap();
        assert!(!future.cancel());
        assert_eq!(future.state(), FutureState::Running);
        gate.open();
        assert_eq!(future.result().unwrap(), 1);
    });
}

#[test]
fn a_task_is_cancelled_or_run_and_never_both() {
    within(|| {
        let executor = pool(2);
        for _ in 0..500 {
            let ran = Arc::new(AtomicBool::new(false));
            let runs = Arc::clone(&ran);
            let future = executor.spawn(move || runs.store(true, Ordering::SeqCst));
            let is_cancelled = future.cancel();
            let has_value = future.result().is_ok();
            assert_eq!((has_value, ran.load(Ordering::SeqCst)), (!is_cancelled, !is_cancelled));
        }
    });
}

#[test]
fn abort_ends_a_running_task_that_asks_as_cancelled() {
    within(|| {
        let executor = pool(1);
        let (future, has_begun) = begun(&executor, until_asked);
        has_begun.recv().unwrap();
        assert!(future.abort());
        assert!(future.result().unwrap_err().is_cancelled());
    });
}

#[test]
fn a_task_that_panics_after_it_was_told_to_stop_is_cancelled_all_the_same() {
    within(|| {
        let executor = pool(1);
        let (future, has_begun) = begun(&executor, || -> u32 { panic!("after {}", until_asked()) });
        has_begun.recv().unwrap();
        future.abort();
        assert!(future.result().unwrap_err().is_cancelled());
    });
}

#[test]
fn a_task_that_never_asks_keeps_its_value_when_it_is_aborted() {
    within(|| {
        let executor = pool(1);
        let gate = Gate::new();
        let (future, has_begun) = begun(&executor, without_asking(&gate));
        has_begun.recv().unwrap();
        assert!(future.abort());
        gate.open();
        assert_eq!(future.result().unwrap(), 1);
    });
}

#[test]
fn a_task_that_asked_before_it_was_aborted_keeps_its_value() {
    within(|| {
        let executor = pool(1);
        let gate = Gate::new();
        let work = without_asking(&gate);
        let (future, has_begun) = begun(&executor, move || {
            assert!(!cancellation_requested());
            work()
        });
        has_begun.recv().unwrap();
        gate.open();
        assert_eq!(future.result().unwrap(), 1);
    });
}

#[test]
fn abort_cancels_a_task_that_has_not_begun() {
    within(|| {
        let executor = pool(1);
        let _occupied = occupy_one(&executor);
        let future = executor.spawn(|| 1);
        assert!(future.abort());
        assert_eq!(future.state(), FutureState::Cancelled);
    });
}

#[test]
fn abort_is_false_for_what_is_done() {
    assert!(!finished(1).abort());
    assert!(!failed().abort());
}

#[test]
fn a_request_to_stop_reaches_only_the_task_that_it_is_for() {
    within(|| {
        let executor = pool(2);
        let (aborted, first_begun) = begun(&executor, until_asked);
        let gate = Gate::new();
        let entrance = gate.latch();
        let (other, second_begun) = begun(&executor, move || {
            entrance.pass();
            cancellation_requested()
        });
        first_begun.recv().unwrap();
        second_begun.recv().unwrap();
        aborted.abort();
        aborted.wait();
        gate.open();
        assert!(!other.result().unwrap());
    });
}

#[test]
fn the_next_task_of_a_worker_is_not_asked_to_stop() {
    within(|| {
        let executor = pool(1);
        let (aborted, has_begun) = begun(&executor, until_asked);
        has_begun.recv().unwrap();
        aborted.abort();
        assert!(!executor.spawn(cancellation_requested).result().unwrap());
    });
}

#[test]
fn outside_a_task_nobody_asks_to_stop() {
    assert!(!cancellation_requested());
}

#[test]
fn a_cancel_on_drop_future_cancels_what_has_not_begun() {
    within(|| {
        let executor = pool(1);
        let _occupied = occupy_one(&executor);
        let drops = Drops::default();
        let capture = drops.token();
        let future = executor.spawn(move || drop(capture)).cancel_on_drop();
        drop(future);
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn a_cancel_on_drop_future_asks_a_running_task_to_stop() {
    within(|| {
        let executor = pool(1);
        let (future, has_begun) = begun(&executor, until_asked);
        has_begun.recv().unwrap();
        drop(future.cancel_on_drop());
        executor.shutdown(true, false); // returns only if the task has
        assert_eq!(executor.stats().cancelled, 1);
    });
}

#[test]
fn a_cancel_on_drop_future_can_be_made_plain_again() {
    let (mut promise, future) = Promise::<u32>::new();
    drop(future.cancel_on_drop().into_inner());
    assert!(promise.set_result(1).is_ok());
}

#[test]
fn a_cancel_on_drop_future_gives_its_result_without_cancelling() {
    let (mut promise, future) = running();
    let future = future.cancel_on_drop();
    promise.set_result(1).unwrap();
    assert_eq!(future.result().unwrap(), 1);
}
