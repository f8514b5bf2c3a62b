//! `Promise`: the steps that an executor takes, and the wrong ones.

use crate::common::{OutOfPaper, failed, running};
use concurrent_futures::{FutureState, InvalidStateError, Promise, TaskErrorKind};

/// The state that a step was refused in.
fn state<T>(refused: Result<T, InvalidStateError>) -> Option<FutureState> {
    refused.err().map(|error| error.state())
}

#[test]
fn a_promise_goes_from_pending_over_running_to_finished() {
    let (mut promise, future) = Promise::new();
    assert_eq!(future.state(), FutureState::Pending);
    promise.set_running_or_notify_cancel().unwrap();
    assert_eq!(future.state(), FutureState::Running);
    promise.set_result(1).unwrap();
    assert_eq!(future.state(), FutureState::Finished);
}

#[test]
fn a_promise_whose_future_was_cancelled_is_told_not_to_begin() {
    let (mut promise, future) = Promise::<u32>::new();
    future.cancel();
    assert_eq!(promise.set_running_or_notify_cancel(), Ok(false));
}

#[test]
fn a_promise_begins_once() {
    let (mut promise, _future) = running();
    assert_eq!(state(promise.set_running_or_notify_cancel()), Some(FutureState::Running));
}

#[test]
fn a_promise_that_is_kept_does_not_begin() {
    let (mut promise, _future) = Promise::new();
    promise.set_result(1).unwrap();
    assert_eq!(state(promise.set_running_or_notify_cancel()), Some(FutureState::Finished));
}

#[test]
fn a_result_is_refused_after_a_cancellation() {
    let (mut promise, future) = Promise::new();
    future.cancel();
    assert_eq!(state(promise.set_result(1)), Some(FutureState::Cancelled));
    assert!(future.result().unwrap_err().is_cancelled());
}

#[test]
fn an_error_is_refused_after_a_result() {
    let (mut promise, future) = Promise::new();
    promise.set_result(1).unwrap();
    assert_eq!(state(promise.set_exception(OutOfPaper)), Some(FutureState::Finished));
    assert_eq!(future.result().unwrap(), 1);
}

#[test]
fn a_result_is_refused_after_an_error() {
    let (mut promise, future) = Promise::<u32>::new();
    promise.set_exception(OutOfPaper).unwrap();
    assert_eq!(state(promise.set_result(1)), Some(FutureState::Failed));
    assert!(future.result().is_err());
}

#[test]
fn a_refused_step_says_which_and_why() {
    let (mut promise, _future) = Promise::new();
    promise.set_result(1).unwrap();
    let error = promise.set_result(2).unwrap_err();
    assert_eq!(error.to_string(), "a promise cannot take a result when its future is Finished");
}

#[test]
fn a_promise_that_is_not_kept_fails_its_future() {
    let (promise, future) = Promise::<u32>::new();
    drop(promise);
    let error = future.result().unwrap_err();
    assert!(matches!(error.kind(), TaskErrorKind::PromiseDropped));
}

#[test]
fn a_promise_that_is_not_kept_by_a_thread_that_panics_fails_its_future() {
    let (promise, future) = running();
    let keeper = std::thread::spawn(move || {
        let _promise = promise;
        panic!("before the promise was kept");
    });
    assert!(keeper.join().is_err());
    let error = future.result().unwrap_err();
    assert!(matches!(error.kind(), TaskErrorKind::PromiseDropped));
}

#[test]
fn a_promise_can_be_kept_although_nobody_wants_the_result() {
    let (mut promise, future) = Promise::new();
    drop(future);
    assert!(promise.set_result(1).is_ok());
}

#[test]
fn a_promise_is_told_of_a_request_to_stop_and_may_heed_it() {
    let (mut promise, future) = running();
    assert!(!promise.cancellation_requested());
    assert!(future.abort());
    assert!(promise.cancellation_requested());
    promise.set_cancelled().unwrap();
    assert_eq!(future.state(), FutureState::Cancelled);
}

#[test]
fn a_promise_may_keep_its_word_although_it_was_asked_to_stop() {
    let (mut promise, future) = running();
    future.abort();
    assert!(promise.cancellation_requested());
    promise.set_result(1).unwrap();
    assert_eq!(future.result().unwrap(), 1);
}

#[test]
fn a_promise_can_be_cancelled_by_its_keeper() {
    let (mut promise, future) = Promise::<u32>::new();
    promise.set_cancelled().unwrap();
    assert!(future.cancelled());
    assert_eq!(state(promise.set_cancelled()), Some(FutureState::Cancelled));
}

#[test]
fn an_error_of_a_task_is_passed_on_as_it_is() {
    let error = failed().result().unwrap_err();
    let (mut promise, future) = Promise::<u32>::new();
    promise.set_exception(error).unwrap();
    assert_eq!(future.result().unwrap_err().failure(), Some(&OutOfPaper));
}

#[test]
fn the_cancellation_of_a_task_is_passed_on_as_a_cancellation() {
    let error = crate::common::cancelled().result().unwrap_err();
    let (mut promise, future) = Promise::<u32>::new();
    promise.set_exception(error).unwrap();
    assert_eq!(future.state(), FutureState::Cancelled);
}
