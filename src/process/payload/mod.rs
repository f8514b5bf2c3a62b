//! How large values travel: through memory that both sides have mapped, instead of through inbox
//! (arguments), ring and socket (outcomes), where each byte is copied and buffered several times.
//!
//! Whoever sends a value encodes it right into that memory, and the other side decodes it right from
//! there. Memory that is fresh costs more than all copying, so it is kept, by whoever writes to it,
//! for one value after the other (see [`Store`]); and the other side keeps it mapped (see [`Opened`]).
//!
//! - An *argument* lies in memory of the parent's, which is used again when the task is over: then no
//!   worker reads it any more.
//! - An *outcome* lies in memory of its worker's, one of two pieces, which is used again when the
//!   parent has decoded what lay in it (see [`loans`](super::page::loans)). What the parent has mapped
//!   outlives the worker, so it may go on to the next call at once. Only if the memory is new, or has
//!   grown, does it first wait until the parent has opened it, so that a death costs no outcome.
//!
//! Nothing depends on it: where memory cannot be had, the bytes go the way of short ones.

mod reader;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub(super) use reader::{Failure, Reader, Source, Window};
pub(super) use store::{KEEP, Parcel, Store};
use writer::LARGE;
pub(super) use writer::{Bytes, Writer};

use crate::sync::{Arc, Mutex};
use crate::sys::{Mapping, MemoryFile};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io;

/// An argument on its way to a worker.
#[derive(Debug, Clone)]
pub(super) enum Payload {
    /// Is copied into its frame.
    Short(Bytes),
    Long(Arc<Bytes>),
    Kept(Arc<Parcel>),
}

/// Where another process finds the bytes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum Where {
    /// Behind the message.
    Here,
    /// In memory that the sender keeps.
    Kept(Place),
}

/// Some bytes in memory that the sender keeps.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Place {
    /// Which memory, of all that this sender ever had.
    pub(super) number: u32,
    /// Under which number the sender has it open.
    descriptor: i32,
    len: usize,
    /// The memory is new, or has grown, and its sender waits until it has been opened.
    pub(super) is_awaited: bool,
}

impl Payload {
    pub(super) fn place(&self) -> Where {
        match self {
            Payload::Short(_) | Payload::Long(_) => Where::Here,
            Payload::Kept(parcel) => Where::Kept(parcel.place(false)),
        }
    }
}

impl From<Writer> for Payload {
    fn from(writer: Writer) -> Payload {
        match writer.finish() {
            Ok(bytes) if bytes.len() <= LARGE => Payload::Short(bytes),
            Ok(bytes) => Payload::Long(Arc::new(bytes)),
            Err(parcel) => Payload::Kept(Arc::new(parcel)),
        }
    }
}

impl Parcel {
    /// Where its receiver finds it, who is waited for or not.
    pub(super) fn place(&self, is_awaited: bool) -> Place {
        let (number, len) = (self.number(), self.len());
        Place { number, descriptor: self.descriptor(), len, is_awaited }
    }
}

/// How much of the other side's memory is kept mapped. A mapping of memory that its owner has given back
/// takes none.
const MOST_MAPPED: usize = 16;

/// The memory of another process that this one has mapped, the latest at the end.
#[derive(Debug)]
pub(super) struct Opened {
    process: u32,
    mappings: Mutex<VecDeque<(u32, Arc<Mapping>)>>,
}

impl Opened {
    pub(super) fn new(process: u32) -> Opened {
        Opened { process, mappings: Mutex::default() }
    }

    /// What lies in that place of the other process, which is opened there if need be.
    pub(super) fn at(&self, place: Place) -> io::Result<Arrived<'static>> {
        let mut mappings = self.mappings.lock();
        let found = mappings.iter().position(|it| it.0 == place.number);
        let mapping = match found.and_then(|at| mappings.remove(at)) {
            Some((_, mapping)) if place.len <= mapping.len() && !place.is_awaited => mapping,
            _ => {
                let file = MemoryFile::of_process(self.process, place.descriptor)?;
                Arc::new(file.map_for_reading()?)
            }
        };
        if place.len > mapping.len() {
            return Err(io::Error::other("a value that is longer than its memory"));
        }
        mappings.push_back((place.number, Arc::clone(&mapping)));
        if mappings.len() > MOST_MAPPED {
            mappings.pop_front();
        }
        Ok(Arrived::Kept(mapping, place.len))
    }

    /// How much is mapped.
    pub(super) fn mapped(&self) -> usize {
        self.mappings.lock().iter().map(|(_, it)| it.len()).sum()
    }
}

/// Bytes that have arrived.
#[derive(Debug)]
pub(super) enum Arrived<'a> {
    Here(&'a [u8]),
    /// The first so many bytes, which their sender might change if it has lost its mind.
    Kept(Arc<Mapping>, usize),
}
