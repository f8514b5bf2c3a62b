//! Faults that showed only when two things happened at just the wrong time: one test for each, with
//! its story. Each gives the wrong time many chances.

use crate::common::workers::{Folder, note, noted, pool, send_signal};
use crate::common::{FarGate, FarLatch, within};
use concurrent_futures::{
    OnWorkerDeath, ProcessPoolExecutor, TaskErrorKind, TaskOptions, WhenFull,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

fn pass(latch: FarLatch) {
    latch.pass();
}

/// That a call with a timeout had begun came through the socket, and its outcome through the ring.
/// The parent looked at the socket, then both came, and then it looked at the ring: so it heard of
/// the beginning after the end, took that for nonsense, and ended the worker.
#[test]
fn an_outcome_may_overtake_the_news_that_its_call_has_begun() {
    within(|| {
        let executor = pool(2);
        let limited = executor.with(TaskOptions::new().timeout(Duration::from_secs(60)));
        for _ in 0..200 {
            for (n, future) in limited.submit_all(|n: u32| n, 0..500).into_iter().enumerate() {
                assert_eq!(future.result().unwrap() as usize, n);
            }
        }
    });
}

/// A submitter that was let into a bounded queue held its lock, and wanted the pool's. Whoever broke
/// the pool because of a worker's death held the pool's, and wanted that of the queue.
#[test]
fn a_pool_breaks_while_tasks_come_into_its_bounded_queue() {
    within(|| {
        for round in 1..=40 {
            let builder = ProcessPoolExecutor::builder().max_workers(2);
            let builder = builder.queue_capacity(8, WhenFull::Refuse);
            let executor = builder.on_worker_death(OnWorkerDeath::Break).build().unwrap();
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        let _ = executor.submit(|_| (), ()).result();
                        // Until it is broken.
                        while executor.stats().workers > 0 {
                            drop(executor.submit(|_| (), ()));
                            let _ = executor.submit(|_| (), ()).exception();
                        }
                    });
                }
                while executor.stats().finished < 100 * round {
                    std::thread::yield_now();
                }
                if let Some(process) = executor.workers().iter().find_map(|it| it.process_id) {
                    send_signal(process, libc::SIGKILL);
                }
            });
        }
    });
}

/// A callback that waits lets a stand-in take the line over. That one did not know that something
/// had just been heard, and so did not look once more for what the worker does not ring for: the
/// outcome that the callback waited for lay in the ring until the worker's next call was over.
#[test]
fn a_stand_in_looks_once_more_for_what_is_not_rung_for() {
    within(|| {
        fn spins(micros: u64) {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_micros(micros) {}
        }
        const LONG: Duration = Duration::from_secs(2);
        for round in 0..60 {
            let executor = pool(1);
            // So that several calls are sent ahead.
            executor.submit_all(spins, [5; 40]).into_iter().for_each(|it| it.result().unwrap());
            let first = executor.submit(spins, 300);
            let second = executor.submit(spins, 10 + round * 7 % 90);
            let long = executor.submit(std::thread::sleep, LONG);
            let begun = Instant::now();
            let (over, is_over) = mpsc::channel();
            first.add_done_callback(move |_| {
                second.result().unwrap();
                over.send(begun.elapsed()).unwrap();
            });
            assert!(is_over.recv().unwrap() < LONG / 2);
            executor.kill_workers();
            assert!(long.result().is_err());
        }
    });
}

/// Threads that waited for room were woken by whoever took a task out of the queue, and one that found
/// the pool broken went away without waking another.
#[test]
fn all_who_wait_for_room_hear_that_the_pool_is_broken() {
    within(|| {
        for _ in 0..40 {
            let gate = FarGate::new();
            let builder = ProcessPoolExecutor::builder().max_workers(1);
            let builder = builder.queue_capacity(1, WhenFull::Block);
            let executor = builder.on_worker_death(OnWorkerDeath::Break).build().unwrap();
            let running = executor.submit(pass, gate.latch());
            gate.await_arrivals(1);
            std::thread::scope(|scope| {
                for _ in 0..6 {
                    scope.spawn(|| {
                        let error = executor.submit(|()| (), ()).result().unwrap_err();
                        assert!(error.is_broken(), "{error}");
                    });
                }
                while executor.try_submit(|()| (), ()).is_ok() {}
                let process = executor.workers()[0].process_id.unwrap();
                send_signal(process, libc::SIGKILL);
            });
            assert!(running.result().unwrap_err().worker_death().is_some());
        }
    });
}

/// The same, when the pool breaks because its first worker cannot be set up.
#[test]
fn all_who_wait_for_room_hear_that_the_initializer_has_failed() {
    fn fails(latch: FarLatch) -> Result<(), String> {
        latch.pass();
        Err("out of paper".to_owned())
    }
    within(|| {
        for _ in 0..40 {
            let gate = FarGate::new();
            let builder = ProcessPoolExecutor::builder().max_workers(1);
            let builder = builder.queue_capacity(1, WhenFull::Block);
            let executor = builder.try_initializer(fails, gate.latch()).build().unwrap();
            std::thread::scope(|scope| {
                for _ in 0..6 {
                    scope.spawn(|| {
                        let error = executor.submit(|()| (), ()).result().unwrap_err();
                        assert!(error.to_string().contains("out of paper"), "{error}");
                    });
                }
                while executor.try_submit(|()| (), ()).is_ok() {}
                gate.open();
            });
        }
    });
}

/// A limit on waiting that was over at once: the alarm looked for the task before it stood in the
/// pool's table, found nothing, and nobody came back to the task.
#[test]
fn a_limit_on_waiting_that_is_over_at_once_is_heeded() {
    const THREADS: usize = 8;
    const TASKS: usize = THREADS * 500;
    within(|| {
        let gate = FarGate::new();
        let executor = pool(1);
        let running = executor.submit(pass, gate.latch());
        gate.await_arrivals(1);
        let at_once = executor.with(TaskOptions::new().begin_within(Duration::from_nanos(1)));
        let ends = AtomicUsize::new(0);
        // Several threads, so that each is held up now and then between one step and the next.
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    let futures: Vec<_> =
                        (0..TASKS / THREADS).map(|_| at_once.submit(|()| (), ())).collect();
                    for future in futures {
                        let error = future.result().unwrap_err();
                        assert!(matches!(error.kind(), TaskErrorKind::NotBegun { .. }), "{error}");
                        ends.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(ends.load(Ordering::SeqCst), TASKS);
        let stats = executor.stats();
        assert_eq!((stats.failed, stats.queued, stats.running), (TASKS, 0, 1));
        gate.open();
        running.result().unwrap();
        executor.shutdown(true, false);
        let stats = executor.stats();
        assert_eq!((stats.finished, stats.failed, stats.cancelled), (1, TASKS, 0));
    });
}

/// The same with a worker that has nothing else to do: each task has begun, or never does.
#[test]
fn a_limit_on_waiting_races_with_beginning_and_each_task_is_one_of_both() {
    const TASKS: usize = 2000;
    within(|| {
        let folder = Folder::new();
        let executor = pool(2);
        let at_once = executor.with(TaskOptions::new().begin_within(Duration::from_nanos(1)));
        let futures: Vec<_> =
            (0..TASKS).map(|_| at_once.submit(note, folder.path("begun"))).collect();
        let results: Vec<_> = futures.into_iter().map(|it| it.result()).collect();
        let good = results.iter().filter(|it| it.is_ok()).count();
        for error in results.into_iter().filter_map(Result::err) {
            assert!(matches!(error.kind(), TaskErrorKind::NotBegun { .. }), "{error}");
        }
        executor.shutdown(true, false);
        assert_eq!(noted(&folder.path("begun")).len(), good);
        let stats = executor.stats();
        assert_eq!((stats.finished, stats.failed, stats.cancelled), (good, TASKS - good, 0));
    });
}

/// What is given up makes room for others.
#[test]
fn a_limit_on_waiting_that_is_over_makes_room_in_a_bounded_queue() {
    within(|| {
        let gate = FarGate::new();
        let builder = ProcessPoolExecutor::builder().max_workers(1);
        let executor = builder.queue_capacity(3, WhenFull::Block).build().unwrap();
        let running = executor.submit(pass, gate.latch());
        gate.await_arrivals(1);
        let at_once = executor.with(TaskOptions::new().begin_within(Duration::from_nanos(1)));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..300 {
                        assert!(at_once.submit(|()| (), ()).result().is_err());
                    }
                });
            }
        });
        assert_eq!(executor.stats().failed, 900);
        gate.open();
        running.result().unwrap();
    });
}
