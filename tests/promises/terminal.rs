//! Every future comes to an end, and no panic costs a worker (G02, G13, G24).

use crate::common::{PanicsOnDrop, is_shut_down, occupy, within};
use concurrent_futures::{Promise, TaskErrorKind, TaskOptions, ThreadPoolExecutor};
use std::panic::panic_any;
use std::thread;

/// G02: a promise that is dropped unkept fails its future.
#[test]
fn a_dropped_promise_ends_its_future() {
    within(|| {
        let (promise, future) = Promise::<u32>::new();
        drop(promise);
        let error = future.result().unwrap_err();
        assert!(matches!(error.kind(), TaskErrorKind::PromiseDropped), "{error}");
    });
}

/// G02: also if the promise was lost with the task that should have kept it.
#[test]
fn a_promise_that_is_lost_in_a_cancelled_task_ends_its_future() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let _gate = occupy(&executor, 1);
        let (promise, future) = Promise::<u32>::new();
        executor.submit(drop, promise).cancel();
        assert!(future.result().is_err());
    });
}

/// G02: when a pool is shut down while threads go on submitting, every future of theirs ends, with
/// its value or refused.
#[test]
fn futures_that_race_with_a_shutdown_all_end() {
    within(|| {
        for round in 0..50 {
            let executor = ThreadPoolExecutor::new(2).unwrap();
            let submitters = [0, 1].map(|_| {
                let handle = executor.handle();
                thread::spawn(move || (0..100).map(|n| handle.submit(|n| n, n)).collect::<Vec<_>>())
            });
            executor.shutdown(round % 2 == 0, round % 3 == 0);
            for future in submitters.into_iter().flat_map(|it| it.join().unwrap()) {
                if let Err(error) = future.result() {
                    assert!(is_shut_down(&error) || error.is_cancelled(), "{error}");
                }
            }
        }
    });
}

/// G13: a task that panics costs no worker, whatever it throws.
#[test]
fn a_panicking_task_costs_no_worker() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let worker = executor.spawn(|| thread::current().id()).result().unwrap();
        assert!(executor.spawn(|| panic!("text")).result().unwrap_err().is_panic());
        assert!(executor.spawn(|| panic_any(7)).result().unwrap_err().is_panic());
        assert_eq!(executor.spawn(|| thread::current().id()).result().unwrap(), worker);
    });
}

/// G13: nor does a panic's payload whose own drop panics.
#[test]
fn a_panic_with_a_payload_that_panics_when_dropped_costs_no_worker() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let worker = executor.spawn(|| thread::current().id()).result().unwrap();
        let gate = occupy(&executor, 1);
        drop(executor.spawn(|| panic_any(PanicsOnDrop)));
        gate.open();
        assert_eq!(executor.spawn(|| thread::current().id()).result().unwrap(), worker);
    });
}

/// G13: nor does a result whose drop panics, when nobody is there to take it.
#[test]
fn a_result_that_panics_when_dropped_costs_no_worker() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let worker = executor.spawn(|| thread::current().id()).result().unwrap();
        let gate = occupy(&executor, 1);
        drop(executor.spawn(|| PanicsOnDrop));
        gate.open();
        assert_eq!(executor.spawn(|| thread::current().id()).result().unwrap(), worker);
    });
}

/// G13: an argument whose drop panics fails its task as any panic of the task.
#[test]
fn an_argument_that_panics_when_dropped_fails_its_own_task() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        assert!(executor.submit(drop, PanicsOnDrop).result().unwrap_err().is_panic());
        assert_eq!(executor.spawn(|| 1).result().unwrap(), 1);
    });
}

/// G24: a task's own error about time is not its timeout, nor that of a wait.
#[test]
fn a_tasks_own_timeout_error_is_its_own() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let late = || Err::<(), _>(std::io::Error::from(std::io::ErrorKind::TimedOut));
        let outcome = executor.spawn(late).flatten().result_timeout(crate::common::BOUND);
        let error = outcome.unwrap().unwrap_err();
        assert!(!error.is_timed_out());
        assert_eq!(error.failure::<std::io::Error>().unwrap().kind(), std::io::ErrorKind::TimedOut);
    });
}

/// G24: an error carries the label of the task that it is about.
#[test]
fn an_error_names_its_task() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let labelled = executor.with(TaskOptions::new().label("page 7"));
        let error = labelled.spawn(|| panic!("no such page")).result().unwrap_err();
        assert_eq!(error.label(), Some("page 7"));
    });
}
