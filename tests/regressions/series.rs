//! Tasks that end together, whose callbacks do something that takes its time.

use crate::common::{BOUND, FarGate, FarLatch, Gate, eventually, occupy, within};
use crate::support::survives;
use concurrent_futures::{Executor, ProcessPoolExecutor, ThreadPoolExecutor};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

/// More than fit on a stack, one within another.
const MANY: usize = 3_000;

fn pass(latch: FarLatch) {
    latch.pass();
}

/// Each callback ended the rest of the queue, within the one before.
#[test]
fn callbacks_that_shut_the_pool_down_again_do_not_eat_the_stack() {
    survives("series::callbacks_that_shut_the_pool_down_again_do_not_eat_the_stack", || {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let count = Arc::new(AtomicUsize::new(0));
        for _ in 0..MANY {
            let (handle, count) = (executor.handle(), Arc::clone(&count));
            executor.spawn(|| ()).add_done_callback(move |_| {
                count.fetch_add(1, Ordering::SeqCst);
                handle.shutdown(false, true);
            });
        }
        executor.shutdown(false, true);
        assert_eq!(count.load(Ordering::SeqCst), MANY);
        gate.open();
    });
}

/// Each wait ran the callbacks of the rest on top of itself.
#[test]
fn callbacks_that_wait_for_the_next_do_not_eat_the_stack() {
    survives("series::callbacks_that_wait_for_the_next_do_not_eat_the_stack", || {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let futures = Vec::from_iter((0..MANY).map(|_| executor.spawn(|| ()).shared()));
        for pair in futures.windows(2) {
            let next = pair[1].clone();
            pair[0].add_done_callback(move |_| next.wait());
        }
        executor.shutdown(false, true);
        assert!(futures.iter().all(|it| it.cancelled()));
        gate.open();
    });
}

/// The same on processes.
#[test]
fn callbacks_of_a_pool_of_processes_that_wait_for_the_next_do_not_eat_the_stack() {
    const NAME: &str =
        "series::callbacks_of_a_pool_of_processes_that_wait_for_the_next_do_not_eat_the_stack";
    survives(NAME, || {
        let executor = ProcessPoolExecutor::new(1).unwrap();
        let gate = FarGate::new();
        let running = executor.submit(pass, gate.latch());
        eventually(|| running.running());
        let futures = Vec::from_iter((0..MANY).map(|_| executor.submit(drop, ()).shared()));
        for pair in futures.windows(2) {
            let next = pair[1].clone();
            pair[0].add_done_callback(move |_| next.wait());
        }
        executor.shutdown(false, true);
        assert!(futures.iter().all(|it| it.cancelled()));
        gate.open();
    });
}

/// The wait of one callback ran the next, which wanted the lock that the first held.
#[test]
fn callbacks_may_hold_a_lock_while_they_wait() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = Gate::new();
        let (latch, (begun, has_begun)) = (gate.latch(), mpsc::channel());
        let running = executor
            .spawn(move || {
                begun.send(()).unwrap();
                latch.pass();
            })
            .shared();
        has_begun.recv_timeout(BOUND).unwrap();
        let (log, (waits, is_waiting)) = (Arc::new(Mutex::new(0)), mpsc::channel());
        for _ in 0..3 {
            let (log, running, waits) = (Arc::clone(&log), running.clone(), waits.clone());
            executor.spawn(|| ()).add_done_callback(move |_| {
                let mut log = log.lock().unwrap();
                let _ = waits.send(());
                running.wait();
                *log += 1;
            });
        }
        let opener = std::thread::spawn(move || {
            is_waiting.recv_timeout(BOUND).unwrap();
            gate.open();
        });
        executor.shutdown(true, true);
        assert_eq!(*log.lock().unwrap(), 3);
        opener.join().unwrap();
    });
}

/// When a callback of the first task waited, another thread saw the last worker leave, and the pool
/// was gone before the second task was to begin.
#[test]
fn what_goes_on_with_a_task_begins_after_a_shutdown_though_a_callback_waits() {
    within(|| {
        let (executor, elsewhere) =
            (ProcessPoolExecutor::new(1).unwrap(), ThreadPoolExecutor::new(1).unwrap());
        let (far, gate) = (FarGate::new(), Gate::new());
        let latch = gate.latch();
        let slow = elsewhere.spawn(move || latch.pass());
        let first = executor.submit(pass, far.latch());
        let (waits, is_waiting) = mpsc::channel();
        first.add_done_callback(move |_| {
            waits.send(()).unwrap();
            slow.wait();
        });
        let second = executor.then(first, |()| 20);
        far.await_arrivals(1);
        executor.shutdown(false, false);
        let process = executor.workers()[0].process_id.unwrap();
        far.open();
        is_waiting.recv_timeout(BOUND).unwrap();
        eventually(|| !std::fs::exists(format!("/proc/{process}")).unwrap());
        gate.open();
        assert_eq!(second.result().unwrap(), 20);
    });
}

/// The stand-in waited for the end of the pool, one of whose threads waited for the stand-in.
#[test]
fn a_callback_may_shut_the_pool_down_while_another_one_waits() {
    fn check(executor: &impl Executor, shut_down: impl Fn(bool) + Clone + Send + 'static) {
        let gate = FarGate::new();
        let first = executor.submit(pass, gate.latch());
        gate.await_arrivals(1);
        let [second, third] = [(); 2].map(|()| executor.submit(drop::<()>, ()));
        let (said, heard) = mpsc::channel();
        let (wait, cancel) = (shut_down.clone(), shut_down);
        third.add_done_callback(move |_| {
            wait(true);
            said.send(()).unwrap();
        });
        second.add_done_callback(move |_| third.wait());
        // Ends the others on the pool's own thread.
        first.add_done_callback(move |_| cancel(false));
        gate.open();
        heard.recv().unwrap();
    }
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let handle = executor.handle();
        check(&executor, move |wait| handle.shutdown(wait, true));
        let executor = ProcessPoolExecutor::new(1).unwrap();
        let handle = executor.handle();
        check(&executor, move |wait| handle.shutdown(wait, true));
    });
}
