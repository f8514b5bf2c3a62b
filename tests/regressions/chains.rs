//! Tasks that come after other tasks.

use crate::common::{Gate, occupy, within};
use crate::support::survives;
use concurrent_futures::{Promise, ThreadPoolExecutor};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

/// Cancelling the last link of a chain cancelled the one before it by calling itself, and so on:
/// a long chain took more stack than there is, and with it the process.
#[test]
fn a_long_chain_can_be_cancelled() {
    survives("chains::a_long_chain_can_be_cancelled", || {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let (_promise, first) = Promise::<u64>::new();
        let last = (0..20_000).fold(first, |link, _| executor.then(link, |n| n + 1));
        assert!(last.cancel());
    });
}

/// Two tasks, one after the other, had been taken when thread A shut the executor down, without
/// cancelling; when the first was done then, the second was refused all the same.
#[test]
fn an_executor_finishes_the_chains_that_it_took() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let first = executor.spawn(|| 1);
        let second = executor.then(first, |n| n + 1);
        executor.shutdown(false, false);
        gate.open();
        assert_eq!(second.result().unwrap(), 2);
    });
}

/// The second of two tasks was cancelled while the first was running; when the first failed then,
/// there was nobody left to look at it, and nobody was told.
#[test]
fn a_failure_behind_a_cancelled_then_is_reported() {
    within(|| {
        let reported = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&reported);
        let executor = ThreadPoolExecutor::builder()
            .max_workers(1)
            .on_unobserved_failure(move |_| _ = count.fetch_add(1, Ordering::SeqCst))
            .build()
            .unwrap();
        let gate = Gate::new();
        let (latch, (begun, has_begun)) = (gate.latch(), mpsc::channel());
        let first = executor.spawn(move || {
            begun.send(()).unwrap();
            latch.pass();
            panic!("nobody looks at this");
        });
        has_begun.recv().unwrap();
        executor.then(first, |()| ()).cancel();
        gate.open();
        executor.shutdown(true, false);
        assert_eq!(reported.load(Ordering::SeqCst), 1);
    });
}
