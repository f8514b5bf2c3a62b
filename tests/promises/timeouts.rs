//! Timeouts of tasks and waits, and calls that are repeated (G04, G24, G26).

use crate::common::{BOUND, Gate, eventually, occupy, until_idle, within};
use concurrent_futures::{
    Promise, ReturnWhen, TaskErrorKind, TaskOptions, ThreadPoolExecutor, ThreadPoolHandle,
    as_completed_timeout, cancellation_requested, wait_timeout,
};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(1);

fn with_short_timeout(executor: &ThreadPoolExecutor) -> ThreadPoolHandle {
    executor.with(TaskOptions::new().timeout(SHORT))
}

/// G04: when a task's time is up its future fails, although the task does not return.
#[test]
fn a_future_fails_when_its_tasks_time_is_up() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = Gate::new();
        let latch = gate.latch();
        let future = with_short_timeout(&executor).spawn(move || latch.pass());
        let error = future.result().unwrap_err();
        assert!(matches!(error.kind(), TaskErrorKind::TimedOut { limit: SHORT }), "{error}");
    });
}

/// G04: a task that has timed out is asked to stop.
#[test]
fn a_task_that_timed_out_is_asked_to_stop() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let (sender, receiver) = mpsc::channel();
        let future = with_short_timeout(&executor).spawn(move || {
            while !cancellation_requested() {
                std::thread::yield_now();
            }
            sender.send("stopped").unwrap();
        });
        assert_eq!(receiver.recv().unwrap(), "stopped");
        assert!(future.result().unwrap_err().is_timed_out());
    });
}

/// G04, G22: its worker is busy, and counted as such, until the task really returns.
#[test]
fn a_task_that_timed_out_keeps_its_worker_until_it_returns() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = Gate::new();
        let latch = gate.latch();
        let late = with_short_timeout(&executor).spawn(move || latch.pass());
        let next = executor.spawn(|| 2);
        late.wait();
        let stats = executor.stats();
        assert_eq!((stats.running, stats.queued, stats.failed), (1, 1, 0));
        assert!(!next.done());
        gate.open();
        assert_eq!(next.result().unwrap(), 2);
        until_idle(&executor, 1);
        let stats = executor.stats();
        assert_eq!((stats.running, stats.finished, stats.failed), (0, 1, 1));
    });
}

/// G04: the time is counted from the moment the task begins, not while it is queued.
#[test]
fn time_in_the_queue_does_not_count() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let future = with_short_timeout(&executor).spawn(|| ());
        assert!(!future.wait_timeout(4 * SHORT), "it has not begun, so it cannot be late");
        gate.open();
        future.wait();
    });
}

/// G04: a task that ends in time is not touched by its timeout.
#[test]
fn a_task_that_ends_in_time_gives_its_value() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let patient = executor.with(TaskOptions::new().timeout(BOUND));
        let value = patient.spawn(|| (1, cancellation_requested())).result().unwrap();
        assert_eq!(value, (1, false));
    });
}

/// G04: when time runs out at the very moment the task ends, exactly one of the two counts.
#[test]
fn a_timeout_that_races_with_the_end_gives_one_outcome() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let hasty = executor.with(TaskOptions::new().timeout(Duration::from_micros(20)));
        let mut in_time = 0;
        for n in 0..500 {
            match hasty.submit(|n| n, n).result() {
                Ok(value) => {
                    assert_eq!(value, n);
                    in_time += 1;
                }
                Err(error) => assert!(error.is_timed_out(), "{error}"),
            }
        }
        until_idle(&executor, 1);
        let stats = executor.stats();
        assert_eq!((stats.finished, stats.failed), (in_time, 500 - in_time));
    });
}

/// G24: a wait that runs out of time loses nothing: the future comes back, and its task goes on.
#[test]
fn a_wait_that_runs_out_of_time_gives_the_future_back() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let timeout = executor.spawn(|| 1).result_timeout(SHORT).unwrap_err();
        assert_eq!(timeout.limit, SHORT);
        gate.open();
        assert_eq!(timeout.pending.result().unwrap(), 1);
    });
}

/// G26: a result that is ready is never withheld, whatever the time.
#[test]
fn a_ready_result_is_given_with_no_time_left() {
    within(|| {
        let (mut promise, future) = Promise::new();
        promise.set_result(1).unwrap();
        assert!(future.wait_timeout(Duration::ZERO));
        assert_eq!(wait_timeout([&future], ReturnWhen::AllCompleted, Duration::ZERO).done.len(), 1);
        assert!(as_completed_timeout([&future], Duration::ZERO).next().unwrap().is_ok());
        assert_eq!(future.result_timeout(Duration::ZERO).unwrap().unwrap(), 1);
    });
}

/// A retried call is repeated until it succeeds.
#[test]
fn a_retried_call_succeeds_in_the_end() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let mut attempts = 0;
        let future = executor.retrying(5).submit(
            move |enough| {
                attempts += 1;
                assert!(attempts >= enough, "not yet");
                attempts
            },
            3,
        );
        assert_eq!(future.result().unwrap(), 3);
    });
}

/// When the retries are used up, the last failure counts.
#[test]
fn a_retried_call_fails_with_its_last_failure() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let mut attempts = 0;
        let future = executor.retrying(2).try_call(
            move |()| {
                attempts += 1;
                Err::<(), _>(format!("attempt {attempts}"))
            },
            (),
        );
        assert!(future.result().unwrap_err().to_string().contains("attempt 3"));
    });
}

/// A call that was asked to stop is not repeated.
#[test]
fn a_retried_call_that_is_aborted_is_not_repeated() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = Gate::new();
        let (latch, (begun, has_begun)) = (gate.latch(), mpsc::channel());
        let attempts = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&attempts);
        let future = executor.retrying(1000).submit(
            move |()| {
                counter.fetch_add(1, Ordering::SeqCst);
                begun.send(()).unwrap();
                latch.pass();
                panic!("an attempt that fails");
            },
            (),
        );
        has_begun.recv().unwrap();
        future.abort();
        gate.open();
        assert!(future.exception().is_some());
        eventually(|| executor.stats().running == 0);
        assert_eq!(attempts.load(Ordering::SeqCst), 1);
    });
}
