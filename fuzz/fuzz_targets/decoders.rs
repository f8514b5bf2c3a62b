//! Everything that reads what came from another process, with bytes bred to reach all of its code.
//!
//! The first byte says which of them.

#![no_main]

use concurrent_futures::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else { return };
    match which % 4 {
        0 => fuzzing::frames(bytes),
        1 => fuzzing::values(bytes),
        2 => fuzzing::shared_values(bytes),
        _ => fuzzing::chunks(bytes),
    }
});
