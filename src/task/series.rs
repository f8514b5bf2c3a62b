//! Things that are done one after the other, though one of them may have to wait for the next.
//!
//! Tasks that end together (cancelled by a shutdown, say) are ended in turn by one thread, which runs
//! their callbacks. When a callback is about to block in a wait of this crate, a stand-in takes over what
//! is still to be done, and the thread leaves it alone when it comes back: so at any time one thread
//! that is not blocked goes on with a series. Who began it waits for all stand-ins at its end.

use super::context::{Blocking, Host, host_owner, set_host, while_blocked};
use super::owner::OwnerId;
use super::panic::contain;
use crate::sync::thread::{self, JoinHandle, const_thread_local};
use crate::sync::{Arc, Mutex, trap};
use std::cell::RefCell;
use std::rc::Rc;

/// How many series a thread may be at, one within another: a callback of one may begin the next, and
/// the stack has an end.
const NESTING: usize = 64;

struct Series {
    /// Does the next thing; false if there is none.
    step: Box<dyn Fn() -> bool + Send + Sync>,
    stand_ins: Mutex<Vec<JoinHandle<()>>>,
}

const_thread_local! {
    /// What this thread goes on with, the innermost last.
    static AT: RefCell<Vec<Arc<Series>>> = RefCell::new(Vec::new())
}

const_thread_local! {
    /// Begun too deep within others; the outermost comes to it.
    static TOO_DEEP: RefCell<Vec<Arc<Series>>> = RefCell::new(Vec::new())
}

/// Does what `next` gives until it gives nothing more, also when one of these things blocks in a wait
/// of this crate. Returns when all is done, but for a series begun very deep within others, which comes
/// after them.
pub(crate) fn one_after_the_other<W: FnOnce()>(
    next: impl Fn() -> Option<W> + Send + Sync + 'static,
) {
    let step = move || match next() {
        Some(work) => {
            contain(work);
            true
        }
        None => false,
    };
    let series = Arc::new(Series { step: Box::new(step), stand_ins: Mutex::new(Vec::new()) });
    let depth = AT.try_with(|at| at.borrow().len()).unwrap_or_default();
    if depth >= NESTING && TOO_DEEP.try_with(|it| it.borrow_mut().push(Arc::clone(&series))).is_ok()
    {
        return;
    }
    series.complete();
    while depth == 0
        && let Some(series) = TOO_DEEP.try_with(|it| it.borrow_mut().pop()).ok().flatten()
    {
        series.complete();
    }
}

impl Series {
    fn complete(self: &Arc<Self>) {
        self.go_on();
        while let Some(stand_in) = { self.stand_ins.lock().pop() } {
            let _ = while_blocked(Blocking::Waiting, || stand_in.join());
        }
    }

    fn go_on(self: &Arc<Self>) {
        let is_kept = AT.try_with(|at| at.borrow_mut().push(Arc::clone(self))).is_ok();
        // If the thread is ending and the list is gone, there are no stand-ins.
        trap!("series");
        while (self.step)() && (!is_kept || self.is_mine()) {}
        let _ = AT.try_with(|at| at.borrow_mut().retain(|it| !Arc::ptr_eq(it, self)));
    }

    /// Whether this thread has not left it to a stand-in.
    fn is_mine(self: &Arc<Self>) -> bool {
        AT.try_with(|at| at.borrow().iter().any(|it| Arc::ptr_eq(it, self))).unwrap_or(true)
    }
}

/// This thread is about to block: what it goes on with is left to stand-ins.
pub(super) fn hand_over() {
    let at = AT.try_with(|at| std::mem::take(&mut *at.borrow_mut())).unwrap_or_default();
    let owner = host_owner();
    for series in at {
        let its_own = Arc::clone(&series);
        // A panic outside of what is done one after the other must not leave the rest undone.
        let go_on = move || match contain(|| its_own.go_on()) {
            Some(()) => {}
            None => its_own.go_on(),
        };
        let stand_in = move || match owner {
            Some(owner) => on_behalf_of(owner, go_on),
            None => go_on(),
        };
        match thread::spawn("stand-in".to_owned(), None, stand_in) {
            Ok(stand_in) => series.stand_ins.lock().push(stand_in),
            // Then before the wait, which may be for just that.
            Err(_) => series.go_on(),
        }
    }
}

/// Does what one of a pool's own threads would do, which the pool's end waits for: so `work`, whose
/// panics end here, must not wait for that end. For a thread that belongs to no pool.
pub(crate) fn on_behalf_of(owner: OwnerId, work: impl FnOnce()) {
    set_host(Some(Rc::new(StandIn(owner))));
    contain(work);
    set_host(None);
}

/// A thread on behalf of one of a pool's own.
struct StandIn(OwnerId);

impl Host for StandIn {
    fn owner(&self) -> OwnerId {
        self.0
    }
}
