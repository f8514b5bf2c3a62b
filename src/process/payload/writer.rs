//! What values are encoded into.

use super::store::{Parcel, Store};
use crate::sync::Arc;
use postcard::ser_flavors::Flavor;
use smallvec::SmallVec;

/// Encoded bytes. So few need no memory of their own: what one thread takes from the allocator and another gives
/// back costs more than to encode it.
pub(in crate::process) type Bytes = SmallVec<[u8; 32]>;

/// Values longer than this travel through kept memory, all others through ring and socket. Echoes of 8 to
/// 64 KiB cost the same whichever of 2, 8, 16 and 64 KiB it is; without it, 128 KiB cost three times as much.
pub(super) const LARGE: usize = 16 << 10;

/// Takes encoded bytes, however many: it need not be known beforehand that a value is large.
///
/// Bytes are gathered in a short vector, which stays in the processor's cache. What goes beyond it
/// moves into memory that the other process reads, each time it is full, and long runs at once.
#[derive(Debug, Default)]
pub(in crate::process) struct Writer {
    /// What has not been moved; everything, if there is no parcel.
    gathered: Bytes,
    parcel: Option<Parcel>,
    /// Where parcels come from; nowhere, if all stays in the vector.
    store: Option<Arc<Store>>,
}

impl Writer {
    /// For a value that is to go to another process.
    pub(in crate::process) fn new(store: &Arc<Store>) -> Writer {
        Writer { store: Some(Arc::clone(store)), ..Writer::default() }
    }

    #[inline]
    pub(in crate::process) fn len(&self) -> usize {
        self.gathered.len() + self.parcel.as_ref().map_or(0, Parcel::len)
    }

    #[inline]
    pub(in crate::process) fn extend(&mut self, bytes: &[u8]) {
        if self.store.is_some() && bytes.len() > LARGE.saturating_sub(self.gathered.len()) {
            self.spill(bytes);
        } else {
            self.gathered.extend_from_slice(bytes);
        }
    }

    #[inline]
    fn push(&mut self, byte: u8) {
        if self.store.is_some() && self.gathered.len() >= LARGE {
            self.spill(&[byte]);
        } else {
            self.gathered.push(byte);
        }
    }

    /// Makes room by moving what was gathered, and takes the bytes.
    #[cold]
    fn spill(&mut self, bytes: &[u8]) {
        let parcel = self.parcel.take().or_else(|| self.store.as_ref().and_then(Store::take));
        let Some(mut parcel) = parcel else {
            self.store = None;
            self.gathered.extend_from_slice(bytes);
            return;
        };
        let before = parcel.len();
        let is_long = bytes.len() > LARGE / 2;
        if parcel.append(&self.gathered) && (!is_long || parcel.append(bytes)) {
            self.gathered.clear();
            if !is_long {
                self.gathered.extend_from_slice(bytes);
            }
            self.parcel = Some(parcel);
            return;
        }
        // There is no more memory of this kind: all goes on in the vector.
        parcel.truncate(before);
        let mut all = parcel.bytes();
        all.extend_from_slice(&self.gathered);
        all.extend_from_slice(bytes);
        self.gathered = all.into();
        self.store = None;
    }

    /// Puts other bytes in the place of those from `at` on, which have been put at once.
    #[inline]
    pub(in crate::process) fn overwrite(&mut self, at: usize, bytes: &[u8]) {
        match &mut self.parcel {
            Some(parcel) if at < parcel.len() => parcel.overwrite(at, bytes),
            parcel => {
                let at = at - parcel.as_ref().map_or(0, Parcel::len);
                self.gathered[at..at + bytes.len()].copy_from_slice(bytes);
            }
        }
    }

    /// Forgets what stands behind the first `len` bytes.
    pub(in crate::process) fn truncate(&mut self, len: usize) {
        let moved = self.parcel.as_ref().map_or(0, Parcel::len);
        if len >= moved {
            self.gathered.truncate(len - moved);
            return;
        }
        self.gathered.clear();
        if let Some(parcel) = &mut self.parcel {
            parcel.truncate(len);
        }
    }

    /// The bytes, or the memory that they have moved to.
    pub(in crate::process) fn finish(mut self) -> Result<Bytes, Parcel> {
        let Some(mut parcel) = self.parcel.take() else { return Ok(self.gathered) };
        if parcel.append(&self.gathered) {
            return Err(parcel);
        }
        let mut all = parcel.bytes();
        all.extend_from_slice(&self.gathered);
        Ok(all.into())
    }
}

impl Flavor for &mut Writer {
    type Output = ();

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.extend(bytes);
        Ok(())
    }

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.push(byte);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
