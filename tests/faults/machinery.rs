//! Threads of the executors' own that run into a panic of what users gave them. What a panic of the crate's
//! own code comes to is tested beside that code, where one can be brought about.

use crate::common::{Deliberate, hush, within};
use crate::postconditions::{says_that_it_is_broken, scenario};
use concurrent_futures::{ProcessPoolExecutor, ThreadPoolExecutor};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};

/// Panics when it is dropped, and so once more if it was thrown.
#[derive(Debug)]
struct Twice;

impl Drop for Twice {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic_any(Deliberate(Box::new(())));
        }
    }
}

impl fmt::Display for Twice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("twice")
    }
}

impl std::error::Error for Twice {}

fn throw_twice() -> ! {
    panic_any(Deliberate(Box::new(Twice)))
}

/// Each worker's panic was the cause of the pool's end, and all but the first were dropped where nobody
/// expected that to panic again: under the pool's lock, on the thread that was to say that there is no worker.
/// The pool then waited for that worker for ever.
#[test]
fn s089_a_setting_whose_panic_panics_again_breaks_the_pool() {
    scenario(|ledger| {
        hush();
        let executor = ProcessPoolExecutor::builder()
            .max_workers(3)
            .start_all()
            .env_of_worker(|_| -> [(&str, &str); 0] { throw_twice() })
            .build()
            .unwrap();
        for future in ledger.watch_all(executor.submit_all(|n: u32| n, 0..4)) {
            assert!(future.result().unwrap_err().is_broken());
        }
        says_that_it_is_broken(&executor);
        executor.shutdown(true, false);
    });
}

/// The same on threads: a worker that dropped the second cause was counted for ever.
#[test]
fn s089_an_initializer_whose_failure_panics_again_breaks_the_pool() {
    within(|| {
        hush();
        let both_are_there = std::sync::Arc::new(std::sync::Barrier::new(2));
        let builder = || ThreadPoolExecutor::builder().max_workers(2);
        let arrives = || {
            let barrier = std::sync::Arc::clone(&both_are_there);
            move || {
                barrier.wait();
            }
        };
        let (panics, fails) = (arrives(), arrives());
        let executors = [
            builder().initializer(move || {
                panics();
                throw_twice()
            }),
            builder().try_initializer(move || {
                fails();
                Err(Twice)
            }),
        ];
        for executor in executors.map(|it| it.build().unwrap()) {
            let futures: Vec<_> = (0..4).map(|n| executor.submit(|n: u32| n, n)).collect();
            for future in futures {
                assert!(future.result().unwrap_err().is_broken());
            }
            assert!(executor.spawn(|| ()).result().unwrap_err().is_refused());
            executor.shutdown(true, false);
            assert_eq!(executor.stats().workers, 0);
            // The error that was first is dropped with it, and panics here, where it should.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(executor)));
        }
    });
}
