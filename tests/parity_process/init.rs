//! Initializers of processes, and what comes of failing ones.

use crate::common::{eventually, in_child, printed, within};
use concurrent_futures::ProcessPoolExecutor;

fn fail(words: String) -> Result<(), String> {
    Err(words)
}

fn unlucky() -> ProcessPoolExecutor {
    let builder = ProcessPoolExecutor::builder().max_workers(2);
    builder.try_initializer(fail, "no luck".to_owned()).build().unwrap()
}

mod initializer_mixin {
    use super::*;

    /// I01: every task sees the state that its worker's initializer made.
    #[test]
    fn test_initializer() {
        within(|| {
            let builder = ProcessPoolExecutor::builder().max_workers(2);
            let executor = builder.initializer(|n: u32| n + 1, 41).build().unwrap();
            let futures: Vec<_> = (0..20)
                .map(|n| executor.submit_with_state(|state, n: u32| (*state, n), n))
                .collect();
            for (n, future) in (0..).zip(futures) {
                assert_eq!(future.result().unwrap(), (42, n));
            }
        });
    }
}

mod failing_initializer_mixin {
    use super::*;

    /// I02: after a failing initializer the future says that the pool broke, and so does every
    /// later submission.
    #[test]
    fn test_initializer() {
        within(|| {
            let executor = unlucky();
            for _ in 0..2 {
                let error = executor.submit(|()| (), ()).result().unwrap_err();
                assert!(error.is_broken() && error.to_string().contains("no luck"), "{error}");
            }
        });
    }
}

mod failing_initializer_resources {
    use super::*;

    /// How much this process has open, and how many children and threads.
    fn resources() -> [usize; 3] {
        let count = |path: &str| std::fs::read_dir(path).unwrap().count();
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let children = tasks.filter_map(|task| {
            let children = std::fs::read_to_string(task.ok()?.path().join("children")).ok()?;
            Some(children.split_whitespace().count())
        });
        [count("/proc/self/fd"), children.sum(), count("/proc/self/task")]
    }

    /// I03, adapted: failed initializers leave no pipe, no process and no thread behind. In a
    /// process where no other test has anything open.
    #[test]
    fn test_spawn() {
        let output = in_child("init::failing_initializer_resources::test_spawn", || {
            let fail = || assert!(unlucky().submit(|()| (), ()).result().unwrap_err().is_broken());
            fail();
            let before = resources();
            (0..5).for_each(|_| fail());
            // What the first has left to the system to remove may have been counted still.
            eventually(|| resources().iter().zip(before).all(|(now, before)| *now <= before));
        });
        if let Some(output) = output {
            printed(&output);
        }
    }
}
