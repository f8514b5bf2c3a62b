//! What only pools of threads do.

use crate::common::{Gate, eventually, occupy, until_idle, within};
use crate::items;
use concurrent_futures::{MapOptions, ThreadPoolExecutor};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// T01: an eager map that nobody reads is worked off before shutdown returns.
#[test]
fn test_map_submits_without_iteration() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let ran = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&ran);
        let count = move |_| _ = counter.fetch_add(1, Ordering::SeqCst);
        let unread = executor.map_with(MapOptions::new().eager(), count, 0..10);
        executor.shutdown(true, false);
        assert_eq!(ran.load(Ordering::SeqCst), 10);
        drop(unread);
    });
}

/// T02, adapted: by default there are no more workers than processors that may be used.
#[test]
fn test_default_workers() {
    let executor = ThreadPoolExecutor::builder().build().unwrap();
    let usable = std::thread::available_parallelism().unwrap().get();
    assert!((1..=usable).contains(&executor.max_workers()));
}

/// T03: 60 blocked tasks on four workers make four threads.
#[test]
fn test_saturation() {
    within(|| {
        let executor = ThreadPoolExecutor::new(4).unwrap();
        let gate = Gate::new();
        for _ in 0..15 * executor.max_workers() {
            let latch = gate.latch();
            drop(executor.spawn(move || latch.pass()));
        }
        eventually(|| executor.stats().running == 4);
        assert_eq!(executor.stats().workers, 4);
        gate.open();
    });
}

/// T04: three tasks, each after the one before, use one thread.
#[test]
fn test_idle_thread_reuse() {
    within(|| {
        let executor = ThreadPoolExecutor::new(4).unwrap();
        for _ in 0..3 {
            executor.submit(u32::is_power_of_two, 6).result().unwrap();
            until_idle(&executor, 1);
        }
        assert_eq!(executor.stats().workers, 1);
    });
}

/// T05, adapted: 50 pools come and go beside one whose tasks submit tasks, and nothing hangs.
#[test]
fn test_hang_global_shutdown_lock() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let handle = executor.handle();
        let submitting = executor.submit(
            move |count| {
                let futures: Vec<_> = (0..count).map(|n| handle.submit(|n: usize| n, n)).collect();
                futures.into_iter().map(|future| future.result().unwrap()).sum::<usize>()
            },
            1000,
        );
        for _ in 0..50 {
            let pool = ThreadPoolExecutor::new(2).unwrap();
            assert_eq!(pool.submit(|n| n, 1).result().unwrap(), 1);
        }
        assert_eq!(submitting.result().unwrap(), 499_500);
    });
}

/// T07: the deadline of a map cancels the awaited item and the later ones; none ever starts.
#[test]
fn test_executor_map_current_future_cancel() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let started = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&started);
        let count = move |_| _ = counter.fetch_add(1, Ordering::SeqCst);
        let options = MapOptions::new().timeout(Duration::from_millis(1)).chunksize(items(1));
        let mut results = executor.map_with(options, count, 0..3);
        assert!(results.next().unwrap().is_err());
        gate.open();
        executor.shutdown(true, false);
        assert_eq!(started.load(Ordering::SeqCst), 0);
    });
}
