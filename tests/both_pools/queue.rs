//! Queues with a bound.

use crate::common::{FarGate, Latch, Mailbox, eventually, is_queue_full, is_shut_down};
use crate::pools::{Handle, Pool, Setup, items, pass, tell};
use concurrent_futures::{Executor, Future, MapOptions, Refusal, WhenFull};
use std::time::Duration;

on_both_pools! {
    a_bounded_queue_takes_tasks_while_there_is_room,
    refuse_refuses_at_once,
    block_for_refuses_when_its_time_is_over,
    block_waits_for_room,
    block_for_takes_room_that_comes_in_time,
    try_submit_gives_the_task_back,
    a_cancelled_task_frees_its_place,
    cancellations_do_not_wear_the_bound_out,
    shutdown_releases_a_blocked_submitter,
    a_map_over_a_small_queue_gets_through,
    many_submitters_get_through,
}

fn bounded<P: Pool>(workers: usize, capacity: usize, when_full: WhenFull) -> P {
    P::built(Setup { queue: Some((capacity, when_full)), ..Setup::new(workers) })
}

/// Keeps all workers busy, and then fills the queue: what is in it, the newest last. A pool may send
/// some tasks ahead to its workers, which are not in the queue then.
fn fill<P: Pool>(pool: &P, workers: usize) -> (FarGate, Vec<Future<u32>>) {
    let gate = FarGate::new();
    for busy in 1..=workers {
        // One after the other, since the queue is small and workers take their time to start.
        drop(pool.submit(pass, gate.latch()));
        gate.await_arrivals(busy);
    }
    let mut futures = Vec::new();
    while let Ok(future) = pool.try_submit(|n: u32| n, 7) {
        futures.push(future);
        assert!(futures.len() < 1000, "there is no bound");
    }
    (gate, futures)
}

fn a_bounded_queue_takes_tasks_while_there_is_room<P: Pool>(workers: usize) {
    let pool: P = bounded(workers, 3, WhenFull::Block);
    for n in 0..20 {
        assert_eq!(pool.submit(|n: u32| n, n).result().unwrap(), n);
    }
    let futures = pool.submit_all(|n: u32| n, (0..50).collect());
    let sum: u32 = futures.into_iter().map(|it| it.result().unwrap()).sum();
    assert_eq!(sum, 1225);
}

fn refuse_refuses_at_once<P: Pool>(workers: usize) {
    let pool: P = bounded(workers, 2, WhenFull::Refuse);
    let (gate, queued) = fill(&pool, workers);
    let error = pool.submit(|n: u32| n, 1).result().unwrap_err();
    assert!(is_queue_full(&error), "{error}");
    gate.open();
    assert!(queued.into_iter().all(|future| future.result().unwrap() == 7));
}

fn block_for_refuses_when_its_time_is_over<P: Pool>(workers: usize) {
    let pool: P = bounded(workers, 2, WhenFull::BlockFor(Duration::from_millis(1)));
    let (gate, queued) = fill(&pool, workers);
    let error = pool.submit(|n: u32| n, 1).result().unwrap_err();
    assert!(is_queue_full(&error), "{error}");
    gate.open();
    assert!(queued.into_iter().all(|future| future.result().unwrap() == 7));
}

/// Submits on another thread to a queue that is full, and then makes room.
fn submits_when_there_is_room<P: Pool>(pool: P, workers: usize) {
    let (gate, _queued) = fill(&pool, workers);
    let (handle, submitting) = (pool.handle(), Latch::new());
    let submitter = std::thread::spawn({
        let submitting = submitting.clone();
        move || {
            submitting.open();
            handle.submit(|n: u32| n, 1)
        }
    });
    submitting.pass();
    gate.open();
    assert_eq!(submitter.join().unwrap().result().unwrap(), 1);
}

fn block_waits_for_room<P: Pool>(workers: usize) {
    submits_when_there_is_room::<P>(bounded(workers, 2, WhenFull::Block), workers);
}

fn block_for_takes_room_that_comes_in_time<P: Pool>(workers: usize) {
    let patience = WhenFull::BlockFor(crate::common::BOUND);
    submits_when_there_is_room::<P>(bounded(workers, 2, patience), workers);
}

fn try_submit_gives_the_task_back<P: Pool>(workers: usize) {
    let pool: P = bounded(workers, 3, WhenFull::Block);
    let (_gate, _queued) = fill(&pool, workers);
    let refused = pool.try_submit(|text: String| text.len(), "precious".to_owned()).unwrap_err();
    assert!(matches!(refused.reason, Refusal::QueueFull { capacity: 3 }), "{}", refused.reason);
    assert_eq!((refused.function)(refused.argument), 8);
}

fn a_cancelled_task_frees_its_place<P: Pool>(workers: usize) {
    let pool: P = bounded(workers, 3, WhenFull::Refuse);
    let (_gate, queued) = fill(&pool, workers);
    for future in queued.iter().rev().take(3) {
        assert!(future.cancel());
        assert!(pool.try_submit(|n: u32| n, 1).is_ok());
        assert!(pool.try_submit(|n: u32| n, 1).is_err());
    }
}

fn cancellations_do_not_wear_the_bound_out<P: Pool>(workers: usize) {
    let pool: P = bounded(workers, 2, WhenFull::Refuse);
    let (gate, queued) = fill(&pool, workers);
    assert!(queued.iter().all(|future| future.cancel()));
    // Those that a worker had been sent ahead need not be replaced, but the queue has its two.
    for _ in 0..10 {
        let mut again = Vec::new();
        while let Ok(future) = pool.try_submit(|n: u32| n, 1) {
            again.push(future);
        }
        assert!((2..=queued.len()).contains(&again.len()), "{}", again.len());
        assert!(again.iter().all(|future| future.cancel()));
    }
    gate.open();
}

fn shutdown_releases_a_blocked_submitter<P: Pool>(workers: usize) {
    let pool: P = bounded(workers, 1, WhenFull::Block);
    let (_gate, _queued) = fill(&pool, workers);
    let (handle, submitting) = (pool.handle(), Latch::new());
    let submitter = std::thread::spawn({
        let submitting = submitting.clone();
        move || {
            submitting.open();
            handle.submit(|n: u32| n, 1)
        }
    });
    submitting.pass();
    pool.shutdown(false, false);
    assert!(is_shut_down(&submitter.join().unwrap().result().unwrap_err()));
}

fn a_map_over_a_small_queue_gets_through<P: Pool>(workers: usize) {
    for when_full in [WhenFull::Block, WhenFull::Refuse] {
        let pool: P = bounded(workers, 1, when_full);
        for options in [MapOptions::new(), MapOptions::new().chunksize(items(1))] {
            let results: Result<Vec<_>, _> =
                pool.map_with(options, |n: u32| n + 1, 0..100).collect();
            assert_eq!(results.unwrap(), Vec::from_iter(1..101));
        }
    }
}

fn many_submitters_get_through<P: Pool>(workers: usize) {
    let (pool, mail) = (bounded::<P>(workers, 2, WhenFull::Block), Mailbox::new());
    let submitters: Vec<_> = (0..4)
        .map(|n| {
            let (handle, address) = (pool.handle(), mail.address());
            std::thread::spawn(move || {
                (0..25).for_each(|_| drop(handle.submit(tell, (address.clone(), n))));
            })
        })
        .collect();
    assert_eq!(mail.take(100).len(), 100);
    submitters.into_iter().for_each(|submitter| submitter.join().unwrap());
    eventually(|| pool.stats().finished == 100);
}
