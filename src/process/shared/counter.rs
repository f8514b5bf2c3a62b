//! A number that tasks in all processes add to.

use super::word::Word;
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::io;

/// Says that a shared word is a counter.
const MARK: u64 = u64::from_be_bytes(*b"counter\0");

/// A counter in shared memory: what tasks in all processes add to, and anybody can read at any time.
///
/// It is for progress, for handing out numbers, for totals. It can be given to calls as
/// [`SharedData`](crate::SharedData) can, costs as little on the wire, and stays for as long; what is
/// said there about memory and limits holds here too. It takes up one page of memory (4 KiB), and one
/// descriptor in each process that holds it. Its length is sealed, and its value is touched by atomic
/// operations only.
///
/// What a task did before an addition is seen by whoever finds it added. A worker that dies takes
/// back nothing: what its task had added stays, and is added again if the task is tried again.
///
/// # Python
///
/// `multiprocessing.Value("Q")`, which needs its lock for `+= 1`.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{ProcessPoolExecutor, SharedCounter};
///
/// fn work((done, items): (SharedCounter, u64)) {
///     for _ in 0..items {
///         // Something that takes its time; the owner of the pool can read how far it has come.
///         done.add(1);
///     }
/// }
///
/// let executor = ProcessPoolExecutor::new(2)?;
/// let done = SharedCounter::new()?;
/// let futures = executor.submit_all(work, [(done.clone(), 300), (done.clone(), 700)]);
/// for future in futures {
///     future.result()?;
/// }
/// assert_eq!(done.get(), 1000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SharedCounter(Word);

impl SharedCounter {
    /// A counter at zero.
    ///
    /// # Errors
    ///
    /// What the system says if it has no memory, or no descriptor, to give.
    pub fn new() -> io::Result<Self> {
        Word::create("shared-counter", MARK).map(SharedCounter)
    }

    /// Adds to it, and returns what it was before: no two additions of one get the same number. It
    /// wraps around behind [`u64::MAX`].
    pub fn add(&self, number: u64) -> u64 {
        self.0.add(number)
    }

    /// What it is now.
    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

impl fmt::Debug for SharedCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SharedCounter").field(&self.get()).finish()
    }
}

impl Serialize for SharedCounter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.region().send((), serializer)
    }
}

impl<'de> Deserialize<'de> for SharedCounter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (sent, ()) = Deserialize::deserialize(deserializer)?;
        Word::receive(&sent, MARK).map(SharedCounter).map_err(D::Error::custom)
    }
}
