//! The two pools as an opponent takes them: one test for each fault of the catalogue, named after its
//! number there. The catalogue is `docs/faults.md`.
//!
//! What has to hold after every fault is in `postconditions`.

#![cfg(target_os = "linux")]

#[path = "../common/mod.rs"]
mod common;

mod dying;
mod encoding;
mod killed;
mod left_out;
mod limits;
mod machinery;
mod nesting;
mod parent;
mod postconditions;
mod protocol;
mod recycling;
mod refused;
mod starting;
mod stopping;
