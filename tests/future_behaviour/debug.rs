//! The text form of what a test or a log shows.

use crate::common::running;
use concurrent_futures::{FutureState, Promise, TaskOptions, ThreadPoolExecutor};

#[test]
fn a_future_shows_its_state_and_label() {
    let (_promise, future) = Promise::<u32>::labelled("page 7");
    assert_eq!(format!("{future:?}"), r#"Future { state: Pending, label: "page 7" }"#);
}

#[test]
fn a_future_without_a_label_shows_its_state() {
    let (_promise, future) = running();
    assert_eq!(format!("{future:?}"), "Future { state: Running }");
}

#[test]
fn a_shared_future_shows_its_state_and_label() {
    let (_promise, future) = Promise::<u32>::labelled("page 7");
    let future = future.shared();
    future.cancel();
    assert_eq!(format!("{future:?}"), r#"SharedFuture { state: Cancelled, label: "page 7" }"#);
}

#[test]
fn a_promise_shows_its_state_and_label() {
    let (mut promise, _future) = Promise::labelled("page 7");
    promise.set_result(1).unwrap();
    assert_eq!(format!("{promise:?}"), r#"Promise { state: Finished, label: "page 7" }"#);
}

#[test]
fn a_cancel_on_drop_future_shows_the_future_in_it() {
    let (_promise, future) = Promise::<u32>::labelled("page 7");
    let text = format!("{:?}", future.cancel_on_drop());
    assert!(text.contains(r#"Future { state: Pending, label: "page 7" }"#), "{text}");
}

#[test]
fn a_future_that_failed_shows_that_it_did() {
    assert_eq!(format!("{:?}", crate::common::failed()), "Future { state: Failed }");
}

#[test]
fn an_error_shows_its_sentence_and_if_asked_its_label_and_kind() {
    let (_promise, future) = Promise::<u32>::labelled("page 7");
    future.cancel();
    let error = future.result().unwrap_err();
    assert_eq!(format!("{error:?}"), "task `page 7` was cancelled before it gave a result");
    let fields = format!("{error:#?}");
    assert!(
        fields.contains(r#"label: "page 7""#) && fields.contains("kind: Cancelled"),
        "{fields}"
    );
}

#[test]
fn the_label_of_a_task_is_that_of_its_options() {
    let executor = ThreadPoolExecutor::new(1).unwrap();
    let future = executor.with(TaskOptions::new().label("page 7")).spawn(|| 1);
    assert_eq!(future.label(), Some("page 7"));
    future.wait();
    assert_eq!(future.state(), FutureState::Finished);
}
