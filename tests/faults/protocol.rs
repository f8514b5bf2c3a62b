//! What stands between two processes.
