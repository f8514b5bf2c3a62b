//! States, and stopping tasks before they begin and while they run.

use crate::common::{Mailbox, eventually};
use crate::pools::{Handle, Pool, occupy, pass, tell, until_asked};
use concurrent_futures::{FutureState, Group};

on_both_pools! {
    a_task_at_its_work_is_running,
    a_queued_task_is_not_running,
    a_queued_task_can_be_cancelled_and_never_runs,
    a_cancelled_task_is_not_counted_as_queued,
    a_running_task_cannot_be_cancelled,
    a_finished_task_cannot_be_cancelled,
    some_of_many_can_be_cancelled,
    a_task_runs_or_is_cancelled_and_never_both,
    aborting_a_queued_task_cancels_it,
    a_running_task_that_asks_ends_as_cancelled,
    a_running_task_that_never_asks_gives_its_value,
    a_request_does_not_reach_the_next_task,
    a_group_is_stopped_as_one,
    dropping_a_future_that_cancels_takes_its_task_along,
    dropping_a_future_lets_its_task_run,
}

fn a_task_at_its_work_is_running<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, futures) = occupy(&pool, workers);
    for future in &futures {
        assert!(future.running() && !future.done());
        assert_eq!(future.state(), FutureState::Running);
    }
    gate.open();
    for future in futures {
        future.wait();
        assert!(!future.running() && future.done());
        assert_eq!(future.state(), FutureState::Finished);
    }
}

fn a_queued_task_is_not_running<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, _blocked) = occupy(&pool, workers);
    let queued = pool.submit_all(|n: u32| n, (0..20).collect());
    for future in &queued {
        assert!(!future.running() && !future.done());
        assert_eq!(future.state(), FutureState::Pending);
    }
    gate.open();
    assert!(queued.into_iter().all(|future| future.result().is_ok()));
}

fn a_queued_task_can_be_cancelled_and_never_runs<P: Pool>(workers: usize) {
    let (pool, mail) = (P::new(workers), Mailbox::new());
    let (gate, _blocked) = occupy(&pool, workers);
    let queued: Vec<_> = (0..20).map(|n| pool.submit(tell, (mail.address(), n))).collect();
    for future in &queued {
        assert!(future.cancel() && future.cancel());
        assert!(future.cancelled() && future.done() && !future.running());
    }
    assert!(queued.into_iter().all(|future| future.result().unwrap_err().is_cancelled()));
    gate.open();
    pool.shutdown(true, false);
    assert_eq!(mail.unread(), [""; 0]);
}

fn a_cancelled_task_is_not_counted_as_queued<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (_gate, _blocked) = occupy(&pool, workers);
    let queued = pool.submit_all(|n: u32| n, (0..10).collect());
    assert_eq!(pool.stats().queued, 10);
    assert!(queued.iter().all(|future| future.cancel()));
    let stats = pool.stats();
    assert_eq!((stats.queued, stats.cancelled, stats.running), (0, 10, workers));
}

fn a_running_task_cannot_be_cancelled<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, futures) = occupy(&pool, workers);
    assert!(!futures.iter().any(|future| future.cancel()));
    gate.open();
    assert!(futures.into_iter().all(|future| future.result().is_ok()));
}

fn a_finished_task_cannot_be_cancelled<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let future = pool.submit(|n: u32| n, 7);
    future.wait();
    assert!(!future.cancel() && !future.abort() && !future.cancelled());
    assert_eq!(future.result().unwrap(), 7);
}

fn some_of_many_can_be_cancelled<P: Pool>(workers: usize) {
    let (pool, mail) = (P::new(workers), Mailbox::new());
    let (gate, _blocked) = occupy(&pool, workers);
    let queued: Vec<_> = (0..40).map(|n| pool.submit(tell, (mail.address(), n))).collect();
    assert!(queued.iter().step_by(2).all(|future| future.cancel()));
    gate.open();
    pool.shutdown(true, false);
    let mut told: Vec<u32> = mail.unread().iter().map(|it| it.parse().unwrap()).collect();
    told.sort();
    assert_eq!(told, Vec::from_iter((1..40).step_by(2)));
}

fn a_task_runs_or_is_cancelled_and_never_both<P: Pool>(workers: usize) {
    let (pool, mail) = (P::new(workers), Mailbox::new());
    for _ in 0..5 {
        let futures: Vec<_> = (0..40).map(|n| pool.submit(tell, (mail.address(), n))).collect();
        let cancelled: Vec<_> = futures.iter().rev().map(|future| future.cancel()).collect();
        let cancelled = cancelled.iter().filter(|it| **it).count();
        let ran = futures.into_iter().filter_map(|future| future.result().ok()).count();
        assert_eq!(ran + cancelled, 40);
        assert_eq!(mail.take(ran).len(), ran);
        assert_eq!(mail.unread(), [""; 0]);
    }
}

fn aborting_a_queued_task_cancels_it<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, _blocked) = occupy(&pool, workers);
    let queued = pool.submit(pass, gate.latch());
    assert!(queued.abort());
    assert!(queued.cancelled());
    gate.open();
}

fn a_running_task_that_asks_ends_as_cancelled<P: Pool>(workers: usize) {
    let (pool, mail) = (P::new(workers), Mailbox::new());
    let future = pool.submit(until_asked, mail.address());
    assert_eq!(mail.next(), "begun");
    assert!(future.abort());
    assert!(future.result().unwrap_err().is_cancelled());
    assert_eq!(mail.next(), "stopped");
}

fn a_running_task_that_never_asks_gives_its_value<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, futures) = occupy(&pool, workers);
    assert!(futures.iter().all(|future| future.abort()));
    gate.open();
    assert!(futures.into_iter().all(|future| future.result().is_ok()));
}

fn a_request_does_not_reach_the_next_task<P: Pool>(workers: usize) {
    let (pool, mail) = (P::new(workers), Mailbox::new());
    for _ in 0..3 {
        let futures: Vec<_> =
            (0..workers).map(|_| pool.submit(until_asked, mail.address())).collect();
        assert!(mail.take(workers).iter().all(|it| it == "begun"));
        assert!(futures.iter().all(|future| future.abort()));
        assert!(mail.take(workers).iter().all(|it| it == "stopped"));
        let next =
            pool.submit_all(|()| concurrent_futures::cancellation_requested(), vec![(); workers]);
        assert!(next.into_iter().all(|future| !future.result().unwrap()));
    }
}

fn a_group_is_stopped_as_one<P: Pool>(workers: usize) {
    let (pool, mail) = (P::new(workers), Mailbox::new());
    let group = Group::new();
    let running: Vec<_> = (0..workers).map(|_| pool.submit(until_asked, mail.address())).collect();
    mail.take(workers);
    let queued: Vec<_> = (0..5).map(|n| pool.submit(tell, (mail.address(), n))).collect();
    running.iter().for_each(|future| group.add(future));
    queued.iter().for_each(|future| group.add(future));
    group.abort();
    assert!(running.into_iter().all(|future| future.result().unwrap_err().is_cancelled()));
    assert!(queued.into_iter().all(|future| future.result().unwrap_err().is_cancelled()));
    pool.shutdown(true, false);
    assert_eq!(mail.unread(), vec!["stopped"; workers]);
}

fn dropping_a_future_that_cancels_takes_its_task_along<P: Pool>(workers: usize) {
    let (pool, mail) = (P::new(workers), Mailbox::new());
    let (gate, _blocked) = occupy(&pool, workers);
    drop(pool.submit(tell, (mail.address(), 1)).cancel_on_drop());
    gate.open();
    let running = pool.submit(until_asked, mail.address()).cancel_on_drop();
    assert_eq!(mail.next(), "begun");
    drop(running);
    assert_eq!(mail.next(), "stopped");
    pool.shutdown(true, false);
    assert_eq!(mail.unread(), [""; 0]);
}

fn dropping_a_future_lets_its_task_run<P: Pool>(workers: usize) {
    let (pool, mail) = (P::new(workers), Mailbox::new());
    drop(pool.submit(tell, (mail.address(), 1)));
    assert_eq!(mail.next(), "1");
    eventually(|| pool.stats().finished == 1);
}
