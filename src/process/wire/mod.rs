//! What goes between parent and worker: [frames](frame), and the [messages](message) in them;
//! [functions](code), [values](value) and the [chunks](chunk) of a `map`, as bytes.
//!
//! What decodes believes nothing: lengths are checked, and nothing is kept that was not sent.

pub(crate) mod chunk;
pub(crate) mod code;
mod encoder;
pub(crate) mod frame;
pub(crate) mod message;
pub(crate) mod value;
