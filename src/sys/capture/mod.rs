//! What a process writes to its standard output and standard error, kept up to a limit where another
//! process finds it, whatever becomes of the writer.
//!
//! ```text
//!   writers                the process itself: Recorder               who wants to know: Transcript
//!   1 and 2 ----> pipe --- moved by the system, up to the limit ---> file of memory
//!                      \-- what is beyond the limit is thrown away
//! ```
//!
//! Whoever writes has an ordinary pipe, which the [`Recorder`]'s thread sees to be emptied. So no writer
//! waits for long or gets an error, and there is never more memory in use than limit and pipe have, however
//! much is written, and by whom.
//!
//! # Nothing is lost by a death
//!
//! Bytes go from the pipe to the file by one call of the system's (`splice`), which a kill does not cut in
//! two. So each byte is in the file, or in the pipe behind those in the file, at any moment, and never only in
//! the memory of the process. The [`Transcript`] has both open: when the process has ended, it reads one
//! after the other.
//!
//! # A task that closes descriptors
//!
//! The recorder's thread has descriptors of its own, and goes on: or the task could not go on writing. To the
//! thread that has run the task, the numbers may now mean other files, which are not to be written to or cut.
//! So it looks whose they are before it moves anything; if they are others', there is no output.
//!
//! # Who reads the files
//!
//! The process itself, if there is little in them, and sends it with what else it has to say. What is longer than
//! [`LITTLE`] it leaves to the [`Transcript`]'s owner: the process may have no memory for it (its address space
//! may be limited, and then it would be ended by what a task has printed), and need not send what the other side
//! has open. It waits until it is told that the files have been read, and nothing comes into them meanwhile, since
//! [`Recorded`] keeps the recorder's thread from moving anything.

mod flush;
mod recorder;
mod transcript;

pub(crate) use recorder::{Recorded, Recorder, end_recording};
pub(crate) use transcript::Transcript;

use crate::error::Captured;
use std::os::fd::OwnedFd;

/// Standard output and standard error.
pub(crate) const STREAMS: usize = 2;

/// Up to so many bytes of all streams together are read by the process itself. About what a pipe holds.
const LITTLE: usize = 64 << 10;

/// Under which numbers its reader has a stream open: the pipe, and the file.
pub(crate) type Ends = (i32, i32);

/// How much the pipe holds; none if it has been closed.
fn waiting_in(pipe: &OwnedFd) -> Option<usize> {
    retry(|| rustix::io::ioctl_fionread(pipe)).ok()?.try_into().ok()
}

/// The one byte more says that there was more.
fn kept(mut bytes: Vec<u8>, most: usize) -> Captured {
    let is_cut = bytes.len() > most;
    bytes.truncate(most);
    Captured { bytes, is_cut }
}

/// What the file holds, as far as it can be had.
fn read_file(file: &OwnedFd, most: usize) -> Vec<u8> {
    let len = rustix::fs::fstat(file).map_or(0, |it| it.st_size);
    let mut bytes = vec![0; usize::try_from(len).map_or(most, |len| len.min(most))];
    let mut end = 0;
    while end < bytes.len()
        && let Ok(count @ 1..) = retry(|| rustix::io::pread(file, &mut bytes[end..], end as u64))
    {
        end += count;
    }
    bytes.truncate(end);
    bytes
}

fn retry<T>(call: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    rustix::io::retry_on_intr(call)
}
