//! The memory that a worker shares with its parent.
//!
//! It holds who begins which call ([`slots`]), the calls themselves ([`inbox`]), short outcomes
//! ([`outcomes`]), the last two each in a [`ring`], and whose turn it is with the memory of a large
//! outcome ([`loans`]). All of it is argued for two processes of which one may die at any place, or
//! write what it likes.

pub(crate) mod inbox;
pub(crate) mod loans;
pub(crate) mod outcomes;
mod ring;
pub(crate) mod slots;

use self::inbox::Inbox;
use self::loans::Loans;
use self::outcomes::Outcomes;
use self::slots::Slots;
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
pub(crate) struct Page {
    mapping: Mapping,
    file: MemoryFile,
}

impl Page {
    /// A new page, of zeros: no call is on its way.
    pub(crate) fn new() -> io::Result<Page> {
        let file = MemoryFile::create("worker-page", size_of::<Shared>())?;
        let mapping = file.map()?;
        Ok(Page { mapping, file })
    }

    /// The page that another process has under this descriptor.
    pub(crate) fn of_process(process: u32, number: i32) -> io::Result<Page> {
        let file = MemoryFile::of_process(process, number)?;
        let mapping = file.map()?;
        if mapping.len() < size_of::<Shared>() {
            return Err(io::Error::other("the shared page is too small"));
        }
        Ok(Page { mapping, file })
    }

    /// The descriptor's number in this process.
    pub(crate) fn number(&self) -> i32 {
        self.file.number()
    }

    fn shared(&self) -> &Shared {
        // SAFETY: the mapping is long enough, aligned to a page, lives as long as `self`, and holds
        // nothing but words and bytes, for which every value is valid.
        unsafe { self.mapping.start().cast::<Shared>().as_ref() }
    }

    pub(crate) fn slots(&self) -> &Slots {
        &self.shared().slots
    }

    pub(crate) fn loans(&self) -> &Loans {
        &self.shared().loans
    }

    pub(crate) fn outcomes(&self) -> &Outcomes {
        &self.shared().outcomes
    }

    pub(crate) fn inbox(&self) -> &Inbox {
        &self.shared().inbox
    }
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Page").field("number", &self.number()).finish_non_exhaustive()
    }
}
