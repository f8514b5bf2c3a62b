//! Worker threads: initializer, state and finalizer, keep-alive, resizing, stand-ins, statistics
//! (G11, G22, G28, G29).

use crate::common::{Drops, Gate, eventually, occupy, until_idle, within};
use concurrent_futures::{
    BuildError, Refusal, TaskError, TaskErrorKind, ThreadPoolExecutor, block_in_place,
};
use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

#[derive(Debug)]
struct NoLuck(u32);

impl fmt::Display for NoLuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no luck: {}", self.0)
    }
}

impl std::error::Error for NoLuck {}

fn cause_of(error: &TaskError) -> u32 {
    let cause = match error.kind() {
        TaskErrorKind::Broken(cause) | TaskErrorKind::Refused(Refusal::Broken(cause)) => cause,
        other => panic!("not broken: {other:?}"),
    };
    cause.cause().downcast_ref::<NoLuck>().expect("the initializer's own error").0
}

/// G11: the initializer's own error is found in every future that was queued, and in every later
/// one.
#[test]
fn an_initializers_error_reaches_every_future() {
    within(|| {
        let gate = Gate::new();
        let latch = gate.latch();
        let builder = ThreadPoolExecutor::builder().max_workers(1);
        let executor = builder
            .try_initializer(move || {
                latch.pass();
                Err::<(), _>(NoLuck(7))
            })
            .build()
            .unwrap();
        let queued = executor.submit_all(|n| n, 0..10);
        gate.open();
        for future in queued {
            assert_eq!(cause_of(&future.result().unwrap_err()), 7);
        }
        assert_eq!(cause_of(&executor.spawn(|| ()).result().unwrap_err()), 7);
        let refused = executor.try_submit(|n| n, 1).unwrap_err();
        assert!(matches!(refused.reason, Refusal::Broken(_)));
    });
}

/// G11: an initializer that panics breaks the pool too, with what it said.
#[test]
fn an_initializers_panic_reaches_every_future() {
    within(|| {
        let builder = ThreadPoolExecutor::builder().max_workers(1);
        let executor = builder.initializer(|| panic!("no luck at all")).build().unwrap();
        let error = executor.spawn(|| ()).result().unwrap_err();
        assert!(error.is_broken());
        assert!(error.to_string().contains("no luck at all"), "{error}");
    });
}

/// G11: a task that has begun on another worker ends as usual although the pool breaks.
#[test]
fn a_running_task_survives_the_breaking_of_its_pool() {
    within(|| {
        let count = AtomicUsize::new(0);
        let builder = ThreadPoolExecutor::builder().max_workers(2);
        let executor = builder
            .try_initializer(move || match count.fetch_add(1, Ordering::SeqCst) {
                0 => Ok(()),
                _ => Err(NoLuck(1)),
            })
            .build()
            .unwrap();
        let gate = Gate::new();
        let (latch, (begun, has_begun)) = (gate.latch(), mpsc::channel());
        let running = executor.spawn(move || {
            begun.send(()).unwrap();
            latch.pass();
            5
        });
        has_begun.recv().unwrap();
        assert!(executor.spawn(|| ()).result().unwrap_err().is_broken());
        gate.open();
        assert_eq!(running.result().unwrap(), 5);
    });
}

/// The state that an initializer makes lives as long as its worker, and is lent to each task.
#[test]
fn a_workers_state_is_kept_from_task_to_task() {
    within(|| {
        let executor =
            ThreadPoolExecutor::builder().max_workers(1).initializer(Vec::new).build().unwrap();
        let push = |state: &mut Vec<u32>, n| {
            state.push(n);
            state.len()
        };
        let lengths: Vec<_> = (0..5)
            .map(|n| executor.submit_with_state(push, n))
            .map(|future| future.result().unwrap())
            .collect();
        assert_eq!(lengths, [1, 2, 3, 4, 5]);
    });
}

/// A task that has the state may wait for another that needs it: that one runs elsewhere.
#[test]
fn a_task_with_the_state_may_wait_for_another_that_needs_it() {
    within(|| {
        let builder = ThreadPoolExecutor::builder().max_workers(1);
        let executor = builder.initializer(|| 1_u32).build().unwrap();
        let handle = executor.handle();
        let sum = executor.submit_with_state(
            move |state, n| {
                *state + handle.submit_with_state(|state, n| *state + n, n).result().unwrap()
            },
            5,
        );
        assert_eq!(sum.result().unwrap(), 7);
    });
}

/// The finalizer is given the state of each worker when its thread ends.
#[test]
fn the_finalizer_is_given_every_state() {
    within(|| {
        let (made, finalized) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (makes, collected) = (Arc::clone(&made), Arc::clone(&finalized));
        let executor = ThreadPoolExecutor::builder()
            .max_workers(3)
            .initializer(move || makes.fetch_add(1, Ordering::SeqCst))
            .finalizer(move |state| collected.lock().unwrap().push(state))
            .build()
            .unwrap();
        drop(occupy(&executor, 3));
        executor.shutdown(true, false);
        let mut states = finalized.lock().unwrap().clone();
        states.sort();
        assert_eq!(states, [0, 1, 2]);
    });
}

/// G13: a finalizer that panics keeps neither shutdown nor the other workers.
#[test]
fn a_panicking_finalizer_holds_nothing_up() {
    within(|| {
        let executor = ThreadPoolExecutor::builder()
            .max_workers(2)
            .initializer(|| ())
            .finalizer(|()| panic!("a finalizer that panics"))
            .build()
            .unwrap();
        drop(occupy(&executor, 2));
        executor.shutdown(true, false);
        assert_eq!(executor.stats().workers, 0);
    });
}

/// Without a finalizer the state is dropped with its worker.
#[test]
fn a_state_without_finalizer_is_dropped() {
    within(|| {
        let drops = Drops::new();
        let source = drops.clone();
        let builder = ThreadPoolExecutor::builder().max_workers(2);
        let executor = builder.initializer(move || source.token()).build().unwrap();
        drop(occupy(&executor, 2));
        executor.shutdown(true, false);
        assert_eq!(drops.count(), 2);
    });
}

/// G29: a thread that had nothing to do for its keep-alive ends.
#[test]
fn an_idle_thread_ends_after_its_keep_alive() {
    within(|| {
        let builder = ThreadPoolExecutor::builder().max_workers(2);
        let executor = builder.keep_alive(Duration::from_millis(1)).build().unwrap();
        drop(occupy(&executor, 2));
        eventually(|| executor.stats().workers == 0);
        assert_eq!(executor.spawn(|| 1).result().unwrap(), 1);
    });
}

/// G28, G29: a task that comes just as the last thread retires is not left lying.
#[test]
fn retiring_threads_leave_no_task_lying() {
    within(|| {
        let builder = ThreadPoolExecutor::builder().max_workers(2);
        let executor = builder.keep_alive(Duration::from_nanos(1)).build().unwrap();
        for n in 0..2000 {
            assert_eq!(executor.submit(|n| n, n).result().unwrap(), n);
        }
    });
}

/// Raising the number of workers lets queued tasks begin, without another submission.
#[test]
fn resizing_up_starts_threads_for_what_is_queued() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let _gate = occupy(&executor, 1);
        let future = executor.spawn(|| 1);
        executor.resize(2).unwrap();
        assert_eq!(future.result().unwrap(), 1);
    });
}

/// Lowering it ends threads after the task they are at.
#[test]
fn resizing_down_ends_threads() {
    within(|| {
        let executor = ThreadPoolExecutor::new(4).unwrap();
        let gate = occupy(&executor, 4);
        executor.resize(1).unwrap();
        gate.open();
        until_idle(&executor, 1);
    });
}

/// Lowering it ends sleeping threads as well.
#[test]
fn resizing_down_ends_idle_threads() {
    within(|| {
        let executor = ThreadPoolExecutor::new(4).unwrap();
        drop(occupy(&executor, 4));
        until_idle(&executor, 4);
        executor.resize(1).unwrap();
        until_idle(&executor, 1);
    });
}

/// Resizing up and down under load loses no task and runs none twice.
#[test]
fn resizing_under_load_loses_no_task() {
    within(|| {
        let executor = ThreadPoolExecutor::new(4).unwrap();
        let ran = Arc::new(AtomicUsize::new(0));
        let mut futures = Vec::new();
        for round in 0..200 {
            let ran = Arc::clone(&ran);
            futures.extend(executor.submit_all(move |_| ran.fetch_add(1, Ordering::SeqCst), 0..10));
            executor.resize(1 + round % 5).unwrap();
        }
        let seen: HashSet<_> = futures.into_iter().map(|it| it.result().unwrap()).collect();
        assert_eq!((seen.len(), ran.load(Ordering::SeqCst)), (2000, 2000));
    });
}

/// A size that cannot be is an error, and changes nothing.
#[test]
fn resizing_to_nothing_is_refused() {
    let executor = ThreadPoolExecutor::new(3).unwrap();
    assert!(matches!(executor.resize(0), Err(BuildError::ZeroWorkers)));
    assert!(matches!(executor.resize(usize::MAX), Err(BuildError::TooManyWorkers { .. })));
    assert_eq!(executor.max_workers(), 3);
}

/// While a task is blocked in place, another thread stands in for it.
#[test]
fn a_stand_in_goes_on_while_a_task_is_blocked_in_place() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let (sender, receiver) = mpsc::channel();
        let blocked = executor.spawn(move || block_in_place(|| receiver.recv().unwrap()));
        drop(executor.spawn(move || sender.send(9).unwrap()));
        assert_eq!(blocked.result().unwrap(), 9);
    });
}

/// The stand-in retires when the blocked task is back.
#[test]
fn a_stand_in_retires() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let (sender, receiver) = mpsc::channel();
        let blocked = executor.spawn(move || block_in_place(|| receiver.recv().unwrap()));
        drop(executor.spawn(move || sender.send(()).unwrap()));
        blocked.result().unwrap();
        until_idle(&executor, 1);
    });
}

/// G22: the counts of what has ended are exact, and add up to what was taken.
#[test]
fn stats_add_up() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let good = executor.submit_all(|n| n, 0..5);
        let bad = executor.submit_all(|n: u32| assert_ne!(n, n), 0..3);
        let never = executor.submit_all(|n| n, 0..2);
        never.iter().for_each(|future| assert!(future.cancel()));

        let stats = executor.stats();
        assert_eq!((stats.queued, stats.running, stats.cancelled), (8, 1, 2));
        assert_eq!((stats.workers, stats.idle), (1, 0));
        assert_eq!(stats.submitted(), 11);

        gate.open();
        good.into_iter().for_each(|future| _ = future.result().unwrap());
        bad.into_iter().for_each(|future| _ = future.result().unwrap_err());
        until_idle(&executor, 1);
        let stats = executor.stats();
        assert_eq!((stats.queued, stats.running), (0, 0));
        assert_eq!((stats.finished, stats.failed, stats.cancelled), (6, 3, 2));
        assert_eq!((stats.done(), stats.submitted()), (11, 11));
    });
}

/// G22: the counts outlive the threads that they are about.
#[test]
fn stats_are_kept_after_shutdown() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        executor.submit_all(|n| n, 0..50).into_iter().for_each(|it| _ = it.result().unwrap());
        executor.shutdown(true, false);
        let stats = executor.stats();
        assert_eq!((stats.finished, stats.workers, stats.idle), (50, 0, 0));
    });
}

/// G22: a task that a waiting worker ran itself is counted like any other.
#[test]
fn stats_count_tasks_that_a_waiting_worker_ran() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let handle = executor.handle();
        executor.spawn(move || handle.spawn(|| ()).result().unwrap()).result().unwrap();
        until_idle(&executor, 1);
        let stats = executor.stats();
        assert_eq!((stats.queued, stats.running, stats.finished), (0, 0, 2));
    });
}

/// The given name prefix is what the operating system shows, as far as it has room.
#[cfg(target_os = "linux")]
#[test]
fn the_operating_system_sees_the_name_prefix() {
    use crate::common::threads_named;
    within(|| {
        let builder = ThreadPoolExecutor::builder().max_workers(2).thread_name_prefix("seenbyos");
        let executor = builder.build().unwrap();
        let _gate = occupy(&executor, 2);
        // The list leaves one out now and then, when other threads end meanwhile.
        eventually(|| {
            let mut names = threads_named("seenbyos");
            names.sort();
            names == ["seenbyos_0", "seenbyos_1"]
        });
    });
}
