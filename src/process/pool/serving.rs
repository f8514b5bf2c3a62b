//! The thread beside each worker: it has the process started, carries what comes and goes, and buries it.
//!
//! Callbacks of futures run on this thread, and may wait for other futures of the pool, even for
//! some that this very line has to bring. So a line is not a thread: when its thread is about to
//! block in a wait of this crate, it first hands the line on to a stand-in, and leaves when it comes
//! back. Everything that the two share is in the [`Line`]; of all threads that ever served it, the
//! one with the latest turn does.

use super::job::{Lent, Reply};
use super::line::{Heard, Line};
use super::starting::start;
use super::{Pool, Returned};
use crate::error::{BrokenCause, TaskOutput, TaskPanic};
use crate::process::machine::WorkerId;
use crate::process::page::outcomes::{FIRST_LOOK, SILENCE};
use crate::process::payload::{Arrived, Place, Where};
use crate::process::wire::frame::{FrameReader, Kind, Violation};
use crate::process::wire::message::{
    self, DoneHead, Hello, NotReady, Outcome, Output, PROTOCOL, Ready, Stage, read_message,
};
use crate::sync::{Alarm, Arc, Mutex, thread, trap};
use crate::sys::{fault, image, refusal};
use crate::task::{self, Blocking, Host, OwnerId, Report};
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

thread_local! {
    /// The line that this thread serves, by its address.
    static SERVED: Cell<usize> = const { Cell::new(0) };
}

/// Whether this thread is the line's own.
pub(crate) fn is_serving(line: &Arc<Line>) -> bool {
    SERVED.try_with(Cell::get) == Ok(Arc::as_ptr(line).addr())
}

/// Starts a worker and serves it until its end.
pub(crate) fn main(pool: &Arc<Pool>, worker: WorkerId, index: usize) {
    // Runs code of the user's, which may panic.
    match task::catch(|| start(pool, worker, index)) {
        Ok(Ok(line)) => {
            serve(pool, &line, 0, || {
                let alarm = pool.watch_start(&line);
                trap!("connect");
                pool.connected(&line);
                fault!(Connected);
                alarm
            });
        }
        Ok(Err(error)) => pool.refused(worker, error),
        Err(panic) => {
            let panic = task::panicked(task::told(panic));
            let why = io::Error::other(panic.to_string());
            pool.break_down(BrokenCause::new("a worker process cannot be set up", panic));
            pool.refused(worker, why);
        }
    }
}

/// Serves a line until its end, or until somebody else does.
fn serve(pool: &Arc<Pool>, line: &Arc<Line>, turn: usize, begin: impl FnOnce() -> Option<Alarm>) {
    if let Err(panic) = task::catch(|| serve_well(pool, line, turn, begin())) {
        task::on_behalf_of(pool.id, || {
            pool.collapse(panic);
            pool.clean_up_after(line, turn);
        });
    }
}

fn serve_well(pool: &Arc<Pool>, line: &Arc<Line>, turn: usize, mut alarm: Option<Alarm>) {
    SERVED.set(Arc::as_ptr(line).addr());
    let host = LineHost { pool: Arc::clone(pool), line: Arc::clone(line) };
    task::set_host(Some(Rc::new(host)));
    let mut has_ended = false;
    let mut lookout = None;
    loop {
        let heard = line.hear();
        trap!("hear");
        let has_come = matches!(heard, Heard::Bytes | Heard::LastBytes);
        let has_found = line.look().unwrap_or_else(|violation| {
            pool.accuse(line, violation.to_string());
            false
        });
        if let Err(violation) = receive_all(pool, line, turn, &mut alarm) {
            pool.accuse(line, violation.to_string());
        }
        // All that may have ended tasks whose callbacks have waited.
        if line.turn() != turn {
            pool.forget_alarm(alarm);
            return leave(pool);
        }
        // Callbacks may take their time, and the worker need not wait for them.
        if !line.finished.lock().is_empty() {
            line.flush();
        }
        // One at a time: a stand-in goes on with the next.
        while let Some(finished) = { line.finished.lock().pop_front() } {
            trap!("conclude");
            fault!(FutureEnding);
            finished.conclude();
            fault!(FutureEnded);
            if line.turn() != turn {
                return leave(pool);
            }
        }
        if has_found || has_come {
            lookout = None;
        }
        match heard {
            Heard::Bytes => continue,
            _ if has_ended => break,
            Heard::End => {
                fault!(LinkEnded);
                // Its task may have closed the link and gone on: what it puts into the memory before
                // its end counts.
                line.await_end();
                has_ended = true;
            }
            Heard::LastBytes | Heard::Nothing => {
                line.flush();
                let limit = limit(pool, line, &mut lookout);
                // That, too, may have ended tasks whose callbacks have waited; what is heard from here
                // on is the stand-in's.
                if line.turn() != turn {
                    pool.forget_alarm(alarm);
                    return leave(pool);
                }
                has_ended = line.wait(limit);
            }
        }
    }
    trap!("bury");
    pool.forget_alarm(alarm);
    pool.died(line);
    if line.turn() == turn { task::set_host(None) } else { leave(pool) }
}

/// What a thread does last that has handed its line on.
fn leave(pool: &Pool) {
    task::set_host(None);
    pool.leave();
}

/// How long the line's thread may wait for a worker to ring.
fn limit(pool: &Pool, line: &Line, lookout: &mut Option<Lookout>) -> Option<Duration> {
    // Before the question: who sends something after the answer arms it, and rings.
    line.disarm();
    if !pool.has_calls_ahead(line.worker) {
        *lookout = None;
        return None;
    }
    line.arm();
    if lookout.as_ref().is_some_and(Lookout::is_over) {
        pool.silent(line.worker);
        line.flush();
        *lookout = None;
    }
    Some(lookout.get_or_insert_with(Lookout::new).next_look())
}

/// When to look again at a worker that says nothing.
struct Lookout {
    since: Instant,
    look: Instant,
    pause: Duration,
}

impl Lookout {
    fn new() -> Self {
        let since = Instant::now();
        Lookout { since, look: since + FIRST_LOOK, pause: FIRST_LOOK }
    }

    fn is_over(&self) -> bool {
        self.since.elapsed() >= SILENCE
    }

    /// How long it is until the next look, if one has just been taken.
    fn next_look(&mut self) -> Duration {
        let now = Instant::now();
        if now >= self.look {
            self.pause *= 2;
            self.look = now + self.pause;
        }
        self.look.min(self.since + SILENCE).saturating_duration_since(now)
    }
}

/// Does what the frames want that have come, as long as this thread serves the line.
fn receive_all(
    pool: &Pool,
    line: &Line,
    turn: usize,
    alarm: &mut Option<Alarm>,
) -> Result<(), Violation> {
    // Calls that have come back are booked together.
    let mut returned = Vec::new();
    while line.turn() == turn {
        let frame = next_frame(&line.reader).transpose();
        let frame = frame.or_else(|| next_frame(&line.ring_reader).transpose());
        match frame {
            Some(Ok((Kind::Done, body))) => match done(line, body) {
                Ok(call) => returned.extend(call),
                Err(violation) => {
                    book(pool, line, &mut returned)?;
                    return Err(violation);
                }
            },
            Some(Ok((kind, body))) => {
                // First, for what follows may hand the line on.
                book(pool, line, &mut returned)?;
                if kind == Kind::Hello {
                    pool.forget_alarm(alarm.take());
                }
                receive(pool, line, kind, &body)?;
            }
            last => {
                book(pool, line, &mut returned)?;
                return last.map_or(Ok(()), |frame| frame.map(drop));
            }
        }
    }
    Ok(())
}

pub(crate) const UNKNOWN: Violation = Violation::Nonsense("news of a call that it was not sent");

fn book(pool: &Pool, line: &Line, returned: &mut Vec<Returned>) -> Result<(), Violation> {
    if returned.is_empty() || pool.returned(line, std::mem::take(returned)) {
        Ok(())
    } else {
        Err(UNKNOWN)
    }
}

/// The next whole frame, copied, so that the reader is free while it is handled.
fn next_frame(reader: &Mutex<FrameReader>) -> Result<Option<(Kind, Vec<u8>)>, Violation> {
    let mut reader = reader.lock();
    Ok(reader.next()?.map(|(kind, body)| (kind, body.to_vec())))
}

fn receive(pool: &Pool, line: &Line, kind: Kind, body: &[u8]) -> Result<(), Violation> {
    match kind {
        Kind::Hello => {
            let (hello, _): (Hello, _) = read_message(body)?;
            fault!(HelloRead);
            if hello.protocol != PROTOCOL || hello.identity != image::identity() {
                pool.break_down(BrokenCause::new(
                    "a worker process cannot be used",
                    "it runs another executable than this program; was a wrapper, or an emulator, \
                     started in its place?",
                ));
                return Err(Violation::Nonsense("being another executable"));
            }
            Ok(())
        }
        Kind::Ready => {
            let (ready, _): (Ready, _) = read_message(body)?;
            fault!(ReadyRead);
            match ready {
                Ok(()) => pool.ready(line.worker),
                Err(NotReady::Unable(why)) => {
                    pool.break_down(BrokenCause::new("a worker process cannot be set up", why));
                }
                Err(NotReady::InitializerFailed(why)) => {
                    pool.break_down(BrokenCause::new("the initializer failed", why));
                }
                Err(NotReady::InitializerPanicked(panic)) => {
                    let panic = task::panicked(TaskPanic::from(panic));
                    pool.break_down(BrokenCause::new("the initializer panicked", panic));
                }
            }
            Ok(())
        }
        Kind::Begun => {
            let (ticket, _) = read_message(body)?;
            fault!(BegunRead);
            // Unknown if it has been overtaken by its outcome, which came through the memory.
            pool.begun(line.worker, ticket);
            Ok(())
        }
        // What is there has been looked at already.
        Kind::Look => Ok(()),
        Kind::Done => unreachable!("calls that have come back are booked together"),
        Kind::Configure | Kind::Call | Kind::Taken | Kind::Retire => {
            Err(Violation::Nonsense("a frame that only a parent sends"))
        }
    }
}

/// A call that has come back; none if its worker was killed before its result could be had.
pub(crate) fn done(line: &Line, body: Vec<u8>) -> Result<Option<Returned>, Violation> {
    let (mut head, result): (DoneHead, _) = read_message(&body)?;
    let has_long_output =
        head.report.as_ref().is_some_and(|it| matches!(it.output, Some(Output::InFiles(_))));
    let report = head.report.take().map(|it| report(line, *it)).transpose()?;
    let place = match head.outcome {
        Outcome::Value(Where::Kept(place)) => Some(place),
        _ => None,
    };
    let arrived = place.map(|it| (it.number, map(line, it)));
    if has_long_output || place.is_some_and(|it| it.is_awaited) {
        line.push(Kind::Taken);
        fault!(TakenPushed);
        line.flush();
    }
    let begin = body.len() - result.len();
    let reply = Reply::Body(body, begin);
    let Some((number, arrived)) = arrived else {
        return Ok(Some(Returned { head, report, reply }));
    };
    match arrived {
        Ok(arrived) => {
            let reply = Reply::Lent(Lent { arrived, number, page: Arc::clone(&line.page) });
            Ok(Some(Returned { head, report, reply }))
        }
        // The task is lost with it.
        Err(error) if line.has_ended() || (is_missing(&error) && line.ends_soon()) => Ok(None),
        Err(error) => {
            let why = format!("its shared memory cannot be opened: {error}");
            head.outcome = Outcome::NotTransferred(Stage::DecodeResult, why);
            line.page.loans().give_back(number);
            Ok(Some(Returned { head, report, reply }))
        }
    }
}

/// What a worker tells of a call, with its output, wherever that is.
fn report(line: &Line, report: message::Report) -> Result<Report, Violation> {
    let output = match (report.output, &line.transcript) {
        (None, _) => None,
        (Some(Output::InFiles(are_cut)), Some(transcript)) => Some(transcript.recorded(are_cut)),
        (Some(Output::Here(streams)), Some(transcript))
            if streams.iter().all(|it| it.bytes.len() <= transcript.most()) =>
        {
            Some(streams)
        }
        _ => return Err(Violation::Nonsense("telling of more output than it is to keep")),
    };
    Ok(Report { output: output.map(TaskOutput::new), usage: report.usage.map(Into::into) })
}

/// Whether the worker does not have what it speaks of: perhaps because it is being killed. Its process
/// loses its descriptors, and then belongs to the system, a moment before its end can be seen.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
}

fn map(line: &Line, place: Place) -> io::Result<Arrived<'static>> {
    refusal!(OutcomeMapping);
    fault!(OutcomeMapping);
    line.outcomes.at(place)
}

/// What callbacks on this thread find.
struct LineHost {
    pool: Arc<Pool>,
    line: Arc<Line>,
}

impl Host for LineHost {
    fn owner(&self) -> OwnerId {
        self.pool.id
    }

    fn begin_blocking(&self, _why: Blocking) {
        if !is_serving(&self.line) {
            return;
        }
        SERVED.set(0);
        self.pool.relieve();
        let turn = self.line.turn() + 1;
        self.line.set_turn(turn);
        let (pool, line) = (Arc::clone(&self.pool), Arc::clone(&self.line));
        let name = format!("{}_{}", pool.settings.name, line.index);
        match thread::spawn(name, None, move || serve(&pool, &line, turn, || None)) {
            Ok(thread) => self.pool.keep(thread),
            Err(_) => {
                // Nobody stands in: what this line brings comes when the wait is over.
                self.line.set_turn(turn - 1);
                SERVED.set(Arc::as_ptr(&self.line).addr());
                self.pool.leave();
            }
        }
    }

    fn end_blocking(&self, _why: Blocking) {}
}
