//! What only pools of processes do.

use crate::common::{Address, FarGate, FarLatch, Mailbox, eventually, is_no_worker, within};
use crate::{items, occupy, pass, pool, process_id, processes, raise};
use concurrent_futures::{
    BuildError, DeathCause, MapOptions, OnWorkerDeath, ProcessPoolExecutor, TaskErrorKind,
};
use std::collections::HashSet;
use std::path::PathBuf;

/// P01, adapted: more than 61 workers are allowed.
#[test]
fn test_max_workers_too_large() {
    within(|| {
        let executor = pool(100);
        assert_eq!(executor.submit(u32::count_ones, 7).result().unwrap(), 3);
        let error = ProcessPoolExecutor::new(usize::MAX).unwrap_err();
        assert!(matches!(error, BuildError::TooManyWorkers { .. }), "{error}");
    });
}

fn exit((latch, code): (FarLatch, i32)) {
    latch.pass();
    std::process::exit(code);
}

fn fragile(workers: usize) -> ProcessPoolExecutor {
    let builder = ProcessPoolExecutor::builder().max_workers(workers);
    builder.on_worker_death(OnWorkerDeath::Break).build().unwrap()
}

/// P02: with Python's policy, a worker that dies fails its future and all later submissions;
/// adapted: without it, its own future only.
#[test]
fn test_killed_child() {
    within(|| {
        let gate = FarGate::new();
        gate.open();
        let executor = fragile(1);
        let error = executor.submit(exit, (gate.latch(), 9)).result().unwrap_err();
        assert!(error.worker_death().is_some(), "{error}");
        eventually(|| executor.try_submit(process_id, ()).is_err());
        assert!(executor.submit(process_id, ()).result().unwrap_err().is_broken());

        let executor = pool(1);
        let error = executor.submit(exit, (gate.latch(), 9)).result().unwrap_err();
        assert!(error.worker_death().is_some(), "{error}");
        assert!(executor.submit(process_id, ()).result().is_ok());
    });
}

/// P03, adapted: every future of a broken pool has an error of its own, with the cause.
#[test]
fn test_broken_process_pool_traceback() {
    within(|| {
        let (executor, gate) = (fragile(1), FarGate::new());
        let first = executor.submit(exit, (gate.latch(), 9));
        gate.await_arrivals(1);
        let queued = executor.submit_all(process_id, [(); 5]);
        gate.open();
        assert!(first.result().unwrap_err().worker_death().is_some());
        for future in queued {
            let error = future.result().unwrap_err();
            assert!(error.is_broken() && error.to_string().contains("code 9"), "{error}");
        }
    });
}

/// P04: chunks of 6, 40 and 50 items give the same results.
#[test]
fn test_map_chunksize() {
    within(|| {
        let executor = pool(2);
        for chunksize in [6, 40, 50] {
            let options = MapOptions::new().chunksize(items(chunksize));
            let results = executor.map_with(options, |n: u64| n.pow(2), 0..40);
            let results: Result<Vec<_>, _> = results.collect();
            assert_eq!(results.unwrap(), Vec::from_iter((0..40).map(|n: u64| n.pow(2))));
        }
    });
}

/// P05, adapted: message and location of the worker's panic arrive.
#[test]
fn test_traceback() {
    within(|| {
        let error = pool(1).submit(raise, "some words".to_owned()).result().unwrap_err();
        let TaskErrorKind::Panicked(panic) = error.kind() else { panic!("{error}") };
        assert_eq!(panic.message(), "some words");
        assert!(panic.location().unwrap().contains("parity_process/main.rs:"), "{error}");
    });
}

/// P06: the error says with which code the worker exited.
#[test]
fn test_traceback_when_child_process_terminates_abruptly() {
    within(|| {
        let (executor, gate) = (pool(1), FarGate::new());
        gate.open();
        let error = executor.submit(exit, (gate.latch(), 99)).result().unwrap_err();
        let death = error.worker_death().unwrap();
        assert_eq!(death.cause(), &DeathCause::Exited { code: 99 });
        assert!(error.to_string().contains("exited with code 99"), "{error}");
    });
}

/// P08: 15 blocked tasks for each worker keep the processes at the maximum.
#[test]
fn test_saturation() {
    within(|| {
        let executor = pool(2);
        let (_gate, _blocked) = occupy(&executor, 2);
        let gate = FarGate::new();
        gate.open();
        let futures: Vec<_> = (0..28).map(|_| executor.submit(pass, gate.latch())).collect();
        assert_eq!(processes(&executor).len(), 2);
        drop((_gate, _blocked));
        assert!(futures.into_iter().all(|future| future.result().is_ok()));
        assert_eq!(processes(&executor).len(), 2);
    });
}

/// P09: tasks that follow one another use one process.
#[test]
fn test_idle_process_reuse_one() {
    within(|| {
        let executor = pool(4);
        let used: HashSet<_> = (0..5)
            .map(|_| {
                let process = executor.submit(process_id, ()).result().unwrap();
                eventually(|| executor.stats().idle == 1);
                process
            })
            .collect();
        assert_eq!(used, HashSet::from_iter(processes(&executor)));
        assert_eq!(used.len(), 1);
    });
}

/// P10: some tasks at a time use no more processes than there are tasks.
#[test]
fn test_idle_process_reuse_multiple() {
    within(|| {
        let executor = pool(4);
        for _ in 0..5 {
            let (gate, blocked) = occupy(&executor, 3);
            gate.open();
            assert!(blocked.into_iter().all(|future| future.result().is_ok()));
            eventually(|| executor.stats().idle == executor.stats().workers);
        }
        assert!(processes(&executor).len() <= 3);
    });
}

fn recycling(workers: usize, tasks: usize) -> ProcessPoolExecutor {
    let builder = ProcessPoolExecutor::builder().max_workers(workers);
    builder.max_tasks_per_child(tasks).build().unwrap()
}

/// P11: with a limit of three, the fourth task runs in another process.
#[test]
fn test_max_tasks_per_child() {
    within(|| {
        let executor = recycling(1, 3);
        let futures = executor.submit_all(process_id, [(); 6]);
        let used: Vec<_> = futures.into_iter().map(|future| future.result().unwrap()).collect();
        assert!(used[0] == used[1] && used[1] == used[2] && used[2] != used[3]);
        assert!(used[3] == used[4] && used[4] == used[5]);
    });
}

/// P13: a backlog gets done although workers reach their limit.
#[test]
fn test_max_tasks_per_child_pending_tasks_gh115634() {
    within(|| {
        let executor = recycling(1, 1);
        let futures = executor.submit_all(process_id, [(); 10]);
        let used: HashSet<_> = futures.into_iter().map(|future| future.result().unwrap()).collect();
        assert_eq!(used.len(), 10);
    });
}

/// P14: after a shutdown that does not wait workers are still replaced; adapted: dropping the
/// executor takes nothing of that back.
#[test]
fn test_shutdown_no_wait_max_tasks_gh119592() {
    within(|| {
        let executor = recycling(1, 1);
        let futures = executor.submit_all(process_id, [(); 5]);
        executor.shutdown(false, false);
        drop(executor);
        let used: HashSet<_> = futures.into_iter().map(|future| future.result().unwrap()).collect();
        assert_eq!(used.len(), 5);
    });
}

/// P15, adapted: an executor that is dropped with a backlog, while a worker is at its limit, ends
/// every future.
#[test]
fn test_gc_during_max_tasks_worker_exit_gh152967() {
    within(|| {
        let executor = recycling(1, 1);
        let (gate, blocked) = occupy(&executor, 1);
        let futures = executor.submit_all(process_id, [(); 3]);
        gate.open();
        drop(executor);
        assert!(blocked.into_iter().chain(futures).all(|future| future.done()));
    });
}

/// P16: a forced shutdown while a worker is at its limit replaces none, and queued futures end.
#[test]
fn test_force_shutdown_during_max_tasks_worker_exit() {
    within(|| {
        let executor = recycling(1, 1);
        let (_gate, mut blocked) = occupy(&executor, 1);
        let futures = executor.submit_all(process_id, [(); 3]);
        executor.kill_workers();
        assert!(futures.into_iter().all(|it| it.result().unwrap_err().is_cancelled()));
        assert!(blocked.remove(0).result().unwrap_err().worker_death().is_some());
        executor.shutdown(true, false);
        assert_eq!(executor.workers(), []);
    });
}

/// P17: if no worker is left and none can be started, what is queued fails with the reason.
#[test]
fn test_failed_worker_replacement_breaks_pool() {
    within(|| {
        let folder = std::env::temp_dir().join(format!("parity-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let builder = ProcessPoolExecutor::builder().max_workers(1).max_tasks_per_child(1);
        let executor = builder.current_dir(&folder).build().unwrap();
        let remove = |folder: PathBuf| std::fs::remove_dir(folder).unwrap();
        let first = executor.submit(remove, folder);
        let second = executor.submit(process_id, ());
        first.result().unwrap();
        let error = second.result().unwrap_err();
        assert!(is_no_worker(&error), "{error}");
    });
}

/// P18: a waiting shutdown finishes six tasks at one task for each worker.
#[test]
fn test_max_tasks_early_shutdown() {
    within(|| {
        let executor = recycling(3, 1);
        let futures = executor.submit_all(|n: u32| n, 0..6);
        executor.shutdown(true, false);
        let sum: u32 = futures.into_iter().map(|future| future.result().unwrap()).sum();
        assert_eq!(sum, 15);
    });
}

/// Tells its first step, and after the gate its second.
fn two_steps((address, latch): (Address, FarLatch)) {
    address.send("first");
    latch.pass();
    address.send("second");
}

/// The task is stopped before its second step, and submissions are refused.
fn force_shutdown(end: fn(&ProcessPoolExecutor)) {
    within(move || {
        let (executor, gate, mail) = (pool(1), FarGate::new(), Mailbox::new());
        let future = executor.submit(two_steps, (mail.address(), gate.latch()));
        assert_eq!(mail.next(), "first");
        end(&executor);
        let error = future.result().unwrap_err();
        assert_eq!(error.worker_death().unwrap().cause(), &DeathCause::Ended);
        executor.shutdown(true, false);
        gate.open();
        assert_eq!(mail.unread(), [""; 0]);
    });
}

/// P20, P23: a running task is stopped before its second step.
#[test]
fn test_terminate_workers() {
    force_shutdown(|executor| executor.terminate_workers());
}

/// P21, P23: a running task is stopped before its second step.
#[test]
fn test_kill_workers() {
    force_shutdown(|executor| executor.kill_workers());
}

const ENDS: [fn(&ProcessPoolExecutor); 2] =
    [|executor| executor.terminate_workers(), |executor| executor.kill_workers()];

/// P24: neither does any harm to a broken pool.
#[test]
fn test_force_shutdown_workers_dead_workers() {
    within(|| {
        for end in ENDS {
            let (executor, gate) = (fragile(1), FarGate::new());
            gate.open();
            assert!(executor.submit(exit, (gate.latch(), 1)).result().is_err());
            end(&executor);
        }
    });
}

/// P25: nor to one whose workers have not been started.
#[test]
fn test_force_shutdown_workers_not_started_yet() {
    within(|| {
        for end in ENDS {
            let executor = pool(2);
            end(&executor);
            assert_eq!(executor.workers(), []);
        }
    });
}

/// P26: after either, submissions are refused.
#[test]
fn test_force_shutdown_workers_stops_pool() {
    within(|| {
        for end in ENDS {
            let executor = pool(1);
            executor.submit(process_id, ()).result().unwrap();
            end(&executor);
            assert!(executor.submit(process_id, ()).result().unwrap_err().is_refused());
        }
    });
}
