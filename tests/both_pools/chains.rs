//! What goes on with the value of a future.

use crate::common::FarGate;
use crate::pools::{Handle, Pool, REQUEST, Setup, occupy, pass};
use concurrent_futures::{Group, Promise, ThreadPoolExecutor, WhenFull};

on_both_pools! {
    a_second_task_is_given_the_value_of_the_first,
    a_chain_may_be_long,
    a_second_task_fails_as_the_first_has,
    a_second_task_fails_on_its_own,
    cancelling_the_second_task_cancels_the_first,
    cancelling_the_first_task_cancels_the_second,
    a_second_task_needs_no_room_in_the_queue,
    a_second_task_runs_after_a_shutdown_that_came_between,
    a_second_task_is_cancelled_by_a_shutdown_that_cancels,
    a_second_task_may_follow_one_of_another_pool,
    a_second_task_is_refused_by_a_pool_that_is_gone,
    a_second_task_has_the_context_of_whoever_chained_it,
}

fn next(n: u32) -> u32 {
    n + 1
}

fn a_second_task_is_given_the_value_of_the_first<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let second = pool.then(pool.submit(next, 1), |n| format!("{n}"));
    assert_eq!(second.result().unwrap(), "2");
}

fn a_chain_may_be_long<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let last = (0..500).fold(pool.submit(next, 0), |link, _| pool.then(link, next));
    assert_eq!(last.result().unwrap(), 501);
}

fn a_second_task_fails_as_the_first_has<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let first = pool.submit(|()| -> u32 { panic!("the first one") }, ());
    let error = pool.then(first, next).result().unwrap_err();
    assert!(error.is_panic() && error.to_string().contains("the first one"), "{error}");
}

fn a_second_task_fails_on_its_own<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let second = pool.then(pool.submit(next, 1), |n| -> u32 { panic!("it was given {n}") });
    assert!(second.result().unwrap_err().to_string().contains("it was given 2"));
}

fn cancelling_the_second_task_cancels_the_first<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, occupied) = occupy(&*pool, workers);
    let first = pool.submit(next, 1);
    let second = pool.then(first, next);
    assert!(second.cancel() && second.cancelled());
    gate.open();
    occupied.into_iter().for_each(|it| it.result().unwrap());
    assert_eq!(pool.stats().cancelled, 1, "the second one was never submitted");
}

fn cancelling_the_first_task_cancels_the_second<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, _occupied) = occupy(&*pool, workers);
    let first = pool.submit(next, 1);
    let group = Group::new();
    group.add(&first);
    let second = pool.then(first, next);
    group.cancel();
    assert!(second.result().unwrap_err().is_cancelled());
    gate.open();
}

fn a_second_task_needs_no_room_in_the_queue<P: Pool>(workers: usize) {
    let queue = Some((1, WhenFull::Block));
    let pool = P::built(Setup { queue, ..Setup::new(workers) });
    let (mut promise, first) = Promise::new();
    let (gate, _occupied) = occupy(&*pool, workers);
    let second = pool.then(first, next);
    promise.set_result(1).unwrap();
    let third = pool.then(pool.then(second, next), next);
    gate.open();
    assert_eq!(third.result().unwrap(), 4);
}

fn a_second_task_runs_after_a_shutdown_that_came_between<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let gate = FarGate::new();
    let first = pool.submit(pass, gate.latch());
    let second = pool.then(first, |()| 1);
    let third = pool.then(second, next);
    gate.await_arrivals(1);
    pool.shutdown(false, false);
    gate.open();
    drop(pool);
    assert!(third.done());
    assert_eq!(third.result().unwrap(), 2);
}

fn a_second_task_is_cancelled_by_a_shutdown_that_cancels<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let gate = FarGate::new();
    let first = pool.submit(pass, gate.latch());
    let second = pool.then(first, |()| 1);
    gate.await_arrivals(1);
    pool.shutdown(false, true);
    gate.open();
    let error = second.result().unwrap_err();
    assert!(error.is_refused(), "{error}");
}

fn a_second_task_may_follow_one_of_another_pool<P: Pool>(workers: usize) {
    let (pool, other) = (P::new(workers), ThreadPoolExecutor::new(1).unwrap());
    let there = pool.then(other.spawn(|| 1), next);
    let back = other.then(there, |n| n + 10);
    assert_eq!(back.result().unwrap(), 12);
}

fn a_second_task_is_refused_by_a_pool_that_is_gone<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (mut promise, first) = Promise::new();
    let second = pool.then(first, next);
    pool.shutdown(true, false);
    promise.set_result(1).unwrap();
    assert!(second.result().unwrap_err().is_refused());
}

fn a_second_task_has_the_context_of_whoever_chained_it<P: Pool>(workers: usize) {
    let pool = P::carrying(workers);
    let (mut promise, first) = Promise::new();
    REQUEST.set(7);
    let second = pool.then(first, |n: u32| n + REQUEST.get());
    REQUEST.set(8);
    promise.set_result(10).unwrap();
    assert_eq!(second.result().unwrap(), 17);
}
