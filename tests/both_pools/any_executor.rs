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
            let error = executor.resize(0).unwrap_err();
            assert!(error.to_string().starts_with("a pool needs at least 1 worker"), "{error}");
            assert_eq!(executor.max_workers(), 3);
            assert_eq!(executor.stats().submitted(), 13);
            assert!(executor.shutdown_timeout(BOUND, BOUND).is_clean());
            let refused = executor.try_submit(next, 7).unwrap_err();
            assert!(matches!(refused.reason, Refusal::ShutDown));
            assert_eq!(refused.argument, 7);
        }
    });
}

#[test]
fn a_pool_without_workers_is_told_what_it_lacks() {
    for text in ["threads:0", "processes:0"] {
        let error = text.parse::<AnyExecutor>().unwrap_err();
        assert!(error.to_string().starts_with("a pool needs at least 1 worker"), "{error}");
    }
}
