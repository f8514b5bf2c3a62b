//! The ways to submit: all or nothing, one by one, or many at once (G24, G27, G32).

use crate::common::{Drops, is_shut_down, occupy, within};
use concurrent_futures::{
    CompletionQueue, Executor, Refusal, TaskOptions, ThreadPoolExecutor, WhenFull,
};
use std::sync::mpsc;

/// G24, G32: `try_submit` gives function and argument back when the executor has been shut down.
#[test]
fn try_submit_gives_the_task_back_after_shutdown() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        executor.shutdown(true, false);
        let (drops, other) = (Drops::new(), Drops::new());
        let captured = other.token();
        let refused = executor.try_submit(move |it| drop((captured, it)), drops.token());
        let refused = refused.unwrap_err();
        assert!(matches!(refused.reason, Refusal::ShutDown));
        assert_eq!((drops.count(), other.count()), (0, 0));
        (refused.function)(refused.argument);
        assert_eq!((drops.count(), other.count()), (1, 1));
    });
}

/// G32: a refused submission keeps nothing of the task.
#[test]
fn a_refused_task_is_dropped_before_submit_returns() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        executor.shutdown(true, false);
        let drops = Drops::new();
        let future = executor.submit(drop, drops.token());
        assert_eq!(drops.count(), 1);
        assert!(is_shut_down(&future.result().unwrap_err()));
    });
}

/// `submit_all` gives the futures in the order of the arguments, bounded or not.
#[test]
fn submit_all_keeps_the_order_of_the_arguments() {
    within(|| {
        let builder = || ThreadPoolExecutor::builder().max_workers(2);
        let unbounded = builder().build().unwrap();
        let bounded = builder().queue_capacity(2, WhenFull::Block).build().unwrap();
        for executor in [unbounded, bounded] {
            let futures = executor.submit_all(|n| n * 2, 0..100);
            let doubles: Result<Vec<_>, _> = futures.into_iter().map(|it| it.result()).collect();
            assert_eq!(doubles.unwrap(), (0..100).map(|n| n * 2).collect::<Vec<_>>());
        }
    });
}

/// `submit_all` of nothing is nothing.
#[test]
fn submit_all_of_nothing_starts_nothing() {
    let executor = ThreadPoolExecutor::new(2).unwrap();
    assert!(executor.submit_all(|n: u32| n, []).is_empty());
    assert_eq!(executor.stats().workers, 0);
}

/// A refused `submit_all` refuses every task of it.
#[test]
fn submit_all_after_shutdown_refuses_everything() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        executor.shutdown(true, false);
        let futures = executor.submit_all(|n| n, 0..10);
        assert!(futures.into_iter().all(|it| is_shut_down(&it.result().unwrap_err())));
    });
}

/// A batch puts as many workers to work as there are, not only one.
#[test]
fn submit_all_wakes_enough_workers() {
    within(|| {
        let executor = ThreadPoolExecutor::new(4).unwrap();
        let barrier = std::sync::Arc::new(std::sync::Barrier::new(4));
        for _ in 0..100 {
            let barrier = std::sync::Arc::clone(&barrier);
            let futures = executor.submit_all(move |_| _ = barrier.wait(), 0..4);
            futures.into_iter().for_each(|it| it.result().unwrap());
        }
    });
}

/// The future of a refused predecessor carries the refusal on.
#[test]
fn then_carries_a_failure_on() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let first = executor.spawn(|| -> u32 { panic!("the first one") });
        let second = executor.then(first, |n| n + 1);
        assert!(second.result().unwrap_err().is_panic());
    });
}

/// Cancelling the second of two chained tasks cancels the first, if that has not begun.
#[test]
fn cancelling_the_second_cancels_the_first() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let _gate = occupy(&executor, 1);
        let drops = Drops::new();
        let first = executor.submit(drop, drops.token());
        let second = executor.then(first, |()| 1);
        assert!(second.cancel());
        assert_eq!(drops.count(), 1);
    });
}

/// `then` never blocks, although the queue that its task will stand in is full.
#[test]
fn then_does_not_block_on_a_full_queue() {
    within(|| {
        let builder = ThreadPoolExecutor::builder().max_workers(1);
        let executor = builder.queue_capacity(1, WhenFull::Block).build().unwrap();
        let first = executor.spawn(|| 1);
        first.wait();
        let gate = occupy(&executor, 1);
        let queued = executor.spawn(|| 2);
        let second = executor.then(first, |n| n + 10);
        gate.open();
        assert_eq!((queued.result().unwrap(), second.result().unwrap()), (2, 11));
    });
}

/// G27: a completion queue hands futures out in the order in which they are done.
#[test]
fn a_completion_queue_is_in_order_of_completion() {
    within(|| {
        let executor = ThreadPoolExecutor::new(3).unwrap();
        let (senders, tasks): (Vec<_>, Vec<_>) = (0..3)
            .map(|n| {
                let (sender, receiver) = mpsc::channel::<()>();
                (sender, (n, executor.spawn(move || receiver.recv())))
            })
            .unzip();
        let mut queue: CompletionQueue<_> = tasks.into_iter().collect();
        for n in [1, 2, 0] {
            senders[n].send(()).unwrap();
            assert_eq!(queue.pop().unwrap().0, n);
        }
        assert!(queue.pop().is_none());
    });
}

/// Options that are given to one submission hold for it, by way of the trait as well.
#[test]
fn options_reach_the_task() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let options = TaskOptions::new().label("one of them");
        let future = executor.submit_with(&options, |n: u32| n, 1);
        assert_eq!(future.label(), Some("one of them"));
        assert_eq!(executor.spawn(|| ()).label(), None);
    });
}
