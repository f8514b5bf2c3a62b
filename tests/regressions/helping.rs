//! A worker that waits for tasks of its own pool, and runs them meanwhile.

use crate::common::{occupy, within};
use crate::support::{Seen, survives};
use concurrent_futures::{
    Future, Promise, ReturnWhen, ThreadPoolExecutor, ThreadPoolHandle, as_completed,
    cancellation_requested, wait,
};
use std::hint::black_box;
use std::sync::mpsc;

/// Each of these tasks waits for the next; the deepest one is at zero.
#[inline(never)]
fn nested<const FRAME: usize>(pool: ThreadPoolHandle, levels: usize) -> usize {
    let frame = black_box([1_u8; FRAME]);
    if levels == 0 {
        return 0;
    }
    let next = pool.clone();
    let below = pool.spawn(move || nested::<FRAME>(next, levels - 1)).result().unwrap();
    below + usize::from(black_box(&frame)[0])
}

/// A worker ran tasks within tasks up to a fixed depth, without regard for the size of its stack,
/// and a small stack was at its end before that.
#[test]
fn helping_fits_a_small_stack() {
    survives("helping::helping_fits_a_small_stack", || {
        let builder = ThreadPoolExecutor::builder().max_workers(1).stack_size(64 << 10);
        let executor = builder.build().unwrap();
        let handle = executor.handle();
        assert_eq!(executor.spawn(move || nested::<1>(handle, 120)).result().unwrap(), 120);
    });
}

/// The same on a stack of the usual size, with tasks that need much of it.
#[test]
fn helping_fits_the_usual_stack() {
    survives("helping::helping_fits_the_usual_stack", || {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let handle = executor.handle();
        let outer = executor.spawn(move || nested::<{ 20 << 10 }>(handle, 120));
        assert_eq!(outer.result().unwrap(), 120);
    });
}

/// A worker waits, by way of `collect`, for the first of two: a task that nobody has begun, and
/// that ends only when the wait is over; and a promise that is kept once the worker sleeps.
fn first_of_two(collect: impl FnOnce([Future<()>; 2]) + Send + 'static) {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let handle = executor.handle();
        let _busy = occupy(&executor, 1);
        let (mut promise, promised) = Promise::new();
        let (here, waiter) = mpsc::channel();
        let outer = executor.spawn(move || {
            let (release, released) = mpsc::channel::<()>();
            let held = handle.spawn(move || _ = released.recv());
            here.send(Seen::here()).unwrap();
            collect([held, promised]);
            drop(release);
        });
        waiter.recv().unwrap().until_asleep();
        promise.set_result(()).unwrap();
        outer.result().unwrap();
    });
}

/// A worker that waited for the first of several tasks began one of them itself, and was not back
/// when another was done: never, if the one that it had begun was waiting for what would follow.
#[test]
fn a_wait_for_the_first_begins_no_task() {
    first_of_two(|futures| _ = wait(futures, ReturnWhen::FirstCompleted));
}

/// The same with the iterator, of which only the first future is asked for.
#[test]
fn as_completed_begins_no_task_while_there_are_others() {
    first_of_two(|futures| _ = as_completed(futures).next());
}

/// Thread A asked a running task to stop. That task did not ask, but ran another one while it
/// waited, whose callback did: and heeded the request in the place of the first.
#[test]
fn a_request_to_stop_is_not_heeded_by_another_tasks_callback() {
    within(|| {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let handle = executor.handle();
        let (begun, has_begun) = mpsc::channel();
        let (go, may_go) = mpsc::channel();
        let outer = executor.spawn(move || {
            begun.send(()).unwrap();
            may_go.recv().unwrap();
            let inner = handle.spawn(|| 1);
            inner.add_done_callback(|_| _ = cancellation_requested());
            inner.result().unwrap()
        });
        has_begun.recv().unwrap();
        assert!(outer.abort());
        go.send(()).unwrap();
        assert_eq!(outer.result().unwrap(), 1);
    });
}
