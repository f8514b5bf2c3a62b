//! Pools that are shut down, at every moment and in every way.

use crate::common::workers::{
    Door, is_alive, knock, knock_for_ever, pool, process_of, send_signal, until_gone,
};
use crate::common::{FarGate, FarLatch, eventually, let_others_get_on};
use crate::postconditions::{ends, scenario};
use concurrent_futures::{ProcessPoolExecutor, ReturnWhen, wait};
use std::path::PathBuf;

fn pass(latch: FarLatch) -> u32 {
    latch.pass();
    7
}

#[test]
fn s072_a_shutdown_that_waits_sees_all_work_done() {
    scenario(|ledger| {
        let executor = pool(2);
        let futures = ledger.watch_all(executor.submit_all(|n: u32| n, 0..500));
        executor.shutdown(true, false);
        assert!(futures.iter().all(|it| it.done()));
        assert!((0..).zip(futures).all(|(n, it)| it.result().unwrap() == n));
        ends(executor);
    });
}

#[test]
fn s073_a_shutdown_that_does_not_wait_leaves_the_work_to_be_done() {
    scenario(|ledger| {
        let executor = pool(2);
        let gate = FarGate::new();
        let futures = executor.submit_all(pass, std::iter::repeat_with(|| gate.latch()).take(50));
        let futures = ledger.watch_all(futures);
        gate.await_arrivals(2);
        let workers: Vec<u32> = executor.workers().iter().filter_map(|it| it.process_id).collect();
        executor.shutdown(false, false);
        assert!(futures.iter().all(|it| !it.done()));
        gate.open();
        assert!(futures.into_iter().all(|it| it.result().unwrap() == 7));
        // Nobody waits for them.
        workers.into_iter().for_each(until_gone);
        ends(executor);
    });
}

#[test]
fn s074_a_shutdown_that_cancels_cancels_exactly_what_has_not_begun() {
    scenario(|ledger| {
        let executor = pool(2);
        let gate = FarGate::new();
        let running = ledger.watch_all(executor.submit_all(pass, [gate.latch(), gate.latch()]));
        gate.await_arrivals(2);
        let waiting = ledger.watch_all(executor.submit_all(|n: u32| n, 0..100));
        std::thread::scope(|scope| {
            // Somebody waits for all of them.
            let waits = scope.spawn(|| wait(waiting.iter(), ReturnWhen::AllCompleted).done.len());
            executor.shutdown(false, true);
            assert_eq!(waits.join().unwrap(), 100);
        });
        assert!(waiting.iter().all(|it| it.cancelled()));
        assert!(running.iter().all(|it| !it.done()));
        gate.open();
        assert!(running.into_iter().all(|it| it.result().unwrap() == 7));
        assert_eq!(executor.stats().cancelled, 100);
        ends(executor);
    });
}

#[test]
fn s075_killing_the_workers_ends_sleeping_and_nested_ones() {
    fn has_pool(door: PathBuf) {
        let inner = ProcessPoolExecutor::new(1).unwrap();
        drop(inner.submit(knock_for_ever, door).result());
    }
    scenario(|ledger| {
        let (door, inner_door) = (Door::new(), Door::new());
        let executor = pool(2);
        let running = ledger.watch_all([
            executor.submit(knock_for_ever, door.path()),
            executor.submit(has_pool, inner_door.path()),
        ]);
        let processes = [door.open().process, inner_door.open().process];
        executor.kill_workers();
        assert!(running.into_iter().all(|it| it.result().unwrap_err().worker_death().is_some()));
        executor.shutdown(true, false);
        processes.into_iter().for_each(until_gone);
        ends(executor);
    });
}

#[test]
fn s076_a_worker_that_dies_during_a_shutdown_does_not_hold_it_up() {
    scenario(|ledger| {
        for is_waited_for in [true, false] {
            let executor = pool(2);
            let door = Door::new();
            let running = ledger.watch(executor.submit(knock, door.path()));
            let visitor = door.open();
            let behind = ledger.watch_all(executor.submit_all(|n: u32| n, 0..50));
            std::thread::scope(|scope| {
                let shuts_down = scope.spawn(|| executor.shutdown(is_waited_for, false));
                eventually(|| executor.submit(|()| (), ()).result().is_err());
                send_signal(visitor.process, libc::SIGKILL);
                shuts_down.join().unwrap();
            });
            assert!(running.result().unwrap_err().worker_death().is_some());
            assert!((0..).zip(behind).all(|(n, it)| it.result().unwrap() == n));
            ends(executor);
        }
    });
}

#[test]
fn s080_what_is_submitted_while_the_pool_is_shut_down_runs_or_is_refused() {
    scenario(|ledger| {
        for round in 0..60 {
            let executor = pool(2);
            let handle = executor.handle();
            let futures = std::thread::scope(|scope| {
                let submits = scope
                    .spawn(|| (0..200).map(|n| handle.submit(|n: u32| n, n)).collect::<Vec<_>>());
                (0..round).for_each(|_| std::thread::yield_now());
                executor.shutdown(round % 2 == 0, round % 3 == 0);
                submits.join().unwrap()
            });
            for (n, future) in (0..).zip(ledger.watch_all(futures)) {
                match future.result() {
                    Ok(value) => assert_eq!(value, n),
                    Err(error) => assert!(
                        error.is_refused() || (round % 3 == 0 && error.is_cancelled()),
                        "{error}"
                    ),
                }
            }
            ends(executor);
        }
    });
}

#[test]
fn s082_large_arguments_that_wait_are_cancelled_at_once() {
    scenario(|ledger| {
        let executor = pool(1);
        let gate = FarGate::new();
        let running = ledger.watch(executor.submit(pass, gate.latch()));
        gate.await_arrivals(1);
        let large = || "x".repeat(5 << 20);
        let arguments = std::iter::repeat_with(large).take(20);
        let waiting = ledger.watch_all(executor.submit_all(|it: String| it.len(), arguments));
        assert!(waiting[7].cancel());
        executor.shutdown(false, true);
        // While the only worker is busy still.
        assert!(waiting.into_iter().all(|it| it.result().unwrap_err().is_cancelled()));
        assert!(!running.done());
        gate.open();
        assert_eq!(running.result().unwrap(), 7);
        ends(executor);
    });
}

#[test]
fn s083_a_shutdown_while_workers_are_replaced_leaves_no_late_worker() {
    scenario(|ledger| {
        for round in 0..30 {
            let builder = ProcessPoolExecutor::builder().max_workers(2);
            let executor = if round % 2 == 0 { builder.max_tasks_per_child(1) } else { builder };
            let executor = executor.build().unwrap();
            let first = process_of(&executor);
            let futures = ledger.watch_all(executor.submit_all(|n: u32| n, 0..8));
            if round % 2 == 1 && is_alive(first) {
                send_signal(first, libc::SIGKILL);
            }
            (0..round).for_each(|_| let_others_get_on());
            let cancels = round % 3 == 0;
            executor.shutdown(true, cancels);
            for (n, future) in (0..).zip(futures) {
                match future.result() {
                    Ok(value) => assert_eq!(value, n),
                    Err(error) => assert!(
                        error.worker_death().is_some() || (cancels && error.is_cancelled()),
                        "{error}"
                    ),
                }
            }
            ends(executor);
        }
    });
}
