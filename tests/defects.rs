//! Defects that CPython's `concurrent.futures` has, or had, and that this crate must not have.
//!
//! Each test is named after the defect; its doc comment has the number under which
//! `docs/parity.md` lists it.

mod common;

use common::{BOUND, Drops, Gate, eventually, occupy, within};
use concurrent_futures::{
    Future, MapOptions, Promise, ReturnWhen, TaskError, ThreadPoolExecutor, ThreadPoolHandle,
    as_completed, as_completed_timeout, wait,
};
use std::num::NonZeroUsize;
use std::panic::panic_any;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

fn items(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

/// C01: futures that shutdown cancelled were never done for `wait`.
#[test]
fn wait_hangs_on_futures_that_shutdown_cancelled() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let _gate = occupy(&executor, 1);
        let futures = executor.submit_all(|n| n, 0..5);
        executor.shutdown(false, true);
        let waited = wait(futures, ReturnWhen::AllCompleted);
        assert_eq!((waited.done.len(), waited.not_done.len()), (5, 0));
    });
}

/// C01: nor did `as_completed` ever give them out.
#[test]
fn as_completed_hangs_on_futures_that_shutdown_cancelled() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let _gate = occupy(&executor, 1);
        let futures = executor.submit_all(|n| n, 0..5);
        executor.shutdown(false, true);
        assert!(as_completed(futures).all(|future| future.cancelled()));
    });
}

/// C01: nor for a thread that was waiting already when shutdown cancelled them.
#[test]
fn a_waiting_thread_misses_that_shutdown_cancels() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let _gate = occupy(&executor, 1);
        let futures = executor.submit_all(|n| n, 0..5);
        let (begin, has_begun) = mpsc::channel();
        let waiting = thread::spawn(move || {
            begin.send(()).unwrap();
            wait(futures, ReturnWhen::AllCompleted).done.len()
        });
        has_begun.recv().unwrap();
        executor.shutdown(false, true);
        assert_eq!(waiting.join().unwrap(), 5);
    });
}

/// C02: with a cancelled future in the queue, a failing initializer left all later ones pending.
#[test]
fn a_cancelled_future_stops_the_breaking_of_the_pool() {
    within(|| {
        let gate = Gate::new();
        let latch = gate.latch();
        let builder = ThreadPoolExecutor::builder().max_workers(1);
        let builder = builder.try_initializer(move || {
            latch.pass();
            Err::<(), _>("no luck")
        });
        let executor = builder.build().unwrap();
        let futures = executor.submit_all(|n| n, 0..5);
        assert!(futures[0].cancel() && futures[2].cancel());
        gate.open();
        for (n, future) in futures.into_iter().enumerate() {
            let error = future.result().unwrap_err();
            if n == 0 || n == 2 {
                assert!(error.is_cancelled(), "{error}");
            } else {
                assert!(error.is_broken(), "{error}");
            }
        }
    });
}

/// C03: the shutdown at the end of a `with` block undid the cancellation asked for inside of it.
#[test]
fn leaving_the_block_undoes_a_cancelling_shutdown() {
    within(|| {
        let ran = Arc::new(AtomicUsize::new(0));
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let counter = Arc::clone(&ran);
        let futures = executor.submit_all(move |_| counter.fetch_add(1, Ordering::SeqCst), 0..10);
        executor.shutdown(false, true);
        gate.open();
        drop(executor);
        assert!(futures.iter().all(|future| future.cancelled()));
        assert_eq!(ran.load(Ordering::SeqCst), 0);
    });
}

/// C04: a waiting shutdown after one that did not wait returned at once, with work still running.
#[test]
fn a_waiting_shutdown_after_another_does_not_wait() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let queued = executor.spawn(|| 1);
        executor.shutdown(false, false);
        let opener = thread::spawn(move || drop(gate));
        executor.shutdown(true, false);
        assert!(queued.done());
        opener.join().unwrap();
    });
}

/// C05: the time of `as_completed` began to run at the first `next`, against the documentation.
#[test]
fn the_time_of_as_completed_begins_at_the_first_next() {
    within(|| {
        let limit = Duration::from_millis(20);
        let (_promise, future) = Promise::<u32>::new();
        // With the defect, `next` gives it all the time once more, and is never faster than that.
        let is_over_at_once = (0..50).any(|_| {
            let called = Instant::now();
            let mut completed = as_completed_timeout([&future], limit);
            eventually(|| called.elapsed() > limit);
            let read = Instant::now();
            assert!(completed.next().unwrap().is_err());
            read.elapsed() < limit
        });
        assert!(is_over_at_once);
    });
}

/// C05: and its input was read only then.
#[test]
fn the_input_of_as_completed_is_read_at_the_first_next() {
    let read = AtomicUsize::new(0);
    let (mut promise, future) = Promise::new();
    promise.set_result(1).unwrap();
    let input = [&future].into_iter().inspect(|_| _ = read.fetch_add(1, Ordering::SeqCst));
    let completed = as_completed(input);
    assert_eq!(read.load(Ordering::SeqCst), 1);
    drop(completed);
}

/// C08: an exception of the severe kind in a callback killed the worker and skipped the other
/// callbacks; the pool then took work that it never ran.
#[test]
fn a_severe_exception_in_a_callback_kills_the_worker() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let future = executor.spawn(|| ());
        let (sender, receiver) = mpsc::channel();
        future.add_done_callback(|_| panic_any(Drops::new()));
        future.add_done_callback(move |_| sender.send("not skipped").unwrap());
        gate.open();
        assert_eq!(receiver.recv().unwrap(), "not skipped");
        assert_eq!(executor.spawn(|| 1).result().unwrap(), 1);
    });
}

/// A callback that submits the task again, as one that retries would.
fn resubmit(pool: &ThreadPoolHandle, future: &Future<u32>) -> mpsc::Receiver<TaskError> {
    let (pool, (sender, receiver)) = (pool.clone(), mpsc::channel());
    future.add_done_callback(move |outcome| {
        assert!(outcome.is_err());
        sender.send(pool.spawn(|| 1).result().unwrap_err()).unwrap();
    });
    receiver
}

/// C09: a callback that submitted deadlocked the pool while shutdown cancelled futures, because
/// callbacks ran under the pool's lock.
#[test]
fn a_callback_that_submits_deadlocks_a_cancelling_shutdown() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let told = resubmit(&executor, &executor.spawn(|| 0));
        executor.shutdown(false, true);
        assert!(told.recv().unwrap().is_refused());
        gate.open();
    });
}

/// C09: and while the pool broke.
#[test]
fn a_callback_that_submits_deadlocks_a_breaking_pool() {
    within(|| {
        let gate = Gate::new();
        let latch = gate.latch();
        let builder = ThreadPoolExecutor::builder().max_workers(1);
        let builder = builder.try_initializer(move || {
            latch.pass();
            Err::<(), _>("no luck")
        });
        let executor = builder.build().unwrap();
        let pool = executor.handle();
        let (sender, told) = mpsc::channel();
        executor.spawn(|| 0).add_done_callback(move |outcome| {
            assert!(outcome.is_err());
            sender.send(pool.spawn(|| ()).result().unwrap_err()).unwrap();
        });
        gate.open();
        assert!(told.recv().unwrap().is_broken());
    });
}

/// C10: a buffered map ended silently, without most of its results, when the executor was dropped.
#[test]
fn a_buffered_map_is_cut_short_when_the_executor_is_dropped() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let options = MapOptions::new().buffersize(items(2)).chunksize(items(1));
        let results = executor.map_with(options, |n| n, 0..10);
        drop(executor);
        assert!(results.filter(Result::is_err).count() > 0);
    });
}

/// C10: and raised the failure to submit more before the results that it had.
#[test]
fn a_buffered_map_withholds_ready_results_after_shutdown() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let options = MapOptions::new().buffersize(items(2)).chunksize(items(1));
        let mut results = executor.map_with(options, |n| n, 0..10);
        executor.shutdown(true, false);
        assert_eq!(results.next().unwrap().unwrap(), 0);
        assert_eq!(results.next().unwrap().unwrap(), 1);
        assert!(results.next().unwrap().unwrap_err().is_refused());
    });
}

/// C11: an item that failed took the good results of its chunk along.
#[test]
fn a_failing_item_discards_the_good_results_of_its_chunk() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let options = MapOptions::new().chunksize(items(4));
        let results: Vec<_> =
            executor.map_with(options, |n| 12 / n, [1, 2, 0, 4]).map(Result::ok).collect();
        assert_eq!(results, [Some(12), Some(6), None, Some(3)]);
    });
}

/// C12: a block that was left by an exception ran its whole backlog before the exception appeared.
#[test]
fn a_panic_runs_the_whole_backlog_first() {
    within(|| {
        let ran = Arc::new(AtomicUsize::new(0));
        let (gate, counter) = (Gate::new(), Arc::clone(&ran));
        let (latch, (sender, queued)) = (gate.latch(), mpsc::channel());
        let block = thread::spawn(move || {
            let executor = ThreadPoolExecutor::new(1).unwrap();
            let (begun, has_begun) = mpsc::channel();
            drop(executor.spawn(move || {
                begun.send(()).unwrap();
                latch.pass();
            }));
            has_begun.recv().unwrap();
            let backlog =
                executor.submit_all(move |_| counter.fetch_add(1, Ordering::SeqCst), 0..10);
            sender.send(backlog).unwrap();
            panic!("out of the block");
        });
        let backlog = queued.recv_timeout(BOUND).unwrap();
        assert!(wait(backlog, ReturnWhen::AllCompleted).done.iter().all(|it| it.cancelled()));
        gate.open();
        assert!(block.join().is_err());
        assert_eq!(ran.load(Ordering::SeqCst), 0);
    });
}
