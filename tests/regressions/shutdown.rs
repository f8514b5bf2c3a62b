//! Shutting down.

use crate::common::{BOUND, within};
use concurrent_futures::ThreadPoolExecutor;
use std::time::Duration;

/// A worker had popped a task when the pool was closed, and cancelled it in place of whoever closed
/// the pool; the report counted only what the latter had found in the queue.
#[test]
fn a_shutdown_report_counts_all_that_was_cancelled() {
    within(|| {
        for round in 0..200 {
            let executor = ThreadPoolExecutor::new(2).unwrap();
            let futures = executor.submit_all(|_| std::hint::spin_loop(), 0..400);
            let report = executor.shutdown_timeout(Duration::ZERO, BOUND);
            let cancelled = futures.iter().filter(|it| it.cancelled()).count();
            assert_eq!(report.cancelled, cancelled, "in round {round}");
        }
    });
}
