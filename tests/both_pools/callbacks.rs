//! Callbacks, which may do anything.

use crate::common::{Deliberate, Gate, Latch, Mailbox, hush};
use crate::pools::{Handle, Pool, occupy, tell};
use concurrent_futures::{Executor, Future};
use std::panic::panic_any;
use std::sync::mpsc::{Receiver, channel};

on_both_pools! {
    callbacks_run_in_the_order_in_which_they_were_added,
    a_callback_sees_the_outcome,
    a_callback_of_a_done_future_runs_at_once,
    a_callback_of_a_cancelled_future_runs,
    a_panicking_callback_skips_no_other,
    a_panicking_callback_costs_no_worker,
    a_callback_may_submit,
    a_callback_may_wait_for_another_future,
    a_callback_may_wait_for_one_that_is_queued,
    callbacks_may_wait_one_within_another,
    a_callback_may_wait_for_one_that_is_cancelled_with_its_own,
    a_callback_may_cancel,
    a_callback_may_shut_down,
    a_callback_may_shut_down_step_by_step,
    a_callback_may_drop_the_executor,
    a_callback_may_add_a_callback,
}

fn callbacks_run_in_the_order_in_which_they_were_added<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, blocked) = occupy(&pool, workers);
    let (said, heard) = channel();
    for n in 0..5 {
        let said = said.clone();
        blocked[0].add_done_callback(move |_| said.send(n).unwrap());
    }
    drop(said);
    gate.open();
    assert_eq!(Vec::from_iter(heard), [0, 1, 2, 3, 4]);
}

fn a_callback_sees_the_outcome<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (said, heard) = channel();
    let divide = |n: u32| 60 / n;
    for n in [3, 0] {
        let said = said.clone();
        let future = pool.submit(divide, n);
        future.add_done_callback(move |it| {
            said.send((n, it.map_err(|it| it.is_panic()).copied())).unwrap();
        });
    }
    drop(said);
    let mut outcomes = Vec::from_iter(heard);
    outcomes.sort();
    assert_eq!(outcomes, [(0, Err(true)), (3, Ok(20))]);
}

fn a_callback_of_a_done_future_runs_at_once<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let future = pool.submit(|n: u32| n, 1);
    future.wait();
    let (said, heard) = channel();
    future.add_done_callback(move |_| said.send(std::thread::current().id()).unwrap());
    assert_eq!(heard.try_recv().unwrap(), std::thread::current().id());
}

fn a_callback_of_a_cancelled_future_runs<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (_gate, _blocked) = occupy(&pool, workers);
    let queued = pool.submit(|n: u32| n, 1);
    let (said, heard) = channel();
    queued.add_done_callback(move |it| said.send(it.unwrap_err().is_cancelled()).unwrap());
    assert!(queued.cancel());
    assert!(heard.try_recv().unwrap());
}

fn panic_in_callback(future: &Future<()>) {
    hush();
    future.add_done_callback(|_| panic_any(Deliberate(Box::new(()))));
}

fn a_panicking_callback_skips_no_other<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, blocked) = occupy(&pool, workers);
    let (said, heard) = channel();
    panic_in_callback(&blocked[0]);
    blocked[0].add_done_callback(move |_| said.send(()).unwrap());
    gate.open();
    heard.recv().unwrap();
}

fn a_panicking_callback_costs_no_worker<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    for _ in 0..3 {
        let (gate, blocked) = occupy(&pool, workers);
        blocked.iter().for_each(panic_in_callback);
        gate.open();
        assert!(blocked.into_iter().all(|future| future.result().is_ok()));
    }
    assert_eq!(pool.submit(|n: u32| n, 1).result().unwrap(), 1);
    assert_eq!(pool.stats().workers, workers);
}

/// Does this in a callback of a task that ends when all workers are busy; what came of it.
fn in_callback<P: Pool, R: Send + 'static>(
    pool: &P,
    workers: usize,
    callback: impl FnOnce(P::Handle) -> R + Send + 'static,
) -> Receiver<R> {
    let (gate, blocked) = occupy(pool, workers);
    let (said, heard) = channel();
    let handle = pool.handle();
    let callback = move || said.send(callback(handle)).unwrap();
    let mut callback = Some(callback);
    let callback = std::sync::Mutex::new(callback.take());
    blocked[0].add_done_callback(move |_| {
        let callback = callback.lock().unwrap().take();
        callback.unwrap()();
    });
    gate.open();
    heard
}

fn a_callback_may_submit<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let heard = in_callback(&pool, workers, |handle| handle.submit(|n: u32| n + 1, 1));
    assert_eq!(heard.recv().unwrap().result().unwrap(), 2);
}

fn a_callback_may_wait_for_another_future<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let heard = in_callback(&pool, workers, |handle| handle.submit(|n: u32| n + 1, 1).result());
    assert_eq!(heard.recv().unwrap().unwrap(), 2);
}

fn a_callback_may_wait_for_one_that_is_queued<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, blocked) = occupy(&pool, workers);
    let queued: Vec<_> = (0..20_u32).map(|n| pool.submit(|n| n, n)).collect();
    let (said, heard) = channel();
    let waiting = std::sync::Mutex::new(Some(queued));
    blocked[0].add_done_callback(move |_| {
        let queued = waiting.lock().unwrap().take().unwrap();
        let sum: u32 = queued.into_iter().map(|future| future.result().unwrap()).sum();
        said.send(sum).unwrap();
    });
    gate.open();
    assert_eq!(heard.recv().unwrap(), 190);
}

fn callbacks_may_wait_one_within_another<P: Pool>(workers: usize) {
    fn descend(handle: &impl Executor, depth: u32) -> u32 {
        let future = handle.submit(|n: u32| n + 1, depth);
        if depth == 0 {
            return future.result().unwrap();
        }
        future.result().unwrap() + descend(handle, depth - 1)
    }
    let pool = P::new(workers);
    let futures: Vec<_> = (0..10_u32).map(|n| pool.submit(|n| n, n)).collect();
    let (said, heard) = channel();
    for future in &futures {
        let (said, handle) = (said.clone(), pool.handle());
        future.add_done_callback(move |_| said.send(descend(&handle, 4)).unwrap());
    }
    drop(said);
    assert_eq!(Vec::from_iter(heard), [15; 10]);
}

fn a_callback_may_wait_for_one_that_is_cancelled_with_its_own<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, _blocked) = occupy(&pool, workers);
    let (said, heard) = channel();
    let mut queued = Vec::from_iter((0..100).map(|n| pool.submit(|n: u32| n, n)));
    while let Some(later) = queued.pop() {
        let said = said.clone();
        let wait = move || said.send(later.result().unwrap_err().is_cancelled()).unwrap();
        match queued.last() {
            Some(earlier) => earlier.add_done_callback(move |_| wait()),
            None => drop(std::thread::spawn(wait)),
        }
    }
    drop(said);
    pool.shutdown(false, true);
    assert_eq!(heard.iter().filter(|it| *it).count(), 100);
    gate.open();
}

fn a_callback_may_cancel<P: Pool>(workers: usize) {
    let (pool, mail) = (P::new(workers), Mailbox::new());
    let (gate, blocked) = occupy(&pool, workers);
    let address = mail.address();
    let (said, heard) = channel();
    let handle = pool.handle();
    let (hold, held) = (Gate::new(), Latch::new());
    let latch = hold.latch();
    blocked[0].add_done_callback(move |_| {
        let future = handle.submit(tell, (address.clone(), 1));
        // Another may have begun it by now, and then it has run.
        said.send(future.cancel() != future.result().is_ok()).unwrap();
        held.open();
        latch.pass();
    });
    gate.open();
    assert!(heard.recv().unwrap());
    hold.open();
    pool.shutdown(true, false);
    assert!(mail.unread().len() <= 1);
}

fn a_callback_may_shut_down<P: Pool>(workers: usize) {
    for (wait, cancel) in [(true, false), (true, true), (false, true)] {
        let pool = P::new(workers);
        let heard = in_callback(&pool, workers, move |handle| handle.shutdown(wait, cancel));
        heard.recv().unwrap();
        assert!(pool.submit(|n: u32| n, 1).result().unwrap_err().is_refused());
        pool.shutdown(true, false);
        assert_eq!(pool.stats().workers, 0);
    }
}

fn a_callback_may_shut_down_step_by_step<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let heard = in_callback(&pool, workers, |handle| {
        handle.shutdown_timeout(std::time::Duration::ZERO, std::time::Duration::ZERO);
    });
    heard.recv().unwrap();
    pool.shutdown(true, false);
    assert_eq!(pool.stats().workers, 0);
}

fn a_callback_may_drop_the_executor<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let handle = pool.handle();
    let (gate, blocked) = occupy(&pool, workers);
    let (said, heard) = channel();
    let pool = std::sync::Mutex::new(Some(pool));
    blocked[0].add_done_callback(move |_| {
        drop(pool.lock().unwrap().take());
        said.send(()).unwrap();
    });
    gate.open();
    heard.recv().unwrap();
    assert!(handle.submit(|n: u32| n, 1).result().unwrap_err().is_refused());
    assert!(blocked.into_iter().all(|future| future.result().is_ok()));
    handle.shutdown(true, false);
    assert_eq!(handle.stats().workers, 0);
}

fn a_callback_may_add_a_callback<P: Pool>(workers: usize) {
    let pool = P::new(workers);
    let (gate, blocked) = occupy(&pool, workers);
    let shared = blocked.into_iter().next().unwrap().shared();
    let (said, heard) = channel();
    let inner = shared.clone();
    shared.add_done_callback(move |_| {
        let said = said.clone();
        inner.add_done_callback(move |_| said.send(()).unwrap());
    });
    gate.open();
    heard.recv().unwrap();
}
