//! A clock that all processes of one machine read alike, which `Instant` is, and does not say.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// How much time has passed since some moment in the past, the same for all processes.
pub(crate) fn shared_clock() -> Duration {
    // It is not negative.
    Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default()
}
