//! Forking on the stack: both halves run, once each, and are over when `join` is.

use crate::common::{Gate, eventually, occupy, panic_quietly, pool, until_idle, within};
use concurrent_futures::{
    TaskErrorKind, TaskOptions, ThreadPoolExecutor, attempt, block_in_place,
    cancellation_requested, current_label, join,
};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

fn fibonacci(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (one, other) = join(|| fibonacci(n - 1), || fibonacci(n - 2));
    one + other
}

#[test]
fn join_gives_both_results_on_any_thread() {
    within(|| {
        assert_eq!(join(|| 1, || 2), (1, 2));
        let executor = pool(2);
        assert_eq!(executor.join(|| 1, || "two"), (1, "two"));
        assert_eq!(executor.spawn(|| join(|| 1, || 2)).result().unwrap(), (1, 2));
        let handle = executor.handle();
        assert_eq!(executor.spawn(move || handle.join(|| 1, || 2)).result().unwrap(), (1, 2));
    });
}

#[test]
fn a_recursion_of_joins_is_right_on_pools_of_any_size() {
    within(|| {
        for workers in 1..=4 {
            let executor = pool(workers);
            for _ in 0..20 {
                assert_eq!(executor.spawn(|| fibonacci(18)).result().unwrap(), 2584);
                let halves = executor.join(|| fibonacci(17), || fibonacci(16));
                assert_eq!(halves, (1597, 987));
            }
        }
    });
}

#[test]
fn several_recursions_share_a_pool_with_other_tasks() {
    within(|| {
        let executor = pool(3);
        let other = executor.submit_all(|n| n + 1, 0..1000);
        let forking = executor.submit_all(fibonacci, vec![15; 50]);
        let callers = [(); 3].map(|()| {
            let handle = executor.handle();
            thread::spawn(move || handle.join(|| fibonacci(15), || fibonacci(14)))
        });
        for caller in callers {
            assert_eq!(caller.join().unwrap(), (610, 377));
        }
        for future in forking {
            assert_eq!(future.result().unwrap(), 610);
        }
        assert_eq!(other.into_iter().map(|it| it.result().unwrap()).sum::<i32>(), 500_500);
    });
}

#[test]
fn the_halves_may_borrow_each_its_part() {
    within(|| {
        let executor = pool(2);
        let mut numbers = [1, 2, 3, 4];
        let (low, high) = numbers.split_at_mut(2);
        executor.join(|| low.reverse(), || high.reverse());
        assert_eq!(numbers, [2, 1, 4, 3]);
    });
}

/// A fork is shared when it is made if a worker is idle, or can be started.
#[test]
fn the_halves_run_at_the_same_time_if_a_worker_is_idle() {
    within(|| {
        let executor = pool(2);
        let meet = || {
            let (sender, receiver) = mpsc::channel();
            join(move || receiver.recv().unwrap(), move || sender.send("from b").unwrap()).0
        };
        assert_eq!(executor.spawn(meet).result().unwrap(), "from b");
        let executor = pool(2);
        drop(occupy(&executor, 2));
        until_idle(&executor, 2);
        assert_eq!(executor.spawn(meet).result().unwrap(), "from b");
        let (sender, receiver) = mpsc::channel();
        let b = move || sender.send("from b").unwrap();
        assert_eq!(executor.join(move || receiver.recv().unwrap(), b).0, "from b");
    });
}

/// The oldest fork is shared even if nobody is idle: its maker may never fork again.
#[test]
fn a_worker_that_becomes_idle_later_takes_the_other_half() {
    within(|| {
        let executor = pool(2);
        let gate = occupy(&executor, 1);
        let met = executor.spawn(move || {
            let (sender, receiver) = mpsc::channel();
            let a = move || {
                gate.open();
                receiver.recv().unwrap()
            };
            join(a, move || sender.send("from b").unwrap()).0
        });
        assert_eq!(met.result().unwrap(), "from b");
    });
}

/// Who blocks in a wait of this crate leaves all its forks to others.
#[test]
fn a_worker_that_blocks_shares_its_forks() {
    within(|| {
        let executor = pool(1);
        let met = executor.spawn(|| {
            let (sender, receiver) = mpsc::channel();
            let wait = move || block_in_place(|| (receiver.recv().unwrap(), receiver.recv()));
            let send = |text| {
                let sender = sender.clone();
                move || sender.send(text).unwrap()
            };
            let (inner, outer) = (send("inner"), send("outer"));
            drop(sender);
            join(|| join(wait, inner).0, outer).0
        });
        let (one, other) = met.result().unwrap();
        let mut both = [one, other.unwrap()];
        both.sort();
        assert_eq!(both, ["inner", "outer"]);
    });
}

#[test]
fn one_worker_runs_the_halves_in_order() {
    within(|| {
        let executor = pool(1);
        let order = executor.spawn(|| {
            let count = AtomicUsize::new(0);
            let next = || count.fetch_add(1, Ordering::SeqCst);
            join(|| join(next, next), || join(next, next))
        });
        assert_eq!(order.result().unwrap(), ((0, 1), (2, 3)));
    });
}

/// Beyond so many forks at once they are run in order, and the rest of the stack is theirs.
#[test]
fn joins_nest_deeper_than_there_are_places() {
    fn count(levels: usize) -> usize {
        if levels == 0 {
            return 0;
        }
        let (deeper, one) = join(|| count(levels - 1), || 1);
        deeper + one
    }
    within(|| {
        for workers in [1, 3] {
            let executor = ThreadPoolExecutor::builder()
                .max_workers(workers)
                .stack_size(32 << 20)
                .build()
                .unwrap();
            assert_eq!(executor.spawn(|| count(2000)).result().unwrap(), 2000);
        }
    });
}

// ---- panics ---------------------------------------------------------------------------------

/// A pair of closures, of which `b` runs on another thread: it lets `a` go on.
fn with_b_elsewhere<R>(a: impl FnOnce() -> R + Send, b: impl FnOnce() + Send) {
    let executor = pool(1);
    let (begun, has_begun) = mpsc::channel();
    executor.join(
        move || {
            has_begun.recv().unwrap();
            a();
        },
        move || {
            begun.send(()).unwrap();
            b();
        },
    );
}

#[test]
fn a_panic_of_a_goes_on_when_b_is_over() {
    within(|| {
        let gate = Gate::new();
        let latch = gate.latch();
        let is_over = AtomicUsize::new(0);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let a = || {
                gate.open();
                panic_quietly("a")
            };
            with_b_elsewhere(a, || {
                latch.pass();
                is_over.store(1, Ordering::SeqCst);
            });
        }));
        assert!(panicked.is_err());
        assert_eq!(is_over.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_panic_of_a_keeps_b_from_being_called() {
    within(|| {
        let executor = pool(1);
        let called = Arc::new(AtomicUsize::new(0));
        let theirs = Arc::clone(&called);
        let future = executor
            .spawn(move || join(|| panic!("a"), move || theirs.fetch_add(1, Ordering::SeqCst)).1);
        let error = future.result().unwrap_err();
        assert!(error.to_string().contains("join.rs"), "{error}");
        assert_eq!(called.load(Ordering::SeqCst), 0);
        assert_eq!(Arc::strong_count(&called), 1, "the closure has been dropped");
    });
}

#[test]
fn a_panic_of_b_comes_back_from_another_thread() {
    within(|| {
        let panicked = catch_unwind(|| with_b_elsewhere(|| (), || panic!("b has had enough")));
        assert_eq!(*panicked.unwrap_err().downcast::<&str>().unwrap(), "b has had enough");
    });
}

/// Where a panic happened is told wherever it happened.
#[test]
fn a_panic_of_b_on_another_worker_keeps_its_location() {
    within(|| {
        let executor = pool(2);
        let future = executor.spawn(|| {
            let (begun, has_begun) = mpsc::channel();
            join(
                move || has_begun.recv().unwrap(),
                move || {
                    begun.send(()).unwrap();
                    panic!("b has had enough");
                },
            );
        });
        let error = future.result().unwrap_err();
        let TaskErrorKind::Panicked(panic) = error.kind() else { panic!("{error}") };
        assert_eq!(panic.message(), "b has had enough");
        assert!(panic.location().unwrap().contains("join.rs"), "{error}");
    });
}

#[test]
fn of_two_panics_the_one_of_a_goes_on() {
    within(|| {
        let panicked = catch_unwind(|| with_b_elsewhere(|| panic!("a"), || panic!("b")));
        assert_eq!(*panicked.unwrap_err().downcast::<&str>().unwrap(), "a");
        assert_eq!(pool(2).spawn(|| 1).result().unwrap(), 1);
    });
}

#[test]
fn panics_deep_in_a_recursion_lose_nothing() {
    fn fail_at_some(n: u64, ended: &AtomicUsize) {
        if n < 2 {
            ended.fetch_add(1, Ordering::SeqCst);
            if n == 0 {
                panic_quietly(n);
            }
            return;
        }
        let fail = |n| catch_unwind(AssertUnwindSafe(|| fail_at_some(n, ended)));
        let (one, _) = join(|| fail(n - 1), || fail(n - 2));
        assert!(n > 2 || one.is_ok());
    }
    within(|| {
        let executor = pool(3);
        for _ in 0..20 {
            let ended = AtomicUsize::new(0);
            executor.join(|| fail_at_some(13, &ended), || fail_at_some(13, &ended));
            assert_eq!(ended.load(Ordering::SeqCst), 2 * 377);
        }
    });
}

// ---- a half is a part of its task -----------------------------------------------------------

/// Runs `look` in the half that another worker has taken.
fn in_the_other_half<R: Send>(look: impl FnOnce() -> R + Send) -> R {
    let (begun, has_begun) = mpsc::channel();
    let here = thread::current().id();
    join(
        move || has_begun.recv().unwrap(),
        move || {
            begun.send(()).unwrap();
            assert_ne!(thread::current().id(), here);
            look()
        },
    )
    .1
}

#[test]
fn the_other_half_has_the_label_and_the_attempt_of_its_task() {
    within(|| {
        let executor = pool(2);
        let named = executor.with(TaskOptions::new().label("named"));
        let label = named.spawn(|| in_the_other_half(current_label)).result();
        assert_eq!(label.unwrap().as_deref(), Some("named"));
        // Only the last attempt forks, on new workers: after a half that was over at once its maker
        // shares none for a while, and this one waits for it to begin.
        let again = |least| {
            assert!(attempt() >= least, "not yet");
            in_the_other_half(attempt)
        };
        let executor = pool(2);
        assert_eq!(executor.retrying(2).submit(again, 2).result().unwrap(), 2);
    });
}

#[test]
fn the_other_half_hears_of_a_request_to_stop() {
    within(|| {
        let executor = pool(2);
        let (begun, has_begun) = mpsc::channel();
        let future = executor.spawn(move || {
            in_the_other_half(|| {
                begun.send(()).unwrap();
                while !cancellation_requested() {
                    thread::yield_now();
                }
            })
        });
        has_begun.recv().unwrap();
        assert!(future.abort());
        assert!(future.result().unwrap_err().is_cancelled());
    });
}

#[test]
fn the_other_half_runs_in_the_context_of_its_fork() {
    thread_local! { static NAME: Cell<&'static str> = const { Cell::new("nobody") } }
    within(|| {
        let executor = ThreadPoolExecutor::builder()
            .max_workers(2)
            .context(
                || NAME.get(),
                |name, task| {
                    let before = NAME.replace(name);
                    task();
                    NAME.set(before);
                },
            )
            .build()
            .unwrap();
        let names = executor.spawn(|| {
            NAME.set("outer");
            let outer = in_the_other_half(|| NAME.get());
            NAME.set("nobody");
            (outer, join(|| NAME.get(), || NAME.get()))
        });
        assert_eq!(names.result().unwrap(), ("outer", ("nobody", "nobody")));
    });
}

#[test]
fn halves_are_in_no_statistics() {
    within(|| {
        let executor = pool(2);
        executor.spawn(|| fibonacci(15)).result().unwrap();
        executor.join(|| fibonacci(15), || fibonacci(15));
        eventually(|| executor.stats().running == 0);
        let stats = executor.stats();
        assert_eq!((stats.submitted(), stats.finished, stats.cancelled), (1, 1, 0));
        assert_eq!((stats.queued, stats.failed), (0, 0));
    });
}

// ---- with the other things that pools do ----------------------------------------------------

#[test]
fn a_pool_that_is_shut_down_finishes_the_halves_of_its_tasks() {
    within(|| {
        for cancel in [false, true] {
            let executor = pool(2);
            let (begun, has_begun) = mpsc::channel();
            let future = executor.spawn(move || {
                begun.send(()).unwrap();
                fibonacci(20)
            });
            has_begun.recv().unwrap();
            executor.shutdown(true, cancel);
            assert_eq!(future.result().unwrap(), 6765);
            assert_eq!(executor.join(|| fibonacci(10), || 1), (55, 1));
        }
    });
}

#[test]
fn pools_of_every_order_and_bound_share_forks() {
    use concurrent_futures::{Order, WhenFull};
    within(|| {
        for order in [Order::Fifo, Order::Lifo, Order::Priority] {
            let build = || {
                let builder = ThreadPoolExecutor::builder().max_workers(2).order(order);
                builder.queue_capacity(1, WhenFull::Block).build().unwrap()
            };
            // A new one: a worker that has shared forks in vain pauses for a while.
            assert_eq!(build().spawn(|| in_the_other_half(|| 1)).result().unwrap(), 1);
            let executor = build();
            for _ in 0..10 {
                assert_eq!(executor.submit(fibonacci, 15).result().unwrap(), 610);
                assert_eq!(executor.join(|| fibonacci(15), || 1).0, 610);
            }
        }
    });
}

/// Tasks, scopes, joins and other pools within each other.
#[test]
fn joins_mix_with_futures_and_other_pools() {
    fn mixed(one: &ThreadPoolExecutor, other: &ThreadPoolExecutor, n: u64) -> u64 {
        if n < 2 {
            return n;
        }
        let (a, b) = match n % 3 {
            0 => join(|| mixed(one, other, n - 1), || mixed(one, other, n - 2)),
            1 => other.join(|| mixed(other, one, n - 1), || mixed(other, one, n - 2)),
            _ => one.scope(|scope| {
                let a = scope.spawn(|| mixed(one, other, n - 1));
                let b = mixed(one, other, n - 2);
                (a.result().unwrap(), b)
            }),
        };
        a + b
    }
    within(|| {
        for (workers, others) in [(1, 1), (2, 1), (2, 3)] {
            let (one, other) = (pool(workers), pool(others));
            for _ in 0..5 {
                assert_eq!(one.join(|| mixed(&one, &other, 12), || 1).0, 144);
            }
        }
    });
}
