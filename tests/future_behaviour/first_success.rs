//! `first_success`.

use crate::common::{
    OutOfPaper, begun, cancelled, failed, finished, occupy_one, pool, running, within,
};
use concurrent_futures::{Future, Promise, cancellation_requested, first_success};
use std::sync::mpsc::channel;

#[test]
fn the_first_success_wins_over_earlier_failures() {
    within(|| {
        assert_eq!(first_success([failed(), cancelled(), finished(1)]).unwrap(), 1);
    });
}

#[test]
fn losers_that_have_not_begun_are_cancelled() {
    within(|| {
        let (mut promise, loser) = Promise::new();
        assert_eq!(first_success([loser, finished(1)]).unwrap(), 1);
        assert!(promise.set_running_or_notify_cancel().is_ok_and(|go_on| !go_on));
    });
}

#[test]
fn losers_that_are_running_are_asked_to_stop() {
    within(|| {
        let executor = pool(1);
        let (sender, stopped) = channel();
        let (loser, has_begun) = begun(&executor, move || {
            while !cancellation_requested() {
                std::thread::yield_now();
            }
            sender.send("stopped").unwrap();
            0
        });
        has_begun.recv().unwrap();
        assert_eq!(first_success([loser, finished(1)]).unwrap(), 1);
        assert_eq!(stopped.recv(), Ok("stopped"));
    });
}

#[test]
fn no_loser_is_asked_to_stop_before_all_are_cancelled_that_can_be() {
    within(|| {
        let (promise, asked) = running();
        let (_pending, cancelled) = Promise::<u32>::new();
        let (sender, was_asked) = channel();
        cancelled
            .add_done_callback(move |_| sender.send(promise.cancellation_requested()).unwrap());
        assert_eq!(first_success([asked, cancelled, finished(1)]).unwrap(), 1);
        assert_eq!(was_asked.recv(), Ok(false));
    });
}

#[test]
fn a_success_that_comes_later_is_waited_for() {
    within(|| {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        let (fails, succeeds) =
            (executor.spawn(|| Err::<u32, _>(OutOfPaper)).flatten(), executor.spawn(|| 1));
        let waits = std::thread::spawn(move || first_success([fails, succeeds]));
        occupied.release();
        assert_eq!(waits.join().unwrap().unwrap(), 1);
    });
}

#[test]
fn errors_come_in_the_order_in_which_the_tasks_failed() {
    within(|| {
        let (mut first, one) = Promise::<u32>::new();
        let (mut second, other) = Promise::<u32>::new();
        // Runs when both futures have been taken from the iterator.
        let mut fail = Some(move || {
            second.set_exception("failed first").unwrap();
            first.set_exception("failed last").unwrap();
        });
        let end = std::iter::from_fn(move || {
            fail.take().expect("the iterator ends once")();
            None
        });
        let all_failed = first_success([one, other].into_iter().chain(end)).unwrap_err();
        let messages: Vec<_> = all_failed.errors.iter().map(ToString::to_string).collect();
        assert_eq!(messages, ["task failed: failed first", "task failed: failed last"]);
    });
}

#[test]
fn the_text_of_several_failures_ends_with_the_last() {
    let all_failed = first_success([failed(), cancelled()]).unwrap_err();
    let last = "task was cancelled before it gave a result";
    assert_eq!(all_failed.to_string(), format!("all 2 tasks failed; the last one: {last}"));
}

#[test]
fn without_tasks_there_is_no_success() {
    let nothing: [Future<u32>; 0] = [];
    let all_failed = first_success(nothing).unwrap_err();
    assert!(all_failed.errors.is_empty());
    assert_eq!(all_failed.to_string(), "there were no tasks to succeed");
}
