//! The queue: its bound and its order (G06, G23).

use crate::common::{BOUND, Gate, eventually, is_queue_full, is_shut_down};
use crate::common::{let_others_get_on, occupy, within};
use concurrent_futures::{
    Future, Order, Refusal, TaskOptions, ThreadPoolBuilder, ThreadPoolExecutor, WhenFull,
};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

fn bounded(capacity: usize, when_full: WhenFull) -> ThreadPoolBuilder {
    ThreadPoolExecutor::builder().max_workers(1).queue_capacity(capacity, when_full)
}

/// Submits on a thread of its own; the flag is set when `submit` has returned.
fn submit_elsewhere(executor: &ThreadPoolExecutor) -> (JoinHandle<Future<u32>>, Arc<AtomicBool>) {
    let (handle, returned) = (executor.handle(), Arc::new(AtomicBool::new(false)));
    let mark = Arc::clone(&returned);
    let (begin, has_begun) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        begin.send(()).unwrap();
        let future = handle.spawn(|| 7);
        mark.store(true, Ordering::SeqCst);
        future
    });
    has_begun.recv().unwrap();
    (thread, returned)
}

/// G06: with `Block`, a submission to a full queue returns only when a task has left the queue.
#[test]
fn block_waits_for_room() {
    within(|| {
        let executor = bounded(1, WhenFull::Block).build().unwrap();
        let gate = occupy(&executor, 1);
        let queued = executor.spawn(|| 1);
        let (submitter, returned) = submit_elsewhere(&executor);
        let_others_get_on();
        assert!(!returned.load(Ordering::SeqCst), "there is no room yet");
        gate.open();
        assert_eq!(submitter.join().unwrap().result().unwrap(), 7);
        assert_eq!(queued.result().unwrap(), 1);
    });
}

/// G06: with `BlockFor`, it is refused when the time is over.
#[test]
fn block_for_refuses_when_its_time_is_over() {
    within(|| {
        let policy = WhenFull::BlockFor(Duration::from_millis(1));
        let executor = bounded(1, policy).build().unwrap();
        let _gate = occupy(&executor, 1);
        let _queued = executor.spawn(|| 1);
        assert!(is_queue_full(&executor.spawn(|| 2).result().unwrap_err()));
    });
}

/// G06: and is taken if there is room before that.
#[test]
fn block_for_takes_room_that_comes_in_time() {
    within(|| {
        let executor = bounded(1, WhenFull::BlockFor(BOUND)).build().unwrap();
        let gate = occupy(&executor, 1);
        let queued = executor.spawn(|| 1);
        let (submitter, _) = submit_elsewhere(&executor);
        queued.cancel();
        let future = submitter.join().unwrap();
        gate.open();
        assert_eq!(future.result().unwrap(), 7);
    });
}

/// G06: with `Refuse`, it is refused at once, and the error has the capacity.
#[test]
fn refuse_refuses_at_once() {
    within(|| {
        let executor = bounded(2, WhenFull::Refuse).build().unwrap();
        let _gate = occupy(&executor, 1);
        let _queued = executor.submit_all(|n| n, 0..2);
        let refused = executor.try_submit(|n| n, 3).unwrap_err();
        assert!(matches!(refused.reason, Refusal::QueueFull { capacity: 2 }));
        assert!(is_queue_full(&executor.spawn(|| 3).result().unwrap_err()));
    });
}

/// G06: `try_submit` never blocks, whatever the policy, and gives the task back.
#[test]
fn try_submit_gives_the_task_back_instead_of_blocking() {
    within(|| {
        let executor = bounded(1, WhenFull::Block).build().unwrap();
        let _gate = occupy(&executor, 1);
        let _queued = executor.spawn(|| 1);
        let refused = executor.try_submit(|text: String| text, "mine".to_owned()).unwrap_err();
        assert_eq!((refused.function)(refused.argument), "mine");
    });
}

/// G06: however many threads submit at once, no more tasks wait than the bound allows.
#[test]
fn the_bound_is_never_exceeded() {
    within(|| {
        for policy in [WhenFull::Block, WhenFull::BlockFor(BOUND)] {
            let executor = bounded(3, policy).build().unwrap();
            let ran = Arc::new(AtomicUsize::new(0));
            let submitters: Vec<_> = (0..4)
                .map(|_| {
                    let (handle, ran) = (executor.handle(), Arc::clone(&ran));
                    std::thread::spawn(move || {
                        for _ in 0..200 {
                            let ran = Arc::clone(&ran);
                            drop(handle.spawn(move || ran.fetch_add(1, Ordering::SeqCst)));
                        }
                    })
                })
                .collect();
            while !submitters.iter().all(|it| it.is_finished()) {
                let queued = executor.stats().queued;
                assert!(queued <= 3, "{queued} tasks wait");
                std::thread::yield_now();
            }
            executor.shutdown(true, false);
            assert_eq!(ran.load(Ordering::SeqCst), 800);
        }
    });
}

/// G06: when submitters and cancellers have come to rest, exactly as many tasks wait as may.
#[test]
fn cancellations_do_not_wear_the_bound_out() {
    within(|| {
        let executor = bounded(4, WhenFull::Refuse).build().unwrap();
        for _ in 0..100 {
            let churn = [0, 1].map(|_| {
                let handle = executor.handle();
                std::thread::spawn(move || {
                    (0..20).for_each(|_| _ = handle.spawn(|| ()).cancel());
                })
            });
            churn.into_iter().for_each(|it| it.join().unwrap());
            // Tasks that are left are run before this one, so the queue is empty when it is.
            let mut gate = None;
            while gate.is_none() {
                let candidate = Gate::new();
                let latch = candidate.latch();
                let (begun, has_begun) = mpsc::channel();
                let task = move |()| {
                    begun.send(()).unwrap();
                    latch.pass();
                };
                if executor.try_submit(task, ()).is_ok() {
                    has_begun.recv().unwrap();
                    gate = Some(candidate);
                }
            }
            let taken: Vec<_> =
                (0..10).filter_map(|n| executor.try_submit(|n| n, n).ok()).collect();
            assert_eq!(taken.len(), 4);
        }
    });
}

/// G06: a cancelled task gives up its place at once, while every worker is busy.
#[test]
fn a_cancelled_task_frees_its_place_at_once() {
    within(|| {
        let executor = bounded(2, WhenFull::Refuse).build().unwrap();
        let _gate = occupy(&executor, 1);
        let queued = executor.submit_all(|n| n, 0..2);
        assert!(executor.try_submit(|n| n, 2).is_err());
        assert!(queued[0].cancel());
        assert!(executor.try_submit(|n| n, 2).is_ok());
        assert!(executor.try_submit(|n| n, 3).is_err());
    });
}

/// G06: and releases a submitter that is blocked.
#[test]
fn a_cancelled_task_releases_a_blocked_submitter() {
    within(|| {
        let executor = bounded(1, WhenFull::Block).build().unwrap();
        let _gate = occupy(&executor, 1);
        let queued = executor.spawn(|| 1);
        let (submitter, _) = submit_elsewhere(&executor);
        assert!(queued.cancel());
        let future = submitter.join().unwrap();
        assert!(!future.done());
    });
}

/// G06: a blocked submitter is released by shutdown, and its task is refused.
#[test]
fn shutdown_releases_a_blocked_submitter() {
    within(|| {
        let executor = bounded(1, WhenFull::Block).build().unwrap();
        let _gate = occupy(&executor, 1);
        let _queued = executor.spawn(|| 1);
        let (submitter, _) = submit_elsewhere(&executor);
        let_others_get_on();
        executor.shutdown(false, false);
        assert!(is_shut_down(&submitter.join().unwrap().result().unwrap_err()));
    });
}

/// G06, G11: a blocked submitter is released when the pool breaks, and told the cause.
#[test]
fn breaking_releases_a_blocked_submitter() {
    within(|| {
        let gate = Gate::new();
        let (latch, first) = (gate.latch(), AtomicBool::new(true));
        let builder = ThreadPoolExecutor::builder().max_workers(2);
        let builder = builder.queue_capacity(1, WhenFull::Block).try_initializer(move || {
            if first.swap(false, Ordering::SeqCst) {
                return Ok(());
            }
            latch.pass();
            Err("no luck")
        });
        let executor = builder.build().unwrap();
        let _busy = occupy(&executor, 1);
        let queued = executor.spawn(|| 1);
        let (submitter, _) = submit_elsewhere(&executor);
        let_others_get_on();
        gate.open();
        assert!(queued.result().unwrap_err().is_broken());
        assert!(submitter.join().unwrap().result().unwrap_err().is_broken());
    });
}

/// G06, G14: a task on the only worker may fill its own pool's queue and wait for what it put there.
#[test]
fn a_task_that_blocks_on_its_own_full_queue_goes_on() {
    within(|| {
        let executor = bounded(1, WhenFull::Block).build().unwrap();
        let handle = executor.handle();
        let sum = executor.spawn(move || {
            let futures: Vec<_> = (0..10).map(|n| handle.submit(|n| n, n)).collect();
            futures.into_iter().map(|future| future.result().unwrap()).sum::<u32>()
        });
        assert_eq!(sum.result().unwrap(), 45);
    });
}

/// In which order a pool of one begins tasks of these priorities, by their position.
fn order_of(order: Order, priorities: &[i32]) -> Vec<usize> {
    let executor = ThreadPoolExecutor::builder().max_workers(1).order(order).build().unwrap();
    let gate = occupy(&executor, 1);
    let (sender, receiver) = mpsc::channel();
    for (position, priority) in priorities.iter().enumerate() {
        let sender = sender.clone();
        let handle = executor.with(TaskOptions::new().priority(*priority));
        drop(handle.spawn(move || sender.send(position).unwrap()));
    }
    drop(sender);
    gate.open();
    receiver.iter().collect()
}

/// G23: the default order is that of submission, whatever the priorities.
#[test]
fn fifo_begins_tasks_in_the_order_of_submission() {
    within(|| assert_eq!(order_of(Order::Fifo, &[0, 9, -9, 0, 5]), [0, 1, 2, 3, 4]));
}

/// G23: the newest first, if so asked.
#[test]
fn lifo_begins_the_newest_task_first() {
    within(|| assert_eq!(order_of(Order::Lifo, &[0, 9, -9, 0, 5]), [4, 3, 2, 1, 0]));
}

/// G23: the highest priority first, and first come first served within one.
#[test]
fn priority_begins_the_most_urgent_task_first() {
    within(|| assert_eq!(order_of(Order::Priority, &[0, 9, -9, 0, 9, 5]), [1, 4, 5, 0, 3, 2]));
}

/// G23, G29: a cancelled task is passed over in every order.
#[test]
fn a_cancelled_task_is_passed_over_in_every_order() {
    within(|| {
        for order in [Order::Fifo, Order::Lifo, Order::Priority] {
            let executor = ThreadPoolExecutor::builder().max_workers(1).order(order).build();
            let executor = executor.unwrap();
            let gate = occupy(&executor, 1);
            let futures = executor.submit_all(|n| n, 0..3);
            assert!(futures[1].cancel());
            gate.open();
            let ends: Vec<_> = futures.into_iter().map(|future| future.result().ok()).collect();
            assert_eq!(ends, [Some(0), None, Some(2)]);
            eventually(|| executor.stats().queued == 0);
        }
    });
}
