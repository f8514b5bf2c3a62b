//! The primitives that everything above is built from.
//!
//! This folder is the only place that names `std::sync`'s atomics, `parking_lot` or `loom`. An
//! ordinary build takes them from `real`; a build with `--cfg concurrent_futures_loom` takes the
//! same names from `model`, so that the very code that users run is what the model checker
//! explores. Two things are the same in both builds and not modelled: `Arc` (a counter whose
//! protocol is the standard library's business) and the clock, which no protocol here decides by.
//!
//! On top of either side stand the [`Parker`], with which a thread sleeps, [`Spin`], which keeps it
//! awake for a moment before, and the [`Timer`], which does something at a given time.

#[cfg(not(concurrent_futures_loom))]
mod real;
#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
pub(crate) use real::Futex;
#[cfg(not(concurrent_futures_loom))]
pub(crate) use real::{Condvar, Mutex, MutexGuard, Tracked, UnsafeCell, atomic, thread};

#[cfg(concurrent_futures_loom)]
mod model;
#[cfg(concurrent_futures_loom)]
pub(crate) use model::{Condvar, Futex, Mutex, MutexGuard, Tracked, UnsafeCell, atomic, thread};

#[cfg(all(test, concurrent_futures_loom))]
pub(crate) mod explore;

mod clock;
#[cfg(all(concurrent_futures_delays, not(concurrent_futures_loom)))]
mod delayed;
mod parker;
#[cfg(all(test, concurrent_futures_loom))]
mod parker_model_tests;
mod spin;
mod timer;
#[cfg(all(test, not(concurrent_futures_loom)))]
pub(crate) mod traps;

/// A place at which a unit test can let a thread of the crate's own panic. Nothing but in unit tests.
macro_rules! trap {
    ($place:literal) => {
        #[cfg(all(test, not(concurrent_futures_loom)))]
        $crate::sync::traps::spring($place);
    };
}
pub(crate) use trap;

pub(crate) use clock::deadline_after;
pub(crate) use parker::Parker;
pub(crate) use spin::{Asleep, Spin, is_imminent};
pub(crate) use std::sync::{Arc, Weak};
pub(crate) use timer::{Alarm, Timer};

/// For values that live as long as the program and take part in no protocol that is modelled.
pub(crate) mod global {
    pub(crate) use parking_lot::{Mutex, RwLock};
    #[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
    pub(crate) use std::sync::atomic::AtomicU64;
    pub(crate) use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
    pub(crate) use std::sync::{Once, OnceLock};
}
