//! `.await`: under any executor, and what becomes of wakers.

use crate::common::{cancelled, failed, finished, occupy_one, pool, running, within};
use concurrent_futures::{CompletionQueue, Promise, TaskErrorKind, as_completed, block_in_place};
use futures::StreamExt;
use futures::executor::block_on;
use futures::future::{Either, join_all, select};
use std::future::Future as _;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

/// A waker that counts how often it is used.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Counting {
    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Polls once with this waker.
fn poll<F: std::future::Future + Unpin>(future: &mut F, waker: &Arc<Counting>) -> Poll<F::Output> {
    let waker = Waker::from(Arc::clone(waker));
    Pin::new(future).poll(&mut Context::from_waker(&waker))
}

/// The smallest executor there is.
fn run<F: std::future::Future>(future: F) -> F::Output {
    struct Unparks(Thread);
    impl Wake for Unparks {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unparks(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        std::thread::park();
    }
}

#[test]
fn a_future_can_be_awaited() {
    within(|| {
        let executor = pool(1);
        let value = run(async {
            let first = executor.spawn(|| 20).await.unwrap();
            first + executor.submit(|n| n + 1, first).await.unwrap()
        });
        assert_eq!(value, 41);
    });
}

#[test]
fn whoever_awaits_is_woken_when_the_task_is_done() {
    within(|| {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        let future = executor.spawn(|| 1);
        let (polled, has_polled) = std::sync::mpsc::channel();
        let awaits = std::thread::spawn(move || {
            let mut future = future;
            let first = poll(&mut future, &Arc::default());
            polled.send(first.is_pending()).unwrap();
            run(future)
        });
        assert!(has_polled.recv().unwrap());
        occupied.release();
        assert_eq!(awaits.join().unwrap().unwrap(), 1);
    });
}

#[test]
fn the_only_worker_can_await_a_task_of_its_own_pool_if_it_says_that_it_blocks() {
    within(|| {
        let executor = pool(1);
        let handle = executor.handle();
        let outer = executor.spawn(move || block_in_place(|| block_on(handle.spawn(|| 1))));
        assert_eq!(outer.result().unwrap().unwrap(), 1);
    });
}

#[test]
fn many_futures_can_be_awaited_together() {
    within(|| {
        let executor = pool(2);
        let values = block_on(join_all(executor.submit_all(|n| n, 0..100)));
        assert!(values.into_iter().map(Result::unwrap).eq(0..100));
    });
}

#[test]
fn a_failure_and_a_cancellation_are_awaited_like_a_value() {
    assert!(block_on(failed()).is_err());
    assert!(block_on(cancelled()).unwrap_err().is_cancelled());
}

#[test]
fn a_cancellation_wakes_whoever_awaits() {
    let (_promise, future) = Promise::<u32>::new();
    let wakes = Arc::default();
    let group = concurrent_futures::Group::new();
    group.add(&future);
    let mut future = future;
    assert!(poll(&mut future, &wakes).is_pending());
    group.cancel();
    assert_eq!(wakes.count(), 1);
    let Poll::Ready(outcome) = poll(&mut future, &wakes) else { panic!("still pending") };
    assert!(outcome.unwrap_err().is_cancelled());
}

#[test]
fn a_broken_promise_wakes_whoever_awaits() {
    let (promise, mut future) = running();
    let wakes = Arc::default();
    assert!(poll(&mut future, &wakes).is_pending());
    drop(promise);
    assert_eq!(wakes.count(), 1);
    let error = block_on(future).unwrap_err();
    assert!(matches!(error.kind(), TaskErrorKind::PromiseDropped));
}

#[test]
fn only_the_waker_of_the_last_poll_is_woken() {
    let (mut promise, mut future) = Promise::<u32>::new();
    let (first, last) = (Arc::default(), Arc::default());
    assert!(poll(&mut future, &first).is_pending());
    assert!(poll(&mut future, &last).is_pending());
    promise.set_result(1).unwrap();
    assert_eq!((first.count(), last.count()), (0, 1));
}

#[test]
fn the_waker_of_an_earlier_poll_is_let_go() {
    let (_promise, mut future) = Promise::<u32>::new();
    let first = Arc::default();
    assert!(poll(&mut future, &first).is_pending());
    assert!(poll(&mut future, &Arc::default()).is_pending());
    assert_eq!(Arc::strong_count(&first), 1);
}

#[test]
fn a_future_that_is_dropped_lets_its_waker_go_and_wakes_nobody() {
    let (mut promise, mut future) = Promise::<u32>::new();
    let wakes = Arc::default();
    assert!(poll(&mut future, &wakes).is_pending());
    drop(future);
    assert_eq!(Arc::strong_count(&wakes), 1);
    promise.set_result(1).unwrap();
    assert_eq!(wakes.count(), 0);
}

#[test]
fn a_shared_future_that_is_dropped_lets_only_its_own_waker_go() {
    let (mut promise, future) = Promise::<u32>::new();
    let mut one = future.shared();
    let mut other = one.clone();
    let (first, second) = (Arc::default(), Arc::default());
    assert!(poll(&mut one, &first).is_pending());
    assert!(poll(&mut other, &second).is_pending());
    drop(one);
    promise.set_result(1).unwrap();
    assert_eq!((first.count(), second.count()), (0, 1));
}

#[test]
#[should_panic(expected = "polled after it was ready")]
fn polling_a_future_after_it_was_ready_panics() {
    let mut future = finished(1);
    let wakes = Arc::default();
    assert!(poll(&mut future, &wakes).is_ready());
    let _ = poll(&mut future, &wakes);
}

#[test]
fn a_future_whose_result_was_awaited_is_done_and_has_nothing_left() {
    let mut future = finished(1);
    assert!(poll(&mut future, &Arc::default()).is_ready());
    assert!(future.done() && future.peek().is_none());
}

#[test]
fn a_waker_that_panics_costs_no_worker() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker panics");
        }
    }
    within(|| {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        let mut future = executor.spawn(|| std::thread::current().id());
        let waker = Waker::from(Arc::new(Panics));
        assert!(Pin::new(&mut future).poll(&mut Context::from_waker(&waker)).is_pending());
        occupied.release();
        let worker = future.result().unwrap();
        assert_eq!(executor.spawn(|| std::thread::current().id()).result().unwrap(), worker);
    });
}

#[test]
fn the_loser_of_a_select_is_cancelled_by_its_drop() {
    let (mut promise, loser) = Promise::<u32>::new();
    let race = select(finished(1), loser.cancel_on_drop());
    let Either::Left((winner, loser)) = block_on(race) else { panic!("nobody keeps the other") };
    drop(loser);
    assert_eq!(winner.unwrap(), 1);
    assert!(promise.set_result(2).is_err());
}

#[test]
fn as_completed_can_be_a_stream() {
    within(|| {
        let executor = pool(2);
        let completed = as_completed(executor.submit_all(|n| n, 0..10));
        let values = completed.into_stream().map(|it| it.result().unwrap());
        let mut values: Vec<u32> = block_on(values.collect());
        values.sort_unstable();
        assert!(values.into_iter().eq(0..10));
    });
}

#[test]
fn a_completion_queue_is_a_stream_that_ends_when_it_is_empty_and_can_go_on() {
    let mut queue = CompletionQueue::new();
    queue.push(finished(1));
    assert!(block_on(queue.next()).is_some());
    assert!(block_on(queue.next()).is_none());
    queue.push(finished(2));
    assert_eq!(block_on(queue.next()).unwrap().result().unwrap(), 2);
}

#[test]
fn a_stream_is_woken_by_a_completion() {
    let (mut promise, future) = Promise::<u32>::new();
    let mut queue = CompletionQueue::from_iter([future]);
    let wakes = Arc::default();
    assert!(poll(&mut queue.next(), &wakes).is_pending());
    promise.set_result(1).unwrap();
    assert_eq!(wakes.count(), 1);
    assert!(poll(&mut queue.next(), &wakes).is_ready());
}

#[test]
fn a_stream_is_woken_for_a_future_that_was_done_when_it_came() {
    let (_promise, pending) = Promise::<u32>::new();
    let mut queue = CompletionQueue::from_iter([pending]);
    let wakes = Arc::default();
    assert!(poll(&mut queue.next(), &wakes).is_pending());
    queue.push(finished(1));
    assert_eq!(wakes.count(), 1);
}

#[test]
fn a_queue_that_is_dropped_leaves_nothing_with_the_tasks() {
    let (_promise, future) = Promise::<u32>::new();
    let mut queue = CompletionQueue::from_iter([&future]);
    let wakes = Arc::default();
    assert!(poll(&mut queue.next(), &wakes).is_pending());
    drop(queue);
    // The task would keep the queue's inbox, and the inbox this waker.
    assert_eq!(Arc::strong_count(&wakes), 1);
}
