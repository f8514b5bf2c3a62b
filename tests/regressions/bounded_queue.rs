//! Submitters that wait for room in a bounded queue.

use crate::common::{occupy, within};
use crate::support::Seen;
use concurrent_futures::{ThreadPoolExecutor, WhenFull};
use std::sync::mpsc;

/// Thread A, and after it thread B, waited for room. While A still did, thread C cancelled A's task.
/// Then there was room: A was woken, had no use for it, and B slept on.
#[test]
fn a_cancelled_task_does_not_swallow_another_submitters_wake_up() {
    within(|| {
        let builder = ThreadPoolExecutor::builder().max_workers(1);
        let executor = builder.queue_capacity(1, WhenFull::Block).build().unwrap();
        let gate = occupy(&executor, 1);
        let _queued = executor.spawn(|| ());
        executor.scope(|scope| {
            std::thread::scope(|threads| {
                let (here, blocked) = mpsc::channel();
                let here_too = here.clone();
                threads.spawn(move || {
                    here.send(Seen::here()).unwrap();
                    drop(scope.spawn(|| ()));
                });
                blocked.recv().unwrap().until_asleep();
                let executor = &executor;
                threads.spawn(move || {
                    here_too.send(Seen::here()).unwrap();
                    executor.spawn(|| ()).result().unwrap();
                });
                blocked.recv().unwrap().until_asleep();
                scope.cancel();
                gate.open();
            });
        });
    });
}
