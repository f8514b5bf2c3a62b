//! What this process is: an ordinary one, or a worker, and which.

use crate::sync::global::{AtomicUsize, Ordering};
use std::fmt;

/// The environment variable that marks a worker. Its value is a [`Mark`].
pub(crate) const VARIABLE: &str = concat!(
    "CONCURRENT_FUTURES_WORKER_",
    env!("CARGO_PKG_VERSION_MAJOR"),
    "_",
    env!("CARGO_PKG_VERSION_MINOR"),
    "_",
    env!("CARGO_PKG_VERSION_PATCH"),
);

/// Who has marked this process as its worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) parent: u32,
    /// The descriptor of the page that they share, in the parent.
    pub(crate) page: i32,
}

impl Mark {
    fn found() -> Option<Mark> {
        let value = std::env::var(VARIABLE).ok()?;
        let read = |(parent, page): (&str, &str)| {
            Some(Mark { parent: parent.parse().ok()?, page: page.parse().ok()? })
        };
        // With another value it is a worker nevertheless, of nobody.
        Some(value.split_once(' ').and_then(read).unwrap_or(Mark { parent: 0, page: -1 }))
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.parent, self.page)
    }
}

/// Whether this process has been marked as a worker. In a worker the mark is removed before
/// anything else runs, so that its own children are ordinary processes.
pub(crate) fn is_marked() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// One if this process has looked for a mark, before `main` or by a call: then its workers will.
static HAS_LOOKED: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn has_looked() -> bool {
    // ORDERING: relaxed; written before `main`, or by whoever called `init` first.
    HAS_LOOKED.load(Ordering::Relaxed) != 0
}

/// The mark, if there is one.
pub(crate) fn look() -> Option<Mark> {
    // ORDERING: relaxed; see `has_looked`.
    HAS_LOOKED.store(1, Ordering::Relaxed);
    Mark::found()
}

/// How many pools stand above this process, and how many may.
static DEPTH: AtomicUsize = AtomicUsize::new(0);
static MAX_DEPTH: AtomicUsize = AtomicUsize::new(usize::MAX);
/// One more than the worker's index; zero in an ordinary process.
static INDEX: AtomicUsize = AtomicUsize::new(0);

/// How many pools stand above this process, and how many may if one of them has said so.
pub(crate) fn depth() -> (usize, usize) {
    // ORDERING: relaxed; written before the first task begins, by the thread that runs it or starts
    // whoever reads this.
    (DEPTH.load(Ordering::Relaxed), MAX_DEPTH.load(Ordering::Relaxed))
}

/// Says which worker this process is.
pub(crate) fn become_worker(index: usize, depth: usize, max_depth: usize) {
    // ORDERING: relaxed; see `depth`.
    DEPTH.store(depth, Ordering::Relaxed);
    // ORDERING: relaxed; see `depth`.
    MAX_DEPTH.store(max_depth, Ordering::Relaxed);
    // ORDERING: relaxed; see `depth`.
    INDEX.store(index + 1, Ordering::Relaxed);
}

/// The index of the worker process that this code runs in; `None` if it is no worker.
///
/// Indices count from zero up to `max_workers`; a worker that replaces another gets its index.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{ProcessPoolExecutor, worker_index};
///
/// let executor = ProcessPoolExecutor::new(1)?;
/// assert_eq!(executor.submit(|()| worker_index(), ()).result()?, Some(0));
/// assert_eq!(worker_index(), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn worker_index() -> Option<usize> {
    // ORDERING: relaxed, as in `depth`.
    INDEX.load(Ordering::Relaxed).checked_sub(1)
}
