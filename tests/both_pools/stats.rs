//! What a pool says of itself, and its size.

use crate::common::{Mailbox, eventually};
use crate::pools::{Handle, Pool, occupy, pass, until_asked};
use concurrent_futures::BuildError;

on_both_pools! {
    a_fresh_pool_has_done_nothing,
    stats_tell_what_runs_and_what_waits,
    stats_add_up_at_the_end,
    stats_count_what_was_aborted,
    stats_count_what_a_shutdown_cancelled,
    workers_are_started_as_they_are_needed,
    resizing_up_starts_workers_for_what_is_queued,
    resizing_down_ends_workers,
    resizing_under_load_loses_no_task,
    resizing_to_nothing_is_refused,
}

fn a_fresh_pool_has_done_nothing<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    assert_eq!(pool.stats(), Default::default());
    assert_eq!(pool.max_workers(), workers);
}

fn stats_tell_what_runs_and_what_waits<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, _blocked) = occupy(&pool, workers);
    let queued = pool.submit_all(|n: u32| n, (0..9).collect());
    let stats = pool.stats();
    assert_eq!((stats.running, stats.queued), (workers, 9));
    assert_eq!((stats.workers, stats.idle), (workers, 0));
    assert_eq!((stats.submitted(), stats.done()), (workers + 9, 0));
    gate.open();
    assert!(queued.into_iter().all(|future| future.result().is_ok()));
    eventually(|| pool.stats().finished == workers + 9);
    eventually(|| pool.stats().running == 0);
}

fn stats_add_up_at_the_end<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, _blocked) = occupy(&pool, workers);
    let good = pool.submit_all(|n: u32| n, (0..10).collect());
    let bad = pool.submit_all(|n: u32| -> u32 { panic!("wanted: {n}") }, (0..4).collect());
    let unwanted = pool.submit_all(|n: u32| n, (0..6).collect());
    assert!(unwanted.iter().all(|future| future.cancel()));
    gate.open();
    pool.shutdown(true, false);
    let stats = pool.stats();
    assert_eq!((stats.finished, stats.failed, stats.cancelled), (workers + 10, 4, 6));
    assert_eq!((stats.queued, stats.running, stats.workers, stats.idle), (0, 0, 0, 0));
    assert_eq!(stats.submitted(), workers + 20);
    assert!(good.into_iter().all(|future| future.result().is_ok()));
    assert!(bad.into_iter().all(|future| future.result().is_err()));
}

fn stats_count_what_was_aborted<P: Pool>(workers: usize) {
    let (pool, mail) = (P::new(workers), Mailbox::new());
    let futures: Vec<_> = (0..workers).map(|_| pool.submit(until_asked, mail.address())).collect();
    mail.take(workers);
    assert!(futures.iter().all(|future| future.abort()));
    pool.shutdown(true, false);
    let stats = pool.stats();
    assert_eq!((stats.finished, stats.failed, stats.cancelled), (0, 0, workers));
}

fn stats_count_what_a_shutdown_cancelled<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, _blocked) = occupy(&pool, workers);
    let queued = pool.submit_all(|n: u32| n, (0..9).collect());
    pool.shutdown(false, true);
    assert_eq!(pool.stats().cancelled, 9);
    gate.open();
    pool.shutdown(true, false);
    let stats = pool.stats();
    assert_eq!((stats.finished, stats.failed, stats.cancelled), (workers, 0, 9));
    assert!(queued.into_iter().all(|future| future.cancelled()));
}

fn workers_are_started_as_they_are_needed<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    for n in 1..=workers {
        let (_gate, _blocked) = occupy(&pool, n);
        assert!(pool.stats().workers >= n);
        assert!(pool.stats().workers <= workers);
    }
}

fn resizing_up_starts_workers_for_what_is_queued<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, _blocked) = occupy(&pool, workers);
    let queued: Vec<_> = (0..2).map(|_| pool.submit(pass, gate.latch())).collect();
    assert!(queued.iter().all(|future| !future.running()));
    pool.resize(workers + 2).unwrap();
    assert_eq!(pool.max_workers(), workers + 2);
    gate.await_arrivals(workers + 2);
    assert!(queued.iter().all(|future| future.running()));
}

fn resizing_down_ends_workers<P: Pool>(workers: usize) {
    let pool = P::new(workers + 1);
    let (gate, blocked) = occupy(&pool, workers + 1);
    pool.resize(1).unwrap();
    assert_eq!(pool.max_workers(), 1);
    gate.open();
    assert!(blocked.into_iter().all(|future| future.result().is_ok()));
    eventually(|| pool.stats().workers == 1);
    assert_eq!(pool.submit(|n: u32| n, 1).result().unwrap(), 1);
    eventually(|| pool.stats().workers == 1);
}

fn resizing_under_load_loses_no_task<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let futures: Vec<_> = (0..200_u32)
        .map(|n| {
            if n % 20 == 0 {
                pool.resize(1 + (n as usize / 20 % 3)).unwrap();
            }
            pool.submit(|n| n, n)
        })
        .collect();
    let sum: u32 = futures.into_iter().map(|it| it.result().unwrap()).sum();
    assert_eq!(sum, 19_900);
}

fn resizing_to_nothing_is_refused<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    assert!(matches!(pool.resize(0), Err(BuildError::ZeroWorkers)));
    assert_eq!(pool.max_workers(), workers);
}
