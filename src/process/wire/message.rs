//! What parent and worker say to each other.

use super::frame::{HEADER, Kind, Violation, header};
use crate::error::{Captured, TaskError, TaskErrorKind, TaskPanic, TaskUsage, TransferStage};
use crate::process::page::slots::Ticket;
use crate::process::payload::Where;
use crate::sys::capture::{Ends, STREAMS};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How a call came back from its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Return {
    Succeeded,
    Failed,
}

/// Changes with every change of these messages.
pub(crate) const PROTOCOL: u32 = 4;

/// A place in the executable's code, as its distance from where the executable begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Offset(pub(crate) u64);

/// A function that a worker can call, and the one that knows its types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Code {
    pub(crate) entry: Offset,
    pub(crate) function: Offset,
}

/// What a worker is to be.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Configure {
    pub(crate) index: usize,
    pub(crate) parent: u32,
    /// The longest result that may come back; a frame is longer by what stands before it.
    pub(crate) most: usize,
    /// How many pools stand above the worker, and how many may.
    pub(crate) depth: usize,
    pub(crate) max_depth: usize,
    /// Its share of the processors.
    pub(crate) processors: usize,
    pub(crate) niceness: Option<i32>,
    pub(crate) affinity: Option<Vec<usize>>,
    pub(crate) address_space: Option<u64>,
    /// It is to be replaced when it has more resident memory than this.
    pub(crate) memory: Option<u64>,
    pub(crate) initializer: Option<(Code, Vec<u8>)>,
    pub(crate) finalizer: Option<Code>,
    pub(crate) capture: Option<Capture>,
    /// It is to say what each call needs.
    pub(crate) measures: bool,
}

/// Where a worker's output is to go.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Capture {
    /// The parent's descriptors.
    pub(crate) ends: [Ends; STREAMS],
    /// So much of each stream is kept of each call.
    pub(crate) most: usize,
}

/// Who a worker is.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) protocol: u32,
    pub(crate) identity: Vec<u8>,
}

/// Whether the worker can take calls.
pub(crate) type Ready = Result<(), NotReady>;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum NotReady {
    /// What the parent asked for cannot be had.
    Unable(String),
    InitializerFailed(String),
    InitializerPanicked(Panic),
}

/// Texts of the user's are cut beyond so many bytes…
const MOST_TEXT: usize = 256 << 10;
/// … so that what stands before a result is no longer than this.
pub(crate) const MOST_HEAD: usize = 1 << 20;

/// A text that is sent outside of the bounds on arguments and results.
pub(crate) fn cut(mut text: String) -> String {
    if text.len() > MOST_TEXT {
        let whole = (0..=MOST_TEXT).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(whole.unwrap_or_default());
        text.push('…');
    }
    text
}

/// A panic, without its payload.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Panic {
    pub(crate) message: String,
    pub(crate) location: Option<String>,
    pub(crate) backtrace: Option<String>,
}

impl Panic {
    pub(crate) fn of(error: &TaskError) -> Panic {
        match error.kind() {
            TaskErrorKind::Panicked(panic) => Panic {
                message: cut(panic.message().to_owned()),
                location: panic.location().map(str::to_owned),
                backtrace: panic.backtrace().map(|it| cut(it.to_owned())),
            },
            _ => Panic { message: cut(error.to_string()), location: None, backtrace: None },
        }
    }
}

/// What stands before the argument of a call.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CallHead<'a> {
    pub(crate) ticket: Ticket,
    pub(crate) code: Code,
    /// What the call is made within, and what was captured for it.
    #[serde(borrow)]
    pub(crate) context: Option<(Code, &'a [u8])>,
    /// The parent wants to know when it begins.
    pub(crate) is_announced: bool,
    pub(crate) attempt: u32,
    pub(crate) label: Option<&'a str>,
    pub(crate) argument: Where,
}

/// What stands before the result of a call.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DoneHead {
    pub(crate) ticket: Ticket,
    /// When it began, by the shared clock, and how long it took.
    pub(crate) begun: u64,
    pub(crate) nanoseconds: u64,
    /// The worker should be replaced: it has more memory than it may keep, or cannot record any more what is written.
    pub(crate) is_worn: bool,
    /// The call is to be tried again, if it has retries.
    pub(crate) has_failed: bool,
    /// If the parent has asked for one.
    pub(crate) report: Option<Box<Report>>,
    pub(crate) outcome: Outcome,
}

/// What else is told of a call.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) output: Option<Output>,
    pub(crate) usage: Option<Usage>,
}

/// What a call has written.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Output {
    Here([Captured; STREAMS]),
    /// In the files that the parent has open, which stay as they are until it has said that it has read them. Of
    /// which stream there was more.
    InFiles([bool; STREAMS]),
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Usage {
    pub(crate) nanoseconds: u64,
    pub(crate) peak_memory: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// The result is there.
    Value(Where),
    Panicked(Box<Panic>),
    /// It heeded a request to stop.
    Cancelled,
    NotTransferred(Stage, String),
}

/// Where a call failed that came to a worker.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Stage {
    DecodeArgument,
    EncodeResult,
    DecodeResult,
}

impl From<Stage> for TransferStage {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::DecodeArgument => TransferStage::DecodeArgument,
            Stage::EncodeResult => TransferStage::EncodeResult,
            Stage::DecodeResult => TransferStage::DecodeResult,
        }
    }
}

impl From<Usage> for TaskUsage {
    fn from(usage: Usage) -> Self {
        TaskUsage {
            cpu_time: Duration::from_nanos(usage.nanoseconds),
            peak_memory: usage.peak_memory,
        }
    }
}

impl From<Panic> for TaskPanic {
    fn from(panic: Panic) -> Self {
        TaskPanic::remote(panic.message, panic.location, panic.backtrace)
    }
}

/// Puts a message behind what is in `into`, as a frame whose body goes on with `rest` bytes.
pub(crate) fn put_message(into: &mut Vec<u8>, kind: Kind, message: &impl Serialize, rest: usize) {
    let begin = into.len();
    into.extend_from_slice(&header(kind, 0));
    match postcard::to_extend(message, std::mem::take(into)) {
        Ok(bytes) => *into = bytes,
        Err(error) => unreachable!("a message of plain data can be encoded: {error}"),
    }
    let body = begin + HEADER;
    let length = into.len() - body + rest;
    into[begin..body].copy_from_slice(&header(kind, length));
}

/// The message at the beginning of a body, and what follows it.
pub(crate) fn read_message<'a, T: Deserialize<'a>>(
    body: &'a [u8],
) -> Result<(T, &'a [u8]), Violation> {
    postcard::take_from_bytes(body)
        .map_err(|_| Violation::Nonsense("a message that cannot be decoded"))
}
