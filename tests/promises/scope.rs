//! Scopes: tasks that borrow, and what leaving a scope does to them (G16).

use crate::common::{Gate, occupy, within};
use concurrent_futures::{TaskErrorKind, TaskOptions, ThreadPoolExecutor, WhenFull};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// Tasks of a scope may borrow from the stack of whoever opened it, also mutably.
#[test]
fn tasks_of_a_scope_may_borrow() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let mut numbers = [1, 2, 3, 4];
        executor.scope(|scope| {
            for number in &mut numbers {
                scope.spawn(|| *number *= 10);
            }
        });
        assert_eq!(numbers, [10, 20, 30, 40]);
    });
}

/// The normal end of a scope waits for all of its tasks.
#[test]
fn the_normal_end_of_a_scope_drains() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let ran = AtomicUsize::new(0);
        executor.scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| ran.fetch_add(1, Ordering::SeqCst));
            }
            gate.open();
        });
        assert_eq!(ran.load(Ordering::SeqCst), 10);
    });
}

/// A limit on waiting can be kept, unlike one on running: a task that never begins lets go of what it borrows.
#[test]
fn a_task_of_a_scope_that_does_not_begin_in_time_fails() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let _gate = occupy(&executor, 1);
        let text = "borrowed".to_owned();
        let soon = executor.with(TaskOptions::new().begin_within(Duration::from_millis(1)));
        let late = soon.scope(|scope| scope.spawn(|| text.len()).result());
        assert!(matches!(late.unwrap_err().kind(), TaskErrorKind::NotBegun { .. }));
    });
}

/// G16: a panic of the body cancels what has not begun, and goes on when the rest is over.
#[test]
fn a_panic_of_the_body_cancels_what_has_not_begun() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let _gate = occupy(&executor, 1);
        let ran = AtomicUsize::new(0);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            executor.scope(|scope| {
                for _ in 0..10 {
                    scope.spawn(|| ran.fetch_add(1, Ordering::SeqCst));
                }
                panic!("the body has had enough");
            })
        }));
        assert_eq!(*panicked.unwrap_err().downcast::<&str>().unwrap(), "the body has had enough");
        assert_eq!(ran.load(Ordering::SeqCst), 0);
    });
}

/// G16: a panic of the body waits for what has begun, which may still use what it borrows.
#[test]
fn a_panic_of_the_body_waits_for_what_has_begun() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = Gate::new();
        let (begun, has_begun) = mpsc::channel();
        let ran = AtomicUsize::new(0);
        let latch = gate.latch();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            executor.scope(|scope| {
                let ran = &ran;
                scope.spawn(move || {
                    begun.send(()).unwrap();
                    latch.pass();
                    ran.fetch_add(1, Ordering::SeqCst);
                });
                has_begun.recv().unwrap();
                // Dropped by the panic, which opens it.
                let _gate = gate;
                panic!("the body has had enough");
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(ran.load(Ordering::SeqCst), 1);
    });
}

/// G16: an `Err` of the body cancels what has not begun, and comes back.
#[test]
fn an_error_of_the_body_cancels_what_has_not_begun() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let _gate = occupy(&executor, 1);
        let ran = AtomicUsize::new(0);
        let outcome = executor.try_scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| ran.fetch_add(1, Ordering::SeqCst));
            }
            Err::<(), _>("had enough")
        });
        assert_eq!(outcome, Err("had enough"));
        assert_eq!(ran.load(Ordering::SeqCst), 0);
    });
}

/// G16: an `Ok` of the body drains.
#[test]
fn a_success_of_the_body_drains() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let ran = AtomicUsize::new(0);
        let outcome = executor.try_scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| ran.fetch_add(1, Ordering::SeqCst));
            }
            Ok::<_, ()>(7)
        });
        assert_eq!((outcome, ran.load(Ordering::SeqCst)), (Ok(7), 10));
    });
}

/// A panic of a task that nobody looked at becomes a panic of the scope.
#[test]
fn a_panic_that_nobody_looked_at_ends_the_scope() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            executor.scope(|scope| _ = scope.spawn(|| panic!("a task that panics")))
        }));
        assert!(panicked.is_err());
    });
}

/// A panic of a task that somebody looked at does not.
#[test]
fn a_panic_that_was_looked_at_does_not_end_the_scope() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let is_panic = executor.scope(|scope| {
            scope.spawn(|| panic!("a task that panics")).result().unwrap_err().is_panic()
        });
        assert!(is_panic);
    });
}

/// G25: a task that the executor refused, and at which nobody looked, does not vanish either.
#[test]
fn a_refused_task_that_nobody_looked_at_ends_the_scope() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        executor.shutdown(true, false);
        let mut number = 1;
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            executor.scope(|scope| _ = scope.spawn(|| number += 1));
        }));
        assert!(panicked.is_err(), "the scope ended well, and the task never ran");
        assert_eq!(number, 1);
    });
}

/// A scope's own cancellation stops what has not begun, and nothing else.
#[test]
fn a_scope_can_cancel_its_tasks() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let outside = executor.spawn(|| 1);
        let cancelled = executor.scope(|scope| {
            let futures: Vec<_> = (0..3).map(|n| scope.spawn(move || n)).collect();
            assert_eq!(scope.cancel(), 3);
            futures.iter().all(|future| future.cancelled())
        });
        gate.open();
        assert!(cancelled);
        assert_eq!(outside.result().unwrap(), 1);
    });
}

/// A scope ends although the executor is shut down, with cancellation, in the middle of it.
#[test]
fn a_shutdown_in_the_middle_of_a_scope_ends_it() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let gate = occupy(&executor, 1);
        let ran = AtomicUsize::new(0);
        executor.scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| ran.fetch_add(1, Ordering::SeqCst));
            }
            executor.shutdown(false, true);
            gate.open();
        });
        assert_eq!(ran.load(Ordering::SeqCst), 0);
    });
}

/// Tasks of a scope may spawn tasks into the same scope, on a single worker with a bounded queue.
#[test]
fn tasks_of_a_scope_may_spawn_into_it() {
    within(|| {
        let builder = ThreadPoolExecutor::builder().max_workers(1);
        let executor = builder.queue_capacity(1, WhenFull::Block).build().unwrap();
        let ran = AtomicUsize::new(0);
        let ran_here = &ran;
        executor.scope(|scope| {
            for _ in 0..5 {
                scope.spawn(move || {
                    scope.spawn(move || ran_here.fetch_add(1, Ordering::SeqCst));
                    scope.spawn(move || ran_here.fetch_add(1, Ordering::SeqCst));
                });
            }
        });
        assert_eq!(ran.load(Ordering::SeqCst), 10);
    });
}
