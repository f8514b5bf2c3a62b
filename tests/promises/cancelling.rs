//! Cancelling, before a task begins and while it runs (G01, G03, G21, G29).

use crate::common::{Drops, Gate, PanicsOnDrop, occupy, within};
use concurrent_futures::{
    FutureState, Group, ReturnWhen, ThreadPoolExecutor, as_completed, cancellation_requested, wait,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

/// G01: whoever asks sees a cancelled future as done at once, although no worker has come near it.
#[test]
fn a_cancelled_future_is_done_for_everyone_at_once() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let _gate = occupy(&executor, 1);
        let future = executor.spawn(|| 1).shared();
        assert!(future.cancel());
        assert!(future.done() && future.cancelled());
        assert_eq!(future.state(), FutureState::Cancelled);
        assert_eq!(wait([&future], ReturnWhen::AllCompleted).done.len(), 1);
        assert_eq!(as_completed([&future]).count(), 1);
        assert!(future.result().unwrap_err().is_cancelled());
    });
}

/// G01: a thread that waits already is woken by the cancellation, not by a worker.
#[test]
fn a_waiting_thread_is_woken_by_the_cancellation() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let _gate = occupy(&executor, 1);
        let future = executor.spawn(|| 1).shared();
        let other = future.clone();
        let waiting = std::thread::spawn(move || other.result().unwrap_err().is_cancelled());
        future.cancel();
        assert!(waiting.join().unwrap());
    });
}

/// G01: cancelling again gives the same answer.
#[test]
fn cancelling_twice_is_cancelling() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let _gate = occupy(&executor, 1);
        let future = executor.spawn(|| 1);
        assert!(future.cancel() && future.cancel());
    });
}

/// G03: a running task that asks is told to stop, and its future ends as cancelled.
#[test]
fn a_running_task_that_asks_ends_as_cancelled() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let (begun, has_begun) = mpsc::channel();
        let future = executor.spawn(move || {
            begun.send(()).unwrap();
            while !cancellation_requested() {
                std::thread::yield_now();
            }
            "a value that nobody wants any more"
        });
        has_begun.recv().unwrap();
        assert!(!future.cancel(), "it has begun");
        assert!(future.abort());
        assert!(future.result().unwrap_err().is_cancelled());
    });
}

/// G03: a task that never asks does all its work, and its value counts.
#[test]
fn a_running_task_that_never_asks_gives_its_value() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = Gate::new();
        let (latch, (begun, has_begun)) = (gate.latch(), mpsc::channel());
        let future = executor.spawn(move || {
            begun.send(()).unwrap();
            latch.pass();
            7
        });
        has_begun.recv().unwrap();
        assert!(future.abort());
        gate.open();
        assert_eq!(future.result().unwrap(), 7);
    });
}

/// G03: the request reaches the task that it is meant for and no later one on the same worker.
#[test]
fn a_request_to_stop_does_not_reach_the_next_task() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = Gate::new();
        let (latch, (begun, has_begun)) = (gate.latch(), mpsc::channel());
        let first = executor.spawn(move || {
            begun.send(()).unwrap();
            latch.pass();
        });
        let second = executor.spawn(cancellation_requested);
        has_begun.recv().unwrap();
        first.abort();
        gate.open();
        assert!(!second.result().unwrap());
    });
}

/// G03: all tasks of a group are stopped by one call, those that are running too.
#[test]
fn a_group_is_stopped_as_one() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let (begun, has_begun) = mpsc::channel();
        let group = Group::new();
        let running = executor.spawn(move || {
            begun.send(()).unwrap();
            while !cancellation_requested() {
                std::thread::yield_now();
            }
        });
        has_begun.recv().unwrap();
        let queued = executor.submit_all(|n| n, 0..10);
        group.add(&running);
        queued.iter().for_each(|future| group.add(future));
        let stopped = group.abort();
        assert_eq!((stopped.cancelled, stopped.asked), (10, 1));
        assert!(running.result().unwrap_err().is_cancelled());
    });
}

/// G21: a task that no worker has begun is not running, and can be cancelled.
#[test]
fn a_queued_task_is_not_running() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let _gate = occupy(&executor, 1);
        let future = executor.spawn(|| ());
        assert_eq!(future.state(), FutureState::Pending);
        assert!(!future.running());
        assert!(future.cancel());
    });
}

/// G21: a task that a worker has begun is running, and cannot be cancelled.
#[test]
fn a_task_that_has_begun_is_running() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = Gate::new();
        let (latch, (begun, has_begun)) = (gate.latch(), mpsc::channel());
        let future = executor.spawn(move || {
            begun.send(()).unwrap();
            latch.pass();
        });
        has_begun.recv().unwrap();
        assert_eq!(future.state(), FutureState::Running);
        assert!(future.running());
        assert!(!future.cancel());
    });
}

/// G21: when workers and a canceller race for tasks, each of them runs or is cancelled, never both
/// and never neither.
#[test]
fn a_task_runs_or_is_cancelled_and_never_both() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        for _ in 0..200 {
            let tasks: Vec<_> = (0..20)
                .map(|_| {
                    let ran = Arc::new(AtomicBool::new(false));
                    let mark = Arc::clone(&ran);
                    (ran, executor.spawn(move || mark.store(true, Ordering::SeqCst)))
                })
                .collect();
            for (ran, future) in tasks.into_iter().rev() {
                let cancelled = future.cancel();
                let finished = future.result().is_ok();
                assert_eq!(finished, !cancelled);
                assert_eq!(ran.load(Ordering::SeqCst), finished);
            }
        }
    });
}

/// G29: what a cancelled task holds is dropped before `cancel` returns.
#[test]
fn cancelling_releases_function_and_argument_at_once() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let _gate = occupy(&executor, 1);
        let drops = Drops::new();
        let captured = drops.token();
        let future = executor.submit(move |argument| drop((captured, argument)), drops.token());
        assert!(future.cancel());
        assert_eq!(drops.count(), 2);
    });
}

/// G13: a drop that panics, in what a cancelled task holds, does not reach the canceller.
#[test]
fn cancelling_survives_a_drop_that_panics() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let _gate = occupy(&executor, 1);
        let future = executor.submit(drop, PanicsOnDrop);
        assert!(future.cancel());
        assert!(future.cancelled());
    });
}

/// G03: a future that is bound to its task's life stops the task when it is dropped.
#[test]
fn a_future_that_cancels_on_drop_takes_its_task_along() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let _gate = occupy(&executor, 1);
        let drops = Drops::new();
        drop(executor.submit(drop, drops.token()).cancel_on_drop());
        assert_eq!(drops.count(), 1);
    });
}
