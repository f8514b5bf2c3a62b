//! Futures of processes as they complete.

use crate::common::{Drops, cancelled, eventually, failed, finished, within};
use crate::{multiply, occupy, pool};
use concurrent_futures::{CompletionTimeout, as_completed, as_completed_timeout};
use std::collections::HashSet;
use std::time::Duration;

/// AC1: futures in every state, old and new, are each given out.
#[test]
fn test_no_timeout() {
    within(|| {
        let executor = pool(2);
        let futures = [
            ("cancelled", cancelled()),
            ("failed", failed()),
            ("successful", finished(42)),
            ("first", executor.submit(multiply, (2, 21))),
            ("second", executor.submit(multiply, (7, 6))),
        ];
        let completed: HashSet<_> = as_completed(futures).map(|(name, _)| name).collect();
        let all = ["cancelled", "failed", "successful", "first", "second"];
        assert_eq!(completed, HashSet::from(all));
    });
}

/// AC2: what is done is given out first, then the time is up; for no time at all as for some.
#[test]
fn test_future_times_out() {
    within(|| {
        let executor = pool(1);
        let (_gate, blocked) = occupy(&executor, 1);
        for limit in [Duration::ZERO, Duration::from_millis(100)] {
            let (cancelled, failed, successful) = (cancelled(), failed(), finished(42));
            let futures = [
                ("blocked", &blocked[0]),
                ("cancelled", &cancelled),
                ("failed", &failed),
                ("successful", &successful),
            ];
            let completed: Vec<_> = as_completed_timeout(futures, limit)
                .map(|it| it.map_or("time is up", |(name, _)| name))
                .collect();
            let all = ["cancelled", "failed", "successful", "time is up"];
            assert_eq!(completed, all, "with {limit:?}");
        }
    });
}

/// AC3: one future, given three times by a plain iterator, is given out once.
#[test]
fn test_duplicate_futures() {
    within(|| {
        let executor = pool(1);
        let future = executor.submit(multiply, (2, 21));
        let completed = as_completed(std::iter::repeat_n(&future, 3));
        assert_eq!(completed.count(), 1);
    });
}

/// AC4: the iterator keeps nothing of a future that it has given out; adapted: seen by the drop
/// of what its callback holds.
#[test]
fn test_free_reference_yielded_future() {
    within(|| {
        let executor = pool(2);
        let (_gate, blocked) = occupy(&executor, 1);
        let drops = Drops::default();
        let quick = executor.submit(multiply, (2, 21));
        let token = drops.token();
        quick.add_done_callback(move |_| _ = &token);
        let mut completed = as_completed(blocked.into_iter().chain([quick]));
        drop(completed.next());
        eventually(|| drops.count() == 1);
    });
}

/// AC5: the error says how many of how many are unfinished; adapted: in fields too.
#[test]
fn test_correct_timeout_exception_msg() {
    within(|| {
        let executor = pool(1);
        let (_gate, mut running) = occupy(&executor, 1);
        let pending = executor.submit(multiply, (2, 21));
        let futures = [cancelled(), pending, running.remove(0), finished(42)];
        let timeout = as_completed_timeout(futures, Duration::ZERO)
            .find_map(Result::err)
            .expect("two of them never finish");
        assert_eq!(timeout.to_string(), "2 (of 4) futures unfinished after 0ns");
        let CompletionTimeout { pending, total, .. } = timeout;
        assert_eq!((pending.len(), total), (2, 4));
    });
}
