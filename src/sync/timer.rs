//! Does something at a given time, on a thread of its own.
//!
//! The thread starts with the first alarm and ends when the timer is dropped. Alarms may do only
//! short things of ours that never block. A panic in one costs no other alarm, and is told to whoever
//! has the timer: what the alarm was to do has perhaps not been done.

use super::thread::{self, JoinHandle};
use super::{Arc, Condvar, Mutex};
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

type Action = Box<dyn FnOnce() + Send>;

/// What a panic has thrown.
type Payload = Box<dyn Any + Send>;

/// Names one alarm of one timer: its time, and a number that no other alarm has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Alarm {
    at: Instant,
    number: u64,
}

#[derive(Default)]
struct Alarms {
    pending: BTreeMap<Alarm, Action>,
    issued: u64,
    closed: bool,
}

struct Shared {
    alarms: Mutex<Alarms>,
    changed: Condvar,
    /// Told of a panic in an alarm, on the timer's thread.
    on_panic: Box<dyn Fn(Payload) + Send + Sync>,
}

/// A set of alarms and the thread that serves it.
pub(crate) struct Timer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Timer {
    pub(crate) fn new(on_panic: impl Fn(Payload) + Send + Sync + 'static) -> Self {
        let shared = Shared {
            alarms: Mutex::default(),
            changed: Condvar::default(),
            on_panic: Box::new(on_panic),
        };
        Timer { shared: Arc::new(shared), thread: Mutex::new(None) }
    }

    /// Lets `action` happen at `at`, unless it is cancelled before. Fails if the thread for it
    /// cannot be started.
    pub(crate) fn set(
        &self,
        at: Instant,
        action: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<Alarm> {
        self.start()?;
        let mut alarms = self.shared.alarms.lock();
        alarms.issued += 1;
        let number = alarms.issued;
        let alarm = Alarm { at, number };
        alarms.pending.insert(alarm, Box::new(action));
        let is_first = alarms.pending.first_key_value().map(|(first, _)| first) == Some(&alarm);
        drop(alarms);
        if is_first {
            self.shared.changed.notify_one();
        }
        Ok(alarm)
    }

    /// Forgets an alarm; one that has already gone off is forgotten anyway.
    pub(crate) fn cancel(&self, alarm: Alarm) {
        let action = self.shared.alarms.lock().pending.remove(&alarm);
        drop(action);
    }

    /// Starts the thread, if there is none yet. If it is there, alarms can be set without fail.
    pub(crate) fn start(&self) -> std::io::Result<()> {
        let mut thread = self.thread.lock();
        if thread.is_none() {
            let shared = Arc::clone(&self.shared);
            *thread = Some(thread::spawn("timer".to_owned(), None, move || serve(&shared))?);
        }
        Ok(())
    }
}

fn serve(shared: &Shared) {
    let mut alarms = shared.alarms.lock();
    loop {
        if alarms.closed {
            return;
        }
        let next = alarms.pending.first_key_value().map(|(alarm, _)| alarm.at);
        match next {
            Some(at) if at <= Instant::now() => {
                let action = alarms.pending.pop_first().map(|(_, action)| action);
                drop(alarms);
                if let Some(action) = action
                    && let Err(payload) = catch_unwind(AssertUnwindSafe(action))
                    && let Err(again) =
                        catch_unwind(AssertUnwindSafe(|| (shared.on_panic)(payload)))
                {
                    // It may panic once more when it is dropped.
                    std::mem::forget(again);
                }
                alarms = shared.alarms.lock();
            }
            deadline => alarms = shared.changed.wait_until(alarms, deadline).0,
        }
    }
}

impl Timer {
    /// Forgets all alarms, and lets the thread end. Not joined: its thread may be the one that
    /// calls this, and it holds nothing but the shared part, which says that it is over.
    pub(crate) fn close(&self) {
        let pending = {
            let mut alarms = self.shared.alarms.lock();
            alarms.closed = true;
            std::mem::take(&mut alarms.pending)
        };
        self.shared.changed.notify_one();
        drop(pending);
        drop(self.thread.lock().take());
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for Timer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pending = self.shared.alarms.lock().pending.len();
        f.debug_struct("Timer").field("pending", &pending).finish()
    }
}
