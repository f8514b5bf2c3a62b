//! What parent and worker say to each other.

use super::frame::{HEADER, Kind, Violation, header};
use super::payload::Where;
use super::slots::Ticket;
use crate::error::{TaskError, TaskErrorKind, TransferStage};
use serde::{Deserialize, Serialize};

/// Changes with every change of these messages.
pub(super) const PROTOCOL: u32 = 2;

/// A place in the executable's code, as its distance from where the executable begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Offset(pub(super) u64);

/// A function that a worker can call, and the one that knows its types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Code {
    pub(super) entry: Offset,
    pub(super) function: Offset,
}

/// What a worker is to be.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Configure {
    pub(super) index: usize,
    pub(super) parent: u32,
    /// The longest result that may come back; a frame is longer by what stands before it.
    pub(super) most: usize,
    /// How many pools stand above the worker, and how many may.
    pub(super) depth: usize,
    pub(super) max_depth: usize,
    /// Its share of the processors.
    pub(super) processors: usize,
    pub(super) niceness: Option<i32>,
    pub(super) affinity: Option<Vec<usize>>,
    pub(super) address_space: Option<u64>,
    /// It is to be replaced when it has more resident memory than this.
    pub(super) memory: Option<u64>,
    pub(super) initializer: Option<(Code, Vec<u8>)>,
    pub(super) finalizer: Option<Code>,
}

/// Who a worker is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) protocol: u32,
    pub(super) identity: Vec<u8>,
}

/// Whether the worker can take calls.
pub(super) type Ready = Result<(), NotReady>;

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum NotReady {
    /// What the parent asked for cannot be had.
    Unable(String),
    InitializerFailed(String),
    InitializerPanicked(Panic),
}

/// Texts of the user's are cut beyond so many bytes…
const MOST_TEXT: usize = 256 << 10;
/// … so that what stands before a result is no longer than this.
pub(super) const MOST_HEAD: usize = 1 << 20;

/// A text that is sent outside of the bounds on arguments and results.
pub(super) fn cut(mut text: String) -> String {
    if text.len() > MOST_TEXT {
        let whole = (0..=MOST_TEXT).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(whole.unwrap_or_default());
        text.push('…');
    }
    text
}

/// A panic, without its payload.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Panic {
    pub(super) message: String,
    pub(super) location: Option<String>,
    pub(super) backtrace: Option<String>,
}

impl Panic {
    pub(super) fn of(error: &TaskError) -> Panic {
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
pub(super) struct CallHead<'a> {
    pub(super) ticket: Ticket,
    pub(super) code: Code,
    /// What the call is made within, and what was captured for it.
    #[serde(borrow)]
    pub(super) context: Option<(Code, &'a [u8])>,
    /// The parent wants to know when it begins.
    pub(super) is_announced: bool,
    pub(super) attempt: u32,
    pub(super) label: Option<&'a str>,
    pub(super) argument: Where,
}

/// What stands before the result of a call.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DoneHead {
    pub(super) ticket: Ticket,
    pub(super) nanoseconds: u64,
    /// The worker has more memory than it may keep.
    pub(super) is_too_large: bool,
    /// The call is to be tried again, if it has retries.
    pub(super) has_failed: bool,
    pub(super) outcome: Outcome,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Outcome {
    /// The result is there.
    Value(Where),
    Panicked(Panic),
    /// It heeded a request to stop.
    Cancelled,
    NotTransferred(Stage, String),
}

/// Where a call failed that came to a worker.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum Stage {
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

/// Puts a message behind what is in `into`, as a frame whose body goes on with `rest` bytes.
pub(super) fn put_message(into: &mut Vec<u8>, kind: Kind, message: &impl Serialize, rest: usize) {
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
pub(super) fn read_message<'a, T: Deserialize<'a>>(
    body: &'a [u8],
) -> Result<(T, &'a [u8]), Violation> {
    postcard::take_from_bytes(body)
        .map_err(|_| Violation::Nonsense("a message that cannot be decoded"))
}
