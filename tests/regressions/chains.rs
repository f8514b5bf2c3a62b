//! Tasks that come after other tasks.

use crate::common::{Gate, occupy, within};
use crate::support::survives;
use concurrent_futures::{Promise, TaskOptions, ThreadPoolExecutor, current_label};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

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

/// Callbacks that keep promises went deeper and deeper, until one of the steps was put off. A task
/// that waited for that step did it itself, and the code of the step took itself for the task's.
#[test]
fn a_step_that_was_put_off_is_no_part_of_the_task_that_waits_for_it() {
    static LABELS: Mutex<Vec<Option<String>>> = Mutex::new(Vec::new());

    /// Looks, when its future is flattened, in which task that is.
    struct Looks;

    impl From<Looks> for Box<dyn std::error::Error + Send + Sync> {
        fn from(_: Looks) -> Self {
            LABELS.lock().unwrap().push(current_label());
            "this is where it looks".into()
        }
    }

    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let waits = executor.with(TaskOptions::new().label("waits"));
        let helped = Arc::new(AtomicUsize::new(0));
        let last = Promise::<Result<(), Looks>>::new();
        let (mut first, flat) = (0..100).fold((last.0, last.1.flatten()), |(mut next, then), _| {
            let (promise, future) = Promise::new();
            let (waits, helped) = (waits.clone(), Arc::clone(&helped));
            let flat = future.flatten();
            flat.add_done_callback(move |_| {
                next.set_result(Err(Looks)).unwrap();
                if !then.done() {
                    waits.spawn(move || then.wait()).result().unwrap();
                    helped.fetch_add(1, Ordering::SeqCst);
                }
            });
            (promise, flat)
        });
        executor.spawn(move || first.set_result(Err(Looks)).unwrap()).result().unwrap();
        assert!(flat.done());
        assert!(helped.load(Ordering::SeqCst) > 0, "no step was put off");
        assert_eq!(*LABELS.lock().unwrap(), vec![None; 101]);
    });
}
