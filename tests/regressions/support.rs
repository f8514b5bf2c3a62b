//! What only these tests need: threads as the operating system sees them, and child processes.

use crate::common::{in_child, printed};
use concurrent_futures::ThreadPoolHandle;

/// Does `child` in a process of its own, which has to end well.
#[track_caller]
pub(crate) fn survives(test: &str, child: impl FnOnce()) {
    if let Some(output) = in_child(test, child) {
        printed(&output);
    }
}

/// One thread, seen from others.
pub(crate) struct Seen(String);

impl Seen {
    /// The calling thread.
    #[cfg(target_os = "linux")]
    pub(crate) fn here() -> Self {
        let here = std::fs::read_link("/proc/thread-self").expect("Linux has this");
        Seen(format!("/proc/{}/stat", here.display()))
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn here() -> Self {
        Seen(String::new())
    }

    /// Waits until the thread sleeps in what it called last, or has ended: it does nothing more
    /// until somebody else does something. On systems that do not tell, it is only likely by then;
    /// so this may give a mistake time to show, and no test may depend on it to pass.
    #[cfg(target_os = "linux")]
    #[track_caller]
    pub(crate) fn until_asleep(&self) {
        let is_asleep = || match std::fs::read_to_string(&self.0) {
            Ok(stat) => stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('S')),
            Err(_) => true,
        };
        // A thread that meets a lock on its way sleeps too, but not for long.
        crate::common::eventually(|| {
            (0..20).all(|_| {
                std::thread::yield_now();
                is_asleep()
            })
        });
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn until_asleep(&self) {
        crate::common::let_others_get_on();
    }
}

/// Waits until `running` tasks have begun. A worker that begins one has summoned all the others
/// that it thinks should come, so the number of workers that this gives does not grow any more.
#[track_caller]
pub(crate) fn workers_when_running<S: 'static>(
    pool: &ThreadPoolHandle<S>,
    running: usize,
) -> usize {
    crate::common::eventually(|| pool.stats().running >= running);
    pool.stats().workers
}
