//! Ends of process pools, of programs and of processes.

use crate::common::{FarGate, FarLatch, eventually, in_child, is_shut_down, printed, within};
use crate::{is_alive, occupy, pass, pool, processes, raise};
use concurrent_futures::{Executor, Future, ProcessPoolExecutor};

fn say(word: String) {
    println!("{word}");
}

fn say_later((latch, word): (FarLatch, String)) {
    latch.pass();
    say(word);
}

fn absolute(n: i32) -> i32 {
    n.abs()
}

#[track_caller]
fn assert_absolutes(futures: Vec<Future<i32>>) {
    let results: Result<Vec<_>, _> = futures.into_iter().map(|future| future.result()).collect();
    assert_eq!(results.unwrap(), [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]);
}

/// S01: a submission after shutdown is refused, and says so.
#[test]
fn test_run_after_shutdown() {
    fn ends(executor: &impl Executor) -> bool {
        executor.shutdown(true, false);
        is_shut_down(&executor.submit(absolute, -2).result().unwrap_err())
    }
    within(|| {
        assert!(ends(&pool(2)));
        let executor = pool(2);
        executor.submit(absolute, -2).result().unwrap();
        assert!(ends(&executor));
    });
}

/// S02, adapted: a task that is pending when `main` ends completes, since the executor is
/// dropped there.
#[test]
fn test_interpreter_shutdown() {
    let output = in_child("shutdown::test_interpreter_shutdown", || {
        let executor = pool(1);
        drop(executor.submit(say, "apple".to_owned()));
    });
    if let Some(output) = output {
        assert!(printed(&output).contains("apple\n"));
    }
}

/// S04: 50 short tasks all complete across a waiting shutdown.
#[test]
fn test_hang_issue12364() {
    within(|| {
        let executor = pool(2);
        let futures = executor.submit_all(absolute, -50..0);
        executor.shutdown(true, false);
        let sum: i32 = futures.into_iter().map(|future| future.result().unwrap()).sum();
        assert_eq!(sum, 1275);
    });
}

/// S05: a cancelling shutdown cancels what has not begun; the rest finishes.
#[test]
fn test_cancel_futures() {
    within(|| {
        let executor = pool(2);
        let (gate, mut futures) = occupy(&executor, 2);
        futures.extend((0..48).map(|_| executor.submit(pass, gate.latch())));
        let handle = executor.handle();
        let closer = std::thread::spawn(move || handle.shutdown(true, true));
        futures[49].wait();
        gate.open();
        closer.join().unwrap();
        let cancelled = futures.iter().filter(|future| future.cancelled()).count();
        let finished = futures.into_iter().filter_map(|future| future.result().ok()).count();
        assert_eq!((cancelled, finished), (48, 2));
    });
}

/// S06, adapted: after a shutdown that did not wait, the end of `main` does.
#[test]
fn test_hang_gh83386() {
    let output = in_child("shutdown::test_hang_gh83386", || {
        let gate = FarGate::new();
        let executor = pool(1);
        drop(executor.submit(say_later, (gate.latch(), "apple".to_owned())));
        gate.await_arrivals(1);
        executor.shutdown(false, false);
        gate.open();
    });
    if let Some(output) = output {
        assert!(printed(&output).contains("apple\n"));
    }
}

/// S07: submit, cancel, and a waiting shutdown: it returns.
#[test]
fn test_hang_gh94440() {
    within(|| {
        let executor = pool(1);
        executor.submit(absolute, 1).result().unwrap();
        let (gate, _blocked) = occupy(&executor, 1);
        let future = executor.submit(absolute, 2);
        assert!(future.cancel());
        gate.open();
        executor.shutdown(true, true);
        assert!(future.cancelled());
    });
}

/// S15: three blocked tasks make three processes; after shutdown all of them have ended.
#[test]
fn test_processes_terminate() {
    within(|| {
        let executor = pool(5);
        let (gate, _blocked) = occupy(&executor, 3);
        let processes = processes(&executor);
        assert_eq!(processes.len(), 3);
        assert!(processes.iter().all(|it| is_alive(*it)));
        gate.open();
        executor.shutdown(true, false);
        assert!(!processes.iter().any(|it| is_alive(*it)));
    });
}

/// S16: at the end of the executor's scope its processes have ended, and the results are right.
#[test]
fn test_context_manager_shutdown() {
    within(|| {
        let (processes, futures) = {
            let executor = pool(5);
            let futures = executor.submit_all(absolute, -5..5);
            futures[9].wait();
            (processes(&executor), futures)
        };
        assert!(!processes.is_empty());
        assert!(!processes.iter().any(|it| is_alive(*it)));
        assert_absolutes(futures);
    });
}

/// S17, adapted: dropping the executor completes what is queued and ends the processes.
#[test]
fn test_del_shutdown() {
    within(|| {
        let executor = pool(1);
        let handle = executor.handle();
        let (gate, _blocked) = occupy(&executor, 1);
        let processes = processes(&executor);
        let futures = executor.submit_all(absolute, -5..5);
        let dropper = std::thread::spawn(move || drop(executor));
        eventually(|| handle.try_submit(absolute, 0).is_err());
        gate.open();
        dropper.join().unwrap();
        assert!(!processes.iter().any(|it| is_alive(*it)));
        assert_eq!(handle.workers(), []);
        assert_absolutes(futures);
    });
}

/// S18: after a shutdown that does not wait, results complete and processes end by themselves.
#[test]
fn test_shutdown_no_wait() {
    within(|| {
        let executor = pool(1);
        let (gate, _blocked) = occupy(&executor, 1);
        let processes = processes(&executor);
        let futures = executor.submit_all(absolute, -5..5);
        executor.shutdown(false, false);
        gate.open();
        assert_absolutes(futures);
        eventually(|| !processes.iter().any(|it| is_alive(*it)));
        eventually(|| executor.stats().workers == 0);
    });
}

/// One task for each process, one of which fails, and a shutdown that does not wait.
fn fail_before_shutdown(workers: usize) {
    let builder = ProcessPoolExecutor::builder().max_workers(workers);
    let executor = builder.max_tasks_per_child(1).build().unwrap();
    let first = executor.submit(absolute, -1);
    let failing = executor.submit(raise, "one of its tasks".to_owned());
    let last = executor.submit(absolute, -2);
    executor.shutdown(false, false);
    assert_eq!((first.result().unwrap(), last.result().unwrap()), (1, 2));
    assert!(failing.result().unwrap_err().is_panic());
    eventually(|| executor.stats().workers == 0);
}

/// S19: with two processes there is no error but the task's own.
#[test]
fn test_shutdown_gh_132969_case_1() {
    within(|| fail_before_shutdown(2));
}

/// S20: with four there is no hang.
#[test]
fn test_shutdown_gh_132969_case_2() {
    within(|| fail_before_shutdown(4));
}
