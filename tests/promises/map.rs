//! `map`: lazy, bounded, in order or not, and what ends it (G07, G26, G27).

use crate::common::{Drops, Gate, eventually, occupy, within};
use concurrent_futures::{
    MapOptions, TaskErrorKind, TaskOptions, ThreadPoolExecutor, WhenFull, cancellation_requested,
};
use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

fn items(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

/// G07: no more items than the bound have ever been taken and not handed out, for any chunk size.
#[test]
fn the_buffersize_is_never_exceeded() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        for (buffersize, chunksize) in [(1, 1), (3, 1), (3, 2), (5, 9), (16, 4), (100, 7)] {
            let taken = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&taken);
            let input = (0..200).inspect(move |_| _ = counter.fetch_add(1, Ordering::SeqCst));
            let options =
                MapOptions::new().buffersize(items(buffersize)).chunksize(items(chunksize));
            let mut handed_out = 0;
            for result in executor.map_with(options, |n| n, input) {
                assert_eq!(result.unwrap(), handed_out);
                handed_out += 1;
                let taken = taken.load(Ordering::SeqCst);
                assert!(taken <= handed_out + buffersize, "{taken} taken, {handed_out} handed out");
            }
            assert_eq!(handed_out, 200);
        }
    });
}

/// G07: the same while chunk sizes are found by measuring.
#[test]
fn the_buffersize_is_never_exceeded_while_measuring() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&taken);
        let input = (0..20_000).inspect(move |_| _ = counter.fetch_add(1, Ordering::SeqCst));
        let options = MapOptions::new().buffersize(items(64));
        let mut handed_out = 0;
        for result in executor.map_with(options, |n| n, input) {
            assert_eq!(result.unwrap(), handed_out);
            handed_out += 1;
            assert!(taken.load(Ordering::SeqCst) <= handed_out + 64);
        }
        assert_eq!(handed_out, 20_000);
    });
}

/// G07: a plain map reads an endless input only as far as its results are read.
#[test]
fn endless_input_is_safe_by_default() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let results = executor.map(|n: u64| n * 2, 0..);
        let first: Result<Vec<_>, _> = results.take(1000).collect();
        assert_eq!(first.unwrap(), (0..1000).map(|n| n * 2).collect::<Vec<_>>());
    });
}

/// A map that is closed cancels what has not begun and asks what is running to stop.
#[test]
fn closing_stops_what_is_on_its_way() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let (begun, has_begun) = mpsc::channel();
        let task = move |n: u32| {
            begun.send(n).unwrap();
            while !cancellation_requested() {
                std::thread::yield_now();
            }
        };
        let mut results = executor.map_with(MapOptions::new().chunksize(items(1)), task, 0..4);
        assert_eq!(has_begun.recv().unwrap(), 0);
        results.close();
        assert!(results.next().is_none());
        executor.shutdown(true, false);
        assert!(has_begun.try_recv().is_err(), "nothing else has begun");
    });
}

/// A map that is dropped does the same, although iteration had not begun.
#[test]
fn dropping_an_unread_map_cancels_what_has_not_begun() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let ran = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&ran);
        drop(executor.map(move |_| counter.fetch_add(1, Ordering::SeqCst), 0..10));
        gate.open();
        executor.shutdown(true, false);
        assert_eq!(ran.load(Ordering::SeqCst), 0);
    });
}

/// A panic of the input goes through to the reader, and what was on its way is cancelled.
#[test]
fn a_panic_of_the_input_reaches_the_reader() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let input = (0..10).inspect(|n| assert!(*n < 5, "the input is broken"));
        let options = MapOptions::new().buffersize(items(2));
        let mut results = executor.map_with(options, |n| n, input);
        let mut read = Vec::new();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            results.by_ref().for_each(|result| read.push(result.unwrap()));
        }));
        assert!(panicked.is_err());
        assert!(read.len() < 5 && read.iter().copied().eq(0..read.len()), "{read:?}");
        drop(results);
        assert_eq!(executor.spawn(|| 1).result().unwrap(), 1);
    });
}

/// G27: an unordered map gives each result once, and first what is done first.
#[test]
fn an_unordered_map_gives_first_what_is_done_first() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let gate = Gate::new();
        let latch = gate.latch();
        let task = move |n: u32| {
            if n == 0 {
                latch.pass();
            }
            n
        };
        let options = MapOptions::new().unordered().chunksize(items(1));
        let mut results = executor.map_with(options, task, 0..10).map(Result::unwrap);
        let mut seen: HashSet<_> = results.by_ref().take(9).collect();
        assert!(!seen.contains(&0), "the first item is not done yet");
        gate.open();
        seen.extend(results);
        assert_eq!(seen, (0..10).collect());
    });
}

/// The size hint is exact as long as nothing can end the iteration early.
#[test]
fn the_size_hint_counts_what_is_left() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let mut results = executor.map(|n| n, 0..100);
        for left in (0..100).rev() {
            results.next().unwrap().unwrap();
            assert_eq!(results.size_hint(), (left, Some(left)));
        }
        results.close();
        assert_eq!(results.size_hint(), (0, Some(0)));
    });
}

/// A shutdown in the middle gives an error for what was not taken, never a silent end.
#[test]
fn a_shutdown_mid_iteration_gives_errors() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let options = MapOptions::new().buffersize(items(2)).chunksize(items(1));
        let mut results = executor.map_with(options, |n| n, 0..10);
        assert_eq!(results.next().unwrap().unwrap(), 0);
        executor.shutdown(true, false);
        let rest: Vec<_> = results.collect();
        let (good, bad): (Vec<_>, Vec<_>) = rest.into_iter().partition(Result::is_ok);
        let good: Vec<_> = good.into_iter().map(Result::unwrap).collect();
        assert_eq!(good, [1], "what was taken is handed out");
        assert!(bad.first().unwrap().as_ref().unwrap_err().is_refused());
    });
}

/// So does a shutdown that cancels.
#[test]
fn a_cancelling_shutdown_mid_iteration_gives_errors() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let options = MapOptions::new().buffersize(items(2)).chunksize(items(1));
        let mut results = executor.map_with(options, |n| n, 0..10);
        executor.shutdown(false, true);
        gate.open();
        assert!(results.next().unwrap().unwrap_err().is_cancelled());
        assert!(results.all(|result| result.is_err()));
    });
}

/// G26: the deadline is counted from the call, not from the first `next`.
#[test]
fn the_deadline_is_counted_from_the_call() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let _gate = occupy(&executor, 1);
        let limit = Duration::from_millis(20);
        // If `next` gave it all the time once more, it would never be faster than that.
        let is_over_at_once = (0..50).any(|_| {
            let called = Instant::now();
            let mut results = executor.map_with(MapOptions::new().timeout(limit), |n| n, 0..3);
            eventually(|| called.elapsed() > limit);
            let read = Instant::now();
            assert!(results.next().unwrap().is_err());
            read.elapsed() < limit
        });
        assert!(is_over_at_once);
    });
}

/// G26: results that are ready are handed out even after the deadline.
#[test]
fn ready_results_are_handed_out_after_the_deadline() {
    within(|| {
        for unordered in [false, true] {
            let executor = ThreadPoolExecutor::new(2).unwrap();
            let gate = Gate::new();
            let latch = gate.latch();
            let task = move |n| {
                if n == 2 {
                    latch.pass();
                }
                n
            };
            let options = MapOptions::new().timeout(Duration::ZERO).chunksize(items(1)).eager();
            let options = if unordered { options.unordered() } else { options };
            let mut results = executor.map_with(options, task, 0..3);
            eventually(|| executor.stats().finished == 2);
            let mut ready = [results.next(), results.next()].map(|it| it.unwrap().unwrap());
            ready.sort();
            assert_eq!(ready, [0, 1]);
            let error = results.next().unwrap().unwrap_err();
            assert!(matches!(error.kind(), TaskErrorKind::DeadlinePassed { .. }), "{error}");
            assert!(results.next().is_none());
        }
    });
}

/// G07: chunks of any size give the same results in the same order.
#[test]
fn any_chunksize_gives_the_same_results() {
    within(|| {
        let executor = ThreadPoolExecutor::new(3).unwrap();
        for chunksize in [1, 2, 6, 40, 50, 1000] {
            let options = MapOptions::new().chunksize(items(chunksize));
            let results: Result<Vec<_>, _> =
                executor.map_with(options, |n| n * n, 0..100).collect();
            assert_eq!(results.unwrap(), (0..100).map(|n| n * n).collect::<Vec<_>>());
        }
    });
}

/// G07: a map over a pool whose bounded queue is small gets through all the same.
#[test]
fn a_map_over_a_small_queue_gets_through() {
    within(|| {
        let builder = ThreadPoolExecutor::builder().max_workers(2);
        let executor = builder.queue_capacity(1, WhenFull::Block).build().unwrap();
        let sum: u32 = executor.map(|n: u32| n, 0..1000).map(Result::unwrap).sum();
        assert_eq!(sum, 499_500);
    });
}

/// G04: with a timeout for its tasks, a map gives that error at its position and goes on.
#[test]
fn a_task_of_a_map_may_time_out_alone() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let hasty = executor.with(TaskOptions::new().timeout(Duration::from_millis(100)));
        let task = |n| {
            while n == 1 && !cancellation_requested() {
                std::thread::yield_now();
            }
            n
        };
        let options = MapOptions::new().chunksize(items(1));
        let second = hasty.map_with(options, task, 0..3).nth(1).unwrap();
        assert!(second.unwrap_err().is_timed_out());
    });
}

/// What a map has not handed out when it is dropped is dropped too.
#[test]
fn results_that_nobody_reads_are_dropped() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let drops = Drops::new();
        let source = drops.clone();
        let options = MapOptions::new().eager();
        let mut results = executor.map_with(options, move |_| source.token(), 0..10);
        let first = results.next().unwrap().unwrap();
        executor.shutdown(true, false);
        drop(results);
        assert_eq!(drops.count(), 9);
        drop(first);
    });
}

/// A map with a limit that no clock can name has none.
#[test]
fn an_unreachable_deadline_is_no_deadline() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let options = MapOptions::new().timeout(Duration::MAX);
        let sum: u32 = executor.map_with(options, |n: u32| n, 0..10).map(Result::unwrap).sum();
        assert_eq!(sum, 45);
        let one = executor.spawn(|| 1).result_timeout(Duration::MAX);
        assert_eq!(one.unwrap().unwrap(), 1);
    });
}

#[test]
fn options_can_be_compared() {
    let options = || MapOptions::new().chunksize(items(2)).unordered();
    assert_eq!(options(), options());
    assert_ne!(options(), options().eager());
}
