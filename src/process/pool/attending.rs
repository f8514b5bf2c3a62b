//! A thread that waits for a call brings its outcome itself, if that is likely to come in no time.
//!
//! Otherwise three threads take part in a call: the one that waits, the one beside the worker, and the
//! worker; and the first is woken by the second. One that attends looks for outcomes itself, for the
//! short time for which a waiting thread does not sleep, and tells the worker that nobody has to be
//! rung for: see [`outcomes`](crate::process::page::outcomes).
//!
//! # What it does with what it finds
//!
//! It books all of it. But it ends one future only, its own, and that only if nobody else waits for it:
//! this runs no callback, which might hold the thread up, or wait for just this thread. It does so when it
//! attends no more, for to decode the outcome is the user's code as well, and may wait for the next call
//! of this worker. If somebody has begun to wait meanwhile, the future is done, but a thread apart tells of it.
//! All other futures it leaves to the thread beside the worker.
//!
//! Who takes outcomes out of the memory holds the lock of the line's reader until they are in the books,
//! and left to the line. So the thread beside the worker, which looks once more after the worker's end,
//! finds each call in the memory, or its future among those that it is to end. Its own future this thread
//! ends later, and the pool counts it until then, so as not to be gone before.

use super::job::Finished;
use super::line::Line;
use super::serving::{UNKNOWN, done};
use super::{Cause, Pool, Returned};
use crate::executor::apart;
use crate::process::machine::TaskId;
use crate::process::wire::frame::{FrameReader, Kind, Violation};
use crate::sync::Arc;
use crate::task::{self, Attendance, TaskRef};
use std::cell::Cell;
use std::collections::VecDeque;

pub(crate) struct Attending {
    pool: Arc<Pool>,
    line: Arc<Line>,
    awaited: TaskId,
    found: Cell<Option<Finished>>,
}

impl Attending {
    /// None if the task is not likely to come back soon, or somebody attends already.
    pub(crate) fn begin(pool: Arc<Pool>, task: &TaskRef) -> Option<Attending> {
        let awaited = task.address();
        let line = {
            let state = pool.state.lock();
            let (worker, _) = state.machine.sent(awaited)?;
            // One with a limit is announced by the worker, which takes its time.
            let is_limited = state.machine.job(awaited)?.is_limited();
            let is_soon = state.machine.is_quick(worker) && !state.machine.has_ahead(worker);
            if is_limited || !is_soon {
                return None;
            }
            Arc::clone(state.lines.get(&worker)?)
        };
        let begins = line.attend();
        begins.then(|| Attending { pool, line, awaited, found: Cell::new(None) })
    }

    /// Books what has come, and sees that its futures are ended. Whether its own has come.
    fn bring(&self) -> (bool, Result<(), Violation>) {
        let mut reader = self.line.ring_reader.lock();
        let outcome = self.line.take_outcomes(&mut reader);
        let mut returned = Vec::new();
        let outcome = outcome.and_then(|_| read(&self.line, &mut reader, &mut returned));
        if returned.is_empty() {
            return (false, outcome);
        }
        let mut finished = VecDeque::new();
        let (are_known, mut state) = self.pool.book_all(&self.line, returned, &mut finished);
        let is_own = |it: &Finished| {
            let task = it.job.task();
            task.address() == self.awaited && !task.snapshot().is_waited()
        };
        let own = finished.iter().position(is_own).and_then(|at| finished.remove(at));
        let has_found = own.is_some();
        if has_found {
            self.found.set(own);
            state.relieved += 1;
        }
        let mut effects = self.pool.decide_all(state, &Cause::Other);
        self.pool.put_off(&mut effects, &mut finished);
        self.line.leave_to_its_thread(finished);
        drop(reader);
        self.pool.carry_out(effects);
        (has_found, if are_known { outcome } else { Err(UNKNOWN) })
    }
}

fn read(line: &Line, reader: &mut FrameReader, into: &mut Vec<Returned>) -> Result<(), Violation> {
    while let Some((kind, body)) = reader.next()? {
        if kind != Kind::Done {
            return Err(Violation::Nonsense("saying something else where outcomes are"));
        }
        into.extend(done(line, body.to_vec())?);
    }
    Ok(())
}

impl Attendance for Attending {
    fn look(&self) -> bool {
        if self.line.page.outcomes().len().is_ok_and(|it| it == 0) {
            return false;
        }
        let (has_found, outcome) = self.bring();
        if let Err(violation) = outcome {
            self.pool.accuse(&self.line, violation.to_string());
        }
        has_found
    }
}

impl Drop for Attending {
    fn drop(&mut self) {
        self.line.page.outcomes().leave();
        // What the worker has put in meanwhile it has not rung for.
        self.look();
        self.line.end_attendance();
        let Some(own) = self.found.take() else { return };
        let id = self.pool.id;
        let conclude = || task::on_behalf_of(id, || own.conclude());
        let Some(delivery) = task::leaving_delivery_of(self.awaited, conclude) else {
            return self.pool.leave();
        };
        let pool = Arc::clone(&self.pool);
        apart("callbacks", move || {
            task::on_behalf_of(id, || delivery.make());
            pool.leave();
        });
    }
}
