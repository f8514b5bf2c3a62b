//! An executor whose kind is chosen when the program runs does what its pool does.

use crate::common::{BOUND, within};
use concurrent_futures::{AnyExecutor, Refusal};

#[test]
fn an_executor_of_any_kind_does_what_its_pool_does() {
    within(|| {
        for kind in ["threads:2", "processes:2"] {
            let executor: AnyExecutor = kind.parse().unwrap();
            let next = |n: u32| n + 1;
            assert_eq!(executor.then(executor.spawn(|| 1), next).result().unwrap(), 2);
            assert_eq!(executor.try_submit(next, 2).unwrap().result().unwrap(), 3);
            let futures = executor.submit_all(next, 0..10);
            let results = futures.into_iter().map(|it| it.result().unwrap());
            assert_eq!(Vec::from_iter(results), Vec::from_iter(1..11));
            executor.resize(3).unwrap();
            assert!(executor.resize(0).is_err());
            assert_eq!(executor.max_workers(), 3);
            assert_eq!(executor.stats().submitted(), 13);
            assert!(executor.shutdown_timeout(BOUND, BOUND).is_clean());
            let refused = executor.try_submit(next, 7).unwrap_err();
            assert!(matches!(refused.reason, Refusal::ShutDown));
            assert_eq!(refused.argument, 7);
        }
    });
}
