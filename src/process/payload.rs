//! How large values travel: as a file of memory that the other side maps, instead of through the
//! socket, where each byte is copied twice by the system and buffered twice by us.
//!
//! The sender writes the bytes into a new anonymous file, seals it, and tells its number; the other
//! side opens it through `/proc`, and decodes right from the mapping. The sender keeps the file until
//! then: the parent keeps an argument as long as its task may be sent again; a worker keeps an
//! outcome, and begins no other call, until the parent says that it has opened it, so that a death
//! still costs no outcome.
//!
//! Nothing depends on it: where a file cannot be had, the bytes go through the socket.

use crate::sync::Arc;
use crate::sync::global::{AtomicUsize, Ordering};
use crate::sys::{MemoryFile, SealedMapping};
use serde::{Deserialize, Serialize};
use std::io;

/// From this length on a file is faster.
pub(super) const LARGE: usize = 1 << 20;

/// How many such files this process may have open, so that descriptors are left for others.
const MOST_FILES: usize = 128;

static FILES: AtomicUsize = AtomicUsize::new(0);

/// Bytes for another process.
#[derive(Clone)]
pub(super) enum Payload {
    Bytes(Arc<Vec<u8>>),
    File(Arc<LargeFile>),
}

/// Where another process finds the bytes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) enum Where {
    /// Behind the message.
    Here,
    /// In a file that the sender has open under this number, with this length.
    File(i32, usize),
}

impl Payload {
    pub(super) fn new(bytes: Vec<u8>) -> Payload {
        if bytes.len() >= LARGE
            && let Some(file) = LargeFile::new(&bytes)
        {
            return Payload::File(Arc::new(file));
        }
        Payload::Bytes(Arc::new(bytes))
    }

    pub(super) fn place(&self) -> Where {
        match self {
            Payload::Bytes(_) => Where::Here,
            Payload::File(file) => file.place(),
        }
    }
}

/// A sealed file of memory.
pub(super) struct LargeFile {
    file: MemoryFile,
    len: usize,
}

impl LargeFile {
    /// None if there are too many already, or the system refuses one.
    pub(super) fn new(bytes: &[u8]) -> Option<LargeFile> {
        // ORDERING: relaxed; a count that guards nothing.
        if FILES.fetch_add(1, Ordering::Relaxed) >= MOST_FILES {
            FILES.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let written = MemoryFile::create("payload", bytes.len()).and_then(|file| {
            file.write_all_at(bytes, 0)?;
            file.seal()?;
            Ok(file)
        });
        match written {
            Ok(file) => Some(LargeFile { file, len: bytes.len() }),
            Err(_) => {
                // ORDERING: relaxed; as above.
                FILES.fetch_sub(1, Ordering::Relaxed);
                None
            }
        }
    }

    pub(super) fn place(&self) -> Where {
        Where::File(self.file.number(), self.len)
    }
}

impl Drop for LargeFile {
    fn drop(&mut self) {
        // ORDERING: relaxed; a count that guards nothing.
        FILES.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Bytes that have arrived.
pub(super) enum Arrived<'a> {
    Here(&'a [u8]),
    Mapped(SealedMapping),
}

impl<'a> Arrived<'a> {
    /// What `process` has sent, with what stands behind its message.
    pub(super) fn from(process: u32, place: Where, behind: &'a [u8]) -> io::Result<Arrived<'a>> {
        match place {
            Where::Here => Ok(Arrived::Here(behind)),
            Where::File(number, len) => {
                let file = MemoryFile::of_process(process, number)?;
                if file.len() != len {
                    return Err(io::Error::other("a payload of another length than announced"));
                }
                file.map_sealed().map(Arrived::Mapped)
            }
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Arrived::Here(bytes) => bytes,
            Arrived::Mapped(mapping) => mapping.bytes(),
        }
    }
}
