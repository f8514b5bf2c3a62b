//! Ending an executor: every way, in every order, from everywhere (G02, G15, G16, G17).

use crate::common::{BOUND, Gate, eventually, in_child, is_shut_down, let_others_get_on};
use crate::common::{occupy, printed, within};
use concurrent_futures::{
    Future, ThreadPoolBuilder, ThreadPoolExecutor, ThreadPoolHandle, cancellation_requested,
};
use std::cell::RefCell;
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

/// G15: if everything ends in time there is nothing to report.
#[test]
fn a_drained_pool_has_nothing_to_report() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let futures = executor.submit_all(|n| n, 0..50);
        let report = executor.shutdown_timeout(BOUND, BOUND);
        assert!(report.is_clean(), "{report:?}");
        assert!(futures.iter().all(|future| future.done()));
    });
}

/// G15: what does not end in time is cancelled if it has not begun, and asked to stop if it has.
#[test]
fn an_impatient_shutdown_cancels_and_asks() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let (begun, has_begun) = mpsc::channel();
        let running = executor.spawn(move || {
            begun.send(()).unwrap();
            while !cancellation_requested() {
                thread::yield_now();
            }
        });
        has_begun.recv().unwrap();
        let queued = executor.submit_all(|n| n, 0..3);
        let report = executor.shutdown_timeout(Duration::ZERO, BOUND);
        assert_eq!((report.cancelled, report.asked, report.running), (3, 1, 0));
        assert!(running.result().unwrap_err().is_cancelled());
        assert!(queued.iter().all(|future| future.cancelled()));
    });
}

/// G15: what does not heed the request either is left, and reported.
#[test]
fn a_task_that_does_not_stop_is_reported() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let gate = occupy(&executor, 2);
        let report = executor.shutdown_timeout(Duration::ZERO, Duration::from_millis(1));
        assert_eq!((report.cancelled, report.asked, report.running), (0, 2, 2));
        assert!(!report.is_clean());
        gate.open();
    });
}

/// G17: the executor can be shut down again, and again.
#[test]
fn shutting_down_twice_is_shutting_down() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let future = executor.spawn(|| 1);
        executor.shutdown(true, false);
        executor.shutdown(true, false);
        assert_eq!(future.result().unwrap(), 1);
    });
}

/// G17: ten threads may do so at once; when any of the calls returns, every task is over.
#[test]
fn ten_threads_may_shut_down_at_once() {
    within(|| {
        for _ in 0..20 {
            let executor = ThreadPoolExecutor::new(3).unwrap();
            let futures = executor.submit_all(|n| n, 0..100);
            thread::scope(|scope| {
                for _ in 0..10 {
                    scope.spawn(|| {
                        executor.shutdown(true, false);
                        assert!(futures.iter().all(|future| future.done()));
                    });
                }
            });
        }
    });
}

/// G17: a stronger shutdown after a weaker one cancels what is still queued.
#[test]
fn a_stronger_shutdown_adds_to_a_weaker_one() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let _gate = occupy(&executor, 1);
        let future = executor.spawn(|| 1);
        executor.shutdown(false, false);
        assert!(!future.done());
        executor.shutdown(false, true);
        assert!(future.cancelled());
    });
}

/// G17: a weaker shutdown after a stronger one takes nothing back.
#[test]
fn a_weaker_shutdown_takes_nothing_back() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let future = executor.spawn(|| 1);
        executor.shutdown(false, true);
        executor.shutdown(false, false);
        gate.open();
        executor.shutdown(true, false);
        assert!(future.cancelled());
    });
}

/// G12, G17: a task may shut its own pool down. It does not wait for itself, and the pool ends.
#[test]
fn a_task_may_shut_its_own_pool_down() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let handle = executor.handle();
        let future = executor.spawn(move || {
            handle.shutdown(true, true);
            handle.spawn(|| ()).result().unwrap_err()
        });
        assert!(is_shut_down(&future.result().unwrap()));
        executor.shutdown(true, false);
        assert_eq!(executor.stats().workers, 0);
    });
}

/// G15: a task may do so with a time limit as well; it is asked to stop like any other.
#[test]
fn a_task_may_shut_its_own_pool_down_step_by_step() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let handle = executor.handle();
        let future = executor.spawn(move || {
            let report = handle.shutdown_timeout(BOUND, BOUND);
            assert!(cancellation_requested());
            report
        });
        assert!(future.result().unwrap_err().is_cancelled());
        eventually(|| executor.stats().workers == 0);
    });
}

/// What a task submits to its own pool that drains is refused, and the task can go on.
#[test]
fn a_task_of_a_draining_pool_is_refused_more_work() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = Gate::new();
        let (latch, handle) = (gate.latch(), executor.handle());
        let future = executor.spawn(move || {
            latch.pass();
            is_shut_down(&handle.spawn(|| ()).result().unwrap_err())
        });
        executor.shutdown(false, false);
        gate.open();
        assert!(future.result().unwrap());
    });
}

/// A draining pool still lets its tasks wait for one another.
#[test]
fn tasks_of_a_draining_pool_may_wait_for_one_another() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let (sender, receiver) = mpsc::channel::<Future<u32>>();
        let waiting = executor.spawn(move || receiver.recv().unwrap().result().unwrap());
        sender.send(executor.spawn(|| 3)).unwrap();
        executor.shutdown(false, false);
        gate.open();
        assert_eq!(waiting.result().unwrap(), 3);
    });
}

/// A waiting shutdown leaves no thread of the pool.
#[cfg(target_os = "linux")]
#[test]
fn a_waiting_shutdown_joins_the_threads() {
    use crate::common::{eventually, threads_named};
    within(|| {
        let builder = ThreadPoolExecutor::builder().max_workers(4).thread_name_prefix("joined");
        let executor = builder.build().unwrap();
        drop(occupy(&executor, 4));
        executor.shutdown(true, false);
        // The system wakes whoever joins a thread just before it takes that off its list.
        eventually(|| threads_named("joined").is_empty());
    });
}

struct BlocksTheEndOfItsThread(mpsc::Receiver<()>);

impl Drop for BlocksTheEndOfItsThread {
    fn drop(&mut self) {
        let _ = self.0.recv();
    }
}

thread_local! {
    static AT_THE_END: RefCell<Option<BlocksTheEndOfItsThread>> = const { RefCell::new(None) };
}

/// G17: every waiting shutdown waits until the threads are gone, not only the first.
#[test]
fn every_waiting_shutdown_waits_for_the_threads() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let (go, may_end) = mpsc::channel();
        let task = |may_end| AT_THE_END.set(Some(BlocksTheEndOfItsThread(may_end)));
        executor.submit(task, may_end).result().unwrap();
        let (over, is_over) = mpsc::channel();
        let closers = [0, 1].map(|_| {
            let (handle, over) = (executor.handle(), over.clone());
            thread::spawn(move || {
                handle.shutdown(true, false);
                over.send(()).unwrap();
            })
        });
        eventually(|| executor.stats().workers == 0);
        let_others_get_on();
        assert!(is_over.try_recv().is_err(), "a thread of the pool has not ended yet");
        go.send(()).unwrap();
        closers.into_iter().for_each(|it| it.join().unwrap());
    });
}

struct ShutsDownAtTheEndOfItsThread(ThreadPoolHandle);

impl Drop for ShutsDownAtTheEndOfItsThread {
    fn drop(&mut self) {
        self.0.shutdown(true, false);
    }
}

thread_local! {
    static SHUTS_DOWN: RefCell<Option<ShutsDownAtTheEndOfItsThread>> = const { RefCell::new(None) };
}

/// G17: a thread of the pool that has left may still ask for shutdown, and does not wait for itself.
#[test]
fn a_thread_that_ends_may_shut_its_pool_down() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let barrier = Arc::new(Barrier::new(2));
        let handle = executor.handle();
        let task = move |_| {
            SHUTS_DOWN.set(Some(ShutsDownAtTheEndOfItsThread(handle.clone())));
            barrier.wait();
        };
        executor.submit_all(task, 0..2).into_iter().for_each(|it| it.result().unwrap());
        executor.shutdown(true, false);
        assert_eq!(executor.stats().workers, 0);
    });
}

/// Lets a panic drop an executor that has a running and a queued task. Gives the future of the
/// queued one, the gate that keeps the running one, and the thread that panics.
fn drop_by_panic(builder: ThreadPoolBuilder) -> (Future<u32>, Gate, thread::JoinHandle<()>) {
    let (gate, (sender, receiver)) = (Gate::new(), mpsc::channel());
    let latch = gate.latch();
    let panicking = thread::spawn(move || {
        let executor = builder.max_workers(1).build().unwrap();
        let (begun, has_begun) = mpsc::channel();
        drop(executor.spawn(move || {
            begun.send(()).unwrap();
            latch.pass();
        }));
        has_begun.recv().unwrap();
        sender.send(executor.spawn(|| 1)).unwrap();
        panic!("while an executor is alive");
    });
    (receiver.recv().unwrap(), gate, panicking)
}

/// G16: an executor that is dropped because of a panic cancels what has not begun.
#[test]
fn a_drop_during_a_panic_cancels() {
    within(|| {
        let (queued, gate, panicking) = drop_by_panic(ThreadPoolExecutor::builder());
        assert!(queued.result().unwrap_err().is_cancelled());
        gate.open();
        assert!(panicking.join().is_err());
    });
}

/// G16: unless it was told to drain even then.
#[test]
fn a_drop_during_a_panic_drains_if_so_told() {
    within(|| {
        let builder = ThreadPoolExecutor::builder().cancel_on_unwind(false);
        let (queued, gate, panicking) = drop_by_panic(builder);
        gate.open();
        assert!(panicking.join().is_err());
        assert_eq!(queued.result().unwrap(), 1);
    });
}

/// An executor that one of its own tasks drops does not wait for itself, and ends.
#[test]
fn an_executor_may_be_dropped_by_its_own_task() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let handle = executor.handle();
        let queued_before = {
            let gate = occupy(&executor, 1);
            let queued = executor.spawn(|| 1);
            drop(gate);
            queued
        };
        let dropping = handle.submit(drop, executor);
        dropping.result().unwrap();
        assert_eq!(queued_before.result().unwrap(), 1);
        assert!(is_shut_down(&handle.spawn(|| ()).result().unwrap_err()));
        eventually(|| handle.stats().workers == 0);
    });
}

/// A handle does not keep the executor alive.
#[test]
fn a_handle_does_not_keep_the_pool_going() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let handle = executor.handle();
        assert_eq!(handle.spawn(|| 1).result().unwrap(), 1);
        drop(executor);
        assert_eq!(handle.stats().workers, 0);
        assert!(is_shut_down(&handle.spawn(|| 1).result().unwrap_err()));
    });
}

/// A leaked executor goes on working for whoever has a handle.
#[test]
fn a_leaked_executor_goes_on() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let handle = executor.handle();
        std::mem::forget(executor);
        assert_eq!(handle.spawn(|| 1).result().unwrap(), 1);
        handle.shutdown(true, false);
    });
}

/// A leaked executor, even a busy one, does not keep the program from ending.
#[test]
fn a_leaked_executor_does_not_keep_the_program() {
    let output = in_child("shutdown::a_leaked_executor_does_not_keep_the_program", || {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        std::mem::forget(occupy(&executor, 1));
        println!("{}", executor.spawn(|| "pear").result().unwrap());
        std::mem::forget(executor);
    });
    if let Some(output) = output {
        assert!(printed(&output).contains("pear\n"));
    }
}
