//! `CompletionQueue`, `as_completed` and `wait`, beyond what Python has.

use crate::common::{Drops, finished, occupy_one, pool, running, within};
use concurrent_futures::{
    CompletionQueue, Promise, ReturnWhen, as_completed, as_completed_timeout, wait, wait_timeout,
};
use std::time::Duration;

/// So many promises with their futures.
fn promises(count: usize) -> (Vec<Promise<u32>>, Vec<concurrent_futures::Future<u32>>) {
    (0..count).map(|_| Promise::new()).unzip()
}

#[test]
fn a_queue_gives_futures_in_the_order_in_which_they_are_done() {
    let (mut promises, futures) = promises(4);
    let mut queue: CompletionQueue<_> = futures.into_iter().collect();
    for place in [2, 0, 3, 1] {
        promises[place].set_result(place as u32).unwrap();
    }
    let order: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|it| it.result().unwrap()).collect();
    assert_eq!(order, [2, 0, 3, 1]);
}

#[test]
fn a_queue_gives_what_was_done_before_first() {
    let (mut promise, future) = Promise::new();
    let mut queue = CompletionQueue::from_iter([future, finished(1)]);
    promise.set_result(2).unwrap();
    let order: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|it| it.result().unwrap()).collect();
    assert_eq!(order, [1, 2]);
}

#[test]
fn a_key_comes_back_with_its_future() {
    within(|| {
        let executor = pool(2);
        let words = ["a", "few", "words"];
        let mut queue: CompletionQueue<_> =
            words.map(|word| (word, executor.submit(str::len, word))).into_iter().collect();
        while let Some((word, future)) = queue.pop() {
            assert_eq!(future.result().unwrap(), word.len());
        }
    });
}

#[test]
fn a_queue_can_be_added_to_while_it_is_drained() {
    within(|| {
        let executor = pool(2);
        let mut queue = CompletionQueue::from_iter([executor.submit(|n| n, 10_u32)]);
        let mut seen = Vec::new();
        while let Some(future) = queue.pop() {
            let n = future.result().unwrap();
            seen.push(n);
            if n > 0 {
                queue.push(executor.submit(|n| n - 1, n));
            }
        }
        assert!(seen.into_iter().eq((0..=10).rev()));
    });
}

#[test]
fn try_pop_gives_nothing_until_something_is_done() {
    let (mut promise, future) = Promise::new();
    let mut queue = CompletionQueue::from_iter([future]);
    assert!(queue.try_pop().is_none());
    promise.set_result(1).unwrap();
    assert!(queue.try_pop().is_some());
    assert!(queue.try_pop().is_none());
}

#[test]
fn a_queue_that_ran_out_of_time_is_not_empty() {
    let (mut promise, future) = Promise::<u32>::new();
    let mut queue = CompletionQueue::from_iter([future]);
    assert!(queue.pop_timeout(Duration::from_millis(1)).is_none());
    assert_eq!(queue.len(), 1);
    promise.set_result(1).unwrap();
    assert!(queue.pop_timeout(Duration::ZERO).is_some());
    assert!(queue.is_empty());
}

#[test]
fn an_empty_queue_does_not_wait() {
    assert!(CompletionQueue::<concurrent_futures::Future<u32>>::new().pop().is_none());
}

#[test]
fn a_queue_that_is_dropped_drops_futures_and_keys() {
    let drops = Drops::default();
    let (_promise, future) = Promise::<u32>::new();
    drop(CompletionQueue::from_iter([(drops.token(), future)]));
    assert_eq!(drops.count(), 1);
}

#[test]
fn a_task_goes_on_after_the_queue_that_held_a_reference_to_its_future() {
    let (mut promise, future) = Promise::new();
    let mut other = CompletionQueue::from_iter([&future]);
    drop(CompletionQueue::from_iter([&future]));
    promise.set_result(1).unwrap();
    assert!(other.try_pop().is_some());
}

#[test]
fn a_reference_that_was_pushed_twice_comes_twice() {
    let (mut promise, future) = Promise::<u32>::new();
    let mut queue = CompletionQueue::from_iter([("first", &future), ("second", &future)]);
    promise.set_result(1).unwrap();
    let names: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|(name, _)| name).collect();
    assert_eq!(names, ["first", "second"]);
}

#[test]
fn a_queue_gives_cancelled_futures_too() {
    let (_promise, future) = Promise::<u32>::new();
    let mut queue = CompletionQueue::from_iter([&future]);
    future.cancel();
    assert!(queue.try_pop().unwrap().cancelled());
}

#[test]
fn thousands_of_completions_pass_by_one_that_stays() {
    within(|| {
        let (mut promise, stays) = Promise::new();
        let mut queue = CompletionQueue::from_iter([stays]);
        for n in 1..5_000 {
            queue.push(finished(n));
            queue.push(finished(n));
            assert_eq!(queue.pop().unwrap().result().unwrap(), n);
            assert_eq!(queue.pop().unwrap().result().unwrap(), n);
        }
        promise.set_result(0).unwrap();
        assert_eq!(queue.pop().unwrap().result().unwrap(), 0);
    });
}

#[test]
fn nothing_is_lost_between_many_threads_and_one_queue() {
    within(|| {
        let executor = pool(4);
        let mut queue = CompletionQueue::new();
        let mut sum = 0;
        for start in (0..10_000_u64).step_by(100) {
            queue.extend(executor.submit_all(|n| n, start..start + 100));
            sum += queue.pop().unwrap().result().unwrap();
        }
        while let Some(future) = queue.pop() {
            sum += future.result().unwrap();
        }
        assert_eq!(sum, (0..10_000).sum());
    });
}

#[test]
fn the_only_worker_of_a_pool_can_drain_a_queue_of_its_own_tasks() {
    within(|| {
        let executor = pool(1);
        let handle = executor.handle();
        let sum = executor.spawn(move || {
            as_completed(handle.submit_all(|n| n, 0..100_u32))
                .map(|future| future.result().unwrap())
                .sum::<u32>()
        });
        assert_eq!(sum.result().unwrap(), 4950);
    });
}

#[test]
fn the_only_worker_of_a_pool_can_drain_a_queue_with_a_time_limit() {
    within(|| {
        let executor = pool(1);
        let handle = executor.handle();
        let all_done = executor.spawn(move || {
            let futures = handle.submit_all(|n| n, 0..100_u32);
            as_completed_timeout(futures, crate::common::BOUND).all(|it| it.is_ok())
        });
        assert!(all_done.result().unwrap());
    });
}

#[test]
fn as_completed_knows_how_many_are_left() {
    let mut completed = as_completed([finished(1), finished(2)]);
    assert_eq!(completed.len(), 2);
    completed.next();
    assert_eq!(completed.len(), 1);
}

#[test]
fn as_completed_ends_for_good() {
    let mut completed = as_completed([finished(1)]);
    completed.next();
    assert!(completed.next().is_none() && completed.next().is_none());
}

#[test]
fn futures_that_were_not_done_in_time_can_be_waited_for_again() {
    let (mut promise, future) = Promise::new();
    let mut completed = as_completed_timeout([("slow", future)], Duration::from_millis(1));
    let timeout = completed.next().unwrap().unwrap_err();
    assert!(completed.next().is_none());
    promise.set_result(1).unwrap();
    let again: Vec<_> = as_completed(timeout.pending).collect();
    assert_eq!(again[0].0, "slow");
}

#[test]
fn what_is_done_is_given_out_although_the_time_is_up() {
    let (mut promise, future) = Promise::new();
    let mut completed = as_completed_timeout([future], Duration::ZERO);
    promise.set_result(1).unwrap();
    assert!(completed.next().unwrap().is_ok());
}

#[test]
fn waiting_for_nothing_returns_at_once() {
    within(|| {
        let nothing: [concurrent_futures::Future<u32>; 0] = [];
        let waited = wait(nothing, ReturnWhen::FirstCompleted);
        assert!(waited.done.is_empty() && waited.not_done.is_empty());
    });
}

#[test]
fn a_cancelled_future_is_no_exception_to_wait() {
    let (_promise, pending) = Promise::<u32>::new();
    let futures = [crate::common::cancelled(), pending];
    let waited = wait_timeout(futures, ReturnWhen::FirstException, Duration::from_millis(1));
    assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
}

#[test]
fn first_exception_returns_without_a_failure_when_all_are_done() {
    within(|| {
        let executor = pool(2);
        let futures = executor.submit_all(|n| n, 0..10);
        assert_eq!(wait(futures, ReturnWhen::FirstException).done.len(), 10);
    });
}

#[test]
fn wait_gives_futures_back_that_were_not_done() {
    let (mut promise, future) = running();
    let waited = wait_timeout([future], ReturnWhen::AllCompleted, Duration::from_millis(1));
    promise.set_result(1).unwrap();
    let future = waited.not_done.into_iter().next().unwrap();
    assert_eq!(future.result().unwrap(), 1);
}

#[test]
fn futures_of_different_pools_are_waited_for_together() {
    within(|| {
        let (one, other) = (pool(1), pool(1));
        let occupied = occupy_one(&other);
        let futures = [one.spawn(|| 1), other.spawn(|| 2), finished(3)];
        occupied.release();
        assert_eq!(wait(futures, ReturnWhen::AllCompleted).done.len(), 3);
    });
}
