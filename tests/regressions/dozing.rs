//! Workers that doze between tiny tasks.

use crate::common::within;
use concurrent_futures::ThreadPoolExecutor;
use std::sync::{Arc, Barrier};

/// A dozing worker counts as one that will come. Each of the two last tasks blocks until the other has
/// begun, so nobody else can take the second of them.
#[test]
fn a_worker_that_dozes_comes_for_a_task_that_only_it_can_begin() {
    within(|| {
        let executor = ThreadPoolExecutor::new(2).unwrap();
        for round in 0..300 {
            let tiny: Vec<_> = (0..500).map(|n| executor.submit(|n| n + 1, n)).collect();
            let both = Arc::new(Barrier::new(2));
            let meet = || {
                let both = Arc::clone(&both);
                executor.spawn(move || both.wait().is_leader())
            };
            let leaders = [meet(), meet()].map(|future| usize::from(future.result().unwrap()));
            assert_eq!(leaders[0] + leaders[1], 1, "in round {round}");
            let results: Vec<_> = tiny.into_iter().map(|future| future.result().unwrap()).collect();
            assert!(results.into_iter().eq(1..=500));
        }
    });
}
