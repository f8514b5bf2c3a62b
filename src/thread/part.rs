//! What passes between the maker of a shared fork and whoever runs it; see [`fork`](super::fork).

use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex, Parker};
use crate::task::TaskRef;

// What becomes of a part's word.
const NOTHING: usize = 0;
const ASKED: usize = 1;
const GIVEN: usize = 2;

// How a part has ended.
const RAN: usize = 1;
const OVER: usize = 2;

/// What maker and runner of a shared fork have in common.
pub(super) struct Part {
    word: AtomicUsize,
    gift: Mutex<Option<TaskRef>>,
    end: AtomicUsize,
    /// The maker's.
    parker: Arc<Parker>,
}

impl Part {
    pub(super) fn new(parker: &Arc<Parker>) -> Self {
        Part {
            word: AtomicUsize::new(NOTHING),
            gift: Mutex::new(None),
            end: AtomicUsize::new(0),
            parker: Arc::clone(parker),
        }
    }

    #[inline]
    pub(super) fn is_asked(&self) -> bool {
        // ORDERING: relaxed; a hint, and answering it publishes nothing of the maker's.
        self.word.load(Ordering::Relaxed) == ASKED
    }

    pub(super) fn is_given(&self) -> bool {
        // ORDERING: acquire pairs with the release in `give`: the gift is there.
        self.word.load(Ordering::Acquire) == GIVEN
    }

    pub(super) fn ask(&self) {
        // ORDERING: relaxed, as in `is_asked`.
        self.word.store(ASKED, Ordering::Relaxed);
    }

    pub(super) fn decline(&self) {
        // ORDERING: relaxed, as in `is_asked`.
        self.word.store(NOTHING, Ordering::Relaxed);
    }

    pub(super) fn give(&self, part: TaskRef) {
        let before = self.gift.lock().replace(part);
        drop(before);
        // ORDERING: release pairs with the acquire in `is_given`.
        self.word.store(GIVEN, Ordering::Release);
        self.parker.unpark();
    }

    pub(super) fn take_gift(&self) -> Option<TaskRef> {
        self.gift.lock().take()
    }

    /// The fork has been run, by the thread that holds [`Ended`].
    pub(super) fn note_run(&self) {
        // ORDERING: relaxed; `Ended` publishes it.
        self.end.store(RAN, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        // ORDERING: acquire pairs with the release in `Ended::drop`: all that the part did, and its
        // result, is there when its maker goes on.
        self.end.load(Ordering::Acquire) & OVER != 0
    }

    /// Whether the fork has been run. Only when it is over.
    pub(super) fn has_run(&self) -> bool {
        // ORDERING: acquire, as in `is_over`.
        self.end.load(Ordering::Acquire) & RAN != 0
    }
}

/// Held by a part for as long as anything of it may touch the fork.
pub(super) struct Ended(pub(super) Arc<Part>);

impl Drop for Ended {
    fn drop(&mut self) {
        // ORDERING: relaxed; `RAN` was set on this thread, if it was.
        let end = self.0.end.load(Ordering::Relaxed);
        // ORDERING: release pairs with the acquire in `is_over` and `has_run`.
        self.0.end.store(end | OVER, Ordering::Release);
        self.0.parker.unpark();
    }
}
