//! Cancelling, and limits of time.
