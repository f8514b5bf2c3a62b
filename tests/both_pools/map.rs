//! `map`, in all its ways.

use crate::common::{BOUND, FarGate, FarLatch, Mailbox, is_shut_down};
use crate::pools::{Handle, Pool, items, occupy, one_by_one, tell};
use concurrent_futures::{MapOptions, TaskErrorKind};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

on_both_pools! {
    results_come_in_the_order_of_the_items,
    any_chunksize_gives_the_same_results,
    an_unordered_map_gives_everything,
    an_unordered_map_gives_first_what_is_done_first,
    an_error_stands_at_its_position,
    an_endless_input_is_read_lazily,
    the_buffersize_is_never_exceeded,
    an_empty_input_gives_nothing,
    an_eager_map_needs_no_reader,
    a_deadline_ends_the_map_once,
    a_deadline_lets_ready_results_pass,
    a_closed_map_is_exhausted,
    a_closed_map_cancels_what_has_not_begun,
    a_map_after_shutdown_gives_one_refusal,
    a_cancelling_shutdown_gives_errors_and_no_silence,
    a_panic_of_the_input_reaches_the_reader,
    two_maps_may_be_read_in_turn,
    large_items_may_be_mapped,
}

fn square(n: u64) -> u64 {
    n * n
}

fn results_come_in_the_order_of_the_items<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let results: Result<Vec<_>, _> = pool.map(square, 0..5000).collect();
    assert_eq!(results.unwrap(), Vec::from_iter((0..5000).map(square)));
}

fn any_chunksize_gives_the_same_results<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    for chunksize in [1, 2, 7, 50, 1000] {
        let options = MapOptions::new().chunksize(items(chunksize));
        let results: Result<Vec<_>, _> = pool.map_with(options, square, 0..100).collect();
        assert_eq!(results.unwrap(), Vec::from_iter((0..100).map(square)));
    }
}

fn an_unordered_map_gives_everything<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    for options in [MapOptions::new(), one_by_one(), MapOptions::new().chunksize(items(7))] {
        let results = pool.map_with(options.unordered(), square, 0..300);
        let mut results: Vec<_> = results.map(Result::unwrap).collect();
        results.sort();
        assert_eq!(results, Vec::from_iter((0..300).map(square)));
    }
}

fn pass_if_given((n, latch): (u32, Option<FarLatch>)) -> u32 {
    if let Some(latch) = latch {
        latch.pass();
    }
    n
}

fn an_unordered_map_gives_first_what_is_done_first<P: Pool>(workers: usize) {
    let (pool, gate) = (P::new(workers), FarGate::new());
    // Blocked items, one less than there are workers, come first.
    let blocked = workers as u32 - 1;
    let input = (0..blocked + 2).map(|n| (n, (n < blocked).then(|| gate.latch())));
    let mut results = pool.map_with(one_by_one().unordered(), pass_if_given, input);
    let mut first: Vec<_> = results.by_ref().take(2).map(Result::unwrap).collect();
    first.sort();
    assert_eq!(first, [blocked, blocked + 1]);
    gate.open();
    assert_eq!(results.count(), blocked as usize);
}

fn an_error_stands_at_its_position<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    for chunksize in [1, 2, 3, 6, 100] {
        let options = MapOptions::new().chunksize(items(chunksize));
        let results = pool.map_with(options, |n: u32| 60 / n, [6, 0, 2, 3, 0, 1]);
        let results: Vec<_> = results.map(|it| it.map_err(|it| it.is_panic())).collect();
        assert_eq!(results, [Ok(10), Err(true), Ok(30), Ok(20), Err(true), Ok(60)]);
    }
}

fn an_endless_input_is_read_lazily<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let results = pool.map(square, 0..);
    assert_eq!(Vec::from_iter(results.take(4).map(Result::unwrap)), [0, 1, 4, 9]);
}

fn the_buffersize_is_never_exceeded<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    for buffersize in [1, 2, 5] {
        let (taken, given) = (Cell::new(0_usize), Cell::new(0_usize));
        let input = (0..50).inspect(|_| {
            taken.set(taken.get() + 1);
            assert!(taken.get() - given.get() <= buffersize);
        });
        let options = MapOptions::new().buffersize(items(buffersize));
        for (n, result) in pool.map_with(options, square, input).enumerate() {
            given.set(given.get() + 1);
            assert_eq!(result.unwrap(), square(n as u64));
        }
        assert_eq!(taken.get(), 50);
    }
}

fn an_empty_input_gives_nothing<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let mut results = pool.map(square, []);
    assert_eq!(results.size_hint(), (0, Some(0)));
    assert!(results.next().is_none() && results.next().is_none());
}

fn an_eager_map_needs_no_reader<P: Pool>(workers: usize) {
    let (pool, mail) = (P::new(workers), Mailbox::new());
    let input = (0..20).map(|n| (mail.address(), n));
    let unread = pool.map_with(one_by_one().eager(), tell, input);
    assert_eq!(mail.take(20).len(), 20);
    pool.shutdown(true, false);
    assert_eq!(unread.count(), 20);
}

fn a_deadline_ends_the_map_once<P: Pool>(workers: usize) {
    let (pool, mail) = (P::new(workers), Mailbox::new());
    let (gate, _blocked) = occupy(&pool, workers);
    let limit = Duration::from_millis(1);
    let input = (0..10).map(|n| (mail.address(), n));
    let mut results = pool.map_with(one_by_one().timeout(limit), tell, input);
    let error = results.next().unwrap().unwrap_err();
    assert!(matches!(error.kind(), TaskErrorKind::DeadlinePassed { .. }), "{error}");
    assert!(results.next().is_none() && results.next().is_none());
    gate.open();
    pool.shutdown(true, false);
    assert_eq!(mail.unread(), [""; 0]);
}

fn a_deadline_lets_ready_results_pass<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let mut results = pool.map_with(one_by_one().eager().timeout(BOUND), square, 0..10);
    assert_eq!(results.next().unwrap().unwrap(), 0);
    assert_eq!(results.count(), 9);
}

fn a_closed_map_is_exhausted<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    for chunksize in [1, 2, 5] {
        let options = MapOptions::new().chunksize(items(chunksize)).eager();
        let mut results = pool.map_with(options, square, 0..10);
        assert_eq!(results.next().unwrap().unwrap(), 0);
        results.close();
        assert!(results.next().is_none() && results.next().is_none());
    }
}

fn a_closed_map_cancels_what_has_not_begun<P: Pool>(workers: usize) {
    let (pool, mail) = (P::new(workers), Mailbox::new());
    let (gate, _blocked) = occupy(&pool, workers);
    let input = |from: u32| (from..from + 10).map(|n| (mail.address(), n)).collect::<Vec<_>>();
    pool.map_with(one_by_one().eager(), tell, input(0)).close();
    drop(pool.map_with(one_by_one().eager(), tell, input(10)));
    assert_eq!(pool.stats().queued, 0);
    gate.open();
    pool.shutdown(true, false);
    assert_eq!(mail.unread(), [""; 0]);
}

fn a_map_after_shutdown_gives_one_refusal<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    pool.shutdown(true, false);
    let results: Vec<_> = pool.map_with(one_by_one(), square, 0..3).collect();
    assert_eq!(results.len(), 1);
    assert!(is_shut_down(results[0].as_ref().unwrap_err()));
}

fn a_cancelling_shutdown_gives_errors_and_no_silence<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, _blocked) = occupy(&pool, workers);
    let results = pool.map_with(one_by_one().eager(), square, 0..10);
    pool.shutdown(false, true);
    gate.open();
    let results: Vec<_> = results.collect();
    assert_eq!(results.len(), 10);
    assert!(results.into_iter().all(|it| it.unwrap_err().is_cancelled()));
}

fn a_panic_of_the_input_reaches_the_reader<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let input = (0..3).inspect(|n| assert!(*n != 2, "wanted, by the input"));
    let read = || pool.map_with(one_by_one(), square, input).count();
    assert!(catch_unwind(AssertUnwindSafe(read)).is_err());
    assert_eq!(pool.submit(square, 3).result().unwrap(), 9);
}

fn two_maps_may_be_read_in_turn<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let inner = pool.map(square, 0..100).map(Result::unwrap);
    // One map is the input of the other.
    let results: Result<Vec<_>, _> = pool.map(square, inner).collect();
    assert_eq!(results.unwrap(), Vec::from_iter((0..100).map(square).map(square)));
}

fn large_items_may_be_mapped<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let input = (1..20_usize).map(|n| vec![n as u8; n << 14]);
    let results = pool.map(|bytes: Vec<u8>| [bytes, vec![0]].concat(), input);
    for (n, result) in (1..20).zip(results) {
        let bytes = result.unwrap();
        assert_eq!((bytes.len(), bytes[0], bytes[n << 14]), ((n << 14) + 1, n as u8, 0));
    }
}
