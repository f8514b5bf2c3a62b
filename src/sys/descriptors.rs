//! Descriptors that others do not get in the way of, and that are not in the way of others.

use crate::sync::{Condvar, Mutex};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// The same file under a number that is nobody's standard input, output or error. Where one of those has been
/// closed, the next file gets its number, and from then on all that is printed.
pub(super) fn not_standard(file: OwnedFd) -> rustix::io::Result<OwnedFd> {
    if file.as_raw_fd() > 2 { Ok(file) } else { rustix::io::fcntl_dupfd_cloexec(file, 3) }
}

/// Descriptors of a thread's own: whatever other threads close or open, its numbers mean the same files. Where the
/// system cannot do that (Linux before 5.9), they stay those of the process.
#[derive(Debug)]
pub(crate) struct OwnDescriptors {
    are_there: Mutex<bool>,
    changed: Condvar,
}

impl OwnDescriptors {
    pub(crate) fn new() -> Self {
        OwnDescriptors { are_there: Mutex::new(false), changed: Condvar::new() }
    }

    /// The calling thread has these from now on, and no others.
    pub(crate) fn keep_only(&self, kept: &[BorrowedFd<'_>]) {
        keep_only(kept);
        *self.are_there.lock() = true;
        self.changed.notify_all();
    }

    /// Blocks until the thread has them. Before that, nothing may run that closes what is not its own.
    pub(crate) fn wait(&self) {
        let mut are_there = self.are_there.lock();
        while !*are_there {
            are_there = self.changed.wait_until(are_there, None).0;
        }
    }
}

fn keep_only(kept: &[BorrowedFd<'_>]) {
    let close = |first: u32, last: Option<u32>| {
        if let Some(last) = last.filter(|last| first <= *last) {
            let flags = libc::CLOSE_RANGE_UNSHARE;
            // SAFETY: it takes plain numbers, and closes nothing of any other thread's. This one uses only what
            // is kept.
            unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
        }
    };
    let mut kept: Vec<_> = kept.iter().map(|it| it.as_raw_fd().cast_unsigned()).collect();
    kept.sort_unstable();
    let mut next = 0;
    for number in kept {
        close(next, number.checked_sub(1));
        next = number + 1;
    }
    close(next, Some(u32::MAX));
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;
    use crate::sync::Arc;
    use crate::sys::tests::alone;
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::sync::mpsc::channel;
    use std::thread;

    #[test]
    fn a_thread_with_descriptors_of_its_own_notices_nothing_of_what_others_close() {
        let name = "sys::descriptors::tests::a_thread_with_descriptors_of_its_own_notices_nothing_of_what_others_close";
        alone(name, || {
            let (mut own, writer) = std::io::pipe().unwrap();
            let number = own.as_raw_fd();
            let descriptors = Arc::new(OwnDescriptors::new());
            let has_own = Arc::clone(&descriptors);
            let (go_on, is_closed) = channel();
            let thread = thread::spawn(move || {
                descriptors.keep_only(&[own.as_fd()]);
                is_closed.recv().unwrap();
                let mut read = [0; 4];
                own.read_exact(&mut read).unwrap();
                read
            });
            has_own.wait();
            rustix::io::write(&writer, b"text").unwrap();
            // SAFETY: it takes plain numbers. The thread's file is its own by now, and nobody else uses this.
            assert_eq!(unsafe { libc::close(number) }, 0);
            let other = std::fs::File::open("/dev/null").unwrap();
            assert_eq!(other.as_raw_fd(), number);
            go_on.send(()).unwrap();
            assert_eq!(thread.join().unwrap(), *b"text");
        });
    }
}
