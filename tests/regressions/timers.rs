//! The timer's thread.

use crate::common::{Gate, Latch, occupy, within};
use concurrent_futures::{CompletionQueue, TaskOptions, ThreadPoolExecutor};
use futures::Stream;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

/// A waker that takes its time.
struct Slow(Latch, mpsc::Sender<()>);

impl Wake for Slow {
    fn wake(self: Arc<Self>) {
        let _ = self.1.send(());
        self.0.pass();
    }
}

/// Whoever awaited a task that timed out was woken on the timer's own thread; a waker that did not
/// return held up every other timeout of the pool.
#[test]
fn a_slow_waker_holds_up_no_other_timeout() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        let hasty = executor.with(TaskOptions::new().timeout(Duration::from_millis(1)));
        let gate = Gate::new();
        let submit = || {
            let latch = gate.latch();
            hasty.spawn(move || latch.pass())
        };
        let (woken, is_woken) = mpsc::channel();
        let waker = Waker::from(Arc::new(Slow(gate.latch(), woken)));
        // The time in the queue does not count, so it is there in time to wait.
        let busy = occupy(&executor, 2);
        let mut queue = CompletionQueue::new();
        queue.push(submit());
        let polled = Pin::new(&mut queue).poll_next(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        busy.open();
        is_woken.recv().unwrap();
        submit().wait();
    });
}

/// The timer's thread stayed as long as anybody had a handle of a pool that had been shut down.
#[cfg(target_os = "linux")]
#[test]
fn a_pool_that_is_shut_down_has_no_thread() {
    use crate::common::{eventually, threads_named};
    crate::support::survives("timers::a_pool_that_is_shut_down_has_no_thread", || {
        let executor = ThreadPoolExecutor::new(1).unwrap();
        let _handle = executor.handle();
        let timed = executor.with(TaskOptions::new().timeout(crate::common::BOUND));
        timed.spawn(|| ()).result().unwrap();
        // The test's own thread has a name that begins so, too.
        let has_timer = || threads_named("timer").iter().any(|name| name == "timer");
        // A thread gives itself its name, and may not have come to that yet.
        eventually(has_timer);
        drop(executor);
        eventually(|| !has_timer());
    });
}

/// It stayed too if all workers had left before the shutdown, each after its keep-alive: none was
/// there any more to end it as the last one.
#[cfg(target_os = "linux")]
#[test]
fn a_pool_whose_workers_have_retired_leaves_no_timer() {
    use crate::common::{BOUND, eventually, threads_named};
    crate::support::survives("timers::a_pool_whose_workers_have_retired_leaves_no_timer", || {
        let builder = ThreadPoolExecutor::builder().max_workers(1).thread_name_prefix("retires");
        let executor = builder.keep_alive(Duration::from_millis(1)).build().unwrap();
        let _handle = executor.handle();
        let timed = executor.with(TaskOptions::new().timeout(BOUND));
        timed.spawn(|| ()).result().unwrap();
        eventually(|| threads_named("retires").is_empty());
        // The test's own thread has a name that begins so, too.
        let has_timer = || threads_named("timer").iter().any(|name| name == "timer");
        eventually(has_timer);
        drop(executor);
        eventually(|| !has_timer());
    });
}
