//! The memory that a process keeps for its large values.

use crate::sync::{Arc, Mutex};
use crate::sys::{Buffer, fault, refusal};
use std::io;
use std::time::{Duration, Instant};

/// Memory that has not been used for so long goes back to the system. To fill 64 MiB anew costs 45 ms
/// instead of 6, so it pays for values that come every few seconds.
pub(in crate::process) const KEEP: Duration = Duration::from_secs(5);

/// One piece of memory after the other, for values on their way to another process.
#[derive(Debug)]
pub(in crate::process) struct Store {
    shelf: Mutex<Shelf>,
    /// How many there may be at once, so that descriptors are left for others.
    most: usize,
    /// How many of them are kept when they are not used.
    spare: usize,
}

#[derive(Debug, Default)]
struct Shelf {
    /// The latest at the end.
    free: Vec<Piece>,
    /// How many are in use.
    used: usize,
    /// How many there have been, in all.
    made: u32,
    /// Somebody sees that what is not used goes back.
    is_minded: bool,
}

#[derive(Debug)]
struct Piece {
    buffer: Buffer,
    /// No other piece of this store has, or had, this number.
    number: u32,
    /// How long the file was when its receiver opened it.
    told: usize,
    /// When it was used last.
    used_at: Instant,
}

impl Store {
    pub(in crate::process) fn new(most: usize, spare: usize) -> Arc<Store> {
        Arc::new(Store { shelf: Mutex::default(), most, spare })
    }

    /// Memory for one value; none if there is too much already, or the system refuses it.
    pub(super) fn take(self: &Arc<Self>) -> Option<Parcel> {
        let mut shelf = self.shelf.lock();
        let piece = match shelf.free.pop() {
            Some(piece) => piece,
            None if shelf.used >= self.most => return None,
            None => {
                let buffer = new_buffer().ok()?;
                shelf.made = shelf.made.wrapping_add(1);
                Piece { buffer, number: shelf.made - 1, told: 0, used_at: Instant::now() }
            }
        };
        shelf.used += 1;
        Some(Parcel { piece: Some(piece), len: 0, store: Arc::clone(self) })
    }

    fn put_back(&self, mut piece: Piece) {
        piece.used_at = Instant::now();
        let mut shelf = self.shelf.lock();
        shelf.used -= 1;
        if shelf.free.len() < self.spare {
            shelf.free.push(piece);
            return;
        }
        drop(shelf);
        // A receiver may have it mapped.
        piece.buffer.give_back();
    }

    /// Whether somebody has to begin to [`give_back`](Self::give_back), which is whoever is told so.
    pub(in crate::process) fn wants_to_be_minded(&self) -> bool {
        !std::mem::replace(&mut self.shelf.lock().is_minded, true)
    }

    /// Gives back the memory that has not been used for long. When to come again; never, if there
    /// is nothing more to mind.
    pub(in crate::process) fn give_back(&self) -> Option<Duration> {
        self.give_back_unused_since(Duration::ZERO)
    }

    /// The same after so long a time.
    pub(super) fn give_back_unused_since(&self, pause: Duration) -> Option<Duration> {
        let mut shelf = self.shelf.lock();
        if shelf.made == 0 {
            return None;
        }
        let now = Instant::now() + pause;
        let mut next = (shelf.used > 0).then_some(KEEP);
        for piece in &mut shelf.free {
            let rest = KEEP.saturating_sub(now.saturating_duration_since(piece.used_at));
            if rest.is_zero() {
                piece.buffer.give_back();
            } else if piece.buffer.reserved() > 0 {
                next = Some(next.map_or(rest, |it| it.min(rest)));
            }
        }
        shelf.is_minded = next.is_some();
        next
    }

    /// How much memory the pieces have that are not used.
    pub(in crate::process) fn reserved(&self) -> usize {
        self.shelf.lock().free.iter().map(|it| it.buffer.reserved()).sum()
    }
}

fn new_buffer() -> io::Result<Buffer> {
    refusal!(ValueStoring);
    fault!(ValueStoring);
    Buffer::new("values")
}

/// Memory with a value on its way. It goes back to its store when it is dropped: not before the other
/// side has read it, or will not.
#[derive(Debug)]
pub(in crate::process) struct Parcel {
    /// None only while it is dropped.
    piece: Option<Piece>,
    len: usize,
    store: Arc<Store>,
}

impl Parcel {
    fn piece(&self) -> &Piece {
        self.piece.as_ref().expect("it is there until the drop")
    }

    /// Writes behind what is there. False if there is no memory for it.
    pub(super) fn append(&mut self, bytes: &[u8]) -> bool {
        let Some(piece) = &mut self.piece else { return false };
        let Some(len) = self.len.checked_add(bytes.len()) else { return false };
        if piece.buffer.reserve(len).is_err() {
            return false;
        }
        piece.buffer.write(self.len, bytes);
        self.len = len;
        true
    }

    /// Writes in the place of what is there.
    pub(super) fn overwrite(&mut self, at: usize, bytes: &[u8]) {
        if let Some(piece) = &mut self.piece {
            piece.buffer.write(at, bytes);
        }
    }

    /// Forgets what stands behind the first `len` bytes.
    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// A copy of what was written.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.piece().buffer.mapping().copy_to(&mut bytes, 0, self.len);
        bytes
    }

    pub(in crate::process) fn len(&self) -> usize {
        self.len
    }

    pub(in crate::process) fn number(&self) -> u32 {
        self.piece().number
    }

    pub(super) fn descriptor(&self) -> i32 {
        self.piece().buffer.number()
    }

    pub(in crate::process) fn reserved(&self) -> usize {
        self.piece().buffer.reserved()
    }

    /// Whether its only receiver has not opened it yet, or not at this length.
    pub(in crate::process) fn is_new(&self) -> bool {
        self.piece().told < self.piece().buffer.len()
    }

    /// Its only receiver has opened it.
    pub(in crate::process) fn is_opened(&mut self) {
        if let Some(piece) = &mut self.piece {
            piece.told = piece.buffer.len();
        }
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        if let Some(piece) = self.piece.take() {
            self.store.put_back(piece);
        }
    }
}
