//! The reader's side: what it reads is the file, and then what is left in the pipe.

use super::{Ends, STREAMS, kept, read_file, retry, waiting_in};
use crate::error::Captured;
use crate::sys::descriptors::not_standard;
use crate::sys::limits::longest_file;
use crate::sys::memory::nameless;
use rustix::pipe::PipeFlags;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// Keeps what a process writes.
#[derive(Debug)]
pub(crate) struct Transcript {
    streams: [(OwnedFd, OwnedFd); STREAMS],
    most: usize,
}

impl Transcript {
    /// Keeps so many bytes of each stream.
    pub(crate) fn new(most: usize) -> io::Result<Transcript> {
        // One byte more is kept, to say that there was more; and files may have a limit.
        let most = longest_file().saturating_sub(1).min(most as u64) as usize;
        let stream = |name| {
            // The process opens the other end by way of this one.
            let (pipe, _) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
            Ok::<_, io::Error>((not_standard(pipe)?, nameless(name)?))
        };
        Ok(Transcript { streams: [stream("output")?, stream("errors")?], most })
    }

    pub(crate) fn most(&self) -> usize {
        self.most
    }

    pub(crate) fn ends(&self) -> [Ends; STREAMS] {
        self.streams.each_ref().map(|(pipe, file)| (pipe.as_raw_fd(), file.as_raw_fd()))
    }

    /// What has come into the files by now.
    pub(crate) fn so_far(&self) -> [Captured; STREAMS] {
        self.streams.each_ref().map(|(_, file)| kept(read_file(file, self.most + 1), self.most))
    }

    /// What a process has recorded that keeps it as it is until it has been read; `are_cut` says of which stream
    /// there was more.
    pub(crate) fn recorded(&self, are_cut: [bool; STREAMS]) -> [Captured; STREAMS] {
        let mut streams = self.so_far();
        for (stream, is_cut) in streams.iter_mut().zip(are_cut) {
            stream.is_cut |= is_cut;
        }
        streams
    }

    /// All that a process has left that has ended.
    pub(crate) fn rest(&self) -> [Captured; STREAMS] {
        self.streams.each_ref().map(|(pipe, file)| {
            let mut bytes = read_file(file, self.most + 1);
            let mut end = bytes.len();
            // Somebody may still have the other end; what they write from now on is not waited for.
            bytes.resize(end + waiting_in(pipe).unwrap_or(0).min(self.most + 1 - end), 0);
            while end < bytes.len()
                && let Ok(count @ 1..) = retry(|| rustix::io::read(pipe, &mut bytes[end..]))
            {
                end += count;
            }
            bytes.truncate(end);
            kept(bytes, self.most)
        })
    }
}
