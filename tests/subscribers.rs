//! Subscribers of `tracing` that do what a subscriber had better not do: no task is held up by one.

#![cfg(all(feature = "tracing", target_os = "linux"))]

mod common;

use common::{panic_quietly, within};
use concurrent_futures::{ProcessPoolExecutor, ThreadPoolExecutor};
use std::cell::Cell;
use std::sync::{LazyLock, Mutex, Once};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const MOMENTS: [&str; 6] = ["new", "record", "enter", "exit", "clone", "close"];

/// Does something once at a moment.
type Trap = Option<(&'static str, Box<dyn FnOnce() + Send>)>;

static TRAP: Mutex<Trap> = Mutex::new(None);

fn set(at: &'static str, what: impl FnOnce() + Send + 'static) {
    static SUBSCRIBED: Once = Once::new();
    SUBSCRIBED.call_once(|| tracing::subscriber::set_global_default(Odd).unwrap());
    *TRAP.lock().unwrap() = Some((at, Box::new(what)));
}

fn come(to: &str) {
    thread_local! { static IS_IN: Cell<bool> = const { Cell::new(false) } }
    let mut trap = TRAP.lock().unwrap();
    if !IS_IN.get()
        && let Some((_, what)) = trap.take_if(|it| it.0 == to)
    {
        drop(trap);
        IS_IN.set(true);
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(what));
        IS_IN.set(false);
        caught.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    }
}

struct Odd;

impl Subscriber for Odd {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        come("new");
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {
        come("record");
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {
        come("enter");
    }

    fn exit(&self, _: &Id) {
        come("exit");
    }

    fn clone_span(&self, id: &Id) -> Id {
        come("clone");
        id.clone()
    }

    fn try_close(&self, _: Id) -> bool {
        come("close");
        true
    }
}

static THREADS: LazyLock<ThreadPoolExecutor> =
    LazyLock::new(|| ThreadPoolExecutor::new(1).unwrap());
static PROCESSES: LazyLock<ProcessPoolExecutor> =
    LazyLock::new(|| ProcessPoolExecutor::new(1).unwrap());

/// A task of each pool, and one that is cancelled.
fn work() {
    assert_eq!(THREADS.spawn(|| 1).result().unwrap(), 1);
    assert_eq!(PROCESSES.spawn(|| 2).result().unwrap(), 2);
    let (gate, is_open) = std::sync::mpsc::channel::<()>();
    let busy = THREADS.spawn(move || is_open.recv().is_err());
    let queued = THREADS.spawn(|| 3).shared();
    let waits = queued.clone();
    let waits = std::thread::spawn(move || waits.wait());
    assert!(queued.cancel());
    waits.join().unwrap();
    drop(gate);
    assert!(busy.result().unwrap());
}

/// One after the other, for a program has one subscriber.
#[test]
fn no_task_is_held_up_by_a_subscriber() {
    within(|| {
        for moment in MOMENTS {
            set(moment, || panic_quietly(()));
            work();
            set(moment, || {
                assert!(THREADS.stats().workers + PROCESSES.stats().workers < 9);
            });
            work();
        }
    });
}
