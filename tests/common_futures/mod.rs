//! What the tests of futures share: a bound that only a hang can reach, tasks that wait until they
//! are let go, futures in every state, and values that count how often they are dropped.

// Each test crate uses a part of this.
#![allow(dead_code)]

use concurrent_futures::{Future, Promise, ThreadPoolExecutor};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Far longer than anything here takes: only what hangs needs it.
pub(crate) const BOUND: Duration = Duration::from_secs(60);

/// Runs a test, and fails it if it hangs.
pub(crate) fn within<R: Send + 'static>(test: impl FnOnce() -> R + Send + 'static) -> R {
    let (ended, has_ended) = channel();
    let thread = std::thread::spawn(move || {
        let result = test();
        // Sent only at the end: a test that panics closes the channel instead.
        let _ = ended.send(());
        result
    });
    if has_ended.recv_timeout(BOUND) == Err(RecvTimeoutError::Timeout) {
        panic!("hangs: nothing for {BOUND:?}");
    }
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// A pool of so many threads.
pub(crate) fn pool(max_workers: usize) -> ThreadPoolExecutor {
    ThreadPoolExecutor::new(max_workers).expect("the number of workers is positive")
}

/// A task that has begun, and goes on when it is let go (or when this is dropped).
pub(crate) struct Occupied {
    /// Gives 0 when it is let go.
    pub(crate) future: Future<u32>,
    release: Sender<()>,
}

impl Occupied {
    /// Lets the task go on, and waits for it.
    pub(crate) fn release(self) {
        drop(self.release);
        assert_eq!(self.future.result().expect("it only waits"), 0);
    }
}

/// Keeps one worker of the pool busy.
pub(crate) fn occupy(pool: &ThreadPoolExecutor) -> Occupied {
    let (release, released) = channel::<()>();
    let (future, has_begun) = begun(pool, move || {
        let _ = released.recv();
        0
    });
    has_begun.recv().expect("the task begins");
    Occupied { future, release }
}

/// A task, and what tells that it has begun.
pub(crate) fn begun<R: Send + 'static>(
    pool: &ThreadPoolExecutor,
    task: impl FnOnce() -> R + Send + 'static,
) -> (Future<R>, Receiver<()>) {
    let (begins, has_begun) = channel();
    let future = pool.spawn(move || {
        begins.send(()).expect("the test waits for it");
        task()
    });
    (future, has_begun)
}

/// Something to wait at until it is opened, for good and for all.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub(crate) fn pass(&self) {
        let is_closed = |open: &mut bool| !*open;
        drop(self.0.1.wait_while(self.0.0.lock().unwrap(), is_closed).unwrap());
    }
}

/// A future whose promise has begun.
pub(crate) fn running() -> (Promise<u32>, Future<u32>) {
    let (mut promise, future) = Promise::new();
    assert_eq!(promise.set_running_or_notify_cancel(), Ok(true));
    (promise, future)
}

/// A future that is done with a value.
pub(crate) fn finished(value: u32) -> Future<u32> {
    let (mut promise, future) = Promise::new();
    promise.set_result(value).expect("it is pending");
    future
}

/// A future that has failed with an [`OutOfPaper`].
pub(crate) fn failed() -> Future<u32> {
    let (mut promise, future) = Promise::new();
    promise.set_exception(OutOfPaper).expect("it is pending");
    future
}

/// A future that was cancelled.
pub(crate) fn cancelled() -> Future<u32> {
    let (_promise, future) = Promise::new();
    assert!(future.cancel());
    future
}

/// An error that only these tests have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutOfPaper;

impl std::fmt::Display for OutOfPaper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("out of paper")
    }
}

impl std::error::Error for OutOfPaper {}

/// Counts how often the values that it makes are dropped.
#[derive(Clone, Default, Debug)]
pub(crate) struct Drops(Arc<AtomicUsize>);

impl Drops {
    pub(crate) fn value(&self) -> Counted {
        Counted(self.clone())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A value whose drop is counted.
#[derive(Debug)]
pub(crate) struct Counted(Drops);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Tells on which thread it is dropped.
pub(crate) struct Tells(pub(crate) Sender<std::thread::ThreadId>);

impl Drop for Tells {
    fn drop(&mut self) {
        let _ = self.0.send(std::thread::current().id());
    }
}

/// Waits at a gate when it is dropped, after it has told that it is being dropped.
pub(crate) struct DropsAtGate(pub(crate) Sender<()>, pub(crate) Gate);

impl Drop for DropsAtGate {
    fn drop(&mut self) {
        let _ = self.0.send(());
        self.1.pass();
    }
}
