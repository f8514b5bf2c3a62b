//! Which lane a thread has in a timeline.

use super::lane::Lane;
use super::{Shared, Timeline};
use crate::sync::thread::const_thread_local;
use crate::sync::{Arc, Weak};
use std::cell::RefCell;

const_thread_local! {
    /// The lanes of this thread, one for each timeline that it has to do with.
    static LANES: RefCell<Vec<Kept>> = RefCell::new(Vec::new())
}

/// A lane of this thread. It does not keep the timeline: the thread may live longer than everybody who wants
/// to look at that.
struct Kept {
    timeline: Weak<Shared>,
    lane: Arc<Lane>,
    /// The thread is no worker, and leaves its lane to others when it ends.
    is_callers: bool,
}

impl Kept {
    fn is_of(&self, timeline: &Timeline) -> bool {
        self.timeline.as_ptr() == Arc::as_ptr(&timeline.shared)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(shared) = self.timeline.upgrade().filter(|_| self.is_callers) {
            shared.leave(&self.lane);
        }
    }
}

/// What makes a thread a worker's, in the eyes of a timeline.
#[derive(Debug)]
pub(crate) struct Place {
    timeline: Timeline,
    lane: Arc<Lane>,
}

impl Place {
    pub(super) fn take(timeline: &Timeline, lane: Arc<Lane>) -> Place {
        Place::keep(timeline, Arc::clone(&lane), false);
        Place { timeline: timeline.clone(), lane }
    }

    /// From now on this is the thread's lane.
    pub(super) fn keep(timeline: &Timeline, lane: Arc<Lane>, is_callers: bool) {
        let kept = Kept { timeline: Arc::downgrade(&timeline.shared), lane, is_callers };
        let _ = LANES.try_with(|lanes| {
            let mut lanes = lanes.borrow_mut();
            lanes.retain(|it| it.timeline.strong_count() > 0);
            lanes.push(kept);
        });
    }

    pub(super) fn here(timeline: &Timeline) -> Option<Arc<Lane>> {
        let find = |lanes: &RefCell<Vec<Kept>>| {
            let lanes = lanes.borrow();
            lanes.iter().find(|it| it.is_of(timeline)).map(|it| Arc::clone(&it.lane))
        };
        LANES.try_with(find).ok().flatten()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let forgotten = LANES.try_with(|lanes| {
            let mut lanes = lanes.borrow_mut();
            let at = lanes.iter().position(|it| it.is_of(&self.timeline));
            at.map(|at| lanes.remove(at))
        });
        drop(forgotten);
        self.timeline.leave(&self.lane);
    }
}
