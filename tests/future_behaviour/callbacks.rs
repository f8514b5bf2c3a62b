//! Callbacks: in which order, on which thread, and what they may do.

use crate::common::{Gate, OutOfPaper, finished, occupy_one, pool, running, within};
use concurrent_futures::{Future, Promise, Refusal, TaskErrorKind};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

fn here() -> ThreadId {
    thread::current().id()
}

#[test]
fn callbacks_run_in_the_order_in_which_they_were_added() {
    let (mut promise, future) = running();
    let (sender, order) = channel();
    for number in 0..10 {
        let sender = sender.clone();
        future.add_done_callback(move |_| sender.send(number).unwrap());
    }
    promise.set_result(1).unwrap();
    assert!(order.try_iter().eq(0..10));
}

#[test]
fn a_callback_runs_on_the_worker_that_ends_the_task() {
    within(|| {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        let task = executor.spawn(here);
        let (sender, thread) = channel();
        task.add_done_callback(move |worker| sender.send((here(), *worker.unwrap())).unwrap());
        occupied.release();
        let (callback, worker) = thread.recv().unwrap();
        assert_eq!(callback, worker);
    });
}

#[test]
fn a_callback_runs_on_the_thread_that_cancels() {
    within(|| {
        let executor = pool(1);
        let _occupied = occupy_one(&executor);
        let future = executor.spawn(|| 1);
        let (sender, thread) = channel();
        future.add_done_callback(move |_| sender.send(here()).unwrap());
        future.cancel();
        assert_eq!(thread.try_recv(), Ok(here()));
    });
}

#[test]
fn a_callback_runs_here_and_now_if_the_future_is_done() {
    let (sender, thread) = channel();
    finished(1).add_done_callback(move |_| sender.send(here()).unwrap());
    assert_eq!(thread.try_recv(), Ok(here()));
}

#[test]
fn a_callback_is_given_the_error_of_its_task() {
    within(|| {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        let future = executor.spawn(|| Err::<u32, _>(OutOfPaper)).flatten();
        let (sender, seen) = channel();
        future.add_done_callback(move |it| {
            sender.send(it.unwrap_err().failure::<OutOfPaper>().is_some()).unwrap();
        });
        occupied.release();
        assert!(seen.recv().unwrap());
    });
}

#[test]
fn a_panic_in_a_callback_skips_none_and_costs_no_worker() {
    within(|| {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        let future = executor.spawn(here);
        let (sender, ran) = channel();
        future.add_done_callback(|_| panic!("the first callback panics"));
        future.add_done_callback(move |_| sender.send("the second runs").unwrap());
        occupied.release();
        assert_eq!(ran.recv(), Ok("the second runs"));
        let worker = future.result().unwrap();
        assert_eq!(executor.spawn(here).result().unwrap(), worker);
    });
}

#[test]
fn a_payload_that_panics_again_when_dropped_costs_no_worker() {
    struct PanicsAgain;
    impl Drop for PanicsAgain {
        fn drop(&mut self) {
            panic!("the payload panics when it is dropped");
        }
    }
    within(|| {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        let future = executor.spawn(here);
        future.add_done_callback(|_| std::panic::panic_any(PanicsAgain));
        occupied.release();
        let worker = future.result().unwrap();
        assert_eq!(executor.spawn(here).result().unwrap(), worker);
    });
}

#[test]
fn a_callback_can_submit() {
    within(|| {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        let (handle, (sender, submitted)) = (executor.handle(), channel());
        occupied.future.add_done_callback(move |value| {
            sender.send(handle.submit(|n| n + 1, *value.unwrap())).unwrap();
        });
        occupied.release();
        let next: Future<u32> = submitted.recv().unwrap();
        assert_eq!(next.result().unwrap(), 1);
    });
}

#[test]
fn a_callback_can_submit_and_wait() {
    within(|| {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        let (handle, (sender, result)) = (executor.handle(), channel());
        occupied.future.add_done_callback(move |_| {
            sender.send(handle.spawn(|| 1).result()).unwrap();
        });
        occupied.release();
        assert_eq!(result.recv().unwrap().unwrap(), 1);
    });
}

#[test]
fn a_callback_can_submit_while_a_shutdown_cancels_and_is_refused() {
    within(|| {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        let queued = executor.spawn(|| 1);
        let (handle, (sender, retried)) = (executor.handle(), channel());
        queued.add_done_callback(move |_| sender.send(handle.spawn(|| 1)).unwrap());
        executor.shutdown(false, true);
        let error = retried.recv().unwrap().result().unwrap_err();
        assert!(matches!(error.kind(), TaskErrorKind::Refused(Refusal::ShutDown)), "{error}");
        occupied.release();
    });
}

#[test]
fn a_callback_can_cancel_another_task() {
    within(|| {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        let victim = executor.spawn(|| 1).shared();
        let other = victim.clone();
        occupied.future.add_done_callback(move |_| assert!(other.cancel()));
        occupied.release();
        assert!(victim.result().unwrap_err().is_cancelled());
    });
}

#[test]
fn a_callback_can_shut_its_pool_down() {
    within(|| {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        let queued = executor.spawn(|| 1);
        let handle = executor.handle();
        occupied.future.add_done_callback(move |_| handle.shutdown(true, true));
        occupied.release();
        assert!(queued.result().unwrap_err().is_cancelled());
        assert!(executor.spawn(|| 1).result().unwrap_err().is_refused());
    });
}

#[test]
fn a_callback_can_drop_its_pool() {
    within(|| {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        let (handle, queued) = (executor.handle(), executor.spawn(|| 1));
        occupied.future.add_done_callback(move |_| drop(executor));
        occupied.release();
        assert_eq!(queued.result().unwrap(), 1);
        assert!(handle.spawn(|| 1).result().unwrap_err().is_refused());
    });
}

#[test]
fn a_callback_can_drop_its_own_future() {
    within(|| {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        let drops = crate::common::Drops::default();
        let value = drops.token();
        let place = Arc::new(Mutex::new(None));
        let (future, emptied) = (executor.spawn(move || value), Arc::clone(&place));
        future.add_done_callback(move |_| drop(emptied.lock().unwrap().take()));
        *place.lock().unwrap() = Some(future);
        occupied.release();
        executor.shutdown(true, false);
        assert!(place.lock().unwrap().is_none());
        assert_eq!(drops.count(), 1);
    });
}

#[test]
fn a_callback_can_ask_a_shared_future_for_its_result() {
    within(|| {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        let future = executor.spawn(|| 1).shared();
        let (reader, (sender, result)) = (future.clone(), channel());
        future.add_done_callback(move |_| sender.send(reader.result()).unwrap());
        occupied.release();
        assert_eq!(result.recv().unwrap().unwrap(), 1);
    });
}

#[test]
fn a_future_is_done_before_its_callbacks_return_and_taken_only_after() {
    within(|| {
        let gate = Gate::new();
        let (mut promise, future) = Promise::new();
        let (entrance, (sender, is_in)) = (gate.latch(), channel());
        future.add_done_callback(move |_| {
            sender.send(()).unwrap();
            entrance.pass();
        });
        let keeper = thread::spawn(move || promise.set_result(1));
        is_in.recv().unwrap();
        future.wait();
        assert!(future.done());
        assert_eq!(*future.peek().unwrap().unwrap(), 1);
        let future = future.result_timeout(Duration::ZERO).unwrap_err().pending;
        gate.open();
        assert_eq!(future.result().unwrap(), 1);
        keeper.join().unwrap().unwrap();
    });
}

#[test]
fn a_callback_added_within_a_callback_runs_at_once() {
    let (mut promise, future) = Promise::<u32>::new();
    let future = future.shared();
    let (inner, (sender, order)) = (future.clone(), channel());
    future.add_done_callback(move |_| {
        let nested = sender.clone();
        inner.add_done_callback(move |_| nested.send("nested").unwrap());
        sender.send("outer").unwrap();
    });
    promise.set_result(1).unwrap();
    assert_eq!(order.try_iter().collect::<Vec<_>>(), ["nested", "outer"]);
}
