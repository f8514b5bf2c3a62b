//! CPython's own tests of executors, thread pools, shutdown and initializers, for this crate.
//!
//! Each test has the name of its original, so that the two lists can be held side by side. The
//! table of all of them, and why some are missing, is in `docs/parity.md`.

#[path = "../common/mod.rs"]
mod common;

mod executor;
mod init;
mod shutdown;
mod thread_pool;

use std::num::NonZeroUsize;

fn items(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

/// What the tests of `map` calculate: panics where `divisor` is zero.
fn quotient((dividend, divisor): (u32, u32)) -> u32 {
    dividend / divisor
}
