//! Catching a panic around the crate's own types asks for no assertion.

use concurrent_futures::{
    AnyExecutor, Executor, Future, SharedFuture, TaskError, ThreadPoolExecutor,
};
use std::panic::{RefUnwindSafe, UnwindSafe, catch_unwind};

fn is_unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}

#[test]
fn executors_handles_futures_and_errors_are_unwind_safe_whatever_they_hold() {
    struct NotItself(#[expect(dead_code)] &'static std::cell::Cell<u8>);

    is_unwind_safe::<ThreadPoolExecutor<NotItself>>();
    is_unwind_safe::<concurrent_futures::ThreadPoolHandle<NotItself>>();
    is_unwind_safe::<AnyExecutor>();
    is_unwind_safe::<Future<NotItself>>();
    is_unwind_safe::<SharedFuture<NotItself>>();
    is_unwind_safe::<TaskError>();
    #[cfg(target_os = "linux")]
    {
        is_unwind_safe::<concurrent_futures::ProcessPoolExecutor<NotItself>>();
        is_unwind_safe::<concurrent_futures::ProcessPoolHandle<NotItself>>();
    }
}

#[test]
fn an_executor_goes_on_after_a_panic_that_was_caught_around_it() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let caught = catch_unwind(|| {
        let _future = executor.spawn(|| 1);
        std::panic::resume_unwind(Box::new("caught"));
    });
    assert!(caught.is_err());
    assert_eq!(Executor::submit(&executor, |n: u32| n + 1, 1).result().unwrap(), 2);
}
