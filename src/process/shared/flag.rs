//! A request to stop that tasks in all processes can see.

use super::word::Word;
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};
use std::fmt;
use std::io;

/// Says that a shared word is a flag.
const MARK: u64 = u64::from_be_bytes(*b"stopflag");

/// A flag in shared memory that is set once, and that tasks in all processes look at.
///
/// It stops a search when one of its tasks has found what was looked for, or a job that reports so
/// far as it has come. Where a task is to be cancelled instead,
/// [`abort`](crate::Future::abort) and [`cancellation_requested`](crate::cancellation_requested) do
/// it without a flag. It can be given to calls as [`SharedData`](crate::SharedData) can, costs as
/// little on the wire, and stays for as long; what is said there about memory and limits holds here
/// too. It takes up one page of memory (4 KiB), and one descriptor in each process that holds it. Its
/// length is sealed, and its value is touched by atomic operations only.
///
/// What was done before it was set is seen by whoever finds it set.
///
/// # Python
///
/// `multiprocessing.Event`, with `set` and `is_set`; there is no `wait`, and no `clear`.
///
/// # Examples
///
/// ```
/// use concurrent_futures::{ProcessPoolExecutor, StopFlag};
///
/// fn count_until_told_to_stop(stop: StopFlag) -> u64 {
///     let mut count = 0;
///     while !stop.is_set() {
///         count += 1;
///     }
///     count
/// }
///
/// let executor = ProcessPoolExecutor::new(1)?;
/// let stop = StopFlag::new()?;
/// let future = executor.submit(count_until_told_to_stop, stop.clone());
/// stop.set();
/// println!("it came to {}", future.result()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct StopFlag(Word);

impl StopFlag {
    /// A flag that is not set.
    ///
    /// # Errors
    ///
    /// What the system says if it has no memory, or no descriptor, to give.
    pub fn new() -> io::Result<Self> {
        Word::create("stop-flag", MARK).map(StopFlag)
    }

    /// Sets it, for all and for ever.
    pub fn set(&self) {
        self.0.set(1);
    }

    /// Whether anybody has set it.
    pub fn is_set(&self) -> bool {
        self.0.get() != 0
    }
}

impl fmt::Debug for StopFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StopFlag").field(&self.is_set()).finish()
    }
}

impl Serialize for StopFlag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.region().send((), serializer)
    }
}

impl<'de> Deserialize<'de> for StopFlag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (sent, ()) = Deserialize::deserialize(deserializer)?;
        Word::receive(&sent, MARK).map(StopFlag).map_err(D::Error::custom)
    }
}
