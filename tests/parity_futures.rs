//! The tests of Python's `concurrent.futures` for `wait`, `as_completed` and `Future`, under their
//! own names, so that the two lists can be held side by side. Which is which, and what was adapted,
//! stands in `docs/parity.md`.

#[path = "common/mod.rs"]
mod common;

use common::{cancelled, failed, finished, occupy_one, pool, running, within};
use concurrent_futures::{Future, Promise};
use std::time::Duration;

/// Short enough to be waited for in vain.
const SHORT: Duration = Duration::from_millis(10);

fn multiply((a, b): (u32, u32)) -> u32 {
    a * b
}

fn raise(message: &'static str) -> u32 {
    panic!("{message}");
}

mod wait {
    use super::*;
    use crate::common::Gate;
    use concurrent_futures::{ReturnWhen, Waited, wait, wait_timeout};

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
            let blocked = occupy_one(&executor);
            let first = executor.submit(multiply, (21, 2));
            let futures = [("first", &first), ("blocked", &blocked.future)];
            let waited = wait(futures, ReturnWhen::FirstCompleted);
            assert_eq!(names(waited), (vec!["first"], vec!["blocked"]));

            let futures = [("cancelled", &cancelled()), ("blocked", &blocked.future)];
            let waited = wait(futures, ReturnWhen::FirstCompleted);
            assert_eq!(names(waited), (vec!["cancelled"], vec!["blocked"]));
        });
    }

    /// W03: those that are done already are returned at once, the blocked one is pending.
    #[test]
    fn test_first_completed_some_already_completed() {
        within(|| {
            let executor = pool(1);
            let blocked = occupy_one(&executor);
            let futures = [
                ("cancelled", &cancelled()),
                ("successful", &finished(42)),
                ("blocked", &blocked.future),
            ];
            let waited = wait(futures, ReturnWhen::FirstCompleted);
            assert_eq!(names(waited), (vec!["cancelled", "successful"], vec!["blocked"]));
        });
    }

    /// W04: returns when one fails; the earlier success is done, the blocked one pending.
    #[test]
    fn test_first_exception() {
        within(|| {
            let executor = pool(2);
            let blocked = occupy_one(&executor);
            let success = executor.submit(multiply, (2, 21));
            // The same worker runs them one after the other.
            let failure = executor.submit(raise, "meant to end the wait");
            let futures =
                [("success", &success), ("failure", &failure), ("blocked", &blocked.future)];
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
            let blocked = occupy_one(&executor);
            let failure = executor.submit(raise, "meant to end the wait");
            let futures = [
                ("successful", &finished(42)),
                ("cancelled", &cancelled()),
                ("failure", &failure),
                ("blocked", &blocked.future),
            ];
            let waited = wait(futures, ReturnWhen::FirstException);
            assert_eq!(
                names(waited),
                (vec!["successful", "cancelled", "failure"], vec!["blocked"])
            );
        });
    }

    /// W06: a future that has failed before ends the wait at once.
    #[test]
    fn test_first_exception_one_already_failed() {
        within(|| {
            let executor = pool(1);
            let blocked = occupy_one(&executor);
            let futures = [("failed", &failed()), ("blocked", &blocked.future)];
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
                ("failing", &executor.submit(raise, "one of several")),
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
            let blocked = occupy_one(&executor);
            let futures = [
                ("cancelled", &cancelled()),
                ("failed", &failed()),
                ("successful", &finished(42)),
                ("blocked", &blocked.future),
            ];
            let waited = wait_timeout(futures, ReturnWhen::AllCompleted, SHORT);
            assert_eq!(names(waited), (vec!["cancelled", "failed", "successful"], vec!["blocked"]));
        });
    }

    /// W09: a hundred futures that are let go together never lose the wake-up of the waiter.
    #[test]
    fn test_pending_calls_race() {
        within(|| {
            let executor = pool(5);
            let gate = Gate::new();
            let entrance = gate.latch();
            let futures = executor.submit_all(move |_| entrance.pass(), 0..100);
            gate.open();
            let waited = wait(futures, ReturnWhen::AllCompleted);
            assert_eq!((waited.done.len(), waited.not_done.len()), (100, 0));
        });
    }
}

mod as_completed {
    use super::*;
    use crate::common::Drops;
    use concurrent_futures::{CompletionTimeout, as_completed, as_completed_timeout};
    use std::collections::HashSet;

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
            let blocked = occupy_one(&executor);
            for limit in [Duration::ZERO, Duration::from_millis(100)] {
                let (cancelled, failed, successful) = (cancelled(), failed(), finished(42));
                let futures = [
                    ("blocked", &blocked.future),
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
    /// of its value.
    #[test]
    fn test_free_reference_yielded_future() {
        within(|| {
            let executor = pool(1);
            let blocked = occupy_one(&executor);
            let drops = Drops::default();
            let (mut promise, future) = Promise::new();
            promise.set_result(Some(drops.token())).expect("it is pending");
            let mut completed = as_completed([future, executor.then(blocked.future, |_| None)]);
            drop(completed.next());
            assert_eq!(drops.count(), 1);
        });
    }

    /// AC5: the error says how many of how many are unfinished; adapted: in fields too.
    #[test]
    fn test_correct_timeout_exception_msg() {
        within(|| {
            let (_promise, pending) = Promise::new();
            let (_begun, running) = running();
            let futures = [cancelled(), pending, running, finished(42)];
            let timeout = as_completed_timeout(futures, Duration::ZERO)
                .find_map(Result::err)
                .expect("two of them never finish");
            assert_eq!(timeout.to_string(), "2 (of 4) futures unfinished after 0ns");
            let CompletionTimeout { pending, total, .. } = timeout;
            assert_eq!((pending.len(), total), (2, 4));
        });
    }
}

mod future {
    use super::*;
    use crate::common::OutOfPaper;
    use concurrent_futures::FutureState::{self, Cancelled, Failed, Finished, Pending, Running};
    use concurrent_futures::{Group, SharedFuture};
    use std::sync::mpsc::{Receiver, channel};
    use std::sync::{Arc, Barrier, Mutex, Once};
    use std::thread::JoinHandle;

    /// A future in each of the five states. Python's two cancelled states are one here.
    struct EveryState {
        futures: [(FutureState, Future<u32>); 5],
        /// Of the pending and the running one.
        _promises: [Promise<u32>; 2],
    }

    fn every_state() -> EveryState {
        let (not_begun, pending) = Promise::new();
        let (begun, running) = running();
        EveryState {
            futures: [
                (Pending, pending),
                (Running, running),
                (Cancelled, cancelled()),
                (Failed, failed()),
                (Finished, finished(42)),
            ],
            _promises: [not_begun, begun],
        }
    }

    /// Asks the future of each state, and gives the states for which the answer is yes.
    fn states_where(is: impl Fn(&Future<u32>) -> bool) -> Vec<FutureState> {
        let every = every_state();
        every.futures.iter().filter(|(_, future)| is(future)).map(|(state, _)| *state).collect()
    }

    static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

    /// Collects what the panic hook is told from now on.
    fn watch_panics() {
        static WATCH: Once = Once::new();
        WATCH.call_once(|| {
            let report = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                PANICS.lock().unwrap().push(panic.to_string());
                report(panic);
            }));
        });
    }

    fn was_reported(message: &str) -> bool {
        PANICS.lock().unwrap().iter().any(|report| report.contains(message))
    }

    /// F01: a callback can read the result.
    #[test]
    fn test_done_callback_with_result() {
        let (mut promise, future) = Promise::new();
        let (sender, seen) = channel();
        future.add_done_callback(move |it| sender.send(it.copied().ok()).unwrap());
        promise.set_result(5).unwrap();
        assert_eq!(seen.try_recv(), Ok(Some(5)));
    }

    /// F02: a callback can read the error.
    #[test]
    fn test_done_callback_with_exception() {
        let (mut promise, future) = Promise::<u32>::new();
        let (sender, seen) = channel();
        future.add_done_callback(move |it| {
            sender.send(it.unwrap_err().failure::<OutOfPaper>().cloned()).unwrap();
        });
        promise.set_exception(OutOfPaper).unwrap();
        assert_eq!(seen.try_recv(), Ok(Some(OutOfPaper)));
    }

    /// F03: a callback runs on cancellation, and sees it.
    #[test]
    fn test_done_callback_with_cancel() {
        let (_promise, future) = Promise::<u32>::new();
        let (sender, seen) = channel();
        future.add_done_callback(move |it| sender.send(it.unwrap_err().is_cancelled()).unwrap());
        assert!(future.cancel());
        assert_eq!(seen.try_recv(), Ok(true));
    }

    /// F04: a callback that panics is reported by the panic hook, and the next one still runs.
    #[test]
    fn test_done_callback_raises() {
        watch_panics();
        let (mut promise, future) = Promise::new();
        let (sender, seen) = channel();
        future.add_done_callback(|_| panic!("F04 panics"));
        future.add_done_callback(move |it| sender.send(it.copied().ok()).unwrap());
        promise.set_result(5).unwrap();
        assert_eq!(seen.try_recv(), Ok(Some(5)));
        assert!(was_reported("F04 panics"));
    }

    /// F05: a callback that is added after a success runs at once.
    #[test]
    fn test_done_callback_already_successful() {
        let (sender, seen) = channel();
        finished(5).add_done_callback(move |it| sender.send(it.copied().ok()).unwrap());
        assert_eq!(seen.try_recv(), Ok(Some(5)));
    }

    /// F06: a callback that is added after a failure runs at once.
    #[test]
    fn test_done_callback_already_failed() {
        let (sender, seen) = channel();
        failed().add_done_callback(move |it| {
            sender.send(it.unwrap_err().failure::<OutOfPaper>().cloned()).unwrap();
        });
        assert_eq!(seen.try_recv(), Ok(Some(OutOfPaper)));
    }

    /// F07: a callback that is added after a cancellation runs at once.
    #[test]
    fn test_done_callback_already_cancelled() {
        let (sender, seen) = channel();
        cancelled()
            .add_done_callback(move |it| sender.send(it.unwrap_err().is_cancelled()).unwrap());
        assert_eq!(seen.try_recv(), Ok(true));
    }

    /// F08: a callback that runs at once and panics is reported, and whoever added it goes on.
    #[test]
    fn test_done_callback_raises_already_succeeded() {
        watch_panics();
        finished(5).add_done_callback(|_| panic!("F08 panics"));
        assert!(was_reported("F08 panics"));
    }

    /// F09: the text form shows the state; adapted: it is the form of `Debug`, without the type of
    /// the value, which is known to the compiler.
    #[test]
    fn test_repr() {
        for (state, future) in &every_state().futures {
            assert_eq!(format!("{future:?}"), format!("Future {{ state: {state:?} }}"));
        }
    }

    /// F10: a future can be cancelled while it is pending, or again; the others keep their state.
    #[test]
    fn test_cancel() {
        assert_eq!(states_where(Future::cancel), [Pending, Cancelled]);
        let after: Vec<_> = every_state()
            .futures
            .iter()
            .map(|(_, future)| {
                future.cancel();
                future.state()
            })
            .collect();
        assert_eq!(after, [Cancelled, Running, Cancelled, Failed, Finished]);
    }

    /// F11: only a cancelled future is cancelled.
    #[test]
    fn test_cancelled() {
        assert_eq!(states_where(Future::cancelled), [Cancelled]);
    }

    /// F12: a future is done when it is cancelled, failed or finished.
    #[test]
    fn test_done() {
        assert_eq!(states_where(Future::done), [Cancelled, Failed, Finished]);
    }

    /// F13: only a running future is running.
    #[test]
    fn test_running() {
        assert_eq!(states_where(Future::running), [Running]);
    }

    /// F14: `result` without time to wait: a timeout, the cancellation, the error, or the value.
    #[test]
    fn test_result_with_timeout() {
        for (state, future) in every_state().futures {
            let outcome = future.result_timeout(Duration::ZERO);
            match state {
                Pending | Running => assert_eq!(outcome.unwrap_err().pending.state(), state),
                Cancelled => assert!(outcome.unwrap().unwrap_err().is_cancelled()),
                Failed => {
                    assert!(outcome.unwrap().unwrap_err().failure::<OutOfPaper>().is_some());
                }
                _ => assert_eq!(outcome.unwrap().unwrap(), 42),
            }
        }
    }

    /// Lets a waiter and whoever ends its future start together, again and again, so that either
    /// comes first now and then; gives what the waiters saw.
    fn meet<R: Send + 'static>(
        wait: fn(Future<u32>) -> R,
        end: impl Fn(Promise<u32>, &Group) + Send + 'static,
    ) -> Vec<R> {
        let rounds = 0..100;
        let round = move |_| {
            let (promise, future) = Promise::new();
            let group = Group::new();
            group.add(&future);
            let start = Arc::new(Barrier::new(2));
            let starts = Arc::clone(&start);
            let waiter = std::thread::spawn(move || {
                starts.wait();
                wait(future)
            });
            start.wait();
            end(promise, &group);
            waiter.join().expect("waiting does not panic")
        };
        within(move || rounds.map(round).collect())
    }

    /// F15: whoever is blocked in `result` gets the value that another thread sets.
    #[test]
    fn test_result_with_success() {
        let set = |mut promise: Promise<u32>, _: &Group| promise.set_result(42).unwrap();
        let seen = meet(|future| future.result().ok(), set);
        assert!(seen.iter().all(|it| *it == Some(42)), "{seen:?}");
    }

    /// F16: whoever is blocked in `result` gets the cancellation by another thread.
    #[test]
    fn test_result_with_cancel() {
        let seen = meet(
            |future| future.result().is_err_and(|error| error.is_cancelled()),
            |_promise, group| assert_eq!(group.cancel(), 1),
        );
        assert!(seen.iter().all(|is_cancelled| *is_cancelled), "{seen:?}");
    }

    /// F17: `exception` without time to wait: a timeout, the cancellation, the error, or none;
    /// adapted: the wait has the time limit, and the cancellation is an error like others.
    #[test]
    fn test_exception_with_timeout() {
        for (state, future) in &every_state().futures {
            if !future.wait_timeout(Duration::ZERO) {
                assert!(matches!(state, Pending | Running), "{state:?}");
                continue;
            }
            let error = future.exception();
            match state {
                Cancelled => assert!(error.unwrap().is_cancelled()),
                Failed => assert!(error.unwrap().failure::<OutOfPaper>().is_some()),
                Finished => assert!(error.is_none()),
                _ => panic!("done although it is {state:?}"),
            }
        }
    }

    /// F18: whoever is blocked in `exception` gets the error that another thread sets.
    #[test]
    fn test_exception_with_success() {
        let set = |mut promise: Promise<u32>, _: &Group| promise.set_exception(OutOfPaper).unwrap();
        let seen = meet(|future| future.exception().and_then(|it| it.failure().cloned()), set);
        assert!(seen.iter().all(|it| *it == Some(OutOfPaper)), "{seen:?}");
    }

    /// F19: a second result is refused, and the first stays; adapted: by a typed error.
    #[test]
    fn test_multiple_set_result() {
        let (mut promise, future) = Promise::new();
        promise.set_result(1).unwrap();
        assert_eq!(promise.set_result(2).unwrap_err().state(), Finished);
        assert_eq!(future.result().unwrap(), 1);
    }

    /// F20: a second error is refused, and the first stays; adapted: by a typed error.
    #[test]
    fn test_multiple_set_exception() {
        let (mut promise, future) = Promise::<u32>::new();
        promise.set_exception(OutOfPaper).unwrap();
        assert_eq!(promise.set_exception("another").unwrap_err().state(), Failed);
        assert_eq!(future.exception().unwrap().failure(), Some(&OutOfPaper));
    }

    /// F21: one look gives state and value that belong together, in each state and for four threads
    /// that look while the state changes.
    #[test]
    fn test_get_snapshot() {
        for (state, future) in &every_state().futures {
            assert_eq!(future.state(), *state);
        }
        within(|| {
            let (mut promise, future) = Promise::new();
            let future = future.shared();
            let readers: Vec<_> = (0..4).map(|_| future.clone()).map(watch).collect();
            for (_, has_looked) in &readers {
                has_looked.recv().unwrap();
            }
            promise.set_running_or_notify_cancel().unwrap();
            promise.set_result(42).unwrap();
            for (reader, _) in readers {
                let seen = reader.join().unwrap();
                let order = [Pending, Running, Finished];
                assert!(order.iter().filter(|it| seen.contains(it)).eq(&seen), "{seen:?}");
            }
        });
    }

    /// Looks until the future is finished, and gives the states that it saw, in order.
    fn watch(future: SharedFuture<u32>) -> (JoinHandle<Vec<FutureState>>, Receiver<()>) {
        let (looks, has_looked) = channel();
        let reader = std::thread::spawn(move || {
            let mut seen = vec![future.state()];
            looks.send(()).unwrap();
            while seen.last() != Some(&Finished) {
                std::thread::yield_now();
                let state = future.state();
                if state == Finished {
                    assert!(matches!(future.peek(), Some(Ok(42))));
                }
                if seen.last() != Some(&state) {
                    seen.push(state);
                }
            }
            seen
        });
        (reader, has_looked)
    }
}
