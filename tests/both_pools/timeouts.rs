//! Limits of time that a task is given.

use crate::common::{BOUND, FarGate, Mailbox};
use crate::pools::{Handle, Pool, occupy, pass, tell, until_asked};
use concurrent_futures::{Executor, ReturnWhen, TaskErrorKind, TaskOptions, wait};
use std::time::Duration;

on_both_pools! {
    a_future_fails_when_its_tasks_time_is_up,
    a_task_whose_time_is_up_is_asked_to_stop,
    a_task_in_time_gives_its_value,
    a_timeout_leaves_the_others_alone,
    time_in_the_queue_does_not_count,
    a_task_that_has_not_begun_in_time_never_begins,
    a_task_that_has_begun_in_time_may_take_longer,
    the_trait_takes_options_too,
    options_are_added_to_those_of_a_handle,
}

const SHORT: Duration = Duration::from_millis(20);

fn a_future_fails_when_its_tasks_time_is_up<P: Pool>(workers: usize) {
    let (pool, mail) = (P::new(workers), Mailbox::new());
    let limited = pool.with(TaskOptions::new().timeout(SHORT).label("slow"));
    let error = limited.submit(until_asked, mail.address()).result().unwrap_err();
    assert!(error.is_timed_out(), "{error}");
    assert!(matches!(error.kind(), TaskErrorKind::TimedOut { limit } if *limit == SHORT));
    assert_eq!(error.label(), Some("slow"));
}

fn a_task_whose_time_is_up_is_asked_to_stop<P: Pool>(workers: usize) {
    let (pool, mail) = (P::new(workers), Mailbox::new());
    let limited = pool.with(TaskOptions::new().timeout(SHORT));
    let future = limited.submit(until_asked, mail.address());
    assert_eq!(mail.take(2), ["begun", "stopped"]);
    assert!(future.result().unwrap_err().is_timed_out());
    assert_eq!(pool.submit(|n: u32| n, 1).result().unwrap(), 1);
}

fn a_task_in_time_gives_its_value<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let limited = pool.with(TaskOptions::new().timeout(BOUND));
    let futures = limited.submit_all(|n: u32| n, (0..50).collect());
    let sum: u32 = futures.into_iter().map(|it| it.result().unwrap()).sum();
    assert_eq!(sum, 1225);
}

fn a_timeout_leaves_the_others_alone<P: Pool>(workers: usize) {
    let (pool, mail) = (P::new(workers), Mailbox::new());
    let limited = pool.with(TaskOptions::new().timeout(SHORT));
    let slow: Vec<_> =
        (0..workers + 1).map(|_| limited.submit(until_asked, mail.address())).collect();
    let others = pool.submit_all(|n: u32| n, (0..20).collect());
    let waited = wait(slow, ReturnWhen::AllCompleted);
    assert!(waited.done.iter().all(|it| it.exception().unwrap().is_timed_out()));
    let sum: u32 = others.into_iter().map(|it| it.result().unwrap()).sum();
    assert_eq!(sum, 190);
}

fn time_in_the_queue_does_not_count<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, _blocked) = occupy(&pool, workers);
    let limited = pool.with(TaskOptions::new().timeout(SHORT));
    let queued = limited.submit(pass, gate.latch());
    // Longer than its limit, and it is still there.
    assert!(!queued.wait_timeout(SHORT * 3));
    assert!(!queued.running() && queued.cancel());
}

fn the_trait_takes_options_too<P: Pool>(workers: usize) {
    let (pool, mail) = (P::new(workers), Mailbox::new());
    let options = TaskOptions::new().timeout(SHORT).label("limited");
    let error = pool.submit_with(&options, until_asked, mail.address()).result().unwrap_err();
    assert!(error.is_timed_out() && error.label() == Some("limited"), "{error}");
}

fn options_are_added_to_those_of_a_handle<P: Pool>(workers: usize) {
    let (pool, mail) = (P::new(workers), Mailbox::new());
    let limited = pool.with(TaskOptions::new().timeout(SHORT).label("first"));
    let named = limited.with(TaskOptions::new().label("second"));
    let error = named.submit(until_asked, mail.address()).result().unwrap_err();
    assert!(error.is_timed_out() && error.label() == Some("second"), "{error}");
}

fn a_task_that_has_not_begun_in_time_never_begins<P: Pool>(workers: usize) {
    let (pool, mail) = (P::new(workers), Mailbox::new());
    let (gate, _blocked) = occupy(&pool, workers);
    let limited = pool.with(TaskOptions::new().begin_within(SHORT));
    let error = limited.submit(tell, (mail.address(), 1)).result().unwrap_err();
    assert!(matches!(error.kind(), TaskErrorKind::NotBegun { limit } if *limit == SHORT));
    gate.open();
    pool.shutdown(true, false);
    assert_eq!(mail.unread(), [""; 0]);
}

fn a_task_that_has_begun_in_time_may_take_longer<P: Pool>(workers: usize) {
    let (pool, gate) = (P::new(workers), FarGate::new());
    let limited = pool.with(TaskOptions::new().begin_within(BOUND / 2));
    let future = limited.submit(pass, gate.latch());
    gate.await_arrivals(1);
    gate.open();
    future.result().unwrap();
}
