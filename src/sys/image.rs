//! The executable's own code: which addresses belong to it, and where they are in another process.
//!
//! Two processes that were started from the same executable have the same functions at the same
//! distance from the place that the executable was loaded to, wherever that is. So an offset is a
//! name for a function that both understand, as long as both are indeed the same build.

use crate::sync::global::OnceLock;
use std::ffi::{c_int, c_void};

/// A part of the executable, as its program header describes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub(super) kind: u32,
    flags: u32,
    /// Where it is in this process.
    pub(super) start: usize,
    pub(super) len: usize,
    align: usize,
    file_offset: u64,
    file_len: usize,
}

impl Segment {
    fn holds(&self, address: usize, len: usize) -> bool {
        address >= self.start
            && len <= self.len
            && address - self.start <= self.len - len
            && self.start.checked_add(self.len).is_some()
    }

    fn may(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}

/// The executable in the memory of this process.
#[derive(Debug, Default)]
pub(super) struct Program {
    /// What is added to the addresses in the file.
    pub(super) base: usize,
    pub(super) segments: Vec<Segment>,
}

/// The executable that this process runs; without segments if the system does not tell.
pub(super) fn program() -> &'static Program {
    static PROGRAM: OnceLock<Program> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let mut program = Program::default();
        let into: *mut Program = &raw mut program;
        // SAFETY: `copy_first` is given nothing but `into`, which is valid until the call returns.
        unsafe { libc::dl_iterate_phdr(Some(copy_first), into.cast()) };
        program
    })
}

/// Copies what the loader tells about an object, and asks for no other: the first is the program.
unsafe extern "C" fn copy_first(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    into: *mut c_void,
) -> c_int {
    // SAFETY: the loader hands over a valid description.
    let info = unsafe { &*info };
    // SAFETY: `program` passes a `Program` that nobody else uses meanwhile.
    let program = unsafe { &mut *into.cast::<Program>() };
    if info.dlpi_phdr.is_null() {
        return 1;
    }
    // SAFETY: the program headers of a loaded object are as many as it says, and stay.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    program.base = info.dlpi_addr as usize;
    program.segments.extend(headers.iter().map(|header| Segment {
        kind: header.p_type,
        flags: header.p_flags,
        start: program.base.wrapping_add(header.p_vaddr as usize),
        len: header.p_memsz as usize,
        align: header.p_align as usize,
        #[allow(clippy::useless_conversion)] // Not where addresses are shorter.
        file_offset: header.p_offset.into(),
        file_len: header.p_filesz as usize,
    }));
    1
}

impl Program {
    /// Whether all of this lies in one loaded part of the executable that may be used in this way
    /// (one of `libc::PF_R`, `PF_W` and `PF_X`).
    pub(super) fn holds(&self, address: usize, len: usize, flag: u32) -> bool {
        let loaded = self.segments.iter().filter(|it| it.kind == libc::PT_LOAD && it.may(flag));
        loaded.into_iter().any(|it| it.holds(address, len))
    }

    /// What is in a part of the executable, if it can be read and never changes.
    fn constant(&self, start: usize, len: usize) -> Option<&'static [u8]> {
        let is_constant = self.holds(start, len, libc::PF_R) && !self.holds(start, len, libc::PF_W);
        // SAFETY: this is in a loaded part of the main program, which is never unmapped, and which
        // can be read and not be written to.
        is_constant.then(|| unsafe { std::slice::from_raw_parts(start as *const u8, len) })
    }

    /// The build id that the linker has left in the executable.
    fn build_id(&self) -> Option<Vec<u8>> {
        let notes = self.segments.iter().filter(|it| it.kind == libc::PT_NOTE);
        notes
            .filter_map(|it| Some((self.constant(it.start, it.len)?, it.align)))
            .find_map(|(notes, align)| build_id_among(notes, align))
            .map(<[u8]>::to_vec)
    }

    /// What differs between builds, as well as can be told without a build id: where each part is
    /// and how long, the entry point, and the contents of the constant parts, up to a length.
    fn fingerprint(&self) -> Vec<u8> {
        const MOST: usize = 1 << 20;
        let mut hash = Hash::new();
        for segment in &self.segments {
            let start = segment.start.wrapping_sub(self.base) as u64;
            hash.add(u64::from(segment.kind) << 32 | u64::from(segment.flags));
            hash.add(start);
            hash.add(segment.len as u64);
            hash.add(segment.file_offset);
            hash.add(segment.file_len as u64);
            // Not the code, into which a debugger may have set its breakpoints.
            if segment.kind == libc::PT_LOAD
                && !segment.may(libc::PF_X)
                && let Some(bytes) = self.constant(segment.start, segment.len.min(MOST))
            {
                for word in bytes.chunks(8) {
                    let mut padded = [0; 8];
                    padded[..word.len()].copy_from_slice(word);
                    hash.add(u64::from_le_bytes(padded));
                }
            }
        }
        // SAFETY: it only reads what the kernel has told the process at its start.
        let entry = unsafe { libc::getauxval(libc::AT_ENTRY) } as usize;
        let functions: [usize; 3] =
            [entry, identity as fn() -> _ as usize, copy_first as *const () as usize];
        for function in functions {
            hash.add(function.wrapping_sub(self.base) as u64);
        }
        hash.end()
    }
}

/// Finds the note named `GNU` of type 3.
fn build_id_among(mut notes: &[u8], align: usize) -> Option<&[u8]> {
    let align = if align == 8 { 8 } else { 4 };
    let word = |notes: &[u8], at: usize| {
        let bytes = notes.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_ne_bytes(bytes)).ok()
    };
    loop {
        let (name_len, len, kind) = (word(notes, 0)?, word(notes, 4)?, word(notes, 8)?);
        let start = name_len.checked_add(12)?.checked_next_multiple_of(align)?;
        let end = start.checked_add(len)?;
        if kind == 3 && notes.get(12..12 + name_len.min(4))? == b"GNU\0" {
            return notes.get(start..end);
        }
        notes = notes.get(end.checked_next_multiple_of(align)?..)?;
    }
}

/// Two sums in the manner of FNV, one of them turned, as 128 bits are better than 64.
struct Hash(u64, u64);

impl Hash {
    fn new() -> Self {
        Hash(0xcbf2_9ce4_8422_2325, 0x9e37_79b9_7f4a_7c15)
    }

    fn add(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3);
        self.0 ^= self.0 >> 32;
        self.1 = (self.1.rotate_left(23) ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd);
    }

    fn end(self) -> Vec<u8> {
        [self.0.to_le_bytes(), self.1.to_le_bytes()].concat()
    }
}

/// How far a code address is from where the executable was loaded to; `None` unless it is in the
/// code of the executable itself, as opposed to a shared library, data, or generated code.
///
/// An executable that is linked dynamically and to a fixed address may have entries of its own for
/// functions of a library; those count, and lead to the library's function in every process.
pub(crate) fn offset_of(address: usize) -> Option<u64> {
    let program = program();
    let is_own = program.holds(address, 1, libc::PF_X);
    is_own.then(|| address.wrapping_sub(program.base) as u64)
}

/// The address with this offset, if it is in the code of the executable itself.
pub(crate) fn address_of(offset: u64) -> Option<usize> {
    let program = program();
    let address = program.base.wrapping_add(usize::try_from(offset).ok()?);
    program.holds(address, 1, libc::PF_X).then_some(address)
}

/// Equal in two processes only if both run the same build of the same executable, so that an offset
/// means the same function in both.
///
/// It holds the version of this crate, the width of a pointer, and the executable's build id or, if
/// the linker has left none, a digest of its layout and constants.
pub(crate) fn identity() -> Vec<u8> {
    static IDENTITY: OnceLock<Vec<u8>> = OnceLock::new();
    let make = || {
        let mut identity = env!("CARGO_PKG_VERSION").as_bytes().to_vec();
        identity.extend([0, size_of::<usize>() as u8]);
        match program().build_id().filter(|it| !it.is_empty()) {
            Some(id) => identity.extend([&[1], &id[..]].concat()),
            None => identity.extend([&[2], &program().fingerprint()[..]].concat()),
        }
        identity
    };
    IDENTITY.get_or_init(make).clone()
}

#[cfg(all(test, not(concurrent_futures_loom)))]
mod tests {
    use super::*;
    use crate::sys::tests::{again, is_again};

    fn own_function() -> usize {
        own_function as fn() -> usize as usize
    }

    #[test]
    fn an_own_function_is_found_again_by_its_offset() {
        let offset = offset_of(own_function()).unwrap();
        assert_eq!(address_of(offset), Some(own_function()));
    }

    #[test]
    fn what_is_not_own_code_has_no_offset() {
        static DATA: u8 = 1;
        let on_stack = 0u8;
        assert_eq!(offset_of(&raw const DATA as usize), None);
        assert_eq!(offset_of(&raw const on_stack as usize), None);
        assert_eq!(offset_of(0), None);
        assert_eq!(offset_of(usize::MAX), None);
        if cfg!(not(target_feature = "crt-static")) {
            // Not one that is referred to here: an executable that is made for a fixed address has
            // an entry of its own for that, and takes its address for the function's.
            // SAFETY: both arguments are valid.
            let foreign = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"lfind".as_ptr()) };
            assert_ne!(foreign as usize, 0);
            assert_eq!(offset_of(foreign as usize), None);
        }
    }

    #[test]
    fn an_offset_outside_of_the_code_has_no_address() {
        assert_eq!(address_of(u64::MAX), None);
        assert_eq!(address_of(1 << 40), None);
        assert_eq!(address_of(0u64.wrapping_sub(program().base as u64)), None);
    }

    #[test]
    fn two_processes_of_one_executable_agree() {
        const NAME: &str = "sys::image::tests::two_processes_of_one_executable_agree";
        let told = format!("{:?} {:?}", identity(), offset_of(own_function()));
        let digest = format!("digest {:?}", program().fingerprint());
        if is_again(NAME) {
            println!("{told}\n{digest}");
            return;
        }
        let output = again(NAME).arg("--nocapture").output().unwrap();
        let output = String::from_utf8_lossy(&output.stdout);
        assert!(output.contains(&told), "{output}");
        assert!(output.contains(&digest), "{output}");
    }

    #[test]
    fn a_build_id_is_found_among_other_notes() {
        let note = |name: &[u8], kind: u32, text: &[u8], align: usize| {
            let mut note = Vec::new();
            note.extend((name.len() as u32).to_ne_bytes());
            note.extend((text.len() as u32).to_ne_bytes());
            note.extend(kind.to_ne_bytes());
            note.extend(name);
            note.resize(note.len().next_multiple_of(align), 0);
            note.extend(text);
            note.resize(note.len().next_multiple_of(align), 0);
            note
        };
        for align in [4, 8] {
            let other = note(b"GNU\0", 1, b"abc", align);
            let foreign = note(b"stapsdt\0", 3, b"abcde", align);
            let id = note(b"GNU\0", 3, b"the id", align);
            let all = [&other[..], &foreign, &id, &other].concat();
            assert_eq!(build_id_among(&all, align), Some(&b"the id"[..]));
            assert_eq!(build_id_among(&[&other[..], &foreign].concat(), align), None);
            assert_eq!(build_id_among(&id[..id.len() / 2], align), None);
            assert_eq!(build_id_among(&[], align), None);
        }
        assert_eq!(build_id_among(&[0xff; 64], 4), None);
    }

    #[test]
    fn every_word_counts_in_a_digest() {
        let digest = |words: &[u64]| {
            let mut hash = Hash::new();
            words.iter().for_each(|it| hash.add(*it));
            hash.end()
        };
        assert_ne!(digest(&[1, 2]), digest(&[2, 1]));
        assert_ne!(digest(&[0]), digest(&[0, 0]));
        assert_eq!(digest(&[1, 2]), digest(&[1, 2]));
    }
}
