//! The worker: what this executable is when it was started by a pool.
//!
//! It takes calls out of its [`inbox`](crate::process::page::inbox), claims each before it begins it (see
//! [`slots`](crate::process::page::slots)), and puts its outcome into the memory that it shares with its parent, or
//! sends it, before it claims the next, so that a death costs one call and no other. A thread beside it
//! watches for the end of the parent, and then ends the whole process group.

pub(crate) mod bootstrap;

use crate::process::own::{self, Mark};
use crate::process::page::Page;
use crate::process::page::loans::LOANS;
use crate::process::page::outcomes::LONG;
use crate::process::page::slots::Ticket;
use crate::process::payload::{Arrived, Opened, Parcel, Place, Store, Where, Writer};
use crate::process::shared;
use crate::process::wire::code::{self, Fault};
use crate::process::wire::frame::{FrameReader, Kind, header};
use crate::process::wire::message::{
    CallHead, Capture, Configure, DoneHead, Hello, NotReady, Outcome, PROTOCOL, Panic, Ready,
    Report, Return, Stage, Usage, cut, put_message, read_message,
};
use crate::sync::{Arc, Spin};
use crate::sys::capture::{Recorder, end_recording};
use crate::sys::{self, Link, child, fault, image, limits, refusal, short};
use crate::task::{self, Body, Fresh, Host, OwnerId, TaskSettings};
use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::exit;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// What a worker's process ends with if it cannot go on.
const CANNOT_GO_ON: i32 = 70;

/// How long a worker without calls keeps the shared memory that earlier ones have brought.
const KEEP_SHARED: Duration = Duration::from_millis(100);

/// Is a worker until its end.
pub(crate) fn main(mark: Mark) -> ! {
    // The terminal's interrupt does not come here, for each worker leads a group of its own.
    child::ignore_pipe();
    child::mind_copies();
    match child::fill_standard_streams().and_then(|()| Worker::new(mark)) {
        Ok(worker) => worker.serve(),
        // The parent is gone, or says why it is not content.
        Err(error) => leave(&format!("cannot begin: {error}")),
    }
}

fn leave(why: &str) -> ! {
    end_recording();
    let _ = writeln!(io::stderr(), "worker process {}: {why}", std::process::id());
    exit(CANNOT_GO_ON)
}

struct Worker {
    link: Arc<Link>,
    reader: FrameReader,
    page: Arc<Page>,
    configure: Configure,
    host: Rc<WorkerHost>,
    /// The parent's memory for large arguments.
    arguments: Arc<Opened>,
    /// The memory for large outcomes, and what of it the parent still reads.
    outcomes: Arc<Store>,
    lent: Vec<Parcel>,
    /// Keeps what calls write, if it is asked for.
    recorder: Option<Arc<Recorder>>,
    /// There is an outcome that the parent has not been told of.
    is_untold: bool,
    spin: Spin,
    /// What the parent has said while it was not its turn.
    aside: VecDeque<(Kind, Vec<u8>)>,
}

impl Worker {
    fn new(Mark { parent, page }: Mark) -> io::Result<Worker> {
        let link = Arc::new(Link::of_standard_input()?);
        fault!(Linked);
        let watched = watch(&link, parent)?;
        fault!(Watching);
        refusal!(PageOpening);
        fault!(PageOpening);
        let page = Arc::new(Page::of_process(parent, page)?);
        let hello = Hello { protocol: PROTOCOL, identity: image::identity() };
        let mut frame = Vec::new();
        put_message(&mut frame, Kind::Hello, &hello, 0);
        link.send_all(&frame)?;
        fault!(HelloSent);

        let mut reader = FrameReader::new(usize::MAX);
        let configure = loop {
            match reader.next() {
                Ok(Some((Kind::Configure, body))) => match read_message::<Configure>(body) {
                    Ok((configure, [])) => break configure,
                    _ => return Err(io::Error::other("its configuration cannot be decoded")),
                },
                Ok(Some(_)) | Err(_) => return Err(io::Error::other("it was not configured")),
                Ok(None) => {
                    if !receive(&link, &page, &mut reader)? {
                        sleep(&link, &page, None)?;
                    }
                }
            }
        };
        fault!(Configured);
        own::become_worker(configure.index, configure.depth, configure.max_depth);
        sys::set_processors(configure.processors);
        task::install_hook();
        let host = Rc::new(WorkerHost { page: Arc::clone(&page), current: Cell::new(None) });
        task::set_host(Some(Rc::<WorkerHost>::clone(&host)));
        let arguments = Arc::new(Opened::new(configure.parent));
        let recorder = configure.capture.map(|it| record(parent, it)).transpose()?;
        // Before anything of the user's can close a descriptor.
        watched.recv().map_err(io::Error::other)?;
        Ok(Worker {
            link,
            reader,
            page,
            configure,
            host,
            arguments,
            outcomes: Store::new(LOANS, LOANS),
            lent: Vec::new(),
            recorder,
            is_untold: false,
            spin: Spin::new(),
            aside: VecDeque::new(),
        })
    }

    fn serve(mut self) -> ! {
        let ready = self.prepare();
        let is_ready = ready.is_ok();
        let mut frame = Vec::new();
        put_message(&mut frame, Kind::Ready, &ready, 0);
        self.send(&frame);
        if !is_ready {
            exit(CANNOT_GO_ON);
        }
        fault!(ReadySent);
        loop {
            match self.next_frame() {
                None if self.has_received() => {}
                None => self.await_calls(),
                Some((Kind::Call, body)) => self.call(body),
                Some((Kind::Retire, _)) => self.retire(),
                Some((kind, _)) => leave(&format!("the parent sent a frame of kind {kind:?}")),
            }
        }
    }

    /// Has nothing to do until something comes from the parent.
    fn await_calls(&mut self) {
        if std::mem::take(&mut self.is_untold) && !self.page.outcomes().is_attended() {
            self.tell();
        }
        fault!(Idle);
        or_end(check(&self.link));
        let has_come = || !self.page.inbox().is_empty();
        let Err(asleep) = self.spin.until(has_come, || false) else { return };
        if shared::keeps_any() {
            // What calls have brought is kept no longer than a while.
            self.sleep(Some(KEEP_SHARED));
            if self.page.inbox().is_empty() {
                shared::let_go();
            }
        }
        while self.page.inbox().is_empty() {
            let pause = self.mind_outcomes();
            self.sleep(pause);
        }
        self.spin.slept(asleep);
    }

    /// Whether something has come from the parent, which is read.
    fn has_received(&mut self) -> bool {
        or_end(receive(&self.link, &self.page, &mut self.reader))
    }

    /// Waits for the parent, for so long a time.
    fn sleep(&self, limit: Option<Duration>) {
        or_end(sleep(&self.link, &self.page, limit));
    }

    fn send(&self, frame: &[u8]) {
        or_end(self.link.send_all(frame));
    }

    /// Makes itself what it was told to be.
    fn prepare(&self) -> Ready {
        let unable =
            |what: &str, error: io::Error| NotReady::Unable(format!("{what} failed: {error}"));
        let configure = &self.configure;
        if let Some(niceness) = configure.niceness {
            limits::set_niceness(niceness).map_err(|it| unable("setting its niceness", it))?;
        }
        if let Some(processors) = &configure.affinity {
            limits::set_affinity(processors).map_err(|it| unable("setting its affinity", it))?;
        }
        if let Some(bytes) = configure.address_space {
            limits::limit_address_space(bytes).map_err(|it| unable("limiting its memory", it))?;
        }
        self.initialize()?;
        if let Some(recorder) = &self.recorder {
            // Not before, so that the words of an initializer are not lost.
            recorder.begin().map_err(|it| unable("capturing its output", it))?;
        }
        Ok(())
    }

    fn initialize(&self) -> Ready {
        let Some((code, argument)) = &self.configure.initializer else {
            return Ok(());
        };
        fault!(Initializing);
        let made = task::catch(|| code::initialize(*code, argument));
        // If it has forked, there is still one worker only.
        child::end_copy();
        fault!(Initialized);
        match made {
            Ok(Ok(state)) => {
                code::set_state(state);
                Ok(())
            }
            Ok(Err(error)) => Err(NotReady::InitializerFailed(cut(error))),
            Err(panic) => {
                let error = task::panicked(panic);
                Err(NotReady::InitializerPanicked(Panic::of(&error)))
            }
        }
    }

    /// The next frame, if one is there; those that were put aside come first.
    fn next_frame(&mut self) -> Option<(Kind, Vec<u8>)> {
        self.aside.pop_front().or_else(|| self.read_frame())
    }

    fn read_frame(&mut self) -> Option<(Kind, Vec<u8>)> {
        match self.reader.next() {
            Ok(frame) => frame.map(|(kind, body)| (kind, body.to_vec())),
            Err(violation) => leave(&format!("the parent sent {violation}")),
        }
    }

    /// Waits until the parent has opened a large outcome. What else it says is put aside.
    fn wait_until_opened(&mut self) {
        loop {
            match self.read_frame() {
                Some((Kind::Opened, _)) => return,
                Some(other) => self.aside.push_back(other),
                None if self.has_received() => {}
                None => self.sleep(None),
            }
        }
    }

    /// Tells the parent to look for outcomes.
    fn tell(&mut self) {
        self.is_untold = false;
        self.send(&header(Kind::Look, 0));
        fault!(BellRung);
    }

    fn call(&mut self, body: Vec<u8>) {
        let Ok((head, _)) = head_of(&body) else {
            leave("the parent sent a call that cannot be decoded");
        };
        let label = head.label.map(Arc::from);
        let ticket = head.ticket;
        fault!(CallRead);
        if !self.page.slots().claim(ticket) {
            return;
        }
        fault!(CallClaimed);
        let mut frame = Vec::new();
        let is_announced = head.is_announced;
        if is_announced {
            put_message(&mut frame, Kind::Begun, &ticket, 0);
            self.send(&frame);
            fault!(BegunSent);
            frame.clear();
        }
        self.host.current.set(Some(ticket));
        self.mind_outcomes();
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
        let recorder = self.recorder.clone();
        let mut recorded = recorder.as_ref().and_then(|it| it.recorded());
        if recorded.is_some() {
            fault!(OutputRecorded);
        }
        let output = recorded.as_mut().map(|it| std::mem::take(&mut it.streams));
        let report =
            (output.is_some() || usage.is_some()).then(|| Box::new(Report { output, usage }));

        let (mut outcome, result) = match result.len() {
            length if length > self.configure.most => {
                let most = self.configure.most;
                let text = format!("it has {length} bytes, and {most} is the limit");
                (Outcome::NotTransferred(Stage::EncodeResult, text), Writer::default())
            }
            _ => (outcome, result),
        };
        let (result, parcel) = match result.finish() {
            Ok(bytes) => (bytes, None),
            Err(parcel) => (Vec::new(), Some(parcel)),
        };
        let is_awaited = parcel.as_ref().is_some_and(Parcel::is_new);
        if let (Outcome::Value(place), Some(parcel)) = (&mut outcome, &parcel) {
            *place = Where::Kept(parcel.place(is_awaited));
        }
        let is_too_large = self.configure.memory.is_some_and(|most| {
            let kept = self.kept() + parcel.as_ref().map_or(0, Parcel::reserved);
            limits::resident_bytes().is_some_and(|bytes| bytes.saturating_sub(kept as u64) > most)
        });
        let has_failed = how == Return::Failed;
        let [begun, nanoseconds] =
            [begun, duration].map(|it| u64::try_from(it.as_nanos()).unwrap_or(u64::MAX));
        let done =
            DoneHead { ticket, begun, nanoseconds, is_too_large, has_failed, report, outcome };
        frame.clear();
        put_message(&mut frame, Kind::Done, &done, result.len());
        if let Some(parcel) = &parcel {
            self.page.loans().lend(parcel.number());
            fault!(OutcomeLent);
        }
        if !is_awaited && self.page.outcomes().put(&frame, &result) {
            fault!(OutcomePut);
            self.is_untold = true;
            // Somebody minds its time, or it was long, and ringing hardly counts.
            if is_announced || duration >= LONG {
                self.tell();
            }
        } else {
            fault!(OutcomeSending);
            self.send(&frame);
            if !result.is_empty() {
                fault!(OutcomeHalfSent);
                self.send(&result);
            }
        }
        if let Some(mut parcel) = parcel {
            if is_awaited {
                self.wait_until_opened();
                fault!(OutcomeOpened);
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

    /// Memory that the parent has read may be used again, and what was not used for long goes back.
    /// When to look again, if at all.
    fn mind_outcomes(&mut self) -> Option<Duration> {
        let loans = self.page.loans();
        self.lent.retain(|parcel| loans.is_lent(parcel.number()));
        self.outcomes.give_back()
    }

    /// How much memory it has only because values travel through it.
    fn kept(&self) -> usize {
        let lent: usize = self.lent.iter().map(Parcel::reserved).sum();
        lent + self.outcomes.reserved() + self.arguments.mapped()
    }

    fn retire(&self) -> ! {
        fault!(Retiring);
        end_recording();
        if let (Some(code), Some(state)) = (self.configure.finalizer, code::take_state()) {
            task::contain(|| code::finalize(code, state));
        } else {
            task::contain(|| drop(code::take_state()));
        }
        fault!(Finalized);
        exit(0)
    }
}

/// Opens what the parent keeps of this worker's output.
fn record(parent: u32, Capture { ends, most }: Capture) -> io::Result<Arc<Recorder>> {
    refusal!(OutputOpening);
    fault!(OutputOpening);
    Recorder::open(parent, ends, most).map(Arc::new)
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
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let peak_memory = if self.peak_is_its_own { limits::peak_bytes() } else { None };
        Usage { nanoseconds, peak_memory }
    }
}

/// Reads what has come from the parent. Whether there was anything.
fn receive(link: &Link, page: &Page, reader: &mut FrameReader) -> io::Result<bool> {
    let space = reader.space();
    let most = short!(InboxTaken, space.len());
    let taken = page.inbox().take(&mut space[..most]);
    let (count, wants_room) =
        taken.map_err(|_| io::Error::other("its memory has been overwritten"))?;
    reader.filled(count);
    if count > 0 {
        fault!(InboxTaken);
    }
    if wants_room {
        link.send_all(&header(Kind::Look, 0))?;
    }
    Ok(count > 0)
}

/// Waits for the parent, for so long a time; may also return for no reason.
fn sleep(link: &Link, page: &Page, limit: Option<Duration>) -> io::Result<()> {
    check(link)?;
    page.inbox().sleep(limit);
    Ok(())
}

/// Whether the link to the parent is still there. A task may have closed it; then the parent takes this
/// process for dead, and it must not go on.
fn check(link: &Link) -> io::Result<()> {
    match link.try_receive(&mut [0]) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(_) => Err(io::Error::other("the parent says nothing this way")),
    }
}

fn or_end<T>(outcome: io::Result<T>) -> T {
    match outcome {
        Ok(outcome) => outcome,
        // So are the task's own children, in a moment.
        Err(error) if is_parent_gone(&error) => child::kill_own_group(),
        Err(error) => leave(&format!("it cannot go on with its parent: {error}")),
    }
}

fn is_parent_gone(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

/// Ends this process, and all that its tasks have started, when the parent is gone. Says when that does not
/// depend any more on which descriptors are open here.
fn watch(link: &Arc<Link>, parent: u32) -> io::Result<Receiver<()>> {
    let descriptor = child::descriptor_of(parent).ok();
    if child::parent_id() != parent {
        return Err(io::Error::other("the parent is gone"));
    }
    let link = Arc::clone(link);
    let (says, watched) = channel();
    let watch = move || {
        /// Also if the wait panics: nothing else would end this process with its parent.
        struct End;
        impl Drop for End {
            fn drop(&mut self) {
                child::kill_own_group();
            }
        }
        let _end = End;
        let descriptor = descriptor.as_ref().map(AsFd::as_fd);
        let kept: Vec<_> = [link.as_fd()].into_iter().chain(descriptor).collect();
        sys::keep_only(&kept);
        let _ = says.send(());
        if !sys::link::wait_for_parent_end(Some(&link), descriptor) {
            // They are not this thread's own, and a task has closed them. Its outcome may still come to the
            // parent.
            sys::link::wait_for_end_of(parent);
        }
    };
    child::without_signals(|| {
        crate::sync::thread::spawn("parent-watch".to_owned(), Some(64 << 10), watch)
    })?;
    Ok(watched)
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
        Err(error) => (Outcome::Panicked(Panic::of(&error)), Return::Failed),
    };
    (outcome, how, Writer::default())
}

/// What a task finds when it asks where it runs.
struct WorkerHost {
    page: Arc<Page>,
    current: Cell<Option<Ticket>>,
}

impl Host for WorkerHost {
    fn owner(&self) -> OwnerId {
        OwnerId::NOBODY
    }

    fn is_stopping(&self) -> bool {
        self.current.get().is_some_and(|ticket| self.page.slots().is_stop_requested(ticket))
    }
}
