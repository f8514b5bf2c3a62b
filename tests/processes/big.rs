//! Arguments and results that are large, or too large, or cannot be brought over at all.

use crate::common::within;
use crate::common::workers::{pool, process_of};
use concurrent_futures::{
    MapOptions, ProcessPoolExecutor, TaskError, TaskErrorKind, TaskOptions, TransferError,
    TransferStage,
};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const MIB: usize = 1 << 20;

/// Lets the panics that these tests want print nothing, in this process.
fn keep_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let payload = panic.payload();
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or_default();
            if !text.contains("cannot be") && !text.starts_with("xxx") {
                hook(panic);
            }
        }));
    });
}

fn in_chunks_of(items: usize) -> MapOptions {
    MapOptions::new().chunksize(NonZeroUsize::new(items).unwrap())
}

fn same(text: String) -> String {
    text
}

fn transfer(error: &TaskError) -> &TransferError {
    match error.kind() {
        TaskErrorKind::NotTransferred(error) => error,
        _ => panic!("{error}"),
    }
}

#[test]
fn large_arguments_and_results_travel_both_ways_at_once() {
    within(|| {
        let executor = pool(2);
        let texts = ["a", "b"].map(|it| it.repeat(64 * MIB));
        let futures = texts.clone().map(|text| executor.submit(same, text));
        for (future, text) in futures.into_iter().zip(texts) {
            // Not `assert_eq`, which would print them.
            assert!(future.result().unwrap() == text);
        }
    });
}

#[test]
fn many_messages_of_all_sizes_are_on_their_way_at_the_same_time() {
    within(|| {
        let executor = pool(2);
        let sizes = (0..400_usize).map(|n| (n * n * 7919) % (300 << 10));
        let texts: Vec<String> = sizes.map(|size| "x".repeat(size)).collect();
        let futures = executor.submit_all(same, texts.clone());
        for (future, text) in futures.into_iter().zip(texts) {
            assert!(future.result().unwrap() == text);
        }
    });
}

#[test]
fn a_large_argument_does_not_hold_up_what_runs_elsewhere() {
    within(|| {
        let executor = pool(2);
        let large = executor.submit(same, "x".repeat(32 * MIB));
        let small: u32 = executor.map(|n: u32| n, 0..1000).map(|it| it.unwrap()).sum();
        assert_eq!(small, 499_500);
        assert_eq!(large.result().unwrap().len(), 32 * MIB);
    });
}

/// A pool whose messages have no more than so many bytes.
fn narrow(bytes: usize) -> ProcessPoolExecutor {
    ProcessPoolExecutor::builder().max_workers(1).max_message(bytes).build().unwrap()
}

#[test]
fn an_argument_beyond_the_limit_fails_at_once_and_alone() {
    within(|| {
        let executor = narrow(1000);
        let before = executor.submit(same, "before".to_owned());
        let future =
            executor.with(TaskOptions::new().label("large")).submit(same, "x".repeat(1001));
        assert!(future.done());
        let error = future.result().unwrap_err();
        assert_eq!(error.label(), Some("large"));
        assert_eq!(transfer(&error).stage(), TransferStage::EncodeArgument);
        // Two bytes say how long the text is.
        assert_eq!(transfer(&error).cause(), "it has 1003 bytes, and 1000 is the limit");
        assert_eq!(before.result().unwrap(), "before");
        assert_eq!(executor.submit(same, "x".repeat(998)).result().unwrap().len(), 998);
    });
}

#[test]
fn a_result_beyond_the_limit_fails_alone_and_its_worker_stays() {
    within(|| {
        let executor = narrow(1000);
        let process = process_of(&executor);
        let error = executor.submit(|n: usize| "x".repeat(n), 5000).result().unwrap_err();
        assert_eq!(transfer(&error).stage(), TransferStage::EncodeResult);
        assert_eq!(transfer(&error).cause(), "it has 5002 bytes, and 1000 is the limit");
        assert_eq!(process_of(&executor), process);
    });
}

#[test]
fn a_panic_with_a_long_message_is_still_a_panic() {
    within(|| {
        let executor = narrow(1000);
        let process = process_of(&executor);
        let panics = |n: usize| -> u32 {
            keep_quiet();
            panic!("{}", "x".repeat(n))
        };
        let error = executor.submit(panics, 200_000).result().unwrap_err();
        let TaskErrorKind::Panicked(panic) = error.kind() else { panic!("{error}") };
        assert!(panic.message().starts_with("xxx"));
        assert_eq!(process_of(&executor), process);
    });
}

/// Cannot be encoded if it is odd; cannot be decoded if it is more than 99; panics at 13.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Picky(u32);

impl Serialize for Picky {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            13 => panic!("thirteen cannot be written"),
            n if n % 2 == 1 => Err(S::Error::custom(format!("{n} is odd"))),
            n => n.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Picky {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            666 => {
                keep_quiet();
                panic!("this cannot be read")
            }
            n if n > 99 => Err(D::Error::custom(format!("{n} is more than 99"))),
            n => Ok(Picky(n)),
        }
    }
}

fn given(it: Picky) -> u32 {
    it.0
}

fn giving(n: u32) -> Picky {
    keep_quiet();
    Picky(n)
}

#[track_caller]
fn fails_at(stage: TransferStage, cause: &str, error: &TaskError) {
    assert_eq!(transfer(error).stage(), stage);
    assert_eq!(transfer(error).cause(), cause);
    assert!(error.to_string().contains(cause), "{error}");
}

#[test]
fn what_cannot_be_transferred_says_so_in_its_own_words() {
    within(|| {
        let executor = pool(1);
        let process = process_of(&executor);
        let error = executor.submit(given, Picky(7)).result().unwrap_err();
        fails_at(TransferStage::EncodeArgument, "7 is odd", &error);
        let error = executor.submit(given, Picky(100)).result().unwrap_err();
        fails_at(TransferStage::DecodeArgument, "100 is more than 99", &error);
        let error = executor.submit(giving, 9).result().unwrap_err();
        fails_at(TransferStage::EncodeResult, "9 is odd", &error);
        let error = executor.submit(giving, 102).result().unwrap_err();
        fails_at(TransferStage::DecodeResult, "102 is more than 99", &error);
        assert_eq!(executor.submit(giving, 42).result().unwrap(), Picky(42));
        assert_eq!(process_of(&executor), process);
    });
}

#[derive(Debug, Serialize, Deserialize)]
enum Shape {
    Unit,
    Newtype(char),
    Tuple(i8, i16),
    Struct { long: i64, wide: u128 },
}

#[derive(Debug, Serialize, Deserialize)]
struct Nothing;

/// A part that fails, behind one of every kind that there is.
#[derive(Debug, Serialize, Deserialize)]
struct Everything {
    numbers: (bool, u16, u32, u64, i32, i128, f32, f64),
    text: String,
    shapes: Vec<Shape>,
    options: [Option<u8>; 2],
    nothing: ((), Nothing, Duration),
    map: HashMap<String, Vec<Option<Picky>>>,
}

impl Everything {
    fn with(picky: Picky) -> Self {
        Everything {
            numbers: (true, 60_000, 70_000, 1 << 40, -70_000, -1 << 100, 0.5, -0.25),
            text: "ein Stück".to_owned(),
            shapes: vec![
                Shape::Unit,
                Shape::Newtype('ü'),
                Shape::Tuple(-1, -300),
                Shape::Struct { long: -1, wide: 1 << 90 },
            ],
            options: [None, Some(255)],
            nothing: ((), Nothing, Duration::from_nanos(1)),
            map: HashMap::from([("picky".to_owned(), vec![None, Some(picky)])]),
        }
    }
}

/// However deep the part lies that fails.
#[test]
fn a_part_that_cannot_be_transferred_says_so_in_its_own_words() {
    fn given(everything: Everything) -> usize {
        everything.map.len()
    }
    fn giving(n: u32) -> (u8, Everything) {
        (1, Everything::with(Picky(n)))
    }
    within(|| {
        let executor = pool(1);
        let given = |n| executor.submit(given, Everything::with(Picky(n))).result();
        let giving = |n| executor.submit(giving, n).result();
        fails_at(TransferStage::EncodeArgument, "7 is odd", &given(7).unwrap_err());
        fails_at(TransferStage::DecodeArgument, "100 is more than 99", &given(100).unwrap_err());
        fails_at(TransferStage::EncodeResult, "9 is odd", &giving(9).unwrap_err());
        fails_at(TransferStage::DecodeResult, "102 is more than 99", &giving(102).unwrap_err());
        assert_eq!(given(8).unwrap(), 1);
        assert_eq!(giving(8).unwrap().0, 1);
    });
}

#[test]
fn what_panics_on_its_way_is_a_panic_of_that_task() {
    within(|| {
        keep_quiet();
        let executor = pool(1);
        let process = process_of(&executor);
        let message = |error: TaskError| match error.kind() {
            TaskErrorKind::Panicked(panic) => panic.message().to_owned(),
            _ => panic!("{error}"),
        };
        let written = "thirteen cannot be written";
        assert_eq!(message(executor.submit(given, Picky(13)).result().unwrap_err()), written);
        assert_eq!(message(executor.submit(giving, 13).result().unwrap_err()), written);
        let read = "this cannot be read";
        assert_eq!(message(executor.submit(given, Picky(666)).result().unwrap_err()), read);
        assert_eq!(message(executor.submit(giving, 666).result().unwrap_err()), read);
        assert_eq!(executor.submit(giving, 8).result().unwrap(), Picky(8));
        assert_eq!(process_of(&executor), process);
    });
}

#[test]
fn a_map_has_each_of_these_failures_in_its_place() {
    within(|| {
        keep_quiet();
        let executor = pool(2);
        let items = [2, 7, 100, 4, 13, 6, 8, 9, 666].map(Picky);
        let results: Vec<_> = executor.map_with(in_chunks_of(4), given, items).collect();
        let found: Vec<_> = results.iter().map(|it| it.as_ref().ok().copied()).collect();
        let (none, some) = (None, Some);
        assert_eq!(found, [some(2), none, none, some(4), none, some(6), some(8), none, none]);
        fails_at(TransferStage::EncodeArgument, "7 is odd", results[1].as_ref().unwrap_err());
        let decoded = "100 is more than 99";
        fails_at(TransferStage::DecodeArgument, decoded, results[2].as_ref().unwrap_err());
        assert!(results[4].as_ref().unwrap_err().is_panic());
        assert!(results[8].as_ref().unwrap_err().is_panic());

        let results: Vec<_> =
            executor.map_with(in_chunks_of(4), giving, [2, 9, 102, 666, 4]).collect();
        let found: Vec<_> = results.iter().map(|it| it.as_ref().ok().copied()).collect();
        assert_eq!(found, [Some(Picky(2)), None, None, None, Some(Picky(4))]);
        fails_at(TransferStage::EncodeResult, "9 is odd", results[1].as_ref().unwrap_err());
        let decoded = "102 is more than 99";
        fails_at(TransferStage::DecodeResult, decoded, results[2].as_ref().unwrap_err());
        assert!(results[3].as_ref().unwrap_err().is_panic());
    });
}

#[test]
fn a_chunk_beyond_the_limit_fails_and_the_others_do_not() {
    within(|| {
        let executor = narrow(1000);
        let texts = [10, 20, 5000, 30].map(|size| "x".repeat(size));
        let lengths: Vec<Option<usize>> = executor
            .map_with(in_chunks_of(1), |text: String| text.len(), texts)
            .map(|it| it.ok())
            .collect();
        assert_eq!(lengths, [Some(10), Some(20), None, Some(30)]);
    });
}

/// Counts how often it is encoded.
struct Counted;

static ENCODED: AtomicUsize = AtomicUsize::new(0);

impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ENCODED.fetch_add(1, Ordering::SeqCst);
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer).map(|()| Counted)
    }
}

#[test]
fn an_argument_is_encoded_once_however_often_it_is_sent() {
    within(|| {
        let executor = pool(1);
        let dies = |_: Counted| std::process::abort();
        let result: Result<(), _> = executor.retrying(3).submit(dies, Counted).result();
        assert!(result.unwrap_err().worker_death().is_some());
        assert_eq!(ENCODED.load(Ordering::SeqCst), 1);
    });
}
