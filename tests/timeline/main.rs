//! What a timeline records, and the pictures that are made of it.

#![cfg(target_os = "linux")]

#[path = "../common/mod.rs"]
mod common;

mod endings;
mod pictures;
mod records;
