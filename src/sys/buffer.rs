//! Memory that one process writes and others read, again and again.
//!
//! Touching a page of memory for the first time costs several times as much as copying into it. So
//! what is used for one value after the other is not made anew for each: it grows to the longest
//! value, and keeps its pages until they are given back.

use super::limits;
use super::memory::{Mapping, nameless};
use rustix::fs::{FallocateFlags, SealFlags};
use rustix::mm::{Advice, MapFlags, MremapFlags, ProtFlags};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr::NonNull;

/// A file without a name that can grow but never shrink, and its mapping.
#[derive(Debug)]
pub(crate) struct Buffer {
    file: OwnedFd,
    mapping: Mapping,
    /// So many bytes from the start on have memory. Writing to a page for which the system has no
    /// memory would be fatal; asking for it beforehand is an error.
    reserved: usize,
}

/// It grows by whole steps…
const STEP: usize = 64 << 10;

impl Buffer {
    pub(crate) fn new(name: &str) -> io::Result<Buffer> {
        let file = nameless(name)?;
        rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::SEAL)?;
        let mapping = Mapping::new(&file, 0, WRITABLE, MapFlags::SHARED)?;
        Ok(Buffer { file, mapping, reserved: 0 })
    }

    /// Sees that there is memory for so many bytes. What was written before stays.
    pub(crate) fn reserve(&mut self, len: usize) -> io::Result<()> {
        if len <= self.reserved {
            return Ok(());
        }
        // … and by an eighth at least, so that a value that comes in pieces takes few of them.
        let len = len.max(self.reserved + self.reserved / 8);
        let len = len.checked_next_multiple_of(STEP).ok_or(io::ErrorKind::OutOfMemory)?;
        limits::check_file_length(len as u64)?;
        let more = (len - self.reserved) as u64;
        let allocate = || {
            rustix::fs::fallocate(&self.file, FallocateFlags::empty(), self.reserved as u64, more)
        };
        rustix::io::retry_on_intr(allocate)?;
        if len > self.mapping.len() {
            self.mapping.grow(&self.file, len)?;
        }
        self.reserved = len;
        Ok(())
    }

    /// Writes the bytes, for which memory was reserved.
    ///
    /// # Panics
    ///
    /// If it was not.
    pub(crate) fn write(&mut self, at: usize, bytes: &[u8]) {
        let room = self.reserved.min(self.mapping.len()).checked_sub(at);
        assert!(room.is_some_and(|room| bytes.len() <= room), "more than was reserved");
        // SAFETY: within the mapping, as was just checked.
        let to = unsafe { self.mapping.start().add(at) };
        // SAFETY: that many bytes are mapped there, and no reference to them is ever made; `bytes`
        // lie elsewhere, for the same reason.
        unsafe { to.as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }

    /// The memory goes back to the system, whoever has the file mapped; its bytes are lost.
    pub(crate) fn give_back(&mut self) {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let whole = self.mapping.len() as u64;
        if self.reserved > 0
            && rustix::io::retry_on_intr(|| rustix::fs::fallocate(&self.file, flags, 0, whole))
                .is_ok()
        {
            self.reserved = 0;
        }
    }

    /// How much memory it has.
    pub(crate) fn reserved(&self) -> usize {
        self.reserved
    }

    /// How long the file is, and its mapping here.
    pub(crate) fn len(&self) -> usize {
        self.mapping.len()
    }

    /// Under which number this process has it open.
    pub(crate) fn number(&self) -> i32 {
        self.file.as_raw_fd()
    }

    pub(crate) fn mapping(&self) -> &Mapping {
        &self.mapping
    }
}

const WRITABLE: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE);

/// From this length on memory that is about to be filled is asked for in large pages: 64 MiB took
/// 8 ms instead of 32. Below, what an allocator has in store is mostly not fresh.
const HUGE: usize = 4 << 20;

impl Mapping {
    /// Makes it longer, as the file has become. Its place may change.
    fn grow(&mut self, file: &OwnedFd, len: usize) -> io::Result<()> {
        if self.len() == 0 {
            *self = Mapping::new(file, len, WRITABLE, MapFlags::SHARED)?;
            return Ok(());
        }
        let (start, before) = (self.start().as_ptr().cast(), self.len());
        // SAFETY: exactly this was mapped, and whoever uses its address holds a borrow.
        let start = unsafe { rustix::mm::mremap(start, before, len, MremapFlags::MAYMOVE) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        self.moved(start, len);
        Ok(())
    }

    /// Puts a copy of some of its bytes behind what is in `into`. Whoever else has the file may write
    /// to it meanwhile; then the copy has bytes of before or after, and does not change any more.
    ///
    /// # Panics
    ///
    /// If the mapping is shorter.
    pub(crate) fn copy_to(&self, into: &mut Vec<u8>, at: usize, len: usize) {
        let room = self.len().checked_sub(at);
        assert!(room.is_some_and(|room| len <= room), "more than is mapped");
        if len >= HUGE {
            into.reserve_exact(len);
            ask_for_large_pages(&mut into.spare_capacity_mut()[..len]);
        } else {
            into.reserve(len);
        }
        // SAFETY: within the mapping, as was just checked.
        let from = unsafe { self.start().add(at) };
        let to = into.spare_capacity_mut()[..len].as_mut_ptr().cast();
        // SAFETY: that many bytes are mapped, and there is room for as many; the vector's memory is
        // no part of a mapping of ours. They are only copied, whatever they are at that moment.
        unsafe { from.as_ptr().copy_to_nonoverlapping(to, len) };
        let len = into.len() + len;
        // SAFETY: so many bytes have a value now, and there was capacity for them.
        unsafe { into.set_len(len) };
    }
}

/// Where it is refused, or there are none, pages are small.
fn ask_for_large_pages<T>(memory: &mut [T]) {
    let page = rustix::param::page_size();
    let bytes = memory.as_mut_ptr_range();
    let start = bytes.start.addr().next_multiple_of(page);
    let end = bytes.end.addr() / page * page;
    if start < end {
        let start_of = bytes.start.cast::<u8>().wrapping_add(start - bytes.start.addr());
        // SAFETY: whole pages within memory that is borrowed here, and that stays what it is: the
        // advice concerns only the size of the pages.
        let _ = unsafe { rustix::mm::madvise(start_of.cast(), end - start, Advice::LinuxHugepage) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::MemoryFile;

    fn copied(mapping: &Mapping, at: usize, len: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        mapping.copy_to(&mut bytes, at, len);
        bytes
    }

    #[test]
    fn what_is_written_stays_while_it_grows() {
        let mut buffer = Buffer::new("test").unwrap();
        buffer.reserve(3).unwrap();
        buffer.write(0, b"abc");
        buffer.reserve(5_000_000).unwrap();
        buffer.write(4_999_997, b"xyz");
        assert_eq!(copied(buffer.mapping(), 0, 3), b"abc");
        assert_eq!(copied(buffer.mapping(), 4_999_997, 3), b"xyz");
        assert_eq!(copied(buffer.mapping(), 0, 5_000_000).len(), 5_000_000);
    }

    #[test]
    fn others_read_it_and_cannot_make_it_shorter() {
        let mut buffer = Buffer::new("test").unwrap();
        buffer.reserve(10).unwrap();
        let file = MemoryFile::of_process(std::process::id(), buffer.number()).unwrap();
        let mapping = file.map_for_reading().unwrap();
        buffer.write(2, b"later");
        assert_eq!(copied(&mapping, 2, 5), b"later");
        assert!(rustix::fs::ftruncate(&buffer.file, 1).is_err());
        assert!(!file.is_sealed());
    }

    #[test]
    fn memory_that_was_given_back_can_be_used_again() {
        let mut buffer = Buffer::new("test").unwrap();
        buffer.reserve(1 << 20).unwrap();
        buffer.write(0, &[1; 1 << 20]);
        let blocks = || rustix::fs::fstat(&buffer.file).unwrap().st_blocks;
        assert!(blocks() * 512 >= 1 << 20);
        let file = MemoryFile::of_process(std::process::id(), buffer.number()).unwrap();
        let mapping = file.map_for_reading().unwrap();
        buffer.give_back();
        let blocks = || rustix::fs::fstat(&buffer.file).unwrap().st_blocks;
        assert_eq!((blocks(), buffer.reserved()), (0, 0));
        assert_eq!(copied(&mapping, 0, 3), [0; 3]);
        buffer.reserve(3).unwrap();
        buffer.write(0, b"abc");
        assert_eq!(copied(&mapping, 0, 3), b"abc");
    }

    #[test]
    #[should_panic(expected = "more than was reserved")]
    fn writing_beyond_what_was_reserved_is_refused() {
        let mut buffer = Buffer::new("test").unwrap();
        buffer.reserve(STEP).unwrap();
        buffer.write(STEP - 1, b"ab");
    }

    #[test]
    #[should_panic(expected = "more than is mapped")]
    fn reading_beyond_what_is_mapped_is_refused() {
        let mut buffer = Buffer::new("test").unwrap();
        buffer.reserve(STEP).unwrap();
        copied(buffer.mapping(), usize::MAX, 2);
    }
}
