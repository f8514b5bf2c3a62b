//! Initializers, and what comes of failing ones.

use crate::common::within;
use concurrent_futures::ThreadPoolExecutor;

mod initializer_mixin {
    use super::*;

    /// I01: every task sees the state that its worker's initializer made.
    #[test]
    fn test_initializer() {
        within(|| {
            let builder = ThreadPoolExecutor::builder().max_workers(2);
            let executor = builder.initializer(|| "initialized").build().unwrap();
            let futures: Vec<_> =
                (0..20).map(|n| executor.submit_with_state(|state, n| (*state, n), n)).collect();
            for (n, future) in futures.into_iter().enumerate() {
                assert_eq!(future.result().unwrap(), ("initialized", n));
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
            let builder = ThreadPoolExecutor::builder().max_workers(2);
            let executor = builder.try_initializer(|| Err::<(), _>("no luck")).build().unwrap();
            let error = executor.spawn(|| ()).result().unwrap_err();
            assert!(error.is_broken(), "{error}");
            let error = executor.spawn(|| ()).result().unwrap_err();
            assert!(error.is_broken(), "{error}");
        });
    }
}

mod failing_initializer_resources {
    use super::*;

    /// I03, adapted: a failed initializer leaves no thread behind.
    #[test]
    fn test_spawn() {
        within(|| {
            let builder = ThreadPoolExecutor::builder().max_workers(2);
            let executor = builder.try_initializer(|| Err::<(), _>("no luck")).build().unwrap();
            drop(executor.spawn(|| ()));
            executor.shutdown(true, false);
            assert_eq!(executor.stats().workers, 0);
        });
    }
}
