//! Pools for which the operating system starts no thread.

use crate::common::within;
use crate::support::survives;
use concurrent_futures::{ThreadPoolExecutor, WhenFull};

/// A stack for which there is no address space on any machine.
const IMPOSSIBLE: usize = 1 << 60;

/// Threads A and B waited for room in the queue while thread C was told that nobody would come for
/// its task; what was in the queue then had to be ended by somebody, and its room given back.
#[test]
fn every_future_ends_in_a_bounded_queue_that_nobody_serves() {
    within(|| {
        let builder = ThreadPoolExecutor::builder().max_workers(2).stack_size(IMPOSSIBLE);
        let executor = builder.queue_capacity(2, WhenFull::Block).build().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    (0..500).for_each(|_| assert!(executor.spawn(|| ()).result().is_err()));
                });
            }
        });
    });
}

/// A size of the stack that cannot even be rounded up to a page panicked on the thread that
/// submitted, in the midst of the pool's own work.
#[test]
fn an_absurd_size_of_the_stack_is_a_refusal_and_no_panic() {
    survives("refused_threads::an_absurd_size_of_the_stack_is_a_refusal_and_no_panic", || {
        let builder = ThreadPoolExecutor::builder().max_workers(1).stack_size(usize::MAX);
        assert!(builder.build().unwrap().spawn(|| ()).result().is_err());
    });
}
