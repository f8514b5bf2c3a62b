//! Staying awake for a moment before going to sleep: what is waited for may be about to happen.
//!
//! To sleep and to be woken costs both sides some microseconds on one processor, and 35 to 50 µs
//! across two, of which whoever wakes pays 16 (figures of a virtual machine; without virtualization
//! they are smaller, in about the same proportion). A hand-over between two threads that are awake
//! takes a fraction of one. But a thread that looks in vain takes a processor from others. So it looks
//! for a bounded time, and only if its waits have been short lately.
//!
//! *On which processor* the other side runs decides how to look. If it is another one, looking again
//! and again is fastest, and to yield in between gives way to whoever else is there. If it is the same
//! one, the other side can do nothing before this thread yields. Which it is shows in how long the last
//! yield took: one that let somebody run took longer than a bare system call.
//!
//! This is no part of any protocol: a thread that looks is one that has not begun to sleep. The model
//! checker's threads never look.
//!
//! Spinning before sleeping, for as long as sleeping would cost, is due to Karlin, Li, Manasse and
//! Owicki ("Empirical studies of competitive spinning for a shared-memory multiprocessor", 1991).

use super::thread;
use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long a thread looks at the most: about what it takes to wake a thread on another processor,
/// so that one which has just been woken is still met awake.
const LIMIT: Duration = Duration::from_micros(50);

/// Waits that took longer than this are slept through. It is more than [`LIMIT`], because two threads
/// that both sleep take each other's wake-up for the length of the wait, some 60 µs here, and would
/// never find out that they could both be awake.
const WORTH_IT: Duration = Duration::from_micros(100);

/// As what a look in vain counts, or a longer wait: the next one is tried after four short waits.
const LONG: Duration = Duration::from_millis(1);

/// How often a thread looks before its first yield: 2 µs, where a hand-over between two processors
/// takes 0.3 to 0.5.
const LOOKS: usize = 80;

/// How often it looks between two yields: about as long as a yield takes.
const LOOKS_BETWEEN: usize = 20;

/// A yield that took longer has let somebody else run: alone it takes 0.5 µs here, with another thread
/// that yields as well 1.3 or more.
const SWITCH: Duration = Duration::from_micros(1);

/// What one thread knows about its waits for one kind of thing.
#[derive(Debug)]
pub(crate) struct Spin {
    /// How long they took lately; the last counts as much as all before.
    expected: Cell<Duration>,
    /// Whether the last yield let somebody run on this processor.
    shares_processor: Cell<bool>,
}

/// A wait that goes on asleep.
#[derive(Debug)]
#[must_use]
pub(crate) struct Asleep {
    since: Instant,
    has_looked: bool,
}

impl Spin {
    pub(crate) const fn new() -> Self {
        Spin { expected: Cell::new(Duration::ZERO), shares_processor: Cell::new(false) }
    }

    /// Looks for a moment whether `is_there`, unless that is not worth it or `is_unwelcome`. On an
    /// error the caller is to sleep, and then to tell [`slept`](Self::slept).
    pub(crate) fn until(
        &self,
        is_there: impl Fn() -> bool,
        is_unwelcome: impl FnOnce() -> bool,
    ) -> Result<(), Asleep> {
        if !self.is_worth_it() || is_unwelcome() {
            return Err(Asleep { since: Instant::now(), has_looked: false });
        }
        if !self.shares_processor.get() && look(LOOKS, &is_there) {
            self.learn(Duration::ZERO);
            return Ok(());
        }
        let since = Instant::now();
        let mut begun = since;
        loop {
            thread::yield_now();
            let now = Instant::now();
            let shares_processor = now - begun > SWITCH;
            self.shares_processor.set(shares_processor);
            if is_there() || (!shares_processor && look(LOOKS_BETWEEN, &is_there)) {
                self.learn(now - since);
                return Ok(());
            }
            if now - since > LIMIT {
                return Err(Asleep { since, has_looked: true });
            }
            begun = Instant::now();
        }
    }

    /// Whether waits have been short lately.
    pub(crate) fn is_worth_it(&self) -> bool {
        !cfg!(concurrent_futures_loom) && self.expected.get() <= WORTH_IT
    }

    /// The thread has slept for a time that it chose, and what it waits for was there by then, or not.
    pub(crate) fn dozed(&self, is_there: bool) {
        self.learn(if is_there { WORTH_IT / 2 } else { LONG });
    }

    /// What was waited for is there, after the thread has slept.
    pub(crate) fn slept(&self, asleep: Asleep) {
        self.learn(if asleep.has_looked { LONG } else { asleep.since.elapsed() });
    }

    fn learn(&self, took: Duration) {
        self.expected.set((self.expected.get() + took.min(LONG)) / 2);
    }
}

/// Whether a wait until `deadline` is too short to be spent partly awake: then it should be exact.
pub(crate) fn is_imminent(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|at| at < Instant::now() + LIMIT)
}

fn look(times: usize, is_there: impl Fn() -> bool) -> bool {
    (0..times).any(|_| {
        if is_there() {
            return true;
        }
        std::hint::spin_loop();
        false
    })
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;

    fn sleep(spin: &Spin, took: Duration) {
        let Some(since) = Instant::now().checked_sub(took) else {
            return;
        };
        spin.slept(Asleep { since, has_looked: false });
    }

    fn looks(spin: &Spin) -> bool {
        let looked = Cell::new(false);
        let look = || {
            looked.set(true);
            true
        };
        let _ = spin.until(look, || false);
        looked.get()
    }

    #[test]
    fn what_is_there_is_found_without_sleep() {
        assert!(Spin::new().until(|| true, || false).is_ok());
    }

    #[test]
    fn nobody_looks_where_it_is_unwelcome() {
        let spin = Spin::new();
        assert!(spin.until(|| unreachable!(), || true).is_err());
    }

    #[test]
    fn who_waited_long_sleeps_and_looks_again_after_short_waits() {
        let spin = Spin::new();
        sleep(&spin, LONG);
        assert!(!looks(&spin));
        // Long waits count as much as one of them, so that they are soon forgotten.
        (0..50).for_each(|_| sleep(&spin, 1000 * LONG));
        assert!(!looks(&spin));
        (0..10).for_each(|_| spin.learn(Duration::ZERO));
        assert!(looks(&spin));
    }

    #[test]
    fn who_looked_in_vain_sleeps_the_next_time() {
        let spin = Spin::new();
        let Err(asleep) = spin.until(|| false, || false) else { unreachable!() };
        spin.slept(asleep);
        assert!(!looks(&spin));
    }

    #[test]
    fn a_deadline_is_imminent_or_far_or_none() {
        assert!(is_imminent(Some(Instant::now())));
        assert!(!is_imminent(Some(Instant::now() + Duration::from_secs(3600))));
        assert!(!is_imminent(None));
    }
}
