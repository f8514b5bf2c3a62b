//! Threads that are in the initializer.

use crate::common::{BOUND, Gate, occupy, within};
use concurrent_futures::{Promise, ReturnWhen, ThreadPoolExecutor, ThreadPoolHandle, wait};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock, mpsc};

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

/// An initializer waited for what the pool's only task would bring. Its thread was the one that had
/// come for that task, and since it was on its way no other was started.
#[test]
fn an_initializer_can_wait_for_the_task_that_its_thread_has_come_for() {
    within(|| {
        let (mut promise, promised) = Promise::new();
        let promised = Mutex::new(Some(promised));
        let executor = ThreadPoolExecutor::builder()
            .max_workers(2)
            .initializer(move || {
                let promised = promised.lock().unwrap().take();
                if let Some(promised) = promised {
                    promised.result().unwrap();
                }
            })
            .build()
            .unwrap();
        executor.spawn(move || promise.set_result(()).unwrap()).result().unwrap();
    });
}

/// One of two workers was waiting in its task, the other in its initializer, for a task that would
/// let both go on: the initializer counted as one who would come for it.
#[test]
fn a_blocked_initializer_is_replaced_when_all_others_wait() {
    static HANDLE: OnceLock<ThreadPoolHandle> = OnceLock::new();
    static ROUND: AtomicUsize = AtomicUsize::new(0);
    within(|| {
        let (mut promise, promised) = Promise::new();
        let keep = Arc::new(Mutex::new(move || promise.set_result(7).unwrap()));
        let gate = Gate::new();
        let (latch, (begun, has_begun)) = (gate.latch(), mpsc::channel());
        let executor = ThreadPoolExecutor::builder()
            .max_workers(2)
            .initializer(move || {
                if ROUND.fetch_add(1, Ordering::SeqCst) == 1 {
                    begun.send(()).unwrap();
                    latch.pass();
                    let keep = Arc::clone(&keep);
                    let handle = HANDLE.get().unwrap();
                    handle.spawn(move || keep.lock().unwrap()()).result().unwrap();
                }
            })
            .build()
            .unwrap();
        assert!(HANDLE.set(executor.handle()).is_ok());
        let busy = occupy(&executor, 1);
        let (waiting, is_waiting) = mpsc::channel();
        let outer = executor.spawn(move || {
            waiting.send(()).unwrap();
            promised.result().unwrap()
        });
        // The second thread has come for this, but it is the first that begins it.
        has_begun.recv_timeout(BOUND).unwrap();
        busy.open();
        is_waiting.recv_timeout(BOUND).unwrap();
        gate.open();
        assert_eq!(outer.result().unwrap(), 7);
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
