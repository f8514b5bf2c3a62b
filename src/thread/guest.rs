//! A caller that runs the task it waits for, on a thread that is no worker.
//!
//! It is the pool's guest for as long as that takes: nested waits, and requests to stop, see the pool
//! through it as through a worker. The crew counts it among those that leave, so that an end waits for
//! it, and refuses it once the pool is closed: what is queued then is the last workers' to run.
//!
//! Guests bring tasks to an end that submitters would otherwise have to wake a worker for. So that they
//! need not, a worker that has seen guests since it last looked does not sleep for good but
//! [dozes](super::worker): it goes on to count as searching, and looks again by itself.

use super::pool::Pool;
use super::seat::Seat;
use crate::sync::Arc;
use crate::task::{self, Blocking, Host, OwnerId, TaskRef};
use std::cell::Cell;
use std::rc::Rc;

/// How deep a guest runs tasks within tasks: its stack may be small, and nobody stands in for it. Beyond
/// this it waits for the workers.
const DEPTH: usize = 16;

struct Guest {
    pool: Arc<Pool>,
    seat: Arc<Seat>,
    depth: Cell<usize>,
}

/// Runs a task that this thread, which is no worker, is about to wait for; false if it may not, or if
/// somebody else has begun it.
pub(super) fn help(pool: Arc<Pool>, task: &TaskRef) -> bool {
    if !suits(task) {
        return false;
    }
    let Some(seat) = pool.crew.receive() else {
        return false;
    };
    let guest = Rc::new(Guest { pool, seat, depth: Cell::new(0) });
    task::set_host(Some(Rc::clone(&guest) as Rc<dyn Host>));
    let _left = Left(&guest);
    guest.help(task)
}

/// Whether a guest may run this. A wait for a task with a time limit should end when that does, which
/// it cannot while it runs the task.
fn suits(task: &TaskRef) -> bool {
    task.settings().is_none_or(|it| it.timeout.is_none() && !it.needs_state)
}

struct Left<'a>(&'a Guest);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        task::set_host(None);
        let Guest { pool, seat, .. } = self.0;
        pool.crew.see_off(seat, || pool.end_timer());
    }
}

impl Host for Guest {
    fn owner(&self) -> OwnerId {
        self.pool.id
    }

    fn help(&self, task: &TaskRef) -> bool {
        let depth = self.depth.get();
        if task.owner() != self.pool.id || depth == DEPTH || !suits(task) {
            return false;
        }
        let Some(begun) = task.begin_ready() else {
            return false;
        };
        self.pool.count_stale();
        self.depth.set(depth + 1);
        self.pool.run(&self.seat, begun);
        self.depth.set(depth);
        true
    }

    // It is no worker: the workers go on without it.
    fn begin_blocking(&self, _why: Blocking) {}
    fn end_blocking(&self, _why: Blocking) {}

    fn is_stopping(&self) -> bool {
        self.pool.is_stopping()
    }
}
