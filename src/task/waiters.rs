//! Who wants to hear that a task is done.
//!
//! The list stands behind a small lock of its own that nobody touches unless somebody waits. A
//! waiter announces itself in the state word and enters the list in one critical section; the one
//! that ends the task reads the announcement in its own change of the word and then takes the
//! list, so an entry is told exactly once or was never made. Nothing is called under the lock.

use super::cell::Header;
use crate::sync::{Arc, Mutex};
use std::ptr::NonNull;
use std::task::Waker;

/// Something of ours that is told about a task by a number of its own choosing.
pub(crate) trait Observer: Send + Sync {
    /// Never blocks and calls nobody else's code; a waker that is to be woken is given back.
    #[must_use]
    fn notify(&self, key: u32) -> Option<Waker>;
}

impl Observer for crate::sync::Parker {
    fn notify(&self, _key: u32) -> Option<Waker> {
        self.unpark();
        None
    }
}

/// The two moments that can be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The task is done, and callbacks may still be looking at its outcome.
    Done,
    /// The outcome may be taken.
    Settled,
}

/// Called with the task once it is done.
pub(crate) type Callback = Box<dyn FnOnce(NonNull<Header>) + Send>;

pub(crate) enum Waiter {
    Done(Arc<dyn Observer>, u32),
    Settled(Arc<dyn Observer>, u32),
    /// The waker of an asynchronous task, and which of several handles it waits through.
    Waker(Waker, u32),
    Callback(Callback),
    /// Takes the outcome in its own way.
    Continuation(Box<dyn FnOnce() + Send>),
}

impl Waiter {
    /// The moment at which it is too late to register.
    pub(crate) fn phase(&self) -> Phase {
        match self {
            Waiter::Done(..) | Waiter::Callback(_) => Phase::Done,
            Waiter::Settled(..) | Waiter::Waker(..) | Waiter::Continuation(_) => Phase::Settled,
        }
    }

    pub(crate) fn is_observer(&self, observer: &Arc<dyn Observer>, key: u32) -> bool {
        match self {
            Waiter::Done(other, number) | Waiter::Settled(other, number) => {
                std::ptr::addr_eq(Arc::as_ptr(other), Arc::as_ptr(observer)) && *number == key
            }
            _ => false,
        }
    }

    pub(crate) fn is_waker_of(&self, handle: u32) -> bool {
        matches!(self, Waiter::Waker(_, other) if *other == handle)
    }
}

/// Most tasks have no waiter or one, so one needs no allocation.
#[derive(Default)]
pub(crate) enum List {
    #[default]
    Empty,
    One(Waiter),
    /// Boxed, so that the rare list does not make every task larger.
    #[allow(clippy::box_collection)]
    Many(Box<Vec<Waiter>>),
}

impl List {
    fn push(&mut self, waiter: Waiter) {
        *self = match std::mem::take(self) {
            List::Empty => List::One(waiter),
            List::One(first) => List::Many(Box::new(vec![first, waiter])),
            List::Many(mut waiters) => {
                waiters.push(waiter);
                List::Many(waiters)
            }
        };
    }

    fn as_mut_slice(&mut self) -> &mut [Waiter] {
        match self {
            List::Empty => &mut [],
            List::One(waiter) => std::slice::from_mut(waiter),
            List::Many(waiters) => waiters,
        }
    }

    fn remove(&mut self, matches: impl Fn(&Waiter) -> bool) -> Option<Waiter> {
        match self {
            List::One(waiter) if matches(waiter) => match std::mem::take(self) {
                List::One(waiter) => Some(waiter),
                _ => None,
            },
            List::Many(waiters) => {
                let position = waiters.iter().position(matches)?;
                Some(waiters.remove(position))
            }
            _ => None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, List::Empty)
    }

    /// Tells those that only want to know that the task is done; the others are what is left.
    pub(crate) fn notify_observers(self) -> List {
        let mut others = List::Empty;
        self.for_each(|waiter| match waiter {
            Waiter::Done(observer, key) | Waiter::Settled(observer, key) => {
                if let Some(waker) = observer.notify(key) {
                    others.push(Waiter::Waker(waker, key));
                }
            }
            other => others.push(other),
        });
        others
    }

    /// Takes out those that match and hands them to `visit`, in the order in which they came.
    pub(crate) fn extract(
        &mut self,
        matches: impl Fn(&Waiter) -> bool,
        mut visit: impl FnMut(Waiter),
    ) {
        match self {
            List::Empty => {}
            List::One(waiter) => {
                if matches(waiter) {
                    std::mem::take(self).for_each(visit);
                }
            }
            List::Many(waiters) => {
                waiters.extract_if(.., |waiter| matches(waiter)).for_each(&mut visit);
            }
        }
    }

    /// Hands the waiters out in the order in which they came.
    pub(crate) fn for_each(self, mut visit: impl FnMut(Waiter)) {
        match self {
            List::Empty => {}
            List::One(waiter) => visit(waiter),
            List::Many(waiters) => waiters.into_iter().for_each(visit),
        }
    }
}

#[derive(Default)]
pub(crate) struct Waiters(Mutex<List>);

impl Waiters {
    /// Enters `waiter` if `announce`, called under the lock, says that it is not too late;
    /// otherwise gives it back.
    pub(crate) fn enter(
        &self,
        waiter: Waiter,
        announce: impl FnOnce() -> bool,
    ) -> Result<(), Waiter> {
        let mut list = self.0.lock();
        if announce() {
            list.push(waiter);
            Ok(())
        } else {
            Err(waiter)
        }
    }

    /// Replaces the waker of `handle`, or gives the new one back if there is none. Neither is
    /// cloned or dropped under the lock.
    pub(crate) fn replace_waker(&self, handle: u32, waker: Waker) -> Result<(), Waker> {
        let mut list = self.0.lock();
        for waiter in list.as_mut_slice() {
            if let Waiter::Waker(old, number) = waiter
                && *number == handle
            {
                let replaced = std::mem::replace(old, waker);
                drop(list);
                drop(replaced);
                return Ok(());
            }
        }
        Err(waker)
    }

    pub(crate) fn take(&self) -> List {
        std::mem::take(&mut *self.0.lock())
    }

    /// Removes one waiter; it is handed out so that it is dropped outside the lock.
    pub(crate) fn remove(&self, matches: impl Fn(&Waiter) -> bool) -> Option<Waiter> {
        self.0.lock().remove(matches)
    }
}

impl std::fmt::Debug for Waiters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waiters")
    }
}
