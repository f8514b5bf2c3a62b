//! What holds for executors of every kind, on processes.

use crate::common::{BOUND, FarGate, within};
use crate::{items, pass, pool, quotient};
use concurrent_futures::{BuildError, MapOptions, ProcessPoolExecutor, Promise, TaskErrorKind};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// E01: the value of a submitted call comes back through its future.
#[test]
fn test_submit() {
    within(|| {
        let executor = pool(2);
        let future = executor.submit(|(base, exponent)| u32::pow(base, exponent), (2, 8));
        assert_eq!(future.result().unwrap(), 256);
    });
}

/// E02, adapted: what Python passes by keyword is part of the argument.
#[test]
fn test_submit_keyword() {
    within(|| {
        let executor = pool(2);
        let call = |(argument, this, function): (u32, u32, u32)| (argument, this, function);
        let future = executor.submit(call, (16, 1, 2));
        assert_eq!(future.result().unwrap(), (16, 1, 2));
    });
}

/// E03, adapted: a map over two zipped inputs equals the serial one, in chunks of three too.
#[test]
fn test_map() {
    within(|| {
        let executor = pool(2);
        let input = || (0..10).zip(1..11);
        let serial: Vec<_> = input().map(quotient).collect();
        let parallel: Result<Vec<_>, _> = executor.map(quotient, input()).collect();
        let options = MapOptions::new().chunksize(items(3));
        let chunked: Result<Vec<_>, _> = executor.map_with(options, quotient, input()).collect();
        assert_eq!((parallel.unwrap(), chunked.unwrap()), (serial.clone(), serial));
    });
}

/// E04: an error is handed out at its position and what follows it follows, in chunks too.
#[test]
fn test_map_exception() {
    within(|| {
        let executor = pool(2);
        for chunksize in [1, 2, 3, 6] {
            let options = MapOptions::new().chunksize(items(chunksize));
            let input = [(6, 3), (5, 0), (8, 2), (9, 3), (7, 0), (1, 1)];
            let results: Vec<_> = executor
                .map_with(options, quotient, input)
                .map(|result| result.map_err(|error| error.is_panic()))
                .collect();
            assert_eq!(results, [Ok(2), Err(true), Ok(4), Ok(3), Err(true), Ok(1)]);
        }
    });
}

/// E05: a task whose own wait ran out of time fails alone; the map's deadline is another thing.
#[test]
fn test_map_timeout_from_callable() {
    within(|| {
        let executor = pool(2);
        let wait_for_nothing = |n: u32| {
            let (_promise, never) = Promise::<u32>::new();
            if n == 1 {
                never.result_timeout(Duration::ZERO).unwrap().unwrap();
            }
            n
        };
        let options = MapOptions::new().timeout(BOUND).chunksize(items(1));
        let results: Vec<_> = executor
            .map_with(options, wait_for_nothing, 0..3)
            .map(|result| result.map_err(|error| error.is_panic()))
            .collect();
        assert_eq!(results, [Ok(0), Err(true), Ok(2)]);
    });
}

/// E06: an item that is not ready at the deadline gives that error, once, and the iterator stays
/// exhausted.
#[test]
fn test_map_timeout() {
    within(|| {
        let executor = pool(2);
        let gate = FarGate::new();
        let options = MapOptions::new().timeout(Duration::from_millis(1));
        let mut results = executor.map_with(options, pass, [gate.latch(), gate.latch()]);
        let error = results.next().unwrap().unwrap_err();
        assert!(matches!(error.kind(), TaskErrorKind::DeadlinePassed { .. }), "{error}");
        assert!(results.next().is_none() && results.next().is_none());
    });
}

/// E07: a map that is closed early is exhausted for good, also within a chunk.
#[test]
fn test_map_close() {
    within(|| {
        let executor = pool(2);
        for chunksize in [1, 2, 5] {
            let options = MapOptions::new().chunksize(items(chunksize)).eager();
            let mut results = executor.map_with(options, |n: u32| n, 0..5);
            assert_eq!(results.next().unwrap().unwrap(), 0);
            results.close();
            assert!(results.next().is_none() && results.next().is_none());
        }
    });
}

/// E10: with room for 1, 2, n and 2n items, every result comes, in order.
#[test]
fn test_map_buffersize() {
    within(|| {
        let executor = pool(2);
        for buffersize in [1, 2, 4, 8] {
            let options = MapOptions::new().buffersize(items(buffersize));
            let results: Result<Vec<_>, _> =
                executor.map_with(options, |n: u32| n * 10, 0..4).collect();
            assert_eq!(results.unwrap(), [0, 10, 20, 30]);
        }
    });
}

/// E11, adapted: the same with two zipped inputs.
#[test]
fn test_map_buffersize_on_multiple_iterables() {
    within(|| {
        let executor = pool(2);
        for buffersize in [1, 2, 4, 8] {
            let options = MapOptions::new().buffersize(items(buffersize));
            let input = (0..4).zip(10..14);
            let results: Result<Vec<_>, _> =
                executor.map_with(options, |(a, b): (u32, u32)| a * b, input).collect();
            assert_eq!(results.unwrap(), [0, 11, 24, 39]);
        }
    });
}

/// E12: an endless input gives its first results.
#[test]
fn test_map_buffersize_on_infinite_iterable() {
    within(|| {
        let executor = pool(2);
        let options = MapOptions::new().buffersize(items(2));
        let results = executor.map_with(options, |n: u64| n + 1, 0..);
        let first: Result<Vec<_>, _> = results.take(3).collect();
        assert_eq!(first.unwrap(), [1, 2, 3]);
    });
}

/// E13, adapted: the same with two endless inputs, zipped.
#[test]
fn test_map_buffersize_on_multiple_infinite_iterables() {
    within(|| {
        let executor = pool(2);
        let options = MapOptions::new().buffersize(items(2));
        let input = (0_u64..).zip(100..);
        let results = executor.map_with(options, |(a, b): (u64, u64)| a + b, input);
        let first: Result<Vec<_>, _> = results.take(3).collect();
        assert_eq!(first.unwrap(), [100, 102, 104]);
    });
}

/// E14: an empty input gives nothing.
#[test]
fn test_map_buffersize_on_empty_iterable() {
    within(|| {
        let executor = pool(2);
        let options = MapOptions::new().buffersize(items(2));
        let mut results = executor.map_with(options, |n: u32| n, []);
        assert!(results.next().is_none());
    });
}

/// E16: a map that is not read takes exactly `buffersize` items from its input.
#[test]
fn test_map_buffersize_when_buffer_is_full() {
    within(|| {
        let executor = pool(2);
        let taken = Arc::new(AtomicUsize::new(0));
        let input = (0..8).inspect({
            let taken = Arc::clone(&taken);
            move |_| _ = taken.fetch_add(1, Ordering::SeqCst)
        });
        let options = MapOptions::new().buffersize(items(4));
        let unread = executor.map_with(options, |n: u32| n, input);
        executor.shutdown(true, false);
        assert_eq!(taken.load(Ordering::SeqCst), 4);
        drop(unread);
    });
}

/// E17: a shutdown right after one more task than there are workers does not hang.
#[test]
fn test_shutdown_race_issue12456() {
    within(|| {
        for _ in 0..20 {
            let executor = pool(2);
            let futures = executor.submit_all(|n: u32| n, 0..3);
            executor.shutdown(true, false);
            assert!(futures.iter().all(|future| future.done()));
        }
    });
}

/// A value of which it is counted how many there are in this process.
#[derive(Serialize)]
struct Counted;

static ALIVE: AtomicUsize = AtomicUsize::new(0);

impl Counted {
    fn new() -> Counted {
        ALIVE.fetch_add(1, Ordering::SeqCst);
        Counted
    }
}

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: serde::Deserializer<'de>>(source: D) -> Result<Counted, D::Error> {
        <()>::deserialize(source).map(|()| Counted::new())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// E18, adapted: the argument is dropped here when it has been encoded.
#[test]
fn test_no_stale_references() {
    within(|| {
        let executor = pool(1);
        let future = executor.submit(|_: Counted| ALIVE.load(Ordering::SeqCst), Counted::new());
        assert_eq!(ALIVE.load(Ordering::SeqCst), 0);
        assert_eq!(future.result().unwrap(), 1);
    });
}

/// P07, adapted: it is dropped in the worker when the task is over.
#[test]
fn test_ressources_gced_in_workers() {
    within(|| {
        let executor = pool(1);
        let count = |_: (Vec<u8>, Dropped)| DROPPED.load(Ordering::SeqCst);
        let during = executor.submit(count, (vec![0; 1000], Dropped));
        let after = executor.submit(|()| DROPPED.load(Ordering::SeqCst), ());
        assert_eq!((during.result().unwrap(), after.result().unwrap()), (0, 1));
    });
}

static DROPPED: AtomicUsize = AtomicUsize::new(0);

#[derive(Serialize, Deserialize)]
struct Dropped;

impl Drop for Dropped {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, Ordering::SeqCst);
    }
}

/// E19, adapted: no workers at all is an error of the constructor.
#[test]
fn test_max_workers_negative() {
    assert!(matches!(ProcessPoolExecutor::new(0), Err(BuildError::ZeroWorkers)));
}

/// E20, adapted: what the map hands out is the caller's alone, which is so by its type; and the map
/// keeps no results of what it has handed out.
#[test]
fn test_free_reference() {
    within(|| {
        let executor = pool(2);
        let mut results = executor.map(|n: usize| vec![n; n], 0..10);
        for n in 0..10 {
            assert_eq!(results.next().unwrap().unwrap(), vec![n; n]);
            assert_eq!(results.size_hint(), (9 - n, Some(9 - n)));
        }
    });
}
