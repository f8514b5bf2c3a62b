//! Callbacks, maps, pools within pools, what is kept, and many threads at once.

use crate::common::workers::{pool, process_of, send_signal};
use crate::common::{FarGate, FarLatch, Held};
use crate::postconditions::{goes_on, goes_on_and_ends, scenario};
use concurrent_futures::{MapOptions, ProcessPoolExecutor, SharedData, TaskError};
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

fn pass(latch: FarLatch) -> u32 {
    latch.pass();
    7
}

fn aborts(_: ()) {
    std::process::abort();
}

#[test]
fn s115_a_callback_may_submit_what_kills_the_worker() {
    scenario(|ledger| {
        let executor = pool(1);
        for _ in 0..10 {
            let handle = executor.handle();
            let (says, said) = mpsc::channel();
            let first = ledger.watch(executor.submit(|n: u32| n, 1));
            first.add_done_callback(move |_| {
                let dies = handle.submit(aborts, ());
                // On the very thread that would have to bring this.
                says.send(dies.result().unwrap_err()).unwrap();
            });
            assert_eq!(first.result().unwrap(), 1);
            let error: TaskError = said.recv().unwrap();
            assert!(error.worker_death().is_some(), "{error}");
        }
        goes_on_and_ends(executor);
    });
}

#[test]
fn s116_a_panic_of_the_input_of_a_map_comes_after_the_results_before_it() {
    scenario(|_| {
        let executor = pool(2);
        for good in [0, 1, 5, 64] {
            let items = (0..).map(|n: usize| if n == good { panic!("out of items") } else { n });
            let options = MapOptions::new().chunksize(NonZeroUsize::MIN);
            let mut results = Vec::new();
            let reads = std::panic::AssertUnwindSafe(|| {
                let results = &mut results;
                executor.map_with(options, |n: usize| n, items).for_each(|it| results.push(it));
            });
            assert!(std::panic::catch_unwind(reads).is_err());
            let results: Vec<usize> = results.into_iter().map(|it| it.unwrap()).collect();
            // Those that had been read ahead of their reader may be lost with the input.
            assert!(results.len() <= good && results.iter().copied().eq(0..results.len()));
            goes_on(&executor);
        }
        goes_on_and_ends(executor);
    });
}

#[test]
fn s117_a_map_that_is_dropped_half_way_runs_nothing_more() {
    scenario(|_| {
        let executor = pool(1);
        let gate = FarGate::new();
        let options = MapOptions::new().chunksize(NonZeroUsize::MIN);
        let latches = std::iter::repeat_with(|| gate.latch()).take(100);
        let results = executor.map_with(options, pass, latches);
        gate.await_arrivals(1);
        drop(results);
        assert_eq!(executor.stats().queued, 0);
        gate.open();
        goes_on(&executor);
        let stats = executor.stats();
        assert!(stats.finished <= 3 && stats.cancelled > 0, "{stats:?}");
        goes_on_and_ends(executor);
    });
}

fn memory() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// The catalogue lets it run for an hour. A map that kept an item for each of these would hold 30 MB.
#[test]
fn s118_an_endless_input_takes_no_more_memory_the_longer_it_is_read() {
    scenario(|_| {
        let executor = pool(2);
        let read = AtomicUsize::new(0);
        let items = std::iter::repeat_with(|| {
            read.fetch_add(1, Ordering::SeqCst);
            vec![1_u8; 2000]
        });
        let buffer = NonZeroUsize::new(64).unwrap();
        let options = MapOptions::new().buffersize(buffer);
        let mut results = executor.map_with(options, |it: Vec<u8>| it, items);
        let mut take = |count: usize| {
            results.by_ref().take(count).for_each(|it| assert_eq!(it.unwrap().len(), 2000));
        };
        take(2_000);
        let before = memory();
        take(15_000);
        let grown = memory().saturating_sub(before);
        assert!(grown < 16 << 20, "{grown} bytes more than before");
        // Whole chunks are read ahead, each of a part of the buffer.
        assert!(read.load(Ordering::SeqCst) <= 17_000 + 64);
        drop(results);
        goes_on_and_ends(executor);
    });
}

#[test]
fn s120_a_pool_in_a_worker_of_a_pool_in_a_worker_of_a_pool() {
    fn deeper(levels: u32) -> Result<u32, String> {
        let builder = ProcessPoolExecutor::builder().max_workers(1).max_depth(3);
        let executor = builder.build().map_err(|error| error.to_string())?;
        match levels {
            1 => Ok(executor.submit(|n: u32| n + 1, 0).result().unwrap()),
            _ => executor.submit(deeper, levels - 1).result().unwrap().map(|it| it + 1),
        }
    }
    scenario(|_| {
        assert_eq!(deeper(3), Ok(3));
        assert!(deeper(4).unwrap_err().contains("at depth 3"));
    });
}

#[test]
fn s121_ten_threads_submit_cancel_resize_and_shut_down_at_once() {
    scenario(|ledger| {
        for round in 0..12 {
            let executor = pool(2);
            let futures = Mutex::new(Vec::new());
            std::thread::scope(|scope| {
                for thread in 0..10_u32 {
                    let (executor, futures) = (&executor, &futures);
                    scope.spawn(move || {
                        for n in 0..100 {
                            let future = executor.submit(|n: u32| n, n);
                            match thread % 5 {
                                0 => drop(future.cancel()),
                                1 => drop(future.abort()),
                                2 => executor.resize(1 + n as usize % 3).unwrap(),
                                3 if n == 20 + round * 5 && thread == 3 => {
                                    executor.shutdown(round % 2 == 0, round % 3 == 0);
                                }
                                _ => {}
                            }
                            futures.lock().unwrap().push((n, future));
                        }
                    });
                }
            });
            for (n, future) in futures.into_inner().unwrap() {
                match ledger.watch(future).result() {
                    Ok(value) => assert_eq!(value, n),
                    Err(error) => assert!(error.is_cancelled() || error.is_refused(), "{error}"),
                }
            }
            crate::postconditions::ends(executor);
        }
    });
}

/// The catalogue wants a million.
#[test]
fn s122_many_small_tasks_leave_memory_and_descriptors_as_they_were() {
    scenario(|_| {
        let executor = pool(2);
        let work = |count: u32| {
            let futures = executor.submit_all(|n: u32| n, 0..count);
            assert!((0..).zip(futures).all(|(n, it)| it.result().unwrap() == n));
        };
        (0..3).for_each(|_| work(5_000));
        let (held, before) = (Held::now(), memory());
        (0..20).for_each(|_| work(5_000));
        let grown = memory().saturating_sub(before);
        assert!(grown < 8 << 20, "{grown} bytes more than before");
        let now = Held::now();
        assert_eq!((now.descriptors, now.children), (held.descriptors, held.children));
        goes_on_and_ends(executor);
    });
}

#[test]
fn s123_neither_argument_nor_result_is_kept_when_the_result_was_taken() {
    scenario(|ledger| {
        const LARGE: usize = 4 << 20;
        let executor = pool(1);
        let brings = || {
            let future = ledger.watch(executor.submit(|it: String| it, "x".repeat(LARGE)));
            assert_eq!(future.result().unwrap().len(), LARGE);
        };
        (0..3).for_each(|_| brings());
        let before = memory();
        // The memory that they travel through is the same for all.
        (0..40).for_each(|_| brings());
        let grown = memory().saturating_sub(before);
        assert!(grown < 5 * LARGE, "{grown} bytes more than before");
        goes_on_and_ends(executor);
    });
}

/// What the pool shares has no name, so nothing is left of it with whoever had it. That nothing of it is
/// mapped at the end either is what every scenario looks at.
#[test]
fn s124_shared_memory_goes_with_a_worker_that_is_killed_while_it_holds_it() {
    fn holds((data, large, latch): (SharedData<u64>, Vec<u8>, FarLatch)) -> (u64, Vec<u8>) {
        latch.pass();
        (data.iter().sum(), large)
    }
    scenario(|ledger| {
        let executor = pool(2);
        let data = SharedData::new(&[3_u64; 100_000]).unwrap();
        let process = process_of(&executor);
        let gate = FarGate::new();
        let arguments = || (data.clone(), vec![1; 1 << 20], gate.latch());
        let futures = executor.submit_all(holds, std::iter::repeat_with(arguments).take(2));
        let futures = ledger.watch_all(futures);
        gate.await_arrivals(2);
        send_signal(process, libc::SIGKILL);
        let [one, other] = futures.try_into().unwrap_or_else(|_| unreachable!());
        // One of the two was in that process.
        let both = std::thread::scope(|scope| {
            let one = scope.spawn(|| one.result());
            let other = scope.spawn(|| other.result());
            // Lets go whichever lives, when the dead one has been seen.
            crate::common::eventually(|| executor.stats().failed > 0);
            gate.open();
            [one.join().unwrap(), other.join().unwrap()]
        });
        assert_eq!(both.iter().filter(|it| it.is_ok()).count(), 1);
        let sums = both.into_iter().filter_map(|it| Some(it.ok()?.0));
        assert!(sums.eq([300_000]));
        goes_on_and_ends(executor);
    });
}
