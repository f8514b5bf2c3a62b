//! Hooks: the context of the submitter, and failures that nobody looked at (G25, G31).

use crate::common::{Gate, eventually, occupy, within};
use concurrent_futures::{
    Future, TaskError, TaskOptions, ThreadPoolExecutor, cancellation_requested,
};
use std::cell::Cell;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

thread_local! { static REQUEST: Cell<u32> = const { Cell::new(0) } }

/// A pool that carries the number of the request that is being served.
fn carrying() -> ThreadPoolExecutor {
    ThreadPoolExecutor::builder()
        .max_workers(1)
        .context(
            || REQUEST.get(),
            |request, task| {
                REQUEST.set(request);
                task();
                REQUEST.set(0);
            },
        )
        .build()
        .unwrap()
}

/// G31: a task sees the context of whoever submitted it.
#[test]
fn a_task_sees_the_context_of_its_submitter() {
    within(|| {
        let executor = carrying();
        REQUEST.set(1);
        let one = executor.spawn(|| REQUEST.get());
        REQUEST.set(2);
        let other = executor.spawn(|| REQUEST.get());
        assert_eq!((one.result().unwrap(), other.result().unwrap()), (1, 2));
    });
}

/// G31: so do tasks that come by the other ways of submitting.
#[test]
fn every_way_of_submitting_carries_the_context() {
    within(|| {
        let executor = carrying();
        REQUEST.set(3);
        let read = |_| REQUEST.get();
        assert_eq!(executor.try_submit(read, 0).unwrap().result().unwrap(), 3);
        assert_eq!(executor.submit_all(read, [0]).remove(0).result().unwrap(), 3);
        assert_eq!(executor.map(read, [0]).next().unwrap().unwrap(), 3);
        assert_eq!(executor.then(executor.spawn(|| 0), read).result().unwrap(), 3);
        assert_eq!(executor.retrying(1).submit(read, 0).result().unwrap(), 3);
        assert_eq!(executor.submit_with_state(|(), _| REQUEST.get(), 0).result().unwrap(), 3);
    });
}

/// G31: and tasks of a scope.
#[test]
fn a_task_of_a_scope_sees_the_context() {
    within(|| {
        let executor = carrying();
        REQUEST.set(4);
        let seen = executor.scope(|scope| scope.spawn(|| REQUEST.get()).result().unwrap());
        assert_eq!(seen, 4);
    });
}

/// G31: a task that a waiting worker runs itself has its own context.
#[test]
fn a_nested_task_sees_the_context_of_the_outer_one() {
    within(|| {
        let executor = carrying();
        let handle = executor.handle();
        REQUEST.set(5);
        let nested = executor.spawn(move || handle.spawn(|| REQUEST.get()).result().unwrap());
        assert_eq!(nested.result().unwrap(), 5);
    });
}

/// G31: a hook that forgets to call the task fails that task, and nothing else.
#[test]
fn a_hook_that_does_not_call_the_task_fails_it() {
    within(|| {
        let builder = ThreadPoolExecutor::builder().max_workers(1);
        let executor = builder.context(|| (), |(), _task| ()).build().unwrap();
        let error = executor.spawn(|| 1).result().unwrap_err();
        assert!(error.to_string().contains("context hook"), "{error}");
    });
}

/// A pool of one worker, and what its hook for unobserved failures was told.
fn reporting() -> (ThreadPoolExecutor, Arc<Mutex<Vec<String>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let teller = Arc::clone(&told);
    let hook = move |error: &TaskError| teller.lock().unwrap().push(error.to_string());
    let builder = ThreadPoolExecutor::builder().max_workers(1).on_unobserved_failure(hook);
    (builder.build().unwrap(), told)
}

/// What the hook is told if `treat` is done to the future of a task that fails when `treat` lets
/// go of the gate, or ends.
fn reports_after(treat: impl FnOnce(Future<u32>, Gate)) -> usize {
    let (executor, told) = reporting();
    let gate = occupy(&executor, 1);
    treat(executor.spawn(|| panic!("a failure")), gate);
    executor.shutdown(true, false);
    let told = told.lock().unwrap();
    assert!(told.iter().all(|report| report.contains("a failure")), "{told:?}");
    told.len()
}

/// G25: a failure is reported if its future was dropped before it happened.
#[test]
fn a_failure_is_reported_if_its_future_was_dropped_before() {
    within(|| {
        let reports = reports_after(|future, gate| {
            drop(future);
            drop(gate);
        });
        assert_eq!(reports, 1);
    });
}

/// G25: and if its future was dropped afterwards without a look.
#[test]
fn a_failure_is_reported_if_its_future_was_dropped_afterwards() {
    within(|| {
        let reports = reports_after(|future, gate| {
            gate.open();
            future.wait();
            drop(future);
        });
        assert_eq!(reports, 1);
    });
}

/// G25: a failure is not reported if its result was taken.
#[test]
fn a_failure_is_not_reported_if_its_result_was_taken() {
    within(|| {
        let reports = reports_after(|future, gate| {
            gate.open();
            assert!(future.result().is_err());
        });
        assert_eq!(reports, 0);
    });
}

/// G25: nor if somebody looked at it.
#[test]
fn a_failure_is_not_reported_if_somebody_looked_at_it() {
    within(|| {
        let by_exception = reports_after(|future, gate| {
            gate.open();
            assert!(future.exception().is_some());
        });
        let by_peek = reports_after(|future, gate| {
            gate.open();
            future.wait();
            assert!(future.peek().unwrap().is_err());
        });
        assert_eq!((by_exception, by_peek), (0, 0));
    });
}

/// G25: nor if a callback was told.
#[test]
fn a_failure_is_not_reported_if_a_callback_was_told() {
    within(|| {
        let reports = reports_after(|future, gate| {
            let (sender, receiver) = mpsc::channel();
            future.add_done_callback(move |outcome| sender.send(outcome.is_err()).unwrap());
            drop(future);
            gate.open();
            assert!(receiver.recv().unwrap());
        });
        assert_eq!(reports, 0);
    });
}

/// G25: a task that timed out unseen is reported.
#[test]
fn a_timeout_that_nobody_looked_at_is_reported() {
    within(|| {
        let (executor, told) = reporting();
        let hasty = executor.with(TaskOptions::new().timeout(Duration::from_millis(1)));
        drop(hasty.spawn(|| {
            while !cancellation_requested() {
                std::thread::yield_now();
            }
        }));
        eventually(|| told.lock().unwrap().len() == 1);
        executor.shutdown(true, false);
        assert_eq!(told.lock().unwrap().len(), 1);
    });
}

/// G25: cancellation is no failure.
#[test]
fn a_cancellation_is_not_reported() {
    within(|| {
        let (executor, told) = reporting();
        let gate = occupy(&executor, 1);
        let future = executor.spawn(|| 1);
        future.cancel();
        drop(future);
        drop(gate);
        executor.shutdown(true, false);
        assert!(told.lock().unwrap().is_empty());
    });
}

/// G25: a task that was refused unseen is reported.
#[test]
fn a_refusal_that_nobody_looked_at_is_reported() {
    within(|| {
        let (executor, told) = reporting();
        executor.shutdown(true, false);
        drop(executor.spawn(|| 1));
        assert_eq!(told.lock().unwrap().len(), 1);
    });
}

/// G25: an error that a flattened task returned unseen is reported once.
#[test]
fn a_flattened_failure_that_nobody_looked_at_is_reported_once() {
    within(|| {
        let (executor, told) = reporting();
        drop(executor.submit(str::parse::<u32>, "no number").flatten());
        executor.shutdown(true, false);
        assert_eq!(told.lock().unwrap().len(), 1);
    });
}

/// G13, G25: a hook that panics costs no worker.
#[test]
fn a_panicking_hook_costs_no_worker() {
    within(|| {
        let builder = ThreadPoolExecutor::builder().max_workers(1);
        let executor =
            builder.on_unobserved_failure(|_| panic!("a hook that panics")).build().unwrap();
        let worker = executor.spawn(|| std::thread::current().id()).result().unwrap();
        let gate = occupy(&executor, 1);
        drop(executor.spawn(|| panic!("a failure")));
        gate.open();
        assert_eq!(executor.spawn(|| std::thread::current().id()).result().unwrap(), worker);
    });
}
