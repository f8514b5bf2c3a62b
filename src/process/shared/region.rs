//! The shared memory that this process has at the moment, and how it is found by those who are sent
//! a reference to it.

use super::references;
use crate::sync::global::Mutex;
use crate::sync::{Arc, Weak};
use crate::sys::{Key, Mapping, MemoryFile, SealedMapping};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::io;

/// How many regions a worker keeps that no value of its own refers to any more.
const MOST_KEPT: usize = 16;

/// Shared memory that this process has open and mapped, once, however many values refer to it.
pub(super) struct Region {
    memory: Memory,
    file: MemoryFile,
    key: Key,
    /// Who sent it; nobody, if it was created in this process.
    sender: Option<Sent>,
}

pub(super) enum Memory {
    Sealed(SealedMapping),
    Words(Mapping),
}

/// A reference on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sent {
    /// A process that has the file open, and under which number.
    process: u32,
    number: i32,
    key: Key,
}

/// The regions of this process.
struct Known {
    regions: BTreeMap<Key, Weak<Region>>,
    /// Those that a worker keeps, the latest at the end.
    recent: VecDeque<Arc<Region>>,
}

/// Nothing that holds a region may be dropped under this lock, since a region that goes takes it.
static KNOWN: Mutex<Known> =
    Mutex::new(Known { regions: BTreeMap::new(), recent: VecDeque::new() });

impl Known {
    /// Makes it the latest of those that are kept, if it is one of them.
    fn touch(&mut self, region: &Arc<Region>) {
        let at = self.recent.iter().position(|it| Arc::ptr_eq(it, region));
        if let Some(latest) = at.and_then(|at| self.recent.remove(at)) {
            self.recent.push_back(latest);
        }
    }

    /// Keeps one more, and gives those that are not kept any longer: what its sender has dropped
    /// will not be sent again, and there may be too many.
    #[must_use]
    fn keep(&mut self, region: &Arc<Region>) -> VecDeque<Arc<Region>> {
        let recent = std::mem::take(&mut self.recent);
        let (used, mut gone): (VecDeque<_>, VecDeque<_>) =
            recent.into_iter().partition(|it| it.is_held_by_sender());
        self.recent = used;
        self.recent.push_back(Arc::clone(region));
        if self.recent.len() > MOST_KEPT {
            gone.extend(self.recent.pop_front());
        }
        gone
    }
}

impl Region {
    /// A new region, with the memory that this gives for its file.
    pub(super) fn create(
        file: MemoryFile,
        map: fn(&MemoryFile) -> io::Result<Memory>,
    ) -> io::Result<Arc<Region>> {
        let region = Region { memory: map(&file)?, key: file.key()?, file, sender: None };
        let region = Arc::new(region);
        KNOWN.lock().regions.insert(region.key, Arc::downgrade(&region));
        Ok(region)
    }

    /// The region that was sent; the one that this process has, if it has it.
    pub(super) fn receive(
        sent: &Sent,
        map: fn(&MemoryFile) -> io::Result<Memory>,
    ) -> Result<Arc<Region>, String> {
        Region::receive_and_keep(sent, map, crate::process::own::worker_index().is_some())
    }

    fn receive_and_keep(
        sent: &Sent,
        map: fn(&MemoryFile) -> io::Result<Memory>,
        keep: bool,
    ) -> Result<Arc<Region>, String> {
        let mut known = KNOWN.lock();
        if let Some(region) = known.regions.get(&sent.key).and_then(Weak::upgrade) {
            known.touch(&region);
            return Ok(region);
        }
        let region = Arc::new(Region::open(sent, map)?);
        known.regions.insert(sent.key, Arc::downgrade(&region));
        let gone = if keep { known.keep(&region) } else { VecDeque::new() };
        drop(known);
        drop(gone);
        Ok(region)
    }

    fn open(sent: &Sent, map: fn(&MemoryFile) -> io::Result<Memory>) -> Result<Region, String> {
        let Sent { process, number, key } = *sent;
        let is_gone = || {
            format!(
                "the shared memory is gone: process {process}, which had it, has dropped it or has ended"
            )
        };
        let file = match MemoryFile::with_key(process, number, key) {
            Ok(Some(file)) => file,
            Ok(None) => return Err(is_gone()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(is_gone()),
            Err(error) => return Err(format!("the shared memory cannot be opened: {error}")),
        };
        let memory =
            map(&file).map_err(|error| format!("the shared memory cannot be mapped: {error}"))?;
        Ok(Region { memory, file, key, sender: Some(*sent) })
    }

    fn is_held_by_sender(&self) -> bool {
        self.sender.is_some_and(|it| MemoryFile::is_open_in(it.process, it.number, it.key))
    }

    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    pub(super) fn key(&self) -> Key {
        self.key
    }

    /// Who sent it; nobody, if it was created in this process.
    pub(super) fn sender(&self) -> Option<Sent> {
        self.sender
    }

    /// A reference to it as this process has it.
    pub(super) fn here(&self) -> Sent {
        Sent { process: std::process::id(), number: self.file.number(), key: self.key }
    }

    /// Encodes a reference to it, and whatever has to come with that.
    pub(super) fn send<R: Serialize, S: serde::Serializer>(
        self: &Arc<Self>,
        rest: R,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let sent = references::send(self).map_err(serde::ser::Error::custom)?;
        (sent, rest).serialize(serializer)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        let mut known = KNOWN.lock();
        // Another one may have been opened for the same file meanwhile.
        if known.regions.get(&self.key).is_some_and(|it| it.strong_count() == 0) {
            known.regions.remove(&self.key);
        }
    }
}

impl std::fmt::Debug for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Region").field("file", &self.file).field("key", &self.key).finish()
    }
}

/// Whether this process, a worker, keeps regions that its calls have brought.
pub(in crate::process) fn keeps_any() -> bool {
    !KNOWN.lock().recent.is_empty()
}

/// Forgets the regions that this process, a worker, has kept for calls to come.
///
/// A worker keeps the latest [`MOST_KEPT`] that calls have brought: mapping a table costs no more
/// than a call does, but then every page of it has to be found anew: to sum up 8 MB took 3 ms
/// instead of 0.2. Whatever it keeps, though, stays
/// in memory after everybody else has dropped it. So a worker looks for those that their sender has
/// dropped whenever another one is brought, and lets go of all of them as soon as it has had nothing
/// to do for a while.
pub(in crate::process) fn let_go() {
    let recent = std::mem::take(&mut KNOWN.lock().recent);
    drop(recent);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::MutexGuard;

    /// The regions of this process are those of all tests.
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

    fn alone() -> MutexGuard<'static, ()> {
        ALONE.lock().unwrap_or_else(|it| it.into_inner())
    }

    fn map(file: &MemoryFile) -> io::Result<Memory> {
        file.map_sealed().map(Memory::Sealed)
    }

    fn file(text: &[u8]) -> MemoryFile {
        let file = MemoryFile::create("test", text.len()).unwrap();
        file.write_all_at(text, 0).unwrap();
        file.seal().unwrap();
        file
    }

    /// A file as if another process had sent it, and what was sent.
    fn foreign(text: &[u8]) -> (MemoryFile, Sent) {
        let file = file(text);
        let key = file.key().unwrap();
        let sent = Sent { process: std::process::id(), number: file.number(), key };
        (file, sent)
    }

    fn is_known(key: Key) -> bool {
        KNOWN.lock().regions.contains_key(&key)
    }

    #[test]
    fn what_this_process_has_is_found_and_not_opened_again() {
        let own = Region::create(file(b"mine"), map).unwrap();
        let nowhere = Sent { process: 0, number: -1, key: own.key() };
        assert!(Arc::ptr_eq(&own, &Region::receive(&nowhere, map).unwrap()));
        assert_eq!(own.sender(), None);
        let key = own.key();
        drop(own);
        assert!(!is_known(key));
        assert!(Region::receive(&nowhere, map).unwrap_err().contains("is gone"));
    }

    #[test]
    fn what_is_received_is_mapped_once_and_forgotten_after_the_last() {
        let (file, sent) = foreign(b"yours");
        let first = Region::receive(&sent, map).unwrap();
        let second = Region::receive(&sent, map).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(first.sender(), Some(sent));
        assert_ne!(first.here(), sent);
        drop(file);
        drop(first);
        assert!(is_known(sent.key));
        drop(second);
        assert!(!is_known(sent.key));
        assert!(Region::receive(&sent, map).unwrap_err().contains("is gone"));
    }

    #[test]
    fn another_file_in_its_place_is_not_taken_for_it() {
        let (file, sent) = foreign(b"yours");
        let sent = Sent { key: (sent.key.0, sent.key.1 + 1), ..sent };
        assert!(Region::receive(&sent, map).unwrap_err().contains("is gone"));
        drop(file);
    }

    #[test]
    fn the_latest_are_kept_until_they_are_let_go() {
        let _alone = alone();
        let files: Vec<_> = (0..MOST_KEPT as u8 + 2).map(|n| foreign(&[n])).collect();
        for (_, sent) in &files {
            drop(Region::receive_and_keep(sent, map, true).unwrap());
            // It stays the latest that is used.
            drop(Region::receive_and_keep(&files[0].1, map, true).unwrap());
        }
        assert!(keeps_any());
        let known: Vec<bool> = files.iter().map(|(_, sent)| is_known(sent.key)).collect();
        assert_eq!(known[..4], [true, false, false, true]);
        assert_eq!(known.iter().filter(|it| **it).count(), MOST_KEPT);
        let_go();
        assert!(!keeps_any());
        assert!(files.iter().all(|(_, sent)| !is_known(sent.key)));
    }

    #[test]
    fn what_its_sender_has_dropped_is_not_kept_for_long() {
        let _alone = alone();
        let (dropped, used, next) = (foreign(b"a"), foreign(b"b"), foreign(b"c"));
        for (_, sent) in [&dropped, &used] {
            drop(Region::receive_and_keep(sent, map, true).unwrap());
        }
        drop(dropped.0);
        assert!(is_known(dropped.1.key));
        drop(Region::receive_and_keep(&next.1, map, true).unwrap());
        assert!(!is_known(dropped.1.key));
        assert!(is_known(used.1.key));
        let_go();
    }

    #[test]
    fn threads_that_receive_and_drop_at_once_find_it() {
        let (_file, sent) = foreign(b"for all");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let region = Region::receive(&sent, map).unwrap();
                        let Memory::Sealed(mapping) = region.memory() else { unreachable!() };
                        assert_eq!(mapping.bytes(), b"for all");
                    }
                });
            }
        });
        assert!(!is_known(sent.key));
    }
}
