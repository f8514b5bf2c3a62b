//! The only place that asks the operating system for anything but threads.
//!
//! Every system gets the number of processors that this process may use. What a pool of processes
//! stands on is there for Linux only: shared memory (`memory`, `buffer`), the channel between two
//! processes and the waiting for it (`link`), their lives and ends (`child`), what they write
//! (`capture`), what they may use and have used (`limits`), a clock that both read (`clock`), descriptors
//! that nobody else can close (`descriptors`), and where a function is found in another process of the same
//! executable (`image`, `initializers`). Nothing here knows what a pool or a task is. In the unit tests, it
//! can also fail on purpose (`faults`).

#[cfg(all(test, target_os = "linux", not(concurrent_futures_loom)))]
pub(crate) mod faults;

/// A step at which the sweep can let something happen; see `faults.rs`. Nothing but in unit tests.
#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
macro_rules! fault {
    ($point:ident) => {
        #[cfg(test)]
        $crate::sys::faults::at($crate::sys::faults::Point::$point);
    };
}

/// The same where the system is asked for something that it may refuse.
#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
macro_rules! refusal {
    ($point:ident) => {
        #[cfg(test)]
        $crate::sys::faults::refuse($crate::sys::faults::Point::$point)?;
    };
}

/// The same for how many bytes are read or written at once.
#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
macro_rules! short {
    ($point:ident, $most:expr) => {{
        let most = $most;
        #[cfg(test)]
        let most = $crate::sys::faults::shorten($crate::sys::faults::Point::$point, most);
        most
    }};
}

#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
pub(crate) use {fault, refusal, short};

#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
pub(crate) mod buffer;
#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
pub(crate) mod capture;
#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
pub(crate) mod child;
#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
mod clock;
#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
mod descriptors;
#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
pub(crate) mod image;
#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
pub(crate) mod initializers;
#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
pub(crate) mod limits;
#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
pub(crate) mod link;
#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
pub(crate) mod memory;

#[cfg(all(target_os = "linux", not(concurrent_futures_loom)))]
pub(crate) use {
    buffer::Buffer,
    clock::{instant_of, shared_clock},
    descriptors::OwnDescriptors,
    link::{Bell, Link, wait_for},
    memory::{Key, Mapping, MemoryFile, SealedMapping},
};

/// Interrupts this program, as Ctrl-C does.
#[cfg(feature = "monitor")]
pub(crate) fn interrupt() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::INT);
}

use crate::sync::global::{AtomicUsize, Ordering};

/// What [`set_processors`] was told; zero is nothing.
static SHARE: AtomicUsize = AtomicUsize::new(0);

/// How many processors this process may use at once: the share that it was given, if any.
///
/// Otherwise the affinity mask and the quota of its control group are respected, and a fraction of
/// a processor is rounded down, but never to zero. `num_cpus` rounds a fractional quota up, which
/// gets a program throttled; the standard library rounds it down. The smaller of the two is taken.
pub(crate) fn usable_processors() -> usize {
    // ORDERING: a number on its own; whoever sets it does so before it starts what will ask.
    match SHARE.load(Ordering::Relaxed) {
        0 => {
            let by_std = std::thread::available_parallelism().map_or(usize::MAX, usize::from);
            num_cpus::get().min(by_std).max(1)
        }
        share => share,
    }
}

/// From now on [`usable_processors`] is `n`; zero leaves it to the system again.
///
/// A process that is one of several is told its share, so that a pool of threads in it does not
/// take all of the machine.
pub(crate) fn set_processors(n: usize) {
    // ORDERING: as in `usable_processors`.
    SHARE.store(n, Ordering::Relaxed);
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;
    use std::process::Command;

    const AGAIN: &str = "CONCURRENT_FUTURES_TEST_AGAIN";

    /// Runs a test of this crate once more, in a process of its own, which it may change.
    pub(in crate::sys) fn again(test: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--test-threads=1"]).env(AGAIN, test);
        command
    }

    /// Whether this is that process.
    pub(in crate::sys) fn is_again(test: &str) -> bool {
        std::env::var(AGAIN).is_ok_and(|it| it == test)
    }

    /// Runs `body` in a process of its own, which is to succeed.
    pub(in crate::sys) fn alone(test: &str, body: impl FnOnce()) {
        if is_again(test) {
            return body();
        }
        let output = again(test).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
        assert!(told.contains("1 passed"), "{told}");
    }

    #[test]
    fn a_share_of_the_processors_overrides_their_number() {
        alone("sys::tests::a_share_of_the_processors_overrides_their_number", || {
            let all = usable_processors();
            assert!(all >= 1);
            set_processors(all + 7);
            assert_eq!(usable_processors(), all + 7);
            set_processors(0);
            assert_eq!(usable_processors(), all);
        });
    }
}
