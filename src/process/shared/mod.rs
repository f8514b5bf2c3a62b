//! Memory that calls refer to instead of carrying it: data that nobody changes any more, and single
//! words that everybody changes.
//!
//! # How it works
//!
//! Each value is an anonymous file of memory ([`MemoryFile`](crate::sys::MemoryFile)), open and
//! mapped in every process that holds it: a [`Region`](region::Region). What travels is where the
//! sender has it open, process and descriptor, and the file's key, device and inode. The receiver
//! looks first among the regions that it has (`region`), and opens the file of the other process
//! only if it is not there. So a value keeps its meaning however deep the pools are nested, and
//! comes home as the region that was there all the time.
//!
//! A reference on its way keeps nothing alive. That is the sender's part: while it encodes a call,
//! every region that is encoded is also put into the call's [`References`] (`references`), which stays until the
//! task is over, however often it is tried; that of an initializer stays as long as the pool. A
//! worker's result has nobody who would keep what it refers to, so only what came from outside may
//! be a part of it: the sender has that, and needs nothing kept. Anything else that encodes a value,
//! a `serde_json::to_string`, say, gets an error.
//!
//! Workers keep the latest few regions that calls have brought, so that a table is mapped once and
//! not for every item: see [`let_go`].
//!
//! # Why it is sound
//!
//! - `SharedData` hands out `&[T]`. Its file is sealed before it is first mapped, and found sealed by
//!   whoever maps it: from then on the kernel refuses every change of bytes and length, and every
//!   writable mapping, to every process. `T` is one of a few types without padding for which all
//!   bytes are valid (`plain`).
//! - Counters and flags hand out nothing. Their file is sealed against any change of its length, and
//!   its words are touched by atomic operations only (`word`).
//! - A file is opened only if it has the key that was sent, and mapped only if it has the seals and
//!   exactly the length that it must have; a file of words must also begin with the mark of its
//!   kind, so that no other mapping of this program can be meant. So the worst that forged bytes can
//!   get is another value of ours, of the right type.
//! - A key says what a region is as long as somebody has the file: every region has, and is
//!   forgotten when it is dropped.

mod counter;
mod data;
mod flag;
mod plain;
mod references;
mod region;
mod word;

pub use counter::SharedCounter;
pub use data::SharedData;
pub use flag::StopFlag;
pub use plain::Plain;
pub(super) use references::{References, for_call, for_result};
pub(super) use region::{keeps_any, let_go};
