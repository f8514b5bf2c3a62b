//! Waiting for one or several futures, in every way.

use crate::common::{BOUND, FarGate};
use crate::pools::{Pool, occupy, pass};
use concurrent_futures::ReturnWhen::{AllCompleted, FirstCompleted, FirstException};
use concurrent_futures::{
    Future, Waited, as_completed, as_completed_timeout, first_success, wait, wait_timeout,
};
use std::time::Duration;

on_both_pools! {
    waiting_for_all_waits_for_all,
    the_first_completed_ends_the_wait,
    the_first_failure_ends_the_wait,
    a_wait_without_failure_waits_for_all,
    a_cancelled_future_is_done,
    a_wait_that_runs_out_of_time_tells_what_is_done,
    as_completed_gives_first_what_is_done_first,
    as_completed_runs_out_of_time,
    a_result_that_is_not_there_in_time_gives_the_future_back,
    the_first_success_is_enough,
    looking_takes_nothing_away,
}

fn count<W>(waited: &Waited<W>) -> (usize, usize) {
    (waited.done.len(), waited.not_done.len())
}

/// One future that is done, and one for each worker of a task that waits at the gate.
fn one_done_and_all_busy<P: Pool>(
    pool: &P,
    workers: usize,
) -> (FarGate, Vec<Future<()>>, Future<()>) {
    let gate = FarGate::new();
    let block = || pool.submit(pass, gate.latch());
    let mut blocked: Vec<_> = (1..workers).map(|_| block()).collect();
    gate.await_arrivals(workers - 1);
    let quick = pool.submit(|()| (), ());
    quick.wait();
    blocked.push(block());
    gate.await_arrivals(workers);
    (gate, blocked, quick)
}

fn waiting_for_all_waits_for_all<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let futures: Vec<_> = (0..50_u32).map(|n| pool.submit(|n| 100 / (n % 10), n)).collect();
    let waited = wait(futures, AllCompleted);
    assert_eq!(count(&waited), (50, 0));
    let failed = waited.done.iter().filter(|it| it.exception().is_some()).count();
    assert_eq!(failed, 5);
}

fn the_first_completed_ends_the_wait<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (_gate, blocked) = occupy(&pool, workers - 1);
    let (small_gate, first) = occupy(&pool, 1);
    let opener = std::thread::spawn(move || small_gate.open());
    let waited = wait(blocked.iter().chain(&first), FirstCompleted);
    assert_eq!(count(&waited), (1, workers - 1));
    opener.join().unwrap();
}

fn the_first_failure_ends_the_wait<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (_gate, blocked) = occupy(&pool, workers - 1);
    let success = pool.submit(|()| (), ());
    success.wait();
    let failure = pool.submit(|()| -> () { panic!("wanted") }, ());
    let waited = wait(blocked.iter().chain([&success, &failure]), FirstException);
    assert_eq!(count(&waited), (2, workers - 1));
}

fn a_wait_without_failure_waits_for_all<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let futures: Vec<_> = (0..20_u32).map(|n| pool.submit(|n| n, n)).collect();
    assert_eq!(count(&wait(&futures, FirstException)), (20, 0));
}

fn a_cancelled_future_is_done<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, blocked) = occupy(&pool, workers);
    let queued = pool.submit(pass, gate.latch());
    assert!(queued.cancel());
    let waited = wait(blocked.iter().chain([&queued]), FirstCompleted);
    assert_eq!(count(&waited), (1, workers));
    assert!(queued.result().unwrap_err().is_cancelled());
}

fn a_wait_that_runs_out_of_time_tells_what_is_done<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (_gate, blocked, quick) = one_done_and_all_busy(&pool, workers);
    let futures = blocked.iter().chain([&quick]);
    let waited = wait_timeout(futures, AllCompleted, Duration::from_millis(1));
    assert_eq!(count(&waited), (1, workers));
}

fn as_completed_gives_first_what_is_done_first<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, blocked, quick) = one_done_and_all_busy(&pool, workers);
    let futures = blocked.into_iter().map(|it| ("blocked", it)).chain([("quick", quick)]);
    let mut completed = as_completed(futures);
    assert_eq!(completed.next().unwrap().0, "quick");
    gate.open();
    assert_eq!(completed.filter(|(name, _)| *name == "blocked").count(), workers);
}

fn as_completed_runs_out_of_time<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (_gate, blocked, quick) = one_done_and_all_busy(&pool, workers);
    let futures = blocked.into_iter().chain([quick]);
    let mut completed = as_completed_timeout(futures, Duration::from_millis(1));
    completed.next().unwrap().unwrap().result().unwrap();
    let timeout = completed.next().unwrap().unwrap_err();
    assert_eq!((timeout.pending.len(), timeout.total), (workers, workers + 1));
    assert!(completed.next().is_none());
}

fn a_result_that_is_not_there_in_time_gives_the_future_back<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, mut blocked) = occupy(&pool, workers);
    let future = blocked.remove(0);
    assert!(!future.wait_timeout(Duration::from_millis(1)));
    let timeout = future.result_timeout(Duration::from_millis(1)).unwrap_err();
    gate.open();
    timeout.pending.result_timeout(BOUND).unwrap().unwrap();
}

fn the_first_success_is_enough<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let futures = [0, 0, 7, 0].map(|n: u32| pool.submit(|n| 70 / n, n));
    assert_eq!(first_success(futures).unwrap(), 10);
    let futures = [0, 0].map(|n: u32| pool.submit(|n| 70 / n, n));
    assert_eq!(first_success(futures).unwrap_err().errors.len(), 2);
}

fn looking_takes_nothing_away<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let future = pool.submit(|n: u32| n + 1, 1);
    assert!(future.exception().is_none());
    assert_eq!(future.peek().unwrap().unwrap(), &2);
    assert_eq!(future.result().unwrap(), 2);
}
