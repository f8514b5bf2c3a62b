//! Points in time that may lie beyond what the clock can name.

use std::time::{Duration, Instant};

/// The moment `limit` from now; none if that is further away than can be told, which means never.
pub(crate) fn deadline_after(limit: Duration) -> Option<Instant> {
    Instant::now().checked_add(limit)
}
