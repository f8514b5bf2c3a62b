//! `flatten`: two forms of the same work.

use crate::common::{Drops, DropsAtGate, Gate, OutOfPaper, begun, occupy_one, pool, within};
use concurrent_futures::{
    FutureState, Promise, ReturnWhen, TaskOptions, cancellation_requested, wait,
};
use std::sync::mpsc::channel;

#[test]
fn a_flattened_value_is_the_value() {
    within(|| {
        let future = pool(1).spawn(|| Ok::<_, OutOfPaper>(1)).flatten();
        assert_eq!(future.result().unwrap(), 1);
    });
}

#[test]
fn a_flattened_error_is_kept() {
    within(|| {
        let error = pool(1).spawn(|| Err::<u32, _>(OutOfPaper)).flatten().result().unwrap_err();
        assert_eq!(error.failure(), Some(&OutOfPaper));
    });
}

#[test]
fn a_flattened_future_that_is_done_already_is_done_at_once() {
    let (mut promise, future) = Promise::new();
    promise.set_result(Ok::<_, OutOfPaper>(1)).unwrap();
    assert_eq!(future.flatten().state(), FutureState::Finished);
}

#[test]
fn a_flattened_panic_is_still_that_panic() {
    within(|| {
        let task = || -> Result<u32, OutOfPaper> { panic!("flattened") };
        assert!(pool(1).spawn(task).flatten().result().unwrap_err().is_panic());
    });
}

#[test]
fn a_flattened_future_keeps_the_label() {
    within(|| {
        let named = pool(1).with(TaskOptions::new().label("page 7"));
        let future = named.spawn(|| Err::<u32, _>(OutOfPaper)).flatten();
        assert_eq!(future.label(), Some("page 7"));
        let refused = future.result().unwrap_err();
        assert_eq!(refused.label(), Some("page 7"));
    });
}

#[test]
fn first_exception_sees_an_error_that_was_flattened() {
    within(|| {
        let executor = pool(2);
        let occupied = occupy_one(&executor);
        let fails = executor.spawn(|| Err::<u32, _>(OutOfPaper)).flatten();
        let waited = wait([fails, occupied.future], ReturnWhen::FirstException);
        assert_eq!((waited.done.len(), waited.not_done.len()), (1, 1));
    });
}

#[test]
fn a_flattened_future_is_pending_while_its_task_is() {
    within(|| {
        let executor = pool(1);
        let _occupied = occupy_one(&executor);
        let future = executor.spawn(|| Ok::<_, OutOfPaper>(1)).flatten();
        assert_eq!(future.state(), FutureState::Pending);
    });
}

#[test]
fn a_flattened_future_is_running_while_its_task_is() {
    within(|| {
        let executor = pool(1);
        let gate = Gate::new();
        let entrance = gate.latch();
        let (future, has_begun) = begun(&executor, move || {
            entrance.pass();
            Ok::<_, OutOfPaper>(1)
        });
        let future = future.flatten();
        has_begun.recv().unwrap();
        assert!(future.running());
        assert!(!future.cancel());
        gate.open();
        assert_eq!(future.result().unwrap(), 1);
    });
}

#[test]
fn a_flattened_future_never_looks_pending_after_its_task_began() {
    within(|| {
        let gate = Gate::new();
        let (mut promise, future) = Promise::<Result<u32, OutOfPaper>>::new();
        let (entrance, (sender, is_in)) = (gate.latch(), channel());
        // While this callback looks at it, the task is done and its value cannot be taken yet.
        future.add_done_callback(move |_| {
            sender.send(()).unwrap();
            entrance.pass();
        });
        let future = future.flatten();
        let keeper = std::thread::spawn(move || promise.set_result(Ok(1)));
        is_in.recv().unwrap();
        let state = future.state();
        gate.open();
        keeper.join().unwrap().unwrap();
        assert_eq!(state, FutureState::Running);
    });
}

#[test]
fn cancelling_a_flattened_future_cancels_its_task() {
    within(|| {
        let executor = pool(1);
        let _occupied = occupy_one(&executor);
        let drops = Drops::default();
        let capture = drops.token();
        let task = move || {
            drop(capture);
            Ok::<_, OutOfPaper>(1)
        };
        let future = executor.spawn(task).flatten();
        assert!(future.cancel());
        assert_eq!((future.state(), drops.count()), (FutureState::Cancelled, 1));
    });
}

#[test]
fn a_flattened_future_is_cancelled_with_its_task() {
    within(|| {
        let executor = pool(1);
        let _occupied = occupy_one(&executor);
        let future = executor.spawn(|| Ok::<_, OutOfPaper>(1)).flatten();
        executor.shutdown(false, true);
        assert_eq!(future.state(), FutureState::Cancelled);
    });
}

#[test]
fn a_flattened_future_whose_cancel_was_true_is_done_although_the_closure_is_still_being_dropped() {
    within(|| {
        let executor = pool(1);
        let _occupied = occupy_one(&executor);
        let gate = Gate::new();
        let (sender, is_dropping) = channel();
        let capture = DropsAtGate(sender, gate.latch());
        let task = move || {
            drop(capture);
            Ok::<_, OutOfPaper>(1)
        };
        let future = executor.spawn(task).flatten();
        let handle = executor.handle();
        let canceller = std::thread::spawn(move || handle.shutdown(false, true));
        is_dropping.recv().unwrap();
        let seen = (future.cancel(), future.done());
        gate.open();
        canceller.join().unwrap();
        assert_eq!(seen, (true, true));
    });
}

#[test]
fn aborting_a_flattened_future_asks_its_task_to_stop() {
    within(|| {
        let executor = pool(1);
        let (future, has_begun) = begun(&executor, || {
            while !cancellation_requested() {
                std::thread::yield_now();
            }
            Ok::<_, OutOfPaper>(1)
        });
        let future = future.flatten();
        has_begun.recv().unwrap();
        assert!(future.abort());
        assert!(future.result().unwrap_err().is_cancelled());
    });
}

#[test]
fn a_task_runs_although_its_flattened_future_was_dropped() {
    within(|| {
        let executor = pool(1);
        let (sender, ran) = channel();
        drop(executor.spawn(move || sender.send("ran").map_err(|_| OutOfPaper)).flatten());
        assert_eq!(ran.recv(), Ok("ran"));
    });
}

#[test]
fn a_worker_that_waits_for_a_flattened_future_runs_its_task() {
    within(|| {
        let executor = pool(1);
        let handle = executor.handle();
        let outer =
            executor.spawn(move || handle.spawn(|| Ok::<_, OutOfPaper>(1)).flatten().result());
        assert_eq!(outer.result().unwrap().unwrap(), 1);
    });
}

#[test]
fn what_was_flattened_twice_is_the_innermost_value() {
    within(|| {
        let executor = pool(1);
        let nested = executor.spawn(|| Ok::<_, OutOfPaper>(Ok::<_, OutOfPaper>(1)));
        assert_eq!(nested.flatten().flatten().result().unwrap(), 1);
    });
}
