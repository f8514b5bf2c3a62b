//! What happens when the operating system starts no more threads (G32).

use crate::common::{Drops, in_limited_child, is_no_worker, occupy, printed, within};
use concurrent_futures::{Refusal, ThreadPoolExecutor, WhenFull};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

/// A stack for which there is no address space on any machine.
const IMPOSSIBLE: usize = 1 << 46;

fn without_threads() -> ThreadPoolExecutor {
    ThreadPoolExecutor::builder().max_workers(2).stack_size(IMPOSSIBLE).build().unwrap()
}

/// G32: the future of a task for which there can be no worker says so.
#[test]
fn submit_without_a_thread_is_refused() {
    within(|| {
        let error = without_threads().spawn(|| 1).result().unwrap_err();
        assert!(is_no_worker(&error), "{error}");
    });
}

/// G32: `try_submit` gives function and argument back.
#[test]
fn try_submit_without_a_thread_gives_the_task_back() {
    within(|| {
        let refused = without_threads().try_submit(str::len, "mine").unwrap_err();
        assert!(matches!(refused.reason, Refusal::NoWorker(_)));
        assert_eq!((refused.function)(refused.argument), 4);
    });
}

/// G32: nothing of a refused task is left in the queue.
#[test]
fn a_task_without_a_thread_is_not_half_queued() {
    within(|| {
        let executor = without_threads();
        let drops = Drops::new();
        drop(executor.submit(drop, drops.token()));
        assert_eq!(drops.count(), 1);
        let stats = executor.stats();
        assert_eq!((stats.queued, stats.running, stats.workers), (0, 0, 0));
    });
}

/// G32: each task of a batch is refused.
#[test]
fn submit_all_without_a_thread_is_refused() {
    within(|| {
        let executor = without_threads();
        let futures = executor.submit_all(|n| n, 0..10);
        assert!(futures.into_iter().all(|it| is_no_worker(&it.result().unwrap_err())));
        assert_eq!(executor.stats().queued, 0);
    });
}

/// G32: a map ends after the error that says why.
#[test]
fn a_map_without_a_thread_gives_the_error() {
    within(|| {
        let executor = without_threads();
        let mut results = executor.map(|n| n, 0..10);
        assert!(is_no_worker(&results.next().unwrap().unwrap_err()));
        assert!(results.all(|result| result.is_err()));
    });
}

/// G32: a refused task gives up its place in a bounded queue.
#[test]
fn a_task_without_a_thread_takes_no_room() {
    within(|| {
        let builder = ThreadPoolExecutor::builder().max_workers(1).stack_size(IMPOSSIBLE);
        let executor = builder.queue_capacity(1, WhenFull::Block).build().unwrap();
        for _ in 0..10 {
            assert!(is_no_worker(&executor.spawn(|| 1).result().unwrap_err()));
        }
    });
}

/// G32: with several threads submitting at once, every future ends all the same.
#[test]
fn many_submitters_without_a_thread_are_all_refused() {
    within(|| {
        for _ in 0..20 {
            let executor = without_threads();
            let submitters = [0, 1, 2].map(|_| {
                let handle = executor.handle();
                std::thread::spawn(move || {
                    (0..20).map(|n| handle.submit(|n| n, n)).collect::<Vec<_>>()
                })
            });
            for future in submitters.into_iter().flat_map(|it| it.join().unwrap()) {
                assert!(is_no_worker(&future.result().unwrap_err()));
            }
            assert_eq!(executor.stats().queued, 0);
        }
    });
}

/// G32: a pool that gets some of its threads, but not all, goes on with those.
#[cfg(target_os = "linux")]
#[test]
fn a_pool_with_too_few_threads_goes_on() {
    let name = "refused_threads::a_pool_with_too_few_threads_goes_on";
    let output = in_limited_child(name, Some(4 << 20), || {
        const STACK: usize = 512 << 20; // Of which a few fit into the 4 GiB.
        let builder = ThreadPoolExecutor::builder().max_workers(100).stack_size(STACK);
        let executor = builder.build().unwrap();
        let gate = occupy(&executor, 1);
        let ran = Arc::new(AtomicUsize::new(0));
        let (begun, has_begun) = mpsc::channel();
        let futures: Vec<_> = (0..100)
            .map(|_| {
                let (latch, ran, begun) = (gate.latch(), Arc::clone(&ran), begun.clone());
                executor.spawn(move || {
                    begun.send(()).unwrap();
                    latch.pass();
                    ran.fetch_add(1, Ordering::SeqCst);
                })
            })
            .collect();
        has_begun.recv().unwrap();
        let workers = executor.stats().workers;
        assert!((2..100).contains(&workers), "{workers} threads were started");
        gate.open();
        futures.into_iter().for_each(|future| future.result().unwrap());
        assert_eq!(ran.load(Ordering::SeqCst), 100);
    });
    if let Some(output) = output {
        printed(&output);
    }
}

/// G32, G14: when no spare thread can be had, a worker that waits runs the awaited task itself.
#[cfg(target_os = "linux")]
#[test]
fn nested_waiting_needs_no_spare_thread() {
    let name = "refused_threads::nested_waiting_needs_no_spare_thread";
    let output = in_limited_child(name, Some(4 << 20), || {
        let builder = ThreadPoolExecutor::builder().max_workers(1).stack_size(3 << 30);
        let executor = builder.build().unwrap();
        let handle = executor.handle();
        let nested = executor.spawn(move || {
            let futures = handle.submit_all(|n| n, 0..10);
            futures.into_iter().map(|future| future.result().unwrap()).sum::<u32>()
        });
        assert_eq!(nested.result().unwrap(), 45);
    });
    if let Some(output) = output {
        printed(&output);
    }
}
