//! Shutting down.
