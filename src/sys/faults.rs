//! Faults that a test asks for, at each step that a call takes from one process to another and back.
//!
//! The steps are marked in the code by `fault!`, `refusal!` and `short!`, which are nothing at all but in the
//! unit tests of this crate: no build of a user's knows of them, and no option, feature or flag does. What is
//! to happen, and at which step, stands in an environment variable, which a program hands on to its workers.
//! The sweep (`tests/sweep`) runs a program once for each step and each thing that can happen there.

use super::child::kill_own_group;
use crate::sync::global::OnceLock;
use rustix::process::{Pid, Signal, kill_process};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where the faults stand that a process is to have: a folder, and a [`Fault`] in each line after it.
pub(crate) const VARIABLE: &str = "CONCURRENT_FUTURES_FAULTS";

macro_rules! names {
    ($(#[$of:meta])* $name:ident { $($(#[$about:meta])* $one:ident)* }) => {
        $(#[$of])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum $name {
            $($(#[$about])* $one),*
        }

        impl $name {
            const ALL: &[$name] = &[$($name::$one),*];
        }

        impl FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                Self::ALL.iter().copied().find(|it| format!("{it:?}") == text).ok_or(())
            }
        }
    };
}

names! {
    /// A step. The first ones are the worker's, from `ThreadStarting` on they are the parent's.
    Point {
        /// The worker knows that it is one.
        Marked
        /// It has the link to its parent.
        Linked
        /// It watches for its parent's end.
        Watching
        /// It is about to open the page.
        PageOpening
        /// It is about to open what its parent keeps of its output.
        OutputOpening
        /// It has told its parent who it is.
        HelloSent
        /// It knows what it is to be.
        Configured
        /// It is about to call the initializer.
        Initializing
        /// It has called it.
        Initialized
        /// It has told its parent that it can take calls.
        ReadySent
        /// It has nothing to do, and is about to sleep.
        Idle
        /// It has taken bytes out of its inbox.
        InboxTaken
        /// It has read a call, and not claimed it.
        CallRead
        /// It has claimed the call.
        CallClaimed
        /// It has told its parent that the call has begun.
        BegunSent
        /// It is about to open the memory of a large argument.
        ArgumentOpening
        /// It is about to enter the function.
        CallEntered
        /// The function has returned, and its value is encoded.
        CallReturned
        /// What the call has written is in the files.
        OutputRecorded
        /// The outcome is on its way, and what the call has written has been forgotten.
        OutputForgotten
        /// It has lent the memory of a large outcome.
        OutcomeLent
        /// It has put an outcome into the ring, and not rung.
        OutcomePut
        /// It has rung.
        BellRung
        /// It is about to send an outcome through the socket.
        OutcomeSending
        /// It has sent what stands before a result, and not the result.
        OutcomeHalfSent
        /// Its parent has taken what was not in the frame: a large outcome, or long output.
        OutcomeTaken
        /// It was told to leave.
        Retiring
        /// It has called the finalizer.
        Finalized
        /// Bytes of the worker's go through the socket.
        LinkSending

        /// The parent is about to start the thread beside a worker.
        ThreadStarting
        /// It is about to make the page, what keeps the output, the link and the bell.
        PageMaking
        TranscriptMaking
        LinkMaking
        BellMaking
        /// It is about to start the process.
        ProcessStarting
        /// It has started it, and is about to open its descriptor.
        ProcessStarted
        /// The line is known to the pool.
        Connected
        /// It has read what a worker says of itself, of being up, of having begun a call.
        HelloRead
        ReadyRead
        BegunRead
        /// A task stands in the books.
        TaskEntered
        /// A call may be claimed, and is not in the outbox.
        CallOffered
        /// It is in the outbox.
        CallPushed
        /// It is in the inbox, and its worker may sleep.
        InboxWritten
        /// Its worker has been woken.
        WorkerWoken
        /// A call that had been sent was kept from beginning.
        CallTakenBack
        /// Bytes have come through the socket.
        LinkReceiving
        /// Outcomes have been taken out of the ring.
        OutcomesTaken
        /// It is about to map the memory of a large outcome.
        OutcomeMapping
        /// The worker may go on after that.
        TakenPushed
        /// Outcomes stand in the books, and no future knows of them.
        OutcomesBooked
        /// A future is about to end, and has ended.
        FutureEnding
        FutureEnded
        /// A call was asked to stop.
        StopRequested
        /// A worker's process is about to be sent a signal.
        Signalling
        /// The other end of a link is closed.
        LinkEnded
        /// A process has ended and not been waited for, or been waited for.
        Burying
        Buried
        /// What it has written has been read.
        TranscriptRead
        /// The books know that a worker is gone.
        DeathBooked
        /// A worker is told to leave.
        RetirePushed
        /// The pool has been closed.
        PoolClosed
        /// Somebody waits until it is gone; it is; its threads are.
        AwaitingGone
        PoolGone
        ThreadsJoined

        /// Either side is about to take memory for a large value.
        ValueStoring
    }
}

names! {
    /// What happens there.
    Kind {
        /// The process is killed.
        Kill
        /// The process exits.
        Exit
        /// The process is stopped, until somebody lets it go on.
        Stop
        /// All descriptors of the process are closed.
        Close
        /// The process's parent is killed.
        KillParent
        /// The thread pauses for longer than most things take.
        Pause
        /// The system refuses what it is asked for.
        Refuse
        /// Only one byte is read or written at a time.
        Short
    }
}

impl Point {
    pub(crate) fn all() -> impl Iterator<Item = Point> {
        Point::ALL.iter().copied()
    }

    pub(crate) fn is_of_worker(self) -> bool {
        self < Point::ThreadStarting
    }
}

/// One fault, as it is written into the variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) point: Point,
    pub(crate) kind: Kind,
    /// It happens once, after the point has been passed so often by all processes; or each time.
    pub(crate) after: Option<usize>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Fault { point, kind, after } = self;
        match after {
            Some(after) => write!(f, "{point:?} {kind:?} {after}"),
            None => write!(f, "{point:?} {kind:?} always"),
        }
    }
}

impl FromStr for Fault {
    type Err = ();

    fn from_str(text: &str) -> Result<Fault, ()> {
        let words: Vec<&str> = text.split(' ').collect();
        let [point, kind, after] = words[..] else { return Err(()) };
        Ok(Fault { point: point.parse()?, kind: kind.parse()?, after: after.parse().ok() })
    }
}

struct Plan {
    folder: PathBuf,
    faults: Vec<Fault>,
}

fn plan() -> Option<&'static Plan> {
    static PLAN: OnceLock<Option<Plan>> = OnceLock::new();
    let read = || {
        let text = std::env::var(VARIABLE).ok()?;
        let (folder, faults) = text.split_once('\n')?;
        let faults = faults.lines().map(|it| it.parse().expect("a fault")).collect();
        Some(Plan { folder: folder.into(), faults })
    };
    PLAN.get_or_init(read).as_ref()
}

/// The file that is there once a fault has happened. It holds the number of the process.
pub(crate) fn trace(folder: &Path, fault: &Fault) -> PathBuf {
    folder.join(fault.to_string().replace(' ', "-"))
}

/// What happens at this step, now, if it is one of these things.
fn due(point: Point, among: impl Fn(Kind) -> bool) -> Option<Kind> {
    let plan = plan()?;
    let fault = plan.faults.iter().find(|it| it.point == point && among(it.kind))?;
    is_due(plan, fault).then_some(fault.kind)
}

/// Whether it is this process's turn. The processes of a program count together, by making files.
fn is_due(plan: &Plan, fault: &Fault) -> bool {
    let trace = trace(&plan.folder, fault);
    let leave = |mut file: File| file.write_all(format!("{}\n", std::process::id()).as_bytes());
    let Some(after) = fault.after else {
        if !trace.exists() {
            File::create(&trace).and_then(leave).expect("the folder is there");
        }
        return true;
    };
    if trace.exists() {
        return false;
    }
    let make = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path);
    for passed in 0..after {
        if make(&trace.with_extension(passed.to_string())).is_ok() {
            return false;
        }
    }
    make(&trace).and_then(leave).is_ok()
}

/// A step is taken.
pub(crate) fn at(point: Point) {
    let Some(kind) = due(point, |it| ![Kind::Refuse, Kind::Short].contains(&it)) else { return };
    let own = rustix::process::getpid();
    let send = |to: Option<Pid>, signal| {
        to.and_then(|to| kill_process(to, signal).ok()).expect("the process is there");
    };
    match kind {
        Kind::Kill => {
            send(Some(own), Signal::KILL);
            kill_own_group();
        }
        Kind::Exit => std::process::exit(3),
        Kind::Stop => send(Some(own), Signal::STOP),
        Kind::Close => close_all(),
        Kind::KillParent => send(rustix::process::getppid(), Signal::KILL),
        Kind::Pause => pause(),
        Kind::Refuse | Kind::Short => {}
    }
}

/// Something is asked of the system.
pub(crate) fn refuse(point: Point) -> io::Result<()> {
    match due(point, |it| it == Kind::Refuse) {
        Some(_) => Err(rustix::io::Errno::MFILE.into()),
        None => Ok(()),
    }
}

/// So many bytes are to be read or written at most.
pub(crate) fn shorten(point: Point, most: usize) -> usize {
    match due(point, |it| it == Kind::Short) {
        Some(_) => most.min(1),
        None => most,
    }
}

/// As a task could do it.
fn close_all() {
    // SAFETY: it takes plain numbers. Whoever has one of the descriptors gets errors from then on, or
    // another file, which is what is to be seen.
    unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) };
}

fn pause() {
    let pause = rustix::thread::Timespec { tv_sec: 0, tv_nsec: 15_000_000 };
    let _ = rustix::thread::nanosleep(&pause);
}
