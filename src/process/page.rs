//! The memory that a worker shares with its parent.

use super::inbox::Inbox;
use super::loans::Loans;
use super::outcomes::Outcomes;
use super::slots::Slots;
use crate::sys::{Mapping, MemoryFile};
use std::io;
use std::mem::size_of;

/// What lies in it.
#[repr(C)]
struct Shared {
    slots: Slots,
    loans: Loans,
    outcomes: Outcomes,
    inbox: Inbox,
}

/// Mapped memory with the [`Slots`], the [`Loans`], the [`Outcomes`] and the [`Inbox`] of one worker.
pub(super) struct Page {
    mapping: Mapping,
    file: MemoryFile,
}

impl Page {
    /// A new page, of zeros: no call is on its way.
    pub(super) fn new() -> io::Result<Page> {
        let file = MemoryFile::create("worker-page", size_of::<Shared>())?;
        let mapping = file.map()?;
        Ok(Page { mapping, file })
    }

    /// The page that another process has under this descriptor.
    pub(super) fn of_process(process: u32, number: i32) -> io::Result<Page> {
        let file = MemoryFile::of_process(process, number)?;
        let mapping = file.map()?;
        if mapping.len() < size_of::<Shared>() {
            return Err(io::Error::other("the shared page is too small"));
        }
        Ok(Page { mapping, file })
    }

    /// The descriptor's number in this process.
    pub(super) fn number(&self) -> i32 {
        self.file.number()
    }

    fn shared(&self) -> &Shared {
        // SAFETY: the mapping is long enough, aligned to a page, lives as long as `self`, and holds
        // nothing but words and bytes, for which every value is valid.
        unsafe { self.mapping.start().cast::<Shared>().as_ref() }
    }

    pub(super) fn slots(&self) -> &Slots {
        &self.shared().slots
    }

    pub(super) fn loans(&self) -> &Loans {
        &self.shared().loans
    }

    pub(super) fn outcomes(&self) -> &Outcomes {
        &self.shared().outcomes
    }

    pub(super) fn inbox(&self) -> &Inbox {
        &self.shared().inbox
    }
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Page").field("number", &self.number()).finish_non_exhaustive()
    }
}
