//! What a failure says: its label, what happened, where, what to do, and what caused it.

use crate::common::{Gate, OutOfPaper, occupy_one, pool, within};
use concurrent_futures::{
    Future, MapOptions, Promise, Refusal, TaskError, TaskErrorKind, TaskOptions, TaskPanic,
    ThreadPoolExecutor, WhenFull, first_success,
};
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::time::Duration;

const LINE: u32 = line!() + 3;

fn fails() -> u32 {
    panic!("no such page")
}

fn error_of(task: impl FnOnce() -> u32 + Send + 'static) -> TaskError {
    within(|| labelled(&pool(1)).spawn(task).result().unwrap_err())
}

fn labelled(executor: &ThreadPoolExecutor) -> concurrent_futures::ThreadPoolHandle {
    executor.with(TaskOptions::new().label("page 7"))
}

fn panic_of(error: &TaskError) -> &TaskPanic {
    let TaskErrorKind::Panicked(panic) = error.kind() else { panic!("{error:?} is no panic") };
    panic
}

/// The text of what was thrown.
fn thrown(code: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(code)).expect_err("it panics");
    match payload.downcast::<&str>() {
        Ok(text) => (*text).to_owned(),
        Err(payload) => *payload.downcast::<String>().expect("the payload is text"),
    }
}

#[test]
fn a_panic_tells_its_message() {
    assert_eq!(panic_of(&error_of(fails)).message(), "no such page");
    let seven = std::hint::black_box(7);
    assert_eq!(panic_of(&error_of(move || panic!("page {seven}"))).message(), "page 7");
}

#[test]
fn a_panic_tells_file_and_line() {
    let error = error_of(fails);
    let location = panic_of(&error).location().expect("it was raised and not resumed");
    assert!(location.starts_with(&format!("{}:{LINE}:", file!())), "{location}");
}

#[test]
fn a_payload_that_is_not_text_is_said_to_be_so() {
    let error = error_of(|| panic_any(OutOfPaper));
    assert_eq!(panic_of(&error).message(), "a payload that is not text");
}

#[test]
fn the_payload_of_a_panic_can_be_resumed() {
    let error = error_of(|| panic_any(OutOfPaper));
    let payload = catch_unwind(AssertUnwindSafe(|| drop(error.resume_panic()))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&OutOfPaper));
}

#[test]
fn a_panic_whose_payload_was_used_is_resumed_with_its_message() {
    let error = error_of(fails);
    let other = error.clone();
    assert_eq!(thrown(|| drop(error.resume_panic())), "no such page");
    assert_eq!(thrown(|| drop(other.resume_panic())), "no such page");
}

#[test]
fn an_error_that_is_no_panic_is_given_back() {
    let error = crate::common::failed().result().unwrap_err();
    assert_eq!(error.resume_panic().failure(), Some(&OutOfPaper));
}

#[test]
fn a_panic_within_a_task_that_the_task_survives_is_not_its_outcome() {
    within(|| {
        let future = pool(1).spawn(|| catch_unwind(fails).is_err());
        assert!(future.result().unwrap());
    });
}

#[test]
fn a_resumed_panic_is_not_placed_where_another_was_caught() {
    let error = error_of(|| {
        let _ = catch_unwind(fails);
        resume_unwind(Box::new("from elsewhere"))
    });
    let panic = panic_of(&error);
    assert_eq!((panic.message(), panic.location()), ("from elsewhere", None));
}

#[test]
fn the_text_of_a_panic_names_label_and_location() {
    let text = error_of(fails).to_string();
    let start = format!("task `page 7` panicked at {}:{LINE}:", file!());
    assert!(text.starts_with(&start) && text.ends_with(": no such page"), "{text}");
}

#[test]
fn the_text_of_a_cancellation() {
    let (_promise, future) = Promise::<u32>::labelled("page 7");
    future.cancel();
    let text = future.result().unwrap_err().to_string();
    assert_eq!(text, "task `page 7` was cancelled before it gave a result");
}

#[test]
fn the_text_of_an_error_of_the_task() {
    let (mut promise, future) = Promise::<u32>::labelled("page 7");
    promise.set_exception(OutOfPaper).unwrap();
    assert_eq!(future.result().unwrap_err().to_string(), "task `page 7` failed: out of paper");
}

#[test]
fn the_text_of_an_error_without_a_label() {
    let text = crate::common::failed().result().unwrap_err().to_string();
    assert_eq!(text, "task failed: out of paper");
}

#[test]
fn the_text_of_a_timeout_names_the_limit() {
    within(|| {
        let executor = pool(1);
        let limit = Duration::from_millis(1);
        let impatient = executor.with(TaskOptions::new().label("page 7").timeout(limit));
        let gate = Gate::new();
        let entrance = gate.latch();
        let error = impatient.spawn(move || entrance.pass()).result().unwrap_err();
        gate.open();
        assert!(matches!(error.kind(), TaskErrorKind::TimedOut { limit: it } if *it == limit));
        let text = "task `page 7` ran longer than its timeout of 1ms";
        assert_eq!(error.to_string(), text);
    });
}

#[test]
fn the_text_of_a_promise_that_was_not_kept() {
    let (promise, future) = Promise::<u32>::labelled("page 7");
    drop(promise);
    let text = "task `page 7` will never finish: its promise was dropped without a result";
    assert_eq!(future.result().unwrap_err().to_string(), text);
}

#[test]
fn the_text_of_a_refusal_after_shutdown_says_what_to_do() {
    within(|| {
        let executor = pool(1);
        executor.shutdown(true, false);
        let error = labelled(&executor).spawn(|| 1).result().unwrap_err();
        assert!(matches!(error.kind(), TaskErrorKind::Refused(Refusal::ShutDown)));
        let text = "task `page 7` was refused: the executor has been shut down; submit before \
                    `shutdown`, or to another executor";
        assert_eq!(error.to_string(), text);
    });
}

#[test]
fn the_text_of_a_refusal_by_a_full_queue_says_what_to_do() {
    within(|| {
        let builder = ThreadPoolExecutor::builder().max_workers(1);
        let executor = builder.queue_capacity(1, WhenFull::Refuse).build().unwrap();
        let _occupied = occupy_one(&executor);
        let _queued = executor.spawn(|| 1);
        let error = labelled(&executor).spawn(|| 1).result().unwrap_err();
        let text = "task `page 7` was refused: the executor's queue is full (its capacity is 1); \
                    try again later, or choose `WhenFull::Block`";
        assert_eq!(error.to_string(), text);
    });
}

/// A task that was taken by an executor whose initializer then failed.
fn broken(why: impl Error + Clone + Send + Sync + 'static) -> TaskError {
    within(move || {
        let gate = Gate::new();
        let entrance = gate.latch();
        let executor = ThreadPoolExecutor::builder()
            .max_workers(1)
            .try_initializer(move || {
                entrance.pass();
                Err::<(), _>(why.clone())
            })
            .build()
            .unwrap();
        let future: Future<u32> =
            executor.with(TaskOptions::new().label("page 7")).submit(|n| n, 1);
        gate.open();
        future.result().unwrap_err()
    })
}

#[test]
fn the_text_of_a_broken_executor_names_the_cause_and_says_what_to_do() {
    let text = "task `page 7` was lost because its executor broke: the initializer of a worker \
                failed: out of paper; build a new executor";
    assert_eq!(broken(OutOfPaper).to_string(), text);
}

/// An error that wraps another one, as most do.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the page is lost")]
struct PageLost(#[source] OutOfPaper);

/// Every text from the error to its root: what a report prints.
fn chain(error: &dyn Error) -> Vec<String> {
    std::iter::successors(Some(error), |it| (*it).source()).map(ToString::to_string).collect()
}

#[test]
fn the_chain_of_a_failed_task_says_nothing_twice() {
    let (mut promise, future) = Promise::<u32>::labelled("page 7");
    promise.set_exception(PageLost(OutOfPaper)).unwrap();
    let error = future.result().unwrap_err();
    assert_eq!(chain(&error), ["task `page 7` failed: the page is lost", "out of paper"]);
}

#[test]
fn the_chain_of_a_broken_executor_says_nothing_twice() {
    let error = broken(PageLost(OutOfPaper));
    let text = "task `page 7` was lost because its executor broke: the initializer of a worker \
                failed: the page is lost; build a new executor";
    assert_eq!(chain(&error), [text, "out of paper"]);
}

#[test]
fn the_chain_of_a_refusal_says_nothing_twice() {
    let executor = pool(1);
    executor.shutdown(true, false);
    assert_eq!(chain(&executor.spawn(|| 1).result().unwrap_err()).len(), 1);
    assert_eq!(chain(&executor.try_submit(|n: u32| n, 1).unwrap_err()).len(), 1);
}

#[test]
fn the_chain_of_several_failures_says_nothing_twice() {
    let (mut promise, future) = Promise::<u32>::labelled("page 7");
    promise.set_exception(PageLost(OutOfPaper)).unwrap();
    let text = "all 1 tasks failed; the last one: task `page 7` failed: the page is lost";
    assert_eq!(chain(&first_success([future]).unwrap_err()), [text, "out of paper"]);
}

#[test]
fn what_a_main_prints_of_an_error_has_its_sources() {
    let (mut promise, future) = Promise::<u32>::labelled("page 7");
    promise.set_exception(PageLost(OutOfPaper)).unwrap();
    let text = "task `page 7` failed: the page is lost; caused by: out of paper";
    assert_eq!(format!("{:?}", future.result().unwrap_err()), text);
}

#[test]
fn what_a_main_prints_of_a_wait_is_its_sentence() {
    let (_promise, future) = Promise::<u32>::new();
    let timeout = future.result_timeout(Duration::from_millis(1)).unwrap_err();
    assert_eq!(format!("{timeout:?}"), timeout.to_string());
}

#[test]
fn a_kind_of_error_says_what_happened_without_naming_the_task() {
    let error = error_of(fails);
    assert_eq!(format!("task `page 7` {}", error.kind()), error.to_string());
}

#[test]
fn an_error_of_a_map_says_which_item_it_is_about() {
    within(|| {
        let divide = |n: u32| 12_u32.checked_div(n).expect("a divisor");
        for unordered in [false, true] {
            let options = MapOptions::new();
            let options = if unordered { options.unordered() } else { options };
            let executor = pool(2);
            let results = executor.map_with(options, divide, (0..200).map(|n| n % 50));
            let errors = results.filter_map(Result::err);
            let mut items: Vec<_> = errors.map(|error| error.item().unwrap()).collect();
            items.sort();
            assert_eq!(items, [0, 50, 100, 150], "unordered: {unordered}");
        }
    });
}

#[test]
fn the_text_of_an_error_of_a_map_names_the_item_and_the_map() {
    within(|| {
        let executor = pool(1);
        let error = labelled(&executor).map(|_| fails(), [1]).next().unwrap().unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("item 0 of the map `page 7` panicked at "), "{text}");
    });
}

#[test]
fn the_text_of_a_chunk_that_ran_too_long_says_how_to_keep_its_items_apart() {
    within(|| {
        let gate = Gate::new();
        let latch = gate.latch();
        let executor = pool(1);
        let limited = executor.with(TaskOptions::new().timeout(Duration::from_millis(1)));
        let two = MapOptions::new().chunksize(2.try_into().unwrap());
        let error =
            limited.map_with(two, move |_| latch.pass(), [1, 2]).nth(1).unwrap().unwrap_err();
        gate.open();
        let text = "item 1 of the map ran longer than its timeout of 1ms, with its chunk; a \
                    `chunksize` of one keeps items apart";
        assert_eq!(error.to_string(), text);
    });
}

#[test]
fn the_text_of_a_deadline_of_map_names_the_limit() {
    within(|| {
        let executor = pool(1);
        let occupied = occupy_one(&executor);
        let options = MapOptions::new().timeout(Duration::from_millis(1));
        let error = executor.map_with(options, |n| n, [1]).next().unwrap().unwrap_err();
        occupied.release();
        let text = "task was not ready within the 1ms given to the whole map";
        assert_eq!(error.to_string(), text);
    });
}

#[test]
fn a_cancellation_has_no_source() {
    assert!(crate::common::cancelled().result().unwrap_err().source().is_none());
}

#[test]
fn the_text_of_a_wait_that_ran_out_of_time_says_what_to_do() {
    let (_promise, future) = Promise::<u32>::new();
    let timeout = future.result_timeout(Duration::from_millis(1)).unwrap_err();
    let text = "not done within 1ms; the task goes on, and can be waited for again";
    assert_eq!(timeout.to_string(), text);
}

#[test]
fn errors_travel_between_threads_and_through_boxes() {
    fn travels<E: Error + Send + Sync + 'static>(_: &E) {}
    let error = crate::common::failed().result().unwrap_err();
    travels(&error);
    let boxed: Box<dyn Error + Send + Sync> = error.into();
    assert!(boxed.downcast_ref::<TaskError>().is_some());
}
