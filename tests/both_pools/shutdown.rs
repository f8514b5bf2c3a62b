//! Every way to end a pool.

use crate::common::{BOUND, FarGate, Mailbox, eventually, is_shut_down};
use crate::pools::{Handle, Pool, Setup, occupy, tell, until_asked};
use concurrent_futures::{Executor, Refusal};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

on_both_pools! {
    a_waiting_shutdown_finishes_everything,
    a_shutdown_that_does_not_wait_finishes_everything,
    a_cancelling_shutdown_cancels_what_has_not_begun,
    a_cancelling_shutdown_lets_the_running_tasks_end,
    what_comes_after_shutdown_is_refused,
    try_submit_after_shutdown_gives_the_task_back,
    dropping_the_executor_waits,
    dropping_the_executor_in_a_panic_cancels,
    dropping_the_executor_in_a_panic_drains_if_so_told,
    an_unused_pool_ends_at_once,
    shutting_down_twice_is_shutting_down,
    many_threads_may_shut_down_at_once,
    a_stronger_shutdown_adds_to_a_weaker_one,
    a_weaker_shutdown_takes_nothing_back,
    a_drained_pool_has_nothing_to_report,
    an_impatient_shutdown_cancels_and_asks,
    a_handle_does_not_keep_the_pool_going,
    futures_outlive_their_pool,
    submissions_that_race_with_a_shutdown_all_end,
    many_pools_may_come_and_go,
}

fn a_waiting_shutdown_finishes_everything<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let futures = pool.submit_all(|n: u32| n, (0..100).collect());
    pool.shutdown(true, false);
    assert!(futures.iter().all(|future| future.done()));
    let sum: u32 = futures.into_iter().map(|it| it.result().unwrap()).sum();
    assert_eq!((sum, pool.stats().workers), (4950, 0));
}

fn a_shutdown_that_does_not_wait_finishes_everything<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, _blocked) = occupy(&pool, workers);
    let futures = pool.submit_all(|n: u32| n, (0..50).collect());
    pool.shutdown(false, false);
    gate.open();
    let sum: u32 = futures.into_iter().map(|it| it.result().unwrap()).sum();
    assert_eq!(sum, 1225);
    eventually(|| pool.stats().workers == 0);
}

fn a_cancelling_shutdown_cancels_what_has_not_begun<P: Pool>(workers: usize) {
    let (pool, mail) = (P::new(workers), Mailbox::new());
    let (gate, _blocked) = occupy(&pool, workers);
    let queued: Vec<_> = (0..30).map(|n| pool.submit(tell, (mail.address(), n))).collect();
    pool.shutdown(false, true);
    assert!(queued.iter().all(|future| future.cancelled()));
    gate.open();
    pool.shutdown(true, false);
    assert_eq!(mail.unread(), [""; 0]);
}

fn a_cancelling_shutdown_lets_the_running_tasks_end<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, blocked) = occupy(&pool, workers);
    let queued = pool.submit(|n: u32| n, 1);
    let handle = pool.handle();
    let closer = std::thread::spawn(move || handle.shutdown(true, true));
    assert!(queued.result().unwrap_err().is_cancelled());
    assert!(blocked.iter().all(|future| future.running()));
    gate.open();
    closer.join().unwrap();
    assert!(blocked.into_iter().all(|future| future.result().is_ok()));
}

fn what_comes_after_shutdown_is_refused<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    pool.submit(|n: u32| n, 1).result().unwrap();
    pool.shutdown(true, false);
    assert!(is_shut_down(&pool.submit(|n: u32| n, 1).result().unwrap_err()));
    let futures = pool.submit_all(|n: u32| n, vec![1, 2]);
    assert!(futures.into_iter().all(|it| is_shut_down(&it.result().unwrap_err())));
}

fn try_submit_after_shutdown_gives_the_task_back<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    pool.shutdown(true, false);
    let refused = pool.try_submit(|text: String| text.len(), "precious".to_owned()).unwrap_err();
    assert!(matches!(refused.reason, Refusal::ShutDown));
    assert_eq!((refused.function)(refused.argument), 8);
}

fn dropping_the_executor_waits<P: Pool>(workers: usize) {
    let mail = Mailbox::new();
    let (handle, futures) = {
        let pool = P::new(workers);
        let futures: Vec<_> = (0..30).map(|n| pool.submit(tell, (mail.address(), n))).collect();
        (pool.handle(), futures)
    };
    assert_eq!((handle.stats().workers, mail.unread().len()), (0, 30));
    assert!(futures.into_iter().all(|future| future.result().is_ok()));
}

/// Drops a busy executor in a panic. What was queued sends letters.
fn drop_in_a_panic<P: Pool>(setup: Setup, mail: &Mailbox) {
    let workers = setup.workers;
    let pool = P::built(setup);
    let (gate, blocked) = occupy(&pool, workers);
    let queued: Vec<_> = (0..10).map(|n| pool.submit(tell, (mail.address(), n))).collect();
    let handle = pool.handle();
    let opener = std::thread::spawn(move || {
        eventually(|| handle.try_submit(|()| (), ()).is_err());
        gate.open();
    });
    let leave = AssertUnwindSafe(|| {
        let _pool = pool;
        resume_unwind(Box::new("wanted"));
    });
    assert!(catch_unwind(leave).is_err());
    opener.join().unwrap();
    assert!(blocked.into_iter().all(|future| future.result().is_ok()));
    assert!(queued.iter().all(|future| future.done()));
}

fn dropping_the_executor_in_a_panic_cancels<P: Pool>(workers: usize) {
    let mail = Mailbox::new();
    drop_in_a_panic::<P>(Setup::new(workers), &mail);
    // What was queued was cancelled in the moment of the shutdown, or just after it.
    let told = mail.unread().len();
    assert!(told <= 10, "{told}");
}

fn dropping_the_executor_in_a_panic_drains_if_so_told<P: Pool>(workers: usize) {
    let mail = Mailbox::new();
    drop_in_a_panic::<P>(Setup { cancel_on_unwind: false, ..Setup::new(workers) }, &mail);
    assert_eq!(mail.unread().len(), 10);
}

fn an_unused_pool_ends_at_once<P: Pool>(workers: usize) {
    drop(P::new(workers));
    let pool = P::new(workers);
    pool.shutdown(true, true);
    assert_eq!(pool.stats().workers, 0);
    assert!(pool.shutdown_timeout(BOUND, BOUND).is_clean());
}

fn shutting_down_twice_is_shutting_down<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let future = pool.submit(|n: u32| n, 1);
    pool.shutdown(true, false);
    pool.shutdown(true, true);
    pool.shutdown(false, false);
    assert_eq!(future.result().unwrap(), 1);
}

fn many_threads_may_shut_down_at_once<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, blocked) = occupy(&pool, workers);
    let closers: Vec<_> = (0..10)
        .map(|n| {
            let handle = pool.handle();
            std::thread::spawn(move || {
                handle.shutdown(true, n % 2 == 0);
                assert_eq!(handle.stats().workers, 0);
            })
        })
        .collect();
    gate.open();
    closers.into_iter().for_each(|closer| closer.join().unwrap());
    assert!(blocked.into_iter().all(|future| future.result().is_ok()));
}

fn a_stronger_shutdown_adds_to_a_weaker_one<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (_gate, _blocked) = occupy(&pool, workers);
    let queued = pool.submit(|n: u32| n, 1);
    pool.shutdown(false, false);
    assert!(!queued.done());
    pool.shutdown(false, true);
    assert!(queued.cancelled());
}

fn a_weaker_shutdown_takes_nothing_back<P: Pool>(workers: usize) {
    let (pool, mail) = (P::new(workers), Mailbox::new());
    let (gate, _blocked) = occupy(&pool, workers);
    drop(pool.submit(tell, (mail.address(), 1)));
    pool.shutdown(false, true);
    pool.shutdown(false, false);
    gate.open();
    drop(pool);
    assert_eq!(mail.unread(), [""; 0]);
}

fn a_drained_pool_has_nothing_to_report<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let futures = pool.submit_all(|n: u32| n, (0..20).collect());
    assert!(pool.shutdown_timeout(BOUND, Duration::ZERO).is_clean());
    assert!(futures.into_iter().all(|future| future.result().is_ok()));
}

fn an_impatient_shutdown_cancels_and_asks<P: Pool>(workers: usize) {
    let (pool, mail) = (P::new(workers), Mailbox::new());
    let running: Vec<_> = (0..workers).map(|_| pool.submit(until_asked, mail.address())).collect();
    mail.take(workers);
    let queued: Vec<_> = (0..7).map(|n| pool.submit(tell, (mail.address(), n))).collect();
    let report = pool.shutdown_timeout(Duration::ZERO, BOUND);
    assert_eq!((report.cancelled, report.asked, report.running), (7, workers, 0));
    assert!(queued.into_iter().all(|it| it.result().unwrap_err().is_cancelled()));
    assert!(running.into_iter().all(|it| it.result().unwrap_err().is_cancelled()));
    assert_eq!(mail.unread(), vec!["stopped"; workers]);
}

fn a_handle_does_not_keep_the_pool_going<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let handle = pool.handle();
    assert_eq!(handle.submit(|n: u32| n, 1).result().unwrap(), 1);
    drop(pool);
    assert!(is_shut_down(&handle.submit(|n: u32| n, 1).result().unwrap_err()));
}

fn futures_outlive_their_pool<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let futures = pool.submit_all(|n: u32| n.to_string(), (0..20).collect());
    drop(pool);
    for (n, future) in futures.into_iter().enumerate() {
        assert_eq!(future.result().unwrap(), n.to_string());
    }
}

fn submissions_that_race_with_a_shutdown_all_end<P: Pool>(workers: usize) {
    for cancel in [false, true] {
        let pool = P::new(workers);
        let gate = FarGate::new();
        let latch = gate.latch();
        let submitters: Vec<_> = (0..3)
            .map(|_| {
                let (handle, latch) = (pool.handle(), latch.clone());
                std::thread::spawn(move || {
                    latch.pass();
                    (0..50).map(|n| handle.submit(|n: u32| n, n)).collect::<Vec<_>>()
                })
            })
            .collect();
        gate.await_arrivals(3);
        gate.open();
        pool.shutdown(true, cancel);
        for submitter in submitters {
            for (n, future) in submitter.join().unwrap().into_iter().enumerate() {
                match future.result() {
                    Ok(value) => assert_eq!(value, n as u32),
                    Err(error) => assert!(is_shut_down(&error) || error.is_cancelled() && cancel),
                }
            }
        }
    }
}

fn many_pools_may_come_and_go<P: Pool>(workers: usize) {
    for _ in 0..10 {
        let pool = P::new(workers);
        let futures = pool.submit_all(|n: u32| n, vec![1, 2, 3]);
        pool.shutdown(true, false);
        assert!(futures.iter().all(|future| future.done()));
    }
}
