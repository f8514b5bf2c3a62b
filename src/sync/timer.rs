//! Does something at a given time, on a thread of its own.
//!
//! The thread starts with the first alarm and ends when the timer is dropped. An alarm may end in
//! callbacks, which take their time and may even wait for a later alarm: if there is one, another
//! thread serves it meanwhile. A panic in an alarm is contained and costs no other.

use super::thread;
use super::{Arc, Condvar, Mutex};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

type Action = Box<dyn FnOnce() + Send>;

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
    /// A thread waits for the next alarm.
    is_served: bool,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    alarms: Mutex<Alarms>,
    changed: Condvar,
}

/// A set of alarms and the thread that serves it.
pub(crate) struct Timer {
    shared: Arc<Shared>,
}

impl Timer {
    pub(crate) fn new() -> Self {
        Timer { shared: Arc::default() }
    }

    /// Lets `action` happen at `at`, unless it is cancelled before. Fails if the thread for it
    /// cannot be started.
    pub(crate) fn set(
        &self,
        at: Instant,
        action: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<Alarm> {
        let mut alarms = self.shared.alarms.lock();
        if !alarms.is_served {
            start(&self.shared)?;
            alarms.is_served = true;
        }
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
}

/// Starts a thread that serves the alarms. It is not joined: the timer may be dropped by one of its
/// own alarms, and the thread holds nothing but the shared part, which says when it is over.
fn start(shared: &Arc<Shared>) -> std::io::Result<()> {
    let shared = Arc::clone(shared);
    thread::spawn("timer".to_owned(), None, move || serve(&shared)).map(drop)
}

fn serve(shared: &Arc<Shared>) {
    let mut alarms = shared.alarms.lock();
    loop {
        if alarms.closed {
            return;
        }
        let next = alarms.pending.first_key_value().map(|(alarm, _)| alarm.at);
        match next {
            Some(at) if at <= Instant::now() => {
                let action = alarms.pending.pop_first().map(|(_, action)| action);
                // If no thread can be started, this one comes back to the others.
                alarms.is_served = !alarms.pending.is_empty() && start(shared).is_ok();
                drop(alarms);
                if let Some(action) = action {
                    let _ = catch_unwind(AssertUnwindSafe(action));
                }
                alarms = shared.alarms.lock();
                if alarms.is_served {
                    return;
                }
                alarms.is_served = true;
            }
            deadline => alarms = shared.changed.wait_until(alarms, deadline).0,
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let pending = {
            let mut alarms = self.shared.alarms.lock();
            alarms.closed = true;
            std::mem::take(&mut alarms.pending)
        };
        self.shared.changed.notify_one();
        drop(pending);
    }
}

impl std::fmt::Debug for Timer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pending = self.shared.alarms.lock().pending.len();
        f.debug_struct("Timer").field("pending", &pending).finish()
    }
}
