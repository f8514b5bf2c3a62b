//! `map`: its bound, and what it gives if the executor refuses.

use crate::common::{BOUND, Gate, let_others_get_on, occupy, within};
use crate::support::survives;
use concurrent_futures::{MapOptions, ThreadPoolExecutor, WhenFull, cancellation_requested};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

/// The pool refuses what finds its queue full, and a map submits more than that at once: at the
/// first refusal it ended, without a word about the items that were left.
#[test]
fn a_map_over_a_full_queue_waits_instead_of_losing_items() {
    within(|| {
        let builder = ThreadPoolExecutor::builder().max_workers(1);
        let executor = builder.queue_capacity(1, WhenFull::Refuse).build().unwrap();
        let results = executor.map(|n: u32| n, 0..100);
        assert_eq!(results.map(Result::unwrap).collect::<Vec<_>>(), Vec::from_iter(0..100));
    });
}

/// `next` took the following item from the input before it handed its result out, so that for
/// whoever counted from outside one item too many was on its way.
#[test]
fn the_buffersize_holds_also_while_a_result_is_handed_out() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let handed_out = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let (before, on_their_way) = (Arc::clone(&handed_out), Arc::clone(&most));
        let input = (0..20).inspect(move |item| {
            let now = item + 1 - before.load(Ordering::SeqCst);
            on_their_way.fetch_max(now, Ordering::SeqCst);
        });
        let options = MapOptions::new().buffersize(NonZeroUsize::new(2).unwrap());
        for result in executor.map_with(options, |n| n, input) {
            result.unwrap();
            handed_out.fetch_add(1, Ordering::SeqCst);
        }
        assert_eq!(most.load(Ordering::SeqCst), 2);
    });
}

/// Panics when it is dropped, if it is one that does.
struct Bomb(bool);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 && !std::thread::panicking() {
            panic!("a result that panics when it is dropped");
        }
    }
}

/// A map that was dropped dropped the results that were ready before it cancelled the rest: if one
/// of them panicked, all the other items ran.
#[test]
fn a_map_cancels_the_rest_even_if_a_ready_result_panics() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let runs = Arc::new(AtomicUsize::new(0));
        let (release, released) = mpsc::channel::<()>();
        let (count, released) = (Arc::clone(&runs), Mutex::new(released));
        let (begun, has_begun) = mpsc::channel();
        let call = move |n: u32| {
            count.fetch_add(1, Ordering::SeqCst);
            if n == 2 {
                begun.send(()).unwrap();
                // Its sender is dropped once the map is.
                let _ = released.lock().unwrap().recv();
            }
            Bomb(n == 1)
        };
        let two = NonZeroUsize::new(2).unwrap();
        let all = NonZeroUsize::new(100).unwrap();
        let options = MapOptions::new().chunksize(two).buffersize(all);
        let mut results = executor.map_with(options, call, 0..100);
        // The first result; the second one is ready, and panics with the map.
        drop(results.next().unwrap());
        // Otherwise its chunk may be cancelled before it begins, and holds up nobody.
        has_begun.recv_timeout(BOUND).unwrap();
        let _ = catch_unwind(AssertUnwindSafe(|| drop(results)));
        drop(release);
        drop(executor);
        assert!(runs.load(Ordering::SeqCst) <= 4);
    });
}

/// Panics whenever it is dropped: two of these in one collection end the program.
struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        panic!("a value that panics when it is dropped");
    }
}

fn grenades() -> impl Iterator<Item = Grenade> {
    std::iter::repeat_with(|| Grenade).take(4)
}

fn chunks_of(items: usize) -> MapOptions {
    MapOptions::new().chunksize(NonZeroUsize::new(items).unwrap())
}

/// A map was dropped while one of its chunks ran. The items that it had not come to were dropped
/// together, on the worker: two of them that panicked ended the program.
#[test]
fn the_items_of_a_stopped_chunk_are_dropped_one_by_one() {
    survives("map::the_items_of_a_stopped_chunk_are_dropped_one_by_one", || {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = Gate::new();
        let (latch, (begun, has_begun)) = (gate.latch(), mpsc::channel());
        let call = move |item| {
            std::mem::forget(item);
            begun.send(()).unwrap();
            latch.pass();
        };
        let results = executor.map_with(chunks_of(4), call, grenades());
        has_begun.recv_timeout(BOUND).unwrap();
        drop(results);
        gate.open();
        executor.spawn(|| ()).result().unwrap();
    });
}

/// The same with a chunk that nobody had begun, whose items go with it.
#[test]
fn the_items_of_a_cancelled_chunk_are_dropped_one_by_one() {
    survives("map::the_items_of_a_cancelled_chunk_are_dropped_one_by_one", || {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let busy = occupy(&executor, 1);
        drop(executor.map_with(chunks_of(4), std::mem::forget, grenades()));
        busy.open();
        executor.spawn(|| ()).result().unwrap();
    });
}

/// The same with the results of a chunk that came to its end when nobody wanted them any more.
#[test]
fn the_results_of_an_unwanted_chunk_are_dropped_one_by_one() {
    survives("map::the_results_of_an_unwanted_chunk_are_dropped_one_by_one", || {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = Gate::new();
        let (latch, (begun, has_begun)) = (gate.latch(), mpsc::channel());
        let call = move |n| {
            if n == 3 {
                // The last item: it is too late to stop.
                begun.send(()).unwrap();
                latch.pass();
            }
            Grenade
        };
        let results = executor.map_with(chunks_of(4), call, 0..4);
        has_begun.recv_timeout(BOUND).unwrap();
        drop(results);
        gate.open();
        executor.spawn(|| ()).result().unwrap();
    });
}

/// The same with the results that a map had received and not handed out, on whichever thread it was
/// dropped.
#[test]
fn the_results_that_are_ready_are_dropped_one_by_one() {
    survives("map::the_results_that_are_ready_are_dropped_one_by_one", || {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let mut results = executor.map_with(chunks_of(4), |_| Grenade, 0..4);
        results.next().unwrap().map(std::mem::forget).unwrap();
        drop(results);
    });
}

/// The same with whole chunks of results that were done and had not been received.
#[test]
fn the_results_of_chunks_that_are_done_are_dropped_one_by_one() {
    survives("map::the_results_of_chunks_that_are_done_are_dropped_one_by_one", || {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let results = executor.map_with(chunks_of(2), |_| Grenade, 0..8);
        // The only worker comes to this last.
        executor.spawn(|| ()).result().unwrap();
        drop(results);
    });
}

/// The same with chunks that failed as a whole, by a panic of the executor's own context.
#[test]
fn the_failures_of_chunks_are_dropped_one_by_one() {
    survives("map::the_failures_of_chunks_are_dropped_one_by_one", || {
        let builder = ThreadPoolExecutor::builder().max_workers(1);
        let executor = builder.context(|| (), |(), _task| panic_any(Grenade)).build().unwrap();
        let results = executor.map_with(chunks_of(2), |n| n, 0..8);
        // The only worker comes to this last. Its failure holds one of them, too.
        std::mem::forget(executor.spawn(|| ()).exception());
        drop(results);
    });
}

/// A map that is dropped asks the chunk that runs to stop, and cancels the others: these first, or
/// the worker that stops would begin one of them.
#[test]
fn a_map_cancels_what_has_not_begun_before_anything_stops() {
    /// The first item is the one that runs. The others look, when they are dropped, whether it has
    /// been asked to stop.
    struct Item(Arc<[AtomicBool; 2]>);

    impl Drop for Item {
        fn drop(&mut self) {
            let_others_get_on();
            if self.0[0].load(Ordering::SeqCst) {
                self.0[1].store(true, Ordering::SeqCst);
            }
        }
    }

    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let seen = Arc::<[AtomicBool; 2]>::default();
        let (begun, has_begun) = mpsc::channel();
        let call = move |item: Item| {
            begun.send(()).unwrap();
            while !cancellation_requested() {
                std::thread::yield_now();
            }
            item.0[0].store(true, Ordering::SeqCst);
            std::mem::forget(item);
        };
        let items = std::iter::repeat_n(Arc::clone(&seen), 4).map(Item);
        let results = executor.map_with(chunks_of(1), call, items);
        has_begun.recv_timeout(BOUND).unwrap();
        drop(results);
        drop(executor);
        assert!(seen[0].load(Ordering::SeqCst), "what ran was asked to stop");
        assert!(!seen[1].load(Ordering::SeqCst), "not before the others were cancelled");
    });
}
