//! Long chains of tasks that come one after the other.

use crate::common::{pool, within};
use concurrent_futures::Promise;

/// Longer than a stack has room for, if every link takes some of it.
const LENGTH: usize = 200_000;

#[test]
fn a_failure_passes_through_a_chain_of_any_length() {
    within(|| {
        let executor = pool(1);
        let (promise, first) = Promise::<usize>::new();
        let last = (0..LENGTH).fold(first, |link, _| executor.then(link, |n| n + 1));
        drop(promise);
        assert!(last.result().is_err());
    });
}

#[test]
fn a_chain_of_any_length_can_be_dropped() {
    within(|| {
        let executor = pool(1);
        let first = executor.spawn(|| 0);
        let last = (0..LENGTH).fold(first, |link, _| executor.then(link, |n| n + 1));
        assert_eq!(last.result().unwrap(), LENGTH);
    });
}
