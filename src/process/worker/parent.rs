//! What a worker has of its parent: what that says, and its end.

use super::leave;
use crate::process::page::Page;
use crate::process::wire::frame::{FrameReader, Kind, header};
use crate::sync::Arc;
use crate::sys::{self, Link, OwnDescriptors, child, fault, short};
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

/// Reads what has come from the parent. Whether there was anything.
pub(super) fn receive(link: &Link, page: &Page, reader: &mut FrameReader) -> io::Result<bool> {
    let space = reader.space();
    let most = short!(InboxTaken, space.len());
    let taken = page.inbox().take(&mut space[..most]);
    let (count, wants_room) =
        taken.map_err(|_| io::Error::other("its memory has been overwritten"))?;
    reader.filled(count);
    if count > 0 {
        fault!(InboxTaken);
    }
    if wants_room {
        link.send_all(&header(Kind::Look, 0))?;
    }
    Ok(count > 0)
}

/// Waits for the parent, for so long a time; may also return for no reason.
pub(super) fn sleep(link: &Link, page: &Page, limit: Option<Duration>) -> io::Result<()> {
    check(link)?;
    page.inbox().sleep(limit);
    Ok(())
}

/// Whether the link to the parent is still there. A task may have closed it; then the parent takes this
/// process for dead, and it must not go on.
pub(super) fn check(link: &Link) -> io::Result<()> {
    match link.try_receive(&mut [0]) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(_) => Err(io::Error::other("the parent says nothing this way")),
    }
}

pub(super) fn or_end<T>(outcome: io::Result<T>) -> T {
    match outcome {
        Ok(outcome) => outcome,
        // So are the task's own children, in a moment.
        Err(error) if is_parent_gone(&error) => child::kill_own_group(),
        Err(error) => leave(&format!("it cannot go on with its parent: {error}")),
    }
}

fn is_parent_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

/// Ends this process, and all that its tasks have started, when the parent is gone. That depends on the descriptors
/// that are returned, and, once they are there, on no others.
pub(super) fn watch(link: &Arc<Link>, parent: u32) -> io::Result<Arc<OwnDescriptors>> {
    let descriptor = child::descriptor_of(parent).ok();
    if child::parent_id() != parent {
        return Err(io::Error::other("the parent is gone"));
    }
    let link = Arc::clone(link);
    let watched = Arc::new(OwnDescriptors::new());
    let descriptors = Arc::clone(&watched);
    let watch = move || {
        /// Also if the wait panics: nothing else would end this process with its parent.
        struct End;
        impl Drop for End {
            fn drop(&mut self) {
                child::kill_own_group();
            }
        }
        let _end = End;
        let descriptor = descriptor.as_ref().map(AsFd::as_fd);
        let kept: Vec<_> = [link.as_fd()].into_iter().chain(descriptor).collect();
        descriptors.keep_only(&kept);
        if !sys::link::wait_for_parent_end(Some(&link), descriptor) {
            // They are not this thread's own, and a task has closed them. Its outcome may still come to the
            // parent.
            sys::link::wait_for_end_of(parent);
        }
    };
    child::without_signals(|| {
        crate::sync::thread::spawn("parent-watch".to_owned(), Some(64 << 10), watch)
    })?;
    Ok(watched)
}
