//! Ends of executors, of programs and of threads.

use crate::common::{Gate, eventually, in_child, is_shut_down, occupy, printed, within};
use concurrent_futures::{Executor, ThreadPoolExecutor};
use std::sync::{Arc, Barrier, mpsc};

/// S01: a submission after shutdown is refused, and says so.
#[test]
fn test_run_after_shutdown() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        executor.shutdown(true, false);
        assert!(is_shut_down(&executor.submit(|n| n, 1).result().unwrap_err()));
    });
}

/// S02, adapted: a task that is pending when `main` ends completes, since the executor is
/// dropped there.
#[test]
fn test_interpreter_shutdown() {
    let output = in_child("shutdown::test_interpreter_shutdown", || {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let (go, may_go) = mpsc::channel();
        drop(executor.submit(|may_go: mpsc::Receiver<()>| may_go.recv(), may_go));
        drop(executor.spawn(|| println!("apple")));
        go.send(()).unwrap();
    });
    if let Some(output) = output {
        assert!(printed(&output).contains("apple\n"));
    }
}

/// S04: 50 short tasks all complete across a waiting shutdown.
#[test]
fn test_hang_issue12364() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let futures = executor.submit_all(|n| n, 0..50);
        executor.shutdown(true, false);
        let sum: u32 = futures.into_iter().map(|future| future.result().unwrap()).sum();
        assert_eq!(sum, 1225);
    });
}

/// S05: a cancelling shutdown cancels what has not begun; the rest finishes.
#[test]
fn test_cancel_futures() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let gate = Gate::new();
        let futures: Vec<_> = (0..50)
            .map(|_| {
                let latch = gate.latch();
                executor.spawn(move || latch.pass())
            })
            .collect();
        eventually(|| executor.stats().running == 2);
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
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let (go, may_go) = mpsc::channel();
        let task = |may_go: mpsc::Receiver<()>| {
            may_go.recv().unwrap();
            println!("apple");
        };
        drop(executor.submit(task, may_go));
        executor.shutdown(false, false);
        go.send(()).unwrap();
    });
    if let Some(output) = output {
        assert!(printed(&output).contains("apple\n"));
    }
}

/// S07: submit, cancel, and a waiting shutdown: it returns.
#[test]
fn test_hang_gh94440() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        executor.submit(|n| n, 1).result().unwrap();
        let gate = occupy(&executor, 1);
        let future = executor.submit(|n| n, 2);
        assert!(future.cancel());
        gate.open();
        executor.shutdown(true, true);
        assert!(future.cancelled());
    });
}

/// S08: three blocked tasks make three threads; after shutdown all of them have ended.
#[test]
fn test_threads_terminate() {
    within(|| {
        let executor = ThreadPoolExecutor::new(5).unwrap();
        let gate = occupy(&executor, 3);
        assert_eq!(executor.stats().workers, 3);
        gate.open();
        executor.shutdown(true, false);
        assert_eq!(executor.stats().workers, 0);
    });
}

/// S09: at the end of the executor's scope its threads have ended, and the results are right.
#[test]
fn test_context_manager_shutdown() {
    within(|| {
        let (handle, futures) = {
            let executor = ThreadPoolExecutor::new(5).unwrap();
            (executor.handle(), executor.submit_all(i32::abs, -5..5))
        };
        assert_eq!(handle.stats().workers, 0);
        let results: Result<Vec<_>, _> =
            futures.into_iter().map(|future| future.result()).collect();
        assert_eq!(results.unwrap(), [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]);
    });
}

/// S10, adapted: dropping the executor completes what is queued and ends the threads.
#[test]
fn test_del_shutdown() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let handle = executor.handle();
        let gate = occupy(&executor, 1);
        let futures = executor.submit_all(i32::abs, -5..5);
        let dropper = std::thread::spawn(move || drop(executor));
        eventually(|| handle.try_submit(|n| n, 0).is_err());
        gate.open();
        dropper.join().unwrap();
        assert_eq!(handle.stats().workers, 0);
        let results: Result<Vec<_>, _> =
            futures.into_iter().map(|future| future.result()).collect();
        assert_eq!(results.unwrap(), [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]);
    });
}

/// S11: after a shutdown that does not wait, results complete and threads end by themselves.
#[test]
fn test_shutdown_no_wait() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let futures = executor.submit_all(i32::abs, -5..5);
        executor.shutdown(false, false);
        gate.open();
        let results: Result<Vec<_>, _> =
            futures.into_iter().map(|future| future.result()).collect();
        assert_eq!(results.unwrap(), [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]);
        eventually(|| executor.stats().workers == 0);
    });
}

fn names_of_five_threads(executor: &ThreadPoolExecutor) -> Vec<String> {
    let barrier = Arc::new(Barrier::new(5));
    let name = move |_| {
        barrier.wait();
        std::thread::current().name().unwrap().to_owned()
    };
    let futures = executor.submit_all(name, 0..5);
    let mut names: Vec<_> = futures.into_iter().map(|future| future.result().unwrap()).collect();
    names.sort();
    names
}

/// S12: threads are called by the given prefix and an index from 0.
#[test]
fn test_thread_names_assigned() {
    within(|| {
        let builder = ThreadPoolExecutor::builder().max_workers(5);
        let executor = builder.thread_name_prefix("SpecialPool").build().unwrap();
        let expected = [0, 1, 2, 3, 4].map(|index| format!("SpecialPool_{index}"));
        assert_eq!(names_of_five_threads(&executor), expected);
    });
}

/// S13, adapted: default names have the kind of pool, its number, and the thread's index.
#[test]
fn test_thread_names_default() {
    within(|| {
        let executor = ThreadPoolExecutor::new(5).unwrap();
        for (index, name) in names_of_five_threads(&executor).iter().enumerate() {
            let rest = name.strip_prefix("ThreadPool-").expect(name);
            let (number, last) = rest.split_once('_').expect(name);
            number.parse::<u32>().expect(name);
            assert_eq!(last, index.to_string());
        }
    });
}

/// S14, adapted: a cancelling shutdown that does not wait, then the end of `main`: the task ran
/// or did not, and either is a good end.
#[test]
fn test_cancel_futures_wait_false() {
    let output = in_child("shutdown::test_cancel_futures_wait_false", || {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        drop(executor.spawn(|| println!("apple")));
        executor.shutdown(false, true);
    });
    if let Some(output) = output {
        assert!(printed(&output).matches("apple\n").count() <= 1);
    }
}

/// S01 once more, by way of the trait that all executors share.
#[test]
fn test_run_after_shutdown_of_any_executor() {
    fn ends(executor: &impl Executor) -> bool {
        executor.shutdown(true, false);
        is_shut_down(&executor.submit(u64::count_ones, 3).result().unwrap_err())
    }
    within(|| assert!(ends(&ThreadPoolExecutor::new(2).unwrap())));
}
