//! Values whose drops are counted, told, held up, or panic.

use super::{Latch, panic_quietly};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;

/// Counts how many [`Token`]s it has made, and how many of them have been dropped.
#[derive(Clone, Default, Debug)]
pub(crate) struct Drops(Arc<Counts>);

#[derive(Default, Debug)]
struct Counts {
    made: AtomicUsize,
    dropped: AtomicUsize,
}

impl Drops {
    pub(crate) fn new() -> Self {
        Drops::default()
    }

    pub(crate) fn made(&self) -> usize {
        self.0.made.load(Ordering::SeqCst)
    }

    /// How many have been dropped.
    pub(crate) fn count(&self) -> usize {
        self.0.dropped.load(Ordering::SeqCst)
    }

    pub(crate) fn token(&self) -> Token {
        self.issue(false)
    }

    /// A token whose drop panics, after it has been counted.
    pub(crate) fn panicking_token(&self) -> Token {
        self.issue(true)
    }

    fn issue(&self, panics: bool) -> Token {
        self.0.made.fetch_add(1, Ordering::SeqCst);
        Token { drops: self.clone(), panics }
    }
}

/// A value whose drop is counted.
#[derive(Debug)]
pub(crate) struct Token {
    drops: Drops,
    panics: bool,
}

impl Drop for Token {
    fn drop(&mut self) {
        self.drops.0.dropped.fetch_add(1, Ordering::SeqCst);
        if self.panics {
            panic_quietly(());
        }
    }
}

/// Something that panics when it is dropped.
pub(crate) struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("a drop that panics");
        }
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
pub(crate) struct DropsAtGate(pub(crate) Sender<()>, pub(crate) Latch);

impl Drop for DropsAtGate {
    fn drop(&mut self) {
        let _ = self.0.send(());
        self.1.pass();
    }
}
