//! A thread that waits for a call brings its outcome itself, if that is likely to come in no time.
//!
//! Otherwise three threads take part in a call: the one that waits, the one beside the worker, and the
//! worker; and the first is woken by the second. One that attends looks for outcomes itself, for the
//! short time for which a waiting thread does not sleep, and tells the worker that nobody has to be
//! rung for: see [`outcomes`](super::outcomes).
//!
//! Who takes outcomes out of the memory holds the lock of the line's reader until they are in the books.
//! So the thread beside the worker, which looks once more after the worker's end, finds the call
//! either in the memory or in the books. And from then on until its future has been told, the pool
//! counts this thread, so that it is not gone before.

use super::frame::{FrameReader, Kind, Violation};
use super::job::Finished;
use super::line::Line;
use super::pool::{Cause, Pool, Returned};
use super::serving::{UNKNOWN, done};
use crate::sync::Arc;
use crate::task::{Attendance, TaskRef};
use std::collections::VecDeque;

pub(super) struct Attending {
    pool: Arc<Pool>,
    line: Arc<Line>,
}

impl Attending {
    /// None if the task is not likely to come back soon, or somebody attends already.
    pub(super) fn begin(pool: Arc<Pool>, task: &TaskRef) -> Option<Attending> {
        let line = {
            let state = pool.state.lock();
            let id = task.address();
            let (worker, _) = state.machine.sent(id)?;
            // One with a limit is announced by the worker, which takes its time.
            let is_limited = state.machine.job(id)?.is_limited();
            let is_soon = state.machine.is_quick(worker) && !state.machine.has_ahead(worker);
            if is_limited || !is_soon {
                return None;
            }
            Arc::clone(state.lines.get(&worker)?)
        };
        let begins = line.attend();
        begins.then(|| Attending { pool, line })
    }

    /// Books what has come, and ends its futures.
    fn bring(&self) -> Result<(), Violation> {
        let mut reader = self.line.ring_reader.lock();
        let outcome = self.line.take_outcomes(&mut reader);
        let mut returned = Vec::new();
        let outcome = outcome.and_then(|_| read(&self.line, &mut reader, &mut returned));
        if returned.is_empty() {
            return outcome;
        }
        let mut finished = VecDeque::new();
        let (are_known, mut state) = self.pool.book_all(&self.line, returned, &mut finished);
        state.relieved += 1;
        let effects = self.pool.decide_all(state, &Cause::Other);
        drop(reader);
        self.pool.carry_out(effects);
        finished.into_iter().for_each(Finished::conclude);
        self.pool.leave();
        if are_known { outcome } else { Err(UNKNOWN) }
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
    fn look(&self) {
        if self.line.page.outcomes().len().is_ok_and(|it| it == 0) {
            return;
        }
        if let Err(violation) = self.bring() {
            self.pool.accuse(&self.line, violation.to_string());
        }
    }
}

impl Drop for Attending {
    fn drop(&mut self) {
        self.line.page.outcomes().leave();
        // What the worker has put in meanwhile it has not rung for.
        self.look();
        self.line.end_attendance();
    }
}
