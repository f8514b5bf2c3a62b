//! Every outcome, and everything that a task holds, is dropped exactly once, whatever its path.

use crate::common::{BOUND, Drops, Gate, OutOfPaper, Token, begun, occupy_one, pool, within};
use concurrent_futures::{
    CompletionQueue, Future, Promise, TaskOptions, ThreadPoolExecutor, cancellation_requested,
};
use futures::executor::block_on;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// Gives a task that returns a counted value to `path`, ends the pool, and counts.
fn drops_after(path: impl FnOnce(&ThreadPoolExecutor, Future<Token>) + Send + 'static) -> usize {
    within(move || {
        let executor = pool(1);
        let drops = Drops::default();
        let value = drops.token();
        let occupied = occupy_one(&executor);
        let future = executor.spawn(move || value);
        occupied.release();
        path(&executor, future);
        executor.shutdown(true, false);
        drops.count()
    })
}

#[test]
fn a_value_that_is_taken_is_dropped_by_its_taker() {
    let drops = Drops::default();
    let (mut promise, future) = Promise::new();
    promise.set_result(drops.token()).unwrap();
    let value = future.result().unwrap();
    drop(promise);
    assert_eq!(drops.count(), 0);
    drop(value);
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_value_taken_by_result_is_dropped_once() {
    assert_eq!(drops_after(|_, future| drop(future.result())), 1);
}

#[test]
fn a_value_taken_by_await_is_dropped_once() {
    assert_eq!(drops_after(|_, future| drop(block_on(future))), 1);
}

#[test]
fn a_value_taken_within_a_time_limit_is_dropped_once() {
    assert_eq!(drops_after(|_, future| drop(future.result_timeout(BOUND))), 1);
}

#[test]
fn a_value_whose_future_is_dropped_at_any_moment_is_dropped_once() {
    for _ in 0..100 {
        assert_eq!(drops_after(|_, future| drop(future)), 1);
    }
}

#[test]
fn a_value_whose_future_is_dropped_after_the_end_is_dropped_once() {
    let path = |_: &_, future: Future<Token>| {
        future.wait();
        drop(future);
    };
    assert_eq!(drops_after(path), 1);
}

#[test]
fn a_value_whose_future_is_dropped_while_a_callback_looks_at_it_is_dropped_once() {
    let drops = Drops::default();
    let value = drops.token();
    within(move || {
        let gate = Gate::new();
        let (mut promise, future) = Promise::new();
        let (entrance, (sender, is_in)) = (gate.latch(), channel());
        future.add_done_callback(move |_| {
            sender.send(()).unwrap();
            entrance.pass();
        });
        let keeper = thread::spawn(move || promise.set_result(value));
        is_in.recv().unwrap();
        drop(future);
        gate.open();
        keeper.join().unwrap().unwrap();
    });
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_value_that_is_shared_is_dropped_once() {
    let path = |_: &_, future: Future<Token>| {
        let one = future.shared();
        let other = one.clone();
        one.wait();
        drop((one, other));
    };
    assert_eq!(drops_after(path), 1);
}

#[test]
fn a_value_in_a_queue_that_is_dropped_is_dropped_once() {
    assert_eq!(drops_after(|_, future| drop(CompletionQueue::from_iter([future]))), 1);
}

#[test]
fn a_value_that_goes_into_another_task_is_dropped_once() {
    let path = |executor: &ThreadPoolExecutor, future: Future<Token>| {
        executor.then(future, drop).result().unwrap();
    };
    assert_eq!(drops_after(path), 1);
}

#[test]
fn what_a_cancelled_task_would_have_returned_is_dropped_once() {
    let drops = Drops::default();
    let value = drops.token();
    within(move || {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        executor.spawn(move || value).cancel();
        occupied.release();
    });
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_value_of_a_task_that_heeded_a_request_to_stop_is_dropped_once() {
    let drops = Drops::default();
    let value = drops.token();
    within(move || {
        let executor = pool(1);
        let (future, has_begun) = begun(&executor, move || {
            while !cancellation_requested() {
                thread::yield_now();
            }
            value
        });
        has_begun.recv().unwrap();
        future.abort();
        assert!(future.result().unwrap_err().is_cancelled());
    });
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_value_that_comes_after_the_timeout_is_dropped_once() {
    let drops = Drops::default();
    let value = drops.token();
    within(move || {
        let executor = pool(1);
        let impatient = executor.with(TaskOptions::new().timeout(Duration::from_millis(1)));
        let gate = Gate::new();
        let entrance = gate.latch();
        let future = impatient.spawn(move || {
            entrance.pass();
            value
        });
        assert!(future.result().unwrap_err().is_timed_out());
        gate.open();
    });
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_value_that_is_flattened_is_dropped_once() {
    let drops = Drops::default();
    let value = drops.token();
    within(move || {
        let future = pool(1).spawn(move || Ok::<_, OutOfPaper>(value)).flatten();
        drop(future.result().unwrap());
    });
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_value_whose_flattened_future_is_dropped_is_dropped_once() {
    let drops = Drops::default();
    let value = drops.token();
    within(move || drop(pool(1).spawn(move || Ok::<_, OutOfPaper>(value)).flatten()));
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_value_that_a_promise_may_not_give_is_dropped_once() {
    let drops = Drops::default();
    let (mut promise, future) = Promise::new();
    future.cancel();
    assert!(promise.set_result(drops.token()).is_err());
    assert_eq!(drops.count(), 1);
}

#[test]
fn what_a_panicking_task_held_is_dropped_once() {
    let drops = Drops::default();
    let value = drops.token();
    within(move || {
        let task = move || -> Token { panic!("with {value:?}") };
        assert!(pool(1).spawn(task).result().is_err());
    });
    assert_eq!(drops.count(), 1);
}

#[test]
fn the_payload_of_a_panic_is_dropped_with_the_last_clone_of_the_error() {
    let drops = Drops::default();
    let payload = drops.token();
    let error = within(move || {
        pool(1).spawn(move || std::panic::panic_any(payload)).result().map(|()| 0).unwrap_err()
    });
    let other = error.clone();
    drop(error);
    assert_eq!(drops.count(), 0);
    drop(other);
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_panic_in_the_drop_of_an_unwanted_value_costs_no_worker() {
    struct PanicsOnDrop;
    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            panic!("an unwanted value panics");
        }
    }
    within(|| {
        let executor = pool(1);
        let worker = executor.spawn(|| thread::current().id()).result().unwrap();
        let occupied = occupy_one(&executor);
        drop(executor.spawn(|| PanicsOnDrop));
        occupied.release();
        assert_eq!(executor.spawn(|| thread::current().id()).result().unwrap(), worker);
    });
}

#[test]
fn a_panic_in_the_drop_of_a_cancelled_closure_does_not_reach_the_canceller() {
    struct PanicsOnDrop;
    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            panic!("a cancelled closure panics");
        }
    }
    within(|| {
        let executor = pool(1);
        let _occupied = occupy_one(&executor);
        let capture = PanicsOnDrop;
        let future = executor.spawn(move || drop(capture));
        assert!(future.cancel());
        assert!(future.cancelled());
    });
}
