//! Waiting for futures of processes.

use crate::common::{cancelled, failed, finished, within};
use crate::{multiply, occupy, pool, raise};
use concurrent_futures::{ReturnWhen, Waited, wait, wait_timeout};
use std::time::Duration;

/// Short enough to be waited for in vain.
const SHORT: Duration = Duration::from_millis(10);

/// The names of those that are done, and of those that are not.
fn names<'a, W>(waited: Waited<(&'a str, W)>) -> (Vec<&'a str>, Vec<&'a str>) {
    let of = |part: Vec<(&'a str, W)>| part.into_iter().map(|(name, _)| name).collect();
    (of(waited.done), of(waited.not_done))
}

/// W01: a future that is given twice comes back once, and done.
#[test]
fn test_20369() {
    within(|| {
        let executor = pool(1);
        let future = executor.submit(multiply, (1, 2));
        let waited = wait([&future, &future], ReturnWhen::AllCompleted);
        assert_eq!((waited.done.len(), waited.not_done.len()), (1, 0));
    });
}

/// W02: returns what is done while another is blocked; adapted: a cancelled future counts as
/// done without anybody's acknowledgement.
#[test]
fn test_first_completed() {
    within(|| {
        let executor = pool(2);
        let (_gate, blocked) = occupy(&executor, 1);
        let first = executor.submit(multiply, (21, 2));
        let futures = [("first", &first), ("blocked", &blocked[0])];
        let waited = wait(futures, ReturnWhen::FirstCompleted);
        assert_eq!(names(waited), (vec!["first"], vec!["blocked"]));

        let futures = [("cancelled", &cancelled()), ("blocked", &blocked[0])];
        let waited = wait(futures, ReturnWhen::FirstCompleted);
        assert_eq!(names(waited), (vec!["cancelled"], vec!["blocked"]));
    });
}

/// W03: those that are done already are returned at once, the blocked one is pending.
#[test]
fn test_first_completed_some_already_completed() {
    within(|| {
        let executor = pool(1);
        let (_gate, blocked) = occupy(&executor, 1);
        let futures =
            [("cancelled", &cancelled()), ("successful", &finished(42)), ("blocked", &blocked[0])];
        let waited = wait(futures, ReturnWhen::FirstCompleted);
        assert_eq!(names(waited), (vec!["cancelled", "successful"], vec!["blocked"]));
    });
}

/// W04: returns when one fails; the earlier success is done, the blocked one pending.
#[test]
fn test_first_exception() {
    within(|| {
        let executor = pool(2);
        let (_gate, blocked) = occupy(&executor, 1);
        let success = executor.submit(multiply, (2, 21));
        success.wait();
        let failure = executor.submit(raise, "meant to end the wait".to_owned());
        let futures = [("success", &success), ("failure", &failure), ("blocked", &blocked[0])];
        let waited = wait(futures, ReturnWhen::FirstException);
        assert_eq!(names(waited), (vec!["success", "failure"], vec!["blocked"]));
    });
}

/// W05: a failure ends the wait although others were done before; adapted: the cancelled one is
/// among the done.
#[test]
fn test_first_exception_some_already_complete() {
    within(|| {
        let executor = pool(2);
        let (_gate, blocked) = occupy(&executor, 1);
        let failure = executor.submit(raise, "meant to end the wait".to_owned());
        let futures = [
            ("successful", &finished(42)),
            ("cancelled", &cancelled()),
            ("failure", &failure),
            ("blocked", &blocked[0]),
        ];
        let waited = wait(futures, ReturnWhen::FirstException);
        assert_eq!(names(waited), (vec!["successful", "cancelled", "failure"], vec!["blocked"]));
    });
}

/// W06: a future that has failed before ends the wait at once.
#[test]
fn test_first_exception_one_already_failed() {
    within(|| {
        let executor = pool(1);
        let (_gate, blocked) = occupy(&executor, 1);
        let futures = [("failed", &failed()), ("blocked", &blocked[0])];
        let waited = wait(futures, ReturnWhen::FirstException);
        assert_eq!(names(waited), (vec!["failed"], vec!["blocked"]));
    });
}

/// W07: success, cancellation and failure, old and new, all end up done.
#[test]
fn test_all_completed() {
    within(|| {
        let executor = pool(2);
        let futures = [
            ("cancelled", &cancelled()),
            ("failed", &failed()),
            ("successful", &finished(42)),
            ("failing", &executor.submit(raise, "one of several".to_owned())),
            ("succeeding", &executor.submit(multiply, (2, 21))),
        ];
        let (done, not_done) = names(wait(futures, ReturnWhen::AllCompleted));
        assert_eq!(done, ["cancelled", "failed", "successful", "failing", "succeeding"]);
        assert!(not_done.is_empty());
    });
}

/// W08: when the time is up, what is done is returned, without an error.
#[test]
fn test_timeout() {
    within(|| {
        let executor = pool(1);
        let (_gate, blocked) = occupy(&executor, 1);
        let futures = [
            ("cancelled", &cancelled()),
            ("failed", &failed()),
            ("successful", &finished(42)),
            ("blocked", &blocked[0]),
        ];
        let waited = wait_timeout(futures, ReturnWhen::AllCompleted, SHORT);
        assert_eq!(names(waited), (vec!["cancelled", "failed", "successful"], vec!["blocked"]));
    });
}
