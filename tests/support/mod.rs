//! What several of the test files need: bounds on hangs, gates, tokens that count their drops, and
//! panics that print nothing.

#![allow(dead_code)] // Each test file uses its own part.

use std::any::Any;
use std::panic::{panic_any, resume_unwind, set_hook, take_hook};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, Once};
use std::time::{Duration, Instant};

/// Longer than anything here takes on the slowest machine; only a hang can reach it.
pub(crate) const HANG: Duration = Duration::from_secs(120);

/// Runs `code` on a thread of its own, and fails if it hangs.
pub(crate) fn bounded<R: Send + 'static>(code: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let result = code();
        let _ = sender.send(());
        result
    });
    if receiver.recv_timeout(HANG) == Err(RecvTimeoutError::Timeout) {
        panic!("nothing has happened for {HANG:?}");
    }
    thread.join().unwrap_or_else(|payload| resume_unwind(payload))
}

/// Looks again and again until `condition` holds, and gives way to other threads meanwhile.
pub(crate) fn until(mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < HANG, "the condition never came to hold");
        std::thread::yield_now();
    }
}

/// Something that happens once, and can be waited for before and after.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn new() -> Self {
        Gate::default()
    }

    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub(crate) fn is_open(&self) -> bool {
        *self.0.0.lock().unwrap()
    }

    pub(crate) fn wait(&self) {
        let (is_open, opened) = &*self.0;
        let guard = is_open.lock().unwrap();
        let (_open, timeout) = opened.wait_timeout_while(guard, HANG, |is_open| !*is_open).unwrap();
        assert!(!timeout.timed_out(), "the gate was never opened");
    }
}

/// Counts what was made of something, and what was dropped.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    made: AtomicUsize,
    dropped: AtomicUsize,
}

impl Tally {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }

    pub(crate) fn dropped(&self) -> usize {
        self.dropped.load(Ordering::SeqCst)
    }

    pub(crate) fn token(self: &Arc<Self>) -> Token {
        self.issue(false)
    }

    /// A token whose drop panics, after it has been counted.
    pub(crate) fn panicking_token(self: &Arc<Self>) -> Token {
        self.issue(true)
    }

    fn issue(self: &Arc<Self>, panics: bool) -> Token {
        self.made.fetch_add(1, Ordering::SeqCst);
        Token { tally: Arc::clone(self), panics }
    }
}

/// A value whose drop is counted.
#[derive(Debug)]
pub(crate) struct Token {
    tally: Arc<Tally>,
    panics: bool,
}

impl Drop for Token {
    fn drop(&mut self) {
        self.tally.dropped.fetch_add(1, Ordering::SeqCst);
        if self.panics {
            panic_quietly(());
        }
    }
}

/// The payload of a panic that a test wants.
pub(crate) struct Deliberate(pub(crate) Box<dyn Any + Send>);

/// Panics without a message; `carried` is dropped with the payload.
pub(crate) fn panic_quietly(carried: impl Send + 'static) -> ! {
    hush();
    panic_any(Deliberate(Box::new(carried)))
}

/// Lets the panic hook say nothing of deliberate panics. To be called before the first executor is
/// built, which wraps the hook that it finds.
pub(crate) fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = take_hook();
        set_hook(Box::new(move |panic| {
            if !panic.payload().is::<Deliberate>() {
                hook(panic);
            }
        }));
    });
}
