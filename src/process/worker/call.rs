//! One call: from the frame that asks for it until its outcome is the parent's.

use super::{Worker, leave};
use crate::process::page::outcomes::LONG;
use crate::process::page::slots::Ticket;
use crate::process::payload::{Arrived, Bytes, Opened, Parcel, Place, Where, Writer};
use crate::process::wire::code::{self, Fault};
use crate::process::wire::frame::Kind;
use crate::process::wire::message::{
    CallHead, DoneHead, Outcome, Output, Panic, Report, Return, Stage, Usage, cut, put_message,
    read_message,
};
use crate::sync::Arc;
use crate::sys::capture::Recorded;
use crate::sys::{self, child, fault, limits, refusal};
use crate::task::{self, Body, Fresh, OwnerId, TaskSettings};
use std::io;
use std::time::Duration;

impl Worker {
    /// Runs a call, unless it was kept from beginning. When this is over, the parent has its outcome, or will find
    /// it whatever becomes of this process.
    pub(super) fn call(&mut self, body: Vec<u8>) {
        let Ok((head, _)) = head_of(&body) else {
            leave("the parent sent a call that cannot be decoded");
        };
        let label = head.label.map(Arc::from);
        let (ticket, is_announced) = (head.ticket, head.is_announced);
        fault!(CallRead);
        // The parent takes back what is not begun here.
        if self.is_spent || !self.page.slots().claim(ticket) {
            return;
        }
        fault!(CallClaimed);
        if is_announced {
            self.announce(ticket);
        }
        self.mind_outcomes();
        let ran = self.run(ticket, label, body);
        let recorder = self.recorder.clone();
        let recorded = recorder.as_ref().and_then(|it| it.recorded());
        if recorded.is_some() {
            fault!(OutputRecorded);
        }
        // What nobody can empty any more would be the output of whoever dies next.
        self.is_spent = recorder.is_some() && recorded.is_none();
        let report = report(recorded.as_ref(), ran.usage);
        let has_long_output =
            report.as_ref().is_some_and(|it| matches!(it.output, Some(Output::InFiles(_))));
        let Packed { outcome, bytes, parcel } = self.pack(ran.outcome, ran.result);
        let is_new = parcel.as_ref().is_some_and(Parcel::is_new);
        let is_awaited = is_new || has_long_output;
        let done = DoneHead {
            ticket,
            begun: nanoseconds(ran.begun),
            nanoseconds: nanoseconds(ran.duration),
            is_worn: self.is_spent || self.is_too_large(parcel.as_ref()),
            has_failed: ran.how == Return::Failed,
            report,
            outcome,
        };
        let mut frame = Vec::new();
        put_message(&mut frame, Kind::Done, &done, bytes.len());
        if let Some(parcel) = &parcel {
            self.page.loans().lend(parcel.number());
            fault!(OutcomeLent);
        }
        if is_awaited {
            self.send_outcome(&frame, &bytes);
            self.wait_until_taken();
            fault!(OutcomeTaken);
        } else {
            // Somebody minds its time, or it was long, and ringing hardly counts.
            let rings = is_announced || self.is_spent || ran.duration >= LONG;
            self.put_outcome(&frame, &bytes, rings);
        }
        if let Some(mut parcel) = parcel {
            if is_new {
                parcel.is_opened();
            }
            self.lent.push(parcel);
        }
        // As long as it is there, it is the output of a call that the parent has not heard of.
        if let Some(recorded) = recorded {
            recorded.forget();
            fault!(OutputForgotten);
        }
    }

    /// Tells the parent that a call has begun.
    fn announce(&self, ticket: Ticket) {
        let mut frame = Vec::new();
        put_message(&mut frame, Kind::Begun, &ticket, 0);
        self.send(&frame);
        fault!(BegunSent);
    }

    fn run(&self, ticket: Ticket, label: Option<Arc<str>>, body: Vec<u8>) -> Ran {
        self.host.current.set(Some(ticket));
        let measuring = self.configure.measures.then(Measuring::begin);
        let begun = sys::shared_clock();
        let running = Running {
            frame: body,
            arguments: Arc::clone(&self.arguments),
            into: Writer::new(&self.outcomes),
        };
        let (outcome, how, result) = run(label, running);
        let duration = sys::shared_clock().saturating_sub(begun);
        let usage = measuring.map(Measuring::end);
        self.host.current.set(None);
        fault!(CallReturned);
        child::end_copy();
        Ran { outcome, how, result, begun, duration, usage }
    }

    /// Makes a result what can be sent, if it is not too long for that.
    fn pack(&self, mut outcome: Outcome, mut result: Writer) -> Packed {
        let (length, most) = (result.len(), self.configure.most);
        if length > most {
            let text = format!("it has {length} bytes, and {most} is the limit");
            outcome = Outcome::NotTransferred(Stage::EncodeResult, text);
            result = Writer::default();
        }
        let (bytes, parcel) = match result.finish() {
            Ok(bytes) => (bytes, None),
            Err(parcel) => (Bytes::new(), Some(parcel)),
        };
        if let (Outcome::Value(place), Some(parcel)) = (&mut outcome, &parcel) {
            *place = Where::Kept(parcel.place(parcel.is_new()));
        }
        Packed { outcome, bytes, parcel }
    }

    /// Whether this process has more memory than it may keep, apart from what values travel through.
    fn is_too_large(&self, parcel: Option<&Parcel>) -> bool {
        self.configure.memory.is_some_and(|most| {
            let kept = self.kept() + parcel.map_or(0, Parcel::reserved);
            limits::resident_bytes().is_some_and(|bytes| bytes.saturating_sub(kept as u64) > most)
        })
    }

    /// Puts an outcome where the parent will look, or sends it if there is no room.
    fn put_outcome(&mut self, frame: &[u8], bytes: &[u8], rings: bool) {
        if !self.page.outcomes().put(frame, bytes) {
            return self.send_outcome(frame, bytes);
        }
        fault!(OutcomePut);
        self.is_untold = true;
        if rings {
            self.tell();
        }
    }

    fn send_outcome(&self, frame: &[u8], bytes: &[u8]) {
        fault!(OutcomeSending);
        self.send(frame);
        if !bytes.is_empty() {
            fault!(OutcomeHalfSent);
            self.send(bytes);
        }
    }
}

/// A call that is over.
struct Ran {
    outcome: Outcome,
    how: Return,
    result: Writer,
    /// By the shared clock.
    begun: Duration,
    duration: Duration,
    usage: Option<Usage>,
}

/// What is sent of an outcome: the result's bytes, or the memory that it is in.
struct Packed {
    outcome: Outcome,
    bytes: Bytes,
    parcel: Option<Parcel>,
}

/// What the parent has asked to be told besides, if it has.
fn report(recorded: Option<&Recorded<'_>>, usage: Option<Usage>) -> Option<Box<Report>> {
    let output = recorded.map(|it| match it.little() {
        Some(streams) => Output::Here(streams),
        None => Output::InFiles(it.are_cut()),
    });
    (output.is_some() || usage.is_some()).then(|| Box::new(Report { output, usage }))
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// What a call needs, from its begin on.
struct Measuring {
    processor_time: Duration,
    peak_is_its_own: bool,
}

impl Measuring {
    fn begin() -> Measuring {
        let peak_is_its_own = limits::reset_peak();
        Measuring { processor_time: limits::processor_time(), peak_is_its_own }
    }

    fn end(self) -> Usage {
        let time = limits::processor_time().saturating_sub(self.processor_time);
        let nanoseconds = nanoseconds(time);
        let peak_memory = if self.peak_is_its_own { limits::peak_bytes() } else { None };
        Usage { nanoseconds, peak_memory }
    }
}

/// One call, as a task of this process, so that panics, labels and requests to stop are what they
/// are in every pool.
struct Running {
    frame: Vec<u8>,
    arguments: Arc<Opened>,
    into: Writer,
}

impl Body for Running {
    type Output = Result<(Return, Writer), Fault>;
    type Guard = ();

    fn guard(&mut self) {}

    fn run(self) -> Self::Output {
        let (head, behind) = head_of(&self.frame)?;
        let arrived = match head.argument {
            Where::Here => Arrived::Here(behind),
            Where::Kept(place) => open(&self.arguments, place).map_err(|error| {
                let why = format!("its shared memory cannot be opened: {error}");
                (Stage::DecodeArgument, why)
            })?,
        };
        fault!(CallEntered);
        let mut result = self.into;
        let mut call =
            || task::at_attempt(head.attempt, || code::enter(head.code, &arrived, &mut result));
        let how = match head.context {
            None => call()?,
            Some((context, captured)) => {
                let mut outcome = None;
                code::within(context, captured, &mut || outcome = Some(call()))?;
                match outcome {
                    Some(outcome) => outcome?,
                    None => panic!("the context hook returned without having called the task"),
                }
            }
        };
        Ok((how, result))
    }
}

fn open(arguments: &Opened, place: Place) -> io::Result<Arrived<'static>> {
    refusal!(ArgumentOpening);
    fault!(ArgumentOpening);
    arguments.at(place)
}

fn head_of(frame: &[u8]) -> Result<(CallHead<'_>, &[u8]), Fault> {
    read_message(frame).map_err(|violation| (Stage::DecodeArgument, violation.to_string()))
}

fn run(label: Option<Arc<str>>, running: Running) -> (Outcome, Return, Writer) {
    let settings = TaskSettings { label, ..TaskSettings::default() };
    let (task, handle) = Fresh::new(running, OwnerId::NOBODY, settings.shared()).split();
    if let Some(begun) = task.begin() {
        begun.run();
    }
    let (outcome, how) = match handle.take() {
        Ok(Ok((how, result))) => return (Outcome::Value(Where::Here), how, result),
        Ok(Err((stage, text))) => (Outcome::NotTransferred(stage, cut(text)), Return::Succeeded),
        Err(error) if error.is_cancelled() => (Outcome::Cancelled, Return::Succeeded),
        Err(error) => (Outcome::Panicked(Box::new(Panic::of(&error))), Return::Failed),
    };
    (outcome, how, Writer::default())
}
