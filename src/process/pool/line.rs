//! The parent's side of one worker: its process, the socket to it, and what is to be written to it.

use super::job::Finished;
use crate::error::{DeathCause, WorkerDeath};
use crate::process::machine::WorkerId;
use crate::process::page::Page;
use crate::process::page::inbox::Inbox;
use crate::process::payload::{Bytes, Opened, Payload};
use crate::process::wire::frame::{self, FrameReader, HEADER, Kind, Violation};
use crate::process::wire::message::{self, CallHead};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Mutex};
use crate::sys::capture::Transcript;
use crate::sys::child::{Child, Ended, Signal, signal_name};
use crate::sys::{Bell, Link, fault, limits, wait_for};
use crate::timeline::Lane;
use serde::Serialize;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;

/// Bytes on their way to a worker.
enum Piece {
    Own(Vec<u8>),
    /// A large argument, which is not copied.
    Shared(Arc<Bytes>),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Piece::Own(bytes) => bytes,
            Piece::Shared(bytes) => bytes,
        }
    }
}

/// Small frames are gathered up to about this length, so that one write carries many.
const GATHERED: usize = 32 << 10;

#[derive(Default)]
struct Outbox {
    pieces: VecDeque<Piece>,
    /// How many bytes of the first piece have been written.
    written: usize,
}

impl Outbox {
    /// Where the next frame goes that has about so many bytes.
    fn space(&mut self, bytes: usize) -> &mut Vec<u8> {
        let has_room = |last: &Vec<u8>| last.len() + bytes <= GATHERED;
        if !matches!(self.pieces.back(), Some(Piece::Own(last)) if has_room(last)) {
            self.pieces.push_back(Piece::Own(Vec::new()));
        }
        match self.pieces.back_mut() {
            Some(Piece::Own(last)) => last,
            _ => unreachable!("the last piece is of this kind"),
        }
    }

    /// Whether anything was put in.
    fn write(&mut self, inbox: &Inbox) -> bool {
        let mut has_put = false;
        while let Some(first) = self.pieces.front_mut() {
            let bytes = &first.bytes()[self.written..];
            let count = inbox.put(bytes);
            has_put |= count > 0;
            if count < bytes.len() {
                self.written += count;
                return has_put;
            }
            self.written = 0;
            // Its memory is used again.
            if let (1, Some(Piece::Own(last))) = (self.pieces.len(), self.pieces.front_mut()) {
                last.clear();
                break;
            }
            self.pieces.pop_front();
        }
        has_put
    }
}

/// How long a process may take that shows signs of its end.
const EXIT_LIMIT: Duration = Duration::from_secs(2);

/// What a look at the worker has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Bytes have come, and there may be more.
    Bytes,
    /// The last of the bytes have come that are there.
    LastBytes,
    /// Nothing has come; there may be more later.
    Nothing,
    /// Nothing will come any more.
    End,
}

/// What a line is made of, besides its process.
pub(crate) struct Means {
    pub(crate) page: Page,
    pub(crate) link: Link,
    pub(crate) bell: Bell,
    pub(crate) transcript: Option<Transcript>,
}

pub(crate) struct Line {
    pub(crate) worker: WorkerId,
    pub(crate) index: usize,
    pub(crate) page: Arc<Page>,
    /// Where to record what the worker does.
    pub(crate) lane: Option<Arc<Lane>>,
    /// The worker's memory for large outcomes.
    pub(crate) outcomes: Opened,
    /// What its calls write, if that is kept.
    pub(crate) transcript: Option<Transcript>,
    link: Link,
    bell: Bell,
    child: Child,
    outbox: Mutex<Outbox>,
    pub(crate) reader: Mutex<FrameReader>,
    /// What came through shared memory. Apart from the other, in which a frame may be half read.
    pub(crate) ring_reader: Mutex<FrameReader>,
    /// Tasks that are over, in the order in which their futures are to be told.
    pub(crate) finished: Mutex<VecDeque<Finished>>,
    /// Counts the threads that have served this line: the last one does, and no other.
    turn: AtomicUsize,
    /// Not zero if a thread that waits for a call looks for its outcome.
    attended: AtomicUsize,
    /// Not zero if the line's thread minds the time since it has heard something.
    armed: AtomicUsize,
    memory_kills: Option<u64>,
    /// What the worker has done that no worker does, for which it was ended.
    accusation: Mutex<Option<String>>,
}

impl Line {
    pub(crate) fn new(
        worker: WorkerId,
        index: usize,
        Means { page, link, bell, transcript }: Means,
        child: Child,
        most: usize,
    ) -> Line {
        Line {
            worker,
            index,
            page: Arc::new(page),
            lane: None,
            outcomes: Opened::new(child.id()),
            transcript,
            link,
            bell,
            child,
            outbox: Mutex::new(Outbox::default()),
            reader: Mutex::new(FrameReader::new(most)),
            ring_reader: Mutex::new(FrameReader::new(most)),
            finished: Mutex::new(VecDeque::new()),
            turn: AtomicUsize::new(0),
            attended: AtomicUsize::new(0),
            armed: AtomicUsize::new(0),
            memory_kills: limits::memory_kills(),
            accusation: Mutex::new(None),
        }
    }

    /// Whether the worker's process has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.child.has_ended_within(Some(Duration::ZERO))
    }

    /// The same, for one that shows the signs of it. Waits for it, but not for long.
    pub(crate) fn ends_soon(&self) -> bool {
        self.child.has_ended_within(Some(EXIT_LIMIT))
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    // ---- writing ----------------------------------------------------------------------------

    /// Puts a frame without a body behind what is to be written.
    pub(crate) fn push(&self, kind: Kind) {
        frame::put(self.outbox.lock().space(HEADER), kind, &[], 0);
    }

    pub(crate) fn push_message(&self, kind: Kind, message: &impl Serialize) {
        message::put_message(self.outbox.lock().space(HEADER), kind, message, 0);
    }

    /// The same for a call.
    pub(crate) fn push_call(&self, head: &CallHead, argument: &Payload) {
        let mut outbox = self.outbox.lock();
        match argument {
            Payload::Short(bytes) => {
                let buffer = outbox.space(bytes.len());
                message::put_message(buffer, Kind::Call, head, bytes.len());
                buffer.extend_from_slice(bytes);
            }
            Payload::Long(bytes) => {
                message::put_message(outbox.space(0), Kind::Call, head, bytes.len());
                outbox.pieces.push_back(Piece::Shared(Arc::clone(bytes)));
            }
            Payload::Kept(_) => {
                message::put_message(outbox.space(HEADER), Kind::Call, head, 0);
            }
        }
    }

    /// Writes what there is room for, and wakes the worker if it sleeps. The rest is written when the
    /// worker has made room, by the line's own thread, which is then rung for.
    pub(crate) fn flush(&self) {
        let has_put = self.outbox.lock().write(self.page.inbox());
        if has_put {
            fault!(InboxWritten);
            self.page.inbox().wake();
            fault!(WorkerWoken);
        }
    }

    // ---- reading ----------------------------------------------------------------------------

    /// Reads what has come, without blocking.
    pub(crate) fn hear(&self) -> Heard {
        let mut reader = self.reader.lock();
        loop {
            let space = reader.space();
            let room = space.len();
            return match self.link.try_receive(space) {
                Ok(0) => Heard::End,
                Ok(count) => {
                    reader.filled(count);
                    fault!(LinkReceiving);
                    if count < room { Heard::LastBytes } else { Heard::Bytes }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Heard::Nothing,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => Heard::End,
            };
        }
    }

    /// Takes the outcomes that the worker has put in. Whether there was anything.
    pub(crate) fn look(&self) -> Result<bool, Violation> {
        self.take_outcomes(&mut self.ring_reader.lock())
    }

    /// The same, for a thread that holds its reader.
    pub(crate) fn take_outcomes(&self, reader: &mut FrameReader) -> Result<bool, Violation> {
        let overfull = |_| Violation::Nonsense("having more in the ring than it holds");
        let found = self.page.outcomes().len().map_err(overfull)?;
        let mut left = found;
        while left > 0 {
            let space = reader.space();
            let most = space.len().min(left);
            let count = self.page.outcomes().take(&mut space[..most]).map_err(overfull)?;
            reader.filled(count);
            left -= count;
            if count == 0 {
                break;
            }
        }
        if found > 0 {
            fault!(OutcomesTaken);
        }
        Ok(found > 0)
    }

    /// Blocks until something can be read or the bell has been rung, or the process has ended, or the
    /// time is up. Whether it has ended.
    pub(crate) fn wait(&self, limit: Option<Duration>) -> bool {
        match wait_for(&self.link, &self.bell, &self.child, limit) {
            Ok(ready) => {
                if ready.rung {
                    self.bell.silence();
                }
                ready.ended
            }
            // Only for want of memory: try again.
            Err(_) => {
                crate::sync::thread::yield_now();
                false
            }
        }
    }

    // ---- attendance -------------------------------------------------------------------------

    /// This thread looks for outcomes from now on; false if another one does.
    pub(crate) fn attend(&self) -> bool {
        // ORDERING: acquire pairs with the release in `end_attendance`: the other one has left.
        let begins = self.attended.swap(1, Ordering::Acquire) == 0;
        if begins {
            self.page.outcomes().attend();
        }
        begins
    }

    pub(crate) fn end_attendance(&self) {
        // ORDERING: release pairs with the acquire in `attend`.
        self.attended.store(0, Ordering::Release);
    }

    /// Leaves futures that are to be told to the line's thread.
    pub(crate) fn leave_to_its_thread(&self, finished: VecDeque<Finished>) {
        if !finished.is_empty() {
            self.finished.lock().extend(finished);
            self.bell.ring();
        }
    }

    // ---- silence ----------------------------------------------------------------------------

    /// The line's thread minds the time from now on.
    pub(crate) fn arm(&self) {
        // ORDERING: release pairs with the acquire in `is_armed`; nothing else is told by it.
        self.armed.store(1, Ordering::Release);
    }

    pub(crate) fn disarm(&self) {
        // ORDERING: release pairs with the acquire in `is_armed`.
        self.armed.store(0, Ordering::Release);
    }

    pub(crate) fn is_armed(&self) -> bool {
        // ORDERING: acquire pairs with the release in `arm` and `disarm`.
        self.armed.load(Ordering::Acquire) != 0
    }

    /// Sees that the line's thread minds the time, since something waits behind a call.
    pub(crate) fn mind(&self) {
        if !self.is_armed() {
            self.arm();
            self.bell.ring();
        }
    }

    // ---- turns ------------------------------------------------------------------------------

    pub(crate) fn turn(&self) -> usize {
        // ORDERING: acquire pairs with the release in `set_turn`: what the thread before has read
        // and not used is in `reader`, behind its lock.
        self.turn.load(Ordering::Acquire)
    }

    pub(crate) fn set_turn(&self, turn: usize) {
        // ORDERING: release pairs with the acquire in `turn`.
        self.turn.store(turn, Ordering::Release);
    }

    // ---- ending -----------------------------------------------------------------------------

    /// Ends the worker's process and all that it has started, politely or not.
    pub(crate) fn signal(&self, signal: Signal) {
        fault!(Signalling);
        self.child.signal_group(signal);
    }

    /// Ends the process because it does what no worker does.
    pub(crate) fn accuse(&self, of: String) {
        self.accusation.lock().get_or_insert(of);
        self.signal(Signal::Kill);
    }

    /// Waits for the end of the process after that of its link, and brings it about if it does not
    /// come.
    pub(crate) fn await_end(&self) {
        if !self.child.has_ended_within(Some(EXIT_LIMIT)) {
            self.accuse("closing its connection".to_owned());
            self.child.has_ended_within(None);
        }
    }

    /// Waits for the process, which has ended or is ended here, and for nothing else. How it ended.
    pub(crate) fn bury(&self, was_ended_by_pool: bool) -> WorkerDeath {
        self.await_end();
        // What the task has started ends with it. The group's number is not given to anyone else as
        // long as the process has not been waited for.
        self.signal(Signal::Kill);
        fault!(Burying);
        let ended = self.child.wait();
        fault!(Buried);
        let accusation = self.accusation.lock().take();
        let cause = match (accusation, ended) {
            (Some(what), _) => DeathCause::BrokeProtocol(what),
            (None, _) if was_ended_by_pool => DeathCause::Ended,
            (None, Ended::Exited(code)) => DeathCause::Exited { code },
            (None, Ended::Signalled { number, core_dumped }) => {
                DeathCause::Signalled { number, name: signal_name(number), core_dumped }
            }
            (None, Ended::Unknown) => DeathCause::Unknown,
        };
        let was_killed = matches!(cause, DeathCause::Signalled { name: Some("SIGKILL"), .. });
        let memory_kills = limits::memory_kills();
        let may_be_memory_kill = was_killed
            && matches!((self.memory_kills, memory_kills), (Some(then), Some(now)) if now > then);
        WorkerDeath {
            worker_index: self.index,
            process_id: self.process_id(),
            cause,
            may_be_memory_kill,
        }
    }
}
