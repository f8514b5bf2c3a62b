//! What was found by looking for it.

use crate::common::{Gate, eventually, within};
use concurrent_futures::ThreadPoolExecutor;

/// A worker looks at the queue before it leaves a closed pool; a guest did not, and nobody was left to run
/// what went on with its task.
#[test]
fn what_goes_on_with_the_task_of_a_guest_runs_after_a_shutdown() {
    within(|| {
        let builder = ThreadPoolExecutor::builder().max_workers(1).caller_helps(true);
        let pool = builder.build().unwrap();
        let gate = Gate::new();
        let (latch, (begins, has_begun)) = (gate.latch(), std::sync::mpsc::channel());
        let busy = pool.spawn(move || {
            begins.send(()).unwrap();
            latch.pass();
        });
        has_begun.recv().unwrap();
        let handle = pool.handle().clone();
        let first = pool.spawn(move || {
            handle.shutdown(false, false);
            gate.open();
            eventually(|| handle.stats().workers == 0);
            1
        });
        let second = pool.then(first, |n| n + 1);
        assert_eq!(second.result().unwrap(), 2);
        busy.result().unwrap();
        pool.shutdown(true, false);
    });
}

#[cfg(target_os = "linux")]
mod processes {
    use crate::common::within;
    use concurrent_futures::ProcessPoolExecutor;

    fn fork(_: ()) {
        // SAFETY: what the copy does is what this test is about.
        unsafe { libc::fork() };
    }

    /// A copy that an initializer leaves behind serves the worker's calls as well.
    #[test]
    fn an_initializer_that_forks_leaves_one_worker() {
        within(|| {
            for _ in 0..20 {
                let builder = ProcessPoolExecutor::builder().max_workers(1);
                let pool = builder.initializer(fork, ()).build().unwrap();
                let first = pool.submit(|()| std::process::id(), ()).result().unwrap();
                assert_eq!(pool.workers()[0].process_id, Some(first));
                let futures: Vec<_> =
                    (0..300).map(|n| pool.submit(|n: u32| (n, std::process::id()), n)).collect();
                for (n, it) in (0..300).zip(futures) {
                    assert_eq!(it.result().unwrap(), (n, first));
                }
                pool.shutdown(true, false);
            }
        });
    }
}
