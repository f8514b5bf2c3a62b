//! Memory that several processes share: anonymous files, and their mappings.
//!
//! A file can never shrink, so that whoever maps it can rely on its length. Once sealed, its bytes
//! never change either, and can be had as a slice.

use super::descriptors::not_standard;
use super::limits;
use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags, Stat};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr::{self, NonNull};

/// A file without a name that exists as long as somebody has it open or mapped.
#[derive(Debug)]
pub(crate) struct MemoryFile {
    file: OwnedFd,
    len: usize,
}

impl MemoryFile {
    /// A file of `len` zeros, which neither grows nor shrinks. The name is only for those who look
    /// into `/proc`. The file is closed in programs that this process starts.
    pub(crate) fn create(name: &str, len: usize) -> io::Result<Self> {
        let file = nameless(name)?;
        limits::check_file_length(len as u64)?;
        rustix::fs::ftruncate(&file, len as u64)?;
        rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW)?;
        Ok(MemoryFile { file, len })
    }

    /// Opens a file that another process, or this one, has open under this number; for reading and
    /// writing if that is possible, or else for reading.
    pub(crate) fn of_process(process: u32, number: i32) -> io::Result<Self> {
        Found::look(process, number)?.open()
    }

    /// Like [`of_process`](Self::of_process), unless it is not the file with this key; whatever else
    /// it is, is not opened.
    pub(crate) fn with_key(process: u32, number: i32, key: Key) -> io::Result<Option<Self>> {
        let found = Found::look(process, number)?;
        if key_of(&found.status) == key { found.open().map(Some) } else { Ok(None) }
    }

    /// Whether a process still has the file with this key open under this number.
    pub(crate) fn is_open_in(process: u32, number: i32, key: Key) -> bool {
        rustix::fs::stat(path_of(process, number)).is_ok_and(|status| key_of(&status) == key)
    }

    /// Writes all of `bytes`, which have to end within the file.
    pub(crate) fn write_all_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match rustix::io::pwrite(&self.file, bytes, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = &bytes[written..];
                    offset += written as u64;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// From now on nobody can change the file, nor take this back. Refused while any process has a
    /// writable mapping of it.
    pub(crate) fn seal(&self) -> io::Result<()> {
        let all = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
        Ok(rustix::fs::fcntl_add_seals(&self.file, all)?)
    }

    /// Whether nobody can change the file any more, neither its bytes nor its length.
    pub(crate) fn is_sealed(&self) -> bool {
        self.has_seals(SealFlags::WRITE | SealFlags::SHRINK)
    }

    fn has_seals(&self, seals: SealFlags) -> bool {
        rustix::fs::fcntl_get_seals(&self.file).is_ok_and(|it| it.contains(seals))
    }

    /// How many bytes it has.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Under which number this process has it open.
    pub(crate) fn number(&self) -> i32 {
        self.file.as_raw_fd()
    }

    /// What tells this file from every other one.
    pub(crate) fn key(&self) -> io::Result<Key> {
        Ok(key_of(&rustix::fs::fstat(&self.file)?))
    }

    fn check_that_it_cannot_shrink(&self) -> io::Result<()> {
        match self.has_seals(SealFlags::SHRINK) {
            true => Ok(()),
            false => Err(io::Error::new(io::ErrorKind::InvalidInput, "the file might shrink")),
        }
    }

    /// All of the file, shared with whoever else maps it. An error unless the file can never
    /// shrink: behind its end, every access would be fatal.
    pub(crate) fn map(&self) -> io::Result<Mapping> {
        self.check_that_it_cannot_shrink()?;
        Mapping::new(&self.file, self.len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED)
    }

    /// All of the file, of which others may change the bytes. An error unless it can never shrink.
    pub(crate) fn map_for_reading(&self) -> io::Result<Mapping> {
        self.check_that_it_cannot_shrink()?;
        Mapping::new(&self.file, self.len, ProtFlags::READ, MapFlags::SHARED)
    }

    /// All of the file, to be read only. An error unless nobody can change it any more.
    pub(crate) fn map_sealed(&self) -> io::Result<SealedMapping> {
        if !self.is_sealed() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the file is not sealed"));
        }
        // Kernels before 6.7 take every shared mapping for one that might become writable, and
        // refuse it for a sealed file. A private one that nobody writes to shares the same pages.
        Mapping::new(&self.file, self.len, ProtFlags::READ, MapFlags::PRIVATE).map(SealedMapping)
    }
}

/// An empty file that nobody finds by a name. It is closed in programs that this process starts.
pub(super) fn nameless(name: &str) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 do not know the flag; later ones complain if it is missing.
    let file = match rustix::fs::memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => rustix::fs::memfd_create(name, flags)?,
        other => other?,
    };
    Ok(not_standard(file)?)
}

/// What tells a file from every other one on this machine, as long as it exists: device and inode.
pub(crate) type Key = (u64, u64);

#[allow(clippy::unnecessary_cast)] // They are shorter on some systems.
pub(super) fn key_of(status: &Stat) -> Key {
    (status.st_dev as u64, status.st_ino as u64)
}

/// Where a process has a file open.
pub(super) fn path_of(process: u32, number: i32) -> String {
    format!("/proc/{process}/fd/{number}")
}

/// A file that was found but not opened yet, which might do something to it: it may be anything.
struct Found {
    place: OwnedFd,
    status: Stat,
}

impl Found {
    fn look(process: u32, number: i32) -> io::Result<Found> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let place = rustix::fs::open(path_of(process, number), flags, Mode::empty())?;
        let status = rustix::fs::fstat(&place)?;
        Ok(Found { place, status })
    }

    fn open(self) -> io::Result<MemoryFile> {
        if !rustix::fs::FileType::from_raw_mode(self.status.st_mode).is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file of memory"));
        }
        let len = usize::try_from(self.status.st_size)
            .map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        let path = format!("/proc/self/fd/{}", self.place.as_raw_fd());
        let open = |access| rustix::fs::open(&*path, access | OFlags::CLOEXEC, Mode::empty());
        let file = match open(OFlags::RDWR) {
            Err(Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::TXTBSY) => open(OFlags::RDONLY)?,
            other => other?,
        };
        Ok(MemoryFile { file: not_standard(file)?, len })
    }
}

/// A mapping of a file that any process may write to at any time, so that only its address is
/// given, and what to do with it is the caller's business.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: it is only an address and a length; the memory belongs to no thread, and every access to
// it is argued where it is made.
unsafe impl Send for Mapping {}

// SAFETY: as for `Send`; nothing can be changed by a reference to it.
unsafe impl Sync for Mapping {}

impl Mapping {
    pub(super) fn new(
        file: impl AsFd,
        len: usize,
        protection: ProtFlags,
        flags: MapFlags,
    ) -> io::Result<Self> {
        if len == 0 {
            return Ok(Mapping { start: NonNull::dangling(), len }); // Nothing cannot be mapped.
        }
        // SAFETY: the kernel chooses an address where nothing is yet.
        let start = unsafe { rustix::mm::mmap(ptr::null_mut(), len, protection, flags, file, 0) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Mapping { start, len })
    }

    /// It is mapped elsewhere, or with another length, from now on.
    pub(super) fn moved(&mut self, start: NonNull<u8>, len: usize) {
        (self.start, self.len) = (start, len);
    }

    /// The address of the first byte, which begins a page.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: `new` has mapped this, nobody else unmaps it, and who has used the address
            // had to keep the mapping alive.
            let _ = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.len) };
        }
    }
}

/// A mapping of a file that nobody can change any more.
#[derive(Debug)]
pub(crate) struct SealedMapping(Mapping);

impl SealedMapping {
    /// They begin at a page.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: that many bytes are mapped as long as `self` lives, can be read, and are never
        // written to, here or elsewhere: the file is sealed, and was found so before it was mapped.
        unsafe { std::slice::from_raw_parts(self.0.start.as_ptr(), self.0.len) }
    }
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;

    fn sealed(text: &[u8]) -> MemoryFile {
        let file = MemoryFile::create("test", text.len()).unwrap();
        file.write_all_at(text, 0).unwrap();
        file.seal().unwrap();
        file
    }

    #[test]
    fn what_is_written_is_seen_by_every_mapping() {
        let file = MemoryFile::create("test", 10_000).unwrap();
        let (one, other) = (file.map().unwrap(), file.map().unwrap());
        assert_eq!((one.len(), file.len()), (10_000, 10_000));
        file.write_all_at(b"abc", 9_997).unwrap();
        // SAFETY: the byte is within the mapping.
        let last = unsafe { other.start().add(9_999) };
        // SAFETY: nobody writes now.
        assert_eq!(unsafe { last.read_volatile() }, b'c');
        // SAFETY: nobody else accesses it now.
        unsafe { one.start().write_volatile(7) };
        // SAFETY: nobody writes now.
        assert_eq!(unsafe { other.start().read_volatile() }, 7);
    }

    #[test]
    fn a_sealed_file_can_be_read_and_no_longer_written_to() {
        let file = sealed(b"for ever");
        assert!(file.is_sealed());
        let mapping = file.map_sealed().unwrap();
        assert_eq!(mapping.bytes(), b"for ever");
        assert_eq!(mapping.bytes().as_ptr().addr() % 4096, 0);
        assert!(file.write_all_at(b"x", 0).is_err());
        assert!(file.map().is_err());
        drop(file);
        assert_eq!(mapping.bytes(), b"for ever");
    }

    #[test]
    fn a_file_that_is_not_sealed_is_not_mapped_as_if_it_were() {
        let file = MemoryFile::create("test", 8).unwrap();
        assert!(!file.is_sealed());
        assert_eq!(file.map_sealed().unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_file_with_a_writable_mapping_is_not_sealed() {
        let file = MemoryFile::create("test", 8).unwrap();
        let mapping = file.map().unwrap();
        assert!(file.seal().is_err());
        assert!(!file.is_sealed());
        drop(mapping);
        file.seal().unwrap();
    }

    #[test]
    fn a_file_keeps_its_length() {
        let file = MemoryFile::create("test", 8).unwrap();
        assert!(rustix::fs::ftruncate(&file.file, 4).is_err());
        assert!(rustix::fs::ftruncate(&file.file, 16).is_err());
        assert!(file.write_all_at(b"over", 6).is_err());
    }

    #[test]
    fn a_file_is_opened_by_process_and_number() {
        let file = MemoryFile::create("test", 4).unwrap();
        let other = MemoryFile::of_process(std::process::id(), file.number()).unwrap();
        assert_ne!(file.number(), other.number());
        assert_eq!(file.key().unwrap(), other.key().unwrap());
        assert_eq!(other.len(), 4);
        other.write_all_at(b"four", 0).unwrap();
        other.seal().unwrap();
        assert_eq!(file.map_sealed().unwrap().bytes(), b"four");
        let third = MemoryFile::of_process(std::process::id(), file.number()).unwrap();
        assert_eq!(third.map_sealed().unwrap().bytes(), b"four");
        assert_ne!(sealed(b"four").key().unwrap(), file.key().unwrap());
    }

    #[test]
    fn a_file_is_found_by_its_key_and_no_other_in_its_place() {
        let process = std::process::id();
        let file = sealed(b"four");
        let (number, key) = (file.number(), file.key().unwrap());
        let found = MemoryFile::with_key(process, number, key).unwrap().unwrap();
        assert_eq!(found.map_sealed().unwrap().bytes(), b"four");
        assert!(MemoryFile::is_open_in(process, number, key));
        assert!(MemoryFile::with_key(process, number, (key.0, key.1 + 1)).unwrap().is_none());
        assert!(!MemoryFile::is_open_in(process, number, (key.0 + 1, key.1)));
        assert!(!MemoryFile::is_open_in(process, i32::MAX, key));
        assert!(!MemoryFile::is_open_in(0, number, key));
    }

    #[test]
    fn what_is_no_file_or_might_shrink_is_refused() {
        let process = std::process::id();
        let (reader, _writer) = rustix::pipe::pipe().unwrap();
        assert!(MemoryFile::of_process(process, reader.as_raw_fd()).is_err());
        assert!(MemoryFile::of_process(process, i32::MAX).is_err());
        let executable = std::fs::File::open("/proc/self/exe").unwrap();
        let file = MemoryFile::of_process(process, executable.as_raw_fd()).unwrap();
        assert!(!file.is_sealed());
        assert!(file.map().is_err());
        assert!(file.map_sealed().is_err());
    }

    #[test]
    fn an_empty_file_is_mapped_as_nothing() {
        assert_eq!(sealed(b"").map_sealed().unwrap().bytes(), b"");
        assert_eq!(MemoryFile::create("test", 0).unwrap().map().unwrap().len(), 0);
    }
}
