//! What was found by looking for it.

use crate::common::{Gate, eventually, within};
use concurrent_futures::ThreadPoolExecutor;

/// A worker looks at the queue before it leaves a closed pool; a guest did not, and nobody was left to run
/// what went on with its task.
#[test]
fn what_goes_on_with_the_task_of_a_guest_runs_after_a_shutdown() {
    within(|| {
        let builder = ThreadPoolExecutor::builder().max_workers(1).caller_helps(true);
        let pool = builder.build().unwrap();
        let gate = Gate::new();
        let (latch, (begins, has_begun)) = (gate.latch(), std::sync::mpsc::channel());
        let busy = pool.spawn(move || {
            begins.send(()).unwrap();
            latch.pass();
        });
        has_begun.recv().unwrap();
        let handle = pool.handle().clone();
        let first = pool.spawn(move || {
            handle.shutdown(false, false);
            gate.open();
            eventually(|| handle.stats().workers == 0);
            1
        });
        let second = pool.then(first, |n| n + 1);
        assert_eq!(second.result().unwrap(), 2);
        busy.result().unwrap();
        pool.shutdown(true, false);
    });
}

#[cfg(target_os = "linux")]
mod processes {
    use crate::common::within;
    use concurrent_futures::{MapOptions, ProcessPoolExecutor, SharedCounter};

    fn fork(_: ()) {
        // SAFETY: what the copy does is what this test is about.
        unsafe { libc::fork() };
    }

    /// Forks; and the copy panics.
    fn fork_once((n, counter): (u32, SharedCounter)) -> u32 {
        counter.add(1);
        // SAFETY: what the copy does is what this test is about.
        if n == 0 {
            // SAFETY: the copy calls nothing but what the test is about.
            match unsafe { libc::fork() } {
                0 => std::panic::resume_unwind(Box::new("the copy's")),
                copy => {
                    // SAFETY: it writes to no place.
                    assert_eq!(unsafe { libc::waitpid(copy, std::ptr::null_mut(), 0) }, copy);
                }
            }
        }
        n
    }

    /// A copy whose item panics goes on with the next.
    #[test]
    fn an_item_that_leaves_a_panicking_copy_is_the_last_that_the_copy_calls() {
        within(|| {
            let pool = ProcessPoolExecutor::new(1).unwrap();
            let counter = SharedCounter::new().unwrap();
            let items: Vec<_> = (0..10).map(|n| (n, counter.clone())).collect();
            let options = MapOptions::new().chunksize(10.try_into().unwrap());
            let results = pool.map_with(options, fork_once, items);
            assert!(results.map(|it| it.unwrap()).eq(0..10));
            assert_eq!(counter.get(), 10);
        });
    }

    /// A call that has ended, as the parent was still to find out, was taken for the one that runs; and when it
    /// did not heed the request to stop, the worker was ended with the next.
    #[test]
    fn an_abort_of_a_call_that_has_ended_costs_no_call_behind_it() {
        within(|| {
            let builder = ProcessPoolExecutor::builder().max_workers(1);
            let pool = builder.grace(std::time::Duration::ZERO).build().unwrap();
            let spin: fn(u64) -> u64 = |micros| {
                let begun = std::time::Instant::now();
                while begun.elapsed() < std::time::Duration::from_micros(micros) {}
                micros
            };
            for _ in 0..200 {
                // So that calls are sent ahead.
                pool.submit_all(spin, [1; 40])
                    .into_iter()
                    .for_each(|it| assert_eq!(it.result().unwrap(), 1));
                let counter = SharedCounter::new().unwrap();
                let tells: fn(SharedCounter) -> u64 = |counter| {
                    counter.add(1);
                    let begun = std::time::Instant::now();
                    while begun.elapsed() < std::time::Duration::from_millis(1) {}
                    2
                };
                let first = pool.submit(spin, 50);
                let second = pool.submit(tells, counter.clone());
                while counter.get() == 0 {
                    std::thread::yield_now();
                }
                first.abort();
                assert_eq!(second.result().unwrap(), 2);
            }
        });
    }

    /// A copy that an initializer leaves behind serves the worker's calls as well.
    #[test]
    fn an_initializer_that_forks_leaves_one_worker() {
        within(|| {
            for _ in 0..20 {
                let builder = ProcessPoolExecutor::builder().max_workers(1);
                let pool = builder.initializer(fork, ()).build().unwrap();
                let first = pool.submit(|()| std::process::id(), ()).result().unwrap();
                assert_eq!(pool.workers()[0].process_id, Some(first));
                let futures: Vec<_> =
                    (0..300).map(|n| pool.submit(|n: u32| (n, std::process::id()), n)).collect();
                for (n, it) in (0..300).zip(futures) {
                    assert_eq!(it.result().unwrap(), (n, first));
                }
                pool.shutdown(true, false);
            }
        });
    }
}

#[cfg(target_os = "linux")]
mod attended {
    use crate::common::within;
    use concurrent_futures::ProcessPoolExecutor;
    use serde::{Deserialize, Deserializer, Serialize};
    use std::cell::Cell;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::{Arc, mpsc};
    use std::thread;

    thread_local! {
        /// What is done on this thread while it decodes a result.
        static MEANWHILE: Cell<Option<fn()>> = const { Cell::new(None) };
    }

    static DECODING: AtomicUsize = AtomicUsize::new(0);
    static IS_REGISTERED: AtomicBool = AtomicBool::new(false);

    #[derive(Serialize)]
    struct Result(u32);

    impl<'de> Deserialize<'de> for Result {
        fn deserialize<D: Deserializer<'de>>(
            deserializer: D,
        ) -> std::result::Result<Self, D::Error> {
            let value = u32::deserialize(deserializer)?;
            if let Some(meanwhile) = MEANWHILE.get() {
                meanwhile();
            }
            Ok(Result(value))
        }
    }

    /// A thread that attends to its call ends its own future, if nobody else waits for it; and that somebody
    /// does can turn out while it decodes the result.
    #[test]
    fn no_callback_runs_on_a_thread_that_waits() {
        within(|| {
            let pool = ProcessPoolExecutor::new(1).unwrap();
            for _ in 0..2000 {
                let before = DECODING.load(Ordering::SeqCst);
                IS_REGISTERED.store(false, Ordering::SeqCst);
                let future = Arc::new(pool.submit(Result, 1));
                let waiting = Arc::clone(&future);
                let waits = thread::spawn(move || {
                    MEANWHILE.set(Some(|| {
                        DECODING.fetch_add(1, Ordering::SeqCst);
                        while !IS_REGISTERED.load(Ordering::SeqCst) {
                            thread::yield_now();
                        }
                    }));
                    waiting.wait();
                });
                while DECODING.load(Ordering::SeqCst) == before && !future.done() {
                    thread::yield_now();
                }
                if future.done() {
                    waits.join().unwrap();
                    continue;
                }
                let (tells, told) = mpsc::channel();
                future.add_done_callback(move |_| tells.send(thread::current().id()).unwrap());
                IS_REGISTERED.store(true, Ordering::SeqCst);
                assert_ne!(told.recv().unwrap(), waits.thread().id());
                waits.join().unwrap();
                return;
            }
            panic!("nobody has attended");
        });
    }
}
