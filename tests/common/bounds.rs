//! Waits that only a hang can exceed.

use std::panic::resume_unwind;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Longer than anything that is not a hang.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// Runs `test` on a thread of its own, and fails if it is not over within [`BOUND`].
#[track_caller]
pub(crate) fn within<R: Send + 'static>(test: impl FnOnce() -> R + Send + 'static) -> R {
    let (over, is_over) = mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let _over = over;
        test()
    });
    if is_over.recv_timeout(BOUND) == Err(RecvTimeoutError::Timeout) {
        panic!("this hangs: it was not over within {BOUND:?}");
    }
    thread.join().unwrap_or_else(|payload| resume_unwind(payload))
}

/// Looks again and again until `condition` holds, and fails if it does not within [`BOUND`].
#[track_caller]
pub(crate) fn eventually(mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < BOUND, "this never became true");
        std::thread::yield_now();
    }
}

/// Lets other threads get on, so that a mistake of theirs has a chance to show. No test depends on
/// how far they get.
pub(crate) fn let_others_get_on() {
    (0..20).for_each(|_| std::thread::yield_now());
}
