//! What futures do that Python's do not: they give themselves back when a wait runs out of time, are
//! done for everyone at once when cancelled, stop running tasks, can be awaited, and drop what they
//! hold exactly once.

#[path = "../common/mod.rs"]
mod common;

mod asynchronous;
mod callbacks;
mod cancelling;
mod chains;
mod collecting;
mod debug;
mod drops;
mod errors;
mod first_success;
mod flatten;
mod group;
mod promise;
mod results;
mod shared;
mod unwinding;
