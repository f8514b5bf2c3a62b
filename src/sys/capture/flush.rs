//! What a process has printed and kept to itself, in the buffers of Rust and of C.

use crate::sync::global::OnceLock;
use crate::sync::{Arc, Condvar, Mutex, deadline_after, thread};
use crate::sys::child;
use std::io::{self, Write};
use std::time::Duration;

unsafe extern "C" {
    /// The C library's standard output.
    #[link_name = "stdout"]
    static C_OUTPUT: *mut libc::FILE;
}

/// Sees that what has been printed is also written, from Rust and from C; unless a thread that the task has
/// left behind keeps standard output locked, as some do that write a log: then that is left to it.
pub(super) fn flush() {
    /// The main thread, those that watch the parent and empty the pipes, and the one of [`Flusher`].
    const OWN: usize = 4;
    /// As long as nobody else writes, nobody locks for longer.
    const LIMIT: Duration = Duration::from_millis(200);
    // Two names of a folder are not those of threads.
    let threads =
        rustix::fs::stat("/proc/self/task").map(|it| (it.st_nlink as usize).saturating_sub(2));
    let own = OWN - usize::from(FLUSHER.get().is_none());
    match threads.is_ok_and(|count| count <= own) {
        true => flush_here(),
        false => FLUSHER.get_or_init(Flusher::new).flush(LIMIT),
    }
}

/// A thread that may wait for others to unlock standard output, so that no outcome has to.
struct Flusher {
    /// How often it was asked, and how often that was done before.
    counts: Arc<(Mutex<(usize, usize)>, Condvar)>,
    has_thread: bool,
}

static FLUSHER: OnceLock<Flusher> = OnceLock::new();

impl Flusher {
    fn new() -> Flusher {
        let counts = Arc::new((Mutex::new((0, 0)), Condvar::new()));
        let shared = Arc::clone(&counts);
        let serve = move || {
            let (counts, changed) = &*shared;
            loop {
                let mut now = counts.lock();
                while now.0 == now.1 {
                    now = changed.wait_until(now, None).0;
                }
                let asked = now.0;
                drop(now);
                flush_here();
                counts.lock().1 = asked;
                changed.notify_all();
            }
        };
        let spawn = || thread::spawn("flush".to_owned(), Some(64 << 10), serve);
        Flusher { counts, has_thread: child::without_signals(spawn).is_ok() }
    }

    /// Waits for it, but for no longer, and not at all if it is still at an earlier one.
    fn flush(&self, limit: Duration) {
        if !self.has_thread {
            return flush_here();
        }
        let (counts, changed) = &*self.counts;
        let mut now = counts.lock();
        let is_busy = now.0 != now.1;
        now.0 += 1;
        let asked = now.0;
        changed.notify_all();
        let deadline = deadline_after(limit);
        let mut is_over = is_busy;
        while now.1 < asked && !is_over {
            (now, is_over) = changed.wait_until(now, deadline);
        }
    }
}

fn flush_here() {
    let _ = io::stdout().flush();
    // SAFETY: the C library has set it before anything of this program ran, and nobody changes it meanwhile
    // who may do so.
    let output = unsafe { C_OUTPUT };
    // SAFETY: it is the stream of the C library's, which has a lock.
    unsafe { libc::fflush(output) };
}

/// From now on C's standard output writes each line when it ends, as on a terminal, so that a crash does
/// not take it along.
pub(super) fn end_lines() {
    // SAFETY: as in `flush`.
    let output = unsafe { C_OUTPUT };
    // SAFETY: as in `flush`; the stream has its buffer from the C library.
    unsafe { libc::setvbuf(output, std::ptr::null_mut(), libc::_IOLBF, 0) };
}
