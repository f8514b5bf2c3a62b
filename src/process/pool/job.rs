//! A task as the parent keeps it: its call in bytes, and where its outcome goes.

use crate::error::{BrokenCause, TaskError, TaskErrorKind, TransferError, TransferStage};
use crate::process::page::Page;
use crate::process::payload::{Arrived, Payload};
use crate::process::shared::References;
use crate::process::wire::message::{Code, Outcome};
use crate::process::wire::value;
use crate::sync::{Alarm, Arc};
use crate::task::{self, Producer, TaskRef, Watch};
use crate::timeline::{Entry, Lane};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// A call that can be sent, any number of times.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) code: Code,
    pub(crate) argument: Payload,
    pub(crate) context: Option<(Code, Arc<[u8]>)>,
    /// What argument and context refer to, which has to stay until the task is over.
    pub(crate) references: References,
}

/// A task, with what becomes of its outcome.
pub(crate) type Job = Box<JobOf<dyn Sink>>;

pub(crate) struct JobOf<S: ?Sized> {
    pub(crate) call: Call,
    /// It counts in the bound of the queue.
    pub(crate) has_room: bool,
    /// The parent knows that it has begun.
    pub(crate) has_begun: bool,
    pub(crate) alarms: Vec<Alarm>,
    sink: S,
}

impl JobOf<dyn Sink> {
    pub(crate) fn boxed<R, D>(call: Call, producer: Producer<R>, decode: D) -> Job
    where
        R: Send + 'static,
        D: FnOnce(&Arrived<'_>) -> Result<R, TransferError> + Send + 'static,
    {
        let sink = Typed { producer, decode: Some(decode) };
        Box::new(JobOf { call, has_room: false, has_begun: false, alarms: Vec::new(), sink })
    }

    pub(crate) fn task(&self) -> &TaskRef {
        self.sink.task()
    }

    /// Who watches it.
    pub(crate) fn watch(&self) -> Option<&Watch> {
        self.task().extras()?.watch.as_ref()
    }

    /// What is recorded of it, if anything is.
    pub(crate) fn entry(&self) -> Option<&Entry> {
        self.watch()?.entry.as_ref()
    }

    /// It has been sent to the worker with this index of that pool.
    pub(crate) fn sent_to(&self, lane: Option<&Arc<Lane>>, pool: &Arc<str>, index: usize, id: u32) {
        let Some(Watch { entry, span }) = self.watch() else { return };
        if let (Some(entry), Some(lane)) = (entry, lane) {
            entry.sent_to(lane);
        }
        if let Some(span) = span {
            span.is_sent_to(pool, index, id);
        }
    }

    /// How long it may run.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.task().settings()?.timeout
    }

    /// Whether its worker has to say when it begins.
    pub(crate) fn is_limited(&self) -> bool {
        self.timeout().is_some() || !self.alarms.is_empty()
    }

    /// How long it may wait until it begins.
    pub(crate) fn begin_within(&self) -> Option<Duration> {
        self.task().settings()?.begin_within
    }

    /// The task is running from now on, and cannot be cancelled any more; false if it is over.
    pub(crate) fn begin(&mut self) -> bool {
        std::mem::replace(&mut self.has_begun, true) || self.sink.begin()
    }

    /// Ends the task with what came back from the worker. Runs code of the user's.
    pub(crate) fn conclude(&mut self, outcome: Outcome, result: &Arrived<'_>) {
        let error = |kind| Err(self.task().error(kind));
        let outcome = match outcome {
            Outcome::Value(_) => Ok(result),
            Outcome::Panicked(panic) => error(TaskErrorKind::Panicked((*panic).into())),
            Outcome::Cancelled => error(TaskErrorKind::Cancelled),
            Outcome::NotTransferred(stage, cause) => {
                error(TaskErrorKind::NotTransferred(TransferError::new(stage.into(), cause)))
            }
        };
        self.sink.conclude(outcome);
    }

    /// Ends the task with an error. Runs code of the user's.
    pub(crate) fn fail(&mut self, kind: TaskErrorKind) {
        let error = self.task().error(kind);
        self.sink.conclude(Err(error));
    }
}

/// What stands behind a worker's word that a call is done.
pub(crate) enum Reply {
    /// The body of its frame, in which the result begins there.
    Body(Vec<u8>, usize),
    Lent(Lent),
}

/// An outcome in memory of its worker, who may write there again when this is dropped.
pub(crate) struct Lent {
    pub(crate) arrived: Arrived<'static>,
    pub(crate) number: u32,
    pub(crate) page: Arc<Page>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.page.loans().give_back(self.number);
    }
}

/// A job that is over, and whose future is still to be told.
pub(crate) struct Finished {
    pub(crate) job: Job,
    pub(crate) how: How,
}

pub(crate) enum How {
    Returned(Outcome, Reply),
    Failed(TaskErrorKind),
}

impl Finished {
    /// Ends the future. Runs code of the user's.
    pub(crate) fn conclude(mut self) {
        match self.how {
            How::Returned(outcome, Reply::Body(body, begin)) => {
                self.job.conclude(outcome, &Arrived::Here(&body[begin..]));
            }
            How::Returned(outcome, Reply::Lent(lent)) => {
                self.job.conclude(outcome, &lent.arrived);
            }
            How::Failed(kind) => self.job.fail(kind),
        }
    }
}

/// Where an outcome goes.
pub(crate) trait Sink: Send {
    fn task(&self) -> &TaskRef;
    /// False if that cannot be.
    fn begin(&mut self) -> bool;
    /// At most once.
    fn conclude(&mut self, outcome: Result<&Arrived<'_>, TaskError>);
}

struct Typed<R, D> {
    producer: Producer<R>,
    decode: Option<D>,
}

impl<R, D> Sink for Typed<R, D>
where
    R: Send + 'static,
    D: FnOnce(&Arrived<'_>) -> Result<R, TransferError> + Send + 'static,
{
    fn task(&self) -> &TaskRef {
        self.producer.task()
    }

    fn begin(&mut self) -> bool {
        // If it has ended otherwise, its outcome will come too late.
        self.producer.begin().is_ok()
    }

    fn conclude(&mut self, outcome: Result<&Arrived<'_>, TaskError>) {
        let Some(decode) = self.decode.take() else { return };
        let outcome = outcome.and_then(|arrived| {
            // Decoding is the user's code, and may panic.
            let decoded = task::catch(|| decode(arrived)).map_err(TaskErrorKind::Panicked);
            let decoded = decoded.and_then(|it| it.map_err(TaskErrorKind::NotTransferred));
            decoded.map_err(|kind| self.producer.task().error(kind))
        });
        // If it has ended otherwise (timed out, say), this comes too late.
        let _ = self.producer.conclude(outcome);
    }
}

impl<R, D> Drop for Typed<R, D> {
    /// A task that has not been concluded, and is dropped because its thread panics, says so.
    fn drop(&mut self) {
        if self.decode.is_some() && std::thread::panicking() {
            let cause = BrokenCause::of_panicking_thread();
            let error = self.producer.task().error(TaskErrorKind::Broken(cause));
            let _ = self.producer.conclude(Err(error));
        }
    }
}

/// Decodes the result of a plain call.
pub(crate) fn decode_result<R: DeserializeOwned>(
    arrived: &Arrived<'_>,
) -> Result<R, TransferError> {
    value::receive(arrived).map_err(|error| TransferError::new(TransferStage::DecodeResult, error))
}
