//! Something to wait at.

use super::BOUND;
use std::sync::{Arc, Condvar, Mutex};

/// Something that stays closed until it is opened, or its owner is gone.
#[derive(Default)]
pub(crate) struct Gate(Latch);

impl Gate {
    pub(crate) fn new() -> Self {
        Gate::default()
    }

    pub(crate) fn latch(&self) -> Latch {
        self.0.clone()
    }

    pub(crate) fn open(&self) {
        self.0.open();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.open();
    }
}

/// The side of a [`Gate`] that waits for it. By itself it is something that happens once, for good,
/// and that several may bring about.
#[derive(Clone, Default)]
pub(crate) struct Latch(Arc<(Mutex<bool>, Condvar)>);

impl Latch {
    pub(crate) fn new() -> Self {
        Latch::default()
    }

    pub(crate) fn open(&self) {
        let (is_open, opened) = &*self.0;
        *is_open.lock().unwrap() = true;
        opened.notify_all();
    }

    pub(crate) fn is_open(&self) -> bool {
        *self.0.0.lock().unwrap()
    }

    /// Blocks until it is open.
    #[track_caller]
    pub(crate) fn pass(&self) {
        let (is_open, opened) = &*self.0;
        let guard = is_open.lock().unwrap();
        let waited = opened.wait_timeout_while(guard, BOUND, |is_open| !*is_open);
        // Not under the lock, which this would poison.
        let timed_out = waited.unwrap().1.timed_out();
        assert!(!timed_out, "this was not opened within {BOUND:?}");
    }
}
