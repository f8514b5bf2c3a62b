//! A word in shared memory that every process may change, atomically.

use super::region::{Memory, Region, Sent};
use crate::sync::Arc;
use crate::sync::global::{AtomicU64, Ordering};
use crate::sys::{Mapping, MemoryFile};
use std::io;
use std::mem::size_of;

/// What stands at the beginning of the file.
#[derive(Debug)]
#[repr(C)]
struct Words {
    /// What the word is. It says that this is a file of ours, if a reference to it was forged.
    mark: AtomicU64,
    word: AtomicU64,
}

/// One word, as this process has it.
#[derive(Debug, Clone)]
pub(super) struct Word {
    region: Arc<Region>,
}

fn map(file: &MemoryFile) -> io::Result<Memory> {
    if file.len() != size_of::<Words>() {
        return Err(io::Error::other("it is none of a single word"));
    }
    file.map().map(Memory::Words)
}

fn words_of(mapping: &Mapping) -> &Words {
    // SAFETY: `map` has checked the length; the mapping is aligned to a page, lives as long as the
    // reference to it, and holds nothing but atomic words, for which every value is valid.
    unsafe { mapping.start().cast::<Words>().as_ref() }
}

impl Word {
    /// A word that is zero.
    pub(super) fn create(name: &str, mark: u64) -> io::Result<Word> {
        let file = MemoryFile::create(name, size_of::<Words>())?;
        file.write_all_at(&mark.to_ne_bytes(), 0)?;
        Ok(Word { region: Region::create(file, map)? })
    }

    /// The word that was sent, if it is what it should be.
    pub(super) fn receive(sent: &Sent, mark: u64) -> Result<Word, String> {
        let word = Word { region: Region::receive(sent, map)? };
        match word.words() {
            // ORDERING: relaxed; it was written before the reference was sent.
            Some(words) if words.mark.load(Ordering::Relaxed) == mark => Ok(word),
            _ => Err("the shared memory is something else than it was sent for".to_owned()),
        }
    }

    fn words(&self) -> Option<&Words> {
        match self.region.memory() {
            Memory::Words(mapping) => Some(words_of(mapping)),
            Memory::Sealed(_) => None,
        }
    }

    pub(super) fn region(&self) -> &Arc<Region> {
        &self.region
    }

    pub(super) fn get(&self) -> u64 {
        // ORDERING: acquire pairs with the release of `add` and `set`, in whatever process.
        self.words().map_or(0, |it| it.word.load(Ordering::Acquire))
    }

    /// Adds, and gives what was there before.
    pub(super) fn add(&self, number: u64) -> u64 {
        // ORDERING: acquire and release pair with each other, so that what came before one addition
        // is seen after a later one, and by `get`.
        self.words().map_or(0, |it| it.word.fetch_add(number, Ordering::AcqRel))
    }

    pub(super) fn set(&self, value: u64) {
        if let Some(words) = self.words() {
            // ORDERING: release pairs with the acquire in `get`.
            words.word.store(value, Ordering::Release);
        }
    }
}
