//! `Group`: tasks that are stopped as one.

use crate::common::{OutOfPaper, begun, finished, occupy_one, pool, running, within};
use concurrent_futures::{FutureState, Group, Promise, cancellation_requested};
use std::sync::mpsc::channel;

#[test]
fn cancelling_a_group_counts_only_what_it_stopped() {
    let group = Group::new();
    let (_pending, one) = Promise::<u32>::new();
    let (_begun, other) = running();
    let cancelled = crate::common::cancelled();
    for future in [&one, &other, &cancelled, &finished(1)] {
        group.add(future);
    }
    assert_eq!(group.cancel(), 1);
    assert_eq!((one.state(), other.state()), (FutureState::Cancelled, FutureState::Running));
}

#[test]
fn aborting_a_group_counts_what_it_cancelled_and_what_it_asked() {
    within(|| {
        let executor = pool(1);
        let (asked, has_begun) = begun(&executor, || {
            while !cancellation_requested() {
                std::thread::yield_now();
            }
        });
        has_begun.recv().unwrap();
        let queued: Vec<_> = (0..3).map(|_| executor.spawn(|| ())).collect();
        let group = Group::new();
        group.add(&asked);
        queued.iter().for_each(|future| group.add(future));
        let stopped = group.abort();
        assert_eq!((stopped.cancelled, stopped.asked), (3, 1));
        assert!(asked.result().unwrap_err().is_cancelled());
    });
}

#[test]
fn nobody_in_a_group_is_asked_to_stop_before_all_are_cancelled_that_can_be() {
    let (promise, asked) = running();
    let (_pending, cancelled) = Promise::<u32>::new();
    let (sender, was_asked) = channel();
    cancelled.add_done_callback(move |_| sender.send(promise.cancellation_requested()).unwrap());
    let group = Group::new();
    group.add(&asked);
    group.add(&cancelled);
    group.abort();
    assert_eq!(was_asked.try_recv(), Ok(false));
}

#[test]
fn what_is_added_to_a_cancelled_group_is_cancelled() {
    let group = Group::new();
    group.cancel();
    let (_promise, late) = Promise::<u32>::new();
    group.add(&late);
    assert!(late.cancelled());
}

#[test]
fn what_is_running_when_added_to_a_cancelled_group_goes_on() {
    let group = Group::new();
    group.cancel();
    let (promise, late) = running();
    group.add(&late);
    assert!(!promise.cancellation_requested());
}

#[test]
fn what_is_running_when_added_to_an_aborted_group_is_asked_to_stop() {
    let group = Group::new();
    group.abort();
    let (promise, late) = running();
    group.add(&late);
    assert!(promise.cancellation_requested());
}

#[test]
fn a_cancelled_group_can_still_be_aborted() {
    let group = Group::new();
    let (promise, future) = running();
    group.add(&future);
    assert_eq!(group.cancel(), 0);
    assert_eq!(group.abort().asked, 1);
    assert!(promise.cancellation_requested());
}

#[test]
fn an_aborted_group_stays_so_when_it_is_cancelled() {
    let group = Group::new();
    group.abort();
    group.cancel();
    let (promise, late) = running();
    group.add(&late);
    assert!(promise.cancellation_requested());
}

#[test]
fn a_group_reaches_the_task_behind_a_flattened_future() {
    within(|| {
        let executor = pool(1);
        let _occupied = occupy_one(&executor);
        let future = executor.spawn(|| Ok::<u32, OutOfPaper>(1)).flatten();
        let group = Group::new();
        group.add(&future);
        assert_eq!(group.cancel(), 1);
        assert!(future.cancelled());
    });
}

#[test]
fn a_group_keeps_no_task_from_being_detached() {
    let drops = crate::common::Drops::default();
    let group = Group::new();
    let (mut promise, future) = Promise::new();
    group.add(&future);
    drop(future);
    promise.set_result(drops.token()).unwrap();
    assert_eq!(drops.count(), 1);
}

#[test]
fn threads_that_add_while_another_cancels_leave_nothing_pending() {
    within(|| {
        for _ in 0..50 {
            let group = Group::new();
            let (_promises, futures): (Vec<_>, Vec<_>) =
                (0..40).map(|_| Promise::<u32>::new()).unzip();
            std::thread::scope(|threads| {
                for part in futures.chunks(10) {
                    threads.spawn(|| part.iter().for_each(|future| group.add(future)));
                }
                threads.spawn(|| group.cancel());
            });
            assert!(futures.iter().all(|future| future.cancelled()));
        }
    });
}
