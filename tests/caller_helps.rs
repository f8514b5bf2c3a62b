//! A caller that runs the task it waits for.

mod common;

use common::eventually;
use concurrent_futures::{
    ReturnWhen, TaskOptions, ThreadPoolExecutor, cancellation_requested, current_label, wait,
};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::{self, ThreadId};
use std::time::Duration;

fn helped() -> ThreadPoolExecutor {
    ThreadPoolExecutor::builder().max_workers(1).caller_helps(true).build().unwrap()
}

/// Keeps the only worker busy until the sender is dropped, in a way that no pool can see.
fn occupy<S>(executor: &ThreadPoolExecutor<S>) -> mpsc::Sender<()> {
    let (gate, is_open) = mpsc::channel();
    let (started, has_started) = mpsc::channel();
    drop(executor.spawn(move || {
        started.send(()).unwrap();
        let _ = is_open.recv();
    }));
    has_started.recv().unwrap();
    gate
}

fn here() -> ThreadId {
    thread::current().id()
}

#[test]
fn a_caller_runs_what_it_waits_for_if_the_worker_is_busy() {
    let executor = helped();
    let _gate = occupy(&executor);
    assert_eq!(executor.spawn(here).result().unwrap(), here());
}

#[test]
fn a_caller_runs_all_of_several() {
    let executor = helped();
    let _gate = occupy(&executor);
    let waited = wait(executor.submit_all(|_| here(), 0..5), ReturnWhen::AllCompleted);
    assert!(waited.done.into_iter().all(|it| it.result().unwrap() == here()));
}

#[test]
fn a_caller_runs_what_its_task_waits_for() {
    let executor = helped();
    let _gate = occupy(&executor);
    let handle = executor.handle();
    let outer = executor.spawn(move || handle.spawn(here).result().unwrap());
    assert_eq!(outer.result().unwrap(), here());
}

#[test]
fn a_caller_runs_what_comes_after_its_task() {
    let executor = helped();
    let _gate = occupy(&executor);
    let first = executor.spawn(|| 1);
    let second = executor.then(first, |one| (one, here()));
    assert_eq!(second.result().unwrap(), (1, here()));
}

#[test]
fn tasks_nested_deeper_than_a_caller_goes_are_left_to_the_workers() {
    fn depth(executor: concurrent_futures::ThreadPoolHandle, left: usize) -> usize {
        if left == 0 {
            return 0;
        }
        let inner = executor.clone();
        1 + executor.spawn(move || depth(inner, left - 1)).result().unwrap()
    }
    let executor = helped();
    assert_eq!(depth(executor.handle(), 100), 100);
}

#[test]
fn nobody_helps_unless_told_to() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    assert_ne!(executor.spawn(here).result().unwrap(), here());
}

#[test]
fn a_wait_with_a_timeout_begins_nothing() {
    let executor = helped();
    let gate = occupy(&executor);
    let late = executor.spawn(here).result_timeout(Duration::from_millis(1)).unwrap_err();
    drop(gate);
    late.pending.result_timeout(Duration::from_secs(60)).unwrap().unwrap();
}

#[test]
fn a_task_with_a_timeout_is_left_to_the_worker() {
    let executor = helped();
    let limited = executor.with(TaskOptions::new().timeout(Duration::from_secs(60)));
    assert_ne!(limited.spawn(here).result().unwrap(), here());
}

#[test]
fn tasks_are_left_to_workers_that_have_been_initialized() {
    let builder = ThreadPoolExecutor::builder().max_workers(1).caller_helps(true);
    let executor = builder.initializer(|| 7).build().unwrap();
    assert_ne!(executor.spawn(here).result().unwrap(), here());
    assert_eq!(executor.submit_with_state(|state, n| *state + n, 1).result().unwrap(), 8);
}

#[test]
fn a_panic_is_the_task_s_error_and_the_caller_goes_on() {
    let executor = helped();
    let _gate = occupy(&executor);
    let error =
        executor.spawn(|| -> u32 { panic!("on the caller's thread") }).result().unwrap_err();
    assert!(error.is_panic());
    assert_eq!(executor.spawn(here).result().unwrap(), here());
}

#[test]
fn label_and_context_come_along() {
    thread_local! { static REQUEST: Cell<u32> = const { Cell::new(0) } }
    let builder = ThreadPoolExecutor::builder().max_workers(1).caller_helps(true);
    let restore = |request, task: &mut dyn FnMut()| {
        let before = REQUEST.replace(request);
        task();
        REQUEST.set(before);
    };
    let executor = builder.context(|| REQUEST.get() + 1, restore).build().unwrap();
    let _gate = occupy(&executor);
    let named = executor.with(TaskOptions::new().label("mine"));
    let seen = named.spawn(|| (current_label(), REQUEST.get(), here())).result().unwrap();
    assert_eq!(seen, (Some("mine".to_owned()), 1, here()));
    assert_eq!((REQUEST.get(), current_label()), (0, None));
}

#[test]
fn what_a_caller_runs_is_counted() {
    let executor = helped();
    let _gate = occupy(&executor);
    let handle = executor.handle();
    let running = executor.spawn(move || handle.stats().running).result().unwrap();
    assert_eq!(running, 2);
    let stats = executor.stats();
    assert_eq!((stats.running, stats.finished, stats.queued), (1, 1, 0));
}

#[test]
fn a_cancelled_task_is_not_run_by_its_caller() {
    let executor = helped();
    let _gate = occupy(&executor);
    let future = executor.spawn(|| unreachable!());
    assert!(future.cancel());
    let outcome: Result<(), _> = future.result();
    assert!(outcome.unwrap_err().is_cancelled());
}

#[test]
fn a_task_that_its_caller_runs_can_be_aborted() {
    let executor = helped();
    let _gate = occupy(&executor);
    let (started, has_started) = mpsc::channel();
    let future = executor.spawn(move || {
        started.send(()).unwrap();
        while !cancellation_requested() {
            thread::yield_now();
        }
    });
    let future = future.shared();
    let theirs = future.clone();
    let caller = thread::spawn(move || theirs.result());
    has_started.recv().unwrap();
    assert!(future.abort());
    assert!(caller.join().unwrap().unwrap_err().is_cancelled());
}

#[test]
fn a_shutdown_that_loses_patience_asks_what_a_caller_runs_to_stop() {
    let executor = helped();
    let gate = occupy(&executor);
    let (started, has_started) = mpsc::channel();
    let future = executor.spawn(move || {
        started.send(()).unwrap();
        while !cancellation_requested() {
            thread::yield_now();
        }
    });
    let caller = thread::spawn(move || future.result());
    has_started.recv().unwrap();
    drop(gate);
    let report = executor.shutdown_timeout(Duration::ZERO, Duration::from_secs(60));
    assert_eq!(report.running, 0);
    assert!(caller.join().unwrap().unwrap_err().is_cancelled());
}

#[test]
fn a_shutdown_waits_for_what_a_caller_runs() {
    let executor = helped();
    let gate = occupy(&executor);
    let (started, has_started) = mpsc::channel();
    let (release, is_released) = mpsc::channel::<()>();
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let future = executor.spawn(move || {
        started.send(()).unwrap();
        is_released.recv().unwrap();
        over.store(true, Ordering::SeqCst);
    });
    let caller = thread::spawn(move || future.result());
    has_started.recv().unwrap();
    drop(gate);
    // The worker's own task is over a moment later.
    eventually(|| executor.stats().running == 1);
    let report = executor.shutdown_timeout(Duration::from_millis(1), Duration::ZERO);
    assert_eq!(report.running, 1);
    release.send(()).unwrap();
    executor.shutdown(true, false);
    assert!(is_over.load(Ordering::SeqCst));
    caller.join().unwrap().unwrap();
}

#[test]
fn a_task_on_its_caller_s_thread_may_end_the_executor() {
    let executor = helped();
    let gate = occupy(&executor);
    let handle = executor.handle();
    let ends = executor.spawn(move || handle.shutdown(true, false));
    ends.result().unwrap();
    assert!(executor.spawn(|| ()).result().unwrap_err().is_refused());
    drop(gate);
}

#[test]
fn what_nobody_waits_for_is_run_while_callers_help() {
    let executor = helped();
    let runs = Arc::new(AtomicUsize::new(0));
    for n in 0..200 {
        for m in 0..n % 7 {
            assert_eq!(executor.spawn(move || m).result().unwrap(), m);
        }
        let (ran, has_run) = mpsc::channel();
        let count = Arc::clone(&runs);
        drop(executor.spawn(move || {
            count.fetch_add(1, Ordering::SeqCst);
            ran.send(()).unwrap();
        }));
        has_run.recv().unwrap();
    }
    assert_eq!(runs.load(Ordering::SeqCst), 200);
}

#[test]
fn a_bounded_queue_has_room_again_when_a_caller_has_helped() {
    use concurrent_futures::WhenFull;
    let builder = ThreadPoolExecutor::builder().max_workers(1).caller_helps(true);
    let executor = builder.queue_capacity(1, WhenFull::Refuse).build().unwrap();
    let _gate = occupy(&executor);
    for n in 0..5000 {
        assert_eq!(executor.spawn(move || n).result().unwrap(), n);
    }
}

#[test]
fn many_callers_and_workers_run_each_task_once() {
    let builder = ThreadPoolExecutor::builder().max_workers(2).caller_helps(true);
    let executor = builder.build().unwrap();
    let runs = Arc::new(AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..2000_usize {
                    let runs = Arc::clone(&runs);
                    let future = executor.spawn(move || {
                        runs.fetch_add(1, Ordering::SeqCst);
                        n
                    });
                    if n % 5 > 0 {
                        assert_eq!(future.result().unwrap(), n);
                    }
                }
            });
        }
    });
    drop(executor);
    assert_eq!(runs.load(Ordering::SeqCst), 8000);
}
