//! Workers that are replaced in the ordinary course of things, and pools that become larger or smaller.

use crate::common::workers::{Door, is_alive, knock, pool, process_of, send_signal, until_gone};
use crate::common::{FarGate, FarLatch, eventually};
use crate::postconditions::{ends, goes_on, goes_on_and_ends, scenario};
use crate::refused::{become_somebody, leave_all_threads, leave_threads};
use concurrent_futures::ProcessPoolExecutor;
use std::collections::HashSet;
use std::time::Duration;

fn pass(latch: FarLatch) -> u32 {
    latch.pass();
    std::process::id()
}

fn of_tasks(max_workers: usize, most: usize) -> ProcessPoolExecutor {
    let builder = ProcessPoolExecutor::builder().max_workers(max_workers);
    builder.max_tasks_per_child(most).build().unwrap()
}

/// The catalogue wants a backlog of 1000.
#[test]
fn s104_a_process_for_each_task_of_a_backlog() {
    const TASKS: usize = 150;
    scenario(|ledger| {
        let executor = of_tasks(2, 1);
        let futures = ledger.watch_all(executor.submit_all(|()| std::process::id(), [(); TASKS]));
        let processes: HashSet<u32> = futures.into_iter().map(|it| it.result().unwrap()).collect();
        assert_eq!(processes.len(), TASKS);
        goes_on_and_ends(executor);
    });
}

#[test]
fn s105_nothing_is_stranded_when_the_last_worker_is_replaced() {
    scenario(|ledger| {
        for most in [1, 2, 3, 7] {
            let executor = of_tasks(1, most);
            // Two bursts, so that things are sent ahead in the second.
            for _ in 0..2 {
                let futures = ledger.watch_all(executor.submit_all(|n: u32| n, 0..20));
                assert!((0..).zip(futures).all(|(n, it)| it.result().unwrap() == n));
            }
            goes_on_and_ends(executor);
        }
    });
}

#[test]
fn s106_the_last_result_of_a_worker_is_not_lost_with_it() {
    scenario(|ledger| {
        let executor = of_tasks(2, 1);
        // Through the socket, through memory of its own, and through what is shared.
        let lengths = [0, 10, 1000, 20_000, 100_000, 1_000_000];
        let bytes = |length: usize| vec![1_u8; length];
        let futures = ledger.watch_all(executor.submit_all(bytes, lengths.repeat(4)));
        for (length, future) in lengths.repeat(4).into_iter().zip(futures) {
            assert_eq!(future.result().unwrap().len(), length);
        }
        goes_on_and_ends(executor);
    });
}

#[test]
fn s107_a_worker_that_cannot_be_replaced_refuses_what_waits_and_the_pool_goes_on() {
    scenario(|ledger| {
        become_somebody();
        let executor = of_tasks(1, 1);
        let gate = FarGate::new();
        let last = ledger.watch(executor.submit(pass, gate.latch()));
        gate.await_arrivals(1);
        let waiting = ledger.watch_all(executor.submit_all(|n: u32| n, 0..5));
        leave_threads(0);
        gate.open();
        // Those who leave make room for a thread or a process, which may not be enough.
        last.result().unwrap();
        for (n, future) in (0..).zip(waiting) {
            match future.result() {
                Ok(value) => assert_eq!(value, n),
                Err(error) => assert!(error.is_refused() || error.is_broken(), "{error}"),
            }
        }
        leave_all_threads();
        assert!(executor.submit(|n: u32| n, 1).result().err().is_none_or(|it| it.is_broken()));
        ends(executor);
    });
}

/// The catalogue wants 10 000 rounds.
#[test]
fn s108_every_task_runs_that_comes_when_its_worker_is_about_to_leave() {
    const IDLE: Duration = Duration::from_micros(300);
    scenario(|ledger| {
        let builder = ProcessPoolExecutor::builder().max_workers(1);
        let executor = builder.keep_alive(IDLE).build().unwrap();
        let mut processes = HashSet::new();
        for round in 0..300 {
            let begun = std::time::Instant::now();
            while begun.elapsed() < IDLE * (round % 8) / 4 {
                std::hint::spin_loop();
            }
            let future = ledger.watch(executor.submit(|()| std::process::id(), ()));
            processes.insert(future.result().unwrap());
        }
        assert!(processes.len() > 1, "none has left");
        goes_on_and_ends(executor);
    });
}

#[test]
fn s109_a_worker_that_has_grown_too_large_ends_its_task_and_is_replaced() {
    fn grows(bytes: usize) -> u32 {
        // Touched, and kept for good.
        std::mem::forget(vec![1_u8; bytes]);
        std::process::id()
    }
    scenario(|ledger| {
        let builder = ProcessPoolExecutor::builder().max_workers(1);
        let executor = builder.memory_limit(64 << 20).build().unwrap();
        let first = process_of(&executor);
        assert_eq!(ledger.watch(executor.submit(grows, 1 << 20)).result().unwrap(), first);
        let behind = || executor.submit_all(|()| std::process::id(), [(); 5]);
        assert_eq!(ledger.watch(executor.submit(grows, 100 << 20)).result().unwrap(), first);
        for future in ledger.watch_all(behind()) {
            assert_ne!(future.result().unwrap(), first);
        }
        until_gone(first);
        goes_on_and_ends(executor);
    });
}

#[test]
fn s110_a_pool_that_becomes_smaller_ends_no_task() {
    scenario(|ledger| {
        let executor = pool(4);
        let gate = FarGate::new();
        let latches = std::iter::repeat_with(|| gate.latch()).take(4);
        let running = ledger.watch_all(executor.submit_all(pass, latches));
        gate.await_arrivals(4);
        executor.resize(1).unwrap();
        let waiting = ledger.watch_all(executor.submit_all(|n: u32| n, 0..20));
        assert_eq!(executor.stats().workers, 4);
        gate.open();
        assert!(running.into_iter().all(|it| it.result().is_ok()));
        assert!((0..).zip(waiting).all(|(n, it)| it.result().unwrap() == n));
        eventually(|| executor.stats().workers == 1);
        goes_on_and_ends(executor);
    });
}

#[test]
fn s111_a_storm_of_sizes_loses_nothing_and_ends_with_the_last() {
    scenario(|ledger| {
        let executor = pool(2);
        let futures = std::thread::scope(|scope| {
            let submits = scope.spawn(|| {
                let submit = |n| executor.submit(|n: u32| n, n);
                (0..3000).map(submit).collect::<Vec<_>>()
            });
            let mut random = 12345_usize;
            for _ in 0..300 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                executor.resize(1 + (random >> 33) % 4).unwrap();
            }
            executor.resize(3).unwrap();
            submits.join().unwrap()
        });
        let futures = ledger.watch_all(futures);
        assert!((0..).zip(futures).all(|(n, it)| it.result().unwrap() == n));
        // All of them are needed for these.
        let gate = FarGate::new();
        let latches = std::iter::repeat_with(|| gate.latch()).take(3);
        let all = ledger.watch_all(executor.submit_all(pass, latches));
        gate.await_arrivals(3);
        eventually(|| executor.stats().workers == 3);
        gate.open();
        let processes: HashSet<u32> = all.into_iter().map(|it| it.result().unwrap()).collect();
        assert_eq!(processes.len(), 3);
        goes_on_and_ends(executor);
    });
}

#[test]
fn s112_a_pool_that_changes_its_size_just_after_a_death_comes_to_that_size() {
    scenario(|ledger| {
        for (from, to) in [(1, 3), (3, 1), (2, 2)] {
            let builder = ProcessPoolExecutor::builder().max_workers(from);
            let executor = builder.start_all().build().unwrap();
            let door = Door::new();
            let dies = ledger.watch(executor.submit(knock, door.path()));
            let visitor = door.open();
            send_signal(visitor.process, libc::SIGKILL);
            executor.resize(to).unwrap();
            assert!(dies.result().unwrap_err().worker_death().is_some());
            goes_on(&executor);
            eventually(|| executor.stats().workers == to && executor.stats().idle == to);
            assert!(executor.workers().iter().all(|it| it.process_id != Some(visitor.process)));
            ends(executor);
        }
    });
}

#[test]
fn s113_a_pool_without_a_worker_starts_one_for_the_first_task() {
    scenario(|_| {
        let builder = ProcessPoolExecutor::builder().max_workers(4);
        let executor = builder.keep_alive(Duration::ZERO).build().unwrap();
        for _ in 0..3 {
            // At first there was none, and later none has stayed.
            eventually(|| executor.stats().workers == 0);
            let process = process_of(&executor);
            assert!(executor.stats().workers <= 1);
            until_gone(process);
            assert!(!is_alive(process));
        }
        goes_on_and_ends(executor);
    });
}
