//! A task as the parent keeps it: its call in bytes, and where its outcome goes.

use super::code;
use super::message::{Code, Outcome, Panic};
use super::payload::Payload;
use super::shared::Kept;
use crate::error::{TaskError, TaskErrorKind, TaskPanic, TransferError, TransferStage};
use crate::sync::Arc;
use crate::task::{self, Producer, TaskRef};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// A call that can be sent, any number of times.
#[derive(Clone)]
pub(super) struct Call {
    pub(super) code: Code,
    pub(super) argument: Payload,
    pub(super) context: Option<(Code, Arc<[u8]>)>,
    /// What argument and context refer to, which has to stay until the task is over.
    pub(super) kept: Kept,
}

pub(super) struct Job {
    pub(super) call: Call,
    pub(super) timeout: Option<Duration>,
    sink: Box<dyn Sink>,
}

impl Job {
    pub(super) fn new<R, D>(
        call: Call,
        timeout: Option<Duration>,
        producer: Producer<R>,
        decode: D,
    ) -> Self
    where
        R: Send + 'static,
        D: FnOnce(&[u8]) -> Result<R, TransferError> + Send + 'static,
    {
        Job { call, timeout, sink: Box::new(Typed { producer, decode }) }
    }

    pub(super) fn task(&self) -> &TaskRef {
        self.sink.task()
    }

    /// The task is running from now on.
    pub(super) fn begin(&mut self) {
        self.sink.begin();
    }

    /// Ends the task with what came back from the worker. Runs code of the user's.
    pub(super) fn conclude(self, outcome: Outcome, result: &[u8]) {
        let error = |kind| Err(self.task().error(kind));
        let outcome = match outcome {
            Outcome::Value(_) => Ok(result),
            Outcome::Panicked(panic) => error(TaskErrorKind::Panicked(panic.into())),
            Outcome::Cancelled => error(TaskErrorKind::Cancelled),
            Outcome::NotTransferred(stage, cause) => {
                error(TaskErrorKind::NotTransferred(TransferError::new(stage.into(), cause)))
            }
        };
        self.sink.conclude(outcome);
    }

    /// Ends the task with an error. Runs code of the user's.
    pub(super) fn fail(self, kind: TaskErrorKind) {
        let error = self.task().error(kind);
        self.sink.conclude(Err(error));
    }
}

impl From<Panic> for TaskPanic {
    fn from(panic: Panic) -> Self {
        TaskPanic::remote(panic.message, panic.location, panic.backtrace)
    }
}

/// Where an outcome goes.
trait Sink: Send {
    fn task(&self) -> &TaskRef;
    fn begin(&mut self);
    fn conclude(self: Box<Self>, outcome: Result<&[u8], TaskError>);
}

struct Typed<R, D> {
    producer: Producer<R>,
    decode: D,
}

impl<R, D> Sink for Typed<R, D>
where
    R: Send + 'static,
    D: FnOnce(&[u8]) -> Result<R, TransferError> + Send + 'static,
{
    fn task(&self) -> &TaskRef {
        self.producer.task()
    }

    fn begin(&mut self) {
        // If it has ended otherwise, its outcome will come too late.
        let _ = self.producer.begin();
    }

    fn conclude(self: Box<Self>, outcome: Result<&[u8], TaskError>) {
        let Typed { mut producer, decode } = *self;
        let outcome = outcome.and_then(|bytes| {
            // Decoding is the user's code, and may panic.
            let decoded = task::catch(|| decode(bytes)).map_err(TaskErrorKind::Panicked);
            let decoded = decoded.and_then(|it| it.map_err(TaskErrorKind::NotTransferred));
            decoded.map_err(|kind| producer.task().error(kind))
        });
        // If it has ended otherwise (timed out, say), this comes too late.
        let _ = producer.conclude(outcome);
    }
}

/// Decodes the result of a plain call.
pub(super) fn decode_result<R: DeserializeOwned>(bytes: &[u8]) -> Result<R, TransferError> {
    code::decode(bytes).map_err(|error| TransferError::new(TransferStage::DecodeResult, error))
}
