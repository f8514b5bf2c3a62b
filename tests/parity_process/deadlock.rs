//! Calls that go wrong at every point of their way: each ends with an error, and nothing hangs.

use crate::common::{FarGate, FarLatch, Latch, eventually, within};
use crate::{pool, raise};
use concurrent_futures::{
    DeathCause, Future, ProcessPoolExecutor, TaskError, TaskErrorKind, TransferStage,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

/// What happens when a value is encoded, or decoded.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Act {
    Nothing,
    Fail,
    Panic,
    Exit,
    Crash,
}

impl Act {
    fn perform(self) -> Result<(), &'static str> {
        match self {
            Act::Nothing => Ok(()),
            Act::Fail => Err("out of paper"),
            Act::Panic => panic!("out of paper"),
            Act::Exit => std::process::exit(1),
            Act::Crash => std::process::abort(),
        }
    }
}

#[derive(Debug)]
struct Value {
    encoding: Act,
    decoding: Act,
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, target: S) -> Result<S::Ok, S::Error> {
        self.encoding.perform().map_err(ser::Error::custom)?;
        self.decoding.serialize(target)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Value, D::Error> {
        Act::deserialize(source)?.perform().map_err(de::Error::custom)?;
        Ok(Value { encoding: Act::Nothing, decoding: Act::Nothing })
    }
}

fn take(_: Value) {}

fn make((encoding, decoding): (Act, Act)) -> Value {
    Value { encoding, decoding }
}

fn perform(act: Act) {
    act.perform().unwrap();
}

fn perform_later((latch, act): (FarLatch, Act)) -> Value {
    latch.pass();
    Value { encoding: act, decoding: Act::Nothing }
}

/// The error of a call, beside which others go on.
#[track_caller]
fn error_of<R: std::fmt::Debug + Send + 'static>(
    submit: impl FnOnce(&ProcessPoolExecutor) -> Future<R> + Send + 'static,
) -> TaskError {
    within(|| {
        let executor = pool(2);
        let before = executor.submit(perform, Act::Nothing);
        let error = submit(&executor).result().unwrap_err();
        before.result().unwrap();
        executor.submit(perform, Act::Nothing).result().unwrap();
        error
    })
}

#[track_caller]
fn assert_stage(error: &TaskError, expected: TransferStage) {
    let TaskErrorKind::NotTransferred(transfer) = error.kind() else { panic!("{error}") };
    assert_eq!((transfer.stage(), transfer.cause()), (expected, "out of paper"));
}

#[track_caller]
fn assert_exited(error: &TaskError) {
    let death = error.worker_death().expect("its worker died");
    assert_eq!(death.cause(), &DeathCause::Exited { code: 1 });
}

#[track_caller]
fn assert_crashed(error: &TaskError) {
    let death = error.worker_death().expect("its worker died");
    let expected = Some("SIGABRT");
    assert!(
        matches!(death.cause(), DeathCause::Signalled { name, .. } if *name == expected),
        "{death}"
    );
}

/// DL01: an argument that cannot be encoded is an error of the future.
#[test]
fn test_error_at_task_pickle() {
    let value = Value { encoding: Act::Fail, decoding: Act::Nothing };
    assert_stage(&error_of(|it| it.submit(take, value)), TransferStage::EncodeArgument);
}

/// DL02, adapted: a worker that exits while it decodes is lost, with that task only.
#[test]
fn test_exit_at_task_unpickle() {
    let value = Value { encoding: Act::Nothing, decoding: Act::Exit };
    assert_exited(&error_of(|it| it.submit(take, value)));
}

/// DL03, adapted: an argument that cannot be decoded fails its own task only.
#[test]
fn test_error_at_task_unpickle() {
    let value = Value { encoding: Act::Nothing, decoding: Act::Fail };
    assert_stage(&error_of(|it| it.submit(take, value)), TransferStage::DecodeArgument);
}

/// DL04: a worker that crashes while it decodes is an error of the future.
#[test]
fn test_crash_at_task_unpickle() {
    let value = Value { encoding: Act::Nothing, decoding: Act::Crash };
    assert_crashed(&error_of(|it| it.submit(take, value)));
}

/// DL05: so is one that crashes in the task.
#[test]
fn test_crash_during_func_exec_on_worker() {
    assert_crashed(&error_of(|it| it.submit(perform, Act::Crash)));
}

/// DL06, adapted: one that exits in the task is lost, with that task only.
#[test]
fn test_exit_during_func_exec_on_worker() {
    assert_exited(&error_of(|it| it.submit(perform, Act::Exit)));
}

/// DL07: a panic of the task is an error of the future.
#[test]
fn test_error_during_func_exec_on_worker() {
    assert!(error_of(|it| it.submit(raise, "wanted".to_owned())).is_panic());
}

/// DL08: a worker that crashes while it encodes the result is an error of the future.
#[test]
fn test_crash_during_result_pickle_on_worker() {
    assert_crashed(&error_of(|it| it.submit(make, (Act::Crash, Act::Nothing))));
}

/// DL09, adapted: one that exits then is lost, with that task only.
#[test]
fn test_exit_during_result_pickle_on_worker() {
    assert_exited(&error_of(|it| it.submit(make, (Act::Exit, Act::Nothing))));
}

/// DL10: a result that cannot be encoded is an error of the future.
#[test]
fn test_error_during_result_pickle_on_worker() {
    let error = error_of(|it| it.submit(make, (Act::Fail, Act::Nothing)));
    assert_stage(&error, TransferStage::EncodeResult);
}

/// DL11, adapted: a result that cannot be decoded here fails its own task only.
#[test]
fn test_error_during_result_unpickle_in_result_handler() {
    let error = error_of(|it| it.submit(make, (Act::Nothing, Act::Fail)));
    assert_stage(&error, TransferStage::DecodeResult);
}

/// DL12, adapted: so does one that panics while it is decoded here.
#[test]
fn test_exit_during_result_unpickle_in_result_handler() {
    assert!(error_of(|it| it.submit(make, (Act::Nothing, Act::Panic))).is_panic());
}

/// What comes of a task that does this after a shutdown has begun; and the pool ends.
fn error_after_shutdown(act: Act) -> TaskError {
    within(move || {
        let (executor, gate) = (pool(2), FarGate::new());
        let future = executor.submit(perform_later, (gate.latch(), act));
        gate.await_arrivals(1);
        executor.shutdown(false, false);
        gate.open();
        let error = future.result().unwrap_err();
        eventually(|| executor.stats().workers == 0);
        error
    })
}

/// DL13: a worker that crashes after the shutdown has begun is an error, and nothing hangs.
#[test]
fn test_shutdown_deadlock() {
    assert_crashed(&error_after_shutdown(Act::Crash));
}

/// DL14: so is a result that cannot be encoded.
#[test]
fn test_shutdown_deadlock_pickle() {
    assert_stage(&error_after_shutdown(Act::Fail), TransferStage::EncodeResult);
}

/// DL15: a worker crashes while large arguments fill its pipe.
#[test]
fn test_crash_big_data() {
    fn crash_or_count((crashes, bytes): (bool, Vec<u8>)) -> usize {
        if crashes {
            std::process::abort();
        }
        bytes.len()
    }
    within(|| {
        const LEN: usize = 1 << 20;
        let executor = pool(1);
        let submit = |crashes| executor.submit(crash_or_count, (crashes, vec![7; LEN]));
        let crashing = submit(true);
        let others: Vec<_> = (0..10).map(|_| submit(false)).collect();
        assert_crashed(&crashing.result().unwrap_err());
        assert!(others.into_iter().all(|future| future.result().unwrap() == LEN));
    });
}

/// DL16, adapted: a hundred tasks are submitted while a callback holds a thread of the pool up.
#[test]
fn test_gh105829_should_not_deadlock_if_wakeup_pipe_full() {
    within(|| {
        let (executor, gate) = (pool(2), FarGate::new());
        let first = executor.submit(perform_later, (gate.latch(), Act::Nothing));
        gate.await_arrivals(1);
        let (is_held, held_up) = (Latch::new(), Latch::new());
        let (holding, until) = (is_held.clone(), held_up.clone());
        first.add_done_callback(move |_| {
            holding.open();
            until.pass();
        });
        gate.open();
        is_held.pass();
        let futures = executor.submit_all(perform, vec![Act::Nothing; 100]);
        held_up.open();
        assert!(futures.into_iter().all(|future| future.result().is_ok()));
    });
}
