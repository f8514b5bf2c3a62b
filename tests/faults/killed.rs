//! Workers that are killed from outside.
