//! Waiting for one future, and looking at it.

use crate::common::{cancelled, failed, finished, occupy_one, pool, running, within};
use concurrent_futures::{FutureState, Promise, WaitTimeout};
use std::time::Duration;

#[test]
fn a_wait_that_runs_out_of_time_gives_the_future_back() {
    within(|| {
        let (mut promise, future) = Promise::new();
        let limit = Duration::from_millis(1);
        let WaitTimeout { pending, limit: given } = future.result_timeout(limit).unwrap_err();
        assert_eq!(given, limit);
        promise.set_result(7).unwrap();
        assert_eq!(pending.result().unwrap(), 7);
    });
}

#[test]
fn a_timeout_of_the_wait_is_no_error_of_the_task() {
    within(|| {
        let timed_out = std::io::Error::from(std::io::ErrorKind::TimedOut);
        let future = pool(1).spawn(move || Err::<u32, _>(timed_out));
        let outcome = future.result_timeout(crate::common::BOUND).expect("the wait is in time");
        assert_eq!(outcome.unwrap().unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    });
}

#[test]
fn a_limit_that_no_clock_can_reach_is_no_limit() {
    within(|| {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        let next = executor.spawn(|| 1);
        occupied.release();
        assert_eq!(next.result_timeout(Duration::MAX).unwrap().unwrap(), 1);
    });
}

#[test]
fn a_ready_result_is_given_out_although_there_is_no_time() {
    assert_eq!(finished(1).result_timeout(Duration::ZERO).unwrap().unwrap(), 1);
}

#[test]
fn peek_gives_nothing_until_the_task_is_done() {
    let (_pending, before) = Promise::<u32>::new();
    let (_begun, running) = running();
    assert!(before.peek().is_none() && running.peek().is_none());
}

#[test]
fn peek_leaves_the_value_where_it_is() {
    let future = finished(1);
    assert_eq!(*future.peek().unwrap().unwrap(), 1);
    assert_eq!(*future.peek().unwrap().unwrap(), 1);
    assert_eq!(future.result().unwrap(), 1);
}

#[test]
fn peek_tells_of_a_failure_and_of_a_cancellation() {
    assert!(failed().peek().unwrap().is_err());
    assert!(cancelled().peek().unwrap().unwrap_err().is_cancelled());
}

#[test]
fn exception_leaves_the_error_to_be_had_again() {
    let future = failed();
    let seen = future.exception().unwrap().to_string();
    assert_eq!(future.exception().unwrap().to_string(), seen);
    assert_eq!(future.result().unwrap_err().to_string(), seen);
}

#[test]
fn wait_timeout_tells_whether_the_task_is_done() {
    let (_promise, pending) = Promise::<u32>::new();
    assert!(!pending.wait_timeout(Duration::from_millis(1)));
    assert!(finished(1).wait_timeout(Duration::ZERO));
}

#[test]
fn a_task_runs_although_its_future_was_dropped() {
    within(|| {
        let executor = pool(1);
        let (sender, ran) = std::sync::mpsc::channel();
        drop(executor.spawn(move || sender.send("ran")));
        assert_eq!(ran.recv(), Ok("ran"));
    });
}

#[test]
fn a_task_is_pending_while_it_queues_and_running_once_it_has_begun() {
    within(|| {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        let queued = executor.spawn(|| 1);
        assert_eq!(occupied.future.state(), FutureState::Running);
        assert_eq!(queued.state(), FutureState::Pending);
        occupied.release();
        queued.wait();
        assert_eq!(queued.state(), FutureState::Finished);
    });
}

#[test]
fn what_the_task_wrote_is_seen_by_whoever_finds_it_done() {
    within(|| {
        use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
        static WRITTEN: AtomicU32 = AtomicU32::new(0);
        let executor = pool(1);
        for round in 1..=1000 {
            // Relaxed: only the future orders the two.
            let future = executor.submit(|round| WRITTEN.store(round, Relaxed), round);
            while !future.done() {
                std::hint::spin_loop();
            }
            assert_eq!(WRITTEN.load(Relaxed), round);
        }
    });
}

#[test]
fn a_future_goes_to_another_thread_if_its_value_can() {
    fn is_send<T: Send>() {}
    fn is_sync<T: Sync>() {}
    is_send::<concurrent_futures::Future<std::cell::Cell<u32>>>();
    is_sync::<concurrent_futures::Future<u32>>();
    let future = finished(1);
    let other = std::thread::spawn(move || future.result().unwrap());
    assert_eq!(other.join().unwrap(), 1);
}
