//! The worker: what this executable is when it was started by a pool.
//!
//! It takes calls out of its [`inbox`](crate::process::page::inbox), claims each before it begins it (see
//! [`slots`](crate::process::page::slots)), and puts its outcome into the memory that it shares with its parent, or
//! sends it, before it claims the next, so that a death costs one call and no other. A thread beside it
//! watches for the end of the parent, and then ends the whole process group.

pub(crate) mod bootstrap;
mod call;
mod parent;

use self::parent::{check, or_end, receive, sleep, watch};
use crate::process::own::{self, Mark};
use crate::process::page::Page;
use crate::process::page::loans::LOANS;
use crate::process::page::slots::Ticket;
use crate::process::payload::{Opened, Parcel, Store};
use crate::process::shared;
use crate::process::wire::code;
use crate::process::wire::frame::{FrameReader, Kind, header};
use crate::process::wire::message::{
    Capture, Configure, Hello, NotReady, PROTOCOL, Panic, Ready, cut, put_message, read_message,
};
use crate::sync::{Arc, Spin};
use crate::sys::capture::{Recorder, end_recording};
use crate::sys::{self, Link, child, fault, image, limits, refusal};
use crate::task::{self, Host, OwnerId};
use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::process::exit;
use std::rc::Rc;
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
    /// It begins nothing more.
    is_spent: bool,
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
        watched.wait();
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
            is_spent: false,
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

    /// Waits until the parent has taken what was not in the last frame. What else it says is put aside.
    fn wait_until_taken(&mut self) {
        loop {
            match self.read_frame() {
                Some((Kind::Taken, _)) => return,
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
