//! What a pool is given to call: initializers, finalizers, contexts, and who hears of failures.

use crate::common::Mailbox;
use crate::pools::{Counter, Counting, Handle, Pool, REQUEST, Setup, items, occupy};
use concurrent_futures::{Executor, MapOptions};
use std::sync::mpsc::{Receiver, channel};

on_both_pools! {
    a_failure_is_reported_if_its_future_was_dropped_before,
    a_failure_is_reported_if_its_future_was_dropped_afterwards,
    a_failure_is_not_reported_if_somebody_looked_at_it,
    a_cancellation_is_not_reported,
    a_task_sees_the_context_of_its_submitter,
    every_way_of_submitting_carries_the_context,
    every_task_finds_the_state_of_its_worker,
    the_state_is_kept_from_task_to_task,
    the_finalizer_is_given_every_state,
    the_error_of_an_initializer_reaches_everyone,
}

/// A pool that tells what nobody looked at.
fn reporting<P: Pool>(workers: usize) -> (P, Receiver<String>) {
    let (said, heard) = channel();
    let hook = move |error: &concurrent_futures::TaskError| {
        let _ = said.send(error.to_string());
    };
    let setup = Setup { on_unobserved: Some(Box::new(hook)), ..Setup::new(workers) };
    (P::built(setup), heard)
}

fn fail(n: u32) {
    panic!("wanted: {n}");
}

fn a_failure_is_reported_if_its_future_was_dropped_before<P: Pool>(workers: usize) {
    let (pool, heard) = reporting::<P>(workers);
    let (gate, _blocked) = occupy(&pool, workers);
    drop(pool.submit(fail, 1));
    gate.open();
    let report = heard.recv().unwrap();
    assert!(report.ends_with("wanted: 1"), "{report}");
}

fn a_failure_is_reported_if_its_future_was_dropped_afterwards<P: Pool>(workers: usize) {
    let (pool, heard) = reporting::<P>(workers);
    let future = pool.submit(fail, 2);
    while !future.done() {
        std::thread::yield_now();
    }
    drop(future);
    let report = heard.recv().unwrap();
    assert!(report.ends_with("wanted: 2"), "{report}");
}

fn a_failure_is_not_reported_if_somebody_looked_at_it<P: Pool>(workers: usize) {
    let (pool, heard) = reporting::<P>(workers);
    assert!(pool.submit(fail, 1).result().is_err());
    assert!(pool.submit(fail, 2).exception().is_some());
    let told = pool.submit(fail, 3);
    told.add_done_callback(|outcome| assert!(outcome.is_err()));
    drop(told);
    drop(pool);
    assert_eq!(Vec::from_iter(heard), [""; 0]);
}

fn a_cancellation_is_not_reported<P: Pool>(workers: usize) {
    let (pool, heard) = reporting::<P>(workers);
    let (gate, blocked) = occupy(&pool, workers);
    let queued = pool.submit(fail, 1);
    assert!(queued.cancel());
    drop(queued);
    drop(pool.submit(fail, 2));
    pool.shutdown(false, true);
    gate.open();
    drop((pool, blocked));
    assert_eq!(Vec::from_iter(heard), [""; 0]);
}

fn request(_: u32) -> u32 {
    REQUEST.get()
}

fn a_task_sees_the_context_of_its_submitter<P: Pool>(workers: usize) {
    let pool = P::carrying(workers);
    let futures: Vec<_> = (1..30)
        .map(|n| {
            REQUEST.set(n);
            (n, pool.submit(request, 0))
        })
        .collect();
    for (n, future) in futures {
        assert_eq!(future.result().unwrap(), n);
    }
}

fn every_way_of_submitting_carries_the_context<P: Pool>(workers: usize) {
    let pool = P::carrying(workers);
    REQUEST.set(42);
    let mut seen = vec![
        pool.submit(request, 0).result().unwrap(),
        pool.try_submit(request, 0).unwrap().result().unwrap(),
        pool.submit_retrying(1, request, 0).result().unwrap(),
        pool.with(Default::default()).submit(request, 0).result().unwrap(),
    ];
    seen.extend(pool.submit_all(request, vec![0; 2]).into_iter().map(|it| it.result().unwrap()));
    seen.extend(pool.map(request, [0; 3]).map(Result::unwrap));
    let options = MapOptions::new().chunksize(items(2)).unordered();
    seen.extend(pool.map_with(options, request, [0; 5]).map(Result::unwrap));
    assert_eq!(seen, [42; 14]);
}

fn counter(count: u32, mail: &Mailbox) -> Counter {
    Counter { count, farewell: mail.address() }
}

fn every_task_finds_the_state_of_its_worker<P: Pool>(workers: usize) {
    let mail = Mailbox::new();
    let pool = P::counting(workers, counter(100, &mail));
    let futures: Vec<_> = (0..20).map(|_| pool.count(1)).collect();
    for future in futures {
        assert!((101..=120).contains(&future.result().unwrap()));
    }
}

fn the_state_is_kept_from_task_to_task<P: Pool>(_workers: usize) {
    let mail = Mailbox::new();
    let pool = P::counting(1, counter(0, &mail));
    for n in 1..10 {
        assert_eq!(pool.count(1).result().unwrap(), n);
    }
}

fn the_finalizer_is_given_every_state<P: Pool>(workers: usize) {
    let mail = Mailbox::new();
    let pool = P::counting(workers, counter(0, &mail));
    let futures: Vec<_> = (0..40).map(|_| pool.count(1)).collect();
    assert!(futures.into_iter().all(|future| future.result().is_ok()));
    drop(pool);
    let farewells: Vec<u32> = mail.unread().iter().map(|it| it.parse().unwrap()).collect();
    assert!((1..=workers).contains(&farewells.len()));
    assert_eq!(farewells.iter().sum::<u32>(), 40);
}

fn the_error_of_an_initializer_reaches_everyone<P: Pool>(workers: usize) {
    let pool = P::unlucky(workers, "no luck today".to_owned());
    let futures: Vec<_> = (0..5).map(|_| pool.count(1)).collect();
    for future in futures {
        let error = future.result().unwrap_err();
        assert!(error.is_broken() && error.to_string().contains("no luck today"), "{error}");
    }
    let error = pool.submit(|n: u32| n, 1).result().unwrap_err();
    assert!(error.is_broken() && error.to_string().contains("no luck today"), "{error}");
}
