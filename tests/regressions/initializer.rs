//! Threads that are in the initializer.

use crate::common::{BOUND, Gate, within};
use concurrent_futures::{ReturnWhen, ThreadPoolExecutor, ThreadPoolHandle, wait};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, OnceLock, mpsc};

/// A thread that had come for the only task was in the initializer; since nobody was searching
/// meanwhile another was started, and so on, up to the limit.
#[test]
fn one_task_starts_one_worker() {
    within(|| {
        let gate = Gate::new();
        let (latch, (begun, has_begun)) = (gate.latch(), mpsc::channel());
        let executor = ThreadPoolExecutor::builder()
            .max_workers(16)
            .initializer(move || {
                let _ = begun.send(());
                latch.pass();
            })
            .build()
            .unwrap();
        let _future = executor.spawn(|| ());
        // By then it has made sure that somebody else comes for what it cannot do.
        has_begun.recv_timeout(BOUND).unwrap();
        let workers = executor.stats().workers;
        gate.open();
        assert_eq!(workers, 1);
    });
}

/// An initializer submitted a task for the worker's state and waited for it; its own thread ran
/// that task within the initializer, and so before there was a state.
#[test]
fn no_task_runs_within_the_initializer() {
    static HANDLE: OnceLock<ThreadPoolHandle<u32>> = OnceLock::new();
    static IS_FIRST: AtomicBool = AtomicBool::new(true);
    within(|| {
        let (sender, outcome) = mpsc::channel();
        let executor = ThreadPoolExecutor::builder()
            .max_workers(2)
            .initializer(move || {
                if IS_FIRST.swap(false, Ordering::SeqCst) {
                    let handle = HANDLE.get().unwrap();
                    let inner = handle.submit_with_state(|state, ()| *state, ());
                    sender.send(inner.result()).unwrap();
                }
                5
            })
            .build()
            .unwrap();
        assert!(HANDLE.set(executor.handle()).is_ok());
        drop(executor.spawn(|| ()));
        assert_eq!(outcome.recv_timeout(BOUND).unwrap().unwrap(), 5);
    });
}

static BROKEN: OnceLock<ThreadPoolHandle> = OnceLock::new();

/// Looks at its executor when it is dropped.
#[derive(Debug)]
struct Failure;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is no place to work")
    }
}

impl std::error::Error for Failure {}

impl Drop for Failure {
    fn drop(&mut self) {
        if let Some(handle) = BROKEN.get() {
            let _ = handle.try_submit(|()| (), ());
        }
    }
}

/// Thread A had broken the pool when thread B came to do so with an error of its own, which was
/// dropped under the lock of the first; an error that asked the pool for something waited for ever.
#[test]
fn an_initializers_error_is_not_dropped_under_a_lock() {
    within(|| {
        let both = Arc::new(Barrier::new(2));
        let executor = ThreadPoolExecutor::builder()
            .max_workers(2)
            .try_initializer(move || {
                both.wait();
                Err::<(), _>(Failure)
            })
            .build()
            .unwrap();
        assert!(BROKEN.set(executor.handle()).is_ok());
        let futures = [executor.spawn(|| ()), executor.spawn(|| ())];
        wait(futures, ReturnWhen::AllCompleted);
        executor.shutdown(true, false);
    });
}
