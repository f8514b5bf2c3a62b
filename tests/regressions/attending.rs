//! A thread that waits for a short call of a process pool fetches its outcome itself.

use crate::common::{Gate, panic_quietly, within};
use concurrent_futures::{ProcessPoolExecutor, ProcessPoolHandle, ReturnWhen, wait};
use serde::{Deserialize, Deserializer, Serialize};
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

fn pool(max_workers: usize) -> ProcessPoolExecutor {
    ProcessPoolExecutor::new(max_workers).expect("this executable can be started again")
}

/// Only for a worker whose calls are short does anybody look.
fn warm(executor: &ProcessPoolExecutor) {
    (0..30).for_each(|n| assert_eq!(executor.submit(|n: u32| n, n).result().unwrap(), n));
}

/// The callback ran on the thread that had fetched the outcome; as long as that was said to look for
/// outcomes, the worker did not ring, and nobody heard of the second call.
#[test]
fn a_callback_may_wait_for_the_next_call_of_its_worker() {
    within(|| {
        let executor = pool(1);
        warm(&executor);
        for n in 0..200 {
            let first = executor.submit(|n: u32| n, n);
            let (sender, receiver) = mpsc::channel();
            let handle = executor.handle();
            first.add_done_callback(move |_| {
                sender.send(handle.submit(|n: u32| n + 1, n).result()).unwrap();
            });
            assert_eq!(first.result().unwrap(), n);
            assert_eq!(receiver.recv().unwrap().unwrap(), n + 1);
        }
    });
}

/// The callback waited for the end of the pool, which waited for the callback.
#[test]
fn a_callback_may_shut_its_pool_down() {
    within(|| {
        for _ in 0..10 {
            let executor = pool(1);
            warm(&executor);
            let future = executor.submit(|n: u32| n, 1);
            let handle = executor.handle();
            future.add_done_callback(move |_| handle.shutdown(true, false));
            assert_eq!(future.result().unwrap(), 1);
            executor.shutdown(true, false);
        }
    });
}

/// The same, as an executor that is dropped waits for its pool.
#[test]
fn a_callback_may_drop_its_executor() {
    within(|| {
        for _ in 0..10 {
            let executor = pool(1);
            warm(&executor);
            let future = executor.submit(|n: u32| n, 1);
            future.add_done_callback(move |_| drop(executor));
            assert_eq!(future.result().unwrap(), 1);
        }
    });
}

/// Waiting ends when the task is done; its callbacks may take longer, and even wait for this thread.
#[test]
fn a_callback_may_wait_for_the_thread_that_waits_for_its_task() {
    within(|| {
        let executor = pool(1);
        warm(&executor);
        for n in 0..300 {
            let future = executor.submit(|n: u32| n, n);
            let gate = Gate::new();
            let (latch, added) = (gate.latch(), Arc::new(AtomicBool::new(false)));
            let is_added = Arc::clone(&added);
            future.add_done_callback(move |_| {
                // Otherwise the task was done before, and this is called by who adds it.
                if is_added.load(Ordering::SeqCst) {
                    latch.pass();
                }
            });
            added.store(true, Ordering::SeqCst);
            wait([&future], ReturnWhen::AllCompleted);
            gate.open();
            assert_eq!(future.result().unwrap(), n);
        }
    });
}

/// Whoever waited for one call was held up by the callback of another one, which had come with it.
#[test]
fn a_callback_of_another_call_may_wait_for_the_thread_that_waits() {
    within(|| {
        let executor = pool(1);
        warm(&executor);
        for n in 0..300 {
            let first = executor.submit(|n: u32| n, n);
            let handle = executor.handle();
            let gate = Gate::new();
            let latch = gate.latch();
            let other = std::thread::spawn(move || {
                let second = handle.submit(|n: u32| n, n);
                second.add_done_callback(move |_| latch.pass());
                second
            });
            assert_eq!(first.result().unwrap(), n);
            gate.open();
            assert_eq!(other.join().unwrap().result().unwrap(), n);
        }
    });
}

/// What goes on with a task was refused after a shutdown, if the thread that had fetched the outcome was
/// none of the pool's own.
#[test]
fn what_goes_on_with_another_call_is_taken_after_a_shutdown() {
    within(|| {
        for _ in 0..30 {
            let executor = pool(1);
            warm(&executor);
            let handle = executor.handle();
            let other = std::thread::spawn(move || {
                let second = handle.then(handle.submit(|n: u32| n, 1), |n| n + 1);
                handle.shutdown(false, false);
                second
            });
            while executor.submit(|n: u32| n, 0).result().is_ok() {}
            assert_eq!(other.join().unwrap().result().unwrap(), 2);
        }
    });
}

/// Several threads fetch outcomes of workers that leave, and are killed, meanwhile: each call ends, with
/// its own outcome or the death of its worker, and the pool ends too.
#[test]
fn threads_may_wait_for_workers_that_leave_and_die() {
    fn next(n: u32) -> u32 {
        if n % 97 == 96 {
            std::process::abort();
        }
        n + 1
    }
    within(|| {
        let builder = ProcessPoolExecutor::builder().max_workers(2).max_tasks_per_child(40);
        let executor = builder.build().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let executor = executor.handle();
                scope.spawn(move || {
                    for n in (0..300).map(|n| 1000 * thread + n) {
                        match executor.submit(next, n).result() {
                            Ok(came) => assert_eq!(came, n + 1),
                            Err(error) => assert!(error.worker_death().is_some(), "{error}"),
                        }
                    }
                });
            }
        });
        executor.shutdown(true, false);
        assert_eq!(executor.stats().running, 0);
    });
}

/// The argument and the result of a call that does something while the waiting thread decodes it.
#[derive(Serialize)]
struct Acts<const WHAT: usize>(u32);

thread_local! {
    static POOL: RefCell<Option<ProcessPoolHandle>> = const { RefCell::new(None) };
}

const ASKS: usize = 0;
const SHUTS_DOWN: usize = 1;
const PANICS: usize = 2;

impl<'de, const WHAT: usize> Deserialize<'de> for Acts<WHAT> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(from)?;
        // In the worker there is none, and not on the thread beside it.
        let pool = POOL.with_borrow(Clone::clone);
        match (pool, WHAT) {
            (Some(pool), ASKS) => Ok(Acts(pool.submit(|n: u32| n + 1, number).result().unwrap())),
            (Some(pool), SHUTS_DOWN) => {
                pool.shutdown(true, false);
                Ok(Acts(number + 1))
            }
            (Some(_), PANICS) => panic_quietly("while it is decoded"),
            _ => Ok(Acts(number)),
        }
    }
}

/// Decoding is code of the user's too: the next call was not heard of, as for callbacks.
#[test]
fn a_result_may_wait_for_the_next_call_while_it_is_decoded() {
    within(|| {
        let executor = pool(1);
        warm(&executor);
        POOL.set(Some(executor.handle()));
        for n in 0..200 {
            let Acts::<ASKS>(came) = executor.submit(Acts, n).result().unwrap();
            assert!(came == n || came == n + 1);
        }
        POOL.set(None);
    });
}

/// As in `a_callback_may_shut_its_pool_down`.
#[test]
fn a_result_may_shut_its_pool_down_while_it_is_decoded() {
    within(|| {
        for n in 0..10 {
            let executor = pool(1);
            warm(&executor);
            POOL.set(Some(executor.handle()));
            let Acts::<SHUTS_DOWN>(came) = executor.submit(Acts, n).result().unwrap();
            assert!(came == n || came == n + 1);
            POOL.set(None);
            executor.shutdown(true, false);
        }
    });
}

/// A result that panics when it is decoded costs neither the thread that waits nor the pool.
#[test]
fn a_result_may_panic_while_it_is_decoded() {
    within(|| {
        let executor = pool(1);
        warm(&executor);
        POOL.set(Some(executor.handle()));
        for n in 0..100 {
            match executor.submit(Acts::<PANICS>, n).result() {
                Ok(Acts(came)) => assert_eq!(came, n),
                Err(error) => assert!(error.is_panic(), "{error}"),
            }
        }
        POOL.set(None);
        executor.shutdown(true, false);
    });
}
