//! Values that fail on their way to another process, or back.

use crate::common::workers::{pool, process_of};
use crate::common::{FarGate, FarLatch, eventually};
use crate::postconditions::{Ledger, ends, goes_on_and_ends, scenario, scenario_with_program};
use concurrent_futures::{
    DeathCause, Future, ProcessPoolExecutor, ProcessPoolHandle, TaskError, TaskErrorKind,
    TransferStage, WhenFull,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use std::os::unix::process::ExitStatusExt;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

/// What a value does when it is encoded, or decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Act {
    Nothing,
    Fail,
    Panic,
    Exit,
    Abort,
}

use Act::{Abort, Exit, Fail, Nothing, Panic};

impl Act {
    fn perform(self) -> Result<(), &'static str> {
        match self {
            Nothing => Ok(()),
            Fail => Err("out of paper"),
            Panic => panic!("out of paper"),
            Exit => std::process::exit(7),
            Abort => std::process::abort(),
        }
    }
}

/// Does something when it is encoded, behind so many bytes; and when it is decoded, behind as many.
#[derive(Debug)]
struct Value {
    padding: usize,
    encoding: Act,
    decoding: Act,
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Acts(Act, Act);
        impl Serialize for Acts {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.perform().map_err(ser::Error::custom)?;
                self.1.serialize(serializer)
            }
        }
        ("x".repeat(self.padding), Acts(self.encoding, self.decoding)).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        let (padding, act) = <(String, Act)>::deserialize(deserializer)?;
        act.perform().map_err(de::Error::custom)?;
        Ok(Value { padding: padding.len(), encoding: Nothing, decoding: Nothing })
    }
}

fn take(_: Value) {}

fn give((padding, encoding, decoding): (usize, Act, Act)) -> Value {
    Value { padding, encoding, decoding }
}

fn perform(act: Act) {
    act.perform().unwrap();
}

/// More than travels through the ring: such a value fails in the midst of shared memory.
const LARGE: usize = 200_000;

/// How a task comes to be submitted, and who brings its outcome.
#[derive(Clone, Copy)]
enum Way {
    /// The thread that waits.
    Plain,
    /// The thread beside the worker.
    Watched,
    /// It is submitted by a callback of another one.
    InCallback,
}

/// The error of a call in a pool of one worker, for small values and large ones, in each way. Others
/// before and behind it go on.
#[track_caller]
pub(crate) fn errors_of<R: Send + Sync + std::fmt::Debug + 'static>(
    ledger: &Ledger,
    submit: impl Fn(&ProcessPoolHandle, usize) -> Future<R> + Copy + Send + 'static,
    check: impl Fn(&TaskError),
    keeps_worker: bool,
) {
    for padding in [0, LARGE] {
        for way in [Way::Plain, Way::Watched, Way::InCallback] {
            let executor = pool(1);
            let worker = process_of(&executor);
            let before = ledger.watch(executor.submit(perform, Nothing));
            let future = match way {
                Way::Plain => submit(&executor, padding),
                Way::Watched => ledger.watch(submit(&executor, padding)),
                Way::InCallback => {
                    let (sent, received) = mpsc::channel();
                    let handle = executor.handle();
                    executor.submit(perform, Nothing).add_done_callback(move |_| {
                        sent.send(submit(&handle, padding)).unwrap();
                    });
                    received.recv().unwrap()
                }
            };
            let behind = ledger.watch_all((0..3).map(|_| executor.submit(perform, Nothing)));
            check(&future.result().unwrap_err());
            before.result().unwrap();
            behind.into_iter().for_each(|it| it.result().unwrap());
            assert_eq!(process_of(&executor) == worker, keeps_worker);
            goes_on_and_ends(executor);
        }
    }
}

#[track_caller]
fn is_not_transferred(error: &TaskError, expected: TransferStage) {
    let TaskErrorKind::NotTransferred(transfer) = error.kind() else { panic!("{error}") };
    assert_eq!((transfer.stage(), transfer.cause()), (expected, "out of paper"));
}

#[track_caller]
fn is_panic(error: &TaskError) {
    let TaskErrorKind::Panicked(panic) = error.kind() else { panic!("{error}") };
    assert_eq!(panic.message(), "out of paper");
}

/// Lost, by an exit or an abort.
#[track_caller]
fn is_lost(error: &TaskError, act: Act) {
    let death = error.worker_death().unwrap_or_else(|| panic!("{error}"));
    match act {
        Exit => assert_eq!(death.cause(), &DeathCause::Exited { code: 7 }),
        _ => assert!(
            matches!(death.cause(), DeathCause::Signalled { name: Some("SIGABRT"), .. }),
            "{death}"
        ),
    }
}

fn value(padding: usize, encoding: Act, decoding: Act) -> Value {
    Value { padding, encoding, decoding }
}

#[test]
fn s001_an_argument_that_cannot_be_encoded_reaches_no_worker() {
    scenario(|ledger| {
        let executor = pool(1);
        let future = executor.submit(take, value(LARGE, Fail, Nothing));
        assert!(future.done() && executor.workers().is_empty());
        is_not_transferred(&future.result().unwrap_err(), TransferStage::EncodeArgument);
        ends(executor);
        let submit = |pool: &ProcessPoolHandle, n| pool.submit(take, value(n, Fail, Nothing));
        let check = |it: &_| is_not_transferred(it, TransferStage::EncodeArgument);
        errors_of(ledger, submit, check, true);
    });
}

#[test]
fn s002_an_argument_that_panics_while_it_is_encoded_spares_its_submitter() {
    scenario(|ledger| {
        let submit = |pool: &ProcessPoolHandle, n| pool.submit(take, value(n, Panic, Nothing));
        errors_of(ledger, submit, is_panic, true);
    });
}

#[test]
fn s003_an_argument_that_aborts_while_it_is_encoded_ends_the_program_and_leaves_no_worker() {
    let program = || {
        let executor = pool(2);
        let gate = FarGate::new();
        let busy = executor.submit(|latch: FarLatch| latch.pass(), gate.latch());
        gate.await_arrivals(1);
        let handle = executor.handle();
        let helper = std::thread::spawn(move || handle.submit(take, value(LARGE, Abort, Nothing)));
        drop((helper.join(), busy));
        unreachable!("the program has been aborted");
    };
    scenario_with_program(program, |_, mut program| {
        assert_eq!(program.status().unwrap().signal(), Some(libc::SIGABRT));
    });
}

#[test]
fn s004_an_argument_that_cannot_be_decoded_fails_with_the_words_of_its_type() {
    scenario(|ledger| {
        let submit = |pool: &ProcessPoolHandle, n| pool.submit(take, value(n, Nothing, Fail));
        let check = |it: &_| is_not_transferred(it, TransferStage::DecodeArgument);
        errors_of(ledger, submit, check, true);
    });
}

#[test]
fn s005_an_argument_that_panics_while_it_is_decoded_fails_with_its_message() {
    scenario(|ledger| {
        let submit = |pool: &ProcessPoolHandle, n| pool.submit(take, value(n, Nothing, Panic));
        errors_of(ledger, submit, is_panic, true);
    });
}

#[test]
fn s006_an_argument_that_ends_the_process_while_it_is_decoded_is_lost() {
    scenario(|ledger| {
        let submit = |pool: &ProcessPoolHandle, n| pool.submit(take, value(n, Nothing, Exit));
        errors_of(ledger, submit, |it| is_lost(it, Exit), false);
        let submit = |pool: &ProcessPoolHandle, n| pool.submit(take, value(n, Nothing, Abort));
        errors_of(ledger, submit, |it| is_lost(it, Abort), false);
    });
}

#[test]
fn s007_a_result_that_cannot_be_encoded_fails_and_its_worker_stays() {
    scenario(|ledger| {
        let submit = |pool: &ProcessPoolHandle, n| pool.submit(give, (n, Fail, Nothing));
        let check = |it: &_| is_not_transferred(it, TransferStage::EncodeResult);
        errors_of(ledger, submit, check, true);
        let submit = |pool: &ProcessPoolHandle, n| pool.submit(give, (n, Panic, Nothing));
        errors_of(ledger, submit, is_panic, true);
    });
}

#[test]
fn s008_a_result_that_ends_the_process_while_it_is_encoded_is_lost_alone() {
    scenario(|ledger| {
        let submit = |pool: &ProcessPoolHandle, n| pool.submit(give, (n, Exit, Nothing));
        errors_of(ledger, submit, |it| is_lost(it, Exit), false);
        let submit = |pool: &ProcessPoolHandle, n| pool.submit(give, (n, Abort, Nothing));
        errors_of(ledger, submit, |it| is_lost(it, Abort), false);
    });
}

#[test]
fn s009_a_result_that_cannot_be_decoded_fails_alone() {
    scenario(|ledger| {
        let submit = |pool: &ProcessPoolHandle, n| pool.submit(give, (n, Nothing, Fail));
        let check = |it: &_| is_not_transferred(it, TransferStage::DecodeResult);
        errors_of(ledger, submit, check, true);
    });
}

#[test]
fn s010_a_result_that_panics_while_it_is_decoded_costs_no_thread_of_the_pool() {
    scenario(|ledger| {
        let submit = |pool: &ProcessPoolHandle, n| pool.submit(give, (n, Nothing, Panic));
        errors_of(ledger, submit, is_panic, true);
    });
}

#[test]
fn s011_an_error_that_cannot_travel_fails_with_the_words_of_its_type() {
    scenario(|ledger| {
        let check = |it: &_| is_not_transferred(it, TransferStage::EncodeResult);
        let submit = |pool: &ProcessPoolHandle, n| pool.submit(errs, (n, Fail, Nothing));
        errors_of(ledger, submit, check, true);
        let submit =
            |pool: &ProcessPoolHandle, n| pool.retrying(2).try_call(errs, (n, Fail, Nothing));
        errors_of(ledger, submit, check, true);
        let check = |it: &_| is_not_transferred(it, TransferStage::DecodeResult);
        let submit = |pool: &ProcessPoolHandle, n| pool.submit(errs, (n, Nothing, Fail));
        errors_of(ledger, submit, check, true);
    });
}

#[derive(Debug, Serialize, Deserialize)]
struct Failure(Value);

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a failure that does not travel")
    }
}

impl std::error::Error for Failure {}

fn errs(acts: (usize, Act, Act)) -> Result<(), Failure> {
    Err(Failure(give(acts)))
}

/// Is written as one type and read as another, as if two versions of a program met.
struct Skewed<R>(Vec<u8>, std::marker::PhantomData<fn() -> R>);

impl<R> Serialize for Skewed<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use ser::SerializeTuple;
        let mut bytes = serializer.serialize_tuple(self.0.len())?;
        self.0.iter().try_for_each(|byte| bytes.serialize_element(byte))?;
        bytes.end()
    }
}

impl<'de, R: Deserialize<'de>> Deserialize<'de> for Skewed<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        R::deserialize(deserializer).map(|_| Skewed(Vec::new(), std::marker::PhantomData))
    }
}

fn skewed<R>(bytes: Vec<u8>) -> Skewed<R> {
    Skewed(bytes, std::marker::PhantomData)
}

#[test]
fn s012_a_result_that_is_read_as_another_type_fails_and_is_no_other_value() {
    fn fails<R: for<'de> Deserialize<'de> + Send + Sync + 'static>(
        executor: &ProcessPoolExecutor,
        bytes: &[u8],
    ) {
        for bytes in [bytes.to_vec(), [bytes, &[9; LARGE]].concat()] {
            let error = executor.submit(skewed::<R>, bytes).exception().expect("it fails");
            let TaskErrorKind::NotTransferred(transfer) = error.kind() else { panic!("{error}") };
            assert_eq!(transfer.stage(), TransferStage::DecodeResult);
        }
    }
    scenario(|_| {
        let executor = pool(1);
        let worker = process_of(&executor);
        fails::<bool>(&executor, &[7]);
        fails::<char>(&executor, &[4, 0xff, 0xff, 0xff, 0xff]);
        fails::<String>(&executor, &[2, 0xff, 0xfe]);
        // Lengths that are far beyond what is there.
        fails::<String>(&executor, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
        fails::<Vec<u64>>(&executor, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]);
        fails::<Vec<()>>(&executor, &[3, 3]);
        fails::<Option<u8>>(&executor, &[2, 2]);
        fails::<Result<u8, u8>>(&executor, &[5, 5]);
        fails::<Act>(&executor, &[200, 1]);
        // Fewer bytes than are read, and more.
        fails::<(u32, String)>(&executor, &[1]);
        fails::<u8>(&executor, &[1, 2]);
        fails::<u64>(&executor, &[0xff; 11]);
        assert_eq!(process_of(&executor), worker);
        goes_on_and_ends(executor);
    });
}

/// Aborts when it is dropped, where it is armed.
#[derive(Debug, Serialize, Deserialize)]
struct Bomb {
    is_armed: bool,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.is_armed && concurrent_futures::worker_index().is_some() {
            std::process::abort();
        }
    }
}

#[test]
fn s013_a_destructor_that_aborts_costs_the_call_that_it_belongs_to_and_no_other() {
    fn passes(bomb: Bomb) -> Bomb {
        bomb
    }
    scenario(|ledger| {
        const ARMED: fn() -> Bomb = || Bomb { is_armed: true };
        let takes = |pool: &ProcessPoolHandle, _| pool.submit(drop::<Bomb>, ARMED());
        errors_of(ledger, takes, |it| is_lost(it, Abort), false);
        // A result dies within its call too, when it has been encoded.
        let gives = |pool: &ProcessPoolHandle, _| pool.submit(passes, ARMED());
        errors_of(ledger, gives, |it| is_lost(it, Abort), false);
    });
}

#[test]
fn s013_a_destructor_that_aborts_when_its_worker_leaves_costs_nothing() {
    scenario(|ledger| {
        let builder = ProcessPoolExecutor::builder().max_workers(1).max_tasks_per_child(1);
        let executor = builder.initializer(|()| Bomb { is_armed: true }, ()).build().unwrap();
        let futures = ledger.watch_all(executor.submit_all(|n: u32| n, 0..5));
        assert!((0..).zip(futures).all(|(n, it)| it.result().unwrap() == n));
        goes_on_and_ends(executor);
    });
}

#[test]
fn s014_failing_and_good_tasks_alternate_through_a_full_queue() {
    scenario(|ledger| {
        let builder = ProcessPoolExecutor::builder().max_workers(2);
        let executor = builder.queue_capacity(4, WhenFull::Block).build().unwrap();
        // Every way to fail that leaves the worker alive, and now and then one that does not.
        let acts = |n: usize| match n % 8 {
            1 => value(0, Fail, Nothing),
            3 => value(LARGE, Nothing, Fail),
            5 => value(0, Nothing, Panic),
            7 => value(0, Nothing, if n % 32 == 7 { Abort } else { Fail }),
            _ => value(n, Nothing, Nothing),
        };
        let submit = |n| ledger.watch(executor.submit(|it: Value| it.padding, acts(n)));
        let futures: Vec<_> = (0..200).map(submit).collect();
        for (n, future) in futures.into_iter().enumerate() {
            assert_eq!(future.result().ok(), (n % 2 == 0).then_some(n));
        }
        goes_on_and_ends(executor);
    });
}

/// The pool of the value below.
static POOL: Mutex<Option<ProcessPoolHandle>> = Mutex::new(None);

/// Has a task done by the pool when it is encoded or decoded in the program that has the pool.
struct Submits;

impl Submits {
    fn submit() {
        let pool = POOL.lock().unwrap().clone();
        if let Some(pool) = pool {
            assert_eq!(pool.submit(|n: u32| n + 1, 1).result().unwrap(), 2);
        }
    }
}

impl Serialize for Submits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Submits::submit();
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Submits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Submits::submit();
        <()>::deserialize(deserializer).map(|()| Submits)
    }
}

#[test]
fn s015_a_value_that_submits_to_the_pool_while_it_travels_and_waits_for_that_is_no_deadlock() {
    scenario(|ledger| {
        for is_bounded in [false, true] {
            let builder = ProcessPoolExecutor::builder().max_workers(1);
            let builder =
                if is_bounded { builder.queue_capacity(1, WhenFull::Block) } else { builder };
            let executor = builder.build().unwrap();
            *POOL.lock().unwrap() = Some(executor.handle());
            for _ in 0..20 {
                // Both ways; brought by the thread that waits, or by the pool's own.
                executor.submit(|it: Submits| it, Submits).result().unwrap();
                ledger.watch(executor.submit(|it: Submits| it, Submits)).result().unwrap();
            }
            let (sent, received) = mpsc::channel();
            let handle = executor.handle();
            executor.submit(perform, Nothing).add_done_callback(move |_| {
                sent.send(handle.submit(|it: Submits| it, Submits)).unwrap();
            });
            received.recv().unwrap().result().unwrap();
            *POOL.lock().unwrap() = None;
            goes_on_and_ends(executor);
        }
    });
}

#[test]
fn s016_a_value_that_is_encoded_until_all_idle_workers_have_left_is_run_by_a_new_one() {
    struct OutlastsWorkers;
    impl Serialize for OutlastsWorkers {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let pool = POOL.lock().unwrap().clone().unwrap();
            eventually(|| pool.stats().workers == 0);
            serializer.serialize_unit()
        }
    }
    impl<'de> Deserialize<'de> for OutlastsWorkers {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            <()>::deserialize(deserializer).map(|()| OutlastsWorkers)
        }
    }
    scenario(|ledger| {
        let builder = ProcessPoolExecutor::builder().max_workers(2);
        let executor = builder.keep_alive(Duration::from_millis(1)).build().unwrap();
        let first = process_of(&executor);
        *POOL.lock().unwrap() = Some(executor.handle());
        let process = |_: OutlastsWorkers| std::process::id();
        let future = ledger.watch(executor.submit(process, OutlastsWorkers));
        assert_ne!(future.result().unwrap(), first);
        *POOL.lock().unwrap() = None;
        goes_on_and_ends(executor);
    });
}
