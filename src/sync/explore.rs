//! What model tests are written with: the search itself, threads, and values that notice misuse.

use super::atomic::{AtomicUsize, Ordering, exclusive};
use super::thread;
use std::sync::Arc;
// What a model only counts with takes no part in the search.
use std::sync::atomic::AtomicUsize as Count;
use std::time::Duration;

/// A model that is not through by then ends there. The largest ones are not.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `body` once for every order of events in which at most `preemptions` times a thread is
/// interrupted where it need not be; without a limit for every order there is.
pub(crate) fn explore(
    preemptions: impl Into<Option<usize>>,
    body: impl Fn() + Send + Sync + 'static,
) {
    let orders = Arc::new(Count::new(0));
    let counter = Arc::clone(&orders);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions.into();
    builder.max_branches = 20_000;
    builder.max_duration.get_or_insert(PATIENCE);
    builder.check(move || {
        // ORDERING: relaxed; a count that guards nothing.
        counter.fetch_add(1, Ordering::Relaxed);
        body();
    });
    // ORDERING: relaxed, as above.
    println!("{} orders explored", orders.load(Ordering::Relaxed));
}

/// A thread of the model.
pub(crate) fn spawn(body: impl FnOnce() + Send + 'static) -> Thread {
    Thread(thread::spawn(String::new(), None, body).unwrap())
}

pub(crate) struct Thread(thread::JoinHandle<()>);

impl Thread {
    pub(crate) fn join(self) {
        self.0.join().unwrap();
    }
}

/// Counts what happens in one run of a model.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counter(Arc<Count>);

impl Counter {
    pub(crate) fn new() -> Self {
        Counter::default()
    }

    pub(crate) fn add(&self) {
        // ORDERING: relaxed; a count that guards nothing.
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> usize {
        // ORDERING: relaxed, as above.
        self.0.load(Ordering::Relaxed)
    }
}

/// Memory without any ordering of its own: what is written is read only by whoever has been told.
#[derive(Debug)]
pub(crate) struct Letter(AtomicUsize);

impl Letter {
    pub(crate) fn new() -> Self {
        Letter(AtomicUsize::new(0))
    }

    pub(crate) fn write(&self, value: usize) {
        // ORDERING: relaxed on purpose; the code under test is to publish it.
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> usize {
        // ORDERING: relaxed on purpose, as above.
        self.0.load(Ordering::Relaxed)
    }
}

/// Ends only after every read and write of it, or the model fails.
impl Drop for Letter {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            exclusive(&mut self.0);
        }
    }
}

/// A value that counts how often it is dropped, and that fails the model if somebody looks at it
/// meanwhile or without having been told of it.
#[derive(Debug)]
pub(crate) struct Witness {
    letter: Letter,
    drops: Counter,
}

impl Witness {
    pub(crate) fn new(drops: &Counter) -> Self {
        let letter = Letter::new();
        letter.write(WRITTEN);
        Witness { letter, drops: drops.clone() }
    }

    pub(crate) fn look(&self) {
        assert_eq!(self.letter.read(), WRITTEN, "looked at a value that is not there yet");
    }
}

const WRITTEN: usize = 42;

impl Drop for Witness {
    fn drop(&mut self) {
        self.drops.add();
    }
}
