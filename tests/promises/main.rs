//! What this crate promises beyond Python, one test for each promise.
//!
//! The doc comment of a test names the promise by its number in the list of behaviours (G01–G32)
//! in `docs/parity.md`.

#[path = "../common/mod.rs"]
mod common;

mod callbacks;
mod cancelling;
mod hooks;
mod join;
mod map;
mod nested;
mod queue;
mod refused_threads;
mod scope;
mod shutdown;
mod submitting;
mod submitting_inside;
mod terminal;
mod timeouts;
mod workers;
