//! What tasks submit to the executor that runs them.

use crate::common::{Gate, Latch, within};
use concurrent_futures::{ThreadPoolExecutor, ThreadPoolHandle};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

/// A task that waits in a way of its own for what it has submitted holds up its worker, and not the
/// task that it waits for.
#[test]
fn another_worker_takes_what_a_busy_one_has_submitted() {
    within(|| {
        for _ in 0..100 {
            let executor = ThreadPoolExecutor::new(2).unwrap();
            let handle = executor.handle();
            let outer = executor.spawn(move || {
                let ended = Latch::new();
                let ends = ended.clone();
                drop(handle.spawn(move || ends.open()));
                ended.pass();
            });
            outer.result().unwrap();
        }
    });
}

/// The order of submission holds for what one task submits, whoever runs it; each of these waits for
/// those before it.
#[test]
fn what_a_task_submits_begins_in_the_order_of_submission() {
    within(|| {
        let executor = ThreadPoolExecutor::new(3).unwrap();
        let handle = executor.handle();
        let (begin, begun) = mpsc::channel();
        let outer = executor.spawn(move || {
            let latches: Vec<_> = (0..1_000).map(|_| Latch::new()).collect();
            for n in 0..latches.len() {
                let (begin, latches) = (begin.clone(), latches[n.saturating_sub(1)..=n].to_vec());
                drop(handle.spawn(move || {
                    if n > 0 {
                        latches[0].pass();
                    }
                    begin.send(n).unwrap();
                    latches[latches.len() - 1].open();
                }));
            }
        });
        outer.result().unwrap();
        assert!(begun.iter().eq(0..1_000));
    });
}

/// Submits itself again and again until it is told to stop.
fn again((pool, stop): (ThreadPoolHandle, Arc<AtomicBool>)) {
    if !stop.load(Ordering::SeqCst) {
        drop(pool.clone().submit(again, (pool, stop)));
    }
}

/// Tasks that keep all workers busy with what they submit themselves do not keep others out.
#[test]
fn who_submits_from_outside_is_not_forgotten() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..8 {
            drop(executor.submit(again, (executor.handle(), Arc::clone(&stop))));
        }
        for n in 0..100 {
            assert_eq!(executor.spawn(move || n).result().unwrap(), n);
        }
        stop.store(true, Ordering::SeqCst);
    });
}

/// What a task has submitted before it blocks its worker is run, though others keep the rest busy.
#[test]
fn what_a_blocked_worker_has_submitted_is_not_forgotten() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..8 {
            drop(executor.submit(again, (executor.handle(), Arc::clone(&stop))));
        }
        let handle = executor.handle();
        let outer = executor.spawn(move || {
            let ended = Latch::new();
            let ends = ended.clone();
            drop(handle.spawn(move || ends.open()));
            ended.pass();
        });
        outer.result().unwrap();
        stop.store(true, Ordering::SeqCst);
    });
}

/// A pool of one begins everything in the order in which it came, whoever submits.
#[test]
fn one_worker_knows_one_order() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let (gate, begun) = (Gate::new(), Latch::new());
        let (may_end, begins, handle) = (gate.latch(), begun.clone(), executor.handle());
        let (send, order) = mpsc::channel();
        let (first, second) = (send.clone(), send);
        drop(executor.spawn(move || {
            begins.open();
            may_end.pass();
            drop(handle.spawn(move || second.send("from inside").unwrap()));
        }));
        begun.pass();
        drop(executor.spawn(move || first.send("from outside").unwrap()));
        gate.open();
        assert_eq!(order.iter().collect::<Vec<_>>(), ["from outside", "from inside"]);
    });
}

/// What lies with a worker that has to leave is run by those that stay.
#[test]
fn a_worker_that_leaves_leaves_nothing_behind() {
    within(|| {
        for _ in 0..50 {
            let executor = ThreadPoolExecutor::new(4).unwrap();
            let gate = Gate::new();
            let outer: Vec<_> = (0..4)
                .map(|_| {
                    let (handle, may_end, begun) = (executor.handle(), gate.latch(), Latch::new());
                    let begins = begun.clone();
                    let outer = executor.spawn(move || {
                        begins.open();
                        may_end.pass();
                        (0..10).map(|n| handle.spawn(move || n)).collect::<Vec<_>>()
                    });
                    begun.pass();
                    outer
                })
                .collect();
            executor.resize(1).unwrap();
            gate.open();
            let inner = outer.into_iter().flat_map(|outer| outer.result().unwrap());
            assert_eq!(inner.map(|inner| inner.result().unwrap()).sum::<u32>(), 4 * 45);
        }
    });
}
