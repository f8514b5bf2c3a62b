//! `SharedFuture`: one task, several readers.

use crate::common::{Drops, OutOfPaper, Token, failed, finished, occupy_one, pool, within};
use concurrent_futures::{Promise, ReturnWhen, as_completed, wait};
use futures::executor::block_on;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn a_reader_can_ask_again_and_again() {
    let future = finished(1).shared();
    assert_eq!([future.result().unwrap(), future.result().unwrap()], [1, 1]);
}

#[test]
fn readers_on_many_threads_all_get_the_result() {
    within(|| {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        let future = executor.spawn(|| String::from("for all")).shared();
        let readers: Vec<_> = (0..8)
            .map(|_| future.clone())
            .map(|future| std::thread::spawn(move || future.result().unwrap()))
            .collect();
        occupied.release();
        for reader in readers {
            assert_eq!(reader.join().unwrap(), "for all");
        }
    });
}

#[test]
fn readers_can_await_and_block_together() {
    within(|| {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        let future = executor.spawn(|| 1).shared();
        let awaits = std::thread::spawn({
            let future = future.clone();
            move || block_on(future)
        });
        occupied.release();
        assert_eq!(future.result().unwrap(), 1);
        assert_eq!(awaits.join().unwrap().unwrap(), 1);
    });
}

#[test]
fn two_readers_that_await_on_one_thread_are_both_woken() {
    within(|| {
        let (mut promise, future) = Promise::new();
        let future = future.shared();
        let both = std::thread::spawn({
            let (one, other) = (future.clone(), future);
            move || block_on(futures::future::join(one, other))
        });
        promise.set_result(1).unwrap();
        let (one, other) = both.join().unwrap();
        assert_eq!((one.unwrap(), other.unwrap()), (1, 1));
    });
}

#[test]
fn every_reader_is_given_the_same_failure() {
    let one = failed().shared();
    let other = one.clone();
    for error in [one.result().unwrap_err(), other.result().unwrap_err()] {
        assert_eq!(error.failure(), Some(&OutOfPaper));
    }
}

#[test]
fn a_reader_cancels_for_all() {
    let (_promise, future) = Promise::<u32>::new();
    let one = future.shared();
    let other = one.clone();
    assert!(one.cancel());
    assert!(other.result().unwrap_err().is_cancelled());
}

#[test]
fn the_value_is_dropped_with_the_last_reader() {
    let drops = Drops::default();
    let (mut promise, future) = Promise::<Token>::new();
    promise.set_result(drops.token()).unwrap();
    let one = future.shared();
    let other = one.clone();
    drop(one);
    assert_eq!(drops.count(), 0);
    drop(other);
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_value_that_cannot_be_cloned_can_be_looked_at_by_all() {
    struct NoClone(u32);
    let (mut promise, future) = Promise::new();
    let one = future.shared();
    let other = one.clone();
    promise.set_result(NoClone(1)).unwrap();
    assert_eq!((one.peek().unwrap().unwrap().0, other.peek().unwrap().unwrap().0), (1, 1));
}

#[test]
fn clones_are_the_same_task_to_wait_and_as_completed() {
    let one = finished(1).shared();
    let other = one.clone();
    assert_eq!(wait([&one, &other], ReturnWhen::AllCompleted).done.len(), 1);
    assert_eq!(as_completed([one, other]).count(), 1);
}

#[test]
fn callbacks_of_all_readers_run() {
    let (mut promise, future) = Promise::<u32>::new();
    let calls = Arc::new(());
    let one = future.shared();
    let other = one.clone();
    for reader in [&one, &other] {
        let call = Arc::clone(&calls);
        reader.add_done_callback(move |_| std::mem::forget(call));
    }
    promise.set_result(1).unwrap();
    assert_eq!(Arc::strong_count(&calls), 3);
}

#[test]
fn a_wait_that_runs_out_of_time_leaves_the_future_as_it_is() {
    let (mut promise, future) = Promise::new();
    let future = future.shared();
    assert!(!future.wait_timeout(Duration::from_millis(1)));
    promise.set_result(1).unwrap();
    assert_eq!(future.result().unwrap(), 1);
}

#[test]
fn a_result_that_runs_out_of_time_can_be_asked_for_again() {
    let (mut promise, future) = Promise::new();
    let reader = future.shared();
    let short = Duration::from_millis(1);
    assert_eq!(reader.result_timeout(short).unwrap_err().limit, short);
    promise.set_result(1).unwrap();
    assert_eq!(reader.result_timeout(Duration::ZERO).unwrap().unwrap(), 1);
    assert_eq!(reader.result().unwrap(), 1);
}
