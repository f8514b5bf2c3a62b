//! CPython's own tests of executors, thread pools, shutdown and initializers, for this crate.
//!
//! Each test has the name of its original, so that the two lists can be held side by side. The
//! table of all of them, and why some are missing, is in `docs/parity-executor.md`.

mod common;

use common::{Drops, Gate, eventually, in_child, is_broken, is_shut_down, occupy, printed};
use common::{until_idle, within};
use concurrent_futures::{
    BuildError, Executor, MapOptions, Promise, TaskErrorKind, ThreadPoolExecutor,
};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

fn items(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

/// What the tests of `map` calculate: panics where `divisor` is zero.
fn quotient((dividend, divisor): (u32, u32)) -> u32 {
    dividend / divisor
}

mod executor {
    use super::*;

    /// E01: the value of a submitted call comes back through its future.
    #[test]
    fn test_submit() {
        within(|| {
            let executor = ThreadPoolExecutor::new(2).unwrap();
            let future = executor.submit(|(base, exponent)| u32::pow(base, exponent), (2, 8));
            assert_eq!(future.result().unwrap(), 256);
        });
    }

    /// E02, adapted: what Python passes by keyword, a closure captures.
    #[test]
    fn test_submit_keyword() {
        within(|| {
            let executor = ThreadPoolExecutor::new(2).unwrap();
            let (this, function) = (1, 2);
            let future = executor.submit(move |argument| (argument, this, function), 16);
            assert_eq!(future.result().unwrap(), (16, 1, 2));
        });
    }

    /// E03, adapted: a map over two zipped inputs equals the serial one, in chunks of three too.
    #[test]
    fn test_map() {
        within(|| {
            let executor = ThreadPoolExecutor::new(2).unwrap();
            let input = || (0..10).zip(1..11);
            let serial: Vec<_> = input().map(quotient).collect();
            let parallel: Result<Vec<_>, _> = executor.map(quotient, input()).collect();
            let options = MapOptions::new().chunksize(items(3));
            let chunked: Result<Vec<_>, _> =
                executor.map_with(options, quotient, input()).collect();
            assert_eq!((parallel.unwrap(), chunked.unwrap()), (serial.clone(), serial));
        });
    }

    /// E04: an error is handed out at its position and what follows it follows, in chunks too.
    #[test]
    fn test_map_exception() {
        within(|| {
            let executor = ThreadPoolExecutor::new(2).unwrap();
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
            let executor = ThreadPoolExecutor::new(2).unwrap();
            let wait_for_nothing = |n: u32| {
                let (_promise, never) = Promise::<u32>::new();
                if n == 1 {
                    never.result_timeout(Duration::ZERO).unwrap().unwrap();
                }
                n
            };
            let options = MapOptions::new().timeout(common::BOUND).chunksize(items(1));
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
            let executor = ThreadPoolExecutor::new(2).unwrap();
            let gate = Gate::new();
            let latch = gate.latch();
            let options = MapOptions::new().timeout(Duration::from_millis(1));
            let mut results = executor.map_with(options, move |()| latch.pass(), [(), ()]);
            let error = results.next().unwrap().unwrap_err();
            assert!(matches!(error.kind(), TaskErrorKind::DeadlinePassed { .. }), "{error}");
            assert!(results.next().is_none() && results.next().is_none());
        });
    }

    /// E07: a map that is closed early is exhausted for good, also within a chunk.
    #[test]
    fn test_map_close() {
        within(|| {
            let executor = ThreadPoolExecutor::new(2).unwrap();
            for chunksize in [1, 2, 5] {
                let options = MapOptions::new().chunksize(items(chunksize)).eager();
                let mut results = executor.map_with(options, |n| n, 0..5);
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
            let executor = ThreadPoolExecutor::new(2).unwrap();
            for buffersize in [1, 2, 4, 8] {
                let options = MapOptions::new().buffersize(items(buffersize));
                let results: Result<Vec<_>, _> =
                    executor.map_with(options, |n| n * 10, 0..4).collect();
                assert_eq!(results.unwrap(), [0, 10, 20, 30]);
            }
        });
    }

    /// E11, adapted: the same with two zipped inputs.
    #[test]
    fn test_map_buffersize_on_multiple_iterables() {
        within(|| {
            let executor = ThreadPoolExecutor::new(2).unwrap();
            for buffersize in [1, 2, 4, 8] {
                let options = MapOptions::new().buffersize(items(buffersize));
                let input = (0..4).zip(10..14);
                let results: Result<Vec<_>, _> =
                    executor.map_with(options, |(a, b)| a * b, input).collect();
                assert_eq!(results.unwrap(), [0, 11, 24, 39]);
            }
        });
    }

    /// E12: an endless input gives its first results.
    #[test]
    fn test_map_buffersize_on_infinite_iterable() {
        within(|| {
            let executor = ThreadPoolExecutor::new(2).unwrap();
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
            let executor = ThreadPoolExecutor::new(2).unwrap();
            let options = MapOptions::new().buffersize(items(2));
            let input = (0_u64..).zip(100..);
            let results = executor.map_with(options, |(a, b)| a + b, input);
            let first: Result<Vec<_>, _> = results.take(3).collect();
            assert_eq!(first.unwrap(), [100, 102, 104]);
        });
    }

    /// E14: an empty input gives nothing.
    #[test]
    fn test_map_buffersize_on_empty_iterable() {
        within(|| {
            let executor = ThreadPoolExecutor::new(2).unwrap();
            let options = MapOptions::new().buffersize(items(2));
            let mut results = executor.map_with(options, |n: u32| n, []);
            assert!(results.next().is_none());
        });
    }

    /// E16: a map that is not read takes exactly `buffersize` items from its input.
    #[test]
    fn test_map_buffersize_when_buffer_is_full() {
        within(|| {
            let executor = ThreadPoolExecutor::new(2).unwrap();
            let taken = Arc::new(AtomicUsize::new(0));
            let input = (0..8).inspect({
                let taken = Arc::clone(&taken);
                move |_| _ = taken.fetch_add(1, Ordering::SeqCst)
            });
            let options = MapOptions::new().buffersize(items(4));
            let unread = executor.map_with(options, |n| n, input);
            executor.shutdown(true, false);
            assert_eq!(taken.load(Ordering::SeqCst), 4);
            drop(unread);
        });
    }

    /// E17: a shutdown right after one more task than there are workers does not hang.
    #[test]
    fn test_shutdown_race_issue12456() {
        within(|| {
            for _ in 0..100 {
                let executor = ThreadPoolExecutor::new(2).unwrap();
                let futures = executor.submit_all(str::len, ["", "a", "ab"]);
                executor.shutdown(true, false);
                assert!(futures.iter().all(|future| future.done()));
            }
        });
    }

    /// E18, adapted: what a detached task captured is dropped once the task is over.
    #[test]
    fn test_no_stale_references() {
        within(|| {
            let executor = ThreadPoolExecutor::new(2).unwrap();
            let drops = Drops::new();
            let token = drops.token();
            drop(executor.spawn(move || drop(token)));
            eventually(|| drops.count() == 1);
        });
    }

    /// E19, adapted: no workers at all is an error of the constructor.
    #[test]
    fn test_max_workers_negative() {
        assert!(matches!(ThreadPoolExecutor::new(0), Err(BuildError::ZeroWorkers)));
    }

    /// E20, adapted: the map keeps nothing of a result that it has handed out.
    #[test]
    fn test_free_reference() {
        within(|| {
            let executor = ThreadPoolExecutor::new(2).unwrap();
            for result in executor.map(Arc::new, 0..10) {
                let value = result.unwrap();
                let kept = Arc::downgrade(&value);
                drop(value);
                assert!(kept.upgrade().is_none());
            }
        });
    }
}

mod thread_pool {
    use super::*;

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
                    let futures: Vec<_> =
                        (0..count).map(|n| handle.submit(|n: usize| n, n)).collect();
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
}

mod shutdown {
    use super::*;

    /// S01: a submission after shutdown is refused, and says so.
    #[test]
    fn test_run_after_shutdown() {
        within(|| {
            let executor = ThreadPoolExecutor::new(2).unwrap();
            executor.shutdown(true, false);
            assert!(is_shut_down(&executor.submit(|n| n, 1).result().unwrap_err()));
        });
    }

    /// S02, adapted: a task that is pending when `main` ends completes, since the executor is
    /// dropped there.
    #[test]
    fn test_interpreter_shutdown() {
        let output = in_child("shutdown::test_interpreter_shutdown", || {
            let executor = ThreadPoolExecutor::new(1).unwrap();
            let (go, may_go) = mpsc::channel();
            drop(executor.submit(|may_go: mpsc::Receiver<()>| may_go.recv(), may_go));
            drop(executor.spawn(|| println!("apple")));
            go.send(()).unwrap();
        });
        if let Some(output) = output {
            assert!(printed(&output).contains("apple\n"));
        }
    }

    /// S04: 50 short tasks all complete across a waiting shutdown.
    #[test]
    fn test_hang_issue12364() {
        within(|| {
            let executor = ThreadPoolExecutor::new(2).unwrap();
            let futures = executor.submit_all(|n| n, 0..50);
            executor.shutdown(true, false);
            let sum: u32 = futures.into_iter().map(|future| future.result().unwrap()).sum();
            assert_eq!(sum, 1225);
        });
    }

    /// S05: a cancelling shutdown cancels what has not begun; the rest finishes.
    #[test]
    fn test_cancel_futures() {
        within(|| {
            let executor = ThreadPoolExecutor::new(2).unwrap();
            let gate = Gate::new();
            let futures: Vec<_> = (0..50)
                .map(|_| {
                    let latch = gate.latch();
                    executor.spawn(move || latch.pass())
                })
                .collect();
            eventually(|| executor.stats().running == 2);
            let handle = executor.handle();
            let closer = std::thread::spawn(move || handle.shutdown(true, true));
            futures[49].wait();
            gate.open();
            closer.join().unwrap();
            let cancelled = futures.iter().filter(|future| future.cancelled()).count();
            let finished = futures.into_iter().filter_map(|future| future.result().ok()).count();
            assert_eq!((cancelled, finished), (48, 2));
        });
    }

    /// S06, adapted: after a shutdown that did not wait, the end of `main` does.
    #[test]
    fn test_hang_gh83386() {
        let output = in_child("shutdown::test_hang_gh83386", || {
            let executor = ThreadPoolExecutor::new(1).unwrap();
            let (go, may_go) = mpsc::channel();
            let task = |may_go: mpsc::Receiver<()>| {
                may_go.recv().unwrap();
                println!("apple");
            };
            drop(executor.submit(task, may_go));
            executor.shutdown(false, false);
            go.send(()).unwrap();
        });
        if let Some(output) = output {
            assert!(printed(&output).contains("apple\n"));
        }
    }

    /// S07: submit, cancel, and a waiting shutdown: it returns.
    #[test]
    fn test_hang_gh94440() {
        within(|| {
            let executor = ThreadPoolExecutor::new(1).unwrap();
            executor.submit(|n| n, 1).result().unwrap();
            let gate = occupy(&executor, 1);
            let future = executor.submit(|n| n, 2);
            assert!(future.cancel());
            gate.open();
            executor.shutdown(true, true);
            assert!(future.cancelled());
        });
    }

    /// S08: three blocked tasks make three threads; after shutdown all of them have ended.
    #[test]
    fn test_threads_terminate() {
        within(|| {
            let executor = ThreadPoolExecutor::new(5).unwrap();
            let gate = occupy(&executor, 3);
            assert_eq!(executor.stats().workers, 3);
            gate.open();
            executor.shutdown(true, false);
            assert_eq!(executor.stats().workers, 0);
        });
    }

    /// S09: at the end of the executor's scope its threads have ended, and the results are right.
    #[test]
    fn test_context_manager_shutdown() {
        within(|| {
            let (handle, futures) = {
                let executor = ThreadPoolExecutor::new(5).unwrap();
                (executor.handle(), executor.submit_all(i32::abs, -5..5))
            };
            assert_eq!(handle.stats().workers, 0);
            let results: Result<Vec<_>, _> =
                futures.into_iter().map(|future| future.result()).collect();
            assert_eq!(results.unwrap(), [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]);
        });
    }

    /// S10, adapted: dropping the executor completes what is queued and ends the threads.
    #[test]
    fn test_del_shutdown() {
        within(|| {
            let executor = ThreadPoolExecutor::new(1).unwrap();
            let handle = executor.handle();
            let gate = occupy(&executor, 1);
            let futures = executor.submit_all(i32::abs, -5..5);
            let dropper = std::thread::spawn(move || drop(executor));
            eventually(|| handle.try_submit(|n| n, 0).is_err());
            gate.open();
            dropper.join().unwrap();
            assert_eq!(handle.stats().workers, 0);
            let results: Result<Vec<_>, _> =
                futures.into_iter().map(|future| future.result()).collect();
            assert_eq!(results.unwrap(), [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]);
        });
    }

    /// S11: after a shutdown that does not wait, results complete and threads end by themselves.
    #[test]
    fn test_shutdown_no_wait() {
        within(|| {
            let executor = ThreadPoolExecutor::new(1).unwrap();
            let gate = occupy(&executor, 1);
            let futures = executor.submit_all(i32::abs, -5..5);
            executor.shutdown(false, false);
            gate.open();
            let results: Result<Vec<_>, _> =
                futures.into_iter().map(|future| future.result()).collect();
            assert_eq!(results.unwrap(), [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]);
            eventually(|| executor.stats().workers == 0);
        });
    }

    fn names_of_five_threads(executor: &ThreadPoolExecutor) -> Vec<String> {
        let barrier = Arc::new(Barrier::new(5));
        let name = move |_| {
            barrier.wait();
            std::thread::current().name().unwrap().to_owned()
        };
        let futures = executor.submit_all(name, 0..5);
        let mut names: Vec<_> =
            futures.into_iter().map(|future| future.result().unwrap()).collect();
        names.sort();
        names
    }

    /// S12: threads are called by the given prefix and an index from 0.
    #[test]
    fn test_thread_names_assigned() {
        within(|| {
            let builder = ThreadPoolExecutor::builder().max_workers(5);
            let executor = builder.thread_name_prefix("SpecialPool").build().unwrap();
            let expected = [0, 1, 2, 3, 4].map(|index| format!("SpecialPool_{index}"));
            assert_eq!(names_of_five_threads(&executor), expected);
        });
    }

    /// S13, adapted: default names have the kind of pool, its number, and the thread's index.
    #[test]
    fn test_thread_names_default() {
        within(|| {
            let executor = ThreadPoolExecutor::new(5).unwrap();
            for (index, name) in names_of_five_threads(&executor).iter().enumerate() {
                let rest = name.strip_prefix("ThreadPool-").expect(name);
                let (number, last) = rest.split_once('_').expect(name);
                number.parse::<u32>().expect(name);
                assert_eq!(last, index.to_string());
            }
        });
    }

    /// S14, adapted: a cancelling shutdown that does not wait, then the end of `main`: the task ran
    /// or did not, and either is a good end.
    #[test]
    fn test_cancel_futures_wait_false() {
        let output = in_child("shutdown::test_cancel_futures_wait_false", || {
            let executor = ThreadPoolExecutor::new(1).unwrap();
            drop(executor.spawn(|| println!("apple")));
            executor.shutdown(false, true);
        });
        if let Some(output) = output {
            assert!(printed(&output).matches("apple\n").count() <= 1);
        }
    }

    /// S01 once more, by way of the trait that all executors share.
    #[test]
    fn test_run_after_shutdown_of_any_executor() {
        fn ends(executor: &impl Executor) -> bool {
            executor.shutdown(true, false);
            is_shut_down(&executor.submit(u64::count_ones, 3).result().unwrap_err())
        }
        within(|| assert!(ends(&ThreadPoolExecutor::new(2).unwrap())));
    }
}

mod init {
    use super::*;

    mod initializer_mixin {
        use super::*;

        /// I01: every task sees the state that its worker's initializer made.
        #[test]
        fn test_initializer() {
            within(|| {
                let builder = ThreadPoolExecutor::builder().max_workers(2);
                let executor = builder.initializer(|| "initialized").build().unwrap();
                let futures: Vec<_> = (0..20)
                    .map(|n| executor.submit_with_state(|state, n| (*state, n), n))
                    .collect();
                for (n, future) in futures.into_iter().enumerate() {
                    assert_eq!(future.result().unwrap(), ("initialized", n));
                }
            });
        }
    }

    mod failing_initializer_mixin {
        use super::*;

        /// I02: after a failing initializer the future says that the pool broke, and so does every
        /// later submission.
        #[test]
        fn test_initializer() {
            within(|| {
                let builder = ThreadPoolExecutor::builder().max_workers(2);
                let executor = builder.try_initializer(|| Err::<(), _>("no luck")).build().unwrap();
                let error = executor.spawn(|| ()).result().unwrap_err();
                assert!(is_broken(&error), "{error}");
                let error = executor.spawn(|| ()).result().unwrap_err();
                assert!(is_broken(&error), "{error}");
            });
        }
    }

    mod failing_initializer_resources {
        use super::*;

        /// I03, adapted: a failed initializer leaves no thread behind.
        #[test]
        fn test_spawn() {
            within(|| {
                let builder = ThreadPoolExecutor::builder().max_workers(2);
                let executor = builder.try_initializer(|| Err::<(), _>("no luck")).build().unwrap();
                drop(executor.spawn(|| ()));
                executor.shutdown(true, false);
                assert_eq!(executor.stats().workers, 0);
            });
        }
    }
}
