//! Pools of processes, where things go wrong: workers that die, tasks that must be stopped, programs
//! that end, and messages that are too large.

#![cfg(target_os = "linux")]

#[path = "../common/mod.rs"]
mod common;

mod big;
mod breaking;
mod ceremony;
mod death;
mod descendants;
mod leaks;
mod leaving;
mod limits;
mod long_output;
mod orphans;
mod output;
mod races;
mod retrying;
mod silence;
mod stopping;
mod usage;
mod whose_output;
